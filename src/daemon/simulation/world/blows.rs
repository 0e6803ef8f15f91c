//! What is done to the instances, to Kafka and to the bucket.

use super::{INSTANCES_MAX, World};
use crate::daemon::simulation::client::Kafka;
use crate::daemon::simulation::instance::Instance;
use crate::daemon::simulation::seen::Scenario;
use crate::daemon::simulation::theme::Blow;
use crate::engine::Step;

impl World {
    /// Crashes an instance that is just where this seed wants one to die.
    pub(super) fn crash_as_aimed(&mut self) {
        if self.crashes_left == 0 {
            return;
        }
        let aim = self.theme.aim;
        let meets = |instance: &Instance| self.between(instance).contains(&aim);
        let Some(which) = self.instances.iter().position(meets) else { return };
        let is_brief = matches!(aim, Scenario::CrashEndOnItsWay | Scenario::CrashPlanOnItsWay);
        if is_brief || self.dice.chance(600) {
            self.crashes_left -= 1;
            self.note(|| format!("aimed crash on place {which}: {aim:?}"), 50);
            self.crash(which);
            self.start();
        }
    }

    pub(super) fn blow(&mut self) {
        let blow = self.theme.blow(&mut self.dice);
        let which = self.dice.below(self.instances.len());
        self.note(|| format!("{blow:?} on place {which}"), 100 + blow as usize);
        match blow {
            Blow::Crash => self.crash(which),
            Blow::Sleep => self.sleep(which),
            Blow::Wake => self.wake(which),
            Blow::Stop => {
                if let Some(instance) = self.instances.get_mut(which).filter(|at| !at.is_asleep) {
                    instance.stop();
                }
            }
            Blow::Start => {}
            Blow::Seal => {
                if let Some(instance) = self.instances.get(which) {
                    instance.seal();
                }
            }
            Blow::Reload => self.reload(which),
            Blow::Rebalance | Blow::Grow => {
                let mut kafka = self.kafka.lock();
                let Kafka { cluster, coordinator, dice, .. } = &mut *kafka;
                if blow == Blow::Grow {
                    cluster.grow();
                }
                coordinator.rebalance(&cluster.partitions(), dice);
            }
            Blow::Retain | Blow::Compact => self.lose_records(blow),
            Blow::Sweep => self.s3.sweep(),
            Blow::LoseOffsets
            | Blow::ResetOffsets
            | Blow::RestoreOffsets
            | Blow::DeleteGroup
            | Blow::Recreate
            | Blow::Plant => self.tamper(blow),
        }
        if self.instances.is_empty()
            || (blow == Blow::Start && self.instances.len() < INSTANCES_MAX)
        {
            self.start();
        }
    }

    /// An instance takes another configuration while it runs.
    fn reload(&mut self, which: usize) {
        let choice = self.theme.choice(&mut self.dice);
        let settings = self.settings.get(choice).cloned();
        let Some((instance, settings)) = self.instances.get(which).zip(settings) else { return };
        if instance.may_reload(&settings) {
            self.kafka.lock().choices.insert(instance.id, choice);
            instance.reload(settings);
        }
    }

    pub(super) fn crash(&mut self, which: usize) {
        if which >= self.instances.len() {
            return;
        }
        let instance = self.instances.remove(which);
        for scenario in self.between(&instance) {
            self.kafka.lock().seen.met(scenario);
        }
        instance.die(&self.s3, &mut self.wire);
    }

    /// Returns between which steps each partition of an instance is.
    pub(super) fn between(&self, instance: &Instance) -> Vec<Scenario> {
        let kafka = self.kafka.lock();
        let mut between = Vec::new();
        for looked in instance.workers.iter().flat_map(crate::daemon::worker::Worker::look) {
            let Some(machine) = looked.machine else { continue };
            let promised = kafka.coordinator.promised(looked.partition);
            let is_on_its_way = self.wire.holds(instance.id, looked.partition);
            let end = machine.published_to();
            let frontier = kafka.coordinator.commits.get(looked.partition).map(|at| at.offset);
            let scenario = match machine.step() {
                Step::Idle => continue,
                Step::Open => Scenario::CrashOpen,
                Step::Replaying => Scenario::CrashReplaying,
                Step::Planning if promised.is_some() => Scenario::CrashPlanned,
                Step::Planning => Scenario::CrashPlanOnItsWay,
                Step::Claiming => Scenario::CrashClaiming,
                Step::Publishing => Scenario::CrashPublishing,
                Step::Published if frontier.is_some_and(|at| at >= end) => Scenario::CrashEnded,
                Step::Published if is_on_its_way => Scenario::CrashEndOnItsWay,
                Step::Published => Scenario::CrashPublished,
            };
            between.push(scenario);
        }
        between
    }

    pub(super) fn sleep(&mut self, which: usize) {
        if let Some(instance) = self.instances.get_mut(which).filter(|at| !at.is_in_callback()) {
            instance.is_asleep = true;
            self.s3.sleeps(instance.id, true);
        }
    }

    /// Falls asleep with a commit that librdkafka has not sent.
    pub(super) fn nap(&mut self) {
        if !self.theme.naps {
            return;
        }
        let with_commits = |instance: &Instance| {
            let kafka = self.kafka.lock();
            let client = kafka.clients.get(&instance.id);
            client.is_some_and(|client| !client.commits.is_empty()) && !instance.is_asleep
        };
        let Some(which) = self.instances.iter().position(with_commits) else { return };
        if self.dice.chance(250) {
            self.sleep(which);
        }
    }

    /// Wakes up, sometimes when all others are gone and the group is empty.
    pub(super) fn wake(&mut self, which: usize) {
        let is_asleep = self.instances.get(which).is_some_and(|at| at.is_asleep);
        if is_asleep && self.theme.naps && self.dice.chance(400) {
            let sleeper = self.instances.remove(which);
            while !self.instances.is_empty() {
                self.crash(0);
            }
            self.instances.push(sleeper);
            self.kafka.lock().coordinator.forget_members();
            return self.wake_up(0);
        }
        self.wake_up(which);
    }

    pub(super) fn wake_up(&mut self, which: usize) {
        if let Some(instance) = self.instances.get_mut(which) {
            instance.is_asleep = false;
            self.s3.sleeps(instance.id, false);
        }
    }

    /// Kafka deletes or compacts something that may not have been read.
    pub(super) fn lose_records(&mut self, blow: Blow) {
        let mut kafka = self.kafka.lock();
        let Some(of) = self.dice.pick(&kafka.cluster.partitions()) else { return };
        let frontier = kafka.coordinator.frontier(&of);
        let length = kafka.cluster.logs.get(&of).map_or(0, |log| log.end());
        let (count, at) = (self.dice.below(6), self.dice.below(length));
        if blow == Blow::Retain {
            kafka.cluster.retain(&of, count, frontier);
        } else {
            kafka.cluster.compact(&of, at, frontier);
        }
    }

    /// Somebody else changes what is ours.
    pub(super) fn tamper(&mut self, blow: Blow) {
        if blow != Blow::Recreate && blow != Blow::Plant {
            // Brokers refuse it while the group lives; and who lives notices nothing of it.
            while !self.instances.is_empty() {
                self.crash(0);
            }
            self.kafka.lock().coordinator.forget_members();
        }
        let mut kafka = self.kafka.lock();
        let Some(of) = self.dice.pick(&kafka.cluster.partitions()) else { return };
        match blow {
            Blow::Recreate => {
                kafka.cluster.recreate();
                for partition in kafka.cluster.partitions() {
                    kafka.tampered.insert(partition, "its topic was created anew");
                }
            }
            Blow::DeleteGroup => {
                kafka.coordinator.delete();
                for partition in kafka.cluster.partitions() {
                    kafka.tampered.insert(partition, "its group was deleted");
                }
            }
            Blow::LoseOffsets => {
                let lost = kafka.coordinator.commits.remove(&of);
                kafka.tampered.extend(lost.map(|_| (of, "its offsets expired")));
            }
            Blow::ResetOffsets => {
                kafka.coordinator.reset(&of, self.dice.chance(500));
                kafka.tampered.insert(of, "somebody reset its offsets");
            }
            Blow::RestoreOffsets => {
                kafka.coordinator.restore(&of, &mut self.dice);
                kafka.tampered.insert(of, "somebody restored its offsets");
            }
            Blow::Plant => {
                let Some((first, kind)) = kafka.next_record(&of) else { return };
                kafka.tampered.insert(of.clone(), "another pipeline writes here");
                drop(kafka);
                self.s3.plant(&of, first, &kind);
            }
            _ => {}
        }
    }
}
