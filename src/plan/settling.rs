//! Settles ties by content: which messages are the same in all their bytes, or in all that servers
//! leave unchanged.

use super::matching::Tie;
use crate::identity::ContentKeys;
use crate::mail::{HeaderKey, InternalDate, Message, Side};
use std::cmp::Ordering;

/// What a message's content is compared by, from strong to weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Likeness {
    raw: [u8; 32],
    /// The raw key of the message that it is a corrected copy of.
    original: Option<[u8; 32]>,
    canonical: [u8; 16],
    munged: [u8; 16],
    blankless: [u8; 16],
    essence: Option<Essence>,
    identified: Option<Identified>,
    /// The same of a message without a date.
    undated: Option<Identified>,
}

/// Content without what servers add to headers, header key and date: all three have to match.
type Essence = ([u8; 16], [u8; 16], i64);

/// The same without the date, of a message with a Message-ID.
type Identified = ([u8; 16], [u8; 16]);

impl Likeness {
    /// Makes the likeness of a message with this content.
    ///
    /// Without a Message-ID or a date the essence proves nothing: it would make two versions of a
    /// draft the same.
    pub fn new(content: &ContentKeys, message: &Message) -> Self {
        let date = message.date().map(InternalDate::seconds);
        let identified = match message.key() {
            HeaderKey::WithId(key) => Some((content.essence, key)),
            _ => None,
        };
        let essence = identified
            .zip(date)
            .map(|((essence, key), date)| (essence, key, date));
        Self {
            raw: content.raw,
            original: content.original,
            canonical: content.canonical,
            munged: content.munged,
            blankless: content.blankless,
            essence,
            identified,
            undated: identified.filter(|_| date.is_none()),
        }
    }

    /// Makes the likeness of a message that equals only those with this canonical key.
    #[cfg(test)]
    pub(crate) fn exact(canonical: [u8; 16]) -> Self {
        Self {
            raw: [0; 32],
            original: None,
            canonical,
            munged: canonical,
            blankless: canonical,
            essence: None,
            identified: None,
            undated: None,
        }
    }
}

/// The result for a tie's messages: each index of either side is in exactly one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Source and target have the same content. Ascending by source.
    pub pairs: Vec<(u32, u32)>,
    /// Those pairs whose headers differ because one has `X` for each 8-bit byte in the other.
    pub munged: Vec<(u32, u32)>,
    /// Only in the source: to be copied. Ascending.
    pub missing: Vec<u32>,
    /// Only in the target. Ascending.
    pub extra: Vec<u32>,
    /// Messages that could not be read, and may equal one on the other side: not to be copied, as
    /// they may be there already, nor to be deleted, but to be reported. One side may be empty.
    pub doubtful: Tie,
}

/// Settles a tie by content: pairs messages with equal content one to one. The rest are paired if
/// one is what a server makes of the other: 8-bit bytes in the header replaced by `X`, blanks in it
/// squeezed, or fields added to it, if Message-ID and date are the same.
///
/// `content` returns a message's likeness, or `None` if its body could not be read. Two different
/// messages with one Message-ID are both kept: one is missing, the other extra.
pub fn settle(tie: &Tie, content: impl Fn(Side, u32) -> Option<Likeness>) -> Settled {
    let (source, unread_source) =
        read_and_unread(&tie.source, |index| content(Side::SOURCE, index));
    let (target, unread_target) =
        read_and_unread(&tie.target, |index| content(Side::TARGET, index));
    let mut rest = Rest { source, target };
    // First what is equal in every byte: of `x` and `x` with a line end, each has its own
    // counterpart.
    let mut settled = Settled {
        pairs: rest.pair(raw, raw),
        ..Settled::default()
    };
    settled.pairs.append(&mut rest.pair(canonical, canonical));
    settled.pairs.append(&mut rest.pair(whole, original));
    settled.pairs.append(&mut rest.pair(original, whole));
    settled.munged = rest.pair(munged, canonical);
    settled.munged.append(&mut rest.pair(canonical, munged));
    settled.pairs.extend_from_slice(&settled.munged);
    settled.pairs.append(&mut rest.pair(blankless, blankless));
    settled.pairs.append(&mut rest.pair(essence, essence));
    // Domino gives no date for some.
    settled.pairs.append(&mut rest.pair(identified, undated));
    settled.pairs.append(&mut rest.pair(undated, identified));
    settled.missing = rest.source.iter().map(|(_, index)| *index).collect();
    settled.extra = rest.target.iter().map(|(_, index)| *index).collect();
    settled.sort_out(unread_source, unread_target);
    settled.sort();
    settled
}

/// A message's content and index.
type Entry = (Likeness, u32);

/// Separates the messages that could be read from the others.
fn read_and_unread(
    indices: &[u32],
    content: impl Fn(u32) -> Option<Likeness>,
) -> (Vec<Entry>, Vec<u32>) {
    let mut read = Vec::new();
    let mut unread = Vec::new();
    for index in indices {
        match content(*index) {
            Some(likeness) => read.push((likeness, *index)),
            None => unread.push(*index),
        }
    }
    (read, unread)
}

/// What is still unpaired.
struct Rest {
    source: Vec<Entry>,
    target: Vec<Entry>,
}

/// Returns the keys of all bytes and of their canonical form.
fn raw(likeness: &Likeness) -> Option<([u8; 32], [u8; 16])> {
    Some((likeness.raw, likeness.canonical))
}

fn whole(likeness: &Likeness) -> Option<[u8; 32]> {
    Some(likeness.raw)
}

/// Returns the key of the message that it is a corrected copy of; `None` if it is none.
fn original(likeness: &Likeness) -> Option<[u8; 32]> {
    likeness.original
}

fn canonical(likeness: &Likeness) -> Option<[u8; 16]> {
    Some(likeness.canonical)
}

/// Returns the key of the message with 8-bit bytes replaced by `X`; `None` if its header has none.
fn munged(likeness: &Likeness) -> Option<[u8; 16]> {
    (likeness.munged != likeness.canonical).then_some(likeness.munged)
}

fn blankless(likeness: &Likeness) -> Option<[u8; 16]> {
    Some(likeness.blankless)
}

fn essence(likeness: &Likeness) -> Option<Essence> {
    likeness.essence
}

fn identified(likeness: &Likeness) -> Option<Identified> {
    likeness.identified
}

fn undated(likeness: &Likeness) -> Option<Identified> {
    likeness.undated
}

impl Rest {
    /// Pairs what has the same key, by index if several have it, and removes it from the rest.
    fn pair<K: Ord + Copy>(
        &mut self,
        of_source: impl Fn(&Likeness) -> Option<K>,
        of_target: impl Fn(&Likeness) -> Option<K>,
    ) -> Vec<(u32, u32)> {
        if self.source.is_empty() || self.target.is_empty() {
            return Vec::new();
        }
        self.source
            .sort_unstable_by_key(|(likeness, index)| (of_source(likeness), *index));
        self.target
            .sort_unstable_by_key(|(likeness, index)| (of_target(likeness), *index));
        let (mut source, mut target) = (self.source.as_slice(), self.target.as_slice());
        let (mut pairs, mut left) = (
            Vec::new(),
            Self {
                source: Vec::new(),
                target: Vec::new(),
            },
        );
        while let ([one, after_source @ ..], [other, after_target @ ..]) = (source, target) {
            let (key, other_key) = (of_source(&one.0), of_target(&other.0));
            match key.cmp(&other_key) {
                Ordering::Equal if key.is_some() => {
                    pairs.push((one.1, other.1));
                    (source, target) = (after_source, after_target);
                }
                Ordering::Less | Ordering::Equal => {
                    left.source.push(*one);
                    source = after_source;
                }
                Ordering::Greater => {
                    left.target.push(*other);
                    target = after_target;
                }
            }
        }
        left.source.extend_from_slice(source);
        left.target.extend_from_slice(target);
        *self = left;
        pairs
    }
}

impl Settled {
    /// Treats messages that were not read as possible equals of anything unpaired on the other
    /// side.
    fn sort_out(&mut self, unread_source: Vec<u32>, unread_target: Vec<u32>) {
        if !unread_source.is_empty() {
            self.doubtful.target.append(&mut self.extra);
        }
        if !unread_target.is_empty() {
            self.doubtful.source.append(&mut self.missing);
        }
        let source_is_paired =
            self.missing.is_empty() && self.doubtful.source.is_empty() && unread_source.is_empty();
        let target_is_paired =
            self.extra.is_empty() && self.doubtful.target.is_empty() && unread_target.is_empty();
        let place =
            |unread: Vec<u32>, other_is_paired, alone: &mut Vec<u32>, doubtful: &mut Vec<u32>| {
                if other_is_paired {
                    alone.extend(unread);
                } else {
                    doubtful.extend(unread);
                }
            };
        place(
            unread_source,
            target_is_paired,
            &mut self.missing,
            &mut self.doubtful.source,
        );
        place(
            unread_target,
            source_is_paired,
            &mut self.extra,
            &mut self.doubtful.target,
        );
    }

    fn sort(&mut self) {
        self.pairs.sort_unstable();
        self.munged.sort_unstable();
        self.missing.sort_unstable();
        self.extra.sort_unstable();
        self.doubtful.sort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ContentHasher;
    use crate::mail::Uid;

    const DATE: i64 = 1_700_000_000;

    /// Settles messages with one header key, given by date and bytes.
    fn settled(key: HeaderKey, source: &[(i64, &str)], target: &[(i64, &str)]) -> String {
        let all = |messages: &[(i64, &str)]| (0..).zip(messages).map(|(index, _)| index).collect();
        let tie = Tie {
            source: all(source),
            target: all(target),
        };
        let Settled {
            pairs,
            munged,
            missing,
            extra,
            doubtful,
        } = settle(&tie, |side, index| {
            let messages = if side == Side::SOURCE { source } else { target };
            let (date, bytes) = messages[index as usize];
            let mut hasher = ContentHasher::tolerant();
            hasher.update(bytes.as_bytes());
            let date = InternalDate::new(DATE + date, 0);
            let message = Message::new(Uid::new(1).unwrap(), bytes.len() as u64, date, 0, key);
            Some(Likeness::new(&hasher.finish(), &message))
        });
        assert!(doubtful.is_empty());
        format!("{pairs:?} {munged:?} {missing:?} {extra:?}")
    }

    const ID: HeaderKey = HeaderKey::WithId([1; 16]);

    #[test]
    fn x_for_8_bit_bytes_of_the_header_is_the_same_message() {
        let (a, o) = ("Subject: \u{e4}\r\n\r\nbody", "Subject: \u{f6}\r\n\r\nbody");
        let (munged, body) = (
            "Subject: XX\r\n\r\nbody",
            "Subject: \u{e4}\r\n\r\nb\u{f6}dy",
        );
        for (name, source, target, expected) in [
            ("there", &[a][..], &[munged][..], "[(0, 0)] [(0, 0)] [] []"),
            ("and back", &[munged], &[a], "[(0, 0)] [(0, 0)] [] []"),
            (
                "two that differ in these bytes only",
                &[a, o],
                &[a],
                "[(0, 0)] [] [1] []",
            ),
            ("the other of the two", &[a], &[o], "[] [] [0] [0]"),
            (
                "both became the same",
                &[a, o],
                &[munged, munged],
                "[(0, 0), (1, 1)] [(0, 0), (1, 1)] [] []",
            ),
            (
                "one of both is there",
                &[a, o],
                &[munged],
                "[(0, 0)] [(0, 0)] [1] []",
            ),
            (
                "the true one comes first",
                &[a],
                &[munged, a],
                "[(0, 1)] [] [] [0]",
            ),
            (
                "each line end has its own",
                &["", "\r\n", "\r\n\r\n"],
                &["\r\n", "\r\n\r\n"],
                "[(1, 0), (2, 1)] [] [0] []",
            ),
            (
                "bodies stay",
                &[body],
                &["Subject: XX\r\n\r\nbXXdy"],
                "[] [] [0] [0]",
            ),
            (
                "as many",
                &[a],
                &["Subject: X\r\n\r\nbody"],
                "[] [] [0] [0]",
            ),
        ] {
            let dated = |messages: &[&'static str]| {
                messages.iter().map(|text| (0, *text)).collect::<Vec<_>>()
            };
            assert_eq!(
                settled(HeaderKey::Empty, &dated(source), &dated(target)),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_draft_with_fields_added_is_the_same_and_a_revision_is_not() {
        let draft = "Message-ID: <1>\r\nSubject: a\r\nX-Mailer: m\r\n\r\nfirst\r\n";
        let rewritten = "X-IMAPbase: 1 2\r\nMessage-ID: <1>\r\nSubject: a\r\nX-Mailer: m\r\nContent-Length: 7\r\n\r\nfirst\r\n";
        let revised = "Message-ID: <1>\r\nSubject: a\r\nX-Mailer: m\r\n\r\nsecond\r\n";
        let to_another = "Message-ID: <1>\r\nCc: b\r\nSubject: a\r\nX-Mailer: m\r\n\r\nfirst\r\n";
        for (name, source, target, expected) in [
            (
                "rewritten",
                &[(0, draft)][..],
                &[(0, rewritten)][..],
                "[(0, 0)] [] [] []",
            ),
            (
                "another body",
                &[(0, revised)],
                &[(0, rewritten)],
                "[] [] [0] [0]",
            ),
            (
                "another recipient",
                &[(0, to_another)],
                &[(0, rewritten)],
                "[] [] [0] [0]",
            ),
            (
                "saved at another time",
                &[(9, draft)],
                &[(0, rewritten)],
                "[] [] [0] [0]",
            ),
            (
                "both revisions",
                &[(0, draft), (9, revised)],
                &[(0, rewritten)],
                "[(0, 0)] [] [1] []",
            ),
            (
                "twice",
                &[(0, draft), (0, draft)],
                &[(0, rewritten)],
                "[(0, 0)] [] [1] []",
            ),
        ] {
            assert_eq!(settled(ID, source, target), expected, "{name}");
        }
        let nameless = HeaderKey::WithoutId([1; 16]);
        assert_eq!(
            settled(nameless, &[(0, draft)], &[(0, rewritten)]),
            "[] [] [0] [0]"
        );
    }

    #[test]
    fn what_could_not_be_read_is_never_copied_twice() {
        // Each letter is a body; `?` could not be read.
        for (source, target, expected) in [
            ("ab", "ba", "[(0, 1), (1, 0)] [] [] [] []"),
            ("aab", "ab", "[(0, 0), (2, 1)] [1] [] [] []"),
            ("ab", "c", "[] [0, 1] [0] [] []"),
            ("ab", "a?", "[(0, 0)] [] [] [1] [1]"),
            ("a?", "ab", "[(0, 0)] [] [] [1] [1]"),
            ("a?", "a", "[(0, 0)] [1] [] [] []"),
            ("a", "a?", "[(0, 0)] [] [1] [] []"),
            ("?", "?", "[] [] [] [0] [0]"),
            ("?b", "?c", "[] [] [] [0, 1] [0, 1]"),
        ] {
            let (from, to) = (source.as_bytes(), target.as_bytes());
            let all = |bodies: &[u8]| (0..).zip(bodies).map(|(index, _)| index).collect();
            let settled = settle(
                &Tie {
                    source: all(from),
                    target: all(to),
                },
                |side, index| {
                    let body = if side == Side::SOURCE {
                        from[index as usize]
                    } else {
                        to[index as usize]
                    };
                    (body != b'?').then_some(Likeness::exact([body; 16]))
                },
            );
            let Settled {
                pairs,
                missing,
                extra,
                doubtful,
                ..
            } = settled;
            let text = format!(
                "{pairs:?} {missing:?} {extra:?} {:?} {:?}",
                doubtful.source, doubtful.target
            );
            assert_eq!(text, expected, "{source} {target}");
        }
    }
}
