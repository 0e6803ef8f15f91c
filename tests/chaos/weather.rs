//! What happens around the daemons: brokers, the coordinator, partitions, and S3's moods.
//!
//! It owns: both sequences, drawn from the seed, and their pace.
//! It does not own: what happens to the daemons (`fleet.rs`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

use crate::stream::{Topic, Topics};
use crate::support::proxy::On;
use crate::support::proxy::s3::{Canned, Operation, S3Proxy, S3Request};
use crate::support::{Kafka, wait};
use crate::tally::{Counter, Tally};

/// Between a cluster that is whole again and the next event (a group needs its session of 6 s to find out who is dead).
const CALM_MS: std::ops::Range<u64> = 5_000..10_000;
/// How long a killed broker stays away.
const AWAY_MS: std::ops::Range<u64> = 500..2_500;
/// Between two moods of S3.
const MOOD_MS: std::ops::Range<u64> = 300..2_000;
/// More partitions of one topic teach nothing and slow down the comparison.
const PARTITIONS_MAX: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    KillBroker,
    StopBroker,
    KillCoordinator,
    MoveCoordinator,
    AddPartitions,
}

const EVENTS: [Event; 6] = [
    Event::KillBroker,
    Event::StopBroker,
    Event::KillCoordinator,
    Event::MoveCoordinator,
    Event::AddPartitions,
    Event::AddPartitions,
];

/// Brokers die one at a time; the next event waits until all replicas are in sync again.
pub fn over_kafka(kafka: &Kafka, topics: &Topics, seed: u64, tally: &Tally, ended: &AtomicBool) {
    let mut random = StdRng::seed_from_u64(seed ^ 1);
    loop {
        let mut events = EVENTS;
        events.shuffle(&mut random);
        for event in events {
            if !calm(Duration::from_millis(random.random_range(CALM_MS)), ended) {
                return;
            }
            let broker = random.random_range(0..3);
            let away = Duration::from_millis(random.random_range(AWAY_MS));
            match event {
                Event::KillBroker => kill(kafka, broker, away, tally),
                Event::StopBroker => {
                    count_move(kafka, broker, tally);
                    kafka.stop_broker(broker);
                    tally.broker_stops.one();
                    std::thread::sleep(away);
                }
                Event::KillCoordinator => {
                    kill(kafka, kafka.coordinator().unwrap_or(broker), away, tally);
                }
                Event::MoveCoordinator => {
                    tally.coordinator_moves.add(usize::from(kafka.move_coordinator()));
                }
                Event::AddPartitions => {
                    let growing = [&topics.plain, &topics.transactional];
                    grow(kafka, growing.choose(&mut random).unwrap(), tally);
                }
            }
            kafka.restart();
            kafka.wait_until_in_sync();
        }
    }
}

fn kill(kafka: &Kafka, broker: usize, away: Duration, tally: &Tally) {
    count_move(kafka, broker, tally);
    kafka.kill_9_broker(broker);
    tally.broker_kills.one();
    std::thread::sleep(away);
}

/// A broker that goes away takes the coordinator with it.
fn count_move(kafka: &Kafka, broker: usize, tally: &Tally) {
    tally.coordinator_moves.add(usize::from(kafka.coordinator() == Some(broker)));
}

fn grow(kafka: &Kafka, topic: &Topic, tally: &Tally) {
    let total = topic.partitions() + 1;
    if total <= PARTITIONS_MAX {
        kafka.add_partitions(&topic.name, total);
        topic.partitions.store(total, Ordering::Relaxed);
        tally.partitions_added.one();
    }
}

/// Waits; false if the run ends.
fn calm(pause: Duration, ended: &AtomicBool) -> bool {
    wait::until_or(pause, || ended.load(Ordering::Relaxed).then_some(())).is_none()
}

/// A mood of S3, and how many requests it hits at a time.
#[derive(Debug, Clone, Copy)]
struct Mood {
    name: &'static str,
    requests_max: usize,
}

const MOODS: [Mood; 9] = [
    Mood { name: "500", requests_max: 4 },
    Mood { name: "503", requests_max: 8 },
    // For 30 s, in which its partition gets no further.
    Mood { name: "hung", requests_max: 1 },
    Mood { name: "cut before", requests_max: 3 },
    Mood { name: "cut after", requests_max: 3 },
    Mood { name: "500", requests_max: 1 },
    Mood { name: "503", requests_max: 1 },
    Mood { name: "cut before", requests_max: 1 },
    Mood { name: "cut after", requests_max: 1 },
];

/// Counters of every mood, for the tally.
pub fn moods() -> std::collections::BTreeMap<&'static str, Counter> {
    MOODS.map(|mood| (mood.name, Counter::default())).into()
}

/// S3 refuses, hangs, or loses connections before or after it acted.
pub fn over_s3(proxy: &S3Proxy, seed: u64, tally: &Tally, ended: &AtomicBool) {
    let mut random = StdRng::seed_from_u64(seed ^ 2);
    loop {
        let mut moods = MOODS;
        moods.shuffle(&mut random);
        for Mood { name, requests_max } in moods {
            if !calm(Duration::from_millis(random.random_range(MOOD_MS)), ended) {
                return;
            }
            let times = random.random_range(1..=requests_max);
            let on = hit(tally.s3_faults[name].clone()).times(times);
            match name {
                "500" => proxy.answer(on, Canned::error(500, "InternalError")),
                "503" => proxy.answer(on, Canned::error(503, "SlowDown")),
                "hung" => proxy.hang(on),
                "cut before" => proxy.drop_requests(on),
                _ => proxy.drop_answers(on),
            }
        }
    }
}

/// Requests that read or write objects, claims among them; counted as they are hit.
fn hit(counter: Counter) -> On<S3Request> {
    On::matching(|request: &S3Request| {
        matches!(
            request.operation,
            Operation::PutObject
                | Operation::CreateMultipartUpload
                | Operation::UploadPart
                | Operation::CompleteMultipartUpload
                | Operation::HeadObject
                | Operation::GetObject
        )
    })
    .and(move |_| {
        // Asked last, and only while the rule still acts.
        counter.one();
        true
    })
}
