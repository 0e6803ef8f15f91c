//! The configurations that instances are started with.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use crate::config::{self, FileText, Protocol, Settings, Sources};

/// How many there are.
pub(super) const COUNT: usize = 7;
/// With routes and no parts: what a replay in passes writes in several.
pub(super) const ROUTED_WHOLE: usize = 6;
/// Those whose keys hold `{start}` and nothing of the clock: with a lost frontier they meet
/// their own old names (rule 16).
pub(super) const NAMED_BY_START: [usize; 4] = [0, 1, 3, ROUTED_WHOLE];

/// Those whose keys hold more: what only the end of a batch or its opening gives.
pub(super) const NAMED_OTHERWISE: [usize; 2] = [2, 4];

const HEAD: &str = r#"
[kafka]
bootstrap_servers = ["localhost:9092"]
topics = ["pin"]
group_id = "group"
on_lost_records = "skip"
[s3]
endpoint = "http://simulated"
credentials = { access_key_id = "a", secret_access_key = "b" }
"#;

const FILES: [&str; COUNT] = [
    r#"bucket = "bucket"
[layout]
[seal]
age = "900 ms"
"#,
    r#"bucket = "bucket"
[layout]
path = "{topic}/partition={partition}/kind={field:/kind}"
[seal]
age = "600 ms"
records = 7
"#,
    r#"bucket = "bucket"
[layout]
path = "{topic}/{partition}/{time:%M-%S}/{field:/kind}"
time = "opened"
compression = "gzip"
[seal]
age = "2 s"
bytes = "400 B"
"#,
    r#"bucket = "other"
[layout]
path = "{topic}/partition={partition}"
[seal]
records = 3
"#,
    r#"bucket = "bucket"
[layout]
path = "{topic}/partition={partition}/kind={field:/kind}"
name = "{topic}+{partition}+{start:010}+{last:010}+{count}"
[seal]
age = "1500 ms"
bytes = "300 B"
"#,
    r#"bucket = "bucket"
[layout]
prefix = "lake"
path = "{topic}/partition={partition}"
compression = "zstd"
[seal]
age = "700 ms"
"#,
    r#"bucket = "bucket"
[layout]
path = "{topic}/partition={partition}/kind={field:/kind}"
[seal]
age = "2500 ms"
"#,
];

/// Bytes of a part: most objects have several.
const PART_BYTES: [u64; COUNT] = [1_000_000, 60, 80, 1_000_000, 70, 50, 1_000_000];

/// Returns configuration `choice`.
pub(super) fn settings(choice: usize) -> Settings {
    let body = FILES.get(choice).copied().unwrap_or_default();
    let text = format!("{HEAD}{body}");
    let file = FileText { path: Path::new("connector.toml").into(), text, mode: Some(0o600) };
    let (variables, cores) = (BTreeMap::new(), NonZeroUsize::MIN);
    let sources = Sources { file: Some(&file), variables: &variables, arguments: &[], cores };
    let loaded = config::load(&sources).expect("the files of the simulation are whole");
    let mut settings = loaded.settings;
    settings.s3.part_bytes = PART_BYTES.get(choice).copied().unwrap_or(1_000_000);
    settings.limits.drain = Duration::from_secs(5);
    settings
}

/// The same for a group of this protocol.
pub(super) fn of_protocol(settings: &Settings, protocol: Protocol) -> Settings {
    let mut settings = settings.clone();
    settings.kafka.protocol = protocol;
    settings
}
