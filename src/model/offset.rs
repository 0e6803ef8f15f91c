//! Offsets of Kafka and half-open ranges of them. The only place that adds to an offset.

use std::fmt;

use thiserror::Error;

/// The place of a record in its partition, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(i64);

/// A number below zero where an offset was expected. Kafka uses such numbers as signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("offset {0} is below zero")]
pub struct NegativeOffset(pub i64);

impl Offset {
    pub const ZERO: Self = Self(0);

    /// Returns the offset, or an error for Kafka's negative signs (none, earliest, latest).
    pub fn new(value: i64) -> Result<Self, NegativeOffset> {
        if value < 0 { Err(NegativeOffset(value)) } else { Ok(Self(value)) }
    }

    pub fn value(self) -> i64 {
        self.0
    }

    /// Returns the offset behind this one: the end of a range whose last record this is.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Returns the offset before this one, or none for the first.
    pub fn previous(self) -> Option<Self> {
        self.0.checked_sub(1).filter(|value| *value >= 0).map(Self)
    }

    /// Returns how many offsets lie between `earlier` and this one, zero if it is not earlier.
    pub fn distance_from(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A half-open range `[start, end)` of one partition that holds at least one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRange {
    start: Offset,
    end: Offset,
}

/// A range whose end does not lie behind its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("range [{start}, {end}) holds nothing")]
pub struct EmptyRange {
    pub start: Offset,
    pub end: Offset,
}

impl OffsetRange {
    pub fn new(start: Offset, end: Offset) -> Result<Self, EmptyRange> {
        if start < end { Ok(Self { start, end }) } else { Err(EmptyRange { start, end }) }
    }

    pub fn start(self) -> Offset {
        self.start
    }

    /// Returns the offset behind the last one: what Kafka wants as a commit.
    pub fn end(self) -> Offset {
        self.end
    }

    pub fn contains(self, offset: Offset) -> bool {
        self.start <= offset && offset < self.end
    }
}

impl fmt::Display for OffsetRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}, {})", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_the_signs_of_kafka() {
        assert_eq!(Offset::new(-1001), Err(NegativeOffset(-1001)));
        assert_eq!(Offset::new(0), Ok(Offset::ZERO));
    }

    #[test]
    fn has_a_neighbour_on_either_side() {
        let seven = Offset::new(7).unwrap();
        assert_eq!(seven.next().value(), 8);
        assert_eq!(seven.previous().map(Offset::value), Some(6));
        assert_eq!(Offset::ZERO.previous(), None);
        assert_eq!(seven.distance_from(Offset::new(5).unwrap()), 2);
        assert_eq!(seven.distance_from(Offset::new(9).unwrap()), 0);
    }

    #[test]
    fn a_range_holds_its_start_and_not_its_end() {
        let (two, five) = (Offset::new(2).unwrap(), Offset::new(5).unwrap());
        let range = OffsetRange::new(two, five).unwrap();
        assert!(range.contains(two) && !range.contains(five));
        assert_eq!(range.to_string(), "[2, 5)");
        assert_eq!(OffsetRange::new(five, five), Err(EmptyRange { start: five, end: five }));
    }
}
