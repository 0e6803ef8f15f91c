mod reference;

use std::time::Duration;

use super::*;
use crate::daemon::status::LoopName;
use crate::model::{Offset, Timestamp};

fn metrics(series: PartitionSeries) -> Metrics {
    Metrics::new(series).expect("the table is sound")
}

fn text(metrics: &Metrics) -> String {
    String::from_utf8(metrics.text().expect("encodes")).expect("UTF-8")
}

fn partition(topic: &str, index: i32) -> TopicPartition {
    TopicPartition::new(topic, index).expect("a valid name")
}

#[track_caller]
fn assert_line(text: &str, line: &str) {
    assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
}

/// Every method called once, as the daemon does.
fn everything() -> Metrics {
    let metrics = metrics(PartitionSeries::Shown);
    metrics.records_read(10, 1_000);
    metrics.batch_sealed(SealReason::Age);
    let took = Duration::from_millis(20);
    metrics.object_published(4, 100);
    metrics.object_published(6, 200);
    metrics.batch_published(took);
    metrics.offsets_committed(Duration::from_millis(3));
    metrics.retried("s3_throttled");
    metrics.error_handled("unavailable");
    metrics.records_quarantined("not_json", 1);
    metrics.records_skipped("null", 2);
    metrics.memory_is(64, 256);
    metrics.resident_is(1_024);
    let stuck = Health::Stuck(vec![(LoopName::Poll, took), (LoopName::Commit, took)]);
    metrics.state_is(&Readiness::Ready, &stuck);
    metrics.rebalanced();
    metrics.configuration_read(ReloadOutcome::Refused);
    metrics.s3_requested("put_object", "ok");
    let open = OpenBatches { count: 1, bytes: 5, oldest_age: Duration::from_secs(2) };
    metrics.worker_started(0).open_batches_are(open);
    let pin = metrics.partition_assigned(&partition("pin", 0));
    pin.consumed(Offset::new(9).expect("not negative"));
    pin.buffered(Offset::new(8).expect("not negative"));
    pin.published(Offset::new(6).expect("not negative"));
    pin.committed(Offset::new(5).expect("not negative"));
    pin.log_end_known(Offset::new(10).expect("not negative"));
    pin.published_time(Timestamp::from_millis(1_700_000_000_123));
    metrics.partition_stopped(&partition("geo", 1), "replay_differs");
    metrics
}

#[test]
fn each_event_is_counted_under_its_name() {
    let text = text(&everything());
    for line in [
        "sluice_read_records_total 10",
        "sluice_read_bytes_total 1000",
        "sluice_written_records_total 10",
        "sluice_written_bytes_total 300",
        "sluice_written_objects_total 2",
        "sluice_sealed_batches_total{reason=\"age\"} 1",
        "sluice_sealed_batches_total{reason=\"memory\"} 0",
        "sluice_publish_duration_seconds_bucket{le=\"0.025\"} 1",
        "sluice_commit_duration_seconds_count 1",
        "sluice_retries_total{kind=\"s3_throttled\"} 1",
        "sluice_errors_total{kind=\"unavailable\"} 1",
        "sluice_quarantined_records_total{reason=\"not_json\"} 1",
        "sluice_skipped_records_total{reason=\"null\"} 2",
        "sluice_memory_used_bytes 64",
        "sluice_resident_memory_bytes 1024",
        "sluice_ready 1",
        "sluice_stuck_loops 2",
        "sluice_leaderless_partitions 0",
        "sluice_memory_limit_bytes 256",
        "sluice_rebalances_total 1",
        "sluice_s3_requests_total{operation=\"put_object\",outcome=\"ok\"} 1",
        "sluice_open_batches 1",
        "sluice_open_batch_bytes 5",
        "sluice_open_batch_oldest_age_seconds 2",
        "sluice_assigned_partitions 1",
        "sluice_stopped_partitions 1",
        "sluice_starting_partitions 1",
        "sluice_partition_stopped{topic=\"geo\",partition=\"1\",reason=\"replay_differs\"} 1",
        "sluice_partition_offset{topic=\"pin\",partition=\"0\",stage=\"buffered\"} 8",
        "sluice_partition_lag_records{topic=\"pin\",partition=\"0\",stage=\"consumed\"} 1",
        "sluice_partition_lag_records{topic=\"pin\",partition=\"0\",stage=\"committed\"} 5",
        "sluice_partition_log_end_offset{topic=\"pin\",partition=\"0\"} 10",
        "sluice_partition_published_time_seconds{topic=\"pin\",partition=\"0\"} 1700000000.123",
        concat!("sluice_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert_line(&text, line);
    }
}

#[test]
fn series_of_a_lost_partition_vanish_and_an_old_handle_brings_nothing_back() {
    let metrics = metrics(PartitionSeries::Shown);
    let pin = partition("pin", 0);
    let old = metrics.partition_assigned(&pin);
    old.committed(Offset::ZERO);
    metrics.partition_stopped(&pin, "gap");
    metrics.partition_lost(&pin);
    old.committed(Offset::ZERO.next());
    assert!(!text(&metrics).contains("pin"));
    let new = metrics.partition_assigned(&pin);
    old.committed(Offset::ZERO);
    assert!(!text(&metrics).contains("pin"), "nothing is known of the new assignment yet");
    new.committed(Offset::ZERO.next());
    let line = "sluice_partition_offset{topic=\"pin\",partition=\"0\",stage=\"committed\"} 1";
    assert_line(&text(&metrics), line);
}

#[test]
fn hidden_partitions_have_no_series_unless_they_are_stopped() {
    let metrics = metrics(PartitionSeries::Hidden);
    let pin = partition("pin", 0);
    metrics.partition_assigned(&pin).committed(Offset::ZERO);
    assert!(!text(&metrics).contains("pin"));
    assert_line(&text(&metrics), "sluice_assigned_partitions 1");
    metrics.partition_stopped(&pin, "gap");
    let line = "sluice_partition_stopped{topic=\"pin\",partition=\"0\",reason=\"gap\"} 1";
    assert_line(&text(&metrics), line);
    metrics.partition_resumed(&pin);
    assert!(!text(&metrics).contains("pin"));
}

#[test]
fn a_position_ahead_of_the_known_log_end_is_no_lag() {
    let metrics = metrics(PartitionSeries::Shown);
    let pin = metrics.partition_assigned(&partition("pin", 0));
    pin.log_end_known(Offset::ZERO);
    pin.consumed(Offset::ZERO.next());
    let line = "sluice_partition_lag_records{topic=\"pin\",partition=\"0\",stage=\"consumed\"} 0";
    assert_line(&text(&metrics), line);
}

#[test]
fn workers_are_summed_and_a_restarted_one_counts_once() {
    let metrics = metrics(PartitionSeries::Shown);
    let seconds =
        |count, seconds| OpenBatches { count, bytes: 10, oldest_age: Duration::from_secs(seconds) };
    metrics.worker_started(0).open_batches_are(seconds(100, 100));
    metrics.worker_started(0).open_batches_are(seconds(2, 3));
    metrics.worker_started(1).open_batches_are(seconds(3, 9));
    let text = text(&metrics);
    assert_line(&text, "sluice_open_batches 5");
    assert_line(&text, "sluice_open_batch_bytes 20");
    assert_line(&text, "sluice_open_batch_oldest_age_seconds 9");
}

#[test]
fn two_daemons_in_one_process_do_not_share_numbers() {
    let (one, other) = (metrics(PartitionSeries::Shown), metrics(PartitionSeries::Shown));
    one.rebalanced();
    assert_eq!((one.totals().rebalances, other.totals().rebalances), (1, 0));
}
