use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use super::*;
use crate::config::{FileText, Sources, load};

const HEAD: &str = "[kafka]\nbootstrap_servers = [\"localhost:9092\"]\n";

/// 2021-08-24T11:23:51Z.
fn now() -> Timestamp {
    Timestamp::from_millis(1_629_804_231_000)
}

fn settings(text: &str) -> Settings {
    let text = format!("{HEAD}{text}");
    let file = FileText { path: Path::new("connector.toml").into(), text, mode: None };
    let sources = Sources {
        file: Some(&file),
        variables: &BTreeMap::new(),
        arguments: &[],
        cores: NonZeroUsize::MIN,
    };
    load(&sources).map_err(|faults| faults.to_string()).unwrap().settings
}

fn shown(text: &str, found: Option<&[&str]>) -> Vec<Effective> {
    let found: Option<Vec<Topic>> =
        found.map(|names| names.iter().map(|name| Topic::new(name).unwrap()).collect());
    effective(&settings(text), found.as_deref(), now()).unwrap()
}

fn example(path: &str, more: &str) -> String {
    let text = format!(
        "topics = [\"pin\"]\n[s3]\nbucket = \"bkt\"\n[layout]\npath = \"{path}\"\n{more}\n"
    );
    shown(&text, None)[0].example_object.clone()
}

#[test]
fn the_default_is_shown_in_full() {
    let all = shown("topics = [\"pin\", \"geo\"]\n[s3]\nbucket = \"bkt\"\n", None);
    let texts: Vec<_> = all.iter().map(Effective::to_string).collect();
    assert_eq!(
        texts,
        ["settings of `pin`, `geo`:
  layout.compression = \"none\"
  layout.format = \"json\"
  layout.name = \"{topic}+{partition}+{start:010}\"
  layout.path = \"{topic}/partition={partition}\"
  layout.prefix = \"topics\"
  layout.time = \"record\"
  layout.time_zone = \"UTC\"
  quarantine.prefix = \"_quarantine\"
  records.on_bad = \"quarantine\"
  records.on_missing_route = \"default\"
  records.on_null = \"skip\"
  s3.bucket = \"bkt\"
  seal.age = \"5m\"
  seal.bytes = \"64 MiB\"
  seal.object_bytes = \"off\"
  seal.records = \"off\"
  an object: s3://bkt/topics/pin/partition=0/pin+0+0000000000.json"]
    );
}

#[test]
fn what_a_record_brings_along_is_shown_by_an_example() {
    assert_eq!(
        example("{topic}/{time:%Y/%m/%d}/{field:/a/b~1c}/{header:h}/{key}/{partition}", ""),
        "s3://bkt/topics/pin/2021/08/24/example/example/example/0/pin+0+0000000000.json"
    );
}

#[test]
fn a_moment_from_a_field_is_shown_too() {
    let time = "time = { field = \"/t\", format = \"unix_s\" }\ncompression = \"gzip\"";
    assert_eq!(
        example("{topic}/{partition}/{time:%H}", time),
        "s3://bkt/topics/pin/0/11/pin+0+0000000000.json.gz"
    );
}

#[test]
fn topics_of_an_override_stand_apart() {
    let text = "topics = [\"pin\", \"geo\", \"user\"]\n[s3]\nbucket = \"bkt\"\n\
                [[override]]\ntopics = 'geo'\nseal.age = \"1 min\"\n";
    let all = shown(text, None);
    let names: Vec<_> = all.iter().map(|shared| shared.topics.join(" ")).collect();
    assert_eq!(names, ["`pin` `user`", "`geo`"]);
    assert_eq!(all[1].settings["seal.age"], "\"1m\"");
}

#[test]
fn topics_by_pattern_are_those_that_kafka_has() {
    let text = "topics_regex = '.*'\n[s3]\nbucket = \"bkt\"\n\
                [[override]]\ntopics = 'g.*'\nseal.age = \"1 min\"\n";
    let names = |all: &[Effective]| -> Vec<String> {
        all.iter().map(|shared| shared.topics.join(" ")).collect()
    };
    assert_eq!(names(&shown(text, Some(&["geo", "pin"]))), ["`geo`", "`pin`"]);
    let unasked = shown(text, None);
    assert_eq!(names(&unasked), ["topics that match `g.*`", "every other topic"]);
    assert_eq!(
        unasked[1].example_object,
        "s3://bkt/topics/example/partition=0/example+0+0000000000.json"
    );
}
