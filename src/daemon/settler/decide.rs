//! The decision where one partition starts, once its claim was read.
//!
//! It owns: reading the claim, for ever if need be; the claim as it is once a person's decision is
//! struck out.
//! It does not own: the table (`engine::settle`), when a person's decision is taken
//! (`engine::decision`).

use tracing::{info, warn};

use super::Settlement;
use crate::daemon::claimed::{decision_of, facts_of};
use crate::daemon::stores::Stores;
use crate::engine::{
    ClaimFacts, ClaimStep, CommittedOffset, Declined, Places, Source, StopReason, Verdict, settle,
    take,
};
use crate::model::Offset;
use crate::s3::{CLAIM_BYTES_MAX, Claim, Claims, PlanText, Retry, Stopped, Store, StoreErrorKind};

/// What is known of a partition before its claim is read.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) source: Source,
    pub(super) committed: Option<CommittedOffset>,
    /// Where it begins if nobody has committed for it.
    pub(super) start: Offset,
    /// Where its objects go by the configuration.
    pub(super) places: Places,
}

/// Reads the claim, for ever if need be, and decides; none if the process ends.
pub(super) async fn decide(
    stores: &Stores,
    claims: &Claims,
    asked: Asked,
) -> Option<Result<Settlement, StopReason>> {
    let key = claims.partition_key(&asked.source.partition);
    let found = stores.retry().run(|| stores.asked().get(&key, CLAIM_BYTES_MAX)).await;
    let refuse = |found: String| StopReason::Claim { key: key.as_str().to_owned(), found };
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
    let verdict = match judge(&asked, claim.as_ref().map(|(claim, _)| claim), facts.as_ref()) {
        Ok(verdict) => verdict,
        Err(reason) => return Some(Err(reason)),
    };
    if let Some(layout) =
        verdict.pending.as_ref().map(|plan| &plan.layout).filter(|at| !stores.is_own(at))
        && let Some(store) = stores.of(layout)
        && let Err(reason) = reach(&store, stores.retry()).await?
    {
        return Some(Err(reason));
    }
    let claim = match claim {
        Some((claim, etag)) if verdict.claim == ClaimStep::Strike => {
            Some((struck(claim, facts.as_ref(), &verdict, &asked.source), etag))
        }
        claim => claim,
    };
    Some(Ok(Settlement { source: asked.source, verdict, claim }))
}

/// Lets a person's decision go before the table, as long as it stands.
fn judge(
    asked: &Asked,
    claim: Option<&Claim>,
    facts: Option<&ClaimFacts>,
) -> Result<Verdict, StopReason> {
    let Asked { source, committed, start, places } = asked;
    let committed = committed.as_ref();
    let settled = || settle(source, committed, facts, *start);
    let recovery = claim.and_then(|claim| claim.recovery.as_ref());
    let Some((claim, recovery)) = claim.zip(recovery) else { return settled() };
    let taken = match decision_of(recovery, claim, committed) {
        Some(decision) => take(source, committed, &decision, places),
        None => Err(Declined::OtherCommit),
    };
    let partition = &source.partition;
    match taken {
        Ok(verdict) => {
            let (offset, pending) = (verdict.offset, verdict.pending.is_some());
            info!(%partition, %offset, pending, "a decision of `sluice recover` is taken");
            Ok(verdict)
        }
        Err(Declined::Stop(reason)) => Err(reason),
        Err(
            declined @ (Declined::OtherCommit | Declined::OtherSource(_) | Declined::Text { .. }),
        ) => {
            warn!(%partition, why = %declined, "a decision of `sluice recover` does not apply");
            let verdict = settled()?;
            // It goes on without the decision, which must not apply later by chance.
            let claim = ClaimStep::Strike;
            Ok(Verdict { claim, ..verdict })
        }
    }
}

/// Returns the claim without its decision. What it said of before must not stop what was decided:
/// a plan behind the start, another topic.
fn struck(claim: Claim, facts: Option<&ClaimFacts>, verdict: &Verdict, source: &Source) -> Claim {
    let (now, before) = (source.topic_id, claim.topic_id);
    let is_same = now == before || !now.is_known() || !before.is_known();
    let is_below =
        facts.and_then(|facts| facts.last_plan).is_some_and(|last| last <= verdict.offset);
    let pending = verdict.pending.as_ref();
    let plan = match pending.and_then(|plan| PlanText::new(&plan.encode()).ok()) {
        Some(plan) => Some(plan),
        None => claim.plan.filter(|_| is_same && is_below),
    };
    let first_start = if is_same { claim.first_start.min(verdict.offset) } else { verdict.offset };
    let topic_id = if now.is_known() { now } else { before };
    Claim { topic_id, first_start, plan, recovery: None }
}

/// Asks for the bucket of a pending plan that is not the configured one. What a person would have to
/// repair there stops this partition (rule 12), instead of holding it up with the words of the
/// configured bucket. None if the process ends.
async fn reach(store: &Store, retry: &Retry) -> Option<Result<(), StopReason>> {
    let asked = retry.run(|| async {
        match store.head_bucket().await {
            Ok(()) => Ok(Ok(())),
            Err(error) if is_of_the_bucket(error.kind) => Ok(Err(error)),
            Err(error) => Err(error),
        }
    });
    let error = match asked.await {
        Ok(Ok(())) => return Some(Ok(())),
        Ok(Err(error)) | Err(Stopped::Definite(error)) => error,
        Err(Stopped::Cancelled) => return None,
    };
    let (bucket, found) = (store.bucket().to_string(), error.to_string());
    Some(Err(StopReason::BucketUnreached { bucket, found }))
}

/// Returns whether a failure is one of this bucket, and not of everything that the process asks.
fn is_of_the_bucket(kind: StoreErrorKind) -> bool {
    matches!(
        kind,
        StoreErrorKind::WrongRegion | StoreErrorKind::AccessDenied | StoreErrorKind::NoSuchBucket
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Bucket;
    use crate::s3::memory::{Fault, MemoryStore, Recorder};
    use crate::s3::{Operation, Writes, cancellation};

    #[tokio::test(start_paused = true)]
    async fn a_plans_bucket_that_only_a_person_can_open_stops_and_what_passes_is_asked_again() {
        for (code, status, expected) in [
            ("PermanentRedirect", 301, "bucket_unreached"),
            ("AccessDenied", 403, "bucket_unreached"),
            ("NoSuchBucket", 404, "bucket_unreached"),
            ("SlowDown", 503, "reached"),
        ] {
            let memory = MemoryStore::new(Bucket::new("old").unwrap(), Writes::Conditional);
            memory.fail(Operation::HeadBucket, "", 1, Fault::answer(code, status));
            let store: Store = Arc::new(memory);
            let (_canceller, cancelled) = cancellation();
            let retry = Retry::new(Arc::new(Recorder::default()), cancelled);
            let reached = reach(&store, &retry).await.unwrap();
            assert_eq!(reached.map_or_else(|reason| reason.label(), |()| "reached"), expected);
        }
    }
}
