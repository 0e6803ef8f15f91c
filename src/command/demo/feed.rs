//! The thread that puts posts into the demo's cluster.
//!
//! It owns: the thread and how it ends. It does not own: the loop and the counts, which are those
//! of `emulate`.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rdkafka::error::{KafkaError, KafkaResult};
use thiserror::Error;

use super::cluster::Cluster;
use crate::command::emulate::pace::Pace;
use crate::command::emulate::produce::{KeyChoice, Plan, produce};
use crate::command::emulate::sender::{Deliveries, Placement, Sender};
use crate::command::posts::Kind;
use crate::kafka::ConsumerError;
use crate::kafka::login::Login;
use crate::model::Topic;

/// Why posts do not get into the cluster.
#[derive(Debug, Error)]
pub enum FeedError {
    #[error("the Kafka client does not take its settings: {0}")]
    Settings(#[source] ConsumerError),
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    #[error("the demo's Kafka did not take each post: {0}")]
    Delivery(#[source] KafkaError),
    #[error("the thread that makes posts ended in a panic: please report it")]
    Panic,
}

/// A running feed. Dropping it lets the thread go on; [`Feed::finish`] waits for it.
#[derive(Debug)]
pub struct Feed {
    deliveries: Arc<Deliveries>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<KafkaResult<()>>,
}

impl Feed {
    /// Starts to send `records` records (at most what the cluster keeps) to `topics`, those of
    /// pin, geo and user, at `pace`.
    pub fn start(
        cluster: &Cluster,
        topics: [Topic; Kind::ALL.len()],
        records: u64,
        pace: Pace,
        seed: u64,
    ) -> Result<Self, FeedError> {
        let properties =
            BTreeMap::from([("bootstrap.servers".to_owned(), cluster.bootstrap_servers())]);
        let placement = Placement::InTurn { partitions: cluster.partitions() };
        let mut sender = Sender::new(&properties, &Login::default(), topics, placement)
            .map_err(FeedError::Settings)?;
        let deliveries = Arc::clone(sender.deliveries());
        let stop = Arc::new(AtomicBool::new(false));
        let stop_of_thread = Arc::clone(&stop);
        let records = Some(records.min(cluster.capacity()));
        let plan = Plan { records, pace, seed, key: KeyChoice::None };
        let thread = thread::Builder::new()
            .name("demo-feed".to_owned())
            .spawn(move || produce(&plan, &mut sender, &stop_of_thread, &mut |_| {}))
            .map_err(FeedError::Thread)?;
        Ok(Self { deliveries, stop, thread })
    }

    /// Returns how many records are in the topics, over all three.
    pub fn acknowledged(&self) -> u64 {
        self.deliveries.acknowledged_in_all()
    }

    /// Whether everything is sent and answered.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Asks the thread to send no more.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Waits for the thread and returns how many records it got into the topics.
    pub fn finish(self) -> Result<u64, FeedError> {
        self.thread.join().map_err(|_| FeedError::Panic)?.map_err(FeedError::Delivery)?;
        match self.deliveries.first_failure() {
            Some(failure) => Err(FeedError::Delivery(failure.clone())),
            None => Ok(self.deliveries.acknowledged_in_all()),
        }
    }
}
