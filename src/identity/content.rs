//! Content keys: a message's identity according to all its bytes, computed as they pass, in pieces
//! of any size.
//!
//! The raw key covers the exact bytes. The canonical key ignores what servers and clients are known
//! to change without changing the message: line ends, trailing newlines, NUL versus 0x80, and the
//! header fields that programs add for their own use. Memory is constant: a single line of a
//! message may have gigabytes.
//!
//! Three more keys, computed only by [`ContentHasher::tolerant`], are for messages that no other
//! equals by the canonical key: the key it would have if a server had written `X` for each 8-bit
//! byte of the header, the key without the header's blanks, and the key without the fields that
//! servers add in transit.

use super::fixed;
use sha2::{Digest as _, Sha256};

/// Fields that programs add to messages for their own use.
const INJECTED: [&str; 6] = [
    "Status",
    "X-Keywords",
    "X-Message-Flag",
    "X-OfflineIMAP",
    "X-Status",
    "X-TUID",
];

/// Prefixes of more such fields.
const INJECTED_PREFIXES: [&str; 2] = ["X-Pm-", "X-UID"];

/// Fields that servers add or rewrite; so are all that begin with `X-`. Some servers write another
/// domain into the Message-ID; the header key has what is left of it.
const ADDED: [&str; 8] = [
    "Content-Length",
    "Delivered-To",
    "Envelope-To",
    "Lines",
    "Message-ID",
    "Received",
    "Return-Path",
    "Status",
];

/// How much of a header line is held back until its colon shows whether it is kept. Longer names
/// are kept.
const MAX_NAME: usize = 128;

/// How much of a message is searched for the mark of a corrected copy, which begins with it;
/// servers may put fields of their own before it.
const HEAD: usize = 4096;

/// A message's identity according to its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentKeys {
    /// SHA-256 of the exact bytes.
    pub raw: [u8; 32],
    /// How many bytes there are.
    pub length: u64,
    /// SHA-256 of the exact bytes of the message that this is a corrected copy of, by its mark.
    pub original: Option<[u8; 32]>,
    /// The first 128 bits of SHA-256 over the canonical form.
    pub canonical: [u8; 16],
    /// The same with each 8-bit byte of the header replaced by `X`. Zeros unless the hasher was
    /// tolerant.
    pub munged: [u8; 16],
    /// The same without the header's blanks: MailEnable squeezes them. Zeros unless the hasher was
    /// tolerant.
    pub blankless: [u8; 16],
    /// The same without the fields that servers add. Zeros unless the hasher
    /// was tolerant.
    pub essence: [u8; 16],
}

impl ContentKeys {
    /// Returns the raw key of the message itself or, of a corrected copy, that of its original.
    pub fn origin(&self) -> [u8; 32] {
        self.original.unwrap_or(self.raw)
    }
}

/// Computes a message's [`ContentKeys`] from its bytes, in pieces of any size.
#[derive(Clone, Debug, Default)]
pub struct ContentHasher {
    raw: Sha256,
    length: u64,
    canonical: Canonical,
    /// The first bytes, which have the mark of a corrected copy.
    head: Vec<u8>,
    /// The munged and the blankless form, and the essence.
    tolerant: Option<Box<[Canonical; 3]>>,
}

impl ContentHasher {
    /// Makes a hasher.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a hasher that also computes the keys that tolerate servers' changes. Takes three
    /// times as long.
    pub fn tolerant() -> Self {
        let form = |form| Canonical {
            form,
            ..Canonical::default()
        };
        Self {
            tolerant: Some(Box::new([
                form(Form::Munged),
                form(Form::Blankless),
                form(Form::Essence),
            ])),
            ..Self::default()
        }
    }

    /// Hashes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.raw.update(bytes);
        self.length += bytes.len() as u64;
        let room = HEAD.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.canonical.update(bytes);
        self.tolerant
            .iter_mut()
            .flat_map(|forms| forms.iter_mut())
            .for_each(|form| form.update(bytes));
    }

    /// Returns the keys of all bytes hashed.
    pub fn finish(self) -> ContentKeys {
        let [munged, blankless, essence] = self
            .tolerant
            .map_or([[0; 16]; 3], |forms| forms.map(Canonical::finish));
        let canonical = self.canonical.finish();
        ContentKeys {
            raw: self.raw.finalize().into(),
            length: self.length,
            original: fixed::original(&self.head),
            canonical,
            munged,
            blankless,
            essence,
        }
    }
}

/// How a header is transformed before it is hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// Injected fields are left out.
    #[default]
    Canonical,
    /// And each 8-bit byte is replaced by `X`.
    Munged,
    /// And blanks in the header are left out.
    Blankless,
    /// And so are fields that servers add.
    Essence,
}

/// Returns the first 128 of 256 bits.
pub(super) fn first_half(digest: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

/// Where in the message the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the start of a header line: a blank would make it part of the line before, which was kept
    /// or not.
    LineStart { kept: bool },
    /// In a header line whose name is being held back.
    Name,
    /// In a header line that is kept or not.
    Line { kept: bool },
    /// After the empty line.
    Body,
}

/// Hashes the canonical form.
#[derive(Clone, Debug)]
struct Canonical {
    digest: Sha256,
    form: Form,
    place: Place,
    /// The beginning of the header line, while `place` is `Name`. At most [`MAX_NAME`] bytes.
    name: Vec<u8>,
    /// The last CRs seen: part of a line end if LF follows, otherwise text.
    carriage_returns: u64,
    /// The last line ends seen: they count only if something follows.
    newlines: u64,
}

impl Default for Canonical {
    fn default() -> Self {
        let place = Place::LineStart { kept: true };
        Self {
            digest: Sha256::new(),
            form: Form::Canonical,
            place,
            name: Vec::new(),
            carriage_returns: 0,
            newlines: 0,
        }
    }
}

impl Canonical {
    /// Takes bytes as they come, and splits them into text and line ends.
    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let plain = bytes
                .iter()
                .position(|byte| matches!(byte, b'\r' | b'\n' | 0 | 0x80))
                .unwrap_or(bytes.len());
            let (text, rest) = bytes.split_at(plain);
            if !text.is_empty() {
                self.release_carriage_returns();
                self.text(text);
            }
            if let Some((special, after)) = rest.split_first() {
                self.special(*special);
                bytes = after;
            } else {
                bytes = rest;
            }
        }
    }

    /// Takes CR, LF, NUL or 0x80.
    fn special(&mut self, byte: u8) {
        match byte {
            b'\r' => self.carriage_returns += 1,
            b'\n' => {
                self.carriage_returns = 0;
                self.line_end();
            }
            0x80 if self.form == Form::Munged && self.place != Place::Body => {
                self.release_carriage_returns();
                self.text(b"X");
            }
            _ => {
                self.release_carriage_returns();
                self.text(&[0]);
            }
        }
    }

    fn release_carriage_returns(&mut self) {
        for piece in repeated(&[b'\r'; RUN], std::mem::take(&mut self.carriage_returns)) {
            self.text(piece);
        }
    }

    /// Takes text without a line end; never empty.
    fn text(&mut self, text: &[u8]) {
        let in_header = self.place != Place::Body;
        if self.form == Form::Munged && in_header && !text.is_ascii() {
            let munged: Vec<u8> = text
                .iter()
                .map(|byte| if byte.is_ascii() { *byte } else { b'X' })
                .collect();
            self.plain_text(&munged);
        } else {
            self.plain_text(text);
        }
    }

    fn plain_text(&mut self, text: &[u8]) {
        if let Place::LineStart { kept } = self.place {
            let continues = matches!(text.first(), Some(b' ' | b'\t'));
            self.place = if continues {
                Place::Line { kept }
            } else {
                Place::Name
            };
        }
        let text = if self.place == Place::Name {
            self.header_name(text)
        } else {
            text
        };
        match self.place {
            Place::Line { kept: true } if self.has_no_blanks() => {
                let words = text.split(|byte| matches!(byte, b' ' | b'\t'));
                words.for_each(|word| self.emit(word));
            }
            Place::Line { kept: true } | Place::Body => self.emit(text),
            _ => {}
        }
    }

    /// Takes text until it is known whether the header line is kept, and returns the rest.
    fn header_name<'t>(&mut self, text: &'t [u8]) -> &'t [u8] {
        let colon = text.iter().position(|byte| *byte == b':');
        let (name, rest) = text.split_at(colon.unwrap_or(text.len()));
        let room = MAX_NAME - self.name.len();
        if name.len() > room {
            let (name, _) = name.split_at(room);
            self.name.extend_from_slice(name);
            self.keep_line();
            return &text[room..];
        }
        self.name.extend_from_slice(name);
        if colon.is_some() && self.leaves_out(&self.name) {
            self.name.clear();
            self.place = Place::Line { kept: false };
        } else if colon.is_some() {
            self.keep_line();
        }
        rest
    }

    /// Reports whether the header's blanks are left out.
    fn has_no_blanks(&self) -> bool {
        matches!(self.form, Form::Blankless | Form::Essence)
    }

    /// Reports whether a field with this name is left out.
    fn leaves_out(&self, name: &[u8]) -> bool {
        is_injected(name) || self.form == Form::Essence && is_added(name)
    }

    fn keep_line(&mut self) {
        let name = std::mem::take(&mut self.name);
        self.emit(&name);
        self.place = Place::Line { kept: true };
    }

    fn line_end(&mut self) {
        // A line without a colon isn't a field, and is kept.
        if self.place == Place::Name {
            self.keep_line();
        }
        self.place = match self.place {
            Place::LineStart { .. } | Place::Body => Place::Body,
            Place::Line { kept } => Place::LineStart { kept },
            Place::Name => Place::LineStart { kept: true },
        };
        if self.place != (Place::LineStart { kept: false }) {
            self.newlines += 1;
        }
    }

    /// Hashes text, preceded by pending line ends.
    fn emit(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        for piece in repeated(&[b'\n'; RUN], std::mem::take(&mut self.newlines)) {
            self.digest.update(piece);
        }
        self.digest.update(text);
    }

    fn finish(mut self) -> [u8; 16] {
        self.release_carriage_returns();
        if self.place == Place::Name {
            self.keep_line();
        }
        first_half(&self.digest.finalize().into())
    }
}

/// How many bytes of a run are hashed at a time.
const RUN: usize = 64;

/// Yields `count` bytes of a run, in non-empty pieces.
fn repeated(run: &[u8; RUN], count: u64) -> impl Iterator<Item = &[u8]> {
    let mut left = count;
    std::iter::from_fn(move || {
        let length = RUN.min(usize::try_from(left).unwrap_or(RUN));
        left -= length as u64;
        run.get(..length).filter(|piece| !piece.is_empty())
    })
}

/// Reports whether servers add or change such a field.
fn is_added(name: &[u8]) -> bool {
    let name = name.trim_ascii_end();
    let is_private = name
        .get(..2)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"X-"));
    name.iter().all(u8::is_ascii_graphic)
        && (is_private
            || ADDED
                .iter()
                .any(|added| name.eq_ignore_ascii_case(added.as_bytes())))
}

fn is_injected(name: &[u8]) -> bool {
    let name = name.trim_ascii_end();
    let begins = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    name.iter().all(u8::is_ascii_graphic)
        && (INJECTED
            .iter()
            .any(|injected| name.eq_ignore_ascii_case(injected.as_bytes()))
            || INJECTED_PREFIXES.iter().any(|prefix| begins(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(bytes: &[u8]) -> ContentKeys {
        let mut hasher = ContentHasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Checks whether left and right have the same canonical content; their raw content must differ
    /// in any case.
    #[track_caller]
    fn check(left: &[u8], right: &[u8], same: bool) {
        let (l, r) = (keys(left), keys(right));
        assert_eq!(
            l.canonical == r.canonical,
            same,
            "{} | {}",
            left.escape_ascii(),
            right.escape_ascii()
        );
        assert_ne!(l.raw, r.raw);
    }

    #[test]
    fn c6_newlines_at_the_end() {
        check(b"A: 1\r\n\r\nx\r\n", b"A: 1\r\n\r\nx", true);
        check(b"A: 1\r\n\r\nx\r\n", b"A: 1\r\n\r\nx\r\n\r\n", true);
        check(b"A: 1\r\n\r\nx\r\n\r\ny", b"A: 1\r\n\r\nx\r\ny", false);
    }

    #[test]
    fn c7_line_ends() {
        check(b"A: 1\n\nx\ny\n", b"A: 1\r\n\r\nx\r\ny\r\n", true);
        check(b"A: 1\r\r\n\r\r\nx\r\r\n", b"A: 1\r\n\r\nx\r\n", true);
        check(b"\nx\ry", b"\nx\ny", false);
    }

    #[test]
    fn c8_nul() {
        check(b"\r\na\0b", b"\r\na\x80b", true);
        check(b"\r\na\0b", b"\r\nab", false);
    }

    #[test]
    fn c9_injected_fields() {
        check(b"X-Pm-Gluon-Id: 1\r\nA: 1\r\n\r\nx", b"A: 1\r\n\r\nx", true);
        check(
            b"A: 1\r\nx-uidl: 1\r\n  folded\r\n\tagain\r\nB: 2\r\n f\r\n\r\nx",
            b"A: 1\r\nB: 2\r\n f\r\n\r\nx",
            true,
        );
        check(
            b"STATUS : RO\nX-Status: A\nX-Keywords: \nX-UID: 1\nX-TUID: 1\nA: 1",
            b"A: 1",
            true,
        );
        check(
            b"A: 1\r\nX-OfflineIMAP: 1\r\nX-Message-Flag: x",
            b"A: 1",
            true,
        );
    }

    #[test]
    fn other_fields_and_bodies_stay() {
        check(b"Status-X: 1\r\nA: 1", b"A: 1", false);
        check(b"X-Pm-not a field\r\nA: 1", b"A: 1", false);
        check(b"X-Pm-not a field: 1\r\nA: 1", b"A: 1", false);
        check(b"A: 1\r\n\r\nStatus: x\r\ny", b"A: 1\r\n\r\ny", false);
        let long = format!("X-Pm-{}: 1\r\nA: 1", "x".repeat(MAX_NAME));
        check(long.as_bytes(), b"A: 1", false);
    }

    #[test]
    fn c10_added_fields_that_are_not_on_the_list() {
        check(b"X-Spam: yes\r\nA: 1\r\n\r\nx", b"A: 1\r\n\r\nx", false);
    }

    #[test]
    fn c12_a_message_without_header_has_a_content() {
        check(b"\r\none", b"\r\ntwo", false);
        check(b"one\r\n", b"one", true);
    }

    #[test]
    fn c13_another_boundary_is_another_content() {
        check(
            b"Content-Type: x; boundary=1\r\n\r\n--1--",
            b"Content-Type: x; boundary=2\r\n\r\n--2--",
            false,
        );
    }

    fn tolerant(bytes: &[u8]) -> ContentKeys {
        let mut hasher = ContentHasher::tolerant();
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn the_munged_key_is_that_of_a_header_in_which_8_bit_bytes_are_x() {
        let message = b"Subject: gr\xfc\x80\xdfe\r\n f\xe4\r\n\xe4: 1\r\n\r\nb\xf6dy";
        let stored = b"Subject: grXXXe\r\n fX\r\nX: 1\r\n\r\nb\xf6dy";
        assert_eq!(tolerant(message).munged, keys(stored).canonical);
        assert_eq!(tolerant(message).canonical, keys(message).canonical);
        assert_eq!(tolerant(stored).munged, keys(stored).canonical);
        assert_ne!(
            tolerant(message).munged,
            keys(b"Subject: grXXXe\r\n fX\r\nX: 1\r\n\r\nbXdy").canonical
        );
    }

    #[test]
    fn the_essence_leaves_out_what_servers_add() {
        let bare = b"Message-ID: <1>\r\nSubject: a\r\n\r\nb\r\n";
        let stored =
            b"Received: by x\r\n\tfor y\r\nX-IMAPbase: 1 2\r\nMessage-ID: <1>\r\nlines : 2\r\nSubject: a\r\n\r\nb\r\n";
        assert_eq!(tolerant(bare).essence, tolerant(stored).essence);
        let rewritten = b"Message-ID: <1@there>\r\nSubject:  a\r\n\r\nb\r\n";
        assert_eq!(tolerant(bare).essence, tolerant(rewritten).essence);
        for other in [
            &b"Message-ID: <1>\r\nSubject: a\r\nCc: c\r\n\r\nb\r\n"[..],
            b"Message-ID: <1>\r\nSubject: a\r\n\r\nX-b\r\n",
        ] {
            assert_ne!(
                tolerant(bare).essence,
                tolerant(other).essence,
                "{}",
                other.escape_ascii()
            );
        }
    }

    #[test]
    fn raw_is_the_sha_256_of_the_bytes() {
        let keys = keys(b"abc");
        let hex: String = keys.raw.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(keys.length, 3);
    }

    /// These keys are stored in users' states: they may change only with a new state format.
    #[test]
    fn the_canonical_form_is_fixed() {
        let message =
            b"X-UID: 1\r\nA: 1\r\nStatus: O\r\n x\r\nB\r\n\r\nStatus: \x80\r\r\n\rend\r\n\r\n";
        let digest: [u8; 32] = Sha256::digest(b"A: 1\nB\n\nStatus: \0\n\rend").into();
        assert_eq!(keys(message).canonical, digest[..16]);
    }

    #[test]
    fn long_runs_of_line_ends_count_in_full() {
        for length in [63, 64, 65, 1000] {
            let (newlines, returns) = ("\n".repeat(length), "\r".repeat(length));
            let message = format!("A: 1\r\n\r\n{returns}x{newlines}y{returns}\n");
            let digest: [u8; 32] = Sha256::digest(format!("A: 1\n\n{returns}x{newlines}y")).into();
            assert_eq!(keys(message.as_bytes()).canonical, digest[..16], "{length}");
        }
    }

    #[test]
    fn memory_does_not_grow_with_a_line() {
        let mut hasher = ContentHasher::new();
        for _ in 0..1000 {
            hasher.update(&[b'x'; 1000]);
        }
        assert!(hasher.canonical.name.capacity() <= 2 * MAX_NAME);
        assert_eq!(hasher.finish().length, 1_000_000);
    }

    /// Builds the canonical form again, in memory and line by line.
    fn model(message: &[u8]) -> Vec<u8> {
        let text = String::from_utf8(
            message
                .iter()
                .map(|b| if *b == 0x80 { 0 } else { *b })
                .collect(),
        )
        .unwrap();
        let mut lines: Vec<&str> = text.split('\n').collect();
        let last = lines.pop().unwrap();
        let mut lines: Vec<&str> = lines
            .iter()
            .map(|line| line.trim_end_matches('\r'))
            .collect();
        lines.push(last);
        let end = lines
            .iter()
            .position(|line| line.is_empty())
            .unwrap_or(lines.len());
        let mut kept = vec![true; lines.len()];
        for i in 0..end {
            let folded = lines[i].starts_with([' ', '\t']);
            kept[i] = match lines[i].split_once(':') {
                _ if folded => i == 0 || kept[i - 1],
                Some((name, _)) => !is_injected(name.as_bytes()),
                None => true,
            };
        }
        let lines: Vec<&str> = lines
            .iter()
            .zip(kept)
            .filter(|(_, kept)| *kept)
            .map(|(line, _)| *line)
            .collect();
        lines.join("\n").trim_end_matches('\n').as_bytes().to_vec()
    }

    fn messages() -> impl Strategy<Value = Vec<u8>> {
        let pieces = [
            "A: 1",
            "Status",
            ":",
            "X-Pm-",
            " ",
            "x",
            "\r",
            "\n",
            "\r\n",
            "\r\n",
            "\0",
            "X-UID: 2\r\n",
        ];
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40)
            .prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn agrees_with_the_model(message in messages()) {
            let digest: [u8; 32] = Sha256::digest(model(&message)).into();
            prop_assert_eq!(keys(&message).canonical, first_half(&digest));
        }

        #[test]
        fn pieces_do_not_matter(message in messages(), cuts in prop::collection::vec(1_usize..9, 1..200)) {
            let mut hasher = ContentHasher::new();
            let mut rest = &message[..];
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                hasher.update(piece);
                rest = after;
            }
            hasher.update(rest);
            prop_assert_eq!(hasher.finish(), keys(&message));
        }

        #[test]
        fn pieces_of_any_bytes_do_not_matter(message in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut hasher = ContentHasher::tolerant();
            message.iter().for_each(|byte| hasher.update(&[*byte]));
            prop_assert_eq!(hasher.finish(), tolerant(&message));
        }
    }
}
