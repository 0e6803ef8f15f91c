//! `sluice explain` as a person runs it, on a file and a pipe, with no server anywhere.
//!
//! It owns: what is printed, the exit code. It does not own: what lines mean (unit tests beside it),
//! that a daemon writes the same (`features/explained.rs`).

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Nothing listens at these addresses: whoever asked them would fail.
const CONFIG: &str = r#"[kafka]
bootstrap_servers = ["127.0.0.1:1"]
topics = ["pin"]
[s3]
bucket = "bucket"
region = "us-east-1"
endpoint = "http://127.0.0.1:1"
[layout]
path = "{topic}/k={field:/k}"
[records]
on_missing_route = "quarantine"
[seal]
records = 4
"#;

const MIXED: &str = r#"{"value":{"k":"a"}}
{"value":{"k":"b"}}
{"value":"no json"}
{"value":{"k":"a"}}
{"value":null,"key":"gone"}
{"value":{"other":1}}
{"value":{"k":"a"}}
"#;

/// Runs `sluice explain` on a pipe, without the environment of whoever runs the tests.
fn explain(input: &str, more: &[&str]) -> (String, String, Option<i32>) {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), CONFIG).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .env_clear()
        .args(["explain", "--topic", "pin", "--config"])
        .arg(config.path())
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends before it has read all closes the pipe: that is no fault of the test.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

/// Returns key, records, first and last offset of each object.
fn objects(batch: &Value) -> Vec<(String, u64, u64, u64)> {
    let number = |object: &Value, name: &str| object[name].as_u64().unwrap();
    let each = batch["objects"].as_array().unwrap().iter().map(|object| {
        let [records, first, last] = ["records", "first", "last"].map(|name| number(object, name));
        (object["key"].as_str().unwrap().to_owned(), records, first, last)
    });
    each.collect()
}

#[test]
fn mixed_records_show_their_objects_and_why_some_are_not_among_them() {
    let arguments = ["--input", "-", "--envelope", "--json", "--start", "100"];
    let (stdout, stderr, code) = explain(MIXED, &arguments);
    assert_eq!((stderr.as_str(), code), ("", Some(1)), "{stdout}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let partition = &document["partitions"][0];
    let batches = partition["batches"].as_array().unwrap();
    let sealed: Vec<_> = batches.iter().map(|batch| &batch["sealed_by"]).collect();
    assert_eq!(sealed, ["records", "end_of_sample"]);

    let quarantine = "_quarantine/pin/partition=0/pin+0+";
    let object = |key: &str, records, first, last| (key.to_owned(), records, first, last);
    let expected = [
        object("topics/pin/k=a/pin+0+0000000100.json", 2, 100, 103),
        object("topics/pin/k=b/pin+0+0000000101.json", 1, 101, 101),
        object(&format!("{quarantine}0000000102.json"), 1, 102, 102),
    ];
    assert_eq!(objects(&batches[0]), expected);
    let expected = [
        object(&format!("{quarantine}0000000105.json"), 1, 105, 105),
        object("topics/pin/k=a/pin+0+0000000106.json", 1, 106, 106),
    ];
    assert_eq!(objects(&batches[1]), expected);
    // The route is looked for first: what is no JSON has none.
    let quarantined = json!([
        {"offset": 102, "reason": "missing_route", "key": format!("{quarantine}0000000102.json")},
        {"offset": 105, "reason": "missing_route", "key": format!("{quarantine}0000000105.json")},
    ]);
    assert_eq!(partition["quarantined"], quarantined);
    assert_eq!(partition["skipped"], json!([104]));
    assert_eq!(partition["stopped"], Value::Null);
    assert!(document["notes"][0].as_str().unwrap().contains("`seal.age`"));
}

#[test]
fn lines_of_a_file_that_are_all_well_end_with_zero() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{\"k\":\"a\"}\n{\"k\":\"a\"}\n").unwrap();
    let more = ["--input", file.path().to_str().unwrap(), "--partition", "3"];
    let (stdout, stderr, code) = explain("", &more);
    assert_eq!((stderr.as_str(), code), ("", Some(0)), "{stdout}");
    for part in [
        "pin/3 -> s3://bucket",
        "    topics/pin/k=a/pin+3+0000000000.json\n",
        "2 records, 0 to 1, json, compression none, route topics/pin/k=a\n",
        "nothing was written\n",
    ] {
        assert!(stdout.contains(part), "`{part}` is not in:\n{stdout}");
    }
}

#[test]
fn a_record_that_stops_the_partition_is_told_behind_what_is_finished_before_it() {
    let plain = ["--input", "-", "--set", "layout.path=\"{topic}\""];
    let more = [&plain[..], &["--set", "records.on_bad=\"stop\""]].concat();
    let (stdout, _, code) = explain("{\"k\":\"a\"}\nno json\n{\"k\":\"a\"}\n", &more);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("1 records, 0 to 0, json"), "{stdout}");
    assert!(stdout.contains("closed by stop"), "{stdout}");
    assert!(stdout.contains("STOP: record 1 cannot be written as asked (not_json)"), "{stdout}");
    let (stdout, _, code) = explain("no json\n", &plain);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("quarantined: record 0, its value is not JSON, into _quarantine/"));
}

#[test]
fn an_object_larger_than_a_part_is_told_as_one_in_parts() {
    let line = format!("{{\"k\":\"a\",\"text\":\"{}\"}}\n", "x".repeat(2_000));
    let plain = ["--set", "layout.path=\"{topic}\"", "--set", "seal.records=6000"];
    let parts = ["--set", "s3.part_size=\"5 MiB\"", "--json", "--input", "-"];
    let (stdout, stderr, code) = explain(&line.repeat(7_000), &[&plain[..], &parts].concat());
    assert_eq!((stderr.as_str(), code), ("", Some(0)), "{stdout}");
    let document: Value = serde_json::from_str(&stdout).unwrap();
    let batches = document["partitions"][0]["batches"].as_array().unwrap();
    let expected =
        [("0000000000", 6_000, 0, 5_999, true), ("0000006000", 1_000, 6_000, 6_999, false)];
    assert_eq!(batches.len(), expected.len());
    for (batch, (start, records, first, last, is_multipart)) in batches.iter().zip(expected) {
        let key = format!("topics/pin/pin+0+{start}.json");
        assert_eq!(objects(batch), [(key, records, first, last)]);
        assert_eq!(batch["objects"][0]["multipart"], json!(is_multipart));
    }
}

#[test]
fn a_topic_that_the_configuration_does_not_name_is_told() {
    let more = ["--input", "-", "--set", "kafka.topics=[\"geo\"]"];
    let (stdout, _, code) = explain("{\"k\":\"a\"}\n", &more);
    assert_eq!(code, Some(0), "{stdout}");
    assert!(stdout.contains("note: the daemon does not read `pin`"), "{stdout}");
}

#[test]
fn a_topic_of_brokers_that_do_not_answer_says_so() {
    let (stdout, stderr, code) = explain("", &["--newest", "5"]);
    assert_eq!((stdout.as_str(), code), ("", Some(69)), "{stderr}");
    assert!(stderr.contains("Kafka at 127.0.0.1:1: no broker answers"), "{stderr}");
    assert!(stderr.contains("`sluice check`"), "{stderr}");
}

#[test]
fn lines_and_a_topic_exclude_each_other_and_one_is_needed() {
    for (more, said) in [
        (&[][..], "<--input <FILE>|--newest <COUNT>>"),
        (&["--input", "-", "--newest", "5"], "cannot be used with"),
        (&["--newest", "5", "--envelope"], "cannot be used with"),
        (&["--newest", "0"], "--newest"),
    ] {
        let (stdout, stderr, code) = explain("", more);
        assert_eq!((stdout.as_str(), code), ("", Some(2)), "{stderr}");
        assert!(stderr.contains(said), "`{said}` is not in:\n{stderr}");
    }
}

#[test]
fn what_cannot_be_explained_says_why_and_what_to_do() {
    for (input, more, code, said) in [
        ("", &["--input", "-"][..], 1, "is empty: give one record a line"),
        ("", &["--input", "/no/such/file"], 1, "/no/such/file cannot be read"),
        ("{\"v\":1}\n", &["--input", "-", "--envelope"], 1, "line 1 is no envelope"),
        ("1\n", &["--input", "-", "--set", "seal.records=\"x\""], 78, "seal.records"),
    ] {
        let (stdout, stderr, found) = explain(input, more);
        assert_eq!((stdout.as_str(), found), ("", Some(code)), "{stderr}");
        assert!(stderr.contains(said), "`{said}` is not in:\n{stderr}");
        let (stdout, _, found) = explain(input, &[more, &["--json"]].concat());
        let document: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((document["exit_code"].as_i64(), found), (Some(code.into()), Some(code)));
        assert!(document["faults"][0].as_str().unwrap().contains(said), "{stdout}");
    }
}
