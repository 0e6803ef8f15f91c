//! File, environment and `--set` merged into one tree, with the place of each value beside it.
//!
//! It owns: reading the three sources and which of them wins (`--set` over environment over file
//! over default). It does not own: what the values mean.
//!
//! The `config` crate merges the sources. Its own readers are not used: the one for files keeps no
//! lines, the one for the environment turns names to lower case and forgets the variable. All
//! tables hang below one plain root, because the crate parses the topmost names as expressions.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::{Config, ConfigError, Map, Value, ValueKind};
use toml_edit::{Document, Item, TableLike};

use super::fault::{Place, Report, Spot};
use super::keys::{self, Kind, Presence, VARIABLE_PREFIX};
use super::problem::Problem;
use super::{FileText, Sources};

const ROOT: &str = "root";
const PROPERTIES: &str = "kafka.properties";

/// Every value that was given or is a default.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Value,
    places: BTreeMap<String, Place>,
    whole: Place,
    is_file_lost: bool,
}

/// One source on its way into the tree.
#[derive(Clone, Debug)]
struct Layer(Value);

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(Map::from_iter([(ROOT.to_owned(), self.0.clone())]))
    }
}

/// Returns the path of `name` below `parent`, the name in quotes where TOML wants them.
pub(super) fn join(parent: &str, name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let name = match name.bytes().all(is_bare) && !name.is_empty() {
        true => name.to_owned(),
        false => format!("\"{}\"", name.escape_debug()),
    };
    if parent.is_empty() { name } else { format!("{parent}.{name}") }
}

impl Tree {
    /// Reads the sources. A file that is not TOML counts as empty beside its fault.
    pub(super) fn read(sources: &Sources<'_>, report: &mut Report) -> Self {
        let whole = match sources.file {
            Some(file) => Place::File { path: file.path.clone(), line: None },
            None => Place::NoFile,
        };
        let mut places = BTreeMap::new();
        let mut layers = vec![defaults(&mut places)];
        let file = sources.file.map(|file| file_layer(file, &mut places, report));
        let is_file_lost = matches!(file, Some(None));
        layers.extend(file.flatten());
        layers.extend(variable_layers(sources.variables, &mut places));
        layers.extend(argument_layers(sources.arguments, &mut places, report));
        Self { root: merge(layers), places, whole, is_file_lost }
    }

    /// Says whether there is a file that is not TOML.
    pub(super) fn is_file_lost(&self) -> bool {
        self.is_file_lost
    }

    /// Returns the value at a path of plain names.
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.root, |value, name| child(value, name))
    }

    /// Makes what stands at a path of plain names `value`, or removes it.
    pub(super) fn set(&mut self, path: &str, value: Option<Value>) {
        set_below(&mut self.root, path, value);
    }

    /// Returns where `path` was given, or else the nearest section around it that is there.
    pub(super) fn place(&self, path: &str) -> Place {
        let mut around = path;
        loop {
            if let Some(place) = self.places.get(around) {
                return place.clone();
            }
            match around.rfind(['.', '[']) {
                Some(end) => around = &around[..end],
                None => return self.whole.clone(),
            }
        }
    }

    /// Returns where something that is missing should be added: its section's line, or the file.
    pub(super) fn place_of_missing(&self, path: &str) -> Place {
        let section = path.rsplit_once('.').map_or("", |(section, _)| section);
        match self.places.get(section) {
            Some(place @ Place::File { .. }) => place.clone(),
            Some(Place::Variable(_) | Place::Argument | Place::Default | Place::NoFile) | None => {
                self.whole.clone()
            }
        }
    }
}

/// Returns the value called `name` below a table.
pub(super) fn child<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match &value.kind {
        ValueKind::Table(table) => table.get(name),
        _ => None,
    }
}

fn set_below(around: &mut Value, path: &str, value: Option<Value>) {
    let ValueKind::Table(table) = &mut around.kind else { return };
    match (path.split_once('.'), value) {
        (Some((name, rest)), value) => {
            let empty = || Value::new(None, ValueKind::Table(Map::new()));
            set_below(table.entry(name.to_owned()).or_insert_with(empty), rest, value);
        }
        (None, Some(value)) => drop(table.insert(path.to_owned(), value)),
        (None, None) => drop(table.remove(path)),
    }
}

fn merge(layers: Vec<Value>) -> Value {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(Layer(layer));
    }
    let merged = builder.build().ok();
    merged
        .and_then(|merged| child(&merged.cache, ROOT).cloned())
        .unwrap_or_else(|| Value::new(None, ValueKind::Table(Map::new())))
}

fn defaults(places: &mut BTreeMap<String, Place>) -> Value {
    let mut root = Value::new(None, ValueKind::Table(Map::new()));
    for key in keys::all() {
        if let Presence::Default(text) = key.presence
            && let Some(value) = parse_value(text)
        {
            places.insert(key.path.to_owned(), Place::Default);
            root = merge(vec![root, nest(key.path, value)]);
        }
    }
    root
}

/// Wraps a value into the tables of a path of plain names.
fn nest(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, name| nest_one(name, inner))
}

fn nest_one(name: &str, value: Value) -> Value {
    Value::new(None, ValueKind::Table(Map::from_iter([(name.to_owned(), value)])))
}

fn parse_value(text: &str) -> Option<Value> {
    text.parse::<toml_edit::Value>().ok().map(|value| plain_value(&value))
}

fn plain_value(value: &toml_edit::Value) -> Value {
    let kind = match value {
        toml_edit::Value::String(text) => ValueKind::String(text.value().clone()),
        toml_edit::Value::Integer(number) => ValueKind::I64(*number.value()),
        toml_edit::Value::Float(number) => ValueKind::Float(*number.value()),
        toml_edit::Value::Boolean(flag) => ValueKind::Boolean(*flag.value()),
        toml_edit::Value::Datetime(moment) => ValueKind::String(moment.value().to_string()),
        toml_edit::Value::Array(list) => ValueKind::Array(list.iter().map(plain_value).collect()),
        toml_edit::Value::InlineTable(table) => ValueKind::Table(
            table.iter().map(|(name, value)| (name.to_owned(), plain_value(value))).collect(),
        ),
    };
    Value::new(None, kind)
}

/// What reads a file: its text, for lines, and the places found so far.
struct FileWalk<'a> {
    file: &'a FileText,
    places: &'a mut BTreeMap<String, Place>,
}

fn file_layer(
    file: &FileText,
    places: &mut BTreeMap<String, Place>,
    report: &mut Report,
) -> Option<Value> {
    match Document::parse(file.text.as_str()) {
        Ok(document) => Some(FileWalk { file, places }.table("", document.as_table())),
        Err(error) => {
            let line = error.span().map(|span| line_of(&file.text, span.start));
            let place = Place::File { path: file.path.clone(), line };
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            let spot = Spot { place, key: String::new(), value: None };
            report.fault(&spot, Problem::Syntax { message });
            None
        }
    }
}

fn line_of(text: &str, position: usize) -> usize {
    text.bytes().take(position).filter(|byte| *byte == b'\n').count() + 1
}

impl FileWalk<'_> {
    fn note(&mut self, path: &str, span: Option<std::ops::Range<usize>>) {
        let line = span.map(|span| line_of(&self.file.text, span.start));
        let place = Place::File { path: Arc::clone(&self.file.path), line };
        self.places.insert(path.to_owned(), place);
    }

    fn table(&mut self, path: &str, table: &dyn TableLike) -> Value {
        let mut map = Map::new();
        for (name, item) in table.iter() {
            let path = join(path, name);
            self.note(&path, table.key(name).and_then(toml_edit::Key::span));
            map.insert(name.to_owned(), self.item(&path, item));
        }
        Value::new(None, ValueKind::Table(map))
    }

    fn item(&mut self, path: &str, item: &Item) -> Value {
        if let Some(table) = item.as_table_like() {
            return self.table(path, table);
        }
        if let Some(tables) = item.as_array_of_tables() {
            let mut list = Vec::new();
            for (index, table) in tables.iter().enumerate() {
                list.push(self.element(&format!("{path}[{index}]"), table.span(), table));
            }
            return Value::new(None, ValueKind::Array(list));
        }
        match item.as_value() {
            Some(toml_edit::Value::Array(values)) => self.list(path, values),
            Some(value) => plain_value(value),
            None => Value::new(None, ValueKind::Nil),
        }
    }

    fn list(&mut self, path: &str, values: &toml_edit::Array) -> Value {
        let mut list = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match value {
                toml_edit::Value::InlineTable(table) => {
                    list.push(self.element(&path, value.span(), table));
                }
                toml_edit::Value::String(_)
                | toml_edit::Value::Integer(_)
                | toml_edit::Value::Float(_)
                | toml_edit::Value::Boolean(_)
                | toml_edit::Value::Datetime(_)
                | toml_edit::Value::Array(_) => {
                    self.note(&path, value.span());
                    list.push(plain_value(value));
                }
            }
        }
        Value::new(None, ValueKind::Array(list))
    }

    fn element(
        &mut self,
        path: &str,
        span: Option<std::ops::Range<usize>>,
        table: &dyn TableLike,
    ) -> Value {
        self.note(path, span);
        self.table(path, table)
    }
}

fn variable_layers(
    variables: &BTreeMap<String, String>,
    places: &mut BTreeMap<String, Place>,
) -> Vec<Value> {
    let mut layers = Vec::new();
    for (variable, text) in variables {
        let Some(rest) = variable.strip_prefix(VARIABLE_PREFIX) else { continue };
        let names = rest.to_lowercase().replace("__", ".");
        // No shell takes dots in a name, and no property of a consumer has an underscore.
        let names = match names.strip_prefix("kafka.properties.") {
            Some(property) => format!("{PROPERTIES}.{}", property.replace('_', ".")),
            None => names,
        };
        layers.push(assign(&names, text, (Place::Variable(variable.clone()), places)));
    }
    layers
}

fn argument_layers(
    arguments: &[String],
    places: &mut BTreeMap<String, Place>,
    report: &mut Report,
) -> Vec<Value> {
    let mut layers = Vec::new();
    for argument in arguments {
        match argument.split_once('=') {
            Some((path, text)) if !path.trim().is_empty() => {
                layers.push(assign(path.trim(), text.trim(), (Place::Argument, places)));
            }
            Some(_) | None => {
                let value = Some(format!("`{}`", argument.escape_debug()));
                let spot = Spot { place: Place::Argument, key: String::new(), value };
                report.fault(&spot, Problem::NotAnAssignment);
            }
        }
    }
    layers
}

/// Returns a layer that sets one value from plain text, and notes its place.
fn assign(path: &str, text: &str, at: (Place, &mut BTreeMap<String, Place>)) -> Value {
    let (place, places) = at;
    if let Some(property) = path.strip_prefix("kafka.properties.") {
        let property = property.trim_matches('"');
        places.insert(join(PROPERTIES, property), place);
        let value = Value::new(None, ValueKind::String(text.to_owned()));
        return nest(PROPERTIES, nest_one(property, value));
    }
    places.retain(|known, _| {
        known != path
            && !known.starts_with(&format!("{path}["))
            && !known.starts_with(&format!("{path}."))
    });
    places.insert(path.to_owned(), place);
    nest(path, value_of_text(keys::find(path).map_or(Kind::Text, |key| key.kind), text))
}

/// Reads plain text as the kind wants it: a text is itself, a list has commas, the rest is TOML
/// or, where it is none (`5 s`), a text.
fn value_of_text(kind: Kind, text: &str) -> Value {
    let quoted = text.len() > 1 && text.starts_with('"') && text.ends_with('"');
    if kind.is_text() && !quoted {
        return Value::new(None, ValueKind::String(text.to_owned()));
    }
    if let Some(value) = parse_value(text) {
        return value;
    }
    if kind == Kind::Texts {
        let items = text.split(',').map(|item| Value::from(item.trim()));
        return Value::new(None, ValueKind::Array(items.collect()));
    }
    Value::new(None, ValueKind::String(text.to_owned()))
}
