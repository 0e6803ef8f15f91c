//! From the start of the process to its first record, under both group protocols.

use std::time::{Duration, Instant};

use crate::measure::Bench;
use crate::spread::{row, spread};
use crate::support::daemon::Daemon;
use crate::support::{NewRecord, unique};

const STARTS: usize = 7;
const READ_IN: Duration = Duration::from_secs(60);

impl Bench<'_> {
    pub fn starts(&self) {
        if !self.wants("start") {
            return;
        }
        println!();
        row(&["start to first record", "seconds"]);
        for protocol in ["classic", "consumer"] {
            let took = (0..STARTS).map(|_| self.one_start(protocol)).collect();
            row(&[protocol, &spread(took, 2)]);
        }
    }

    fn one_start(&self, protocol: &str) -> f64 {
        let topic = unique("start");
        self.kafka().create_topic(&topic, 1);
        self.kafka().produce(&topic, &[NewRecord::of("{\"a\":1}")]);
        let settings = self.settings(&[&topic]);
        let settings = settings.set("kafka.protocol", &format!("\"{protocol}\""));
        let started = Instant::now();
        let daemon: Daemon = settings.launch();
        daemon.wait_until("the first record", READ_IN, || {
            (daemon.metric("sluice_read_records_total", &[]) > 0.0).then_some(())
        });
        let took = started.elapsed().as_secs_f64();
        daemon.stop_cleanly();
        took
    }
}
