//! Ranges without a plan: gaps between batches, and what the predecessor wrote.

use std::iter::once;
use std::ops::ControlFlow;

use super::batch::has_lines;
use super::{Comparer, Trouble, Work};
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

    /// Lines are counted and compared with the records that have a value.
    pub(super) fn named(
        &mut self,
        work: &mut Work<'_>,
        objects: &[Named],
        range: OffsetRange,
    ) -> Result<(), Trouble> {
        work.tally.objects += u64::try_from(objects.len()).unwrap_or(u64::MAX);
        let (mut lines, mut is_counted) = (0, true);
        for some in objects.chunks(super::READERS_MAX) {
            let keys: Vec<_> = some.iter().map(|named| (&named.key, named.size)).collect();
            for (named, content) in some.iter().zip(self.contents(&keys)) {
                let finding = match content {
                    Ok(content) if has_lines(named.key.as_str()) => {
                        let cut = content.bytes > 0 && !content.ends_with_newline;
                        lines += content.newlines + u64::from(cut);
                        continue;
                    }
                    Ok(_) => {
                        let what = "its format is none of which records are counted";
                        Finding::new(Kind::Uncounted, &work.facts.partition, what).key(&named.key)
                    }
                    Err(error) => self.failed(work, &named.key, error)?,
                };
                is_counted = false;
                self.add(work, finding.offsets(named.start, named.start.next()));
            }
        }
        work.tally.records += lines;
        let is_whole = range.start() >= work.facts.log_start;
        let Some(range) = held(work, range).filter(|_| is_counted && is_whole) else {
            return Ok(());
        };
        let mut records = 0_u64;
        self.kafka.read(&work.facts.partition, range, |record| {
            records += u64::from(record.value.is_some());
            ControlFlow::Continue(())
        })?;
        if records != lines {
            let (is_one, key) = (objects.len() == 1, objects.first().map(|named| &named.key));
            let whose = if is_one { "it holds" } else { "it and those that follow it hold" };
            let what = format!("{whose} {lines} lines, Kafka has {records} records up to the next");
            let finding = Finding::new(Kind::WrongCount, &work.facts.partition, what);
            let finding = finding.offsets(range.start(), range.end());
            if let Some(key) = key {
                self.add(work, finding.key(key));
            }
        }
        Ok(())
    }
}

/// Returns what of a range Kafka still holds; the rest is counted.
fn held(work: &mut Work<'_>, range: OffsetRange) -> Option<OffsetRange> {
    let start = range.start().max(work.facts.log_start);
    let dropped: Offset = start.min(range.end());
    work.tally.dropped += dropped.distance_from(range.start());
    OffsetRange::new(start, range.end()).ok()
}
