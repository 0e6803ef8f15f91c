//! What changes in Kafka under a running daemon: transactions, partitions, topics, retention.

use super::support::daemon::Settings;
use super::support::kafka::topics::numbered;
use super::support::kafka::{NewRecord, Options, Outcome};
use super::support::{Kafka, kafka, s3, unique, verify};
use super::{SOON, Scene};

/// Trailing control records have offsets and are never delivered.
#[test]
fn aborted_records_are_not_written_and_control_records_do_not_lag() {
    let scene = Scene::new("transactions", 2).hasty();
    let daemon = scene.settings.start();
    let send = |numbers, outcome| {
        kafka().produce_in_transaction(&scene.topic, &numbered(numbers, 2), outcome);
    };
    send(0..4, Outcome::Commit);
    send(4..8, Outcome::Abort);
    scene.until_written(&daemon);
    send(8..12, Outcome::Abort);
    send(12..16, Outcome::Commit);
    scene.until_written(&daemon);
    send(16..20, Outcome::Abort);
    send(20..24, Outcome::Abort);
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    // And after a restart, with nothing but a marker to read.
    let daemon = scene.settings.start();
    send(24..26, Outcome::Abort);
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    scene.check_default_layout();
    assert_eq!(verify::count_lines(s3(), &scene.bucket, "topics/"), 8);
}

#[test]
fn new_partitions_are_picked_up_while_running() {
    let scene = Scene::new("growing", 1)
        .hasty()
        .set("kafka.properties.\"topic.metadata.refresh.interval.ms\"", "500");
    let daemon = scene.settings.start();
    scene.produce(&numbered(0..3, 1));
    scene.until_written(&daemon);
    kafka().add_partitions(&scene.topic, 3);
    // A producer of its own: the shared one does not know the new partitions yet.
    kafka().produce_in_transaction(&scene.topic, &numbered(3..12, 3), Outcome::Commit);
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    scene.check_default_layout();
}

/// The list of topics is asked for every 30 seconds.
#[test]
fn new_topics_that_match_the_pattern_are_picked_up_while_running() {
    let (name, group, bucket) = (unique("pattern"), unique("group"), s3().bucket("pattern"));
    let topics = ["a", "b", "other"].map(|end| format!("{name}.{end}"));
    kafka().create_topic(&topics[0], 1);
    kafka().create_topic(&topics[2], 1);
    let settings = Settings::between(kafka(), s3(), &group, &bucket)
        .set("kafka.topics_regex", &format!("'{name}\\.[ab]'"))
        .set("seal.age", "\"200 ms\"");
    let daemon = settings.start();
    for topic in [&topics[0], &topics[2]] {
        kafka().produce(topic, &numbered(0..3, 1));
    }
    kafka().create_topic(&topics[1], 1);
    kafka().produce(&topics[1], &numbered(0..3, 1));
    for topic in &topics[..2] {
        let written = || (kafka().lag(&group, topic) == 0).then_some(());
        daemon.wait_until("both topics to be written", 2 * SOON, written);
        verify::check_default_layout(kafka(), topic, s3(), &bucket);
    }
    daemon.stop_cleanly();
    assert!(s3().list(&bucket, &format!("topics/{}", topics[2])).is_empty());
}

/// It is no fault: a producer that starts later may create it.
#[test]
fn a_topic_that_does_not_exist_yet_is_waited_for() {
    let scene = Scene::new("there", 1).hasty();
    let later = unique("later");
    let settings = scene
        .settings
        .clone()
        .topics(&[&scene.topic, &later])
        .set("kafka.properties.\"topic.metadata.refresh.interval.ms\"", "500");
    scene.produce(&numbered(0..3, 1));
    let daemon = settings.start();
    scene.until_written(&daemon);
    kafka().create_topic(&later, 1);
    kafka().produce(&later, &numbered(0..3, 1));
    daemon.wait_until("the new topic to be written", SOON, || {
        (kafka().lag(&scene.group, &later) == 0).then_some(())
    });
    daemon.stop_cleanly();
    verify::check_default_layout(kafka(), &later, s3(), &scene.bucket);
    scene.check_default_layout();
}

/// Each broker leads partitions, and one of them the group; each is killed once.
#[test]
fn leaders_that_move_are_followed() {
    let own = Kafka::start(Options { brokers: 3, ..Options::default() });
    let bucket = s3().bucket("leaders");
    own.create_topic("leaders", 6);
    let settings = Settings::between(&own, s3(), "group", &bucket)
        .topics(&["leaders"])
        .set("seal.age", "\"200 ms\"");
    let daemon = settings.start();
    for broker in 0..3 {
        let send = |round: usize| {
            let first = (2 * broker + round) * 60;
            own.produce("leaders", &numbered(first..first + 60, 6));
        };
        let written = || (own.lag("group", "leaders") == 0).then_some(());
        send(0);
        own.kill_9_broker(broker);
        send(1);
        daemon.wait_until("records to be written without a broker", 2 * SOON, written);
        own.restart();
    }
    daemon.stop_cleanly();
    verify::check_default_layout(&own, "leaders", s3(), &bucket);
    verify::check_commits(&own, "group", "leaders");
}

/// Old offsets mean nothing in a new topic of the same name: by its id, or because the old
/// position lies behind its end, whichever is seen first.
#[test]
fn a_topic_created_anew_stops_its_partitions() {
    let scene = Scene::new("recreated", 1).hasty();
    let other = unique("untouched");
    kafka().create_topic(&other, 1);
    let scene = Scene { settings: scene.settings.clone().topics(&[&scene.topic, &other]), ..scene };
    let daemon = scene.settings.start();
    scene.produce(&numbered(0..5, 1));
    scene.until_written(&daemon);
    kafka().delete_topic(&scene.topic);
    kafka().create_topic(&scene.topic, 1);
    daemon.wait_until("the partition to stop", 2 * SOON, || {
        let stops = |reason: &str| {
            let labels = [scene.topic.as_str(), &format!("reason=\"{reason}\"")];
            daemon.metric("sluice_partition_stopped", &labels)
        };
        (stops("topic_recreated") + stops("ahead_of_log") > 0.0).then_some(())
    });
    // Behind the old position too: nothing of the new topic is written, now or after a restart.
    kafka().produce_in_transaction(&scene.topic, &numbered(100..110, 1), Outcome::Commit);
    kafka().produce(&other, &numbered(0..5, 1));
    daemon.wait_until("the other topic to go on", SOON, || {
        (kafka().lag(&scene.group, &other) == 0).then_some(())
    });
    daemon.stop_cleanly();
    let daemon = scene.settings.start();
    scene.until_stopped(&daemon, 0, "topic_recreated");
    daemon.stop_cleanly();
    let key = format!("topics/{0}/partition=0/{0}+0+0000000000.json", scene.topic);
    let first = "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n";
    let texts = scene.texts().into_iter();
    let texts: Vec<_> = texts.filter(|(key, _)| key.contains(&scene.topic)).collect();
    assert_eq!(texts, [(key, first.to_owned())]);
}

/// A scene whose group stands at 3 of partition 0, while the log begins at 7 and ends at 10.
fn with_lost_records(policy: &str) -> Scene {
    let scene = Scene::new("lost", 2).hasty().set("kafka.on_lost_records", &format!("{policy:?}"));
    let daemon = scene.settings.start();
    scene.produce(&numbered(0..3, 1));
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    scene.produce(&numbered(3..10, 1));
    kafka().delete_records(&scene.topic, 0, 7);
    scene
}

#[test]
fn records_deleted_before_they_were_read_stop_the_partition() {
    let scene = with_lost_records("stop");
    let daemon = scene.settings.start();
    scene.until_stopped(&daemon, 0, "lost_records");
    scene.produce(&[NewRecord::of("1").on_partition(1)]);
    daemon.wait_until("the other partition to go on", SOON, || {
        (kafka().committed(&scene.group, &scene.topic)[1].offset == Some(1)).then_some(())
    });
    daemon.stop_cleanly();
    assert_eq!(kafka().committed(&scene.group, &scene.topic)[0].offset, Some(3));
    assert_eq!(verify::count_lines(s3(), &scene.bucket, "topics/"), 4);
}

#[test]
fn records_deleted_before_they_were_read_can_be_skipped() {
    let scene = with_lost_records("skip");
    let daemon = scene.settings.start();
    scene.until_written(&daemon);
    daemon.stop_cleanly();
    let key = |start: i64| format!("topics/{0}/partition=0/{0}+0+{start:010}.json", scene.topic);
    let texts = scene.texts();
    assert_eq!(texts.keys().collect::<Vec<_>>(), [&key(0), &key(7)]);
    assert_eq!(texts[&key(7)], "{\"n\":7}\n{\"n\":8}\n{\"n\":9}\n");
}
