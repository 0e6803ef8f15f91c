//! Against librdkafka's own mock brokers: no server is needed.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::list::PartitionList;
use super::*;
use crate::model::{Headers, Offset, TopicPartition};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

struct Kafka {
    // Dropped from the top: the client goes before its brokers.
    handle: ClientHandle,
    consumer: Arc<BaseConsumer>,
    producer: BaseProducer,
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Kafka {
    fn with_topics(topics: &[&str]) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for topic in topics {
            cluster.create_topic(topic, 2, 1).unwrap();
        }
        let servers = cluster.bootstrap_servers();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &servers)
            .set("group.id", "sluice")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let consumer = Arc::new(consumer);
        let producer = ClientConfig::new().set("bootstrap.servers", &servers).create().unwrap();
        Self { handle: ClientHandle::new(&consumer), consumer, producer, cluster }
    }

    fn client(&self) -> Client<'_> {
        Client::of(&self.consumer)
    }

    fn send(&self, record: BaseRecord<'_, [u8], [u8]>) {
        self.producer.send(record).map_err(|(error, _)| error).unwrap();
        self.producer.flush(LONG).unwrap();
    }

    fn send_values(&self, to: &TopicPartition, values: &[&str]) {
        for value in values {
            let record = BaseRecord::<[u8], [u8]>::to(to.topic.as_str())
                .partition(to.partition.value())
                .payload(value.as_bytes());
            self.send(record);
        }
    }

    /// Reads through a worker's queue from the first offset on.
    fn take(&self, queue: &WorkerQueue, partitions: &[TopicPartition]) {
        let starts = partitions.iter().map(|partition| {
            queue.handle().forward(partition).unwrap();
            (partition.clone(), Offset::ZERO)
        });
        self.client().assign(&starts.collect::<Vec<_>>()).unwrap();
    }
}

fn pin(index: i32) -> TopicPartition {
    TopicPartition::new("pin", index).unwrap()
}

/// Reads until `enough`; each message as partition, and value or what happened.
fn read(queue: &mut WorkerQueue, enough: impl Fn(&[(i32, String)]) -> bool) -> Vec<(i32, String)> {
    let (mut seen, started) = (Vec::new(), Instant::now());
    while !enough(&seen) {
        assert!(started.elapsed() < LONG, "only {seen:?}");
        for message in queue.read_batch(SHORT, 100).iter() {
            let text = match message.content() {
                Content::Record(record) => {
                    String::from_utf8_lossy(record.value.unwrap_or(b"null")).into_owned()
                }
                Content::End(offset) => format!("end {offset}"),
                Content::Error { code, .. } => code.to_string(),
            };
            seen.push((message.partition(), text));
        }
    }
    seen
}

#[test]
fn one_batch_holds_what_two_partitions_sent() {
    let kafka = Kafka::with_topics(&["pin"]);
    kafka.send_values(&pin(0), &["a"]);
    kafka.send_values(&pin(1), &["b", "c"]);
    let mut queue = WorkerQueue::new(&kafka.handle).unwrap();
    kafka.take(&queue, &[pin(0), pin(1)]);
    let batch = queue.read_batch(LONG, 5);
    assert_eq!(batch.len(), 5, "three records, two ends");
    let first = batch.get(0).unwrap();
    let of_first = batch.iter().filter(|message| message.place() == first.place()).count();
    assert_eq!(of_first, if first.partition() == 0 { 2 } else { 3 });
    let ends = batch.iter().filter_map(|message| match message.content() {
        Content::End(offset) => Some((message.partition(), offset.value())),
        Content::Record(_) | Content::Error { .. } => None,
    });
    let mut ends: Vec<_> = ends.collect();
    ends.sort_unstable();
    assert_eq!(ends, [(0, 1), (1, 2)]);
    assert!(batch.iter().all(|message| message.is_of(&pin(message.partition()))));
    assert!(!first.is_of(&TopicPartition::new("pi", first.partition()).unwrap()));
}

#[test]
fn a_record_comes_with_key_value_time_and_headers_and_null_is_not_empty() {
    let kafka = Kafka::with_topics(&["pin"]);
    let headers = OwnedHeaders::new()
        .insert(Header { key: "kind", value: Some("a".as_bytes()) })
        .insert(Header::<&[u8]> { key: "none", value: None })
        .insert(Header { key: "kind", value: Some(b"".as_slice()) });
    let to = || BaseRecord::<[u8], [u8]>::to("pin").partition(0);
    kafka.send(to().key(b"k").payload(b"").timestamp(1_234).headers(headers));
    kafka.send(to().key(b""));
    let mut queue = WorkerQueue::new(&kafka.handle).unwrap();
    kafka.take(&queue, &[pin(0)]);
    let batch = queue.read_batch(LONG, 2);
    let first = batch.get(0).unwrap();
    let Content::Record(record) = first.content() else { panic!("{first:?}") };
    assert_eq!(record.offset, Offset::ZERO);
    assert_eq!((record.key, record.value), (Some(b"k".as_slice()), Some(b"".as_slice())));
    assert_eq!(record.timestamp.map(|at| at.millis()), Some(1_234));
    let headers = record.headers;
    assert_eq!(headers.get(0), Some((b"kind".as_slice(), Some(b"a".as_slice()))));
    assert_eq!(headers.get(1), Some((b"none".as_slice(), None)));
    assert_eq!(headers.get(2), Some((b"kind".as_slice(), Some(b"".as_slice()))));
    assert_eq!(headers.get(3), None);
    let second = batch.get(1).unwrap();
    let Content::Record(record) = second.content() else { panic!("{second:?}") };
    assert_eq!((record.key, record.value), (Some(b"".as_slice()), None));
    assert_eq!(second.get(0), None);
}

#[test]
fn a_wake_ends_the_read_that_waits_and_the_one_that_comes_next() {
    let kafka = Kafka::with_topics(&["pin"]);
    let mut queue = WorkerQueue::new(&kafka.handle).unwrap();
    let handle = queue.handle();
    let started = Instant::now();
    handle.wake();
    assert!(queue.read_batch(LONG, 10).is_empty());
    let waker = std::thread::spawn(move || {
        std::thread::sleep(SHORT);
        handle.wake();
    });
    assert!(queue.read_batch(LONG, 10).is_empty());
    waker.join().unwrap();
    assert!(started.elapsed() >= SHORT && started.elapsed() < LONG / 2);
}

#[test]
fn a_batch_outlives_its_queue_and_a_handle_does_not() {
    let kafka = Kafka::with_topics(&["pin"]);
    kafka.send_values(&pin(0), &["a"]);
    let mut queue = WorkerQueue::new(&kafka.handle).unwrap();
    kafka.take(&queue, &[pin(0)]);
    let batch = queue.read_batch(LONG, 1);
    let handle = queue.handle();
    drop(queue);
    assert_eq!(handle.forward(&pin(1)), Err(QueueError::ReaderGone));
    let message = batch.get(0).unwrap();
    let Content::Record(record) = message.content() else { panic!("{message:?}") };
    assert_eq!(record.value, Some(b"a".as_slice()));
    drop(batch);
    assert_eq!(handle.forward(&pin(1)), Err(QueueError::ReaderGone));
    handle.wake();
    handle.unforward(&pin(0));
}

#[test]
fn a_partition_moves_from_one_worker_to_another_without_loss() {
    let kafka = Kafka::with_topics(&["pin"]);
    let mut queues = [0, 1].map(|_| WorkerQueue::new(&kafka.handle).unwrap());
    for round in 0..20_i64 {
        let queue = &mut queues[usize::try_from(round % 2).unwrap()];
        kafka.send_values(&pin(0), &[&round.to_string()]);
        queue.handle().forward(&pin(0)).unwrap();
        let start = Offset::new(round).unwrap();
        kafka.client().assign(&[(pin(0), start)]).unwrap();
        let seen = read(queue, |seen| !seen.is_empty());
        assert_eq!(seen[0], (0, round.to_string()));
        kafka.client().unassign(&[pin(0)]).unwrap();
        queue.handle().unforward(&pin(0));
    }
}

#[test]
fn a_paused_partition_stays_paused_through_an_unassign_until_it_is_resumed() {
    let kafka = Kafka::with_topics(&["pin"]);
    kafka.send_values(&pin(0), &["a"]);
    let mut queue = WorkerQueue::new(&kafka.handle).unwrap();
    kafka.take(&queue, &[pin(0)]);
    read(&mut queue, |seen| seen.len() == 2);
    kafka.client().pause(&[pin(0)]).unwrap();
    kafka.client().unassign(&[pin(0)]).unwrap();
    kafka.take(&queue, &[pin(0)]);
    assert!(queue.read_batch(Duration::from_secs(1), 1).is_empty());
    kafka.client().resume(&[pin(0)]).unwrap();
    assert_eq!(read(&mut queue, |seen| !seen.is_empty())[0], (0, "a".to_owned()));
}

#[test]
fn a_seek_goes_back_and_an_unknown_partition_is_an_error() {
    let kafka = Kafka::with_topics(&["pin"]);
    kafka.send_values(&pin(0), &["a", "b"]);
    let mut queue = WorkerQueue::new(&kafka.handle).unwrap();
    kafka.take(&queue, &[pin(0)]);
    read(&mut queue, |seen| seen.len() == 3);
    kafka.client().seek(&[(pin(0), Offset::new(1).unwrap())], Duration::ZERO).unwrap();
    assert_eq!(read(&mut queue, |seen| seen.len() == 2)[0], (0, "b".to_owned()));
    let partition = TopicPartition::new("nowhere", 0).unwrap();
    let code = ErrorCode::from(RDKafkaErrorCode::UnknownPartition);
    let error = kafka.client().seek(&[(partition.clone(), Offset::ZERO)], Duration::ZERO);
    assert_eq!(error, Ok(vec![(partition, code)]));
}

fn entry(index: i32, offset: i64, metadata: &str) -> CommitEntry {
    let offset = Offset::new(offset).unwrap();
    CommitEntry { partition: pin(index), offset, metadata: metadata.to_owned() }
}

#[test]
fn commits_are_answered_in_order_and_read_back_with_their_metadata() {
    let kafka = Kafka::with_topics(&["pin"]);
    let mut commits = CommitQueue::new(&kafka.handle).unwrap();
    let first = commits.send(&[entry(0, 7, "plan 7"), entry(1, 9, "plan 9")]).unwrap();
    let second = commits.send(&[entry(0, 8, "plan 8")]).unwrap();
    let answer = commits.poll(LONG).unwrap();
    assert_eq!((answer.request, answer.error), (first, None));
    assert_eq!(answer.partitions, [(pin(0), None), (pin(1), None)]);
    assert_eq!(commits.poll(LONG).unwrap().request, second);
    assert_eq!(commits.poll(SHORT), None);
    let committed = kafka.client().committed(&[pin(0), pin(1)], LONG).unwrap();
    let found = committed.iter().map(|found| (found.offset.unwrap().value(), &found.metadata[..]));
    assert_eq!(found.collect::<Vec<_>>(), [(8, b"plan 8".as_slice()), (9, b"plan 9")]);
}

#[test]
fn metadata_that_is_no_text_is_read_as_it_is() {
    let kafka = Kafka::with_topics(&["pin"]);
    let mut commits = CommitQueue::new(&kafka.handle).unwrap();
    let mut list = PartitionList::new().unwrap();
    list.push(&pin(0), Some(Offset::ZERO), b"\xff\x00\xfe");
    commits.send_list(&list).unwrap();
    assert_eq!(commits.poll(LONG).unwrap().error, None);
    let committed = kafka.client().committed(&[pin(0), pin(1)], LONG).unwrap();
    assert_eq!(committed[0].metadata, b"\xff\x00\xfe");
    assert_eq!(
        committed[1],
        Committed { partition: pin(1), offset: None, metadata: Vec::new(), error: None }
    );
}

#[test]
fn the_code_of_a_refused_commit_comes_back() {
    let kafka = Kafka::with_topics(&["pin"]);
    let mut commits = CommitQueue::new(&kafka.handle).unwrap();
    for (code, known) in [
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RDKafkaErrorCode::IllegalGeneration),
        (
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE,
            RDKafkaErrorCode::OffsetMetadataTooLarge,
        ),
    ] {
        kafka.cluster.request_errors(RDKafkaApiKey::OffsetCommit, &[code]);
        let request = commits.send(&[entry(0, 7, "plan")]).unwrap();
        let answer = commits.poll(LONG).unwrap();
        assert_eq!(answer.request, request);
        assert_eq!(answer.error.and_then(ErrorCode::known), Some(known));
        assert_eq!(answer.partitions, [(pin(0), answer.error)]);
    }
}

#[test]
fn a_client_outside_of_its_group_has_no_generation() {
    let kafka = Kafka::with_topics(&["pin"]);
    let membership = kafka.client().membership().unwrap();
    assert_eq!(membership, Membership { member_id: String::new(), generation: -1 });
    assert_eq!(kafka.client().fatal_error(), None);
    assert!(!kafka.client().assignment_lost());
    assert_eq!(kafka.client().protocol(), Protocol::None);
    assert!(kafka.client().cluster_id(LONG).is_some());
    kafka.send_values(&pin(0), &["a"]);
    let watermarks = kafka.client().watermarks(&pin(0), LONG).unwrap();
    assert_eq!(watermarks, (Offset::ZERO, Offset::new(1).unwrap()));
}
