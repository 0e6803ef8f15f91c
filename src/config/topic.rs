//! What `[layout]`, `[seal]`, `[records]`, `[quarantine]` and the overrides mean for a topic.
//!
//! It owns: the layout and seal policy of each topic, and where a fault of them is told. It does
//! not own: the proof that a layout is safe, nor what templates mean (`layout`).

use std::sync::Arc;

use config::{Value, ValueKind};

use super::fault::Place;
use super::kafka::Topics;
use super::nearest::nearest;
use super::pattern::TopicPattern;
use super::problem::Problem;
use super::reader::{Found, Reader, kind_of, list};
use super::s3::Store;
use super::tree::{child, join};
use super::unknown::{OVERRIDE, OVERRIDE_TOPICS};
use crate::format::{Compression, Encoding, Format};
use crate::layout::{
    Layout, NameTemplate, OnBad, OnMissingRoute, OnNull, PathTemplate, TimeSource, TopicCount, Zone,
};
use crate::model::{Bucket, SealPolicy, Topic};

const SEAL_KEYS: [&str; 4] = ["seal.age", "seal.bytes", "seal.records", "seal.object_bytes"];
const CLAIMS_PREFIX: &str = "s3.claims_prefix";
const TIME_WORDS: [&str; 2] = ["record", "opened"];

/// What holds for one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    pub layout: Arc<Layout>,
    pub seal: SealPolicy,
}

/// What holds for all topics, and for some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PerTopic {
    base: TopicSettings,
    overrides: Vec<(TopicPattern, TopicSettings)>,
}

impl PerTopic {
    /// Returns the settings of the first override that matches, or those of all.
    pub(super) fn of(&self, topic: &Topic) -> &TopicSettings {
        let matching = self.overrides.iter().find(|(pattern, _)| pattern.matches(topic));
        matching.map_or(&self.base, |(_, settings)| settings)
    }

    /// Returns whether a topic can come to the scope at this place of `scopes`.
    fn is_used(&self, place: usize, topics: Option<&Topics>) -> bool {
        let Some(Topics::Names(names)) = topics else { return true };
        let place_of = |name: &Topic| {
            let found = self.overrides.iter().position(|(pattern, _)| pattern.matches(name));
            found.unwrap_or(self.overrides.len())
        };
        names.iter().any(|name| place_of(name) == place)
    }

    /// Returns every pattern with its settings in the order in which they are tried; last, without
    /// a pattern, what holds for all other topics.
    pub(super) fn scopes(&self) -> impl Iterator<Item = (Option<&TopicPattern>, &TopicSettings)> {
        let overrides = self.overrides.iter().map(|(pattern, settings)| (Some(pattern), settings));
        overrides.chain([(None, &self.base)])
    }
}

/// What the rest of the file says that a layout depends on. Where that is faulty, none: the
/// layout is read all the same, so that its own faults are found.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) store: &'a Store,
    pub(super) topics: Option<&'a Topics>,
}

impl Surroundings<'_> {
    /// Topics that are faulty themselves count as one, which asks the least of a layout.
    fn topic_count(&self) -> TopicCount {
        match self.topics {
            Some(Topics::Names(names)) if names.len() > 1 => TopicCount::Several,
            Some(Topics::Pattern(_)) => TopicCount::Several,
            Some(Topics::Names(_)) | None => TopicCount::One,
        }
    }
}

/// Reads everything that may differ by topic.
pub(super) fn read(reader: &mut Reader<'_>, around: &Surroundings<'_>) -> Option<PerTopic> {
    let base = settings(reader, around);
    let mut overrides = Vec::new();
    let tree = reader.tree;
    let list = match tree.get(OVERRIDE).map(|value| &value.kind) {
        Some(ValueKind::Array(list)) => list.as_slice(),
        Some(_) | None => &[],
    };
    for (index, table) in list.iter().enumerate() {
        let pattern = pattern(reader, (index, table), around.topics);
        let settings = settings(&mut reader.scoped(index, table), around);
        overrides.extend(pattern.zip(settings));
    }
    let all = PerTopic { base: base?, overrides };
    if all.overrides.len() == list.len() {
        check_pairs(reader, list, (&all, around.topics));
    }
    Some(all)
}

/// Each layout is safe by itself; two of them may meet below one prefix. Told at the later one's
/// override, or at the last for what holds for all other topics.
fn check_pairs<'a>(
    reader: &mut Reader<'a>,
    list: &'a [Value],
    (all, topics): (&PerTopic, Option<&Topics>),
) {
    let used: Vec<_> =
        all.scopes().enumerate().filter(|(index, _)| all.is_used(*index, topics)).collect();
    for (place, (index, (_, settings))) in used.iter().enumerate() {
        for (other, (pattern, others)) in used.iter().skip(place + 1) {
            if !settings.layout.may_share_keys(&others.layout) {
                continue;
            }
            let (told, about) = match pattern {
                Some(_) => (*other, *index),
                None => (*index, *other),
            };
            let other = match all.overrides.get(about) {
                Some((pattern, _)) => format!("those of `{}`", pattern.as_str()),
                None => "those without an override".to_owned(),
            };
            let Some(table) = list.get(told) else { continue };
            let keys = ["layout.path", "layout.name", "layout.prefix", "quarantine.prefix"];
            let mut scoped = reader.scoped(told, table);
            if let Some(found) = scoped.find_own(&keys) {
                scoped.fault(&found.spot, Problem::SharesKeys { other });
            }
        }
    }
}

fn pattern<'a>(
    reader: &mut Reader<'a>,
    entry: (usize, &'a Value),
    topics: Option<&Topics>,
) -> Option<TopicPattern> {
    let (index, table) = entry;
    let path = format!("{OVERRIDE}[{index}].{OVERRIDE_TOPICS}");
    let Some(value) = child(table, OVERRIDE_TOPICS) else {
        let spot = super::Spot { place: reader.tree.place(&path), key: path, value: None };
        reader.fault(&spot, Problem::Missing { example: "topics = '.*\\.geo'".to_owned() });
        return None;
    };
    let Found { spot, value } = text_of(reader, reader.found(path, value))?;
    let pattern = match TopicPattern::parse(&value) {
        Ok(pattern) => pattern,
        Err(problem) => {
            reader.fault(&spot, problem);
            return None;
        }
    };
    if let Some(Topics::Names(names)) = topics
        && !names.iter().any(|name| pattern.matches(name))
    {
        reader.fault(&spot, Problem::MatchesNothing);
    }
    Some(pattern)
}

fn text_of(reader: &mut Reader<'_>, found: Found<&Value>) -> Option<Found<String>> {
    if let ValueKind::String(text) = &found.value.kind {
        return Some(Found { spot: found.spot, value: text.clone() });
    }
    let expected = "text".to_owned();
    reader.fault(&found.spot, Problem::WrongType { expected, found: kind_of(found.value) });
    None
}

fn settings(reader: &mut Reader<'_>, around: &Surroundings<'_>) -> Option<TopicSettings> {
    let seal = seal(reader);
    let layout = layout(reader, around)?;
    for fault in layout.check(around.topic_count()) {
        if let Some(found) = reader.find_own(&[fault.key(), "layout.path", "layout.name"]) {
            reader.fault(&found.spot, Problem::Layout(fault));
        }
    }
    check_claims(reader, &layout, around);
    Some(TopicSettings { layout: Arc::new(layout), seal: seal? })
}

fn check_claims(reader: &mut Reader<'_>, layout: &Layout, around: &Surroundings<'_>) {
    let Some(claims) =
        around.store.claims_prefix.as_ref().filter(|claims| layout.may_write_below(claims))
    else {
        return;
    };
    let quarantine = format!("{}/", layout.quarantine_prefix);
    let is_quarantine = quarantine.starts_with(claims.as_str()) || claims.starts_with(&quarantine);
    let (key, prefix) = match is_quarantine {
        true => ("quarantine.prefix", &layout.quarantine_prefix),
        false => ("layout.prefix", &layout.prefix),
    };
    // Told where a person wrote something: of two prefixes one may be the default.
    let (other, found) = (reader.find(CLAIMS_PREFIX), reader.find(key));
    let (found, problem) = match (other, found) {
        (Some(found), _) if found.spot.place != Place::Default => {
            (found, Problem::Overlap { other: key, value: prefix.clone() })
        }
        (_, Some(found)) => {
            (found, Problem::Overlap { other: CLAIMS_PREFIX, value: claims.clone() })
        }
        (_, None) => return,
    };
    reader.fault(&found.spot, problem);
}

fn layout(reader: &mut Reader<'_>, around: &Surroundings<'_>) -> Option<Layout> {
    let prefix = reader.text("layout.prefix");
    let path = reader.parse("layout.path", |text| Ok(PathTemplate::parse(text)?));
    let name = reader.parse("layout.name", |text| Ok(NameTemplate::parse(text)?));
    let time = time(reader);
    let zone = reader.parse("layout.time_zone", |text| Ok(Zone::parse(text)?));
    let encoding = encoding(reader);
    let on_null = reader.choice("records.on_null", OnNull::parse);
    let on_bad = reader.choice("records.on_bad", OnBad::parse);
    let on_missing_route = reader.choice("records.on_missing_route", OnMissingRoute::parse);
    let quarantine_prefix = reader.text("quarantine.prefix");
    let stand_in = || Bucket::new("unknown").ok();
    Some(Layout {
        bucket: around.store.bucket.clone().or_else(stand_in)?,
        endpoint: around.store.endpoint.clone(),
        prefix: prefix?.value,
        path: path?,
        name: name?,
        time: time?,
        zone: zone?,
        encoding: encoding?,
        on_null: on_null?,
        on_bad: on_bad?,
        on_missing_route: on_missing_route?,
        quarantine_prefix: quarantine_prefix?.value,
    })
}

fn encoding(reader: &mut Reader<'_>) -> Option<Encoding> {
    let format = reader.choice("layout.format", Format::parse);
    let compression = reader.choice("layout.compression", Compression::parse);
    let separator = reader.text("layout.separator");
    if let (Some(Format::Json), Some(found)) = (format, &separator)
        && found.spot.place != Place::Default
        && reader.is_own(&found.spot)
    {
        reader.fault(&found.spot, Problem::SeparatorOfJson);
    }
    Some(Encoding {
        format: format?,
        compression: compression?,
        separator: separator?.value.into_bytes().into(),
    })
}

fn time(reader: &mut Reader<'_>) -> Option<TimeSource> {
    let Found { spot, value } = reader.find("layout.time")?;
    match &value.kind {
        ValueKind::String(word) if word == TIME_WORDS[0] => Some(TimeSource::Record),
        ValueKind::String(word) if word == TIME_WORDS[1] => Some(TimeSource::Opened),
        ValueKind::String(word) => {
            let nearest = nearest(word, TIME_WORDS).map(str::to_owned);
            let allowed = format!("{} and a table `{{ field, format, zone }}`", list(&TIME_WORDS));
            reader.fault(&spot, Problem::NotAWord { allowed, nearest });
            None
        }
        ValueKind::Table(_) => time_field(reader, Found { spot, value }),
        _ => {
            let expected = "a word or a table".to_owned();
            reader.fault(&spot, Problem::WrongType { expected, found: kind_of(value) });
            None
        }
    }
}

fn time_field(reader: &mut Reader<'_>, table: Found<&Value>) -> Option<TimeSource> {
    let [field, format, zone] = ["field", "format", "zone"].map(|name| {
        let found = child(table.value, name)?;
        let found = Found { spot: spot_of(reader, &table, name, found), value: found };
        text_of(reader, found)
    });
    for (name, other) in [("field", "layout.time.field"), ("format", "layout.time.format")] {
        if child(table.value, name).is_none() {
            reader.fault(&table.spot, Problem::NeedsOther { other });
        }
    }
    let zone = match zone {
        Some(Found { spot, value }) => {
            Zone::parse(&value).map_err(|error| reader.fault(&spot, error.into())).ok()
        }
        None => Zone::parse("UTC").ok(),
    };
    let (field, format, zone) = (field?, format?, zone?);
    let source = TimeSource::field(&field.value, &format.value, zone);
    source.map_err(|error| reader.fault(&table.spot, error.into())).ok()
}

fn spot_of(reader: &Reader<'_>, table: &Found<&Value>, name: &str, value: &Value) -> super::Spot {
    let path = join(&table.spot.key, name);
    super::Spot {
        place: reader.tree.place(&path),
        key: path,
        value: Some(super::reader::show(value)),
    }
}

fn seal(reader: &mut Reader<'_>) -> Option<SealPolicy> {
    let records = reader.count_or_off("seal.records");
    let bytes = reader.size_or_off("seal.bytes");
    let object_bytes = reader.size_or_off("seal.object_bytes");
    let age = reader.duration_or_off("seal.age");
    let policy = SealPolicy {
        records: records?.value,
        bytes: bytes?.value,
        object_bytes: object_bytes?.value,
        age: age?.value,
    };
    let SealPolicy { records, bytes, object_bytes, age } = policy;
    if records.is_none() && bytes.is_none() && object_bytes.is_none() && age.is_none() {
        let found = reader.find_own(&SEAL_KEYS)?;
        reader.fault(&found.spot, Problem::NeverSealed);
        return None;
    }
    Some(policy)
}
