//! MSK's IAM: tokens that AWS credentials sign, before a listener that computes the signature again.

use super::server::Server;
use super::{SOON, Scene, unique, until_said};

pub(super) const SECRET: &str = "marker-of-a-secret-access-key";
pub(super) const REFUSED: &str = "on MSK that the IAM policy allows `kafka-cluster:Connect`";

fn scene() -> Scene {
    of(Scene::over_tls("MSK"))
}

/// With keys in a profile of a file.
pub(super) fn of(scene: Scene) -> Scene {
    let file = scene.put("credentials", b"");
    let id = scene.put("id", super::support::s3::ACCESS_KEY.as_bytes());
    let key = scene.put("key", super::support::s3::SECRET_KEY.as_bytes());
    scene
        .text("kafka.auth.method", "msk_iam")
        .text("kafka.auth.region", "eu-west-1")
        .env("AWS_PROFILE", "msk")
        .env("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())
        .env("AWS_CONFIG_FILE", "/nowhere")
        // The store's own, which must not hide the profile.
        .file("s3.credentials.access_key_id_file", &id)
        .file("s3.credentials.secret_access_key_file", &key)
        .env("AWS_ACCESS_KEY_ID", "")
        .env("AWS_SECRET_ACCESS_KEY", "")
}

pub(super) fn profile(scene: &Scene, id: &str, secret: &str) {
    let text = format!("[msk]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    scene.put("credentials", text.as_bytes());
}

#[test]
fn msk_iam_works_once_a_wrong_secret_key_is_put_right() {
    let (scene, id) = (scene(), unique("AKIAWRONG"));
    scene.cluster.msk_knows(&format!("{id} {SECRET}"));
    profile(&scene, &id, "marker-of-another-key");
    scene.check(REFUSED);
    let daemon = scene.refused(REFUSED);
    profile(&scene, &id, SECRET);
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn msk_iam_goes_on_when_the_keys_are_rotated() {
    let (scene, id) = (scene(), unique("AKIAROTATED"));
    scene.cluster.msk_knows(&format!("{id} {SECRET}"));
    profile(&scene, &id, SECRET);
    let daemon = scene.settings.start();
    scene.works(&daemon);
    // The listener asks for a token again every three seconds.
    scene.cluster.msk_knows(&format!("{id} marker-of-the-next-key"));
    until_said(&daemon, REFUSED);
    profile(&scene, &id, "marker-of-the-next-key");
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn msk_iam_works_once_there_are_credentials() {
    let (scene, id) = (scene(), unique("AKIALATE"));
    scene.cluster.msk_knows(&format!("{id} {SECRET}"));
    let words = "there are no AWS credentials (";
    scene.check(words);
    let daemon = scene.refused(words);
    profile(&scene, &id, SECRET);
    scene.works(&daemon);
    scene.ends(daemon);
}

/// What STS answers, for one role with its external id.
fn sts(
    id: &str,
    life_s: i64,
) -> impl Fn(&super::server::Request) -> (u16, String) + Send + 'static {
    let id = id.to_owned();
    move |request| {
        let is_right = request.body.contains("Action=AssumeRole")
            && request.body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fsluice")
            && request.body.contains("ExternalId=12ab34")
            && request.body.contains("RoleSessionName=nightly");
        if !is_right {
            let code = "<Error><Code>AccessDenied</Code><Message>not this one</Message></Error>";
            return (403, format!("<ErrorResponse>{code}</ErrorResponse>"));
        }
        let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(life_s);
        let ends = ends.strftime("%Y-%m-%dT%H:%M:%SZ");
        let credentials = format!(
            "<AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>\
             <SessionToken>marker-of/a+session==</SessionToken><Expiration>{ends}</Expiration>"
        );
        let result = format!(
            "<AssumeRoleResult><Credentials>{credentials}</Credentials></AssumeRoleResult>"
        );
        (200, format!("<AssumeRoleResponse>{result}</AssumeRoleResponse>"))
    }
}

fn in_role(server: &Server, id: &str) -> Scene {
    let scene = scene()
        .text("kafka.auth.role_arn", "arn:aws:iam::123456789012:role/sluice")
        .text("kafka.auth.external_id", "12ab34")
        .text("kafka.auth.session_name", "nightly")
        .env("AWS_ENDPOINT_URL_STS", &server.url);
    profile(&scene, "AKIABASE", SECRET);
    scene.cluster.msk_knows(&format!("{id} {SECRET} marker-of/a+session=="));
    scene
}

#[test]
fn msk_iam_works_in_a_role_longer_than_its_session() {
    let id = unique("ASIAROLE");
    let server = Server::start(sts(&id, 10));
    let scene = in_role(&server, &id);
    let daemon = scene.settings.start();
    scene.works(&daemon);
    let before = server.times_asked();
    daemon.wait_until("two sessions more", SOON, || {
        (server.times_asked() >= before + 2).then_some(())
    });
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn msk_iam_works_once_the_role_may_be_assumed_and_its_session_holds() {
    let id = unique("ASIADENIED");
    let server = Server::start(|_| {
        let code = "<Error><Code>AccessDenied</Code><Message>not this one</Message></Error>";
        (403, format!("<ErrorResponse>{code}</ErrorResponse>"))
    });
    let scene = in_role(&server, &id);
    let words = "the role `arn:aws:iam::123456789012:role/sluice` cannot be assumed (";
    scene.check(words);
    let daemon = scene.refused(words);
    server.answer(sts(&id, -30));
    until_said(&daemon, "the AWS credentials have expired 3");
    server.answer(sts(&id, 60));
    scene.works(&daemon);
    scene.ends(daemon);
}
