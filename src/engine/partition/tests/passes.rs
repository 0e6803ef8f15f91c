//! Pending plans that do not fit in memory, read in passes (rule 14).

use std::sync::Arc;

use super::rig::{Rig, options, with_parts};
use crate::engine::partition::{Input, OnLostRecords, PartitionOptions, Report};
use crate::engine::sample::layout;
use crate::mutant::Mutant;

const SIX: [(i64, &str); 6] = [(0, "a"), (1, "b"), (2, "c"), (3, "-"), (4, "a"), (5, "b")];

fn six_with(mut options: PartitionOptions) -> Rig {
    options.seal.records = None;
    Rig::replaying(options, &SIX)
}

fn read_all(rig: &mut Rig) -> Vec<String> {
    SIX.iter().flat_map(|(offset, value)| rig.read(*offset, value)).collect()
}

fn again(rig: &mut Rig, pass_bytes_max: Option<u64>) -> Vec<String> {
    rig.say(Input::ReplayAgain { pass_bytes_max })
}

fn passes(rig: &Rig) -> Vec<(usize, usize)> {
    let pass = |report: &Report| match report {
        Report::ReplayPass { objects, left, .. } => Some((*objects, *left)),
        _ => None,
    };
    rig.reports.iter().filter_map(pass).collect()
}

#[test]
fn the_first_pass_only_counts_and_each_later_one_writes_what_fits() {
    let mut rig = six_with(options());
    read_all_but_the_last(&mut rig);
    assert_eq!(again(&mut rig, Some(21)), ["rewind to 0"], "two lines of ten bytes fit");
    let before = rig.machine.held_bytes();
    assert_eq!(before, 0, "what was read is thrown away");
    assert_eq!(read_all(&mut rig), ["rewind to 0"], "counted, and nothing published");
    // One object of 20 bytes fits in a pass, two do not.
    assert_eq!(read_all(&mut rig), ["put t/k=a/0.json"]);
    assert!(!rig.machine.wants_records(), "the next pass begins when this one is published");
    assert!(again(&mut rig, Some(1)).is_empty(), "nothing is being read that could be given back");
    assert_eq!(rig.published(), ["rewind to 0"]);
    assert_eq!(read_all(&mut rig), ["put t/k=b/1.json"]);
    assert_eq!(rig.published(), ["rewind to 0"]);
    assert_eq!(read_all(&mut rig), ["put t/k=c/2.json"]);
    assert!(rig.machine.wants_records(), "the last pass waits for nothing");
    assert_eq!(rig.published(), ["commit 6 none"]);
    assert_eq!(passes(&rig), [(1, 2), (1, 1), (1, 0)]);
}

fn read_all_but_the_last(rig: &mut Rig) {
    SIX[..5].iter().for_each(|(offset, value)| drop(rig.read(*offset, value)));
}

#[test]
fn an_object_that_is_larger_than_a_pass_has_one_of_its_own() {
    let mut rig = six_with(options());
    rig.read(0, "a");
    again(&mut rig, Some(1));
    read_all(&mut rig);
    read_all(&mut rig);
    assert_eq!(passes(&rig), [(1, 2)]);
}

#[test]
fn parts_go_up_in_a_pass_and_the_claim_goes_before_each_complete() {
    let mut rig = six_with(with_parts());
    rig.read(0, "a");
    rig.read(1, "b");
    assert_eq!(again(&mut rig, Some(1)), ["abort 100", "abort 101", "rewind to 0"]);
    assert_eq!(read_all(&mut rig), ["rewind to 0"], "counting sends nothing up");
    let said = read_all(&mut rig);
    assert_eq!(said[..2], ["part 1 of t/k=a/0.json", "part 2 of t/k=a/0.json"]);
    assert_eq!(said[2..], ["claim 0 plan [0, 6)"]);
    assert_eq!(rig.claimed(), ["complete t/k=a/0.json"]);
}

#[test]
fn names_that_only_the_end_gives_are_known_after_the_first_pass() {
    let named = layout("{field:/k}", "{start}-{last}-{count}");
    let mut rig = six_with(PartitionOptions { layout: Arc::new(named), ..with_parts() });
    assert!(rig.read(0, "a").is_empty(), "its bytes have to wait for its name");
    again(&mut rig, Some(1));
    read_all(&mut rig);
    assert_eq!(rig.read(0, "a"), ["part 1 of topics/a/0-4-2.json"]);
}

#[test]
fn a_pass_that_meets_other_records_publishes_nothing() {
    let mut rig = six_with(with_parts());
    rig.read(0, "a");
    again(&mut rig, Some(1));
    read_all(&mut rig);
    for (offset, value) in &SIX[..5] {
        rig.read(*offset, value);
    }
    let said = rig.read(5, "c");
    assert_eq!(said, ["abort 104", "stop replay_differs"]);
}

#[test]
fn a_name_that_has_changed_between_passes_is_noticed() {
    let named = layout("{field:/k}", "{start}-{last}");
    let options = PartitionOptions { layout: Arc::new(named), ..options() };
    let mut rig = six_with(options);
    rig.read(0, "a");
    again(&mut rig, Some(1));
    read_all(&mut rig);
    for (offset, value) in [(0, "a"), (1, "b"), (2, "c"), (3, "a"), (4, "-")] {
        rig.read(offset, value);
    }
    assert_eq!(rig.read(5, "b"), ["stop replay_differs"]);
}

#[test]
fn a_drain_between_two_passes_leaves_the_plan_pending() {
    let mut rig = six_with(options());
    rig.read(0, "a");
    again(&mut rig, Some(1));
    read_all(&mut rig);
    assert_eq!(read_all(&mut rig), ["put t/k=a/0.json"]);
    assert!(rig.say(Input::Drain(crate::model::SealReason::Revoke)).is_empty());
    assert_eq!(rig.published(), ["drained"]);
    assert!(rig.plan().is_some());
}

#[test]
fn the_end_of_the_log_ends_a_pass_and_is_heard_again_by_the_next() {
    let mut rig = six_with(options());
    rig.read(0, "a");
    again(&mut rig, Some(1));
    // The last record of the plan was a tombstone that compaction took.
    let mut plan = rig.plan().unwrap();
    plan.range = crate::model::OffsetRange::new(plan.range.start(), at(7)).unwrap();
    rig.in_kafka.1 = plan.encode();
    let mut rig = rig.restarted();
    rig.read(0, "a");
    again(&mut rig, Some(40));
    assert!(read_all(&mut rig).is_empty());
    assert_eq!(rig.end_of_log(7), ["rewind to 0"]);
    read_all(&mut rig);
    assert_eq!(rig.end_of_log(7), ["put t/k=a/0.json"]);
    assert!(rig.end_of_log(9).is_empty());
    assert!(
        !rig.has_reported(
            |report| matches!(report, Report::Committed { offset } if *offset == at(9))
        )
    );
    rig.published();
    assert_eq!(rig.published(), ["rewind to 0"]);
    read_all(&mut rig);
    assert_eq!(rig.end_of_log(9), ["put t/k=c/2.json"]);
    assert_eq!(rig.published(), ["commit 9 none"], "silent offsets behind it join the commit");
}

fn at(value: i64) -> crate::model::Offset {
    crate::engine::sample::at(value)
}

#[test]
fn a_record_behind_the_plan_ends_a_pass_and_is_read_again() {
    let mut rig = six_with(options());
    rig.read(0, "a");
    again(&mut rig, Some(20));
    for (offset, value) in &SIX[..4] {
        rig.read(*offset, value);
    }
    assert!(rig.machine.is_in_passes());
    let mut plan = rig.plan().unwrap();
    plan.range = crate::model::OffsetRange::new(plan.range.start(), at(7)).unwrap();
    rig.in_kafka.1 = plan.encode();
    let mut rig = rig.restarted();
    again(&mut rig, Some(100));
    read_all(&mut rig);
    assert_eq!(rig.read(9, "z"), ["rewind to 0"]);
    read_all(&mut rig);
    assert_eq!(rig.read(9, "z"), ["put t/k=a/0.json"], "the record is in the batch behind it");
    assert_eq!(rig.machine.cursor(), at(10));
}

#[test]
fn records_that_are_lost_between_two_passes_are_given_up_under_skip() {
    let skip = PartitionOptions { on_lost_records: OnLostRecords::Skip, ..options() };
    let mut rig = six_with(skip);
    rig.read(0, "a");
    again(&mut rig, Some(1));
    read_all(&mut rig);
    rig.read(0, "a");
    assert_eq!(rig.out_of_range(8, 9), ["seek 8", "commit 8 none"]);
}

#[test]
fn a_replay_that_waits_for_its_turn_gives_back_what_it_has_read() {
    let mut rig = six_with(options());
    rig.read(0, "a");
    assert_eq!(again(&mut rig, None), ["rewind to 0"]);
    assert_eq!(rig.machine.held_bytes(), 0);
    assert!(!rig.machine.is_in_passes());
    assert_eq!(read_all(&mut rig), ["put t/k=a/0.json"]);
    assert_eq!(rig.settle(), ["put t/k=b/1.json", "put t/k=c/2.json", "commit 6 none"]);
    assert!(again(&mut rig, None).is_empty(), "nothing is replayed any more");
}

/// What the rule is worth: its test fails without it.
#[test]
fn a_broken_rule_fails_its_test() {
    let test = the_first_pass_only_counts_and_each_later_one_writes_what_fits;
    assert!(Mutant::PassesEndEarly.fails(test));
}
