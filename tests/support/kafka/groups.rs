//! Consumer groups, seen and disturbed by an independent client.
//!
//! It owns: committed offsets with their metadata, lag, members, and commits by a stranger.
//! It does not own: anything that joins a group.

use std::process::Command;
use std::time::Duration;

use rdkafka::admin::AdminOptions;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::Kafka;
use crate::support::{install, runtime, wait};

const ANSWER_IN: Duration = Duration::from_secs(60);

/// What a group has committed for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub partition: i32,
    /// None: nothing was ever committed, or it expired.
    pub offset: Option<i64>,
    pub metadata: String,
}

/// A member of a classic group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    pub client_id: String,
}

impl Kafka {
    /// The commits of a group for every partition of a topic.
    pub fn committed(&self, group: &str, topic: &str) -> Vec<Committed> {
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions(topic) {
            list.add_partition(topic, partition);
        }
        let consumer = self.in_group(group);
        let answer = patiently(|| consumer.committed_offsets(list.clone(), ANSWER_IN));
        let elements = answer.elements();
        let committed = elements.iter().map(|element| Committed {
            partition: element.partition(),
            offset: element.offset().to_raw().filter(|offset| *offset >= 0),
            metadata: element.metadata().to_owned(),
        });
        committed.collect()
    }

    /// Every commit that the broker has accepted from this group for this topic, oldest first, from
    /// the log that it keeps them in.
    pub fn commit_history(&self, group: &str, topic: &str) -> Vec<Committed> {
        let log = self.read_topic("__consumer_offsets");
        let commits = log.iter().filter_map(|record| {
            let mut key = Fields(record.key.as_deref()?);
            // 0 and 1 are keys of commits; others are those of groups.
            if !matches!(key.i16(), 0 | 1) || key.text() != group || key.text() != topic {
                return None;
            }
            let partition = key.i32();
            let mut value = Fields(record.value.as_deref()?);
            let version = value.i16();
            let offset = Some(value.i64());
            let _leader_epoch = value.i32();
            let metadata = match version {
                3 => value.text(),
                4 => value.compact_text(),
                other => panic!("a commit of version {other}, which no Kafka of ours writes"),
            };
            Some(Committed { partition, offset, metadata })
        });
        commits.collect()
    }

    /// Offsets of the topic that the group has not committed yet; without a commit, all of them.
    pub fn lag(&self, group: &str, topic: &str) -> i64 {
        let ends = self.end_offsets(topic);
        let committed = self.committed(group, topic);
        ends.iter().zip(&committed).map(|(end, one)| end - one.offset.unwrap_or(0)).sum()
    }

    /// Commits as another tool would. Brokers refuse that while the group has members.
    pub fn commit_as_stranger(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        commit: (i64, &str),
    ) {
        let (offset, metadata) = commit;
        let mut list = TopicPartitionList::new();
        {
            let mut element = list.add_partition(topic, partition);
            element.set_offset(Offset::Offset(offset)).unwrap();
            element.set_metadata(metadata);
        }
        let consumer = self.in_group(group);
        // A group with members refuses strangers: those that were stopped a moment ago, or killed,
        // are members until they have left or their session has ended.
        patiently(|| match consumer.commit(&list, CommitMode::Sync) {
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownMemberId) => {
                Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::RequestTimedOut))
            }
            answer => answer,
        });
    }

    /// Runs `kafka-consumer-groups` with these arguments, as a person would; again as long as a killed
    /// member still holds the group.
    pub fn consumer_groups(&self, arguments: &[&str]) -> String {
        let tools = install::kafka_tools();
        wait::until("kafka-consumer-groups", ANSWER_IN, || {
            let mut command = Command::new("java");
            command.args([
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                &tools,
            ]);
            command.arg("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand");
            command.args(["--bootstrap-server", &self.bootstrap()]).args(arguments);
            let output = command.output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            (output.status.success() && !text.contains("Error: ")).then_some(text)
        })
    }

    /// Forgets everything that an empty group has committed.
    pub fn delete_group(&self, group: &str) {
        let admin = self.admin();
        let options = AdminOptions::new();
        let deleted = patiently(|| runtime().block_on(admin.delete_groups(&[group], &options)));
        assert_eq!(deleted, [Ok(group.to_owned())]);
    }

    /// The members of a classic group; groups of the new protocol are not described by this call.
    pub fn members(&self, group: &str) -> Vec<Member> {
        let consumer = self.in_group(group);
        let list = patiently(|| consumer.fetch_group_list(Some(group), ANSWER_IN));
        let members = list.groups().iter().flat_map(|group| group.members());
        let members = members.map(|member| Member {
            id: member.id().to_owned(),
            client_id: member.client_id().to_owned(),
        });
        members.collect()
    }

    fn in_group(&self, group: &str) -> BaseConsumer {
        self.client().set("group.id", group).set("enable.auto.commit", "false").create().unwrap()
    }
}

/// What is left of a record of `__consumer_offsets`.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("a field of that length");
        self.0 = rest;
        *field
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }

    fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }

    fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take())
    }

    fn text(&mut self) -> String {
        let length = usize::try_from(self.i16()).unwrap();
        self.text_of(length)
    }

    /// Its length plus one comes first, seven bits in a byte, the lowest first.
    fn compact_text(&mut self) -> String {
        let (mut length, mut shift) = (0, 0);
        loop {
            let [byte] = self.take();
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return self.text_of(length - 1);
            }
        }
    }

    fn text_of(&mut self, length: usize) -> String {
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8(text.to_vec()).unwrap()
    }
}

/// Asks until a coordinator or leader answers: it may be on the move, still be reading its topic, or
/// not know yet that it leads.
pub(super) fn patiently<T>(ask: impl Fn() -> KafkaResult<T>) -> T {
    let mut last = None;
    let answer = wait::until_or(ANSWER_IN, || match ask() {
        Ok(answer) => Some(Ok(answer)),
        Err(error) if is_passing(&error) => {
            last = Some(error);
            None
        }
        Err(error) => Some(Err(error)),
    });
    answer.unwrap_or_else(|| Err(last.expect("asked at least once"))).unwrap()
}

fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::WaitingForCoordinator
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
        )
    )
}
