//! What the daemon promises, one promise a test, against a real Kafka and a real S3 server.
//!
//! Topics, groups and buckets are each test's own; the servers are shared, except where a test
//! stops one.

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod bad_records;
mod dashboard;
mod explained;
mod hangs;
mod hostile;
mod kafka_changes;
mod limits;
mod markers;
mod objects;
mod process;
mod reloads;
mod rights;
mod seals;
mod starts;
mod stops;
mod told;

use std::collections::BTreeMap;
use std::time::Duration;

use support::daemon::Settings;
use support::kafka::NewRecord;
use support::{Daemon, kafka, s3, unique, verify};

/// A loaded machine, a rebalance and a few requests.
const SOON: Duration = Duration::from_secs(60);

/// One topic between the shared servers, with a group and a bucket of its own.
struct Scene {
    topic: String,
    group: String,
    bucket: String,
    settings: Settings,
}

impl Scene {
    /// Nothing seals by itself here: a test says what does.
    fn new(name: &str, partitions: usize) -> Self {
        let (topic, group, bucket) = (unique(name), unique("group"), s3().bucket(name));
        kafka().create_topic(&topic, partitions);
        let settings = Settings::between(kafka(), s3(), &group, &bucket)
            .topics(&[&topic])
            .set("seal.age", "\"1 h\"")
            // Whoever comes after a kill does not wait long for the dead member.
            .set("kafka.properties.\"session.timeout.ms\"", "6000");
        Self { topic, group, bucket, settings }
    }

    #[must_use]
    fn set(mut self, key: &str, value: &str) -> Self {
        self.settings = self.settings.set(key, value);
        self
    }

    /// Batches close almost at once.
    #[must_use]
    fn hasty(self) -> Self {
        self.set("seal.age", "\"200 ms\"")
    }

    fn produce(&self, records: &[NewRecord]) -> Vec<(i32, i64)> {
        kafka().produce(&self.topic, records)
    }

    fn lag(&self) -> i64 {
        kafka().lag(&self.group, &self.topic)
    }

    #[track_caller]
    fn until_written(&self, daemon: &Daemon) {
        daemon.wait_until("a lag of 0", SOON, || (self.lag() == 0).then_some(()));
    }

    /// Waits until every one of so many records has been read, written or not.
    #[track_caller]
    fn until_read(&self, daemon: &Daemon, records: usize) {
        daemon.wait_until("the records to be read", SOON, || {
            (daemon.metric("sluice_read_records_total", &[]) as usize >= records).then_some(())
        });
    }

    /// Waits until a partition has stopped for this reason.
    #[track_caller]
    fn until_stopped(&self, daemon: &Daemon, partition: i32, reason: &str) {
        let partition = format!("partition=\"{partition}\"");
        let labels = [partition.as_str(), &format!("reason=\"{reason}\"")];
        daemon.wait_until(&format!("a stop by {reason}"), SOON, || {
            (daemon.metric("sluice_partition_stopped", &labels) > 0.0).then_some(())
        });
    }

    /// All objects but the claims: by key, their bytes.
    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let keys = s3().list(&self.bucket, "").into_iter();
        let keys = keys.filter(|key| !key.starts_with("_sluice/"));
        keys.map(|key| (key.clone(), s3().get(&self.bucket, &key))).collect()
    }

    /// All objects but the claims, as text and without their compression.
    fn texts(&self) -> BTreeMap<String, String> {
        let unpacked = |(key, body): (String, Vec<u8>)| {
            let text = String::from_utf8(verify::unpack(&key, &body)).unwrap();
            (key, text)
        };
        self.objects().into_iter().map(unpacked).collect()
    }

    #[track_caller]
    fn check_default_layout(&self) {
        verify::check_default_layout(kafka(), &self.topic, s3(), &self.bucket);
    }
}

/// Pairs of keys and texts, to compare with [`Scene::texts`].
fn expected<const N: usize>(objects: [(String, &str); N]) -> BTreeMap<String, String> {
    objects.into_iter().map(|(key, text)| (key, text.to_owned())).collect()
}
