//! The records of a sample, and how lines of a file become some: as values or as JSON envelopes.
//!
//! It owns: what a line means, how large a sample may be, offsets of records that have none.
//! It does not own: where the text comes from, what becomes of the records.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::model::{NameError, Offset, PartitionIndex, Record, Timestamp};

pub(super) const RECORDS_MAX: usize = 100_000;
pub(super) const BYTES_MAX: usize = 64 << 20;

/// A record that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sampled {
    pub(super) offset: Offset,
    timestamp: Option<Timestamp>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Sampled {
    pub(super) fn of(record: &Record<'_>) -> Self {
        let headers = (0_usize..).map_while(|index| record.headers.get(index));
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers
                .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }

    /// Returns the bytes of key, value and headers.
    pub(super) fn bytes(&self) -> usize {
        let len = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(name, value)| name.len() + len(value));
        len(&self.key) + len(&self.value) + headers.sum::<usize>()
    }

    pub(super) fn record(&self) -> Record<'_> {
        Record {
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &self.headers,
        }
    }
}

/// Records by partition, in the order of their offsets.
pub(super) type Sample = BTreeMap<PartitionIndex, Vec<Sampled>>;

/// What lines do not say themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    pub(super) partition: PartitionIndex,
    pub(super) start: Offset,
    pub(super) now: Timestamp,
}

/// Why a sample cannot be taken.
#[derive(Debug, Error)]
pub(super) enum SampleError {
    #[error("the sample is larger than {} MiB: give fewer lines, `head -n 1000` is plenty", BYTES_MAX >> 20)]
    TooLarge,
    #[error(
        "the sample has more than {RECORDS_MAX} lines: give fewer, `head -n {RECORDS_MAX}` cuts it"
    )]
    TooMany,
    #[error(
        "line {line} is no envelope ({error}): write one JSON object a line, as {{\"key\":\"k\",\"value\":{{}},\"headers\":{{}},\"timestamp\":0,\"partition\":0}}, of which only `value` is needed, or leave `--envelope` out"
    )]
    Envelope { line: usize, error: String },
    #[error("line {line} has partition {partition}: {error}")]
    Partition { line: usize, partition: i32, error: NameError },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    timestamp: Option<i64>,
    partition: Option<i32>,
}

/// Text is its characters, null is nothing, all else is its JSON as it was written.
fn bytes_of(raw: &RawValue) -> Result<Option<Vec<u8>>, serde_json::Error> {
    match raw.get().as_bytes().first() {
        Some(b'"') => Ok(Some(serde_json::from_str::<String>(raw.get())?.into_bytes())),
        Some(b'n') => Ok(None),
        Some(_) | None => Ok(Some(raw.get().as_bytes().to_vec())),
    }
}

/// Reads the records of a text; a line that is not ended counts, an empty one is an empty value.
pub(super) fn parse(
    text: &[u8],
    is_envelope: bool,
    defaults: &Defaults,
) -> Result<Sample, SampleError> {
    if text.len() > BYTES_MAX {
        return Err(SampleError::TooLarge);
    }
    let mut sample = Sample::new();
    for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if index == RECORDS_MAX {
            return Err(SampleError::TooMany);
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let (partition, record) = match is_envelope {
            true => envelope(line, index + 1, defaults)?,
            false => (defaults.partition, plain(line, defaults)),
        };
        let records = sample.entry(partition).or_default();
        let offset = records.last().map_or(defaults.start, |last| last.offset.next());
        records.push(Sampled { offset, ..record });
    }
    Ok(sample)
}

fn plain(line: &[u8], defaults: &Defaults) -> Sampled {
    let (offset, timestamp) = (defaults.start, Some(defaults.now));
    Sampled { offset, timestamp, key: None, value: Some(line.to_vec()), headers: Vec::new() }
}

fn envelope(
    text: &[u8],
    line: usize,
    defaults: &Defaults,
) -> Result<(PartitionIndex, Sampled), SampleError> {
    let wrong = |error: serde_json::Error| {
        // Its message may quote the line, which is somebody's data: only the place is told.
        let error = format!("{:?} error at column {}", error.classify(), error.column());
        SampleError::Envelope { line, error }
    };
    let found: Envelope<'_> = serde_json::from_slice(text).map_err(wrong)?;
    let partition = match found.partition {
        None => defaults.partition,
        Some(partition) => PartitionIndex::new(partition)
            .map_err(|error| SampleError::Partition { line, partition, error })?,
    };
    let header = |(name, value): (String, Option<String>)| {
        (name.into_bytes(), value.map(String::into_bytes))
    };
    let record = Sampled {
        offset: defaults.start,
        timestamp: Some(found.timestamp.map_or(defaults.now, Timestamp::from_millis)),
        key: found.key.map(bytes_of).transpose().map_err(wrong)?.flatten(),
        value: bytes_of(found.value).map_err(wrong)?,
        headers: found.headers.into_iter().map(header).collect(),
    };
    Ok((partition, record))
}
