//! The one table of keys: what a file may say, of which kind, with which default, and what it means.
//!
//! It owns: the list that drives the walk over a file, the suggestions for unknown keys, the
//! printed reference and the check of the shipped file.
//! It does not own: what a value becomes (`kafka`, `s3`, `topic`, `process`).

mod kafka;
mod layout;
mod process;
mod s3;

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A list of texts.
    Texts,
    Flag,
    CountOrOff,
    Count,
    Size,
    SizeOrOff,
    Duration,
    DurationOrOff,
    Choice(&'static [&'static str]),
    /// `"cores"` or a number.
    Workers,
    /// A word, or a table that names a field.
    Time,
    /// A text that is never printed.
    Secret,
    /// A file that exists.
    File,
    /// Names in quotes with a text, number or boolean each.
    Properties,
}

impl Kind {
    /// Returns what a value of this kind looks like, for messages and the reference.
    pub fn describe(self) -> String {
        match self {
            Self::Text | Self::Secret => "text".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Count => "a number".to_owned(),
            Self::CountOrOff => "a number or `\"off\"`".to_owned(),
            Self::Size => "a size as in `\"8 MiB\"`".to_owned(),
            Self::SizeOrOff => "a size as in `\"64 MiB\"`, or `\"off\"`".to_owned(),
            Self::Duration => "a duration as in `\"5 min\"`".to_owned(),
            Self::DurationOrOff => "a duration as in `\"5 min\"`, or `\"off\"`".to_owned(),
            Self::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                words.join(" | ")
            }
            Self::Workers => "`\"cores\"` or a number".to_owned(),
            Self::Time => {
                "`\"record\"`, `\"opened\"` or a table `{ field, format, zone }`".to_owned()
            }
            Self::File => "the path of a file".to_owned(),
            Self::Properties => "a table of names in quotes".to_owned(),
        }
    }

    /// Returns whether a value given as plain text (environment, `--set`) is that text itself,
    /// so that `007` stays a text.
    pub fn is_text(self) -> bool {
        match self {
            Self::Text | Self::Secret | Self::File | Self::Choice(_) => true,
            Self::Texts
            | Self::Flag
            | Self::Count
            | Self::CountOrOff
            | Self::Size
            | Self::SizeOrOff
            | Self::Duration
            | Self::DurationOrOff
            | Self::Workers
            | Self::Time
            | Self::Properties => false,
        }
    }
}

/// What happens where a file does not name the key. The texts are values as a file writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Default(&'static str),
    /// May be absent; the text is an example.
    Optional(&'static str),
    /// Must be there; the text is an example.
    Required(&'static str),
}

/// One key of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// As in `s3.bucket`.
    pub path: &'static str,
    pub kind: Kind,
    pub presence: Presence,
    /// A line or two for the reference.
    pub doc: &'static str,
}

const fn key(path: &'static str, kind: Kind, presence: Presence, doc: &'static str) -> Key {
    Key { path, kind, presence, doc }
}

impl Key {
    /// Returns the section and the name in it.
    pub fn split(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }

    /// Returns whether it can change while the daemon runs.
    pub fn is_live(&self) -> bool {
        const LIVE: [&str; 8] = [
            "kafka.topics",
            "kafka.topics_regex",
            "kafka.on_lost_records",
            "limits.memory",
            "limits.open_objects",
            "limits.drain",
            "http.show_keys",
            "log.level",
        ];
        matches!(self.split().0, "layout" | "seal" | "records" | "quarantine")
            || LIVE.contains(&self.path)
    }

    /// Returns whether an `[[override]]` may set it.
    pub fn is_per_topic(&self) -> bool {
        matches!(self.split().0, "layout" | "seal" | "records")
    }
}

/// How the name of an environment variable of ours begins.
pub const VARIABLE_PREFIX: &str = "SLUICE__";

/// Returns the environment variable for a path of keys.
pub fn variable_of(path: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

/// Returns every key, in the order of the shipped file.
pub fn all() -> impl Iterator<Item = &'static Key> {
    [kafka::KEYS, s3::KEYS, layout::KEYS, process::KEYS].into_iter().flatten()
}

/// Returns the key at `path`.
pub fn find(path: &str) -> Option<&'static Key> {
    all().find(|key| key.path == path)
}

/// Returns whether keys lie below `path`.
pub fn is_section(path: &str) -> bool {
    all().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// Returns every section, in the order of the shipped file.
pub fn sections() -> Vec<&'static str> {
    let mut sections = Vec::new();
    for key in all() {
        if !sections.contains(&key.split().0) {
            sections.push(key.split().0);
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_path_is_there_once_and_every_text_is_a_value() {
        let mut seen = BTreeSet::new();
        for key in all() {
            assert!(seen.insert(key.path), "{}", key.path);
            assert!(!is_section(key.path), "{}", key.path);
            let (Presence::Default(text) | Presence::Optional(text) | Presence::Required(text)) =
                key.presence;
            let line = format!("key = {text}");
            assert!(line.parse::<toml_edit::DocumentMut>().is_ok(), "{line}");
            assert!(!key.doc.is_empty() && !key.doc.ends_with('.'), "{}", key.path);
        }
    }

    #[test]
    fn variables_name_the_path() {
        assert_eq!(variable_of("s3.part_size"), "SLUICE__S3__PART_SIZE");
    }
}
