//! Holds the arrows between the layers: what a folder of `src/` may import.
//!
//! It owns: the table, and reading `crate::...` paths and crate names out of the source.
//! It does not own: anything the compiler checks already.

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A layer, and the layers that it may import beside itself.
const LAYERS: [(&str, &[&str]); 10] = [
    ("mutant", &[]),
    ("model", &[]),
    ("format", &["model"]),
    ("layout", &["model", "format"]),
    ("engine", &["mutant", "model", "format", "layout"]),
    ("config", &["model", "format", "layout"]),
    ("kafka", &["mutant", "model"]),
    ("s3", &["mutant", "model"]),
    ("daemon", &["mutant", "model", "format", "layout", "engine", "config", "kafka", "s3"]),
    (
        "command",
        &["mutant", "model", "format", "layout", "engine", "config", "kafka", "s3", "daemon"],
    ),
];

/// Layers that compute: same input, same output.
const PURE: [&str; 4] = ["model", "format", "layout", "engine"];

/// What a pure layer never names outside its tests.
const IMPURE: [&str; 11] = [
    "tokio::",
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::thread",
    "std::env",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "rand::",
];

/// Crates that speak to the outside, and the layers that may name them. `command` holds the demo's
/// servers and the emulation's producer.
const EDGES: [(&str, &[&str]); 5] = [
    ("rdkafka", &["kafka", "command"]),
    ("rdkafka_sys", &["kafka"]),
    ("aws_sdk_s3", &["s3", "command"]),
    ("axum", &["daemon", "command"]),
    ("s3s", &["command"]),
];

#[test]
fn layers_import_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(layer) = &source.layer else { continue };
        let allowed = LAYERS.iter().find(|(name, _)| name == layer).map(|(_, allowed)| allowed);
        let Some(allowed) = allowed else {
            wrong.push(format!("{}: `{layer}` is no layer of the table", source.name));
            continue;
        };
        for import in imports(&source.text) {
            if import != *layer && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{}: `{layer}` imports `{import}`", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_layers_touch_nothing_outside() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.layer.as_deref().is_some_and(|layer| PURE.contains(&layer)) {
            continue;
        }
        let code = without_tests(&source);
        let named = IMPURE.iter().filter(|name| names(code, name));
        wrong.extend(named.map(|name| format!("{} names `{name}`", source.name)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn crates_of_the_edges_stay_in_their_layers() {
    let mut wrong = Vec::new();
    for source in sources() {
        let layer = source.layer.as_deref().unwrap_or("the root");
        for (crate_name, allowed) in EDGES {
            let named = names(&source.text, &format!("{crate_name}::"));
            if named && !allowed.contains(&layer) {
                wrong.push(format!("{}: `{layer}` names `{crate_name}`", source.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::model::Offset;\n    let x = crate::s3::put(1);\n\
                use crate::{\n    daemon::{Log, Page},\n    kafka,\n};\n\
                pub(in crate::format) fn f() {}\nmycrate::none::X";
    let expected = ["daemon", "format", "kafka", "model", "s3"];
    assert_eq!(imports(text).into_iter().collect::<Vec<_>>(), expected);
}

struct Source {
    name: String,
    /// None for `lib.rs` and `main.rs`.
    layer: Option<String>,
    /// Without comments.
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(!files.is_empty());
    let sources = files.into_iter().map(|path| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let first = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let layer = (!["lib", "main"].contains(&first.as_str())).then_some(first);
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        Source { name, layer, text: code.map(|line| format!("{line}\n")).collect() }
    });
    sources.collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The first parts of all paths that begin at the crate's root.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, start) in text.match_indices("crate::") {
        if text[..at].ends_with(is_of_a_name) {
            continue;
        }
        let rest = &text[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(heads(group)),
            None => found.extend(head(rest)),
        }
    }
    found
}

/// The first part of each path of a group, up to the brace that closes it.
fn heads(group: &str) -> Vec<String> {
    let mut heads: Vec<String> = head(group.trim_start()).into_iter().collect();
    let mut depth = 0;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.extend(head(group[at + 1..].trim_start())),
            _ => (),
        }
    }
    heads
}

fn head(path: &str) -> Option<String> {
    let name: String = path.chars().take_while(|letter| is_of_a_name(*letter)).collect();
    (!name.is_empty()).then_some(name)
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Whether the text names this path, and not one that only ends with it.
fn names(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| !text[..at].ends_with(is_of_a_name))
}

/// The code before the file's tests, which stand at its end; nothing of a file of tests.
fn without_tests(source: &Source) -> &str {
    if source.name.ends_with("/tests.rs") {
        return "";
    }
    source.text.split("#[cfg(test)]").next().unwrap_or_default()
}
