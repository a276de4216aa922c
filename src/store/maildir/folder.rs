//! One folder's directories: `new`, `cur` and `tmp` below INBOX's own directory or `.NAME`
//! (Maildir++).

use super::{keywords, uidlist};
use crate::mail::MailboxName;
use crate::store::Answer;
use crate::store::disk::{Dir, gone, permanent, refused};
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The coarsest clock of common file systems; changes within one tick have the same time.
const TICK: Duration = Duration::from_millis(25);
/// The tick where times are whole seconds.
const COARSE_TICK: Duration = Duration::from_secs(2);

/// An open folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub(super) dir: Dir,
    /// `None` if another program has not created it.
    pub(super) new: Option<Dir>,
    pub(super) cur: Option<Dir>,
}

/// Returns the name of a mailbox's directory; `None` for INBOX, which is the tree's own.
pub(super) fn directory_name(mailbox: &MailboxName) -> Option<Vec<u8>> {
    if mailbox.is_inbox() {
        None
    } else {
        Some([b".", mailbox.as_bytes()].concat())
    }
}

impl Folder {
    /// Opens a mailbox in a tree.
    pub(super) fn open(root: &Dir, mailbox: &MailboxName) -> Answer<Self> {
        let dir = match directory_name(mailbox) {
            None => root.clone(),
            Some(name) => {
                check_reachable(root, &name)?;
                root.directory(&name)
                    .map_err(|error| refused("open", &root.path_of(&name), &error))?
            }
        };
        let (new, cur) = (inner(&dir, b"new")?, inner(&dir, b"cur")?);
        if new.is_none() && cur.is_none() {
            return Err(gone(dir.path()));
        }
        Ok(Self { dir, new, cur })
    }

    /// Opens it after creating its missing directories: for a folder that is written to.
    pub(super) fn complete(root: &Dir, mailbox: &MailboxName) -> Answer<Self> {
        let folder = Self::open(root, mailbox)?;
        if folder.new.is_some() && folder.cur.is_some() && inner(&folder.dir, b"tmp")?.is_some() {
            return Ok(folder);
        }
        make_inner(&folder.dir).map_err(|error| refused("complete", folder.dir.path(), &error))?;
        Self::open(root, mailbox)
    }

    /// Creates a mailbox's directories. An existing mailbox is completed.
    pub(super) fn make(root: &Dir, mailbox: &MailboxName) -> Answer<()> {
        let dir = match directory_name(mailbox) {
            None => {
                check_not_emptied(root)?;
                root.clone()
            }
            Some(name) => {
                check_new_name(root, mailbox)?;
                let failed = |error: io::Error| refused("create", &root.path_of(&name), &error);
                match root.make_directory(&name) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    made => made.map_err(failed)?,
                }
                let dir = root.directory(&name).map_err(failed)?;
                check_not_emptied(&dir)?;
                // Courier's marker for a folder, which Dovecot creates too.
                match dir.new_file(b"maildirfolder") {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(failed(error));
                    }
                    _ => {}
                }
                dir
            }
        };
        let failed = |error: io::Error| refused("create", dir.path(), &error);
        make_inner(&dir).map_err(failed)?;
        root.sync().map_err(failed)
    }

    /// Returns the directory where messages are written before they become visible.
    pub(super) fn drafts(&self) -> Answer<Dir> {
        self.dir
            .directory(b"tmp")
            .map_err(|error| refused("open", &self.dir.path_of(b"tmp"), &error))
    }

    /// Yields the directories that have messages.
    pub(super) fn places(&self) -> impl Iterator<Item = (bool, &Dir)> {
        [(true, self.new.as_ref()), (false, self.cur.as_ref())]
            .into_iter()
            .filter_map(|(new, dir)| Some((new, dir?)))
    }

    /// Returns the directory of new messages, or of those that a program has seen.
    pub(super) fn place(&self, in_new: bool) -> io::Result<&Dir> {
        let dir = if in_new { &self.new } else { &self.cur };
        dir.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Returns when a message in the folder, its flags or the meaning of its keywords last changed,
    /// in nanoseconds since 1970. That time can't be set back.
    pub(super) fn last_change(&self) -> io::Result<u64> {
        let mut last = 0;
        for (_, place) in self.places() {
            last = last.max(place.own_stat()?.changed);
        }
        match self.dir.stat(keywords::NAME) {
            Ok(stat) => Ok(last.max(stat.changed)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(last),
            Err(error) => Err(error),
        }
    }

    /// Returns the same, after waiting until a later change must have a later time. `None` if the
    /// folder doesn't come to rest, or its times are useless.
    pub(super) fn settled_change(&self, waits: usize) -> io::Result<Option<u64>> {
        for wait in 0..=waits {
            let last = self.last_change()?;
            let Some(age) = now().checked_sub(last) else {
                return Ok(None);
            };
            if age > TICK.as_nanos() as u64 {
                let is_coarse =
                    last.is_multiple_of(1_000_000_000) && age <= COARSE_TICK.as_nanos() as u64;
                return Ok((!is_coarse).then_some(last));
            }
            if wait < waits {
                // Too short for a stop to matter.
                std::thread::sleep(TICK);
            }
        }
        Ok(None)
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX))
}

fn inner(dir: &Dir, name: &[u8]) -> Answer<Option<Dir>> {
    match dir.directory(name) {
        Ok(inner) => Ok(Some(inner)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused("open", &dir.path_of(name), &error)),
    }
}

/// Refuses a directory without `cur` and `new` that has a list of UIDs, since it held messages.
/// They may come back (a backup, a disk mounted late), so it isn't filled a second time. Without
/// such a list, a run was killed while creating the folder.
fn check_not_emptied(dir: &Dir) -> Answer<()> {
    let lacks = |names: &[&[u8]]| names.iter().all(|name| dir.lacks(name));
    if !lacks(&[b"cur", b"new"]) || lacks(&uidlist::KNOWN) {
        return Ok(());
    }
    let path = dir.path().display();
    Err(permanent(format!(
        "{path} has neither `cur` nor `new` but once held messages; put them back, or move the directory away"
    )))
}

fn make_inner(dir: &Dir) -> io::Result<()> {
    // `cur` last: it makes the directory a folder.
    for name in [b"tmp", b"new", b"cur"] {
        match dir.make_directory(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    dir.sync()
}

/// Checks that a name from a listing or a request leads to a directory in the tree and nowhere
/// else.
fn check_reachable(root: &Dir, name: &[u8]) -> Answer<()> {
    if name.contains(&b'/') || name.contains(&0) || matches!(name, b"." | b"..") {
        let text = format!(
            "the folder name {} would lead out of {}",
            name.escape_ascii(),
            root.path().display()
        );
        return Err(permanent(text));
    }
    Ok(())
}

/// Checks whether a new folder may have this name: printable ASCII (modified UTF-7), no empty
/// level, no more bytes than a file name.
pub(super) fn check_new_name(root: &Dir, mailbox: &MailboxName) -> Answer<()> {
    let name = mailbox.as_bytes();
    let refuse = |why: &str| {
        Err(permanent(format!(
            "{} cannot hold a folder {mailbox}: {why}",
            root.path().display()
        )))
    };
    if name.len() > 254 {
        return refuse("a file name has at most 255 bytes");
    }
    if name.split(|byte| *byte == b'.').any(<[u8]>::is_empty) {
        return refuse("a level of its name is empty");
    }
    if !name
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~') && *byte != b'/')
    {
        return refuse("its name has a character that isn't allowed in a directory name");
    }
    Ok(())
}
