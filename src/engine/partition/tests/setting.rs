//! What a world is made of: configurations and logs.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::ObjectSizes;
use crate::engine::partition::{OnLostRecords, PartitionOptions};
use crate::engine::sample::{compressed, layout};
use crate::format::Compression;
use crate::layout::{Layout, TimeSource};
use crate::model::SealPolicy;

/// What stands at one offset of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Value(Vec<u8>),
    Tombstone,
    Bad(Vec<u8>),
    /// A marker of a transaction, or what compaction took: never delivered.
    Nothing,
}

/// Twelve configurations: with and without routes, parts and names that need the end, times the
/// ways to compress.
pub(super) fn options(choice: u8) -> PartitionOptions {
    const ROUTED: &str = "{topic}/partition={partition}/kind={field:/kind}";
    const START: &str = "{topic}+{partition}+{start:010}";
    let (path, name, part_bytes) = match choice % 4 {
        0 => ("{topic}/partition={partition}", START, 1_000_000),
        1 => (ROUTED, START, 1_000_000),
        2 => (ROUTED, "{topic}+{partition}+{start:010}+{last:010}+{count}", 50),
        _ => ("{topic}/{partition}/{time:%M-%S}/{field:/kind}", START, 60),
    };
    let compression = Compression::ALL[usize::from(choice / 4) % Compression::ALL.len()];
    let time = TimeSource::Opened;
    PartitionOptions {
        layout: Arc::new(Layout { time, ..compressed(layout(path, name), compression) }),
        seal: SealPolicy {
            records: (choice % 4 == 1).then_some(7),
            bytes: (!choice.is_multiple_of(4)).then_some(400),
            object_bytes: None,
            age: Some(Duration::from_millis(900)),
        },
        sizes: ObjectSizes { frame_bytes: 64, part_bytes },
        on_lost_records: OnLostRecords::Skip,
    }
}

pub(super) fn entry(index: usize, dice: u64) -> Entry {
    match dice % 16 {
        0 => Entry::Tombstone,
        1 => Entry::Bad(format!("bad {index}").into_bytes()),
        2 => Entry::Nothing,
        kind => Entry::Value(format!(r#"{{"index":{index},"kind":"k{}"}}"#, kind % 3).into_bytes()),
    }
}
