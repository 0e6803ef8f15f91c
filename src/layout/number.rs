//! Numbers in paths and names: decimal, padded with zeros on request.

/// Digits of `u64::MAX`.
const DIGITS_MAX: usize = 20;

/// Appends `number` with at least `width` digits. Nothing is allocated but what `out` needs.
pub(super) fn push_number(out: &mut String, number: u64, width: u8) {
    let mut digits = [b'0'; DIGITS_MAX];
    let mut start = DIGITS_MAX;
    let mut rest = number;
    while rest > 0 || start == DIGITS_MAX {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let start = start.min(DIGITS_MAX.saturating_sub(usize::from(width)));
    out.extend(digits[start..].iter().map(|digit| char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_look_as_the_standard_library_prints_them(number: u64, width in 0_u8..=20) {
            let mut out = String::from("x");
            push_number(&mut out, number, width);
            prop_assert_eq!(out, format!("x{number:0width$}", width = usize::from(width)));
        }
    }

    #[test]
    fn zero_has_a_digit() {
        let mut out = String::new();
        push_number(&mut out, 0, 0);
        push_number(&mut out, 0, 3);
        push_number(&mut out, u64::MAX, 1);
        assert_eq!(out, "000018446744073709551615");
    }
}
