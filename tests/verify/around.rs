//! What is around the daemon's objects: its predecessor's, strangers, Kafka's retention, services
//! that go away, a daemon that goes on writing.

use std::ops::ControlFlow;

use serde_json::json;
use sluice::kafka::login::Login;
use sluice::kafka::{ConsumerOptions, Protocol, RangeReader, ReadError};
use sluice::model::{GroupId, Offset, OffsetRange, TopicPartition};

use super::support::daemon::Settings;
use super::support::kafka::topics::numbered;
use super::support::kafka::{NewRecord, Options};
use super::support::proxy::s3::{Canned, Operation, on};
use super::support::{Kafka, full_set, kafka, s3, scratch, unique, wait};
use super::{SOON, Scene, pairs, said};

/// The full set's own broker: the shared one never cleans a log.
#[test]
fn compaction_is_no_fault() {
    if !full_set("compaction_is_no_fault") {
        return;
    }
    let properties = vec![
        ("log.cleaner.enable", "true".to_owned()),
        ("log.cleaner.backoff.ms", "100".to_owned()),
    ];
    let own = Kafka::start(Options { properties, ..Options::default() });
    let (topic, bucket) = (unique("compacted"), s3().bucket("compacted"));
    let compact = [("cleanup.policy", "compact"), ("segment.ms", "50")];
    own.create_topic_with(&topic, 1, &[compact[0], compact[1], ("min.cleanable.dirty.ratio", "0")]);
    let keyed = |n: i32| NewRecord::of(json!({"n": n}).to_string()).with_key(format!("{}", n % 3));
    own.produce(&topic, &(0..20).map(keyed).collect::<Vec<_>>());
    let settings = Settings::between(&own, s3(), "group", &bucket).topics(&[&topic]);
    let settings = settings.set("seal.records", "10");
    let daemon = settings.start();
    daemon.wait_until("a lag of 0", SOON, || (own.lag("group", &topic) == 0).then_some(()));
    daemon.stop_cleanly();
    assert_eq!(said(&settings, &["--deep"]).found(), pairs([]));
    wait::until("compaction", SOON, || {
        // Each new record may close a segment, and only closed ones are cleaned.
        own.produce(&topic, &[NewRecord::of("0").with_key("new")]);
        (own.read_topic(&topic).iter().filter(|record| record.offset < 20).count() < 20)
            .then_some(())
    });
    let said = said(&settings, &["--deep"]);
    assert_eq!((said.code, said.found()), (Some(0), pairs([("", "dropped")])));
    assert_eq!(said.sum("records"), 20, "by what the objects say");
}

/// The predecessor's objects, then ours, strangers between them, and one that may not be read.
#[test]
fn the_predecessors_objects_and_strangers_are_told_apart() {
    let scene = Scene::new("before", 1).set("seal.records", "10");
    let record = |n: i32| NewRecord::of(json!({"n": n}).to_string());
    scene.produce(&(0..30).map(record).collect::<Vec<_>>());
    let key = |start: i64| format!("topics/{0}/partition=0/{0}+0+{start:010}.json", scene.topic);
    let line = |n: i32| format!("{}\n", json!({"n": n}));
    for start in [0, 15] {
        let lines: String = (start..start + 15).map(line).collect();
        s3().put(&scene.bucket, &key(i64::from(start)), lines.as_bytes());
    }
    kafka().commit_as_stranger(&scene.group, &scene.topic, 0, (30, ""));
    assert_eq!(scene.agrees(&["--deep"]).sum("records"), 30, "before Sluice");
    let daemon = scene.settings.start();
    scene.produce(&(30..60).map(record).collect::<Vec<_>>());
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    assert_eq!(scene.agrees(&["--deep"]).sum("records"), 60);

    let short: String = (15..29).map(line).collect();
    s3().put(&scene.bucket, &key(15), short.as_bytes());
    s3().put(&scene.bucket, "topics/_SUCCESS", b"");
    let other = scene.find(&key(40));
    let mut stolen = other.clone();
    stolen.metadata.insert("sluice-group".to_owned(), "another".to_owned());
    scene.overwrite("topics/stolen.json", &stolen, &other.body);
    stolen.metadata.insert("sluice-batch".to_owned(), "?".to_owned());
    scene.overwrite("topics/torn.json", &stolen, &other.body);
    s3().delete(&scene.bucket, &key(50));
    let proxy = s3().proxy();
    let endpoint = format!("{:?}", proxy.endpoint());
    let settings = scene.settings.clone().set("s3.endpoint", &endpoint);
    let denied = Canned::error(403, "AccessDenied");
    proxy.answer(on(Operation::HeadObject).key(&key(30)).always(), denied);
    let said = said(&settings, &[]);
    assert_eq!(said.code, Some(1));
    let expected = pairs([
        (&key(15), "missing_records"),
        ("topics/_SUCCESS", "not_ours"),
        ("topics/stolen.json", "other_group"),
        ("topics/torn.json", "bad_metadata"),
        (&key(30), "unreadable"),
        (&key(50), "missing_records"),
    ]);
    assert_eq!(said.found(), expected, "{:#}", said.document);
}

/// Retention is no fault, and what objects say of themselves is compared all the same.
#[test]
fn dropped_records_are_told_and_their_objects_still_read() {
    let scene =
        Scene::new("dropped", 1).set("seal.records", "10").set("layout.compression", "\"gzip\"");
    let record = |n: i32| NewRecord::of(json!({"n": n}).to_string());
    scene.produce(&(0..40).map(record).collect::<Vec<_>>());
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    kafka().delete_records(&scene.topic, 0, 25);
    let said = scene.agrees(&["--deep"]);
    assert_eq!(said.found(), pairs([("", "dropped")]), "{:#}", said.document);
    assert_eq!((said.sum("records"), said.sum("dropped")), (40, 30));
    let keys = scene.keys();
    let object = scene.find(&keys[1]);
    scene.overwrite(&keys[1], &object, &object.body[..object.body.len() - 4]);
    let said = scene.verify(&["--deep"]);
    assert_eq!(said.code, Some(1));
    let expected = pairs([("", "dropped"), (&keys[1], "damaged")]);
    assert_eq!(said.found(), expected, "{:#}", said.document);
}

/// Retention goes on while the command runs, for hours: it is told, and the next range is read.
#[test]
fn a_range_that_was_dropped_meanwhile_is_told_at_once() {
    let scene = Scene::new("meanwhile", 1);
    scene.produce(&numbered(0..100, 1));
    let options = ConsumerOptions {
        group: GroupId::new(&scene.group).unwrap(),
        protocol: Protocol::Classic,
        client_name: "tests".to_owned(),
        properties: [("bootstrap.servers".to_owned(), kafka().bootstrap())].into(),
        login: Login::default(),
        prefetch_bytes: 1 << 20,
    };
    let mut reader = RangeReader::new(&options);
    let partition = TopicPartition::new(&scene.topic, 0).unwrap();
    let at = |offset| Offset::new(offset).unwrap();
    let mut count = |start, end| {
        let mut count = 0;
        let range = OffsetRange::new(at(start), at(end)).unwrap();
        let read = reader.read(&partition, range, |_| {
            count += 1;
            ControlFlow::Continue(())
        });
        read.map(|()| count)
    };
    assert_eq!(count(0, 10), Ok(10));
    kafka().delete_records(&scene.topic, 0, 50);
    assert_eq!(count(2, 5), Err(ReadError::OutOfRange(at(2))));
    assert_eq!(count(60, 75), Ok(15));
}

/// S3 goes away in the middle; the second run reads only what the first has not.
#[test]
fn a_run_that_was_cut_short_goes_on() {
    let scene = Scene::new("resumed", 1).set("seal.records", "10");
    let record = |n: i32| NewRecord::of(json!({"n": n}).to_string());
    scene.produce(&(0..40).map(record).collect::<Vec<_>>());
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    let keys = scene.keys();
    let object = scene.find(&keys[0]);
    scene.overwrite(&keys[0], &object, &object.body[1..]);
    let folder = scratch::folder("resume");
    let file = folder.path().join("state");
    let arguments = ["--deep", "--resume", file.to_str().unwrap()];
    let proxy = s3().proxy();
    let endpoint = format!("{:?}", proxy.endpoint());
    let settings = scene.settings.clone().set("s3.endpoint", &endpoint);
    let away = Canned::error(503, "ServiceUnavailable");
    proxy.answer(on(Operation::GetObject).key(&keys[2]).always(), away);
    let first = said(&settings, &arguments);
    assert_eq!(first.code, Some(69), "{:#}", first.document);
    proxy.clear();
    let before = proxy.seen().len();
    let second = said(&settings, &arguments);
    assert_eq!(second.code, Some(1), "{:#}", second.document);
    assert_eq!(second.found(), pairs([(&keys[0], "differs")]), "found by the first run");
    assert_eq!((second.sum("records"), second.sum("objects")), (40, 4));
    let read = proxy.seen().into_iter().skip(before);
    let read = read.filter(|seen| seen.operation == Operation::GetObject);
    let read: Vec<_> = read.map(|seen| seen.key.clone()).collect();
    let data: Vec<_> = read.iter().filter(|key| key.starts_with("topics/")).collect();
    assert_eq!(data, [&keys[2], &keys[3]]);
    let other = said(&scene.settings, &["--resume", file.to_str().unwrap()]);
    assert_eq!(other.code, Some(78), "it was written with `--deep`");
}

#[test]
fn people_read_lines_and_services_that_are_away_are_69() {
    let scene = Scene::new("lines", 1);
    scene.produce(&[NewRecord::of("1"), NewRecord::of("2")]);
    let daemon = scene.settings.start();
    daemon.wait_until("the records", SOON, || {
        (daemon.metric("sluice_read_records_total", &[]) >= 2.0).then_some(())
    });
    daemon.stop_cleanly();
    let output = scene.settings.command("verify", &["--deep"]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let topic = &scene.topic;
    let expected = format!(
        "ok    partition        {topic}/0 [0, 2): 2 records in 1 objects of 1 batches, 0 findings\n\
         bucket and topics agree: 2 records in 1 objects of 1 partitions\n"
    );
    assert_eq!(stdout, expected);
    let next = Settings::between(kafka(), s3(), &scene.group, &scene.bucket).topics(&[topic]);
    let next = next.set("kafka.protocol", "\"consumer\"");
    assert_eq!(said(&next, &["--deep"]).code, Some(0), "under KIP-848 too");
    let key = format!("topics/{topic}/partition=0/{topic}+0+0000000000.json");
    s3().delete(&scene.bucket, &key);
    let output = scene.settings.command("verify", &[]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let expected = format!(
        "FAIL  missing_records  {topic}/0 [0, 2) `{key}`: 2 records lie in no object; the one \
         that begins with the first of them would be called so now: they were committed as \
         written, and an object was deleted or moved: look for it in the bucket's versions or a \
         backup; if a former layout wrote it elsewhere, add `--prefix`\n\
         FAIL  partition        {topic}/0 [0, 2): 0 records in 0 objects of 0 batches, 1 findings\n\
         bucket and topics do not agree: 1 finding; 0 records in 0 objects of 1 partitions\n"
    );
    assert_eq!((stdout, output.status.code()), (expected, Some(1)));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = scene.settings.clone().set("s3.endpoint", &format!("\"http://{port}\""));
    assert_eq!(said(&nobody, &[]).code, Some(69));
    let unknown = said(&scene.settings, &["--topic", "unknown"]);
    assert_eq!((unknown.code, unknown.found()), (Some(1), pairs([("", "topic")])));
}

/// Commits, plans and objects change all the time; what lies behind the commits is left out.
#[test]
fn what_a_running_daemon_writes_is_never_a_finding() {
    let scene = Scene::new("running", 2).set("seal.age", "\"100 ms\"");
    let daemon = scene.settings.start();
    let record = |n: i32| NewRecord::of(json!({"n": n}).to_string()).on_partition(n % 2);
    let mut last = 0;
    for round in 0..3 {
        std::thread::scope(|scope| {
            let producing = scope.spawn(|| {
                for n in 0..40 {
                    scene.produce(&[record(round * 40 + n)]);
                }
            });
            let records = scene.agrees(&["--deep"]).sum("records");
            assert!(records >= last, "{records} after {last}");
            last = records;
            producing.join().unwrap();
        });
    }
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    assert_eq!(scene.agrees(&["--deep"]).sum("records"), 120);
    kafka().delete_group(&scene.group);
    let said = scene.verify(&[]);
    assert_eq!((said.code, said.found()), (Some(1), pairs([("", "commit")])));
}
