//! What `[http]` means: where pages are served, and to whom.
//!
//! It owns: the typed settings, which of them need each other. It does not own: reading the
//! certificate, judging who asks (`daemon::http`).

use std::net::SocketAddr;
use std::path::PathBuf;

use super::fault::Caution;
use super::problem::Problem;
use super::reader::Reader;
use super::{Secret, Sources};

/// Metrics and the status page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    pub listen: SocketAddr,
    pub partition_metrics: bool,
    pub show_keys: bool,
    /// None: in the clear.
    pub tls: Option<HttpTls>,
    pub login: HttpLogin,
}

/// Files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTls {
    /// The server's own certificate first, then what leads to a root.
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

/// What a request must show; without either, nothing. With both, one is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpLogin {
    /// RFC 7617: user and password.
    pub basic: Option<(String, Secret)>,
    /// RFC 6750: a token.
    pub bearer: Option<Secret>,
}

impl HttpLogin {
    /// Returns whether anybody may ask.
    pub fn is_open(&self) -> bool {
        self.basic.is_none() && self.bearer.is_none()
    }
}

/// Reads `[http]`.
pub(super) fn http(reader: &mut Reader<'_>, sources: &Sources<'_>) -> Option<Http> {
    let listen =
        reader.parse("http.listen", |text| text.parse().map_err(|_| Problem::NotAnAddress));
    let partition_metrics = reader.flag("http.partition_metrics");
    let show_keys = reader.flag("http.show_keys");
    let tls = tls(reader);
    let login = login(reader, sources);
    let listen: SocketAddr = listen?;
    if let Some(found) = reader.find("http.listen").filter(|_| !listen.ip().is_loopback()) {
        match (&tls, login.is_open()) {
            (_, true) => reader.warn(&found.spot, Caution::ListensBeyondLoopback),
            (None, false) => reader.warn(&found.spot, Caution::LoginInTheClear),
            (Some(_), false) => {}
        }
    }
    let (partition_metrics, show_keys) = (partition_metrics?, show_keys?);
    Some(Http { listen, partition_metrics, show_keys, tls, login })
}

fn tls(reader: &mut Reader<'_>) -> Option<HttpTls> {
    let keys = ["http.tls.certificate_file", "http.tls.key_file"];
    let [certificate, key] = keys.map(|key| reader.file(key));
    let given = keys.map(|key| reader.find(key).map(|found| found.spot));
    match given {
        [Some(spot), None] => reader.fault(&spot, Problem::NeedsOther { other: keys[1] }),
        [None, Some(spot)] => reader.fault(&spot, Problem::NeedsOther { other: keys[0] }),
        [None, None] | [Some(_), Some(_)] => {}
    }
    Some(HttpTls { certificate_file: certificate?.value, key_file: key?.value })
}

fn login(reader: &mut Reader<'_>, sources: &Sources<'_>) -> HttpLogin {
    const USERNAME: &str = "http.auth.username";
    const PASSWORD: &str = "http.auth.password";
    let username = reader.text(USERNAME);
    let password = reader.secret(PASSWORD, sources);
    let bearer = reader.secret("http.auth.token", sources);
    match (&username, &password) {
        (Some(username), _) if username.value.is_empty() || username.value.contains(':') => {
            reader.fault(&username.spot, Problem::NotAUsername);
        }
        (Some(username), None) if reader.find("http.auth.password_file").is_none() => {
            reader.fault(&username.spot, Problem::NeedsOther { other: PASSWORD });
        }
        (None, Some(password)) => {
            reader.fault(&password.spot, Problem::NeedsOther { other: USERNAME });
        }
        (Some(_), _) | (None, None) => {}
    }
    HttpLogin {
        basic: username.zip(password).map(|(name, password)| (name.value, password.value)),
        bearer: bearer.map(|token| token.value),
    }
}
