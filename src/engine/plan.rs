//! The plan and the empty plan: what travels as the metadata of Kafka's offset commits.
//!
//! It owns: their text in each version that is read, its strict parser, the checks of protocol
//! rule 9.
//! It does not own: the layout's own text, nor what is done with a plan.
//!
//! One line of ASCII: `sluice/1 plan b=.. s=.. e=.. o=.. n=.. c=.. t=.. l=.. d=..` or
//! `sluice/1 none s=.. c=.. t=.. p=..`. Everything read back is input from outside. The last field
//! has a fixed length, so that no beginning of a plan is one.

mod version;

use thiserror::Error;

use super::Digest;
use crate::layout::Layout;
use crate::model::{BatchId, ClusterId, Offset, OffsetRange, Timestamp, TopicId};
use crate::mutant::Mutant;
use version::Version;

/// Kafka's `offset.metadata.max.bytes` is 4,096 UTF-16 units by default; operators lower it, so
/// plans stay far below.
pub const PLAN_BYTES_MAX: usize = 1_200;

const FAMILY: &str = "sluice/";

/// The written promise that `range` will be published with `layout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub batch: BatchId,
    pub range: OffsetRange,
    /// When the batch opened, wall clock: what `{time}` means under `time = "opened"`.
    pub opened: Timestamp,
    /// Records that Kafka delivered in the range, skipped ones too.
    pub records: u64,
    pub digest: Digest,
    pub cluster: ClusterId,
    pub topic_id: TopicId,
    pub layout: Layout,
}

/// Nothing is promised: what stands beside a frontier with no batch behind it. Never the empty
/// string, which any other tool writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmptyPlan {
    pub offset: Offset,
    pub cluster: ClusterId,
    pub topic_id: TopicId,
    /// Written to pin the start of a partition, before its claim was.
    pub pin: bool,
}

/// What the metadata of a commit turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// Another tool's, the empty string among them.
    Foreign,
    Empty(EmptyPlan),
    Plan(Box<Plan>),
}

/// Metadata that claims to be Sluice's and is not whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetadataError {
    #[error(
        "version `{found}` is not one that this release reads (it reads {}): run the release that wrote it, or a newer one",
        Version::all()
    )]
    Version { found: String },
    #[error("kind `{found}` is neither `plan` nor `none`")]
    Kind { found: String },
    #[error("field `{field}=` is missing or out of its place")]
    Missing { field: &'static str },
    #[error("field `{field}={value}` cannot be read")]
    Field { field: &'static str, value: String },
    #[error("`{rest}` stands behind the last field")]
    Trailing { rest: String },
    #[error("its layout cannot be read: {0}")]
    Layout(String),
}

impl Plan {
    /// Returns the plan's text.
    pub fn encode(&self) -> String {
        self.encode_as(Version::WRITTEN)
    }

    fn encode_as(&self, version: Version) -> String {
        format!(
            "{FAMILY}{} plan b={} s={} {} o={} n={} c={} t={} l={} d={}",
            version.name(),
            self.batch,
            self.range.start(),
            version.end_of(self.range),
            self.opened.millis(),
            self.records,
            self.cluster,
            self.topic_id,
            self.layout.canonical(),
            self.digest,
        )
    }
}

impl EmptyPlan {
    /// Returns the empty plan's text.
    pub fn encode(&self) -> String {
        self.encode_as(Version::WRITTEN)
    }

    fn encode_as(&self, version: Version) -> String {
        format!(
            "{FAMILY}{} none s={} c={} t={} p={}",
            version.name(),
            self.offset,
            self.cluster,
            self.topic_id,
            u8::from(self.pin)
        )
    }
}

impl Metadata {
    /// Parses the metadata of a commit. Text of another tool is `Foreign`, not an error; text that
    /// begins as ours must be whole.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetadataError> {
        if !bytes.starts_with(FAMILY.as_bytes()) {
            return Ok(Self::Foreign);
        }
        let text = String::from_utf8_lossy(bytes);
        let mut fields = Fields { rest: text.strip_prefix(FAMILY) };
        let found = fields.word();
        let Some(version) = Version::named(found) else {
            if Mutant::UnknownVersionIsForeign.is_on() {
                return Ok(Self::Foreign);
            }
            return Err(MetadataError::Version { found: shown(found) });
        };
        let parsed = match fields.word() {
            "plan" => Self::Plan(Box::new(fields.plan(version)?)),
            "none" => Self::Empty(fields.empty_plan()?),
            kind => return Err(MetadataError::Kind { found: shown(kind) }),
        };
        match fields.rest {
            None => Ok(parsed),
            Some(rest) => Err(MetadataError::Trailing { rest: shown(rest) }),
        }
    }
}

/// Cuts hostile text down to what fits in a message.
fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

/// The words of a text that have not been read yet.
struct Fields<'a> {
    /// None behind the last word, which no space follows.
    rest: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn word(&mut self) -> &'a str {
        let rest = self.rest.take().unwrap_or_default();
        let Some((word, behind)) = rest.split_once(' ') else { return rest };
        self.rest = Some(behind);
        word
    }

    fn field<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, MetadataError> {
        let value = self
            .word()
            .split_once('=')
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value)
            .ok_or(MetadataError::Missing { field: name })?;
        parse(value).ok_or_else(|| MetadataError::Field { field: name, value: shown(value) })
    }

    fn plan(&mut self, version: Version) -> Result<Plan, MetadataError> {
        let batch = self.field("b", BatchId::parse)?;
        let start = self.field("s", offset)?;
        let range = self.field(version.end_field(), |text| version.range(start, text))?;
        let opened = self.field("o", |text| exact(text).map(Timestamp::from_millis))?;
        let records = self.field("n", exact)?;
        let cluster = self.field("c", |text| ClusterId::new(text).ok())?;
        let topic_id = self.field("t", TopicId::parse)?;
        let layout = self.field("l", |text| Some(Layout::parse_canonical(text)))?;
        let layout = layout.map_err(|error| MetadataError::Layout(shown(&error.to_string())))?;
        let digest = self.field("d", Digest::parse)?;
        Ok(Plan { batch, range, opened, records, digest, cluster, topic_id, layout })
    }

    fn empty_plan(&mut self) -> Result<EmptyPlan, MetadataError> {
        Ok(EmptyPlan {
            offset: self.field("s", offset)?,
            cluster: self.field("c", |text| ClusterId::new(text).ok())?,
            topic_id: self.field("t", TopicId::parse)?,
            pin: self.field("p", |text| match text {
                "0" => Some(false),
                "1" => Some(true),
                _ => None,
            })?,
        })
    }
}

/// Parses a number in the one way that `Display` prints it: no sign, no leading zeros.
fn exact<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    text.parse::<T>().ok().filter(|number| number.to_string() == text)
}

fn offset(text: &str) -> Option<Offset> {
    exact(text).and_then(|value| Offset::new(value).ok())
}

#[cfg(test)]
mod tests;
