//! The sources read again while the daemon runs.
//!
//! It owns: which keys have changed, and the settings that follow: what can change from the new
//! file, the rest from what runs. It does not own: carrying them out (`daemon`).

use std::fmt;
use std::sync::Arc;

use super::fault::{Report, Spot};
use super::process::check_memory;
use super::reader::Reader;
use super::tree::Tree;
use super::unknown::OVERRIDE;
use super::{Faults, Settings, Sources, Warning, keys, load, settings};

/// What runs, to compare a file with.
pub struct Running {
    tree: Tree,
    settings: Arc<Settings>,
}

/// Values may be secrets.
impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Running").finish_non_exhaustive()
    }
}

/// What a file that was read again means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// What is to hold from now on.
    pub settings: Arc<Settings>,
    pub warnings: Vec<Warning>,
    /// The keys whose values are others now.
    pub changed: Vec<&'static str>,
    /// The keys whose new values only a restart can take.
    pub left: Vec<&'static str>,
}

impl Running {
    /// Begins with `settings`, which came of `sources`.
    pub fn new(sources: &Sources<'_>, settings: Arc<Settings>) -> Self {
        Self { tree: Tree::read(sources, &mut Report::default()), settings }
    }

    /// Reads the sources again. Any fault in them, or between what they say and what is left as it
    /// was, leaves everything as it was.
    pub fn reload(&mut self, sources: &Sources<'_>) -> Result<Reloaded, Faults> {
        let warnings = load(sources)?.warnings;
        let mut report = Report::default();
        let mut tree = Tree::read(sources, &mut report);
        let (mut changed, mut left) = (Vec::new(), Vec::new());
        let live = keys::all().map(|key| (key.path, key.is_live()));
        for (path, is_live) in live.chain([(OVERRIDE, true)]) {
            let kind = |tree: &Tree| tree.get(path).map(|value| value.kind.clone());
            if kind(&self.tree) == kind(&tree) {
                continue;
            }
            if is_live {
                changed.push(path);
            } else {
                left.push(path);
                tree.set(path, self.tree.get(path).cloned());
            }
        }
        let mut reader = Reader::new(&tree, &mut report);
        let settings = settings(&mut reader, sources);
        let workers = self.settings.limits.workers; // those that run; the file's may follow from the memory
        if let Some((settings, memory)) = settings.as_ref().zip(reader.size("limits.memory")) {
            check_memory(&mut reader, &memory, (workers, settings.s3.part_bytes));
        }
        let spot = Spot { place: tree.place(""), key: String::new(), value: None };
        let (mut settings, _) = report.finish(settings, spot)?;
        settings.limits.workers = workers;
        let settings = Arc::new(settings);
        (self.tree, self.settings) = (tree, Arc::clone(&settings));
        Ok(Reloaded { settings, warnings, changed, left })
    }
}
