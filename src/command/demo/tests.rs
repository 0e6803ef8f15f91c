//! The demo's parts together: posts go in, and what a plain writer makes of them is checked.

use std::time::{Duration, Instant};

use super::check::{compare, read_files, read_topics};
use super::cluster::{Cluster, partitions_for};
use super::feed::Feed;
use crate::command::emulate::{pace::Pace, topics};
use crate::command::posts::{Kind, Posts};

/// Writes the value of each record where the daemon would: post `index` lies at offset
/// `index / partitions` of partition `index % partitions`.
fn write_files(bucket: &std::path::Path, records: u64, partitions: u64) {
    let mut left = records;
    for (index, post) in (0_u64..).zip(Posts::new(5)) {
        for kind in Kind::ALL {
            if left == 0 {
                return;
            }
            left -= 1;
            let (topic, partition) = (kind.as_str(), index % partitions);
            let folder = bucket.join(format!("topics/{topic}/partition={partition}"));
            std::fs::create_dir_all(&folder).unwrap();
            let path = folder.join(format!("{topic}+{partition}+0000000000.json"));
            let mut text = std::fs::read(&path).unwrap_or_default();
            post.write_json(kind, &mut text);
            text.push(b'\n');
            std::fs::write(path, text).unwrap();
        }
    }
}

#[test]
fn records_that_were_fed_are_read_again_and_found_in_files() {
    // Not a multiple of three: the last post gives two records.
    let records = 302;
    let topics = topics("").unwrap();
    let cluster = Cluster::start(&topics, partitions_for(records).unwrap()).unwrap();
    let feed = Feed::start(&cluster, topics.clone(), records, Pace::new(0), 5).unwrap();
    assert_eq!(feed.finish().unwrap(), records);
    let mut read = 0;
    let found = read_topics(&cluster.bootstrap_servers(), &topics, &mut |so_far| read = so_far);
    assert_eq!(read, records);
    let bucket = tempfile::tempdir().unwrap();
    write_files(bucket.path(), records, 3);
    let report = compare(&found.unwrap(), &read_files(bucket.path()).unwrap());
    assert!(report.is_exact() && report.records() == records, "{report}");
}

#[test]
fn a_full_cluster_still_holds_its_first_record() {
    let topics = topics("").unwrap();
    let cluster = Cluster::start(&topics, 1).unwrap();
    let feed = Feed::start(&cluster, topics.clone(), u64::MAX, Pace::new(0), 5).unwrap();
    let sent = feed.finish().unwrap();
    assert_eq!(sent, cluster.capacity());
    let found = read_topics(&cluster.bootstrap_servers(), &topics, &mut |_| {}).unwrap();
    let read: usize = found.values().map(|records| records.values.len()).sum();
    assert_eq!(read as u64, sent);
}

#[test]
fn a_feed_that_is_asked_to_stop_ends_with_what_it_sent() {
    let topics = topics("").unwrap();
    let cluster = Cluster::start(&topics, 3).unwrap();
    let feed = Feed::start(&cluster, topics, 40_000, Pace::new(100), 5).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while feed.acknowledged() == 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!feed.is_finished());
    feed.stop();
    assert!((1..40_000).contains(&feed.finish().unwrap()));
}
