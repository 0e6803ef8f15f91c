//! Names that Kafka gives: topics, partitions, groups, clusters. Parsed once, at the edge.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Kafka's `Topic.MAX_NAME_LENGTH`.
pub const TOPIC_BYTES_MAX: usize = 249;
/// Kafka sends a group id as a string with a 16-bit length; S3's metadata needs it far shorter.
pub const GROUP_BYTES_MAX: usize = 255;
/// Cluster ids are 22 characters of base64 on every known broker; some services use longer ones.
pub const CLUSTER_BYTES_MAX: usize = 64;

/// Why a name is not one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("{what} is empty")]
    Empty { what: &'static str },
    #[error("{what} has {bytes} bytes, at most {max} are allowed")]
    TooLong { what: &'static str, bytes: usize, max: usize },
    #[error("{what} `{name}` may hold {allowed} only")]
    Character { what: &'static str, name: String, allowed: &'static str },
    #[error("{what} `{name}` is reserved")]
    Reserved { what: &'static str, name: String },
    #[error("partition {0} is below zero")]
    Partition(i32),
}

fn check_length(what: &'static str, name: &str, max: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { what });
    }
    if name.len() > max {
        return Err(NameError::TooLong { what, bytes: name.len(), max });
    }
    Ok(())
}

/// The name of a topic: letters, digits, `.`, `_` and `-`, at most 249 of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

impl Topic {
    pub fn new(name: &str) -> Result<Self, NameError> {
        let what = "topic";
        check_length(what, name, TOPIC_BYTES_MAX)?;
        if name == "." || name == ".." {
            return Err(NameError::Reserved { what, name: name.to_owned() });
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            let allowed = "letters, digits, `.`, `_` and `-`";
            return Err(NameError::Character {
                what,
                name: name.escape_debug().collect(),
                allowed,
            });
        }
        Ok(Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the name is one of Kafka's own, such as `__consumer_offsets`.
    pub fn is_internal(&self) -> bool {
        self.0.starts_with("__")
    }
}

/// The number of a partition, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionIndex(i32);

impl PartitionIndex {
    pub const ZERO: Self = Self(0);

    pub fn new(index: i32) -> Result<Self, NameError> {
        if index < 0 { Err(NameError::Partition(index)) } else { Ok(Self(index)) }
    }

    pub fn value(self) -> i32 {
        self.0
    }
}

/// A partition of a topic. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: Topic,
    pub partition: PartitionIndex,
}

impl TopicPartition {
    pub fn new(topic: &str, partition: i32) -> Result<Self, NameError> {
        Ok(Self { topic: Topic::new(topic)?, partition: PartitionIndex::new(partition)? })
    }
}

/// The name of the consumer group whose committed offsets Sluice owns. Printable ASCII, because it
/// travels in object metadata and in keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId(Arc<str>);

impl GroupId {
    pub fn new(name: &str) -> Result<Self, NameError> {
        let what = "group id";
        check_length(what, name, GROUP_BYTES_MAX)?;
        if !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') {
            let allowed = "printable ASCII without spaces and `/`";
            return Err(NameError::Character {
                what,
                name: name.escape_debug().collect(),
                allowed,
            });
        }
        Ok(Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id that a Kafka cluster gave itself when it was formatted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterId(Arc<str>);

impl ClusterId {
    pub fn new(name: &str) -> Result<Self, NameError> {
        let what = "cluster id";
        check_length(what, name, CLUSTER_BYTES_MAX)?;
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
            let allowed = "letters, digits, `.`, `_` and `-`";
            return Err(NameError::Character {
                what,
                name: name.escape_debug().collect(),
                allowed,
            });
        }
        Ok(Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id that a topic was given when it was created; a topic of the same name created anew has
/// another. Zero means unknown (brokers before 2.8 have none).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicId(u128);

impl TopicId {
    pub const UNKNOWN: Self = Self(0);

    /// Joins the two halves that Kafka's UUID has.
    pub fn from_halves(most: u64, least: u64) -> Self {
        Self((u128::from(most) << 64) | u128::from(least))
    }

    pub fn from_u128(value: u128) -> Self {
        Self(value)
    }

    pub fn value(self) -> u128 {
        self.0
    }

    pub fn is_known(self) -> bool {
        self != Self::UNKNOWN
    }

    /// Parses the 32 hexadecimal digits that `Display` prints.
    pub fn parse(text: &str) -> Option<Self> {
        super::hex::parse_hex(text, 32).map(Self)
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for PartitionIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.topic, self.partition)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_what_kafka_takes() {
        for good in ["pin", "12ab34.pin", "a_b-c", &"x".repeat(249)] {
            assert!(Topic::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ü", "a\0", &"x".repeat(250)] {
            assert!(Topic::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn topic_ids_round_trip_and_reject_what_is_not_one() {
        let id = TopicId::from_halves(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
        assert_eq!(id.to_string(), "0123456789abcdeffedcba9876543210");
        assert_eq!(TopicId::parse(&id.to_string()), Some(id));
        let long = "0".repeat(33);
        for bad in ["", "0123", "0123456789ABCDEFfedcba9876543210", long.as_str()] {
            assert_eq!(TopicId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn groups_travel_in_headers_and_keys() {
        assert!(GroupId::new("connect-s3-sink").is_ok());
        for bad in ["", "a b", "a/b", "grüppe", "a\n"] {
            assert!(GroupId::new(bad).is_err(), "{bad:?}");
        }
    }
}
