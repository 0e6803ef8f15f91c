//! Partitions that are assigned while nobody may commit for them: their token was killed alone.
//!
//! It owns: since when, and when the group has to be entered anew (rule 5).
//! It does not own: tokens that die together with their membership (`engine::Committer`).

use std::collections::BTreeMap;

use crate::engine::FREEZE_MAX;
use crate::model::{TopicPartition, Uptime};

#[derive(Debug, Default)]
pub(super) struct Orphans(BTreeMap<TopicPartition, Uptime>);

impl Orphans {
    pub(super) fn add(&mut self, partition: TopicPartition, now: Uptime) {
        self.0.insert(partition, now);
    }

    /// The partition was given away, or has a new token.
    pub(super) fn remove(&mut self, partition: &TopicPartition) {
        self.0.remove(partition);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns whether one has waited for too long; its time begins anew.
    pub(super) fn is_overdue(&mut self, now: Uptime) -> bool {
        let late = self.0.values_mut().filter(|since| now >= since.after(FREEZE_MAX));
        late.map(|since| *since = now).count() > 0
    }
}
