//! A stream from end to end, and beside it the parts alone, measured in the same minutes.
//!
//! It owns: the daemon's own CPU time, speed, memory and requests, and their ratio to the parts.
//! It does not own: the parts (`parts`).

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sluice::command::posts::Kind;
use sluice::format::Compression;

use crate::feed::Topic;
use crate::measure::{Bench, WRITTEN_IN};
use crate::parts::{Parts, Shares};
use crate::replay::Codec;
use crate::spread::{row, spread};
use crate::support::daemon::Daemon;
use crate::support::process::Signal;
use crate::usage::{Usage, threads};

const PARTITIONS: usize = 4;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A row of the tables.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub name: &'static str,
    pub kind: Kind,
    /// Of the topic.
    pub codec: Codec,
    pub format: &'static str,
    pub compression: Compression,
    /// None is as many as there are cores, as by default.
    pub workers: Option<usize>,
}

impl Stream {
    pub const fn new(name: &'static str, kind: Kind, compression: Compression) -> Self {
        Self { name, kind, codec: "none", format: "json", compression, workers: None }
    }
}

/// One run of a stream.
struct Run {
    usage: Usage,
    threads: BTreeMap<&'static str, f64>,
    took_s: f64,
    resident_bytes: f64,
    requests: f64,
    shares: Shares,
}

impl Bench<'_> {
    pub fn streams(&mut self, streams: &[Stream]) {
        let wanted: Vec<&Stream> = streams.iter().filter(|one| self.wants(one.name)).collect();
        if wanted.is_empty() {
            return;
        }
        let topics: Vec<Topic> = wanted.iter().map(|stream| self.topic_of(stream)).collect();
        let mut runs: Vec<Vec<Run>> = wanted.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.arguments.runs {
            let parts = self.parts(&wanted, &topics);
            for ((stream, topic), runs) in wanted.iter().zip(&topics).zip(&mut runs) {
                runs.push(self.stream(stream, topic, &parts));
            }
        }
        let rows: Vec<_> = wanted.iter().zip(&topics).zip(&runs).collect();
        print_costs(&rows);
        print_parts(&rows);
        print_threads(&rows);
    }

    fn topic_of(&mut self, stream: &Stream) -> Topic {
        let name = match stream.codec {
            "none" => stream.kind.as_str().to_owned(),
            codec => format!("{}-{codec}", stream.kind.as_str()),
        };
        self.topic(&name, (stream.kind, stream.codec), PARTITIONS)
    }

    fn parts(&self, streams: &[&Stream], topics: &[Topic]) -> Parts {
        let mut different: Vec<Topic> = topics.to_vec();
        different.sort_by(|one, other| one.name.cmp(&other.name));
        different.dedup_by(|one, other| one.name == other.name);
        let mut compressions: Vec<_> =
            streams.iter().map(|stream| (stream.kind, stream.compression)).collect();
        compressions.sort_unstable();
        compressions.dedup();
        compressions.retain(|(_, compression)| *compression != Compression::None);
        Parts::measure(&self.replay, &self.sink, &different, &compressions)
    }

    /// From the start of the process until the last record is in an object.
    fn stream(&self, stream: &Stream, topic: &Topic, parts: &Parts) -> Run {
        let before = self.sink.counts();
        let mut settings = self
            .replay_settings(&[&topic.name])
            .set("layout.format", &format!("\"{}\"", stream.format))
            .set("layout.compression", &format!("\"{}\"", stream.compression));
        if let Some(workers) = stream.workers {
            settings = settings.set("limits.workers", &workers.to_string());
        }
        let daemon = settings.launch();
        let records = topic.records as f64;
        let read = || daemon.metric("sluice_read_records_total", &[]);
        let mut resident = Vec::new();
        until(&daemon, "the first record", || read() > 0.0);
        let (started, first) = (Instant::now(), read());
        until(&daemon, "the last record", || {
            resident.push(daemon.resident_bytes() as f64);
            read() >= records
        });
        let took_s = started.elapsed().as_secs_f64() * records / (records - first).max(1.0);
        daemon.signal(Signal::SealNow);
        let written = || daemon.metric("sluice_written_records_total", &[]);
        until(&daemon, "the last object", || written() >= records);
        let process = daemon.process_id();
        let (usage, threads) = (Usage::of(process), threads(process));
        daemon.stop_cleanly();
        let after = self.sink.counts();
        let stored = (after.bytes - before.bytes) as f64 / topic.value_bytes as f64;
        resident.sort_by(f64::total_cmp);
        Run {
            usage,
            threads,
            took_s,
            resident_bytes: resident[resident.len() / 2],
            requests: (after.requests - before.requests) as f64,
            shares: parts.of(topic, stream.format, stream.compression, stored),
        }
    }
}

fn until(daemon: &Daemon, what: &str, mut done: impl FnMut() -> bool) {
    daemon.wait_until(what, WRITTEN_IN, || {
        sleep(LOOK_EVERY);
        done().then_some(())
    });
}

type Row<'a> = ((&'a &'a Stream, &'a Topic), &'a Vec<Run>);

/// Median and range over the runs.
fn over(runs: &[Run], decimals: usize, value: impl Fn(&Run) -> f64) -> String {
    spread(runs.iter().map(value).collect(), decimals)
}

fn print_costs(rows: &[Row<'_>]) {
    row(&[
        "stream",
        "CPU-s/GB",
        "of it system",
        "CPU-s/million",
        "MB/s",
        "records/s",
        "peak MB",
        "steady MB",
        "requests/GB",
    ]);
    for ((stream, topic), runs) in rows {
        let (gigabytes, records) = (topic.gigabytes(), topic.records as f64);
        row(&[
            stream.name,
            &over(runs, 2, |run| run.usage.cpu_s() / gigabytes),
            &over(runs, 2, |run| run.usage.system_s / gigabytes),
            &over(runs, 2, |run| run.usage.cpu_s() / records * 1e6),
            &over(runs, 0, |run| gigabytes * 1e3 / run.took_s),
            &over(runs, 0, |run| records / run.took_s),
            &over(runs, 0, |run| run.usage.peak_bytes as f64 / 1e6),
            &over(runs, 0, |run| run.resident_bytes / 1e6),
            &over(runs, 0, |run| run.requests / gigabytes),
        ]);
    }
}

fn print_parts(rows: &[Row<'_>]) {
    println!();
    row(&[
        "parts alone, CPU-s/GB",
        "consume",
        "check",
        "frame",
        "compress",
        "upload",
        "sum",
        "daemon / sum",
    ]);
    for ((stream, topic), runs) in rows {
        let gigabytes = topic.gigabytes();
        row(&[
            stream.name,
            &over(runs, 2, |run| run.shares.consume),
            &over(runs, 2, |run| run.shares.check),
            &over(runs, 2, |run| run.shares.frame),
            &over(runs, 2, |run| run.shares.compress),
            &over(runs, 2, |run| run.shares.upload),
            &over(runs, 2, |run| run.shares.sum()),
            &over(runs, 2, |run| run.usage.cpu_s() / gigabytes / run.shares.sum()),
        ]);
    }
}

fn print_threads(rows: &[Row<'_>]) {
    const WORKS: [&str; 4] = ["worker", "librdkafka", "upload", "rest"];
    println!();
    row(&["threads of it, CPU-s/GB", WORKS[0], WORKS[1], WORKS[2], WORKS[3]]);
    for ((stream, topic), runs) in rows {
        let gigabytes = topic.gigabytes();
        let cells = WORKS.map(|work| {
            over(runs, 2, |run| run.threads.get(work).copied().unwrap_or(0.0) / gigabytes)
        });
        row(&[stream.name, &cells[0], &cells[1], &cells[2], &cells[3]]);
    }
}
