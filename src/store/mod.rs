//! One trait for a mailbox account, whatever holds it.
//!
//! The operations are those that a fast copy needs, not those of a protocol: a whole listing, a scan of many folders in
//! one go, messages asked for ahead of reading them, messages delivered ahead of their acknowledgement. A trait of one
//! message at a time would cost a round trip each and could never be made fast.

mod disk;
mod error;
mod guard;
pub mod imap;
pub mod maildir;
pub mod mbox;

pub use disk::IfAbsent;
pub use error::{AccountName, Error, ErrorKind};

use crate::mail::{
    Counters, FlagTable, Flags, Flattened, Heading, InternalDate, Listing, MailboxName, Message, PermanentFlags,
    SpecialUse, Uid, UidSet, UidValidity,
};
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

/// How much a scan asks of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanDepth {
    /// UID and size: for what was delivered.
    Sizes,
    /// UID, flags, date and size: for a folder that needs no matching.
    Attributes,
    /// The header fields that identify a message as well.
    Identity,
    /// The same, and the headings: for messages that are listed to people.
    Headings,
    /// The header fields of what is new: for a folder of which the rest is known.
    Since(Baseline),
}

/// What is known of a folder already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Messages with this UID or a higher one are new.
    pub uid_next: Uid,
    /// How much is asked of the others.
    pub known: KnownDepth,
    /// Some of the others whose header fields are asked for all the same: to see whether they are still the same messages.
    pub probe: [Option<Uid>; 2],
}

/// How much a scan asks of messages that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownDepth {
    /// UID, flags, date and size.
    Attributes,
    /// UID and flags.
    Flags,
    /// UID and flags of what has changed after this HIGHESTMODSEQ, and which are gone (CONDSTORE and QRESYNC, RFC 7162);
    /// where the server can't tell, as `Flags`.
    Changes(u64),
}

/// A folder to scan.
#[derive(Clone, Debug)]
pub struct ScanRequest<'a> {
    /// Which folder.
    pub mailbox: &'a MailboxName,
    /// How much to ask of each message.
    pub depth: ScanDepth,
    /// Only these messages; `None`: all. Not together with `search`.
    pub uids: Option<UidSet>,
    /// Only messages that this SEARCH program finds (RFC 3501 section 6.4.4), already checked for line ends.
    pub search: Option<&'a str>,
    /// Whether the folder will be written to: it is opened by SELECT, as some servers tell PERMANENTFLAGS only there.
    pub for_writing: bool,
}

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub struct FolderScan {
    /// The generation of its UIDs; `None` where the server tells none.
    pub uid_validity: Option<UidValidity>,
    /// No message had this UID or a higher one when the folder was opened; `None` where the server does not say.
    pub uid_next: Option<u32>,
    /// How many messages it had when it was opened.
    pub exists: u32,
    /// HIGHESTMODSEQ when it was opened (RFC 7162); `None` where the server has none.
    pub highest_mod_seq: Option<u64>,
    /// MAILBOXID (RFC 8474); `None` where the server has none.
    pub mailbox_id: Option<String>,
    /// What flags it can keep.
    pub permanent_flags: PermanentFlags,
    /// How many messages the folder has beyond those that could be listed: they are there, but nothing is known of them.
    pub unlisted: u64,
    /// The messages, by ascending UID.
    pub messages: Vec<Message>,
    /// Their flags.
    pub flags: FlagTable,
    /// Their headings, where these were asked for.
    pub headings: Vec<(Uid, Heading)>,
    /// What is known of messages below the baseline that are not listed; `None`: all are listed.
    pub unchanged: Option<Unchanged>,
}

impl FolderScan {
    /// How the folder stood when it was opened, as the server told it.
    pub fn counters(&self) -> Counters {
        let (uid_validity, uid_next, mod_seq) = (self.uid_validity, self.uid_next, self.highest_mod_seq);
        Counters { uid_validity, uid_next, mod_seq, messages: Some(self.exists) }
    }

    /// The message with this UID.
    pub fn message(&self, uid: Uid) -> Option<&Message> {
        self.messages.get(self.messages.binary_search_by_key(&uid, Message::uid).ok()?)
    }

    /// Adds the unchanged messages that the scan left out. `known` gives their UIDs and flags at the time of the baseline; `is_known`
    /// tells whether a UID existed then, in a pair or not. `None`: something could not be listed, or the result doesn't add up to the
    /// server's count of messages.
    #[must_use]
    pub fn filled_in(self, known: impl Iterator<Item = (Uid, Flags)>, is_known: impl Fn(Uid) -> bool) -> Option<Self> {
        let Some(unchanged) = &self.unchanged else { return Some(self) };
        if self.unlisted > 0 {
            return None;
        }
        let mut flags = self.flags.clone();
        let mut messages: Vec<Message> = known
            .filter(|(uid, _)| unchanged.contains(*uid) && self.message(*uid).is_none())
            .map(|(uid, of)| Message::bare(uid, flags.intern(of)))
            .collect();
        // A message that changed and then went may be told of both ways.
        let is_there = |message: &&Message| !is_known(message.uid()) || unchanged.contains(message.uid());
        messages.extend(self.messages.iter().filter(is_there));
        messages.sort_unstable_by_key(Message::uid);
        let is_complete = messages.len() as u64 == u64::from(self.exists);
        is_complete.then_some(Self { messages, flags, unchanged: None, ..self })
    }

    /// UIDNEXT. A server that does not tell it gives new messages higher UIDs than the last one all the same (RFC 3501 section 2.3.1.1);
    /// `None` where there is no message either.
    pub fn next_uid(&self) -> Option<u32> {
        let after_last = || self.messages.last().map(|message| message.uid().get().saturating_add(1));
        self.uid_next.or_else(after_last)
    }
}

/// Messages that a scan did not list, as they are as they were ([`KnownDepth::Changes`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unchanged {
    /// All that were known but these, which are gone. There may be UIDs among these that were never known.
    AllBut(UidSet),
    /// These.
    Only(UidSet),
}

impl Unchanged {
    /// Whether a known message that was not listed is still there.
    pub fn contains(&self, uid: Uid) -> bool {
        match self {
            Self::AllBut(gone) => !gone.contains(uid),
            Self::Only(there) => there.contains(uid),
        }
    }
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

/// A message to deliver.
pub struct Delivery<'a> {
    /// The caller's name for it, told back in its [`Outcome`].
    pub token: u32,
    /// Its flags, already limited to what the folder keeps.
    pub flags: &'a Flags,
    /// Its INTERNALDATE; `None`: the server's clock.
    pub date: Option<InternalDate>,
    /// Its bytes.
    pub body: Body<'a>,
    /// Whether it goes alone and the server is asked before each step: for a message that was refused among others.
    pub careful: bool,
    /// Whether it goes as a binary literal (RFC 3516): only after [`RefusalMeaning::Nul`], and with care.
    pub binary: bool,
    /// Messages of different numbers never share what the target takes or refuses as a whole.
    pub batch: u32,
}

/// What became of deliveries that shared one acknowledgement.
#[derive(Debug)]
pub struct Outcome {
    /// The deliveries' tokens, in the order of delivery.
    pub tokens: Vec<u32>,
    /// Where they are now, or why the server refused all of them.
    pub result: Result<Option<Placed>, Refusal>,
}

/// Where delivered messages are (APPENDUID, RFC 4315).
#[derive(Clone, Debug)]
pub struct Placed {
    /// The target folder's UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The UIDs, ascending, one for each delivery.
    pub uids: UidSet,
}

/// A server's NO or BAD to something that concerns one message or one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it means for what comes next.
    pub meaning: RefusalMeaning,
    /// The server's own words, raw.
    pub text: String,
}

/// What a refusal means (knowledge of servers' replies is the store's).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalMeaning {
    /// This message or folder will never be taken as it is.
    Permanent,
    /// A flag was refused: without keywords it may go.
    Flags,
    /// The date was refused: without it it may go.
    Date,
    /// It holds NUL, which a plain literal may not: as a binary one it may go.
    Nul,
    /// The folder is not there (TRYCREATE), or it is another one of the same name.
    NoFolder,
    /// The account is full, or a provider's limit is reached: no message will be taken.
    Full,
    /// Something passing: worth another try.
    Transient,
}

/// A folder to create, with other names if the server does not take the first.
#[derive(Clone, Debug)]
pub struct NewFolder {
    /// The name.
    pub name: MailboxName,
    /// What to try after it, in this order.
    pub fallbacks: Vec<MailboxName>,
    /// What to try in the end where a mailbox above it turns out to be one that can have no folders below it.
    pub flattened: Vec<Flattened>,
    /// What it is for: told where the server takes that (CREATE-SPECIAL-USE, RFC 6154). Never a view.
    pub role: Option<SpecialUse>,
    /// Whether the user is to be subscribed to it, where [`Store::prepare`] is what creates it.
    pub subscribe: bool,
    /// Whether it is there already, so that [`Store::prepare`] only subscribes to it and opens it.
    pub exists: bool,
}

impl NewFolder {
    /// A folder for no purpose of its own, which is to be created and not subscribed to.
    pub fn new(name: MailboxName, fallbacks: Vec<MailboxName>) -> Self {
        Self { name, fallbacks, flattened: Vec::new(), role: None, subscribe: false, exists: false }
    }
}

/// A folder that was created, or was there already.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The name that it has now.
    pub name: MailboxName,
    /// How it was when it was opened, without its messages; `None`: it is still to be opened.
    pub opened: Option<FolderScan>,
    /// Whether the user is subscribed to it now.
    pub is_subscribed: bool,
}

/// What is done with flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlagEdit {
    /// They are set.
    Add,
    /// They are taken away.
    Remove,
}

/// A change of messages' flags.
#[derive(Clone, Debug)]
pub struct FlagChange {
    /// The folder.
    pub mailbox: MailboxName,
    /// The messages.
    pub uids: UidSet,
    /// What is done.
    pub edit: FlagEdit,
    /// With which flags.
    pub flags: Flags,
    /// Messages that somebody else has changed since this HIGHESTMODSEQ of the folder are left alone, where the server can
    /// see to that (UNCHANGEDSINCE, RFC 7162).
    pub unchanged_since: Option<u64>,
}

/// Messages that go to another folder of the same account, without passing through this machine.
#[derive(Clone, Debug)]
pub struct Relocation {
    /// Where they are.
    pub from: MailboxName,
    /// The generation that their UIDs belong to: messages of another are left alone.
    pub uid_validity: Option<UidValidity>,
    /// Which.
    pub uids: UidSet,
    /// Where they go.
    pub to: MailboxName,
    /// Whether they leave the folder where they are: MOVE, or COPY and a removal of what is known to be copied.
    pub leave: bool,
}

/// What became of a [`Relocation`]. A message that is nowhere in it was not relocated.
#[derive(Clone, Debug, Default)]
pub struct Relocated {
    /// The generation of the new UIDs.
    pub uid_validity: Option<UidValidity>,
    /// The messages' UIDs before and now, where the server told them (COPYUID, RFC 4315).
    pub placed: Vec<(Uid, Uid)>,
    /// Messages of which the server says only that they were relocated, without where they are now.
    pub somewhere: UidSet,
    /// Copied messages that could not be removed from where they were.
    pub left_behind: UidSet,
    /// The server's words where it refused some.
    pub refusal: Option<Refusal>,
}

/// Messages to remove for good.
#[derive(Clone, Debug)]
pub struct Removal {
    /// Where they are.
    pub mailbox: MailboxName,
    /// The generation that their UIDs belong to: messages of another are left alone.
    pub uid_validity: Option<UidValidity>,
    /// Which: exactly these, whatever else is marked `\Deleted` there.
    pub uids: UidSet,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
