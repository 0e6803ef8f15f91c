//! The kinds of findings: what each means, and what to do about it.
//!
//! It owns: their names, their verdicts, their texts.
//! It does not own: when one is found.

use serde::{Deserialize, Serialize};

use crate::command::verdict::Verdict;

/// What was found. The names are for machines too: they stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::command) enum Kind {
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
pub(super) const KIND_CHARS: usize = "missing_records".len();

impl Kind {
    pub(in crate::command) fn verdict(self) -> Verdict {
        match self {
            Self::Configuration => Verdict::Config,
            Self::Unreachable => Verdict::Unreachable,
            Self::Dropped => Verdict::Warn,
            Self::Uncounted
            | Self::Topic
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

    pub(super) fn as_str(self) -> &'static str {
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

    /// Returns what it means.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Configuration => "nothing was compared",
            Self::Unreachable => "the rest was not compared",
            Self::Topic => "its partitions were not compared",
            Self::Commit => "nobody can say up to where the bucket should be complete",
            Self::MissingRecords => {
                "they were committed as written, and an object was deleted or moved"
            }
            Self::MissingObject => "it was deleted after it had been committed as written",
            Self::MovedObject => {
                "somebody renamed it, so that whoever finishes its plan again would write it twice"
            }
            Self::Copy => "readers of the prefix read its records twice",
            Self::Unexplained => "readers of the prefix read records twice that other objects hold",
            Self::Overlap => {
                "the records in both are there twice: offsets were set back, or two daemons wrote"
            }
            Self::WrongCount => "it was changed, or an object behind it is missing",
            Self::Differs => "it was changed after it had been written, or another layout wrote it",
            Self::Damaged => "it was cut or damaged after it had been written",
            Self::Disagrees => {
                "an object was deleted, added or replaced, and Kafka has dropped the records that \
                 would tell which"
            }
            Self::Unreadable => "it was not compared",
            Self::Changed => "somebody deletes or writes objects at this moment",
            Self::NotOurs => "another program wrote it, and readers of the prefix read it too",
            Self::OtherGroup => "two pipelines write below one prefix, and readers read both",
            Self::OtherTopic => {
                "the topic was deleted and created anew, or never had this partition: there is \
                 nothing to compare it with"
            }
            Self::BadMetadata => {
                "it was changed after it had been written, or a newer release wrote it"
            }
            Self::Uncounted => "its records were not counted",
            Self::Dropped => {
                "what the objects say of themselves was compared, Kafka cannot be asked any more"
            }
        }
    }

    /// Returns what to do.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Configuration => "correct it and run again",
            Self::Unreachable => "run again, with the same `--resume` to go on here",
            Self::Topic => {
                "correct `kafka.topics`, or grant `Read` and `Describe` on it to this user"
            }
            Self::Commit => {
                "see that `kafka.group_id` is the daemon's, then what `sluice recover` says"
            }
            Self::MissingRecords => {
                "look for it in the bucket's versions or a backup; if a former layout wrote it \
                 elsewhere, add `--prefix`"
            }
            Self::MissingObject | Self::WrongCount | Self::Differs | Self::Damaged => {
                "restore it from the bucket's versions or a backup"
            }
            Self::MovedObject => "move it back",
            Self::Copy => "delete the copy",
            Self::Unexplained => "compare it with the objects around it, then move it away",
            Self::Overlap => "keep one of the two, and see the daemon's log of that time",
            Self::Disagrees => "compare them with the bucket's versions or a backup",
            Self::Unreadable => "grant `s3:GetObject` on it to this user, then run again",
            Self::Changed => "run again when that is over",
            Self::NotOurs => "move it to another prefix",
            Self::OtherGroup => "give each its own `layout.prefix`",
            Self::OtherTopic => {
                "move it away if it is not wanted any more; if partitions stopped, see \
                 `sluice recover`"
            }
            Self::BadMetadata => {
                "restore it from the bucket's versions, or verify with the newer release"
            }
            Self::Uncounted => "count them with its own reader",
            Self::Dropped => {
                "nothing, if that is the topic's retention; verify more often than that"
            }
        }
    }
}
