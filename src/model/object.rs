//! Names that S3 takes: buckets and keys; and the id that says whose an object is.

use std::fmt;
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey(Arc<str>);

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
        Ok(Self(key.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
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

impl fmt::Display for ObjectKey {
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
    fn batch_ids_round_trip() {
        let id = BatchId::new(0x00ab);
        assert_eq!(id.to_string(), "00000000000000ab");
        assert_eq!(BatchId::parse(&id.to_string()), Some(id));
        assert_eq!(BatchId::parse("00000000000000AB"), None);
        assert_eq!(BatchId::parse("ab"), None);
    }
}
