//! Looks at certificates to say what librdkafka and the brokers do not: which fault one has.
//!
//! It owns: one TLS handshake with a broker that tells why its certificate is refused; whether our
//! own certificate has expired.
//! It does not own: connections that carry anything.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::ssl::{HandshakeError, SslConnector, SslMethod};
use openssl::x509::X509;

/// The broker has just answered librdkafka.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Where distributions keep what the system trusts; librdkafka looks there too.
const OF_SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// OpenSSL's numbers (`x509_vfy.h`), its own words for each are for other readers.
const FAULTS: [(&[i32], &str); 4] = [
    (&[10], "the broker's certificate has expired: renew it there"),
    (&[9], "the broker's certificate is not valid yet: set the clock there, or here"),
    (
        &[2, 18, 19, 20, 21],
        "the broker's certificate is signed by a CA that `kafka.tls.ca_file` does not hold: add that CA to the file",
    ),
    (
        &[62, 64],
        "the broker's certificate is for another name: use the name in it in `kafka.bootstrap_servers` and in the brokers' `advertised.listeners`, or renew it there",
    ),
];

/// Returns why the certificate of a broker at `host:port` is refused and what to do; none if it is
/// not, or nobody answers. Blocks for seconds at most.
pub fn broker_certificate(address: &str, ca_file: Option<&Path>) -> Option<String> {
    let (host, _port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let socket = address.to_socket_addrs().ok()?.next()?;
    let stream = TcpStream::connect_timeout(&socket, ANSWER_MAX).ok()?;
    stream.set_read_timeout(Some(ANSWER_MAX)).ok()?;
    stream.set_write_timeout(Some(ANSWER_MAX)).ok()?;
    let mut builder = SslConnector::builder(SslMethod::tls_client()).ok()?;
    let of_system = || OF_SYSTEM.iter().map(Path::new).find(|path| path.exists());
    if let Some(file) = ca_file.or_else(of_system) {
        builder.set_ca_file(file).ok()?;
    }
    match builder.build().connect(host, stream) {
        Err(HandshakeError::Failure(failed)) => {
            let result = failed.ssl().verify_result();
            let known = FAULTS.iter().find(|(codes, _)| codes.contains(&result.as_raw()));
            match known {
                Some((_, words)) => Some((*words).to_owned()),
                None if result.as_raw() == 0 => None,
                None => Some(format!(
                    "the broker's certificate is refused: {}: renew it there",
                    result.error_string()
                )),
            }
        }
        Ok(_) | Err(HandshakeError::SetupFailure(_) | HandshakeError::WouldBlock(_)) => None,
    }
}

/// Returns what is wrong with the certificate that we show; none if it has not expired.
pub fn own_certificate(file: &Path) -> Option<String> {
    let certificate = X509::from_pem(&std::fs::read(file).ok()?).ok()?;
    let now = Asn1Time::days_from_now(0).ok()?;
    (certificate.not_after() < now).then(|| {
        format!(
            "the certificate in `kafka.tls.certificate_file` has expired ({}): put a new one there",
            certificate.not_after()
        )
    })
}
