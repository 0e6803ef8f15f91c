//! Records to routes: the template filled in.
//!
//! It owns: what is put in for a missing value, the length of a path, and what is remembered from
//! record to record.
//! It does not own: where a moment comes from (`time`), how values are escaped (`escape`).
//!
//! A path leaves room for the longest name that can stand behind it. One that does not is cut and
//! marked with its own digest, here and not with the name: a route is one directory, whatever its
//! objects are called.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp as Moment;
use jiff::tz::TimeZone;

use super::escape::{MARK_BYTES, cut_before, has_mark, push_mark, push_value};
use super::key::partition_number;
use super::number::push_number;
use super::path::PathPiece;
use super::pattern::{DEFAULT_PARTITION, Grain, Pattern};
use super::pointer::lookup;
use super::route::{MissingRoute, Route, RouteContext, RouteKind};
use super::{Layout, OnMissingRoute, PathTemplate, Zone};
use crate::model::{KEY_BYTES_MAX, Record, TopicPartition};

/// Distinct paths that a cache holds on to: what one batch usually has open. At 1 KiB each.
const PATHS_MAX: usize = 256;
/// Stretches of time that a cache knows the texts of. Records come nearly in order of time; a few
/// partitions that lag behind each other share a worker.
const SPANS_MAX: usize = 8;
/// A path is never cut below this, whatever name the template asks for.
const PATH_BYTES_MIN: usize = 64;

/// What a worker remembers between records: it saves printing the same time and allocating the
/// same path again. It changes no result; it may be shared by partitions, and serves one layout
/// at a time.
#[derive(Debug, Default)]
pub struct RouteCache {
    of: Option<(PathTemplate, Zone)>,
    spans: Vec<TimeSpan>,
    span_next: usize,
    paths: BTreeSet<Arc<str>>,
    buffer: String,
}

/// The texts of all `{time:..}` of a path, and the seconds `[start, end)` in which they hold.
#[derive(Debug)]
struct TimeSpan {
    start: i64,
    end: i64,
    texts: Vec<String>,
}

impl Layout {
    /// Returns the route of a record. [`Layout::route_with`] does the same and remembers.
    pub fn route(&self, of: &RouteContext<'_>, record: &Record<'_>) -> Result<Route, MissingRoute> {
        self.route_with(of, record, &mut RouteCache::default())
    }

    /// Returns the route of a record; what it lacks is Hive's default where the layout says so.
    pub fn route_with(
        &self,
        of: &RouteContext<'_>,
        record: &Record<'_>,
        cache: &mut RouteCache,
    ) -> Result<Route, MissingRoute> {
        cache.serve(self);
        let mut buffer = std::mem::take(&mut cache.buffer);
        let rendered = self.render(of, record, cache, &mut buffer);
        let route = rendered.map(|()| {
            self.bound(&mut buffer, RouteKind::Records);
            Route::new(cache.shared(&buffer), RouteKind::Records)
        });
        cache.buffer = buffer;
        route
    }

    /// Returns the route that all records of a partition have, if nothing in the path depends on
    /// the record or its batch: then it need be asked only once.
    pub fn constant_route(&self, partition: &TopicPartition) -> Option<Route> {
        let mut path = String::new();
        if !self.push_constant(&mut path, partition) {
            return None;
        }
        self.bound(&mut path, RouteKind::Records);
        Some(Route::new(path.into(), RouteKind::Records))
    }

    /// Appends what stands in every path of the partition before the first piece that depends on
    /// the record or its batch; returns whether that was all.
    pub(super) fn push_constant(&self, path: &mut String, partition: &TopicPartition) -> bool {
        self.push_prefix(path);
        for piece in self.path.pieces() {
            match piece {
                PathPiece::Literal(text) => path.push_str(text),
                PathPiece::Topic => path.push_str(partition.topic.as_str()),
                PathPiece::Partition { width } => {
                    push_number(path, partition_number(partition), *width)
                }
                PathPiece::Time(_)
                | PathPiece::Field(_)
                | PathPiece::Header(_)
                | PathPiece::Key => return false,
            }
        }
        true
    }

    /// Returns the reserved route of a partition's records that cannot be written as asked.
    pub fn quarantine_route(&self, partition: &TopicPartition) -> Route {
        let mut path = self.quarantine_prefix.clone();
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(partition.topic.as_str());
        path.push_str("/partition=");
        push_number(&mut path, partition_number(partition), 0);
        self.bound(&mut path, RouteKind::Quarantine);
        Route::new(path.into(), RouteKind::Quarantine)
    }

    /// Appends the prefix, with the slash that parts it from a path.
    fn push_prefix(&self, path: &mut String) {
        path.push_str(&self.prefix);
        if !self.prefix.is_empty() && !self.path.pieces().is_empty() {
            path.push('/');
        }
    }

    fn render(
        &self,
        of: &RouteContext<'_>,
        record: &Record<'_>,
        cache: &mut RouteCache,
        path: &mut String,
    ) -> Result<(), MissingRoute> {
        path.clear();
        self.push_prefix(path);
        let is_time = |piece: &PathPiece| matches!(piece, PathPiece::Time(_));
        let mut times = if self.path.pieces().iter().any(is_time) {
            let moment = self.time.moment(of, record);
            moment.and_then(|moment| cache.time_texts(moment, &self.path, &self.zone))
        } else {
            None
        }
        .map(<[String]>::iter);
        for piece in self.path.pieces() {
            match piece {
                PathPiece::Literal(text) => path.push_str(text),
                PathPiece::Topic => path.push_str(of.partition.topic.as_str()),
                PathPiece::Partition { width } => {
                    push_number(path, partition_number(of.partition), *width)
                }
                PathPiece::Time(pattern) => match times.as_mut().and_then(Iterator::next) {
                    Some(text) => path.push_str(text),
                    None => self.push_missing(path, pattern.missing())?,
                },
                PathPiece::Field(pointer) => {
                    let text = record.value.and_then(|value| lookup(value, pointer));
                    self.push_or_missing(path, text.as_deref())?;
                }
                PathPiece::Header(name) => self.push_or_missing(path, header(record, name))?,
                PathPiece::Key => self.push_or_missing(path, record.key)?,
            }
        }
        Ok(())
    }

    fn push_or_missing(&self, path: &mut String, value: Option<&[u8]>) -> Result<(), MissingRoute> {
        match value {
            None | Some([]) => self.push_missing(path, DEFAULT_PARTITION),
            Some(value) => {
                push_value(path, value);
                Ok(())
            }
        }
    }

    fn push_missing(&self, path: &mut String, default: &str) -> Result<(), MissingRoute> {
        match self.on_missing_route {
            OnMissingRoute::Default => {
                path.push_str(default);
                Ok(())
            }
            OnMissingRoute::Quarantine | OnMissingRoute::Stop => Err(MissingRoute),
        }
    }

    /// Shortens a path that leaves no room for its longest name. Different paths stay different,
    /// those of different topics too: hence the longest topic counts, not the partition's own.
    fn bound(&self, path: &mut String, kind: RouteKind) {
        let name_bytes = self.name_bytes_max(kind);
        let room = KEY_BYTES_MAX.saturating_sub("/".len() + name_bytes).max(PATH_BYTES_MIN);
        if path.len() > room || has_mark(path, room) {
            let whole = std::mem::take(path);
            path.push_str(&whole[..cut_before(&whole, room - MARK_BYTES)]);
            push_mark(path, whole.as_bytes());
        }
    }
}

/// Returns the value of the last header of this name: a header that is added overrides those
/// before it, by Kafka's own convention.
fn header<'a>(record: &Record<'a>, name: &str) -> Option<&'a [u8]> {
    let headers = (0..).map_while(|index| record.headers.get(index));
    headers.filter(|(found, _)| *found == name.as_bytes()).last().and_then(|(_, value)| value)
}

impl RouteCache {
    /// Forgets what belongs to another layout.
    fn serve(&mut self, layout: &Layout) {
        let is_same = |(path, zone): &(PathTemplate, Zone)| {
            path.is_same(&layout.path) && *zone == layout.zone
        };
        if !self.of.as_ref().is_some_and(is_same) {
            self.of = Some((layout.path.clone(), layout.zone.clone()));
            self.spans.clear();
            self.span_next = 0;
        }
    }

    /// Returns the one copy of `path`.
    fn shared(&mut self, path: &str) -> Arc<str> {
        if let Some(known) = self.paths.get(path) {
            return Arc::clone(known);
        }
        if self.paths.len() >= PATHS_MAX {
            self.paths.clear();
        }
        let shared: Arc<str> = path.into();
        self.paths.insert(Arc::clone(&shared));
        shared
    }

    /// Returns the texts of all times of the path at `moment`; none if one cannot be printed.
    fn time_texts(
        &mut self,
        moment: Moment,
        path: &PathTemplate,
        zone: &Zone,
    ) -> Option<&[String]> {
        let second = second_of(moment);
        let is_inside = |span: &TimeSpan| (span.start..span.end).contains(&second);
        let index = match self.spans.iter().position(is_inside) {
            Some(index) => index,
            None => self.remember(TimeSpan::new(moment, path, zone.rules())?),
        };
        self.spans.get(index).map(|span| span.texts.as_slice())
    }

    fn remember(&mut self, span: TimeSpan) -> usize {
        if self.spans.len() < SPANS_MAX {
            self.spans.push(span);
            return self.spans.len() - 1;
        }
        let index = self.span_next;
        self.spans[index] = span;
        self.span_next = (index + 1) % SPANS_MAX;
        index
    }
}

impl TimeSpan {
    /// Prints the times at `moment`. They hold as long as neither the local time reaches the next
    /// unit of the finest directive nor the zone changes its offset.
    fn new(moment: Moment, path: &PathTemplate, rules: &TimeZone) -> Option<Self> {
        let patterns = || {
            path.pieces().iter().filter_map(|piece| match piece {
                PathPiece::Time(pattern) => Some(pattern),
                _ => None,
            })
        };
        let zoned = moment.to_zoned(rules.clone());
        let texts = patterns().map(|pattern| pattern.render(&zoned)).collect::<Option<_>>()?;
        let grain = patterns().map(Pattern::grain).min().unwrap_or(Grain::Second).seconds();
        let offset = i64::from(zoned.offset().seconds());
        let second = second_of(moment);
        let mut start = (second + offset).div_euclid(grain) * grain - offset;
        let mut end = start + grain;
        // `preceding` excludes its argument, and a change at this very moment counts.
        let behind = Moment::from_second(second + 1).unwrap_or(Moment::MAX);
        if let Some(change) = rules.preceding(behind).next() {
            start = start.max(change.timestamp().as_second());
        }
        if let Some(change) = rules.following(moment).next() {
            end = end.min(change.timestamp().as_second());
        }
        Some(Self { start, end, texts })
    }
}

/// The second that a moment lies in, also before 1970.
fn second_of(moment: Moment) -> i64 {
    moment.as_second() - i64::from(moment.subsec_nanosecond() < 0)
}

#[cfg(test)]
mod tests;
