//! Fewer requests at once below a prefix that the store slows down, more again as it answers.
//!
//! It owns: how many requests may run below each prefix that was slowed down. S3 scales by prefix:
//! what is hot must not hold up what is not, and asking less is what makes it heal.
//! It does not own: the delay of the request that was refused (`retry`), the bound of all requests.
//!
//! As in TCP (RFC 5681, 3.1): halved once for all requests that were under way together, one more
//! after each round of answers. A prefix that was never slowed down, or has recovered, costs nothing.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tracing::info;

use crate::model::{Bucket, ObjectKey};

/// Folders of a key that make its prefix: `topics/pin/` of the default layout.
const FOLDERS: usize = 2;

/// Shared by all stores of a process.
#[derive(Debug)]
pub struct Throttle {
    requests_max: usize,
    slowed: Mutex<BTreeMap<Prefix, Slowed>>,
    changed: Notify,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Prefix(Bucket, String);

/// What is known of a prefix that was slowed down.
#[derive(Debug)]
struct Slowed {
    /// Grows by parts of one.
    allowed: f64,
    running: usize,
    /// Counts the reductions: who began before the last one says nothing about it.
    reductions: u64,
}

/// The right to one request, for as long as it lives.
#[derive(Debug)]
pub struct Turn {
    throttle: Arc<Throttle>,
    prefix: Prefix,
    /// None if the prefix was not slowed down when the request began.
    reductions: Option<u64>,
}

impl Throttle {
    pub fn new(requests_max: usize) -> Arc<Self> {
        let requests_max = requests_max.max(1);
        Arc::new(Self { requests_max, slowed: Mutex::default(), changed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Prefix, Slowed>> {
        self.slowed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more request may run below the prefix of this key.
    pub async fn turn(self: &Arc<Self>, bucket: &Bucket, key: &ObjectKey) -> Turn {
        let prefix = Prefix(bucket.clone(), prefix_of(key.as_str()).to_owned());
        loop {
            // before the look: a change between the two must not be missed
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(reductions) = self.try_enter(&prefix) {
                return Turn { throttle: Arc::clone(self), prefix, reductions };
            }
            // cancel-safe: nothing was taken yet
            changed.await;
        }
    }

    /// Returns none if there is no room.
    fn try_enter(&self, prefix: &Prefix) -> Option<Option<u64>> {
        let mut slowed = self.lock();
        let Some(state) = slowed.get_mut(prefix) else { return Some(None) };
        if state.running as f64 >= state.allowed.floor() {
            return None;
        }
        state.running += 1;
        Some(Some(state.reductions))
    }
}

impl Turn {
    /// The store asked for fewer requests.
    pub fn slowed_down(&self) {
        let (mut slowed, all) = (self.throttle.lock(), self.throttle.requests_max as f64);
        let state = slowed.entry(self.prefix.clone()).or_insert_with(|| {
            info!(prefix = %self.prefix.1, "S3 slows a prefix down: fewer requests at once below it");
            Slowed { allowed: all, running: 0, reductions: 0 }
        });
        // who began when nothing was known tells of the time before the first reduction
        if self.reductions.unwrap_or(0) == state.reductions {
            state.allowed = (state.allowed / 2.0).max(1.0);
            state.reductions += 1;
        }
    }

    /// The store took the request.
    pub fn succeeded(&self) {
        let mut slowed = self.throttle.lock();
        let Some(state) = slowed.get_mut(&self.prefix) else { return };
        if self.reductions != Some(state.reductions) {
            return;
        }
        state.allowed += 1.0 / state.allowed;
        if state.allowed >= self.throttle.requests_max as f64 {
            info!(prefix = %self.prefix.1, "S3 takes as many requests as ever below the prefix");
            slowed.remove(&self.prefix);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.reductions.is_some()
            && let Some(state) = self.throttle.lock().get_mut(&self.prefix)
        {
            // a prefix that recovered meanwhile and was slowed down again counts from zero
            state.running = state.running.saturating_sub(1);
        }
        self.throttle.changed.notify_waiters();
    }
}

/// Returns the folders that a key's prefix is made of, with their slashes.
fn prefix_of(key: &str) -> &str {
    let end = key.match_indices('/').nth(FOLDERS - 1).map_or(0, |(at, _)| at + 1);
    key.split_at(end).0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const ALL: usize = 16;

    fn key(text: &str) -> ObjectKey {
        ObjectKey::new(text).unwrap()
    }

    fn bucket() -> Bucket {
        Bucket::new("bucket").unwrap()
    }

    /// Returns as many turns as there are at once, a thousand at most.
    async fn turns(throttle: &Arc<Throttle>, below: &str) -> Vec<Turn> {
        let mut turns = Vec::new();
        let (bucket, key) = (bucket(), key(&format!("{below}/object")));
        while turns.len() < 1_000
            && let Ok(turn) = timeout(Duration::from_secs(1), throttle.turn(&bucket, &key)).await
        {
            turns.push(turn);
        }
        turns
    }

    #[test]
    fn a_prefix_is_the_first_two_folders() {
        for (key, prefix) in [
            ("topics/pin/partition=0/pin+0+0000000000.json", "topics/pin/"),
            ("topics/pin.json", ""),
            ("pin.json", ""),
        ] {
            assert_eq!(prefix_of(key), prefix);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_held_back_before_the_store_asks_for_it() {
        assert_eq!(turns(&Throttle::new(ALL), "topics/pin").await.len(), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_were_under_way_together_halve_once() {
        let throttle = Throttle::new(ALL);
        let (bucket, key) = (bucket(), key("topics/pin/a"));
        for left in [8, 4, 2, 1, 1] {
            let one = throttle.turn(&bucket, &key).await;
            let together = timeout(Duration::from_secs(1), throttle.turn(&bucket, &key)).await;
            one.slowed_down();
            if let Ok(together) = &together {
                together.slowed_down();
            }
            drop((one, together));
            assert_eq!(turns(&throttle, "topics/pin").await.len(), left);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn other_prefixes_are_not_held_back() {
        let throttle = Throttle::new(ALL);
        throttle.turn(&bucket(), &key("topics/pin/a")).await.slowed_down();
        assert_eq!(turns(&throttle, "topics/geo").await.len(), 1_000);
        let other = Bucket::new("other-bucket").unwrap();
        let turn = throttle.turn(&other, &key("topics/pin/a")).await;
        assert_eq!(turn.reductions, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_answered_brings_all_back() {
        let throttle = Throttle::new(ALL);
        throttle.turn(&bucket(), &key("topics/pin/a")).await.slowed_down();
        let mut before = 0;
        for _ in 0..1_000 {
            let turns = turns(&throttle, "topics/pin").await;
            assert!(turns.len() >= before, "{} after {before}", turns.len());
            before = turns.len();
            turns.first().unwrap().succeeded();
        }
        assert_eq!(before, 1_000, "nothing is kept of a prefix that has recovered");
        assert!(throttle.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_goes_on_when_another_ends() {
        let throttle = Throttle::new(2);
        let (bucket, key) = (bucket(), key("topics/pin/a"));
        throttle.turn(&bucket, &key).await.slowed_down();
        let running = throttle.turn(&bucket, &key).await;
        let waiting = tokio::spawn({
            let throttle = Arc::clone(&throttle);
            async move { throttle.turn(&bucket, &key).await.reductions }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(running);
        assert_eq!(waiting.await.unwrap(), Some(1));
    }
}
