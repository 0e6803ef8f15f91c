//! JSON pointers (RFC 6901) looked up in a record's value without building a tree.
//!
//! It owns: what a pointer is, and which bytes a field gives to a path.
//! It does not own: whether the whole value is JSON; what stands behind the field is not read.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

/// The deepest pointer. The parser's own limit is 128, and nobody partitions by what lies deeper.
pub const POINTER_DEPTH_MAX: usize = 32;

/// Why a text is no pointer to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PointerError {
    #[error("a pointer begins with `/`, as in `/category`")]
    Start,
    #[error("`~` stands for itself as `~0`, and for `/` as `~1`")]
    Escape,
    #[error("a pointer has {depth} steps, at most {POINTER_DEPTH_MAX} are allowed")]
    Depth { depth: usize },
    #[error("a pointer holds a control character")]
    Control,
}

/// Checks the text of a pointer. The whole document (`""`) is no field.
pub(super) fn check_pointer(pointer: &str) -> Result<(), PointerError> {
    let Some(steps) = pointer.strip_prefix('/') else { return Err(PointerError::Start) };
    if pointer.chars().any(char::is_control) {
        return Err(PointerError::Control);
    }
    let is_escape = |rest: &str| rest.starts_with(['0', '1']);
    if !pointer.split('~').skip(1).all(is_escape) {
        return Err(PointerError::Escape);
    }
    let depth = steps.split('/').count();
    if depth > POINTER_DEPTH_MAX { Err(PointerError::Depth { depth }) } else { Ok(()) }
}

/// Returns the text of the field: a string's content, a number's or boolean's source text. None
/// for null, objects, arrays, and where nothing is. Of duplicate keys the first counts.
///
/// A string may be no UTF-8: JSON can hold lone surrogates.
pub(super) fn lookup<'a>(document: &'a [u8], pointer: &str) -> Option<Cow<'a, [u8]>> {
    let steps = pointer.strip_prefix('/')?;
    let mut found = None;
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    // The walk stops inside the document once it has found the field; the parser calls that an
    // error, and so the answer comes out by the side.
    let stopped = Walk { steps: Some(steps), found: &mut found }.deserialize(&mut deserializer);
    drop(stopped);
    scalar_text(found?)
}

fn scalar_text(source: &str) -> Option<Cow<'_, [u8]>> {
    match source.as_bytes().first()? {
        b'"' => serde_json::Deserializer::from_str(source).deserialize_bytes(Text).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(source.as_bytes())),
    }
}

/// Walks the steps that are left; none left means that the value here is the field.
struct Walk<'p, 'found, 'de> {
    steps: Option<&'p str>,
    found: &'found mut Option<&'de str>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.steps.is_some() {
            return deserializer.deserialize_any(self);
        }
        let value = <&'de RawValue as de::Deserialize>::deserialize(deserializer)?;
        *self.found = Some(value.get());
        Ok(())
    }
}

impl<'p, 'found, 'de> Walk<'p, 'found, 'de> {
    /// Splits off the next step, with what is left behind it.
    fn next_step(self) -> (Cow<'p, str>, Self) {
        let (step, rest) = match self.steps.map(|steps| steps.split_once('/')) {
            Some(Some((step, rest))) => (step, Some(rest)),
            Some(None) | None => (self.steps.unwrap_or_default(), None),
        };
        let step = if step.contains('~') {
            Cow::Owned(step.replace("~1", "/").replace("~0", "~"))
        } else {
            Cow::Borrowed(step)
        };
        (step, Self { steps: rest, found: self.found })
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (step, rest) = self.next_step();
        while let Some(is_step) = map.next_key_seed(IsKey(&step))? {
            if is_step {
                return map.next_value_seed(rest);
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let (step, rest) = self.next_step();
        let Some(index) = array_index(&step) else { return Ok(()) };
        for _ in 0..index {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        items.next_element_seed(rest).map(|_| ())
    }
}

/// Returns the index that a step names: digits without a leading zero.
fn array_index(step: &str) -> Option<u64> {
    let is_plain = step == "0" || !step.starts_with(['0', '+']);
    if is_plain { step.parse().ok() } else { None }
}

/// Reads a key and says whether it is the one that is looked for.
struct IsKey<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for IsKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for IsKey<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }

    fn visit_bytes<E: de::Error>(self, key: &[u8]) -> Result<bool, E> {
        Ok(key == self.0.as_bytes())
    }
}

/// Reads the content of a string.
struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_bytes<E: de::Error>(self, text: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_bytes<E: de::Error>(self, text: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
