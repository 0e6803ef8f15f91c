//! What a record costs between librdkafka and the upload, in instructions: counted, not timed, so
//! that a slower path is noticed on any machine, however loaded.
//!
//! It owns: the bounds, and counting (callgrind, on the release profile's code).
//! It does not own: the path (`hot_path/counted` compiles the daemon's own source); what librdkafka
//! and the SDK cost (`benches/pipeline`).
//!
//! A bound that is passed says that somebody has put work beside each record: look for it with
//! `callgrind_annotate`. A new compiler or a new version of a library may move a figure too; then
//! the measured ones here are replaced by what the test prints.

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[path = "support/mod.rs"]
mod support;

use std::io::Write;
use std::path::Path;
use std::process::Command;

use sluice::command::posts::{Kind, Posts};

/// Different records; they are given again and again.
const DIFFERENT: usize = 2_000;
/// How far above the measured figure a run may be.
const TOLERANCE: f64 = 1.05;

struct Case {
    kind: Kind,
    compression: &'static str,
    /// Instructions per record when this was written (Rust 1.95, x86-64 with AVX2).
    measured: f64,
    /// The first run; the second has twice as many, and the difference is what counts. Several
    /// megabytes, so that frames and parts become full.
    records: u64,
}

const CASES: [Case; 4] = [
    Case { kind: Kind::Pin, compression: "none", measured: 6_489.0, records: 10_000 },
    Case { kind: Kind::Pin, compression: "gzip", measured: 26_913.0, records: 10_000 },
    Case { kind: Kind::Geo, compression: "none", measured: 2_345.0, records: 60_000 },
    Case { kind: Kind::Geo, compression: "gzip", measured: 5_098.0, records: 60_000 },
];

#[test]
fn a_record_costs_no_more_instructions_than_measured() {
    let program = support::release::helper("hot-path-counted");
    let folder = support::scratch::folder("hot-path");
    let mut too_many = Vec::new();
    for case in &CASES {
        let file = folder.path().join(case.kind.as_str());
        std::fs::write(&file, lines(case.kind)).unwrap();
        let count = |records| instructions(&program, &file, case.compression, records);
        let (once, twice) = (count(case.records), count(2 * case.records));
        let each = (twice - once) as f64 / case.records as f64;
        let line = format!(
            "hot path, {} {}: {each:.0} instructions a record, {:+.1} % of the measured {:.0}",
            case.kind.as_str(),
            case.compression,
            (each / case.measured - 1.0) * 100.0,
            case.measured
        );
        std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
        if each > case.measured * TOLERANCE {
            too_many.push(line);
        }
    }
    assert!(too_many.is_empty(), "above the bound:\n{}", too_many.join("\n"));
}

fn lines(kind: Kind) -> Vec<u8> {
    let mut lines = Vec::new();
    for post in Posts::new(1).take(DIFFERENT) {
        post.write_json(kind, &mut lines);
        lines.push(b'\n');
    }
    lines
}

/// Instructions of a whole run, as callgrind counts them.
fn instructions(program: &Path, file: &Path, compression: &str, records: u64) -> u64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(program).arg(file).args([compression, &records.to_string()]);
    let output = command.output().expect("`valgrind` is there (.ci/set-up installs it)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let (_, count) = collected.unwrap_or_else(|| panic!("no count in:\n{said}"));
    count.trim().parse().unwrap()
}
