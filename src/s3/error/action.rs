//! The action of IAM that a refusal names.
//!
//! It owns: finding it in a text. It does not own: what failed, which codes and statuses say.

use super::{FACT_CHARS_MAX, StoreError};

impl StoreError {
    /// Returns the action of IAM that the refusal names, as in `s3:PutObject`.
    pub fn action(&self) -> Option<&str> {
        self.cause.as_deref().filter(|cause| is_action(cause))
    }
}

/// Finds the action in a refusal's text: `... is not authorized to perform: s3:PutObject on ...`.
/// Only advice is made of it; what failed is told by code.
pub(in crate::s3) fn action_in(text: &str) -> Option<&str> {
    let rest = text.split_once("not authorized to perform: ")?.1;
    let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && char != ':');
    let action = end.map_or(rest, |end| &rest[..end]);
    is_action(action).then_some(action)
}

fn is_action(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric());
    text.len() <= FACT_CHARS_MAX
        && text.split_once(':').is_some_and(|(service, action)| {
            is_word(service) && is_word(action) && action.starts_with(char::is_uppercase)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_action_is_found_in_what_aws_says() {
        let of_s3 = "User: arn:aws:sts::123456789012:assumed-role/a/b is not authorized to \
                     perform: s3:PutObject on resource: \"arn:aws:s3:::abc/d\" because no \
                     identity-based policy allows the s3:PutObject action";
        assert_eq!(action_in(of_s3), Some("s3:PutObject"));
        let of_sts = "Error { code: \"AccessDenied\", message: \"User: a is not authorized to \
                      perform: sts:AssumeRole\" }";
        assert_eq!(action_in(of_sts), Some("sts:AssumeRole"));
        for none in [
            "Access Denied",
            "is not authorized to perform: ",
            "is not authorized to perform: anything",
            "is not authorized to perform: s3: PutObject",
        ] {
            assert_eq!(action_in(none), None, "{none}");
        }
    }
}
