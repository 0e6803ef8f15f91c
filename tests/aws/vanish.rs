//! Credentials that end: new ones are fetched in time, and where there are none Sluice waits.
//!
//! The time between two keys is compressed by their own stamps. The SDK renews a key ten seconds
//! before its end, so keys of twelve seconds are renewed every two.

use std::time::Duration;

use super::chain::on_instance;
use super::machine::TOKEN_OF_CONTAINER;
use super::support::daemon::Settings;
use super::support::kafka::topics::numbered;
use super::support::{Daemon, kafka, s3, verify};
use super::{SOON, Scene};

const KEYS_LAST: Duration = Duration::from_secs(12);

fn of_container(scene: &Scene) -> Settings {
    scene.machine.keys_last(KEYS_LAST);
    scene
        .settings()
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/container", scene.machine.url()))
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN_OF_CONTAINER)
}

#[track_caller]
fn until_written(scene: &Scene, daemon: &Daemon) {
    daemon.wait_until("a lag of 0", SOON, || {
        (kafka().lag(&scene.group, &scene.topic) == 0).then_some(())
    });
}

/// Waits until the log says what the daemon waits for; records come all the time, since a daemon
/// with nothing to write misses no key.
#[track_caller]
fn until_told(scene: &Scene, daemon: &Daemon) {
    daemon.wait_until("the lack of credentials to be told", SOON, || {
        kafka().produce(&scene.topic, &numbered(10..11, 1));
        let log = daemon.log();
        let told = log.lines().find(|line| line.contains("S3 needs a person, waiting for it"))?;
        assert!(told.contains("no_credentials"), "{told}");
        Some(())
    });
}

fn of_instance(scene: &Scene) -> Settings {
    scene.machine.keys_last(KEYS_LAST);
    on_instance(scene)
}

#[test]
fn keys_of_a_container_that_rotate_are_not_noticed() {
    rotate("ecs", of_container);
}

#[test]
fn keys_of_an_instance_that_rotate_are_not_noticed() {
    rotate("imds", of_instance);
}

fn rotate(source: &str, settings: impl Fn(&Scene) -> Settings) {
    let scene = Scene::new("rotate");
    let daemon = settings(&scene).start();
    let mut next = 0;
    daemon.wait_until("three keys to be used", SOON, || {
        kafka().produce(&scene.topic, &numbered(next..next + 5, 1));
        next += 5;
        until_written(&scene, &daemon);
        (scene.gate.keys_of(source) >= 3).then_some(())
    });
    daemon.stop_cleanly();
    let log = daemon.log();
    for failure in ["no_credentials", "expired_credentials", "access_denied"] {
        assert!(!log.contains(failure), "{log}");
    }
    verify::check_default_layout(kafka(), &scene.topic, s3(), &scene.bucket);
}

#[test]
fn keys_that_vanish_are_waited_for_and_told() {
    let scene = Scene::new("vanish");
    let daemon = of_container(&scene).start();
    kafka().produce(&scene.topic, &numbered(0..10, 1));
    until_written(&scene, &daemon);
    scene.machine.set_down(true);
    until_told(&scene, &daemon);
    // Every key that was ever given out has ended: nothing but new ones can help.
    std::thread::sleep(KEYS_LAST);
    assert!(daemon.is_running());
    assert!(kafka().lag(&scene.group, &scene.topic) > 0);
    scene.machine.set_down(false);
    until_written(&scene, &daemon);
    daemon.stop_cleanly();
    let log = daemon.log();
    for secret in ["secret/", "session/", TOKEN_OF_CONTAINER] {
        assert!(!log.contains(secret), "`{secret}` is in the log");
    }
    verify::check_default_layout(kafka(), &scene.topic, s3(), &scene.bucket);
}

#[test]
fn a_start_without_keys_waits_for_them() {
    let scene = Scene::new("late");
    let settings = of_container(&scene);
    scene.machine.set_down(true);
    kafka().produce(&scene.topic, &numbered(0..10, 1));
    let daemon = settings.launch();
    until_told(&scene, &daemon);
    assert_eq!(daemon.page("/healthz").map(|(status, _)| status), Some(200));
    assert_eq!(daemon.page("/readyz").map(|(status, _)| status), Some(503));
    scene.machine.set_down(false);
    daemon.wait_until_ready();
    until_written(&scene, &daemon);
    daemon.stop_cleanly();
    verify::check_default_layout(kafka(), &scene.topic, s3(), &scene.bucket);
}
