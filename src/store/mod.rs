//! What a mailbox account is to the rest of the program, whatever stores it: [`ReadStore`] is the
//! reading half, [`Store`] adds everything that changes it.
//!
//! ```text
//! scan    requests to scan folders, and their results      imap      an account on a server
//! change  changes, and their results                       maildir   a Maildir++ tree
//! guard   protects a read-only account from changes        mbox      a tree of mbox files
//! budget  how many bytes an account may move in a day
//! error   a failure of a whole connection                  disk      what both kinds of directories share
//! rights  access rights
//! ```
//!
//! The operations are those that a fast copy needs, not those of a protocol: a whole listing, a
//! scan of many folders in one go, messages requested ahead of reading them, messages delivered
//! ahead of their acknowledgement. A trait of one message at a time would cost a round trip each
//! and could never be made fast.

pub mod budget;
mod change;
mod disk;
mod error;
mod guard;
pub mod imap;
pub mod maildir;
pub mod mbox;
mod rights;
mod scan;

pub use change::{
    Answer, Delivery, FlagChange, FlagEdit, NewFolder, Outcome, Placed, Prepared, Refusal,
    RefusalMeaning, Relocated, Relocation, Removal,
};
pub use disk::IfAbsent;
pub use error::{AccountName, Error, ErrorKind, When};
pub use rights::{AclRules, FolderRights, Grantable, RightsChange, RightsEdit};
pub use scan::{Baseline, FolderScan, KnownDepth, ScanDepth, ScanRequest, Unchanged};

use budget::Budget;

use crate::address::{Form, LocalAddress};
use crate::event::Observer;
use crate::mail::{InternalDate, Listing, MailboxName, Side, Uid, UidSet, UidValidity};
use crate::provider::Provider;
use serde::Serialize;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// Makes read-only connections to one account. Shared by all lanes.
pub trait ReadConnector: Sync {
    /// Makes a connection, logged in and ready.
    ///
    /// # Errors
    /// Why the account can't be reached or accessed, with an [`ErrorKind`] that says whether to
    /// retry.
    fn connect_to_read(&self) -> Result<Box<dyn ReadStore>, Error>;

    /// Returns how many connections the user allows at most; `None`: as many as the server bears.
    fn max_connections(&self) -> Option<usize>;

    /// Returns the directory that stores it; `None` for an account on a server.
    fn directory(&self) -> Option<&Path> {
        None
    }

    /// Returns what the account may move in a day; `None` for a directory.
    fn budget(&self) -> Option<&Budget> {
        None
    }
}

/// Makes connections to one account that can change it, too.
pub trait Connector: ReadConnector {
    /// Makes a connection, logged in and ready.
    ///
    /// # Errors
    /// As [`ReadConnector::connect_to_read`].
    fn connect(&self) -> Result<Box<dyn Store>, Error>;
}

/// Returns the account in a directory. Nothing is opened yet.
pub fn local(
    address: &LocalAddress,
    side: Side,
    access: Access,
    if_absent: IfAbsent,
    observer: Arc<dyn Observer + Send + Sync>,
) -> Box<dyn Connector> {
    let path = &address.path;
    match address.form {
        Form::Maildir => Box::new(maildir::Account::new(path, side, access, if_absent)),
        Form::Mbox => Box::new(mbox::Account::new(path, side, access, if_absent, observer)),
    }
}

/// What may be done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only reading: any request to change it is refused before anything is sent or written.
    ReadOnly,
    /// Reading and changing.
    ReadWrite,
}

/// A message's body in transit, passed to a [`MessageSink`].
pub enum Body<'a> {
    /// A small one, in full.
    Whole(&'a [u8]),
    /// A large one: exactly `size` bytes can be read, once.
    Stream {
        /// Bytes to come.
        size: u64,
        /// Their source. A read error here is the source's, not the sink's.
        from: &'a mut dyn Read,
    },
}

impl Body<'_> {
    /// Returns how many bytes it has.
    pub fn size(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Stream { size, .. } => *size,
        }
    }
}

/// Receives messages as they arrive.
pub trait MessageSink {
    /// Receives one message. `uid` is one of those requested. Any unread rest of a stream is
    /// skipped.
    ///
    /// # Errors
    /// Why the sink failed; the reader passes it on and can't be used any more.
    fn message(&mut self, uid: Uid, body: Body<'_>) -> Result<(), Error>;
}

/// The result of reading the next piece of the requested messages.
#[derive(Debug)]
pub enum Fetched {
    /// One message was passed to the sink.
    Message,
    /// The oldest request is done. These of its messages did not arrive, for this reason.
    RequestDone {
        /// The UIDs that did not arrive; usually empty.
        missing: UidSet,
        /// The server's text if it said NO or BAD.
        refusal: Option<Refusal>,
    },
}

/// Some messages in a folder.
#[derive(Clone, Debug)]
pub struct SomeMessages<'a> {
    /// The folder.
    pub mailbox: &'a MailboxName,
    /// The UIDVALIDITY of their UIDs.
    pub uid_validity: Option<UidValidity>,
    /// The messages.
    pub uids: UidSet,
}

/// A server-given ID of a message, which is the same only for the same content (EMAILID, RFC 8474
/// section 5.1; X-GM-MSGID). Stored as a 64-bit fingerprint: a chance collision makes no
/// difference, as IDs are compared only if everything else matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentId(u64);

impl ContentId {
    /// Makes it from the server's ID.
    pub fn new(name: &[u8]) -> Self {
        Self(crate::identity::print(name))
    }
}

/// How much of an account's quota is used (QUOTA, RFC 9208), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// Bytes used.
    pub used: u64,
    /// Bytes allowed.
    pub limit: u64,
}

/// How much more mail fits into some folders of an account: one quota root (RFC 9208), or one file
/// system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// The root's name or the directory, for users; may be empty.
    pub name: String,
    /// Which of the folders it is about, by their place in the request.
    pub folders: Vec<usize>,
    /// Free bytes; `None`: no limit is known.
    pub bytes: Option<u64>,
    /// Free places for messages; `None`: no limit is known.
    pub messages: Option<u64>,
}

/// How many connections to an account are possible at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// A number that any such server handles without trouble.
    pub usual: usize,
    /// A number that some of them handle: worth trying.
    pub most: usize,
    /// Whether it responds as fast as a server on this machine: there is no latency to hide, and
    /// fewer connections keep it busy.
    pub is_near: bool,
}

/// A connection's traffic so far.
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

/// An open connection to an account, for reading only.
///
/// Errors about one folder or message are values in the results; an `Err` means that the connection
/// can't be used any more, and its kind says whether a new one may help.
///
/// Code that has only this can't change anything:
///
/// ```compile_fail
/// fn delete(store: &mut dyn mailferry::store::ReadStore) {
///     store.delete(&[]);
/// }
/// ```
pub trait ReadStore: Send {
    /// Returns the server's name for itself.
    fn server(&self) -> &str;

    /// Returns the provider or kind of server that it is treated as, if it is a known one.
    fn provider(&self) -> Option<&'static Provider> {
        None
    }

    /// Reports whether the connection is compressed.
    fn is_compressed(&self) -> bool {
        false
    }

    /// Reports whether the server has to be asked before each message of more than a few bytes,
    /// which costs a round trip.
    fn asks_for_each(&self) -> bool {
        false
    }

    /// Reports whether the sizes that it gives are only estimates, as Exchange's are.
    fn estimates_sizes(&self) -> bool {
        false
    }

    /// Reports whether it may keep this INTERNALDATE, so that it is worth trying. What it makes of
    /// the date is checked afterwards.
    fn may_keep(&self, _date: InternalDate) -> bool {
        true
    }

    /// Returns how many connections such a server handles at a time.
    fn connections(&self) -> Connections;

    /// Lists all mailboxes with their roles, subscriptions and, if that is cheap, counters.
    fn list(&mut self) -> Result<Listing, Error>;

    /// Asks for folders by name, all at once. Returns for each whether the account denies that it
    /// exists; a folder that it neither shows nor denies counts as existing.
    fn are_gone(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<bool>, Error>;

    /// Scans folders one after the other without waiting in between. `done` gets each request's
    /// index and result as soon as it is known, in order.
    fn scan(
        &mut self,
        requests: &[ScanRequest<'_>],
        done: &mut dyn FnMut(usize, Answer<FolderScan>),
    ) -> Result<(), Error>;

    /// Requests whole messages in a folder, without waiting for them. `uid_validity` is the one of
    /// the UIDs: messages under any other are never delivered.
    fn request(
        &mut self,
        mailbox: &MailboxName,
        uid_validity: Option<UidValidity>,
        uids: &UidSet,
    ) -> Result<(), Error>;

    /// Continues reading: the next message of the oldest request, or of a later one for the same
    /// folder, which a server may answer together; or the oldest request's end.
    fn next(&mut self, sink: &mut dyn MessageSink) -> Result<Fetched, Error>;

    /// Returns the server-given IDs of these messages, by request; messages without one are
    /// missing.
    ///
    /// # Errors
    /// A failure that ends the connection.
    fn content_ids(
        &mut self,
        asked: &[SomeMessages<'_>],
    ) -> Result<Vec<HashMap<Uid, ContentId>>, Error> {
        Ok(asked.iter().map(|_| HashMap::new()).collect())
    }

    /// Returns how its server deals with access rights, once folders are listed; `None`: it has
    /// none.
    fn acl_rules(&self) -> Option<AclRules> {
        None
    }

    /// Reads the access rights of folders, all at once. A store without [`ReadStore::acl_rules`]
    /// returns nothing.
    ///
    /// # Errors
    /// A failure that ends the connection.
    fn rights(&mut self, _mailboxes: &[MailboxName]) -> Result<Vec<Answer<FolderRights>>, Error> {
        Ok(Vec::new())
    }

    /// Asks which rights someone may be granted in a folder, all at once: the folder, and who. A
    /// store without [`ReadStore::acl_rules`] returns nothing.
    ///
    /// # Errors
    /// A failure that ends the connection.
    fn grantable(
        &mut self,
        _asked: &[(MailboxName, String)],
    ) -> Result<Vec<Answer<Grantable>>, Error> {
        Ok(Vec::new())
    }

    /// Returns how much of the account's quota is used; `None` if the server doesn't say.
    fn quota(&mut self) -> Result<Option<Quota>, Error>;

    /// Returns how much more fits into these folders, as far as the account says, all in one
    /// flight.
    ///
    /// # Errors
    /// A failure that ends the connection.
    fn room(&mut self, _mailboxes: &[MailboxName]) -> Result<Vec<Room>, Error> {
        Ok(Vec::new())
    }

    /// Returns the connection's traffic so far.
    fn traffic(&self) -> Traffic;

    /// Says goodbye. Nothing depends on its success.
    fn close(&mut self);
}

/// A store that can be read, whether or not it can be changed as well.
pub trait AsReadStore: Send {
    /// Returns its reading half.
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

/// An open connection to an account, for reading and changing. Code that only reads takes a
/// [`ReadStore`].
pub trait Store: ReadStore {
    /// Creates folders, all at once. One that exists already counts as created. Returns the final
    /// name of each.
    fn create(&mut self, folders: &[NewFolder]) -> Result<Vec<Answer<MailboxName>>, Error>;

    /// Creates folders, and also subscribes to and opens each of them, existing ones too, if that
    /// costs no extra wait.
    fn prepare(&mut self, folders: &[NewFolder]) -> Result<Vec<Answer<Prepared>>, Error> {
        let prepared = |name| Prepared {
            name,
            opened: None,
            is_subscribed: false,
        };
        let new: Vec<NewFolder> = folders
            .iter()
            .filter(|folder| !folder.exists)
            .cloned()
            .collect();
        let mut created = self.create(&new)?.into_iter();
        let of = |folder: &NewFolder| {
            let name = if folder.exists {
                Ok(folder.name.clone())
            } else {
                created.next()?
            };
            Some(name.map(prepared))
        };
        Ok(folders.iter().filter_map(of).collect())
    }

    /// Subscribes to folders, all at once.
    fn subscribe(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<()>>, Error>;

    /// Unsubscribes from folders, all at once. A missing subscription isn't a refusal.
    fn unsubscribe(&mut self, mailboxes: &[MailboxName]) -> Result<(), Error>;

    /// Sends a message to an existing folder, without waiting for the acknowledgement. How many
    /// share one is up to the store.
    fn deliver(&mut self, mailbox: &MailboxName, delivery: Delivery<'_>) -> Result<(), Error>;

    /// Returns the acknowledgements that have arrived. With `wait`, finishes what is open and waits
    /// for all of them.
    fn outcomes(&mut self, wait: bool) -> Result<Vec<Outcome>, Error>;

    /// Returns deliveries whose acknowledgement has not been returned yet: they are uncertain when
    /// the connection fails.
    fn unacknowledged(&self) -> Vec<u32>;

    /// Copies or moves messages within the account. Returns the result of each request.
    fn relocate(&mut self, relocations: &[Relocation]) -> Result<Vec<Relocated>, Error>;

    /// Removes messages, and no others. Returns for each request the server's text if it refused;
    /// then some or all of its messages may still exist.
    fn remove(&mut self, removals: &[Removal]) -> Result<Vec<Answer<()>>, Error>;

    /// Renames folders, each with its subfolders, one after the other: the old name and the new
    /// one. Subscriptions stay with the names (RFC 3501 section 6.3.9).
    fn rename(&mut self, renames: &[(MailboxName, MailboxName)]) -> Result<Vec<Answer<()>>, Error>;

    /// Deletes folders with everything in them. Subfolders and subscriptions stay.
    fn delete(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Answer<()>>, Error>;

    /// Changes messages' flags, all at once. Returns for each change the messages that were left
    /// alone because someone else has changed them since.
    fn change_flags(&mut self, changes: &[FlagChange]) -> Result<Vec<Answer<UidSet>>, Error>;

    /// Changes access rights, all at once. A store without [`ReadStore::acl_rules`] returns
    /// nothing.
    ///
    /// # Errors
    /// A failure that ends the connection.
    fn change_rights(&mut self, _changes: &[RightsChange]) -> Result<Vec<Answer<()>>, Error> {
        Ok(Vec::new())
    }
}
