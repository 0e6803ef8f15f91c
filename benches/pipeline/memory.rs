//! How much memory the daemon takes while S3 is slower than Kafka, and while it takes nothing.
//!
//! The records come from Kafka as fast as it gives them. First the sink takes bytes at a pace far
//! below, so that everything between fills up; then not one; then all of it at once.

use std::thread::sleep;
use std::time::{Duration, Instant};

use sluice::command::posts::Kind;

use crate::measure::Bench;
use crate::sink::Speed;
use crate::spread::{row, spread};
use crate::usage::Usage;

/// A tenth of what one core gives without compression.
const SLOW: Speed = Speed::Slow { bytes_per_s: 30_000_000 };
const SLOW_FOR: Duration = Duration::from_secs(10);
const STALLED_FOR: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One row of the table.
pub struct Shape {
    pub name: &'static str,
    pub kind: Kind,
    pub partitions: usize,
    pub format: &'static str,
    pub compression: &'static str,
    pub path: &'static str,
}

impl Shape {
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        let path = "{topic}/partition={partition}";
        Self { name, kind, partitions: 4, format: "json", compression: "none", path }
    }
}

/// Mebibytes.
#[derive(Clone, Copy, Debug, Default)]
struct Peak {
    resident: f64,
    budget: f64,
}

impl Bench<'_> {
    pub fn memory(&mut self, shapes: &[Shape], limits_mib: &[u64]) {
        let wanted: Vec<&Shape> = shapes.iter().filter(|one| self.wants(one.name)).collect();
        if wanted.is_empty() {
            return;
        }
        println!();
        row(&["limits.memory, S3 is slow", "limit MiB", "peak MiB", "above MiB", "budget MiB"]);
        for shape in wanted {
            for limit in limits_mib {
                let peaks: Vec<Peak> =
                    (0..self.arguments.runs).map(|_| self.peak(shape, *limit)).collect();
                let all =
                    |value: &dyn Fn(&Peak) -> f64| spread(peaks.iter().map(value).collect(), 0);
                row(&[
                    shape.name,
                    &limit.to_string(),
                    &all(&|peak| peak.resident),
                    &all(&|peak| peak.resident - *limit as f64),
                    &all(&|peak| peak.budget),
                ]);
            }
        }
    }

    fn peak(&mut self, shape: &Shape, limit_mib: u64) -> Peak {
        let name = match shape.partitions {
            4 => shape.kind.as_str().to_owned(),
            many => format!("{}-{many}", shape.kind.as_str()),
        };
        let topic = self.topic(&name, (shape.kind, "none"), shape.partitions);
        self.sink.take(SLOW);
        let daemon = self
            .replay_settings(&[&topic.name])
            .set("layout.format", &format!("\"{}\"", shape.format))
            .set("layout.compression", &format!("\"{}\"", shape.compression))
            .set("layout.path", &format!("\"{}\"", shape.path))
            .set("layout.name", "\"{topic}+{partition}+{start:010}\"")
            .set("limits.memory", &format!("\"{limit_mib} MiB\""))
            .launch();
        let mut peak = Peak::default();
        let mut watch = |duration: Duration| {
            let started = Instant::now();
            while started.elapsed() < duration {
                sleep(LOOK_EVERY);
                let used = daemon.metric("sluice_memory_used_bytes", &[]);
                peak.budget = peak.budget.max(used / 1048576.0);
            }
        };
        watch(SLOW_FOR);
        self.sink.take(Speed::Stalled);
        watch(STALLED_FOR);
        self.sink.take(Speed::Prompt);
        watch(STALLED_FOR);
        peak.resident = Usage::of(daemon.process_id()).peak_bytes as f64 / 1048576.0;
        daemon.stop_cleanly();
        peak
    }
}
