//! The one place where the SDK's errors become ours.
//!
//! It owns: reading codes, statuses and request ids out of `SdkError`.
//! It does not own: what they mean (`error::classify`).

use std::error::Error;
use std::sync::Arc;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::s3::deadline::Attempt;
use crate::s3::error::{StoreError, StoreErrorKind, action_in, classify, printable};

/// Who made the SDK's errors says what they are, never their text.
pub(super) fn failure<E>(attempt: &Attempt<'_>, error: SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    let status = error.raw_response().map(|response| response.status().as_u16());
    let kind = match &error {
        SdkError::ConstructionFailure(_) => StoreErrorKind::Invalid,
        SdkError::TimeoutError(_) => StoreErrorKind::Timeout,
        SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => StoreErrorKind::Timeout,
        SdkError::DispatchFailure(_) => {
            credentials_kind(&error).unwrap_or(StoreErrorKind::Transport)
        }
        // bytes came that are no answer of S3: what was done is unknown
        SdkError::ResponseError(_) => classify(attempt.operation, None, status),
        SdkError::ServiceError(_) if is_of_another_region(&error, code) => {
            StoreErrorKind::WrongRegion
        }
        SdkError::ServiceError(_) => classify(attempt.operation, code, status),
        _ => StoreErrorKind::Transport,
    };
    StoreError {
        code: code.map(printable),
        status,
        request_id: header(&error, "x-amz-request-id"),
        cause: match status {
            None => Some(cause(&error)),
            Some(_) => refusal(&error).map(printable),
        },
        ..attempt.failed(kind)
    }
}

/// Returns the action that a refusal of the store names.
fn refusal<E>(error: &SdkError<E, HttpResponse>) -> Option<&str>
where
    E: ProvideErrorMetadata,
{
    error.as_service_error().and_then(ProvideErrorMetadata::message).and_then(action_in)
}

/// Returns the text of the innermost error: "connection refused", not "dispatch failure"; or the
/// action that STS refuses.
fn cause(error: &(dyn Error + 'static)) -> Arc<str> {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    printable(action_in(&text).unwrap_or(&text))
}

/// Looks for an error of the credentials under the error of a request that was never sent.
fn credentials_kind(error: &(dyn Error + 'static)) -> Option<StoreErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        match error.downcast_ref::<CredentialsError>() {
            Some(CredentialsError::ProviderTimedOut(_)) => return Some(StoreErrorKind::Timeout),
            Some(_) => return Some(StoreErrorKind::NoCredentials),
            None => next = error.source(),
        }
    }
    None
}

/// HEAD has no body: an answer of 400 or 301 that names the bucket's region is about that.
fn is_of_another_region<E>(error: &SdkError<E, HttpResponse>, code: Option<&str>) -> bool {
    let status = error.raw_response().map(|response| response.status().as_u16());
    let is_bare = code.is_none() && matches!(status, Some(400 | 301));
    is_bare && header(error, "x-amz-bucket-region").is_some()
}

fn header<E>(error: &SdkError<E, HttpResponse>, name: &'static str) -> Option<Arc<str>> {
    error.raw_response().and_then(|response| response.headers().get(name)).map(printable)
}

#[cfg(test)]
mod tests;
