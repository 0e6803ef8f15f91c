//! What a claim says to those who decide where a partition starts: the daemon and `recover`.
//!
//! It owns: reading its plan and its decision as the engine takes them.
//! It does not own: the claim's text (`s3`), any decision (`engine`).

use crate::engine::{ClaimFacts, CommittedOffset, Decision, Metadata, Places, Replaces};
use crate::s3::{self, Claim, PlanText, Recovery, ReplacedCommit};

/// Reads the plan inside a claim as far as the decision needs it.
pub fn facts_of(claim: &Claim) -> Result<ClaimFacts, String> {
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

/// Returns the decision as the engine takes it; none if it keeps an offset that there was not.
pub fn decision_of(
    recovery: &Recovery,
    claim: &Claim,
    committed: Option<&CommittedOffset>,
) -> Option<Decision> {
    let Recovery { decision, replaces, below } = recovery;
    let (start, text) = match (decision, replaces) {
        (s3::Decision::GoOn { start, plan }, _) => (*start, plan.as_ref().map(PlanText::to_string)),
        (s3::Decision::Committed, ReplacedCommit::Offset { offset, .. }) => (*offset, None),
        (s3::Decision::Committed, ReplacedCommit::None) => return None,
    };
    let stands = committed.map(|committed| (committed.offset, committed.metadata.as_slice()));
    let is_its_commit = ReplacedCommit::of(stands) == *replaces;
    Some(Decision {
        start,
        text,
        topic_id: claim.topic_id,
        replaces: if is_its_commit { Replaces::Standing } else { Replaces::Another },
        places: below.clone().map(|below| Places {
            prefix: below.prefix,
            quarantine_prefix: below.quarantine_prefix,
        }),
    })
}
