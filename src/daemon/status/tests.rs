use super::*;
use crate::model::{Offset, Timestamp};

const WALL: Timestamp = Timestamp::from_millis(0);

fn at(seconds: u64) -> Uptime {
    Uptime::new(Duration::from_secs(seconds))
}

fn partition(topic: &str, index: i32) -> TopicPartition {
    TopicPartition::new(topic, index).expect("a valid name")
}

fn row(committed: i64, log_end: i64) -> PartitionRow {
    PartitionRow {
        state: "reading",
        committed: Some(Offset::new(committed).expect("not negative")),
        log_end: Some(Offset::new(log_end).expect("not negative")),
        open_records: 2,
        open_bytes: 20,
        ..PartitionRow::default()
    }
}

fn stopped(row: PartitionRow) -> PartitionRow {
    PartitionRow {
        stopped: Some(Stopped {
            reason: "gap",
            text: "look".into(),
            was_asked_for: false,
            key: None,
        }),
        ..row
    }
}

#[test]
fn a_silent_loop_is_unhealthy_until_it_beats_again() {
    let status = Status::new();
    let poll = status.loop_started(LoopName::Poll, at(0));
    let worker = status.loop_started(LoopName::Worker(1), at(0));
    assert_eq!(status.health(at(30)), Health::Moving);
    poll.beat(at(25));
    let health = status.health(at(31));
    assert_eq!(health, Health::Stuck(vec![(LoopName::Worker(1), Duration::from_secs(31))]));
    assert_eq!(health.to_string(), "no progress: worker 1 for 31 s");
    worker.beat(at(32));
    assert_eq!(status.health(at(33)), Health::Moving);
}

#[test]
fn a_loop_that_ends_as_intended_is_not_watched_and_one_that_dies_is() {
    let status = Status::new();
    status.loop_started(LoopName::Poll, at(0)).finish();
    assert_eq!(status.health(at(1_000)), Health::Moving);
    drop(status.loop_started(LoopName::Commit, at(0)));
    assert!(matches!(status.health(at(31)), Health::Stuck(_)));
}

#[test]
fn the_end_of_an_old_loop_does_not_unwatch_the_new_one() {
    let status = Status::new();
    let old = status.loop_started(LoopName::Poll, at(0));
    let _new = status.loop_started(LoopName::Poll, at(10));
    old.finish();
    assert!(matches!(status.health(at(100)), Health::Stuck(_)));
}

#[test]
fn ready_means_assigned_and_s3_reached_and_not_stopping() {
    let status = Status::new();
    status.member_is("joining");
    let text = |status: &Status| status.readiness().to_string();
    assert_eq!(text(&status), "no assignment from the consumer group yet (joining)");
    status.assignment_received();
    assert_eq!(text(&status), "s3 was not asked yet");
    status.store_failed(at(1), "403 access denied");
    status.store_failed(at(9), "timed out");
    assert_eq!(text(&status), "s3 does not answer as it should: timed out");
    let Reach::Failing { since, .. } = status.snapshot((at(9), WALL), 0).store else {
        panic!("it is failing")
    };
    assert_eq!(since, at(1));
    status.store_answered(Uptime::ZERO);
    assert_eq!(status.readiness(), Readiness::Ready);
    status.assignment_lost();
    assert!(matches!(status.readiness(), Readiness::Unassigned { .. }));
    status.drain_started();
    assert_eq!(text(&status), "stopping: open batches are being finished");
}

#[test]
fn the_worst_partitions_come_first_and_sums_count_all() {
    let status = Status::new();
    let rows = [
        (partition("geo", 0), row(10, 10)),
        (partition("geo", 1), row(10, 30)),
        (partition("pin", 0), stopped(row(1, 2))),
        (partition("pin", 1), row(10, 15)),
        (partition("user", 0), PartitionRow::default()),
    ];
    status.partitions_are(rows);
    let snapshot = status.snapshot((at(0), WALL), 3);
    let names: Vec<_> = snapshot.rows.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["pin/0", "geo/1", "pin/1"]);
    let sums = PartitionSums {
        held: 5,
        stopped: 1,
        lag: 26,
        open_records: 8,
        open_bytes: 80,
        behind_s: Some(0),
    };
    assert_eq!(snapshot.partitions, sums);
    status.partition_lost(&partition("geo", 1));
    assert_eq!(status.snapshot((at(0), WALL), 9).partitions.lag, 6);
}

#[test]
fn the_line_for_systemd_names_what_is_wrong_first() {
    let status = Status::new();
    status.assignment_received();
    status.store_answered(Uptime::ZERO);
    status.partitions_are([(partition("pin", 0), row(5, 8))]);
    assert_eq!(status.line(), "1 partitions, lag 3");
    status.partitions_are([(partition("geo", 0), stopped(row(5, 8)))]);
    assert_eq!(status.line(), "2 partitions, 1 stopped, lag 6");
    status.drain_started();
    let line = "stopping: open batches are being finished; 2 partitions, 1 stopped, lag 6";
    assert_eq!(status.line(), line);
}

#[test]
fn repeated_errors_are_one_line_and_old_ones_leave() {
    let status = Status::new();
    let seen = |millis, text: &str| {
        SeenError::new(Timestamp::from_millis(millis), "unavailable", text, "nothing")
    };
    status.error_seen(seen(1, "a"));
    status.error_seen(seen(2, "b"));
    status.error_seen(seen(3, "a"));
    let errors = status.snapshot((at(0), WALL), 0).errors;
    let shown: Vec<_> = errors.iter().map(|error| (&*error.text, error.count)).collect();
    assert_eq!(shown, [("a", 2), ("b", 1)]);
    for index in 0..100 {
        status.error_seen(seen(index, &index.to_string()));
    }
    assert_eq!(status.snapshot((at(0), WALL), 0).errors.len(), ERRORS_MAX);
    status.error_seen(seen(0, &"ü".repeat(100_000)));
    let errors = status.snapshot((at(0), WALL), 0).errors;
    assert!(errors.first().is_some_and(|error| error.text.len() <= 1_003));
}

#[test]
fn the_rate_is_that_of_the_last_minute() {
    let status = Status::new();
    let rate = |now| status.snapshot((at(now), WALL), 0).records_per_second;
    assert_eq!(rate(0), None);
    for second in 0..100 {
        status.records_written(at(second), if second < 50 { 0 } else { (second - 50) * 10 });
        status.records_written(at(second), u64::MAX); // too close to count
    }
    let ten_a_second_since_50 = 490.0 / 60.0;
    assert_eq!(rate(100), Some(ten_a_second_since_50));
    assert_eq!(rate(200), None);
}

#[test]
fn a_partition_of_which_nothing_was_told_yet_is_not_stopped() {
    let (status, a, b) = (Status::new(), partition("pin", 0), partition("pin", 1));
    let held = [a.clone(), b.clone()];
    assert!(!status.is_all_stopped_as_asked(&[]));
    let mut stopped = stopped(row(0, 9));
    stopped.stopped.as_mut().expect("stopped above").was_asked_for = true;
    status.partitions_are([(a, stopped.clone())]);
    assert!(!status.is_all_stopped_as_asked(&held));
    status.partitions_are([(b.clone(), row(0, 9))]);
    assert!(!status.is_all_stopped_as_asked(&held));
    status.partitions_are([(b, stopped)]);
    assert!(status.is_all_stopped_as_asked(&held));
}
