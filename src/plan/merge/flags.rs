//! Merges flags, one by one: what has changed on either side since both agreed goes to the other.
//!
//! | base | first | second | both become | row |
//! |---|---|---|---|---|
//! | – | set | – | set | 1 |
//! | set | – | set | not set: a removal sticks | 2 |
//! | – | set | set | set | 1 |
//! | none known | set | – | set; `\Deleted`, `$Junk` and `$NotJunk` stay as they are on each side | 3 |
//! | set | set | can't keep it | set on the first; its absence on the second isn't a change | 4 |
//! | – | `\Deleted` | – | set; nothing is expunged | 7 |
//!
//! A flag has two values, so with a base the two sides can't conflict about one. They can about
//! two: `$Junk` here and `$NotJunk` there, where the preferred side wins.

use super::Prefer;
use crate::mail::{Both, Flags, PermanentFlags, Side};

/// What was known about the flags of a pair.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AgreedFlags {
    /// The flags that both sides agreed on.
    pub flags: Flags,
    /// Those of them that each side is known to lack: it can't keep them, or they were left to the
    /// other side.
    pub lacks: Both<Flags>,
}

impl AgreedFlags {
    /// Returns the flags that count as a side's when it has `now`: a flag that it is known to lack
    /// isn't a change.
    pub(super) fn held(&self, side: Side, now: &Flags) -> Flags {
        now.union(&common(&self.lacks[side], &self.flags))
    }
}

/// One side's flags, and whether they may be changed.
#[derive(Clone, Copy, Debug)]
pub struct FlagState<'a> {
    /// The flags it has now.
    pub now: &'a Flags,
    /// The flags that its folder keeps.
    pub permanent: &'a PermanentFlags,
    /// Whether its flags may be changed.
    pub open: bool,
}

/// How a pair's flags are made equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagMerge {
    /// What each side gains.
    pub add: Both<Flags>,
    /// What each side loses.
    pub remove: Both<Flags>,
    /// The base from then on. Changes that a closed side would need aren't agreed, so they come up
    /// again.
    pub agreed: AgreedFlags,
    /// Flags that a side was found unable to keep, to be reported once.
    pub unsupported: Both<Flags>,
    /// Whether nothing changes on either side or in the base.
    pub stays: bool,
    /// Whether a closed side would have to change something.
    pub waits: bool,
}

impl FlagMerge {
    /// Reports whether nothing has to be changed on either side.
    pub fn is_quiet(&self) -> bool {
        self.add.all(Flags::is_empty) && self.remove.all(Flags::is_empty)
    }
}

/// Merges the flags of a pair: rows 1 to 4 and 7.
pub fn merge_flags(
    base: Option<&AgreedFlags>,
    sides: Both<FlagState<'_>>,
    prefer: Prefer,
) -> FlagMerge {
    let Some(base) = base else {
        return FlagMerge {
            stays: false,
            ..merge_flags(Some(&joined(&sides)), sides, prefer)
        };
    };
    let held = Both::of(|side| base.held(side, sides[side].now));
    let added = held.first.union(&held.second).minus(&base.flags);
    let kept = common(&common(&base.flags, &held.first), &held.second);
    let wanted = without_contradiction(kept.union(&added), &base.flags, &held, prefer.winner());
    let supported = Both::of(|side| sides[side].permanent.split(&wanted).0);
    let missing = Both::of(|side| wanted.minus(&held[side]));
    let too_many = Both::of(|side| sides[side].now.minus(&wanted));
    let if_open = |side: Side, flags: Flags| {
        if sides[side].open {
            flags
        } else {
            Flags::default()
        }
    };
    let add = Both::of(|side| if_open(side, common(&missing[side], &supported[side])));
    let remove = Both::of(|side| if_open(side, too_many[side].clone()));
    let waiting = Side::BOTH.iter().fold(Flags::default(), |waiting, side| {
        if sides[*side].open {
            waiting
        } else {
            waiting.union(&missing[*side]).union(&too_many[*side])
        }
    });
    let settled = wanted.minus(&waiting);
    let flags = settled.union(&common(&base.flags, &waiting));
    let lacks = Both::of(|side| {
        let has = sides[side].now.minus(&remove[side]).union(&add[side]);
        settled
            .minus(&has)
            .union(&common(&common(&base.lacks[side], &flags), &waiting))
    });
    let unsupported = Both::of(|side| if_open(side, missing[side].minus(&supported[side])));
    let agreed = AgreedFlags { flags, lacks };
    let quiet = add.all(Flags::is_empty) && remove.all(Flags::is_empty);
    FlagMerge {
        stays: quiet && agreed == *base,
        waits: !waiting.is_empty(),
        add,
        remove,
        agreed,
        unsupported,
    }
}

/// Makes a base if there is none (row 3): as if both had agreed on each side's own flags, and on
/// nothing else.
fn joined(sides: &Both<FlagState<'_>>) -> AgreedFlags {
    let own = Flags::from_names(["\\Deleted", "$Junk", "$NotJunk"]);
    let flags = common(&sides.first.now.union(sides.second.now), &own);
    let lacks = Both::of(|side| flags.minus(sides[side].now));
    AgreedFlags { flags, lacks }
}

/// Resolves `$Junk` with `$NotJunk`, which mean nothing together. If each side brought one of them,
/// the winner's counts.
fn without_contradiction(wanted: Flags, base: &Flags, held: &Both<Flags>, winner: Side) -> Flags {
    let verdicts = Flags::from_names(["$Junk", "$NotJunk"]);
    let is_new = |flags: &Flags| !common(&flags.minus(base), &verdicts).is_empty();
    if verdicts.minus(&wanted).is_empty() && held.all(is_new) {
        return wanted
            .minus(&verdicts)
            .union(&common(&held[winner], &verdicts));
    }
    wanted
}

/// Returns the flags that are in both.
fn common(one: &Flags, other: &Flags) -> Flags {
    one.minus(&one.minus(other))
}
