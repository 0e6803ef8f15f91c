//! What `[s3]` asks for each object: encryption, class, tags, access, owner, payer.
//!
//! It owns: these values and which of them go together. It does not own: which request carries
//! them (`s3/aws/headers.rs`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::config::keys::{self, Kind};
use crate::config::problem::Problem;
use crate::config::reader::Reader;
use crate::config::{SecretKey, Sources};

/// "Amazon S3 User Guide", "Categorizing your storage using tags".
const TAGS_MAX: usize = 10;
const TAG_KEY_CHARS_MAX: usize = 128;
const TAG_VALUE_CHARS_MAX: usize = 256;
const ACCOUNT_DIGITS: usize = 12;

/// What is asked for each object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectSettings {
    pub encryption: Encryption,
    pub storage_class: Option<String>,
    pub tags: Vec<(String, String)>,
    pub acl: Option<String>,
    pub expected_bucket_owner: Option<String>,
    pub requester_pays: bool,
}

/// Who encrypts, with whose key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket says.
    Bucket,
    SseS3,
    SseKms {
        key_id: Option<String>,
        bucket_key: Option<bool>,
    },
    SseC(SecretKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Bucket,
    SseS3,
    SseKms,
    SseC,
}

/// Reads it; none if a fault keeps it from being whole.
pub(super) fn read(
    reader: &mut Reader<'_>,
    sources: &Sources<'_>,
    endpoint: Option<&str>,
) -> Option<ObjectSettings> {
    let storage_class = word(reader, "s3.storage_class");
    let acl = word(reader, "s3.acl");
    let tags = tags(reader);
    let expected_bucket_owner = reader.parse("s3.expected_bucket_owner", parse_account);
    let requester_pays = reader.flag("s3.requester_pays");
    let encryption = encryption(reader, sources, endpoint);
    Some(ObjectSettings {
        encryption: encryption?,
        storage_class,
        tags,
        acl,
        expected_bucket_owner,
        requester_pays: requester_pays?,
    })
}

/// Returns the word at `key`, one of those that the table of keys lists: they are Amazon's own.
fn word(reader: &mut Reader<'_>, key: &str) -> Option<String> {
    reader.choice(key, |word| match keys::find(key).map(|key| key.kind) {
        Some(Kind::Choice(words)) if words.contains(&word) => Some(word.to_owned()),
        Some(_) | None => None,
    })
}

fn parse_account(text: &str) -> Result<String, Problem> {
    let is_account = text.len() == ACCOUNT_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { Ok(text.to_owned()) } else { Err(Problem::NotAnAccount) }
}

fn tags(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    if reader.find("s3.tags").is_none() {
        return Vec::new();
    }
    let mut tags: Vec<(String, String)> = Vec::new();
    for found in reader.texts("s3.tags").unwrap_or_default() {
        match parse_tag(&found.value) {
            None => reader.fault(&found.spot, Problem::NotATag),
            Some((key, _)) if tags.iter().any(|(known, _)| *known == key) => {
                reader.fault(&found.spot, Problem::Duplicate);
            }
            Some(_) if tags.len() == TAGS_MAX => {
                let (least, most) = ("1 tag".to_owned(), format!("{TAGS_MAX} tags"));
                reader.fault(&found.spot, Problem::OutOfRange { least, most });
            }
            Some(tag) => tags.push(tag),
        }
    }
    tags
}

/// "Tag naming and usage conventions": letters, digits, spaces and some signs; `aws:` is Amazon's.
fn parse_tag(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    let is_char = |char: char| char.is_alphanumeric() || char == ' ' || "+-=._:/@".contains(char);
    let is_good = !key.is_empty()
        && !key.starts_with("aws:")
        && key.chars().count() <= TAG_KEY_CHARS_MAX
        && value.chars().count() <= TAG_VALUE_CHARS_MAX
        && text.chars().all(is_char);
    is_good.then(|| (key.to_owned(), value.to_owned()))
}

fn encryption(
    reader: &mut Reader<'_>,
    sources: &Sources<'_>,
    endpoint: Option<&str>,
) -> Option<Encryption> {
    let method = reader.choice("s3.encryption.method", |word| match word {
        "bucket" => Some(Method::Bucket),
        "sse_s3" => Some(Method::SseS3),
        "sse_kms" => Some(Method::SseKms),
        "sse_c" => Some(Method::SseC),
        _ => None,
    })?;
    if method != Method::SseKms {
        for key in ["s3.encryption.kms_key_id", "s3.encryption.bucket_key"] {
            let other = "s3.encryption.method = \"sse_kms\"";
            needs_method(reader, key, other);
        }
    }
    if method != Method::SseC {
        for key in ["s3.encryption.customer_key", "s3.encryption.customer_key_file"] {
            needs_method(reader, key, "s3.encryption.method = \"sse_c\"");
        }
    }
    match method {
        Method::Bucket => Some(Encryption::Bucket),
        Method::SseS3 => Some(Encryption::SseS3),
        Method::SseKms => {
            let key_id = reader.parse("s3.encryption.kms_key_id", parse_kms_key);
            let bucket_key = reader.flag("s3.encryption.bucket_key");
            Some(Encryption::SseKms { key_id, bucket_key })
        }
        Method::SseC => customer_key(reader, sources, endpoint).map(Encryption::SseC),
    }
}

fn needs_method(reader: &mut Reader<'_>, key: &str, other: &'static str) {
    if let Some(found) = reader.find(key) {
        reader.fault(&found.spot, Problem::NeedsOther { other });
    }
}

/// An id, an alias or the ARN of either: a header's text.
fn parse_kms_key(text: &str) -> Result<String, Problem> {
    let is_byte = |byte: u8| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_byte) {
        return Err(Problem::NotAKmsKey);
    }
    Ok(text.to_owned())
}

fn customer_key(
    reader: &mut Reader<'_>,
    sources: &Sources<'_>,
    endpoint: Option<&str>,
) -> Option<SecretKey> {
    const KEY: &str = "s3.encryption.customer_key";
    let method = reader.find("s3.encryption.method").map(|found| found.spot);
    let method = method.unwrap_or_else(|| reader.missing("s3.encryption.method"));
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
        reader.fault(&method, Problem::KeyInTheClear);
    }
    let is_given = reader.find(KEY).is_some() || reader.find(&format!("{KEY}_file")).is_some();
    let Some(found) = reader.secret(KEY, sources) else {
        if !is_given {
            reader.fault(&method, Problem::NeedsOther { other: KEY });
        }
        return None;
    };
    let decoded = STANDARD.decode(found.value.reveal()).ok();
    let key = decoded.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    if key.is_none() {
        reader.fault(&found.spot, Problem::NotACustomerKey);
    }
    key.map(SecretKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_a_key_and_a_value() {
        let good = |key: &str, value: &str| Some((key.to_owned(), value.to_owned()));
        assert_eq!(parse_tag("team=data"), good("team", "data"));
        assert_eq!(parse_tag("a b:c/d=e=f"), good("a b:c/d", "e=f"));
        assert_eq!(parse_tag("empty="), good("empty", ""));
        for bad in
            ["team", "=data", "aws:own=1", "a=b&c=d", "a=\n", &format!("{}=", "k".repeat(129))]
        {
            assert_eq!(parse_tag(bad), None, "{bad}");
        }
    }
}
