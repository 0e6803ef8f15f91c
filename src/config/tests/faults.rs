//! The full text of the faults that a file can have. In `faults/*.txt` each case is some lines of a
//! file, the faults behind `> `, and an empty line.

use super::*;

/// Where a case's lines stand.
#[derive(Clone, Copy)]
enum At {
    /// Below `[kafka]`, from line 2 on.
    Kafka,
    /// Below `[s3]`, behind everything, from line 6 on.
    End,
}

fn check(at: At, cases: &str) {
    for case in cases.split("\n\n") {
        let (expected, lines): (Vec<&str>, Vec<&str>) =
            case.lines().partition(|line| line.starts_with("> "));
        let lines = lines.join("\n");
        let text = match at {
            At::Kafka => MINIMAL.replacen("[kafka]\n", &format!("[kafka]\n{lines}\n"), 1),
            At::End => format!("{MINIMAL}{lines}\n"),
        };
        let found = faults_of(&Given { text: &text, ..Given::default() });
        let found: Vec<String> = found.iter().map(|fault| format!("> {fault}")).collect();
        assert!(!expected.is_empty(), "{lines}");
        assert_eq!(found, expected, "{lines}");
    }
}

#[test]
fn what_kafka_cannot_mean() {
    check(At::Kafka, include_str!("faults/kafka.txt"));
}

#[test]
fn what_s3_cannot_mean() {
    check(At::End, include_str!("faults/s3.txt"));
}

#[test]
fn what_a_layout_cannot_mean() {
    check(At::End, include_str!("faults/layout.txt"));
}

#[test]
fn when_a_batch_cannot_be_sealed() {
    check(At::End, include_str!("faults/seal.txt"));
}

#[test]
fn what_a_process_cannot_be() {
    check(At::End, include_str!("faults/process.txt"));
}

#[test]
fn what_is_no_key_or_in_the_wrong_place() {
    check(At::End, include_str!("faults/structure.txt"));
}

/// The name of the bucket becomes a part of the host.
#[test]
fn a_bucket_with_dots_cannot_be_accelerated() {
    let text = MINIMAL.replace("user-12ab34-bucket", "user.12ab34");
    assert_ne!(text, MINIMAL);
    let text = format!("{text}acceleration = true\n");
    let faults = faults_of(&Given { text: &text, ..Given::default() });
    let expected = "connector.toml:6: `s3.acceleration` (`true`) cannot go with `s3.bucket`, since no certificate covers a bucket's name with dots: remove one of them";
    assert_eq!(faults.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}
