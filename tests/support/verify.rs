//! Is every record in the bucket exactly once? Read with other code than the program's.
//!
//! It owns: reading a topic and its objects, unpacking them (`gzip`, the zstd crate), and comparing
//! by name (offset arithmetic) and by content.
//! It does not own: multi-route keys; [`compare_contents`] compares those by content alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use super::kafka::TopicRecord;
use super::{Kafka, S3Server};

/// More faults than this teach nothing.
const FAULTS_SHOWN: usize = 20;

/// Panics unless [`compare_default_layout`] finds every record once.
#[track_caller]
pub fn check_default_layout(kafka: &Kafka, topic: &str, s3: &S3Server, bucket: &str) {
    compare_default_layout(kafka, topic, s3, bucket).unwrap_or_else(|fault| panic!("{fault}"));
}

/// Checks the default layout: each object's name says topic, partition and the offset of its first
/// record, its lines are the values as they were, and all of them in order are the topic.
pub fn compare_default_layout(
    kafka: &Kafka,
    topic: &str,
    s3: &S3Server,
    bucket: &str,
) -> Result<(), String> {
    let mut expected: BTreeMap<i32, Vec<TopicRecord>> = BTreeMap::new();
    for record in kafka.read_topic(topic).into_iter().filter(|record| record.value.is_some()) {
        expected.entry(record.partition).or_default().push(record);
    }
    let mut found: BTreeMap<i32, Objects> = BTreeMap::new();
    for key in s3.list(bucket, &format!("topics/{topic}/")) {
        let (partition, start) = parse_default_key(&key, topic)?;
        let lines = lines(&key, &s3.get(bucket, &key));
        if lines.is_empty() {
            return Err(format!("`{key}` is empty"));
        }
        if found.entry(partition).or_default().insert(start, lines).is_some() {
            return Err(format!("`{key}` begins where another object of its partition does"));
        }
    }
    let partitions: BTreeSet<i32> = found.keys().chain(expected.keys()).copied().collect();
    for partition in partitions {
        let records = expected.remove(&partition).unwrap_or_default();
        let objects = found.remove(&partition).unwrap_or_default();
        compare_partition(&records, &objects)
            .map_err(|fault| format!("{topic}/{partition}: {fault}"))?;
    }
    Ok(())
}

/// Lines of a partition's objects by the offset in their name.
type Objects = BTreeMap<i64, Vec<Vec<u8>>>;

fn compare_partition(expected: &[TopicRecord], objects: &Objects) -> Result<(), String> {
    let mut rest = expected.iter();
    for (start, lines) in objects {
        for (index, line) in lines.iter().enumerate() {
            let place = format!("line {index} of the object at {start}");
            let record = rest.next().ok_or_else(|| format!("{place}: no record is left"))?;
            let offset = record.offset;
            if index == 0 && offset != *start {
                return Err(format!("{place}: the next record has offset {offset}"));
            }
            if record.value.as_deref() != Some(line) {
                let line = String::from_utf8_lossy(line);
                return Err(format!("{place}: `{line}` is not the record at {offset}"));
            }
        }
    }
    let missing: Vec<i64> = rest.map(|record| record.offset).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("no object has the offsets {missing:?}")) }
}

/// Panics unless every commit that the broker accepted carries our metadata, and none lies below
/// the one before it of the same partition: the frontier never falls back.
#[track_caller]
pub fn check_commits(kafka: &Kafka, group: &str, topic: &str) {
    let history = kafka.commit_history(group, topic);
    assert!(!history.is_empty(), "`{group}` has committed nothing for `{topic}`");
    let mut frontiers: BTreeMap<i32, i64> = BTreeMap::new();
    for commit in &history {
        assert!(commit.metadata.starts_with("sluice/1 "), "{commit:?} would wipe a plan");
        let offset = commit.offset.expect("a commit has an offset");
        let frontier = frontiers.insert(commit.partition, offset);
        assert!(frontier <= Some(offset), "{commit:?} was accepted after {frontier:?}");
    }
}

/// Panics unless [`compare_contents`] finds every record once.
#[track_caller]
pub fn check_contents(kafka: &Kafka, topic: &str, s3: &S3Server, bucket: &str, prefix: &str) {
    compare_contents(kafka, topic, s3, bucket, prefix).unwrap_or_else(|fault| panic!("{fault}"));
}

/// Checks by content alone, for any layout of lines: the values are all different, and each is in
/// one line of one object below `prefix`.
pub fn compare_contents(
    kafka: &Kafka,
    topic: &str,
    s3: &S3Server,
    bucket: &str,
    prefix: &str,
) -> Result<(), String> {
    let mut found: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for key in s3.list(bucket, prefix) {
        for line in lines(&key, &s3.get(bucket, &key)) {
            *found.entry(line).or_default() += 1;
        }
    }
    let mut wrong = Vec::new();
    for value in kafka.read_topic(topic).into_iter().filter_map(|record| record.value) {
        let times = found.remove(&value).unwrap_or(0);
        if times != 1 {
            wrong.push(format!("{times} times: {}", String::from_utf8_lossy(&value)));
        }
    }
    let strange = found.keys().map(|line| String::from_utf8_lossy(line));
    wrong.extend(strange.map(|line| format!("in no record: {line}")));
    let shown = &wrong[..wrong.len().min(FAULTS_SHOWN)];
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} faults: {shown:#?}", wrong.len())) }
}

/// How many lines lie below a prefix, while a daemon still writes.
pub fn count_lines(s3: &S3Server, bucket: &str, prefix: &str) -> usize {
    s3.list(bucket, prefix).iter().map(|key| lines(key, &s3.get(bucket, key)).len()).sum()
}

/// The lines of an object, unpacked by its extension.
pub fn lines(key: &str, body: &[u8]) -> Vec<Vec<u8>> {
    let text = unpack(key, body);
    assert!(text.is_empty() || text.ends_with(b"\n"), "`{key}` does not end with a line end");
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
    let mut lines: Vec<_> = lines.collect();
    lines.pop();
    lines
}

/// An object's bytes without their compression.
pub fn unpack(key: &str, body: &[u8]) -> Vec<u8> {
    if key.ends_with(".gz") {
        gunzip(body)
    } else if key.ends_with(".zst") {
        zstd::decode_all(body).unwrap_or_else(|error| panic!("`{key}` is no zstd: {error}"))
    } else {
        body.to_vec()
    }
}

fn gunzip(body: &[u8]) -> Vec<u8> {
    let mut command = Command::new("gzip");
    let pipes = command.arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let body = body.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&body));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "gzip refuses the object");
    output.stdout
}

/// Partition and first offset out of `topics/<topic>/partition=<n>/<topic>+<n>+<start>.<ext>`.
fn parse_default_key(key: &str, topic: &str) -> Result<(i32, i64), String> {
    let parsed = key.strip_prefix(&format!("topics/{topic}/partition=")).and_then(|rest| {
        let (partition, name) = rest.split_once('/')?;
        let name = name.strip_prefix(&format!("{topic}+{partition}+"))?;
        let (start, _extension) = name.split_once('.')?;
        (start.len() >= 10).then_some((partition.parse().ok()?, start.parse().ok()?))
    });
    parsed.ok_or_else(|| format!("`{key}` is no key of the default layout"))
}
