//! Up to which time a partition's records are in S3.
//!
//! It owns: a few pairs of offset and time between what is read and what is published, so that the
//! answer costs two comparisons a record and a kilobyte a partition; what an idle log tells.
//! It does not own: the offsets, and asking where a log ends (`log_end`).
//!
//! What is said is a time before which no record is missing in S3, of those that are known:
//!
//! | what there is | what is said |
//! |---|---|
//! | records that were read and are not published | the oldest time among them |
//! | none, but more in the log | the time of the record read last: what follows is taken to be no older |
//! | none, and none in the log when its leader was asked | the moment when it was asked |
//!
//! Where brokers stamp (`LogAppendTime`) this is exact. Where producers stamp, a record can come
//! later than others of its time; then what is said falls back to its time until it is published.
//! So nobody is told that an hour is complete while a record of it is known and not in S3.
//!
//! Why not the newest time that is published: one record with a time in the future would say for
//! ever that all is there, and a quiet partition would never say that an hour is over.

use std::collections::VecDeque;

use crate::model::{Offset, Timestamp};

/// Pairs that are kept. With more, neighbours become one and new ones are made half as often, so that
/// all are alike: what is said is older by at most a thirty-second of what is not published.
const MARKS_MAX: usize = 64;
/// A record whose time is so far ahead tells nothing; brokers refuse such a one by default
/// (`message.timestamp.after.max.ms`).
const AHEAD_MAX_MS: i64 = 3_600_000;

/// Times are in milliseconds since 1970, at most the time of day when the record was read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The oldest time of the records read since the last pair.
    oldest: Option<i64>,
    /// The time of the record that was read last.
    last: Option<i64>,
    /// Offsets of next records, with the oldest time between the pair before and this; by offset.
    marks: VecDeque<(Offset, i64)>,
    /// Behind each pair so many looks make none.
    looks_skipped: u32,
    /// Until the next pair.
    looks_to_skip: u32,
    /// Where the log ended at that time.
    end: Option<(Offset, i64)>,
    /// The latest such time when everything below was published.
    ended: Option<i64>,
    said: Option<i64>,
}

impl Progress {
    /// A record was handed to the machine.
    pub(super) fn read(&mut self, time: Option<Timestamp>, wall: Timestamp) {
        let wall = wall.millis();
        let Some(time) = time.map(Timestamp::millis) else { return };
        if time > wall.saturating_add(AHEAD_MAX_MS) {
            return;
        }
        let time = time.min(wall).max(0);
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        self.last = Some(time);
    }

    /// The log's leader was asked at that time, and no record was behind this offset.
    pub(super) fn ended(&mut self, end: Offset, at: Timestamp) {
        self.end = Some((end, at.millis()));
    }

    /// Returns the time, as far as one is known. `next` is the offset of the next record to be
    /// read; `log_end` counts records of transactions that are not finished too.
    pub(super) fn look(
        &mut self,
        next: Offset,
        published_to: Offset,
        log_end: Option<Offset>,
    ) -> Option<Timestamp> {
        self.mark(next);
        while self.marks.pop_front_if(|(offset, _)| *offset <= published_to).is_some() {}
        if next <= published_to {
            self.oldest = None;
        }
        if self.marks.len() < MARKS_MAX / 4 {
            self.looks_skipped /= 2;
            self.looks_to_skip = self.looks_to_skip.min(self.looks_skipped);
        }
        let waiting = self.marks.iter().map(|(_, time)| *time).chain(self.oldest).min();
        if waiting.is_some() {
            self.said = waiting;
        } else if next <= published_to {
            let is_all = |end| end <= published_to && log_end.is_none_or(|at| at <= published_to);
            let ended = self.end.filter(|(end, _)| is_all(*end)).map(|(_, at)| at);
            self.ended = self.ended.max(ended);
            self.said = self.last.max(self.ended);
        }
        self.said.map(Timestamp::from_millis)
    }

    fn mark(&mut self, next: Offset) {
        if self.looks_to_skip > 0 {
            self.looks_to_skip -= 1;
            return;
        }
        let Some(oldest) = self.oldest.take() else { return };
        self.marks.push_back((next, oldest));
        if self.marks.len() >= MARKS_MAX {
            self.halve();
            self.looks_skipped = self.looks_skipped.saturating_mul(2).saturating_add(1);
        }
        self.looks_to_skip = self.looks_skipped;
    }

    fn halve(&mut self) {
        let mut marks = std::mem::take(&mut self.marks).into_iter();
        while let Some((offset, time)) = marks.next() {
            let both = marks.next().map(|(later, other)| (later, other.min(time)));
            self.marks.push_back(both.unwrap_or((offset, time)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_700_000_000_000;

    fn at(value: i64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn ms(value: i64) -> Timestamp {
        Timestamp::from_millis(value)
    }

    /// Reads records of these times, all at noon.
    fn reads(progress: &mut Progress, times: &[i64]) {
        for time in times {
            progress.read(Some(ms(*time)), ms(NOON));
        }
    }

    #[test]
    fn the_time_is_of_the_oldest_record_that_is_not_published() {
        let mut progress = Progress::default();
        assert_eq!(progress.look(at(0), at(0), None), None, "nothing is known yet");
        reads(&mut progress, &[100]);
        assert_eq!(progress.look(at(1), at(0), None), Some(ms(100)));
        reads(&mut progress, &[200]);
        assert_eq!(progress.look(at(2), at(0), None), Some(ms(100)));
        assert_eq!(progress.look(at(2), at(1), None), Some(ms(200)));
        reads(&mut progress, &[300]);
        assert_eq!(progress.look(at(3), at(1), None), Some(ms(200)));
        assert_eq!(progress.look(at(3), at(3), None), Some(ms(300)), "what follows is no older");
    }

    #[test]
    fn a_late_record_opens_its_hour_again_until_it_is_published() {
        let mut progress = Progress::default();
        reads(&mut progress, &[500]);
        assert_eq!(progress.look(at(1), at(1), None), Some(ms(500)));
        reads(&mut progress, &[600, 100, 700]);
        assert_eq!(progress.look(at(4), at(1), None), Some(ms(100)));
        assert_eq!(progress.look(at(4), at(4), None), Some(ms(700)));
    }

    #[test]
    fn an_idle_log_goes_with_the_clock_once_all_of_it_is_published() {
        let mut progress = Progress::default();
        progress.ended(at(7), ms(1_000));
        assert_eq!(progress.look(at(7), at(7), Some(at(7))), Some(ms(1_000)), "nothing was read");
        progress.ended(at(8), ms(2_000));
        assert_eq!(progress.look(at(7), at(7), Some(at(8))), Some(ms(1_000)), "one is to be read");
        reads(&mut progress, &[1_500]);
        assert_eq!(progress.look(at(8), at(7), Some(at(8))), Some(ms(1_500)));
        assert_eq!(progress.look(at(8), at(8), Some(at(8))), Some(ms(2_000)));
    }

    /// The leader names the last stable offset; the fetches name the end of all.
    #[test]
    fn a_transaction_that_is_not_finished_holds_the_clock() {
        let mut progress = Progress::default();
        progress.ended(at(3), ms(9_000));
        assert_eq!(progress.look(at(3), at(3), Some(at(5))), None);
        assert_eq!(progress.look(at(5), at(5), Some(at(5))), Some(ms(9_000)));
    }

    #[test]
    fn times_from_the_future_are_not_believed() {
        let mut progress = Progress::default();
        reads(&mut progress, &[100]);
        reads(&mut progress, &[NOON * 2]);
        assert_eq!(progress.look(at(2), at(2), None), Some(ms(100)), "too far ahead to count");
        reads(&mut progress, &[NOON + 1_000]);
        assert_eq!(progress.look(at(3), at(3), None), Some(ms(NOON)), "a clock that is fast");
    }

    #[test]
    fn a_record_without_a_time_tells_nothing() {
        let mut progress = Progress::default();
        progress.read(None, ms(NOON));
        assert_eq!(progress.look(at(1), at(1), None), None);
        reads(&mut progress, &[100]);
        progress.read(None, ms(NOON));
        assert_eq!(progress.look(at(3), at(3), None), Some(ms(100)));
    }

    #[test]
    fn many_looks_keep_few_pairs_and_never_say_too_late_a_time() {
        let mut progress = Progress::default();
        for number in 1..10_000 {
            reads(&mut progress, &[number]);
            progress.look(at(number), at(0), None);
            assert!(progress.marks.len() <= MARKS_MAX);
        }
        let mut said = 0;
        for published in 1..9_999 {
            let time = progress.look(at(9_999), at(published), None).map_or(0, Timestamp::millis);
            assert!(time <= published + 1 && time >= said, "{time} of {published}");
            assert!(time >= published - 10_000 / 32, "{time} of {published}");
            said = time;
        }
        // What is published leaves room: pairs are made at each look again.
        for number in 10_000..10_010 {
            reads(&mut progress, &[number]);
            progress.look(at(number), at(number - 1), None);
        }
        assert_eq!(progress.looks_skipped, 0);
        let said = progress.look(at(10_009), at(10_008), None);
        assert_eq!(said, Some(ms(10_009)));
    }
}
