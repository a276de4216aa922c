//! Whole messages: each is opened by name when it is its turn, and looked for again if another
//! program has renamed it.

use super::filename;
use super::folder::Folder;
use super::index::Index;
use super::tree::Tree;
use crate::mail::{MailboxName, Uid, UidValidity};
use crate::store::Answer;
use crate::store::disk::{Dir, Letter, Measure, Reading, WireReader, gone, made_anew, refused};
use std::fs::File;
use std::io::{self, Seek as _};
use std::path::Path;
use std::sync::Arc;

/// How often a message that keeps being renamed is looked for.
pub(super) const LOOKS: usize = 5;

/// The folder that messages are taken from.
pub(super) struct Shelf {
    tree: Arc<Tree>,
    open: Option<Open>,
}

struct Open {
    mailbox: MailboxName,
    folder: Folder,
    index: Arc<Index>,
}

impl Shelf {
    pub(super) fn new(tree: Arc<Tree>) -> Self {
        Self { tree, open: None }
    }
}

impl Reading for Shelf {
    fn enter(&mut self, mailbox: &MailboxName, generation: Option<UidValidity>) -> Answer<()> {
        // The previous folder's index isn't kept longer than needed.
        self.open = None;
        let folder = Folder::open(self.tree.root_of(mailbox)?, mailbox)?;
        let index = self.tree.index(mailbox, &folder, false)?;
        if index.validity() != generation {
            return Err(made_anew(folder.dir.path()));
        }
        self.open = Some(Open {
            mailbox: mailbox.clone(),
            folder,
            index,
        });
        Ok(())
    }

    fn letter(&mut self, uid: Uid) -> Answer<Option<Letter>> {
        let Some(open) = &mut self.open else {
            return Err(gone(Path::new("that was asked for")));
        };
        for look in 0..LOOKS {
            let Some(found) = open.index.find(uid) else {
                return Ok(None);
            };
            let place = open.folder.place(found.in_new);
            let path = open
                .folder
                .dir
                .path_of(if found.in_new { b"new" } else { b"cur" });
            let opened = place.and_then(|place| open_letter(place, found.name));
            match opened {
                Err(error) if error.kind() == io::ErrorKind::NotFound && look + 1 < LOOKS => {
                    open.index = self.tree.index(&open.mailbox, &open.folder, true)?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => {
                    let name = std::os::unix::ffi::OsStrExt::from_bytes(found.name);
                    return Err(refused(
                        "read",
                        &path.join::<&std::ffi::OsStr>(name),
                        &error,
                    ));
                }
                Ok(letter) => return Ok(Some(letter)),
            }
        }
        Ok(None)
    }
}

/// Opens a message as its reader gets it.
pub(super) fn open_letter(place: &Dir, name: &[u8]) -> io::Result<Letter> {
    let mut file = place.file(name)?;
    let size = file.metadata()?.len();
    let path = place.path_of(name);
    if filename::wire_size(filename::base(name), size) == Some(size) {
        return Ok(Letter {
            size,
            reader: Box::new(file),
            path,
        });
    }
    // The size with CRLFs in a file name is trusted only for comparisons: what is delivered is
    // counted.
    let measure = Measure::of(&mut file)?;
    file.rewind()?;
    Ok(Letter {
        size: measure.on_the_wire(),
        reader: reader(file, measure),
        path,
    })
}

fn reader(file: File, measure: Measure) -> Box<dyn io::Read> {
    if measure.bare_line_feeds == 0 {
        Box::new(file)
    } else {
        Box::new(WireReader::new(file))
    }
}
