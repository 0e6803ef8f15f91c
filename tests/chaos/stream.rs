//! Producers that go on whatever happens to brokers: small records, transactions, large records.
//!
//! It owns: the topics, numbered values (each there once), which transactions are aborted.
//! It does not own: when it ends (`run.rs`).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

use crate::support::{Kafka, unique};
use crate::tally::{Counter, Tally};

/// A broker that dies and comes back, twice over.
const DELIVERED_IN: Duration = Duration::from_secs(180);
const TICK: Duration = Duration::from_millis(100);
const SMALL_PER_TICK: usize = 40;
const LARGE_PER_TICK: usize = 2;
const LARGE_BYTES: usize = 64 * 1024;
const PER_TRANSACTION: std::ops::Range<usize> = 5..60;
const ABORTS: f64 = 0.3;

/// A topic that may grow.
#[derive(Debug)]
pub struct Topic {
    pub name: String,
    pub partitions: AtomicUsize,
}

impl Topic {
    fn create(kafka: &Kafka, name: &str, partitions: usize) -> Self {
        let name = unique(name);
        kafka.create_topic(&name, partitions);
        Self { name, partitions: AtomicUsize::new(partitions) }
    }

    pub fn partitions(&self) -> usize {
        self.partitions.load(Ordering::Relaxed)
    }
}

/// The topics of a run.
#[derive(Debug)]
pub struct Topics {
    pub plain: Topic,
    pub transactional: Topic,
    /// Its objects go up in parts.
    pub large: Topic,
}

impl Topics {
    pub fn create(kafka: &Kafka) -> Self {
        Self {
            plain: Topic::create(kafka, "plain", 4),
            transactional: Topic::create(kafka, "transactional", 4),
            large: Topic::create(kafka, "large", 2),
        }
    }

    pub const fn all(&self) -> [&Topic; 3] {
        [&self.plain, &self.transactional, &self.large]
    }

    pub fn names(&self) -> Vec<String> {
        self.all().map(|topic| topic.name.clone()).to_vec()
    }
}

/// Counts what is in the log for good.
struct Acknowledged(Counter);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.one();
        }
    }
}

fn producer(kafka: &Kafka, counter: &Counter, id: Option<&str>) -> ThreadedProducer<Acknowledged> {
    let mut config = kafka.client();
    config.set("linger.ms", "5").set("enable.idempotence", "true").set("acks", "all");
    config.set("message.timeout.ms", "180000").set("topic.metadata.refresh.interval.ms", "1000");
    if let Some(id) = id {
        config.set("transactional.id", id).set("message.timeout.ms", "50000");
    }
    config.create_with_context(Acknowledged(counter.clone())).unwrap()
}

/// Hands a record over; false if the number is left out: the queue is full while brokers are away,
/// or this client has not heard of a new partition yet.
fn send(
    producer: &ThreadedProducer<Acknowledged>,
    topic: &Topic,
    number: usize,
    value: &str,
) -> bool {
    let partition = i32::try_from(number % topic.partitions()).unwrap();
    let record = BaseRecord::<(), str>::to(&topic.name).partition(partition).payload(value);
    producer.send(record).is_ok()
}

fn value(number: usize, rest: &str) -> String {
    let kind = ["a", "b", "c", "d"][number / 7 % 4];
    format!(r#"{{"n":{number},"kind":"{kind}"{rest}}}"#)
}

/// Small records, one by one.
pub fn plain(kafka: &Kafka, topic: &Topic, tally: &Tally, ended: &AtomicBool) {
    let producer = producer(kafka, &tally.acknowledged, None);
    let mut number = 0;
    while !ended.load(Ordering::Relaxed) {
        for _ in 0..SMALL_PER_TICK {
            send(&producer, topic, number, &value(number, ""));
            number += 1;
        }
        std::thread::sleep(TICK);
    }
    producer.flush(DELIVERED_IN).unwrap();
}

/// Records that no compression makes small.
pub fn large(kafka: &Kafka, topic: &Topic, tally: &Tally, ended: &AtomicBool) {
    let producer = producer(kafka, &tally.acknowledged, None);
    let mut random = StdRng::seed_from_u64(7);
    let (mut number, mut text) = (0, vec![0; LARGE_BYTES]);
    while !ended.load(Ordering::Relaxed) {
        for _ in 0..LARGE_PER_TICK {
            random.fill(text.as_mut_slice());
            text.iter_mut().for_each(|byte| *byte = b'0' + *byte % 64);
            let text = String::from_utf8_lossy(&text).replace('\\', "~");
            send(&producer, topic, number, &value(number, &format!(r#","text":"{text}""#)));
            number += 1;
        }
        std::thread::sleep(TICK);
    }
    producer.flush(DELIVERED_IN).unwrap();
}

/// Transactions, some of them aborted. One that fails is thrown away with its producer.
pub fn transactions(kafka: &Kafka, topic: &Topic, tally: &Tally, ended: &AtomicBool) {
    let id = unique("transactional");
    let (mut random, mut number) = (StdRng::seed_from_u64(8), 0);
    let mut present = None;
    while !ended.load(Ordering::Relaxed) {
        // Deliveries are counted with the commit.
        let next = present.take().map_or_else(|| begun(kafka, &id), Ok);
        let numbers = number..number + random.random_range(PER_TRANSACTION);
        number = numbers.end;
        let aborts = random.random_bool(ABORTS);
        present = next.and_then(|one| transaction(one, topic, numbers, aborts, tally)).ok();
        std::thread::sleep(TICK);
    }
}

/// A producer that has ended whatever transaction the one before it left open.
fn begun(kafka: &Kafka, id: &str) -> KafkaResult<ThreadedProducer<Acknowledged>> {
    let producer = producer(kafka, &Counter::default(), Some(id));
    producer.init_transactions(DELIVERED_IN)?;
    Ok(producer)
}

fn transaction(
    producer: ThreadedProducer<Acknowledged>,
    topic: &Topic,
    numbers: std::ops::Range<usize>,
    aborts: bool,
    tally: &Tally,
) -> KafkaResult<ThreadedProducer<Acknowledged>> {
    producer.begin_transaction()?;
    let rest = if aborts { r#","aborted":true"# } else { "" };
    let sent = numbers.filter(|number| send(&producer, topic, *number, &value(*number, rest)));
    let records = sent.count();
    // So that the aborted ones are in the log too.
    producer.flush(DELIVERED_IN)?;
    if aborts {
        producer.abort_transaction(DELIVERED_IN)?;
        tally.aborted_transactions.one();
        return Ok(producer);
    }
    match producer.commit_transaction(DELIVERED_IN) {
        Ok(()) => tally.acknowledged.add(records),
        Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => {
            producer.abort_transaction(DELIVERED_IN)?;
        }
        Err(error) => return Err(error),
    }
    Ok(producer)
}
