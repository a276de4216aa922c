//! Pairs the folders of two mailboxes before anything is created.
//!
//! Invariants: every selectable mailbox on the source is either in a pair or reported as skipped;
//! two folders never become one unless `--map` says so; the outcome for one folder doesn't depend
//! on which others were selected.

use super::destination::{self, Destination, Sides};
use super::gmail;
use super::kept;
use super::name::FolderName;
use super::origin::origins;
use super::pairing::{
    Collision, LeavesOut, Pair, PairError, Pairing, Skipped, TargetFolder, Unmatched,
};
use super::roster::{Folder, Roster, Unreadable};
use super::rules::Rules;
use super::target::{Resolved, TargetSide};
use super::views;
use crate::mail::{ListedMailbox, Listing, MailboxName, SpecialUse, counted};
use std::collections::{HashMap, HashSet};

/// Finds the target's folder for each of the source's folders.
///
/// # Errors
/// A folder requested by name doesn't exist, two folders would become one, or a rule leaves no
/// name.
pub fn pair(source: &Listing, target: &Listing, rules: &Rules) -> Result<Pairing, PairError> {
    let (from, to) = (Roster::read(source), Roster::read(target));
    let there: Vec<&FolderName> = from.folders.iter().map(|folder| &folder.name).collect();
    rules.check_names(&there, "on the source")?;
    let mut pairing = Pairing::default();
    let candidates = candidates(source, &from, rules, &mut pairing);
    let sides = Sides {
        source: &from,
        target: &to,
        leaves_gmail: source.are_labels && !target.are_labels,
    };
    let destinations = destination::all(&candidates, &sides, rules)?;
    let side = TargetSide::new(target, &to);
    let (mut drafts, mut matched) = draft(&candidates, destinations, &side, rules, &mut pairing);
    leave_others_names(&mut drafts, target);
    tell_of_merges(&mut drafts, source)?;
    tell_of_case(&mut drafts);
    pairing.views = views::pairs(source, target, (&from, &to), rules)?;
    matched.extend(pairing.views.iter().filter_map(|view| match view.target {
        TargetFolder::Existing(index) => Some(index),
        TargetFolder::New { .. } => None,
    }));
    pairing.pairs = drafts
        .into_iter()
        .map(|draft| draft.into_pair(source, target))
        .collect();
    for pair in &mut pairing.pairs {
        let is_free = |role: &SpecialUse| {
            rules.pair_roles && to.folders.iter().all(|folder| folder.role != Some(*role))
        };
        pair.new_role = pair.new_role.filter(is_free);
    }
    pairing.pairs.sort_by(|a, b| {
        (!a.to.is_inbox(), &a.to, a.source).cmp(&(!b.to.is_inbox(), &b.to, b.source))
    });
    pairing.skipped.sort_by_key(|skipped| skipped.source);
    pairing.unmatched_target = unmatched([source, target], &to, rules, &matched);
    pairing.warnings = rules.unused(&there, "on the source");
    pairing.warnings.extend(left_out_as_kept(&pairing.skipped));
    pairing.warnings.extend(gmail::warnings(source, rules));
    if source.are_labels {
        pairing.labels = rules.gmail_labels;
    }
    Ok(pairing)
}

/// Finds the target's folder for each of these. Gives the pairs of those that are selected, and
/// what all of them have there.
fn draft<'f>(
    candidates: &[&'f Folder],
    destinations: Vec<Destination>,
    side: &TargetSide<'_>,
    rules: &Rules,
    pairing: &mut Pairing,
) -> (Vec<Draft<'f>>, HashSet<usize>) {
    let mut drafts = Vec::new();
    let mut matched = HashSet::new();
    let mut claimed: HashSet<String> = destinations
        .iter()
        .map(|destination| destination.to.key())
        .collect();
    for (folder, destination) in candidates.iter().zip(destinations) {
        let resolved = side.resolve(&destination.to, destination.explicit);
        let resolved = resolved
            .map(|resolved| side.or_flattened(resolved, destination.explicit, &mut claimed));
        if let Ok(Resolved {
            target: TargetFolder::Existing(index),
            ..
        }) = &resolved
        {
            matched.insert(*index);
        }
        if let Some(by) = rules.refuses(&folder.name.key()) {
            pairing.leave_out(folder, by);
            continue;
        }
        match resolved {
            Ok(resolved) => drafts.push(Draft {
                folder,
                destination,
                resolved,
            }),
            Err(reason) => pairing.skip(folder, reason, true),
        }
    }
    (drafts, matched)
}

impl Pairing {
    fn skip(&mut self, folder: &Folder, reason: String, failed: bool) {
        self.skipped.push(Skipped {
            source: folder.index,
            name: folder.name.to_string(),
            reason,
            failed,
            by: None,
        });
    }

    fn leave_out(&mut self, folder: &Folder, by: LeavesOut) {
        self.skip(folder, by.reason().to_owned(), false);
        if let Some(skipped) = self.skipped.last_mut() {
            skipped.by = Some(by);
        }
    }
}

/// Returns the source's folders that hold mail of their own, selected or not. Skips the others.
fn candidates<'a>(
    listing: &Listing,
    roster: &'a Roster,
    rules: &Rules,
    pairing: &mut Pairing,
) -> Vec<&'a Folder> {
    pairing.skipped.extend(
        roster
            .unreadable
            .iter()
            .map(|unreadable| skipped(unreadable, listing)),
    );
    let parents: HashSet<FolderName> = roster
        .folders
        .iter()
        .flat_map(|folder| folder.name.ancestors())
        .collect();
    let has_kept = roster
        .folders
        .iter()
        .any(|folder| kept::is_of_a_day(&folder.name));
    let mut found = Vec::new();
    for folder in &roster.folders {
        let Some(mailbox) = listing.mailboxes.get(folder.index) else {
            continue;
        };
        let is_aside = || {
            kept_aside(folder, mailbox, has_kept, rules).then_some(Unfit::LeftOut(LeavesOut::Kept))
        };
        let is_chats = || {
            rules
                .leaves_chats(listing, folder)
                .then_some(Unfit::LeftOut(LeavesOut::Chats))
        };
        match unfit(folder, mailbox, rules)
            .or_else(is_aside)
            .or_else(is_chats)
        {
            None => found.push(folder),
            // A parent is created with its children: nothing to report.
            Some(_) if !mailbox.selectable && parents.contains(&folder.name) => {}
            Some(Unfit::LeftOut(by)) => {
                pairing.leave_out(folder, rules.refuses(&folder.name.key()).unwrap_or(by));
            }
            Some(Unfit::HoldsNone) => {
                pairing.skip(folder, "it can hold no messages".to_owned(), false);
            }
            Some(Unfit::View) => match rules.refuses(&folder.name.key()) {
                Some(by) => pairing.leave_out(folder, by),
                None => pairing.skip(folder, VIEW.to_owned(), false),
            },
        }
    }
    found
}

/// A mailbox whose name can't be read.
fn skipped(unreadable: &Unreadable, listing: &Listing) -> Skipped {
    let mailbox = listing.mailboxes.get(unreadable.index);
    Skipped {
        source: unreadable.index,
        name: mailbox
            .map(|mailbox| mailbox.name.to_string())
            .unwrap_or_default(),
        reason: unreadable.reason.clone(),
        failed: mailbox.is_some_and(|mailbox| mailbox.selectable),
        by: None,
    }
}

/// What is said about a view.
const VIEW: &str = "a view of other folders: only messages in none of them are included; use --folder with its full \
                    name to include all";

/// Why a folder never takes part, whatever its name.
enum Unfit {
    /// It isn't a mailbox.
    HoldsNone,
    /// It shows mail from other folders.
    View,
    /// It is left out unless an option names it.
    LeftOut(LeavesOut),
}

fn unfit(folder: &Folder, mailbox: &ListedMailbox, rules: &Rules) -> Option<Unfit> {
    let key = folder.name.key();
    if !mailbox.selectable {
        Some(Unfit::HoldsNone)
    } else if mailbox.special_use.is_some_and(SpecialUse::is_view)
        && !rules.include.iter().any(|pattern| pattern.names(&key))
    {
        Some(Unfit::View)
    } else if folder.foreign
        && !rules
            .include
            .iter()
            .any(|pattern| pattern.matches_on_purpose(&key))
    {
        Some(Unfit::LeftOut(LeavesOut::Shared))
    } else {
        None
    }
}

/// Reports whether a folder takes no part because it holds what vanished from another mailbox. The
/// folder above all of them may be the user's own, unless it is empty.
fn kept_aside(folder: &Folder, mailbox: &ListedMailbox, has_kept: bool, rules: &Rules) -> bool {
    let is_aside = kept::is_of_a_day(&folder.name)
        || has_kept && kept::is_kept(&folder.name) && mailbox.is_empty();
    let key = folder.name.key();
    let is_meant = || {
        rules
            .include
            .iter()
            .any(|pattern| pattern.matches_on_purpose(&key))
    };
    is_aside && !folder.foreign && !is_meant()
}

fn left_out_as_kept(skipped: &[Skipped]) -> Option<String> {
    let count = skipped
        .iter()
        .filter(|skipped| skipped.by == Some(LeavesOut::Kept))
        .count() as u64;
    (count > 0).then(|| {
        let (folders, them) = (counted(count, "folder"), if count == 1 { "it" } else { "them" });
        format!(
            "skipping {folders} with messages moved by --keep-deleted (use --folder 'Vanished/**' to include {them})"
        )
    })
}

/// A pair in the making.
struct Draft<'a> {
    folder: &'a Folder,
    destination: Destination,
    resolved: Resolved,
}

impl Draft<'_> {
    fn into_pair(self, source: &Listing, target: &Listing) -> Pair {
        let is_subscribed = |listing: &Listing, index| {
            listing
                .mailboxes
                .get(index)
                .is_some_and(|mailbox: &ListedMailbox| mailbox.subscribed)
        };
        let there = match self.resolved.target {
            TargetFolder::Existing(index) => is_subscribed(target, index),
            TargetFolder::New { .. } => false,
        };
        let mut reasons = self.folder.notes.clone();
        reasons.extend(self.destination.reasons);
        reasons.extend(style_reason(
            &self.folder.name,
            &self.resolved.to,
            source,
            target,
        ));
        reasons.extend(self.resolved.reasons);
        let is_new = matches!(self.resolved.target, TargetFolder::New { .. });
        let new_role = self
            .folder
            .role
            .filter(|role| is_new && !self.destination.explicit && !role.is_view());
        Pair {
            source: self.folder.index,
            from: self.folder.name.clone(),
            to: self.resolved.to,
            target: self.resolved.target,
            role: self.folder.role,
            new_role,
            view: false,
            reasons,
            subscribe: is_subscribed(source, self.folder.index) && !there,
        }
    }
}

/// Explains how the two sides' spellings of a name differ, if they do.
fn style_reason(
    from: &FolderName,
    to: &FolderName,
    source: &Listing,
    target: &Listing,
) -> Option<String> {
    let (ours, theirs) = (&source.style, &target.style);
    let nested = from.levels().len() > 1 && to.levels().len() > 1;
    let mut parts = Vec::new();
    if let (true, Some(a), Some(b)) = (
        nested && ours.separator != theirs.separator,
        ours.separator,
        theirs.separator,
    ) {
        parts.push(format!("separator '{a}' becomes '{b}'"));
    }
    if ours.prefix != theirs.prefix && !from.is_inbox() {
        let shown = |prefix: &[u8]| format!("'{}'", prefix.escape_ascii());
        parts.push(match (ours.prefix.is_empty(), theirs.prefix.is_empty()) {
            (true, _) => format!("prefix {} added", shown(&theirs.prefix)),
            (_, true) => format!("prefix {} removed", shown(&ours.prefix)),
            _ => format!(
                "prefix {} becomes {}",
                shown(&ours.prefix),
                shown(&theirs.prefix)
            ),
        });
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Keeps flattened names from being those of other folders. If two folders could get the same one,
/// the first does.
fn leave_others_names(drafts: &mut [Draft<'_>], target: &Listing) {
    let mut taken: HashSet<MailboxName> = target
        .mailboxes
        .iter()
        .map(|mailbox| mailbox.name.clone())
        .collect();
    for draft in drafts.iter() {
        if let TargetFolder::New {
            name, fallbacks, ..
        } = &draft.resolved.target
        {
            taken.insert(name.clone());
            taken.extend(fallbacks.iter().cloned());
        }
    }
    for draft in drafts {
        let TargetFolder::New { flattened, .. } = &mut draft.resolved.target else {
            continue;
        };
        flattened.retain(|flattened| !taken.contains(&flattened.name));
        taken.extend(flattened.iter().map(|flattened| flattened.name.clone()));
    }
}

/// Reports merges that `--map` asks for; any other is an error.
fn tell_of_merges(drafts: &mut [Draft<'_>], source: &Listing) -> Result<(), PairError> {
    let mut groups: HashMap<_, Vec<usize>> = HashMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        let place = match draft.resolved.target {
            TargetFolder::Existing(index) => Ok(index),
            TargetFolder::New { .. } => Err(draft.resolved.to.key()),
        };
        groups.entry(place).or_default().push(index);
    }
    let mut groups: Vec<_> = groups
        .into_values()
        .filter(|group| group.len() > 1)
        .collect();
    // Report the same error every time, whatever order the map has.
    groups.sort();
    for group in groups {
        let members: Vec<&Draft<'_>> = group
            .iter()
            .filter_map(|&index| drafts.get(index))
            .collect();
        let unmapped: Vec<_> = members
            .iter()
            .filter(|draft| !draft.destination.mapped)
            .collect();
        if let [first, second, ..] = unmapped.as_slice() {
            return Err(collision(first, second, source));
        }
        let names: Vec<_> = members
            .iter()
            .map(|draft| draft.folder.name.clone())
            .collect();
        for index in group {
            let Some(draft) = drafts.get_mut(index) else {
                continue;
            };
            let others: Vec<_> = names
                .iter()
                .filter(|name| **name != draft.folder.name)
                .map(ToString::to_string)
                .collect();
            draft
                .resolved
                .reasons
                .push(format!("joined with {} by --map", others.join(", ")));
        }
    }
    Ok(())
}

fn collision(first: &Draft<'_>, second: &Draft<'_>, source: &Listing) -> PairError {
    let raw = |draft: &Draft<'_>| {
        source
            .mailboxes
            .get(draft.folder.index)
            .map_or_else(|| "".into(), |mailbox| mailbox.name.clone())
    };
    PairError::Collision(Box::new(Collision {
        first: first.folder.name.clone(),
        first_raw: raw(first),
        second: second.folder.name.clone(),
        second_raw: raw(second),
        to: second.resolved.to.clone(),
    }))
}

/// Warns about folders whose names on the target differ only by case.
fn tell_of_case(drafts: &mut [Draft<'_>]) {
    let mut groups: HashMap<String, Vec<FolderName>> = HashMap::new();
    let key = |draft: &Draft<'_>| draft.resolved.to.key().to_lowercase();
    for draft in drafts.iter() {
        groups
            .entry(key(draft))
            .or_default()
            .push(draft.resolved.to.clone());
    }
    for draft in drafts {
        let own = draft.resolved.to.key();
        let group = groups
            .get(&key(draft))
            .map(Vec::as_slice)
            .unwrap_or_default();
        if let Some(other) = group.iter().find(|other| other.key() != own) {
            let reason =
                format!("differs from {other} only in case: some servers treat both as one");
            draft.resolved.reasons.push(reason);
        }
    }
}

fn unmatched(
    [source, target]: [&Listing; 2],
    roster: &Roster,
    rules: &Rules,
    matched: &HashSet<usize>,
) -> Vec<Unmatched> {
    let is_place = |folder: &&Folder| {
        target.mailboxes.get(folder.index).is_some_and(|mailbox| {
            mailbox.selectable
                && !folder.foreign
                && !mailbox.special_use.is_some_and(SpecialUse::is_view)
        })
    };
    let folders: Vec<&Folder> = (roster.folders.iter().filter(is_place))
        .filter(|folder| !matched.contains(&folder.index) && rules.concerns_target(&folder.name))
        .filter(|folder| !kept::is_kept(&folder.name))
        .collect();
    let wanted: Vec<_> = folders
        .iter()
        .map(|folder| (folder.name.clone(), folder.role))
        .collect();
    let origins = origins(source, &wanted, rules);
    let unmatched = |(folder, origins): (&Folder, Vec<MailboxName>)| Unmatched {
        target: folder.index,
        name: folder.name.clone(),
        role: folder.role,
        origins,
    };
    folders.into_iter().zip(origins).map(unmatched).collect()
}
