//! The target's side of a pairing: finds the folder that a name means there, or returns how to
//! write a new one.
//!
//! Invariants: a folder created by an earlier run is found again, however its name had to be
//! written; a new folder goes below its parent's actual spelling; unless the user asks for it,
//! nothing goes to a view or another user's folders.

use super::escape::{self, Strength};
use super::name::FolderName;
use super::pairing::TargetFolder;
use super::roster::{self, Folder, Roster};
use super::style;
use crate::mail::{Flattened, ListedMailbox, Listing, MailboxName, SpecialUse};
use std::collections::{HashMap, HashSet};

/// Servers are known to refuse names of 250 bytes or more; some count the path around it.
const LONG_NAME: usize = 200;

/// The target's folders, indexed by every way in which one may be found.
pub(super) struct TargetSide<'a> {
    listing: &'a Listing,
    own: HashMap<String, &'a Folder>,
    foreign: HashMap<String, &'a Folder>,
    lower_case: HashMap<String, &'a Folder>,
    raw: HashMap<&'a MailboxName, &'a Folder>,
}

/// Where a name leads on the target.
#[derive(Debug)]
pub(super) struct Resolved {
    /// The name, adapted to the target.
    pub(super) to: FolderName,
    /// The folder.
    pub(super) target: TargetFolder,
    /// What is unusual about it.
    pub(super) reasons: Vec<String>,
}

impl<'a> TargetSide<'a> {
    /// Indexes a listing.
    pub(super) fn new(listing: &'a Listing, roster: &'a Roster) -> Self {
        let mut side = Self {
            listing,
            own: HashMap::new(),
            foreign: HashMap::new(),
            lower_case: HashMap::new(),
            raw: HashMap::new(),
        };
        for folder in &roster.folders {
            let key = folder.name.key();
            if folder.foreign {
                side.foreign.entry(key).or_insert(folder);
                continue;
            }
            side.lower_case.entry(key.to_lowercase()).or_insert(folder);
            side.own.entry(key).or_insert(folder);
            if let Some(mailbox) = listing.mailboxes.get(folder.index) {
                side.raw.insert(&mailbox.name, folder);
            }
        }
        side
    }

    /// Reports whether a folder can have subfolders at all.
    pub(super) fn has_levels(&self) -> bool {
        style::usable(self.listing.style.separator).is_some()
    }

    /// Returns the folder for a name. `explicit`: the user gave this exact name, and may mean
    /// another user's folder or a view.
    ///
    /// `Err`: why mail can't go there.
    pub(super) fn resolve(&self, wanted: &FolderName, explicit: bool) -> Result<Resolved, String> {
        let (to, reasons) = match self.find(wanted, explicit) {
            Some(_) => (wanted.clone(), Vec::new()),
            None => self.fit(wanted, explicit),
        };
        let found = self
            .find(&to, explicit)
            .and_then(|folder| Some((folder, self.mailbox(folder)?)));
        match found {
            Some((folder, mailbox)) if mailbox.selectable => {
                self.existing(to, folder, mailbox, explicit, reasons)
            }
            _ => self.create(to, explicit, reasons),
        }
    }

    /// Returns, for a folder that would be new, the one that an earlier run created under a
    /// flattened name because a mailbox above could have no subfolders. `claimed` has the keys of
    /// names reserved for others; the one used is added.
    pub(super) fn or_flattened(
        &self,
        new: Resolved,
        explicit: bool,
        claimed: &mut HashSet<String>,
    ) -> Resolved {
        if !matches!(new.target, TargetFolder::New { .. }) {
            return new;
        }
        for depth in 0..new.to.levels().len() - 1 {
            let name = new.to.flattened(depth);
            let Some(folder) = self
                .find(&name, explicit)
                .filter(|_| !claimed.contains(&name.key()))
            else {
                continue;
            };
            let Some(mailbox) = self.mailbox(folder).filter(|mailbox| mailbox.selectable) else {
                continue;
            };
            if let Ok(found) = self.existing(name, folder, mailbox, explicit, Vec::new()) {
                claimed.insert(found.to.key());
                let reason =
                    "the target already has it so: its parent can't have subfolders".to_owned();
                return Resolved {
                    reasons: [vec![reason], found.reasons].concat(),
                    ..found
                };
            }
        }
        new
    }

    fn existing(
        &self,
        to: FolderName,
        folder: &Folder,
        mailbox: &ListedMailbox,
        explicit: bool,
        mut reasons: Vec<String>,
    ) -> Result<Resolved, String> {
        if mailbox.special_use.is_some_and(SpecialUse::is_view) && !explicit {
            return Err(format!(
                "the target's {to} shows other folders' messages: choose another folder with --map"
            ));
        }
        if !folder.notes.is_empty() {
            reasons.push(format!("the target writes it as {}", mailbox.name));
        }
        Ok(Resolved {
            to,
            target: TargetFolder::Existing(folder.index),
            reasons,
        })
    }

    fn create(
        &self,
        to: FolderName,
        explicit: bool,
        mut reasons: Vec<String>,
    ) -> Result<Resolved, String> {
        let name = self.write(&to, explicit, style::ALL_PLAIN);
        let mut fallbacks: Vec<MailboxName> = Vec::new();
        // If nothing more would be escaped in the whole name, the same holds for any part of it.
        let levels = if self.write(&to, explicit, 0) == name {
            0
        } else {
            to.levels().len()
        };
        for plain in (0..levels).rev() {
            let fallback = self.write(&to, explicit, plain);
            if fallback != name && fallbacks.last() != Some(&fallback) {
                fallbacks.push(fallback);
            }
        }
        if !explicit && roster::is_foreign_name(&name, self.listing.style.separator, self.listing) {
            return Err(format!(
                "{to} is among other users' or shared folders on the target: choose another with --map"
            ));
        }
        reasons.extend(self.escape_reason(&to, &name));
        if name.as_bytes().len() > LONG_NAME {
            reasons.push(format!(
                "its name is {} bytes long: some servers refuse that",
                name.as_bytes().len()
            ));
        }
        if let Some(other) = self
            .lower_case
            .get(&to.key().to_lowercase())
            .filter(|other| other.name.key() != to.key())
        {
            reasons.push(format!(
                "the target has {}, which differs only in case",
                other.name
            ));
        }
        let flattened = self.flattened(&to, explicit);
        Ok(Resolved {
            to,
            target: TargetFolder::New {
                name,
                fallbacks,
                flattened,
            },
            reasons,
        })
    }

    /// Returns the folder's names in case a mailbox above it can have no subfolders: that mailbox
    /// and all levels below as one level, the outermost first, as [`Self::fit`] would write it if
    /// it knew that mailbox.
    fn flattened(&self, to: &FolderName, explicit: bool) -> Vec<Flattened> {
        let mut all = Vec::new();
        if !self.has_levels() {
            return all;
        }
        for (depth, parent) in to
            .ancestors()
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .enumerate()
        {
            let name = to.flattened(depth);
            let there = self
                .find(&parent, explicit)
                .and_then(|folder| self.mailbox(folder));
            for plain in [style::ALL_PLAIN, 0] {
                let above = there.map_or_else(
                    || self.write(&parent, explicit, plain),
                    |mailbox| mailbox.name.clone(),
                );
                let flattened = Flattened {
                    parent: above,
                    name: self.write(&name, explicit, plain),
                };
                if !all.contains(&flattened) {
                    all.push(flattened);
                }
            }
        }
        all
    }

    /// Writes a raw name for a new folder, below its nearest existing ancestor. Subfolders of INBOX
    /// go below the prefix.
    fn write(&self, name: &FolderName, explicit: bool, plain: usize) -> MailboxName {
        let style = &self.listing.style;
        let below_parent = name
            .ancestors()
            .filter(|ancestor| !ancestor.is_inbox())
            .find_map(|ancestor| {
                let mailbox = self.mailbox(self.find(&ancestor, explicit)?)?;
                let plain = plain.saturating_sub(ancestor.levels().len());
                Some(style::encode_below(
                    &mailbox.name,
                    name.below(&ancestor)?,
                    style,
                    plain,
                ))
            });
        below_parent.unwrap_or_else(|| style::encode(name, style, plain))
    }

    fn escape_reason(&self, name: &FolderName, raw: &MailboxName) -> Option<String> {
        let separator = style::usable(self.listing.style.separator);
        let mut unfit: Vec<String> = Vec::new();
        let mut changed = false;
        for level in name.levels() {
            changed |= escape::escape(level, separator, Strength::Plain) != *level;
            for c in escape::unfit(level, separator) {
                let shown = format!("'{}'", c.escape_debug());
                if !unfit.contains(&shown) {
                    unfit.push(shown);
                }
            }
        }
        let why = match unfit.as_slice() {
            [] => "so that the name can be read back".to_owned(),
            some => format!("the target's names can't hold {}", some.join(", ")),
        };
        changed.then(|| format!("escaped to {raw}: {why}"))
    }

    /// Joins all levels that the target can't have into one: it has none at all, or none below a
    /// `\Noinferiors` folder.
    fn fit(&self, wanted: &FolderName, explicit: bool) -> (FolderName, Vec<String>) {
        if wanted.levels().len() > 1 && !self.has_levels() {
            return (
                wanted.flattened(0),
                vec!["the target has no folder hierarchy".to_owned()],
            );
        }
        let barren = |name: &FolderName| {
            let folder = self.find(name, explicit)?;
            self.mailbox(folder)?.no_inferiors.then_some(folder)
        };
        let childless = wanted
            .ancestors()
            .filter_map(|ancestor| Some((barren(&ancestor)?, ancestor)))
            .last();
        match childless {
            Some((folder, ancestor)) => {
                let reason = format!("the target's {} can't have subfolders", folder.name);
                (wanted.flattened(ancestor.levels().len() - 1), vec![reason])
            }
            None => (wanted.clone(), Vec::new()),
        }
    }

    fn find(&self, name: &FolderName, explicit: bool) -> Option<&'a Folder> {
        let key = name.key();
        let by_name = || {
            self.own
                .get(&key)
                .or_else(|| self.foreign.get(&key).filter(|_| explicit))
        };
        let spelling = |plain| style::encode(name, &self.listing.style, plain);
        let by_raw = || {
            let (plain, escaped) = (spelling(name.levels().len()), spelling(0));
            let found = self.raw.get(&plain);
            // If the first and the last spelling are the same, so are all between them.
            if found.is_some() || plain == escaped {
                return found;
            }
            (0..name.levels().len())
                .rev()
                .find_map(|plain| self.raw.get(&spelling(plain)))
        };
        by_name().or_else(by_raw).copied()
    }

    fn mailbox(&self, folder: &Folder) -> Option<&'a ListedMailbox> {
        self.listing.mailboxes.get(folder.index)
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::tests::name;
    use super::super::testing::listing;
    use super::*;

    fn resolved(
        listing: &Listing,
        wanted: &[&str],
        explicit: bool,
    ) -> Result<(String, TargetFolder), String> {
        let roster = Roster::read(listing);
        let side = TargetSide::new(listing, &roster);
        side.resolve(&name(wanted), explicit)
            .map(|resolved| (resolved.to.to_string(), resolved.target))
    }

    fn found(listing: &Listing, wanted: &[&str]) -> Option<usize> {
        match resolved(listing, wanted, false).unwrap().1 {
            TargetFolder::Existing(index) => Some(index),
            TargetFolder::New { .. } => None,
        }
    }

    fn created(listing: &Listing, wanted: &[&str]) -> (String, Vec<String>) {
        match resolved(listing, wanted, false).unwrap().1 {
            TargetFolder::New {
                name, fallbacks, ..
            } => (
                name.to_string(),
                fallbacks.iter().map(ToString::to_string).collect(),
            ),
            TargetFolder::Existing(index) => panic!("{wanted:?} is {index}"),
        }
    }

    #[test]
    fn a_folder_is_found_however_it_is_written() {
        let raw = ["Inbox", "caf&AOk-", "a=2Eb", "R=26D", "Work/kid", "x&y"];
        let listing = listing("", '/', &raw);
        for (wanted, index) in [
            (&["INBOX"][..], Some(0)),
            (&["cafe\u{301}"], Some(1)),
            (&["a.b"], Some(2)),
            (&["R&D"], Some(3)),
            (&["Work", "kid"], Some(4)),
            (&["x&y"], Some(5)),
            (&["work", "kid"], None),
            (&["Work"], None),
        ] {
            assert_eq!(found(&listing, wanted), index, "{wanted:?}");
        }
    }

    #[test]
    fn a_new_folder_is_written_in_the_targets_way() {
        let dot = listing("INBOX.", '.', &["INBOX"]);
        let pair = |name: &str, fallbacks: &[&str]| {
            (
                name.to_owned(),
                fallbacks
                    .iter()
                    .map(|&name| name.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(created(&dot, &["Work", "kid"]), pair("INBOX.Work.kid", &[]));
        assert_eq!(created(&dot, &["a.b/c"]), pair("INBOX.a=2Eb=2Fc", &[]));
        assert_eq!(
            created(&dot, &["INBOX", "kid"]),
            pair("INBOX.INBOX.kid", &[])
        );
        assert_eq!(
            created(&dot, &["Größe 100%"]),
            pair("INBOX.Gr&APYA3w-e 100%", &["INBOX.Gr&APYA3w-e 100=25"])
        );
        assert_eq!(
            created(&dot, &["😀"]),
            pair("INBOX.&2D3eAA-", &["INBOX.=F0=9F=98=80"])
        );
        // What the server accepts above a refused level is spelled like its own folder.
        assert_eq!(
            created(&dot, &["R&D", "x", "a%b"]),
            pair(
                "INBOX.R&-D.x.a%b",
                &["INBOX.R&-D.x.a=25b", "INBOX.R=26D.x.a=25b"]
            )
        );
    }

    #[test]
    fn a_new_folder_stands_below_its_parents_spelling() {
        let slash = listing("", '/', &["INBOX", "a=2Eb", "d/ \\Noselect"]);
        assert_eq!(created(&slash, &["a.b", "c", "d"]).0, "a=2Eb/c/d");
        assert_eq!(created(&slash, &["d", "x"]).0, "d/x");
        assert_eq!(created(&slash, &["INBOX", "x"]).0, "INBOX/x");
    }

    #[test]
    fn a_parent_only_is_created() {
        assert_eq!(
            created(
                &listing("", '/', &["Work \\Noselect", "Work/kid"]),
                &["Work"]
            )
            .0,
            "Work"
        );
    }

    #[test]
    fn what_can_have_no_children_gets_siblings() {
        let target = listing("", '/', &["INBOX \\Noinferiors", "INBOX=2Fold"]);
        assert_eq!(
            created(&target, &["INBOX", "kid", "x"]).0,
            "INBOX=2Fkid=2Fx"
        );
        assert_eq!(found(&target, &["INBOX", "old"]), Some(1));
        let mut flat = listing("", '/', &["INBOX", "a=2Fb"]);
        flat.style.separator = None;
        flat.mailboxes
            .iter_mut()
            .for_each(|mailbox| mailbox.separator = None);
        assert_eq!(created(&flat, &["a", "c"]).0, "a=2Fc");
        assert_eq!(found(&flat, &["a", "b"]), Some(1));
    }

    #[test]
    fn a_folder_below_a_mailbox_has_a_name_beside_it_too() {
        let target = listing("", '/', &["INBOX", "A", "B=2Fkid", "C=2Fkid"]);
        let roster = Roster::read(&target);
        let side = TargetSide::new(&target, &roster);
        let flattened = |wanted: &[&str]| match side.resolve(&name(wanted), false).unwrap().target {
            TargetFolder::New { flattened, .. } => flattened
                .into_iter()
                .map(|Flattened { parent, name }| format!("{parent}: {name}"))
                .collect::<Vec<_>>(),
            TargetFolder::Existing(index) => panic!("{wanted:?} is {index}"),
        };
        assert_eq!(flattened(&["Z"]), [""; 0]);
        assert_eq!(
            flattened(&["A", "b", "c"]),
            ["A: A=2Fb=2Fc", "A/b: A/b=2Fc"]
        );
        assert_eq!(flattened(&["x%", "y"]), ["x%: x%=2Fy", "x=25: x=25=2Fy"]);
        let mut claimed = HashSet::from([name(&["C/kid"]).key()]);
        let mut found = |wanted: &[&str]| {
            let new = side.resolve(&name(wanted), false).unwrap();
            side.or_flattened(new, false, &mut claimed).to
        };
        assert_eq!(found(&["B", "kid"]), name(&["B/kid"]));
        assert_eq!(
            found(&["B", "kid"]),
            name(&["B", "kid"]),
            "it is the first's by now"
        );
        assert_eq!(
            found(&["C", "kid"]),
            name(&["C", "kid"]),
            "it is another folder's"
        );
    }

    #[test]
    fn views_and_others_folders_need_the_users_word() {
        let mut target = listing("", '/', &["All Mail \\All", "shared/x"]);
        target.foreign_prefixes = vec![b"shared/".to_vec()];
        for (wanted, index) in [(&["All Mail"][..], 0), (&["shared", "x"], 1)] {
            assert!(resolved(&target, wanted, false).is_err());
            assert_eq!(
                resolved(&target, wanted, true).unwrap().1,
                TargetFolder::Existing(index)
            );
        }
        assert!(resolved(&target, &["shared", "new"], false).is_err());
        assert!(resolved(&target, &["shared", "new"], true).is_ok());
    }

    #[test]
    fn what_is_odd_is_told() {
        let target = listing("", '.', &["work"]);
        let roster = Roster::read(&target);
        let side = TargetSide::new(&target, &roster);
        let long = "x".repeat(201);
        for (wanted, reason) in [
            (
                &["a.b/c"][..],
                "escaped to a=2Eb=2Fc: the target's names can't hold '.', '/'",
            ),
            (
                &["a=2Fb"],
                "escaped to a=3D2Fb: so that the name can be read back",
            ),
            (&["Work"], "the target has work, which differs only in case"),
            (
                &[long.as_str()],
                "its name is 201 bytes long: some servers refuse that",
            ),
        ] {
            assert_eq!(
                side.resolve(&name(wanted), false).unwrap().reasons,
                [reason]
            );
        }
        assert!(
            side.resolve(&name(&["plain", "x"]), false)
                .unwrap()
                .reasons
                .is_empty()
        );
    }
}
