//! The digest of a batch's objects: what a replay must meet before it publishes anything.
//!
//! It owns: the canonical order and encoding that is hashed, the text of the digest.
//! It does not own: which objects a batch has.

use std::fmt;

use crate::model::{ObjectKey, Offset, parse_hex};

/// One object as the digest sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestEntry<'a> {
    pub key: &'a ObjectKey,
    /// Offset of the object's own first record.
    pub first: Offset,
    /// Records in the object.
    pub count: u64,
}

/// The first 128 bits of BLAKE3 over key, first offset and count of each object, ordered by first
/// offset. No two objects share one: each record goes to one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest([u8; 16]);

impl Digest {
    /// Hashes the objects; the caller's order does not matter.
    pub fn of<'a>(objects: impl Iterator<Item = DigestEntry<'a>>) -> Self {
        let mut entries: Vec<_> = objects.collect();
        entries.sort_by_key(|entry| entry.first);
        let mut hasher = blake3::Hasher::new();
        for entry in entries {
            let key = entry.key.as_str().as_bytes();
            hasher.update(&u64::try_from(key.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(key);
            hasher.update(&entry.first.value().to_le_bytes());
            hasher.update(&entry.count.to_le_bytes());
        }
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Self(bytes)
    }

    /// Parses the 32 hexadecimal digits that `Display` prints.
    pub fn parse(text: &str) -> Option<Self> {
        parse_hex(text, 32).map(|value| Self(value.to_be_bytes()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(objects: &[(&str, i64, u64)]) -> Digest {
        let keys: Vec<_> = objects.iter().map(|(key, ..)| ObjectKey::new(key).unwrap()).collect();
        Digest::of(objects.iter().zip(&keys).map(|((_, first, count), key)| DigestEntry {
            key,
            first: Offset::new(*first).unwrap(),
            count: *count,
        }))
    }

    #[test]
    fn sees_each_key_first_offset_and_count_but_not_the_order() {
        let whole = digest(&[("a", 0, 2), ("b", 1, 1)]);
        assert_eq!(whole, digest(&[("b", 1, 1), ("a", 0, 2)]));
        for other in [
            digest(&[("a", 0, 2)]),
            digest(&[("a", 0, 2), ("c", 1, 1)]),
            digest(&[("a", 0, 2), ("b", 2, 1)]),
            digest(&[("a", 0, 2), ("b", 1, 2)]),
        ] {
            assert_ne!(whole, other);
        }
    }

    #[test]
    fn is_the_same_in_every_release() {
        // Never edited, only added to: digests like these stand in plans. The first is BLAKE3's own
        // of nothing.
        for (objects, golden) in [
            (&[][..], "af1349b9f5f9a1a6a0404dea36dcc949"),
            (&[("topics/pin/0", 7, 3)], "34b57cd1785ca0b4aaf2f4fa5b51c25a"),
            (&[("b/ü", 258, 1), ("a", 0, u64::MAX)], "1d6aca9218b3dc74382db2a4c21d150e"),
        ] {
            assert_eq!(digest(objects).to_string(), golden);
        }
    }

    #[test]
    fn round_trips_as_text() {
        let whole = digest(&[("a", 0, 2)]);
        assert_eq!(Digest::parse(&whole.to_string()), Some(whole));
        let zeros = "0".repeat(32);
        assert_eq!(Digest::parse(&zeros).map(|digest| digest.to_string()), Some(zeros));
    }

    #[test]
    fn refuses_what_it_never_prints() {
        let whole = "000102030405060708090a0b0c0d0e0f";
        assert!(Digest::parse(whole).is_some());
        for text in [
            "",
            "xyz",
            &whole[1..],
            &format!("{whole}0"),
            &whole.to_uppercase(),
            &format!("+{}", &whole[1..]),
            &format!("{}ü", &whole[2..]),
        ] {
            assert_eq!(Digest::parse(text), None, "{text:?}");
        }
    }
}
