//! A batch while it is open, and once it is sealed: records go in, objects and a plan come out.
//!
//! It owns: which object of the batch a record goes to, the rules for nulls, bad records and
//! missing routes, the parts that go up while the batch is open, the seal.
//! It does not own: when to seal, commits, publishing. A replayed batch is the same thing: it has
//! the plan's layout, id and opening time, so that it comes out the same.

mod birth;
mod relief;
mod sealed;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

pub use sealed::SealedObject;

pub(super) use birth::{Birth, Kept};
pub(super) use sealed::{CountedObject, SealedBatch};

use super::object::{Line, ObjectBuffer, Placed};
use super::{
    Digest, DigestEntry, ObjectDescription, ObjectId, PARTS_MAX, Plan, Source, StopReason,
};
use crate::format::{BadRecord, Compressors, Encoding, Format};
use crate::layout::{
    Layout, ObjectSpan, OnBad, OnMissingRoute, OnNull, Route, RouteCache, RouteContext,
};
use crate::model::{BatchId, BatchStats, Offset, OffsetRange, Record};

/// What a worker lends to its partitions, one of each kind per worker.
#[derive(Debug)]
pub struct Workshop {
    pub compressors: Compressors,
    pub routes: RouteCache,
    /// Gives 64 random bits; the engine has no randomness of its own.
    pub random: Random,
}

/// Where the ids of new batches come from.
pub struct Random(pub Box<dyn FnMut() -> u64 + Send>);

impl fmt::Debug for Random {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Random")
    }
}

impl Workshop {
    pub(super) fn new_batch_id(&mut self) -> BatchId {
        BatchId::new((self.random.0)())
    }
}

/// A part that is ready to go up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub object: Arc<ObjectDescription>,
    /// From 1.
    pub number: u32,
    pub body: Bytes,
}

#[derive(Debug)]
struct OpenObject {
    route: Route,
    buffer: ObjectBuffer,
    /// Known at once, unless the name holds what only the seal knows.
    description: Option<Arc<ObjectDescription>>,
    is_kept: bool,
}

impl OpenObject {
    fn span(&self) -> ObjectSpan {
        let ObjectBuffer { first, last, count, .. } = self.buffer;
        ObjectSpan { first, last: Some(last), count: Some(count) }
    }
}

/// A batch that takes records.
#[derive(Debug)]
pub(super) struct OpenBatch {
    birth: Birth,
    stats: BatchStats,
    /// The route of every record where the layout's path asks nothing of it.
    constant: Option<Route>,
    by_route: BTreeMap<Route, usize>,
    objects: Vec<OpenObject>,
    /// The object of that route.
    constant_object: Option<usize>,
    /// The object of the record before, which the next one mostly shares.
    latest: Option<usize>,
    held_bytes: usize,
    parts: Vec<Part>,
    parts_max: u32,
}

impl OpenBatch {
    pub(super) fn new(source: &Source, birth: Birth) -> Self {
        let constant = birth.layout.constant_route(&source.partition);
        let stats =
            BatchStats { records: 0, value_bytes: 0, largest_object_bytes: 0, opened: birth.now };
        Self {
            birth,
            stats,
            constant,
            constant_object: None,
            by_route: BTreeMap::new(),
            objects: Vec::new(),
            latest: None,
            held_bytes: 0,
            parts: Vec::new(),
            parts_max: 0,
        }
    }

    pub(super) fn stats(&self) -> &BatchStats {
        &self.stats
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(super) fn objects(&self) -> usize {
        self.objects.len()
    }

    /// Takes the parts that became full.
    pub(super) fn take_parts(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.parts)
    }

    /// Puts a record where it belongs, or says why the partition has to stop.
    pub(super) fn push(
        &mut self,
        source: &Source,
        record: &Record<'_>,
        workshop: &mut Workshop,
    ) -> Result<Placed, StopReason> {
        let placed = self.place(source, record, workshop)?;
        self.stats.records += 1;
        self.stats.value_bytes += record.value.map_or(0, len);
        if let Placed::Written { object } | Placed::Quarantined { object, .. } = placed {
            self.settle_object(object, workshop);
        }
        Ok(placed)
    }

    fn place(
        &mut self,
        source: &Source,
        record: &Record<'_>,
        workshop: &mut Workshop,
    ) -> Result<Placed, StopReason> {
        let offset = record.offset;
        let Some(value) = record.value else {
            return match self.birth.layout.on_null {
                OnNull::Skip => Ok(Placed::Skipped),
                OnNull::Quarantine => Ok(self.quarantine(source, record, BadRecord::Null)),
                OnNull::Stop => Err(StopReason::NullRecord { offset }),
            };
        };
        if let Some(object) = self.constant_object {
            return match self.append_to(object, offset, Line::Value(value)) {
                Ok(()) => Ok(Placed::Written { object }),
                Err(reason) => self.bad(source, record, reason),
            };
        }
        let Some(route) = self.route_of(source, record, workshop) else {
            return match self.birth.layout.on_missing_route {
                OnMissingRoute::Stop => Err(StopReason::MissingRoute { offset }),
                OnMissingRoute::Default | OnMissingRoute::Quarantine => {
                    Ok(self.quarantine(source, record, BadRecord::MissingRoute))
                }
            };
        };
        match self.append(source, route, offset, Line::Value(value)) {
            Ok(object) => {
                self.constant_object = self.constant.is_some().then_some(object);
                Ok(Placed::Written { object })
            }
            Err(reason) => self.bad(source, record, reason),
        }
    }

    fn bad(
        &mut self,
        source: &Source,
        record: &Record<'_>,
        reason: BadRecord,
    ) -> Result<Placed, StopReason> {
        match self.birth.layout.on_bad {
            OnBad::Quarantine => Ok(self.quarantine(source, record, reason)),
            OnBad::Stop => Err(StopReason::BadRecord { offset: record.offset, reason }),
        }
    }

    fn route_of(
        &self,
        source: &Source,
        record: &Record<'_>,
        workshop: &mut Workshop,
    ) -> Option<Route> {
        if let Some(route) = &self.constant {
            return Some(route.clone());
        }
        let context = RouteContext { partition: &source.partition, opened: self.birth.opened };
        self.birth.layout.route_with(&context, record, &mut workshop.routes).ok()
    }

    fn quarantine(&mut self, source: &Source, record: &Record<'_>, reason: BadRecord) -> Placed {
        let route = self.birth.layout.quarantine_route(&source.partition);
        let line = Line::Quarantine(&source.partition, record, reason);
        match self.append(source, route, record.offset, line) {
            Ok(object) => Placed::Quarantined { object, reason },
            Err(_) => Placed::Skipped, // a quarantine line takes any record
        }
    }

    /// Appends to the object of the route. A new object is there only after its first record is.
    fn append(
        &mut self,
        source: &Source,
        route: Route,
        offset: Offset,
        line: Line<'_>,
    ) -> Result<usize, BadRecord> {
        if let Some(index) = self.find(&route) {
            self.append_to(index, offset, line)?;
            self.latest = Some(index);
            return Ok(index);
        }
        let encoding = &self.birth.layout.encoding;
        let known = match &self.birth.kept {
            Kept::All => Some(ObjectSpan { first: offset, last: None, count: None }),
            Kept::Only(spans) => spans.get(&offset).copied(),
        };
        // Its route stands in the key too.
        let mut buffer = ObjectBuffer::new(offset, 2 * route.as_str().len(), self.birth.sizes);
        buffer.take(known.is_some(), encoding, offset, line)?;
        self.held_bytes += buffer.held_bytes();
        let index = self.objects.len();
        let description = known
            .filter(|span| span.last.is_some() || !self.birth.layout.needs_end())
            .map(|span| self.describe(source, &route, index, span));
        self.by_route.insert(route.clone(), index);
        self.objects.push(OpenObject { route, buffer, description, is_kept: known.is_some() });
        self.latest = Some(index);
        Ok(index)
    }

    fn append_to(&mut self, index: usize, offset: Offset, line: Line<'_>) -> Result<(), BadRecord> {
        let Some(object) = self.objects.get_mut(index) else { return Ok(()) };
        let before = object.buffer.held_bytes();
        let encoding = &self.birth.layout.encoding;
        let pushed = object.buffer.take(object.is_kept, encoding, offset, line);
        self.held_bytes = self.held_bytes + object.buffer.held_bytes() - before;
        pushed
    }

    fn find(&self, route: &Route) -> Option<usize> {
        let is_same = |index: &usize| self.objects.get(*index).is_some_and(|at| at.route == *route);
        self.latest.filter(is_same).or_else(|| self.by_route.get(route).copied())
    }

    fn describe(
        &self,
        source: &Source,
        route: &Route,
        index: usize,
        span: ObjectSpan,
    ) -> Arc<ObjectDescription> {
        let encoding = &self.birth.layout.encoding;
        let lines = Encoding { format: Format::Json, ..encoding.clone() };
        let encoding = if route.is_quarantine() { &lines } else { encoding };
        Arc::new(ObjectDescription {
            id: ObjectId(self.birth.first_object.0 + u64::try_from(index).unwrap_or(u64::MAX)),
            key: self.birth.layout.object_key(&source.partition, route, &span),
            content_type: encoding.content_type(),
            partition: source.partition.clone(),
            batch: self.birth.batch,
            batch_start: self.birth.start,
            first: span.first,
            layout: Arc::clone(&self.birth.layout),
        })
    }

    /// Compresses and hands out what the record that was appended has filled.
    fn settle_object(&mut self, index: usize, workshop: &mut Workshop) {
        let compression = self.birth.layout.encoding.compression;
        let Some(object) = self.objects.get_mut(index) else { return };
        let before = object.buffer.held_bytes();
        object.buffer.compress_full_frame(compression, &mut workshop.compressors);
        if let Some(description) = &object.description {
            let full = object.buffer.part_bytes();
            if let Some((number, body)) = object.buffer.take_part(full) {
                self.parts.push(Part { object: Arc::clone(description), number, body });
                self.parts_max = self.parts_max.max(number);
            }
        }
        self.held_bytes = self.held_bytes + object.buffer.held_bytes() - before;
        let stored = object.buffer.stored_bytes();
        self.stats.largest_object_bytes = self.stats.largest_object_bytes.max(stored);
    }

    /// Closes the batch at `end`. The parts that are left are among `take_parts` of the result.
    pub(super) fn seal(
        mut self,
        source: &Source,
        end: Offset,
        workshop: &mut Workshop,
    ) -> Result<(SealedBatch, Vec<Part>), StopReason> {
        let (start, records) = (self.birth.start, self.stats.records);
        let range = OffsetRange::new(start, end)
            .map_err(|_| super::PartitionError::EmptySeal { start, end })?;
        let mut all = Vec::with_capacity(self.objects.len());
        for (index, object) in std::mem::take(&mut self.objects).into_iter().enumerate() {
            let (is_kept, span) = (object.is_kept, object.span());
            all.push((is_kept, span, self.finish(source, index, object, workshop)));
        }
        all.sort_by_key(|(_, span, _)| span.first);
        let digest = Digest::of(all.iter().map(|(_, span, object)| DigestEntry {
            key: &object.description.key,
            first: span.first,
            count: object.count,
        }));
        let plan = Plan {
            batch: self.birth.batch,
            range,
            opened: self.birth.opened,
            records,
            digest,
            cluster: source.cluster.clone(),
            topic_id: source.topic_id,
            layout: Layout::clone(&self.birth.layout),
        };
        let (mut objects, mut counted) = (Vec::new(), Vec::new());
        for (is_kept, span, object) in all {
            if is_kept {
                objects.push(object);
            } else {
                counted.push(CountedObject { span, framed_bytes: object.stored_bytes });
            }
        }
        Ok((SealedBatch::new(plan, objects, counted, self.stats), self.parts))
    }

    fn finish(
        &mut self,
        source: &Source,
        index: usize,
        object: OpenObject,
        workshop: &mut Workshop,
    ) -> SealedObject {
        let span = object.span();
        let OpenObject { route, mut buffer, description, .. } = object;
        let encoding = &self.birth.layout.encoding;
        buffer.compress(encoding.compression, &mut workshop.compressors);
        // Also where an earlier pass knew the name: if the log has changed since, so has the name.
        let description = description
            .filter(|_| !self.birth.layout.needs_end())
            .unwrap_or_else(|| self.describe(source, &route, index, span));
        let is_large = buffer.stored_bytes() > buffer.part_bytes();
        if (buffer.parts() > 0 || is_large)
            && let Some((number, body)) = buffer.take_part(0)
        {
            self.parts.push(Part { object: Arc::clone(&description), number, body });
        }
        let (count, parts) = (buffer.count, buffer.parts());
        let stored_bytes = buffer.stored_bytes();
        SealedObject { description, count, whole: buffer.take_whole(), parts, stored_bytes }
    }

    /// Throws the batch away and names the objects of which parts may be in S3.
    pub(super) fn discard(self) -> Vec<ObjectId> {
        let has_parts = |object: &&OpenObject| object.buffer.parts() > 0;
        let id = |object: &OpenObject| object.description.as_ref().map(|about| about.id);
        self.objects.iter().filter(has_parts).filter_map(id).collect()
    }

    /// Returns whether S3 would soon take no more parts of one object.
    pub(super) fn is_at_part_limit(&self) -> bool {
        self.parts_max >= PARTS_MAX
    }
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
