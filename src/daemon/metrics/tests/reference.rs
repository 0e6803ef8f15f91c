//! The page about metrics says of each its name, type, labels and help, and of no other.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const PAGE: &str = include_str!("../../../../packaging/prometheus/METRICS.md");

/// Type, labels, help.
type Facts = (String, Vec<String>, String);

/// What the page's table says: `| name | type | labels | meaning |`.
fn written() -> BTreeMap<String, Facts> {
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `sluice_"));
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [name, kind, labels, help, ""] = cells[..] else { panic!("`{row}`") };
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
        (format!("sluice_{}", name.trim_matches('`')), (kind.to_owned(), labels, help.to_owned()))
    });
    let count = rows.clone().count();
    let table: BTreeMap<_, _> = rows.collect();
    assert_eq!(table.len(), count, "a name stands twice");
    table
}

/// What a scrape says when each event has happened once.
fn scraped() -> BTreeMap<String, Facts> {
    let text = text(&everything());
    let mut found = BTreeMap::<String, Facts>::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            found.entry(name.to_owned()).or_default().2 = help.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            found.entry(name.to_owned()).or_default().0 = kind.to_owned();
        } else {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let is_histogram =
                |base: &&str| found.get(*base).is_some_and(|facts| facts.0 == "histogram");
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let name = base.filter(is_histogram).unwrap_or(name).to_owned();
            let labels = labels.split("\",").filter_map(|label| Some(label.split_once("=\"")?.0));
            let labels = labels.filter(|label| *label != "le").map(str::to_owned).collect();
            found.get_mut(&name).unwrap().1 = labels;
        }
    }
    found
}

#[test]
fn the_page_says_of_each_metric_what_a_scrape_says() {
    let (written, scraped) = (written(), scraped());
    let names = |of: &BTreeMap<String, Facts>| of.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&written), names(&scraped), "the page on the left, a scrape on the right");
    for (name, facts) in &scraped {
        assert_eq!(&written[name], facts, "{name}: the page on the left, a scrape on the right");
    }
}

#[test]
fn the_page_names_each_reason_and_each_stage() {
    let row = |label: &str| {
        let start = format!("| `{label}");
        PAGE.lines().find(|line| line.starts_with(&start)).unwrap().to_owned()
    };
    let sealed = row("reason` of `sluice_sealed_batches_total");
    for reason in SealReason::ALL {
        assert!(sealed.contains(&format!("`{}`", reason.as_str())), "{reason:?}");
    }
    let bad = row("reason` of `sluice_quarantined_records_total");
    for reason in crate::format::BadRecord::ALL {
        assert!(bad.contains(&format!("`{}`", reason.as_str())), "{reason:?}");
    }
    let stages = row("stage");
    for stage in ["consumed", "buffered", "published", "committed"] {
        assert!(stages.contains(&format!("`{stage}`")), "{stage}");
    }
}
