//! What `[kafka.auth]` means: one of five logins.
//!
//! It owns: which keys belong to which method, the region in the brokers' names.
//! It does not own: tokens (`kafka::login`), how secrets are found (`credentials`).

use std::path::PathBuf;

use super::KafkaTls;
use crate::config::Sources;
use crate::config::fault::{Caution, Spot};
use crate::config::problem::Problem;
use crate::config::reader::{Found, Reader, not_a_word};
use crate::config::s3::parse_role;
use crate::model::Secret;

const METHOD: &str = "kafka.auth.method";
/// Which keys belong to which methods.
const KEYS_OF: [(&[&str], &[&str]); 3] = [
    (&["plain", "scram_sha_256", "scram_sha_512"], &["username", "password", "password_file"]),
    (
        &["oauthbearer"],
        &[
            "token_endpoint",
            "client_id",
            "client_secret",
            "client_secret_file",
            "scope",
            "audience",
            "token_ca_file",
            "extensions",
        ],
    ),
    (&["msk_iam"], &["region", "role_arn", "external_id", "session_name"]),
];
/// CloudTrail's name of what we do in a role.
const SESSION_NAME: &str = "sluice";

/// A login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KafkaAuth {
    Password(PasswordLogin),
    OauthBearer(OauthBearer),
    MskIam(MskIam),
}

/// A user with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordLogin {
    pub method: AuthMethod,
    pub username: String,
    pub password: Secret,
    /// Where the password was read; it may change there.
    pub file: Option<PathBuf>,
}

/// How the password travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    Plain,
    ScramSha256,
    ScramSha512,
}

/// Tokens by OIDC's client credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OauthBearer {
    pub token_endpoint: String,
    pub client_id: String,
    pub client_secret: Secret,
    /// Where the secret was read; it may change there.
    pub secret_file: Option<PathBuf>,
    pub scope: Option<String>,
    pub audience: Option<String>,
    pub ca_file: Option<PathBuf>,
    /// Names and values.
    pub extensions: Vec<(String, String)>,
}

/// Tokens that AWS credentials sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MskIam {
    pub region: String,
    pub role_arn: Option<String>,
    pub external_id: Option<String>,
    pub session_name: String,
}

/// What a login is checked against.
#[derive(Debug)]
pub(super) struct Around<'a> {
    pub(super) servers: &'a [String],
    pub(super) tls: Option<&'a KafkaTls>,
}

impl AuthMethod {
    /// Returns the name of the SASL mechanism.
    pub fn mechanism(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl KafkaAuth {
    /// Returns the name of the SASL mechanism.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Password(login) => login.method.mechanism(),
            Self::OauthBearer(_) | Self::MskIam(_) => "OAUTHBEARER",
        }
    }
}

/// Reads `[kafka.auth]`; none if there is no login, or a fault keeps it from being whole.
pub(super) fn read(
    reader: &mut Reader<'_>,
    sources: &Sources<'_>,
    around: &Around<'_>,
) -> Option<KafkaAuth> {
    let password = reader.secret("kafka.auth.password", sources);
    let client_secret = reader.secret("kafka.auth.client_secret", sources);
    let Some(method) = reader.text(METHOD) else {
        // A systemd credential has no key in the tree, and a place all the same.
        let spots = [password, client_secret].map(|found| found.map(|found| found.spot));
        without_method(reader, spots.into_iter().flatten().collect());
        return None;
    };
    check_keys(reader, &method.value);
    let login = match method.value.as_str() {
        "plain" => password_login(reader, sources, (AuthMethod::Plain, &method.spot, password)),
        "scram_sha_256" => {
            password_login(reader, sources, (AuthMethod::ScramSha256, &method.spot, password))
        }
        "scram_sha_512" => {
            password_login(reader, sources, (AuthMethod::ScramSha512, &method.spot, password))
        }
        "oauthbearer" => oauthbearer(reader, sources, (&method.spot, client_secret)),
        "msk_iam" => msk_iam(reader, &method.spot, around.servers),
        _ => {
            reader.fault(&method.spot, not_a_word(METHOD, &method.value));
            return None;
        }
    };
    if around.tls.is_none() {
        match method.value.as_str() {
            "plain" => reader.warn(&method.spot, Caution::PlainWithoutTls),
            "oauthbearer" | "msk_iam" => reader.warn(&method.spot, Caution::TokenWithoutTls),
            _ => {}
        }
    }
    login
}

fn without_method(reader: &mut Reader<'_>, secrets: Vec<Spot>) {
    let names = KEYS_OF.iter().flat_map(|(_, names)| names.iter());
    let spots = names.filter_map(|name| Some(reader.find(&format!("kafka.auth.{name}"))?.spot));
    let mut spots: Vec<Spot> = spots.collect();
    spots.extend(secrets);
    for spot in spots {
        reader.fault(&spot, Problem::NeedsOther { other: METHOD });
    }
}

/// Finds keys of other methods than the one that is set.
fn check_keys(reader: &mut Reader<'_>, method: &str) {
    let is_known = KEYS_OF.iter().any(|(methods, _)| methods.contains(&method));
    for (methods, names) in KEYS_OF.iter().filter(|(methods, _)| !methods.contains(&method)) {
        for name in names.iter().filter(|_| is_known) {
            if let Some(found) = reader.find(&format!("kafka.auth.{name}")) {
                let methods: Vec<_> = methods.iter().map(|method| format!("`{method}`")).collect();
                let methods = methods.join(", ");
                reader.fault(&found.spot, Problem::OfOtherMethod { methods });
            }
        }
    }
}

/// Adds the fault of a key that a method cannot be without.
fn needs(reader: &mut Reader<'_>, method: &Spot, other: &'static str) {
    let is_given =
        [other.to_owned(), format!("{other}_file")].iter().any(|key| reader.find(key).is_some());
    if !is_given {
        reader.fault(method, Problem::NeedsOther { other });
    }
}

fn password_login(
    reader: &mut Reader<'_>,
    sources: &Sources<'_>,
    (method, spot, password): (AuthMethod, &Spot, Option<Found<Secret>>),
) -> Option<KafkaAuth> {
    let username = reader.text("kafka.auth.username");
    needs(reader, spot, "kafka.auth.username");
    if password.is_none() {
        needs(reader, spot, "kafka.auth.password");
    }
    let file = reader.path_of_secret("kafka.auth.password", sources);
    let (username, password) = (username?.value, password?.value);
    Some(KafkaAuth::Password(PasswordLogin { method, username, password, file }))
}

fn oauthbearer(
    reader: &mut Reader<'_>,
    sources: &Sources<'_>,
    (spot, secret): (&Spot, Option<Found<Secret>>),
) -> Option<KafkaAuth> {
    let token_endpoint = reader.parse("kafka.auth.token_endpoint", parse_url);
    let client_id = reader.text("kafka.auth.client_id");
    for key in ["kafka.auth.token_endpoint", "kafka.auth.client_id"] {
        needs(reader, spot, key);
    }
    if secret.is_none() {
        needs(reader, spot, "kafka.auth.client_secret");
    }
    let scope = reader.text("kafka.auth.scope");
    let audience = reader.text("kafka.auth.audience");
    let ca_file = reader.file("kafka.auth.token_ca_file");
    let extensions = extensions(reader);
    Some(KafkaAuth::OauthBearer(OauthBearer {
        token_endpoint: token_endpoint?,
        client_id: client_id?.value,
        client_secret: secret?.value,
        secret_file: reader.path_of_secret("kafka.auth.client_secret", sources),
        scope: scope.map(|found| found.value),
        audience: audience.map(|found| found.value),
        ca_file: ca_file.map(|found| found.value),
        extensions,
    }))
}

fn extensions(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let mut extensions = Vec::new();
    if reader.find("kafka.auth.extensions").is_none() {
        return extensions;
    }
    for Found { spot, value } in reader.texts("kafka.auth.extensions").unwrap_or_default() {
        match parse_extension(&value) {
            Some(extension) => extensions.push(extension),
            None => reader.fault(&spot, Problem::NotAnExtension),
        }
    }
    extensions
}

/// RFC 7628, section 3.1; `auth` is the token's own.
fn parse_extension(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_value = value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    (is_name && is_value && name != "auth").then(|| (name.to_owned(), value.to_owned()))
}

fn msk_iam(reader: &mut Reader<'_>, spot: &Spot, servers: &[String]) -> Option<KafkaAuth> {
    let region = reader.parse("kafka.auth.region", crate::config::s3::parse_region);
    let is_region_given = reader.find("kafka.auth.region").is_some();
    let region = region.or_else(|| servers.iter().find_map(|server| region_of(server)));
    if region.is_none() && !is_region_given && !servers.is_empty() {
        reader.fault(spot, Problem::NoRegionOfBrokers);
    }
    let role_arn = reader.parse("kafka.auth.role_arn", parse_role);
    let external_id = reader.text("kafka.auth.external_id");
    let session_name = reader.text("kafka.auth.session_name");
    if reader.find("kafka.auth.role_arn").is_none() {
        for found in [&external_id, &session_name].into_iter().flatten() {
            reader.fault(&found.spot, Problem::NeedsOther { other: "kafka.auth.role_arn" });
        }
    }
    Some(KafkaAuth::MskIam(MskIam {
        region: region?,
        role_arn,
        external_id: external_id.map(|found| found.value),
        session_name: session_name.map_or_else(|| SESSION_NAME.to_owned(), |found| found.value),
    }))
}

/// Returns the region in a broker's name: `b-1.name.id.c2.kafka.eu-west-1.amazonaws.com:9098`.
fn region_of(server: &str) -> Option<String> {
    let (host, _port) = server.rsplit_once(':')?;
    let host = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com")?;
    let mut labels = host.rsplit('.');
    let region = labels.next()?;
    matches!(labels.next()?, "kafka" | "kafka-serverless").then(|| region.to_owned())
}

fn parse_url(text: &str) -> Result<String, Problem> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let is_good =
        !host.is_empty() && !host.contains('@') && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good { Ok(text.to_owned()) } else { Err(Problem::NotAUrl) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_msk_brokers_tell_their_region() {
        for (server, region) in [
            ("b-1.pin.ab12cd.c2.kafka.eu-west-1.amazonaws.com:9098", Some("eu-west-1")),
            ("b-2-public.pin.ab12cd.c2.kafka.us-east-1.amazonaws.com:9198", Some("us-east-1")),
            ("boot-ab12cd.c1.kafka-serverless.us-west-2.amazonaws.com:9098", Some("us-west-2")),
            ("b-1.pin.ab12cd.c2.kafka.cn-north-1.amazonaws.com.cn:9098", Some("cn-north-1")),
            ("s3.eu-west-1.amazonaws.com:443", None),
            ("localhost:9098", None),
            ("kafka.example.org:9098", None),
        ] {
            assert_eq!(region_of(server).as_deref(), region, "{server}");
        }
    }

    #[test]
    fn extensions_are_letters_and_printable_text() {
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        for (text, expected) in [
            ("logicalCluster=lkc-1", pair("logicalCluster", "lkc-1")),
            ("a=b=c", pair("a", "b=c")),
            ("auth=Bearer x", None),
            ("=a", None),
            ("a", None),
            ("a1=b", None),
            ("a=\u{1}", None),
        ] {
            assert_eq!(parse_extension(text), expected, "{text}");
        }
    }
}
