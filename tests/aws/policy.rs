//! The least policy: with it a daemon has all it needs; with any action less `check` names that
//! action. The policy itself is in the README.
//!
//! The real S3 server knows no policies: a proxy before it refuses what one would refuse.

use super::support::daemon::Settings;
use super::support::kafka::topics::numbered;
use super::support::proxy::On;
use super::support::proxy::s3::{Canned, Operation, S3Proxy, S3Request};
use super::support::{kafka, s3, verify};
use super::{SOON, check, topic_and_group};

/// What S3 refuses without the action. `HEAD` of a bucket is a listing to IAM; without it a missing
/// key looks like a forbidden one.
fn refused_without(action: &str, request: &S3Request) -> bool {
    let tags = request.header("x-amz-tagging").is_some();
    let acl = request.header("x-amz-acl").is_some();
    let is_kms = request.header("x-amz-server-side-encryption") == Some("aws:kms");
    let makes =
        matches!(request.operation, Operation::PutObject | Operation::CreateMultipartUpload);
    match (action, request.operation) {
        (
            "s3:PutObject",
            Operation::PutObject
            | Operation::CreateMultipartUpload
            | Operation::UploadPart
            | Operation::CompleteMultipartUpload,
        )
        | ("s3:GetObject", Operation::GetObject | Operation::HeadObject)
        | ("s3:ListBucket", Operation::ListObjects | Operation::HeadBucket)
        | ("s3:AbortMultipartUpload", Operation::AbortMultipartUpload)
        | ("s3:DeleteObject", Operation::DeleteObject)
        | ("s3:ListBucketMultipartUploads", Operation::ListMultipartUploads)
        | ("s3:GetLifecycleConfiguration", Operation::Other)
        | ("kms:Decrypt", Operation::GetObject | Operation::CompleteMultipartUpload) => true,
        ("s3:ListBucket", Operation::HeadObject) => request.key.ends_with("/absent"),
        ("s3:PutObjectTagging", _) => makes && tags,
        ("s3:PutObjectAcl", _) => makes && acl,
        ("kms:GenerateDataKey", _) => makes && is_kms,
        _ => false,
    }
}

/// Refuses what the action allows; says which one it is, or not, as S3 does across accounts.
fn take_away(proxy: &S3Proxy, action: &'static str, answer: Canned) {
    let on = On::matching(move |request: &S3Request| refused_without(action, request));
    proxy.answer(on.always(), answer);
}

struct Place {
    proxy: S3Proxy,
    settings: Settings,
    topic: String,
    group: String,
    bucket: String,
}

fn place() -> Place {
    let ((topic, group), bucket) = (topic_and_group("policy"), s3().bucket("policy"));
    let proxy = s3().proxy();
    let settings = Settings::new(&kafka().bootstrap(), &proxy.endpoint(), &group, &bucket)
        .topics(&[&topic])
        .set("seal.age", "\"200 ms\"");
    Place { proxy, settings, topic, group, bucket }
}

/// Returns what `check` complains of, and its exit code.
#[track_caller]
fn complaints(settings: &Settings) -> (Vec<String>, i32) {
    let (text, code) = check(settings);
    let lines = text.lines().filter(|line| line.starts_with("FAIL") || line.starts_with("warn"));
    (lines.filter(|line| line.contains(" s3.")).map(str::to_owned).collect(), code)
}

/// The four actions of the least policy.
const LEAST: [&str; 4] =
    ["s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:AbortMultipartUpload"];
/// What only `check` asks for, and does without.
const OPTIONAL: [&str; 3] =
    ["s3:DeleteObject", "s3:ListBucketMultipartUploads", "s3:GetLifecycleConfiguration"];

#[test]
fn the_readme_has_the_least_policy() {
    let readme = include_str!("../../README.md");
    let section = readme.split("### The least policy for S3").nth(1).unwrap();
    let policy = section.split("```json").nth(1).unwrap().split("```").next().unwrap();
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|statement| statement["Action"].as_array().unwrap());
    let mut actions: Vec<_> = actions.map(|action| action.as_str().unwrap()).collect();
    actions.sort_unstable();
    let mut least = LEAST;
    least.sort_unstable();
    assert_eq!(actions, least);
}

#[test]
fn each_action_of_the_least_policy_is_named_when_it_is_taken_away() {
    for action in LEAST {
        let place = place();
        take_away(&place.proxy, action, Canned::error(403, "AccessDenied"));
        let (lines, code) = complaints(&place.settings);
        let failed: Vec<_> = lines.iter().filter(|line| line.starts_with("FAIL")).collect();
        assert_eq!(code, 1, "{lines:#?}");
        assert!(!failed.is_empty(), "{action}");
        for line in failed {
            let advice = format!("grant `{action}`");
            assert!(line.contains(&advice), "without {action}: {line}");
        }
    }
}

#[test]
fn what_only_check_asks_for_is_no_failure() {
    for action in OPTIONAL {
        let place = place();
        take_away(&place.proxy, action, Canned::error(403, "AccessDenied"));
        let (lines, code) = complaints(&place.settings);
        assert_eq!(code, 0, "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains(&format!("`{action}`"))), "{lines:#?}");
    }
}

#[test]
fn an_action_that_aws_names_is_the_one_to_grant() {
    const KMS: (&str, &str) = ("s3.encryption.method", "\"sse_kms\"");
    let cases = [
        ("s3:PutObject", ("s3.requester_pays", "false"), "on the objects"),
        ("s3:PutObjectTagging", ("s3.tags", "[\"team=data\"]"), "on the objects"),
        ("kms:GenerateDataKey", KMS, "on the key that encrypts"),
        ("kms:Decrypt", KMS, "on the key that encrypts"),
    ];
    for (action, (key, value), of) in cases {
        let place = place();
        take_away(&place.proxy, action, Canned::denied(action));
        let (lines, code) = complaints(&place.settings.set(key, value));
        assert_eq!(code, 1, "{lines:#?}");
        let told = format!("cause `{action}`: grant `{action}` {of}");
        assert!(lines.iter().any(|line| line.contains(&told)), "{told}\n{lines:#?}");
    }
}

#[test]
fn what_the_file_asks_for_is_named_where_aws_does_not() {
    let place = place();
    take_away(&place.proxy, "s3:PutObjectAcl", Canned::error(403, "AccessDenied"));
    let settings = place.settings.set("s3.acl", "\"bucket-owner-full-control\"");
    let (lines, code) = complaints(&settings);
    assert_eq!(code, 1, "{lines:#?}");
    let told = "grant `s3:PutObject` on the objects, and what the file needs: `s3:PutObjectAcl` (`s3.acl`)";
    assert!(lines.iter().any(|line| line.ends_with(told)), "{lines:#?}");
}

#[test]
fn the_least_policy_is_enough_for_a_daemon() {
    let place = place();
    for action in OPTIONAL {
        take_away(&place.proxy, action, Canned::error(403, "AccessDenied"));
    }
    let daemon = place.settings.start();
    for round in 0..2 {
        kafka().produce(&place.topic, &numbered(round * 10..round * 10 + 10, 1));
        daemon.wait_until("a lag of 0", SOON, || {
            (kafka().lag(&place.group, &place.topic) == 0).then_some(())
        });
    }
    daemon.stop_cleanly();
    verify::check_default_layout(kafka(), &place.topic, s3(), &place.bucket);
    for request in place.proxy.seen() {
        let is_needed = LEAST.iter().any(|action| refused_without(action, &request));
        assert!(is_needed, "the policy does not speak of {request:?}");
    }
}
