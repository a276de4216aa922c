//! What earlier runs have agreed on, read from the state and written to it.

use crate::folders::FolderName;
use crate::mail::{Both, MailboxName, Side, Uid, UidSet};
use crate::plan::merge::{
    AgreedFlags, BaseFolder, BasePair, FolderIdentity, KnownFolder, PairState, Prints,
};
use crate::state::{
    FolderId, TwoWay, TwoWayChange, TwoWayFolder, TwoWayPair, TwoWayRefused, TwoWaySide,
};
use crate::store::Error;
use std::collections::{HashMap, HashSet};

/// The records of a state. Without a state nothing is known.
pub(super) struct Memory<'a> {
    pub(super) two_way: Option<TwoWay<'a>>,
    /// Each record, and the folder that it stands for. In the same order.
    records: Vec<(FolderId, TwoWayFolder)>,
    known: Vec<KnownFolder>,
    /// The place of each among them, by its name on a side.
    by_raw: Both<HashMap<MailboxName, usize>>,
    left_out: Vec<FolderName>,
}

impl<'a> Memory<'a> {
    pub(super) fn open(two_way: Option<TwoWay<'a>>) -> Result<Self, Error> {
        let (records, known, left_out) = (Vec::new(), Vec::new(), Vec::new());
        let mut memory = Self {
            two_way,
            records,
            known,
            by_raw: Both::default(),
            left_out,
        };
        let Some(state) = two_way else {
            return Ok(memory);
        };
        for (id, folder) in state.folders()? {
            let Some(name) = FolderName::parse(&folder.sides.first.path) else {
                continue;
            };
            let highest = state.highest(id)?;
            let identities = Both::of(|side| identity(&folder.sides[side], highest[side]));
            memory.known.push(KnownFolder {
                name,
                identities,
                subscribed: folder.subscribed,
            });
            memory.records.push((id, folder));
        }
        memory.index();
        Ok(memory)
    }

    /// Forgets what both agreed on; in the state too, unless nothing is to be written.
    pub(super) fn forget_all(&mut self, is_dry: bool) -> Result<(), Error> {
        let changes: Vec<TwoWayChange> = self
            .records
            .iter()
            .map(|(id, _)| TwoWayChange::Forget(*id))
            .collect();
        if !is_dry {
            self.write(&changes, true)?;
        }
        self.records.clear();
        self.known.clear();
        self.index();
        Ok(())
    }

    fn index(&mut self) {
        for side in Side::BOTH {
            self.by_raw[side].clear();
            for (at, (_, folder)) in self.records.iter().enumerate() {
                self.by_raw[side]
                    .entry(folder.sides[side].name.clone())
                    .or_insert(at);
            }
        }
    }

    pub(super) fn known(&self) -> &[KnownFolder] {
        &self.known
    }

    pub(super) fn record(&self, known: usize) -> Option<&(FolderId, TwoWayFolder)> {
        self.records.get(known)
    }

    /// The name under which a folder of a side is known.
    pub(super) fn name_of(&self, side: Side, raw: &MailboxName) -> Option<FolderName> {
        let at = self.by_raw[side].get(raw)?;
        self.known.get(*at).map(|known| known.name.clone())
    }

    /// The known folders with their raw names on a side.
    pub(super) fn raw_names(
        &self,
        side: Side,
    ) -> impl Iterator<Item = (&FolderName, &MailboxName)> {
        let raw = self
            .records
            .iter()
            .map(move |(_, folder)| &folder.sides[side].name);
        self.known.iter().map(|known| &known.name).zip(raw)
    }

    /// Whether both sides agreed that the user is subscribed to what a side calls so.
    pub(super) fn is_subscribed(&self, side: Side, raw: &MailboxName) -> bool {
        let at = self.by_raw[side].get(raw);
        at.and_then(|at| self.known.get(*at))
            .is_some_and(|known| known.subscribed)
    }

    /// Leaves alone what is known of these folders.
    pub(super) fn leave_out(&mut self, is_out: impl Fn(&KnownFolder) -> bool) {
        let all = std::mem::take(&mut self.known)
            .into_iter()
            .zip(std::mem::take(&mut self.records));
        let (out, kept): (Vec<_>, Vec<_>) = all.partition(|(known, _)| is_out(known));
        self.left_out
            .extend(out.into_iter().map(|(known, _)| known.name));
        (self.known, self.records) = kept.into_iter().unzip();
        self.index();
    }

    /// The folders that are left alone.
    pub(super) fn left_out(&self) -> impl Iterator<Item = &FolderName> {
        self.left_out.iter()
    }

    /// Adds the UIDs by which a folder is recognised that has another name now.
    pub(super) fn read_uids(&mut self, known: usize) -> Result<(), Error> {
        let (Some(state), Some((id, _))) = (self.two_way, self.records.get(known)) else {
            return Ok(());
        };
        let pairs = state.pairs(*id)?;
        if let Some(known) = self.known.get_mut(known) {
            for side in Side::BOTH {
                let here = pairs.iter().filter(|pair| pair.deleted_on != Some(side));
                let uids: UidSet = here.map(|pair| pair.uids[side]).collect();
                known.identities[side].uids = Some(uids);
            }
        }
        Ok(())
    }

    /// What both agreed on in a folder.
    pub(super) fn base(&self, known: usize) -> Result<Option<BaseFolder>, Error> {
        let (Some(state), Some((id, folder))) = (self.two_way, self.records.get(known)) else {
            return Ok(None);
        };
        let mut base = BaseFolder::new(Both::of(|side| folder.sides[side].counters));
        if folder.unfinished {
            base = base.unfinished();
        }
        for refused in state.refused(*id)? {
            base.refuse(refused.side, refused.uid);
        }
        for record in state.pairs(*id)? {
            let state = record
                .deleted_on
                .map_or(PairState::Settled, PairState::DeletedOn);
            let flags = AgreedFlags {
                flags: record.flags,
                lacks: record.lacks,
            };
            base.add(
                record.uids,
                &flags,
                Prints::from_kept(record.keys, record.looks),
                state,
            );
        }
        Ok(Some(base))
    }

    /// The messages of a folder that the other side refused for good.
    pub(super) fn refused(&self, known: usize) -> Result<Vec<TwoWayRefused>, Error> {
        match (self.two_way, self.records.get(known)) {
            (Some(state), Some((id, _))) => state.refused(*id),
            _ => Ok(Vec::new()),
        }
    }

    /// The pairs of a folder as they are recorded by now.
    pub(super) fn pairs(&self, folder: Option<FolderId>) -> Result<Vec<TwoWayPair>, Error> {
        self.two_way
            .zip(folder)
            .map_or_else(|| Ok(Vec::new()), |(state, folder)| state.pairs(folder))
    }

    /// The pairs of a folder with one of these keys ([`Prints::keys`]) on either side.
    pub(super) fn pairs_with_keys(
        &self,
        folder: FolderId,
        keys: &HashSet<u32>,
    ) -> Result<Vec<TwoWayPair>, Error> {
        self.two_way.map_or_else(
            || Ok(Vec::new()),
            |state| state.pairs_with_keys(folder, keys),
        )
    }

    /// Whether the last run with this state died: what it had sent may be arriving still.
    pub(super) fn follows_a_death(&self) -> bool {
        self.two_way.is_some_and(|state| state.follows_a_death())
    }

    /// Records changes, if there is a state.
    pub(super) fn write(&self, changes: &[TwoWayChange], on_disk: bool) -> Result<(), Error> {
        self.two_way
            .map_or(Ok(()), |state| state.record(changes, on_disk))
    }
}

fn identity(side: &TwoWaySide, highest: Option<Uid>) -> FolderIdentity {
    let mark = side.counters.with_written(highest);
    FolderIdentity {
        mailbox_id: side.mailbox_id.as_deref().map(Into::into),
        mark,
        uids: None,
    }
}

/// The record of a pair.
pub(super) fn pair_record(
    uids: Both<Uid>,
    flags: &AgreedFlags,
    prints: Prints,
    state: PairState,
) -> TwoWayPair {
    TwoWayPair {
        uids,
        flags: flags.flags.clone(),
        lacks: flags.lacks.clone(),
        keys: prints.keys(),
        looks: prints.looks(),
        deleted_on: match state {
            PairState::Settled => None,
            PairState::DeletedOn(side) => Some(side),
        },
    }
}

/// A pair of the base, with some of it changed.
pub(super) fn changed(
    base: &BaseFolder,
    of: &BasePair,
    state: PairState,
    prints: Prints,
) -> TwoWayPair {
    pair_record(of.uids(), &base.flags(of), prints, state)
}
