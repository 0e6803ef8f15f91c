//! From settings to how S3 is spoken to.

use crate::config::{Encryption, ProxySetting, S3Credentials, S3Settings};
use crate::s3::{
    self, AssumedRole, CustomerKey, ObjectOptions, ProxyChoice, S3Options, StaticCredentials, Way,
};

/// Returns how S3 is spoken to.
pub fn s3_options(settings: &S3Settings) -> S3Options {
    let credentials = match &settings.credentials {
        S3Credentials::Chain => None,
        S3Credentials::Keys { access_key_id, secret_access_key, session_token } => {
            Some(StaticCredentials {
                access_key_id: access_key_id.reveal().to_owned(),
                secret_access_key: secret_access_key.reveal().to_owned(),
                session_token: session_token.as_ref().map(|token| token.reveal().to_owned()),
            })
        }
    };
    let role = settings.role.as_ref().map(|role| AssumedRole {
        arn: role.role_arn.clone(),
        external_id: role.external_id.clone(),
        session_name: role.session_name.clone(),
    });
    S3Options {
        region: settings.region.clone(),
        endpoint: settings.endpoint.clone(),
        path_style: settings.path_style,
        conditional_writes: settings.conditional_writes,
        sign_bodies: settings.sign_bodies,
        credentials,
        role,
        way: way(settings),
        objects: objects(settings),
    }
}

fn way(settings: &S3Settings) -> Way {
    let way = &settings.way;
    let proxy = match &way.proxy {
        ProxySetting::Environment => ProxyChoice::Environment,
        ProxySetting::Off => ProxyChoice::Off,
        ProxySetting::Url(url) => ProxyChoice::Url(url.clone()),
    };
    Way { dual_stack: way.dual_stack, fips: way.fips, acceleration: way.acceleration, proxy }
}

fn objects(settings: &S3Settings) -> ObjectOptions {
    let objects = &settings.objects;
    let encryption = match &objects.encryption {
        Encryption::Bucket => s3::Encryption::Bucket,
        Encryption::SseS3 => s3::Encryption::SseS3,
        Encryption::SseKms { key_id, bucket_key } => {
            s3::Encryption::SseKms { key_id: key_id.clone(), bucket_key: *bucket_key }
        }
        Encryption::SseC(key) => s3::Encryption::SseC(CustomerKey(*key.reveal())),
    };
    ObjectOptions {
        encryption,
        storage_class: objects.storage_class.clone(),
        tags: objects.tags.clone(),
        acl: objects.acl.clone(),
        expected_bucket_owner: objects.expected_bucket_owner.clone(),
        requester_pays: objects.requester_pays,
    }
}
