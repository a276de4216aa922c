//! Gmail's folders are labels (X-GM-EXT-1): one message with several labels appears in several
//! folders.
//!
//! There an EXPUNGE removes the folder's label and keeps the message in All Mail, and a message
//! moved to the Trash loses all of its labels. Invariant: a message deleted from one folder stays
//! in every other one, and one that was in no other is deleted, by way of the Trash. X-GM-LABELS
//! shows which is which; it omits the label of the open folder. With Gmail's auto-expunge, which is
//! on by default, setting `\Deleted` removes the label at once: then the EXPUNGE finds nothing.

use super::refusal::{Asked, all_accepted, refusal};
use super::session::{SET_BYTES, Session};
use crate::imap::{Command, Error, Fetch, Response};
use crate::mail::{ListedMailbox, MailboxName, SpecialUse, Uid, UidSet};
use crate::store::{Answer, Refusal, RefusalMeaning, Relocation};
use std::collections::HashMap;

/// Labels that aren't folders: a message that has only these is in no other folder.
const MARKS: [&[u8]; 3] = [b"\\Important", b"\\Starred", b"\\Muted"];

/// An account whose folders are labels.
#[derive(Clone, Debug)]
pub(super) struct LabelledFolders {
    /// Where messages must go to be deleted; `None` if the user hides it from IMAP: then they can
    /// only be archived.
    trash: Option<MailboxName>,
    roles: HashMap<MailboxName, SpecialUse>,
}

/// Which messages in a folder are also in the account's other folders.
#[derive(Debug, Default)]
struct Told {
    /// They are in no other.
    only_here: UidSet,
    /// They are also in another one.
    elsewhere: UidSet,
}

impl LabelledFolders {
    pub(super) fn new(listed: &[ListedMailbox]) -> Self {
        let role = |mailbox: &ListedMailbox| Some((mailbox.name.clone(), mailbox.special_use?));
        let trash = listed
            .iter()
            .find(|mailbox| mailbox.special_use == Some(SpecialUse::Trash));
        Self {
            trash: trash.map(|mailbox| mailbox.name.clone()),
            roles: listed.iter().filter_map(role).collect(),
        }
    }

    /// Reports whether messages that go there leave every other folder: they are in no other,
    /// whatever labels they kept.
    fn takes_all(&self, mailbox: &MailboxName) -> bool {
        matches!(
            self.role(mailbox),
            Some(SpecialUse::Trash | SpecialUse::Junk)
        )
    }

    fn role(&self, mailbox: &MailboxName) -> Option<SpecialUse> {
        self.roles.get(mailbox).copied()
    }

    /// Reports whether a label is another folder than this one. The folder's own label is usually
    /// omitted; if it isn't, names differ in case and roles have their own names. An unknown label
    /// counts as another folder: then the message stays.
    fn is_another(&self, label: &[u8], mailbox: &MailboxName) -> bool {
        let is = |names: &[&[u8]]| names.iter().any(|name| label.eq_ignore_ascii_case(name));
        let own: &[&[u8]] = match self.role(mailbox) {
            _ if mailbox.as_bytes().eq_ignore_ascii_case(b"INBOX") => &[b"\\Inbox"],
            Some(SpecialUse::Sent) => &[b"\\Sent"],
            Some(SpecialUse::Drafts) => &[b"\\Draft", b"\\Drafts"],
            _ => &[],
        };
        !self.takes_all(mailbox) && !is(&MARKS) && !is(&[mailbox.as_bytes()]) && !is(own)
    }
}

impl Told {
    fn take(
        &mut self,
        folders: &LabelledFolders,
        mailbox: &MailboxName,
        uid: Uid,
        fetch: &Fetch<'_>,
    ) {
        // Flag changes by others are reported without labels.
        let Some(labels) = &fetch.gmail_labels else {
            return;
        };
        let is_elsewhere = labels
            .iter()
            .any(|label| folders.is_another(label, mailbox));
        if is_elsewhere {
            &mut self.elsewhere
        } else {
            &mut self.only_here
        }
        .insert(uid);
    }
}

impl Session {
    /// Reports whether folders are labels here, so that deleting from one must go through another.
    pub(super) fn has_labels(&self) -> bool {
        self.capabilities.has("X-GM-EXT-1") && self.capabilities.has("MOVE")
    }

    /// Lists folders if it must be known which they are: a connection made in the middle of a run
    /// has listed none.
    pub(super) fn learn_labels(&mut self) -> Result<(), Error> {
        if self.labelled.is_none() && self.has_labels() {
            self.list_all()?;
        }
        Ok(())
    }

    /// Removes messages from the open folder: through the Trash if they are in no other folder, and
    /// only from this one if they are. Folders are handled one after the other, so when a message
    /// is deleted from all of its folders, the last one finds that it is in no other; a message
    /// wrongly found to be in another stays in All Mail.
    pub(super) fn remove_labelled(
        &mut self,
        folders: &LabelledFolders,
        mailbox: &MailboxName,
        uids: &UidSet,
    ) -> Result<Answer<()>, Error> {
        let role = folders.role(mailbox);
        // What is in the Trash is deleted. Removed from the other two, a message loses a mark, not
        // a folder.
        if matches!(
            role,
            Some(SpecialUse::Trash | SpecialUse::Flagged | SpecialUse::Important)
        ) {
            return self.expunge_from_folder(uids);
        }
        let told = match self.ask_labels(folders, mailbox, uids)? {
            Ok(told) => told,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let unlabelled = if role == Some(SpecialUse::All) {
            left(
                &told.elsewhere,
                "other folders have them too, and this one has all that any other has",
            )
        } else {
            self.expunge_from_folder(&told.elsewhere)?
        };
        let trashed = self.move_to_trash(folders, &told.only_here)?;
        let untold = self.refuse_untold(uids, &told)?;
        Ok(unlabelled.and(trashed).and(untold))
    }

    /// Returns which messages in the open folder can be moved without leaving other folders, and
    /// why the rest can't.
    pub(super) fn relocatable(
        &mut self,
        relocation: &Relocation,
    ) -> Result<(UidSet, Option<Refusal>), Error> {
        let Relocation {
            from,
            uids,
            to,
            leave,
            ..
        } = relocation;
        let Some(folders) = self
            .labelled
            .clone()
            .filter(|folders| folders.takes_all(to))
        else {
            return Ok((uids.clone(), None));
        };
        if !leave {
            let why = "what this server copies there leaves all other folders";
            return Ok((UidSet::default(), left(uids, why).err()));
        }
        let told = match self.ask_labels(&folders, from, uids)? {
            Ok(told) => told,
            Err(refusal) => return Ok((UidSet::default(), Some(refusal))),
        };
        let shared = left(
            &told.elsewhere,
            "they are in other folders too, which this server would take them out of",
        );
        let refused = shared.and(self.refuse_untold(uids, &told)?);
        Ok((told.only_here, refused.err()))
    }

    /// Asks which messages in the open folder are in other folders. The answer omits messages that
    /// don't exist.
    fn ask_labels(
        &mut self,
        folders: &LabelledFolders,
        mailbox: &MailboxName,
        uids: &UidSet,
    ) -> Result<Answer<Told>, Error> {
        let mut told = Told::default();
        let ask = |set: &String| {
            Command::new("UID FETCH")
                .text(set)
                .text("(UID X-GM-LABELS)")
        };
        let commands: Vec<Command> = uids.sequence_sets(SET_BYTES).iter().map(ask).collect();
        let replies = self.connection.run_all(&commands, |_, response| {
            if let Response::Fetch(fetch) = response
                && let Some(uid) = fetch
                    .uid
                    .and_then(Uid::new)
                    .filter(|uid| uids.contains(*uid))
            {
                told.take(folders, mailbox, uid, fetch);
            }
            Ok(())
        })?;
        if let Some(reply) = replies.iter().find(|reply| !reply.is_ok()) {
            return Ok(Err(refusal(reply, Asked::Read)));
        }
        // Reported twice, and differently: it stays.
        told.only_here = told.only_here.minus(&told.elsewhere);
        Ok(Ok(told))
    }

    fn move_to_trash(
        &mut self,
        folders: &LabelledFolders,
        uids: &UidSet,
    ) -> Result<Answer<()>, Error> {
        let Some(trash) = &folders.trash else {
            return self.expunge_from_folder(uids);
        };
        let to_trash = |set: &String| Command::new("UID MOVE").text(set).mailbox(trash);
        let moves: Vec<Command> = uids.sequence_sets(SET_BYTES).iter().map(to_trash).collect();
        let replies = self.connection.run_all(&moves, |_, _| Ok(()))?;
        Ok(all_accepted(&replies))
    }

    /// Leaves messages alone whose labels were not reported, and refuses them if they exist.
    fn refuse_untold(&mut self, uids: &UidSet, told: &Told) -> Result<Answer<()>, Error> {
        let untold = uids.minus(&told.elsewhere).minus(&told.only_here);
        let mut there = UidSet::default();
        let search = |set: &String| Command::new("UID SEARCH UID").text(set);
        let commands: Vec<Command> = untold.sequence_sets(SET_BYTES).iter().map(search).collect();
        let replies = self.connection.run_all(&commands, |_, response| {
            if let Response::Search(uids) = response {
                there.add(uids);
            }
            Ok(())
        })?;
        let searched = all_accepted(&replies);
        Ok(searched.and(left(
            &there,
            "the server doesn't say which other folders they are in",
        )))
    }
}

/// Refuses messages that are left where they are, for this reason; does nothing if there are none.
fn left(uids: &UidSet, why: &str) -> Answer<()> {
    if uids.is_empty() {
        return Ok(());
    }
    let text = format!("{} of them stay: {why}", uids.len());
    Err(Refusal {
        meaning: RefusalMeaning::Permanent,
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::ListedMailbox;

    fn listed(name: &str, special_use: Option<SpecialUse>) -> ListedMailbox {
        ListedMailbox {
            special_use,
            ..ListedMailbox::new(name.into(), Some('/'))
        }
    }

    #[test]
    fn every_label_is_another_folder_but_marks_and_the_folders_own() {
        let folders = LabelledFolders::new(&[
            listed("INBOX", None),
            listed("Work", None),
            listed("Entw&APw-rfe", None),
            listed("[Gmail]/Gesendet", Some(SpecialUse::Sent)),
            listed("[Gmail]/Papierkorb", Some(SpecialUse::Trash)),
            listed("[Gmail]/Spam", Some(SpecialUse::Junk)),
        ]);
        for (folder, own, others) in [
            (
                "INBOX",
                &["\\Inbox", "\\inbox", "Inbox"][..],
                &["\\Sent", "Work", "\\Draft", "", "NIL", "Inbox2"][..],
            ),
            ("inbox", &["\\INBOX", "INBOX"], &["\\Sent", "Work"]),
            (
                "Work",
                &["work", "Work"],
                &["\\Inbox", "Work/Deep", "Wor", "W"],
            ),
            ("Entw&APw-rfe", &["Entw&APw-rfe"], &["Entwürfe", "\\Draft"]),
            ("[Gmail]/Spam", &["\\Junk", "\\Inbox", "Work"], &[]),
            (
                "[Gmail]/Gesendet",
                &["\\Sent", "\\sent", "[Gmail]/Gesendet"],
                &["\\Inbox", "Gesendet", "\\Draft"],
            ),
        ] {
            let is_another = |label: &str| folders.is_another(label.as_bytes(), &folder.into());
            for label in own
                .iter()
                .chain(&["\\Important", "\\Starred", "\\Muted", "\\starred"])
            {
                assert!(!is_another(label), "{label} in {folder}");
            }
            for label in others {
                assert!(is_another(label), "{label} in {folder}");
            }
        }
    }
}
