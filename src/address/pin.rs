//! The fingerprint of a certificate that a user has checked and trusts.

use std::fmt;

/// SHA-256 of a certificate in DER, written `sha256:HEX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Parses `sha256:` and 64 hexadecimal digits, in any case, with or without colons between the
    /// bytes as OpenSSL writes them.
    ///
    /// ```abnf
    /// pin = "sha256:" 32( 2HEXDIG [ ":" ] )
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (algorithm, digits) = text.split_once(':')?;
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b':').collect();
        if !algorithm.eq_ignore_ascii_case("sha256") || digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let value = |digit: u8| char::from(digit).to_digit(16);
            *byte = u8::try_from(value(pair[0])? * 16 + value(pair[1])?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_what_openssl_writes() {
        let pin = Fingerprint(std::array::from_fn(|at| at as u8 * 7));
        assert_eq!(Fingerprint::parse(&pin.to_string()), Some(pin));
        let pairs: Vec<String> = pin.0.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(
            Fingerprint::parse(&format!("SHA256:{}", pairs.join(":"))),
            Some(pin)
        );
    }

    #[test]
    fn refuses_anything_else() {
        let digits = "0".repeat(64);
        for text in [
            "",
            "sha256:",
            &digits,
            &format!("sha1:{digits}"),
            &format!("sha256:{digits}0"),
        ] {
            assert_eq!(Fingerprint::parse(text), None, "{text}");
        }
        assert_eq!(
            Fingerprint::parse(&format!("sha256:{}g", "0".repeat(63))),
            None
        );
    }
}
