//! Chaos on the real thing: daemons of the release build, three brokers, and S3 behind a proxy,
//! while processes are killed, put to sleep and woken, brokers die, S3 fails and settings change.
//!
//! It owns: which runs there are, how long they take, what each must show.
//! It does not own: a run (`chaos/run.rs`), the comparison of topics and bucket, which is not our
//! code's (`support/independent.rs`).

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "chaos/fleet.rs"]
mod fleet;
#[path = "chaos/run.rs"]
mod run;
#[path = "chaos/script.rs"]
mod script;
#[path = "chaos/silent.rs"]
mod silent;
#[path = "chaos/stream.rs"]
mod stream;
mod support;
#[path = "chaos/tally.rs"]
mod tally;
#[path = "chaos/vandal.rs"]
mod vandal;
#[path = "chaos/variant.rs"]
mod variant;
#[path = "chaos/weather.rs"]
mod weather;

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use run::Plan;
use support::install::KafkaRelease;
use support::kafka::Options;
use support::{Kafka, full_set, release};

/// In the test command.
const SHORT: Duration = Duration::from_secs(60);
/// In the full set; `SLUICE_CHAOS_MINUTES` says otherwise.
const LONG_MINUTES: u64 = 20;

/// Three brokers, every topic on all of them, two of which must have a record.
fn cluster(release: KafkaRelease) -> Kafka {
    let mut properties = vec![
        ("min.insync.replicas", "2".to_owned()),
        ("transaction.state.log.min.isr", "2".to_owned()),
        // Leaders are moved by the run, not behind its back.
        ("auto.leader.rebalance.enable", "false".to_owned()),
    ];
    if release == KafkaRelease::V3_9 {
        properties.push(("group.coordinator.new.enable", "false".to_owned()));
    }
    Kafka::start(Options { release, brokers: 3, properties, ..Options::default() })
}

/// Runs on the cluster that the runs of 4.x share, one after the other: each kills its brokers.
fn on_the_new<T>(work: impl FnOnce(&Kafka) -> T) -> T {
    static CLUSTER: LazyLock<Mutex<Option<Kafka>>> = LazyLock::new(Mutex::default);
    let mut shared = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
    work(shared.get_or_insert_with(|| cluster(KafkaRelease::V4_4)))
}

fn short(protocol: &'static str, name: &'static str, seed: u64) -> Plan<'static> {
    Plan { name, protocol, seed, duration: SHORT, program: release::program(), mutant: None }
}

fn long(protocol: &'static str, name: &'static str, seed: u64) -> Plan<'static> {
    let minutes = std::env::var("SLUICE_CHAOS_MINUTES").ok();
    let minutes = minutes.map_or(LONG_MINUTES, |text| text.parse().expect("a number of minutes"));
    Plan { duration: Duration::from_secs(60 * minutes), ..short(protocol, name, seed) }
}

/// Every record once, by a reader that is not ours and by `sluice verify --deep`.
fn each_record_once(plan: &Plan<'_>, kafka: &Kafka) {
    let outcome = plan.run(kafka);
    outcome.require_exactly_once(plan);
    assert!(outcome.done);
    vandal::verify_agrees(&outcome);
    vandal::four_faults_are_named(&outcome);
    outcome.clear(kafka);
}

#[test]
fn one_minute_classic() {
    on_the_new(|kafka| each_record_once(&short("classic", "4.x classic", 41), kafka));
}

#[test]
fn one_minute_consumer() {
    on_the_new(|kafka| each_record_once(&short("consumer", "4.x consumer", 42), kafka));
}

/// The same with the plan left out: the comparison must see what the plan is there for.
#[cfg(feature = "mutants")]
#[test]
fn without_the_plan_records_are_there_twice() {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_sluice"));
    let same = short("classic", "4.x classic, no plan", 41);
    let plan = Plan { program, mutant: Some("no-plan"), ..same };
    on_the_new(|kafka| {
        let outcome = plan.run(kafka);
        assert_eq!(outcome.tally.kills_with_plan.get(), 0, "there was a plan all the same");
        assert!(outcome.report.doubles > 0, "{:?}", outcome.report);
        outcome.clear(kafka);
    });
}

#[test]
fn twenty_minutes_classic() {
    if !full_set("twenty_minutes_classic") {
        return;
    }
    on_the_new(|kafka| each_record_once(&long("classic", "4.x classic, long", 43), kafka));
}

#[test]
fn twenty_minutes_consumer() {
    if !full_set("twenty_minutes_consumer") {
        return;
    }
    on_the_new(|kafka| each_record_once(&long("consumer", "4.x consumer, long", 44), kafka));
}

/// The coordinator that came before KIP-848.
#[test]
fn twenty_minutes_with_the_old_coordinator() {
    if !full_set("twenty_minutes_with_the_old_coordinator") {
        return;
    }
    let kafka = cluster(KafkaRelease::V3_9);
    each_record_once(&long("classic", "3.9 classic, long", 45), &kafka);
}
