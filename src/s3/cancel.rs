//! How work that may last for ever is told to end.
//!
//! It owns: the two ends of a cancellation.
//! It does not own: who cancels what.

use tokio::sync::watch;

/// The end that cancels. Dropping it cancels too: nothing outlives its owner.
#[derive(Debug)]
pub struct Canceller(watch::Sender<bool>);

/// The end that is told.
#[derive(Clone, Debug)]
pub struct Cancellation(watch::Receiver<bool>);

/// Makes the two ends.
pub fn cancellation() -> (Canceller, Cancellation) {
    let (sender, receiver) = watch::channel(false);
    (Canceller(sender), Cancellation(receiver))
}

impl Canceller {
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl Cancellation {
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Returns when it is cancelled, at once if it already is. Safe to drop and to ask again.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.clone();
        // an error says that the canceller is gone, which cancels
        drop(receiver.wait_for(|cancelled| *cancelled).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_canceller_cancels() {
        let (canceller, cancellation) = cancellation();
        assert!(!cancellation.is_cancelled());
        drop(canceller);
        cancellation.cancelled().await;
        assert!(cancellation.is_cancelled());
    }

    #[tokio::test]
    async fn cancelling_reaches_every_clone() {
        let (canceller, cancellation) = cancellation();
        let other = cancellation.clone();
        canceller.cancel();
        other.cancelled().await;
        cancellation.cancelled().await;
        assert!(other.is_cancelled());
    }
}
