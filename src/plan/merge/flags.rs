//! Flags, one by one: what changed on either side since both agreed goes to the other.
//!
//! | base | first | second | both become | row |
//! |---|---|---|---|---|
//! | – | set | – | set | 1 |
//! | set | – | set | not set: an un-set sticks | 2 |
//! | – | set | set | set | 1 |
//! | none known | set | – | set; `\Deleted`, `$Junk` and `$NotJunk` stay as they are on each side | 3 |
//! | set | set | can't keep it | set on the first; its absence on the second is no change | 4 |
//! | – | `\Deleted` | – | set, and nothing is expunged for it | 7 |
//!
//! One flag has two values, so with a base the two sides can't contradict each other. Two flags can: `$Junk` here and
//! `$NotJunk` there, where the preferred side's word counts.

use super::Prefer;
use crate::mail::{Both, Flags, PermanentFlags, Side};

/// What is known of the flags of a pair from before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AgreedFlags {
    /// The flags that both sides agreed on.
    pub flags: Flags,
    /// Those of them that each side is agreed not to have: it can't keep them, or they were left to the other side.
    pub lacks: Both<Flags>,
}

impl AgreedFlags {
    /// What counts as a side's flags that has `now`: a flag that it is agreed to lack is no change.
    pub(super) fn held(&self, side: Side, now: &Flags) -> Flags {
        now.union(&common(&self.lacks[side], &self.flags))
    }
}

/// One side's flags, and what may be done about them.
#[derive(Clone, Copy, Debug)]
pub struct FlagState<'a> {
    /// The flags it has now.
    pub now: &'a Flags,
    /// The flags that its folder keeps.
    pub permanent: &'a PermanentFlags,
    /// Whether its flags may be changed.
    pub open: bool,
}

/// How a pair's flags become equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagMerge {
    /// What each side gains.
    pub add: Both<Flags>,
    /// What each side loses.
    pub remove: Both<Flags>,
    /// The base from then on. What a closed side would have to do is not agreed, so it is asked for again.
    pub agreed: AgreedFlags,
    /// What each side was found not to be able to keep, to be reported once.
    pub unsupported: Both<Flags>,
    /// Whether all this is as it was: nothing changes on either side nor in the base.
    pub stays: bool,
    /// Whether a closed side would have to change something.
    pub waits: bool,
}

impl FlagMerge {
    /// Whether nothing has to be changed on either side.
    pub fn is_quiet(&self) -> bool {
        self.add.all(Flags::is_empty) && self.remove.all(Flags::is_empty)
    }
}

/// Merges the flags of a pair: rows 1 to 4 and 7.
pub fn merge_flags(base: Option<&AgreedFlags>, sides: Both<FlagState<'_>>, prefer: Prefer) -> FlagMerge {
    let Some(base) = base else {
        return FlagMerge { stays: false, ..merge_flags(Some(&joined(&sides)), sides, prefer) };
    };
    let held = Both::of(|side| base.held(side, sides[side].now));
    let added = held.first.union(&held.second).minus(&base.flags);
    let kept = common(&common(&base.flags, &held.first), &held.second);
    let wanted = without_contradiction(kept.union(&added), &base.flags, &held, prefer.winner());
    let supported = Both::of(|side| sides[side].permanent.split(&wanted).0);
    let missing = Both::of(|side| wanted.minus(&held[side]));
    let too_many = Both::of(|side| sides[side].now.minus(&wanted));
    let if_open = |side: Side, flags: Flags| if sides[side].open { flags } else { Flags::default() };
    let add = Both::of(|side| if_open(side, common(&missing[side], &supported[side])));
    let remove = Both::of(|side| if_open(side, too_many[side].clone()));
    let waiting = Side::BOTH.iter().fold(Flags::default(), |waiting, side| {
        if sides[*side].open { waiting } else { waiting.union(&missing[*side]).union(&too_many[*side]) }
    });
    let settled = wanted.minus(&waiting);
    let flags = settled.union(&common(&base.flags, &waiting));
    let lacks = Both::of(|side| {
        let has = sides[side].now.minus(&remove[side]).union(&add[side]);
        settled.minus(&has).union(&common(&common(&base.lacks[side], &flags), &waiting))
    });
    let unsupported = Both::of(|side| if_open(side, missing[side].minus(&supported[side])));
    let agreed = AgreedFlags { flags, lacks };
    let quiet = add.all(Flags::is_empty) && remove.all(Flags::is_empty);
    FlagMerge { stays: quiet && agreed == *base, waits: !waiting.is_empty(), add, remove, agreed, unsupported }
}

/// Without a base (row 3): as if both had agreed on what is each side's own, and on nothing else.
fn joined(sides: &Both<FlagState<'_>>) -> AgreedFlags {
    let own = Flags::from_names(["\\Deleted", "$Junk", "$NotJunk"]);
    let flags = common(&sides.first.now.union(sides.second.now), &own);
    let lacks = Both::of(|side| flags.minus(sides[side].now));
    AgreedFlags { flags, lacks }
}

/// `$Junk` and `$NotJunk` together say nothing. If both sides have brought them together, the winner's counts.
fn without_contradiction(wanted: Flags, base: &Flags, held: &Both<Flags>, winner: Side) -> Flags {
    let verdicts = Flags::from_names(["$Junk", "$NotJunk"]);
    let is_new = |flags: &Flags| !common(&flags.minus(base), &verdicts).is_empty();
    if verdicts.minus(&wanted).is_empty() && held.all(is_new) {
        return wanted.minus(&verdicts).union(&common(&held[winner], &verdicts));
    }
    wanted
}

/// The flags that are in both.
fn common(one: &Flags, other: &Flags) -> Flags {
    one.minus(&one.minus(other))
}
