//! The result of pairing two mailboxes' folders: which folder goes where, and why.

use super::labels::GmailLabels;
use super::name::FolderName;
use crate::mail::{Flattened, MailboxName, SpecialUse};

/// Every folder on the source and what becomes of it.
#[derive(Clone, Debug, Default)]
pub struct Pairing {
    /// The folders that take part: INBOX first, then by the target's names, so that parents come
    /// before children.
    ///
    /// Two pairs have the same target only if `--map` says so; a new folder is then listed in each.
    pub pairs: Vec<Pair>,
    /// The source's views whose otherwise homeless messages take part; `target` is where these go.
    pub views: Vec<Pair>,
    /// The source's folders that don't take part.
    pub skipped: Vec<Skipped>,
    /// The target's own folders that no folder on the source is paired with, as far as `--folder`,
    /// `--exclude` and `--into` select them.
    pub unmatched_target: Vec<Unmatched>,
    /// Things that the user should know but that stop nothing, such as a `--map` that matches no
    /// folder.
    pub warnings: Vec<String>,
    /// What becomes of a message with several labels: always `Folders`, unless the source's folders
    /// are labels.
    pub labels: GmailLabels,
}

/// A folder on the source and the target's folder for it.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Its index in the source's listing.
    pub source: usize,
    /// Its decoded name.
    pub from: FolderName,
    /// Its decoded name on the target.
    pub to: FolderName,
    /// The folder on the target.
    pub target: TargetFolder,
    /// The role of the source's folder, if known.
    pub role: Option<SpecialUse>,
    /// The role for a new folder on the target: the source's, if the target has no folder with it
    /// and the name wasn't chosen by a user's rule. Never a view.
    pub new_role: Option<SpecialUse>,
    /// Whether it is a view, from which only messages that are in no other folder take part.
    pub view: bool,
    /// Why it has this name there and what is unusual about it, as fragments for users. A name may
    /// come from a server.
    pub reasons: Vec<String>,
    /// Whether the user is subscribed to it on the source but not yet on the target.
    pub subscribe: bool,
}

/// A folder on the target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetFolder {
    /// It exists: its index in the target's listing.
    Existing(usize),
    /// It has to be created. Its parents are created with it.
    New {
        /// Its name.
        name: MailboxName,
        /// Other spellings, to be tried in this order if the target refuses the name: with
        /// everything escaped that any server is known to refuse, first in the last level, then in
        /// the last two, and so on. So a folder whose parent was accepted as spelled isn't put
        /// below another spelling of that parent.
        fallbacks: Vec<MailboxName>,
        /// Its names in case a mailbox above it turns out not to allow subfolders.
        flattened: Vec<Flattened>,
    },
}

/// Why a folder that may hold mail doesn't take part, without being a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeavesOut {
    /// `--folder` and `--folders-from` don't select it.
    Folder,
    /// `--exclude` matches it.
    Exclude,
    /// It is shared or belongs to another user, and no `--folder` names its first level.
    Shared,
    /// It holds what `--keep-deleted` kept.
    Kept,
    /// It is Gmail's folder of chats, which aren't mail.
    Chats,
}

impl LeavesOut {
    /// Returns the name in JSON: the option's, if it is one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "--folder",
            Self::Exclude => "--exclude",
            Self::Shared => "shared",
            Self::Kept => "kept",
            Self::Chats => "chats",
        }
    }

    /// Returns the reason, as a fragment for users.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Folder => "not selected by --folder",
            Self::Exclude => "excluded by --exclude",
            Self::Shared => {
                "shared, or owned by another user; use --folder with its first level to include it"
            }
            Self::Kept => "moved there by --keep-deleted; use --folder 'Vanished/**' to include it",
            Self::Chats => "chats, not mail; use --folder with its full name to include it",
        }
    }
}

/// A folder on the source that doesn't take part.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// Its index in the source's listing.
    pub source: usize,
    /// Its decoded name, or its raw one if it has none.
    pub name: String,
    /// Why, as a fragment for users.
    pub reason: String,
    /// Whether it should have taken part: mail is left behind, so the run isn't complete.
    pub failed: bool,
    /// What left it out; `None` if it holds no mail of its own, or failed.
    pub by: Option<LeavesOut>,
}

/// A folder on the target that no folder is paired with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// Its index in the target's listing.
    pub target: usize,
    /// Its decoded name.
    pub name: FolderName,
    /// Its role, such as sent mail, from the server or by its name.
    pub role: Option<SpecialUse>,
    /// The raw names that it may have on the source, except those that the source lists as folders
    /// for mail.
    pub origins: Vec<MailboxName>,
}

/// Why two mailboxes' folders can't be paired. Nothing has been created yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// Two folders would become one, and no `--map` asks for that.
    #[error(transparent)]
    Collision(Box<Collision>),
    /// Folders selected by name don't exist.
    #[error("no such folder {whose}: {missing}")]
    NoFolder {
        /// The side that doesn't have them.
        whose: &'static str,
        /// The names, with similar ones that may be meant.
        missing: String,
    },
    /// A substitution leaves no folder name.
    #[error(
        "--map-regex '{rule}' turns {from} into an invalid folder name: a level would be empty"
    )]
    NoName {
        /// The folder.
        from: FolderName,
        /// The substitution, as typed.
        rule: String,
    },
}

/// Two folders on the source that would become one.
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
    /// The folder on the target.
    pub to: FolderName,
}

/// Writes a name in the syntax of `--map`.
fn typed(name: &FolderName) -> String {
    name.to_string().replace('=', "\\=")
}
