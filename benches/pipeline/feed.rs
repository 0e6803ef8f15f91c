//! Topics filled with posts before anything is measured.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use sluice::command::posts::{Kind, Posts};

use crate::support::Kafka;

/// Different records of a kind; then they begin anew, far outside of any compressor's window.
const DIFFERENT: usize = 50_000;
const DELIVERED_IN: Duration = Duration::from_secs(300);

/// A topic with records in it.
#[derive(Clone, Debug)]
pub struct Topic {
    pub name: String,
    pub records: u64,
    pub value_bytes: u64,
}

/// Creates a topic and produces posts to its partitions in turn until `value_bytes` are there.
pub fn fill(kafka: &Kafka, name: &str, kind: Kind, partitions: usize, value_bytes: u64) -> Topic {
    kafka.create_topic(name, partitions);
    let mut config = kafka.client();
    config.set("linger.ms", "20").set("batch.size", "1000000").set("acks", "1");
    config.set("queue.buffering.max.messages", "1000000");
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
    let values: Vec<Vec<u8>> = Posts::new(1)
        .take(DIFFERENT)
        .map(|post| {
            let mut value = Vec::new();
            post.write_json(kind, &mut value);
            value
        })
        .collect();
    let mut topic = Topic { name: name.to_owned(), records: 0, value_bytes: 0 };
    for (index, value) in values.iter().cycle().enumerate() {
        if topic.value_bytes >= value_bytes {
            break;
        }
        send(&producer, name, i32::try_from(index % partitions).unwrap(), value);
        topic.records += 1;
        topic.value_bytes += u64::try_from(value.len()).unwrap();
    }
    producer.flush(DELIVERED_IN).unwrap();
    let there: i64 = kafka.end_offsets(name).iter().sum();
    assert_eq!(u64::try_from(there).unwrap(), topic.records, "`{name}` is not whole");
    topic
}

fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    partition: i32,
    value: &[u8],
) {
    let mut record = BaseRecord::<(), [u8]>::to(topic).partition(partition).payload(value);
    while let Err((error, back)) = producer.send(record) {
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        assert_eq!(error, full, "cannot produce to `{topic}`");
        record = back;
        std::thread::sleep(Duration::from_millis(5));
    }
}
