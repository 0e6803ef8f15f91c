//! PLAIN and SCRAM.

use super::cluster::PASSWORD;
use super::support::Daemon;
use super::support::kafka::scram::Mechanism;
use super::{Scene, cluster};

const WRONG: &str =
    "the user or the password is wrong: correct `kafka.auth.username` and `kafka.auth.password`";

fn scene(listener: &str, method: &str, username: &str, password: &str) -> Scene {
    let scene = match listener {
        "PLAIN" => Scene::new(listener),
        _ => Scene::over_tls(listener),
    };
    let file = scene.put("password", password.as_bytes());
    scene
        .text("kafka.auth.method", method)
        .text("kafka.auth.username", username)
        .file("kafka.auth.password_file", &file)
}

/// A wrong password is named by `check` and by a daemon, which goes on once the file is right.
fn a_wrong_password_is_put_right(listener: &str, method: &str) {
    let scene = scene(listener, method, "sluice", "marker-of-another");
    scene.check(WRONG);
    let daemon = scene.refused(WRONG);
    scene.put("password", PASSWORD.as_bytes());
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn plain_works_once_a_wrong_password_is_put_right() {
    a_wrong_password_is_put_right("PLAIN", "plain");
}

#[test]
fn plain_goes_on_when_the_password_is_rotated() {
    cluster().set_plain_password("rotated", "marker-of-the-first");
    goes_on("PLAIN", "plain", |password| cluster().set_plain_password("rotated", password));
}

/// The brokers ask for the password again every three seconds.
fn goes_on(listener: &str, method: &str, rotate: impl Fn(&str)) {
    let scene = scene(listener, method, "rotated", "marker-of-the-first");
    let daemon: Daemon = scene.settings.start();
    scene.works(&daemon);
    rotate("marker-of-the-second");
    super::until_said(&daemon, WRONG);
    scene.put("password", b"marker-of-the-second\n");
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn scram_sha_256_works_once_a_wrong_password_is_put_right() {
    a_wrong_password_is_put_right("SCRAM", "scram_sha_256");
}

#[test]
fn scram_sha_512_goes_on_when_the_password_is_rotated() {
    let kafka = &cluster().kafka;
    kafka.set_password("rotated", "marker-of-the-first", Mechanism::Sha512);
    goes_on("SCRAM", "scram_sha_512", |password| {
        kafka.set_password("rotated", password, Mechanism::Sha512);
    });
}

#[test]
fn a_method_that_the_listener_does_not_offer_is_named() {
    let scene = scene("PLAIN", "scram_sha_512", "sluice", PASSWORD);
    scene.check("the brokers do not offer this login there: set `kafka.auth.method`");
}
