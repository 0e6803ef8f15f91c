//! The daemons of a run and what is done to them.
//!
//! It owns: who runs with which configuration, killing with a request held at S3's door, sleepers
//! that wake up as zombies, those that leave, and the logs of all of them.
//! It does not own: the order of the blows (`run.rs`), brokers and S3's moods (`weather.rs`).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;

use crate::stream::Topics;
use crate::support::daemon::Settings;
use crate::support::process::Signal;
use crate::support::proxy::s3::{Operation, S3Proxy, S3Request};
use crate::support::proxy::{Hold, On, When};
use crate::support::{Daemon, Kafka, wait};
use crate::tally::Tally;
use crate::variant;

/// A request to be held comes within this time, if no rebalance is running.
const HELD_IN: Duration = Duration::from_secs(12);
/// A session of 6 s that ends, a coordinator that moves meanwhile, a rebalance.
const TAKEN_IN: Duration = Duration::from_secs(45);
const NOTICED_IN: Duration = Duration::from_secs(20);
/// When a request of the dead comes through: others have taken over by then.
const LATE: Duration = Duration::from_secs(8);

/// What becomes of the request that a killed daemon had at S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Dropped,
    Delivered,
    /// It arrives when others have taken over.
    DeliveredLate,
    /// S3 has acted, and the daemon dies before it hears so.
    AnswerLost,
}

/// A partition as its metrics name it.
type Place = (String, i32);

struct Member {
    daemon: Daemon,
    variant: usize,
}

/// The daemons of one group.
pub struct Fleet<'a> {
    kafka: &'a Kafka,
    proxy: &'a S3Proxy,
    group: &'a str,
    topics: &'a Topics,
    settings: Settings,
    tally: &'a Tally,
    random: StdRng,
    members: Vec<Member>,
    /// They were told to stop and finish what they have.
    leaving: Vec<Daemon>,
    late: Vec<(Instant, Hold<S3Request>)>,
    logs: Vec<String>,
    /// Whether a daemon may end by itself: those with a broken rule do.
    pub may_end: bool,
}

/// What a fleet lives between.
pub struct Around<'a> {
    pub kafka: &'a Kafka,
    pub proxy: &'a S3Proxy,
    pub group: &'a str,
    pub topics: &'a Topics,
}

impl<'a> Fleet<'a> {
    pub fn new(around: &Around<'a>, settings: Settings, tally: &'a Tally, random: StdRng) -> Self {
        let Around { kafka, proxy, group, topics } = *around;
        Self {
            kafka,
            proxy,
            group,
            topics,
            settings,
            tally,
            random,
            members: Vec::new(),
            leaving: Vec::new(),
            late: Vec::new(),
            logs: Vec::new(),
            may_end: false,
        }
    }

    /// One more daemon, with a configuration by chance.
    pub fn join(&mut self) {
        let variant = self.random.random_range(0..variant::COUNT);
        self.launch(variant);
    }

    fn launch(&mut self, variant: usize) {
        let daemon = variant::apply(variant, self.settings.clone()).launch();
        self.members.push(Member { daemon, variant });
    }

    /// Another daemon in the place of one that is gone, with another configuration.
    fn replace(&mut self, gone: usize) {
        let other = (gone + self.random.random_range(1..variant::COUNT)) % variant::COUNT;
        self.tally.configuration_changes.one();
        self.launch(other);
    }

    /// Kills any daemon, whatever it does.
    pub fn kill_any(&mut self) {
        let victim = self.random.random_range(0..self.members.len());
        self.kill_member(victim);
    }

    /// Kills a daemon whose request to S3 is held, and lets the request meet its fate. Nothing
    /// happens if nobody publishes now, because a rebalance is running.
    pub fn kill(&mut self, fate: Fate) {
        let when = if fate == Fate::AnswerLost { When::After } else { When::Before };
        let Some((hold, victim, place)) = self.aim(when) else { return };
        self.kill_member(victim);
        if self.has_open_plan(&place) {
            self.tally.kills_with_plan.one();
        }
        match fate {
            Fate::Dropped | Fate::AnswerLost => hold.drop_it(),
            Fate::Delivered => hold.deliver(),
            Fate::DeliveredLate => self.late.push((Instant::now() + LATE, hold)),
        }
    }

    fn kill_member(&mut self, victim: usize) {
        let Member { daemon, variant } = self.members.remove(victim);
        daemon.kill_9();
        self.tally.kills.one();
        self.bury(&daemon);
        self.replace(variant);
    }

    /// Holds the next request that makes an object visible, and finds whose it is.
    fn aim(&self, when: When) -> Option<(Hold<S3Request>, usize, Place)> {
        let hold = self.proxy.hold(publishing(), when);
        wait::until_or(HELD_IN, || hold.is_reached().then_some(()))?;
        let place = self.place_of(&hold.reached().key);
        let owner = self.members.iter().position(|one| partitions(&one.daemon).contains(&place));
        if owner.is_none() {
            // It is leaving, or has lost the partition a moment ago.
            hold.deliver();
            return None;
        }
        Some((hold, owner?, place))
    }

    /// Topic and partition out of an object's name.
    fn place_of(&self, key: &str) -> Place {
        let name = key.rsplit('/').next().unwrap().replace("%2B", "+");
        let mut parts = name.split('+');
        let topic = parts.next().unwrap();
        let known = self.topics.names().iter().any(|one| one == topic);
        assert!(known, "`{key}` begins with no topic of ours");
        (topic.to_owned(), parts.next().unwrap().parse().unwrap())
    }

    fn has_open_plan(&self, (topic, partition): &Place) -> bool {
        let committed = self.kafka.committed(self.group, topic);
        let mut found = committed.iter().filter(|one| one.partition == *partition);
        found.any(|one| one.metadata.starts_with("sluice/1 plan "))
    }

    /// Puts one to sleep while its request to S3 is held, and wakes it up when others have its
    /// partitions: the request arrives then. One of those others may die meanwhile.
    pub fn sleep(&mut self, meanwhile: Option<Fate>) {
        let Some((hold, victim, _)) = self.aim(When::Before) else { return };
        let sleeper = self.members.remove(victim);
        let had = partitions(&sleeper.daemon);
        sleeper.daemon.sigstop();
        if let Some(fate) = meanwhile {
            self.kill(fate);
        }
        let are_taken = || {
            let taken: BTreeSet<Place> =
                self.members.iter().flat_map(|one| partitions(&one.daemon)).collect();
            had.is_subset(&taken).then_some(())
        };
        let lost = !had.is_empty() && wait::until_or(TAKEN_IN, are_taken).is_some();
        // What it sent before it fell asleep arrives now.
        hold.deliver();
        let before = sleeper.daemon.log().len();
        sleeper.daemon.sigcont();
        let notices = || {
            let log = sleeper.daemon.log();
            let since = log.get(before..).unwrap_or_default();
            let said = ["thrown this member out", "partitions are taken away"];
            said.iter().any(|text| since.contains(text)).then_some(())
        };
        if lost && wait::until_or(NOTICED_IN, notices).is_some() {
            self.tally.zombies.one();
        }
        self.members.push(sleeper);
    }

    /// Tells one to stop; another one takes its place, with another configuration.
    pub fn exchange(&mut self) {
        let variant = self.dismiss();
        self.tally.terminated.one();
        self.replace(variant);
    }

    /// Tells one to stop, and nobody takes its place.
    pub fn leave(&mut self) {
        self.dismiss();
        self.tally.left.one();
    }

    fn dismiss(&mut self) -> usize {
        let victim = self.random.random_range(0..self.members.len());
        let Member { daemon, variant } = self.members.remove(victim);
        if daemon.is_running() {
            daemon.signal(Signal::Terminate);
        }
        self.leaving.push(daemon);
        variant
    }

    /// Lets requests of the dead come through whose time has come.
    pub fn deliver_late(&mut self) {
        let now = Instant::now();
        let (due, rest) =
            std::mem::take(&mut self.late).into_iter().partition(|late| late.0 <= now);
        self.late = rest;
        let due: Vec<(Instant, Hold<S3Request>)> = due;
        due.into_iter().for_each(|(_, hold)| hold.deliver());
    }

    /// Panics if one has ended by itself; one that may is replaced.
    pub fn look_after(&mut self) {
        while let Some(ended) = self.members.iter().position(|one| !one.daemon.is_running()) {
            let Member { daemon, variant } = self.members.remove(ended);
            assert!(self.may_end, "a daemon ended by itself:\n{}", daemon.log_tail());
            self.bury(&daemon);
            self.replace(variant);
        }
    }

    /// Lets every request through that is still held.
    pub fn deliver_all(&mut self) {
        std::mem::take(&mut self.late).into_iter().for_each(|(_, hold)| hold.deliver());
    }

    /// Stops everyone. Whoever ended in another way than by our hand is a fault.
    pub fn stop(&mut self) {
        let leaving = std::mem::take(&mut self.leaving);
        let members = std::mem::take(&mut self.members);
        for daemon in leaving.into_iter().chain(members.into_iter().map(|one| one.daemon)) {
            if self.may_end {
                daemon.kill_9();
            } else if daemon.is_running() {
                daemon.stop_cleanly();
            } else {
                let status = daemon.wait_for_end(Duration::ZERO);
                assert!(status.success(), "one that was told to stop:\n{}", daemon.log_tail());
            }
            self.bury(&daemon);
        }
    }

    fn bury(&mut self, daemon: &Daemon) {
        self.logs.push(daemon.log());
    }

    /// The logs of everyone who ever ran.
    pub fn logs(&self) -> Vec<String> {
        let running = self.members.iter().map(|one| one.daemon.log());
        let leaving = self.leaving.iter().map(Daemon::log);
        self.logs.iter().cloned().chain(running).chain(leaving).collect()
    }
}

fn publishing() -> On<S3Request> {
    On::matching(|request: &S3Request| {
        matches!(request.operation, Operation::PutObject | Operation::CompleteMultipartUpload)
            && request.key.starts_with("topics/")
    })
}

/// What a daemon holds, by its metrics; nothing if it does not answer.
fn partitions(daemon: &Daemon) -> BTreeSet<Place> {
    let Some((200, text)) = daemon.page("/metrics") else { return BTreeSet::new() };
    let label = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let series = text.lines().filter(|line| line.starts_with("sluice_partition_offset{"));
    let place = |line| Some((label(line, "topic")?, label(line, "partition")?.parse().ok()?));
    series.filter_map(place).collect()
}
