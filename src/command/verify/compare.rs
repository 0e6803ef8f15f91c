//! The comparison of one partition: carries out the steps of `walk`, asking Kafka and the bucket.
//!
//! It owns: what is read for which step, and what comes of it.
//! It does not own: which steps there are, what an object must hold (`expected`), which objects are
//! missing (`judge`), where bytes differ (`pinpoint`).

mod batch;
mod gap;

use std::collections::BTreeSet;
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::content::{Content, ContentError, ObjectReader, is_store_away, read_content};
use super::finding::{Compared, Finding, Kind, Report, Tally, note};
use super::inventory::Holdings;
use super::resume::{Resume, ResumeError};
use super::walk::{Bounds, Step, walk};
use crate::command::progress::Progress;
use crate::kafka::{RangeReader, ReadError};
use crate::layout::Layout;
use crate::model::{ObjectKey, Offset, OffsetRange, TopicPartition};
use crate::s3::{Store, StoreError};

/// Objects that are read at a time: each has some megabytes in memory.
const READERS_MAX: usize = 8;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// What objects say of themselves; those that say too little are read.
    Metadata,
    /// Every byte.
    Records,
}

/// What is known of a partition before its objects are compared.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) partition: TopicPartition,
    /// As text: it only tells one topic from the next of its name.
    pub(super) topic_id: String,
    /// Kafka has dropped what is below.
    pub(super) log_start: Offset,
    pub(super) bounds: Bounds,
    /// What records are written under now.
    pub(super) layout: Arc<Layout>,
}

/// Why the comparison came to an end.
#[derive(Debug, Error)]
pub(super) enum Ended {
    #[error("{0}")]
    Store(StoreError),
    #[error("{partition}: {error}")]
    Kafka { partition: TopicPartition, error: ReadError },
    #[error(transparent)]
    Resume(#[from] ResumeError),
}

/// Why a step came to an end.
#[derive(Debug)]
enum Trouble {
    Store(StoreError),
    Read(ReadError),
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// Compares one partition after the other.
#[derive(Debug)]
pub(super) struct Comparer<'a> {
    pub(super) runtime: &'a Runtime,
    pub(super) store: Store,
    pub(super) kafka: RangeReader,
    pub(super) depth: Depth,
    /// Those of plans that were read: a batch without a plan may have been written under any.
    pub(super) layouts: Vec<Arc<Layout>>,
    /// Objects that are there, and of which it was said what is wrong with them.
    pub(super) set_aside: BTreeSet<ObjectKey>,
    pub(super) report: &'a mut Report,
    pub(super) progress: Progress,
    /// Offsets of the partitions before this one.
    pub(super) offsets_before: u64,
    pub(super) resume: Option<Resume>,
    pub(super) pinpointed: u32,
}

/// One partition while it is compared.
struct Work<'w> {
    facts: &'w Facts,
    tally: Tally,
    /// Not yet written into the file of `--resume`.
    fresh: Vec<Finding>,
}

impl Work<'_> {
    fn cut_short(&mut self, (tally, fresh): (Tally, usize), ended: Ended) -> Ended {
        self.tally = tally;
        self.fresh.truncate(fresh);
        ended
    }
}

impl Comparer<'_> {
    pub(super) fn partition(&mut self, facts: &Facts, holdings: &Holdings) -> Result<(), Ended> {
        let Facts { partition, bounds, .. } = facts;
        let (steps, pure) = walk(partition, holdings, bounds);
        let mut pure_tally = Tally::NOTHING;
        for finding in pure {
            note(self.report, &mut pure_tally, finding);
        }
        // Those of the predecessor among ours were found to be unexplained.
        let takeover = bounds.takeover(holdings);
        let behind = holdings.named.iter().filter(|named| named.start >= takeover);
        self.set_aside.extend(behind.map(|named| named.key.clone()));
        let mut work = Work { facts, tally: Tally::NOTHING, fresh: Vec::new() };
        let mut until = bounds.begin;
        if let Some(done) =
            self.resume.as_mut().and_then(|resume| resume.take(partition, &facts.topic_id))
        {
            (until, work.tally) = (done.until, done.tally);
            for finding in done.findings {
                self.report.add(finding);
            }
        }
        let ended = self.steps(&mut work, &steps, until);
        let saved = self.save(&mut work, None);
        ended?;
        saved?;
        let mut tally = work.tally;
        if tally.dropped > 0 {
            let what = format!("Kafka has dropped {} of its offsets", tally.dropped);
            let finding = Finding::new(Kind::Dropped, partition, what);
            self.report.add(finding.offsets(bounds.begin, facts.log_start));
        }
        tally.findings += pure_tally.findings;
        self.report.compared(Compared {
            topic: partition.topic.to_string(),
            partition: partition.partition.value(),
            start: bounds.begin.value(),
            end: bounds.end.value(),
            tally,
        });
        self.offsets_before += bounds.end.distance_from(bounds.begin);
        Ok(())
    }

    fn steps(
        &mut self,
        work: &mut Work<'_>,
        steps: &[Step<'_>],
        until: Offset,
    ) -> Result<(), Ended> {
        let facts = work.facts;
        let partition = &facts.partition;
        for step in steps {
            let range = step.range();
            // A batch is done as a whole; a gap can have grown since.
            let is_done = match step {
                Step::Gap(range) => range.end() <= until,
                Step::Batch(..) | Step::Named(..) => range.start() < until,
            };
            self.show(work, range.start());
            if is_done {
                continue;
            }
            // A step that was cut short is done again as a whole.
            let before = (work.tally.clone(), work.fresh.len());
            let done = match step {
                Step::Gap(range) => self.gap(work, behind(*range, until)),
                Step::Batch(batch, range) => self.batch(work, batch, *range),
                Step::Named(objects, range) => self.named(work, objects, *range),
            };
            match done {
                Ok(()) => {}
                Err(Trouble::Read(ReadError::OutOfRange(_))) => {
                    work.tally.dropped += range.end().distance_from(range.start());
                }
                Err(Trouble::Read(ReadError::Refused(code))) => {
                    let what = format!("it cannot be read: the brokers answer {code}");
                    self.add(work, Finding::new(Kind::Topic, partition, what));
                    return Ok(());
                }
                Err(Trouble::Read(error)) => {
                    let partition = partition.clone();
                    return Err(work.cut_short(before, Ended::Kafka { partition, error }));
                }
                Err(Trouble::Store(error)) => {
                    return Err(work.cut_short(before, Ended::Store(error)));
                }
            }
            self.save(work, Some(range.end()))?;
        }
        Ok(())
    }

    fn add(&mut self, work: &mut Work<'_>, finding: Finding) {
        work.fresh.push(finding.clone());
        note(self.report, &mut work.tally, finding);
    }

    /// Writes down that the partition is done up to here; without an offset, what was kept back.
    fn save(&mut self, work: &mut Work<'_>, until: Option<Offset>) -> Result<(), ResumeError> {
        let Some(resume) = &mut self.resume else { return Ok(()) };
        resume.done(&work.facts.partition, until, (&work.tally, &mut work.fresh))
    }

    fn show(&mut self, work: &Work<'_>, offset: Offset) {
        let bounds = &work.facts.bounds;
        let done = self.offsets_before + offset.min(bounds.end).distance_from(bounds.begin);
        self.progress.set(done, &work.facts.partition);
    }

    /// Reads objects, some at a time; the answers are in their order.
    fn contents(&self, objects: &[(&ObjectKey, u64)]) -> Vec<Result<Content, ContentError>> {
        let mut all = Vec::with_capacity(objects.len());
        for some in objects.chunks(READERS_MAX) {
            let mut readers: JoinSet<(usize, Result<Content, ContentError>)> = JoinSet::new();
            for (index, (key, size)) in some.iter().enumerate() {
                let reader = ObjectReader::new(&self.store, key, *size);
                let read = async move { (index, read_content(reader).await) };
                readers.spawn_on(read, self.runtime.handle());
            }
            let mut read = self.runtime.block_on(readers.join_all());
            read.sort_by_key(|(index, _)| *index);
            all.extend(read.into_iter().map(|(_, content)| content));
        }
        all
    }

    /// Returns what an error of an object is to be called; one of the whole store ends everything.
    fn failed(
        &self,
        work: &Work<'_>,
        key: &ObjectKey,
        error: ContentError,
    ) -> Result<Finding, Trouble> {
        let (kind, what) = match error {
            ContentError::Store(error) if is_store_away(&error) => {
                return Err(Trouble::Store(error));
            }
            ContentError::Store(error) => (Kind::Unreadable, error.to_string()),
            ContentError::Replaced => (Kind::Changed, ContentError::Replaced.to_string()),
            ContentError::Damaged => (Kind::Damaged, ContentError::Damaged.to_string()),
        };
        Ok(Finding::new(kind, &work.facts.partition, what).key(key))
    }
}

/// Returns what of a range lies behind an offset; all of it if nothing does.
fn behind(range: OffsetRange, offset: Offset) -> OffsetRange {
    OffsetRange::new(range.start().max(offset), range.end()).unwrap_or(range)
}
