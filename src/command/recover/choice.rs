//! What can be decided about a partition. Pure: from what was found to what would be written.
//!
//! It owns: the four decisions, when each is refused, when an unused prefix is demanded.
//! It does not own: showing and writing (`shown`, `claims`).

use clap::ValueEnum;
use thiserror::Error;

use super::evidence::{Evidence, FoundClaim, Standing};
use crate::engine::{EmptyPlan, Metadata, Plan};
use crate::model::{ObjectKey, Offset, OffsetRange};
use crate::s3::{Below, Claim, Decision, PlanText, Recovery, ReplacedCommit};

/// What a person can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Choice {
    /// Go on where Sluice last stood: the last plan found is finished, or what follows it is read;
    /// a topic created anew is read from its beginning
    Continue,
    /// The committed offset was meant: read from there
    Committed,
    /// Give up the last plan: what of it is in no object stays missing; read what follows it
    GiveUp,
}

impl Choice {
    pub(super) const ALL: [Self; 3] = [Self::Continue, Self::Committed, Self::GiveUp];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Committed => "committed",
            Self::GiveUp => "give-up",
        }
    }
}

/// What a decision would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) start: Offset,
    /// Finished first.
    pub(super) replays: Option<Plan>,
    /// Its records that are in no object stay missing.
    pub(super) gives_up: Option<OffsetRange>,
    /// For the daemon that takes it: the claim with the decision.
    pub(super) claim: Claim,
}

impl Proposal {
    pub(super) fn below(&self) -> Option<&Below> {
        self.claim.recovery.as_ref().and_then(|recovery| recovery.below.as_ref())
    }
}

/// Why a decision cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Refused {
    #[error("there is no committed offset")]
    NoCommit,
    #[error("no plan was found that could be given up")]
    NoPlan,
    #[error(
        "nothing of this partition was found in the bucket: if a former layout wrote it elsewhere, add `--prefix`; if nothing was ever written, `--at {first_start}` is where the group began"
    )]
    NothingFound { first_start: Offset },
    #[error(
        "the newest batch begins at {start} and its objects do not say where it ends: find the last record of `{key}` in Kafka, and decide `--at` the offset behind it"
    )]
    EndUnknown { start: Offset, key: String },
    #[error("it is what stands already")]
    Stands,
    #[error(
        "`{}` holds records that would be written again: set `layout.prefix` to one that this partition has never been written below, then decide with that configuration",
        key.as_str()
    )]
    PathUsed { key: ObjectKey },
    #[error(
        "`{}` is of the former topic, whose names would be used again: set `layout.prefix` to one that this partition has never been written below, then decide with that configuration",
        key.as_str()
    )]
    FormerTopic { key: ObjectKey },
}

/// Where to go on.
struct Target {
    start: Offset,
    replays: Option<Plan>,
    gives_up: Option<OffsetRange>,
    was_committed: bool,
}

impl Target {
    fn at(start: Offset) -> Self {
        Self { start, replays: None, gives_up: None, was_committed: false }
    }

    /// Where reading goes on for the first time with boundaries of its own.
    fn reads_on_from(&self) -> Offset {
        self.replays.as_ref().map_or(self.start, |plan| plan.range.end())
    }
}

/// Returns what the decision would write, or why it cannot be made.
pub(super) fn propose(found: &Evidence, choice: Choice) -> Result<Proposal, Refused> {
    let target = match choice {
        Choice::Continue => go_on(found)?,
        Choice::Committed => {
            let committed = found.committed.as_ref().ok_or(Refused::NoCommit)?;
            let gives_up = found.pending().filter(|_| found.is_recreated());
            let gives_up = gives_up.map(|plan| plan.range);
            Target { was_committed: true, gives_up, ..Target::at(committed.offset) }
        }
        Choice::GiveUp => {
            let plan = found.last_plan().ok_or(Refused::NoPlan)?;
            Target { gives_up: Some(plan.range), ..Target::at(plan.range.end()) }
        }
    };
    judge(found, target)
}

/// The same for an offset that the person names.
pub(super) fn propose_at(found: &Evidence, start: Offset) -> Result<Proposal, Refused> {
    let gives_up = found.last_plan().map(|plan| plan.range);
    let gives_up = gives_up.filter(|range| range.contains(start) && range.start() < start);
    judge(found, Target { gives_up, ..Target::at(start) })
}

fn go_on(found: &Evidence) -> Result<Target, Refused> {
    if found.is_recreated() {
        let gives_up = found.pending().map(|plan| plan.range);
        return Ok(Target { gives_up, ..Target::at(found.log.low) });
    }
    let last = found.last_plan();
    if let Some(newest) = &found.newest
        && newest.plan.is_none()
        && last.as_ref().is_none_or(|plan| plan.range.start() < newest.start)
    {
        let key = newest.key.as_ref().map(|key| key.as_str().to_owned()).unwrap_or_default();
        return Err(Refused::EndUnknown { start: newest.start, key });
    }
    let Some(plan) = last else {
        return match (&found.claim, found.ours()) {
            (_, Some(Metadata::Empty(empty))) => Ok(Target::at(empty.offset)),
            (FoundClaim::Whole { claim, .. }, _) => {
                Err(Refused::NothingFound { first_start: claim.first_start })
            }
            (FoundClaim::Absent | FoundClaim::Damaged { .. }, _) => {
                Err(Refused::NothingFound { first_start: found.log.low })
            }
        };
    };
    if !found.is_stored(&plan) {
        let start = plan.range.start();
        return Ok(Target { replays: Some(plan), ..Target::at(start) });
    }
    // Batches without a record that is written leave nothing in the bucket.
    let end = plan.range.end();
    let further = match found.ours() {
        Some(Metadata::Empty(empty)) => end.max(empty.offset),
        Some(Metadata::Plan(_) | Metadata::Foreign) | None => end,
    };
    Ok(Target::at(further))
}

fn judge(found: &Evidence, target: Target) -> Result<Proposal, Refused> {
    let below = places_for(found, &target)?;
    let (cluster, topic_id) = (found.source.cluster.clone(), found.source.topic_id);
    let empty = EmptyPlan { offset: target.start, cluster, topic_id, pin: true };
    let text = target.replays.as_ref().map_or_else(|| empty.encode(), Plan::encode);
    let committed = found.committed.as_ref();
    let is_there = committed.is_some_and(|committed| committed.offset == target.start);
    if is_there
        && target.replays == found.pending()
        && matches!(found.standing(), Standing::Goes | Standing::Pending)
    {
        return Err(Refused::Stands);
    }
    let decision = if target.was_committed && !found.is_recreated() {
        Decision::Committed
    } else {
        Decision::GoOn { start: target.start, plan: PlanText::new(&text).ok() }
    };
    let stands = committed.map(|committed| (committed.offset, committed.metadata.as_slice()));
    let recovery = Recovery { decision, replaces: ReplacedCommit::of(stands), below };
    let claim = match found.claim.whole() {
        Some(claim) => Claim { recovery: Some(recovery), ..claim.clone() },
        None => Claim {
            topic_id,
            first_start: found.oldest.map_or(target.start, |first| first.min(target.start)),
            plan: None,
            recovery: Some(recovery),
        },
    };
    let Target { start, replays, gives_up, .. } = target;
    Ok(Proposal { start, replays, gives_up, claim })
}

/// Returns the prefixes that the decision is bound to: where it goes on below what was written, or
/// in another topic, they must be unused.
fn places_for(found: &Evidence, target: &Target) -> Result<Option<Below>, Refused> {
    let from = target.reads_on_from();
    let places = &found.places;
    let is_below = |key: &ObjectKey| {
        [&places.prefix, &places.quarantine_prefix].into_iter().any(|prefix| {
            let prefix = prefix.trim_end_matches('/');
            prefix.is_empty()
                || key.as_str().strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    if let Some(key) = found.former.iter().find(|key| is_below(key)) {
        return Err(Refused::FormerTopic { key: key.clone() });
    }
    let mut again = found.reaches.iter().filter(|(end, _)| *end > from);
    if let Some((_, key)) = again.clone().find(|(_, key)| is_below(key)) {
        return Err(Refused::PathUsed { key: key.clone() });
    }
    let planned = found.last_plan().is_some_and(|plan| from < plan.range.start());
    let must_be_new = planned || again.next().is_some() || found.is_recreated();
    Ok(must_be_new.then(|| Below {
        prefix: places.prefix.clone(),
        quarantine_prefix: places.quarantine_prefix.clone(),
    }))
}

#[cfg(test)]
mod tests;
