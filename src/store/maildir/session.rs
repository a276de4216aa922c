//! One connection to a tree: the [`Store`] built on it.

use super::deliver::Deliveries;
use super::fetch::Shelf;
use super::folder::Folder;
use super::subscriptions::Subscriptions;
use super::tree::Tree;
use crate::mail::{
    Counters, FolderStatus, Gaps, ListedMailbox, Listing, MailboxName, NameStyle, UidSet,
    UidValidity,
};
use crate::store::disk::{Requests, stopped};
use crate::store::{
    Answer, Connections, Delivery, Error, Fetched, FlagChange, FolderScan, MessageSink, NewFolder,
    Outcome, Quota, ReadStore, Relocated, Relocation, Removal, Room, ScanRequest, Store, Traffic,
};
use std::io;
use std::sync::Arc;

/// How many connections work in one tree at a time: they wait for the disk.
const CONNECTIONS: usize = 4;

/// One connection.
pub(super) struct Session {
    pub(super) tree: Arc<Tree>,
    requests: Requests,
    shelf: Shelf,
    deliveries: Deliveries,
}

impl Session {
    pub(super) fn new(tree: Arc<Tree>) -> Self {
        Self {
            shelf: Shelf::new(Arc::clone(&tree)),
            deliveries: Deliveries::new(Arc::clone(&tree)),
            tree,
            requests: Requests::default(),
        }
    }

    fn list_all(&self) -> Result<Listing, Error> {
        let style = NameStyle {
            prefix: Vec::new(),
            separator: Some('.'),
            utf8: false,
        };
        let Some(root) = self.tree.root() else {
            let inbox = listed(
                MailboxName::from("INBOX"),
                false,
                Some(FolderStatus {
                    counters: Counters {
                        messages: Some(0),
                        ..Counters::default()
                    },
                    ..FolderStatus::default()
                }),
            );
            return Ok(Listing {
                mailboxes: vec![inbox],
                style,
                foreign_prefixes: Vec::new(),
                gaps: Gaps::default(),
                are_labels: false,
                merges_equal: false,
            });
        };
        let failed = |error: io::Error| stopped("read", root.path(), &error);
        let subscriptions = Subscriptions::read(root).map_err(failed)?;
        let (names, gaps) = self.tree.mailboxes(&subscriptions).map_err(failed)?;
        let mailbox = |name: MailboxName| {
            // An unreadable folder has no counters, and is refused with its reason when scanned.
            let status = self.status(&name).ok();
            listed(name.clone(), subscriptions.has(&name), status)
        };
        Ok(Listing {
            mailboxes: names.into_iter().map(mailbox).collect(),
            style,
            foreign_prefixes: Vec::new(),
            gaps,
            are_labels: false,
            merges_equal: false,
        })
    }

    fn status(&self, mailbox: &MailboxName) -> Answer<FolderStatus> {
        let folder = Folder::open(self.tree.root_of(mailbox)?, mailbox)?;
        let index = self.tree.index(mailbox, &folder, false)?;
        let unseen = index
            .all()
            .filter(|found| !super::filename::letters(found.name).contains(&b'S'))
            .count();
        Ok(FolderStatus {
            counters: Counters {
                uid_validity: index.validity(),
                uid_next: index.uid_next(),
                mod_seq: index.mod_seq.filter(|_| index.validity().is_some()),
                messages: u32::try_from(index.len()).ok(),
            },
            unseen: u32::try_from(unseen).ok(),
            size: None,
            mailbox_id: None,
        })
    }
}

fn listed(name: MailboxName, subscribed: bool, status: Option<FolderStatus>) -> ListedMailbox {
    ListedMailbox {
        subscribed,
        status,
        ..ListedMailbox::new(name, Some('.'))
    }
}

impl ReadStore for Session {
    fn server(&self) -> &str {
        "Maildir"
    }

    fn connections(&self) -> Connections {
        Connections {
            usual: CONNECTIONS,
            most: CONNECTIONS,
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
        let done = self.change_subscriptions(&mut |subscriptions| {
            mailboxes.iter().fold(false, |changed, mailbox| {
                subscriptions.add(mailbox) | changed
            })
        });
        Ok(vec![done; mailboxes.len()])
    }

    fn unsubscribe(&mut self, mailboxes: &[MailboxName]) -> Result<(), Error> {
        // If it can't be written, the next subscription reports that.
        let _ = self.change_subscriptions(&mut |subscriptions| {
            mailboxes.iter().fold(false, |changed, mailbox| {
                subscriptions.remove(mailbox) | changed
            })
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
        Ok(relocations
            .iter()
            .map(|relocation| self.relocate_one(relocation))
            .collect())
    }

    fn remove(&mut self, removals: &[Removal]) -> Result<Vec<Answer<()>>, Error> {
        Ok(removals
            .iter()
            .map(|removal| self.remove_one(removal))
            .collect())
    }

    fn rename(&mut self, renames: &[(MailboxName, MailboxName)]) -> Result<Vec<Answer<()>>, Error> {
        Ok(renames
            .iter()
            .map(|(from, to)| self.rename_one(from, to))
            .collect())
    }

    fn delete(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<()>>, Error> {
        Ok(mailboxes
            .iter()
            .map(|mailbox| self.delete_one(mailbox))
            .collect())
    }

    fn change_flags(&mut self, changes: &[FlagChange]) -> Result<Vec<Answer<UidSet>>, Error> {
        Ok(changes
            .iter()
            .map(|change| self.change_one(change))
            .collect())
    }
}
