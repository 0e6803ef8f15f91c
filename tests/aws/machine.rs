//! Where a machine of AWS gets its keys: the metadata service of an instance (IMDSv2), that of a
//! container, and STS, all in one server of ours.
//!
//! It owns: their protocols, as AWS documents them. It does not own: keys (`keys`).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::http::{Request, Server, answer};
use super::keys::{Key, Keys};

pub const ROLE_OF_INSTANCE: &str = "sluice-instance";
pub const REGION_OF_INSTANCE: &str = "eu-north-1";
pub const TOKEN_OF_CONTAINER: &str = "token-of-the-container";
pub const TOKEN_OF_WEB: &str = "token.of.the.web";
pub const EXTERNAL_ID: &str = "outsider-7";
const SESSION_OF_INSTANCE: &str = "session-of-imds";

#[derive(Debug)]
struct State {
    keys: Keys,
    lasts: Mutex<Duration>,
    is_down: Mutex<bool>,
    asked: Mutex<Vec<String>>,
}

/// The machine's services on one port.
pub struct Machine {
    server: Server,
    state: Arc<State>,
}

impl Machine {
    pub fn start(keys: Keys) -> Self {
        let (lasts, is_down) = (Mutex::new(Duration::from_secs(3_600)), Mutex::new(false));
        let state = Arc::new(State { keys, lasts, is_down, asked: Mutex::default() });
        let told = Arc::clone(&state);
        Self { server: Server::start(move |request| act(&told, &request)), state }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// How long the keys last that are given out from now on.
    pub fn keys_last(&self, time: Duration) {
        *self.state.lasts.lock().unwrap() = time;
    }

    /// Answers 500 to everything, or no more so.
    pub fn set_down(&self, is_down: bool) {
        *self.state.is_down.lock().unwrap() = is_down;
    }

    /// Keys of a user whom STS and the gate know.
    pub fn user(&self, id: &str, secret: &str) {
        self.state.keys.of_user(id, secret);
    }

    /// What was asked for, in order: paths, and actions of STS.
    pub fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap().clone()
    }
}

fn act(state: &State, request: &Request) -> Vec<u8> {
    let form = form(&request.body);
    let of_form = |name: &str| {
        form.iter().find(|(one, _)| one == name).map_or("", |(_, value)| value.as_str())
    };
    let what = match of_form("Action") {
        "" => request.path().to_owned(),
        action => action.to_owned(),
    };
    state.asked.lock().unwrap().push(what.clone());
    if *state.is_down.lock().unwrap() {
        return answer(500, &[], "");
    }
    let mint = |source: &str| state.keys.mint(source, *state.lasts.lock().unwrap());
    match (request.method.as_str(), what.as_str()) {
        ("POST", "AssumeRoleWithWebIdentity") => {
            if of_form("WebIdentityToken") != TOKEN_OF_WEB {
                return denied("InvalidIdentityToken", "not our token");
            }
            assumed(&what, &mint("web"))
        }
        ("POST", "AssumeRole") => {
            let role = of_form("RoleArn");
            if let Err(code) = state.keys.judge(request, "sts") {
                return denied(code, "by STS");
            }
            if of_form("ExternalId") != EXTERNAL_ID {
                let message = format!(
                    "User: arn:aws:iam::123456789012:user/tests is not authorized to perform: \
                     sts:AssumeRole on resource: {role}"
                );
                return denied("AccessDenied", &message);
            }
            let session = of_form("RoleSessionName");
            assumed(&what, &mint(&format!("{}/{session}", role.rsplit(':').next().unwrap())))
        }
        ("GET", "/container") if request.header("authorization") == Some(TOKEN_OF_CONTAINER) => {
            answer(200, &[], &document(&mint("ecs")))
        }
        (_, path) if path.starts_with("/latest/") => instance(request, mint),
        _ => answer(403, &[], ""),
    }
}

fn instance(request: &Request, mint: impl Fn(&str) -> Key) -> Vec<u8> {
    const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
    if (request.method.as_str(), request.path()) == ("PUT", "/latest/api/token") {
        let Some(ttl) = request.header("x-aws-ec2-metadata-token-ttl-seconds") else {
            return answer(400, &[], "");
        };
        let headers = [("x-aws-ec2-metadata-token-ttl-seconds", ttl)];
        return answer(200, &headers, SESSION_OF_INSTANCE);
    }
    if request.header("x-aws-ec2-metadata-token") != Some(SESSION_OF_INSTANCE) {
        return answer(401, &[], "");
    }
    match request.path() {
        "/latest/meta-data/placement/region" => answer(200, &[], REGION_OF_INSTANCE),
        path if path == ROLES => answer(200, &[], ROLE_OF_INSTANCE),
        path if path.strip_prefix(ROLES) == Some(ROLE_OF_INSTANCE) => {
            answer(200, &[], &document(&mint("imds")))
        }
        _ => answer(404, &[], ""),
    }
}

fn end_of(key: &Key) -> String {
    jiff::Timestamp::try_from(key.ends).unwrap().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn document(key: &Key) -> String {
    serde_json::json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "LastUpdated": "2026-01-01T00:00:00Z",
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "Token": key.session,
        "Expiration": end_of(key),
    })
    .to_string()
}

fn assumed(action: &str, key: &Key) -> Vec<u8> {
    let (id, secret, end) = (&key.id, &key.secret, end_of(key));
    let session = key.session.as_deref().unwrap();
    let body = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         <Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>{session}</SessionToken><Expiration>{end}</Expiration></Credentials>\
         </{action}Result></{action}Response>"
    );
    answer(200, &[("content-type", "text/xml")], &body)
}

fn denied(code: &str, message: &str) -> Vec<u8> {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
         <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>test</RequestId></ErrorResponse>"
    );
    answer(403, &[("content-type", "text/xml")], &body)
}

/// The pairs of a form; none where the body is something else.
fn form(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let decode = |text: &str| super::support::proxy::s3::decode(&text.replace('+', " "));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}
