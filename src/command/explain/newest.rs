//! The newest records of a topic, read without joining any group.
//!
//! It owns: the questions to the brokers, which offsets are the newest, what a refusal means here.
//! It does not own: reading a range (`kafka`), what becomes of the records.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;

use super::sample::{BYTES_MAX, RECORDS_MAX, Sample, Sampled};
use super::{Fault, Taken};
use crate::command::settings::say;
use crate::command::verdict::Verdict;
use crate::config::Settings;
use crate::daemon::connect::consumer_options;
use crate::kafka::admin::{Admin, AdminError, TopicDescription, Watermarks};
use crate::kafka::ffi::ErrorCode;
use crate::kafka::{ConsumerOptions, Inquiry, RangeReader, ReadError};
use crate::model::{
    ClusterId, Offset, OffsetRange, PartitionIndex, Topic, TopicId, TopicPartition,
};

/// Each question; a broker that is well answers in milliseconds, one that starts in seconds.
const ASK_MAX: Duration = Duration::from_secs(15);
/// Before a question that a leader was not ready for.
const ASK_PAUSE: Duration = Duration::from_millis(200);

/// Which records are meant.
#[derive(Clone, Debug)]
pub(super) struct Newest {
    pub(super) topic: Topic,
    /// None means all.
    pub(super) partition: Option<PartitionIndex>,
    /// Offsets of each partition.
    pub(super) count: NonZeroU32,
}

/// What the brokers said of the topic: each partition that is meant, with what it holds.
struct Logs {
    cluster: ClusterId,
    topic_id: TopicId,
    logs: BTreeMap<TopicPartition, Watermarks>,
}

/// Reads the last offsets of the partitions, up to what is stable. Commits nothing, joins nothing.
pub(super) fn read(settings: &Settings, newest: &Newest) -> Result<Taken, Fault> {
    let name = format!("explain-{:08x}", rand::random::<u32>());
    let options = consumer_options(settings, name);
    let servers = settings.kafka.bootstrap_servers.join(", ");
    say(&format!("asking Kafka at {servers} ..."));
    let Logs { cluster, topic_id, logs } = ask(&options, &servers, newest)?;
    let mut reader = RangeReader::new(&options);
    let (mut sample, mut bytes) = (Sample::new(), 0);
    for (partition, log) in &logs {
        let Some(range) = last(*log, newest.count) else { continue };
        let records = read_range(&mut reader, partition, range, &mut bytes)?;
        if !records.is_empty() {
            sample.insert(partition.partition, records);
        }
    }
    if sample.is_empty() {
        return Err(Fault::new(
            Verdict::Fail,
            format!(
                "topic `{}` has no records to read: produce some, or give a sample with `--input`",
                newest.topic
            ),
        ));
    }
    Ok(Taken { sample, cluster, topic_id })
}

fn ask(options: &ConsumerOptions, servers: &str, newest: &Newest) -> Result<Logs, Fault> {
    let inquiry = Inquiry::new(options)
        .map_err(|error| Fault::new(Verdict::Config, format!("{servers}: {error}")))?;
    let unreachable = |what: &str| {
        Fault::new(
            Verdict::Unreachable,
            format!("Kafka at {servers}: {what}: `sluice check` says what is wrong with it"),
        )
    };
    inquiry.cluster(ASK_MAX).map_err(|unreached| unreachable(&unreached.explained()))?;
    let client = inquiry.handle();
    let admin = Admin::new(&client, ASK_MAX);
    let cluster =
        admin.cluster_id().ok_or_else(|| unreachable("no broker tells the cluster's id"))?;
    let topic = &newest.topic;
    let answers = admin.topics(std::slice::from_ref(topic));
    let mut answers = answers.map_err(|error| unreachable(&error.to_string()))?;
    let described = match answers.remove(topic) {
        Some(Ok(described)) => described,
        Some(Err(code)) => return Err(refused(&format!("topic `{topic}`"), code)),
        None => return Err(unreachable(&format!("they say nothing of topic `{topic}`"))),
    };
    let partitions = partitions(newest, &described)?;
    let answers = watermarks_of(&admin, &partitions);
    let answers = answers.map_err(|error| unreachable(&error.to_string()))?;
    let mut logs = BTreeMap::new();
    for (partition, answer) in answers {
        let log = answer.map_err(|code| refused(&format!("partition {partition}"), code))?;
        logs.insert(partition, log);
    }
    if let Some(partition) = partitions.iter().find(|partition| !logs.contains_key(partition)) {
        return Err(unreachable(&format!("they do not say how far partition {partition} reaches")));
    }
    Ok(Logs { cluster, topic_id: described.id, logs })
}

/// Asks again while a leader is on the move, or does not know yet that it leads.
fn watermarks_of(
    admin: &Admin,
    partitions: &[TopicPartition],
) -> Result<BTreeMap<TopicPartition, Result<Watermarks, ErrorCode>>, AdminError> {
    let moving = [Code::NotLeaderForPartition, Code::LeaderNotAvailable];
    let is_moving = |code: &ErrorCode| code.known().is_some_and(|known| moving.contains(&known));
    let started = Instant::now();
    loop {
        let answers = admin.watermarks_of(partitions)?;
        let is_any = answers.values().any(|answer| answer.as_ref().is_err_and(is_moving));
        if !is_any || started.elapsed() >= ASK_MAX {
            return Ok(answers);
        }
        std::thread::sleep(ASK_PAUSE);
    }
}

fn refused(what: &str, code: ErrorCode) -> Fault {
    let what = format!(
        "{what}: the brokers answer {code}: look at the name, and whether this user may describe and read the topic"
    );
    Fault::new(Verdict::Fail, what)
}

/// Returns the partitions that are meant, unless they are not there or would be too many records.
fn partitions(newest: &Newest, described: &TopicDescription) -> Result<Vec<TopicPartition>, Fault> {
    let Newest { topic, partition, count } = newest;
    let fail = |what: String| Err(Fault::new(Verdict::Fail, what));
    let there = described.partitions;
    let indexes: Vec<i32> = match partition {
        None => (0..i32::try_from(there).unwrap_or(i32::MAX)).collect(),
        Some(index) => vec![index.value()],
    };
    let is_there = |index: &i32| usize::try_from(*index).is_ok_and(|index| index < there);
    if let Some(index) = indexes.iter().find(|index| !is_there(index)) {
        return fail(format!(
            "topic `{topic}` has {there} partitions, counted from 0: there is no partition {index}"
        ));
    }
    let count = usize::try_from(count.get()).unwrap_or(usize::MAX);
    if count.saturating_mul(indexes.len()) > RECORDS_MAX {
        let most = RECORDS_MAX / indexes.len().max(1);
        return fail(format!(
            "{count} records of each of {} partitions are more than {RECORDS_MAX}: ask for {most}, or name one `--partition`",
            indexes.len()
        ));
    }
    let each = indexes.into_iter().map(|partition| TopicPartition::new(topic.as_str(), partition));
    each.collect::<Result<_, _>>().map_err(|error| Fault::new(Verdict::Fail, error.to_string()))
}

/// Returns the last `count` offsets that the partition holds; none if it holds nothing.
fn last(log: Watermarks, count: NonZeroU32) -> Option<OffsetRange> {
    let start = Offset::new(log.high.value().saturating_sub(i64::from(count.get())).max(0)).ok()?;
    OffsetRange::new(start.max(log.low), log.high).ok()
}

fn read_range(
    reader: &mut RangeReader,
    partition: &TopicPartition,
    range: OffsetRange,
    bytes: &mut usize,
) -> Result<Vec<Sampled>, Fault> {
    let mut records = Vec::new();
    let read = reader.read(partition, range, |record| {
        let sampled = Sampled::of(record);
        *bytes += sampled.bytes();
        records.push(sampled);
        if *bytes > BYTES_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if *bytes > BYTES_MAX {
        let what = format!(
            "the records are larger than {} MiB: ask for fewer, or name one `--partition`",
            BYTES_MAX >> 20
        );
        return Err(Fault::new(Verdict::Fail, what));
    }
    read.map_err(|error| match error {
        ReadError::OutOfRange(_) => Fault::new(
            Verdict::Fail,
            format!("partition {partition}: {error}: retention dropped it meanwhile, try again"),
        ),
        ReadError::Refused(code) => refused(&format!("partition {partition}"), code),
        ReadError::Silent | ReadError::Client(_) | ReadError::Call(_) | ReadError::Queue(_) => {
            let what = format!(
                "partition {partition}: {error}: `sluice check` says what is wrong with Kafka"
            );
            Fault::new(Verdict::Unreachable, what)
        }
    })?;
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offsets_are_those_that_the_log_has() {
        let at = |value| Offset::new(value).unwrap();
        for (low, high, count, expected) in [
            (0, 10, 3, Some((7, 10))),
            (0, 10, 10, Some((0, 10))),
            (0, 10, u32::MAX, Some((0, 10))),
            (8, 10, 3, Some((8, 10))),
            (10, 10, 3, None),
            (0, 0, 1, None),
        ] {
            let log = Watermarks { low: at(low), high: at(high) };
            let range = last(log, NonZeroU32::new(count).unwrap());
            let found = range.map(|range| (range.start().value(), range.end().value()));
            assert_eq!(found, expected, "{low}..{high}, {count}");
        }
    }

    #[test]
    fn partitions_that_are_not_there_and_too_many_records_are_refused() {
        let described =
            TopicDescription { id: TopicId::UNKNOWN, partitions: 3, leaderless: Vec::new() };
        let ask = |partition: Option<i32>, count| {
            let newest = Newest {
                topic: Topic::new("pin").unwrap(),
                partition: partition.map(|index| PartitionIndex::new(index).unwrap()),
                count: NonZeroU32::new(count).unwrap(),
            };
            let found = partitions(&newest, &described);
            found.map(|all| all.len()).map_err(|fault| fault.text)
        };
        assert_eq!(ask(None, 33_333), Ok(3));
        assert_eq!(ask(Some(2), 100_000), Ok(1));
        assert!(ask(None, 33_334).unwrap_err().contains("ask for 33333"));
        assert!(ask(Some(3), 1).unwrap_err().contains("there is no partition 3"));
    }
}
