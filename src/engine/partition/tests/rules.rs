//! One rule at a time: plans, commits and publishing of a partition for which all goes well.

use std::time::Duration;

use super::rig::{Rig, options, sealing_at, with_parts};
use crate::engine::ObjectSizes;
use crate::engine::PARTS_MAX;
use crate::engine::object::OBJECT_OVERHEAD_BYTES;
use crate::engine::partition::{Input, PartitionOptions, Report};
use crate::engine::sample::record;
use crate::model::{SealPolicy, SealReason};
use crate::mutant::Mutant;

const HOUR: u64 = 60 * 60;

#[test]
fn publishes_nothing_before_the_plan_is_committed() {
    let mut rig = Rig::new(options());
    assert!(rig.read(0, "a").is_empty());
    assert_eq!(rig.read(1, "a"), ["commit 0 plan [0, 2)"]);
    for answer in [Input::ClaimWritten, Input::Tick, Input::Relieve] {
        assert!(rig.say(answer).is_empty());
    }
    assert_eq!(rig.committed(), ["put t/k=a/0.json"]);
    assert_eq!(rig.machine.frontier().value(), 0);
    assert_eq!(rig.published(), ["commit 2 none"]);
    assert_eq!((rig.machine.frontier().value(), rig.machine.published_to().value()), (0, 2));
    assert!(rig.committed().is_empty());
    assert_eq!(rig.machine.frontier().value(), 2);
}

#[test]
fn the_commit_that_ends_a_batch_carries_the_plan_of_the_next() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    rig.read(1, "a");
    rig.committed();
    rig.read(2, "b");
    assert!(rig.read(3, "b").is_empty(), "the next one waits for its turn");
    assert_eq!(rig.published(), ["commit 2 plan [2, 4)"]);
    assert_eq!(rig.committed(), ["put t/k=b/2.json"]);
    assert_eq!(rig.published(), ["commit 4 none"]);
}

#[test]
fn takes_no_record_while_one_batch_is_planned_and_the_next_is_sealed() {
    let mut rig = Rig::new(options());
    for offset in 0..4 {
        assert!(rig.machine.wants_records());
        rig.read(offset, "a");
    }
    assert!(!rig.machine.wants_records());
    rig.committed();
    rig.published();
    assert!(!rig.machine.wants_records(), "its plan is not committed yet");
    rig.committed();
    assert!(rig.machine.wants_records());
}

#[test]
fn what_went_up_in_parts_is_completed_after_the_claim_holds_the_plan() {
    let mut rig = Rig::new(with_parts());
    assert_eq!(rig.read(0, "a"), ["part 1 of t/k=a/0.json"]);
    assert_eq!(rig.read(1, "b"), ["part 1 of t/k=b/1.json", "commit 0 plan [0, 2)"]);
    assert!(rig.claimed().is_empty(), "not the claim that this plan asks for");
    assert_eq!(rig.committed(), ["claim 0 plan [0, 2)"]);
    assert_eq!(rig.claimed(), ["complete t/k=a/0.json"]);
    assert_eq!(rig.published(), ["complete t/k=b/1.json"]);
    assert_eq!(rig.published(), ["commit 2 none"]);
}

#[test]
fn the_first_batch_of_an_assignment_publishes_its_first_record_alone() {
    let mut rig = Rig::new(options());
    rig.read(0, "z");
    rig.read(1, "a");
    assert_eq!(rig.committed(), ["put t/k=z/0.json"]);
    assert_eq!(rig.published(), ["put t/k=a/1.json"]);
    assert_eq!(rig.published(), ["commit 2 none"]);
    rig.committed();
    rig.read(2, "z");
    rig.read(3, "a");
    assert_eq!(rig.committed(), ["put t/k=z/2.json", "put t/k=a/3.json"]);
}

#[test]
fn an_answer_about_an_object_that_is_not_on_its_way_is_nothing() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    rig.read(1, "a");
    rig.committed();
    assert!(rig.say(Input::Published(crate::engine::ObjectId(99))).is_empty());
    assert_eq!(rig.published(), ["commit 2 none"]);
}

#[test]
fn a_bad_record_is_an_object_of_the_batch() {
    let mut rig = Rig::new(options());
    rig.read(0, "!");
    rig.read(1, "a");
    assert!(rig.has_reported(|report| matches!(report, Report::Quarantined { .. })));
    assert_eq!(rig.committed(), ["put q/pin/partition=0/pin+0+0000000000.json"]);
    assert_eq!(rig.published(), ["put t/k=a/1.json"]);
}

#[test]
fn the_log_moves_past_control_records_when_nothing_else_is_there() {
    let mut rig = Rig::new(options());
    assert_eq!(rig.end_of_log(5), ["commit 5 none"]);
    rig.committed();
    assert_eq!((rig.machine.frontier().value(), rig.machine.cursor().value()), (5, 5));
    assert!(rig.end_of_log(5).is_empty(), "only forward");
    assert!(rig.end_of_log(3).is_empty(), "only forward");
}

#[test]
fn the_end_of_the_log_joins_the_commit_that_ends_the_batch_before_it() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    assert!(rig.end_of_log(3).is_empty(), "a batch is open");
    rig.read(3, "a");
    assert!(rig.end_of_log(6).is_empty(), "a batch is planned");
    rig.committed();
    assert_eq!(rig.published(), ["commit 6 none"]);
}

#[test]
fn the_end_of_the_log_is_forgotten_when_a_record_arrives_behind_it() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    rig.read(1, "a");
    rig.end_of_log(4);
    rig.committed();
    rig.read(4, "a");
    assert_eq!(rig.published(), ["commit 2 none"]);
    rig.committed();
    rig.read(5, "a");
    assert_eq!(rig.commit.as_ref().unwrap().0.value(), 2, "the batch starts at the last commit");
}

#[test]
fn a_batch_starts_at_the_end_that_was_enqueued_last() {
    let mut rig = Rig::new(options());
    rig.end_of_log(5);
    rig.read(7, "a");
    rig.read(8, "a");
    assert_eq!(rig.committed(), ["commit 5 plan [5, 9)"]);
}

#[test]
fn a_batch_whose_records_are_all_skipped_needs_no_plan() {
    let mut rig = Rig::new(options());
    rig.read(0, "-");
    assert_eq!(rig.read(1, "-"), ["commit 2 none"]);
    assert!(rig.committed().is_empty());
    assert!(rig.has_reported(|report| *report == Report::Skipped));
}

#[test]
fn a_skipped_batch_joins_the_commit_that_ends_the_one_before_it() {
    let mut rig = Rig::new(options());
    for value in [(0, "a"), (1, "a"), (2, "-"), (3, "-")] {
        rig.read(value.0, value.1);
    }
    rig.committed();
    assert_eq!(rig.published(), ["commit 4 none"]);
    assert!(rig.machine.wants_records());
    rig.read(4, "a");
    assert!(rig.committed().is_empty());
    assert_eq!(rig.read(5, "a"), ["commit 4 plan [4, 6)"]);
}

#[test]
fn age_seals_a_partition_to_which_nothing_comes_any_more() {
    let seal = SealPolicy { records: None, age: Some(Duration::from_secs(60)), ..options().seal };
    let mut rig = Rig::new(PartitionOptions { seal, ..options() });
    rig.wait(100);
    rig.read(0, "a");
    let deadline = rig.machine.poll_deadline().unwrap();
    assert_eq!(deadline.since_start().as_secs(), 160, "since the first record, not the start");
    rig.wait(30);
    rig.read(1, "a");
    assert!(rig.wait(29).is_empty());
    assert_eq!(rig.wait(1), ["commit 0 plan [0, 2)"]);
    let is_age = |report: &Report| matches!(report, Report::Sealed { reason: SealReason::Age, .. });
    assert!(rig.has_reported(is_age));
}

#[test]
fn the_last_part_that_s3_takes_seals() {
    let mut options = with_parts();
    options.seal.records = None;
    let mut rig = Rig::new(options);
    let mut parts = 0;
    for offset in 0.. {
        parts += rig.read(offset, "a").iter().filter(|said| said.starts_with("part")).count();
        if rig.commit.is_some() {
            break;
        }
    }
    assert_eq!(parts, usize::try_from(PARTS_MAX).unwrap());
    let is_it = |report: &Report| matches!(report, Report::Sealed { reason, .. } if *reason == SealReason::Parts);
    assert!(rig.has_reported(is_it));
}

#[test]
fn a_request_seals_what_is_open_and_nothing_else() {
    let mut rig = Rig::new(options());
    assert!(rig.say(Input::Seal(SealReason::Request)).is_empty());
    rig.read(0, "a");
    assert_eq!(rig.say(Input::Seal(SealReason::Request)), ["commit 0 plan [0, 1)"]);
    assert!(rig.say(Input::Seal(SealReason::Request)).is_empty());
}

#[test]
fn what_is_committed_is_committed_again_within_an_hour_and_then_daily() {
    let mut rig = Rig::new(sealing_at(3));
    let start = rig.in_kafka.clone();
    assert!(rig.wait(HOUR * 3 / 4 - 1).is_empty());
    assert_eq!(rig.wait(1), ["commit 0 pin"]);
    assert_eq!(rig.commit.as_ref(), Some(&start));
    assert!(rig.wait(HOUR).is_empty(), "one at a time");
    rig.committed();
    let due = rig.machine.poll_deadline().unwrap().since_start();
    assert_eq!(due, rig.now + Duration::from_secs(24 * HOUR));
    assert!(rig.wait(24 * HOUR - 1).is_empty());
    assert_eq!(rig.wait(1), ["commit 0 pin"]);
}

#[test]
fn a_plan_that_is_being_published_is_committed_again_as_it_is() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    rig.read(1, "a");
    rig.committed();
    let plan = rig.in_kafka.clone();
    assert_eq!(rig.wait(24 * HOUR), ["commit 0 plan [0, 2)"]);
    assert_eq!(rig.commit, Some(plan));
    assert!(rig.published().is_empty(), "one commit on its way");
    assert_eq!(rig.committed(), ["commit 2 none"]);
}

#[test]
fn memory_and_objects_are_counted_until_they_are_handed_out() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    assert_eq!((rig.machine.objects(), rig.machine.open_stats().unwrap().records), (1, 1));
    assert!(rig.machine.open_bytes() > 0);
    rig.read(1, "b");
    assert_eq!((rig.machine.open_bytes(), rig.machine.open_stats()), (0, None));
    let entries = 2 * (OBJECT_OVERHEAD_BYTES + "t/k=a/0.json".len());
    assert_eq!((rig.machine.held_bytes(), rig.machine.objects()), (entries + 20, 2));
    assert!(rig.machine.has_commit_in_flight());
    rig.committed();
    assert_eq!(rig.machine.held_bytes(), entries + 10, "the first object is on its way");
    rig.settle();
    assert_eq!((rig.machine.held_bytes(), rig.machine.objects()), (0, 0));
}

/// What the rule is worth: its test fails without it.
#[test]
fn a_broken_rule_fails_its_test() {
    let test = the_first_batch_of_an_assignment_publishes_its_first_record_alone;
    assert!(Mutant::FirstIsNotAlone.fails(test));
}

#[test]
fn each_object_that_has_become_visible_is_told_with_its_records_and_its_size() {
    let mut rig = Rig::new(sealing_at(3));
    for (offset, value) in [(0, "a"), (1, "b"), (2, "a")] {
        rig.read(offset, value);
    }
    rig.committed();
    (0..2).for_each(|_| drop(rig.published()));
    let told = rig.reports.iter().filter_map(|report| match report {
        Report::ObjectPublished { key, records, stored_bytes } => {
            Some((key.as_str().to_owned(), *records, *stored_bytes))
        }
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let expected = [("t/k=a/0.json", 2), ("t/k=b/1.json", 1)];
    assert!(told.iter().map(|(key, records, _)| (key.as_str(), *records)).eq(expected), "{told:?}");
    assert_eq!(told[0].2, 2 * told[1].2, "records of one length each");
}

#[test]
fn what_is_open_goes_up_in_parts_when_memory_is_short() {
    let sizes = ObjectSizes { frame_bytes: 1 << 20, part_bytes: 100 << 20 };
    let mut rig = Rig::new(PartitionOptions { sizes, ..sealing_at(3) });
    assert!(rig.say(Input::Relieve).is_empty(), "nothing is open");
    let large = format!(r#"{{"k":"a","v":"{}"}}"#, "x".repeat(5 << 20));
    rig.say(Input::Record(record(0, Some(large.as_bytes()))));
    assert_eq!(rig.say(Input::Relieve), ["part 1 of t/k=a/0.json"]);
    assert!(rig.say(Input::Relieve).is_empty(), "nothing is left of it");
}
