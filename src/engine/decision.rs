//! A person's decision about a stopped partition (protocol rule 11): whether it is taken, and as what.
//!
//! It owns: the conditions, and what is to be committed. Pure: one function.
//! It does not own: the claim that holds the decision, nor who reads it when.
//!
//! A decision is about one commit and is taken only while exactly that stands. What it pins is
//! another commit, so it is never taken twice; and whoever finds the pin beside the decision that
//! it came from knows that a daemon died between the two, and only strikes the decision out. Nothing
//! moves before that is done.

use thiserror::Error;

use super::settle::{check_source, check_topic};
use super::{ClaimStep, CommittedOffset, EmptyPlan, Metadata, Plan, Source, StopReason, Verdict};
use crate::model::{Offset, TopicId};
use crate::mutant::Mutant;

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Where to go on.
    pub start: Offset,
    /// The plan or the empty plan that is to stand beside it; none: nothing is promised there, for
    /// the topic of the claim.
    pub text: Option<String>,
    /// The topic that the claim is about.
    pub topic_id: TopicId,
    pub replaces: Replaces,
    /// What lies there already has other boundaries: it goes on only below these.
    pub places: Option<Places>,
}

/// Whether the commit that a decision is about stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaces {
    Standing,
    Another,
}

/// The prefixes that a partition's objects lie below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub prefix: String,
    pub quarantine_prefix: String,
}

/// Why a decision is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Declined {
    #[error("another commit stands now than the one that it is about")]
    OtherCommit,
    #[error("it is about another cluster or topic: {0}")]
    OtherSource(StopReason),
    #[error("its text is no plan for {start}")]
    Text { start: Offset },
    /// It stands and cannot be carried out here.
    #[error("{0}")]
    Stop(StopReason),
}

/// Decides whether the decision is taken. `places` are those of the configuration.
pub fn take(
    source: &Source,
    committed: Option<&CommittedOffset>,
    decision: &Decision,
    places: &Places,
) -> Result<Verdict, Declined> {
    let promised = promised(source, decision)?;
    let is_pinned = committed.is_some_and(|committed| {
        committed.offset == decision.start
            && Metadata::parse(&committed.metadata).as_ref() == Ok(&promised)
    });
    let is_its_commit = decision.replaces == Replaces::Standing;
    if !is_pinned && !is_its_commit && !Mutant::DecisionForAnyCommit.is_on() {
        return Err(Declined::OtherCommit);
    }
    if let Some(wanted) = decision.places.as_ref().filter(|wanted| *wanted != places) {
        return Err(Declined::Stop(StopReason::DecidedElsewhere {
            prefix: wanted.prefix.clone(),
            quarantine_prefix: wanted.quarantine_prefix.clone(),
        }));
    }
    let (metadata, pending) = match promised {
        Metadata::Plan(plan) => (plan.encode(), Some(plan)),
        Metadata::Empty(empty) => (empty.encode(), None),
        Metadata::Foreign => return Err(Declined::Text { start: decision.start }),
    };
    let (offset, must_pin) = (decision.start, !is_pinned);
    Ok(Verdict { offset, metadata, pending, must_pin, claim: ClaimStep::Strike })
}

/// Returns what is to stand beside the start.
fn promised(source: &Source, decision: &Decision) -> Result<Metadata, Declined> {
    let start = decision.start;
    let pin = EmptyPlan {
        offset: start,
        cluster: source.cluster.clone(),
        topic_id: source.topic_id,
        pin: true,
    };
    let Some(text) = &decision.text else {
        check_topic(source, decision.topic_id).map_err(Declined::OtherSource)?;
        return Ok(Metadata::Empty(pin));
    };
    match Metadata::parse(text.as_bytes()) {
        Ok(Metadata::Plan(plan)) if plan.range.start() == start => {
            let Plan { cluster, topic_id, .. } = plan.as_ref();
            check_source(source, cluster.as_str(), *topic_id).map_err(Declined::OtherSource)?;
            Ok(Metadata::Plan(plan))
        }
        Ok(Metadata::Empty(empty)) if empty.offset == start => {
            check_source(source, empty.cluster.as_str(), empty.topic_id)
                .map_err(Declined::OtherSource)?;
            Ok(Metadata::Empty(pin))
        }
        Ok(Metadata::Plan(_) | Metadata::Empty(_) | Metadata::Foreign) | Err(_) => {
            Err(Declined::Text { start })
        }
    }
}

#[cfg(test)]
mod tests;
