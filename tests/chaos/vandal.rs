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
    is_found(&deleted, &["missing_object"]);
    is_found(&copy, &["copy"]);
    is_found(&cut, &["damaged"]);
    is_found(&changed, &["damaged", "differs"]);
}

/// An object in the middle of a partition of small records. It is not alone in its batch, so that
/// its neighbours say that it was there.
fn victim(outcome: &Outcome, partition: usize) -> String {
    let topic = &outcome.topics.plain.name;
    let name = format!("/partition={partition}/{topic}+");
    let keys = s3().list(&outcome.bucket, "topics/");
    let of_it: Vec<_> = keys.iter().filter(|key| key.contains(&name)).collect();
    let routed = of_it.iter().filter(|key| key.contains("/kind="));
    let routed: Vec<_> = routed.collect();
    let middle = routed.get(routed.len() / 2);
    (**middle.expect("this configuration was in use too")).clone()
}
