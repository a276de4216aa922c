//! Locks an mbox file for changes: with a dotlock (`NAME.lock`, which no two programs can create)
//! and a system lock, both held only while the file is changed. Mail programs and delivery agents
//! use one or the other.

use crate::store::disk::Dir;
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io::{self, Write as _};
use std::time::{Duration, Instant, SystemTime};

/// How long to wait for another program.
const PATIENCE: Duration = Duration::from_secs(15);
/// A dotlock this old was left by a crash.
const STALE: Duration = Duration::from_secs(300);

/// A dotlock before it gets its name.
const DRAFT: &[u8] = b"mailferry-dotlock";
/// The beginning of our dotlocks.
const OURS: &str = "mailferry ";

/// A file's locks.
#[derive(Debug)]
pub(super) struct MboxLock {
    dir: Dir,
    name: Vec<u8>,
}

impl MboxLock {
    /// Takes both. `file` is the mbox, open for writing: its lock ends when it is closed.
    pub(super) fn take(dir: &Dir, name: &[u8], file: &File) -> io::Result<Self> {
        let began = Instant::now();
        let lock = dot_lock(dir, &[name, b".lock"].concat(), began)?;
        while let Err(error) =
            rustix::fs::fcntl_lock(file, FlockOperation::NonBlockingLockExclusive)
        {
            if error != rustix::io::Errno::AGAIN && error != rustix::io::Errno::ACCESS {
                return Err(error.into());
            }
            wait(began)?;
        }
        Ok(lock)
    }
}

impl Drop for MboxLock {
    fn drop(&mut self) {
        // If it can't be removed, it will be stale some day.
        let _ = self.dir.remove(&self.name);
    }
}

fn dot_lock(dir: &Dir, name: &[u8], began: Instant) -> io::Result<MboxLock> {
    // Written before it gets the lock's name, so every lock of ours says whose it is.
    dir.remove_if_there(DRAFT)?;
    let ours = format!("{OURS}{}\n", std::process::id());
    dir.new_file(DRAFT)?.write_all(ours.as_bytes())?;
    let locked = loop {
        match dir.link(DRAFT, dir, name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => break linked,
        }
        if is_left_behind(dir, name, &ours) {
            dir.remove_if_there(name)?;
        } else {
            wait(began)?;
        }
    };
    dir.remove_if_there(DRAFT)?;
    locked.map(|()| MboxLock {
        dir: dir.clone(),
        name: name.to_vec(),
    })
}

/// Reports whether a dotlock is stale: of a dead mailferry run, as only this one may write here, or
/// too old.
fn is_left_behind(dir: &Dir, name: &[u8], ours: &str) -> bool {
    let text = dir.contents(name, 100).ok().flatten().unwrap_or_default();
    if text.starts_with(OURS.as_bytes()) {
        return text != ours.as_bytes();
    }
    let made = dir
        .stat(name)
        .ok()
        .and_then(|stat| u64::try_from(stat.modified).ok());
    let made = made.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    made.and_then(|made| SystemTime::now().duration_since(made).ok())
        .is_some_and(|age| age > STALE)
}

fn wait(began: Instant) -> io::Result<()> {
    if began.elapsed() > PATIENCE {
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "another program has locked it",
        ));
    }
    // Bounded by the patience; a stop lets the change under way be finished.
    std::thread::sleep(Duration::from_millis(50));
    Ok(())
}
