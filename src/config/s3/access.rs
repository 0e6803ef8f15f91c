//! How `[s3]` gets there: the role that is taken on, Amazon's special endpoints, the proxy.
//!
//! It owns: these values and which of them go together. It does not own: who assumes the role and
//! when (`s3/aws/client.rs`).

use super::{Store, parse_endpoint};
use crate::config::problem::Problem;
use crate::config::reader::Reader;

/// "AWS STS API Reference", `AssumeRole`: lengths and characters of its parameters.
const SESSION_NAME_CHARS: std::ops::RangeInclusive<usize> = 2..=64;
const EXTERNAL_ID_CHARS: std::ops::RangeInclusive<usize> = 2..=1224;

/// A role that the credentials take on before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSettings {
    pub role_arn: String,
    pub external_id: Option<String>,
    pub session_name: String,
}

/// Which endpoints of Amazon's, and through what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaySettings {
    pub dual_stack: bool,
    pub fips: bool,
    pub acceleration: bool,
    pub proxy: ProxySetting,
}

/// Through which proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxySetting {
    Environment,
    Off,
    Url(String),
}

pub(super) fn role(reader: &mut Reader<'_>) -> Option<RoleSettings> {
    let role_arn = reader.parse("s3.assume_role.role_arn", parse_role);
    let external_id = reader.parse("s3.assume_role.external_id", |text| {
        parse_name(text, EXTERNAL_ID_CHARS, b"+=,.@:/-_")
    });
    let session_name = reader.parse("s3.assume_role.session_name", |text| {
        parse_name(text, SESSION_NAME_CHARS, b"+=,.@-_")
    });
    if reader.find("s3.assume_role.role_arn").is_none()
        && let Some(found) = reader.find("s3.assume_role.external_id")
    {
        reader.fault(&found.spot, Problem::NeedsOther { other: "s3.assume_role.role_arn" });
    }
    Some(RoleSettings { role_arn: role_arn?, external_id, session_name: session_name? })
}

/// `arn:<partition>:iam::<account>:role/<path and name>`
pub(in crate::config) fn parse_role(text: &str) -> Result<String, Problem> {
    let words: Vec<&str> = text.splitn(6, ':').collect();
    let is_role = match words.as_slice() {
        ["arn", partition, "iam", "", account, role] => {
            partition.starts_with("aws")
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && role.strip_prefix("role/").is_some_and(|name| !name.is_empty())
                && role.bytes().all(|byte| byte.is_ascii_graphic())
        }
        _ => false,
    };
    if is_role { Ok(text.to_owned()) } else { Err(Problem::NotARole) }
}

fn parse_name(
    text: &str,
    chars: std::ops::RangeInclusive<usize>,
    signs: &'static [u8],
) -> Result<String, Problem> {
    let is_byte = |byte: u8| byte.is_ascii_alphanumeric() || signs.contains(&byte);
    if !chars.contains(&text.len()) || !text.bytes().all(is_byte) {
        return Err(Problem::NotASessionText { least: *chars.start(), most: *chars.end() });
    }
    Ok(text.to_owned())
}

pub(super) fn way(reader: &mut Reader<'_>, store: &Store) -> Option<WaySettings> {
    let dual_stack = reader.flag("s3.dual_stack");
    let fips = reader.flag("s3.fips");
    let acceleration = reader.flag("s3.acceleration");
    let proxy = proxy(reader);
    let path_style =
        reader.find("s3.path_style").and_then(|found| found.value.clone().into_bool().ok());
    if reader.find("s3.endpoint").is_some() {
        let why = "since that is a host of its own";
        for (key, is_on) in
            [("s3.dual_stack", dual_stack), ("s3.fips", fips), ("s3.acceleration", acceleration)]
        {
            excluded(reader, (key, is_on), ("s3.endpoint", why));
        }
    }
    if path_style == Some(true) {
        let why = "since its host has the bucket in its name";
        excluded(reader, ("s3.acceleration", acceleration), ("s3.path_style", why));
    }
    if fips == Some(true) {
        let why = "since no host of S3 is both";
        excluded(reader, ("s3.acceleration", acceleration), ("s3.fips", why));
    }
    if store.bucket.as_ref().is_some_and(|bucket| bucket.as_str().contains('.')) {
        let why = "since no certificate covers a bucket's name with dots";
        excluded(reader, ("s3.acceleration", acceleration), ("s3.bucket", why));
    }
    Some(WaySettings {
        dual_stack: dual_stack?,
        fips: fips?,
        acceleration: acceleration?,
        proxy: proxy?,
    })
}

fn excluded(
    reader: &mut Reader<'_>,
    (key, is_on): (&str, Option<bool>),
    (other, why): (&'static str, &'static str),
) {
    if is_on == Some(true)
        && let Some(found) = reader.find(key)
    {
        reader.fault(&found.spot, Problem::Excludes { other, why });
    }
}

fn proxy(reader: &mut Reader<'_>) -> Option<ProxySetting> {
    if reader.find("s3.proxy").is_none() {
        return Some(ProxySetting::Environment);
    }
    reader.parse("s3.proxy", |text| match text {
        "off" => Ok(ProxySetting::Off),
        url => parse_endpoint(url).map(ProxySetting::Url).map_err(|_problem| Problem::NotAProxy),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_arns_of_roles() {
        for good in
            ["arn:aws:iam::123456789012:role/sluice", "arn:aws-cn:iam::123456789012:role/a/b"]
        {
            assert_eq!(parse_role(good).as_deref(), Ok(good));
        }
        for bad in [
            "sluice",
            "arn:aws:iam::123456789012:user/sluice",
            "arn:aws:iam::1234:role/sluice",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:sts::123456789012:role/sluice",
        ] {
            assert_eq!(parse_role(bad), Err(Problem::NotARole), "{bad}");
        }
    }
}
