//! What a failed request of the probe means for Sluice.
//!
//! It owns: which failures end the probe, the advice for each. It does not own: requests.

use super::finding::{At, Question};
use crate::s3::{Operation, StoreError, StoreErrorKind};

/// The rest of the questions would be answered alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop;

/// Codes that stand for wrong credentials, not for a permission that is missing.
const CODES_OF_KEYS: [&str; 3] = ["InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"];

/// Tells the failure; returns whether the probe can go on.
pub(super) fn failed(at: &mut At<'_>, question: Question, error: &StoreError) -> Result<(), Stop> {
    let what = describe(error);
    match error.kind {
        StoreErrorKind::Timeout
        | StoreErrorKind::Unavailable5xx
        | StoreErrorKind::SlowDown
        | StoreErrorKind::Transport => {
            at.unreachable(
                question,
                what,
                "see that the store runs, that `s3.endpoint` is right, and what lies between",
            );
            Err(Stop)
        }
        StoreErrorKind::AccessDenied if is_about_keys(error) => {
            at.fail(question, what, "the store does not know these credentials: correct them");
            Err(Stop)
        }
        StoreErrorKind::AccessDenied => {
            let granted =
                error.action().map_or_else(|| permission(error.operation).to_owned(), place_of);
            at.fail(question, what, &format!("grant {granted}"));
            Ok(())
        }
        StoreErrorKind::ExpiredCredentials
        | StoreErrorKind::NoCredentials
        | StoreErrorKind::NoSuchBucket
        | StoreErrorKind::WrongRegion
        | StoreErrorKind::ClockSkew => {
            match error.action() {
                Some(action) => at.fail(question, what, &format!("grant {}", place_of(action))),
                None => at.fail(question, what, advice_to_stop(error.kind)),
            }
            Err(Stop)
        }
        StoreErrorKind::PreconditionFailed412
        | StoreErrorKind::Conflict409
        | StoreErrorKind::NoSuchUpload
        | StoreErrorKind::InvalidPart
        | StoreErrorKind::NotFound
        | StoreErrorKind::Vanished
        | StoreErrorKind::TooLarge
        | StoreErrorKind::Invalid
        | StoreErrorKind::Other => {
            at.fail(question, what, "Sluice needs this request: use a store that answers it");
            Ok(())
        }
    }
}

/// Says whether the credentials themselves are refused.
pub(super) fn is_about_keys(error: &StoreError) -> bool {
    error.code.as_deref().is_some_and(|code| CODES_OF_KEYS.contains(&code))
}

fn advice_to_stop(kind: StoreErrorKind) -> &'static str {
    match kind {
        StoreErrorKind::ExpiredCredentials => "the credentials have expired: renew them",
        StoreErrorKind::NoCredentials => {
            "no credentials were found: set `s3.credentials`, or give this machine a role"
        }
        StoreErrorKind::NoSuchBucket => {
            "the bucket does not exist: create it, or correct `s3.bucket`"
        }
        StoreErrorKind::WrongRegion => {
            "the bucket is in another region: set `s3.region` to the bucket's own"
        }
        _ => "this machine's clock is wrong: set it",
    }
}

/// Returns an action that AWS named, and what it must be granted on.
fn place_of(action: &str) -> String {
    match action.split_once(':') {
        Some(("sts", _)) => format!(
            "`{action}` on the role of `s3.assume_role`, and name this identity in its trust policy"
        ),
        Some(("kms", _)) => format!("`{action}` on the key that encrypts"),
        Some((_, name)) if name.starts_with("ListBucket") => format!("`{action}` on the bucket"),
        Some(_) | None => format!("`{action}` on the objects"),
    }
}

/// Returns what an identity needs for a request, in the words of IAM, where AWS does not say.
fn permission(operation: Operation) -> &'static str {
    match operation {
        Operation::Put
        | Operation::CreateUpload
        | Operation::UploadPart
        | Operation::CompleteUpload => "`s3:PutObject` on the objects",
        Operation::Get => "`s3:GetObject` on the objects",
        Operation::Head => {
            "`s3:GetObject` on the objects, and `s3:ListBucket` on the bucket: without it a key \
             that is missing looks like one that is forbidden"
        }
        Operation::AbortUpload => "`s3:AbortMultipartUpload` on the objects",
        Operation::ListUploads => "`s3:ListBucketMultipartUploads` on the bucket",
        Operation::Delete => "`s3:DeleteObject` on the objects",
        Operation::List | Operation::HeadBucket => {
            "`s3:ListBucket` on the bucket, or correct the credentials"
        }
    }
}

/// Returns the facts of the answer, without what the place of the finding says already.
pub(super) fn describe(error: &StoreError) -> String {
    let mut text = format!("request `{}` failed", error.operation.as_str());
    if let Some(status) = error.status {
        text.push_str(&format!(", status {status}"));
    }
    if let Some(code) = &error.code {
        text.push_str(&format!(", code `{code}`"));
    }
    if let Some(cause) = &error.cause {
        text.push_str(&format!(", cause `{cause}`"));
    }
    if error.status.is_none() && error.cause.is_none() {
        text.push_str(&format!(", {}", error.kind.as_str().replace('_', " ")));
    }
    text
}
