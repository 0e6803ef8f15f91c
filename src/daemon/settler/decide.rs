//! The decision where one partition starts, once its claim was read.
//!
//! It owns: reading the claim, for ever if need be; what of it the decision needs.
//! It does not own: the table of the decision (`engine::settle`).

use super::Settlement;
use crate::daemon::stores::Stores;
use crate::engine::{ClaimFacts, CommittedOffset, Metadata, Source, StopReason, settle};
use crate::model::Offset;
use crate::s3::{CLAIM_BYTES_MAX, Claim, Claims, Retry, Stopped, Store, StoreErrorKind};

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
    let pending = verdict.iter().find_map(|verdict| verdict.pending.as_ref());
    if let Some(layout) = pending.map(|plan| &plan.layout).filter(|at| !stores.is_own(at))
        && let Some(store) = stores.of(layout)
        && let Err(reason) = reach(&store, stores.retry()).await?
    {
        return Some(Err(reason));
    }
    Some(verdict.map(|verdict| Settlement { source, verdict, claim }))
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
