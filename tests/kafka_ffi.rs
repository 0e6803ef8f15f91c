//! The calls over librdkafka against a real Apache Kafka.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // what tests do, in helpers too

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, ClientContext, TopicPartitionList};
use sluice::kafka::admin::{Admin, Watermarks};
use sluice::kafka::ffi::{
    Client, ClientHandle, CommitEntry, CommitQueue, Content, ErrorCode, Protocol, QueueHandle,
    WorkerQueue,
};
use sluice::model::{GroupId, Offset, Topic, TopicPartition};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);

fn bootstrap() -> String {
    support::kafka().bootstrap()
}

/// Returns a name that no other test and no earlier run uses.
fn fresh(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{number}-{}", std::process::id(), rand::random::<u32>())
}

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap());
    config
}

fn admin_client() -> AdminClient<DefaultClientContext> {
    config().create().unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn create_topic(name: &str) -> Topic {
    let topic = NewTopic::new(name, 2, TopicReplication::Fixed(1));
    wait(admin_client().create_topics([&topic], &AdminOptions::new())).unwrap()[0].clone().unwrap();
    Topic::new(name).unwrap()
}

fn partition(topic: &Topic, index: i32) -> TopicPartition {
    TopicPartition::new(topic.as_str(), index).unwrap()
}

fn offset(value: i64) -> Offset {
    Offset::new(value).unwrap()
}

/// Takes over the rebalance: reads everything from the first offset on, through one queue.
#[derive(Default)]
struct Taking {
    queue: OnceLock<QueueHandle>,
    rebalances: Mutex<Vec<(Protocol, RDKafkaRespErr)>>,
}

impl ClientContext for Taking {}

impl ConsumerContext for Taking {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        direction: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let client = Client::of(consumer);
        self.rebalances.lock().unwrap().push((client.protocol(), direction));
        let partitions: Vec<_> = list
            .elements()
            .iter()
            .map(|element| TopicPartition::new(element.topic(), element.partition()).unwrap())
            .collect();
        let queue = self.queue.get().unwrap();
        if direction == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let start = |partition: TopicPartition| {
                queue.forward(&partition).unwrap();
                (partition, Offset::ZERO)
            };
            client.assign(&partitions.into_iter().map(start).collect::<Vec<_>>()).unwrap();
        } else {
            client.unassign(&partitions).unwrap();
            for partition in &partitions {
                queue.unforward(partition);
            }
        }
    }
}

struct Member {
    // Dropped from the top: queue and handle go before the consumer closes.
    queue: WorkerQueue,
    handle: ClientHandle,
    consumer: Arc<BaseConsumer<Taking>>,
}

impl Member {
    /// The protocol is an assignment strategy of the classic one, or `consumer`.
    fn join(group: &str, protocol: &str, topic: &Topic) -> Self {
        let member = Self::create(group, protocol);
        member.consumer.subscribe(&[topic.as_str()]).unwrap();
        member
    }

    fn create(group: &str, protocol: &str) -> Self {
        let mut config = config();
        config.set("group.id", group).set("client.id", format!("sluice-{protocol}"));
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        config.set("enable.partition.eof", "true").set("auto.offset.reset", "error");
        config.set("isolation.level", "read_committed");
        if protocol == "consumer" {
            config.set("group.protocol", protocol);
        } else {
            config.set("partition.assignment.strategy", protocol);
        }
        let consumer: BaseConsumer<Taking> = config.create_with_context(Taking::default()).unwrap();
        let consumer = Arc::new(consumer);
        let handle = ClientHandle::new(&consumer);
        let queue = WorkerQueue::new(&handle).unwrap();
        assert!(consumer.context().queue.set(queue.handle()).is_ok());
        Self { queue, handle, consumer }
    }

    fn client(&self) -> Client<'_> {
        Client::of(&self.consumer)
    }

    fn generation(&self) -> i32 {
        self.client().membership().unwrap().generation
    }

    fn assigned(&self) -> usize {
        self.consumer.assignment().unwrap().count()
    }

    fn admin(&self) -> Admin {
        Admin::new(&self.handle, LONG)
    }
}

fn poll(members: &[&Member], what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < LONG, "waited too long for: {what}");
        for member in members {
            if let Some(message) = member.consumer.poll(SHORT) {
                panic!("leaked to the main queue: {message:?}");
            }
        }
    }
}

fn send(topic: &Topic, count: usize) {
    let producer: BaseProducer = config().create().unwrap();
    for index in 0..count {
        let headers =
            OwnedHeaders::new().insert(Header { key: "index", value: Some(&index.to_string()) });
        let value = format!("value {index}");
        let record = BaseRecord::<[u8], [u8]>::to(topic.as_str())
            .partition(i32::try_from(index % 2).unwrap())
            .payload(value.as_bytes())
            .headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(LONG).unwrap();
}

fn a_group_lives(protocol: &str, answered: Protocol) {
    let topic = create_topic(&fresh("live"));
    let group = fresh("group");
    send(&topic, 20);
    let mut first = Member::join(&group, protocol, &topic);
    poll(&[&first], "both partitions", || first.assigned() == 2);
    assert!(first.generation() > 0);

    let (mut records, mut ends) = (0, Vec::new());
    while records < 20 || ends.len() < 2 {
        for message in first.queue.read_batch(SHORT, 22).iter() {
            match message.content() {
                Content::Record(record) => {
                    let (name, value) = record.headers.get(0).unwrap();
                    let expected = record.offset.value() * 2 + i64::from(message.partition());
                    assert_eq!(name, b"index");
                    assert_eq!(value, Some(expected.to_string().as_bytes()));
                    records += 1;
                }
                Content::End(end) => ends.push((message.partition(), end.value())),
                Content::Error { code, .. } => panic!("{code}"),
            }
        }
    }
    ends.sort_unstable();
    assert_eq!(ends, [(0, 10), (1, 10)]);

    let mut commits = CommitQueue::new(&first.handle).unwrap();
    let entries = [0, 1].map(|index| CommitEntry {
        partition: partition(&topic, index),
        offset: offset(10),
        metadata: format!("plan of {index}"),
    });
    let request = commits.send(&entries).unwrap();
    let answer = commits.poll(LONG).unwrap();
    assert_eq!((answer.request, answer.error), (request, None));

    let before = first.client().membership().unwrap();
    let second = Member::join(&group, protocol, &topic);
    poll(&[&first, &second], "one partition each", || {
        (first.assigned(), second.assigned()) == (1, 1)
    });
    let after = first.client().membership().unwrap();
    assert_eq!(after.member_id, before.member_id);
    assert!(after.generation > before.generation, "{before:?} {after:?}");

    let described = first.admin().members(&GroupId::new(&group).unwrap()).unwrap();
    let mut ids: Vec<_> = described.iter().map(|member| member.member_id.clone()).collect();
    let mut known = [&first, &second].map(|member| member.client().membership().unwrap().member_id);
    ids.sort();
    known.sort();
    assert_eq!(ids, known);
    for member in &described {
        assert_eq!(member.client_id, format!("sluice-{protocol}"));
        assert!(member.host.contains("127.0.0.1"), "{member:?}");
    }
    let committed = second.client().committed(&[partition(&topic, 1)], LONG).unwrap();
    assert_eq!(committed[0].offset, Some(offset(10)));
    assert_eq!(committed[0].metadata, b"plan of 1");
    let rebalances = first.consumer.context().rebalances.lock().unwrap();
    assert!(rebalances.iter().all(|(protocol, _)| *protocol == answered), "{rebalances:?}");
}

#[test]
fn a_classic_group_reads_commits_and_rebalances() {
    a_group_lives("cooperative-sticky", Protocol::Cooperative);
}

#[test]
fn an_eager_group_reads_commits_and_rebalances() {
    a_group_lives("range", Protocol::Eager);
}

#[test]
fn a_group_of_the_new_protocol_reads_commits_and_rebalances() {
    a_group_lives("consumer", Protocol::Cooperative);
}

#[test]
fn commits_of_a_stranger_to_a_living_group_are_refused() {
    for protocol in ["range", "consumer"] {
        let topic = create_topic(&fresh("stranger"));
        let group = fresh("group");
        let member = Member::join(&group, protocol, &topic);
        poll(&[&member], "both partitions", || member.assigned() == 2);
        let stranger = Member::create(&group, "range");
        assert_eq!(stranger.generation(), -1);
        let mut commits = CommitQueue::new(&stranger.handle).unwrap();
        let entry = CommitEntry {
            partition: partition(&topic, 0),
            offset: Offset::ZERO,
            metadata: "plan".to_owned(),
        };
        commits.send(&[entry]).unwrap();
        let error = commits.poll(LONG).unwrap().error.and_then(ErrorCode::known);
        assert_eq!(error, Some(RDKafkaErrorCode::UnknownMemberId), "{protocol}");
    }
}

#[test]
fn too_long_metadata_is_refused_and_its_limit_is_known() {
    let topic = create_topic(&fresh("long"));
    let alone = Member::create(&fresh("group"), "range");
    let limit = alone.admin().commit_metadata_max().unwrap().unwrap();
    assert_eq!(limit, 4_096);
    let mut commits = CommitQueue::new(&alone.handle).unwrap();
    let long = usize::try_from(limit).unwrap();
    let entry = |index, length| CommitEntry {
        partition: partition(&topic, index),
        offset: Offset::ZERO,
        metadata: "x".repeat(length),
    };
    let too_large = Some(RDKafkaErrorCode::OffsetMetadataTooLarge);
    // librdkafka gives the error of one partition to all of a mixed request: the first was accepted.
    commits.send(&[entry(0, long), entry(1, long + 1)]).unwrap();
    let answer = commits.poll(LONG).unwrap();
    assert_eq!(answer.error.and_then(ErrorCode::known), too_large);
    assert_eq!(answer.partitions.len(), 2);
    assert!(answer.partitions.iter().all(|(_, error)| *error == answer.error), "{answer:?}");
    let asked = [partition(&topic, 0), partition(&topic, 1)];
    let committed = alone.client().committed(&asked, LONG).unwrap();
    assert_eq!(committed[0].metadata.len(), long);
    assert_eq!(committed[1].offset, None);
    // Alone each is told the truth.
    for (entry, error) in [(entry(0, long), None), (entry(1, long + 1), too_large)] {
        commits.send(&[entry]).unwrap();
        let answer = commits.poll(LONG).unwrap();
        assert_eq!(answer.error.and_then(ErrorCode::known), error);
    }
}

#[test]
fn a_topic_created_anew_has_another_id() {
    let name = fresh("anew");
    let topic = create_topic(&name);
    let absent = Topic::new(&fresh("absent")).unwrap();
    let member = Member::create(&fresh("group"), "range");
    let described = member.admin().topics(&[topic.clone(), absent.clone()]).unwrap();
    let first = described[&topic].as_ref().unwrap();
    assert_eq!(first.partitions, 2);
    assert!(first.id.is_known() && first.leaderless.is_empty());
    let error = described[&absent].as_ref().unwrap_err().known();
    assert_eq!(error, Some(RDKafkaErrorCode::UnknownTopicOrPartition));

    wait(admin_client().delete_topics(&[&name], &AdminOptions::new())).unwrap()[0].clone().unwrap();
    create_topic(&name);
    let started = Instant::now();
    loop {
        let described = member.admin().topics(std::slice::from_ref(&topic)).unwrap();
        match &described[&topic] {
            Ok(second) if second.id != first.id => break,
            Ok(_) | Err(_) => assert!(started.elapsed() < LONG),
        }
    }
}

#[test]
fn watermarks_and_cluster_are_known_and_an_absent_group_has_no_members() {
    let topic = create_topic(&fresh("marks"));
    send(&topic, 6);
    let admin = Member::create(&fresh("group"), "range").admin();
    let marks = admin.watermarks(&partition(&topic, 1)).unwrap();
    assert_eq!(marks, Watermarks { low: Offset::ZERO, high: offset(3) });
    assert!(admin.cluster_id().is_some());
    assert_eq!(admin.members(&GroupId::new(&fresh("absent")).unwrap()).unwrap(), []);
}

/// Commits for an empty group as another client may: OffsetCommit version 2, by hand.
fn commit_by_hand(group: &str, of: &TopicPartition, offset: i64, metadata: &[u8]) {
    fn text(out: &mut Vec<u8>, bytes: &[u8]) {
        out.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
        out.extend(bytes);
    }
    let mut body = Vec::new();
    body.extend([0, 8, 0, 2, 0, 0, 0, 1]); // OffsetCommit, version 2, correlation 1
    text(&mut body, b"foreign");
    text(&mut body, group.as_bytes());
    body.extend((-1_i32).to_be_bytes()); // no generation
    text(&mut body, b"");
    body.extend((-1_i64).to_be_bytes()); // the broker's retention
    body.extend(1_u32.to_be_bytes());
    text(&mut body, of.topic.as_str().as_bytes());
    body.extend(1_u32.to_be_bytes());
    body.extend(of.partition.value().to_be_bytes());
    body.extend(offset.to_be_bytes());
    text(&mut body, metadata);
    let mut stream = TcpStream::connect(bootstrap()).unwrap();
    stream.write_all(&u32::try_from(body.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    assert!(answer.ends_with(&[0, 0]), "the broker refuses: {answer:?}");
}

#[test]
fn metadata_of_another_client_is_read_whatever_it_holds() {
    let topic = create_topic(&fresh("foreign"));
    let group = fresh("group");
    let member = Member::create(&group, "range");
    let cases: [(&[u8], &[u8]); 3] = [
        (b"", b""),
        ("grün \u{1f600}".as_bytes(), "grün \u{1f600}".as_bytes()),
        // A Java broker keeps text: what is not UTF-8 comes back as the replacement character.
        (b"a\xffb", "a\u{fffd}b".as_bytes()),
    ];
    for (written, read) in cases {
        commit_by_hand(&group, &partition(&topic, 0), 5, written);
        let asked = [partition(&topic, 0), partition(&topic, 1)];
        let committed = member.client().committed(&asked, LONG).unwrap();
        assert_eq!(committed[0].offset, Some(offset(5)));
        assert_eq!(committed[0].metadata, read);
        assert_eq!((committed[1].offset, committed[1].error), (None, None));
    }
}
