//! `sluice demo`: the daemon at work between a Kafka and an S3 of the demo's own.
//!
//! It owns: a Kafka ([`cluster`]) and an S3 ([`s3_server`]) on loopback, the posts that go in
//! ([`feed`]), the order of start and stop, the check of what came out ([`check`]), the summary.
//! It does not own: the daemon, which is the one that `sluice run` runs.
//!
//! It shows wiring, not proof: neither of its servers is the real one.
//!
//! The order of the end: posts stop, the daemon writes what was sent and drains, the S3 server
//! stops, and only then files and topics are read again. Ctrl-C begins that end early; a second one
//! ends the process at once.

pub mod check;
pub mod cluster;
pub mod daemon;
pub mod feed;
pub mod s3_server;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::command::emulate::{EmulateError, pace::Pace, stop_on_signals, topics};
use crate::command::posts::Kind;
use crate::command::progress::{BesideBars, Display, Progress};
use crate::command::settings::{Common, print, say};
use crate::daemon::log::{self, LogError};
use crate::model::{Bucket, NameError, Topic};
use check::{CheckError, Report, compare, read_files, read_topics};
use cluster::{Cluster, ClusterError, RECORDS_MAX, partitions_for};
use daemon::{Daemon, DaemonError};
use feed::{Feed, FeedError};
use s3_server::S3ServerError;

const BUCKET: &str = "sluice-demo";
const SEED: u64 = 1;
/// The posts take so long: start and the group's first rebalance take about 5 s, and the daemon
/// shall still be seen at work on topics that grow.
const FEED_SECONDS: u64 = 8;
const POSTS_PER_SECOND_MIN: u64 = 200;
/// Between two looks at the counts.
const LOOK: Duration = Duration::from_millis(50);
/// Neither a post nor an object for so long: something hangs, and the check will say what lacks.
const SILENCE_MAX: Duration = Duration::from_secs(60);
const EXIT_FAILED: u8 = 1;
const EXIT_CONFIG: u8 = 78;

/// Shows the daemon at work with nothing else installed: a mock Kafka, an S3 server, made-up posts
///
/// Writes posts into the topics pin, geo and user of a Kafka inside this process, lets the daemon
/// bring them into an S3 server inside this process whose objects are plain files, and then reads
/// topics and files again: exit 0 only if each record is there exactly once. It shows how things
/// are wired; proof is what the tests do with a real Kafka. Reads no configuration file.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// How many records, over the three topics
    #[arg(long, value_name = "N", default_value_t = 30_000,
          value_parser = clap::value_parser!(u64).range(1..=RECORDS_MAX))]
    pub records: u64,
    /// The folder for the objects; without it a new one among the temporary files, which is kept
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

pub(super) fn main(common: &Common, arguments: &Arguments) -> u8 {
    match show(common, arguments) {
        Ok(outcome) => {
            print(&outcome.to_string());
            outcome.exit_code()
        }
        Err(error) => {
            say(&format!("sluice demo: {error}"));
            error.exit_code()
        }
    }
}

fn show(common: &Common, arguments: &Arguments) -> Result<Outcome, DemoError> {
    if common.config.is_some() {
        return Err(DemoError::File);
    }
    log::start_text(common.log.as_deref().unwrap_or("warn"), BesideBars::default)?;
    let stop = stop_on_signals()?;
    let folder = match &arguments.data {
        Some(folder) => folder.clone(),
        None => temporary_folder()?,
    };
    let demo = Demo { records: arguments.records, folder, set: common.set.clone() };
    run(&demo, &stop, Display::of_stderr(), |_| {})
}

/// Makes a folder that only this user can look into.
fn temporary_folder() -> Result<PathBuf, DemoError> {
    let path = std::env::temp_dir().join(format!("sluice-demo-{:016x}", rand::random::<u64>()));
    match std::fs::DirBuilder::new().mode(0o700).create(&path) {
        Ok(()) => Ok(path),
        Err(source) => Err(DemoError::Folder { path, source }),
    }
}

/// Why a demo came to no result.
#[derive(Debug, Error)]
pub enum DemoError {
    #[error("the demo brings its own configuration: leave out `--config`")]
    File,
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Signals(#[from] EmulateError),
    #[error("cannot create `{}`: {source}; name a folder by `--data DIR`", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("a runtime could not be started: {0}")]
    Runtime(#[source] io::Error),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Server(#[from] S3ServerError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Check(#[from] CheckError),
}

impl DemoError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::File
            | Self::Log(_)
            | Self::Daemon(DaemonError::NotSettable { .. } | DaemonError::Configuration(_)) => {
                EXIT_CONFIG
            }
            Self::Signals(_)
            | Self::Folder { .. }
            | Self::Runtime(_)
            | Self::Name(_)
            | Self::Server(_)
            | Self::Cluster(_)
            | Self::Daemon(_)
            | Self::Feed(_)
            | Self::Check(_) => EXIT_FAILED,
        }
    }
}

/// What is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demo {
    /// Over the three topics.
    pub records: u64,
    /// The bucket is a folder in it.
    pub folder: PathBuf,
    /// As `--set` takes it; only what does not touch the layout.
    pub set: Vec<String>,
}

/// What a demo found. `Display` is the summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub report: Report,
    /// The bucket: its files are the objects.
    pub bucket_folder: PathBuf,
    pub example: Option<PathBuf>,
    pub page: Option<SocketAddr>,
    /// What was asked for; fewer are sent where somebody stopped the demo.
    pub records: u64,
}

impl Outcome {
    /// Returns 0 if each record is there exactly once, else 1.
    pub fn exit_code(&self) -> u8 {
        self.report.exit_code()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = self.report.records();
        if sent < self.records {
            writeln!(formatter, "stopped early: {sent} of {} records were sent", self.records)?;
        }
        writeln!(formatter, "objects: {}", self.bucket_folder.display())?;
        if let Some(example) = &self.example {
            writeln!(formatter, "for example: {}", example.display())?;
        }
        if let Some(page) = self.page {
            writeln!(formatter, "the status page was at http://{page}/ while the daemon ran")?;
        }
        write!(formatter, "{}", self.report)?;
        writeln!(
            formatter,
            "This shows the wiring, it is no proof: the Kafka here is librdkafka's mock. The tests \
             do the same with a real Apache Kafka, and kill the daemon meanwhile."
        )
    }
}

/// Shows `demo` until all is written or `stop` is set, then checks. `before_check` is given the
/// bucket's folder when nothing writes there any more.
pub fn run(
    demo: &Demo,
    stop: &AtomicBool,
    display: Display,
    before_check: impl FnOnce(&Path),
) -> Result<Outcome, DemoError> {
    let (bucket, topics) = (Bucket::new(BUCKET)?, topics("")?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("demo-s3")
        .enable_all()
        .build()
        .map_err(DemoError::Runtime)?;
    // The cluster stays until the end: the check reads it too.
    let cluster = Cluster::start(&topics, partitions_for(demo.records)?)?;
    let server = runtime.block_on(s3_server::start(&demo.folder, &bucket))?;
    let bucket_folder = server.bucket_folder().to_owned();
    let settings = daemon::settings(&cluster.bootstrap_servers(), &server, &bucket, &demo.set);
    let result = settings.map_err(DemoError::from).and_then(|settings| {
        let daemon = Daemon::start(settings)?;
        move_records(demo.records, &cluster, &topics, daemon, (stop, display))
    });
    let stopped = runtime.block_on(server.stop());
    let page = result?;
    stopped?;
    before_check(&bucket_folder);
    let report = check(&cluster, &topics, &bucket_folder, (demo.records, display))?;
    let example = example(&bucket_folder)?;
    Ok(Outcome { report, bucket_folder, example, page, records: demo.records })
}

/// Sends posts while the daemon writes; returns where its status page was. However it ends, the
/// daemon has stopped.
fn move_records(
    records: u64,
    cluster: &Cluster,
    topics: &[Topic; Kind::ALL.len()],
    daemon: Daemon,
    (stop, display): (&AtomicBool, Display),
) -> Result<Option<SocketAddr>, DemoError> {
    let feed = match Feed::start(cluster, topics.clone(), records, pace(records), SEED) {
        Ok(feed) => feed,
        Err(error) => {
            daemon.stop()?;
            return Err(error.into());
        }
    };
    let mut progress = Progress::start(display, "demo", "records written", Some(records));
    wait(&feed, &daemon, stop, &mut progress);
    let (page, written) = (daemon.page(), daemon.written());
    let stopped = daemon.stop();
    progress.finish(written, "");
    let fed = feed.finish();
    stopped?;
    fed?;
    Ok(page)
}

fn pace(records: u64) -> Pace {
    let posts = records.div_ceil(Kind::ALL.len() as u64);
    let rate = (posts / FEED_SECONDS).max(POSTS_PER_SECOND_MIN);
    // Zero is as fast as it goes; no demo is that large.
    Pace::new(u32::try_from(rate).unwrap_or(0))
}

/// Waits until everything that was sent is written, or until it goes on no more.
fn wait(feed: &Feed, daemon: &Daemon, stop: &AtomicBool, progress: &mut Progress) {
    let mut last = ((0, 0), Instant::now());
    let mut is_page_said = false;
    while !daemon.is_finished() {
        if stop.load(Ordering::Acquire) {
            feed.stop();
        }
        // In this order: what is finished is counted whole.
        let is_fed = feed.is_finished();
        let (sent, written) = (feed.acknowledged(), daemon.written());
        if is_fed && written >= sent {
            return;
        }
        if let (false, Some(page)) = (is_page_said, daemon.page()) {
            is_page_said = true;
            progress.say(&format!("the status page is at http://{page}/"));
        }
        progress.set(written, format_args!("{sent} sent"));
        if last.0 != (sent, written) {
            last = ((sent, written), Instant::now());
        }
        if last.1.elapsed() >= SILENCE_MAX {
            progress.say(&format!(
                "nothing was written for {} s, {written} of {sent} records are: it is stopped and \
                 checked; `--log info` shows more",
                SILENCE_MAX.as_secs()
            ));
            break;
        }
        thread::sleep(LOOK);
    }
    feed.stop();
}

/// Reads files and topics again.
fn check(
    cluster: &Cluster,
    topics: &[Topic],
    bucket_folder: &Path,
    (records, display): (u64, Display),
) -> Result<Report, CheckError> {
    let mut progress = Progress::start(display, "check", "records read again", Some(records));
    let mut read = 0;
    let found = read_topics(&cluster.bootstrap_servers(), topics, &mut |so_far| {
        read = so_far;
        progress.set(so_far, "");
    })?;
    let report = compare(&found, &read_files(bucket_folder)?);
    progress.finish(read, "");
    Ok(report)
}

/// Returns the first object of the topic that is asked for most.
fn example(bucket_folder: &Path) -> Result<Option<PathBuf>, CheckError> {
    let found = read_files(bucket_folder)?;
    let of_pin = found.objects.iter().find(|(of, _)| of.topic.as_str() == Kind::Pin.as_str());
    let object = of_pin.and_then(|(_, objects)| objects.first());
    Ok(object.map(|object| object.path.clone()))
}

#[cfg(test)]
mod tests;
