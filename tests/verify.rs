//! `sluice verify` on a real Kafka and a real S3 server: what it finds, and that it finds no more.
//!
//! It owns: buckets that were written by the daemon, by its predecessor, and then by vandals.
//! It does not own: each rule of the comparison (unit tests beside the code).

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use support::daemon::Settings;
use support::kafka::{NewRecord, Options, Outcome};
use support::proxy::s3::{Canned, Operation, on};
use support::s3::Object;
use support::{Daemon, Kafka, kafka, s3, unique};

const SOON: Duration = Duration::from_secs(60);

struct Scene {
    topic: String,
    group: String,
    bucket: String,
    settings: Settings,
}

/// What a run of the command said.
struct Said {
    code: Option<i32>,
    document: Value,
    stderr: String,
}

impl Scene {
    fn new(name: &str, partitions: usize) -> Self {
        let (topic, group, bucket) = (unique(name), unique("group"), s3().bucket(name));
        kafka().create_topic(&topic, partitions);
        let settings = Settings::between(kafka(), s3(), &group, &bucket)
            .topics(&[&topic])
            .set("seal.age", "\"1 h\"")
            .set("kafka.properties.\"session.timeout.ms\"", "6000");
        Self { topic, group, bucket, settings }
    }

    #[must_use]
    fn set(mut self, key: &str, value: &str) -> Self {
        self.settings = self.settings.set(key, value);
        self
    }

    fn produce(&self, records: &[NewRecord]) {
        kafka().produce(&self.topic, records);
    }

    #[track_caller]
    fn until_written(&self, daemon: &Daemon) {
        let lag = || (kafka().lag(&self.group, &self.topic) == 0).then_some(());
        daemon.wait_until("a lag of 0", SOON, lag);
    }

    fn verify(&self, arguments: &[&str]) -> Said {
        said(&self.settings, arguments)
    }

    /// Runs it and expects that all agrees.
    #[track_caller]
    fn agrees(&self, arguments: &[&str]) -> Said {
        let said = self.verify(arguments);
        assert_eq!(said.code, Some(0), "{:#}{}", said.document, said.stderr);
        said
    }

    /// Keys of data, in order.
    fn keys(&self) -> Vec<String> {
        let keys = s3().list(&self.bucket, "").into_iter();
        keys.filter(|key| !key.starts_with("_sluice/")).collect()
    }

    fn find(&self, key: &str) -> Object {
        s3().find(&self.bucket, key).unwrap()
    }

    /// Writes an object with what it says of itself, as nobody should.
    fn overwrite(&self, key: &str, object: &Object, body: &[u8]) {
        let metadata = object.metadata.clone().into_iter().collect();
        let put = s3().client().put_object().bucket(&self.bucket).key(key);
        let put = put.set_metadata(Some(metadata)).body(ByteStream::from(body.to_vec()));
        support::runtime().block_on(put.send()).unwrap();
    }
}

fn said(settings: &Settings, arguments: &[&str]) -> Said {
    let output = settings.command("verify", &[arguments, &["--json"]].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no document ({error}): {stderr}"));
    Said { code: output.status.code(), document, stderr }
}

impl Said {
    /// Kind and key of each finding.
    fn found(&self) -> BTreeMap<String, String> {
        let findings = self.document["findings"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        findings.map(|finding| (text(&finding["key"]), text(&finding["kind"]))).collect()
    }

    fn finding(&self, key: &str) -> &Value {
        let findings = self.document["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["key"] == key);
        found.unwrap_or_else(|| panic!("nothing of `{key}`: {:#}", self.document))
    }

    fn sum(&self, name: &str) -> u64 {
        let partitions = self.document["partitions"].as_array().unwrap();
        partitions.iter().map(|partition| partition[name].as_u64().unwrap()).sum()
    }
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, kind)| (key.to_owned(), kind.to_owned())).into()
}

/// `{"n":7,"kind":"b"}`, a quarter of them each kind.
fn posts(numbers: std::ops::Range<i32>) -> Vec<NewRecord> {
    let post = |n: i32| {
        let kind = ["a", "b", "c", "d"][(n / 2) as usize % 4];
        NewRecord::of(json!({"n": n, "kind": kind}).to_string()).on_partition(n % 2)
    };
    numbers.map(post).collect()
}

/// 0.8 MB: seven of them do not fit in a part of 5 MiB.
fn large(n: usize) -> NewRecord {
    let text = (n % 10).to_string().repeat(800_000);
    NewRecord::of(json!({ "n": n, "text": text }).to_string())
}

/// Several routes, bad records and tombstones, compression, an aborted transaction and a kill.
#[test]
fn each_of_four_faults_is_named_and_nothing_else() {
    let scene = Scene::new("vandals", 2)
        .set("layout.path", "\"{topic}/kind={field:/kind}/partition={partition}\"")
        .set("layout.compression", "\"gzip\"")
        .set("seal.records", "40");
    scene.produce(&posts(0..200));
    scene.produce(&[NewRecord::of("no json"), NewRecord::tombstone("gone")]);
    kafka().produce_in_transaction(&scene.topic, &posts(900..910), Outcome::Abort);
    let daemon = scene.settings.start();
    daemon.wait_until("some objects", SOON, || (scene.keys().len() > 8).then_some(()));
    daemon.kill_9();
    scene.produce(&posts(200..300));
    let daemon = scene.settings.start();
    daemon.wait_until("all records", SOON, || {
        (kafka().lag(&scene.group, &scene.topic) < 90).then_some(())
    });
    let while_it_runs = scene.agrees(&["--deep"]);
    assert!(while_it_runs.sum("records") > 0);
    daemon.stop_cleanly();
    assert_eq!(kafka().lag(&scene.group, &scene.topic), 0);
    let all = scene.agrees(&["--deep"]);
    assert_eq!(all.sum("records"), 301, "{:#}", all.document);
    assert_eq!(all.sum("objects"), scene.keys().len() as u64);
    assert_eq!(scene.agrees(&[]).sum("records"), 301);

    let keys = scene.keys();
    let of = |kind: &str| {
        let is_it = |key: &&String| key.contains(&format!("kind={kind}/partition=0"));
        keys.iter().filter(is_it).nth(1).unwrap().as_str()
    };
    let (deleted, copied, cut, changed) = (of("a"), of("b"), of("c"), of("d"));
    s3().delete(&scene.bucket, deleted);
    let copy = copied.replace("kind=b", "kind=copy");
    scene.overwrite(&copy, &scene.find(copied), &scene.find(copied).body);
    let object = scene.find(cut);
    scene.overwrite(cut, &object, &object.body[..object.body.len() - 9]);
    let mut object = scene.find(changed);
    let middle = object.body.len() / 2;
    object.body[middle] ^= 1;
    scene.overwrite(changed, &object, &object.body);
    let said = scene.verify(&["--deep"]);
    assert_eq!(said.code, Some(1), "{:#}", said.document);
    let mut found = said.found();
    let kind = found.insert(changed.to_owned(), "damaged".to_owned()).unwrap_or_default();
    assert!(["damaged", "differs"].contains(&kind.as_str()), "{:#}", said.document);
    let expected = [
        (deleted, "missing_object"),
        (copy.as_str(), "copy"),
        (cut, "damaged"),
        (changed, "damaged"),
    ];
    assert_eq!(found, pairs(expected), "{:#}", said.document);
    // What objects say of themselves shows two of the four.
    let said = scene.verify(&[]);
    let expected = [(deleted, "missing_object"), (copy.as_str(), "copy")];
    assert_eq!(said.found(), pairs(expected), "{:#}", said.document);
}

/// The full set's bucket: one batch of 20,000 objects, each with a path of its own.
#[test]
fn twenty_thousand_objects_are_compared() {
    if !support::full_set("twenty_thousand_objects_are_compared") {
        return;
    }
    let scene = Scene::new("many", 1).set("layout.path", "\"{topic}/{field:/n}/{partition}\"");
    let record = |n: i32| NewRecord::of(json!({"n": n}).to_string());
    scene.produce(&(0..20_000).map(record).collect::<Vec<_>>());
    let daemon = scene.settings.start();
    daemon.wait_until("the records", SOON, || {
        (daemon.metric("sluice_read_records_total", &[]) >= 20_000.0).then_some(())
    });
    daemon.signal(support::process::Signal::SealNow);
    daemon.wait_until("a lag of 0", 5 * SOON, || {
        (kafka().lag(&scene.group, &scene.topic) == 0).then_some(())
    });
    daemon.stop_cleanly();
    assert_eq!(scene.agrees(&["--deep"]).sum("objects"), 20_000);
    let key = format!("topics/{0}/777/0/{0}+0+0000000777.json", scene.topic);
    s3().delete(&scene.bucket, &key);
    assert_eq!(scene.verify(&[]).found(), pairs([(&key, "missing_object")]));
}

/// The full set's own broker: the shared one never cleans a log.
#[test]
fn compaction_is_no_fault() {
    if !support::full_set("compaction_is_no_fault") {
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
    support::wait::until("compaction", SOON, || {
        // Each new record may close a segment, and only closed ones are cleaned.
        own.produce(&topic, &[NewRecord::of("0").with_key("new")]);
        (own.read_topic(&topic).iter().filter(|record| record.offset < 20).count() < 20)
            .then_some(())
    });
    let said = said(&settings, &["--deep"]);
    assert_eq!((said.code, said.found()), (Some(0), pairs([("", "dropped")])));
    assert_eq!(said.sum("records"), 20, "by what the objects say");
}

/// A path by the moment at which a batch was opened, which only its plan says: here there is none.
#[test]
fn batches_without_a_plan_are_compared_wherever_they_lie() {
    let scene = Scene::new("opened", 1)
        .set("s3.part_size", "\"5 MiB\"")
        .set("layout.path", "\"{topic}/{time:%Y-%m-%d-%H}/{partition}\"")
        .set("layout.time", "\"opened\"")
        .set("seal.records", "7");
    scene.produce(&(0..14).map(large).collect::<Vec<_>>());
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    assert_eq!(scene.agrees(&[]).sum("records"), 14);
    let keys = scene.keys();
    let object = scene.find(&keys[0]);
    assert!(!object.metadata.contains_key("sluice-plan"));
    scene.overwrite(&keys[0], &object, &object.body[..object.body.len() - 3]);
    let said = scene.verify(&[]);
    assert_eq!(said.found(), pairs([(&keys[0], "damaged")]), "{:#}", said.document);
    let what = "it ends inside the line behind line 6 of 7: the records from offset 6 to 6 are \
        not in it";
    assert_eq!(said.finding(&keys[0])["what"], what);
}

/// Objects that went up in parts say neither their count nor their plan.
#[test]
fn objects_written_in_parts_are_compared_with_kafka() {
    let scene = Scene::new("parts", 1).set("s3.part_size", "\"5 MiB\"").set("seal.records", "7");
    scene.produce(&(0..28).map(large).collect::<Vec<_>>());
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    assert_eq!(scene.agrees(&[]).sum("records"), 28);
    let keys = scene.keys();
    assert_eq!(keys.len(), 4);
    assert!(!scene.find(&keys[0]).metadata.contains_key("sluice-count"));
    let mut object = scene.find(&keys[0]);
    let second = object.body.iter().position(|byte| *byte == b'\n').unwrap() + 100;
    object.body[second] = b'x';
    scene.overwrite(&keys[0], &object, &object.body);
    s3().delete(&scene.bucket, &keys[2]);
    let said = scene.verify(&[]);
    assert_eq!(said.code, Some(1));
    let expected = pairs([(&keys[0], "differs"), (&keys[1], "missing_records")]);
    assert_eq!(said.found(), expected, "{:#}", said.document);
    let differs = said.finding(&keys[0]);
    assert_eq!(differs["what"], "line 2 is not the record at offset 1");
    let missing = said.finding(&keys[1]);
    assert_eq!((&missing["start"], &missing["end"]), (&json!(14), &json!(21)));
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
        (&key(15), "wrong_count"),
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
    let folder = support::scratch::folder("resume");
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
