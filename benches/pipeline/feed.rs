//! Topics filled with posts before anything is measured.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use sluice::command::posts::{Kind, Posts};

use crate::support::Kafka;

/// Different records of a kind; then they begin anew, far outside of any compressor's window.
const DIFFERENT: usize = 50_000;
pub const DELIVERED_IN: Duration = Duration::from_secs(300);

/// A topic with records in it.
#[derive(Clone, Debug)]
pub struct Topic {
    pub name: String,
    pub kind: Kind,
    pub records: u64,
    pub value_bytes: u64,
}

impl Topic {
    pub fn gigabytes(&self) -> f64 {
        self.value_bytes as f64 / 1e9
    }
}

/// The values of a kind, the same ones each time.
pub fn values(kind: Kind) -> Vec<Vec<u8>> {
    let value = |post: sluice::command::posts::Post| {
        let mut value = Vec::new();
        post.write_json(kind, &mut value);
        value
    };
    Posts::new(1).take(DIFFERENT).map(value).collect()
}

/// Creates a topic of a real Kafka and produces posts to its partitions in turn until `value_bytes`
/// are there.
pub fn fill(kafka: &Kafka, name: &str, kind: Kind, partitions: usize, value_bytes: u64) -> Topic {
    kafka.create_topic(name, partitions);
    let values = values(kind);
    let mut all = Vec::new();
    let mut topic = Topic { name: name.to_owned(), kind, records: 0, value_bytes: 0 };
    for value in values.iter().cycle() {
        if topic.value_bytes >= value_bytes {
            break;
        }
        all.push(value.as_slice());
        topic.records += 1;
        topic.value_bytes += u64::try_from(value.len()).unwrap();
    }
    produce(&kafka.client(), name, partitions, &all);
    let there: i64 = kafka.end_offsets(name).iter().sum();
    assert_eq!(u64::try_from(there).unwrap(), topic.records, "`{name}` is not whole");
    topic
}

/// Produces the values to the partitions in turn, in large batches; returns the lengths of those
/// that each partition got.
pub fn produce<V: AsRef<[u8]>>(
    client: &ClientConfig,
    topic: &str,
    partitions: usize,
    values: &[V],
) -> Vec<Vec<u64>> {
    let producer = producer(client);
    let mut lengths = vec![Vec::new(); partitions];
    for (index, value) in values.iter().map(AsRef::as_ref).enumerate() {
        let partition = index % partitions;
        let record = BaseRecord::to(topic).payload(value);
        send(&producer, record.partition(i32::try_from(partition).unwrap()));
        lengths[partition].push(u64::try_from(value.len()).unwrap());
    }
    producer.flush(DELIVERED_IN).unwrap();
    lengths
}

/// Makes a producer of large batches.
pub fn producer(client: &ClientConfig) -> ThreadedProducer<DefaultProducerContext> {
    let mut config = client.clone();
    config.set("linger.ms", "20").set("batch.size", "1000000").set("acks", "1");
    config.set("queue.buffering.max.messages", "1000000");
    config.create().unwrap()
}

/// Sends a record, and waits where the queue is full.
pub fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    mut record: BaseRecord<'_, (), [u8]>,
) {
    while let Err((error, back)) = producer.send(record) {
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        assert_eq!(error, full, "cannot produce to `{}`", back.topic);
        record = back;
        std::thread::sleep(Duration::from_millis(5));
    }
}
