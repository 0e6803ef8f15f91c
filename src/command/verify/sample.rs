//! Batches, layouts and stores for the tests of this command.

use std::sync::Arc;

use super::inventory::{Batch, Holdings, Named, Object, Planned};
use crate::engine::{Digest, DigestEntry, Plan};
use crate::format::{Compression, Encoding, Format};
use crate::layout::{
    Layout, NameTemplate, OnBad, OnMissingRoute, OnNull, PathTemplate, TimeSource, Zone,
};
use crate::model::{
    BatchId, Bucket, ClusterId, GroupId, ObjectKey, Offset, OffsetRange, Timestamp, TopicId,
    TopicPartition,
};
use crate::s3::{ObjectMetadata, PlanText};

pub(in crate::command) fn at(value: i64) -> Offset {
    Offset::new(value).unwrap()
}

pub(in crate::command) fn range(start: i64, end: i64) -> OffsetRange {
    OffsetRange::new(at(start), at(end)).unwrap()
}

pub(in crate::command) fn pin() -> TopicPartition {
    TopicPartition::new("pin", 0).unwrap()
}

pub(in crate::command) fn layout(path: &str) -> Layout {
    Layout {
        bucket: Bucket::new("bucket").unwrap(),
        endpoint: None,
        prefix: "topics".to_owned(),
        path: PathTemplate::parse(path).unwrap(),
        name: NameTemplate::parse("{topic}+{partition}+{start:010}").unwrap(),
        time: TimeSource::Record,
        zone: Zone::UTC,
        encoding: Encoding::new(Format::Json, Compression::None),
        on_null: OnNull::Skip,
        on_bad: OnBad::Quarantine,
        on_missing_route: OnMissingRoute::Default,
        quarantine_prefix: "_quarantine".to_owned(),
    }
}

pub(super) fn object(key: &str, first: i64, count: Option<u64>) -> Object {
    Object { key: ObjectKey::new(key).unwrap(), size: 10, first: at(first), count }
}

/// Adds a batch of one object; without an end it is one without a plan.
pub(in crate::command) fn add(holdings: &mut Holdings, id: u64, start: i64, end: Option<i64>) {
    let key = format!("topics/{id}-{start}.json");
    let objects = vec![object(&key, start, end.map(|end| (end - start).unsigned_abs()))];
    let plan = end.map(|end| Planned {
        range: range(start, end),
        opened: Timestamp::from_millis(0),
        records: 0,
        digest: digest(&objects),
        layout: Arc::new(layout("{topic}")),
    });
    let (start, id) = (at(start), BatchId::new(id));
    holdings.batches.insert((start, id), Batch { start, id, plan, objects });
}

pub(super) fn add_named(holdings: &mut Holdings, folder: &str, start: i64) {
    let key = ObjectKey::new(&format!("topics/{folder}/pin+0+{start:010}.json")).unwrap();
    holdings.named.push(Named { start: at(start), key, size: 10 });
}

pub(super) fn digest(objects: &[Object]) -> Digest {
    Digest::of(objects.iter().map(|object| DigestEntry {
        key: &object.key,
        first: object.first,
        count: object.count.unwrap_or_default(),
    }))
}

/// What an object of a batch says of itself, with the plan of its whole batch.
pub(super) fn metadata(id: u64, first: i64, count: u64, objects: &[Object]) -> ObjectMetadata {
    let plan = Plan {
        batch: BatchId::new(id),
        range: range(0, 10),
        opened: Timestamp::from_millis(0),
        records: 10,
        digest: digest(objects),
        cluster: ClusterId::new("cluster").unwrap(),
        topic_id: TopicId::from_u128(7),
        layout: layout("{topic}"),
    };
    ObjectMetadata {
        batch: BatchId::new(id),
        group: GroupId::new("group").unwrap(),
        partition: pin(),
        topic_id: TopicId::from_u128(7),
        batch_start: at(0),
        first: at(first),
        count: Some(count),
        plan: Some(PlanText::new(&plan.encode()).unwrap()),
    }
}
