//! Matches the messages of a source folder with those of its target folder without any state: as
//! multisets.
//!
//! Messages are grouped by header key; date and size, weak evidence on their own, tell the members
//! of a group apart. If the evidence doesn't suffice, the messages become a [`Tie`], which their
//! bodies decide ([`settle`](super::settle)). Invariants: each message appears in the result
//! exactly once, two equal messages stay two, and the result depends on no order except that of
//! UIDs. Time O(n log n); memory: four bytes per message, and the result.

use super::second_look::{SIZE_SLACK, look_again};
use crate::mail::{HeaderKey, InternalDate, Message};

/// The result of matching two folders' messages. All numbers are indices into the slices that were
/// matched; each index of either side is in exactly one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// Source and target are the same message. Ascending by source.
    pub pairs: Vec<(u32, u32)>,
    /// Only in the source. Ascending.
    pub missing: Vec<u32>,
    /// Only in the target. Ascending.
    pub extra: Vec<u32>,
    /// What only content can decide.
    pub ties: Vec<Tie>,
}

/// Messages that only content can tell apart: ascending indices on both sides, neither of them
/// empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tie {
    /// Indices into the source's messages.
    pub source: Vec<u32>,
    /// Indices into the target's messages.
    pub target: Vec<u32>,
}

/// What is known about the two folders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MatchRules {
    /// They hold drafts: one message is saved again and again, so the same header with another body
    /// is normal.
    pub drafts: bool,
}

/// Matches the messages of a source folder with those of its target folder, by header key,
/// INTERNALDATE and size.
pub fn match_folder(source: &[Message], target: &[Message], rules: &MatchRules) -> Matching {
    match_sides(source, target, rules, false)
}

/// Matches two folders of which neither is the source: whatever the target has more of has to be
/// copied too, so it must be known which messages those are.
pub fn join_folders(first: &[Message], second: &[Message], rules: &MatchRules) -> Matching {
    match_sides(first, second, rules, true)
}

fn match_sides(
    source: &[Message],
    target: &[Message],
    rules: &MatchRules,
    both_ways: bool,
) -> Matching {
    let sides = Sides { source, target };
    let (by_source, by_target) = (sorted(source), sorted(target));
    let all = Group {
        source: &by_source,
        target: &by_target,
    };
    let mut matching = Matching::default();
    for (key, group) in sides.runs(all, |message| key_rank(message.key())) {
        if key.0 == HEADERLESS {
            match_headerless(&sides, group, &mut matching);
        } else {
            let weak = key.0 == WITHOUT_ID || rules.drafts || both_ways;
            match_group(&sides, group, weak, rules.drafts, &mut matching);
        }
    }
    look_again(source, target, &mut matching);
    matching.sort();
    matching
}

impl Matching {
    fn sort(&mut self) {
        self.pairs.sort_unstable();
        self.missing.sort_unstable();
        self.extra.sort_unstable();
        for tie in &mut self.ties {
            tie.sort();
        }
        self.ties.sort_unstable_by(|a, b| a.source.cmp(&b.source));
    }
}

const HEADERLESS: u8 = 0;
const WITHOUT_ID: u8 = 1;
const WITH_ID: u8 = 2;

/// Returns a key to sort by. Without a header nothing is known, whether there was none or it was
/// not requested.
fn key_rank(key: HeaderKey) -> (u8, [u8; 16]) {
    match key {
        HeaderKey::Unknown | HeaderKey::Empty => (HEADERLESS, [0; 16]),
        HeaderKey::WithoutId(key) => (WITHOUT_ID, key),
        HeaderKey::WithId(key) => (WITH_ID, key),
    }
}

fn seconds(message: &Message) -> Option<i64> {
    message.date().map(InternalDate::seconds)
}

/// Returns size and date, the order within a group.
fn looks(message: &Message) -> (u32, Option<i64>) {
    (message.size(), seconds(message))
}

/// Returns the indices of all messages, by key, size, date and UID.
fn sorted(messages: &[Message]) -> Vec<u32> {
    let order = |m: &Message| (key_rank(m.key()), looks(m), m.uid());
    let mut indices: Vec<u32> = (0..).zip(messages).map(|(index, _)| index).collect();
    indices.sort_unstable_by(|a, b| {
        order(&messages[*a as usize])
            .cmp(&order(&messages[*b as usize]))
            .then(a.cmp(b))
    });
    indices
}

/// The messages that the indices refer to.
struct Sides<'a> {
    source: &'a [Message],
    target: &'a [Message],
}

/// Some messages on both sides.
#[derive(Clone, Copy)]
struct Group<'g> {
    source: &'g [u32],
    target: &'g [u32],
}

impl<'a> Sides<'a> {
    fn source(&self, index: u32) -> &'a Message {
        &self.source[index as usize]
    }

    fn target(&self, index: u32) -> &'a Message {
        &self.target[index as usize]
    }

    /// Splits a group, whose sides are sorted by `key`, into parts with equal keys.
    fn runs<'g, K: Ord + Copy>(
        &self,
        group: Group<'g>,
        key: impl Fn(&Message) -> K,
    ) -> impl Iterator<Item = (K, Group<'g>)> {
        let Group {
            mut source,
            mut target,
        } = group;
        std::iter::from_fn(move || {
            let first_source = source.first().map(|index| key(self.source(*index)));
            let first_target = target.first().map(|index| key(self.target(*index)));
            let lowest = first_source.into_iter().chain(first_target).min()?;
            let run = Group {
                source: take_while(&mut source, |index| key(self.source(index)) == lowest),
                target: take_while(&mut target, |index| key(self.target(index)) == lowest),
            };
            Some((lowest, run))
        })
    }
}

/// Removes the leading indices for which `belongs` holds from `list`.
fn take_while<'g>(list: &mut &'g [u32], belongs: impl Fn(u32) -> bool) -> &'g [u32] {
    let count = list.iter().take_while(|index| belongs(**index)).count();
    let (taken, rest) = list.split_at(count);
    *list = rest;
    taken
}

/// Matches the messages with one header key.
fn match_group(
    sides: &Sides<'_>,
    group: Group<'_>,
    weak: bool,
    drafts: bool,
    matching: &mut Matching,
) {
    let mut open = pair_exact(sides, group, weak, &mut matching.pairs);
    // In drafts, date or size alone proves nothing: the next version is as likely as the same one.
    if !drafts {
        pair_even(sides, &mut open.left, seconds, &mut matching.pairs);
        pair_even(
            sides,
            &mut open.left,
            |message| Some(message.size()),
            &mut matching.pairs,
        );
    }
    open.conclude(matching);
}

/// Messages in a group that have no pair yet.
#[derive(Default)]
struct Open {
    /// Messages with a size and date that don't occur on the other side.
    left: Tie,
    /// The target's messages beyond those that were paired with equals.
    surplus: Vec<u32>,
    /// Messages with equal looks, in different numbers on the two sides.
    doubt: Tie,
    /// Whether some of the doubt's source messages will remain unpaired.
    doubt_leaves_source: bool,
    /// Whether some of the doubt's target messages will remain unpaired.
    doubt_leaves_target: bool,
}

/// First step: pairs messages that are equal in size and date, in UID order.
///
/// If the counts differ, it matters which one remains unpaired. If the source has more, one is
/// missing: copying the wrong one would lose a message and duplicate another. If the target has
/// more, all of the source's exist; but if the key itself is `weak` (no Message-ID, or drafts), one
/// of the source's may still be another message, and the same holds if the target's are copied too.
fn pair_exact(
    sides: &Sides<'_>,
    group: Group<'_>,
    weak: bool,
    pairs: &mut Vec<(u32, u32)>,
) -> Open {
    let mut open = Open::default();
    for (_, equal) in sides.runs(group, looks) {
        let (sources, targets) = (equal.source.len(), equal.target.len());
        if sources == 0 || targets == 0 {
            open.left.add(equal);
        } else if sources > targets || weak && sources < targets {
            open.doubt.add(equal);
            open.doubt_leaves_source |= sources > targets;
            open.doubt_leaves_target |= sources < targets;
        } else {
            pairs.extend(
                equal
                    .source
                    .iter()
                    .copied()
                    .zip(equal.target.iter().copied()),
            );
            open.surplus.extend_from_slice(&equal.target[sources..]);
        }
    }
    open
}

/// Second and third step: pairs what is equal by one piece of evidence, in UID order, if both sides
/// have the same number of it. By date, as sizes are estimates on some servers and grow on others
/// that rewrite messages; then by size, as some targets ignore the date. `None` is no evidence. The
/// rest stays in `left`.
fn pair_even<K: Ord + Copy>(
    sides: &Sides<'_>,
    left: &mut Tie,
    evidence: impl Fn(&Message) -> Option<K>,
    pairs: &mut Vec<(u32, u32)>,
) {
    if left.source.is_empty() || left.target.is_empty() {
        return;
    }
    let Tie {
        mut source,
        mut target,
    } = std::mem::take(left);
    source.sort_unstable_by_key(|index| {
        (
            evidence(sides.source(*index)),
            sides.source(*index).uid(),
            *index,
        )
    });
    target.sort_unstable_by_key(|index| {
        (
            evidence(sides.target(*index)),
            sides.target(*index).uid(),
            *index,
        )
    });
    for (found, run) in sides.runs(
        Group {
            source: &source,
            target: &target,
        },
        evidence,
    ) {
        if found.is_some() && run.source.len() == run.target.len() {
            pairs.extend(run.source.iter().copied().zip(run.target.iter().copied()));
        } else {
            left.add(run);
        }
    }
}

impl Tie {
    fn add(&mut self, group: Group<'_>) {
        self.source.extend_from_slice(group.source);
        self.target.extend_from_slice(group.target);
    }

    pub(super) fn sort(&mut self) {
        self.source.sort_unstable();
        self.target.sort_unstable();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.source.is_empty() && self.target.is_empty()
    }
}

impl Open {
    /// Last step: what remains on only one side is missing or extra; what remains on both, only
    /// content can decide.
    ///
    /// A doubt joins the rest if one of its messages may be one of the rest's; otherwise it is
    /// decided separately, as each message in a tie costs reading its body.
    fn conclude(mut self, matching: &mut Matching) {
        self.left.target.append(&mut self.surplus);
        let source_open = self.doubt_leaves_source || !self.left.source.is_empty();
        let target_open = self.doubt_leaves_target || !self.left.target.is_empty();
        if source_open && target_open {
            self.doubt.add(Group {
                source: &self.left.source,
                target: &self.left.target,
            });
        } else {
            matching.missing.append(&mut self.left.source);
            matching.extra.append(&mut self.left.target);
        }
        if !self.doubt.is_empty() {
            matching.ties.push(self.doubt);
        }
    }
}

/// Matches messages without any identifying header: never by looks, only by content. Those that
/// look like none on the other side need not be read.
fn match_headerless(sides: &Sides<'_>, group: Group<'_>, matching: &mut Matching) {
    let source_looks = Looks::of(group.source.iter().map(|index| sides.source(*index)));
    let target_looks = Looks::of(group.target.iter().map(|index| sides.target(*index)));
    let (source, missing): (Vec<_>, Vec<_>) = group
        .source
        .iter()
        .partition(|index| target_looks.include(sides.source(**index)));
    let (target, extra): (Vec<_>, Vec<_>) = group
        .target
        .iter()
        .partition(|index| source_looks.include(sides.target(**index)));
    matching.missing.extend(missing);
    matching.extra.extend(extra);
    let tie = Tie { source, target };
    if !tie.is_empty() {
        matching.ties.push(tie);
    }
}

/// The sizes and dates of some messages, both sorted.
struct Looks {
    sizes: Vec<u32>,
    seconds: Vec<i64>,
}

impl Looks {
    fn of<'m>(messages: impl Iterator<Item = &'m Message> + Clone) -> Self {
        let mut looks = Self {
            sizes: messages.clone().map(Message::size).collect(),
            seconds: messages.filter_map(seconds).collect(),
        };
        looks.sizes.sort_unstable();
        looks.seconds.sort_unstable();
        looks
    }

    /// Reports whether one of them has the date or roughly the size of `message`.
    fn include(&self, message: &Message) -> bool {
        let least = message.size().saturating_sub(SIZE_SLACK);
        let at = self.sizes.partition_point(|size| *size < least);
        let by_size = self
            .sizes
            .get(at)
            .is_some_and(|size| *size <= message.size().saturating_add(SIZE_SLACK));
        by_size || seconds(message).is_some_and(|date| self.seconds.binary_search(&date).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Likeness, Settled, settle};
    use super::*;
    use crate::identity::header_key;
    use crate::mail::Side;
    use crate::mail::Uid;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const DATE: i64 = 1_700_000_000;
    const A: HeaderKey = HeaderKey::WithId([1; 16]);
    const NO_ID: HeaderKey = HeaderKey::WithoutId([1; 16]);
    const MAIL: MatchRules = MatchRules { drafts: false };
    const DRAFTS: MatchRules = MatchRules { drafts: true };

    /// Makes messages with UIDs from 1, given key, size and date after [`DATE`]; a negative date
    /// means none.
    fn folder(messages: &[(HeaderKey, u64, i64)]) -> Vec<Message> {
        let message = |(uid, (key, size, date)): (u32, &(HeaderKey, u64, i64))| {
            let date = if *date < 0 {
                None
            } else {
                InternalDate::new(DATE + date, 60)
            };
            Message::new(Uid::new(uid).unwrap(), *size, date, 0, *key)
        };
        (1..).zip(messages).map(message).collect()
    }

    /// Writes a matching as text: pairs, missing, extra and ties.
    fn matched(
        source: &[(HeaderKey, u64, i64)],
        target: &[(HeaderKey, u64, i64)],
        rules: &MatchRules,
    ) -> String {
        let matching = match_folder(&folder(source), &folder(target), rules);
        let ties: Vec<_> = matching
            .ties
            .iter()
            .map(|tie| (&tie.source, &tie.target))
            .collect();
        format!(
            "{:?} {:?} {:?} {ties:?}",
            matching.pairs, matching.missing, matching.extra
        )
    }

    #[test]
    fn each_step_of_the_cascade() {
        let b = HeaderKey::WithId([2; 16]);
        for (name, source, target, expected) in [
            (
                "equal",
                &[(A, 10, 0)][..],
                &[(A, 10, 0)][..],
                "[(0, 0)] [] [] []",
            ),
            ("other key", &[(A, 10, 0)], &[(b, 10, 1)], "[] [0] [0] []"),
            (
                "no id is another key",
                &[(A, 10, 0)],
                &[(NO_ID, 10, 1)],
                "[] [0] [0] []",
            ),
            (
                "other key, same looks",
                &[(A, 10, 0)],
                &[(b, 10, 0)],
                "[] [] [] [([0], [0])]",
            ),
            (
                "two equal stay two",
                &[(A, 10, 0), (A, 10, 0)],
                &[(A, 10, 0), (A, 10, 0)],
                "[(0, 0), (1, 1)] [] [] []",
            ),
            (
                "two equal are sent twice",
                &[(A, 10, 0), (A, 10, 0)],
                &[],
                "[] [0, 1] [] []",
            ),
            (
                "one of two equal is there",
                &[(A, 10, 0), (A, 10, 0)],
                &[(A, 10, 0)],
                "[] [] [] [([0, 1], [0])]",
            ),
            (
                "more there than here",
                &[(A, 10, 0)],
                &[(A, 10, 0), (A, 10, 0)],
                "[(0, 0)] [] [1] []",
            ),
            (
                "weak, more there",
                &[(NO_ID, 10, 0)],
                &[(NO_ID, 10, 0), (NO_ID, 10, 0)],
                "[] [] [] [([0], [0, 1])]",
            ),
            (
                "rewritten",
                &[(A, 10, 0)],
                &[(A, 12, 0)],
                "[(0, 0)] [] [] []",
            ),
            (
                "date ignored",
                &[(A, 10, 0), (A, 11, 1)],
                &[(A, 11, 7), (A, 10, 7)],
                "[(0, 1), (1, 0)] [] [] []",
            ),
            (
                "no date",
                &[(A, 10, -1)],
                &[(A, 10, 7)],
                "[(0, 0)] [] [] []",
            ),
            (
                "no date is no evidence",
                &[(A, 10, -1)],
                &[(A, 12, -1)],
                "[] [] [] [([0], [0])]",
            ),
            (
                "nothing but the key",
                &[(A, 10, 0)],
                &[(A, 12, 1)],
                "[] [] [] [([0], [0])]",
            ),
            (
                "uneven dates",
                &[(A, 10, 0), (A, 11, 0)],
                &[(A, 12, 0)],
                "[] [] [] [([0, 1], [0])]",
            ),
            (
                "other body, one is there",
                &[(A, 10, 0), (A, 20, 0)],
                &[(A, 10, 0)],
                "[(0, 0)] [1] [] []",
            ),
            (
                "a second copy is not evidence of another message",
                &[(A, 10, 0), (A, 20, 0)],
                &[(A, 10, 0), (A, 10, 0)],
                "[(0, 0)] [] [] [([1], [1])]",
            ),
            (
                "a doubt that can't concern the rest is decided alone",
                &[(A, 10, 0), (A, 10, 0), (A, 20, 1)],
                &[(A, 10, 0)],
                "[] [2] [] [([0, 1], [0])]",
            ),
            (
                "a doubt that can concern the rest is decided with it",
                &[(A, 10, 0), (A, 10, 0)],
                &[(A, 10, 0), (A, 20, 1)],
                "[] [] [] [([0, 1], [0, 1])]",
            ),
        ] {
            assert_eq!(matched(source, target, &MAIL), expected, "{name}");
        }
    }

    #[test]
    fn a_surplus_is_looked_into_where_it_is_copied_too() {
        let (one, two) = (folder(&[(A, 10, 0)]), folder(&[(A, 10, 0), (A, 10, 0)]));
        for (first, second) in [(&one, &two), (&two, &one)] {
            let matching = join_folders(first, second, &MAIL);
            assert_eq!((matching.pairs.len(), matching.ties.len()), (0, 1));
        }
        assert_eq!(join_folders(&two, &two, &MAIL).pairs, [(0, 0), (1, 1)]);
    }

    #[test]
    fn messages_without_header_are_matched_by_content_only() {
        let (none, unknown) = (HeaderKey::Empty, HeaderKey::Unknown);
        for (name, source, target, expected) in [
            (
                "equal",
                &[(none, 10, 0)][..],
                &[(none, 10, 0)][..],
                "[] [] [] [([0], [0])]",
            ),
            (
                "a line end added",
                &[(none, 10, 0)],
                &[(none, 12, 1)],
                "[] [] [] [([0], [0])]",
            ),
            (
                "a line end taken",
                &[(none, 12, 0)],
                &[(none, 10, 1)],
                "[] [] [] [([0], [0])]",
            ),
            (
                "same date",
                &[(none, 10, 0)],
                &[(none, 99, 0)],
                "[] [] [] [([0], [0])]",
            ),
            (
                "nothing alike",
                &[(none, 10, 0)],
                &[(none, 13, 1)],
                "[] [0] [0] []",
            ),
            (
                "no dates",
                &[(none, 10, -1)],
                &[(none, 13, -1)],
                "[] [0] [0] []",
            ),
            (
                "not asked for",
                &[(unknown, 10, 0)],
                &[(none, 10, 0)],
                "[] [] [] [([0], [0])]",
            ),
            (
                "some",
                &[(none, 10, 0), (none, 50, 5)],
                &[(none, 11, 1), (none, 90, 9)],
                "[] [1] [1] [([0], [0])]",
            ),
        ] {
            assert_eq!(matched(source, target, &MAIL), expected, "{name}");
        }
    }

    #[test]
    fn drafts_are_paired_by_both_or_by_content() {
        for (name, source, target, expected) in [
            (
                "equal",
                &[(A, 10, 0)][..],
                &[(A, 10, 0)][..],
                "[(0, 0)] [] [] []",
            ),
            (
                "edited",
                &[(A, 10, 0)],
                &[(A, 12, 1)],
                "[] [] [] [([0], [0])]",
            ),
            (
                "same date",
                &[(A, 10, 0)],
                &[(A, 12, 0)],
                "[] [] [] [([0], [0])]",
            ),
            (
                "same size",
                &[(A, 10, 0)],
                &[(A, 10, 1)],
                "[] [] [] [([0], [0])]",
            ),
            (
                "more there than here",
                &[(A, 10, 0)],
                &[(A, 10, 0), (A, 10, 0)],
                "[] [] [] [([0], [0, 1])]",
            ),
        ] {
            assert_eq!(matched(source, target, &DRAFTS), expected, "{name}");
        }
    }

    #[test]
    fn pairs_go_by_uid_and_not_by_place() {
        let message =
            |uid| Message::new(Uid::new(uid).unwrap(), 10, InternalDate::new(DATE, 0), 0, A);
        let matching = match_folder(&[message(9), message(3)], &[message(5), message(8)], &MAIL);
        assert_eq!(matching.pairs, [(0, 1), (1, 0)]);
    }

    /// Returns the likeness of a message with this body: messages with different headers are never
    /// the same.
    fn exact(message: &Message, body: u8) -> Likeness {
        let (rank, mut key) = key_rank(message.key());
        key[0] = rank;
        key[15] = body;
        Likeness::exact(key)
    }

    /// Matches two folders and settles each tie by bodies, given as one byte per message.
    fn settled(
        source: &[Message],
        target: &[Message],
        rules: &MatchRules,
        bodies: [&[u8]; 2],
    ) -> Settled {
        let matching = match_folder(source, target, rules);
        let mut all = Settled {
            pairs: matching.pairs,
            missing: matching.missing,
            extra: matching.extra,
            ..Settled::default()
        };
        for tie in &matching.ties {
            let settled = settle(tie, |side, index| {
                let (messages, bodies) = match side {
                    Side::SOURCE => (source, bodies[0]),
                    Side::TARGET => (target, bodies[1]),
                };
                Some(exact(&messages[index as usize], bodies[index as usize]))
            });
            all.pairs.extend(settled.pairs);
            all.missing.extend(settled.missing);
            all.extra.extend(settled.extra);
            assert!(settled.doubtful.is_empty());
        }
        all
    }

    #[test]
    fn an_append_without_reply_is_found_or_sent_once() {
        let source = folder(&[(A, 10, 0)]);
        assert_eq!(
            settled(&source, &source, &MAIL, [b"a", b"a"]).pairs,
            [(0, 0)]
        );
        assert_eq!(settled(&source, &[], &MAIL, [b"a", b""]).missing, [0]);
    }

    #[test]
    fn two_messages_under_one_message_id_are_both_copied() {
        let source = folder(&[(A, 10, 0), (A, 20, 5)]);
        assert_eq!(settled(&source, &[], &MAIL, [b"ab", b""]).missing, [0, 1]);
        assert_eq!(
            settled(&source, &folder(&[(A, 20, 5)]), &MAIL, [b"ab", b"b"]).missing,
            [0]
        );
        // On a target that rewrites sizes and ignores dates, only content can tell.
        let result = settled(&source, &folder(&[(A, 25, 9)]), &MAIL, [b"ab", b"b"]);
        assert_eq!(
            (result.pairs, result.missing, result.extra),
            (vec![(1, 0)], vec![0], vec![])
        );
    }

    #[test]
    fn ten_without_message_id_and_one_date_are_copied_once() {
        let source = folder(&[(NO_ID, 10, 0); 10]);
        let bodies = b"abcdefghij";
        assert_eq!(
            settled(&source, &[], &MAIL, [bodies, b""]).missing.len(),
            10
        );
        assert_eq!(
            settled(&source, &source, &MAIL, [bodies, bodies])
                .pairs
                .len(),
            10
        );
        // Interrupted after four, which arrived out of order.
        let result = settled(
            &source,
            &folder(&[(NO_ID, 10, 0); 4]),
            &MAIL,
            [bodies, b"jbca"],
        );
        assert_eq!(result.missing, [3, 4, 5, 6, 7, 8]);
        assert_eq!(result.extra, [0; 0]);
    }

    #[test]
    fn a_header_added_and_folded_anew_is_the_same_message() {
        let header = b"Message-ID: <x@Y.org>\r\nSubject: a\r\n b\r\n\r\n";
        let rewritten = b"X-Spam: no\r\nMessage-ID:\r\n <x@y.org>\r\nSubject: a b\r\n\r\n";
        let (source, target) = (
            [(header_key(header), 100, 0)],
            [(header_key(rewritten), 112, 0)],
        );
        assert_eq!(matched(&source, &target, &MAIL), "[(0, 0)] [] [] []");
    }

    #[test]
    fn an_edited_draft_is_copied_and_the_old_one_is_extra() {
        let result = settled(
            &folder(&[(A, 20, 9)]),
            &folder(&[(A, 10, 0)]),
            &DRAFTS,
            [b"n", b"o"],
        );
        assert_eq!(
            (result.pairs, result.missing, result.extra),
            (vec![], vec![0], vec![0])
        );
    }

    /// Generates few distinct keys, sizes and dates, so that all kinds of coincidences happen.
    fn any_folder() -> impl Strategy<Value = Vec<Message>> {
        let key =
            prop::sample::select(vec![A, HeaderKey::WithId([2; 16]), NO_ID, HeaderKey::Empty]);
        prop::collection::vec((key, 10_u64..16, -1_i64..3), 0..30)
            .prop_map(|messages| folder(&messages))
    }

    fn any_rules() -> impl Strategy<Value = MatchRules> {
        any::<bool>().prop_map(|drafts| MatchRules { drafts })
    }

    type Marks = ((u8, [u8; 16]), (u32, Option<i64>));

    fn marks(message: &Message) -> Marks {
        (key_rank(message.key()), looks(message))
    }

    fn count<'m>(messages: impl IntoIterator<Item = &'m Message>) -> BTreeMap<Marks, i64> {
        let mut counts = BTreeMap::new();
        for message in messages {
            *counts.entry(marks(message)).or_insert(0) += 1;
        }
        counts
    }

    /// Makes a body for each message, the same for equal looks, as in a copy.
    fn bodies(messages: &[Message], different: u32) -> Vec<u8> {
        messages
            .iter()
            .map(|m| u8::try_from(m.size() % different).unwrap())
            .collect()
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn each_message_comes_out_once(source in any_folder(), target in any_folder(), rules in any_rules()) {
            let found = match_folder(&source, &target, &rules);
            let of_source = found.pairs.iter().map(|pair| pair.0).chain(found.missing.iter().copied());
            let of_target = found.pairs.iter().map(|pair| pair.1).chain(found.extra.iter().copied());
            let of_source: Vec<u32> = of_source.chain(found.ties.iter().flat_map(|tie| tie.source.clone())).collect();
            let of_target: Vec<u32> = of_target.chain(found.ties.iter().flat_map(|tie| tie.target.clone())).collect();
            prop_assert_eq!(of_source.len(), source.len());
            prop_assert_eq!(of_target.len(), target.len());
            prop_assert_eq!(of_source.iter().collect::<BTreeSet<_>>().len(), source.len());
            prop_assert_eq!(of_target.iter().collect::<BTreeSet<_>>().len(), target.len());
            for (one, other) in found.pairs {
                prop_assert_eq!(source[one as usize].key(), target[other as usize].key());
            }
            prop_assert!(found.ties.iter().all(|tie| !tie.source.is_empty() && !tie.target.is_empty()));
        }

        #[test]
        fn a_folder_matches_itself(source in any_folder(), rules in any_rules()) {
            let found = match_folder(&source, &source, &rules);
            prop_assert!(found.missing.is_empty() && found.extra.is_empty());
            for (one, other) in found.pairs {
                prop_assert_eq!(one, other);
            }
            for tie in found.ties {
                prop_assert_eq!(&tie.source, &tie.target);
                prop_assert!(tie.source.iter().all(|index| source[*index as usize].key() == HeaderKey::Empty));
            }
        }

        #[test]
        fn what_a_part_lacks_is_found_exactly(
            source in any_folder(),
            kept in prop::collection::vec(any::<bool>(), 30),
            rules in any_rules(),
        ) {
            let target: Vec<Message> =
                source.iter().zip(kept).filter(|(_, kept)| *kept).map(|(message, _)| *message).collect();
            let mut expected = count(&source);
            for (marks, less) in count(&target) {
                *expected.entry(marks).or_insert(0) -= less;
            }
            expected.retain(|_, count| *count != 0);
            let (all, some): (Vec<u8>, Vec<u8>) =
                (source.iter().map(body_of_marks).collect(), target.iter().map(body_of_marks).collect());
            let found = settled(&source, &target, &rules, [&all, &some]);
            prop_assert_eq!(count(found.missing.iter().map(|index| &source[*index as usize])), expected);
            prop_assert!(found.extra.is_empty());
        }

        #[test]
        fn either_way_round_is_the_same(
            first in any_folder(), second in any_folder(), rules in any_rules(), different in 1_u32..20,
        ) {
            let (one, other) = (bodies(&first, different), bodies(&second, different));
            let there = settled(&first, &second, &rules, [&one, &other]);
            let back = settled(&second, &first, &rules, [&other, &one]);
            prop_assert_eq!(there.pairs.len(), back.pairs.len());
            prop_assert_eq!(there.missing.len(), back.extra.len());
            prop_assert_eq!(there.extra.len(), back.missing.len());
        }

        #[test]
        fn the_order_of_messages_does_not_matter(
            source in any_folder(), target in any_folder(), rules in any_rules(),
        ) {
            let reversed: Vec<Message> = source.iter().rev().copied().collect();
            let uids = |messages: &[Message], pairs: Vec<(u32, u32)>| -> BTreeSet<_> {
                pairs.iter().map(|(one, other)| (messages[*one as usize].uid().get(), *other)).collect()
            };
            let found = match_folder(&source, &target, &rules);
            let again = match_folder(&reversed, &target, &rules);
            prop_assert_eq!(uids(&source, found.pairs), uids(&reversed, again.pairs));
            prop_assert_eq!(found.missing.len(), again.missing.len());
            prop_assert_eq!(found.extra, again.extra);
        }
    }

    /// Returns a body that is the same only for messages with the same looks.
    fn body_of_marks(message: &Message) -> u8 {
        let date = seconds(message).map_or(9, |seconds| seconds - DATE);
        u8::try_from(i64::from(message.size()) * 10 + date).unwrap()
    }

    #[test]
    fn a_large_folder_of_one_key_takes_no_square_time() {
        let alike: Vec<_> = (0..200_000)
            .map(|n| (A, n / 7, i64::try_from(n).unwrap() / 5))
            .collect();
        let (source, target) = (folder(&alike), folder(&alike[..150_000]));
        let found = match_folder(&source, &target, &MAIL);
        assert_eq!(
            (found.pairs.len(), found.missing.len(), found.extra.len()),
            (150_000, 50_000, 0)
        );
    }
}
