//! S3 as the daemon meets it: each request waits until the run decides what becomes of it.
//!
//! It owns: the buckets, the requests on their way, what is checked when an object appears.
//! It does not own: what S3 answers (`s3::memory`), when (`world`).

mod reached;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::client::{Shared, offset};
use super::cluster::TOPIC;
use super::coordinator::InstanceId;
use super::dice::Dice;
use super::seen::Scenario;
use crate::model::{BatchId, Bucket, GroupId, ObjectKey, TopicId, TopicPartition};
use crate::s3::memory::MemoryStore;
use crate::s3::{ObjectMetadata, Operation, StoreErrorKind, Writes};

pub(super) use reached::Reach;

/// A request that is not answered for so long has failed.
const REQUEST_MAX: Duration = Duration::from_secs(30);

/// The bytes of an object of another pipeline.
pub(super) const PLANTED: &[u8] = b"planted";

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    /// The store does it, and the answer gets lost.
    DoneAndLost,
    Failed(StoreErrorKind),
}

struct Waiting {
    instance: InstanceId,
    operation: Operation,
    key: String,
    decide: oneshot::Sender<Fate>,
}

/// All buckets, and what is on its way to them.
#[derive(Clone)]
pub(super) struct S3 {
    inner: Arc<Mutex<Inner>>,
    kafka: Shared,
}

struct Inner {
    buckets: BTreeMap<String, Arc<MemoryStore>>,
    waiting: Vec<Waiting>,
    /// Whose requests reach nothing any more.
    gone: Vec<InstanceId>,
    asleep: Vec<InstanceId>,
    /// How often a request goes wrong, of a thousand.
    faults: usize,
    /// Objects of another pipeline.
    planted: usize,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("S3")
    }
}

impl S3 {
    pub(super) fn new(kafka: Shared) -> Self {
        let inner = Inner {
            buckets: BTreeMap::new(),
            waiting: Vec::new(),
            gone: Vec::new(),
            asleep: Vec::new(),
            faults: 0,
            planted: 0,
        };
        Self { inner: Arc::new(Mutex::new(inner)), kafka }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults_are(&self, per_mille: usize) {
        self.lock().faults = per_mille;
    }

    pub(super) fn sleeps(&self, instance: InstanceId, is_asleep: bool) {
        let mut inner = self.lock();
        inner.asleep.retain(|at| *at != instance);
        if is_asleep {
            inner.asleep.push(instance);
        }
    }

    /// Nothing that this instance asks from here on is done; what is on its way may still be.
    pub(super) fn is_gone(&self, instance: InstanceId) {
        self.lock().gone.push(instance);
    }

    pub(super) fn bucket(&self, name: &str) -> Arc<MemoryStore> {
        let mut inner = self.lock();
        let store = inner.buckets.entry(name.to_owned()).or_insert_with(|| {
            let bucket = Bucket::new(name).expect("a configuration names it");
            Arc::new(MemoryStore::new(bucket, Writes::Conditional))
        });
        Arc::clone(store)
    }

    pub(super) fn buckets(&self) -> Vec<Arc<MemoryStore>> {
        self.lock().buckets.values().cloned().collect()
    }

    /// Returns how many objects of another pipeline there must be.
    pub(super) fn planted(&self) -> usize {
        self.lock().planted
    }

    pub(super) fn is_idle(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Decides about one of the requests on their way.
    pub(super) fn decide(&self, dice: &mut Dice) {
        let (waiting, fate) = {
            let mut inner = self.lock();
            let asleep = inner.asleep.clone();
            let ready: Vec<usize> = (0..inner.waiting.len())
                .filter(|at| !asleep.contains(&inner.waiting[*at].instance))
                .collect();
            let Some(which) = dice.pick(&ready) else { return };
            let waiting = inner.waiting.remove(which);
            let is_posthumous = inner.gone.contains(&waiting.instance);
            if is_posthumous && dice.chance(500) {
                return; // it never arrived
            }
            let is_object = matches!(waiting.operation, Operation::Put | Operation::CompleteUpload)
                && !waiting.key.starts_with("_sluice/");
            let fate = match dice.chance(inner.faults) {
                true if is_object && dice.chance(400) => Fate::Failed(StoreErrorKind::Conflict409),
                true => fault(&waiting, dice),
                false => Fate::Done,
            };
            (waiting, fate)
        };
        if fate == Fate::Failed(StoreErrorKind::Conflict409) {
            self.kafka.lock().seen.met(Scenario::Conflict409);
        }
        waiting.decide.send(fate).ok();
    }

    /// Somebody aborts unfinished uploads: a lifecycle rule that is too eager.
    pub(super) fn sweep(&self) {
        for store in self.buckets() {
            store.sweep_uploads();
        }
    }

    /// Another pipeline writes an object under a name that will be ours.
    pub(super) fn plant(&self, of: &TopicPartition, first: usize, kind: &str) {
        let index = of.partition.value();
        let name = format!("{TOPIC}+{index}+{first:010}.json");
        for folder in ["", &format!("kind={kind}/")] {
            let key = format!("topics/{TOPIC}/partition={index}/{folder}{name}");
            self.plant_at(of, first, &ObjectKey::new(&key).expect("this is a key"));
        }
    }

    fn plant_at(&self, of: &TopicPartition, first: usize, key: &ObjectKey) {
        let metadata = ObjectMetadata {
            batch: BatchId::new(1),
            group: GroupId::new("another").expect("this is a name"),
            partition: of.clone(),
            topic_id: TopicId::from_u128(7),
            batch_start: offset(first),
            first: offset(first),
            count: None,
            plan: None,
        };
        let pairs = metadata.encode();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for store in self.buckets() {
            if store.object(key).is_none() {
                store.plant(key, PLANTED, &pairs);
                self.lock().planted += 1;
            }
        }
    }

    /// An object has appeared: it was promised before.
    fn appeared(&self, by: InstanceId, key: &ObjectKey, metadata: &ObjectMetadata) {
        let mut kafka = self.kafka.lock();
        let promised = kafka.coordinator.promised(&metadata.partition);
        let is_promised = promised.is_some_and(|plan| plan.batch == metadata.batch);
        if !is_promised && !kafka.tampered.contains_key(&metadata.partition) {
            let batch = metadata.batch;
            kafka.violated(format!(
                "`{}` of batch {batch} appeared and no plan promised it",
                key.as_str()
            ));
        }
        kafka.published(by, metadata.batch);
    }
}

/// Picks what goes wrong with this request.
fn fault(waiting: &Waiting, dice: &mut Dice) -> Fate {
    let kinds = [
        StoreErrorKind::Unavailable5xx,
        StoreErrorKind::SlowDown,
        StoreErrorKind::Transport,
        StoreErrorKind::Timeout,
        StoreErrorKind::AccessDenied,
    ];
    match dice.below(2) {
        0 => Fate::DoneAndLost,
        // A bucket that only a person can open stops a plan that names it: another test's matter.
        _ if waiting.operation == Operation::HeadBucket => {
            Fate::Failed(StoreErrorKind::Unavailable5xx)
        }
        _ => Fate::Failed(dice.pick(&kinds).unwrap_or(StoreErrorKind::Timeout)),
    }
}
