//! The way to S3 through a proxy: by `s3.proxy`, by the environment, and past it.

use super::forward::Forward;
use super::support::daemon::Settings;
use super::{Scene, check};

fn of_user(scene: &Scene) -> Settings {
    scene.machine.user("AKIAUSER", "of-the-user");
    scene
        .settings()
        .env("AWS_ACCESS_KEY_ID", "AKIAUSER")
        .env("AWS_SECRET_ACCESS_KEY", "of-the-user")
}

/// Everything is answered; returns how many requests S3 and the proxy saw.
#[track_caller]
fn seen(scene: &Scene, settings: &Settings, proxy: &Forward) -> (usize, usize) {
    let (text, code) = check(settings);
    assert_eq!(code, 0, "{text}");
    (scene.gate.passed().len(), proxy.asked().len())
}

#[test]
fn every_request_goes_by_the_proxy_of_the_file() {
    let (scene, proxy) = (Scene::new("proxy"), Forward::start());
    let settings = of_user(&scene).set("s3.proxy", &format!("\"{}\"", proxy.url()));
    let (passed, asked) = seen(&scene, &settings, &proxy);
    assert!(passed > 10);
    assert_eq!(passed, asked);
}

#[test]
fn the_proxy_of_the_environment_is_used_unless_told_otherwise() {
    let (scene, proxy) = (Scene::new("environment"), Forward::start());
    let settings = of_user(&scene).env("HTTP_PROXY", &proxy.url());
    let (passed, asked) = seen(&scene, &settings, &proxy);
    assert!(passed > 10);
    assert_eq!(passed, asked);
    let past = [settings.clone().env("NO_PROXY", "127.0.0.1"), settings.set("s3.proxy", "\"off\"")];
    for settings in past {
        assert_eq!(seen(&scene, &settings, &proxy).1, asked, "no more by the proxy");
    }
}
