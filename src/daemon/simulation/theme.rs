//! What a seed leans to: so that rare things happen often in some seeds and not at all in others.
//!
//! It owns: the weights of blows, the rates of faults, the configurations of a seed.

use super::dice::Dice;
use super::seen::Scenario;
use super::settings;

/// Something that happens to an instance, to Kafka or to the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    Crash,
    Sleep,
    Wake,
    Stop,
    Start,
    Seal,
    Reload,
    Rebalance,
    Grow,
    Retain,
    Compact,
    Sweep,
    LoseOffsets,
    ResetOffsets,
    RestoreOffsets,
    DeleteGroup,
    Recreate,
    Plant,
}

/// How a seed is made.
#[derive(Clone, Debug)]
pub(super) struct Theme {
    blows: &'static [(Blow, usize)],
    pub(super) kafka_faults: usize,
    pub(super) s3_faults: usize,
    pub(super) ghosts: usize,
    pub(super) memory_bytes: u64,
    /// Records of a production at most.
    pub(super) burst: usize,
    /// Instances fall asleep with a commit in their client's hands, and wake up alone.
    pub(super) naps: bool,
    /// Where instances are to die.
    pub(super) aim: Scenario,
    /// The configurations that instances may start with.
    choices: Vec<usize>,
}

const PLAIN: &[(Blow, usize)] = &[
    (Blow::Crash, 8),
    (Blow::Stop, 4),
    (Blow::Start, 10),
    (Blow::Seal, 6),
    (Blow::Reload, 4),
    (Blow::Rebalance, 6),
    (Blow::Grow, 1),
];
const LOSSES: &[(Blow, usize)] = &[
    (Blow::Crash, 8),
    (Blow::Start, 8),
    (Blow::Seal, 4),
    (Blow::Retain, 6),
    (Blow::Compact, 6),
    (Blow::Sweep, 3),
];
const ZOMBIES: &[(Blow, usize)] = &[
    (Blow::Sleep, 12),
    (Blow::Wake, 8),
    (Blow::Crash, 3),
    (Blow::Stop, 3),
    (Blow::Start, 10),
    (Blow::Rebalance, 6),
];
const TAMPERED: &[(Blow, usize)] = &[
    (Blow::Crash, 12),
    (Blow::Stop, 3),
    (Blow::Start, 6),
    (Blow::LoseOffsets, 4),
    (Blow::ResetOffsets, 4),
    (Blow::RestoreOffsets, 4),
    (Blow::DeleteGroup, 1),
    (Blow::Recreate, 1),
    (Blow::Plant, 24),
];

/// Themes take turns.
pub(super) const THEMES: u64 = 10;

/// Between each pair of steps.
const AIMS: [Scenario; 31] = [
    Scenario::CrashOpen,
    Scenario::CrashPlanOnItsWay,
    Scenario::CrashPlanned,
    Scenario::CrashClaiming,
    Scenario::CrashPublishing,
    Scenario::CrashPublished,
    Scenario::CrashEndOnItsWay,
    Scenario::CrashEnded,
    Scenario::CrashPlanOnItsWay,
    Scenario::CrashClaiming,
    Scenario::CrashReplaying,
    Scenario::CrashEndOnItsWay,
    Scenario::CrashEndOnItsWay,
    Scenario::CrashEndOnItsWay,
    Scenario::CrashPublished,
    Scenario::CrashEndOnItsWay,
    Scenario::CrashReplaying,
    Scenario::CrashReplaying,
    Scenario::CrashReplaying,
    Scenario::CrashReplaying,
    // Brief ones more often.
    Scenario::CrashClaiming,
    Scenario::CrashClaiming,
    Scenario::CrashPublished,
    Scenario::CrashEndOnItsWay,
    Scenario::CrashEndOnItsWay,
    Scenario::CrashEndOnItsWay,
    Scenario::CrashEnded,
    Scenario::CrashReplaying,
    Scenario::CrashReplaying,
    Scenario::CrashReplaying,
    Scenario::CrashReplaying,
];

const LOST: &[(Blow, usize)] = &[
    (Blow::Crash, 8),
    (Blow::Start, 6),
    (Blow::LoseOffsets, 5),
    (Blow::ResetOffsets, 4),
    (Blow::DeleteGroup, 2),
];

impl Theme {
    pub(super) fn of(seed: u64, dice: &mut Dice) -> Self {
        let any: Vec<usize> = (0..settings::COUNT).collect();
        let one = |dice: &mut Dice| vec![dice.below(settings::COUNT)];
        let plain = Self {
            blows: PLAIN,
            kafka_faults: 150,
            s3_faults: 100,
            ghosts: 0,
            memory_bytes: 1_000_000,
            burst: 8,
            naps: false,
            aim: dice.pick(&AIMS).unwrap_or(Scenario::CrashPlanned),
            choices: any,
        };
        match seed % THEMES {
            0 => plain,
            1 => Self { kafka_faults: 400, choices: one(dice), ..plain },
            2 => Self { s3_faults: 350, choices: one(dice), ..plain },
            3 | 8 => {
                let choices = named_by_start(dice);
                Self { blows: ZOMBIES, naps: true, choices, ..plain }
            }
            4 => Self { blows: LOSSES, ..plain },
            5 => {
                let (aim, choices) = (Scenario::CrashPlanned, vec![settings::ROUTED_WHOLE]);
                Self { memory_bytes: 4_000, burst: 30, aim, choices, ..plain }
            }
            9 => {
                // Under these names nothing but the claim tells that a frontier was lost.
                let choices = dice.pick(&settings::NAMED_OTHERWISE).into_iter().collect();
                Self { blows: LOST, choices, ..plain }
            }
            6 => Self { blows: TAMPERED, choices: named_by_start(dice), ..plain },
            _ => {
                let (blows, ghosts) = (PLAIN, 400);
                Self { blows, ghosts, kafka_faults: 300, choices: named_by_start(dice), ..plain }
            }
        }
    }

    pub(super) fn choice(&self, dice: &mut Dice) -> usize {
        dice.pick(&self.choices).unwrap_or(0)
    }

    pub(super) fn blow(&self, dice: &mut Dice) -> Blow {
        let all: usize = self.blows.iter().map(|(_, weight)| weight).sum();
        let mut left = dice.below(all);
        for (blow, weight) in self.blows {
            if left < *weight {
                return *blow;
            }
            left -= weight;
        }
        Blow::Start
    }
}

/// One configuration for the whole seed, under which a frontier that fell back meets its own names.
fn named_by_start(dice: &mut Dice) -> Vec<usize> {
    dice.pick(&settings::NAMED_BY_START).into_iter().collect()
}
