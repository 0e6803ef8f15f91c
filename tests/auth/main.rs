//! Logins to a real Kafka: each method, with what it says where it is refused, and how it goes on
//! once that is put right, without a restart.
//!
//! The method is the file, the case the test: works, wrong secret, expired, rotated.

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod cluster;
mod msk_iam;
mod msk_policy;
mod oauthbearer;
mod password;
mod server;
mod tls;

use std::path::Path;
use std::time::Duration;

use cluster::{Cluster, cluster};
use support::daemon::Settings;
use support::kafka::topics::numbered;
use support::{Daemon, s3, scratch, unique, verify};
use tempfile::TempDir;

/// A loaded machine, a login that is tried again after seconds, a rebalance, a few requests.
const SOON: Duration = Duration::from_secs(60);

/// One topic between the shared servers, reached through one listener.
struct Scene {
    cluster: &'static Cluster,
    topic: String,
    group: String,
    bucket: String,
    settings: Settings,
    /// For files that a test changes.
    folder: TempDir,
}

impl Scene {
    fn new(listener: &str) -> Self {
        Self::named(listener, &unique(&listener.to_lowercase()), &unique("group"))
    }

    /// With names that rights are given by.
    fn named(listener: &str, topic: &str, group: &str) -> Self {
        let (topic, group) = (topic.to_owned(), group.to_owned());
        let cluster = cluster();
        let bucket = s3().bucket(&listener.to_lowercase());
        cluster.kafka.create_topic(&topic, 2);
        let settings =
            Settings::new(&cluster.kafka.listener(listener), &s3().endpoint(), &group, &bucket)
                .topics(&[&topic])
                .set("seal.age", "\"200 ms\"")
                // Tests wait for the next try.
                .set("kafka.properties.\"reconnect.backoff.max.ms\"", "500");
        Self { cluster, topic, group, bucket, settings, folder: scratch::folder("login") }
    }

    fn over_tls(listener: &str) -> Self {
        Self::new(listener).in_tls()
    }

    /// With the authority of the brokers.
    fn in_tls(self) -> Self {
        let ca_file = self.cluster.ca_file();
        self.set("kafka.tls.enabled", "true").file("kafka.tls.ca_file", &ca_file)
    }

    #[must_use]
    fn set(mut self, key: &str, value: &str) -> Self {
        self.settings = self.settings.set(key, value);
        self
    }

    #[must_use]
    fn text(self, key: &str, value: &str) -> Self {
        self.set(key, &format!("\"{value}\""))
    }

    #[must_use]
    fn file(self, key: &str, path: &Path) -> Self {
        self.text(key, path.to_str().unwrap())
    }

    #[must_use]
    fn env(mut self, name: &str, value: &str) -> Self {
        self.settings = self.settings.env(name, value);
        self
    }

    /// Writes a file whole at once and returns its path.
    fn put(&self, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        let new = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        std::fs::write(new.path(), bytes).unwrap();
        new.persist(&path).unwrap();
        path
    }

    fn produce(&self) {
        self.cluster.kafka.produce(&self.topic, &numbered(0..10, 2));
    }

    #[track_caller]
    fn until_written(&self, daemon: &Daemon) {
        daemon.wait_until("a lag of 0", SOON, || {
            (self.cluster.kafka.lag(&self.group, &self.topic) == 0).then_some(())
        });
    }

    /// Starts a daemon that is refused, and waits for the words of its log.
    #[track_caller]
    fn refused(&self, words: &str) -> Daemon {
        let daemon = self.settings.launch();
        until_said(&daemon, words);
        daemon
    }

    /// What `check` says of the brokers.
    #[track_caller]
    fn check(&self, words: &str) {
        let (lines, _) = self.checked();
        let line = lines.lines().find(|line| line.contains("kafka.reach")).unwrap();
        assert!(line.starts_with("FAIL") && line.contains(words), "{line}");
    }

    /// All that `check` says, and its exit code.
    fn checked(&self) -> (String, i32) {
        let output = self.settings.command("check", &[]);
        (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
    }

    /// Writes what there is, and what comes then, and stops.
    #[track_caller]
    fn works(&self, daemon: &Daemon) {
        self.produce();
        self.until_written(daemon);
    }

    #[track_caller]
    fn ends(&self, daemon: Daemon) {
        daemon.stop_cleanly();
        verify::check_default_layout(&self.cluster.kafka, &self.topic, s3(), &self.bucket);
    }
}

#[track_caller]
fn until_said(daemon: &Daemon, words: &str) {
    daemon.wait_until(&format!("a warning with `{words}`"), SOON, || {
        let log = daemon.log();
        let is_it = |line: &&str| line.contains("\"WARN\"") && line.contains(words);
        log.lines().find(is_it).map(|_| ())
    });
}
