//! A short fingerprint of bytes, to compare with another of the same kind.

/// Returns the 64-bit FNV-1a hash of `bytes`. It isn't an identity: two names may share one by
/// chance, or by intent.
pub fn print(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_fnv_1a() {
        assert_eq!(super::print(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(super::print(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
