//! Mutants: each breaks one rule of the protocol, so that a test can show that it notices.
//!
//! It owns: their names, the one selector. It does not own: what each breaks (the code of the rule
//! asks `Mutant::is_on` there) and what notices it (`tests/simulation.rs`).
//!
//! In a build without the feature `mutants` nothing is left of them: the question is a constant.

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!("the feature `mutants` breaks rules on purpose: it is for tests, not for a release");

/// One rule broken, and nothing else. The numbers are those of the protocol's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// The plan itself: nothing is written down before objects become visible.
    NoPlan,
    /// Rule 1: commits go out without their metadata, as most APIs would.
    CommitsWithoutMetadata,
    /// Rule 2: a token lives on when its partition is taken away.
    TokensOutliveRevoke,
    /// Rule 2: a revoke does not wait for the commit on its way.
    RevokeDoesNotWait,
    /// Rule 3: who is not named in a mixed answer counts as committed.
    MixedAnswersAreSuccess,
    /// Rule 4: an answer that says nothing counts as success.
    AmbiguousIsDone,
    /// Rule 5: commits go out at a negative generation too.
    CommitsOutsideOfGroup,
    /// Rule 5: a refusal of the membership is repeated like a time-out.
    RefusalsAreRepeated,
    /// Rule 6: the end of the log is committed while records before it are open.
    EndOfLogPassesOpenBatch,
    /// Rule 6: ends behind what writes nothing are not committed.
    SilentEndsAreNotCommitted,
    /// Rule 7: `isolation.level` is `read_uncommitted`.
    ReadsUncommitted,
    /// Rule 8: where to start is decided without the claim.
    ClaimIsNotAsked,
    /// Rule 9: a topic that was created anew is taken for the old one.
    TopicIdIsNotCompared,
    /// Rule 10: records lost in Kafka also throw away what was read before them.
    LossForgetsMemory,
    /// Rule 12: a pending plan is not finished.
    PendingPlanIsForgotten,
    /// Rule 12: a pending plan is finished under the present layout.
    PlanUnderNewLayout,
    /// Rule 13: a replay publishes whatever it has read.
    DigestIsNotCompared,
    /// Rule 14: a replay in passes ends after its first one that writes.
    PassesEndEarly,
    /// Rule 15: the opening time of a replay is the present, not the plan's.
    ReplayOpensNow,
    /// Rule 16: objects are written without a condition.
    LastWriterWins,
    /// Rule 16: what has our name counts as ours without a look.
    AnyObjectIsOurs,
    /// Rule 16: the first batch of an assignment publishes all its objects at once.
    FirstIsNotAlone,
    /// Rule 17: a record that cannot be written goes nowhere.
    BadRecordsAreDropped,
    /// Rule 18: an upload that is gone is waited for.
    LostUploadsAreIgnored,
    /// Rule 19: messages that were struck out are handed in all the same.
    StruckOutIsRead,
    /// Rule 9: plans of the previous version are not read.
    OwnVersionOnly,
    /// Rule 9: metadata of a version that nobody knows is taken for another tool's.
    UnknownVersionIsForeign,
    /// Rule 11: a decision of `recover` is taken whatever is committed by then.
    DecisionForAnyCommit,
}

impl Mutant {
    pub const ALL: [Self; 28] = [
        Self::NoPlan,
        Self::CommitsWithoutMetadata,
        Self::TokensOutliveRevoke,
        Self::RevokeDoesNotWait,
        Self::MixedAnswersAreSuccess,
        Self::AmbiguousIsDone,
        Self::CommitsOutsideOfGroup,
        Self::RefusalsAreRepeated,
        Self::EndOfLogPassesOpenBatch,
        Self::SilentEndsAreNotCommitted,
        Self::ReadsUncommitted,
        Self::ClaimIsNotAsked,
        Self::TopicIdIsNotCompared,
        Self::LossForgetsMemory,
        Self::PendingPlanIsForgotten,
        Self::PlanUnderNewLayout,
        Self::DigestIsNotCompared,
        Self::PassesEndEarly,
        Self::ReplayOpensNow,
        Self::LastWriterWins,
        Self::AnyObjectIsOurs,
        Self::FirstIsNotAlone,
        Self::BadRecordsAreDropped,
        Self::LostUploadsAreIgnored,
        Self::StruckOutIsRead,
        Self::OwnVersionOnly,
        Self::UnknownVersionIsForeign,
        Self::DecisionForAnyCommit,
    ];

    /// Returns the name by which it is switched on (`SLUICE_MUTANT`).
    pub fn name(self) -> &'static str {
        match self {
            Self::NoPlan => "no-plan",
            Self::CommitsWithoutMetadata => "commits-without-metadata",
            Self::TokensOutliveRevoke => "tokens-outlive-revoke",
            Self::RevokeDoesNotWait => "revoke-does-not-wait",
            Self::MixedAnswersAreSuccess => "mixed-answers-are-success",
            Self::AmbiguousIsDone => "ambiguous-is-done",
            Self::CommitsOutsideOfGroup => "commits-outside-of-group",
            Self::RefusalsAreRepeated => "refusals-are-repeated",
            Self::EndOfLogPassesOpenBatch => "end-of-log-passes-open-batch",
            Self::SilentEndsAreNotCommitted => "silent-ends-are-not-committed",
            Self::ReadsUncommitted => "reads-uncommitted",
            Self::ClaimIsNotAsked => "claim-is-not-asked",
            Self::TopicIdIsNotCompared => "topic-id-is-not-compared",
            Self::LossForgetsMemory => "loss-forgets-memory",
            Self::PendingPlanIsForgotten => "pending-plan-is-forgotten",
            Self::PlanUnderNewLayout => "plan-under-new-layout",
            Self::DigestIsNotCompared => "digest-is-not-compared",
            Self::PassesEndEarly => "passes-end-early",
            Self::ReplayOpensNow => "replay-opens-now",
            Self::LastWriterWins => "last-writer-wins",
            Self::AnyObjectIsOurs => "any-object-is-ours",
            Self::FirstIsNotAlone => "first-is-not-alone",
            Self::BadRecordsAreDropped => "bad-records-are-dropped",
            Self::LostUploadsAreIgnored => "lost-uploads-are-ignored",
            Self::StruckOutIsRead => "struck-out-is-read",
            Self::OwnVersionOnly => "own-version-only",
            Self::UnknownVersionIsForeign => "unknown-version-is-foreign",
            Self::DecisionForAnyCommit => "decision-for-any-commit",
        }
    }

    /// Returns the number of the rule; zero for the plan itself.
    pub fn rule(self) -> u8 {
        match self {
            Self::NoPlan => 0,
            Self::CommitsWithoutMetadata => 1,
            Self::TokensOutliveRevoke | Self::RevokeDoesNotWait => 2,
            Self::MixedAnswersAreSuccess => 3,
            Self::AmbiguousIsDone => 4,
            Self::CommitsOutsideOfGroup | Self::RefusalsAreRepeated => 5,
            Self::EndOfLogPassesOpenBatch | Self::SilentEndsAreNotCommitted => 6,
            Self::ReadsUncommitted => 7,
            Self::ClaimIsNotAsked => 8,
            Self::TopicIdIsNotCompared | Self::OwnVersionOnly | Self::UnknownVersionIsForeign => 9,
            Self::LossForgetsMemory => 10,
            Self::DecisionForAnyCommit => 11,
            Self::PendingPlanIsForgotten | Self::PlanUnderNewLayout => 12,
            Self::DigestIsNotCompared => 13,
            Self::PassesEndEarly => 14,
            Self::ReplayOpensNow => 15,
            Self::LastWriterWins | Self::AnyObjectIsOurs | Self::FirstIsNotAlone => 16,
            Self::BadRecordsAreDropped => 17,
            Self::LostUploadsAreIgnored => 18,
            Self::StruckOutIsRead => 19,
        }
    }

    /// Returns the mutant of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == name)
    }
}

#[cfg(any(test, feature = "mutants"))]
mod selector {
    use std::cell::Cell;
    use std::sync::OnceLock;

    use super::Mutant;

    thread_local! {
        static HERE: Cell<Option<Mutant>> = const { Cell::new(None) };
    }
    static EVERYWHERE: OnceLock<Option<Mutant>> = OnceLock::new();

    impl Mutant {
        /// Returns whether this rule is broken: on this thread, or in the whole process.
        pub fn is_on(self) -> bool {
            HERE.get().or_else(Self::of_the_process) == Some(self)
        }

        /// Breaks the rule on this thread while the work goes on.
        pub fn during<T>(self, work: impl FnOnce() -> T) -> T {
            /// Ends it also when the work panics.
            struct Back(Option<Mutant>);
            impl Drop for Back {
                fn drop(&mut self) {
                    HERE.set(self.0);
                }
            }
            let _back = Back(HERE.replace(Some(self)));
            work()
        }

        /// Returns the mutant that `SLUICE_MUTANT` names.
        pub fn of_the_process() -> Option<Self> {
            let read = || std::env::var("SLUICE_MUTANT").ok().and_then(|name| Self::named(&name));
            *EVERYWHERE.get_or_init(read)
        }
    }
}

#[cfg(not(any(test, feature = "mutants")))]
impl Mutant {
    /// Returns false: this build knows no mutants.
    #[inline(always)]
    pub const fn is_on(self) -> bool {
        false
    }

    /// Returns none: this build knows no mutants.
    #[inline(always)]
    pub const fn of_the_process() -> Option<Self> {
        None
    }
}

#[cfg(test)]
impl Mutant {
    /// Returns whether a test fails while this rule is broken.
    pub(crate) fn fails(self, test: fn()) -> bool {
        std::panic::catch_unwind(|| self.during(test)).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_on_where_and_as_long_as_it_was_switched_on() {
        assert!(!Mutant::NoPlan.is_on());
        assert!(Mutant::NoPlan.during(|| Mutant::NoPlan.is_on()));
        assert!(!Mutant::NoPlan.is_on());
    }

    #[test]
    fn every_mutant_is_found_by_its_name() {
        for mutant in Mutant::ALL {
            assert_eq!(Mutant::named(mutant.name()), Some(mutant));
        }
    }
}
