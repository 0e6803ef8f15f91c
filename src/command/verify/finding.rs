//! What `verify` has to say: one line per finding, with what it means and what to do.
//!
//! It owns: the form of a line and of the document, how many findings are kept.
//! It does not own: any judgement, what a kind means (`kind`), exit codes (`verdict`).

mod kind;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::command::progress;
use crate::command::settings::print;
use crate::command::verdict::{Verdict, exit_code};
use crate::model::Offset;

use kind::KIND_CHARS;
pub(in crate::command) use kind::Kind;

/// So many of each kind are shown and kept, the rest is counted: a reader needs the first, and a
/// prefix may hold a million strangers.
const KEPT_MAX: u64 = 100;

/// One finding. Never holds anything of a record's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::command) struct Finding {
    pub(in crate::command) kind: Kind,
    /// `topic/partition`, or what else it is about.
    pub(super) place: String,
    /// The offsets that it is about: from `start`, up to and without `end`.
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) key: Option<String>,
    pub(super) what: String,
}

impl Finding {
    pub(in crate::command) fn new(
        kind: Kind,
        place: impl fmt::Display,
        what: impl Into<String>,
    ) -> Self {
        let (place, what) = (place.to_string(), what.into());
        Self { kind, place, start: None, end: None, key: None, what }
    }

    pub(super) fn key(mut self, key: impl AsRef<str>) -> Self {
        self.key = Some(key.as_ref().to_owned());
        self
    }

    pub(super) fn offsets(mut self, start: Offset, end: Offset) -> Self {
        (self.start, self.end) = (Some(start.value()), Some(end.value()));
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, place, start, end, key, what } = self;
        let (meaning, advice) = (kind.meaning(), kind.advice());
        let (word, kind) = (kind.verdict().word(), kind.as_str());
        write!(formatter, "{word:<4}  {kind:<KIND_CHARS$}  {place}")?;
        if let (Some(start), Some(end)) = (start, end) {
            write!(formatter, " [{start}, {end})")?;
        }
        if let Some(key) = key {
            write!(formatter, " `{key}`")?;
        }
        write!(formatter, ": {what}: {meaning}: {advice}")
    }
}

/// A finding as machines read it.
#[derive(Debug, Serialize)]
struct Told<'a> {
    verdict: Verdict,
    #[serde(flatten)]
    finding: &'a Finding,
    meaning: &'static str,
    advice: &'static str,
}

/// What was compared of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) batches: u64,
    pub(super) objects: u64,
    /// That the objects hold, by their plans or by reading.
    pub(super) records: u64,
    /// Offsets that Kafka has dropped, so that only the objects themselves were looked at.
    pub(super) dropped: u64,
    pub(super) findings: u64,
}

impl Tally {
    pub(super) const NOTHING: Self =
        Self { batches: 0, objects: 0, records: 0, dropped: 0, findings: 0 };
}

/// One partition, compared from `start` up to and without `end`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Compared {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) start: i64,
    pub(super) end: i64,
    #[serde(flatten)]
    pub(super) tally: Tally,
}

impl fmt::Display for Compared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, start, end, tally } = self;
        let word = if tally.findings == 0 { Verdict::Ok.word() } else { Verdict::Fail.word() };
        let Tally { batches, objects, records, findings, .. } = tally;
        write!(
            formatter,
            "{word:<4}  {:<KIND_CHARS$}  {topic}/{partition} [{start}, {end}): {records} records \
             in {objects} objects of {batches} batches, {findings} findings",
            "partition"
        )
    }
}

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) enum Shown {
    /// Each as soon as it is found.
    Text,
    /// All at the end, as one document.
    Json,
}

/// Everything found so far.
#[derive(Debug)]
pub(in crate::command) struct Report {
    shown: Shown,
    counts: BTreeMap<Kind, u64>,
    findings: Vec<Finding>,
    compared: Vec<Compared>,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    exit_code: u8,
    agrees: bool,
    /// How many of each kind, also those that are not listed.
    counts: &'a BTreeMap<Kind, u64>,
    findings: Vec<Told<'a>>,
    partitions: &'a [Compared],
}

impl Report {
    pub(in crate::command) fn new(shown: Shown) -> Self {
        Self { shown, counts: BTreeMap::new(), findings: Vec::new(), compared: Vec::new() }
    }

    pub(in crate::command) fn add(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.kind).or_default();
        *count += 1;
        if *count > KEPT_MAX {
            return;
        }
        self.line(&finding.to_string());
        if *self.counts.entry(finding.kind).or_default() == KEPT_MAX {
            self.line(&format!("... more of `{}` are only counted", finding.kind.as_str()));
        }
        self.findings.push(finding);
    }

    pub(super) fn compared(&mut self, compared: Compared) {
        self.line(&compared.to_string());
        self.compared.push(compared);
    }

    fn line(&self, line: &str) {
        match self.shown {
            Shown::Text => progress::suspended(|| print(line)),
            Shown::Json => {}
        }
    }

    /// Returns what was found, the first of each kind.
    pub(in crate::command) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> &BTreeMap<Kind, u64> {
        &self.counts
    }

    fn exit_code(&self) -> u8 {
        exit_code(self.counts.keys().map(|kind| kind.verdict()))
    }

    /// Prints the last line, or the document.
    pub(super) fn close(&self) -> u8 {
        let exit_code = self.exit_code();
        match self.shown {
            Shown::Text => print(&self.last_line()),
            Shown::Json => {
                let findings = self.findings.iter().map(|finding| {
                    let (meaning, advice) = (finding.kind.meaning(), finding.kind.advice());
                    Told { verdict: finding.kind.verdict(), finding, meaning, advice }
                });
                let (counts, partitions) = (&self.counts, self.compared.as_slice());
                let (findings, agrees) = (findings.collect(), exit_code == 0);
                let document = Document { exit_code, agrees, counts, findings, partitions };
                #[expect(clippy::expect_used, reason = "texts, numbers and lists of them")]
                let text = serde_json::to_string_pretty(&document)
                    .expect("maps of it have texts as keys, by the names of the kinds");
                print(&text);
            }
        }
        exit_code
    }

    fn last_line(&self) -> String {
        let sum = |of: fn(&Tally) -> u64| -> u64 {
            self.compared.iter().map(|compared| of(&compared.tally)).sum()
        };
        let (records, objects) = (sum(|tally| tally.records), sum(|tally| tally.objects));
        let partitions = self.compared.len();
        let by = |wanted: fn(Verdict) -> bool| -> u64 {
            let counts = self.counts.iter().filter(|(kind, _)| wanted(kind.verdict()));
            counts.map(|(_, count)| count).sum()
        };
        let fails = by(|verdict| verdict > Verdict::Warn);
        let what = format!("{records} records in {objects} objects of {partitions} partitions");
        let dropped = match sum(|tally| tally.dropped) {
            0 => String::new(),
            offsets => format!("; Kafka has dropped {offsets} of the offsets"),
        };
        match fails {
            0 => format!("bucket and topics agree: {what}{dropped}"),
            1 => format!("bucket and topics do not agree: 1 finding; {what}{dropped}"),
            fails => format!("bucket and topics do not agree: {fails} findings; {what}{dropped}"),
        }
    }
}

/// Adds what a partition's findings are to its tally too.
pub(super) fn note(report: &mut Report, tally: &mut Tally, finding: Finding) {
    if finding.kind.verdict() > Verdict::Warn {
        tally.findings += 1;
    }
    report.add(finding);
}

#[cfg(test)]
mod tests;
