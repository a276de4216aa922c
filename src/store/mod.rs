//! What a mailbox account is to the rest of the program, whatever holds it: [`ReadStore`] is the half that reads, [`Store`]
//! has all that changes it as well.
//!
//! ```text
//! scan    what a scan of folders is asked, and its answers     imap      an account on a server
//! change  what is changed, and what becomes of it              maildir   a Maildir++ tree
//! guard   keeps an account that is only read from changes      mbox      a tree of mbox files
//! error   a failure of a whole connection                      disk      what both kinds of directories share
//! ```
//!
//! The operations are those that a fast copy needs, not those of a protocol: a whole listing, a scan of many folders in
//! one go, messages asked for ahead of reading them, messages delivered ahead of their acknowledgement. A trait of one
//! message at a time would cost a round trip each and could never be made fast.

mod change;
mod disk;
mod error;
mod guard;
pub mod imap;
pub mod maildir;
pub mod mbox;
mod scan;

pub use change::{
    Delivery, FlagChange, FlagEdit, NewFolder, Outcome, Placed, Prepared, Refusal, RefusalMeaning, Relocated,
    Relocation, Removal,
};
pub use disk::IfAbsent;
pub use error::{AccountName, Error, ErrorKind};
pub use scan::{Baseline, FolderScan, KnownDepth, ScanDepth, ScanRequest, Unchanged};

use crate::mail::{InternalDate, Listing, MailboxName, Uid, UidSet, UidValidity};
use serde::Serialize;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

/// Makes connections to one account that can only read. Shared by all lanes.
pub trait ReadConnector: Sync {
    /// A new connection, logged in and ready.
    ///
    /// # Errors
    /// Why the account can't be reached or entered, as an [`ErrorKind`] that tells whether to try again.
    fn connect_to_read(&self) -> Result<Box<dyn ReadStore>, Error>;

    /// How many connections the user allows at most; `None`: as many as the server bears.
    fn max_connections(&self) -> Option<usize>;

    /// The directory that holds it; `None` for an account on a server.
    fn directory(&self) -> Option<&Path> {
        None
    }
}

/// Makes connections to one account that can change it, too.
pub trait Connector: ReadConnector {
    /// A new connection, logged in and ready.
    ///
    /// # Errors
    /// As [`ReadConnector::connect_to_read`].
    fn connect(&self) -> Result<Box<dyn Store>, Error>;
}

/// What may be done with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is only read: a request to change it is refused before anything is sent or written.
    ReadOnly,
    /// It may be changed.
    ReadWrite,
}

/// A message's body on its way, given to a [`MessageSink`].
pub enum Body<'a> {
    /// A small one, whole.
    Whole(&'a [u8]),
    /// A large one: exactly `size` bytes can be read, once.
    Stream {
        /// Bytes to come.
        size: u64,
        /// Where they come from. A read error here is the source's, not the sink's.
        from: &'a mut dyn Read,
    },
}

impl Body<'_> {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Stream { size, .. } => *size,
        }
    }
}

/// Takes messages as they arrive.
pub trait MessageSink {
    /// Takes one message. `uid` is one of those that were asked for. What is not read of a stream is skipped.
    ///
    /// # Errors
    /// What the sink could not do; the reader hands it on and is of no further use.
    fn message(&mut self, uid: Uid, body: Body<'_>) -> Result<(), Error>;
}

/// What reading the next piece of the messages that were asked for gave.
#[derive(Debug)]
pub enum Fetched {
    /// One message went to the sink.
    Message,
    /// The oldest request is answered. These of its messages did not come, for this reason.
    RequestDone {
        /// The UIDs that did not come; empty in most cases.
        missing: UidSet,
        /// The server's words where it said NO or BAD.
        refusal: Option<Refusal>,
    },
}

/// Some messages of a folder.
#[derive(Clone, Debug)]
pub struct SomeMessages<'a> {
    /// Where they are.
    pub mailbox: &'a MailboxName,
    /// The generation that their UIDs belong to.
    pub uid_validity: Option<UidValidity>,
    /// Which.
    pub uids: UidSet,
}

/// What a server calls a message, which is the same only for the same content (EMAILID, RFC 8474 section 5.1; X-GM-MSGID). As a
/// print of 64 bits: that two names have one by chance makes no difference, as they are only held against each other where all
/// else is alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentId(u64);

impl ContentId {
    /// Of a server's name.
    pub fn new(name: &[u8]) -> Self {
        Self(crate::identity::print(name))
    }
}

/// How much of an account is used (QUOTA, RFC 9208), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Bytes used.
    pub used: u64,
    /// Bytes allowed.
    pub limit: u64,
}

/// How many connections to an account there may be at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// So many are no trouble to any such server.
    pub usual: usize,
    /// So many some of them bear: it can be tried.
    pub most: usize,
    /// Whether it answers as fast as what is on this machine: there is no line to fill, and fewer keep it busy.
    pub is_near: bool,
}

/// What went over a connection so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// How many times the connection had to wait for the server with nothing else to do.
    pub round_trips: u64,
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.round_trips += other.round_trips;
    }
}

/// An open connection to an account, as far as it reads.
///
/// Errors of one folder or message are values in the results; an `Err` means that the connection is of no further use,
/// and its kind tells whether a new one may help.
///
/// Who has nothing else can change nothing:
///
/// ```compile_fail
/// fn delete(store: &mut dyn mailferry::store::ReadStore) {
///     store.delete(&[]);
/// }
/// ```
pub trait ReadStore: Send {
    /// What the server calls itself.
    fn server(&self) -> &str;

    /// Whether what goes over its connection is compressed.
    fn is_compressed(&self) -> bool {
        false
    }

    /// Whether the server has to be asked before each message of more than a few bytes, which costs a round trip.
    fn asks_for_each(&self) -> bool {
        false
    }

    /// Whether the sizes that it tells of messages are only estimates, as Exchange's are.
    fn estimates_sizes(&self) -> bool {
        false
    }

    /// Whether it may keep this INTERNALDATE, so that it is worth a try. What it makes of it is seen afterwards.
    fn may_keep(&self, _date: InternalDate) -> bool {
        true
    }

    /// How many connections such a server bears at a time.
    fn connections(&self) -> Connections;

    /// All mailboxes with their roles, subscriptions and, where that is cheap, counters.
    fn list(&mut self) -> Result<Listing, Error>;

    /// Asks for folders by their names, all at once. Returns for each whether the account says that there is no such folder;
    /// what it neither shows nor denies counts as there.
    fn are_gone(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<bool>, Error>;

    /// Scans folders one after the other without waiting in between. `done` gets each request's index and result as
    /// soon as it is known, in order.
    fn scan(
        &mut self,
        requests: &[ScanRequest<'_>],
        done: &mut dyn FnMut(usize, Result<FolderScan, Refusal>),
    ) -> Result<(), Error>;

    /// Asks for whole messages of a folder, without waiting for them. `uid_validity` is the one that the UIDs belong
    /// to: messages of another generation are never delivered.
    fn request(&mut self, mailbox: &MailboxName, uid_validity: Option<UidValidity>, uids: &UidSet)
    -> Result<(), Error>;

    /// Reads on: the next message of the oldest request, or of a later one for the same folder, which a server may
    /// answer together; or the oldest request's end.
    fn next(&mut self, sink: &mut dyn MessageSink) -> Result<Fetched, Error>;

    /// What the account itself calls these messages, for each request; nothing of those that it gives no name.
    ///
    /// # Errors
    /// What ends the connection.
    fn content_ids(&mut self, asked: &[SomeMessages<'_>]) -> Result<Vec<HashMap<Uid, ContentId>>, Error> {
        Ok(asked.iter().map(|_| HashMap::new()).collect())
    }

    /// How much of the account is used; `None` where the server does not tell.
    fn quota(&mut self) -> Result<Option<Quota>, Error>;

    /// What went over this connection so far.
    fn traffic(&self) -> Traffic;

    /// Says goodbye. Nothing depends on its success.
    fn close(&mut self);
}

/// What can be read from, whether or not it can be changed as well.
pub trait AsReadStore: Send {
    /// Its reading half.
    fn reading(&mut self) -> &mut dyn ReadStore;
}

impl AsReadStore for Box<dyn ReadStore> {
    fn reading(&mut self) -> &mut dyn ReadStore {
        self.as_mut()
    }
}

impl AsReadStore for Box<dyn Store> {
    fn reading(&mut self) -> &mut dyn ReadStore {
        self.as_mut()
    }
}

/// An open connection to an account, with all that changes it. What only reads takes a [`ReadStore`].
pub trait Store: ReadStore {
    /// Creates folders, all asked for at once. One that exists already counts as created. Gives for each the name that
    /// it has now.
    fn create(&mut self, folders: &[NewFolder]) -> Result<Vec<Result<MailboxName, Refusal>>, Error>;

    /// The same, with each folder subscribed to and opened where that costs no wait of its own; those that exist, too.
    fn prepare(&mut self, folders: &[NewFolder]) -> Result<Vec<Result<Prepared, Refusal>>, Error> {
        let prepared = |name| Prepared { name, opened: None, is_subscribed: false };
        let new: Vec<NewFolder> = folders.iter().filter(|folder| !folder.exists).cloned().collect();
        let mut created = self.create(&new)?.into_iter();
        let of = |folder: &NewFolder| {
            let name = if folder.exists { Ok(folder.name.clone()) } else { created.next()? };
            Some(name.map(prepared))
        };
        Ok(folders.iter().filter_map(of).collect())
    }

    /// Subscribes to folders, all asked for at once.
    fn subscribe(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Result<(), Refusal>>, Error>;

    /// Ends subscriptions, all asked for at once. One that there was not is no refusal.
    fn unsubscribe(&mut self, mailboxes: &[MailboxName]) -> Result<(), Error>;

    /// Sends a message to a folder that exists, without waiting for the acknowledgement. How many share one is the
    /// store's choice.
    fn deliver(&mut self, mailbox: &MailboxName, delivery: Delivery<'_>) -> Result<(), Error>;

    /// Acknowledgements that have arrived. With `wait`, ends what is open and waits for all of them.
    fn outcomes(&mut self, wait: bool) -> Result<Vec<Outcome>, Error>;

    /// Deliveries whose acknowledgement has not been given out yet: what is uncertain when the connection fails.
    fn unacknowledged(&self) -> Vec<u32>;

    /// Copies or moves messages within the account. Gives what became of each request.
    fn relocate(&mut self, relocations: &[Relocation]) -> Result<Vec<Relocated>, Error>;

    /// Removes messages, and no others. Gives for each request the server's words where it refused; then some or all of its
    /// messages may still be there.
    fn remove(&mut self, removals: &[Removal]) -> Result<Vec<Result<(), Refusal>>, Error>;

    /// Renames folders, each with all below it, one after the other: the old name and the new one. Subscriptions stay with
    /// the names (RFC 3501 section 6.3.9).
    fn rename(&mut self, renames: &[(MailboxName, MailboxName)]) -> Result<Vec<Result<(), Refusal>>, Error>;

    /// Deletes folders with all that is in them. Folders below them stay, and so do subscriptions.
    fn delete(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Result<(), Refusal>>, Error>;

    /// Changes messages' flags, all changes asked for at once. Gives for each the messages that were left alone, as somebody
    /// else has changed them meanwhile.
    fn change_flags(&mut self, changes: &[FlagChange]) -> Result<Vec<Result<UidSet, Refusal>>, Error>;
}
