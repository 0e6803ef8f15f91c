//! Random numbers that never change: SplitMix64 (Steele, Lea, Flood: "Fast splittable
//! pseudorandom number generators", 2014), a counter through a mixer.
//!
//! Why not the `rand` crate: it does not promise the same numbers from one release to the next.

use std::fmt::Write as _;

/// 2^64 divided by the golden ratio: the step of the counter.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers of its own for each seed and index.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    /// Both are mixed, so that neighbouring seeds and neighbouring indices share no stream.
    pub(super) fn new(seed: u64, index: u64) -> Self {
        Self { state: mix(mix(seed.wrapping_add(STEP)) ^ mix(index.wrapping_mul(STEP))) }
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// Returns a number below `bound`, zero for a bound of zero. The bias of a bound far below
    /// 2^64 is too small to see.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// Returns one of `choices`, which is a list written down in this program: never empty.
    pub(super) fn pick<T: Copy>(&mut self, choices: &'static [T]) -> T {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices[index.min(choices.len().saturating_sub(1))]
    }

    /// Returns each of `choices` once, from a random one on.
    pub(super) fn tour<T: Copy>(
        &mut self,
        choices: &'static [T],
    ) -> impl Iterator<Item = T> + use<T> {
        let start = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices.iter().copied().cycle().skip(start).take(choices.len())
    }

    /// Returns a random (version 4) UUID as text.
    pub(super) fn uuid(&mut self) -> String {
        let bits = (u128::from(self.bits()) << 64) | u128::from(self.bits());
        let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let digits = format!("{bits:032x}");
        let mut text = String::with_capacity(36);
        for (index, digit) in digits.chars().enumerate() {
            let dash = if matches!(index, 8 | 12 | 16 | 20) { "-" } else { "" };
            // Writing into a string cannot fail.
            write!(text, "{dash}{digit}").unwrap_or_default();
        }
        text
    }
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut random = Random::new(1, 1);
        let mut seen = [false; 7];
        for _ in 0..1_000 {
            seen[usize::try_from(random.below(7)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn a_tour_meets_each_choice_once() {
        let mut random = Random::new(1, 1);
        let mut met: Vec<u8> = random.tour(&[1, 2, 3, 4]).collect();
        met.sort_unstable();
        assert_eq!(met, [1, 2, 3, 4]);
    }

    #[test]
    fn a_uuid_says_that_it_is_random() {
        for index in 0..100 {
            let text = Random::new(5, index).uuid();
            let parts: Vec<usize> = text.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12]);
            assert_eq!(text.as_bytes()[14], b'4');
            assert!(b"89ab".contains(&text.as_bytes()[19]), "{text}");
        }
    }
}
