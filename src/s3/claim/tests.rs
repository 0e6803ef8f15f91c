use proptest::prelude::*;

use super::*;

fn at(value: i64) -> Offset {
    Offset::new(value).unwrap()
}

fn sample() -> Claim {
    Claim {
        topic_id: TopicId::from_u128(0xff),
        first_start: at(7),
        plan: Some(PlanText::new("1 a%b").unwrap()),
        recovery: Some(Recovery {
            decision: Decision::GoOn { start: at(9), plan: Some(PlanText::new("1 c").unwrap()) },
            replaces: ReplacedCommit::Offset { offset: at(5), metadata: MetadataDigest(0xab) },
            below: None,
        }),
    }
}

/// Never edited, only added to: these texts lie in people's buckets.
const GOLDEN_1: &str = "sluice-claim 1\n\
    topic-id 000000000000000000000000000000ff\n\
    first-start 7\n\
    plan 1%20a%25b\n\
    go-on 9 1%20c\n\
    replaces 5 000000000000000000000000000000ab\n\
    end\n";
const GOLDEN_1_SMALL: &str = "sluice-claim 1\n\
    topic-id 00000000000000000000000000000000\n\
    first-start 0\n\
    end\n";
const GOLDEN_1_COMMITTED: &str = "sluice-claim 1\n\
    topic-id 00000000000000000000000000000000\n\
    first-start 0\n\
    committed was-meant\n\
    replaces none\n\
    end\n";
const GOLDEN_1_BELOW: &str = "sluice-claim 1\n\
    topic-id 00000000000000000000000000000000\n\
    first-start 0\n\
    committed was-meant\n\
    replaces none\n\
    below new%20topics _quarantine\n\
    end\n";

#[test]
fn the_golden_samples_stay() {
    assert_eq!(sample().encode(), GOLDEN_1);
    assert_eq!(Claim::parse(GOLDEN_1.as_bytes()), Ok(sample()));
    let small =
        Claim { topic_id: TopicId::UNKNOWN, first_start: at(0), plan: None, recovery: None };
    assert_eq!(small.encode(), GOLDEN_1_SMALL);
    assert_eq!(Claim::parse(GOLDEN_1_SMALL.as_bytes()), Ok(small.clone()));
    let was_meant =
        Recovery { decision: Decision::Committed, replaces: ReplacedCommit::None, below: None };
    let committed = Claim { recovery: Some(was_meant.clone()), ..small.clone() };
    assert_eq!(committed.encode(), GOLDEN_1_COMMITTED);
    assert_eq!(Claim::parse(GOLDEN_1_COMMITTED.as_bytes()), Ok(committed));
    let below =
        Below { prefix: "new topics".to_owned(), quarantine_prefix: "_quarantine".to_owned() };
    let below = Claim { recovery: Some(Recovery { below: Some(below), ..was_meant }), ..small };
    assert_eq!(below.encode(), GOLDEN_1_BELOW);
    assert_eq!(Claim::parse(GOLDEN_1_BELOW.as_bytes()), Ok(below));
}

#[test]
fn refuses_a_claim_that_was_cut() {
    for length in 0..GOLDEN_1.len() {
        assert!(Claim::parse(&GOLDEN_1.as_bytes()[..length]).is_err(), "{length}");
    }
}

#[test]
fn refuses_what_sluice_did_not_write() {
    let changes = [
        ("sluice-claim 1", "sluice-claim 2"),
        ("sluice-claim 1", "sluice-claim 01"),
        ("sluice-claim 1", "sluice-group 1"),
        ("sluice-claim 1", "sluice-claim  1"),
        ("sluice-claim 1\n", "sluice-claim 1\r\n"),
        ("ff\n", "FF\n"),
        ("first-start 7", "first-start -7"),
        ("first-start 7", "first-start 07"),
        ("first-start 7", "first-start 9223372036854775808"),
        ("first-start 7\n", ""),
        ("plan 1%20a%25b", "plan 1 a%b"),
        ("plan 1%20a%25b", "plan 1%20a%25%62"),
        ("plan 1%20a%25b", "plan "),
        ("plan 1%20a%25b", "plan %C3%BC"),
        ("go-on 9 1%20c", "go-on 9 "),
        ("go-on 9 1%20c", "go-on x"),
        ("go-on 9 1%20c", "committed perhaps"),
        ("replaces 5 0", "replaces 5"),
        ("replaces 5 0", "replaces none 0"),
        ("replaces 5 000000000000000000000000000000ab\n", ""),
        ("end\n", "end"),
        ("end\n", "end\nend\n"),
        ("end\n", "end\n "),
        ("end\n", "more 1\nend\n"),
        ("first-start 7", "first-start 7\u{fc}"),
    ];
    for (from, to) in changes {
        let text = GOLDEN_1.replacen(from, to, 1);
        assert_ne!(text, GOLDEN_1, "{from}");
        assert!(Claim::parse(text.as_bytes()).is_err(), "{from:?} -> {to:?}");
    }
    for below in ["", "new%20topics", "new topics _q", "new%2x _q", "a b c", "a%41 _q"] {
        let text = GOLDEN_1_BELOW.replace("new%20topics _quarantine", below);
        assert!(Claim::parse(text.as_bytes()).is_err(), "{below:?}");
    }
    let without = GOLDEN_1_SMALL.replace("end\n", "below a b\nend\n");
    assert!(Claim::parse(without.as_bytes()).is_err(), "it belongs to a decision");
    assert!(Claim::parse(b"\xff\xfe").is_err());
    assert!(Claim::parse(&vec![b'a'; CLAIM_BYTES_MAX + 1]).is_err());
}

#[test]
fn another_version_is_named() {
    let text = GOLDEN_1.replacen("claim 1", "claim 7", 1);
    let error = Claim::parse(text.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "its version is `7`, this release reads `1`");
}

#[test]
fn a_commit_is_named_by_its_offset_and_its_metadata() {
    let name = |offset, metadata: &str| ReplacedCommit::of(Some((at(offset), metadata.as_bytes())));
    assert_eq!(ReplacedCommit::of(None), ReplacedCommit::None);
    assert_eq!(name(5, "a"), name(5, "a"));
    let others = [name(5, ""), name(5, "b"), name(6, "a"), ReplacedCommit::None];
    assert!(!others.contains(&name(5, "a")));
}

#[test]
fn the_digest_tells_metadata_apart() {
    assert_eq!(MetadataDigest::of(b""), MetadataDigest(0xaf13_49b9_f5f9_a1a6_a040_4dea_36dc_c949));
    assert_ne!(MetadataDigest::of(b"a"), MetadataDigest::of(b"b"));
}

fn any_plan() -> impl Strategy<Value = PlanText> {
    "[!-~]([ -~]{0,1198}[!-~])?".prop_map(|text| PlanText::new(&text).unwrap())
}

fn any_offset() -> impl Strategy<Value = Offset> {
    (0..=i64::MAX).prop_map(at)
}

fn any_recovery() -> impl Strategy<Value = Recovery> {
    let decision = prop_oneof![
        Just(Decision::Committed),
        (any_offset(), proptest::option::of(any_plan()))
            .prop_map(|(start, plan)| Decision::GoOn { start, plan }),
    ];
    let replaces = prop_oneof![
        Just(ReplacedCommit::None),
        (any_offset(), any::<u128>()).prop_map(|(offset, digest)| ReplacedCommit::Offset {
            offset,
            metadata: MetadataDigest(digest)
        }),
    ];
    let below = ("\\PC{0,60}", "\\PC{0,60}")
        .prop_map(|(prefix, quarantine_prefix)| Below { prefix, quarantine_prefix });
    (decision, replaces, proptest::option::of(below))
        .prop_map(|(decision, replaces, below)| Recovery { decision, replaces, below })
}

proptest! {
    #[test]
    fn round_trips(
        topic_id: u128,
        first_start in any_offset(),
        plan in proptest::option::of(any_plan()),
        recovery in proptest::option::of(any_recovery()),
    ) {
        let claim =
            Claim { topic_id: TopicId::from_u128(topic_id), first_start, plan, recovery };
        let text = claim.encode();
        prop_assert!(text.len() <= CLAIM_BYTES_MAX);
        prop_assert_eq!(Claim::parse(text.as_bytes()), Ok(claim));
    }

    #[test]
    fn what_parses_is_what_would_be_written(at in 0..GOLDEN_1.len(), byte: u8) {
        let mut text = GOLDEN_1.as_bytes().to_vec();
        text[at] = byte;
        if let Ok(claim) = Claim::parse(&text) {
            prop_assert_eq!(claim.encode().into_bytes(), text);
        }
    }
}
