//! Decisions on their way: crashes between two steps, and a commit that changed meanwhile.

use super::support::proxy::When;
use super::support::proxy::s3::{Operation, on};
use super::support::{kafka, s3};
use super::{EACH, Protocol, SOON, Scene, all_at_once};

/// The pin is committed, the decision is not struck out yet, and the daemon dies.
#[test]
fn a_daemon_that_dies_between_the_pin_and_the_claim_loses_nothing() {
    all_at_once(&EACH, |each| {
        for when in [When::Before, When::After] {
            let scene = Scene::new("between", each);
            scene.run_once(0..15);
            kafka().delete_group(&scene.group);
            scene.produce(15..25);
            let settings = scene.after();
            scene.decide(&settings, "offsets_lost", &["--decide", "continue"]);
            let claim = on(Operation::PutObject).key("_sluice/");
            let hold = scene.s3.hold(claim.and(|put| put.header("if-match").is_some()), when);
            let daemon = settings.launch();
            daemon.wait_until("the claim to be held", SOON, || hold.is_reached().then_some(()));
            daemon.kill_9();
            hold.drop_it();
            let pinned = kafka().committed(&scene.group, &scene.topic)[0].clone();
            assert_eq!(pinned.offset, Some(15), "{pinned:?}");
            let daemon = settings.start();
            scene.finish(&daemon);
            scene.check(&settings, "topics/");
        }
    });
}

/// Somebody commits again between the decision and the daemon: it is about another commit.
#[test]
fn a_decision_about_another_commit_is_not_taken() {
    for (protocol, layout) in [EACH[0], EACH[2]] {
        let scene = Scene::new("outdated", (protocol, layout));
        scene.run_once(0..15);
        kafka().commit_as_stranger(&scene.group, &scene.topic, 0, (3, ""));
        let settings = scene.after();
        scene.decide(&settings, "offsets_reset", &["--decide", "continue"]);
        kafka().commit_as_stranger(&scene.group, &scene.topic, 0, (4, ""));
        let daemon = settings.start();
        scene.until_stopped(&daemon, "offsets_reset");
        assert!(daemon.log().contains("does not apply"), "{}", daemon.log_tail());
        let committed = kafka().committed(&scene.group, &scene.topic)[0].clone();
        assert_eq!((committed.offset, committed.metadata.as_str()), (Some(4), ""));
        if protocol == Protocol::Classic {
            daemon.stop_cleanly();
            let broken = settings.clone().env("SLUICE_MUTANT", "decision-for-any-commit").start();
            broken.wait_until("the mutant to take it all the same", SOON, || {
                let committed = kafka().committed(&scene.group, &scene.topic)[0].offset;
                (committed == Some(15)).then_some(())
            });
            broken.stop_cleanly();
        } else {
            scene.decide(&settings, "offsets_reset", &["--decide", "continue"]);
            scene.finish(&daemon);
            scene.check(&settings, "topics/");
        }
    }
}

/// A claim that cannot be read is written anew with the decision.
#[test]
fn a_damaged_claim_is_recovered() {
    let scene = Scene::new("damaged", EACH[0]);
    scene.run_once(0..15);
    let keys = s3().list(&scene.bucket, "_sluice/");
    s3().put(&scene.bucket, &keys[0], b"sluice-claim 1\ntopic");
    let daemon = scene.settings.start();
    scene.until_stopped(&daemon, "claim");
    scene.decide(&scene.settings, "claim", &["--decide", "continue"]);
    scene.finish(&daemon);
    scene.check(&scene.settings, "topics/");
}
