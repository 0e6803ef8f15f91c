//! The client under the real store: HTTP, TLS, credentials, region, time-outs.
//!
//! It owns: every setting of the SDK, in one place.
//! It does not own: requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use thiserror::Error;

use super::{AwsStore, Payload};
use crate::model::Bucket;
use crate::s3::store::{Buckets, Store, Writes};

/// Any route on Earth answers a SYN ten times in this.
const CONNECT_DURATION_MAX: Duration = Duration::from_secs(5);
/// A stream that moves no byte for this long is broken; the deadline of the request is behind it.
const STALL_DURATION_MAX: Duration = Duration::from_secs(20);
/// Servers and balancers drop idle connections after 20 s (S3) and more.
const IDLE_DURATION_MAX: Duration = Duration::from_secs(15);
/// What S3-compatible servers take when they have no regions.
const REGION_OF_ENDPOINTS: &str = "us-east-1";

/// Where S3 is and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Options {
    pub region: Option<String>,
    /// None is Amazon.
    pub endpoint: Option<String>,
    pub path_style: bool,
    pub conditional_writes: bool,
    /// Over https too; over http they always are.
    pub sign_bodies: bool,
    /// None is the AWS chain: environment, profiles, web identity, container, instance.
    pub credentials: Option<StaticCredentials>,
}

/// Keys from the configuration. They are never formatted.
#[derive(Clone, PartialEq, Eq)]
pub struct StaticCredentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StaticCredentials(***)")
    }
}

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoresError {
    #[error(
        "no region is known for S3, the instance's own service names none either: set `s3.region`, or `AWS_REGION`, or a region in the profile"
    )]
    NoRegion,
    #[error("`s3.endpoint` = `{endpoint}` must begin with `http://` or `https://`")]
    Endpoint { endpoint: String },
}

/// Makes a store for any bucket of one endpoint. Cheap to clone; the connections are shared.
#[derive(Clone, Debug)]
pub struct AwsStores {
    pub(super) client: Client,
    writes: Writes,
    payload: Payload,
}

impl AwsStores {
    /// Reads the AWS chain where the options leave something open. Asks no S3.
    pub async fn connect(options: &S3Options) -> Result<Self, StoresError> {
        let http = aws_smithy_http_client::Builder::new()
            .pool_idle_timeout(IDLE_DURATION_MAX)
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        Self::connect_over(http, options).await
    }

    /// The same over another HTTP client.
    pub(super) async fn connect_over(
        http: SharedHttpClient,
        options: &S3Options,
    ) -> Result<Self, StoresError> {
        let payload = payload_of(options)?;
        let mut chain = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
        if let Some(region) = region_of(options) {
            chain = chain.region(Region::new(region));
        }
        if let Some(credentials) = &options.credentials {
            chain = chain.credentials_provider(credentials_of(credentials));
        }
        let chain = chain.load().await;
        if chain.region().is_none() {
            return Err(StoresError::NoRegion);
        }
        let mut settings = Builder::from(&chain)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_DURATION_MAX).build())
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(STALL_DURATION_MAX).build(),
            )
            .request_checksum_calculation(RequestChecksumCalculation::WhenSupported)
            .response_checksum_validation(ResponseChecksumValidation::WhenSupported)
            .force_path_style(options.path_style);
        if let Some(endpoint) = &options.endpoint {
            settings = settings.endpoint_url(endpoint);
        }
        let writes =
            if options.conditional_writes { Writes::Conditional } else { Writes::HeadFirst };
        Ok(Self { client: Client::from_conf(settings.build()), writes, payload })
    }

    /// Returns the store of one bucket: a pending plan may name another one than the configuration.
    pub fn bucket(&self, bucket: &Bucket) -> Store {
        let (client, bucket) = (self.client.clone(), bucket.clone());
        Arc::new(AwsStore { client, bucket, writes: self.writes, payload: self.payload })
    }
}

impl Buckets for AwsStores {
    fn bucket(&self, bucket: &Bucket) -> Store {
        self.bucket(bucket)
    }
}

fn region_of(options: &S3Options) -> Option<String> {
    let of_endpoint = options.endpoint.as_ref().map(|_endpoint| REGION_OF_ENDPOINTS.to_owned());
    options.region.clone().or(of_endpoint)
}

fn credentials_of(credentials: &StaticCredentials) -> Credentials {
    Credentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        credentials.session_token.clone(),
        None,
        "connector.toml",
    )
}

fn payload_of(options: &S3Options) -> Result<Payload, StoresError> {
    let endpoint = options.endpoint.as_deref().unwrap_or("https://");
    if endpoint.starts_with("http://") || options.sign_bodies && endpoint.starts_with("https://") {
        Ok(Payload::Signed)
    } else if endpoint.starts_with("https://") {
        Ok(Payload::Unsigned)
    } else {
        Err(StoresError::Endpoint { endpoint: endpoint.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_never_formatted() {
        let credentials = StaticCredentials {
            access_key_id: "AKIAEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI".to_owned(),
            session_token: Some("FwoGZXIvYXdzE".to_owned()),
        };
        assert_eq!(format!("{credentials:?}"), "StaticCredentials(***)");
    }

    #[test]
    fn bodies_are_signed_only_where_nothing_else_protects_them() {
        let payload = |endpoint: Option<&str>, sign_bodies| {
            payload_of(&S3Options {
                region: None,
                endpoint: endpoint.map(str::to_owned),
                path_style: false,
                conditional_writes: true,
                sign_bodies,
                credentials: None,
            })
        };
        for endpoint in [None, Some("https://s3.example")] {
            assert_eq!(payload(endpoint, false), Ok(Payload::Unsigned));
            assert_eq!(payload(endpoint, true), Ok(Payload::Signed), "who asks for it");
        }
        assert_eq!(payload(Some("http://127.0.0.1:1"), false), Ok(Payload::Signed));
        let error = payload(Some("s3.example"), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`s3.endpoint` = `s3.example` must begin with `http://` or `https://`"
        );
    }
}
