//! What the bucket holds, sorted by partition and batch. Pure: from what HEAD said of each object.
//!
//! It owns: what an object is (ours, a predecessor's, somebody's), what is kept of it: its key and
//! some fifty bytes, so that a million objects fit.
//! It does not own: asking the bucket, comparing with Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::finding::{Finding, Kind};
use super::name::{parse_name, stands_beside};
use crate::engine::{Digest, DigestEntry, Metadata, Plan};
use crate::layout::Layout;
use crate::model::{
    BatchId, GroupId, ObjectKey, Offset, OffsetRange, Timestamp, Topic, TopicId, TopicPartition,
};
use crate::s3::{Found, MetadataError, ObjectMetadata, PlanText};

/// An object of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) struct Object {
    pub(in crate::command) key: ObjectKey,
    pub(in crate::command) size: u64,
    /// The offset of its own first record.
    pub(in crate::command) first: Offset,
    /// None if it was written in parts.
    pub(in crate::command) count: Option<u64>,
}

/// What the objects of a batch say of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) struct Planned {
    pub(in crate::command) range: OffsetRange,
    pub(in crate::command) opened: Timestamp,
    /// That Kafka delivered then, skipped ones too.
    pub(in crate::command) records: u64,
    pub(in crate::command) digest: Digest,
    /// One copy for all batches that share it.
    pub(in crate::command) layout: Arc<Layout>,
}

/// All objects with one batch id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) struct Batch {
    pub(in crate::command) start: Offset,
    pub(in crate::command) id: BatchId,
    /// None as long as every object was written in parts.
    pub(in crate::command) plan: Option<Planned>,
    pub(in crate::command) objects: Vec<Object>,
}

impl Batch {
    /// Returns whether the objects are all that the plan promised, by what they say themselves.
    pub(in crate::command) fn is_proven(&self) -> bool {
        let Some(plan) = &self.plan else { return false };
        if self.objects.iter().any(|object| object.count.is_none()) {
            return false;
        }
        let entries = self.objects.iter().map(|object| DigestEntry {
            key: &object.key,
            first: object.first,
            count: object.count.unwrap_or_default(),
        });
        Digest::of(entries) == plan.digest
    }
}

/// An object without a batch, with the predecessor's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) struct Named {
    pub(in crate::command) start: Offset,
    pub(in crate::command) key: ObjectKey,
    pub(in crate::command) size: u64,
}

/// What the bucket holds of one partition.
#[derive(Debug, Default)]
pub(in crate::command) struct Holdings {
    pub(in crate::command) batches: BTreeMap<(Offset, BatchId), Batch>,
    /// By start, once all is in.
    pub(in crate::command) named: Vec<Named>,
}

impl Holdings {
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.named.is_empty()
    }

    pub(super) fn objects(&self) -> usize {
        self.batches.values().map(|batch| batch.objects.len()).sum::<usize>() + self.named.len()
    }
}

/// All that is looked for, and what was found of it.
#[derive(Debug)]
pub(in crate::command) struct Inventory {
    group: GroupId,
    topics: BTreeMap<Topic, TopicId>,
    pub(in crate::command) partitions: BTreeMap<TopicPartition, Holdings>,
    layouts: Vec<Arc<Layout>>,
    /// What was found to be wrong with these was said: they are not missing too.
    pub(in crate::command) set_aside: BTreeSet<ObjectKey>,
    /// Objects of former topics with the names of these.
    pub(in crate::command) former: BTreeMap<TopicPartition, Vec<ObjectKey>>,
    /// Objects of topics that were not asked for.
    pub(in crate::command) left_out: u64,
}

impl Inventory {
    /// Of these topics with the ids that they have now, and these partitions of them.
    pub(in crate::command) fn new(
        group: &GroupId,
        topics: BTreeMap<Topic, TopicId>,
        partitions: impl Iterator<Item = TopicPartition>,
    ) -> Self {
        let partitions = partitions.map(|partition| (partition, Holdings::default())).collect();
        Self {
            group: group.clone(),
            topics,
            partitions,
            layouts: Vec::new(),
            set_aside: BTreeSet::new(),
            former: BTreeMap::new(),
            left_out: 0,
        }
    }

    /// Sorts an object in, or says what is wrong with it.
    pub(super) fn add(&mut self, key: ObjectKey, found: Found) -> Option<Finding> {
        let finding = match found.metadata {
            Ok(metadata) => self.add_ours(key.clone(), found.size, metadata),
            Err(MetadataError::NoBatchId) => return self.add_named(key, found.size),
            Err(error) => {
                Some(Finding::new(Kind::BadMetadata, "bucket", error.to_string()).key(&key))
            }
        };
        if finding.is_some() {
            self.set_aside.insert(key);
        }
        finding
    }

    /// Takes the plan that a claim holds for a batch whose objects were all written in parts.
    pub(in crate::command) fn add_claimed(&mut self, partition: &TopicPartition, text: &PlanText) {
        let Ok(Metadata::Plan(plan)) = Metadata::parse(text.as_str().as_bytes()) else { return };
        let planned = self.share(*plan);
        let id = (planned.0.range.start(), planned.1);
        let holdings = self.partitions.get_mut(partition);
        if let Some(batch) = holdings.and_then(|holdings| holdings.batches.get_mut(&id)) {
            batch.plan.get_or_insert(planned.0);
        }
    }

    /// Returns the layouts of all plans.
    pub(super) fn layouts(&self) -> &[Arc<Layout>] {
        &self.layouts
    }

    /// Ends the sorting.
    pub(super) fn settle(&mut self) {
        for holdings in self.partitions.values_mut() {
            holdings
                .named
                .sort_by(|one, other| (one.start, &one.key).cmp(&(other.start, &other.key)));
            for batch in holdings.batches.values_mut() {
                batch
                    .objects
                    .sort_by(|one, other| (one.first, &one.key).cmp(&(other.first, &other.key)));
            }
        }
    }

    fn add_ours(&mut self, key: ObjectKey, size: u64, metadata: ObjectMetadata) -> Option<Finding> {
        let ObjectMetadata { partition, group, topic_id, batch_start, first, count, .. } =
            &metadata;
        let (first, count) = (*first, *count);
        let finding = |kind, what: String| Some(Finding::new(kind, partition, what).key(&key));
        let Some(current) = self.topics.get(&partition.topic).copied() else {
            self.left_out += 1;
            return None;
        };
        if *group != self.group {
            return finding(Kind::OtherGroup, format!("group `{group}` wrote it"));
        }
        if current != *topic_id && current.is_known() && topic_id.is_known() {
            self.former.entry(partition.clone()).or_default().push(key.clone());
            let what = format!("it was written from topic id {topic_id}, which is {current} now");
            return finding(Kind::OtherTopic, what);
        }
        if !self.partitions.contains_key(partition) {
            return finding(Kind::OtherTopic, "the topic has no such partition".to_owned());
        }
        let id = (*batch_start, metadata.batch);
        let is_planned = |holdings: &Holdings| {
            holdings.batches.get(&id).is_some_and(|batch| batch.plan.is_some())
        };
        let is_known = self.partitions.get(partition).is_some_and(is_planned);
        let plan = match metadata.plan.as_ref().filter(|_| !is_known) {
            None => None,
            Some(text) => match self.read_plan(text, &metadata) {
                Ok(plan) => Some(plan),
                Err(what) => return finding(Kind::BadMetadata, what),
            },
        };
        let holdings = self.partitions.entry(partition.clone()).or_default();
        let batch = holdings.batches.entry(id).or_insert_with(|| Batch {
            start: *batch_start,
            id: metadata.batch,
            plan: None,
            objects: Vec::with_capacity(1),
        });
        batch.plan = batch.plan.take().or(plan);
        batch.objects.push(Object { key, size, first, count });
        None
    }

    fn read_plan(&mut self, text: &PlanText, of: &ObjectMetadata) -> Result<Planned, String> {
        let plan = match Metadata::parse(text.as_str().as_bytes()) {
            Ok(Metadata::Plan(plan)) => *plan,
            Ok(Metadata::Empty(_) | Metadata::Foreign) => {
                return Err("its plan is none of Sluice's".to_owned());
            }
            Err(error) => return Err(format!("its plan cannot be read: {error}")),
        };
        if plan.batch != of.batch || plan.range.start() != of.batch_start {
            return Err("its plan is that of another batch".to_owned());
        }
        Ok(self.share(plan).0)
    }

    fn share(&mut self, plan: Plan) -> (Planned, BatchId) {
        let known = self.layouts.iter().find(|known| ***known == plan.layout).cloned();
        let layout = known.unwrap_or_else(|| {
            let layout = Arc::new(plan.layout);
            self.layouts.push(Arc::clone(&layout));
            layout
        });
        let Plan { range, opened, records, digest, batch, .. } = plan;
        (Planned { range, opened, records, digest, layout }, batch)
    }

    fn add_named(&mut self, key: ObjectKey, size: u64) -> Option<Finding> {
        let Some((partition, start)) = parse_name(key.as_str()) else {
            let what = "it has neither Sluice's metadata nor a name of its predecessor";
            return Some(Finding::new(Kind::NotOurs, "bucket", what).key(key));
        };
        if !self.topics.contains_key(&partition.topic) {
            self.left_out += 1;
            return None;
        }
        match self.partitions.get_mut(&partition) {
            Some(_) if stands_beside(key.as_str()) => None,
            Some(holdings) => {
                holdings.named.push(Named { start, key, size });
                None
            }
            None => {
                let what = "the topic has no such partition";
                Some(Finding::new(Kind::OtherTopic, partition, what).key(key))
            }
        }
    }
}

#[cfg(test)]
mod tests;
