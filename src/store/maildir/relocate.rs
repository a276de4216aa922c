//! Messages that go to another folder in the tree: a rename to move, another link to copy. Either
//! way they get a new name there, with their flags in that folder's letters.

use super::filename;
use super::folder::Folder;
use super::index::Found;
use super::keywords::Keywords;
use super::session::Session;
use crate::mail::Uid;
use crate::store::disk::{Dir, made_anew, refused, set_modified, unique};
use crate::store::{Answer, Relocated, Relocation};
use std::io;

impl Session {
    pub(super) fn relocate_one(&self, relocation: &Relocation) -> Relocated {
        let mut result = Relocated::default();
        if let Err(refusal) = self.relocate_into(relocation, &mut result) {
            result.refusal = Some(refusal);
        }
        result
    }

    fn relocate_into(&self, relocation: &Relocation, result: &mut Relocated) -> Answer<()> {
        let from = Folder::complete(self.tree.root_of(&relocation.from)?, &relocation.from)?;
        let to = Folder::complete(self.tree.root_of(&relocation.to)?, &relocation.to)?;
        let index = self.tree.index(&relocation.from, &from, true)?;
        if index.validity() != relocation.uid_validity {
            return Err(made_anew(from.dir.path()));
        }
        let failed = |error: io::Error| refused("move messages to", to.dir.path(), &error);
        let here = Keywords::read(&from.dir).map_err(failed)?;
        let mut there = Keywords::read(&to.dir).map_err(failed)?;
        self.for_each(
            &relocation.from,
            &from,
            relocation.uids.clone(),
            &mut |found| {
                let flags = filename::flags(filename::letters(found.name), &here);
                let (mut letters, without) = filename::letters_of(&flags, &there);
                if !without.is_empty() {
                    there = Keywords::add_to(&to.dir, &without)?;
                    letters = filename::letters_of(&flags, &there).0;
                }
                self.relocate_file(relocation, found, [&from, &to], &letters, result)
            },
        )?;
        // First the new place, then the old: a crash in between leaves them in at least one.
        to.places()
            .chain(from.places())
            .try_for_each(|(_, place)| place.sync())
            .map_err(failed)
    }

    fn relocate_file(
        &self,
        relocation: &Relocation,
        found: &Found<'_>,
        [from, to]: [&Folder; 2],
        letters: &[u8],
        result: &mut Relocated,
    ) -> io::Result<()> {
        let (source, target) = (from.place(found.in_new)?, to.place(false)?);
        // Check that it exists before numbering it.
        source.stat(found.name)?;
        let base = [
            unique().as_bytes(),
            filename::fields(filename::base(found.name)),
        ]
        .concat();
        let name = filename::with_letters(&base, letters);
        let (validity, uid) = self
            .tree
            .place(&relocation.to, to, &[&base], |validity, uids| {
                if relocation.leave {
                    source.rename_new(found.name, target, &name)?;
                } else {
                    copy(source, found.name, to, &name)?;
                }
                Ok((validity, uids.first().copied().and_then(Uid::new)))
            })?;
        result.uid_validity = Some(validity);
        match uid {
            Some(uid) => result.placed.push((found.uid, uid)),
            None => result.somewhere.insert(found.uid),
        }
        Ok(())
    }
}

/// Gives a message a second name, or copies it if the file system has no links.
fn copy(source: &Dir, name: &[u8], to: &Folder, new: &[u8]) -> io::Result<()> {
    let target = to.place(false)?;
    match source.link(name, target, new) {
        Err(error)
            if error.kind() != io::ErrorKind::NotFound
                && error.kind() != io::ErrorKind::AlreadyExists => {}
        done => return done,
    }
    let mut original = source.file(name)?;
    let drafts = to.dir.directory(b"tmp")?;
    let draft = format!("{}{}", super::tree::DRAFT, unique());
    let mut file = drafts.new_file(draft.as_bytes())?;
    io::copy(&mut original, &mut file)?;
    set_modified(&file, source.stat(name)?.modified)?;
    file.sync_all()?;
    drafts.move_new(draft.as_bytes(), target, new)
}
