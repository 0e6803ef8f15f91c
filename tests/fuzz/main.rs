//! Bytes from outside, nearly right: whatever they are, the program refuses or understands them.
//!
//! It owns: what must hold of each reader of foreign bytes beyond not panicking.
//! It does not own: how the bytes are made (`mutate.rs`), nor what exactly is refused (each
//! reader's own tests).

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;

mod mutate;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use sluice::config::{self, FileText, Sources};
use sluice::engine::Metadata;
use sluice::format::{BadRecord, quarantine_line};
use sluice::layout::{Layout, NameTemplate, ObjectSpan, PathTemplate, RouteContext, TimeFormat};
use sluice::model::{NoHeaders, Offset, Record, Timestamp, TopicPartition};
use sluice::s3::{Claim, GroupObject};

use mutate::fuzz;

/// Longer than any answer takes; a connection that is still open then hangs.
const ANSWERED_IN: Duration = Duration::from_secs(20);

/// Whatever the file says: settings, or faults that each say something.
#[test]
fn any_file_is_settings_or_faults() {
    const WORDS: [&str; 24] = [
        "[kafka]",
        "[s3]",
        "[[override]]",
        "[limits]",
        "\n",
        "=",
        "\"",
        "'''",
        "{",
        "}",
        "[",
        "]",
        "seal.age",
        "topics",
        "\"1 s\"",
        "-1",
        "99999999999999999999",
        "1e400",
        "nan",
        "inf",
        "\u{feff}",
        "\\u0000",
        "1979-05-27T07:32:00Z",
        "path = \"{field:/a}\"",
    ];
    let variables = BTreeMap::new();
    let cores = NonZeroUsize::new(2).unwrap();
    fuzz("config", &WORDS, |bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let lines = text.lines().count();
        let file = FileText { path: Path::new("connector.toml").into(), text, mode: None };
        let argument = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        for arguments in [vec![], vec![argument]] {
            let sources =
                Sources { file: Some(&file), variables: &variables, arguments: &arguments, cores };
            match config::load(&sources) {
                Ok(loaded) => assert!(loaded.settings.scopes().count() >= 1, "{lines}"),
                Err(faults) => {
                    assert!(!faults.list().is_empty());
                    assert!(faults.list().iter().all(|fault| !fault.to_string().is_empty()));
                }
            }
        }
    });
}

/// What a template is read as is written down in plans as it was, and read back from there.
#[test]
fn any_template_is_refused_or_kept() {
    const WORDS: [&str; 22] = [
        "{topic}",
        "{partition}",
        "{partition:05}",
        "{time:%Y-%m-%d}",
        "{field:/a}",
        "{header:h}",
        "{key}",
        "{start:010}",
        "{last}",
        "{count}",
        "{",
        "}",
        "{{",
        "}}",
        "/",
        "//",
        "..",
        "%",
        "%Q",
        "~0",
        "~2",
        "日",
    ];
    fuzz("templates", &WORDS, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(path) = PathTemplate::parse(&text) {
            assert_eq!(path.as_str(), text);
        }
        if let Ok(name) = NameTemplate::parse(&text) {
            assert_eq!(name.as_str(), text);
        }
        if let Ok(format) = TimeFormat::parse(&text) {
            assert_eq!(TimeFormat::parse(format.as_str()), Ok(format));
        }
        if let Ok(layout) = Layout::parse_canonical(&text) {
            assert_eq!(layout.canonical(), text);
        }
    });
}

/// What stands in Kafka and S3 beside the data: read whole, or refused.
#[test]
fn any_plan_or_claim_is_read_whole_or_refused() {
    const WORDS: [&str; 20] = [
        "sluice/1 ",
        "sluice/2 ",
        "plan ",
        "none ",
        " s=",
        " n=",
        " d=",
        " l=v1;",
        "p=1",
        "\n",
        "end\n",
        "go-on 7\n",
        "committed was-meant\n",
        "replaces none\n",
        "topic pin ",
        "9223372036854775807",
        "-1",
        "%20",
        "%",
        " ",
    ];
    fuzz("plan", &WORDS, |bytes| {
        match Metadata::parse(bytes) {
            Ok(Metadata::Foreign) => assert!(!bytes.starts_with(b"sluice/")),
            Ok(Metadata::Empty(empty)) => {
                let again = Metadata::parse(empty.encode().as_bytes());
                assert_eq!(again, Ok(Metadata::Empty(empty)));
            }
            Ok(Metadata::Plan(plan)) => {
                let again = Metadata::parse(plan.encode().as_bytes());
                assert_eq!(again, Ok(Metadata::Plan(plan)));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        if let Ok(claim) = Claim::parse(bytes) {
            assert_eq!(Claim::parse(claim.encode().as_bytes()), Ok(claim));
        }
        if let Ok(group) = GroupObject::parse(bytes) {
            let text = group.encode().unwrap();
            assert_eq!(GroupObject::parse(text.as_bytes()), Ok(group));
        }
    });
}

/// Layouts that ask a record for everything.
const LAYOUTS: [&str; 3] = [
    "v1;b=bucket;e;p=topics;d={topic}/c={field:/category}/{key};n={topic}+{partition}+{start:010};\
     t=record;z=UTC;f=json;c=none;s=%0A;o=skip,quarantine,default;q=_quarantine",
    "v1;b=bucket;e;p=;d={field:/a/0/b}/{header:h}/{time:%25Y-%25m-%25d/%25H};n={start}-{last};\
     t=field,/timestamp,%25Y-%25m-%25d%20%25H:%25M:%25S,UTC;z=Europe/Berlin;f=json;c=none;s=%0A;\
     o=skip,quarantine,default;q=bad",
    "v1;b=bucket;e;p=x;d={field:/~0~1}/{time:%25Y};n={start};t=field,/ts,rfc3339,UTC;z=UTC;f=raw;\
     c=none;s=;o=skip,quarantine,quarantine;q=bad",
];

fn assert_is_key(key: &str, prefix: &str) {
    assert!(key.starts_with(prefix), "{key:?}");
    assert!(key.len() <= 1_024, "{key:?}");
    assert!(!key.split('/').any(|part| [".", ".."].contains(&part)), "{key:?}");
    assert!(!key.chars().any(char::is_control), "{key:?}");
}

/// A framed record is its own bytes and one line, as another parser sees it; its key is one that S3
/// takes and that stays below its prefix; in the quarantine it is one line of JSON.
#[test]
fn any_record_is_one_line_below_its_prefix() {
    const WORDS: [&str; 24] = [
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        "\\ud800",
        "\\u0000",
        "\n",
        "\r\n",
        ",",
        ":",
        "null",
        "1e999",
        "-0",
        "\"category\":",
        "\"timestamp\":",
        "\"ts\":",
        "\"..\"",
        "\"/\"",
        "\"%2F\"",
        "\"2024-02-30 25:61:61\"",
        "\"9999-12-31T23:59:60Z\"",
        "\u{feff}",
    ];
    let layouts = LAYOUTS.map(|text| Layout::parse_canonical(text).unwrap());
    let partition = TopicPartition::new("pin", 3).unwrap();
    let offset = Offset::new(7).unwrap();
    fuzz("record", &WORDS, |bytes| {
        let headers = vec![(b"h".to_vec(), Some(bytes.to_vec())), (bytes.to_vec(), None)];
        let millis = bytes.iter().rev().fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte));
        let timestamp = Some(Timestamp::from_millis(millis));
        let (key, value) = (Some(bytes), Some(bytes));
        let record = Record { offset, timestamp, key, value, headers: &headers };
        for layout in &layouts {
            let of = RouteContext { partition: &partition, opened: Timestamp::from_millis(millis) };
            let span = ObjectSpan { first: offset, last: Some(offset), count: Some(1) };
            let routes =
                [layout.route(&of, &record).ok(), Some(layout.quarantine_route(&partition))];
            for (route, is_quarantine) in routes.iter().zip([false, true]) {
                let Some(route) = route else { continue };
                let key = layout.object_key(&partition, route, &span);
                let prefix = if is_quarantine { &layout.quarantine_prefix } else { &layout.prefix };
                assert_is_key(key.as_str(), prefix);
            }
            let mut framed = b"before\n".to_vec();
            let is_framed = layout.encoding.frame(bytes, &mut framed).is_ok();
            if !is_framed {
                assert_eq!(framed, b"before\n", "a refused record leaves nothing");
            } else if layout.encoding.format == sluice::format::Format::Json {
                let line = framed[7..].strip_suffix(b"\n").unwrap();
                assert!(!line.contains(&b'\n'), "{}", line.escape_ascii());
                serde_json::from_slice::<serde::de::IgnoredAny>(line).unwrap();
            }
        }
        let mut line = Vec::new();
        let empty = Record { headers: &NoHeaders, ..record };
        for record in [record, empty] {
            line.clear();
            quarantine_line(&partition, &record, BadRecord::NotJson, &mut line);
            let line = line.strip_suffix(b"\n").unwrap();
            assert!(!line.contains(&b'\n'));
            serde_json::from_slice::<serde::de::IgnoredAny>(line).unwrap();
        }
    });
}

/// Whatever a stranger sends to the port: an answer of HTTP or a closed connection, in time, and a
/// daemon that goes on. There is no Kafka and no S3: it waits for them and answers all the same.
#[test]
fn any_request_is_answered_or_cut_off() {
    const WORDS: [&str; 24] = [
        "GET ",
        "HEAD ",
        "POST ",
        "OPTIONS ",
        "/",
        "/metrics",
        "/healthz",
        "/../",
        "?",
        "%00",
        "#",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        " HTTP/2.0\r\n",
        "\r\n",
        "\r\n\r\n",
        "Host: x\r\n",
        "Connection: keep-alive\r\n",
        "Content-Length: 9\r\n",
        "Content-Length: -1\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: h2c\r\n",
        "Accept: application/openmetrics-text\r\n",
    ];
    let nothing = format!("127.0.0.1:{}", support::ports::free());
    let settings =
        support::daemon::Settings::new(&nothing, &format!("http://{nothing}"), "group", "bucket");
    let daemon = settings.topics(&["pin"]).launch();
    let address = daemon.address().to_owned();
    fuzz("http", &WORDS, |bytes| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(ANSWERED_IN)).unwrap();
        // It may close before it has read all of a bad request; so may reading end in a reset.
        stream.write_all(bytes).ok();
        stream.shutdown(Shutdown::Write).ok();
        let mut answer = Vec::new();
        if let Err(error) = stream.read_to_end(&mut answer) {
            let is_late = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
            assert!(!is_late.contains(&error.kind()), "the connection hangs: {error}");
        }
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{}", answer.escape_ascii());
        let head = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
        assert!(!head.ends_with(" 500"), "{head}");
    });
    assert!(daemon.is_running(), "{}", daemon.log_tail());
    assert_eq!(daemon.page("/healthz").map(|(status, _text)| status), Some(200));
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log_tail());
}
