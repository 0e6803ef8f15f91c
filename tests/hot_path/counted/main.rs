//! What is done with each record between librdkafka and the upload, and nothing else.
//!
//! `hot-path-counted FILE COMPRESSION RECORDS` gives the lines of FILE, again and again, as records
//! to a partition's machine, as a worker does. It is the daemon's own source that is compiled here;
//! whoever counts instructions runs it twice, with and without some more records, and takes the
//! difference.
#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

// The layers that know no edge: links to the daemon's own files. (`#[path]` would do for files, but
// not for the folders that belong to them.)
mod engine;
mod format;
mod layout;
mod model;
mod mutant;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use engine::{
    Action, Input, Now, ObjectId, ObjectSizes, OnLostRecords, Partition, PartitionOptions, Random,
    Source, Start, Workshop,
};
use format::{Compression, Compressors, Encoding, Format};
use layout::{
    Layout, NameTemplate, OnBad, OnMissingRoute, OnNull, PathTemplate, RouteCache, TimeSource, Zone,
};
use model::{
    Bucket, ClusterId, NoHeaders, Offset, Record, SealPolicy, Timestamp, TopicId, TopicPartition,
    Uptime,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, compression, records] = arguments.as_slice() else {
        panic!("FILE COMPRESSION RECORDS")
    };
    let text = std::fs::read(file).unwrap();
    let values: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|v| !v.is_empty()).collect();
    let compression = Compression::parse(compression).unwrap();
    let now = Now { uptime: Uptime::new(Duration::ZERO), wall: Timestamp::from_millis(0) };
    let mut machine = machine(layout(compression), now);
    let mut workshop = Workshop {
        compressors: Compressors::new(),
        routes: RouteCache::default(),
        random: Random(Box::new(|| 7)),
    };
    let mut stored_bytes = 0;
    for (index, value) in values.iter().cycle().take(records.parse().unwrap()).enumerate() {
        let record = Record {
            offset: Offset::new(i64::try_from(index).unwrap()).unwrap(),
            timestamp: Some(now.wall),
            key: None,
            value: Some(black_box(value)),
            headers: &NoHeaders,
        };
        machine.handle(now, Input::Record(record), &mut workshop);
        while let Some(action) = machine.poll_action() {
            match action {
                Action::UploadPart(part) => stored_bytes += part.body.len(),
                other => panic!("the machine wants {other:?}"),
            }
        }
    }
    assert_eq!(machine.open_stats().map(|stats| stats.records), records.parse().ok());
    println!("stored_bytes {stored_bytes}");
}

/// The layout that a file has which names nothing but a bucket.
fn layout(compression: Compression) -> Layout {
    Layout {
        bucket: Bucket::new("bucket").unwrap(),
        endpoint: None,
        prefix: "topics".to_owned(),
        path: PathTemplate::parse("{topic}/partition={partition}").unwrap(),
        name: NameTemplate::parse("{topic}+{partition}+{start:010}").unwrap(),
        time: TimeSource::Record,
        zone: Zone::UTC,
        encoding: Encoding::new(Format::Json, compression),
        on_null: OnNull::Skip,
        on_bad: OnBad::Stop,
        on_missing_route: OnMissingRoute::Default,
        quarantine_prefix: "_quarantine".to_owned(),
    }
}

/// A machine that closes nothing by itself; its frames and parts are of the daemon's sizes.
fn machine(layout: Layout, now: Now) -> Partition {
    let source = Source {
        cluster: ClusterId::new("cluster").unwrap(),
        partition: TopicPartition::new("pin", 0).unwrap(),
        topic_id: TopicId::from_u128(7),
    };
    let options = PartitionOptions {
        layout: Arc::new(layout),
        seal: SealPolicy { records: None, bytes: None, object_bytes: None, age: None },
        sizes: ObjectSizes { frame_bytes: 1 << 20, part_bytes: 8 << 20 },
        on_lost_records: OnLostRecords::Stop,
    };
    let start = Start {
        offset: Offset::ZERO,
        metadata: "committed".to_owned(),
        pending: None,
        first_object: ObjectId(0),
    };
    Partition::new(source, options, start, now)
}
