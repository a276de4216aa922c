//! The tree that all connections share: its root, its lock, and what is known about its folders.

use super::folder::{Folder, directory_name};
use super::index::Index;
use super::subscriptions::Subscriptions;
use crate::locks::lock;
use crate::mail::{Gaps, MailboxName, UidValidity, Unread};
use crate::store::disk::{
    Dir, IfAbsent, Kind, ListPlace, Numbers, Place, TreeLock, permanent, refused, stopped,
};
use crate::store::{Access, Answer, Error, ErrorKind};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The most messages for which indexes of unused folders are kept.
const KEPT_MESSAGES: usize = 20_000;
/// The prefix of files while they are written in `tmp`.
pub(super) const DRAFT: &str = "mailferry-";
/// The prefix of folders being deleted. Without a dot before it, no program takes it for a folder.
pub(super) const DELETED: &str = "mailferry-deleted-";

/// An open tree.
pub(super) struct Tree {
    /// `None`: it doesn't exist, and counts as an empty mailbox.
    root: Option<Dir>,
    access: Access,
    numbers: Mutex<HashMap<MailboxName, Arc<Mutex<Numbers>>>>,
    indexes: Mutex<HashMap<MailboxName, Arc<Index>>>,
    _lock: Option<TreeLock>,
}

impl Tree {
    /// Opens a tree, creates it if a copy may, and locks it if it will be written to.
    pub(super) fn open(place: &Place, access: Access) -> Result<Self, Error> {
        let root = match place.open()? {
            Some(root) => keep_if_maildir(root, place.if_absent)?,
            None => None,
        };
        let lock = match (&root, access) {
            (Some(root), Access::ReadWrite) => Some(TreeLock::take(root)?),
            _ => None,
        };
        let tree = Self {
            root,
            access,
            numbers: Mutex::default(),
            indexes: Mutex::default(),
            _lock: lock,
        };
        if let (Some(root), Access::ReadWrite) = (&tree.root, access) {
            let made = Folder::make(root, &MailboxName::from("INBOX"));
            made.map_err(|refusal| Error::new(ErrorKind::Local, refusal.text))?;
            tree.clear_up(root)
                .map_err(|error| stopped("clear up", root.path(), &error))?;
        }
        Ok(tree)
    }

    /// Removes what killed runs have left. Their processes are dead: we hold the lock.
    fn clear_up(&self, root: &Dir) -> io::Result<()> {
        let mut left = Vec::new();
        root.each(|name, kind| {
            if kind == Kind::Directory && name.starts_with(DELETED.as_bytes()) {
                left.push(name.to_vec());
            }
        })?;
        for name in left {
            root.remove_all(&name, 2)?;
        }
        let (mailboxes, _) = self.mailboxes(&Subscriptions::default())?;
        for mailbox in mailboxes {
            let Ok(folder) = Folder::open(root, &mailbox) else {
                continue;
            };
            super::keywords::clear_up(&folder.dir)?;
            let Ok(drafts) = folder.drafts() else {
                continue;
            };
            let mut left = Vec::new();
            drafts.each(|name, kind| {
                if kind == Kind::File && name.starts_with(DRAFT.as_bytes()) {
                    left.push(name.to_vec());
                }
            })?;
            left.iter()
                .try_for_each(|name| drafts.remove_if_there(name))?;
        }
        Ok(())
    }

    /// Returns the root. `None`: the tree is imagined.
    pub(super) fn root(&self) -> Option<&Dir> {
        self.root.as_ref()
    }

    /// Returns the root for a folder, which must exist.
    pub(super) fn root_of(&self, mailbox: &MailboxName) -> Answer<&Dir> {
        self.root
            .as_ref()
            .ok_or_else(|| crate::store::disk::gone(Path::new(&mailbox.to_string())))
    }

    pub(super) fn may_write(&self) -> bool {
        self.access == Access::ReadWrite
    }

    /// Returns all folders, INBOX first, the others by name, and what may be an unreadable one. A
    /// link to a directory is included, and refused by name when it is opened.
    pub(super) fn mailboxes(
        &self,
        subscriptions: &Subscriptions,
    ) -> io::Result<(Vec<MailboxName>, Gaps)> {
        let (mut found, mut gaps) = (Vec::new(), Gaps::default());
        let Some(root) = &self.root else {
            return Ok((vec![MailboxName::from("INBOX")], gaps));
        };
        let mut note = |name: &[u8], why: &str| {
            gaps.add(Unread::Path(root.path_of(name).display().to_string()), why);
        };
        root.each(|name, kind| {
            let Some(mailbox) = name
                .strip_prefix(b".")
                .filter(|mailbox| !mailbox.is_empty())
            else {
                return;
            };
            let mailbox = MailboxName::new(mailbox);
            let is_subscribed = subscriptions.has(&mailbox);
            match kind {
                Kind::Directory if is_folder(root, name) => found.push(mailbox),
                Kind::Directory if is_subscribed || was_folder(root, name) => {
                    note(name, "it has neither `cur` nor `new`, as a folder has");
                }
                Kind::Link if root.leads_to_directory(name) => found.push(mailbox),
                Kind::Link => note(
                    name,
                    "it is a symbolic link that doesn't lead to a directory",
                ),
                Kind::Other => note(name, "it is not a directory"),
                Kind::File if is_subscribed => note(name, "it is a file, not a directory"),
                Kind::Directory | Kind::File => {}
            }
        })?;
        let (hidden, mut found): (Vec<_>, Vec<_>) =
            found.into_iter().partition(MailboxName::is_inbox);
        for name in hidden {
            let why = format!(
                "it reads like INBOX, which is {}; rename it",
                root.path().display()
            );
            note(&[b".", name.as_bytes()].concat(), &why);
        }
        found.sort();
        found.insert(0, MailboxName::from("INBOX"));
        Ok((found, gaps))
    }

    /// Reports whether nothing at all is where a folder would be.
    pub(super) fn is_gone(&self, mailbox: &MailboxName) -> bool {
        let (Some(root), Some(name)) = (&self.root, directory_name(mailbox)) else {
            return !mailbox.is_inbox();
        };
        root.lacks(&name)
    }

    /// Returns a folder's messages: as last read if nothing has changed since, unless `anew`.
    pub(super) fn index(
        &self,
        mailbox: &MailboxName,
        folder: &Folder,
        anew: bool,
    ) -> Answer<Arc<Index>> {
        if folder.cur.is_none() {
            let path = folder.dir.path_of(b"cur");
            let text = format!(
                "{} is missing, with any mail in it; if there was none, create that directory",
                path.display()
            );
            return Err(permanent(text));
        }
        let numbers = self.numbers(mailbox);
        let mut numbers = lock(&numbers);
        let known = lock(&self.indexes).get(mailbox).map(Arc::clone);
        if let Some(known) = known.filter(|known| !anew && known.mod_seq.is_some()) {
            let changed = folder
                .last_change()
                .map_err(|error| refused("read", folder.dir.path(), &error))?;
            if changed == known.read_at {
                return Ok(known);
            }
        }
        let root = self.root_of(mailbox)?;
        let index = Arc::new(Index::read(folder, &mut numbers, root, self.may_write())?);
        let mut indexes = lock(&self.indexes);
        indexes.remove(mailbox);
        let kept: usize = indexes.values().map(|index| index.len()).sum();
        if kept + index.len() > KEPT_MESSAGES {
            indexes.retain(|_, index| Arc::strong_count(index) > 1);
        }
        indexes.insert(mailbox.clone(), Arc::clone(&index));
        Ok(index)
    }

    /// Numbers messages about to be put into a folder, and puts them there while nobody else reads
    /// the folder's list. The numbers are durable before the first file becomes visible.
    pub(super) fn place<T>(
        &self,
        mailbox: &MailboxName,
        folder: &Folder,
        names: &[&[u8]],
        put: impl FnOnce(UidValidity, &[u32]) -> io::Result<T>,
    ) -> io::Result<T> {
        let numbers = self.numbers(mailbox);
        let mut numbers = lock(&numbers);
        let root = self.root.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let place = ListPlace {
            dir: &folder.dir,
            name: super::uidlist::OWN,
            root,
            may_write: true,
        };
        let (validity, uids) = numbers.append(&place, names)?;
        put(validity, &uids)
    }

    fn numbers(&self, mailbox: &MailboxName) -> Arc<Mutex<Numbers>> {
        let mut numbers = lock(&self.numbers);
        Arc::clone(numbers.entry(mailbox.clone()).or_default())
    }

    /// Forgets a folder that was renamed or deleted.
    pub(super) fn forget(&self, mailbox: &MailboxName) {
        lock(&self.numbers).remove(mailbox);
        lock(&self.indexes).remove(mailbox);
    }
}

/// Reports whether a directory in a tree is a folder rather than another program's own.
fn is_folder(root: &Dir, name: &[u8]) -> bool {
    let Ok(dir) = root.directory(name) else {
        // If it can't be read, it is refused by name later.
        return root.stat(name).is_ok();
    };
    [b"cur", b"new"].iter().any(|inner| !dir.lacks(*inner))
}

/// Reports whether a directory that isn't a folder used to be one.
fn was_folder(root: &Dir, name: &[u8]) -> bool {
    let Ok(dir) = root.directory(name) else {
        return true;
    };
    let traces: [&[u8]; 2] = [b"tmp", b"maildirfolder"];
    traces
        .iter()
        .chain(&super::uidlist::KNOWN)
        .any(|trace| !dir.lacks(trace))
}

/// Accepts a directory that is a Maildir, or can become one as it is empty.
fn keep_if_maildir(root: Dir, if_absent: IfAbsent) -> Result<Option<Dir>, Error> {
    let (mut is_maildir, mut is_empty) = (false, true);
    root.each(|name, kind| {
        is_maildir |= matches!(name, b"cur" | b"new");
        is_maildir |= kind == Kind::Directory && name.starts_with(b".") && is_folder(&root, name);
        is_empty &= name == b"lost+found";
    })
    .map_err(|error| stopped("read", root.path(), &error))?;
    match (is_maildir, is_empty, if_absent) {
        (true, ..) | (_, true, IfAbsent::Make) => Ok(Some(root)),
        (_, true, IfAbsent::Imagine) => Ok(None),
        _ => {
            let message = format!(
                "{} is not a Maildir: it has neither `cur` nor `new`",
                root.path().display()
            );
            let hint = match if_absent {
                IfAbsent::Fail => {
                    "pass the directory that contains `cur` and `new`, such as ~/Maildir"
                }
                _ => "pass a Maildir, an empty directory or one that doesn't exist yet",
            };
            Err(Error::new(ErrorKind::Local, message).with_hint(hint))
        }
    }
}

/// Returns a folder's path, for messages.
pub(super) fn path_of(root: &Dir, mailbox: &MailboxName) -> std::path::PathBuf {
    directory_name(mailbox).map_or_else(|| root.path().to_owned(), |name| root.path_of(&name))
}
