//! What `[s3]` means.
//!
//! It owns: the typed settings of the store, endpoints, the prefix of claims. It does not
//! own: whether a layout writes there (`topic`), what is asked for each object (`objects`), roles
//! and proxies (`access`).

mod access;
mod objects;

pub(super) use access::parse_role;
pub use access::{ProxySetting, RoleSettings, WaySettings};
pub use objects::{Encryption, ObjectSettings};

use super::problem::Problem;
use super::reader::Reader;
use super::{Secret, Sources};
use crate::model::Bucket;

/// Amazon S3 User Guide, "Amazon S3 multipart upload limits": 5 MiB to 5 GiB.
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
pub const PART_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// A claim's key adds cluster (64), group (255), topic (249), partition (10) and three slashes;
/// together they stay far below the 1,024 bytes of a key.
pub const CLAIMS_BYTES_MAX: usize = 200;

/// How to reach the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Settings {
    pub bucket: Bucket,
    /// None is what the AWS environment says.
    pub region: Option<String>,
    /// None is Amazon's own. Without a slash at its end.
    pub endpoint: Option<String>,
    pub path_style: bool,
    pub conditional_writes: bool,
    /// Over https too; over http they always are.
    pub sign_bodies: bool,
    pub part_bytes: u64,
    /// Ends in `/`; no layout of this configuration writes below it.
    pub claims_prefix: String,
    pub credentials: S3Credentials,
    /// None is to be who the credentials are.
    pub role: Option<RoleSettings>,
    pub way: WaySettings,
    pub objects: ObjectSettings,
}

/// Who we are to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum S3Credentials {
    /// The AWS chain: environment, profile, instance role.
    Chain,
    Keys {
        access_key_id: Secret,
        secret_access_key: Secret,
        session_token: Option<Secret>,
    },
}

/// What other parts of the file are checked against; none where it is faulty.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) bucket: Option<Bucket>,
    pub(super) endpoint: Option<String>,
    pub(super) part_bytes: Option<u64>,
    pub(super) claims_prefix: Option<String>,
}

/// Reads what others ask for.
pub(super) fn store(reader: &mut Reader<'_>) -> Store {
    Store {
        bucket: reader.parse("s3.bucket", |text| Ok(Bucket::new(text)?)),
        endpoint: reader.parse("s3.endpoint", parse_endpoint),
        part_bytes: part_bytes(reader),
        claims_prefix: reader.parse("s3.claims_prefix", parse_claims_prefix),
    }
}

/// Reads the rest of `[s3]`; none if a fault keeps it from being whole.
pub(super) fn read(
    reader: &mut Reader<'_>,
    sources: &Sources<'_>,
    store: &Store,
) -> Option<S3Settings> {
    let region = reader.parse("s3.region", parse_region);
    let path_style = reader.flag("s3.path_style");
    let conditional_writes = reader.flag("s3.conditional_writes");
    let sign_bodies = reader.flag("s3.sign_bodies");
    let credentials = credentials(reader, sources);
    let role = access::role(reader);
    let way = access::way(reader, store);
    let objects = objects::read(reader, sources, store.endpoint.as_deref());
    Some(S3Settings {
        bucket: store.bucket.clone()?,
        region,
        endpoint: store.endpoint.clone(),
        path_style: path_style?,
        conditional_writes: conditional_writes?,
        sign_bodies: sign_bodies?,
        part_bytes: store.part_bytes?,
        claims_prefix: store.claims_prefix.clone()?,
        credentials,
        role,
        way: way?,
        objects: objects?,
    })
}

fn part_bytes(reader: &mut Reader<'_>) -> Option<u64> {
    let size = reader.size("s3.part_size")?;
    if (PART_BYTES_MIN..=PART_BYTES_MAX).contains(&size.value) {
        return Some(size.value);
    }
    let (least, most) = ("5 MiB".to_owned(), "5 GiB".to_owned());
    reader.fault(&size.spot, Problem::OutOfRange { least, most });
    None
}

pub(super) fn parse_region(text: &str) -> Result<String, Problem> {
    let is_region_byte =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() || !text.bytes().all(is_region_byte) {
        return Err(Problem::NotARegion);
    }
    Ok(text.to_owned())
}

/// Takes `http` and `https` with a host, a port and a path; no user, query or fragment.
fn parse_endpoint(text: &str) -> Result<String, Problem> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let rest = rest.ok_or(Problem::NotAnEndpoint)?.trim_end_matches('/');
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, Some(port)),
        Some(_) | None => (host, None),
    };
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    let is_path_byte = |byte: u8| byte.is_ascii_graphic() && !b"?#@\\".contains(&byte);
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_good = !name.is_empty()
        && name.bytes().all(is_host_byte)
        && port.is_none_or(is_port)
        && path.bytes().all(is_path_byte);
    if is_good { Ok(text.trim_end_matches('/').to_owned()) } else { Err(Problem::NotAnEndpoint) }
}

fn parse_claims_prefix(text: &str) -> Result<String, Problem> {
    if text.len() > CLAIMS_BYTES_MAX {
        return Err(Problem::TooLong { bytes: text.len(), max: CLAIMS_BYTES_MAX });
    }
    let folder = text.strip_suffix('/').ok_or(Problem::NoTrailingSlash)?;
    let is_bad = |element: &str| matches!(element, "" | "." | "..");
    if folder.chars().any(char::is_control) || folder.split('/').any(is_bad) {
        return Err(Problem::NotAPrefix);
    }
    Ok(text.to_owned())
}

fn credentials(reader: &mut Reader<'_>, sources: &Sources<'_>) -> S3Credentials {
    let id = reader.secret("s3.credentials.access_key_id", sources);
    let key = reader.secret("s3.credentials.secret_access_key", sources);
    let token = reader.secret("s3.credentials.session_token", sources);
    let is_given = |reader: &Reader<'_>, name: &str| {
        let key = format!("s3.credentials.{name}");
        reader.find(&key).is_some() || reader.find(&format!("{key}_file")).is_some()
    };
    let lacks_id = id.is_none() && !is_given(reader, "access_key_id");
    let lacks_key = key.is_none() && !is_given(reader, "secret_access_key");
    if lacks_id && let Some(found) = key.as_ref().or(token.as_ref()) {
        reader.fault(&found.spot, Problem::NeedsOther { other: "s3.credentials.access_key_id" });
    }
    if lacks_key && let Some(found) = id.as_ref().or(token.as_ref()) {
        reader
            .fault(&found.spot, Problem::NeedsOther { other: "s3.credentials.secret_access_key" });
    }
    match (id, key) {
        (Some(id), Some(key)) => S3Credentials::Keys {
            access_key_id: id.value,
            secret_access_key: key.value,
            session_token: token.map(|token| token.value),
        },
        (Some(_), None) | (None, Some(_) | None) => S3Credentials::Chain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_urls_without_users_and_queries() {
        let cases = [
            ("https://s3.example.org", Some("https://s3.example.org")),
            ("http://127.0.0.1:9000/", Some("http://127.0.0.1:9000")),
            ("http://[::1]:9000", Some("http://[::1]:9000")),
            ("http://[::1]", Some("http://[::1]")),
            ("https://host/path", Some("https://host/path")),
            ("s3.example.org", None),
            ("ftp://host", None),
            ("https://", None),
            ("https://host:0", None),
            ("https://host:port", None),
            ("https://user:word@host", None),
            ("https://host/?a", None),
            ("https://ho st", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_endpoint(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_longest_claim_is_a_key() {
        let below = "/".len() * 3 + 64 + 255 + 249 + 10;
        assert!(CLAIMS_BYTES_MAX + below <= crate::model::KEY_BYTES_MAX);
    }
}
