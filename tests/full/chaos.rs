//! Long runs under a steady stream of posts while processes are killed, put to sleep and woken.
//!
//! It owns: what happens when, from a fixed seed, and the closing line of each run.
//! It does not own: the comparison of topics and bucket, which is not our code's
//! (`support/independent.rs`).

use std::path::Path;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::support::daemon::Settings;
use crate::support::independent::{self, Report};
use crate::support::kafka::Options;
use crate::support::kafka::topics::numbered;
use crate::support::process::{self, Process};
use crate::support::{Daemon, Kafka, full_set, kafka, report, s3, scratch, unique, wait};

/// The topics of the emulation, behind a prefix.
const TOPICS: [&str; 3] = ["pin", "geo", "user"];
const PARTITIONS: usize = 3;
/// The dead and the sleeping are out of a classic group after this time, and out of one of the new
/// protocol after the 6 s that the tests' broker says.
const SESSION_MS: &str = "3000";
/// Longer than both, so that others have the partitions when a sleeper wakes up.
const SLEEP: Duration = Duration::from_secs(8);
/// A session that ends, a rebalance, a replay, and the last file's age.
const DONE_IN: Duration = Duration::from_secs(120);

/// Something that happens to one instance, or to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// The instance is killed and another one started in its place.
    Kill,
    /// The instance sleeps for longer than its session and wakes up as a zombie.
    Sleep,
    /// The broker is killed and started again on the same data.
    KillBroker,
}

/// A stream of posts and the instances that write it.
struct Run<'a> {
    kafka: &'a Kafka,
    topics: Vec<String>,
    group: String,
    bucket: String,
    settings: Settings,
    daemons: Vec<Daemon>,
    /// Logs of those that were killed.
    logs: Vec<String>,
    posts: Process,
    random: StdRng,
    _folder: tempfile::TempDir,
}

impl<'a> Run<'a> {
    /// Starts the instances and `sluice emulate`.
    fn start(kafka: &'a Kafka, plan: &Plan, seed: u64) -> Self {
        let (prefix, group) = (format!("{}.", unique("chaos")), unique("group"));
        let bucket = s3().bucket("chaos");
        let topics = TOPICS.map(|topic| format!("{prefix}{topic}")).to_vec();
        topics.iter().for_each(|topic| kafka.create_topic(topic, PARTITIONS));
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let settings = Settings::between(kafka, s3(), &group, &bucket).topics(&names);
        let settings = plan.settings(settings);
        let folder = scratch::folder("chaos");
        Self {
            kafka,
            daemons: (0..plan.instances).map(|_| settings.start()).collect(),
            posts: plan.emulate(kafka, &prefix, seed, folder.path()),
            topics,
            group,
            bucket,
            settings,
            logs: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            _folder: folder,
        }
    }

    /// Deals the blows, a pause of `pause_ms` before each, all of them while posts come in.
    fn suffer(&mut self, blows: &[Blow], pause_ms: std::ops::Range<u64>) {
        for blow in blows {
            std::thread::sleep(Duration::from_millis(self.random.random_range(pause_ms.clone())));
            let victim = self.random.random_range(0..self.daemons.len());
            match blow {
                Blow::Kill => self.replace(victim),
                Blow::Sleep => {
                    self.daemons[victim].sigstop();
                    std::thread::sleep(SLEEP);
                    self.daemons[victim].sigcont();
                }
                Blow::KillBroker => {
                    self.kafka.kill_9();
                    self.kafka.restart();
                }
            }
        }
        let ended = self.posts.ended().map(process::describe);
        assert_eq!(ended, None, "posts came to the end of the blows:\n{}", self.posts.log_tail());
    }

    fn replace(&mut self, victim: usize) {
        self.daemons[victim].kill_9();
        let successor = self.settings.launch();
        let dead = std::mem::replace(&mut self.daemons[victim], successor);
        self.logs.push(dead.log());
    }

    /// Waits for the last post and for its file, stops all instances, and lets the script compare.
    fn finish(mut self) -> Outcome {
        let posted = self.posts.wait_for_end(Duration::from_secs(600));
        assert!(posted.success(), "`sluice emulate` failed:\n{}", self.posts.log_tail());
        let lag = || self.topics.iter().map(|one| self.kafka.lag(&self.group, one)).sum::<i64>();
        let is_done = wait::until_or(DONE_IN, || (lag() == 0).then_some(()));
        assert!(is_done.is_some(), "{} records are not written:\n{}", lag(), self.tails());
        self.daemons.iter().for_each(Daemon::stop_cleanly);
        let report =
            independent::compare(self.kafka, s3(), &self.bucket, &self.group, &self.topics);
        assert!(report.faults.is_empty(), "{:#?}\n{}", report.faults, self.tails());
        assert_eq!(report.lag, 0);
        self.logs.extend(self.daemons.iter().map(Daemon::log));
        let stopped = self.lines("partition stopped").next();
        assert_eq!(stopped, None, "a partition stopped");
        Outcome { replays: self.lines("a pending plan is read again").count(), report }
    }

    /// Lines of all logs that contain a text.
    fn lines(&self, text: &str) -> impl Iterator<Item = &str> {
        let lines = self.logs.iter().flat_map(|log| log.lines());
        lines.filter(move |line| line.contains(text))
    }

    fn tails(&self) -> String {
        let tails =
            self.daemons.iter().map(|daemon| format!("--- instance\n{}", daemon.log_tail()));
        tails.collect::<Vec<_>>().join("\n")
    }
}

/// What a run came to.
struct Outcome {
    report: Report,
    /// Plans that were pending when their partition came to another instance.
    replays: usize,
}

/// Who writes which stream of posts; each post is a record on each of the three topics.
#[derive(Debug)]
struct Plan {
    protocol: &'static str,
    instances: usize,
    /// Batches are closed by their age of 5 s, or by this size if that is earlier.
    seal_bytes: &'static str,
    posts: u64,
    posts_per_s: u64,
}

impl Plan {
    fn settings(&self, settings: Settings) -> Settings {
        let settings = settings
            .set("kafka.protocol", &format!("{:?}", self.protocol))
            .set("seal.bytes", &format!("{:?}", self.seal_bytes))
            .argument("--set")
            .argument("seal.age=5 s");
        match self.protocol {
            "classic" => settings
                .set("kafka.properties.\"session.timeout.ms\"", SESSION_MS)
                .set("kafka.properties.\"heartbeat.interval.ms\"", "500"),
            _ => settings,
        }
    }

    fn emulate(&self, kafka: &Kafka, prefix: &str, seed: u64, folder: &Path) -> Process {
        let mut command = process::guarded(env!("CARGO_BIN_EXE_sluice"));
        command.args(["emulate", "--bootstrap-servers", &kafka.bootstrap()]);
        command.args(["--topic-prefix", prefix, "--seed", &seed.to_string()]);
        command.args(["--posts", &self.posts.to_string()]);
        command.args(["--rate", &self.posts_per_s.to_string()]);
        Process::start("sluice emulate", command, &folder.join("emulate.log"))
    }
}

/// One instance, killed ten times while 300,000 records come in.
#[test]
fn one_instance_is_killed_ten_times() {
    if !full_set("one_instance_is_killed_ten_times") {
        return;
    }
    let plan = Plan {
        protocol: "classic",
        instances: 1,
        seal_bytes: "64 MiB",
        posts: 100_000,
        posts_per_s: 900,
    };
    let blows = [Blow::Kill; 10];
    let mut run = Run::start(kafka(), &plan, 4);
    // The next one is killed before the dead one's session has ended, while it replays, with files
    // open, or when some of them are closed (8 s after its start).
    run.suffer(&blows, 2_000..16_000);
    let outcome = run.finish();
    assert_eq!(outcome.report.records, 3 * plan.posts);
    close(&plan, &blows, &outcome);
}

/// Two instances that die and sleep, and a broker that dies.
fn two_instances_and_their_broker_suffer(protocol: &'static str, seed: u64) {
    let own = Kafka::start(Options::default());
    let plan =
        Plan { protocol, instances: 2, seal_bytes: "256 KiB", posts: 100_000, posts_per_s: 750 };
    let mut blows =
        [vec![Blow::Kill; 10], vec![Blow::Sleep; 4], vec![Blow::KillBroker; 2]].concat();
    blows.shuffle(&mut StdRng::seed_from_u64(seed));
    let mut run = Run::start(&own, &plan, seed);
    run.suffer(&blows, 1_000..6_000);
    let outcome = run.finish();
    // A producer whose broker died may be told of fewer than it wrote.
    assert!(outcome.report.records >= 3 * plan.posts, "{:?}", outcome.report);
    close(&plan, &blows, &outcome);
}

/// The closing line of a run.
fn close(plan: &Plan, blows: &[Blow], outcome: &Outcome) {
    let count = |blow| blows.iter().filter(|one| **one == blow).count();
    let Outcome { report: found, replays } = outcome;
    report(&format!(
        "chaos, {} {}: {} records once each in {} objects; {} kills, {} zombies, {} kills of the \
         broker, {replays} plans replayed; the last object {:.1} s behind its record",
        plan.instances,
        plan.protocol,
        found.records,
        found.objects,
        count(Blow::Kill),
        count(Blow::Sleep),
        count(Blow::KillBroker),
        found.behind_s
    ));
}

#[test]
fn two_instances_and_their_broker_suffer_classic() {
    if !full_set("two_instances_and_their_broker_suffer_classic") {
        return;
    }
    two_instances_and_their_broker_suffer("classic", 5);
}

#[test]
fn two_instances_and_their_broker_suffer_consumer() {
    if !full_set("two_instances_and_their_broker_suffer_consumer") {
        return;
    }
    two_instances_and_their_broker_suffer("consumer", 6);
}

/// The script itself: objects as a perfect program would leave them, and the ways to spoil them.
#[test]
fn the_script_finds_lost_doubled_changed_and_uncommitted_records() {
    if !full_set("the_script_finds_lost_doubled_changed_and_uncommitted_records") {
        return;
    }
    let (topic, group, bucket) = (unique("scripted"), unique("group"), s3().bucket("scripted"));
    kafka().create_topic(&topic, 2);
    kafka().produce(&topic, &numbered(0..6, 2));
    kafka().commit_as_stranger(&group, &topic, 0, (3, ""));
    kafka().commit_as_stranger(&group, &topic, 1, (2, ""));
    let key = |partition, start| {
        format!("topics/{topic}/partition={partition}/{topic}+{partition}+{start:010}.json")
    };
    let good = b"{\"n\":1}\n{\"n\":3}\n{\"n\":5}\n";
    s3().put(&bucket, &key(0, 0), b"{\"n\":0}\n{\"n\":2}\n");
    s3().put(&bucket, &key(0, 2), b"{\"n\":4}\n");
    s3().put(&bucket, &key(1, 0), good);
    let compare =
        || independent::compare(kafka(), s3(), &bucket, &group, std::slice::from_ref(&topic));
    let report = compare();
    assert_eq!(report.faults, [format!("{topic}/1: 2 is committed, 3 is the end")]);
    assert_eq!((report.records, report.objects, report.lag), (6, 3, 1));
    kafka().commit_as_stranger(&group, &topic, 1, (3, ""));
    assert_eq!(compare().faults, [""; 0]);
    let spoiled: [&[u8]; 6] = [
        b"",
        b"{\"n\":1}\n{\"n\":3}\n",
        b"{\"n\":1}\n{\"n\":3}\n{\"n\":3}\n{\"n\":5}\n",
        b"{\"n\":3}\n{\"n\":1}\n{\"n\":5}\n",
        b"{\"n\":1}\n{\"n\":3}\n{\"n\":5}",
        b"{\"n\":1}\n{\"n\":3}\n{\"n\":5} \n",
    ];
    for body in spoiled {
        s3().put(&bucket, &key(1, 0), body);
        assert!(!compare().faults.is_empty(), "{}", String::from_utf8_lossy(body));
    }
    s3().put(&bucket, &key(1, 0), good);
    s3().put(&bucket, &key(1, 2), b"{\"n\":5}\n");
    assert!(!compare().faults.is_empty(), "the last record is there twice");
}
