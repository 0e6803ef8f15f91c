//! What is wrong with a configuration: where it stands, what it says, why it cannot be, what to do.
//!
//! It owns: the list of faults and its text. It does not own: finding them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use super::Problem;

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A line of the file; none for what is missing from the whole of it.
    File { path: Arc<Path>, line: Option<usize> },
    /// An environment variable.
    Variable(String),
    /// `--set`.
    Argument,
    /// The built-in default.
    Default,
    /// There is no file, and it is missing from the rest too.
    NoFile,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: Some(line) } => write!(formatter, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(formatter, "{}", path.display()),
            Self::Variable(name) => write!(formatter, "environment variable {name}"),
            Self::Argument => formatter.write_str("--set"),
            Self::Default => formatter.write_str("default"),
            Self::NoFile => formatter.write_str("no file"),
        }
    }
}

/// A value with its place: what a fault or warning points at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    pub place: Place,
    /// The path of keys, as in `seal.age`; empty for the file itself.
    pub key: String,
    /// The value as a file would write it, cut where it is long; none where nothing is there or
    /// it is a secret.
    pub value: Option<String>,
}

impl fmt::Display for Spot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.place)?;
        if !self.key.is_empty() {
            write!(formatter, " `{}`", self.key)?;
        }
        match &self.value {
            Some(value) => write!(formatter, " ({value})"),
            None => Ok(()),
        }
    }
}

/// One thing that must be changed before Sluice starts.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{spot} {problem}")]
pub struct Fault {
    pub spot: Spot,
    pub problem: Problem,
}

/// Everything that must be changed, a line each, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Faults(pub(super) Vec<Fault>);

impl Faults {
    /// Returns the faults; there is at least one.
    pub fn list(&self) -> &[Fault] {
        &self.0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(formatter, "{separator}{fault}")?;
        }
        Ok(())
    }
}

/// What works and still deserves a look.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{spot} {caution}")]
pub struct Warning {
    pub spot: Spot,
    pub caution: Caution,
}

/// Why something deserves a look, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Caution {
    #[error(
        "is a secret in the file's own text: give it as an environment variable, a `..._file` or a systemd credential"
    )]
    SecretInFile,
    #[error(
        "is a secret on the command line, which every user of the machine can read: give it as an environment variable or a `..._file`"
    )]
    SecretInArguments,
    #[error(
        "can be reached from other machines, and it has no login: keep it on 127.0.0.1, or set `http.auth` and `http.tls`"
    )]
    ListensBeyondLoopback,
    #[error(
        "can be reached from other machines, which send their login in the clear: set `http.tls` too"
    )]
    LoginInTheClear,
    #[error(
        "sends the password in the clear without `kafka.tls.enabled`: enable it, or use `scram_sha_512`"
    )]
    PlainWithoutTls,
    #[error("sends tokens in the clear without `kafka.tls.enabled`: enable it")]
    TokenWithoutTls,
}

/// What is gathered while a configuration is read.
#[derive(Debug, Default)]
pub(super) struct Report {
    faults: Vec<Fault>,
    warnings: Vec<Warning>,
}

impl Report {
    /// Adds a fault; the same one, found again through another topic, counts once.
    pub(super) fn fault(&mut self, spot: &Spot, problem: Problem) {
        let fault = Fault { spot: spot.clone(), problem };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    pub(super) fn warn(&mut self, spot: &Spot, caution: Caution) {
        self.warnings.push(Warning { spot: spot.clone(), caution });
    }

    /// Returns what was read with the warnings, or the faults in the order of the file.
    pub(super) fn finish<T>(
        mut self,
        read: Option<T>,
        whole: Spot,
    ) -> Result<(T, Vec<Warning>), Faults> {
        if let (Some(read), true) = (read, self.faults.is_empty()) {
            return Ok((read, self.warnings));
        }
        if self.faults.is_empty() {
            self.fault(&whole, Problem::NoReason);
        }
        self.faults.sort_by(|left, right| left.spot.cmp(&right.spot));
        Err(Faults(self.faults))
    }
}
