//! What `[kafka]` means.
//!
//! It owns: the typed settings of the source, and what of them contradicts. It does not own:
//! logins (`auth`), properties of librdkafka (`properties`), how secrets are found (`credentials`).

mod auth;

use std::path::PathBuf;
use std::time::Duration;

use super::Sources;
use super::pattern::TopicPattern;
use super::problem::Problem;
use super::properties::{self, Properties};
use super::reader::{Found, Reader};
use crate::model::{GroupId, Topic};
pub use auth::{AuthMethod, KafkaAuth, MskIam, OauthBearer, PasswordLogin};

/// How to reach Kafka and what to read from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `host:port` each; at least one.
    pub bootstrap_servers: Vec<String>,
    pub topics: Topics,
    pub group_id: GroupId,
    pub protocol: Protocol,
    pub start: Start,
    pub on_lost_records: OnLostRecords,
    pub auth: Option<KafkaAuth>,
    /// None is no encryption.
    pub tls: Option<KafkaTls>,
    /// librdkafka's `max.poll.interval.ms`: the most that one rebalance may take.
    pub poll_interval: Duration,
    pub properties: Properties,
}

/// Which topics are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topics {
    /// At least one, each once.
    Names(Vec<Topic>),
    Pattern(TopicPattern),
}

impl Topics {
    /// Returns which topics of a cluster are meant. A pattern never means Kafka's own: whoever reads
    /// `__consumer_offsets` commits, and so writes, for each record that it has read.
    pub fn among(&self, mut all: Vec<Topic>) -> Vec<Topic> {
        match self {
            Self::Names(names) => names.clone(),
            Self::Pattern(pattern) => {
                all.retain(|topic| pattern.matches(topic) && !topic.is_internal());
                all
            }
        }
    }
}

/// The group protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Classic,
    /// KIP-848.
    Consumer,
}

/// Where a group begins at its very first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Earliest,
    Latest,
}

/// What happens when Kafka deleted records before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLostRecords {
    Stop,
    Skip,
}

/// Encryption; the files could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaTls {
    pub ca_file: Option<PathBuf>,
    pub client: Option<ClientCertificate>,
}

/// What a client shows to the brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

impl Protocol {
    /// Returns the word of librdkafka's `group.protocol`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Classic, Self::Consumer].into_iter().find(|protocol| protocol.as_str() == word)
    }
}

impl Start {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "earliest" => Some(Self::Earliest),
            "latest" => Some(Self::Latest),
            _ => None,
        }
    }
}

impl OnLostRecords {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "stop" => Some(Self::Stop),
            "skip" => Some(Self::Skip),
            _ => None,
        }
    }
}

/// Reads `[kafka]` but its topics; none if a fault keeps it from being whole.
pub(super) fn read(
    reader: &mut Reader<'_>,
    sources: &Sources<'_>,
    topics: Option<&Topics>,
) -> Option<KafkaSettings> {
    let bootstrap_servers = servers(reader);
    let group_id = reader.parse("kafka.group_id", |text| Ok(GroupId::new(text)?));
    let protocol = reader.choice("kafka.protocol", Protocol::parse);
    let start = reader.choice("kafka.start", Start::parse);
    let on_lost_records = reader.choice("kafka.on_lost_records", OnLostRecords::parse);
    let tls = tls(reader);
    let around = auth::Around {
        servers: bootstrap_servers.as_deref().unwrap_or_default(),
        tls: tls.as_ref(),
    };
    let auth = auth::read(reader, sources, &around);
    let properties = properties::read(reader, sources, protocol);
    let poll_interval = properties::poll_interval(reader, &properties);
    Some(KafkaSettings {
        bootstrap_servers: bootstrap_servers?,
        topics: topics?.clone(),
        group_id: group_id?,
        protocol: protocol?,
        start: start?,
        on_lost_records: on_lost_records?,
        auth,
        tls,
        poll_interval: poll_interval?,
        properties,
    })
}

fn servers(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let servers = reader.texts("kafka.bootstrap_servers")?;
    for server in &servers {
        if !is_server(&server.value) {
            reader.fault(&server.spot, Problem::NotAServer);
        }
    }
    Some(servers.into_iter().map(|server| server.value).collect())
}

/// Takes `host:port` and `[address]:port`.
fn is_server(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(is_host_byte),
    };
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Reads which topics are meant.
pub(super) fn topics(reader: &mut Reader<'_>) -> Option<Topics> {
    let names = reader.find("kafka.topics").map(|found| found.spot);
    let pattern = reader.find("kafka.topics_regex").map(|found| found.spot);
    match (names, pattern) {
        // Where `kafka` is no table, that is the fault.
        (None, None) if !reader.has_section("kafka") => None,
        (None, None) => {
            let spot = reader.missing("kafka.topics");
            reader.fault(&spot, Problem::NoTopics);
            None
        }
        (Some(_), None) => topic_names(reader).map(Topics::Names),
        (None, Some(_)) => {
            reader.parse("kafka.topics_regex", TopicPattern::parse).map(Topics::Pattern)
        }
        (Some(_), Some(spot)) => {
            reader.fault(&spot, Problem::BothTopics);
            topic_names(reader);
            reader.parse("kafka.topics_regex", TopicPattern::parse);
            None
        }
    }
}

fn topic_names(reader: &mut Reader<'_>) -> Option<Vec<Topic>> {
    let mut topics = Vec::new();
    for Found { spot, value } in reader.texts("kafka.topics")? {
        match Topic::new(&value) {
            Ok(topic) if topics.contains(&topic) => reader.fault(&spot, Problem::Duplicate),
            Ok(topic) => topics.push(topic),
            Err(error) => reader.fault(&spot, error.into()),
        }
    }
    Some(topics)
}

fn tls(reader: &mut Reader<'_>) -> Option<KafkaTls> {
    let is_enabled = reader.flag("kafka.tls.enabled");
    let ca_file = reader.file("kafka.tls.ca_file");
    let certificate = reader.file("kafka.tls.certificate_file");
    let key = reader.file("kafka.tls.key_file");
    let keys = ["kafka.tls.ca_file", "kafka.tls.certificate_file", "kafka.tls.key_file"];
    let spots = keys.map(|key| reader.find(key).map(|found| found.spot));
    if is_enabled == Some(false) {
        for spot in spots.into_iter().flatten() {
            reader.fault(&spot, Problem::TlsDisabled);
        }
        return None;
    }
    match spots {
        [_, Some(spot), None] => {
            reader.fault(&spot, Problem::NeedsOther { other: "kafka.tls.key_file" });
        }
        [_, None, Some(spot)] => {
            reader.fault(&spot, Problem::NeedsOther { other: "kafka.tls.certificate_file" });
        }
        [_, None, None] | [_, Some(_), Some(_)] => {}
    }
    let client = certificate.zip(key).map(|(certificate, key)| ClientCertificate {
        certificate_file: certificate.value,
        key_file: key.value,
    });
    Some(KafkaTls { ca_file: ca_file.map(|file| file.value), client })
}
