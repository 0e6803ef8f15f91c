//! Thousands of short lives of whole daemons, in a world of models; and what they notice when a rule
//! of the protocol is broken.
//!
//! It owns: how many seeds, what they must have met, the table of mutants.
//! It does not own: the world (`daemon::simulation`), what a mutant breaks (`mutant`).
//!
//! `SLUICE_SIMULATION_SEEDS=200000` runs so many instead of ten thousand, from
//! `SLUICE_SIMULATION_FROM` on; `SLUICE_SIMULATION_SEED=17` runs that one and tells every step.

// Functions beside the tests are not covered by `allow-unwrap-in-tests` and its like.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::io::Write;
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use sluice::daemon::simulation::{Outcome, Scenario, Seen, run};
use sluice::mutant::Mutant;

/// In the test command.
const SEEDS: u64 = 10_000;
/// The median of a seed.
const STEPS_MIN: u64 = 300;
/// Of each scenario over all seeds of the test command.
const MET_MIN: u64 = 1_000;
/// A mutant that no seed of so many notices is not caught.
const MUTANT_SEEDS: u64 = 3_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{name}` = `{text}` is no number")))
}

/// What all seeds of a run have in common.
#[derive(Default)]
struct Sum {
    steps: Vec<u64>,
    seen: Seen,
    /// Seeds that went wrong, and how.
    wrong: Vec<(u64, Vec<String>)>,
}

fn run_all(from: u64, count: u64) -> Sum {
    let (next, sum) = (AtomicU64::new(from), Mutex::new(Sum::default()));
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        return;
                    }
                    let outcome = caught(seed);
                    let mut sum = sum.lock().unwrap();
                    sum.steps.push(outcome.steps);
                    sum.seen.add(&outcome.seen);
                    if !outcome.violations.is_empty() {
                        sum.wrong.push((seed, outcome.violations));
                    }
                }
            });
        }
    });
    sum.into_inner().unwrap()
}

/// Runs a seed; a panic is a violation too.
fn caught(seed: u64) -> Outcome {
    let ran = panic::catch_unwind(AssertUnwindSafe(|| run(seed, false)));
    ran.unwrap_or_else(|_| Outcome {
        steps: 0,
        trace: 0,
        seen: Seen::default(),
        violations: vec!["it panics".to_owned()],
    })
}

#[test]
fn no_life_loses_or_doubles_a_record() {
    if let Some(seed) = number("SLUICE_SIMULATION_SEED") {
        return tell(seed);
    }
    let count = number("SLUICE_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let from = number("SLUICE_SIMULATION_FROM").unwrap_or(0);
    let started = Instant::now();
    let mut sum = run_all(from, count);
    sum.steps.sort_unstable();
    let (all, median) = (sum.steps.iter().sum::<u64>(), sum.steps[sum.steps.len() / 2]);
    let seconds = started.elapsed().as_secs();
    say(&format!(
        "simulation: {count} seeds from {from}, {all} steps (median {median}), {seconds} s: {}",
        sum.seen
    ));
    sum.wrong.sort_unstable();
    let wrong: Vec<_> = sum.wrong.iter().take(3).collect();
    assert!(
        wrong.is_empty(),
        "{} seeds went wrong, among them {wrong:#?}; `SLUICE_SIMULATION_SEED=<seed>` tells one",
        sum.wrong.len()
    );
    assert!(median >= STEPS_MIN, "{median}");
    let least = MET_MIN * count / SEEDS;
    let rare: Vec<_> = Scenario::ALL
        .into_iter()
        .map(|scenario| (scenario, sum.seen.count(scenario)))
        .filter(|(_, met)| *met < least.max(1))
        .collect();
    assert!(count < SEEDS || rare.is_empty(), "met less than {least} times: {rare:?}");
}

/// Prints a line that the runner does not keep to itself when the test passes.
fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Runs one seed with everything that happens in the log.
fn tell(seed: u64) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(std::io::stderr)
        .finish();
    let outcome = tracing::subscriber::with_default(subscriber, || run(seed, true));
    eprintln!(
        "seed {seed}: {} steps, trace {:016x}, {}",
        outcome.steps, outcome.trace, outcome.seen
    );
    assert!(outcome.violations.is_empty(), "{:#?}", outcome.violations);
}

#[test]
fn a_seed_gives_the_same_run_each_time() {
    for seed in 0..60 {
        let (first, second) = (run(seed, false), run(seed, false));
        assert_eq!((first.steps, first.trace), (second.steps, second.trace), "seed {seed}");
        assert_eq!(first.seen, second.seen, "seed {seed}");
    }
}

/// Who notices a broken rule.
enum Catch {
    /// The simulation; looked for from this seed on.
    Simulation(u64),
    /// A unit test, which is run with the broken rule beside it.
    Test(&'static str),
}

fn catch(mutant: Mutant) -> Catch {
    use Catch::{Simulation, Test};
    match mutant {
        Mutant::CommitsOutsideOfGroup => {
            Test("engine::committer::tests::commits_nothing_outside_of_a_generation")
        }
        Mutant::RefusalsAreRepeated => Test(
            "engine::committer::tests::a_kill_takes_every_token_and_lets_nothing_through_under_that_membership",
        ),
        Mutant::ReadsUncommitted => {
            Test("kafka::consumer::tests::what_the_protocol_rests_on_is_not_the_users_to_set")
        }
        Mutant::LossForgetsMemory => Test(
            "engine::partition::tests::replay::lost_records_are_skipped_behind_what_is_in_memory_already",
        ),
        Mutant::FirstIsNotAlone => Test(
            "engine::partition::tests::rules::the_first_batch_of_an_assignment_publishes_its_first_record_alone",
        ),
        Mutant::TopicIdIsNotCompared => {
            Test("engine::settle::tests::metadata_or_a_claim_of_another_topic_id_stops")
        }
        Mutant::PassesEndEarly => Test(
            "engine::partition::tests::passes::the_first_pass_only_counts_and_each_later_one_writes_what_fits",
        ),
        Mutant::OwnVersionOnly => {
            Test("engine::plan::tests::the_previous_version_is_read_as_the_same_plan")
        }
        Mutant::UnknownVersionIsForeign => Test("engine::plan::tests::says_which_release_reads_it"),
        Mutant::DecisionForAnyCommit => {
            Test("engine::decision::tests::it_is_not_taken_over_another_commit")
        }
        _ => Simulation(0),
    }
}

#[test]
fn each_broken_rule_is_noticed() {
    let mut missed = Vec::new();
    // A broken rule may well end in a panic, which is as good as a violation.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    for mutant in Mutant::ALL {
        let (rule, name) = (mutant.rule(), mutant.name());
        match catch(mutant) {
            Catch::Test(test) => say(&format!("rule {rule}, `{name}`: {test}")),
            Catch::Simulation(from) => match first_wrong(mutant, from) {
                Some((seed, what)) => say(&format!("rule {rule}, `{name}`: seed {seed}: {what}")),
                None => missed.push(name),
            },
        }
    }
    panic::set_hook(hook);
    assert!(missed.is_empty(), "nothing notices {missed:?}");
}

fn first_wrong(mutant: Mutant, from: u64) -> Option<(u64, String)> {
    (from..from + MUTANT_SEEDS).find_map(|seed| {
        let outcome = mutant.during(|| caught(seed));
        Some((seed, outcome.violations.into_iter().next()?))
    })
}
