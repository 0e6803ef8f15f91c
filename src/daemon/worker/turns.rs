//! Whose turn it is while memory is short: which replay goes on, and when a batch is sealed although
//! what is on its way is waited for.
//!
//! It owns: the order of turns, how long each lasts. It does not own: what memory is, who replays.

use std::time::Duration;

use crate::engine::Address;
use crate::model::{Offset, Uptime};

/// A replay that reads nothing for so long has no leader, or a log that ends before its plan does.
const TURN_MAX: Duration = Duration::from_secs(10);
/// A sealed batch is published and committed in less, if nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(2);
/// From then on batches are sealed this often, for as long as memory is short without a break.
const SEAL_EVERY: Duration = Duration::from_millis(250);

/// The one replay that goes on, and the one before it.
#[derive(Debug, Default)]
pub(super) struct Turns {
    now: Option<Turn>,
    before: Option<Address>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    of: Address,
    /// How far it was read, and since when.
    cursor: Offset,
    since: Uptime,
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) cursor: Offset,
    /// A batch of it is planned or published, which takes its time.
    pub(super) is_publishing: bool,
}

impl Turns {
    /// Returns whose turn it is.
    pub(super) fn whose(&self) -> Option<Address> {
        self.now.map(|turn| turn.of)
    }

    /// Whoever has the turn stands here now, or replays no more. A turn ends with its replay, and
    /// where that does not get on: memory may be free again, and others wait.
    pub(super) fn look(&mut self, now: Uptime, stand: Option<Stand>) {
        let Some(mut turn) = self.now else { return };
        self.now = stand.and_then(|stand| {
            if stand.cursor != turn.cursor || stand.is_publishing {
                (turn.cursor, turn.since) = (stand.cursor, now);
            }
            (now.since(turn.since) < TURN_MAX).then_some(turn)
        });
        if self.now.is_none() {
            self.before = Some(turn.of);
        }
    }

    /// Gives the turn, if it is nobody's, to the next of these behind the one before, by address.
    pub(super) fn give(&mut self, now: Uptime, replaying: impl Iterator<Item = (Address, Offset)>) {
        if self.now.is_none() {
            let turns = replaying.map(|(of, cursor)| Turn { of, cursor, since: now });
            let before = self.before;
            self.now = turns.min_by_key(|turn| (Some(turn.of) <= before, turn.of));
        }
    }

    /// A partition is gone.
    pub(super) fn forget(&mut self, address: Address) {
        self.now = self.now.filter(|turn| turn.of != address);
    }
}

/// When to seal although what is on its way to S3 is waited for.
#[derive(Debug, Default)]
pub(super) struct Patience {
    ends: Option<Uptime>,
}

impl Patience {
    /// Memory is not short.
    pub(super) fn calm(&mut self) {
        self.ends = None;
    }

    /// Memory is short. Returns whether it has been so for too long, and counts anew.
    pub(super) fn is_over(&mut self, now: Uptime) -> bool {
        let ends = *self.ends.get_or_insert(now.after(PATIENCE));
        let is_over = now >= ends;
        if is_over {
            self.ends = Some(now.after(SEAL_EVERY));
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(value: i64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn second(count: u64) -> Uptime {
        Uptime::new(Duration::from_secs(count))
    }

    fn reading(cursor: i64) -> Option<Stand> {
        Some(Stand { cursor: at(cursor), is_publishing: false })
    }

    fn of(numbers: &[u64]) -> impl Iterator<Item = (Address, Offset)> {
        numbers.iter().map(|number| (Address(*number), at(0)))
    }

    #[test]
    fn replays_take_turns_by_their_addresses() {
        let mut turns = Turns::default();
        let mut seen = Vec::new();
        for _ in 0..4 {
            turns.give(Uptime::ZERO, of(&[7, 3, 5]));
            seen.push(turns.whose());
            turns.look(Uptime::ZERO, None);
            assert_eq!(turns.whose(), None, "it ends with its replay");
        }
        assert_eq!(seen, [3, 5, 7, 3].map(|number| Some(Address(number))));
        turns.give(Uptime::ZERO, of(&[]));
        assert_eq!(turns.whose(), None);
    }

    #[test]
    fn a_turn_lasts_while_its_replay_gets_on() {
        let mut turns = Turns::default();
        turns.give(Uptime::ZERO, of(&[3, 5]));
        for (count, stand) in [(9, 1), (18, 2), (27, 2)] {
            turns.look(second(count), reading(stand));
            turns.give(second(count), of(&[5]));
            assert_eq!(turns.whose(), Some(Address(3)), "at {count} s");
        }
        turns.look(second(28), reading(2));
        turns.give(second(28), of(&[3, 5]));
        assert_eq!(turns.whose(), Some(Address(5)), "nothing was read for ten seconds");
    }

    #[test]
    fn a_replay_that_publishes_keeps_its_turn() {
        let mut turns = Turns::default();
        turns.give(Uptime::ZERO, of(&[3]));
        turns.look(second(100), Some(Stand { cursor: at(0), is_publishing: true }));
        assert_eq!(turns.whose(), Some(Address(3)));
    }

    #[test]
    fn a_partition_that_is_gone_has_no_turn() {
        let mut turns = Turns::default();
        turns.give(Uptime::ZERO, of(&[3]));
        turns.forget(Address(5));
        assert_eq!(turns.whose(), Some(Address(3)));
        turns.forget(Address(3));
        assert_eq!(turns.whose(), None);
    }

    #[test]
    fn patience_ends_after_two_seconds_and_then_each_quarter() {
        let at = |millis| Uptime::new(Duration::from_millis(millis));
        let mut patience = Patience::default();
        let due = |patience: &mut Patience| -> Vec<u64> {
            (0..=60).map(|step| step * 50).filter(|millis| patience.is_over(at(*millis))).collect()
        };
        assert_eq!(due(&mut patience), [2_000, 2_250, 2_500, 2_750, 3_000]);
        patience.calm();
        assert!(!patience.is_over(at(3_500)), "it begins anew");
        assert!(patience.is_over(at(5_500)));
    }
}
