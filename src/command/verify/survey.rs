//! What Kafka says before anything is compared: topics, logs, commits. Joins no group.
//!
//! It owns: the questions, and which answers are findings.
//! It does not own: reading records, the claims.

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{Finding, Kind, Report};
use crate::command::settings::say;
use crate::config::Settings;
use crate::daemon::connect::consumer_options;
use crate::engine::{Metadata, MetadataError};
use crate::kafka::admin::{Admin, Watermarks};
use crate::kafka::ffi::{ClientHandle, Committed};
use crate::kafka::{Cluster, Inquiry};
use crate::model::{BatchId, ClusterId, Offset, Topic, TopicId, TopicPartition};

/// Each question; a broker that is well answers in milliseconds, one that starts in seconds.
const ASK_MAX: Duration = Duration::from_secs(15);

/// The cluster, and those topics of it that are meant and can be asked about.
#[derive(Debug)]
pub(in crate::command) struct Survey {
    client: ClientHandle,
    pub(in crate::command) cluster: ClusterId,
    pub(in crate::command) topics: BTreeMap<Topic, TopicId>,
    pub(in crate::command) logs: BTreeMap<TopicPartition, Watermarks>,
}

/// What the group has committed of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) offset: Offset,
    pub(super) pending: Option<BatchId>,
}

/// Commits by partition; none of a partition without one.
pub(super) type Commits = BTreeMap<TopicPartition, Commit>;

impl Survey {
    /// Asks; without an answer that can be used there is a finding and no survey.
    pub(in crate::command) fn make(
        settings: &Settings,
        topics: &[Topic],
        report: &mut Report,
    ) -> Option<Self> {
        let servers = settings.kafka.bootstrap_servers.join(", ");
        say(&format!("asking Kafka at {servers} ..."));
        let inquiry = match Inquiry::new(&consumer_options(settings, client_name())) {
            Ok(inquiry) => inquiry,
            Err(error) => {
                report.add(Finding::new(Kind::Configuration, &servers, error.to_string()));
                return None;
            }
        };
        let cluster = match inquiry.cluster(ASK_MAX) {
            Ok(cluster) => cluster,
            Err(unreached) => {
                report.add(Finding::new(Kind::Unreachable, &servers, unreached.explained()));
                return None;
            }
        };
        let client = inquiry.handle();
        let admin = Admin::new(&client, ASK_MAX);
        let Some(id) = admin.cluster_id() else {
            report.add(Finding::new(Kind::Unreachable, &servers, "no broker tells a cluster id"));
            return None;
        };
        let mut survey =
            Self { client, cluster: id, topics: BTreeMap::new(), logs: BTreeMap::new() };
        survey.ask_topics(&admin, &wanted(settings, topics, cluster), report)?;
        Some(survey)
    }

    fn ask_topics(&mut self, admin: &Admin, topics: &[Topic], report: &mut Report) -> Option<()> {
        if topics.is_empty() {
            report.add(Finding::new(Kind::Topic, "cluster", "no topic is meant"));
        }
        let answers = match admin.topics(topics) {
            Ok(answers) => answers,
            Err(error) => {
                report.add(Finding::new(Kind::Unreachable, "cluster", error.to_string()));
                return None;
            }
        };
        for (topic, answer) in answers {
            let described = match answer {
                Ok(described) => described,
                Err(code) => {
                    let what = format!("the brokers answer {code}");
                    report.add(Finding::new(Kind::Topic, format!("topic `{topic}`"), what));
                    continue;
                }
            };
            self.topics.insert(topic.clone(), described.id);
            let count = i32::try_from(described.partitions).unwrap_or(i32::MAX);
            for index in 0..count {
                let Ok(partition) = TopicPartition::new(topic.as_str(), index) else { continue };
                match admin.watermarks(&partition) {
                    Ok(log) => drop(self.logs.insert(partition, log)),
                    Err(error) => {
                        let what = format!("its log cannot be asked for: {error}");
                        report.add(Finding::new(Kind::Topic, &partition, what));
                    }
                }
            }
        }
        Some(())
    }

    /// Returns what is committed at this moment; none if the coordinator does not answer.
    pub(super) fn commits(&self, report: &mut Report) -> Option<Commits> {
        let answers = self.committed(report)?;
        Some(self.read(answers, report))
    }

    /// Returns the coordinator's answer as it is.
    pub(in crate::command) fn committed(&self, report: &mut Report) -> Option<Vec<Committed>> {
        let partitions: Vec<_> = self.logs.keys().cloned().collect();
        match self.client.client().committed(&partitions, ASK_MAX) {
            Ok(answers) => Some(answers),
            Err(error) => {
                let what = format!("its commits cannot be read: {error}");
                report.add(Finding::new(Kind::Unreachable, "group", what));
                None
            }
        }
    }

    fn read(&self, answers: Vec<Committed>, report: &mut Report) -> Commits {
        let mut commits = Commits::new();
        for Committed { partition, offset, metadata, error } in answers {
            if let Some(code) = error {
                let what = format!("its commit cannot be read: {code}");
                report.add(Finding::new(Kind::Commit, &partition, what));
            }
            let Some(offset) = offset else { continue };
            let pending = match self.pending(&metadata) {
                Ok(pending) => pending,
                Err(error) => {
                    let what = format!("what is committed beside {offset} is damaged: {error}");
                    report.add(Finding::new(Kind::Commit, &partition, what));
                    None
                }
            };
            commits.insert(partition, Commit { offset, pending });
        }
        commits
    }

    fn pending(&self, metadata: &[u8]) -> Result<Option<BatchId>, MetadataError> {
        Ok(match Metadata::parse(metadata)? {
            Metadata::Foreign | Metadata::Empty(_) => None,
            Metadata::Plan(plan) => Some(plan.batch),
        })
    }
}

/// Returns a name that tells one client from the next in the brokers' logs.
pub(in crate::command) fn client_name() -> String {
    format!("verify-{:08x}", rand::random::<u32>())
}

fn wanted(settings: &Settings, topics: &[Topic], cluster: Cluster) -> Vec<Topic> {
    if topics.is_empty() { settings.kafka.topics.among(cluster.topics) } else { topics.to_vec() }
}
