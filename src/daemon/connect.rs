//! From settings to clients: librdkafka's properties, and how S3 is spoken to (`s3`).

mod s3;

use std::collections::BTreeMap;

use crate::config::{KafkaAuth, KafkaSettings, Protocol, Settings};
use crate::kafka::login::{Login, Means, MskIam, Oidc, PasswordFile, Role, Tls, read_secret};
use crate::kafka::{self, ConsumerOptions};

pub use s3::s3_options;

/// Returns the properties that any client of this cluster needs: servers and security, and what
/// the user set.
pub fn client_properties(settings: &KafkaSettings) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in settings.properties.iter() {
        all.insert(name.to_owned(), value.to_owned());
    }
    let mut set = |name: &str, value: String| drop(all.insert(name.to_owned(), value));
    set("bootstrap.servers", settings.bootstrap_servers.join(","));
    let protocol = match (&settings.auth, &settings.tls) {
        (None, None) => "plaintext",
        (None, Some(_)) => "ssl",
        (Some(_), None) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    set("security.protocol", protocol.to_owned());
    if let Some(auth) = &settings.auth {
        set("sasl.mechanism", auth.mechanism().to_owned());
    }
    if let Some(KafkaAuth::Password(login)) = &settings.auth {
        set("sasl.username", login.username.clone());
        // The file as it is now: a client that is made anew must not begin with an old password.
        let password = login.file.as_deref().and_then(|file| read_secret(file).ok());
        set("sasl.password", password.as_ref().unwrap_or(&login.password).reveal().to_owned());
    }
    if let Some(tls) = &settings.tls {
        if let Some(file) = &tls.ca_file {
            set("ssl.ca.location", file.display().to_string());
        }
        if let Some(client) = &tls.client {
            set("ssl.certificate.location", client.certificate_file.display().to_string());
            set("ssl.key.location", client.key_file.display().to_string());
        }
    }
    all
}

/// Returns what keeps any client of this cluster logged in.
pub fn login(settings: &KafkaSettings) -> Login {
    let means = match &settings.auth {
        None => Means::Nothing,
        Some(KafkaAuth::Password(login)) => match &login.file {
            None => Means::Nothing,
            Some(file) => Means::PasswordFile(PasswordFile {
                username: login.username.clone(),
                file: file.clone(),
            }),
        },
        Some(KafkaAuth::OauthBearer(login)) => Means::Oidc(Oidc {
            endpoint: login.token_endpoint.clone(),
            client_id: login.client_id.clone(),
            client_secret: login.client_secret.clone(),
            secret_file: login.secret_file.clone(),
            scope: login.scope.clone(),
            audience: login.audience.clone(),
            ca_file: login.ca_file.clone(),
            extensions: login.extensions.clone(),
        }),
        Some(KafkaAuth::MskIam(login)) => Means::MskIam(MskIam {
            region: login.region.clone(),
            role: login.role_arn.clone().map(|arn| Role {
                arn,
                external_id: login.external_id.clone(),
                session_name: login.session_name.clone(),
            }),
        }),
    };
    let tls = settings.tls.as_ref().map(|tls| Tls {
        ca_file: tls.ca_file.clone(),
        certificate_file: tls.client.as_ref().map(|client| client.certificate_file.clone()),
        key_file: tls.client.as_ref().map(|client| client.key_file.clone()),
    });
    Login { means, tls }
}

/// Returns what the consumer is made of. `client_name` tells this process from others.
pub(crate) fn consumer_options(settings: &Settings, client_name: String) -> ConsumerOptions {
    ConsumerOptions {
        group: settings.kafka.group_id.clone(),
        protocol: protocol(settings.kafka.protocol),
        client_name,
        properties: client_properties(&settings.kafka),
        login: login(&settings.kafka),
        prefetch_bytes: settings.limits.prefetch_bytes_per_worker(),
    }
}

pub(super) fn protocol(protocol: Protocol) -> kafka::Protocol {
    match protocol {
        Protocol::Classic => kafka::Protocol::Classic,
        Protocol::Consumer => kafka::Protocol::Consumer,
    }
}

#[cfg(test)]
mod tests;
