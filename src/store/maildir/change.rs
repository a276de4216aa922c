//! Changes flags and removes messages: each message by its own name, looked for again if another
//! program has renamed it.

use super::deliver::no_letters;
use super::fetch::LOOKS;
use super::filename;
use super::folder::Folder;
use super::index::Found;
use super::keywords::Keywords;
use super::session::Session;
use crate::mail::{Uid, UidSet, counted};
use crate::store::disk::{made_anew, permanent, refused};
use crate::store::{Answer, FlagChange, FlagEdit, Refusal, RefusalMeaning, Removal};
use std::io;

impl Session {
    pub(super) fn change_one(&self, change: &FlagChange) -> Answer<UidSet> {
        let folder = Folder::complete(self.tree.root_of(&change.mailbox)?, &change.mailbox)?;
        let keywords = self.keywords_for(change, &folder)?;
        let mut left_alone = UidSet::default();
        let failed = |error: io::Error| refused("change flags in", folder.dir.path(), &error);
        self.for_each(
            &change.mailbox,
            &folder,
            change.uids.clone(),
            &mut |found| {
                let place = folder.place(found.in_new)?;
                if let Some(since) = change.unchanged_since
                    && place.stat(found.name)?.changed > since.0
                {
                    left_alone.insert(found.uid);
                    return Ok(());
                }
                let letters = filename::letters(found.name);
                let letters = match change.edit {
                    FlagEdit::Add => {
                        [letters, &filename::letters_of(&change.flags, &keywords).0].concat()
                    }
                    FlagEdit::Remove => filename::without(letters, &change.flags, &keywords),
                };
                let name = filename::with_letters(filename::base(found.name), &letters);
                // Flags belong to `cur`: messages in `new` have none.
                if name == found.name || letters.is_empty() && found.in_new {
                    return Ok(());
                }
                place.rename_new(found.name, folder.place(false)?, &name)
            },
        )?;
        for (_, place) in folder.places() {
            place.sync().map_err(failed)?;
        }
        Ok(left_alone)
    }

    /// Returns the folder's keywords, with letters for those to be set.
    fn keywords_for(&self, change: &FlagChange, folder: &Folder) -> Answer<Keywords> {
        let failed =
            |error: io::Error| refused("write", &folder.dir.path_of(super::keywords::NAME), &error);
        let keywords = Keywords::read(&folder.dir).map_err(failed)?;
        let (_, without) = filename::letters_of(&change.flags, &keywords);
        if without.is_empty() || change.edit == FlagEdit::Remove {
            return Ok(keywords);
        }
        let keywords = Keywords::add_to(&folder.dir, &without).map_err(failed)?;
        let (_, without) = filename::letters_of(&change.flags, &keywords);
        if without.is_empty() {
            Ok(keywords)
        } else {
            Err(no_letters(&without))
        }
    }

    pub(super) fn remove_one(&self, removal: &Removal) -> Answer<()> {
        let folder = Folder::complete(self.tree.root_of(&removal.mailbox)?, &removal.mailbox)?;
        let index = self.tree.index(&removal.mailbox, &folder, true)?;
        if index.validity() != removal.uid_validity {
            return Err(made_anew(folder.dir.path()));
        }
        self.for_each(
            &removal.mailbox,
            &folder,
            removal.uids.clone(),
            &mut |found| folder.place(found.in_new)?.remove(found.name),
        )?;
        let failed = |error: io::Error| refused("remove messages from", folder.dir.path(), &error);
        folder
            .places()
            .try_for_each(|(_, place)| place.sync())
            .map_err(failed)
    }

    /// Calls a function for each of these messages that exists. One that is renamed in the meantime
    /// is looked for again.
    pub(super) fn for_each(
        &self,
        mailbox: &crate::mail::MailboxName,
        folder: &Folder,
        uids: UidSet,
        act: &mut dyn FnMut(&Found<'_>) -> io::Result<()>,
    ) -> Answer<()> {
        let mut open = uids;
        for _ in 0..LOOKS {
            let index = self.tree.index(mailbox, folder, true)?;
            let mut renamed: Vec<Uid> = Vec::new();
            for found in index.all().filter(|found| open.contains(found.uid)) {
                match act(&found) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        renamed.push(found.uid);
                    }
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        let path = folder.dir.path_of(found.name);
                        return Err(permanent(format!(
                            "cannot rename {}: another file has its name",
                            path.display()
                        )));
                    }
                    Err(error) => {
                        return Err(refused("change", &folder.dir.path_of(found.name), &error));
                    }
                    Ok(()) => {}
                }
            }
            if renamed.is_empty() {
                return Ok(());
            }
            open = renamed.into_iter().collect();
        }
        let text = format!(
            "renamed again and again in {}: {}",
            folder.dir.path().display(),
            counted(open.len(), "message")
        );
        Err(Refusal {
            meaning: RefusalMeaning::Transient,
            text,
        })
    }
}
