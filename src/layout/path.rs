//! The template of a path: the directories below the prefix.
//!
//! It owns: which variables a path may hold, and that its literal text makes a valid key.
//! It does not own: how a record fills them in.

use std::fmt;
use std::sync::Arc;

use super::pattern::Pattern;
use super::pointer::check_pointer;
use super::template::{Place, TemplateError, Token, known_variable, tokens, width};

/// A checked template such as `{topic}/partition={partition}`; may be empty.
#[derive(Clone)]
pub struct PathTemplate {
    text: Arc<str>,
    pieces: Arc<[PathPiece]>,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PathPiece {
    Literal(String),
    Topic,
    Partition { width: u8 },
    Time(Pattern),
    Field(String),
    Header(String),
    Key,
}

impl PathTemplate {
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let pieces: Vec<PathPiece> =
            tokens(template)?.into_iter().map(piece).collect::<Result<_, _>>()?;
        check_elements(&pieces)?;
        Ok(Self { text: template.into(), pieces: pieces.into() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn pieces(&self) -> &[PathPiece] {
        &self.pieces
    }

    /// Says whether it is the same piece of memory: cheap, and never wrong in saying yes.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pieces, &other.pieces)
    }
}

fn piece(token: Token<'_>) -> Result<PathPiece, TemplateError> {
    let (name, argument, position) = match token {
        Token::Literal { text, position: _ } => return Ok(PathPiece::Literal(text)),
        Token::Variable { name, argument, position } => {
            (known_variable(name, position, Place::Path)?, argument, position)
        }
    };
    if name == "partition" {
        return Ok(PathPiece::Partition { width: width(name, argument, position)? });
    }
    if name == "topic" || name == "key" {
        if let Some(argument) = argument {
            let argument = argument.to_owned();
            return Err(TemplateError::ArgumentUnwanted { name, position, argument });
        }
        return Ok(if name == "topic" { PathPiece::Topic } else { PathPiece::Key });
    }
    let argument = argument.filter(|argument| !argument.is_empty());
    let argument = argument.ok_or(TemplateError::ArgumentMissing { name, position })?;
    if let Some((index, character)) =
        argument.chars().enumerate().find(|(_, character)| character.is_control())
    {
        let position = position + name.len() + 2 + index;
        return Err(TemplateError::Control { character, position });
    }
    match name {
        "time" => Pattern::parse(argument, position + "{time:".len()).map(PathPiece::Time),
        "field" => {
            let pointer = argument.to_owned();
            match check_pointer(argument) {
                Ok(()) => Ok(PathPiece::Field(pointer)),
                Err(error) => Err(TemplateError::Field { pointer, position, error }),
            }
        }
        _ => Ok(PathPiece::Header(argument.to_owned())),
    }
}

/// Checks what stands between the slashes. A variable never prints nothing or dots alone, so that
/// only literal elements can be bad.
fn check_elements(pieces: &[PathPiece]) -> Result<(), TemplateError> {
    /// Stands for what a variable prints; no template can hold it.
    const PRINTED: &str = "\0";
    let mut skeleton = String::new();
    for piece in pieces {
        skeleton.push_str(match piece {
            PathPiece::Literal(text) => text,
            PathPiece::Time(pattern) => pattern.missing(),
            PathPiece::Topic
            | PathPiece::Partition { .. }
            | PathPiece::Field(_)
            | PathPiece::Header(_)
            | PathPiece::Key => PRINTED,
        });
    }
    if skeleton.is_empty() {
        return Ok(());
    }
    for (index, element) in skeleton.split('/').enumerate() {
        if is_bad_element(element) {
            return Err(TemplateError::Element { element: element.to_owned(), index: index + 1 });
        }
    }
    Ok(())
}

pub(super) fn is_bad_element(element: &str) -> bool {
    matches!(element, "" | "." | "..")
}

impl fmt::Debug for PathTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(formatter)
    }
}

impl PartialEq for PathTemplate {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PathTemplate {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_what_is_known_of_a_record() {
        let template = "{topic}/p={partition:05}/{time:y=%Y/m=%m}/{field:/a~1b}-{header:h:1}/{key}";
        let path = PathTemplate::parse(template).unwrap();
        assert_eq!(path.as_str(), template);
        assert_eq!(path.pieces().len(), 11);
        assert_eq!(path.pieces()[7], PathPiece::Literal("-".to_owned()));
        assert_eq!(path.pieces()[8], PathPiece::Header("h:1".to_owned()));
        for good in ["", "a", "{topic}", "{{x}}", "a.b/..c/{key}."] {
            assert!(PathTemplate::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn faults_name_the_variable_and_its_position() {
        let cases = [
            (
                "{topic:x}",
                "`{topic}` at position 1 takes no argument, `x` was given: write `{topic}`",
            ),
            ("a/{field}", "`{field}` at position 3 needs an argument: write `{field:/category}`"),
            ("{time:}", "`{time}` at position 1 needs an argument: write `{time:%Y-%m-%d}`"),
            ("{header}", "`{header}` at position 1 needs an argument: write `{header:name}`"),
            (
                "{field:a}",
                "`{field:a}` at position 1: a pointer begins with `/`, as in `/category`",
            ),
            (
                "{start}",
                "`{start}` at position 1 cannot stand in a path: a path is known before its object \
                 is; allowed are {topic}, {partition}, {time:%Y-%m-%d}, {field:/pointer}, \
                 {header:name}, {key}",
            ),
            (
                "a//b",
                "the element `` between slashes is number 2 and cannot stand in a key: a path has \
                 no empty, `.` or `..` element and no `/` at either end",
            ),
            (
                "é{time:%Y-%D}",
                "`%D` in `{time:..}` at position 11 prints a `/`, which makes directories: write \
                 them, as in `%Y/%m/%d`",
            ),
            (
                "{partition:x}",
                "`{partition:x}` at position 1 is no width: write 1 to 20 with or without a \
                 leading zero, as in `{partition:010}`",
            ),
        ];
        for (template, message) in cases {
            assert_eq!(PathTemplate::parse(template).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn elements_that_clients_resolve_are_refused() {
        for bad in ["/a", "a/", "a/../b", "./a", "{topic}/", "{time:%Y/}", "{time:/%Y}", "a/."] {
            let fault = PathTemplate::parse(bad);
            assert!(matches!(fault, Err(TemplateError::Element { .. })), "{bad}");
        }
        for bad in ["a\n", "{header:a\u{7f}}", "{time:%Y\t}", "{field:/\0}", "\u{85}"] {
            assert!(
                matches!(PathTemplate::parse(bad), Err(TemplateError::Control { .. })),
                "{bad}"
            );
        }
    }
}
