//! What `verify` has to say: one line per finding, with what it means and what to do.
//!
//! It owns: every kind of finding, its meaning and its advice, the form of a line, how many are
//! kept.
//! It does not own: any judgement, exit codes (`verdict`).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::command::progress;
use crate::command::settings::print;
use crate::command::verdict::{Verdict, exit_code};
use crate::model::Offset;

/// So many of each kind are shown and kept, the rest is counted: a reader needs the first, and a
/// prefix may hold a million strangers.
const KEPT_MAX: u64 = 100;

/// What was found. The names are for machines too: they stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Configuration,
    Unreachable,
    Topic,
    Commit,
    MissingRecords,
    MissingObject,
    MovedObject,
    Copy,
    Unexplained,
    Overlap,
    WrongCount,
    Differs,
    Damaged,
    Disagrees,
    Unreadable,
    Changed,
    NotOurs,
    OtherGroup,
    OtherTopic,
    BadMetadata,
    Uncounted,
    Dropped,
}

/// The longest name of a kind, so that lines stand in columns.
const KIND_CHARS: usize = "missing_records".len();

impl Kind {
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self::Configuration => Verdict::Config,
            Self::Unreachable => Verdict::Unreachable,
            Self::Dropped | Self::Uncounted => Verdict::Warn,
            Self::Topic
            | Self::Commit
            | Self::MissingRecords
            | Self::MissingObject
            | Self::MovedObject
            | Self::Copy
            | Self::Unexplained
            | Self::Overlap
            | Self::WrongCount
            | Self::Differs
            | Self::Damaged
            | Self::Disagrees
            | Self::Unreadable
            | Self::Changed
            | Self::NotOurs
            | Self::OtherGroup
            | Self::OtherTopic
            | Self::BadMetadata => Verdict::Fail,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Unreachable => "unreachable",
            Self::Topic => "topic",
            Self::Commit => "commit",
            Self::MissingRecords => "missing_records",
            Self::MissingObject => "missing_object",
            Self::MovedObject => "moved_object",
            Self::Copy => "copy",
            Self::Unexplained => "unexplained",
            Self::Overlap => "overlap",
            Self::WrongCount => "wrong_count",
            Self::Differs => "differs",
            Self::Damaged => "damaged",
            Self::Disagrees => "disagrees",
            Self::Unreadable => "unreadable",
            Self::Changed => "changed",
            Self::NotOurs => "not_ours",
            Self::OtherGroup => "other_group",
            Self::OtherTopic => "other_topic",
            Self::BadMetadata => "bad_metadata",
            Self::Uncounted => "uncounted",
            Self::Dropped => "dropped",
        }
    }

    /// Returns what it means and what to do.
    fn advice(self) -> (&'static str, &'static str) {
        match self {
            Self::Configuration => ("nothing was compared", "correct it and run again"),
            Self::Unreachable => {
                ("the rest was not compared", "run again, with the same `--resume` to go on here")
            }
            Self::Topic => (
                "its partitions were not compared",
                "correct `kafka.topics`, or grant `Read` and `Describe` on it to this user",
            ),
            Self::Commit => (
                "nobody can say up to where the bucket should be complete",
                "see that `kafka.group_id` is the daemon's, and what its log says",
            ),
            Self::MissingRecords => (
                "they were committed as written, and an object was deleted or moved",
                "look for it in the bucket's versions or a backup; if a former layout wrote it \
                 elsewhere, add `--prefix`",
            ),
            Self::MissingObject => (
                "it was deleted after it had been committed as written",
                "restore it from the bucket's versions or a backup",
            ),
            Self::MovedObject => (
                "somebody renamed it, so that whoever finishes its plan again would write it twice",
                "move it back",
            ),
            Self::Copy => ("readers of the prefix read its records twice", "delete the copy"),
            Self::Unexplained => (
                "readers of the prefix read records twice that other objects hold",
                "compare it with the objects around it, then move it away",
            ),
            Self::Overlap => (
                "the records in both are there twice: offsets were set back, or two daemons wrote",
                "keep one of the two, and see the daemon's log of that time",
            ),
            Self::WrongCount => (
                "it was changed, or an object behind it is missing",
                "restore it from the bucket's versions or a backup",
            ),
            Self::Differs => (
                "it was changed after it had been written, or another layout wrote it",
                "restore it from the bucket's versions or a backup",
            ),
            Self::Damaged => (
                "it was cut or damaged after it had been written",
                "restore it from the bucket's versions or a backup",
            ),
            Self::Disagrees => (
                "an object was deleted, added or replaced, and Kafka has dropped the records that \
                 would tell which",
                "compare them with the bucket's versions or a backup",
            ),
            Self::Unreadable => {
                ("it was not compared", "grant `s3:GetObject` on it to this user, then run again")
            }
            Self::Changed => {
                ("somebody deletes or writes objects at this moment", "run again when that is over")
            }
            Self::NotOurs => (
                "another program wrote it, and readers of the prefix read it too",
                "move it to another prefix",
            ),
            Self::OtherGroup => (
                "two pipelines write below one prefix, and readers read both",
                "give each its own `layout.prefix`",
            ),
            Self::OtherTopic => (
                "the topic was deleted and created anew, or never had this partition: there is \
                 nothing to compare it with",
                "move it away if it is not wanted any more",
            ),
            Self::BadMetadata => (
                "it was changed after it had been written, or a newer release wrote it",
                "restore it from the bucket's versions, or verify with the newer release",
            ),
            Self::Uncounted => ("its records were not counted", "count them with its own reader"),
            Self::Dropped => (
                "what the objects say of themselves was compared, Kafka cannot be asked any more",
                "nothing, if that is the topic's retention; verify more often than that",
            ),
        }
    }
}

/// One finding. Never holds anything of a record's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    /// `topic/partition`, or what else it is about.
    pub(super) place: String,
    /// The offsets that it is about: from `start`, up to and without `end`.
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) key: Option<String>,
    pub(super) what: String,
}

impl Finding {
    pub(super) fn new(kind: Kind, place: impl fmt::Display, what: impl Into<String>) -> Self {
        let (place, what) = (place.to_string(), what.into());
        Self { kind, place, start: None, end: None, key: None, what }
    }

    pub(super) fn key(mut self, key: impl fmt::Display) -> Self {
        self.key = Some(key.to_string());
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
        let (meaning, advice) = kind.advice();
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
pub(super) enum Shown {
    /// Each as soon as it is found.
    Text,
    /// All at the end, as one document.
    Json,
}

/// Everything found so far.
#[derive(Debug)]
pub(super) struct Report {
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
    pub(super) fn new(shown: Shown) -> Self {
        Self { shown, counts: BTreeMap::new(), findings: Vec::new(), compared: Vec::new() }
    }

    pub(super) fn add(&mut self, finding: Finding) {
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
                    let (meaning, advice) = finding.kind.advice();
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
