//! Bytes that are nearly right: samples of a corpus with a few edits.
//!
//! It owns: reading the corpus, the edits, running one target for its time and saying what broke
//! it. It does not own: what must hold (`targets.rs`).
//!
//! Why not cargo-fuzz: it needs a nightly compiler and is no part of `cargo test`. Why not bolero:
//! without libFuzzer it only draws bytes at random, and it brings 24 crates. What is lost is the
//! guidance by coverage; the samples and words below stand for it.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

/// Of every run; the full set takes longer.
const SECONDS: u64 = 2;
const SECONDS_FULL: u64 = 60;
const BYTES_MAX: usize = 16 * 1024;

/// One step away from a sample. Positions are taken modulo the length.
#[derive(Clone, Debug)]
enum Edit {
    Set {
        at: usize,
        byte: u8,
    },
    Insert {
        at: usize,
        bytes: Vec<u8>,
    },
    Remove {
        at: usize,
        count: usize,
    },
    /// A stretch once more, somewhere else.
    Copy {
        from: usize,
        count: usize,
        to: usize,
    },
    /// The end of another sample from there on.
    Cross {
        at: usize,
        other: usize,
    },
}

/// Runs `check` on edited samples of `tests/fuzz/corpus/<target>` until the time is over.
///
/// # Panics
///
/// With the smallest bytes that broke it.
pub fn fuzz(target: &str, words: &'static [&'static str], check: impl Fn(&[u8])) {
    let corpus = corpus(target);
    for (name, bytes) in &corpus {
        eprintln!("{target}: sample {name}");
        check(bytes);
    }
    let samples: Vec<Vec<u8>> = corpus.into_iter().map(|(_name, bytes)| bytes).collect();
    let inputs = inputs(samples, words);
    let seconds = if super::support::full_set("the long fuzzing") { SECONDS_FULL } else { SECONDS };
    let end = Instant::now() + Duration::from_secs(seconds);
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let mut cases = 0_u64;
    while Instant::now() < end {
        let tree = inputs.new_tree(&mut runner).unwrap();
        let run = runner.run_one(tree, |bytes| {
            check(&bytes);
            Ok(())
        });
        if let Err(TestError::Fail(reason, bytes)) = run {
            panic!(
                "{target} breaks ({reason}) with:\n{}\n\
                 Mend it, and keep these bytes as a file in tests/fuzz/corpus/{target}.",
                bytes.escape_ascii()
            );
        }
        cases += 1;
    }
    let said = format!("fuzz, {target}: {cases} inputs in {seconds} s\n");
    // The capture of a test's output takes macros only.
    std::io::stderr().write_all(said.as_bytes()).unwrap();
}

/// Every sample of a target, by its file's name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut samples: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    samples.sort();
    assert!(!samples.is_empty(), "no samples in {}", folder.display());
    samples
}

fn inputs(samples: Vec<Vec<u8>>, words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let edited =
        (any::<prop::sample::Index>(), vec(edit(words), 0..12)).prop_map(move |(first, edits)| {
            let mut bytes = first.get(&samples).clone();
            for edit in &edits {
                apply(edit, &mut bytes, &samples);
            }
            bytes.truncate(BYTES_MAX);
            bytes
        });
    prop_oneof![9 => edited, 1 => vec(any::<u8>(), 0..200)]
}

fn edit(words: &'static [&'static str]) -> impl Strategy<Value = Edit> {
    let at = any::<usize>;
    let bytes = || {
        prop_oneof![
            3 => prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
            1 => vec(any::<u8>(), 1..8),
            1 => (any::<u8>(), 1..600_usize).prop_map(|(byte, count)| vec![byte; count]),
        ]
    };
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set { at, byte }),
        (at(), bytes()).prop_map(|(at, bytes)| Edit::Insert { at, bytes }),
        (at(), 1..40_usize).prop_map(|(at, count)| Edit::Remove { at, count }),
        (at(), 1..200_usize, at()).prop_map(|(from, count, to)| Edit::Copy { from, count, to }),
        (at(), at()).prop_map(|(at, other)| Edit::Cross { at, other }),
    ]
}

fn apply(edit: &Edit, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
    let place = |at: usize| at % (bytes.len() + 1);
    match edit {
        Edit::Set { at, byte } => {
            let at = place(*at);
            if let Some(there) = bytes.get_mut(at) {
                *there = *byte;
            }
        }
        Edit::Insert { at, bytes: new } => {
            let at = place(*at);
            bytes.splice(at..at, new.iter().copied());
        }
        Edit::Remove { at, count } => {
            let at = place(*at);
            bytes.drain(at..bytes.len().min(at + count));
        }
        Edit::Copy { from, count, to } => {
            let (from, to) = (place(*from), place(*to));
            let stretch = bytes[from..bytes.len().min(from + count)].to_vec();
            bytes.splice(to..to, stretch);
        }
        Edit::Cross { at, other } => {
            let at = place(*at);
            let other = &samples[other % samples.len()];
            bytes.truncate(at);
            bytes.extend_from_slice(&other[at.min(other.len())..]);
        }
    }
}
