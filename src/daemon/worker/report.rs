//! What a worker tells each second: its partitions, its open batches, the budget.

use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use super::slot::{Slot, State};
use crate::daemon::metrics::OpenBatches;
use crate::daemon::status::{PartitionRow, Stopped};
use crate::engine::Partition;
use crate::model::Uptime;

impl Worker {
    pub(super) fn report(&mut self, now: Uptime) {
        self.look_at_log_ends(now);
        let mut open = OpenBatches { count: 0, bytes: 0, oldest_age: Duration::ZERO };
        for slot in self.slots.values_mut() {
            slot.metrics.starting(slot.word() == "starting");
            let State::Running(machine) = &slot.state else { continue };
            let (cursor, published_to) = (machine.cursor(), machine.published_to());
            if let Some(time) = slot.progress.look(cursor, published_to, slot.log_end) {
                slot.metrics.published_time(time);
                slot.published_time = Some(time);
            }
            slot.metrics.consumed(slot.consumed().unwrap_or(cursor));
            slot.metrics.buffered(cursor);
            slot.metrics.committed(machine.frontier());
            slot.metrics.published(published_to);
            if let Some(stats) = machine.open_stats() {
                open.count += 1;
                open.bytes += u64::try_from(machine.open_bytes()).unwrap_or(u64::MAX);
                open.oldest_age = open.oldest_age.max(now.since(stats.opened));
            }
        }
        self.told.open_batches_are(open);
        let budget = &self.around.budget;
        self.around.metrics.memory_is(budget.used_bytes(), budget.limit_bytes());
        let rows = self.slots.values().map(|slot| (slot.partition.clone(), row(slot)));
        self.around.status.partitions_are(rows);
    }
}

fn row(slot: &Slot) -> PartitionRow {
    let machine = slot.machine();
    let stats = machine.and_then(Partition::open_stats);
    PartitionRow {
        state: slot.word(),
        consumed: slot.consumed(),
        published: machine.map(Partition::published_to),
        committed: machine.map(Partition::frontier).or(slot.committed),
        log_end: slot.log_end,
        published_time: slot.published_time,
        open_records: stats.map_or(0, |stats| stats.records),
        open_bytes: stats.map_or(0, |stats| stats.value_bytes),
        last_key: slot.last_key.clone(),
        stopped: slot.stopped.as_ref().map(|(reason, _)| Stopped {
            reason: reason.label(),
            was_asked_for: reason.was_asked_for(),
            text: Arc::from(reason.to_string()),
            key: reason.key().cloned(),
        }),
    }
}
