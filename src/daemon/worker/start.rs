//! Starting a partition: pin, claim, machine, seek, in this order (rule 8); and starting it anew
//! (rule 18).

use tracing::{debug, error, info, warn};

use super::slot::{HeldClaim, LOOK, Slot, State};
use super::{Surroundings, Worker};
use crate::daemon::clock::wall;
use crate::daemon::settler::{Look, Request, Settlement};
use crate::daemon::status::SeenError;
use crate::engine::{
    Address, ClaimStep, Input, ObjectId, ObjectSizes, OnLostRecords, Partition, PartitionOptions,
    Start, StopReason,
};
use crate::model::{Topic, Uptime};
use crate::mutant::Mutant;
use crate::s3::{Claim, Claims, Etag};

/// Restarts of a partition without a commit between them (rule 18).
const RESTARTS_MAX: u32 = 3;
/// Ids of objects: the address above, a counter of the machine's objects below.
const OBJECT_BITS: u32 = 40;

/// Returns what the settings of now say of a partition of this topic.
fn options(around: &Surroundings, topic: &Topic) -> PartitionOptions {
    let settings = around.settings.get();
    let of_topic = settings.for_topic(topic);
    PartitionOptions {
        layout: of_topic.layout,
        seal: of_topic.seal,
        sizes: ObjectSizes { frame_bytes: around.frame_bytes, part_bytes: settings.s3.part_bytes },
        on_lost_records: match settings.kafka.on_lost_records {
            crate::config::OnLostRecords::Stop => OnLostRecords::Stop,
            crate::config::OnLostRecords::Skip => OnLostRecords::Skip,
        },
    }
}

impl Worker {
    /// The settings have changed: each batch that is opened from now on follows them.
    pub(super) fn settings_changed(&mut self) {
        for address in self.addresses() {
            let Some(slot) = self.slots.get(&address) else { continue };
            let options = options(&self.around, &slot.partition.topic);
            self.drive(address, Input::Options(options));
        }
    }

    pub(super) fn settled(&mut self, address: Address, result: Result<Settlement, StopReason>) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        if !matches!(slot.state, State::Settling) {
            return;
        }
        match result {
            Err(reason) => self.halt(address, reason),
            Ok(settlement) if settlement.verdict.must_pin => {
                let (offset, metadata) =
                    (settlement.verdict.offset, settlement.verdict.metadata.clone());
                info!(partition = %slot.partition, %offset, "the partition is taken from here on");
                slot.state = State::Pinning(Box::new(settlement));
                self.around.gate.enqueue(address, offset, metadata);
            }
            Ok(settlement) => {
                slot.state = State::Pinning(Box::new(settlement));
                self.pinned(address);
            }
        }
    }

    /// The start stands in Kafka: now the claim.
    pub(super) fn pinned(&mut self, address: Address) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        let State::Pinning(settlement) = std::mem::replace(&mut slot.state, State::Halted) else {
            return;
        };
        let source = &settlement.source;
        let settings = self.around.settings.get();
        let (prefix, group) = (&settings.s3.claims_prefix, &settings.kafka.group_id);
        let claims = match Claims::new(prefix, &source.cluster, group) {
            Ok(claims) => claims,
            Err(error) => {
                let (key, found) = (prefix.clone(), error.to_string());
                self.halt(address, StopReason::Claim { key, found });
                return;
            }
        };
        if settlement.verdict.claim == ClaimStep::CreateAfterLoss {
            warn!(partition = %slot.partition, "no claim stands for this partition although its \
                offsets are ours: another bucket, or somebody deleted it; it is created anew");
        }
        match &settlement.claim {
            Some((claim, etag)) => {
                let (claim, etag) = (claim.clone(), Some(etag.clone()));
                slot.claim = Some(HeldClaim { claims, claim, etag });
                if settlement.verdict.claim == ClaimStep::Strike {
                    slot.state = State::Claiming(settlement);
                    self.write_claim(address);
                } else {
                    self.start(address, *settlement);
                }
            }
            None => {
                let (topic_id, first_start) = (source.topic_id, settlement.verdict.offset);
                let claim = Claim { topic_id, first_start, plan: None, recovery: None };
                slot.claim = Some(HeldClaim { claims, claim, etag: None });
                slot.state = State::Claiming(settlement);
                self.write_claim(address);
            }
        }
    }

    /// Everything is written down: the machine begins.
    pub(super) fn start(&mut self, address: Address, settlement: Settlement) {
        let Settlement { source, verdict, .. } = settlement;
        if let Some(plan) = &verdict.pending
            && self.around.stores.of(&plan.layout).is_none()
        {
            let bucket = plan.layout.bucket.to_string();
            let endpoint = plan.layout.endpoint.clone();
            self.halt(address, StopReason::OtherBucket { bucket, endpoint });
            return;
        }
        let Some(slot) = self.slots.get_mut(&address) else { return };
        let options = options(&self.around, &source.partition.topic);
        let start = Start {
            offset: verdict.offset,
            metadata: verdict.metadata,
            pending: verdict.pending,
            first_object: ObjectId(address.0 << OBJECT_BITS),
        };
        slot.metrics.committed(start.offset);
        slot.metrics.published(start.offset);
        let machine = Partition::new(source, options, start, self.around.clock.now());
        slot.state = State::Running(Box::new(machine));
        slot.stopped = None;
        self.around.metrics.partition_resumed(&slot.partition);
        self.carry_out(address);
        self.ask_if_out_of_range(address);
    }

    /// Stops a partition that has no machine.
    pub(super) fn halt(&mut self, address: Address, reason: StopReason) {
        if let Some(slot) = self.slots.get_mut(&address) {
            slot.state = State::Halted;
        }
        self.stopped(address, reason);
    }

    /// A partition reads and writes nothing more, until it is tried again.
    pub(super) fn stopped(&mut self, address: Address, reason: StopReason) {
        self.strike_out(address);
        let now = self.around.clock.uptime();
        let Some(slot) = self.slots.get_mut(&address) else { return };
        let partition = slot.partition.clone();
        error!(%partition, reason = reason.label(), "partition stopped: {reason}");
        if let Some(key) = reason.key() {
            debug!(%partition, key = key.as_str(), "the whole key of the object it stopped at");
        }
        self.around.metrics.partition_stopped(&partition, reason.label());
        self.around.metrics.error_handled("partition_stopped");
        let text = format!("{partition}: {reason}");
        let remedy = "the others go on; this one is tried again every 10 minutes and on SIGHUP";
        let seen = SeenError::new(wall(), "stopped", &text, remedy).about(reason.key());
        self.around.status.error_seen(seen);
        slot.stops(reason, now);
        slot.tell_drained();
    }

    /// Tries a stopped partition again when its time has come; looks for a decision before that.
    pub(super) fn try_again(&mut self, address: Address, now: Uptime) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        if slot.must_try_again(now) {
            self.restart(address);
        } else if slot.must_look(now) {
            slot.look_at = Some(now.after(LOOK));
            let (partition, seen) = (slot.partition.clone(), slot.decided.clone());
            let mailbox = self.mailbox.clone();
            self.around.settler.look(Look { address, partition, seen, mailbox });
        }
    }

    /// A person has decided: whether it can be taken is found out as at an assignment.
    pub(super) fn decided(&mut self, address: Address, claim: Etag) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        if slot.stopped.is_none() {
            return;
        }
        info!(partition = %slot.partition, "a decision of `sluice recover` was found");
        slot.decided = Some(claim);
        self.restart(address);
    }

    /// An upload is gone: the batch cannot be finished from memory (rule 18).
    pub(super) fn upload_lost(&mut self, address: Address) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        let is_ignored = Mutant::LostUploadsAreIgnored.is_on();
        if slot.must_restart || slot.stopped.is_some() || is_ignored {
            return;
        }
        slot.restarts += 1;
        warn!(partition = %slot.partition, "an upload was lost: the partition begins anew");
        if slot.restarts > RESTARTS_MAX {
            let times = slot.restarts;
            self.drive(address, Input::CannotGoOn(StopReason::UploadsLost { times }));
        } else {
            self.restart(address);
        }
    }

    /// Begins anew: nothing of the old machine is left, the plan is asked for again.
    pub(super) fn restart(&mut self, address: Address) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        slot.must_restart = true;
        slot.stopped = None;
        let Some(new) = self.around.gate.replace(address) else {
            return; // a commit is on its way; its answer comes back here. Or the token is dead.
        };
        let (partition, restarts) = (slot.partition.clone(), slot.restarts);
        let decided = slot.decided.take();
        let committed = slot.machine().map(Partition::frontier).or(slot.committed);
        let log_end = slot.log_end;
        let is_draining = !slot.drain.is_empty();
        slot.tell_drained();
        self.forget(&partition);
        let metrics = self.around.metrics.partition_assigned(&partition);
        let mut slot = Slot::new(partition.clone(), metrics);
        slot.restarts = restarts;
        slot.decided = decided;
        if let Some(committed) = committed {
            slot.committed_is(committed);
        }
        if let Some(end) = log_end {
            slot.log_end_is(end);
        }
        self.by_partition.insert(partition.clone(), new);
        self.slots.insert(new, slot);
        if is_draining {
            return; // its plan stays pending for whoever comes next
        }
        let mailbox = self.mailbox.clone();
        self.around.settler.settle(Request { address: new, partition, committed: None, mailbox });
    }
}
