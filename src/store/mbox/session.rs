//! One connection to a directory of mbox files: the [`Store`] built on it.

use super::append::Deliveries;
use super::index::{Entry, Index};
use super::rewrite::Fate;
use super::tree::Tree;
use crate::mail::{
    Counters, FolderStatus, HeaderKey, InternalDate, ListedMailbox, Listing, MailboxName, Message,
    ModSeq, NameStyle, PermanentFlags, SystemFlag, Uid, UidSet, UidValidity,
};
use crate::store::disk::{
    Letter, Reading, Requests, gone, header_fields, made_anew, permanent, stopped,
};
use crate::store::{
    Answer, Body, Connections, Delivery, Error, Fetched, FlagChange, FlagEdit, FolderScan,
    MessageSink, NewFolder, Outcome, Quota, ReadStore, Relocated, Relocation, Removal, Room,
    ScanDepth, ScanRequest, Store, Traffic,
};
use std::path::Path;
use std::sync::Arc;

/// One connection.
pub(super) struct Session {
    tree: Arc<Tree>,
    requests: Requests,
    shelf: Shelf,
    deliveries: Deliveries,
}

impl Session {
    pub(super) fn new(tree: Arc<Tree>) -> Self {
        Self {
            shelf: Shelf {
                tree: Arc::clone(&tree),
                open: None,
            },
            deliveries: Deliveries::new(Arc::clone(&tree)),
            tree,
            requests: Requests::default(),
        }
    }

    fn list_all(&self) -> Result<Listing, Error> {
        let path = self.tree.root().map_or(Path::new(""), |root| root.path());
        let failed = |error: std::io::Error| stopped("read", path, &error);
        let (mut names, gaps) = self.tree.mailboxes().map_err(failed)?;
        let subscribed = self.tree.subscriptions().map_err(failed)?;
        names.retain(|name| !name.is_inbox());
        let all = std::iter::once(MailboxName::from("INBOX")).chain(names);
        let mailbox = |name: MailboxName| ListedMailbox {
            subscribed: subscribed.contains(&name),
            status: self.status(&name).ok(),
            ..ListedMailbox::new(name, Some('/'))
        };
        let style = NameStyle {
            prefix: Vec::new(),
            separator: Some('/'),
            utf8: true,
        };
        Ok(Listing {
            mailboxes: all.map(mailbox).collect(),
            style,
            foreign_prefixes: Vec::new(),
            gaps,
            are_labels: false,
            merges_equal: false,
        })
    }

    fn status(&self, mailbox: &MailboxName) -> Answer<FolderStatus> {
        let Some(index) = self.index(mailbox)? else {
            let counters = Counters {
                messages: Some(0),
                ..Counters::default()
            };
            return Ok(FolderStatus {
                counters,
                ..FolderStatus::default()
            });
        };
        let unseen = index
            .entries
            .iter()
            .filter(|entry| !index.flags.get(entry.flags).has(SystemFlag::Seen))
            .count();
        Ok(FolderStatus {
            counters: Counters {
                uid_validity: index.validity(),
                uid_next: index.uid_next(),
                mod_seq: mod_seq(&index),
                messages: u32::try_from(index.entries.len()).ok(),
            },
            unseen: u32::try_from(unseen).ok(),
            size: Some(index.entries.iter().map(|entry| entry.size).sum()),
            mailbox_id: None,
        })
    }

    /// Returns a folder's messages; `None` for an INBOX that doesn't exist yet.
    fn index(&self, mailbox: &MailboxName) -> Answer<Option<Arc<Index>>> {
        if mailbox.is_inbox()
            && self
                .tree
                .spot(mailbox, false)
                .is_ok_and(|spot| spot.dir.lacks(&spot.name))
            || self.tree.root().is_none() && mailbox.is_inbox()
        {
            return Ok(None);
        }
        self.tree.index(mailbox).map(Some)
    }

    fn scan_one(&self, request: &ScanRequest<'_>) -> Answer<FolderScan> {
        if request.search.is_some() {
            return Err(permanent(
                "a directory of mail cannot be searched by IMAP's SEARCH",
            ));
        }
        let Some(index) = self.index(request.mailbox)? else {
            return Ok(FolderScan::default());
        };
        let mut scan = FolderScan {
            uid_validity: index.validity(),
            uid_next: index.uid_next(),
            exists: u32::try_from(index.entries.len()).unwrap_or(u32::MAX),
            highest_mod_seq: mod_seq(&index),
            permanent_flags: PermanentFlags::everything(),
            flags: index.flags.clone(),
            ..FolderScan::default()
        };
        let is_wanted = |uid: Uid| request.uids.as_ref().is_none_or(|uids| uids.contains(uid));
        for entry in &index.entries {
            let Some(uid) = Uid::new(entry.uid).filter(|uid| is_wanted(*uid)) else {
                continue;
            };
            // They are in the index, so known ones need not be skipped.
            let has_key = !matches!(request.depth, ScanDepth::Sizes | ScanDepth::Attributes);
            let key = if has_key {
                entry.key
            } else {
                HeaderKey::Unknown
            };
            scan.messages.push(Message::new(
                uid,
                entry.size,
                InternalDate::new(entry.date, 0),
                entry.flags,
                key,
            ));
            if request.depth == ScanDepth::Headings {
                let heading = header_fields(index.view(entry))
                    .ok()
                    .map(|fields| fields.heading());
                scan.headings.extend(heading.map(|heading| (uid, heading)));
            }
        }
        Ok(scan)
    }

    /// Changes flags in one folder, in one go.
    fn change_all(&self, changes: &[FlagChange]) -> Answer<()> {
        let Some(first) = changes.first() else {
            return Ok(());
        };
        self.tree
            .rewrite(&first.mailbox, |_| Ok(()), &mut |index, entry| {
                let before = index.flags.get(entry.flags);
                let uid = Uid::new(entry.uid);
                let ours = changes
                    .iter()
                    .filter(|change| uid.is_some_and(|uid| change.uids.contains(uid)));
                let flags = ours.fold(before.clone(), |flags, change| match change.edit {
                    FlagEdit::Add => flags.union(&change.flags),
                    FlagEdit::Remove => flags.minus(&change.flags),
                });
                if flags == before {
                    Fate::Stays
                } else {
                    Fate::Has(flags)
                }
            })
    }

    fn remove_one(
        &self,
        mailbox: &MailboxName,
        validity: Option<UidValidity>,
        uids: &UidSet,
    ) -> Answer<()> {
        let path = self.tree.spot(mailbox, false)?.path();
        let check = |index: &Index| {
            if index.validity() == validity {
                Ok(())
            } else {
                Err(made_anew(&path))
            }
        };
        self.tree.rewrite(mailbox, check, &mut |_, entry| {
            if Uid::new(entry.uid).is_some_and(|uid| uids.contains(uid)) {
                Fate::Goes
            } else {
                Fate::Stays
            }
        })
    }

    /// Copies messages to the other folder, and for a move removes those that arrived there.
    fn relocate_one(&mut self, relocation: &Relocation) -> Result<Relocated, Error> {
        let mut result = Relocated::default();
        let refuse = |result: Relocated, refusal| {
            Ok(Relocated {
                refusal: Some(refusal),
                ..result
            })
        };
        let index = match self.tree.index(&relocation.from) {
            Ok(index) if index.validity() == relocation.uid_validity => index,
            Ok(_) => return refuse(result, made_anew(relocation.from.to_string().as_ref())),
            Err(refusal) => return refuse(result, refusal),
        };
        for uid in relocation.uids.iter() {
            let Some(entry) = index.find(uid) else {
                continue;
            };
            let flags = index.flags.get(entry.flags);
            let mut view = index.view(entry);
            let body = Body::Stream {
                size: entry.size,
                from: &mut view,
            };
            let date = InternalDate::new(entry.date, 0);
            let delivery = Delivery {
                token: uid.get(),
                flags: &flags,
                date,
                body,
                careful: true,
                binary: false,
                batch: 0,
            };
            self.deliveries.deliver(&relocation.to, delivery)?;
        }
        for outcome in self.deliveries.outcomes(true)? {
            let from = outcome.tokens.iter().filter_map(|token| Uid::new(*token));
            match outcome.result {
                Ok(Some(placed)) => {
                    result.uid_validity = Some(placed.uid_validity);
                    result.placed.extend(from.zip(placed.uids.iter()));
                }
                Ok(None) => from.for_each(|uid| result.somewhere.insert(uid)),
                Err(refusal) => result.refusal = Some(refusal),
            }
        }
        let copied = result.uids();
        if relocation.leave
            && !copied.is_empty()
            && let Err(refusal) =
                self.remove_one(&relocation.from, relocation.uid_validity, &copied)
        {
            result.refusal.get_or_insert(refusal);
            result.left_behind = copied;
        }
        Ok(result)
    }

    fn create_one(&self, folder: &NewFolder) -> Answer<MailboxName> {
        let refusal = match self.tree.create(&folder.name) {
            Ok(()) => return Ok(folder.name.clone()),
            Err(refusal) => refusal,
        };
        let taken = folder
            .fallbacks
            .iter()
            .find(|fallback| self.tree.create(fallback).is_ok());
        taken.cloned().ok_or(refusal)
    }
}

/// Returns when the file last changed, if a later change must have a later time.
fn mod_seq(index: &Index) -> Option<ModSeq> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()?;
    let age = u64::try_from(now.as_nanos())
        .ok()?
        .checked_sub(index.stamp.changed)?;
    let tick = if index.stamp.changed.is_multiple_of(1_000_000_000) {
        2_000_000_000
    } else {
        25_000_000
    };
    (age > tick && index.validity().is_some()).then_some(ModSeq(index.stamp.changed))
}

/// The folder that messages are taken from.
struct Shelf {
    tree: Arc<Tree>,
    open: Option<(MailboxName, Arc<Index>)>,
}

impl Reading for Shelf {
    fn enter(&mut self, mailbox: &MailboxName, generation: Option<UidValidity>) -> Answer<()> {
        self.open = None;
        let index = self.tree.index(mailbox)?;
        if index.validity() != generation {
            return Err(made_anew(&self.tree.spot(mailbox, false)?.path()));
        }
        self.open = Some((mailbox.clone(), index));
        Ok(())
    }

    fn letter(&mut self, uid: Uid) -> Answer<Option<Letter>> {
        let Some((mailbox, index)) = &mut self.open else {
            return Err(gone(Path::new("that was asked for")));
        };
        // Another program may have written to the file since.
        *index = self.tree.index(mailbox)?;
        let path = self.tree.spot(mailbox, false)?.path();
        let found: Option<&Entry> = index.find(uid);
        Ok(found.map(|entry| Letter {
            size: entry.size,
            reader: Box::new(index.view(entry)),
            path,
        }))
    }
}

impl ReadStore for Session {
    fn server(&self) -> &str {
        "mbox"
    }

    fn connections(&self) -> Connections {
        Connections {
            usual: 1,
            most: 1,
            is_near: true,
        }
    }

    fn list(&mut self) -> Result<Listing, Error> {
        self.list_all()
    }

    fn are_gone(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<bool>, Error> {
        Ok(mailboxes
            .iter()
            .map(|mailbox| self.tree.is_gone(mailbox))
            .collect())
    }

    fn scan(
        &mut self,
        requests: &[ScanRequest<'_>],
        done: &mut dyn FnMut(usize, Answer<FolderScan>),
    ) -> Result<(), Error> {
        for (at, request) in requests.iter().enumerate() {
            done(at, self.scan_one(request));
        }
        Ok(())
    }

    fn request(
        &mut self,
        mailbox: &MailboxName,
        uid_validity: Option<UidValidity>,
        uids: &UidSet,
    ) -> Result<(), Error> {
        self.requests.ask(mailbox, uid_validity, uids);
        Ok(())
    }

    fn next(&mut self, sink: &mut dyn MessageSink) -> Result<Fetched, Error> {
        self.requests.next(&mut self.shelf, sink)
    }

    fn quota(&mut self) -> Result<Option<Quota>, Error> {
        Ok(None)
    }

    fn room(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Room>, Error> {
        Ok(self
            .tree
            .root()
            .map_or_else(Vec::new, |root| root.room(mailboxes.len())))
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn close(&mut self) {}
}

impl Store for Session {
    fn create(&mut self, folders: &[NewFolder]) -> Result<Vec<Answer<MailboxName>>, Error> {
        Ok(folders
            .iter()
            .map(|folder| self.create_one(folder))
            .collect())
    }

    fn subscribe(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<()>>, Error> {
        let done = self.tree.change_subscriptions(&mut |names| {
            mailboxes.iter().fold(false, |changed, mailbox| {
                names.insert(mailbox.clone()) | changed
            })
        });
        Ok(vec![done; mailboxes.len()])
    }

    fn unsubscribe(&mut self, mailboxes: &[MailboxName]) -> Result<(), Error> {
        // If it can't be written, the next subscription reports that.
        let _ = self.tree.change_subscriptions(&mut |names| {
            mailboxes
                .iter()
                .fold(false, |changed, mailbox| names.remove(mailbox) | changed)
        });
        Ok(())
    }

    fn deliver(&mut self, mailbox: &MailboxName, delivery: Delivery<'_>) -> Result<(), Error> {
        self.deliveries.deliver(mailbox, delivery)
    }

    fn outcomes(&mut self, wait: bool) -> Result<Vec<Outcome>, Error> {
        self.deliveries.outcomes(wait)
    }

    fn unacknowledged(&self) -> Vec<u32> {
        self.deliveries.unacknowledged()
    }

    fn relocate(&mut self, relocations: &[Relocation]) -> Result<Vec<Relocated>, Error> {
        relocations
            .iter()
            .map(|relocation| self.relocate_one(relocation))
            .collect()
    }

    fn remove(&mut self, removals: &[Removal]) -> Result<Vec<Answer<()>>, Error> {
        let remove = |removal: &Removal| {
            self.remove_one(&removal.mailbox, removal.uid_validity, &removal.uids)
        };
        Ok(removals.iter().map(remove).collect())
    }

    fn rename(&mut self, renames: &[(MailboxName, MailboxName)]) -> Result<Vec<Answer<()>>, Error> {
        Ok(renames
            .iter()
            .map(|(from, to)| self.tree.rename(from, to))
            .collect())
    }

    fn delete(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<()>>, Error> {
        Ok(mailboxes
            .iter()
            .map(|mailbox| self.tree.delete(mailbox))
            .collect())
    }

    /// A file has one time for all its messages: it doesn't show which ones others have changed
    /// since.
    fn change_flags(&mut self, changes: &[FlagChange]) -> Result<Vec<Answer<UidSet>>, Error> {
        let mut results = Vec::with_capacity(changes.len());
        for group in changes.chunk_by(|a, b| a.mailbox == b.mailbox) {
            let done = self.change_all(group);
            results.extend(
                group
                    .iter()
                    .map(|_| done.clone().map(|()| UidSet::default())),
            );
        }
        Ok(results)
    }
}
