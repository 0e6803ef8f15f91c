//! How the page names objects.
//!
//! It owns: whether keys are on it. It does not own: what of a key comes from records (`model`).

use std::borrow::Cow;

use crate::model::ObjectKey;

/// Whether objects are named by their keys (`http.show_keys`): those hold what `layout.path` takes
/// from records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    Shown,
    Hidden,
}

impl Keys {
    /// Returns a key as the page names the object.
    pub(super) fn name(self, key: &ObjectKey) -> &str {
        match self {
            Self::Shown => key.as_str(),
            Self::Hidden => "hidden",
        }
    }

    /// Returns a text with its key, which is in it as logs show it.
    pub(super) fn fill_in<'a>(self, text: &'a str, key: Option<&ObjectKey>) -> Cow<'a, str> {
        match key {
            Some(key) => Cow::Owned(text.replace(&key.shown().to_string(), self.name(key))),
            None => Cow::Borrowed(text),
        }
    }
}
