//! What a failed request of S3 means, and whether it heals.
//!
//! It owns: `StoreError`, its kinds, the table from S3's codes to kinds.
//! It does not own: reading an SDK's error (`aws`), waiting (`retry`).
//!
//! An object's key is shown, because a person needs it to act, without what `layout.path` takes from
//! records: nothing of a record is.

mod action;

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

pub(super) use action::action_in;

use crate::model::{Bucket, ObjectKey};

/// Longest code or request id that is kept; S3's own have at most 76 characters.
const FACT_CHARS_MAX: usize = 80;

/// A request that S3 offers, by the name that its metrics carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Put,
    Head,
    Get,
    CreateUpload,
    UploadPart,
    CompleteUpload,
    AbortUpload,
    ListUploads,
    Delete,
    List,
    HeadBucket,
}

impl Operation {
    pub const ALL: [Self; 11] = [
        Self::Put,
        Self::Head,
        Self::Get,
        Self::CreateUpload,
        Self::UploadPart,
        Self::CompleteUpload,
        Self::AbortUpload,
        Self::ListUploads,
        Self::Delete,
        Self::List,
        Self::HeadBucket,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Head => "head",
            Self::Get => "get",
            Self::CreateUpload => "create_upload",
            Self::UploadPart => "upload_part",
            Self::CompleteUpload => "complete_upload",
            Self::AbortUpload => "abort_upload",
            Self::ListUploads => "list_uploads",
            Self::Delete => "delete",
            Self::List => "list",
            Self::HeadBucket => "head_bucket",
        }
    }
}

/// What failed. Each kind needs another reaction of ours or of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreErrorKind {
    /// No answer in time: the request may have been done.
    Timeout,
    /// The store says that it cannot now: 500, 503, or a 200 with such an error in its body.
    Unavailable5xx,
    SlowDown,
    /// The connection failed, before or after the request was done, or bytes were damaged.
    Transport,
    ExpiredCredentials,
    NoCredentials,
    AccessDenied,
    NoSuchBucket,
    WrongRegion,
    ClockSkew,
    PreconditionFailed412,
    /// Another write of the same key was under way.
    Conflict409,
    NoSuchUpload,
    /// A part that Complete names is not there, or is another one.
    InvalidPart,
    NotFound,
    /// Answered 412 and was absent a moment later: somebody deletes objects.
    Vanished,
    TooLarge,
    /// The store refuses the request as it is.
    Invalid,
    /// A definite answer in no list.
    Other,
}

/// Who ends a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Healing {
    /// Time.
    Itself,
    /// A person, while Sluice waits and says so.
    Person,
    /// Nobody: the answer is definite and the caller decides.
    Never,
}

impl StoreErrorKind {
    pub const ALL: [Self; 19] = [
        Self::Timeout,
        Self::Unavailable5xx,
        Self::SlowDown,
        Self::Transport,
        Self::ExpiredCredentials,
        Self::NoCredentials,
        Self::AccessDenied,
        Self::NoSuchBucket,
        Self::WrongRegion,
        Self::ClockSkew,
        Self::PreconditionFailed412,
        Self::Conflict409,
        Self::NoSuchUpload,
        Self::InvalidPart,
        Self::NotFound,
        Self::Vanished,
        Self::TooLarge,
        Self::Invalid,
        Self::Other,
    ];

    /// Returns whether asking again can help: the one place where that is decided.
    pub fn healing(self) -> Healing {
        match self {
            Self::Timeout
            | Self::Unavailable5xx
            | Self::SlowDown
            | Self::Transport
            | Self::Conflict409
            | Self::Vanished => Healing::Itself,
            Self::ExpiredCredentials
            | Self::NoCredentials
            | Self::AccessDenied
            | Self::NoSuchBucket
            | Self::WrongRegion
            | Self::ClockSkew => Healing::Person,
            Self::PreconditionFailed412
            | Self::NoSuchUpload
            | Self::InvalidPart
            | Self::NotFound
            | Self::TooLarge
            | Self::Invalid
            | Self::Other => Healing::Never,
        }
    }

    /// Returns the word for logs and the label of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unavailable5xx => "unavailable",
            Self::SlowDown => "slow_down",
            Self::Transport => "transport",
            Self::ExpiredCredentials => "expired_credentials",
            Self::NoCredentials => "no_credentials",
            Self::AccessDenied => "access_denied",
            Self::NoSuchBucket => "no_such_bucket",
            Self::WrongRegion => "wrong_region",
            Self::ClockSkew => "clock_skew",
            Self::PreconditionFailed412 => "precondition_failed",
            Self::Conflict409 => "conflict",
            Self::NoSuchUpload => "no_such_upload",
            Self::InvalidPart => "invalid_part",
            Self::NotFound => "not_found",
            Self::Vanished => "vanished",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
            Self::Other => "other",
        }
    }

    /// Returns what it means and what to do about it, for people.
    fn advice(self) -> &'static str {
        match self {
            Self::Timeout => "no answer in time: it is asked again",
            Self::Unavailable5xx => "the store cannot now: it is asked again",
            Self::SlowDown => "the store is throttling: it is asked again, more slowly",
            Self::Transport => "the connection failed: it is asked again",
            Self::ExpiredCredentials => "the credentials have expired: renew them, Sluice waits",
            Self::NoCredentials => "no credentials were found: provide them, Sluice waits",
            Self::AccessDenied => "access is denied: grant the permission, Sluice waits",
            Self::NoSuchBucket => "the bucket does not exist: create it, Sluice waits",
            Self::WrongRegion => "the bucket is in another region: set `s3.region`",
            Self::ClockSkew => "this machine's clock is wrong: set it, Sluice waits",
            Self::PreconditionFailed412 => "something else is already there",
            Self::Conflict409 => "another write of this key was under way",
            Self::NoSuchUpload => "the upload does not exist any more",
            Self::InvalidPart => "a part of the upload is missing or is another one",
            Self::NotFound => "it does not exist",
            Self::Vanished => "it was there and vanished: does somebody delete objects?",
            Self::TooLarge => "it is larger than allowed",
            Self::Invalid => "the store refuses the request as it is",
            Self::Other => "the store refuses the request",
        }
    }
}

/// One request that failed, with the facts that the store gave.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct StoreError {
    pub operation: Operation,
    pub bucket: Bucket,
    /// None for requests about the bucket itself.
    pub key: Option<ObjectKey>,
    pub kind: StoreErrorKind,
    /// S3's code, as answered but printable and of bounded length.
    pub code: Option<Arc<str>>,
    pub status: Option<u16>,
    pub request_id: Option<Arc<str>>,
    /// For people only: what the SDK says of a request that got no answer, or the action of IAM
    /// that a refusal names.
    pub cause: Option<Arc<str>>,
}

impl StoreError {
    /// Returns a failure of which the store gave no facts.
    pub fn without_answer(
        operation: Operation,
        bucket: &Bucket,
        key: Option<&ObjectKey>,
        kind: StoreErrorKind,
    ) -> Self {
        let (bucket, key) = (bucket.clone(), key.cloned());
        Self {
            operation,
            bucket,
            key,
            kind,
            code: None,
            status: None,
            request_id: None,
            cause: None,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "S3 request `{}` of ", self.operation.as_str())?;
        if let Some(key) = &self.key {
            write!(formatter, "`{}` in ", key.shown())?;
        }
        write!(formatter, "bucket `{}` failed", self.bucket)?;
        if let Some(code) = &self.code {
            write!(formatter, ", code `{code}`")?;
        }
        if let Some(status) = self.status {
            write!(formatter, ", status {status}")?;
        }
        if let Some(request_id) = &self.request_id {
            write!(formatter, ", request id `{request_id}`")?;
        }
        if let Some(cause) = &self.cause {
            write!(formatter, ", cause `{cause}`")?;
        }
        write!(formatter, ": {}", self.kind.advice())
    }
}

/// Cuts and cleans a text that came from outside.
pub(super) fn printable(text: &str) -> Arc<str> {
    text.chars().take(FACT_CHARS_MAX).flat_map(char::escape_default).collect::<String>().into()
}

/// Returns what a code and a status mean. Text for people is never looked at.
///
/// The code goes first: Complete answers 200 with an error in its body. Without one (HEAD has no
/// body) only the status is left, and 400 of a HEAD is what S3 says to an expired token.
pub(super) fn classify(
    operation: Operation,
    code: Option<&str>,
    status: Option<u16>,
) -> StoreErrorKind {
    let kind = code.and_then(classify_code);
    match (kind.unwrap_or_else(|| classify_status(operation, code, status)), operation) {
        (StoreErrorKind::NotFound, Operation::HeadBucket) => StoreErrorKind::NoSuchBucket,
        (StoreErrorKind::NotFound, Operation::UploadPart | Operation::AbortUpload) => {
            StoreErrorKind::NoSuchUpload
        }
        (kind, _) => kind,
    }
}

/// "Amazon S3 API Reference", error responses, and what KMS passes through.
fn classify_code(code: &str) -> Option<StoreErrorKind> {
    Some(match code {
        "RequestTimeout" | "RequestTimeoutException" => StoreErrorKind::Timeout,
        "InternalError"
        | "ServiceUnavailable"
        | "InternalServerError"
        | "TemporaryRedirect"
        | "Busy"
        | "ServiceFailure" => StoreErrorKind::Unavailable5xx,
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "KMS.ThrottlingException" => StoreErrorKind::SlowDown,
        "IncompleteBody"
        | "BadDigest"
        | "InvalidDigest"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch" => StoreErrorKind::Transport,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
            StoreErrorKind::ExpiredCredentials
        }
        "AccessDenied"
        | "AllAccessDisabled"
        | "AccountProblem"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "InvalidSecurity"
        | "NotSignedUp"
        | "KMS.DisabledException"
        | "KMS.InvalidStateException"
        | "KMS.NotFoundException"
        | "QuotaExceeded"
        | "ServerSideEncryptionConfigurationNotFoundError" => StoreErrorKind::AccessDenied,
        "NoSuchBucket" => StoreErrorKind::NoSuchBucket,
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "IncorrectEndpoint" => StoreErrorKind::WrongRegion,
        "RequestTimeTooSkewed" | "RequestExpired" => StoreErrorKind::ClockSkew,
        "PreconditionFailed" => StoreErrorKind::PreconditionFailed412,
        "ConditionalRequestConflict" | "OperationAborted" => StoreErrorKind::Conflict409,
        "NoSuchUpload" => StoreErrorKind::NoSuchUpload,
        "InvalidPart" => StoreErrorKind::InvalidPart,
        "NoSuchKey" | "NotFound" => StoreErrorKind::NotFound,
        "EntityTooLarge" | "MetadataTooLarge" | "KeyTooLongError" | "MaxMessageLengthExceeded" => {
            StoreErrorKind::TooLarge
        }
        "NotImplemented" | "InvalidRequest" | "InvalidRange" | "InvalidArgument"
        | "InvalidPartOrder" | "EntityTooSmall" | "MalformedXML" | "MethodNotAllowed"
        | "InvalidObjectState" => StoreErrorKind::Invalid,
        _ => return None,
    })
}

fn classify_status(
    operation: Operation,
    code: Option<&str>,
    status: Option<u16>,
) -> StoreErrorKind {
    match (status, operation, code) {
        (None, _, _) => StoreErrorKind::Transport,
        (Some(408), _, _) => StoreErrorKind::Timeout,
        (Some(429), _, _) => StoreErrorKind::SlowDown,
        (Some(501 | 505), _, _) => StoreErrorKind::Invalid,
        // an answer of success with an unknown error in it: nobody knows what was done
        (Some(200..=299 | 307 | 500..), _, _) => StoreErrorKind::Unavailable5xx,
        (Some(301 | 308), _, _) => StoreErrorKind::WrongRegion,
        (Some(401 | 403), _, None) => StoreErrorKind::AccessDenied,
        (Some(404), _, None) => StoreErrorKind::NotFound,
        (Some(409), _, None) => StoreErrorKind::Conflict409,
        (Some(412), _, None) => StoreErrorKind::PreconditionFailed412,
        (Some(413), _, _) => StoreErrorKind::TooLarge,
        (Some(400), Operation::Head | Operation::HeadBucket, None) => {
            StoreErrorKind::ExpiredCredentials
        }
        (Some(400), _, None) => StoreErrorKind::Invalid,
        (Some(401 | 403), _, Some(_)) => StoreErrorKind::AccessDenied,
        (Some(_), _, _) => StoreErrorKind::Other,
    }
}

#[cfg(test)]
mod tests;
