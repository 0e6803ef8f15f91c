//! Access keys as STS gives them out: with a session, and an end.
//!
//! It owns: which keys exist, and whose signature a request bears.
//! It does not own: what a key may do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;

use super::http::Request;

/// One pair of keys.
#[derive(Debug, Clone)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub session: Option<String>,
    pub ends: SystemTime,
    /// Who gave it out: `imds`, `ecs`, `web`, `role/<name>`.
    pub source: String,
}

/// Every key that was given out.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<Mutex<Vec<Key>>>);

/// Whose request it is, or the code of S3 and STS that says why not.
pub type Verdict = Result<Signed, &'static str>;

/// A request whose signature is right.
#[derive(Debug, Clone)]
pub struct Signed {
    pub key: Key,
    pub region: String,
}

impl Keys {
    /// Gives out a key of its own that lasts so long.
    pub fn mint(&self, source: &str, lasts: Duration) -> Key {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let key = Key {
            id: format!("ASIA{number:016}"),
            secret: format!("secret/{number}+of/{source}"),
            session: Some(format!("session/{number}==")),
            ends: SystemTime::now() + lasts,
            source: source.to_owned(),
        };
        self.add(key.clone());
        key
    }

    /// Adds a key without a session, as a user has.
    pub fn of_user(&self, id: &str, secret: &str) {
        let ends = SystemTime::now() + Duration::from_secs(86_400);
        let (id, secret) = (id.to_owned(), secret.to_owned());
        self.add(Key { id, secret, session: None, ends, source: "user".to_owned() });
    }

    fn add(&self, key: Key) {
        self.0.lock().unwrap().push(key);
    }

    /// Computes the signature that the request must have, and compares.
    pub fn judge(&self, request: &Request, service: &str) -> Verdict {
        let authorization = request.header("authorization").ok_or("AccessDenied")?;
        let field = |name: &str| {
            let rest = authorization.split(name).nth(1)?;
            rest.split([',', ' ']).next().map(str::to_owned)
        };
        let credential = field("Credential=").ok_or("AuthorizationHeaderMalformed")?;
        let [id, _date, region, of_service, _] =
            credential.split('/').collect::<Vec<_>>().try_into().map_err(|_words| "Malformed")?;
        let keys = self.0.lock().unwrap();
        let key = keys.iter().find(|key| key.id == id).ok_or("InvalidAccessKeyId")?.clone();
        drop(keys);
        if request.header("x-amz-security-token") != key.session.as_deref() {
            return Err("InvalidToken");
        }
        if key.ends < SystemTime::now() {
            return Err("ExpiredToken");
        }
        let names = field("SignedHeaders=").ok_or("AuthorizationHeaderMalformed")?;
        let time = time_of(request.header("x-amz-date").ok_or("AccessDenied")?);
        let names: Vec<&str> = names.split(';').collect();
        let by = (&key, region, service);
        let (_, signature) = signature(request, &names, by, time);
        let is_right = of_service == service && field("Signature=") == Some(signature);
        is_right.then(|| Signed { region: region.to_owned(), key }).ok_or("SignatureDoesNotMatch")
    }
}

fn time_of(text: &str) -> SystemTime {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).unwrap();
    time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().into()
}

/// Returns the headers that sign the request for `service`, and the signature alone.
pub fn signature(
    request: &Request,
    names: &[&str],
    (key, region, service): (&Key, &str, &str),
    time: SystemTime,
) -> (Vec<(String, String)>, String) {
    let credentials =
        Credentials::new(&key.id, &key.secret, key.session.clone(), None, "tests").into();
    let mut settings = SigningSettings::default();
    let digest = request.header("x-amz-content-sha256").unwrap_or("UNSIGNED-PAYLOAD").to_owned();
    let mut body = SignableBody::Bytes(&request.body);
    if service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        body = SignableBody::Precomputed(digest);
    }
    let params = SigningParams::builder()
        .identity(&credentials)
        .region(region)
        .name(service)
        .time(time)
        .settings(settings)
        .build()
        .unwrap();
    let own = ["x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "authorization"];
    let headers: Vec<(&str, &str)> = request
        .headers
        .iter()
        .filter(|(name, _)| names.contains(&name.as_str()) && !own.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let uri = format!("http://{}{}", request.header("host").unwrap(), request.target);
    let signable = SignableRequest::new(&request.method, uri, headers.into_iter(), body).unwrap();
    let (instructions, signature) = sign(signable, &params.into()).unwrap().into_parts();
    let headers = instructions.headers();
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    (headers.collect(), signature)
}
