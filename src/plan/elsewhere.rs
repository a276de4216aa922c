//! Messages that one folder lacks and another folder on the target has, or will have: the target
//! can copy them itself.
//!
//! Pure. It takes two steps, so that headers are requested only if they may matter: [`candidates`]
//! picks the messages that look alike (size and INTERNALDATE); [`assign`] decides by header key.
//! Invariants: only messages with a Message-ID are taken to be the same, each wanted message is
//! assigned once, and a message that may leave its folder leaves it once.

use crate::mail::{HeaderKey, InternalDate, Message, Uid, UidSet};
use std::collections::HashMap;

/// A fingerprint of a message's size and INTERNALDATE. `None` for one without a date, which looks
/// like any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Looks(u32);

impl Looks {
    /// Returns a message's looks.
    pub fn of(message: &Message) -> Option<Self> {
        let seconds = message.date().map(InternalDate::seconds)?;
        // Mix both numbers; if two different pairs collide, that costs a header at most.
        let mixed = (seconds.cast_unsigned() ^ (u64::from(message.size()) << 32))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        u32::try_from(mixed >> 32).ok().map(Self)
    }
}

/// What a folder on the target holds: eight bytes per message, as all of the target's messages are
/// remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    /// The caller's number for the folder.
    pub folder: u32,
    /// The messages' looks and UIDs.
    pub messages: Vec<(Looks, Uid)>,
    /// Those without a counterpart on the source in that folder: they may leave it.
    pub extra: UidSet,
}

/// A message in a folder on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it looks like.
    pub looks: Looks,
    /// The caller's number for the folder.
    pub folder: u32,
    /// Its UID there.
    pub uid: Uid,
    /// Whether it has no counterpart on the source in that folder: then it may leave it.
    pub extra: bool,
}

/// A message that a folder on the target lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it looks like.
    pub looks: Looks,
    /// The caller's number for the folder.
    pub folder: u32,
    /// Its position among the messages that the folder lacks.
    pub position: u32,
}

/// Messages that may be the same: worth requesting headers for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// What the target holds.
    pub held: Vec<Held>,
    /// What folders on the target lack.
    pub wanted: Vec<Wanted>,
}

/// Picks the wanted messages that look like a held one or like one wanted in another folder, and
/// the held ones that look like a wanted one. Takes time O(n log n).
pub fn candidates(shelves: &[Shelf], mut wanted: Vec<Wanted>) -> Candidates {
    wanted.sort_unstable_by_key(|wanted| (wanted.looks, wanted.folder, wanted.position));
    let is_wanted = |looks: Looks| {
        wanted
            .binary_search_by_key(&looks, |wanted| wanted.looks)
            .is_ok()
    };
    let mut held: Vec<Held> = Vec::new();
    for Shelf {
        folder,
        messages,
        extra,
    } in shelves
    {
        let alike = messages.iter().filter(|(looks, _)| is_wanted(*looks));
        held.extend(alike.map(|(looks, uid)| Held {
            looks: *looks,
            folder: *folder,
            uid: *uid,
            extra: extra.contains(*uid),
        }));
    }
    held.sort_unstable_by_key(|held| (held.looks, held.folder, held.uid));
    let mut chosen = Vec::new();
    for alike in wanted.chunk_by(|a, b| a.looks == b.looks) {
        let [first, ..] = alike else { continue };
        let is_held = held
            .binary_search_by_key(&first.looks, |held| held.looks)
            .is_ok();
        if is_held || alike.iter().any(|wanted| wanted.folder != first.folder) {
            chosen.extend_from_slice(alike);
        }
    }
    Candidates {
        held,
        wanted: chosen,
    }
}

/// What two messages in different folders must share to be the same: the header, by a key with a
/// Message-ID, the size in bytes, and the INTERNALDATE in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sameness([u8; 16], u32, i64);

impl Sameness {
    /// Returns it for a message that is known by other means to be in several folders: without a
    /// Message-ID, the other identifying fields tell it from what arrives there meanwhile.
    pub fn among_new(message: &Message) -> Option<Self> {
        let mut identified = *message;
        if let HeaderKey::WithoutId(key) = message.key() {
            identified.set_key(HeaderKey::WithId(key));
        }
        Self::of(&identified)
    }

    /// Returns it for a message whose header was read; `None` if the evidence is too weak to
    /// identify it.
    pub fn of(message: &Message) -> Option<Self> {
        let HeaderKey::WithId(key) = message.key() else {
            return None;
        };
        // A size at the maximum is unknown.
        (message.size() < u32::MAX).then_some(())?;
        Some(Self(
            key,
            message.size(),
            message.date().map(InternalDate::seconds)?,
        ))
    }
}

/// How a wanted message gets into its folder without being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// From a folder that holds it already, and leaves if `leave` is set.
    Held {
        /// Its index in the held messages.
        held: usize,
        /// Whether it is moved.
        leave: bool,
    },
    /// From the folder of another wanted message, which is sent: the index among the wanted.
    Twin(usize),
}

/// Decides where each wanted message comes from; `None`: it is sent. With `may_leave`, messages
/// that are extra in their folder are moved if wanted elsewhere; otherwise everything is copied.
pub fn assign(
    held: &[(Held, Option<Sameness>)],
    wanted: &[(Wanted, Option<Sameness>)],
    may_leave: bool,
) -> Vec<Option<From>> {
    let mut sources: HashMap<Sameness, Vec<usize>> = HashMap::new();
    for (at, (_, same)) in held.iter().enumerate() {
        if let Some(same) = same {
            sources.entry(*same).or_default().push(at);
        }
    }
    for of_one in sources.values_mut() {
        // Those that may leave come last, and are taken first.
        of_one.sort_by_key(|at| held[*at].0.extra);
    }
    // The first of each that has to be sent.
    let mut sent: HashMap<Sameness, usize> = HashMap::new();
    let mut assigned = Vec::with_capacity(wanted.len());
    for (at, (message, same)) in wanted.iter().enumerate() {
        assigned.push(same.as_ref().and_then(|same| {
            if let Some(of_one) = sources.get_mut(same) {
                let best = *of_one.last()?;
                if may_leave && held[best].0.extra && of_one.len() > 1 {
                    of_one.pop();
                    return Some(From::Held {
                        held: best,
                        leave: true,
                    });
                }
                // Keep the last one for others to be copied from, until it is known that there are
                // no others.
                return Some(From::Held {
                    held: best,
                    leave: false,
                });
            }
            let first = *sent.entry(*same).or_insert(at);
            (wanted[first].0.folder != message.folder).then_some(From::Twin(first))
        }));
    }
    if may_leave {
        let_the_last_leave(held, &mut assigned);
    }
    assigned
}

/// Turns the last of several copies from something extra into a move.
fn let_the_last_leave(held: &[(Held, Option<Sameness>)], assigned: &mut [Option<From>]) {
    let mut seen = std::collections::HashSet::new();
    for from in assigned.iter_mut().rev() {
        if let Some(From::Held { held: at, leave }) = from
            && held[*at].0.extra
            && seen.insert(*at)
        {
            *leave = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u8, size: u64, seconds: i64) -> Message {
        let key = HeaderKey::WithId([id; 16]);
        Message::new(
            Uid::new(1).unwrap(),
            size,
            InternalDate::new(seconds, 0),
            0,
            key,
        )
    }

    fn held(folder: u32, uid: u32, extra: bool, of: &Message) -> Held {
        Held {
            looks: Looks::of(of).unwrap(),
            folder,
            uid: Uid::new(uid).unwrap(),
            extra,
        }
    }

    fn shelf(folder: u32, messages: &[(u32, bool, &Message)]) -> Shelf {
        let uid = |uid: &u32| Uid::new(*uid).unwrap();
        Shelf {
            folder,
            messages: messages
                .iter()
                .map(|(at, _, of)| (Looks::of(of).unwrap(), uid(at)))
                .collect(),
            extra: messages
                .iter()
                .filter(|(_, extra, _)| *extra)
                .map(|(at, ..)| uid(at))
                .collect(),
        }
    }

    fn wanted(folder: u32, position: u32, of: &Message) -> Wanted {
        Wanted {
            looks: Looks::of(of).unwrap(),
            folder,
            position,
        }
    }

    fn assigned(
        held: &[(Held, &Message)],
        wanted: &[(Wanted, &Message)],
        may_leave: bool,
    ) -> Vec<Option<From>> {
        let held: Vec<_> = held
            .iter()
            .map(|(held, of)| (*held, Sameness::of(of)))
            .collect();
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(wanted, of)| (*wanted, Sameness::of(of)))
            .collect();
        assign(&held, &wanted, may_leave)
    }

    #[test]
    fn only_what_looks_like_something_else_is_a_candidate() {
        let (a, b, c) = (
            message(1, 10, 100),
            message(2, 20, 100),
            message(3, 10, 101),
        );
        let found = candidates(
            &[shelf(0, &[(5, true, &a), (6, false, &c)])],
            vec![
                wanted(1, 0, &a),
                wanted(1, 1, &b),
                wanted(2, 0, &b),
                wanted(3, 0, &message(9, 77, 7)),
            ],
        );
        assert_eq!(found.held, [held(0, 5, true, &a)]);
        let mut places: Vec<_> = found
            .wanted
            .iter()
            .map(|wanted| (wanted.folder, wanted.position))
            .collect();
        places.sort_unstable();
        assert_eq!(places, [(1, 0), (1, 1), (2, 0)]);
        let twice_in_one = candidates(&[], vec![wanted(1, 0, &b), wanted(1, 1, &b)]);
        assert_eq!(
            twice_in_one,
            Candidates::default(),
            "equal messages of one folder are all sent"
        );
    }

    #[test]
    fn a_message_that_moved_is_moved_and_what_stays_is_copied() {
        let a = message(1, 10, 100);
        let extra = [(held(0, 5, true, &a), &a)];
        let one = [(wanted(1, 0, &a), &a)];
        assert_eq!(
            assigned(&extra, &one, true),
            [Some(From::Held {
                held: 0,
                leave: true
            })]
        );
        assert_eq!(
            assigned(&extra, &one, false),
            [Some(From::Held {
                held: 0,
                leave: false
            })]
        );
        let stays = [(held(0, 5, false, &a), &a)];
        assert_eq!(
            assigned(&stays, &one, true),
            [Some(From::Held {
                held: 0,
                leave: false
            })]
        );
    }

    #[test]
    fn of_several_the_last_takes_the_extra_one_along() {
        let a = message(1, 10, 100);
        let both = [(wanted(1, 0, &a), &a), (wanted(2, 0, &a), &a)];
        let one = [(held(0, 5, true, &a), &a)];
        let expected = [
            Some(From::Held {
                held: 0,
                leave: false,
            }),
            Some(From::Held {
                held: 0,
                leave: true,
            }),
        ];
        assert_eq!(assigned(&one, &both, true), expected);
        let two = [(held(0, 5, true, &a), &a), (held(3, 6, true, &a), &a)];
        let leaving = assigned(&two, &both, true);
        let mut from: Vec<_> = leaving.iter().map(|from| format!("{from:?}")).collect();
        from.sort();
        from.dedup();
        assert_eq!(from.len(), 2, "each leaves once: {leaving:?}");
        assert!(
            leaving
                .iter()
                .all(|from| matches!(from, Some(From::Held { leave: true, .. })))
        );
    }

    #[test]
    fn the_same_message_in_several_folders_is_sent_once() {
        let a = message(1, 10, 100);
        let all = [
            (wanted(1, 0, &a), &a),
            (wanted(2, 4, &a), &a),
            (wanted(1, 3, &a), &a),
        ];
        assert_eq!(assigned(&[], &all, true), [None, Some(From::Twin(0)), None]);
    }

    #[test]
    fn another_header_size_or_date_or_no_message_id_is_another_message() {
        let a = message(1, 10, 100);
        let weak = Message::new(a.uid(), 10, a.date(), 0, HeaderKey::WithoutId([1; 16]));
        for other in [
            message(2, 10, 100),
            message(1, 11, 100),
            message(1, 10, 101),
            weak,
        ] {
            assert_ne!(Sameness::of(&other), Sameness::of(&a));
            let there = [(held(0, 5, true, &a), &other)];
            assert_eq!(assigned(&there, &[(wanted(1, 0, &a), &a)], true), [None]);
        }
    }
}
