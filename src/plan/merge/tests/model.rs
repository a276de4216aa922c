//! Mailboxes in memory, and what users and servers do to them.

use super::super::*;
use crate::folders::FolderName;
use crate::mail::{
    Counters, FlagTable, Flags, HeaderKey, InternalDate, Message, ModSeq, PermanentFlags, Uid,
    UidNext, UidSet, UidValidity,
};
use std::collections::{BTreeMap, BTreeSet};

/// A message's content: equal contents are the same mail.
pub(super) type Content = u32;

/// A message in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mail {
    pub(super) content: Content,
    pub(super) flags: Flags,
}

#[derive(Clone, Debug)]
pub(super) struct Mailbox {
    /// MAILBOXID.
    pub(super) id: u32,
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    pub(super) mod_seq: u64,
    pub(super) mails: BTreeMap<u32, Mail>,
    pub(super) subscribed: bool,
}

/// A server's abilities.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abilities {
    pub(super) mailbox_ids: bool,
    pub(super) keywords: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) mailboxes: BTreeMap<FolderName, Mailbox>,
    pub(super) abilities: Abilities,
    /// The next MAILBOXID and UIDVALIDITY.
    next: u32,
}

/// What one scan doesn't see.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Blinkers {
    /// A filter hides every fifth content.
    pub(super) filter: bool,
    /// Only the newest messages are shown.
    pub(super) cap: bool,
}

pub(super) fn name(text: &str) -> FolderName {
    FolderName::parse(text).unwrap()
}

pub(super) fn has_header(content: Content) -> bool {
    !content.is_multiple_of(7)
}

fn is_filtered(content: Content) -> bool {
    content.is_multiple_of(5)
}

impl Mail {
    pub(super) fn message(&self, uid: u32, flags: u32) -> Message {
        // Every sixth content has the Message-ID of the one before, with another body.
        let id = if self.content % 6 == 1 {
            self.content - 1
        } else {
            self.content
        };
        let mut key = [9; 16];
        key[..4].copy_from_slice(&id.to_be_bytes());
        let key = if has_header(self.content) {
            HeaderKey::WithId(key)
        } else {
            HeaderKey::Empty
        };
        let date = InternalDate::new(1_700_000_000 + i64::from(self.content), 0);
        Message::new(
            Uid::new(uid).unwrap(),
            u64::from(self.content) * 10,
            date,
            flags,
            key,
        )
    }
}

impl Mailbox {
    pub(super) fn add(&mut self, mail: Mail) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        self.mod_seq += 1;
        self.mails.insert(uid, mail);
        uid
    }

    pub(super) fn remove(&mut self, uid: u32) -> Option<Mail> {
        self.mod_seq += 1;
        self.mails.remove(&uid)
    }

    pub(super) fn mark(&self) -> Counters {
        Counters {
            uid_validity: Some(UidValidity(self.uid_validity)),
            uid_next: UidNext::new(self.uid_next),
            mod_seq: Some(ModSeq(self.mod_seq)),
            messages: None,
        }
    }

    fn identity(&self, abilities: Abilities) -> FolderIdentity {
        let uids: UidSet = self
            .mails
            .keys()
            .map(|uid| Uid::new(*uid).unwrap())
            .collect();
        let mailbox_id = abilities.mailbox_ids.then(|| self.id.to_string().into());
        FolderIdentity {
            mailbox_id,
            mark: self.mark(),
            uids: Some(uids),
        }
    }

    fn view(&self, blinkers: Blinkers, permanent: PermanentFlags) -> View {
        let mut table = FlagTable::default();
        let mut hidden = UidSet::default();
        let mut messages = Vec::new();
        for (uid, mail) in &self.mails {
            if blinkers.filter && is_filtered(mail.content) {
                hidden.insert(Uid::new(*uid).unwrap());
            } else {
                messages.push(mail.message(*uid, table.intern(mail.flags.clone())));
            }
        }
        let exists = u32::try_from(self.mails.len()).unwrap();
        if blinkers.cap && messages.len() > 3 {
            let shown = messages.split_off(messages.len() - 3);
            let count = exists - u32::try_from(messages.len()).unwrap();
            return View::new(shown, table, hidden, self.mark(), count)
                .keeping(permanent)
                .capped();
        }
        View::new(messages, table, hidden, self.mark(), exists).keeping(permanent)
    }
}

impl Server {
    pub(super) fn new(abilities: Abilities, first_id: u32) -> Self {
        let mut server = Self {
            mailboxes: BTreeMap::new(),
            abilities,
            next: first_id,
        };
        server.create(name("INBOX"));
        server
    }

    pub(super) fn create(&mut self, name: FolderName) {
        self.next += 1;
        let (id, uid_validity) = (self.next, self.next);
        let mailbox = Mailbox {
            id,
            uid_validity,
            uid_next: 1,
            mod_seq: 1,
            mails: BTreeMap::new(),
            subscribed: false,
        };
        self.mailboxes.entry(name).or_insert(mailbox);
    }

    /// Renames a folder and its subfolders, if the names are free.
    pub(super) fn rename(&mut self, from: &FolderName, to: &FolderName) {
        let moved: Vec<_> = self
            .mailboxes
            .keys()
            .filter(|name| name.below(from).is_some())
            .cloned()
            .collect();
        let target = |name: &FolderName| to.join(name.below(from).unwrap());
        let free = moved
            .iter()
            .all(|name| !self.mailboxes.contains_key(&target(name)));
        if from.is_inbox()
            || to.below(from).is_some()
            || !self.mailboxes.contains_key(from)
            || !free
        {
            return;
        }
        for name in moved {
            let mailbox = self.mailboxes.remove(&name).unwrap();
            self.mailboxes.insert(target(&name), mailbox);
        }
    }

    pub(super) fn renumber(&mut self, name: &FolderName) {
        self.next += 1;
        let uid_validity = self.next;
        let Some(mailbox) = self.mailboxes.get_mut(name) else {
            return;
        };
        let mails = std::mem::take(&mut mailbox.mails);
        (mailbox.uid_validity, mailbox.uid_next) = (uid_validity, 1);
        for mail in mails.into_values() {
            mailbox.add(mail);
        }
    }

    /// Makes a restored server assign other ids than it did before.
    pub(super) fn outlive(&mut self, before: &Self) {
        self.next = before.next;
    }

    pub(super) fn permanent(&self) -> PermanentFlags {
        if self.abilities.keywords {
            return PermanentFlags::everything();
        }
        PermanentFlags::exactly(
            Flags::from_names(["\\Seen", "\\Flagged", "\\Deleted"]),
            false,
        )
    }

    pub(super) fn seen(&self) -> Vec<SeenFolder> {
        let folder = |(name, mailbox): (&FolderName, &Mailbox)| SeenFolder {
            name: name.clone(),
            kind: FolderKind::Mail,
            identity: mailbox.identity(self.abilities),
            subscribed: mailbox.subscribed,
        };
        self.mailboxes.iter().map(folder).collect()
    }

    pub(super) fn view(&self, name: &FolderName, blinkers: Blinkers) -> View {
        self.mailboxes[name].view(blinkers, self.permanent())
    }

    pub(super) fn contents(&self) -> BTreeSet<Content> {
        self.mailboxes
            .values()
            .flat_map(|mailbox| mailbox.mails.values().map(|mail| mail.content))
            .collect()
    }

    /// Returns the contents of these messages, by UIDVALIDITY and UID.
    pub(super) fn contents_of(&self, messages: &BTreeSet<(u32, u32)>) -> BTreeSet<Content> {
        let of = |mailbox: &Mailbox| {
            let is_one = |uid: &u32| messages.contains(&(mailbox.uid_validity, *uid));
            mailbox
                .mails
                .iter()
                .filter(|(uid, _)| is_one(uid))
                .map(|(_, mail)| mail.content)
                .collect::<Vec<_>>()
        };
        self.mailboxes.values().flat_map(of).collect()
    }

    /// Returns everything that both sides should have in common: each folder's subscription,
    /// messages and flags.
    pub(super) fn picture(
        &self,
        keywords: bool,
    ) -> BTreeMap<FolderName, (bool, Vec<(Content, String)>)> {
        let mails = |mailbox: &Mailbox| {
            let flags = |mail: &Mail| mail.flags.filter_keywords(|_| keywords).to_string();
            let mut mails: Vec<_> = mailbox
                .mails
                .values()
                .map(|mail| (mail.content, flags(mail)))
                .collect();
            mails.sort();
            mails
        };
        self.mailboxes
            .iter()
            .map(|(name, mailbox)| (name.clone(), (mailbox.subscribed, mails(mailbox))))
            .collect()
    }
}
