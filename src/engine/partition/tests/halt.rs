//! A partition that has to stop finishes first what is in memory.

use std::sync::Arc;

use super::rig::{Rig, options, sealing_at};
use crate::engine::partition::PartitionOptions;
use crate::layout::{Layout, OnBad};

#[test]
fn a_record_that_stops_lets_what_comes_before_it_be_written() {
    let layout = Arc::new(Layout { on_bad: OnBad::Stop, ..Layout::clone(&options().layout) });
    let mut rig = Rig::new(PartitionOptions { layout, ..sealing_at(10) });
    assert!(rig.read(0, "a").is_empty());
    assert_eq!(rig.read(1, "!"), ["commit 0 plan [0, 1)"]);
    assert!(!rig.machine.wants_records());
    assert_eq!(rig.committed(), ["put t/k=a/0.json"]);
    assert_eq!(rig.published(), ["commit 1 none"]);
    assert_eq!(rig.committed(), ["stop bad_record"]);
}

#[test]
fn records_that_were_lost_behind_the_position_do_not_take_what_was_read_with_them() {
    // Kafka has deleted them too: what is in memory is the only copy.
    let mut rig = Rig::new(sealing_at(10));
    rig.read(0, "a");
    assert_eq!(rig.out_of_range(5, 9), ["commit 0 plan [0, 1)"]);
    assert_eq!(rig.committed(), ["put t/k=a/0.json"]);
    assert_eq!(rig.published(), ["commit 1 none"]);
    assert_eq!(rig.committed(), ["stop lost_records"]);
}
