//! How long a partition stands still when a daemon joins or leaves its group.
//!
//! Each partition takes a record every 50 ms; what is measured is the longest time in which the
//! offset up to which it was read did not grow in any daemon.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::row;
use crate::support::daemon::{Daemon, Settings};
use crate::support::kafka::NewRecord;
use crate::support::{Kafka, S3Server, unique};

const PARTITIONS: usize = 32;
const RECORD_EVERY: Duration = Duration::from_millis(50);
/// Longer than any pause that is worth a row.
const WATCHED_FOR: Duration = Duration::from_secs(20);

pub fn report(kafka: &Kafka, store: &S3Server) {
    row(&["32 partitions", "protocol", "median pause ms", "longest ms"]);
    for protocol in ["classic", "consumer"] {
        one_protocol(kafka, store, protocol);
    }
}

fn one_protocol(kafka: &Kafka, store: &S3Server, protocol: &str) {
    let (topic, group, bucket) = (unique("pauses"), unique("group"), store.bucket("pauses"));
    kafka.create_topic(&topic, PARTITIONS);
    let settings = Settings::between(kafka, store, &group, &bucket)
        .topics(&[&topic])
        .set("kafka.protocol", &format!("{protocol:?}"))
        .set("seal.age", "\"1 s\"");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let each = |partition| NewRecord::of("{\"a\":1}").on_partition(partition);
                kafka.produce(&topic, &(0..PARTITIONS as i32).map(each).collect::<Vec<_>>());
                sleep(RECORD_EVERY);
            }
        });
        let mut daemons = vec![settings.start()];
        let say = |event: &str, daemons: &[Daemon]| {
            let pauses = pauses(daemons);
            let (median, longest) = (pauses[pauses.len() / 2], pauses[pauses.len() - 1]);
            row(&[event, protocol, &format!("{median}"), &format!("{longest}")]);
        };
        say("one daemon, nothing happens", &daemons);
        daemons.push(settings.launch());
        say("a second joins", &daemons);
        daemons.push(settings.launch());
        say("a third joins", &daemons);
        // It leaves while it is watched, and answers no more once it is gone.
        let leaving = daemons.pop().unwrap();
        scope.spawn(move || leaving.stop_cleanly());
        say("the third leaves", &daemons);
        is_over.store(true, Ordering::Relaxed);
        daemons.iter().for_each(Daemon::stop_cleanly);
    });
}

/// The longest pause of each partition in milliseconds, sorted.
fn pauses(daemons: &[Daemon]) -> Vec<u128> {
    let mut progress: BTreeMap<String, (f64, Instant)> = BTreeMap::new();
    let mut longest: BTreeMap<String, Duration> = BTreeMap::new();
    let started = Instant::now();
    while started.elapsed() < WATCHED_FOR {
        for (partition, offset) in daemons.iter().filter_map(read_up_to).flatten() {
            let now = Instant::now();
            let (highest, since) = progress.entry(partition.clone()).or_insert((offset, now));
            if offset > *highest {
                let pause = longest.entry(partition).or_default();
                *pause = (*pause).max(now - *since);
                (*highest, *since) = (offset, now);
            }
        }
        sleep(Duration::from_millis(20));
    }
    assert_eq!(longest.len(), PARTITIONS, "every partition made progress");
    let mut pauses: Vec<u128> = longest.values().map(Duration::as_millis).collect();
    pauses.sort_unstable();
    pauses
}

/// How far a daemon has read each partition that it holds; none if it does not answer yet.
fn read_up_to(daemon: &Daemon) -> Option<Vec<(String, f64)>> {
    let (_, text) = daemon.page("/metrics")?;
    let series = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("sluice_partition_offset{")?;
        let (labels, offset) = rest.split_once("} ")?;
        let partition = labels.split(',').find(|label| label.starts_with("partition="))?;
        labels
            .contains("stage=\"consumed\"")
            .then(|| (partition.to_owned(), offset.parse().unwrap()))
    });
    Some(series.collect())
}
