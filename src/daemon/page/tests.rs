use std::time::Duration;

use super::super::status::{SeenError, Status, Stopped};
use super::*;
use crate::config::Origin;
use crate::model::ObjectKey;

const WALL: Timestamp = Timestamp::from_millis(1_629_804_231_000);

fn at(seconds: u64) -> Uptime {
    Uptime::new(Duration::from_secs(seconds))
}

fn page(status: &Status, totals: Totals) -> String {
    page_with(Keys::Shown, status, totals)
}

fn page_with(keys: Keys, status: &Status, totals: Totals) -> String {
    let snapshot = status.snapshot((at(90), WALL), 200);
    let wall = WALL;
    let settings = [
        shown("seal.age", "\"5 min\"", Origin::Default),
        shown("layout.prefix", "\"<i>&\"", Origin::File),
    ];
    let settings = settings.as_slice();
    render(&Facts {
        title: "sluice",
        snapshot: &snapshot,
        totals,
        uptime: at(90),
        wall,
        settings,
        keys,
    })
}

fn shown(key: &str, value: &str, origin: Origin) -> Shown {
    Shown { key: key.to_owned(), value: value.to_owned(), origin }
}

/// The page's own script.
const SCRIPT: &str = "<script src=\"/live.js\" defer></script>";

fn partition(topic: &str, index: i32) -> TopicPartition {
    TopicPartition::new(topic, index).expect("a valid name")
}

#[test]
fn a_daemon_without_anything_has_a_whole_page() {
    let page = page(&Status::new(), Totals::default());
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(!page.contains("{{") && page.matches("<script").count() == 1 && page.contains(SCRIPT));
    assert!(page.contains("None is assigned to this process."));
    assert!(page.contains("None since the start."));
    assert!(page.contains("2021-08-24 11:23:51 UTC"));
}

#[test]
fn nothing_from_outside_becomes_html() {
    let status = Status::new();
    let evil = "<script>alert('x')</script>\"&\u{0}{{title}}";
    status.member_is(evil);
    status.store_failed(at(0), evil);
    status.error_seen(SeenError::new(Timestamp::from_millis(0), "data", evil, evil));
    let row = PartitionRow {
        state: "stopped",
        last_key: ObjectKey::new("topics/<b>/'\"&").ok(),
        stopped: Some(Stopped {
            reason: "gap",
            text: evil.into(),
            was_asked_for: false,
            key: None,
        }),
        ..PartitionRow::default()
    };
    status.partitions_are([(partition("pin", 0), row)]);
    let page = page(&status, Totals::default());
    assert!(
        !page.replace(SCRIPT, "").contains("<script")
            && !page.contains("<b>/")
            && !page.contains('\u{0}')
    );
    let safe = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;\u{fffd}{{title}}";
    assert_eq!(page.matches(safe).count(), 5);
}

#[test]
fn a_stopped_partition_says_why_and_the_page_says_so_on_top() {
    let status = Status::new();
    status.assignment_received();
    status.store_answered(Uptime::ZERO);
    assert!(page(&status, Totals::default()).contains("Everything is as it should be."));
    let text: std::sync::Arc<str> = "the plan does not parse: run `sluice recover`".into();
    let row = PartitionRow {
        state: "stopped",
        stopped: Some(Stopped { reason: "foreign_plan", text, was_asked_for: false, key: None }),
        ..PartitionRow::default()
    };
    status.partitions_are([(partition("pin", 3), row)]);
    let page = page(&status, Totals::default());
    assert!(page.contains("1 partition waits for a person, see below"));
    let why = "<span>foreign_plan</span> the plan does not parse: run `sluice recover`";
    assert!(page.contains(why));
    assert!(page.contains("<title>! sluice - Sluice</title>"));
}

#[test]
fn keys_are_shown_whole_or_not_at_all() {
    let whole = "topics/pin/mail=jo@example.org/pin+0+42.json";
    let key = ObjectKey::new(whole).expect("a key").with_private(11..30);
    let text = format!("the object `{}` is there already", key.shown());
    let status = Status::new();
    let row = PartitionRow {
        state: "stopped",
        last_key: Some(key.clone()),
        stopped: Some(Stopped {
            reason: "unknown_object",
            text: text.as_str().into(),
            was_asked_for: false,
            key: Some(key.clone()),
        }),
        ..PartitionRow::default()
    };
    status.partitions_are([(partition("pin", 0), row)]);
    let seen = SeenError::new(Timestamp::from_millis(0), "stopped", &text, "");
    status.error_seen(seen.about(Some(&key)));
    let page = page_with(Keys::Shown, &status, Totals::default());
    assert_eq!((page.matches(whole).count(), page.matches('…').count()), (3, 0));
    let page = page_with(Keys::Hidden, &status, Totals::default());
    assert!(!page.contains("jo@") && !page.contains("pin+0+42"), "{page}");
    assert_eq!(page.matches("the object `hidden` is there already").count(), 2);
}

#[test]
fn rows_are_bounded_and_the_page_says_how_many_are_missing() {
    let status = Status::new();
    status.partitions_are((0..5_000).map(|index| (partition("pin", index), Default::default())));
    let page = page(&status, Totals::default());
    assert_eq!(page.matches("<tbody><tr><td>pin/").count(), 200);
    assert!(page.contains("and 4,800 more that are better off"));
    assert!(page.len() < 200_000, "{} bytes", page.len());
}

#[test]
fn numbers_are_written_for_people() {
    let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
    for (number, text) in cases {
        assert_eq!(grouped(number), text);
    }
    let spans = [(9, "9 s"), (90, "1 min 30 s"), (3_725, "1 h 2 min"), (90_000, "1 d 1 h")];
    for (seconds, text) in spans {
        assert_eq!(span(seconds), text);
    }
    assert_eq!(offset(None), "–");
    let memory =
        Totals { memory_used_bytes: 64 << 20, memory_limit_bytes: 256 << 20, ..Totals::default() };
    let page = page(&Status::new(), memory);
    assert!(
        page.contains("64.0 MiB") && page.contains("of 256.0 MiB") && page.contains("width:25%")
    );
}

#[test]
fn the_configuration_is_shown_with_where_it_comes_from() {
    let page = page(&Status::new(), Totals::default());
    let row =
        "<td>seal.age</td><td class=\"key\">&quot;5 min&quot;</td><td class=\"left\">default</td>";
    assert!(page.contains(row), "{page}");
    assert!(page.contains("&quot;&lt;i&gt;&amp;&quot;") && page.contains(">file</td>"));
}

#[test]
fn the_course_of_the_last_minutes_is_drawn_and_said_in_words() {
    let status = Status::new();
    for (second, total) in [(0, 0), (10, 1_000), (20, 1_000), (30, 51_000)] {
        status.records_written(at(second), total);
    }
    let page = page(&status, Totals::default());
    let words = "Records per second over the last 10 minutes: 5,000 now, 5,000 at most";
    assert!(page.contains(words), "{page}");
    let heights: Vec<_> =
        page.split(" height=\"").skip(1).filter_map(|at| at.split('"').next()).collect();
    assert_eq!(heights, ["1.2", "1.0", "60.0"], "a hundred a second, none, five thousand");
}

#[test]
fn how_long_records_wait_is_said_by_partition_and_topic() {
    let status = Status::new();
    let row = |end: i64, waits_s: i64| PartitionRow {
        committed: Offset::new(5).ok(),
        log_end: Offset::new(end).ok(),
        published_time: Some(Timestamp::from_millis(WALL.millis() - waits_s * 1_000)),
        ..PartitionRow::default()
    };
    let rows = [(partition("pin", 0), row(9, 75)), (partition("pin", 1), row(5, 400))];
    status.partitions_are(rows);
    let page = page(&status, Totals::default());
    let cells = |text: &str| page.matches(&format!("data-name=\"Behind\">{text}<")).count();
    assert_eq!(cells("1 min 15 s"), 2, "the topic and one partition: {page}");
    assert_eq!(cells("0 s"), 1, "the other has nothing that waits: {page}");
    assert!(page.contains("records not yet committed, for 1 min 15 s at most"));
}
