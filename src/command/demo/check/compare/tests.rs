//! Every way in which files can differ from topics, done to real files.

use std::path::Path;

use tempfile::TempDir;

use super::super::files::read_files;
use super::*;

/// Nine records of `pin/0` in three files of three lines, and four of `geo/1` in one.
fn healthy() -> (TempDir, Records) {
    let bucket = tempfile::tempdir().unwrap();
    let mut records = Records::new();
    records.insert(TopicPartition::new("geo", 0).unwrap(), PartitionRecords::default());
    for (topic, index, count, per_file) in [("pin", 0, 9, 3), ("geo", 1, 4, 4)] {
        let mut of_partition = PartitionRecords::default();
        for offset in 0..count {
            let value = format!("{topic} {offset}");
            of_partition.push(Offset::new(offset).unwrap(), Digest::of(value.as_bytes()));
            let path = path(bucket.path(), topic, index, offset / per_file * per_file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let old = std::fs::read_to_string(&path).unwrap_or_default();
            std::fs::write(path, old + &value + "\n").unwrap();
        }
        records.insert(TopicPartition::new(topic, index).unwrap(), of_partition);
    }
    (bucket, records)
}

fn path(bucket: &Path, topic: &str, index: i32, start: i64) -> PathBuf {
    bucket.join(format!("topics/{topic}/partition={index}/{topic}+{index}+{start:010}.json"))
}

fn report(bucket: &TempDir, records: &Records) -> Report {
    compare(records, &read_files(bucket.path()).unwrap())
}

fn pin(report: &Report) -> &PartitionReport {
    report.partitions.iter().find(|of| of.partition.topic.as_str() == "pin").unwrap()
}

fn first_fault(report: &Report) -> Option<Fault> {
    pin(report).faults.first().map(|fault| fault.fault)
}

fn tally(count: u64, first: i64) -> Tally {
    Tally { count, first: Some(Offset::new(first).unwrap()) }
}

#[test]
fn each_record_once_is_exact() {
    let (bucket, records) = healthy();
    let report = report(&bucket, &records);
    assert_eq!(report.exit_code(), 0, "{report}");
    assert_eq!(
        report.to_string(),
        "geo: 4 records, 4 lines in 1 objects, 24 bytes\n\
         pin: 9 records, 9 lines in 3 objects, 54 bytes\n\
         each record is there exactly once: 13 of them\n"
    );
}

#[test]
fn a_line_that_was_taken_out_is_missed() {
    let (bucket, records) = healthy();
    let file = path(bucket.path(), "pin", 0, 3);
    std::fs::write(&file, "pin 3\npin 5\n").unwrap();
    let report = report(&bucket, &records);
    assert_eq!(report.exit_code(), 1);
    assert_eq!(pin(&report).missing, tally(1, 4));
    assert_eq!(first_fault(&report), Some(Fault::WrongLine { line: 2 }));
    let expected = format!(
        "geo: 4 records, 4 lines in 1 objects, 24 bytes\n\
         pin: 9 records, 8 lines in 3 objects, 48 bytes\n\
         WRONG pin/0: 1 records are in no file, the first at offset 4\n\
         WRONG pin/0: `{}` has another record in line 2 than its name promises\n\
         not every record is there exactly once\n",
        file.display()
    );
    assert_eq!(report.to_string(), expected);
}

#[test]
fn the_last_line_of_the_last_file_is_missed_too() {
    let (bucket, records) = healthy();
    std::fs::write(path(bucket.path(), "pin", 0, 6), "pin 6\npin 7\n").unwrap();
    let report = report(&bucket, &records);
    assert_eq!((pin(&report).missing, first_fault(&report)), (tally(1, 8), None));
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn a_line_that_is_there_twice_is_seen() {
    let (bucket, records) = healthy();
    std::fs::write(path(bucket.path(), "pin", 0, 6), "pin 6\npin 7\npin 8\npin 8\n").unwrap();
    let report = report(&bucket, &records);
    assert_eq!(pin(&report).doubled, tally(1, 8));
    assert_eq!(first_fault(&report), Some(Fault::WrongLine { line: 4 }));
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn a_missing_file_is_missed_with_all_its_records() {
    let (bucket, records) = healthy();
    std::fs::remove_file(path(bucket.path(), "pin", 0, 3)).unwrap();
    let report = report(&bucket, &records);
    assert_eq!(pin(&report).missing, tally(3, 3));
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn a_bucket_without_any_file_misses_everything() {
    let (_bucket, records) = healthy();
    let empty = tempfile::tempdir().unwrap();
    let report = report(&empty, &records);
    assert_eq!(pin(&report).missing, tally(9, 0));
}

#[test]
fn a_file_that_holds_records_of_another_once_more_is_seen() {
    let (bucket, records) = healthy();
    std::fs::write(path(bucket.path(), "pin", 0, 4), "pin 4\npin 5\n").unwrap();
    let report = report(&bucket, &records);
    assert_eq!(pin(&report).doubled, tally(2, 4));
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn files_that_should_not_be_there_are_seen() {
    let cases = [
        ("topics/pin/partition=0/pin+0+0000000009.json", "else\n"),
        ("topics/pin/partition=0/pin+0+0000000009.json", ""),
        ("topics/pin/partition=7/pin+7+0000000000.json", "pin 0\n"),
        ("topics/pin/partition=0/pin+0+0000000000.json.gz", "?"),
        ("_quarantine/pin/partition=0/pin+0+0000000000.json", "{}\n"),
    ];
    for (name, text) in cases {
        let (bucket, records) = healthy();
        let path = bucket.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        let report = report(&bucket, &records);
        assert_eq!(report.exit_code(), 1, "{name}\n{report}");
    }
}

#[test]
fn lines_in_another_order_or_below_another_name_are_seen() {
    let (bucket, records) = healthy();
    std::fs::write(path(bucket.path(), "pin", 0, 3), "pin 4\npin 3\npin 5\n").unwrap();
    let shuffled = report(&bucket, &records);
    assert_eq!((pin(&shuffled).missing.count, pin(&shuffled).doubled.count), (0, 0));
    assert_eq!(first_fault(&shuffled), Some(Fault::WrongLine { line: 1 }));
    assert_eq!(shuffled.exit_code(), 1);

    let (bucket, records) = healthy();
    std::fs::rename(path(bucket.path(), "pin", 0, 6), path(bucket.path(), "pin", 0, 9)).unwrap();
    let renamed = report(&bucket, &records);
    assert_eq!(first_fault(&renamed), Some(Fault::NoSuchStart));
}

#[test]
fn a_changed_byte_is_a_record_missing_and_a_line_too_many() {
    let (bucket, records) = healthy();
    std::fs::write(path(bucket.path(), "pin", 0, 3), "pin 3\npin X\npin 5\n").unwrap();
    let report = report(&bucket, &records);
    assert_eq!((pin(&report).missing, pin(&report).foreign_lines), (tally(1, 4), 1));
}

#[test]
fn a_file_that_ends_inside_a_line_is_seen() {
    let (bucket, records) = healthy();
    std::fs::write(path(bucket.path(), "pin", 0, 6), "pin 6\npin 7\npin 8").unwrap();
    assert_eq!(first_fault(&report(&bucket, &records)), Some(Fault::Cut));
}

#[test]
fn a_long_list_of_findings_is_cut_short() {
    let (bucket, records) = healthy();
    for number in 0..25 {
        std::fs::write(bucket.path().join(format!("{number}.txt")), "?").unwrap();
    }
    let text = report(&bucket, &records).to_string();
    assert_eq!(text.matches("WRONG").count(), LISTED_MAX);
    assert!(text.contains("... and 15 findings more\n"), "{text}");
}
