//! From settings to clients: librdkafka's properties, and how S3 is spoken to (`s3`).

mod s3;

use std::collections::BTreeMap;

use crate::config::{KafkaSettings, Protocol, Settings};
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
        set("sasl.mechanism", auth.method.mechanism().to_owned());
        set("sasl.username", auth.username.clone());
        set("sasl.password", auth.password.reveal().to_owned());
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

/// Returns what the consumer is made of. `client_name` tells this process from others.
pub(crate) fn consumer_options(settings: &Settings, client_name: String) -> ConsumerOptions {
    ConsumerOptions {
        group: settings.kafka.group_id.clone(),
        protocol: protocol(settings.kafka.protocol),
        client_name,
        properties: client_properties(&settings.kafka),
        prefetch_bytes: settings.limits.prefetch_bytes_per_worker(),
    }
}

pub(super) fn protocol(protocol: Protocol) -> kafka::Protocol {
    match protocol {
        Protocol::Classic => kafka::Protocol::Classic,
        Protocol::Consumer => kafka::Protocol::Consumer,
    }
}
