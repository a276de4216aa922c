//! The name that each of the source's folders should get on the target: by the user's rules,
//! otherwise by role, otherwise its own.
//!
//! Invariants: an explicit rule beats a role; subfolders follow their folder; a role never merges
//! two folders: it gives way to the names.

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

/// Returns the destination of each folder, in the given order.
pub(super) fn all(
    folders: &[&Folder],
    source: &Roster,
    target: &Roster,
    rules: &Rules,
) -> Result<Vec<Destination>, PairError> {
    let mut roles = if rules.pair_roles {
        role_pairs(source, target)
    } else {
        Vec::new()
    };
    loop {
        let destinations: Vec<_> = folders
            .iter()
            .map(|folder| one(&folder.name, rules, &roles))
            .collect::<Result<_, _>>()?;
        let meeting = meeting_by_role(&destinations);
        // Each round drops a role in use, so this ends.
        if meeting.is_empty() {
            return Ok(destinations);
        }
        for pair in roles.iter_mut().filter(|pair| meeting.contains(&pair.role)) {
            pair.dropped = true;
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

fn one(name: &FolderName, rules: &Rules, roles: &[RolePair]) -> Result<Destination, PairError> {
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
        reasons,
    };
    if !explicit {
        destination.follow_role(name, roles);
    }
    if let Some(top) = &rules.into {
        destination
            .reasons
            .push(format!("put below {top} by --into"));
    }
    destination.to = rename::place(rules, destination.to);
    Ok(destination)
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

/// Returns the roles that send a folder where another one goes, unless `--map` sent the other one
/// there.
fn meeting_by_role(destinations: &[Destination]) -> Vec<SpecialUse> {
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
        .filter_map(|one| one.by_role)
        .collect()
}
