//! What both sides' folders show now. Of what is known, only what has changed is asked for; where
//! the counts do not agree with what is filled in, everything is.

use super::{SideState, Sync, Work};
use crate::engine::scans::{read_listed, seems_capped};
use crate::exec::Link;
use crate::mail::{
    Both, Counters, FlagTable, Flags, HeaderKey, MailboxName, Message, PermanentFlags, Side,
    UidNext, UidSet,
};
use crate::plan::merge::{BaseFolder, PairState, View};
use crate::store::{
    Answer, Baseline, Error, FolderScan, Refusal, RefusalMeaning, ScanDepth, ScanRequest,
};
use crate::verbs::same_mailbox::left_marked;

/// How often a folder is scanned when a server contradicts itself or refuses in passing.
const ATTEMPTS: usize = 3;

/// What a scan of one side's folder gave.
type Scanned = Option<Answer<FolderScan>>;

impl Sync<'_> {
    /// Scans these folders on both sides.
    pub(super) fn scan(&mut self, link: &mut Link) -> Result<(), Error> {
        let open: Vec<usize> = (0..self.works.len())
            .filter(|at| !self.works[*at].in_step)
            .collect();
        let for_writing = !self.options.dry_run;
        let works = &self.works;
        let scans: Both<Vec<Scanned>> = link.on_both(|side, store| {
            let mut scans: Vec<Scanned> = open.iter().map(|_| None).collect();
            let mut left: Vec<usize> = (0..open.len())
                .filter(|at| works[open[*at]].raw[side].is_some())
                .collect();
            let mut whole = vec![false; open.len()];
            for attempt in 1..=ATTEMPTS {
                let requests: Vec<ScanRequest<'_>> = (left.iter())
                    .filter_map(|at| request(&works[open[*at]], side, whole[*at], for_writing))
                    .collect();
                let mut again = Vec::new();
                store.scan(&requests, &mut |nth, scan| {
                    let at = left[nth];
                    let is_last = attempt == ATTEMPTS;
                    let (taken, is_done) = take(&works[open[at]], side, scan, &mut whole[at]);
                    if !is_done && !is_last {
                        again.push(at);
                    }
                    scans[at] = Some(taken);
                })?;
                left = again;
                if left.is_empty() {
                    break;
                }
            }
            Ok(scans)
        })?;
        let Both { first, second } = scans;
        for (at, (first, second)) in open.into_iter().zip(first.into_iter().zip(second)) {
            self.look(at, Both::new(first, second));
        }
        Ok(())
    }

    fn look(&mut self, at: usize, scans: Both<Scanned>) {
        let dry_run = self.options.dry_run;
        let mut refused = None;
        for (side, scan) in scans.each() {
            let work = &mut self.works[at];
            match scan {
                None => {}
                Some(Ok(scan)) => work.take_scan(side, scan, dry_run),
                Some(Err(refusal)) => refused = Some((work.name(side), refusal.text)),
            }
        }
        if let Some((name, text)) = refused {
            self.works[at].unread = true;
            self.works[at].views = Both::new(View::absent(), View::absent());
            self.fail_folder(&name, &text);
        }
    }

    /// Asks for all attributes and headers of these messages of a side's folder, which are in its
    /// view.
    pub(super) fn read_more(
        &mut self,
        link: &mut Link,
        at: usize,
        side: Side,
        indices: &[u32],
    ) -> Result<(), Error> {
        let work = &self.works[at];
        let Some(mailbox) = work.raw[side].clone().filter(|_| !indices.is_empty()) else {
            return Ok(());
        };
        let messages = work.views[side].messages();
        let uids: UidSet = indices
            .iter()
            .filter_map(|index| messages.get(*index as usize))
            .map(Message::uid)
            .collect();
        match read_listed(link.side(side), &mailbox, &uids, side.ordinal())? {
            Ok(found) => self.works[at].learn(side, &uids, &found),
            Err(refusal) => {
                let work = &mut self.works[at];
                work.unread = true;
                let name = work.name(side);
                self.fail_folder(&name, &refusal.text);
            }
        }
        Ok(())
    }
}

impl Work {
    fn take_scan(&mut self, side: Side, mut scan: FolderScan, dry_run: bool) {
        self.marked[side] = left_marked(&scan);
        let mark = Flags::from_names([Flags::MARK]);
        // The other side never learns of it.
        for message in scan
            .messages
            .iter_mut()
            .filter(|message| self.marked[side].contains(message.uid()))
        {
            *message = message.with_flags(
                scan.flags
                    .intern(scan.flags.get(message.flags()).minus(&mark)),
            );
        }
        // A folder that is opened for reading only says of every flag that it keeps none.
        let permanent = if dry_run {
            PermanentFlags::everything()
        } else {
            scan.permanent_flags.clone()
        };
        let uid_next = scan
            .uid_next
            .or_else(|| Some(self.least_uid_next(side, &scan)));
        let counters = Counters {
            uid_next,
            ..scan.counters()
        };
        let had = self
            .stored
            .as_ref()
            .and_then(|stored| stored.sides[side].counters.messages);
        let is_capped = had.is_some_and(|had| seems_capped(had, scan.exists));
        let exists = u32::try_from(scan.messages.len() as u64 + scan.unlisted).unwrap_or(u32::MAX);
        let mailbox_id = scan
            .mailbox_id
            .or_else(|| self.state[side].mailbox_id.take());
        self.state[side] = SideState {
            counters,
            mailbox_id,
            permanent: permanent.clone(),
        };
        let view = View::new(
            scan.messages,
            scan.flags,
            UidSet::default(),
            counters,
            exists,
        )
        .keeping(permanent);
        self.views[side] = if is_capped { view.capped() } else { view };
    }

    /// What UIDNEXT is at least, of a server that did not say when the folder was opened: as STATUS
    /// said, or as it was before, as deleting the newest messages does not lower it.
    fn least_uid_next(&self, side: Side, scan: &FolderScan) -> UidNext {
        let stored = self.stored.as_ref().map(|stored| &stored.sides[side]);
        let before = stored
            .filter(|stored| stored.counters.uid_validity == scan.uid_validity)
            .and_then(|stored| stored.counters.uid_next);
        let told = self.state[side]
            .counters
            .uid_next
            .or(before)
            .unwrap_or(UidNext::FIRST);
        let last = scan.messages.last();
        last.map_or(told, |message| told.max(UidNext::after(message.uid())))
    }

    /// Puts what was read of messages into a side's view. One that is gone meanwhile is not shown
    /// any more.
    fn learn(&mut self, side: Side, asked: &UidSet, found: &FolderScan) {
        let view = &self.views[side];
        let mut flags = FlagTable::default();
        let mut messages = Vec::with_capacity(view.messages().len());
        for message in view.messages() {
            let set = flags.intern(view.flags(message));
            if !asked.contains(message.uid()) {
                messages.push(message.with_flags(set));
            } else if let Ok(at) = found
                .messages
                .binary_search_by_key(&message.uid(), Message::uid)
            {
                let mut read = found.messages[at].with_flags(set);
                if read.key() == HeaderKey::Unknown {
                    read.set_key(HeaderKey::Empty);
                }
                messages.push(read);
            }
        }
        let is_capped = view.extent() == crate::plan::merge::Extent::Capped;
        let exists = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let (mark, permanent) = (*view.mark(), view.permanent().clone());
        let view = View::new(messages, flags, UidSet::default(), mark, exists).keeping(permanent);
        self.views[side] = if is_capped { view.capped() } else { view };
    }
}

fn request(work: &Work, side: Side, whole: bool, for_writing: bool) -> Option<ScanRequest<'_>> {
    let mailbox: &MailboxName = work.raw[side].as_ref()?;
    let baseline = work
        .base
        .as_ref()
        .filter(|_| !whole)
        .and_then(|base| baseline(base, work, side));
    let depth = baseline.map_or(ScanDepth::Identity, ScanDepth::Since);
    Some(ScanRequest {
        for_writing,
        ..ScanRequest::new(mailbox, depth)
    })
}

/// What is known of a side's folder, if what is known can be relied on.
fn baseline(base: &BaseFolder, work: &Work, side: Side) -> Option<Baseline> {
    if base.is_unfinished() {
        return None;
    }
    let then = work.stored.as_ref()?.sides[side].counters;
    let now = &work.state[side].counters;
    if then.uid_validity.is_none()
        || now.uid_validity.is_some() && now.uid_validity != then.uid_validity
    {
        return None;
    }
    let highest = |of: Side| {
        let there = base
            .pairs()
            .iter()
            .filter(|pair| pair.state() == PairState::Settled);
        there
            .max_by_key(|pair| pair.uids()[of])
            .map(|pair| pair.uids()[side])
    };
    let probe = [highest(Side::First), highest(Side::Second)];
    Baseline::since(then.uid_next, then.mod_seq, probe)
}

/// What a scan gave, and whether it can be relied on; else it is to be made again, of everything.
fn take(
    work: &Work,
    side: Side,
    scan: Answer<FolderScan>,
    whole: &mut bool,
) -> (Answer<FolderScan>, bool) {
    match scan {
        Ok(scan) => match work
            .base
            .as_ref()
            .filter(|_| !*whole && scan.unchanged.is_some())
        {
            Some(base) => match fill_in(base, side, scan) {
                Some(filled) => (Ok(filled), true),
                None => {
                    *whole = true;
                    let text = "not all of its messages could be listed".to_owned();
                    (
                        Err(Refusal {
                            meaning: RefusalMeaning::Transient,
                            text,
                        }),
                        false,
                    )
                }
            },
            None => {
                let is_done = scan.unlisted == 0;
                (Ok(scan), is_done)
            }
        },
        Err(refusal) => {
            // A server may offer what it then refuses: it is asked in the plainest way before it is
            // believed.
            let is_new = !std::mem::replace(whole, true);
            let is_done = !(refusal.meaning.is_passing() || is_new && work.base.is_some());
            (Err(refusal), is_done)
        }
    }
}

/// What a scan of changes did not list is as it was. `None`: something in it could not be read, or
/// the server's count of messages says otherwise.
fn fill_in(base: &BaseFolder, side: Side, scan: FolderScan) -> Option<FolderScan> {
    let there = || {
        base.pairs()
            .iter()
            .filter(|pair| pair.state() != PairState::DeletedOn(side))
    };
    let known: UidSet = there().map(|pair| pair.uids()[side]).collect();
    scan.filled_in(
        there().map(|pair| (pair.uids()[side], held(base, pair, side))),
        |uid| known.contains(uid),
    )
}

/// The flags that a side's message had when both sides agreed.
fn held(base: &BaseFolder, pair: &crate::plan::merge::BasePair, side: Side) -> Flags {
    let agreed = base.flags(pair);
    agreed.flags.minus(&agreed.lacks[side])
}
