//! Creating, renaming and deleting folders, and subscriptions.

use super::folder::{Folder, check_new_name, directory_name};
use super::session::Session;
use super::subscriptions::Subscriptions;
use super::tree::{DELETED, path_of};
use crate::mail::MailboxName;
use crate::store::disk::{Dir, gone, permanent, refused, unique};
use crate::store::{Answer, NewFolder};
use std::io;

impl Session {
    pub(super) fn create_one(&self, folder: &NewFolder) -> Answer<MailboxName> {
        let root = self.tree.root_of(&folder.name)?;
        let mut refusal = match Folder::make(root, &folder.name) {
            Ok(()) => return Ok(folder.name.clone()),
            Err(refusal) => refusal,
        };
        for fallback in &folder.fallbacks {
            match Folder::make(root, fallback) {
                Ok(()) => return Ok(fallback.clone()),
                // If none is accepted, the refusal of the true name says more.
                Err(other) if refusal.text.is_empty() => refusal = other,
                Err(_) => {}
            }
        }
        Err(refusal)
    }

    pub(super) fn change_subscriptions(
        &self,
        change: &mut dyn FnMut(&mut Subscriptions) -> bool,
    ) -> Answer<()> {
        let root = self.tree.root_of(&MailboxName::from("INBOX"))?;
        let failed = |error: io::Error| refused("write", &root.path_of(b"subscriptions"), &error);
        let mut subscriptions = Subscriptions::read(root).map_err(failed)?;
        if change(&mut subscriptions) {
            subscriptions.write(root).map_err(failed)
        } else {
            Ok(())
        }
    }

    /// Renames a folder and its subfolders. Nothing is renamed if any of the new names is taken.
    pub(super) fn rename_one(&self, from: &MailboxName, to: &MailboxName) -> Answer<()> {
        let root = self.tree.root_of(from)?;
        if from.is_inbox() || to.is_inbox() {
            return Err(permanent(
                "INBOX is the directory itself and keeps its name",
            ));
        }
        let failed = |error: io::Error| refused("rename", &path_of(root, from), &error);
        let mailboxes = self
            .tree
            .mailboxes(&Subscriptions::default())
            .map_err(failed)?
            .0;
        let below = [from.as_bytes(), b"."].concat();
        let renames: Vec<(&MailboxName, MailboxName)> = mailboxes
            .iter()
            .filter(|mailbox| *mailbox == from || mailbox.as_bytes().starts_with(&below))
            .map(|mailbox| {
                let rest = mailbox
                    .as_bytes()
                    .get(from.as_bytes().len()..)
                    .unwrap_or_default();
                (mailbox, MailboxName::new([to.as_bytes(), rest].concat()))
            })
            .collect();
        if renames.is_empty() {
            return Err(gone(&path_of(root, from)));
        }
        if let Some((_, taken)) = renames.iter().find(|(_, new)| mailboxes.contains(new)) {
            return Err(permanent(format!(
                "a folder {} already exists",
                path_of(root, taken).display()
            )));
        }
        for (mailbox, new) in &renames {
            let (Some(old), Some(name)) = (directory_name(mailbox), directory_name(new)) else {
                continue;
            };
            check_new_name(root, new)?;
            root.rename_new(&old, root, &name).map_err(failed)?;
            self.tree.forget(mailbox);
            self.tree.forget(new);
        }
        root.sync().map_err(failed)
    }

    /// Deletes a folder with its contents; subfolders stay. For every reader it is gone before its
    /// files are.
    pub(super) fn delete_one(&self, mailbox: &MailboxName) -> Answer<()> {
        let root = self.tree.root_of(mailbox)?;
        let Some(name) = directory_name(mailbox) else {
            return Err(permanent(
                "INBOX is the directory itself and cannot be deleted",
            ));
        };
        // A link, or anything that isn't a folder in the tree, isn't deleted.
        drop(Folder::open(root, mailbox)?);
        let failed = |error: io::Error| refused("delete", &path_of(root, mailbox), &error);
        let grave = format!("{DELETED}{}", unique());
        root.rename_new(&name, root, grave.as_bytes())
            .map_err(failed)?;
        root.sync().map_err(failed)?;
        self.tree.forget(mailbox);
        bury(root, grave.as_bytes()).map_err(failed)
    }
}

fn bury(root: &Dir, grave: &[u8]) -> io::Result<()> {
    root.remove_all(grave, 2)?;
    root.sync()
}
