//! Sluice as a guest of AWS: where its credentials come from, how it gets to S3, what it asks for
//! its objects, and what it may do there.
//!
//! The metadata service of an instance and of a container, STS, and a gate before S3 that checks
//! every signature are servers of ours on loopback; Kafka and S3 behind the gate are real.

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod chain;
mod customer;
mod forward;
mod gate;
mod http;
mod keys;
mod machine;
mod objects;
mod policy;
mod proxy;
mod vanish;

use std::time::Duration;

use support::daemon::Settings;
use support::{kafka, s3, unique};
use tempfile::TempDir;

use gate::Gate;
use machine::Machine;

/// A loaded machine, a rebalance and a few requests.
const SOON: Duration = Duration::from_secs(60);

/// A topic, a bucket behind a gate, and a machine that gives out keys which the gate knows.
struct Scene {
    topic: String,
    group: String,
    bucket: String,
    gate: Gate,
    machine: Machine,
    /// For files of keys and tokens.
    folder: TempDir,
}

impl Scene {
    fn new(name: &str) -> Self {
        let ((topic, group), bucket) = (topic_and_group(name), s3().bucket(name));
        let keys = keys::Keys::default();
        let gate = Gate::start(s3().endpoint().trim_start_matches("http://"), keys.clone());
        let (machine, folder) = (Machine::start(keys), support::scratch::folder("aws"));
        Self { topic, group, bucket, gate, machine, folder }
    }

    /// A daemon that knows no keys: whoever gives some says so.
    fn settings(&self) -> Settings {
        Settings::new(&kafka().bootstrap(), &self.gate.endpoint(), &self.group, &self.bucket)
            .topics(&[&self.topic])
            .set("seal.age", "\"200 ms\"")
            .without_env("AWS_ACCESS_KEY_ID")
            .without_env("AWS_SECRET_ACCESS_KEY")
    }
}

/// A topic and a group whose coordinator answers: right after the start of Kafka it is still
/// loading, which `check` says of course.
fn topic_and_group(name: &str) -> (String, String) {
    let (topic, group) = (unique(name), unique("group"));
    kafka().create_topic(&topic, 1);
    assert_eq!(kafka().lag(&group, &topic), 0);
    (topic, group)
}

/// What `check` prints, and its exit code.
#[track_caller]
fn check(settings: &Settings) -> (String, i32) {
    let output = settings.command("check", &[]);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (text, output.status.code().unwrap())
}
