//! Whole files in, settings or the full text of every fault out.

mod faults;
mod places;
mod reload;
mod secrets;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::format::{Compression, Format};
use crate::layout::TimeSource;

/// What every file needs.
const MINIMAL: &str = "[kafka]
bootstrap_servers = [\"localhost:9092\"]
topics = [\"pin\", \"geo\", \"user\"]
[s3]
bucket = \"user-12ab34-bucket\"
";

/// A file and what goes before it.
#[derive(Default)]
struct Given<'a> {
    text: &'a str,
    mode: Option<u32>,
    variables: &'a [(&'a str, &'a str)],
    arguments: &'a [&'a str],
}

fn load_given(given: &Given<'_>) -> Result<Loaded, Faults> {
    with_sources(given, load)
}

fn with_sources<T>(given: &Given<'_>, read: impl FnOnce(&Sources<'_>) -> T) -> T {
    let path = Path::new("connector.toml").into();
    let file = FileText { path, text: given.text.to_owned(), mode: given.mode };
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: BTreeMap<_, _> = given.variables.iter().map(owned).collect();
    let arguments: Vec<String> = given.arguments.iter().map(|text| (*text).to_owned()).collect();
    let cores = NonZeroUsize::new(2).unwrap();
    read(&Sources { file: Some(&file), variables: &variables, arguments: &arguments, cores })
}

fn load_text(text: &str) -> Result<Loaded, Faults> {
    load_given(&Given { text, ..Given::default() })
}

fn faults_of(given: &Given<'_>) -> Vec<String> {
    match load_given(given) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.list().iter().map(Fault::to_string).collect(),
    }
}

fn topic(name: &str) -> Topic {
    Topic::new(name).unwrap()
}

#[test]
fn a_minimal_file_gives_the_defaults() {
    let Loaded { settings, warnings } = load_text(MINIMAL).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(settings.kafka.group_id.as_str(), "sluice");
    assert_eq!(settings.kafka.protocol, Protocol::Classic);
    assert_eq!(settings.kafka.start, Start::Earliest);
    assert_eq!(settings.kafka.on_lost_records, OnLostRecords::Stop);
    assert_eq!((settings.kafka.auth, settings.kafka.tls), (None, None));
    assert_eq!(settings.s3.part_bytes, 8 * 1024 * 1024);
    assert_eq!(settings.s3.claims_prefix, "_sluice/");
    assert_eq!(settings.s3.credentials, S3Credentials::Chain);
    assert!(settings.s3.conditional_writes && !settings.s3.path_style);
    assert_eq!(settings.limits.workers.get(), 2);
    assert_eq!(settings.limits.memory_bytes, 256 * 1024 * 1024);
    assert_eq!(settings.limits.open_objects, 50_000);
    assert_eq!(settings.limits.drain, Duration::from_secs(60));
    assert_eq!(settings.http.listen.to_string(), "127.0.0.1:9464");
    assert_eq!(settings.log, Log { format: LogFormat::Auto, level: "info".to_owned() });
}

#[test]
fn a_minimal_file_gives_the_layout_of_the_incumbent() {
    let settings = load_text(MINIMAL).unwrap().settings.for_topic(&topic("pin"));
    let layout = settings.layout;
    assert_eq!(layout.bucket.as_str(), "user-12ab34-bucket");
    assert_eq!((layout.prefix.as_str(), layout.endpoint.as_deref()), ("topics", None));
    assert_eq!(layout.path.as_str(), "{topic}/partition={partition}");
    assert_eq!(layout.name.as_str(), "{topic}+{partition}+{start:010}");
    assert_eq!((layout.time.clone(), layout.zone.as_str()), (TimeSource::Record, "UTC"));
    assert_eq!(layout.encoding.format, Format::Json);
    assert_eq!(layout.encoding.compression, Compression::None);
    assert_eq!(layout.encoding.separator.as_ref(), b"\n");
    assert_eq!(layout.quarantine_prefix, "_quarantine");
    assert_eq!((settings.seal.records, settings.seal.object_bytes), (None, None));
    assert_eq!(settings.seal.bytes, Some(64 * 1024 * 1024));
    assert_eq!(settings.seal.age, Some(Duration::from_secs(300)));
}

#[test]
fn the_shipped_file_loads_without_fault_or_warning() {
    let shipped = include_str!("../../connector.toml");
    let without_origins = |text: &str| {
        let mut loaded = load_text(text).unwrap();
        loaded.settings.shown.clear();
        loaded
    };
    assert_eq!(without_origins(shipped), without_origins(MINIMAL));
}

#[test]
fn the_first_override_that_matches_wins() {
    let text = format!(
        "{MINIMAL}[[override]]\ntopics = 'geo|pin'\nseal.age = \"1 min\"\nlayout.compression = \"gzip\"\n\
         [[override]]\ntopics = '.*'\nseal.age = \"off\"\nlayout.time = {{ field = \"/at\", format = \"rfc3339\" }}\n"
    );
    let settings = load_text(&text).unwrap().settings;
    let (geo, user) = (settings.for_topic(&topic("geo")), settings.for_topic(&topic("user")));
    assert_eq!(geo.seal.age, Some(Duration::from_secs(60)));
    assert_eq!(geo.seal.bytes, Some(64 * 1024 * 1024));
    assert_eq!(geo.layout.encoding.compression, Compression::Gzip);
    assert_eq!(geo.layout.time, TimeSource::Record);
    assert_eq!(user.seal.age, None);
    assert_eq!(user.layout.encoding.compression, Compression::None);
    assert!(matches!(user.layout.time, TimeSource::Field { .. }));
}

#[test]
fn names_below_the_properties_keep_their_case_and_their_dots() {
    let text = format!("{MINIMAL}[kafka.properties]\n\"fetch.max.bytes\" = 16777216\n");
    let given = Given {
        text: &text,
        variables: &[("SLUICE__KAFKA__PROPERTIES__SOCKET_KEEPALIVE_ENABLE", "true")],
        arguments: &["kafka.properties.client.rack=eu-1A"],
        ..Given::default()
    };
    let properties = load_given(&given).unwrap().settings.kafka.properties;
    let expected = [
        ("client.rack", "eu-1A"),
        ("fetch.max.bytes", "16777216"),
        ("socket.keepalive.enable", "true"),
    ];
    assert!(properties.iter().eq(expected));
    assert_eq!(
        format!("{properties:?}"),
        r#"{"client.rack", "fetch.max.bytes", "socket.keepalive.enable"}"#
    );
}

#[test]
fn topics_by_pattern_match_whole_names() {
    let text = MINIMAL.replace("topics = [\"pin\", \"geo\", \"user\"]", "topics_regex = 'a|b.*'");
    let Topics::Pattern(pattern) = load_text(&text).unwrap().settings.kafka.topics else {
        panic!("a pattern was given");
    };
    assert_eq!(pattern.as_str(), "a|b.*");
    assert!(pattern.matches(&topic("bc")) && !pattern.matches(&topic("ac")));
}

#[test]
fn every_word_of_the_table_is_a_value_and_every_other_is_not() {
    for key in keys::all() {
        let keys::Kind::Choice(words) = key.kind else { continue };
        for word in words {
            let argument = format!("{}={word}", key.path);
            let arguments = [argument.as_str()];
            let given = Given { text: MINIMAL, arguments: &arguments, ..Given::default() };
            let is_refused = |fault: &String| fault.contains("is not one of");
            assert!(!faults_of(&given).iter().any(is_refused), "{argument}");
        }
    }
}

#[test]
fn a_pattern_means_none_of_kafkas_own_topics_and_a_list_may_name_them() {
    let all = || ["pin", "__consumer_offsets", "_schemas"].map(topic).to_vec();
    let read = |topics: &str| {
        let text = MINIMAL.replace("topics = [\"pin\", \"geo\", \"user\"]", topics);
        load_text(&text).unwrap().settings.kafka.topics.among(all())
    };
    assert_eq!(read("topics_regex = '.*'"), [topic("pin"), topic("_schemas")]);
    let named = topic("__consumer_offsets");
    assert_eq!(read("topics = [\"__consumer_offsets\"]"), [named]);
}

#[test]
fn two_layouts_of_one_file_that_could_meet_are_refused() {
    let with = |name: &str, topics: &str| {
        let text = format!(
            "{MINIMAL}[[override]]\ntopics = '{topics}'\n\
             layout.path = \"{{field:/a}}/{{field:/b}}\"\nlayout.name = \"{name}\"\n"
        );
        faults_of(&Given { text: &text, ..Given::default() })
    };
    assert_eq!(
        with("{partition}+{start:010}+{topic}", "geo"),
        [
            "connector.toml:8: `override[0].layout.path` (`\"{field:/a}/{field:/b}\"`) could give an \
             object the key of one whose topics are those without an override: name `{topic}` at \
             the same place in both, or give one another prefix"
        ]
    );
    let none = Vec::<String>::new();
    assert_eq!(
        with("{topic}+{partition}+{start:010}", "geo"),
        none,
        "names that tell topics apart"
    );
    assert_eq!(
        with("{partition}+{start:010}+{topic}", ".*"),
        none,
        "no topic is left for the other"
    );
}
