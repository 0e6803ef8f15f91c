//! What is told about the daemon each second, whatever its other threads wait for, and how much
//! memory it has.
//!
//! It owns: a thread of its own, because the polling thread waits inside rebalances for minutes
//! and still makes progress. It does not own: what health and readiness mean (`status`), what follows
//! from the memory (`budget`).

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::info;

use super::RunError;
use super::parts::spawn;
use crate::daemon::budget::Budget;
use crate::daemon::clock::Clock;
use crate::daemon::metrics::Metrics;
use crate::daemon::notify::Notify;
use crate::daemon::status::{Readiness, Status};
use crate::kafka::ffi::give_memory_back;

const EVERY: Duration = Duration::from_secs(1);
/// While it drains, systemd is asked for this much more time each second: `limits.drain` ends it,
/// not the unit's `TimeoutStopSec`.
const MORE_TIME: Duration = Duration::from_secs(30);

/// What is told, and of whom.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) notify: Notify,
    pub(super) status: Status,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
}

/// The running thread.
#[derive(Debug)]
pub(super) struct Watch {
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Watch {
    pub(super) fn start(told: Told, budget: Budget) -> Result<Self, RunError> {
        let (stop, stopped) = sync_channel(1);
        let thread = spawn("sluice-watch", move || {
            let mut is_ready = false;
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                is_ready = told.tell(is_ready);
                if let Some(resident_bytes) = resident_bytes() {
                    told.metrics.resident_is(resident_bytes);
                    budget.has_resident(resident_bytes);
                }
                give_memory_back();
            }
        })?;
        Ok(Self { stop, thread })
    }

    pub(super) fn stop(self) {
        drop(self.stop);
        self.thread.join().ok(); // it tells nothing that anybody waits for
    }
}

impl Told {
    fn tell(&self, was_ready: bool) -> bool {
        let Self { notify, status, metrics, clock } = self;
        let now = clock.uptime();
        status.records_written(now, metrics.totals().written_records);
        let (health, readiness) = (status.health(now), status.readiness());
        metrics.state_is(&readiness, &health);
        notify.feed_watchdog(&health);
        notify.status(&status.line());
        if readiness == Readiness::Draining {
            notify.extend_timeout(MORE_TIME);
        }
        let is_ready = was_ready || readiness == Readiness::Ready;
        if is_ready && !was_ready {
            info!("ready: partitions are assigned and S3 was reached");
            notify.ready();
        }
        is_ready
    }
}

/// Returns what the process has in memory; none where the system does not say so (proc(5)).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_says_what_is_in_memory() {
        let before = resident_bytes().unwrap();
        let block = vec![1_u8; 64 << 20];
        let with_block = resident_bytes().unwrap();
        assert!(with_block > before + (32 << 20), "{before} {with_block}");
        drop(std::hint::black_box(block));
    }
}
