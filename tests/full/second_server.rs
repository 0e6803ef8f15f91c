//! The daemon with MinIO as its store, where that differs from versitygw or could.
//!
//! It owns: kills between plan and publish, a multipart object whose Complete is asked twice, a
//! key that a stalled writer holds, and what `sluice check` says.
//! It does not own: every arrow (`arrows.rs`, on versitygw).

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;

use crate::support::daemon::Settings;
use crate::support::kafka::NewRecord;
use crate::support::kafka::topics::numbered;
use crate::support::proxy::When;
use crate::support::proxy::s3::{Canned, Operation, S3Proxy, on};
use crate::support::{Daemon, full_set, kafka, minio, report, runtime, unique, verify};

/// A session that ends, a replay, and MinIO's 30 s of patience with a stalled writer.
const DONE_IN: Duration = Duration::from_secs(150);
const PARTITIONS: usize = 3;
const LARGE_RECORDS: usize = 24;
const LARGE_VALUE_BYTES: usize = 512 * 1_024;

/// One topic between Kafka and MinIO, with a proxy before the store.
struct Scene {
    topic: String,
    group: String,
    bucket: String,
    proxy: S3Proxy,
    settings: Settings,
}

impl Scene {
    fn new(name: &str, partitions: usize, records: &[NewRecord]) -> Self {
        let (topic, group, bucket) = (unique(name), unique("group"), minio().bucket(name));
        kafka().create_topic(&topic, partitions);
        kafka().produce(&topic, records);
        let proxy = minio().proxy();
        let settings = Settings::new(&kafka().bootstrap(), &proxy.endpoint(), &group, &bucket)
            .topics(&[&topic])
            .set("kafka.properties.\"session.timeout.ms\"", "6000")
            .set("kafka.properties.\"heartbeat.interval.ms\"", "1000")
            .set("seal.age", "\"1 s\"")
            .set("log.level", "\"info,sluice=debug\"");
        Self { topic, group, bucket, proxy, settings }
    }

    /// Three partitions of ten records each, a batch each.
    fn small(name: &str) -> Self {
        let scene = Self::new(name, PARTITIONS, &numbered(0..10 * PARTITIONS, PARTITIONS));
        Self { settings: scene.settings.set("seal.records", "10"), ..scene }
    }

    /// One object of three parts.
    fn large(name: &str) -> Self {
        let records = (0..LARGE_RECORDS).map(|number| {
            let mut value = number.to_string().into_bytes();
            value.resize(LARGE_VALUE_BYTES, b'.');
            NewRecord::of(value)
        });
        let scene = Self::new(name, 1, &records.collect::<Vec<_>>());
        let settings = scene
            .settings
            .set("seal.records", &LARGE_RECORDS.to_string())
            .set("seal.age", "\"10 s\"")
            .set("s3.part_size", "\"5 MiB\"")
            .set("layout.format", "\"raw\"");
        Self { settings, ..scene }
    }

    /// A daemon that would seal and name otherwise, if it did not finish what was planned.
    fn start_successor(&self) -> Daemon {
        let settings = self.settings.clone().set("layout.compression", "\"gzip\"");
        settings.set("seal.records", "7").start()
    }

    /// The first object of partition 0.
    fn first_key(&self, extension: &str) -> String {
        let topic = &self.topic;
        format!("topics/{topic}/partition=0/{topic}+0+0000000000.{extension}")
    }

    /// Waits for a lag of 0, stops the daemon and compares bucket and topic.
    #[track_caller]
    fn finish(&self, daemon: &Daemon) {
        daemon.wait_until("a lag of 0", DONE_IN, || {
            (kafka().lag(&self.group, &self.topic) == 0).then_some(())
        });
        daemon.stop_cleanly();
        assert_eq!(kafka().lag(&self.group, &self.topic), 0);
        let compared = verify::compare_default_layout(kafka(), &self.topic, minio(), &self.bucket);
        compared.unwrap_or_else(|fault| panic!("{fault}\n{}", daemon.log()));
    }

    /// Uploads of one key that nobody has completed or aborted; MinIO lists no more at a time.
    fn unfinished_uploads(&self, key: &str) -> usize {
        let asked = minio().client().list_multipart_uploads().bucket(&self.bucket).prefix(key);
        runtime().block_on(asked.send()).unwrap().uploads().len()
    }
}

/// Whether the store sees the request of the daemon that was killed meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivered {
    Yes,
    No,
}

/// Kills the daemon while a plan is committed and the request that publishes it is held; the next
/// one finishes it under the planned name.
fn kill_between_plan_and_publish(scene: &Scene, operation: Operation, is_delivered: Delivered) {
    let key = scene.first_key(if operation == Operation::PutObject { "json" } else { "bin" });
    let hold = scene.proxy.hold(on(operation).key(&key), When::Before);
    let first = scene.settings.launch();
    first.wait_until("the request to be held", DONE_IN, || hold.is_reached().then_some(()));
    let plan = kafka().committed(&scene.group, &scene.topic).remove(0).metadata;
    assert!(plan.starts_with("sluice/1 plan "), "`{plan}` is no plan");
    first.kill_9();
    match is_delivered {
        Delivered::Yes => hold.deliver(),
        Delivered::No => hold.drop_it(),
    }
    let is_there = || minio().find(&scene.bucket, &key).is_some();
    assert_eq!(is_there(), is_delivered == Delivered::Yes, "{key}");
    let successor = scene.start_successor();
    scene.finish(&successor);
    assert!(is_there(), "{key} was planned");
}

#[test]
fn a_kill_between_plan_and_publish_is_finished() {
    if !full_set("a_kill_between_plan_and_publish_is_finished") {
        return;
    }
    for is_delivered in [Delivered::No, Delivered::Yes] {
        let scene = Scene::small("planned");
        kill_between_plan_and_publish(&scene, Operation::PutObject, is_delivered);
        let scene = Scene::large("uploaded");
        kill_between_plan_and_publish(&scene, Operation::CompleteMultipartUpload, is_delivered);
    }
    report("MinIO: four kills between plan and publish, each finished as planned");
}

/// The second Complete of an upload is refused here, where versitygw says 200 again.
#[test]
fn a_complete_whose_answer_is_lost_is_recognised() {
    if !full_set("a_complete_whose_answer_is_lost_is_recognised") {
        return;
    }
    for answer in [None, Some(Canned::error(500, "InternalError"))] {
        let scene = Scene::large("answer");
        let complete = || on(Operation::CompleteMultipartUpload);
        match answer {
            None => scene.proxy.drop_answers(complete()),
            Some(answer) => scene.proxy.deliver_then_answer(complete(), answer),
        }
        let daemon = scene.settings.launch();
        scene.finish(&daemon);
        assert_eq!(scene.unfinished_uploads(&scene.first_key("bin")), 0);
        assert!(minio().find(&scene.bucket, &scene.first_key("bin")).is_some());
    }
}

/// A writer that stopped in the middle of its body holds the key: everybody else waits.
#[test]
fn a_key_that_a_stalled_writer_holds_is_waited_for() {
    if !full_set("a_key_that_a_stalled_writer_holds_is_waited_for") {
        return;
    }
    let scene = Scene::small("stalled");
    let key = scene.first_key("json");
    let mut stalled = begin_to_put(&scene.bucket, &key);
    let daemon = scene.settings.launch();
    let is_asked = || scene.proxy.seen().iter().any(|request| request.key == key);
    daemon.wait_until("the other partitions to be written", DONE_IN, || {
        let committed = kafka().committed(&scene.group, &scene.topic);
        let are_written = committed[1..].iter().all(|commit| commit.offset == Some(10));
        (are_written && is_asked()).then_some(())
    });
    let held_up = kafka().committed(&scene.group, &scene.topic).remove(0);
    assert_eq!(held_up.offset, Some(0), "half a body holds the key");
    assert!(held_up.metadata.starts_with("sluice/1 plan "), "{held_up:?}");
    scene.finish(&daemon);
    // Too late, whether MinIO still listens or not: the object is the daemon's.
    stalled.write_all(b"rest").ok();
    verify::check_default_layout(kafka(), &scene.topic, minio(), &scene.bucket);
}

/// Sends head and half the body of a conditional PUT, as a writer that then sleeps.
fn begin_to_put(bucket: &str, key: &str) -> TcpStream {
    let hour = PresigningConfig::expires_in(Duration::from_secs(3_600)).unwrap();
    let put = minio().client().put_object().bucket(bucket).key(key).if_none_match("*");
    let signed = runtime().block_on(put.content_length(8).presigned(hour)).unwrap();
    let endpoint = minio().endpoint();
    let target = signed.uri().strip_prefix(&endpoint).unwrap();
    let host = endpoint.strip_prefix("http://").unwrap();
    let headers: String =
        signed.headers().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "PUT {target} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\nhalf").unwrap();
    stream
}

/// It says what this store lacks, and that it does.
#[test]
fn the_check_finds_the_second_server_good() {
    if !full_set("the_check_finds_the_second_server_good") {
        return;
    }
    let scene = Scene::small("checked");
    let checked = scene.settings.command("check", &[]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(0), "{said}");
    let warnings: Vec<&str> = said.lines().filter(|line| line.starts_with("warn ")).collect();
    assert!(warnings.iter().any(|line| line.contains(" s3.list_uploads ")), "{said}");
    assert!(!said.contains("FAIL "), "{said}");
    assert!(minio().list(&scene.bucket, "").is_empty(), "the probe is removed");
}
