//! `sluice explain`: what would become of a sample of records.
//!
//! It owns: where the sample comes from, the order of the work, the exit code.
//! It does not own: what lines mean (`sample`), reading a topic (`newest`), the machine's world
//! (`drive`), the words (`shown`).
//!
//! It never asks S3, asks Kafka only for the newest records of a topic, and writes nothing.

mod drive;
mod newest;
mod sample;
mod shown;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::command::settings::{Common, print, say};
use crate::command::verdict::{Verdict, exit_code};
use crate::config::{Loaded, Settings};
use crate::daemon::run::FRAME_BYTES;
use crate::engine::{Now, ObjectSizes, OnLostRecords, PartitionOptions, Source};
use crate::model::{
    ClusterId, Offset, PartitionIndex, Timestamp, Topic, TopicId, TopicPartition, Uptime,
};
use drive::{Outcome, drive};
use newest::Newest;
use sample::{BYTES_MAX, Defaults, Sample};

/// As long as Kafka's own, since it takes room in plans.
const CLUSTER: &str = "sluice-explain--------";

/// Shows which objects a sample of records would become, and writes nothing
///
/// Runs the daemon's own state machine over the lines of a file or a pipe, with the configuration's
/// layout, rules for bad records and limits, and shows each object with its key, route, format,
/// records and offsets; which records would be quarantined, why and where; which would be skipped;
/// and what would stop the partition. With `--newest` it reads the topic instead: as no member of
/// the group, and without a commit. It never asks S3.
///
/// Each line is the value of one record. With `--envelope` each line is a JSON object:
/// {"key": ..., "value": ..., "headers": {"name": "text"}, "timestamp": 1700000000000,
/// "partition": 0}, of which only `value` is needed: text stands for its characters, null for a
/// tombstone (or no key), any other JSON for itself as it is written. Offsets count from `--start`
/// in each partition; records without a timestamp are of now. A sample has at most 100,000 lines
/// and 64 MiB.
///
/// What is open at the end of the sample is closed there. The daemon would close it by `seal`:
/// after `seal.age` too, and when memory is short, which no sample shows. With `layout.time =
/// "opened"` all batches are opened at this moment. The daemon's batches begin at the group's
/// commits; those of `--newest` begin where it begins to read.
///
/// Exit codes: 0 all would be written or skipped as configured, 1 a record would be quarantined or
/// stop its partition, or the sample cannot be read, 69 Kafka cannot be reached, 78 the
/// configuration has faults.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sluice explain --topic pin --input sample.jsonl\n  \
    sluice explain --topic pin --newest 1000          # of each partition\n  \
    head -n 1000 sample.jsonl | sluice explain --topic pin --input - --json\n  \
    sluice explain --topic pin --input sample.jsonl --set seal.records=100  # try a setting\n  \
    echo '{\"key\":\"a\",\"value\":null}' | sluice explain --topic pin --input - --envelope")]
#[command(group = clap::ArgGroup::new("sample").required(true).args(["input", "newest"]))]
pub struct Arguments {
    /// Where the lines are; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Read the last so many offsets of each partition of the topic instead of lines
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["envelope", "start"])]
    newest: Option<NonZeroU32>,
    /// The topic that they are records of; decides which overrides hold
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    topic: Topic,
    /// The partition of lines that name none, else 0; with `--newest` the only one to read
    #[arg(long, value_name = "NUMBER", value_parser = parse_partition)]
    partition: Option<PartitionIndex>,
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

/// Records, and the names under which the daemon would know them.
struct Taken {
    sample: Sample,
    cluster: ClusterId,
    topic_id: TopicId,
}

/// Why there is no sample.
#[derive(Debug)]
struct Fault {
    verdict: Verdict,
    text: String,
}

impl Fault {
    fn new(verdict: Verdict, text: impl Into<String>) -> Self {
        Self { verdict, text: text.into() }
    }
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
    let Loaded { settings, warnings } = match common.try_load() {
        Ok(loaded) => loaded,
        Err(faults) => {
            let faults = faults.list().iter().map(ToString::to_string).collect();
            return refuse(arguments, Verdict::Config, faults);
        }
    };
    for warning in warnings {
        say(&format!("warning: {warning}"));
    }
    let now = now();
    let taken = match (&arguments.input, arguments.newest) {
        (Some(input), _) => of_lines(input, arguments, now),
        (None, Some(count)) => {
            let (topic, partition) = (arguments.topic.clone(), arguments.partition);
            newest::read(&settings, &Newest { topic, partition, count })
        }
        (None, None) => Err(Fault::new(Verdict::Fail, "name `--input` or `--newest`")),
    };
    match taken {
        Ok(taken) => {
            let all = explain(&settings, &arguments.topic, now, &taken);
            tell(&settings, arguments, &all)
        }
        Err(Fault { verdict, text }) => refuse(arguments, verdict, vec![text]),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn of_lines(input: &Path, arguments: &Arguments, now: Timestamp) -> Result<Taken, Fault> {
    let fail = |text: String| Fault::new(Verdict::Fail, text);
    let shown = input.display();
    let text = read(input).map_err(|error| {
        fail(format!("the sample {shown} cannot be read: {error}: name a readable file, or `-`"))
    })?;
    let partition = arguments.partition.unwrap_or(PartitionIndex::ZERO);
    let defaults = Defaults { partition, start: arguments.start, now };
    let sample = sample::parse(&text, arguments.envelope, &defaults);
    let sample = sample.map_err(|error| fail(error.to_string()))?;
    if sample.is_empty() {
        return Err(fail(format!("the sample {shown} is empty: give one record a line")));
    }
    let cluster = ClusterId::new(CLUSTER).map_err(|error| fail(error.to_string()))?;
    Ok(Taken { sample, cluster, topic_id: TopicId::from_u128(u128::MAX) })
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
    Taken { sample, cluster, topic_id }: &Taken,
) -> Vec<(TopicPartition, Outcome)> {
    let of_topic = settings.for_topic(topic);
    let options = PartitionOptions {
        layout: of_topic.layout,
        seal: of_topic.seal,
        sizes: ObjectSizes { frame_bytes: FRAME_BYTES, part_bytes: settings.s3.part_bytes },
        on_lost_records: OnLostRecords::Stop, // a sample has lost none
    };
    let now = Now { uptime: Uptime::ZERO, wall: now };
    let each = sample.iter().map(|(index, records)| {
        let partition = TopicPartition { topic: topic.clone(), partition: *index };
        let source =
            Source { cluster: cluster.clone(), partition: partition.clone(), topic_id: *topic_id };
        (partition, drive(source, options.clone(), now, records))
    });
    each.collect()
}

fn tell(settings: &Settings, arguments: &Arguments, all: &[(TopicPartition, Outcome)]) -> u8 {
    let layout = settings.for_topic(&arguments.topic).layout;
    let is_bad = |outcome: &Outcome| outcome.stopped.is_some() || !outcome.quarantined.is_empty();
    let bad = all.iter().filter(|(_, outcome)| is_bad(outcome)).map(|_| Verdict::Fail);
    let code = exit_code(bad);
    let outcomes: Vec<&Outcome> = all.iter().map(|(_, outcome)| outcome).collect();
    let notes = notes(settings, arguments, shown::ends_early(&layout, &outcomes));
    if arguments.json {
        let each = all.iter().map(|(at, outcome)| shown::document(at, &layout, outcome));
        let partitions: Vec<Value> = each.collect();
        let none: [String; 0] = [];
        let document =
            json!({"exit_code": code, "faults": none, "notes": notes, "partitions": partitions});
        print(&format!("{document:#}"));
        return code;
    }
    for line in all.iter().flat_map(|(at, outcome)| shown::lines(at, &layout, outcome)) {
        print(&line);
    }
    for note in notes {
        print(&format!("note: {note}"));
    }
    print("nothing was written");
    code
}

/// Returns in what the daemon may differ from what is shown.
fn notes(settings: &Settings, arguments: &Arguments, ends: Option<&str>) -> Vec<String> {
    let mut notes = Vec::from_iter(ends.map(str::to_owned));
    let topic = &arguments.topic;
    if !settings.kafka.topics.among(vec![topic.clone()]).contains(topic) {
        notes.push(format!(
            "the daemon does not read `{topic}`: the configuration's topics are others"
        ));
    }
    if arguments.newest.is_some() {
        let begin = "the first batches begin with the sample; the daemon's begin where the group has committed";
        notes.push(begin.to_owned());
    }
    notes
}

fn refuse(arguments: &Arguments, verdict: Verdict, faults: Vec<String>) -> u8 {
    let code = exit_code([verdict].into_iter());
    if arguments.json {
        let none: [Value; 0] = [];
        let document =
            json!({"exit_code": code, "faults": faults, "notes": none, "partitions": none});
        print(&format!("{document:#}"));
    } else {
        faults.iter().for_each(|fault| say(fault));
    }
    code
}
