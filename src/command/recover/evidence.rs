//! What was found of one partition, and whether it needs a person's decision.
//!
//! It owns: sorting the answers of Kafka and of the bucket; which promise was the last one.
//! It does not own: the asking (`verify`'s survey), what can be decided (`choice`).

use crate::command::verify::inventory::{Batch, Holdings};
use crate::daemon::claimed::{decision_of, facts_of};
use crate::engine::{CommittedOffset, Metadata, Places, Plan, Source, StopReason, settle, take};
use crate::kafka::admin::Watermarks;
use crate::model::{ObjectKey, Offset, TopicId};
use crate::s3::{Claim, Etag};

/// The claim as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FoundClaim {
    Absent,
    Whole {
        claim: Claim,
        etag: Etag,
    },
    /// It is none, or its plan cannot be read: a decision is written into a new one.
    Damaged {
        key: ObjectKey,
        why: String,
        etag: Etag,
    },
}

impl FoundClaim {
    pub(super) fn whole(&self) -> Option<&Claim> {
        match self {
            Self::Whole { claim, .. } => Some(claim),
            Self::Absent | Self::Damaged { .. } => None,
        }
    }
}

/// The newest batch of which the bucket holds something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) start: Offset,
    /// None if every object was written in parts: they do not say where the batch ends.
    pub(super) plan: Option<Plan>,
    pub(super) objects: usize,
    /// All objects that the plan promised are there, by what they say themselves.
    pub(super) is_whole: bool,
    pub(super) key: Option<ObjectKey>,
}

/// Everything that a decision about one partition can be built on.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub(super) source: Source,
    pub(super) log: Watermarks,
    pub(super) committed: Option<CommittedOffset>,
    pub(super) claim: FoundClaim,
    pub(super) newest: Option<Newest>,
    /// Where the oldest batch in the bucket begins.
    pub(super) oldest: Option<Offset>,
    /// Of the present topic: up to where each object's batch reaches, as far as that is known.
    pub(super) reaches: Vec<(Offset, ObjectKey)>,
    /// Objects of a former topic of this name.
    pub(super) former: Vec<ObjectKey>,
    /// Where the configuration puts objects.
    pub(super) places: Places,
}

/// How a partition stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing here needs a person.
    Goes,
    /// A plan is pending: the daemon finishes it, or has stopped because it cannot.
    Pending,
    /// The claim holds a decision, and its owner takes it within a minute.
    Decided,
    Needs(StopReason),
}

impl Evidence {
    /// Sorts what the bucket holds of the partition.
    pub(super) fn sort(&mut self, holdings: &Holdings) {
        let newest = holdings.batches.values().max_by_key(|batch| batch.start);
        self.newest = newest.map(|batch| Newest {
            start: batch.start,
            plan: self.plan_of(batch),
            objects: batch.objects.len(),
            is_whole: batch.is_proven(),
            key: batch.objects.last().map(|object| object.key.clone()),
        });
        self.oldest = holdings.batches.values().map(|batch| batch.start).min();
        for batch in holdings.batches.values() {
            let end = batch.plan.as_ref().map(|plan| plan.range.end());
            for object in &batch.objects {
                let end = end.unwrap_or_else(|| object.first.next());
                self.reaches.push((end, object.key.clone()));
            }
        }
    }

    fn plan_of(&self, batch: &Batch) -> Option<Plan> {
        let planned = batch.plan.as_ref()?;
        Some(Plan {
            batch: batch.id,
            range: planned.range,
            opened: planned.opened,
            records: planned.records,
            digest: planned.digest,
            cluster: self.source.cluster.clone(),
            topic_id: self.source.topic_id,
            layout: planned.layout.as_ref().clone(),
        })
    }

    /// Returns whether what was found is about another topic of this name.
    pub(super) fn is_recreated(&self) -> bool {
        let claimed = self.claim.whole().map(|claim| claim.topic_id);
        let committed = self.ours().map(|ours| match ours {
            Metadata::Plan(plan) => plan.topic_id,
            Metadata::Empty(empty) => empty.topic_id,
            Metadata::Foreign => TopicId::UNKNOWN,
        });
        let now = self.source.topic_id;
        let is_other = |id: TopicId| id.is_known() && now.is_known() && id != now;
        claimed.into_iter().chain(committed).any(is_other)
    }

    /// Returns what our own metadata beside the commit says, if it is whole.
    pub(super) fn ours(&self) -> Option<Metadata> {
        let committed = self.committed.as_ref()?;
        match Metadata::parse(&committed.metadata) {
            Ok(ours @ (Metadata::Plan(_) | Metadata::Empty(_))) => Some(ours),
            Ok(Metadata::Foreign) | Err(_) => None,
        }
    }

    /// Returns the plan that stands beside the commit.
    pub(super) fn pending(&self) -> Option<Plan> {
        match self.ours()? {
            Metadata::Plan(plan) => Some(*plan),
            Metadata::Empty(_) | Metadata::Foreign => None,
        }
    }

    /// Returns the last plan of the present topic that anything tells of: the commit, the claim, the
    /// objects.
    pub(super) fn last_plan(&self) -> Option<Plan> {
        let claimed = self.claim.whole().and_then(|claim| claim.plan.as_ref());
        let claimed = claimed.and_then(|text| Metadata::parse(text.as_str().as_bytes()).ok());
        let claimed = match claimed {
            Some(Metadata::Plan(plan)) => Some(*plan),
            Some(Metadata::Empty(_) | Metadata::Foreign) | None => None,
        };
        let stored = self.newest.as_ref().and_then(|newest| newest.plan.clone());
        let is_here = |plan: &Plan| {
            plan.cluster == self.source.cluster && plan.topic_id == self.source.topic_id
        };
        let all = [self.pending(), claimed, stored].into_iter().flatten().filter(is_here);
        all.max_by_key(|plan| plan.range.start())
    }

    /// Returns whether the bucket holds everything that the plan promised.
    pub(super) fn is_stored(&self, plan: &Plan) -> bool {
        self.newest.as_ref().is_some_and(|newest| {
            newest.is_whole && newest.plan.as_ref().is_some_and(|found| found.batch == plan.batch)
        })
    }

    /// Returns how the partition stands, by the same rules by which the daemon starts it.
    pub(super) fn standing(&self) -> Standing {
        if let FoundClaim::Damaged { key, why, .. } = &self.claim {
            let (key, found) = (key.as_str().to_owned(), why.clone());
            return Standing::Needs(StopReason::Claim { key, found });
        }
        let committed = self.committed.as_ref();
        let claim = self.claim.whole();
        if let Some((claim, recovery)) = claim.zip(claim.and_then(|claim| claim.recovery.as_ref()))
            && let Some(decision) = decision_of(recovery, claim, committed)
            && let places = decision.places.as_ref().unwrap_or(&self.places)
            && take(&self.source, committed, &decision, places).is_ok()
        {
            return Standing::Decided;
        }
        let facts = claim.and_then(|claim| facts_of(claim).ok());
        if let Err(reason) = settle(&self.source, committed, facts.as_ref(), self.log.low) {
            return Standing::Needs(reason);
        }
        let log_end = self.log.high;
        match committed.map(|committed| committed.offset) {
            Some(position) if position > log_end => {
                Standing::Needs(StopReason::AheadOfLog { position, log_end })
            }
            Some(_) | None if self.pending().is_some() => Standing::Pending,
            Some(_) | None => Standing::Goes,
        }
    }
}
