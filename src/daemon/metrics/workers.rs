//! What the workers hold open, summed up at the scrape.
//!
//! It owns: one set of cells per worker. It does not own: the batches, nor the budget.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::gathered::Family;

/// What one worker holds open at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenBatches {
    pub count: u64,
    pub bytes: u64,
    /// Zero if none is open.
    pub oldest_age: Duration,
}

#[derive(Debug, Default)]
struct Cells {
    count: AtomicU64,
    bytes: AtomicU64,
    oldest_age_ms: AtomicU64,
}

/// One worker's handle.
#[derive(Debug)]
pub struct WorkerMetrics(Arc<Cells>);

impl WorkerMetrics {
    pub fn open_batches_are(&self, open: OpenBatches) {
        let oldest_age_ms = u64::try_from(open.oldest_age.as_millis()).unwrap_or(u64::MAX);
        self.0.count.store(open.count, Relaxed);
        self.0.bytes.store(open.bytes, Relaxed);
        self.0.oldest_age_ms.store(oldest_age_ms, Relaxed);
    }
}

#[derive(Debug)]
struct Families {
    batches: Family,
    bytes: Family,
    oldest_age: Family,
}

#[derive(Clone, Debug)]
pub(super) struct Workers {
    families: Arc<Families>,
    workers: Arc<Mutex<BTreeMap<usize, Arc<Cells>>>>,
}

impl Workers {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let families = Families {
            batches: Family::new("sluice_open_batches", "Batches that take records.", &[])?,
            bytes: Family::new("sluice_open_batch_bytes", "Memory that open batches hold.", &[])?,
            oldest_age: Family::new(
                "sluice_open_batch_oldest_age_seconds",
                "Time since the oldest open batch was opened.",
                &[],
            )?,
        };
        Ok(Self { families: Arc::new(families), workers: Arc::default() })
    }

    pub(super) fn started(&self, worker: usize) -> WorkerMetrics {
        let cells = Arc::<Cells>::default();
        self.lock().insert(worker, Arc::clone(&cells));
        WorkerMetrics(cells)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<Cells>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Workers {
    fn desc(&self) -> Vec<&Desc> {
        let Families { batches, bytes, oldest_age } = &*self.families;
        vec![batches.description(), bytes.description(), oldest_age.description()]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (mut count, mut bytes, mut oldest_age_ms) = (0_u64, 0_u64, 0_u64);
        for cells in self.lock().values() {
            count = count.saturating_add(cells.count.load(Relaxed));
            bytes = bytes.saturating_add(cells.bytes.load(Relaxed));
            oldest_age_ms = oldest_age_ms.max(cells.oldest_age_ms.load(Relaxed));
        }
        let single = |family: &Family, number| family.with(vec![family.gauge(&[], number)]);
        let oldest_age = Duration::from_millis(oldest_age_ms).as_secs_f64();
        vec![
            single(&self.families.batches, count as f64),
            single(&self.families.bytes, bytes as f64),
            single(&self.families.oldest_age, oldest_age),
        ]
    }
}
