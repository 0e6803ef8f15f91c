//! Values of records as parts of a key: escaped as Hive does, bounded, one-to-one.
//!
//! It owns: which bytes are escaped, and how what is too long is shortened.
//! It does not own: where values come from. An empty value never gets here, it counts as missing.
//!
//! Beside Hive's own set the characters are escaped that the XML of a listing cannot hold; dots
//! that would be an element of their own; Hive's default word, where it is the value itself; and
//! bytes that are not UTF-8. Undoing `%XX` byte by byte gives the value back.

use super::pattern::DEFAULT_PARTITION;

/// The longest escaped value. A key has 1,024 bytes.
const VALUE_BYTES_MAX: usize = 200;
/// What is kept of a longer one.
const VALUE_BYTES_KEPT: usize = 160;
/// `~` and 128 bits in hexadecimal.
pub(super) const MARK_BYTES: usize = 33;
/// A cut moves back by at most this, not to split a character (3 bytes of 4) behind a `%X`.
pub(super) const CUT_BYTES_MAX: usize = 5;

/// Appends the value, escaped and bounded. Different values give different texts.
pub(super) fn push_value(out: &mut String, value: &[u8]) {
    let start = out.len();
    // What is cut off need not be escaped: nothing that lies this far back moves the cut.
    let head = &value[..value.len().min(VALUE_BYTES_KEPT + 8)];
    let is_long = value.len() > VALUE_BYTES_MAX;
    push_escaped(out, if is_long { head } else { value });
    let escaped = &out[start..];
    let is_like_a_mark = has_mark(escaped, VALUE_BYTES_KEPT + MARK_BYTES);
    if is_long || escaped.len() > VALUE_BYTES_MAX || is_like_a_mark {
        let cut = cut_before(escaped, VALUE_BYTES_KEPT);
        out.truncate(start + cut);
        push_mark(out, value);
    }
}

fn push_escaped(out: &mut String, value: &[u8]) {
    if value == DEFAULT_PARTITION.as_bytes() {
        push_byte(out, value[0]);
        out.push_str(&DEFAULT_PARTITION[1..]);
        return;
    }
    let is_dots = matches!(value, b"." | b"..");
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_escaped(character) || is_dots {
                let mut bytes = [0; 4];
                character.encode_utf8(&mut bytes).bytes().for_each(|byte| push_byte(out, byte));
            } else {
                out.push(character);
            }
        }
        chunk.invalid().iter().for_each(|byte| push_byte(out, *byte));
    }
}

fn is_escaped(character: char) -> bool {
    character.is_control()
        || matches!(character, '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\')
        || matches!(character, '{' | '[' | ']' | '^' | '\u{fffe}' | '\u{ffff}')
}

/// Appends `%` and two hexadecimal digits.
pub(super) fn push_byte(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// Appends `~` and the first 128 bits of the digest of `whole`.
pub(super) fn push_mark(out: &mut String, whole: &[u8]) {
    out.push('~');
    out.push_str(&blake3::hash(whole).to_hex()[..MARK_BYTES - 1]);
}

/// Says whether `text` could be a shortened one of at most `bytes_max` bytes. Such a text is itself
/// shortened, so that the two cannot be one.
pub(super) fn has_mark(text: &str, bytes_max: usize) -> bool {
    let is_lower_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let lengths = bytes_max.saturating_sub(CUT_BYTES_MAX)..=bytes_max;
    lengths.contains(&text.len())
        && text
            .as_bytes()
            .last_chunk::<MARK_BYTES>()
            .is_some_and(|mark| mark[0] == b'~' && mark[1..].iter().all(is_lower_hex))
}

/// Returns the last place at or before `bytes` that splits no character and no `%XX`.
pub(super) fn cut_before(text: &str, bytes: usize) -> usize {
    let mut cut = text.floor_char_boundary(bytes);
    let head = &text.as_bytes()[..cut];
    if cut < text.len() && head.ends_with(b"%") {
        cut -= 1;
    } else if cut < text.len() && cut >= 2 && head[cut - 2] == b'%' {
        cut -= 2;
    }
    cut
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(value: &[u8]) -> String {
        let mut out = String::from("k=");
        push_value(&mut out, value);
        out.split_off(2)
    }

    fn unescaped(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, behind)) = rest.split_first() {
            if *first == b'%' {
                let digits = std::str::from_utf8(&behind[..2]).unwrap();
                out.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &behind[2..];
            } else {
                out.push(*first);
                rest = behind;
            }
        }
        out
    }

    #[test]
    fn values_are_escaped_as_hive_does() {
        let cases: [(&[u8], &str); 14] = [
            (b"plain value-1.5_~+,;!@&()<>|$`}", "plain value-1.5_~+,;!@&()<>|$`}"),
            (b"a/b", "a%2Fb"),
            (b"..", "%2E%2E"),
            (b".", "%2E"),
            (b"...", "..."),
            (b"\"#%'*/:=?\\{[]^", "%22%23%25%27%2A%2F%3A%3D%3F%5C%7B%5B%5D%5E"),
            (b"\0\n\x1f\x7f", "%00%0A%1F%7F"),
            ("käse 😀".as_bytes(), "käse 😀"),
            ("\u{85}".as_bytes(), "%C2%85"),
            ("\u{ffff}".as_bytes(), "%EF%BF%BF"),
            (b"\x85", "%85"),
            (b"a\xff\xc3", "a%FF%C3"),
            (b"__HIVE_DEFAULT_PARTITION__", "%5F_HIVE_DEFAULT_PARTITION__"),
            (b"2021-08-24 11:23", "2021-08-24 11%3A23"),
        ];
        for (value, text) in cases {
            assert_eq!(escaped(value), text);
        }
    }

    #[test]
    fn a_long_value_keeps_its_beginning() {
        assert_eq!(escaped(&[b'x'; 200]), "x".repeat(200));
        let long = escaped(&[b'x'; 201]);
        assert_eq!(long.len(), 160 + 33);
        assert!(long.starts_with(&format!("{}~", "x".repeat(160))));
        assert_eq!(escaped(&[b'x'; 2_000]).len(), 193);
        assert_ne!(escaped(&[b'x'; 2_000]), escaped(&[b'x'; 2_001]));
        let slashes = escaped(&[b'/'; 67]);
        assert!(slashes.starts_with(&"%2F".repeat(53)) && slashes.len() == 159 + 33);
        let faces = escaped("x😀".repeat(60).as_bytes());
        assert!(faces.starts_with(&"x😀".repeat(32)) && faces.len() == 160 + 33);
        let shifted = escaped(format!("xx{}", "😀".repeat(60)).as_bytes());
        assert_eq!(shifted.len(), 158 + 33);
    }

    #[test]
    fn a_value_that_looks_shortened_is_shortened_too() {
        let long = escaped(&[b'x'; 201]);
        let again = escaped(long.as_bytes());
        assert_ne!(again, long);
        assert_ne!(escaped(again.as_bytes()), again);
    }

    proptest! {
        #[test]
        fn short_values_come_back(value in prop::collection::vec(any::<u8>(), 1..60)) {
            prop_assert_eq!(unescaped(&escaped(&value)), value);
        }

        #[test]
        fn every_value_fits_and_is_an_element(value in ".{1,300}") {
            let text = escaped(value.as_bytes());
            prop_assert!(!text.is_empty() && text.len() <= VALUE_BYTES_MAX);
            prop_assert!(!text.contains('/') && !text.chars().any(char::is_control));
            prop_assert!(text != "." && text != ".." && text != DEFAULT_PARTITION);
        }

        #[test]
        fn different_values_stay_different(
            left in prop::collection::vec(prop::sample::select(vec![b'a', b'/', 0xc3, 0xa4]), 1..220),
            right in prop::collection::vec(prop::sample::select(vec![b'a', b'/', 0xc3, 0xa4]), 1..220),
        ) {
            prop_assert_eq!(left == right, escaped(&left) == escaped(&right));
        }
    }
}
