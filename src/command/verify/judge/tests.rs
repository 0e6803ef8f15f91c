use super::*;
use crate::command::verify::expected::{Expecting, Terms};
use crate::command::verify::sample::{at, layout, object, pin};
use crate::model::{NoHeaders, Record, Timestamp};

/// Two routes: `a` with 0 and 2, `b` with 1; the bad record 3 in the quarantine, 4 is skipped.
fn expected() -> Vec<Expected> {
    let (partition, layout) = (pin(), layout("{field:/k}"));
    let opened = Timestamp::from_millis(0);
    let mut expecting = Expecting::new(Terms { partition: &partition, layout: &layout, opened });
    let values =
        [Some(r#"{"k":"a"}"#), Some(r#"{"k":"b"}"#), Some(r#"{"k":"a"}"#), Some("{"), None];
    for (offset, value) in (0..).zip(values) {
        let value = value.map(str::as_bytes);
        let (timestamp, key) = (None, None);
        expecting.push(&Record { offset: at(offset), timestamp, key, value, headers: &NoHeaders });
    }
    expecting.finish()
}

const A: &str = "topics/a/pin+0+0000000000.json";
const B: &str = "topics/b/pin+0+0000000001.json";
const BAD: &str = "_quarantine/pin/partition=0/pin+0+0000000003.json";

fn objects(keys: &[(&str, i64, u64)]) -> Vec<Object> {
    keys.iter().map(|(key, first, count)| object(key, *first, Some(*count))).collect()
}

fn judged(found: &[(&str, i64, u64)], aside: &[&str]) -> Vec<(Kind, String)> {
    let (expected, objects) = (expected(), objects(found));
    let aside = aside.iter().map(|key| ObjectKey::new(key).unwrap()).collect();
    let judged = judge((&pin(), &aside), &expected, &objects);
    let pair = |finding: Finding| (finding.kind, finding.key.unwrap());
    judged.findings.into_iter().map(pair).collect()
}

#[test]
fn every_record_is_expected_where_its_layout_puts_it() {
    let expected = expected();
    let seen: Vec<_> = expected
        .iter()
        .map(|one| (one.key.as_str(), one.first.value(), one.last.value(), one.count, one.bytes))
        .collect();
    let bad = expected[2].bytes;
    assert_eq!(seen, [(A, 0, 2, 2, 20), (B, 1, 1, 1, 10), (BAD, 3, 3, 1, bad)]);
    assert_eq!(expected[0].hash, blake3::hash(b"{\"k\":\"a\"}\n{\"k\":\"a\"}\n"));
    let found = objects(&[(BAD, 3, 1), (A, 0, 2), (B, 1, 1)]);
    assert!(has_keys(&expected, &found));
    assert!(!has_keys(&expected, &found[1..]));
}

#[test]
fn what_is_missing_moved_copied_or_strange_is_told_apart() {
    let key = |key: &str| key.to_owned();
    let whole = [(A, 0, 2), (B, 1, 1), (BAD, 3, 1)];
    assert_eq!(judged(&whole, &[]), []);
    assert_eq!(judged(&whole[1..], &[]), [(Kind::MissingObject, key(A))]);
    assert_eq!(judged(&whole[1..], &[A]), [], "it is there, and something else is wrong with it");
    let copied = [whole[0], whole[1], whole[2], ("x", 1, 1)];
    assert_eq!(judged(&copied, &[]), [(Kind::Copy, key("x"))]);
    let moved = [("x", 0, 2), whole[1], whole[2]];
    assert_eq!(judged(&moved, &[]), [(Kind::MovedObject, key("x"))]);
    let moved_twice = [("x", 0, 2), ("y", 0, 2), whole[1], whole[2]];
    let expected = [(Kind::MovedObject, key("x")), (Kind::Copy, key("y"))];
    assert_eq!(judged(&moved_twice, &[]), expected);
    let strange = [whole[0], whole[1], whole[2], ("x", 2, 1)];
    assert_eq!(judged(&strange, &[]), [(Kind::Unexplained, key("x"))]);
    let short = [(A, 0, 1), whole[1], whole[2]];
    assert_eq!(judged(&short, &[]), [(Kind::WrongCount, key(A))]);
}
