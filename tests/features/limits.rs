//! Memory stays bounded, whatever S3 does.

use std::time::{Duration, Instant};

use super::support::daemon::Settings;
use super::support::kafka::NewRecord;
use super::support::kafka::topics::numbered;
use super::support::process::Signal;
use super::support::proxy::s3::{Operation, on};
use super::support::{S3Server, kafka, s3, unique, verify};
use super::{SOON, Scene};

const MEBIBYTE: u64 = 1024 * 1024;

/// 20 KB each, all different, on so many partitions in turn.
fn large(numbers: std::ops::Range<usize>, partitions: usize) -> Vec<NewRecord> {
    let filler = "x".repeat(20_000);
    numbers
        .map(|number| {
            NewRecord::of(format!("{{\"n\":{number},\"x\":\"{filler}\"}}"))
                .on_partition(i32::try_from(number % partitions).unwrap())
        })
        .collect()
}

/// Nothing else would seal; no object is large enough for a part of an upload, so that memory is
/// free again only when batches are written. Each of the workers holds far less than what is short.
#[test]
fn memory_that_is_short_seals() {
    let scene = Scene::new("memory", 8)
        .set("limits.workers", "8")
        .set("layout.path", "\"{topic}/{key}/{partition}\"")
        .set("limits.memory", "\"64 MiB\"")
        .set("seal.bytes", "\"off\"");
    for round in 0..4 {
        let records = large(round * 1_500..(round + 1) * 1_500, 8).into_iter().enumerate();
        let keyed = records.map(|(index, record)| record.with_key((index / 8 % 10).to_string()));
        scene.produce(&keyed.collect::<Vec<_>>());
    }
    let daemon = scene.settings.start();
    scene.until_read(&daemon, 6_000);
    let label = ["reason=\"memory\""];
    assert!(daemon.metric("sluice_sealed_batches_total", &label) >= 1.0, "{}", daemon.log_tail());
    daemon.stop_cleanly();
    assert_eq!(scene.lag(), 0);
    verify::check_contents(kafka(), &scene.topic, s3(), &scene.bucket, "topics/");
    assert!(s3().unfinished_uploads(&scene.bucket).is_empty());
}

/// A server that takes connections and never answers: reading waits, and goes on afterwards.
#[test]
fn a_stalled_store_costs_no_memory_and_no_record() {
    let store = S3Server::start();
    let (topic, group) = (unique("stalled"), unique("group"));
    let bucket = store.bucket("stalled");
    kafka().create_topic(&topic, 4);
    let settings = Settings::between(kafka(), &store, &group, &bucket)
        .topics(&[&topic])
        .set("limits.memory", "\"64 MiB\"")
        .set("seal.bytes", "\"8 MiB\"")
        .set("seal.age", "\"1 s\"");
    let daemon = settings.start();
    kafka().produce(&topic, &large(0..40, 4));
    daemon.wait_until("the first records to be written", SOON, || {
        (kafka().lag(&group, &topic) == 0).then_some(())
    });
    store.signal(Signal::Stop);
    for round in 0..10 {
        kafka().produce(&topic, &large(40 + round * 1_500..40 + (round + 1) * 1_500, 4));
    }
    let mut highest = 0;
    let (mut read, mut since) = (0.0, Instant::now());
    daemon.wait_until("reading to stand still", 2 * SOON, || {
        highest = highest.max(daemon.resident_bytes());
        let now = daemon.metric("sluice_read_records_total", &[]);
        if now != read {
            (read, since) = (now, Instant::now());
        }
        (since.elapsed() >= Duration::from_secs(5)).then_some(())
    });
    assert!(read < 10_000.0, "{read} records of 20 KB were read into 64 MiB of memory");
    // What is not in the budget: the program itself, 25 MiB, and what librdkafka keeps beside records.
    let bound = (64 + 64) * MEBIBYTE;
    assert!(highest <= bound, "{} MiB resident, {read} records read", highest / MEBIBYTE);
    store.signal(Signal::Continue);
    daemon.wait_until("everything to be written", 2 * SOON, || {
        highest = highest.max(daemon.resident_bytes());
        (kafka().lag(&group, &topic) == 0).then_some(())
    });
    // Messages that are kept aside while their partition waits for S3 count too.
    assert!(highest <= bound, "{} MiB resident afterwards", highest / MEBIBYTE);
    daemon.stop_cleanly();
    verify::check_default_layout(kafka(), &topic, &store, &bucket);
}

/// Two plans of 80 MB that a larger machine left behind, of objects that are each too small for a
/// part: they are read one after the other, each in passes.
#[test]
fn pending_plans_that_do_not_fit_in_memory_are_finished_in_passes() {
    let proxy = s3().proxy();
    let scene = Scene::new("passes", 2)
        .set("s3.endpoint", &format!("{:?}", proxy.endpoint()))
        .set("layout.path", "\"{topic}/{key}/{partition}\"")
        .set("limits.memory", "\"512 MiB\"")
        .set("seal.bytes", "\"off\"");
    let daemon = scene.settings.start();
    for round in 0..4 {
        let records = large(round * 2_000..(round + 1) * 2_000, 2).into_iter().enumerate();
        let keyed = records.map(|(index, record)| record.with_key((index / 2 % 30).to_string()));
        scene.produce(&keyed.collect::<Vec<_>>());
    }
    scene.until_read(&daemon, 8_000);
    proxy.hang(on(Operation::PutObject).key("topics/").always());
    daemon.signal(Signal::SealNow);
    daemon.wait_until("two plans", SOON, || {
        let committed = kafka().committed(&scene.group, &scene.topic);
        let planned = committed.iter().filter(|at| at.metadata.starts_with("sluice/1 plan "));
        (planned.count() == 2).then_some(())
    });
    daemon.kill_9();
    proxy.clear();
    let scene = scene.set("limits.memory", "\"64 MiB\"").set("limits.workers", "1");
    let daemon = scene.settings.start();
    let mut highest = 0;
    daemon.wait_until("everything to be written", 2 * SOON, || {
        highest = highest.max(daemon.resident_bytes());
        (scene.lag() == 0).then_some(())
    });
    daemon.stop_cleanly();
    let passes = daemon.log().matches("it is read in passes").count();
    assert!(passes >= 4, "{passes} passes over two plans:\n{}", daemon.log_tail());
    assert!(highest <= (64 + 100) * MEBIBYTE, "{} MiB resident", highest / MEBIBYTE);
    assert_eq!(scene.objects().len(), 60, "one object a key and partition, as was planned");
    verify::check_contents(kafka(), &scene.topic, s3(), &scene.bucket, "topics/");
}

/// One worker has both: 300,000 records that wait in one topic, and another whose few records are
/// written one by one as they come. They do not wait until the first topic's are through.
#[test]
fn a_partition_that_is_far_behind_does_not_starve_the_others() {
    let scene = Scene::new("behind", 1);
    let live = unique("live");
    kafka().create_topic(&live, 4);
    for round in 0..3 {
        scene.produce(&numbered(round * 100_000..(round + 1) * 100_000, 1));
    }
    let settings = scene.settings.clone().topics(&[&scene.topic, &live]);
    let settings = settings.set("limits.workers", "1").set("limits.memory", "\"64 MiB\"");
    let settings = settings.set("seal.records", "10000").override_for(&live, "seal.records = 1");
    let daemon = settings.start();
    scene.until_read(&daemon, 1);
    let written = |topic: &str| {
        let labels = [&format!("topic=\"{topic}\""), "stage=\"committed\""];
        daemon.metric("sluice_partition_offset", &labels)
    };
    let behind = [4, 8].map(|records| {
        kafka().produce(&live, &numbered(records - 4..records, 4));
        daemon.wait_until("the few records to be written", SOON, || {
            (written(&live) >= records as f64).then_some(())
        });
        written(&scene.topic)
    });
    assert!(behind.iter().all(|behind| *behind < 3e5), "the other topic was through: {behind:?}");
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    scene.check_default_layout();
}
