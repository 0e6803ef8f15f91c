//! The verdict: what readers find in the buckets, against what was produced.

use std::collections::BTreeMap;
use std::io::Read;

use super::bucket::PLANTED;
use super::cluster::Must;
use super::world::World;
use crate::model::ObjectKey;

/// Reads an object the way its name says.
fn text(key: &str, body: &[u8]) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = if key.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(body).read_to_end(&mut bytes).map(drop)
    } else if key.ends_with(".zst") {
        zstd::stream::copy_decode(body, &mut bytes)
    } else {
        bytes.extend_from_slice(body);
        Ok(())
    };
    read.map_err(|error| format!("`{key}` cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|error| format!("`{key}` is no text: {error}"))
}

/// Returns the number of the record in a line of an object or of a quarantine object.
fn id_of(line: &str) -> Option<usize> {
    let record: serde_json::Value = serde_json::from_str(line).ok()?;
    let id = match record.get("id") {
        Some(id) => id.as_u64()?,
        None => record.get("value")?.as_str()?.strip_prefix("bad ")?.parse().ok()?,
    };
    usize::try_from(id).ok()
}

impl World {
    /// Writes down what must not be: a record twice, or one that is missing without an excuse.
    pub(super) fn judge(&self) {
        let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        let (mut wrong, mut planted) = (Vec::new(), 0);
        for store in self.s3.buckets() {
            for key in store.keys() {
                let Some(object) = ObjectKey::new(&key).ok().and_then(|key| store.object(&key))
                else {
                    continue;
                };
                if key.starts_with("_sluice/") || object.body == PLANTED {
                    planted += usize::from(object.body == PLANTED);
                    continue;
                }
                match text(&key, &object.body) {
                    Ok(text) => {
                        for line in text.lines() {
                            match id_of(line) {
                                Some(id) => found.entry(id).or_default().push(key.clone()),
                                None => wrong.push(format!("`{key}` holds `{line}`")),
                            }
                        }
                    }
                    Err(error) => wrong.push(error),
                }
            }
        }
        if planted != self.s3.planted() {
            wrong.push("an object of another pipeline was overwritten".to_owned());
        }
        let mut kafka = self.kafka.lock();
        for (id, record) in kafka.cluster.produced.iter().enumerate() {
            let keys = found.get(&id).map(Vec::as_slice).unwrap_or_default();
            let place = format!("record {id} at {}/{}", record.partition, record.offset);
            let is_left = kafka.was_stopped(&record.partition)
                && (record.offset >= kafka.coordinator.frontier(&record.partition)
                    || kafka.tampered.contains_key(&record.partition));
            match (record.must, keys) {
                (_, [_, _, ..]) => wrong.push(format!("{place} is there twice: {keys:?}")),
                (Must::Once, []) if !is_left => wrong.push(format!("{place} is missing")),
                (Must::Never, [key]) => wrong.push(format!("{place} is in `{key}`")),
                (Must::Once | Must::AtMostOnce, [_]) | (_, []) => {}
            }
        }
        for what in wrong {
            kafka.violated(what);
        }
    }
}
