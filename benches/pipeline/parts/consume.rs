//! Reading alone: librdkafka as the daemon sets it up, through the same call on a forwarded queue.

use std::hint::black_box;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sluice::kafka::ffi::{BATCH_MESSAGES_MAX, Client, Content, QueueHandle, WorkerQueue};
use sluice::kafka::login::Login;
use sluice::kafka::seat::{ClientFetcher, Fetcher as _};
use sluice::kafka::{ConsumerOptions, Group, GroupConsumer, Protocol};
use sluice::model::{GroupId, Offset, Topic, TopicPartition};

use crate::usage::Usage;

/// What one worker of the daemon has by default.
const PREFETCH_BYTES: u64 = 4 << 20;
const WAIT: Duration = Duration::from_millis(250);

/// Takes every partition from its beginning.
#[derive(Default)]
struct Taker(OnceLock<QueueHandle>);

impl Group for Taker {
    fn assigned(&self, client: Client<'_>, partitions: &[TopicPartition]) {
        let queue = self.0.get().unwrap();
        partitions.iter().for_each(|partition| queue.forward(partition).unwrap());
        let starts: Vec<_> = partitions.iter().map(|one| (one.clone(), Offset::ZERO)).collect();
        client.assign(&starts).unwrap();
    }

    fn revoked(&self, client: Client<'_>, partitions: &[TopicPartition], _lost: bool) {
        client.unassign(partitions).unwrap();
    }
}

/// Reads so many records of a topic and says what that took.
pub fn run(told: &[String]) {
    let [servers, topic, records] = told else { panic!("a broker, a topic, a number") };
    let properties = [("bootstrap.servers".to_owned(), servers.clone())];
    let options = ConsumerOptions {
        group: GroupId::new(&format!("consume-{}", std::process::id())).unwrap(),
        protocol: Protocol::Classic,
        client_name: "bench".to_owned(),
        properties: properties.into(),
        login: Login::default(),
        prefetch_bytes: PREFETCH_BYTES,
    };
    let taker = Arc::new(Taker::default());
    let consumer = GroupConsumer::new(&options, Arc::clone(&taker) as Arc<dyn Group>).unwrap();
    let queue = WorkerQueue::new(&consumer.handle()).unwrap();
    taker.0.set(queue.handle()).unwrap();
    let fetcher = ClientFetcher { queue, client: consumer.handle() };
    consumer.subscribe(&[Topic::new(topic).unwrap()]).unwrap();
    let records: u64 = records.parse().unwrap();
    let reader = std::thread::spawn(move || read(fetcher, records));
    while !reader.is_finished() {
        consumer.poll(Duration::from_millis(100));
    }
    println!("cpu_s {}", Usage::of(std::process::id()).cpu_s());
    // Whoever closes a client waits for its threads, which is none of reading.
    std::process::exit(0);
}

fn read(mut fetcher: ClientFetcher, records: u64) {
    let mut seen = 0;
    while seen < records {
        let Some(batch) = fetcher.read(BATCH_MESSAGES_MAX, WAIT, &|| false) else { continue };
        let mut index = 0;
        while let Some(message) = batch.get(index) {
            if let Content::Record(record) = message.content() {
                black_box(record.value);
                seen += 1;
            }
            index += 1;
        }
    }
}
