use proptest::prelude::*;

use super::*;

fn sample() -> ObjectMetadata {
    ObjectMetadata {
        batch: BatchId::new(0x00ab),
        group: GroupId::new("connect-s3-sink").unwrap(),
        partition: TopicPartition::new("12ab34.pin", 3).unwrap(),
        topic_id: TopicId::from_u128(0xff),
        batch_start: Offset::new(100).unwrap(),
        first: Offset::new(107).unwrap(),
        count: Some(5),
        plan: Some(PlanText::new("1 plan").unwrap()),
    }
}

/// Never edited, only added to: objects with these pairs lie in people's buckets.
const GOLDEN_1: [(&str, &str); 9] = [
    ("sluice-version", "1"),
    ("sluice-batch", "00000000000000ab"),
    ("sluice-group", "connect-s3-sink"),
    ("sluice-partition", "12ab34.pin/3"),
    ("sluice-topic-id", "000000000000000000000000000000ff"),
    ("sluice-start", "100"),
    ("sluice-first", "107"),
    ("sluice-count", "5"),
    ("sluice-plan", "1 plan"),
];

#[test]
fn the_golden_sample_stays() {
    let encoded = sample().encode();
    let encoded: Vec<_> = encoded.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(encoded, GOLDEN_1);
    assert_eq!(ObjectMetadata::parse(GOLDEN_1), Ok(sample()));
}

#[test]
fn the_longest_metadata_fits_into_s3s_limit() {
    let longest = ObjectMetadata {
        batch: BatchId::new(u64::MAX),
        group: GroupId::new(&"g".repeat(255)).unwrap(),
        partition: TopicPartition::new(&"t".repeat(249), i32::MAX).unwrap(),
        topic_id: TopicId::from_u128(u128::MAX),
        batch_start: Offset::new(i64::MAX).unwrap(),
        first: Offset::new(i64::MAX).unwrap(),
        count: Some(u64::MAX),
        plan: Some(PlanText::new(&"p".repeat(PLAN_BYTES_MAX)).unwrap()),
    };
    assert!(longest.encoded_bytes() <= METADATA_BYTES_MAX, "{}", longest.encoded_bytes());
}

fn with(name: &str, value: &str) -> Result<ObjectMetadata, MetadataError> {
    let replaced = GOLDEN_1.map(|pair| if pair.0 == name { (pair.0, value) } else { pair });
    let added = (!GOLDEN_1.iter().any(|pair| pair.0 == name)).then_some((name, value));
    ObjectMetadata::parse(replaced.into_iter().chain(added))
}

#[test]
fn refuses_what_sluice_did_not_write() {
    let long_plan = "p".repeat(1_201);
    let long_group = "g".repeat(256);
    let cases = [
        ("sluice-version", "2"),
        ("sluice-version", ""),
        ("sluice-batch", ""),
        ("sluice-batch", "00000000000000AB"),
        ("sluice-batch", "ab"),
        ("sluice-group", ""),
        ("sluice-group", "gr\u{fc}ppe"),
        ("sluice-group", &long_group),
        ("sluice-partition", "pin"),
        ("sluice-partition", "pin/"),
        ("sluice-partition", "/0"),
        ("sluice-partition", "pin/-1"),
        ("sluice-partition", "pin/01"),
        ("sluice-partition", "pin/2147483648"),
        ("sluice-partition", "../0"),
        ("sluice-topic-id", "ff"),
        ("sluice-start", "-1"),
        ("sluice-start", "9223372036854775808"),
        ("sluice-first", "+7"),
        ("sluice-first", " 7"),
        ("sluice-count", "18446744073709551616"),
        ("sluice-count", "0x5"),
        ("sluice-plan", ""),
        ("sluice-plan", " 1"),
        ("sluice-plan", "\u{fffd}"),
        ("sluice-plan", "=?UTF-8?B?w7w=?=\n"),
        ("sluice-plan", &long_plan),
        ("sluice-more", "1"),
    ];
    for (name, value) in cases {
        assert!(with(name, value).is_err(), "{name} = {value:?}");
    }
}

#[test]
fn refuses_metadata_that_lacks_a_name() {
    for missing in GOLDEN_1.iter().take(7) {
        let rest = GOLDEN_1.iter().copied().filter(|pair| pair != missing);
        assert_eq!(
            ObjectMetadata::parse(rest),
            Err(MetadataError::Missing { name: missing.0 }),
            "{missing:?}"
        );
    }
    let optional = ObjectMetadata::parse(GOLDEN_1.into_iter().take(7)).unwrap();
    assert_eq!((optional.count, optional.plan), (None, None));
}

#[test]
fn an_object_of_somebody_else_has_no_batch_id() {
    assert_eq!(ObjectMetadata::parse([]), Err(MetadataError::NoBatchId));
    assert_eq!(ObjectMetadata::parse([("batch", "1")]), Err(MetadataError::NoBatchId));
    assert_eq!(with("mtime", "\u{fffd}"), Ok(sample()), "other names are passed over");
}

#[test]
fn plans_are_printable_and_bounded() {
    assert!(PlanText::new("1 a b").is_ok());
    for bad in ["", " a", "a ", "a\n", "\u{fc}", &"p".repeat(1_201)] {
        assert!(PlanText::new(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn round_trips(
        batch: u64,
        group in "[!-.0-~]{1,255}",
        topic in "[a-z][a-z0-9._-]{0,248}",
        partition in 0..=i32::MAX,
        topic_id: u128,
        (start, first) in (0..=i64::MAX, 0..=i64::MAX),
        count: Option<u64>,
        plan in proptest::option::of("[!-~]([ -~]{0,1198}[!-~])?"),
    ) {
        let metadata = ObjectMetadata {
            batch: BatchId::new(batch),
            group: GroupId::new(&group).unwrap(),
            partition: TopicPartition::new(&topic, partition).unwrap(),
            topic_id: TopicId::from_u128(topic_id),
            batch_start: Offset::new(start).unwrap(),
            first: Offset::new(first).unwrap(),
            count,
            plan: plan.map(|plan| PlanText::new(&plan).unwrap()),
        };
        let encoded = metadata.encode();
        prop_assert!(metadata.encoded_bytes() <= METADATA_BYTES_MAX);
        let pairs = encoded.iter().map(|(name, value)| (*name, value.as_str()));
        prop_assert_eq!(ObjectMetadata::parse(pairs), Ok(metadata));
    }

    #[test]
    fn hostile_values_never_panic(name in "sluice-[a-z-]{0,10}", value in "\\PC{0,300}") {
        prop_assert!(with(&name, &value).is_ok() || with(&name, &value).is_err());
    }
}
