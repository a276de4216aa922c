//! The header key: one hash over the five fields that identify a message, computed so that it
//! survives what servers do to headers.
//!
//! It covers the first Message-ID, Date, From, To and Subject; never Received, Return-Path, `X-*`
//! or anything else that is added or changed in transit. Known changes to these five, and how the
//! key tolerates them:
//!
//! - different folding, tabs turned into blanks, runs of blanks reduced to one: folding, SP and TAB
//!   are dropped;
//! - control and 8-bit bytes turned into `?`, one per byte or one per character: they all become
//!   `?`, and a run of them one;
//! - case of domain names: folded (that of local parts and names is not);
//! - another domain in the Message-ID (MailEnable, Domino): it doesn't count if the local part is
//!   long enough to be unique by itself;
//! - a comment after the Message-ID: only the text between the first `<` and `>` counts;
//! - a different form of the same date: its instant counts.

use super::date;
use super::fixed;
use super::header::{fields, unfolded};
use crate::mail::HeaderKey;
use sha2::{Digest as _, Sha256};

/// The fields that [`header_key`] reads, as in a request for `BODY.PEEK[HEADER.FIELDS (…)]` (RFC
/// 3501 section 6.4.5).
pub const FIELDS: &str = "MESSAGE-ID DATE FROM TO SUBJECT";

/// Those fields, in the order in which they are hashed.
const NAMES: [&str; 5] = ["message-id", "date", "from", "to", "subject"];

/// Returns a message's identity according to its header: the first 128 bits of SHA-256 over
/// `name:value\n` for each of the five fields. A missing field counts as an empty one.
///
/// A corrected copy has the key of its original, by the comment in its Date.
///
/// `header` is a message, its header, or a server's literal for [`FIELDS`]: all give the same key.
pub fn header_key(header: &[u8]) -> HeaderKey {
    let [message_id, date, from, to, subject] = first_values(header);
    if let Some(original) = date.and_then(fixed::key_in) {
        return original;
    }
    let message_id = message_id.map(message_id_text).unwrap_or_default();
    let values = [
        &message_id,
        &date.map(date_text).unwrap_or_default(),
        &from.map(addresses).unwrap_or_default(),
        &to.map(addresses).unwrap_or_default(),
        &subject.map(canonical).unwrap_or_default(),
    ];
    if values.iter().all(|value| value.is_empty()) {
        return HeaderKey::Empty;
    }
    let key = hash(values);
    if message_id.is_empty() {
        HeaderKey::WithoutId(key)
    } else {
        HeaderKey::WithId(key)
    }
}

/// Returns the value of the first field with each name, even if empty.
fn first_values(header: &[u8]) -> [Option<&[u8]>; 5] {
    let mut values = [None; 5];
    for field in fields(header) {
        for (value, name) in values.iter_mut().zip(NAMES) {
            if value.is_none() && field.is(name) {
                *value = Some(field.value);
            }
        }
        if values.iter().all(Option::is_some) {
            break;
        }
    }
    values
}

fn hash(values: [&Vec<u8>; 5]) -> [u8; 16] {
    let mut digest = Sha256::new();
    // No value contains a line end, so no two sets of values give the same text.
    for (name, value) in NAMES.iter().zip(values) {
        digest.update(name.as_bytes());
        digest.update(b":");
        digest.update(value);
        digest.update(b"\n");
    }
    super::content::first_half(&digest.finalize().into())
}

/// Returns a value without folding and blanks, with each run of bytes that servers replace by `?`
/// reduced to one `?`.
fn canonical(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in unfolded(value) {
        match byte {
            b' ' | b'\t' => {}
            b'?' | 0..=0x1f | 0x7f.. if text.last() == Some(&b'?') => {}
            b'?' | 0..=0x1f | 0x7f.. => text.push(b'?'),
            _ => text.push(byte),
        }
    }
    text
}

/// The fewest characters of a local part that tell one message from all others.
const TELLING: usize = 8;

/// Returns the text between the first `<` and `>`, or all of it if there is no `<`, without its
/// domain. If the local part is too short to tell, the domain stays, in lower case.
fn message_id_text(value: &[u8]) -> Vec<u8> {
    let text = canonical(value);
    let inner = text.split(|byte| *byte == b'<').nth(1).unwrap_or(&text);
    let inner = inner.split(|byte| *byte == b'>').next().unwrap_or(inner);
    let mut id = inner.to_vec();
    match id.iter().rposition(|byte| *byte == b'@') {
        Some(at) if at >= TELLING => id.truncate(at),
        Some(at) => id.iter_mut().skip(at).for_each(u8::make_ascii_lowercase),
        None => {}
    }
    id
}

/// Returns seconds since 1970 for a date, otherwise the text.
fn date_text(value: &[u8]) -> Vec<u8> {
    date::parse(value).map_or_else(
        || canonical(value),
        |date| date.seconds().to_string().into_bytes(),
    )
}

/// Returns a list of addresses with each domain in lower case: whatever follows an `@` and can be
/// part of a domain.
fn addresses(value: &[u8]) -> Vec<u8> {
    let mut text = canonical(value);
    let mut in_domain = false;
    for byte in &mut text {
        in_domain = *byte == b'@'
            || in_domain && (byte.is_ascii_alphanumeric() || b".-_[]:?".contains(byte));
        if in_domain {
            byte.make_ascii_lowercase();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Checks whether left and right have the same header key.
    #[track_caller]
    fn check(left: &[u8], right: &[u8], same: bool) {
        assert_eq!(
            header_key(left) == header_key(right),
            same,
            "{} | {}",
            left.escape_ascii(),
            right.escape_ascii()
        );
    }

    #[test]
    fn c1_folding() {
        check(b"Subject: a\r\n\tb", b"Subject: a b", true);
    }

    #[test]
    fn c2_eight_bit_as_question_marks() {
        check(b"Subject: caf\xc3\xa9", b"Subject: caf?", true);
        check(b"Subject: caf\xc3\xa9 \xc3\xa9", b"Subject: caf?? ??", true);
        check(b"Subject: caf\xc3\xa9", b"Subject: cafe", false);
    }

    #[test]
    fn c3_message_id_domain_and_comment() {
        check(
            b"Message-ID:<x@Y.org>",
            b"message-id:  <x@y.org> (comment)",
            true,
        );
    }

    #[test]
    fn c3_another_domain_does_not_count_after_a_telling_local_part() {
        check(
            b"Message-ID: <20240201.4f7a@a.example>",
            b"Message-ID: <20240201.4f7a@this.server>",
            true,
        );
        check(
            b"Message-ID: <20240201.4f7a@a>",
            b"Message-ID: <20240201.4f7b@a>",
            false,
        );
        check(b"Message-ID: <1@a>", b"Message-ID: <1@b>", false);
    }

    #[test]
    fn c4_message_id_local_part_has_case() {
        check(b"Message-ID: <x@y.org>", b"Message-ID: <X@y.org>", false);
    }

    #[test]
    fn c5_dates_are_instants() {
        check(
            b"Date: Tue, 2 Jan 2024 10:00:00 +0100",
            b"Date: 2 Jan 2024 09:00 GMT",
            true,
        );
        check(
            b"Date: Tue, 2 Jan 2024 10:00:00 +0100",
            b"Date: Tue, 2 Jan 2024 10:00:00 +0000",
            false,
        );
        check(b"Date: some\r\n day", b"Date: someday", true);
        check(b"Date: some day", b"Date: no day", false);
    }

    #[test]
    fn c10_c13_other_fields_and_the_body_do_not_count() {
        check(
            b"Subject: a\r\nX-Spam: yes\r\n\r\nbody",
            b"Received: x\r\nSubject: a\r\n\r\n",
            true,
        );
        check(
            b"Content-Type: multipart/mixed; boundary=1\r\nSubject: a\r\n\r\n--1--",
            b"Content-Type: multipart/mixed; boundary=2\r\nSubject: a\r\n\r\n--2--",
            true,
        );
    }

    #[test]
    fn c11_the_first_message_id_wins() {
        check(
            b"Message-ID: <1@a>\r\nMessage-ID: <2@a>",
            b"Message-ID: <1@a>",
            true,
        );
        check(
            b"Message-ID: <1@a>\r\nMessage-ID: <2@a>",
            b"Message-ID: <2@a>",
            false,
        );
    }

    #[test]
    fn c12_no_header_is_the_empty_key() {
        for header in [
            &b"\r\nonly a body\r\n"[..],
            b"",
            b"X-Spam: yes\r\n\r\n",
            b"Subject: \r\nMessage-ID: <>\r\n",
        ] {
            assert_eq!(
                header_key(header),
                HeaderKey::Empty,
                "{}",
                header.escape_ascii()
            );
        }
    }

    #[test]
    fn says_how_far_it_can_be_trusted() {
        assert!(matches!(
            header_key(b"Message-ID: <1@a>"),
            HeaderKey::WithId(_)
        ));
        assert!(matches!(
            header_key(b"Message-ID: 1@a"),
            HeaderKey::WithId(_)
        ));
        assert!(matches!(
            header_key(b"Message-ID: <>\r\nSubject: a"),
            HeaderKey::WithoutId(_)
        ));
        assert!(matches!(header_key(b"From: a"), HeaderKey::WithoutId(_)));
    }

    #[test]
    fn only_domains_lose_their_case() {
        check(
            b"From: Ann <ann@A.org>, B@[IPv6:FE::1]",
            b"From: Ann <ann@a.org>, B@[ipv6:fe::1]",
            true,
        );
        check(b"From: Ann <ann@a.org>", b"From: ann <ann@a.org>", false);
        check(b"From: Ann@a.org (Ann)", b"From: Ann@a.org (ann)", false);
        check(b"Subject: at @A", b"Subject: at @a", false);
    }

    #[test]
    fn a_field_moved_to_another_is_another_message() {
        check(b"From: a@b", b"To: a@b", false);
        check(b"Subject: a\r\nTo: ", b"Subject: a", true);
    }

    /// These keys are stored in users' states: they may change only with a new state format.
    #[test]
    fn the_hashed_text_is_fixed() {
        let header = b"Message-ID: <X@Y.org>\r\nDate: Tue, 2 Jan 2024 10:00:00 +0100\r\n\
            From: Ann <a@B.org>\r\nTo: b@c.org\r\nSubject: A b\r\n";
        let text =
            "message-id:X@y.org\ndate:1704186000\nfrom:Ann<a@b.org>\nto:b@c.org\nsubject:Ab\n";
        let digest: [u8; 32] = Sha256::digest(text).into();
        assert_eq!(
            header_key(header),
            HeaderKey::WithId(digest[..16].try_into().unwrap())
        );
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn any_bytes_will_do(header in prop::collection::vec(any::<u8>(), 0..200)) {
            header_key(&header);
        }

        #[test]
        fn survives_what_servers_do(
            subject in prop::collection::vec(prop::sample::select(b"aB? \x01\x7f\xc3\xa9".to_vec()), 0..30),
            fold in prop::sample::select(vec!["\r\n ", "\n\t", " ", "\t  "]),
        ) {
            // Fold at other blanks, and replace every unprintable byte.
            let replaced: Vec<u8> = subject
                .iter()
                .flat_map(|byte| match byte {
                    b' ' => fold.as_bytes().to_vec(),
                    0x20..0x7f => vec![*byte],
                    _ => vec![b'?'],
                })
                .collect();
            let whole = [b"From: a\r\nSubject: x", &subject[..], b"\r\n\r\nbody"].concat();
            let changed = [b"subject:x", &replaced[..], b"\r\nFROM :a\r\n\r\n"].concat();
            prop_assert_eq!(header_key(&whole), header_key(&changed));
        }
    }
}
