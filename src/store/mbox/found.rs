//! What a directory of mbox files contains: the folders, and what may be an unreadable one.
//!
//! Other files of mail programs aren't folders and are skipped. Anything in place of a folder that
//! was or may have been there is reported.

use crate::mail::{Gaps, MailboxName, Unread};
use crate::store::disk::{Dir, Kind};
use std::collections::BTreeSet;
use std::io::{self, Read as _};

/// The suffix of the directory with a folder's subfolders.
pub(super) const BELOW: &[u8] = b".sbd";
/// The suffix of a folder's list of UIDs.
pub(super) const UIDS: &[u8] = b".mailferry-uids";
/// The most levels in a folder's name. One with more is neither listed nor created.
pub(super) const MAX_LEVELS: usize = 100;

/// What was found so far.
#[derive(Default)]
pub(super) struct Found {
    pub(super) names: BTreeSet<MailboxName>,
    pub(super) gaps: Gaps,
}

impl Found {
    /// Collects a directory's contents: the folders on the level with this number, and those below
    /// them.
    pub(super) fn collect(&mut self, dir: &Dir, above: &[u8], level: usize) -> io::Result<()> {
        let mut directories = Vec::new();
        dir.each(|name, kind| {
            if name.starts_with(b"mailferry-") || name.ends_with(UIDS) || name.ends_with(b".lock") {
                return;
            }
            match kind {
                Kind::Directory => directories.push(name.to_vec()),
                Kind::File if is_mbox(dir, name) => {
                    self.names.insert(MailboxName::new([above, name].concat()));
                    return;
                }
                _ => {}
            }
            if let Some(why) = why_unread(dir, name, kind) {
                self.note(dir, name, why);
            }
        })?;
        for name in directories {
            let own = name.strip_suffix(BELOW).unwrap_or(&name);
            let below = [above, own, b"/"].concat();
            if level == MAX_LEVELS {
                self.note(
                    dir,
                    &name,
                    format!("a folder's name has at most {MAX_LEVELS} levels"),
                );
            } else if let Err(error) = dir
                .directory(&name)
                .and_then(|inner| self.collect(&inner, &below, level + 1))
            {
                self.note(dir, &name, error.to_string());
            }
        }
        Ok(())
    }

    fn note(&mut self, dir: &Dir, name: &[u8], why: impl Into<String>) {
        self.gaps
            .add(Unread::Path(dir.path_of(name).display().to_string()), why);
    }
}

/// Returns why an entry that isn't an mbox file may be the remains of a folder, or be in its place.
fn why_unread(dir: &Dir, name: &[u8], kind: Kind) -> Option<&'static str> {
    let has = |endings: &[&[u8]]| {
        endings
            .iter()
            .any(|ending| !dir.lacks(&[name, *ending].concat()))
    };
    // Files that mail programs keep with a folder's file.
    let was_folder = has(&[UIDS, BELOW, b".msf"]);
    match kind {
        Kind::Directory => has(&[UIDS]).then_some("a directory has replaced the folder's file"),
        _ if name.starts_with(b".") && !was_folder => None,
        Kind::Link => Some("it is a symbolic link, which is not followed"),
        Kind::Other => Some("it is not a regular file"),
        // Files for other purposes have an extension.
        Kind::File if name.contains(&b'.') && !was_folder => None,
        Kind::File => Some("it doesn't begin with `From `, as an mbox file does"),
    }
}

/// Reports whether a file is an mbox: empty, or beginning like one.
fn is_mbox(dir: &Dir, name: &[u8]) -> bool {
    let mut head = Vec::new();
    match dir
        .file(name)
        .and_then(|file| file.take(5).read_to_end(&mut head))
    {
        Ok(_) => head.is_empty() || head == b"From ",
        // If it can't be read, it is refused by name later.
        Err(_) => true,
    }
}
