//! Buckets that the daemon wrote, and what becomes of them when somebody else lays hands on them.

use serde_json::json;

use super::support::kafka::{NewRecord, Outcome};
use super::support::process::Signal;
use super::support::{full_set, kafka, s3};
use super::{SOON, Scene, pairs, posts};

/// 0.8 MB: seven of them do not fit in a part of 5 MiB.
fn large(n: usize) -> NewRecord {
    let text = (n % 10).to_string().repeat(800_000);
    NewRecord::of(json!({ "n": n, "text": text }).to_string())
}

/// Several routes, bad records and tombstones, compression, an aborted transaction and a kill.
#[test]
fn each_of_four_faults_is_named_and_nothing_else() {
    let scene = Scene::new("vandals", 2)
        .set("layout.path", "\"{topic}/kind={field:/kind}/partition={partition}\"")
        .set("layout.compression", "\"gzip\"")
        .set("seal.records", "40");
    scene.produce(&posts(0..200));
    scene.produce(&[NewRecord::of("no json"), NewRecord::tombstone("gone")]);
    kafka().produce_in_transaction(&scene.topic, &posts(900..910), Outcome::Abort);
    let daemon = scene.settings.start();
    daemon.wait_until("some objects", SOON, || (scene.keys().len() > 8).then_some(()));
    daemon.kill_9();
    scene.produce(&posts(200..300));
    let daemon = scene.settings.start();
    daemon.wait_until("all records", SOON, || {
        (kafka().lag(&scene.group, &scene.topic) < 90).then_some(())
    });
    let while_it_runs = scene.agrees(&["--deep"]);
    assert!(while_it_runs.sum("records") > 0);
    daemon.stop_cleanly();
    assert_eq!(kafka().lag(&scene.group, &scene.topic), 0);
    let all = scene.agrees(&["--deep"]);
    assert_eq!(all.sum("records"), 301, "{:#}", all.document);
    assert_eq!(all.sum("objects"), scene.keys().len() as u64);
    assert_eq!(scene.agrees(&[]).sum("records"), 301);

    let keys = scene.keys();
    let of = |kind: &str| {
        let is_it = |key: &&String| key.contains(&format!("kind={kind}/partition=0"));
        keys.iter().filter(is_it).nth(1).unwrap().as_str()
    };
    let (deleted, copied, cut, changed) = (of("a"), of("b"), of("c"), of("d"));
    s3().delete(&scene.bucket, deleted);
    let copy = copied.replace("kind=b", "kind=copy");
    scene.overwrite(&copy, &scene.find(copied), &scene.find(copied).body);
    let object = scene.find(cut);
    scene.overwrite(cut, &object, &object.body[..object.body.len() - 9]);
    let mut object = scene.find(changed);
    let middle = object.body.len() / 2;
    object.body[middle] ^= 1;
    scene.overwrite(changed, &object, &object.body);
    let said = scene.verify(&["--deep"]);
    assert_eq!(said.code, Some(1), "{:#}", said.document);
    let mut found = said.found();
    let kind = found.insert(changed.to_owned(), "damaged".to_owned()).unwrap_or_default();
    assert!(["damaged", "differs"].contains(&kind.as_str()), "{:#}", said.document);
    let expected = [
        (deleted, "missing_object"),
        (copy.as_str(), "copy"),
        (cut, "damaged"),
        (changed, "damaged"),
    ];
    assert_eq!(found, pairs(expected), "{:#}", said.document);
    // What objects say of themselves shows two of the four.
    let said = scene.verify(&[]);
    let expected = [(deleted, "missing_object"), (copy.as_str(), "copy")];
    assert_eq!(said.found(), pairs(expected), "{:#}", said.document);
}

/// The full set's bucket: one batch of 20,000 objects, each with a path of its own.
#[test]
fn twenty_thousand_objects_are_compared() {
    if !full_set("twenty_thousand_objects_are_compared") {
        return;
    }
    let scene = Scene::new("many", 1).set("layout.path", "\"{topic}/{field:/n}/{partition}\"");
    let record = |n: i32| NewRecord::of(json!({"n": n}).to_string());
    scene.produce(&(0..20_000).map(record).collect::<Vec<_>>());
    let daemon = scene.settings.start();
    daemon.wait_until("the records", SOON, || {
        (daemon.metric("sluice_read_records_total", &[]) >= 20_000.0).then_some(())
    });
    daemon.signal(Signal::SealNow);
    daemon.wait_until("a lag of 0", 5 * SOON, || {
        (kafka().lag(&scene.group, &scene.topic) == 0).then_some(())
    });
    daemon.stop_cleanly();
    assert_eq!(scene.agrees(&["--deep"]).sum("objects"), 20_000);
    let key = format!("topics/{0}/777/0/{0}+0+0000000777.json", scene.topic);
    s3().delete(&scene.bucket, &key);
    assert_eq!(scene.verify(&[]).found(), pairs([(&key, "missing_object")]));
}

/// A path by the moment at which a batch was opened, which only its plan says: here there is none.
#[test]
fn batches_without_a_plan_are_compared_wherever_they_lie() {
    let scene = Scene::new("opened", 1)
        .set("s3.part_size", "\"5 MiB\"")
        .set("layout.path", "\"{topic}/{time:%Y-%m-%d-%H}/{partition}\"")
        .set("layout.time", "\"opened\"")
        .set("seal.records", "7");
    scene.produce(&(0..14).map(large).collect::<Vec<_>>());
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    assert_eq!(scene.agrees(&[]).sum("records"), 14);
    let keys = scene.keys();
    let object = scene.find(&keys[0]);
    assert!(!object.metadata.contains_key("sluice-plan"));
    scene.overwrite(&keys[0], &object, &object.body[..object.body.len() - 3]);
    let said = scene.verify(&[]);
    assert_eq!(said.found(), pairs([(&keys[0], "damaged")]), "{:#}", said.document);
    let what = "it ends inside the line behind line 6 of 7: the records from offset 6 to 6 are \
        not in it";
    assert_eq!(said.finding(&keys[0])["what"], what);
}

/// Objects that went up in parts say neither their count nor their plan.
#[test]
fn objects_written_in_parts_are_compared_with_kafka() {
    let scene = Scene::new("parts", 1).set("s3.part_size", "\"5 MiB\"").set("seal.records", "7");
    scene.produce(&(0..28).map(large).collect::<Vec<_>>());
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    assert_eq!(scene.agrees(&[]).sum("records"), 28);
    let keys = scene.keys();
    assert_eq!(keys.len(), 4);
    assert!(!scene.find(&keys[0]).metadata.contains_key("sluice-count"));
    let mut object = scene.find(&keys[0]);
    let second = object.body.iter().position(|byte| *byte == b'\n').unwrap() + 100;
    object.body[second] = b'x';
    scene.overwrite(&keys[0], &object, &object.body);
    s3().delete(&scene.bucket, &keys[2]);
    let said = scene.verify(&[]);
    assert_eq!(said.code, Some(1));
    let expected = pairs([(&keys[0], "differs"), (&keys[1], "missing_records")]);
    assert_eq!(said.found(), expected, "{:#}", said.document);
    let differs = said.finding(&keys[0]);
    assert_eq!(differs["what"], "line 2 is not the record at offset 1");
    let missing = said.finding(&keys[1]);
    assert_eq!((&missing["start"], &missing["end"]), (&json!(14), &json!(21)));
}
