//! What the process is and holds: its version, its state, its memory.
//!
//! It owns: these gauges. It does not own: the budget, nor the rules of healthy and ready.

use prometheus::IntGauge;

use super::{Adder, clamp};
use crate::daemon::clock::wall;
use crate::daemon::status::{Health, Readiness};

#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) memory_used: IntGauge,
    pub(super) memory_limit: IntGauge,
    resident_memory: IntGauge,
    ready: IntGauge,
    stuck_loops: IntGauge,
}

impl Process {
    pub(super) fn new(add: &Adder<'_>) -> Result<Self, prometheus::Error> {
        add.build_info()?;
        let started = add.gauge("start_time_seconds", "When the process started, since 1970.")?;
        started.set(wall().millis() / 1_000);
        Ok(Self {
            memory_used: add
                .gauge("memory_used_bytes", "What batches hold and what is on its way to S3.")?,
            memory_limit: add.gauge(
                "memory_limit_bytes",
                "What batches and uploads may take now: limits.memory without the prefetch and \
                 what the process has beside them; half of that at first.",
            )?,
            resident_memory: add.gauge(
                "resident_memory_bytes",
                "What the process has in memory, as the system sees it.",
            )?,
            ready: add
                .gauge("ready", "1 while partitions may be assigned and S3 answers, as /readyz.")?,
            stuck_loops: add.gauge(
                "stuck_loops",
                "Threads that made no progress for 30 seconds, as /healthz; systemd kills then.",
            )?,
        })
    }

    pub(super) fn resident_is(&self, bytes: u64) {
        self.resident_memory.set(clamp(bytes));
    }

    pub(super) fn state_is(&self, readiness: &Readiness, health: &Health) {
        let stuck = match health {
            Health::Moving => 0,
            Health::Stuck(loops) => loops.len(),
        };
        self.ready.set(i64::from(*readiness == Readiness::Ready));
        self.stuck_loops.set(i64::try_from(stuck).unwrap_or(i64::MAX));
    }
}
