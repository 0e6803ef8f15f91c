//! Up to which time a partition's records are in S3.
//!
//! It owns: a few pairs of offset and time between what is read and what is published, so that the
//! answer costs a comparison a record and a kilobyte a partition.
//! It does not own: the offsets.

use std::collections::VecDeque;

use crate::model::{Offset, Timestamp};

/// Pairs that are kept; with more, every other one goes, and what is said is older by as much.
const MARKS_MAX: usize = 64;

/// Times are of records, in milliseconds since 1970, and never fall.
#[derive(Debug, Default)]
pub(super) struct Progress {
    newest: Option<i64>,
    /// Offsets of next records, with the newest time below each; oldest first.
    marks: VecDeque<(Offset, i64)>,
    published: Option<Timestamp>,
}

impl Progress {
    /// A record was handed to the machine.
    pub(super) fn read(&mut self, time: Option<Timestamp>) {
        self.newest = self.newest.max(time.map(Timestamp::millis));
    }

    /// Returns the newest time below what is published, as far as it is known. `next` is the offset
    /// of the next record to be read.
    pub(super) fn look(&mut self, next: Offset, published_to: Offset) -> Option<Timestamp> {
        let is_new = self.marks.back().is_none_or(|(offset, _)| *offset < next);
        if let Some(newest) = self.newest.filter(|_| is_new && next > published_to) {
            if self.marks.len() >= MARKS_MAX {
                let mut stays = false;
                self.marks.retain(|_| {
                    stays = !stays;
                    stays
                });
            }
            self.marks.push_back((next, newest));
        }
        while let Some((_, time)) = self.marks.pop_front_if(|(offset, _)| *offset <= published_to) {
            self.published = Some(Timestamp::from_millis(time));
        }
        if next <= published_to {
            self.published = self.newest.map(Timestamp::from_millis).or(self.published);
        }
        self.published
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(value: i64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn ms(value: i64) -> Option<Timestamp> {
        Some(Timestamp::from_millis(value))
    }

    #[test]
    fn the_time_is_of_what_is_published_not_of_what_is_read() {
        let mut progress = Progress::default();
        assert_eq!(progress.look(at(0), at(0)), None, "nothing is known yet");
        progress.read(ms(100));
        assert_eq!(progress.look(at(1), at(0)), None);
        progress.read(ms(200));
        assert_eq!(progress.look(at(2), at(0)), None);
        assert_eq!(progress.look(at(2), at(1)), ms(100));
        progress.read(ms(300));
        assert_eq!(progress.look(at(3), at(1)), ms(100));
        assert_eq!(progress.look(at(3), at(3)), ms(300));
    }

    #[test]
    fn a_record_that_is_older_than_one_before_it_takes_nothing_back() {
        let mut progress = Progress::default();
        for time in [500, 100] {
            progress.read(ms(time));
        }
        progress.read(None);
        assert_eq!(progress.look(at(3), at(3)), ms(500));
    }

    #[test]
    fn many_looks_keep_few_pairs_and_never_say_too_late_a_time() {
        let mut progress = Progress::default();
        for number in 1..10_000 {
            progress.read(ms(number));
            progress.look(at(number), at(0));
            assert!(progress.marks.len() <= MARKS_MAX);
        }
        let mut said = 0;
        for published in 1..9_999 {
            let time = progress.look(at(9_999), at(published)).map_or(0, Timestamp::millis);
            assert!(time <= published && time >= said, "{time} of {published}");
            said = time;
        }
        assert!(said > 9_000, "{said}");
    }
}
