//! Why a value cannot be, and what to do: one sentence each, read after the key and its value.
//!
//! It owns: the words of every fault. It does not own: where it was found (`fault`).

use std::path::PathBuf;

use bytesize::ByteSize;
use thiserror::Error;

use crate::layout::{LayoutFault, TemplateError};
use crate::model::NameError;

/// Why a value cannot be, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    #[error("is not TOML: {message}: correct that line, the rest is read after it")]
    Syntax { message: String },
    #[error("cannot be read ({kind}): name a file that this user may read")]
    Unreadable { kind: std::io::ErrorKind },
    #[error("is not UTF-8: save it as UTF-8")]
    NotUtf8,
    #[error("is not of the form `key=value`: write for example `--set seal.age=\"5 s\"`")]
    NotAnAssignment,
    #[error("is no key of Sluice: {}", meant(.nearest.as_deref()))]
    UnknownKey { nearest: Option<String> },
    #[error(
        "cannot be set per topic: set it for all topics, or set keys of `layout`, `seal` or `records` here"
    )]
    NotPerTopic,
    #[error("belongs to the whole list of overrides, which only the file can give: write it there")]
    OverrideOutsideFile,
    #[error("is a table because its name has dots: write the name in quotes, `{example}`")]
    UnquotedProperty { example: String },
    #[error("is not a property's name: it has lower-case letters, digits, `.`, `_` and `-` only")]
    PropertyName,
    #[error("is owned by Sluice: set `{key}` instead")]
    OwnedProperty { key: &'static str },
    #[error("is owned by Sluice, exactly-once depends on it: remove it")]
    ReservedProperty,
    #[error("is owned by Sluice, {why}: remove it")]
    FixedProperty { why: &'static str },
    #[error(
        "is above `limits.memory` ({} bytes), and so much may be fetched at once from each broker: lower it, or raise the other", .memory_bytes
    )]
    FetchAboveMemory { memory_bytes: u64 },
    #[error(
        "is refused by brokers under `kafka.protocol = \"consumer\"`, where they decide it: remove it"
    )]
    PropertyOfClassic,
    #[error("is missing: add it, for example `{example}`")]
    Missing { example: String },
    #[error(
        "names no topics: add `topics = [\"pin\", \"geo\", \"user\"]`, or `topics_regex` for all that match"
    )]
    NoTopics,
    #[error("and `kafka.topics` are both set: keep one of them")]
    BothTopics,
    #[error("is {found} where {expected} is wanted: change it")]
    WrongType { expected: String, found: &'static str },
    #[error("is not one of {allowed}: {}", meant(.nearest.as_deref()))]
    NotAWord { allowed: String, nearest: Option<String> },
    #[error("belongs to `kafka.auth.method` = {methods}: remove it, or change the method")]
    OfOtherMethod { methods: String },
    #[error("is not `name=value`: write letters before the `=`, and printable ASCII behind it")]
    NotAnExtension,
    #[error("is not a URL: write `https://host/path`")]
    NotAUrl,
    #[error("is not the ARN of a role: write for example `arn:aws:iam::123456789012:role/sluice`")]
    NotARole,
    #[error(
        "needs a region, and no name of `kafka.bootstrap_servers` tells one: add `kafka.auth.region`"
    )]
    NoRegionOfBrokers,
    #[error(
        "is not a duration: write a number and a unit, as in `\"5 min\"`, `\"90 s\"`, `\"500 ms\"`"
    )]
    NotADuration,
    #[error(
        "is not a size: write a number and a unit, as in `\"8 MiB\"` (1 KiB is 1,024 bytes, 1 KB is 1,000)"
    )]
    NotASize,
    #[error("is not a number: write digits, as in `1000`")]
    NotACount,
    #[error("is not above zero: choose a larger number")]
    NotPositive,
    #[error("is outside {least} to {most}: choose a value between them")]
    OutOfRange { least: String, most: String },
    #[error("is empty: give it a value, or remove it")]
    Empty,
    #[error("is no name that Kafka or S3 takes: {0}: rename it")]
    Name(NameError),
    #[error("is named twice: remove one of them")]
    Duplicate,
    #[error("is not `host:port`: write for example `localhost:9092`")]
    NotAServer,
    #[error("is no user for `http.auth`: it may not be empty or have a colon (RFC 7617)")]
    NotAUsername,
    #[error("is not an address: write an IP address and a port, as in `127.0.0.1:9464`")]
    NotAnAddress,
    #[error("is not a URL of a store: write `https://host` or `http://host:port`")]
    NotAnEndpoint,
    #[error("is not a region: write for example `eu-central-1`")]
    NotARegion,
    #[error(
        "is not a regular expression: {reason}: correct it, or write `\\.` where a dot is meant"
    )]
    Regex { reason: String },
    #[error(
        "could give an object the key of one whose topics are {other}: name `{{topic}}` at the same place in both, or give one another prefix"
    )]
    SharesKeys { other: String },
    #[error("matches none of `kafka.topics`: correct it, or remove the override")]
    MatchesNothing,
    #[error(
        "is not a level: write `error`, `warn`, `info`, `debug`, `trace` or `off`, or `part=level`"
    )]
    NotALevel,
    #[error("cannot be used: {0}")]
    Template(TemplateError),
    #[error("cannot be used: {0}")]
    Layout(LayoutFault),
    #[error("is refused without a reason, which is a bug of Sluice: report it with this file")]
    NoReason,
    #[error("has {bytes} bytes, at most {max} are allowed: shorten it")]
    TooLong { bytes: usize, max: usize },
    #[error(
        "does nothing where `layout.format` is `json`, whose lines end in a newline: remove it"
    )]
    SeparatorOfJson,
    #[error(
        "is no prefix of keys: leave out control characters, `//`, `.` and `..` elements and a `/` in front"
    )]
    NotAPrefix,
    #[error("does not end in `/`: add it, so that nothing else begins like it")]
    NoTrailingSlash,
    #[error(
        "overlaps `{other}` (`{value}`): choose prefixes of which none can begin with another, such as `+sluice/`"
    )]
    Overlap { other: &'static str, value: String },
    #[error(
        "leaves no limit of `[seal]` on, so that no batch would ever be closed: set one of them"
    )]
    NeverSealed,
    #[error(
        "is below {}, which {workers} workers and parts of {} need: raise it, or lower `limits.workers` or `s3.part_size`",
        ByteSize(*.needed), ByteSize(*.part)
    )]
    MemoryTooSmall { needed: u64, workers: usize, part: u64 },
    #[error("needs `{other}` beside it: add that, or remove this")]
    NeedsOther { other: &'static str },
    #[error("cannot go with `{other}`, {why}: remove one of them")]
    Excludes { other: &'static str, why: &'static str },
    #[error("is not an AWS account: write its 12 digits in quotes")]
    NotAnAccount,
    #[error("is not a tag: write `key=value`, of letters, digits, spaces and `+-=._:/@`")]
    NotATag,
    #[error("is not a KMS key: write its id, its ARN, or `alias/name`")]
    NotAKmsKey,
    #[error("holds no key of 32 bytes in base64: make one by `openssl rand -base64 32`")]
    NotACustomerKey,
    #[error(
        "sends the key with each request, in the clear since `s3.endpoint` is `http`: use `https`"
    )]
    KeyInTheClear,
    #[error("is not {least} to {most} letters, digits and `+=,.@-_`: AWS takes nothing else here")]
    NotASessionText { least: usize, most: usize },
    #[error(
        "is not a proxy: write `http://host:port`, or `off`; a password only fits into `HTTPS_PROXY`"
    )]
    NotAProxy,
    #[error("does nothing while `kafka.tls.enabled` is false: enable it, or remove this")]
    TlsDisabled,
    #[error("and `{other}` are both set: keep one of them")]
    SecretTwice { other: String },
    #[error(
        "names a file that cannot be read ({kind}): check that it is there, and its owner and mode"
    )]
    FileUnreadable { kind: std::io::ErrorKind },
    #[error(
        "names a file that holds no secret (empty, binary or over 64 KiB): write the secret into it, and nothing else"
    )]
    NotASecret,
    #[error("cannot be read from the systemd credential {} ({kind}): check the unit's `LoadCredential`", .path.display())]
    CredentialUnreadable { path: PathBuf, kind: std::io::ErrorKind },
    #[error(
        "is a secret in a file that others may read (mode {mode:03o}): `chmod 600` the file, or move the secret out"
    )]
    Exposed { mode: u32 },
}

fn meant(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "correct or remove it".to_owned(),
    }
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl From<TemplateError> for Problem {
    fn from(error: TemplateError) -> Self {
        Self::Template(error)
    }
}
