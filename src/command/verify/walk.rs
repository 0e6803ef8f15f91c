//! The order of the comparison: which ranges of a partition batches cover, and what lies between.
//!
//! It owns: gaps, overlaps, objects that no plan explains, what is left out because a daemon may be
//! writing it. Pure.
//! It does not own: reading anything.

use super::finding::{Finding, Kind};
use super::inventory::{Batch, Holdings, Named};
use super::name::folder_of;
use crate::model::{BatchId, Offset, OffsetRange, TopicPartition};

/// Between what offsets a partition is compared, and what is known of what comes behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) begin: Offset,
    /// What was committed before the bucket was listed: all below it was there then.
    pub(super) end: Offset,
    /// What was committed afterwards, and the batch that was planned then: an object behind it of
    /// another batch was never planned, since a plan is committed before its objects appear.
    pub(super) end_after: Offset,
    pub(super) pending: Option<BatchId>,
    /// Where the group began to read, if its claim is there.
    pub(super) first_start: Option<Offset>,
}

impl Bounds {
    /// Returns up to where objects may be the predecessor's: from there on the group has written.
    pub(super) fn takeover(&self, holdings: &Holdings) -> Offset {
        let first = holdings.batches.keys().next().map(|(start, _)| *start);
        first.into_iter().chain(self.first_start).fold(self.end, Offset::min)
    }
}

/// One step of the comparison.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// No object says that it covers this.
    Gap(OffsetRange),
    /// Covers the range, by its plan or, without one, up to the next batch.
    Batch(&'a Batch, OffsetRange),
    /// Objects of the predecessor that together cover the range.
    Named(&'a [Named], OffsetRange),
}

impl Step<'_> {
    pub(super) fn range(&self) -> OffsetRange {
        match self {
            Self::Gap(range) | Self::Batch(_, range) | Self::Named(_, range) => *range,
        }
    }
}

/// Returns the steps in order, and what needs no reading to be found.
pub(super) fn walk<'a>(
    partition: &TopicPartition,
    holdings: &'a Holdings,
    bounds: &Bounds,
) -> (Vec<Step<'a>>, Vec<Finding>) {
    let mut walk =
        Walk { partition, steps: Vec::new(), findings: Vec::new(), cursor: bounds.begin };
    walk.named(holdings, bounds.takeover(holdings), bounds.end);
    let mut batches = holdings.batches.values().peekable();
    while let Some(batch) = batches.next() {
        if batch.start >= bounds.end {
            walk.behind_the_end(batch, bounds);
            continue;
        }
        let next = batches.peek().map_or(bounds.end, |next| next.start.min(bounds.end));
        walk.batch(batch, next.max(batch.start.next()));
    }
    walk.gap_before(bounds.end);
    (walk.steps, walk.findings)
}

struct Walk<'a, 'p> {
    partition: &'p TopicPartition,
    steps: Vec<Step<'a>>,
    findings: Vec<Finding>,
    /// Everything before it is covered.
    cursor: Offset,
}

impl<'a> Walk<'a, '_> {
    fn gap_before(&mut self, start: Offset) {
        if let Ok(gap) = OffsetRange::new(self.cursor, start) {
            self.steps.push(Step::Gap(gap));
            self.cursor = start;
        }
    }

    fn batch(&mut self, batch: &'a Batch, next: Offset) {
        if batch.start < self.cursor {
            let what = format!(
                "its batch {} begins below {}, where the one before it ends",
                batch.id, self.cursor
            );
            let finding = Finding::new(Kind::Overlap, self.partition, what);
            let finding = finding.offsets(batch.start, self.cursor);
            self.findings.extend(batch.objects.first().map(|object| finding.key(&object.key)));
        }
        self.gap_before(batch.start);
        let planned = batch.plan.as_ref().map(|plan| plan.range);
        let Some(range) = planned.or_else(|| OffsetRange::new(batch.start, next).ok()) else {
            return;
        };
        self.steps.push(Step::Batch(batch, range));
        self.cursor = self.cursor.max(range.end());
    }

    fn behind_the_end(&mut self, batch: &Batch, bounds: &Bounds) {
        if batch.start < bounds.end_after || Some(batch.id) == bounds.pending {
            return; // written meanwhile, or being written
        }
        for object in &batch.objects {
            let what = format!(
                "its batch {} begins at {}, and the group has committed {} and no plan of it",
                batch.id, batch.start, bounds.end_after
            );
            let finding = Finding::new(Kind::Unexplained, self.partition, what);
            let finding = finding.offsets(object.first, object.first.next());
            self.findings.push(finding.key(&object.key));
        }
    }

    fn named(&mut self, holdings: &'a Holdings, takeover: Offset, end: Offset) {
        let count = holdings.named.partition_point(|named| named.start < takeover);
        let (before, behind) = holdings.named.split_at(count);
        for named in behind.iter().filter(|named| named.start < end) {
            let what = "it has none of Sluice's metadata, and lies where Sluice wrote";
            let finding = Finding::new(Kind::Unexplained, self.partition, what);
            let finding = finding.offsets(named.start, named.start.next());
            self.findings.push(finding.key(&named.key));
        }
        let Some(first) = before.first() else { return };
        self.gap_before(first.start);
        self.equal_starts(before);
        let folder = folder_of(first.key.as_str());
        // Several folders: each batch of the predecessor made several objects.
        let size = match before.iter().all(|named| folder_of(named.key.as_str()) == folder) {
            true => 1,
            false => before.len(),
        };
        for (index, objects) in before.chunks(size).enumerate() {
            let next = before.get((index + 1) * size).map_or(takeover, |next| next.start);
            let Some(first) = objects.first() else { continue };
            if let Ok(range) = OffsetRange::new(first.start, next) {
                self.steps.push(Step::Named(objects, range));
            }
        }
        self.cursor = self.cursor.max(takeover);
    }

    /// A record lies in one object, so no two of them begin with the same.
    fn equal_starts(&mut self, named: &[Named]) {
        for (one, other) in named.iter().zip(named.iter().skip(1)) {
            if one.start == other.start {
                let what = format!("`{}` begins at the same offset", other.key.as_str());
                let finding = Finding::new(Kind::Overlap, self.partition, what);
                let finding = finding.offsets(one.start, one.start.next());
                self.findings.push(finding.key(&one.key));
            }
        }
    }
}

#[cfg(test)]
mod tests;
