//! The tiny world around one machine.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::ledger;
use super::setting::{Entry, entry, options};
use crate::engine::partition::{Action, Input, Now, Partition, PartitionOptions, Report};
use crate::engine::sample::{random, source, workshop};
use crate::engine::{
    ClaimFacts, CommittedOffset, Metadata, ObjectDescription, ObjectId, Start, StopReason,
    Workshop, settle,
};
use crate::model::{BatchId, NoHeaders, Offset, Record, SealReason, Timestamp, Uptime};

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Read(u8),
    EndOfLog,
    /// So many more records can be read.
    Produce(u8),
    /// Kafka deletes so many records from the log's start.
    Retain(u8),
    /// Kafka compacts the record away that lies so far behind the reader, or before it.
    Compact(i8),
    AnswerCommit,
    AnswerClaim,
    AnswerPublish(u8),
    /// Milliseconds.
    Wait(u16),
    Day,
    Seal,
    Relieve,
    /// Memory is short for a replay; each of its passes may keep so many bytes.
    ReplayAgain(Option<u16>),
    Crash,
    CrashWithCommitTaken,
    CrashWithObjectStored,
    /// The next start has another layout and other limits.
    Reconfigure(u8),
    /// The same without a crash.
    Reload(u8),
    Drain,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    batch: BatchId,
    first: Offset,
    count: u64,
    /// As readers see it: a replay may compress in other frames.
    pub(super) text: String,
}

/// An object on its way to S3.
struct Publishing {
    object: Arc<ObjectDescription>,
    count: u64,
    /// None: it went up in parts.
    whole: Option<Vec<u8>>,
}

pub(super) struct World {
    /// As it was produced, and what is left of it.
    pub(super) produced: Vec<Entry>,
    log: Vec<Entry>,
    log_start: usize,
    log_end: usize,
    /// What the machines said they gave up.
    pub(super) lost: Vec<Range<usize>>,
    committed: Option<CommittedOffset>,
    claim: Option<ClaimFacts>,
    pub(super) bucket: BTreeMap<String, Stored>,
    pub(super) machine: Partition,
    workshop: Workshop,
    options: PartitionOptions,
    now: Duration,
    read: usize,
    commit: Option<(Offset, String)>,
    claim_write: Option<(String, Offset)>,
    publishing: VecDeque<Publishing>,
    parts: BTreeMap<ObjectId, BTreeMap<u32, Vec<u8>>>,
    lives: u64,
    pub(super) stopped: Option<StopReason>,
    drained: bool,
    is_draining: bool,
    pub(super) passes: usize,
}

fn offset(index: usize) -> Offset {
    Offset::new(i64::try_from(index).unwrap()).unwrap()
}

fn index(offset: Offset) -> usize {
    usize::try_from(offset.value()).unwrap()
}

impl World {
    pub(super) fn new(seed: u64, records: usize) -> Self {
        let mut dice = random(seed);
        let log: Vec<_> = (0..records).map(|index| entry(index, (dice.0)() >> 7)).collect();
        let workshop = Workshop { random: dice, ..workshop(0) };
        let options = options(u8::try_from(seed % 12).unwrap());
        let start = Start {
            offset: Offset::ZERO,
            metadata: String::new(),
            pending: None,
            first_object: ObjectId(0),
        };
        let now = Now { uptime: Uptime::ZERO, wall: Timestamp::from_millis(0) };
        let mut world = Self {
            produced: log.clone(),
            log,
            log_start: 0,
            log_end: 0,
            lost: Vec::new(),
            committed: None,
            claim: None,
            bucket: BTreeMap::new(),
            machine: Partition::new(source(), options.clone(), start, now),
            workshop,
            options,
            now: Duration::ZERO,
            read: 0,
            commit: None,
            claim_write: None,
            publishing: VecDeque::new(),
            parts: BTreeMap::new(),
            lives: 0,
            stopped: None,
            drained: false,
            is_draining: false,
            passes: 0,
        };
        world.crash();
        world
    }

    fn now(&self) -> Now {
        let wall = i64::try_from(self.now.as_millis()).unwrap() + 1_700_000_000_000;
        Now { uptime: Uptime::new(self.now), wall: Timestamp::from_millis(wall) }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Read(count) => (0..count).for_each(|_| self.read()),
            Step::EndOfLog => self.end_of_log(),
            Step::Produce(count) => {
                self.log_end = (self.log_end + usize::from(count)).min(self.log.len());
            }
            Step::Retain(count) => {
                self.log_start = (self.log_start + usize::from(count)).min(self.log_end);
            }
            Step::Compact(distance) => {
                let index = self.read.checked_add_signed(isize::from(distance));
                if let Some(entry) = index.and_then(|index| self.log.get_mut(index)) {
                    *entry = Entry::Nothing;
                }
            }
            Step::AnswerCommit => self.answer_commit(),
            Step::AnswerClaim => self.answer_claim(),
            Step::AnswerPublish(which) => self.answer_publish(usize::from(which)),
            Step::Wait(millis) => {
                self.now += Duration::from_millis(u64::from(millis));
                self.handle(Input::Tick);
            }
            Step::Day => {
                self.now += Duration::from_hours(24);
                self.handle(Input::Tick);
            }
            Step::Seal => self.handle(Input::Seal(SealReason::Request)),
            Step::Relieve => self.handle(Input::Relieve),
            Step::ReplayAgain(bytes) => {
                self.handle(Input::ReplayAgain { pass_bytes_max: bytes.map(u64::from) });
            }
            Step::Crash => self.crash(),
            Step::CrashWithCommitTaken => {
                self.take_commit();
                self.crash();
            }
            Step::CrashWithObjectStored => {
                self.store(0);
                self.crash();
            }
            Step::Reconfigure(choice) => {
                self.options = options(choice);
                self.crash();
            }
            Step::Reload(choice) => {
                self.options = options(choice);
                self.handle(Input::Options(options(choice)));
            }
            Step::Drain => {
                self.is_draining = true;
                self.handle(Input::Drain(SealReason::Revoke));
            }
        }
    }

    /// Hands in the next record, if the machine wants one. Behind a drain records are struck out,
    /// but what else the reader says may still arrive.
    fn read(&mut self) {
        if self.read < self.log_start {
            let (log_start, log_end) = (offset(self.log_start), offset(self.log_end));
            return self.handle(Input::OutOfRange { log_start, log_end });
        }
        let Some(entry) = self.log[..self.log_end].get(self.read).cloned() else { return };
        if !self.machine.wants_records() {
            self.read += usize::from(self.is_draining);
            return;
        }
        let offset = offset(self.read);
        self.read += 1;
        let value = match &entry {
            Entry::Value(value) | Entry::Bad(value) => Some(value.as_slice()),
            Entry::Tombstone => None,
            Entry::Nothing => return,
        };
        let timestamp = Some(Timestamp::from_millis(0));
        let record = Record { offset, timestamp, key: None, value, headers: &NoHeaders };
        self.handle(Input::Record(record));
    }

    fn end_of_log(&mut self) {
        if self.read == self.log_end {
            self.handle(Input::EndOfLog(offset(self.read)));
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        let now = self.now();
        self.machine.handle(now, input, &mut self.workshop);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Commit { offset, metadata } => {
                    assert!(self.commit.is_none(), "one commit on its way");
                    self.commit = Some((offset, metadata));
                }
                Action::UploadPart(part) => {
                    let parts = self.parts.entry(part.object.id).or_default();
                    assert!(parts.insert(part.number, part.body.to_vec()).is_none());
                }
                Action::WriteClaim { plan, start } => self.claim_write = Some((plan, start)),
                Action::Put { object, count, body, .. } => {
                    let whole = Some(body.to_vec());
                    self.publishing.push_back(Publishing { object, count, whole });
                }
                Action::Complete { object, count, parts } => {
                    let there = self.parts.get(&object.id).map_or(0, BTreeMap::len);
                    assert_eq!(usize::try_from(parts).unwrap(), there, "{object:?}");
                    self.publishing.push_back(Publishing { object, count, whole: None });
                }
                Action::Abort(object) => drop(self.parts.remove(&object)),
                Action::Seek(offset) => self.read = index(offset),
                Action::Rewind => self.read = index(self.machine.cursor()),
                Action::Report(Report::ReplayPass { .. }) => self.passes += 1,
                Action::Report(Report::LostRecords { from, to }) => {
                    self.lost.push(index(from)..index(to));
                }
                Action::Report(_) => {}
                Action::Stop(reason) => self.stopped = Some(reason),
                Action::Drained => self.drained = true,
            }
        }
    }

    /// The coordinator takes the commit on its way.
    fn take_commit(&mut self) -> bool {
        let Some((offset, metadata)) = self.commit.take() else { return false };
        if let Some(committed) = &self.committed {
            assert!(offset >= committed.offset, "the frontier never falls back");
        }
        self.committed = Some(CommittedOffset { offset, metadata: metadata.into_bytes() });
        true
    }

    fn answer_commit(&mut self) {
        if self.take_commit() {
            self.handle(Input::Committed);
        }
    }

    fn answer_claim(&mut self) {
        if let Some((_, start)) = self.claim_write.take() {
            if let Some(claim) = &mut self.claim {
                claim.last_plan = Some(start);
            }
            self.handle(Input::ClaimWritten);
        }
    }

    /// S3 takes an object. First writer wins; only an obligation may be published.
    fn store(&mut self, which: usize) -> Option<ObjectId> {
        let which = which.checked_rem(self.publishing.len())?;
        let Publishing { object, count, whole } = self.publishing.remove(which)?;
        self.assert_is_planned(&object);
        let body = whole.unwrap_or_else(|| {
            let claimed = self.claim.and_then(|claim| claim.last_plan);
            assert_eq!(claimed, Some(object.batch_start), "the claim goes before a complete");
            let parts = self.parts.get(&object.id).expect("parts before complete");
            assert!(parts.keys().copied().eq(1..=u32::try_from(parts.len()).unwrap()));
            parts.values().flatten().copied().collect()
        });
        let text = ledger::text(object.key.as_str(), &body);
        let stored = Stored { batch: object.batch, first: object.first, count, text };
        match self.bucket.get(object.key.as_str()) {
            Some(there) => assert_eq!(*there, stored, "first writer wins, with the same text"),
            None => drop(self.bucket.insert(object.key.as_str().to_owned(), stored)),
        }
        Some(object.id)
    }

    fn assert_is_planned(&self, object: &ObjectDescription) {
        let committed = self.committed.as_ref().expect("a plan before any object");
        let Ok(Metadata::Plan(plan)) = Metadata::parse(&committed.metadata) else {
            panic!("{} is published without a plan", object.key.as_str())
        };
        assert_eq!((plan.batch, plan.range.start()), (object.batch, object.batch_start));
    }

    fn answer_publish(&mut self, which: usize) {
        if let Some(object) = self.store(which) {
            self.handle(Input::Published(object));
        }
    }

    /// The process dies; another one settles and starts at what is committed.
    fn crash(&mut self) {
        (self.commit, self.claim_write) = (None, None);
        self.publishing.clear();
        self.parts.clear();
        (self.stopped, self.drained, self.is_draining) = (None, false, false);
        self.lives += 1;
        let verdict =
            settle(&source(), self.committed.as_ref(), self.claim.as_ref(), Offset::ZERO).unwrap();
        if verdict.must_pin {
            let metadata = verdict.metadata.clone().into_bytes();
            self.committed = Some(CommittedOffset { offset: verdict.offset, metadata });
        }
        let (topic_id, first_start) = (source().topic_id, verdict.offset);
        self.claim.get_or_insert(ClaimFacts { topic_id, first_start, last_plan: None });
        let start = Start {
            offset: verdict.offset,
            metadata: verdict.metadata,
            pending: verdict.pending,
            first_object: ObjectId(self.lives << 32),
        };
        self.read = index(verdict.offset);
        let now = self.now();
        self.machine = Partition::new(source(), self.options.clone(), start, now);
        self.carry_out();
    }

    /// Lets everything go well until nothing is left to do.
    pub(super) fn finish(&mut self) {
        self.log_end = self.log.len();
        if self.drained || !self.machine.wants_records() {
            self.settle_down();
            self.crash();
        }
        for _ in 0..self.log.len() * 8 + 64 {
            self.step(Step::Read(3));
            self.end_of_log();
            self.step(Step::Wait(300));
            self.settle_down();
        }
    }

    fn settle_down(&mut self) {
        for _ in 0..8 {
            self.answer_commit();
            self.answer_claim();
            (0..4).for_each(|which| self.answer_publish(which));
        }
    }

    /// Returns whether Kafka took this entry away by compaction.
    pub(super) fn is_compacted(&self, index: usize) -> bool {
        self.log[index] != self.produced[index]
    }
}
