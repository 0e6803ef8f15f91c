//! What should not be there, cannot be read, or is the predecessor's: named, and the rest goes on.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::support::daemon::Settings;
use super::support::kafka::rights::AUTHORIZER;
use super::support::kafka::topics::numbered;
use super::support::kafka::{NewRecord, Options};
use super::support::proxy::s3::{Canned, Operation, on};
use super::support::{Kafka, kafka, s3};
use super::{SOON, Scene, pairs, said};

fn line(n: i32) -> String {
    format!("{}\n", json!({"n": n}))
}

fn records(numbers: std::ops::Range<i32>) -> Vec<NewRecord> {
    numbers.map(|n| NewRecord::of(json!({"n": n}).to_string())).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Only names and lines say what they hold.
#[test]
fn gaps_overlaps_and_wrong_counts_of_the_predecessor_are_found() {
    let scene = Scene::new("old", 1);
    scene.produce(&records(0..60));
    let key = |start: i32| format!("topics/{0}/partition=0/{0}+0+{start:010}.json", scene.topic);
    let plant = |start: i32, lines: i32| {
        let text: String = (start..start + lines).map(line).collect();
        s3().put(&scene.bucket, &key(start), text.as_bytes());
    };
    for start in [0, 10, 20, 30, 40, 50] {
        plant(start, 10);
    }
    let beside = key(40).replace(".json", ".keys.json");
    s3().put(&scene.bucket, &beside, b"\"the key of one record\"\n");
    kafka().commit_as_stranger(&scene.group, &scene.topic, 0, (60, ""));
    assert_eq!(scene.agrees(&[]).sum("records"), 60);

    s3().delete(&scene.bucket, &key(10));
    plant(20, 13);
    let packed = key(40).replace(".json", ".json.gz");
    s3().put(&scene.bucket, &packed, &gzip(line(40).repeat(10).as_bytes()));
    plant(50, 11);
    let said = scene.verify(&[]);
    assert_eq!(said.code, Some(1));
    let expected = pairs([
        (&key(0), "missing_records"),
        (&key(20), "overlap"),
        (&key(40), "overlap"),
        (&key(50), "wrong_count"),
    ]);
    assert_eq!(said.found(), expected, "{:#}", said.document);
    let gap = said.finding(&key(0));
    assert_eq!((&gap["start"], &gap["end"]), (&json!(10), &json!(20)));
    let what = "it holds 3 lines more than Kafka has records up to 30, where the next one begins";
    assert_eq!(said.finding(&key(20))["what"], what);
    let what = format!("`{packed}` begins at the same offset");
    assert_eq!(said.finding(&key(40))["what"], what);
}

/// Paths by a field: the objects of one commit lie in folders, records of one between the other's.
#[test]
fn a_gap_among_the_predecessors_folders_is_found() {
    let scene = Scene::new("folders", 1);
    scene.produce(&records(0..40));
    let key = |folder: i32, start: i32| {
        format!("topics/{0}/odd={folder}/{0}+0+{start:010}.json", scene.topic)
    };
    for first in [0, 20] {
        for odd in [0, 1] {
            let lines: String = (0..10).map(|n| line(first + odd + 2 * n)).collect();
            s3().put(&scene.bucket, &key(odd, first + odd), lines.as_bytes());
        }
    }
    kafka().commit_as_stranger(&scene.group, &scene.topic, 0, (40, ""));
    assert_eq!(scene.agrees(&[]).sum("records"), 40);
    s3().delete(&scene.bucket, &key(1, 1));
    let said = scene.verify(&[]);
    assert_eq!(said.found(), pairs([(&key(0, 0), "missing_records")]), "{:#}", said.document);
}

/// The predecessor left nothing else: strangers take the names of objects that Sluice wrote.
#[test]
fn foreign_content_under_our_names_is_told_apart() {
    let scene =
        Scene::new("taken", 1).set("seal.records", "10").set("layout.compression", "\"gzip\"");
    scene.produce(&records(0..60));
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    assert_eq!(scene.agrees(&["--deep"]).sum("records"), 60);
    let keys = scene.keys();
    let [foreign, text, other, cut, denied, good] = keys.as_slice() else { panic!("{keys:?}") };
    s3().put(&scene.bucket, foreign, &gzip(line(0).repeat(10).as_bytes()));
    scene.overwrite(text, &scene.find(text), b"no gzip at all\n");
    scene.overwrite(other, &scene.find(other), &gzip(line(20).repeat(10).as_bytes()));
    let whole = scene.find(cut);
    scene.overwrite(cut, &whole, &whole.body[..whole.body.len() - 1]);
    let elsewhere = good.replace("partition=0", "elsewhere");
    s3().put(&scene.bucket, &elsewhere, &whole.body);
    let stranger = format!("topics/{}/readme.txt", scene.topic);
    s3().put(&scene.bucket, &stranger, b"of somebody\n");
    let proxy = s3().proxy();
    let answer = Canned::error(403, "AccessDenied");
    proxy.answer(on(Operation::GetObject).key(denied).always(), answer);
    let endpoint = format!("{:?}", proxy.endpoint());
    let said = said(&scene.settings.set("s3.endpoint", &endpoint), &["--deep"]);
    assert_eq!(said.code, Some(1));
    let expected = pairs([
        (foreign, "unexplained"),
        (text, "damaged"),
        (other, "differs"),
        (cut, "damaged"),
        (denied, "unreadable"),
        (&elsewhere, "unexplained"),
        (&stranger, "not_ours"),
    ]);
    assert_eq!(said.found(), expected, "{:#}", said.document);
}

#[test]
fn topics_that_are_denied_gone_or_emptied_hold_up_no_other() {
    const TOPICS: [&str; 4] = ["open", "denied", "gone", "emptied"];
    let properties = AUTHORIZER.map(|(key, value)| (key, value.to_owned())).to_vec();
    let own = Kafka::start(Options { properties, ..Options::default() });
    let bucket = s3().bucket("topics");
    let settings = Settings::between(&own, s3(), "group", &bucket).topics(&TOPICS);
    let settings = settings.set("seal.records", "10");
    for topic in TOPICS {
        own.create_topic(topic, 1);
        own.produce(topic, &numbered(0..10, 1));
    }
    let daemon = settings.start();
    daemon.wait_until("a lag of 0", SOON, || {
        TOPICS.iter().all(|topic| own.lag("group", topic) == 0).then_some(())
    });
    daemon.stop_cleanly();
    assert_eq!(said(&settings, &["--deep"]).sum("records"), 40);
    own.deny("denied");
    own.delete_topic("gone");
    own.delete_records("emptied", 0, 10);
    let said = said(&settings, &["--deep"]);
    assert_eq!(said.code, Some(1), "{:#}", said.document);
    let findings = said.document["findings"].as_array().unwrap().iter();
    let mut found: Vec<_> = findings
        .map(|finding| (finding["kind"].as_str().unwrap(), finding["place"].as_str().unwrap()))
        .collect();
    found.sort_unstable();
    let expected =
        [("dropped", "emptied/0"), ("topic", "topic `denied`"), ("topic", "topic `gone`")];
    assert_eq!(found, expected, "{:#}", said.document);
    assert_eq!((said.sum("records"), said.sum("findings")), (20, 0), "{:#}", said.document);
}
