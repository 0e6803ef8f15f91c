//! The workers of an instance, and their batch ids.

use crate::daemon::mailbox::Mailbox;
use crate::daemon::status::LoopName;
use crate::daemon::worker::{Surroundings, Worker};
use crate::engine::{Random, Workshop};
use crate::format::Compressors;
use crate::layout::RouteCache;

const WORKERS: usize = 2;

pub(super) fn start_workers(around: &Surroundings, seed: u64) -> (Vec<Worker>, Vec<Mailbox>) {
    let start = |index: usize| {
        let mailbox = Mailbox::default();
        let name = LoopName::Worker(index);
        let heartbeat = around.status.loop_started(name, around.clock.uptime());
        let told = (around.metrics.worker_started(index), heartbeat);
        let workshop = Workshop {
            compressors: Compressors::new(),
            routes: RouteCache::default(),
            random: random(seed.rotate_left(u32::try_from(index).unwrap_or(0))),
        };
        (Worker::new(around.clone(), mailbox.clone(), workshop, told), mailbox)
    };
    (0..WORKERS).map(start).unzip()
}

/// The batch ids of a worker.
fn random(seed: u64) -> Random {
    let mut state = seed | 1;
    Random(Box::new(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }))
}
