//! The full text of the faults that a file can have, by what they are about.

mod daemon;
mod kafka;
mod layout;
mod s3;

use super::*;

/// Where a case's lines stand: below `[kafka]` from line 2 on, or behind everything from line 6 on.
enum At {
    Kafka,
    End,
}

fn text_of(at: At, lines: &str) -> String {
    match at {
        At::Kafka => MINIMAL.replacen("[kafka]\n", &format!("[kafka]\n{lines}\n"), 1),
        At::End => format!("{MINIMAL}{lines}\n"),
    }
}

fn check(cases: Vec<(At, &str, &[&str])>) {
    for (at, lines, expected) in cases {
        let text = text_of(at, lines);
        let faults = faults_of(&Given { text: &text, ..Given::default() });
        assert_eq!(faults, expected, "{lines}");
    }
}
