//! What librdkafka is told, and what its answers are taken for.

use super::*;
use crate::model::CommitFault;
use rdkafka::types::RDKafkaConfRes;

fn options() -> ConsumerOptions {
    ConsumerOptions {
        group: GroupId::new("sluice").unwrap(),
        protocol: Protocol::Classic,
        client_name: "host-1".to_owned(),
        properties: BTreeMap::from([
            ("bootstrap.servers".to_owned(), "localhost:9092".to_owned()),
            ("isolation.level".to_owned(), "read_uncommitted".to_owned()),
        ]),
        login: Login::default(),
        prefetch_bytes: 16 << 20,
    }
}

#[test]
fn what_the_protocol_rests_on_is_not_the_users_to_set() {
    let all = properties(&options());
    for (name, value) in [
        ("isolation.level", "read_committed"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("auto.offset.reset", "error"),
        ("client.id", "sluice-host-1"),
        ("partition.assignment.strategy", "cooperative-sticky"),
    ] {
        assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[test]
fn no_secret_among_the_properties_is_ever_printed() {
    let mut options = options();
    let mut set = |name: &str, value: &str| {
        options.properties.insert(name.to_owned(), value.to_owned());
    };
    set("sasl.password", "hunter2");
    assert!(!format!("{options:?}").contains("hunter2"));
    let refused = |name: &str| {
        let refusal = (RDKafkaConfRes::RD_KAFKA_CONF_INVALID, "no".to_owned());
        let (name, value) = (name.to_owned(), "hunter2".to_owned());
        creation_error(KafkaError::ClientConfig(refusal.0, refusal.1, name, value))
    };
    for name in ["sasl.password", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.config"] {
        let error = refused(name);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{name}");
        assert_eq!(
            error.to_string(),
            format!("librdkafka refuses `kafka.properties.\"{name}\" = ***`: no")
        );
    }
    assert!(refused("client.rack").to_string().contains("\"client.rack\" = \"hunter2\""));
}

#[test]
fn kip_848_is_given_no_setting_that_it_refuses() {
    let all = properties(&ConsumerOptions { protocol: Protocol::Consumer, ..options() });
    assert_eq!(all.get("group.protocol").map(String::as_str), Some("consumer"));
    assert!(!all.contains_key("partition.assignment.strategy"));
}

#[test]
fn each_code_of_the_rules_has_its_meaning() {
    use RDKafkaErrorCode as Code;
    for (code, protocol, fault) in [
        (Code::RequestTimedOut, Protocol::Classic, CommitFault::Ambiguous),
        (Code::WaitingForCoordinator, Protocol::Classic, CommitFault::Ambiguous),
        (Code::NotCoordinator, Protocol::Consumer, CommitFault::Ambiguous),
        (Code::IllegalGeneration, Protocol::Classic, CommitFault::Freeze),
        (Code::StaleMemberEpoch, Protocol::Consumer, CommitFault::Freeze),
        (Code::UnknownMemberId, Protocol::Classic, CommitFault::Kill),
        (Code::FencedMemberEpoch, Protocol::Consumer, CommitFault::Kill),
        (Code::GroupIdNotFound, Protocol::Consumer, CommitFault::NewClient),
        (Code::TopicAuthorizationFailed, Protocol::Classic, CommitFault::Refused),
        (Code::OffsetMetadataTooLarge, Protocol::Classic, CommitFault::Refused),
        (Code::PolicyViolation, Protocol::Classic, CommitFault::Unlisted),
    ] {
        assert_eq!(commit_fault(code.into(), protocol), fault, "{code:?}");
    }
}

struct NoGroup;

impl Group for NoGroup {
    fn assigned(&self, _client: Client<'_>, _partitions: &[TopicPartition]) {}
    fn revoked(&self, _client: Client<'_>, _partitions: &[TopicPartition], _lost: bool) {}
}

/// Against the broker inside librdkafka.
#[test]
fn a_topic_that_is_not_there_is_named_with_what_to_do() {
    let mut options = options();
    options.properties.insert("test.mock.num.brokers".to_owned(), "1".to_owned());
    let consumer = GroupConsumer::new(&options, Arc::new(NoGroup)).unwrap();
    consumer.subscribe(&[Topic::new("misspelt").unwrap()]).unwrap();
    let started = Instant::now();
    let remedy = loop {
        assert!(started.elapsed() < Duration::from_secs(20), "nothing was said");
        match consumer.poll(Duration::from_millis(100)) {
            Seen::Trouble { code, text: _, remedy } if code == "UNKNOWN_TOPIC_OR_PART" => {
                break remedy;
            }
            _ => {}
        }
    };
    assert_eq!(remedy, "create the topic, or correct `kafka.topics`");
    let said = "Subscribed topic not available: misspelt: Broker: Unknown topic or partition";
    assert!(!consumer.kept.consumer.context().may_say(said, Instant::now()), "the topic was named");
}

/// What the rule is worth: its test fails without it.
#[test]
fn a_broken_rule_fails_its_test() {
    assert!(Mutant::ReadsUncommitted.fails(what_the_protocol_rests_on_is_not_the_users_to_set));
}
