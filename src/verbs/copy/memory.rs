//! What `copy` takes from the state and leaves in it.
//!
//! The order keeps a crash harmless: the intent to copy into folders is on the disk before the first message is sent,
//! each confirmed message is recorded as it is confirmed, and a folder counts as in step only when all is done. The
//! state is a cache: where it can't be written any more, the copy goes on and says so once.

use super::needs::{Needs, SideState};
use crate::event::{Event, Observer};
use crate::exec::Journal;
use crate::folders::Pair;
use crate::mail::{Flags, FolderStatus, MailboxName, Uid};
use crate::state::{Checkpoint, FolderId, FolderInStep, FolderRecord, FolderStart, PairRecord, State};
use crate::store::{Connector, Error, Traffic};
use crate::verbs::known::{Known, record_of};
use crate::verbs::opening::Names;
use crate::verbs::{CopyOptions, MessageFilter};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The state during one run; nothing at all without one.
pub(super) struct Memory<'a> {
    state: Option<&'a State>,
    observer: &'a dyn Observer,
    records: Vec<FolderRecord>,
    /// Whether the run copies everything: only then can a folder be in step afterwards.
    whole: bool,
    /// A dry run reads what is known and leaves nothing.
    read_only: bool,
    /// The folders that were begun, by the index of their pair.
    begun: HashMap<usize, Begun>,
    /// The pair's index of each task.
    tasks: Vec<usize>,
    copied: Mutex<HashMap<usize, u32>>,
    has_failed: AtomicBool,
}

/// A folder between its intent and its checkpoint.
struct Begun {
    id: FolderId,
    source: SideState,
    target_name: MailboxName,
    target: SideState,
    /// Whether anything was to be changed on the target.
    touched: bool,
    /// The flags of the messages to copy, by UID on the source.
    flags: HashMap<Uid, Flags>,
}

impl<'a> Memory<'a> {
    pub(super) fn open(state: Option<&'a State>, options: &CopyOptions, observer: &'a dyn Observer) -> Self {
        let mut memory = Self {
            state,
            observer,
            records: Vec::new(),
            whole: options.filter == MessageFilter::default(),
            read_only: options.dry_run,
            begun: HashMap::new(),
            tasks: Vec::new(),
            copied: Mutex::default(),
            has_failed: AtomicBool::new(false),
        };
        if let Some(state) = state {
            memory.records = memory.heed(state.folders()).unwrap_or_default();
        }
        memory
    }

    /// How many messages a folder holds that is just as it was when both sides were last in step; `None` where it must
    /// be looked into.
    pub(super) fn in_step(&self, pair: &Pair, names: &Names<'_>) -> Option<u64> {
        let (record, source, target) = self.record(pair, names)?;
        let (was_source, was_target) = record.checkpoint.as_ref()?;
        (is_as_it_was(source.1?, was_source) && is_as_it_was(target.1?, was_target)).then_some(record.pairs)
    }

    /// What earlier runs know of a folder that must be looked into.
    pub(super) fn known(&self, pair: &Pair, names: &Names<'_>) -> Option<Known> {
        let (record, ..) = self.record(pair, names)?;
        let pairs = self.heed(self.state?.pairs(record.id))?;
        Some(Known::new(record.clone(), pairs))
    }

    fn record<'n>(&self, pair: &Pair, names: &'n Names<'_>) -> Option<(&FolderRecord, Side<'n>, Side<'n>)> {
        let source = &names.source.mailboxes[pair.source];
        let target = names.existing(pair)?;
        let record = record_of(&self.records, &source.name, &target.name)?;
        Some((record, (&source.name, source.status.as_ref()), (&target.name, target.status.as_ref())))
    }

    /// Records the intent to copy, and what the comparison found, before anything is sent.
    pub(super) fn begin(&mut self, names: &Names<'_>, folders: &[Option<Needs>]) {
        let Some(state) = self.state.filter(|_| !self.read_only) else { return };
        let begun = self.begin_in(state, names, folders);
        self.begun = self.heed(begun).unwrap_or_default();
    }

    fn begin_in(
        &self,
        state: &State,
        names: &Names<'_>,
        folders: &[Option<Needs>],
    ) -> Result<HashMap<usize, Begun>, Error> {
        let looked_into: Vec<(usize, &MailboxName, &Needs)> = folders
            .iter()
            .enumerate()
            .filter_map(|(index, needs)| {
                let needs = needs.as_ref().filter(|needs| needs.target.is_some())?;
                Some((index, &names.source.mailboxes[names.pairs[index].source].name, needs))
            })
            .collect();
        let mut starts = Vec::new();
        for (_, source, needs) in &looked_into {
            let Some(target) = &needs.target else { continue };
            if needs.news.all_void
                && let Some(record) = record_of(&self.records, source, &target.name)
            {
                state.forget(record.id)?;
            }
            starts.push(FolderStart {
                source,
                target: &target.name,
                source_uid_validity: needs.source.uid_validity,
                target_uid_validity: target.side.uid_validity,
                target_uid_next: target.side.uid_next,
                source_mailbox_id: None,
                target_mailbox_id: None,
            });
        }
        let mut begun = HashMap::new();
        for ((index, _, needs), id) in looked_into.iter().zip(state.begin_all(&starts)?) {
            self.take_news(state, id, needs)?;
            begun.extend(Begun::new(id, needs).map(|folder| (*index, folder)));
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
        if !news.flags.is_empty() {
            state.set_flags(id, &news.flags)?;
        }
        let record = |(source, target, flags): &(Uid, Uid, Flags)| PairRecord {
            source: *source,
            target: *target,
            flags: flags.clone(),
        };
        if !news.matched.is_empty() {
            state.add_pairs(id, &news.matched.iter().map(record).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// The next task is of this pair.
    pub(super) fn note_task(&mut self, pair: usize) {
        self.tasks.push(pair);
    }

    /// Who is told what was copied.
    pub(super) fn journal(&self) -> Option<&dyn Journal> {
        (self.state.is_some() && !self.read_only).then_some(self as &dyn Journal)
    }

    /// Notes the folders that are in step, now that everything has gone through. Gives the traffic of looking at the
    /// target once more, where something was changed there.
    pub(super) fn settle(&self, target: &dyn Connector) -> Traffic {
        let Some(state) = self.state.filter(|_| self.whole && !self.read_only && !self.begun.is_empty()) else {
            return Traffic::default();
        };
        let mut traffic = Traffic::default();
        let mut now = HashMap::new();
        if self.begun.values().any(|begun| begun.touched) {
            let Some(mut store) = self.heed(target.connect()) else { return traffic };
            for mailbox in self.heed(store.list()).map(|listing| listing.mailboxes).unwrap_or_default() {
                now.insert(mailbox.name, mailbox.status.unwrap_or_default());
            }
            store.close();
            traffic = store.traffic();
        }
        let copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner);
        let in_step = |(index, begun): (&usize, &Begun)| {
            begun.in_step(copied.get(index).copied().unwrap_or(0), now.get(&begun.target_name))
        };
        let in_step: Vec<FolderInStep> = self.begun.iter().filter_map(in_step).collect();
        self.heed(state.checkpoint_all(&in_step));
        traffic
    }

    /// A failure of the state costs the next run time; it is said once.
    fn heed<T>(&self, result: Result<T, Error>) -> Option<T> {
        result
            .inspect_err(|error| {
                if !self.has_failed.swap(true, Ordering::Relaxed) {
                    let text = format!("the next run will take longer: {error}");
                    self.observer.observe(&Event::Warning { text: &text });
                }
            })
            .ok()
    }
}

/// A folder of one side with its counters.
type Side<'n> = (&'n MailboxName, Option<&'n FolderStatus>);

impl Begun {
    fn new(id: FolderId, needs: &Needs) -> Option<Self> {
        let target = needs.target.as_ref()?;
        let flags = |message: &crate::mail::Message| (message.uid(), needs.flags.get(message.flags()));
        Some(Self {
            id,
            source: needs.source.clone(),
            target_name: target.name.clone(),
            target: target.side.clone(),
            touched: !needs.missing.is_empty() || !needs.flag_changes.is_empty(),
            flags: needs.missing.iter().map(flags).collect(),
        })
    }

    /// How both sides look now that `copied` messages were added, if that is certain: `None` where the servers tell too
    /// little, or somebody else has added or removed something meanwhile.
    fn in_step(&self, copied: u32, now: Option<&FolderStatus>) -> Option<FolderInStep> {
        let source = self.source.checkpoint()?;
        let before = self.target.checkpoint()?;
        if copied as usize != self.flags.len() {
            return None;
        }
        if !self.touched {
            return Some(FolderInStep { id: self.id, source, target: before });
        }
        let now = now?;
        let is_ours_alone = now.uid_validity == self.target.uid_validity
            && now.uid_next == Some(before.uid_next + copied)
            && now.messages == Some(before.messages + copied);
        let target = Checkpoint {
            uid_next: before.uid_next + copied,
            messages: before.messages + copied,
            mod_seq: now.highest_mod_seq,
            ..before
        };
        is_ours_alone.then_some(FolderInStep { id: self.id, source, target })
    }
}

impl SideState {
    fn checkpoint(&self) -> Option<Checkpoint> {
        Some(Checkpoint {
            uid_validity: self.uid_validity?,
            uid_next: self.uid_next?,
            messages: self.messages,
            mod_seq: self.mod_seq,
        })
    }
}

impl Journal for Memory<'_> {
    fn copied(&self, task: usize, pairs: &[(Uid, Uid)]) {
        let Some((state, index)) = self.state.zip(self.tasks.get(task)) else { return };
        let Some(begun) = self.begun.get(index) else { return };
        let record = |(source, target): &(Uid, Uid)| PairRecord {
            source: *source,
            target: *target,
            flags: begun.flags.get(source).cloned().unwrap_or_default(),
        };
        if self.heed(state.add_pairs(begun.id, &pairs.iter().map(record).collect::<Vec<_>>())).is_some() {
            let mut copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner);
            *copied.entry(*index).or_default() += pairs.len() as u32;
        }
    }
}

/// Whether a folder's counters are what they were. Without HIGHESTMODSEQ a flag could have changed unseen.
fn is_as_it_was(now: &FolderStatus, then: &Checkpoint) -> bool {
    now.uid_validity == Some(then.uid_validity)
        && now.uid_next == Some(then.uid_next)
        && now.messages == Some(then.messages)
        && now.highest_mod_seq.is_some()
        && now.highest_mod_seq == then.mod_seq
}
