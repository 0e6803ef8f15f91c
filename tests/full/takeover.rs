//! The page "from MSK Connect to Sluice": what it says of the offsets, done with the real Kafka.
//!
//! It owns: the seam between the connector's last object and Sluice's first, in its group and in
//! another one.
//! It does not own: the connector itself, which does not run here: its objects are put and its
//! offsets are committed as it would have. The page's keys (`shipped_files.rs`).

use std::time::Duration;

use crate::support::daemon::Settings;
use crate::support::kafka::topics::numbered;
use crate::support::{full_set, kafka, report, s3, scratch, unique};

const PAGE: &str = include_str!("../../packaging/MSK-CONNECT.md");
const DONE_IN: Duration = Duration::from_secs(60);
const PARTITIONS: usize = 3;
/// Of each partition: in an object of the connector's, and behind it.
const UPLOADED: usize = 10;

/// A topic, half of which the connector has uploaded as files of five records; its group.
fn left_by_the_connector(bucket: &str) -> (String, String) {
    let (topic, group) = (unique("12ab34.pin"), unique("connect-12ab34-s3-connector"));
    kafka().create_topic(&topic, PARTITIONS);
    kafka().produce(&topic, &numbered(0..2 * UPLOADED * PARTITIONS, PARTITIONS));
    let records = kafka().read_topic(&topic);
    for partition in 0..i32::try_from(PARTITIONS).unwrap() {
        for start in [0, UPLOADED / 2] {
            let of_file = start..start + UPLOADED / 2;
            let of_file = records.iter().filter(|record| {
                let offset = usize::try_from(record.offset).unwrap();
                record.partition == partition && of_file.contains(&offset)
            });
            let lines: Vec<&[u8]> =
                of_file.map(|record| record.value.as_deref().unwrap()).collect();
            assert_eq!(lines.len(), UPLOADED / 2);
            let key = format!(
                "topics/{topic}/partition={partition}/{topic}+{partition}+{start:010}.json"
            );
            s3().put(bucket, &key, &[lines.join(&b'\n'), b"\n".to_vec()].concat());
        }
        let committed = i64::try_from(UPLOADED).unwrap();
        kafka().commit_as_stranger(&group, &topic, partition, (committed, ""));
    }
    (topic, group)
}

/// Runs Sluice to the end of the topic, and has `sluice verify` judge both halves.
fn go_on(topic: &str, group: &str, bucket: &str) {
    let settings = Settings::between(kafka(), s3(), group, bucket).topics(&[topic]);
    let daemon = settings.set("seal.age", "\"1 s\"");
    let running = daemon.start();
    running.wait_until("a lag of 0", DONE_IN, || (kafka().lag(group, topic) == 0).then_some(()));
    running.stop_cleanly();
    for partition in 0..PARTITIONS {
        let keys = s3().list(bucket, &format!("topics/{topic}/partition={partition}/"));
        let start = |key: &String| key.rsplit_once('+').map(|(_before, name)| name.to_owned());
        let starts: Vec<String> = keys.iter().filter_map(start).take(3).collect();
        let expected = [0, UPLOADED / 2, UPLOADED].map(|start| format!("{start:010}.json"));
        assert_eq!(starts, expected, "the third is Sluice's first");
    }
    let verified = daemon.command("verify", &["--deep"]);
    let said = String::from_utf8(verified.stdout).unwrap();
    assert_eq!(verified.status.code(), Some(0), "{said}");
}

#[test]
fn sluice_goes_on_where_the_connector_stopped() {
    if !full_set("sluice_goes_on_where_the_connector_stopped") {
        return;
    }
    let bucket = s3().bucket("takeover");
    let (topic, group) = left_by_the_connector(&bucket);
    go_on(&topic, &group, &bucket);
    report("take-over: the connector's group, first key at its committed offset, verified");
}

/// By Kafka's own tool, with the arguments of the page.
#[test]
fn offsets_are_carried_into_another_group_as_the_page_says() {
    if !full_set("offsets_are_carried_into_another_group_as_the_page_says") {
        return;
    }
    let bucket = s3().bucket("takeover");
    let (topic, group) = left_by_the_connector(&bucket);
    let folder = scratch::folder("offsets");
    let file = folder.path().join("offsets.csv").to_str().unwrap().to_owned();
    let page = PAGE.replace("\\\n", "");
    let commands: Vec<Vec<&str>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("kafka-consumer-groups.sh "))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [export, import] = commands.as_slice() else { panic!("two commands: {commands:?}") };
    let own = unique("sluice");
    let arguments = |of_page: &[&str]| -> Vec<String> {
        // Where Kafka is and how to log in there are this run's own.
        let behind = of_page.iter().skip_while(|word| **word != "--group");
        let ours = behind.take_while(|word| !word.starts_with('>')).map(|word| match *word {
            "connect-12ab34-s3-connector" => group.clone(),
            "sluice" => own.clone(),
            "offsets.csv" => file.clone(),
            other => other.to_owned(),
        });
        ours.collect()
    };
    let run = |of_page: &[&str]| {
        let arguments = arguments(of_page);
        kafka().consumer_groups(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // What it warns of goes to the other stream, which the page leaves on the screen.
    let exported = run(export);
    let is_offset = |line: &&str| line.trim_start_matches('"').starts_with(&topic);
    let exported: Vec<&str> = exported.lines().filter(is_offset).collect();
    assert_eq!(exported.len(), PARTITIONS, "{exported:?}");
    std::fs::write(&file, exported.join("\n") + "\n").unwrap();
    run(import);
    let committed = kafka().committed(&own, &topic);
    let offsets: Vec<Option<i64>> = committed.iter().map(|one| one.offset).collect();
    assert_eq!(offsets, [Some(i64::try_from(UPLOADED).unwrap()); PARTITIONS]);
    go_on(&topic, &own, &bucket);
    report("take-over: offsets carried into a group of Sluice's own, verified");
}
