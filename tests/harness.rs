//! The harness itself: are the servers what the other tests believe them to be?

mod support;

use support::kafka::topics::numbered;
use support::kafka::{NewRecord, Outcome};
use support::{kafka, s3, unique};

/// `.ci/run` calls this one first, so that fetching the servers has minutes of its own.
#[test]
fn servers_are_installed_and_answer() {
    assert_eq!(kafka().partitions("__no_such_topic"), 0);
    s3().bucket("installed");
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
