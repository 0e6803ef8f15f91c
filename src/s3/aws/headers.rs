//! The headers by which every request carries what is asked for objects: encryption, class, tags,
//! owner, payer, access.
//!
//! It owns: which request takes which header, in one table for all requests of the client, so that
//! none is forgotten. It does not own: the requests.
//!
//! Why not the SDK's setters: a dozen requests would each name eight of them.

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use super::options::{CustomerKey, Encryption, ObjectOptions};

/// How the names of an object's own metadata begin; claims have none.
const METADATA: &str = "x-amz-meta-";
const ENCRYPTION: &str = "x-amz-server-side-encryption";

/// A header as it travels.
type Header = (&'static str, String);

/// What each request takes, worked out once.
#[derive(Debug)]
pub(super) struct ObjectHeaders {
    /// Every request.
    owner: Vec<Header>,
    /// Every request for an object or a listing.
    payer: Vec<Header>,
    /// What makes an object, a claim too.
    making: Vec<Header>,
    /// What makes an object of records.
    records: Vec<Header>,
    /// Everything that moves an object's bytes or metadata, where we hold the key.
    customer: Secrets,
}

/// The customer's key is among them.
struct Secrets(Vec<Header>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

impl ObjectHeaders {
    pub(super) fn new(options: &ObjectOptions) -> Self {
        let text = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        let mut making: Vec<Header> = text("x-amz-acl", &options.acl).into_iter().collect();
        making.extend(encryption(&options.encryption));
        let tags = (!options.tags.is_empty()).then(|| ("x-amz-tagging", tagging(&options.tags)));
        let class = text("x-amz-storage-class", &options.storage_class);
        let customer = match &options.encryption {
            Encryption::SseC(key) => customer(key),
            Encryption::Bucket | Encryption::SseS3 | Encryption::SseKms { .. } => Vec::new(),
        };
        let payer = options.requester_pays.then(|| ("x-amz-request-payer", "requester".to_owned()));
        Self {
            owner: text("x-amz-expected-bucket-owner", &options.expected_bucket_owner)
                .into_iter()
                .collect(),
            payer: payer.into_iter().collect(),
            making,
            records: class.into_iter().chain(tags).collect(),
            customer: Secrets(customer),
        }
    }

    fn of(&self, operation: &str, has_metadata: bool) -> impl Iterator<Item = &Header> {
        let is_of_bucket = matches!(operation, "HeadBucket" | "GetBucketLifecycleConfiguration");
        let makes = matches!(operation, "PutObject" | "CreateMultipartUpload");
        let moves = makes
            || matches!(
                operation,
                "UploadPart" | "CompleteMultipartUpload" | "HeadObject" | "GetObject"
            );
        let when = |is_so: bool, headers| if is_so { headers } else { [].as_slice() };
        [
            self.owner.as_slice(),
            when(!is_of_bucket, self.payer.as_slice()),
            when(makes, self.making.as_slice()),
            when(makes && has_metadata, self.records.as_slice()),
            when(moves, self.customer.0.as_slice()),
        ]
        .into_iter()
        .flatten()
    }

    fn add(&self, operation: &str, request: &mut HttpRequest) -> Result<(), BoxError> {
        let has_metadata = request.headers().iter().any(|(name, _)| name.starts_with(METADATA));
        for (name, value) in self.of(operation, has_metadata) {
            request.headers_mut().try_insert(*name, value.clone())?;
        }
        Ok(())
    }
}

impl Intercept for ObjectHeaders {
    fn name(&self) -> &'static str {
        "ObjectHeaders"
    }

    /// Before signing, since a signature covers them all.
    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = bag.load::<Metadata>().map_or("", Metadata::name).to_owned();
        self.add(&operation, context.request_mut())
    }
}

fn encryption(encryption: &Encryption) -> Vec<Header> {
    match encryption {
        Encryption::Bucket | Encryption::SseC(_) => Vec::new(),
        Encryption::SseS3 => vec![(ENCRYPTION, "AES256".to_owned())],
        Encryption::SseKms { key_id, bucket_key } => {
            let id = key_id.clone().map(|id| ("x-amz-server-side-encryption-aws-kms-key-id", id));
            let bucket_key = bucket_key.map(|is_on| {
                ("x-amz-server-side-encryption-bucket-key-enabled", is_on.to_string())
            });
            [Some((ENCRYPTION, "aws:kms".to_owned())), id, bucket_key]
                .into_iter()
                .flatten()
                .collect()
        }
    }
}

fn customer(CustomerKey(key): &CustomerKey) -> Vec<Header> {
    vec![
        ("x-amz-server-side-encryption-customer-algorithm", "AES256".to_owned()),
        ("x-amz-server-side-encryption-customer-key", STANDARD.encode(key)),
        ("x-amz-server-side-encryption-customer-key-md5", STANDARD.encode(Md5::digest(key))),
    ]
}

/// Returns tags as the query of a URL.
fn tagging(tags: &[(String, String)]) -> String {
    let encoded = tags.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value)));
    encoded.collect::<Vec<_>>().join("&")
}

fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
        escaped
    })
}

#[cfg(test)]
mod tests;
