//! `sluice recover` on a real Kafka and a real S3 server: what stopped a partition, what it shows,
//! and what is in the bucket after its decision. Also a plan that another release left.
//!
//! It owns: the scene, running the command, what has to be true at the end.
//! It does not own: each rule of a decision (unit tests beside the code).

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod decisions;
mod lost;
mod plans;
mod recreated;
mod reset;

use std::fmt::Debug;
use std::time::Duration;

use serde_json::{Value, json};

use support::daemon::Settings;
use support::kafka::NewRecord;
use support::process::Signal;
use support::proxy::When;
use support::proxy::s3::{Operation, S3Proxy, on};
use support::{Daemon, Kafka, kafka, s3, unique, verify};

/// A loaded machine, the session of a killed member, a rebalance and a few requests.
const SOON: Duration = Duration::from_secs(90);

/// How members of the group agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Classic,
    Consumer,
}

/// With what the daemon comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Same,
    /// Other bytes, other boundaries.
    Other,
}

const EACH: [(Protocol, Layout); 4] = [
    (Protocol::Classic, Layout::Same),
    (Protocol::Classic, Layout::Other),
    (Protocol::Consumer, Layout::Same),
    (Protocol::Consumer, Layout::Other),
];

/// One topic of one partition, with a group and a bucket of its own. Each batch of ten records is
/// two objects.
struct Scene {
    kafka: &'static Kafka,
    topic: String,
    group: String,
    bucket: String,
    /// Before S3 from the first to the last daemon: the endpoint is part of each plan.
    s3: S3Proxy,
    settings: Settings,
    layout: Layout,
}

impl Scene {
    fn new(name: &str, (protocol, layout): (Protocol, Layout)) -> Self {
        Self::on(kafka(), name, (protocol, layout))
    }

    fn on(kafka: &'static Kafka, name: &str, (protocol, layout): (Protocol, Layout)) -> Self {
        let (topic, group, bucket) = (unique(name), unique("group"), s3().bucket(name));
        kafka.create_topic(&topic, 1);
        let proxy = s3().proxy();
        let settings = Settings::new(&kafka.bootstrap(), &proxy.endpoint(), &group, &bucket)
            .topics(&[&topic])
            .set("seal.records", "10")
            .set("seal.age", "\"2 s\"")
            .set("layout.path", "\"{topic}/{partition}/{field:/kind}\"");
        let settings = match protocol {
            Protocol::Classic => settings
                .set("kafka.properties.\"session.timeout.ms\"", "6000")
                .set("kafka.properties.\"heartbeat.interval.ms\"", "500"),
            Protocol::Consumer => settings.set("kafka.protocol", "\"consumer\""),
        };
        Self { kafka, topic, group, bucket, s3: proxy, settings, layout }
    }

    /// The settings of the daemon that comes back.
    fn after(&self) -> Settings {
        match self.layout {
            Layout::Same => self.settings.clone(),
            Layout::Other => {
                self.settings.clone().set("layout.compression", "\"gzip\"").set("seal.records", "7")
            }
        }
    }

    fn produce(&self, numbers: std::ops::Range<usize>) {
        self.kafka.produce(&self.topic, &posts(numbers));
    }

    #[track_caller]
    fn until_written(&self, daemon: &Daemon) {
        daemon.wait_until("a lag of 0", SOON, || {
            let committed = &self.kafka.committed(&self.group, &self.topic)[0];
            let end = self.kafka.end_offsets(&self.topic)[0];
            (committed.offset == Some(end)).then_some(())
        });
    }

    #[track_caller]
    fn until_stopped(&self, daemon: &Daemon, reason: &str) {
        let labels = [format!("reason=\"{reason}\"")];
        daemon.wait_until(&format!("a stop by {reason}"), SOON, || {
            (daemon.metric("sluice_partition_stopped", &[&labels[0]]) > 0.0).then_some(())
        });
    }

    /// Lets a daemon write these records and stops it.
    #[track_caller]
    fn run_once(&self, numbers: std::ops::Range<usize>) {
        let daemon = self.settings.start();
        self.produce(numbers);
        self.until_written(&daemon);
        daemon.stop_cleanly();
    }

    /// Writes ten records, then kills a daemon that has planned the next ten and put so many of
    /// their two objects. Returns the commit that stands then.
    #[track_caller]
    fn kill_with_a_plan(&self, put: usize) -> (i64, String) {
        self.run_once(0..10);
        let object = on(Operation::PutObject).key(&format!("topics/{}/", self.topic));
        let hold = self.s3.hold(object.skip(put), When::Before);
        let daemon = self.settings.launch();
        self.produce(10..20);
        daemon.wait_until("the object to be held", SOON, || hold.is_reached().then_some(()));
        daemon.kill_9();
        hold.drop_it();
        self.produce(20..25);
        let committed = self.kafka.committed(&self.group, &self.topic)[0].clone();
        assert!(committed.metadata.starts_with("sluice/1 plan "), "{committed:?}");
        (committed.offset.unwrap(), committed.metadata)
    }

    /// Runs `recover` with these settings.
    fn recover(&self, settings: &Settings, arguments: &[&str]) -> Said {
        let output = settings.command("recover", &[arguments, &["--json"]].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("no document ({error}): {stderr}"));
        Said { code: output.status.code(), document }
    }

    /// Expects that the partition waits for a decision, and makes it.
    #[track_caller]
    fn decide(&self, settings: &Settings, reason: &str, arguments: &[&str]) {
        let shown = self.recover(settings, &[]);
        assert_eq!((shown.code, shown.reason()), (Some(1), reason), "{:#}", shown.document);
        let claims = s3().list(&self.bucket, "_sluice/");
        let texts = || claims.iter().map(|key| s3().get(&self.bucket, key)).collect::<Vec<_>>();
        let before = texts();
        let dry = self.recover(settings, arguments);
        assert_eq!((dry.code, dry.result()), (Some(1), "dry"), "{:#}", dry.document);
        assert_eq!(texts(), before, "nothing is written without `--yes`");
        let written = self.recover(settings, &[arguments, &["--yes"]].concat());
        assert_eq!((written.code, written.result()), (Some(0), "written"), "{written:?}");
        let again = self.recover(settings, &[]);
        assert_eq!((again.code, again.state()), (Some(0), "decided"), "{:#}", again.document);
    }

    /// All of the topic is below the prefix once, by a reader of our own and by `verify --deep`.
    #[track_caller]
    fn check(&self, settings: &Settings, prefix: &str) {
        verify::check_contents(self.kafka, &self.topic, s3(), &self.bucket, prefix);
        let said = self.verify(settings);
        assert_eq!(said.code, Some(0), "{:#}", said.document);
        let claims = s3().list(&self.bucket, "_sluice/");
        for text in claims.iter().map(|key| s3().get(&self.bucket, key)) {
            let text = String::from_utf8(text).unwrap();
            assert!(!text.contains("replaces"), "the decision is struck out: {text}");
        }
        let said = self.recover(settings, &[]);
        assert_eq!(said.code, Some(0), "{:#}", said.document);
    }

    fn verify(&self, settings: &Settings) -> Said {
        let output = settings.command("verify", &["--deep", "--json"]);
        let document = serde_json::from_slice(&output.stdout).unwrap();
        Said { code: output.status.code(), document }
    }

    /// Goes on with this daemon until all is written, five more records too.
    #[track_caller]
    fn finish(&self, daemon: &Daemon) {
        daemon.signal(Signal::Hangup);
        self.until_written(daemon);
        let end = usize::try_from(self.kafka.end_offsets(&self.topic)[0]).unwrap();
        self.produce(end..end + 5);
        self.until_written(daemon);
        daemon.stop_cleanly();
    }
}

/// What a run of the command said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    document: Value,
}

impl Said {
    fn partition(&self) -> &Value {
        let partitions = self.document["partitions"].as_array().unwrap();
        assert_eq!(partitions.len(), 1, "{:#}", self.document);
        &partitions[0]
    }

    fn text(&self, name: &str) -> &str {
        self.partition()[name].as_str().unwrap_or_default()
    }

    fn reason(&self) -> &str {
        self.text("reason")
    }

    fn state(&self) -> &str {
        self.text("state")
    }

    fn result(&self) -> &str {
        self.text("result")
    }
}

/// `{"n":7,"kind":"b"}`, every other one each kind.
fn posts(numbers: std::ops::Range<usize>) -> Vec<NewRecord> {
    let post = |n: usize| {
        let kind = if n.is_multiple_of(2) { "a" } else { "b" };
        NewRecord::of(json!({"kind": kind, "n": n}).to_string())
    };
    numbers.map(post).collect()
}

/// Runs the cases of one table at once, and names every one that failed.
fn all_at_once<C: Copy + Send + Sync + Debug>(cases: &[C], run: impl Fn(C) + Sync) {
    let failed: Vec<C> = std::thread::scope(|scope| {
        let run = &run;
        let running: Vec<_> =
            cases.iter().map(|case| (*case, scope.spawn(move || run(*case)))).collect();
        let ended = running.into_iter().map(|(case, thread)| (case, thread.join()));
        ended.filter_map(|(case, end)| end.is_err().then_some(case)).collect()
    });
    assert!(failed.is_empty(), "failed, as told above: {failed:?}");
}
