//! A token for OAUTHBEARER, and why there is none.
//!
//! It owns: how long one holds, the words of each failure. It does not own: where it comes from.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use thiserror::Error;

/// What the brokers are shown. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::kafka) struct Token {
    pub(in crate::kafka) value: String,
    /// Whom librdkafka says that it is of; the brokers go by the token alone.
    pub(in crate::kafka) principal: String,
    pub(in crate::kafka) ends: SystemTime,
    pub(in crate::kafka) extensions: Vec<(String, String)>,
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Token").field("ends", &self.ends).finish_non_exhaustive()
    }
}

/// Why there is no token. Each is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(in crate::kafka) enum TokenError {
    #[error(
        "`kafka.auth.token_endpoint` cannot be reached ({why}): see that it is up, and that `kafka.auth.token_ca_file` holds its CA"
    )]
    Unreached { why: String },
    #[error(
        "`kafka.auth.token_endpoint` does not trust `kafka.auth.client_id` and `kafka.auth.client_secret` (it answers {status}{code}): correct them"
    )]
    Client { status: u16, code: String },
    #[error(
        "`kafka.auth.token_endpoint` gives no token (it answers {status}{code}): correct `kafka.auth.scope`, `kafka.auth.audience` or the endpoint, and see its log"
    )]
    Status { status: u16, code: String },
    #[error(
        "`kafka.auth.token_endpoint` answers without an `access_token`: is it the URL of a token endpoint?"
    )]
    NotAToken,
    #[error(
        "the token has expired {} s ago: set the clock of the token endpoint, or of this machine", .ago.as_secs()
    )]
    Expired { ago: Duration },
    #[error(
        "`kafka.auth.client_secret_file` = `{}` cannot be read ({kind}): put the secret there", .file.display()
    )]
    Secret { file: PathBuf, kind: std::io::ErrorKind },
    #[error(
        "`kafka.auth.token_ca_file` = `{}` cannot be used ({why}): put certificates there (PEM)", .file.display()
    )]
    Authority { file: PathBuf, why: String },
    #[error(
        "there are no AWS credentials ({why}): give the instance a role, or set `AWS_PROFILE` or keys"
    )]
    Credentials { why: String },
    #[error(
        "the AWS credentials have expired {} s ago: see that whoever gives them renews them, and set this machine's clock", .ago.as_secs()
    )]
    CredentialsExpired { ago: Duration },
    #[error(
        "the role `{arn}` cannot be assumed ({why}): correct `kafka.auth.role_arn` and `kafka.auth.external_id`, or the role's trust policy"
    )]
    Role { arn: String, why: String },
    #[error("the AWS credentials cannot sign ({why}): report this")]
    Signature { why: String },
}

/// Returns an error with everything behind it, on one line.
pub(super) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    // It becomes a C text, and a line of a log.
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
