//! The questions to S3: everything that Sluice will do there, done once with small objects.
//!
//! It owns: the client, the order of the questions, the folder of the probe.
//! It does not own: what an answer means (`judge`), the one question about rules (`s3`).

mod judge;
mod probe;
#[cfg(test)]
mod tests;
mod uploads;

use std::collections::BTreeSet;

use super::finding::{At, Question, Report};
use super::{add_config_fault, finding};
use crate::config::{Encryption, ObjectSettings, Settings};
use crate::daemon::connect::s3_options;
use crate::s3::{AwsStores, LeftUploads, ObjectStore};
use probe::{Probe, Probed};

/// Asks the bucket everything, and says what came out.
pub(super) fn look(report: &mut Report, settings: &Settings) {
    let s3 = &settings.s3;
    report.asking(&match &s3.endpoint {
        Some(endpoint) => format!("S3 at {endpoint}"),
        None => "Amazon S3".to_owned(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let mut at = At { report, place: format!("bucket `{}`", s3.bucket) };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let what = format!("no runtime for its requests: {error}");
            return at.unreachable(Question::Bucket, what, "see the limits of this process");
        }
    };
    runtime.block_on(async {
        let stores = match AwsStores::connect(&s3_options(s3)).await {
            Ok(stores) => stores,
            Err(error) => return add_config_fault(at.report, Question::Bucket, error.to_string()),
        };
        let store = stores.bucket(&s3.bucket);
        match probe(&mut at, settings, &*store).await {
            Probed::Whole => lifecycle(&mut at, stores.left_uploads(&s3.bucket).await),
            Probed::Cut => {}
        }
    });
}

async fn probe(at: &mut At<'_>, settings: &Settings, store: &dyn ObjectStore) -> Probed {
    let folder = format!("{}_check/{:016x}", settings.s3.claims_prefix, rand::random::<u64>());
    let prefixes: BTreeSet<String> = settings
        .scopes()
        .flat_map(|(_, topics)| [&topics.layout.prefix, &topics.layout.quarantine_prefix])
        .map(|prefix| format!("`{prefix}/`"))
        .collect();
    let elsewhere = prefixes.into_iter().collect::<Vec<_>>().join(", ");
    let region = match &settings.s3.region {
        Some(region) => format!("region `{region}`"),
        None => "the region of the AWS environment".to_owned(),
    };
    let also_needed = also_needed(&settings.s3.objects);
    let group = &settings.kafka.group_id;
    Probe { store, at, folder, group, elsewhere, region, also_needed }.run().await
}

/// Returns what writing needs beside `s3:PutObject`.
fn also_needed(objects: &ObjectSettings) -> Vec<&'static str> {
    let mut needed = Vec::new();
    if !objects.tags.is_empty() {
        needed.push("`s3:PutObjectTagging` (`s3.tags`)");
    }
    if objects.acl.is_some() {
        needed.push("`s3:PutObjectAcl` (`s3.acl`)");
    }
    if matches!(objects.encryption, Encryption::SseKms { .. }) {
        needed.push("`kms:GenerateDataKey` and `kms:Decrypt` on the key (`s3.encryption`)");
    }
    needed
}

fn lifecycle(at: &mut At<'_>, found: LeftUploads) {
    let question = Question::Lifecycle;
    let rule = "`AbortIncompleteMultipartUpload` after 7 days";
    match found {
        LeftUploads::AbortedAfterDays(days) => {
            at.ok(question, format!("uploads that a crash leaves are aborted after {days} days"));
        }
        LeftUploads::Kept => at.warn(
            question,
            "no lifecycle rule aborts the uploads that a crash leaves, and they cost",
            &format!("add a rule with {rule}"),
        ),
        LeftUploads::Unknown => at.warn(
            question,
            "the store does not tell its lifecycle rules",
            &format!(
                "see that there is one with {rule}: what a crash leaves costs (to read it, grant \
                 `s3:GetLifecycleConfiguration`)"
            ),
        ),
    }
}
