//! What of a value is never shown, wherever it stands: the user and password of a URL or address.
//!
//! It owns: finding them in a text. It does not own: which keys are secret as a whole (`reader`).

use std::borrow::Cow;

/// What stands for a user and a password.
const HIDDEN: &str = "…";

/// Returns the text without what stands before the `@` of `https://user:password@host` or of
/// `user:password@host`.
pub(super) fn masked(text: &str) -> Cow<'_, str> {
    let begin = text.find("://").map_or(0, |at| at + "://".len());
    let Some(end) = text.rfind('@').filter(|end| *end >= begin) else { return Cow::Borrowed(text) };
    let before = &text[begin..end];
    // A template of a path may have all of these characters.
    let is_user = begin > 0 || (before.contains(':') && !before.contains(['{', ' ']));
    match is_user {
        true => Cow::Owned(format!("{}{HIDDEN}{}", &text[..begin], &text[end..])),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_of_urls_are_not_shown() {
        for (text, shown) in [
            ("http://me:hunter2@proxy:3128", "http://…@proxy:3128"),
            ("https://token@host/path", "https://…@host/path"),
            ("https://me:hunt/er@2@host/path", "https://…@host/path"),
            ("me:hunter2@host:9092", "…@host:9092"),
            ("https://host/path", "https://host/path"),
            ("team=a@example.org", "team=a@example.org"),
            ("{topic}/{time:%Y}@x", "{topic}/{time:%Y}@x"),
            ("@", "@"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
