//! Passwords of users, set while the brokers run. Requests go by hand.
//!
//! It owns: what a broker keeps of a password (RFC 5802). It does not own: who logs in with it.

use bytes::Bytes;
use kafka_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, ApiKey,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;

use super::Kafka;

const VERSION: i16 = 0;
const ITERATIONS: i32 = 4_096;
const SALT: &[u8] = b"any salt will do";

/// Which hash.
#[derive(Debug, Clone, Copy)]
pub enum Mechanism {
    Sha256,
    Sha512,
}

impl Kafka {
    /// From now on this is the user's only password.
    pub fn set_password(&self, user: &str, password: &str, mechanism: Mechanism) {
        let (number, digest) = match mechanism {
            Mechanism::Sha256 => (1, MessageDigest::sha256()),
            Mechanism::Sha512 => (2, MessageDigest::sha512()),
        };
        let mut salted = vec![0; digest.size()];
        let iterations = usize::try_from(ITERATIONS).unwrap();
        pbkdf2_hmac(password.as_bytes(), SALT, iterations, digest, &mut salted).unwrap();
        let upsertion = ScramCredentialUpsertion::default()
            .with_name(StrBytes::from_string(user.to_owned()))
            .with_mechanism(number)
            .with_iterations(ITERATIONS)
            .with_salt(Bytes::from_static(SALT))
            .with_salted_password(Bytes::from(salted));
        let request = AlterUserScramCredentialsRequest::default().with_upsertions(vec![upsertion]);
        let mut answer = self.ask(ApiKey::AlterUserScramCredentials, VERSION, &request);
        let answer = AlterUserScramCredentialsResponse::decode(&mut answer, VERSION).unwrap();
        assert!(answer.results.iter().all(|one| one.error_code == 0), "{answer:?}");
    }
}
