use proptest::prelude::*;

use super::*;
use crate::layout::TimeFormat;
use crate::layout::sample::{default_layout, layout};

/// Never edited: plans of this text are in Kafka.
const GOLDEN: &str = "v1;b=user-12ab34-bucket;e;p=topics;d={topic}/partition={partition};\
     n={topic}+{partition}+{start:010};t=record;z=UTC;f=json;c=none;s=%0A;\
     o=skip,quarantine,default;q=_quarantine";
const GOLDEN_ALL: &str = "v1;b=abc;e=http://localhost:9000;p=;\
     d={topic}/{time:y%25Y/%25H}/{field:/k%C3%A4se%2C%3B}/{header:a%20b}/{key};\
     n={partition:05}-{start:019}-{last}-{count};t=field,/timestamp,%25Y-%25m-%25d%20%25H:%25M:%25S,\
     America/New_York;z=Europe/Berlin;f=raw;c=zstd;s=%0D%00%FF;o=stop,stop,quarantine;q=bad/x";

fn everything() -> Layout {
    let path = "{topic}/{time:y%Y/%H}/{field:/käse,;}/{header:a b}/{key}";
    Layout {
        bucket: Bucket::new("abc").unwrap(),
        endpoint: Some("http://localhost:9000".to_owned()),
        prefix: String::new(),
        time: TimeSource::Field {
            pointer: "/timestamp".to_owned(),
            format: TimeFormat::Strftime("%Y-%m-%d %H:%M:%S".to_owned()),
            zone: Zone::parse("America/New_York").unwrap(),
        },
        zone: Zone::parse("Europe/Berlin").unwrap(),
        encoding: Encoding {
            format: Format::Raw,
            compression: Compression::Zstd,
            separator: b"\r\0\xff".as_slice().into(),
        },
        on_null: OnNull::Stop,
        on_bad: OnBad::Stop,
        on_missing_route: OnMissingRoute::Quarantine,
        quarantine_prefix: "bad/x".to_owned(),
        ..layout(path, "{partition:05}-{start:019}-{last}-{count}")
    }
}

#[test]
fn the_golden_texts_stay_what_they_are() {
    assert_eq!(default_layout().canonical(), GOLDEN);
    assert!(GOLDEN.len() <= 300);
    assert_eq!(Layout::parse_canonical(GOLDEN), Ok(default_layout()));
    assert_eq!(everything().canonical(), GOLDEN_ALL);
    assert_eq!(Layout::parse_canonical(GOLDEN_ALL), Ok(everything()));
}

/// What is replaced in the golden text, by what, and the message.
const REFUSED: [(&str, &str, &str); 20] = [
    ("v1;", "v2;", "the layout's version is `v2`, this release reads `v1`"),
    ("v1;", "", "the layout's version is `b=user-12ab34-bucket`, this release reads `v1`"),
    (
        "b=user-12ab34-bucket",
        "b=A",
        "the layout's bucket: bucket `A` may hold 3 to 63 characters only",
    ),
    (";e;", ";x;", "the layout has `x` where `e=` was expected"),
    (
        ";p=topics",
        ";p=/topics",
        "the layout's `p`: `/topics` is no prefix: it has no `/` at either end, no empty, `.` or `..` element, no control character",
    ),
    (";p=topics", "", "the layout has `d={topic}/partition={partition}` where `p=` was expected"),
    (";t=record", ";t=now", "the layout's `t=now` holds no value that `t` takes"),
    (";t=record", ";t=field,/a", "the layout's `t=field,/a` holds no value that `t` takes"),
    (
        ";t=record",
        ";t=field,a,unix_s,UTC",
        "the layout's `t`: `a` in `layout.time`: a pointer begins with `/`, as in `/category`",
    ),
    (
        "z=UTC",
        "z=Mars",
        "the layout's `z`: time zone `Mars` is unknown; names are those of the IANA database, such as `UTC` or `Europe/Berlin`",
    ),
    ("f=json", "f=JSON", "the layout's `f=JSON` holds no value that `f` takes"),
    ("s=%0A", "s=%0", "the layout's `s=%0` holds no value that `s` takes"),
    ("s=%0A", "s=%é", "the layout's `s=%é` holds no value that `s` takes"),
    (
        "s=%0A",
        "s=%0a",
        "the layout is not written the way it reads back: `a;o=skip,quarantine,default;q=_quarantin` should be `A;o=skip,quarantine,default;q=_quarantin`",
    ),
    (
        "s=%0A",
        "s=aaaaaaaaaaaaaaaaa",
        "the layout's `s=aaaaaaaaaaaaaaaaa` holds no value that `s` takes",
    ),
    (
        "o=skip,quarantine,default",
        "o=skip,quarantine",
        "the layout's `o=skip,quarantine` holds no value that `o` takes",
    ),
    (
        "q=_quarantine",
        "q=",
        "the layout's `q`: `` is no prefix: it has no `/` at either end, no empty, `.` or `..` element, no control character",
    ),
    (
        "q=_quarantine",
        "q=_quarantine;x=1",
        "the layout is not written the way it reads back: `;x=1` should be ``",
    ),
    (
        "q=_quarantine",
        "q=_quar%61ntine",
        "the layout is not written the way it reads back: `%61ntine` should be `antine`",
    ),
    ("q=_quarantine", "q=%FF", "the layout's `q=%FF` holds no value that `q` takes"),
];

#[test]
fn what_was_not_written_by_us_is_refused_with_what_was_found() {
    for (good, bad, message) in REFUSED {
        let text = GOLDEN.replacen(good, bad, 1);
        assert_eq!(Layout::parse_canonical(&text).unwrap_err().to_string(), message, "{text}");
    }
    let long = format!("{GOLDEN}{}", "x".repeat(4_096));
    assert!(matches!(Layout::parse_canonical(&long), Err(CanonicalError::TooLong { .. })));
}

fn text_without_controls() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,24}"
}

fn element() -> impl Strategy<Value = String> {
    "[^\\p{Cc}/{}]{1,24}".prop_filter("an element", |text| text != "." && text != "..")
}

fn time_source() -> impl Strategy<Value = TimeSource> {
    let formats = ["rfc3339", "unix_s", "unix_ms", "%Y-%m-%d", "%d;%m,%Y %H:%M ä"];
    let field = (element(), prop::sample::select(formats.to_vec())).prop_map(|(name, format)| {
        let pointer = format!("/{}", name.replace('~', "~0"));
        TimeSource::field(&pointer, format, Zone::parse("Asia/Tokyo").unwrap()).unwrap()
    });
    prop_oneof![Just(TimeSource::Record), Just(TimeSource::Opened), field]
}

prop_compose! {
    fn any_layout()(
        endpoint in prop::option::of(".{0,40}"),
        prefix in prop_oneof![Just(String::new()), element()],
        path in prop::collection::vec(element(), 0..3),
        name in element(),
        time in time_source(),
        separator in prop::collection::vec(any::<u8>(), 0..=16),
        format in prop::sample::select(Format::ALL.to_vec()),
        compression in prop::sample::select(Compression::ALL.to_vec()),
        on_null in prop::sample::select(OnNull::ALL.to_vec()),
        on_bad in prop::sample::select(OnBad::ALL.to_vec()),
        on_missing_route in prop::sample::select(OnMissingRoute::ALL.to_vec()),
        quarantine_prefix in element(),
    ) -> Layout {
        let encoding = Encoding { format, compression, separator: separator.into() };
        Layout {
            endpoint, prefix, time, encoding, on_null, on_bad, on_missing_route, quarantine_prefix,
            ..layout(&path.join("/"), &name)
        }
    }
}

proptest! {
    #[test]
    fn a_layout_reads_back_as_itself(layout in any_layout()) {
        let text = layout.canonical();
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{}", text);
        prop_assert_eq!(Layout::parse_canonical(&text), Ok(layout));
    }

    #[test]
    fn what_reads_was_written_like_this(
        at in 0_usize..200,
        length in 0_usize..6,
        patch in prop_oneof![text_without_controls(), "[%;=,a-f0-9]{0,4}".boxed()],
    ) {
        let mut text = if at % 2 == 0 { GOLDEN.to_owned() } else { GOLDEN_ALL.to_owned() };
        let start = at.min(text.len());
        let end = (at + length).min(text.len());
        text.replace_range(start..end, &patch);
        if let Ok(layout) = Layout::parse_canonical(&text) {
            prop_assert_eq!(layout.canonical(), text);
        }
    }
}
