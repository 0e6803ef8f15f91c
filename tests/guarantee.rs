//! `GUARANTEE.md` says nothing that no test holds: each statement names tests, and they exist.
//!
//! It owns: reading the page. It does not own: whether a test tests what it is named beside.

// Functions beside the tests are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

/// A sentence of a list, or a row of a table.
#[derive(Debug, PartialEq, Eq)]
struct Statement {
    text: String,
    tests: Vec<String>,
}

fn read(name: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).ok()
}

/// Returns every paragraph of the page below its first heading of a section, but those that only
/// introduce a list or a table.
fn statements(page: &str) -> Vec<Statement> {
    let (_, sections) = page.split_once("\n## ").unwrap();
    let mut statements = Vec::new();
    for section in sections.split("\n## ") {
        let (_heading, body) = section.split_once('\n').unwrap();
        let rows = body.lines().filter(|line| line.starts_with('|')).skip(2);
        statements.extend(rows.map(statement));
        let items: Vec<&str> = body.split("\n\n").flat_map(items).collect();
        statements.extend(items.into_iter().map(statement));
    }
    statements
}

/// Returns the items of a numbered list, each with its continued lines.
fn items(paragraph: &str) -> Vec<&str> {
    let paragraph = paragraph.trim_start();
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    for line in paragraph.split_inclusive('\n') {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && line[digits..].starts_with(". ") {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([paragraph.len()]);
    starts.iter().zip(ends).map(|(start, end)| &paragraph[*start..end]).collect()
}

/// What stands in backticks with `::` inside is a test.
fn statement(text: &str) -> Statement {
    let quoted = text.split('`').skip(1).step_by(2);
    let tests = quoted.filter(|quoted| quoted.contains(".rs::")).map(str::to_owned).collect();
    Statement { text: text.trim().to_owned(), tests }
}

/// Returns whether the file has a test of this name.
fn exists(reference: &str) -> bool {
    let Some((file, name)) = reference.split_once("::") else { return false };
    let Some(source) = read(file) else { return false };
    let head = format!("fn {name}(");
    let Some(at) = source.find(&head) else { return false };
    let before = source[..at].rsplit("\n\n").next().unwrap_or_default();
    before.contains("#[test]") || before.contains("#[tokio::test")
}

#[test]
fn every_statement_names_tests_that_exist() {
    let page = read("GUARANTEE.md").unwrap();
    let statements = statements(&page);
    assert!(statements.len() > 50, "only {} statements were found", statements.len());
    let mut wrong = Vec::new();
    for Statement { text, tests } in &statements {
        if tests.is_empty() {
            wrong.push(format!("no test: {text}"));
        }
        let missing = tests.iter().filter(|test| !exists(test));
        wrong.extend(missing.map(|test| format!("there is no `{test}`: {text}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let named: usize = statements.iter().map(|statement| statement.tests.len()).sum();
    let of_page = page.split(".rs::").count() - 1;
    assert_eq!(named, of_page, "a test is named beside no statement");
}

/// A sentence outside of a list or table would escape the test above.
#[test]
fn nothing_is_said_beside_the_statements_but_introductions() {
    const INTRODUCTIONS_MAX: usize = 2;
    let page = read("GUARANTEE.md").unwrap();
    let (_, sections) = page.split_once("\n## ").unwrap();
    let paragraphs = sections.split("\n\n").map(str::trim);
    let is_plain = |text: &&str| {
        let first = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
        !text.is_empty() && !first.starts_with('|') && items(text).is_empty() && text.contains('.')
    };
    let plain: Vec<&str> = paragraphs.filter(is_plain).collect();
    assert!(plain.len() <= INTRODUCTIONS_MAX, "{plain:#?}");
}

/// Reasons that are named where a partition stops are those of the program.
#[test]
fn every_reason_of_the_page_is_one_of_the_program() {
    let page = read("GUARANTEE.md").unwrap();
    let reasons = read("src/engine/stop.rs").unwrap();
    let rows = page.lines().filter(|line| line.starts_with('|') && line.contains("stops"));
    let mut count = 0;
    for row in rows {
        let column = row.split(" | ").nth(1).unwrap_or_default();
        let words = column.split('`').skip(1).step_by(2).filter(|word| word.contains('_'));
        for word in words.filter(|word| !word.contains('.')) {
            assert!(reasons.contains(&format!("=> \"{word}\"")), "{word}: {row}");
            count += 1;
        }
    }
    assert!(count > 12, "{count}");
}

#[test]
fn the_reader_of_the_page_sees_what_is_missing() {
    let page = "# A\n\nB.\n\n## C\n\nD.\n\n1. E\n   F\n   `a.rs::b`\n2. G\n\n## H\n\n| x | y |\n|---|---|\n| I | `c.rs::d`, `e` |\n";
    let found = statements(page);
    let found: Vec<_> = found.iter().map(|one| (one.text.as_str(), one.tests.len())).collect();
    let expected = [("1. E\n   F\n   `a.rs::b`", 1), ("2. G", 0), ("| I | `c.rs::d`, `e` |", 1)];
    assert_eq!(found, expected);
    assert!(exists("tests/guarantee.rs::the_reader_of_the_page_sees_what_is_missing"));
    for missing in ["tests/guarantee.rs::read", "tests/guarantee.rs::nobody", "nowhere.rs::exists"]
    {
        assert!(!exists(missing), "{missing}");
    }
}
