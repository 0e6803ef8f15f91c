//! How S3 is reached and what is asked for each object there.
//!
//! It owns: the values. It does not own: whether they go together (`config`), what they become on
//! the wire (`client`, `headers`).

use std::fmt;

/// Where S3 is and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Options {
    pub region: Option<String>,
    /// None is Amazon.
    pub endpoint: Option<String>,
    pub path_style: bool,
    pub conditional_writes: bool,
    /// Over https too; over http they always are.
    pub sign_bodies: bool,
    /// None is the AWS chain: environment, profiles, web identity, container, instance.
    pub credentials: Option<StaticCredentials>,
    /// The role that these credentials take on before anything else.
    pub role: Option<AssumedRole>,
    pub way: Way,
    pub objects: ObjectOptions,
}

/// Keys from the configuration. They are never formatted.
#[derive(Clone, PartialEq, Eq)]
pub struct StaticCredentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StaticCredentials(***)")
    }
}

/// "AWS STS API Reference", `AssumeRole`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumedRole {
    pub arn: String,
    pub external_id: Option<String>,
    pub session_name: String,
}

/// Which of Amazon's endpoints, and through what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    pub dual_stack: bool,
    pub fips: bool,
    pub acceleration: bool,
    pub proxy: ProxyChoice,
}

/// Through which proxy all requests go, but those for the credentials of the machine itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`.
    #[default]
    Environment,
    Off,
    Url(String),
}

/// What is asked for each object, claims included unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectOptions {
    pub encryption: Encryption,
    /// Of objects of records only: claims are small, and written over and over.
    pub storage_class: Option<String>,
    /// Of objects of records only: a rule that deletes by tag must not meet a claim.
    pub tags: Vec<(String, String)>,
    pub acl: Option<String>,
    pub expected_bucket_owner: Option<String>,
    pub requester_pays: bool,
}

/// Who encrypts, with whose key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket says.
    #[default]
    Bucket,
    SseS3,
    SseKms {
        /// None is the account's own key for S3.
        key_id: Option<String>,
        /// None is as the bucket says.
        bucket_key: Option<bool>,
    },
    SseC(CustomerKey),
}

/// A key that S3 is given with each request and forgets. It is never formatted.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomerKey(pub [u8; 32]);

impl fmt::Debug for CustomerKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CustomerKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_formatted() {
        let credentials = StaticCredentials {
            access_key_id: "AKIAEXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI".to_owned(),
            session_token: Some("FwoGZXIvYXdzE".to_owned()),
        };
        assert_eq!(format!("{credentials:?}"), "StaticCredentials(***)");
        let encryption = Encryption::SseC(CustomerKey([7; 32]));
        assert_eq!(format!("{encryption:?}"), "SseC(CustomerKey(***))");
    }
}
