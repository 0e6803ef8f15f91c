//! The tiny world around one machine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::partition::{Action, Input, Now, OnLostRecords, Partition, PartitionOptions};
use crate::engine::{
    ClaimFacts, CommittedOffset, Metadata, ObjectDescription, ObjectId, ObjectSizes, Plan, Random,
    Source, Start, StopReason, Workshop, settle,
};
use crate::format::{Compression, Compressors, Encoding, Format};
use crate::layout::{
    Layout, NameTemplate, OnBad, OnMissingRoute, OnNull, PathTemplate, RouteCache, TimeSource, Zone,
};
use crate::model::{
    BatchId, Bucket, ClusterId, NoHeaders, Offset, Record, SealPolicy, SealReason, Timestamp,
    TopicId, TopicPartition, Uptime,
};

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Read(u8),
    EndOfLog,
    AnswerCommit,
    AnswerClaim,
    AnswerPublish(u8),
    /// Milliseconds.
    Wait(u16),
    Seal,
    Relieve,
    Crash,
    CrashWithCommitTaken,
    CrashWithObjectStored,
    /// The next start has another layout and other limits.
    Reconfigure(u8),
    Drain,
}

/// What stands at one offset of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Value(Vec<u8>),
    Tombstone,
    Bad(Vec<u8>),
    /// A marker of a transaction, or what compaction took: never delivered.
    Nothing,
}

#[derive(Clone, Debug)]
struct Stored {
    batch: BatchId,
    first: Offset,
    body: Vec<u8>,
}

pub(super) struct World {
    log: Vec<Entry>,
    committed: Option<CommittedOffset>,
    claim: Option<ClaimFacts>,
    bucket: BTreeMap<String, Stored>,
    machine: Partition,
    workshop: Workshop,
    options: PartitionOptions,
    now: Duration,
    read: usize,
    commit: Option<(Offset, String)>,
    claim_write: Option<(String, Offset)>,
    publishing: VecDeque<(Arc<ObjectDescription>, Option<Vec<u8>>)>,
    parts: BTreeMap<ObjectId, BTreeMap<u32, Vec<u8>>>,
    lives: u64,
    pub(super) stopped: Option<StopReason>,
    drained: bool,
}

pub(super) fn source() -> Source {
    Source {
        cluster: ClusterId::new("cluster").unwrap(),
        partition: TopicPartition::new("pin", 0).unwrap(),
        topic_id: TopicId::from_u128(7),
    }
}

/// A layout whose path asks for a header, so that batches have several objects.
pub(super) fn layout(path: &str, name: &str) -> Layout {
    Layout {
        bucket: Bucket::new("bucket").unwrap(),
        endpoint: None,
        prefix: "topics".to_owned(),
        path: PathTemplate::parse(path).unwrap(),
        name: NameTemplate::parse(name).unwrap(),
        time: TimeSource::Record,
        zone: Zone::UTC,
        encoding: Encoding {
            format: Format::Json,
            compression: Compression::None,
            separator: Arc::from(&b"\n"[..]),
        },
        on_null: OnNull::Skip,
        on_bad: OnBad::Quarantine,
        on_missing_route: OnMissingRoute::Default,
        quarantine_prefix: "_quarantine".to_owned(),
    }
}

pub(super) fn options(choice: u8) -> PartitionOptions {
    const ROUTED: &str = "{topic}/partition={partition}/kind={field:/kind}";
    const START: &str = "{topic}+{partition}+{start:010}";
    let (path, name, part_bytes) = match choice {
        0 => ("{topic}/partition={partition}", START, 1_000_000),
        1 => (ROUTED, START, 1_000_000),
        2 => (ROUTED, "{topic}+{partition}+{start:010}+{last:010}+{count}", 50),
        _ => (ROUTED, START, 60),
    };
    PartitionOptions {
        layout: Arc::new(layout(path, name)),
        seal: SealPolicy {
            records: (choice == 1).then_some(7),
            bytes: (choice != 0).then_some(400),
            object_bytes: None,
            age: Some(Duration::from_millis(900)),
        },
        sizes: ObjectSizes { frame_bytes: 64, part_bytes },
        on_lost_records: OnLostRecords::Stop,
    }
}

fn random(seed: u64) -> Random {
    let mut state = seed;
    Random(Box::new(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ (state >> 29)
    }))
}

fn entry(index: usize, dice: u64) -> Entry {
    match dice % 16 {
        0 => Entry::Tombstone,
        1 => Entry::Bad(format!("bad {index}").into_bytes()),
        2 => Entry::Nothing,
        kind => Entry::Value(format!(r#"{{"index":{index},"kind":"k{}"}}"#, kind % 3).into_bytes()),
    }
}

impl World {
    pub(super) fn new(seed: u64, records: usize) -> Self {
        let mut dice = random(seed);
        let log = (0..records).map(|index| entry(index, (dice.0)() >> 7)).collect();
        let workshop = Workshop {
            compressors: Compressors::new(),
            routes: RouteCache::default(),
            random: dice,
        };
        let options = options(u8::try_from(seed % 4).unwrap());
        let start = Start {
            offset: Offset::ZERO,
            metadata: String::new(),
            pending: None,
            first_object: ObjectId(0),
        };
        let now = Now { uptime: Uptime::ZERO, wall: Timestamp::from_millis(0) };
        let mut world = Self {
            log,
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
            Step::AnswerCommit => self.answer_commit(),
            Step::AnswerClaim => self.answer_claim(),
            Step::AnswerPublish(which) => self.answer_publish(usize::from(which)),
            Step::Wait(millis) => {
                self.now += Duration::from_millis(u64::from(millis));
                self.handle(Input::Tick);
            }
            Step::Seal => self.handle(Input::Seal(SealReason::Request)),
            Step::Relieve => self.handle(Input::Relieve),
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
            Step::Drain => self.handle(Input::Drain(SealReason::Revoke)),
        }
    }

    /// Hands in the next record, if the machine wants one.
    fn read(&mut self) {
        let Some(entry) = self.log.get(self.read).cloned() else { return };
        if !self.machine.wants_records() {
            return;
        }
        let offset = Offset::new(i64::try_from(self.read).unwrap()).unwrap();
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
        if self.read == self.log.len() {
            let end = Offset::new(i64::try_from(self.read).unwrap()).unwrap();
            self.handle(Input::EndOfLog(end));
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
                Action::Put { object, body, .. } => {
                    self.publishing.push_back((object, Some(body.to_vec())));
                }
                Action::Complete { object, .. } => self.publishing.push_back((object, None)),
                Action::Abort(object) => drop(self.parts.remove(&object)),
                Action::Seek(_) | Action::Report(_) => {}
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
        let (object, body) = self.publishing.remove(which)?;
        self.assert_is_planned(&object);
        let body = body.unwrap_or_else(|| {
            let parts = self.parts.get(&object.id).expect("parts before complete");
            assert!(parts.keys().copied().eq(1..=u32::try_from(parts.len()).unwrap()));
            parts.values().flatten().copied().collect()
        });
        let stored = Stored { batch: object.batch, first: object.first, body };
        match self.bucket.get(object.key.as_str()) {
            Some(there) => {
                assert_eq!((there.batch, there.first), (stored.batch, stored.first), "{object:?}");
                assert_eq!(there.body, stored.body, "a replay gives the same bytes");
            }
            None => drop(self.bucket.insert(object.key.as_str().to_owned(), stored)),
        }
        Some(object.id)
    }

    fn assert_is_planned(&self, object: &ObjectDescription) {
        let committed = self.committed.as_ref().expect("a plan before any object");
        let Ok(Metadata::Plan(plan)) = Metadata::parse(&committed.metadata) else {
            panic!("{} is published without a plan", object.key)
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
        (self.stopped, self.drained) = (None, false);
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
        self.read = usize::try_from(verdict.offset.value()).unwrap();
        let now = self.now();
        self.machine = Partition::new(source(), self.options.clone(), start, now);
        self.carry_out();
    }

    /// Lets everything go well until nothing is left to do.
    pub(super) fn finish(&mut self) {
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

    pub(super) fn assert_exactly_once(&self) {
        assert_eq!(self.stopped, None);
        let end = i64::try_from(self.log.len()).unwrap();
        assert_eq!(self.machine.frontier().value(), end, "lag reaches zero: {:?}", self.machine);
        let mut found: Vec<Vec<u8>> = Vec::new();
        for stored in self.bucket.values() {
            found.extend(stored.body.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
        }
        found.retain(|line| !line.is_empty());
        let mut expected: Vec<Vec<u8>> = Vec::new();
        for entry in &self.log {
            if let Entry::Value(value) = entry {
                expected.push(value.clone());
            }
        }
        let is_value = |line: &Vec<u8>| line.starts_with(br#"{"index""#);
        let mut values: Vec<_> = found.iter().filter(|line| is_value(line)).cloned().collect();
        values.sort();
        expected.sort();
        assert_eq!(values, expected);
        let bad = self.log.iter().filter(|entry| matches!(entry, Entry::Bad(_))).count();
        assert_eq!(found.len() - values.len(), bad, "each bad record is in the quarantine once");
    }

    pub(super) fn machine(&mut self) -> &mut Partition {
        &mut self.machine
    }

    pub(super) fn pending(&self) -> Option<Plan> {
        match Metadata::parse(&self.committed.as_ref()?.metadata).unwrap() {
            Metadata::Plan(plan) => Some(*plan),
            Metadata::Empty(_) | Metadata::Foreign => None,
        }
    }
}
