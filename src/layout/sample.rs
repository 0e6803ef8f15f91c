//! Layouts, partitions and records for the tests of this layer.

use std::sync::Arc;

use super::{
    Layout, NameTemplate, OnBad, OnMissingRoute, OnNull, PathTemplate, Route, RouteContext,
    TimeSource, Zone,
};
use crate::format::{Compression, Encoding, Format};
use crate::model::{Bucket, NoHeaders, Offset, Record, Timestamp, TopicPartition};

pub(super) const NAME: &str = "{topic}+{partition}+{start:010}";

/// The layout that a file has which names nothing but a bucket.
pub(super) fn default_layout() -> Layout {
    Layout {
        bucket: Bucket::new("user-12ab34-bucket").unwrap(),
        endpoint: None,
        prefix: "topics".to_owned(),
        path: PathTemplate::parse("{topic}/partition={partition}").unwrap(),
        name: NameTemplate::parse(NAME).unwrap(),
        time: TimeSource::Record,
        zone: Zone::UTC,
        encoding: Encoding {
            format: Format::Json,
            compression: Compression::None,
            separator: Arc::from(*b"\n"),
        },
        on_null: OnNull::Skip,
        on_bad: OnBad::Quarantine,
        on_missing_route: OnMissingRoute::Default,
        quarantine_prefix: "_quarantine".to_owned(),
    }
}

pub(super) fn layout(path: &str, name: &str) -> Layout {
    let (path, name) = (PathTemplate::parse(path).unwrap(), NameTemplate::parse(name).unwrap());
    Layout { path, name, ..default_layout() }
}

pub(super) fn pin() -> TopicPartition {
    TopicPartition::new("pin", 0).unwrap()
}

/// A record of 2021-08-24T11:23:51Z.
pub(super) fn record(value: &[u8]) -> Record<'_> {
    Record {
        offset: Offset::ZERO,
        timestamp: Some(Timestamp::from_millis(1_629_804_231_000)),
        key: None,
        value: Some(value),
        headers: &NoHeaders,
    }
}

pub(super) fn route(layout: &Layout, record: &Record<'_>) -> Option<Route> {
    let opened = Timestamp::from_millis(1_700_000_000_000);
    layout.route(&RouteContext { partition: &pin(), opened }, record).ok()
}

pub(super) fn path(layout: &Layout, record: &Record<'_>) -> String {
    route(layout, record).unwrap().as_str().to_owned()
}
