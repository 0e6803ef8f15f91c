//! The one lifecycle rule that Sluice asks for: unfinished uploads are aborted after some days.
//!
//! It owns: reading it, for `check`. It does not own: rules of any other kind; nothing here writes.

use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};
use tokio::time::timeout;

use super::AwsStores;
use crate::model::Bucket;

/// A request without a body, of which nothing depends.
const ASK_MAX: Duration = Duration::from_secs(10);
/// S3's code for a bucket without any rule.
const NO_RULES: &str = "NoSuchLifecycleConfiguration";

/// What becomes of uploads that a crash has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftUploads {
    /// The shortest time after which a rule that is enabled aborts them.
    AbortedAfterDays(i32),
    /// They stay, and cost.
    Kept,
    /// The store does not say: no permission, or it knows no such rules.
    Unknown,
}

impl AwsStores {
    /// Asks what becomes of uploads that a crash has left in `bucket`.
    pub async fn left_uploads(&self, bucket: &Bucket) -> LeftUploads {
        let request =
            self.client.get_bucket_lifecycle_configuration().bucket(bucket.as_str()).send();
        match timeout(ASK_MAX, request).await {
            Ok(Ok(answer)) => rule_of(answer.rules()),
            Ok(Err(error)) if error.code() == Some(NO_RULES) => LeftUploads::Kept,
            Ok(Err(_)) | Err(_) => LeftUploads::Unknown,
        }
    }
}

/// A rule may hold below some prefix only; that it is there at all says that somebody thought of it.
fn rule_of(rules: &[LifecycleRule]) -> LeftUploads {
    let enabled = rules.iter().filter(|rule| *rule.status() == ExpirationStatus::Enabled);
    let days = enabled.filter_map(|rule| {
        rule.abort_incomplete_multipart_upload().and_then(|abort| abort.days_after_initiation())
    });
    days.min().map_or(LeftUploads::Kept, LeftUploads::AbortedAfterDays)
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::AbortIncompleteMultipartUpload;

    use super::*;

    fn rule(status: ExpirationStatus, days: Option<i32>) -> LifecycleRule {
        let abort = days.map(|days| {
            AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build()
        });
        let rule = LifecycleRule::builder().status(status);
        rule.set_abort_incomplete_multipart_upload(abort).build().unwrap()
    }

    #[test]
    fn the_earliest_rule_that_is_enabled_counts() {
        assert_eq!(rule_of(&[]), LeftUploads::Kept);
        let off = rule(ExpirationStatus::Disabled, Some(1));
        let other = rule(ExpirationStatus::Enabled, None);
        assert_eq!(rule_of(&[off.clone(), other.clone()]), LeftUploads::Kept);
        let week = rule(ExpirationStatus::Enabled, Some(7));
        let days = rule(ExpirationStatus::Enabled, Some(3));
        assert_eq!(rule_of(&[off, week, other, days]), LeftUploads::AbortedAfterDays(3));
    }
}
