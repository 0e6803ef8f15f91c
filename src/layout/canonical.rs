//! The layout as text: what a plan carries, so that whoever finishes it writes the same keys.
//!
//! It owns: the text, its version, and its parser, which takes nothing but what was written.
//! It does not own: the plan around it.
//!
//! Every setting is written, in one order, as `key=value` between semicolons. Values are printable
//! ASCII; everything else and ``% ; , | " \`` is `%XX`. The text that a release wrote is never
//! given another meaning: a new setting needs a new version.

use std::str::Split;

use thiserror::Error;

use super::check::prefix_fault;
use super::{
    Layout, LayoutFault, NameTemplate, OnBad, OnMissingRoute, OnNull, PathTemplate, TemplateError,
    TimeSource, Zone,
};
use crate::format::{Compression, Encoding, Format, SEPARATOR_BYTES_MAX};
use crate::model::{Bucket, NameError};

/// What the text begins with.
const VERSION: &str = "v1";
/// Kafka's default of `offset.metadata.max.bytes`: no longer text can come from a commit.
const TEXT_BYTES_MAX: usize = 4_096;

/// Why a text is no layout. What was found is bounded, like the text itself.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CanonicalError {
    #[error("the layout has {bytes} bytes, at most {TEXT_BYTES_MAX} can come from a commit")]
    TooLong { bytes: usize },
    #[error("the layout's version is `{found}`, this release reads `{VERSION}`")]
    Version { found: String },
    #[error("the layout has `{found}` where `{key}=` was expected")]
    Field { key: char, found: String },
    #[error("the layout's `{key}={found}` holds no value that `{key}` takes")]
    Value { key: char, found: String },
    #[error("the layout's bucket: {0}")]
    Bucket(NameError),
    #[error("the layout's `{key}`: {error}")]
    Template { key: char, error: TemplateError },
    #[error("the layout's `{key}`: {fault}")]
    Prefix { key: char, fault: LayoutFault },
    #[error("the layout is not written the way it reads back: `{found}` should be `{expected}`")]
    NotCanonical { found: String, expected: String },
}

impl Layout {
    /// Returns the layout as text: ASCII without spaces, the same for equal layouts and for no
    /// others.
    pub fn canonical(&self) -> String {
        let mut text = String::from(VERSION);
        push(&mut text, "b", &[self.bucket.as_str()]);
        match &self.endpoint {
            Some(endpoint) => push(&mut text, "e", &[endpoint]),
            None => text.push_str(";e"),
        }
        push(&mut text, "p", &[&self.prefix]);
        push(&mut text, "d", &[self.path.as_str()]);
        push(&mut text, "n", &[self.name.as_str()]);
        match &self.time {
            TimeSource::Record => push(&mut text, "t", &["record"]),
            TimeSource::Opened => push(&mut text, "t", &["opened"]),
            TimeSource::Field { pointer, format, zone } => {
                push(&mut text, "t", &["field", pointer, format.as_str(), zone.as_str()]);
            }
        }
        push(&mut text, "z", &[self.zone.as_str()]);
        push(&mut text, "f", &[self.encoding.format.as_str()]);
        push(&mut text, "c", &[self.encoding.compression.as_str()]);
        text.push_str(";s=");
        push_encoded(&mut text, &self.encoding.separator);
        let missing = self.on_missing_route.as_str();
        push(&mut text, "o", &[self.on_null.as_str(), self.on_bad.as_str(), missing]);
        push(&mut text, "q", &[&self.quarantine_prefix]);
        text
    }

    /// Reads what [`Layout::canonical`] wrote, and nothing else: the text is input from outside.
    pub fn parse_canonical(text: &str) -> Result<Self, CanonicalError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(CanonicalError::TooLong { bytes: text.len() });
        }
        let mut fields = text.split(';');
        let version = fields.next().unwrap_or_default();
        if version != VERSION {
            return Err(CanonicalError::Version { found: excerpt(version) });
        }
        let layout = read(&mut fields)?;
        // Whatever reads but was not written like this: other case, needless escapes, more fields.
        let expected = layout.canonical();
        if expected == text {
            return Ok(layout);
        }
        let same = text.bytes().zip(expected.bytes()).take_while(|(left, right)| left == right);
        let same = text.floor_char_boundary(same.count());
        let (found, expected) = (excerpt(&text[same..]), excerpt(&expected[same..]));
        Err(CanonicalError::NotCanonical { found, expected })
    }
}

/// Reads the fields in the order they are written in.
fn read(fields: &mut Split<'_, char>) -> Result<Layout, CanonicalError> {
    let bucket = Bucket::new(&string(fields, 'b')?).map_err(CanonicalError::Bucket)?;
    let endpoint = endpoint(fields)?;
    let prefix = prefix(fields, 'p', "layout.prefix")?;
    let path = template(fields, 'd', PathTemplate::parse)?;
    let name = template(fields, 'n', NameTemplate::parse)?;
    let time = time(fields)?;
    let zone = template(fields, 'z', Zone::parse)?;
    let format = word(fields, 'f', Format::parse)?;
    let compression = word(fields, 'c', Compression::parse)?;
    let encoding = Encoding { format, compression, separator: separator(fields)?.into() };
    let choices = value(fields, 'o')?;
    let refused = || CanonicalError::Value { key: 'o', found: excerpt(choices) };
    let mut words = choices.split(',');
    let mut next = || words.next().unwrap_or_default();
    let on_null = OnNull::parse(next()).ok_or_else(refused)?;
    let on_bad = OnBad::parse(next()).ok_or_else(refused)?;
    let on_missing_route = OnMissingRoute::parse(next()).ok_or_else(refused)?;
    let quarantine_prefix = self::prefix(fields, 'q', "quarantine.prefix")?;
    Ok(Layout {
        bucket,
        endpoint,
        prefix,
        path,
        name,
        time,
        zone,
        encoding,
        on_null,
        on_bad,
        on_missing_route,
        quarantine_prefix,
    })
}

fn push(text: &mut String, key: &str, values: &[&str]) {
    text.push(';');
    text.push_str(key);
    for (index, value) in values.iter().enumerate() {
        text.push(if index == 0 { '=' } else { ',' });
        push_encoded(text, value.as_bytes());
    }
}

fn push_encoded(text: &mut String, value: &[u8]) {
    for byte in value {
        if byte.is_ascii_graphic() && !b"%;,|\"\\".contains(byte) {
            text.push(char::from(*byte));
        } else {
            super::escape::push_byte(text, *byte);
        }
    }
}

/// Undoes [`push_encoded`]. None where an escape is cut off or no number.
fn decoded(value: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = behind;
            continue;
        }
        let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = behind.get(2..)?;
    }
    Some(bytes)
}

/// Returns the beginning of a text that came from outside, fit for a message.
fn excerpt(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}

fn value<'a>(fields: &mut Split<'a, char>, key: char) -> Result<&'a str, CanonicalError> {
    let field = fields.next().unwrap_or_default();
    let value = field.strip_prefix(key).and_then(|value| value.strip_prefix('='));
    value.ok_or_else(|| CanonicalError::Field { key, found: excerpt(field) })
}

fn text_of(encoded: &str, key: char) -> Result<String, CanonicalError> {
    let text = decoded(encoded).and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| CanonicalError::Value { key, found: excerpt(encoded) })
}

fn string(fields: &mut Split<'_, char>, key: char) -> Result<String, CanonicalError> {
    text_of(value(fields, key)?, key)
}

fn word<T>(
    fields: &mut Split<'_, char>,
    key: char,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, CanonicalError> {
    let word = value(fields, key)?;
    parse(word).ok_or_else(|| CanonicalError::Value { key, found: excerpt(word) })
}

fn template<T>(
    fields: &mut Split<'_, char>,
    key: char,
    parse: impl Fn(&str) -> Result<T, TemplateError>,
) -> Result<T, CanonicalError> {
    parse(&string(fields, key)?).map_err(|error| CanonicalError::Template { key, error })
}

fn prefix(
    fields: &mut Split<'_, char>,
    key: char,
    name: &'static str,
) -> Result<String, CanonicalError> {
    let prefix = string(fields, key)?;
    match prefix_fault(name, &prefix) {
        None => Ok(prefix),
        Some(fault) => Err(CanonicalError::Prefix { key, fault }),
    }
}

/// Reads `e` for none, `e=..` for one.
fn endpoint(fields: &mut Split<'_, char>) -> Result<Option<String>, CanonicalError> {
    let mut ahead = fields.clone();
    if ahead.next() == Some("e") {
        *fields = ahead;
        return Ok(None);
    }
    string(fields, 'e').map(Some)
}

fn time(fields: &mut Split<'_, char>) -> Result<TimeSource, CanonicalError> {
    const KEY: char = 't';
    let text = value(fields, KEY)?;
    let parts: Vec<&str> = text.split(',').collect();
    let failed = |error| CanonicalError::Template { key: KEY, error };
    match parts.as_slice() {
        ["record"] => Ok(TimeSource::Record),
        ["opened"] => Ok(TimeSource::Opened),
        ["field", pointer, format, zone] => {
            let zone = Zone::parse(&text_of(zone, KEY)?).map_err(failed)?;
            let (pointer, format) = (text_of(pointer, KEY)?, text_of(format, KEY)?);
            TimeSource::field(&pointer, &format, zone).map_err(failed)
        }
        _ => Err(CanonicalError::Value { key: KEY, found: excerpt(text) }),
    }
}

fn separator(fields: &mut Split<'_, char>) -> Result<Vec<u8>, CanonicalError> {
    const KEY: char = 's';
    let text = value(fields, KEY)?;
    let bytes = decoded(text).filter(|bytes| bytes.len() <= SEPARATOR_BYTES_MAX);
    bytes.ok_or_else(|| CanonicalError::Value { key: KEY, found: excerpt(text) })
}

#[cfg(test)]
mod tests;
