//! Each source of credentials that AWS has, on the wire: `check` does everything that Sluice does
//! in S3, and every request must bear a signature by the keys of that source.

use super::machine::{EXTERNAL_ID, REGION_OF_INSTANCE, TOKEN_OF_CONTAINER, TOKEN_OF_WEB};
use super::support::daemon::Settings;
use super::{Scene, check};

const ROLE: &str = "\"arn:aws:iam::123456789012:role/sluice\"";

/// Everything is allowed, and was asked by keys of this source only.
#[track_caller]
fn passes_as(scene: &Scene, settings: &Settings, source: &str) {
    let (text, code) = check(settings);
    assert_eq!(code, 0, "{text}");
    let passed = scene.gate.passed();
    assert!(passed.len() > 10, "{} requests", passed.len());
    let others: Vec<_> = passed.iter().filter(|signed| signed.key.source != source).collect();
    assert!(others.is_empty(), "{others:?}");
}

pub fn on_instance(scene: &Scene) -> Settings {
    scene
        .settings()
        .env("AWS_EC2_METADATA_DISABLED", "false")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &scene.machine.url())
}

#[test]
fn an_instance_gives_its_roles_keys_and_its_region() {
    let scene = Scene::new("imds");
    // Without `s3.endpoint` nothing but the instance says which region it is.
    let settings = on_instance(&scene)
        .unset("s3.region")
        .unset("s3.endpoint")
        .env("AWS_ENDPOINT_URL_S3", &scene.gate.endpoint());
    passes_as(&scene, &settings, "imds");
    let passed = scene.gate.passed();
    let elsewhere = passed.iter().find(|signed| signed.region != REGION_OF_INSTANCE);
    assert!(elsewhere.is_none(), "{elsewhere:?}");
    assert_eq!(scene.machine.asked()[0], "/latest/api/token", "IMDSv2 begins with a session");
}

#[test]
fn a_container_gives_its_keys_to_who_knows_its_token() {
    let scene = Scene::new("ecs");
    let settings = scene
        .settings()
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/container", scene.machine.url()))
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN_OF_CONTAINER);
    passes_as(&scene, &settings, "ecs");
}

#[test]
fn a_web_identity_is_changed_for_keys_by_sts() {
    let scene = Scene::new("web");
    let file = scene.folder.path().join("token");
    std::fs::write(&file, TOKEN_OF_WEB).unwrap();
    let settings = scene
        .settings()
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap())
        .env("AWS_ROLE_ARN", ROLE.trim_matches('"'))
        .env("AWS_ENDPOINT_URL_STS", &scene.machine.url());
    passes_as(&scene, &settings, "web");
    assert!(scene.machine.asked().iter().all(|asked| asked == "AssumeRoleWithWebIdentity"));
}

#[test]
fn a_profile_gives_the_keys_of_a_user() {
    let scene = Scene::new("profile");
    scene.machine.user("AKIAPROFILE", "of-the-profile");
    let file = scene.folder.path().join("credentials");
    let text =
        "[sluice]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = of-the-profile\n";
    std::fs::write(&file, text).unwrap();
    let settings = scene
        .settings()
        .env("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap())
        .env("AWS_PROFILE", "sluice");
    passes_as(&scene, &settings, "user");
}

fn with_role(scene: &Scene, settings: Settings, external_id: &str) -> Settings {
    settings
        .set("s3.assume_role.role_arn", ROLE)
        .set("s3.assume_role.external_id", &format!("\"{external_id}\""))
        .env("AWS_ENDPOINT_URL_STS", &scene.machine.url())
}

fn of_user(scene: &Scene) -> Settings {
    scene.machine.user("AKIAUSER", "of/the+user");
    let (id, secret) = (scene.folder.path().join("id"), scene.folder.path().join("secret"));
    std::fs::write(&id, "AKIAUSER\n").unwrap();
    std::fs::write(&secret, "of/the+user\n").unwrap();
    scene
        .settings()
        .set("s3.credentials.access_key_id_file", &format!("{id:?}"))
        .set("s3.credentials.secret_access_key_file", &format!("{secret:?}"))
}

#[test]
fn keys_from_files_take_on_a_role() {
    let scene = Scene::new("role");
    let settings = with_role(&scene, of_user(&scene), EXTERNAL_ID);
    passes_as(&scene, &settings, "role/sluice/sluice");
}

#[test]
fn an_instance_takes_on_a_role() {
    let scene = Scene::new("chained");
    let settings = with_role(&scene, on_instance(&scene), EXTERNAL_ID);
    let settings = settings.set("s3.assume_role.session_name", "\"of-a-test\"");
    passes_as(&scene, &settings, "role/sluice/of-a-test");
}

#[test]
fn a_role_that_may_not_be_taken_on_is_told_with_its_action() {
    let scene = Scene::new("refused");
    let (text, code) = check(&with_role(&scene, of_user(&scene), "somebody-else"));
    assert_eq!(code, 1, "{text}");
    let told = "request `head_bucket` failed, cause `sts:AssumeRole`: grant `sts:AssumeRole` on the \
                role of `s3.assume_role`, and name this identity in its trust policy";
    assert!(text.contains(told), "{text}");
}

#[test]
fn a_wrong_secret_is_told_as_such() {
    let scene = Scene::new("wrong");
    scene.machine.user("AKIAUSER", "the right one");
    let settings = scene
        .settings()
        .env("AWS_ACCESS_KEY_ID", "AKIAUSER")
        .env("AWS_SECRET_ACCESS_KEY", "the wrong one");
    let (text, code) = check(&settings);
    assert_eq!(code, 1, "{text}");
    let told =
        "code `SignatureDoesNotMatch`: the store does not know these credentials: correct them";
    assert!(text.contains(told), "{text}");
}
