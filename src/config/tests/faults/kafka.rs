//! Faults below `[kafka]`.

use super::{At, check};

#[test]
fn what_kafka_cannot_mean() {
    check(vec![
        (
            At::Kafka,
            r#"topcs = ["a"]"#,
            &[
                r#"connector.toml:2: `kafka.topcs` (`["a"]`) is no key of Sluice: did you mean `kafka.topics`?"#,
            ],
        ),
        (
            At::Kafka,
            r#"Group_ID = "a""#,
            &[
                r#"connector.toml:2: `kafka.Group_ID` (`"a"`) is no key of Sluice: did you mean `kafka.group_id`?"#,
            ],
        ),
        (
            At::Kafka,
            r#"compression = "gzip""#,
            &[
                r#"connector.toml:2: `kafka.compression` (`"gzip"`) is no key of Sluice: did you mean `layout.compression`?"#,
            ],
        ),
        (
            At::Kafka,
            "group_id = 7",
            &[
                "connector.toml:2: `kafka.group_id` (`7`) is a number where text is wanted: change it",
            ],
        ),
        (
            At::Kafka,
            r#"group_id = "a b""#,
            &[
                r#"connector.toml:2: `kafka.group_id` (`"a b"`) is no name that Kafka or S3 takes: group id `a b` may hold printable ASCII without spaces and `/` only: rename it"#,
            ],
        ),
        (
            At::Kafka,
            r#"group_id = """#,
            &[
                r#"connector.toml:2: `kafka.group_id` (`""`) is no name that Kafka or S3 takes: group id is empty: rename it"#,
            ],
        ),
        (
            At::Kafka,
            r#"protocol = "clasic""#,
            &[
                r#"connector.toml:2: `kafka.protocol` (`"clasic"`) is not one of `classic`, `consumer`: did you mean `classic`?"#,
            ],
        ),
        (
            At::Kafka,
            r#"protocol = "kip""#,
            &[
                r#"connector.toml:2: `kafka.protocol` (`"kip"`) is not one of `classic`, `consumer`: correct or remove it"#,
            ],
        ),
        (
            At::Kafka,
            r#"start = "beginning""#,
            &[
                r#"connector.toml:2: `kafka.start` (`"beginning"`) is not one of `earliest`, `latest`: correct or remove it"#,
            ],
        ),
        (
            At::Kafka,
            "on_lost_records = true",
            &[
                r#"connector.toml:2: `kafka.on_lost_records` (`true`) is a boolean where `"stop"` | `"skip"` is wanted: change it"#,
            ],
        ),
        (
            At::Kafka,
            "topics_regex = '(a'",
            &[
                r#"connector.toml:2: `kafka.topics_regex` (`"(a"`) and `kafka.topics` are both set: keep one of them"#,
                r#"connector.toml:2: `kafka.topics_regex` (`"(a"`) is not a regular expression: unclosed group: correct it, or write `\.` where a dot is meant"#,
            ],
        ),
        (
            At::Kafka,
            r#"auth = "plain""#,
            &[
                r#"connector.toml:2: `kafka.auth` (`"plain"`) is text where a table of keys is wanted: change it"#,
            ],
        ),
        (
            At::Kafka,
            r#"auth.method = "msk_iam""#,
            &[
                r#"connector.toml:2: `kafka.auth.method` (`"msk_iam"`) is not in this version yet: use one of `plain`, `scram_sha_256`, `scram_sha_512`"#,
            ],
        ),
        (
            At::Kafka,
            r#"auth.method = "scram_sha_265""#,
            &[
                r#"connector.toml:2: `kafka.auth.method` (`"scram_sha_265"`) is not one of `plain`, `scram_sha_256`, `scram_sha_512`: did you mean `scram_sha_256`?"#,
            ],
        ),
        (
            At::Kafka,
            r#"auth.method = "scram_sha_512""#,
            &[
                r#"connector.toml:2: `kafka.auth.method` (`"scram_sha_512"`) needs `kafka.auth.username` beside it: add that, or remove this"#,
                r#"connector.toml:2: `kafka.auth.method` (`"scram_sha_512"`) needs `kafka.auth.password` beside it: add that, or remove this"#,
            ],
        ),
        (
            At::Kafka,
            r#"auth.username = "me""#,
            &[
                r#"connector.toml:2: `kafka.auth.username` (`"me"`) needs `kafka.auth.method` beside it: add that, or remove this"#,
            ],
        ),
        (
            At::Kafka,
            r#"tls.ca_file = "/nowhere/ca.pem""#,
            &[
                r#"connector.toml:2: `kafka.tls.ca_file` (`"/nowhere/ca.pem"`) names a file that cannot be read (entity not found): check that it is there, and its owner and mode"#,
                r#"connector.toml:2: `kafka.tls.ca_file` (`"/nowhere/ca.pem"`) does nothing while `kafka.tls.enabled` is false: enable it, or remove this"#,
            ],
        ),
        (
            At::Kafka,
            "properties = 3",
            &[
                "connector.toml:2: `kafka.properties` (`3`) is a number where a table of names in quotes is wanted: change it",
            ],
        ),
        (
            At::Kafka,
            "properties.fetch.max.bytes = 1",
            &[
                r#"connector.toml:2: `kafka.properties.fetch` (`{ max }`) is a table because its name has dots: write the name in quotes, `"fetch.max.bytes" = ...`"#,
            ],
        ),
        (
            At::Kafka,
            r#"properties."enable.auto.commit" = true"#,
            &[
                r#"connector.toml:2: `kafka.properties."enable.auto.commit"` (`true`) is owned by Sluice, exactly-once depends on it: remove it"#,
            ],
        ),
        (
            At::Kafka,
            r#"properties."bootstrap.servers" = "a:1""#,
            &[
                r#"connector.toml:2: `kafka.properties."bootstrap.servers"` (`"a:1"`) is owned by Sluice: set `kafka.bootstrap_servers` instead"#,
            ],
        ),
        (
            At::Kafka,
            r#"properties."sasl.password" = "hunter2""#,
            &[
                r#"connector.toml:2: `kafka.properties."sasl.password"` is owned by Sluice: set `kafka.auth.password` instead"#,
            ],
        ),
        (
            At::Kafka,
            r#"properties."Fetch.max.bytes" = 1"#,
            &[
                r#"connector.toml:2: `kafka.properties."Fetch.max.bytes"` (`1`) is not a property's name: it has lower-case letters, digits, `.`, `_` and `-` only"#,
            ],
        ),
        (
            At::Kafka,
            r#"properties."session.timeout.ms" = 1
protocol = "consumer""#,
            &[
                r#"connector.toml:2: `kafka.properties."session.timeout.ms"` (`1`) is refused by brokers under `kafka.protocol = "consumer"`, where they decide it: remove it"#,
            ],
        ),
        (
            At::Kafka,
            r#"properties."client.rack" = ["a"]"#,
            &[
                r#"connector.toml:2: `kafka.properties."client.rack"` (`["a"]`) is a list where a text, number or boolean is wanted: change it"#,
            ],
        ),
    ]);
}
