//! From two listings to what is done: folders are paired, read, and their messages merged.

use super::strays::Suspect;
use super::{SideState, Sync, Work};
use crate::exec::{Contents, Link, read_tied};
use crate::folders::FolderName;
use crate::mail::{Both, Counters, HeaderKey, MailboxName, Message, Side, SpecialUse, UidSet};
use crate::plan::merge::{
    At, Extent, Fate, Folder, FolderIdentity, FolderKind, FolderMerge, FolderPair, Move, Policy,
    Row, SeenFolder, View, fate, headers_wanted, hold_back, hold_departures, leave_alone,
    merge_folders, merge_messages, merge_moves, trace,
};
use crate::plan::{Likeness, MatchRules, Settled, Tie, settle};
use crate::state::TwoWayFolder;
use crate::store::{Error, ScanDepth, ScanRequest};
use std::collections::{HashMap, HashSet};

impl Sync<'_> {
    /// Decides all that is to be done.
    pub(super) fn plan(&mut self, link: &mut Link) -> Result<(), Error> {
        self.find_uids(link)?;
        let seen = self.listed.seen.as_ref().map(Vec::as_slice);
        let policy = Policy {
            unlisted: self.listed.unlisted,
            ..self.options.policy.clone()
        };
        self.folders = merge_folders(self.memory.known(), seen, &policy);
        let pairs = self.folders.pairs.clone();
        self.works = pairs
            .into_iter()
            .map(|pair| self.work(pair))
            .collect::<Result<_, _>>()?;
        self.note_new();
        self.scan(link)?;
        for at in 0..self.works.len() {
            if !self.works[at].in_step && !self.works[at].unread {
                self.read_headers(link, at)?;
                self.merge(link, at)?;
            }
        }
        self.leave_half_seen(link)?;
        let folders: Vec<Folder<'_>> = self.works.iter().map(Work::folder).collect();
        let mut merges: Vec<FolderMerge> =
            self.works.iter().map(|work| work.merge.clone()).collect();
        let (moves, unread) = self.find_moves(link, &folders, &mut merges)?;
        let mut gone = self.gone_by_now(link, Side::First, &unread.first)?;
        gone.extend(self.gone_by_now(link, Side::Second, &unread.second)?);
        let is_left: Vec<bool> = (folders.iter().zip(&mut merges))
            .map(|(folder, merge)| !gone.is_empty() && leave_alone(folder, merge, &gone))
            .collect();
        let hiding = Both::of(|side| self.hiding(side));
        let held = hold_departures(&mut merges, hiding.as_ref().map(|names| !names.is_empty()));
        self.verdicts = hold_back(&folders, &mut merges, &self.options.policy);
        self.moves = moves;
        for ((work, merge), is_left) in self.works.iter_mut().zip(merges).zip(is_left) {
            work.merge = merge;
            work.open |= is_left;
        }
        self.tell_held_departures(&held, &hiding);
        self.summary.folders = self
            .works
            .iter()
            .filter(|work| work.raw.any(Option::is_some))
            .count() as u64;
        self.tell_holdings(link)?;
        self.tell_refused();
        self.find_originals(link)?;
        self.tell_folders();
        self.check_room(link)
    }

    /// Finds what was moved. Gives with it the messages that could not be read, so that it can't be
    /// told whether they were.
    fn find_moves(
        &self,
        link: &mut Link,
        folders: &[Folder<'_>],
        merges: &mut [FolderMerge],
    ) -> Result<(Vec<Move>, Both<Vec<Suspect>>), Error> {
        let mut failure = None;
        let mut unread: Both<Vec<Suspect>> = Both::default();
        let mut is_same = |at: Both<At>| match self.have_same_content(link, at) {
            Ok(Some(same)) => same,
            Ok(None) => {
                Side::BOTH
                    .into_iter()
                    .for_each(|side| unread[side].extend(self.suspect(side, at[side])));
                false
            }
            Err(error) => {
                failure.get_or_insert(error);
                false
            }
        };
        let moves = merge_moves(folders, merges, &self.options.policy, &mut is_same);
        failure.map_or(Ok((moves, unread)), Err)
    }

    /// The folders of a side to which messages may have been moved that are missing in others: they
    /// could not be read, and nothing shows that no mail has come into them.
    fn hiding(&self, side: Side) -> Vec<String> {
        let works = self
            .works
            .iter()
            .filter(|work| work.hides_arrivals(side))
            .map(|work| work.name(side));
        // One that the other side may have is not looked into on either side.
        let unlisted = self
            .folders
            .left
            .iter()
            .filter(|left| left.row == Row::Unlisted);
        let unlisted =
            unlisted.filter(|left| left.side != side || !self.has_no_news(side, &left.name));
        works
            .chain(unlisted.map(|left| left.name.to_string()))
            .collect()
    }

    /// Whether a side's folder shows by its counters that no mail has come into it since both sides
    /// were in step.
    fn has_no_news(&self, side: Side, name: &FolderName) -> bool {
        let known = self
            .memory
            .known()
            .iter()
            .position(|known| known.name.key() == name.key());
        let stored = known
            .and_then(|known| self.memory.record(known))
            .map(|(_, stored)| stored);
        let seen = self.listed.seen[side]
            .iter()
            .find(|seen| seen.name.key() == name.key());
        stored
            .zip(seen)
            .is_some_and(|(stored, seen)| no_news(stored, side, &seen.identity.mark))
    }

    /// Which folders a side is to get, as the merge says.
    fn note_new(&mut self) {
        for side in Side::BOTH {
            let new: HashMap<String, Row> = self.folders.new[side]
                .iter()
                .map(|new| (new.name.key(), new.row))
                .collect();
            for work in &mut self.works {
                work.new[side] = new.get(&work.pair.names[side].key()).copied();
            }
        }
    }

    /// Asks for the UIDs, and the MAILBOXID, of folders that may be known ones under another name,
    /// where the listing told no MAILBOXID.
    fn find_uids(&mut self, link: &mut Link) -> Result<(), Error> {
        for side in Side::BOTH {
            let missing = self.missing(side);
            let may_be = self.may_be_known(side, &missing);
            if may_be.is_empty() {
                continue;
            }
            for at in missing {
                self.memory.read_uids(at)?;
            }
            let names: Vec<MailboxName> = may_be
                .iter()
                .map(|at| self.listed.folders[side][*at].raw.clone())
                .collect();
            let requests: Vec<ScanRequest<'_>> = (names.iter())
                .map(|mailbox| ScanRequest::new(mailbox, ScanDepth::Sizes))
                .collect();
            let seen = &mut self.listed.seen[side];
            link.side(side).scan(&requests, &mut |nth, scan| {
                let Ok(scan) = scan else { return };
                let identity = &mut seen[may_be[nth]].identity;
                if scan.unlisted == 0 {
                    identity.uids = Some(scan.messages.iter().map(Message::uid).collect());
                }
                if identity.mailbox_id.is_none() {
                    identity.mailbox_id = scan.mailbox_id.map(Into::into);
                }
            })?;
        }
        Ok(())
    }

    /// The known folders, by their number, that a side shows neither under their names nor by their
    /// MAILBOXIDs.
    fn missing(&self, side: Side) -> Vec<usize> {
        let seen = &self.listed.seen[side];
        let names: HashSet<String> = seen
            .iter()
            .filter(|seen| is_mail(seen))
            .map(|seen| seen.name.key())
            .collect();
        let ids: HashSet<&str> = seen
            .iter()
            .filter_map(|seen| seen.identity.mailbox_id.as_deref())
            .collect();
        let is_told = |id: Option<&str>| id.is_some_and(|id| ids.contains(id));
        (self.memory.known().iter().enumerate())
            .filter(|(_, known)| !is_told(known.identities[side].mailbox_id.as_deref()))
            .filter(|(_, known)| !names.contains(&known.name.key()))
            .map(|(at, _)| at)
            .collect()
    }

    /// The folders that a side shows under names that are not known, and that may be one of the
    /// missing.
    fn may_be_known(&self, side: Side, missing: &[usize]) -> Vec<usize> {
        if missing.is_empty() {
            return Vec::new();
        }
        let known = self.memory.known();
        let identities = || missing.iter().map(|at| &known[*at].identities[side]);
        let is_identified = identities().any(|identity| identity.mailbox_id.is_some());
        let gone: Vec<_> = identities()
            .filter_map(|identity| identity.mark.uid_validity)
            .collect();
        let may_be = |identity: &FolderIdentity| {
            identity
                .mark
                .uid_validity
                .is_some_and(|validity| gone.contains(&validity))
                || is_identified && identity.mailbox_id.is_none()
        };
        let names: HashSet<String> = known.iter().map(|known| known.name.key()).collect();
        (self.listed.seen[side].iter().enumerate())
            .filter(|(_, seen)| {
                is_mail(seen) && may_be(&seen.identity) && !names.contains(&seen.name.key())
            })
            .map(|(at, _)| at)
            .collect()
    }

    fn work(&self, pair: FolderPair) -> Result<Work, Error> {
        let seen =
            Both::of(|side| pair.seen[side].and_then(|at| self.listed.folders[side].get(at)));
        let raw = seen.map(|folder| folder.map(|folder| folder.raw.clone()));
        let state = seen.map(|folder| {
            let status = folder.and_then(|folder| folder.status.as_ref());
            SideState {
                counters: status.map(|status| status.counters).unwrap_or_default(),
                mailbox_id: status.and_then(|status| status.mailbox_id.clone()),
                permanent: crate::mail::PermanentFlags::default(),
            }
        });
        let known = pair.base.and_then(|base| self.memory.record(base));
        let is_drafts = |folder: &Option<&super::listing::SideFolder>| {
            folder.is_some_and(|folder| folder.role == Some(SpecialUse::Drafts))
        };
        let mut work = Work {
            record: known.map(|(id, _)| *id),
            stored: known.map(|(_, folder)| folder.clone()),
            base: None,
            refused_before: Vec::new(),
            drafts: seen.any(is_drafts),
            raw,
            state,
            views: Both::new(View::absent(), View::absent()),
            merge: FolderMerge::default(),
            arrived: Both::default(),
            marked: Both::default(),
            new: Both::default(),
            in_step: false,
            unread: false,
            open: false,
            misnamed: false,
            pair,
        };
        if let Some(base) = work.pair.base {
            work.refused_before = self.memory.refused(base)?;
        }
        let counts =
            seen.map(|folder| folder.and_then(|folder| folder.status.as_ref()?.counters.messages));
        let is_explained = self
            .options
            .explain
            .as_ref()
            .is_some_and(|(folder, _)| work.is_called(folder));
        // What is refused is named by each run.
        work.in_step = work.is_in_step(counts) && !is_explained && work.refused_before.is_empty();
        if work.in_step {
            work.views = Both::of(|side| as_many(work.state[side].counters.messages.unwrap_or(0)));
        } else if let Some(base) = work.pair.base {
            work.base = self.memory.base(base)?;
        }
        Ok(work)
    }

    /// Asks for the headers that it takes to merge a folder.
    fn read_headers(&mut self, link: &mut Link, at: usize) -> Result<(), Error> {
        let wanted = headers_wanted(&self.works[at].folder());
        for side in Side::BOTH {
            self.read_more(link, at, side, &wanted[side])?;
        }
        Ok(())
    }

    fn merge(&mut self, link: &mut Link, at: usize) -> Result<(), Error> {
        if self.works[at].unread {
            return Ok(());
        }
        let policy = &self.options.policy;
        let mut merge = merge_messages(&self.works[at].folder(), policy);
        // What is sent, kept or looked for is to be known in full.
        let lacking = Both::of(|side| self.works[at].lacking(&merge, side));
        if lacking.any(|indices| !indices.is_empty()) {
            for side in Side::BOTH {
                self.read_more(link, at, side, &lacking[side])?;
            }
            if self.works[at].unread {
                return Ok(());
            }
            merge = merge_messages(&self.works[at].folder(), policy);
        }
        let ties = merge.ties().to_vec();
        if !ties.is_empty() {
            let uids = Both::of(|side| {
                let indices = ties.iter().flat_map(|tie| {
                    if side == Side::First {
                        &tie.source
                    } else {
                        &tie.target
                    }
                });
                let messages = self.works[at].views[side].messages();
                indices
                    .filter_map(|index| messages.get(*index as usize))
                    .map(Message::uid)
                    .collect::<UidSet>()
            });
            let contents = self.contents(link, at, &uids)?;
            let views = &self.works[at].views;
            let content = |side: Side, index: u32| {
                let message = views[side].messages().get(index as usize)?;
                contents[side]
                    .get(&message.uid())
                    .map(|keys| Likeness::new(keys, message))
            };
            let settled: Vec<Settled> = ties.iter().map(|tie| settle(tie, content)).collect();
            merge.settle(&self.works[at].folder(), policy, settled);
        }
        self.works[at].merge = merge;
        Ok(())
    }

    fn contents(
        &self,
        link: &mut Link,
        at: usize,
        uids: &Both<UidSet>,
    ) -> Result<Both<Contents>, Error> {
        self.contents_of(link, Both::new(at, at), uids)
    }

    /// The contents of messages of a folder of each side.
    fn contents_of(
        &self,
        link: &mut Link,
        at: Both<usize>,
        uids: &Both<UidSet>,
    ) -> Result<Both<Contents>, Error> {
        link.on_both(|side, store| {
            let work = &self.works[at[side]];
            let Some(mailbox) = &work.raw[side] else {
                return Ok(Contents::new());
            };
            read_tied(
                store,
                mailbox,
                work.state[side].counters.uid_validity,
                &uids[side],
            )
        })
    }

    fn at(&self, side: Side, (work, index): At) -> Option<&Message> {
        self.works[work].message(side, index)
    }

    fn suspect(&self, side: Side, (work, index): At) -> Option<Suspect> {
        let message = self.at(side, (work, index))?;
        Some(Suspect {
            work,
            uid: message.uid(),
            trace: trace(message)?,
        })
    }

    /// Whether a message of each side are the same by their contents. `None`: one of them could not
    /// be read.
    fn have_same_content(&self, link: &mut Link, at: Both<At>) -> Result<Option<bool>, Error> {
        let messages = Both::of(|side| self.at(side, at[side]));
        let Both {
            first: Some(first),
            second: Some(second),
        } = messages
        else {
            return Ok(Some(false));
        };
        let uids = Both::new(
            UidSet::from_iter([first.uid()]),
            UidSet::from_iter([second.uid()]),
        );
        let contents = self.contents_of(link, at.map(|(work, _)| work), &uids)?;
        if Side::BOTH.into_iter().any(|side| contents[side].is_empty()) {
            return Ok(None);
        }
        let content = |side: Side, _| {
            let message = if side == Side::First { first } else { second };
            contents[side]
                .get(&message.uid())
                .map(|keys| Likeness::new(keys, message))
        };
        Ok(Some(
            !settle(
                &Tie {
                    source: vec![0],
                    target: vec![0],
                },
                content,
            )
            .pairs
            .is_empty(),
        ))
    }
}

impl Work {
    /// The folder as the merge sees it.
    pub(super) fn folder(&self) -> Folder<'_> {
        Folder {
            base: self.base.as_ref(),
            views: self.views.as_ref(),
            rules: MatchRules {
                drafts: self.drafts,
            },
            comes_back: self.pair.comes_back,
        }
    }

    /// What becomes of a folder that is missing on one side.
    pub(super) fn fate(&self, number: usize, moves: &[Move]) -> Option<Fate> {
        let gone = self.pair.deleted_on().filter(|_| !self.unread)?;
        Some(fate(gone, number, self.views.as_ref(), &self.merge, moves))
    }

    /// Whether both sides are as they were when they were last in step, by their counters.
    fn is_in_step(&self, counts: Both<Option<u32>>) -> bool {
        let Some(stored) = self.stored.as_ref().filter(|stored| !stored.unfinished) else {
            return false;
        };
        Side::BOTH.into_iter().all(|side| {
            let (then, now) = (&stored.sides[side], &self.state[side].counters);
            now.mod_seq.is_some()
                && counts[side].is_some()
                && Counters {
                    messages: counts[side],
                    ..*now
                } == then.counters
                && self.raw[side].as_ref() == Some(&then.name)
        })
    }

    /// Whether new mail in a side's folder was not seen, and the counters leave open whether there
    /// is any.
    fn hides_arrivals(&self, side: Side) -> bool {
        let is_incomplete = self
            .merge
            .refused
            .is_some_and(|refusal| refusal.row == Row::Incomplete);
        if self.raw[side].is_none() || !self.unread && !is_incomplete {
            return false;
        }
        !self
            .stored
            .as_ref()
            .is_some_and(|stored| no_news(stored, side, &self.state[side].counters))
    }

    /// The messages of a side of which something is done that takes more than their flags, and no
    /// more is known.
    fn lacking(&self, merge: &FolderMerge, side: Side) -> Vec<u32> {
        let messages = self.views[side].messages();
        let sent = merge.incoming[side.other()]
            .iter()
            .map(|incoming| incoming.from);
        let deleted = merge.deletions[side].iter().map(|deletion| deletion.index);
        let is_lacking = |index: &u32| {
            messages
                .get(*index as usize)
                .is_some_and(|message| message.is_bare() || message.key() == HeaderKey::Unknown)
        };
        sent.chain(deleted).filter(is_lacking).collect()
    }

    /// Why nothing is done in it, if it was refused.
    pub(super) fn refused(&self) -> Option<(Row, Side)> {
        self.merge
            .refused
            .map(|refusal| (refusal.row, refusal.side))
    }
}

/// Whether a side's folder shows by its counters that no mail has come into it since both sides
/// were in step.
fn no_news(stored: &TwoWayFolder, side: Side, now: &Counters) -> bool {
    let counters = |mark: &Counters| Some((mark.uid_validity?, mark.uid_next?));
    let then = counters(&stored.sides[side].counters);
    !stored.unfinished && then.is_some() && then == counters(now)
}

/// A folder of so many messages of which none is looked at.
fn as_many(messages: u32) -> View {
    let mut hidden = UidSet::default();
    if messages > 0 {
        hidden.insert_range(1..=messages);
    }
    let view = View::new(
        Vec::new(),
        Default::default(),
        hidden,
        Default::default(),
        messages,
    );
    debug_assert!(view.extent() == Extent::Complete);
    view
}

/// Whether it holds mail: a level that only holds other folders may bear the name of one that was
/// renamed.
fn is_mail(seen: &SeenFolder) -> bool {
    seen.kind != FolderKind::NoMail
}
