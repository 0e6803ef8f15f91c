//! The claim of a partition: created before its first plan, changed before a Complete.

use tracing::warn;

use super::Worker;
use super::slot::State;
use crate::daemon::claimed::facts_of;
use crate::daemon::mailbox::Mail;
use crate::engine::{Address, Input, StopReason};
use crate::model::Offset;
use crate::s3::{Answer, AnswerTo, Claim, ClaimText, Condition, Job, PlanText};

impl Worker {
    /// Writes the claim as the slot holds it.
    pub(super) fn write_claim(&mut self, address: Address) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        let Some(held) = &slot.claim else { return };
        let condition = match &held.etag {
            Some(etag) => Condition::IfMatch(etag.clone()),
            None => Condition::IfNoneMatch,
        };
        let mailbox = self.mailbox.clone();
        self.around.uploads.submit(Job::WriteClaim {
            store: self.around.stores.own().clone(),
            key: held.claims.partition_key(&slot.partition),
            text: held.claim.encode(),
            condition,
            answer: AnswerTo::new(move |answer| mailbox.send(Mail::Claim { address, answer })),
        });
    }

    /// The machine wants this plan in the claim before anything is completed.
    pub(super) fn claim_plan(&mut self, address: Address, plan: &str) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        if let (Some(held), Ok(plan)) = (&mut slot.claim, PlanText::new(plan)) {
            held.claim.plan = Some(plan);
            self.write_claim(address);
        }
    }

    pub(super) fn claim_answered(&mut self, address: Address, answer: Answer) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        match answer {
            Answer::ClaimWritten(etag) => {
                if let Some(held) = &mut slot.claim {
                    held.etag = Some(etag);
                }
                self.claim_is_ours(address);
            }
            Answer::ClaimChanged(found) => self.claim_changed(address, &found),
            Answer::ClaimAbsent => {
                warn!(partition = %slot.partition, "the claim was deleted: it is written anew");
                if let Some(held) = &mut slot.claim {
                    held.etag = None;
                }
                self.write_claim(address);
            }
            Answer::Failed(error) => {
                let key =
                    slot.claim.as_ref().map(|held| held.claims.partition_key(&slot.partition));
                let key = key.map(|key| key.as_str().to_owned()).unwrap_or_default();
                let reason = StopReason::Claim { key, found: error.to_string() };
                self.claim_refused(address, reason);
            }
            Answer::Aborted
            | Answer::PartStored
            | Answer::Published(_)
            | Answer::UploadLost
            | Answer::ClaimRead(_) => {}
        }
    }

    fn claim_is_ours(&mut self, address: Address) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        match std::mem::replace(&mut slot.state, State::Halted) {
            State::Claiming(settlement) => self.start(address, *settlement),
            state @ State::Running(_) => {
                slot.state = state;
                self.drive(address, Input::ClaimWritten);
            }
            other @ (State::Settling | State::Pinning(_) | State::Halted) => slot.state = other,
        }
    }

    fn claim_refused(&mut self, address: Address, reason: StopReason) {
        let is_running = self.slots.get(&address).is_some_and(|slot| slot.machine().is_some());
        if is_running {
            self.drive(address, Input::CannotGoOn(reason));
        } else {
            self.halt(address, reason);
        }
    }

    /// Somebody else wrote the claim. A plan there that begins behind ours means that we are the
    /// zombie; otherwise ours is written over what was read.
    fn claim_changed(&mut self, address: Address, found: &ClaimText) {
        let Some(slot) = self.slots.get_mut(&address) else { return };
        let Some(held) = &mut slot.claim else { return };
        let theirs = Claim::parse(&found.text).map_err(|error| error.to_string());
        let facts = theirs.as_ref().map_err(Clone::clone).and_then(facts_of);
        let (theirs, facts) = match (theirs, facts) {
            (Ok(theirs), Ok(facts)) => (theirs, facts),
            (Err(found), _) | (_, Err(found)) => {
                let key = held.claims.partition_key(&slot.partition).as_str().to_owned();
                self.claim_refused(address, StopReason::Claim { key, found });
                return;
            }
        };
        if matches!(slot.state, State::Claiming(_)) {
            // Another member was faster; what it says decides where we start.
            self.restart(address);
            return;
        }
        let ours: Option<Offset> = facts_of(&held.claim).ok().and_then(|facts| facts.last_plan);
        if facts.last_plan > ours {
            warn!(partition = %slot.partition, "another member has published further: this \
                process had lost the partition and did not know");
            self.around.gate.kill_address(address);
            let partition = slot.partition.clone();
            self.forget(&partition);
            self.around.metrics.partition_lost(&partition);
            self.around.status.partition_lost(&partition);
            return;
        }
        held.claim = Claim { plan: held.claim.plan.clone(), ..theirs };
        held.etag = Some(found.etag.clone());
        self.write_claim(address);
    }
}
