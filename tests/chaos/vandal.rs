//! What `sluice verify --deep` says of a run's bucket, before and after somebody lays hands on it.
//!
//! It owns: one fault of each of four kinds, each to be named. It does not own: every kind of fault
//! (`tests/verify`).

use serde_json::Value;

use crate::run::Outcome;
use crate::support::s3;

/// Runs the command and returns its exit code and its document.
fn verify(outcome: &Outcome) -> (Option<i32>, Value) {
    let output = outcome.settings.command("verify", &["--deep", "--json"]);
    let error = String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_slice(&output.stdout);
    (output.status.code(), document.unwrap_or_else(|fault| panic!("{fault}: {error}")))
}

/// Panics unless it agrees, and has compared as many records as the independent reader.
pub fn verify_agrees(outcome: &Outcome) {
    let (code, document) = verify(outcome);
    assert_eq!(code, Some(0), "{document:#}");
    let partitions = document["partitions"].as_array().unwrap().iter();
    let records: u64 = partitions.map(|one| one["records"].as_u64().unwrap()).sum();
    assert_eq!(records, outcome.report.records, "{document:#}");
}

/// Deletes an object, copies another, cuts a third and changes a byte of a fourth.
pub fn four_faults_are_named(outcome: &Outcome) {
    let bucket = &outcome.bucket;
    let [deleted, copied, cut, changed] = [0, 1, 2, 3].map(|partition| victim(outcome, partition));
    s3().delete(bucket, &deleted);
    let copy = copied.replacen("topics/", "topics/copy/", 1);
    let object = s3().find(bucket, &copied).unwrap();
    s3().put_as(bucket, &copy, &object, &object.body);
    let object = s3().find(bucket, &cut).unwrap();
    s3().put_as(bucket, &cut, &object, &object.body[..object.body.len() - 9]);
    let object = s3().find(bucket, &changed).unwrap();
    let mut body = object.body.clone();
    body[object.body.len() / 2] ^= 1;
    s3().put_as(bucket, &changed, &object, &body);
    let (code, document) = verify(outcome);
    let findings = document["findings"].as_array().unwrap();
    assert_eq!((code, findings.len()), (Some(1), 4), "{document:#}");
    let is_found = |key: &str, kinds: &[&str]| {
        let mut found = findings.iter().filter(|finding| finding["key"] == key);
        assert!(found.any(|one| kinds.contains(&one["kind"].as_str().unwrap())), "{document:#}");
    };
    // Named by itself if its neighbours of the batch say that it was there, else by its records.
    let (place, start) = (format!("{}/0", outcome.topics.plain.name), start_of(&deleted));
    let is_missing = |one: &&Value| {
        let range = one["start"].as_i64().unwrap()..one["end"].as_i64().unwrap();
        one["place"] == place.as_str() && range.contains(&start)
    };
    let missing = findings.iter().find(is_missing).map(|one| one["kind"].as_str().unwrap());
    assert!(matches!(missing, Some("missing_object" | "missing_records")), "{document:#}");
    is_found(&copy, &["copy"]);
    is_found(&cut, &["damaged"]);
    is_found(&changed, &["damaged", "differs"]);
}

/// An object in the middle of a partition of small records.
fn victim(outcome: &Outcome, partition: usize) -> String {
    let name = format!("/{}+{partition}+", outcome.topics.plain.name);
    let keys = s3().list(&outcome.bucket, "topics/");
    let mut of_it: Vec<_> = keys.into_iter().filter(|key| key.contains(&name)).collect();
    of_it.sort_by_key(|key| start_of(key));
    of_it.swap_remove(of_it.len() / 2)
}

/// The offset in an object's name.
fn start_of(key: &str) -> i64 {
    let name = key.rsplit('/').next().unwrap();
    name.split(['+', '.']).nth(2).unwrap().parse().unwrap()
}
