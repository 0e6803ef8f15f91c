//! Keys below `[limits]`, `[http]` and `[log]`.
//!
//! It owns: their defaults and texts. It does not own: what they mean (`config/process.rs`).

use super::Kind::{Choice, Count, Duration, File, Flag, Secret, Size, Text, Workers};
use super::Presence::{Default, Optional};
use super::{Key, key};

pub const KEYS: &[Key] = &[
    key(
        "limits.memory",
        Size,
        Default("\"256 MiB\""),
        "what the process may have in memory beside its code: prefetched records, open batches and parts in flight, and what the system sees beyond them, for which batches give way",
    ),
    key(
        "limits.open_objects",
        Count,
        Default("50_000"),
        "objects being filled at a time; over it the largest batches are sealed early",
    ),
    key(
        "limits.workers",
        Workers,
        Default("\"cores\""),
        "threads that frame and compress; `\"cores\"` takes fewer where `memory` is short",
    ),
    key(
        "limits.drain",
        Duration,
        Default("\"60 s\""),
        "how long a stop may take to finish what is open; the unit's `TimeoutStopSec` must be above it",
    ),
    key(
        "http.listen",
        Text,
        Default("\"127.0.0.1:9464\""),
        "address of /metrics, /healthz, /readyz and the status page; port 0 picks one",
    ),
    key(
        "http.partition_metrics",
        Flag,
        Default("true"),
        "a series per partition; `false` for thousands of them",
    ),
    key(
        "http.show_keys",
        Flag,
        Default("true"),
        "whether the status page names objects by their keys, which hold what `layout.path` takes from records; `false` hides them",
    ),
    key(
        "http.tls.certificate_file",
        File,
        Optional("\"/etc/sluice/http.pem\""),
        "serve by https with this certificate and its chain (PEM); read again when the file changes",
    ),
    key(
        "http.tls.key_file",
        File,
        Optional("\"/etc/sluice/http.key\""),
        "private key of `certificate_file` (PEM)",
    ),
    key(
        "http.auth.username",
        Text,
        Optional("\"prometheus\""),
        "ask for this user and `password` (basic) before anything but /healthz and /readyz is shown",
    ),
    key(
        "http.auth.password",
        Secret,
        Optional("\"...\""),
        "better from the environment, `password_file`, or a systemd credential named `http.auth.password`",
    ),
    key(
        "http.auth.password_file",
        File,
        Optional("\"/etc/sluice/http_password\""),
        "a file that holds the password",
    ),
    key(
        "http.auth.token",
        Secret,
        Optional("\"...\""),
        "ask for this token (bearer), or take it instead of user and password",
    ),
    key(
        "http.auth.token_file",
        File,
        Optional("\"/etc/sluice/http_token\""),
        "a file that holds the token",
    ),
    key(
        "log.format",
        Choice(&["auto", "text", "json", "journald"]),
        Default("\"auto\""),
        "`auto`: text, as the journal likes it under systemd; `journald`: with fields of their own",
    ),
    key(
        "log.level",
        Text,
        Default("\"info\""),
        "`error`, `warn`, `info`, `debug`, `trace` or `off`; per part as in `info,sluice::kafka=debug`",
    ),
];
