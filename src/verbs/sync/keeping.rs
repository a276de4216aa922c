//! What is deleted is kept in the undo store first. What can't be kept, or has no room there, is
//! not deleted.

use super::deleting::Doomed;
use super::{Sync, Work};
use crate::engine::way::Way;
use crate::mail::{Message, Side, Uid, UidSet, counted};
use crate::store::{Body, Error, ErrorKind, Fetched, MessageSink};
use crate::verbs::undo::{DroppedRun, KeptMessage, UndoRun};
use std::collections::BTreeMap;
use std::io::Write as _;

/// How many messages are asked for at a time.
const AT_A_TIME: usize = 500;

impl Sync<'_> {
    /// Keeps messages in the undo store. What did not come is taken off what is to go.
    pub(super) fn keep_first(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        doomed: &mut [Doomed],
    ) -> Result<(), Error> {
        let Some(mut run) = self.undo.take() else {
            return Ok(());
        };
        let result = doomed.iter_mut().try_for_each(|one| {
            self.find_room(side, one, &mut run)?;
            self.keep_folder(way, side, one, &mut run)
        });
        self.undo = Some(run);
        result
    }

    /// Takes off what is to go the messages for which the undo store has no room, whichever older
    /// run makes way.
    fn find_room(
        &mut self,
        side: Side,
        doomed: &mut Doomed,
        run: &mut UndoRun,
    ) -> Result<(), Error> {
        let mut dropped = Vec::new();
        let mut fitting = Vec::new();
        let mut too_much = 0;
        for (pair, uid) in &doomed.messages {
            let size = self.works[doomed.work].size(side, *uid);
            if run.has_room(size, &mut dropped)? {
                fitting.push((*pair, *uid));
            } else {
                too_much += size;
            }
        }
        for DroppedRun { name, messages } in dropped {
            self.warn(&format!(
                "run {name} ({} deleted) can no longer be undone: the undo store is full, and newer deletions \
                 need the space; raise --keep-size to keep more",
                counted(messages, "message")
            ));
        }
        let left = doomed.messages.len() - fitting.len();
        if left > 0 {
            doomed.removal.uids = fitting.iter().map(|(_, uid)| *uid).collect();
            doomed.messages = fitting;
            self.works[doomed.work].open = true;
            let name = self.works[doomed.work].name(side);
            let reason = format!(
                "not deleted on the {}: {}: the undo store is full ({too_much} bytes needed); raise --keep-size, \
                 or disable undo with --keep-deleted 0",
                side.ordinal(),
                counted(left as u64, "message")
            );
            self.fail_folder(&name, &reason);
        }
        Ok(())
    }

    fn keep_folder(
        &mut self,
        way: &mut Way<'_>,
        side: Side,
        doomed: &mut Doomed,
        run: &mut UndoRun,
    ) -> Result<(), Error> {
        let uids: Vec<Uid> = doomed.messages.iter().map(|(_, uid)| *uid).collect();
        let mut kept: BTreeMap<Uid, String> = BTreeMap::new();
        for some in uids.chunks(AT_A_TIME) {
            let wanted: UidSet = some
                .iter()
                .copied()
                .filter(|uid| !kept.contains_key(uid))
                .collect();
            let removal = &doomed.removal;
            way.repeatable(|link| {
                let store = link.side(side);
                store.request(&removal.mailbox, removal.uid_validity, &wanted)?;
                let mut sink = Keeping {
                    wanted: &wanted,
                    run,
                    kept: &mut kept,
                };
                while let Fetched::Message = store.next(&mut sink)? {}
                Ok(())
            })?;
        }
        let mailbox = self.options.identities[side].clone();
        let folder = self
            .listed
            .local(side, &self.works[doomed.work].pair.names[side])
            .to_string();
        let work = &self.works[doomed.work];
        let lines: Vec<KeptMessage> = kept
            .iter()
            .map(|(uid, file)| work.kept(side, *uid, &mailbox, &folder, file))
            .collect();
        run.note(&lines)?;
        let missing = uids.len() - kept.len();
        if missing > 0 {
            doomed.messages.retain(|(_, uid)| kept.contains_key(uid));
            doomed.removal.uids = kept.keys().copied().collect();
            self.works[doomed.work].open = true;
            let text = format!(
                "{} not deleted on the {}: could not save them to the undo store first; the next run retries",
                if missing == 1 {
                    "1 message is".to_owned()
                } else {
                    format!("{missing} messages are")
                },
                side.ordinal()
            );
            self.fail_folder(&folder, &text);
        }
        Ok(())
    }
}

impl Work {
    pub(super) fn shown(&self, side: Side, uid: Uid) -> Option<&Message> {
        let messages = self.views[side].messages();
        messages.get(messages.binary_search_by_key(&uid, Message::uid).ok()?)
    }

    fn size(&self, side: Side, uid: Uid) -> u64 {
        self.shown(side, uid)
            .map_or(0, |message| u64::from(message.size()))
    }

    fn kept(&self, side: Side, uid: Uid, mailbox: &str, folder: &str, file: &str) -> KeptMessage {
        let view = &self.views[side];
        let message = self.shown(side, uid);
        let flags = message
            .map(|message| view.flags(message))
            .unwrap_or_default();
        KeptMessage {
            mailbox: mailbox.to_owned(),
            folder: folder.to_owned(),
            uid: uid.get(),
            flags: flags
                .names()
                .filter(|name| *name != "\\Deleted")
                .collect::<Vec<_>>()
                .join(" "),
            date: message.and_then(Message::date).map(|date| date.to_string()),
            file: file.to_owned(),
        }
    }
}

/// Writes messages into files as they come.
struct Keeping<'a> {
    wanted: &'a UidSet,
    run: &'a mut UndoRun,
    kept: &'a mut BTreeMap<Uid, String>,
}

impl MessageSink for Keeping<'_> {
    fn message(&mut self, uid: Uid, body: Body<'_>) -> Result<(), Error> {
        if !self.wanted.contains(uid) || self.kept.contains_key(&uid) {
            return Ok(());
        }
        let (mut file, name) = self.run.next_file()?;
        let written = match body {
            Body::Whole(bytes) => file.write_all(bytes),
            Body::Stream { size, from } => match std::io::copy(from, &mut file) {
                Ok(copied) if copied == size => Ok(()),
                Ok(_) => return Err(Error::new(ErrorKind::Lost, "a message was cut short")),
                Err(error) => Err(error),
            },
        };
        written
            .and_then(|()| file.sync_all())
            .map_err(|error| self.run.failed(&error))?;
        self.kept.insert(uid, name);
        Ok(())
    }
}
