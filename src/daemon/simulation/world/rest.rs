//! How everything comes to rest once nothing goes wrong any more.

use std::time::Duration;

use super::{ROUNDS_MAX, World, settle_down};
use crate::daemon::simulation::instance::Instance;
use crate::model::TopicPartition;

impl World {
    /// Nothing goes wrong any more: everything must come to rest.
    pub(super) async fn rest(&mut self) {
        self.s3.faults_are(0);
        self.slowness = 0;
        (self.wire.faults, self.wire.ghosts) = (0, 0);
        self.kafka.lock().trouble = 0;
        for which in 0..self.instances.len() {
            self.wake_up(which);
        }
        let mut rounds = 0;
        while !self.is_at_rest() {
            rounds += 1;
            if rounds > ROUNDS_MAX {
                let what = self.unrest();
                self.kafka.lock().violated(format!("it does not come to rest: {what}"));
                return;
            }
            if self.instances.iter().all(Instance::is_stopping) {
                self.start();
            }
            self.steps += 1;
            self.round(if rounds < 20 { 200 } else { 1_000 }).await;
        }
        for instance in &mut self.instances {
            instance.stop();
        }
        rounds = 0;
        while !self.instances.is_empty() {
            rounds += 1;
            if rounds > 200 {
                return self.kafka.lock().violated("it does not stop".to_owned());
            }
            self.round(500).await;
        }
    }

    /// Everybody takes a turn, and time passes.
    pub(super) async fn round(&mut self, millis: u64) {
        for at in 0..self.instances.len() {
            let Some(instance) = self.instances.get_mut(at).filter(|at| !at.is_asleep) else {
                continue;
            };
            instance.settle();
            instance.poll();
            for worker in 0..2 {
                instance.turn(worker);
            }
            instance.commit();
            let id = instance.id;
            self.wire.send(&mut self.kafka.lock(), id);
            settle_down().await;
        }
        let is_slow = self.slowness > 0;
        for _ in 0..self.wire.sent.len() {
            if !(is_slow && self.dice.chance(self.slowness)) {
                self.wire.arrive(&mut self.kafka.lock(), 0);
            }
        }
        for _ in 0..self.wire.answers.len() {
            if !(is_slow && self.dice.chance(self.slowness)) {
                self.answer();
            }
        }
        for _ in 0..24 {
            if self.s3.is_idle() || (is_slow && self.dice.chance(self.slowness)) {
                break;
            }
            self.s3.decide(&mut self.dice);
            settle_down().await;
        }
        self.sweep_stopped();
        self.note(|| "a round".to_owned(), 1_000);
        self.pass(Duration::from_millis(millis)).await;
        settle_down().await;
    }

    /// Returns whether every partition is written to its end, or stopped.
    pub(super) fn is_at_rest(&mut self) -> bool {
        let partitions = self.kafka.lock().cluster.partitions();
        partitions.iter().all(|partition| self.unfinished(partition).is_none())
    }

    pub(super) fn unrest(&self) -> String {
        let partitions = self.kafka.lock().cluster.partitions();
        let words =
            partitions.iter().filter_map(|at| Some(format!("{at}: {}", self.unfinished(at)?)));
        words.collect::<Vec<_>>().join("; ")
    }

    pub(super) fn unfinished(&self, partition: &TopicPartition) -> Option<String> {
        let looks = self.instances.iter().flat_map(|at| &at.workers);
        let mut looks = looks.flat_map(crate::daemon::worker::Worker::look);
        let Some(looked) = looks.find(|looked| looked.partition == partition) else {
            return Some("nobody has it".to_owned());
        };
        if looked.stopped.is_some() {
            return None;
        }
        let Some(machine) = looked.machine else { return Some("it has no machine".to_owned()) };
        let kafka = self.kafka.lock();
        let end = kafka.cluster.logs.get(partition).map_or(0, |log| log.end());
        let frontier = kafka.coordinator.frontier(partition);
        let is_done = frontier == end
            && kafka.coordinator.promised(partition).is_none()
            && !machine.has_commit_in_flight();
        (!is_done).then(|| {
            format!("committed {frontier} of {end}, {:?}, {:?}", machine.step(), machine.cursor())
        })
    }
}
