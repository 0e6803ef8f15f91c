//! Keys below `[s3]`.
//!
//! It owns: their defaults and texts. It does not own: what they mean (`config/s3.rs`).

use super::Kind::{Choice, File, Flag, Secret, Size, Text, Texts};
use super::Presence::{Default, Optional, Required};
use super::{Key, key};

/// Classes whose objects can be read at once: `sluice verify` reads them back.
const CLASSES: &[&str] =
    &["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"];
const ACLS: &[&str] = &[
    "private",
    "public-read",
    "public-read-write",
    "aws-exec-read",
    "authenticated-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];

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
    key("s3.dual_stack", Flag, Default("false"), "use Amazon's endpoints that have IPv6 too"),
    key("s3.fips", Flag, Default("false"), "use Amazon's FIPS endpoints, of S3 and STS"),
    key(
        "s3.acceleration",
        Flag,
        Default("false"),
        "use S3 Transfer Acceleration, which the bucket must have enabled",
    ),
    key(
        "s3.proxy",
        Text,
        Optional("\"http://proxy.example.org:3128\""),
        "the proxy to S3 and STS, or `off`; without it `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say",
    ),
    key(
        "s3.storage_class",
        Choice(CLASSES),
        Optional("\"STANDARD_IA\""),
        "class of the objects, not of claims; lifecycle rules may move them to archives later",
    ),
    key(
        "s3.tags",
        Texts,
        Optional("[\"team=data\", \"source=kafka\"]"),
        "tags of the objects, not of claims; needs `s3:PutObjectTagging`",
    ),
    key(
        "s3.acl",
        Choice(ACLS),
        Optional("\"bucket-owner-full-control\""),
        "canned ACL of all that is written; needs `s3:PutObjectAcl`, and a bucket that has ACLs",
    ),
    key(
        "s3.expected_bucket_owner",
        Text,
        Optional("\"123456789012\""),
        "the account whose bucket it must be; S3 refuses every request otherwise",
    ),
    key(
        "s3.requester_pays",
        Flag,
        Default("false"),
        "pay for requests to a bucket whose owner does not",
    ),
    key(
        "s3.encryption.method",
        Choice(&["bucket", "sse_s3", "sse_kms", "sse_c"]),
        Default("\"bucket\""),
        "who encrypts: as the bucket says, S3's own keys, a key of KMS, a key of yours",
    ),
    key(
        "s3.encryption.kms_key_id",
        Text,
        Optional("\"arn:aws:kms:eu-central-1:123456789012:key/1234abcd\""),
        "key of `sse_kms`; without it the account's own key for S3",
    ),
    key(
        "s3.encryption.bucket_key",
        Flag,
        Optional("true"),
        "whether `sse_kms` uses an S3 bucket key, which saves requests to KMS; without it as the bucket says",
    ),
    key(
        "s3.encryption.customer_key",
        Secret,
        Optional("\"...\""),
        "key of `sse_c`, 32 bytes in base64; whoever loses it loses the objects",
    ),
    key(
        "s3.encryption.customer_key_file",
        File,
        Optional("\"/etc/sluice/customer_key\""),
        "a file that holds it",
    ),
    key(
        "s3.assume_role.role_arn",
        Text,
        Optional("\"arn:aws:iam::123456789012:role/sluice\""),
        "a role that the credentials below take on for S3",
    ),
    key(
        "s3.assume_role.external_id",
        Text,
        Optional("\"example-id\""),
        "what the role's trust policy asks for, where it is another account's",
    ),
    key(
        "s3.assume_role.session_name",
        Text,
        Default("\"sluice\""),
        "how CloudTrail names the session",
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
