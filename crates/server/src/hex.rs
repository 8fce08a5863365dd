//! Ids and keys as hex digits, in files and requests.

/// `N` bytes from exactly `2 N` hex digits.
pub(crate) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| (pair[0] << 4) | pair[1])
        .collect();
    bytes.try_into().ok().filter(|_| digits.len() == 2 * N)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_digits_are_read() {
        assert_eq!(bytes("0aF0"), Some([0x0a, 0xf0]));
        for bad in ["", "0a", "0aF", "0aF00", "0aF0 ", "+aF0", "0agg", "éa"] {
            assert_eq!(bytes::<2>(bad), None, "{bad}");
        }
    }
}
