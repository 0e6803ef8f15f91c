//! Each row of the table, each check, and what the reasons say.

use super::*;
use crate::engine::sample::{at, short_layout, source};
use crate::engine::{Digest, DigestEntry, MetadataError};
use crate::model::{BatchId, ClusterId, OffsetRange, Timestamp};

fn empty(offset: i64, pin: bool) -> EmptyPlan {
    let Source { cluster, topic_id, .. } = source();
    EmptyPlan { offset: at(offset), cluster, topic_id, pin }
}

fn plan(start: i64) -> Plan {
    let Source { cluster, topic_id, .. } = source();
    Plan {
        batch: BatchId::new(1),
        range: OffsetRange::new(at(start), at(start + 10)).unwrap(),
        opened: Timestamp::from_millis(0),
        records: 10,
        digest: Digest::of(std::iter::empty::<DigestEntry<'_>>()),
        cluster,
        topic_id,
        layout: short_layout(),
    }
}

fn commit(offset: i64, metadata: &str) -> CommittedOffset {
    CommittedOffset { offset: at(offset), metadata: metadata.into() }
}

fn claim(last_plan: Option<i64>) -> ClaimFacts {
    ClaimFacts { topic_id: source().topic_id, first_start: at(3), last_plan: last_plan.map(at) }
}

fn settled(
    committed: Option<&CommittedOffset>,
    claim: Option<&ClaimFacts>,
) -> Result<Verdict, StopReason> {
    settle(&source(), committed, claim, at(42))
}

fn goes_on(metadata: String, offset: i64, claim: ClaimStep) -> Verdict {
    Verdict { offset: at(offset), metadata, pending: None, must_pin: false, claim }
}

fn pins(offset: i64) -> Verdict {
    Verdict {
        offset: at(offset),
        metadata: empty(offset, true).encode(),
        pending: None,
        must_pin: true,
        claim: ClaimStep::Create,
    }
}

#[test]
fn nothing_committed_and_no_claim_is_new() {
    assert_eq!(settled(None, None), Ok(pins(42)));
}

#[test]
fn nothing_committed_and_a_claim_stops() {
    let reason = settled(None, Some(&claim(None))).unwrap_err();
    assert_eq!(reason, StopReason::OffsetsLost { first_start: at(3) });
    assert_eq!(
        reason.to_string(),
        "the group has no commit for this partition, but the claim says that it was taken from 3 \
         on: committed offsets were lost (they expire); see `sluice recover`"
    );
}

#[test]
fn ours_below_the_plan_in_the_claim_stops() {
    for metadata in [empty(9, false).encode(), empty(9, true).encode(), plan(9).encode()] {
        let reason = settled(Some(&commit(9, &metadata)), Some(&claim(Some(10)))).unwrap_err();
        assert_eq!(reason, StopReason::OffsetsFellBack { committed: at(9), planned: at(10) });
        assert_eq!(
            reason.to_string(),
            "the committed offset 9 lies below the last plan in the claim, 10: it fell back; see \
             `sluice recover`"
        );
    }
}

#[test]
fn ours_with_a_claim_goes_on() {
    for last_plan in [None, Some(0), Some(10)] {
        let metadata = empty(10, false).encode();
        let verdict = settled(Some(&commit(10, &metadata)), Some(&claim(last_plan)));
        assert_eq!(verdict, Ok(goes_on(metadata, 10, ClaimStep::Keep)));
    }
}

#[test]
fn a_pending_plan_is_replayed_with_or_without_a_claim() {
    for (claim, step) in
        [(Some(claim(Some(10))), ClaimStep::Keep), (None, ClaimStep::CreateAfterLoss)]
    {
        let metadata = plan(10).encode();
        let verdict = settled(Some(&commit(10, &metadata)), claim.as_ref()).unwrap();
        let pending = Some(Box::new(plan(10)));
        assert_eq!(verdict, Verdict { pending, ..goes_on(metadata, 10, step) });
    }
}

#[test]
fn ours_without_a_claim_creates_it_and_says_so_unless_it_was_a_pin() {
    for (pin, step) in [(true, ClaimStep::Create), (false, ClaimStep::CreateAfterLoss)] {
        let metadata = empty(10, pin).encode();
        let verdict = settled(Some(&commit(10, &metadata)), None);
        assert_eq!(verdict, Ok(goes_on(metadata, 10, step)));
    }
}

#[test]
fn not_ours_without_a_claim_is_adopted_where_it_stands() {
    for metadata in ["", "another tool"] {
        assert_eq!(settled(Some(&commit(17, metadata)), None), Ok(pins(17)));
    }
}

#[test]
fn not_ours_with_a_claim_stops() {
    for metadata in ["", "another tool"] {
        let reason = settled(Some(&commit(17, metadata)), Some(&claim(Some(10)))).unwrap_err();
        assert_eq!(reason, StopReason::OffsetsReset { committed: at(17) });
        assert_eq!(
            reason.to_string(),
            "somebody committed 17 without our metadata after this group had taken the \
             partition: offsets were reset, which also wipes a pending plan; see `sluice recover`"
        );
    }
}

#[test]
fn metadata_beside_another_offset_stops() {
    for metadata in [empty(10, false).encode(), plan(10).encode()] {
        for claim in [None, Some(claim(None))] {
            let reason = settled(Some(&commit(11, &metadata)), claim.as_ref()).unwrap_err();
            let (committed, written) = (at(11), at(10));
            assert_eq!(reason, StopReason::OffsetMoved { committed, written });
            assert_eq!(
                reason.to_string(),
                "the committed offset is 11, its metadata was written beside 10: another tool \
                 moved it; see `sluice recover`"
            );
        }
    }
}

#[test]
fn metadata_of_another_cluster_stops() {
    let cluster = ClusterId::new("elsewhere").unwrap();
    let other_empty = EmptyPlan { cluster: cluster.clone(), ..empty(10, false) };
    let other_plan = Plan { cluster, ..plan(10) };
    for metadata in [other_empty.encode(), other_plan.encode()] {
        let reason = settled(Some(&commit(10, &metadata)), None).unwrap_err();
        assert_eq!(
            reason.to_string(),
            "the committed metadata was written for cluster `elsewhere`, this is `cluster`: \
             another cluster or topic under this group; see `sluice recover`"
        );
    }
}

#[test]
fn metadata_or_a_claim_of_another_topic_id_stops() {
    let topic_id = TopicId::from_u128(8);
    let other_empty = EmptyPlan { topic_id, ..empty(10, false) }.encode();
    let other_plan = Plan { topic_id, ..plan(10) }.encode();
    let other_claim = ClaimFacts { topic_id, ..claim(None) };
    let ours = commit(10, &empty(10, false).encode());
    let (found, expected) = (topic_id.to_string(), source().topic_id.to_string());
    for (committed, claim) in [
        (Some(commit(10, &other_empty)), None),
        (Some(commit(10, &other_plan)), Some(claim(None))),
        (Some(ours), Some(other_claim)),
        (None, Some(other_claim)),
        (Some(commit(10, "")), Some(other_claim)),
    ] {
        let reason = settled(committed.as_ref(), claim.as_ref()).unwrap_err();
        let (found, expected) = (found.clone(), expected.clone());
        assert_eq!(reason, StopReason::TopicRecreated { found, expected });
    }
}

#[test]
fn a_topic_id_that_is_not_known_differs_from_none() {
    let unknown = TopicId::from_u128(0);
    let metadata = EmptyPlan { topic_id: unknown, ..empty(10, false) }.encode();
    let claim = ClaimFacts { topic_id: unknown, ..claim(None) };
    let verdict = settled(Some(&commit(10, &metadata)), Some(&claim)).unwrap();
    assert_eq!(verdict, goes_on(metadata, 10, ClaimStep::Keep));
}

#[test]
fn metadata_that_claims_to_be_ours_and_is_not_whole_stops() {
    for claim in [None, Some(claim(None))] {
        let reason = settled(Some(&commit(10, "sluice/9 none")), claim.as_ref()).unwrap_err();
        assert_eq!(reason, MetadataError::Version { found: "9".to_owned() }.into());
        assert_eq!(
            reason.to_string(),
            "the committed metadata claims to be Sluice's, but version `9` is not one that this \
             release reads (it reads `1`, `0`): run the release that wrote it, or a newer one"
        );
    }
}

/// What the rule is worth: its test fails without it.
#[test]
fn a_broken_rule_fails_its_test() {
    let test = metadata_or_a_claim_of_another_topic_id_stops;
    assert!(Mutant::TopicIdIsNotCompared.fails(test));
}
