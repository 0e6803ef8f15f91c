//! What is too long for every run: each test here belongs to the full set (`SLUICE_TESTS=full`).
//!
//! It owns: the second S3 server, the units and packages under a booted systemd, Spark and DuckDB, the
//! status page in a browser.
//! It does not own: chaos (`chaos.rs`), the old coordinator (`groups.rs`), the conformance suite
//! (`s3_conformance.rs`).

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod booted;
mod packages;
mod page;
mod readers;
mod reading;
mod second_server;
mod takeover;
