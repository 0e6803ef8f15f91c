//! The names that the predecessor gave: `<topic>+<partition>+<start:010>.<extension>`.
//!
//! It owns: reading them, and which of its objects only stand beside others: keys and headers of the
//! same records, under the same name (`.keys.avro`, `.headers.json`).
//! It does not own: names of Sluice, whose objects carry metadata.

use crate::model::{Offset, TopicPartition};

/// Digits of the start; larger ones have more.
const START_DIGITS_MIN: usize = 10;

/// Returns what the last element of a key says; none for any other spelling.
pub(super) fn parse_name(key: &str) -> Option<(TopicPartition, Offset)> {
    let name = key.rsplit_once('/').map_or(key, |(_folder, name)| name);
    let (rest, start) = name.rsplit_once('+')?;
    let (start, extension) = start.split_once('.')?;
    let (topic, index) = rest.rsplit_once('+')?;
    let value: i64 = start.parse().ok()?;
    let partition = TopicPartition::new(topic, index.parse().ok()?).ok()?;
    let is_exact = start == format!("{value:0START_DIGITS_MIN$}")
        && index == partition.partition.to_string()
        && !extension.is_empty();
    Offset::new(value).ok().filter(|_| is_exact).map(|start| (partition, start))
}

/// Returns whether an object of the predecessor holds the keys or headers of records, whose values
/// stand in another one.
pub(super) fn stands_beside(key: &str) -> bool {
    let name = key.rsplit_once('/').map_or(key, |(_folder, name)| name);
    let start = name.rsplit_once('+').map_or(name, |(_rest, start)| start);
    let extension = start.split_once('.').map_or("", |(_start, extension)| extension);
    extension.starts_with("keys.") || extension.starts_with("headers.")
}

/// Returns the folder of a key.
pub(super) fn folder_of(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _name)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_headers_stand_beside_values() {
        for key in ["t/pin+0+0000000042.keys.avro", "t/a.keys.b+0+0000000042.headers.json.gz"] {
            assert!(stands_beside(key), "{key}");
        }
        for key in ["t/pin+0+0000000042.json", "t/a.keys.b+0+0000000042.json.gz", "keys.json"] {
            assert!(!stands_beside(key), "{key}");
        }
    }

    #[test]
    fn names_of_the_predecessor_are_read_and_no_others() {
        let read = |key| parse_name(key).map(|(of, start)| (of.to_string(), start.value()));
        for key in [
            "topics/12ab34.pin/partition=12/12ab34.pin+12+0000000042.json",
            "12ab34.pin+12+0000000042.json.gz",
            "a/year=2026/12ab34.pin+12+0000000042.snappy.parquet",
        ] {
            assert_eq!(read(key), Some(("12ab34.pin/12".to_owned(), 42)), "{key}");
        }
        let large = "p+0+12345678901.json";
        assert_eq!(read(large), Some(("p/0".to_owned(), 12_345_678_901)));
        for key in [
            "",
            "topics/_SUCCESS",
            "pin+0+42.json",
            "pin+0+00000000042.json",
            "pin+0+-000000042.json",
            "pin+00+0000000042.json",
            "pin+-1+0000000042.json",
            "pin+0+0000000042",
            "pin+0+0000000042.",
            "p/n+0+0000000042.json/x",
            "+0+0000000042.json",
        ] {
            assert_eq!(read(key), None, "{key}");
        }
    }
}
