//! A broker in a process of its own that gives records again and again, from memory.
//!
//! It owns: the protocol as far as librdkafka asks for it, topics filled once by a real producer.
//! It does not own: truth. One member a group, nothing expires, nothing is kept.
//!
//! Why not a real Kafka: it takes half of the machine, has to be filled with every byte that is
//! read, and reads it back from a disk.

mod group;
mod log;
mod serve;
mod topics;

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseRecord, Producer};
use sluice::command::posts::Kind;

use crate::feed::{DELIVERED_IN, Topic, produce, producer, send, values};
use crate::server::Server;
use crate::support::runtime;

pub use serve::serve;

/// The word of the command line that makes this program the broker.
pub const ROLE: &str = "broker";
/// Midnight of 2026-01-01.
const DAY_MS: i64 = 1_767_225_600_000;
const ANSWER_IN: Duration = Duration::from_secs(30);

/// How a topic's batches are compressed: librdkafka's word.
pub type Codec = &'static str;

/// A topic of which each partition has a route for each hour of a day. It is read in step with the
/// others of its kind.
#[derive(Clone, Copy, Debug)]
pub struct Routes {
    pub partitions: usize,
    pub hours: usize,
    /// Of Kafka's batches, which are given whole.
    pub batch_records: usize,
}

/// The broker as its parent sees it.
pub struct Replay(Server);

impl Replay {
    pub fn start() -> Self {
        Self(Server::start(ROLE))
    }

    pub fn bootstrap(&self) -> String {
        self.0.address.clone()
    }

    /// Makes a topic of which each partition gives records until all of them have about
    /// `value_bytes`.
    pub fn fill(
        &self,
        name: &str,
        (kind, codec): (Kind, Codec),
        partitions: usize,
        value_bytes: u64,
    ) -> Topic {
        let values = values(kind);
        let round_bytes: usize = values.iter().map(Vec::len).sum();
        let rounds = value_bytes as f64 / round_bytes as f64;
        let wanted = rounds * values.len() as f64 / partitions as f64;
        self.create(name, partitions, wanted as u64, None);
        let mut config = self.client();
        config.set("compression.type", codec);
        let lengths = produce(&config, name, partitions, &values);
        self.count(name, kind, &lengths)
    }

    /// Makes a topic of posts whose timestamps lie in the hours of a day in turn.
    pub fn fill_hours(&self, name: &str, routes: Routes, value_bytes: u64) -> Topic {
        const ROUNDS: usize = 2;
        const HOUR_MS: i64 = 3_600_000;
        let Routes { partitions, hours, batch_records } = routes;
        let values = values(Kind::Pin);
        let mean = values.iter().map(Vec::len).sum::<usize>() as f64 / values.len() as f64;
        let wanted = value_bytes as f64 / mean / partitions as f64;
        self.create(name, partitions, wanted.ceil() as u64, Some(topics::IN_STEP));
        let mut config = self.client();
        config.set("batch.num.messages", batch_records.to_string());
        let producer = producer(&config);
        let mut lengths = vec![Vec::new(); partitions];
        let mut values = values.iter().cycle();
        for (partition, lengths) in lengths.iter_mut().enumerate() {
            for number in 0..hours * ROUNDS {
                let value = values.next().unwrap();
                lengths.push(u64::try_from(value.len()).unwrap());
                let hour = i64::try_from(number % hours).unwrap();
                let record = BaseRecord::to(name).payload(value.as_slice());
                let record = record.timestamp(DAY_MS + hour * HOUR_MS);
                send(&producer, record.partition(i32::try_from(partition).unwrap()));
            }
        }
        producer.flush(DELIVERED_IN).unwrap();
        self.count(name, Kind::Pin, &lengths)
    }

    /// What the broker will give, of records with these lengths in each partition.
    fn count(&self, name: &str, kind: Kind, lengths: &[Vec<u64>]) -> Topic {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let mut topic = Topic { name: name.to_owned(), kind, records: 0, value_bytes: 0 };
        for (partition, lengths) in lengths.iter().enumerate() {
            let partition = i32::try_from(partition).unwrap();
            let (_, end) = consumer.fetch_watermarks(name, partition, ANSWER_IN).unwrap();
            topic.records += u64::try_from(end).unwrap();
            let end = usize::try_from(end).unwrap();
            topic.value_bytes += lengths.iter().cycle().take(end).sum::<u64>();
        }
        topic
    }

    fn create(&self, name: &str, partitions: usize, records: u64, setting: Option<&str>) {
        let records = records.to_string();
        let partitions = i32::try_from(partitions).unwrap();
        let new = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let new = new.set(topics::RECORDS, &records);
        let new = setting.into_iter().fold(new, |new, setting| new.set(setting, "yes"));
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let made = runtime().block_on(admin.create_topics([&new], &AdminOptions::new()));
        made.unwrap().remove(0).unwrap();
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap()).set("client.id", "bench");
        config
    }
}
