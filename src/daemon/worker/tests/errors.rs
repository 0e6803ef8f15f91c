//! What Kafka says of a partition comes once: it must not be lost.

use super::*;
use crate::daemon::worker::resume::{REFUSED_MAX, Refused};

/// Another partition's replay has all the memory: nothing of this one is taken.
#[test]
fn an_error_is_heard_while_memory_is_short() {
    let mut rig = Rig::reading(at(100));
    rig.worker.turns.give(Uptime::ZERO, [(Address(u64::MAX), at(0))].into_iter());
    rig.until("the position out of range", |rig| {
        rig.worker.read();
        rig.slot().asks_watermarks
    });
}

#[test]
fn an_error_is_heard_while_messages_are_struck_out() {
    let mut rig = Rig::reading(at(100));
    rig.slot().must_seek = true;
    rig.until("the position out of range", |rig| {
        rig.worker.read();
        rig.slot().asks_watermarks
    });
}

/// librdkafka reads on from the committed offset while Kafka and the claim are still asked.
#[test]
fn an_error_from_before_the_start_is_heard_at_the_start() {
    let mut rig = Rig::reading(at(100));
    rig.slot().state = State::Settling;
    rig.until("the position out of range", |rig| {
        rig.worker.read();
        rig.slot().is_out_of_range
    });
    let machine = machine(&rig.worker, at(100));
    rig.slot().state = State::Running(Box::new(machine));
    rig.worker.ask_if_out_of_range(rig.address);
    assert!(rig.slot().asks_watermarks);
}

/// Whatever has ended the fetching: librdkafka refuses every seek from then on.
#[test]
fn a_partition_that_is_not_read_on_for_long_asks_where_the_log_ends() {
    let mut rig = Rig::reading(at(100));
    rig.until("the position out of range", |rig| {
        let fetcher = rig.worker.fetcher.as_mut().unwrap();
        fetcher.read(1, Duration::from_millis(100), &|| false).is_some()
    });
    rig.worker.resume_ready(Uptime::ZERO);
    let refused = Refused::again(None, Uptime::ZERO);
    assert_eq!(rig.slot().refused, Some(refused));
    rig.worker.resume_ready(Uptime::ZERO);
    assert_eq!(rig.slot().refused, Some(refused), "it is not tried without a pause");
    assert!(!rig.slot().asks_watermarks);
    rig.worker.resume_ready(Uptime::ZERO.after(REFUSED_MAX));
    assert!(rig.slot().asks_watermarks);
    assert!(rig.slot().is_paused && rig.slot().must_seek);
}

/// It would be sent what is struck out and fetched again, over and over.
#[test]
fn what_waits_behind_a_replay_is_not_fetched() {
    let mut rig = Rig::reading(at(100));
    rig.until("the position out of range", |rig| {
        let fetcher = rig.worker.fetcher.as_mut().unwrap();
        fetcher.read(1, Duration::from_millis(100), &|| false).is_some()
    });
    let other = Address(u64::MAX);
    rig.worker.turns.give(Uptime::ZERO, [(other, at(0))].into_iter());
    rig.worker.resume_ready(Uptime::ZERO);
    assert_eq!(rig.slot().refused, None, "no seek was tried");
    rig.worker.turns.forget(other);
    rig.worker.resume_ready(Uptime::ZERO);
    assert_eq!(rig.slot().refused, Some(Refused::again(None, Uptime::ZERO)));
}
