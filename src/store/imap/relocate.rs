//! Messages that the server itself copies, moves or removes: COPY and MOVE (RFC 3501, RFC 6851),
//! UID EXPUNGE (RFC 4315).
//!
//! Invariants: nothing is done to messages under another UIDVALIDITY than the caller's, so each
//! folder's opening is waited for; only the given messages are expunged. Without UID EXPUNGE, a
//! plain EXPUNGE is used only while nothing else in the folder is marked `\Deleted`.

use super::refusal::{Asked, all_accepted, refusal};
use super::session::{Open, SET_BYTES, Session, open_command};
use crate::imap::{Code, Command, Error, Reply, Response, Ticket};
use crate::mail::{MailboxName, Uid, UidSet, UidValidity};
use crate::store::{Answer, Refusal, RefusalMeaning, Relocated, Relocation, Removal};

/// The most messages that one command may copy: Zimbra refuses more.
const MOST_COPIED: usize = 1000;

fn sets_to_copy(uids: &UidSet) -> Vec<String> {
    let all: Vec<Uid> = uids.iter().collect();
    all.chunks(MOST_COPIED)
        .map(|some| some.iter().copied().collect::<UidSet>())
        .flat_map(|some| some.sequence_sets(SET_BYTES))
        .collect()
}

impl Session {
    pub(super) fn relocate_all(
        &mut self,
        relocations: &[Relocation],
    ) -> Result<Vec<Relocated>, Error> {
        self.ensure_alive()?;
        self.learn_labels()?;
        let mut results = Vec::with_capacity(relocations.len());
        let is_same = |a: &Relocation, b: &Relocation| {
            (&a.from, a.uid_validity, a.leave) == (&b.from, b.uid_validity, b.leave)
        };
        // Open a folder once for everything that leaves it.
        for from_one in relocations.chunk_by(is_same) {
            let Relocation {
                from,
                uid_validity,
                leave,
                ..
            } = &from_one[0];
            match self.open_generation(from, *leave, *uid_validity)? {
                Ok(()) => results.extend(self.relocate_open(from_one)?),
                Err(refusal) => {
                    let refused = || Relocated {
                        refusal: Some(refusal.clone()),
                        ..Relocated::default()
                    };
                    results.extend(from_one.iter().map(|_| refused()));
                }
            }
        }
        self.leave_folder()?;
        Ok(results)
    }

    /// Copies or moves messages from the open folder.
    fn relocate_open(&mut self, relocations: &[Relocation]) -> Result<Vec<Relocated>, Error> {
        let has_move = self.capabilities.has("MOVE");
        let hindrance = self.hindrance(relocations)?;
        let mut commands = Vec::new();
        let mut sets: Vec<(usize, String)> = Vec::new();
        let mut results = Vec::with_capacity(relocations.len());
        for (at, relocation) in relocations.iter().enumerate() {
            let (uids, refusal) = match hindrance.as_ref().filter(|_| relocation.leave) {
                Some(refusal) => (UidSet::default(), Some(refusal.clone())),
                None => self.relocatable(relocation)?,
            };
            results.push(Relocated {
                refusal,
                ..Relocated::default()
            });
            let verb = if relocation.leave && has_move {
                "UID MOVE"
            } else {
                "UID COPY"
            };
            for set in sets_to_copy(&uids) {
                commands.push(Command::new(verb).text(&set).mailbox(&relocation.to));
                sets.push((at, set));
            }
        }
        let mut told: Vec<Code> = Vec::new();
        let replies = self.connection.run_all(&commands, |_, response| {
            // MOVE reports where messages go before they leave, in an untagged OK (RFC 6851 section
            // 4.3). A server may answer several commands together, so only the messages tell which
            // command it is about.
            if let Response::Status {
                code: Some(code @ Code::CopyUid { .. }),
                ..
            } = response
            {
                told.push(code.clone());
            }
            Ok(())
        })?;
        for ((at, set), reply) in sets.iter().zip(&replies) {
            results[*at].take(&UidSet::parse(set).unwrap_or_default(), reply, &told);
        }
        for (relocation, result) in relocations
            .iter()
            .zip(&mut results)
            .filter(|(relocation, _)| relocation.leave)
        {
            if has_move {
                let left = self.still_there(&result.uids())?;
                result.forget(&left);
            } else {
                self.remove_copied(relocation, result)?;
            }
        }
        Ok(results)
    }

    /// Returns why nothing can leave the open folder, if a move ends with a plain EXPUNGE: a
    /// message that is copied and then can't be removed would exist twice.
    fn hindrance(&mut self, relocations: &[Relocation]) -> Result<Option<Refusal>, Error> {
        if self.capabilities.has("MOVE")
            || self.capabilities.has("UIDPLUS")
            || self.labelled.is_some()
        {
            return Ok(None);
        }
        let leaving: Vec<&UidSet> = relocations
            .iter()
            .filter(|relocation| relocation.leave)
            .map(|relocation| &relocation.uids)
            .collect();
        if leaving.is_empty() {
            return Ok(None);
        }
        Ok(match self.marked_deleted()? {
            Ok(marked)
                if marked
                    .iter()
                    .all(|uid| leaving.iter().any(|uids| uids.contains(uid))) =>
            {
                None
            }
            Ok(_) => Some(others_are_marked()),
            Err(refusal) => Some(refusal),
        })
    }

    /// Finishes a move without MOVE: removes what is known to be copied.
    fn remove_copied(
        &mut self,
        relocation: &Relocation,
        result: &mut Relocated,
    ) -> Result<(), Error> {
        let mut copied: UidSet = result.placed.iter().map(|(from, _)| *from).collect();
        copied.add(&result.somewhere);
        if copied.is_empty() {
            return Ok(());
        }
        if let Err(refusal) = self.expunge_exactly(&relocation.from, &copied)? {
            result.refusal.get_or_insert(refusal);
            result.left_behind = copied;
        }
        Ok(())
    }

    pub(super) fn remove_all(&mut self, removals: &[Removal]) -> Result<Vec<Answer<()>>, Error> {
        self.ensure_alive()?;
        self.learn_labels()?;
        let mut results = Vec::with_capacity(removals.len());
        for Removal {
            mailbox,
            uid_validity,
            uids,
        } in removals
        {
            results.push(match self.open_generation(mailbox, true, *uid_validity)? {
                Ok(()) => self.expunge_exactly(mailbox, uids)?,
                Err(refusal) => Err(refusal),
            });
        }
        self.leave_folder()?;
        Ok(results)
    }

    /// Opens a folder and makes sure that UIDs with this UIDVALIDITY are still valid.
    fn open_generation(
        &mut self,
        mailbox: &MailboxName,
        for_writing: bool,
        expected: Option<UidValidity>,
    ) -> Result<Answer<()>, Error> {
        let mut found = None;
        self.open = None;
        let reply = self.connection.run(
            &open_command(mailbox, for_writing),
            &mut |_: Option<Ticket>, response: &Response<'_>| {
                if let Response::Status {
                    code: Some(Code::UidValidity(validity)),
                    ..
                } = response
                {
                    found = Some(UidValidity(*validity));
                }
                Ok(())
            },
        )?;
        if !reply.is_ok() {
            return Ok(Err(refusal(&reply, Asked::Change)));
        }
        self.open = Some(Open {
            mailbox: mailbox.clone(),
            for_writing,
        });
        if found != expected {
            let text = "the folder was recreated during the run (UIDVALIDITY changed); run again"
                .to_owned();
            return Ok(Err(Refusal {
                meaning: RefusalMeaning::NoFolder,
                text,
            }));
        }
        Ok(Ok(()))
    }

    /// Removes messages from the open folder, and leaves them in all others.
    fn expunge_exactly(
        &mut self,
        mailbox: &MailboxName,
        uids: &UidSet,
    ) -> Result<Answer<()>, Error> {
        match self.labelled.clone() {
            Some(folders) => self.remove_labelled(&folders, mailbox, uids),
            None => self.expunge_from_folder(uids),
        }
    }

    /// Marks messages in the open folder and expunges them.
    pub(super) fn expunge_from_folder(&mut self, uids: &UidSet) -> Result<Answer<()>, Error> {
        if uids.is_empty() {
            return Ok(Ok(()));
        }
        if self.capabilities.has("UIDPLUS") {
            let sets = uids.sequence_sets(SET_BYTES);
            let expunge = |set: &String| Command::new("UID EXPUNGE").text(set);
            let commands: Vec<Command> = sets
                .iter()
                .flat_map(|set| [mark_deleted(set), expunge(set)])
                .collect();
            let replies = self.connection.run_all(&commands, |_, _| Ok(()))?;
            return self.removed(&replies, uids);
        }
        self.expunge_alone(uids)
    }

    /// Looks for messages in the open folder that the server claims to have removed: it may say OK
    /// and do nothing. Sent separately, since Dovecot may answer a search before an expunge that
    /// was sent ahead of it. A refused search shows nothing.
    fn still_there(&mut self, uids: &UidSet) -> Result<UidSet, Error> {
        let look = |set: &String| Command::new("UID SEARCH UID").text(set);
        let looks: Vec<Command> = uids.sequence_sets(SET_BYTES).iter().map(look).collect();
        let mut there = UidSet::default();
        self.connection.run_all(&looks, |_, response| {
            if let Response::Search(found) = response {
                there.add(found);
            }
            Ok(())
        })?;
        Ok(there.iter().filter(|uid| uids.contains(*uid)).collect())
    }

    /// Returns the result of commands that remove messages.
    fn removed(&mut self, replies: &[Reply], uids: &UidSet) -> Result<Answer<()>, Error> {
        if let Err(refusal) = all_accepted(replies) {
            return Ok(Err(refusal));
        }
        let left = self.still_there(uids)?;
        Ok(if left.is_empty() {
            Ok(())
        } else {
            Err(nothing_done(&left))
        })
    }

    /// Expunges without UID EXPUNGE: only while exactly the requested messages are marked.
    fn expunge_alone(&mut self, uids: &UidSet) -> Result<Answer<()>, Error> {
        let is_ours = |marked: &UidSet| marked.iter().all(|uid| uids.contains(uid));
        let before = match self.marked_deleted()? {
            Ok(marked) if is_ours(&marked) => marked,
            Ok(_) => return Ok(Err(others_are_marked())),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let marks: Vec<Command> = uids
            .sequence_sets(SET_BYTES)
            .iter()
            .map(|set| mark_deleted(set))
            .collect();
        let replies = self.connection.run_all(&marks, |_, _| Ok(()))?;
        if let Err(refusal) = all_accepted(&replies) {
            return Ok(Err(refusal));
        }
        // Check again, as others may have marked messages in the meantime.
        match self.marked_deleted()? {
            Ok(marked) if is_ours(&marked) => {
                let reply = self
                    .connection
                    .run(&Command::new("EXPUNGE"), &mut crate::imap::ignore)?;
                self.removed(&[reply], uids)
            }
            Ok(_) => {
                // If our marks stayed, nobody else could delete anything.
                let marked = uids.minus(&before);
                let unmark = |set: &String| {
                    Command::new("UID STORE")
                        .text(set)
                        .text("-FLAGS.SILENT (\\Deleted)")
                };
                let commands: Vec<Command> =
                    marked.sequence_sets(SET_BYTES).iter().map(unmark).collect();
                self.connection.run_all(&commands, |_, _| Ok(()))?;
                Ok(Err(others_are_marked()))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Returns the messages in the open folder that are marked `\Deleted`.
    fn marked_deleted(&mut self) -> Result<Answer<UidSet>, Error> {
        let mut marked = UidSet::default();
        let search = Command::new("UID SEARCH DELETED");
        let reply = self.connection.run(
            &search,
            &mut |_: Option<Ticket>, response: &Response<'_>| {
                if let Response::Search(uids) = response {
                    marked.add(uids);
                }
                Ok(())
            },
        )?;
        Ok(if reply.is_ok() {
            Ok(marked)
        } else {
            Err(refusal(&reply, Asked::Change))
        })
    }
}

impl Relocated {
    /// Takes the reply to one command. Whatever it, or an untagged OK before it, says about
    /// messages that were not requested is ignored: they would be expunged, or four billion listed
    /// one by one.
    fn take(&mut self, asked: &UidSet, reply: &Reply, told: &[Code]) {
        if !reply.is_ok() {
            self.refusal
                .get_or_insert_with(|| refusal(reply, Asked::Change));
            return;
        }
        for code in reply.code.iter().chain(told) {
            if let Code::CopyUid { validity, from, to } = code
                && is_part(from, asked)
                && from.len() == to.len()
            {
                self.uid_validity = Some(UidValidity(*validity));
                self.placed.extend(from.iter().zip(to.iter()));
                return;
            }
        }
        self.somewhere.add(asked);
    }

    /// Takes back what the server reported about messages that are still where they were.
    fn forget(&mut self, left: &UidSet) {
        let is_left: UidSet = self
            .uids()
            .iter()
            .filter(|uid| left.contains(*uid))
            .collect();
        if !is_left.is_empty() {
            self.placed.retain(|(from, _)| !is_left.contains(*from));
            self.somewhere = self.somewhere.minus(&is_left);
            self.refusal.get_or_insert_with(|| nothing_done(&is_left));
        }
    }

    /// Returns every message that was relocated.
    pub fn uids(&self) -> UidSet {
        let mut all: UidSet = self.placed.iter().map(|(from, _)| *from).collect();
        all.add(&self.somewhere);
        all
    }
}

/// Reports whether a set has something, and only what the other has.
fn is_part(set: &UidSet, of: &UidSet) -> bool {
    !set.is_empty() && set.len() <= of.len() && set.iter().all(|uid| of.contains(uid))
}

fn mark_deleted(set: &str) -> Command {
    Command::new("UID STORE")
        .text(set)
        .text("+FLAGS.SILENT (\\Deleted)")
}

fn nothing_done(left: &UidSet) -> Refusal {
    let text = format!(
        "the server said OK, but {} of them are still there",
        left.len()
    );
    Refusal {
        meaning: RefusalMeaning::Permanent,
        text,
    }
}

fn others_are_marked() -> Refusal {
    let text = "other messages in it are marked \\Deleted, and this server can't remove some without them (it has no \
                UIDPLUS); expunge the folder in a mail client, then run again";
    Refusal {
        meaning: RefusalMeaning::Permanent,
        text: text.to_owned(),
    }
}
