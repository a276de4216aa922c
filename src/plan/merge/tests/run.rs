//! A sync of two mailboxes in memory: carries out the merge, and saves what both agree on.

use super::super::*;
use super::model::{Blinkers, Mail, Mailbox, Server};
use crate::folders::FolderName;
use crate::mail::{Counters, HeaderKey, Message, Side, Uid, UidSet};
use crate::plan::{Likeness, settle};
use std::collections::{BTreeMap, HashSet};

/// The state.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    known: Vec<KnownFolder>,
    bases: Vec<BaseFolder>,
}

impl State {
    /// Marks it as older than the mailboxes.
    pub(super) fn stale(mut self) -> Self {
        self.bases = self.bases.into_iter().map(BaseFolder::stale).collect();
        self
    }
}

impl State {
    /// Yields the messages on `side` in known folders that the other side, in its listing, doesn't
    /// have under the same name: by the folder's UIDVALIDITY and UID.
    pub(super) fn paired_with_missing<'a>(
        &'a self,
        side: Side,
        there: &'a BTreeMap<FolderName, Mailbox>,
    ) -> impl Iterator<Item = (u32, u32)> + 'a {
        let known = self
            .known
            .iter()
            .zip(&self.bases)
            .filter(|(known, _)| !there.contains_key(&known.name));
        known.flat_map(move |(known, base)| {
            let validity = known.identities[side]
                .mark
                .uid_validity
                .map_or(0, |validity| validity.0);
            base.pairs()
                .iter()
                .map(move |pair| (validity, pair.uids()[side].get()))
        })
    }
}

/// Instructions for a sync.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    pub(super) policy: Policy,
    pub(super) blinkers: Both<Blinkers>,
    /// It dies after this many actions.
    pub(super) dies_after: Option<usize>,
    /// Its last action isn't in the state.
    pub(super) forgets_last: bool,
    /// It doesn't look at what it has written: the next scan shows that.
    pub(super) learns_late: bool,
}

/// The result of a sync.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// How many actions were done.
    pub(super) actions: usize,
    /// Whether a folder was refused or left alone.
    pub(super) refused: bool,
}

/// Syncs; `meanwhile` happens between the scan and the actions.
pub(super) fn sync(
    servers: &mut Both<Server>,
    state: &mut State,
    orders: &Orders,
    meanwhile: impl FnOnce(&mut Both<Server>),
) -> Report {
    let policy = &orders.policy;
    let seen = servers.as_ref().map(Server::seen);
    let plan = merge_folders(&state.known, seen.as_ref().map(Vec::as_slice), policy);
    let views: Vec<_> = plan
        .pairs
        .iter()
        .map(|pair| Both::of(|side| view(pair, side, servers, &seen, orders)))
        .collect();
    let marks = plan
        .pairs
        .iter()
        .map(|pair| Both::of(|side| mark(pair, side, servers, &seen)))
        .collect();
    let folders: Vec<_> = plan
        .pairs
        .iter()
        .zip(&views)
        .map(|(pair, views)| Folder {
            base: pair.base.map(|number| &state.bases[number]),
            views: views.as_ref(),
            rules: MatchRules::default(),
            comes_back: pair.comes_back,
        })
        .collect();
    let mut merges: Vec<_> = folders
        .iter()
        .map(|folder| merged(folder, policy))
        .collect();
    let moves = merge_moves(&folders, &mut merges, policy, &mut |_| true);
    hold_back(&folders, &mut merges, policy);
    meanwhile(servers);
    let known = &state.known;
    let mut run = Run {
        servers,
        orders,
        plan: &plan,
        folders: &folders,
        merges: &merges,
        moves: &moves,
        known,
        marks,
        done: 0,
        kept: Vec::new(),
    };
    run.carry_out();
    let report = Report {
        actions: run.done,
        refused: merges.iter().any(|merge| merge.refused.is_some())
            || plan.left.iter().any(|left| left.row == Row::Emptied),
    };
    let next = run.next_state(state);
    *state = next;
    report
}

fn view(
    pair: &FolderPair,
    side: Side,
    servers: &Both<Server>,
    seen: &Both<Vec<SeenFolder>>,
    orders: &Orders,
) -> View {
    let folder = pair.seen[side].map(|number| &seen[side][number]);
    folder.map_or_else(View::absent, |folder| {
        servers[side].view(&folder.name, orders.blinkers[side])
    })
}

fn mark(
    pair: &FolderPair,
    side: Side,
    servers: &Both<Server>,
    seen: &Both<Vec<SeenFolder>>,
) -> Option<Counters> {
    pair.seen[side].map(|number| servers[side].mailboxes[&seen[side][number].name].mark())
}

fn merged(folder: &Folder<'_>, policy: &Policy) -> FolderMerge {
    let mut merge = merge_messages(folder, policy);
    let content = |side: crate::mail::Side, index: u32| {
        // Header and size determine the content.
        let message = &folder.views[side].messages()[index as usize];
        let mut key = match message.key() {
            HeaderKey::WithId(key) | HeaderKey::WithoutId(key) => key,
            HeaderKey::Empty | HeaderKey::Unknown => [0; 16],
        };
        key[12..].copy_from_slice(&message.size().to_be_bytes());
        Some(Likeness::exact(key))
    };
    let settled = merge
        .ties()
        .iter()
        .map(|tie| settle(tie, content))
        .collect();
    merge.settle(folder, policy, settled);
    merge
}

/// A pair in the next state.
struct Kept {
    folder: usize,
    uids: Both<Uid>,
    flags: AgreedFlags,
    prints: Prints,
    state: PairState,
}

struct Run<'a> {
    servers: &'a mut Both<Server>,
    orders: &'a Orders,
    plan: &'a FoldersMerge,
    folders: &'a [Folder<'a>],
    merges: &'a [FolderMerge],
    moves: &'a [Move],
    known: &'a [KnownFolder],
    marks: Vec<Both<Option<Counters>>>,
    done: usize,
    kept: Vec<Kept>,
}

impl Run<'_> {
    /// Reports whether the run is still alive to do one more thing.
    fn lives(&mut self) -> bool {
        let lives = self.orders.dies_after.is_none_or(|most| self.done < most);
        self.done += usize::from(lives);
        lives
    }

    /// Reports whether what was just done is recorded.
    fn records(&self) -> bool {
        !(self.orders.forgets_last && self.orders.dies_after == Some(self.done))
    }

    fn mailbox(&mut self, folder: usize, side: Side) -> Option<&mut Mailbox> {
        let mark = self.marks[folder][side];
        let mailbox = self.servers[side]
            .mailboxes
            .get_mut(&self.plan.pairs[folder].names[side])?;
        // A folder recreated since is another one: SELECT shows its UIDVALIDITY.
        (Some(mailbox.mark().uid_validity) == mark.map(|mark| mark.uid_validity)).then_some(mailbox)
    }

    fn carry_out(&mut self) {
        for side in Side::BOTH {
            for Rename { from, to, .. } in &self.plan.renames[side] {
                if self.lives() {
                    self.servers[side].rename(from, to);
                }
            }
            for new in &self.plan.new[side] {
                self.create(side, &new.name);
            }
        }
        for (number, folder) in self.folders.iter().enumerate() {
            if let Some(Fate::ComesBack(side)) = self.fate(number, folder) {
                self.create(side, &self.plan.pairs[number].names[side]);
            }
            self.keep_pairs(number, folder);
        }
        for moved in self.moves {
            self.carry_out_move(moved);
        }
        for (number, folder) in self.folders.iter().enumerate() {
            self.change_flags(number, folder);
            for side in Side::BOTH {
                for incoming in &self.merges[number].incoming[side] {
                    self.copy(number, folder, side, incoming.from);
                }
                for deletion in &self.merges[number].deletions[side] {
                    self.delete(number, folder, side, deletion);
                }
            }
        }
        self.delete_folders();
        self.subscribe();
    }

    fn fate(&self, number: usize, folder: &Folder<'_>) -> Option<Fate> {
        let gone = self.plan.pairs[number].deleted_on()?;
        Some(fate(
            gone,
            number,
            folder.views,
            &self.merges[number],
            self.moves,
        ))
    }

    fn create(&mut self, side: Side, name: &FolderName) {
        if !self.lives() {
            return;
        }
        self.servers[side].create(name.clone());
        // Someone has created it since, or another folder has got its name: the next run looks into
        // it.
        if !self.servers[side].mailboxes[name].mails.is_empty() {
            return;
        }
        let number = self
            .plan
            .pairs
            .iter()
            .position(|pair| pair.names[side] == *name && pair.seen[side].is_none());
        if let Some(number) = number {
            self.marks[number][side] = Some(self.servers[side].mailboxes[name].mark());
        }
    }

    /// Keeps pairs from the base, and new ones.
    fn keep_pairs(&mut self, number: usize, folder: &Folder<'_>) {
        let merge = &self.merges[number];
        let gone: HashSet<u32> = merge.dropped.iter().map(|dropped| dropped.pair).collect();
        let waiting: BTreeMap<u32, Side> = merge
            .pending
            .iter()
            .map(|pending| (pending.pair, pending.deleted_on))
            .collect();
        let learned: BTreeMap<u32, Prints> = merge
            .learned
            .iter()
            .map(|learned| (learned.pair, learned.prints))
            .collect();
        let base = folder
            .base
            .into_iter()
            .flat_map(|base| base.pairs().iter().map(move |pair| (base, pair)));
        for (pair, (base, record)) in (0..).zip(base).filter(|(pair, _)| !gone.contains(pair)) {
            let state = waiting
                .get(&pair)
                .map_or(record.state(), |side| PairState::DeletedOn(*side));
            let uids = record.uids();
            let prints = learned.get(&pair).copied().unwrap_or(record.prints());
            self.kept.push(Kept {
                folder: number,
                uids,
                flags: base.flags(record),
                prints,
                state,
            });
        }
        for joined in &merge.joined {
            let messages =
                Both::of(|side| &folder.views[side].messages()[joined.messages[side] as usize]);
            let (uids, prints) = (messages.map(Message::uid), Prints::of(messages.map(Some)));
            let outcome = merge.flags.get(joined.flags);
            // Pairing alone isn't an action.
            if outcome.is_quiet() || self.lives() {
                self.store(number, uids, &outcome);
                if self.records() {
                    self.kept.push(Kept {
                        folder: number,
                        uids,
                        flags: outcome.agreed,
                        prints,
                        state: PairState::Settled,
                    });
                }
            }
        }
    }

    fn store(&mut self, folder: usize, uids: Both<Uid>, outcome: &FlagMerge) {
        for side in Side::BOTH {
            let Some(mailbox) = self.mailbox(folder, side) else {
                continue;
            };
            if let Some(mail) = mailbox.mails.get_mut(&uids[side].get()) {
                mail.flags = mail
                    .flags
                    .union(&outcome.add[side])
                    .minus(&outcome.remove[side]);
                mailbox.mod_seq += 1;
            }
        }
    }

    fn change_flags(&mut self, number: usize, folder: &Folder<'_>) {
        let Some(base) = folder.base else { return };
        for agreement in &self.merges[number].agreements {
            let uids = base.pairs()[agreement.pair as usize].uids();
            let outcome = self.merges[number].flags.get(agreement.flags);
            if outcome.is_quiet() || self.lives() {
                self.store(number, uids, &outcome);
                let kept = self
                    .kept
                    .iter_mut()
                    .find(|kept| kept.folder == number && kept.uids == uids);
                if let Some(kept) = kept.filter(|_| !self.orders.forgets_last) {
                    kept.flags = outcome.agreed;
                }
            }
        }
    }

    fn copy(&mut self, number: usize, folder: &Folder<'_>, to: Side, from: u32) {
        let view = folder.views[to.other()];
        let message = &view.messages()[from as usize];
        let Some(content) = self
            .mailbox(number, to.other())
            .and_then(|mailbox| mailbox.mails.get(&message.uid().get()))
            .map(|mail| mail.content)
        else {
            return;
        };
        let flags = view.flags(message);
        let (kept, lost) = self.servers[to].permanent().split(&flags);
        if self.mailbox(number, to).is_none() || !self.lives() {
            return;
        }
        let mail = Mail {
            content,
            flags: kept,
        };
        let Some(uid) = self
            .mailbox(number, to)
            .map(|mailbox| mailbox.add(mail.clone()))
        else {
            return;
        };
        let sent = mail.message(uid, 0);
        let uids = Both::of(|side| {
            if side == to {
                sent.uid()
            } else {
                message.uid()
            }
        });
        let shown = if self.orders.learns_late {
            None
        } else {
            Some(&sent)
        };
        let prints = Prints::of(Both::of(
            |side| if side == to { shown } else { Some(message) },
        ));
        let lacks = Both::of(|side| {
            if side == to {
                lost.clone()
            } else {
                Default::default()
            }
        });
        if self.records() {
            let flags = AgreedFlags { flags, lacks };
            self.kept.push(Kept {
                folder: number,
                uids,
                flags,
                prints,
                state: PairState::Settled,
            });
        }
    }

    fn delete(&mut self, number: usize, folder: &Folder<'_>, side: Side, deletion: &Deletion) {
        let uids = folder.base.unwrap().pairs()[deletion.pair as usize].uids();
        if self.mailbox(number, side).is_some() && self.lives() {
            self.mailbox(number, side).unwrap().remove(uids[side].get());
            if self.records() {
                self.kept
                    .retain(|kept| !(kept.folder == number && kept.uids == uids));
            }
        }
    }

    fn carry_out_move(&mut self, moved: &Move) {
        let Move {
            side,
            from,
            index,
            to,
            partner,
            pair,
            flags,
            ..
        } = moved;
        let message = &self.folders[*from].views[*side].messages()[*index as usize];
        let other = &self.folders[*to].views[side.other()].messages()[*partner as usize];
        if self.mailbox(*to, *side).is_none()
            || self.mailbox(*from, *side).is_none()
            || !self.lives()
        {
            return;
        }
        let Some(mail) = self
            .mailbox(*from, *side)
            .and_then(|mailbox| mailbox.remove(message.uid().get()))
        else {
            return;
        };
        let uid = self
            .mailbox(*to, *side)
            .map(|mailbox| mailbox.add(mail))
            .unwrap();
        let uids = Both::of(|s| {
            if s == *side {
                Uid::new(uid).unwrap()
            } else {
                other.uid()
            }
        });
        self.store(*to, uids, flags);
        if let Some(pair) = pair {
            let old = self.folders[*from].base.unwrap().pairs()[*pair as usize].uids();
            self.kept
                .retain(|kept| !(kept.folder == *from && kept.uids == old));
        }
        if self.records() {
            let shown = if self.orders.learns_late {
                None
            } else {
                Some(message)
            };
            let prints = Prints::of(Both::of(|s| if s == *side { shown } else { Some(other) }));
            self.kept.push(Kept {
                folder: *to,
                uids,
                flags: flags.agreed.clone(),
                prints,
                state: PairState::Settled,
            });
        }
    }

    fn delete_folders(&mut self) {
        for (number, folder) in self.folders.iter().enumerate() {
            let Some(Fate::Deleted(side)) = self.fate(number, folder) else {
                continue;
            };
            let empty = self
                .mailbox(number, side)
                .is_some_and(|mailbox| mailbox.mails.is_empty());
            if empty && self.lives() {
                self.servers[side]
                    .mailboxes
                    .remove(&self.plan.pairs[number].names[side]);
            }
        }
    }

    fn subscribe(&mut self) {
        for side in Side::BOTH {
            for SubscriptionChange { name, subscribed } in &self.plan.subscriptions[side] {
                if let Some(mailbox) = self.servers[side].mailboxes.get_mut(name) {
                    self.done += usize::from(mailbox.subscribed != *subscribed);
                    mailbox.subscribed = *subscribed;
                }
            }
        }
    }

    /// Makes the next state. The checkpoints are those of the scan, from before anything was
    /// written.
    fn next_state(mut self, last: &State) -> State {
        let mut next = State::default();
        for (number, pair) in self.plan.pairs.iter().enumerate() {
            let Both {
                first: Some(first),
                second: Some(second),
            } = self.marks[number]
            else {
                if let Some(base) = pair.base.filter(|_| pair.deleted_on().is_some()) {
                    self.keep_deleted(number, base, last, &mut next);
                }
                continue;
            };
            let marks = Both::new(first, second);
            // A rename that was not carried out, or a folder that has gone since.
            let intact = Side::BOTH
                .into_iter()
                .all(|side| self.mailbox(number, side).is_some());
            let known = pair.base.map(|base| &self.known[base]);
            let agrees = pair.names.first.key() == pair.names.second.key();
            let mailboxes = Both::of(|side| self.servers[side].mailboxes.get(&pair.names[side]));
            let subscribed = mailboxes.first.is_some_and(|mailbox| mailbox.subscribed);
            let base = BaseFolder::new(marks);
            let mut base = if self.orders.dies_after.is_some() {
                base.unfinished()
            } else {
                base
            };
            let kept: Vec<_> = self
                .kept
                .iter()
                .filter(|kept| kept.folder == number)
                .collect();
            for pair in &kept {
                base.add(pair.uids, &pair.flags, pair.prints, pair.state);
            }
            let refused = self.merges[number].refused.is_some();
            let base = if refused && let Some(old) = pair.base {
                last.bases[old].clone()
            } else {
                base
            };
            // A server without UIDPLUS doesn't report the UIDs of what was written.
            let highest = |side: Side| kept.iter().map(|kept| kept.uids[side]).max();
            let identities = Both::of(|side| FolderIdentity {
                mailbox_id: mailboxes[side]
                    .filter(|_| self.servers[side].abilities.mailbox_ids)
                    .map(|found| found.id.to_string().into()),
                mark: if self.orders.learns_late {
                    marks[side]
                } else {
                    marks[side].with_written(highest(side))
                },
                uids: Some(kept.iter().map(|kept| kept.uids[side]).collect::<UidSet>()),
            });
            let name = if agrees {
                pair.names.first.clone()
            } else {
                known.map_or(pair.names.first.clone(), |known| known.name.clone())
            };
            match (intact, known) {
                (true, _) => next.known.push(KnownFolder {
                    name,
                    identities,
                    subscribed,
                }),
                (false, Some(known)) => next.known.push(known.clone()),
                (false, None) => continue,
            }
            next.bases.push(base);
        }
        for left in self
            .plan
            .left
            .iter()
            .filter(|left| left.row == Row::Emptied)
        {
            let Some(number) = self
                .known
                .iter()
                .position(|known| known.name.key() == left.name.key())
            else {
                continue;
            };
            next.known.push(self.known[number].clone());
            next.bases.push(last.bases[number].clone());
        }
        next
    }

    /// Keeps a folder that was deleted on one side for as long as it exists on the other.
    fn keep_deleted(&self, number: usize, base: usize, last: &State, next: &mut State) {
        let names = &self.plan.pairs[number].names;
        if !Side::BOTH
            .into_iter()
            .any(|side| self.servers[side].mailboxes.contains_key(&names[side]))
        {
            return;
        }
        let mut rest = BaseFolder::new(Both::of(|side| *last.bases[base].mark(side)));
        for kept in self.kept.iter().filter(|kept| kept.folder == number) {
            rest.add(kept.uids, &kept.flags, kept.prints, kept.state);
        }
        next.known.push(self.known[base].clone());
        next.bases.push(rest);
    }
}
