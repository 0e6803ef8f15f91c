//! What a run has met: the scenarios that must not stay untried.

use std::collections::BTreeMap;
use std::fmt;

/// Something that a run can meet. Each must be met a thousand times over all seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    CrashOpen,
    CrashPlanOnItsWay,
    CrashPlanned,
    CrashClaiming,
    CrashPublishing,
    CrashPublished,
    CrashEndOnItsWay,
    CrashEnded,
    CrashReplaying,
    ZombieCommitAccepted,
    CommitAppliedAnswerLost,
    Own412,
    Foreign412,
    Lost200,
    Conflict409,
    PlanFinishedByAnother,
    LayoutChangedUnderPlan,
    AbortedTransaction,
    EofOnlyAdvance,
    FreezeAndThaw,
    ReplayInPasses,
    LostOffsetsFound,
}

impl Scenario {
    pub const ALL: [Self; 22] = [
        Self::CrashOpen,
        Self::CrashPlanOnItsWay,
        Self::CrashPlanned,
        Self::CrashClaiming,
        Self::CrashPublishing,
        Self::CrashPublished,
        Self::CrashEndOnItsWay,
        Self::CrashEnded,
        Self::CrashReplaying,
        Self::ZombieCommitAccepted,
        Self::CommitAppliedAnswerLost,
        Self::Own412,
        Self::Foreign412,
        Self::Lost200,
        Self::Conflict409,
        Self::PlanFinishedByAnother,
        Self::LayoutChangedUnderPlan,
        Self::AbortedTransaction,
        Self::EofOnlyAdvance,
        Self::FreezeAndThaw,
        Self::ReplayInPasses,
        Self::LostOffsetsFound,
    ];

    /// Returns the name in the closing line.
    pub fn name(self) -> &'static str {
        match self {
            Self::CrashOpen => "crash open",
            Self::CrashPlanOnItsWay => "crash before the plan is taken",
            Self::CrashPlanned => "crash before the plan's answer",
            Self::CrashClaiming => "crash claiming",
            Self::CrashPublishing => "crash publishing",
            Self::CrashPublished => "crash published",
            Self::CrashEndOnItsWay => "crash before the end is taken",
            Self::CrashEnded => "crash before the end's answer",
            Self::CrashReplaying => "crash replaying",
            Self::ZombieCommitAccepted => "zombie's commit accepted",
            Self::CommitAppliedAnswerLost => "commit applied, answer lost",
            Self::Own412 => "own 412",
            Self::Foreign412 => "foreign 412",
            Self::Lost200 => "lost 200",
            Self::Conflict409 => "409",
            Self::PlanFinishedByAnother => "plan finished by another",
            Self::LayoutChangedUnderPlan => "layout changed under a plan",
            Self::AbortedTransaction => "aborted transaction",
            Self::EofOnlyAdvance => "EOF-only advance",
            Self::FreezeAndThaw => "freeze and thaw",
            Self::ReplayInPasses => "replay in passes",
            Self::LostOffsetsFound => "lost offsets found",
        }
    }
}

/// How often each was met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<Scenario, u64>);

impl Seen {
    pub fn count(&self, scenario: Scenario) -> u64 {
        self.0.get(&scenario).copied().unwrap_or(0)
    }

    pub(super) fn met(&mut self, scenario: Scenario) {
        *self.0.entry(scenario).or_default() += 1;
    }

    /// Adds what another run has met.
    pub fn add(&mut self, other: &Self) {
        for (scenario, count) in &other.0 {
            *self.0.entry(*scenario).or_default() += count;
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scenario) in Scenario::ALL.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{} {}", scenario.name(), self.count(scenario))?;
        }
        Ok(())
    }
}
