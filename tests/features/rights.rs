//! Rights that are missing in Kafka: that topic waits for a person, the others go on.

use super::SOON;
use super::support::daemon::Settings;
use super::support::kafka::Options;
use super::support::kafka::rights::AUTHORIZER;
use super::support::kafka::topics::numbered;
use super::support::process::Signal;
use super::support::{Daemon, Kafka, s3, verify};

const TOPICS: [&str; 2] = ["open", "denied"];

/// A cluster that knows rights, with both topics, and a daemon's settings for a new group.
fn scene() -> (Kafka, String, Settings) {
    let properties = AUTHORIZER.map(|(key, value)| (key, value.to_owned())).to_vec();
    let own = Kafka::start(Options { properties, ..Options::default() });
    let bucket = s3().bucket("rights");
    for topic in TOPICS {
        own.create_topic(topic, 2);
    }
    let settings = Settings::between(&own, s3(), "group", &bucket)
        .topics(&TOPICS)
        .set("kafka.properties.\"topic.metadata.refresh.interval.ms\"", "500")
        .set("seal.age", "\"200 ms\"");
    (own, bucket, settings)
}

#[track_caller]
fn until_written(own: &Kafka, daemon: &Daemon, topic: &str) {
    daemon.wait_until(&format!("`{topic}` to be written"), SOON, || {
        (own.lag("group", topic) == 0).then_some(())
    });
}

#[test]
fn a_topic_that_is_denied_at_the_start_is_named_and_read_once_it_is_allowed() {
    let (own, bucket, settings) = scene();
    for topic in TOPICS {
        own.produce(topic, &numbered(0..10, 2));
    }
    own.deny("denied");
    let daemon = settings.start();
    until_written(&own, &daemon, "open");
    assert_eq!(daemon.page("/healthz").map(|(status, _)| status), Some(200));
    let log = daemon.log();
    let is_warning = |line: &&str| line.contains("\"WARN\"") && line.contains("denied");
    assert!(log.lines().find(is_warning).is_some(), "nobody says which topic it is:\n{log}");
    own.allow("denied");
    until_written(&own, &daemon, "denied");
    daemon.stop_cleanly();
    for topic in TOPICS {
        verify::check_default_layout(&own, topic, s3(), &bucket);
    }
}

/// Taken away under running daemons, with a rebalance while it may not even be seen.
#[test]
fn a_topic_that_is_denied_while_running_holds_up_no_other() {
    let (own, bucket, settings) = scene();
    let first = settings.start();
    for topic in TOPICS {
        own.produce(topic, &numbered(0..10, 2));
        until_written(&own, &first, topic);
    }
    own.deny("denied");
    own.produce("open", &numbered(10..20, 2));
    until_written(&own, &first, "open");
    let second = settings.start();
    own.produce("open", &numbered(20..30, 2));
    until_written(&own, &first, "open");
    own.allow("denied");
    own.produce("denied", &numbered(10..20, 2));
    first.signal(Signal::Hangup);
    second.signal(Signal::Hangup);
    until_written(&own, &second, "denied");
    first.stop_cleanly();
    second.stop_cleanly();
    for topic in TOPICS {
        verify::check_default_layout(&own, topic, s3(), &bucket);
        verify::check_commits(&own, "group", topic);
    }
}
