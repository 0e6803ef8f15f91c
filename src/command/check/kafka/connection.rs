//! Why no connection to a broker came about, as far as librdkafka's words tell.
//!
//! It owns: the advice for each refused login and certificate. It does not own: the words
//! themselves (`inquiry`), what is decided by codes.
//!
//! It assumes of the other side: librdkafka 2.12 passes on the names of OpenSSL's alerts as they
//! are. It does not pass on why a broker's certificate fails, so both reasons are named then.

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::kafka::Heard;

/// What a TLS alert or a failed check says, and what to do about it. The first that is found holds.
const TLS: [(&str, &str); 6] = [
    (
        "alert certificate required",
        "the broker asks for a client certificate: set `kafka.tls.certificate_file` and `kafka.tls.key_file`; if they are set, use one that a CA of the broker signed: another one is not sent",
    ),
    (
        "alert certificate expired",
        "the certificate of `kafka.tls.certificate_file` has expired: put a new one there",
    ),
    (
        "alert unknown ca",
        "the broker does not trust who signed `kafka.tls.certificate_file`: use a certificate of its CA",
    ),
    (
        "alert bad certificate",
        "the broker does not accept the certificate of `kafka.tls.certificate_file`: see its log, and put one there that it trusts",
    ),
    (
        "alert certificate unknown",
        "the broker does not accept the certificate of `kafka.tls.certificate_file`: see its log, and put one there that it trusts",
    ),
    (
        "certificate verify failed",
        "the broker's certificate is not signed by a CA of `kafka.tls.ca_file`, or has expired: correct the file, or renew the broker's certificate",
    ),
];

/// Returns what to do where a broker was there and refused; none where nobody is known to be there.
pub(super) fn advice(heard: &[Heard]) -> Option<&'static str> {
    let has = |code| heard.iter().any(|heard| heard.code == Some(code));
    let says = |words: &str| heard.iter().any(|heard| heard.text.contains(words));
    if has(Code::Authentication) {
        return Some("correct `kafka.auth`, or the user on the brokers");
    }
    // An alert of TLS 1.3 comes after the handshake and counts as a broken transport.
    let named = TLS.iter().find(|(words, _advice)| says(words)).map(|(_words, advice)| *advice);
    named.or(has(Code::SSL).then_some("correct `kafka.tls`, or `kafka.bootstrap_servers`"))
}
