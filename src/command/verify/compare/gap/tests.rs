use std::sync::Arc;

use super::*;
use crate::command::verify::inventory::Holdings;
use crate::command::verify::sample::{add_named, at, layout, pin, range};
use crate::command::verify::walk::Bounds;

/// Objects of the predecessor with these starts and lines, up to and without `end`; Kafka has a
/// record at each offset. Returns kind, offsets and the start that the key names.
fn found(objects: &[(i64, u64)], end: i64) -> Vec<(Kind, i64, i64, i64)> {
    let mut holdings = Holdings::default();
    for (start, _) in objects {
        add_named(&mut holdings, "pin", *start);
    }
    let mut against =
        Against::new(objects.iter().map(|(start, lines)| (at(*start), *lines)).collect());
    for offset in objects[0].0..end {
        against.record(at(offset));
    }
    let (first_start, pending) = (None, None);
    let bounds = Bounds { begin: at(0), end: at(100), end_after: at(100), pending, first_start };
    let facts = Facts {
        partition: pin(),
        topic_id: String::new(),
        log_start: at(0),
        bounds,
        layout: Arc::new(layout("{topic}")),
    };
    let named = &holdings.named;
    let findings = against.findings(&facts, named, range(objects[0].0, end)).into_iter();
    let told = findings.map(|finding| {
        let key = finding.key.unwrap();
        let of = named.iter().find(|named| named.key.as_str() == key).unwrap();
        (finding.kind, finding.start.unwrap(), finding.end.unwrap(), of.start.value())
    });
    told.collect()
}

#[test]
fn one_object_holds_the_records_up_to_the_next() {
    assert_eq!(found(&[(10, 5)], 15), []);
    assert_eq!(found(&[(10, 3)], 15), [(Kind::MissingRecords, 13, 15, 10)], "a gap behind it");
    assert_eq!(found(&[(10, 0)], 15), [(Kind::MissingRecords, 10, 15, 10)], "it is empty");
    assert_eq!(found(&[(10, 7)], 15), [(Kind::Overlap, 10, 15, 10)], "it reaches into the next");
    assert_eq!(found(&[(90, 11)], 100), [(Kind::WrongCount, 90, 100, 90)], "nothing comes behind");
}

/// Paths by field or time: objects of one time hold records between each other's.
#[test]
fn objects_of_several_folders_hold_them_together() {
    assert_eq!(found(&[(10, 5), (11, 5)], 20), []);
    let missing = [(Kind::MissingRecords, 20, 30, 11)];
    assert_eq!(found(&[(10, 5), (11, 5), (25, 5)], 30), missing, "the one at 20 is gone");
    assert_eq!(found(&[(10, 5), (11, 6)], 20), [(Kind::Overlap, 10, 20, 10)]);
    let both = [(Kind::MissingRecords, 15, 30, 10), (Kind::Overlap, 10, 30, 10)];
    assert_eq!(found(&[(10, 5), (20, 12)], 30), both);
}
