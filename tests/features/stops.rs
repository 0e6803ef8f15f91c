//! Stopped partitions: who tries them again, once a person has mended what stopped them.

use super::support::Daemon;
use super::support::kafka::topics::numbered;
use super::support::process::Signal;
use super::support::s3;
use super::{SOON, Scene};

/// A scene whose first object's name is taken by another program, and that object's key.
fn with_a_taken_name(name: &str) -> (Scene, String) {
    let scene = Scene::new(name, 1).hasty();
    let key = format!("topics/{0}/partition=0/{0}+0+0000000000.json", scene.topic);
    s3().put(&scene.bucket, &key, b"of another program\n");
    scene.produce(&numbered(0..5, 1));
    (scene, key)
}

/// Waits until the log names the partition's stop so many times.
#[track_caller]
fn until_stops(daemon: &Daemon, times: usize) {
    daemon.wait_until(&format!("{times} stops"), SOON, || {
        (daemon.log().matches("partition stopped: ").count() >= times).then_some(())
    });
}

#[test]
fn sighup_tries_a_stopped_partition_again() {
    let (scene, key) = with_a_taken_name("hangup");
    let daemon = scene.settings.start();
    scene.until_stopped(&daemon, 0, "unknown_object");
    // Nothing is mended: it stops again, and says so again.
    daemon.signal(Signal::Hangup);
    until_stops(&daemon, 2);
    s3().delete(&scene.bucket, &key);
    daemon.signal(Signal::Hangup);
    scene.until_written(&daemon);
    assert_eq!(daemon.metric("sluice_partition_stopped", &[]), 0.0);
    daemon.stop_cleanly();
    scene.check_default_layout();
}

/// Whoever is given the partition next tries it, and finishes the plan that the first one left.
#[test]
fn an_assignment_tries_a_stopped_partition_again() {
    let (scene, key) = with_a_taken_name("handed-on");
    let first = scene.settings.start();
    scene.until_stopped(&first, 0, "unknown_object");
    let second = scene.settings.start();
    first.stop_cleanly();
    // Nothing is mended, and the next one stops for the same reason.
    scene.until_stopped(&second, 0, "unknown_object");
    s3().delete(&scene.bucket, &key);
    let third = scene.settings.start();
    second.stop_cleanly();
    scene.until_written(&third);
    third.stop_cleanly();
    scene.check_default_layout();
}
