//! A directory held open: everything in it is accessed by name from here, never by a path that
//! someone could redirect with a symbolic link.

use crate::store::Room;
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
    /// The owner of new files: root writes for the tree's owner.
    owner: Option<(rustix::fs::Uid, rustix::fs::Gid)>,
}

/// The type of a directory entry.
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

/// A file's metadata, known without opening it. Times are in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Stat {
    pub(in crate::store) kind: Kind,
    pub(in crate::store) size: u64,
    pub(in crate::store) inode: u64,
    /// The mtime, in whole seconds.
    pub(in crate::store) modified: i64,
    /// The ctime: when anything about it last changed; it can't be set.
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
            changed: seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(stat.st_ctime_nsec),
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
        let fd = rustix::fs::open(
            path,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let about = rustix::fs::fstat(&fd)?;
        let is_for_another = rustix::process::geteuid().is_root() && about.st_uid != 0;
        let owner = is_for_another.then(|| {
            (
                rustix::fs::Uid::from_raw(about.st_uid),
                rustix::fs::Gid::from_raw(about.st_gid),
            )
        });
        Ok(Self {
            fd: Arc::new(fd),
            path: path.to_owned(),
            owner,
        })
    }

    /// Returns its path, for messages.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns an entry's path, for messages.
    pub(in crate::store) fn path_of(&self, name: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(name))
    }

    /// Opens a subdirectory; never through a symbolic link.
    pub(in crate::store) fn directory(&self, name: &[u8]) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&*self.fd, name, flags, Mode::empty()).map_err(|error| {
            // With DIRECTORY a link is reported as "not a directory".
            let is_link = error == rustix::io::Errno::NOTDIR && self.is(name, Kind::Link);
            if is_link {
                rustix::io::Errno::LOOP
            } else {
                error
            }
        })?;
        Ok(Self {
            fd: Arc::new(fd),
            path: self.path_of(name),
            owner: self.owner,
        })
    }

    fn is(&self, name: &[u8], kind: Kind) -> bool {
        self.stat(name).is_ok_and(|stat| stat.kind == kind)
    }

    /// Creates a subdirectory, private to the owner.
    pub(in crate::store) fn make_directory(&self, name: &[u8]) -> io::Result<()> {
        rustix::fs::mkdirat(&*self.fd, name, PRIVATE_DIRECTORY)?;
        if let Some((user, group)) = self.owner {
            rustix::fs::chownat(
                &*self.fd,
                name,
                Some(user),
                Some(group),
                AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
        Ok(())
    }

    /// Opens a regular file for reading. Anything else is an error that says so; it never waits for
    /// the other end of a pipe.
    pub(in crate::store) fn file(&self, name: &[u8]) -> io::Result<File> {
        self.open_regular(name, OFlags::RDONLY)
    }

    /// Opens a regular file for reading and writing.
    pub(in crate::store) fn file_for_writing(&self, name: &[u8]) -> io::Result<File> {
        self.open_regular(name, OFlags::RDWR)
    }

    fn open_regular(&self, name: &[u8], access: OFlags) -> io::Result<File> {
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&*self.fd, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file",
            ));
        }
        Ok(file)
    }

    /// Creates a file, private to the owner. If it exists, that is an error.
    pub(in crate::store) fn new_file(&self, name: &[u8]) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&*self.fd, name, flags, PRIVATE_FILE)?;
        if let Some((user, group)) = self.owner {
            rustix::fs::fchown(&fd, Some(user), Some(group))?;
        }
        Ok(File::from(fd))
    }

    /// Returns a file's bytes, at most `limit` of them; `None` if it doesn't exist.
    pub(in crate::store) fn contents(
        &self,
        name: &[u8],
        limit: u64,
    ) -> io::Result<Option<Vec<u8>>> {
        let file = match self.file(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Replaces a file as a whole: at any moment either the old or the new one is there, even after
    /// a power cut.
    pub(in crate::store) fn replace(
        &self,
        name: &[u8],
        write: impl FnOnce(&mut io::BufWriter<&File>) -> io::Result<()>,
    ) -> io::Result<()> {
        let draft = [b"mailferry-new-", name].concat();
        // Only the holder of the tree's lock writes here, so an existing draft is a dead run's.
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

    /// Returns an entry's own metadata, not that of a link's target.
    pub(in crate::store) fn stat(&self, name: &[u8]) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&*self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    /// Reports whether it certainly has no such entry.
    pub(in crate::store) fn lacks(&self, name: &[u8]) -> bool {
        self.stat(name)
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Returns the directory's own metadata.
    pub(in crate::store) fn own_stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&*self.fd)?.into())
    }

    /// Reports whether a link points to a directory.
    pub(in crate::store) fn leads_to_directory(&self, name: &[u8]) -> bool {
        rustix::fs::statat(&*self.fd, name, AtFlags::empty())
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    /// Visits its entries in no particular order, without `.` and `..`.
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

    /// Renames an entry; an existing entry with the new name is an error.
    pub(in crate::store) fn rename_new(
        &self,
        name: &[u8],
        to: &Self,
        new: &[u8],
    ) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::RenameFlags;
            use rustix::io::Errno;
            match rustix::fs::renameat_with(&*self.fd, name, &*to.fd, new, RenameFlags::NOREPLACE) {
                // Not every file system supports this.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                done => return Ok(done?),
            }
        }
        match to.stat(new) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => self.rename(name, to, new),
        }
    }

    /// Renames an entry; replaces an existing file with the new name.
    pub(in crate::store) fn rename(&self, name: &[u8], to: &Self, new: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::renameat(&*self.fd, name, &*to.fd, new)?)
    }

    /// Adds a name for a file; an existing name is an error.
    pub(in crate::store) fn link(&self, name: &[u8], to: &Self, new: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::linkat(
            &*self.fd,
            name,
            &*to.fd,
            new,
            AtFlags::empty(),
        )?)
    }

    /// Moves a file to a name that must not exist.
    pub(in crate::store) fn move_new(&self, name: &[u8], to: &Self, new: &[u8]) -> io::Result<()> {
        match self.link(name, to, new) {
            Ok(()) => {
                // It is where it belongs; the next run removes a leftover name in the old place.
                let _ = self.remove(name);
                Ok(())
            }
            // Without links, a name of our own can't be taken either.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
                ) =>
            {
                self.rename(name, to, new)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes a file.
    pub(in crate::store) fn remove(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&*self.fd, name, AtFlags::empty())?)
    }

    /// Removes a file, if it exists.
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

    /// Removes a directory with its contents, down to `depth` more levels; links are removed, not
    /// followed.
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

    /// Returns how much more fits on its file system for so many folders. Nothing if the system
    /// doesn't say.
    pub(in crate::store) fn room(&self, folders: usize) -> Vec<Room> {
        let room = rustix::fs::fstatvfs(&*self.fd).map(|about| Room {
            name: self.path.display().to_string(),
            folders: (0..folders).collect(),
            bytes: Some(about.f_bavail.saturating_mul(about.f_frsize)),
            messages: None,
        });
        room.into_iter().collect()
    }

    /// Makes changes to its entries durable.
    pub(in crate::store) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(self.fd.as_fd())?)
    }
}

/// Sets a file's mtime, in seconds since 1970.
pub(in crate::store) fn set_modified(file: &File, seconds: i64) -> io::Result<()> {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    let times = rustix::fs::Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(rustix::fs::futimens(file, &times)?)
}
