//! Where log lines go and how they look.
//!
//! It owns: the choice between text, JSON and the journal, and the subscriber.
//! It does not own: what is logged, nor the option's place in the file.
//!
//! A line that cannot be written is lost without a word: a closed stderr or a full disk below it
//! must not end the daemon.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;

use thiserror::Error;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Registry, reload};

use crate::config::LogFormat;

/// Our fields in the journal: `journalctl SLUICE_TOPIC=pin`.
const JOURNAL_PREFIX: &str = "SLUICE";

/// Why there is no log.
#[derive(Debug, Error)]
pub enum LogError {
    #[error(
        "`log.level` is `{level}`, which is no level (error, warn, info, debug, trace, off) nor a \
         list of `module=level`: {source}"
    )]
    Level { level: String, source: ParseError },
    #[error("`log.format` is `journald`, but the journal cannot be reached ({0}): take `text`")]
    Journal(io::Error),
    #[error("the log was set up before: report this as a bug")]
    Twice(#[from] TryInitError),
    #[error("the log has ended: report this as a bug")]
    Ended(#[from] reload::Error),
}

/// Changes the level of a log that was started.
#[derive(Clone, Debug)]
pub struct LevelHandle(reload::Handle<EnvFilter, Registry>);

impl LevelHandle {
    /// Lets through from now on what `level` says.
    pub fn set(&self, level: &str) -> Result<(), LogError> {
        Ok(self.0.reload(filter(level)?)?)
    }
}

type Filter = reload::Layer<EnvFilter, Registry>;

/// Returns a filter for the subscriber, and what changes it later.
fn changeable(level: &str) -> Result<(Filter, LevelHandle), LogError> {
    let (filter, handle) = reload::Layer::new(filter(level)?);
    Ok((filter, LevelHandle(handle)))
}

/// Sends what the process logs from now on to where `format` says. `journal_stream` is the value
/// of `JOURNAL_STREAM`.
pub fn start(
    format: LogFormat,
    level: &str,
    journal_stream: Option<&OsStr>,
) -> Result<LevelHandle, LogError> {
    let (filter, handle) = changeable(level)?;
    match format {
        LogFormat::Json => json(filter, io::stderr).try_init()?,
        LogFormat::Journald => {
            let journal = journal().map_err(LogError::Journal)?;
            tracing_subscriber::registry().with(filter).with(journal).try_init()?;
        }
        LogFormat::Auto if leads_to_journal(journal_stream, stderr_is()) => {
            for_journal(filter, Prioritized).try_init()?;
        }
        LogFormat::Auto | LogFormat::Text => text(filter, io::stderr, colours()).try_init()?,
    }
    Ok(handle)
}

/// Returns an error if `level` is not one; what `start` would say.
pub fn check_level(level: &str) -> Result<(), LogError> {
    filter(level).map(drop)
}

/// Sends what the process logs from now on, as text, to `writer`: a way to stderr.
pub fn start_text<W>(level: &str, writer: W) -> Result<(), LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, _) = changeable(level)?;
    Ok(text(filter, writer, colours()).try_init()?)
}

/// Reads a level. A bare `debug` or `trace` is meant of Sluice: its libraries would drown it.
fn filter(level: &str) -> Result<EnvFilter, LogError> {
    let directives = match level {
        "debug" | "trace" => format!("info,sluice={level}"),
        other => other.to_owned(),
    };
    EnvFilter::builder()
        .parse(directives)
        .map_err(|source| LogError::Level { level: level.to_owned(), source })
}

fn journal() -> io::Result<tracing_journald::Layer> {
    Ok(tracing_journald::layer()?.with_field_prefix(Some(JOURNAL_PREFIX.to_owned())))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    Shown,
    Plain,
}

fn colours() -> Colours {
    if io::stderr().is_terminal() { Colours::Shown } else { Colours::Plain }
}

fn text<W>(filter: Filter, writer: W, colours: Colours) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // `log_internal_errors` prints to stderr and panics if that is closed.
    let layer = fmt::layer()
        .with_ansi(colours == Colours::Shown)
        .with_target(false)
        .log_internal_errors(false)
        .with_writer(writer);
    tracing_subscriber::registry().with(filter).with(layer)
}

/// As `text`, for a stream that the journal reads: it has times of its own.
fn for_journal<W>(filter: Filter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_target(false)
        .log_internal_errors(false)
        .with_writer(writer);
    tracing_subscriber::registry().with(filter).with(layer)
}

/// Stderr with the priority of each line in front, as the journal reads it (sd-daemon(3)). Unlike
/// its own protocol, it shows the fields of a line in plain `journalctl` too.
#[derive(Clone, Copy, Debug)]
struct Prioritized;

/// One line's way to stderr.
#[derive(Clone, Copy, Debug)]
struct PrioritizedLine(&'static [u8]);

impl<'a> MakeWriter<'a> for Prioritized {
    type Writer = PrioritizedLine;

    fn make_writer(&'a self) -> Self::Writer {
        PrioritizedLine(b"<6>")
    }

    fn make_writer_for(&'a self, about: &tracing::Metadata<'_>) -> Self::Writer {
        PrioritizedLine(match *about.level() {
            Level::ERROR => b"<3>",
            Level::WARN => b"<4>",
            Level::INFO => b"<6>",
            Level::DEBUG | Level::TRACE => b"<7>",
        })
    }
}

impl Write for PrioritizedLine {
    /// Takes whole lines: that is how the subscriber writes.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(&[self.0, line].concat())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn json<W>(filter: Filter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer =
        fmt::layer().json().flatten_event(true).log_internal_errors(false).with_writer(writer);
    tracing_subscriber::registry().with(filter).with(layer)
}

/// Device and inode of a file.
type FileId = (u64, u64);

/// `JOURNAL_STREAM` is inherited by children whose stderr leads elsewhere, so it names device and
/// inode of the stream it means (systemd.exec(5)).
fn leads_to_journal(journal_stream: Option<&OsStr>, stderr: Option<FileId>) -> bool {
    let named = journal_stream.and_then(|text| {
        let (device, inode) = text.to_str()?.split_once(':')?;
        Some((device.parse().ok()?, inode.parse().ok()?))
    });
    named.is_some() && named == stderr
}

fn stderr_is() -> Option<FileId> {
    let metadata = std::fs::metadata("/proc/self/fd/2").ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;

    use super::*;

    #[derive(Clone, Debug, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no test panics with it").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("as above").clone()).expect("UTF-8")
        }
    }

    #[derive(Debug)]
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::BrokenPipe))
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::Error::from(io::ErrorKind::BrokenPipe))
        }
    }

    #[test]
    fn text_is_plain_and_below_the_level_nothing_is_said() {
        let lines = Lines::default();
        let writer = lines.clone();
        let (filter, level) = changeable("info").expect("a level");
        with_default(text(filter, move || writer.clone(), Colours::Plain), || {
            tracing::info!(topic = "pin", "assigned\u{1b}[31m");
            tracing::debug!("not this");
            level.set("sluice=debug").expect("a level");
            tracing::debug!("but this");
            level.set("sluice=loud").expect_err("no level");
            tracing::debug!("and this");
        });
        let said = lines.text();
        assert!(said.contains("but this") && said.contains("and this"), "{said}");
        assert!(said.contains(" INFO assigned"), "{said}");
        assert!(said.contains("topic=\"pin\"") && !said.contains("not this"), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
    }

    #[test]
    fn json_has_fields_at_the_top() {
        let lines = Lines::default();
        let writer = lines.clone();
        with_default(json(changeable("info").expect("a level").0, move || writer.clone()), || {
            tracing::warn!(bytes = 7, "large");
        });
        let line: serde_json::Value = serde_json::from_str(&lines.text()).expect("JSON");
        assert_eq!((&line["message"], &line["bytes"]), (&"large".into(), &7.into()));
    }

    #[test]
    fn a_closed_stderr_does_not_panic() {
        let off = || changeable("trace").expect("a level").0;
        with_default(text(off(), || Closed, Colours::Plain), || tracing::error!("lost"));
        with_default(json(off(), || Closed), || tracing::error!("lost"));
    }

    #[test]
    fn the_journal_gets_a_priority_and_the_fields_in_each_line() {
        let lines = Lines::default();
        let writer = lines.clone();
        with_default(
            for_journal(changeable("info").expect("a level").0, move || writer.clone()),
            || {
                tracing::warn!(topic = "pin", "slow");
            },
        );
        assert_eq!(lines.text().trim(), "WARN slow topic=\"pin\"");
        with_default(for_journal(changeable("info").expect("a level").0, Prioritized), || {
            let of = |line: PrioritizedLine| String::from_utf8_lossy(line.0).into_owned();
            assert_eq!(of(Prioritized.make_writer()), "<6>");
        });
    }

    #[test]
    fn only_a_stderr_that_is_the_named_stream_is_the_journal() {
        let stderr = Some((9, 1234));
        assert!(leads_to_journal(Some(OsStr::new("9:1234")), stderr));
        let others = [None, Some("9:1235"), Some("9"), Some(""), Some("x:y")];
        for other in others {
            assert!(!leads_to_journal(other.map(OsStr::new), stderr), "{other:?}");
        }
        assert!(!leads_to_journal(Some(OsStr::new("9:1234")), None));
    }

    #[test]
    fn a_wrong_level_is_named() {
        let error = check_level("sluice=loud").expect_err("no such level").to_string();
        assert!(error.starts_with("`log.level` is `sluice=loud`, which is no level"), "{error}");
        check_level("warn,sluice=debug").expect("a list");
    }
}
