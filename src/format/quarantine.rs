//! The line of a bad record in the quarantine: JSON that gives back every byte of the record.
//!
//! It owns: the fields of that line.
//! It does not own: which records go there, and the object they go to.
//!
//! | part of the record | field | otherwise |
//! |---|---|---|
//! | key, value, a header's name and value, as text | `key`, `value`, `name` | |
//! | the same, not text | `key_base64`, `value_base64`, `name_base64` | |
//! | no key, no value, no value of a header | `"key":null`, `"value":null` | |
//! | time in milliseconds | `timestamp` | null where the broker gave none |
//!
//! Text is what is UTF-8; base64 is RFC 4648's standard alphabet with padding. One exception keeps
//! the memory of a line bounded: control characters are written as six bytes each, so a large part
//! that holds some is base64 even if it is UTF-8 (100 MB of NUL would become 600).

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::BadRecord;
use crate::model::{Headers, Record, TopicPartition};

/// Above this a part with control characters is base64: small parts stay readable, and six times
/// this is what one part of a line can cost beyond its own size.
const ESCAPED_BYTES_MAX: usize = 1 << 20;

/// Appends one JSON line that says where the record was, what it holds, and why it is here.
pub fn quarantine_line(
    partition: &TopicPartition,
    record: &Record<'_>,
    reason: BadRecord,
    out: &mut Vec<u8>,
) {
    let line = Line { partition, record, reason };
    #[expect(clippy::expect_used, reason = "the message proves that it cannot happen")]
    serde_json::to_writer(&mut *out, &line)
        .expect("a vector takes every byte, and all keys of the line are strings");
    out.push(b'\n');
}

struct Line<'a> {
    partition: &'a TopicPartition,
    record: &'a Record<'a>,
    reason: BadRecord,
}

struct HeaderList<'a>(&'a dyn Headers);

struct Header<'a> {
    name: &'a [u8],
    value: Option<&'a [u8]>,
}

/// The two fields that one part of a record can have in a line.
struct Field {
    text: &'static str,
    base64: &'static str,
}

impl Field {
    const KEY: Self = Self { text: "key", base64: "key_base64" };
    const VALUE: Self = Self { text: "value", base64: "value_base64" };
    const NAME: Self = Self { text: "name", base64: "name_base64" };

    fn write<M: SerializeMap>(&self, bytes: Option<&[u8]>, map: &mut M) -> Result<(), M::Error> {
        let Some(bytes) = bytes else {
            return map.serialize_entry(self.text, &());
        };
        match as_text(bytes) {
            Some(text) => map.serialize_entry(self.text, text),
            None => map.serialize_entry(self.base64, &Base64(bytes)),
        }
    }
}

fn as_text(bytes: &[u8]) -> Option<&str> {
    let is_control = |byte: &u8| *byte < b' ';
    if bytes.len() > ESCAPED_BYTES_MAX && bytes.iter().any(is_control) {
        return None;
    }
    simdutf8::basic::from_utf8(bytes).ok()
}

struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        Field::NAME.write(Some(self.name), &mut map)?;
        Field::VALUE.write(self.value, &mut map)?;
        map.end()
    }
}

impl Serialize for HeaderList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let mut index = 0;
        while let Some((name, value)) = self.0.get(index) {
            list.serialize_element(&Header { name, value })?;
            index += 1;
        }
        list.end()
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { partition, record, reason } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("topic", partition.topic.as_str())?;
        map.serialize_entry("partition", &partition.partition.value())?;
        map.serialize_entry("offset", &record.offset.value())?;
        map.serialize_entry("timestamp", &record.timestamp.map(|time| time.millis()))?;
        map.serialize_entry("reason", reason.as_str())?;
        Field::KEY.write(record.key, &mut map)?;
        Field::VALUE.write(record.value, &mut map)?;
        map.serialize_entry("headers", &HeaderList(record.headers))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::*;
    use crate::model::{NoHeaders, Offset, Timestamp};

    type Part = Option<Vec<u8>>;
    type Owned = (i64, Option<i64>, Part, Part, Vec<(Vec<u8>, Part)>);

    fn write((offset, millis, key, value, headers): &Owned, reason: BadRecord) -> Vec<u8> {
        let record = Record {
            offset: Offset::new(*offset).unwrap(),
            timestamp: millis.map(Timestamp::from_millis),
            key: key.as_deref(),
            value: value.as_deref(),
            headers,
        };
        let mut out = b"before\n".to_vec();
        quarantine_line(&TopicPartition::new("12ab34.pin", 3).unwrap(), &record, reason, &mut out);
        assert!(out.starts_with(b"before\n"));
        out.split_off(7)
    }

    fn part(of: &Map<String, Value>, name: &str) -> Part {
        let base64 = of.get(&format!("{name}_base64"));
        match (of.get(name), base64) {
            (Some(Value::Null), None) => None,
            (Some(Value::String(text)), None) => Some(text.clone().into_bytes()),
            (None, Some(Value::String(text))) => Some(STANDARD.decode(text).unwrap()),
            both => panic!("{name} is {both:?}"),
        }
    }

    fn read(line: &[u8]) -> (Owned, String) {
        let line: Map<String, Value> = serde_json::from_slice(line).unwrap();
        assert_eq!((&line["topic"], &line["partition"]), (&"12ab34.pin".into(), &3.into()));
        assert_eq!(line.len(), 8, "{line:?}");
        let header = |header: &Value| {
            let header = header.as_object().unwrap();
            assert_eq!(header.len(), 2, "{header:?}");
            (part(header, "name").unwrap(), part(header, "value"))
        };
        let headers = line["headers"].as_array().unwrap().iter().map(header).collect();
        let offset = line["offset"].as_i64().unwrap();
        let millis = match &line["timestamp"] {
            Value::Null => None,
            number => Some(number.as_i64().unwrap()),
        };
        let record = (offset, millis, part(&line, "key"), part(&line, "value"), headers);
        (record, line["reason"].as_str().unwrap().to_owned())
    }

    #[test]
    fn a_line_looks_as_readers_know_it() {
        let headers = vec![
            (b"trace".to_vec(), Some(b"a\"b".to_vec())),
            (b"\xff".to_vec(), Some(b"\xfe".to_vec())),
            (b"none".to_vec(), None),
        ];
        let bad = (7, Some(-1), Some("é".into()), Some(b"\xff\0".to_vec()), headers);
        let expected = concat!(
            r#"{"topic":"12ab34.pin","partition":3,"offset":7,"timestamp":-1,"#,
            r#""reason":"not_utf8","key":"é","value_base64":"/wA=","headers":["#,
            r#"{"name":"trace","value":"a\"b"},{"name_base64":"/w==","value_base64":"/g=="},"#,
            r#"{"name":"none","value":null}]}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(write(&bad, BadRecord::NotUtf8)).unwrap(), expected);

        let null = (0, None, None, None, Vec::new());
        let expected = concat!(
            r#"{"topic":"12ab34.pin","partition":3,"offset":0,"timestamp":null,"#,
            r#""reason":"null","key":null,"value":null,"headers":[]}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(write(&null, BadRecord::Null)).unwrap(), expected);
    }

    #[test]
    fn large_parts_of_control_characters_stay_bounded() {
        let record = Record {
            offset: Offset::ZERO,
            timestamp: None,
            key: None,
            value: Some(&vec![0; 3 << 20]),
            headers: &NoHeaders,
        };
        let mut out = Vec::new();
        let partition = TopicPartition::new("pin", 0).unwrap();
        quarantine_line(&partition, &record, BadRecord::NotJson, &mut out);
        assert!(out.len() < (4 << 20) + 500, "{}", out.len());
    }

    fn parts() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            any::<String>().prop_map(String::into_bytes),
            "[\u{0}-\u{7f}\u{2028}]{0,20}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..60),
        ]
    }

    proptest! {
        #[test]
        fn a_line_gives_back_the_record(
            offset in 0..=i64::MAX,
            millis in any::<Option<i64>>(),
            key in prop::option::of(parts()),
            value in prop::option::of(parts()),
            headers in prop::collection::vec((parts(), prop::option::of(parts())), 0..4),
            reason in prop::sample::select(&BadRecord::ALL),
        ) {
            let record = (offset, millis, key, value, headers);
            let line = write(&record, reason);
            prop_assert_eq!(memchr::memchr2(b'\n', b'\r', &line), Some(line.len() - 1));
            prop_assert_eq!(read(&line), (record, reason.as_str().to_owned()));
        }
    }
}
