//! Scans both sides and finds out which messages are the same: the basis of `copy` and `verify`.
//!
//! Both sides are scanned in parallel, and each pair of folders is matched as soon as both scans
//! have arrived, so only one folder's scans are in memory at a time.

mod bodies;
mod compared;
mod merged;
mod sorted;

pub(super) use compared::{Compared, only};
pub(super) use sorted::Sorted;

use super::MessageFilter;
use super::known::{Asking, Known, Recognised};
use super::left_out::FilteredOut;
use crate::engine::scans::{more_than_listed, read_listed};
use crate::exec::Link;
use crate::mail::{HeaderKey, MailboxName, Message, Side, UidSet};
use crate::plan::{MatchRules, Matching};
use crate::store::{
    Answer, AsReadStore, Error, ErrorKind, FolderScan, ReadStore, Refusal, RefusalMeaning,
    ScanDepth, ScanRequest,
};
use std::collections::{HashMap, HashSet};
use std::iter::Peekable;
use std::slice;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How often a folder is scanned if servers contradict themselves or refuse temporarily.
const ATTEMPTS: usize = 3;

/// What is already known about the target's folders, by their pairs' indices, and need not be
/// requested.
pub(super) type Learnt = HashMap<usize, FolderScan>;

/// Two folders to compare.
pub(super) struct Pair {
    pub(super) source: MailboxName,
    /// `None` if it doesn't exist yet.
    pub(super) target: Option<MailboxName>,
    /// Whether headers are needed: not if the target's folder is known to be empty.
    pub(super) by_identity: bool,
    pub(super) drafts: bool,
    /// What earlier runs recorded about it.
    pub(super) known: Option<Known>,
    /// Only these messages on the source are compared: those of a view that are in no other folder.
    pub(super) only: Option<UidSet>,
    /// Which of the source's messages take part, where each does in one folder only.
    pub(super) sorted: Option<Sorted>,
}

/// The folders to compare, and how.
pub(super) struct Comparison<'a, C> {
    /// Is done on the target before its folders are scanned, while the source's are.
    pub(super) first_on_target: &'a (dyn Fn(&mut C) -> Result<Learnt, Error> + Sync),
    pub(super) pairs: &'a [Pair],
    pub(super) filter: &'a MessageFilter,
    /// Whether the filter also limits the target's messages: for `verify`, as omitted messages
    /// aren't differences.
    pub(super) filter_target: bool,
    /// Whether the target will be written to, so its folders report the flags that they can keep.
    pub(super) for_writing: bool,
    /// Whether the target's flags are read even if the source's have not changed.
    pub(super) target_flags: bool,
    /// Whether the target keeps one of several equal messages.
    pub(super) target_merges: bool,
}

/// Receives a pair's index with its result, or with the reason why it could not be compared.
type Each<'e> = dyn FnMut(usize, Result<Compared, String>) + 'e;

/// The progress of a comparison, and the pairs that it waits for.
struct Progress<'e> {
    each: &'e mut Each<'e>,
    /// Whether this is the last scan.
    is_last: bool,
    /// The target's messages that already count as one of the source's.
    used: HashMap<MailboxName, UidSet>,
    /// The pairs to list in full, whatever is known about them.
    whole: HashSet<usize>,
    /// To be scanned again.
    again: Vec<usize>,
    /// To be compared once some of their headers or bodies are read.
    keyless: Vec<(usize, Compared)>,
    /// Compared except for their ties.
    tied: Vec<(usize, Compared)>,
}

/// The pairs scanned together.
#[derive(Clone, Copy)]
struct Pass<'p> {
    open: &'p [usize],
    /// Those to list in full, whatever is known about them.
    whole: &'p HashSet<usize>,
    /// Whether the target is used for the first time.
    is_first: bool,
}

impl<'e> Progress<'e> {
    fn new(each: &'e mut Each<'e>) -> Self {
        let (again, keyless, tied) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            each,
            is_last: false,
            used: HashMap::new(),
            whole: HashSet::new(),
            again,
            keyless,
            tied,
        }
    }

    fn finish(&mut self, index: usize, compared: Compared) {
        (self.each)(index, Ok(compared));
    }

    fn fail(&mut self, index: usize, reason: String) {
        (self.each)(index, Err(reason));
    }
}

impl<C: AsReadStore> Comparison<'_, C> {
    /// Compares the pairs with these indices. `each` receives a pair's index with its result, or
    /// with the reason why it could not be compared.
    pub(super) fn run(
        &self,
        link: &mut Link<C>,
        open: Vec<usize>,
        each: &mut Each<'_>,
    ) -> Result<(), Error> {
        let mut progress = Progress::new(each);
        let mut open = open;
        for attempt in 1..=ATTEMPTS {
            progress.is_last = attempt == ATTEMPTS;
            let whole = progress.whole.clone();
            let pass = Pass {
                open: &open,
                whole: &whole,
                is_first: attempt == 1,
            };
            self.pass(link, pass, &mut |index, scans| {
                self.take_scans(index, scans, &mut progress);
            })?;
            for (index, compared) in std::mem::take(&mut progress.keyless) {
                self.take_keyless(link, index, compared, &mut progress)?;
            }
            for (index, compared) in std::mem::take(&mut progress.tied) {
                self.take_tied(link, index, compared, &mut progress)?;
            }
            open = std::mem::take(&mut progress.again);
            if open.is_empty() {
                break;
            }
        }
        for index in open {
            progress.fail(index, "not all of its messages could be listed".to_owned());
        }
        Ok(())
    }

    /// Takes a pair's scans: compares them now, or once more has been read, or has them scanned
    /// again.
    fn take_scans(&self, index: usize, scans: Scans, progress: &mut Progress<'_>) {
        match scans.and_then(|scans| complete(scans, progress.is_last)) {
            Ok((source, target)) => self.take_complete(index, source, target, progress),
            Err(refusal) => self.take_refusal(index, refusal, progress),
        }
    }

    /// Compares a pair of complete scans, as far as they suffice.
    fn take_complete(
        &self,
        index: usize,
        source: FolderScan,
        target: Option<FolderScan>,
        progress: &mut Progress<'_>,
    ) {
        let Some((source, target)) = self.fill_in(index, source, target) else {
            // Unlisted messages can't be told from deleted ones, so list everything.
            progress.whole.insert(index);
            progress.again.push(index);
            return;
        };
        let mut compared = self.recognise(index, source, target, &progress.used);
        let needs_more = compared.lacks_keys(self.pairs[index].known.as_ref())
            || !self.probe(index, &mut compared).is_empty()
            || compared.lacks_keys(None);
        if needs_more {
            progress.keyless.push((index, compared));
            return;
        }
        let compared = self.compare(index, compared, &mut progress.used);
        let may_merge = self.target_merges && !merged::alike(&compared).is_empty();
        if compared.matching.ties.is_empty() && !may_merge {
            progress.finish(index, compared);
        } else {
            progress.tied.push((index, compared));
        }
    }

    /// Has a pair scanned again if that may help, otherwise reports why it can't be compared.
    fn take_refusal(&self, index: usize, refusal: Refusal, progress: &mut Progress<'_>) {
        // A server may refuse an extension that it offers, so ask in the plainest way before
        // believing it.
        let may_ask_simpler = self.pairs[index].known.is_some() && progress.whole.insert(index);
        let may_help = may_ask_simpler || refusal.meaning.is_passing();
        if may_help && !progress.is_last {
            progress.again.push(index);
        } else {
            progress.fail(index, refusal.text);
        }
    }

    /// Compares a pair that needs more than its scans, except for its ties.
    fn take_keyless(
        &self,
        link: &mut Link<C>,
        index: usize,
        mut compared: Compared,
        progress: &mut Progress<'_>,
    ) -> Result<(), Error> {
        let mut read = self.read_keys(link, index, &mut compared)?;
        if read.is_ok() {
            let unclear = self.probe(index, &mut compared);
            self.probe_bodies(link, index, &mut compared, unclear)?;
            if compared.doubt.is_some() && compared.lacks_keys(None) {
                read = self.read_keys(link, index, &mut compared)?;
            }
        }
        match read {
            Ok(()) => progress
                .tied
                .push((index, self.compare(index, compared, &mut progress.used))),
            Err(refusal) => progress.fail(index, refusal.text),
        }
        Ok(())
    }

    /// Settles the ties of a pair, which completes it.
    fn take_tied(
        &self,
        link: &mut Link<C>,
        index: usize,
        mut compared: Compared,
        progress: &mut Progress<'_>,
    ) -> Result<(), Error> {
        self.settle_ties(link, index, &mut compared)?;
        if self.target_merges {
            self.leave_merged(link, index, &mut compared)?;
        }
        if let Some(target) = &self.pairs[index].target {
            mark_used(&mut progress.used, target, &compared);
        }
        progress.finish(index, compared);
        Ok(())
    }

    /// Scans both sides of these pairs once.
    fn pass(
        &self,
        link: &mut Link<C>,
        pass: Pass<'_>,
        each: &mut dyn FnMut(usize, Scans),
    ) -> Result<(), Error> {
        let source_request = |index: &usize| {
            let pair = &self.pairs[*index];
            self.source_request(
                pair,
                self.depth(pair, Side::SOURCE, pass.whole.contains(index)),
            )
        };
        let source_requests: Vec<_> = pass.open.iter().map(source_request).collect();
        let Link { source, target } = link;
        std::thread::scope(|scope| {
            let (sender, scans) = sync_channel(2);
            let target_thread = scope.spawn(move || self.scan_target(target, pass, sender));
            let mut lost_target = false;
            let scanned = source.reading().scan(&source_requests, &mut |nth, source| {
                let index = pass.open[nth];
                let Ok(target) = self.target_scan(index, &scans) else {
                    lost_target = true;
                    return;
                };
                each(index, source.and_then(|source| Ok((source, target?))));
            });
            drop(scans);
            let target_scanned = crate::exec::join(target_thread);
            scanned.and(target_scanned)?;
            if lost_target {
                return Err(Error::new(
                    ErrorKind::Protocol,
                    "the target's scan ended before its time",
                ));
            }
            Ok(())
        })
    }

    /// Does the preceding work on the target, then scans the folders of these pairs there.
    fn scan_target(
        &self,
        target: &mut C,
        pass: Pass<'_>,
        sender: SyncSender<Answer<FolderScan>>,
    ) -> Result<(), Error> {
        let exists = |index: &&usize| self.pairs[**index].target.is_some();
        let on_target: Vec<usize> = pass.open.iter().filter(exists).copied().collect();
        let known = if pass.is_first {
            (self.first_on_target)(target)?
        } else {
            Learnt::new()
        };
        let unknown = on_target.iter().filter(|index| !known.contains_key(index));
        let request = |index: &usize| {
            let pair = &self.pairs[*index];
            self.target_request(
                pair,
                self.depth(pair, Side::TARGET, pass.whole.contains(index)),
            )
        };
        let requests: Vec<_> = unknown.filter_map(request).collect();
        let mut in_order = InOrder {
            pairs: on_target.iter().peekable(),
            known,
            sender,
        };
        in_order.pass_known();
        target
            .reading()
            .scan(&requests, &mut |_, scan| in_order.pass(scan))
    }

    /// Returns the next scan from the target's thread, if this pair has a folder there.
    fn target_scan(
        &self,
        index: usize,
        scans: &Receiver<Answer<FolderScan>>,
    ) -> Result<Answer<Option<FolderScan>>, ()> {
        if self.pairs[index].target.is_none() {
            return Ok(Ok(None));
        }
        // A stop ends the target's scan, and with it this wait.
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

    /// Returns how much to request from a side's folder: only what may have changed since the
    /// record.
    fn depth(&self, pair: &Pair, side: Side, whole: bool) -> ScanDepth {
        let asking = Asking {
            attributes: *self.filter != MessageFilter::default(),
            target_flags: self.target_flags,
        };
        let known = pair
            .known
            .as_ref()
            .filter(|_| !whole && pair.only.is_none() && pair.sorted.is_none())
            .and_then(|known| known.depth(side, asking));
        match known {
            Some(depth) if pair.by_identity => depth,
            _ if pair.by_identity => ScanDepth::Identity,
            _ => ScanDepth::Attributes,
        }
    }

    /// Fills in unlisted messages as they were recorded. `None` if the record can't be trusted.
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
        Some((
            known.fill_in(Side::SOURCE, source)?,
            Some(known.fill_in(Side::TARGET, target?)?),
        ))
    }

    /// Limits two scans to the selected messages, and finds the pairs of earlier runs.
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
        let filtered_out = self.filter_source(pair, &mut source);
        if let (Some(scan), Some(name)) = (&mut target, &pair.target) {
            if self.filter_target {
                scan.messages
                    .retain(|message| self.filter.refuses(message).is_none());
            }
            // If two folders are mapped to one, a message on the target counts for only one of
            // them.
            if let Some(used) = used.get(name) {
                scan.messages
                    .retain(|message| !used.contains(message.uid()));
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
        Compared {
            source,
            target,
            recognised,
            matching,
            doubt,
            doubtful,
            munged,
            has_doubtful_target,
            filtered_out,
        }
    }

    /// Limits the source's scan to the selected messages. Returns what options left out.
    fn filter_source(&self, pair: &Pair, source: &mut FolderScan) -> FilteredOut {
        if let Some(only) = &pair.only {
            source
                .messages
                .retain(|message| only.contains(message.uid()));
        }
        let mut filtered_out = FilteredOut::default();
        if self.filter.search.is_some() {
            let all = pair
                .only
                .as_ref()
                .map_or(u64::from(source.exists), UidSet::len);
            filtered_out.add(
                "--search",
                all.saturating_sub(source.messages.len() as u64 + source.unlisted),
            );
        }
        source.messages.retain(|message| {
            let by = self.filter.refuses(message);
            by.into_iter().for_each(|by| filtered_out.add(by, 1));
            by.is_none()
        });
        if let Some(sorted) = &pair.sorted {
            sorted.limit(&mut source.messages, &mut source.flags, &mut filtered_out);
        }
        filtered_out
    }

    /// Matches messages that no earlier run has paired.
    fn compare(
        &self,
        index: usize,
        mut compared: Compared,
        used: &mut HashMap<MailboxName, UidSet>,
    ) -> Compared {
        compared.matching = compared.match_unpaired(&MatchRules {
            drafts: self.pairs[index].drafts,
        });
        if let Some(target) = &self.pairs[index].target {
            mark_used(used, target, &compared);
        }
        compared
    }

    /// Requests missing attributes of unpaired messages and of those to be probed.
    fn read_keys(
        &self,
        link: &mut Link<C>,
        index: usize,
        compared: &mut Compared,
    ) -> Result<Answer<()>, Error> {
        let pair = &self.pairs[index];
        let (mut on_source, mut on_target) = compared.lacking();
        for (source, target) in compared.to_probe(pair.known.as_ref()) {
            on_source.push(source);
            on_target.push(target);
        }
        let source = add_keys(
            link.source.reading(),
            (&pair.source, "source"),
            &mut compared.source,
            &on_source,
        )?;
        let (Some(scan), Some(name)) = (&mut compared.target, &pair.target) else {
            return Ok(source);
        };
        let target = add_keys(link.target.reading(), (name, "target"), scan, &on_target)?;
        Ok(source.and(target))
    }

    /// Reads the contents of messages that headers can't tell apart.
    fn settle_ties(
        &self,
        link: &mut Link<C>,
        index: usize,
        compared: &mut Compared,
    ) -> Result<(), Error> {
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

/// Adds the header keys of these messages, if they have not been requested yet.
fn add_keys(
    store: &mut dyn ReadStore,
    (mailbox, side): (&MailboxName, &str),
    scan: &mut FolderScan,
    which: &[u32],
) -> Result<Answer<()>, Error> {
    let lacking = |at: &&u32| scan.messages[**at as usize].key() == HeaderKey::Unknown;
    let lacking: Vec<usize> = which
        .iter()
        .filter(lacking)
        .map(|at| *at as usize)
        .collect();
    if lacking.is_empty() {
        return Ok(Ok(()));
    }
    let uids = lacking.iter().map(|at| scan.messages[*at].uid()).collect();
    Ok(read_listed(store, mailbox, &uids, side)?.map(|found| {
        for at in lacking {
            let message = &mut scan.messages[at];
            match found
                .messages
                .binary_search_by_key(&message.uid(), Message::uid)
            {
                Ok(known) => *message = found.messages[known].with_flags(message.flags()),
                // One that has been deleted since can't be matched.
                Err(_) => message.set_key(HeaderKey::Empty),
            }
        }
    }))
}

/// Accepts a pair of scans that list as many messages as the folders have. If a server contradicts
/// itself, it is scanned again. With `last`, the source's listed messages are used; but nothing is
/// copied to a target that hides messages, as these could be duplicated.
fn complete(
    scans: (FolderScan, Option<FolderScan>),
    last: bool,
) -> Answer<(FolderScan, Option<FolderScan>)> {
    let (source, target) = &scans;
    let on_target = target
        .as_ref()
        .and_then(|scan| more_than_listed(scan, "the target"));
    let text = match (on_target, more_than_listed(source, "the source")) {
        (Some(text), _) => text,
        (None, Some(text)) if !last => text,
        (None, _) => return Ok(scans),
    };
    Err(Refusal {
        meaning: RefusalMeaning::Transient,
        text,
    })
}

/// Passes on the target's scans in the order of their pairs, including those already known.
struct InOrder<'a> {
    pairs: Peekable<slice::Iter<'a, usize>>,
    known: Learnt,
    sender: SyncSender<Answer<FolderScan>>,
}

impl InOrder<'_> {
    fn pass(&mut self, scan: Answer<FolderScan>) {
        // Once the source has failed, nothing receives this: that error is the one reported.
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

/// Returns both scans of a pair, or why one of them failed.
type Scans = Answer<(FolderScan, Option<FolderScan>)>;

fn uids(scan: &FolderScan, which: &[u32]) -> UidSet {
    which
        .iter()
        .map(|at| scan.messages[*at as usize].uid())
        .collect()
}

fn mark_used(used: &mut HashMap<MailboxName, UidSet>, name: &MailboxName, compared: &Compared) {
    let Some(target) = &compared.target else {
        return;
    };
    let used = used.entry(name.clone()).or_default();
    for (_, at) in &compared.matching.pairs {
        used.insert(target.messages[*at as usize].uid());
    }
    for pair in &compared.recognised.pairs {
        used.insert(target.messages[pair.target as usize].uid());
    }
}
