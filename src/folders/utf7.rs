//! Modified UTF-7, the encoding of mailbox names in IMAP4rev1 (RFC 3501 section 5.1.3).
//!
//! Printable ASCII stands for itself, `&` is `&-`, and everything else is UTF-16BE in a variant of
//! base64 between `&` and `-`. Decoding tolerates what servers really send (raw UTF-8, ASCII in
//! base64, control characters) and rejects what has no meaning.

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// Encodes a text in modified UTF-7; the result is printable ASCII.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut shifted = Vec::new();
    for c in text.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut shifted, &mut out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            shifted.extend(
                c.encode_utf16(&mut [0; 2])
                    .iter()
                    .flat_map(|unit| unit.to_be_bytes()),
            );
        }
    }
    flush(&mut shifted, &mut out);
    out
}

fn flush(shifted: &mut Vec<u8>, out: &mut String) {
    if !shifted.is_empty() {
        out.push('&');
        BASE64.encode_string(&*shifted, out);
        out.push('-');
        shifted.clear();
    }
}

/// Decodes modified UTF-7.
///
/// `None`: an unterminated or invalid base64 section, half a surrogate pair, a NUL, or bytes that
/// aren't even UTF-8. ASCII needlessly written in base64 is decoded as well, so the result need not
/// encode to the same bytes again.
///
/// ```abnf
/// name    = *(%x20-25 / %x27-7E / "&-" / "&" 1*mbase64 "-")
/// mbase64 = ALPHA / DIGIT / "+" / ","
/// ```
/// (RFC 3501 section 5.1.3 says it in words.) Any other UTF-8 except NUL may stand for itself, as
/// servers send it.
pub fn decode(raw: &[u8]) -> Option<String> {
    let mut rest = str::from_utf8(raw).ok()?;
    let mut out = String::with_capacity(rest.len());
    while let Some((plain, shifted)) = rest.split_once('&') {
        let (section, after) = shifted.split_once('-')?;
        out.push_str(plain);
        if section.is_empty() {
            out.push('&');
        } else {
            decode_section(section, &mut out)?;
        }
        rest = after;
    }
    out.push_str(rest);
    (!out.contains('\0')).then_some(out)
}

/// Decodes `1*mbase64`: UTF-16BE in base64 with `,` for `/`, without `=` (RFC 3501 section 5.1.3).
fn decode_section(section: &str, out: &mut String) -> Option<()> {
    let bytes = BASE64.decode(section).ok()?;
    let (pairs, []) = bytes.as_chunks::<2>() else {
        return None;
    };
    let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    for c in char::decode_utf16(units) {
        out.push(c.ok()?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_written_as_the_rfc_has_them() {
        for (text, raw) in [
            ("Sent", "Sent"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("R&D", "R&-D"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("&ü&", "&-&APw-&-"),
            ("😀", "&2D3eAA-"),
            ("a\tb", "a&AAk-b"),
            ("", ""),
        ] {
            assert_eq!(encode(text), raw);
            assert_eq!(decode(raw.as_bytes()).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_servers_send_is_forgiven() {
        for (raw, text) in [
            ("&AGE-b", "ab"),
            ("Entwürfe", "Entwürfe"),
            ("a\tb", "a\tb"),
            ("&APw-&APw-", "üü"),
        ] {
            assert_eq!(decode(raw.as_bytes()).as_deref(), Some(text), "{raw}");
        }
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for raw in [
            "a&b", "&", "&APw", "&AP-", "&APx-", "&APwA-", "&A/w-", "&APw=-", "&2D0-", "&3gA-",
            "&3gDYPQ-", "&AAA-", "a\0b",
        ] {
            assert_eq!(decode(raw.as_bytes()), None, "{raw}");
        }
        assert_eq!(decode(b"caf\xe9"), None);
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn every_text_comes_back(text in "[^\0]{0,40}") {
            let raw = encode(&text);
            prop_assert!(raw.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(decode(raw.as_bytes()), Some(text));
        }

        #[test]
        fn no_bytes_are_too_much(raw in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(text) = decode(&raw) {
                prop_assert_eq!(decode(encode(&text).as_bytes()), Some(text));
            }
        }
    }
}
