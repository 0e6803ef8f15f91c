//! OAUTHBEARER with tokens of an OIDC endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::certificates::{Authority, Validity};
use super::cluster::AUDIENCE;
use super::server::{Request, Server};
use super::{SOON, Scene, cluster, until_said};

const SECRET: &str = "marker-of-a-client-secret";

/// Tokens that end so many seconds from now, for whoever has the secret.
fn endpoint(secret: &str, seconds: i64) -> impl Fn(&Request) -> (u16, String) + Send + 'static {
    let basic = format!("Basic {}", STANDARD.encode(format!("sluice:{secret}")));
    move |request| {
        if !request.head.contains(&basic) {
            return (401, r#"{"error":"invalid_client"}"#.to_owned());
        }
        let token = cluster().token(seconds);
        // What the token itself says is shorter.
        (200, format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#))
    }
}

fn scene(server: &Server, secret: &str) -> Scene {
    let scene = Scene::over_tls("OAUTH");
    let file = scene.put("secret", secret.as_bytes());
    scene
        .text("kafka.auth.method", "oauthbearer")
        .text("kafka.auth.token_endpoint", &format!("{}/token", server.url))
        .text("kafka.auth.client_id", "sluice")
        .file("kafka.auth.client_secret_file", &file)
        .text("kafka.auth.scope", "kafka")
        .text("kafka.auth.audience", AUDIENCE)
        .set("kafka.auth.extensions", "[\"logicalCluster=lkc-1\"]")
}

#[test]
fn oauthbearer_works_longer_than_a_token_and_for_every_command() {
    let server = Server::start(endpoint(SECRET, 10));
    let scene = scene(&server, SECRET);
    let daemon = scene.settings.start();
    scene.works(&daemon);
    let before = server.times_asked();
    daemon
        .wait_until("two tokens more", SOON, || (server.times_asked() >= before + 2).then_some(()));
    scene.works(&daemon);
    assert!(!daemon.log().contains("Kafka refuses"), "{}", daemon.log());
    assert!(server.all_asked(|request| {
        request.head.starts_with("POST /token ")
            && request.body == "grant_type=client_credentials&scope=kafka&audience=kafka"
    }));
    let output = scene.settings.command("verify", &["--deep"]);
    assert!(output.status.success(), "{output:?}");
    scene.ends(daemon);
}

#[test]
fn oauthbearer_works_for_the_emulation() {
    let server = Server::start(endpoint(SECRET, 60));
    let scene = scene(&server, SECRET);
    for topic in ["pin", "geo", "user"] {
        scene.cluster.kafka.create_topic(&format!("{}.{topic}", scene.topic), 1);
    }
    let prefix = format!("{}.", scene.topic);
    let arguments = ["--posts", "5", "--rate", "0", "--topic-prefix", &prefix];
    let output = scene.settings.command("emulate", &arguments);
    assert!(output.status.success(), "{output:?}");
    let refused = scene.settings.set("kafka.auth.client_id", "\"nobody\"");
    let output = refused.command("emulate", &arguments);
    assert_eq!(output.status.code(), Some(69));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("lets us in") && said.contains("`kafka.auth.client_id`"), "{said}");
}

#[test]
fn oauthbearer_works_once_a_wrong_client_secret_is_put_right() {
    let server = Server::start(endpoint(SECRET, 60));
    let scene = scene(&server, "marker-of-another-secret");
    let words = "does not trust `kafka.auth.client_id` and `kafka.auth.client_secret` (it answers 401 `invalid_client`): correct them";
    scene.check(words);
    let daemon = scene.refused(words);
    scene.put("secret", SECRET.as_bytes());
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn oauthbearer_works_once_the_endpoint_gives_no_expired_tokens_any_more() {
    let server = Server::start(endpoint(SECRET, -30));
    let scene = scene(&server, SECRET);
    // And 30 s ago, or somewhat more.
    let words = "the token has expired 3";
    scene.check(words);
    let daemon = scene.refused(words);
    server.answer(endpoint(SECRET, 60));
    scene.works(&daemon);
    scene.ends(daemon);
}

/// The brokers refuse what the endpoint gives: another issuer, or a token that is no longer signed
/// by a key that they know. Opaque ones say nothing of their end.
#[test]
fn oauthbearer_works_once_the_brokers_take_the_token() {
    let server =
        Server::start(|_| (200, r#"{"access_token":"opaque","expires_in":3600}"#.to_owned()));
    let scene = scene(&server, SECRET);
    let words = "the brokers do not take the token: see that their listener expects its issuer";
    scene.check(words);
    let daemon = scene.refused(words);
    server.answer(endpoint(SECRET, 60));
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn oauthbearer_goes_on_when_the_client_secret_is_rotated() {
    let server = Server::start(endpoint(SECRET, 10));
    let scene = scene(&server, SECRET);
    let daemon = scene.settings.start();
    scene.works(&daemon);
    server.answer(endpoint("marker-of-the-next-secret", 10));
    until_said(&daemon, "(it answers 401 `invalid_client`): correct them");
    scene.put("secret", b"marker-of-the-next-secret");
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn oauthbearer_works_once_the_endpoints_authority_is_in_its_file() {
    let authority = Authority::new("the endpoint's authority");
    let identity = authority.sign("endpoint", Validity::Good);
    let server = Server::start_tls(&identity, endpoint(SECRET, 60));
    let scene = scene(&server, SECRET);
    let ca_file = scene.put("endpoint-ca.pem", &Authority::new("nobody").pem());
    let scene = scene.file("kafka.auth.token_ca_file", &ca_file);
    let words =
        "UnknownIssuer): see that it is up, and that `kafka.auth.token_ca_file` holds its CA";
    scene.check(words);
    let daemon = scene.refused(words);
    scene.put("endpoint-ca.pem", &authority.pem());
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn oauthbearer_works_once_the_endpoint_answers() {
    let server = Server::start(|_| (503, String::new()));
    let scene = scene(&server, SECRET);
    let daemon = scene.refused("`kafka.auth.token_endpoint` gives no token (it answers 503)");
    server.answer(endpoint(SECRET, 60));
    scene.works(&daemon);
    scene.ends(daemon);
}
