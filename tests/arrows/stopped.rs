//! What stops one partition, and only that one; and that it goes on once a person has acted.

use aws_sdk_s3::primitives::ByteStream;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::case::{Case, DONE_IN, Data, Protocol, all_at_once};
use crate::support::process::Signal;
use crate::support::proxy::kafka::{Kind, on};
use crate::support::{Daemon, kafka, runtime, s3};

/// Waits until partition 0 is stopped for this reason and partition 1 is done.
#[track_caller]
pub(super) fn wait_until_only_the_first_is_stopped(case: &Case, daemon: &Daemon, reason: &str) {
    let first = ["partition=\"0\"", &format!("reason=\"{reason}\"")];
    daemon.wait_until("partition 0 to stop", DONE_IN, || {
        (daemon.metric("sluice_partition_stopped", &first) == 1.0).then_some(())
    });
    let second = ["partition=\"1\"", "stage=\"committed\""];
    let end = kafka().end_offsets(&case.topic)[1] as f64;
    daemon.wait_until("partition 1 to be done", DONE_IN, || {
        (daemon.metric("sluice_partition_offset", &second) >= end).then_some(())
    });
    assert_eq!(daemon.metric("sluice_partition_stopped", &["partition=\"1\""]), 0.0);
}

#[test]
fn an_object_of_another_program_under_our_name() {
    let case = Case::new("foreign", Data::Small);
    let key = format!("topics/{0}/partition=0/{0}+0+0000000000.json", case.topic);
    s3().put(&case.bucket, &key, b"of another program\n");
    let daemon = case.settings.launch();
    wait_until_only_the_first_is_stopped(&case, &daemon, "unknown_object");
    assert_eq!(s3().get(&case.bucket, &key), b"of another program\n");
    daemon.stop_cleanly();
    // The person moves it away; the plan is pending and is finished.
    s3().delete(&case.bucket, &key);
    let daemon = case.settings.start();
    case.finish(&daemon);
}

/// What an object says about itself may be anybody's text.
#[test]
fn an_object_under_our_name_whose_metadata_cannot_be_read() {
    let damaged: [&[(&str, &str)]; 3] = [
        &[("sluice-version", "9"), ("sluice-batch", "0123456789abcdef")],
        &[("sluice-version", "1"), ("sluice-batch", "0123456789abc")],
        &[("sluice-version", "1"), ("sluice-batch", "0123456789abcdef"), ("sluice-first", "?")],
    ];
    all_at_once(&damaged, |metadata| {
        let case = Case::new("damaged", Data::Small);
        let key = format!("topics/{0}/partition=0/{0}+0+0000000000.json", case.topic);
        let put = s3().client().put_object().bucket(&case.bucket).key(&key);
        let put = metadata.iter().fold(put, |put, (name, value)| put.metadata(*name, *value));
        runtime().block_on(put.body(ByteStream::from_static(b"damaged\n")).send()).unwrap();
        let daemon = case.settings.launch();
        wait_until_only_the_first_is_stopped(&case, &daemon, "unknown_object");
        assert_eq!(s3().get(&case.bucket, &key), b"damaged\n");
        s3().delete(&case.bucket, &key);
        daemon.signal(Signal::Hangup);
        case.finish(&daemon);
    });
}

/// An object of another group: written by a daemon of ours, so that it names its batch.
#[test]
fn an_object_of_another_pipeline_under_our_name() {
    let case = Case::new("pipelines", Data::Small);
    let other = case.settings.clone().set("kafka.group_id", "\"pipelines-other\"");
    let daemon = other.start();
    case.wait_until_done(&daemon);
    daemon.stop_cleanly();
    let before = s3().list(&case.bucket, "topics/");
    let daemon = case.settings.launch();
    daemon.wait_until("both partitions to stop", DONE_IN, || {
        let of = ["reason=\"foreign_object\""];
        (daemon.metric("sluice_partition_stopped", &of) == 2.0).then_some(())
    });
    daemon.stop_cleanly();
    assert_eq!(s3().list(&case.bucket, "topics/"), before);
    case.check_bucket(&daemon);
}

#[derive(Debug, Clone, Copy)]
enum Effect {
    None,
    Taken,
}

#[test]
fn a_commit_that_is_not_authorized() {
    all_at_once(&[Effect::None, Effect::Taken], |effect| {
        let case = Case::behind_both("authorization", Data::Small, Protocol::Classic);
        let proxy = case.kafka_proxy();
        let rule = on(Kind::OffsetCommit)
            .with_commit(|commit| {
                commit.partition == 0 && commit.metadata.starts_with("sluice/1 plan ")
            })
            .always();
        let code = Code::TopicAuthorizationFailed as i16;
        match effect {
            Effect::None => proxy.refuse_commits(rule, code),
            Effect::Taken => proxy.deliver_then_refuse_commits(rule, code),
        }
        let daemon = case.settings.launch();
        wait_until_only_the_first_is_stopped(&case, &daemon, "commit_refused");
        daemon.stop_cleanly();
        proxy.clear();
        let daemon = case.settings.start();
        case.finish(&daemon);
    });
}
