//! Tokens for MSK's IAM listener: a request to AWS that is signed and never sent.
//!
//! It owns: the URL, its signature, until when it holds; the credentials from the AWS chain, and a
//! role assumed with them.
//! It does not own: when one is made (`keeper`).
//!
//! It assumes of the other side (AWS's signers for Python and Java): base64url without padding of
//! `https://kafka.<region>.amazonaws.com/?Action=kafka-cluster:Connect`, signed as a query for the
//! service `kafka-cluster` for 900 s, with `User-Agent` behind the signature.

use std::time::{Duration, SystemTime};

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::token::{Token, TokenError, whole};

/// The most that MSK takes.
const LENGTH: Duration = Duration::from_secs(900);
const SERVICE: &str = "kafka-cluster";
const USER_AGENT: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"));

/// Where the cluster is, and in whose name it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MskIam {
    pub region: String,
    /// None is whoever the AWS chain says.
    pub role: Option<Role>,
}

/// A role of IAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub arn: String,
    pub external_id: Option<String>,
    pub session_name: String,
}

impl MskIam {
    /// Reads the environment and the profiles; asks nobody yet.
    pub(super) async fn chain(&self) -> SdkConfig {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let chain = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
        chain.region(Region::new(self.region.clone())).load().await
    }

    pub(super) async fn fetch(&self, chain: &SdkConfig) -> Result<Token, TokenError> {
        let credentials = match &self.role {
            Some(role) => role.assume(chain).await?,
            None => {
                let none = |why: String| TokenError::Credentials { why };
                let provider = chain.credentials_provider();
                let provider = provider.ok_or_else(|| none("no provider".to_owned()))?;
                provider.provide_credentials().await.map_err(|error| none(whole(&error)))?
            }
        };
        self.token(&credentials, SystemTime::now())
    }

    fn token(&self, credentials: &Credentials, now: SystemTime) -> Result<Token, TokenError> {
        let ends = credentials.expiry().unwrap_or(now + LENGTH).min(now + LENGTH);
        if let Ok(ago) = now.duration_since(ends) {
            return Err(TokenError::CredentialsExpired { ago });
        }
        let value = URL_SAFE_NO_PAD.encode(self.url(credentials, now)?);
        let principal = credentials.access_key_id().to_owned();
        Ok(Token { value, principal, ends, extensions: Vec::new() })
    }

    fn url(&self, credentials: &Credentials, now: SystemTime) -> Result<String, TokenError> {
        let url =
            format!("https://kafka.{}.amazonaws.com/?Action=kafka-cluster%3AConnect", self.region);
        let wrong = |error: &dyn std::error::Error| TokenError::Signature { why: whole(error) };
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(LENGTH);
        let identity = credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SERVICE)
            .time(now)
            .settings(settings)
            .build()
            .map_err(|error| wrong(&error))?
            .into();
        let body = SignableBody::Bytes(b"");
        let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), body)
            .map_err(|error| wrong(&error))?;
        let signed = sign(request, &parameters).map_err(|error| wrong(&error))?;
        let mut query = form_urlencoded::Serializer::new(url.clone());
        for (name, value) in signed.output().params() {
            query.append_pair(name, value);
        }
        query.append_pair("User-Agent", USER_AGENT);
        Ok(query.finish())
    }
}

impl Role {
    async fn assume(&self, chain: &SdkConfig) -> Result<Credentials, TokenError> {
        let mut role = AssumeRoleProvider::builder(&self.arn)
            .session_name(&self.session_name)
            .configure(chain);
        if let Some(id) = &self.external_id {
            role = role.external_id(id);
        }
        let role = role.build().await;
        let refused = |why: String| TokenError::Role { arn: self.arn.clone(), why };
        role.provide_credentials().await.map_err(|error| refused(whole(&error)))
    }
}
