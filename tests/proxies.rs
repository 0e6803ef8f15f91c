//! The two proxies, before the real servers: each way to hold, drop, delay and forge a step.

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use bytes::BytesMut;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{ApiKey, GroupId, RequestHeader, TopicName};
use kafka_protocol::protocol::{Encodable, StrBytes};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use support::kafka::Options;
use support::kafka::topics::numbered;
use support::proxy::When;
use support::proxy::kafka::{KafkaProxy, Kind, on as on_kind};
use support::proxy::s3::{Canned, Operation, S3Proxy, on};
use support::{Kafka, kafka, runtime, s3, unique, wait};

const SOON: Duration = Duration::from_secs(30);

/// A client that never sends anything twice.
fn client(proxy: &S3Proxy) -> Client {
    let client = s3::client(&proxy.endpoint());
    let config = client.config().to_builder().retry_config(RetryConfig::disabled());
    let timeout = TimeoutConfig::builder().operation_timeout(Duration::from_secs(3)).build();
    Client::from_conf(config.timeout_config(timeout).build())
}

/// Puts only where nothing is; the error code or "" for one without a code.
fn put(client: &Client, bucket: &str, key: &str) -> Result<(), String> {
    let body = ByteStream::from_static(b"body");
    let put = client.put_object().bucket(bucket).key(key).body(body).if_none_match("*").send();
    let answer = runtime().block_on(put);
    answer.map(drop).map_err(|error| error.code().unwrap_or_default().to_owned())
}

/// Uploads one object in one part; the error code of Complete.
fn upload(client: &Client, bucket: &str, key: &str) -> Result<(), String> {
    use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
    runtime().block_on(async {
        let create = client.create_multipart_upload().bucket(bucket).key(key);
        let created = create.checksum_algorithm(ChecksumAlgorithm::Crc32).send().await;
        let id = created.unwrap().upload_id().unwrap().to_owned();
        let body = ByteStream::from_static(b"part");
        let part = client.upload_part().bucket(bucket).key(key).upload_id(&id).part_number(1);
        let part = part.body(body).send().await.unwrap();
        let part = CompletedPart::builder()
            .part_number(1)
            .set_e_tag(part.e_tag().map(str::to_owned))
            .set_checksum_crc32(part.checksum_crc32().map(str::to_owned))
            .build();
        let parts = CompletedMultipartUpload::builder().parts(part).build();
        let complete = client.complete_multipart_upload().bucket(bucket).key(key);
        let answer = complete.upload_id(&id).multipart_upload(parts).send().await;
        answer.map(drop).map_err(|error| error.code().unwrap_or_default().to_owned())
    })
}

#[test]
fn s3_operations_and_keys_are_told_apart() {
    let (bucket, proxy) = (s3().bucket("operations"), s3().proxy());
    let client = client(&proxy);
    put(&client, &bucket, "a b/ü+1").unwrap();
    upload(&client, &bucket, "large").unwrap();
    runtime().block_on(async {
        client.head_object().bucket(&bucket).key("large").send().await.unwrap();
        client.get_object().bucket(&bucket).key("large").send().await.unwrap();
        client.list_objects_v2().bucket(&bucket).send().await.unwrap();
        client.list_multipart_uploads().bucket(&bucket).send().await.unwrap();
        client.delete_object().bucket(&bucket).key("large").send().await.unwrap();
        client.head_bucket().bucket(&bucket).send().await.unwrap();
    });
    let seen: Vec<_> = proxy.seen().iter().map(|one| (one.operation, one.key.clone())).collect();
    let large = |operation| (operation, "large".to_owned());
    let none = |operation| (operation, String::new());
    let expected = [
        (Operation::PutObject, "a b/ü+1".to_owned()),
        large(Operation::CreateMultipartUpload),
        large(Operation::UploadPart),
        large(Operation::CompleteMultipartUpload),
        large(Operation::HeadObject),
        large(Operation::GetObject),
        none(Operation::ListObjects),
        none(Operation::ListMultipartUploads),
        large(Operation::DeleteObject),
        none(Operation::HeadBucket),
    ];
    assert_eq!(seen, expected);
    assert_eq!(proxy.seen()[0].header("if-none-match"), Some("*"));
}

#[test]
fn a_put_held_before_the_server_is_delivered_or_dropped() {
    let (bucket, proxy) = (s3().bucket("before"), s3().proxy());
    let client = client(&proxy);
    let hold = proxy.hold(on(Operation::PutObject).key("held"), When::Before);
    thread::scope(|scope| {
        let putting = scope.spawn(|| put(&client, &bucket, "held"));
        assert_eq!(hold.reached().key, "held");
        put(&client, &bucket, "other").unwrap();
        assert_eq!(s3().list(&bucket, ""), ["other"]);
        hold.deliver();
        assert_eq!(s3().list(&bucket, ""), ["held", "other"]);
        assert_eq!(putting.join().unwrap(), Ok(()));
    });
    let hold = proxy.hold(on(Operation::PutObject), When::Before);
    thread::scope(|scope| {
        let putting = scope.spawn(|| put(&client, &bucket, "dropped"));
        hold.drop_it();
        assert_eq!(putting.join().unwrap(), Err(String::new()));
    });
    assert_eq!(s3().find(&bucket, "dropped"), None);
}

#[test]
fn a_put_takes_effect_though_its_client_is_gone() {
    let (bucket, proxy) = (s3().bucket("gone"), s3().proxy());
    let hold = proxy.hold(on(Operation::PutObject), When::Before);
    // The client's own deadline is over first.
    assert_eq!(put(&client(&proxy), &bucket, "late"), Err(String::new()));
    assert_eq!(s3().find(&bucket, "late"), None);
    hold.deliver_and_drop_answer();
    assert_eq!(s3().get(&bucket, "late"), b"body");
    assert_eq!(
        put(&client(&proxy), &bucket, "late"),
        Err("PreconditionFailed".to_owned()),
        "the server saw the put once"
    );
}

#[test]
fn an_answer_is_held_dropped_and_replaced_after_the_server_acted() {
    let (bucket, proxy) = (s3().bucket("after"), s3().proxy());
    let client = client(&proxy);
    let hold = proxy.hold(on(Operation::CompleteMultipartUpload), When::After);
    thread::scope(|scope| {
        let uploading = scope.spawn(|| upload(&client, &bucket, "held"));
        hold.reached();
        assert_eq!(s3().get(&bucket, "held"), b"part");
        hold.deliver();
        assert_eq!(uploading.join().unwrap(), Ok(()));
    });
    proxy.drop_answers(on(Operation::PutObject).key("dropped"));
    assert_eq!(put(&client, &bucket, "dropped"), Err(String::new()));
    assert_eq!(s3().get(&bucket, "dropped"), b"body");
    proxy.deliver_then_answer(on(Operation::PutObject), Canned::error(503, "SlowDown"));
    assert_eq!(put(&client, &bucket, "replaced"), Err("SlowDown".to_owned()));
    assert_eq!(s3().get(&bucket, "replaced"), b"body");
}

#[test]
fn canned_answers_come_as_often_as_asked() {
    let (bucket, proxy) = (s3().bucket("canned"), s3().proxy());
    let client = client(&proxy);
    for (status, code) in [
        (500, "InternalError"),
        (503, "SlowDown"),
        (403, "AccessDenied"),
        (409, "ConditionalRequestConflict"),
        (412, "PreconditionFailed"),
    ] {
        let rule = on(Operation::PutObject).key(code).skip(1).times(2);
        proxy.answer(rule, Canned::error(status, code));
        put(&client, &bucket, &format!("{code}-0")).unwrap();
        assert_eq!(put(&client, &bucket, &format!("{code}-1")), Err(code.to_owned()));
        assert_eq!(put(&client, &bucket, &format!("{code}-2")), Err(code.to_owned()));
        put(&client, &bucket, &format!("{code}-1")).unwrap();
    }
    let complete = || on(Operation::CompleteMultipartUpload);
    proxy.answer(complete(), Canned::error_inside_200("InternalError"));
    assert_eq!(upload(&client, &bucket, "large"), Err("InternalError".to_owned()));
    proxy.answer(complete(), Canned::error(404, "NoSuchUpload"));
    assert_eq!(upload(&client, &bucket, "large"), Err("NoSuchUpload".to_owned()));
    assert_eq!(s3().unfinished_uploads(&bucket), ["large", "large"]);
}

#[test]
fn s3_is_slow_hangs_and_vanishes() {
    let (bucket, proxy) = (s3().bucket("network"), s3().proxy());
    let client = client(&proxy);
    proxy.delay(on(Operation::PutObject).key("slow"), Duration::from_millis(300));
    let start = Instant::now();
    put(&client, &bucket, "slow").unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300));
    proxy.hang(on(Operation::PutObject).key("hangs").always());
    assert_eq!(put(&client, &bucket, "hangs"), Err(String::new()));
    assert_eq!(s3().find(&bucket, "hangs"), None);
    proxy.connections().cut_off();
    assert_eq!(put(&client, &bucket, "cut"), Err(String::new()));
    proxy.connections().reconnect();
    put(&client, &bucket, "cut").unwrap();
}

/// A consumer behind the proxy that commits by hand.
fn consumer(proxy: &KafkaProxy, group: &str) -> BaseConsumer {
    kafka()
        .client()
        .set("bootstrap.servers", proxy.bootstrap())
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "200")
        .create()
        .unwrap()
}

fn commit_at(topic: &str, offset: i64, metadata: &str) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(topic, 0);
    element.set_offset(Offset::Offset(offset)).unwrap();
    element.set_metadata(metadata);
    list
}

fn new_topic() -> String {
    let topic = unique("proxied");
    kafka().create_topic(&topic, 1);
    kafka().produce(&topic, &numbered(0..10, 1));
    topic
}

fn committed(group: &str, topic: &str) -> Option<i64> {
    kafka().committed(group, topic)[0].offset
}

/// Polls until the consumer has read a record, which means that it is a member.
fn join(consumer: &BaseConsumer, topic: &str) {
    consumer.subscribe(&[topic]).unwrap();
    wait::until("the first record", SOON, || consumer.poll(Duration::from_millis(100))?.ok());
}

#[test]
fn brokers_are_only_known_by_the_addresses_of_the_proxy() {
    let cluster = Kafka::start(Options { brokers: 3, ..Options::default() });
    let proxy = cluster.proxy();
    let mut client = cluster.client();
    let client = client.set("bootstrap.servers", proxy.bootstrap());
    let reader: BaseConsumer = client.set("group.id", "group").create().unwrap();
    let metadata = reader.fetch_metadata(None, SOON).unwrap();
    let mut known: Vec<String> =
        metadata.brokers().iter().map(|one| format!("{}:{}", one.host(), one.port())).collect();
    known.sort();
    let mut expected: Vec<String> = proxy.bootstrap().split(',').map(str::to_owned).collect();
    expected.sort();
    assert_eq!(known, expected);
    // A leader dies: the client goes on with another one, still through the proxy.
    cluster.create_topic("moving", 3);
    cluster.produce("moving", &numbered(0..30, 3));
    cluster.kill_9_broker(0);
    assert_eq!(cluster.read_topic("moving").len(), 30);
    let mut list = TopicPartitionList::new();
    list.add_partition_range("moving", 0, 2);
    list.set_all_offsets(Offset::Beginning).unwrap();
    reader.assign(&list).unwrap();
    for _ in 0..30 {
        wait::until("a record", SOON, || reader.poll(Duration::from_millis(100))?.ok());
    }
    cluster.restart();
    assert!(proxy.count(Kind::Fetch) > 0);
}

#[test]
fn a_commit_held_before_the_broker_is_read_and_delivered_while_heartbeats_pass() {
    let (topic, group, proxy) = (new_topic(), unique("group"), kafka().proxy());
    let consumer = consumer(&proxy, &group);
    join(&consumer, &topic);
    let rule = on_kind(Kind::OffsetCommit).containing(&group).with_commit(|one| one.offset == 4);
    let hold = proxy.hold(rule, When::Before);
    thread::scope(|scope| {
        let (committer, list) = (&consumer, commit_at(&topic, 4, "a plan"));
        let committing = scope.spawn(move || committer.commit(&list, CommitMode::Sync));
        let held = hold.reached();
        let commit = &held.commits()[0];
        assert_eq!((commit.topic.as_str(), commit.partition, commit.offset), (&*topic, 0, 4));
        assert_eq!(commit.metadata, "a plan");
        assert_eq!(held.client_id, "tests");
        let heartbeats = proxy.count(Kind::Heartbeat);
        wait::until("three heartbeats", SOON, || {
            (proxy.count(Kind::Heartbeat) >= heartbeats + 3).then_some(())
        });
        assert_eq!(committed(&group, &topic), None);
        hold.deliver();
        assert_eq!(committed(&group, &topic), Some(4));
        committing.join().unwrap().unwrap();
    });
}

#[test]
fn a_commit_is_delivered_though_its_client_is_gone() {
    let (topic, group, proxy) = (new_topic(), unique("group"), kafka().proxy());
    // The coordinator is found and loaded.
    assert_eq!(committed(&group, &topic), None);
    let hold = proxy.hold(on_kind(Kind::OffsetCommit), When::Before);
    let mut client = TcpStream::connect(proxy.bootstrap()).unwrap();
    client.write_all(&commit_frame(&group, &topic, 5)).unwrap();
    hold.reached();
    drop(client);
    assert_eq!(committed(&group, &topic), None);
    hold.deliver();
    assert_eq!(committed(&group, &topic), Some(5));
}

/// A commit of a client that is not in the group, as it travels.
fn commit_frame(group: &str, topic: &str, offset: i64) -> Vec<u8> {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = OffsetCommitRequestTopic::default()
        .with_name(TopicName(text(topic)))
        .with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(group)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    // The second version of the request goes with the first one of the header.
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::OffsetCommit as i16)
        .with_request_api_version(2)
        .with_correlation_id(1)
        .with_client_id(Some(text("raw")));
    let mut frame = BytesMut::new();
    header.encode(&mut frame, 1).unwrap();
    request.encode(&mut frame, 2).unwrap();
    [&u32::try_from(frame.len()).unwrap().to_be_bytes(), frame.as_ref()].concat()
}

#[test]
fn a_lost_answer_makes_the_client_commit_again() {
    let (topic, group, proxy) = (new_topic(), unique("group"), kafka().proxy());
    let consumer = consumer(&proxy, &group);
    let hold = proxy.hold(on_kind(Kind::OffsetCommit), When::After);
    thread::scope(|scope| {
        let (committer, list) = (&consumer, commit_at(&topic, 6, ""));
        let committing = scope.spawn(move || committer.commit(&list, CommitMode::Sync));
        hold.reached();
        assert_eq!(committed(&group, &topic), Some(6));
        hold.deliver_and_drop_answer();
        // librdkafka says that it does not know, or has repeated it.
        committing.join().unwrap().ok();
    });
    proxy.drop_requests(on_kind(Kind::OffsetFetch));
    let asked = consumer.committed_offsets(commit_at(&topic, 0, ""), SOON).unwrap();
    assert_eq!(asked.elements()[0].offset(), Offset::Offset(6));
    assert!(proxy.count(Kind::OffsetFetch) >= 2, "the first one was cut");
}

#[test]
fn commits_are_refused_with_and_without_effect() {
    let (topic, group, proxy) = (new_topic(), unique("group"), kafka().proxy());
    let consumer = consumer(&proxy, &group);
    let refused = |offset| {
        let answer = consumer.commit(&commit_at(&topic, offset, ""), CommitMode::Sync);
        answer.unwrap_err().rdkafka_error_code()
    };
    proxy.refuse_commits(on_kind(Kind::OffsetCommit), RDKafkaErrorCode::UnknownMemberId as i16);
    assert_eq!(refused(7), Some(RDKafkaErrorCode::UnknownMemberId));
    assert_eq!(committed(&group, &topic), None);
    let code = RDKafkaErrorCode::IllegalGeneration as i16;
    proxy.deliver_then_refuse_commits(on_kind(Kind::OffsetCommit), code);
    assert_eq!(refused(8), Some(RDKafkaErrorCode::IllegalGeneration));
    assert_eq!(committed(&group, &topic), Some(8));
}

#[test]
fn kafka_vanishes_and_comes_back() {
    let (topic, group, proxy) = (new_topic(), unique("group"), kafka().proxy());
    let consumer = consumer(&proxy, &group);
    join(&consumer, &topic);
    proxy.connections().cut_off();
    wait::until("an error", SOON, || consumer.poll(Duration::from_millis(100))?.err());
    kafka().produce(&topic, &numbered(10..11, 1));
    proxy.connections().reconnect();
    proxy.delay(on_kind(Kind::Fetch), Duration::from_millis(200));
    wait::until("the last record", SOON, || {
        let message = consumer.poll(Duration::from_millis(100))?.ok()?;
        (rdkafka::Message::offset(&message) == 10).then_some(())
    });
}
