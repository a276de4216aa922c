//! The directory that all connections share: its root, its lock, where folders are, and what is
//! known about them.

use super::found::{BELOW, Found, MAX_LEVELS, UIDS};
use super::index::Index;
use super::lock::MboxLock;
use crate::event::{Event, Observer};
use crate::locks::lock;
use crate::mail::{Gaps, MailboxName, UidValidity};
use crate::store::disk::{
    Dir, IfAbsent, Kind, ListPlace, MAX_SETTINGS, Numbers, Place, TreeLock, gone, permanent,
    refused, stopped,
};
use crate::store::{Access, Answer, Error, ErrorKind};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard};

/// The subscriptions, one name per line.
const SUBSCRIPTIONS: &[u8] = b"mailferry-subscriptions";
/// The suffixes that no folder name may have.
const RESERVED: [&[u8]; 3] = [BELOW, UIDS, b".lock"];

/// An open directory of mbox files.
pub(super) struct Tree {
    /// `None`: it doesn't exist, and counts as an empty mailbox.
    root: Option<Dir>,
    access: Access,
    observer: Arc<dyn Observer + Send + Sync>,
    folders: Mutex<HashMap<MailboxName, Known>>,
    _lock: Option<TreeLock>,
}

#[derive(Default)]
struct Known {
    numbers: Numbers,
    index: Option<Arc<Index>>,
}

/// Where a folder's file is.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) dir: Dir,
    pub(super) name: Vec<u8>,
}

impl Spot {
    pub(super) fn path(&self) -> std::path::PathBuf {
        self.dir.path_of(&self.name)
    }

    fn list_name(&self) -> Vec<u8> {
        [&self.name, UIDS].concat()
    }

    /// Returns the file with its locks, to be changed.
    pub(super) fn lock(&self) -> Answer<(File, MboxLock)> {
        let failed = |error: io::Error| refused("lock", &self.path(), &error);
        loop {
            let file = self.dir.file_for_writing(&self.name).map_err(failed)?;
            let lock = MboxLock::take(&self.dir, &self.name, &file).map_err(failed)?;
            // During the wait, a new file may have replaced it.
            let is_still_it =
                self.dir.stat(&self.name).map_err(failed)?.inode == inode(&file).map_err(failed)?;
            if is_still_it {
                return Ok((file, lock));
            }
        }
    }
}

fn inode(file: &File) -> io::Result<u64> {
    Ok(std::os::unix::fs::MetadataExt::ino(&file.metadata()?))
}

impl Tree {
    pub(super) fn open(
        place: &Place,
        access: Access,
        observer: Arc<dyn Observer + Send + Sync>,
    ) -> Result<Self, Error> {
        let root = place.open()?;
        let lock = match (&root, access) {
            (Some(root), Access::ReadWrite) => Some(TreeLock::take(root)?),
            _ => None,
        };
        let tree = Self {
            root,
            access,
            observer,
            folders: Mutex::default(),
            _lock: lock,
        };
        if let Some(root) = &tree.root {
            let (found, _) = tree
                .mailboxes()
                .map_err(|error| stopped("read", root.path(), &error))?;
            let is_empty = is_empty(root).map_err(|error| stopped("read", root.path(), &error))?;
            if found.is_empty() && (!is_empty || place.if_absent == IfAbsent::Fail) {
                let message = format!("{} holds no mbox file", root.path().display());
                let hint = "pass a directory of mbox files; to write to, an empty one or one that doesn't exist yet";
                return Err(Error::new(ErrorKind::Local, message).with_hint(hint));
            }
        }
        if access == Access::ReadWrite {
            let made = tree.create(&MailboxName::from("INBOX"));
            made.map_err(|refusal| Error::new(ErrorKind::Local, refusal.text))?;
        }
        Ok(tree)
    }

    pub(super) fn root(&self) -> Option<&Dir> {
        self.root.as_ref()
    }

    /// Returns the files of all folders, by name, and what may be an unreadable one; INBOX only if
    /// it exists.
    pub(super) fn mailboxes(&self) -> io::Result<(BTreeSet<MailboxName>, Gaps)> {
        let mut found = Found::default();
        if let Some(root) = &self.root {
            found.collect(root, b"", 1)?;
        }
        Ok((found.names, found.gaps))
    }

    /// Reports whether nothing at all is where a folder would be: neither its file nor, for a
    /// subfolder, its parents' directories.
    pub(super) fn is_gone(&self, mailbox: &MailboxName) -> bool {
        let Some(root) = &self.root else {
            return !mailbox.is_inbox();
        };
        if mailbox.is_inbox() {
            return false;
        }
        let levels: Vec<&[u8]> = mailbox.as_bytes().split(|byte| *byte == b'/').collect();
        let Some((name, above)) = levels.split_last() else {
            return false;
        };
        // Its parents' directories, each under both of its possible names.
        let mut dirs = vec![root.clone()];
        for level in above {
            let mut inner = Vec::new();
            for dir in &dirs {
                for entry in [level.to_vec(), [level, BELOW].concat()] {
                    match dir.directory(&entry) {
                        Ok(found) => inner.push(found),
                        // A file with that name is the parent itself.
                        Err(_)
                            if dir.lacks(&entry)
                                || dir.stat(&entry).is_ok_and(|stat| stat.kind == Kind::File) => {}
                        Err(_) => return false,
                    }
                }
            }
            dirs = inner;
        }
        dirs.iter().all(|dir| dir.lacks(name))
    }

    pub(super) fn warn(&self, text: &str) {
        self.observer.observe(&Event::Warning { text });
    }

    /// Returns where a folder is or would be. With `make`, creates the directories above it.
    pub(super) fn spot(&self, mailbox: &MailboxName, make: bool) -> Answer<Spot> {
        let Some(root) = &self.root else {
            return Err(gone(mailbox.to_string().as_ref()));
        };
        if mailbox.is_inbox() {
            return Ok(Spot {
                dir: root.clone(),
                name: b"INBOX".to_vec(),
            });
        }
        let levels: Vec<&[u8]> = mailbox.as_bytes().split(|byte| *byte == b'/').collect();
        let Some((name, above)) = levels.split_last() else {
            return Err(gone(root.path()));
        };
        let mut dir = root.clone();
        check_depth(root, mailbox, levels.len())?;
        for level in &levels {
            check_level(root, mailbox, level)?;
        }
        for level in above {
            dir = below(&dir, level, make)
                .map_err(|error| refused("open", &dir.path_of(level), &error))?;
        }
        Ok(Spot {
            dir,
            name: name.to_vec(),
        })
    }

    /// Creates a folder. One that exists already counts as created.
    pub(super) fn create(&self, mailbox: &MailboxName) -> Answer<()> {
        let spot = self.spot(mailbox, true)?;
        let failed = |error: io::Error| refused("create", &spot.path(), &error);
        match spot.dir.new_file(&spot.name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                spot.dir.file(&spot.name).map_err(failed)?;
            }
            made => {
                made.map_err(failed)?;
                self.forget(mailbox);
                spot.dir
                    .remove_if_there(&spot.list_name())
                    .and_then(|()| spot.dir.sync())
                    .map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Returns a folder's messages, as last read if the file has not changed since.
    pub(super) fn index(&self, mailbox: &MailboxName) -> Answer<Arc<Index>> {
        let spot = self.spot(mailbox, false)?;
        let failed = |error: io::Error| refused("read", &spot.path(), &error);
        let mut folders = self.folders();
        let known = folders.entry(mailbox.clone()).or_default();
        let stat = spot.dir.stat(&spot.name).map_err(failed)?;
        if let Some(index) = known
            .index
            .as_ref()
            .filter(|index| index.stamp == stat.into())
        {
            return Ok(Arc::clone(index));
        }
        // Only the current folder's index is kept.
        let file = spot.dir.file(&spot.name).map_err(failed)?;
        let read = Index::read(file, stat).map_err(failed)?;
        let Some(mut index) = read else {
            return Err(permanent(format!(
                "{} is not an mbox file: it doesn't begin with `From `",
                spot.path().display()
            )));
        };
        if index.cut > 0 {
            let text = "messages cut short by a crash are skipped";
            self.warn(&format!("{}: {} {text}", spot.path().display(), index.cut));
        }
        let list = spot.list_name();
        let (generation, next) = match &self.root {
            Some(root) => {
                let may_write = self.access == Access::ReadWrite;
                let place = ListPlace {
                    dir: &spot.dir,
                    name: &list,
                    root,
                    may_write,
                };
                known
                    .numbers
                    .number(&place, &mut index, &|_| None)
                    .map_err(failed)?
            }
            None => return Err(gone(&spot.path())),
        };
        index.finish(generation, next);
        let index = Arc::new(index);
        folders.values_mut().for_each(|known| known.index = None);
        if let Some(known) = folders.get_mut(mailbox) {
            known.index = Some(Arc::clone(&index));
        }
        Ok(index)
    }

    /// Numbers messages that are about to be appended.
    pub(super) fn number(
        &self,
        mailbox: &MailboxName,
        spot: &Spot,
        names: &[&[u8]],
    ) -> io::Result<(UidValidity, Vec<u32>)> {
        let root = self.root.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let list = spot.list_name();
        let place = ListPlace {
            dir: &spot.dir,
            name: &list,
            root,
            may_write: true,
        };
        self.folders()
            .entry(mailbox.clone())
            .or_default()
            .numbers
            .append(&place, names)
    }

    /// Rewrites a folder's list of UIDs after messages were removed.
    pub(super) fn renumber(
        &self,
        mailbox: &MailboxName,
        spot: &Spot,
        names: &[(u32, String)],
    ) -> io::Result<()> {
        let root = self.root.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let list = spot.list_name();
        let place = ListPlace {
            dir: &spot.dir,
            name: &list,
            root,
            may_write: true,
        };
        self.folders()
            .entry(mailbox.clone())
            .or_default()
            .numbers
            .rewrite(&place, names)
    }

    fn folders(&self) -> MutexGuard<'_, HashMap<MailboxName, Known>> {
        lock(&self.folders)
    }

    pub(super) fn forget(&self, mailbox: &MailboxName) {
        self.folders().remove(mailbox);
    }

    /// Renames a folder and its subfolders.
    pub(super) fn rename(&self, from: &MailboxName, to: &MailboxName) -> Answer<()> {
        if from.is_inbox() || to.is_inbox() {
            return Err(permanent("INBOX keeps its name"));
        }
        let (old, new) = (self.spot(from, false)?, self.spot(to, true)?);
        let failed = |error: io::Error| refused("rename", &old.path(), &error);
        let with = |spot: &Spot, suffix: &[u8]| [spot.name.as_slice(), suffix].concat();
        let there = |spot: &Spot, suffix: &[u8]| spot.dir.stat(&with(spot, suffix)).is_ok();
        if there(&new, b"") || there(&new, BELOW) {
            return Err(permanent(format!(
                "a folder {} already exists",
                new.path().display()
            )));
        }
        self.check_depth_below(from, to)?;
        let parts = [&b""[..], UIDS, BELOW]
            .into_iter()
            .filter(|suffix| there(&old, suffix))
            .collect::<Vec<_>>();
        if parts.is_empty() || parts == [UIDS] {
            return Err(gone(&old.path()));
        }
        for suffix in parts {
            old.dir
                .rename_new(&with(&old, suffix), &new.dir, &with(&new, suffix))
                .map_err(failed)?;
        }
        new.dir
            .sync()
            .and_then(|()| old.dir.sync())
            .map_err(failed)?;
        self.folders().clear();
        Ok(())
    }

    /// Checks that a folder's subfolders are still listed under its new name.
    fn check_depth_below(&self, from: &MailboxName, to: &MailboxName) -> Answer<()> {
        let Some(root) = &self.root else {
            return Ok(());
        };
        let (names, _) = self
            .mailboxes()
            .map_err(|error| refused("read", root.path(), &error))?;
        let levels = |name: &[u8]| name.split(|byte| *byte == b'/').count();
        let top = [from.as_bytes(), b"/"].concat();
        let below = names
            .iter()
            .filter_map(|name| name.as_bytes().strip_prefix(top.as_slice()));
        let deepest = below.map(levels).max().unwrap_or(0);
        check_depth(root, to, levels(to.as_bytes()) + deepest)
    }

    /// Deletes a folder with its messages; subfolders stay.
    pub(super) fn delete(&self, mailbox: &MailboxName) -> Answer<()> {
        if mailbox.is_inbox() {
            return Err(permanent("INBOX cannot be deleted"));
        }
        let spot = self.spot(mailbox, false)?;
        let failed = |error: io::Error| refused("delete", &spot.path(), &error);
        let (_file, _lock) = spot.lock()?;
        spot.dir.remove(&spot.name).map_err(failed)?;
        spot.dir
            .remove_if_there(&spot.list_name())
            .and_then(|()| spot.dir.sync())
            .map_err(failed)?;
        self.forget(mailbox);
        Ok(())
    }

    pub(super) fn subscriptions(&self) -> io::Result<BTreeSet<MailboxName>> {
        let Some(root) = &self.root else {
            return Ok(BTreeSet::new());
        };
        let text = root
            .contents(SUBSCRIPTIONS, MAX_SETTINGS)?
            .unwrap_or_default();
        let lines = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        Ok(lines.map(MailboxName::new).collect())
    }

    pub(super) fn change_subscriptions(
        &self,
        change: &mut dyn FnMut(&mut BTreeSet<MailboxName>) -> bool,
    ) -> Answer<()> {
        let Some(root) = &self.root else {
            return Ok(());
        };
        let failed = |error: io::Error| refused("write", &root.path_of(SUBSCRIPTIONS), &error);
        let mut names = self.subscriptions().map_err(failed)?;
        if !change(&mut names) {
            return Ok(());
        }
        root.replace(SUBSCRIPTIONS, |file| {
            names
                .iter()
                .try_for_each(|name| file.write_all(&[name.as_bytes(), b"\n"].concat()))
        })
        .map_err(failed)
    }
}

/// Returns the directory with a level's subfolders: the plain one if it exists, otherwise
/// `LEVEL.sbd`.
fn below(dir: &Dir, level: &[u8], make: bool) -> io::Result<Dir> {
    if dir
        .stat(level)
        .is_ok_and(|stat| stat.kind == Kind::Directory)
    {
        return dir.directory(level);
    }
    let name = [level, BELOW].concat();
    match dir.directory(&name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && make => {
            dir.make_directory(&name)?;
            dir.sync()?;
            dir.directory(&name)
        }
        opened => opened,
    }
}

/// Checks that a new folder will be listed.
fn check_depth(root: &Dir, mailbox: &MailboxName, levels: usize) -> Answer<()> {
    if levels <= MAX_LEVELS {
        return Ok(());
    }
    let path = root.path().display();
    Err(permanent(format!(
        "{path} cannot hold a folder {mailbox}: its name has {levels} levels, and {MAX_LEVELS} are allowed"
    )))
}

fn check_level(root: &Dir, mailbox: &MailboxName, level: &[u8]) -> Answer<()> {
    let refuse = |why: &str| {
        Err(permanent(format!(
            "{} cannot hold a folder {mailbox}: {why}",
            root.path().display()
        )))
    };
    if matches!(level, b"" | b"." | b"..") || level.contains(&0) {
        return refuse("a level of its name would lead elsewhere");
    }
    if level.len() > 255 - UIDS.len() {
        return refuse("a level of its name is too long for a file");
    }
    if level.starts_with(b"mailferry-") || RESERVED.iter().any(|end| level.ends_with(end)) {
        return refuse(
            "a level of its name is one that mailferry or mail programs use for something else",
        );
    }
    if level.iter().any(u8::is_ascii_control) {
        return refuse("its name has a control character");
    }
    Ok(())
}

fn is_empty(dir: &Dir) -> io::Result<bool> {
    let mut is_empty = true;
    dir.each(|name, _| is_empty &= name == b"lost+found" || name == b"mailferry-lock")?;
    Ok(is_empty)
}
