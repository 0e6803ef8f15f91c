//! The claims: small objects that say that this group has taken a partition, and where it last
//! stood; and the group object that says where "latest" was when the group began.
//!
//! It owns: their keys, their versioned text, its strict parser.
//! It does not own: when they are read and written, what a plan's text says.

mod group;
mod key;

use thiserror::Error;

pub use group::{GROUP_OBJECT_BYTES_MAX, GroupObject, TopicEnds};
pub use key::Claims;

use super::line::{LineError, Lines, percent_decode, percent_encode};
use super::metadata::{PlanText, parse_number, parse_offset};
use crate::model::{Offset, TopicId};

/// Two plans of 1,200 bytes and two prefixes of a key's 1,024, each byte encoded as three, and 500
/// bytes of the rest.
pub const CLAIM_BYTES_MAX: usize = 2 * 3 * (super::metadata::PLAN_BYTES_MAX + 1_024) + 500;

const VERSION: &str = "1";

/// What the claim of one partition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub topic_id: TopicId,
    /// Where the group began to read the partition.
    pub first_start: Offset,
    /// The last accepted plan that had a multipart object.
    pub plan: Option<PlanText>,
    /// What `sluice recover` decided and the owner has not yet done.
    pub recovery: Option<Recovery>,
}

/// A decision of a person, and the commit it is about: it is taken only while that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    pub decision: Decision,
    pub replaces: ReplacedCommit,
    /// What lies in the bucket would be written again: it is taken only by a daemon that writes
    /// below these.
    pub below: Option<Below>,
}

/// Prefixes that were unused when a decision was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Below {
    pub prefix: String,
    pub quarantine_prefix: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on here; with a plan: finish it first.
    GoOn { start: Offset, plan: Option<PlanText> },
    /// The committed offset was meant.
    Committed,
}

/// Which commit of Kafka a decision replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplacedCommit {
    None,
    Offset { offset: Offset, metadata: MetadataDigest },
}

/// 128 bits of the digest of a commit's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetadataDigest(u128);

impl ReplacedCommit {
    /// Returns the name of a commit, or of there being none.
    pub fn of(committed: Option<(Offset, &[u8])>) -> Self {
        committed.map_or(Self::None, |(offset, metadata)| Self::Offset {
            offset,
            metadata: MetadataDigest::of(metadata),
        })
    }
}

impl MetadataDigest {
    /// Digests the metadata as Kafka returned it.
    pub fn of(metadata: &[u8]) -> Self {
        let digest = blake3::hash(metadata);
        let (half, _rest) = digest.as_bytes().split_at(16);
        Self(half.iter().fold(0, |sum, byte| (sum << 8) | u128::from(*byte)))
    }

    fn parse(text: &str) -> Option<Self> {
        TopicId::parse(text).map(|id| Self(id.value()))
    }
}

/// Why a text is no claim of ours.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClaimError {
    #[error("it cannot be read: {0}")]
    Line(#[from] LineError),
    #[error("its version is `{found}`, this release reads `{VERSION}`")]
    Version { found: u64 },
}

impl Claim {
    pub fn encode(&self) -> String {
        let mut out = format!(
            "sluice-claim {VERSION}\ntopic-id {}\nfirst-start {}\n",
            self.topic_id, self.first_start
        );
        if let Some(plan) = &self.plan {
            out.push_str(&format!("plan {}\n", percent_encode(plan.as_str())));
        }
        if let Some(recovery) = &self.recovery {
            recovery.encode(&mut out);
        }
        out.push_str("end\n");
        out
    }

    /// Parses exactly what `encode` writes.
    pub fn parse(text: &[u8]) -> Result<Self, ClaimError> {
        let mut lines = Lines::new(text, CLAIM_BYTES_MAX)?;
        check_version(&mut lines, "sluice-claim")?;
        let topic_id = TopicId::parse(lines.take("topic-id")?);
        let topic_id = topic_id.ok_or_else(|| lines.fault("topic-id"))?;
        let first_start = parse_offset(lines.take("first-start")?);
        let first_start = first_start.ok_or_else(|| lines.fault("first-start"))?;
        let plan = match lines.take_if("plan") {
            Some(text) => Some(parse_plan(text).ok_or_else(|| lines.fault("plan"))?),
            None => None,
        };
        let recovery = Recovery::parse(&mut lines)?;
        lines.end()?;
        Ok(Self { topic_id, first_start, plan, recovery })
    }
}

impl Recovery {
    fn encode(&self, out: &mut String) {
        match &self.decision {
            Decision::GoOn { start, plan: None } => out.push_str(&format!("go-on {start}\n")),
            Decision::GoOn { start, plan: Some(plan) } => {
                out.push_str(&format!("go-on {start} {}\n", percent_encode(plan.as_str())));
            }
            Decision::Committed => out.push_str("committed was-meant\n"),
        }
        match self.replaces {
            ReplacedCommit::None => out.push_str("replaces none\n"),
            ReplacedCommit::Offset { offset, metadata } => {
                out.push_str(&format!("replaces {offset} {:032x}\n", metadata.0));
            }
        }
        if let Some(Below { prefix, quarantine_prefix }) = &self.below {
            let [prefix, quarantine] = [prefix, quarantine_prefix].map(|one| percent_encode(one));
            out.push_str(&format!("below {prefix} {quarantine}\n"));
        }
    }

    fn parse(lines: &mut Lines<'_>) -> Result<Option<Self>, LineError> {
        let decision = if let Some(value) = lines.take_if("go-on") {
            parse_go_on(value).ok_or_else(|| lines.fault("go-on"))?
        } else if let Some(value) = lines.take_if("committed") {
            let is_ours = value == "was-meant";
            is_ours.then_some(Decision::Committed).ok_or_else(|| lines.fault("committed"))?
        } else {
            return Ok(None);
        };
        let value = lines.take("replaces")?;
        let replaces = parse_replaced(value).ok_or_else(|| lines.fault("replaces"))?;
        let below = match lines.take_if("below") {
            Some(value) => Some(parse_below(value).ok_or_else(|| lines.fault("below"))?),
            None => None,
        };
        Ok(Some(Self { decision, replaces, below }))
    }
}

fn parse_go_on(value: &str) -> Option<Decision> {
    let (start, plan) = match value.split_once(' ') {
        Some((start, plan)) => (start, Some(parse_plan(plan)?)),
        None => (value, None),
    };
    Some(Decision::GoOn { start: parse_offset(start)?, plan })
}

fn parse_replaced(value: &str) -> Option<ReplacedCommit> {
    if value == "none" {
        return Some(ReplacedCommit::None);
    }
    let (offset, digest) = value.split_once(' ')?;
    let (offset, metadata) = (parse_offset(offset)?, MetadataDigest::parse(digest)?);
    Some(ReplacedCommit::Offset { offset, metadata })
}

fn parse_below(value: &str) -> Option<Below> {
    let (prefix, quarantine) = value.split_once(' ')?;
    Some(Below { prefix: percent_decode(prefix)?, quarantine_prefix: percent_decode(quarantine)? })
}

fn parse_plan(text: &str) -> Option<PlanText> {
    PlanText::new(&percent_decode(text)?).ok()
}

fn check_version(lines: &mut Lines<'_>, name: &'static str) -> Result<(), ClaimError> {
    let value = lines.take(name)?;
    if value == VERSION {
        return Ok(());
    }
    let found = parse_number(value).ok_or_else(|| lines.fault(name))?;
    Err(ClaimError::Version { found })
}

#[cfg(test)]
mod tests;
