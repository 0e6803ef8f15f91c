//! The settings as people read them: every key with the value that holds, secrets left out.

use config::ValueKind;

use super::fault::Place;
use super::keys::{self, Kind};
use super::reader::{is_secret, show_all};
use super::tree::{Tree, join};
use super::unknown::OVERRIDE;

/// What stands for a secret that was given.
const HIDDEN: &str = "(not shown)";

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// As in `seal.age`.
    pub key: String,
    /// As a file would write it.
    pub value: String,
    pub origin: Origin,
}

/// Who gave a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File,
    Environment,
    Argument,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Argument => "--set",
        }
    }
}

/// Returns every key that has a value, in the order of the shipped file; the overrides last.
pub(super) fn shown(tree: &Tree) -> Vec<Shown> {
    let mut all = Vec::new();
    for key in keys::all() {
        let Some(value) = tree.get(key.path) else { continue };
        match (&value.kind, key.kind) {
            (ValueKind::Nil, _) => {}
            (ValueKind::Table(table), Kind::Properties) => {
                let mut names: Vec<_> = table.iter().collect();
                names.sort_by_key(|(name, _)| *name);
                for (name, value) in names {
                    all.push(one(tree, join(key.path, name), || show_all(value)));
                }
            }
            _ => all.push(one(tree, key.path.to_owned(), || show_all(value))),
        }
    }
    if let Some(ValueKind::Array(list)) = tree.get(OVERRIDE).map(|value| &value.kind) {
        for (index, table) in list.iter().enumerate() {
            below(tree, &format!("{OVERRIDE}[{index}]"), table, &mut all);
        }
    }
    all
}

/// Adds what stands below a table, each value by its whole path.
fn below(tree: &Tree, path: &str, value: &config::Value, all: &mut Vec<Shown>) {
    let ValueKind::Table(table) = &value.kind else {
        return all.push(one(tree, path.to_owned(), || show_all(value)));
    };
    let mut names: Vec<_> = table.iter().collect();
    names.sort_by_key(|(name, _)| *name);
    for (name, value) in names {
        below(tree, &join(path, name), value, all);
    }
}

fn one(tree: &Tree, key: String, value: impl FnOnce() -> String) -> Shown {
    let origin = match tree.place(&key) {
        Place::Default | Place::NoFile => Origin::Default,
        Place::File { .. } => Origin::File,
        Place::Variable(_) => Origin::Environment,
        Place::Argument => Origin::Argument,
    };
    let value = if is_secret(&key) { HIDDEN.to_owned() } else { value() };
    Shown { key, value, origin }
}
