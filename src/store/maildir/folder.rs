//! One folder's directories: `new`, `cur` and `tmp` below INBOX's own directory or `.NAME` (Maildir++).

use super::{keywords, uidlist};
use crate::mail::MailboxName;
use crate::store::Refusal;
use crate::store::disk::{Dir, gone, permanent, refused};
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// File systems note times in steps of at most this; what changes within one step can't be told apart by its time.
const TICK: Duration = Duration::from_millis(25);
/// Where times are whole seconds.
const COARSE_TICK: Duration = Duration::from_secs(2);

/// An open folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub(super) dir: Dir,
    /// `None` where another program has not made it.
    pub(super) new: Option<Dir>,
    pub(super) cur: Option<Dir>,
}

/// The name of a mailbox's directory; `None` for INBOX, which is the tree's own.
pub(super) fn directory_name(mailbox: &MailboxName) -> Option<Vec<u8>> {
    if mailbox.is_inbox() { None } else { Some([b".", mailbox.as_bytes()].concat()) }
}

impl Folder {
    /// Opens a mailbox of a tree.
    pub(super) fn open(root: &Dir, mailbox: &MailboxName) -> Result<Self, Refusal> {
        let dir = match directory_name(mailbox) {
            None => root.clone(),
            Some(name) => {
                check_reachable(root, &name)?;
                root.directory(&name).map_err(|error| refused("open", &root.path_of(&name), &error))?
            }
        };
        let (new, cur) = (inner(&dir, b"new")?, inner(&dir, b"cur")?);
        if new.is_none() && cur.is_none() {
            return Err(gone(dir.path()));
        }
        Ok(Self { dir, new, cur })
    }

    /// The same, after making whatever directory of it is missing: for a folder that is written to.
    pub(super) fn complete(root: &Dir, mailbox: &MailboxName) -> Result<Self, Refusal> {
        let folder = Self::open(root, mailbox)?;
        if folder.new.is_some() && folder.cur.is_some() && inner(&folder.dir, b"tmp")?.is_some() {
            return Ok(folder);
        }
        make_inner(&folder.dir).map_err(|error| refused("complete", folder.dir.path(), &error))?;
        Self::open(root, mailbox)
    }

    /// Makes a mailbox's directories. One that is there already is completed.
    pub(super) fn make(root: &Dir, mailbox: &MailboxName) -> Result<(), Refusal> {
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
                // Courier's mark of a folder, which Dovecot makes too.
                match dir.new_file(b"maildirfolder") {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
                    _ => {}
                }
                dir
            }
        };
        let failed = |error: io::Error| refused("create", dir.path(), &error);
        make_inner(&dir).map_err(failed)?;
        root.sync().map_err(failed)
    }

    /// Where messages are written before anybody sees them.
    pub(super) fn drafts(&self) -> Result<Dir, Refusal> {
        self.dir.directory(b"tmp").map_err(|error| refused("open", &self.dir.path_of(b"tmp"), &error))
    }

    /// Where messages are.
    pub(super) fn places(&self) -> impl Iterator<Item = (bool, &Dir)> {
        [(true, self.new.as_ref()), (false, self.cur.as_ref())].into_iter().filter_map(|(new, dir)| Some((new, dir?)))
    }

    /// The directory of new messages, or of those that a program has seen.
    pub(super) fn place(&self, in_new: bool) -> io::Result<&Dir> {
        let dir = if in_new { &self.new } else { &self.cur };
        dir.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// When a message of the folder, its flags or the meaning of its keywords last changed, in nanoseconds since 1970.
    /// Nobody can set that time back.
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

    /// The same, waited for until a later change must have a later time. `None` if the folder does not come to rest, or
    /// its times are of no use.
    pub(super) fn settled_change(&self, waits: usize) -> io::Result<Option<u64>> {
        for wait in 0..=waits {
            let last = self.last_change()?;
            let Some(age) = now().checked_sub(last) else { return Ok(None) };
            if age > TICK.as_nanos() as u64 {
                let is_coarse = last.is_multiple_of(1_000_000_000) && age <= COARSE_TICK.as_nanos() as u64;
                return Ok((!is_coarse).then_some(last));
            }
            if wait < waits {
                std::thread::sleep(TICK);
            }
        }
        Ok(None)
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX))
}

fn inner(dir: &Dir, name: &[u8]) -> Result<Option<Dir>, Refusal> {
    match dir.directory(name) {
        Ok(inner) => Ok(Some(inner)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused("open", &dir.path_of(name), &error)),
    }
}

/// A directory without `cur` and `new` that has a list of UIDs held messages. They may come back (a backup, a disk that is
/// mounted late), so it isn't filled a second time. Without such a list a run was killed while it made the folder.
fn check_not_emptied(dir: &Dir) -> Result<(), Refusal> {
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
    // `cur` last: with it the folder is one.
    for name in [b"tmp", b"new", b"cur"] {
        match dir.make_directory(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    dir.sync()
}

/// A name from a listing or a request leads nowhere but to a directory of the tree.
fn check_reachable(root: &Dir, name: &[u8]) -> Result<(), Refusal> {
    if name.contains(&b'/') || name.contains(&0) || matches!(name, b"." | b"..") {
        let text = format!("the folder name {} would lead out of {}", name.escape_ascii(), root.path().display());
        return Err(permanent(text));
    }
    Ok(())
}

/// A name that a new folder may have: printable ASCII (modified UTF-7), no empty level, no more bytes than a file's name.
pub(super) fn check_new_name(root: &Dir, mailbox: &MailboxName) -> Result<(), Refusal> {
    let name = mailbox.as_bytes();
    let refuse = |why: &str| Err(permanent(format!("{} cannot hold a folder {mailbox}: {why}", root.path().display())));
    if name.len() > 254 {
        return refuse("a file name has at most 255 bytes");
    }
    if name.split(|byte| *byte == b'.').any(<[u8]>::is_empty) {
        return refuse("a level of its name is empty");
    }
    if !name.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'/') {
        return refuse("its name has a character that isn't allowed in a directory name");
    }
    Ok(())
}
