//! What `[limits]` and `[log]` mean.
//!
//! It owns: the typed settings of memory, threads and logs, and the least memory they
//! need. It does not own: how memory is shared out (`daemon`).

use std::num::NonZeroUsize;
use std::time::Duration;

use config::ValueKind;

use super::keys::Kind;
use super::problem::Problem;
use super::reader::{Found, Reader, kind_of};

/// Below it a broker's fetch response, a frame and a part leave no room for a batch.
pub const MEMORY_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// A worker's prefetch, its frame buffers and its compressors at their smallest.
pub const MEMORY_BYTES_PER_WORKER_MIN: u64 = 4 * 1024 * 1024;
/// One part being filled, one being sent, and as much again for prefetched records.
pub const MEMORY_PARTS_MIN: u64 = 4;
/// A worker's prefetch where memory is plenty. Measured: 16 MiB are no faster and cost 7 % more
/// CPU, because what was fetched has left the caches before it is looked at; 2 MiB are slower.
pub const PREFETCH_BYTES_MAX: u64 = 4 * 1024 * 1024;
const PREFETCH_BYTES_MIN: u64 = 1024 * 1024;
/// More threads than any machine has cores; each has a queue in librdkafka.
pub const WORKERS_MAX: u64 = 1_024;
/// Each open object is a map entry and a buffer; a million of them are some 500 MB of bare entries.
pub const OPEN_OBJECTS_MAX: u64 = 1_000_000;
/// systemd's own stops are rarely longer, and a stop that is cut short loses nothing.
const DRAIN_MAX: Duration = Duration::from_secs(3_600);

/// How much of the machine may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub memory_bytes: u64,
    pub open_objects: usize,
    pub workers: NonZeroUsize,
    pub drain: Duration,
}

impl Limits {
    /// Returns what one worker's queue may hold of prefetched records: together a quarter of the
    /// memory, and never more than helps.
    pub fn prefetch_bytes_per_worker(&self) -> u64 {
        let workers = u64::try_from(self.workers.get()).unwrap_or(WORKERS_MAX);
        (self.memory_bytes / 4 / workers).clamp(PREFETCH_BYTES_MIN, PREFETCH_BYTES_MAX)
    }

    /// Returns how much of what objects no longer need is kept for the next ones, while memory is
    /// not short.
    pub fn spare_bytes(&self) -> u64 {
        self.memory_bytes / 4
    }
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    /// A filter as tracing takes it, checked.
    pub level: String,
}

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text; with priorities and without times if stderr leads to the journal.
    Auto,
    Text,
    Json,
    Journald,
}

impl LogFormat {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            "journald" => Some(Self::Journald),
            _ => None,
        }
    }
}

/// What `limits.workers` says.
#[derive(Clone, Copy, Debug)]
enum Workers {
    Cores,
    Count(NonZeroUsize),
}

/// Reads `[limits]`.
pub(super) fn limits(
    reader: &mut Reader<'_>,
    cores: NonZeroUsize,
    part_bytes: Option<u64>,
) -> Option<Limits> {
    let memory = reader.size("limits.memory");
    let open_objects = reader.count("limits.open_objects");
    let open_objects = open_objects.and_then(|found| reader.within(found, 1..=OPEN_OBJECTS_MAX));
    let workers = workers(reader);
    let drain = drain(reader);
    let (memory, workers) = (memory?, workers?);
    let fitting = usize::try_from(memory.value / MEMORY_BYTES_PER_WORKER_MIN).unwrap_or(usize::MAX);
    let workers = match workers {
        Workers::Cores => cores.min(NonZeroUsize::new(fitting).unwrap_or(NonZeroUsize::MIN)),
        Workers::Count(count) => count,
    };
    check_memory(reader, &memory, (workers, part_bytes?));
    Some(Limits {
        memory_bytes: memory.value,
        open_objects: usize::try_from(open_objects?.value).ok()?,
        workers,
        drain: drain?,
    })
}

pub(super) fn check_memory(
    reader: &mut Reader<'_>,
    memory: &Found<u64>,
    load: (NonZeroUsize, u64),
) {
    let (workers, part) = (load.0.get(), load.1);
    let of_workers = u64::try_from(workers).unwrap_or(WORKERS_MAX) * MEMORY_BYTES_PER_WORKER_MIN;
    let needed = MEMORY_BYTES_MIN.max(of_workers).max(part * MEMORY_PARTS_MIN);
    if memory.value < needed {
        reader.fault(&memory.spot, Problem::MemoryTooSmall { needed, workers, part });
    }
}

fn workers(reader: &mut Reader<'_>) -> Option<Workers> {
    let Found { spot, value } = reader.find("limits.workers")?;
    match &value.kind {
        ValueKind::String(word) if word == "cores" => Some(Workers::Cores),
        ValueKind::I64(_) => {
            let found = reader.count("limits.workers")?;
            let count = reader.within(found, 1..=WORKERS_MAX)?.value;
            usize::try_from(count).ok().and_then(NonZeroUsize::new).map(Workers::Count)
        }
        _ => {
            let found = kind_of(value);
            reader.fault(&spot, Problem::WrongType { expected: Kind::Workers.describe(), found });
            None
        }
    }
}

fn drain(reader: &mut Reader<'_>) -> Option<Duration> {
    let Found { spot, value } = reader.duration("limits.drain")?;
    if value > DRAIN_MAX {
        let (least, most) = ("1 ms".to_owned(), "1 h".to_owned());
        reader.fault(&spot, Problem::OutOfRange { least, most });
    }
    Some(value)
}

/// Reads `[log]`.
pub(super) fn log(reader: &mut Reader<'_>) -> Option<Log> {
    let format = reader.choice("log.format", LogFormat::parse);
    let level = reader.parse("log.level", parse_level);
    Some(Log { format: format?, level: level? })
}

/// Takes `info` and lists as in `info,sluice::kafka=debug`. Tracing's own parser takes any word
/// for the name of a part, so that a slip would log everything.
fn parse_level(text: &str) -> Result<String, Problem> {
    let is_level = |word: &str| ["error", "warn", "info", "debug", "trace", "off"].contains(&word);
    let is_part = |name: &str| {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"_:".contains(&byte);
        !name.is_empty() && name.bytes().all(is_name_byte)
    };
    let is_directive = |directive: &str| match directive.split_once('=') {
        Some((part, level)) => is_part(part) && is_level(level),
        None => is_level(directive),
    };
    if text.split(',').all(|directive| is_directive(directive.trim())) {
        return Ok(text.to_owned());
    }
    Err(Problem::NotALevel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_words_or_parts_with_words() {
        for good in ["info", "info,sluice::kafka=debug", "off, rdkafka=trace"] {
            assert!(parse_level(good).is_ok(), "{good}");
        }
        for bad in ["", "infoo", "INFO", "sluice=", "=info", "info,", "sluice=loud"] {
            assert!(parse_level(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prefetch_takes_a_quarter_and_never_more_than_helps() {
        let limits = |memory_mib: u64, workers| Limits {
            memory_bytes: memory_mib * 1024 * 1024,
            open_objects: 1,
            workers: NonZeroUsize::new(workers).unwrap(),
            drain: Duration::from_secs(60),
        };
        assert_eq!(limits(256, 2).prefetch_bytes_per_worker(), 4 * 1024 * 1024);
        assert_eq!(limits(256, 64).prefetch_bytes_per_worker(), 1024 * 1024);
        assert_eq!(limits(128, 16).prefetch_bytes_per_worker(), 2 * 1024 * 1024);
    }
}
