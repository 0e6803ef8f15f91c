//! A real Apache Kafka in KRaft mode on loopback, one broker or three.
//!
//! It owns: the brokers' processes, folders, ports and properties; kill, stop and start of each;
//! the listeners that proxies stand before.
//! It does not own: what is asked of a cluster as a client (`kafka/topics.rs`, `kafka/groups.rs`),
//! nor the installation (`install.rs`).

mod by_hand;
pub mod groups;
pub mod leaders;
pub mod rights;
pub mod scram;
pub mod settings;
pub mod topics;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;

pub use groups::{Committed, Member};
pub use topics::{NewRecord, Outcome, TopicRecord};

use super::install::{self, KafkaRelease};
use super::process::{self, Process, Signal};
use super::proxy::kafka::{KafkaProxy, Slots};
use super::{ports, scratch, wait};

/// A loaded machine with two cores takes 12 s to start three brokers.
const READY_IN: Duration = Duration::from_secs(120);
/// Proxies that can stand before the cluster at one time; each costs a broker two threads.
const SLOTS: usize = 4;
/// Other processes take ports too: how often to try again with new ones.
const STARTS_MAX: usize = 3;
/// Any text of 22 characters in URL-safe base64; tests that compare ids read it.
pub const CLUSTER_ID: &str = "c2x1aWNlLXRlc3RzLS0tLQ";

/// What a cluster is to be.
#[derive(Debug, Clone)]
pub struct Options {
    pub release: KafkaRelease,
    /// One or three; each is broker and controller.
    pub brokers: usize,
    /// Lines of `server.properties`, over ours.
    pub properties: Vec<(&'static str, String)>,
    /// The most that a broker's heap takes; it holds each request and answer whole.
    pub heap_mebibytes: u32,
    /// More listeners of each broker, by name and security protocol.
    pub listeners: Vec<(&'static str, &'static str)>,
    /// Users with a password, as the storage tool takes them.
    pub scram_users: Vec<String>,
    /// More arguments of the JVM, and folders of classes.
    pub jvm: Vec<String>,
    pub classes: Vec<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            release: KafkaRelease::V4_4,
            brokers: 1,
            properties: Vec::new(),
            heap_mebibytes: 256,
            listeners: Vec::new(),
            scram_users: Vec::new(),
            jvm: Vec::new(),
            classes: Vec::new(),
        }
    }
}

/// A running cluster, killed on drop.
pub struct Kafka {
    brokers: Vec<Broker>,
    slots: Slots,
    producer: OnceLock<topics::Producing>,
    _folder: TempDir,
}

struct Broker {
    folder: PathBuf,
    options: Options,
    address: SocketAddr,
    /// Ports of [`Options::listeners`].
    listeners: BTreeMap<&'static str, u16>,
    process: Mutex<Option<Process>>,
}

/// The ports of one broker.
struct Ports {
    clients: u16,
    controller: u16,
    slots: Vec<u16>,
    listeners: Vec<u16>,
}

impl Kafka {
    /// Installs what is missing, starts the brokers and returns when all of them answer.
    pub fn start(options: Options) -> Self {
        install::kafka(options.release);
        (0..STARTS_MAX)
            .find_map(|_| Self::try_start(&options, JvmFlag::UseClasses))
            .expect("Kafka did not start; its log is above")
    }

    /// Nothing if a broker ended by itself, which a port taken by another process explains.
    fn try_start(options: &Options, flag: JvmFlag) -> Option<Self> {
        let folder = scratch::folder("kafka");
        let slots = Slots::bind(SLOTS, options.brokers);
        let ports = free_ports(options);
        for index in 0..options.brokers {
            let properties = properties(options, folder.path(), index, &ports, &slots);
            std::fs::create_dir(folder.path().join(name(index))).unwrap();
            std::fs::write(folder.path().join(name(index)).join("server.properties"), properties)
                .unwrap();
        }
        let brokers: Vec<Broker> = ports
            .iter()
            .enumerate()
            .map(|(index, ports)| Broker {
                folder: folder.path().join(name(index)),
                options: options.clone(),
                address: SocketAddr::from(([127, 0, 0, 1], ports.clients)),
                listeners: options
                    .listeners
                    .iter()
                    .zip(&ports.listeners)
                    .map(|((name, _), port)| (*name, *port))
                    .collect(),
                process: Mutex::new(None),
            })
            .collect();
        let formatting: Vec<Process> = brokers.iter().map(Broker::format).collect();
        for (broker, mut format) in brokers.iter().zip(formatting) {
            let status = format.wait_for_end(READY_IN);
            assert!(status.success(), "the storage tool failed:\n{}", format.log_tail());
            broker.start(flag.clone());
        }
        for (index, ports) in ports.iter().enumerate() {
            slots.point(index, &ports.slots);
        }
        let kafka = Self { brokers, slots, producer: OnceLock::new(), _folder: folder };
        kafka.try_wait_until_ready().then_some(kafka)
    }

    pub fn bootstrap(&self) -> String {
        let addresses: Vec<String> =
            self.brokers.iter().map(|broker| broker.address.to_string()).collect();
        addresses.join(",")
    }

    /// Where the first broker has this one of [`Options::listeners`].
    pub fn listener(&self, name: &str) -> String {
        format!("127.0.0.1:{}", self.brokers[0].listeners[name])
    }

    /// A proxy of this test's own before all brokers; waits if all of them are taken.
    pub fn proxy(&self) -> KafkaProxy {
        self.slots.take()
    }

    /// Kills every broker with SIGKILL.
    pub fn kill_9(&self) {
        (0..self.brokers.len()).for_each(|index| self.kill_9_broker(index));
    }

    /// Kills one broker with SIGKILL; `index` counts from 0, its `node.id` is one more.
    pub fn kill_9_broker(&self, index: usize) {
        if let Some(mut process) = self.brokers[index].process.lock().unwrap().take() {
            process.kill_9();
        }
    }

    /// Stops one broker as an administrator would, and waits for its end.
    pub fn stop_broker(&self, index: usize) {
        let process = self.brokers[index].process.lock().unwrap().take();
        if let Some(mut process) = process {
            process.signal(Signal::Terminate);
            process.wait_for_end(READY_IN);
        }
    }

    pub fn process_id(&self, index: usize) -> u32 {
        self.brokers[index].process.lock().unwrap().as_ref().unwrap().id()
    }

    /// Sends a signal to one broker: SIGSTOP makes one that hangs.
    pub fn signal_broker(&self, index: usize, signal: Signal) {
        self.brokers[index].process.lock().unwrap().as_mut().unwrap().signal(signal);
    }

    /// Starts whatever does not run, on its old ports and folders, and waits until all answer.
    pub fn restart(&self) {
        for broker in &self.brokers {
            if broker.process.lock().unwrap().is_none() {
                broker.start(JvmFlag::UseClasses);
            }
        }
        assert!(self.try_wait_until_ready(), "a broker did not start again; its log is above");
    }

    /// An rdkafka configuration for a client beside the program.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap()).set("client.id", "tests");
        config
    }

    fn try_wait_until_ready(&self) -> bool {
        let consumer: BaseConsumer = self.client().create().unwrap();
        let asked = wait::until_or(READY_IN, || {
            if let Some(log) = self.brokers.iter().find_map(Broker::log_of_the_dead) {
                eprintln!("a Kafka broker ended while starting:\n{log}");
                return Some(false);
            }
            let metadata = consumer.fetch_metadata(None, Duration::from_secs(1)).ok()?;
            (metadata.brokers().len() == self.brokers.len()).then_some(true)
        });
        asked.unwrap_or_else(|| panic!("Kafka is not ready after {READY_IN:?}"))
    }
}

/// What the JVM does with the archive of classes.
#[derive(Clone)]
enum JvmFlag {
    UseClasses,
    RecordClasses(PathBuf),
}

impl Broker {
    fn format(&self) -> Process {
        let mut command = self.java(&JvmFlag::UseClasses);
        command.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]);
        command.arg("server.properties");
        for user in &self.options.scram_users {
            command.args(["--add-scram", user]);
        }
        Process::start("Kafka's storage tool", command, &self.log())
    }

    fn start(&self, flag: JvmFlag) {
        let mut command = self.java(&flag);
        command.args(["kafka.Kafka", "server.properties"]);
        let process = Process::start("a Kafka broker", command, &self.log());
        *self.process.lock().unwrap() = Some(process);
    }

    fn java(&self, flag: &JvmFlag) -> Command {
        let mut command = process::guarded("java");
        command.current_dir(&self.folder);
        // The JVM of a server that starts fast and stays small: one compiler, one collector.
        command.arg(format!("-Xmx{}m", self.options.heap_mebibytes));
        command.args(["-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.args(["-XX:-UsePerfData", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]);
        command.arg(match flag {
            JvmFlag::UseClasses => {
                format!("-XX:SharedArchiveFile={}", self.options.release.class_archive().display())
            }
            JvmFlag::RecordClasses(path) => format!("-XX:ArchiveClassesAtExit={}", path.display()),
        });
        command.args(&self.options.jvm);
        // Behind the jars: the archive holds for whatever begins with the path it was made with.
        let mut path = self.options.release.class_path();
        for folder in &self.options.classes {
            path.push_str(&format!(":{}", folder.display()));
        }
        command.args(["-cp", &path]);
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.join("broker.log")
    }

    fn log_of_the_dead(&self) -> Option<String> {
        let mut process = self.process.lock().unwrap();
        let process = process.as_mut()?;
        process.ended().map(|_| process.log_tail())
    }
}

/// Starts a broker once to write down which classes it loads, and stops it.
pub fn record_classes(release: KafkaRelease, archive: &Path) {
    let options = Options { release, ..Options::default() };
    let kafka = (0..STARTS_MAX)
        .find_map(|_| Kafka::try_start(&options, JvmFlag::RecordClasses(archive.to_owned())))
        .expect("Kafka did not start; its log is above");
    kafka.stop_broker(0);
    assert!(archive.exists(), "the JVM wrote no archive to {}", archive.display());
}

fn name(index: usize) -> String {
    format!("broker-{index}")
}

fn free_ports(options: &Options) -> Vec<Ports> {
    (0..options.brokers)
        .map(|_| Ports {
            clients: ports::free(),
            controller: ports::free(),
            slots: (0..SLOTS).map(|_| ports::free()).collect(),
            listeners: options.listeners.iter().map(|_| ports::free()).collect(),
        })
        .collect()
}

fn properties(
    options: &Options,
    folder: &Path,
    index: usize,
    ports: &[Ports],
    slots: &Slots,
) -> String {
    let mine = &ports[index];
    let at = |listener: &str, port: u16| format!("{listener}://127.0.0.1:{port}");
    let mut listeners = vec![at("CLIENTS", mine.clients)];
    let mut advertised = listeners.clone();
    let mut protocols = vec!["CLIENTS:PLAINTEXT".to_owned(), "CONTROLLER:PLAINTEXT".to_owned()];
    for (slot, port) in mine.slots.iter().enumerate() {
        listeners.push(at(&format!("SLOT{slot}"), *port));
        advertised.push(at(&format!("SLOT{slot}"), slots.port(slot, index)));
        protocols.push(format!("SLOT{slot}:PLAINTEXT"));
    }
    for ((name, protocol), port) in options.listeners.iter().zip(&mine.listeners) {
        listeners.push(at(name, *port));
        advertised.push(at(name, *port));
        protocols.push(format!("{name}:{protocol}"));
    }
    listeners.push(at("CONTROLLER", mine.controller));
    let voters = ports.iter().enumerate();
    let voters =
        voters.map(|(voter, ports)| format!("{}@127.0.0.1:{}", voter + 1, ports.controller));
    let replicas = options.brokers.to_string();
    let mut lines: BTreeMap<&str, String> = BTreeMap::from([
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", (index + 1).to_string()),
        ("controller.quorum.voters", voters.collect::<Vec<_>>().join(",")),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("inter.broker.listener.name", "CLIENTS".to_owned()),
        ("listeners", listeners.join(",")),
        ("advertised.listeners", advertised.join(",")),
        ("listener.security.protocol.map", protocols.join(",")),
        ("log.dirs", folder.join(name(index)).join("data").display().to_string()),
        ("default.replication.factor", replicas.clone()),
        ("offsets.topic.replication.factor", replicas.clone()),
        ("transaction.state.log.replication.factor", replicas.clone()),
        ("share.coordinator.state.topic.replication.factor", replicas),
    ]);
    lines.extend(FIXED.map(|(key, value)| (key, value.to_owned())));
    lines.extend(options.properties.iter().cloned());
    lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

const FIXED: [(&str, &str); 20] = [
    ("offsets.topic.num.partitions", "1"),
    ("transaction.state.log.num.partitions", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.num.partitions", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("auto.create.topics.enable", "false"),
    // Tests kill and leave members all the time: no waiting for more of them, short sessions.
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1000"),
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.session.timeout.ms", "6000"),
    ("group.consumer.min.heartbeat.interval.ms", "500"),
    ("group.consumer.heartbeat.interval.ms", "500"),
    ("broker.session.timeout.ms", "3000"),
    ("num.network.threads", "2"),
    ("num.io.threads", "2"),
    ("num.replica.fetchers", "1"),
    ("log.cleaner.enable", "false"),
    // With the default, records with an old timestamp go away even from the active segment.
    ("log.retention.ms", "-1"),
    ("num.partitions", "1"),
    ("controlled.shutdown.enable", "true"),
];
