//! What a run saw: the counts of its closing line, and the least of each that it must have seen.
//!
//! It owns: counters that every thread of a run adds to. It does not own: when they count.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::independent::Report;

/// A counter that rules of the proxy share with the run.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub fn add(&self, more: usize) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub fn one(&self) {
        self.add(1);
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that is counted while a run goes on.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub kills: Counter,
    /// Of the killed, those whose partition had a plan in its commit right afterwards.
    pub kills_with_plan: Counter,
    /// Sleepers whose partitions others had before they woke up, and that then said so.
    pub zombies: Counter,
    pub terminated: Counter,
    pub joined: Counter,
    pub left: Counter,
    pub broker_kills: Counter,
    pub broker_stops: Counter,
    pub coordinator_moves: Counter,
    pub partitions_added: Counter,
    pub configuration_changes: Counter,
    /// By kind.
    pub s3_faults: BTreeMap<&'static str, Counter>,
    /// Records that producers were told are in the log for good.
    pub acknowledged: Counter,
    pub aborted_transactions: Counter,
    /// Plans that a successor read again to their ends, and found the same.
    pub plans_finished: Counter,
    pub own_412: Counter,
}

/// Kills with an open plan, zombies, plans finished by a successor and own 412 that a run must see.
const KILLS_WITH_PLAN_MIN: usize = 5;
const ZOMBIES_MIN: usize = 3;
const PLANS_FINISHED_MIN: usize = 5;
const OWN_412_MIN: usize = 1;

impl Tally {
    /// Whether a run has seen what it must; what came of its blows shows in the logs at the end.
    pub fn suffices(&self) -> bool {
        let events = [
            &self.broker_kills,
            &self.broker_stops,
            &self.coordinator_moves,
            &self.partitions_added,
            &self.configuration_changes,
            &self.aborted_transactions,
        ];
        self.kills_with_plan.get() >= KILLS_WITH_PLAN_MIN
            && self.zombies.get() >= ZOMBIES_MIN
            && events.into_iter().chain(self.s3_faults.values()).all(|event| event.get() > 0)
    }

    /// Panics if the run saw too little to prove anything.
    pub fn require(&self) {
        assert!(self.suffices(), "too little happened: {self:#?}");
        let (finished, own_412) = (self.plans_finished.get(), self.own_412.get());
        assert!(finished >= PLANS_FINISHED_MIN, "{finished} plans were finished by a successor");
        assert!(own_412 >= OWN_412_MIN, "{own_412} objects of ours were there already");
    }

    /// The closing line of a run.
    pub fn close(&self, name: &str, report: &Report, seconds: u64) {
        let faults = self.s3_faults.iter().map(|(kind, count)| format!("{} {kind}", count.get()));
        let line = format!(
            "chaos, {name}: {} records ({} repeated by their producer), {} missing, {} twice, {} strange, in {} objects, {} s; \
             {} kills ({} with an open plan), {} zombies, {} stopped, \
             {} joined, {} left, {} brokers killed, {} stopped, {} coordinator moves, \
             {} partitions added, {} configuration changes, S3 faults: {}; \
             {} plans finished by a successor, {} own 412, {} transactions aborted\n",
            report.records,
            report.repeats,
            report.missing,
            report.doubles,
            report.strange,
            report.objects,
            seconds,
            self.kills.get(),
            self.kills_with_plan.get(),
            self.zombies.get(),
            self.terminated.get(),
            self.joined.get(),
            self.left.get(),
            self.broker_kills.get(),
            self.broker_stops.get(),
            self.coordinator_moves.get(),
            self.partitions_added.get(),
            self.configuration_changes.get(),
            faults.collect::<Vec<_>>().join(", "),
            self.plans_finished.get(),
            self.own_412.get(),
            self.aborted_transactions.get(),
        );
        // The capture of a test's output takes macros only.
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
}
