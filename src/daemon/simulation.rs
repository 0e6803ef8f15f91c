//! Whole daemons in a world that is made of one seed: librdkafka, the group coordinator and S3 are
//! models that do what the real ones were seen to do; everything of ours between them is real.
//!
//! It owns: the models, the scenarios, the verdict. It does not own: how many seeds are run and what
//! they must have met (`tests/simulation.rs`), which rule is broken meanwhile (`mutant`).
//!
//! One thread, time that stands still unless the world lets it pass, one source of chance: a seed
//! gives the same run each time, and a digest of it says so.
#![allow(clippy::expect_used, reason = "a test's world: what it makes itself is whole")]

mod bucket;
mod client;
mod cluster;
mod code;
mod coordinator;
mod dice;
mod instance;
mod ledger;
mod seen;
mod settings;
mod theme;
mod wire;
mod world;

use std::sync::{Arc, OnceLock};

use crate::config::{Protocol, Settings};

pub use seen::{Scenario, Seen};

use world::World;

/// How a seed went.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub steps: u64,
    /// A digest of all that happened, in order.
    pub trace: u64,
    pub seen: Seen,
    /// What must not be and was; empty if all is well.
    pub violations: Vec<String>,
}

/// Runs one seed. `is_told`: every step goes to the log.
pub fn run(seed: u64, is_told: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let mut world = World::new(seed, all_settings(seed), is_told);
        world.run().await;
        world.judge();
        let kafka = world.kafka.lock();
        let (seen, violations) = (kafka.seen.clone(), kafka.violations.clone());
        Outcome { steps: world.steps, trace: world.trace, seen, violations }
    })
}

/// Both protocols take turns, each with every theme.
fn all_settings(seed: u64) -> Vec<Arc<Settings>> {
    static READ: OnceLock<[Vec<Arc<Settings>>; 2]> = OnceLock::new();
    let all = READ.get_or_init(|| {
        let read: Vec<Settings> = (0..settings::COUNT).map(settings::settings).collect();
        [Protocol::Classic, Protocol::Consumer].map(|protocol| {
            let of = |settings| Arc::new(settings::of_protocol(settings, protocol));
            read.iter().map(of).collect()
        })
    });
    let [classic, consumer] = all;
    if (seed / theme::THEMES).is_multiple_of(2) { classic.clone() } else { consumer.clone() }
}
