//! The world of one seed: what happens next, and how everything comes to rest.
//!
//! It owns: the instances, the order of events, crashes, sleep, configurations, time.
//! It does not own: what the parts do with it; the verdict (`ledger`).

mod blows;
mod rest;

use std::sync::Arc;
use std::time::Duration;

use super::bucket::S3;
use super::client::{Kafka, Shared};
use super::cluster::Cluster;
use super::coordinator::{Coordinator, InstanceId};
use super::dice::Dice;
use super::instance::{Instance, Parts};
use super::theme::Theme;
use super::wire::Wire;
use crate::config::Settings;
use crate::model::{Timestamp, Uptime};

/// Rounds until everything must have come to rest.
const ROUNDS_MAX: usize = 700;
/// Instances at a time.
const INSTANCES_MAX: usize = 3;

pub(super) struct World {
    pub(super) kafka: Shared,
    pub(super) s3: S3,
    wire: Wire,
    instances: Vec<Instance>,
    theme: Theme,
    settings: Vec<Arc<Settings>>,
    next_id: InstanceId,
    started: tokio::time::Instant,
    dice: Dice,
    pub(super) steps: u64,
    /// A digest of everything that has happened, in order.
    pub(super) trace: u64,
    /// How often what is on its way stays there for a round, of a thousand.
    slowness: usize,
    /// How often this seed still crashes an instance where it aims.
    crashes_left: usize,
    is_told: bool,
}

/// What one step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    Turn,
    Commit,
    Send,
    Arrive,
    Answer,
    Store,
    Settle,
    Poll,
    Produce,
    Time,
    /// Everybody takes a turn.
    Round,
    Blow,
}

const WEIGHTS: [(Happens, usize); 12] = [
    (Happens::Turn, 28),
    (Happens::Commit, 12),
    (Happens::Send, 12),
    (Happens::Arrive, 12),
    (Happens::Answer, 12),
    (Happens::Store, 28),
    (Happens::Settle, 8),
    (Happens::Poll, 14),
    (Happens::Produce, 7),
    (Happens::Time, 10),
    (Happens::Round, 16),
    (Happens::Blow, 4),
];

impl World {
    pub(super) fn new(seed: u64, settings: Vec<Arc<Settings>>, is_told: bool) -> Self {
        let mut dice = Dice::new(seed);
        let theme = Theme::of(seed, &mut dice);
        let partitions = 1 + i32::try_from(dice.below(2)).unwrap_or(0);
        let protocol = settings.first().map(|settings| settings.kafka.protocol);
        let coordinator = Coordinator::new(protocol.unwrap_or(crate::config::Protocol::Classic));
        let mut kafka = Kafka::new(Cluster::new(partitions), coordinator, Dice::new(!seed));
        kafka.trouble = theme.kafka_faults / 4;
        let kafka = Shared::new(kafka);
        let s3 = S3::new(kafka.clone());
        s3.faults_are(theme.s3_faults);
        let (faults, ghosts) = (theme.kafka_faults, theme.ghosts);
        Self {
            kafka,
            s3,
            wire: Wire { faults, ghosts, ..Wire::default() },
            instances: Vec::new(),
            theme,
            settings,
            next_id: 1,
            started: tokio::time::Instant::now(),
            dice,
            steps: 0,
            trace: seed,
            slowness: 200,
            crashes_left: 8,
            is_told,
        }
    }

    /// Runs through the seed's chaos, then to rest.
    pub(super) async fn run(&mut self) {
        let steps = 300 + self.dice.below(240);
        self.start();
        for _ in 0..steps {
            self.step().await;
        }
        self.rest().await;
    }

    fn now(&self) -> Uptime {
        Uptime::new(self.started.elapsed())
    }

    fn note(&mut self, what: impl FnOnce() -> String, number: usize) {
        let number = u64::try_from(number).unwrap_or(0);
        self.trace = (self.trace ^ number).wrapping_mul(0x0100_0000_01B3);
        if self.is_told {
            tracing::info!(step = self.steps, at = ?self.now(), "{}", what());
        }
    }

    async fn step(&mut self) {
        self.steps += 1;
        let happens = self.choose();
        if happens == Happens::Round {
            self.round(100).await;
            return self.crash_as_aimed();
        }
        self.happen(happens);
        self.nap();
        if happens == Happens::Time {
            let far = self.dice.chance(30);
            let millis = if far { self.dice.below(9_000) } else { self.dice.below(400) };
            self.pass(Duration::from_millis(u64::try_from(millis).unwrap_or(0))).await;
        }
        settle_down().await;
        self.crash_as_aimed();
    }

    /// Picks one of the things that can happen now.
    fn choose(&mut self) -> Happens {
        let has_commits = {
            let kafka = self.kafka.lock();
            kafka.clients.values().any(|client| !client.commits.is_empty())
        };
        let can = |what| match what {
            Happens::Send => has_commits,
            Happens::Arrive => !self.wire.sent.is_empty(),
            Happens::Answer => !self.wire.answers.is_empty(),
            Happens::Store => !self.s3.is_idle(),
            _ => true,
        };
        let able: Vec<_> = WEIGHTS.into_iter().filter(|(what, _)| can(*what)).collect();
        let mut left = self.dice.below(able.iter().map(|(_, weight)| weight).sum());
        for (what, weight) in able {
            if left < weight {
                return what;
            }
            left -= weight;
        }
        Happens::Turn
    }

    fn happen(&mut self, happens: Happens) {
        let awake: Vec<usize> = (0..self.instances.len())
            .filter(|at| self.instances.get(*at).is_some_and(|at| !at.is_asleep))
            .collect();
        let which = self.dice.pick(&awake);
        let worker = self.dice.below(2);
        self.note(|| format!("{happens:?} of {which:?} worker {worker}"), happens as usize);
        let instance = which.and_then(|at| self.instances.get_mut(at));
        match (happens, instance) {
            (Happens::Turn, Some(instance)) => instance.turn(worker),
            (Happens::Commit, Some(instance)) => instance.commit(),
            (Happens::Settle, Some(instance)) => instance.settle(),
            (Happens::Poll, Some(instance)) => instance.poll(),
            (Happens::Send, Some(instance)) => {
                let id = instance.id;
                self.wire.send(&mut self.kafka.lock(), id);
            }
            (Happens::Arrive, _) => {
                let which = self.dice.below(self.wire.sent.len());
                self.wire.arrive(&mut self.kafka.lock(), which);
            }
            (Happens::Answer, _) => self.answer(),
            (Happens::Store, _) => self.s3.decide(&mut self.dice),
            (Happens::Produce, _) => {
                let mut kafka = self.kafka.lock();
                let Kafka { cluster, seen, .. } = &mut *kafka;
                cluster.produce(self.theme.burst, &mut self.dice, seen);
            }
            (Happens::Blow, _) => self.blow(),
            (Happens::Time | Happens::Round, _) | (_, None) => {}
        }
        self.sweep_stopped();
    }

    fn answer(&mut self) {
        let ready: Vec<usize> = (0..self.wire.answers.len())
            .filter(|at| {
                let of = self.wire.answers.get(*at).map(|(instance, _)| *instance);
                !self.instances.iter().any(|at| Some(at.id) == of && at.is_asleep)
            })
            .collect();
        let Some(which) = self.dice.pick(&ready) else { return };
        let (to, answer) = self.wire.answers.remove(which);
        if let Some(instance) = self.instances.iter().find(|instance| instance.id == to) {
            instance.take_answer(&answer);
        }
    }

    /// Those that have stopped in order are gone.
    fn sweep_stopped(&mut self) {
        let (stopped, left): (Vec<_>, Vec<_>) =
            self.instances.drain(..).partition(|instance| instance.has_stopped);
        self.instances = left;
        for instance in stopped {
            self.wire.client_is_gone(instance.id);
        }
    }

    /// Time passes; who is awake is heard by the group.
    async fn pass(&mut self, time: Duration) {
        tokio::time::advance(time).await;
        let awake = self.instances.iter().filter(|instance| !instance.is_asleep);
        let alive: Vec<InstanceId> = awake.map(|instance| instance.id).collect();
        let now = self.now();
        let mut kafka = self.kafka.lock();
        let Kafka { cluster, coordinator, dice, .. } = &mut *kafka;
        coordinator.heartbeats(&alive, now, &cluster.partitions(), dice);
        kafka.now = now;
    }

    fn start(&mut self) {
        let id = self.next_id;
        self.next_id += 1;
        let choice = self.theme.choice(&mut self.dice);
        let Some(settings) = self.settings.get(choice).cloned() else { return };
        self.kafka.lock().choices.insert(id, choice);
        let millis =
            1_700_000_000_000 + i64::try_from(self.now().since_start().as_millis()).unwrap_or(0);
        let parts = Parts {
            id,
            settings,
            kafka: self.kafka.clone(),
            s3: self.s3.clone(),
            wall: Timestamp::from_millis(millis),
            memory_bytes: self.theme.memory_bytes,
            seed: self.dice.number(),
        };
        self.note(|| format!("instance {id} starts with configuration {choice}"), choice);
        self.instances.push(Instance::start(parts));
    }
}

/// Lets every task go on as far as it can.
async fn settle_down() {
    for _ in 0..6 {
        tokio::task::yield_now().await;
    }
}
