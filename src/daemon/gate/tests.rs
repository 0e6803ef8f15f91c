//! What the gate adds to the committer: orders to the polling thread.

use super::*;
use crate::daemon::metrics::PartitionSeries;
use crate::engine::FREEZE_MAX;

fn gate() -> Arc<Gate> {
    let metrics = Metrics::new(PartitionSeries::Shown).unwrap();
    Gate::new(Protocol::Classic, Clock::start(), metrics)
}

fn pin() -> TopicPartition {
    TopicPartition::new("pin", 0).unwrap()
}

/// Returns what the polling thread is told when it has been long ago.
fn order_later(gate: &Gate) -> Option<Order> {
    let later = gate.clock.uptime().after(FREEZE_MAX);
    gate.lock().look_at_orphans(later);
    gate.take_order()
}

#[test]
fn a_partition_that_stays_without_its_token_enters_the_group_anew() {
    let gate = gate();
    let address = gate.assign(&pin(), &Mailbox::default());
    gate.kill_address(address);
    gate.lock().look_at_orphans(gate.clock.uptime());
    assert_eq!(gate.take_order(), None, "a rebalance may be on its way");
    assert_eq!(order_later(&gate), Some(Order::Resubscribe));
}

#[test]
fn a_partition_that_was_given_away_or_has_a_new_token_enters_nothing_anew() {
    let gate = gate();
    let address = gate.assign(&pin(), &Mailbox::default());
    gate.kill_address(address);
    gate.kill(&[pin()]);
    assert_eq!(order_later(&gate), None);
    let address = gate.assign(&pin(), &Mailbox::default());
    gate.kill_address(address);
    gate.assign(&pin(), &Mailbox::default());
    assert_eq!(order_later(&gate), None);
}
