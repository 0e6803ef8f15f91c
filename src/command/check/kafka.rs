//! The questions to Kafka: all that can be asked without joining the group.
//!
//! It owns: the client, the order of the questions, their timeout.
//! It does not own: what an answer means (`judge`, `offsets`).

mod connection;
mod judge;
mod offsets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{At, Question, Report};
use super::{add_config_fault, finding};
use crate::config::Settings;
use crate::daemon::connect::consumer_options;
use crate::kafka::admin::{Admin, TopicDescription};
use crate::kafka::{ConsumerError, Inquiry};
use crate::model::{Topic, TopicPartition};
use offsets::Known;

/// Each question; a broker that is well answers in milliseconds, one that starts in seconds.
const ASK_MAX: Duration = Duration::from_secs(15);

/// Asks the brokers everything; returns the topics that are if they answered.
pub(super) fn look(report: &mut Report, settings: &Settings) -> Option<Vec<Topic>> {
    let servers = settings.kafka.bootstrap_servers.join(", ");
    report.asking(&format!("Kafka at {servers}"));
    let name = format!("check-{:08x}", rand::random::<u32>());
    let inquiry = match Inquiry::new(&consumer_options(settings, name)) {
        Ok(inquiry) => inquiry,
        Err(error) => {
            refused(report, &servers, &error);
            return None;
        }
    };
    let mut at = At { report, place: servers };
    let cluster = match inquiry.cluster(ASK_MAX) {
        Ok(cluster) => cluster,
        Err(unreached) => {
            judge::unreached(&mut at, &unreached, settings.kafka.tls.as_ref());
            return None;
        }
    };
    let client = inquiry.handle();
    let admin = Admin::new(&client, ASK_MAX);
    let id = admin.cluster_id();
    judge::cluster(&mut at, settings, (&cluster, id.as_ref()));
    judge::version(&mut at, &admin.broker_setting("inter.broker.protocol.version"));
    let protocols = admin.broker_setting("group.coordinator.rebalance.protocols");
    judge::protocol(&mut at, settings.kafka.protocol, &protocols);
    judge::metadata_bytes(&mut at, &admin.commit_metadata_max());
    let topics = settings.kafka.topics.among(cluster.topics);
    let found = look_at_topics(at.report, settings, (&admin, &topics));
    let mut at = At { report, place: format!("group `{}`", settings.kafka.group_id) };
    judge::members(&mut at, &admin.members(&settings.kafka.group_id));
    let group_right = admin.may_read_group(&settings.kafka.group_id);
    judge::rights(&mut at, &admin.unreadable_topics(&topics), &group_right);
    if let Some(cluster) = id {
        let known = Known { cluster, topics: found, start: settings.kafka.start };
        look_at_offsets(&mut at, &known, &client);
    }
    Some(topics)
}

fn refused(report: &mut Report, servers: &str, error: &ConsumerError) {
    match error {
        ConsumerError::Property { .. } | ConsumerError::Subscribe(_) => {
            add_config_fault(report, Question::Properties, error.to_string());
        }
        ConsumerError::Create(_) | ConsumerError::Thread(_) => {
            // Properties that contradict each other, or files of TLS that are none.
            let what = format!("{servers}: {error}");
            add_config_fault(report, Question::Properties, what);
        }
    }
}

fn look_at_topics(
    report: &mut Report,
    settings: &Settings,
    (admin, topics): (&Admin, &[Topic]),
) -> BTreeMap<Topic, TopicDescription> {
    if topics.is_empty() {
        judge::no_topics(report, &settings.kafka.topics);
    }
    match admin.topics(topics) {
        Ok(answers) => judge::topics(report, topics, answers),
        Err(error) => {
            judge::undescribed(report, &error);
            BTreeMap::new()
        }
    }
}

fn look_at_offsets(at: &mut At<'_>, known: &Known, client: &crate::kafka::ffi::ClientHandle) {
    let partitions: Vec<TopicPartition> = known
        .topics
        .iter()
        .flat_map(|(topic, described)| {
            let count = i32::try_from(described.partitions).unwrap_or(i32::MAX);
            (0..count).filter_map(|index| TopicPartition::new(topic.as_str(), index).ok())
        })
        .collect();
    let answer = client.client().committed(&partitions, ASK_MAX);
    offsets::offsets(at, known, &answer);
}
