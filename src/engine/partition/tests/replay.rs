//! One rule at a time: pending plans that are read again, and logs that lost something.

use std::sync::Arc;

use super::rig::{Rig, options, with_parts};
use crate::engine::partition::{Input, OnLostRecords, PartitionOptions, Report};
use crate::engine::sample::layout;
use crate::engine::{Digest, DigestEntry, Plan};
use crate::layout::{Layout, TimeSource};
use crate::model::SealReason;
use crate::mutant::Mutant;

const FOUR: [(i64, &str); 4] = [(0, "a"), (1, "b"), (2, "-"), (3, "a")];

/// A replay of four records, of which one is skipped, that seals later than the plan ends.
fn four(on_lost_records: OnLostRecords) -> Rig {
    four_with(PartitionOptions { on_lost_records, ..options() })
}

fn four_with(mut options: PartitionOptions) -> Rig {
    options.seal.records = None;
    Rig::replaying(options, &FOUR)
}

fn lost(from: i64, to: i64) -> impl Fn(&Report) -> bool {
    move |report| match report {
        Report::LostRecords { from: start, to: end } => (start.value(), end.value()) == (from, to),
        _ => false,
    }
}

#[test]
fn a_replay_publishes_nothing_before_it_has_read_the_whole_range() {
    let mut rig = four(OnLostRecords::Stop);
    assert!(rig.machine.is_replaying());
    for (offset, value) in &FOUR[..3] {
        assert!(rig.read(*offset, value).is_empty());
        assert!(rig.say(Input::Seal(SealReason::Memory)).is_empty(), "it ends where its plan says");
    }
    assert_eq!(rig.read(3, "a"), ["put t/k=a/0.json"], "the first object alone");
    assert_eq!(rig.published(), ["put t/k=b/1.json"]);
    assert_eq!(rig.published(), ["commit 4 none"]);
}

#[test]
fn the_first_batch_behind_a_replay_publishes_its_first_object_alone_too() {
    let mut rig = four(OnLostRecords::Stop);
    FOUR.iter().for_each(|(offset, value)| drop(rig.read(*offset, value)));
    rig.settle();
    rig.read(4, "a");
    rig.read(5, "b");
    rig.say(Input::Seal(SealReason::Request));
    assert_eq!(rig.committed(), ["put t/k=a/4.json"]);
}

#[test]
fn a_replay_ends_at_a_record_or_an_end_of_the_log_behind_it() {
    let mut options = options();
    options.seal.records = None;
    let records = [(0, "a"), (1, "b")];
    let mut rig = Rig::replaying(options.clone(), &records);
    rig.read(0, "a");
    assert_eq!(rig.read(1, "b"), ["put t/k=a/0.json"]);
    // A plan whose end lies behind its last record: nobody writes one, and rule 13 names it.
    for behind in [|rig: &mut Rig| rig.read(9, "z"), |rig: &mut Rig| rig.end_of_log(9)] {
        let mut rig = Rig::replaying(options.clone(), &records);
        let mut plan = rig.plan().unwrap();
        plan.range = crate::model::OffsetRange::new(plan.range.start(), offset(5)).unwrap();
        rig.in_kafka.1 = plan.encode();
        let mut rig = rig.restarted();
        records.iter().for_each(|(offset, value)| drop(rig.read(*offset, value)));
        assert_eq!(behind(&mut rig), ["put t/k=a/0.json"]);
    }
}

fn offset(value: i64) -> crate::model::Offset {
    crate::engine::sample::at(value)
}

#[test]
fn a_replay_keeps_the_layout_of_its_plan_and_the_next_batch_has_the_new_one() {
    let mut rig = four(OnLostRecords::Stop);
    rig.options.layout = Arc::new(layout("{topic}/{partition}", "{start}"));
    let mut rig = rig.restarted();
    FOUR.iter().for_each(|(offset, value)| drop(rig.read(*offset, value)));
    assert_eq!(rig.settle(), ["put t/k=b/1.json", "commit 4 none"]);
    rig.read(4, "a");
    rig.say(Input::Seal(SealReason::Request));
    assert_eq!(rig.committed(), ["put topics/pin/0/4.json"]);
}

#[test]
fn a_replay_keeps_the_time_at_which_its_batch_opened() {
    let opened = layout("{time:%H-%M-%S}", "{start}");
    let layout = Arc::new(Layout { time: TimeSource::Opened, ..opened });
    let mut rig = four_with(PartitionOptions { layout, ..options() });
    rig.wait(3_600);
    rig.read(0, "a");
    rig.read(1, "b");
    rig.read(2, "-");
    assert_eq!(rig.read(3, "a"), ["put topics/22-13-20/0.json"]);
}

#[test]
fn a_replay_keeps_the_batch_id_and_writes_the_claim_again() {
    let mut rig = four_with(with_parts());
    let before = rig.plan().unwrap();
    for (offset, value) in &FOUR[..3] {
        rig.read(*offset, value);
    }
    assert_eq!(rig.read(3, "a"), ["part 2 of t/k=a/0.json", "claim 0 plan [0, 4)"]);
    assert_eq!(rig.claimed(), ["complete t/k=a/0.json"]);
    assert_eq!(rig.plan(), Some(before));
}

#[test]
fn a_replay_that_differs_with_as_many_records_stops_and_aborts_its_parts() {
    for on_lost_records in [OnLostRecords::Stop, OnLostRecords::Skip] {
        let mut rig = four_with(PartitionOptions { on_lost_records, ..with_parts() });
        for (offset, value) in [(0, "a"), (1, "b"), (2, "b")] {
            rig.read(offset, value);
        }
        let said = rig.read(3, "a");
        assert_eq!(said, ["abort 100", "abort 101", "stop replay_differs"]);
    }
}

#[test]
fn a_replay_that_lacks_a_record_stops() {
    let mut rig = four_with(with_parts());
    rig.read(1, "b");
    rig.read(2, "-");
    assert_eq!(rig.read(3, "a"), ["abort 100", "abort 101", "stop replay_short"]);
}

#[test]
fn a_replay_that_lacks_a_record_is_given_up_under_skip() {
    let mut rig = four(OnLostRecords::Skip);
    rig.read(1, "b");
    rig.read(2, "-");
    assert_eq!(rig.read(3, "a"), ["commit 4 none"]);
    assert!(rig.has_reported(lost(0, 4)));
    rig.read(4, "a");
    assert!(rig.committed().is_empty());
    assert_eq!(rig.say(Input::Seal(SealReason::Request)), ["commit 4 plan [4, 5)"]);
}

#[test]
fn a_replay_that_lacks_only_a_skipped_record_publishes_what_was_promised() {
    // The digest is of objects: a tombstone that compaction took changes none of them.
    let mut rig = four(OnLostRecords::Stop);
    rig.read(0, "a");
    rig.read(1, "b");
    assert_eq!(rig.read(3, "a"), ["put t/k=a/0.json"]);
    assert_eq!(rig.settle(), ["put t/k=b/1.json", "commit 4 none"]);
}

#[test]
fn a_plan_without_objects_ends_without_publishing() {
    let rig = four(OnLostRecords::Stop);
    let plan = rig.plan().unwrap();
    let digest = Digest::of(std::iter::empty::<DigestEntry<'_>>());
    let mut rig = rig;
    rig.in_kafka.1 = Plan { digest, ..plan }.encode();
    let mut rig = rig.restarted();
    (0..3).for_each(|offset| drop(rig.read(offset, "-")));
    assert_eq!(rig.read(3, "-"), ["commit 4 none"]);
}

#[test]
fn a_log_that_ends_below_the_plan_for_five_minutes_stops() {
    let mut rig = four(OnLostRecords::Skip);
    rig.wait(10);
    rig.read(0, "a");
    assert!(rig.end_of_log(2).is_empty());
    assert!(rig.end_of_log(2).is_empty(), "the same end again starts no new wait");
    let deadline = rig.machine.poll_deadline().unwrap();
    assert_eq!(deadline.since_start().as_secs(), 310);
    assert!(rig.wait(299).is_empty());
    assert_eq!(rig.wait(1), ["stop log_ends_below_plan"]);
}

#[test]
fn a_log_that_grows_again_is_waited_for_anew() {
    let mut rig = four(OnLostRecords::Stop);
    rig.end_of_log(0);
    rig.wait(299);
    rig.read(0, "a");
    assert!(rig.wait(299).is_empty());
    rig.end_of_log(1);
    assert!(rig.wait(299).is_empty());
    assert_eq!(rig.wait(1), ["stop log_ends_below_plan"]);
}

#[test]
fn the_end_of_the_log_inside_a_replay_commits_nothing() {
    let mut rig = four(OnLostRecords::Stop);
    rig.read(0, "a");
    assert!(rig.end_of_log(1).is_empty());
    assert!(rig.machine.is_replaying());
}

#[test]
fn a_position_above_the_log_end_always_stops() {
    for on_lost_records in [OnLostRecords::Stop, OnLostRecords::Skip] {
        let mut rig = Rig::new(PartitionOptions { on_lost_records, ..options() });
        rig.read(0, "a");
        assert_eq!(rig.out_of_range(0, 0), ["stop ahead_of_log"]);
    }
}

#[test]
fn a_position_that_lies_in_the_log_after_all_is_sought_again() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    assert_eq!(rig.out_of_range(0, 1), ["seek 1"]);
    assert_eq!(rig.out_of_range(1, 9), ["seek 1"]);
}

#[test]
fn a_position_below_the_log_start_stops_if_so_configured() {
    let mut rig = Rig::new(options());
    assert_eq!(rig.out_of_range(5, 9), ["stop lost_records"]);
}

#[test]
fn lost_records_are_skipped_behind_what_is_in_memory_already() {
    let mut rig = Rig::new(PartitionOptions { on_lost_records: OnLostRecords::Skip, ..options() });
    rig.read(0, "a");
    assert_eq!(rig.out_of_range(5, 9), ["seek 5", "commit 0 plan [0, 1)"]);
    assert!(rig.has_reported(lost(1, 5)));
    assert_eq!(rig.machine.cursor().value(), 5);
    assert_eq!(rig.settle(), ["put t/k=a/0.json", "commit 5 none"]);
    rig.read(5, "a");
    assert_eq!(rig.read(6, "a"), ["commit 5 plan [5, 7)"]);
}

#[test]
fn a_pending_plan_that_cannot_be_read_whole_is_given_up_to_the_larger_end() {
    for (log_start, frontier) in [(2, 4), (4, 4), (6, 6)] {
        let mut rig =
            four_with(PartitionOptions { on_lost_records: OnLostRecords::Skip, ..with_parts() });
        rig.read(0, "a");
        let said = rig.out_of_range(log_start, 9);
        let expected =
            ["abort 100".to_owned(), format!("seek {frontier}"), format!("commit {frontier} none")];
        assert_eq!(said, expected);
        assert!(rig.has_reported(lost(0, frontier)));
        assert!(!rig.machine.is_replaying());
        assert!(rig.committed().is_empty());
    }
}

#[test]
fn objects_behind_a_replay_that_was_given_up_have_ids_of_their_own() {
    let mut rig =
        four_with(PartitionOptions { on_lost_records: OnLostRecords::Skip, ..with_parts() });
    rig.read(0, "a");
    assert_eq!(rig.out_of_range(6, 9)[0], "abort 100");
    rig.read(6, "a");
    assert_eq!(rig.machine.discard(), [crate::engine::ObjectId(101)]);
}

/// What the rule is worth: its test fails without it.
#[test]
fn a_broken_rule_fails_its_test() {
    let test = lost_records_are_skipped_behind_what_is_in_memory_already;
    assert!(Mutant::LossForgetsMemory.fails(test));
}
