//! Carrying out what a machine wants: commits to the gate, bytes to the uploads, words to people.

use std::sync::Arc;

use bytes::Bytes;
use tracing::{debug, info, warn};

use super::Worker;
use super::slot::State;
use crate::daemon::budget::{Holding, InFlight};
use crate::daemon::gate::Order;
use crate::daemon::mailbox::Mail;
use crate::engine::{
    Action, Address, Input, ObjectDescription, ObjectId, Part, Report, StopReason,
};
use crate::model::{BatchId, Offset};
use crate::s3::{Answer, AnswerTo, Job, ObjectMetadata, PartNumber, PlanText, Target};

impl Worker {
    /// Carries out every action, and counts what the machine holds afterwards.
    pub(super) fn carry_out(&mut self, address: Address) {
        while let Some(slot) = self.slots.get_mut(&address) {
            let State::Running(machine) = &mut slot.state else { return };
            let Some(action) = machine.poll_action() else { break };
            self.act(address, action);
        }
        let Some(slot) = self.slots.get_mut(&address) else { return };
        let State::Running(machine) = &slot.state else { return };
        let holding = Holding {
            bytes: machine.held_bytes(),
            objects: machine.objects(),
            open_bytes: machine.open_bytes(),
            open_objects: machine.open_objects(),
        };
        if holding != slot.holding {
            self.around.budget.holds(slot.holding, holding);
            slot.holding = holding;
        }
    }

    fn act(&mut self, address: Address, action: Action) {
        match action {
            Action::Commit { offset, metadata } => {
                self.around.gate.enqueue(address, offset, metadata);
            }
            Action::UploadPart(part) => self.upload_part(address, part),
            Action::WriteClaim { plan, .. } => self.claim_plan(address, &plan),
            Action::Put { object, count, plan, body } => {
                self.put(address, &object, (count, &plan), body);
            }
            Action::Complete { object, count, parts } => {
                self.complete(address, &object, count, parts);
            }
            Action::Abort(object) => self.abort(object),
            Action::Seek(to) => self.read_from(address, to),
            Action::Rewind => self.strike_out(address),
            Action::Stop(reason) => self.stopped(address, reason),
            Action::Drained => self.drained(address),
            Action::Report(report) => self.tell(address, report),
        }
    }

    /// Reads on from elsewhere after the position was out of range. librdkafka 2.12 has ended the
    /// fetching of that partition then (`rd_kafka_offset_reset` leaves it in state "none", in which
    /// `rd_kafka_toppar_seek` refuses), and only an assignment begins it anew: the group is entered
    /// again, once what is in memory and the new frontier are committed.
    fn read_from(&mut self, address: Address, to: Offset) {
        self.strike_out(address);
        if let Some(slot) = self.slots.get(&address) {
            warn!(partition = %slot.partition, %to, "the position was out of range: the group is \
                entered anew to read on");
        }
        self.around.gate.order(Order::Resubscribe);
    }

    /// Returns the object as the store is told of it; none if its bucket cannot be reached.
    fn object(
        &self,
        address: Address,
        object: &ObjectDescription,
        count: Option<u64>,
        plan: Option<PlanText>,
    ) -> Option<crate::s3::Object> {
        let slot = self.slots.get(&address)?;
        let machine = slot.machine()?;
        let store = self.around.stores.of(&object.layout)?;
        let metadata = ObjectMetadata {
            batch: object.batch,
            group: self.around.settings.get().kafka.group_id.clone(),
            partition: object.partition.clone(),
            topic_id: machine.topic_id(),
            batch_start: object.batch_start,
            first: object.first,
            count,
            plan,
        };
        let (key, content_type) = (object.key.clone(), object.content_type);
        let target = Arc::new(Target { key, content_type, metadata });
        Some(crate::s3::Object { id: crate::s3::ObjectId(object.id.0), store, target })
    }

    /// Returns the number as S3 takes it. A replay with smaller parts than were planned may need more
    /// than there are: it stops, for without one part there is no Complete.
    fn part_number(
        &mut self,
        address: Address,
        object: &ObjectDescription,
        part: u32,
    ) -> Option<PartNumber> {
        let number = u16::try_from(part).ok().and_then(PartNumber::new);
        if number.is_none() {
            let (key, max) = (object.key.clone(), PartNumber::MAX);
            let reason = StopReason::TooManyParts { key, part, max };
            self.drive(address, Input::CannotGoOn(reason));
        }
        number
    }

    pub(super) fn upload_part(&mut self, address: Address, part: Part) {
        let Some(number) = self.part_number(address, &part.object, part.number) else { return };
        let Some(object) = self.object(address, &part.object, None, None) else { return };
        let flight = self.around.budget.send(part.body.len());
        let mailbox = self.mailbox.clone();
        let answer = AnswerTo::new(move |answer| {
            drop(flight);
            mailbox.send(Mail::PartStored { address, answer });
        });
        self.around.uploads.submit(Job::Part { object, number, body: part.body, answer });
    }

    fn put(
        &mut self,
        address: Address,
        object: &ObjectDescription,
        (count, plan): (u64, &str),
        body: Bytes,
    ) {
        let plan = PlanText::new(plan).ok();
        let Some(described) = self.object(address, object, Some(count), plan) else { return };
        let flight = self.around.budget.send(body.len());
        let answer = self.answer_about(address, object.id, Some(flight));
        self.around.uploads.submit(Job::Put { object: described, body, answer });
    }

    fn complete(&mut self, address: Address, object: &ObjectDescription, count: u64, parts: u32) {
        let Some(last) = self.part_number(address, object, parts) else { return };
        let Some(described) = self.object(address, object, Some(count), None) else { return };
        let answer = self.answer_about(address, object.id, None);
        self.around.uploads.submit(Job::Complete { object: described, last, answer });
    }

    fn answer_about(
        &self,
        address: Address,
        object: ObjectId,
        flight: Option<InFlight>,
    ) -> AnswerTo {
        let mailbox = self.mailbox.clone();
        AnswerTo::new(move |answer| {
            drop(flight);
            mailbox.send(Mail::Upload { address, object, answer });
        })
    }

    pub(super) fn abort(&self, object: ObjectId) {
        let answer = AnswerTo::new(|_: Answer| {});
        let object = crate::s3::ObjectId(object.0);
        self.around.uploads.submit(Job::Abort { object, answer });
    }

    fn drained(&mut self, address: Address) {
        if let Some(slot) = self.slots.get_mut(&address) {
            slot.tell_drained();
        }
    }

    fn tell(&mut self, address: Address, report: Report) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        let (metrics, partition) = (&self.around.metrics, &slot.partition);
        match report {
            Report::Quarantined { offset, reason } => {
                metrics.records_quarantined(reason.as_str(), 1);
                debug!(%partition, %offset, reason = reason.as_str(), "record quarantined");
            }
            Report::Skipped => metrics.records_skipped("null", 1),
            Report::Sealed { reason, range, records, objects, .. } => {
                metrics.batch_sealed(reason);
                debug!(%partition, %range, records, objects, reason = reason.as_str(), "batch sealed");
            }
            Report::ReplayStarted { range } => {
                info!(%partition, %range, "a pending plan is read again");
            }
            Report::ReplayAgreed { range } => {
                info!(%partition, %range, "the pending plan's objects are the same");
            }
            Report::ReplayPass { range, objects, left } => {
                info!(%partition, %range, objects, left, "the pending plan does not fit in memory: \
                    it is read in passes, and this one writes some of its objects");
            }
            Report::ObjectPublished { key, records, stored_bytes } => {
                debug!(%partition, key = key.as_str(), records, bytes = stored_bytes, "object published");
                metrics.object_published(records, stored_bytes);
                slot.last_key = Some(key);
            }
            Report::BatchPublished { range, since_sealed } => {
                metrics.batch_published(since_sealed);
                slot.metrics.published(range.end());
            }
            Report::LostRecords { from, to } => {
                warn!(%partition, start = %from, end = %to, "records were deleted before they were \
                    read: this range may be missing");
                metrics.error_handled("lost_records");
            }
            Report::Committed { offset } => slot.metrics.committed(offset),
        }
    }

    /// The reason when another batch's object, or one without a batch, has our name.
    pub(super) fn refused_object(
        &self,
        address: Address,
        object: ObjectId,
        found: Option<BatchId>,
    ) -> StopReason {
        match (self.description(address, object), found) {
            (Some(ours), Some(found)) => {
                StopReason::ForeignObject { key: ours.key.clone(), ours: ours.batch, found }
            }
            (Some(ours), None) => StopReason::UnknownObject { key: ours.key.clone() },
            (None, _) => StopReason::Bug(crate::engine::PartitionError::NoKey),
        }
    }

    pub(super) fn mismatched_object(
        &self,
        address: Address,
        object: ObjectId,
        batch: BatchId,
    ) -> StopReason {
        match self.description(address, object) {
            Some(ours) => StopReason::ObjectMismatch { key: ours.key.clone(), batch },
            None => StopReason::Bug(crate::engine::PartitionError::NoKey),
        }
    }

    fn description(&self, address: Address, object: ObjectId) -> Option<Arc<ObjectDescription>> {
        self.slots.get(&address)?.machine()?.description(object)
    }
}
