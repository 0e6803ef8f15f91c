//! What Sluice must have written of a range: Kafka's records, put where the layout says.
//!
//! It owns: which object each record belongs to, and what that object then must hold.
//! It does not own: reading records, the objects that are there.
//!
//! It decides anew what the engine decided, so that a mistake is not made twice; names, routes and
//! lines themselves are those of `layout` and `format`. Of an object it keeps a hash and some
//! numbers, two kilobytes, however long the object is.

use std::collections::BTreeMap;

use crate::format::{BadRecord, quarantine_line};
use crate::layout::{Layout, ObjectSpan, OnNull, Route, RouteCache, RouteContext};
use crate::model::{ObjectKey, Offset, Record, Timestamp, TopicPartition};

/// Under what the records of a range were written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub(super) partition: &'a TopicPartition,
    pub(super) layout: &'a Layout,
    /// When the batch was opened.
    pub(super) opened: Timestamp,
}

/// An object that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) key: ObjectKey,
    pub(super) route: Route,
    pub(super) first: Offset,
    pub(super) last: Offset,
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) hash: blake3::Hash,
}

/// Puts records where they belong.
#[derive(Debug)]
pub(super) struct Placing<'a> {
    terms: Terms<'a>,
    constant: Option<Route>,
    cache: RouteCache,
    line: Vec<u8>,
}

impl<'a> Placing<'a> {
    pub(super) fn new(terms: Terms<'a>) -> Self {
        let constant = terms.layout.constant_route(terms.partition);
        Self { terms, constant, cache: RouteCache::default(), line: Vec::new() }
    }

    /// Returns where the record must be and as what; none if nothing is written of it.
    pub(super) fn place(&mut self, record: &Record<'_>) -> Option<(Route, &[u8])> {
        self.line.clear();
        let reason = match record.value {
            None if self.terms.layout.on_null == OnNull::Skip => return None,
            None => BadRecord::Null,
            Some(value) => match self.route(record) {
                None => BadRecord::MissingRoute,
                Some(route) => match self.terms.layout.encoding.frame(value, &mut self.line) {
                    Ok(()) => return Some((route, &self.line)),
                    Err(reason) => reason,
                },
            },
        };
        quarantine_line(self.terms.partition, record, reason, &mut self.line);
        Some((self.terms.layout.quarantine_route(self.terms.partition), &self.line))
    }

    fn route(&mut self, record: &Record<'_>) -> Option<Route> {
        if let Some(route) = &self.constant {
            return Some(route.clone());
        }
        let Terms { partition, layout, opened } = self.terms;
        layout.route_with(&RouteContext { partition, opened }, record, &mut self.cache).ok()
    }
}

struct Growing {
    first: Offset,
    last: Offset,
    count: u64,
    bytes: u64,
    hasher: blake3::Hasher,
}

/// All objects of one batch.
pub(super) struct Expecting<'a> {
    terms: Terms<'a>,
    placing: Placing<'a>,
    by_route: BTreeMap<Route, Growing>,
}

impl<'a> Expecting<'a> {
    pub(super) fn new(terms: Terms<'a>) -> Self {
        Self { terms, placing: Placing::new(terms), by_route: BTreeMap::new() }
    }

    pub(super) fn push(&mut self, record: &Record<'_>) {
        let Some((route, line)) = self.placing.place(record) else { return };
        let object = self.by_route.entry(route).or_insert_with(|| Growing {
            first: record.offset,
            last: record.offset,
            count: 0,
            bytes: 0,
            hasher: blake3::Hasher::new(),
        });
        object.last = record.offset;
        object.count += 1;
        object.bytes += u64::try_from(line.len()).unwrap_or(u64::MAX);
        object.hasher.update(line);
    }

    /// Returns the objects in the order of their first records.
    pub(super) fn finish(self) -> Vec<Expected> {
        let Terms { partition, layout, .. } = self.terms;
        let mut all: Vec<Expected> = self
            .by_route
            .into_iter()
            .map(|(route, Growing { first, last, count, bytes, hasher })| {
                let span = ObjectSpan { first, last: Some(last), count: Some(count) };
                let key = layout.object_key(partition, &route, &span);
                Expected { key, route, first, last, count, bytes, hash: hasher.finalize() }
            })
            .collect();
        all.sort_by_key(|expected| expected.first);
        all
    }
}
