//! What is changed in an account, and what becomes of it.

use super::{Body, FolderScan};
use crate::mail::{Flags, Flattened, InternalDate, MailboxName, SpecialUse, Uid, UidSet, UidValidity};

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
    /// Whether the user is to be subscribed to it, where [`Store::prepare`](super::Store::prepare) is what creates it.
    pub subscribe: bool,
    /// Whether it is there already, so that [`Store::prepare`](super::Store::prepare) only subscribes to it and opens it.
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
    /// Skips messages that have changed since the folder had this HIGHESTMODSEQ, if the server can (UNCHANGEDSINCE, RFC 7162).
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
    /// Messages that the server has relocated without telling their new UIDs.
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
