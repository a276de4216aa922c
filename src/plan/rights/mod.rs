//! Which rights to folders the target lacks (`--acl`): a pure function of both sides' access
//! control lists.
//!
//! Invariants: the entries of the folder's owner and of the user who is logged in are never
//! changed; everyone (`anyone`, `anonymous`, `authenticated`) gets rights only if `--acl-map` says
//! so; nobody gets a right that the source doesn't grant them.

mod identifiers;

pub use identifiers::{AclMap, AclMapError, Mapped, Principal, Who};

use crate::mail::{AclEntry, Rights};
use crate::store::AclRules;
use identifiers::are_one_user;

/// What is to be done about one entry of the source's list, or one that only the target has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The entry: the source's, or the target's if it is removed.
    pub entry: AclEntry,
    /// Who that is on the target, as it writes it; empty if it has no word for them.
    pub to: String,
    /// The rights that they have there.
    pub has: Rights,
    /// What is done.
    pub step: Step,
}

/// What is done about an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: the target has it.
    There,
    /// Nothing, for this reason, which is no failure.
    Leave(&'static str),
    /// It can't be copied, for this reason.
    Fail(String),
    /// These rights are added; the others are there, or the target doesn't have them.
    Grant(Rights),
    /// The target's entry loses rights.
    Reduce {
        /// What it has.
        from: Rights,
        /// What it has afterwards.
        to: Rights,
    },
    /// The target's entry is removed.
    Remove,
}

impl Planned {
    /// Reports whether it changes the target.
    pub fn changes(&self) -> bool {
        matches!(
            self.step,
            Step::Grant(_) | Step::Reduce { .. } | Step::Remove
        )
    }

    /// Reports whether it takes rights away.
    pub fn removes(&self) -> bool {
        matches!(self.step, Step::Reduce { .. } | Step::Remove)
    }

    /// Turns a change into a failure.
    pub fn fail(&mut self, reason: &str) {
        if self.changes() {
            self.step = Step::Fail(format!("the target did not change it: {reason}"));
        }
    }

    /// Checks what the target has now against what was requested.
    ///
    /// # Errors
    /// What it has instead.
    pub fn is_done(&self, now: Rights) -> Result<(), String> {
        let is_done = match &self.step {
            Step::Grant(rights) => now.includes(*rights),
            Step::Reduce { to, .. } => now == *to,
            Step::Remove => now.is_empty(),
            Step::There | Step::Leave(_) | Step::Fail(_) => true,
        };
        if is_done {
            Ok(())
        } else {
            Err(format!("it said OK, but has \"{now}\" now"))
        }
    }
}

/// Both servers' rules, and the user's.
pub struct Sides<'a> {
    /// The source's.
    pub source: &'a AclRules,
    /// The target's.
    pub target: &'a AclRules,
    /// `--acl-map`.
    pub map: &'a AclMap,
    /// Whether rights that the source doesn't grant are removed.
    pub exact: bool,
}

const OWN: &str = "the owner's rights and your own are left alone";
const EVERYONE: &str = "on the target this may be others than on the source; add --acl-map 'NAME=NAME' to copy it, or 'NAME=' to leave it out";

impl Sides<'_> {
    /// Decides about each entry of a folder's list, and about those that only the target's has.
    pub fn plan(&self, source: &[AclEntry], target: &[AclEntry]) -> Vec<Planned> {
        let mut planned: Vec<Planned> = source
            .iter()
            .map(|entry| self.entry(entry, source, target))
            .collect();
        if self.exact {
            planned.extend(self.removals(&planned, target));
        }
        planned
    }

    fn entry(&self, entry: &AclEntry, source: &[AclEntry], target: &[AclEntry]) -> Planned {
        let planned = |to: String, has, step| Planned {
            entry: entry.clone(),
            to,
            has,
            step,
        };
        let nothing = Rights::default();
        let who = match self.destination(entry) {
            Ok(who) => who,
            Err(step) => return planned(String::new(), nothing, step),
        };
        let Some(to) = who.written(self.target.identifiers) else {
            let text = "the target's server has no name for this; use --acl-map to choose another";
            return planned(String::new(), nothing, Step::Fail(text.to_owned()));
        };
        if self.is_own(&who, self.target) {
            return planned(to, nothing, Step::Leave(OWN));
        }
        let has = rights_of(&who, target, self.target);
        let granted = if self.exact {
            self.rights_for(&who, source)
        } else {
            entry.rights
        };
        let wanted = self.target.grantable.limit(granted, has);
        let reduces = self.exact && !wanted.includes(has);
        let step = if reduces && !self.may_be_own(has, target) {
            Step::Reduce {
                from: has,
                to: wanted,
            }
        } else if has.includes(wanted) {
            Step::There
        } else {
            Step::Grant(wanted.without(has))
        };
        planned(to, has, step)
    }

    /// Returns what all entries together grant someone: several may become one.
    fn rights_for(&self, who: &Who, source: &[AclEntry]) -> Rights {
        let is_theirs = |entry: &&AclEntry| self.destination(entry).as_ref() == Ok(who);
        let theirs = source.iter().filter(is_theirs);
        theirs.fold(Rights::default(), |sum, entry| sum.and(entry.rights))
    }

    /// Returns who an entry is for on the target, or why it isn't copied.
    fn destination(&self, entry: &AclEntry) -> Result<Who, Step> {
        let who = Who::read(&entry.identifier, self.source.identifiers);
        if self.is_own(&who, self.source) {
            return Err(Step::Leave(OWN));
        }
        let is_everyone = |principal: &Principal| {
            matches!(
                principal,
                Principal::Anyone | Principal::Anonymous | Principal::Authenticated
            )
        };
        let principal = match self.map.apply(&who.principal) {
            Mapped::To(principal) => principal,
            Mapped::LeftOut => return Err(Step::Leave("left out by --acl-map")),
            Mapped::Untold if is_everyone(&who.principal) => {
                return Err(Step::Fail(EVERYONE.replace("NAME", &entry.identifier)));
            }
            Mapped::Untold => match &who.principal {
                Principal::Special(name) if name.starts_with('#') => {
                    return Err(Step::Leave(
                        "set by the source's administrator for all folders",
                    ));
                }
                principal => principal.clone(),
            },
        };
        if who.denied && is_everyone(&principal) {
            let text = "denying rights to everyone would deny them to the owner, too";
            return Err(Step::Fail(text.to_owned()));
        }
        Ok(Who { principal, ..who })
    }

    /// Reports whether an entry is the owner's, an administrator's, or that of the user who is
    /// logged in.
    fn is_own(&self, who: &Who, rules: &AclRules) -> bool {
        match &who.principal {
            Principal::Owner | Principal::Administrators => true,
            Principal::User(name) => are_one_user(name, &rules.user),
            _ => false,
        }
    }

    /// Reports whether an entry with these rights may be that of the user who is logged in, by
    /// another name: none of the list is known to be, and one must be.
    fn may_be_own(&self, rights: Rights, target: &[AclEntry]) -> bool {
        let is_own = |entry: &AclEntry| {
            let who = Who::read(&entry.identifier, self.target.identifiers);
            self.is_own(&who, self.target)
        };
        rights.has('a') && !target.iter().any(is_own)
    }

    /// Returns what the target grants and the source doesn't. Whoever could not be copied is left
    /// alone.
    fn removals(&self, planned: &[Planned], target: &[AclEntry]) -> Vec<Planned> {
        let keeps = |who: &Who| {
            let written = who.written(self.target.identifiers);
            let names = |one: &Planned| {
                Some(&one.to) == written.as_ref()
                    || one.to.is_empty()
                        && Who::read(&one.entry.identifier, self.source.identifiers) == *who
            };
            self.is_own(who, self.target)
                || matches!(&who.principal, Principal::Special(_))
                || planned.iter().any(names)
        };
        target
            .iter()
            .filter(|entry| !keeps(&Who::read(&entry.identifier, self.target.identifiers)))
            .filter(|entry| !self.may_be_own(entry.rights, target))
            .map(|entry| Planned {
                entry: entry.clone(),
                to: entry.identifier.clone(),
                has: entry.rights,
                step: Step::Remove,
            })
            .collect()
    }
}

/// Returns the rights that a list has for someone.
fn rights_of(who: &Who, list: &[AclEntry], rules: &AclRules) -> Rights {
    list.iter()
        .filter(|entry| Who::read(&entry.identifier, rules.identifiers) == *who)
        .fold(Rights::default(), |sum, entry| sum.and(entry.rights))
}

/// Returns the rights that the target's list has for someone, as it writes them.
pub fn rights_on_target(to: &str, list: &[AclEntry], rules: &AclRules) -> Rights {
    rights_of(&Who::read(to, rules.identifiers), list, rules)
}

#[cfg(test)]
mod tests;
