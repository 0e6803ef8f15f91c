//! TLS and mTLS.

use super::certificates::{Authority, Identity, Validity};
use super::{Scene, cluster};

/// With a certificate of the client's own.
fn scene(identity: &Identity) -> Scene {
    let scene = Scene::over_tls("MTLS");
    let certificate = scene.put("client.pem", &identity.certificate);
    let key = scene.put("client.key", &identity.key);
    scene.file("kafka.tls.certificate_file", &certificate).file("kafka.tls.key_file", &key)
}

fn replace(scene: &Scene, identity: &Identity) {
    scene.put("client.key", &identity.key);
    scene.put("client.pem", &identity.certificate);
}

#[test]
fn mtls_works() {
    let scene = scene(&cluster().authority.sign("sluice", Validity::Good));
    let daemon = scene.settings.start();
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn mtls_works_once_an_expired_certificate_is_replaced() {
    let scene = scene(&cluster().authority.sign("sluice", Validity::Expired));
    let words = "the certificate in `kafka.tls.certificate_file` has expired (";
    scene.check(words);
    let daemon = scene.refused(words);
    replace(&scene, &cluster().authority.sign("sluice", Validity::Good));
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn mtls_works_once_a_certificate_of_a_strange_authority_is_replaced() {
    let scene = scene(&Authority::new("nobody").sign("sluice", Validity::Good));
    let words = "the broker does not accept the certificate of `kafka.tls.certificate_file`";
    scene.check(words);
    let daemon = scene.refused(words);
    replace(&scene, &cluster().authority.sign("sluice", Validity::Good));
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn tls_works_once_an_unknown_authority_is_added_to_the_ca_file() {
    let scene = scene(&cluster().authority.sign("sluice", Validity::Good));
    let ca_file = scene.put("ca.pem", &Authority::new("another").pem());
    let scene = scene.file("kafka.tls.ca_file", &ca_file);
    let words = "is signed by a CA that `kafka.tls.ca_file` does not hold: add that CA to the file";
    scene.check(words);
    let daemon = scene.refused(words);
    scene.put("ca.pem", &cluster().authority.pem());
    scene.works(&daemon);
    scene.ends(daemon);
}

#[test]
fn tls_works_once_an_expired_certificate_of_a_broker_is_renewed() {
    let scene = Scene::over_tls("EXPIRED");
    let words = "the broker's certificate has expired: renew it there";
    scene.check(words);
    let daemon = scene.refused(words);
    scene.cluster.renew_expired();
    scene.works(&daemon);
    scene.ends(daemon);
}
