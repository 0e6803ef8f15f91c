//! What the daemon calls: reading, seeking, the calls of a rebalance.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{Client, Fetch, Kafka, PATIENCE, Shared};
use crate::daemon::simulation::cluster::{Cluster, Entry};
use crate::daemon::simulation::code;
use crate::daemon::simulation::coordinator::InstanceId;
use crate::daemon::simulation::dice::Dice;
use crate::kafka::ffi::{CallError, Committed, Content, ErrorCode, Membership, Place, QueueError};
use crate::kafka::seat::{Fetcher, Forward, Member, Messages, Read};
use crate::model::{NoHeaders, Offset, Record, Timestamp, TopicPartition};

/// What is read in one message.
#[derive(Debug)]
enum Text {
    Record(Option<Vec<u8>>),
    End,
    OutOfRange,
}

#[derive(Debug)]
struct Message {
    of: TopicPartition,
    offset: Offset,
    text: Text,
}

impl Read for Message {
    fn place(&self) -> Place<'_> {
        Place::of(0, self.of.partition.value())
    }

    fn topic(&self) -> &[u8] {
        self.of.topic.as_str().as_bytes()
    }

    fn partition(&self) -> i32 {
        self.of.partition.value()
    }

    fn content(&self) -> Content<'_> {
        match &self.text {
            Text::Record(value) => Content::Record(Record {
                offset: self.offset,
                timestamp: Some(Timestamp::from_millis(self.offset.value() * 700)),
                key: None,
                value: value.as_deref(),
                headers: &NoHeaders,
            }),
            Text::End => Content::End(self.offset),
            Text::OutOfRange => Content::Error {
                code: code::of(code::OFFSET_OUT_OF_RANGE),
                offset: Some(self.offset),
            },
        }
    }
}

#[derive(Debug)]
struct Batch(Vec<Message>);

impl Messages for Batch {
    fn get(&self, index: usize) -> Option<&dyn Read> {
        self.0.get(index).map(|message| message as &dyn Read)
    }
}

pub(in crate::daemon::simulation) fn offset(index: usize) -> Offset {
    Offset::new(i64::try_from(index).unwrap_or(i64::MAX)).expect("an index is not negative")
}

fn index(offset: Offset) -> usize {
    usize::try_from(offset.value()).expect("an offset is not negative")
}

/// A client as one of its workers and its rebalances have it.
#[derive(Clone, Debug)]
pub(in crate::daemon::simulation) struct Seat {
    pub(in crate::daemon::simulation) kafka: Shared,
    pub(in crate::daemon::simulation) instance: InstanceId,
    pub(in crate::daemon::simulation) worker: usize,
}

impl Seat {
    fn with<T>(&self, work: impl FnOnce(&mut Client, &Cluster, &mut Dice) -> T) -> Option<T> {
        let mut kafka = self.kafka.lock();
        let Kafka { cluster, clients, dice, .. } = &mut *kafka;
        clients.get_mut(&self.instance).map(|client| work(client, cluster, dice))
    }
}

impl Fetcher for Seat {
    fn read(
        &mut self,
        _max: usize,
        _wait: Duration,
        _is_called: &dyn Fn() -> bool,
    ) -> Option<Rc<dyn Messages>> {
        let worker = self.worker;
        let messages = self.with(|client, cluster, dice| {
            let mut messages = Vec::new();
            for (of, fetch) in &mut client.fetches {
                let is_here = client.forwards.get(of) == Some(&worker);
                if is_here && !client.paused.contains(of) && !fetch.has_ended {
                    fetch_some(of, fetch, cluster, 1 + dice.below(6), &mut messages);
                }
            }
            messages
        })?;
        (!messages.is_empty()).then(|| Rc::new(Batch(messages)) as Rc<dyn Messages>)
    }

    fn waker(&self) -> Arc<dyn Fn() + Send + Sync> {
        Arc::new(|| {})
    }

    fn pause(&self, partition: &TopicPartition) -> Result<(), CallError> {
        Member::pause(self, std::slice::from_ref(partition))
    }

    fn resume(&self, partition: &TopicPartition) -> Result<(), CallError> {
        self.with(|client, _, _| client.paused.remove(partition));
        Ok(())
    }

    fn seek(
        &self,
        offsets: &[(TopicPartition, Offset)],
        _at_most: Duration,
    ) -> Result<Vec<(TopicPartition, ErrorCode)>, CallError> {
        let refused = self.with(|client, _, dice| {
            let mut refused = Vec::new();
            for (partition, to) in offsets {
                match client.fetches.get_mut(partition) {
                    // Fetching has not begun, or has ended.
                    Some(fetch) if !fetch.has_ended && !dice.chance(50) => {
                        (fetch.position, fetch.end_told) = (index(*to), None);
                    }
                    Some(_) | None => {
                        refused.push((partition.clone(), code::of(code::WRONG_STATE)));
                    }
                }
            }
            refused
        });
        Ok(refused.unwrap_or_default())
    }

    fn log_end_seen(&self, partition: &TopicPartition) -> Option<Offset> {
        self.with(|_, cluster, _| cluster.logs.get(partition).map(|log| offset(log.end())))?
    }
}

/// Reads a few records of a partition, or says that there is no more.
fn fetch_some(
    of: &TopicPartition,
    fetch: &mut Fetch,
    cluster: &Cluster,
    count: usize,
    messages: &mut Vec<Message>,
) {
    let Some(log) = cluster.logs.get(of) else { return };
    let mut say = |at: usize, text| {
        messages.push(Message { of: of.clone(), offset: offset(at), text });
    };
    if fetch.position < log.start || fetch.position > log.end() {
        fetch.has_ended = true;
        return say(fetch.position, Text::OutOfRange);
    }
    let mut given = 0;
    while given < count
        && let Some(entry) = log.entries.get(fetch.position)
    {
        if let Entry::Record(value) = entry {
            say(fetch.position, Text::Record(value.clone()));
            given += 1;
        }
        fetch.position += 1;
    }
    if fetch.position == log.end() && fetch.end_told != Some(log.end()) {
        fetch.end_told = Some(log.end());
        say(log.end(), Text::End);
    }
}

impl Forward for Seat {
    fn forward(&self, partition: &TopicPartition) -> Result<(), QueueError> {
        let forwarded =
            self.with(|client, _, _| client.forwards.insert(partition.clone(), self.worker));
        forwarded.map(drop).ok_or(QueueError::ReaderGone)
    }

    fn unforward(&self, partition: &TopicPartition) {
        self.with(|client, _, _| client.forwards.remove(partition));
    }
}

impl Member for Seat {
    fn membership(&self) -> Option<Membership> {
        self.with(|client, _, _| Membership {
            member_id: client.identity.member.clone(),
            generation: client.identity.generation,
        })
    }

    fn committed(
        &self,
        partitions: &[TopicPartition],
        _at_most: Duration,
    ) -> Result<Vec<Committed>, CallError> {
        let mut kafka = self.kafka.lock();
        let Kafka { coordinator, dice, trouble, .. } = &mut *kafka;
        if dice.chance(*trouble) {
            return Err(CallError::Call(code::of(code::TIMED_OUT)));
        }
        let committed = partitions.iter().map(|partition| {
            let is_away = dice.chance(*trouble);
            let stored = coordinator.commits.get(partition).filter(|_| !is_away);
            Committed {
                partition: partition.clone(),
                offset: stored.map(|stored| stored.offset),
                metadata: stored.map(|stored| stored.metadata.clone()).unwrap_or_default(),
                error: is_away.then(|| code::of(code::COORDINATOR_LOAD_IN_PROGRESS)),
            }
        });
        Ok(committed.collect())
    }

    fn assign(&self, partitions: &[(TopicPartition, Offset)]) -> Result<(), CallError> {
        self.with(|client, _, _| {
            for (partition, from) in partitions {
                let fetch = Fetch { position: index(*from), end_told: None, has_ended: false };
                client.fetches.insert(partition.clone(), fetch);
            }
        });
        Ok(())
    }

    fn pause(&self, partitions: &[TopicPartition]) -> Result<(), CallError> {
        self.with(|client, _, _| client.paused.extend(partitions.iter().cloned()));
        Ok(())
    }

    fn unassign(&self, partitions: &[TopicPartition]) -> Result<(), CallError> {
        let mut kafka = self.kafka.lock();
        let now = kafka.now;
        let Some(client) = kafka.clients.get_mut(&self.instance) else { return Ok(()) };
        client.fetches.retain(|at, _| !partitions.contains(at));
        let is_waited_for = |at: &&TopicPartition| {
            client.unanswered.get(*at).is_some_and(|since| now.since(*since) < PATIENCE)
        };
        let early = partitions.iter().find(is_waited_for).cloned();
        if let Some(partition) = early {
            kafka.violated(format!("{partition} was given back before its commit was answered"));
        }
        Ok(())
    }
}
