//! The objects that must be there against those that are: by key, first record and count. Pure.
//!
//! It owns: which of them are missing, moved, copied or strange.
//! It does not own: what stands in an object.

use std::collections::{BTreeMap, BTreeSet};

use super::expected::Expected;
use super::finding::{Finding, Kind};
use super::inventory::Object;
use crate::model::{ObjectKey, Offset, TopicPartition};

/// What comes of a batch's objects.
#[derive(Debug, Default)]
pub(super) struct Judged<'a> {
    pub(super) findings: Vec<Finding>,
    /// Each with what it must hold.
    pub(super) in_place: Vec<(&'a Object, &'a Expected)>,
}

/// Returns whether the objects have exactly the keys that they must have.
pub(super) fn has_keys(expected: &[Expected], objects: &[Object]) -> bool {
    let wanted: BTreeSet<_> = expected.iter().map(|expected| &expected.key).collect();
    let found: BTreeSet<_> = objects.iter().map(|object| &object.key).collect();
    wanted == found
}

/// Compares them. What is `set_aside` is there, and what is wrong with it was said.
pub(super) fn judge<'a>(
    (partition, set_aside): (&TopicPartition, &BTreeSet<ObjectKey>),
    expected: &'a [Expected],
    objects: &'a [Object],
) -> Judged<'a> {
    let by_key: BTreeMap<_, _> = objects.iter().map(|object| (&object.key, object)).collect();
    let wanted: BTreeMap<_, _> = expected.iter().map(|one| (&one.key, one)).collect();
    let by_first: BTreeMap<Offset, &Expected> =
        expected.iter().map(|one| (one.first, one)).collect();
    let mut judged = Judged::default();
    let mut moved: BTreeSet<&ObjectKey> = BTreeSet::new();
    for object in objects.iter().filter(|object| !wanted.contains_key(&object.key)) {
        let original = by_first.get(&object.first);
        let (kind, what) = match original {
            Some(original) if by_key.contains_key(&original.key) => {
                (Kind::Copy, format!("it is a copy of `{}`", original.key.as_str()))
            }
            Some(original) if moved.insert(&original.key) => {
                (Kind::MovedObject, format!("its plan calls it `{}`", original.key.as_str()))
            }
            Some(original) => {
                (Kind::Copy, format!("it is another copy of `{}`", original.key.as_str()))
            }
            None => {
                let what = format!("no object of its batch begins with offset {}", object.first);
                (Kind::Unexplained, what)
            }
        };
        let last = original.map_or(object.first, |original| original.last);
        let finding = Finding::new(kind, partition, what).offsets(object.first, last.next());
        judged.findings.push(finding.key(&object.key));
    }
    for expected in expected {
        let (first, last, count) = (expected.first, expected.last, expected.count);
        let finding = |kind, what: String| {
            Finding::new(kind, partition, what).offsets(first, last.next()).key(&expected.key)
        };
        match by_key.get(&expected.key) {
            None if moved.contains(&expected.key) || set_aside.contains(&expected.key) => {}
            None => {
                let what = format!("the object with {count} records is not in the bucket");
                judged.findings.push(finding(Kind::MissingObject, what));
            }
            Some(object) if object.first != first || object.count.is_some_and(|is| is != count) => {
                let says = object.count.map_or("?".to_owned(), |count| count.to_string());
                let what = format!(
                    "it says {says} records from offset {} on, Kafka has {count} from {first} on",
                    object.first
                );
                judged.findings.push(finding(Kind::WrongCount, what));
            }
            Some(object) => judged.in_place.push((object, expected)),
        }
    }
    judged
}

#[cfg(test)]
mod tests;
