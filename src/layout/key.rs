//! Routes to keys: the name put behind the path.
//!
//! It owns: what an object is called.
//! It does not own: whether two objects could be called the same; `check` refuses such layouts.

use super::escape::push_mark;
use super::name::{NamePiece, OFFSET_DIGITS_MAX, PARTITION_DIGITS_MAX};
use super::number::push_number;
use super::path::PathPiece;
use super::route::{Route, RouteKind};
use super::{Layout, ObjectSpan, TimeSource};
use crate::format::Format;
use crate::model::{ObjectKey, TOPIC_BYTES_MAX, TopicPartition};

/// The width of the start in a quarantine's name: `<topic>+<partition>+<start>`.
pub(super) const QUARANTINE_WIDTH: u8 = 10;

impl Layout {
    /// Returns the key of the object of `route` whose records span `span`. Always a valid key; for
    /// a checked layout no two objects share one.
    ///
    /// A name with `{last}` or `{count}` is final only once the span knows them
    /// ([`Layout::needs_end`]); until then the first offset and zero stand in.
    pub fn object_key(
        &self,
        partition: &TopicPartition,
        route: &Route,
        span: &ObjectSpan,
    ) -> ObjectKey {
        let mut key = String::with_capacity(route.as_str().len() + 64);
        key.push_str(route.as_str());
        if !key.is_empty() {
            key.push('/');
        }
        match route.kind() {
            RouteKind::Records => self.push_name(&mut key, partition, span),
            RouteKind::Quarantine => push_quarantine_name(&mut key, partition, span),
        }
        key.push('.');
        key.push_str(self.extension(route.kind()));
        match (ObjectKey::new(&key), self.public_bytes(partition, route)) {
            (Ok(key), Some(bytes)) => key.with_private(bytes..route.as_str().len()),
            (Ok(key), None) => key,
            (Err(_), _) => digest_key(&key),
        }
    }

    /// Returns where the part of a route begins that may hold what comes from records: behind what
    /// is the same for all of them. None if nothing does.
    fn public_bytes(&self, partition: &TopicPartition, route: &Route) -> Option<usize> {
        let is_private = |piece: &PathPiece| match piece {
            PathPiece::Field(_) | PathPiece::Header(_) | PathPiece::Key => true,
            PathPiece::Time(_) => matches!(self.time, TimeSource::Field { .. }),
            PathPiece::Literal(_) | PathPiece::Topic | PathPiece::Partition { .. } => false,
        };
        if route.is_quarantine() || !self.path.pieces().iter().any(is_private) {
            return None;
        }
        let mut public = String::new();
        // A path that was cut may hold less.
        let _ = self.push_constant(&mut public, partition);
        Some(route.as_str().floor_char_boundary(public.len()))
    }

    /// Returns the end of an object's name, without the dot before it.
    pub(super) fn extension(&self, kind: RouteKind) -> &'static str {
        match kind {
            RouteKind::Records => self.encoding.extension(),
            RouteKind::Quarantine => Format::Json.extension(self.encoding.compression),
        }
    }

    /// Returns how long a name can become with the longest topic and its extension.
    pub(super) fn name_bytes_max(&self, kind: RouteKind) -> usize {
        let name_bytes = match kind {
            RouteKind::Records => self.name.bytes_max(TOPIC_BYTES_MAX),
            RouteKind::Quarantine => TOPIC_BYTES_MAX + PARTITION_DIGITS_MAX + OFFSET_DIGITS_MAX + 2,
        };
        name_bytes + ".".len() + self.extension(kind).len()
    }

    fn push_name(&self, key: &mut String, partition: &TopicPartition, span: &ObjectSpan) {
        let last = span.last.unwrap_or(span.first);
        for piece in self.name.pieces() {
            match piece {
                NamePiece::Literal(text) => key.push_str(text),
                NamePiece::Topic => key.push_str(partition.topic.as_str()),
                NamePiece::Partition { width } => {
                    push_number(key, partition_number(partition), *width);
                }
                NamePiece::Start { width } => {
                    push_number(key, span.first.value().unsigned_abs(), *width)
                }
                NamePiece::Last { width } => push_number(key, last.value().unsigned_abs(), *width),
                NamePiece::Count { width } => push_number(key, span.count.unwrap_or(0), *width),
            }
        }
    }
}

fn push_quarantine_name(key: &mut String, partition: &TopicPartition, span: &ObjectSpan) {
    key.push_str(partition.topic.as_str());
    key.push('+');
    push_number(key, partition_number(partition), 0);
    key.push('+');
    push_number(key, span.first.value().unsigned_abs(), QUARANTINE_WIDTH);
}

/// Returns the number of a partition, which is never below zero.
pub(super) fn partition_number(partition: &TopicPartition) -> u64 {
    u64::from(partition.partition.value().unsigned_abs())
}

/// Stands in for a key that is none: only a layout that `check` refuses gets here.
#[expect(clippy::expect_used, reason = "the text is a key")]
fn digest_key(key: &str) -> ObjectKey {
    let mut digest = String::new();
    push_mark(&mut digest, key.as_bytes());
    ObjectKey::new(&digest).expect("`~` and 32 hexadecimal digits are a key")
}
