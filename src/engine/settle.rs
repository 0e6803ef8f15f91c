//! Where a partition starts: the table of protocol rule 8 and the checks of rule 9.
//!
//! It owns: the decision from what Kafka and the claim say. Pure: one function.
//! It does not own: asking them, nor carrying the decision out (pin, claim, seek, in that order).
//!
//! | commit | claim | means |
//! |---|---|---|
//! | none | none | new: pin the configured start, create the claim |
//! | none | there | stop: offsets were lost |
//! | ours, below the start of the claim's plan | there | stop: offsets fell back |
//! | ours | there | go on; a pending plan is replayed |
//! | ours | none | after a pin: create the claim; else say so, create it |
//! | not ours | none | adopt: pin it, create the claim |
//! | not ours | there | stop: offsets were reset |

use super::{EmptyPlan, Metadata, Plan, Source, StopReason};
use crate::model::{Offset, TopicId};
use crate::mutant::Mutant;

/// What one answer of the group coordinator says of the partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    pub offset: Offset,
    pub metadata: Vec<u8>,
}

/// What the claim says, as far as the decision needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimFacts {
    pub topic_id: TopicId,
    pub first_start: Offset,
    /// Start of the last accepted plan that had a multipart object.
    pub last_plan: Option<Offset>,
}

/// How to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub offset: Offset,
    /// The metadata that stands beside `offset` once the steps below are done.
    pub metadata: String,
    pub pending: Option<Box<Plan>>,
    /// Commit `(offset, metadata)` before anything else.
    pub must_pin: bool,
    pub claim: ClaimStep,
}

/// What is to be done about the claim before a plan may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimStep {
    Keep,
    Create,
    /// The commit was ours and no claim stood: another bucket, or somebody deleted it. Worth a
    /// warning.
    CreateAfterLoss,
    /// It is written as it now is: without the decision of `recover` that it held.
    Strike,
}

/// Decides where to start. `start` is where a partition begins that nobody has committed for.
pub fn settle(
    source: &Source,
    committed: Option<&CommittedOffset>,
    claim: Option<&ClaimFacts>,
    start: Offset,
) -> Result<Verdict, StopReason> {
    let claim = claim.filter(|_| !Mutant::ClaimIsNotAsked.is_on());
    if let Some(claim) = claim {
        check_topic(source, claim.topic_id)?;
    }
    let Some(committed) = committed else {
        return match claim {
            Some(claim) => Err(StopReason::OffsetsLost { first_start: claim.first_start }),
            None => Ok(pinned(source, start)),
        };
    };
    let offset = committed.offset;
    let (metadata, pending, was_pin) = match Metadata::parse(&committed.metadata)? {
        Metadata::Foreign if claim.is_some() => {
            return Err(StopReason::OffsetsReset { committed: offset });
        }
        Metadata::Foreign => return Ok(pinned(source, offset)),
        Metadata::Empty(empty) => {
            check_source(source, empty.cluster.as_str(), empty.topic_id)?;
            check_offset(offset, empty.offset)?;
            (empty.encode(), None, empty.pin)
        }
        Metadata::Plan(plan) => {
            check_source(source, plan.cluster.as_str(), plan.topic_id)?;
            check_offset(offset, plan.range.start())?;
            (plan.encode(), Some(plan), false)
        }
    };
    if let Some(planned) = claim.and_then(|claim| claim.last_plan)
        && offset < planned
    {
        return Err(StopReason::OffsetsFellBack { committed: offset, planned });
    }
    let claim = match (claim, was_pin) {
        (Some(_), _) => ClaimStep::Keep,
        (None, true) => ClaimStep::Create,
        (None, false) => ClaimStep::CreateAfterLoss,
    };
    Ok(Verdict { offset, metadata, pending, must_pin: false, claim })
}

fn pinned(source: &Source, offset: Offset) -> Verdict {
    let empty =
        EmptyPlan { offset, cluster: source.cluster.clone(), topic_id: source.topic_id, pin: true };
    let metadata = empty.encode();
    Verdict { offset, metadata, pending: None, must_pin: true, claim: ClaimStep::Create }
}

pub(super) fn check_source(
    source: &Source,
    cluster: &str,
    topic_id: TopicId,
) -> Result<(), StopReason> {
    if cluster != source.cluster.as_str() {
        return Err(StopReason::OtherSource {
            what: "cluster",
            found: cluster.to_owned(),
            expected: source.cluster.to_string(),
        });
    }
    check_topic(source, topic_id)
}

pub(super) fn check_topic(source: &Source, found: TopicId) -> Result<(), StopReason> {
    let expected = source.topic_id;
    let is_other = found.is_known() && expected.is_known() && found != expected;
    if is_other && !Mutant::TopicIdIsNotCompared.is_on() {
        let (found, expected) = (found.to_string(), expected.to_string());
        return Err(StopReason::TopicRecreated { found, expected });
    }
    Ok(())
}

fn check_offset(committed: Offset, written: Offset) -> Result<(), StopReason> {
    if committed == written { Ok(()) } else { Err(StopReason::OffsetMoved { committed, written }) }
}

#[cfg(test)]
mod tests;
