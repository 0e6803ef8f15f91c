//! Ids as text: so many lower-case hexadecimal digits and nothing else.

/// Parses exactly `digits` lower-case hexadecimal digits, at most 32.
pub(crate) fn parse_hex(text: &str, digits: usize) -> Option<u128> {
    let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != digits || !text.bytes().all(is_lower_hex) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}
