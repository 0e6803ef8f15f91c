//! Publishing a planned batch: the claim first if parts went up, the first object alone if this
//! assignment has not proven its names yet, then the rest.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::{Action, Current, Now, Partition, Report, Stage};
use crate::engine::batch::SealedObject;
use crate::engine::{ObjectId, StopReason};
use crate::mutant::Mutant;

/// Objects that are being published, with their places in the batch.
pub(super) type OnTheirWay = BTreeMap<ObjectId, usize>;

impl Partition {
    /// The plan of the current batch stands in Kafka: from here on it is an obligation.
    pub(super) fn plan_is_committed(&mut self, now: Now) {
        let Some(current) = &mut self.current else { return };
        if current.batch.has_multipart() {
            current.stage = Stage::Claiming;
            let plan = &current.batch.plan;
            let (plan, start) = (plan.encode(), plan.range.start());
            self.actions.push_back(Action::WriteClaim { plan, start });
        } else {
            self.begin_publishing(now);
        }
    }

    pub(super) fn claim_written(&mut self, now: Now) -> Result<(), StopReason> {
        if self.current.as_ref().is_some_and(|current| matches!(current.stage, Stage::Claiming)) {
            self.begin_publishing(now);
        }
        Ok(())
    }

    fn begin_publishing(&mut self, now: Now) {
        let Some(current) = &mut self.current else { return };
        if current.batch.objects.is_empty() {
            // No release plans such a batch, but a plan is input from outside.
            return self.batch_is_published(now);
        }
        let first_of_its_kind =
            if current.is_replay { &mut self.replay_is_first } else { &mut self.fresh_is_first };
        let is_first = std::mem::replace(first_of_its_kind, false);
        let held_back = is_first && !Mutant::FirstIsNotAlone.is_on();
        let count = if held_back { 1 } else { current.batch.objects.len() };
        publish(current, 0..count, &mut self.actions);
        current.stage = Stage::Publishing {
            on_their_way: on_their_way(&current.batch.objects, 0..count),
            held_back,
        };
    }

    /// An object is in S3 for good.
    pub(super) fn published(&mut self, now: Now, object: ObjectId) -> Result<(), StopReason> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let Stage::Publishing { on_their_way, held_back } = &mut current.stage else {
            return Ok(());
        };
        let Some(index) = on_their_way.remove(&object) else { return Ok(()) };
        if let Some(object) = current.batch.objects.get(index) {
            self.actions.push_back(reported(object));
        }
        if !on_their_way.is_empty() {
            return Ok(());
        }
        let count = current.batch.objects.len();
        if std::mem::replace(held_back, false) && count > 1 {
            *on_their_way = self::on_their_way(&current.batch.objects, 1..count);
            publish(current, 1..count, &mut self.actions);
            return Ok(());
        }
        self.batch_is_published(now);
        Ok(())
    }

    fn batch_is_published(&mut self, now: Now) {
        let Some(current) = &mut self.current else { return };
        if current.is_pass {
            self.current = None;
            return self.begin_next_pass(now);
        }
        current.stage = Stage::Published;
        self.actions.push_back(Action::Report(Report::BatchPublished {
            range: current.batch.plan.range,
            since_sealed: now.uptime.since(current.sealed_at),
        }));
    }
}

fn on_their_way(objects: &[SealedObject], places: Range<usize>) -> OnTheirWay {
    let objects = objects.iter().enumerate().take(places.end).skip(places.start);
    objects.map(|(index, object)| (object.description.id, index)).collect()
}

/// Hands out the objects of a range of places.
fn publish(current: &mut Current, places: Range<usize>, actions: &mut VecDeque<Action>) {
    let plan: Arc<str> = current.batch.plan.encode().into();
    for index in places {
        let Some(handed) = current.batch.hand_out(index) else { return };
        let (object, count) = (handed.description, handed.count);
        actions.push_back(match handed.whole {
            Some(body) => Action::Put { object, count, plan: Arc::clone(&plan), body },
            None => Action::Complete { object, count, parts: handed.parts },
        });
    }
}

fn reported(object: &SealedObject) -> Action {
    Action::Report(Report::ObjectPublished {
        key: object.description.key.clone(),
        records: object.count,
        stored_bytes: object.stored_bytes,
    })
}
