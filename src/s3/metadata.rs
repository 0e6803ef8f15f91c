//! What an object says about itself: how it proves whose it is.
//!
//! It owns: the `x-amz-meta-sluice-*` pairs, their version, their strict parser, their size.
//! It does not own: what a plan's text says (opaque here), comparing two objects (`publish`).
//!
//! Everything read back is input from outside: an object of this name may be anybody's.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::model::{
    BatchId, GroupId, NameError, Offset, PartitionIndex, Topic, TopicId, TopicPartition,
};

/// Amazon S3 User Guide, "Working with object metadata": 2 KB of user-defined names and values.
/// The prefix `x-amz-meta-` is counted too, since some stores do.
pub const METADATA_BYTES_MAX: usize = 2_048;
/// Protocol: a plan is at most this long.
pub const PLAN_BYTES_MAX: usize = 1_200;

const PREFIX: &str = "sluice-";
const HEADER_PREFIX_BYTES: usize = "x-amz-meta-".len();
const VERSION: &str = "1";

const NAME_VERSION: &str = "sluice-version";
const NAME_BATCH: &str = "sluice-batch";
const NAME_GROUP: &str = "sluice-group";
const NAME_PARTITION: &str = "sluice-partition";
const NAME_TOPIC_ID: &str = "sluice-topic-id";
const NAME_START: &str = "sluice-start";
const NAME_FIRST: &str = "sluice-first";
const NAME_COUNT: &str = "sluice-count";
const NAME_PLAN: &str = "sluice-plan";
const NAMES: [&str; 9] = [
    NAME_VERSION,
    NAME_BATCH,
    NAME_GROUP,
    NAME_PARTITION,
    NAME_TOPIC_ID,
    NAME_START,
    NAME_FIRST,
    NAME_COUNT,
    NAME_PLAN,
];

/// The text of a plan as the engine wrote it: printable ASCII without a space at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanText(Arc<str>);

/// Why a text cannot travel as a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PlanTextError {
    #[error("a plan has {bytes} bytes, 1 to {PLAN_BYTES_MAX} are allowed")]
    Length { bytes: usize },
    #[error("a plan holds byte {byte:#04x} at {at}, printable ASCII is allowed")]
    Byte { byte: u8, at: usize },
}

impl PlanText {
    pub fn new(text: &str) -> Result<Self, PlanTextError> {
        if text.is_empty() || text.len() > PLAN_BYTES_MAX {
            return Err(PlanTextError::Length { bytes: text.len() });
        }
        let last = text.len() - 1;
        for (at, byte) in text.bytes().enumerate() {
            let is_edge = at == 0 || at == last;
            if !(byte.is_ascii_graphic() || byte == b' ' && !is_edge) {
                return Err(PlanTextError::Byte { byte, at });
            }
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlanText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whose an object is. A multipart upload fixes it at Create, before `count` and `plan` are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMetadata {
    pub batch: BatchId,
    pub group: GroupId,
    pub partition: TopicPartition,
    pub topic_id: TopicId,
    pub batch_start: Offset,
    /// The offset of the object's own first record.
    pub first: Offset,
    /// How many records the object holds.
    pub count: Option<u64>,
    pub plan: Option<PlanText>,
}

/// Why metadata does not say whose an object is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetadataError {
    #[error("the object carries no batch id: a predecessor or another program wrote it")]
    NoBatchId,
    #[error("the object's metadata has version `{found}`, this release reads `{VERSION}`")]
    Version { found: String },
    #[error("the object's metadata lacks `{name}`")]
    Missing { name: &'static str },
    #[error("the object's metadata has the unknown name `{name}`")]
    Unknown { name: String },
    #[error("the object's metadata has `{name}` = `{value}`, which is not one")]
    Malformed { name: &'static str, value: String },
    #[error("the object's metadata has an unreadable partition: {0}")]
    Partition(NameError),
    #[error("the object's metadata has an unreadable group: {0}")]
    Group(NameError),
    #[error("the object's metadata has an unreadable plan: {0}")]
    Plan(PlanTextError),
}

impl ObjectMetadata {
    /// Returns the pairs to send, names without `x-amz-meta-`. All of it is ASCII and never longer
    /// than `METADATA_BYTES_MAX`, by the bounds of its parts.
    pub fn encode(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![
            (NAME_VERSION, VERSION.to_owned()),
            (NAME_BATCH, self.batch.to_string()),
            (NAME_GROUP, self.group.to_string()),
            (NAME_PARTITION, self.partition.to_string()),
            (NAME_TOPIC_ID, self.topic_id.to_string()),
            (NAME_START, self.batch_start.to_string()),
            (NAME_FIRST, self.first.to_string()),
        ];
        if let Some(count) = self.count {
            pairs.push((NAME_COUNT, count.to_string()));
        }
        if let Some(plan) = &self.plan {
            pairs.push((NAME_PLAN, plan.to_string()));
        }
        pairs
    }

    /// Returns how many bytes S3 counts for it.
    pub fn encoded_bytes(&self) -> usize {
        let pairs = self.encode();
        pairs.iter().map(|(name, value)| HEADER_PREFIX_BYTES + name.len() + value.len()).sum()
    }

    /// Parses what HEAD returned. Names that do not begin with ours are somebody else's and are
    /// passed over.
    pub fn parse<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, MetadataError> {
        let ours: BTreeMap<&str, &str> =
            pairs.into_iter().filter(|(name, _value)| name.starts_with(PREFIX)).collect();
        if !ours.contains_key(NAME_BATCH) && !ours.contains_key(NAME_VERSION) {
            return Err(MetadataError::NoBatchId);
        }
        let get = |name| ours.get(name).copied().ok_or(MetadataError::Missing { name });
        let version = get(NAME_VERSION)?;
        if version != VERSION {
            return Err(MetadataError::Version { found: shown(version) });
        }
        if let Some(name) = ours.keys().find(|name| !NAMES.contains(name)) {
            return Err(MetadataError::Unknown { name: shown(name) });
        }
        let malformed = |name, value: &str| MetadataError::Malformed { name, value: shown(value) };
        let offset = |name| {
            let value = get(name)?;
            parse_offset(value).ok_or_else(|| malformed(name, value))
        };
        let batch = get(NAME_BATCH)?;
        let topic_id = get(NAME_TOPIC_ID)?;
        let count = ours.get(NAME_COUNT).copied();
        let plan = ours.get(NAME_PLAN).copied().map(PlanText::new).transpose();
        Ok(Self {
            batch: BatchId::parse(batch).ok_or_else(|| malformed(NAME_BATCH, batch))?,
            group: GroupId::new(get(NAME_GROUP)?).map_err(MetadataError::Group)?,
            partition: parse_partition(get(NAME_PARTITION)?)?,
            topic_id: TopicId::parse(topic_id).ok_or_else(|| malformed(NAME_TOPIC_ID, topic_id))?,
            batch_start: offset(NAME_START)?,
            first: offset(NAME_FIRST)?,
            count: count
                .map(|text| parse_number(text).ok_or_else(|| malformed(NAME_COUNT, text)))
                .transpose()?,
            plan: plan.map_err(MetadataError::Plan)?,
        })
    }
}

fn parse_partition(text: &str) -> Result<TopicPartition, MetadataError> {
    let malformed = || MetadataError::Malformed { name: NAME_PARTITION, value: shown(text) };
    let (topic, index) = text.split_once('/').ok_or_else(malformed)?;
    let topic = Topic::new(topic).map_err(MetadataError::Partition)?;
    let index: u64 = parse_number(index).ok_or_else(malformed)?;
    let index = i32::try_from(index).map_err(|_too_large| malformed())?;
    let partition = PartitionIndex::new(index).map_err(MetadataError::Partition)?;
    Ok(TopicPartition { topic, partition })
}

/// Parses a decimal number in its one spelling: no sign, no leading zero.
pub(super) fn parse_number(text: &str) -> Option<u64> {
    let is_canonical = text == "0" || !text.starts_with('0');
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_canonical && is_digits { text.parse().ok() } else { None }
}

pub(super) fn parse_offset(text: &str) -> Option<Offset> {
    let value = i64::try_from(parse_number(text)?).ok()?;
    Offset::new(value).ok()
}

/// Cuts and cleans a value that is shown to people.
fn shown(text: &str) -> String {
    super::error::printable(text).to_string()
}

#[cfg(test)]
mod tests;
