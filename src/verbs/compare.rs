//! Finds out what both sides hold and which messages are the same: the ground of `copy` and `verify`.
//!
//! Both sides are scanned at the same time, and each pair of folders is matched as soon as both scans are there, so
//! that only one folder's scans are in memory at a time.

mod bodies;

use super::MessageFilter;
use super::known::{Asking, Known, Recognised};
use super::left_out::FilteredOut;
use crate::engine::scans::{more_than_listed, read_listed};
use crate::event::{Event, Observer};
use crate::exec::Link;
use crate::folders;
use crate::mail::{FlagTable, HeaderKey, MailboxName, Message, Side, UidSet, counted};
use crate::plan::{MatchRules, Matching, match_folder};
use crate::store::{
    AsReadStore, Error, ErrorKind, FolderScan, ReadStore, Refusal, RefusalMeaning, ScanDepth, ScanRequest,
};
use std::collections::{HashMap, HashSet};
use std::iter::Peekable;
use std::slice;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How often a folder is scanned when the servers contradict themselves or refuse in passing.
const ATTEMPTS: usize = 3;

/// What was learnt of the target's folders in passing, by their pairs' indices: that need not be asked for.
pub(super) type Learnt = HashMap<usize, FolderScan>;

/// Two folders to compare.
pub(super) struct Pair {
    pub(super) source: MailboxName,
    /// `None`: it does not exist yet.
    pub(super) target: Option<MailboxName>,
    /// Whether headers are needed: not where the target's folder is known to be empty.
    pub(super) by_identity: bool,
    pub(super) drafts: bool,
    /// What earlier runs know of it.
    pub(super) known: Option<Known>,
    /// Only these messages of the source take part: of a view, what is in no other folder.
    pub(super) only: Option<UidSet>,
}

/// What is compared and how.
pub(super) struct Comparison<'a, C> {
    /// What is done on the target before its folders are scanned, while the source's are.
    pub(super) first_on_target: &'a (dyn Fn(&mut C) -> Result<Learnt, Error> + Sync),
    pub(super) pairs: &'a [Pair],
    pub(super) filter: &'a MessageFilter,
    /// Whether the filter limits the target's messages too: for `verify`, where what is left out is no difference.
    pub(super) filter_target: bool,
    /// Whether the target will be written to, so that its folders tell what they can keep.
    pub(super) for_writing: bool,
    /// Whether the target's flags are looked at where the source's have not changed.
    pub(super) target_flags: bool,
}

/// Two folders' contents and which messages of them are the same.
pub(super) struct Compared {
    pub(super) source: FolderScan,
    /// Without messages where the folder does not exist.
    pub(super) target: Option<FolderScan>,
    /// What an earlier run has paired.
    pub(super) recognised: Recognised,
    /// What was matched now, and what has no match.
    pub(super) matching: Matching,
    /// Why what earlier runs knew was not believed.
    pub(super) doubt: Option<String>,
    /// The source's messages of which it can't be told whether the target has them, as content could not be read.
    pub(super) doubtful: Vec<u32>,
    /// Those of the pairs whose headers differ in that one has `X` for each 8-bit byte of the other.
    pub(super) munged: HashSet<(u32, u32)>,
    /// Whether something on the target could not be read, so that it can't be told whether the source has it.
    pub(super) has_doubtful_target: bool,
    /// The source's messages that options left out.
    pub(super) filtered_out: FilteredOut,
}

impl<C: AsReadStore> Comparison<'_, C> {
    /// Compares the pairs with these indices. `each` gets a pair's index with its result, or with the reason why it could not be compared.
    pub(super) fn run(
        &self,
        link: &mut Link<C>,
        open: Vec<usize>,
        each: &mut dyn FnMut(usize, Result<Compared, String>),
    ) -> Result<(), Error> {
        let mut used: HashMap<MailboxName, UidSet> = HashMap::new();
        let mut open = open;
        // Folders of which everything is listed, whatever is known of them.
        let mut whole: HashSet<usize> = HashSet::new();
        for attempt in 1..=ATTEMPTS {
            let mut tied = Vec::new();
            let mut keyless = Vec::new();
            let mut again = Vec::new();
            let as_whole = &mut whole;
            let asked_whole = as_whole.clone();
            self.pass(link, &open, &asked_whole, attempt == 1, &mut |index, scans| match scans
                .and_then(|scans| complete(scans, attempt == ATTEMPTS))
            {
                Ok((source, target)) => {
                    let Some((source, target)) = self.fill_in(index, source, target) else {
                        // What was not listed can't be told from what is gone: everything is listed now.
                        as_whole.insert(index);
                        again.push(index);
                        return;
                    };
                    let mut compared = self.recognise(index, source, target, &used);
                    let needs_more = compared.lacks_keys(self.pairs[index].known.as_ref())
                        || !self.probe(index, &mut compared).is_empty()
                        || compared.lacks_keys(None);
                    if needs_more {
                        keyless.push((index, compared));
                        return;
                    }
                    match self.compare(index, compared, &mut used) {
                        compared if compared.matching.ties.is_empty() => each(index, Ok(compared)),
                        compared => tied.push((index, compared)),
                    }
                }
                Err(refusal) if refusal.meaning == RefusalMeaning::Transient && attempt < ATTEMPTS => {
                    if self.pairs[index].known.is_some() {
                        as_whole.insert(index);
                    }
                    again.push(index);
                }
                // A server may offer what it then refuses: it is asked in the plainest way before it is believed.
                Err(_) if self.pairs[index].known.is_some() && as_whole.insert(index) && attempt < ATTEMPTS => {
                    again.push(index);
                }
                Err(refusal) => each(index, Err(refusal.text)),
            })?;
            for (index, mut compared) in keyless {
                match self.read_keys(link, index, &mut compared)? {
                    Ok(()) => {
                        let unclear = self.probe(index, &mut compared);
                        self.probe_bodies(link, index, &mut compared, unclear)?;
                        if compared.doubt.is_some() && compared.lacks_keys(None) {
                            match self.read_keys(link, index, &mut compared)? {
                                Ok(()) => {}
                                Err(refusal) => {
                                    each(index, Err(refusal.text));
                                    continue;
                                }
                            }
                        }
                        tied.push((index, self.compare(index, compared, &mut used)));
                    }
                    Err(refusal) => each(index, Err(refusal.text)),
                }
            }
            for (index, mut compared) in tied {
                self.settle_ties(link, index, &mut compared)?;
                if let Some(target) = &self.pairs[index].target {
                    mark_used(&mut used, target, &compared);
                }
                each(index, Ok(compared));
            }
            open = again;
            if open.is_empty() {
                break;
            }
        }
        for index in open {
            each(index, Err("not all of its messages could be listed".to_owned()));
        }
        Ok(())
    }

    /// Scans both sides of these pairs once.
    fn pass(
        &self,
        link: &mut Link<C>,
        open: &[usize],
        whole: &HashSet<usize>,
        is_first: bool,
        each: &mut dyn FnMut(usize, Scans),
    ) -> Result<(), Error> {
        let depth = |index: &usize, side| self.depth(&self.pairs[*index], side, whole.contains(index));
        let source_requests: Vec<_> =
            open.iter().map(|index| self.source_request(&self.pairs[*index], depth(index, Side::SOURCE))).collect();
        let on_target: Vec<_> = open.iter().filter(|index| self.pairs[**index].target.is_some()).copied().collect();
        let Link { source, target } = link;
        std::thread::scope(|scope| {
            let (sender, scans) = sync_channel(2);
            let target_thread = scope.spawn(move || {
                let known = if is_first { (self.first_on_target)(target)? } else { Learnt::new() };
                let unknown = on_target.iter().filter(|index| !known.contains_key(index));
                let request = |index: &usize| self.target_request(&self.pairs[*index], depth(index, Side::TARGET));
                let requests: Vec<_> = unknown.filter_map(request).collect();
                let mut in_order = InOrder { pairs: on_target.iter().peekable(), known, sender };
                in_order.pass_known();
                target.reading().scan(&requests, &mut |_, scan| in_order.pass(scan))
            });
            let mut lost_target = false;
            let scanned = source.reading().scan(&source_requests, &mut |nth, source| {
                let index = open[nth];
                let Ok(target) = self.target_scan(index, &scans) else {
                    lost_target = true;
                    return;
                };
                each(index, source.and_then(|source| Ok((source, target?))));
            });
            drop(scans);
            let target_scanned = crate::exec::join(target_thread.join());
            scanned.and(target_scanned)?;
            if lost_target {
                return Err(Error::new(ErrorKind::Protocol, "the target's scan ended before its time"));
            }
            Ok(())
        })
    }

    /// The next scan from the target's thread, if this pair has a folder there.
    fn target_scan(
        &self,
        index: usize,
        scans: &Receiver<Result<FolderScan, Refusal>>,
    ) -> Result<Result<Option<FolderScan>, Refusal>, ()> {
        if self.pairs[index].target.is_none() {
            return Ok(Ok(None));
        }
        scans.recv().map(|scan| scan.map(Some)).map_err(|_| ())
    }

    fn source_request<'p>(&'p self, pair: &'p Pair, depth: ScanDepth) -> ScanRequest<'p> {
        let search = self.filter.search.as_deref();
        ScanRequest {
            mailbox: &pair.source,
            depth,
            uids: pair.only.clone().filter(|_| search.is_none()),
            search,
            for_writing: false,
        }
    }

    fn target_request<'p>(&'p self, pair: &'p Pair, depth: ScanDepth) -> Option<ScanRequest<'p>> {
        Some(ScanRequest {
            mailbox: pair.target.as_ref()?,
            depth,
            uids: None,
            search: self.filter.search.as_deref().filter(|_| self.filter_target),
            for_writing: self.for_writing,
        })
    }

    /// How much is asked of a side's folder: of what is known, only what may have changed.
    fn depth(&self, pair: &Pair, side: Side, whole: bool) -> ScanDepth {
        let asking = Asking { attributes: *self.filter != MessageFilter::default(), target_flags: self.target_flags };
        let known =
            pair.known.as_ref().filter(|_| !whole && pair.only.is_none()).and_then(|known| known.depth(side, asking));
        match known {
            Some(depth) if pair.by_identity => depth,
            _ if pair.by_identity => ScanDepth::Identity,
            _ => ScanDepth::Attributes,
        }
    }

    /// Fills in what was not listed, as it is as it was. `None` where that can't be believed.
    fn fill_in(
        &self,
        index: usize,
        source: FolderScan,
        target: Option<FolderScan>,
    ) -> Option<(FolderScan, Option<FolderScan>)> {
        let is_partial = |scan: &FolderScan| scan.unchanged.is_some();
        if !is_partial(&source) && !target.as_ref().is_some_and(is_partial) {
            return Some((source, target));
        }
        let known = self.pairs[index].known.as_ref()?;
        if known.doubt(&source, target.as_ref()?).is_some() {
            return None;
        }
        Some((known.fill_in(Side::SOURCE, source)?, Some(known.fill_in(Side::TARGET, target?)?)))
    }

    /// Limits two scans to what takes part, and finds what earlier runs have paired.
    fn recognise(
        &self,
        index: usize,
        mut source: FolderScan,
        mut target: Option<FolderScan>,
        used: &HashMap<MailboxName, UidSet>,
    ) -> Compared {
        let pair = &self.pairs[index];
        let mut recognised = Recognised::default();
        let mut doubt = None;
        if let Some(only) = &pair.only {
            source.messages.retain(|message| only.contains(message.uid()));
        }
        let mut filtered_out = FilteredOut::default();
        if self.filter.search.is_some() {
            let all = pair.only.as_ref().map_or(u64::from(source.exists), UidSet::len);
            filtered_out.add("--search", all.saturating_sub(source.messages.len() as u64 + source.unlisted));
        }
        source.messages.retain(|message| {
            let by = self.filter.refuses(message);
            by.into_iter().for_each(|by| filtered_out.add(by, 1));
            by.is_none()
        });
        if let (Some(scan), Some(name)) = (&mut target, &pair.target) {
            if self.filter_target {
                scan.messages.retain(|message| self.filter.refuses(message).is_none());
            }
            // Where two folders are mapped to one, a message of the target stands for one of one of them only.
            if let Some(used) = used.get(name) {
                scan.messages.retain(|message| !used.contains(message.uid()));
            }
            if let Some(known) = &pair.known {
                doubt = known.doubt(&source, scan);
                if doubt.is_none() {
                    recognised = known.recognise(&source, scan);
                }
            }
        }
        let matching = Matching::default();
        let (doubtful, munged, has_doubtful_target) = (Vec::new(), HashSet::new(), false);
        Compared { source, target, recognised, matching, doubt, doubtful, munged, has_doubtful_target, filtered_out }
    }

    /// Matches what no earlier run has paired.
    fn compare(&self, index: usize, mut compared: Compared, used: &mut HashMap<MailboxName, UidSet>) -> Compared {
        compared.matching = compared.match_unpaired(&MatchRules { drafts: self.pairs[index].drafts });
        if let Some(target) = &self.pairs[index].target {
            mark_used(used, target, &compared);
        }
        compared
    }

    /// Asks for what is lacking of unpaired messages and of those that are to be probed.
    fn read_keys(
        &self,
        link: &mut Link<C>,
        index: usize,
        compared: &mut Compared,
    ) -> Result<Result<(), Refusal>, Error> {
        let pair = &self.pairs[index];
        let (mut on_source, mut on_target) = compared.lacking();
        for (source, target) in compared.to_probe(pair.known.as_ref()) {
            on_source.push(source);
            on_target.push(target);
        }
        let source = add_keys(link.source.reading(), (&pair.source, "source"), &mut compared.source, &on_source)?;
        let (Some(scan), Some(name)) = (&mut compared.target, &pair.target) else { return Ok(source) };
        let target = add_keys(link.target.reading(), (name, "target"), scan, &on_target)?;
        Ok(source.and(target))
    }

    /// Reads the contents of what headers can't tell apart.
    fn settle_ties(&self, link: &mut Link<C>, index: usize, compared: &mut Compared) -> Result<(), Error> {
        for tie in std::mem::take(&mut compared.matching.ties) {
            let settled = self.settle_by_bodies(link, index, compared, &tie)?;
            compared.munged.extend(settled.munged);
            compared.doubtful.extend(settled.doubtful.source);
            compared.has_doubtful_target |= !settled.doubtful.target.is_empty();
            compared.matching.pairs.extend(settled.pairs);
            compared.matching.missing.extend(settled.missing);
            compared.matching.extra.extend(settled.extra);
        }
        compared.matching.missing.sort_unstable();
        compared.matching.extra.sort_unstable();
        Ok(())
    }
}

impl Compared {
    /// Forgets what the record says of pairs, as it is contradicted.
    fn believe_no_record(&mut self) {
        let doubt = "UIDs that were known belong to other messages now, as after a restoration from a backup";
        self.doubt = Some(doubt.to_owned());
        self.recognised = Recognised::default();
    }

    /// The positions of messages that no earlier run has paired, in both scans.
    fn unpaired(&self) -> (Vec<u32>, Vec<u32>) {
        let rest = |length: usize, taken: &dyn Fn(&super::known::KnownPair) -> u32| {
            let mut is_taken = vec![false; length];
            self.recognised.pairs.iter().for_each(|pair| is_taken[taken(pair) as usize] = true);
            (0..length as u32).filter(|at| !is_taken[*at as usize]).collect()
        };
        let on_target = self.target.as_ref().map_or(0, |scan| scan.messages.len());
        (rest(self.source.messages.len(), &|pair| pair.source), rest(on_target, &|pair| pair.target))
    }

    /// Matches what no earlier run has paired, by positions in the whole scans.
    fn match_unpaired(&self, rules: &MatchRules) -> Matching {
        if self.recognised.pairs.is_empty() {
            // Everything takes part: the scans are matched as they are, without a copy of their messages.
            let on_target = self.target.as_ref().map_or(&[][..], |scan| &scan.messages);
            return match_folder(&self.source.messages, on_target, rules);
        }
        let (on_source, on_target) = self.unpaired();
        let pick = |scan: &FolderScan, which: &[u32]| -> Vec<Message> {
            which.iter().map(|at| scan.messages[*at as usize]).collect()
        };
        let source = pick(&self.source, &on_source);
        let target = self.target.as_ref().map_or_else(Vec::new, |scan| pick(scan, &on_target));
        let mut matching = match_folder(&source, &target, rules);
        // The matching counts among the unpaired; here every position is one in the whole scan.
        let whole = |all: &[u32], which: &mut Vec<u32>| which.iter_mut().for_each(|at| *at = all[*at as usize]);
        whole(&on_source, &mut matching.missing);
        whole(&on_target, &mut matching.extra);
        for (source, target) in &mut matching.pairs {
            (*source, *target) = (on_source[*source as usize], on_target[*target as usize]);
        }
        for tie in &mut matching.ties {
            whole(&on_source, &mut tie.source);
            whole(&on_target, &mut tie.target);
        }
        matching
    }

    /// The positions of unpaired messages of which something is lacking: date and size of any, and the header where there
    /// is something to match on both sides.
    fn lacking(&self) -> (Vec<u32>, Vec<u32>) {
        let (mut on_source, mut on_target) = self.unpaired();
        let is_matched = !on_source.is_empty() && !on_target.is_empty();
        let lacks = |scan: &FolderScan, at: u32| {
            let message = &scan.messages[at as usize];
            message.is_bare() || is_matched && message.key() == HeaderKey::Unknown
        };
        on_source.retain(|at| lacks(&self.source, *at));
        on_target.retain(|at| self.target.as_ref().is_some_and(|scan| lacks(scan, *at)));
        (on_source, on_target)
    }

    /// The recorded pairs of which the header is looked at, and was not asked for on both sides.
    fn to_probe(&self, known: Option<&Known>) -> Vec<(u32, u32)> {
        let (Some(known), Some(target)) = (known, &self.target) else { return Vec::new() };
        let lacks = |scan: &FolderScan, at: u32| scan.messages[at as usize].key() == HeaderKey::Unknown;
        let mut pairs = known.to_probe(&self.recognised, &self.source, target);
        pairs.retain(|(source, at)| lacks(&self.source, *source) || lacks(target, *at));
        pairs
    }

    /// Whether something must be asked for before the messages can be matched.
    fn lacks_keys(&self, known: Option<&Known>) -> bool {
        let (on_source, on_target) = self.lacking();
        !on_source.is_empty() || !on_target.is_empty() || !self.to_probe(known).is_empty()
    }

    /// Whether what only the target has is known for certain: everything was listed, read and told apart.
    pub(super) fn is_certain(&self) -> bool {
        let all_listed = |scan: &FolderScan| scan.unlisted == 0;
        self.doubt.is_none()
            && self.doubtful.is_empty()
            && !self.has_doubtful_target
            && all_listed(&self.source)
            && self.target.as_ref().is_none_or(all_listed)
    }

    /// The messages that only the target has.
    pub(super) fn extra(&self) -> UidSet {
        let Some(target) = &self.target else { return UidSet::default() };
        self.matching.extra.iter().map(|at| target.messages[*at as usize].uid()).collect()
    }

    /// What is to be said of messages that the source has but does not list.
    pub(super) fn unlisted(&self) -> Option<String> {
        let count = self.source.unlisted;
        (count > 0).then(|| {
            format!("the source reports {} more than it lists; continuing with the rest", counted(count, "message"))
        })
    }

    /// Names the messages of which it can't be told whether the target has them. Gives how many there are.
    pub(super) fn tell_doubtful(&self, pair: &folders::Pair, observer: &dyn Observer) -> u64 {
        let folder = pair.from.to_string();
        for at in &self.doubtful {
            let uid = self.source.messages[*at as usize].uid();
            let reason = "can't read its content, so can't tell whether the target has it";
            observer.observe(&Event::MessageFailed { folder: &folder, uid, heading: None, reason });
        }
        self.doubtful.len() as u64
    }
}

/// Adds the header keys of these messages, as far as they were not asked for.
fn add_keys(
    store: &mut dyn ReadStore,
    (mailbox, side): (&MailboxName, &str),
    scan: &mut FolderScan,
    which: &[u32],
) -> Result<Result<(), Refusal>, Error> {
    let lacking = |at: &&u32| scan.messages[**at as usize].key() == HeaderKey::Unknown;
    let lacking: Vec<usize> = which.iter().filter(lacking).map(|at| *at as usize).collect();
    if lacking.is_empty() {
        return Ok(Ok(()));
    }
    let uids = lacking.iter().map(|at| scan.messages[*at].uid()).collect();
    Ok(read_listed(store, mailbox, &uids, side)?.map(|found| {
        for at in lacking {
            let message = &mut scan.messages[at];
            match found.messages.binary_search_by_key(&message.uid(), Message::uid) {
                Ok(known) => *message = found.messages[known].with_flags(message.flags()),
                // One that is gone meanwhile has nothing that could be matched.
                Err(_) => message.set_key(HeaderKey::Empty),
            }
        }
    }))
}

/// Lets a pair of scans pass that list as many messages as there are. A server that contradicts itself is asked again;
/// at `last` the source's messages that were listed are taken, but a target of which something is hidden is not copied
/// to, as what is hidden could be doubled.
fn complete(scans: (FolderScan, Option<FolderScan>), last: bool) -> Result<(FolderScan, Option<FolderScan>), Refusal> {
    let (source, target) = &scans;
    let on_target = target.as_ref().and_then(|scan| more_than_listed(scan, "the target"));
    let text = match (on_target, more_than_listed(source, "the source")) {
        (Some(text), _) => text,
        (None, Some(text)) if !last => text,
        (None, _) => return Ok(scans),
    };
    Err(Refusal { meaning: RefusalMeaning::Transient, text })
}

/// Passes the target's scans on in the order of their pairs, those that are known already at their places.
struct InOrder<'a> {
    pairs: Peekable<slice::Iter<'a, usize>>,
    known: Learnt,
    sender: SyncSender<Result<FolderScan, Refusal>>,
}

impl InOrder<'_> {
    fn pass(&mut self, scan: Result<FolderScan, Refusal>) {
        // Nobody listens any more once the source has failed: that error is the one that is told.
        let _ = self.sender.send(scan);
        self.pairs.next();
        self.pass_known();
    }

    fn pass_known(&mut self) {
        while let Some(scan) = self.pairs.peek().and_then(|index| self.known.remove(index)) {
            let _ = self.sender.send(Ok(scan));
            self.pairs.next();
        }
    }
}

/// Both scans of a pair, or why one of them failed.
type Scans = Result<(FolderScan, Option<FolderScan>), Refusal>;

fn uids(scan: &FolderScan, which: &[u32]) -> UidSet {
    which.iter().map(|at| scan.messages[*at as usize].uid()).collect()
}

fn mark_used(used: &mut HashMap<MailboxName, UidSet>, name: &MailboxName, compared: &Compared) {
    let Some(target) = &compared.target else { return };
    let used = used.entry(name.clone()).or_default();
    for (_, at) in &compared.matching.pairs {
        used.insert(target.messages[*at as usize].uid());
    }
    for pair in &compared.recognised.pairs {
        used.insert(target.messages[pair.target as usize].uid());
    }
}

/// Keeps only these messages of a scan, and the flags.
pub(super) fn only(scan: &FolderScan, which: &[u32]) -> (Vec<Message>, FlagTable) {
    (which.iter().map(|at| scan.messages[*at as usize]).collect(), scan.flags.clone())
}
