//! One case: a topic, a group, a bucket and the proxies of its own between shared servers.
//!
//! It owns: what is produced, the daemon's settings, and what has to be true at the end.
//! It does not own: what goes wrong in between.

use std::fmt::Debug;
use std::time::Duration;

use crate::support::daemon::Settings;
use crate::support::kafka::NewRecord;
use crate::support::proxy::kafka::KafkaProxy;
use crate::support::proxy::s3::S3Proxy;
use crate::support::{Daemon, kafka, s3, unique, verify};

/// A debug build beside ten others on two cores, the session of a killed member, a request that
/// hangs until its deadline.
pub const DONE_IN: Duration = Duration::from_secs(150);

/// What the topic holds, and so which requests its batches need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Two partitions of five batches each, every batch one object in one request; the last batch
    /// is sealed by its age.
    Small,
    /// One partition of two batches, each of three objects.
    Routes,
    /// One partition of one batch of 12 MiB: one object of three parts.
    Large,
}

/// How members of the group agree; each has its own refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Classic,
    /// KIP-848, where the broker decides how long a session is.
    Consumer,
}

impl Protocol {
    fn settings(self, settings: Settings) -> Settings {
        match self {
            Self::Classic => settings
                .set("kafka.properties.\"session.timeout.ms\"", "6000")
                .set("kafka.properties.\"heartbeat.interval.ms\"", "1000"),
            Self::Consumer => {
                settings.unset("kafka.properties").set("kafka.protocol", "\"consumer\"")
            }
        }
    }
}

const SMALL_RECORDS: usize = 43;
const SMALL_BATCH: usize = 10;
const ROUTES_RECORDS: usize = 24;
const LARGE_RECORDS: usize = 24;
const LARGE_VALUE_BYTES: usize = 512 * 1_024;

impl Data {
    const fn partitions(self) -> usize {
        match self {
            Self::Small => 2,
            Self::Routes | Self::Large => 1,
        }
    }

    fn records(self) -> Vec<NewRecord> {
        match self {
            Self::Small => (0..2 * SMALL_RECORDS).map(small).collect(),
            Self::Routes => (0..ROUTES_RECORDS).map(routed).collect(),
            Self::Large => (0..LARGE_RECORDS).map(large).collect(),
        }
    }

    fn settings(self, settings: Settings) -> Settings {
        match self {
            Self::Small => {
                settings.set("seal.records", &SMALL_BATCH.to_string()).set("seal.age", "\"1 s\"")
            }
            Self::Routes => settings
                .set("seal.records", &(ROUTES_RECORDS / 2).to_string())
                .set("seal.age", "\"5 s\"")
                .set("layout.path", "\"{topic}/partition={partition}/{field:/kind}\""),
            Self::Large => settings
                .set("seal.records", &LARGE_RECORDS.to_string())
                .set("seal.age", "\"10 s\"")
                .set("s3.part_size", "\"5 MiB\"")
                .set("layout.format", "\"raw\""),
        }
    }
}

fn small(number: usize) -> NewRecord {
    let partition = i32::try_from(number % 2).unwrap();
    NewRecord::of(format!(r#"{{"n":{number}}}"#)).on_partition(partition)
}

fn routed(number: usize) -> NewRecord {
    let kind = ["a", "b", "c"][number % 3];
    NewRecord::of(format!(r#"{{"n":{number},"kind":"{kind}"}}"#))
}

fn large(number: usize) -> NewRecord {
    let mut value = number.to_string().into_bytes();
    value.resize(LARGE_VALUE_BYTES, b'.');
    NewRecord::of(value)
}

pub struct Case {
    pub data: Data,
    pub topic: String,
    pub group: String,
    pub bucket: String,
    pub s3: S3Proxy,
    pub kafka: Option<KafkaProxy>,
    pub settings: Settings,
    records: usize,
}

impl Case {
    /// A full topic and an empty bucket, with a proxy before S3 only.
    pub fn new(name: &str, data: Data) -> Self {
        Self::under(Protocol::Classic, name, data)
    }

    /// The same under either protocol.
    pub fn under(protocol: Protocol, name: &str, data: Data) -> Self {
        let bucket = s3().bucket("arrows");
        let case = Self::between(name, data, None, bucket);
        let settings = protocol.settings(case.settings.clone());
        Self { settings, ..case }
    }

    /// The same with a proxy before Kafka too; there are few of them, so it may have to wait.
    pub fn behind_both(name: &str, data: Data, protocol: Protocol) -> Self {
        let proxy = kafka().proxy();
        let bucket = s3().bucket("arrows");
        let case = Self::between(name, data, Some(proxy), bucket);
        let settings = protocol.settings(case.settings.clone());
        Self { settings, ..case }
    }

    /// The daemon that comes after a killed one. It would seal and name otherwise, so that a plan
    /// that it does not finish as promised shows as records that are there twice.
    pub fn start_successor(&self) -> Daemon {
        let settings = self.settings.clone().set("layout.compression", "\"gzip\"");
        settings.set("seal.records", "7").start()
    }

    /// The same under another setting.
    pub fn set(self, key: &str, value: &str) -> Self {
        let settings = self.settings.clone().set(key, value);
        Self { settings, ..self }
    }

    /// The same with a bucket that may not be there yet.
    pub fn with_bucket(name: &str, data: Data, bucket: String) -> Self {
        Self::between(name, data, None, bucket)
    }

    fn between(name: &str, data: Data, proxy: Option<KafkaProxy>, bucket: String) -> Self {
        let (topic, group) = (unique(name), unique("group"));
        let records = data.records();
        kafka().create_topic(&topic, data.partitions());
        kafka().produce(&topic, &records);
        let s3_proxy = s3().proxy();
        let bootstrap = proxy.as_ref().map_or_else(|| kafka().bootstrap(), KafkaProxy::bootstrap);
        let settings = Settings::new(&bootstrap, &s3_proxy.endpoint(), &group, &bucket)
            .topics(&[&topic])
            .set("log.level", "\"info,sluice=debug\"");
        let settings = Protocol::Classic.settings(data.settings(settings));
        let records = records.len();
        Self { data, topic, group, bucket, s3: s3_proxy, kafka: proxy, settings, records }
    }

    pub fn kafka_proxy(&self) -> &KafkaProxy {
        self.kafka.as_ref().expect("a case behind both proxies")
    }

    /// Waits until the daemon has committed the end of every partition.
    #[track_caller]
    pub fn wait_until_done(&self, daemon: &Daemon) {
        let committed = &["stage=\"committed\""];
        daemon.wait_until(&format!("the end of `{}` to be committed", self.topic), DONE_IN, || {
            let offsets = daemon.metric("sluice_partition_offset", committed);
            (offsets >= self.records as f64).then_some(())
        });
    }

    /// The end of every case: all is committed, all is in the bucket once, nothing else is.
    #[track_caller]
    pub fn finish(&self, daemon: &Daemon) {
        self.wait_until_done(daemon);
        daemon.stop_cleanly();
        assert_eq!(kafka().lag(&self.group, &self.topic), 0, "{}", self.topic);
        self.check_bucket(daemon);
    }

    /// Every record once, under the names that it has to have, and nothing beside.
    #[track_caller]
    pub fn check_bucket(&self, daemon: &Daemon) {
        let below = format!("topics/{}/", self.topic);
        let compared = match self.data {
            Data::Small | Data::Large => {
                verify::compare_default_layout(kafka(), &self.topic, s3(), &self.bucket)
            }
            Data::Routes => {
                verify::compare_contents(kafka(), &self.topic, s3(), &self.bucket, &below)
            }
        };
        compared.unwrap_or_else(|fault| panic!("{}: {fault}\n{}", self.topic, daemon.log()));
        let keys = s3().list(&self.bucket, "");
        let strange: Vec<&String> = keys
            .iter()
            .filter(|key| !key.starts_with(&below) && !key.starts_with("_sluice/"))
            .collect();
        assert!(strange.is_empty(), "objects that no plan named: {strange:?}");
    }
}

/// Runs the cases of one table at once, and names every one that failed.
pub fn all_at_once<C: Copy + Send + Sync + Debug>(cases: &[C], run: impl Fn(C) + Sync) {
    let failed: Vec<C> = std::thread::scope(|scope| {
        let run = &run;
        let running: Vec<_> =
            cases.iter().map(|case| (*case, scope.spawn(move || run(*case)))).collect();
        let ended = running.into_iter().map(|(case, thread)| (case, thread.join()));
        ended.filter_map(|(case, end)| end.is_err().then_some(case)).collect()
    });
    assert!(failed.is_empty(), "failed, as told above: {failed:?}");
}
