//! Reading records: arrays from the queue, into machines, or aside.

use std::ptr::addr_eq;
use std::rc::Rc;
use std::time::Duration;

use tracing::warn;

use super::slot::{ASIDE_MAX, Kept, State};
use super::{WAIT_MAX, Worker};
use crate::engine::{Address, Input, Now};
use crate::kafka::ffi::{BATCH_MESSAGES_MAX, Content, ErrorCode};
use crate::kafka::seat::{Messages, Read};
use crate::kafka::{PartitionFault, partition_fault};
use crate::model::TopicPartition;
use crate::mutant::Mutant;

/// Messages kept aside over all partitions: beyond it they are struck out and fetched again.
const ASIDE_SUM_MAX: usize = 20_000;
/// Arrays of which messages are kept aside; what is beyond is struck out and fetched again.
const PINNED_MAX: usize = 2;
/// After this many records of one array the clock is looked at again.
const LOOK_EVERY: usize = 64;

/// An array that was read, and how far it was looked at.
#[derive(Debug)]
pub(super) struct Rest {
    batch: Rc<dyn Messages>,
    index: usize,
}

impl Worker {
    /// Reads what is there, or waits for the first message or mail. Without a client returns how
    /// long to wait for mail.
    pub(super) fn read(&mut self) -> Option<Duration> {
        if self.rest.is_none() {
            let wait = self.wait();
            let Some(fetcher) = &mut self.fetcher else { return Some(WAIT_MAX) };
            let is_called = || self.mailbox.has_mail();
            let batch = fetcher.read(BATCH_MESSAGES_MAX, wait, &is_called)?;
            self.rest = Some(Rest { batch, index: 0 });
        }
        self.read_rest();
        None
    }

    fn wait(&self) -> Duration {
        let now = self.around.clock.uptime();
        let deadlines = self.slots.values().filter_map(|slot| slot.machine()?.poll_deadline());
        let next = deadlines.min().map_or(WAIT_MAX, |at| at.since(now));
        next.clamp(Duration::from_millis(1), WAIT_MAX)
    }

    /// Goes through the array until its end, or until memory is short.
    fn read_rest(&mut self) {
        let Some(Rest { batch, mut index }) = self.rest.take() else { return };
        let mut known: Option<(usize, Option<Address>)> = None;
        let (mut records, mut value_bytes) = (0, 0);
        let mut now = self.around.clock.now();
        while let Some(message) = batch.get(index) {
            // At each: one value may have a hundred megabytes.
            if self.must_wait() {
                self.rest = Some(Rest { batch: Rc::clone(&batch), index });
                break;
            }
            if index % LOOK_EVERY == 0 {
                now = self.around.clock.now();
            }
            let same = known.filter(|(before, _)| {
                batch.get(*before).is_some_and(|before| before.place() == message.place())
            });
            let address = match same {
                Some((_, address)) => address,
                None => self.address_of(message),
            };
            known = Some((index, address));
            if let Some(address) = address {
                let is_record = self.take_message(now, address, (&batch, index));
                if let Some(bytes) = is_record {
                    records += 1;
                    value_bytes += bytes;
                }
            }
            index += 1;
        }
        self.around.metrics.records_read(records, value_bytes);
    }

    fn address_of(&self, message: &dyn Read) -> Option<Address> {
        let topic = std::str::from_utf8(message.topic()).ok()?;
        let partition = TopicPartition::new(topic, message.partition()).ok()?;
        self.by_partition.get(&partition).copied()
    }

    /// Hands a message to its machine, or keeps it aside, or drops it (it will be read again).
    /// Returns the size of a record's value.
    fn take_message(
        &mut self,
        now: Now,
        address: Address,
        (batch, index): (&Rc<dyn Messages>, usize),
    ) -> Option<u64> {
        let message = batch.get(index)?;
        let is_tight = self.privileged.is_some_and(|privileged| privileged != address);
        let slot = self.slots.get(&address)?;
        if let Content::Error { code, .. } = message.content() {
            // Comes once, and ends the fetching: it is heard whatever becomes of records.
            self.partition_error(address, code);
            return None;
        }
        if slot.must_seek && !Mutant::StruckOutIsRead.is_on() {
            return None; // struck out: the seek is still to come
        }
        if slot.aside.is_empty() && slot.wants_records() && !is_tight {
            return self.feed(now, address, message);
        }
        if slot.machine().is_none() || slot.stopped.is_some() || !slot.drain.is_empty() {
            return None;
        }
        if is_tight || self.aside >= ASIDE_SUM_MAX || !self.may_pin(batch) {
            self.strike_out(address);
            return None;
        }
        let slot = self.slots.get_mut(&address)?;
        slot.aside.push_back(Kept { batch: Rc::clone(batch), index });
        self.aside += 1;
        if slot.aside.len() >= ASIDE_MAX {
            self.pause(address);
        }
        None
    }

    /// Returns whether messages of this array may be kept aside: each keeps all of it in memory.
    fn may_pin(&mut self, batch: &Rc<dyn Messages>) -> bool {
        self.pinned.retain(|array| array.strong_count() > 0);
        if self.pinned.iter().any(|array| addr_eq(array.as_ptr(), Rc::as_ptr(batch))) {
            return true;
        }
        let may = self.pinned.len() < PINNED_MAX;
        if may {
            self.pinned.push(Rc::downgrade(batch));
        }
        may
    }

    /// Gives the machine what the message says.
    pub(super) fn feed(&mut self, now: Now, address: Address, message: &dyn Read) -> Option<u64> {
        match message.content() {
            Content::Record(record) => {
                let bytes = record.value.map_or(0, <[u8]>::len);
                let slot = self.slots.get_mut(&address)?;
                let State::Running(machine) = &mut slot.state else { return None };
                if record.offset < machine.cursor() {
                    return None; // from before a seek
                }
                slot.progress.read(record.timestamp);
                machine.handle(now, Input::Record(record), &mut self.workshop);
                self.carry_out(address);
                u64::try_from(bytes).ok()
            }
            Content::End(end) => {
                if let Some(slot) = self.slots.get_mut(&address) {
                    slot.log_end_is(end);
                }
                self.drive(address, Input::EndOfLog(end));
                None
            }
            Content::Error { code, offset: _ } => {
                self.partition_error(address, code);
                None
            }
        }
    }

    fn partition_error(&mut self, address: Address, code: ErrorCode) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        let partition = slot.partition.clone();
        match partition_fault(code) {
            PartitionFault::OutOfRange => {
                slot.is_out_of_range = true;
                self.ask_if_out_of_range(address);
            }
            PartitionFault::Unknown => {
                if self.said.may_say(&format!("{partition} {code}")) {
                    warn!(%partition, %code, "the partition is unknown to the brokers: was the \
                        topic deleted?");
                }
                self.around.metrics.error_handled("unknown_partition");
                self.around.settler.look_at_topics();
            }
            PartitionFault::Passing => {
                if self.said.may_say(&format!("{partition} {code}")) {
                    warn!(%partition, %code, "the partition cannot be read now, it is tried again");
                }
                self.around.metrics.error_handled("fetch");
            }
        }
    }

    /// Asks how far the log reaches, if the position was out of range and there is a machine to
    /// judge it.
    pub(super) fn ask_if_out_of_range(&mut self, address: Address) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        if !slot.is_out_of_range || slot.asks_watermarks || slot.machine().is_none() {
            return;
        }
        (slot.is_out_of_range, slot.asks_watermarks) = (false, true);
        self.around.settler.watermarks(address, &slot.partition, &self.mailbox);
    }
}
