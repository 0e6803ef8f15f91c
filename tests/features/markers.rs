//! What the daemon says holds nothing of a record above DEBUG, and never a secret.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::support::kafka::NewRecord;
use super::support::proxy::s3::{Canned, Operation, on};
use super::support::s3::{ACCESS_KEY, SECRET_KEY};
use super::support::{Daemon, s3, scratch};
use super::{SOON, Scene};

/// In every value, key and header that is produced here, and so in every route.
const DATA: &str = "mark3r";
/// In every password and key that is a secret.
const SECRET: &str = "s3cret";

/// All that it prints and serves.
fn all_said(daemon: &Daemon) -> [(&'static str, String); 3] {
    let page = |path| daemon.page(path).map(|(_, text)| text).unwrap_or_default();
    [("the log", daemon.log()), ("/metrics", page("/metrics")), ("/", page("/"))]
}

#[track_caller]
fn check_without(daemon: &Daemon, marker: &str) {
    for (what, text) in all_said(daemon) {
        assert!(!text.is_empty(), "{what} is empty");
        let line = text.lines().find(|line| line.contains(marker));
        assert_eq!(line, None, "{what} holds `{marker}`");
    }
}

/// A record whose route holds what its value, key and header say.
fn record(partition: i32, value: &str) -> NewRecord {
    NewRecord::of(value)
        .on_partition(partition)
        .with_key(format!("{DATA}-key"))
        .with_header("h", format!("{DATA}-header").as_bytes())
}

/// Failures of S3 of either kind, a kill, a replay, a quarantine, and a stop by another program's
/// object: each names an object in the log and on the page.
#[test]
fn nothing_of_a_record_is_said_above_debug() {
    let scene = Scene::new("markers", 2).hasty();
    let proxy = s3().proxy();
    let scene = scene
        .set("s3.endpoint", &format!("{:?}", proxy.endpoint()))
        .set("layout.path", "\"{topic}/f={field:/f}/k={key}/h={header:h}\"")
        .set("records.on_null", "\"quarantine\"")
        .set("http.show_keys", "false");
    let (topic, folder) = (&scene.topic, format!("f={DATA}-field/k={DATA}-key/h={DATA}-header"));
    let taken = format!("topics/{topic}/{folder}/{topic}+1+0000000000.json");
    s3().put(&scene.bucket, &taken, b"of another program\n");
    let good = format!("{{\"f\":\"{DATA}-field\"}}");
    let bad = format!("{{\"f\":\"{DATA}-field\",");
    scene.produce(&[
        record(0, &good),
        record(0, &bad),
        NewRecord::tombstone(format!("{DATA}-key")),
        record(1, &good),
    ]);

    proxy.answer(on(Operation::PutObject).key("+0+").times(2), Canned::error(503, "SlowDown"));
    proxy.answer(on(Operation::PutObject).key("+0+").always(), Canned::denied("s3:PutObject"));
    let killed = scene.settings.launch();
    killed.wait_until("both failures", SOON, || {
        let log = killed.log();
        (log.contains("slow_down") && log.contains("access_denied")).then_some(())
    });
    scene.until_stopped(&killed, 1, "unknown_object");
    check_without(&killed, DATA);
    // They were named, by what is no content.
    let shown = format!("`topics/{topic}/f=…/{topic}+1+0000000000.json`");
    assert!(killed.log().contains(&shown), "no {shown} in:\n{}", killed.log_tail());
    assert!(killed.log().contains("s3:PutObject"), "the refusal is in the log");
    let (_, page) = killed.page("/").unwrap();
    assert!(page.contains("the object `hidden` is there already"), "{page}");
    killed.kill_9();

    proxy.clear();
    let daemon = scene.settings.launch();
    daemon.wait_until("the replay", SOON, || {
        daemon.log().contains("a pending plan is read again").then_some(())
    });
    daemon.wait_until("one written partition", SOON, || (scene.lag() <= 1).then_some(()));
    scene.until_stopped(&daemon, 1, "unknown_object");
    check_without(&daemon, DATA);
    // They are in the bucket, and whoever asks for it reads them.
    let objects = scene.objects();
    let written = format!("topics/{topic}/{folder}/{topic}+0+0000000000.json");
    assert!(objects.contains_key(&written), "{:?}", objects.keys());
    assert!(objects.keys().any(|key| key.starts_with("_quarantine/")), "{:?}", objects.keys());
    daemon.reload(&scene.settings.clone().set("http.show_keys", "true"));
    daemon.wait_until("the page to name objects", SOON, || {
        daemon.page("/").filter(|(_, page)| page.contains(&taken) && !page.contains("hidden`"))
    });
    check_log_without(&daemon, DATA);
}

#[track_caller]
fn check_log_without(daemon: &Daemon, marker: &str) {
    let log = daemon.log();
    assert_eq!(log.lines().find(|line| line.contains(marker)), None, "the log holds `{marker}`");
}

/// The keys of S3 by the environment and by a file, the page's own password and token, and a
/// password that Kafka refuses.
#[test]
fn no_secret_is_said_at_any_level() {
    let scene = Scene::new("secrets", 1).hasty();
    let folder = scratch::folder("secrets");
    let file = folder.path().join("secret");
    std::fs::write(&file, SECRET_KEY).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let scene = scene.set("log.level", "\"trace\"");
    scene.produce(&[NewRecord::of("{}")]);

    let by_environment = scene.settings.start();
    scene.until_written(&by_environment);
    check_without(&by_environment, SECRET_KEY);
    by_environment.stop_cleanly();
    check_log_without(&by_environment, SECRET_KEY);

    let by_file = scene
        .settings
        .clone()
        .without_env("AWS_SECRET_ACCESS_KEY")
        .without_env("AWS_ACCESS_KEY_ID")
        .env("SLUICE__S3__CREDENTIALS__ACCESS_KEY_ID", ACCESS_KEY)
        .set("s3.credentials.secret_access_key_file", &format!("{file:?}"))
        .set("http.auth.username", "\"someone\"")
        .env("SLUICE__HTTP__AUTH__PASSWORD", &format!("{SECRET}-page"))
        .env("SLUICE__HTTP__AUTH__TOKEN", &format!("{SECRET}-token"))
        .start();
    scene.produce(&[NewRecord::of("{}")]);
    scene.until_written(&by_file);
    by_file.stop_cleanly();
    check_log_without(&by_file, SECRET_KEY);
    check_log_without(&by_file, SECRET);

    // The broker speaks no SASL here, and refuses the login before it is told a password.
    let refused = scene
        .settings
        .set("kafka.auth.method", "\"plain\"")
        .set("kafka.auth.username", "\"someone\"")
        .env("SLUICE__KAFKA__AUTH__PASSWORD", &format!("{SECRET}-kafka"))
        .launch();
    refused.wait_until("a refused login", SOON, || {
        refused.log().contains("Authentication failure").then_some(())
    });
    check_without(&refused, SECRET);
    check_log_without(&refused, SECRET_KEY);
}
