//! As many open objects as one budget has to carry: 2,000 partitions, each with 24 hours open.
//!
//! Nothing but memory closes a batch here, so every object that the sink sees before the stop was
//! closed because memory was short. What counts is how large those objects are.

use std::thread::sleep;
use std::time::Duration;

use crate::feed::Topic;
use crate::measure::{Bench, WRITTEN_IN};
use crate::replay::Routes;
use crate::sink::Sizes;
use crate::spread::row;
use crate::support::unique;
use crate::usage::Usage;

const LIMIT_MIB: u64 = 256;
const HOURS: usize = 24;
const PARTITIONS: usize = 2_000;
/// Of the partitions: their routes carry nine tenths of what is written.
const HOT: usize = PARTITIONS / 100;
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl Bench<'_> {
    pub fn open_objects(&self) {
        let bytes = self.arguments.gigabytes * 0.75e9;
        let even = "open objects, even";
        if self.wants(even) {
            let topic = self.routes("even", (PARTITIONS, HOURS), bytes);
            self.one_open(even, &[topic]);
        }
        let skewed = "open objects, 1 % with 90 %";
        if self.wants(skewed) {
            let hot = self.routes("hot", (HOT, HOURS), bytes * 0.9);
            let cold = self.routes("cold", (PARTITIONS - HOT, 1), bytes * 0.1);
            self.one_open(skewed, &[hot, cold]);
        }
    }

    fn routes(&self, name: &str, (partitions, batch_records): (usize, usize), bytes: f64) -> Topic {
        let routes = Routes { partitions, hours: HOURS, batch_records };
        self.replay.fill_hours(&unique(name), routes, bytes as u64)
    }

    fn one_open(&self, name: &str, topics: &[Topic]) {
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let daemon = self
            .replay_settings(&names)
            .set("layout.path", "\"{topic}/{partition}/{time:%H}\"")
            .set("limits.memory", &format!("\"{LIMIT_MIB} MiB\""))
            .set("seal.bytes", "\"off\"")
            .set("seal.age", "\"1 day\"")
            .launch();
        let records: u64 = topics.iter().map(|topic| topic.records).sum();
        let mut resident = Vec::new();
        daemon.wait_until("the last record", WRITTEN_IN, || {
            sleep(LOOK_EVERY);
            resident.push(daemon.resident_bytes() as f64 / 1e6);
            (daemon.metric("sluice_read_records_total", &[]) >= records as f64).then_some(())
        });
        let usage = Usage::of(daemon.process_id());
        resident.sort_by(f64::total_cmp);
        let fair = (LIMIT_MIB << 20) as f64 / (PARTITIONS * HOURS) as f64;
        println!();
        row(&[name, "peak MB", "steady MB", "objects", "mean bytes", "of budget / open"]);
        for topic in topics {
            let sizes = self.sink.sizes(&topic.name);
            row(&[
                &format!("{} routes", topic.name),
                &format!("{:.0}", usage.peak_bytes as f64 / 1e6),
                &format!("{:.0}", resident[resident.len() / 2]),
                &sizes.objects().to_string(),
                &format!("{:.0}", sizes.mean()),
                &format!("{:.0} %", sizes.mean() / fair * 100.0),
            ]);
            print_histogram(&sizes);
        }
        // It would write what is open, which nobody measures.
        daemon.kill_9();
    }
}

fn print_histogram(sizes: &Sizes) {
    for (below, objects, bytes) in sizes.rows() {
        println!("  below {:>10} B {objects:>9} objects {:>6} MB", below, bytes / 1_000_000);
    }
}
