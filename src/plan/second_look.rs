//! Candidates among messages that no header key paired: some servers change or omit the very fields
//! that the key is made of, but keep size and date.
//!
//! Cyrus writes `X` for each raw 8-bit byte in a header, Courier's `HEADER.FIELDS` omits fields
//! with a blank before the colon, and a store that drops huge headers has no key for the message.
//! What looks the same on both sides becomes a [`Tie`], which the bodies decide; ordinary mail that
//! is new on one side never looks like that.

use super::matching::{Matching, Tie};
use crate::mail::{InternalDate, Message};

/// How far the sizes of two equal messages may differ: by one added line end.
pub(super) const SIZE_SLACK: u32 = 2;

/// One unpaired message: its size, whether it is on the target, and its index.
type Unpaired = (u32, bool, u32);

/// Turns unpaired messages with the same date and about the same size on both sides into ties.
///
/// A date that not every server keeps proves nothing: such a message is compared with all that have
/// its size.
pub(super) fn look_again(source: &[Message], target: &[Message], matching: &mut Matching) {
    if matching.missing.is_empty() || matching.extra.is_empty() {
        return;
    }
    let unpaired =
        |messages: &[Message], indices: &[u32], is_target| -> Vec<(Option<i64>, Unpaired)> {
            let entry = |index: &u32| {
                let message = messages.get(*index as usize)?;
                Some((kept_seconds(message), (message.size(), is_target, *index)))
            };
            indices.iter().filter_map(entry).collect()
        };
    let mut all = unpaired(source, &matching.missing, false);
    all.append(&mut unpaired(target, &matching.extra, true));
    all.sort_unstable();
    let mut ties = Vec::new();
    let mut rest = Vec::new();
    for same_date in all.chunk_by(|one, other| one.0 == other.0) {
        let entries: Vec<Unpaired> = same_date.iter().map(|(_, entry)| *entry).collect();
        match same_date.first() {
            Some((Some(_), _)) => split_off_ties(&entries, &mut ties, &mut rest),
            _ => rest.extend(entries),
        }
    }
    let dateless = |(_, is_target, index): &Unpaired| {
        let messages = if *is_target { target } else { source };
        messages
            .get(*index as usize)
            .is_some_and(|message| kept_seconds(message).is_none())
    };
    if rest.iter().any(dateless) {
        rest.sort_unstable();
        let mut alone = Vec::new();
        for same_size in rest.chunk_by(|one, other| other.0 - one.0 <= SIZE_SLACK) {
            // Unless one of them has no date, their dates differ: they aren't the same.
            match same_size.iter().any(dateless) {
                true => split_off_ties(same_size, &mut ties, &mut alone),
                false => alone.extend_from_slice(same_size),
            }
        }
        rest = alone;
    }
    if ties.is_empty() {
        return;
    }
    let alone = |is_target: bool| {
        rest.iter()
            .filter(move |entry| entry.1 == is_target)
            .map(|entry| entry.2)
            .collect()
    };
    (matching.missing, matching.extra) = (alone(false), alone(true));
    matching.ties.append(&mut ties);
}

/// Returns a message's date as evidence; `None` if it has none or not every server keeps it.
fn kept_seconds(message: &Message) -> Option<i64> {
    message
        .date()
        .filter(|date| date.is_kept_everywhere())
        .map(InternalDate::seconds)
}

/// Makes a tie of each cluster of similar sizes with messages on both sides; the others go to
/// `alone`.
fn split_off_ties(by_size: &[Unpaired], ties: &mut Vec<Tie>, alone: &mut Vec<Unpaired>) {
    for cluster in by_size.chunk_by(|one, other| other.0 - one.0 <= SIZE_SLACK) {
        let side = |is_target: bool| -> Vec<u32> {
            cluster
                .iter()
                .filter(|entry| entry.1 == is_target)
                .map(|entry| entry.2)
                .collect()
        };
        let tie = Tie {
            source: side(false),
            target: side(true),
        };
        if tie.source.is_empty() || tie.target.is_empty() {
            alone.extend_from_slice(cluster);
        } else {
            ties.push(tie);
        }
    }
}

/// Reports whether two messages look the same, whatever their headers say: by date, if both are
/// kept, and by size.
pub fn look_alike(source: &Message, target: &Message) -> bool {
    let same_date = match (kept_seconds(source), kept_seconds(target)) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    same_date && source.size().abs_diff(target.size()) <= SIZE_SLACK
}

#[cfg(test)]
mod tests {
    use super::super::match_folder;
    use super::super::matching::MatchRules;
    use crate::mail::{HeaderKey, InternalDate, Message, Uid};

    const DATE: i64 = 1_700_000_000;
    const BEFORE_1970: i64 = -1_000_000_000;

    /// Makes messages with different header keys, given size and date.
    fn folder(first_key: u8, looks: &[(u64, i64)]) -> Vec<Message> {
        let message = |(n, (size, date)): (u8, &(u64, i64))| {
            let key = HeaderKey::WithId([first_key + n; 16]);
            Message::new(
                Uid::new(u32::from(n) + 1).unwrap(),
                *size,
                InternalDate::new(*date, 0),
                0,
                key,
            )
        };
        (0..).zip(looks).map(message).collect()
    }

    #[test]
    fn what_looks_the_same_is_left_to_the_bodies() {
        for (name, source, target, expected) in [
            (
                "same size and date",
                &[(10, DATE)][..],
                &[(10, DATE)][..],
                "[] [] [([0], [0])]",
            ),
            (
                "a line end added",
                &[(10, DATE)],
                &[(12, DATE)],
                "[] [] [([0], [0])]",
            ),
            ("other size", &[(10, DATE)], &[(13, DATE)], "[0] [0] []"),
            ("other date", &[(10, DATE)], &[(10, DATE + 1)], "[0] [0] []"),
            (
                "only some",
                &[(10, DATE), (50, DATE)],
                &[(10, DATE), (90, DATE)],
                "[1] [1] [([0], [0])]",
            ),
            (
                "two on one side",
                &[(10, DATE), (10, DATE)],
                &[(10, DATE)],
                "[] [] [([0, 1], [0])]",
            ),
            (
                "a date that is not kept",
                &[(10, BEFORE_1970)],
                &[(10, DATE)],
                "[] [] [([0], [0])]",
            ),
            (
                "on the target",
                &[(10, DATE)],
                &[(11, BEFORE_1970)],
                "[] [] [([0], [0])]",
            ),
            (
                "not kept, other size",
                &[(10, BEFORE_1970)],
                &[(20, DATE)],
                "[0] [0] []",
            ),
            (
                "others of other dates stay apart",
                &[(10, DATE), (30, BEFORE_1970)],
                &[(10, DATE + 1), (30, DATE)],
                "[0] [0] [([1], [1])]",
            ),
        ] {
            let found = match_folder(
                &folder(1, source),
                &folder(100, target),
                &MatchRules::default(),
            );
            let ties: Vec<_> = found
                .ties
                .iter()
                .map(|tie| (&tie.source, &tie.target))
                .collect();
            assert_eq!(
                format!("{:?} {:?} {ties:?}", found.missing, found.extra),
                expected,
                "{name}"
            );
        }
    }
}
