//! Values of the tree by key, checked against the kind that the table of keys says.
//!
//! It owns: types, durations, sizes, words; a fault for each value that is not of its key's kind.
//! It does not own: what a value means beyond its kind.

use std::time::Duration;

use bytesize::ByteSize;
use config::{Value, ValueKind};

use super::fault::{Caution, Report, Spot};
use super::keys::{self, Key, Kind, Presence};
use super::masked::masked;
use super::nearest::nearest;
use super::problem::Problem;
use super::tree::{Tree, child};

/// Long values are cut: the line number finds the rest.
const SHOWN_CHARS_MAX: usize = 80;
const OFF: &str = "off";

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) spot: Spot,
    pub(super) value: T,
}

/// Reads the tree, for one override or for all topics.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) tree: &'a Tree,
    pub(super) report: &'a mut Report,
    scope: Option<(usize, &'a Value)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(tree: &'a Tree, report: &'a mut Report) -> Self {
        Self { tree, report, scope: None }
    }

    /// Returns a reader for which the override at `index` goes before everything else.
    pub(super) fn scoped(&mut self, index: usize, table: &'a Value) -> Reader<'_> {
        Reader { tree: self.tree, report: self.report, scope: Some((index, table)) }
    }

    /// Returns whatever stands at `key`.
    pub(super) fn find(&self, key: &str) -> Option<Found<&'a Value>> {
        if let Some((index, table)) = self.scope
            && let Some(value) = key.split('.').try_fold(table, child)
        {
            return Some(self.found(format!("override[{index}].{key}"), value));
        }
        let value = self.tree.get(key).filter(|value| value.kind != ValueKind::Nil)?;
        Some(self.found(key.to_owned(), value))
    }

    /// Returns a value that was found by other means, with its spot.
    pub(super) fn found(&self, path: String, value: &'a Value) -> Found<&'a Value> {
        let shown = (!is_secret(&path)).then(|| show(value));
        let spot = Spot { place: self.tree.place(&path), key: path, value: shown };
        Found { spot, value }
    }

    /// Says whether a spot belongs to this reader's own scope and not to what it falls back on.
    pub(super) fn is_own(&self, spot: &Spot) -> bool {
        self.scope.is_none_or(|(index, _)| spot.key.starts_with(&format!("override[{index}].")))
    }

    /// Returns what stands at the first of `keys` that this reader's own scope sets, or else at the
    /// first of them: where a fault of several values together is told.
    pub(super) fn find_own(&self, keys: &[&str]) -> Option<Found<&'a Value>> {
        let mut found = keys.iter().filter_map(|key| self.find(key));
        let first = found.next()?;
        if self.is_own(&first.spot) {
            return Some(first);
        }
        Some(found.find(|found| self.is_own(&found.spot)).unwrap_or(first))
    }

    /// Returns a spot for what is missing.
    pub(super) fn missing(&self, key: &str) -> Spot {
        Spot { place: self.tree.place_of_missing(key), key: key.to_owned(), value: None }
    }

    pub(super) fn fault(&mut self, spot: &Spot, problem: Problem) {
        self.report.fault(spot, problem);
    }

    pub(super) fn warn(&mut self, spot: &Spot, caution: Caution) {
        self.report.warn(spot, caution);
    }

    fn wrong_type<T>(&mut self, found: &Found<&Value>, expected: String) -> Option<T> {
        let problem = Problem::WrongType { expected, found: kind_of(found.value) };
        self.report.fault(&found.spot, problem);
        None
    }

    fn wanted(key: &str) -> String {
        keys::find(key).map_or_else(|| Kind::Text.describe(), |key| key.kind.describe())
    }

    pub(super) fn text(&mut self, key: &str) -> Option<Found<String>> {
        let found = self.find(key)?;
        match &found.value.kind {
            ValueKind::String(text) => Some(Found { value: text.clone(), spot: found.spot }),
            _ => self.wrong_type(&found, Self::wanted(key)),
        }
    }

    /// Returns the text at `key` as what `parse` makes of it.
    pub(super) fn parse<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Option<T> {
        let Found { spot, value } = self.text(key)?;
        parse(&value).map_err(|problem| self.fault(&spot, problem)).ok()
    }

    /// Returns the texts of a list, each with its own line.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<Found<String>>> {
        let found = self.find(key)?;
        let ValueKind::Array(items) = &found.value.kind else {
            return self.wrong_type(&found, Self::wanted(key));
        };
        if items.is_empty() {
            self.fault(&found.spot, Problem::Empty);
        }
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let item = self.found(format!("{key}[{index}]"), item);
            match &item.value.kind {
                ValueKind::String(text) => {
                    texts.push(Found { value: text.clone(), spot: item.spot });
                }
                _ => self.wrong_type::<()>(&item, Kind::Text.describe()).unwrap_or(()),
            }
        }
        Some(texts)
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let found = self.find(key)?;
        match found.value.kind {
            ValueKind::Boolean(flag) => Some(flag),
            _ => self.wrong_type(&found, Self::wanted(key)),
        }
    }

    /// Returns the word at `key` as what `parse` makes of it; the table of keys lists the words.
    pub(super) fn choice<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let Found { spot, value } = self.text(key)?;
        let choice = parse(&value);
        if choice.is_none() {
            self.fault(&spot, not_a_word(key, &value));
        }
        choice
    }

    pub(super) fn count(&mut self, key: &str) -> Option<Found<u64>> {
        let found = self.find(key)?;
        self.count_of(key, found)
    }

    pub(super) fn count_or_off(&mut self, key: &str) -> Option<Found<Option<u64>>> {
        let found = self.find(key)?;
        if is_off(found.value) {
            return Some(Found { spot: found.spot, value: None });
        }
        self.count_of(key, found).map(some)
    }

    fn count_of(&mut self, key: &str, found: Found<&Value>) -> Option<Found<u64>> {
        let number = match found.value.kind {
            ValueKind::I64(number) => u64::try_from(number).ok().filter(|number| *number > 0),
            ValueKind::String(_) => {
                self.fault(&found.spot, Problem::NotACount);
                return None;
            }
            _ => return self.wrong_type(&found, Self::wanted(key)),
        };
        self.positive(found.spot, number)
    }

    fn positive(&mut self, spot: Spot, number: Option<u64>) -> Option<Found<u64>> {
        if number.is_none() {
            self.fault(&spot, Problem::NotPositive);
        }
        Some(Found { value: number?, spot })
    }

    /// Returns the value if it lies between two numbers.
    pub(super) fn within(
        &mut self,
        found: Found<u64>,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<Found<u64>> {
        if range.contains(&found.value) {
            return Some(found);
        }
        let (least, most) = (range.start().to_string(), range.end().to_string());
        self.fault(&found.spot, Problem::OutOfRange { least, most });
        None
    }

    pub(super) fn size(&mut self, key: &str) -> Option<Found<u64>> {
        let found = self.find(key)?;
        self.size_of(key, found)
    }

    pub(super) fn size_or_off(&mut self, key: &str) -> Option<Found<Option<u64>>> {
        let found = self.find(key)?;
        if is_off(found.value) {
            return Some(Found { spot: found.spot, value: None });
        }
        self.size_of(key, found).map(some)
    }

    fn size_of(&mut self, key: &str, found: Found<&Value>) -> Option<Found<u64>> {
        let bytes = match &found.value.kind {
            ValueKind::I64(number) => Some(u64::try_from(*number).unwrap_or(0)),
            ValueKind::String(text) => parse_size(text),
            _ => return self.wrong_type(&found, Self::wanted(key)),
        };
        if bytes.is_none() {
            self.fault(&found.spot, Problem::NotASize);
        }
        self.positive(found.spot, Some(bytes?).filter(|bytes| *bytes > 0))
    }

    pub(super) fn duration(&mut self, key: &str) -> Option<Found<Duration>> {
        let found = self.find(key)?;
        self.duration_of(key, found)
    }

    pub(super) fn duration_or_off(&mut self, key: &str) -> Option<Found<Option<Duration>>> {
        let found = self.find(key)?;
        if is_off(found.value) {
            return Some(Found { spot: found.spot, value: None });
        }
        self.duration_of(key, found).map(some)
    }

    fn duration_of(&mut self, key: &str, found: Found<&Value>) -> Option<Found<Duration>> {
        let ValueKind::String(text) = &found.value.kind else {
            return self.wrong_type(&found, Self::wanted(key));
        };
        let Ok(duration) = humantime::parse_duration(text) else {
            self.fault(&found.spot, Problem::NotADuration);
            return None;
        };
        if !(DURATION_MIN..=DURATION_MAX).contains(&duration) {
            let (least, most) = ("1 ms".to_owned(), "365 days".to_owned());
            self.fault(&found.spot, Problem::OutOfRange { least, most });
            return None;
        }
        Some(Found { value: duration, spot: found.spot })
    }

    /// Says whether a section is a table, as it should be.
    pub(super) fn has_section(&self, section: &str) -> bool {
        let section = self.tree.get(section);
        section.is_some_and(|value| matches!(value.kind, ValueKind::Table(_)))
    }

    /// Adds a fault for each key that must be there and is not, leaving out those whose whole
    /// section is not a table.
    pub(super) fn check_required(&mut self) {
        for key in keys::all() {
            let Presence::Required(example) = key.presence else { continue };
            // `kafka.topics` has an alternative, which `kafka` looks at.
            if key.path == "kafka.topics" || !self.has_section(key.split().0) {
                continue;
            }
            if self.find(key.path).is_none() {
                let example = format!("{} = {example}", key.split().1);
                self.fault(&self.missing(key.path), Problem::Missing { example });
            }
        }
    }
}

/// The engine counts in milliseconds; a batch that stays open for a year is a slip.
const DURATION_MIN: Duration = Duration::from_millis(1);
const DURATION_MAX: Duration = Duration::from_secs(365 * 86_400);

fn some<T>(found: Found<T>) -> Found<Option<T>> {
    Found { spot: found.spot, value: Some(found.value) }
}

/// Misspelt keys and properties are judged by their names.
pub(super) fn is_secret(path: &str) -> bool {
    match keys::find(path) {
        Some(key) => key.kind == Kind::Secret,
        None => {
            let path = path.to_lowercase();
            ["pass", "pwd", "secret", "token", "credential", "access_key", "key.pem"]
                .iter()
                .any(|mark| path.contains(mark))
        }
    }
}

fn is_off(value: &Value) -> bool {
    matches!(&value.kind, ValueKind::String(text) if text == OFF)
}

/// Sizes that no file may reach (over 2^53, where fractions get lost) are none.
fn parse_size(text: &str) -> Option<u64> {
    let bytes = text.trim().parse::<ByteSize>().ok()?.as_u64();
    (bytes <= 1 << 53).then_some(bytes)
}

/// Returns the fault of a word that is none of its key's.
pub(super) fn not_a_word(key: &str, word: &str) -> Problem {
    let words = match keys::find(key) {
        Some(Key { kind: Kind::Choice(words), .. }) => *words,
        Some(_) | None => &[],
    };
    let nearest = nearest(word, words.iter().copied()).map(str::to_owned);
    Problem::NotAWord { allowed: list(words), nearest }
}

/// Returns words in backticks with commas.
pub(super) fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

pub(super) fn kind_of(value: &Value) -> &'static str {
    match value.kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "a boolean",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => {
            "a number"
        }
        ValueKind::Float(_) => "a fraction",
        ValueKind::String(_) => "text",
        ValueKind::Table(_) => "a table",
        ValueKind::Array(_) => "a list",
    }
}

/// Returns a value as a file would write it, cut where it is long.
pub(super) fn show(value: &Value) -> String {
    let full = show_all(value);
    match full.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("`{}...`", &full[..end]),
        None => format!("`{full}`"),
    }
}

/// The same whole, without quotes around it.
pub(super) fn show_all(value: &Value) -> String {
    match &value.kind {
        ValueKind::Nil => String::new(),
        ValueKind::Boolean(flag) => flag.to_string(),
        ValueKind::I64(number) => number.to_string(),
        ValueKind::I128(number) => number.to_string(),
        ValueKind::U64(number) => number.to_string(),
        ValueKind::U128(number) => number.to_string(),
        ValueKind::Float(number) => number.to_string(),
        ValueKind::String(text) => format!("\"{}\"", masked(text).escape_debug()),
        ValueKind::Array(items) => {
            format!("[{}]", items.iter().map(show_all).collect::<Vec<_>>().join(", "))
        }
        ValueKind::Table(table) => {
            let mut names: Vec<_> = table.keys().map(String::as_str).collect();
            names.sort_unstable();
            format!("{{ {} }}", names.join(", "))
        }
    }
}
