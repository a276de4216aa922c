//! Delivery: each message is written to `tmp` and synced with its date; then several together get
//! their UIDs, their names in `cur`, and one sync of the directory. Only then they count as
//! delivered.
//!
//! A run killed at any moment leaves complete messages in `cur` and drafts in `tmp`, which the next
//! run removes.

use super::filename;
use super::folder::Folder;
use super::keywords::{Keywords, LETTERS};
use super::tree::{DRAFT, Tree};
use crate::mail::{Flags, MailboxName, Uid, UidSet};
use crate::store::disk::{CHUNK, Dir, Measure, refused, set_modified, stopped, unique};
use crate::store::{
    Answer, Body, Delivery, Error, ErrorKind, Outcome, Placed, Refusal, RefusalMeaning,
};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most messages that share a sync of the directory.
const BATCH_MESSAGES: usize = 200;
/// The most bytes, so that a killed run has little to resend.
const BATCH_BYTES: u64 = 16 << 20;
/// How long a message waits in `tmp` for others, for the same reason.
const BATCH_TIME: Duration = Duration::from_millis(100);

/// Messages being delivered to the tree.
pub(super) struct Deliveries {
    tree: Arc<Tree>,
    open: Option<Open>,
    told: Vec<Outcome>,
    /// Messages that may or may not exist: the disk failed in between.
    in_doubt: Vec<u32>,
}

/// The folder that messages are put into.
struct Open {
    mailbox: MailboxName,
    folder: Folder,
    drafts: Dir,
    keywords: Keywords,
    waiting: Vec<Draft>,
    bytes: u64,
    /// When messages were last put in place.
    since: Instant,
}

/// A message in `tmp`, complete and synced.
struct Draft {
    token: u32,
    name: String,
    base: String,
    letters: Vec<u8>,
}

impl Deliveries {
    pub(super) fn new(tree: Arc<Tree>) -> Self {
        Self {
            tree,
            open: None,
            told: Vec::new(),
            in_doubt: Vec::new(),
        }
    }

    pub(super) fn deliver(
        &mut self,
        mailbox: &MailboxName,
        delivery: Delivery<'_>,
    ) -> Result<(), Error> {
        if self
            .open
            .as_ref()
            .is_none_or(|open| open.mailbox != *mailbox)
        {
            self.commit()?;
            self.open = None;
        }
        let token = delivery.token;
        match self.write(mailbox, delivery) {
            Ok(()) => Ok(()),
            Err(Failure::Refused(refusal)) => {
                self.told.push(Outcome {
                    tokens: vec![token],
                    result: Err(refusal),
                });
                Ok(())
            }
            Err(Failure::Source) => Err(Error::new(ErrorKind::Lost, "a message was cut short")),
        }?;
        let is_full = |open: &Open| {
            open.waiting.len() >= BATCH_MESSAGES
                || open.bytes >= BATCH_BYTES
                || open.since.elapsed() >= BATCH_TIME
        };
        if self.open.as_ref().is_some_and(is_full) {
            self.commit()
        } else {
            Ok(())
        }
    }

    fn write(&mut self, mailbox: &MailboxName, delivery: Delivery<'_>) -> Result<(), Failure> {
        if self.open.is_none() {
            self.open = Some(Open::new(&self.tree, mailbox)?);
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let letters = open.letters(delivery.flags, delivery.careful)?;
        let draft = format!("{DRAFT}{}", unique());
        let measure = open
            .write_draft(&draft, delivery)
            .inspect_err(|_| drop(open.drafts.remove(draft.as_bytes())))?;
        let base = filename::new_base(&unique(), measure.0.bytes, measure.0.on_the_wire());
        open.bytes += measure.0.bytes;
        open.waiting.push(Draft {
            token: measure.1,
            name: draft,
            base,
            letters,
        });
        Ok(())
    }

    pub(super) fn outcomes(&mut self, wait: bool) -> Result<Vec<Outcome>, Error> {
        if wait {
            match self.commit() {
                // Report earlier results first; the next call reports the failure.
                Err(error) if self.told.is_empty() => return Err(error),
                _ => {}
            }
        }
        Ok(std::mem::take(&mut self.told))
    }

    pub(super) fn unacknowledged(&self) -> Vec<u32> {
        let waiting = self
            .open
            .iter()
            .flat_map(|open| &open.waiting)
            .map(|draft| draft.token);
        let told = self
            .told
            .iter()
            .flat_map(|outcome| &outcome.tokens)
            .copied();
        waiting
            .chain(told)
            .chain(self.in_doubt.iter().copied())
            .collect()
    }

    /// Puts waiting messages from `tmp` in place.
    fn commit(&mut self) -> Result<(), Error> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let waiting = std::mem::take(&mut open.waiting);
        open.bytes = 0;
        open.since = Instant::now();
        if waiting.is_empty() {
            return Ok(());
        }
        let tokens = || waiting.iter().map(|draft| draft.token);
        match open.put(&self.tree, &waiting) {
            Ok(outcomes) => {
                self.told.extend(outcomes);
                Ok(())
            }
            Err(error) => {
                self.in_doubt.extend(tokens());
                Err(stopped("deliver to", open.folder.dir.path(), &error))
            }
        }
    }
}

/// Why a message was not written.
enum Failure {
    Refused(Refusal),
    /// The source broke off.
    Source,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Open {
    fn new(tree: &Tree, mailbox: &MailboxName) -> Answer<Self> {
        let folder = Folder::complete(tree.root_of(mailbox)?, mailbox)?;
        let keywords = Keywords::read(&folder.dir)
            .map_err(|error| refused("read", folder.dir.path(), &error))?;
        let (drafts, mailbox) = (folder.drafts()?, mailbox.clone());
        Ok(Self {
            mailbox,
            folder,
            drafts,
            keywords,
            waiting: Vec::new(),
            bytes: 0,
            since: Instant::now(),
        })
    }

    /// Returns the letters for a message's flags, assigning letters to new keywords. If none are
    /// left, the message is refused once because of its flags; delivered with care, it goes without
    /// them.
    fn letters(&mut self, flags: &Flags, careful: bool) -> Answer<Vec<u8>> {
        let (letters, without) = filename::letters_of(flags, &self.keywords);
        if without.is_empty() {
            return Ok(letters);
        }
        let failed = |error: io::Error| {
            refused(
                "write",
                &self.folder.dir.path_of(super::keywords::NAME),
                &error,
            )
        };
        self.keywords = Keywords::add_to(&self.folder.dir, &without).map_err(failed)?;
        let (letters, without) = filename::letters_of(flags, &self.keywords);
        if without.is_empty() || careful {
            return Ok(letters);
        }
        Err(no_letters(&without))
    }

    fn write_draft(&self, name: &str, delivery: Delivery<'_>) -> Result<(Measure, u32), Failure> {
        let failed = |error: io::Error| {
            Failure::Refused(refused(
                "write",
                &self.drafts.path_of(name.as_bytes()),
                &error,
            ))
        };
        let file = self.drafts.new_file(name.as_bytes()).map_err(failed)?;
        let measure = match delivery.body {
            Body::Whole(bytes) => {
                let mut measure = Measure::default();
                measure.take(bytes);
                (&file).write_all(bytes).map_err(failed)?;
                measure
            }
            Body::Stream { size, from } => stream(from, size, &file, failed)?,
        };
        if let Some(date) = delivery.date {
            set_modified(&file, date.seconds()).map_err(failed)?;
        }
        // Including its date, which is as much a part of the message as its bytes.
        file.sync_all().map_err(failed)?;
        Ok((measure, delivery.token))
    }

    /// Numbers drafts and gives them their names. After an error it is uncertain which of them are
    /// in place.
    fn put(&self, tree: &Tree, drafts: &[Draft]) -> io::Result<Vec<Outcome>> {
        let bases: Vec<&[u8]> = drafts.iter().map(|draft| draft.base.as_bytes()).collect();
        let cur = self.folder.place(false)?;
        let mut refusals = Vec::new();
        let (validity, placed) =
            tree.place(&self.mailbox, &self.folder, &bases, |validity, uids| {
                let mut placed = Vec::new();
                for (draft, uid) in drafts.iter().zip(uids) {
                    let name = filename::with_letters(draft.base.as_bytes(), &draft.letters);
                    match self.drafts.move_new(draft.name.as_bytes(), cur, &name) {
                        Ok(()) => placed.push((draft.token, *uid)),
                        Err(error) => {
                            let refusal = refused("put a message into", cur.path(), &error);
                            refusals.push(Outcome {
                                tokens: vec![draft.token],
                                result: Err(refusal),
                            });
                        }
                    }
                }
                cur.sync()?;
                Ok((validity, placed))
            })?;
        let uids: UidSet = placed
            .iter()
            .filter_map(|(_, uid)| Uid::new(*uid))
            .collect();
        let tokens: Vec<u32> = placed.into_iter().map(|(token, _)| token).collect();
        if !tokens.is_empty() {
            refusals.push(Outcome {
                tokens,
                result: Ok(Some(Placed {
                    uid_validity: validity,
                    uids,
                })),
            });
        }
        Ok(refusals)
    }
}

/// Makes the refusal for flags without letters.
pub(super) fn no_letters(keywords: &[String]) -> Refusal {
    let text = format!(
        "a Maildir keeps {LETTERS} keywords in a folder, and there is no room for {}",
        keywords.join(" ")
    );
    Refusal {
        meaning: RefusalMeaning::Flags,
        text,
    }
}

fn stream(
    from: &mut dyn io::Read,
    size: u64,
    mut file: &File,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<Measure, Failure> {
    let mut measure = Measure::default();
    let mut chunk = vec![0; CHUNK];
    let mut from = from.take(size);
    loop {
        let count = from.read(&mut chunk).map_err(|_| Failure::Source)?;
        if count == 0 {
            return if measure.bytes == size {
                Ok(measure)
            } else {
                Err(Failure::Source)
            };
        }
        measure.take(&chunk[..count]);
        file.write_all(&chunk[..count]).map_err(&failed)?;
    }
}
