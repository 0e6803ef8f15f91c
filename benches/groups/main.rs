//! What a group of daemons costs: the pauses of its rebalances, and many partitions that seal at
//! once, on a real Kafka and a real S3 server.
//!
//! `cargo bench --bench groups` runs all of it; `-- --only pauses` one part.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod pauses;
mod seals;

use clap::Parser;

use support::install::KafkaRelease;
use support::kafka::Options;
use support::{Kafka, S3Server};

#[derive(Debug, Parser)]
struct Arguments {
    /// Only the part of this name: `pauses` or `seals`.
    #[arg(long, default_value = "")]
    only: String,
    /// Partitions that seal at once.
    #[arg(long, default_value_t = 2_000)]
    partitions: usize,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

fn cluster(release: KafkaRelease) -> Kafka {
    Kafka::start(Options { release, heap_mebibytes: 512, ..Options::default() })
}

fn main() {
    let arguments = Arguments::parse();
    let wants = |part: &str| part.contains(arguments.only.as_str());
    let store = S3Server::start();
    let newest = cluster(KafkaRelease::V4_4);
    if wants("pauses") {
        pauses::report(&newest, &store);
    }
    if wants("seals") {
        seals::report(&newest, &store, ("4.4", arguments.partitions));
        drop(newest);
        let lingering = cluster(KafkaRelease::V4_0);
        seals::report(&lingering, &store, ("4.0", arguments.partitions));
    }
}

/// Prints a row whose first cell is wide.
fn row(cells: &[&str]) {
    let rest: String = cells[1..].iter().map(|cell| format!(" {cell:>18}")).collect();
    println!("{:<32}{rest}", cells[0]);
}
