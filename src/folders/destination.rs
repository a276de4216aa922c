//! The name that each of the source's folders should get on the target: by the user's rules,
//! otherwise by role, otherwise its own.
//!
//! Invariants: an explicit rule beats a role; subfolders follow their folder; a role never merges
//! two folders: it gives way to the names.

use super::gmail;
use super::name::FolderName;
use super::pairing::PairError;
use super::rename::{self, Renamed};
use super::roles;
use super::roster::{Folder, Roster};
use super::rules::Rules;
use crate::mail::SpecialUse;
use std::collections::HashMap;

/// Where a folder should go.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    /// The wanted name.
    pub(super) to: FolderName,
    /// Whether `--map` gave the name: then another folder may have it too.
    pub(super) mapped: bool,
    /// Whether `--map` or `--map-regex` gave the name.
    pub(super) explicit: bool,
    /// The role that gave the name.
    by_role: Option<SpecialUse>,
    /// The folder of Gmail's own that got another name.
    of_gmail: Option<FolderName>,
    /// Why it has this name.
    pub(super) reasons: Vec<String>,
}

/// Applies the user's rules to a folder's name; `None` if no rule but `--into` applies.
///
/// # Errors
/// A substitution that leaves no name.
pub(super) fn by_rules(name: &FolderName, rules: &Rules) -> Result<Option<FolderName>, PairError> {
    let renamed = Renamed::by(rules, name).map_err(|rule| PairError::NoName {
        from: name.clone(),
        rule,
    })?;
    Ok((renamed.mapped || renamed.substituted).then_some(renamed.name))
}

/// Folders with the same role on both sides.
struct RolePair {
    role: SpecialUse,
    from: FolderName,
    to: FolderName,
    /// Whether it can't be used, as two folders would collide.
    dropped: bool,
}

/// The folders of both sides.
pub(super) struct Sides<'a> {
    /// The source's.
    pub(super) source: &'a Roster,
    /// The target's.
    pub(super) target: &'a Roster,
    /// Whether only the source is Gmail, so that its `[Gmail]` goes away.
    pub(super) leaves_gmail: bool,
}

/// How names are given.
struct Naming<'a> {
    rules: &'a Rules,
    roles: Vec<RolePair>,
    sides: &'a Sides<'a>,
    /// How many names of each of Gmail's own folders another folder has.
    attempts: HashMap<FolderName, usize>,
}

/// Returns the destination of each folder, in the given order.
pub(super) fn all(
    folders: &[&Folder],
    sides: &Sides<'_>,
    rules: &Rules,
) -> Result<Vec<Destination>, PairError> {
    let roles = if rules.pair_roles {
        role_pairs(sides.source, sides.target)
    } else {
        Vec::new()
    };
    let mut naming = Naming {
        rules,
        roles,
        sides,
        attempts: HashMap::new(),
    };
    loop {
        let destinations: Vec<_> = folders
            .iter()
            .map(|folder| naming.one(&folder.name))
            .collect::<Result<_, _>>()?;
        // Each round drops a role in use or a name, so this ends.
        if !naming.give_way(&destinations) {
            return Ok(destinations);
        }
    }
}

fn role_pairs(source: &Roster, target: &Roster) -> Vec<RolePair> {
    let of = |roster: &Roster, role| {
        roster
            .folders
            .iter()
            .find(|folder| folder.role == Some(role))
            .map(|folder| folder.name.clone())
    };
    let mut pairs: Vec<_> = roles::PAIRED
        .into_iter()
        .filter_map(|role| {
            Some(RolePair {
                role,
                from: of(source, role)?,
                to: of(target, role)?,
                dropped: false,
            })
        })
        .collect();
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.from.levels().len()));
    pairs
}

impl Naming<'_> {
    fn one(&self, name: &FolderName) -> Result<Destination, PairError> {
        let rules = self.rules;
        let renamed = Renamed::by(rules, name).map_err(|rule| PairError::NoName {
            from: name.clone(),
            rule,
        })?;
        let mut reasons = Vec::new();
        if renamed.mapped {
            reasons.push("mapped by --map".to_owned());
        }
        if renamed.substituted {
            reasons.push("mapped by --map-regex".to_owned());
        }
        let explicit = renamed.mapped || renamed.substituted;
        let mut destination = Destination {
            to: renamed.name,
            mapped: renamed.mapped,
            explicit,
            by_role: None,
            of_gmail: None,
            reasons,
        };
        if !explicit {
            destination.follow_role(name, &self.roles);
            self.leave_gmail(name, &mut destination);
        }
        if let Some(top) = &rules.into {
            destination
                .reasons
                .push(format!("put below {top} by --into"));
        }
        destination.to = rename::place(rules, destination.to);
        Ok(destination)
    }

    /// Takes `[Gmail]` off a name that no role gave, unless the target has a folder with it, from
    /// an earlier copy.
    fn leave_gmail(&self, name: &FolderName, destination: &mut Destination) {
        let attempt = self.attempts.get(name).copied().unwrap_or_default();
        let wanted = rename::place(self.rules, destination.to.clone()).key();
        let is_there = || {
            let folders = &self.sides.target.folders;
            folders.iter().any(|folder| folder.name.key() == wanted)
        };
        if destination.by_role.is_some() || !self.sides.leaves_gmail || is_there() {
            return;
        }
        if let Some(to) = gmail::name_elsewhere(name, attempt) {
            destination.to = to;
            destination.of_gmail = Some(name.clone());
            destination
                .reasons
                .push("one of Gmail's own folders".to_owned());
        }
    }

    /// Lets roles, then names of Gmail's own folders, give way that send a folder where another one
    /// goes. Reports whether any did.
    fn give_way(&mut self, destinations: &[Destination]) -> bool {
        let meeting = meeting(destinations);
        let roles: Vec<SpecialUse> = meeting.iter().filter_map(|one| one.by_role).collect();
        if !roles.is_empty() {
            let in_use = self.roles.iter_mut();
            for pair in in_use.filter(|pair| roles.contains(&pair.role)) {
                pair.dropped = true;
            }
            return true;
        }
        let mut gave_way = false;
        for name in meeting.iter().filter_map(|one| one.of_gmail.as_ref()) {
            *self.attempts.entry(name.clone()).or_default() += 1;
            gave_way = true;
        }
        gave_way
    }
}

impl Destination {
    /// Takes the name from the nearest folder, itself or an ancestor, that has a role on both
    /// sides.
    fn follow_role(&mut self, name: &FolderName, roles: &[RolePair]) {
        let Some((pair, rest)) = roles
            .iter()
            .find_map(|pair| Some((pair, name.below(&pair.from)?)))
        else {
            return;
        };
        if pair.from.key() == pair.to.key() {
            return;
        }
        let itself = rest.is_empty();
        if pair.dropped {
            if itself {
                let reason = format!(
                    "not paired by role with {}: two folders would become one",
                    pair.to
                );
                self.reasons.push(reason);
            }
            return;
        }
        self.to = pair.to.join(rest);
        self.by_role = Some(pair.role);
        self.reasons.push(if itself {
            format!("paired by role: both are for {}", pair.role.name())
        } else {
            format!("follows {}, which is paired by role", pair.from)
        });
    }
}

/// Returns the folders that go where another one goes, unless `--map` sent the other one there.
fn meeting(destinations: &[Destination]) -> Vec<&Destination> {
    let mut groups: HashMap<String, Vec<&Destination>> = HashMap::new();
    for destination in destinations
        .iter()
        .filter(|destination| !destination.mapped)
    {
        groups
            .entry(destination.to.key())
            .or_default()
            .push(destination);
    }
    groups
        .into_values()
        .filter(|group| group.len() > 1)
        .flatten()
        .collect()
}
