//! A topic that is deleted and created anew: its old offsets and names mean nothing any more.

use super::support::kafka::Outcome;
use super::support::{kafka, s3, verify};
use super::{EACH, Scene, Signal, all_at_once, posts};

/// The new topic is read from its beginning, below a prefix that was never used.
fn is_read_below_a_new_prefix(scene: &Scene) {
    let settings = scene.after();
    let refused = scene.recover(&settings, &["--decide", "continue", "--yes"]);
    assert_eq!((refused.code, refused.result()), (Some(1), "refused"), "{:#}", refused.document);
    assert!(refused.text("why").contains("former topic"), "{:#}", refused.document);
    let settings = settings.set("layout.prefix", "\"second\"");
    scene.decide(&settings, "topic_recreated", &["--decide", "continue"]);
    let daemon = settings.start();
    scene.until_written(&daemon);
    // A producer of its own: the shared one knows the former topic.
    kafka().produce_in_transaction(&scene.topic, &posts(200..205), Outcome::Commit);
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    verify::check_contents(kafka(), &scene.topic, s3(), &scene.bucket, "second/");
    scene.check(&settings, "second/");
}

fn create_anew(scene: &Scene) {
    kafka().delete_topic(&scene.topic);
    kafka().create_topic(&scene.topic, 1);
}

/// More than the former topic had, so that its positions lie within the new one.
fn fill_anew(scene: &Scene) {
    kafka().produce_in_transaction(&scene.topic, &posts(100..125), Outcome::Commit);
}

#[test]
fn a_topic_created_anew_under_a_running_daemon_is_recovered() {
    all_at_once(&EACH, |each| {
        let scene = Scene::new("running", each);
        let daemon = scene.settings.start();
        scene.produce(0..15);
        scene.until_written(&daemon);
        let before = s3().list(&scene.bucket, "topics/");
        // Filled once the partition has stopped: until the topic's id is compared, at the latest after
        // a minute, a reader goes on at its position (rule 9), which is no question of `recover`.
        create_anew(&scene);
        daemon.signal(Signal::Hangup);
        daemon.wait_until("the partition to stop", 2 * super::SOON, || {
            (daemon.metric("sluice_partition_stopped", &[]) > 0.0).then_some(())
        });
        fill_anew(&scene);
        daemon.stop_cleanly();
        assert_eq!(s3().list(&scene.bucket, "topics/"), before, "nothing of the new one is there");
        is_read_below_a_new_prefix(&scene);
    });
}

/// With a plan of the former topic still open, which goes with the topic.
#[test]
fn a_topic_created_anew_while_nobody_ran_is_recovered() {
    all_at_once(&EACH, |each| {
        let scene = Scene::new("down", each);
        scene.kill_with_a_plan(1);
        create_anew(&scene);
        fill_anew(&scene);
        let daemon = scene.after().start();
        scene.until_stopped(&daemon, "topic_recreated");
        daemon.stop_cleanly();
        let shown = scene.recover(&scene.after(), &[]);
        assert_eq!(shown.text("commit"), "none", "Kafka forgets it with the topic: {shown:?}");
        is_read_below_a_new_prefix(&scene);
    });
}
