//! The consumer: its properties, its subscription, its rebalances handed to whoever owns the group.
//!
//! It owns: what librdkafka is told (rules 1, 7 and 8 of the protocol are properties here), the
//! polling, the callbacks.
//! It does not own: what a rebalance does (`Group` of the caller), commits, records.

mod fault;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use thiserror::Error;

use super::ffi::{Client, ClientHandle, ErrorCode};
use super::login::{Bell, Keeper, Login, Rings, bell, refusal};
use crate::model::{GroupId, Topic, TopicPartition};
use crate::mutant::Mutant;

pub use fault::{PartitionFault, commit_fault, partition_fault};

/// Every client of ours begins so: who else is in the group is not ours (rule 8).
pub const CLIENT_ID_PREFIX: &str = "sluice-";

/// How the group is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Cooperative-sticky, decided among the members.
    Classic,
    /// KIP-848, decided by the broker; Kafka 4.0 or newer.
    Consumer,
}

/// What a consumer is made of. `Debug` prints the names of the properties only.
#[derive(Clone)]
pub struct ConsumerOptions {
    pub group: GroupId,
    pub protocol: Protocol,
    /// Tells this daemon from others of the group; the prefix is put before it.
    pub client_name: String,
    /// The user's properties: servers, security, and what Sluice does not own.
    pub properties: BTreeMap<String, String>,
    /// What of the security changes while a client runs.
    pub login: Login,
    /// How much is read ahead for each worker, in bytes: in its queue, and in the array that it took
    /// from there and has not worked off.
    pub prefetch_bytes: u64,
}

/// What a rebalance does. Runs on the polling thread, inside `poll`; each call must answer with
/// `Client::assign` or `Client::unassign`.
pub trait Group: Send + Sync {
    fn assigned(&self, client: Client<'_>, partitions: &[TopicPartition]);
    /// `lost`: the group has given them to somebody else already.
    fn revoked(&self, client: Client<'_>, partitions: &[TopicPartition], lost: bool);
}

/// Why there is no consumer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConsumerError {
    #[error("librdkafka refuses `kafka.properties.\"{name}\" = {}`: {why}", shown(.value.as_deref()))]
    Property {
        name: String,
        /// None where it may be a secret.
        value: Option<String>,
        why: String,
    },
    #[error("librdkafka gives no client: {0}")]
    Create(KafkaError),
    #[error("librdkafka refuses the subscription: {0}")]
    Subscribe(KafkaError),
    #[error("the thread that keeps the login cannot be started: {0}")]
    Thread(std::io::ErrorKind),
}

/// What a poll has seen, beside rebalances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Nothing,
    /// librdkafka goes on by itself.
    Trouble {
        code: String,
        text: String,
        remedy: &'static str,
    },
    /// The client is dead.
    Fatal {
        code: String,
        text: String,
    },
}

/// A member of the group.
pub struct GroupConsumer {
    kept: Arc<Kept<Context>>,
}

/// A consumer and what keeps it logged in.
pub(super) struct Kept<C: ConsumerContext + 'static> {
    // Before the consumer, which it calls.
    keeper: Option<Keeper>,
    pub(super) consumer: Arc<BaseConsumer<C>>,
}

impl<C: ConsumerContext + 'static> Kept<C> {
    pub(super) fn start(
        consumer: BaseConsumer<C>,
        login: &Login,
        rings: Rings,
    ) -> Result<Arc<Self>, ConsumerError> {
        let consumer = Arc::new(consumer);
        let keeper = Keeper::start(login, ClientHandle::new(&consumer), rings);
        let keeper = keeper.map_err(|error| ConsumerError::Thread(error.kind()))?;
        Ok(Arc::new(Self { keeper, consumer }))
    }
}

impl<C: ConsumerContext + 'static> AsRef<BaseConsumer<C>> for Kept<C> {
    fn as_ref(&self) -> &BaseConsumer<C> {
        &self.consumer
    }
}

struct Context {
    group: Arc<dyn Group>,
    bell: Bell,
    /// When each kind of trouble was said last: a broker that is down makes several a second.
    said: Mutex<BTreeMap<String, Instant>>,
}

/// One kind of trouble is said this often.
const SAY_EVERY: Duration = Duration::from_secs(30);

impl fmt::Debug for ConsumerOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, protocol, client_name, properties, login, prefetch_bytes } = self;
        formatter
            .debug_struct("ConsumerOptions")
            .field("group", group)
            .field("protocol", protocol)
            .field("client_name", client_name)
            .field("properties", &properties.keys())
            .field("login", login)
            .field("prefetch_bytes", prefetch_bytes)
            .finish()
    }
}

impl fmt::Debug for GroupConsumer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("GroupConsumer")
    }
}

impl GroupConsumer {
    pub fn new(options: &ConsumerOptions, group: Arc<dyn Group>) -> Result<Self, ConsumerError> {
        let mut config = ClientConfig::new();
        for (name, value) in properties(options) {
            config.set(name, value);
        }
        config.set_log_level(RDKafkaLogLevel::Warning);
        let (bell, rings) = bell();
        let consumer = config
            .create_with_context(Context { group, bell, said: Mutex::default() })
            .map_err(creation_error)?;
        Ok(Self { kept: Kept::start(consumer, &options.login, rings)? })
    }

    /// Returns whether nobody keeps it logged in any more, which is a bug.
    pub fn has_lost_its_login(&self) -> bool {
        self.kept.keeper.as_ref().is_some_and(Keeper::has_ended)
    }

    /// Returns whether only a new client can read what it logs in with.
    pub fn is_stale(&self) -> bool {
        self.kept.keeper.as_ref().is_some_and(Keeper::is_stale)
    }

    /// Returns what other threads call it by.
    pub fn handle(&self) -> ClientHandle {
        ClientHandle::of_owner(&self.kept)
    }

    /// Joins the group for these topics, or changes what it reads.
    pub fn subscribe(&self, topics: &[Topic]) -> Result<(), ConsumerError> {
        let names: Vec<&str> = topics.iter().map(Topic::as_str).collect();
        self.kept.consumer.subscribe(&names).map_err(ConsumerError::Subscribe)
    }

    /// Leaves the group; the revoke comes in the next polls.
    pub fn unsubscribe(&self) {
        self.kept.consumer.unsubscribe();
    }

    /// Serves callbacks, and keeps the membership alive.
    pub fn poll(&self, timeout: Duration) -> Seen {
        match self.kept.consumer.poll(timeout) {
            None | Some(Ok(_)) => Seen::Nothing,
            Some(Err(error)) => self.trouble(&error),
        }
    }

    fn trouble(&self, error: &KafkaError) -> Seen {
        let text = error.to_string();
        if let Some(code) = self.handle().client().fatal_error() {
            return Seen::Fatal { code: code.name(), text };
        }
        let known = error.rdkafka_error_code();
        let code = known.map(|code| ErrorCode::from(code).name());
        let code = code.unwrap_or_else(|| "CLIENT".to_owned());
        let remedy = remedy(known, &text).unwrap_or("it is tried again for ever");
        Seen::Trouble { code, text, remedy }
    }

    /// Returns the names of every topic that the brokers show.
    pub fn topic_names(&self, timeout: Duration) -> Result<Vec<Topic>, KafkaError> {
        let metadata = self.kept.consumer.fetch_metadata(None, timeout)?;
        let names = metadata.topics().iter().filter(|topic| topic.error().is_none());
        Ok(names.filter_map(|topic| Topic::new(topic.name()).ok()).collect())
    }
}

/// Returns every property that the client is given. Ours win.
pub(super) fn properties(options: &ConsumerOptions) -> BTreeMap<String, String> {
    // The other half is in the array: librdkafka fills its queue again as soon as that is taken.
    let queued_bytes = options.prefetch_bytes / 2;
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut set = |name: &str, value: &str| drop(all.insert(name.to_owned(), value.to_owned()));
    // A full queue must not stop the fetcher for its default of a second.
    set("fetch.queue.backoff.ms", "5");
    set("queued.min.messages", "1000000");
    set("fetch.max.bytes", &queued_bytes.clamp(1_048_576, 52_428_800).to_string());
    set("receive.message.max.bytes", "1000000000");
    set("topic.metadata.refresh.interval.ms", "30000");
    set("socket.keepalive.enable", "true");
    set("log.connection.close", "false");
    let kilobytes = (queued_bytes / 1024).clamp(1024, 2_097_151);
    set("queued.max.messages.kbytes", &kilobytes.to_string());
    all.extend(options.properties.clone());
    let mut set = |name: &str, value: &str| drop(all.insert(name.to_owned(), value.to_owned()));
    set("group.id", options.group.as_str());
    set("client.id", &format!("{CLIENT_ID_PREFIX}{}", options.client_name));
    set("enable.auto.commit", "false");
    set("enable.auto.offset.store", "false");
    set("auto.offset.reset", "error");
    let is_uncommitted = Mutant::ReadsUncommitted.is_on();
    set("isolation.level", if is_uncommitted { "read_uncommitted" } else { "read_committed" });
    set("enable.partition.eof", "true");
    match options.protocol {
        Protocol::Classic => {
            set("group.protocol", "classic");
            set("partition.assignment.strategy", "cooperative-sticky");
        }
        Protocol::Consumer => set("group.protocol", "consumer"),
    }
    all
}

/// Returns why a client was not made, without the value of a property that may be a secret.
pub fn creation_error(error: KafkaError) -> ConsumerError {
    match error {
        KafkaError::ClientConfig(_, why, name, value) => {
            let value = (!is_secret(&name)).then_some(value);
            ConsumerError::Property { name, value, why }
        }
        other => ConsumerError::Create(other),
    }
}

/// librdkafka's names of passwords, keys and tokens have one of these in them.
fn is_secret(name: &str) -> bool {
    ["password", "secret", ".pem", "token", "sasl.oauthbearer.config"]
        .iter()
        .any(|mark| name.contains(mark))
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "***".to_owned(), |value| format!("\"{value}\""))
}

impl Context {
    /// Returns whether this kind of trouble was not said for a while; it counts as said then.
    fn may_say(&self, kind: &str, now: Instant) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = said.get(kind).is_none_or(|at| now.duration_since(*at) >= SAY_EVERY);
        if is_new {
            said.retain(|_, at| now.duration_since(*at) < SAY_EVERY);
            said.insert(kind.to_owned(), now);
        }
        is_new
    }
}

/// Returns what a person does about trouble that does not pass by itself.
fn remedy(code: Option<RDKafkaErrorCode>, text: &str) -> Option<&'static str> {
    use RDKafkaErrorCode as Code;
    if let Some(refusal) = refusal(code, text) {
        return Some(refusal.remedy());
    }
    match code? {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::InvalidTopic => {
            Some("create the topic, or correct `kafka.topics`")
        }
        Code::TopicAuthorizationFailed => {
            Some("grant this user `Read` and `Describe` on the topic")
        }
        Code::GroupAuthorizationFailed => Some("grant this user `Read` on the group"),
        Code::ClusterAuthorizationFailed => Some("grant this user what the brokers ask for"),
        _ => None,
    }
}

impl ClientContext for Context {
    /// librdkafka's own lines say in other words what `error` is told: they are for who looks
    /// closely. Nothing that it heals by itself is an error of ours.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(?level, facility, text, "librdkafka says");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        let now = Instant::now();
        self.bell.ring(code, reason);
        // How long it took and how often it was differs each time.
        let kind = reason.split(" (after ").next().unwrap_or(reason);
        // What a person has to repair is said of each topic, everything else once of its kind.
        match remedy(code, reason) {
            Some(remedy) if self.may_say(kind, now) => {
                tracing::warn!(%error, "Kafka refuses what is asked: {reason}: {remedy}");
            }
            None if self
                .may_say(&code.map_or_else(String::new, |code| format!("{code:?}")), now) =>
            {
                tracing::warn!(%error, reason, "the Kafka client reports trouble and goes on");
            }
            Some(_) | None => {
                tracing::debug!(%error, reason, "the Kafka client reports trouble and goes on");
            }
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        code: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let client = Client::of(consumer);
        let partitions: Vec<TopicPartition> = list
            .elements()
            .iter()
            .filter_map(|at| TopicPartition::new(at.topic(), at.partition()).ok())
            .collect();
        if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.group.assigned(client, &partitions);
        } else {
            self.group.revoked(client, &partitions, client.assignment_lost());
        }
    }

    fn main_queue_min_poll_interval(&self) -> rdkafka::util::Timeout {
        rdkafka::util::Timeout::After(Duration::from_millis(100))
    }
}

#[cfg(test)]
mod tests;
