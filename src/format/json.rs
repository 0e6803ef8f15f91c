//! JSON lines, verbatim: is a value one JSON document, and the line that it becomes.
//!
//! It owns: what counts as one document, and how a document becomes a line.
//! It does not own: where the line goes.
//!
//! A document is what RFC 8259 says, and the line keeps its bytes: numbers of any size, the order
//! of keys, keys that occur twice, lone surrogates written as escapes (`\ud800`), any depth. Only
//! white space changes: around the document it is dropped, a newline between tokens becomes a
//! space. A byte order mark is not JSON (RFC 8259, section 8.1), and many readers fail on one in
//! the middle of a file, so such a record goes to the quarantine as it is, mark and all.
//!
//! Why not a parse into `Value`: it costs five times as much, changes numbers, and has a limit of
//! depth. Why no check of depth: the parser keeps one byte per level on the heap and no stack.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::BadRecord;

/// Appends `value` as one line. On an error `out` is unchanged.
#[inline]
pub(super) fn append_line(value: &[u8], out: &mut Vec<u8>) -> Result<(), BadRecord> {
    let document = trim(value);
    check(document)?;
    out.reserve(document.len() + 1);
    let start = out.len();
    out.extend_from_slice(document);
    // Strings hold no raw newline, else the check had failed: each one lies between two tokens.
    for index in memchr::memchr2_iter(b'\n', b'\r', document) {
        if let Some(newline) = out.get_mut(start + index) {
            *newline = b' ';
        }
    }
    out.push(b'\n');
    Ok(())
}

/// Drops JSON's white space, and only that, at both ends.
#[inline]
fn trim(value: &[u8]) -> &[u8] {
    let is_token = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    match (value.iter().position(is_token), value.iter().rposition(is_token)) {
        (Some(first), Some(last)) => &value[first..=last],
        _ => &[],
    }
}

#[inline]
fn check(document: &[u8]) -> Result<(), BadRecord> {
    if document.is_empty() {
        return Err(BadRecord::Empty);
    }
    // The parser below skips strings without a look at their encoding.
    if simdutf8::basic::from_utf8(document).is_err() {
        return Err(BadRecord::NotUtf8);
    }
    let mut parser = serde_json::Deserializer::from_slice(document);
    match IgnoredAny::deserialize(&mut parser).and_then(|_| parser.end()) {
        Ok(()) => Ok(()),
        Err(_) => Err(name_fault(document)),
    }
}

/// Tells several documents in a row, such as a producer's own JSON lines, from what is no JSON.
#[cold]
fn name_fault(document: &[u8]) -> BadRecord {
    let mut documents = serde_json::Deserializer::from_slice(document).into_iter::<IgnoredAny>();
    if documents.all(|parsed| parsed.is_ok()) {
        BadRecord::SeveralDocuments
    } else {
        BadRecord::NotJson
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn line(value: impl AsRef<[u8]>) -> Result<Vec<u8>, BadRecord> {
        let mut out = b"before".to_vec();
        let result = append_line(value.as_ref(), &mut out);
        assert!(out.starts_with(b"before"));
        let written = out.split_off(6);
        assert!(result.is_ok() || written.is_empty(), "`out` is unchanged on an error");
        result.map(|()| written)
    }

    #[test]
    fn lines_keep_the_bytes_of_their_record() {
        let cases = [
            (r#"{"index":7528,"title":"No Title Data Available"}"#, None),
            (r#"{"a":1,"a":2, "b" : 1.0e+0400}"#, None),
            (r#""\ud800""#, None),
            (r#"{"a":"line\nend\u0000\u2028"}"#, None),
            ("\"é 😀 \u{2028} \u{7f}\"", None),
            ("123456789012345678901234567890.10", None),
            ("null", None),
            ("-0", None),
            (" \t\r\n{}\n", Some("{}")),
            ("{\n  \"a\": [\r\n1,\r2\n]\n}\n", Some("{   \"a\": [  1, 2 ] }")),
        ];
        for (value, becomes) in cases {
            let expected = format!("{}\n", becomes.unwrap_or(value));
            assert_eq!(line(value), Ok(expected.into_bytes()), "{value}");
        }
    }

    #[test]
    fn what_is_not_one_document_is_refused_by_its_name() {
        let cases: [(&[u8], BadRecord); 36] = [
            (b"", BadRecord::Empty),
            (b" \t\r\n", BadRecord::Empty),
            (b"\xff", BadRecord::NotUtf8),
            (b"\"\xed\xa0\x80\"", BadRecord::NotUtf8),
            (b"{\"a\":\"\xc3\"}", BadRecord::NotUtf8),
            (b"\xfe\xff\0{\0}", BadRecord::NotUtf8),
            (b"\xef\xbb\xbf{}", BadRecord::NotJson),
            (b"\xef\xbb\xbf", BadRecord::NotJson),
            (b"\0", BadRecord::NotJson),
            (b"{}\0", BadRecord::NotJson),
            (b"\0{}", BadRecord::NotJson),
            (b"\"a\0b\"", BadRecord::NotJson),
            (b"\"a\nb\"", BadRecord::NotJson),
            (b"\"a\rb\"", BadRecord::NotJson),
            (b"{\"a\nb\":1}", BadRecord::NotJson),
            (b"\x0c{}", BadRecord::NotJson),
            (b"\xc2\xa0{}", BadRecord::NotJson),
            (b"hello", BadRecord::NotJson),
            (b"NaN", BadRecord::NotJson),
            (b"nul", BadRecord::NotJson),
            (b"01", BadRecord::NotJson),
            (b"+1", BadRecord::NotJson),
            (b"1.", BadRecord::NotJson),
            (b"1e", BadRecord::NotJson),
            (b"{\"a\":1,}", BadRecord::NotJson),
            (b"[1 2]", BadRecord::NotJson),
            (b"{'a':1}", BadRecord::NotJson),
            (b"{\"a\":\"\\x\"}", BadRecord::NotJson),
            (b"{\"a\":\"\\u12\"}", BadRecord::NotJson),
            (b"{\"a\":1", BadRecord::NotJson),
            (b"{} // why", BadRecord::NotJson),
            (b"{}\n{\"a\"", BadRecord::NotJson),
            (b"{}]", BadRecord::NotJson),
            (b"{}\n{}\n", BadRecord::SeveralDocuments),
            (b"{}{}[]\"a\"", BadRecord::SeveralDocuments),
            (b"1 2", BadRecord::SeveralDocuments),
        ];
        for (value, reason) in cases {
            assert_eq!(line(value), Err(reason), "{}", value.escape_ascii());
        }
    }

    #[test]
    fn any_depth_is_one_document() {
        let levels = 100_000;
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            let value = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            assert_eq!(line(&value), Ok(format!("{value}\n").into_bytes()));
            let unclosed = &value[..value.len() - 1];
            assert_eq!(line(unclosed), Err(BadRecord::NotJson));
        }
        let never_closed = "[".repeat(5_000_000);
        assert_eq!(line(never_closed), Err(BadRecord::NotJson));
    }

    #[test]
    fn a_hundred_megabytes_are_one_document() {
        let value = format!("{{\"a\":\n\"{}\"}}", "é".repeat(50_000_000));
        let written = line(&value).unwrap();
        assert_eq!(written.len(), value.len() + 1);
        assert!(written.starts_with(b"{\"a\": \"") && written.ends_with(b"\"}\n"));
    }

    #[test]
    fn many_bad_documents_cost_no_more_than_their_length() {
        let mut value = "{} ".repeat(1_000_000);
        assert_eq!(line(&value), Err(BadRecord::SeveralDocuments));
        value.push('x');
        assert_eq!(line(&value), Err(BadRecord::NotJson));
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e300..1e300).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_line_is_its_document_on_one_line(
            document in documents(),
            pretty in any::<bool>(),
            windows in any::<bool>(),
            around in "[ \t\r\n]{0,4}",
        ) {
            let text = if pretty {
                serde_json::to_string_pretty(&document).unwrap()
            } else {
                document.to_string()
            };
            let text = if windows { text.replace('\n', "\r\n") } else { text };
            let written = line(format!("{around}{text}{around}")).unwrap();
            prop_assert_eq!(written.len(), text.len() + 1);
            let newlines = memchr::memchr2_iter(b'\n', b'\r', &written).collect::<Vec<_>>();
            prop_assert_eq!(newlines, vec![text.len()]);
            prop_assert_eq!(
                serde_json::from_slice::<Value>(&written).unwrap(),
                serde_json::from_str::<Value>(&text).unwrap()
            );
        }

        #[test]
        fn no_bytes_are_too_strange(value in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(written) = line(&value) {
                prop_assert_eq!(memchr::memchr(b'\n', &written), Some(written.len() - 1));
            }
        }

        #[test]
        fn tokens_in_any_order_agree_with_an_independent_parse(
            // Zeros only: `Value` refuses numbers that are too large for a float.
            text in r#"([\[\]{},: \n\r]|"a"|0|-|e|null|\\|"){0,20}"#,
        ) {
            let parsed = serde_json::from_str::<Value>(&text);
            prop_assert_eq!(line(&text).is_ok(), parsed.is_ok());
        }
    }
}
