//! A directory held open: everything in it is reached by its own name from here, never by a path that a symbolic link
//! could bend meanwhile.

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open directory.
#[derive(Clone, Debug)]
pub(in crate::store) struct Dir {
    fd: Arc<OwnedFd>,
    path: PathBuf,
    /// To whom new files are given: root writes for the tree's owner.
    owner: Option<(rustix::fs::Uid, rustix::fs::Gid)>,
}

/// What an entry of a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A pipe, a socket, a device.
    Other,
}

/// What is known of a file without opening it. Times are in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Stat {
    pub(in crate::store) kind: Kind,
    pub(in crate::store) size: u64,
    pub(in crate::store) inode: u64,
    /// The mtime, in whole seconds.
    pub(in crate::store) modified: i64,
    /// The ctime: when anything about it last changed; nobody can set it.
    pub(in crate::store) changed: u64,
}

impl From<rustix::fs::Stat> for Stat {
    fn from(stat: rustix::fs::Stat) -> Self {
        let seconds = u64::try_from(stat.st_ctime).unwrap_or(0);
        Self {
            kind: Kind::of(FileType::from_raw_mode(stat.st_mode)),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            inode: stat.st_ino,
            modified: stat.st_mtime,
            changed: seconds.saturating_mul(1_000_000_000).saturating_add(stat.st_ctime_nsec),
        }
    }
}

impl Kind {
    fn of(kind: FileType) -> Self {
        match kind {
            FileType::Directory => Self::Directory,
            FileType::RegularFile => Self::File,
            FileType::Symlink => Self::Link,
            _ => Self::Other,
        }
    }
}

const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);
const PRIVATE_DIRECTORY: Mode = Mode::RWXU;

impl Dir {
    /// Opens the directory that the user named; a link in this path is the user's own.
    pub(in crate::store) fn open(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let about = rustix::fs::fstat(&fd)?;
        let is_for_another = rustix::process::geteuid().is_root() && about.st_uid != 0;
        let owner =
            is_for_another.then(|| (rustix::fs::Uid::from_raw(about.st_uid), rustix::fs::Gid::from_raw(about.st_gid)));
        Ok(Self { fd: Arc::new(fd), path: path.to_owned(), owner })
    }

    /// Its path, for messages.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of an entry, for messages.
    pub(in crate::store) fn path_of(&self, name: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(name))
    }

    /// Opens a directory in it; never through a symbolic link.
    pub(in crate::store) fn directory(&self, name: &[u8]) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&*self.fd, name, flags, Mode::empty()).map_err(|error| {
            // With DIRECTORY a link is told as "not a directory".
            let is_link = error == rustix::io::Errno::NOTDIR && self.is(name, Kind::Link);
            if is_link { rustix::io::Errno::LOOP } else { error }
        })?;
        Ok(Self { fd: Arc::new(fd), path: self.path_of(name), owner: self.owner })
    }

    fn is(&self, name: &[u8], kind: Kind) -> bool {
        self.stat(name).is_ok_and(|stat| stat.kind == kind)
    }

    /// Makes a directory in it, for its owner alone.
    pub(in crate::store) fn make_directory(&self, name: &[u8]) -> io::Result<()> {
        rustix::fs::mkdirat(&*self.fd, name, PRIVATE_DIRECTORY)?;
        if let Some((user, group)) = self.owner {
            rustix::fs::chownat(&*self.fd, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    /// Opens a regular file to be read. Anything else is an error that says so; nothing waits for a pipe's other end.
    pub(in crate::store) fn file(&self, name: &[u8]) -> io::Result<File> {
        self.open_regular(name, OFlags::RDONLY)
    }

    /// Opens a regular file to be read and written.
    pub(in crate::store) fn file_for_writing(&self, name: &[u8]) -> io::Result<File> {
        self.open_regular(name, OFlags::RDWR)
    }

    fn open_regular(&self, name: &[u8], access: OFlags) -> io::Result<File> {
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&*self.fd, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(file)
    }

    /// Makes a new file, for its owner alone. One that is there already is an error.
    pub(in crate::store) fn new_file(&self, name: &[u8]) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&*self.fd, name, flags, PRIVATE_FILE)?;
        if let Some((user, group)) = self.owner {
            rustix::fs::fchown(&fd, Some(user), Some(group))?;
        }
        Ok(File::from(fd))
    }

    /// A file's bytes, at most `limit` of them; `None` if there is no such file.
    pub(in crate::store) fn contents(&self, name: &[u8], limit: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match self.file(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Puts a whole new file in a file's place: at any moment the old one is there or the new one, also after a power cut.
    pub(in crate::store) fn replace(
        &self,
        name: &[u8],
        write: impl FnOnce(&mut io::BufWriter<&File>) -> io::Result<()>,
    ) -> io::Result<()> {
        let draft = [b"mailferry-new-", name].concat();
        // Whoever writes here holds the tree's lock, so a draft that is there is a dead run's.
        self.remove_if_there(&draft)?;
        let file = self.new_file(&draft)?;
        let mut writer = io::BufWriter::new(&file);
        write(&mut writer)?;
        writer.flush()?;
        drop(writer);
        file.sync_all()?;
        self.rename(&draft, self, name)?;
        self.sync()
    }

    /// What is known of an entry itself, not of what a link leads to.
    pub(in crate::store) fn stat(&self, name: &[u8]) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    /// Whether it certainly has no such entry.
    pub(in crate::store) fn lacks(&self, name: &[u8]) -> bool {
        self.stat(name).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// What is known of the directory itself.
    pub(in crate::store) fn own_stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&*self.fd)?.into())
    }

    /// Whether a link leads to a directory.
    pub(in crate::store) fn leads_to_directory(&self, name: &[u8]) -> bool {
        rustix::fs::statat(&*self.fd, name, AtFlags::empty())
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    /// Goes through its entries in no order, without `.` and `..`.
    pub(in crate::store) fn each(&self, mut take: impl FnMut(&[u8], Kind)) -> io::Result<()> {
        for entry in rustix::fs::Dir::read_from(&*self.fd)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => self.stat(name).map_or(Kind::Other, |stat| stat.kind),
                kind => Kind::of(kind),
            };
            take(name, kind);
        }
        Ok(())
    }

    /// Renames an entry where one of the new name is an error.
    pub(in crate::store) fn rename_new(&self, name: &[u8], to: &Self, new: &[u8]) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::RenameFlags;
            use rustix::io::Errno;
            match rustix::fs::renameat_with(&*self.fd, name, &*to.fd, new, RenameFlags::NOREPLACE) {
                // Not every file system can see to it itself.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                done => return Ok(done?),
            }
        }
        match to.stat(new) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => self.rename(name, to, new),
        }
    }

    /// Renames an entry; a file of the new name is replaced.
    pub(in crate::store) fn rename(&self, name: &[u8], to: &Self, new: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::renameat(&*self.fd, name, &*to.fd, new)?)
    }

    /// Gives a file one more name; one that is taken is an error.
    pub(in crate::store) fn link(&self, name: &[u8], to: &Self, new: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::linkat(&*self.fd, name, &*to.fd, new, AtFlags::empty())?)
    }

    /// Moves a file to a name that must not be there.
    pub(in crate::store) fn move_new(&self, name: &[u8], to: &Self, new: &[u8]) -> io::Result<()> {
        match self.link(name, to, new) {
            Ok(()) => {
                // It is where it belongs; a second name in the old place is cleared away by the next run.
                let _ = self.remove(name);
                Ok(())
            }
            // Where there are no links, a name of our own can't be taken either.
            Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => {
                self.rename(name, to, new)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes a file.
    pub(in crate::store) fn remove(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&*self.fd, name, AtFlags::empty())?)
    }

    /// Removes a file that may be gone already.
    pub(in crate::store) fn remove_if_there(&self, name: &[u8]) -> io::Result<()> {
        match self.remove(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Removes an empty directory.
    pub(in crate::store) fn remove_directory(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&*self.fd, name, AtFlags::REMOVEDIR)?)
    }

    /// Removes a directory with what is in it, down to `depth` more levels; links are removed, not followed.
    pub(in crate::store) fn remove_all(&self, name: &[u8], depth: usize) -> io::Result<()> {
        let inner = self.directory(name)?;
        let mut entries = Vec::new();
        inner.each(|name, kind| entries.push((name.to_vec(), kind)))?;
        for (entry, kind) in entries {
            if kind == Kind::Directory && depth > 0 {
                inner.remove_all(&entry, depth - 1)?;
            } else {
                inner.remove_if_there(&entry)?;
            }
        }
        self.remove_directory(name)
    }

    /// What was done to its entries lasts from now on.
    pub(in crate::store) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(self.fd.as_fd())?)
    }
}

/// Sets a file's mtime, in seconds since 1970.
pub(in crate::store) fn set_modified(file: &File, seconds: i64) -> io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::futimens(file, &times)?)
}
