//! The template language: literal text and variables in braces, `{{` and `}}` for the braces.
//!
//! It owns: how a template is cut into pieces, and every way in which it can be wrong.
//! It does not own: which variables a path or a name may hold, nor what they mean.
//!
//! An argument (`{field:/a}`) ends at the first `}` and holds no brace: there is no escape in it.

use thiserror::Error;

use super::pattern::DirectiveFault;
use super::pointer::PointerError;

/// The longest template. A key has 1,024 bytes, and the plan that carries the layout 1,200.
pub const TEMPLATE_BYTES_MAX: usize = 512;
/// The widest zero-padding: an offset has at most 19 digits, a count at most 20.
pub const WIDTH_MAX: usize = 20;

/// Where a template stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Path,
    Name,
}

/// Why a template is not one. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    #[error("the template has {bytes} bytes, at most {TEMPLATE_BYTES_MAX} are allowed: shorten it")]
    TooLong { bytes: usize },
    #[error(
        "the template is empty: name the object, for example `{{topic}}+{{partition}}+{{start:010}}`"
    )]
    EmptyName,
    #[error(
        "`{{` at position {position} opens a variable that no `}}` closes: close it, or write `{{{{` for the brace itself"
    )]
    Unclosed { position: usize },
    #[error("`}}` at position {position} closes nothing: write `}}}}` for the brace itself")]
    StrayBrace { position: usize },
    #[error("unknown variable `{{{name}}}` at position {position}{}; allowed are {}", nearest_text(*.nearest), .place.allowed())]
    UnknownVariable { name: String, position: usize, nearest: Option<&'static str>, place: Place },
    #[error("`{{{name}}}` at position {position} {}; allowed are {}", .place.why_not(), .place.allowed())]
    Misplaced { name: &'static str, position: usize, place: Place },
    #[error("`{{{name}}}` at position {position} needs an argument: write `{}`", example(.name))]
    ArgumentMissing { name: &'static str, position: usize },
    #[error(
        "`{{{name}}}` at position {position} takes no argument, `{argument}` was given: write `{{{name}}}`"
    )]
    ArgumentUnwanted { name: &'static str, position: usize, argument: String },
    #[error(
        "`{{{name}:{argument}}}` at position {position} is no width: write 1 to {WIDTH_MAX} with or without a leading zero, as in `{{{name}:010}}`"
    )]
    Width { name: &'static str, position: usize, argument: String },
    #[error("`{directive}` in `{{time:..}}` at position {position} {fault}")]
    Directive { directive: String, position: usize, fault: DirectiveFault },
    #[error(
        "`{{time:{pattern}}}` at position {position} holds no directive: write for example `{{time:%Y-%m-%d}}`"
    )]
    NoDirective { pattern: String, position: usize },
    #[error("`{{field:{pointer}}}` at position {position}: {error}")]
    Field { pointer: String, position: usize, error: PointerError },
    #[error(
        "the control character {character:?} at position {position} cannot stand in a key: remove it"
    )]
    Control { character: char, position: usize },
    #[error(
        "`/` at position {position} cannot stand in a name: directories belong into `layout.path`"
    )]
    SlashInName { position: usize },
    #[error(
        "the element `{element}` between slashes is number {index} and cannot stand in a key: a path has no empty, `.` or `..` element and no `/` at either end"
    )]
    Element { element: String, index: usize },
    #[error(
        "`{format}` reads no moment, `{sample}` did not come back from it: name at least a date, for example `%Y-%m-%d %H:%M:%S`, or one of `rfc3339`, `unix_s`, `unix_ms`"
    )]
    TimeFormat { format: String, sample: String },
    #[error("`{pointer}` in `layout.time`: {error}")]
    TimeField { pointer: String, error: PointerError },
    #[error("time zone `{name}` is unknown{}; names are those of the IANA database, such as `UTC` or `Europe/Berlin`", nearest_text(.nearest.as_deref()))]
    UnknownZone { name: String, nearest: Option<String> },
}

/// One part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Literal { text: String, position: usize },
    Variable { name: &'a str, argument: Option<&'a str>, position: usize },
}

/// Every variable there is, to tell a misplaced one from an unknown one.
const VARIABLES: [&str; 9] =
    ["topic", "partition", "time", "field", "header", "key", "start", "last", "count"];

impl Place {
    fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Path => &["topic", "partition", "time", "field", "header", "key"],
            Self::Name => &["topic", "partition", "start", "last", "count"],
        }
    }

    fn allowed(self) -> &'static str {
        match self {
            Self::Path => {
                "{topic}, {partition}, {time:%Y-%m-%d}, {field:/pointer}, {header:name}, {key}"
            }
            Self::Name => "{topic}, {partition}, {start}, {last}, {count}",
        }
    }

    fn why_not(self) -> &'static str {
        match self {
            Self::Path => "cannot stand in a path: a path is known before its object is",
            Self::Name => "cannot stand in a name: what depends on a record belongs into the path",
        }
    }
}

fn nearest_text(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(", did you mean `{nearest}`?"))
}

fn example(name: &str) -> &'static str {
    match name {
        "time" => "{time:%Y-%m-%d}",
        "field" => "{field:/category}",
        _ => "{header:name}",
    }
}

/// Cuts a template into literals and variables.
pub(super) fn tokens(template: &str) -> Result<Vec<Token<'_>>, TemplateError> {
    if template.len() > TEMPLATE_BYTES_MAX {
        return Err(TemplateError::TooLong { bytes: template.len() });
    }
    let mut tokens = Vec::new();
    let mut literal = (String::new(), 1);
    let mut rest = template;
    let mut position = 1;
    while let Some(character) = rest.chars().next() {
        if rest.starts_with("{{") || rest.starts_with("}}") {
            literal.0.push(character);
            rest = &rest[2..];
            position += 2;
        } else if character == '{' {
            flush(&mut tokens, &mut literal.0, literal.1);
            let inner = variable_text(rest).ok_or(TemplateError::Unclosed { position })?;
            let (name, argument) = match inner.split_once(':') {
                Some((name, argument)) => (name, Some(argument)),
                None => (inner, None),
            };
            tokens.push(Token::Variable { name, argument, position });
            rest = &rest[inner.len() + 2..];
            position += inner.chars().count() + 2;
            literal.1 = position;
        } else if character == '}' {
            return Err(TemplateError::StrayBrace { position });
        } else if character.is_control() {
            return Err(TemplateError::Control { character, position });
        } else {
            literal.0.push(character);
            rest = &rest[character.len_utf8()..];
            position += 1;
        }
    }
    flush(&mut tokens, &mut literal.0, literal.1);
    Ok(tokens)
}

fn flush(tokens: &mut Vec<Token<'_>>, literal: &mut String, position: usize) {
    if !literal.is_empty() {
        tokens.push(Token::Literal { text: std::mem::take(literal), position });
    }
}

/// Returns what stands between the brace that `rest` begins with and the next one, if that closes.
fn variable_text(rest: &str) -> Option<&str> {
    let inner = rest.strip_prefix('{')?;
    let end = inner.find(['{', '}'])?;
    inner[end..].starts_with('}').then(|| &inner[..end])
}

/// Returns the known name, or why `name` may not stand at `place`.
pub(super) fn known_variable(
    name: &str,
    position: usize,
    place: Place,
) -> Result<&'static str, TemplateError> {
    if let Some(known) = place.variables().iter().find(|known| **known == name) {
        return Ok(known);
    }
    if let Some(known) = VARIABLES.iter().find(|known| **known == name) {
        return Err(TemplateError::Misplaced { name: known, position, place });
    }
    let nearest = nearest(name, place.variables().iter().copied());
    let name = name.chars().take(64).collect();
    Err(TemplateError::UnknownVariable { name, position, nearest, place })
}

/// Reads the zero-padding of a number; no argument means none.
pub(super) fn width(
    name: &'static str,
    argument: Option<&str>,
    position: usize,
) -> Result<u8, TemplateError> {
    let Some(text) = argument else { return Ok(0) };
    let is_short = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u8>() {
        Ok(width) if is_short && (1..=WIDTH_MAX).contains(&usize::from(width)) => Ok(width),
        _ => Err(TemplateError::Width { name, position, argument: text.to_owned() }),
    }
}

/// Returns the candidate that is at most a third of its length away from `name`.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let name: String = name.chars().take(64).collect();
    let close = |candidate: &&str| distance(&name, candidate) <= candidate.len().div_ceil(3);
    candidates.filter(close).min_by_key(|candidate| distance(&name, candidate))
}

/// The number of letters to insert, delete or replace (Levenshtein), without regard to case.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = index;
        let mut previous = index + 1;
        let mut next = vec![previous];
        for (other, above) in right.iter().zip(&row[1..]) {
            let replaced = diagonal + usize::from(*other != letter);
            diagonal = *above;
            previous = replaced.min(previous + 1).min(above + 1);
            next.push(previous);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_cut_into_literals_and_variables() {
        let tokens = tokens("a{{b}}{topic}é/{field:/x:y}").unwrap();
        let expected = [
            Token::Literal { text: "a{b}".to_owned(), position: 1 },
            Token::Variable { name: "topic", argument: None, position: 7 },
            Token::Literal { text: "é/".to_owned(), position: 14 },
            Token::Variable { name: "field", argument: Some("/x:y"), position: 16 },
        ];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn braces_that_do_not_match_are_told_with_their_position() {
        let cases = [
            ("a{topic", TemplateError::Unclosed { position: 2 }),
            ("é{topic{", TemplateError::Unclosed { position: 2 }),
            ("a}b", TemplateError::StrayBrace { position: 2 }),
            ("ab\n", TemplateError::Control { character: '\n', position: 3 }),
        ];
        for (template, error) in cases {
            assert_eq!(tokens(template), Err(error), "{template}");
        }
    }

    #[test]
    fn an_unknown_variable_names_the_nearest_known_one() {
        assert_eq!(
            known_variable("topc", 3, Place::Path).unwrap_err().to_string(),
            "unknown variable `{topc}` at position 3, did you mean `topic`?; allowed are {topic}, \
             {partition}, {time:%Y-%m-%d}, {field:/pointer}, {header:name}, {key}"
        );
        assert_eq!(
            known_variable("zzz", 1, Place::Name).unwrap_err().to_string(),
            "unknown variable `{zzz}` at position 1; allowed are {topic}, {partition}, {start}, \
             {last}, {count}"
        );
        assert_eq!(
            known_variable("field", 1, Place::Name).unwrap_err().to_string(),
            "`{field}` at position 1 cannot stand in a name: what depends on a record belongs \
             into the path; allowed are {topic}, {partition}, {start}, {last}, {count}"
        );
    }

    #[test]
    fn a_width_is_a_small_number() {
        assert_eq!(width("start", Some("010"), 1), Ok(10));
        assert_eq!(width("start", Some("5"), 1), Ok(5));
        assert_eq!(width("start", None, 1), Ok(0));
        for bad in ["", "0", "00", "21", "+5", "0010", "x", "-1"] {
            assert!(width("start", Some(bad), 1).is_err(), "{bad}");
        }
    }
}
