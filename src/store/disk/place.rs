//! The directory given by an address: opens it, or creates it if a copy may; and mailferry's own
//! files in it.

use super::dir::Dir;
use super::said::stopped;
use crate::store::{Error, ErrorKind};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The file with the last UIDVALIDITY assigned in a mail directory.
const VALIDITY: &[u8] = b"mailferry-uidvalidity";

/// What to do if the directory doesn't exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfAbsent {
    /// Fail.
    Fail,
    /// Treat it as an empty mailbox without creating it, for a dry run.
    Imagine,
    /// Create it.
    Make,
}

/// A mail directory.
#[derive(Clone, Debug)]
pub(in crate::store) struct Place {
    pub(in crate::store) path: PathBuf,
    pub(in crate::store) if_absent: IfAbsent,
}

impl Place {
    /// Opens it; `None` if it is only imagined.
    pub(in crate::store) fn open(&self) -> Result<Option<Dir>, Error> {
        match Dir::open(&self.path) {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match self.if_absent {
                IfAbsent::Fail => {
                    Err(Error::new(ErrorKind::Local, format!("no such directory: {}", self.path.display()))
                        .with_hint("check the path, and that the disk is mounted; `copy` creates a target directory"))
                }
                IfAbsent::Imagine => Ok(None),
                IfAbsent::Make => self.make().map(Some),
            },
            Err(error) => Err(stopped("open", &self.path, &error)),
        }
    }

    fn make(&self) -> Result<Dir, Error> {
        let failed = |error: io::Error| stopped("create", &self.path, &error);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(failed)?;
        let dir = Dir::open(&self.path).map_err(failed)?;
        if let Some(parent) = self
            .path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            Dir::open(parent)
                .and_then(|parent| parent.sync())
                .map_err(failed)?;
        }
        Ok(dir)
    }

    /// Resolves every link in a path, as far as it exists: distinguishes two mailboxes.
    pub(in crate::store) fn canonical(path: &Path) -> PathBuf {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut found = PathBuf::new();
        for component in absolute.components() {
            if component == Component::ParentDir {
                // The resolved part has no links any more.
                found.pop();
                continue;
            }
            found.push(component);
            found = found.canonicalize().unwrap_or(found);
        }
        found
    }
}

/// Returns a UIDVALIDITY that no folder in this directory has ever had: the time, or more if that
/// was already assigned (RFC 3501 section 2.3.1.1). `at_least` is one that another program uses.
pub(in crate::store) fn new_validity(dir: &Dir, at_least: u32) -> io::Result<u32> {
    let last = dir.contents(VALIDITY, 20)?.unwrap_or_default();
    let last = str::from_utf8(&last)
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok())
        .unwrap_or(0);
    let now = u32::try_from(seconds_now()).unwrap_or(u32::MAX);
    let validity = now
        .max(last.saturating_add(1))
        .max(at_least.saturating_add(1));
    dir.replace(VALIDITY, |file| writeln!(file, "{validity}"))?;
    Ok(validity)
}

fn seconds_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs())
}

/// Returns a unique name for a new file, in Maildir's way: time, process, number and host, and
/// random bytes in case two hosts share a name.
pub(in crate::store) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let (number, process) = (COUNT.fetch_add(1, Ordering::Relaxed), std::process::id());
    let (seconds, micros) = (now.as_secs(), now.subsec_micros());
    format!(
        "{seconds}.M{micros:06}P{process}Q{number}R{:08x}.{}",
        chance(),
        host()
    )
}

/// Returns random bytes, from the keys of the standard library's hash tables.
fn chance() -> u32 {
    use std::hash::{BuildHasher as _, Hasher as _};
    static CHANCE: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *CHANCE.get_or_init(|| std::hash::RandomState::new().build_hasher().finish() as u32)
}

/// Returns this host's name, restricted to what a file name may contain.
fn host() -> &'static str {
    static HOST: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HOST.get_or_init(|| {
        let name = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        let fit = |c: char| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') {
                c
            } else {
                '_'
            }
        };
        name.chars().take(40).map(fit).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_validity_is_given_out_twice() {
        let root = tempfile::tempdir().unwrap();
        let dir = Dir::open(root.path()).unwrap();
        let first = new_validity(&dir, 0).unwrap();
        let second = new_validity(&dir, 0).unwrap();
        let third = new_validity(&dir, second + 10).unwrap();
        assert!(
            first < second && third == second + 11,
            "{first} {second} {third}"
        );
    }

    #[test]
    fn paths_are_compared_without_links_and_before_they_exist() {
        let root = tempfile::tempdir().unwrap();
        let real = root.path().canonicalize().unwrap().join("real");
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, root.path().join("link")).unwrap();
        assert_eq!(Place::canonical(&root.path().join("link")), real);
        assert_eq!(
            Place::canonical(&root.path().join("link/new/er")),
            real.join("new/er")
        );
    }

    #[test]
    fn names_are_unique_and_plain() {
        let names: std::collections::HashSet<String> = (0..1000).map(|_| unique()).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().all(|name| !name.contains(['/', ':', ','])));
    }
}
