//! Offsets that are gone: they expired, or somebody deleted the group.

use std::time::Duration;

use super::support::kafka::Options;
use super::support::{Daemon, Kafka, kafka, s3, verify, wait};
use super::{EACH, Scene, all_at_once};

/// One minute until they expire, one until the broker looks, and a loaded machine.
const EXPIRED_IN: Duration = Duration::from_secs(150);
/// The daemon looks each minute.
const LOOKED_IN: Duration = Duration::from_secs(100);

/// Everything was written before; `continue` goes on behind it, after the daemon has stopped.
fn goes_on_behind_what_was_written(scene: &Scene) -> Daemon {
    let settings = scene.after();
    let daemon = settings.start();
    scene.until_stopped(&daemon, "offsets_lost");
    assert!(daemon.log().contains("see `sluice recover`"), "{}", daemon.log_tail());
    let shown = scene.recover(&settings, &[]);
    assert_eq!(shown.text("commit"), "none");
    assert!(shown.text("bucket").contains("newest batch [10, 15), whole"), "{shown:?}");
    scene.decide(&settings, "offsets_lost", &["--decide", "continue"]);
    daemon
}

#[test]
fn offsets_that_expired_are_recovered() {
    let properties = vec![
        ("offsets.retention.minutes", "1".to_owned()),
        ("offsets.retention.check.interval.ms", "5000".to_owned()),
    ];
    let own = Box::leak(Box::new(Kafka::start(Options { properties, ..Options::default() })));
    all_at_once(&EACH, |each| {
        let scene = Scene::on(own, "expired", each);
        scene.run_once(0..15);
        wait::until("the offsets to expire", EXPIRED_IN, || {
            scene.kafka.committed(&scene.group, &scene.topic)[0].offset.is_none().then_some(())
        });
        scene.produce(15..25);
        let daemon = goes_on_behind_what_was_written(&scene);
        scene.finish(&daemon);
        scene.check(&scene.after(), "topics/");
    });
    own.kill_9();
}

/// Nobody tells the daemon: it looks at the claims of what is stopped each minute.
#[test]
fn a_deleted_group_is_recovered_while_the_daemon_runs() {
    all_at_once(&EACH, |each| {
        let scene = Scene::new("deleted", each);
        scene.run_once(0..15);
        kafka().delete_group(&scene.group);
        scene.produce(15..25);
        let daemon = goes_on_behind_what_was_written(&scene);
        daemon.wait_until("the decision to be found", LOOKED_IN, || {
            daemon.log().contains("a decision of `sluice recover` is taken").then_some(())
        });
        scene.until_written(&daemon);
        scene.finish(&daemon);
        scene.check(&scene.after(), "topics/");
    });
}

/// Without a word "earliest" would write everything again.
#[test]
fn what_was_never_found_is_not_guessed() {
    let scene = Scene::new("nothing", EACH[0]);
    scene.run_once(0..15);
    kafka().delete_group(&scene.group);
    let elsewhere = scene.settings.clone().set("layout.prefix", "\"elsewhere\"");
    let refused = scene.recover(&elsewhere, &["--decide", "continue", "--yes"]);
    assert_eq!((refused.code, refused.result()), (Some(1), "refused"));
    assert!(refused.text("why").contains("add `--prefix`"), "{refused:?}");
    let with = ["--prefix", "topics", "--decide", "continue", "--yes"];
    assert_eq!(scene.recover(&elsewhere, &with).result(), "written");
    let daemon = elsewhere.start();
    scene.produce(15..20);
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    let lines = |prefix| verify::count_lines(s3(), &scene.bucket, prefix);
    assert_eq!((lines("topics/"), lines("elsewhere/")), (15, 5));
}
