//! A configuration that is read again while the daemon runs (SIGHUP).

use super::support::Daemon;
use super::support::daemon::Settings;
use super::support::kafka::topics::numbered;
use super::support::{kafka, unique};
use super::{SOON, Scene, expected};

/// Hands in another file and waits until it was looked at.
#[track_caller]
fn reload(daemon: &Daemon, settings: &Settings, outcome: &str) {
    let label = format!("outcome=\"{outcome}\"");
    let times = || daemon.metric("sluice_config_reloads_total", &[&label]);
    let before = times();
    daemon.reload(settings);
    daemon.wait_until("the file to be read", SOON, || (times() > before).then_some(()));
}

/// The batch that is open ends as it began; the next one follows the new file.
#[test]
fn layout_and_seals_change_at_the_next_batch_without_a_rebalance() {
    let scene = Scene::new("reload", 1).set("seal.records", "3");
    let daemon = scene.settings.start();
    scene.produce(&numbered(0..2, 1));
    scene.until_read(&daemon, 2);
    let new = scene.settings.clone().set("seal.records", "2");
    let new = new.set("layout.path", "\"{topic}/new\"").set("s3.part_size", "\"9 MiB\"");
    reload(&daemon, &new.set("log.level", "\"debug\""), "taken");
    scene.produce(&numbered(2..5, 1));
    scene.until_written(&daemon);
    let (old, new) = ("partition=0", "new");
    let key =
        |path: &str, start: usize| format!("topics/{0}/{path}/{0}+0+{start:010}.json", scene.topic);
    let first = (key(old, 0), "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n");
    let second = (key(new, 3), "{\"n\":3}\n{\"n\":4}\n");
    assert_eq!(scene.texts(), expected([first, second]));
    assert_eq!(daemon.metric("sluice_rebalances_total", &[]), 1.0, "{}", daemon.log_tail());
    let log = daemon.log();
    assert!(log.contains("\"keys\":\"layout.path, seal.records, log.level\""), "{log}");
    assert!(log.contains("\"keys\":\"s3.part_size\"") && log.contains("only a restart"), "{log}");
    assert!(log.contains("\"batch sealed\""), "the level is `debug` now: {log}");
    daemon.stop_cleanly();
}

#[test]
fn a_file_with_faults_changes_nothing_and_says_why() {
    let scene = Scene::new("reload-fault", 1).set("seal.records", "2");
    let daemon = scene.settings.start();
    let wrong = scene.settings.clone().set("seal.records", "1").set("seal.age", "\"soon\"");
    reload(&daemon, &wrong, "refused");
    scene.produce(&numbered(0..2, 1));
    scene.until_written(&daemon);
    assert_eq!(scene.objects().len(), 1, "one batch of two records, as before");
    let log = daemon.log();
    assert!(log.contains("`seal.age` (`\\\"soon\\\"`)"), "{log}");
    let (_, page) = daemon.page("/").unwrap();
    assert!(page.contains("correct the file and reload again"), "{page}");
    daemon.stop_cleanly();
}

#[test]
fn a_topic_that_was_added_is_read_and_one_that_was_taken_out_is_given_back() {
    let scene = Scene::new("reload-topics", 1).hasty();
    let added = unique("added");
    kafka().create_topic(&added, 1);
    kafka().produce(&added, &numbered(0..3, 1));
    let daemon = scene.settings.start();
    scene.produce(&numbered(0..3, 1));
    scene.until_written(&daemon);
    reload(&daemon, &scene.settings.clone().topics(&[&added]), "taken");
    daemon.wait_until("the added topic to be written", SOON, || {
        (kafka().lag(&scene.group, &added) == 0).then_some(())
    });
    let of_the_old = [format!("topic=\"{}\"", scene.topic)];
    daemon.wait_until("the old topic to be given back", SOON, || {
        let metrics = daemon.metrics();
        (!metrics.contains(&of_the_old[0])).then_some(())
    });
    daemon.stop_cleanly();
    scene.check_default_layout();
}
