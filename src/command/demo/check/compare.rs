//! The comparison: pure, of what was read from the topics with what was read from the files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::Digest;
use super::files::{Found, ObjectLines};
use super::topics::{PartitionRecords, Records};
use crate::model::{Offset, Topic, TopicPartition};

/// So many findings are listed, the rest is counted: a reader needs the first.
const LISTED_MAX: usize = 10;
const EXIT_FINDINGS: u8 = 1;

/// How many records, and the first of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub count: u64,
    pub first: Option<Offset>,
}

impl Tally {
    fn add(&mut self, count: u64, offset: Offset) {
        self.count += count;
        self.first = Some(self.first.map_or(offset, |first| first.min(offset)));
    }
}

/// What is wrong with one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its last line has no end.
    Cut,
    /// It holds nothing.
    Empty,
    /// Its partition has no record at the offset that its name says.
    NoSuchStart,
    /// This line (from one) is not the record that the name and the lines before it promise.
    WrongLine { line: u64 },
}

/// A file and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFault {
    pub path: PathBuf,
    pub fault: Fault,
}

/// What was found of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionReport {
    pub partition: TopicPartition,
    pub records: u64,
    pub lines: u64,
    pub objects: u64,
    pub bytes: u64,
    /// Records that no file holds.
    pub missing: Tally,
    /// Lines too many of records that are there.
    pub doubled: Tally,
    /// Lines that are no record of this partition.
    pub foreign_lines: u64,
    pub faults: Vec<ObjectFault>,
}

impl PartitionReport {
    fn is_exact(&self) -> bool {
        self.missing.count == 0
            && self.doubled.count == 0
            && self.foreign_lines == 0
            && self.faults.is_empty()
    }
}

/// The answer. `Display` is for people: a line per topic, then the findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of every partition of the topics, in order.
    pub partitions: Vec<PartitionReport>,
    /// Files that belong to no partition of the topics.
    pub strangers: Vec<PathBuf>,
}

/// Compares all `records` with all files `found`.
pub fn compare(records: &Records, found: &Found) -> Report {
    let none = Vec::new();
    let partitions = records
        .iter()
        .map(|(partition, records)| {
            let objects = found.objects.get(partition).unwrap_or(&none);
            compare_partition(partition, records, objects)
        })
        .collect();
    let of_others = found.objects.iter().filter(|(partition, _)| !records.contains_key(partition));
    let mut strangers = found.strangers.clone();
    strangers.extend(of_others.flat_map(|(_, objects)| objects).map(|object| object.path.clone()));
    Report { partitions, strangers }
}

/// How often a value is in the topic, how often in the files, and where it is first.
#[derive(Debug)]
struct Occurrence {
    records: u64,
    lines: u64,
    first: Offset,
}

fn compare_partition(
    partition: &TopicPartition,
    records: &PartitionRecords,
    objects: &[ObjectLines],
) -> PartitionReport {
    let mut report = PartitionReport {
        partition: partition.clone(),
        records: records.values.len() as u64,
        lines: objects.iter().map(|object| object.lines.len() as u64).sum(),
        objects: objects.len() as u64,
        bytes: objects.iter().map(|object| object.bytes).sum(),
        missing: Tally::default(),
        doubled: Tally::default(),
        foreign_lines: 0,
        faults: Vec::new(),
    };
    let mut occurrences = occurrences(records);
    for object in objects {
        for line in &object.lines {
            match occurrences.get_mut(line) {
                Some(occurrence) => occurrence.lines += 1,
                None => report.foreign_lines += 1,
            }
        }
        let fault = fault(records, object);
        let with_path = |fault| ObjectFault { path: object.path.clone(), fault };
        report.faults.extend(fault.map(with_path));
    }
    for Occurrence { records, lines, first } in occurrences.into_values() {
        if lines < records {
            report.missing.add(records - lines, first);
        }
        if lines > records {
            report.doubled.add(lines - records, first);
        }
    }
    report
}

fn occurrences(records: &PartitionRecords) -> BTreeMap<Digest, Occurrence> {
    let mut occurrences = BTreeMap::new();
    for (offset, value) in records.offsets.iter().zip(&records.values) {
        let new = Occurrence { records: 0, lines: 0, first: *offset };
        occurrences.entry(*value).or_insert(new).records += 1;
    }
    occurrences
}

/// Returns the first thing that is wrong with the order, the name or the shape of `object`.
fn fault(records: &PartitionRecords, object: &ObjectLines) -> Option<Fault> {
    if object.lines.is_empty() {
        return Some(Fault::Empty);
    }
    let Some(expected) = records.from(object.start) else { return Some(Fault::NoSuchStart) };
    for (number, line) in (1..).zip(&object.lines) {
        let index = usize::try_from(number - 1_u64).unwrap_or(usize::MAX);
        if expected.get(index) != Some(line) {
            return Some(Fault::WrongLine { line: number });
        }
    }
    (!object.is_whole).then_some(Fault::Cut)
}

impl Report {
    /// Whether each record is in the files exactly once, in its place, and nothing else is.
    pub fn is_exact(&self) -> bool {
        self.strangers.is_empty() && self.partitions.iter().all(PartitionReport::is_exact)
    }

    /// Returns 0 if all is well, 1 if something was found.
    pub fn exit_code(&self) -> u8 {
        if self.is_exact() { 0 } else { EXIT_FINDINGS }
    }

    pub fn records(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.records).sum()
    }

    fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for report in &self.partitions {
            let of = &report.partition;
            let mut tally = |tally: &Tally, what: &str| {
                if let Some(first) = tally.first {
                    let count = tally.count;
                    findings.push(format!("{of}: {count} {what}, the first at offset {first}"));
                }
            };
            tally(&report.missing, "records are in no file");
            tally(&report.doubled, "lines too many of records that are there");
            if report.foreign_lines > 0 {
                let count = report.foreign_lines;
                findings.push(format!("{of}: {count} lines are no record of the topic"));
            }
            for ObjectFault { path, fault } in &report.faults {
                findings.push(format!("{of}: `{}` {fault}", path.display()));
            }
        }
        for path in &self.strangers {
            findings.push(format!("`{}` belongs to no partition", path.display()));
        }
        findings
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => formatter.write_str("ends inside a line"),
            Self::Empty => formatter.write_str("is empty"),
            Self::NoSuchStart => formatter.write_str("starts at an offset without a record"),
            Self::WrongLine { line } => {
                write!(formatter, "has another record in line {line} than its name promises")
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut topics: BTreeMap<&Topic, (u64, u64, u64, u64)> = BTreeMap::new();
        for report in &self.partitions {
            let sums = topics.entry(&report.partition.topic).or_default();
            sums.0 += report.records;
            sums.1 += report.lines;
            sums.2 += report.objects;
            sums.3 += report.bytes;
        }
        for (topic, (records, lines, objects, bytes)) in topics {
            writeln!(
                formatter,
                "{topic}: {records} records, {lines} lines in {objects} objects, {bytes} bytes"
            )?;
        }
        let findings = self.findings();
        for finding in findings.iter().take(LISTED_MAX) {
            writeln!(formatter, "WRONG {finding}")?;
        }
        if findings.len() > LISTED_MAX {
            writeln!(formatter, "... and {} findings more", findings.len() - LISTED_MAX)?;
        }
        match self.is_exact() {
            true => {
                writeln!(formatter, "each record is there exactly once: {} of them", self.records())
            }
            false => writeln!(formatter, "not every record is there exactly once"),
        }
    }
}

#[cfg(test)]
mod tests;
