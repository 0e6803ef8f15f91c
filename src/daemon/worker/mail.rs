//! Serving the mailbox: each fact goes to the slot it is about.

use std::sync::mpsc::SyncSender;

use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

use super::Worker;
use super::slot::{Slot, State};
use crate::daemon::budget::Holding;
use crate::daemon::mailbox::Mail;
use crate::daemon::settler::Request;
use crate::engine::{Address, Input, ObjectId, Partition, StopReason};
use crate::kafka::ffi::Committed;
use crate::model::{SealReason, TopicId, TopicPartition};
use crate::s3::{Answer, PublishOutcome, StoreError, StoreErrorKind};

impl Worker {
    pub(super) fn serve(&mut self, mail: Mail) {
        match mail {
            Mail::Client(fetcher) => {
                self.mailbox.wakes(Some(fetcher.waker()));
                self.fetcher = Some(fetcher);
            }
            Mail::ClientGone { done } => self.client_gone(&done),
            Mail::Assigned { address, partition, committed } => {
                self.assigned(address, partition, committed);
            }
            Mail::Drain { partitions, reason, done } => self.drain(&partitions, reason, &done),
            Mail::Drop { partitions, done } => {
                for partition in &partitions {
                    self.forget(partition);
                }
                drop(done);
            }
            Mail::Reposition { done } => {
                for address in self.addresses() {
                    self.strike_out(address);
                }
                drop(done);
            }
            Mail::Settled { address, result } => self.settled(address, *result),
            Mail::Committed(address) => self.committed(address),
            Mail::CommitRefused { address, code } => self.commit_refused(address, code),
            Mail::Upload { address, object, answer } => self.uploaded(address, object, answer),
            Mail::PartStored { address, answer } => self.part_stored(address, answer),
            Mail::Claim { address, answer } => self.claim_answered(address, answer),
            Mail::Decided { address, claim } => self.decided(address, claim),
            Mail::Watermarks { address, low, high } => self.watermarks(address, low, high),
            Mail::LogEnd { address, end, asked } => self.idle_log_end(address, end, asked),
            Mail::HasLeader { address, is_there } => {
                if let Some(slot) = self.slots.get(&address) {
                    slot.metrics.has_leader(is_there);
                }
            }
            Mail::TopicIs { partition, found } => self.topic_is(&partition, found),
            Mail::Seal => {
                for address in self.addresses() {
                    self.drive(address, Input::Seal(SealReason::Request));
                }
            }
            Mail::TryAgain => {
                for address in self.stopped_addresses() {
                    self.restart(address);
                }
            }
            Mail::SettingsChanged => self.settings_changed(),
            Mail::Stop => self.is_stopping = true,
        }
    }

    pub(super) fn addresses(&self) -> Vec<Address> {
        self.slots.keys().copied().collect()
    }

    fn stopped_addresses(&self) -> Vec<Address> {
        let stopped = self.slots.iter().filter(|(_, slot)| slot.stopped.is_some());
        stopped.map(|(address, _)| *address).collect()
    }

    fn client_gone(&mut self, done: &SyncSender<()>) {
        for partition in self.by_partition.keys().cloned().collect::<Vec<_>>() {
            self.forget(&partition);
        }
        self.rest = None;
        self.mailbox.wakes(None);
        self.fetcher = None;
        done.send(()).ok();
    }

    fn assigned(
        &mut self,
        address: Address,
        partition: TopicPartition,
        committed: Option<Committed>,
    ) {
        self.forget(&partition);
        let metrics = self.around.metrics.partition_assigned(&partition);
        self.around.metrics.partition_resumed(&partition);
        self.by_partition.insert(partition.clone(), address);
        let mut slot = Slot::new(partition.clone(), metrics);
        if let Some(offset) = committed.as_ref().and_then(|found| found.offset) {
            slot.committed_is(offset);
        }
        self.slots.insert(address, slot);
        let mailbox = self.mailbox.clone();
        self.around.settler.settle(Request { address, partition, committed, mailbox });
    }

    fn drain(
        &mut self,
        partitions: &[TopicPartition],
        reason: SealReason,
        done: &UnboundedSender<TopicPartition>,
    ) {
        for partition in partitions {
            let address = self.by_partition.get(partition).copied();
            let slot = address.and_then(|address| self.slots.get_mut(&address));
            let (Some(address), Some(slot)) = (address, slot) else {
                drop(done.send(partition.clone()));
                continue;
            };
            let has_more = slot.machine().is_some_and(|machine| !machine.is_drained());
            if !has_more || slot.stopped.is_some() {
                drop(done.send(partition.clone()));
                continue;
            }
            slot.drain.push(done.clone());
            self.strike_out(address);
            self.drive(address, Input::Drain(reason));
        }
    }

    /// Throws a partition away: its token is dead, or the client is gone.
    pub(super) fn forget(&mut self, partition: &TopicPartition) {
        let Some(address) = self.by_partition.remove(partition) else { return };
        self.strike_out(address);
        self.turns.forget(address);
        let Some(slot) = self.slots.remove(&address) else { return };
        self.around.budget.holds(slot.holding, Holding::default());
        if let State::Running(machine) = slot.state {
            for object in Partition::discard(*machine) {
                self.abort(object);
            }
        }
    }

    fn committed(&mut self, address: Address) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        slot.restarts = 0;
        if slot.must_restart {
            self.restart(address);
        } else if matches!(slot.state, State::Pinning(_)) {
            self.pinned(address);
        } else {
            self.drive(address, Input::Committed);
        }
    }

    fn commit_refused(&mut self, address: Address, code: String) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        self.around.metrics.error_handled("commit_refused");
        if slot.must_restart {
            self.restart(address);
        } else if let State::Pinning(settlement) = &slot.state {
            let offset = settlement.verdict.offset;
            self.halt(address, StopReason::CommitRefused { offset, code });
        } else {
            self.drive(address, Input::CommitRefused { code });
        }
    }

    /// What came of publishing an object.
    fn uploaded(&mut self, address: Address, object: ObjectId, answer: Answer) {
        match answer {
            Answer::Published(outcome) => self.published(address, object, outcome),
            Answer::UploadLost => self.upload_lost(address),
            Answer::Failed(error) => self.object_refused(address, &error),
            Answer::Aborted
            | Answer::PartStored
            | Answer::ClaimRead(_)
            | Answer::ClaimAbsent
            | Answer::ClaimWritten(_)
            | Answer::ClaimChanged(_) => {}
        }
    }

    fn published(&mut self, address: Address, object: ObjectId, outcome: PublishOutcome) {
        match outcome {
            PublishOutcome::Published { already } => {
                if already {
                    info!("an object of ours was there already");
                }
                self.drive(address, Input::Published(object));
            }
            PublishOutcome::UploadLost => self.upload_lost(address),
            PublishOutcome::Foreign { found } => {
                let refused = self.refused_object(address, object, Some(found.batch));
                self.drive(address, Input::CannotGoOn(refused));
            }
            PublishOutcome::Mismatch { found } => {
                let refused = self.mismatched_object(address, object, found.batch);
                self.drive(address, Input::CannotGoOn(refused));
            }
            PublishOutcome::NoBatchId | PublishOutcome::Unreadable { .. } => {
                let refused = self.refused_object(address, object, None);
                self.drive(address, Input::CannotGoOn(refused));
            }
        }
    }

    /// A definite answer to a part or a whole object. What the store does not take today it does not
    /// take from a batch that begins anew either.
    fn object_refused(&mut self, address: Address, error: &StoreError) {
        self.around.metrics.error_handled(error.kind.as_str());
        let is_refused = matches!(
            error.kind,
            StoreErrorKind::TooLarge | StoreErrorKind::Invalid | StoreErrorKind::Other
        );
        if is_refused {
            let reason =
                StopReason::ObjectRefused { key: error.key.clone(), found: error.to_string() };
            self.drive(address, Input::CannotGoOn(reason));
        } else {
            warn!(%error, "an upload cannot be finished: its batch begins anew");
            self.upload_lost(address);
        }
    }

    fn part_stored(&mut self, address: Address, answer: Answer) {
        match answer {
            Answer::UploadLost => self.upload_lost(address),
            Answer::Failed(error) => self.object_refused(address, &error),
            Answer::PartStored
            | Answer::Published(_)
            | Answer::Aborted
            | Answer::ClaimRead(_)
            | Answer::ClaimAbsent
            | Answer::ClaimWritten(_)
            | Answer::ClaimChanged(_) => {}
        }
    }

    fn topic_is(&mut self, partition: &TopicPartition, found: TopicId) {
        let Some(address) = self.by_partition.get(partition).copied() else { return };
        let expected = self.slots.get(&address).and_then(Slot::machine).map(Partition::topic_id);
        let Some(expected) = expected.filter(|expected| *expected != found) else { return };
        let (found, expected) = (expected.to_string(), found.to_string());
        self.drive(address, Input::CannotGoOn(StopReason::TopicRecreated { found, expected }));
    }
}
