use proptest::prelude::*;

use super::*;
use crate::layout::sample::{NAME, default_layout, layout, path, pin, record, route};
use crate::layout::{NameTemplate, ObjectSpan, TimeSource};
use crate::model::{Offset, Timestamp};

fn at(seconds: i64) -> Record<'static> {
    Record { timestamp: Some(Timestamp::from_millis(seconds * 1_000)), ..record(b"{}") }
}

fn in_zone(template: &str, zone: &str) -> Layout {
    Layout { zone: Zone::parse(zone).unwrap(), ..layout(template, NAME) }
}

#[test]
fn the_default_is_the_incumbents_layout() {
    let layout = default_layout();
    let route = layout.constant_route(&pin()).unwrap();
    let span = ObjectSpan { first: Offset::ZERO, last: None, count: None };
    let key = layout.object_key(&pin(), &route, &span);
    assert_eq!(key.as_str(), "topics/pin/partition=0/pin+0+0000000000.json");
    assert_eq!(Some(&route), self::route(&layout, &record(b"{}")).as_ref());
    let quarantine = layout.quarantine_route(&pin());
    let key = layout.object_key(&pin(), &quarantine, &span);
    assert_eq!(key.as_str(), "_quarantine/pin/partition=0/pin+0+0000000000.json");
    assert!(quarantine.is_quarantine() && !route.is_quarantine());
}

#[test]
fn a_path_shows_what_a_record_holds() {
    let layout = layout("{time:y=%Y/m=%m}/{field:/a}/{header:h}/k={key}/{partition:03}", NAME);
    let headers = vec![
        (b"h".to_vec(), Some(b"first".to_vec())),
        (b"h".to_vec(), Some(b"l/st".to_vec())),
        (b"\xff".to_vec(), None),
    ];
    let record = Record { key: Some(b"\xffk"), headers: &headers, ..record(br#"{"a":"x=y"}"#) };
    assert_eq!(path(&layout, &record), "topics/y=2021/m=08/x%3Dy/l%2Fst/k=%FFk/000");
    assert_eq!(layout.constant_route(&pin()), None);
}

#[test]
fn what_is_missing_is_hives_default_or_no_route() {
    const DEFAULT: &str = "__HIVE_DEFAULT_PARTITION__";
    let cases =
        [("c={field:/c}", "c="), ("{header:h}", ""), ("k={key}", "k="), ("t={time:d=%F}", "t=d=")];
    let values: [Option<&[u8]>; 4] =
        [None, Some(b""), Some(br#"{"c":null}"#), Some(br#"{"c":""}"#)];
    for (template, start) in cases {
        for value in values {
            let record = Record { value, key: Some(b""), timestamp: None, ..at(0) };
            let mut layout = layout(template, NAME);
            assert_eq!(path(&layout, &record), format!("topics/{start}{DEFAULT}"));
            for choice in [OnMissingRoute::Quarantine, OnMissingRoute::Stop] {
                layout.on_missing_route = choice;
                assert_eq!(route(&layout, &record), None);
            }
        }
    }
}

#[test]
fn absurd_timestamps_have_no_route() {
    let layout =
        Layout { on_missing_route: OnMissingRoute::Quarantine, ..layout("{time:%Y}", NAME) };
    for millis in [i64::MAX, i64::MIN, 253_402_300_800_000, -377_705_116_800_000] {
        let record = Record { timestamp: Some(Timestamp::from_millis(millis)), ..record(b"") };
        assert_eq!(route(&layout, &record), None, "{millis}");
    }
    assert_eq!(path(&layout, &at(-1)), "topics/1969");
    let record = Record { timestamp: Some(Timestamp::from_millis(-1)), ..record(b"") };
    assert_eq!(path(&in_zone("{time:%T}", "UTC"), &record), "topics/23:59:59");
}

#[test]
fn clock_changes_are_shown_as_the_wall_clock_did() {
    let berlin = in_zone("{time:%F/%H%z}", "Europe/Berlin");
    let new_york = in_zone("{time:%F/%H%M%Z}", "America/New_York");
    let cases = [
        // 2024-03-31T00:59:59Z and the second after it.
        (&berlin, 1_711_846_799, "topics/2024-03-31/01+0100"),
        (&berlin, 1_711_846_800, "topics/2024-03-31/03+0200"),
        // 2024-10-27T00:00:00Z, then the hour that comes twice, then the next.
        (&berlin, 1_729_987_200, "topics/2024-10-27/02+0200"),
        (&berlin, 1_729_990_799, "topics/2024-10-27/02+0200"),
        (&berlin, 1_729_990_800, "topics/2024-10-27/02+0100"),
        (&berlin, 1_729_994_400, "topics/2024-10-27/03+0100"),
        // 2024-03-10T07:00:00Z and 2024-11-03T06:00:00Z.
        (&new_york, 1_710_053_999, "topics/2024-03-10/0159EST"),
        (&new_york, 1_710_054_000, "topics/2024-03-10/0300EDT"),
        (&new_york, 1_730_613_599, "topics/2024-11-03/0159EDT"),
        (&new_york, 1_730_613_600, "topics/2024-11-03/0100EST"),
    ];
    let mut cache = RouteCache::default();
    let of = RouteContext { partition: &pin(), opened: Timestamp::from_millis(0) };
    for (layout, second, expected) in cases {
        assert_eq!(path(layout, &at(second)), expected);
        let route = layout.route_with(&of, &at(second), &mut cache).unwrap();
        assert_eq!(route.as_str(), expected);
    }
}

#[test]
fn the_moment_may_be_the_batchs_or_a_fields() {
    let mut layout = layout("{time:%F}", NAME);
    layout.time = TimeSource::Opened;
    assert_eq!(path(&layout, &at(0)), "topics/2023-11-14");
    let berlin = Zone::parse("Europe/Berlin").unwrap();
    layout.time = TimeSource::field("/timestamp", "%Y-%m-%d %H:%M:%S", berlin).unwrap();
    let geo = record(br#"{"timestamp":"2021-08-24 00:30:00"}"#);
    assert_eq!(path(&layout, &geo), "topics/2021-08-23");
}

#[test]
fn a_long_path_is_cut_and_leaves_the_name_whole() {
    let topic = "t".repeat(249);
    let partition = TopicPartition::new(&topic, i32::MAX).unwrap();
    let layout = layout("{topic}/{field:/a}/{field:/b}/{field:/c}/{field:/d}", NAME);
    assert!(layout.check(super::super::TopicCount::Several).is_empty());
    let of = RouteContext { partition: &partition, opened: Timestamp::from_millis(0) };
    let key_of = |last: &str| {
        let long = "😀".repeat(50);
        let value = format!(r#"{{"a":"{long}","b":"{long}","c":"{long}","d":"{last}"}}"#);
        let route = layout.route(&of, &record(value.as_bytes())).unwrap();
        let first = Offset::new(i64::MAX).unwrap();
        layout.object_key(&partition, &route, &ObjectSpan { first, last: None, count: None })
    };
    let key = key_of("x");
    assert!(key.as_str().len() <= 1_024 && key.as_str().len() > 1_000, "{}", key.as_str().len());
    assert!(key.as_str().ends_with(&format!("/{topic}+2147483647+9223372036854775807.json")));
    assert_ne!(key, key_of("y"));
    // What was cut reads as cut, and is no path of its own.
    let path = key.as_str().rsplit_once('/').unwrap().0.to_owned();
    let mut again = path.clone();
    layout.bound(&mut again, RouteKind::Records);
    assert_ne!(again, path);
}

#[test]
fn a_path_is_cut_alike_for_every_topic() {
    let layout = layout("{field:/a}/{field:/a}/{field:/a}/{field:/a}", NAME);
    let value = format!(r#"{{"a":"{}"}}"#, "x".repeat(190));
    let paths = ["t".to_owned(), "t".repeat(249)].map(|topic| {
        let partition = TopicPartition::new(&topic, 0).unwrap();
        let of = RouteContext { partition: &partition, opened: Timestamp::from_millis(0) };
        layout.route(&of, &record(value.as_bytes())).unwrap()
    });
    assert_eq!(paths[0], paths[1]);
    assert_eq!(paths[0].as_str().len(), 1_024 - 1 - (249 + 1 + 10 + 1 + 19 + 5));
}

#[test]
fn a_layout_that_was_never_checked_still_gives_keys() {
    let mut layout = default_layout();
    layout.prefix = "/../\n".repeat(600);
    layout.name = NameTemplate::parse(&format!("{}{{topic}}", "n".repeat(500))).unwrap();
    layout.quarantine_prefix = String::new();
    let partition = TopicPartition::new(&"t".repeat(249), 1).unwrap();
    let span = ObjectSpan { first: Offset::ZERO, last: None, count: None };
    let route = layout.constant_route(&partition).unwrap();
    assert_eq!(layout.object_key(&partition, &route, &span).as_str().len(), 33);
    let route = layout.quarantine_route(&partition);
    assert!(layout.object_key(&partition, &route, &span).as_str().starts_with("ttt"));
}

#[test]
fn a_name_may_show_the_end_of_its_object() {
    let layout = layout("", "{topic}+{partition:2}+{start}-{last:5}x{count:3}");
    let offset = |value| Offset::new(value).unwrap();
    let route = layout.constant_route(&pin()).unwrap();
    let span = ObjectSpan { first: offset(7), last: Some(offset(12)), count: Some(6) };
    assert!(layout.needs_end() && !default_layout().needs_end());
    let key = layout.object_key(&pin(), &route, &span);
    assert_eq!(key.as_str(), "topics/pin+00+7-00012x006.json");
    let at_the_root = Layout { prefix: String::new(), ..layout };
    let route = at_the_root.constant_route(&pin()).unwrap();
    let key = at_the_root.object_key(&pin(), &route, &span);
    assert_eq!(key.as_str(), "pin+00+7-00012x006.json");
}

#[test]
fn equal_paths_share_their_memory_and_the_cache_stays_small() {
    let layout = layout("{key}", NAME);
    let of = RouteContext { partition: &pin(), opened: Timestamp::from_millis(0) };
    let mut cache = RouteCache::default();
    let route = |key: &str, cache: &mut RouteCache| {
        let record = Record { key: Some(key.as_bytes()), ..record(b"") };
        layout.route_with(&of, &record, cache).unwrap()
    };
    let (first, second) = (route("a", &mut cache), route("a", &mut cache));
    assert!(std::ptr::eq(first.as_str(), second.as_str()));
    for index in 0..2_000 {
        route(&index.to_string(), &mut cache);
        assert!(cache.paths.len() <= PATHS_MAX);
    }
    assert_eq!(route("a", &mut cache), first);
}

#[test]
fn one_cache_may_meet_another_zone() {
    let utc = in_zone("{time:%F}", "UTC");
    let tokyo = Layout { zone: Zone::parse("Asia/Tokyo").unwrap(), ..utc.clone() };
    let of = RouteContext { partition: &pin(), opened: Timestamp::from_millis(0) };
    let mut cache = RouteCache::default();
    // 2021-08-24T20:00:00Z.
    let late = at(1_629_835_200);
    for (layout, expected) in
        [(&utc, "topics/2021-08-24"), (&tokyo, "topics/2021-08-25"), (&utc, "topics/2021-08-24")]
    {
        assert_eq!(layout.route_with(&of, &late, &mut cache).unwrap().as_str(), expected);
    }
}

const TIMES: [&str; 6] = [
    "{time:%Y/%m}/{time:%d}",
    "{time:%F %H}",
    "{time:%R}",
    "{time:%s}",
    "{time:%G-W%V}{time:%z}",
    "{time:%Z/%T}",
];
const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Monrovia",
    "Pacific/Apia",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// The reference prints each record on its own, without the cache and its spans of time.
    #[test]
    fn remembering_changes_nothing(
        layouts in prop::collection::vec(
            (prop::sample::select(TIMES.to_vec()), prop::sample::select(ZONES.to_vec())), 1..3,
        ),
        start in prop_oneof![
            -5_000_000_000_000_i64..5_000_000_000_000,
            // Around changes: 2024-03-31, 2024-10-27, 2011-12-30 in Apia, 1893 and 1972.
            prop::sample::select(vec![
                1_711_846_800_000, 1_729_990_800_000, 1_325_239_200_000, -2_422_054_408_000,
                63_593_070_000, 1_728_142_200_000,
            ]),
        ],
        steps in prop::collection::vec((0_usize..3, -4_000_000_i64..4_000_000), 1..60),
    ) {
        let layouts: Vec<Layout> =
            layouts.iter().map(|(template, zone)| in_zone(template, zone)).collect();
        let of = RouteContext { partition: &pin(), opened: Timestamp::from_millis(0) };
        let mut cache = RouteCache::default();
        for (index, step) in steps {
            let layout = &layouts[index % layouts.len()];
            let millis = start + step;
            let record = Record {
                timestamp: Some(Timestamp::from_millis(millis)), ..record(b"")
            };
            let moment = Moment::from_millisecond(millis).unwrap();
            let zoned = moment.to_zoned(layout.zone.rules().clone());
            let mut expected = layout.path.as_str().replace("{time:", "").replace('}', "");
            expected = jiff::fmt::strtime::format(&expected, &zoned).unwrap();
            let found = layout.route_with(&of, &record, &mut cache).unwrap();
            prop_assert_eq!(found.as_str(), format!("topics/{expected}"));
        }
    }
}

#[test]
fn a_key_is_shown_without_what_comes_from_records() {
    let shown = |layout: &Layout, kind: RouteKind| {
        let headers = vec![(b"h".to_vec(), Some(b"SECRET".to_vec()))];
        let value = br#"{"a":"SECRET","t":"2021-08-24 00:00:00"}"#;
        let record = Record { key: Some(b"SECRET"), headers: &headers, ..record(value) };
        let route = match kind {
            RouteKind::Records => route(layout, &record).unwrap(),
            RouteKind::Quarantine => layout.quarantine_route(&pin()),
        };
        let span = ObjectSpan { first: Offset::ZERO, last: None, count: None };
        layout.object_key(&pin(), &route, &span).shown().to_string()
    };
    let name = "pin+0+0000000000.json";
    for (template, path) in [
        ("{topic}/partition={partition}", "pin/partition=0"),
        ("{topic}/{time:%Y}/{partition}", "pin/2021/0"),
        ("{topic}/a={field:/a}", "pin/a=…"),
        ("{header:h}/{topic}", "…"),
        ("{topic}/{key}/{partition}/é", "pin/…"),
        ("{topic}/{time:%Y}/{field:/a}", "pin/…"),
    ] {
        let layout = layout(template, NAME);
        assert_eq!(shown(&layout, RouteKind::Records), format!("topics/{path}/{name}"));
        let quarantine = format!("_quarantine/pin/partition=0/{name}");
        assert_eq!(shown(&layout, RouteKind::Quarantine), quarantine);
    }
    let mut timed = layout("{topic}/{time:%Y}", NAME);
    timed.time = TimeSource::field("/t", "%Y-%m-%d %H:%M:%S", Zone::UTC).unwrap();
    assert_eq!(shown(&timed, RouteKind::Records), format!("topics/pin/…/{name}"));
    // A path that was cut says no more.
    let cut = Layout { prefix: "é".repeat(500), ..layout("{key}", NAME) };
    let shown = shown(&cut, RouteKind::Records);
    assert!(!shown.contains("SECRET") && shown.ends_with(&format!("/{name}")), "{shown}");
}
