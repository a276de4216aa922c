//! Both sides' folders by the names that the first has for them.
//!
//! What it keeps true: a folder that is known is found by the name that it had on its side,
//! whatever rules say today; two folders of a side are never one; and a folder that a rule leaves
//! out is not taken for deleted.

use super::memory::Memory;
use crate::event::{Event, Observer};
use crate::exec::Link;
use crate::folders::{self, Exchange, FolderName, LeavesOut, Roster, Rules};
use crate::mail::{Both, FolderStatus, ListedMailbox, Listing, MailboxName, Side, SpecialUse};
use crate::plan::merge::{FolderIdentity, FolderKind, SeenFolder};
use crate::store::Error;
use crate::verbs::left_out::{LeaveOut as _, LeftOut};
use crate::verbs::opening::{self, unpaired};
use crate::verbs::unlisted::{are_denied, tell_gaps, undenied};
use std::collections::{HashMap, HashSet};
use std::mem;

/// A folder of one side.
pub(super) struct SideFolder {
    pub(super) raw: MailboxName,
    pub(super) role: Option<SpecialUse>,
    pub(super) status: Option<FolderStatus>,
    pub(super) separator: Option<char>,
}

/// Both sides as they are listed.
pub(super) struct Listed {
    /// The listings, kept up with what is created and renamed.
    pub(super) listings: Both<Listing>,
    pub(super) exchange: Exchange,
    pub(super) seen: Both<Vec<SeenFolder>>,
    /// What belongs to each of `seen`.
    pub(super) folders: Both<Vec<SideFolder>>,
    /// Folders that can't take part.
    pub(super) failed: u64,
    /// Folders that options leave out.
    pub(super) omitted: Vec<LeftOut>,
    /// Whether a side may have folders that it does not show.
    pub(super) unlisted: Both<bool>,
    /// The folders, by their keys, that a side neither shows nor denies; each was named.
    pub(super) undenied: HashSet<String>,
}

/// What one side's folders are read by.
struct SideReading<'a> {
    side: Side,
    roster: &'a Roster,
    rules: &'a Rules,
    memory: &'a Memory<'a>,
    observer: &'a dyn Observer,
}

/// A folder of one side with the name that the first has for it.
struct NamedFolder<'a> {
    folder: &'a folders::Folder,
    mailbox: &'a ListedMailbox,
    name: FolderName,
    /// Whether an earlier run has given it that name.
    is_known: bool,
}

impl NamedFolder<'_> {
    fn kind(&self) -> FolderKind {
        kind(self.mailbox, self.folder.role)
    }
}

impl Listed {
    /// Lists both sides.
    pub(super) fn read(
        link: &mut Link,
        rules: &Rules,
        memory: &mut Memory<'_>,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let listings = link.on_both(|side, store| opening::list(store, side, observer))?;
        let rosters = listings.as_ref().map(Roster::read);
        let exchange = Exchange::new(&listings, &rosters, rules);
        check_rules(rules, &rosters, &exchange, memory, observer)?;
        let mut listed = Self {
            listings,
            exchange,
            seen: Both::default(),
            folders: Both::default(),
            failed: 0,
            omitted: Vec::new(),
            unlisted: Both::default(),
            undenied: HashSet::new(),
        };
        let mut left_out: Both<Vec<FolderIdentity>> = Both::default();
        for side in Side::BOTH {
            let gaps = tell_gaps(&listed.listings[side], side.ordinal(), observer);
            let before = listed.failed;
            let reading = SideReading {
                side,
                roster: &rosters[side],
                rules,
                memory,
                observer,
            };
            left_out[side] = listed.read_side(&reading);
            // A folder that can't take part may be the one that is missing.
            listed.unlisted[side] =
                listed.listings[side].gaps.hide_folders() || listed.failed > before;
            listed.failed += gaps;
        }
        listed.ask_for_missing(link, rules, memory, observer)?;
        listed.look_through_views(link, (rules, &rosters), memory, observer)?;
        listed.leave_out(rules, &left_out, memory);
        Ok(listed)
    }

    /// Takes away what options leave out, also under a name that it has on one side only.
    fn leave_out(
        &mut self,
        rules: &Rules,
        left_out: &Both<Vec<FolderIdentity>>,
        memory: &mut Memory<'_>,
    ) {
        let there = self.seen.as_ref().map(|seen| {
            seen.iter()
                .map(|seen| seen.name.key())
                .collect::<HashSet<_>>()
        });
        memory.leave_out(|known| {
            let may_be_out = |side: Side| {
                left_out[side]
                    .iter()
                    .any(|other| may_be(other, &known.identities[side]))
            };
            let is_there = |side: Side| there[side].contains(&known.name.key());
            rules.keeps_out(&known.name).is_some()
                || Side::BOTH
                    .into_iter()
                    .any(|side| may_be_out(side) && !is_there(side))
        });
        // The counterpart of a folder that was renamed out of what takes part stays out too.
        let out: HashSet<String> = memory.left_out().map(FolderName::key).collect();
        for side in Side::BOTH {
            let all = mem::take(&mut self.seen[side])
                .into_iter()
                .zip(mem::take(&mut self.folders[side]));
            (self.seen[side], self.folders[side]) = all
                .filter(|(seen, _)| !out.contains(&seen.name.key()))
                .unzip();
        }
    }

    /// Counts and names a folder that can't take part.
    pub(super) fn fail(&mut self, folder: &str, reason: &str, observer: &dyn Observer) {
        self.failed += 1;
        observer.observe(&Event::FolderFailed { folder, reason });
    }

    /// Asks each side for the folders that are known and that it does not show. One that it does
    /// not deny makes its listing one that may lack others, too.
    fn ask_for_missing(
        &mut self,
        link: &mut Link,
        rules: &Rules,
        memory: &Memory<'_>,
        observer: &dyn Observer,
    ) -> Result<(), Error> {
        let missing = Both::of(|side| self.missing(side, rules, memory));
        let denied = link.on_both(|side, store| {
            let names: Vec<Vec<MailboxName>> = missing[side]
                .iter()
                .map(|(_, raw)| vec![raw.clone()])
                .collect();
            are_denied(store, &names)
        })?;
        for side in Side::BOTH {
            for ((name, _), _) in missing[side]
                .iter()
                .zip(&denied[side])
                .filter(|(_, denied)| !**denied)
            {
                self.unlisted[side] = true;
                self.undenied.insert(name.key());
                self.fail(&name.to_string(), &undenied(side.ordinal()), observer);
            }
        }
        Ok(())
    }

    /// The known folders that a side does not show as folders of mail, with their raw names there.
    /// None where nothing is believed to be missing anyway.
    fn missing(
        &self,
        side: Side,
        rules: &Rules,
        memory: &Memory<'_>,
    ) -> Vec<(FolderName, MailboxName)> {
        if self.unlisted[side] {
            return Vec::new();
        }
        let selectable = self.listings[side]
            .mailboxes
            .iter()
            .filter(|mailbox| mailbox.selectable);
        let shown: HashSet<&MailboxName> = selectable.map(|mailbox| &mailbox.name).collect();
        let known = memory.raw_names(side).filter(|(name, raw)| {
            !shown.contains(raw) && !name.is_inbox() && rules.keeps_out(name).is_none()
        });
        known
            .map(|(name, raw)| (name.clone(), raw.clone()))
            .collect()
    }

    /// Reads one side's folders. Gives those that options leave out.
    fn read_side(&mut self, reading: &SideReading<'_>) -> Vec<FolderIdentity> {
        let SideReading {
            side,
            roster,
            rules,
            memory,
            observer,
        } = *reading;
        let mailboxes = self.listings[side].mailboxes.clone();
        for unreadable in &roster.unreadable {
            if let Some(mailbox) = mailboxes
                .get(unreadable.index)
                .filter(|mailbox| mailbox.selectable)
            {
                self.fail(&mailbox.name.to_string(), &unreadable.reason, observer);
            }
        }
        let mut taken: HashMap<String, FolderName> = HashMap::new();
        let mut left_out = Vec::new();
        for folder in roster
            .folders
            .iter()
            .filter(|folder| rules.takes_foreign(folder))
        {
            let Some(mailbox) = mailboxes.get(folder.index) else {
                continue;
            };
            let known = memory.name_of(side, &mailbox.name);
            let is_known = known.is_some();
            let name = known.unwrap_or_else(|| self.canonical(side, &folder.name));
            let are_chats = rules
                .leaves_chats(&self.listings[side], folder)
                .then_some(LeavesOut::Chats);
            if let Some(by) = rules.keeps_out(&name).or(are_chats) {
                left_out.push(identity(mailbox));
                self.omit(by, &name, mailbox);
                continue;
            }
            let folder = NamedFolder {
                folder,
                mailbox,
                name,
                is_known,
            };
            match self.check_name(side, &folder, &mut taken) {
                Ok(()) => self.add(folder, reading),
                Err(reason) => self.fail(&folder.folder.name.to_string(), &reason, observer),
            }
        }
        left_out
    }

    /// Notes a folder that options leave out, if it has mail.
    fn omit(&mut self, by: LeavesOut, name: &FolderName, mailbox: &ListedMailbox) {
        if !mailbox.selectable {
            return;
        }
        let is_view = mailbox.special_use.is_some_and(SpecialUse::is_view);
        let messages = mailbox
            .status
            .as_ref()
            .filter(|_| !is_view)
            .and_then(|status| status.counters.messages);
        self.omitted
            .add_folder(by, name.to_string(), messages.map(u64::from));
    }

    /// Looks whether a folder with mail has a name of its own on both sides, and takes it. Gives
    /// the reason why not.
    fn check_name(
        &self,
        side: Side,
        named: &NamedFolder<'_>,
        taken: &mut HashMap<String, FolderName>,
    ) -> Result<(), String> {
        let NamedFolder {
            folder,
            name,
            is_known,
            ..
        } = named;
        if named.kind() == FolderKind::NoMail {
            return Ok(());
        }
        if !is_known && self.local(side, name).key() != folder.name.key() {
            return Err(format!(
                "the only name for it on the {} is taken by another folder",
                side.ordinal()
            ));
        }
        match taken.insert(name.key(), folder.name.clone()) {
            None => Ok(()),
            Some(other) => Err(format!(
                "it and {other} would become one folder on the other side; rename one of them"
            )),
        }
    }

    /// Adds a folder that takes part.
    fn add(&mut self, named: NamedFolder<'_>, reading: &SideReading<'_>) {
        let kind = named.kind();
        let NamedFolder {
            folder,
            mailbox,
            name,
            ..
        } = named;
        let side = reading.side;
        let hidden = self.listings[side].gaps.hide_subscriptions()
            && reading.memory.is_subscribed(side, &mailbox.name);
        let subscribed = mailbox.subscribed || hidden;
        self.seen[side].push(SeenFolder {
            name,
            kind,
            identity: identity(mailbox),
            subscribed,
        });
        self.folders[side].push(SideFolder {
            raw: mailbox.name.clone(),
            role: folder.role,
            status: mailbox.status.clone(),
            separator: mailbox.separator,
        });
    }

    /// The name that the first has, or would have, for a folder of a side.
    pub(super) fn canonical(&self, side: Side, local: &FolderName) -> FolderName {
        match side {
            Side::First => local.clone(),
            Side::Second => self.exchange.to_first(local),
        }
    }

    /// The name that a side has, or would have, for a folder.
    pub(super) fn local(&self, side: Side, canonical: &FolderName) -> FolderName {
        match side {
            Side::First => canonical.clone(),
            Side::Second => self.exchange.to_second(canonical),
        }
    }
}

/// Options that concern no folder of either side, nor one that is known from before: a name is an
/// error, the rest warnings.
fn check_rules(
    rules: &Rules,
    rosters: &Both<Roster>,
    exchange: &Exchange,
    memory: &Memory<'_>,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let firsts = rosters
        .first
        .folders
        .iter()
        .map(|folder| folder.name.clone());
    let seconds = rosters
        .second
        .folders
        .iter()
        .map(|folder| exchange.to_first(&folder.name));
    let known = memory.known().iter().map(|known| known.name.clone());
    let names: Vec<FolderName> = firsts.chain(seconds).chain(known).collect();
    let names: Vec<&FolderName> = names.iter().collect();
    rules
        .check_names(&names, "on either side")
        .map_err(|error| unpaired(&error))?;
    for text in rules.unused(&names, "on either side") {
        observer.observe(&Event::Warning { text: &text });
    }
    Ok(())
}

fn kind(mailbox: &ListedMailbox, role: Option<SpecialUse>) -> FolderKind {
    if !mailbox.selectable || mailbox.special_use.is_some_and(SpecialUse::is_view) {
        FolderKind::NoMail
    } else if role.is_some() {
        FolderKind::Role
    } else {
        FolderKind::Mail
    }
}

fn identity(mailbox: &ListedMailbox) -> FolderIdentity {
    let status = mailbox.status.as_ref();
    FolderIdentity {
        mailbox_id: status
            .and_then(|status| status.mailbox_id.as_deref())
            .map(Into::into),
        mark: status.map(|status| status.counters).unwrap_or_default(),
        uids: None,
    }
}

/// Whether a folder may be one that is missing under its name.
fn may_be(here: &FolderIdentity, then: &FolderIdentity) -> bool {
    let same = |a: Option<&str>, b: Option<&str>| a.is_some() && a == b;
    same(here.mailbox_id.as_deref(), then.mailbox_id.as_deref())
        || here.mark.uid_validity.is_some() && here.mark.uid_validity == then.mark.uid_validity
}
