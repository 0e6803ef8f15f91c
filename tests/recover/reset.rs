//! `kafka-consumer-groups --reset-offsets` under a stopped daemon with a pending plan.

use super::support::{kafka, s3, verify};
use super::{EACH, Layout, Protocol, Scene, all_at_once};

impl Scene {
    fn reset(&self, to: &str) {
        let topic = format!("{}:0", self.topic);
        let arguments =
            ["--group", &self.group, "--topic", &topic, "--reset-offsets", to, "--execute"];
        self.kafka.consumer_groups(&arguments);
        let committed = &self.kafka.committed(&self.group, &self.topic)[0];
        assert_eq!(committed.metadata, "", "it wipes the plan: {committed:?}");
    }
}

/// Half of the plan is in the bucket, which tells the whole plan: it is finished as promised.
#[test]
fn offsets_reset_under_a_plan_are_recovered() {
    let cases = EACH.map(|each| [(each, "--to-earliest"), (each, "--to-current")]);
    all_at_once(cases.as_flattened(), |(each, to)| {
        let scene = Scene::new("reset", each);
        let (start, _) = scene.kill_with_a_plan(1);
        scene.reset(to);
        let settings = scene.after();
        let daemon = settings.start();
        scene.until_stopped(&daemon, "offsets_reset");
        let used = scene.recover(&settings, &["--decide", "committed", "--yes"]);
        assert_eq!((used.code, used.result()), (Some(1), "refused"), "{:#}", used.document);
        assert!(used.text("why").contains("set `layout.prefix`"), "{:#}", used.document);
        scene.decide(&settings, "offsets_reset", &["--decide", "continue"]);
        scene.finish(&daemon);
        assert!(daemon.log().contains("a pending plan is read again"), "{}", daemon.log_tail());
        scene.check(&settings, "topics/");
        let log = kafka().commit_history(&scene.group, &scene.topic);
        let pins = log.iter().filter(|commit| commit.offset == Some(start));
        assert!(pins.clone().any(|commit| commit.metadata.contains(" plan ")), "{log:?}");
    });
}

/// Nothing of the plan was put: the offset that the tool kept is as good as the plan.
#[test]
fn a_plan_that_left_nothing_can_be_read_anew() {
    all_at_once(&EACH, |each| {
        let scene = Scene::new("anew", each);
        scene.kill_with_a_plan(0);
        scene.reset("--to-current");
        let settings = scene.after();
        let daemon = settings.start();
        scene.until_stopped(&daemon, "offsets_reset");
        scene.decide(&settings, "offsets_reset", &["--decide", "committed"]);
        scene.finish(&daemon);
        scene.check(&settings, "topics/");
    });
}

/// Somebody wanted everything again: below a prefix of its own, or not at all.
#[test]
fn a_reset_that_was_meant_writes_below_an_unused_prefix() {
    let each = [(Protocol::Classic, Layout::Same), (Protocol::Consumer, Layout::Other)];
    all_at_once(&each, |each| {
        let scene = Scene::new("meant", each);
        scene.kill_with_a_plan(1);
        let before = s3().list(&scene.bucket, "topics/");
        scene.reset("--to-earliest");
        let old = scene.after().start();
        scene.until_stopped(&old, "offsets_reset");
        let settings = scene.after().set("layout.prefix", "\"again\"");
        let arguments = ["--decide", "committed", "--prefix", "topics"];
        scene.decide(&settings, "offsets_reset", &arguments);
        // Whoever writes below the old prefix must not take it.
        old.signal(super::Signal::Hangup);
        scene.until_stopped(&old, "decided_elsewhere");
        old.stop_cleanly();
        let daemon = settings.start();
        scene.finish(&daemon);
        assert_eq!(s3().list(&scene.bucket, "topics/"), before, "nothing came below the old one");
        verify::check_contents(kafka(), &scene.topic, s3(), &scene.bucket, "again/");
        scene.check(&settings, "again/");
    });
}
