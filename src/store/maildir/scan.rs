//! Scans a folder: names give UIDs, flags and most sizes, the files' mtimes the dates; headers are
//! read only if requested.

use super::fetch::LOOKS;
use super::filename;
use super::folder::Folder;
use super::index::{Found, Index};
use super::keywords::Keywords;
use super::session::Session;
use crate::mail::{
    FlagTable, Flags, HeaderKey, Heading, InternalDate, MailboxName, Message, PermanentFlags,
    SystemFlag, Uid, UidSet,
};
use crate::store::disk::{Measure, header_fields, permanent, refused};
use crate::store::{Answer, FolderScan, KnownDepth, ScanDepth, ScanRequest};
use std::collections::HashMap;
use std::io::{self, Seek as _};
use std::sync::Arc;

impl Session {
    pub(super) fn scan_one(&self, request: &ScanRequest<'_>) -> Answer<FolderScan> {
        if request.search.is_some() {
            return Err(permanent(
                "a directory of mail cannot be searched by IMAP's SEARCH",
            ));
        }
        if self.tree.root().is_none() && request.mailbox.is_inbox() {
            return Ok(FolderScan::default());
        }
        let root = self.tree.root_of(request.mailbox)?;
        let folder = Folder::open(root, request.mailbox)?;
        let index = self.tree.index(request.mailbox, &folder, false)?;
        // Read after the names: whatever letters those have, their keywords were written before.
        let keywords = Keywords::read(&folder.dir)
            .map_err(|error| refused("read", &folder.dir.path_of(super::keywords::NAME), &error))?;
        let mut scan = FolderScan {
            uid_validity: index.validity(),
            uid_next: index.uid_next(),
            exists: u32::try_from(index.len()).unwrap_or(u32::MAX),
            highest_mod_seq: index.mod_seq.filter(|_| index.validity().is_some()),
            permanent_flags: permanent_flags(&keywords),
            ..FolderScan::default()
        };
        if request.uids.is_none() {
            scan.messages.reserve_exact(index.len());
        }
        let reader = Reader {
            folder: &folder,
            keywords: &keywords,
            depth: request.depth,
        };
        let mut letters = LetterTable::default();
        let mut wanted = request.uids.clone();
        let mut index = index;
        for look in 0..LOOKS {
            let renamed = reader.pass(&index, wanted.as_ref(), &mut letters, &mut scan)?;
            if renamed.is_empty() {
                break;
            }
            index = self.look_again(request.mailbox, &folder)?;
            let still_there: UidSet = renamed
                .iter()
                .filter(|uid| index.find(*uid).is_some())
                .collect();
            if look + 1 == LOOKS {
                scan.unlisted = still_there.len();
            }
            wanted = Some(still_there);
        }
        scan.messages.sort_by_key(Message::uid);
        Ok(scan)
    }

    fn look_again(&self, mailbox: &MailboxName, folder: &Folder) -> Answer<Arc<Index>> {
        self.tree.index(mailbox, folder, true)
    }
}

/// Returns the flags that the folder can keep: new keywords as long as there are letters.
pub(super) fn permanent_flags(keywords: &Keywords) -> PermanentFlags {
    let system = PermanentFlags::everything().flags;
    debug_assert!(system.has(SystemFlag::Seen));
    PermanentFlags::exactly(system.union(&keywords.known()), keywords.has_room())
}

/// The distinct groups of letters in a folder, each converted to flags once.
#[derive(Default)]
struct LetterTable(HashMap<Vec<u8>, u32>);

impl LetterTable {
    fn flags(&mut self, letters: &[u8], keywords: &Keywords, table: &mut FlagTable) -> u32 {
        if let Some(index) = self.0.get(letters) {
            return *index;
        }
        let flags: Flags = filename::flags(letters, keywords);
        let index = table.intern(flags);
        self.0.insert(letters.to_vec(), index);
        index
    }
}

/// What a file says about its message.
struct Looks {
    size: u64,
    date: Option<InternalDate>,
    key: HeaderKey,
    heading: Option<Heading>,
}

struct Reader<'a> {
    folder: &'a Folder,
    keywords: &'a Keywords,
    depth: ScanDepth,
}

impl Reader<'_> {
    /// Reads the messages in an index. Returns those whose files no longer have these names.
    fn pass(
        &self,
        index: &Index,
        wanted: Option<&UidSet>,
        letters: &mut LetterTable,
        scan: &mut FolderScan,
    ) -> Answer<UidSet> {
        let mut renamed = UidSet::default();
        for found in index
            .all()
            .filter(|found| wanted.is_none_or(|wanted| wanted.contains(found.uid)))
        {
            let mut flags = || {
                letters.flags(
                    filename::letters(found.name),
                    self.keywords,
                    &mut scan.flags,
                )
            };
            if self.is_bare(found.uid) {
                scan.messages.push(Message::bare(found.uid, flags()));
                continue;
            }
            match self.read(&found) {
                Ok(Looks {
                    size,
                    date,
                    key,
                    heading,
                }) => {
                    let flags = flags();
                    scan.messages
                        .push(Message::new(found.uid, size, date, flags, key));
                    scan.headings
                        .extend(heading.map(|heading| (found.uid, heading)));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => renamed.insert(found.uid),
                Err(error) => return Err(refused("read", self.folder.dir.path(), &error)),
            }
        }
        Ok(renamed)
    }

    /// Reads what is requested of a message. One that can't be opened has no key, and is reported
    /// when it is to be copied.
    fn read(&self, found: &Found<'_>) -> io::Result<Looks> {
        let place = self.folder.place(found.in_new)?;
        let stat = place.stat(found.name)?;
        let date = InternalDate::new(stat.modified, 0);
        let told = filename::wire_size(filename::base(found.name), stat.size);
        if let (Some(size), false) = (told, self.wants_header(found.uid)) {
            return Ok(Looks {
                size,
                date,
                key: HeaderKey::Unknown,
                heading: None,
            });
        }
        let mut file = match place.file(found.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
            Err(_) => {
                return Ok(Looks {
                    size: stat.size,
                    date,
                    key: HeaderKey::Empty,
                    heading: None,
                });
            }
            Ok(file) => file,
        };
        let (key, heading) = match self
            .wants_header(found.uid)
            .then(|| header_fields(&mut file))
        {
            Some(Ok(fields)) if self.depth == ScanDepth::Headings => {
                (fields.key(), Some(fields.heading()))
            }
            Some(Ok(fields)) => (fields.key(), None),
            Some(Err(_)) => (HeaderKey::Empty, None),
            None => (HeaderKey::Unknown, None),
        };
        let size = match told {
            Some(size) => size,
            None => {
                file.rewind()?;
                Measure::of(&mut file).map_or(stat.size, Measure::on_the_wire)
            }
        };
        Ok(Looks {
            size,
            date,
            key,
            heading,
        })
    }

    fn wants_header(&self, uid: Uid) -> bool {
        match self.depth {
            ScanDepth::Sizes | ScanDepth::Attributes => false,
            ScanDepth::Identity | ScanDepth::Headings => true,
            ScanDepth::Since(baseline) => {
                !baseline.uid_next.has_assigned(uid) || baseline.probe.contains(&Some(uid))
            }
        }
    }

    /// Reports whether the name has everything requested of a message.
    fn is_bare(&self, uid: Uid) -> bool {
        match self.depth {
            ScanDepth::Since(baseline) => {
                baseline.known != KnownDepth::Attributes && !self.wants_header(uid)
            }
            ScanDepth::Sizes
            | ScanDepth::Attributes
            | ScanDepth::Identity
            | ScanDepth::Headings => false,
        }
    }
}
