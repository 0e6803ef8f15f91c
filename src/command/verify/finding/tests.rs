use super::*;

#[test]
fn machines_read_the_same_names_as_people() {
    for kind in [Kind::MissingRecords, Kind::NotOurs, Kind::Dropped, Kind::BadMetadata] {
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.as_str()));
        assert!(kind.as_str().len() <= KIND_CHARS);
    }
}

#[test]
fn a_finding_is_a_line_with_what_it_means_and_what_to_do() {
    let at = |value| Offset::new(value).unwrap();
    let finding = Finding::new(Kind::Copy, "pin/0", "it is a copy of `a`");
    let finding = finding.offsets(at(3), at(7)).key("b");
    assert_eq!(
        finding.to_string(),
        "FAIL  copy             pin/0 [3, 7) `b`: it is a copy of `a`: readers of the prefix read \
         its records twice: delete the copy"
    );
}

#[test]
fn a_million_strangers_are_counted_and_the_first_are_kept() {
    let mut report = Report::new(Shown::Json);
    assert_eq!(report.exit_code(), 0);
    report.add(Finding::new(Kind::Dropped, "pin/0", "old"));
    assert_eq!(report.exit_code(), 0, "no fault");
    for index in 0..1_000_000 {
        report.add(Finding::new(Kind::NotOurs, "bucket", "stranger").key(index.to_string()));
    }
    assert_eq!(report.findings.len(), 101);
    assert_eq!(report.exit_code(), 1);
    let expected = "bucket and topics do not agree: 1000000 findings; 0 records in 0 objects of 0 \
        partitions";
    assert_eq!(report.last_line(), expected);
    report.add(Finding::new(Kind::Unreachable, "bucket", "away"));
    assert_eq!(report.exit_code(), 69);
}
