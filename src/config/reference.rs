//! The table of keys as text, for the README and `--help`.
//!
//! It owns: its form as Markdown, and the check of the shipped file against the table. It
//! does not own: the texts (`keys`).

use super::keys::{self, Presence};

/// Returns every key with its kind, its default and what it means, as Markdown.
pub fn reference() -> String {
    let mut text = String::new();
    for section in keys::sections() {
        text.push_str(&format!("### `[{section}]`\n\n"));
        for key in keys::all().filter(|key| key.split().0 == section) {
            let presence = match key.presence {
                Presence::Default(default) => format!("default `{default}`"),
                Presence::Optional(example) => format!("optional, as in `{example}`"),
                Presence::Required(example) => format!("required, as in `{example}`"),
            };
            let kind = key.kind.describe();
            let name = key.split().1;
            text.push_str(&format!("- `{name}` ({kind}; {presence}): {}\n", key.doc));
        }
        text.push('\n');
    }
    text.push_str(
        "### `[[override]]`\n\n\
         - `topics` (a regular expression that matches a topic's whole name; required, as in \
         `'.*\\.geo'`): the keys of `layout`, `seal` and `records` below it hold for these topics; \
         the first override that matches wins\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use toml_edit::DocumentMut;

    use super::*;
    use crate::config::keys::Kind;

    const SHIPPED: &str = include_str!("../../connector.toml");

    /// Returns the shipped file with every key that is commented out brought in, but without the
    /// example of an override.
    fn everything() -> DocumentMut {
        let shipped = SHIPPED.split("# [[override]]").next().unwrap();
        let bring_in = |line: &str| match line.strip_prefix("# ") {
            Some(rest) if is_assignment(rest) => rest.to_owned(),
            _ => line.to_owned(),
        };
        let lines: Vec<String> = shipped.lines().map(bring_in).collect();
        lines.join("\n").parse().unwrap()
    }

    fn is_assignment(line: &str) -> bool {
        let is_name_char = |char: char| char.is_ascii_lowercase() || "_.\"".contains(char);
        let name = line.split_once(" = ").map(|(name, _)| name);
        name.is_some_and(|name| !name.is_empty() && name.chars().all(is_name_char))
    }

    fn plain(value: &toml_edit::Item) -> String {
        let item = value.as_value().map(toml_edit::Value::to_string);
        item.unwrap_or_else(|| value.to_string()).trim().to_owned()
    }

    #[test]
    fn the_shipped_file_has_every_key_with_its_default_and_no_other() {
        let document = everything();
        let mut seen = BTreeSet::new();
        for key in keys::all() {
            seen.insert(key.path);
            let found =
                key.path.split('.').try_fold(document.as_item(), |item, name| item.get(name));
            let found = found.unwrap_or_else(|| panic!("{} is missing", key.path));
            let (Presence::Default(text) | Presence::Optional(text) | Presence::Required(text)) =
                key.presence;
            if key.kind == Kind::Properties {
                assert_eq!(found.as_table().unwrap().len(), 1);
                continue;
            }
            assert_eq!(plain(found), text, "{}", key.path);
        }
        for section in keys::sections() {
            let table =
                section.split('.').try_fold(document.as_item(), |item, name| item.get(name));
            for (name, item) in table.unwrap().as_table().unwrap() {
                let path = format!("{section}.{name}");
                assert!(item.is_table() || seen.contains(path.as_str()), "{path}");
            }
        }
    }

    #[test]
    fn the_shipped_file_has_a_table_for_each_section_and_no_long_line() {
        let lines: Vec<&str> = SHIPPED.lines().collect();
        let sections = lines.iter().filter(|line| line.starts_with('[')).count();
        let properties = 1;
        assert_eq!(sections, keys::sections().len() + properties);
        let long = lines.iter().find(|line| line.chars().count() > 100);
        assert_eq!(long, None);
    }

    #[test]
    fn the_reference_names_every_key() {
        let text = reference();
        for key in keys::all() {
            let line = format!("- `{}` (", key.split().1);
            assert!(text.contains(&line) && text.contains(key.doc), "{}", key.path);
        }
        for expected in [
            "### `[s3]`",
            "- `part_size` (a size as in `\"8 MiB\"`; default `\"8 MiB\"`): parts of multipart uploads, 5 MiB to 5 GiB; what ends below one part is put at once\n",
            "- `protocol` (`\"classic\"` | `\"consumer\"`; default `\"classic\"`): group protocol; `consumer` is KIP-848 and needs Kafka 4.0 or later\n",
        ] {
            assert!(text.contains(expected), "{expected}");
        }
    }
}
