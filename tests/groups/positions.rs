//! Where reading goes on after a pause.
//!
//! librdkafka 2.12 takes the end of a log for a message and counts its offset plus one as read. It
//! pauses what is kept at each rebalance, and reads on from there: without a seek of our own the
//! first record behind an end that was seen is lost, if it comes before the next fetch.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::kafka;
use crate::support::kafka::topics::numbered;
use crate::support::proxy::When;
use crate::support::proxy::kafka::{KafkaProxy, Kind, on as on_kind};
use crate::{Fleet, PARTITIONS, SOON, under_load_at};

/// A fleet whose first instance runs behind a proxy and has seen the ends of all logs; those that
/// come later are not behind it.
fn first_at_the_ends<'a>(protocol: &str, produced: &'a AtomicUsize) -> (Fleet<'a>, KafkaProxy) {
    let proxy = kafka().proxy();
    let mut fleet = Fleet::new(kafka(), protocol, produced);
    let behind = format!("[{:?}]", proxy.bootstrap());
    let settings = fleet.settings.clone().set("kafka.bootstrap_servers", &behind);
    fleet.daemons.push(settings.start());
    reach_the_ends(&fleet, &[0]);
    (fleet, proxy)
}

/// The one fetch under way is held, so that no other one is sent, until the rebalance is over and
/// each partition has a record behind the end that its reader has seen.
fn records_that_come_during_a_rebalance_are_read(protocol: &str) {
    let produced = AtomicUsize::new(0);
    let (mut fleet, proxy) = first_at_the_ends(protocol, &produced);
    // Partitions are taken from it: it is asked to give some back.
    let fetch = proxy.hold(on_kind(Kind::Fetch), When::Before);
    fetch.reached();
    let guest = fleet.start();
    fleet.until_held_by(&[0, guest]);
    produce_a_round(&fleet);
    fetch.deliver();
    // Partitions come to it: those that it has are kept.
    reach_the_ends(&fleet, &[0, guest]);
    let fetch = proxy.hold(on_kind(Kind::Fetch), When::Before);
    fetch.reached();
    fleet.daemons[guest].stop_cleanly();
    fleet.until_held_by(&[0]);
    produce_a_round(&fleet);
    fetch.deliver();
    reach_the_ends(&fleet, &[0]);
    fleet.check();
}

#[test]
fn records_that_come_during_a_rebalance_are_read_classic() {
    records_that_come_during_a_rebalance_are_read("classic");
}

#[test]
fn records_that_come_during_a_rebalance_are_read_consumer() {
    records_that_come_during_a_rebalance_are_read("consumer");
}

/// Under load, and with every fetch slow: each partition's end is seen again and again.
fn a_rebalance_before_the_next_fetch_skips_nothing(protocol: &str) {
    let proxy = kafka().proxy();
    proxy.delay(on_kind(Kind::Fetch).always(), Duration::from_millis(200));
    under_load_at(kafka(), &proxy.bootstrap(), protocol, |fleet| {
        for _round in 0..2 {
            let guest = fleet.start();
            fleet.until_held_by(&[0, 1, guest]);
            fleet.let_records_come(2 * PARTITIONS);
            fleet.daemons[guest].stop_cleanly();
            fleet.until_held_by(&[0, 1]);
            fleet.let_records_come(2 * PARTITIONS);
        }
    });
}

#[test]
fn a_rebalance_before_the_next_fetch_skips_nothing_classic() {
    a_rebalance_before_the_next_fetch_skips_nothing("classic");
}

#[test]
fn a_rebalance_before_the_next_fetch_skips_nothing_consumer() {
    a_rebalance_before_the_next_fetch_skips_nothing("consumer");
}

/// The same with nothing under way: the position behind the end was then out of range.
fn a_rebalance_at_the_log_ends_skips_nothing(protocol: &str) {
    let produced = AtomicUsize::new(0);
    let mut fleet = Fleet::new(kafka(), protocol, &produced);
    let stays = fleet.start();
    for _round in 0..2 {
        reach_the_ends(&fleet, &[stays]);
        let guest = fleet.start();
        fleet.until_held_by(&[stays, guest]);
        reach_the_ends(&fleet, &[stays, guest]);
        fleet.daemons[guest].stop_cleanly();
        fleet.until_held_by(&[stays]);
    }
    reach_the_ends(&fleet, &[stays]);
    fleet.check();
}

/// Gives each partition two records and waits until its reader has seen the end behind them.
fn reach_the_ends(fleet: &Fleet<'_>, readers: &[usize]) {
    produce_a_round(fleet);
    produce_a_round(fleet);
    let ends: i64 = fleet.kafka.end_offsets(&fleet.topic).iter().sum();
    // Its log is shown if it fails: that of whoever came last says most.
    let reader = &fleet.daemons[readers[readers.len() - 1]];
    reader.wait_until("the ends of the logs to be seen", SOON, || {
        let seen = |index: &usize| {
            fleet.daemons[*index].metric("sluice_partition_log_end_offset", &[&fleet.topic])
        };
        (readers.iter().map(seen).sum::<f64>() as i64 == ends).then_some(())
    });
}

/// Gives each partition one record.
fn produce_a_round(fleet: &Fleet<'_>) {
    let number = fleet.produced.fetch_add(PARTITIONS, Ordering::Relaxed);
    fleet.kafka.produce(&fleet.topic, &numbered(number..number + PARTITIONS, PARTITIONS));
}

#[test]
fn a_rebalance_at_the_log_ends_skips_nothing_classic() {
    a_rebalance_at_the_log_ends_skips_nothing("classic");
}

#[test]
fn a_rebalance_at_the_log_ends_skips_nothing_consumer() {
    a_rebalance_at_the_log_ends_skips_nothing("consumer");
}
