//! Offsets and lag of each partition that is held, read from plain cells at the scrape.
//!
//! It owns: the cells, and which partitions have series at all.
//! It does not own: the offsets' meaning, nor who holds a partition.
//!
//! Why not a `GaugeVec` per number: the owner of a partition would write two gauges per offset, and
//! a handle that outlives its assignment could bring a series back after it was removed. A cell is
//! one store, and cells that are no longer in the map are simply not read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Metric, MetricFamily};

use super::gathered::Family;
use crate::model::{Offset, Timestamp, TopicPartition};

/// Whether each partition has series of its own (`http.partition_metrics`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionSeries {
    Shown,
    /// For thousands of partitions. What is stopped is shown all the same.
    Hidden,
}

/// Sign of a cell that nothing was written to.
const UNKNOWN: i64 = -1;

/// How far a partition has come, each the offset of the next record at that stage.
#[derive(Debug)]
struct Cells {
    consumed: AtomicI64,
    buffered: AtomicI64,
    published: AtomicI64,
    committed: AtomicI64,
    log_end: AtomicI64,
    published_ms: AtomicI64,
    is_starting: AtomicBool,
    has_leader: AtomicBool,
}

impl Default for Cells {
    fn default() -> Self {
        let unknown = || AtomicI64::new(UNKNOWN);
        Self {
            consumed: unknown(),
            buffered: unknown(),
            published: unknown(),
            committed: unknown(),
            log_end: unknown(),
            published_ms: unknown(),
            is_starting: AtomicBool::new(true),
            has_leader: AtomicBool::new(true),
        }
    }
}

impl Cells {
    fn stages(&self) -> [(&'static str, &AtomicI64); 4] {
        [
            ("consumed", &self.consumed),
            ("buffered", &self.buffered),
            ("published", &self.published),
            ("committed", &self.committed),
        ]
    }
}

/// The handle of one assignment of one partition: each method is one store.
#[derive(Clone, Debug)]
pub struct PartitionMetrics(Arc<Cells>);

impl PartitionMetrics {
    /// Everything below `next` was taken from Kafka.
    pub fn consumed(&self, next: Offset) {
        self.0.consumed.store(next.value(), Relaxed);
    }

    /// Everything below `next` was added to a batch.
    pub fn buffered(&self, next: Offset) {
        self.0.buffered.store(next.value(), Relaxed);
    }

    /// Everything below `next` is visible in S3.
    pub fn published(&self, next: Offset) {
        self.0.published.store(next.value(), Relaxed);
    }

    /// Whether Kafka, S3 and the claim are still being asked where to begin.
    pub fn starting(&self, is_starting: bool) {
        self.0.is_starting.store(is_starting, Relaxed);
    }

    /// Whether Kafka has a leader for the partition, as it was seen last.
    pub fn has_leader(&self, is_there: bool) {
        self.0.has_leader.store(is_there, Relaxed);
    }

    /// The frontier.
    pub fn committed(&self, next: Offset) {
        self.0.committed.store(next.value(), Relaxed);
    }

    /// Every record that is known and older than this is visible in S3.
    pub fn published_time(&self, time: Timestamp) {
        self.0.published_ms.store(time.millis(), Relaxed);
    }

    /// The offset that the next record written to the partition will have.
    pub fn log_end_known(&self, log_end: Offset) {
        self.0.log_end.store(log_end.value(), Relaxed);
    }
}

#[derive(Debug)]
struct Families {
    assigned: Family,
    starting: Family,
    leaderless: Family,
    stopped_count: Family,
    stopped: Family,
    offset: Family,
    lag: Family,
    log_end: Family,
    published_time: Family,
}

const PARTITION: &[&str] = &["topic", "partition"];
const STAGE: &[&str] = &["topic", "partition", "stage"];
const REASON: &[&str] = &["topic", "partition", "reason"];

impl Families {
    fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            assigned: Family::new("sluice_assigned_partitions", "Partitions held.", &[])?,
            starting: Family::new(
                "sluice_starting_partitions",
                "Partitions held whose start is not settled yet.",
                &[],
            )?,
            leaderless: Family::new(
                "sluice_leaderless_partitions",
                "Partitions held for which Kafka has no leader, looked at each minute.",
                &[],
            )?,
            stopped_count: Family::new(
                "sluice_stopped_partitions",
                "Partitions held that wait for a person.",
                &[],
            )?,
            stopped: Family::new(
                "sluice_partition_stopped",
                "1 while the partition waits for a person.",
                REASON,
            )?,
            offset: Family::new(
                "sluice_partition_offset",
                "Offset of the next record at each stage.",
                STAGE,
            )?,
            lag: Family::new(
                "sluice_partition_lag_records",
                "Offsets between each stage and the end of the partition.",
                STAGE,
            )?,
            log_end: Family::new(
                "sluice_partition_log_end_offset",
                "Offset that the partition's next record will have.",
                PARTITION,
            )?,
            published_time: Family::new(
                "sluice_partition_published_time_seconds",
                "Records with an earlier time are in S3, as far as they are known.",
                PARTITION,
            )?,
        })
    }
}

#[derive(Debug, Default)]
struct Held {
    cells: BTreeMap<TopicPartition, Arc<Cells>>,
    stopped: BTreeMap<TopicPartition, &'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct Partitions {
    series: PartitionSeries,
    families: Arc<Families>,
    held: Arc<Mutex<Held>>,
}

impl Partitions {
    pub(super) fn new(series: PartitionSeries) -> Result<Self, prometheus::Error> {
        Ok(Self { series, families: Arc::new(Families::new()?), held: Arc::default() })
    }

    pub(super) fn assigned(&self, partition: &TopicPartition) -> PartitionMetrics {
        let cells = Arc::<Cells>::default();
        self.lock().cells.insert(partition.clone(), Arc::clone(&cells));
        PartitionMetrics(cells)
    }

    pub(super) fn lost(&self, partition: &TopicPartition) {
        let mut held = self.lock();
        held.cells.remove(partition);
        held.stopped.remove(partition);
    }

    pub(super) fn stopped(&self, partition: &TopicPartition, reason: &'static str) {
        self.lock().stopped.insert(partition.clone(), reason);
    }

    pub(super) fn resumed(&self, partition: &TopicPartition) {
        self.lock().stopped.remove(partition);
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect_stopped(&self, held: &Held) -> Vec<Metric> {
        let stopped = held.stopped.iter().map(|(partition, reason)| {
            let index = partition.partition.to_string();
            self.families.stopped.gauge(&[partition.topic.as_str(), &index, reason], 1.0)
        });
        stopped.collect()
    }

    fn collect_offsets(&self, held: &Held) -> Offsets {
        let mut gathered = Offsets::default();
        for (partition, cells) in &held.cells {
            let index = partition.partition.to_string();
            let topic = partition.topic.as_str();
            let log_end = known(&cells.log_end);
            for (stage, cell) in cells.stages() {
                let Some(offset) = known(cell) else { continue };
                let labels = [topic, &index, stage];
                gathered.offset.push(self.families.offset.gauge(&labels, offset as f64));
                if let Some(log_end) = log_end {
                    let lag = log_end.saturating_sub(offset).max(0);
                    gathered.lag.push(self.families.lag.gauge(&labels, lag as f64));
                }
            }
            if let Some(log_end) = log_end {
                let gauge = self.families.log_end.gauge(&[topic, &index], log_end as f64);
                gathered.log_end.push(gauge);
            }
            if let Some(millis) = known(&cells.published_ms) {
                let gauge =
                    self.families.published_time.gauge(&[topic, &index], millis as f64 / 1e3);
                gathered.published_time.push(gauge);
            }
        }
        gathered
    }
}

#[derive(Debug, Default)]
struct Offsets {
    offset: Vec<Metric>,
    lag: Vec<Metric>,
    log_end: Vec<Metric>,
    published_time: Vec<Metric>,
}

fn known(cell: &AtomicI64) -> Option<i64> {
    Some(cell.load(Relaxed)).filter(|offset| *offset != UNKNOWN)
}

impl Collector for Partitions {
    fn desc(&self) -> Vec<&Desc> {
        let all = &*self.families;
        let held = [&all.assigned, &all.starting, &all.leaderless];
        let states = [&all.stopped_count, &all.stopped];
        let progress = [&all.offset, &all.lag, &all.log_end, &all.published_time];
        held.into_iter().chain(states).chain(progress).map(|family| family.description()).collect()
    }

    /// Leaves out a family without a series: the text format has no empty ones.
    fn collect(&self) -> Vec<MetricFamily> {
        let held = self.lock();
        let families = &*self.families;
        let assigned = families.assigned.gauge(&[], held.cells.len() as f64);
        let is_starting = |cells: &&Arc<Cells>| cells.is_starting.load(Relaxed);
        let starting = held.cells.values().filter(is_starting).count();
        let starting = families.starting.gauge(&[], starting as f64);
        let is_leaderless = |cells: &&Arc<Cells>| !cells.has_leader.load(Relaxed);
        let leaderless = held.cells.values().filter(is_leaderless).count();
        let leaderless = families.leaderless.gauge(&[], leaderless as f64);
        let stopped_count = families.stopped_count.gauge(&[], held.stopped.len() as f64);
        let stopped = self.collect_stopped(&held);
        let offsets = match self.series {
            PartitionSeries::Shown => self.collect_offsets(&held),
            PartitionSeries::Hidden => Offsets::default(),
        };
        let all = [
            (&families.assigned, vec![assigned]),
            (&families.starting, vec![starting]),
            (&families.leaderless, vec![leaderless]),
            (&families.stopped_count, vec![stopped_count]),
            (&families.stopped, stopped),
            (&families.offset, offsets.offset),
            (&families.lag, offsets.lag),
            (&families.log_end, offsets.log_end),
            (&families.published_time, offsets.published_time),
        ];
        let filled = all.into_iter().filter(|(_, metrics)| !metrics.is_empty());
        filled.map(|(family, metrics)| family.with(metrics)).collect()
    }
}
