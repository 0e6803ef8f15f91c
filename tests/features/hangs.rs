//! A store that hangs for longer than a member may be silent: the membership stays.

use std::thread::sleep;
use std::time::Duration;

use super::support::daemon::Settings;
use super::support::kafka::NewRecord;
use super::support::proxy::s3::{Operation, on};
use super::support::{Daemon, kafka, s3, verify};
use super::{SOON, Scene};

/// More than twice what Kafka is told that may pass between two polls.
const HANGS: Duration = Duration::from_secs(45);
const POLL_INTERVAL_MS: &str = "20000";
/// 20 KB each: more than the memory holds, so that reading comes to a stand.
const RECORDS: usize = 6_000;

fn large(numbers: std::ops::Range<usize>) -> Vec<NewRecord> {
    let filler = "x".repeat(20_000);
    let record = |number: usize| {
        NewRecord::of(format!("{{\"n\":{number},\"x\":\"{filler}\"}}"))
            .on_partition(i32::try_from(number % 4).unwrap())
    };
    numbers.map(record).collect()
}

fn rebalances(daemon: &Daemon) -> f64 {
    daemon.metric("sluice_rebalances_total", &[])
}

fn a_hanging_store_costs_nothing(scene: Scene) {
    let proxy = s3().proxy();
    let scene = scene
        .set("s3.endpoint", &format!("{:?}", proxy.endpoint()))
        .set("limits.memory", "\"64 MiB\"")
        .set("kafka.properties.\"max.poll.interval.ms\"", POLL_INTERVAL_MS)
        .hasty();
    let daemon = scene.settings.start();
    scene.produce(&large(0..40));
    scene.until_written(&daemon);
    let before = rebalances(&daemon);
    proxy.hang(on(Operation::PutObject).always());
    proxy.hang(on(Operation::UploadPart).always());
    proxy.hang(on(Operation::CreateMultipartUpload).always());
    for round in 0..RECORDS / 1_500 {
        scene.produce(&large(40 + round * 1_500..40 + (round + 1) * 1_500));
    }
    sleep(HANGS);
    assert!(scene.lag() > 0, "nothing could be written");
    assert_eq!(rebalances(&daemon), before, "while S3 hangs:\n{}", daemon.log_tail());
    proxy.clear();
    daemon.wait_until("everything to be written", 3 * SOON, || (scene.lag() == 0).then_some(()));
    assert_eq!(rebalances(&daemon), before, "after it healed:\n{}", daemon.log_tail());
    daemon.stop_cleanly();
    verify::check_contents(kafka(), &scene.topic, s3(), &scene.bucket, "topics/");
}

#[test]
fn a_hanging_store_costs_no_membership_and_no_record() {
    a_hanging_store_costs_nothing(Scene::new("hangs", 4));
}

#[test]
fn a_hanging_store_costs_no_membership_of_the_new_protocol() {
    let scene = Scene::new("hangs", 4);
    // Without the session's time-out, which brokers decide under this protocol.
    let settings = Settings::between(kafka(), s3(), &scene.group, &scene.bucket)
        .topics(&[&scene.topic])
        .set("kafka.protocol", "\"consumer\"");
    a_hanging_store_costs_nothing(Scene { settings, ..scene });
}
