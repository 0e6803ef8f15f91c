//! Where an object and Kafka part: a second pass over both, line by line.
//!
//! It owns: the first difference. It does not own: noticing that there is one (`compare`).

use std::ops::ControlFlow;

use tokio::runtime::Runtime;

use super::content::{ContentError, ObjectReader};
use super::expected::{Placing, Terms};
use crate::kafka::{RangeReader, ReadError};
use crate::layout::Route;
use crate::model::{Offset, OffsetRange, Record};

/// The first thing that is wrong. Lines count from one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// None was met: the object has changed since.
    None,
    Line {
        line: u64,
        offset: Offset,
    },
    /// It holds `lines` whole lines, and the record at `offset` should follow.
    EndsEarly {
        lines: u64,
        offset: Offset,
        is_whole: bool,
    },
    Damaged {
        lines: u64,
    },
    GoesOn {
        lines: u64,
    },
    Failed(ContentError),
}

/// Compares an object with what the range holds for its route.
pub(super) fn pinpoint(
    (runtime, kafka): (&Runtime, &mut RangeReader),
    (terms, range, route): (Terms<'_>, OffsetRange, &Route),
    object: ObjectReader,
) -> Result<Difference, ReadError> {
    let mut side = Side { runtime, object, unread: Vec::new(), at: 0, lines: 0, is_over: false };
    let mut placing = Placing::new(terms);
    let mut difference = None;
    kafka.read(terms.partition, range, |record: &Record<'_>| {
        if let Some((of, line)) = placing.place(record)
            && of == *route
        {
            difference = side.compare(line, record.offset);
        }
        match difference {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    })?;
    Ok(difference.unwrap_or_else(|| side.rest()))
}

/// The object's side.
struct Side<'a> {
    runtime: &'a Runtime,
    object: ObjectReader,
    unread: Vec<u8>,
    at: usize,
    lines: u64,
    is_over: bool,
}

impl Side<'_> {
    /// Returns the difference that this line makes, if it makes one.
    fn compare(&mut self, line: &[u8], offset: Offset) -> Option<Difference> {
        if let Err(error) = self.fill(line.len()) {
            // What came before the damage still counts.
            let is_alike = line.starts_with(self.rest_of());
            return Some(match error {
                ContentError::Damaged if is_alike => Difference::Damaged { lines: self.lines },
                ContentError::Damaged => Difference::Line { line: self.lines + 1, offset },
                error => Difference::Failed(error),
            });
        }
        let rest = self.rest_of();
        if rest.starts_with(line) {
            self.at += line.len();
            self.lines += 1;
            return None;
        }
        if rest.len() < line.len() && line.starts_with(rest) {
            let (lines, is_whole) = (self.lines, rest.is_empty());
            return Some(Difference::EndsEarly { lines, offset, is_whole });
        }
        Some(Difference::Line { line: self.lines + 1, offset })
    }

    fn rest(&mut self) -> Difference {
        match self.fill(1) {
            Err(ContentError::Damaged) => Difference::Damaged { lines: self.lines },
            Err(error) => Difference::Failed(error),
            Ok(()) if self.rest_of().is_empty() => Difference::None,
            Ok(()) => Difference::GoesOn { lines: self.lines },
        }
    }

    fn rest_of(&self) -> &[u8] {
        self.unread.get(self.at..).unwrap_or_default()
    }

    /// Reads until so many bytes are there, or there are no more.
    fn fill(&mut self, length: usize) -> Result<(), ContentError> {
        while self.rest_of().len() < length && !self.is_over {
            self.unread.drain(..self.at);
            self.at = 0;
            match self.runtime.block_on(self.object.next())? {
                Some(piece) => self.unread.extend(piece),
                None => self.is_over = true,
            }
        }
        Ok(())
    }
}
