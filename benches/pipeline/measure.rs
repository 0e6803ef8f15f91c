//! The measurements, each with a group of its own so that it reads its topics from the beginning.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sluice::command::posts::Kind;

use crate::Arguments;
use crate::feed::{Topic, fill};
use crate::replay::{Codec, Replay};
use crate::sink::{Sink, now_us};
use crate::spread::{row, spread};
use crate::support::daemon::{Daemon, Settings};
use crate::support::kafka::Options;
use crate::support::{Kafka, NewRecord, release, unique, wait};
use crate::usage::Usage;

/// Two cores that others use too take a minute for a gigabyte.
pub const WRITTEN_IN: Duration = Duration::from_secs(600);
/// What is said of the incumbent with one record an object. It was measured elsewhere and against
/// another store; the sink here answers at once, so the two are not a race on one track.
const INCUMBENT_OBJECTS_PER_S: f64 = 235.0;
/// A PUT of a small object in S3's own region.
const REAL_STORE: Duration = Duration::from_millis(30);
const LATENCY_RECORDS: usize = 15;

/// The servers, and topics that several measurements read.
pub struct Bench<'a> {
    /// Started when somebody asks for it: most rows need none.
    kafka: LazyCell<Kafka>,
    pub replay: Replay,
    pub sink: Sink,
    pub arguments: &'a Arguments,
    /// Of the replay broker.
    topics: BTreeMap<String, Topic>,
}

impl<'a> Bench<'a> {
    pub fn new(arguments: &'a Arguments) -> Self {
        let kafka = LazyCell::new((|| Kafka::start(Options::default())) as fn() -> Kafka);
        let topics = BTreeMap::new();
        Self { kafka, replay: Replay::start(), sink: Sink::start(), arguments, topics }
    }

    pub fn kafka(&self) -> &Kafka {
        &self.kafka
    }

    pub fn wants(&self, name: &str) -> bool {
        name.contains(self.arguments.only.as_str())
    }

    /// A topic of the replay broker.
    pub fn topic(&mut self, name: &str, kind: (Kind, Codec), partitions: usize) -> Topic {
        let bytes = self.bytes_of(kind.0) as u64;
        let made = || self.replay.fill(name, kind, partitions, bytes);
        self.topics.entry(name.to_owned()).or_insert_with(made).clone()
    }

    fn bytes_of(&self, kind: Kind) -> f64 {
        let bytes = self.arguments.gigabytes * 1e9;
        if kind == Kind::Pin { bytes } else { bytes / 2.0 }
    }

    /// A daemon of the real Kafka.
    pub fn settings(&self, topics: &[&str]) -> Settings {
        self.settings_at(&self.kafka().bootstrap(), topics)
    }

    /// A daemon of the replay broker.
    pub fn replay_settings(&self, topics: &[&str]) -> Settings {
        self.settings_at(&self.replay.bootstrap(), topics)
    }

    fn settings_at(&self, bootstrap: &str, topics: &[&str]) -> Settings {
        let group = unique("bench");
        let settings = Settings::new(bootstrap, &self.sink.endpoint(), &group, "bench-bucket");
        settings.program(release::program()).topics(topics)
    }

    /// At once, and with a store that answers as a real one does.
    pub fn objects_of_one_record(&self, shapes: &[(usize, usize)]) {
        if !self.wants("seal.records = 1") {
            return;
        }
        self.one_record_with(shapes, Duration::ZERO);
        self.one_record_with(shapes, REAL_STORE);
        println!(
            "(the incumbent, elsewhere and on another store: {INCUMBENT_OBJECTS_PER_S} objects/s)"
        );
    }

    fn one_record_with(&self, shapes: &[(usize, usize)], delay: Duration) {
        self.sink.answer_in(delay);
        println!();
        row(&[
            &format!("seal.records = 1, S3 in {} ms", delay.as_millis()),
            "objects/s",
            "per partition",
            "x incumbent",
            "CPU ms/object",
            "requests/object",
            "peak MB",
        ]);
        for (topics, partitions) in shapes {
            let name = format!("{topics} topics x {partitions} partitions");
            let names: Vec<String> = (0..*topics)
                .map(|index| {
                    let kind = Kind::ALL[index];
                    let name = unique(kind.as_str());
                    // More than is read meanwhile.
                    let bytes = if kind == Kind::Pin { 85_000_000 } else { 12_000_000 };
                    fill(self.kafka(), &name, kind, *partitions, bytes).name
                })
                .collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let daemon = self
                .settings(&names)
                .set("seal.records", "1")
                .set("seal.bytes", "\"off\"")
                .set("seal.age", "\"off\"")
                .start();
            self.watch_objects(&daemon, &name, topics * partitions);
            daemon.stop_cleanly();
        }
        self.sink.answer_in(Duration::ZERO);
    }

    fn watch_objects(&self, daemon: &Daemon, name: &str, partitions: usize) {
        let start = self.sink.counts().objects;
        daemon.wait_until("some objects", WRITTEN_IN, || {
            (self.sink.counts().objects > start + 100).then_some(())
        });
        let window = Duration::from_secs(self.arguments.seconds.div_ceil(3));
        let (before, used, started) =
            (self.sink.counts(), Usage::of(daemon.process_id()), Instant::now());
        sleep(window);
        let (after, usage, took) =
            (self.sink.counts(), Usage::of(daemon.process_id()), started.elapsed());
        let objects = (after.objects - before.objects) as f64;
        let per_s = objects / took.as_secs_f64();
        row(&[
            name,
            &format!("{per_s:.0}"),
            &format!("{:.0}", per_s / partitions as f64),
            &format!("{:.1}", per_s / INCUMBENT_OBJECTS_PER_S),
            &format!("{:.2}", (usage.cpu_s() - used.cpu_s()) * 1e3 / objects),
            &format!("{:.2}", (after.requests - before.requests) as f64 / objects),
            &format!("{:.0}", usage.peak_bytes as f64 / 1e6),
        ]);
    }

    /// How long after it was sent a record is in a visible object.
    pub fn latency(&self) {
        if !self.wants("latency") {
            return;
        }
        println!();
        row(&["record to object", "latency ms"]);
        for (name, key, value) in [
            ("seal.records = 1", "seal.records", "1"),
            ("seal.age = \"1 s\"", "seal.age", "\"1 s\""),
        ] {
            let topic = unique("latency");
            self.kafka().create_topic(&topic, 1);
            let daemon = self.settings(&[&topic]).set(key, value).start();
            let latencies = (0..=LATENCY_RECORDS).map(|_| self.one_latency(&topic));
            // The first one waits for the assignment.
            row(&[name, &spread(latencies.skip(1).collect(), 1)]);
            daemon.stop_cleanly();
        }
    }

    fn one_latency(&self, topic: &str) -> f64 {
        let before = self.sink.counts().objects;
        let sent_us = now_us();
        self.kafka().produce(topic, &[NewRecord::of("{\"a\":1}")]);
        let seen_us = wait::until("the object", WRITTEN_IN, || {
            let counts = self.sink.counts();
            (counts.objects > before).then_some(counts.last_object_us)
        });
        // Not at the same moment of a second each time.
        sleep(Duration::from_millis(137));
        (seen_us - sent_us) as f64 / 1e3
    }

    /// What a daemon costs that has nothing to do.
    pub fn idle(&self) {
        if !self.wants("idle") {
            return;
        }
        let topics = Kind::ALL.map(|kind| unique(kind.as_str()));
        for topic in &topics {
            self.kafka().create_topic(topic, 1);
            self.kafka().produce(topic, &[NewRecord::of("{\"a\":1}")]);
        }
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let daemon = self.settings(&topics).set("seal.age", "\"1 s\"").start();
        sleep(Duration::from_secs(self.arguments.seconds) / 2);
        let before = Usage::of(daemon.process_id());
        let rest = Duration::from_secs(self.arguments.seconds) / 2;
        sleep(rest);
        let usage = Usage::of(daemon.process_id());
        println!();
        row(&["idle, 3 topics", "resident MB", "peak MB", "CPU ms/s"]);
        row(&[
            &format!("after {} s", self.arguments.seconds),
            &format!("{:.1}", usage.resident_bytes as f64 / 1e6),
            &format!("{:.1}", usage.peak_bytes as f64 / 1e6),
            &format!("{:.1}", (usage.cpu_s() - before.cpu_s()) * 1e3 / rest.as_secs_f64()),
        ]);
        daemon.stop_cleanly();
    }
}
