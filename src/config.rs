//! What the file may say, and what the program makes of it: strict, with every fault at once.
//!
//! It owns: the table of keys, the three sources (file, environment, `--set`) and which of them
//! wins, faults and warnings with their lines, the typed settings, where the file is looked for.
//! It does not own: whether Kafka and the store agree (`check` asks them), the meaning of
//! templates (`layout`), the command line.
//!
//! The `config` crate merges the sources into a tree, and no more: its environment reader lowers
//! the case of names, and serde would stop at the first fault. `tree` keeps the line of every
//! value, `unknown` finds what is no key, `shown` prints what holds, `kafka`, `s3`, `topic`, `http` and `process` read the rest, and
//! `reload` tells what changed while the program runs.

mod credentials;
mod fault;
mod find;
mod http;
mod kafka;
mod keys;
mod masked;
mod nearest;
mod pattern;
mod problem;
mod process;
mod properties;
mod reader;
mod reference;
mod reload;
mod s3;
mod shown;
#[cfg(test)]
mod tests;
mod topic;
mod tree;
mod unknown;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

pub use fault::{Caution, Fault, Faults, Place, Spot, Warning};
pub use find::{FILE_VARIABLE, FILES, FileText, find_file, read_file};
pub use http::{Http, HttpLogin, HttpTls};
pub use kafka::{
    AuthMethod, ClientCertificate, KafkaAuth, KafkaSettings, KafkaTls, MskIam, OauthBearer,
    OnLostRecords, PasswordLogin, Protocol, Start, Topics,
};
pub use pattern::TopicPattern;
pub use problem::Problem;
pub use process::{
    Limits, Log, LogFormat, MEMORY_BYTES_MIN, MEMORY_BYTES_PER_WORKER_MIN, MEMORY_PARTS_MIN,
    OPEN_OBJECTS_MAX, PREFETCH_BYTES_MAX, WORKERS_MAX,
};
pub use properties::Properties;
pub use reference::reference;
pub use reload::{Reloaded, Running};
pub use s3::{
    CLAIMS_BYTES_MAX, Encryption, ObjectSettings, PART_BYTES_MAX, PART_BYTES_MIN, ProxySetting,
    RoleSettings, S3Credentials, S3Settings, WaySettings,
};
pub use shown::{Origin, Shown};
pub use topic::TopicSettings;

use crate::model::Topic;
pub use crate::model::{Secret, SecretKey};

/// Amazon S3 User Guide, "Working with object metadata": names and values together.
const METADATA_BYTES_MAX: usize = 2_048;
/// All that an object carries at its longest: a plan (1,200), group (255), topic (249), topic id
/// (32), batch id (16), partition (10), two offsets (19 each), our version (16), and ten names of
/// at most 20. No setting can exceed it, because each of these has its bound in `model`.
const METADATA_BYTES: usize = 1_200 + 255 + 249 + 32 + 16 + 10 + 19 + 19 + 16 + 10 * 20;
const _: () = assert!(METADATA_BYTES <= METADATA_BYTES_MAX);

/// Everything that settings are read from, as values.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// None where everything comes from the environment and the command line.
    pub file: Option<&'a FileText>,
    /// The whole environment; those that begin with `SLUICE__` are keys.
    pub variables: &'a BTreeMap<String, String>,
    /// What `--set` was given, `key=value` each; later ones win.
    pub arguments: &'a [String],
    /// What `limits.workers = "cores"` means.
    pub cores: NonZeroUsize,
}

/// What the program means to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub kafka: KafkaSettings,
    pub s3: S3Settings,
    pub limits: Limits,
    pub http: Http,
    pub log: Log,
    /// What of all this people are shown.
    pub shown: Vec<Shown>,
    per_topic: topic::PerTopic,
}

impl Settings {
    /// Returns what holds for `topic`: the first override that matches it, or the settings of all.
    pub fn for_topic(&self, topic: &Topic) -> TopicSettings {
        self.per_topic.of(topic).clone()
    }

    /// Returns what holds for topics by pattern, in the order in which the overrides are tried;
    /// last, without a pattern, what holds for all others.
    pub fn scopes(&self) -> impl Iterator<Item = (Option<&TopicPattern>, &TopicSettings)> {
        self.per_topic.scopes()
    }
}

/// Settings without a fault, and what deserves a look all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub settings: Settings,
    pub warnings: Vec<Warning>,
}

/// Reads the sources; returns every fault if there is one. Where the file is not TOML, that is
/// its only fault: what it would have said is not known.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, Faults> {
    let mut report = fault::Report::default();
    let tree = tree::Tree::read(sources, &mut report);
    unknown::check(&tree, &mut report);
    let settings = match tree.is_file_lost() {
        true => None,
        false => settings(&mut reader::Reader::new(&tree, &mut report), sources),
    };
    let spot = Spot { place: tree.place(""), key: String::new(), value: None };
    let (settings, warnings) = report.finish(settings, spot)?;
    Ok(Loaded { settings, warnings })
}

fn settings(reader: &mut reader::Reader<'_>, sources: &Sources<'_>) -> Option<Settings> {
    reader.check_required();
    let topics = kafka::topics(reader);
    let kafka = kafka::read(reader, sources, topics.as_ref());
    let store = s3::store(reader);
    let s3 = s3::read(reader, sources, &store);
    let limits = process::limits(reader, sources.cores, store.part_bytes);
    if let (Some(kafka), Some(limits)) = (&kafka, &limits) {
        properties::check_fetch(reader, &kafka.properties, limits.memory_bytes);
    }
    let http = http::http(reader, sources);
    let log = process::log(reader);
    let around = topic::Surroundings { store: &store, topics: topics.as_ref() };
    let per_topic = topic::read(reader, &around);
    Some(Settings {
        kafka: kafka?,
        s3: s3?,
        limits: limits?,
        http: http?,
        log: log?,
        shown: shown::shown(reader.tree),
        per_topic: per_topic?,
    })
}
