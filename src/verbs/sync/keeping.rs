//! What is deleted is kept in the undo store first. What can't be kept is not deleted.

use super::deleting::Doomed;
use super::sides::{store, word};
use super::{Sync, Work};
use crate::mail::{Message, Uid, UidSet};
use crate::plan::merge::Side;
use crate::store::{Body, Error, ErrorKind, Fetched, MessageSink};
use crate::verbs::undo::{KeptMessage, UndoRun};
use crate::verbs::way::Way;
use std::collections::BTreeMap;
use std::io::Write as _;

/// How many messages are asked for at a time.
const AT_A_TIME: usize = 500;

impl Sync<'_> {
    /// Keeps messages in the undo store. What did not come is taken off what is to go.
    pub(super) fn keep_first(&mut self, way: &mut Way<'_>, side: Side, doomed: &mut [Doomed]) -> Result<(), Error> {
        let Some(mut run) = self.undo.take() else { return Ok(()) };
        let result = doomed.iter_mut().try_for_each(|one| self.keep_folder(way, side, one, &mut run));
        self.undo = Some(run);
        result
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
            let wanted: UidSet = some.iter().copied().filter(|uid| !kept.contains_key(uid)).collect();
            let removal = &doomed.removal;
            way.repeatable(|link| {
                let store = store(link, side);
                store.request(&removal.mailbox, removal.uid_validity, &wanted)?;
                let mut sink = Keeping { wanted: &wanted, run, kept: &mut kept };
                while let Fetched::Message = store.next(&mut sink)? {}
                Ok(())
            })?;
        }
        let mailbox = self.options.identities[side].clone();
        let folder = self.listed.local(side, &self.works[doomed.work].pair.names[side]).to_string();
        let work = &self.works[doomed.work];
        let lines: Vec<KeptMessage> =
            kept.iter().map(|(uid, file)| work.kept(side, *uid, &mailbox, &folder, file)).collect();
        run.note(&lines)?;
        let missing = uids.len() - kept.len();
        if missing > 0 {
            doomed.messages.retain(|(_, uid)| kept.contains_key(uid));
            doomed.removal.uids = kept.keys().copied().collect();
            self.works[doomed.work].open = true;
            let side = word(side);
            self.warn(&format!(
                "{folder}: {missing} messages could not be kept first, so the {side} keeps them for now"
            ));
        }
        Ok(())
    }
}

impl Work {
    fn kept(&self, side: Side, uid: Uid, mailbox: &str, folder: &str, file: &str) -> KeptMessage {
        let view = &self.views[side];
        let message = view.messages().binary_search_by_key(&uid, Message::uid).ok().map(|at| &view.messages()[at]);
        let flags = message.map(|message| view.flags(message)).unwrap_or_default();
        KeptMessage {
            mailbox: mailbox.to_owned(),
            folder: folder.to_owned(),
            uid: uid.get(),
            flags: flags.names().filter(|name| *name != "\\Deleted").collect::<Vec<_>>().join(" "),
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
                Ok(_) => return Err(Error::new(ErrorKind::Lost, "a message ended before its end")),
                Err(error) => Err(error),
            },
        };
        written.and_then(|()| file.sync_all()).map_err(|error| self.run.failed(&error))?;
        self.kept.insert(uid, name);
        Ok(())
    }
}
