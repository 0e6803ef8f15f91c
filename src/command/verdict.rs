//! How a question of `check` or `verify` came out, and the exit code that follows from all of them.
//!
//! It owns: the order of verdicts and of exit codes.
//! It does not own: any judgement, nor what is printed.

use serde::{Deserialize, Serialize};

use super::settings::EXIT_CONFIG;

const EXIT_FINDINGS: u8 = 1;
const EXIT_UNREACHABLE: u8 = 69;

/// How a question came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// Works, and deserves a look.
    Warn,
    /// Something of Kafka or S3 must be changed, or the file.
    Fail,
    /// There was no answer to judge.
    Unreachable,
    /// The file must be changed.
    Config,
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail | Self::Unreachable | Self::Config => "FAIL",
        }
    }
}

/// Config goes before all, since nothing else was asked right; then what gave no answer.
pub(super) fn exit_code(verdicts: impl Iterator<Item = Verdict>) -> u8 {
    match verdicts.max() {
        None | Some(Verdict::Ok | Verdict::Warn) => 0,
        Some(Verdict::Fail) => EXIT_FINDINGS,
        Some(Verdict::Unreachable) => EXIT_UNREACHABLE,
        Some(Verdict::Config) => EXIT_CONFIG,
    }
}
