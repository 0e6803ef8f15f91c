//! The pipeline between a real broker and an S3 sink, each in a process of its own.
//!
//! `cargo bench --bench pipeline` runs all of it and prints a table; what is counted is the
//! processor time of the daemon's process alone, from its start, and its peak of resident memory.
//! `-- --only seal` runs the parts whose name contains the word, `-- --runs 5 --gigabytes 2`
//! makes it longer.
//!
//! `-- --only memory` shows what `limits.memory` holds when S3 is slower than Kafka and then takes
//! nothing: the peak of resident memory, and the most that the budget counted.
//!
//! The sink speaks plain HTTP, where bodies are signed with SHA-256; over HTTPS that work falls
//! away and encryption comes instead.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod feed;
mod measure;
mod memory;
mod sink;
mod spread;
mod usage;

use clap::Parser;
use sluice::command::posts::Kind;

use measure::{Bench, Stream};
use memory::Shape;
use sink::Sink;
use support::Kafka;
use support::kafka::Options;

#[derive(Debug, Parser)]
pub struct Arguments {
    /// How often each stream is run.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Record values of `pin`; `geo` has a quarter of it.
    #[arg(long, default_value_t = 1.0)]
    gigabytes: f64,
    /// Only the parts whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Seconds for which idle daemons and objects of one record are watched.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// What this process is, if not the benchmark itself.
    #[arg(long, hide = true)]
    role: Option<String>,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a stream of records becomes.
const STREAMS: [Stream; 5] = [
    Stream { name: "pin json gzip", kind: Kind::Pin, format: "json", compression: "gzip" },
    Stream { name: "pin json none", kind: Kind::Pin, format: "json", compression: "none" },
    Stream { name: "pin json zstd", kind: Kind::Pin, format: "json", compression: "zstd" },
    Stream { name: "pin raw none", kind: Kind::Pin, format: "raw", compression: "none" },
    Stream { name: "geo json gzip", kind: Kind::Geo, format: "json", compression: "gzip" },
];
/// Topics and partitions of each, for objects of one record; the first three are the users' own.
const SMALL: [(usize, usize); 3] = [(3, 1), (1, 1), (1, 12)];

/// What is written while S3 is slower than Kafka, and then takes nothing.
const SHAPES: [Shape; 7] = [
    Shape::new("memory pin none", Kind::Pin),
    Shape { compression: "gzip", ..Shape::new("memory pin gzip", Kind::Pin) },
    Shape { compression: "zstd", ..Shape::new("memory pin zstd", Kind::Pin) },
    Shape { format: "raw", ..Shape::new("memory pin raw", Kind::Pin) },
    Shape { partitions: 64, ..Shape::new("memory pin none, 64 partitions", Kind::Pin) },
    Shape {
        path: "{topic}/{field:/category}",
        ..Shape::new("memory pin none, by category", Kind::Pin)
    },
    Shape::new("memory geo none", Kind::Geo),
];
/// Of `limits.memory`: the default, and the smallest.
const LIMITS_MIB: [u64; 2] = [256, 64];

fn main() {
    let arguments = Arguments::parse();
    if arguments.role.as_deref() == Some(sink::ROLE) {
        return sink::serve();
    }
    let kafka = Kafka::start(Options {
        properties: vec![("log.segment.bytes", "268435456".to_owned())],
        ..Options::default()
    });
    let sink = Sink::start();
    let mut bench = Bench::new(&kafka, &sink, &arguments);
    bench.streams(&STREAMS);
    bench.memory(&SHAPES, &LIMITS_MIB);
    bench.objects_of_one_record(&SMALL);
    bench.latency();
    bench.idle();
}
