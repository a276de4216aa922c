//! What one folder needs, as its comparison shows.

use super::damage::ToCheck;
use crate::engine::flagging::FlagChanges;
use crate::engine::folders::FolderRef;
use crate::mail::{Counters, FlagTable, Flags, MailboxName, Message, PermanentFlags, Uid, UidSet};
use crate::plan::FolderTask;
use crate::plan::planned::{Flagged, by_flags};
use crate::store::{FlagEdit, FolderScan};
use crate::verbs::compare::{Compared, only};
use crate::verbs::same_mailbox::left_marked;
use crate::verbs::{Deleting, FlagPolicy};
use std::sync::Arc;

/// UIDs of source and target, and the flags that are recorded.
pub(super) type FlaggedPair = (Uid, Uid, Flags);

/// What one folder needs.
#[derive(Default)]
pub(super) struct Needs {
    /// How the source's folder looked when it was opened.
    pub(super) source: SideState,
    pub(super) missing: Vec<Message>,
    /// What lanes were given of what is missing, which is not among `missing` any more.
    pub(super) sending: Option<Arc<FolderTask>>,
    pub(super) flags: FlagTable,
    pub(super) already_there: u64,
    /// Flags to change on the target.
    pub(super) flag_changes: FlagChanges,
    /// What opening the target's folder told; `None` where it does not exist yet.
    pub(super) target: Option<TargetState>,
    /// What is to be remembered of it.
    pub(super) news: News,
    /// Messages that only the target has; `None` where that can't be told for certain.
    pub(super) extra: Option<UidSet>,
    /// How many messages the target's folder holds.
    pub(super) on_target: u64,
    /// What is to be read on both sides, where the target's copies are repaired.
    pub(super) to_check: Option<ToCheck>,
    /// Messages that both sides have, where they are to leave the source.
    pub(super) there: Vec<There>,
    /// What may be deleted, by flags, where a plan names it.
    pub(super) doomed_flags: Vec<Flagged>,
    /// Whether both sides were looked into, and `source` says something.
    pub(super) is_seen: bool,
    /// How many of the missing messages the target takes from another of its folders.
    pub(super) server_side: u64,
    /// Their bytes.
    pub(super) server_side_bytes: u64,
}

/// A message that both sides have.
#[derive(Clone, Copy, Debug)]
pub(super) struct There {
    pub(super) source: Uid,
    pub(super) target: Uid,
    /// Whether an earlier run has copied or compared it, and it has the same size on both sides.
    pub(super) is_known: bool,
}

/// How a folder looked when it was opened.
#[derive(Clone, Debug, Default)]
pub(super) struct SideState {
    pub(super) counters: Counters,
    pub(super) mailbox_id: Option<String>,
}

impl SideState {
    fn new(scan: &FolderScan) -> Self {
        Self {
            counters: Counters {
                uid_next: scan.next_uid(),
                ..scan.counters()
            },
            mailbox_id: scan.mailbox_id.clone(),
        }
    }
}

/// What a comparison found that the next run can build upon.
#[derive(Default)]
pub(super) struct News {
    /// Pairs that were found by matching: UIDs of source and target, and the flags that the source
    /// has, as an index into the folder's table.
    pub(super) matched: Vec<(Uid, Uid, u32)>,
    /// Records that hold no longer, by UID on the source.
    pub(super) stale: UidSet,
    /// Known pairs whose flags are to be recorded anew: UIDs of source and target, and the new
    /// flags.
    pub(super) flags: Vec<(Uid, Uid, Flags)>,
    /// Whether changes of flags on the source were left for a run whose policy carries them over.
    pub(super) flags_wait: bool,
    /// Messages of the target whose flags could not be changed, as somebody else was changing them.
    pub(super) left_alone: UidSet,
    /// Whether something is left undone on purpose, so that the folder is not in step afterwards.
    pub(super) unfinished: bool,
    /// Whether all that was known is void.
    pub(super) all_void: bool,
    /// Messages of the target that must never be deleted, as the source is in doubt.
    pub(super) keep: UidSet,
}

#[derive(Clone)]
pub(super) struct TargetState {
    pub(super) name: MailboxName,
    pub(super) side: SideState,
    pub(super) permanent_flags: PermanentFlags,
}

impl TargetState {
    pub(super) fn new(name: MailboxName, scan: &FolderScan) -> Self {
        Self {
            name,
            side: SideState::new(scan),
            permanent_flags: scan.permanent_flags.clone(),
        }
    }

    /// Returns the folder as it was when it was opened.
    pub(super) fn folder(&self) -> FolderRef<'_> {
        FolderRef {
            mailbox: &self.name,
            counters: self.side.counters,
        }
    }
}

/// What a comparison is looked at for.
#[derive(Clone, Copy)]
pub(super) struct NeedRules {
    /// How flags are carried over.
    pub(super) flags: FlagPolicy,
    /// What is deleted at the end.
    pub(super) deleting: Deleting,
    /// Whether what is found is kept for the next run.
    pub(super) remembers: bool,
    /// Whether the target was opened for reading only, so that it says of every flag that it keeps
    /// none.
    pub(super) read_only: bool,
    /// Whether a plan names what is deleted, with its flags.
    pub(super) names_flags: bool,
    /// Whether the target's copies are repaired.
    pub(super) repair: bool,
}

impl Needs {
    /// Of a folder that is as it was when both sides were last in step, and holds so many messages.
    pub(super) fn in_step(messages: u64) -> Self {
        Self {
            already_there: messages,
            on_target: messages,
            extra: Some(UidSet::default()),
            ..Self::default()
        }
    }

    pub(super) fn new(compared: &Compared, target: Option<MailboxName>, rules: NeedRules) -> Self {
        let (missing, mut flags) = only(&compared.source, &compared.matching.missing);
        let news = if rules.remembers {
            News::new(compared, rules.flags, &mut flags)
        } else {
            News::default()
        };
        Self {
            source: SideState::new(&compared.source),
            missing,
            sending: None,
            flags,
            already_there: (compared.matching.pairs.len() + compared.recognised.pairs.len()) as u64,
            flag_changes: with_marks_taken_off(flag_changes(compared, rules), compared),
            target: target
                .zip(compared.target.as_ref())
                .map(|(name, scan)| TargetState::new(name, scan)),
            news,
            extra: compared.is_certain().then(|| compared.extra()),
            on_target: compared
                .target
                .as_ref()
                .map_or(0, |scan| scan.messages.len() as u64),
            there: if matches!(rules.deleting, Deleting::Source(_)) {
                there(compared)
            } else {
                Vec::new()
            },
            doomed_flags: if rules.names_flags {
                doomed_flags(compared, rules.deleting)
            } else {
                Vec::new()
            },
            is_seen: true,
            to_check: rules.repair.then(|| ToCheck::new(compared)).flatten(),
            server_side: 0,
            server_side_bytes: 0,
        }
    }

    /// The bytes of what is missing, less what the target takes from other folders.
    pub(super) fn bytes_to_send(&self) -> u64 {
        let sizes = self.all_missing().map(|message| u64::from(message.size()));
        sizes.sum::<u64>() - self.server_side_bytes
    }

    /// All that is missing: first what is being sent, then the rest.
    pub(super) fn all_missing(&self) -> impl Iterator<Item = &Message> {
        self.in_lanes().iter().chain(&self.missing)
    }

    /// What is missing at this position among all of that.
    pub(super) fn missing_at(&self, position: usize) -> Option<&Message> {
        let sending = self.in_lanes();
        sending
            .get(position)
            .or_else(|| self.missing.get(position.checked_sub(sending.len())?))
    }

    /// What lanes were given.
    pub(super) fn in_lanes(&self) -> &[Message] {
        self.sending.as_ref().map_or(&[], |task| &task.messages)
    }

    pub(super) fn missing_count(&self) -> u64 {
        (self.in_lanes().len() + self.missing.len()) as u64
    }

    /// Counts the messages whose flags are to be changed.
    pub(super) fn flags_to_change(&self) -> u64 {
        self.flag_changes.messages().len()
    }
}

impl News {
    /// What is recorded of flags is what both sides agree on: what the policy leaves undone is not,
    /// so that a later run with another policy finds it. New flags are added to `flags`.
    fn new(compared: &Compared, policy: FlagPolicy, flags: &mut FlagTable) -> Self {
        let Some(target) = &compared.target else {
            return Self::default();
        };
        let on_source = |at: u32| {
            compared
                .source
                .flags
                .get(compared.source.messages[at as usize].flags())
        };
        let on_target = |at: u32| target.flags.get(target.messages[at as usize].flags());
        let uids = |source: u32, at: u32| {
            (
                compared.source.messages[source as usize].uid(),
                target.messages[at as usize].uid(),
            )
        };
        let mut news = Self {
            stale: compared.recognised.stale.clone(),
            all_void: compared.doubt.is_some(),
            keep: if compared.doubt.is_some() {
                compared.extra()
            } else {
                UidSet::default()
            },
            ..Self::default()
        };
        for (source, at) in &compared.matching.pairs {
            let mut agreed = compared.source.messages[*source as usize].flags();
            if policy == FlagPolicy::Ignore {
                let (now, there) = (on_source(*source), on_target(*at));
                let alone = now.minus(&there);
                if !alone.is_empty() {
                    agreed = flags.intern(now.minus(&alone));
                    news.flags_wait = true;
                }
            }
            let (source, target) = uids(*source, *at);
            news.matched.push((source, target, agreed));
        }
        for pair in &compared.recognised.pairs {
            let now = on_source(pair.source);
            let agreed = match policy {
                FlagPolicy::Follow => now.clone(),
                FlagPolicy::Union => pair.base.union(&now),
                FlagPolicy::Ignore => pair.base.clone(),
            };
            news.flags_wait |= agreed != now;
            if agreed != pair.base {
                let (source, target) = uids(pair.source, pair.target);
                news.flags.push((source, target, agreed));
            }
        }
        news
    }
}

/// The same, and marks that a killed run has left on the target come off.
fn with_marks_taken_off(mut changes: FlagChanges, compared: &Compared) -> FlagChanges {
    let marked = compared
        .target
        .as_ref()
        .map(left_marked)
        .unwrap_or_default();
    let mark = Flags::from_names([Flags::MARK]);
    changes.add_all(FlagEdit::Remove, mark, &marked);
    changes
}

/// The messages that both sides have.
fn there(compared: &Compared) -> Vec<There> {
    let Some(target) = &compared.target else {
        return Vec::new();
    };
    let there = |source: u32, at: u32, is_known: bool| {
        let (source, target) = (
            &compared.source.messages[source as usize],
            &target.messages[at as usize],
        );
        // Of a bare one only the record is known, which was made when the two were the same.
        let is_same_size = source.is_bare() || target.is_bare() || source.size() == target.size();
        There {
            source: source.uid(),
            target: target.uid(),
            is_known: is_known && is_same_size,
        }
    };
    let known = compared
        .recognised
        .pairs
        .iter()
        .map(|pair| there(pair.source, pair.target, true));
    known
        .chain(
            compared
                .matching
                .pairs
                .iter()
                .map(|(source, at)| there(*source, *at, false)),
        )
        .collect()
}

/// What may be deleted with its flags: what only the target has, or all that takes part on the
/// source.
fn doomed_flags(compared: &Compared, deleting: Deleting) -> Vec<Flagged> {
    let flagged = |scan: &FolderScan, messages: &mut dyn Iterator<Item = &Message>| {
        by_flags(messages.map(|message| (message.uid(), scan.flags.get(message.flags()))))
    };
    match (deleting, &compared.target) {
        (Deleting::Source(_), _) => flagged(&compared.source, &mut compared.source.messages.iter()),
        (Deleting::Mirror(_), Some(target)) => flagged(
            target,
            &mut compared
                .matching
                .extra
                .iter()
                .map(|at| &target.messages[*at as usize]),
        ),
        _ => Vec::new(),
    }
}

/// What is to be changed on the target. Of a pair that an earlier run knows, the source's changes
/// since then are carried over, and what was changed on the target stays; of any other pair, what
/// the source has is set.
fn flag_changes(compared: &Compared, rules: NeedRules) -> FlagChanges {
    let mut changes = FlagChanges::default();
    let Some(target) = compared
        .target
        .as_ref()
        .filter(|_| rules.flags != FlagPolicy::Ignore)
    else {
        return changes;
    };
    let keepable = |flags: Flags| {
        // A folder that is open for reading only says that it keeps nothing: a dry run reckons with
        // everything.
        if rules.read_only {
            flags
        } else {
            target.permanent_flags.split(&flags).0
        }
    };
    let mut change = |edit, flags: Flags, at: u32| {
        changes.add(edit, flags, target.messages[at as usize].uid());
    };
    let on_source = |at: u32| {
        compared
            .source
            .flags
            .get(compared.source.messages[at as usize].flags())
    };
    let on_target = |at: u32| target.flags.get(target.messages[at as usize].flags());
    for (source, at) in &compared.matching.pairs {
        change(
            FlagEdit::Add,
            keepable(on_source(*source)).minus(&on_target(*at)),
            *at,
        );
    }
    for pair in &compared.recognised.pairs {
        let (now, there) = (on_source(pair.source), on_target(pair.target));
        if rules.flags == FlagPolicy::Union {
            change(FlagEdit::Add, keepable(now).minus(&there), pair.target);
            continue;
        }
        change(
            FlagEdit::Add,
            keepable(now.minus(&pair.base)).minus(&there),
            pair.target,
        );
        let taken_away = pair.base.minus(&now);
        change(
            FlagEdit::Remove,
            there.minus(&there.minus(&taken_away)),
            pair.target,
        );
    }
    changes
}
