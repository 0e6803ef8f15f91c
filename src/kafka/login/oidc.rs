//! Tokens from an OIDC endpoint, by client credentials (RFC 6749, section 4.4).
//!
//! It owns: the request, its answer, until when a token holds.
//! It does not own: when one is fetched (`keeper`).
//!
//! Why not librdkafka's own: it needs libcurl, and with it a second TLS library with its own files.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::read_secret;
use super::token::{Token, TokenError, whole};
use crate::model::Secret;

/// Tokens with many claims have some KiB.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// RFC 6749 recommends `expires_in`; without it and without `exp` a token is taken for this long.
const UNSAID: Duration = Duration::from_secs(300);
/// Codes of RFC 6749 are single words.
const CODE_CHARS_MAX: usize = 64;

/// Who asks where for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    pub endpoint: String,
    pub client_id: String,
    pub client_secret: Secret,
    /// Goes before `client_secret`, and is read for each token.
    pub secret_file: Option<PathBuf>,
    pub scope: Option<String>,
    pub audience: Option<String>,
    /// None is what the system trusts.
    pub ca_file: Option<PathBuf>,
    pub extensions: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<f64>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
    sub: Option<String>,
}

impl Oidc {
    pub(super) async fn fetch(&self) -> Result<Token, TokenError> {
        let request = self.request()?;
        let asked = SystemTime::now();
        let answer = self.connector()?.call(request).await;
        let answer = answer.map_err(|error| TokenError::Unreached { why: whole(&error) })?;
        let status = answer.status().as_u16();
        let body = body_of(answer).await?;
        self.token(status, &body, asked)
    }

    fn connector(&self) -> Result<Connector, TokenError> {
        let mut trusted = TrustStore::default();
        if let Some(file) = &self.ca_file {
            let unusable = |why: String| TokenError::Authority { file: file.clone(), why };
            let pem = std::fs::read(file).map_err(|error| unusable(error.kind().to_string()))?;
            // The client below panics over certificates that are none.
            let certificates = openssl::x509::X509::stack_from_pem(&pem);
            if certificates.map_or(true, |certificates| certificates.is_empty()) {
                return Err(unusable("no whole certificate in it".to_owned()));
            }
            trusted = TrustStore::empty().with_pem_certificate(pem);
        }
        let context = TlsContext::builder().with_trust_store(trusted).build();
        let context = context.map_err(|error| TokenError::Unreached { why: whole(&error) })?;
        let builder = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
        Ok(builder.tls_context(context).build())
    }

    fn request(&self) -> Result<HttpRequest, TokenError> {
        let secret = match &self.secret_file {
            None => self.client_secret.clone(),
            Some(file) => read_secret(file).map_err(|error| {
                let (file, kind) = (file.clone(), error.kind());
                TokenError::Secret { file, kind }
            })?,
        };
        let pair = format!("{}:{}", self.client_id, secret.reveal());
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        for (name, value) in [("scope", &self.scope), ("audience", &self.audience)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        let body = form.finish();
        let mut request = HttpRequest::new(SdkBody::from(body.as_str()));
        let unusable = |error| TokenError::Unreached { why: whole(&error) };
        request.set_method("POST").map_err(unusable)?;
        request.set_uri(self.endpoint.as_str()).map_err(unusable)?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/x-www-form-urlencoded");
        headers.insert("content-length", body.len().to_string());
        headers.insert("accept", "application/json");
        headers.insert("authorization", format!("Basic {}", STANDARD.encode(pair)));
        Ok(request)
    }

    fn token(&self, status: u16, body: &[u8], asked: SystemTime) -> Result<Token, TokenError> {
        let answer: Option<Answer> = serde_json::from_slice(body).ok();
        if status != 200 {
            let code = answer.and_then(|answer| answer.error);
            return Err(refused(status, code.as_deref()));
        }
        let answer = answer.ok_or(TokenError::NotAToken)?;
        let value = answer.access_token.filter(|token| !token.is_empty());
        let value = value.ok_or(TokenError::NotAToken)?;
        let claims = claims_of(&value);
        let said = answer.expires_in.and_then(seconds).map(|length| asked + length);
        let in_token = claims.as_ref().and_then(|claims| claims.exp).and_then(seconds);
        let in_token = in_token.map(|since| SystemTime::UNIX_EPOCH + since);
        let ends = said.into_iter().chain(in_token).min().unwrap_or(asked + UNSAID);
        if let Ok(ago) = asked.duration_since(ends) {
            return Err(TokenError::Expired { ago });
        }
        let principal = claims.and_then(|claims| claims.sub).filter(|name| !name.is_empty());
        let principal = principal.unwrap_or_else(|| self.client_id.clone());
        Ok(Token { value, principal, ends, extensions: self.extensions.clone() })
    }
}

fn refused(status: u16, code: Option<&str>) -> TokenError {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let code = code.filter(|code| code.len() <= CODE_CHARS_MAX && code.chars().all(is_plain));
    let is_client = status == 401 || matches!(code, Some("invalid_client" | "unauthorized_client"));
    let code = code.map_or_else(String::new, |code| format!(" `{code}`"));
    match is_client {
        true => TokenError::Client { status, code },
        false => TokenError::Status { status, code },
    }
}

/// Times beyond any calendar are none.
fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok().filter(|length| length.as_secs() < 1 << 40)
}

/// Returns the claims of a token that is a JWT; who issued it need not make it one.
fn claims_of(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

async fn body_of(answer: HttpResponse) -> Result<Vec<u8>, TokenError> {
    let mut stream = ByteStream::new(answer.into_body());
    let mut body = Vec::new();
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(|error| TokenError::Unreached { why: whole(&error) })?;
        body.extend_from_slice(&bytes);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(TokenError::NotAToken);
        }
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn oidc() -> Oidc {
        Oidc {
            endpoint: "http://127.0.0.1/token".to_owned(),
            client_id: "sluice".to_owned(),
            client_secret: Secret::new("hunter2".to_owned()),
            secret_file: None,
            scope: Some("a b".to_owned()),
            audience: None,
            ca_file: None,
            extensions: Vec::new(),
        }
    }

    fn jwt(claims: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_holds_until_the_earlier_of_what_the_answer_and_the_token_say() {
        for (answer, ends, principal) in [
            (r#"{"access_token":"opaque","expires_in":60}"#.to_owned(), 60, "sluice"),
            (r#"{"access_token":"opaque"}"#.to_owned(), 300, "sluice"),
            (format!(r#"{{"access_token":"{}"}}"#, jwt(r#"{"exp":90,"sub":"me"}"#)), 90, "me"),
            (
                format!(r#"{{"access_token":"{}","expires_in":60}}"#, jwt(r#"{"exp":90}"#)),
                60,
                "sluice",
            ),
        ] {
            let token = oidc().token(200, answer.as_bytes(), NOW).unwrap();
            assert_eq!(token.ends, NOW + Duration::from_secs(ends), "{answer}");
            assert_eq!(token.principal, principal);
            assert!(!format!("{token:?}").contains(&token.value));
        }
    }

    #[test]
    fn what_is_no_token_says_what_to_do() {
        let now = NOW + Duration::from_secs(100);
        let expired = format!(r#"{{"access_token":"{}"}}"#, jwt(r#"{"exp":90}"#));
        for (status, body, expected) in [
            (
                401,
                "{}",
                "does not trust `kafka.auth.client_id` and `kafka.auth.client_secret` (it answers 401): correct them",
            ),
            (
                400,
                r#"{"error":"invalid_client"}"#,
                "(it answers 400 `invalid_client`): correct them",
            ),
            (
                400,
                r#"{"error":"invalid_scope"}"#,
                "gives no token (it answers 400 `invalid_scope`): correct `kafka.auth.scope`",
            ),
            (400, r#"{"error":"<html>"}"#, "gives no token (it answers 400): correct"),
            (200, "<html>", "without an `access_token`"),
            (200, &expired, "the token has expired 10 s ago: set the clock"),
        ] {
            let error = oidc().token(status, body.as_bytes(), now).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_secret_travels_in_a_header_and_is_not_printed() {
        let request = oidc().request().unwrap();
        let header = request.headers().get("authorization").unwrap();
        assert_eq!(header, "Basic c2x1aWNlOmh1bnRlcjI=");
        let body = request.body().bytes().unwrap();
        assert_eq!(body, b"grant_type=client_credentials&scope=a+b");
        assert!(!format!("{:?}", oidc()).contains("hunter2"));
    }

    #[test]
    fn a_file_without_a_whole_certificate_is_told() {
        let cut = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        for text in ["", "no certificate\n", "-----BEGIN CERTIFICATE-----\n", cut] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            let oidc = Oidc { ca_file: Some(file.path().to_owned()), ..oidc() };
            let error = oidc.connector().unwrap_err();
            assert!(matches!(error, TokenError::Authority { .. }), "{text}: {error}");
        }
    }
}
