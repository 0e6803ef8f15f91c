//! Golden samples, the round trip, and what is refused.

use proptest::prelude::*;

use super::*;
use crate::engine::sample::{at, layout, short_layout};
use crate::layout::TimeSource;
use crate::model::{Bucket, TOPIC_BYTES_MAX};

const DIGEST: &str = "000102030405060708090a0b0c0d0e0f";
const TOPIC_ID: u128 = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;

// Golden samples: never edited, only added to. Plans like these stand in Kafka.
const PLAN_1: &str = "sluice/1 plan b=0123456789abcdef s=7 e=4711 o=1700000000000 n=4700 \
    c=cluster-1 t=000102030405060708090a0b0c0d0e0f l=v1;b=bucket;e;p=topics;\
    d={topic}/partition={partition};n={topic}+{partition}+{start:010};t=record;z=UTC;f=json;c=none;\
    s=%0A;o=skip,quarantine,default;q=_quarantine d=000102030405060708090a0b0c0d0e0f";
const NONE_1: &str = "sluice/1 none s=4711 c=cluster-1 t=000102030405060708090a0b0c0d0e0f p=0";
const PIN_1: &str = "sluice/1 none s=0 c=cluster-1 t=00000000000000000000000000000000 p=1";

fn plan() -> Plan {
    Plan {
        batch: BatchId::new(0x0123_4567_89ab_cdef),
        range: OffsetRange::new(at(7), at(4711)).unwrap(),
        opened: Timestamp::from_millis(1_700_000_000_000),
        records: 4_700,
        digest: Digest::parse(DIGEST).unwrap(),
        cluster: ClusterId::new("cluster-1").unwrap(),
        topic_id: TopicId::from_u128(TOPIC_ID),
        layout: layout("{topic}/partition={partition}", "{topic}+{partition}+{start:010}"),
    }
}

fn none(offset: i64, topic_id: u128, pin: bool) -> EmptyPlan {
    let cluster = ClusterId::new("cluster-1").unwrap();
    EmptyPlan { offset: at(offset), cluster, topic_id: TopicId::from_u128(topic_id), pin }
}

#[test]
fn is_written_and_read_as_ever() {
    for (text, metadata) in [
        (PLAN_1, Metadata::Plan(Box::new(plan()))),
        (NONE_1, Metadata::Empty(none(4711, TOPIC_ID, false))),
        (PIN_1, Metadata::Empty(none(0, 0, true))),
    ] {
        let encoded = match &metadata {
            Metadata::Plan(plan) => plan.encode(),
            Metadata::Empty(empty) => empty.encode(),
            Metadata::Foreign => String::new(),
        };
        assert_eq!(encoded, text);
        assert_eq!(Metadata::parse(text.as_bytes()), Ok(metadata));
    }
}

#[test]
fn the_text_of_another_tool_is_foreign() {
    for text in ["", " ", "sluice", "Sluice/1 none", " sluice/1 none", "NO_METADATA", "{}"] {
        assert_eq!(Metadata::parse(text.as_bytes()), Ok(Metadata::Foreign), "{text:?}");
    }
    assert_eq!(Metadata::parse(&[0xff, 0xfe]), Ok(Metadata::Foreign));
}

#[test]
fn what_begins_as_ours_must_be_whole() {
    let layout = plan().layout.canonical();
    let wrong = [
        ("sluice/", "version ``"),
        ("sluice/2 none s=0 c=c t=00000000000000000000000000000000 p=0", "version `2`"),
        ("sluice/1", "kind ``"),
        ("sluice/1 ", "kind ``"),
        ("sluice/1  none", "kind ``"),
        ("sluice/1 some s=0", "kind `some`"),
        ("sluice/1 none", "field `s=` is missing"),
        ("sluice/1 none c=c s=0 t=00000000000000000000000000000000 p=0", "field `s=` is missing"),
        (
            "sluice/1 none s= c=c t=00000000000000000000000000000000 p=0",
            "field `s=` cannot be read",
        ),
        ("sluice/1 none s=-1 c=c t=00000000000000000000000000000000 p=0", "field `s=-1` cannot"),
        ("sluice/1 none s=+1 c=c t=00000000000000000000000000000000 p=0", "field `s=+1` cannot"),
        ("sluice/1 none s=01 c=c t=00000000000000000000000000000000 p=0", "field `s=01` cannot"),
        ("sluice/1 none s=9223372036854775808 c=c t=A p=0", "cannot be read"),
        ("sluice/1 none s=0 c= t=00000000000000000000000000000000 p=0", "field `c=` cannot"),
        ("sluice/1 none s=0 c=c t=short p=0", "field `t=short` cannot"),
        ("sluice/1 none s=0 c=c t=00000000000000000000000000000000 p=2", "field `p=2` cannot"),
        ("sluice/1 none s=0 c=c t=00000000000000000000000000000000", "field `p=` is missing"),
        ("sluice/1 none s=0 c=c t=00000000000000000000000000000000 p=0 x=1", "`x=1` stands behind"),
        ("sluice/1 none s=0 c=c t=00000000000000000000000000000000 p=0 ", "`` stands behind"),
        ("sluice/1 none s=0 c=c t=00000000000000000000000000000000 p=0\n", "field `p=0\\n` cannot"),
    ];
    for (text, expected) in wrong {
        refuses(text, expected);
    }
    for (from, to, expected) in [
        ("e=4711", "e=7", "field `e=7` cannot"),
        ("b=0123456789abcdef", "b=0123456789ABCDEF", "field `b=0123456789ABCDEF` cannot"),
        ("o=1700000000000", "o=-0", "field `o=-0` cannot"),
        ("n=4700", "n=-1", "field `n=-1` cannot"),
        (" d=00", " d=0", "cannot be read"),
        ("l=", "l=x", "its layout cannot be read"),
        (layout.as_str(), "", "its layout cannot be read"),
        (layout.as_str(), &format!("{layout} x"), "field `d=` is missing"),
        (layout.as_str(), &format!("{layout} "), "field `d=` is missing"),
        (" n=4700", "", "field `n=` is missing"),
        (" d=0001020304", " d=0001020304A", "cannot be read"),
    ] {
        refuses(&plan().encode().replacen(from, to, 1), expected);
    }
    refuses(&format!("{PLAN_1} "), "`` stands behind");
    refuses(&format!("{PLAN_1} x"), "`x` stands behind");
}

fn refuses(text: &str, expected: &str) {
    let error = Metadata::parse(text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains(expected), "{text:?}: {error}");
}

#[test]
fn says_which_release_reads_it() {
    let error = Metadata::parse(b"sluice/7 plan b=1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "version `7` is not one that this release reads (it reads `1`, `0`): run the release that \
         wrote it, or a newer one"
    );
    // Taken for another tool's it would be adopted, and its promise forgotten.
    let forgotten = Mutant::UnknownVersionIsForeign.during(|| Metadata::parse(b"sluice/7 plan"));
    assert_eq!(forgotten, Ok(Metadata::Foreign));
}

/// What a daemon of the previous release leaves is finished, and written on in the own version.
#[test]
fn the_previous_version_is_read_as_the_same_plan() {
    let text = plan().encode_as(Version::MadeUp);
    assert_eq!(text, PLAN_1.replace("sluice/1", "sluice/0").replace("e=4711", "k=4704"));
    assert_eq!(Metadata::parse(text.as_bytes()), Ok(Metadata::Plan(Box::new(plan()))));
    let empty = none(4711, TOPIC_ID, false);
    let text = empty.encode_as(Version::MadeUp);
    assert_eq!(text, NONE_1.replace("sluice/1", "sluice/0"));
    assert_eq!(Metadata::parse(text.as_bytes()), Ok(Metadata::Empty(empty)));
    assert_eq!(plan().encode(), PLAN_1, "what is written is the own version");
    let refused = Mutant::OwnVersionOnly.during(|| Metadata::parse(text.as_bytes()));
    assert!(matches!(refused, Err(MetadataError::Version { .. })), "{refused:?}");
}

#[test]
fn the_fields_of_one_version_are_none_of_another() {
    let previous = plan().encode_as(Version::MadeUp);
    refuses(&previous.replace("sluice/0", "sluice/1"), "field `e=` is missing");
    refuses(&PLAN_1.replace("sluice/1", "sluice/0"), "field `k=` is missing");
    for wrong in ["k=0", "k=-1", "k=04704", "k=9223372036854775807"] {
        refuses(&previous.replace("k=4704", wrong), &format!("field `{wrong}` cannot"));
    }
    for length in "sluice/".len()..previous.len() {
        assert!(Metadata::parse(&previous.as_bytes()[..length]).is_err(), "{length}");
    }
}

#[test]
fn no_beginning_of_a_plan_is_a_plan() {
    for text in [PLAN_1, NONE_1] {
        for length in "sluice/".len()..text.len() {
            assert!(Metadata::parse(&text.as_bytes()[..length]).is_err(), "{}", &text[..length]);
        }
    }
}

#[test]
fn bytes_that_are_not_text_are_refused_anywhere() {
    for text in [PLAN_1, NONE_1] {
        for index in "sluice/".len()..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[index] = 0xff;
            assert!(Metadata::parse(&bytes).is_err(), "at {index}");
        }
    }
}

#[test]
fn stays_far_below_the_limit_of_brokers() {
    let topic = "x".repeat(TOPIC_BYTES_MAX);
    let longest = Plan {
        range: OffsetRange::new(at(i64::MAX - 1), at(i64::MAX)).unwrap(),
        opened: Timestamp::from_millis(i64::MIN),
        records: u64::MAX,
        cluster: ClusterId::new(&"c".repeat(64)).unwrap(),
        layout: Layout { bucket: Bucket::new(&"b".repeat(63)).unwrap(), ..plan().layout },
        ..plan()
    };
    assert!(longest.encode().len() <= PLAN_BYTES_MAX, "{}", longest.encode().len());
    // A topic's name is in no plan, unless somebody writes it into the prefix.
    let prefixed = Layout { prefix: topic, ..longest.layout.clone() };
    let longest = Plan { layout: prefixed, ..longest };
    assert!(longest.encode().len() <= PLAN_BYTES_MAX, "{}", longest.encode().len());
    assert!(longest.encode().is_ascii());
}

#[test]
fn is_ascii_whatever_the_layout_holds() {
    let layout = Layout { prefix: "köln/ü b;c=d,e%".to_owned(), ..short_layout() };
    let odd = Plan { layout, ..plan() };
    assert!(odd.encode().bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '));
    assert_eq!(Metadata::parse(odd.encode().as_bytes()), Ok(Metadata::Plan(Box::new(odd))));
}

prop_compose! {
    fn any_plan()(
        batch in any::<u64>(),
        start in 0..i64::MAX - 1,
        length in 1..i64::MAX,
        opened in any::<i64>(),
        records in any::<u64>(),
        digest in any::<u128>(),
        cluster in "[A-Za-z0-9._-]{1,64}",
        topic_id in any::<u128>(),
        prefix in "[a-zäß0-9 =;,%]{0,20}",
        is_opened in any::<bool>(),
    ) -> Plan {
        let time = if is_opened { TimeSource::Opened } else { TimeSource::Record };
        Plan {
            batch: BatchId::new(batch),
            range: OffsetRange::new(at(start), at(start.saturating_add(length))).unwrap(),
            opened: Timestamp::from_millis(opened),
            records,
            digest: Digest::parse(&format!("{digest:032x}")).unwrap(),
            cluster: ClusterId::new(&cluster).unwrap(),
            topic_id: TopicId::from_u128(topic_id),
            layout: Layout { prefix, time, ..plan().layout },
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(plan in any_plan(), pin in any::<bool>()) {
        let offset = plan.range.end();
        let empty =
            EmptyPlan { offset, cluster: plan.cluster.clone(), topic_id: plan.topic_id, pin };
        let text = empty.encode();
        prop_assert_eq!(Metadata::parse(text.as_bytes()), Ok(Metadata::Empty(empty)));
        let text = plan.encode();
        prop_assert_eq!(Metadata::parse(text.as_bytes()), Ok(Metadata::Plan(Box::new(plan))));
    }

    #[test]
    fn what_reads_is_what_was_written(index in 0_usize..300, byte in any::<u8>(), cut in 0_usize..4) {
        let mut bytes = PLAN_1.as_bytes().to_vec();
        let index = index % bytes.len();
        bytes.splice(index..(index + cut).min(PLAN_1.len()), [byte]);
        match Metadata::parse(&bytes) {
            Ok(Metadata::Plan(plan)) => prop_assert_eq!(plan.encode().into_bytes(), bytes),
            Ok(Metadata::Empty(_)) => prop_assert!(false, "a plan is no empty plan"),
            Ok(Metadata::Foreign) => prop_assert!(!bytes.starts_with(b"sluice/")),
            Err(_) => {}
        }
    }
}
