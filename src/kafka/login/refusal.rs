//! Why a login or a TLS connection came to nothing, as far as librdkafka's words tell.
//!
//! It owns: what each of its texts means, and what to do. It does not own: where a text is heard.
//!
//! It assumes of the other side: librdkafka 2.12 passes on the names of OpenSSL's alerts and what
//! brokers answer as they are. It does not pass on why a broker's certificate fails (`probe` does).

use rdkafka::error::RDKafkaErrorCode as Code;

/// A refusal that a person has to repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Wrong user or password.
    Password,
    /// The brokers do not take the token.
    Token,
    /// There is no token to show; the text says why.
    NoToken,
    Mechanism,
    /// The brokers do not take our certificate.
    OwnCertificate(&'static str),
    BrokerCertificate,
    Tls,
}

/// What a TLS alert or a failed check says. The first that is found holds.
const TLS: [(&str, Refusal); 6] = [
    (
        "alert certificate required",
        Refusal::OwnCertificate(
            "the broker asks for a client certificate: set `kafka.tls.certificate_file` and `kafka.tls.key_file`; if they are set, use one that a CA of the broker signed: another one is not sent",
        ),
    ),
    (
        "alert certificate expired",
        Refusal::OwnCertificate(
            "the certificate of `kafka.tls.certificate_file` has expired: put a new one there",
        ),
    ),
    (
        "alert unknown ca",
        Refusal::OwnCertificate(
            "the broker does not trust who signed `kafka.tls.certificate_file`: use a certificate of its CA",
        ),
    ),
    ("alert bad certificate", Refusal::OwnCertificate(NOT_ACCEPTED)),
    ("alert certificate unknown", Refusal::OwnCertificate(NOT_ACCEPTED)),
    ("certificate verify failed", Refusal::BrokerCertificate),
];
const NOT_ACCEPTED: &str = "the broker does not accept the certificate of `kafka.tls.certificate_file`: see its log, and put one there that it trusts";

/// Returns what librdkafka's words mean; none where they tell of no refusal.
pub fn refusal(code: Option<Code>, text: &str) -> Option<Refusal> {
    if code == Some(Code::Authentication) || code == Some(Code::SaslAuthenticationFailed) {
        // A connection that broke meanwhile refuses nothing.
        if text.contains("mechanism handshake failed") {
            return text.contains("Unsupported SASL mechanism").then_some(Refusal::Mechanism);
        }
        return Some(if text.contains("Failed to acquire SASL OAUTHBEARER token") {
            Refusal::NoToken
        } else if text.contains("OAUTHBEARER") || text.contains("invalid_token") {
            Refusal::Token
        } else {
            Refusal::Password
        });
    }
    // An alert of TLS 1.3 comes after the handshake and counts as a broken transport.
    let named = TLS.iter().find(|(words, _)| text.contains(words)).map(|(_, refusal)| *refusal);
    named.or((code == Some(Code::SSL)).then_some(Refusal::Tls))
}

impl Refusal {
    /// Returns what to do.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Password => {
                "the user or the password is wrong: correct `kafka.auth.username` and `kafka.auth.password`, or the user on the brokers"
            }
            Self::Token => {
                "the brokers do not take the token: see that their listener expects its issuer, audience and scope, that no clock is wrong, and on MSK that the IAM policy allows `kafka-cluster:Connect`"
            }
            Self::NoToken => "it is asked for again and again",
            Self::Mechanism => {
                "the brokers do not offer this login there: set `kafka.auth.method` to one that they name, or use the port of its listener"
            }
            Self::OwnCertificate(words) => words,
            Self::BrokerCertificate => {
                "the broker's certificate is not signed by a CA of `kafka.tls.ca_file`, or has expired: correct the file, or renew the broker's certificate"
            }
            Self::Tls => "correct `kafka.tls`, or `kafka.bootstrap_servers`",
        }
    }
}

/// Returns the address in `sasl_ssl://host:port/1: SSL handshake failed: ...`.
pub fn address(text: &str) -> Option<&str> {
    let (_protocol, rest) = text.split_once("://")?;
    rest.split_once('/').map(|(address, _)| address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_of_librdkafka_has_its_meaning() {
        let at = "sasl_ssl://127.0.0.1:9093/bootstrap: ";
        for (code, text, expected) in [
            (
                Code::Authentication,
                "SASL authentication error: Authentication failed: Invalid username or password",
                Some(Refusal::Password),
            ),
            (
                Code::Authentication,
                "SASL OAUTHBEARER authentication failed (principal=me): {\"status\":\"invalid_token\"}",
                Some(Refusal::Token),
            ),
            (
                Code::Authentication,
                "Failed to acquire SASL OAUTHBEARER token: no",
                Some(Refusal::NoToken),
            ),
            (
                Code::Authentication,
                "SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: PLAIN",
                Some(Refusal::Mechanism),
            ),
            (
                Code::Authentication,
                "SASL OAUTHBEARER mechanism handshake failed: Local: Broker transport failure",
                None,
            ),
            (
                Code::SSL,
                "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed",
                Some(Refusal::BrokerCertificate),
            ),
            (Code::SSL, "SSL handshake failed: wrong version number", Some(Refusal::Tls)),
            (Code::BrokerTransportFailure, "Connect failed: Connection refused", None),
        ] {
            assert_eq!(refusal(Some(code), &format!("{at}{text}")), expected, "{text}");
        }
        assert_eq!(address(at), Some("127.0.0.1:9093"));
        assert_eq!(address("1/1 brokers are down"), None);
    }
}
