//! Which folder of a mailbox has which role: according to the server (SPECIAL-USE, RFC 6154, or
//! XLIST), otherwise by known names.
//!
//! Invariants: a role has at most one folder, and a name decides only if the server doesn't and the
//! name is unambiguous. A name counts at the top level, directly below INBOX and directly below
//! Gmail's own folder; `Clients/Archive` is a client's archive, not the account's.

use super::name::FolderName;
use super::role_names;
use crate::mail::SpecialUse;

/// The roles by which folders are paired. The others are views.
pub(super) const PAIRED: [SpecialUse; 5] = [
    SpecialUse::Sent,
    SpecialUse::Drafts,
    SpecialUse::Trash,
    SpecialUse::Junk,
    SpecialUse::Archive,
];

/// What is known about a folder when roles are assigned.
pub(super) struct Candidate<'a> {
    /// Its decoded name.
    pub(super) name: &'a FolderName,
    /// What the server says.
    pub(super) special_use: Option<SpecialUse>,
}

/// Assigns a role to each candidate, in the given order.
pub(super) fn assign(candidates: &[Candidate<'_>]) -> Vec<Option<SpecialUse>> {
    let mut roles: Vec<_> = candidates
        .iter()
        .map(|candidate| candidate.special_use.filter(|role| role.is_view()))
        .collect();
    for role in PAIRED {
        let chosen = by_attribute(candidates, role).or_else(|| by_name(candidates, role));
        if let Some(slot) = chosen.and_then(|index| roles.get_mut(index)) {
            *slot = Some(role);
        }
    }
    roles
}

/// Finds the folder that the server gives a role. Cyrus allows several: then the usual name
/// decides, otherwise the shallowest and first name.
fn by_attribute(candidates: &[Candidate<'_>], role: SpecialUse) -> Option<usize> {
    let mut marked: Vec<_> = indexed(candidates)
        .filter(|(_, c)| c.special_use == Some(role))
        .collect();
    marked.sort_by_key(|(_, c)| (!is_canonical(c.name, role), c.name.levels().len(), c.name));
    marked.first().map(|(index, _)| *index)
}

fn by_name(candidates: &[Candidate<'_>], role: SpecialUse) -> Option<usize> {
    let named: Vec<_> = indexed(candidates)
        .filter(|(_, c)| c.special_use.is_none())
        .filter_map(|(index, c)| {
            let (tier, level) = place(c.name)?;
            (role_names::role_of(level) == Some(role)).then_some((tier, index, c.name))
        })
        .collect();
    let best = named.iter().map(|(tier, _, _)| *tier).min()?;
    let mut best = named.into_iter().filter(|(tier, _, _)| *tier == best);
    match (best.next(), best.next()) {
        (Some((_, only, _)), None) => Some(only),
        (Some(first), Some(second)) => [first, second]
            .into_iter()
            .chain(best)
            .find(|(_, _, name)| is_canonical(name, role))
            .map(|(_, i, _)| i),
        (None, _) => None,
    }
}

fn indexed<'a>(
    candidates: &'a [Candidate<'a>],
) -> impl Iterator<Item = (usize, &'a Candidate<'a>)> {
    candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| !candidate.name.is_inbox())
}

fn is_canonical(name: &FolderName, role: SpecialUse) -> bool {
    name.levels()
        .last()
        .is_some_and(|level| level == role_names::canonical(role))
}

/// Returns how deep a name is, if it may indicate a role, and the level that does.
fn place(name: &FolderName) -> Option<(u8, &str)> {
    match name.levels() {
        [only] => Some((0, only)),
        [first, second] if first == "INBOX" => Some((1, second)),
        [first, second] if matches!(first.as_str(), "[Gmail]" | "[Google Mail]") => {
            Some((2, second))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SpecialUse::{All, Archive, Junk, Sent, Trash};

    fn assigned(folders: &[(&str, Option<SpecialUse>)]) -> Vec<Option<SpecialUse>> {
        let names: Vec<_> = folders
            .iter()
            .map(|(name, _)| FolderName::parse(name).unwrap())
            .collect();
        let candidates: Vec<_> = names
            .iter()
            .zip(folders)
            .map(|(name, (_, special_use))| Candidate {
                name,
                special_use: *special_use,
            })
            .collect();
        assign(&candidates)
    }

    #[test]
    fn the_server_knows_best() {
        assert_eq!(
            assigned(&[("Sent", None), ("Post", Some(Sent))]),
            [None, Some(Sent)]
        );
        assert_eq!(
            assigned(&[("Sent", Some(Trash)), ("Gesendet", None)]),
            [Some(Trash), Some(Sent)]
        );
        assert_eq!(
            assigned(&[("All Mail", Some(All)), ("a/b/c", Some(Junk))]),
            [Some(All), Some(Junk)]
        );
    }

    #[test]
    fn names_decide_where_the_server_is_silent() {
        assert_eq!(
            assigned(&[("INBOX", None), ("Papierkorb", None)]),
            [None, Some(Trash)]
        );
        assert_eq!(assigned(&[("INBOX/Spam", None)]), [Some(Junk)]);
        assert_eq!(
            assigned(&[("[Gmail]/E-mails enviados", None)]),
            [Some(Sent)]
        );
        assert_eq!(
            assigned(&[("INBOX/Spam", None), ("Junk E-mail", None)]),
            [None, Some(Junk)]
        );
        assert_eq!(assigned(&[("Clients/Archive", None)]), [None]);
    }

    #[test]
    fn doubt_gives_no_role() {
        assert_eq!(
            assigned(&[("Sent Items", None), ("Sent Messages", None)]),
            [None, None]
        );
        assert_eq!(
            assigned(&[("Sent Items", None), ("Sent", None), ("sent", None)]),
            [None, Some(Sent), None]
        );
        assert_eq!(assigned(&[("SENT", None), ("sent", None)]), [None, None]);
    }

    #[test]
    fn a_role_given_twice_goes_to_one() {
        let twice = [
            ("Alt/Archive", Some(Archive)),
            ("Old", Some(Archive)),
            ("New", Some(Archive)),
        ];
        assert_eq!(assigned(&twice), [Some(Archive), None, None]);
        assert_eq!(
            assigned(&[("b", Some(Junk)), ("a", Some(Junk))]),
            [None, Some(Junk)]
        );
    }
}
