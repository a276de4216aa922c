//! Changes to folders and flags: CREATE, RENAME, DELETE, SUBSCRIBE, STORE, and the quota.

use super::refusal::{Asked, refusal};
use super::session::{SET_BYTES, Session, open_command};
use crate::imap::{Code, Command, Error, ListedItem, Reply, Response};
use crate::mail::{Flattened, MailboxName, ModSeq, SpecialUse, UidSet};
use crate::store::{Answer, FlagChange, FlagEdit, NewFolder, Quota};
use std::collections::HashSet;

/// Makes a CREATE, with the folder's role (RFC 6154 section 3).
pub(super) fn create_command(name: &MailboxName, role: Option<SpecialUse>) -> Command {
    let create = Command::new("CREATE").mailbox(name);
    role.iter().fold(create, |create, role| {
        create.text(&format!("(USE ({}))", role.attribute()))
    })
}

/// A folder's name and its role.
type Wanted<'a> = (&'a MailboxName, Option<SpecialUse>);

impl Session {
    /// Creates folders. A refusal's words or code never decide whether one exists, as they differ
    /// by server: the folder is listed.
    pub(super) fn create_all(
        &mut self,
        folders: &[NewFolder],
    ) -> Result<Vec<Answer<MailboxName>>, Error> {
        let wanted: Vec<_> = folders
            .iter()
            .map(|folder| (&folder.name, folder.role))
            .collect();
        let results = self.create_each(&wanted)?;
        self.create_fallbacks(folders, results)
    }

    /// Creates folders that were refused with their roles: first without, then by other names.
    pub(super) fn create_refused(
        &mut self,
        folders: &[NewFolder],
    ) -> Result<Vec<Answer<MailboxName>>, Error> {
        let plain: Vec<Wanted<'_>> = folders.iter().map(|folder| (&folder.name, None)).collect();
        let results = self.try_to_create(&plain)?;
        self.create_fallbacks(folders, results)
    }

    /// Tries other names for refused folders.
    fn create_fallbacks(
        &mut self,
        folders: &[NewFolder],
        mut results: Vec<Answer<MailboxName>>,
    ) -> Result<Vec<Answer<MailboxName>>, Error> {
        for round in 0.. {
            let fallbacks: Vec<_> = (folders.iter().enumerate())
                .filter(|(at, _)| results[*at].is_err())
                .filter_map(|(at, folder)| Some((at, (folder.fallbacks.get(round)?, folder.role))))
                .collect();
            if fallbacks.is_empty() {
                break;
            }
            let wanted: Vec<_> = fallbacks.iter().map(|(_, wanted)| *wanted).collect();
            for ((at, _), result) in fallbacks.iter().zip(self.create_each(&wanted)?) {
                // If none is accepted, the refusal of the true name says more.
                if result.is_ok() {
                    results[*at] = result;
                }
            }
        }
        self.create_flattened(folders, results)
    }

    /// Tries flattened names for folders refused below a mailbox that can have no subfolders: UW
    /// and GNU Mailutils keep a mailbox as a file, which can't be a directory.
    fn create_flattened(
        &mut self,
        folders: &[NewFolder],
        mut results: Vec<Answer<MailboxName>>,
    ) -> Result<Vec<Answer<MailboxName>>, Error> {
        let refused: Vec<usize> = (0..folders.len())
            .filter(|at| results[*at].is_err())
            .collect();
        let parents: HashSet<&MailboxName> = refused
            .iter()
            .flat_map(|at| &folders[*at].flattened)
            .map(|flattened| &flattened.parent)
            .collect();
        if parents.is_empty() {
            return Ok(results);
        }
        let barren = self.which_are_barren(parents.into_iter().collect())?;
        for at in refused {
            let may_help = |flattened: &&Flattened| barren.contains(&flattened.parent);
            for Flattened { name, .. } in folders[at].flattened.iter().filter(may_help) {
                if let Some(Ok(name)) = self.create_each(&[(name, folders[at].role)])?.pop() {
                    results[at] = Ok(name);
                    break;
                }
            }
        }
        Ok(results)
    }

    /// Creates folders with their roles if the server supports that, and without if it refuses.
    fn create_each(&mut self, wanted: &[Wanted<'_>]) -> Result<Vec<Answer<MailboxName>>, Error> {
        if !self.capabilities.has("CREATE-SPECIAL-USE") {
            let plain: Vec<Wanted<'_>> = wanted.iter().map(|(name, _)| (*name, None)).collect();
            return self.try_to_create(&plain);
        }
        let mut results = self.try_to_create(wanted)?;
        let is_refused = |at: &usize| wanted[*at].1.is_some() && results[*at].is_err();
        let refused: Vec<usize> = (0..wanted.len()).filter(is_refused).collect();
        let plain: Vec<Wanted<'_>> = refused.iter().map(|at| (wanted[*at].0, None)).collect();
        for (at, result) in refused.into_iter().zip(self.try_to_create(&plain)?) {
            results[at] = result;
        }
        Ok(results)
    }

    fn try_to_create(&mut self, wanted: &[Wanted<'_>]) -> Result<Vec<Answer<MailboxName>>, Error> {
        let names: Vec<&MailboxName> = wanted.iter().map(|(name, _)| *name).collect();
        let commands: Vec<Command> = wanted
            .iter()
            .map(|(name, role)| create_command(name, *role))
            .collect();
        let replies = self.connection.run_all(&commands, |_, _| Ok(()))?;
        let refused: Vec<usize> = (0..names.len())
            .filter(|at| !replies[*at].is_ok())
            .collect();
        let doubtful: Vec<&MailboxName> = refused.iter().map(|at| names[*at]).collect();
        let exist = self.which_exist(&doubtful)?;
        let mut results: Vec<_> = names.iter().map(|name| Ok((*name).clone())).collect();
        for (at, exists) in refused.into_iter().zip(exist) {
            if !exists {
                results[at] = Err(refusal(&replies[at], Asked::Change));
            }
        }
        Ok(results)
    }

    /// Returns which of these folders exist and can hold messages.
    fn which_exist(&mut self, names: &[&MailboxName]) -> Result<Vec<bool>, Error> {
        self.which_are(names, ListedItem::is_selectable)
    }

    /// Returns those of these folders that are mailboxes without subfolders, and can't have any.
    fn which_are_barren(
        &mut self,
        names: Vec<&MailboxName>,
    ) -> Result<HashSet<MailboxName>, Error> {
        let are = self.which_are(&names, |item| {
            item.is_selectable() && item.has("\\Noinferiors")
        })?;
        Ok(names
            .into_iter()
            .zip(are)
            .filter(|(_, is)| *is)
            .map(|(name, _)| name.clone())
            .collect())
    }

    /// Returns which of these folders are listed, with this property.
    fn which_are(
        &mut self,
        names: &[&MailboxName],
        is: impl Fn(&ListedItem) -> bool,
    ) -> Result<Vec<bool>, Error> {
        // A name with a wildcard in it acts as a pattern; the results are compared with the name
        // itself.
        let list = |name: &&MailboxName| Command::new("LIST").string(b"").mailbox(name);
        let commands: Vec<Command> = names.iter().map(list).collect();
        let mut are = vec![false; names.len()];
        self.connection.run_all(&commands, |nth, response| {
            if let Response::List(item) = response {
                are[nth] |= item.name == names[nth].as_bytes() && is(item);
            }
            Ok(())
        })?;
        Ok(are)
    }

    pub(super) fn subscribe_all(
        &mut self,
        mailboxes: &[MailboxName],
    ) -> Result<Vec<Answer<()>>, Error> {
        let commands: Vec<Command> = mailboxes
            .iter()
            .map(|name| Command::new("SUBSCRIBE").mailbox(name))
            .collect();
        self.change_each(&commands)
    }

    pub(super) fn rename_all(
        &mut self,
        renames: &[(MailboxName, MailboxName)],
    ) -> Result<Vec<Answer<()>>, Error> {
        let rename = |(from, to): &(MailboxName, MailboxName)| {
            Command::new("RENAME").mailbox(from).mailbox(to)
        };
        self.change_each(&renames.iter().map(rename).collect::<Vec<_>>())
    }

    pub(super) fn delete_all(
        &mut self,
        mailboxes: &[MailboxName],
    ) -> Result<Vec<Answer<()>>, Error> {
        let delete = |name: &MailboxName| Command::new("DELETE").mailbox(name);
        self.change_each(&mailboxes.iter().map(delete).collect::<Vec<_>>())
    }

    pub(super) fn unsubscribe_all(&mut self, mailboxes: &[MailboxName]) -> Result<(), Error> {
        let commands: Vec<Command> = mailboxes
            .iter()
            .map(|name| Command::new("UNSUBSCRIBE").mailbox(name))
            .collect();
        // A folder that was not subscribed to may be refused.
        self.connection.run_all(&commands, |_, _| Ok(()))?;
        Ok(())
    }

    fn change_each(&mut self, commands: &[Command]) -> Result<Vec<Answer<()>>, Error> {
        let replies = self.connection.run_all(commands, |_, _| Ok(()))?;
        Ok(replies
            .iter()
            .map(|reply| accepted(reply, Asked::Change))
            .collect())
    }

    /// Changes flags: opens each folder once, with one STORE for many messages per set of flags.
    pub(super) fn store_all(
        &mut self,
        changes: &[FlagChange],
    ) -> Result<Vec<Answer<UidSet>>, Error> {
        let mut commands = Vec::new();
        // The change that a command belongs to.
        let mut change_of = Vec::new();
        let mut open: Option<&MailboxName> = None;
        let has_mod_seq = self.capabilities.has("CONDSTORE") || self.capabilities.has("QRESYNC");
        for (at, change) in changes.iter().enumerate() {
            if open != Some(&change.mailbox) {
                commands.push(open_command(&change.mailbox, true));
                change_of.push(at);
                open = Some(&change.mailbox);
            }
            let condition = change.unchanged_since.filter(|_| has_mod_seq);
            for set in change.uids.sequence_sets(SET_BYTES) {
                commands.push(store_command(&set, change, condition));
                change_of.push(at);
            }
        }
        let replies = self.connection.run_all(&commands, |_, _| Ok(()))?;
        self.open = open.map(|mailbox| super::session::Open {
            mailbox: mailbox.clone(),
            for_writing: true,
        });
        let mut results = vec![Ok(UidSet::default()); changes.len()];
        for (at, reply) in change_of.into_iter().zip(&replies) {
            let Ok(left_alone) = &mut results[at] else {
                continue;
            };
            match (&reply.code, accepted(reply, Asked::Change)) {
                // OK or NO, with the rest changed all the same (RFC 7162 section 3.1.3).
                (Some(Code::Modified(uids)), _) => left_alone.add(uids),
                (_, Err(refusal)) => results[at] = Err(refusal),
                (_, Ok(())) => {}
            }
        }
        self.leave_folder()?;
        Ok(results)
    }

    /// Requests the storage quota of INBOX's root (RFC 9208): units are 1024 bytes.
    pub(super) fn ask_quota(&mut self) -> Result<Option<Quota>, Error> {
        if !self.capabilities.has("QUOTA") {
            return Ok(None);
        }
        let mut quota = None;
        let command = Command::new("GETQUOTAROOT").mailbox(&MailboxName::from("INBOX"));
        self.connection.run_all(&[command], |_, response| {
            if let Response::Quota(told) = response {
                let storage = told
                    .resources
                    .iter()
                    .find(|resource| resource.name.eq_ignore_ascii_case("STORAGE"));
                let bytes = |kib: u64| kib.saturating_mul(1024);
                quota = storage
                    .map(|storage| Quota {
                        used: bytes(storage.used),
                        limit: bytes(storage.limit),
                    })
                    .or(quota);
            }
            Ok(())
        })?;
        Ok(quota)
    }
}

fn store_command(set: &str, change: &FlagChange, unchanged_since: Option<ModSeq>) -> Command {
    let store = Command::new("UID STORE").text(set);
    let store = match unchanged_since {
        Some(mod_seq) => store.text(&format!("(UNCHANGEDSINCE {mod_seq})")),
        None => store,
    };
    let item = match change.edit {
        FlagEdit::Add => "+FLAGS.SILENT",
        FlagEdit::Remove => "-FLAGS.SILENT",
    };
    store.text(item).flags(&change.flags)
}

fn accepted(reply: &Reply, asked: Asked) -> Answer<()> {
    if reply.is_ok() {
        Ok(())
    } else {
        Err(refusal(reply, asked))
    }
}
