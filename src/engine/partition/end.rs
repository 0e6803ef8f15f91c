//! How a partition ends: drained in order, stopped for a reason, or thrown away.

use super::{Action, Draining, Now, Partition};
use crate::engine::batch::{OpenBatch, Workshop};
use crate::engine::{ObjectId, StopReason};
use crate::model::SealReason;

impl Partition {
    /// Ends everything but the commit on its way.
    pub(super) fn stop(&mut self, reason: StopReason) {
        if self.is_stopped {
            return;
        }
        self.is_stopped = true;
        if matches!(reason, StopReason::TopicRecreated { .. }) {
            self.refresh_at = None;
        }
        self.actions.retain(|action| {
            matches!(action, Action::Commit { .. } | Action::Abort(_) | Action::Report(_))
        });
        for object in self.forget_batches() {
            self.actions.push_back(Action::Abort(object));
        }
        self.actions.push_back(Action::Stop(reason));
    }

    /// Lets go of every batch and returns the objects whose parts may be in S3.
    pub(super) fn forget_batches(&mut self) -> Vec<ObjectId> {
        let mut aborted = self.open.take().map(OpenBatch::discard).unwrap_or_default();
        let sealed = self.next.take().map(|next| next.batch).into_iter();
        let sealed = sealed.chain(self.current.take().map(|current| current.batch));
        for object in sealed.flat_map(|batch| batch.objects) {
            if object.parts > 0 {
                aborted.push(object.description.id);
            }
        }
        self.replay = None;
        aborted
    }

    /// Throws the open batch away. Its objects' ids are not given again: an abort may be late.
    pub(super) fn abort_open(&mut self) {
        let Some(open) = self.open.take() else { return };
        self.next_object = self.next_object.behind(open.objects());
        self.actions.extend(open.discard().into_iter().map(Action::Abort));
    }

    pub(super) fn drain(
        &mut self,
        now: Now,
        reason: SealReason,
        workshop: &mut Workshop,
    ) -> Result<(), StopReason> {
        if self.draining == Draining::No {
            self.draining = Draining::Yes;
        }
        if self.replay.take().is_some() {
            // Its plan stays pending; whoever comes next reads it again.
            self.abort_open();
        }
        self.seal_open(now, reason, workshop)
    }

    /// Stops behind what is in memory: that is finished as usual, because Kafka may not have it any
    /// more, or because it comes before the record that stops.
    pub(super) fn halt(
        &mut self,
        now: Now,
        reason: StopReason,
        seal: SealReason,
        workshop: &mut Workshop,
    ) -> Result<(), StopReason> {
        self.open.take_if(|open| open.stats().records == 0);
        self.seal_open(now, seal, workshop)?;
        self.halting = Some(reason);
        Ok(())
    }

    /// Returns the reason to stop, once what was in memory is finished.
    pub(super) fn take_halt(&mut self) -> Option<StopReason> {
        if self.is_idle() { self.halting.take() } else { None }
    }

    fn is_idle(&self) -> bool {
        self.open.is_none()
            && self.next.is_none()
            && self.current.is_none()
            && self.commit.is_none()
    }

    /// Says `Drained` once nothing of this machine is on its way any more.
    pub(super) fn say_drained(&mut self) {
        if self.draining == Draining::Yes && self.is_idle() {
            self.draining = Draining::Told;
            self.actions.push_back(Action::Drained);
        }
    }
}
