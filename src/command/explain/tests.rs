use super::sample::{BYTES_MAX, Defaults, RECORDS_MAX, Sample, SampleError, parse};
use crate::model::{Offset, PartitionIndex, Timestamp};

fn defaults() -> Defaults {
    Defaults {
        partition: PartitionIndex::new(2).unwrap(),
        start: Offset::new(10).unwrap(),
        now: Timestamp::from_millis(5),
    }
}

/// Returns partition, offset, time, key, value and the first header of each record.
fn seen(sample: &Sample) -> Vec<String> {
    let text = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => "-".to_owned(),
    };
    let each = sample.iter().flat_map(|(index, records)| {
        records.iter().map(move |sampled| {
            let record = sampled.record();
            let header = record.headers.get(0).map_or("no header".to_owned(), |(name, value)| {
                format!("{}={}", text(Some(name)), text(value))
            });
            let millis = record.timestamp.unwrap().millis();
            let (key, value) = (text(record.key), text(record.value));
            format!("{} {} {millis} {key} {value} {header}", index.value(), record.offset)
        })
    });
    each.collect()
}

#[test]
fn lines_are_values_and_offsets_count_from_the_start() {
    let sample = parse(b"{\"a\": 1}\n\n\xff no json", false, &defaults()).unwrap();
    let expected = [
        "2 10 5 - {\"a\": 1} no header",
        "2 11 5 -  no header",
        "2 12 5 - \u{fffd} no json no header",
    ];
    assert_eq!(seen(&sample), expected);
    assert!(parse(b"", false, &defaults()).unwrap().is_empty());
}

#[test]
fn an_envelope_has_all_parts_of_a_record() {
    let lines =
        br#"{"key":"k","value":{"b": 1,"a":2},"headers":{"h":"x"},"timestamp":7,"partition":0}
{"value":"text \u00e9","key":null}
{"value":null,"key":3,"headers":{"h":null}}
{"value":[1, 2],"partition":0}
"#;
    let expected = [
        "0 10 7 k {\"b\": 1,\"a\":2} h=x",
        "0 11 5 - [1, 2] no header",
        "2 10 5 - text é no header",
        "2 11 5 3 - h=-",
    ];
    assert_eq!(seen(&parse(lines, true, &defaults()).unwrap()), expected);
}

#[test]
fn a_line_that_is_no_envelope_is_told_by_its_number_and_not_by_what_it_holds() {
    for line in ["{\"secret\":1}", "secret", "{}", "{\"value\":1,\"secret\":2}", "[]", ""] {
        let text = format!("{{\"value\":1}}\n{line}\n");
        let error = parse(text.as_bytes(), true, &defaults()).unwrap_err();
        assert!(matches!(error, SampleError::Envelope { line: 2, .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let error = parse(b"{\"value\":1,\"partition\":-1}", true, &defaults()).unwrap_err();
    assert!(matches!(error, SampleError::Partition { line: 1, partition: -1, .. }), "{error}");
}

#[test]
fn a_sample_is_bounded() {
    let lines = b"1\n".repeat(RECORDS_MAX);
    assert_eq!(seen(&parse(&lines, false, &defaults()).unwrap()).len(), RECORDS_MAX);
    let more = [&lines[..], b"1"].concat();
    assert!(matches!(parse(&more, false, &defaults()), Err(SampleError::TooMany)));
    let large = vec![b'1'; BYTES_MAX + 1];
    assert!(matches!(parse(&large, false, &defaults()), Err(SampleError::TooLarge)));
}
