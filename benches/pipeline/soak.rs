//! Memory over a long time under an even load, which must not grow.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use sluice::command::posts::Kind;

use crate::feed::values;
use crate::measure::Bench;
use crate::spread::row;
use crate::support::{NewRecord, unique};
use crate::usage::Usage;

const PARTITIONS: usize = 8;
/// Records that are sent at once, so often.
const RECORDS: usize = 1_000;
const SEND_EVERY: Duration = Duration::from_millis(250);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Rows of the table, each of as many minutes.
const SPANS: u32 = 6;

impl Bench<'_> {
    /// `minutes` of 4,000 `pin` records a second from a real Kafka.
    pub fn soak(&self, minutes: u64) {
        if minutes == 0 {
            return;
        }
        let (kafka, topic) = (self.kafka(), unique("soak"));
        kafka.create_topic(&topic, PARTITIONS);
        let daemon = self.settings(&[&topic]).set("seal.age", "\"10 s\"").start();
        let span = Duration::from_secs(minutes * 60) / SPANS;
        let is_over = AtomicBool::new(false);
        println!();
        row(&["soak, 3.4 MB/s of pin", "median MB", "most MB", "objects", "peak MB"]);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let values = values(Kind::Pin);
                for chunk in values.chunks(RECORDS).cycle() {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let record = |value: &Vec<u8>| NewRecord::of(value.clone());
                    let records: Vec<_> = chunk.iter().map(record).collect();
                    kafka.produce(&topic, &records);
                    sleep(SEND_EVERY);
                }
            });
            for number in 1..=SPANS {
                let (started, mut resident) = (Instant::now(), Vec::new());
                while started.elapsed() < span {
                    sleep(LOOK_EVERY);
                    resident.push(daemon.resident_bytes() as f64 / 1e6);
                }
                resident.sort_by(f64::total_cmp);
                row(&[
                    &format!("{:.0} minutes", (span * number).as_secs_f64() / 60.0),
                    &format!("{:.1}", resident[resident.len() / 2]),
                    &format!("{:.1}", resident[resident.len() - 1]),
                    &self.sink.counts().objects.to_string(),
                    &format!("{:.1}", Usage::of(daemon.process_id()).peak_bytes as f64 / 1e6),
                ]);
            }
            is_over.store(true, Ordering::Relaxed);
        });
        daemon.stop_cleanly();
    }
}
