//! Lines of the small texts that Sluice leaves in a bucket: `name value`, one a line, in a fixed
//! order, the last one `end`, so that a cut text is seen.
//!
//! It owns: splitting, the order, percent-encoding of texts inside a line.
//! It does not own: which lines there are (`claim`).

use thiserror::Error;

/// Why a text is not made of the lines that were expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LineError {
    #[error("it has {bytes} bytes, at most {max} are allowed")]
    TooLong { bytes: usize, max: usize },
    #[error("it is not ASCII")]
    NotAscii,
    #[error("line {line} should begin with `{expected}`, it was changed or cut")]
    Expected { line: usize, expected: &'static str },
    #[error("line {line} has a value that is not a `{name}`")]
    Value { line: usize, name: &'static str },
    #[error("line {line} comes behind the end")]
    BehindEnd { line: usize },
}

/// Reads lines in order.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8], bytes_max: usize) -> Result<Self, LineError> {
        if text.len() > bytes_max {
            return Err(LineError::TooLong { bytes: text.len(), max: bytes_max });
        }
        match std::str::from_utf8(text) {
            Ok(rest) if rest.is_ascii() => Ok(Self { rest, line: 0 }),
            Ok(_) | Err(_) => Err(LineError::NotAscii),
        }
    }

    /// Takes the next line if it has this name, and returns its value.
    pub(super) fn take_if(&mut self, name: &'static str) -> Option<&'a str> {
        let (line, rest) = self.rest.split_once('\n')?;
        let value = line.strip_prefix(name)?.strip_prefix(' ')?;
        (self.rest, self.line) = (rest, self.line + 1);
        Some(value)
    }

    pub(super) fn take(&mut self, name: &'static str) -> Result<&'a str, LineError> {
        let line = self.line + 1;
        self.take_if(name).ok_or(LineError::Expected { line, expected: name })
    }

    /// Returns the error for a value of the line that was taken last.
    pub(super) fn fault(&self, name: &'static str) -> LineError {
        LineError::Value { line: self.line, name }
    }

    /// Expects the end and nothing behind it.
    pub(super) fn end(self) -> Result<(), LineError> {
        let line = self.line + 1;
        match self.rest.strip_prefix("end\n") {
            Some("") => Ok(()),
            Some(_) => Err(LineError::BehindEnd { line: line + 1 }),
            None => Err(LineError::Expected { line, expected: "end" }),
        }
    }
}

/// Encodes what would break a line or be taken for an escape.
pub(super) fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Reverses `percent_encode`, and refuses any other spelling.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, plain) = piece.split_at_checked(2)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(plain.as_bytes());
    }
    let decoded = String::from_utf8(bytes).ok()?;
    (percent_encode(&decoded) == text).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_one_spelling_is_read() {
        assert_eq!(percent_decode("a%20b%25").as_deref(), Some("a b%"));
        for bad in ["%", "%2", "%zz", "%2b%", "%41", "%c3", "a b", "%+1"] {
            assert_eq!(percent_decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_cut_text_is_seen() {
        let text = b"name value\nend\n";
        for length in 0..text.len() {
            let mut lines = Lines::new(&text[..length], 100).unwrap();
            let whole = lines.take("name").is_ok() && lines.end().is_ok();
            assert!(!whole, "{length}");
        }
        let mut lines = Lines::new(text, 100).unwrap();
        assert_eq!(lines.take("name"), Ok("value"));
        assert_eq!(lines.end(), Ok(()));
    }

    proptest! {
        #[test]
        fn any_text_round_trips(text in "\\PC{0,100}") {
            let encoded = percent_encode(&text);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(percent_decode(&encoded), Some(text));
        }
    }
}
