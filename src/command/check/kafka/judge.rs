//! What the brokers' answers mean for Sluice.
//!
//! It owns: every verdict about brokers, topics and members, and its advice.
//! It does not own: questions, what is committed (`offsets`).

use std::collections::BTreeMap;

use rdkafka::error::RDKafkaErrorCode as Code;

use super::connection;
use super::finding::{At, Question, Report};
use super::grants::{Grants, Right};
use crate::config::{KafkaTls, Protocol, Settings, Topics};
use crate::engine::PLAN_BYTES_MAX;
use crate::kafka::admin::{AdminError, Member, TopicDescription};
use crate::kafka::ffi::ErrorCode;
use crate::kafka::{CLIENT_ID_PREFIX, Cluster, Unreached};
use crate::model::{ClusterId, Topic, TopicId};
use crate::s3::Claims;

/// What is shown of a list: the first ones say it, the rest are as many more lines.
pub(super) const SHOWN_MAX: usize = 3;

pub(super) fn unreached(at: &mut At<'_>, unreached: &Unreached, tls: Option<&KafkaTls>) {
    let what = unreached.explained();
    let question = Question::Brokers;
    if let Some(advice) = connection::advice(&unreached.heard, tls) {
        at.fail(question, what, &advice);
    } else {
        let advice = "see that Kafka runs and listens there, and that `kafka.bootstrap_servers`, \
            `kafka.tls` and `kafka.auth` are those of its listener";
        at.unreachable(question, what, advice);
    }
}

pub(super) fn cluster(
    at: &mut At<'_>,
    settings: &Settings,
    (cluster, id): (&Cluster, Option<&ClusterId>),
) {
    let count = count_of(cluster.brokers.len(), "broker");
    let Some(id) = id else {
        return at.fail(
            Question::Brokers,
            format!("{count}, and no cluster id"),
            "Sluice writes the id into its plans: use a Kafka that has one",
        );
    };
    match Claims::new(&settings.s3.claims_prefix, id, &settings.kafka.group_id) {
        Ok(_) => at.ok(Question::Brokers, format!("{count}, cluster id `{id}`")),
        Err(error) => at.fail(
            Question::Brokers,
            format!("the keys of claims would be none: {error}"),
            "shorten `s3.claims_prefix` or `kafka.group_id`",
        ),
    }
}

/// Kafka 4.0 dropped the setting, so that its absence is an answer too.
pub(super) fn version(
    at: &mut At<'_>,
    grants: Grants,
    setting: &Result<Option<String>, AdminError>,
) {
    let question = Question::Version;
    match setting {
        Ok(Some(version)) => at.ok(question, format!("the brokers speak version {version}")),
        Ok(None) => at.ok(question, "the brokers are Kafka 4.0 or newer"),
        Err(error) => at.warn(
            question,
            format!("the brokers' version cannot be read: {error}"),
            &grants.to_read_settings(),
        ),
    }
}

pub(super) fn protocol(
    at: &mut At<'_>,
    grants: Grants,
    protocol: Protocol,
    setting: &Result<Option<String>, AdminError>,
) {
    let question = Question::Protocol;
    let wanted = protocol.as_str();
    match (protocol, setting) {
        (Protocol::Classic, _) => {
            at.ok(question, "`kafka.protocol` = \"classic\", which every broker speaks");
        }
        (Protocol::Consumer, Ok(Some(list))) if list.split(',').any(|one| one.trim() == wanted) => {
            at.ok(question, "`kafka.protocol` = \"consumer\", and the brokers speak it");
        }
        (Protocol::Consumer, Ok(Some(list))) => at.fail(
            question,
            format!("`kafka.protocol` = \"consumer\", and the brokers speak `{list}`"),
            "set `kafka.protocol` = \"classic\", or allow it on the brokers \
             (`group.coordinator.rebalance.protocols`, Kafka 4.0 or newer)",
        ),
        (Protocol::Consumer, Ok(None)) => at.fail(
            question,
            "`kafka.protocol` = \"consumer\", which these brokers do not know",
            "set `kafka.protocol` = \"classic\": KIP-848 needs Kafka 4.0 or newer",
        ),
        (Protocol::Consumer, Err(error)) => at.warn(
            question,
            format!("whether the brokers speak \"consumer\" cannot be read: {error}"),
            &grants.to_read_settings(),
        ),
    }
}

/// The plan travels in the metadata of a commit.
pub(super) fn metadata_bytes(
    at: &mut At<'_>,
    grants: Grants,
    setting: &Result<Option<u64>, AdminError>,
) {
    let question = Question::MetadataBytes;
    let least = u64::try_from(PLAN_BYTES_MAX).unwrap_or(u64::MAX);
    match setting {
        Ok(Some(bytes)) if *bytes >= least => {
            let what = format!("`offset.metadata.max.bytes` = {bytes}, Sluice needs {least}");
            at.ok(question, what);
        }
        Ok(Some(bytes)) => at.fail(
            question,
            format!("`offset.metadata.max.bytes` = {bytes}, Sluice needs {least}"),
            "raise it on every broker (Kafka's default is 4096)",
        ),
        Ok(None) => at.warn(
            question,
            "the brokers do not say `offset.metadata.max.bytes`",
            &format!("see that it is at least {least} (Kafka's default is 4096)"),
        ),
        Err(error) => at.warn(
            question,
            format!("`offset.metadata.max.bytes` cannot be read, it must be {least}: {error}"),
            &grants.to_read_settings(),
        ),
    }
}

pub(super) fn no_topics(report: &mut Report, grants: Grants, topics: &Topics) {
    let Topics::Pattern(pattern) = topics else { return };
    let mut at = At { report, place: format!("`kafka.topics_regex` = '{}'", pattern.as_str()) };
    let right = grants.name(Right::DescribeTopic);
    at.fail(
        Question::Topic,
        "no topic matches whose name this user may see",
        &format!(
            "correct the expression (it matches whole names), create a topic, or grant {right}"
        ),
    );
}

pub(super) fn undescribed(report: &mut Report, error: &AdminError) {
    let mut at = At { report, place: "topics".to_owned() };
    let what = format!("they could not be described: {error}");
    let advice = "see the brokers' log";
    match error {
        AdminError::Refused(code) if is_silence(*code) => {
            at.unreachable(Question::Topic, what, advice);
        }
        AdminError::Refused(_) | AdminError::NotANumber { .. } => {
            at.fail(Question::Topic, what, advice);
        }
    }
}

/// Returns those that are there.
pub(super) fn topics(
    report: &mut Report,
    grants: Grants,
    meant: &[Topic],
    mut answers: BTreeMap<Topic, Result<TopicDescription, ErrorCode>>,
) -> BTreeMap<Topic, TopicDescription> {
    let mut found = BTreeMap::new();
    for topic in meant {
        let mut at = At { report: &mut *report, place: format!("topic `{topic}`") };
        let absent = Err(Code::UnknownTopicOrPartition.into());
        match answers.remove(topic).unwrap_or(absent) {
            Ok(described) => {
                describe(&mut at, &described);
                found.insert(topic.clone(), described);
            }
            Err(code) => no_topic(&mut at, grants, code),
        }
    }
    found
}

fn describe(at: &mut At<'_>, topic: &TopicDescription) {
    let what = count_of(topic.partitions, "partition");
    match topic.id == TopicId::UNKNOWN {
        false => at.ok(Question::Topic, format!("{what}, topic id {}", topic.id)),
        true => at.warn(
            Question::Topic,
            format!("{what}, and no topic id"),
            "never delete and recreate it under this group: brokers before 2.8 do not tell that",
        ),
    }
}

fn no_topic(at: &mut At<'_>, grants: Grants, code: ErrorCode) {
    let what = format!("the brokers answer {code}");
    let question = Question::Topic;
    match code.known() {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
            let right = grants.name(Right::DescribeTopic);
            let advice = format!(
                "create it, correct `kafka.topics`, or grant {right} on it; Sluice would wait for it"
            );
            at.fail(question, what, &advice);
        }
        Some(Code::TopicAuthorizationFailed) => {
            at.fail(question, what, &format!("grant {} on it to this user", grants.of_topic()));
        }
        _ if is_silence(code) => at.unreachable(question, what, "see the brokers' log"),
        _ => at.fail(question, what, "see the brokers' log"),
    }
}

/// Protocol, rule 8: nothing is taken over while the old consumer runs.
pub(super) fn members(at: &mut At<'_>, grants: Grants, answer: &Result<Vec<Member>, AdminError>) {
    let question = Question::Group;
    let members = match answer {
        Ok(members) => members,
        Err(error) => {
            return group_failed(at, grants, question, (error.to_string(), code_of(error)));
        }
    };
    let foreign: Vec<_> =
        members.iter().filter(|member| !member.client_id.starts_with(CLIENT_ID_PREFIX)).collect();
    if foreign.is_empty() {
        let what = match members.len() {
            0 => "nobody is in it".to_owned(),
            count => format!("{} of Sluice in it, and nobody else", count_of(count, "member")),
        };
        return at.ok(question, what);
    }
    let shown = foreign
        .iter()
        .take(SHOWN_MAX)
        .map(|member| format!("`{}` at {}", member.client_id, member.host));
    let what = format!(
        "{} in it that {} not Sluice: {}",
        count_of(foreign.len(), "member"),
        if foreign.len() == 1 { "is" } else { "are" },
        shown.collect::<Vec<_>>().join(", ")
    );
    at.fail(
        question,
        what,
        "stop that consumer first, or choose another `kafka.group_id`: Sluice adopts no offsets \
         while it runs",
    );
}

/// What the group's own description does not show: reading records, joining and committing.
pub(super) fn rights(
    at: &mut At<'_>,
    grants: Grants,
    topics: &Result<Vec<Topic>, AdminError>,
    group: &Result<Option<bool>, AdminError>,
) {
    let question = Question::Rights;
    let see = || {
        let (topics, group) = (grants.of_topic(), grants.of_group());
        format!("see that it has {topics} on the topics, {group} on the group")
    };
    match (topics, group) {
        (Ok(topics), Ok(group)) if !topics.is_empty() || *group == Some(false) => {
            if !topics.is_empty() {
                let names: Vec<_> = topics.iter().map(|topic| format!("`{topic}`")).collect();
                let what = format!("this user may not read {}", names.join(", "));
                let right = grants.name(Right::ReadTopic);
                at.fail(question, what, &format!("grant {right} on these topics"));
            }
            if *group == Some(false) {
                let advice = format!("grant {} on the group", grants.name(Right::ReadGroup));
                at.fail(question, "this user may not read the group", &advice);
            }
        }
        (Ok(_), Ok(Some(_))) => at.ok(question, "this user may read the topics and the group"),
        (Ok(_), Ok(None)) => {
            at.warn(question, "the brokers do not say what this user may do", &see())
        }
        (Err(error), _) | (Ok(_), Err(error)) => {
            at.warn(question, format!("what this user may do cannot be read: {error}"), &see())
        }
    }
}

fn code_of(error: &AdminError) -> Option<ErrorCode> {
    match error {
        AdminError::Refused(code) => Some(*code),
        AdminError::NotANumber { .. } => None,
    }
}

pub(super) fn group_failed(
    at: &mut At<'_>,
    grants: Grants,
    question: Question,
    (what, code): (String, Option<ErrorCode>),
) {
    match code.and_then(ErrorCode::known) {
        Some(Code::GroupAuthorizationFailed) => {
            let rights = grants.of_group();
            at.fail(question, what, &format!("grant {rights} on the group to this user"));
        }
        Some(Code::TopicAuthorizationFailed) => {
            let rights = grants.of_topic();
            at.fail(question, what, &format!("grant {rights} on the topics to this user"));
        }
        _ if code.is_some_and(is_silence) => {
            at.unreachable(question, what, "see that the group's coordinator runs");
        }
        _ => at.fail(question, what, "see the brokers' log"),
    }
}

pub(super) fn count_of(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Codes that say that nobody answered.
fn is_silence(code: ErrorCode) -> bool {
    matches!(
        code.known(),
        Some(
            Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::WaitingForCoordinator
                | Code::CoordinatorNotAvailable
                | Code::CoordinatorLoadInProgress
                | Code::NotCoordinator
        )
    )
}
