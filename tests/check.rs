//! `sluice check --offline` as a person runs it: the program, its output, its exit code.
//!
//! It owns: what is printed of whole files. It does not own: each fault (`config`'s own tests).

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/connector.toml");

const FIVE_FAULTS: &str = r#"[kafka]
bootstrap_servers = ["localhost:9092"]
topics_regex = '12ab34\.(pin|geo'
fetch_size = 1
[s3]
bucket = "User_Bucket"
[layout]
path = "{topic}/{partitoin}"
[seal]
age = "five minutes"
"#;

/// Runs `sluice check` without the environment of whoever runs the tests.
fn check(config: &Path, more: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .env_clear()
        .args(["check", "--config"])
        .arg(config)
        .args(more)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

fn faulty() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), FIVE_FAULTS).unwrap();
    file
}

#[test]
fn the_shipped_file_is_good_and_shown_with_an_example() {
    let (stdout, stderr, code) = check(Path::new(SHIPPED), &["--offline"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "ok    config.file              configuration: no faults");
    assert!(lines.contains(&"settings of `pin`, `geo`, `user`:"), "{stdout}");
    let example =
        "  an object: s3://user-12ab34-bucket/topics/pin/partition=0/pin+0+0000000000.json";
    assert!(lines.contains(&example), "{stdout}");
    assert_eq!(lines.last(), Some(&"3 ok, 0 warn, 0 FAIL"));
    assert_eq!(stderr, "");
}

#[test]
fn five_faults_are_told_at_once() {
    let file = faulty();
    let (stdout, stderr, code) = check(file.path(), &["--offline"]);
    assert_eq!(code, Some(78), "{stdout}{stderr}");
    let stdout = stdout.replace(&file.path().display().to_string(), "connector.toml");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(
        lines,
        [
            r#"FAIL  config.file              connector.toml:3: `kafka.topics_regex` (`"12ab34\\.(pin|geo"`) is not a regular expression: unclosed group: correct it, or write `\.` where a dot is meant"#,
            r#"FAIL  config.file              connector.toml:4: `kafka.fetch_size` (`1`) is no key of Sluice: correct or remove it"#,
            r#"FAIL  config.file              connector.toml:6: `s3.bucket` (`"User_Bucket"`) is no name that Kafka or S3 takes: bucket `User_Bucket` may hold lower-case letters, digits, `-` and `.` only: rename it"#,
            r#"FAIL  config.file              connector.toml:8: `layout.path` (`"{topic}/{partitoin}"`) cannot be used: unknown variable `{partitoin}` at position 9, did you mean `partition`?; allowed are {topic}, {partition}, {time:%Y-%m-%d}, {field:/pointer}, {header:name}, {key}"#,
            r#"FAIL  config.file              connector.toml:10: `seal.age` (`"five minutes"`) is not a duration: write a number and a unit, as in `"5 min"`, `"90 s"`, `"500 ms"`"#,
            "",
            "0 ok, 0 warn, 5 FAIL",
        ]
    );
    assert_eq!(stderr, "");
}

#[test]
fn machines_read_the_same_faults() {
    let file = faulty();
    let (stdout, _, code) = check(file.path(), &["--offline", "--json"]);
    assert_eq!(code, Some(78), "{stdout}");
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["exit_code"], 78);
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 5);
    for finding in findings {
        assert_eq!(finding["verdict"], "config");
        assert_eq!(finding["question"], "config.file");
    }
    assert_eq!(document["topics"].as_array().unwrap().len(), 0);
}

#[test]
fn a_property_that_librdkafka_does_not_know_is_a_fault() {
    let set = "kafka.properties.\"fetch.minimum\"=1";
    let (stdout, stderr, code) = check(Path::new(SHIPPED), &["--offline", "--set", set]);
    assert_eq!(code, Some(78), "{stdout}{stderr}");
    let refused = "librdkafka refuses `kafka.properties.\"fetch.minimum\" = \"1\"`";
    assert!(stdout.contains(refused), "{stdout}");
}

#[test]
fn a_page_for_every_machine_is_a_warning() {
    let set = ["--offline", "--set", "http.listen=0.0.0.0:9464"];
    let (stdout, _, code) = check(Path::new(SHIPPED), &set);
    assert_eq!(code, Some(0), "{stdout}");
    let warning = "warn  config.file              --set: `http.listen` can be reached from other machines, and it has no login: keep it on 127.0.0.1, or set `http.auth` and `http.tls`";
    assert!(stdout.lines().any(|line| line == warning), "{stdout}");
}
