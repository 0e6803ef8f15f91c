//! The daemon between a broker and an S3 sink, each in a process of its own.
//!
//! `cargo bench --bench pipeline` runs all of it and prints tables; what is counted is the
//! processor time of the daemon's process alone, from its start, and its peak of resident memory.
//! `-- --only geo` runs the rows whose name contains the word, `-- --runs 5 --gigabytes 2` makes it
//! longer.
//!
//! Streams come from a broker of our own that gives the same records again and again (`replay`);
//! beside each stand the parts of its work alone (`parts`), measured in the same minutes, and the
//! ratio to their sum, which holds on a machine that others use too. What hangs on the broker's own
//! time (objects of one record, latency, start) is measured between a real Apache Kafka and the
//! sink.
//!
//! The sink speaks plain HTTP, where bodies are signed with SHA-256; over HTTPS that work falls
//! away and encryption comes instead.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod feed;
mod measure;
mod memory;
mod open;
mod parts;
mod replay;
mod server;
mod sink;
mod soak;
mod spread;
mod start;
mod streams;
mod usage;

use clap::Parser;
use sluice::command::posts::Kind;
use sluice::format::Compression;

use measure::Bench;
use memory::Shape;
use streams::Stream;

#[derive(Debug, Parser)]
pub struct Arguments {
    /// How often each stream is run.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Record values of `pin`; the others have half of it.
    #[arg(long, default_value_t = 2.0)]
    gigabytes: f64,
    /// Only the rows whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Seconds for which idle daemons and objects of one record are watched.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Minutes of an even load, after the rest.
    #[arg(long, default_value_t = 0)]
    soak: u64,
    /// What this process is, if not the benchmark itself.
    #[arg(long, hide = true)]
    role: Option<String>,
    /// What the role needs to know.
    #[arg(long, hide = true)]
    told: Vec<String>,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a stream of records becomes.
const STREAMS: [Stream; 13] = [
    Stream::new("pin json gzip", Kind::Pin, Compression::Gzip),
    Stream::new("pin json zstd", Kind::Pin, Compression::Zstd),
    Stream::new("pin json none", Kind::Pin, Compression::None),
    Stream { format: "raw", ..Stream::new("pin raw none", Kind::Pin, Compression::None) },
    Stream::new("geo json gzip", Kind::Geo, Compression::Gzip),
    Stream::new("geo json zstd", Kind::Geo, Compression::Zstd),
    Stream::new("geo json none", Kind::Geo, Compression::None),
    Stream::new("user json gzip", Kind::User, Compression::Gzip),
    Stream { codec: "lz4", ..Stream::new("pin lz4 json gzip", Kind::Pin, Compression::Gzip) },
    Stream { codec: "zstd", ..Stream::new("pin zstd json gzip", Kind::Pin, Compression::Gzip) },
    Stream { codec: "zstd", ..Stream::new("geo zstd json gzip", Kind::Geo, Compression::Gzip) },
    Stream {
        workers: Some(1),
        ..Stream::new("workers = 1, pin gzip", Kind::Pin, Compression::Gzip)
    },
    Stream {
        workers: Some(2),
        ..Stream::new("workers = 2, pin gzip", Kind::Pin, Compression::Gzip)
    },
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

/// An open object for each partition, each with parts that S3 does not take.
const SIXTEEN: Shape = Shape {
    compression: "gzip",
    partitions: 16,
    ..Shape::new("memory, 16 open objects", Kind::Pin)
};
const SIXTEEN_LIMIT_MIB: u64 = 96;

fn main() {
    let arguments = Arguments::parse();
    match arguments.role.as_deref() {
        None => (),
        Some(sink::ROLE) => return sink::serve(),
        Some(replay::ROLE) => return replay::serve(),
        Some(part) => return parts::run(part, &arguments.told),
    }
    let mut bench = Bench::new(&arguments);
    bench.streams(&STREAMS);
    bench.memory(&SHAPES, &LIMITS_MIB);
    bench.memory(&[SIXTEEN], &[SIXTEEN_LIMIT_MIB]);
    bench.open_objects();
    bench.objects_of_one_record(&SMALL);
    bench.latency();
    bench.starts();
    bench.idle();
    bench.soak(arguments.soak);
}
