//! Faults below `[s3]`.

use super::{At, check};

#[test]
fn what_s3_cannot_mean() {
    check(vec![
        (
            At::End,
            r#"region = "eu central""#,
            &[
                r#"connector.toml:6: `s3.region` (`"eu central"`) is not a region: write for example `eu-central-1`"#,
            ],
        ),
        (
            At::End,
            r#"endpoint = "s3.example.org""#,
            &[
                r#"connector.toml:6: `s3.endpoint` (`"s3.example.org"`) is not a URL of a store: write `https://host` or `http://host:port`"#,
            ],
        ),
        (
            At::End,
            r#"path_style = "yes""#,
            &[
                r#"connector.toml:6: `s3.path_style` (`"yes"`) is text where `true` or `false` is wanted: change it"#,
            ],
        ),
        (
            At::End,
            r#"part_size = "4 MiB""#,
            &[
                r#"connector.toml:6: `s3.part_size` (`"4 MiB"`) is outside 5 MiB to 5 GiB: choose a value between them"#,
            ],
        ),
        (
            At::End,
            r#"part_size = "8 MiBi""#,
            &[
                r#"connector.toml:6: `s3.part_size` (`"8 MiBi"`) is not a size: write a number and a unit, as in `"8 MiB"` (1 KiB is 1,024 bytes, 1 KB is 1,000)"#,
            ],
        ),
        (
            At::End,
            "part_size = true",
            &[
                r#"connector.toml:6: `s3.part_size` (`true`) is a boolean where a size as in `"8 MiB"` is wanted: change it"#,
            ],
        ),
        (
            At::End,
            r#"claims_prefix = "_sluice""#,
            &[
                r#"connector.toml:6: `s3.claims_prefix` (`"_sluice"`) does not end in `/`: add it, so that nothing else begins like it"#,
            ],
        ),
        (
            At::End,
            r#"claims_prefix = "a//b/""#,
            &[
                r#"connector.toml:6: `s3.claims_prefix` (`"a//b/"`) is no prefix of keys: leave out control characters, `//`, `.` and `..` elements and a `/` in front"#,
            ],
        ),
        (
            At::End,
            r#"claims_prefix = "topics/claims/""#,
            &[
                r#"connector.toml:6: `s3.claims_prefix` (`"topics/claims/"`) overlaps `layout.prefix` (`topics`): choose prefixes of which none can begin with another, such as `+sluice/`"#,
            ],
        ),
        (
            At::End,
            r#"claims_prefix = "_quarantine/claims/""#,
            &[
                r#"connector.toml:6: `s3.claims_prefix` (`"_quarantine/claims/"`) overlaps `quarantine.prefix` (`_quarantine`): choose prefixes of which none can begin with another, such as `+sluice/`"#,
            ],
        ),
        (
            At::End,
            r#"storage_class = "STANDARD""#,
            &[
                r#"connector.toml:6: `s3.storage_class` (`"STANDARD"`) is no key of Sluice: correct or remove it"#,
            ],
        ),
        (
            At::End,
            r#"credentials.access_key = "AKIA""#,
            &[
                "connector.toml:6: `s3.credentials.access_key` is no key of Sluice: did you mean `s3.credentials.access_key_id`?",
            ],
        ),
        (
            At::End,
            r#"credentials.access_key_id = "AKIA""#,
            &[
                "connector.toml:6: `s3.credentials.access_key_id` needs `s3.credentials.secret_access_key` beside it: add that, or remove this",
            ],
        ),
    ]);
}
