//! Several instances in one group: they join, leave, die, sleep and wake while records trickle in,
//! under both group protocols. At the end each record is in the bucket once, and nothing lags.
//!
//! The load is light on purpose: logs are read to their ends again and again, between all steps.

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

mod groups {
    mod positions;
}

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use support::daemon::Settings;
use support::install::KafkaRelease;
use support::kafka::Options;
use support::kafka::topics::numbered;
use support::process::Signal;
use support::{Daemon, Kafka, full_set, kafka, s3, unique, verify};

/// Divided by one, two and three instances without becoming idle.
const PARTITIONS: usize = 6;
/// Between two records of the load: each partition's end is reached between any two of its own.
const TRICKLE: Duration = Duration::from_millis(15);
/// A session that ends, a rebalance and a replay on a loaded machine.
const SOON: Duration = Duration::from_secs(90);

/// Instances of one group on one topic, those that are gone too: their logs tell what happened.
struct Fleet<'a> {
    kafka: &'a Kafka,
    topic: String,
    group: String,
    bucket: String,
    settings: Settings,
    daemons: Vec<Daemon>,
    produced: &'a AtomicUsize,
}

impl<'a> Fleet<'a> {
    fn new(kafka: &'a Kafka, protocol: &str, produced: &'a AtomicUsize) -> Self {
        let (topic, group) = (unique("fleet"), unique("group"));
        let bucket = s3().bucket("fleet");
        kafka.create_topic(&topic, PARTITIONS);
        let settings = Settings::between(kafka, s3(), &group, &bucket)
            .topics(&[&topic])
            .set("kafka.protocol", &format!("{protocol:?}"))
            .set("seal.age", "\"400 ms\"");
        let settings = match protocol {
            "classic" => settings
                .set("kafka.properties.\"session.timeout.ms\"", "6000")
                .set("kafka.properties.\"heartbeat.interval.ms\"", "500"),
            _ => settings,
        };
        Self { kafka, topic, group, bucket, settings, daemons: Vec::new(), produced }
    }

    /// Starts another instance and returns its number.
    fn start(&mut self) -> usize {
        self.daemons.push(self.settings.start());
        self.daemons.len() - 1
    }

    /// Waits until these instances, and no other, hold all partitions among them.
    #[track_caller]
    fn until_held_by(&self, instances: &[usize]) {
        let held: Vec<&Daemon> = instances.iter().map(|index| &self.daemons[*index]).collect();
        held[0].wait_until(&format!("all partitions to be held by {instances:?}"), SOON, || {
            let each: Vec<f64> =
                held.iter().map(|one| one.metric("sluice_assigned_partitions", &[])).collect();
            let all: f64 = each.iter().sum();
            (each.iter().all(|one| *one > 0.0) && all as usize == PARTITIONS).then_some(())
        });
    }

    /// Waits until so many more records are in the topic.
    fn let_records_come(&self, records: usize) {
        let enough = self.produced.load(Ordering::Relaxed) + records;
        support::wait::until("records of the load", SOON, || {
            (self.produced.load(Ordering::Relaxed) >= enough).then_some(())
        });
    }

    /// Waits until everything is committed, stops what runs, and compares bucket and topic.
    #[track_caller]
    fn check(&self) {
        let written = support::wait::until_or(SOON, || {
            (self.kafka.lag(&self.group, &self.topic) == 0).then_some(())
        });
        assert!(written.is_some(), "records are not written\n{}", self.logs());
        self.daemons.iter().filter(|daemon| daemon.is_running()).for_each(Daemon::stop_cleanly);
        let compared = verify::compare_default_layout(self.kafka, &self.topic, s3(), &self.bucket);
        compared.unwrap_or_else(|fault| panic!("{fault}\n{}", self.logs()));
        assert_eq!(self.kafka.lag(&self.group, &self.topic), 0);
        verify::check_commits(self.kafka, &self.group, &self.topic);
        for daemon in &self.daemons {
            let log = daemon.log();
            let stopped = log.lines().find(|line| line.contains("partition stopped"));
            assert_eq!(stopped, None, "a partition stopped");
        }
    }

    fn logs(&self) -> String {
        let mut logs = String::new();
        for (index, daemon) in self.daemons.iter().enumerate() {
            write!(logs, "\n--- instance {index}\n{}", daemon.log_tail()).unwrap();
        }
        logs
    }
}

/// Runs `act` with a fleet of two while records trickle in, then checks the result.
fn under_load(kafka: &Kafka, protocol: &str, act: impl FnOnce(&mut Fleet<'_>)) {
    under_load_at(kafka, &kafka.bootstrap(), protocol, act);
}

/// The same, with a proxy between the fleet and Kafka.
fn under_load_at(kafka: &Kafka, bootstrap: &str, protocol: &str, act: impl FnOnce(&mut Fleet<'_>)) {
    let (produced, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut fleet = Fleet::new(kafka, protocol, &produced);
    fleet.settings = fleet.settings.set("kafka.bootstrap_servers", &format!("[{bootstrap:?}]"));
    let topic = fleet.topic.clone();
    std::thread::scope(|scope| {
        let load = scope.spawn(|| trickle(kafka, &topic, &produced, &is_over));
        let _stops_it_in_any_case = StopOnDrop(&is_over);
        fleet.start();
        fleet.start();
        fleet.until_held_by(&[0, 1]);
        act(&mut fleet);
        fleet.let_records_come(2 * PARTITIONS);
        is_over.store(true, Ordering::Relaxed);
        load.join().unwrap();
        fleet.check();
        let sent = produced.load(Ordering::Relaxed);
        assert_eq!(kafka.read_topic(&topic).len(), sent, "the load itself is exact");
    });
}

fn trickle(kafka: &Kafka, topic: &str, produced: &AtomicUsize, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let number = produced.load(Ordering::Relaxed);
        kafka.produce(topic, &numbered(number..number + 1, PARTITIONS));
        produced.store(number + 1, Ordering::Relaxed);
        std::thread::sleep(TRICKLE);
    }
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One after the other is killed; what it had planned is finished by those that stay.
fn killed_instances_are_replaced(kafka: &Kafka, protocol: &str) {
    under_load(kafka, protocol, |fleet| {
        fleet.daemons[1].kill_9();
        // Joins while the dead one is still a member.
        let third = fleet.start();
        fleet.until_held_by(&[0, third]);
        fleet.let_records_come(PARTITIONS);
        // Nobody is left, and the next one comes before the session has ended.
        fleet.daemons[0].kill_9();
        fleet.daemons[third].kill_9();
        let fourth = fleet.start();
        fleet.until_held_by(&[fourth]);
    });
}

#[test]
fn killed_instances_are_replaced_classic() {
    killed_instances_are_replaced(kafka(), "classic");
}

#[test]
fn killed_instances_are_replaced_consumer() {
    killed_instances_are_replaced(kafka(), "consumer");
}

/// Two, three, two, one, three, one: every change with what is in flight at that moment.
fn instances_come_and_go(protocol: &str) {
    under_load(kafka(), protocol, |fleet| {
        let third = fleet.start();
        fleet.until_held_by(&[0, 1, third]);
        fleet.daemons[0].stop_cleanly();
        fleet.until_held_by(&[1, third]);
        fleet.let_records_come(PARTITIONS);
        fleet.daemons[third].stop_cleanly();
        fleet.until_held_by(&[1]);
        // Two at once, and one that leaves while they join.
        let fourth = fleet.start();
        let fifth = fleet.start();
        fleet.daemons[1].signal(Signal::Terminate);
        fleet.daemons[1].wait_for_end(SOON);
        fleet.until_held_by(&[fourth, fifth]);
        // One leaves by the short way: the second SIGTERM.
        fleet.daemons[fourth].signal(Signal::Terminate);
        fleet.daemons[fourth].signal(Signal::Terminate);
        fleet.daemons[fourth].wait_for_end(SOON);
        fleet.until_held_by(&[fifth]);
    });
}

#[test]
fn instances_come_and_go_classic() {
    instances_come_and_go("classic");
}

#[test]
fn instances_come_and_go_consumer() {
    instances_come_and_go("consumer");
}

/// A zombie: it sleeps until its partitions are with the others, wakes up with a batch in its
/// hands, and may neither commit nor write anything twice.
fn sleepers_wake_up_as_strangers(kafka: &Kafka, protocol: &str) {
    under_load(kafka, protocol, |fleet| {
        let third = fleet.start();
        fleet.until_held_by(&[0, 1, third]);
        fleet.daemons[1].sigstop();
        fleet.until_held_by(&[0, third]);
        fleet.let_records_come(PARTITIONS);
        fleet.daemons[1].sigcont();
        fleet.until_held_by(&[0, 1, third]);
        // Two at once, one of which dies in its sleep.
        fleet.daemons[0].sigstop();
        fleet.daemons[third].sigstop();
        fleet.until_held_by(&[1]);
        fleet.daemons[third].kill_9();
        fleet.daemons[0].sigcont();
        fleet.until_held_by(&[0, 1]);
    });
}

#[test]
fn sleepers_wake_up_as_strangers_classic() {
    sleepers_wake_up_as_strangers(kafka(), "classic");
}

#[test]
fn sleepers_wake_up_as_strangers_consumer() {
    sleepers_wake_up_as_strangers(kafka(), "consumer");
}

/// The broker, which is the group's coordinator too, dies under two instances, twice; the second
/// time one of them dies with it.
fn a_killed_broker_comes_back(protocol: &str) {
    let own = Kafka::start(Options::default());
    under_load(&own, protocol, |fleet| {
        own.kill_9();
        own.restart();
        fleet.let_records_come(2 * PARTITIONS);
        fleet.until_held_by(&[0, 1]);
        own.kill_9();
        fleet.daemons[0].kill_9();
        own.restart();
        fleet.until_held_by(&[1]);
    });
}

#[test]
fn a_killed_broker_comes_back_classic() {
    a_killed_broker_comes_back("classic");
}

#[test]
fn a_killed_broker_comes_back_consumer() {
    a_killed_broker_comes_back("consumer");
}

/// A standby has nothing to write, and a member that takes quiet partitions over writes nothing:
/// S3 was never asked, so they were not ready, and a supervisor would have ended them.
#[test]
fn an_instance_with_nothing_to_do_is_ready() {
    let (topic, group) = (unique("narrow"), unique("group"));
    kafka().create_topic(&topic, 1);
    let settings = Settings::between(kafka(), s3(), &group, &s3().bucket("narrow"));
    let settings = settings.topics(&[&topic]);
    let (first, second) = (settings.start(), settings.start());
    let held = |daemon: &Daemon| daemon.metric("sluice_assigned_partitions", &[]) as usize;
    assert_eq!(held(&first) + held(&second), 1);
    first.stop_cleanly();
    second.stop_cleanly();
    // Nothing ever came, and the claim stands.
    settings.start().stop_cleanly();
}

/// Kafka 3.9 with the coordinator that came before KIP-848: what many clusters still run.
#[test]
fn the_old_coordinator_keeps_the_rules() {
    if !full_set("the_old_coordinator_keeps_the_rules") {
        return;
    }
    let old = Kafka::start(Options {
        release: KafkaRelease::V3_9,
        properties: vec![("group.coordinator.new.enable", "false".to_owned())],
        ..Options::default()
    });
    killed_instances_are_replaced(&old, "classic");
    sleepers_wake_up_as_strangers(&old, "classic");
}
