//! Sources, layouts and records for the tests of this layer.

use std::sync::Arc;

use super::{Random, Source, Workshop};
use crate::format::{Compression, Compressors, Encoding, Format};
use crate::layout::{
    Layout, NameTemplate, OnBad, OnMissingRoute, OnNull, PathTemplate, RouteCache, TimeSource, Zone,
};
use crate::model::{
    Bucket, ClusterId, NoHeaders, Offset, Record, Timestamp, TopicId, TopicPartition,
};

pub(super) fn at(value: i64) -> Offset {
    Offset::new(value).unwrap()
}

pub(super) fn source() -> Source {
    Source {
        cluster: ClusterId::new("cluster").unwrap(),
        partition: TopicPartition::new("pin", 0).unwrap(),
        topic_id: TopicId::from_u128(7),
    }
}

/// The layout that a file has which names nothing but a bucket, with this path and name.
pub(super) fn layout(path: &str, name: &str) -> Layout {
    Layout {
        bucket: Bucket::new("bucket").unwrap(),
        endpoint: None,
        prefix: "topics".to_owned(),
        path: PathTemplate::parse(path).unwrap(),
        name: NameTemplate::parse(name).unwrap(),
        time: TimeSource::Record,
        zone: Zone::UTC,
        encoding: Encoding::new(Format::Json, Compression::None),
        on_null: OnNull::Skip,
        on_bad: OnBad::Quarantine,
        on_missing_route: OnMissingRoute::Default,
        quarantine_prefix: "_quarantine".to_owned(),
    }
}

/// Keys like `t/k=a/0.json`: what a test wants to read.
pub(super) fn short_layout() -> Layout {
    Layout {
        prefix: "t".to_owned(),
        quarantine_prefix: "q".to_owned(),
        ..layout("k={field:/k}", "{start}")
    }
}

pub(super) fn compressed(layout: Layout, compression: Compression) -> Layout {
    let separator = Arc::clone(&layout.encoding.separator);
    Layout { encoding: Encoding { compression, separator, ..layout.encoding }, ..layout }
}

pub(super) fn random(seed: u64) -> Random {
    let mut state = seed;
    Random(Box::new(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ (state >> 29)
    }))
}

pub(super) fn workshop(seed: u64) -> Workshop {
    Workshop {
        compressors: Compressors::new(),
        routes: RouteCache::default(),
        random: random(seed),
    }
}

pub(super) fn record(offset: i64, value: Option<&[u8]>) -> Record<'_> {
    let timestamp = Some(Timestamp::from_millis(0));
    Record { offset: at(offset), timestamp, key: None, value, headers: &NoHeaders }
}
