//! What `copy` takes from the state and leaves in it.
//!
//! The order keeps a crash harmless: the intent to copy into folders is on the disk before the
//! first message is sent, each confirmed message is recorded as it is confirmed, and a folder
//! counts as in step only when all is done. The state is a cache: where it can't be written any
//! more, the copy goes on and says so once.

use super::needs::{FlaggedPair, Needs, SideState, TargetState};
use super::recording::Recording;
use super::work::Works;
use crate::event::Observer;
use crate::folders::Pair;
use crate::mail::{Counters, Flags, MailboxName, Uid, UidSet};
use crate::state::{
    Checkpoint, FolderId, FolderInStep, FolderRecord, FolderStart, PairRecord, SeenView, State,
};
use crate::store::{Error, Store};
use crate::verbs::known::{Known, Records};
use crate::verbs::opening::Names;
use crate::verbs::{CopyOptions, Deleting, MessageFilter};
use std::collections::HashMap;
use std::sync::Arc;

/// How many pairs are recorded in one transaction.
const RECORDS_AT_A_TIME: usize = 10_000;

/// The state during one run; nothing at all without one.
pub(super) struct Memory<'a> {
    state: Option<&'a State>,
    recording: Arc<Recording<'a>>,
    records: Records,
    /// Whether the run copies everything: only then can a folder be in step afterwards.
    whole: bool,
    /// A dry run reads what is known and leaves nothing.
    read_only: bool,
    /// The folders that were begun, by the index of their pair.
    begun: HashMap<usize, Begun>,
    /// How the target's folders looked after everything was sent, those in which nothing was done
    /// since.
    proven: HashMap<MailboxName, Counters>,
    /// Views that were looked through.
    views: Vec<SeenView>,
}

/// A folder between its intent and its checkpoint.
struct Begun {
    id: FolderId,
    source: SideState,
    target_name: MailboxName,
    target: SideState,
    /// Whether anything was to be changed on the target.
    touched: bool,
    /// Whether something is left for the next run to look at.
    unsettled: bool,
    /// How many messages the run has taken away from the target's folder.
    removed: u32,
    /// How many messages were to be copied.
    missing: usize,
}

impl<'a> Memory<'a> {
    pub(super) fn open(
        state: Option<&'a State>,
        options: &CopyOptions,
        observer: &'a dyn Observer,
    ) -> Self {
        let mut memory = Self {
            state,
            recording: Arc::new(Recording::new(state, observer)),
            records: Records::default(),
            whole: options.filter == MessageFilter::default(),
            read_only: options.dry_run,
            begun: HashMap::new(),
            proven: HashMap::new(),
            views: Vec::new(),
        };
        if let Some(state) = state {
            memory.records = Records::new(memory.heed(state.folders()).unwrap_or_default());
        }
        memory
    }

    /// How many messages a folder holds that is just as it was when both sides were last in step;
    /// `None` where it must be looked into.
    pub(super) fn in_step(
        &self,
        pair: &Pair,
        names: &Names<'_>,
        deleting: Deleting,
    ) -> Option<u64> {
        let (record, source, target) = self.record(pair, names)?;
        let (was_source, was_target) = record.checkpoint.as_ref()?;
        let has_work = match deleting {
            Deleting::Nothing => false,
            // The target had messages that the source does not have.
            Deleting::Mirror(_) => record.pairs != u64::from(was_target.messages),
            Deleting::Source(_) => was_source.messages > 0,
        };
        if has_work {
            return None;
        }
        (is_as_it_was(source.1?, was_source) && is_as_it_was(target.1?, was_target))
            .then_some(record.pairs)
    }

    /// Whether the source's folder shows by its counters that no mail has come into it since it was
    /// last in step.
    pub(super) fn has_no_news(&self, pair: &Pair, names: &Names<'_>) -> bool {
        let no_news = || {
            let (record, (_, now), _) = self.record(pair, names)?;
            let (then, now) = (&record.checkpoint.as_ref()?.0, now?);
            Some(now.uid_validity == Some(then.uid_validity) && now.uid_next == Some(then.uid_next))
        };
        no_news().unwrap_or(false)
    }

    /// What earlier runs know of a folder that must be looked into.
    pub(super) fn known(&self, pair: &Pair, names: &Names<'_>) -> Option<Known> {
        let (record, ..) = self.record(pair, names)?;
        let pairs = self.heed(self.state?.pairs(record.id))?;
        Some(Known::new(record.clone(), pairs))
    }

    /// Whether an earlier run knows the folder.
    pub(super) fn has(&self, pair: &Pair, names: &Names<'_>) -> bool {
        self.record(pair, names).is_some()
    }

    /// Messages of the target's folder that must not be deleted.
    pub(super) fn kept(&self, pair: &Pair, names: &Names<'_>) -> UidSet {
        let kept = || self.heed(self.state?.kept(self.record(pair, names)?.0.id));
        kept().unwrap_or_default()
    }

    fn record<'n>(
        &self,
        pair: &Pair,
        names: &'n Names<'_>,
    ) -> Option<(&FolderRecord, Side<'n>, Side<'n>)> {
        let source = &names.source.mailboxes[pair.source];
        let target = names.existing(pair)?;
        let record = self.records.get(&source.name, &target.name)?;
        Some((
            record,
            (&source.name, source.counters()),
            (&target.name, target.counters()),
        ))
    }

    /// What is known of folders.
    pub(super) fn records(&self) -> impl Iterator<Item = &FolderRecord> {
        self.records.iter()
    }

    /// The recorded pairs of a folder.
    pub(super) fn pairs(&self, folder: FolderId) -> Vec<PairRecord> {
        self.state
            .and_then(|state| self.heed(state.pairs(folder)))
            .unwrap_or_default()
    }

    /// In this run a record is that of these folders.
    pub(super) fn rename(&mut self, folder: FolderId, source: &MailboxName, target: &MailboxName) {
        self.records.rename(folder, source, target);
    }

    /// A folder has been renamed on the target.
    pub(super) fn renamed(&mut self, folder: FolderId, source: &MailboxName, target: &MailboxName) {
        self.rename(folder, source, target);
        if let Some(state) = self.writable() {
            self.heed(state.rename(folder, source, target));
        }
    }

    /// Records the intent to copy, and what the comparison found, before anything is sent: of all
    /// folders for which that was not done yet.
    pub(super) fn begin(&mut self, names: &Names<'_>, folders: &Works) {
        let open = folders
            .compared()
            .filter(|(_, needs)| needs.sending.is_none());
        let open: Vec<usize> = open.map(|(index, _)| index).collect();
        self.begin_some(names, folders, &open);
    }

    /// Does the same for these pairs.
    pub(super) fn begin_some(&mut self, names: &Names<'_>, folders: &Works, pairs: &[usize]) {
        let Some(state) = self.writable() else { return };
        let begun = self.begin_in(state, names, folders, pairs);
        let begun = self.heed(begun).unwrap_or_default();
        self.begun.extend(begun);
    }

    fn begin_in(
        &self,
        state: &State,
        names: &Names<'_>,
        folders: &Works,
        pairs: &[usize],
    ) -> Result<HashMap<usize, Begun>, Error> {
        let looked_into = |index: &usize| {
            let needs = folders.needs(*index)?;
            Some((*index, needs, needs.target.as_ref()?))
        };
        let looked_into: Vec<(usize, &Needs, &TargetState)> =
            pairs.iter().filter_map(looked_into).collect();
        let mut starts = Vec::new();
        for (index, needs, target) in &looked_into {
            let pair = &names.pairs[*index];
            let source = &names.source.mailboxes[pair.source];
            let record = self.records.get(&source.name, &target.name);
            if let Some(record) = record.filter(|_| needs.news.all_void) {
                state.void(record.id)?;
            }
            starts.push(FolderStart {
                source: &source.name,
                target: &target.name,
                source_uid_validity: needs.source.counters.uid_validity,
                target_uid_validity: target.side.counters.uid_validity,
                target_uid_next: target.side.counters.uid_next,
                source_mailbox_id: needs.source.mailbox_id.as_deref(),
                target_mailbox_id: target.side.mailbox_id.as_deref(),
            });
        }
        let mut begun = HashMap::new();
        for ((index, needs, target), id) in looked_into.iter().zip(state.begin_all(&starts)?) {
            self.take_news(state, id, needs)?;
            if !needs.news.keep.is_empty() {
                state.keep(id, &needs.news.keep)?;
            }
            let pair = &names.pairs[*index];
            let record = self
                .records
                .get(&names.source.mailboxes[pair.source].name, &target.name);
            begun.extend(Begun::new(id, needs, record).map(|folder| (*index, folder)));
        }
        Ok(begun)
    }

    /// Records what a comparison found of a folder.
    fn take_news(&self, state: &State, id: FolderId, needs: &Needs) -> Result<(), Error> {
        let news = &needs.news;
        // A filter hides messages that are there all the same.
        if self.whole && !news.stale.is_empty() {
            state.remove_pairs(id, &news.stale)?;
        }
        // What somebody else was changing is compared again by the next run.
        let is_settled = |target: &Uid| !news.left_alone.contains(*target);
        let changed = news
            .flags
            .iter()
            .filter(|(_, target, _)| is_settled(target));
        let flags: Vec<(Uid, Flags)> = changed
            .map(|(source, _, flags)| (*source, flags.clone()))
            .collect();
        if !flags.is_empty() {
            state.set_flags(id, &flags)?;
        }
        // Some at a time, so that records of large folders are not all in memory.
        for some in news.matched.chunks(RECORDS_AT_A_TIME) {
            let record = |(source, target, flags): &(Uid, Uid, u32)| PairRecord {
                source: *source,
                target: *target,
                flags: needs.flags.get(*flags),
            };
            let settled = some.iter().filter(|(_, target, _)| is_settled(target));
            state.add_pairs(id, &settled.map(record).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// The tasks that are sent next are of these pairs, and those that were sent before are done.
    pub(super) fn set_tasks(&self, pairs: &[usize]) {
        self.recording.clear_tasks();
        self.add_tasks(pairs);
    }

    /// The tasks that are sent next are of these pairs.
    pub(super) fn add_tasks(&self, pairs: &[usize]) {
        let of = |pair: &usize| Some((*pair, self.begun.get(pair)?.id));
        self.recording.add_tasks(pairs.iter().map(of));
    }

    /// The target took messages of this pair from other folders of its own: UIDs of source and
    /// target, and flags.
    pub(super) fn relocated(&self, pair: usize, pairs: &[FlaggedPair]) {
        if self.pair(pair, pairs) {
            self.recording.count(pair, pairs.len());
        }
    }

    /// Records these pairs of a folder: UIDs of source and target, and flags. Gives whether they
    /// are recorded.
    pub(super) fn pair(&self, pair: usize, pairs: &[FlaggedPair]) -> bool {
        let begun = self.writable().and_then(|_| self.begun.get(&pair));
        begun.is_some_and(|begun| self.recording.pair(begun.id, pairs))
    }

    /// Whether the last run with this state died: what it had sent may be arriving still.
    pub(super) fn follows_a_death(&self) -> bool {
        self.state.is_some_and(State::follows_a_death)
    }

    /// Messages were taken away from a folder of the target.
    pub(super) fn removed(&mut self, target: &MailboxName, messages: u64) {
        self.proven.remove(target);
        for begun in self
            .begun
            .values_mut()
            .filter(|begun| begun.target_name == *target)
        {
            begun.touched = true;
            begun.removed += u32::try_from(messages).unwrap_or(u32::MAX);
        }
    }

    /// A folder of the target is gone.
    pub(super) fn forget_target(&self, target: &MailboxName) {
        let Some(state) = self.writable() else { return };
        for record in self
            .records
            .iter()
            .filter(|record| record.target == *target)
        {
            self.heed(state.forget(record.id));
        }
    }

    /// Messages of these pairs have left the source: it is looked into again by the next run.
    pub(super) fn emptied(&mut self, pairs: &[usize], uids: &UidSet) {
        for pair in pairs {
            self.unpair(*pair, uids);
            self.begun.remove(pair);
        }
    }

    /// The target does not have these messages of the source.
    pub(super) fn unpair(&self, pair: usize, uids: &UidSet) {
        if let Some((state, begun)) = self
            .writable()
            .zip(self.begun.get(&pair))
            .filter(|_| !uids.is_empty())
        {
            self.heed(state.remove_pairs(begun.id, uids));
        }
    }

    /// The state, if this run may write to it.
    fn writable(&self) -> Option<&'a State> {
        self.state.filter(|_| !self.read_only)
    }

    /// Whether anything is kept for the next run.
    pub(super) fn is_kept(&self) -> bool {
        self.state.is_some()
    }

    /// Who is told what was copied.
    pub(super) fn journal(&self) -> Option<Arc<Recording<'a>>> {
        self.writable().map(|_| Arc::clone(&self.recording))
    }

    /// Whether there is something to note once everything has gone through.
    pub(super) fn is_to_settle(&self) -> bool {
        self.writable().is_some() && self.whole && !(self.begun.is_empty() && self.views.is_empty())
    }

    /// How a folder of the target looked after everything was sent to it.
    pub(super) fn proven(&mut self, target: &MailboxName, counters: Counters) {
        self.proven.insert(target.clone(), counters);
    }

    /// Notes the folders that are in step, now that everything has gone through. Where something
    /// was changed on the target that it was not asked for since, it is looked at once more.
    pub(super) fn settle(&self, target: &mut dyn Store) {
        let Some(state) = self.writable() else { return };
        let mut now = HashMap::new();
        if self
            .begun
            .values()
            .any(|begun| begun.touched && !self.proven.contains_key(&begun.target_name))
        {
            for mailbox in self
                .heed(target.list())
                .map(|listing| listing.mailboxes)
                .unwrap_or_default()
            {
                now.insert(mailbox.name, mailbox.status.unwrap_or_default().counters);
            }
        }
        let in_step = |(index, begun): (&usize, &Begun)| {
            let name = &begun.target_name;
            begun.in_step(
                self.recording.counted(*index),
                now.get(name).or_else(|| self.proven.get(name)),
            )
        };
        let in_step: Vec<FolderInStep> = self.begun.iter().filter_map(in_step).collect();
        self.heed(state.checkpoint_all(&in_step));
        for seen in &self.views {
            self.heed(state.note_view(seen));
        }
    }

    /// A view was looked through; it is recorded once everything has gone through.
    pub(super) fn note_view(&mut self, seen: SeenView) {
        self.views.retain(|other| other.view != seen.view);
        self.views.push(seen);
    }

    /// How many messages a view alone has, where its counters and the print of all other folders
    /// are what they were.
    pub(super) fn seen_view(&self, view: &MailboxName, now: &Counters, print: u64) -> Option<u64> {
        let seen = self
            .records()
            .filter_map(SeenView::of_source)
            .find(|seen| seen.view == *view)?;
        (is_as_it_was(now, &seen.then) && seen.print == print).then_some(seen.messages)
    }

    fn heed<T>(&self, result: Result<T, Error>) -> Option<T> {
        self.recording.heed(result)
    }
}

/// A folder of one side with its counters.
type Side<'n> = (&'n MailboxName, Option<&'n Counters>);

impl Begun {
    fn new(id: FolderId, needs: &Needs, record: Option<&FolderRecord>) -> Option<Self> {
        let target = needs.target.as_ref()?;
        let mut source = needs.source.clone();
        if needs.news.flags_wait {
            // The next run looks at all flags that have changed since they were last carried over.
            let was = record
                .filter(|_| !needs.news.all_void)
                .and_then(|record| record.checkpoint.as_ref());
            source.counters.mod_seq = was.and_then(|(source, _)| source.mod_seq);
        }
        Some(Self {
            id,
            source,
            target_name: target.name.clone(),
            target: target.side.clone(),
            removed: 0,
            unsettled: !needs.news.left_alone.is_empty() || needs.news.unfinished,
            touched: !needs.missing.is_empty() || !needs.flag_changes.is_empty(),
            missing: needs.missing.len(),
        })
    }

    /// How both sides look now that `copied` messages were added, if that is certain: `None` where
    /// the servers tell too little, or somebody else has added or removed something meanwhile.
    fn in_step(&self, copied: u32, now: Option<&Counters>) -> Option<FolderInStep> {
        let source = Checkpoint::of(self.source.counters)?;
        let before = Checkpoint::of(self.target.counters)?;
        if self.unsettled || copied as usize != self.missing {
            return None;
        }
        if !self.touched {
            return Some(FolderInStep {
                id: self.id,
                source,
                target: before,
            });
        }
        let now = now?;
        let is_ours_alone = now.uid_validity == self.target.counters.uid_validity
            && now.uid_next == Some(before.uid_next.advanced_by(copied))
            && now.messages == (before.messages + copied).checked_sub(self.removed);
        let target = Checkpoint {
            uid_next: before.uid_next.advanced_by(copied),
            messages: now.messages?,
            mod_seq: now.mod_seq,
            ..before
        };
        is_ours_alone.then_some(FolderInStep {
            id: self.id,
            source,
            target,
        })
    }
}

/// Whether a folder's counters are what they were. Without HIGHESTMODSEQ a flag could have changed
/// unseen.
fn is_as_it_was(now: &Counters, then: &Checkpoint) -> bool {
    now.mod_seq.is_some() && *now == then.counters()
}
