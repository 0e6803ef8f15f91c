//! Names that S3 takes: buckets and keys; and the id that says whose an object is.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::NameError;

/// Amazon S3 User Guide, "Naming Amazon S3 objects": 1,024 bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 1_024;

/// The name of a bucket by the general rules of S3: 3 to 63 lower-case letters, digits, dots and
/// hyphens, beginning and ending with a letter or digit, not shaped like an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket(Arc<str>);

impl Bucket {
    pub fn new(name: &str) -> Result<Self, NameError> {
        let what = "bucket";
        let refuse = |allowed| {
            Err(NameError::Character { what, name: name.escape_debug().collect(), allowed })
        };
        if !(3..=63).contains(&name.len()) {
            return refuse("3 to 63 characters");
        }
        let is_inner = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'
        };
        if !name.bytes().all(is_inner) {
            return refuse("lower-case letters, digits, `-` and `.`");
        }
        if name.starts_with(['-', '.']) || name.ends_with(['-', '.']) || name.contains("..") {
            return refuse("a letter or digit at either end and no two dots in a row");
        }
        if name.parse::<std::net::Ipv4Addr>().is_ok() {
            return refuse("a name that is not an IP address");
        }
        Ok(Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of an object: 1 to 1,024 bytes without control characters, no empty, `.` or `..`
/// element (clients and file systems resolve those).
///
/// It cannot be printed by itself: who does must say whether to the whole key ([`Self::as_str`]) or
/// to what may stand in a log ([`Self::shown`]).
#[derive(Clone)]
pub struct ObjectKey {
    text: Arc<str>,
    /// From where to where it holds what comes from records; empty where nothing does. No part of
    /// what the key is.
    private: (u16, u16),
}

impl ObjectKey {
    pub fn new(key: &str) -> Result<Self, NameError> {
        let what = "object key";
        if key.is_empty() {
            return Err(NameError::Empty { what });
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(NameError::TooLong { what, bytes: key.len(), max: KEY_BYTES_MAX });
        }
        let is_bad = |element: &str| matches!(element, "" | "." | "..");
        if key.chars().any(char::is_control) || key.split('/').any(is_bad) {
            let allowed = "no control characters and no empty, `.` or `..` element; this";
            return Err(NameError::Character { what, name: key.escape_debug().collect(), allowed });
        }
        Ok(Self { text: key.into(), private: (0, 0) })
    }

    /// Returns the same key, of which these bytes come from records. Those of a range that is none
    /// of this key are the whole key.
    pub fn with_private(self, bytes: Range<usize>) -> Self {
        let whole = 0..self.text.len();
        let bytes = if self.text.get(bytes.clone()).is_some() { bytes } else { whole };
        let at = |byte| u16::try_from(byte).unwrap_or(u16::MAX);
        Self { private: (at(bytes.start), at(bytes.end)), ..self }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the key for logs: `…` stands for what comes from records. Its name still says the
    /// first record.
    pub fn shown(&self) -> ShownKey<'_> {
        ShownKey(self)
    }
}

/// A key without what comes from records.
#[derive(Clone, Copy, Debug)]
pub struct ShownKey<'a>(&'a ObjectKey);

impl fmt::Display for ShownKey<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectKey { text, private: (start, end) } = self.0;
        if start == end {
            return formatter.write_str(text);
        }
        formatter.write_str(text.get(..usize::from(*start)).unwrap_or_default())?;
        formatter.write_str("…")?;
        formatter.write_str(text.get(usize::from(*end)..).unwrap_or_default())
    }
}

impl AsRef<str> for ObjectKey {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ObjectKey(\"{}\")", self.shown())
    }
}

impl PartialEq for ObjectKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ObjectKey {}

impl PartialOrd for ObjectKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ObjectKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

/// 64 random bits, given when a batch opens: how an object proves whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchId(u64);

impl BatchId {
    pub fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// Parses the 16 hexadecimal digits that `Display` prints.
    pub fn parse(text: &str) -> Option<Self> {
        let bits = super::hex::parse_hex(text, 16)?;
        u64::try_from(bits).ok().map(Self)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_the_rules_of_s3() {
        for good in ["abc", "user-12ab34-bucket", "a.b.c", &"b".repeat(63)] {
            assert!(Bucket::new(good).is_ok(), "{good}");
        }
        let long = "b".repeat(64);
        for bad in ["", "ab", "Abc", "a_b_c", "-abc", "abc-", "a..b", "10.0.0.1", &long, "ab/c"] {
            assert!(Bucket::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_are_what_every_reader_takes() {
        for good in ["a", "topics/pin/partition=0/pin+0+0000000000.json", "é/😀"] {
            assert!(ObjectKey::new(good).is_ok(), "{good}");
        }
        let long = "k".repeat(1_025);
        for bad in ["", "/a", "a/", "a//b", "a/../b", "./a", "a\nb", "a\u{7f}", &long] {
            assert!(ObjectKey::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_comes_from_records_is_not_shown_and_changes_no_key() {
        let whole = "topics/pin/mail=jo@example.org/pin+0+42.json";
        let key = ObjectKey::new(whole).unwrap();
        assert_eq!(key.shown().to_string(), whole);
        let private = key.clone().with_private(11..30);
        assert_eq!(private.shown().to_string(), "topics/pin/…/pin+0+42.json");
        assert_eq!(format!("{private:?}"), "ObjectKey(\"topics/pin/…/pin+0+42.json\")");
        assert_eq!((&private, private.as_str()), (&key, whole));
        assert_eq!(key.with_private(11..300).shown().to_string(), "…");
    }

    #[test]
    fn batch_ids_round_trip() {
        let id = BatchId::new(0x00ab);
        assert_eq!(id.to_string(), "00000000000000ab");
        assert_eq!(BatchId::parse(&id.to_string()), Some(id));
        assert_eq!(BatchId::parse("00000000000000AB"), None);
        assert_eq!(BatchId::parse("ab"), None);
    }
}
