//! What `explain` prints: lines for people, or one JSON document.
//!
//! It owns: the words. Of records it names offsets and reasons, never their content; keys and routes
//! hold what the layout's path takes from them.
//! It does not own: what was found.

use serde_json::{Value, json};

use super::drive::{Batch, END_OF_SAMPLE, Object, Outcome};
use crate::format::Format;
use crate::layout::Layout;
use crate::model::{Offset, SealReason, TopicPartition};

/// Records of a kind that are listed for people; JSON has them all.
const LISTED_MAX: usize = 20;

fn format_of(object: &Object, layout: &Layout) -> Format {
    if object.is_quarantine { Format::Json } else { layout.encoding.format }
}

fn sealed_by(reason: SealReason) -> &'static str {
    if reason == END_OF_SAMPLE { "end_of_sample" } else { reason.as_str() }
}

/// Returns the quarantine object that holds the record.
fn quarantine_key(outcome: &Outcome, offset: Offset) -> Option<&str> {
    let batch = outcome.batches.iter().find(|batch| batch.range.contains(offset))?;
    let object = batch.objects.iter().find(|object| object.is_quarantine)?;
    Some(&object.key)
}

pub(super) fn document(partition: &TopicPartition, layout: &Layout, outcome: &Outcome) -> Value {
    let object = |object: &Object| {
        json!({
            "key": object.key,
            "route": object.route,
            "quarantine": object.is_quarantine,
            "format": format_of(object, layout).as_str(),
            "compression": layout.encoding.compression.as_str(),
            "records": object.records,
            "first": object.first.value(),
            "last": object.last.value(),
            "multipart": object.is_multipart,
        })
    };
    let batch = |batch: &Batch| {
        json!({
            "start": batch.range.start().value(),
            "end": batch.range.end().value(),
            "records": batch.records,
            "sealed_by": sealed_by(batch.reason),
            "objects": batch.objects.iter().map(object).collect::<Vec<_>>(),
        })
    };
    let quarantined = outcome.quarantined.iter().map(|(offset, reason)| {
        json!({
            "offset": offset.value(),
            "reason": reason.as_str(),
            "key": quarantine_key(outcome, *offset),
        })
    });
    json!({
        "topic": partition.topic.as_str(),
        "partition": partition.partition.value(),
        "bucket": layout.bucket.as_str(),
        "batches": outcome.batches.iter().map(batch).collect::<Vec<_>>(),
        "quarantined": quarantined.collect::<Vec<_>>(),
        "skipped": outcome.skipped.iter().map(|offset| offset.value()).collect::<Vec<_>>(),
        "stopped": outcome.stopped.as_ref().map(ToString::to_string),
    })
}

pub(super) fn lines(partition: &TopicPartition, layout: &Layout, outcome: &Outcome) -> Vec<String> {
    let mut lines = vec![format!("{partition} -> s3://{}", layout.bucket)];
    for batch in &outcome.batches {
        let why = match batch.reason == END_OF_SAMPLE {
            true => "the sample ends".to_owned(),
            false => format!("closed by {}", sealed_by(batch.reason)),
        };
        lines.push(format!("  batch {}, {} records, {why}", batch.range, batch.records));
        for object in &batch.objects {
            let Object { key, route, records, first, last, .. } = object;
            let format = format_of(object, layout).as_str();
            let compression = layout.encoding.compression.as_str();
            lines.push(format!("    {key}"));
            lines.push(format!(
                "      {records} records, {first} to {last}, {format}, compression {compression}, route {route}"
            ));
        }
    }
    let quarantined = outcome.quarantined.iter().map(|(offset, reason)| {
        let into = quarantine_key(outcome, *offset).unwrap_or("the quarantine");
        format!("  quarantined: record {offset}, {reason}, into {into}")
    });
    let skipped = outcome.skipped.iter().map(|offset| {
        format!("  skipped: record {offset}, it has no value and `records.on_null` is `skip`")
    });
    limit(&mut lines, quarantined);
    limit(&mut lines, skipped);
    if let Some(reason) = &outcome.stopped {
        lines.push(format!("  STOP: {reason}"));
    }
    lines
}

fn limit(lines: &mut Vec<String>, all: impl ExactSizeIterator<Item = String>) {
    let count = all.len();
    lines.extend(all.take(LISTED_MAX));
    if count > LISTED_MAX {
        lines.push(format!("    and {} more, which `--json` lists", count - LISTED_MAX));
    }
}

/// Returns what a sample cannot tell of these settings.
pub(super) fn ends_early(layout: &Layout, outcomes: &[&Outcome]) -> Option<&'static str> {
    let ends = |batch: &Batch| batch.reason == END_OF_SAMPLE;
    if !outcomes.iter().any(|outcome| outcome.batches.iter().any(ends)) {
        return None;
    }
    Some(match layout.needs_end() {
        true => {
            "the last batch ends with the sample; the daemon would close it by its limits or `seal.age`, and the names of its objects, which hold their end, would differ"
        }
        false => {
            "the last batch ends with the sample; the daemon would close it by its limits or `seal.age`"
        }
    })
}
