//! Certificates and keys for brokers and clients, made in the process.
//!
//! It owns: authorities and what they sign, in PEM. It does not own: who trusts whom.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

const DAY: i64 = 86_400;
/// 2026; what began then may have ended long ago.
const BEGIN: i64 = 1_767_225_600;

/// Who signs.
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

/// A certificate with its key, both in PEM.
pub struct Identity {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

/// Whether a certificate still holds.
#[derive(Clone, Copy, PartialEq)]
pub enum Validity {
    Good,
    Expired,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = key();
        let mut builder = builder(name, &key, Validity::Good);
        builder.set_issuer_name(&named(name)).unwrap();
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Self { certificate: builder.build(), key }
    }

    pub fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }

    /// For a server on loopback, or for a client.
    pub fn sign(&self, name: &str, validity: Validity) -> Identity {
        let key = key();
        let mut builder = builder(name, &key, validity);
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        let context = builder.x509v3_context(Some(&self.certificate), None);
        let names = SubjectAlternativeName::new().ip("127.0.0.1").build(&context).unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        Identity {
            certificate: builder.build().to_pem().unwrap(),
            key: key.private_key_to_pem_pkcs8().unwrap(),
        }
    }
}

impl Identity {
    /// Both in one text, as Kafka's key stores of type PEM have it.
    pub fn whole(&self) -> Vec<u8> {
        [self.key.as_slice(), &self.certificate].concat()
    }
}

pub fn key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

fn named(name: &str) -> X509Name {
    let mut builder = X509NameBuilder::new().unwrap();
    builder.append_entry_by_text("CN", name).unwrap();
    builder.build()
}

fn builder(name: &str, key: &PKey<Private>, validity: Validity) -> X509Builder {
    let mut serial = BigNum::new().unwrap();
    serial.rand(128, MsbOption::MAYBE_ZERO, false).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&named(name)).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(BEGIN - 365 * DAY).unwrap()).unwrap();
    let end = match validity {
        Validity::Good => BEGIN + 100 * 365 * DAY,
        Validity::Expired => BEGIN - 100 * DAY,
    };
    builder.set_not_after(&Asn1Time::from_unix(end).unwrap()).unwrap();
    builder
}
