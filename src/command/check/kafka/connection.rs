//! Why no connection to a broker came about.
//!
//! It owns: the advice for each refused login and certificate, and a closer look at certificates.
//! It does not own: what the words of librdkafka mean (`kafka::login`).

use std::borrow::Cow;

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::config::KafkaTls;
use crate::kafka::Heard;
use crate::kafka::login::{Refusal, broker_certificate, own_certificate, refusal};

/// Returns what to do where a broker was there and refused; none where nobody is known to be there.
pub(super) fn advice(heard: &[Heard], tls: Option<&KafkaTls>) -> Option<Cow<'static, str>> {
    // A login that is refused says more than the connections that break behind it.
    let refusals = || heard.iter().filter_map(|one| Some((refusal(one.code, &one.text)?, one)));
    let is_login = |one: &Heard| one.code == Some(Code::Authentication);
    let found = refusals().find(|(_, one)| is_login(one)).or_else(|| refusals().next());
    let (refusal, heard) = found?;
    let closer = tls.and_then(|tls| look(refusal, &heard.text, tls));
    Some(closer.map_or_else(|| Cow::Borrowed(refusal.remedy()), Cow::Owned))
}

fn look(refusal: Refusal, text: &str, tls: &KafkaTls) -> Option<String> {
    match refusal {
        Refusal::OwnCertificate(_) => own_certificate(&tls.client.as_ref()?.certificate_file),
        Refusal::BrokerCertificate => {
            broker_certificate(crate::kafka::login::address(text)?, tls.ca_file.as_deref())
        }
        Refusal::Password
        | Refusal::Token
        | Refusal::NoToken
        | Refusal::Mechanism
        | Refusal::Tls => None,
    }
}
