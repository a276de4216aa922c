//! Views that were searched for messages that are in no folder. A view is recorded as a folder
//! without a name on the other side: there UIDVALIDITY is 1, and HIGHESTMODSEQ is a fingerprint of
//! all other folders' counters.

use super::{Checkpoint, FolderInStep, FolderRecord, FolderStart, State, TwoWay};
use crate::mail::{MailboxName, ModSeq, Side, UidNext, UidValidity};
use crate::store::Error;

/// The name of the other side's folder in a view's record; no folder has it.
const NO_FOLDER: &str = "";
/// The UIDVALIDITY of that side, which has no folder.
const NO_GENERATION: UidValidity = UidValidity(1);

/// A view that was searched.
#[derive(Clone, Debug)]
pub struct SeenView {
    /// Its name.
    pub view: MailboxName,
    /// Its counters then.
    pub then: Checkpoint,
    /// The fingerprint of all other folders' counters.
    pub print: u64,
    /// How many messages only it has.
    pub messages: u64,
}

impl SeenView {
    /// Reads the record of a source's view; `None` if it is that of a folder.
    pub fn of_source(record: &FolderRecord) -> Option<Self> {
        let is_view = record.target.as_bytes() == NO_FOLDER.as_bytes();
        let (then, other) = record.checkpoint.as_ref().filter(|_| is_view)?;
        Self::new(&record.source, then, other)
    }

    fn of_target(record: &FolderRecord) -> Option<Self> {
        let is_view = record.source.as_bytes() == NO_FOLDER.as_bytes();
        let (other, then) = record.checkpoint.as_ref().filter(|_| is_view)?;
        Self::new(&record.target, then, other)
    }

    fn new(view: &MailboxName, then: &Checkpoint, other: &Checkpoint) -> Option<Self> {
        Some(Self {
            view: view.clone(),
            then: then.clone(),
            print: other.mod_seq?.0,
            messages: other.messages.into(),
        })
    }
}

impl State {
    /// Records that a view of the source was searched.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails or is full.
    pub fn note_view(&self, seen: &SeenView) -> Result<(), Error> {
        self.note_view_of(seen, false)
    }

    fn note_view_of(&self, seen: &SeenView, is_targets: bool) -> Result<(), Error> {
        let (nothing, view) = (MailboxName::from(NO_FOLDER), &seen.view);
        let (generation, none) = (Some(seen.then.uid_validity), Some(NO_GENERATION));
        let start = FolderStart {
            source: if is_targets { &nothing } else { view },
            target: if is_targets { view } else { &nothing },
            source_uid_validity: if is_targets { none } else { generation },
            target_uid_validity: if is_targets { generation } else { none },
            target_uid_next: None,
            source_mailbox_id: None,
            target_mailbox_id: None,
        };
        let messages = u32::try_from(seen.messages).unwrap_or(u32::MAX);
        let other = Checkpoint {
            uid_validity: NO_GENERATION,
            uid_next: UidNext::FIRST,
            messages,
            mod_seq: Some(ModSeq(seen.print)),
        };
        let (source, target) = if is_targets {
            (other, seen.then.clone())
        } else {
            (seen.then.clone(), other)
        };
        let id = self.begin(&start)?;
        self.checkpoint(&FolderInStep { id, source, target })
            .map(|_| ())
    }
}

impl TwoWay<'_> {
    /// Returns the views of a side that were searched.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails.
    pub fn views(&self, side: Side) -> Result<Vec<SeenView>, Error> {
        let of = if self.place(side) == Side::First {
            SeenView::of_source
        } else {
            SeenView::of_target
        };
        Ok(self.state.folders()?.iter().filter_map(of).collect())
    }

    /// Records that a view of a side was searched.
    ///
    /// # Errors
    /// The file is damaged, or the disk fails or is full.
    pub fn note_view(&self, side: Side, seen: &SeenView) -> Result<(), Error> {
        self.state
            .note_view_of(seen, self.place(side) == Side::Second)
    }
}
