//! Commits of one partition: the plan, the end, silent advances, the daily refresh.

use super::{
    Action, CommitFor, CommitInFlight, Current, Draining, Next, Now, Partition, REFRESH_EVERY,
    Report, Stage,
};
use crate::engine::batch::Workshop;
use crate::engine::{EmptyPlan, PartitionError, Plan, Source, StopReason};
use crate::model::Offset;
use crate::mutant::Mutant;

impl Partition {
    /// Takes the next step of the protocol, if one is possible. Called after every input.
    pub(super) fn advance(&mut self, now: Now, workshop: &mut Workshop) -> Result<(), StopReason> {
        self.seal_if_due(now, workshop)?;
        if self.commit.is_none() && !self.is_stopped {
            match self.current.as_ref().map(|current| &current.stage) {
                Some(Stage::Published) => self.commit_end(),
                None => self.commit_plan_or_advance(),
                Some(Stage::Planning | Stage::Claiming | Stage::Publishing { .. }) => {}
            }
        }
        if self.may_refresh() && self.refresh_at.is_some_and(|at| now.uptime >= at) {
            let (offset, metadata) = (self.committed, self.committed_metadata.clone());
            self.commit(CommitFor::Refresh, offset, metadata);
        }
        self.say_drained();
        self.take_halt().map_or(Ok(()), Err)
    }

    /// Returns whether what is committed may be committed again, when its time comes. Behind a
    /// drain the next owner does it.
    pub(super) fn may_refresh(&self) -> bool {
        self.commit.is_none() && self.draining == Draining::No
    }

    /// Ends the published batch; the plan of the next one travels along (one commit a batch).
    fn commit_end(&mut self) {
        let Some(current) = &self.current else { return };
        let end = current.batch.plan.range.end();
        match &self.next {
            Some(next) if !next.batch.objects.is_empty() => {
                let plan = self.obligation(&next.batch.plan);
                self.commit(CommitFor::End { with_next: true }, end, plan);
            }
            Some(next) => {
                let end = next.batch.plan.range.end();
                self.next = None;
                self.commit_empty(CommitFor::End { with_next: false }, end);
            }
            None => self.commit_empty(CommitFor::End { with_next: false }, end),
        }
    }

    fn commit_plan_or_advance(&mut self) {
        match self.next.take() {
            Some(next) if next.batch.objects.is_empty() => {
                self.commit_empty(CommitFor::Advance, next.batch.plan.range.end());
            }
            Some(next) => {
                let (start, plan) =
                    (next.batch.plan.range.start(), self.obligation(&next.batch.plan));
                self.current = Some(planning(next));
                self.commit(CommitFor::Plan, start, plan);
            }
            None => {
                let is_ahead = self.log_end.is_some_and(|end| end > self.committed);
                if self.open.is_none() && is_ahead && !Mutant::SilentEndsAreNotCommitted.is_on() {
                    self.commit_empty(CommitFor::Advance, self.committed);
                }
            }
        }
    }

    /// Commits `end` with an empty plan, or the log's end if nothing but control records lies
    /// between (rule 6).
    fn commit_empty(&mut self, purpose: CommitFor, end: Offset) {
        let is_silent =
            (self.open.is_none() && self.next.is_none()) || Mutant::EndOfLogPassesOpenBatch.is_on();
        let silent = self.log_end.filter(|_| is_silent);
        let offset = silent.map_or(end, |log_end| log_end.max(end));
        self.tail = self.tail.max(offset);
        self.cursor = self.cursor.max(offset);
        self.commit(purpose, offset, self.empty_plan(offset));
    }

    fn empty_plan(&self, offset: Offset) -> String {
        let Source { cluster, topic_id, .. } = self.source.clone();
        EmptyPlan { offset, cluster, topic_id, pin: false }.encode()
    }

    /// Returns what is written down before anything of the batch becomes visible.
    fn obligation(&self, plan: &Plan) -> String {
        if Mutant::NoPlan.is_on() { self.empty_plan(plan.range.start()) } else { plan.encode() }
    }

    fn commit(&mut self, purpose: CommitFor, offset: Offset, metadata: String) {
        self.actions.push_back(Action::Commit { offset, metadata: metadata.clone() });
        self.commit = Some(CommitInFlight { purpose, offset, metadata });
    }

    /// Kafka has taken the commit on its way.
    pub(super) fn committed(&mut self, now: Now) -> Result<(), StopReason> {
        let Some(commit) = self.commit.take() else {
            return Err(PartitionError::CommitUnasked.into());
        };
        self.committed = commit.offset;
        self.committed_metadata = commit.metadata;
        self.refresh_at = self.refresh_at.map(|_| now.uptime.after(REFRESH_EVERY));
        self.actions.push_back(Action::Report(Report::Committed { offset: commit.offset }));
        if self.is_stopped {
            return Ok(());
        }
        match commit.purpose {
            CommitFor::Plan => self.plan_is_committed(now),
            CommitFor::End { with_next: false } => self.current = None,
            CommitFor::End { with_next: true } => {
                self.current = self.next.take().map(planning);
                self.plan_is_committed(now);
            }
            CommitFor::Advance | CommitFor::Refresh => {}
        }
        Ok(())
    }

    pub(super) fn commit_refused(&mut self, now: Now, code: String) -> Result<(), StopReason> {
        self.refresh_at = self.refresh_at.map(|_| now.uptime.after(REFRESH_EVERY));
        match self.commit.take() {
            Some(commit) => Err(StopReason::CommitRefused { offset: commit.offset, code }),
            None => Err(PartitionError::CommitUnasked.into()),
        }
    }
}

fn planning(next: Next) -> Current {
    Current {
        batch: next.batch,
        sealed_at: next.sealed_at,
        is_replay: false,
        is_pass: false,
        stage: Stage::Planning,
    }
}
