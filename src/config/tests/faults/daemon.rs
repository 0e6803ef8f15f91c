//! Faults of the process, and of what is no key at all.

use super::{At, check};

#[test]
fn what_a_process_cannot_be() {
    check(vec![
        (
            At::End,
            r#"[limits]
memory = "32 MiB""#,
            &[
                r#"connector.toml:7: `limits.memory` (`"32 MiB"`) is below 64.0 MiB, which 2 workers and parts of 8.0 MiB need: raise it, or lower `limits.workers` or `s3.part_size`"#,
            ],
        ),
        (
            At::End,
            "[limits]
workers = 100",
            &[
                r#"default: `limits.memory` (`"256 MiB"`) is below 400.0 MiB, which 100 workers and parts of 8.0 MiB need: raise it, or lower `limits.workers` or `s3.part_size`"#,
            ],
        ),
        (
            At::End,
            r#"[limits]
workers = "all""#,
            &[
                r#"connector.toml:7: `limits.workers` (`"all"`) is text where `"cores"` or a number is wanted: change it"#,
            ],
        ),
        (
            At::End,
            "[limits]
open_objects = 2_000_000",
            &[
                "connector.toml:7: `limits.open_objects` (`2000000`) is outside 1 to 1000000: choose a value between them",
            ],
        ),
        (
            At::End,
            r#"[limits]
drain = "2 h""#,
            &[
                r#"connector.toml:7: `limits.drain` (`"2 h"`) is outside 1 ms to 1 h: choose a value between them"#,
            ],
        ),
        (
            At::End,
            r#"[http]
listen = "localhost:9464""#,
            &[
                r#"connector.toml:7: `http.listen` (`"localhost:9464"`) is not an address: write an IP address and a port, as in `127.0.0.1:9464`"#,
            ],
        ),
        (
            At::End,
            r#"[log]
level = "verbose""#,
            &[
                r#"connector.toml:7: `log.level` (`"verbose"`) is not a level: write `error`, `warn`, `info`, `debug`, `trace` or `off`, or `part=level`"#,
            ],
        ),
        (
            At::End,
            r#"[log]
format = "xml""#,
            &[
                r#"connector.toml:7: `log.format` (`"xml"`) is not one of `auto`, `text`, `json`, `journald`: correct or remove it"#,
            ],
        ),
    ]);
}

#[test]
fn what_is_no_key_or_in_the_wrong_place() {
    check(vec![
        (
            At::End,
            "[kafak]
a = 1",
            &["connector.toml:6: `kafak` (`{ a }`) is no key of Sluice: did you mean `kafka`?"],
        ),
        (
            At::End,
            r#"[[layout]]
path = "a""#,
            &[
                "connector.toml:6: `layout` (`[{ path }]`) is a list where a table of keys is wanted: change it",
            ],
        ),
        (
            At::End,
            r#"[override]
topics = "a""#,
            &[
                "connector.toml:6: `override` (`{ topics }`) is a table where a list of tables, `[[override]]`, is wanted: change it",
            ],
        ),
        (
            At::End,
            r#"[[override]]
seal.age = "1 min""#,
            &[
                r#"connector.toml:6: `override[0].topics` is missing: add it, for example `topics = '.*\.geo'`"#,
            ],
        ),
        (
            At::End,
            "[[override]]
topics = 'nothing'",
            &[
                r#"connector.toml:7: `override[0].topics` (`"nothing"`) matches none of `kafka.topics`: correct it, or remove the override"#,
            ],
        ),
        (
            At::End,
            "[[override]]
topics = '('
layout.pth = 'x'",
            &[
                r#"connector.toml:7: `override[0].topics` (`"("`) is not a regular expression: unclosed group: correct it, or write `\.` where a dot is meant"#,
                r#"connector.toml:8: `override[0].layout.pth` (`"x"`) is no key of Sluice: did you mean `layout.path`?"#,
            ],
        ),
        (
            At::End,
            "[[override]]
topics = 'pin'
s3.bucket = 'other'",
            &[
                r#"connector.toml:8: `override[0].s3.bucket` (`"other"`) cannot be set per topic: set it for all topics, or set keys of `layout`, `seal` or `records` here"#,
            ],
        ),
        (
            At::End,
            "[[override]]
topics = 'pin'
seal.age = 'soon'",
            &[
                r#"connector.toml:8: `override[0].seal.age` (`"soon"`) is not a duration: write a number and a unit, as in `"5 min"`, `"90 s"`, `"500 ms"`"#,
            ],
        ),
        (
            At::End,
            r#""seal.age" = 1"#,
            &[
                r#"connector.toml:6: `s3."seal.age"` (`1`) is no key of Sluice: correct or remove it"#,
            ],
        ),
    ]);
}
