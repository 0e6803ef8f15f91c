//! One partition inside a worker: its machine or how far it is on the way to one.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::progress::Progress;
use super::resume::Refused;
use crate::daemon::budget::Holding;
use crate::daemon::metrics::PartitionMetrics;
use crate::daemon::settler::Settlement;
use crate::engine::{Partition, StopReason};
use crate::kafka::ffi::Content;
use crate::kafka::seat::Messages;
use crate::model::{ObjectKey, Offset, Timestamp, TopicPartition, Uptime};
use crate::s3::{Claim, Claims, Etag};

/// A stopped partition is tried again this often.
const TRY_AGAIN: Duration = Duration::from_secs(600);
/// Rule 11: its claim is read this often, whether `sluice recover` has written a decision.
pub(super) const LOOK: Duration = Duration::from_secs(60);
/// Messages of one partition that are kept aside before it is paused.
pub(super) const ASIDE_MAX: usize = 1_000;

/// How far a partition is.
#[derive(Debug)]
pub(super) enum State {
    /// Kafka and the claim are being asked.
    Settling,
    /// The start is being committed.
    Pinning(Box<Settlement>),
    /// The claim is being created.
    Claiming(Box<Settlement>),
    Running(Box<Partition>),
    /// Stopped before there was a machine.
    Halted,
}

/// A message inside an array that was read.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) batch: Rc<dyn Messages>,
    pub(super) index: usize,
}

/// The claim as this machine knows it, and what waits to be written into it.
#[derive(Debug)]
pub(super) struct HeldClaim {
    pub(super) claims: Claims,
    pub(super) claim: Claim,
    pub(super) etag: Option<Etag>,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) partition: TopicPartition,
    pub(super) state: State,
    pub(super) aside: VecDeque<Kept>,
    pub(super) is_paused: bool,
    /// Messages were struck out: seek before reading on.
    pub(super) must_seek: bool,
    pub(super) claim: Option<HeldClaim>,
    pub(super) stopped: Option<(StopReason, Uptime)>,
    /// When the claim of the stopped partition is looked at for a decision.
    pub(super) look_at: Option<Uptime>,
    /// The claim with the decision that was acted on last.
    pub(super) decided: Option<Etag>,
    /// Begin anew as soon as no commit is on its way.
    pub(super) must_restart: bool,
    /// Restarts since the last commit (rule 18).
    pub(super) restarts: u32,
    /// Who waits until everything of this partition is finished.
    pub(super) drain: Vec<UnboundedSender<TopicPartition>>,
    /// As the budget counts it.
    pub(super) holding: Holding,
    pub(super) log_end: Option<Offset>,
    pub(super) last_key: Option<ObjectKey>,
    /// Up to which time its records are in S3.
    pub(super) published_time: Option<Timestamp>,
    pub(super) progress: Progress,
    pub(super) metrics: PartitionMetrics,
    /// The log's ends were asked for, because the position was out of range.
    pub(super) asks_watermarks: bool,
    /// Kafka said so before there was a machine; it says so once.
    pub(super) is_out_of_range: bool,
    /// The log's end was asked for, because it is not fetched.
    pub(super) asks_log_end: bool,
    pub(super) ask_log_end_at: Option<Uptime>,
    /// From then on it is asked whether an idle log is still at its end.
    pub(super) ask_idle_at: Uptime,
    /// The client does not let it read on.
    pub(super) refused: Option<Refused>,
    /// What stood committed before there was a machine.
    pub(super) committed: Option<Offset>,
}

impl Slot {
    pub(super) fn new(partition: TopicPartition, metrics: PartitionMetrics) -> Self {
        Self {
            partition,
            state: State::Settling,
            aside: VecDeque::new(),
            is_paused: true,
            must_seek: true,
            claim: None,
            stopped: None,
            look_at: None,
            decided: None,
            must_restart: false,
            restarts: 0,
            drain: Vec::new(),
            holding: Holding::default(),
            log_end: None,
            last_key: None,
            published_time: None,
            progress: Progress::default(),
            metrics,
            asks_watermarks: false,
            is_out_of_range: false,
            asks_log_end: false,
            ask_log_end_at: None,
            ask_idle_at: Uptime::ZERO,
            refused: None,
            committed: None,
        }
    }

    /// Notes an end of the log; those that fetches and answers say may be older than what is known.
    pub(super) fn log_end_is(&mut self, end: Offset) {
        let end = self.log_end.map_or(end, |known| known.max(end));
        self.log_end = Some(end);
        self.metrics.log_end_known(end);
    }

    /// Notes where the group stands, before there is a machine.
    pub(super) fn committed_is(&mut self, committed: Offset) {
        self.committed = Some(committed);
        self.metrics.committed(committed);
    }

    pub(super) fn machine(&self) -> Option<&Partition> {
        match &self.state {
            State::Running(machine) => Some(machine),
            State::Settling | State::Pinning(_) | State::Claiming(_) | State::Halted => None,
        }
    }

    /// Returns the offset behind all that was taken from Kafka, what is kept aside too.
    pub(super) fn consumed(&self) -> Option<Offset> {
        let cursor = self.machine().map(Partition::cursor)?;
        let last = self.aside.back().and_then(|kept| kept.batch.get(kept.index));
        let aside = last.and_then(|message| match message.content() {
            Content::Record(record) => Some(record.offset.next()),
            Content::End(_) | Content::Error { .. } => None,
        });
        Some(aside.map_or(cursor, |aside| aside.max(cursor)))
    }

    /// Returns whether all that is known of the log is published.
    pub(super) fn is_idle(&self) -> bool {
        let Some(machine) = self.machine() else { return false };
        let known = self.log_end.map(|end| end.max(machine.cursor()));
        known.is_some_and(|known| known <= machine.published_to())
    }

    /// Returns whether the machine has a deadline that has come, or a stop is to be tried again.
    pub(super) fn is_due(&self, now: Uptime) -> bool {
        let machine = self.machine().and_then(Partition::poll_deadline);
        machine.is_some_and(|at| at <= now) || self.must_try_again(now) || self.must_look(now)
    }

    /// Notes why the partition stopped, and when.
    pub(super) fn stops(&mut self, reason: StopReason, now: Uptime) {
        self.stopped = Some((reason, now));
        self.look_at = Some(now.after(LOOK));
    }

    /// Returns whether it is time to look for a decision.
    pub(super) fn must_look(&self, now: Uptime) -> bool {
        self.stopped.is_some() && self.look_at.is_some_and(|at| at <= now)
    }

    /// Returns whether the partition was stopped so long ago that it is tried again.
    pub(super) fn must_try_again(&self, now: Uptime) -> bool {
        self.stopped.as_ref().is_some_and(|(_, since)| since.after(TRY_AGAIN) <= now)
    }

    /// Answers everybody who waits for the drain.
    pub(super) fn tell_drained(&mut self) {
        for done in self.drain.drain(..) {
            drop(done.send(self.partition.clone()));
        }
    }

    pub(super) fn wants_records(&self) -> bool {
        self.machine().is_some_and(Partition::wants_records)
    }

    /// Returns the word for the status page.
    pub(super) fn word(&self) -> &'static str {
        match &self.state {
            _ if self.stopped.is_some() => "stopped",
            State::Settling | State::Pinning(_) | State::Claiming(_) => "starting",
            State::Halted => "stopped",
            State::Running(machine) if machine.is_replaying() => "replaying",
            State::Running(_) if !self.drain.is_empty() => "draining",
            State::Running(_) => "reading",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::metrics::{Metrics, PartitionSeries};

    fn at(seconds: u64) -> Uptime {
        Uptime::ZERO.after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_stopped_partition_is_tried_again_after_ten_minutes() {
        let partition = TopicPartition::new("pin", 0).unwrap();
        let metrics = Metrics::new(PartitionSeries::Shown).unwrap().partition_assigned(&partition);
        let mut slot = Slot::new(partition, metrics);
        assert!(!slot.is_due(at(10_000)), "it was never stopped");
        slot.stops(StopReason::UploadsLost { times: 4 }, at(100));
        let due = [at(100), at(699), at(700), at(10_000)].map(|now| slot.must_try_again(now));
        assert_eq!(due, [false, false, true, true]);
        let looks = [at(100), at(159), at(160)].map(|now| slot.must_look(now));
        assert_eq!(looks, [false, false, true]);
        assert!(slot.is_due(at(160)) && !slot.is_due(at(159)));
    }
}
