//! What readers find in the bucket, against what was produced.

use std::collections::BTreeMap;
use std::io::Read;

use super::setting::Entry;
use super::world::World;

/// Reads an object the way its name says.
pub(super) fn text(key: &str, body: &[u8]) -> String {
    let mut text = Vec::new();
    if key.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(body).read_to_end(&mut text).unwrap();
    } else if key.ends_with(".zst") {
        text = zstd::stream::decode_all(body).unwrap();
    } else {
        text.extend_from_slice(body);
    }
    String::from_utf8(text).unwrap()
}

impl World {
    /// Each record is there once. It may be missing if Kafka took it before it was read: compacted,
    /// or in a range that a machine said it gave up. Nothing is ever there twice.
    pub(super) fn assert_exactly_once(&self) {
        assert_eq!(self.stopped, None);
        let end = i64::try_from(self.produced.len()).unwrap();
        assert_eq!(self.machine.frontier().value(), end, "lag reaches zero: {:?}", self.machine);
        let found = self.found();
        for (index, entry) in self.produced.iter().enumerate() {
            let there = found.get(&index).map_or(0, |lines| lines.len());
            let is_excused =
                self.is_compacted(index) || self.lost.iter().any(|range| range.contains(&index));
            match entry {
                Entry::Value(_) | Entry::Bad(_) if is_excused => assert!(there <= 1, "{index}"),
                Entry::Value(_) | Entry::Bad(_) => assert_eq!(there, 1, "{index} {entry:?}"),
                Entry::Tombstone | Entry::Nothing => assert_eq!(there, 0, "{index}"),
            }
        }
    }

    /// Returns the lines of each record, whatever object they are in.
    fn found(&self) -> BTreeMap<usize, Vec<&str>> {
        let mut found: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (key, stored) in &self.bucket {
            for line in stored.text.lines() {
                let record: serde_json::Value = serde_json::from_str(line).unwrap();
                let place = record.get("index").or_else(|| record.get("offset")).unwrap();
                let index = usize::try_from(place.as_u64().unwrap()).unwrap();
                found.entry(index).or_default().push(line);
                match &self.produced[index] {
                    Entry::Value(value) => assert_eq!(line.as_bytes(), value, "{key}"),
                    Entry::Bad(value) => {
                        assert_eq!(record["value"].as_str().unwrap().as_bytes(), value)
                    }
                    Entry::Tombstone | Entry::Nothing => panic!("{key} holds {line}"),
                }
            }
        }
        found
    }
}
