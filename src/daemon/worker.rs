//! A worker: a thread that owns partitions, their queue and their machines.
//!
//! It owns: one loop (mail first, then deadlines, then records), which machine a record goes to,
//! what is kept aside when a machine can take no more, pausing and resuming.
//! It does not own: the rules (the machines), commits (`gate`), uploads, where to start (`settler`).
//!
//! It never waits inside an array of messages: when memory is short, or a partition is full, the
//! rest is kept aside and the mailbox is served (protocol rule 19).

mod act;
mod claim;
mod log_end;
mod mail;
mod memory;
mod progress;
mod read;
mod report;
mod resume;
mod slot;
mod start;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::BTreeMap;
use std::rc::Weak;
use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::clock::Clock;
use super::gate::Gate;
use super::live::Live;
use super::mailbox::Mailbox;
use super::metrics::{Metrics, WorkerMetrics};
use super::said::Said;
use super::settler::Settler;
use super::status::{Heartbeat, Status};
use super::stores::Stores;
use crate::engine::{Address, Input, Workshop};
use crate::kafka::seat::{Fetcher, Messages};
use crate::model::{TopicPartition, Uptime};
use crate::s3::Uploads;

use read::Rest;
use slot::{Slot, State};
use turns::{Patience, Turns};

/// The longest wait for records or mail: beats and reports come at least this often.
const WAIT_MAX: Duration = Duration::from_millis(250);
/// While memory is short the mailbox is what sets it free.
const WAIT_SHORT: Duration = Duration::from_millis(20);
/// Deadlines of machines are looked at this often.
const TICK: Duration = Duration::from_millis(10);

/// What a worker shares with the process.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    pub(super) settings: Live,
    pub(super) clock: Clock,
    pub(super) gate: Arc<Gate>,
    pub(super) settler: Settler,
    pub(super) uploads: Uploads,
    pub(super) stores: Arc<Stores>,
    pub(super) budget: Budget,
    pub(super) metrics: Metrics,
    pub(super) status: Status,
    /// Uncompressed bytes that become one member or frame.
    pub(super) frame_bytes: usize,
}

/// The thread's own.
#[derive(Debug)]
pub(super) struct Worker {
    around: Surroundings,
    mailbox: Mailbox,
    /// Of the present client.
    fetcher: Option<Box<dyn Fetcher>>,
    slots: BTreeMap<Address, Slot>,
    by_partition: BTreeMap<TopicPartition, Address>,
    workshop: Workshop,
    /// Messages that were read and not looked at.
    rest: Option<Rest>,
    /// Messages kept aside over all slots.
    aside: usize,
    /// The arrays that messages kept aside belong to.
    pinned: Vec<Weak<dyn Messages>>,
    /// Of replays, while memory is short.
    turns: Turns,
    /// With what is on its way, while memory is short.
    patience: Patience,
    tick_at: Uptime,
    report_at: Uptime,
    relieve_at: Uptime,
    told: WorkerMetrics,
    heartbeat: Heartbeat,
    said: Said,
    is_stopping: bool,
}

impl Worker {
    pub(super) fn new(
        around: Surroundings,
        mailbox: Mailbox,
        workshop: Workshop,
        told: (WorkerMetrics, Heartbeat),
    ) -> Self {
        let (told, heartbeat) = told;
        Self {
            around,
            mailbox,
            fetcher: None,
            slots: BTreeMap::new(),
            by_partition: BTreeMap::new(),
            workshop,
            rest: None,
            aside: 0,
            pinned: Vec::new(),
            turns: Turns::default(),
            patience: Patience::default(),
            tick_at: Uptime::ZERO,
            report_at: Uptime::ZERO,
            relieve_at: Uptime::ZERO,
            told,
            heartbeat,
            said: Said::default(),
            is_stopping: false,
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        while !self.is_stopping {
            if let Some(idle) = self.turn() {
                self.mailbox.wait(idle);
            }
        }
        self.heartbeat.finish();
    }

    /// Goes round once. Returns how long to wait for mail, if there is nothing to be read from.
    pub(super) fn turn(&mut self) -> Option<Duration> {
        self.heartbeat.beat(self.around.clock.uptime());
        for mail in self.mailbox.take() {
            self.serve(mail);
        }
        self.tick();
        self.relieve_if_over();
        self.read_aside();
        if self.must_wait() {
            return Some(WAIT_SHORT);
        }
        self.read()
    }

    /// Wakes the machines whose time has come.
    fn tick(&mut self) {
        let now = self.around.clock.uptime();
        if now < self.tick_at {
            return;
        }
        self.tick_at = now.after(TICK);
        let due: Vec<Address> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.is_due(now))
            .map(|(address, _)| *address)
            .collect();
        for address in due {
            self.drive(address, Input::Tick);
            self.try_again(address, now);
        }
        if now >= self.report_at {
            self.report_at = now.after(Duration::from_secs(1));
            self.report(now);
        }
    }

    /// Gives a machine an input and carries out what it wants.
    fn drive(&mut self, address: Address, input: Input<'_>) {
        let now = self.around.clock.now();
        let Some(slot) = self.slots.get_mut(&address) else { return };
        if let State::Running(machine) = &mut slot.state {
            machine.handle(now, input, &mut self.workshop);
            self.carry_out(address);
        }
    }
}

/// One partition as the simulation sees it.
#[cfg(any(test, feature = "mutants"))]
#[derive(Debug)]
pub(super) struct Looked<'a> {
    pub(super) partition: &'a TopicPartition,
    pub(super) machine: Option<&'a crate::engine::Partition>,
    pub(super) stopped: Option<&'a crate::engine::StopReason>,
}

#[cfg(any(test, feature = "mutants"))]
impl Worker {
    /// Looks at every partition.
    pub(super) fn look(&self) -> impl Iterator<Item = Looked<'_>> {
        self.slots.values().map(|slot| Looked {
            partition: &slot.partition,
            machine: slot.machine(),
            stopped: slot.stopped.as_ref().map(|(reason, _)| reason),
        })
    }
}
