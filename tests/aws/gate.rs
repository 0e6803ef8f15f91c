//! The gate before the real S3: checks each signature as S3 does, and passes the request on in the
//! name of the server's own user, who is the only one it knows.
//!
//! It owns: who may pass, and who did. It does not own: keys (`keys`), what is stored.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::http::{Request, Server, answer};
use super::keys::{Key, Keys, Signed, signature};
use super::support::s3::{ACCESS_KEY, REGION, SECRET_KEY};

/// A gate on a port of its own.
pub struct Gate {
    server: Server,
    passed: Arc<Mutex<Vec<Signed>>>,
}

impl Gate {
    pub fn start(server: &str, keys: Keys) -> Self {
        let passed: Arc<Mutex<Vec<Signed>>> = Arc::default();
        let (server, noted) = (server.to_owned(), Arc::clone(&passed));
        let server = Server::start(move |request| match keys.judge(&request, "s3") {
            Ok(signed) => {
                noted.lock().unwrap().push(signed);
                forward(&server, &in_the_users_name(request))
            }
            Err(code) => refusal(&request, code),
        });
        Self { server, passed }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Everyone who passed, in order.
    pub fn passed(&self) -> Vec<Signed> {
        self.passed.lock().unwrap().clone()
    }

    /// How many different keys of this source have passed.
    pub fn keys_of(&self, source: &str) -> usize {
        let passed = self.passed().into_iter().filter(|signed| signed.key.source == source);
        passed.map(|signed| signed.key.id).collect::<BTreeSet<_>>().len()
    }
}

/// S3 says to an expired session what is wrong with 400, to all others with 403.
fn refusal(request: &Request, code: &str) -> Vec<u8> {
    let status = if code == "ExpiredToken" { 400 } else { 403 };
    let body = format!("<Error><Code>{code}</Code><Message>by the gate</Message></Error>");
    let body = if request.method == "HEAD" { "" } else { &body };
    answer(status, &[("content-type", "application/xml")], body)
}

fn in_the_users_name(mut request: Request) -> Request {
    let (id, secret) = (ACCESS_KEY.to_owned(), SECRET_KEY.to_owned());
    let source = "the server's own".to_owned();
    let key = Key { id, secret, session: None, ends: SystemTime::now(), source };
    let authorization = request.header("authorization").unwrap().to_owned();
    let names = authorization.split("SignedHeaders=").nth(1).unwrap();
    let names: Vec<&str> = names.split(',').next().unwrap().split(';').collect();
    let (headers, _) = signature(&request, &names, (&key, REGION, "s3"), SystemTime::now());
    let replaced = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];
    request.headers.retain(|(name, _)| !replaced.contains(&name.as_str()));
    request.headers.extend(headers);
    request
}

/// Sends a request on, and returns the answer whole.
pub fn forward(server: &str, request: &Request) -> Vec<u8> {
    let exchange = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(server)?;
        stream.write_all(&request.bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    exchange().unwrap_or_else(|_broken| answer(503, &[], ""))
}
