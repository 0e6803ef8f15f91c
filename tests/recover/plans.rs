//! Plans that cannot be finished as they stand, and plans of another release.

use super::support::kafka;
use super::support::verify;
use super::{EACH, Scene, all_at_once, s3};

impl Scene {
    /// Leaves this metadata beside the commit, once the killed daemon is no member any more.
    fn commit(&self, offset: i64, metadata: &str) {
        self.kafka.commit_as_stranger(&self.group, &self.topic, 0, (offset, metadata));
    }

    /// Kills a daemon with a plan of which so many objects are put, and changes its digest: as if
    /// the records of the range had become others.
    fn with_another_digest(name: &str, each: (super::Protocol, super::Layout), put: usize) -> Self {
        let scene = Self::new(name, each);
        let (start, plan) = scene.kill_with_a_plan(put);
        let (text, _digest) = plan.rsplit_once(" d=").unwrap();
        scene.commit(start, &format!("{text} d={:032x}", 7));
        scene
    }
}

#[test]
fn a_plan_that_differs_can_be_read_anew_if_it_left_nothing() {
    all_at_once(&EACH, |each| {
        let scene = Scene::with_another_digest("differs", each, 0);
        let settings = scene.after();
        let daemon = settings.start();
        scene.until_stopped(&daemon, "replay_differs");
        let shown = scene.recover(&settings, &[]);
        assert_eq!((shown.code, shown.state()), (Some(0), "pending"), "{:#}", shown.document);
        let partition = format!("{}/0", scene.topic);
        let arguments = ["--partition", &partition, "--decide", "committed", "--yes"];
        let written = scene.recover(&settings, &arguments);
        assert_eq!((written.code, written.result()), (Some(0), "written"), "{written:?}");
        scene.finish(&daemon);
        scene.check(&settings, "topics/");
    });
}

/// What is given up is missing, exactly that, and `verify` says so.
#[test]
fn a_plan_that_differs_can_be_given_up() {
    all_at_once(&EACH, |each| {
        let scene = Scene::with_another_digest("given-up", each, 1);
        let settings = scene.after();
        let daemon = settings.start();
        scene.until_stopped(&daemon, "replay_differs");
        let partition = format!("{}/0", scene.topic);
        let anew = ["--partition", &partition, "--decide", "committed", "--yes"];
        assert_eq!(scene.recover(&settings, &anew).result(), "refused", "half of it is written");
        let give_up = ["--partition", &partition, "--decide", "give-up", "--yes"];
        let written = scene.recover(&settings, &give_up);
        assert_eq!((written.code, written.result()), (Some(0), "written"), "{written:?}");
        let choice = &written.partition()["choices"][2];
        assert_eq!(choice["gives_up"], "[10, 20)", "{:#}", written.document);
        scene.finish(&daemon);
        let compared =
            verify::compare_contents(kafka(), &scene.topic, s3(), &scene.bucket, "topics/");
        let missing = compared.unwrap_err();
        let expected: Vec<_> =
            (10..20).filter(|n| missing.contains(&format!("\\\"n\\\":{n}}}"))).collect();
        assert_eq!(expected.len(), 5, "{missing}");
        assert!(missing.starts_with("5 faults"), "{missing}");
        let said = scene.verify(&settings);
        let findings = said.document["findings"].as_array().unwrap();
        assert!(!findings.is_empty(), "{:#}", said.document);
        for finding in findings {
            let start = finding["start"].as_i64().unwrap();
            let end = finding["end"].as_i64().unwrap();
            assert!(start >= 10 && end <= 20, "{finding:#}");
        }
    });
}

/// A daemon of the previous release died in the middle of its plan: the next one finishes it. Both
/// ran in one group.
#[test]
fn a_plan_of_the_previous_release_is_finished() {
    all_at_once(&EACH, |each| {
        let scene = Scene::new("upgrade", each);
        let (start, plan) = scene.kill_with_a_plan(1);
        let previous = plan.replace("sluice/1", "sluice/0").replace(" e=20 ", " k=10 ");
        scene.commit(start, &previous);
        let settings = scene.after();
        let daemon = settings.start();
        scene.finish(&daemon);
        assert!(!daemon.log().contains("partition stopped"), "{}", daemon.log_tail());
        scene.check(&settings, "topics/");
        let last = kafka().committed(&scene.group, &scene.topic)[0].clone();
        assert!(last.metadata.starts_with("sluice/1 none "), "it writes its own: {last:?}");
    });
}

/// A release that reads its own version only would stop there.
#[test]
fn a_release_without_the_previous_version_is_caught() {
    let scene = Scene::new("downgrade", EACH[0]);
    let (start, plan) = scene.kill_with_a_plan(1);
    let previous = plan.replace("sluice/1", "sluice/0").replace(" e=20 ", " k=10 ");
    scene.commit(start, &previous);
    let daemon = scene.settings.clone().env("SLUICE_MUTANT", "own-version-only").start();
    scene.until_stopped(&daemon, "metadata");
    daemon.stop_cleanly();
}
