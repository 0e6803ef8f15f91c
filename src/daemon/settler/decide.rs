//! The decision where one partition starts, once its claim was read.
//!
//! It owns: reading the claim, for ever if need be; what of it the decision needs.
//! It does not own: the table of the decision (`engine::settle`).

use super::Settlement;
use crate::daemon::stores::Stores;
use crate::engine::{ClaimFacts, CommittedOffset, Metadata, Source, StopReason, settle};
use crate::model::Offset;
use crate::s3::{CLAIM_BYTES_MAX, Claim, Claims, Stopped, StoreErrorKind};

/// Reads the claim, for ever if need be, and decides; none if the process ends.
pub(super) async fn decide(
    stores: &Stores,
    claims: &Claims,
    source: Source,
    committed: Option<CommittedOffset>,
    start: Offset,
) -> Option<Result<Settlement, StopReason>> {
    let key = claims.partition_key(&source.partition);
    let found = stores.retry().run(|| stores.asked().get(&key, CLAIM_BYTES_MAX)).await;
    let refuse = |found: String| StopReason::Claim { key: key.to_string(), found };
    let claim = match found {
        Ok(got) => match Claim::parse(&got.body) {
            Ok(claim) => Some((claim, got.etag)),
            Err(error) => return Some(Err(refuse(error.to_string()))),
        },
        Err(Stopped::Definite(error)) if error.kind == StoreErrorKind::NotFound => None,
        Err(Stopped::Cancelled) => return None,
        Err(Stopped::Definite(error)) => return Some(Err(refuse(error.to_string()))),
    };
    let facts = match claim.as_ref().map(|(claim, _)| facts_of(claim)).transpose() {
        Ok(facts) => facts,
        Err(found) => return Some(Err(refuse(found))),
    };
    let verdict = settle(&source, committed.as_ref(), facts.as_ref(), start);
    Some(verdict.map(|verdict| Settlement { source, verdict, claim }))
}

/// Reads the plan inside a claim as far as the decision needs it.
pub(in crate::daemon) fn facts_of(claim: &Claim) -> Result<ClaimFacts, String> {
    let last_plan = match claim.plan.as_ref() {
        None => None,
        Some(text) => match Metadata::parse(text.as_str().as_bytes()) {
            Ok(Metadata::Plan(plan)) => Some(plan.range.start()),
            Ok(Metadata::Empty(_) | Metadata::Foreign) => {
                return Err("its plan is none of Sluice's".to_owned());
            }
            Err(error) => return Err(format!("its plan cannot be read: {error}")),
        },
    };
    Ok(ClaimFacts { topic_id: claim.topic_id, first_start: claim.first_start, last_plan })
}
