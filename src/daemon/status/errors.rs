//! The last errors, each once.
//!
//! It owns: the ring and its bounds. It does not own: logging, counting by kind.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{ObjectKey, Timestamp};

/// As many as a person reads on one page.
pub const ERRORS_MAX: usize = 32;
/// Longest text kept of one error, in bytes: answers of servers can be whole pages.
const TEXT_BYTES_MAX: usize = 1_000;

/// An error as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenError {
    /// When it was seen last.
    pub at: Timestamp,
    pub kind: &'static str,
    pub text: Arc<str>,
    /// The object's key that is in the text as logs show it.
    pub key: Option<ObjectKey>,
    /// What to do, or that nothing is to be done.
    pub remedy: Arc<str>,
    /// How many times.
    pub count: u64,
}

impl SeenError {
    pub fn new(at: Timestamp, kind: &'static str, text: &str, remedy: &str) -> Self {
        Self { at, kind, text: shortened(text), remedy: shortened(remedy), key: None, count: 1 }
    }

    /// Says which object it is about.
    #[must_use]
    pub fn about(self, key: Option<&ObjectKey>) -> Self {
        Self { key: key.cloned(), ..self }
    }
}

fn shortened(text: &str) -> Arc<str> {
    if text.len() <= TEXT_BYTES_MAX {
        return text.into();
    }
    let (start, _) = text.split_at(text.floor_char_boundary(TEXT_BYTES_MAX));
    format!("{start}…").into()
}

#[derive(Debug, Default)]
pub(super) struct Errors(VecDeque<SeenError>);

impl Errors {
    pub(super) fn push(&mut self, mut error: SeenError) {
        let is_same = |old: &SeenError| {
            old.kind == error.kind && (&old.text, &old.key) == (&error.text, &error.key)
        };
        if let Some(old) = self.0.iter().position(is_same).and_then(|at| self.0.remove(at)) {
            error.count = old.count.saturating_add(error.count);
        }
        self.0.push_front(error);
        self.0.truncate(ERRORS_MAX);
    }

    pub(super) fn newest_first(&self) -> Vec<SeenError> {
        self.0.iter().cloned().collect()
    }
}
