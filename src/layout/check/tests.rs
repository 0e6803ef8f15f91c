use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::format::Compression;
use crate::layout::sample::{NAME, default_layout, layout};
use crate::layout::{ObjectSpan, RouteContext, TimeFormat, TimeSource, Zone};
use crate::model::{Offset, Record, Timestamp, TopicPartition};

fn faults(layout: &Layout) -> Vec<String> {
    let told = |fault: &LayoutFault| format!("{}: {fault}", fault.key());
    layout.check(TopicCount::Several).iter().map(told).collect()
}

fn wanted(path: &str, name: &str) -> Vec<Wanted> {
    let wanted = |fault: &LayoutFault| match fault {
        LayoutFault::Lacks { wanted } | LayoutFault::Ambiguous { wanted, .. } => *wanted,
        other => panic!("{other}"),
    };
    layout(path, name).check(TopicCount::Several).iter().map(wanted).collect()
}

#[test]
fn the_default_is_safe() {
    assert_eq!(faults(&default_layout()), [""; 0]);
    let at_the_root = Layout { prefix: String::new(), ..default_layout() };
    assert_eq!(faults(&at_the_root), [""; 0]);
}

#[test]
fn a_key_must_tell_topic_partition_and_offsets() {
    use Wanted::{Offset, Partition, Topic};
    let cases: [(&str, &str, &[Wanted]); 17] = [
        ("", NAME, &[]),
        ("{topic}/{partition}", "{start}", &[]),
        ("{topic}/{partition}", "{last}", &[]),
        ("{topic}/{partition}", "{count}", &[Offset]),
        ("{topic}", "{start}", &[Partition]),
        ("x", "{partition}+{start}", &[Topic]),
        ("x", "x", &[Topic, Partition, Offset]),
        ("x", "{topic}{partition}+{start}", &[Topic, Partition]),
        ("x", "{topic}-{partition}-{start}", &[]),
        ("x", "{topic}-{partition}-{start}-{count}", &[]),
        ("{topic}", "{partition}{start}", &[Partition, Offset]),
        ("{topic}", "{partition:05}{start:010}", &[Partition, Offset]),
        ("{topic}", "{partition:010}{start:010}", &[]),
        ("{topic}", "{partition}{start:019}", &[]),
        ("{field:/a}{topic}/{partition}", "{start}", &[Topic]),
        ("{field:/a}+{topic}/{partition}", "{start}", &[]),
        ("{time:%Y/%m}{partition}/{topic}", "{start}", &[Partition]),
    ];
    for (path, name, expected) in cases {
        assert_eq!(wanted(path, name), expected, "{path} {name}");
    }
    assert_eq!(layout("x", "{partition}+{start}").check(TopicCount::One), []);
}

#[test]
fn faults_say_what_why_and_what_to_do() {
    let cases = [
        (
            layout("{partition}", "{start}"),
            "layout.name: no key names its topic, so that two objects could share one: put \
             `{topic}` into `layout.name`",
        ),
        (
            layout("{topic}", "{partition}{last}+{count}"),
            "layout.name: the partition cannot be read back from `{topic}` and \
             `{partition}{last}+{count}`, so that two objects could share a key: part \
             `{partition}` from what stands beside it with a character that neither can hold, such \
             as `+`",
        ),
        (
            Layout { prefix: "a/../b".to_owned(), ..default_layout() },
            "layout.prefix: `a/../b` is no prefix: it has no `/` at either end, no empty, `.` or \
             `..` element, no control character",
        ),
        (
            Layout { quarantine_prefix: "q".repeat(201), ..default_layout() },
            "quarantine.prefix: the prefix has 201 bytes, at most 200 are allowed: shorten it",
        ),
        (
            Layout { quarantine_prefix: "topics".to_owned(), ..default_layout() },
            "quarantine.prefix: objects below `topics` could share a key with those of \
             `layout.path`: choose another first directory, such as `_quarantine`",
        ),
        (
            layout("{topic}", "{topic}+{topic}+{topic}+{partition}+{start}"),
            "layout.name: with the longest topic a name can have 785 bytes, at most 512 are \
             allowed: shorten `{topic}+{topic}+{topic}+{partition}+{start}`",
        ),
        (
            Layout {
                time: TimeSource::Field {
                    pointer: "a".to_owned(),
                    format: TimeFormat::Rfc3339,
                    zone: Zone::UTC,
                },
                ..default_layout()
            },
            "layout.time: `a` in `layout.time`: a pointer begins with `/`, as in `/category`",
        ),
        (
            Layout {
                prefix: "ä".repeat(100), endpoint: Some("ä".repeat(20)), ..default_layout()
            },
            "layout.path: written down, the layout has 890 bytes, at most 800 fit beside each \
             commit: shorten path, name, prefixes or the format of `layout.time`",
        ),
    ];
    for (layout, message) in cases {
        assert_eq!(faults(&layout).first().map(String::as_str), Some(message));
    }
}

#[test]
fn the_quarantine_may_stand_where_it_cannot_be_met() {
    let cases = [
        ("topics", "{topic}/partition={partition}", "topics", true),
        ("topics", "{topic}/partition={partition}", "topics/bad", false),
        ("topics", "{topic}/{field:/a}/{partition}", "topics", false),
        ("topics", "{field:/a}/{topic}/p{partition}", "topics/bad", false),
        ("topics", "{field:/a}/{topic}/partition={partition}", "topics/bad", true),
        ("topics", "x/{topic}/partition={partition}", "topics/bad", false),
        ("", "{topic}/{topic}/partition={partition}", "_quarantine", true),
        ("", "{topic}/{topic}/partition={partition}", "+quarantine", false),
        ("a", "{topic}/partition={partition}", "b", false),
    ];
    for (prefix, path, quarantine_prefix, meets) in cases {
        let (prefix, quarantine_prefix) = (prefix.to_owned(), quarantine_prefix.to_owned());
        let layout = Layout { prefix, quarantine_prefix, ..layout(path, NAME) };
        assert_eq!(!faults(&layout).is_empty(), meets, "{layout:?}");
    }
}

#[test]
fn what_a_layout_could_touch_is_known() {
    let below = |prefix: &str, path: &str, claims: &str| {
        Layout { prefix: prefix.to_owned(), ..layout(path, NAME) }.may_write_below(claims)
    };
    assert!(!below("topics", "{topic}/partition={partition}", "_sluice/"));
    assert!(below("topics", "{topic}/partition={partition}", "topics/"));
    assert!(below("topics", "{topic}", "top"));
    assert!(below("topics", "{topic}", "topics/pin/"));
    assert!(below("topics", "{topic}", "_quarantine/pin/"));
    assert!(!below("topics", "{topic}/partition={partition}", "topics/a b/"));
    assert!(below("", "{topic}", "_sluice/"));
    assert!(!below("", "{topic}", "+sluice/"));
    assert!(!below("_sluice2", "{topic}", "_sluice/"));
    assert!(below("topics", "{topic}", ""));
}

const PATHS: [&str; 8] = [
    "",
    "{topic}/partition={partition}",
    "{field:/f}/{topic}",
    "{topic}+{field:/f}/{partition}",
    "{field:/f}-{field:/g}",
    "{time:%Y/%m}/{topic}/{key}",
    "{topic}{partition}/x",
    "{field:/f}/{field:/g}/{key}/{field:/f}/{topic}/{topic}",
];
const NAMES: [&str; 8] = [
    NAME,
    "{start}",
    "{topic}{partition}+{start}",
    "{topic}-{partition}-{last}",
    "{partition}{start}",
    "{partition:010}{start:010}",
    "{count}+{last}",
    "{partition}{start:019}",
];

/// Returns the pairs of them that are safe.
fn safe_templates() -> Vec<(&'static str, &'static str)> {
    let pairs = PATHS.iter().flat_map(|path| NAMES.iter().map(|name| (*path, *name)));
    pairs.filter(|(path, name)| layout(path, name).check(TopicCount::Several).is_empty()).collect()
}

/// What the key of an object stands for.
type Identity = (TopicPartition, Vec<Option<Vec<u8>>>, i64);

fn topic() -> impl Strategy<Value = String> {
    prop_oneof!["[a1.-]{1,3}".prop_filter("no topic", |text| text != "." && text != ".."), "a{249}"]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[a/%.~1-]{0,3}", "[a/]{195,210}", "(😀|a){40,90}"]
}

fn index() -> impl Strategy<Value = i32> {
    prop::sample::select(vec![0, 1, 2, 11, 12, 21, i32::MAX])
}

fn first() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![0, 1, 2, 11, 21, 10_000_000_000])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Objects of one batch start where they like; those of different batches of one partition
    /// never overlap, hence one offset stands for first and last here.
    #[test]
    fn no_two_objects_of_a_checked_layout_share_a_key(
        (path, name) in prop::sample::select(safe_templates()),
        zipped: bool,
        objects in prop::collection::vec(
            (topic(), index(), first(), value(), value(), value()), 2..16,
        ),
    ) {
        let mut layout = layout(path, name);
        if zipped {
            layout.encoding.compression = Compression::Gzip;
        }
        let mut keys = BTreeMap::<String, Identity>::new();
        for (topic, index, first, field, other, key) in objects {
            let partition = TopicPartition::new(&topic, index).unwrap();
            let value = format!(r#"{{"f":"{field}","g":"{other}"}}"#);
            let record = Record {
                key: Some(key.as_bytes()),
                ..crate::layout::sample::record(value.as_bytes())
            };
            let opened = Timestamp::from_millis(0);
            let of = RouteContext { partition: &partition, opened };
            let route = layout.route(&of, &record).unwrap();
            let offset = Offset::new(first).unwrap();
            let span = ObjectSpan { first: offset, last: Some(offset), count: Some(1) };
            let object = layout.object_key(&partition, &route, &span).as_str().to_owned();
            let quarantine = layout.quarantine_route(&partition);
            let bad = layout.object_key(&partition, &quarantine, &span).as_str().to_owned();
            // Only what the path shows tells objects of one offset apart.
            let shown = |variable: &str, text: &str| {
                path.contains(variable).then(|| text.as_bytes().to_vec())
            };
            let values =
                vec![shown("{field:/f}", &field), shown("{field:/g}", &other), shown("{key}", &key)];
            // Two values side by side in one element are one text.
            let values = if path == "{field:/f}-{field:/g}" {
                vec![Some(route.as_str().as_bytes().to_vec())]
            } else {
                values
            };
            for (key, identity) in [
                (object, (partition.clone(), values, first)),
                (bad, (partition.clone(), vec![Some(b"quarantine".to_vec())], first)),
            ] {
                prop_assert!(key.len() <= 1_024);
                let known = keys.entry(key.clone()).or_insert_with(|| identity.clone());
                prop_assert_eq!(&*known, &identity, "{}", key);
            }
        }
    }
}
