//! `emulate` against librdkafka's mock cluster, and what it says.

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;

fn arguments(servers: &str, posts: u64) -> Arguments {
    Arguments {
        bootstrap_servers: Some(servers.to_owned()),
        posts: Some(posts),
        rate: 0,
        seed: 9,
        topic_prefix: "12ab34.".to_owned(),
        key: KeyChoice::Index,
    }
}

fn run_on(cluster: &MockCluster<'_, impl rdkafka::ClientContext>, posts: u64) -> Outcome {
    let arguments = arguments(&cluster.bootstrap_servers(), posts);
    let stop = AtomicBool::new(false);
    run(&arguments, &ClientSettings::default(), &stop, Display::Hidden).unwrap()
}

fn cluster() -> MockCluster<'static, rdkafka::producer::DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    for topic in topics("12ab34.").unwrap() {
        cluster.create_topic(topic.as_str(), 2, 1).unwrap();
    }
    cluster
}

#[test]
fn every_record_of_every_post_is_acknowledged() {
    let outcome = run_on(&cluster(), 1_000);
    assert_eq!(outcome.exit_code(), 0, "{outcome}");
    let counts: Vec<_> = outcome.topics.iter().map(|topic| topic.acknowledged).collect();
    assert_eq!(counts, [1_000; 3]);
    assert_eq!(
        outcome.to_string(),
        "12ab34.pin: 1000 of 1000 records acknowledged\n\
         12ab34.geo: 1000 of 1000 records acknowledged\n\
         12ab34.user: 1000 of 1000 records acknowledged\n"
    );
}

#[test]
fn a_refused_record_is_reported_with_the_exit_code_of_a_service_that_is_down() {
    let cluster = cluster();
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.request_errors(RDKafkaApiKey::Produce, &[refusal]);
    let outcome = run_on(&cluster, 10);
    assert_eq!(outcome.exit_code(), 69);
    assert_eq!(
        outcome.first_failure,
        Some(KafkaError::MessageProduction(RDKafkaErrorCode::TopicAuthorizationFailed))
    );
    assert!(outcome.to_string().contains(" failed\n"), "{outcome}");
}

#[test]
fn a_request_to_stop_ends_an_endless_run_with_everything_acknowledged() {
    let cluster = cluster();
    let mut arguments = arguments(&cluster.bootstrap_servers(), 0);
    (arguments.posts, arguments.rate) = (None, 500);
    let stop = Arc::new(AtomicBool::new(false));
    let asking = Arc::clone(&stop);
    let asker = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        asking.store(true, Ordering::Release);
    });
    let outcome = run(&arguments, &ClientSettings::default(), &stop, Display::Hidden).unwrap();
    asker.join().unwrap();
    assert!(outcome.was_stopped && outcome.is_complete(), "{outcome}");
    assert!((1..500).contains(&outcome.topics[0].sent), "{outcome}");
    assert!(outcome.to_string().starts_with("stopped on request\n"));
}

#[test]
fn a_client_that_takes_no_record_still_gives_a_summary() {
    let cluster = cluster();
    let arguments = arguments(&cluster.bootstrap_servers(), 5);
    // No post fits, so the client refuses the first one before any broker sees it.
    let properties = BTreeMap::from([("message.max.bytes".to_owned(), "1000".to_owned())]);
    let small = ClientSettings { properties, ..ClientSettings::default() };
    let mut seed = arguments.seed;
    while crate::command::posts::Post::new(seed, 0).pin.description.len() < 400 {
        seed += 1;
    }
    let arguments = Arguments { seed, ..arguments };
    let outcome = run(&arguments, &small, &AtomicBool::new(false), Display::Hidden).unwrap();
    assert_eq!(outcome.exit_code(), 69);
    assert!(outcome.to_string().contains("the first failure: Message production error"));
}

#[test]
fn the_command_line_reads_as_documented() {
    #[derive(Debug, clap::Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }
    let parse = |line: &str| {
        <Program as clap::Parser>::try_parse_from(line.split(' ')).map(|program| program.arguments)
    };
    let plain = parse("emulate").unwrap();
    assert_eq!((plain.posts, plain.rate, plain.seed), (None, 10, 1));
    assert_eq!((plain.topic_prefix.as_str(), plain.key), ("", KeyChoice::None));
    let full = "emulate --bootstrap-servers a:1,b:2 --posts 5 --rate 0 --seed 7 --key index \
                --topic-prefix 12ab34.";
    let full = parse(full).unwrap();
    assert_eq!(full.bootstrap_servers.as_deref(), Some("a:1,b:2"));
    assert_eq!((full.posts, full.rate, full.key), (Some(5), 0, KeyChoice::Index));
    assert!(parse("emulate --rate -1").is_err());
    assert!(parse("emulate --posts many").is_err());
}

#[test]
fn what_cannot_start_says_what_to_do() {
    let stop = AtomicBool::new(false);
    let run = |arguments: &Arguments| {
        run(arguments, &ClientSettings::default(), &stop, Display::Hidden).unwrap_err()
    };
    let mut nowhere = arguments("", 1);
    nowhere.bootstrap_servers = None;
    let error = run(&nowhere);
    assert_eq!(error.exit_code(), 78);
    assert_eq!(
        error.to_string(),
        "no servers are named: give `--bootstrap-servers host:port` or a configuration file"
    );
    let mut misnamed = arguments("localhost:1", 1);
    misnamed.topic_prefix = "12 ab/".to_owned();
    assert_eq!(
        run(&misnamed).to_string(),
        "`--topic-prefix` gives a topic that Kafka does not take: topic `12 ab/pin` may hold \
         letters, digits, `.`, `_` and `-` only"
    );
}
