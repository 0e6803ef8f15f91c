//! A client that only asks: it never subscribes, so it never joins the group.
//!
//! It owns: its making, the list of brokers and topics, what librdkafka said about connections that
//! failed.
//! It does not own: the other questions (`admin`, through its handle).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

use super::consumer::{ConsumerError, ConsumerOptions, Kept, creation_error, properties};
use super::ffi::{ClientHandle, ErrorCode};
use super::login::{Bell, bell, refusal};
use crate::model::Topic;

/// What is kept of failed connections: a few brokers fail in a few ways.
const HEARD_MAX: usize = 8;
/// How many of them are shown: the first say it.
const EXPLAINED_MAX: usize = 3;
/// Between two looks at what librdkafka has said meanwhile.
const SLICE: Duration = Duration::from_secs(1);
/// Whoever is refused for so long is refused.
const REFUSED_MAX: Duration = Duration::from_secs(3);
/// What librdkafka has to say lies in its queue; reading it takes no time.
const LISTEN: Duration = Duration::from_millis(100);

/// A member's client that never becomes a member.
pub struct Inquiry {
    kept: Arc<Kept<Ear>>,
}

/// The cluster as its first broker describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// `host:port` each.
    pub brokers: Vec<String>,
    /// Those that may be described, in their order.
    pub topics: Vec<Topic>,
}

/// No broker gave an answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no broker answers: {code}")]
pub struct Unreached {
    pub code: ErrorCode,
    pub heard: Vec<Heard>,
}

impl Unreached {
    /// Returns whether a broker was there and refused.
    fn is_refused(&self) -> bool {
        self.heard.iter().any(|heard| refusal(heard.code, &heard.text).is_some())
    }

    /// Returns the code and the first things that were said about connections.
    pub fn explained(&self) -> String {
        let mut texts: Vec<&str> = Vec::new();
        let all_down = Some(RDKafkaErrorCode::AllBrokersDown);
        for heard in self.heard.iter().filter(|heard| heard.code != all_down) {
            // What librdkafka adds in brackets differs each time: how long it took, how often it was.
            let text = heard.text.split(" (after ").next().unwrap_or(&heard.text);
            if texts.len() < EXPLAINED_MAX && !texts.contains(&text) {
                texts.push(text);
            }
        }
        match texts.is_empty() {
            true => self.to_string(),
            false => format!("{self}, {}", texts.join("; ")),
        }
    }
}

/// What librdkafka said about a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub code: Option<RDKafkaErrorCode>,
    pub text: String,
}

struct Ear {
    heard: Mutex<Vec<Heard>>,
    bell: Bell,
}

impl Ear {
    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Ear {
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _text: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.bell.ring(error.rdkafka_error_code(), reason);
        let heard = Heard { code: error.rdkafka_error_code(), text: reason.to_owned() };
        let mut all = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < HEARD_MAX && !all.contains(&heard) {
            all.push(heard);
        }
    }
}

impl ConsumerContext for Ear {}

impl fmt::Debug for Inquiry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Inquiry")
    }
}

impl ConsumerOptions {
    /// Returns why librdkafka would refuse a property, if it would. Makes no client.
    pub fn check(&self) -> Result<(), ConsumerError> {
        self.client_config().create_native_config().map(drop).map_err(creation_error)
    }

    fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in properties(self) {
            config.set(name, value);
        }
        config
    }
}

impl Inquiry {
    pub fn new(options: &ConsumerOptions) -> Result<Self, ConsumerError> {
        let mut config = options.client_config();
        config.set_log_level(RDKafkaLogLevel::Emerg);
        let (bell, rings) = bell();
        let ear = Ear { heard: Mutex::default(), bell };
        let consumer = config.create_with_context(ear).map_err(creation_error)?;
        Ok(Self { kept: Kept::start(consumer, &options.login, rings)? })
    }

    /// Returns what the other questions are asked with.
    pub fn handle(&self) -> ClientHandle {
        ClientHandle::of_owner(&self.kept)
    }

    /// Asks the first broker that answers for all brokers and topics.
    pub fn cluster(&self, timeout: Duration) -> Result<Cluster, Unreached> {
        let started = Instant::now();
        let metadata = loop {
            let rest = timeout.saturating_sub(started.elapsed());
            match self.kept.consumer.fetch_metadata(None, rest.min(SLICE)) {
                Ok(metadata) => break metadata,
                Err(error) => {
                    let unreached = self.unreached(&error);
                    // A refusal may come from one broker of several, or while one starts.
                    let is_refused = unreached.is_refused() && started.elapsed() >= REFUSED_MAX;
                    if is_refused || started.elapsed() >= timeout {
                        return Err(unreached);
                    }
                }
            }
        };
        let brokers = metadata.brokers().iter();
        let topics = metadata.topics().iter().filter(|topic| topic.error().is_none());
        let mut topics: Vec<_> = topics.filter_map(|topic| Topic::new(topic.name()).ok()).collect();
        topics.sort();
        Ok(Cluster {
            brokers: brokers.map(|broker| format!("{}:{}", broker.host(), broker.port())).collect(),
            topics,
        })
    }

    fn unreached(&self, error: &KafkaError) -> Unreached {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        // Each poll hands over one thing that was said; the last one finds nothing.
        for _ in 0..HEARD_MAX {
            if self.kept.consumer.poll(LISTEN).is_none() {
                break;
            }
        }
        Unreached { code: code.into(), heard: self.kept.consumer.context().heard() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::kafka::Protocol;
    use crate::kafka::login::Login;
    use crate::model::GroupId;

    fn options(name: &str, value: &str) -> ConsumerOptions {
        ConsumerOptions {
            group: GroupId::new("sluice").unwrap(),
            protocol: Protocol::Classic,
            client_name: "check".to_owned(),
            properties: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            login: Login::default(),
            prefetch_bytes: 1 << 20,
        }
    }

    #[test]
    fn properties_are_judged_without_a_client() {
        assert_eq!(options("fetch.min.bytes", "1").check(), Ok(()));
        let unknown = options("fetch.minimum", "1").check().unwrap_err();
        let expected = "librdkafka refuses `kafka.properties.\"fetch.minimum\" = \"1\"`: ";
        assert!(unknown.to_string().starts_with(expected), "{unknown}");
        assert!(options("fetch.min.bytes", "many").check().is_err());
    }

    #[test]
    fn brokers_and_topics_are_listed_and_nobody_joins() {
        let cluster = MockCluster::new(2).unwrap();
        cluster.create_topic("pin", 2, 1).unwrap();
        cluster.create_topic("geo", 2, 1).unwrap();
        let inquiry =
            Inquiry::new(&options("bootstrap.servers", &cluster.bootstrap_servers())).unwrap();
        let found = inquiry.cluster(Duration::from_secs(20)).unwrap();
        assert_eq!(found.brokers.len(), 2);
        let names: Vec<_> = found.topics.iter().map(Topic::as_str).collect();
        assert_eq!(names, ["geo", "pin"]);
        let membership = inquiry.handle().client().membership().unwrap();
        assert_eq!(membership.member_id, "");
    }

    #[test]
    fn a_port_where_nobody_listens_is_named() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let inquiry = Inquiry::new(&options("bootstrap.servers", &port.to_string())).unwrap();
        let unreached = inquiry.cluster(Duration::from_secs(2)).unwrap_err();
        let text: Vec<_> = unreached.heard.iter().map(|heard| heard.text.as_str()).collect();
        assert!(text.iter().any(|text| text.contains(&port.to_string())), "{unreached:?}");
    }
}
