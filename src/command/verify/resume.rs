//! The file of `--resume`: how far each partition was compared, and what was found on the way.
//!
//! It owns: its lines, which are only added to, and which file belongs to which comparison.
//! It does not own: what is skipped because of it (`compare`).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::finding::{Finding, Tally};
use crate::model::{Offset, TopicPartition};

/// Between two lines without a finding: a million batches do not make a million lines.
const LINE_INTERVAL: Duration = Duration::from_secs(1);
pub(super) const VERSION: u32 = 1;

/// What the file is about: its first line. Another comparison cannot go on with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subject {
    /// The version of the file; also what it is known by.
    pub(super) sluice_verify: u32,
    pub(super) cluster: String,
    pub(super) group: String,
    pub(super) bucket: String,
    pub(super) deep: bool,
}

/// What is done of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) until: Offset,
    pub(super) tally: Tally,
    pub(super) findings: Vec<Finding>,
}

impl Done {
    const NOTHING: Self = Self { until: Offset::ZERO, tally: Tally::NOTHING, findings: Vec::new() };
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    partition: String,
    topic_id: String,
    until: i64,
    /// Of the whole partition so far.
    tally: Tally,
    /// Since the line before.
    findings: Vec<Finding>,
}

/// Why the file cannot be used.
#[derive(Debug, Error)]
pub(super) enum ResumeError {
    #[error("cannot use `--resume` file `{}`: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("`{}` is no file of `sluice verify --resume`: name another one", path.display())]
    Foreign { path: PathBuf },
    #[error(
        "`{}` belongs to another comparison (group `{}`, bucket `{}`, cluster `{}`, deep: {}): name \
         another file", path.display(), found.group, found.bucket, found.cluster, found.deep
    )]
    Other { path: PathBuf, found: Box<Subject> },
}

/// The file while it is written.
#[derive(Debug)]
pub(super) struct Resume {
    path: PathBuf,
    file: File,
    done: BTreeMap<String, (String, Done)>,
    topic_ids: BTreeMap<TopicPartition, String>,
    /// Done and not yet written.
    waiting: Option<Offset>,
    written: Instant,
}

impl Resume {
    /// Reads what is there, and cuts a line that was not written whole.
    pub(super) fn open(path: &Path, subject: &Subject) -> Result<Self, ResumeError> {
        let failed = |source| ResumeError::File { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(path).map_err(failed)?;
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let whole = text.rfind('\n').map_or(0, |last| last + 1);
        let mut lines = text.get(..whole).unwrap_or_default().lines();
        let mut done: BTreeMap<String, (String, Done)> = BTreeMap::new();
        match lines.next() {
            None if is_beginning(&text, subject) => {}
            None => return Err(ResumeError::Foreign { path: path.to_owned() }),
            Some(line) => check(path, line, subject)?,
        }
        for line in lines {
            let foreign = |_| ResumeError::Foreign { path: path.to_owned() };
            let line: Line = serde_json::from_str(line).map_err(foreign)?;
            let entry = done.entry(line.partition).or_insert((String::new(), Done::NOTHING));
            if entry.0 != line.topic_id {
                *entry = (line.topic_id, Done::NOTHING);
            }
            entry.1.until = Offset::new(line.until).unwrap_or(Offset::ZERO);
            entry.1.tally = line.tally;
            entry.1.findings.extend(line.findings);
        }
        file.set_len(u64::try_from(whole).unwrap_or(u64::MAX)).map_err(failed)?;
        let (path, topic_ids) = (path.to_owned(), BTreeMap::new());
        let mut resume =
            Self { path, file, done, topic_ids, waiting: None, written: Instant::now() };
        if whole == 0 {
            resume.write(subject)?;
        }
        Ok(resume)
    }

    /// Returns what is done of a partition, if it is still one of the same topic.
    pub(super) fn take(&mut self, partition: &TopicPartition, topic_id: &str) -> Option<Done> {
        self.topic_ids.insert(partition.clone(), topic_id.to_owned());
        let (of, done) = self.done.remove(&partition.to_string())?;
        (of == topic_id).then_some(done)
    }

    /// Writes down that the partition is done up to an offset: now if something was found, else
    /// with one of the next ones; without an offset, what waits.
    pub(super) fn done(
        &mut self,
        partition: &TopicPartition,
        until: Option<Offset>,
        (tally, fresh): (&Tally, &mut Vec<Finding>),
    ) -> Result<(), ResumeError> {
        self.waiting = until.or(self.waiting);
        let is_due =
            until.is_none() || !fresh.is_empty() || self.written.elapsed() >= LINE_INTERVAL;
        if !is_due {
            return Ok(());
        }
        let Some(until) = self.waiting.take() else { return Ok(()) };
        let line = Line {
            partition: partition.to_string(),
            topic_id: self.topic_ids.get(partition).cloned().unwrap_or_default(),
            until: until.value(),
            tally: tally.clone(),
            findings: std::mem::take(fresh),
        };
        self.write(&line)
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), ResumeError> {
        let failed = |source| ResumeError::File { path: self.path.clone(), source };
        let mut text = serde_json::to_string(line).map_err(|error| failed(error.into()))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(failed)?;
        self.written = Instant::now();
        Ok(())
    }
}

/// Returns whether a first line was cut, or not yet written.
fn is_beginning(text: &str, subject: &Subject) -> bool {
    serde_json::to_string(subject).is_ok_and(|line| line.starts_with(text))
}

fn check(path: &Path, line: &str, subject: &Subject) -> Result<(), ResumeError> {
    match serde_json::from_str::<Subject>(line) {
        Err(_) => Err(ResumeError::Foreign { path: path.to_owned() }),
        Ok(found) if found == *subject => Ok(()),
        Ok(found) => Err(ResumeError::Other { path: path.to_owned(), found: Box::new(found) }),
    }
}

#[cfg(test)]
mod tests;
