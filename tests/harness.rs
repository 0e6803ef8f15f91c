//! The harness itself: are the servers what the other tests believe them to be?

// The one line that a child says to its parent; functions beside the tests unwrap too.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::json;
use support::install::KafkaRelease;
use support::kafka::topics::numbered;
use support::kafka::{NewRecord, Options, Outcome};
use support::readers::{self, Reader};
use support::{Kafka, S3Server, full_set, kafka, s3, unique, verify, wait};

/// `.ci/run` calls this one first, so that fetching the servers has minutes of its own.
#[test]
fn servers_are_installed_and_answer() {
    assert_eq!(kafka().partitions("__no_such_topic"), 0);
    s3().bucket("installed");
    let mut python = Command::new(support::install::python());
    assert!(python.args(["-c", "import polars, pyarrow"]).status().unwrap().success());
    let mut python = Command::new(support::install::python_clients());
    assert!(python.args(["-c", "import confluent_kafka, pyarrow"]).status().unwrap().success());
}

/// The same for what only the full set needs.
#[test]
fn servers_of_the_full_set_are_installed() {
    if !full_set("servers_of_the_full_set_are_installed") {
        return;
    }
    support::install::kafka(KafkaRelease::V3_9);
    support::install::full::minio();
    support::install::full::duckdb();
    support::install::full::spark();
}

/// Servers in statics are never dropped: they go because the kernel kills them with this process.
/// The child of this test runs another test of this binary and is killed in the middle of it.
#[test]
fn servers_do_not_outlive_a_killed_test_binary() {
    const CHILD: &str = "SLUICE_TESTS_KILLED_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let server = S3Server::start();
        println!("\nserver {}", server.process_id());
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--nocapture", "--exact", "servers_do_not_outlive_a_killed_test_binary"]);
    let mut child = command.env(CHILD, "1").stdout(Stdio::piped()).spawn().unwrap();
    // Kept until the end: a child whose output nobody reads dies of that.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let server = lines
        .by_ref()
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("server ").map(|id| format!("/proc/{id}/exe")))
        .unwrap();
    let ran = Path::new(&server).exists();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(ran);
    wait::until("the server's end", Duration::from_secs(10), || {
        (!Path::new(&server).exists()).then_some(())
    });
}

#[test]
fn records_come_back_as_they_were_produced() {
    let topic = unique("records");
    kafka().create_topic(&topic, 2);
    let first = NewRecord::of("one").with_key("k").at_ms(1_000).with_header("h", b"v");
    let placed = kafka().produce(
        &topic,
        &[first, NewRecord::tombstone("gone").on_partition(1), NewRecord::of("two")],
    );
    assert_eq!(placed, [(0, 0), (1, 0), (0, 1)]);
    let read = kafka().read_topic(&topic);
    assert_eq!(read.len(), 3);
    assert_eq!(read[0].value.as_deref(), Some(b"one".as_slice()));
    assert_eq!(read[0].key.as_deref(), Some(b"k".as_slice()));
    assert_eq!(read[0].timestamp_ms, Some(1_000));
    assert_eq!(read[0].headers, [("h".to_owned(), Some(b"v".to_vec()))]);
    assert_eq!((read[2].partition, read[2].value.as_deref()), (1, None));
}

#[test]
fn aborted_records_take_offsets_and_are_not_read() {
    let topic = unique("transactions");
    kafka().create_topic(&topic, 1);
    kafka().produce_in_transaction(&topic, &numbered(0..3, 1), Outcome::Abort);
    let placed = kafka().produce_in_transaction(&topic, &numbered(3..5, 1), Outcome::Commit);
    // Three aborted records and the marker of the abort come before.
    assert_eq!(placed, [(0, 4), (0, 5)]);
    let offsets: Vec<i64> = kafka().read_topic(&topic).iter().map(|read| read.offset).collect();
    assert_eq!(offsets, [4, 5]);
    assert_eq!(kafka().end_offsets(&topic), [7]);
}

#[test]
fn commits_keep_their_metadata_and_lag_counts_from_them() {
    let (topic, group) = (unique("commits"), unique("group"));
    kafka().create_topic(&topic, 2);
    kafka().produce(&topic, &numbered(0..10, 2));
    assert_eq!(kafka().lag(&group, &topic), 10);
    kafka().commit_as_stranger(&group, &topic, 1, (3, "a plan"));
    let committed = kafka().committed(&group, &topic);
    assert_eq!(committed[0].offset, None);
    assert_eq!((committed[1].offset, committed[1].metadata.as_str()), (Some(3), "a plan"));
    assert_eq!(kafka().lag(&group, &topic), 7);
    kafka().delete_group(&group);
    assert_eq!(kafka().committed(&group, &topic)[1].offset, None);
}

#[test]
fn topics_grow_and_go_and_come_back_empty() {
    let topic = unique("growing");
    kafka().create_topic(&topic, 1);
    kafka().produce(&topic, &numbered(0..5, 1));
    kafka().add_partitions(&topic, 3);
    assert_eq!(kafka().end_offsets(&topic), [5, 0, 0]);
    kafka().delete_records(&topic, 0, 2);
    assert_eq!(kafka().read_topic(&topic).len(), 3);
    kafka().delete_topic(&topic);
    kafka().create_topic(&topic, 1);
    assert_eq!(kafka().end_offsets(&topic), [0]);
}

#[test]
fn objects_are_put_listed_and_read() {
    let bucket = s3().bucket("objects");
    s3().put(&bucket, "a/b+1.json", b"one\n");
    s3().put(&bucket, "a/c.json", b"two\n");
    s3().put(&bucket, "d", b"");
    assert_eq!(s3().list(&bucket, "a/"), ["a/b+1.json", "a/c.json"]);
    assert_eq!(s3().get(&bucket, "a/b+1.json"), b"one\n");
    assert_eq!(s3().find(&bucket, "a/none"), None);
    assert!(s3().folder(&bucket).join("a/c.json").is_file());
    s3().delete(&bucket, "a/c.json");
    assert_eq!(s3().list(&bucket, ""), ["a/b+1.json", "d"]);
    assert!(s3().unfinished_uploads(&bucket).is_empty());
}

#[test]
fn both_group_protocols_are_served() {
    let topic = unique("protocols");
    kafka().create_topic(&topic, 1);
    kafka().produce(&topic, &numbered(0..1, 1));
    for protocol in ["classic", "consumer"] {
        let mut config = kafka().client();
        config.set("group.id", unique(protocol)).set("group.protocol", protocol);
        config.set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create().unwrap();
        consumer.subscribe(&[&topic]).unwrap();
        wait::until(protocol, Duration::from_secs(30), || {
            consumer.poll(Duration::from_millis(100))?.ok().map(drop)
        });
    }
}

#[test]
fn what_was_written_survives_kill_9_and_restart() {
    let (own_kafka, own_s3) = (Kafka::start(Options::default()), S3Server::start());
    own_kafka.create_topic("kept", 1);
    own_kafka.produce("kept", &numbered(0..3, 1));
    let bucket = own_s3.bucket("kept");
    own_s3.put(&bucket, "key", b"body");
    own_kafka.kill_9();
    own_s3.kill_9();
    own_kafka.restart();
    own_s3.restart();
    assert_eq!(own_kafka.read_topic("kept").len(), 3);
    assert_eq!(own_s3.get(&bucket, "key"), b"body");
    own_kafka.stop_broker(0);
    own_kafka.restart();
    assert_eq!(own_kafka.read_topic("kept").len(), 3);
}

/// The old group coordinator, for the full set.
#[test]
fn the_older_kafka_starts_too() {
    if !full_set("the_older_kafka_starts_too") {
        return;
    }
    let old = Kafka::start(Options { release: KafkaRelease::V3_9, ..Options::default() });
    old.create_topic("old", 1);
    old.produce("old", &numbered(0..3, 1));
    assert_eq!(old.read_topic("old").len(), 3);
}

/// Objects as a perfect program would leave them, and the ways to spoil them.
#[test]
fn the_check_finds_lost_doubled_and_changed_records() {
    let topic = unique("checked");
    kafka().create_topic(&topic, 2);
    kafka().produce(&topic, &numbered(0..6, 2));
    let bucket = s3().bucket("checked");
    let key = |partition, start| {
        format!("topics/{topic}/partition={partition}/{topic}+{partition}+{start:010}.json")
    };
    s3().put(&bucket, &key(0, 0), b"{\"n\":0}\n{\"n\":2}\n");
    s3().put(&bucket, &key(0, 2), b"{\"n\":4}\n");
    s3().put(&bucket, &key(1, 0), b"{\"n\":1}\n{\"n\":3}\n{\"n\":5}\n");
    let is_right = || {
        let named = verify::compare_default_layout(kafka(), &topic, s3(), &bucket);
        let contents = verify::compare_contents(kafka(), &topic, s3(), &bucket, "topics/");
        (named.is_ok(), contents.is_ok())
    };
    assert_eq!(is_right(), (true, true));
    let spoiled: [&[u8]; 4] =
        [b"", b"{\"n\":1}\n{\"n\":3}\n", b"{\"n\":1}\n{\"n\":3}\n{\"n\":3}\n{\"n\":5}\n", b"{}\n"];
    for body in spoiled {
        s3().put(&bucket, &key(1, 0), body);
        assert_eq!(is_right(), (false, false), "{}", String::from_utf8_lossy(body));
    }
    s3().put(&bucket, &key(1, 0), b"{\"n\":3}\n{\"n\":1}\n{\"n\":5}\n");
    assert_eq!(is_right(), (false, true), "the order is wrong, the content is not");
}

/// A gzip member or zstd frame for each text, one behind the other.
fn packed(texts: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let members = texts.iter().map(|text| {
        let mut member = vec![0; compressor.gzip_compress_bound(text.len())];
        let length = compressor.gzip_compress(text, &mut member).unwrap();
        member.truncate(length);
        member
    });
    let frames = texts.iter().map(|text| zstd::encode_all(*text, 1).unwrap());
    (members.collect::<Vec<_>>().concat(), frames.collect::<Vec<_>>().concat())
}

#[test]
fn the_check_finds_commits_that_fall_back_or_wipe_a_plan() {
    let (topic, group) = (unique("history"), unique("group"));
    kafka().create_topic(&topic, 2);
    let commit = |partition, commit| kafka().commit_as_stranger(&group, &topic, partition, commit);
    let check = || std::panic::catch_unwind(|| verify::check_commits(kafka(), &group, &topic));
    check().unwrap_err();
    commit(0, (7, "sluice/1 a"));
    commit(1, (3, "sluice/1 b"));
    commit(0, (7, "sluice/1 c"));
    let history = kafka().commit_history(&group, &topic);
    let metadata: Vec<&str> = history.iter().map(|one| one.metadata.as_str()).collect();
    assert_eq!(metadata, ["sluice/1 a", "sluice/1 b", "sluice/1 c"]);
    check().unwrap();
    commit(1, (2, "sluice/1 d"));
    check().unwrap_err();
    let other = unique("group");
    kafka().commit_as_stranger(&other, &topic, 0, (8, ""));
    let other = || verify::check_commits(kafka(), &other, &topic);
    std::panic::catch_unwind(other).unwrap_err();
}

#[test]
fn compressed_objects_are_unpacked_member_by_member() {
    let (gzip, zstd) = packed(&[b"one\n", b"two\n"]);
    assert_eq!(verify::lines("k.json.gz", &gzip), [b"one", b"two"]);
    assert_eq!(verify::lines("k.json.zst", &zstd), [b"one", b"two"]);
}

#[test]
fn pyarrow_and_polars_read_the_bucket() {
    let bucket = s3().bucket("readers");
    let (gzip, zstd) = packed(&[b"{\"n\":0}\n", b"{\"n\":1}\n"]);
    let key = |extension| format!("topics/pin/partition=0/pin+0+0000000000.{extension}");
    s3().put(&bucket, &key("json"), b"{\"n\":0}\n{\"n\":1}\n");
    s3().put(&bucket, &key("json.gz"), &gzip);
    s3().put(&bucket, &key("json.zst"), &zstd);
    for reader in [Reader::Pyarrow, Reader::Polars] {
        let rows = readers::read(reader, s3(), &bucket, "topics");
        let keys: Vec<&String> = rows.keys().collect();
        assert_eq!(keys, [&key("json"), &key("json.gz"), &key("json.zst")], "{reader:?}");
        for rows in rows.values() {
            assert_eq!(*rows, [json!({"n": 0}), json!({"n": 1})], "{reader:?}");
        }
    }
}
