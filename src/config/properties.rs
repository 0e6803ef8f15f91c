//! Properties of librdkafka: which ones a user may set.
//!
//! It owns: the list of those that Sluice sets itself, and the key to use instead.
//! It does not own: what the others mean; librdkafka judges them when the client is made.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use config::ValueKind;

use super::problem::Problem;
use super::reader::{Found, Reader, is_secret, kind_of};
use super::tree::{child, join};
use super::{Protocol, Sources};

const PROPERTIES: &str = "kafka.properties";

/// Properties that have a key of their own.
const OWNED: &[(&str, &str)] = &[
    ("bootstrap.servers", "kafka.bootstrap_servers"),
    ("metadata.broker.list", "kafka.bootstrap_servers"),
    ("group.id", "kafka.group_id"),
    ("group.protocol", "kafka.protocol"),
    ("auto.offset.reset", "kafka.start"),
    ("topic.auto.offset.reset", "kafka.start"),
    ("security.protocol", "kafka.tls.enabled"),
    ("sasl.mechanism", "kafka.auth.method"),
    ("sasl.mechanisms", "kafka.auth.method"),
    ("sasl.username", "kafka.auth.username"),
    ("sasl.password", "kafka.auth.password"),
    ("sasl.oauthbearer.method", "kafka.auth.method"),
    ("sasl.oauthbearer.token.endpoint.url", "kafka.auth.token_endpoint"),
    ("sasl.oauthbearer.client.id", "kafka.auth.client_id"),
    ("sasl.oauthbearer.client.secret", "kafka.auth.client_secret"),
    ("sasl.oauthbearer.scope", "kafka.auth.scope"),
    ("sasl.oauthbearer.extensions", "kafka.auth.extensions"),
    ("ssl.ca.location", "kafka.tls.ca_file"),
    ("ssl.certificate.location", "kafka.tls.certificate_file"),
    ("ssl.key.location", "kafka.tls.key_file"),
    ("queued.min.messages", "limits.memory"),
    ("queued.max.messages.kbytes", "limits.memory"),
    ("log_level", "log.level"),
];

/// Properties that exactly-once rests on.
const RESERVED: &[&str] = &[
    "client.id",
    "enable.auto.commit",
    "auto.commit.enable",
    "auto.commit.interval.ms",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "isolation.level",
    "offset.store.method",
    "offset.store.path",
    "offset.store.sync.interval.ms",
];

/// Properties that Sluice cannot do its work without, and why.
const FIXED: &[(&str, &str)] = &[
    ("group.instance.id", "which leaves the group and comes back to get out of a fault"),
    ("receive.message.max.bytes", "which takes answers of any size that Kafka has"),
    ("plugin.library.paths", "which loads no code from elsewhere"),
];
const FETCH: &str = "fetch.max.bytes";

/// The most that one rebalance may take, in milliseconds.
const POLL_INTERVAL: &str = "max.poll.interval.ms";
/// librdkafka's default.
const POLL_INTERVAL_DEFAULT: Duration = Duration::from_mins(5);
/// Below it the time-outs of a rebalance, which are parts of it, are shorter than a broker's pauses.
const POLL_INTERVAL_MIN_MS: u64 = 20_000;
/// librdkafka's own bound.
const POLL_INTERVAL_MAX_MS: u64 = 86_400_000;

/// Properties that brokers decide under KIP-848, and the strategy that Sluice sets under classic.
const OF_CLASSIC: &[&str] = &["session.timeout.ms", "heartbeat.interval.ms", "group.protocol.type"];
const STRATEGY: &str = "partition.assignment.strategy";

/// What the user passes on to librdkafka. `Debug` prints the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Returns names and values in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Reads `kafka.properties`.
pub(super) fn read(
    reader: &mut Reader<'_>,
    sources: &Sources<'_>,
    protocol: Option<Protocol>,
) -> Properties {
    let Some(Found { spot, value }) = reader.find(PROPERTIES) else {
        return Properties::default();
    };
    let ValueKind::Table(table) = &value.kind else {
        let expected = "a table of names in quotes".to_owned();
        let found = kind_of(value);
        reader.fault(&spot, Problem::WrongType { expected, found });
        return Properties::default();
    };
    let mut properties = BTreeMap::new();
    let mut names: Vec<_> = table.iter().collect();
    names.sort_by_key(|(name, _)| *name);
    for (name, value) in names {
        let spot = reader.found(join(PROPERTIES, name), value).spot;
        let text = match &value.kind {
            // The walk over unknown keys says that the name wants quotes.
            ValueKind::Table(_) => continue,
            ValueKind::String(text) => Ok(text.clone()),
            ValueKind::I64(number) => Ok(number.to_string()),
            ValueKind::Float(number) => Ok(number.to_string()),
            ValueKind::Boolean(flag) => Ok(flag.to_string()),
            _ => Err(Problem::WrongType {
                expected: "a text, number or boolean".to_owned(),
                found: kind_of(value),
            }),
        };
        match check_name(name, protocol).map_or(text, Err) {
            Ok(text) => {
                if is_secret(&spot.key) {
                    reader.judge_plain_secret(&spot, sources);
                }
                properties.insert(name.clone(), text);
            }
            Err(problem) => reader.fault(&spot, problem),
        }
    }
    Properties(properties)
}

/// Returns the interval that the user gave, or the default.
pub(super) fn poll_interval(reader: &mut Reader<'_>, properties: &Properties) -> Option<Duration> {
    let Some(text) = properties.get(POLL_INTERVAL) else { return Some(POLL_INTERVAL_DEFAULT) };
    let range = POLL_INTERVAL_MIN_MS..=POLL_INTERVAL_MAX_MS;
    let interval = text.parse().ok().filter(|milliseconds| range.contains(milliseconds));
    if interval.is_none() {
        let problem = Problem::OutOfRange {
            least: format!("{POLL_INTERVAL_MIN_MS} (20 s)"),
            most: format!("{POLL_INTERVAL_MAX_MS} (a day)"),
        };
        fault_at(reader, POLL_INTERVAL, problem);
    }
    interval.map(Duration::from_millis)
}

fn fault_at(reader: &mut Reader<'_>, name: &str, problem: Problem) {
    if let Some(value) = reader.find(PROPERTIES).and_then(|found| child(found.value, name)) {
        let spot = reader.found(join(PROPERTIES, name), value).spot;
        reader.fault(&spot, problem);
    }
}

/// Refuses fetches that are larger than all the memory.
pub(super) fn check_fetch(reader: &mut Reader<'_>, properties: &Properties, memory_bytes: u64) {
    let fetch_bytes = properties.get(FETCH).and_then(|text| text.parse::<u64>().ok());
    if fetch_bytes.is_some_and(|bytes| bytes > memory_bytes) {
        fault_at(reader, FETCH, Problem::FetchAboveMemory { memory_bytes });
    }
}

fn check_name(name: &str, protocol: Option<Protocol>) -> Option<Problem> {
    let is_name_byte =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if let Some((_, key)) = OWNED.iter().find(|(owned, _)| *owned == name) {
        return Some(Problem::OwnedProperty { key });
    }
    if RESERVED.contains(&name) {
        return Some(Problem::ReservedProperty);
    }
    if let Some((_, why)) = FIXED.iter().find(|(fixed, _)| *fixed == name) {
        return Some(Problem::FixedProperty { why });
    }
    if name == STRATEGY {
        return Some(Problem::OwnedProperty { key: "kafka.protocol" });
    }
    if protocol == Some(Protocol::Consumer) && OF_CLASSIC.contains(&name) {
        return Some(Problem::PropertyOfClassic);
    }
    (name.is_empty() || !name.bytes().all(is_name_byte)).then_some(Problem::PropertyName)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    #[test]
    fn every_owned_property_names_a_key_that_exists() {
        for (name, key) in OWNED {
            assert!(keys::find(key).is_some(), "{key}");
            assert!(!RESERVED.contains(name), "{name}");
        }
    }

    #[test]
    fn what_the_group_protocol_decides_is_refused_under_that_protocol_only() {
        for name in OF_CLASSIC {
            assert_eq!(check_name(name, Some(Protocol::Classic)), None);
            let problem = check_name(name, Some(Protocol::Consumer));
            assert_eq!(problem, Some(Problem::PropertyOfClassic));
        }
        let strategy = check_name("partition.assignment.strategy", Some(Protocol::Classic));
        assert_eq!(strategy, Some(Problem::OwnedProperty { key: "kafka.protocol" }));
    }
}
