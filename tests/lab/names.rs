//! Mailbox names in modified UTF-7 (RFC 3501 section 5.1.3).

use base64::{
    Engine as _,
    alphabet::Alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use std::sync::LazyLock;

/// Base64 with `,` for `/` and without padding.
static BASE64: LazyLock<GeneralPurpose> = LazyLock::new(|| {
    let alphabet =
        Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").unwrap();
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&alphabet, config)
});

/// The wire's form of one level.
pub fn encode(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some(start) = rest.find(|c| !(' '..='~').contains(&c) || c == '&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(tail) = rest.strip_prefix('&') {
            out.push_str("&-");
            rest = tail;
            continue;
        }
        let end = rest
            .find(|c| (' '..='~').contains(&c))
            .unwrap_or(rest.len());
        let utf16: Vec<u8> = rest[..end]
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        out.push('&');
        out.push_str(&BASE64.encode(utf16));
        out.push('-');
        rest = &rest[end..];
    }
    out + rest
}

/// What is meant by the wire's form. Panics on what is not modified UTF-7.
pub fn decode(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some((plain, shifted)) = rest.split_once('&') {
        out.push_str(plain);
        let (encoded, tail) = shifted
            .split_once('-')
            .unwrap_or_else(|| panic!("not modified UTF-7: {name}"));
        if encoded.is_empty() {
            out.push('&');
        } else {
            let bytes = BASE64
                .decode(encoded)
                .unwrap_or_else(|_| panic!("not modified UTF-7: {name}"));
            let utf16: Vec<u16> = bytes
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            out.push_str(&String::from_utf16(&utf16).unwrap());
        }
        rest = tail;
    }
    out + rest
}

/// A quoted string (RFC 3501 section 4.3).
pub fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
