//! The configuration of a command: where the file is, what was set beside it, how faults are shown.
//!
//! It owns: `--config`, `--set`, `--log`, printing faults and warnings, which topics are meant,
//! starting the log.
//! It does not own: what keys there are (`config`).

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{self, Faults, FileText, Loaded, Reloaded, Running, Settings, Sources};
use crate::daemon::log::{self, LevelHandle};

/// The configuration has faults.
pub(super) const EXIT_CONFIG: u8 = 78;

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// The configuration file; else $SLUICE_CONFIG, /etc/sluice/connector.toml, ./connector.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Sets a key over file and environment, as `seal.age="5 s"`; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The level of the log, as `log.level`: error, warn, info, debug, trace or `module=level`
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,
}

impl Common {
    /// Returns the settings, or prints every fault and returns the exit code.
    pub(super) fn load(&self) -> Result<Settings, u8> {
        let variables = environment();
        match self.file(&variables) {
            Ok(file) => self.load_text(file.as_ref(), &variables),
            Err(faults) => Err(refuse(&faults)),
        }
    }

    /// Returns the settings with their warnings, or every fault, and prints nothing.
    pub(super) fn try_load(&self) -> Result<Loaded, Faults> {
        let variables = environment();
        let file = self.file(&variables)?;
        self.try_load_text(file.as_ref(), &variables)
    }

    /// Remembers what `settings` were read from.
    pub(super) fn running(&self, settings: &Arc<Settings>) -> Result<Running, Faults> {
        self.with_sources(|sources| Running::new(sources, Arc::clone(settings)))
    }

    /// Reads the sources again.
    pub(super) fn reload(&self, running: &mut Running) -> Result<Reloaded, Faults> {
        self.with_sources(|sources| running.reload(sources))?
    }

    fn with_sources<T>(&self, read: impl FnOnce(&Sources<'_>) -> T) -> Result<T, Faults> {
        let variables = environment();
        let file = self.file(&variables)?;
        Ok(self.sources_of(file.as_ref(), &variables, read))
    }

    fn file(&self, variables: &BTreeMap<String, String>) -> Result<Option<FileText>, Faults> {
        let path = config::find_file(self.config.as_deref(), variables);
        path.map(|path| config::read_file(&path)).transpose()
    }

    /// Returns the settings of a text that is in memory, or prints every fault.
    pub(super) fn load_text(
        &self,
        file: Option<&FileText>,
        variables: &BTreeMap<String, String>,
    ) -> Result<Settings, u8> {
        match self.try_load_text(file, variables) {
            Ok(Loaded { settings, warnings }) => {
                for warning in warnings {
                    say(&format!("warning: {warning}"));
                }
                Ok(settings)
            }
            Err(faults) => Err(refuse(&faults)),
        }
    }

    fn try_load_text(
        &self,
        file: Option<&FileText>,
        variables: &BTreeMap<String, String>,
    ) -> Result<Loaded, Faults> {
        self.sources_of(file, variables, config::load)
    }

    fn sources_of<T>(
        &self,
        file: Option<&FileText>,
        variables: &BTreeMap<String, String>,
        read: impl FnOnce(&Sources<'_>) -> T,
    ) -> T {
        let mut arguments = self.set.clone();
        if let Some(level) = &self.log {
            arguments.push(format!("log.level={level}"));
        }
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        read(&Sources { file, variables, arguments: &arguments, cores })
    }
}

/// Returns the environment; names and values that are not UTF-8 are none of ours.
pub(super) fn environment() -> BTreeMap<String, String> {
    let pairs = std::env::vars_os();
    pairs
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn refuse(faults: &impl Display) -> u8 {
    say(&faults.to_string());
    EXIT_CONFIG
}

/// Writes a line for people to stderr.
pub(super) fn say(line: &str) {
    writeln!(std::io::stderr().lock(), "{}", line.trim_end()).ok();
}

/// Writes a line of the command's own output.
pub(super) fn print(line: &str) {
    writeln!(std::io::stdout().lock(), "{}", line.trim_end()).ok();
}

/// Starts the log as the settings say; on failure prints why and returns the exit code.
pub(super) fn start_log(settings: &Settings) -> Result<LevelHandle, u8> {
    let journal = std::env::var_os("JOURNAL_STREAM");
    let config::Log { format, level } = &settings.log;
    log::start(*format, level, journal.as_deref()).map_err(|error| refuse(&error))
}
