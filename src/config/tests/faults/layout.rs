//! Faults of layouts and seals.

use super::{At, check};

#[test]
fn what_a_layout_cannot_mean() {
    check(vec![
        (
            At::End,
            r#"[layout]
path = "{topic}/{tiem:%Y}""#,
            &[
                r#"connector.toml:7: `layout.path` (`"{topic}/{tiem:%Y}"`) cannot be used: unknown variable `{tiem}` at position 9, did you mean `time`?; allowed are {topic}, {partition}, {time:%Y-%m-%d}, {field:/pointer}, {header:name}, {key}"#,
            ],
        ),
        (
            At::End,
            r#"[layout]
path = "{topic}"
name = "{topic}+{start}""#,
            &[
                r#"connector.toml:8: `layout.name` (`"{topic}+{start}"`) cannot be used: no key names its partition, so that two objects could share one: put `{partition}` into `layout.name`"#,
            ],
        ),
        (
            At::End,
            r#"[layout]
prefix = "/topics""#,
            &[
                r#"connector.toml:7: `layout.prefix` (`"/topics"`) cannot be used: `/topics` is no prefix: it has no `/` at either end, no empty, `.` or `..` element, no control character"#,
            ],
        ),
        (
            At::End,
            r#"[layout]
time = "recorded""#,
            &[
                r#"connector.toml:7: `layout.time` (`"recorded"`) is not one of `record`, `opened` and a table `{ field, format, zone }`: did you mean `record`?"#,
            ],
        ),
        (
            At::End,
            r#"[layout]
time = { field = "/a" }"#,
            &[
                "connector.toml:7: `layout.time` (`{ field }`) needs `layout.time.format` beside it: add that, or remove this",
            ],
        ),
        (
            At::End,
            r#"[layout]
time = { field = "/a", format = "rfc3339", zone = "Europe/Berln", zones = 1 }"#,
            &[
                r#"connector.toml:7: `layout.time.zone` (`"Europe/Berln"`) cannot be used: time zone `Europe/Berln` is unknown, did you mean `Europe/Berlin`?; names are those of the IANA database, such as `UTC` or `Europe/Berlin`"#,
                "connector.toml:7: `layout.time.zones` (`1`) is no key of Sluice: did you mean `layout.time.zone`?",
            ],
        ),
        (
            At::End,
            "[layout]
time = 3",
            &[
                "connector.toml:7: `layout.time` (`3`) is a number where a word or a table is wanted: change it",
            ],
        ),
        (
            At::End,
            r#"[layout]
time_zone = "Mars""#,
            &[
                r#"connector.toml:7: `layout.time_zone` (`"Mars"`) cannot be used: time zone `Mars` is unknown; names are those of the IANA database, such as `UTC` or `Europe/Berlin`"#,
            ],
        ),
        (
            At::End,
            r#"[layout]
format = "jsno""#,
            &[
                r#"connector.toml:7: `layout.format` (`"jsno"`) is not one of `json`, `raw`: did you mean `json`?"#,
            ],
        ),
        (
            At::End,
            r#"[layout]
compression = "lz4""#,
            &[
                r#"connector.toml:7: `layout.compression` (`"lz4"`) is not one of `none`, `gzip`, `zstd`: correct or remove it"#,
            ],
        ),
        (
            At::End,
            r#"[layout]
separator = ";""#,
            &[
                r#"connector.toml:7: `layout.separator` (`";"`) does nothing where `layout.format` is `json`, whose lines end in a newline: remove it"#,
            ],
        ),
        (
            At::End,
            r#"[layout]
format = "raw"
separator = "12345678901234567""#,
            &[
                r#"connector.toml:8: `layout.separator` (`"12345678901234567"`) cannot be used: the separator has 17 bytes, at most 16 are allowed: shorten it"#,
            ],
        ),
        (
            At::End,
            r#"[quarantine]
prefix = "topics""#,
            &[
                r#"connector.toml:7: `quarantine.prefix` (`"topics"`) cannot be used: objects below `topics` could share a key with those of `layout.path`: choose another first directory, such as `_quarantine`"#,
            ],
        ),
        (
            At::End,
            r#"[records]
on_null = "drop""#,
            &[
                r#"connector.toml:7: `records.on_null` (`"drop"`) is not one of `skip`, `quarantine`, `stop`: correct or remove it"#,
            ],
        ),
    ]);
}

#[test]
fn when_a_batch_cannot_be_sealed() {
    check(vec![
        (
            At::End,
            r#"[seal]
age = "five minutes""#,
            &[
                r#"connector.toml:7: `seal.age` (`"five minutes"`) is not a duration: write a number and a unit, as in `"5 min"`, `"90 s"`, `"500 ms"`"#,
            ],
        ),
        (
            At::End,
            "[seal]
age = 300",
            &[
                r#"connector.toml:7: `seal.age` (`300`) is a number where a duration as in `"5 min"`, or `"off"` is wanted: change it"#,
            ],
        ),
        (
            At::End,
            r#"[seal]
age = "0 s""#,
            &[
                r#"connector.toml:7: `seal.age` (`"0 s"`) is outside 1 ms to 365 days: choose a value between them"#,
            ],
        ),
        (
            At::End,
            r#"[seal]
age = "2 years""#,
            &[
                r#"connector.toml:7: `seal.age` (`"2 years"`) is outside 1 ms to 365 days: choose a value between them"#,
            ],
        ),
        (
            At::End,
            "[seal]
records = 0",
            &["connector.toml:7: `seal.records` (`0`) is not above zero: choose a larger number"],
        ),
        (
            At::End,
            "[seal]
records = -1",
            &["connector.toml:7: `seal.records` (`-1`) is not above zero: choose a larger number"],
        ),
        (
            At::End,
            r#"[seal]
records = "many""#,
            &[
                r#"connector.toml:7: `seal.records` (`"many"`) is not a number: write digits, as in `1000`"#,
            ],
        ),
        (
            At::End,
            r#"[seal]
bytes = "64 Mb/s""#,
            &[
                r#"connector.toml:7: `seal.bytes` (`"64 Mb/s"`) is not a size: write a number and a unit, as in `"8 MiB"` (1 KiB is 1,024 bytes, 1 KB is 1,000)"#,
            ],
        ),
        (
            At::End,
            "[seal]
bytes = 0",
            &["connector.toml:7: `seal.bytes` (`0`) is not above zero: choose a larger number"],
        ),
        (
            At::End,
            r#"[seal]
bytes = "off"
age = "off""#,
            &[
                r#"connector.toml:8: `seal.age` (`"off"`) leaves no limit of `[seal]` on, so that no batch would ever be closed: set one of them"#,
            ],
        ),
    ]);
}
