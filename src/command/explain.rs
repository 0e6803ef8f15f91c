//! `sluice explain`: what would become of a sample of records.
//!
//! It owns: where the sample comes from, the order of the work, the exit code.
//! It does not own: what lines mean (`sample`), the machine's world (`drive`), the words (`shown`).
//!
//! It asks neither Kafka nor S3, and writes nothing.

mod drive;
mod sample;
mod shown;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::command::settings::{Common, print, say};
use crate::command::verdict::{Verdict, exit_code};
use crate::config::Settings;
use crate::daemon::run::FRAME_BYTES;
use crate::engine::{Now, ObjectSizes, OnLostRecords, PartitionOptions, Source};
use crate::model::{
    ClusterId, Offset, PartitionIndex, Timestamp, Topic, TopicId, TopicPartition, Uptime,
};
use drive::{Outcome, drive};
use sample::{BYTES_MAX, Defaults, Sample};

/// As long as Kafka's own, since it takes room in plans.
const CLUSTER: &str = "sluice-explain--------";

/// Shows which objects a sample of records would become, and writes nothing
///
/// Runs the daemon's own state machine over the lines of a file or a pipe, with the configuration's
/// layout, rules for bad records and limits, and shows each object with its key, route, format,
/// records and offsets; which records would be quarantined, why and where; which would be skipped;
/// and what would stop the partition. It asks neither Kafka nor S3.
///
/// Each line is the value of one record. With `--envelope` each line is a JSON object:
/// {"key": ..., "value": ..., "headers": {"name": "text"}, "timestamp": 1700000000000,
/// "partition": 0}, of which only `value` is needed: text stands for its characters, null for a
/// tombstone (or no key), any other JSON for itself as it is written. Offsets count from `--start`
/// in each partition; records without a timestamp are of now. A sample has at most 100,000 lines
/// and 64 MiB.
///
/// What is open at the end of the sample is closed there. The daemon would close it by `seal`:
/// after `seal.age` too, and when memory is short, which no sample shows.
///
/// Exit codes: 0 all would be written or skipped as configured, 1 a record would be quarantined or
/// stop its partition, or the sample cannot be read, 78 the configuration has faults.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sluice explain --topic pin --input sample.jsonl\n  \
    head -n 1000 sample.jsonl | sluice explain --topic pin --input - --json\n  \
    sluice explain --topic pin --input sample.jsonl --set seal.records=100  # try a setting\n  \
    echo '{\"key\":\"a\",\"value\":null}' | sluice explain --topic pin --input - --envelope")]
pub struct Arguments {
    /// Where the lines are; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// The topic that they are records of; decides which overrides hold
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    topic: Topic,
    /// The partition of lines that name none
    #[arg(long, value_name = "NUMBER", default_value = "0", value_parser = parse_partition)]
    partition: PartitionIndex,
    /// The offset of each partition's first record
    #[arg(long, value_name = "OFFSET", default_value = "0", value_parser = parse_offset)]
    start: Offset,
    /// Lines are JSON objects with key, value, headers, timestamp and partition
    #[arg(long)]
    envelope: bool,
    /// Print one JSON document instead of lines
    #[arg(long)]
    json: bool,
}

fn parse_topic(text: &str) -> Result<Topic, String> {
    Topic::new(text).map_err(|error| error.to_string())
}

fn parse_partition(text: &str) -> Result<PartitionIndex, String> {
    let index = text.parse().map_err(|_| format!("`{text}` is no number of a partition"))?;
    PartitionIndex::new(index).map_err(|error| error.to_string())
}

fn parse_offset(text: &str) -> Result<Offset, String> {
    let value = text.parse().map_err(|_| format!("`{text}` is no offset"))?;
    Offset::new(value).map_err(|error| error.to_string())
}

pub(super) fn main(common: &Common, arguments: &Arguments) -> u8 {
    let loaded = match common.try_load() {
        Ok(loaded) => loaded,
        Err(faults) => {
            let faults = faults.list().iter().map(ToString::to_string).collect();
            return refuse(arguments, Verdict::Config, faults);
        }
    };
    let now = now();
    let sample = match take(arguments, now) {
        Ok(sample) => sample,
        Err(fault) => return refuse(arguments, Verdict::Fail, vec![fault]),
    };
    match explain(&loaded.settings, &arguments.topic, now, &sample) {
        Ok(all) => tell(&loaded.settings, arguments, &all),
        Err(fault) => refuse(arguments, Verdict::Fail, vec![fault]),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn take(arguments: &Arguments, now: Timestamp) -> Result<Sample, String> {
    let Arguments { input, partition, start, envelope, .. } = arguments;
    let text = read(input).map_err(|error| {
        format!(
            "the sample {} cannot be read: {error}: name a readable file, or `-`",
            input.display()
        )
    })?;
    let defaults = Defaults { partition: *partition, start: *start, now };
    let sample = sample::parse(&text, *envelope, &defaults).map_err(|error| error.to_string())?;
    if sample.is_empty() {
        return Err(format!("the sample {} is empty: give one record a line", input.display()));
    }
    Ok(sample)
}

/// Reads one byte more than is allowed, so that too much is seen as such.
fn read(input: &Path) -> std::io::Result<Vec<u8>> {
    let source: Box<dyn Read> = match input.as_os_str() == "-" {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(File::open(input)?),
    };
    let mut text = Vec::new();
    source.take(u64::try_from(BYTES_MAX).unwrap_or(u64::MAX) + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn explain(
    settings: &Settings,
    topic: &Topic,
    now: Timestamp,
    sample: &Sample,
) -> Result<Vec<(TopicPartition, Outcome)>, String> {
    let of_topic = settings.for_topic(topic);
    let options = PartitionOptions {
        layout: of_topic.layout,
        seal: of_topic.seal,
        sizes: ObjectSizes { frame_bytes: FRAME_BYTES, part_bytes: settings.s3.part_bytes },
        on_lost_records: OnLostRecords::Stop, // a sample has lost none
    };
    let cluster = ClusterId::new(CLUSTER).map_err(|error| error.to_string())?;
    let now = Now { uptime: Uptime::ZERO, wall: now };
    let each = sample.iter().map(|(index, records)| {
        let partition = TopicPartition { topic: topic.clone(), partition: *index };
        let source = Source {
            cluster: cluster.clone(),
            partition: partition.clone(),
            topic_id: TopicId::from_u128(u128::MAX),
        };
        (partition, drive(source, options.clone(), now, records))
    });
    Ok(each.collect())
}

fn tell(settings: &Settings, arguments: &Arguments, all: &[(TopicPartition, Outcome)]) -> u8 {
    let layout = settings.for_topic(&arguments.topic).layout;
    let is_bad = |outcome: &Outcome| outcome.stopped.is_some() || !outcome.quarantined.is_empty();
    let bad = all.iter().filter(|(_, outcome)| is_bad(outcome)).map(|_| Verdict::Fail);
    let code = exit_code(bad);
    let outcomes: Vec<&Outcome> = all.iter().map(|(_, outcome)| outcome).collect();
    let caution = shown::caution(&layout, &outcomes);
    if arguments.json {
        let each = all.iter().map(|(at, outcome)| shown::document(at, &layout, outcome));
        let partitions: Vec<Value> = each.collect();
        let none: [String; 0] = [];
        let document = json!({"exit_code": code, "faults": none, "caution": caution, "partitions": partitions});
        print(&format!("{document:#}"));
        return code;
    }
    for line in all.iter().flat_map(|(at, outcome)| shown::lines(at, &layout, outcome)) {
        print(&line);
    }
    if let Some(caution) = caution {
        print(&format!("note: {caution}"));
    }
    print("nothing was written");
    code
}

fn refuse(arguments: &Arguments, verdict: Verdict, faults: Vec<String>) -> u8 {
    let code = exit_code([verdict].into_iter());
    if arguments.json {
        let none: [Value; 0] = [];
        let document =
            json!({"exit_code": code, "faults": faults, "caution": null, "partitions": none});
        print(&format!("{document:#}"));
    } else {
        faults.iter().for_each(|fault| say(fault));
    }
    code
}
