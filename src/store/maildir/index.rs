//! The messages in a folder's directories, by UID: read in one go, whatever other programs do to
//! the files meanwhile.
//!
//! A message keeps its base name when its flags change or it moves from `new` to `cur`, which is a
//! rename; if files are renamed while a directory is read, it may show a file twice or not at all.
//! So it is read until nothing changed during the reading, a few times at most, and files that only
//! an earlier reading has shown are looked for by name.
//!
//! A message costs 12 bytes and its name.

use super::filename;
use super::folder::Folder;
use super::uidlist;
use crate::mail::{ModSeq, Uid, UidNext, UidValidity};
use crate::store::Answer;
use crate::store::disk::{Dir, Generation, Kind, ListPlace, Numbered, Numbers, refused};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::io;

/// How often a directory that doesn't come to rest is read.
const READINGS: usize = 3;
/// How often such a directory is waited for.
const WAITS: usize = 2;
/// How often a file that only an earlier reading has shown is looked for.
const LOOKS: usize = 4;

/// A folder's messages.
#[derive(Debug)]
pub(super) struct Index {
    names: Vec<u8>,
    /// By ascending UID, once numbered.
    entries: Vec<Entry>,
    pub(super) generation: Generation,
    /// UIDNEXT.
    pub(super) next: u32,
    /// The time of the folder's last change when it was read, reported only if a later change must
    /// have a later time.
    pub(super) mod_seq: Option<ModSeq>,
    /// The same, reliable or not.
    pub(super) read_at: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u32,
    uid: u32,
    length: u8,
    /// How much of the name is its identity: the base, or all of it if two files have the same
    /// base.
    identity: u8,
    in_new: bool,
    reading: u8,
}

/// A message's file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) uid: Uid,
    /// Its name.
    pub(super) name: &'a [u8],
    /// Whether it is in `new`.
    pub(super) in_new: bool,
}

impl Index {
    /// Reads a folder and numbers its messages.
    pub(super) fn read(
        folder: &Folder,
        numbers: &mut Numbers,
        root: &Dir,
        may_write: bool,
    ) -> Answer<Self> {
        let failed = |error: io::Error| refused("read", folder.dir.path(), &error);
        let mut index = Self::list(folder).map_err(failed)?;
        let place = ListPlace {
            dir: &folder.dir,
            name: uidlist::OWN,
            root,
            may_write,
        };
        let theirs = |each: &mut dyn FnMut(u32, &[u8])| uidlist::read_dovecots(&folder.dir, each);
        let (generation, next) = numbers
            .number(&place, &mut index, &theirs)
            .map_err(failed)?;
        (index.generation, index.next) = (generation, next);
        index.entries.retain(|entry| entry.uid != 0);
        index.entries.sort_unstable_by_key(|entry| entry.uid);
        index.entries.shrink_to_fit();
        Ok(index)
    }

    /// Lists the files, by identity.
    fn list(folder: &Folder) -> io::Result<Self> {
        let mut index = Self {
            names: Vec::new(),
            entries: Vec::new(),
            generation: Generation::Passing,
            next: 1,
            mod_seq: None,
            read_at: 0,
        };
        let mut is_at_rest = false;
        for reading in 0..READINGS {
            // A change within the same tick of the file system's clock isn't visible in the time:
            // only a folder that was at rest before can be seen to be unchanged.
            let before = folder.settled_change(if reading == 0 { WAITS } else { 0 })?;
            index.read_places(folder, reading as u8)?;
            index.read_at = folder.last_change()?;
            if before == Some(index.read_at) {
                index.mod_seq = before.map(ModSeq);
                is_at_rest = true;
                break;
            }
        }
        index.sort_by_identity();
        let mut lost = index.join_readings(folder)?;
        for _ in 0..LOOKS {
            if is_at_rest || lost.is_empty() {
                break;
            }
            index.look_for(&mut lost, folder)?;
        }
        Ok(index)
    }

    /// Looks for files from an earlier reading whose names are gone: removed, or renamed so that
    /// the last reading missed them.
    fn look_for(&mut self, lost: &mut HashSet<Vec<u8>>, folder: &Folder) -> io::Result<()> {
        for (in_new, place) in folder.places() {
            let Self { names, entries, .. } = self;
            place.each(|name, _| {
                let base = filename::base(name);
                let (Ok(at), Ok(length)) = (u32::try_from(names.len()), u8::try_from(name.len()))
                else {
                    return;
                };
                if lost.remove(base) {
                    names.extend_from_slice(name);
                    entries.push(Entry {
                        at,
                        uid: 0,
                        length,
                        identity: base.len() as u8,
                        in_new,
                        reading: 0,
                    });
                }
            })?;
        }
        self.sort_by_identity();
        Ok(())
    }

    /// Reads `new` first: what moves from there to `cur` meanwhile is seen twice rather than
    /// missed.
    fn read_places(&mut self, folder: &Folder, reading: u8) -> io::Result<()> {
        for (in_new, place) in folder.places() {
            let Self { names, entries, .. } = self;
            let mut too_many = false;
            place.each(|name, kind| {
                if name.starts_with(b".") || kind == Kind::Directory {
                    return;
                }
                let (Ok(at), Ok(length)) = (u32::try_from(names.len()), u8::try_from(name.len()))
                else {
                    too_many = true;
                    return;
                };
                let identity = filename::base(name).len() as u8;
                names.extend_from_slice(name);
                entries.push(Entry {
                    at,
                    uid: 0,
                    length,
                    identity,
                    in_new,
                    reading,
                });
            })?;
            if too_many {
                return Err(io::Error::other("it holds more files than can be listed"));
            }
        }
        Ok(())
    }

    fn sort_by_identity(&mut self) {
        let Self { names, entries, .. } = self;
        entries.sort_unstable_by(|a, b| {
            let order = a.identity_in(names).cmp(b.identity_in(names));
            order
                .then(b.reading.cmp(&a.reading))
                .then(a.in_new.cmp(&b.in_new))
                .then_with(|| a.name_in(names).cmp(b.name_in(names)))
        });
    }

    /// Keeps one entry per file, of several with one base; the latest reading comes first. Returns
    /// the bases of files that no longer have any name that was read.
    fn join_readings(&mut self, folder: &Folder) -> io::Result<HashSet<Vec<u8>>> {
        let mut lost = HashSet::new();
        let last = self
            .entries
            .iter()
            .map(|entry| entry.reading)
            .max()
            .unwrap_or(0);
        let mut kept: Vec<Entry> = Vec::with_capacity(self.entries.len());
        let mut at = 0;
        while at < self.entries.len() {
            let same = |entry: &Entry| {
                entry.identity_in(&self.names) == self.entries[at].identity_in(&self.names)
            };
            let end = at
                + self.entries[at..]
                    .iter()
                    .take_while(|entry| same(entry))
                    .count();
            let group = &self.entries[at..end];
            at = end;
            if group.len() == 1 && group[0].reading == last {
                kept.push(group[0]);
                continue;
            }
            let before = kept.len();
            self.join(group, folder, &mut kept)?;
            if kept.len() == before {
                lost.insert(group[0].identity_in(&self.names).to_vec());
            }
        }
        let clashes = kept.iter().any(|entry| {
            entry.identity == entry.length && entry.name_in(&self.names).contains(&b':')
        });
        self.entries = kept;
        if clashes {
            self.sort_by_identity();
        }
        Ok(lost)
    }

    /// Keeps the files that really exist, of those with one base.
    fn join(&self, group: &[Entry], folder: &Folder, kept: &mut Vec<Entry>) -> io::Result<()> {
        let mut inodes = Vec::new();
        for entry in group {
            let stat = match folder.place(entry.in_new)?.stat(entry.name_in(&self.names)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                stat => stat?,
            };
            if inodes.contains(&stat.inode) {
                continue;
            }
            // Two messages with one base can be told apart only by their whole names.
            let identity = if inodes.is_empty() {
                entry.identity
            } else {
                entry.length
            };
            inodes.push(stat.inode);
            kept.push(Entry { identity, ..*entry });
        }
        Ok(())
    }

    /// Returns the UIDVALIDITY to report.
    pub(super) fn validity(&self) -> Option<UidValidity> {
        self.generation.validity()
    }

    /// Returns the UIDNEXT to report: none without a UIDVALIDITY.
    pub(super) fn uid_next(&self) -> Option<UidNext> {
        self.validity().and_then(|_| UidNext::new(self.next))
    }

    /// Returns how many messages there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Yields all messages by ascending UID.
    pub(super) fn all(&self) -> impl Iterator<Item = Found<'_>> {
        self.entries
            .iter()
            .filter_map(|entry| entry.found(&self.names))
    }

    /// Returns a message's file.
    pub(super) fn find(&self, uid: Uid) -> Option<Found<'_>> {
        let at = self
            .entries
            .binary_search_by_key(&uid.get(), |entry| entry.uid)
            .ok()?;
        self.entries[at].found(&self.names)
    }

    fn at_identity(&self, name: &[u8]) -> Option<usize> {
        self.entries
            .binary_search_by(|entry| entry.identity_in(&self.names).cmp(name))
            .ok()
    }
}

impl Entry {
    fn name_in<'n>(&self, names: &'n [u8]) -> &'n [u8] {
        let at = self.at as usize;
        names
            .get(at..at + usize::from(self.length))
            .unwrap_or_default()
    }

    fn identity_in<'n>(&self, names: &'n [u8]) -> &'n [u8] {
        let at = self.at as usize;
        names
            .get(at..at + usize::from(self.identity))
            .unwrap_or_default()
    }

    fn found<'n>(&self, names: &'n [u8]) -> Option<Found<'n>> {
        Some(Found {
            uid: Uid::new(self.uid)?,
            name: self.name_in(names),
            in_new: self.in_new,
        })
    }
}

impl Numbered for Index {
    fn set(&mut self, name: &[u8], uid: u32) -> bool {
        let at = self.at_identity(name);
        if let Some(at) = at {
            self.entries[at].uid = uid;
        }
        at.is_some()
    }

    fn clear(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.uid = 0);
    }

    fn number_rest(&mut self, take: &mut dyn FnMut(&[u8]) -> io::Result<u32>) -> io::Result<()> {
        let mut rest: Vec<u32> = (0..)
            .zip(&self.entries)
            .filter(|(_, entry)| entry.uid == 0)
            .map(|(at, _)| at)
            .collect();
        let by_time = |a: &u32, b: &u32| -> Ordering {
            let identity = |at: &u32| self.entries[*at as usize].identity_in(&self.names);
            filename::order(identity(a)).cmp(&filename::order(identity(b)))
        };
        rest.sort_unstable_by(by_time);
        for at in rest {
            let uid = take(self.entries[at as usize].identity_in(&self.names))?;
            self.entries[at as usize].uid = uid;
        }
        Ok(())
    }

    fn unnumbered(&self) -> usize {
        self.entries.iter().filter(|entry| entry.uid == 0).count()
    }

    fn each(&self, take: &mut dyn FnMut(u32, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut by_uid: Vec<(u32, u32)> = self
            .entries
            .iter()
            .zip(0..)
            .filter(|(entry, _)| entry.uid != 0)
            .map(|(entry, at)| (entry.uid, at))
            .collect();
        by_uid.sort_unstable();
        by_uid
            .into_iter()
            .try_for_each(|(uid, at)| take(uid, self.entries[at as usize].identity_in(&self.names)))
    }
}
