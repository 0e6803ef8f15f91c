//! One partition as a machine: open, sealed, planned, published, done.
//!
//! It owns: the order of steps of the protocol for one partition and one token. The world speaks
//! by `handle`, the machine answers by `poll_action` and says when to wake it by `poll_deadline`.
//! It does not own: any I/O, clock or randomness; settling where to start (`settling`); when
//! memory is short (the shell says so); repeating what was ambiguous (the committer does).
//!
//! At most one batch is planned (`current`), one sealed behind it (`next`), or one open instead of
//! the sealed one. Whoever is to publish has its plan committed first; the commit that ends a
//! batch carries the plan of the next one, so there is one commit a batch.

mod commit;
mod end;
mod message;
mod publish;
mod records;
mod replay;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub use message::{Action, Input, Now, Report};

use replay::Replay;

use super::batch::{OpenBatch, SealedBatch, Workshop};
use super::{ObjectDescription, ObjectId, ObjectSizes, Plan, Source, StopReason};
use crate::layout::Layout;
use crate::model::{Offset, SealPolicy, Uptime};
use crate::mutant::Mutant;

/// How long the log may end below a pending plan before the partition stops (rule 10).
pub const SHORT_LOG_WAIT: Duration = Duration::from_secs(5 * 60);
/// A commit is repeated within the first hour of an assignment, then daily, so that it does not
/// expire (rule 8).
pub const REFRESH_FIRST: Duration = Duration::from_secs(45 * 60);
pub const REFRESH_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// What to do when Kafka deleted records before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLostRecords {
    Stop,
    Skip,
}

/// What the configuration says of this partition.
#[derive(Clone, Debug)]
pub struct PartitionOptions {
    pub layout: Arc<Layout>,
    pub seal: SealPolicy,
    pub sizes: ObjectSizes,
    pub on_lost_records: OnLostRecords,
}

/// Where settling said to start.
#[derive(Clone, Debug)]
pub struct Start {
    pub offset: Offset,
    /// The metadata that stands committed beside `offset`.
    pub metadata: String,
    /// A plan that was not finished: an obligation.
    pub pending: Option<Box<Plan>>,
    /// The first id of the objects of this machine; no other machine of the process uses it or
    /// those that follow.
    pub first_object: ObjectId,
}

/// A batch whose plan was, or is being, committed.
#[derive(Debug)]
struct Current {
    batch: SealedBatch,
    sealed_at: Uptime,
    is_replay: bool,
    /// More objects of the same plan follow, so that the end is not to be committed yet.
    is_pass: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The plan is on its way to Kafka.
    Planning,
    /// The plan is on its way to the claim.
    Claiming,
    /// These objects are on their way; those behind `held_back` wait for the first to be there.
    Publishing { on_their_way: publish::OnTheirWay, held_back: bool },
    /// Every object is there; the commit of the end waits or is on its way.
    Published,
}

/// How far the batch in hand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Idle,
    Open,
    Replaying,
    /// Its plan is on its way to Kafka.
    Planning,
    /// Its plan is on its way to the claim.
    Claiming,
    Publishing,
    /// Every object is there, and the end is not committed.
    Published,
}

/// What the commit on its way was for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum CommitFor {
    Plan,
    End { with_next: bool },
    Advance,
    Refresh,
}

#[derive(Debug)]
struct CommitInFlight {
    purpose: CommitFor,
    offset: Offset,
    metadata: String,
}

#[derive(Debug)]
struct Next {
    batch: SealedBatch,
    sealed_at: Uptime,
}

/// The machine. Dropping it loses nothing that was promised.
#[derive(Debug)]
pub struct Partition {
    source: Source,
    options: PartitionOptions,
    /// What holds from the next batch on.
    new_options: Option<PartitionOptions>,
    /// Behind the last record that was delivered.
    cursor: Offset,
    /// The end that was sealed or enqueued last: where the next batch starts (rule 6).
    tail: Offset,
    committed: Offset,
    committed_metadata: String,
    /// None: what is committed is not ours any more.
    refresh_at: Option<Uptime>,
    /// The end of the log, until a record arrives behind it.
    log_end: Option<Offset>,
    replay: Option<Replay>,
    open: Option<OpenBatch>,
    next: Option<Next>,
    current: Option<Current>,
    commit: Option<CommitInFlight>,
    /// The first batch of each kind publishes its first object alone (rule 16).
    replay_is_first: bool,
    fresh_is_first: bool,
    next_object: ObjectId,
    draining: Draining,
    /// The reason to stop as soon as what is in memory is finished.
    halting: Option<StopReason>,
    is_stopped: bool,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Draining {
    No,
    Yes,
    Told,
}

impl Partition {
    /// Starts a machine at what settling found.
    pub fn new(source: Source, options: PartitionOptions, start: Start, now: Now) -> Self {
        let mut machine = Self {
            source,
            options,
            new_options: None,
            cursor: start.offset,
            tail: start.offset,
            committed: start.offset,
            committed_metadata: start.metadata,
            refresh_at: Some(now.uptime.after(REFRESH_FIRST)),
            log_end: None,
            replay: None,
            open: None,
            next: None,
            current: None,
            commit: None,
            replay_is_first: true,
            fresh_is_first: true,
            next_object: start.first_object,
            draining: Draining::No,
            halting: None,
            is_stopped: false,
            actions: VecDeque::new(),
        };
        if let Some(plan) = start.pending.filter(|_| !Mutant::PendingPlanIsForgotten.is_on()) {
            machine.begin_replay(plan, now);
        }
        machine
    }

    /// Takes an input. A reason to stop becomes `Action::Stop`, after which inputs do nothing but
    /// answer commits.
    pub fn handle(&mut self, now: Now, input: Input<'_>, workshop: &mut Workshop) {
        let result = self.dispatch(now, input, workshop);
        let result = result.and_then(|()| self.advance(now, workshop));
        if let Err(reason) = result {
            self.stop(reason);
            self.say_drained();
        }
    }

    fn dispatch(
        &mut self,
        now: Now,
        input: Input<'_>,
        workshop: &mut Workshop,
    ) -> Result<(), StopReason> {
        match input {
            Input::Committed => self.committed(now),
            Input::CommitRefused { code } => self.commit_refused(now, code),
            Input::Record(record) if !self.is_stopped => self.record(now, &record, workshop),
            Input::EndOfLog(end) if !self.is_stopped => self.end_of_log(now, end, workshop),
            Input::OutOfRange { log_start, log_end } if !self.is_stopped => {
                self.out_of_range(now, log_start, log_end, workshop)
            }
            Input::ClaimWritten => self.claim_written(now),
            Input::Published(object) => self.published(now, object),
            Input::CannotGoOn(reason) => Err(reason),
            Input::Seal(reason) => self.seal_open(now, reason, workshop),
            Input::Relieve => {
                self.relieve(workshop);
                Ok(())
            }
            Input::ReplayAgain { pass_bytes_max } => {
                self.replay_again(now, pass_bytes_max);
                Ok(())
            }
            Input::Options(options) => {
                self.new_options = Some(options);
                if self.open.is_none() {
                    self.take_new_options();
                }
                Ok(())
            }
            Input::Drain(reason) => self.drain(now, reason, workshop),
            Input::Tick => self.tick(now, workshop),
            Input::Record(_) | Input::EndOfLog(_) | Input::OutOfRange { .. } => Ok(()),
        }
    }

    /// To be called while nothing is open: a batch ends as it began.
    fn take_new_options(&mut self) {
        if let Some(options) = self.new_options.take() {
            self.options = options;
        }
    }

    /// Returns what is to be done next, oldest first.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Returns whether `poll_action` has something.
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Returns when to send `Tick`.
    pub fn poll_deadline(&self) -> Option<Uptime> {
        let age = match (&self.open, &self.replay) {
            (Some(open), None) => self.options.seal.deadline(open.stats()),
            (Some(_) | None, Some(_)) | (None, None) => None,
        };
        let short = self.replay.as_ref().and_then(|replay| replay.short_since);
        let short = short.map(|(since, _)| since.after(SHORT_LOG_WAIT));
        let refresh = self.refresh_at.filter(|_| self.may_refresh());
        [age, short, refresh].into_iter().flatten().min()
    }

    /// Returns whether a record may be handed in now. If not, whoever reads keeps it aside.
    pub fn wants_records(&self) -> bool {
        !self.is_stopped
            && self.halting.is_none()
            && self.draining == Draining::No
            && self.next.is_none()
            && !self.is_between_passes()
    }

    /// Returns the offset from which the machine has not been given records.
    pub fn cursor(&self) -> Offset {
        self.cursor
    }

    /// Returns the committed offset, as far as Kafka has answered.
    pub fn frontier(&self) -> Offset {
        self.committed
    }

    /// Returns the offset up to which objects are in S3: the frontier, or the end of a batch that
    /// is published and whose end is not committed yet.
    pub fn published_to(&self) -> Offset {
        let current = self.current.as_ref().filter(|at| matches!(at.stage, Stage::Published));
        current.map_or(self.committed, |at| at.batch.plan.range.end())
    }

    /// Returns the id of the topic that the machine reads.
    pub fn topic_id(&self) -> crate::model::TopicId {
        self.source.topic_id
    }

    /// Returns what was said of an object of the batch that is being published.
    pub fn description(&self, object: ObjectId) -> Option<Arc<ObjectDescription>> {
        let objects = self.current.iter().flat_map(|current| &current.batch.objects);
        let found = objects.map(|sealed| &sealed.description).find(|about| about.id == object);
        found.map(Arc::clone)
    }

    /// Returns whether a batch is open that may be sealed now: a replay ends where its plan says.
    pub fn may_seal(&self) -> bool {
        self.open.is_some() && self.replay.is_none() && self.next.is_none()
    }

    /// Returns whether `Drained` was said.
    pub fn is_drained(&self) -> bool {
        self.draining == Draining::Told
    }

    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    pub fn is_replaying(&self) -> bool {
        self.replay.is_some()
    }

    /// Returns whether a batch is being planned or published.
    pub fn has_current(&self) -> bool {
        self.current.is_some()
    }

    pub fn has_commit_in_flight(&self) -> bool {
        self.commit.is_some()
    }

    /// Returns the open batch's records, value bytes and opening time, if one is open.
    pub fn open_stats(&self) -> Option<crate::model::BatchStats> {
        self.open.as_ref().map(|open| *open.stats())
    }

    /// Returns the memory that records hold here, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.open_bytes()
            + self.next.as_ref().map_or(0, |next| next.batch.held_bytes())
            + self.current.as_ref().map_or(0, |current| current.batch.held_bytes())
    }

    /// Returns what sealing the open batch could set free.
    pub fn open_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, OpenBatch::held_bytes)
    }

    /// Returns how many objects the open batch has.
    pub fn open_objects(&self) -> usize {
        self.open.as_ref().map_or(0, OpenBatch::objects)
    }

    /// Returns how many objects are open or wait to be published.
    pub fn objects(&self) -> usize {
        self.open_objects()
            + self.next.as_ref().map_or(0, |next| next.batch.objects.len())
            + self.current.as_ref().map_or(0, |current| current.batch.objects.len())
    }

    /// Returns how far the batch in hand is.
    pub fn step(&self) -> Step {
        match (self.current.as_ref().map(|current| &current.stage), &self.replay, &self.open) {
            (Some(Stage::Planning), ..) => Step::Planning,
            (Some(Stage::Claiming), ..) => Step::Claiming,
            (Some(Stage::Publishing { .. }), ..) => Step::Publishing,
            (Some(Stage::Published), ..) => Step::Published,
            (None, Some(_), _) => Step::Replaying,
            (None, None, Some(_)) => Step::Open,
            (None, None, None) => Step::Idle,
        }
    }

    /// Throws everything away and returns the objects whose parts may be in S3.
    pub fn discard(mut self) -> Vec<ObjectId> {
        self.forget_batches()
    }

    fn tick(&mut self, now: Now, workshop: &mut Workshop) -> Result<(), StopReason> {
        if let Some(Replay { plan, short_since: Some((since, log_end)), .. }) = &self.replay
            && now.uptime >= since.after(SHORT_LOG_WAIT)
        {
            return Err(StopReason::LogEndsBelowPlan {
                range: plan.range,
                log_end: *log_end,
                minutes: SHORT_LOG_WAIT.as_secs() / 60,
            });
        }
        self.seal_if_due(now, workshop)
    }
}
