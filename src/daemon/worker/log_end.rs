//! Where each log ends, so that lag is known also while nothing is read.
//!
//! It owns: when it is looked at and asked for. It does not own: asking (`settler`).
//!
//! The end of a log that a read reaches says it too, but a partition that lags never gets there. And
//! a partition of which all is published asks whether that is still all: that nothing is fetched
//! may also mean that its leader cannot be reached.

use std::time::Duration;

use super::Worker;
use crate::daemon::settler::AskEnd;
use crate::engine::{Address, Input};
use crate::model::{Offset, Timestamp, Uptime};

/// Of what is not fetched: stopped, starting, paused for long.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(30);
/// Of what is fetched and all published: so much later than an hour it is known to be complete.
pub(super) const ASK_IDLE_EVERY: Duration = Duration::from_secs(10);

impl Worker {
    /// Notes what the fetches say, and asks for the ends of what is not fetched.
    pub(super) fn look_at_log_ends(&mut self, now: Uptime) {
        let wall = self.around.clock.now().wall;
        for (address, slot) in &mut self.slots {
            if slot.wants_records() && !slot.is_paused {
                slot.ask_log_end_at = None;
                let fetcher = self.fetcher.as_ref();
                if let Some(end) = fetcher.and_then(|at| at.log_end_seen(&slot.partition)) {
                    slot.log_end_is(end);
                }
                if slot.is_idle() && now >= slot.ask_idle_at {
                    slot.ask_idle_at = now.after(ASK_IDLE_EVERY);
                    let (partition, mailbox) = (slot.partition.clone(), self.mailbox.clone());
                    let ask = AskEnd { address: *address, partition, asked: wall, mailbox };
                    self.around.settler.log_end(ask);
                }
                continue;
            }
            let ask_at = *slot.ask_log_end_at.get_or_insert(now.after(ASK_EVERY));
            if now >= ask_at && !slot.asks_log_end {
                (slot.ask_log_end_at, slot.asks_log_end) = (Some(now.after(ASK_EVERY)), true);
                self.around.settler.watermarks(*address, &slot.partition, &self.mailbox);
            }
        }
    }

    /// The end of an idle log was answered.
    pub(super) fn idle_log_end(&mut self, address: Address, end: Offset, asked: Timestamp) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        slot.log_end_is(end);
        slot.progress.ended(end, asked);
    }

    /// The log's ends were answered: to one who lags, to one who is out of range, or to both.
    pub(super) fn watermarks(&mut self, address: Address, log_start: Offset, log_end: Offset) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        slot.asks_log_end = false;
        slot.log_end_is(log_end);
        if std::mem::take(&mut slot.asks_watermarks) {
            self.drive(address, Input::OutOfRange { log_start, log_end });
        }
    }
}
