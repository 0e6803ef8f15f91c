//! Hands records to librdkafka's producer and counts what the brokers say about each.
//!
//! It owns: the producer, its settings, the counts per topic. It does not own: what is sent, when.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, PurgeConfig, ThreadedProducer};

use crate::command::posts::Kind;
use crate::kafka::ffi::ClientHandle;
use crate::kafka::login::{Keeper, Login, keep_logged_in, refusal};
use crate::kafka::{ConsumerError, creation_error};
use crate::model::Topic;

/// Records that wait in the producer, in KiB: enough for a second at full speed.
const QUEUE_KIBIBYTES: &str = "65536";
/// How long librdkafka tries to deliver a record before it reports a failure. Longer than the
/// restart of a broker.
const MESSAGE_TIMEOUT_MS: &str = "120000";

/// Between two looks at whether a login was refused meanwhile, and for how long it must be.
const REACH_SLICE: Duration = Duration::from_secs(1);
const REFUSED_MAX: Duration = Duration::from_secs(3);

/// Properties that the sender needs as they are; the file's own give way to them.
const OWNED: [(&str, &str); 5] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("linger.ms", "5"),
    ("queue.buffering.max.kbytes", QUEUE_KIBIBYTES),
    ("message.timeout.ms", MESSAGE_TIMEOUT_MS),
];

/// Which partition a record goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// As the producer likes: by key, or without one in runs on a random partition.
    Producer,
    /// The post's index modulo so many partitions.
    InTurn { partitions: u32 },
}

/// What became of a record that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It will be answered in [`Deliveries`].
    Queued,
    /// The producer's queue is full: try again.
    Full,
}

/// One record to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub kind: Kind,
    pub index: u64,
    pub key: Option<&'a str>,
    pub value: &'a [u8],
}

/// What the brokers answered so far, per kind of record. Shared with the producer's own thread.
#[derive(Debug, Default)]
pub struct Deliveries {
    acknowledged: [AtomicU64; Kind::ALL.len()],
    failed: [AtomicU64; Kind::ALL.len()],
    first_failure: OnceLock<KafkaError>,
}

impl Deliveries {
    pub fn acknowledged(&self, kind: Kind) -> u64 {
        self.acknowledged[kind as usize].load(Ordering::Acquire)
    }

    pub fn failed(&self, kind: Kind) -> u64 {
        self.failed[kind as usize].load(Ordering::Acquire)
    }

    pub fn first_failure(&self) -> Option<&KafkaError> {
        self.first_failure.get()
    }

    /// Returns the acknowledged records of all kinds.
    pub fn acknowledged_in_all(&self) -> u64 {
        Kind::ALL.into_iter().map(|kind| self.acknowledged(kind)).sum()
    }

    /// Returns the records of all kinds that the brokers answered, one way or the other.
    pub fn answered(&self) -> u64 {
        self.acknowledged_in_all()
            + Kind::ALL.into_iter().map(|kind| self.failed(kind)).sum::<u64>()
    }

    fn record(&self, index: usize, failure: Option<&KafkaError>) {
        if let Some(failure) = failure {
            // Only the first is kept: the others mostly follow from it.
            self.first_failure.set(failure.clone()).unwrap_or_default();
        }
        let counts = if failure.is_some() { &self.failed } else { &self.acknowledged };
        if let Some(count) = counts.get(index) {
            count.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// Passes delivery reports on, and keeps why a login was refused first. The opaque is the kind's
/// place in [`Kind::ALL`].
struct Reports {
    deliveries: Arc<Deliveries>,
    refusal: Arc<OnceLock<String>>,
}

impl ClientContext for Reports {
    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(refusal) = refusal(error.rdkafka_error_code(), reason) {
            // The others follow from the first.
            self.refusal.set(format!("{reason}: {}", refusal.remedy())).unwrap_or_default();
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, kind: usize) {
        self.deliveries.record(kind, result.as_ref().err().map(|(error, _)| error));
    }
}

/// Sends the three records of posts to their three topics.
pub struct Sender {
    // Before the producer, which it calls.
    _keeper: Option<Keeper>,
    producer: Arc<ThreadedProducer<Reports>>,
    deliveries: Arc<Deliveries>,
    refusal: Arc<OnceLock<String>>,
    topics: [Topic; Kind::ALL.len()],
    placement: Placement,
    sent: [u64; Kind::ALL.len()],
}

impl fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sender").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl Sender {
    /// Makes a producer with `properties` (servers, security), for the topics of [`Kind::ALL`]'s
    /// order. Connects to nothing yet.
    pub fn new(
        properties: &BTreeMap<String, String>,
        login: &Login,
        topics: [Topic; Kind::ALL.len()],
        placement: Placement,
    ) -> Result<Self, ConsumerError> {
        let mut config = ClientConfig::new();
        for (name, value) in properties {
            config.set(name, value);
        }
        for (name, value) in OWNED {
            config.set(name, value);
        }
        let deliveries = Arc::new(Deliveries::default());
        let refusal = Arc::new(OnceLock::new());
        let reports =
            Reports { deliveries: Arc::clone(&deliveries), refusal: Arc::clone(&refusal) };
        let producer = config.create_with_context(reports).map_err(creation_error)?;
        let producer = Arc::new(producer);
        let keeper = keep_logged_in(login, ClientHandle::of_producer(&producer))?;
        Ok(Self {
            _keeper: keeper,
            producer,
            deliveries,
            refusal,
            topics,
            placement,
            sent: [0; Kind::ALL.len()],
        })
    }

    /// Fails unless a broker answers within `wait`.
    pub fn reach(&self, wait: Duration) -> KafkaResult<()> {
        let started = Instant::now();
        loop {
            let rest = wait.saturating_sub(started.elapsed());
            match self.producer.client().fetch_metadata(None, rest.min(REACH_SLICE)) {
                Ok(_metadata) => return Ok(()),
                Err(error) => {
                    let is_refused = self.refusal().is_some() && started.elapsed() >= REFUSED_MAX;
                    if is_refused || started.elapsed() >= wait {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Returns why the brokers refused the login, if they did.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.get().map(String::as_str)
    }

    /// Hands one record over without waiting.
    pub fn send(&mut self, outgoing: Outgoing<'_>) -> KafkaResult<Handed> {
        let kind = outgoing.kind as usize;
        let mut record =
            BaseRecord::with_opaque_to(self.topics[kind].as_str(), kind).payload(outgoing.value);
        if let Some(key) = outgoing.key {
            record = record.key(key);
        }
        if let Placement::InTurn { partitions } = self.placement {
            let turn = outgoing.index % u64::from(partitions.max(1));
            record = record.partition(i32::try_from(turn).unwrap_or(0));
        }
        match self.producer.send(record) {
            Ok(()) => {
                self.sent[kind] += 1;
                Ok(Handed::Queued)
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                Ok(Handed::Full)
            }
            Err((error, _)) => Err(error),
        }
    }

    pub fn deliveries(&self) -> &Arc<Deliveries> {
        &self.deliveries
    }

    pub fn topic(&self, kind: Kind) -> &Topic {
        &self.topics[kind as usize]
    }

    pub fn sent(&self, kind: Kind) -> u64 {
        self.sent[kind as usize]
    }

    /// Returns how many records wait for an answer.
    pub fn unanswered(&self) -> u64 {
        self.sent.iter().sum::<u64>().saturating_sub(self.deliveries.answered())
    }

    /// Gives up what is not answered yet; each such record is counted as failed.
    pub fn purge(&self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_the_one_that_is_kept() {
        let deliveries = Deliveries::default();
        let failure = |code| KafkaError::MessageProduction(code);
        deliveries.record(0, None);
        deliveries.record(1, Some(&failure(RDKafkaErrorCode::MessageTimedOut)));
        deliveries.record(1, Some(&failure(RDKafkaErrorCode::PurgeQueue)));
        assert_eq!(deliveries.acknowledged(Kind::Pin), 1);
        assert_eq!(deliveries.failed(Kind::Geo), 2);
        assert_eq!(deliveries.answered(), 3);
        assert_eq!(deliveries.first_failure(), Some(&failure(RDKafkaErrorCode::MessageTimedOut)));
    }
}
