//! Reads ranges of partitions without joining any group.
//!
//! It owns: positioning, the end of a range, silence, what an error of a partition means here.
//! It does not own: how a client is made (`Inquiry`), what the records are good for.
//!
//! Ranges that follow each other are read in one go. An end that no record marks (control records,
//! aborted transactions, compaction) is told by the next record behind it or by the end of the log,
//! so a range must not end above the last stable offset.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use thiserror::Error;

use super::consumer::{ConsumerError, ConsumerOptions, PartitionFault, partition_fault};
use super::ffi::{
    BATCH_MESSAGES_MAX, Batch, CallError, ClientHandle, Content, ErrorCode, Message, QueueError,
    WorkerQueue,
};
use super::inquiry::Inquiry;
use crate::model::{Offset, OffsetRange, Record, TopicPartition};

/// Between two messages, while there are some to come.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// What is asked for is there already; a seek from the log's end waits this long for the fetch
/// that is on its way.
const FETCH_WAIT_MAX: Duration = Duration::from_millis(20);
/// A seek is done by librdkafka itself.
const SEEK_MAX: Duration = Duration::from_secs(10);
/// Between two looks at the clock.
const READ_WAIT: Duration = Duration::from_millis(200);
/// Offsets that are cheaper to read over than to ask for anew: a new position throws away what was
/// fetched and waits for a broker.
const SKIPPED_MAX: u64 = 10_000;

/// Why a range was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    #[error("the log does not hold offset {0} any more")]
    OutOfRange(Offset),
    #[error("the brokers answer {0}")]
    Refused(ErrorCode),
    #[error("the brokers sent nothing for {} s", SILENCE_MAX.as_secs())]
    Silent,
    #[error(transparent)]
    Client(#[from] ConsumerError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Reads one partition at a time, with a client of its own.
///
/// An unassign goes on behind the back of whoever asked for it, and when it is done it ends the
/// forward of the partition's queue, also one that was set in the meantime. So a partition is never
/// given to one client twice.
#[derive(Debug)]
pub struct RangeReader {
    options: ConsumerOptions,
    client: Option<ClientHandle>,
    /// Partitions that the client has given back.
    left: BTreeSet<TopicPartition>,
    place: Option<Place>,
}

/// Where it reads.
#[derive(Debug)]
struct Place {
    partition: TopicPartition,
    // Before the queue, which it came from.
    batch: Batch,
    index: usize,
    queue: WorkerQueue,
    client: ClientHandle,
    /// What comes next is here or behind.
    next: Offset,
    /// What comes next is here or behind, because the log ended here when it was read.
    log_end: Option<Offset>,
}

impl RangeReader {
    pub fn new(options: &ConsumerOptions) -> Self {
        let mut options = options.clone();
        let wait = FETCH_WAIT_MAX.as_millis().to_string();
        options.properties.insert("fetch.wait.max.ms".to_owned(), wait);
        Self { options, client: None, left: BTreeSet::new(), place: None }
    }

    /// Hands over every visible record of the range, in order, until `visit` breaks.
    pub fn read(
        &mut self,
        partition: &TopicPartition,
        range: OffsetRange,
        mut visit: impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let read = self.go_to(partition, range.start()).and_then(|mut place| {
            place.read(range, &mut visit)?;
            Ok(place)
        });
        match read {
            Ok(place) => self.place = Some(place),
            Err(error) => {
                // Behind an error nobody knows where it stands.
                self.forget();
                return Err(error);
            }
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.place = None;
        self.client = None;
        self.left.clear();
    }

    fn go_to(&mut self, partition: &TopicPartition, start: Offset) -> Result<Place, ReadError> {
        let is_near = |place: &Place| {
            place.partition == *partition
                && place.next <= start
                && start.distance_from(place.next) <= SKIPPED_MAX
        };
        if let Some(place) = self.place.take_if(|place| is_near(place)) {
            return Ok(place);
        }
        match self.place.take() {
            Some(mut place) if place.partition == *partition => {
                let client = place.client.client();
                client.seek(&[(partition.clone(), start)], SEEK_MAX)?;
                place.restart(start);
                return Ok(place);
            }
            Some(place) => {
                place.client.client().unassign(std::slice::from_ref(&place.partition))?;
                place.queue.handle().unforward(&place.partition);
                self.left.insert(place.partition);
            }
            None => {}
        }
        if self.left.contains(partition) {
            self.forget();
        }
        let client = match &self.client {
            Some(client) => client.clone(),
            None => self.client.insert(Inquiry::new(&self.options)?.handle()).clone(),
        };
        let mut queue = WorkerQueue::new(&client)?;
        queue.handle().forward(partition)?;
        client.client().assign(&[(partition.clone(), start)])?;
        let batch = queue.read_batch(READ_WAIT, BATCH_MESSAGES_MAX);
        let (partition, next) = (partition.clone(), start);
        Ok(Place { partition, batch, index: 0, queue, client, next, log_end: None })
    }
}

impl Place {
    /// Stands elsewhere: what was read before is thrown away, what is queued librdkafka strikes out.
    fn restart(&mut self, start: Offset) {
        self.batch = self.queue.read_batch(READ_WAIT, BATCH_MESSAGES_MAX);
        (self.index, self.next, self.log_end) = (0, start, None);
    }

    fn read(
        &mut self,
        range: OffsetRange,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut last_heard = Instant::now();
        while self.take_queued(range, visit)?.is_continue() {
            self.batch = self.queue.read_batch(READ_WAIT, BATCH_MESSAGES_MAX);
            self.index = 0;
            if !self.batch.is_empty() {
                last_heard = Instant::now();
            } else if last_heard.elapsed() >= SILENCE_MAX {
                return Err(ReadError::Silent);
            }
        }
        Ok(())
    }

    /// Works off what was read; breaks at the end of the range.
    fn take_queued(
        &mut self,
        range: OffsetRange,
        visit: &mut impl FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let end = range.end();
        while let Some(message) = self.batch.get(self.index) {
            if let Content::Record(record) = message.content()
                && message.is_of(&self.partition)
            {
                if record.offset >= end {
                    self.next = end;
                    return Ok(ControlFlow::Break(()));
                }
                self.index += 1;
                self.next = record.offset.next();
                if record.offset >= range.start() && visit(&record).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                continue;
            }
            self.index += 1;
            self.log_end = self.log_end.max(log_end(message, &self.partition, self.next)?);
        }
        if self.log_end.is_some_and(|log_end| log_end >= end) {
            self.next = self.next.max(end);
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Returns what a message that is no record says of the log's end, or why there is no more to read.
fn log_end(
    message: &Message,
    partition: &TopicPartition,
    next: Offset,
) -> Result<Option<Offset>, ReadError> {
    match message.content() {
        Content::End(offset) if message.is_of(partition) => Ok(Some(offset)),
        Content::Record(_) | Content::End(_) => Ok(None),
        Content::Error { code, .. } => match partition_fault(code) {
            PartitionFault::OutOfRange => Err(ReadError::OutOfRange(next)),
            PartitionFault::Unknown => Err(ReadError::Refused(code)),
            PartitionFault::Passing if is_denied(code) => Err(ReadError::Refused(code)),
            PartitionFault::Passing => Ok(None),
        },
    }
}

fn is_denied(code: ErrorCode) -> bool {
    let denied =
        [RDKafkaErrorCode::TopicAuthorizationFailed, RDKafkaErrorCode::ClusterAuthorizationFailed];
    code.known().is_some_and(|known| denied.contains(&known))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rdkafka::config::ClientConfig;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

    use super::*;
    use crate::kafka::Protocol;
    use crate::kafka::login::Login;
    use crate::model::GroupId;

    fn at(value: i64) -> Offset {
        Offset::new(value).unwrap()
    }

    fn read(reader: &mut RangeReader, partition: i32, start: i64, end: i64) -> Vec<i64> {
        let partition = TopicPartition::new("pin", partition).unwrap();
        let range = OffsetRange::new(at(start), at(end)).unwrap();
        let mut seen = Vec::new();
        let read = reader.read(&partition, range, |record| {
            seen.push(record.offset.value());
            ControlFlow::Continue(())
        });
        read.unwrap();
        seen
    }

    #[test]
    fn ranges_are_read_in_any_order_and_to_their_ends() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("pin", 2, 1).unwrap();
        let servers = cluster.bootstrap_servers();
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", &servers).create().unwrap();
        for number in 0..50 {
            let record = BaseRecord::<(), str>::to("pin").partition(number % 2).payload("x");
            producer.send(record).unwrap();
        }
        producer.flush(Duration::from_secs(20)).unwrap();
        let options = ConsumerOptions {
            group: GroupId::new("sluice").unwrap(),
            protocol: Protocol::Classic,
            client_name: "verify".to_owned(),
            properties: BTreeMap::from([("bootstrap.servers".to_owned(), servers)]),
            login: Login::default(),
            prefetch_bytes: 1 << 20,
        };
        let inquiry = Inquiry::new(&options).unwrap();
        let admin = crate::kafka::admin::Admin::new(&inquiry.handle(), Duration::from_secs(20));
        let both = [0, 1].map(|index| TopicPartition::new("pin", index).unwrap());
        let ends = admin.watermarks_of(&both).unwrap();
        for partition in both {
            assert_eq!(ends[&partition], Ok(admin.watermarks(&partition).unwrap()), "{partition}");
        }
        let mut reader = RangeReader::new(&options);
        for _ in 0..3 {
            for (partition, start, end) in
                [(0, 0, 10), (0, 10, 11), (0, 20, 25), (0, 3, 5), (1, 0, 25), (1, 2, 3), (0, 0, 25)]
            {
                let expected: Vec<i64> = (start..end).collect();
                assert_eq!(read(&mut reader, partition, start, end), expected);
            }
        }
    }
}
