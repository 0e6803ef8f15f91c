//! What Kafka says of a partition comes once: it must not be lost.

use super::*;

/// Another partition's replay has all the memory: nothing of this one is taken.
#[test]
fn an_error_is_heard_while_memory_is_short() {
    let mut rig = Rig::reading(at(100));
    rig.worker.privileged = Some(Address(u64::MAX));
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
