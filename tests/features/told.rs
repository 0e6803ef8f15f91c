//! What the daemon tells of partitions is true at the moment when it is told.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::support::daemon::Settings;
use super::support::kafka::topics::{Outcome, numbered};
use super::support::kafka::{NewRecord, Options};
use super::support::process::Signal;
use super::support::{Daemon, Kafka, full_set, kafka, s3, unique};
use super::{SOON, Scene};

const PUBLISHED_TIME: &str = "sluice_partition_published_time_seconds";

fn wall() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Waits until the time is one that is wished for, and returns it.
#[track_caller]
fn until_time(daemon: &Daemon, what: &str, mut is_it: impl FnMut(f64) -> bool) -> f64 {
    daemon.wait_until(what, SOON, || {
        let time = daemon.metric(PUBLISHED_TIME, &[]);
        (time > 0.0 && is_it(time)).then_some(time)
    })
}

/// One partition, whose records come with times of their own: those of an hour that is long over.
#[test]
fn an_hour_is_complete_when_every_record_of_it_is_in_s3_and_not_before() {
    let scene = Scene::new("hour", 1);
    let hour = (wall() / 3_600.0).floor() * 3_600.0 - 7_200.0;
    let end = hour + 3_600.0;
    let record =
        |minute: f64| NewRecord::of(r#"{"n":1}"#).at_ms(((hour + minute * 60.0) * 1_000.0) as i64);
    let daemon = scene.settings.start();
    until_time(&daemon, "an empty log to be complete", |time| time >= end);
    // Out of order, and one of the next hour: read, and not in S3.
    scene.produce(&[record(59.0), record(10.0), record(61.0)]);
    scene.until_read(&daemon, 3);
    until_time(&daemon, "the oldest record", |time| time == hour + 600.0);
    let before = wall();
    daemon.signal(Signal::SealNow);
    scene.until_written(&daemon);
    until_time(&daemon, "the clock", |time| time >= before);
    // A late one: the hour is open again, until it is in S3 too.
    scene.produce(&[record(30.0)]);
    scene.until_read(&daemon, 4);
    until_time(&daemon, "the late record", |time| time == hour + 1_800.0);
    let before = wall();
    daemon.signal(Signal::SealNow);
    scene.until_written(&daemon);
    until_time(&daemon, "the clock again", |time| time >= before);
    daemon.stop_cleanly();
    scene.check_default_layout();
}

/// Markers of transactions are offsets without a record, at the end of the log too.
#[test]
fn a_log_that_ends_in_a_marker_is_complete() {
    let scene = Scene::new("marker", 1).hasty();
    let daemon = scene.settings.start();
    kafka().produce_in_transaction(&scene.topic, &numbered(0..3, 1), Outcome::Commit);
    kafka().produce_in_transaction(&scene.topic, &numbered(3..5, 1), Outcome::Abort);
    let after = wall();
    until_time(&daemon, "the clock", |time| time >= after);
    assert_eq!(scene.lag(), 0);
    daemon.stop_cleanly();
}

/// Where brokers stamp, nothing that comes later can have an earlier time.
#[test]
fn a_brokers_own_stamps_are_followed() {
    let (topic, group, bucket) = (unique("stamps"), unique("group"), s3().bucket("stamps"));
    kafka().create_topic_with(&topic, 1, &[("message.timestamp.type", "LogAppendTime")]);
    let settings = Settings::between(kafka(), s3(), &group, &bucket)
        .topics(&[&topic])
        .set("seal.age", "\"1 h\"");
    let daemon = settings.start();
    let before = wall();
    kafka().produce(&topic, &[NewRecord::of("{}").at_ms(1_000)]);
    let after = wall();
    daemon.wait_until("the record to be read", SOON, || {
        (daemon.metric("sluice_read_records_total", &[]) == 1.0).then_some(())
    });
    // To the millisecond that the broker stamps.
    let stamp = until_time(&daemon, "the broker's stamp", |time| time >= before - 0.001);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(daemon.metric(PUBLISHED_TIME, &[]), stamp, "it waits for its record");
    assert!(stamp <= after, "{stamp} is behind {after}");
    daemon.stop_cleanly();
}

/// The numbers of the partitions of which there is a series.
fn partitions(daemon: &Daemon) -> Vec<String> {
    let text = daemon.metrics();
    let labels =
        text.lines().filter_map(|line| line.split_once("partition=\"")?.1.split('"').next());
    let mut found: Vec<String> = labels.map(str::to_owned).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn the_series_of_a_partition_vanish_where_it_is_lost_and_appear_where_it_goes() {
    let scene = Scene::new("labels", 2).hasty();
    scene.produce(&numbered(0..4, 2));
    let first = scene.settings.start();
    first.wait_until("both partitions", SOON, || (partitions(&first) == ["0", "1"]).then_some(()));
    let second = scene.settings.start();
    second.wait_until("one partition each", 2 * SOON, || {
        let (here, there) = (partitions(&first), partitions(&second));
        (here.len() == 1 && there.len() == 1 && here != there).then_some(())
    });
    second.stop_cleanly();
    first.wait_until("both again", 2 * SOON, || (partitions(&first) == ["0", "1"]).then_some(()));
    first.stop_cleanly();
}

/// Nothing is fetched of it, and its time stands still; others go on. With three brokers and the
/// times in which a cluster gives a broker up, it takes a minute.
#[test]
fn a_partition_without_a_leader_is_shown() {
    if !full_set("a_partition_without_a_leader_is_shown") {
        return;
    }
    let own = Kafka::start(Options { brokers: 3, ..Options::default() });
    let bucket = s3().bucket("leaderless");
    own.create_topic("held", 1);
    own.create_topic_on("lost", 2);
    let settings = Settings::between(&own, s3(), "group", &bucket)
        .topics(&["held", "lost"])
        .set("seal.age", "\"200 ms\"");
    let daemon = settings.start();
    let time = |topic: &str| daemon.metric(PUBLISHED_TIME, &[&format!("topic=\"{topic}\"")]);
    daemon.wait_until("both to be complete", SOON, || {
        (time("held") > 0.0 && time("lost") > 0.0).then_some(())
    });
    own.kill_9_broker(2);
    let leaderless = || daemon.metric("sluice_leaderless_partitions", &[]);
    daemon
        .wait_until("the partition to be shown", 2 * SOON, || (leaderless() == 1.0).then_some(()));
    let (stands, since) = (time("lost"), wall());
    daemon.wait_until("the other to go on", SOON, || (time("held") > since).then_some(()));
    assert_eq!(time("lost"), stands);
    own.restart();
    daemon.wait_until("the leader to be back", 2 * SOON, || (leaderless() == 0.0).then_some(()));
    daemon.wait_until("it to go on", SOON, || (time("lost") > since).then_some(()));
    daemon.stop_cleanly();
}
