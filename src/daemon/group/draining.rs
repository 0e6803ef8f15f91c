//! Waiting for partitions that finish what they can.

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::timeout;

use super::LOOK;
use crate::model::TopicPartition;

/// Partitions that finish what they can.
#[derive(Debug)]
pub(in crate::daemon) struct Draining {
    pub(super) drained: UnboundedReceiver<TopicPartition>,
    pub(super) waiting: usize,
}

impl Draining {
    /// Returns whether nobody is waited for any more: all have answered, or were taken away.
    pub(in crate::daemon) fn is_over(&mut self) -> bool {
        while self.waiting > 0 {
            match self.drained.try_recv() {
                Ok(_) => self.waiting -= 1,
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
        true
    }

    /// Waits for the next answer, but not for long.
    pub(super) async fn next(&mut self) {
        if let Ok(Some(_)) = timeout(LOOK, self.drained.recv()).await {
            self.waiting -= 1;
        }
    }
}
