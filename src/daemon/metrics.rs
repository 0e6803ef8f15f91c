//! The numbers for Prometheus: one method per event, one registry per daemon, no globals.
//!
//! It owns: every series' name, help and labels, and the text that a scrape gets.
//! It does not own: HTTP, and the decision when something has happened.
//!
//! Labels come from enums of the program (`&'static str`), except topic and partition, whose series
//! exist only while this process holds the partition, and which `http.partition_metrics` turns off.

mod gathered;
mod partitions;
mod process;
mod workers;

use std::time::Duration;

use prometheus::{Encoder, HistogramOpts, Opts, Registry, TextEncoder};
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use super::status::{Health, Readiness};
use crate::model::{SealReason, TopicPartition};

pub use partitions::{PartitionMetrics, PartitionSeries};
pub use workers::{OpenBatches, WorkerMetrics};

/// Media type of Prometheus's text format, version 0.0.4.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the latency histograms in seconds: from one request on a local network to a
/// store that was down for five minutes.
const LATENCY_SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// A mistake in this module's own tables (a name twice, a bad label): a bug, found at start.
#[derive(Debug, thiserror::Error)]
#[error("the table of metrics is broken: {0}: report this as a bug")]
pub struct MetricsError(#[from] prometheus::Error);

/// The daemon's numbers. Cheap to clone; clones count into the same series.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    read_records: IntCounter,
    read_bytes: IntCounter,
    written_records: IntCounter,
    written_bytes: IntCounter,
    written_objects: IntCounter,
    sealed_batches: IntCounterVec,
    publish_seconds: Histogram,
    commit_seconds: Histogram,
    retries: IntCounterVec,
    errors: IntCounterVec,
    quarantined_records: IntCounterVec,
    skipped_records: IntCounterVec,
    rebalances: IntCounter,
    config_reloads: IntCounterVec,
    s3_requests: IntCounterVec,
    process: process::Process,
    partitions: partitions::Partitions,
    workers: workers::Workers,
}

/// What became of a configuration that was read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    Taken,
    Refused,
}

impl ReloadOutcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused => "refused",
        }
    }
}

impl Metrics {
    /// Returns numbers that all stand at zero, in a registry of their own.
    pub fn new(partition_series: PartitionSeries) -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let partitions = partitions::Partitions::new(partition_series)?;
        let workers = workers::Workers::new()?;
        registry.register(Box::new(partitions.clone()))?;
        registry.register(Box::new(workers.clone()))?;
        let add = Adder(&registry);
        Ok(Self {
            read_records: add.counter("read_records_total", "Records read from Kafka.")?,
            read_bytes: add.counter("read_bytes_total", "Bytes of record values read.")?,
            written_records: add.counter(
                "written_records_total",
                "Records of objects that were written, or found written by a predecessor.",
            )?,
            written_bytes: add.counter(
                "written_bytes_total",
                "Bytes of objects that were written or found written, as stored.",
            )?,
            written_objects: add.counter(
                "written_objects_total",
                "Objects that were written, or found written by a predecessor.",
            )?,
            sealed_batches: add.sealed_batches()?,
            publish_seconds: add.latency(
                "publish_duration_seconds",
                "From a batch's seal to its last object being visible.",
            )?,
            commit_seconds: add.latency(
                "commit_duration_seconds",
                "From a request to commit offsets to its answer.",
            )?,
            retries: add.counters(
                "retries_total",
                "Attempts repeated, at S3 and of commits.",
                &["kind"],
            )?,
            errors: add.counters(
                "errors_total",
                "Errors that a person may want to see.",
                &["kind"],
            )?,
            quarantined_records: add.counters(
                "quarantined_records_total",
                "Records read that go to the quarantine, once for each time they are read.",
                &["reason"],
            )?,
            skipped_records: add.counters(
                "skipped_records_total",
                "Records read that are not to be written, once for each time they are read.",
                &["reason"],
            )?,
            rebalances: add.counter(
                "rebalances_total",
                "Times that the group gave partitions or took them away.",
            )?,
            config_reloads: add.config_reloads()?,
            s3_requests: add.counters(
                "s3_requests_total",
                "Requests to S3, each attempt counted.",
                &["operation", "outcome"],
            )?,
            process: process::Process::new(&add)?,
            registry,
            partitions,
            workers,
        })
    }

    pub fn records_read(&self, records: u64, value_bytes: u64) {
        self.read_records.inc_by(records);
        self.read_bytes.inc_by(value_bytes);
    }

    pub fn batch_sealed(&self, reason: SealReason) {
        self.sealed_batches.with_label_values(&[reason.as_str()]).inc();
    }

    pub fn object_published(&self, records: u64, stored_bytes: u64) {
        self.written_objects.inc();
        self.written_records.inc_by(records);
        self.written_bytes.inc_by(stored_bytes);
    }

    /// `took`: from the seal to the last object being visible, retries included.
    pub fn batch_published(&self, took: Duration) {
        self.publish_seconds.observe(took.as_secs_f64());
    }

    pub fn offsets_committed(&self, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
    }

    pub fn retried(&self, kind: &'static str) {
        self.retries.with_label_values(&[kind]).inc();
    }

    pub fn error_handled(&self, kind: &'static str) {
        self.errors.with_label_values(&[kind]).inc();
    }

    pub fn configuration_read(&self, outcome: ReloadOutcome) {
        self.config_reloads.with_label_values(&[outcome.as_str()]).inc();
    }

    pub fn records_quarantined(&self, reason: &'static str, records: u64) {
        self.quarantined_records.with_label_values(&[reason]).inc_by(records);
    }

    pub fn records_skipped(&self, reason: &'static str, records: u64) {
        self.skipped_records.with_label_values(&[reason]).inc_by(records);
    }

    pub fn memory_is(&self, used_bytes: u64, limit_bytes: u64) {
        self.process.memory_used.set(clamp(used_bytes));
        self.process.memory_limit.set(clamp(limit_bytes));
    }

    /// What the system sees of the process.
    pub fn resident_is(&self, bytes: u64) {
        self.process.resident_is(bytes);
    }

    /// What `/readyz` and `/healthz` say.
    pub fn state_is(&self, readiness: &Readiness, health: &Health) {
        self.process.state_is(readiness, health);
    }

    pub fn rebalanced(&self) {
        self.rebalances.inc();
    }

    pub fn s3_requested(&self, operation: &'static str, outcome: &'static str) {
        self.s3_requests.with_label_values(&[operation, outcome]).inc();
    }

    /// Gives the handle through which a partition's owner sets its offsets. A handle from an
    /// earlier assignment of the partition sets nothing any more.
    pub fn partition_assigned(&self, partition: &TopicPartition) -> PartitionMetrics {
        self.partitions.assigned(partition)
    }

    /// Takes all series of the partition away.
    pub fn partition_lost(&self, partition: &TopicPartition) {
        self.partitions.lost(partition);
    }

    pub fn partition_stopped(&self, partition: &TopicPartition, reason: &'static str) {
        self.partitions.stopped(partition, reason);
    }

    pub fn partition_resumed(&self, partition: &TopicPartition) {
        self.partitions.resumed(partition);
    }

    /// Gives the handle through which a worker tells of its open batches; a new one for the same
    /// worker replaces the old.
    pub fn worker_started(&self, worker: usize) -> WorkerMetrics {
        self.workers.started(worker)
    }

    /// Returns what the status page shows beside the partitions.
    pub fn totals(&self) -> Totals {
        Totals {
            written_records: self.written_records.get(),
            written_bytes: self.written_bytes.get(),
            written_objects: self.written_objects.get(),
            quarantined_records: sum(&self.quarantined_records),
            memory_used_bytes: unsigned(self.process.memory_used.get()),
            memory_limit_bytes: unsigned(self.process.memory_limit.get()),
            rebalances: self.rebalances.get(),
        }
    }

    /// Returns everything as Prometheus's text.
    pub fn text(&self) -> Result<Vec<u8>, MetricsError> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// Sums for the status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub written_records: u64,
    pub written_bytes: u64,
    pub written_objects: u64,
    pub quarantined_records: u64,
    pub memory_used_bytes: u64,
    /// Zero until the budget is known.
    pub memory_limit_bytes: u64,
    pub rebalances: u64,
}

/// Makes series and registers them.
struct Adder<'a>(&'a Registry);

impl Adder<'_> {
    fn options(name: &str, help: &str) -> Opts {
        Opts::new(format!("sluice_{name}"), help)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        let counter = IntCounter::with_opts(Self::options(name, help))?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        let counters = IntCounterVec::new(Self::options(name, help), labels)?;
        self.0.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let gauge = IntGauge::with_opts(Self::options(name, help))?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn latency(&self, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
        let options = HistogramOpts::from(Self::options(name, help));
        let histogram = Histogram::with_opts(options.buckets(LATENCY_SECONDS.to_vec()))?;
        self.0.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }

    /// Each reason has its series from the start.
    fn sealed_batches(&self) -> Result<IntCounterVec, prometheus::Error> {
        let help = "Batches sealed, by what sealed them.";
        let sealed = self.counters("sealed_batches_total", help, &["reason"])?;
        for reason in SealReason::ALL {
            sealed.with_label_values(&[reason.as_str()]);
        }
        Ok(sealed)
    }

    /// Each outcome has its series from the start.
    fn config_reloads(&self) -> Result<IntCounterVec, prometheus::Error> {
        let help = "Times that the configuration was read again while running.";
        let reloads = self.counters("config_reloads_total", help, &["outcome"])?;
        for outcome in [ReloadOutcome::Taken, ReloadOutcome::Refused] {
            reloads.with_label_values(&[outcome.as_str()]);
        }
        Ok(reloads)
    }

    fn build_info(&self) -> Result<(), prometheus::Error> {
        let options = Self::options("build_info", "The version that runs; always 1.");
        let gauge = IntGauge::with_opts(options.const_label("version", env!("CARGO_PKG_VERSION")))?;
        gauge.set(1);
        self.0.register(Box::new(gauge))
    }
}

fn clamp(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn sum(counters: &IntCounterVec) -> u64 {
    use prometheus::core::Collector;
    let families = counters.collect();
    let metrics = families.iter().flat_map(|family| family.get_metric());
    metrics.map(|metric| metric.get_counter().get_value() as u64).sum()
}

#[cfg(test)]
mod tests;
