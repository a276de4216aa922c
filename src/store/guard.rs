//! The one place that protects a store from changes, and that adds the account's name to its
//! errors.

use super::{
    Access, AccountName, AclRules, Answer, Connections, ContentId, Delivery, Error, ErrorKind,
    Fetched, FlagChange, FolderRights, FolderScan, Grantable, MessageSink, NewFolder, Outcome,
    Prepared, Quota, ReadStore, Relocated, Relocation, Removal, RightsChange, Room, ScanRequest,
    SomeMessages, Store, Traffic,
};
use crate::mail::{InternalDate, Listing, MailboxName, Uid, UidSet, UidValidity};
use crate::provider::Provider;
use crate::store::budget::Budget;
use std::collections::HashMap;
use std::sync::Arc;

/// A store that refuses any change to a read-only account before anything is sent or written,
/// whatever code requests it by mistake. Its errors name the account.
pub(super) struct Guarded<S> {
    /// The store behind it: its errors name no account, and it makes every change.
    pub(super) store: S,
    access: Access,
    account: AccountName,
    /// What the account may move, and what its server has refused.
    budget: Option<Arc<Budget>>,
}

impl<S> Guarded<S> {
    pub(super) fn new(store: S, access: Access, account: AccountName) -> Self {
        Self {
            store,
            access,
            account,
            budget: None,
        }
    }

    /// Notes in the budget when the server refuses to go on.
    pub(super) fn within(self, budget: Arc<Budget>) -> Self {
        Self {
            budget: Some(budget),
            ..self
        }
    }

    /// Adds the account's name to an error of the store.
    pub(super) fn named<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| {
            let error = match &self.budget {
                Some(budget) => budget.heed(error),
                None => error,
            };
            error.of(&self.account)
        })
    }

    /// Returns the store, if it may be changed.
    fn writable(&mut self) -> Result<&mut S, Error> {
        match self.access {
            Access::ReadWrite => Ok(&mut self.store),
            Access::ReadOnly => {
                let text = "something tried to change a mailbox that is only to be read";
                Err(Error::new(ErrorKind::Local, text).of(&self.account))
            }
        }
    }
}

impl<S: ReadStore> ReadStore for Guarded<S> {
    fn server(&self) -> &str {
        self.store.server()
    }

    fn provider(&self) -> Option<&'static Provider> {
        self.store.provider()
    }

    fn is_compressed(&self) -> bool {
        self.store.is_compressed()
    }

    fn asks_for_each(&self) -> bool {
        self.store.asks_for_each()
    }

    fn estimates_sizes(&self) -> bool {
        self.store.estimates_sizes()
    }

    fn may_keep(&self, date: InternalDate) -> bool {
        self.store.may_keep(date)
    }

    fn connections(&self) -> Connections {
        self.store.connections()
    }

    fn list(&mut self) -> Result<Listing, Error> {
        let result = self.store.list();
        self.named(result)
    }

    fn are_gone(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<bool>, Error> {
        let result = self.store.are_gone(mailboxes);
        self.named(result)
    }

    fn scan(
        &mut self,
        requests: &[ScanRequest<'_>],
        done: &mut dyn FnMut(usize, Answer<FolderScan>),
    ) -> Result<(), Error> {
        let result = self.store.scan(requests, done);
        self.named(result)
    }

    fn request(
        &mut self,
        mailbox: &MailboxName,
        validity: Option<UidValidity>,
        uids: &UidSet,
    ) -> Result<(), Error> {
        let result = self.store.request(mailbox, validity, uids);
        self.named(result)
    }

    fn next(&mut self, sink: &mut dyn MessageSink) -> Result<Fetched, Error> {
        let result = self.store.next(sink);
        self.named(result)
    }

    fn content_ids(
        &mut self,
        asked: &[SomeMessages<'_>],
    ) -> Result<Vec<HashMap<Uid, ContentId>>, Error> {
        let result = self.store.content_ids(asked);
        self.named(result)
    }

    fn acl_rules(&self) -> Option<AclRules> {
        self.store.acl_rules()
    }

    fn rights(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<FolderRights>>, Error> {
        let result = self.store.rights(mailboxes);
        self.named(result)
    }

    fn grantable(
        &mut self,
        asked: &[(MailboxName, String)],
    ) -> Result<Vec<Answer<Grantable>>, Error> {
        let result = self.store.grantable(asked);
        self.named(result)
    }

    fn quota(&mut self) -> Result<Option<Quota>, Error> {
        let result = self.store.quota();
        self.named(result)
    }

    fn room(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Room>, Error> {
        let result = self.store.room(mailboxes);
        self.named(result)
    }

    fn traffic(&self) -> Traffic {
        self.store.traffic()
    }

    fn close(&mut self) {
        self.store.close();
    }
}

impl<S: Store> Store for Guarded<S> {
    fn create(&mut self, folders: &[NewFolder]) -> Result<Vec<Answer<MailboxName>>, Error> {
        let result = self.writable()?.create(folders);
        self.named(result)
    }

    fn prepare(&mut self, folders: &[NewFolder]) -> Result<Vec<Answer<Prepared>>, Error> {
        let result = self.writable()?.prepare(folders);
        self.named(result)
    }

    fn subscribe(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<()>>, Error> {
        let result = self.writable()?.subscribe(mailboxes);
        self.named(result)
    }

    fn unsubscribe(&mut self, mailboxes: &[MailboxName]) -> Result<(), Error> {
        let result = self.writable()?.unsubscribe(mailboxes);
        self.named(result)
    }

    fn deliver(&mut self, mailbox: &MailboxName, delivery: Delivery<'_>) -> Result<(), Error> {
        let result = self.writable()?.deliver(mailbox, delivery);
        self.named(result)
    }

    fn outcomes(&mut self, wait: bool) -> Result<Vec<Outcome>, Error> {
        let result = self.store.outcomes(wait);
        self.named(result)
    }

    fn unacknowledged(&self) -> Vec<u32> {
        self.store.unacknowledged()
    }

    fn relocate(&mut self, relocations: &[Relocation]) -> Result<Vec<Relocated>, Error> {
        let result = self.writable()?.relocate(relocations);
        self.named(result)
    }

    fn remove(&mut self, removals: &[Removal]) -> Result<Vec<Answer<()>>, Error> {
        let result = self.writable()?.remove(removals);
        self.named(result)
    }

    fn rename(&mut self, renames: &[(MailboxName, MailboxName)]) -> Result<Vec<Answer<()>>, Error> {
        let result = self.writable()?.rename(renames);
        self.named(result)
    }

    fn delete(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<()>>, Error> {
        let result = self.writable()?.delete(mailboxes);
        self.named(result)
    }

    fn change_flags(&mut self, changes: &[FlagChange]) -> Result<Vec<Answer<UidSet>>, Error> {
        let result = self.writable()?.change_flags(changes);
        self.named(result)
    }

    fn change_rights(&mut self, changes: &[RightsChange]) -> Result<Vec<Answer<()>>, Error> {
        let result = self.writable()?.change_rights(changes);
        self.named(result)
    }
}
