//! When a decision is taken, what is pinned then, and when it is not.

use super::*;
use crate::engine::sample::{at, short_layout, source};
use crate::engine::{Digest, DigestEntry};
use crate::model::{BatchId, OffsetRange, Timestamp};

fn pin(offset: i64) -> EmptyPlan {
    let Source { cluster, topic_id, .. } = source();
    EmptyPlan { offset: at(offset), cluster, topic_id, pin: true }
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

fn decision(start: i64, text: Option<String>) -> Decision {
    Decision {
        start: at(start),
        text,
        topic_id: source().topic_id,
        replaces: Replaces::Standing,
        places: None,
    }
}

fn places(prefix: &str) -> Places {
    Places { prefix: prefix.to_owned(), quarantine_prefix: "_quarantine".to_owned() }
}

fn commit(offset: i64, metadata: &str) -> CommittedOffset {
    CommittedOffset { offset: at(offset), metadata: metadata.into() }
}

fn taken(committed: Option<&CommittedOffset>, decision: &Decision) -> Result<Verdict, Declined> {
    take(&source(), committed, decision, &places("topics"))
}

fn verdict(offset: i64, metadata: String, must_pin: bool) -> Verdict {
    let claim = ClaimStep::Strike;
    Verdict { offset: at(offset), metadata, pending: None, must_pin, claim }
}

#[test]
fn it_pins_what_it_says_while_its_commit_stands() {
    for committed in [None, Some(commit(3, "")), Some(commit(3, "sluice/9 what"))] {
        for text in [None, Some(pin(7).encode())] {
            let taken = taken(committed.as_ref(), &decision(7, text));
            assert_eq!(taken, Ok(verdict(7, pin(7).encode(), true)));
        }
        let pending = Some(Box::new(plan(20)));
        let taken = taken(committed.as_ref(), &decision(20, Some(plan(20).encode())));
        assert_eq!(taken, Ok(Verdict { pending, ..verdict(20, plan(20).encode(), true) }));
    }
}

#[test]
fn it_is_not_taken_over_another_commit() {
    let another = Decision { replaces: Replaces::Another, ..decision(7, None) };
    let later = commit(40, &pin(40).encode());
    for committed in [None, Some(&later), Some(&commit(7, "")), Some(&commit(8, &pin(7).encode()))]
    {
        assert_eq!(taken(committed, &another), Err(Declined::OtherCommit), "{committed:?}");
    }
    let mutated = Mutant::DecisionForAnyCommit.during(|| taken(Some(&later), &another));
    assert_eq!(mutated, Ok(verdict(7, pin(7).encode(), true)), "it would lead back");
}

/// A daemon died when the pin stood and the decision was not struck out yet: the commit that it
/// names is gone, and the claim's plan and topic may still be those of before.
#[test]
fn a_pin_that_stands_is_only_struck_out() {
    let another = |decision| Decision { replaces: Replaces::Another, ..decision };
    let pinned = commit(7, &pin(7).encode());
    let again = taken(Some(&pinned), &another(decision(7, None)));
    assert_eq!(again, Ok(verdict(7, pin(7).encode(), false)));
    let planned = commit(20, &plan(20).encode());
    let again = taken(Some(&planned), &another(decision(20, Some(plan(20).encode()))));
    let pending = Some(Box::new(plan(20)));
    assert_eq!(again, Ok(Verdict { pending, ..verdict(20, plan(20).encode(), false) }));
    let ended = commit(30, &EmptyPlan { pin: false, ..pin(30) }.encode());
    let over = taken(Some(&ended), &another(decision(20, Some(plan(20).encode()))));
    assert_eq!(over, Err(Declined::OtherCommit), "it went on from there");
}

#[test]
fn it_is_taken_only_below_the_prefixes_that_it_names() {
    let elsewhere = Decision { places: Some(places("topics-2")), ..decision(0, None) };
    let pinned = commit(0, &pin(0).encode());
    for committed in [None, Some(&pinned)] {
        let Err(Declined::Stop(reason)) = taken(committed, &elsewhere) else {
            panic!("taken below `topics`");
        };
        assert_eq!(reason.label(), "decided_elsewhere");
        assert!(reason.to_string().contains("`layout.prefix` = `topics-2`"), "{reason}");
    }
    let here = take(&source(), None, &elsewhere, &places("topics-2"));
    assert_eq!(here, Ok(verdict(0, pin(0).encode(), true)));
}

#[test]
fn it_is_not_taken_for_another_topic_or_cluster() {
    let other = TopicId::from_u128(0xbad);
    let cluster = crate::model::ClusterId::new("another").unwrap();
    let decisions = [
        Decision { topic_id: other, ..decision(7, None) },
        decision(7, Some(EmptyPlan { topic_id: other, ..pin(7) }.encode())),
        decision(7, Some(EmptyPlan { cluster: cluster.clone(), ..pin(7) }.encode())),
        decision(20, Some(Plan { topic_id: other, ..plan(20) }.encode())),
        decision(20, Some(Plan { cluster, ..plan(20) }.encode())),
    ];
    for decision in decisions {
        let declined = taken(None, &decision);
        assert!(matches!(declined, Err(Declined::OtherSource(_))), "{declined:?}");
    }
    // A topic created anew: what the decision's own text names is what counts.
    let anew = Decision { topic_id: other, ..decision(7, Some(pin(7).encode())) };
    assert_eq!(taken(None, &anew), Ok(verdict(7, pin(7).encode(), true)));
}

#[test]
fn a_text_that_is_no_plan_for_the_start_is_refused() {
    for text in ["", "x", "sluice/9 none", "sluice/1 none s=7", &pin(8).encode(), &plan(8).encode()]
    {
        let declined = taken(None, &decision(7, Some(text.to_owned())));
        assert_eq!(declined, Err(Declined::Text { start: at(7) }), "{text}");
    }
}
