//! What `check` has to say: one line per finding, and the exit code that follows from all of them.
//!
//! It owns: the form of a line, what is printed when.
//! It does not own: any judgement, the order of exit codes (`verdict`).

use std::fmt;

use serde::Serialize;

use crate::command::settings::{print, say};
use crate::command::verdict::{Verdict, exit_code};

/// What was asked. The names are for machines too: they stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Question {
    #[serde(rename = "config.file")]
    File,
    #[serde(rename = "config.drain")]
    Drain,
    #[serde(rename = "config.properties")]
    Properties,
    #[serde(rename = "kafka.reach")]
    Brokers,
    #[serde(rename = "kafka.version")]
    Version,
    #[serde(rename = "kafka.topic")]
    Topic,
    #[serde(rename = "kafka.group")]
    Group,
    #[serde(rename = "kafka.offsets")]
    Offsets,
    #[serde(rename = "kafka.rights")]
    Rights,
    #[serde(rename = "kafka.metadata_bytes")]
    MetadataBytes,
    #[serde(rename = "kafka.protocol")]
    Protocol,
    #[serde(rename = "s3.bucket")]
    Bucket,
    #[serde(rename = "s3.absent_key")]
    AbsentKey,
    #[serde(rename = "s3.put")]
    Put,
    #[serde(rename = "s3.metadata")]
    Metadata,
    #[serde(rename = "s3.conditional_put")]
    ConditionalPut,
    #[serde(rename = "s3.if_match")]
    IfMatch,
    #[serde(rename = "s3.get")]
    Get,
    #[serde(rename = "s3.multipart")]
    Multipart,
    #[serde(rename = "s3.conditional_complete")]
    ConditionalComplete,
    #[serde(rename = "s3.list_uploads")]
    ListUploads,
    #[serde(rename = "s3.abort")]
    Abort,
    #[serde(rename = "s3.delete")]
    Delete,
    #[serde(rename = "s3.lifecycle")]
    Lifecycle,
}

impl Question {
    fn as_str(self) -> &'static str {
        match self {
            Self::File => "config.file",
            Self::Drain => "config.drain",
            Self::Properties => "config.properties",
            Self::Brokers => "kafka.reach",
            Self::Version => "kafka.version",
            Self::Topic => "kafka.topic",
            Self::Group => "kafka.group",
            Self::Offsets => "kafka.offsets",
            Self::Rights => "kafka.rights",
            Self::MetadataBytes => "kafka.metadata_bytes",
            Self::Protocol => "kafka.protocol",
            Self::Bucket => "s3.bucket",
            Self::AbsentKey => "s3.absent_key",
            Self::Put => "s3.put",
            Self::Metadata => "s3.metadata",
            Self::ConditionalPut => "s3.conditional_put",
            Self::IfMatch => "s3.if_match",
            Self::Get => "s3.get",
            Self::Multipart => "s3.multipart",
            Self::ConditionalComplete => "s3.conditional_complete",
            Self::ListUploads => "s3.list_uploads",
            Self::Abort => "s3.abort",
            Self::Delete => "s3.delete",
            Self::Lifecycle => "s3.lifecycle",
        }
    }
}

/// The longest name of a question, so that lines stand in columns.
const QUESTION_CHARS: usize = "s3.conditional_complete".len();

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub verdict: Verdict,
    pub question: Question,
    /// What it is about: a place in the file, a topic, a bucket.
    pub place: String,
    pub what: String,
    /// What to do about it; none where nothing need be done.
    pub advice: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verdict, question, place, what, advice } = self;
        let (word, question) = (verdict.word(), question.as_str());
        write!(formatter, "{word:<4}  {question:<QUESTION_CHARS$}  {place}: {what}")?;
        match advice {
            Some(advice) => write!(formatter, ": {advice}"),
            None => Ok(()),
        }
    }
}

/// How findings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Each as soon as it is found.
    Text,
    /// All at the end, by who asked for it.
    Later,
}

/// Every finding so far.
#[derive(Clone, Debug)]
pub struct Report {
    shown: Shown,
    findings: Vec<Finding>,
}

impl Report {
    pub fn new(shown: Shown) -> Self {
        Self { shown, findings: Vec::new() }
    }

    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Says what is waited for, to whoever looks.
    pub(super) fn asking(&self, whom: &str) {
        say(&format!("asking {whom} ..."));
    }

    pub(super) fn add(&mut self, finding: Finding) {
        match self.shown {
            Shown::Text => print(&finding.to_string()),
            Shown::Later => {}
        }
        self.findings.push(finding);
    }

    pub fn exit_code(&self) -> u8 {
        exit_code(self.findings.iter().map(|finding| finding.verdict))
    }

    /// Returns the last line: how many of each.
    pub fn summary(&self) -> String {
        let count = |word| {
            let words = self.findings.iter().map(|finding| finding.verdict.word());
            words.filter(|found| *found == word).count()
        };
        format!("{} ok, {} warn, {} FAIL", count("ok"), count("warn"), count("FAIL"))
    }
}

/// Findings about one thing, by how they came out.
#[derive(Debug)]
pub(super) struct At<'a> {
    pub(super) report: &'a mut Report,
    pub(super) place: String,
}

impl At<'_> {
    pub(super) fn ok(&mut self, question: Question, what: impl Into<String>) {
        self.add(Verdict::Ok, question, (what.into(), None));
    }

    pub(super) fn warn(&mut self, question: Question, what: impl Into<String>, advice: &str) {
        self.add(Verdict::Warn, question, (what.into(), Some(advice)));
    }

    pub(super) fn fail(&mut self, question: Question, what: impl Into<String>, advice: &str) {
        self.add(Verdict::Fail, question, (what.into(), Some(advice)));
    }

    pub(super) fn unreachable(&mut self, question: Question, what: String, advice: &str) {
        self.add(Verdict::Unreachable, question, (what, Some(advice)));
    }

    fn add(&mut self, verdict: Verdict, question: Question, text: (String, Option<&str>)) {
        let (what, advice) = text;
        let (place, advice) = (self.place.clone(), advice.map(str::to_owned));
        self.report.add(Finding { verdict, question, place, what, advice });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdicts: &[Verdict]) -> Report {
        let mut report = Report::new(Shown::Later);
        let mut at = At { report: &mut report, place: "bucket `b`".to_owned() };
        for verdict in verdicts {
            at.add(*verdict, Question::Put, ("it is written".to_owned(), None));
        }
        report
    }

    #[test]
    fn the_worst_finding_decides_the_exit_code() {
        use Verdict::{Config, Fail, Ok, Unreachable, Warn};
        for (verdicts, code) in [
            (&[][..], 0),
            (&[Ok, Warn, Ok], 0),
            (&[Fail, Warn], 1),
            (&[Unreachable, Fail], 69),
            (&[Unreachable, Config, Fail], 78),
        ] {
            assert_eq!(report(verdicts).exit_code(), code, "{verdicts:?}");
        }
        assert_eq!(report(&[Ok, Warn, Fail, Config]).summary(), "1 ok, 1 warn, 2 FAIL");
    }

    #[test]
    fn a_finding_is_a_line_with_what_to_do() {
        let mut report = Report::new(Shown::Later);
        let mut at = At { report: &mut report, place: "bucket `b`".to_owned() };
        at.ok(Question::Put, "it is written");
        at.fail(Question::ConditionalComplete, "it overwrites", "use another store");
        let lines: Vec<_> = report.findings().iter().map(Finding::to_string).collect();
        assert_eq!(
            lines,
            [
                "ok    s3.put                   bucket `b`: it is written",
                "FAIL  s3.conditional_complete  bucket `b`: it overwrites: use another store",
            ]
        );
    }

    #[test]
    fn machines_read_the_same_names_as_people() {
        let finding = &report(&[Verdict::Unreachable]).findings()[0].clone();
        assert_eq!(
            serde_json::to_string(finding).unwrap(),
            r#"{"verdict":"unreachable","question":"s3.put","place":"bucket `b`","what":"it is written","advice":null}"#
        );
        let complete = serde_json::to_string(&Question::ConditionalComplete).unwrap();
        assert_eq!(complete, format!("\"{}\"", Question::ConditionalComplete.as_str()));
    }
}
