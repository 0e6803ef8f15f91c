//! One run: a cluster, a bucket, producers, daemons and everything that happens to them.
//!
//! It owns: the order of the blows, from the seed; the end of a run and what it is judged by.
//! It does not own: the blows (`fleet.rs`, `weather.rs`), the comparison (`support/independent.rs`).

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::fleet::{Around, Fate, Fleet};
use crate::stream::{self, Topics};
use crate::support::daemon::Settings;
use crate::support::independent::{self, Report};
use crate::support::proxy::s3::S3Proxy;
use crate::support::{Kafka, s3, unique, wait};
use crate::tally::Tally;
use crate::weather;

const DAEMONS: usize = 3;
/// Between two blows.
const PAUSE_MS: std::ops::Range<u64> = 200..1_200;
/// A loaded machine needs longer for the same blows.
const LONGER_MAX: Duration = Duration::from_secs(180);
/// Sessions that end, replays, a request that hangs for its 30 s, the last file's age.
const DONE_IN: Duration = Duration::from_secs(180);

/// Who writes, for how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    pub name: &'a str,
    pub protocol: &'a str,
    pub seed: u64,
    /// The run goes on, by [`LONGER_MAX`] at the most, until it has seen enough.
    pub duration: Duration,
    pub program: &'a Path,
    /// The rule that is broken in this build, if any.
    pub mutant: Option<&'a str>,
}

/// Something that happens to a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Kill(Fate),
    KillAny,
    /// Sleeps past its session; another one is killed meanwhile.
    Sleep(Option<Fate>),
    Exchange,
    Join,
    Leave,
}

const BLOWS: [Blow; 10] = [
    Blow::Kill(Fate::AnswerLost),
    Blow::Kill(Fate::DeliveredLate),
    Blow::Kill(Fate::Dropped),
    Blow::KillAny,
    Blow::Sleep(Some(Fate::AnswerLost)),
    Blow::Sleep(Some(Fate::Delivered)),
    Blow::Sleep(None),
    Blow::Exchange,
    Blow::Join,
    Blow::Leave,
];

/// What a run came to.
pub struct Outcome {
    pub report: Report,
    pub tally: Tally,
    pub settings: Settings,
    pub topics: Topics,
    pub bucket: String,
    /// Whether everything was committed in the end.
    pub done: bool,
    logs: Vec<String>,
    // Settings lead through it.
    _proxy: S3Proxy,
}

impl Plan<'_> {
    /// Goes through with it and compares topics and bucket.
    pub fn run(&self, kafka: &Kafka) -> Outcome {
        kafka.restart();
        kafka.wait_until_in_sync();
        let (start, proxy) = (Instant::now(), s3().proxy());
        let (topics, group, bucket) =
            (Topics::create(kafka), unique("group"), s3().bucket("chaos"));
        let tally = Tally { s3_faults: weather::moods(), ..Tally::default() };
        let settings = self.settings(kafka, &proxy, &topics, (&group, &bucket));
        let around = Around { kafka, proxy: &proxy, group: &group, topics: &topics };
        let random = StdRng::seed_from_u64(self.seed);
        let mut fleet = Fleet::new(&around, settings.clone(), &tally, random);
        fleet.may_end = self.mutant.is_some();
        self.suffer(&around, &mut fleet, &tally);
        let done = self.finish(&around, &mut fleet);
        let logs = fleet.logs();
        let seconds = start.elapsed().as_secs();
        let report = independent::compare(kafka, s3(), &bucket, &group, &topics.names());
        let count = |text: &str| logs.iter().map(|log| log.matches(text).count()).sum();
        tally.plans_finished.add(count("the pending plan's objects are the same"));
        tally.own_412.add(count("an object of ours was there already"));
        drop(fleet);
        let outcome =
            Outcome { report, tally, settings, topics, bucket, done, logs, _proxy: proxy };
        outcome.tally.close(self.name, &outcome.report, seconds);
        outcome
    }

    fn settings(
        &self,
        kafka: &Kafka,
        proxy: &S3Proxy,
        topics: &Topics,
        (group, bucket): (&str, &str),
    ) -> Settings {
        let names = topics.names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let settings = Settings::new(&kafka.bootstrap(), &proxy.endpoint(), group, bucket)
            .program(self.program)
            .topics(&names)
            .set("kafka.protocol", &format!("{:?}", self.protocol))
            .set("kafka.properties.\"topic.metadata.refresh.interval.ms\"", "2000")
            .set("limits.drain", "\"10 s\"")
            // Large enough for parts.
            .override_for(&topics.large.name, "seal.age = \"7 s\"\nseal.bytes = \"64 MiB\"");
        let settings = match self.mutant {
            Some(mutant) => settings.env("SLUICE_MUTANT", mutant),
            None => settings,
        };
        match self.protocol {
            "classic" => settings
                .set("kafka.properties.\"session.timeout.ms\"", "6000")
                .set("kafka.properties.\"heartbeat.interval.ms\"", "500"),
            // The tests' broker says 6 s too.
            _ => settings,
        }
    }

    /// Deals blows from all sides while records come in.
    fn suffer(&self, around: &Around<'_>, fleet: &mut Fleet<'_>, tally: &Tally) {
        let (weather_ended, stream_ended) = (AtomicBool::new(false), AtomicBool::new(false));
        let Around { kafka, proxy, topics, .. } = *around;
        let seed = self.seed;
        std::thread::scope(|scope| {
            // Also when a blow panics: the others would go on for ever.
            let _ends = [EndsOnDrop(&weather_ended), EndsOnDrop(&stream_ended)];
            let streams = start_streams(scope, around, tally, &stream_ended);
            (0..DAEMONS).for_each(|_| fleet.join());
            let over_kafka = || weather::over_kafka(kafka, topics, seed, tally, &weather_ended);
            let over_s3 = || weather::over_s3(proxy, seed, tally, &weather_ended);
            let weather = [scope.spawn(over_kafka), scope.spawn(over_s3)];
            self.deal(fleet, tally, || {
                weather.iter().chain(&streams).any(ScopedJoinHandle::is_finished)
            });
            weather_ended.store(true, Ordering::Relaxed);
            weather.into_iter().for_each(|thread| thread.join().unwrap());
            stream_ended.store(true, Ordering::Relaxed);
            streams.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }

    fn deal(&self, fleet: &mut Fleet<'_>, tally: &Tally, has_broken: impl Fn() -> bool) {
        let (start, mut random) = (Instant::now(), StdRng::seed_from_u64(self.seed ^ 3));
        let suffices = || self.mutant.is_some() || tally.suffices();
        loop {
            let mut blows = BLOWS;
            blows.shuffle(&mut random);
            for blow in blows {
                let elapsed = start.elapsed();
                if has_broken()
                    || elapsed >= self.duration + LONGER_MAX
                    || (elapsed >= self.duration && suffices())
                {
                    return;
                }
                std::thread::sleep(Duration::from_millis(random.random_range(PAUSE_MS)));
                fleet.deliver_late();
                fleet.look_after();
                match blow {
                    Blow::Kill(fate) => fleet.kill(fate),
                    Blow::KillAny => fleet.kill_any(),
                    Blow::Sleep(meanwhile) => fleet.sleep(meanwhile),
                    Blow::Exchange => fleet.exchange(),
                    Blow::Join => {
                        fleet.join();
                        tally.joined.one();
                    }
                    Blow::Leave => fleet.leave(),
                }
            }
        }
    }

    /// Lets the sun shine, and waits until all that was produced is committed.
    fn finish(&self, around: &Around<'_>, fleet: &mut Fleet<'_>) -> bool {
        around.proxy.clear();
        // Those that hang, too.
        around.proxy.connections().cut_all();
        fleet.deliver_all();
        fleet.look_after();
        let lag = || {
            let topics = around.topics.names();
            topics.iter().map(|topic| around.kafka.lag(around.group, topic)).sum::<i64>()
        };
        // Whoever left its plans out may have stopped for good.
        let within = if self.mutant.is_some() { Duration::from_secs(10) } else { DONE_IN };
        let done = wait::until_or(within, || (lag() == 0).then_some(())).is_some();
        if !done && self.mutant.is_none() {
            let folder = keep(self.name, &fleet.logs());
            panic!("{} records are not written; the logs are in {folder}", lag());
        }
        fleet.stop();
        done
    }
}

impl Outcome {
    /// Panics if a record is missing, or twice, or if the run saw too little.
    pub fn require_exactly_once(&self, plan: &Plan<'_>) {
        let stopped = self.logs.iter().any(|log| log.contains("partition stopped"));
        let faults = &self.report.faults;
        if !faults.is_empty() || stopped || self.report.lag != 0 {
            let folder = keep(plan.name, &self.logs);
            panic!("{faults:#?}, a partition stopped: {stopped}; the logs are in {folder}");
        }
        let acknowledged = u64::try_from(self.tally.acknowledged.get()).unwrap();
        assert!(self.report.records >= acknowledged, "{acknowledged} were acknowledged");
        self.tally.require();
    }

    /// Takes away what the run wrote: three replicas of it, and a bucket.
    pub fn clear(self, kafka: &Kafka) {
        self.topics.names().iter().for_each(|topic| kafka.delete_topic(topic));
        std::fs::remove_dir_all(s3().folder(&self.bucket)).unwrap();
    }
}

/// Keeps the logs of a run that failed, and says where. Tests sweep away what others leave, but not
/// what has no process id in its name.
fn keep(name: &str, logs: &[String]) -> String {
    let name = format!("kept-chaos-{}", name.replace([' ', ','], "-"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for (index, log) in logs.iter().enumerate() {
        std::fs::write(folder.join(format!("{index}.log")), log).unwrap();
    }
    folder.display().to_string()
}

fn start_streams<'scope>(
    scope: &'scope Scope<'scope, '_>,
    around: &Around<'scope>,
    tally: &'scope Tally,
    ended: &'scope AtomicBool,
) -> [ScopedJoinHandle<'scope, ()>; 3] {
    let Around { kafka, topics, .. } = *around;
    [
        scope.spawn(move || stream::plain(kafka, &topics.plain, tally, ended)),
        scope.spawn(move || stream::transactions(kafka, &topics.transactional, tally, ended)),
        scope.spawn(move || stream::large(kafka, &topics.large, tally, ended)),
    ]
}

struct EndsOnDrop<'a>(&'a AtomicBool);

impl Drop for EndsOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
