//! The client under the real store: HTTP, TLS, credentials, region, time-outs.
//!
//! It owns: every setting of the SDK, in one place; the role that is taken on; the proxy.
//! It does not own: requests, what is asked for each object (`headers`).

use std::sync::Arc;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation, RuntimeComponents,
    SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use thiserror::Error;

use super::headers::ObjectHeaders;
use super::options::{AssumedRole, ProxyChoice, S3Options, StaticCredentials};
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
/// Where EC2, ECS and EKS give a machine its credentials: addresses of the link, no proxy's.
const NEVER_BY_PROXY: &str =
    "169.254.169.254,169.254.170.2,169.254.170.23,fd00:ec2::254,fd00:ec2::23";

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoresError {
    #[error(
        "no region is known for S3, the instance's own service names none either: set `s3.region`, or `AWS_REGION`, or a region in the profile"
    )]
    NoRegion,
    #[error("`s3.endpoint` = `{endpoint}` must begin with `http://` or `https://`")]
    Endpoint { endpoint: String },
    #[error("`s3.proxy` = `{url}` is not the URL of a proxy: write `http://host:port`")]
    Proxy { url: String },
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
        let proxy = proxy_of(&options.way.proxy)?;
        Self::connect_over(http_over(proxy), options).await
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
        if options.way.fips {
            chain = chain.use_fips(true);
        }
        let chain = chain.load().await;
        if chain.region().is_none() {
            return Err(StoresError::NoRegion);
        }
        let mut settings = Builder::from(&chain)
            .interceptor(ObjectHeaders::new(&options.objects))
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
        if options.way.dual_stack {
            settings = settings.use_dual_stack(true);
        }
        if options.way.acceleration {
            settings = settings.accelerate(true);
        }
        if let Some(role) = &options.role {
            settings = settings.credentials_provider(assumed(&chain, role).await);
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

fn http_over(proxy: ProxyConfig) -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .pool_idle_timeout(IDLE_DURATION_MAX)
            .proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    })
}

fn proxy_of(choice: &ProxyChoice) -> Result<ProxyConfig, StoresError> {
    match choice {
        ProxyChoice::Environment => Ok(ProxyConfig::from_env()),
        ProxyChoice::Off => Ok(ProxyConfig::disabled()),
        ProxyChoice::Url(url) => ProxyConfig::all(url.as_str())
            .map(|proxy| proxy.no_proxy(NEVER_BY_PROXY))
            .map_err(|_refused| StoresError::Proxy { url: url.clone() }),
    }
}

/// The chain or the keys of the file ask for the role, over the same HTTP client and region.
async fn assumed(chain: &SdkConfig, role: &AssumedRole) -> AssumeRoleProvider {
    let mut asked = AssumeRoleProvider::builder(&role.arn).session_name(&role.session_name);
    if let Some(id) = &role.external_id {
        asked = asked.external_id(id);
    }
    asked.configure(chain).build().await
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
    use crate::s3::{ObjectOptions, Way};

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
                role: None,
                way: Way::default(),
                objects: ObjectOptions::default(),
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
