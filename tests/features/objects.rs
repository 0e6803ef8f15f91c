//! Keys and bytes of the objects, and who can read them.

use serde_json::json;

use super::support::kafka::NewRecord;
use super::support::process::Signal;
use super::support::readers::{self, Reader};
use super::support::s3;
use super::{Scene, expected};

#[test]
fn the_default_layout_is_written_byte_for_byte() {
    let scene = Scene::new("default", 2);
    let daemon = scene.settings.start();
    scene.produce(&[
        NewRecord::of(r#"{"b": 1,  "a":"ü"}"#),
        NewRecord::of("[]").on_partition(1),
        NewRecord::of("1.50"),
        NewRecord::of("\"line\\n\""),
    ]);
    scene.until_read(&daemon, 4);
    daemon.signal(Signal::SealNow);
    scene.until_written(&daemon);
    scene.produce(&[NewRecord::of("true"), NewRecord::of("{\n \"split\": 1\n}")]);
    scene.until_read(&daemon, 6);
    daemon.stop_cleanly();
    let topic = &scene.topic;
    let key = |partition: i32, start: i64| {
        format!("topics/{topic}/partition={partition}/{topic}+{partition}+{start:010}.json")
    };
    let objects = expected([
        (key(0, 0), "{\"b\": 1,  \"a\":\"ü\"}\n1.50\n\"line\\n\"\n"),
        (key(0, 3), "true\n{  \"split\": 1 }\n"),
        (key(1, 0), "[]\n"),
    ]);
    assert_eq!(scene.texts(), objects);
    let object = s3().find(&scene.bucket, &key(0, 0)).unwrap();
    assert_eq!(object.content_type.as_deref(), Some("application/x-ndjson"));
    assert_eq!(scene.lag(), 0);
}

/// One batch, four objects: two categories, two days, and one without a category.
#[test]
fn routes_by_field_and_time_make_an_object_each() {
    let scene = Scene::new("routes", 1).set(
        "layout.path",
        "\"{topic}/category={field:/category}/day={time:%Y-%m-%d}/partition={partition}\"",
    );
    // 2026-03-01T23:59:59Z and a second later.
    let (before, after) = (1_772_409_599_000, 1_772_409_600_000);
    scene.produce(&[
        NewRecord::of(r#"{"category":"art","n":0}"#).at_ms(before),
        NewRecord::of(r#"{"category":"a/b=c","n":1}"#).at_ms(before),
        NewRecord::of(r#"{"category":"art","n":2}"#).at_ms(after),
        NewRecord::of(r#"{"n":3}"#).at_ms(before),
        NewRecord::of(r#"{"category":"art","n":4}"#).at_ms(before),
    ]);
    let daemon = scene.settings.start();
    scene.until_read(&daemon, 5);
    daemon.stop_cleanly();
    let topic = &scene.topic;
    let key = |category: &str, day: &str, start: i64| {
        format!(
            "topics/{topic}/category={category}/day={day}/partition=0/{topic}+0+{start:010}.json"
        )
    };
    let objects = expected([
        (
            key("art", "2026-03-01", 0),
            "{\"category\":\"art\",\"n\":0}\n{\"category\":\"art\",\"n\":4}\n",
        ),
        (key("a%2Fb%3Dc", "2026-03-01", 1), "{\"category\":\"a/b=c\",\"n\":1}\n"),
        (key("art", "2026-03-02", 2), "{\"category\":\"art\",\"n\":2}\n"),
        (key("__HIVE_DEFAULT_PARTITION__", "2026-03-01", 3), "{\"n\":3}\n"),
    ]);
    assert_eq!(scene.texts(), objects);
    assert_eq!(scene.lag(), 0);
}

/// Each in the two objects that two seals make.
#[test]
fn compressed_objects_are_read_by_pyarrow_and_polars() {
    for (compression, extension, content_type) in [
        ("none", "json", "application/x-ndjson"),
        ("gzip", "json.gz", "application/gzip"),
        ("zstd", "json.zst", "application/zstd"),
    ] {
        let scene = Scene::new("readers", 1).set("layout.compression", &format!("{compression:?}"));
        let daemon = scene.settings.start();
        let row = |n: i32| NewRecord::of(json!({"n": n, "text": "x".repeat(100)}).to_string());
        scene.produce(&(0..50).map(row).collect::<Vec<_>>());
        scene.until_read(&daemon, 50);
        daemon.signal(Signal::SealNow);
        scene.until_written(&daemon);
        scene.produce(&(50..60).map(row).collect::<Vec<_>>());
        scene.until_read(&daemon, 60);
        daemon.stop_cleanly();
        scene.check_default_layout();
        let key = |start: i64| {
            format!("topics/{0}/partition=0/{0}+0+{start:010}.{extension}", scene.topic)
        };
        let object = s3().find(&scene.bucket, &key(0)).unwrap();
        assert_eq!(object.content_type.as_deref(), Some(content_type));
        for reader in [Reader::Pyarrow, Reader::Polars] {
            let read = readers::read(reader, s3(), &scene.bucket, "topics");
            assert_eq!(read.keys().collect::<Vec<_>>(), [&key(0), &key(50)], "{reader:?}");
            let numbers: Vec<i64> =
                read.values().flatten().map(|row| row["n"].as_i64().unwrap()).collect();
            assert_eq!(numbers, (0..60).collect::<Vec<i64>>(), "{reader:?} {compression}");
        }
    }
}

#[test]
fn the_raw_format_writes_any_bytes_and_its_separator() {
    let scene = Scene::new("raw", 1)
        .set("layout.format", "\"raw\"")
        .set("layout.separator", "\"|\\n\"")
        .set("layout.compression", "\"gzip\"");
    scene.produce(&[
        NewRecord::of(b"\xff\x00\n".to_vec()),
        NewRecord::of(""),
        NewRecord::tombstone("gone"),
        NewRecord::of("text"),
    ]);
    let daemon = scene.settings.start();
    scene.until_read(&daemon, 4);
    daemon.stop_cleanly();
    let objects = scene.objects();
    let key = format!("topics/{0}/partition=0/{0}+0+0000000000.bin.gz", scene.topic);
    assert_eq!(objects.keys().collect::<Vec<_>>(), [&key]);
    let bytes = super::verify::unpack(&key, &objects[&key]);
    assert_eq!(bytes, b"\xff\x00\n|\n|\ntext|\n");
    assert_eq!(scene.lag(), 0);
}

/// Names with what is known only at the end, together with routes.
#[test]
fn names_may_say_last_offset_and_count() {
    let scene = Scene::new("named", 1)
        .set("layout.path", "\"{topic}/{header:kind}/{partition}\"")
        .set("layout.name", "\"{start:03}-{last:03}-{count}\"");
    let of = |n: i32, kind: &str| NewRecord::of(n.to_string()).with_header("kind", kind.as_bytes());
    scene.produce(&[of(0, "a"), of(1, "b"), of(2, "a"), of(3, "a"), of(4, "b")]);
    let daemon = scene.settings.start();
    scene.until_read(&daemon, 5);
    daemon.stop_cleanly();
    let topic = &scene.topic;
    let objects = expected([
        (format!("topics/{topic}/a/0/000-003-3.json"), "0\n2\n3\n"),
        (format!("topics/{topic}/b/0/001-004-2.json"), "1\n4\n"),
    ]);
    assert_eq!(scene.texts(), objects);
}
