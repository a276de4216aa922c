//! Where messages go that only a view on the source has: from All Mail, archived mail, to the
//! target's archive.

use super::destination;
use super::name::FolderName;
use super::pairing::{Pair, PairError, TargetFolder};
use super::rename;
use super::role_names;
use super::roster::{Folder, Roster};
use super::rules::Rules;
use super::target::{Resolved, TargetSide};
use crate::mail::{Listing, SpecialUse};

/// Pairs the source's views that take part, each with the folder for messages that only it has. A
/// view that the user names is treated like any folder.
///
/// # Errors
/// A rule that leaves no name.
pub(super) fn pairs(
    source: &Listing,
    target: &Listing,
    (from, to): (&Roster, &Roster),
    rules: &Rules,
) -> Result<Vec<Pair>, PairError> {
    let side = TargetSide::new(target, to);
    let mut views = Vec::new();
    for folder in &from.folders {
        let Some(mailbox) = source.mailboxes.get(folder.index) else {
            continue;
        };
        let Some(role) = mailbox
            .special_use
            .filter(|role| role.is_view() && mailbox.selectable)
        else {
            continue;
        };
        let key = folder.name.key();
        let is_named = rules.include.iter().any(|pattern| pattern.names(&key));
        if is_named || rules.refuses(&key).is_some() || is_only_foreign(folder, rules, &key) {
            continue;
        }
        let mapped = destination::by_rules(&folder.name, rules)?;
        let place = Place {
            side: &side,
            source,
            target,
            roster: to,
            rules,
        };
        let named = mapped.or_else(|| place.archive_by_option());
        let Some(resolved) = place.of(folder, role, named.as_ref()) else {
            continue;
        };
        let is_free = to
            .folders
            .iter()
            .all(|other| other.role != Some(SpecialUse::Archive));
        let is_new = matches!(resolved.target, TargetFolder::New { .. });
        let is_archive =
            is_new && named.is_none() && role == SpecialUse::All && is_free && rules.pair_roles;
        let mut reasons = vec!["only what is in no other folder".to_owned()];
        reasons.extend(resolved.reasons);
        views.push(Pair {
            source: folder.index,
            from: folder.name.clone(),
            to: resolved.to,
            target: resolved.target,
            role: Some(role),
            new_role: is_archive.then_some(SpecialUse::Archive),
            view: true,
            reasons,
            subscribe: is_new && mailbox.subscribed,
        });
    }
    Ok(views)
}

/// Reports whether it shows others' mail. A view in its own namespace, like Dovecot's virtual
/// folders, is the user's.
fn is_only_foreign(folder: &Folder, rules: &Rules, key: &str) -> bool {
    folder.foreign
        && !rules.include.is_empty()
        && !rules
            .include
            .iter()
            .any(|pattern| pattern.matches_on_purpose(key))
}

/// Finds the folder on the target.
struct Place<'a> {
    side: &'a TargetSide<'a>,
    source: &'a Listing,
    target: &'a Listing,
    roster: &'a Roster,
    rules: &'a Rules,
}

impl Place<'_> {
    /// Returns the folder that the user wants for Gmail's archived mail.
    fn archive_by_option(&self) -> Option<FolderName> {
        self.rules
            .gmail_archive
            .clone()
            .filter(|_| self.source.are_labels)
    }

    fn of(&self, view: &Folder, role: SpecialUse, named: Option<&FolderName>) -> Option<Resolved> {
        if let Some(name) = named {
            return self.resolve(name.clone(), true);
        }
        if let Some(all) = self.all_mail() {
            return Some(all);
        }
        let archive = self.archive()?;
        // On Gmail, stars and importance are marks: what has no other label is archived.
        if role == SpecialUse::All || self.source.are_labels {
            return self.resolve(archive, false);
        }
        let own = view
            .name
            .levels()
            .last()
            .and_then(|level| FolderName::parse(level));
        own.and_then(|name| self.resolve(name, false))
            .or_else(|| self.resolve(archive, false))
    }

    fn resolve(&self, name: FolderName, explicit: bool) -> Option<Resolved> {
        self.side
            .resolve(&rename::place(self.rules, name), explicit)
            .ok()
    }

    /// Returns All Mail on a target where folders are labels: a message without any is in it
    /// automatically.
    fn all_mail(&self) -> Option<Resolved> {
        let is_all = |folder: &&Folder| {
            let mailbox = self.target.mailboxes.get(folder.index);
            mailbox.is_some_and(|mailbox| {
                mailbox.selectable && mailbox.special_use == Some(SpecialUse::All)
            })
        };
        let usable = self.target.are_labels && self.rules.into.is_none();
        let folder = self.roster.folders.iter().find(is_all).filter(|_| usable)?;
        let target = TargetFolder::Existing(folder.index);
        Some(Resolved {
            to: folder.name.clone(),
            target,
            reasons: vec!["the target keeps unlabelled mail there".to_owned()],
        })
    }

    fn archive(&self) -> Option<FolderName> {
        let with_role = self
            .roster
            .folders
            .iter()
            .find(|folder| folder.role == Some(SpecialUse::Archive));
        let with_role = with_role
            .filter(|_| self.rules.pair_roles)
            .map(|folder| folder.name.clone());
        with_role.or_else(|| FolderName::parse(role_names::canonical(SpecialUse::Archive)))
    }
}
