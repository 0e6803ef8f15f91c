//! Topics and their records, through rdkafka as an independent client.
//!
//! It owns: creating, growing and deleting topics; producing, in transactions too; reading a topic
//! from its beginning to its end.
//! It does not own: groups (`groups.rs`).

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use super::Kafka;
use super::groups::patiently;
use crate::support::{runtime, unique, wait};

/// A producer that tells where each record went.
pub type Producing = ThreadedProducer<Deliveries>;

const ANSWER_IN: Duration = Duration::from_secs(60);

/// A record to be produced.
#[derive(Debug, Clone, Default)]
pub struct NewRecord {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    /// None is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Milliseconds; the producer's clock if there is none.
    pub timestamp_ms: Option<i64>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl NewRecord {
    /// A record of partition 0 with this value.
    pub fn of(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    pub fn tombstone(key: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(key.into()), ..Self::default() }
    }

    pub fn on_partition(self, partition: i32) -> Self {
        Self { partition, ..self }
    }

    pub fn with_key(self, key: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    pub fn at_ms(self, timestamp_ms: i64) -> Self {
        Self { timestamp_ms: Some(timestamp_ms), ..self }
    }

    pub fn with_header(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.push((name.to_owned(), Some(value.to_vec())));
        self
    }
}

/// `{"n":7}` for each number, each once over all partitions in turn: the content says which.
pub fn numbered(numbers: std::ops::Range<usize>, partitions: usize) -> Vec<NewRecord> {
    numbers
        .map(|number| {
            NewRecord::of(format!(r#"{{"n":{number}}}"#))
                .on_partition(i32::try_from(number % partitions).unwrap())
        })
        .collect()
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    Commit,
    Abort,
}

/// A record as a consumer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRecord {
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Kafka {
    pub fn create_topic(&self, topic: &str, partitions: usize) {
        self.create_topic_with(topic, partitions, &[]);
    }

    /// Creates a topic with settings of its own and returns when its leaders are known.
    pub fn create_topic_with(&self, topic: &str, partitions: usize, settings: &[(&str, &str)]) {
        let new =
            NewTopic::new(topic, i32::try_from(partitions).unwrap(), TopicReplication::Fixed(-1));
        let new = settings.iter().fold(new, |new, (key, value)| new.set(key, value));
        self.create(&new);
    }

    /// Creates a topic of one partition, which this broker (its index) alone holds.
    pub fn create_topic_on(&self, topic: &str, broker: i32) {
        let brokers = [broker + 1];
        let placed = [&brokers[..]];
        self.create(&NewTopic::new(topic, 1, TopicReplication::Variable(&placed)));
    }

    fn create(&self, new: &NewTopic<'_>) {
        let (topic, partitions) = (new.name, usize::try_from(new.num_partitions).unwrap());
        let admin = self.admin();
        // A topic just deleted may still be on its way out.
        wait::until(&format!("the creation of `{topic}`"), ANSWER_IN, || {
            match runtime().block_on(admin.create_topics([new], &AdminOptions::new())) {
                Ok(mut answers) => answers.remove(0).ok(),
                // Nothing was sent: the client has let go of the broker it was to go to, the one that
                // it was started with, for one that the cluster named.
                Err(KafkaError::AdminOp(RDKafkaErrorCode::DestroyBroker)) => None,
                Err(error) => panic!("`{topic}` cannot be created: {error}"),
            }
        });
        self.wait_for_leaders(topic, partitions);
    }

    pub fn add_partitions(&self, topic: &str, total: usize) {
        let new = NewPartitions::new(topic, total);
        let admin = self.admin();
        let answer = runtime().block_on(admin.create_partitions([&new], &AdminOptions::new()));
        answer.unwrap().remove(0).unwrap();
        self.wait_for_leaders(topic, total);
    }

    pub fn delete_topic(&self, topic: &str) {
        let admin = self.admin();
        let answer = runtime().block_on(admin.delete_topics(&[topic], &AdminOptions::new()));
        answer.unwrap().remove(0).unwrap();
    }

    /// Deletes the records of a partition below `offset`, as retention would.
    pub fn delete_records(&self, topic: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
        let admin = self.admin();
        runtime().block_on(admin.delete_records(&list, &AdminOptions::new())).unwrap();
    }

    /// Produces in order and returns partition and offset of each.
    pub fn produce(&self, topic: &str, records: &[NewRecord]) -> Vec<(i32, i64)> {
        let producer = self.producer.get_or_init(|| self.new_producer(None));
        send_all(producer, topic, records)
    }

    /// Produces in one transaction. An aborted one lies in the log all the same, unseen.
    pub fn produce_in_transaction(
        &self,
        topic: &str,
        records: &[NewRecord],
        outcome: Outcome,
    ) -> Vec<(i32, i64)> {
        let producer = self.new_producer(Some(&unique("transaction")));
        producer.init_transactions(ANSWER_IN).unwrap();
        producer.begin_transaction().unwrap();
        let placed = send_all(&producer, topic, records);
        match outcome {
            Outcome::Commit => producer.commit_transaction(ANSWER_IN).unwrap(),
            Outcome::Abort => producer.abort_transaction(ANSWER_IN).unwrap(),
        }
        placed
    }

    /// Every record that a `read_committed` consumer sees, by partition and offset.
    pub fn read_topic(&self, topic: &str) -> Vec<TopicRecord> {
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", "tests-reader")
            .set("fetch.wait.max.ms", "10")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let partitions = self.partitions(topic);
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let mut records = Vec::new();
        let (mut ended, start) = (0, Instant::now());
        while ended < partitions {
            match consumer.poll(ANSWER_IN).expect("the topic can be read to its end") {
                Ok(message) => records.push(TopicRecord::from(&message)),
                Err(KafkaError::PartitionEOF(_)) => ended += 1,
                // A broker may be down on purpose; librdkafka goes on with another one.
                Err(error) => assert!(start.elapsed() < ANSWER_IN, "reading `{topic}`: {error}"),
            }
        }
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    /// The offset behind the last record of each partition, control records included.
    pub fn end_offsets(&self, topic: &str) -> Vec<i64> {
        let consumer: BaseConsumer = self.client().create().unwrap();
        (0..self.partitions(topic))
            .map(|partition| patiently(|| consumer.fetch_watermarks(topic, partition, ANSWER_IN)).1)
            .collect()
    }

    pub fn partitions(&self, topic: &str) -> i32 {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), ANSWER_IN).unwrap();
        i32::try_from(metadata.topics()[0].partitions().len()).unwrap()
    }

    fn wait_for_leaders(&self, topic: &str, partitions: usize) {
        let consumer: BaseConsumer = self.client().create().unwrap();
        wait::until(&format!("the leaders of `{topic}`"), ANSWER_IN, || {
            let metadata = consumer.fetch_metadata(Some(topic), ANSWER_IN).ok()?;
            let found = metadata.topics()[0].partitions();
            let led = found.iter().filter(|one| one.leader() >= 0 && one.error().is_none());
            (led.count() == partitions).then_some(())
        });
    }

    pub(super) fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    fn new_producer(&self, transactional_id: Option<&str>) -> Producing {
        let mut config = self.client();
        config.set("linger.ms", "5").set("queue.buffering.max.messages", "1000000");
        config.set("message.max.bytes", "200000000").set("enable.idempotence", "true");
        if let Some(id) = transactional_id {
            config.set("transactional.id", id);
        }
        config.create_with_context(Deliveries).unwrap()
    }
}

impl From<&BorrowedMessage<'_>> for TopicRecord {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map(|headers| {
            headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect()
        });
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
        }
    }
}

/// Tells the sender of each record where it went.
pub struct Deliveries;

type Delivered = (usize, Result<(i32, i64), KafkaError>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<(usize, Sender<Delivered>)>;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: Self::DeliveryOpaque) {
        let (index, answer) = *opaque;
        let placed = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        // A sender that is gone has panicked over an earlier record.
        answer.send((index, placed)).ok();
    }
}

fn send_all(producer: &Producing, topic: &str, records: &[NewRecord]) -> Vec<(i32, i64)> {
    let (answer, delivered) = channel();
    for (index, record) in records.iter().enumerate() {
        send(producer, topic, record, Box::new((index, answer.clone())));
    }
    drop(answer);
    let mut placed = vec![(0, 0); records.len()];
    for (index, place) in delivered {
        placed[index] = place.unwrap_or_else(|error| panic!("not produced: {error}"));
    }
    placed
}

fn send(
    producer: &Producing,
    topic: &str,
    record: &NewRecord,
    opaque: Box<(usize, Sender<Delivered>)>,
) {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (key, value) in &record.headers {
        headers = headers.insert(Header { key, value: value.as_deref() });
    }
    let mut new = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, opaque);
    new.partition = Some(record.partition);
    new.key = record.key.as_deref();
    new.payload = record.value.as_deref();
    new.timestamp = record.timestamp_ms;
    new.headers = (!record.headers.is_empty()).then_some(headers);
    let mut waiting = Some(new);
    wait::until("room in the producer's queue", ANSWER_IN, || {
        match producer.send(waiting.take().unwrap()) {
            Ok(()) => Some(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                waiting = Some(back);
                None
            }
            Err((error, _)) => panic!("cannot produce: {error}"),
        }
    });
}
