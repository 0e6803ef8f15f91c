//! Keys below `[layout]`, `[seal]`, `[records]` and `[quarantine]`.
//!
//! It owns: their defaults and texts. It does not own: what they mean (`config/topic.rs`).

use super::Kind::{Choice, CountOrOff, DurationOrOff, SizeOrOff, Text, Time};
use super::Presence::Default;
use super::{Key, key};

pub const KEYS: &[Key] = &[
    key("layout.prefix", Text, Default("\"topics\""), "how every key begins"),
    key(
        "layout.path",
        Text,
        Default("\"{topic}/partition={partition}\""),
        "folders of an object: `{topic}`, `{partition}`, `{time:%Y-%m-%d}`, `{field:/category}`, `{header:name}`, `{key}`",
    ),
    key(
        "layout.name",
        Text,
        Default("\"{topic}+{partition}+{start:010}\""),
        "name of an object: `{start}` and `{last}` are the offsets of its own first and last record, `{count}` how many; the format adds its extension. With `{last}` or `{count}` an object stays in memory until its batch is sealed",
    ),
    key(
        "layout.time",
        Time,
        Default("\"record\""),
        "what `{time:...}` means: Kafka's timestamp, when the batch was opened, or `{ field = \"/timestamp\", format = \"%Y-%m-%d %H:%M:%S\", zone = \"UTC\" }` (format: `rfc3339`, `unix_s`, `unix_ms` or strftime)",
    ),
    key("layout.time_zone", Text, Default("\"UTC\""), "time zone of the path"),
    key(
        "layout.format",
        Choice(&["json", "raw"]),
        Default("\"json\""),
        "`json`: each record's own bytes as a line, checked to be one JSON document; `raw`: unchecked bytes",
    ),
    key(
        "layout.separator",
        Text,
        Default("\"\\n\""),
        "what stands behind each record of `raw`, at most 16 bytes",
    ),
    key(
        "layout.compression",
        Choice(&["none", "gzip", "zstd"]),
        Default("\"none\""),
        "of objects; adds `.gz` or `.zst` to their names",
    ),
    key(
        "seal.records",
        CountOrOff,
        Default("\"off\""),
        "close a partition's batch at so many records; whichever limit of `[seal]` comes first",
    ),
    key(
        "seal.bytes",
        SizeOrOff,
        Default("\"64 MiB\""),
        "... at so many bytes of record values, before compression",
    ),
    key(
        "seal.object_bytes",
        SizeOrOff,
        Default("\"off\""),
        "... when the batch's largest object has so many bytes, as stored",
    ),
    key(
        "seal.age",
        DurationOrOff,
        Default("\"5 min\""),
        "... so long after its first record was read; closes idle partitions too",
    ),
    key(
        "records.on_bad",
        Choice(&["quarantine", "stop"]),
        Default("\"quarantine\""),
        "what happens to a record that cannot be written as asked",
    ),
    key(
        "records.on_null",
        Choice(&["skip", "quarantine", "stop"]),
        Default("\"skip\""),
        "... to one without a value (a tombstone)",
    ),
    key(
        "records.on_missing_route",
        Choice(&["default", "quarantine", "stop"]),
        Default("\"default\""),
        "... to one that lacks a field, header or key of the path; `default` writes `__HIVE_DEFAULT_PARTITION__`",
    ),
    key(
        "quarantine.prefix",
        Text,
        Default("\"_quarantine\""),
        "where quarantined records go; outside what readers of `layout.prefix` see",
    ),
];
