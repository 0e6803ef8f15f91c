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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn found(document: &str, pointer: &str) -> Option<String> {
        let text = lookup(document.as_bytes(), pointer)?;
        Some(String::from_utf8(text.into_owned()).unwrap())
    }

    #[test]
    fn strings_numbers_and_booleans_are_found_as_text() {
        let document = r#" {"a":"x","n":1.50,"e":-1E+3,"t":true,"f":false,"z":null,"o":{"i":["p",{"q":"r"}]},
            "":"empty","a/b":"slash","m~n":"tilde","esc":"\u00e9\n\"","k\u0065y":"k"}"#;
        let cases = [
            ("/a", Some("x")),
            ("/n", Some("1.50")),
            ("/e", Some("-1E+3")),
            ("/t", Some("true")),
            ("/f", Some("false")),
            ("/z", None),
            ("/o", None),
            ("/o/i", None),
            ("/o/i/0", Some("p")),
            ("/o/i/1/q", Some("r")),
            ("/o/i/2", None),
            ("/o/i/00", None),
            ("/o/i/+0", None),
            ("/o/i/-", None),
            ("/o/i/x", None),
            ("/a/x", None),
            ("/n/0", None),
            ("/z/0", None),
            ("/absent", None),
            ("/", Some("empty")),
            ("/a~1b", Some("slash")),
            ("/m~0n", Some("tilde")),
            ("/esc", Some("é\n\"")),
            ("/key", Some("k")),
            ("", None),
            ("a", None),
        ];
        for (pointer, expected) in cases {
            assert_eq!(found(document, pointer).as_deref(), expected, "{pointer}");
        }
        assert_eq!(found(r#"["x"]"#, "/0").as_deref(), Some("x"));
    }

    #[test]
    fn of_duplicate_keys_the_first_counts() {
        assert_eq!(found(r#"{"a":1,"a":2}"#, "/a").as_deref(), Some("1"));
        assert_eq!(found(r#"{"a":{},"a":{"b":2}}"#, "/a/b"), None);
    }

    #[test]
    fn lone_surrogates_are_bytes() {
        let text = lookup(br#"{"a":"\ud83d"}"#, "/a").unwrap();
        assert_eq!(*text, [0xed, 0xa0, 0xbd]);
    }

    #[test]
    fn hostile_documents_give_nothing_and_no_panic() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let inside = format!(r#"{{"x":{deep},"a":"y"}}"#);
        assert_eq!(found(&inside, "/a").as_deref(), Some("y"));
        assert_eq!(found(&inside, "/x"), None);
        let zeros = "/0".repeat(POINTER_DEPTH_MAX);
        assert_eq!(found(&deep, &zeros), None);
        for bad in ["", "{", "{\"a\"", "{\"a\":", "{\"a\":}", "nul", "{a:1}", "{\"a\":\"x", "\0"] {
            assert_eq!(found(bad, "/a"), None, "{bad}");
        }
        assert_eq!(lookup(b"{\"a\":\"\xff\"}", "/a"), None);
    }

    #[test]
    fn pointers_are_checked() {
        assert_eq!(check_pointer("/a~0b~1c/0/"), Ok(()));
        assert_eq!(check_pointer("/"), Ok(()));
        assert_eq!(check_pointer(&"/x".repeat(32)), Ok(()));
        let cases = [
            (String::new(), PointerError::Start),
            ("a".to_owned(), PointerError::Start),
            ("/~".to_owned(), PointerError::Escape),
            ("/~2".to_owned(), PointerError::Escape),
            ("/a\n".to_owned(), PointerError::Control),
            ("/x".repeat(33), PointerError::Depth { depth: 33 }),
        ];
        for (pointer, error) in cases {
            assert_eq!(check_pointer(&pointer), Err(error), "{pointer:?}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a/~é\"]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a~/]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_walk_finds_what_a_tree_would_give(
            value in json(),
            pointer in "(/(a|0|1|~0|~1|a~1)?){1,3}",
        ) {
            let expected = match value.pointer(&pointer) {
                Some(Value::String(text)) => Some(text.clone()),
                Some(Value::Bool(flag)) => Some(flag.to_string()),
                Some(Value::Number(number)) => Some(number.to_string()),
                _ => None,
            };
            prop_assert_eq!(found(&value.to_string(), &pointer), expected);
        }
    }
}
