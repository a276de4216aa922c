//! Changes flags and removes messages: the file is rewritten next to the old one and replaces it as
//! a whole.

use super::format::{END, flag_lines, mark_line};
use super::index::{Entry, Index, identity_name};
use super::tree::Tree;
use super::view::{FieldFilter, Region};
use crate::mail::{Flags, MailboxName};
use crate::store::Answer;
use crate::store::disk::{CHUNK, refused};
use std::collections::HashMap;
use std::io::{self, Read as _, Write};

/// What to do with a message.
pub(super) enum Fate {
    Stays,
    Goes,
    Has(Flags),
}

impl Tree {
    /// Rewrites a folder. `fate` is called for each message, in UID order; nothing is written if
    /// all stay.
    pub(super) fn rewrite(
        &self,
        mailbox: &MailboxName,
        check: impl FnOnce(&Index) -> Answer<()>,
        fate: &mut dyn FnMut(&Index, &Entry) -> Fate,
    ) -> Answer<()> {
        let spot = self.spot(mailbox, false)?;
        let (_file, _lock) = spot.lock()?;
        let index = self.index(mailbox)?;
        check(&index)?;
        let mut fates: Vec<(&Entry, Fate)> = index
            .entries
            .iter()
            .map(|entry| (entry, fate(&index, entry)))
            .collect();
        if fates.iter().all(|(_, fate)| matches!(fate, Fate::Stays)) {
            return Ok(());
        }
        fates.sort_by_key(|(entry, _)| entry.start);
        let failed = |error: io::Error| refused("write", &spot.path(), &error);
        spot.dir
            .replace(&spot.name, |to| write_all(&index, &fates, to))
            .map_err(failed)?;
        self.renumber(mailbox, &spot, &names(&fates))
            .map_err(failed)
    }
}

/// Returns the names of the messages that stay; equal ones are told apart by number.
fn names(fates: &[(&Entry, Fate)]) -> Vec<(u32, String)> {
    let mut counts: HashMap<_, usize> = HashMap::new();
    let mut names = Vec::with_capacity(fates.len());
    for (entry, _) in fates.iter().filter(|(_, fate)| !matches!(fate, Fate::Goes)) {
        let count = counts.entry(entry.identity).or_default();
        names.push((entry.uid, identity_name(&entry.identity, *count)));
        *count += 1;
    }
    names.sort_unstable();
    names
}

fn write_all(index: &Index, fates: &[(&Entry, Fate)], to: &mut impl Write) -> io::Result<()> {
    let mut at = 0;
    for (entry, fate) in fates {
        // Anything between listed messages stays unchanged.
        copy(index, at, entry.start, to)?;
        match fate {
            Fate::Stays => copy(index, entry.start, entry.after, to)?,
            Fate::Goes => {}
            Fate::Has(flags) => write_flags(index, entry, flags, to)?,
        }
        at = entry.after;
    }
    copy(index, at, index.end.max(at), to)
}

fn region(index: &Index, at: u64, end: u64) -> Region {
    Region {
        file: std::sync::Arc::clone(&index.file),
        at,
        end,
    }
}

fn copy(index: &Index, at: u64, end: u64, to: &mut impl Write) -> io::Result<()> {
    io::copy(&mut region(index, at, end.max(at)), to).map(drop)
}

/// Writes a message with other flags: new lines of our own, or another program's flag fields.
fn write_flags(index: &Index, entry: &Entry, flags: &Flags, to: &mut impl Write) -> io::Result<()> {
    let mut from = region(index, entry.start, entry.body);
    let mut head = Vec::new();
    from.read_to_end(&mut head)?;
    let from_end = head
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(head.len(), |at| at + 1);
    to.write_all(&head[..from_end])?;
    if let Some(own) = entry.own {
        to.write_all(
            [mark_line(own), flag_lines(flags), END.to_owned()]
                .concat()
                .as_bytes(),
        )?;
        return copy(index, entry.body, entry.after, to);
    }
    to.write_all(flag_lines(flags).as_bytes())?;
    let (mut body, mut filter) = (
        region(index, entry.body, entry.after),
        FieldFilter::default(),
    );
    let (mut chunk, mut out) = (vec![0; CHUNK], Vec::new());
    loop {
        let count = body.read(&mut chunk)?;
        chunk[..count]
            .iter()
            .for_each(|byte| filter.take(*byte, &mut out));
        if count == 0 {
            filter.end(&mut out);
        }
        to.write_all(&out)?;
        out.clear();
        if count == 0 {
            return Ok(());
        }
    }
}
