//! Keys below `[s3]`.
//!
//! It owns: their defaults and texts. It does not own: what they mean (`config/s3.rs`).

use super::Kind::{File, Flag, Secret, Size, Text};
use super::Presence::{Default, Optional, Required};
use super::{Key, key};

pub const KEYS: &[Key] = &[
    key("s3.bucket", Text, Required("\"user-12ab34-bucket\""), "where the objects go"),
    key(
        "s3.region",
        Text,
        Optional("\"eu-central-1\""),
        "the bucket's region; without it, what the AWS environment says",
    ),
    key(
        "s3.endpoint",
        Text,
        Optional("\"https://s3.example.org\""),
        "URL of another store than AWS that speaks S3",
    ),
    key(
        "s3.path_style",
        Flag,
        Default("false"),
        "put the bucket into the URL's path instead of its host; most other stores want `true`",
    ),
    key(
        "s3.conditional_writes",
        Flag,
        Default("true"),
        "`false` only for stores without `If-None-Match`: Sluice asks with HEAD first, which is weaker",
    ),
    key(
        "s3.sign_bodies",
        Flag,
        Default("false"),
        "sign bodies over https too, where TLS and a checksum protect them already; over http they always are",
    ),
    key(
        "s3.part_size",
        Size,
        Default("\"8 MiB\""),
        "parts of multipart uploads, 5 MiB to 5 GiB; what ends below one part is put at once",
    ),
    key(
        "s3.claims_prefix",
        Text,
        Default("\"_sluice/\""),
        "where Sluice notes which group has which partition, and `sluice recover` a decision; apart from all data, ends in `/`",
    ),
    key(
        "s3.credentials.access_key_id",
        Secret,
        Optional("\"...\""),
        "without it the AWS chain is asked (environment, profile, instance role), which is better",
    ),
    key(
        "s3.credentials.access_key_id_file",
        File,
        Optional("\"/etc/sluice/access_key_id\""),
        "a file that holds it",
    ),
    key(
        "s3.credentials.secret_access_key",
        Secret,
        Optional("\"...\""),
        "better from the environment, a file, or a systemd credential named by this path",
    ),
    key(
        "s3.credentials.secret_access_key_file",
        File,
        Optional("\"/etc/sluice/secret_access_key\""),
        "a file that holds it",
    ),
    key("s3.credentials.session_token", Secret, Optional("\"...\""), "of temporary credentials"),
    key(
        "s3.credentials.session_token_file",
        File,
        Optional("\"/etc/sluice/session_token\""),
        "a file that holds it",
    ),
];
