//! One rule at a time: drains, stops and what no world may say.

use std::sync::Arc;

use super::rig::{Rig, options, sealing_at, with_parts};
use crate::engine::partition::{Input, OnLostRecords, PartitionOptions, Report};
use crate::engine::{ObjectId, StopReason};
use crate::layout::{Layout, OnBad};
use crate::model::SealReason;

const DAY: u64 = 24 * 60 * 60;

fn drain(rig: &mut Rig) -> Vec<String> {
    rig.say(Input::Drain(SealReason::Revoke))
}

fn refused(rig: &mut Rig) -> Vec<String> {
    rig.commit = None;
    rig.say(Input::CommitRefused { code: "TOPIC_AUTHORIZATION_FAILED".to_owned() })
}

#[test]
fn an_idle_partition_is_drained_at_once_and_says_so_once() {
    let mut rig = Rig::new(options());
    assert!(!rig.machine.is_drained());
    assert_eq!(drain(&mut rig), ["drained"]);
    assert!(rig.machine.is_drained());
    assert!(drain(&mut rig).is_empty());
    assert!(!rig.machine.wants_records());
}

#[test]
fn a_drain_finishes_what_is_planned_and_what_is_open() {
    let mut rig = Rig::new(options());
    (0..3).for_each(|offset| drop(rig.read(offset, "a")));
    assert!(drain(&mut rig).is_empty());
    assert_eq!(rig.committed(), ["put t/k=a/0.json"]);
    assert_eq!(rig.published(), ["commit 2 plan [2, 3)"]);
    assert_eq!(rig.committed(), ["put t/k=a/2.json"]);
    assert_eq!(rig.published(), ["commit 3 none"]);
    assert_eq!(rig.committed(), ["drained"]);
    assert!(rig.say(Input::Tick).is_empty());
}

#[test]
fn a_drain_throws_a_replay_away_and_leaves_its_plan() {
    let mut rig = Rig::replaying(with_parts(), &[(0, "a"), (1, "b")]);
    rig.read(0, "a");
    assert_eq!(drain(&mut rig), ["abort 100", "drained"]);
    // The reader still had these in hand. They say nothing about records that never came here.
    assert!(rig.end_of_log(2).is_empty());
    assert!(rig.out_of_range(1, 9).is_empty());
    assert!(rig.say(Input::Tick).is_empty());
    assert!(!rig.machine.is_stopped());
}

#[test]
fn the_end_of_the_log_behind_a_drain_moves_nothing() {
    // Records that were not taken any more lie before it: moving past them would lose them.
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    drain(&mut rig);
    assert!(rig.end_of_log(9).is_empty());
    assert_eq!(rig.settle(), ["put t/k=a/0.json", "commit 1 none", "drained"]);
}

#[test]
fn a_drained_partition_commits_nothing_more() {
    let mut rig = Rig::new(options());
    drain(&mut rig);
    assert!(rig.wait(2 * DAY).is_empty());
    assert_eq!(rig.machine.poll_deadline(), None);
}

#[test]
fn lost_records_behind_a_drain_are_the_next_owners_business() {
    let mut rig = Rig::new(PartitionOptions { on_lost_records: OnLostRecords::Skip, ..options() });
    rig.read(0, "a");
    drain(&mut rig);
    assert!(rig.out_of_range(5, 9).is_empty());
    assert_eq!(rig.settle(), ["put t/k=a/0.json", "commit 1 none", "drained"]);
}

#[test]
fn a_stop_aborts_what_went_up_and_still_takes_the_answer_to_its_commit() {
    let mut rig = Rig::new(with_parts());
    (0..3).for_each(|offset| drop(rig.read(offset, "a")));
    let reason = StopReason::UploadsLost { times: 4 };
    let said = rig.say(Input::CannotGoOn(reason));
    assert_eq!(said, ["abort 1", "abort 0", "stop uploads_lost"]);
    assert!(rig.machine.is_stopped() && !rig.machine.wants_records());
    assert_eq!((rig.machine.held_bytes(), rig.machine.objects()), (0, 0));
    assert!(rig.committed().is_empty(), "its plan stays pending");
    assert!(rig.has_reported(|report| matches!(report, Report::Committed { .. })));
    for input in [
        Input::Published(ObjectId(0)),
        Input::ClaimWritten,
        Input::Seal(SealReason::Request),
        Input::Relieve,
        Input::Tick,
        Input::EndOfLog(crate::engine::sample::at(9)),
    ] {
        assert!(rig.say(input).is_empty());
    }
    assert_eq!(rig.read(3, "a"), [""; 0]);
    assert!(rig.out_of_range(0, 9).is_empty(), "it seeks no more");
}

#[test]
fn a_stopped_partition_refreshes_what_kafka_has() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    rig.read(1, "a");
    rig.committed();
    let plan = rig.in_kafka.clone();
    assert_eq!(rig.read(1, "a"), ["stop bug"], "nothing went up in parts");
    assert_eq!(rig.wait(DAY), ["commit 0 plan [0, 2)"]);
    assert_eq!(rig.commit, Some(plan));
}

#[test]
fn what_belongs_to_another_topic_of_this_name_is_not_kept_alive() {
    let mut rig = Rig::new(options());
    let (found, expected) = ("1".to_owned(), "7".to_owned());
    let said = rig.say(Input::CannotGoOn(StopReason::TopicRecreated { found, expected }));
    assert_eq!(said, ["stop topic_recreated"]);
    assert!(rig.wait(2 * DAY).is_empty());
    assert_eq!(rig.machine.poll_deadline(), None);
}

#[test]
fn a_refused_commit_stops_and_is_not_repeated_before_its_time() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    rig.read(1, "a");
    assert_eq!(refused(&mut rig), ["stop commit_refused"]);
    assert_eq!(rig.wait(DAY), ["commit 0 pin"]);
    assert!(refused(&mut rig).is_empty());
    assert!(rig.say(Input::Tick).is_empty(), "not at once again");
    assert!(rig.machine.poll_deadline().unwrap().since_start() > rig.now);
}

#[test]
fn a_stopped_partition_is_drained_when_its_commit_is_answered() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    rig.read(1, "a");
    assert_eq!(rig.read(1, "a"), ["stop bug"]);
    assert!(drain(&mut rig).is_empty());
    assert_eq!(rig.committed(), ["drained"]);
}

#[test]
fn a_partition_that_stops_in_its_drain_is_drained() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    drain(&mut rig);
    assert_eq!(refused(&mut rig), ["stop commit_refused", "drained"]);
}

#[test]
fn a_record_that_comes_twice_stops() {
    let mut rig = Rig::new(options());
    rig.read(0, "a");
    assert_eq!(rig.read(0, "a"), ["stop bug"]);
}

#[test]
fn a_record_that_was_not_wanted_stops() {
    let mut rig = Rig::new(options());
    (0..4).for_each(|offset| drop(rig.read(offset, "a")));
    assert_eq!(rig.read(4, "a"), ["stop bug"]);
}

#[test]
fn an_answer_to_no_commit_stops() {
    for input in [Input::Committed, Input::CommitRefused { code: "CODE".to_owned() }] {
        let mut rig = Rig::new(options());
        assert_eq!(rig.say(input), ["stop bug"]);
    }
}

#[test]
fn a_record_that_nobody_wants_in_the_quarantine_stops() {
    let layout = Arc::new(Layout { on_bad: OnBad::Stop, ..Layout::clone(&options().layout) });
    let mut rig = Rig::new(PartitionOptions { layout, ..options() });
    assert_eq!(rig.read(0, "!"), ["stop bad_record"]);
}

#[test]
fn a_plan_that_is_too_long_stops_and_aborts_what_went_up() {
    let short = Layout::clone(&options().layout);
    let layout = Arc::new(Layout { prefix: "x".repeat(1_200), ..short });
    let mut rig = Rig::new(PartitionOptions { layout, ..with_parts() });
    rig.read(0, "a");
    let said = rig.read(1, "a");
    assert_eq!(said, ["abort 0", "stop plan_too_long"]);
}

#[test]
fn what_is_thrown_away_names_the_objects_that_have_parts() {
    let mut rig = Rig::new(PartitionOptions { sizes: with_parts().sizes, ..sealing_at(3) });
    (0..4).for_each(|offset| {
        drop(rig.read(offset, ["a", "b"][usize::try_from(offset % 2).unwrap()]))
    });
    let mut objects = rig.machine.discard();
    objects.sort();
    assert_eq!(objects, [ObjectId(0), ObjectId(1), ObjectId(2)]);
}
