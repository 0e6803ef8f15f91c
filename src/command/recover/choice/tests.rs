//! What each decision writes, and when it is refused.

use super::*;
use crate::command::verify::inventory::Holdings;
use crate::command::verify::sample::{add, at, layout, pin, range};
use crate::engine::{CommittedOffset, Digest, DigestEntry, Places, Source};
use crate::kafka::admin::Watermarks;
use crate::model::{BatchId, ClusterId, Timestamp, TopicId};
use crate::s3::Etag;

const NOW: u128 = 7;

fn source() -> Source {
    let cluster = ClusterId::new("cluster").unwrap();
    Source { cluster, partition: pin(), topic_id: TopicId::from_u128(NOW) }
}

fn plan(start: i64, end: i64) -> Plan {
    Plan {
        batch: BatchId::new(9),
        range: range(start, end),
        opened: Timestamp::from_millis(0),
        records: 0,
        digest: Digest::of(std::iter::empty::<DigestEntry<'_>>()),
        cluster: source().cluster,
        topic_id: source().topic_id,
        layout: layout("{topic}"),
    }
}

fn empty(offset: i64) -> String {
    let Source { cluster, topic_id, .. } = source();
    EmptyPlan { offset: at(offset), cluster, topic_id, pin: true }.encode()
}

fn claim(topic_id: u128, plan: Option<Plan>) -> FoundClaim {
    let plan = plan.map(|plan| PlanText::new(&plan.encode()).unwrap());
    let topic_id = TopicId::from_u128(topic_id);
    let claim = Claim { topic_id, first_start: at(0), plan, recovery: None };
    FoundClaim::Whole { claim, etag: Etag::new("e") }
}

/// Batches [0, 10) and [10, 20), whole, below `topics`; the claim stands, and so does no commit.
fn found() -> Evidence {
    let mut found = Evidence {
        source: source(),
        log: Watermarks { low: at(3), high: at(100) },
        committed: None,
        claim: claim(NOW, None),
        newest: None,
        oldest: None,
        reaches: Vec::new(),
        former: Vec::new(),
        places: places("topics"),
    };
    let mut holdings = Holdings::default();
    add(&mut holdings, 1, 0, Some(10));
    add(&mut holdings, 2, 10, Some(20));
    found.sort(&holdings);
    found
}

fn places(prefix: &str) -> Places {
    Places { prefix: prefix.to_owned(), quarantine_prefix: "_quarantine".to_owned() }
}

fn with_commit(offset: i64, metadata: &str) -> Evidence {
    let committed = CommittedOffset { offset: at(offset), metadata: metadata.into() };
    Evidence { committed: Some(committed), ..found() }
}

fn decision(proposal: &Proposal) -> &Decision {
    &proposal.claim.recovery.as_ref().unwrap().decision
}

fn go_on_at(start: i64) -> Decision {
    Decision::GoOn { start: at(start), plan: PlanText::new(&empty(start)).ok() }
}

#[test]
fn it_goes_on_behind_a_batch_that_is_whole() {
    let proposal = propose(&found(), Choice::Continue).unwrap();
    assert_eq!(decision(&proposal), &go_on_at(20));
    assert_eq!((proposal.below(), proposal.gives_up), (None, None));
    let replaces = proposal.claim.recovery.unwrap().replaces;
    assert_eq!(replaces, ReplacedCommit::None);
}

#[test]
fn it_finishes_a_plan_that_is_not_whole_whoever_tells_of_it() {
    let pending = plan(20, 30);
    let go_on = Decision::GoOn { start: at(20), plan: PlanText::new(&pending.encode()).ok() };
    let claimed = Evidence { claim: claim(NOW, Some(pending.clone())), ..found() };
    let proposal = propose(&claimed, Choice::Continue).unwrap();
    assert_eq!((decision(&proposal), proposal.below()), (&go_on, None));
    assert_eq!(proposal.replays, Some(pending.clone()));
    // Half of its objects are there.
    let mut stored = found();
    let newest = stored.newest.as_mut().unwrap();
    (newest.start, newest.plan, newest.is_whole) = (at(20), Some(pending.clone()), false);
    assert_eq!(decision(&propose(&stored, Choice::Continue).unwrap()), &go_on);
    // A plan that fell behind: the commit's own is the older one.
    let fallen = with_commit(10, &plan(10, 20).encode());
    let fallen = Evidence { claim: claim(NOW, Some(pending)), ..fallen };
    assert_eq!(decision(&propose(&fallen, Choice::Continue).unwrap()), &go_on);
}

#[test]
fn an_end_that_nobody_tells_is_not_guessed() {
    let mut found = found();
    let mut holdings = Holdings::default();
    add(&mut holdings, 3, 20, None);
    found.sort(&holdings);
    let refused = propose(&found, Choice::Continue).unwrap_err();
    assert!(matches!(refused, Refused::EndUnknown { .. }), "{refused}");
    assert_eq!(decision(&propose_at(&found, at(40)).unwrap()), &go_on_at(40));
    let nothing = Evidence { newest: None, reaches: Vec::new(), ..found };
    let refused = propose(&nothing, Choice::Continue).unwrap_err();
    assert_eq!(refused, Refused::NothingFound { first_start: at(0) });
}

#[test]
fn the_committed_offset_is_taken_behind_everything_and_below_it_only_elsewhere() {
    assert_eq!(propose(&found(), Choice::Committed), Err(Refused::NoCommit));
    let behind = propose(&with_commit(20, ""), Choice::Committed).unwrap();
    assert_eq!((decision(&behind), behind.below()), (&Decision::Committed, None));
    for offset in [0, 5, 10, 19] {
        let refused = propose(&with_commit(offset, ""), Choice::Committed).unwrap_err();
        assert!(matches!(refused, Refused::PathUsed { .. }), "{offset}: {refused}");
        let elsewhere = Evidence { places: places("again"), ..with_commit(offset, "") };
        let proposal = propose(&elsewhere, Choice::Committed).unwrap();
        assert_eq!(proposal.below().map(|below| below.prefix.as_str()), Some("again"));
    }
    // A prefix that only begins alike is another one.
    let alike = Evidence { places: places("top"), ..with_commit(0, "") };
    assert!(propose(&alike, Choice::Committed).is_ok());
}

#[test]
fn a_topic_created_anew_begins_elsewhere() {
    let former = vec![ObjectKey::new("topics/pin/0.json").unwrap()];
    let anew = Evidence { claim: claim(8, None), former, newest: None, ..found() };
    let anew = Evidence { reaches: Vec::new(), ..anew };
    let refused = propose(&anew, Choice::Continue).unwrap_err();
    assert!(matches!(refused, Refused::FormerTopic { .. }), "{refused}");
    let elsewhere = Evidence { places: places("second"), ..anew };
    let proposal = propose(&elsewhere, Choice::Continue).unwrap();
    assert_eq!(decision(&proposal), &go_on_at(3), "where its log begins");
    assert_eq!(proposal.below().map(|below| below.prefix.as_str()), Some("second"));
    // "The committed offset was meant" names the new topic too.
    let committed = CommittedOffset { offset: at(50), metadata: Vec::new() };
    let elsewhere = Evidence { committed: Some(committed), ..elsewhere };
    let proposal = propose(&elsewhere, Choice::Committed).unwrap();
    assert_eq!(decision(&proposal), &go_on_at(50));
}

#[test]
fn a_plan_is_given_up_by_name() {
    let pending = with_commit(20, &plan(20, 30).encode());
    assert_eq!(pending.standing(), Standing::Pending);
    let proposal = propose(&pending, Choice::GiveUp).unwrap();
    assert_eq!((decision(&proposal), proposal.gives_up), (&go_on_at(30), Some(range(20, 30))));
    assert_eq!(propose(&pending, Choice::Continue), Err(Refused::Stands));
    let inside = propose_at(&pending, at(25)).unwrap();
    assert_eq!(inside.gives_up, Some(range(20, 30)));
    let none = Evidence { newest: None, reaches: Vec::new(), ..found() };
    assert_eq!(propose(&none, Choice::GiveUp), Err(Refused::NoPlan));
}

#[test]
fn a_partition_stands_as_the_daemon_would_find_it() {
    let label = |found: &Evidence| match found.standing() {
        Standing::Needs(reason) => reason.label(),
        Standing::Goes => "goes",
        Standing::Pending => "pending",
        Standing::Decided => "decided",
    };
    assert_eq!(label(&found()), "offsets_lost");
    assert_eq!(label(&with_commit(0, "")), "offsets_reset");
    assert_eq!(label(&with_commit(20, &empty(20))), "goes");
    assert_eq!(label(&with_commit(101, &empty(101))), "ahead_of_log");
    let fallen = Evidence { claim: claim(NOW, Some(plan(30, 40))), ..with_commit(20, &empty(20)) };
    assert_eq!(label(&fallen), "offsets_fell_back");
    assert_eq!(label(&Evidence { claim: claim(8, None), ..found() }), "topic_recreated");
    let (key, why) = (ObjectKey::new("k").unwrap(), "cut".to_owned());
    let damaged = FoundClaim::Damaged { key, why, etag: Etag::new("e") };
    let damaged = Evidence { claim: damaged, ..with_commit(20, &empty(20)) };
    assert_eq!(label(&damaged), "claim");
    let proposal = propose(&damaged, Choice::Continue).unwrap();
    assert_eq!((proposal.claim.first_start, proposal.claim.plan), (at(0), None));
    // Decided, and then the commit becomes another one.
    let claim = propose(&found(), Choice::Continue).unwrap().claim;
    let decided = FoundClaim::Whole { claim, etag: Etag::new("f") };
    assert_eq!(label(&Evidence { claim: decided.clone(), ..found() }), "decided");
    let later = Evidence { claim: decided, ..with_commit(7, "") };
    assert_eq!(label(&later), "offsets_reset");
}
