//! A pending plan that is read again: an obligation, kept under its own layout (rules 12 and 13).

use std::sync::Arc;

use super::{Action, Current, Now, OnLostRecords, Partition, Report, Stage};
use crate::engine::batch::{Birth, OpenBatch, Workshop};
use crate::engine::{Plan, StopReason};
use crate::model::{Offset, Uptime};

/// A pending plan that is being read again.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) plan: Box<Plan>,
    /// Since when the log is known to end below the plan's end, and where.
    pub(super) short_since: Option<(Uptime, Offset)>,
}

impl Partition {
    /// Reads a pending plan again, under its own layout, id and opening time (rule 12).
    pub(super) fn begin_replay(&mut self, plan: Box<Plan>, now: Now) {
        let birth = Birth {
            batch: plan.batch,
            start: plan.range.start(),
            opened: plan.opened,
            now: now.uptime,
            layout: Arc::new(plan.layout.clone()),
            sizes: self.options.sizes,
            first_object: self.next_object,
        };
        self.open = Some(OpenBatch::new(&self.source, birth));
        self.actions.push_back(Action::Report(Report::ReplayStarted { range: plan.range }));
        self.replay = Some(Replay { plan, short_since: None });
    }

    /// Compares what was read with what was promised, before anything is published (rule 13).
    pub(super) fn finish_replay(
        &mut self,
        now: Now,
        workshop: &mut Workshop,
    ) -> Result<(), StopReason> {
        let (Some(Replay { plan, .. }), Some(open)) = (self.replay.take(), self.open.take()) else {
            return Ok(());
        };
        let range = plan.range;
        let mut batch = self.seal(open, range.end(), workshop)?;
        let (planned, found) = (plan.records, batch.plan.records);
        if batch.plan.digest != plan.digest {
            self.abort_parts_of(&batch);
            if found >= planned {
                return Err(StopReason::ReplayDiffers { range, planned, found });
            }
            return match self.options.on_lost_records {
                OnLostRecords::Stop => Err(StopReason::ReplayShort { range, planned, found }),
                OnLostRecords::Skip => {
                    self.give_up_to(range.start(), range.end());
                    Ok(())
                }
            };
        }
        self.actions.push_back(Action::Report(Report::ReplayAgreed { range }));
        batch.plan = *plan; // as it stands in Kafka; a record that was skipped may be gone by now
        self.tail = range.end();
        self.current =
            Some(Current { batch, sealed_at: now.uptime, is_replay: true, stage: Stage::Planning });
        self.plan_is_committed(now);
        Ok(())
    }

    /// Gives up records that were still to be read: the frontier moves past them, loudly.
    pub(super) fn give_up_to(&mut self, from: Offset, to: Offset) {
        self.actions.push_back(Action::Report(Report::LostRecords { from, to }));
        self.tail = to;
        self.cursor = self.cursor.max(to);
        self.log_end = Some(to);
    }
}
