//! Values from outside in places where they could do harm: in keys, in memory, on the clock.

use std::collections::BTreeSet;
use std::time::Duration;

use super::support::daemon::Settings;
use super::support::kafka::{NewRecord, Options};
use super::support::{Kafka, kafka, s3, unique, verify};
use super::{SOON, Scene};

/// Each value is a route of its own, and each key is one that the store takes.
#[test]
fn hostile_values_of_a_path_are_keys_of_their_own() {
    let scene = Scene::new("hostile", 1)
        .set("layout.path", "\"{topic}/{field:/v}/{key}/{header:h}/{partition}\"");
    let long = "x".repeat(2_000);
    let values = [
        "/",
        "//",
        "..",
        ".",
        "a/../../b",
        "",
        " ",
        "\u{0}",
        "\r\n",
        "\u{7f}",
        "😀",
        "ü",
        "%2F",
        "=",
        "\\",
        "__HIVE_DEFAULT_PARTITION__",
        long.as_str(),
        &long[1..],
    ];
    let record = |value: &&str| {
        let json = serde_json::json!({ "v": value }).to_string();
        NewRecord::of(json).with_key(*value).with_header("h", value.as_bytes())
    };
    let records: Vec<NewRecord> = values.iter().map(record).collect();
    scene.produce(&records);
    let daemon = scene.settings.start();
    scene.until_read(&daemon, records.len());
    daemon.stop_cleanly();
    let texts = scene.texts();
    let lines: BTreeSet<String> = texts.values().cloned().collect();
    assert_eq!(lines.len(), values.len(), "each value has an object of its own: {texts:?}");
    let prefix = format!("topics/{}/", scene.topic);
    for key in texts.keys() {
        assert!(key.starts_with(&prefix) && key.len() <= 1_024, "{key}");
        let mut elements = key.split('/');
        assert!(elements.all(|element| !["", ".", ".."].contains(&element)), "{key}");
        assert!(!key.contains(char::is_control), "{key:?}");
    }
    verify::check_contents(kafka(), &scene.topic, s3(), &scene.bucket, &prefix);
    assert_eq!(scene.lag(), 0);
}

#[test]
fn absurd_timestamps_hold_nothing_up() {
    let scene =
        Scene::new("absurd", 1).set("layout.path", "\"{topic}/{time:%Y-%m-%d}/{partition}\"");
    // Brokers take times of the future only where they are told to.
    let topic = unique("absurd");
    let any = [("message.timestamp.after.max.ms", "9223372036854775807")];
    kafka().create_topic_with(&topic, 1, &any);
    let scene = Scene { settings: scene.settings.topics(&[&topic]), topic, ..scene };
    let moments = [1, i64::MAX, 2, 253_402_300_800_000, i64::MAX / 2];
    let records = moments.map(|moment| NewRecord::of(moment.to_string()).at_ms(moment));
    scene.produce(&records);
    let daemon = scene.settings.start();
    scene.until_read(&daemon, records.len());
    daemon.stop_cleanly();
    let key =
        |day: &str, start: i64| format!("topics/{0}/{day}/0/{0}+0+{start:010}.json", scene.topic);
    let text = |numbers: &[i64]| numbers.iter().map(|one| format!("{one}\n")).collect::<String>();
    let (real, absurd) = (text(&[1, 2]), text(&[i64::MAX, 253_402_300_800_000, i64::MAX / 2]));
    let objects = [
        (key("1970-01-01", 0), real.as_str()),
        (key("__HIVE_DEFAULT_PARTITION__", 1), absurd.as_str()),
    ];
    assert_eq!(scene.texts(), super::expected(objects));
}

/// As large as a request to a broker may be. A cluster of its own, because its brokers need room.
#[test]
fn records_of_a_hundred_megabytes_are_written_or_quarantined() {
    const BYTES: usize = 100_000_000;
    let kafka = Kafka::start(Options { heap_mebibytes: 1_024, ..Options::default() });
    let bucket = s3().bucket("huge");
    kafka.create_topic_with("huge", 1, &[("max.message.bytes", "104000000")]);
    let settings = Settings::between(&kafka, s3(), "group", &bucket)
        .topics(&["huge"])
        .set("seal.age", "\"1 s\"");
    let daemon = settings.start();
    let good = format!("\"{}\"", "x".repeat(BYTES - 2));
    for value in ["1", &good, &good[..BYTES - 1], "2"] {
        kafka.produce("huge", &[NewRecord::of(value)]);
    }
    daemon.wait_until("a lag of 0", 2 * SOON, || (kafka.lag("group", "huge") == 0).then_some(()));
    assert!(daemon.resident_bytes() < 1 << 30, "{} bytes are resident", daemon.resident_bytes());
    assert_eq!(daemon.metric("sluice_quarantined_records_total", &["reason=\"not_json\""]), 1.0);
    assert!(daemon.stop(Duration::from_secs(60)).success(), "{}", daemon.log_tail());
    let bytes = |prefix: &str| -> usize {
        let keys = s3().list(&bucket, prefix).into_iter();
        keys.map(|key| s3().get(&bucket, &key).len()).sum()
    };
    assert_eq!(bytes("topics/"), "1\n2\n".len() + BYTES + 1);
    assert!(bytes("_quarantine/") > BYTES);
}
