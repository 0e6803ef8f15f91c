//! Each trigger seals, says which it was, and loses nothing.

use super::support::kafka::NewRecord;
use super::support::kafka::topics::numbered;
use super::support::process::Signal;
use super::support::{Daemon, s3};
use super::{SOON, Scene};

#[track_caller]
fn until_sealed(daemon: &Daemon, reason: &str, times: usize) {
    let label = format!("reason=\"{reason}\"");
    daemon.wait_until(&format!("{times} seals by {reason}"), SOON, || {
        let sealed = daemon.metric("sluice_sealed_batches_total", &[&label]) as usize;
        (sealed >= times).then_some(())
    });
}

fn starts(scene: &Scene) -> Vec<String> {
    let keys = s3().list(&scene.bucket, "topics/").into_iter();
    keys.map(|key| key.rsplit_once('+').unwrap().1.to_owned()).collect()
}

#[test]
fn so_many_records_seal() {
    let scene = Scene::new("records", 1).set("seal.records", "4");
    scene.produce(&numbered(0..10, 1));
    let daemon = scene.settings.start();
    until_sealed(&daemon, "records", 2);
    scene.until_read(&daemon, 10);
    daemon.stop_cleanly();
    assert_eq!(starts(&scene), ["0000000000.json", "0000000004.json", "0000000008.json"]);
    scene.check_default_layout();
}

#[test]
fn so_many_bytes_seal() {
    let scene = Scene::new("bytes", 1).set("seal.bytes", "\"2 KiB\"");
    scene.produce(&vec![NewRecord::of(format!("\"{}\"", "x".repeat(1_000))); 5]);
    let daemon = scene.settings.start();
    until_sealed(&daemon, "bytes", 1);
    scene.until_read(&daemon, 5);
    daemon.stop_cleanly();
    scene.check_default_layout();
    assert_eq!(starts(&scene), ["0000000000.json", "0000000003.json"]);
}

/// Counted as stored: what compresses well takes many records.
#[test]
fn so_many_stored_bytes_seal() {
    let scene =
        Scene::new("stored", 1).set("seal.object_bytes", "\"5 KiB\"").set("seal.bytes", "\"off\"");
    let value = format!("\"{}\"", "x".repeat(1_000));
    scene.produce(&vec![NewRecord::of(value); 20]);
    let daemon = scene.settings.start();
    until_sealed(&daemon, "object_bytes", 3);
    scene.until_read(&daemon, 20);
    daemon.stop_cleanly();
    scene.check_default_layout();
}

/// Nothing comes any more, and the file is closed all the same.
#[test]
fn age_seals_an_idle_partition() {
    let scene = Scene::new("idle", 2).set("seal.age", "\"1 s\"");
    let daemon = scene.settings.start();
    scene.produce(&numbered(0..1, 1));
    scene.until_written(&daemon);
    until_sealed(&daemon, "age", 1);
    daemon.stop_cleanly();
    assert_eq!(starts(&scene), ["0000000000.json"]);
    scene.check_default_layout();
}

#[test]
fn sigusr1_seals_what_is_open() {
    let scene = Scene::new("asked", 2);
    let daemon = scene.settings.start();
    scene.produce(&numbered(0..6, 2));
    scene.until_read(&daemon, 6);
    daemon.signal(Signal::SealNow);
    scene.until_written(&daemon);
    until_sealed(&daemon, "request", 2);
    // With nothing open nothing happens.
    daemon.signal(Signal::SealNow);
    daemon.stop_cleanly();
    assert_eq!(starts(&scene), ["0000000000.json", "0000000000.json"]);
    scene.check_default_layout();
}

#[test]
fn a_clean_stop_writes_and_commits_to_the_end() {
    let scene = Scene::new("stopped", 3);
    let daemon = scene.settings.start();
    scene.produce(&numbered(0..30, 3));
    scene.until_read(&daemon, 30);
    assert!(starts(&scene).is_empty());
    assert_eq!(daemon.stop(SOON).code(), Some(0), "{}", daemon.log_tail());
    assert_eq!(scene.lag(), 0);
    scene.check_default_layout();
    assert!(s3().unfinished_uploads(&scene.bucket).is_empty());
}

/// What is open when a partition is taken away is written by the one that has read it.
#[test]
fn a_partition_that_is_given_up_is_sealed() {
    let scene = Scene::new("given-up", 2);
    let first = scene.settings.start();
    scene.produce(&numbered(0..10, 2));
    scene.until_read(&first, 10);
    let second = scene.settings.start();
    first.wait_until("one of two batches to be sealed", SOON, || {
        let sealed = first.metric("sluice_sealed_batches_total", &["reason=\"revoke\""]);
        (sealed == 1.0 && scene.lag() == 5).then_some(())
    });
    first.stop_cleanly();
    second.stop_cleanly();
    scene.check_default_layout();
    assert_eq!((scene.lag(), scene.objects().len()), (0, 2));
}
