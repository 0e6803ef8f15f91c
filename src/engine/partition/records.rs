//! Records into the open batch: opening, sealing, and what the log's ends mean.

use super::{Draining, Next, Now, OnLostRecords, Partition, Replay, Report};
use crate::engine::batch::{Birth, Kept, OpenBatch, SealedBatch, Workshop};
use crate::engine::object::Placed;
use crate::engine::partition::Action;
use crate::engine::{PLAN_BYTES_MAX, PartitionError, StopReason};
use crate::model::{Offset, Record, SealReason};
use crate::mutant::Mutant;
use std::sync::Arc;

impl Partition {
    pub(super) fn record(
        &mut self,
        now: Now,
        record: &Record<'_>,
        workshop: &mut Workshop,
    ) -> Result<(), StopReason> {
        let offset = record.offset;
        if offset < self.cursor {
            let expected = self.cursor;
            return Err(PartitionError::RecordOutOfOrder { expected, found: offset }.into());
        }
        if self.replay.as_ref().is_some_and(|replay| offset >= replay.plan.range.end()) {
            self.finish_replay(now, workshop)?;
            self.advance(now, workshop)?;
            if self.replay.is_some() {
                return Ok(()); // another pass goes before it
            }
        }
        if !self.wants_records() {
            return Err(PartitionError::RecordUnasked { offset }.into());
        }
        self.log_end = None;
        if let Some(replay) = &mut self.replay {
            replay.short_since = None;
        }
        if let Err(reason) = self.put_into_batch(now, record, workshop) {
            return match self.replay {
                Some(_) => Err(reason),
                None => self.halt(now, reason, SealReason::Stop, workshop),
            };
        }
        self.cursor = offset.next();
        match &self.replay {
            Some(replay) if self.cursor >= replay.plan.range.end() => {
                self.finish_replay(now, workshop)
            }
            Some(_) | None => Ok(()), // `advance` seals what is due
        }
    }

    fn put_into_batch(
        &mut self,
        now: Now,
        record: &Record<'_>,
        workshop: &mut Workshop,
    ) -> Result<(), StopReason> {
        if self.open.is_none() {
            self.take_new_options();
            self.open = Some(self.new_batch(now, workshop));
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        if Mutant::BadRecordsAreDropped.is_on()
            && record.value.is_some_and(|at| at.first() != Some(&b'{'))
        {
            return Ok(());
        }
        match open.push(&self.source, record, workshop)? {
            Placed::Written { .. } => {}
            Placed::Skipped => self.actions.push_back(Action::Report(Report::Skipped)),
            Placed::Quarantined { reason, .. } => {
                let report = Report::Quarantined { offset: record.offset, reason };
                self.actions.push_back(Action::Report(report));
            }
        }
        for part in open.take_parts() {
            self.actions.push_back(Action::UploadPart(part));
        }
        Ok(())
    }

    fn new_batch(&self, now: Now, workshop: &mut Workshop) -> OpenBatch {
        let birth = Birth {
            batch: workshop.new_batch_id(),
            start: self.tail,
            opened: now.wall,
            now: now.uptime,
            layout: Arc::clone(&self.options.layout),
            sizes: self.options.sizes,
            first_object: self.next_object,
            kept: Kept::All,
        };
        OpenBatch::new(&self.source, birth)
    }

    pub(super) fn seal_if_due(
        &mut self,
        now: Now,
        workshop: &mut Workshop,
    ) -> Result<(), StopReason> {
        let Some(open) = self.open.as_ref().filter(|_| self.replay.is_none()) else {
            return Ok(());
        };
        let due = self.options.seal.check(open.stats(), now.uptime);
        match due.or(open.is_at_part_limit().then_some(SealReason::Parts)) {
            Some(reason) => self.seal_open(now, reason, workshop),
            None => Ok(()),
        }
    }

    /// Seals what is open, unless it is a replay, which ends where its plan says.
    pub(super) fn seal_open(
        &mut self,
        now: Now,
        reason: SealReason,
        workshop: &mut Workshop,
    ) -> Result<(), StopReason> {
        if self.replay.is_some() || self.next.is_some() {
            return Ok(());
        }
        let Some(open) = self.open.take() else { return Ok(()) };
        let batch = self.seal(open, self.cursor, workshop)?;
        self.report_seal(reason, &batch);
        let bytes = batch.plan.encode().len();
        if bytes > PLAN_BYTES_MAX {
            self.abort_parts_of(&batch);
            return Err(StopReason::PlanTooLong { bytes, max: PLAN_BYTES_MAX });
        }
        self.tail = batch.plan.range.end();
        self.next = Some(Next { batch, sealed_at: now.uptime });
        Ok(())
    }

    pub(super) fn seal(
        &mut self,
        open: OpenBatch,
        end: Offset,
        workshop: &mut Workshop,
    ) -> Result<SealedBatch, StopReason> {
        self.next_object = self.next_object.behind(open.objects());
        let (batch, parts) = open.seal(&self.source, end, workshop)?;
        self.actions.extend(parts.into_iter().map(Action::UploadPart));
        Ok(batch)
    }

    fn report_seal(&mut self, reason: SealReason, batch: &SealedBatch) {
        self.actions.push_back(Action::Report(Report::Sealed {
            reason,
            range: batch.plan.range,
            records: batch.stats.records,
            value_bytes: batch.stats.value_bytes,
            objects: u64::try_from(batch.objects.len()).unwrap_or(u64::MAX),
        }));
    }

    pub(super) fn abort_parts_of(&mut self, batch: &SealedBatch) {
        for object in batch.objects.iter().filter(|object| object.parts > 0) {
            self.actions.push_back(Action::Abort(object.description.id));
        }
    }

    pub(super) fn end_of_log(
        &mut self,
        now: Now,
        end: Offset,
        workshop: &mut Workshop,
    ) -> Result<(), StopReason> {
        if self.draining != Draining::No {
            return Ok(()); // records before it may be among those that are not taken any more
        }
        if let Some(replay) = &mut self.replay {
            if end >= replay.plan.range.end() {
                self.finish_replay(now, workshop)?;
                if self.replay.is_some() {
                    return Ok(()); // another pass goes before it, which hears it again
                }
            } else {
                let since = replay.short_since.map_or(now.uptime, |(since, _)| since);
                replay.short_since = Some((since, end));
                return Ok(());
            }
        }
        if end >= self.cursor {
            self.log_end = Some(end);
        }
        Ok(())
    }

    /// The position is below the log's start or above its end (rule 10).
    pub(super) fn out_of_range(
        &mut self,
        now: Now,
        log_start: Offset,
        log_end: Offset,
        workshop: &mut Workshop,
    ) -> Result<(), StopReason> {
        if self.draining != Draining::No {
            return Ok(()); // whoever comes next will be told the same
        }
        let position = self.cursor;
        if position > log_end {
            return Err(StopReason::AheadOfLog { position, log_end });
        }
        if position >= log_start {
            self.actions.push_back(Action::Seek(position));
            return Ok(());
        }
        if self.options.on_lost_records == OnLostRecords::Stop {
            let reason = StopReason::LostRecords { position, log_start };
            if self.replay.is_some() {
                return Err(reason);
            }
            return self.halt(now, reason, SealReason::LostRecords, workshop);
        }
        if let Some(Replay { plan, .. }) = self.replay.take() {
            self.abort_open();
            self.give_up_to(plan.range.start(), plan.range.end().max(log_start));
        } else {
            if Mutant::LossForgetsMemory.is_on() {
                self.abort_open();
            }
            self.seal_open(now, SealReason::LostRecords, workshop)?;
            let lost = Report::LostRecords { from: position, to: log_start };
            self.actions.push_back(Action::Report(lost));
            self.cursor = log_start;
            self.log_end = Some(log_start);
        }
        self.actions.push_back(Action::Seek(self.cursor));
        Ok(())
    }

    pub(super) fn relieve(&mut self, workshop: &mut Workshop) {
        let Some(open) = &mut self.open else { return };
        open.relieve(workshop);
        for part in open.take_parts() {
            self.actions.push_back(Action::UploadPart(part));
        }
    }
}
