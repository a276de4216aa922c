//! What pairing two mailboxes' folders gives: which folder goes where, and why.

use super::name::FolderName;
use crate::mail::{Flattened, MailboxName, SpecialUse};

/// Every folder of the source and what becomes of it.
#[derive(Clone, Debug, Default)]
pub struct Pairing {
    /// The folders that take part: INBOX first, then by the target's names, so that parents come before children.
    ///
    /// Two pairs have the same target only where `--map` says so; then a new folder is named in each.
    pub pairs: Vec<Pair>,
    /// The source's views that take part with what is in no other folder; `target` is where that goes.
    pub views: Vec<Pair>,
    /// The source's folders that do not take part.
    pub skipped: Vec<Skipped>,
    /// The target's own folders that no folder of the source is paired with, as far as `--folder`, `--exclude` and
    /// `--into` concern them.
    pub unmatched_target: Vec<Unmatched>,
    /// What the user should know and that stops nothing, such as a `--map` that concerns no folder.
    pub warnings: Vec<String>,
}

/// A folder of the source and the target's folder for it.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Which mailbox of the source's listing.
    pub source: usize,
    /// Its decoded name.
    pub from: FolderName,
    /// The decoded name on the target.
    pub to: FolderName,
    /// The folder on the target.
    pub target: TargetFolder,
    /// What the source's folder is for, where that is known.
    pub role: Option<SpecialUse>,
    /// What a new folder on the target will be for: the source's role, where the target has no folder for it and no
    /// rule of the user's has chosen the name. Never a view.
    pub new_role: Option<SpecialUse>,
    /// Whether it is a view, of which only what is in no other folder takes part.
    pub view: bool,
    /// Why it has this name there and what is odd about it, as fragments for people. A name may come from a server.
    pub reasons: Vec<String>,
    /// Whether the user is subscribed to it on the source and not yet on the target.
    pub subscribe: bool,
}

/// A folder on the target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetFolder {
    /// It is there: which mailbox of the target's listing.
    Existing(usize),
    /// It has to be created. Parents come into being with it.
    New {
        /// Its name.
        name: MailboxName,
        /// Other spellings, to be tried in this order where the target refuses the name: with everything escaped that
        /// any server is known to refuse, first in the last level, then in the last two, and so on. So a folder whose
        /// parent was taken as it stands is not put below another spelling of that parent.
        fallbacks: Vec<MailboxName>,
        /// What it is called where a mailbox above it turns out to be one that can have no folders below it.
        flattened: Vec<Flattened>,
    },
}

/// What keeps a folder that may hold mail from taking part, where that is no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeavesOut {
    /// `--folder` and `--folders-from` do not select it.
    Folder,
    /// `--exclude` names it.
    Exclude,
    /// It belongs to other users or is shared, and no `--folder` names its first level.
    Shared,
    /// It holds what `--keep-deleted` has kept.
    Kept,
    /// It is Gmail's folder of chats, which are no mail.
    Chats,
}

impl LeavesOut {
    /// The name in JSON: the option's, where it is one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "--folder",
            Self::Exclude => "--exclude",
            Self::Shared => "shared",
            Self::Kept => "kept",
            Self::Chats => "chats",
        }
    }

    /// Why, as a fragment for people.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Folder => "not selected by --folder",
            Self::Exclude => "excluded by --exclude",
            Self::Shared => "shared, or owned by another user; use --folder with its first level to include it",
            Self::Kept => "moved there by --keep-deleted; use --folder 'Vanished/**' to include it",
            Self::Chats => "chats, not mail; use --folder with its full name to include it",
        }
    }
}

/// A folder of the source that does not take part.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// Which mailbox of the source's listing.
    pub source: usize,
    /// Its decoded name, or its raw one where it has none.
    pub name: String,
    /// Why, as a fragment for people.
    pub reason: String,
    /// Whether it should have taken part: mail is left behind, and the run can't count as complete.
    pub failed: bool,
    /// What left it out; `None`: it holds no mail of its own, or it failed.
    pub by: Option<LeavesOut>,
}

/// A folder of the target that nothing is paired with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// Which mailbox of the target's listing.
    pub target: usize,
    /// Its decoded name.
    pub name: FolderName,
    /// What it is for, such as sent mail, by the server's word or by its name.
    pub role: Option<SpecialUse>,
    /// The raw names under which the source may have it and does not list it as a folder of mail.
    pub origins: Vec<MailboxName>,
}

/// Why two mailboxes' folders can't be paired. Nothing was created yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// Two folders would become one, and no `--map` says that they should.
    #[error(transparent)]
    Collision(Box<Collision>),
    /// Folders were selected by name that are not there.
    #[error("no such folder {whose}: {missing}")]
    NoFolder {
        /// Who has none.
        whose: &'static str,
        /// The names, with those that may be meant.
        missing: String,
    },
    /// A substitution leaves no folder name.
    #[error("--map-regex '{rule}' turns {from} into an invalid folder name: a level would be empty")]
    NoName {
        /// The folder.
        from: FolderName,
        /// The substitution, as typed.
        rule: String,
    },
}

/// Two folders of the source that would become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the source's folders {first} ({first_raw}) and {second} ({second_raw}) would both become {to} on the target: \
     rename one with --map '{from}=NAME', or merge them with --map '{from}={into}'",
    from = typed(second), into = typed(to)
)]
pub struct Collision {
    /// One of the folders.
    pub first: FolderName,
    /// Its raw name.
    pub first_raw: MailboxName,
    /// The other one.
    pub second: FolderName,
    /// Its raw name.
    pub second_raw: MailboxName,
    /// The target's folder.
    pub to: FolderName,
}

/// A name as `--map` takes it.
fn typed(name: &FolderName) -> String {
    name.to_string().replace('=', "\\=")
}
