//! `dovecot-keywords`: which letter stands for which keyword in a folder's file names. Dovecot's
//! own file, read and written as Dovecot does: `NUMBER NAME` on each line, 0 for `a` to 25 for `z`.

use crate::mail::Flags;
use crate::store::disk::{Dir, MAX_SETTINGS, unique};
use std::fs::File;
use std::io::{self, Write as _};
use std::time::{Duration, Instant, SystemTime};

/// The file.
pub(super) const NAME: &[u8] = b"dovecot-keywords";
/// The file that Dovecot creates while writing the other, and then renames to it.
const LOCK: &[u8] = b"dovecot-keywords.lock";
/// The other name of our own lock.
const DRAFT: &str = "mailferry-keywords-";
/// How many keywords a folder has letters for.
pub(super) const LETTERS: usize = 26;
/// How long to wait for another program that is writing the file.
const PATIENCE: Duration = Duration::from_secs(15);
/// A lock this old was left by a crash: Dovecot's own limit.
const STALE: Duration = Duration::from_secs(120);

/// A folder's keywords by letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keywords {
    names: Vec<Option<String>>,
}

impl Keywords {
    /// Parses the file. Invalid lines are skipped.
    ///
    /// ```abnf
    /// line = 1*2DIGIT SP name LF
    /// ```
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut keywords = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            let Some((number, name)) = str::from_utf8(line)
                .ok()
                .and_then(|line| line.split_once(' '))
            else {
                continue;
            };
            let Ok(number) = number.parse::<usize>() else {
                continue;
            };
            if number < LETTERS && !name.is_empty() {
                if keywords.names.len() <= number {
                    keywords.names.resize(number + 1, None);
                }
                keywords.names[number] = Some(name.to_owned());
            }
        }
        keywords
    }

    /// Reads a folder's file.
    pub(super) fn read(folder: &Dir) -> io::Result<Self> {
        Ok(Self::parse(
            &folder.contents(NAME, MAX_SETTINGS)?.unwrap_or_default(),
        ))
    }

    /// Returns a letter's keyword.
    pub(super) fn name(&self, letter: u8) -> Option<&str> {
        let number = letter.checked_sub(b'a').filter(|_| letter <= b'z')?;
        self.names.get(usize::from(number))?.as_deref()
    }

    /// Returns a keyword's letter.
    pub(super) fn letter(&self, name: &str) -> Option<u8> {
        let is_it = |known: &Option<String>| {
            known
                .as_ref()
                .is_some_and(|known| known.eq_ignore_ascii_case(name))
        };
        let number = self.names.iter().position(is_it)?;
        Some(b'a' + u8::try_from(number).ok()?)
    }

    /// Reports whether there is a letter for one more.
    pub(super) fn has_room(&self) -> bool {
        self.names.len() < LETTERS || self.names.contains(&None)
    }

    /// Returns all of them.
    pub(super) fn known(&self) -> Flags {
        Flags::from_names(self.names.iter().flatten().map(String::as_str))
    }

    /// Assigns letters to keywords, as long as there are any. True: something was added.
    fn add(&mut self, names: &[String]) -> bool {
        let mut added = false;
        for name in names {
            if self.letter(name).is_none() && self.has_room() {
                match self.names.iter_mut().find(|known| known.is_none()) {
                    Some(free) => *free = Some(name.clone()),
                    None => self.names.push(Some(name.clone())),
                }
                added = true;
            }
        }
        added
    }

    /// Assigns letters to keywords in a folder's file, which others may be writing too. Reads the
    /// current file first.
    pub(super) fn add_to(folder: &Dir, names: &[String]) -> io::Result<Self> {
        let mut lock = Lock::take(folder)?;
        let mut keywords = Self::read(folder)?;
        if keywords.add(names) {
            (&lock.file).write_all(keywords.text().as_bytes())?;
            lock.file.sync_all()?;
            folder.rename(LOCK, folder, NAME)?;
            lock.is_used = true;
            folder.sync()?;
        }
        Ok(keywords)
    }

    fn text(&self) -> String {
        let known = self
            .names
            .iter()
            .enumerate()
            .filter_map(|(number, name)| Some((number, name.as_ref()?)));
        known
            .map(|(number, name)| format!("{number} {name}\n"))
            .collect()
    }
}

/// The lock: our own draft, also under the name that no two programs can create. So a lock left by
/// a killed run can be recognised as ours.
struct Lock<'a> {
    folder: &'a Dir,
    draft: String,
    file: File,
    /// Whether it has become the file.
    is_used: bool,
}

impl<'a> Lock<'a> {
    fn take(folder: &'a Dir) -> io::Result<Self> {
        let draft = format!("{DRAFT}{}", unique());
        let file = folder.new_file(draft.as_bytes())?;
        // From here on the draft is removed with the lock; the lock itself isn't ours yet.
        let mut lock = Self {
            folder,
            draft,
            file,
            is_used: true,
        };
        let began = Instant::now();
        loop {
            match folder.link(lock.draft.as_bytes(), folder, LOCK) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                linked => {
                    linked?;
                    lock.is_used = false;
                    return Ok(lock);
                }
            }
            if age(folder).is_some_and(|age| age > STALE) {
                folder.remove_if_there(LOCK)?;
            } else if began.elapsed() > PATIENCE {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another program has locked it",
                ));
            } else {
                // Bounded by the patience; a stop lets the change under way be finished.
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
impl Drop for Lock<'_> {
    fn drop(&mut self) {
        // If it can't be removed, the next run does.
        if !self.is_used {
            let _ = self.folder.remove(LOCK);
        }
        let _ = self.folder.remove(self.draft.as_bytes());
    }
}

/// Returns how long ago the lock was created.
fn age(folder: &Dir) -> Option<Duration> {
    let made = Duration::from_secs(u64::try_from(folder.stat(LOCK).ok()?.modified).ok()?);
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH + made)
        .ok()
}

/// Removes locks that killed runs have left in a folder, and no other program's.
pub(super) fn clear_up(folder: &Dir) -> io::Result<()> {
    let mut drafts = Vec::new();
    folder.each(|name, _| {
        if name.starts_with(DRAFT.as_bytes()) {
            drafts.push(name.to_vec());
        }
    })?;
    for draft in drafts {
        let inode = |name: &[u8]| folder.stat(name).ok().map(|stat| stat.inode);
        if inode(LOCK).is_some() && inode(LOCK) == inode(&draft) {
            folder.remove_if_there(LOCK)?;
        }
        folder.remove_if_there(&draft)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_as_dovecot_writes_it() {
        let keywords = Keywords::parse(b"0 $Forwarded\n1 NonJunk\n3 x\nbroken\n26 beyond\n");
        assert_eq!(
            (keywords.name(b'a'), keywords.name(b'b')),
            (Some("$Forwarded"), Some("NonJunk"))
        );
        assert_eq!(
            (
                keywords.name(b'c'),
                keywords.name(b'd'),
                keywords.name(b'A')
            ),
            (None, Some("x"), None)
        );
        assert_eq!(
            (keywords.letter("nonjunk"), keywords.letter("beyond")),
            (Some(b'b'), None)
        );
        assert_eq!(keywords.text(), "0 $Forwarded\n1 NonJunk\n3 x\n");
    }

    #[test]
    fn letters_are_given_until_there_are_none() {
        let root = tempfile::tempdir().unwrap();
        let folder = Dir::open(root.path()).unwrap();
        let names: Vec<String> = (0..30).map(|n| format!("k{n}")).collect();
        Keywords::add_to(&folder, &names[..3]).unwrap();
        let keywords = Keywords::add_to(&folder, &names).unwrap();
        assert_eq!(Keywords::read(&folder).unwrap(), keywords);
        assert_eq!(
            (
                keywords.letter("k2"),
                keywords.letter("k25"),
                keywords.letter("k26")
            ),
            (Some(b'c'), Some(b'z'), None)
        );
        assert!(!keywords.has_room());
        assert!(folder.stat(LOCK).is_err());
    }

    #[test]
    fn a_lock_that_a_killed_run_has_left_is_removed_and_no_other() {
        let root = tempfile::tempdir().unwrap();
        let folder = Dir::open(root.path()).unwrap();
        std::mem::forget(Lock::take(&folder).unwrap());
        clear_up(&folder).unwrap();
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
        std::fs::write(root.path().join("dovecot-keywords.lock"), "").unwrap();
        std::fs::write(root.path().join("mailferry-keywords-1"), "").unwrap();
        clear_up(&folder).unwrap();
        assert!(folder.stat(LOCK).is_ok());
    }

    #[test]
    fn two_writers_lose_nothing() {
        let root = tempfile::tempdir().unwrap();
        let folder = Dir::open(root.path()).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let folder = &folder;
                scope.spawn(move || {
                    for n in 0..5 {
                        Keywords::add_to(folder, &[format!("w{writer}n{n}")]).unwrap();
                    }
                });
            }
        });
        assert_eq!(Keywords::read(&folder).unwrap().names.len(), 20);
    }
}
