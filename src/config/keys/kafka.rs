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
        Choice(&["plain", "scram_sha_256", "scram_sha_512", "oauthbearer", "msk_iam"]),
        Optional("\"scram_sha_512\""),
        "how to log in to the brokers; without it Sluice does not",
    ),
    key(
        "kafka.auth.username",
        Text,
        Optional("\"sluice\""),
        "the user, of `plain` and `scram_sha_...`",
    ),
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
        "a file that holds the password; when it changes, it is read anew",
    ),
    key(
        "kafka.auth.token_endpoint",
        Text,
        Optional("\"https://login.example.org/oauth2/token\""),
        "where `oauthbearer` gets its tokens (OIDC, client credentials)",
    ),
    key("kafka.auth.client_id", Text, Optional("\"sluice\""), "who asks for tokens"),
    key(
        "kafka.auth.client_secret",
        Secret,
        Optional("\"...\""),
        "better from the environment, `client_secret_file`, or a systemd credential of this path",
    ),
    key(
        "kafka.auth.client_secret_file",
        File,
        Optional("\"/etc/sluice/client_secret\""),
        "a file that holds the secret; it is read anew for each token",
    ),
    key("kafka.auth.scope", Text, Optional("\"kafka\""), "scopes of the token, with spaces"),
    key(
        "kafka.auth.audience",
        Text,
        Optional("\"https://kafka.example.org\""),
        "for whom the token is, where the endpoint asks for it",
    ),
    key(
        "kafka.auth.token_ca_file",
        File,
        Optional("\"/etc/sluice/login-ca.pem\""),
        "certificates to trust at the token endpoint (PEM); without it the system's",
    ),
    key(
        "kafka.auth.extensions",
        Texts,
        Optional("[\"logicalCluster=lkc-12ab34\"]"),
        "extensions of SASL that the brokers ask for, `name=value` each",
    ),
    key(
        "kafka.auth.region",
        Text,
        Optional("\"eu-west-1\""),
        "the cluster's region, of `msk_iam`; without it, what the brokers' names tell",
    ),
    key(
        "kafka.auth.role_arn",
        Text,
        Optional("\"arn:aws:iam::123456789012:role/sluice\""),
        "a role to assume before asking MSK; without it, who the AWS chain says",
    ),
    key(
        "kafka.auth.external_id",
        Text,
        Optional("\"12ab34\""),
        "what the role's trust policy asks for",
    ),
    key(
        "kafka.auth.session_name",
        Text,
        Optional("\"sluice\""),
        "the session's name in CloudTrail; without it `sluice`",
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
