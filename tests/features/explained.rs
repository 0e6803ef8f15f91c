//! `sluice explain --newest` on a real topic: what it shows is what a daemon then writes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::support::kafka::NewRecord;
use super::support::kafka::topics::Outcome;
use super::support::{kafka, s3, verify};
use super::{Scene, expected};

/// Runs it to its end and returns the document and the exit code.
#[track_caller]
fn explain(scene: &Scene, topic: &str, more: &[&str]) -> (Value, i32) {
    let arguments = [&["--topic", topic, "--json"], more].concat();
    let output = scene.settings.command("explain", &arguments);
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (document, output.status.code().unwrap())
}

/// Returns the records of each object, by its key.
fn shown(document: &Value) -> BTreeMap<String, u64> {
    let all = |value: &Value, name: &str| value[name].as_array().unwrap().clone();
    let batches = all(document, "partitions").into_iter().flat_map(|one| all(&one, "batches"));
    let objects = batches.flat_map(|batch| all(&batch, "objects"));
    let each = objects.map(|object| {
        (object["key"].as_str().unwrap().to_owned(), object["records"].as_u64().unwrap())
    });
    each.collect()
}

/// Everything that becomes of records, some of it in transactions, in two partitions.
fn produce(scene: &Scene) {
    for partition in 0..2 {
        let of = |value: &str| NewRecord::of(value).on_partition(partition);
        // 2026-03-01T23:59:59Z and a second later.
        let (before, after) = (1_772_409_599_000, 1_772_409_600_000);
        scene.produce(&[
            of(r#"{"k":"a"}"#).at_ms(before),
            of(r#"{"k":"b"}"#).at_ms(before),
            of("no json").at_ms(before),
            of(r#"{"k":"a"}"#).at_ms(after),
            NewRecord::tombstone("gone").on_partition(partition).at_ms(after),
            of(r#"{"other":1}"#).at_ms(after),
        ]);
        let in_transaction = [of(r#"{"k":"a"}"#).at_ms(after), of(r#"{"k":"c"}"#).at_ms(after)];
        for outcome in [Outcome::Commit, Outcome::Abort] {
            kafka().produce_in_transaction(&scene.topic, &in_transaction, outcome);
        }
        scene.produce(&[of(r#"{"k":"b"}"#).at_ms(after)]);
    }
}

#[test]
fn the_newest_records_become_what_is_shown() {
    let scene = Scene::new("explained", 2)
        .set("layout.path", "\"{topic}/k={field:/k}/day={time:%Y-%m-%d}\"")
        .set("records.on_missing_route", "\"quarantine\"")
        .set("seal.records", "4");
    produce(&scene);
    let (document, code) = explain(&scene, &scene.topic, &["--newest", "1000"]);
    assert_eq!(code, 1, "some would be quarantined: {document:#}");
    let shown = shown(&document);
    assert!(kafka().members(&scene.group).is_empty());
    let commits = kafka().committed(&scene.group, &scene.topic);
    assert!(commits.iter().all(|commit| commit.offset.is_none()), "{commits:?}");
    assert_eq!(s3().list(&scene.bucket, ""), Vec::<String>::new());

    let daemon = scene.settings.start();
    // Nine of each partition are seen, with the tombstone.
    scene.until_read(&daemon, 18);
    daemon.stop_cleanly();
    let lines = |(key, body): (String, Vec<u8>)| {
        let lines = verify::lines(&key, &body).len();
        (key, u64::try_from(lines).unwrap())
    };
    let written: BTreeMap<_, _> = scene.objects().into_iter().map(lines).collect();
    assert_eq!(written, shown);
    let quarantined = |key: &&String| key.starts_with("_quarantine/");
    assert_eq!(written.keys().filter(quarantined).count(), 4, "two batches of two partitions");
    // Offsets 0 to 5, two of a transaction with its marker, two that were aborted with theirs.
    let last = |document: &Value| document["partitions"][0]["batches"][0].clone();
    let more = ["--newest", "1", "--partition", "1"];
    let (document, code) = explain(&scene, &scene.topic, &more);
    assert_eq!((code, document["partitions"].as_array().unwrap().len()), (0, 1), "{document:#}");
    assert_eq!((&last(&document)["start"], &last(&document)["records"]), (&12.into(), &1.into()));
}

#[test]
fn a_topic_that_is_not_there_or_empty_is_told() {
    let scene = Scene::new("nothing", 1);
    let absent = format!("{}-absent", scene.topic);
    for (topic, more, said) in [
        (&scene.topic, &["--newest", "5"][..], "has no records to read"),
        (&scene.topic, &["--newest", "5", "--partition", "1"], "there is no partition 1"),
        (&absent, &["--newest", "5"], "the brokers answer"),
    ] {
        let (document, code) = explain(&scene, topic, more);
        let fault = document["faults"][0].as_str().unwrap();
        assert!(code == 1 && fault.contains(said), "{code}: {fault}");
    }
    assert_eq!(scene.texts(), expected([]));
    assert_eq!(kafka().end_offsets(&scene.topic), [0]);
}
