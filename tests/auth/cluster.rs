//! One Kafka with a listener for each login, and the authorities behind them.
//!
//! It owns: the listeners' properties, users, certificates, the signing key of tokens.
//! It does not own: the clients.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use tempfile::TempDir;

use super::certificates::{Authority, Validity, key};
use super::support::install::{self, KafkaRelease};
use super::support::kafka::rights::AUTHORIZER;
use super::support::{Kafka, kafka, scratch};

pub const PASSWORD: &str = "marker-of-a-password";
pub const AUDIENCE: &str = "kafka";
const ISSUER: &str = "https://login.test";

/// The cluster, with what clients need to know.
pub struct Cluster {
    pub kafka: Kafka,
    /// Whom brokers and clients trust.
    pub authority: Authority,
    token_key: PKey<Private>,
    folder: TempDir,
}

/// The one that all tests share.
pub fn cluster() -> &'static Cluster {
    static SHARED: LazyLock<Cluster> = LazyLock::new(Cluster::start);
    &SHARED
}

impl Cluster {
    fn start() -> Self {
        install::kafka(KafkaRelease::V4_4);
        let folder = scratch::folder("auth");
        let authority = Authority::new("the brokers' authority");
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        put("ca.pem", &authority.pem());
        put("broker.pem", &authority.sign("broker", Validity::Good).whole());
        put("expired.pem", &authority.sign("broker", Validity::Expired).whole());
        put("keys", b"");
        put("passwords", format!("sluice {PASSWORD}").as_bytes());
        let token_key = key();
        let jwks = format!("file://{}", put("jwks.json", jwks(&token_key).as_bytes()).display());
        compile(folder.path());
        let users = ["SCRAM-SHA-256", "SCRAM-SHA-512"];
        let kafka = Kafka::start(kafka::Options {
            listeners: vec![
                ("PLAIN", "SASL_PLAINTEXT"),
                ("SCRAM", "SASL_SSL"),
                ("MTLS", "SSL"),
                ("EXPIRED", "SSL"),
                ("OAUTH", "SASL_SSL"),
                ("MSK", "SASL_SSL"),
            ],
            properties: properties(folder.path(), &jwks),
            scram_users: users
                .map(|mechanism| format!("{mechanism}=[name=sluice,password={PASSWORD}]"))
                .into(),
            jvm: vec![
                format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={jwks}"),
                format!("-Dmsk.keys={}", folder.path().join("keys").display()),
                format!("-Dplain.passwords={}", folder.path().join("passwords").display()),
            ],
            classes: vec![folder.path().to_owned()],
            ..kafka::Options::default()
        });
        Self { kafka, authority, token_key, folder }
    }

    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Adds AWS keys, or others for the same id, that the listener for MSK knows from now on.
    pub fn msk_knows(&self, keys: &str) {
        self.replace_line("keys", keys);
    }

    /// From now on this is the user's only password on the listener for PLAIN.
    pub fn set_plain_password(&self, user: &str, password: &str) {
        self.replace_line("passwords", &format!("{user} {password}"));
    }

    /// Puts a line into a file in place of the one that begins with the same word.
    fn replace_line(&self, name: &str, line: &str) {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let id = line.split(' ').next().unwrap();
        let known = std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        let others = known.lines().filter(|line| !line.starts_with(&format!("{id} ")));
        let mut lines: Vec<&str> = others.collect();
        lines.push(line);
        self.put(name, lines.join("\n").as_bytes());
    }

    /// Replaces a file whole at once: a broker may read it at any time.
    fn put(&self, name: &str, bytes: &[u8]) {
        let new = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        std::fs::write(new.path(), bytes).unwrap();
        new.persist(self.folder.path().join(name)).unwrap();
    }

    /// Renews the certificate of the listener whose certificate has expired, while the broker runs.
    pub fn renew_expired(&self) {
        self.put("renewed.pem", &self.authority.sign("broker", Validity::Good).whole());
        let file = self.folder.path().join("renewed.pem");
        let setting = "listener.name.expired.ssl.keystore.location";
        self.kafka.set_of_broker(setting, file.to_str().unwrap());
    }

    /// A token for `sluice` that ends so many seconds from now.
    pub fn token(&self, seconds: i64) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        let claims = serde_json::json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "sluice", "scope": "kafka",
            "iat": now - 3_600, "exp": now + seconds,
        });
        let header = r#"{"alg":"RS256","kid":"one"}"#;
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signer = Signer::new(MessageDigest::sha256(), &self.token_key).unwrap();
        signer.update(text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signer.sign_to_vec().unwrap()))
    }
}

fn jwks(key: &PKey<Private>) -> String {
    let rsa = key.rsa().unwrap();
    let number = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
    let (n, e) = (number(rsa.n().to_vec()), number(rsa.e().to_vec()));
    serde_json::json!({
        "keys": [{ "kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": n, "e": e }]
    })
    .to_string()
}

/// The listeners for MSK and for PLAIN have validators of their own.
fn compile(folder: &Path) {
    let sources = ["MskIamValidator.java", "PlainPasswords.java"];
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/auth");
    let mut javac = Command::new("javac");
    javac.args(["-cp", &KafkaRelease::V4_4.class_path(), "-d"]).arg(folder);
    javac.args(sources.map(|source| tests.join(source)));
    let output = javac.output().expect("there is javac (`.ci/set-up` installs it)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn properties(folder: &Path, jwks: &str) -> Vec<(&'static str, String)> {
    let file = |name: &str| folder.join(name).display().to_string();
    let oauth = "org.apache.kafka.common.security.oauthbearer";
    let login = format!("{oauth}.OAuthBearerLoginModule required;");
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required;";
    let mut all = vec![
        ("listener.name.plain.sasl.enabled.mechanisms", "PLAIN".to_owned()),
        ("listener.name.plain.plain.sasl.jaas.config", plain.to_owned()),
        (
            "listener.name.plain.plain.sasl.server.callback.handler.class",
            "PlainPasswords".to_owned(),
        ),
        ("listener.name.plain.plain.connections.max.reauth.ms", "3000".to_owned()),
        ("listener.name.scram.sasl.enabled.mechanisms", "SCRAM-SHA-256,SCRAM-SHA-512".to_owned()),
        ("listener.name.scram.scram-sha-256.sasl.jaas.config", scram.to_owned()),
        ("listener.name.scram.scram-sha-512.sasl.jaas.config", scram.to_owned()),
        // Who is in has to show a password again soon.
        ("listener.name.scram.scram-sha-512.connections.max.reauth.ms", "3000".to_owned()),
        ("listener.name.mtls.ssl.client.auth", "required".to_owned()),
        ("listener.name.oauth.sasl.enabled.mechanisms", "OAUTHBEARER".to_owned()),
        ("listener.name.oauth.oauthbearer.sasl.jaas.config", login.clone()),
        (
            "listener.name.oauth.oauthbearer.sasl.server.callback.handler.class",
            format!("{oauth}.OAuthBearerValidatorCallbackHandler"),
        ),
        ("listener.name.oauth.oauthbearer.connections.max.reauth.ms", "3600000".to_owned()),
        ("listener.name.oauth.oauthbearer.sasl.oauthbearer.jwks.endpoint.url", jwks.to_owned()),
        ("listener.name.oauth.oauthbearer.sasl.oauthbearer.expected.audience", AUDIENCE.to_owned()),
        ("listener.name.oauth.oauthbearer.sasl.oauthbearer.expected.issuer", ISSUER.to_owned()),
        ("listener.name.oauth.oauthbearer.sasl.oauthbearer.clock.skew.seconds", "0".to_owned()),
        ("listener.name.msk.sasl.enabled.mechanisms", "OAUTHBEARER".to_owned()),
        ("listener.name.msk.oauthbearer.sasl.jaas.config", login),
        (
            "listener.name.msk.oauthbearer.sasl.server.callback.handler.class",
            "MskIamValidator".to_owned(),
        ),
        ("listener.name.msk.oauthbearer.connections.max.reauth.ms", "3000".to_owned()),
        // Rights matter where a test gives some; the harness logs in nowhere and may do all.
        (AUTHORIZER[0].0, AUTHORIZER[0].1.to_owned()),
        (AUTHORIZER[1].0, AUTHORIZER[1].1.to_owned()),
        ("super.users", "User:ANONYMOUS".to_owned()),
        // Refused clients come back at once.
        ("connection.failed.authentication.delay.ms", "0".to_owned()),
        ("ssl.keystore.type", "PEM".to_owned()),
        ("ssl.keystore.location", file("broker.pem")),
        ("ssl.truststore.type", "PEM".to_owned()),
        ("ssl.truststore.location", file("ca.pem")),
    ];
    all.push(("listener.name.expired.ssl.keystore.type", "PEM".to_owned()));
    all.push(("listener.name.expired.ssl.keystore.location", file("expired.pem")));
    all
}
