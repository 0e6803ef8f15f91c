//! Starting and ending the process: exit codes, signals, plans that a kill left behind.

use std::time::Duration;

use super::support::daemon::{Daemon, Settings};
use super::support::kafka;
use super::support::kafka::topics::numbered;
use super::support::process::Signal;
use super::support::proxy::When;
use super::support::proxy::s3::{Operation, S3Proxy, on};
use super::support::{s3, unique};
use super::{SOON, Scene, expected};

const EXIT_CONFIG: i32 = 78;
const EXIT_AT_ONCE: i32 = 143;

#[test]
fn a_bad_file_ends_with_all_its_faults_and_exit_code_78() {
    let scene = Scene::new("faulty", 1)
        .set("seal.agee", "\"1 s\"")
        .set("layout.compression", "\"lzma\"")
        .set("layout.path", "\"{topic}/{day}\"")
        .set("s3.bucket", "\"No Bucket\"");
    let daemon = scene.settings.launch();
    assert_eq!(daemon.wait_for_end(SOON).code(), Some(EXIT_CONFIG));
    let log = daemon.log();
    for fault in ["`seal.agee`", "`layout.compression`", "lzma", "`layout.path`", "`s3.bucket`"] {
        assert!(log.contains(fault), "nothing about {fault} in:\n{log}");
    }
    assert!(kafka().members(&scene.group).is_empty());
}

/// The scene's daemon sees S3 through this proxy. The endpoint belongs to the layout.
fn through(scene: &Scene) -> (Scene, S3Proxy) {
    let proxy = s3().proxy();
    let endpoint = format!("{:?}", proxy.endpoint());
    let settings = scene.settings.clone().set("s3.endpoint", &endpoint);
    let scene = Scene {
        topic: scene.topic.clone(),
        group: scene.group.clone(),
        bucket: scene.bucket.clone(),
        settings,
    };
    (scene, proxy)
}

/// What the plan's object does after the kill.
#[derive(Debug, Clone, Copy)]
enum Put {
    NeverArrives,
    ArrivesLate,
}

/// A plan is an obligation: it is finished under its own layout, whatever the file says by then.
fn pending_plan_meets_another_layout(put: Put) {
    let (scene, proxy) = through(&Scene::new("planned", 1).hasty());
    let daemon = scene.settings.start();
    let hold = proxy.hold(on(Operation::PutObject).key("topics/"), When::Before);
    scene.produce(&numbered(0..3, 1));
    let key = hold.reached().key.clone();
    daemon.kill_9();
    scene.produce(&numbered(3..5, 1));
    match put {
        Put::NeverArrives => hold.drop_it(),
        Put::ArrivesLate => hold.deliver_and_drop_answer(),
    }
    let scene = scene
        .set("layout.prefix", "\"other\"")
        .set("layout.path", "\"{topic}/{time:%Y}/{partition}\"")
        .set("layout.time", "\"opened\"")
        .set("layout.compression", "\"gzip\"");
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    let texts = scene.texts();
    let first = format!("topics/{0}/partition=0/{0}+0+0000000000.json", scene.topic);
    assert_eq!(key, first, "{put:?}");
    assert!(texts[&first].starts_with("{\"n\":0}\n"), "{put:?}: {texts:?}");
    let begins = texts[&first].lines().count();
    let others: Vec<_> = texts.iter().filter(|(key, _)| **key != first).collect();
    let [(second, rest)] = others.as_slice() else { panic!("{put:?}: {texts:?}") };
    assert!(second.starts_with(&format!("other/{}/20", scene.topic)), "{put:?}: {second}");
    assert!(second.ends_with(&format!("/0/{}+0+{begins:010}.json.gz", scene.topic)), "{second}");
    let all = format!("{}{rest}", texts[&first]);
    assert_eq!(all, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n", "{put:?}");
}

#[test]
fn a_pending_plan_is_finished_under_its_own_layout() {
    pending_plan_meets_another_layout(Put::NeverArrives);
}

/// The dead daemon's request reaches the store before its successor's: the object is recognised.
#[test]
fn a_pending_plan_whose_object_is_there_is_recognised() {
    pending_plan_meets_another_layout(Put::ArrivesLate);
}

#[test]
fn a_second_sigterm_ends_at_once_and_loses_nothing() {
    let (scene, proxy) = through(&Scene::new("impatient", 1));
    let daemon = scene.settings.start();
    let hold = proxy.hold(on(Operation::PutObject).key("topics/"), When::Before);
    scene.produce(&numbered(0..3, 1));
    scene.until_read(&daemon, 3);
    daemon.signal(Signal::Terminate);
    hold.reached();
    daemon.signal(Signal::Terminate);
    let status = daemon.wait_for_end(Duration::from_secs(5));
    assert_eq!(status.code(), Some(EXIT_AT_ONCE), "{}", daemon.log_tail());
    drop(hold);
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    let key = format!("topics/{0}/partition=0/{0}+0+0000000000.json", scene.topic);
    assert_eq!(scene.texts(), expected([(key, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n")]));
}

/// The drain's deadline is kept although S3 never answers, and leaving the group waits for it no
/// second time; the plan waits for the next start.
#[test]
fn a_drain_that_cannot_finish_ends_at_its_deadline() {
    let (scene, proxy) = through(&Scene::new("hanging", 1).set("limits.drain", "\"20 s\""));
    let daemon = scene.settings.start();
    proxy.hang(on(Operation::PutObject).key("topics/").always());
    scene.produce(&numbered(0..3, 1));
    scene.until_read(&daemon, 3);
    let status = daemon.stop(Duration::from_secs(35));
    assert_eq!(status.code(), Some(0), "{}", daemon.log_tail());
    proxy.clear();
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    scene.check_default_layout();
}

/// More instances than partitions: whoever gets none is ready to take over.
fn a_spare_instance_is_ready(protocol: &str) {
    let (topic, group) = (unique("spare"), unique("group"));
    kafka().create_topic(&topic, 1);
    let settings = Settings::between(kafka(), s3(), &group, &s3().bucket("spare"))
        .topics(&[&topic])
        .set("kafka.protocol", &format!("{protocol:?}"));
    let instances = [settings.start(), settings.start()];
    instances.iter().for_each(Daemon::stop_cleanly);
}

#[test]
fn an_instance_without_a_partition_is_ready_too() {
    a_spare_instance_is_ready("classic");
}

/// librdkafka says nothing of a first assignment that is empty.
#[test]
fn an_instance_without_a_partition_is_ready_under_kip_848_too() {
    a_spare_instance_is_ready("consumer");
}
