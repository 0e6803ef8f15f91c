//! Mutants: each breaks one rule of the protocol, so that a test can show that it notices.
//!
//! It owns: their names, the one selector. It does not own: what each breaks (the code of the rule
//! asks `Mutant::is_on` there) and what catches it (`tests/mutants.rs`).
//!
//! In a build without the feature `mutants` nothing is left of them: the question is a constant.

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!("the feature `mutants` breaks rules on purpose: it is for tests, not for a release");

/// One rule broken, and nothing else. The numbers are those of the protocol's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// No plan: objects are published at once, and only the end is committed.
    NoPlan,
    /// Rule 9: plans of the previous version are not read.
    OwnVersionOnly,
    /// Rule 9: metadata of a version that nobody knows is taken for another tool's.
    UnknownVersionIsForeign,
    /// Rule 11: a decision of `recover` is taken whatever is committed by then.
    DecisionForAnyCommit,
}

impl Mutant {
    pub const ALL: [Self; 4] = [
        Self::NoPlan,
        Self::OwnVersionOnly,
        Self::UnknownVersionIsForeign,
        Self::DecisionForAnyCommit,
    ];

    /// Returns the name by which it is switched on (`SLUICE_MUTANT`).
    pub fn name(self) -> &'static str {
        match self {
            Self::NoPlan => "no-plan",
            Self::OwnVersionOnly => "own-version-only",
            Self::UnknownVersionIsForeign => "unknown-version-is-foreign",
            Self::DecisionForAnyCommit => "decision-for-any-commit",
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
