//! Fresh eyes: reads the topics and the files again and compares them, record by record.
//!
//! It owns: the question "is each record there exactly once, in its place?". It does not own, and
//! does not use, anything of the daemon: no layout, no store, no commit. The names of files are
//! read here once more, so that a mistake of the daemon's is not made twice.
//!
//! It knows one layout, the default without compression:
//! `topics/<topic>/partition=<n>/<topic>+<n>+<10-digit start>.json`, a record's value per line.

mod compare;
mod files;
mod topics;

use std::io;
use std::path::PathBuf;

use rdkafka::error::KafkaError;
use thiserror::Error;

use crate::model::{Offset, Topic, TopicPartition};

pub use compare::{Fault, ObjectFault, PartitionReport, Report, Tally, compare};
pub use files::{Found, ObjectLines, read_files};
pub use topics::{PartitionRecords, Records, read_topics};

/// What tells one value from another: the first half of its BLAKE3 hash, so that topics larger
/// than the memory can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 16]);

impl Digest {
    pub fn of(value: &[u8]) -> Self {
        let mut half = [0; 16];
        for (to, from) in half.iter_mut().zip(blake3::hash(value).as_bytes()) {
            *to = *from;
        }
        Self(half)
    }
}

/// Why nothing could be compared.
#[derive(Debug, Error)]
pub enum CheckError {
    #[error("cannot read `{}`: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot make a Kafka client: {0}")]
    Settings(#[source] KafkaError),
    #[error("cannot read topic `{topic}`: {source}")]
    Topic { topic: Topic, source: KafkaError },
    #[error("cannot read the topics: {0}")]
    Read(#[source] KafkaError),
    #[error("{partition} begins at offset {first}: Kafka has dropped what was before it")]
    Dropped { partition: TopicPartition, first: Offset },
    #[error("Kafka sent nothing for {seconds} s while {partitions} partitions had more to read")]
    Stalled { seconds: u64, partitions: usize },
}
