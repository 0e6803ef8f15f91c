//! Keys below `[kafka]`.
//!
//! It owns: their defaults and texts. It does not own: what they mean (`config/kafka.rs`).

use super::Kind::{Choice, File, Flag, Properties, Secret, Text, Texts};
use super::Presence::{Default, Optional, Required};
use super::{Key, key};

pub const KEYS: &[Key] = &[
    key(
        "kafka.bootstrap_servers",
        Texts,
        Required("[\"localhost:9092\"]"),
        "brokers to begin with, `host:port` each",
    ),
    key(
        "kafka.topics",
        Texts,
        Required("[\"pin\", \"geo\", \"user\"]"),
        "exact names of topics; this or `topics_regex`",
    ),
    key(
        "kafka.topics_regex",
        Text,
        Optional("'12ab34\\.(pin|geo|user)'"),
        "topics whose whole name matches, but never those that begin with `__`; new ones are picked up while running",
    ),
    key(
        "kafka.group_id",
        Text,
        Default("\"sluice\""),
        "the consumer group whose committed offsets Sluice owns; `connect-<name>` takes over from MSK Connect",
    ),
    key(
        "kafka.protocol",
        Choice(&["classic", "consumer"]),
        Default("\"classic\""),
        "group protocol; `consumer` is KIP-848 and needs Kafka 4.0 or later",
    ),
    key(
        "kafka.start",
        Choice(&["earliest", "latest"]),
        Default("\"earliest\""),
        "where a group begins at its very first start; what appears later is read from its beginning",
    ),
    key(
        "kafka.on_lost_records",
        Choice(&["stop", "skip"]),
        Default("\"stop\""),
        "when Kafka deleted records before they were read: stop that partition, or go on behind the hole",
    ),
    key(
        "kafka.auth.method",
        Choice(&["plain", "scram_sha_256", "scram_sha_512"]),
        Optional("\"scram_sha_512\""),
        "how to log in to the brokers; without it Sluice does not",
    ),
    key("kafka.auth.username", Text, Optional("\"sluice\""), "the user of `method`"),
    key(
        "kafka.auth.password",
        Secret,
        Optional("\"...\""),
        "better from the environment, `password_file`, or a systemd credential named `kafka.auth.password`",
    ),
    key(
        "kafka.auth.password_file",
        File,
        Optional("\"/etc/sluice/kafka_password\""),
        "a file that holds the password",
    ),
    key("kafka.tls.enabled", Flag, Default("false"), "encrypt the connections to the brokers"),
    key(
        "kafka.tls.ca_file",
        File,
        Optional("\"/etc/sluice/ca.pem\""),
        "certificates to trust (PEM); without it the system's",
    ),
    key(
        "kafka.tls.certificate_file",
        File,
        Optional("\"/etc/sluice/client.pem\""),
        "certificate to show to the brokers (PEM), with `key_file`",
    ),
    key(
        "kafka.tls.key_file",
        File,
        Optional("\"/etc/sluice/client.key\""),
        "private key of `certificate_file` (PEM)",
    ),
    key(
        "kafka.properties",
        Properties,
        Optional("{ \"fetch.max.bytes\" = 16777216 }"),
        "any property of librdkafka that Sluice does not own, its name in quotes",
    ),
];
