//! The template of a name: the last element of a key, before the format's extension.
//!
//! It owns: which variables a name may hold, and how long a name can become.
//! It does not own: whether names are one-to-one; `check` proves that of a whole layout.

use std::fmt;
use std::sync::Arc;

use super::template::{Place, TemplateError, Token, known_variable, tokens, width};

/// Digits of the largest numbers: `i32::MAX`, `i64::MAX` and `u64::MAX`.
pub(super) const PARTITION_DIGITS_MAX: usize = 10;
pub(super) const OFFSET_DIGITS_MAX: usize = 19;
pub(super) const COUNT_DIGITS_MAX: usize = 20;

/// A checked template such as `{topic}+{partition}+{start:010}`.
#[derive(Clone)]
pub struct NameTemplate {
    text: Arc<str>,
    pieces: Arc<[NamePiece]>,
}

/// One part of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NamePiece {
    Literal(String),
    Topic,
    Partition { width: u8 },
    Start { width: u8 },
    Last { width: u8 },
    Count { width: u8 },
}

impl NameTemplate {
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let pieces: Vec<NamePiece> =
            tokens(template)?.into_iter().map(piece).collect::<Result<_, _>>()?;
        if pieces.is_empty() {
            return Err(TemplateError::EmptyName);
        }
        Ok(Self { text: template.into(), pieces: pieces.into() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn pieces(&self) -> &[NamePiece] {
        &self.pieces
    }

    /// Says whether a name is known only when its object is complete.
    pub(super) fn needs_end(&self) -> bool {
        let is_end =
            |piece: &NamePiece| matches!(piece, NamePiece::Last { .. } | NamePiece::Count { .. });
        self.pieces.iter().any(is_end)
    }

    /// Returns how long a name can become for a topic of this length, without the extension.
    pub(super) fn bytes_max(&self, topic_bytes: usize) -> usize {
        let bytes = |piece: &NamePiece| match piece {
            NamePiece::Literal(text) => text.len(),
            NamePiece::Topic => topic_bytes,
            NamePiece::Partition { width } => PARTITION_DIGITS_MAX.max(usize::from(*width)),
            NamePiece::Start { width } | NamePiece::Last { width } => {
                OFFSET_DIGITS_MAX.max(usize::from(*width))
            }
            NamePiece::Count { width } => COUNT_DIGITS_MAX.max(usize::from(*width)),
        };
        self.pieces.iter().map(bytes).sum()
    }
}

fn piece(token: Token<'_>) -> Result<NamePiece, TemplateError> {
    let (name, argument, position) = match token {
        Token::Literal { text, position } => {
            return match text.chars().position(|character| character == '/') {
                Some(index) => Err(TemplateError::SlashInName { position: position + index }),
                None => Ok(NamePiece::Literal(text)),
            };
        }
        Token::Variable { name, argument, position } => {
            (known_variable(name, position, Place::Name)?, argument, position)
        }
    };
    if name == "topic" {
        return match argument {
            None => Ok(NamePiece::Topic),
            Some(argument) => {
                let argument = argument.to_owned();
                Err(TemplateError::ArgumentUnwanted { name, position, argument })
            }
        };
    }
    let width = width(name, argument, position)?;
    Ok(match name {
        "partition" => NamePiece::Partition { width },
        "start" => NamePiece::Start { width },
        "last" => NamePiece::Last { width },
        _ => NamePiece::Count { width },
    })
}

impl fmt::Debug for NameTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(formatter)
    }
}

impl PartialEq for NameTemplate {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for NameTemplate {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_what_is_known_of_its_object() {
        let name = NameTemplate::parse("{topic}+{partition:3}+{start:010}-{last}x{count}").unwrap();
        assert!(name.needs_end());
        assert_eq!(name.bytes_max(249), 249 + 1 + 10 + 1 + 19 + 1 + 19 + 1 + 20);
        let name = NameTemplate::parse("{topic}+{partition}+{start:010}").unwrap();
        assert!(!name.needs_end());
        assert_eq!(name.pieces()[4], NamePiece::Start { width: 10 });
    }

    #[test]
    fn faults_name_the_variable_and_its_position() {
        let cases = [
            (
                "",
                "the template is empty: name the object, for example `{topic}+{partition}+{start:010}`",
            ),
            (
                "é/{start}",
                "`/` at position 2 cannot stand in a name: directories belong into `layout.path`",
            ),
            (
                "{start:99}",
                "`{start:99}` at position 1 is no width: write 1 to 20 with or without a leading \
                 zero, as in `{start:010}`",
            ),
            (
                "{offset}",
                "unknown variable `{offset}` at position 1; allowed are {topic}, {partition}, \
                 {start}, {last}, {count}",
            ),
            (
                "{topic:3}",
                "`{topic}` at position 1 takes no argument, `3` was given: write `{topic}`",
            ),
        ];
        for (template, message) in cases {
            assert_eq!(NameTemplate::parse(template).unwrap_err().to_string(), message);
        }
    }
}
