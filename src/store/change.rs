//! Changes to an account, and their results.

use super::{Body, FolderScan};
use crate::mail::{
    Flags, Flattened, InternalDate, MailboxName, ModSeq, SpecialUse, Uid, UidSet, UidValidity,
};

/// A message to deliver.
pub struct Delivery<'a> {
    /// The caller's number for it, repeated in its [`Outcome`].
    pub token: u32,
    /// Its flags, already limited to what the folder keeps.
    pub flags: &'a Flags,
    /// Its INTERNALDATE; `None`: the server's clock.
    pub date: Option<InternalDate>,
    /// Its content.
    pub body: Body<'a>,
    /// Whether it is sent alone, waiting for the server before each step: for a message that was
    /// refused among others.
    pub careful: bool,
    /// Whether it is sent as a binary literal (RFC 3516): only after [`RefusalMeaning::Nul`], and
    /// with care.
    pub binary: bool,
    /// Messages with different numbers never share what the target accepts or refuses as a whole.
    pub batch: u32,
}

/// The result for deliveries that shared one acknowledgement.
#[derive(Debug)]
pub struct Outcome {
    /// The deliveries' tokens, in the order of delivery.
    pub tokens: Vec<u32>,
    /// Where they are now, or why the server refused all of them.
    pub result: Answer<Option<Placed>>,
}

/// Where delivered messages are (APPENDUID, RFC 4315).
#[derive(Clone, Debug)]
pub struct Placed {
    /// The target folder's UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The UIDs, ascending, one for each delivery.
    pub uids: UidSet,
}

/// A store's answer to a request about one folder or some messages: done, or refused. An [`Error`]
/// instead ends the connection, and with it all other requests.
///
/// [`Error`]: super::Error
pub type Answer<T> = Result<T, Refusal>;

/// A server's NO or BAD to something about one message or one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it means for the next step.
    pub meaning: RefusalMeaning,
    /// The server's own text, raw.
    pub text: String,
}

/// What a refusal means (knowing servers' replies is up to the store).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalMeaning {
    /// This message or folder will never be accepted as it is.
    Permanent,
    /// A flag was refused: it may be accepted without keywords.
    Flags,
    /// The date was refused: it may be accepted without.
    Date,
    /// It contains NUL, which a plain literal may not: it may be accepted as a binary one.
    Nul,
    /// The folder doesn't exist (TRYCREATE), or it is another one with the same name.
    NoFolder,
    /// The account is full: no message will be accepted.
    Full,
    /// Temporary: worth a retry.
    Transient,
    /// The server wants less load, and will do it later. The connection waits before it sends the
    /// next command.
    Throttled,
}

impl RefusalMeaning {
    /// Reports whether the same may be accepted later.
    pub fn is_passing(self) -> bool {
        matches!(self, Self::Transient | Self::Throttled)
    }
}

/// A folder to create, with other names in case the server refuses the first.
#[derive(Clone, Debug)]
pub struct NewFolder {
    /// The name.
    pub name: MailboxName,
    /// Names to try next, in this order.
    pub fallbacks: Vec<MailboxName>,
    /// Names to try last, if a mailbox above it turns out not to allow subfolders.
    pub flattened: Vec<Flattened>,
    /// Its role, sent if the server supports it (CREATE-SPECIAL-USE, RFC 6154). Never a view.
    pub role: Option<SpecialUse>,
    /// Whether to subscribe to it, when [`Store::prepare`](super::Store::prepare) creates it.
    pub subscribe: bool,
    /// Whether it already exists, so that [`Store::prepare`](super::Store::prepare) only subscribes
    /// to it and opens it.
    pub exists: bool,
}

impl NewFolder {
    /// Makes a folder without a role, to be created and not subscribed to.
    pub fn new(name: MailboxName, fallbacks: Vec<MailboxName>) -> Self {
        Self {
            name,
            fallbacks,
            flattened: Vec::new(),
            role: None,
            subscribe: false,
            exists: false,
        }
    }
}

/// A folder that was created, or existed already.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Its final name.
    pub name: MailboxName,
    /// Its scan from opening it, without messages; `None`: it still has to be opened.
    pub opened: Option<FolderScan>,
    /// Whether the user is now subscribed to it.
    pub is_subscribed: bool,
}

/// Whether flags are added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlagEdit {
    /// They are set.
    Add,
    /// They are removed.
    Remove,
}

/// A change of messages' flags.
#[derive(Clone, Debug)]
pub struct FlagChange {
    /// The folder.
    pub mailbox: MailboxName,
    /// The messages.
    pub uids: UidSet,
    /// Whether they are added or removed.
    pub edit: FlagEdit,
    /// The flags.
    pub flags: Flags,
    /// Skips messages that have changed since the folder had this HIGHESTMODSEQ, if the server
    /// supports it (UNCHANGEDSINCE, RFC 7162).
    pub unchanged_since: Option<ModSeq>,
}

/// Messages to copy or move to another folder in the same account, without passing through this
/// machine.
#[derive(Clone, Debug)]
pub struct Relocation {
    /// The folder that has them.
    pub from: MailboxName,
    /// The UIDVALIDITY of their UIDs: under any other, messages are left alone.
    pub uid_validity: Option<UidValidity>,
    /// The messages.
    pub uids: UidSet,
    /// The folder that they go to.
    pub to: MailboxName,
    /// Whether to move them: with MOVE, or with COPY and a removal of what is known to be copied.
    pub leave: bool,
}

/// The result of a [`Relocation`]. A message that isn't in it was not relocated.
#[derive(Clone, Debug, Default)]
pub struct Relocated {
    /// The UIDVALIDITY of the new UIDs.
    pub uid_validity: Option<UidValidity>,
    /// The messages' UIDs before and now, if the server reported them (COPYUID, RFC 4315).
    pub placed: Vec<(Uid, Uid)>,
    /// Messages that the server has relocated without reporting their new UIDs.
    pub somewhere: UidSet,
    /// Copied messages that could not be removed from their old folder.
    pub left_behind: UidSet,
    /// The server's text if it refused some.
    pub refusal: Option<Refusal>,
}

/// Messages to remove for good.
#[derive(Clone, Debug)]
pub struct Removal {
    /// The folder that has them.
    pub mailbox: MailboxName,
    /// The UIDVALIDITY of their UIDs: under any other, messages are left alone.
    pub uid_validity: Option<UidValidity>,
    /// The messages: exactly these, whatever else is marked `\Deleted` there.
    pub uids: UidSet,
}
