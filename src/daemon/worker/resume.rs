//! Partitions that stopped fetching and fetch on: what was kept aside first, then a seek, then resume.
//!
//! It owns: pausing, striking out, the seeks of a round in one call, what is done when librdkafka
//! refuses them.
//! It does not own: when a machine wants records, nor what a position out of range means.

use std::time::Duration;

use tracing::{debug, warn};

use super::Worker;
use crate::engine::Address;
use crate::model::{Offset, TopicPartition, Uptime};

/// A seek is answered by librdkafka's own threads, in microseconds. One that does not wait would be
/// refused without a word while a fetch has not begun (`rd_kafka_toppar_seek`).
const SEEK_MAX: Duration = Duration::from_secs(1);
/// Between two tries of one partition. A fresh assignment refuses for as long as it takes to begin.
const AGAIN_FIRST: Duration = Duration::from_millis(20);
const AGAIN_MAX: Duration = Duration::from_secs(2);
/// Refused for longer than this it is said, and how far the log reaches is asked.
pub(super) const REFUSED_MAX: Duration = Duration::from_secs(10);
/// Said again this often.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// librdkafka does not fetch a partition on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    tries: u32,
    again_at: Uptime,
    say_at: Uptime,
}

impl Refused {
    /// Returns what holds after one more refusal.
    pub(super) fn again(before: Option<Self>, now: Uptime) -> Self {
        let first = Self { tries: 0, again_at: now, say_at: now.after(REFUSED_MAX) };
        let before = before.unwrap_or(first);
        let wait = AGAIN_FIRST.saturating_mul(1 << before.tries.min(8)).min(AGAIN_MAX);
        Self { tries: before.tries.saturating_add(1), again_at: now.after(wait), ..before }
    }

    /// Returns whether it has to be said now, which counts as said.
    fn must_be_said(&mut self, now: Uptime) -> bool {
        let is_due = now >= self.say_at;
        if is_due {
            self.say_at = now.after(SAY_EVERY);
        }
        is_due
    }
}

impl Worker {
    /// Reads what was kept aside for partitions that can take records again, and lets those that
    /// were paused fetch on.
    pub(super) fn read_aside(&mut self) {
        let ready: Vec<Address> = self
            .slots
            .iter()
            .filter(|(_, slot)| (slot.is_paused || !slot.aside.is_empty()) && slot.wants_records())
            .map(|(address, _)| *address)
            .collect();
        for address in ready {
            if self.must_wait_for(address) {
                continue;
            }
            self.read_aside_of(address);
        }
        self.resume_ready(self.around.clock.uptime());
    }

    fn read_aside_of(&mut self, address: Address) {
        while !self.must_wait_for(address)
            && let Some(slot) = self.slots.get_mut(&address)
        {
            if !slot.wants_records() {
                return;
            }
            let Some(kept) = slot.aside.pop_front() else { return };
            self.aside -= 1;
            if let Some(message) = kept.batch.get(kept.index)
                && let Some(bytes) = self.feed(self.around.clock.now(), address, message)
            {
                self.around.metrics.records_read(1, bytes);
            }
        }
    }

    /// Lets those that wait for nothing else fetch on.
    pub(super) fn resume_ready(&mut self, now: Uptime) {
        let mut ready = Vec::new();
        for (address, slot) in &self.slots {
            let Some(machine) = slot.machine() else { continue };
            let is_ready = slot.is_paused && slot.aside.is_empty() && slot.wants_records();
            let is_due = slot.refused.is_none_or(|refused| now >= refused.again_at);
            // An array that was not looked at to its end may hold messages from before the seek.
            // What it is sent would be struck out, and fetched again.
            if self.is_behind_a_replay(*address) {
                continue;
            }
            if is_ready && is_due && !(slot.must_seek && self.rest.is_some()) {
                ready.push((*address, slot.partition.clone(), machine.cursor()));
            }
        }
        self.seek(&ready, now);
        for (address, ..) in ready {
            self.resume(address, now);
        }
    }

    /// Seeks all of a round in one call: a call waits until the last one is answered.
    fn seek(&mut self, ready: &[(Address, TopicPartition, Offset)], now: Uptime) {
        let Some(fetcher) = &self.fetcher else { return };
        let must_seek = |address| self.slots.get(address).is_some_and(|slot| slot.must_seek);
        let seeks: Vec<_> = ready.iter().filter(|(address, ..)| must_seek(address)).collect();
        if seeks.is_empty() {
            return;
        }
        let offsets: Vec<_> =
            seeks.iter().map(|(_, partition, cursor)| (partition.clone(), *cursor)).collect();
        let (refused, why) = match fetcher.seek(&offsets, SEEK_MAX) {
            Ok(refused) => (Some(refused), None),
            Err(error) => (None, Some(error.to_string())),
        };
        for (address, partition, _) in seeks {
            let code = refused.iter().flatten().find(|(at, _)| at == partition);
            match code.map(|(_, code)| code.to_string()).or_else(|| why.clone()) {
                Some(why) => self.refused(*address, &why, now),
                None => {
                    if let Some(slot) = self.slots.get_mut(address) {
                        slot.must_seek = false;
                    }
                }
            }
        }
    }

    fn resume(&mut self, address: Address, now: Uptime) {
        let Some(slot) = self.slots.get_mut(&address).filter(|slot| !slot.must_seek) else {
            return;
        };
        let Some(fetcher) = &self.fetcher else { return };
        match fetcher.resume(&slot.partition) {
            Ok(()) => (slot.is_paused, slot.refused) = (false, None),
            Err(error) => self.refused(address, &error.to_string(), now),
        }
    }

    /// Tries again later. Whose fetching has ended is refused for ever: the log's ends tell whether
    /// its position is out of range, or whether the group has to be entered anew.
    fn refused(&mut self, address: Address, why: &str, now: Uptime) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        let mut refused = Refused::again(slot.refused, now);
        let partition = &slot.partition;
        if refused.must_be_said(now) {
            warn!(%partition, why, "the client does not read the partition on: the log's ends are \
                asked, and the group may be entered anew");
            self.around.metrics.error_handled("not_read_on");
            slot.is_out_of_range = true;
        } else {
            debug!(%partition, why, "reading on was refused, it is tried again");
        }
        slot.refused = Some(refused);
        self.ask_if_out_of_range(address);
    }

    /// Stops fetching the partition. What it was resumed at must be said by a seek: librdkafka 2.12
    /// would go on behind the last message of an array, and takes the end of the log for one (it
    /// counts its offset plus one, `rd_kafka_q_serve_rkmessages`), so it would skip a record.
    pub(super) fn pause(&mut self, address: Address) {
        let Some(slot) = self.slots.get_mut(&address).filter(|slot| !slot.is_paused) else {
            return;
        };
        slot.is_paused = true;
        slot.must_seek = true;
        if let Some(fetcher) = &self.fetcher
            && let Err(error) = fetcher.pause(&slot.partition)
        {
            debug!(partition = %slot.partition, %error, "a pause was refused");
        }
    }

    /// Throws away every message of the partition that was read and not handed in; it is fetched
    /// again from the machine's cursor when it is resumed.
    pub(super) fn strike_out(&mut self, address: Address) {
        self.pause(address);
        let Some(slot) = self.slots.get_mut(&address) else { return };
        self.aside -= slot.aside.len();
        slot.aside.clear();
    }
}
