//! `sluice verify` on a real Kafka and a real S3 server: what it finds, and that it finds no more.
//!
//! It owns: the scene, running the command, what it said.
//! It does not own: each rule of the comparison (unit tests beside the code).

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod around;
mod strange;
mod vandals;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use support::daemon::Settings;
use support::kafka::NewRecord;
use support::s3::Object;
use support::{Daemon, kafka, s3, unique};

const SOON: Duration = Duration::from_secs(60);

struct Scene {
    topic: String,
    group: String,
    bucket: String,
    settings: Settings,
}

/// What a run of the command said.
struct Said {
    code: Option<i32>,
    document: Value,
    stderr: String,
}

impl Scene {
    fn new(name: &str, partitions: usize) -> Self {
        let (topic, group, bucket) = (unique(name), unique("group"), s3().bucket(name));
        kafka().create_topic(&topic, partitions);
        let settings = Settings::between(kafka(), s3(), &group, &bucket)
            .topics(&[&topic])
            .set("seal.age", "\"1 h\"")
            .set("kafka.properties.\"session.timeout.ms\"", "6000");
        Self { topic, group, bucket, settings }
    }

    #[must_use]
    fn set(mut self, key: &str, value: &str) -> Self {
        self.settings = self.settings.set(key, value);
        self
    }

    fn produce(&self, records: &[NewRecord]) {
        kafka().produce(&self.topic, records);
    }

    #[track_caller]
    fn until_written(&self, daemon: &Daemon) {
        let lag = || (kafka().lag(&self.group, &self.topic) == 0).then_some(());
        daemon.wait_until("a lag of 0", SOON, lag);
    }

    fn verify(&self, arguments: &[&str]) -> Said {
        said(&self.settings, arguments)
    }

    /// Runs it and expects that all agrees.
    #[track_caller]
    fn agrees(&self, arguments: &[&str]) -> Said {
        let said = self.verify(arguments);
        assert_eq!(said.code, Some(0), "{:#}{}", said.document, said.stderr);
        said
    }

    /// Keys of data, in order.
    fn keys(&self) -> Vec<String> {
        let keys = s3().list(&self.bucket, "").into_iter();
        keys.filter(|key| !key.starts_with("_sluice/")).collect()
    }

    fn find(&self, key: &str) -> Object {
        s3().find(&self.bucket, key).unwrap()
    }

    /// Writes an object with what it says of itself, as nobody should.
    fn overwrite(&self, key: &str, object: &Object, body: &[u8]) {
        s3().put_as(&self.bucket, key, object, body);
    }
}

fn said(settings: &Settings, arguments: &[&str]) -> Said {
    let output = settings.command("verify", &[arguments, &["--json"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no document ({error}): {stderr}"));
    Said { code: output.status.code(), document, stderr }
}

impl Said {
    /// Kind and key of each finding.
    fn found(&self) -> BTreeMap<String, String> {
        let findings = self.document["findings"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        findings.map(|finding| (text(&finding["key"]), text(&finding["kind"]))).collect()
    }

    fn finding(&self, key: &str) -> &Value {
        let findings = self.document["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["key"] == key);
        found.unwrap_or_else(|| panic!("nothing of `{key}`: {:#}", self.document))
    }

    fn sum(&self, name: &str) -> u64 {
        let partitions = self.document["partitions"].as_array().unwrap();
        partitions.iter().map(|partition| partition[name].as_u64().unwrap()).sum()
    }
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, kind)| (key.to_owned(), kind.to_owned())).into()
}

/// `{"n":7,"kind":"b"}`, a quarter of them each kind.
fn posts(numbers: std::ops::Range<i32>) -> Vec<NewRecord> {
    let post = |n: i32| {
        let kind = ["a", "b", "c", "d"][(n / 2) as usize % 4];
        NewRecord::of(json!({"n": n, "kind": kind}).to_string()).on_partition(n % 2)
    };
    numbers.map(post).collect()
}
