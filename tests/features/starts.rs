//! Where partitions start, and when they refuse to: the table of protocol rule 8.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::support::kafka::topics::numbered;
use super::support::kafka::{NewRecord, Outcome};
use super::support::proxy::kafka::Kind;
use super::support::{Daemon, kafka, s3, unique, verify};
use super::{SOON, Scene};

/// Lets a daemon take all partitions and write so many records, and stops it.
fn run_once(scene: &Scene, records: usize, partitions: usize) {
    let daemon = scene.settings.start();
    scene.produce(&numbered(0..records, partitions));
    scene.until_written(&daemon);
    daemon.stop_cleanly();
}

/// Partition 1 goes on whatever happened to partition 0. Returns the daemon, which has ended.
#[track_caller]
fn expect_stop(scene: &Scene, reason: &str) -> Daemon {
    let before = scene.texts();
    let daemon = scene.settings.start();
    scene.until_stopped(&daemon, 0, reason);
    let ends = kafka().end_offsets(&scene.topic);
    scene.produce(&[NewRecord::of("\"more\"").on_partition(1)]);
    daemon.wait_until("partition 1 to go on", SOON, || {
        let committed = kafka().committed(&scene.group, &scene.topic)[1].offset;
        (committed == Some(ends[1] + 1)).then_some(())
    });
    assert_eq!(daemon.page("/healthz").map(|(status, _)| status), Some(200));
    daemon.stop_cleanly();
    let mut after = scene.texts();
    after.retain(|key, _| !before.contains_key(key));
    let expected = format!("topics/{0}/partition=1/{0}+1+{1:010}.json", scene.topic, ends[1]);
    assert_eq!(after, super::expected([(expected, "\"more\"\n")]));
    daemon
}

/// The key of a partition's claim, which stands.
fn claim_key(scene: &Scene, partition: i32) -> String {
    let keys = s3().list(&scene.bucket, "_sluice/");
    let end = format!("/{}/{}/{partition}", scene.group, scene.topic);
    keys.into_iter().find(|key| key.ends_with(&end)).unwrap()
}

#[test]
fn another_consumers_offsets_are_taken_over() {
    let scene = Scene::new("adopted", 2).hasty();
    scene.produce(&numbered(0..20, 2));
    kafka().commit_as_stranger(&scene.group, &scene.topic, 0, (4, ""));
    kafka().commit_as_stranger(&scene.group, &scene.topic, 1, (6, "their own note"));
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    let key = |partition: i32, start: i64| {
        format!("topics/{0}/partition={partition}/{0}+{partition}+{start:010}.json", scene.topic)
    };
    let texts = scene.texts();
    assert_eq!(texts.keys().collect::<Vec<_>>(), [&key(0, 4), &key(1, 6)]);
    assert_eq!(verify::count_lines(s3(), &scene.bucket, "topics/"), 6 + 4);
    assert!(kafka().committed(&scene.group, &scene.topic)[0].metadata.starts_with("sluice/"));
}

/// A position that no log has reached: the records below it were never written, or are another
/// log's.
#[test]
fn an_offset_beyond_the_log_stops_its_partition() {
    let scene = Scene::new("beyond", 2).hasty();
    scene.produce(&numbered(0..10, 2));
    kafka().commit_as_stranger(&scene.group, &scene.topic, 0, (1_000, ""));
    kafka().commit_as_stranger(&scene.group, &scene.topic, 1, (5, ""));
    expect_stop(&scene, "ahead_of_log");
}

/// They expire, or somebody deletes the group: "earliest" would write everything again.
#[test]
fn lost_offsets_stop_where_a_claim_stands() {
    let scene = Scene::new("expired", 1).hasty();
    run_once(&scene, 5, 1);
    let before = scene.texts();
    kafka().delete_group(&scene.group);
    let daemon = scene.settings.start();
    scene.until_stopped(&daemon, 0, "offsets_lost");
    daemon.stop_cleanly();
    assert_eq!(scene.texts(), before);
    assert_eq!(kafka().committed(&scene.group, &scene.topic)[0].offset, None);
}

#[test]
fn offsets_reset_by_a_stranger_stop_where_a_claim_stands() {
    let scene = Scene::new("reset", 2).hasty();
    run_once(&scene, 10, 2);
    kafka().commit_as_stranger(&scene.group, &scene.topic, 0, (2, ""));
    expect_stop(&scene, "offsets_reset");
    assert_eq!(kafka().committed(&scene.group, &scene.topic)[0].offset, Some(2));
}

/// Another bucket, or somebody tidied up: our own commit says that nothing was lost.
#[test]
fn a_claim_that_was_deleted_is_created_anew_with_a_warning() {
    let scene = Scene::new("unclaimed", 2).hasty();
    run_once(&scene, 10, 2);
    let key = claim_key(&scene, 0);
    s3().delete(&scene.bucket, &key);
    let daemon = scene.settings.start();
    scene.produce(&numbered(10..20, 2));
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    scene.check_default_layout();
    assert_eq!(claim_key(&scene, 0), key);
    let log = daemon.log();
    let is_warning = |line: &&str| line.contains("no claim stands for this partition");
    let warnings: Vec<&str> = log.lines().filter(is_warning).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let named = format!("\"partition\":\"{}/0\"", scene.topic);
    assert!(warnings[0].contains("\"WARN\"") && warnings[0].contains(&named), "{warnings:?}");
}

/// A commit of ours from earlier times came back: only the claim knows that it lies too low.
#[test]
fn a_commit_below_the_plan_in_the_claim_stops_its_partition() {
    let scene = Scene::new("fallen", 2).hasty().set("s3.part_size", "\"5 MiB\"");
    run_once(&scene, 10, 2);
    let early = kafka().committed(&scene.group, &scene.topic)[0].clone();
    run_once(&scene, 10, 2);
    // One object of several parts: its plan is written into the claim.
    let large = scene.settings.clone().set("seal.records", "24").set("seal.age", "\"1 h\"");
    let value = format!("\"{}\"", "x".repeat(512 * 1024));
    let daemon = large.start();
    scene.produce(&(0..24).map(|_| NewRecord::of(value.clone())).collect::<Vec<_>>());
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    let commit = (early.offset.unwrap(), early.metadata.as_str());
    kafka().commit_as_stranger(&scene.group, &scene.topic, 0, commit);
    let daemon = expect_stop(&scene, "offsets_fell_back");
    assert!(daemon.log().contains("see `sluice recover`"), "{}", daemon.log_tail());
    assert_eq!(kafka().committed(&scene.group, &scene.topic)[0], early);
}

/// The same without an object of several parts, of which the claim knows nothing: a commit that a
/// broker held back, or a backup of the offsets. The first object meets its own old name.
#[test]
fn a_commit_that_came_back_stops_at_the_name_that_is_taken() {
    let scene = Scene::new("back", 2).hasty();
    run_once(&scene, 10, 2);
    let early = kafka().committed(&scene.group, &scene.topic)[0].clone();
    run_once(&scene, 10, 2);
    let commit = (early.offset.unwrap(), early.metadata.as_str());
    kafka().commit_as_stranger(&scene.group, &scene.topic, 0, commit);
    expect_stop(&scene, "foreign_object");
    assert_eq!(kafka().committed(&scene.group, &scene.topic)[1].offset, Some(11));
}

#[test]
fn a_claim_that_cannot_be_read_stops_its_partition() {
    for text in ["", "sluice/1 cla", "somebody else's"] {
        let scene = Scene::new("unreadable", 2).hasty();
        run_once(&scene, 10, 2);
        let key = claim_key(&scene, 0);
        s3().put(&scene.bucket, &key, text.as_bytes());
        let daemon = expect_stop(&scene, "claim");
        assert!(daemon.log().contains(&key), "{}", daemon.log_tail());
        assert_eq!(s3().get(&scene.bucket, &key), text.as_bytes(), "it is left alone");
    }
}

#[test]
fn metadata_of_another_version_stops_its_partition() {
    let scene = Scene::new("version", 2).hasty();
    run_once(&scene, 10, 2);
    kafka().commit_as_stranger(&scene.group, &scene.topic, 0, (5, "sluice/9 plan x=1"));
    expect_stop(&scene, "metadata");
    let committed = &kafka().committed(&scene.group, &scene.topic)[0];
    assert_eq!(committed.metadata, "sluice/9 plan x=1", "what was found is left alone");
}

/// Our own text beside another offset: a tool that keeps metadata moved it.
#[test]
fn an_offset_moved_under_our_metadata_stops_its_partition() {
    let scene = Scene::new("moved", 2).hasty();
    run_once(&scene, 10, 2);
    let ours = kafka().committed(&scene.group, &scene.topic)[0].metadata.clone();
    kafka().commit_as_stranger(&scene.group, &scene.topic, 0, (3, &ours));
    expect_stop(&scene, "offset_moved");
}

/// The connector that ran before still runs: two writers would write everything twice.
#[test]
fn a_foreign_member_in_the_group_stops_what_is_assigned() {
    let scene = Scene::new("foreign", 2).hasty();
    let is_over = AtomicBool::new(false);
    let consumer: BaseConsumer = kafka()
        .client()
        .set("group.id", &scene.group)
        .set("client.id", "connector-consumer-pin-0")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[&scene.topic]).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                drop(consumer.poll(Duration::from_millis(100)));
            }
        });
        super::support::wait::until("the other consumer to join", SOON, || {
            (!kafka().members(&scene.group).is_empty()).then_some(())
        });
        scene.produce(&numbered(0..10, 2));
        let daemon = scene.settings.launch();
        let stopped = super::support::wait::until_or(SOON, || {
            let labels = ["reason=\"foreign_member\""];
            (daemon.metric("sluice_partition_stopped", &labels) > 0.0).then_some(())
        });
        is_over.store(true, Ordering::Relaxed);
        assert!(stopped.is_some(), "nothing stopped:\n{}", daemon.log_tail());
        assert!(daemon.log().contains("connector-consumer-pin-0"), "{}", daemon.log_tail());
        daemon.stop_cleanly();
    });
    assert!(scene.objects().is_empty());
    assert_eq!(kafka().committed(&scene.group, &scene.topic)[0].offset, None);
}

/// The very first start begins at the end; what appears later is read from its beginning.
#[test]
fn latest_begins_at_the_end_and_reads_new_partitions_whole() {
    let scene = Scene::new("latest", 1)
        .hasty()
        .set("kafka.start", "\"latest\"")
        .set("kafka.properties.\"topic.metadata.refresh.interval.ms\"", "500");
    scene.produce(&numbered(0..5, 1));
    let daemon = scene.settings.start();
    // The start is written down before anything is read.
    daemon.wait_until("the start to be pinned", SOON, || {
        (kafka().committed(&scene.group, &scene.topic)[0].offset == Some(5)).then_some(())
    });
    scene.produce(&numbered(5..8, 1));
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    // While nobody runs, a partition appears and gets records.
    kafka().add_partitions(&scene.topic, 2);
    // A producer of its own: the shared one does not know the new partition yet.
    let new = [NewRecord::of("\"new\"").on_partition(1)];
    kafka().produce_in_transaction(&scene.topic, &new, Outcome::Commit);
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    let key = |partition: i32, start: i64| {
        format!("topics/{0}/partition={partition}/{0}+{partition}+{start:010}.json", scene.topic)
    };
    let texts = scene.texts();
    let lines: String = texts.values().map(String::as_str).collect();
    assert_eq!(texts.keys().next(), Some(&key(0, 5)));
    assert_eq!(texts.get(&key(1, 0)).map(String::as_str), Some("\"new\"\n"));
    assert_eq!(lines, "{\"n\":5}\n{\"n\":6}\n{\"n\":7}\n\"new\"\n");
}

/// Another group, same topic, other bucket: claims of one do not hold up the other.
#[test]
fn two_groups_write_the_same_topic_into_two_places() {
    let scene = Scene::new("shared", 1).hasty();
    run_once(&scene, 5, 1);
    let bucket = s3().bucket("second");
    let settings = scene.settings.clone();
    let settings = settings
        .set("kafka.group_id", &format!("{:?}", unique("group")))
        .set("s3.bucket", &format!("{bucket:?}"));
    let daemon = settings.start();
    daemon.wait_until("the second bucket to be written", SOON, || {
        (verify::count_lines(s3(), &bucket, "topics/") == 5).then_some(())
    });
    daemon.stop_cleanly();
    verify::check_default_layout(kafka(), &scene.topic, s3(), &bucket);
    scene.check_default_layout();
}

/// A question for one partition waits behind the fetch that its leader holds open, half a second each.
#[test]
fn the_logs_of_many_new_partitions_are_asked_about_together() {
    const PARTITIONS: usize = 100;
    let proxy = kafka().proxy();
    let scene = Scene::new("many", PARTITIONS)
        .set("kafka.bootstrap_servers", &format!("[{:?}]", proxy.bootstrap()));
    let daemon = scene.settings.start();
    daemon.wait_until("all of them to have started", SOON, || {
        let count = |name| daemon.metric(name, &[]) as usize;
        let (held, starting) =
            (count("sluice_assigned_partitions"), count("sluice_starting_partitions"));
        ((held, starting) == (PARTITIONS, 0)).then_some(())
    });
    let asked = proxy.count(Kind::ListOffsets);
    assert!(asked < PARTITIONS / 4, "{asked} questions about {PARTITIONS} partitions");
    daemon.stop_cleanly();
}
