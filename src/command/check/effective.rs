//! What the configuration comes to for each topic, with the key of an object as it would be.
//!
//! It owns: which topics share their settings, the list of settings, the record of the example.
//! It does not own: what the settings mean (`config`, `layout`).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::config::{Settings, TopicSettings, Topics};
use crate::layout::{Layout, ObjectSpan, OnMissingRoute, RouteContext, TimeSource};
use crate::model::{NameError, Offset, Record, Timestamp, Topic, TopicPartition};

/// What stands in the example for a value that a record would bring along.
const EXAMPLE: &str = "example";

/// Settings that some topics share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// The topics, or which ones are meant.
    pub topics: Vec<String>,
    /// As the file would write them.
    pub settings: BTreeMap<&'static str, String>,
    /// Where an object of the first of them lies.
    pub example_object: String,
}

impl fmt::Display for Effective {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "settings of {}:", self.topics.join(", "))?;
        for (key, value) in &self.settings {
            writeln!(formatter, "  {key} = {value}")?;
        }
        write!(formatter, "  an object: {}", self.example_object)
    }
}

/// Returns the settings of every topic. `found` are the topics that Kafka has, if it was asked:
/// without them a pattern's topics are not known, and each override is shown.
pub fn effective(
    settings: &Settings,
    found: Option<&[Topic]>,
    now: Timestamp,
) -> Result<Vec<Effective>, NameError> {
    let topics = match (&settings.kafka.topics, found) {
        (Topics::Names(names), _) => names.as_slice(),
        (Topics::Pattern(_), Some(found)) => found,
        (Topics::Pattern(_), None) => return by_pattern(settings, now),
    };
    let mut all: Vec<(TopicSettings, Effective)> = Vec::new();
    for topic in topics {
        let of_topic = settings.for_topic(topic);
        match all.iter_mut().find(|(known, _)| *known == of_topic) {
            Some((_, shared)) => shared.topics.push(format!("`{topic}`")),
            None => {
                let shown = show(&of_topic, (topic, format!("`{topic}`")), now)?;
                all.push((of_topic, shown));
            }
        }
    }
    Ok(all.into_iter().map(|(_, shown)| shown).collect())
}

fn by_pattern(settings: &Settings, now: Timestamp) -> Result<Vec<Effective>, NameError> {
    let topic = Topic::new(EXAMPLE)?;
    let has_overrides = settings.scopes().count() > 1;
    let scopes = settings.scopes().map(|(pattern, of_topics)| {
        let name = match pattern {
            Some(pattern) => format!("topics that match `{}`", pattern.as_str()),
            None if has_overrides => "every other topic".to_owned(),
            None => "every topic".to_owned(),
        };
        show(of_topics, (&topic, name), now)
    });
    scopes.collect()
}

fn show(
    of_topic: &TopicSettings,
    topic: (&Topic, String),
    now: Timestamp,
) -> Result<Effective, NameError> {
    let (topic, name) = topic;
    let TopicSettings { layout, seal } = of_topic;
    let count = |value: Option<u64>| value.map_or_else(off, |value| value.to_string());
    let size = |value: Option<u64>| value.map_or_else(off, |value| quoted(&size_text(value)));
    let mut settings = BTreeMap::from([
        ("layout.prefix", quoted(&layout.prefix)),
        ("layout.path", quoted(layout.path.as_str())),
        ("layout.name", quoted(layout.name.as_str())),
        ("layout.time", time_text(&layout.time)),
        ("layout.time_zone", quoted(layout.zone.as_str())),
        ("layout.format", quoted(layout.encoding.format.as_str())),
        ("layout.compression", quoted(layout.encoding.compression.as_str())),
        ("quarantine.prefix", quoted(&layout.quarantine_prefix)),
        ("records.on_null", quoted(layout.on_null.as_str())),
        ("records.on_bad", quoted(layout.on_bad.as_str())),
        ("records.on_missing_route", quoted(layout.on_missing_route.as_str())),
        ("s3.bucket", quoted(layout.bucket.as_str())),
        ("seal.records", count(seal.records)),
        ("seal.bytes", size(seal.bytes)),
        ("seal.object_bytes", size(seal.object_bytes)),
        ("seal.age", seal.age.map_or_else(off, |age| quoted(&duration_text(age)))),
    ]);
    if layout.encoding.format == crate::format::Format::Raw {
        let separator = String::from_utf8_lossy(&layout.encoding.separator).into_owned();
        settings.insert("layout.separator", quoted(&separator));
    }
    let example_object = example_object(layout, topic, now)?;
    Ok(Effective { topics: vec![name], settings, example_object })
}

/// Returns where the object of a batch of one record lies, were it written now.
fn example_object(layout: &Layout, topic: &Topic, now: Timestamp) -> Result<String, NameError> {
    // A moment from a field is shown as if the field said "now", and nothing is ever missing.
    let layout = Layout {
        time: TimeSource::Record,
        on_missing_route: OnMissingRoute::Default,
        ..layout.clone()
    };
    let partition = TopicPartition::new(topic.as_str(), 0)?;
    let path = layout.path.as_str();
    let value = example_value(path).to_string();
    let headers: Vec<(Vec<u8>, Option<Vec<u8>>)> = arguments(path, "{header:")
        .map(|name| (name.as_bytes().to_vec(), Some(EXAMPLE.as_bytes().to_vec())))
        .collect();
    let record = Record {
        offset: Offset::ZERO,
        timestamp: Some(now),
        key: Some(EXAMPLE.as_bytes()),
        value: Some(value.as_bytes()),
        headers: &headers,
    };
    let of = RouteContext { partition: &partition, opened: now };
    let route = layout.route(&of, &record).unwrap_or_else(|_| layout.quarantine_route(&partition));
    let span = ObjectSpan { first: Offset::ZERO, last: Some(Offset::ZERO), count: Some(1) };
    let key = layout.object_key(&partition, &route, &span);
    Ok(format!("s3://{}/{}", layout.bucket, key.as_str()))
}

/// Returns what the path takes from records by this variable. Arguments hold no brace.
fn arguments<'a>(path: &'a str, variable: &'a str) -> impl Iterator<Item = &'a str> {
    path.match_indices(variable).filter_map(move |(at, _)| {
        path[at + variable.len()..].split_once('}').map(|(argument, _)| argument)
    })
}

/// Returns a document that has every field that the path asks for.
fn example_value(path: &str) -> serde_json::Value {
    let mut document = serde_json::Value::Object(serde_json::Map::new());
    for pointer in arguments(path, "{field:") {
        let mut at = &mut document;
        for token in pointer.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            if !at.is_object() {
                *at = serde_json::Value::Object(serde_json::Map::new());
            }
            at = &mut at[name];
        }
        if !at.is_object() {
            *at = EXAMPLE.into();
        }
    }
    document
}

fn time_text(time: &TimeSource) -> String {
    match time {
        TimeSource::Record => quoted("record"),
        TimeSource::Opened => quoted("opened"),
        TimeSource::Field { pointer, format, zone } => {
            let [field, format, zone] =
                [pointer.as_str(), format.as_str(), zone.as_str()].map(quoted);
            format!("{{ field = {field}, format = {format}, zone = {zone} }}")
        }
    }
}

/// Returns a text as the file would write it.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

fn off() -> String {
    quoted("off")
}

fn size_text(bytes: u64) -> String {
    let is_whole = bytes.is_multiple_of(1024 * 1024);
    match is_whole {
        true => format!("{} MiB", bytes / (1024 * 1024)),
        false => format!("{bytes} B"),
    }
}

pub(super) fn duration_text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests;
