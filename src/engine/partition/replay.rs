//! A pending plan that is read again: an obligation, kept under its own layout (rules 12 and 13).
//!
//! What does not fit in memory is read in passes (rule 14). The first only counts, so that it costs
//! an entry an object, and learns the names that only the end of an object gives; each later one
//! keeps as many objects as fit, and publishes them before the next begins. Every pass reads the
//! whole range and meets the digest before it publishes anything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::{Action, Current, Now, OnLostRecords, Partition, Report, Stage};
use crate::engine::batch::{Birth, CountedObject, Kept, OpenBatch, SealedBatch, Workshop};
use crate::engine::{Plan, StopReason};
use crate::model::{Offset, Uptime};
use crate::mutant::Mutant;

/// A pending plan that is being read again.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) plan: Box<Plan>,
    /// Since when the log is known to end below the plan's end, and where.
    pub(super) short_since: Option<(Uptime, Offset)>,
    passes: Option<Passes>,
}

/// How a plan is read that does not fit in memory.
#[derive(Debug)]
struct Passes {
    bytes_max: u64,
    /// None as long as they are being counted.
    left: Option<VecDeque<CountedObject>>,
    /// What the present pass keeps.
    kept: Vec<CountedObject>,
}

impl Passes {
    /// Chooses what the next pass keeps: as much as fits, and one object at least.
    fn choose(&mut self, part_bytes: u64) {
        let (mut sum, left) = (0, self.left.get_or_insert_default());
        self.kept.clear();
        while let Some(object) = left.front() {
            // What is larger than a part goes up while it is read.
            sum += object.framed_bytes.min(2 * part_bytes);
            if sum > self.bytes_max && !self.kept.is_empty() {
                return;
            }
            self.kept.extend(left.pop_front());
        }
    }

    fn spans(&self) -> BTreeMap<Offset, crate::layout::ObjectSpan> {
        self.kept.iter().map(|object| (object.span.first, object.span)).collect()
    }
}

impl Partition {
    /// Reads a pending plan again, under its own layout, id and opening time (rule 12).
    pub(super) fn begin_replay(&mut self, plan: Box<Plan>, now: Now) {
        self.actions.push_back(Action::Report(Report::ReplayStarted { range: plan.range }));
        self.begin_pass(Replay { plan, short_since: None, passes: None }, now);
    }

    fn begin_pass(&mut self, mut replay: Replay, now: Now) {
        replay.short_since = None;
        let plan = &replay.plan;
        let birth = Birth {
            batch: plan.batch,
            start: plan.range.start(),
            opened: if Mutant::ReplayOpensNow.is_on() { now.wall } else { plan.opened },
            now: now.uptime,
            layout: match Mutant::PlanUnderNewLayout.is_on() {
                true => Arc::clone(&self.options.layout),
                false => Arc::new(plan.layout.clone()),
            },
            sizes: self.options.sizes,
            first_object: self.next_object,
            kept: replay.passes.as_ref().map_or(Kept::All, |passes| Kept::Only(passes.spans())),
        };
        self.cursor = plan.range.start();
        self.open = Some(OpenBatch::new(&self.source, birth));
        self.replay = Some(replay);
    }

    /// What the last pass kept is published: on to the next one. After a drain there is none, and
    /// the plan stays pending for whoever comes next.
    pub(super) fn begin_next_pass(&mut self, now: Now) {
        let Some(mut replay) = self.replay.take() else { return };
        if let Some(passes) = &mut replay.passes {
            passes.choose(self.options.sizes.part_bytes);
            self.actions.push_back(Action::Report(Report::ReplayPass {
                range: replay.plan.range,
                objects: passes.kept.len(),
                left: passes.left.as_ref().map_or(0, VecDeque::len),
            }));
        }
        self.begin_pass(replay, now);
        self.actions.push_back(Action::Rewind);
    }

    /// Returns whether the objects of a pass are being published and another one is to follow.
    pub(super) fn is_between_passes(&self) -> bool {
        self.replay.is_some() && self.open.is_none()
    }

    /// Returns whether a pending plan is read in passes, because it does not fit in memory.
    pub fn is_in_passes(&self) -> bool {
        self.replay.as_ref().is_some_and(|replay| replay.passes.is_some())
    }

    /// Lets go of what a replay has read. One that is read in passes goes on with the same pass.
    pub(super) fn replay_again(&mut self, now: Now, pass_bytes_max: Option<u64>) {
        if self.open.is_none() {
            return;
        }
        let Some(mut replay) = self.replay.take() else { return };
        self.abort_open();
        if let (None, Some(bytes_max)) = (&replay.passes, pass_bytes_max) {
            replay.passes = Some(Passes { bytes_max, left: None, kept: Vec::new() });
        }
        self.begin_pass(replay, now);
        self.actions.push_back(Action::Rewind);
    }

    /// Compares what was read with what was promised, before anything is published (rule 13). Does
    /// nothing between two passes.
    pub(super) fn finish_replay(
        &mut self,
        now: Now,
        workshop: &mut Workshop,
    ) -> Result<(), StopReason> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let Some(mut replay) = self.replay.take() else { return Ok(()) };
        let range = replay.plan.range;
        let mut batch = self.seal(open, range.end(), workshop)?;
        if batch.plan.digest != replay.plan.digest && !Mutant::DigestIsNotCompared.is_on() {
            return self.replay_differs(&replay.plan, &batch);
        }
        if let Some(passes) = &mut replay.passes
            && passes.left.is_none()
        {
            passes.left = Some(std::mem::take(&mut batch.counted).into());
            self.replay = Some(replay);
            self.begin_next_pass(now);
            return Ok(());
        }
        self.actions.push_back(Action::Report(Report::ReplayAgreed { range }));
        batch.plan = (*replay.plan).clone(); // as it stands in Kafka; a skipped record may be gone
        batch.counted.clear();
        self.tail = range.end();
        let left = replay.passes.as_ref().and_then(|passes| passes.left.as_ref());
        let is_pass = left.is_some_and(|left| !left.is_empty()) && !Mutant::PassesEndEarly.is_on();
        if is_pass {
            self.replay = Some(replay);
        }
        let (sealed_at, stage) = (now.uptime, Stage::Planning);
        self.current = Some(Current { batch, sealed_at, is_replay: true, is_pass, stage });
        self.plan_is_committed(now);
        Ok(())
    }

    fn replay_differs(&mut self, plan: &Plan, batch: &SealedBatch) -> Result<(), StopReason> {
        self.abort_parts_of(batch);
        let range = plan.range;
        let (planned, found) = (plan.records, batch.plan.records);
        if found >= planned {
            return Err(StopReason::ReplayDiffers { range, planned, found });
        }
        match self.options.on_lost_records {
            OnLostRecords::Stop => Err(StopReason::ReplayShort { range, planned, found }),
            OnLostRecords::Skip => {
                self.give_up_to(range.start(), range.end());
                Ok(())
            }
        }
    }

    /// Gives up records that were still to be read: the frontier moves past them, loudly.
    pub(super) fn give_up_to(&mut self, from: Offset, to: Offset) {
        self.actions.push_back(Action::Report(Report::LostRecords { from, to }));
        self.tail = to;
        self.cursor = self.cursor.max(to);
        self.log_end = Some(to);
    }
}
