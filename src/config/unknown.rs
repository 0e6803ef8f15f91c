//! The walk over the whole tree for what no key of the table stands for.
//!
//! It owns: unknown keys with the nearest known one, sections that are no tables, names below
//! `kafka.properties` that should have been quoted. It does not own: the values of known keys.

use config::{Map, Value, ValueKind};

use super::fault::{Place, Report, Spot};
use super::keys::{self, Kind, variable_of};
use super::nearest::nearest;
use super::problem::Problem;
use super::reader::{Reader, kind_of};
use super::tree::{Tree, join};

pub(super) const OVERRIDE: &str = "override";
pub(super) const OVERRIDE_TOPICS: &str = "topics";
const TIME: &str = "layout.time";
/// Keys of the table that `layout.time` may be.
const TIME_KEYS: [&str; 3] = ["field", "format", "zone"];

/// Which keys may stand where the walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    File,
    Override,
}

/// Adds a fault for everything that is no key.
pub(super) fn check(tree: &Tree, report: &mut Report) {
    let mut walk = Walk { reader: Reader::new(tree, report) };
    if let ValueKind::Table(table) = &tree.root.kind {
        walk.table("", ("", table), Within::File);
    }
}

#[derive(Debug)]
struct Walk<'a> {
    reader: Reader<'a>,
}

impl<'a> Walk<'a> {
    /// Visits a table whose path in the file is `path` and whose path among the keys is `known`.
    fn table(&mut self, path: &str, table: (&str, &'a Map<String, Value>), within: Within) {
        let (known, table) = table;
        let mut names: Vec<_> = table.keys().collect();
        names.sort();
        for name in names {
            let Some(value) = table.get(name) else { continue };
            self.entry(&join(path, name), (&join(known, name), value), within);
        }
    }

    fn entry(&mut self, path: &str, entry: (&str, &'a Value), within: Within) {
        let (known, value) = entry;
        if within == Within::File && known == OVERRIDE {
            return self.overrides(value);
        }
        if within == Within::Override && known == OVERRIDE_TOPICS {
            return;
        }
        if let Some(key) = keys::find(known) {
            if within == Within::Override && !key.is_per_topic() {
                return self.fault(path, value, Problem::NotPerTopic);
            }
            return self.known(path, (key.kind, value));
        }
        match (&value.kind, keys::is_section(known)) {
            (ValueKind::Table(table), true) => self.table(path, (known, table), within),
            (_, true) => self.not_a_table(path, value),
            (_, false) => self.unknown(path, (known, value), within),
        }
    }

    fn known(&mut self, path: &str, known: (Kind, &'a Value)) {
        let (kind, value) = known;
        let ValueKind::Table(table) = &value.kind else { return };
        let mut names: Vec<_> = table.iter().collect();
        names.sort_by_key(|(name, _)| *name);
        for (name, inner) in names {
            let path = join(path, name);
            match (kind, &inner.kind) {
                (Kind::Properties, ValueKind::Table(_)) => {
                    let example = format!("\"{name}.{}\" = ...", dotted(inner));
                    self.fault(&path, inner, Problem::UnquotedProperty { example });
                }
                (Kind::Time, _) if !TIME_KEYS.contains(&name.as_str()) => {
                    let nearest = nearest(name, TIME_KEYS).map(|name| join(TIME, name));
                    self.fault(&path, inner, Problem::UnknownKey { nearest });
                }
                _ => {}
            }
        }
    }

    fn overrides(&mut self, value: &'a Value) {
        let is_file = |place: &Place| matches!(place, Place::File { .. });
        let list = match &value.kind {
            ValueKind::Array(list) if is_file(&self.reader.tree.place(OVERRIDE)) => list,
            ValueKind::Table(_) if is_file(&self.reader.tree.place(OVERRIDE)) => {
                let expected = "a list of tables, `[[override]]`,".to_owned();
                let problem = Problem::WrongType { expected, found: kind_of(value) };
                return self.fault(OVERRIDE, value, problem);
            }
            _ => return self.fault(OVERRIDE, value, Problem::OverrideOutsideFile),
        };
        for (index, entry) in list.iter().enumerate() {
            let path = format!("{OVERRIDE}[{index}]");
            match &entry.kind {
                ValueKind::Table(table) => self.table(&path, ("", table), Within::Override),
                _ => self.not_a_table(&path, entry),
            }
        }
    }

    fn not_a_table(&mut self, path: &str, value: &'a Value) {
        let expected = "a table of keys".to_owned();
        self.fault(path, value, Problem::WrongType { expected, found: kind_of(value) });
    }

    fn unknown(&mut self, path: &str, unknown: (&str, &'a Value), within: Within) {
        let (known, value) = unknown;
        let nearest = nearest_path(known, within);
        let nearest = match self.reader.tree.place(path) {
            Place::Variable(_) => nearest.map(|path| variable_of(&path)),
            Place::File { .. } | Place::Argument | Place::Default | Place::NoFile => nearest,
        };
        self.fault(path, value, Problem::UnknownKey { nearest });
    }

    fn fault(&mut self, path: &str, value: &'a Value, problem: Problem) {
        let spot: Spot = self.reader.found(path.to_owned(), value).spot;
        self.reader.fault(&spot, problem);
    }
}

/// Joins the names of tables in tables, as the person meant them.
fn dotted(value: &Value) -> String {
    match &value.kind {
        ValueKind::Table(table) => match table.iter().min_by_key(|(name, _)| *name) {
            Some((name, inner)) if matches!(inner.kind, ValueKind::Table(_)) => {
                format!("{name}.{}", dotted(inner))
            }
            Some((name, _)) => name.clone(),
            None => "...".to_owned(),
        },
        _ => String::new(),
    }
}

/// Returns the key or section that was probably meant: a neighbour with nearly that name, the same
/// name in another section, or nearly the same path.
fn nearest_path(path: &str, within: Within) -> Option<String> {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let allowed: Vec<&str> = keys::all()
        .filter(|key| within == Within::File || key.is_per_topic())
        .map(|key| key.path)
        .chain(keys::sections().into_iter().filter(|_| within == Within::File))
        .chain((within == Within::File).then_some(OVERRIDE))
        .chain((within == Within::Override).then_some(OVERRIDE_TOPICS))
        .collect();
    let split = |path: &'static str| path.rsplit_once('.').unwrap_or(("", path));
    let siblings = allowed.iter().map(|path| split(path)).filter(|(of, _)| *of == section);
    if let Some(sibling) = nearest(name, siblings.map(|(_, name)| name)) {
        return Some(join(section, sibling));
    }
    let same_name = allowed.iter().find(|path| split(path).1 == name);
    let found = same_name.copied().or_else(|| nearest(path, allowed.iter().copied()));
    found.map(str::to_owned)
}
