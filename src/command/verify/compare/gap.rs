//! Ranges without a plan: gaps between batches, and what the predecessor wrote.

use std::iter::once;
use std::ops::ControlFlow;

use super::batch::has_lines;
use super::{Comparer, Facts, Trouble, Work};
use crate::command::verify::expected::{Expecting, Terms};
use crate::command::verify::finding::{Finding, Kind};
use crate::command::verify::inventory::Named;
use crate::layout::OnNull;
use crate::model::{Offset, OffsetRange, Timestamp};

impl Comparer<'_> {
    /// No object covers the range: there must be nothing in it that had to be written.
    pub(super) fn gap(&mut self, work: &mut Work<'_>, range: OffsetRange) -> Result<(), Trouble> {
        let Some(range) = held(work, range) else { return Ok(()) };
        let facts = work.facts;
        let terms = Terms {
            partition: &facts.partition,
            layout: &facts.layout,
            opened: Timestamp::from_millis(0),
        };
        // A tombstone may have been passed over under a layout of that time.
        let mut layouts = self.layouts.iter().chain(once(&facts.layout));
        let skips_null = layouts.any(|layout| layout.on_null == OnNull::Skip);
        let (mut count, mut last, mut first) = (0_u64, range.start(), None);
        self.kafka.read(&facts.partition, range, |record| {
            if record.value.is_some() || !skips_null {
                if first.is_none() {
                    let mut one = Expecting::new(terms);
                    one.push(record);
                    first = one.finish().into_iter().next();
                }
                count += 1;
                last = record.offset;
            }
            ControlFlow::Continue(())
        })?;
        let Some(first) = first.filter(|first| !self.set_aside.contains(&first.key)) else {
            return Ok(());
        };
        let what = format!(
            "{count} records lie in no object; the one that begins with the first of them would \
             be called so now"
        );
        let finding = Finding::new(Kind::MissingRecords, &facts.partition, what);
        let finding = finding.offsets(first.first, last.next()).key(&first.key);
        self.add(work, finding);
        Ok(())
    }

    /// Lines are counted and held against the records that have a value.
    pub(super) fn named(
        &mut self,
        work: &mut Work<'_>,
        objects: &[Named],
        range: OffsetRange,
    ) -> Result<(), Trouble> {
        work.tally.objects += u64::try_from(objects.len()).unwrap_or(u64::MAX);
        let counted = self.lines_of(work, objects)?;
        work.tally.records += counted.iter().map(|(_, lines)| lines).sum::<u64>();
        let is_whole = counted.len() == objects.len() && range.start() >= work.facts.log_start;
        let Some(range) = held(work, range).filter(|_| is_whole) else { return Ok(()) };
        let mut against = Against::new(counted);
        self.kafka.read(&work.facts.partition, range, |record| {
            if record.value.is_some() {
                against.record(record.offset);
            }
            ControlFlow::Continue(())
        })?;
        for finding in against.findings(work.facts, objects, range) {
            self.add(work, finding);
        }
        Ok(())
    }

    /// Returns the start and the lines of each object that has lines and can be read.
    fn lines_of(
        &mut self,
        work: &mut Work<'_>,
        objects: &[Named],
    ) -> Result<Vec<(Offset, u64)>, Trouble> {
        let mut counted = Vec::with_capacity(objects.len());
        for some in objects.chunks(super::READERS_MAX) {
            let keys: Vec<_> = some.iter().map(|named| (&named.key, named.size)).collect();
            for (named, content) in some.iter().zip(self.contents(&keys)) {
                let finding = match content {
                    Ok(content) if has_lines(named.key.as_str()) => {
                        let cut = content.bytes > 0 && !content.ends_with_newline;
                        counted.push((named.start, content.newlines + u64::from(cut)));
                        continue;
                    }
                    Ok(_) => {
                        let what = "its format is none of which records are counted";
                        Finding::new(Kind::Uncounted, &work.facts.partition, what).key(&named.key)
                    }
                    Err(error) => self.failed(work, &named.key, error)?,
                };
                self.add(work, finding.offsets(named.start, named.start.next()));
            }
        }
        Ok(counted)
    }
}

/// The lines of the predecessor's objects against Kafka's records. A record lies in an object that
/// begins at or before it: where more records have come than lines, one of them is missing.
#[derive(Debug, Default)]
pub(super) struct Against {
    /// By start; those in front have begun.
    counted: Vec<(Offset, u64)>,
    begun: usize,
    /// Of those that have begun.
    lines: u64,
    records: u64,
    /// The most that were missing at once, the first of them, and how many objects had begun then.
    short: u64,
    first: Option<(Offset, usize)>,
}

impl Against {
    pub(super) fn new(counted: Vec<(Offset, u64)>) -> Self {
        Self { counted, ..Self::default() }
    }

    pub(super) fn record(&mut self, offset: Offset) {
        while let Some((_, lines)) =
            self.counted.get(self.begun).filter(|(start, _)| *start <= offset)
        {
            self.lines += lines;
            self.begun += 1;
        }
        self.records += 1;
        let short = self.records.saturating_sub(self.lines);
        if short > 0 {
            self.first.get_or_insert((offset, self.begun));
        }
        self.short = self.short.max(short);
    }

    /// Returns what is missing, and what is there too often.
    pub(super) fn findings(
        &self,
        facts: &Facts,
        objects: &[Named],
        range: OffsetRange,
    ) -> Vec<Finding> {
        let mut found = Vec::new();
        let new = |kind, what: String, start| {
            Finding::new(kind, &facts.partition, what).offsets(start, range.end())
        };
        if let Some((first, begun)) = self.first {
            let what = format!(
                "{} records have no line in it nor in those before it: it was cut, the one behind \
                 it is gone, or the predecessor skipped them",
                self.short
            );
            let of = objects.get(begun.saturating_sub(1));
            found.extend(of.map(|of| new(Kind::MissingRecords, what, first).key(&of.key)));
        }
        let lines: u64 = self.counted.iter().map(|(_, lines)| lines).sum();
        let spare = (lines + self.short).saturating_sub(self.records);
        if spare > 0 {
            let whose = if objects.len() == 1 { "it holds" } else { "it and the next ones hold" };
            let end = range.end();
            let (kind, up_to) = match end < facts.bounds.end {
                true => (Kind::Overlap, format!("{end}, where the next one begins")),
                false => (Kind::WrongCount, end.to_string()),
            };
            let what = format!("{whose} {spare} lines more than Kafka has records up to {up_to}");
            let of = objects.first();
            found.extend(of.map(|of| new(kind, what, range.start()).key(&of.key)));
        }
        found
    }
}

/// Returns what of a range Kafka still holds; the rest is counted.
fn held(work: &mut Work<'_>, range: OffsetRange) -> Option<OffsetRange> {
    let start = range.start().max(work.facts.log_start);
    let dropped: Offset = start.min(range.end());
    work.tally.dropped += dropped.distance_from(range.start());
    OffsetRange::new(start, range.end()).ok()
}

#[cfg(test)]
mod tests;
