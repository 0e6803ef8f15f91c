//! What the integration tests stand on: real servers, proxies that hold a step, the daemon itself,
//! and a check of the result that shares no code with the program.
//!
//! It owns: one Kafka and one S3 server of each brand per test binary ([`kafka`], [`s3`],
//! [`minio`]), started by whoever
//! asks first, and names that no other test uses ([`unique`]).
//! It does not own: what is tested. A test that stops or kills a server starts one of its own
//! (`Kafka::start`, `S3Server::start`).

// Each test binary includes all of this and uses a part of it; its functions are not covered by
// clippy's `allow-unwrap-in-tests`.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

pub mod browser;
pub mod daemon;
pub mod independent;
pub mod install;
pub mod kafka;
pub mod ports;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod readers;
pub mod release;
pub mod s3;
pub mod scratch;
pub mod systemd;
pub mod verify;
pub mod wait;

use std::io::Write as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use daemon::Daemon;
pub use kafka::{Kafka, NewRecord};
pub use s3::S3Server;

/// The Kafka that the tests of this binary share.
pub fn kafka() -> &'static Kafka {
    static SHARED: LazyLock<Kafka> = LazyLock::new(|| Kafka::start(kafka::Options::default()));
    &SHARED
}

/// The S3 server that the tests of this binary share.
pub fn s3() -> &'static S3Server {
    static SHARED: LazyLock<S3Server> = LazyLock::new(S3Server::start);
    &SHARED
}

/// The second S3 server, for tests of the full set.
pub fn minio() -> &'static S3Server {
    static SHARED: LazyLock<S3Server> = LazyLock::new(|| S3Server::start_brand(s3::Brand::Minio));
    &SHARED
}

/// The runtime that the SDK and rdkafka's futures run on; tests themselves are plain threads.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static SHARED: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        let builder = &mut tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    });
    &SHARED
}

/// A name for a topic, group or bucket that nobody else has: `pin-0`, `pin-1`.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether the long tests run too. A test of the full set begins with
/// `if !support::full_set("its name") { return; }`, so that its line says that it did not run.
pub fn full_set(test: &str) -> bool {
    let full = std::env::var_os("SLUICE_TESTS").is_some_and(|value| value == "full");
    if !full {
        eprintln!("`{test}` belongs to the full set (`SLUICE_TESTS=full`): not run");
    }
    full
}

/// Says what a long test did, also when it passes: the capture of its output takes macros only.
pub fn report(line: &str) {
    std::io::stderr().write_all(format!("full set: {line}\n").as_bytes()).unwrap();
}
