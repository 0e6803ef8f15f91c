//! The versions of the text: which are read, which one is written, where they differ.
//!
//! It owns: the table of versions, the fields that are not the same in all of them.
//! It does not own: the rest of the text (`plan`).
//!
//! Several releases run in one group while it is upgraded, and after a rollback the older one meets
//! what the newer one left. So a release reads its own version and the previous one, and a release
//! that brings a new version still writes the previous one (`WRITTEN`); the next one changes over.

use super::offset;
use crate::model::{Offset, OffsetRange};
use crate::mutant::Mutant;

/// A version of the text that this release reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Made up, so that tests can show what an upgrade needs: the length of the range stands in
    /// place of its end. No release has written it.
    #[cfg(any(test, feature = "mutants"))]
    MadeUp,
    One,
}

impl Version {
    /// What this release writes.
    pub(super) const WRITTEN: Self = Self::One;

    const READ: &[Self] = &[
        Self::One,
        #[cfg(any(test, feature = "mutants"))]
        Self::MadeUp,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            #[cfg(any(test, feature = "mutants"))]
            Self::MadeUp => "0",
            Self::One => "1",
        }
    }

    /// Returns the version of this name, if this release reads it.
    pub(super) fn named(name: &str) -> Option<Self> {
        let found = Self::READ.iter().copied().find(|version| version.name() == name);
        found.filter(|version| *version == Self::WRITTEN || !Mutant::OwnVersionOnly.is_on())
    }

    /// Returns the names of all versions that are read.
    pub(super) fn all() -> String {
        let names: Vec<_> =
            Self::READ.iter().map(|version| format!("`{}`", version.name())).collect();
        names.join(", ")
    }

    /// Returns the name of the field that says where the range ends.
    pub(super) fn end_field(self) -> &'static str {
        match self {
            #[cfg(any(test, feature = "mutants"))]
            Self::MadeUp => "k",
            Self::One => "e",
        }
    }

    /// Returns that field.
    pub(super) fn end_of(self, range: OffsetRange) -> String {
        let value = match self {
            #[cfg(any(test, feature = "mutants"))]
            Self::MadeUp => range.end().distance_from(range.start()).to_string(),
            Self::One => range.end().to_string(),
        };
        format!("{}={value}", self.end_field())
    }

    /// Reads that field's value.
    pub(super) fn range(self, start: Offset, text: &str) -> Option<OffsetRange> {
        let end = match self {
            #[cfg(any(test, feature = "mutants"))]
            Self::MadeUp => Offset::new(start.value().checked_add(super::exact(text)?)?).ok()?,
            Self::One => offset(text)?,
        };
        OffsetRange::new(start, end).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_reads_what_it_writes_and_the_previous_version() {
        let versions = [Version::One, Version::MadeUp];
        assert_eq!(versions.map(|version| Version::named(version.name())), versions.map(Some));
        for unknown in ["", "2", "01", "0 ", "1.0"] {
            assert_eq!(Version::named(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn a_release_that_reads_its_own_version_only_is_noticed() {
        Mutant::OwnVersionOnly.during(|| {
            assert_eq!(Version::named("1"), Some(Version::One));
            assert_eq!(Version::named("0"), None);
        });
    }
}
