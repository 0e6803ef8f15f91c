//! The questions to Kafka: all that can be asked without joining the group.
//!
//! It owns: the client, the order of the questions, their timeout.
//! It does not own: what an answer means (`judge`, `offsets`).

mod connection;
mod grants;
mod judge;
mod offsets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::finding::{At, Question, Report};
use super::{add_config_fault, finding};
use crate::config::Settings;
use crate::daemon::connect::consumer_options;
use crate::kafka::admin::{Admin, AdminError, Member, TopicDescription};
use crate::kafka::ffi::ErrorCode;
use crate::kafka::{ConsumerError, Inquiry};
use crate::model::{GroupId, Topic, TopicPartition};
use grants::Grants;
use offsets::Known;

/// Each question; a broker that is well answers in milliseconds, one that starts in seconds.
const ASK_MAX: Duration = Duration::from_secs(15);
/// Before a question that a coordinator was not ready for.
const ASK_PAUSE: Duration = Duration::from_millis(200);

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
    let grants = Grants::of(settings);
    let client = inquiry.handle();
    let admin = Admin::new(&client, ASK_MAX);
    let id = admin.cluster_id();
    judge::cluster(&mut at, settings, (&cluster, id.as_ref()));
    judge::version(&mut at, grants, &admin.broker_setting("inter.broker.protocol.version"));
    let protocols = admin.broker_setting("group.coordinator.rebalance.protocols");
    judge::protocol(&mut at, grants, settings.kafka.protocol, &protocols);
    judge::metadata_bytes(&mut at, grants, &admin.commit_metadata_max());
    let topics = settings.kafka.topics.among(cluster.topics);
    let found = look_at_topics(at.report, settings, (&admin, &topics));
    let mut at = At { report, place: format!("group `{}`", settings.kafka.group_id) };
    let members = members(&admin, &settings.kafka.group_id);
    judge::members(&mut at, grants, &members);
    let group_right = admin.may_read_group(&settings.kafka.group_id);
    judge::rights(&mut at, grants, &admin.unreadable_topics(&topics), &group_right);
    // Whoever may not see the group finds no coordinator either, which librdkafka tells as silence.
    let is_denied = members.is_err_and(|error| error.denied().is_some());
    if let Some(cluster) = id.filter(|_| !is_denied) {
        let known = Known { grants, cluster, topics: found, start: settings.kafka.start };
        look_at_offsets(&mut at, &known, &client);
    }
    Some(topics)
}

/// Asks again while the coordinator is not ready: a broker that starts loads the group first.
fn members(admin: &Admin, group: &GroupId) -> Result<Vec<Member>, AdminError> {
    let started = Instant::now();
    loop {
        match admin.members(group) {
            Err(AdminError::Refused(code)) if is_loading(code) && started.elapsed() < ASK_MAX => {
                std::thread::sleep(ASK_PAUSE);
            }
            answer => return answer,
        }
    }
}

fn is_loading(code: ErrorCode) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    let loading =
        [Code::CoordinatorLoadInProgress, Code::CoordinatorNotAvailable, Code::NotCoordinator];
    code.known().is_some_and(|known| loading.contains(&known))
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
        judge::no_topics(report, Grants::of(settings), &settings.kafka.topics);
    }
    match admin.topics(topics) {
        Ok(answers) => judge::topics(report, Grants::of(settings), topics, answers),
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
