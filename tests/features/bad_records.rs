//! Records that cannot be written as asked: quarantine, skip, or stop.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::support::kafka::NewRecord;
use super::{SOON, Scene};

const EXIT_DATA: i32 = 65;

/// The lines of all quarantine objects, in the order of their keys.
fn quarantine(scene: &Scene) -> Vec<Value> {
    let texts = scene.texts().into_iter();
    let texts = texts.filter(|(key, _)| key.starts_with("_quarantine/"));
    texts
        .flat_map(|(_, text)| {
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
        })
        .collect()
}

/// The record's value as the quarantine gives it back.
fn value(line: &Value) -> Option<Vec<u8>> {
    match line.get("value_base64") {
        Some(text) => Some(STANDARD.decode(text.as_str().unwrap()).unwrap()),
        None => line["value"].as_str().map(|text| text.as_bytes().to_vec()),
    }
}

#[test]
fn every_kind_of_bad_record_goes_to_the_quarantine_whole() {
    let scene = Scene::new("bad", 1).set("records.on_null", "\"quarantine\"");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let unclosed = "[".repeat(100_000);
    let bad: [(&[u8], &str); 9] = [
        (b"\xff{}", "not_utf8"),
        (b"{\"a\":\"\xc3\x28\"}", "not_utf8"),
        (b"plain text", "not_json"),
        (b"{\"cut\":", "not_json"),
        (b"{} {}", "several_documents"),
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"{\"a\":\"\x00\"}", "not_json"),
        (unclosed.as_bytes(), "not_json"),
    ];
    let mut records = vec![NewRecord::of("{\"first\":1}")];
    records.extend(bad.iter().map(|(value, _)| NewRecord::of(*value).with_key("k").at_ms(5)));
    records.push(NewRecord::of("{\"a\":\n1}"));
    records.push(NewRecord::of(deep.clone()));
    records.push(NewRecord::tombstone("gone").with_header("h", b"v"));
    scene.produce(&records);
    let daemon = scene.settings.start();
    scene.until_read(&daemon, records.len());
    daemon.stop_cleanly();
    assert_eq!(scene.lag(), 0);
    let lines = quarantine(&scene);
    assert_eq!(lines.len(), bad.len() + 1);
    for (index, (bytes, reason)) in bad.iter().enumerate() {
        let line = &lines[index];
        assert_eq!(line["reason"], *reason, "{line}");
        assert_eq!(line["offset"], index + 1);
        assert_eq!(value(line).as_deref(), Some(*bytes));
        assert_eq!((&line["key"], &line["timestamp"]), (&"k".into(), &5.into()));
    }
    let tombstone = lines.last().unwrap();
    assert_eq!((&tombstone["reason"], &tombstone["value"]), (&"null".into(), &Value::Null));
    assert_eq!(tombstone["headers"][0]["value"], "v");
    let key = format!("topics/{0}/partition=0/{0}+0+0000000000.json", scene.topic);
    assert_eq!(scene.texts()[&key], format!("{{\"first\":1}}\n{{\"a\": 1}}\n{deep}\n"));
    let keys = scene.objects().into_keys().collect::<Vec<_>>();
    let quarantined = format!("_quarantine/{0}/partition=0/{0}+0+0000000001.json", scene.topic);
    assert_eq!(keys, [quarantined, key]);
}

/// Tombstones write nothing by default, and hold nothing up: not even the last one of a log.
#[test]
fn skipped_tombstones_leave_no_object_and_no_lag() {
    let scene = Scene::new("tombstones", 2).hasty();
    let on_second = |n: i32| NewRecord::tombstone(n.to_string()).on_partition(1);
    scene.produce(&[NewRecord::tombstone("a"), NewRecord::of("1"), NewRecord::tombstone("b")]);
    scene.produce(&[on_second(0), on_second(1)]);
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    let key = format!("topics/{0}/partition=0/{0}+0+0000000001.json", scene.topic);
    assert_eq!(scene.texts(), super::expected([(key, "1\n")]));
}

#[test]
fn a_missing_route_can_go_to_the_quarantine() {
    let scene = Scene::new("unrouted", 1)
        .set("layout.path", "\"{topic}/{field:/a/b}/{partition}\"")
        .set("records.on_missing_route", "\"quarantine\"");
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    scene.produce(&[
        NewRecord::of(r#"{"a":{"b":"x"}}"#),
        NewRecord::of(r#"{"a":{"c":"x"}}"#),
        NewRecord::of(deep),
        NewRecord::of(r#"{"a":{"b":7}}"#),
    ]);
    let daemon = scene.settings.start();
    scene.until_read(&daemon, 4);
    daemon.stop_cleanly();
    let lines = quarantine(&scene);
    let found: Vec<_> = lines.iter().map(|line| (&line["offset"], &line["reason"])).collect();
    let reason = Value::from("missing_route");
    assert_eq!(found, [(&1.into(), &reason), (&2.into(), &reason)]);
    let key = |route: &str, start: i64| {
        format!("topics/{0}/{route}/0/{0}+0+{start:010}.json", scene.topic)
    };
    assert_eq!(scene.texts()[&key("x", 0)], "{\"a\":{\"b\":\"x\"}}\n");
    assert_eq!(scene.texts()[&key("7", 3)], "{\"a\":{\"b\":7}}\n");
}

/// The others go on; when none is left the process ends with a code that no supervisor restarts.
#[test]
fn a_stop_by_a_bad_record_is_one_partitions_until_all_have_stopped() {
    let scene = Scene::new("stopping", 2).hasty().set("records.on_bad", "\"stop\"");
    let daemon = scene.settings.start();
    scene.produce(&[NewRecord::of("1"), NewRecord::of("no json"), NewRecord::of("3")]);
    scene.until_stopped(&daemon, 0, "bad_record");
    scene.produce(&[NewRecord::of("4").on_partition(1)]);
    daemon.wait_until("the other partition to go on", SOON, || {
        (kafka_committed(&scene, 1) == Some(1)).then_some(())
    });
    assert_eq!(daemon.page("/healthz").map(|(status, _)| status), Some(200));
    scene.produce(&[NewRecord::of("no json").on_partition(1)]);
    let status = daemon.wait_for_end(SOON);
    assert_eq!(status.code(), Some(EXIT_DATA), "{}", daemon.log_tail());
    // What came before the bad record may be written, what is behind it may not.
    assert!(kafka_committed(&scene, 0) <= Some(1));
    // Asked otherwise, it goes on where it stood, and writes everything once.
    let scene = scene.set("records.on_bad", "\"quarantine\"");
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    let offsets: Vec<_> = quarantine(&scene).iter().map(|line| line["offset"].clone()).collect();
    assert_eq!(offsets, [1, 1]);
    let texts = scene.texts().into_iter();
    let lines: String =
        texts.filter(|(key, _)| key.starts_with("topics/")).map(|(_, text)| text).collect();
    assert_eq!(lines, "1\n3\n4\n");
}

fn kafka_committed(scene: &Scene, partition: usize) -> Option<i64> {
    super::kafka().committed(&scene.group, &scene.topic)[partition].offset
}

#[test]
fn tombstones_and_missing_routes_can_stop_too() {
    for (option, path, record, reason) in [
        ("records.on_null", "{topic}/{partition}", NewRecord::tombstone("k"), "null_record"),
        (
            "records.on_missing_route",
            "{topic}/{key}/{partition}",
            NewRecord::of("{}"),
            "missing_route",
        ),
    ] {
        let scene = Scene::new("stopping", 1)
            .set(option, "\"stop\"")
            .set("layout.path", &format!("{path:?}"));
        scene.produce(&[record]);
        let daemon = scene.settings.launch();
        let status = daemon.wait_for_end(SOON);
        assert_eq!(status.code(), Some(EXIT_DATA), "{}", daemon.log_tail());
        assert!(daemon.log().contains(reason), "{}", daemon.log_tail());
        assert!(scene.objects().is_empty());
    }
}
