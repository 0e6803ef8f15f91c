//! Each finding about Kafka, from answers that are written down here.

use rdkafka::error::RDKafkaErrorCode as Code;

use super::super::finding::{Finding, Shown};
use super::*;
use crate::config::{Protocol, Start};
use crate::engine::EmptyPlan;
use crate::kafka::admin::{AdminError, Member};
use crate::kafka::ffi::{CallError, Committed, ErrorCode};
use crate::kafka::{Heard, Unreached};
use crate::model::{ClusterId, Offset, TopicId};

/// Returns the lines that the work adds about `place`, and the exit code.
fn told(place: &str, work: impl FnOnce(&mut At<'_>)) -> (Vec<String>, u8) {
    let mut report = Report::new(Shown::Later);
    work(&mut At { report: &mut report, place: place.to_owned() });
    let lines = report.findings().iter().map(Finding::to_string).collect();
    (lines, report.exit_code())
}

fn line(place: &str, work: impl FnOnce(&mut At<'_>)) -> (String, u8) {
    let (lines, code) = told(place, work);
    (lines.join("\n"), code)
}

fn refused<T>(code: Code) -> Result<T, AdminError> {
    Err(AdminError::Refused(code.into()))
}

#[test]
fn silence_is_unreachable_and_a_wrong_password_is_not() {
    let unreached = |code, text: &str| Unreached {
        code: Code::BrokerTransportFailure.into(),
        heard: vec![
            Heard { code: Some(code), text: text.to_owned() },
            Heard { code: Some(code), text: format!("{text} (after 1ms in state CONNECT)") },
            Heard { code: Some(Code::AllBrokersDown), text: "1/1 brokers are down".to_owned() },
        ],
    };
    let judge =
        |unreached: &Unreached| line("kafka:9092", |at| judge::unreached(at, unreached, None));
    assert_eq!(
        judge(&unreached(Code::BrokerTransportFailure, "Connection refused")),
        (
            "FAIL  kafka.reach              kafka:9092: no broker answers: `_TRANSPORT` (-195), Connection refused: see that Kafka runs and listens there, and that `kafka.bootstrap_servers`, `kafka.tls` and `kafka.auth` are those of its listener"
                .to_owned(),
            69
        )
    );
    for (code, advice) in [
        (
            Code::Authentication,
            "correct `kafka.auth.username` and `kafka.auth.password`, or the user on the brokers",
        ),
        (Code::SSL, "correct `kafka.tls`, or `kafka.bootstrap_servers`"),
    ] {
        let (text, exit_code) = judge(&unreached(code, "no"));
        assert!(text.ends_with(advice), "{text}");
        assert_eq!(exit_code, 1);
    }
}

/// The words are those of librdkafka 2.12.1 against a server of OpenSSL 3.
#[test]
fn each_certificate_that_is_refused_has_its_own_advice() {
    let required = "Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required: SSL alert number 116";
    let unverified = "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified";
    let expired = "SSL handshake failed: error:0A000415:SSL routines::ssl/tls alert certificate expired: SSL alert number 45";
    for (code, text, advice) in [
        (
            Code::BrokerTransportFailure,
            required,
            "the broker asks for a client certificate: set `kafka.tls.certificate_file` and `kafka.tls.key_file`; if they are set, use one that a CA of the broker signed: another one is not sent",
        ),
        (
            Code::SSL,
            unverified,
            "the broker's certificate is not signed by a CA of `kafka.tls.ca_file`, or has expired: correct the file, or renew the broker's certificate",
        ),
        (
            Code::BrokerTransportFailure,
            expired,
            "the certificate of `kafka.tls.certificate_file` has expired: put a new one there",
        ),
    ] {
        let heard = vec![Heard { code: Some(code), text: text.to_owned() }];
        let unreached = Unreached { code: Code::BrokerTransportFailure.into(), heard };
        let (line, exit_code) = line("kafka:9092", |at| judge::unreached(at, &unreached, None));
        assert!(line.ends_with(advice), "{line}");
        assert_eq!(exit_code, 1);
    }
}

#[test]
fn a_limit_below_a_plan_is_a_finding() {
    for (setting, expected, code) in [
        (
            Ok(Some(4_096)),
            "ok    kafka.metadata_bytes     k: `offset.metadata.max.bytes` = 4096, Sluice needs 1200",
            0,
        ),
        (
            Ok(Some(1_199)),
            "FAIL  kafka.metadata_bytes     k: `offset.metadata.max.bytes` = 1199, Sluice needs 1200: raise it on every broker (Kafka's default is 4096)",
            1,
        ),
        (
            Ok(None),
            "warn  kafka.metadata_bytes     k: the brokers do not say `offset.metadata.max.bytes`: see that it is at least 1200 (Kafka's default is 4096)",
            0,
        ),
        (
            refused(Code::ClusterAuthorizationFailed),
            "warn  kafka.metadata_bytes     k: `offset.metadata.max.bytes` cannot be read, it must be 1200: the brokers answer `CLUSTER_AUTHORIZATION_FAILED` (31): grant `DescribeConfigs` on the cluster to this user, or look it up there",
            0,
        ),
    ] {
        let found = line("k", |at| judge::metadata_bytes(at, Grants::Acls, &setting));
        assert_eq!(found, (expected.to_owned(), code));
    }
}

#[test]
fn kip_848_is_asked_for_only_where_it_is_wanted() {
    let judge = |protocol, setting: Result<Option<String>, AdminError>| {
        let (text, code) = line("k", |at| judge::protocol(at, Grants::Acls, protocol, &setting));
        (text.split("  ").next().unwrap_or_default().to_owned(), code)
    };
    let list = |text: &str| Ok(Some(text.to_owned()));
    let (ok, fail, warn) = (("ok".to_owned(), 0), ("FAIL".to_owned(), 1), ("warn".to_owned(), 0));
    assert_eq!(judge(Protocol::Classic, Ok(None)), ok);
    assert_eq!(judge(Protocol::Consumer, list("classic, consumer")), ok);
    assert_eq!(judge(Protocol::Consumer, list("classic")), fail);
    assert_eq!(judge(Protocol::Consumer, Ok(None)), fail);
    assert_eq!(judge(Protocol::Consumer, refused(Code::ClusterAuthorizationFailed)), warn);
}

#[test]
fn each_topic_has_a_line() {
    let topic = |name| Topic::new(name).unwrap();
    let names = ["pin", "geo", "user", "old", "new"].map(topic);
    let described =
        |partitions, id| Ok(TopicDescription { id, partitions, leaderless: Vec::new() });
    let answers = BTreeMap::from([
        (topic("pin"), described(1, TopicId::from_u128(10))),
        (topic("geo"), Err(Code::UnknownTopicOrPartition.into())),
        (topic("user"), Err(Code::TopicAuthorizationFailed.into())),
        (topic("old"), described(3, TopicId::UNKNOWN)),
    ]);
    let mut found = BTreeMap::new();
    let (lines, code) =
        told("", |at| found = judge::topics(at.report, Grants::Acls, &names, answers));
    assert_eq!(
        lines,
        [
            "ok    kafka.topic              topic `pin`: 1 partition, topic id 0000000000000000000000000000000a",
            "FAIL  kafka.topic              topic `geo`: the brokers answer `UNKNOWN_TOPIC_OR_PART` (3): create it, correct `kafka.topics`, or grant `Describe` on it; Sluice would wait for it",
            "FAIL  kafka.topic              topic `user`: the brokers answer `TOPIC_AUTHORIZATION_FAILED` (29): grant `Describe` and `Read` on it to this user",
            "warn  kafka.topic              topic `old`: 3 partitions, and no topic id: never delete and recreate it under this group: brokers before 2.8 do not tell that",
            "FAIL  kafka.topic              topic `new`: the brokers answer `UNKNOWN_TOPIC_OR_PART` (3): create it, correct `kafka.topics`, or grant `Describe` on it; Sluice would wait for it",
        ]
    );
    assert_eq!((found.len(), code), (2, 1));
}

#[test]
fn a_consumer_that_is_not_ours_must_stop_first() {
    let member = |client_id: &str| Member {
        client_id: client_id.to_owned(),
        member_id: "m".to_owned(),
        host: "/10.0.0.7".to_owned(),
    };
    let judge = |members| line("group `g`", |at| judge::members(at, Grants::Acls, &members));
    assert_eq!(
        judge(Ok(Vec::new())).0,
        "ok    kafka.group              group `g`: nobody is in it"
    );
    assert_eq!(
        judge(Ok(vec![member("sluice-a"), member("sluice-b")])).0,
        "ok    kafka.group              group `g`: 2 members of Sluice in it, and nobody else"
    );
    assert_eq!(
        judge(Ok(vec![member("sluice-a"), member("connector-consumer-s3-0")])),
        (
            "FAIL  kafka.group              group `g`: 1 member in it that is not Sluice: `connector-consumer-s3-0` at /10.0.0.7: stop that consumer first, or choose another `kafka.group_id`: Sluice adopts no offsets while it runs"
                .to_owned(),
            1
        )
    );
    assert_eq!(
        judge(refused(Code::GroupAuthorizationFailed)),
        (
            "FAIL  kafka.group              group `g`: the brokers answer `GROUP_AUTHORIZATION_FAILED` (30): grant `Describe` and `Read` on the group to this user"
                .to_owned(),
            1
        )
    );
    assert_eq!(judge(refused(Code::CoordinatorNotAvailable)).1, 69);
}

#[test]
fn rights_that_are_missing_are_named() {
    let judge_as =
        |grants, topics, group| told("group `g`", |at| judge::rights(at, grants, &topics, &group));
    let judge = |topics, group| judge_as(Grants::Acls, topics, group);
    assert_eq!(
        judge(Ok(Vec::new()), Ok(Some(true))),
        (
            vec!["ok    kafka.rights             group `g`: this user may read the topics and the group".to_owned()],
            0
        )
    );
    let denied = vec![Topic::new("pin").unwrap(), Topic::new("geo").unwrap()];
    assert_eq!(
        judge(Ok(denied.clone()), Ok(Some(false))),
        (
            vec![
                "FAIL  kafka.rights             group `g`: this user may not read `pin`, `geo`: grant `Read` on these topics".to_owned(),
                "FAIL  kafka.rights             group `g`: this user may not read the group: grant `Read` on the group".to_owned(),
            ],
            1
        )
    );
    let (lines, _) = judge_as(Grants::Iam, Ok(denied), Ok(Some(false)));
    assert!(lines[0].ends_with("grant `kafka-cluster:ReadData` on these topics"), "{lines:?}");
    assert!(lines[1].ends_with("grant `kafka-cluster:AlterGroup` on the group"), "{lines:?}");
    assert_eq!(
        judge(Ok(Vec::new()), Ok(None)),
        (
            vec!["warn  kafka.rights             group `g`: the brokers do not say what this user may do: see that it has `Describe` and `Read` on the topics, `Describe` and `Read` on the group".to_owned()],
            0
        )
    );
}

fn known() -> Known {
    let described =
        TopicDescription { id: TopicId::from_u128(10), partitions: 4, leaderless: Vec::new() };
    Known {
        grants: Grants::Acls,
        cluster: ClusterId::new("ours").unwrap(),
        topics: BTreeMap::from([(Topic::new("pin").unwrap(), described)]),
        start: Start::Latest,
    }
}

fn committed(index: i32, offset: Option<i64>, metadata: &str) -> Committed {
    Committed {
        partition: TopicPartition::new("pin", index).unwrap(),
        offset: offset.and_then(|offset| Offset::new(offset).ok()),
        metadata: metadata.as_bytes().to_vec(),
        error: None,
    }
}

fn empty_plan(offset: i64, cluster: &str, topic_id: u128) -> String {
    EmptyPlan {
        offset: Offset::new(offset).unwrap(),
        cluster: ClusterId::new(cluster).unwrap(),
        topic_id: TopicId::from_u128(topic_id),
        pin: false,
    }
    .encode()
}

fn offsets(answer: Result<Vec<Committed>, CallError>) -> (Vec<String>, u8) {
    told("group `g`", |at| offsets::offsets(at, &known(), &answer))
}

#[test]
fn commits_are_counted_by_whose_they_are() {
    let answer = vec![committed(0, Some(7), &empty_plan(7, "ours", 10)), committed(1, None, "")];
    assert_eq!(
        offsets(Ok(answer)),
        (
            vec!["ok    kafka.offsets            group `g`, topic `pin`: 1 commit of Sluice, 0 of them with a plan to finish; without a commit: 1 (`kafka.start` = \"latest\")".to_owned()],
            0
        )
    );
    let foreign = vec![committed(0, Some(7), ""), committed(1, Some(8), "connect")];
    let (lines, code) = offsets(Ok(foreign));
    assert_eq!(
        lines[0],
        "warn  kafka.offsets            group `g`, topic `pin`: 2 commits of another consumer: Sluice takes over there; stop that consumer for good"
    );
    assert_eq!((lines.len(), code), (2, 0));
}

#[test]
fn commits_that_stop_a_partition_are_findings() {
    for (metadata, why) in [
        (empty_plan(7, "theirs", 10), "written for cluster `theirs`, this is `ours`"),
        (
            empty_plan(7, "ours", 11),
            "written for topic id 0000000000000000000000000000000b, the topic was created anew",
        ),
        (empty_plan(6, "ours", 10), "written for another offset"),
        ("sluice/1 neither".to_owned(), "kind `neither` is neither `plan` nor `none`"),
    ] {
        let (lines, code) = offsets(Ok(vec![committed(2, Some(7), &metadata)]));
        assert_eq!(
            lines,
            [format!(
                "FAIL  kafka.offsets            group `g`, topic `pin`: 1 commit cannot be continued: partition 2 at 7: {why}: Sluice stops these partitions; go on under another `kafka.group_id` and a `layout.prefix` that is not used yet"
            )]
        );
        assert_eq!(code, 1);
    }
}

#[test]
fn a_group_that_may_not_be_read_is_a_finding() {
    let code: ErrorCode = Code::GroupAuthorizationFailed.into();
    let whole = offsets(Err(CallError::Call(code)));
    assert_eq!(
        whole,
        (
            vec!["FAIL  kafka.offsets            group `g`: the client refuses the call: `GROUP_AUTHORIZATION_FAILED` (30): grant `Describe` and `Read` on the group to this user".to_owned()],
            1
        )
    );
    let of_topic =
        Committed { error: Some(Code::TopicAuthorizationFailed.into()), ..committed(0, None, "") };
    assert_eq!(
        offsets(Ok(vec![of_topic])).0,
        [
            "FAIL  kafka.offsets            group `g`, topic `pin`: its commits cannot be read: `TOPIC_AUTHORIZATION_FAILED` (29): grant `Describe` and `Read` on the topics to this user"
        ]
    );
    assert_eq!(offsets(Err(CallError::Call(Code::WaitingForCoordinator.into()))).1, 69);
}
