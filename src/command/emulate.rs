//! `sluice emulate`: sends posts to a real Kafka as the emulation script of Pinterest does.
//!
//! It owns: the arguments, the summary, the exit code. It does not own: the posts (`posts`), the
//! producer ([`sender`]), the loop ([`produce`](mod@produce)).
//!
//! Ends with success only if the brokers acknowledged each record. Ctrl-C ends a run early and
//! still waits for what is under way; a second one ends it at once.

pub mod pace;
pub mod produce;
pub mod sender;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::error::KafkaError;
use signal_hook::consts::{SIGINT, SIGTERM};
use thiserror::Error;

use crate::command::posts::Kind;
use crate::command::progress::{Display, Progress};
use crate::command::settings::{Common, print, say};
use crate::daemon::connect::{client_properties, login};
use crate::kafka::ConsumerError;
use crate::kafka::login::Login;
use crate::model::{NameError, Topic};
use pace::Pace;
use produce::{KeyChoice, Plan, produce};
use sender::{Placement, Sender};

/// A broker has so long to answer at the start.
const REACH_WAIT_MAX: Duration = Duration::from_secs(15);
/// What a shell reports for a program that Ctrl-C ended: 128 + SIGINT.
const EXIT_INTERRUPTED: i32 = 130;
const EXIT_UNAVAILABLE: u8 = 69;
const EXIT_CONFIG: u8 = 78;

/// Sends made-up Pinterest posts to Kafka: one record each on the topics pin, geo and user.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Where Kafka is, as `host:port`, several with commas; else as the configuration file says
    #[arg(long, value_name = "SERVERS")]
    pub bootstrap_servers: Option<String>,
    /// Stop after so many posts (three records each); without it, go on until Ctrl-C
    #[arg(long, value_name = "N")]
    pub posts: Option<u64>,
    /// Posts per second; 0 is as fast as it goes
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub rate: u32,
    /// The same seed sends the same posts
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Put in front of pin, geo and user, as `12ab34.`
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub topic_prefix: String,
    /// The records' keys
    #[arg(long, value_enum, default_value_t)]
    pub key: KeyChoice,
}

/// Runs the command. The servers come from the command line, or else from the configuration, with
/// its security.
pub(super) fn main(common: &Common, arguments: &Arguments) -> u8 {
    let client = match &arguments.bootstrap_servers {
        Some(_) => ClientSettings::default(),
        None => match common.load() {
            Ok(settings) => ClientSettings {
                properties: client_properties(&settings.kafka),
                login: login(&settings.kafka),
            },
            Err(code) => return code,
        },
    };
    let outcome =
        stop_on_signals().and_then(|stop| run(arguments, &client, &stop, Display::of_stderr()));
    match outcome {
        Ok(outcome) => {
            print(&outcome.to_string());
            outcome.exit_code()
        }
        Err(error) => {
            say(&format!("sluice emulate: {error}"));
            error.exit_code()
        }
    }
}

/// What the configuration says of any client: properties with secrets among them, and the login.
#[derive(Clone, Default)]
pub struct ClientSettings {
    pub properties: BTreeMap<String, String>,
    pub login: Login,
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.properties.keys()).finish()
    }
}

/// Why nothing was sent, or not all.
#[derive(Debug, Error)]
pub enum EmulateError {
    #[error("no servers are named: give `--bootstrap-servers host:port` or a configuration file")]
    NoServers,
    #[error("`--topic-prefix` gives a topic that Kafka does not take: {0}")]
    Topic(#[from] NameError),
    #[error("the Kafka client does not take its settings: {0}")]
    Settings(#[source] ConsumerError),
    #[error("no broker of `{servers}` answered: {source}; is it running, and the address right?")]
    Unreachable { servers: String, source: KafkaError },
    #[error("no broker of `{servers}` lets us in: {why}")]
    Refused { servers: String, why: String },
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
}

impl EmulateError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoServers | Self::Topic(_) | Self::Settings(_) => EXIT_CONFIG,
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Signals(_) => EXIT_UNAVAILABLE,
        }
    }
}

/// What became of the records of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicOutcome {
    pub topic: Topic,
    pub sent: u64,
    pub acknowledged: u64,
    pub failed: u64,
}

/// What a run did. `Display` is the summary, in lines. A run ends at its first failure: what the
/// brokers answered, or what the client did not take.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub topics: Vec<TopicOutcome>,
    pub first_failure: Option<KafkaError>,
    pub was_stopped: bool,
}

impl Outcome {
    fn of(sender: &Sender, refusal: Option<KafkaError>, was_stopped: bool) -> Self {
        let deliveries = sender.deliveries();
        let topic = |kind| TopicOutcome {
            topic: sender.topic(kind).clone(),
            sent: sender.sent(kind),
            acknowledged: deliveries.acknowledged(kind),
            failed: deliveries.failed(kind),
        };
        Self {
            topics: Kind::ALL.into_iter().map(topic).collect(),
            first_failure: deliveries.first_failure().cloned().or(refusal),
            was_stopped,
        }
    }

    /// Whether the brokers acknowledged each record, and the client refused none.
    pub fn is_complete(&self) -> bool {
        self.first_failure.is_none()
            && self.topics.iter().all(|topic| topic.acknowledged == topic.sent)
    }

    pub fn exit_code(&self) -> u8 {
        if self.is_complete() { 0 } else { EXIT_UNAVAILABLE }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.was_stopped {
            writeln!(formatter, "stopped on request")?;
        }
        for topic in &self.topics {
            let TopicOutcome { topic, sent, acknowledged, failed } = topic;
            write!(formatter, "{topic}: {acknowledged} of {sent} records acknowledged")?;
            if *failed > 0 {
                write!(formatter, ", {failed} failed")?;
            }
            writeln!(formatter)?;
        }
        if let Some(failure) = &self.first_failure {
            writeln!(formatter, "the first failure: {failure}")?;
        }
        Ok(())
    }
}

/// Sends what `arguments` say until it is done or `stop` is set. `client` is what
/// the configuration file says, empty without one; `--bootstrap-servers` wins.
pub fn run(
    arguments: &Arguments,
    client: &ClientSettings,
    stop: &AtomicBool,
    display: Display,
) -> Result<Outcome, EmulateError> {
    let mut properties = client.properties.clone();
    if let Some(servers) = &arguments.bootstrap_servers {
        properties.insert("bootstrap.servers".to_owned(), servers.clone());
    }
    let servers = properties.get("bootstrap.servers").ok_or(EmulateError::NoServers)?.clone();
    let topics = topics(&arguments.topic_prefix)?;
    let mut sender = Sender::new(&properties, &client.login, topics, Placement::Producer)
        .map_err(EmulateError::Settings)?;
    sender.reach(REACH_WAIT_MAX).map_err(|source| match sender.refusal() {
        Some(why) => EmulateError::Refused { servers, why: why.to_owned() },
        None => EmulateError::Unreachable { servers, source },
    })?;
    let per_post = Kind::ALL.len() as u64;
    let plan = Plan {
        records: arguments.posts.map(|posts| posts.saturating_mul(per_post)),
        pace: Pace::new(arguments.rate),
        seed: arguments.seed,
        key: arguments.key,
    };
    let mut progress = Progress::start(display, "emulate", "posts", arguments.posts);
    let acknowledged = |sender: &Sender| sender.deliveries().acknowledged_in_all() / per_post;
    let result = produce(&plan, &mut sender, stop, &mut |sender| {
        let note = format_args!("{} records on their way", sender.unanswered());
        progress.set(acknowledged(sender), note);
    });
    progress.finish(acknowledged(&sender), "acknowledged");
    Ok(Outcome::of(&sender, result.err(), stop.load(Ordering::Acquire)))
}

/// Returns the topics of the three kinds of records, in the order of [`Kind::ALL`].
pub fn topics(prefix: &str) -> Result<[Topic; Kind::ALL.len()], NameError> {
    let [pin, geo, user] = Kind::ALL.map(|kind| Topic::new(&format!("{prefix}{}", kind.as_str())));
    Ok([pin?, geo?, user?])
}

/// Returns a flag that SIGINT and SIGTERM set; the second of them ends the process at once.
pub fn stop_on_signals() -> Result<Arc<AtomicBool>, EmulateError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the flag is not set yet when the first signal passes the first action.
        signal_hook::flag::register_conditional_shutdown(
            signal,
            EXIT_INTERRUPTED,
            Arc::clone(&stop),
        )
        .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
        .map_err(EmulateError::Signals)?;
    }
    Ok(stop)
}

#[cfg(test)]
mod tests;
