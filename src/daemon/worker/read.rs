//! Reading records: arrays from the queue, into machines, or aside.

use std::ptr::addr_eq;
use std::rc::Rc;
use std::time::Duration;

use tracing::warn;

use super::slot::{ASIDE_MAX, Kept, State};
use super::{WAIT_MAX, Worker};
use crate::engine::{Address, Input, Now};
use crate::kafka::ffi::{BATCH_MESSAGES_MAX, Content, ErrorCode, Place};
use crate::kafka::seat::{Messages, Read};
use crate::kafka::{PartitionFault, partition_fault};
use crate::model::{Record, TopicPartition};
use crate::mutant::Mutant;

/// Messages kept aside over all partitions: beyond it they are struck out and fetched again.
const ASIDE_SUM_MAX: usize = 20_000;
/// Arrays of which messages are kept aside; what is beyond is struck out and fetched again.
const PINNED_MAX: usize = 2;
/// After this many records of one partition the clock and the memory are looked at again.
const LOOK_EVERY: usize = 64;

/// Records and the bytes of their values.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    records: usize,
    value_bytes: u64,
}

impl Sum {
    fn add(&mut self, value_bytes: u64) {
        self.records += 1;
        self.value_bytes += value_bytes;
    }
}

fn value_bytes(record: &Record<'_>) -> u64 {
    record.value.map_or(0, |value| u64::try_from(value.len()).unwrap_or(u64::MAX))
}

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
        let mut known: Option<(Place<'_>, Option<Address>)> = None;
        let mut read = Sum::default();
        let (mut now, mut look_at) = (self.around.clock.now(), index + LOOK_EVERY);
        while let Some(message) = batch.get(index) {
            if self.must_wait() {
                self.rest = Some(Rest { batch: Rc::clone(&batch), index });
                break;
            }
            if index >= look_at {
                (now, look_at) = (self.around.clock.now(), index + LOOK_EVERY);
            }
            let place = message.place();
            let same = known.filter(|(before, _)| *before == place);
            let address = same.map_or_else(|| self.address_of(message), |(_, address)| address);
            known = Some((place, address));
            let Some(address) = address else {
                index += 1;
                continue;
            };
            let fed = self.feed_run(now, address, (&*batch, index), place);
            if fed.records == 0 {
                if let Some(bytes) = self.take_message(now, address, (&batch, index)) {
                    read.add(bytes);
                }
                index += 1;
            } else {
                index += fed.records;
                read.records += fed.records;
                read.value_bytes += fed.value_bytes;
            }
        }
        let records = u64::try_from(read.records).unwrap_or(u64::MAX);
        self.around.metrics.records_read(records, read.value_bytes);
    }

    /// Hands records of one partition to its machine, from one message on: until one is not to be
    /// taken just like that, the machine wants something done, or what it holds has changed, which
    /// one value of a hundred megabytes may do; and no longer than the clock may stand still.
    fn feed_run(
        &mut self,
        now: Now,
        address: Address,
        (batch, from): (&dyn Messages, usize),
        place: Place<'_>,
    ) -> Sum {
        let mut fed = Sum::default();
        let is_tight = self.is_behind_a_replay(address);
        let Some(slot) = self.slots.get_mut(&address) else { return fed };
        let is_aside = !slot.aside.is_empty() || slot.must_seek;
        let State::Running(machine) = &mut slot.state else { return fed };
        if is_tight || is_aside {
            return fed;
        }
        while fed.records < LOOK_EVERY
            && machine.wants_records()
            && let Some(message) = batch.get(from + fed.records)
            && message.place() == place
            && let Content::Record(record) = message.content()
            && record.offset >= machine.cursor()
        {
            fed.add(value_bytes(&record));
            slot.progress.read(record.timestamp, now.wall);
            machine.handle(now, Input::Record(record), &mut self.workshop);
            if machine.has_actions() || machine.held_bytes() != slot.holding.bytes {
                break;
            }
        }
        if fed.records > 0 {
            self.carry_out(address);
        }
        fed
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
        let is_tight = self.is_behind_a_replay(address);
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
                let bytes = value_bytes(&record);
                let slot = self.slots.get_mut(&address)?;
                let State::Running(machine) = &mut slot.state else { return None };
                if record.offset < machine.cursor() {
                    return None; // from before a seek
                }
                slot.progress.read(record.timestamp, now.wall);
                machine.handle(now, Input::Record(record), &mut self.workshop);
                self.carry_out(address);
                Some(bytes)
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
