//! `--repair`: replaces copies on the target that say something else than the source's messages.
//!
//! Which of two unlike messages is the damaged one can't be told: the source's is taken as good. What it keeps true: the good
//! one is on the target and was read there before the damaged one goes; a damaged one has a keyword from before anything is sent
//! on, so that a run that dies in between is ended by the next one, and nothing is sent twice. What the target stores otherwise
//! than it was sent replaces nothing, and is taken back.

use super::Copy;
use super::needs::TargetState;
use super::removals::Doomed;
use crate::engine::scans::scan_each;
use crate::engine::sent::Sent;
use crate::engine::way::Way;
use crate::event::Event;
use crate::exec::{Contents, Fate, Link, read_contents};
use crate::folders::Pair;
use crate::identity::ContentKeys;
use crate::mail::{FlagTable, Flags, HeaderKey, Message, Uid, UidSet};
use crate::store::{Error, FlagChange, FlagEdit, Removal, ScanDepth};
use crate::verbs::compare::Compared;
use crate::verbs::deep::{DeepFolder, Unlike};
use crate::verbs::opening::Names;
use std::collections::{HashMap, HashSet, VecDeque};

/// Pairs what each side has left of messages with the same header and size: the target's is the source's, damaged.
///
/// Among messages with equal headers only contents say which is which, and a damaged copy is like none of the source's: it comes
/// out of the comparison as an extra, and its message as missing. Another size makes another message of it.
pub(super) fn pair_damaged(compared: &mut Compared) {
    let Some(target) = &compared.target else { return };
    let looks = |message: &Message| match message.key() {
        HeaderKey::Unknown | HeaderKey::Empty => None,
        key => Some((key, message.size())),
    };
    let mut left: HashMap<(HeaderKey, u32), VecDeque<u32>> = HashMap::new();
    for at in &compared.matching.extra {
        if let Some(looks) = looks(&target.messages[*at as usize]) {
            left.entry(looks).or_default().push_back(*at);
        }
    }
    let mut paired = HashSet::new();
    let mut pairs = Vec::new();
    compared.matching.missing.retain(|at| {
        let looks = looks(&compared.source.messages[*at as usize]);
        let Some(extra) = looks.and_then(|looks| left.get_mut(&looks)?.pop_front()) else { return true };
        pairs.push((*at, extra));
        paired.insert(extra);
        false
    });
    compared.matching.extra.retain(|at| !paired.contains(at));
    compared.matching.pairs.append(&mut pairs);
    compared.matching.pairs.sort_unstable();
}

/// What of one folder is to be read.
pub(super) struct ToCheck {
    /// The same messages on both sides.
    pairs: Vec<(Message, Message)>,
    /// What only the target has, and has the header of one of these.
    extras: Vec<Message>,
    /// The target's flags.
    flags: FlagTable,
}

impl ToCheck {
    pub(super) fn new(compared: &Compared) -> Option<Self> {
        let target = compared.target.as_ref()?;
        let both =
            |(source, at): &(u32, u32)| (compared.source.messages[*source as usize], target.messages[*at as usize]);
        let pairs: Vec<(Message, Message)> = compared.matching.pairs.iter().map(both).collect();
        let keys: HashSet<HeaderKey> = pairs.iter().map(|(source, _)| source.key()).collect();
        let extras = compared.matching.extra.iter().map(|at| target.messages[*at as usize]);
        let extras = extras.filter(|message| keys.contains(&message.key())).collect();
        Some(Self { pairs, extras, flags: target.flags.clone() })
    }

    fn bears_mark(&self, message: &Message) -> bool {
        self.flags.get(message.flags()).keywords().iter().any(|keyword| keyword.as_str() == Flags::DAMAGED)
    }
}

/// A message of which the target's copy is damaged.
pub(super) struct Damaged {
    pub(super) pair: usize,
    /// The source's.
    message: Message,
    content: ContentKeys,
    /// The damaged copy, and its flags.
    target: Uid,
    flags: Flags,
    /// A good copy that an earlier run has sent.
    sent_before: Option<Uid>,
}

impl Damaged {
    /// Its UID on the source.
    pub(super) fn uid(&self) -> Uid {
        self.message.uid()
    }
}

impl Copy<'_> {
    /// Reads what both sides have, and puts what is damaged on the target among what is missing there.
    pub(super) fn find_damaged(&mut self, link: &mut Link, names: &Names<'_>) -> Result<(), Error> {
        for (index, pair) in names.pairs.iter().enumerate() {
            let Some(Some(needs)) = self.folders.get_mut(index) else { continue };
            let Some((check, target)) = needs.to_check.take().zip(needs.target.clone()) else { continue };
            let source = (&names.source.mailboxes[pair.source].name, needs.source.counters.uid_validity);
            let uids = check.pairs.iter().map(|(source, target)| (source.uid(), target.uid())).collect();
            let folder = DeepFolder::of_pairs(
                &pair.from.to_string(),
                source,
                (&target.name, target.side.counters.uid_validity),
                uids,
            );
            let contrast = folder.contrast(link, self.observer)?;
            for uid in &contrast.unread {
                let reason = "its content could not be read on both sides, so it was not compared";
                let folder = &pair.from.to_string();
                self.observer.observe(&Event::MessageFailed { folder, uid: *uid, heading: None, reason });
                self.summary.failed += 1;
                self.has_failed.insert(index);
            }
            self.note_damaged(link, index, &check, (&target, contrast.damaged))?;
        }
        Ok(())
    }

    fn note_damaged(
        &mut self,
        link: &mut Link,
        index: usize,
        check: &ToCheck,
        (target, damaged): (&TargetState, Vec<Unlike>),
    ) -> Result<(), Error> {
        let sources: HashMap<Uid, &Message> = check.pairs.iter().map(|(source, _)| (source.uid(), source)).collect();
        let targets: HashMap<Uid, &Message> = check.pairs.iter().map(|(_, target)| (target.uid(), target)).collect();
        let keys: HashSet<HeaderKey> = damaged.iter().filter_map(|one| Some(sources.get(&one.source)?.key())).collect();
        // What an earlier run has sent already is there, beside what it was to replace.
        let alike: UidSet = (check.extras.iter())
            .filter(|extra| keys.contains(&extra.key()) && !check.bears_mark(extra))
            .map(Message::uid)
            .collect();
        let mut there = read(link, target, &alike)?;
        let mut found: Vec<Damaged> = Vec::new();
        for Unlike { source, target: uid, content } in damaged {
            let Some((message, bad)) = sources.get(&source).zip(targets.get(&uid)) else { continue };
            let sent_before = take_equal(&mut there, &content);
            let flags = check.flags.get(bad.flags()).filter_keywords(|keyword| !keyword.is_own());
            found.push(Damaged { pair: index, message: **message, content, target: uid, flags, sent_before });
        }
        let ended = ended_earlier(check, &found);
        let Some(Some(needs)) = self.folders.get_mut(index) else { return Ok(()) };
        let uids: UidSet = found.iter().map(Damaged::uid).collect();
        let in_use: UidSet = found.iter().filter_map(|one| one.sent_before).chain(ended.iter()).collect();
        needs.already_there -= uids.len();
        needs.news.matched.retain(|(source, ..)| !uids.contains(*source));
        needs.news.unfinished |= !found.is_empty();
        needs.extra = needs.extra.take().map(|extra| extra.minus(&in_use));
        needs.missing.extend(found.iter().filter(|one| one.sent_before.is_none()).map(|one| one.message));
        needs.missing.sort_by_key(Message::uid);
        self.summary.already_there = self.summary.already_there.saturating_sub(uids.len());
        self.damaged.extend(found);
        if !ended.is_empty() {
            self.ended_repairs.push((index, ended));
        }
        Ok(())
    }

    /// Tells of a message whose damaged copy was replaced, or would be.
    pub(super) fn tell_repaired(&mut self, pair: &Pair, uid: Uid) {
        self.observer.observe(&Event::MessageRepaired { folder: &pair.from.to_string(), uid });
        self.summary.repaired += 1;
    }

    /// Gives the damaged copies a keyword, where the target keeps one.
    pub(super) fn mark_damaged(&mut self, link: &mut Link) -> Result<(), Error> {
        let flags = Flags::from_names([Flags::DAMAGED]);
        let changes: Vec<FlagChange> = (self.damaged.iter())
            .filter_map(|one| {
                let target = self.target_of(one.pair)?;
                let change = FlagChange {
                    mailbox: target.name.clone(),
                    uids: UidSet::from_iter([one.target]),
                    edit: FlagEdit::Add,
                    flags: flags.clone(),
                    unchanged_since: None,
                };
                target.permanent_flags.keeps(&flags).then_some(change)
            })
            .collect();
        if !changes.is_empty() {
            // One that is refused has none, and goes all the same.
            link.target.change_flags(&changes)?;
        }
        Ok(())
    }

    pub(super) fn target_of(&self, pair: usize) -> Option<&TargetState> {
        self.folders.get(pair)?.as_ref()?.target.as_ref()
    }

    /// Deletes the damaged copies of which the good ones are on the target now.
    pub(super) fn replace_damaged(&mut self, way: &mut Way<'_>, names: &Names<'_>, sent: &Sent) -> Result<(), Error> {
        let mut damaged = std::mem::take(&mut self.damaged);
        damaged.sort_by_key(|one| (one.pair, one.uid()));
        let mut rest = damaged.into_iter().peekable();
        while let Some(index) = rest.peek().map(|one| one.pair) {
            let mut of_pair = Vec::new();
            while let Some(one) = rest.next_if(|one| one.pair == index) {
                of_pair.push(one);
            }
            self.replace_in(way, names, index, (of_pair, sent))?;
        }
        for (index, uids) in std::mem::take(&mut self.ended_repairs) {
            self.take_away(way, names, index, &uids)?;
        }
        Ok(())
    }

    fn replace_in(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
        index: usize,
        (damaged, sent): (Vec<Damaged>, &Sent),
    ) -> Result<(), Error> {
        let Some(target) = self.target_of(index).cloned() else { return Ok(()) };
        let told: HashMap<Uid, Option<Uid>> = (sent.each().filter(|(pair, ..)| *pair == index))
            .flat_map(|(_, task, fates)| task.messages.iter().zip(fates))
            .filter(|(_, fate)| fate.is_copied())
            .map(|(message, fate)| (message.uid(), Fate::uid(fate)))
            .collect();
        let is_sent = |one: &&Damaged| one.sent_before.is_some() || told.contains_key(&one.uid());
        let is_untold = damaged.iter().any(|one| matches!(told.get(&one.uid()), Some(None)));
        let uids: UidSet = (damaged.iter())
            .filter_map(|one| one.sent_before.or_else(|| told.get(&one.uid()).copied().flatten()))
            .collect();
        // Of a target that does not tell where it put what was sent, all that is new is read.
        let new = if is_untold { new_messages(way, &target)? } else { UidSet::default() };
        let mut there = way.repeatable(|link| {
            let mut all = uids.clone();
            all.add(&new);
            read(link, &target, &all)
        })?;
        let mut replaced = UidSet::default();
        let mut useless = UidSet::default();
        let mut flags = Vec::new();
        for one in damaged.iter().filter(is_sent) {
            let uid = one.uid();
            let placed = one.sent_before.or_else(|| told.get(&uid).copied().flatten());
            let good = match placed {
                Some(at) => there.remove(&at).filter(|keys| is_equal(keys, &one.content)).map(|_| at),
                None => take_equal(&mut there, &one.content),
            };
            match good {
                Some(at) => {
                    replaced.insert(one.target);
                    self.memory.pair(index, &[(uid, at, one.flags.clone())]);
                    flags.extend(self.flags_as_before(&target, one, at));
                    self.tell_repaired(&names.pairs[index], uid);
                }
                None => {
                    placed.into_iter().for_each(|at| useless.insert(at));
                    self.fail_repair(&names.pairs[index], index, uid);
                }
            }
        }
        if !flags.is_empty() {
            way.repeatable(|link| link.target.change_flags(&flags))?;
        }
        if !useless.is_empty() {
            self.remove_from(way, &target, &useless)?;
        }
        if replaced.is_empty() { Ok(()) } else { self.take_away(way, names, index, &replaced) }
    }

    /// What is to be changed for a new copy to have the flags that the damaged one had.
    fn flags_as_before(&self, target: &TargetState, one: &Damaged, at: Uid) -> Vec<FlagChange> {
        let Some(needs) = self.folders.get(one.pair).and_then(Option::as_ref) else { return Vec::new() };
        let sent = target.permanent_flags.split(&needs.flags.get(one.message.flags())).0;
        let change = |edit, flags: Flags| FlagChange {
            mailbox: target.name.clone(),
            uids: UidSet::from_iter([at]),
            edit,
            flags,
            unchanged_since: None,
        };
        let wanted = [(FlagEdit::Add, one.flags.minus(&sent)), (FlagEdit::Remove, sent.minus(&one.flags))];
        let needed = wanted.into_iter().filter(|(_, flags)| !flags.is_empty());
        needed.map(|(edit, flags)| change(edit, flags)).collect()
    }

    fn fail_repair(&mut self, pair: &Pair, index: usize, uid: Uid) {
        let reason = "its copy on the target is damaged, and the target alters what it stores: the damaged \
                      copy stays";
        self.observer.observe(&Event::MessageFailed { folder: &pair.from.to_string(), uid, heading: None, reason });
        self.summary.failed += 1;
        self.summary.copied = self.summary.copied.saturating_sub(1);
        self.has_failed.insert(index);
        self.memory.unpair(index, &UidSet::from_iter([uid]));
    }

    /// Deletes messages of a pair's folder on the target, or moves them to the folder of the day.
    fn take_away(&mut self, way: &mut Way<'_>, names: &Names<'_>, index: usize, uids: &UidSet) -> Result<(), Error> {
        let Some(target) = self.target_of(index).cloned() else { return Ok(()) };
        let Some(day) = self.options.keep_deleted else { return self.remove_from(way, &target, uids) };
        let doomed = Doomed {
            folder: names.pairs[index].to.to_string(),
            mailbox: target.name.clone(),
            uid_validity: target.side.counters.uid_validity,
            uids: uids.clone(),
            flags: Vec::new(),
            of: target.side.counters.count(),
            pairs: vec![index],
            whole: false,
            subscribed: false,
        };
        self.keep(way, names, day, vec![doomed]).map(|_| ())
    }

    fn remove_from(&mut self, way: &mut Way<'_>, target: &TargetState, uids: &UidSet) -> Result<(), Error> {
        let (mailbox, uid_validity) = (target.name.clone(), target.side.counters.uid_validity);
        let removal = Removal { mailbox, uid_validity, uids: uids.clone() };
        let results = way.repeatable(|link| link.target.remove(std::slice::from_ref(&removal)))?;
        if let Some(refusal) = results.into_iter().find_map(Result::err) {
            let text =
                format!("{}: {} damaged messages could not be deleted: {}", target.name, uids.len(), refusal.text);
            self.observer.observe(&Event::Warning { text: &text });
            return Ok(());
        }
        self.memory.removed(&target.name, uids.len());
        Ok(())
    }
}

/// What an earlier run found to be damaged and has replaced, but not deleted any more.
fn ended_earlier(check: &ToCheck, found: &[Damaged]) -> UidSet {
    let open: HashSet<HeaderKey> = found.iter().map(|one| one.message.key()).collect();
    let ended = check.extras.iter().filter(|extra| check.bears_mark(extra) && !open.contains(&extra.key()));
    ended.map(Message::uid).collect()
}

fn read(link: &mut Link, target: &TargetState, uids: &UidSet) -> Result<Contents, Error> {
    if uids.is_empty() {
        return Ok(Contents::new());
    }
    read_contents(link.target.as_mut(), &target.name, target.side.counters.uid_validity, uids, &mut |_| {})
}

fn new_messages(way: &mut Way<'_>, target: &TargetState) -> Result<UidSet, Error> {
    let from = target.side.counters.uid_next.and_then(Uid::new).map(UidSet::from_uid);
    let scans =
        way.repeatable(|link| scan_each(link.target.as_mut(), ScanDepth::Sizes, [(&target.name, from.clone())]))?;
    let scans = scans.into_iter().filter_map(Result::ok);
    Ok(scans.flat_map(|scan| scan.messages).map(|message| message.uid()).collect())
}

/// Whether a copy says what was sent: servers may add fields and change line ends.
fn is_equal(one: &ContentKeys, other: &ContentKeys) -> bool {
    one.raw == other.raw || one.canonical == other.canonical
}

/// Takes out a message that says this.
fn take_equal(there: &mut Contents, content: &ContentKeys) -> Option<Uid> {
    let found = there.iter().find(|(_, keys)| is_equal(keys, content)).map(|(uid, _)| *uid)?;
    there.remove(&found);
    Some(found)
}
