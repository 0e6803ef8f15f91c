//! A batch: its plan's digest if that says enough, else Kafka's records of its range.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Comparer, Depth, Trouble, Work};
use crate::command::verify::content::{Content, ContentError, ObjectReader};
use crate::command::verify::expected::{Expected, Expecting, Terms};
use crate::command::verify::finding::{Finding, Kind};
use crate::command::verify::inventory::{Batch, Object};
use crate::command::verify::judge::{has_keys, judge};
use crate::command::verify::pinpoint::{Difference, pinpoint};
use crate::layout::{Layout, TimeSource};
use crate::model::{Offset, OffsetRange, Timestamp};

/// So many objects are looked at twice, to say where they differ: of the rest it is enough that
/// they do.
const PINPOINTED_MAX: u32 = 50;
/// What a key that this ends says of its lines: one record each.
const LINES: [&str; 3] = [".json", ".json.gz", ".json.zst"];

/// Returns whether each line of an object is one record.
pub(super) fn has_lines(key: &str) -> bool {
    LINES.iter().any(|end| key.ends_with(end))
}

/// What a batch was written under, as far as it is known.
struct Origin {
    layout: Arc<Layout>,
    /// Only its plan says it.
    opened: Option<Timestamp>,
}

impl Origin {
    fn without_plan(layout: &Arc<Layout>) -> Self {
        Self { layout: Arc::clone(layout), opened: None }
    }
}

impl Comparer<'_> {
    pub(super) fn batch(
        &mut self,
        work: &mut Work<'_>,
        batch: &Batch,
        range: OffsetRange,
    ) -> Result<(), Trouble> {
        work.tally.batches += 1;
        work.tally.objects += u64::try_from(batch.objects.len()).unwrap_or(u64::MAX);
        let is_proven = batch.is_proven();
        if range.start() < work.facts.log_start {
            return self.batch_alone(work, batch, (range, is_proven));
        }
        if is_proven && self.depth == Depth::Metadata {
            work.tally.records += counted(&batch.objects);
            return Ok(());
        }
        let (origin, expected, delivered) = self.expect(work, batch, range)?;
        if batch.plan.as_ref().is_some_and(|plan| delivered < plan.records) {
            // Compaction took some of them.
            return self.batch_alone(work, batch, (range, is_proven));
        }
        work.tally.records += expected.iter().map(|expected| expected.count).sum::<u64>();
        let place = (&work.facts.partition, &self.set_aside);
        let judged = judge(place, &expected, &batch.objects);
        for finding in judged.findings {
            self.add(work, finding);
        }
        let is_read = |(object, _): &(&Object, &Expected)| {
            self.depth == Depth::Records || object.count.is_none()
        };
        let read: Vec<_> = judged.in_place.into_iter().filter(is_read).collect();
        for some in read.chunks(super::READERS_MAX) {
            let keys: Vec<_> = some.iter().map(|(object, _)| (&object.key, object.size)).collect();
            for (pair, content) in some.iter().zip(self.contents(&keys)) {
                let finding = self.content(work, (&origin, range), *pair, content)?;
                if let Some(finding) = finding {
                    self.add(work, finding);
                }
            }
        }
        Ok(())
    }

    /// Returns what the batch must hold, under the layout that gives the keys it has, and how many
    /// records Kafka has of it.
    fn expect(
        &mut self,
        work: &Work<'_>,
        batch: &Batch,
        range: OffsetRange,
    ) -> Result<(Origin, Vec<Expected>, u64), Trouble> {
        let present = Origin::without_plan(&work.facts.layout);
        let origin = batch.plan.as_ref().map_or(present, |plan| Origin {
            layout: Arc::clone(&plan.layout),
            opened: Some(plan.opened),
        });
        let first = self.expected_under(work, &origin, (batch, range))?;
        if batch.plan.is_some() || has_keys(&first.0, &batch.objects) {
            return Ok((origin, first.0, first.1));
        }
        let others: Vec<_> = self.layouts.iter().map(Origin::without_plan).collect();
        for other in others.into_iter().filter(|other| other.layout != origin.layout) {
            let expected = self.expected_under(work, &other, (batch, range))?;
            if has_keys(&expected.0, &batch.objects) {
                return Ok((other, expected.0, expected.1));
            }
        }
        Ok((origin, first.0, first.1))
    }

    fn expected_under(
        &mut self,
        work: &Work<'_>,
        origin: &Origin,
        (batch, range): (&Batch, OffsetRange),
    ) -> Result<(Vec<Expected>, u64), Trouble> {
        let mut delivered = 0;
        let mut expecting = Expecting::new(terms(work, origin));
        let bounds = &work.facts.bounds;
        let (progress, before) = (&mut self.progress, self.offsets_before);
        self.kafka.read(&work.facts.partition, range, |record| {
            expecting.push(record);
            delivered += 1;
            let done = before + record.offset.min(bounds.end).distance_from(bounds.begin);
            progress.set(done, &work.facts.partition);
            ControlFlow::Continue(())
        })?;
        let mut expected = expecting.finish();
        if origin.opened.is_none() && origin.layout.time == TimeSource::Opened {
            // The moment is the same for all records of a batch: it names objects, no more.
            for one in &mut expected {
                let found = batch.objects.binary_search_by_key(&one.first, |object| object.first);
                let found = found.ok().and_then(|index| batch.objects.get(index));
                one.key = found.map_or_else(|| one.key.clone(), |object| object.key.clone());
            }
        }
        Ok((expected, delivered))
    }

    /// Returns what is wrong with what stands in an object.
    fn content(
        &mut self,
        work: &Work<'_>,
        (origin, range): (&Origin, OffsetRange),
        (object, expected): (&Object, &Expected),
        content: Result<Content, ContentError>,
    ) -> Result<Option<Finding>, Trouble> {
        match content {
            Ok(content) if content.hash == expected.hash && content.bytes == expected.bytes => {
                return Ok(None);
            }
            Ok(_) | Err(ContentError::Damaged) => {}
            Err(error) => return self.failed(work, &object.key, error).map(Some),
        }
        self.pinpointed += 1;
        let (kind, what, start) = if self.pinpointed > PINPOINTED_MAX {
            let what = "what stands in it is not what Kafka holds".to_owned();
            (Kind::Differs, what, expected.first)
        } else {
            let reader = ObjectReader::new(&self.store, &object.key, object.size);
            let place = (terms(work, origin), range, &expected.route);
            let found = pinpoint((self.runtime, &mut self.kafka), place, reader)?;
            match found {
                Difference::Failed(error) => {
                    return self.failed(work, &object.key, error).map(Some);
                }
                found => explain(&found, expected, (origin, range)),
            }
        };
        let finding = Finding::new(kind, &work.facts.partition, what).key(&object.key);
        let end = match kind {
            Kind::MissingRecords => range.end(),
            _ => expected.last.next(),
        };
        Ok(Some(finding.offsets(start, end)))
    }

    /// Kafka has dropped the records: what the objects say of themselves is all there is.
    fn batch_alone(
        &mut self,
        work: &mut Work<'_>,
        batch: &Batch,
        (range, is_proven): (OffsetRange, bool),
    ) -> Result<(), Trouble> {
        let partition = &work.facts.partition;
        work.tally.dropped += range.end().distance_from(range.start());
        work.tally.records += counted(&batch.objects);
        let is_complete = batch.objects.iter().all(|object| object.count.is_some());
        let mut firsts: BTreeMap<Offset, &Object> = BTreeMap::new();
        for object in &batch.objects {
            let Some(other) = firsts.insert(object.first, object) else { continue };
            let what = format!("it is a copy of `{}`, or that one of it", other.key.as_str());
            let finding = Finding::new(Kind::Copy, partition, what).key(&object.key);
            self.add(work, finding.offsets(object.first, object.first.next()));
        }
        let has_copies = firsts.len() < batch.objects.len();
        if batch.plan.is_some() && is_complete && !is_proven && !has_copies {
            let what = "the objects of its batch are not those that its plan promised";
            let finding = Finding::new(Kind::Disagrees, partition, what);
            let finding = finding.offsets(range.start(), range.end());
            if let Some(object) = batch.objects.first() {
                self.add(work, finding.key(&object.key));
            }
        }
        if self.depth == Depth::Metadata {
            return Ok(());
        }
        for some in batch.objects.chunks(super::READERS_MAX) {
            let keys: Vec<_> = some.iter().map(|object| (&object.key, object.size)).collect();
            for (object, content) in some.iter().zip(self.contents(&keys)) {
                let finding = match content {
                    Err(error) => Some(self.failed(work, &object.key, error)?),
                    Ok(content) => miscounted(work, object, &content),
                };
                if let Some(finding) = finding {
                    self.add(work, finding);
                }
            }
        }
        Ok(())
    }
}

fn terms<'t>(work: &'t Work<'_>, origin: &'t Origin) -> Terms<'t> {
    let opened = origin.opened.unwrap_or(Timestamp::from_millis(0));
    Terms { partition: &work.facts.partition, layout: &origin.layout, opened }
}

fn counted(objects: &[Object]) -> u64 {
    objects.iter().filter_map(|object| object.count).sum()
}

fn miscounted(work: &Work<'_>, object: &Object, content: &Content) -> Option<Finding> {
    let count = object.count.filter(|_| has_lines(object.key.as_str()))?;
    let what = match content.newlines {
        lines if lines != count => format!("it holds {lines} lines, and says {count} records"),
        _ if !content.ends_with_newline => "its last line has no end".to_owned(),
        _ => return None,
    };
    let finding = Finding::new(Kind::WrongCount, &work.facts.partition, what).key(&object.key);
    Some(finding.offsets(object.first, object.first.next()))
}

/// Returns what a difference is called, in words, and from which offset on it matters.
fn explain(
    found: &Difference,
    expected: &Expected,
    (origin, range): (&Origin, OffsetRange),
) -> (Kind, String, Offset) {
    let (first, last, count) = (expected.first, expected.last, expected.count);
    match found {
        Difference::None | Difference::Failed(_) => {
            (Kind::Changed, "it was another one a moment ago".to_owned(), first)
        }
        Difference::Line { line, offset } => {
            let what = format!("line {line} is not the record at offset {offset}");
            (Kind::Differs, what, *offset)
        }
        Difference::EndsEarly { lines, offset, is_whole: true } if origin.opened.is_none() => {
            let what = format!(
                "it ends behind its line {lines}, and no object holds what follows from offset \
                 {offset} up to {}: either this one was cut, or the next one is gone",
                range.end()
            );
            (Kind::MissingRecords, what, *offset)
        }
        Difference::EndsEarly { lines, offset, is_whole } => {
            let place = if *is_whole { "behind" } else { "inside the line behind" };
            let what = format!(
                "it ends {place} line {lines} of {count}: the records from offset {offset} to \
                 {last} are not in it"
            );
            (Kind::Damaged, what, *offset)
        }
        Difference::Damaged { lines } => {
            let what = format!("it cannot be unpacked behind line {lines} of {count}");
            (Kind::Damaged, what, first)
        }
        Difference::GoesOn { lines } => {
            let what = format!("it goes on behind line {lines}, which holds its last record");
            (Kind::Differs, what, last)
        }
    }
}
