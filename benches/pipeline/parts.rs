//! The parts of the work alone: what the daemon is held against.
//!
//! It owns: what each part costs by itself, in CPU-seconds per GB. Reading and uploading are done
//! by processes of their own, because librdkafka and the SDK work on threads of theirs; checking,
//! framing and compressing on this thread.
//! It does not own: the daemon's figures (`streams`).
//!
//! The parts are what the daemon cannot do without: the same libraries, called in the same way, on
//! the same records, and nothing between them.

mod consume;
mod upload;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::Command;

use serde::Deserialize;
use serde::de::IgnoredAny;
use sluice::command::posts::Kind;
use sluice::format::{Compression, Compressors};

use crate::feed::{Topic, values};
use crate::replay::Replay;
use crate::sink::Sink;
use crate::usage::thread_cpu_s;

/// Words of the command line that make this program one of the parts.
pub const CONSUME: &str = "consume";
pub const UPLOAD: &str = "upload";

/// What the daemon collects before it compresses.
const FRAME_BYTES: usize = 1 << 20;
/// Values that a part on this thread works through.
const WORK_BYTES: f64 = 0.5e9;

/// CPU-seconds per GB of values, but for `upload`: per GB sent.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    consume: BTreeMap<String, f64>,
    check: BTreeMap<Kind, f64>,
    frame: BTreeMap<Kind, f64>,
    compress: BTreeMap<(Kind, Compression), f64>,
    upload: f64,
}

/// The parts of one stream, each per GB of values.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    pub consume: f64,
    pub check: f64,
    pub frame: f64,
    pub compress: f64,
    pub upload: f64,
}

impl Shares {
    pub fn sum(&self) -> f64 {
        self.consume + self.check + self.frame + self.compress + self.upload
    }
}

/// Runs what the role says.
pub fn run(role: &str, told: &[String]) {
    match role {
        CONSUME => consume::run(told),
        UPLOAD => upload::run(told),
        other => panic!("there is no role `{other}`"),
    }
}

impl Parts {
    /// Measures each part once for these topics and compressions.
    pub fn measure(
        replay: &Replay,
        sink: &Sink,
        topics: &[Topic],
        compressions: &[(Kind, Compression)],
    ) -> Self {
        let mut parts = Self::default();
        for topic in topics {
            let told = [replay.bootstrap(), topic.name.clone(), topic.records.to_string()];
            let cpu_s = child(CONSUME, &told);
            parts.consume.insert(topic.name.clone(), cpu_s / topic.gigabytes());
            parts.check.entry(topic.kind).or_insert_with(|| check(topic.kind));
            parts.frame.entry(topic.kind).or_insert_with(|| frame(topic.kind));
        }
        for (kind, compression) in compressions {
            let cpu_s = compress(*kind, *compression);
            parts.compress.insert((*kind, *compression), cpu_s);
        }
        parts.upload = child(UPLOAD, &[sink.endpoint()]) / upload::gigabytes();
        parts
    }

    /// `stored` is what one byte of values becomes in S3.
    pub fn of(&self, topic: &Topic, format: &str, compression: Compression, stored: f64) -> Shares {
        let kind = topic.kind;
        Shares {
            consume: self.consume[&topic.name],
            check: if format == "json" { self.check[&kind] } else { 0.0 },
            frame: self.frame[&kind],
            compress: self.compress.get(&(kind, compression)).copied().unwrap_or(0.0),
            upload: self.upload * stored,
        }
    }
}

/// Runs this program in a role and returns the CPU-seconds that it says.
fn child(role: &str, told: &[String]) -> f64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--role", role]);
    command.args(told.iter().flat_map(|word| ["--told", word]));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{role} failed:\n{text}{error}");
    let cpu_s = text.lines().find_map(|line| line.strip_prefix("cpu_s "));
    cpu_s.unwrap_or_else(|| panic!("{role} says no `cpu_s`:\n{text}")).parse().unwrap()
}

/// CPU-seconds per GB of `work` over all the values, which says how many bytes it has gone through.
fn per_gigabyte(mut work: impl FnMut() -> usize) -> f64 {
    work();
    let (before, mut bytes) = (thread_cpu_s(), 0.0);
    while bytes < WORK_BYTES {
        bytes += work() as f64;
    }
    (thread_cpu_s() - before) / bytes * 1e9
}

fn check(kind: Kind) -> f64 {
    let values = values(kind);
    per_gigabyte(|| {
        let mut bytes = 0;
        for value in black_box(&values) {
            simdutf8::basic::from_utf8(value).unwrap();
            let mut parser = serde_json::Deserializer::from_slice(value);
            IgnoredAny::deserialize(&mut parser).unwrap();
            parser.end().unwrap();
            black_box(memchr::memchr2(b'\n', b'\r', value));
            bytes += value.len();
        }
        bytes
    })
}

fn frame(kind: Kind) -> f64 {
    let values = values(kind);
    let mut frame = Vec::with_capacity(FRAME_BYTES * 2);
    per_gigabyte(|| {
        let mut bytes = 0;
        for value in black_box(&values) {
            frame.extend_from_slice(value);
            frame.push(b'\n');
            bytes += value.len();
            if frame.len() >= FRAME_BYTES {
                black_box(&frame);
                frame.clear();
            }
        }
        bytes
    })
}

fn compress(kind: Kind, compression: Compression) -> f64 {
    let (mut frames, mut frame, mut value_bytes) = (Vec::new(), Vec::new(), 0);
    for value in values(kind) {
        frame.extend_from_slice(&value);
        frame.push(b'\n');
        value_bytes += value.len();
        if frame.len() >= FRAME_BYTES {
            frames.push(std::mem::take(&mut frame));
        }
    }
    frames.push(frame);
    let (mut compressors, mut stored) = (Compressors::new(), Vec::new());
    per_gigabyte(|| {
        for frame in black_box(&frames) {
            stored.clear();
            compressors.compress(compression, frame, |bytes| stored.extend_from_slice(bytes));
            black_box(&stored);
        }
        value_bytes
    })
}
