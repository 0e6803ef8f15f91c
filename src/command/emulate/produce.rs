//! The loop that sends posts, shared by `emulate` and the demo.
//!
//! It owns: order (pin, geo, user of one post), pace, waiting for room and for answers.
//! It does not own: the producer, and what is said about the result.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaResult;

use super::pace::Pace;
use super::sender::{Handed, Outgoing, Sender};
use crate::command::posts::{Kind, Posts};

/// The longest sleep: a request to stop is seen after it.
const NAP_MAX: Duration = Duration::from_millis(100);
/// Between two attempts to hand over a record to a full queue, and two looks at the answers.
const NAP: Duration = Duration::from_millis(5);
/// After a request to stop, brokers have so long to answer what is under way.
const STOP_WAIT_MAX: Duration = Duration::from_secs(10);

/// What a record's key is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyChoice {
    /// No key: records spread over the partitions.
    #[default]
    None,
    /// The post's index: the three records of a post lie in partitions of the same number.
    Index,
}

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Over all topics; none is for ever.
    pub records: Option<u64>,
    pub pace: Pace,
    pub seed: u64,
    pub key: KeyChoice,
}

/// Sends what `plan` says, then waits until the brokers answered each record. Ends early when
/// `stop` is set or a record failed; what is queued then is still waited for, ten seconds at most
/// after a request to stop. Calls `watch` again and again with the sender.
pub fn produce(
    plan: &Plan,
    sender: &mut Sender,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&Sender),
) -> KafkaResult<()> {
    let result = send_all(plan, sender, stop, watch);
    wait_for_answers(sender, stop, watch);
    result
}

fn send_all(
    plan: &Plan,
    sender: &mut Sender,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&Sender),
) -> KafkaResult<()> {
    let started = Instant::now();
    let mut left = plan.records.unwrap_or(u64::MAX);
    let mut value = Vec::new();
    for (index, post) in (0_u64..).zip(Posts::new(plan.seed)) {
        wait_until(started + plan.pace.due(index), stop, || watch(sender));
        let key = (plan.key == KeyChoice::Index).then(|| index.to_string());
        for kind in Kind::ALL {
            if left == 0 || is_over(sender, stop) {
                return Ok(());
            }
            value.clear();
            post.write_json(kind, &mut value);
            let outgoing = Outgoing { kind, index, key: key.as_deref(), value: &value };
            hand_over(sender, outgoing, stop, watch)?;
            left -= 1;
        }
        watch(sender);
    }
    Ok(())
}

/// Waits for room in the queue, for as long as nobody asks to stop: brokers that are away for a
/// while are no reason to give up.
fn hand_over(
    sender: &mut Sender,
    outgoing: Outgoing<'_>,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&Sender),
) -> KafkaResult<()> {
    while sender.send(outgoing)? == Handed::Full && !is_over(sender, stop) {
        thread::sleep(NAP);
        watch(sender);
    }
    Ok(())
}

fn wait_for_answers(sender: &Sender, stop: &AtomicBool, watch: &mut dyn FnMut(&Sender)) {
    let mut deadline = None;
    while sender.unanswered() > 0 {
        if stop.load(Ordering::Acquire) {
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + STOP_WAIT_MAX);
            if Instant::now() >= deadline {
                sender.purge();
            }
        }
        thread::sleep(NAP);
        watch(sender);
    }
}

fn wait_until(due: Instant, stop: &AtomicBool, mut meanwhile: impl FnMut()) {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() || stop.load(Ordering::Acquire) {
            return;
        }
        thread::sleep(left.min(NAP_MAX));
        meanwhile();
    }
}

fn is_over(sender: &Sender, stop: &AtomicBool) -> bool {
    stop.load(Ordering::Acquire) || sender.deliveries().first_failure().is_some()
}
