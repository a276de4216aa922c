//! Whatever happens to two mailboxes: after a sync both are equal, another one does nothing, and no
//! message is lost or duplicated.

use super::super::*;
use super::model::{Abilities, Blinkers, Content, Mail, Server, has_header, name};
use super::run::{Orders, State, sync};
use crate::folders::FolderName;
use crate::mail::Flags;
use crate::plan::DeletionLimit;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// An event; its numbers choose among what exists.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Add(Side, u8),
    /// The same mail arrives in a folder on both sides.
    Deliver(u8),
    Expunge(Side, u8),
    Flag(Side, u8, u8),
    Unflag(Side, u8, u8),
    Move(Side, u8, u8),
    Copy(Side, u8, u8),
    Create(Side, u8),
    Rename(Side, u8, u8),
    Delete(Side, u8),
    Recreate(Side, u8),
    Subscribe(Side, u8),
    /// The server assigns new UIDs in a folder.
    Renumber(Side, u8),
    BackUp(Side),
    Restore(Side),
    LoseState,
    /// The state is saved elsewhere.
    KeepState,
    /// The saved state replaces the newer one, which is detected.
    OldState,
    Sync(Trouble),
}

/// Difficulties for a sync.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    pub(super) filter: bool,
    pub(super) cap: Option<Side>,
    pub(super) prefer: u8,
    /// Happens between scan and execution.
    pub(super) meanwhile: Vec<Event>,
    pub(super) dies_after: Option<usize>,
    pub(super) forgets_last: bool,
}

const FOLDERS: [&str; 7] = ["INBOX", "A", "B", "C", "A/x", "B/y", "A/x/z"];
const FLAGS: [&str; 3] = ["\\Seen", "\\Flagged", "work"];

fn side() -> impl Strategy<Value = Side> {
    prop::sample::select(Side::BOTH.to_vec())
}

/// Generates what users do.
fn edit() -> impl Strategy<Value = Event> {
    let n = any::<u8>;
    prop_oneof![
        4 => (side(), n()).prop_map(|(side, a)| Event::Add(side, a)),
        2 => n().prop_map(Event::Deliver),
        3 => (side(), n()).prop_map(|(side, a)| Event::Expunge(side, a)),
        3 => (side(), n(), n()).prop_map(|(side, a, b)| Event::Flag(side, a, b)),
        2 => (side(), n(), n()).prop_map(|(side, a, b)| Event::Unflag(side, a, b)),
        4 => (side(), n(), n()).prop_map(|(side, a, b)| Event::Move(side, a, b)),
        1 => (side(), n(), n()).prop_map(|(side, a, b)| Event::Copy(side, a, b)),
        1 => (side(), n()).prop_map(|(side, a)| Event::Create(side, a)),
        2 => (side(), n(), n()).prop_map(|(side, a, b)| Event::Rename(side, a, b)),
        1 => (side(), n()).prop_map(|(side, a)| Event::Delete(side, a)),
        1 => (side(), n()).prop_map(|(side, a)| Event::Recreate(side, a)),
        1 => (side(), n()).prop_map(|(side, a)| Event::Subscribe(side, a)),
    ]
}

/// Generates what happens to servers and states.
fn accident() -> impl Strategy<Value = Event> {
    prop_oneof![
        (side(), any::<u8>()).prop_map(|(side, a)| Event::Renumber(side, a)),
        side().prop_map(Event::BackUp),
        side().prop_map(Event::Restore),
        Just(Event::LoseState),
        Just(Event::KeepState),
        Just(Event::OldState),
    ]
}

fn quiet_sync() -> impl Strategy<Value = Event> {
    any::<u8>().prop_map(|prefer| {
        Event::Sync(Trouble {
            prefer,
            ..Trouble::default()
        })
    })
}

fn troubled_sync() -> impl Strategy<Value = Event> {
    let cap = prop::option::weighted(0.3, side());
    let meanwhile = prop::collection::vec(edit(), 0..4);
    let dies_after = prop::option::weighted(0.4, 0_usize..12);
    let trouble = (
        prop::bool::weighted(0.2),
        cap,
        any::<u8>(),
        meanwhile,
        dies_after,
        any::<bool>(),
    );
    trouble.prop_map(
        |(filter, cap, prefer, meanwhile, dies_after, forgets_last)| {
            Event::Sync(Trouble {
                filter,
                cap,
                prefer,
                meanwhile,
                dies_after,
                forgets_last,
            })
        },
    )
}

struct World {
    servers: Both<Server>,
    backups: Both<Option<Server>>,
    state: State,
    kept_state: State,
    /// Whether a sync doesn't look at what it has written. Then nothing would show that a server,
    /// restored to just before that, assigns the same UIDs again: such worlds have no backups.
    learns_late: bool,
    next_content: Content,
    /// What someone deleted, or a restored server lost.
    deleted: BTreeSet<Content>,
    /// What may exist more than once, because someone copied it.
    copied: BTreeSet<Content>,
    /// What arrived on both sides independently: it may be moved on one of them before anyone knows
    /// that it is one mail.
    delivered: BTreeSet<Content>,
    /// What each server lost when it was restored, until a sync has noticed. Before that it assigns
    /// the same UIDs again, and if those messages go too, nothing shows that it was restored.
    at_risk: Both<BTreeSet<Content>>,
    /// Whether folders were created or renamed since the last sync.
    reordered: bool,
    /// Whether a side was scanned that showed only a part: what was moved then exists twice until
    /// everything is visible again.
    capped: bool,
    /// Whether the state was lost.
    forgotten: bool,
    /// Whether something happened after which nobody can tell what was moved.
    confused: bool,
}

impl World {
    fn new(abilities: Both<Abilities>, learns_late: bool) -> Self {
        let servers = Both::new(
            Server::new(abilities.first, 1000),
            Server::new(abilities.second, 2000),
        );
        Self {
            servers,
            backups: Both::default(),
            state: State::default(),
            kept_state: State::default(),
            learns_late,
            next_content: 10,
            deleted: BTreeSet::new(),
            copied: BTreeSet::new(),
            delivered: BTreeSet::new(),
            at_risk: Both::default(),
            capped: false,
            reordered: false,
            forgotten: false,
            confused: false,
        }
    }

    fn folder(&self, side: Side, pick: u8) -> FolderName {
        let names: Vec<_> = self.servers[side].mailboxes.keys().collect();
        names[pick as usize % names.len()].clone()
    }

    fn new_content(&mut self) -> Content {
        self.next_content += 1;
        self.next_content
    }

    /// Picks an existing message: its folder and UID.
    fn pick(&self, side: Side, pick: u8) -> Option<(FolderName, u32)> {
        let all: Vec<_> = self.servers[side]
            .mailboxes
            .iter()
            .flat_map(|(name, mailbox)| mailbox.mails.keys().map(move |uid| (name.clone(), *uid)))
            .collect();
        (!all.is_empty()).then(|| all[pick as usize % all.len()].clone())
    }

    fn mail(&mut self, side: Side, at: &(FolderName, u32)) -> &mut Mail {
        self.servers[side]
            .mailboxes
            .get_mut(&at.0)
            .unwrap()
            .mails
            .get_mut(&at.1)
            .unwrap()
    }

    fn put(&mut self, side: Side, folder: &FolderName, mail: Mail) {
        self.servers[side]
            .mailboxes
            .get_mut(folder)
            .unwrap()
            .add(mail);
    }

    fn happen(&mut self, event: &Event) {
        self.reordered |= matches!(
            event,
            Event::Create(..) | Event::Rename(..) | Event::Delete(..) | Event::Recreate(..)
        );
        match event {
            Event::Add(side, pick) => {
                let (content, folder) = (self.new_content(), self.folder(*side, *pick));
                self.put(
                    *side,
                    &folder,
                    Mail {
                        content,
                        flags: Flags::default(),
                    },
                );
            }
            Event::Deliver(pick) => {
                let folder = self.folder(Side::First, *pick);
                let content = self.new_content();
                self.delivered.insert(content);
                // Folders with one name need not be one folder.
                if self.reordered {
                    self.copied.insert(content);
                }
                for side in Side::BOTH {
                    if self.servers[side].mailboxes.contains_key(&folder) {
                        self.put(
                            side,
                            &folder,
                            Mail {
                                content,
                                flags: Flags::default(),
                            },
                        );
                    }
                }
            }
            Event::Expunge(side, pick) => {
                let Some((folder, uid)) = self.pick(*side, *pick) else {
                    return;
                };
                self.deleted
                    .extend(std::mem::take(&mut self.at_risk[*side]));
                let mail = self.servers[*side]
                    .mailboxes
                    .get_mut(&folder)
                    .unwrap()
                    .remove(uid)
                    .unwrap();
                self.deleted.insert(mail.content);
            }
            Event::Flag(side, pick, flag) | Event::Unflag(side, pick, flag) => {
                self.flag(event, *side, *pick, *flag);
            }
            Event::Move(side, pick, to) => {
                let Some((folder, uid)) = self.pick(*side, *pick) else {
                    return;
                };
                self.deleted
                    .extend(std::mem::take(&mut self.at_risk[*side]));
                let to = self.folder(*side, *to);
                let mail = self.servers[*side]
                    .mailboxes
                    .get_mut(&folder)
                    .unwrap()
                    .remove(uid)
                    .unwrap();
                let is_there = |server: &Server| {
                    let mut mails = server
                        .mailboxes
                        .get(&to)
                        .into_iter()
                        .flat_map(|mailbox| mailbox.mails.values());
                    mails.any(|there| there.content == mail.content)
                };
                if self.delivered.contains(&mail.content) || self.servers.any(is_there) {
                    self.copied.insert(mail.content);
                }
                self.put(*side, &to, mail);
            }
            Event::Copy(side, pick, to) => {
                let Some(at) = self.pick(*side, *pick) else {
                    return;
                };
                let to = self.folder(*side, *to);
                let mail = self.mail(*side, &at).clone();
                self.copied.insert(mail.content);
                self.put(*side, &to, mail);
            }
            Event::Create(side, pick) => {
                self.servers[*side].create(name(FOLDERS[*pick as usize % FOLDERS.len()]));
            }
            Event::Rename(side, pick, to) => {
                let from = self.folder(*side, *pick);
                self.deleted
                    .extend(std::mem::take(&mut self.at_risk[*side]));
                // Its mail may count as moved, one by one.
                let below = self.servers[*side]
                    .mailboxes
                    .iter()
                    .filter(|(name, _)| name.below(&from).is_some());
                let contents =
                    below.flat_map(|(_, mailbox)| mailbox.mails.values().map(|mail| mail.content));
                self.copied.extend(
                    contents
                        .filter(|content| self.delivered.contains(content))
                        .collect::<Vec<_>>(),
                );
                self.servers[*side].rename(&from, &name(FOLDERS[*to as usize % FOLDERS.len()]));
            }
            Event::Delete(side, pick) => drop(self.delete_folder(*side, *pick)),
            Event::Recreate(side, pick) => {
                // Its mail isn't deleted on the other side, wherever it went before.
                self.confused = true;
                if let Some(folder) = self.delete_folder(*side, *pick) {
                    self.servers[*side].create(folder.clone());
                    let content = self.new_content();
                    self.put(
                        *side,
                        &folder,
                        Mail {
                            content,
                            flags: Flags::default(),
                        },
                    );
                }
            }
            Event::Subscribe(side, pick) => {
                let folder = self.folder(*side, *pick);
                let mailbox = self.servers[*side].mailboxes.get_mut(&folder).unwrap();
                mailbox.subscribed = !mailbox.subscribed;
            }
            Event::Sync(trouble) => self.sync(trouble),
            accident => self.befall(accident),
        }
    }

    fn flag(&mut self, event: &Event, side: Side, pick: u8, flag: u8) {
        let flag = Flags::from_names([FLAGS[flag as usize % FLAGS.len()]]);
        let (flag, _) = self.servers[side].permanent().split(&flag);
        let Some(at) = self.pick(side, pick) else {
            return;
        };
        let mail = self.mail(side, &at);
        mail.flags = if matches!(event, Event::Flag(..)) {
            mail.flags.union(&flag)
        } else {
            mail.flags.minus(&flag)
        };
        self.servers[side].mailboxes.get_mut(&at.0).unwrap().mod_seq += 1;
    }

    fn delete_folder(&mut self, side: Side, pick: u8) -> Option<FolderName> {
        self.deleted.extend(std::mem::take(&mut self.at_risk[side]));
        let folder = self.folder(side, pick);
        if folder.is_inbox() {
            return None;
        }
        let mailbox = self.servers[side].mailboxes.remove(&folder)?;
        self.deleted
            .extend(mailbox.mails.values().map(|mail| mail.content));
        Some(folder)
    }

    fn befall(&mut self, accident: &Event) {
        self.confused = true;
        self.forgotten |= !matches!(accident, Event::BackUp(_) | Event::KeepState);
        match accident {
            Event::Renumber(side, pick) => {
                let folder = self.folder(*side, *pick);
                self.servers[*side].renumber(&folder);
                // Restored to when it had no mail, and numbered again, it looks recreated empty.
                if self.servers[*side].mailboxes[&folder].mails.is_empty() {
                    self.deleted
                        .extend(std::mem::take(&mut self.at_risk[*side]));
                }
            }
            Event::BackUp(_) if self.learns_late => {}
            Event::BackUp(side) => self.backups[*side] = Some(self.servers[*side].clone()),
            Event::Restore(side) => {
                let Some(backup) = self.backups[*side].clone() else {
                    return;
                };
                let before = std::mem::replace(&mut self.servers[*side], backup);
                self.servers[*side].outlive(&before);
                // What only this server had is lost, and a folder that it did not have yet looks
                // deleted.
                let there = self.everything();
                let restored = self.servers[*side].contents();
                self.at_risk[*side].extend(before.contents().difference(&restored));
                let known = &self.servers[*side].mailboxes;
                let gone = before
                    .mailboxes
                    .iter()
                    .filter(|(name, _)| !known.contains_key(*name));
                let gone: Vec<_> = gone
                    .flat_map(|(_, mailbox)| mailbox.mails.values().map(|mail| mail.content))
                    .collect();
                self.deleted.extend(
                    before
                        .contents()
                        .iter()
                        .filter(|content| !there.contains(content)),
                );
                self.deleted.extend(gone);
                // So does what was moved out of it since the last sync: the other side's is still
                // in it.
                let other = &self.servers[side.other()];
                let paired: BTreeSet<_> = self
                    .state
                    .paired_with_missing(side.other(), known)
                    .collect();
                self.deleted.extend(other.contents_of(&paired));
            }
            Event::LoseState => self.state = State::default(),
            Event::KeepState => self.kept_state = self.state.clone(),
            Event::OldState => self.state = self.kept_state.clone().stale(),
            _ => {}
        }
    }

    fn everything(&self) -> BTreeSet<Content> {
        self.servers
            .first
            .contents()
            .union(&self.servers.second.contents())
            .copied()
            .collect()
    }

    fn sync(&mut self, trouble: &Trouble) {
        let blinkers = Both::of(|side| Blinkers {
            filter: trouble.filter,
            cap: trouble.cap == Some(side),
        });
        let orders = Orders {
            policy: policy(trouble.prefer),
            blinkers,
            dies_after: trouble.dies_after,
            forgets_last: trouble.forgets_last,
            learns_late: self.learns_late,
        };
        self.confused |= trouble.dies_after.is_some() || trouble.filter || trouble.cap.is_some();
        self.capped |= trouble.cap.is_some();
        self.reordered = false;
        self.note_preference(trouble.prefer);
        let mut state = std::mem::take(&mut self.state);
        let mut servers = self.servers.clone();
        let report = sync(&mut servers, &mut state, &orders, |now| {
            std::mem::swap(now, &mut self.servers);
            for event in &trouble.meanwhile {
                self.happen(event);
            }
            std::mem::swap(now, &mut self.servers);
        });
        (self.servers, self.state) = (servers, state);
        if !report.refused {
            self.at_risk = Both::default();
        }
    }

    /// If the message wins, a folder that was recreated empty is refilled, wherever its mail has
    /// gone.
    fn note_preference(&mut self, prefer: u8) {
        self.confused |= policy(prefer).prefer == Prefer::Keep;
    }

    /// Syncs until nothing is left to do, and checks what must then hold.
    fn come_to_rest(&mut self, prefer: u8) -> Result<(), TestCaseError> {
        self.note_preference(prefer);
        let mut actions = Vec::new();
        for round in 0..10 {
            let mut policy = policy(prefer);
            // Folders found empty are refused until someone says what is intended.
            if round > 3 {
                policy.prefer = Prefer::Keep;
            }
            let orders = Orders {
                policy,
                learns_late: self.learns_late,
                ..Orders::default()
            };
            let report = sync(&mut self.servers, &mut self.state, &orders, |_| ());
            actions.push(report.actions);
            // What is refilled may have been moved elsewhere.
            self.confused |= report.refused;
            // What waits to be deleted is left alone once if a base is void.
            if actions.ends_with(&[0, 0]) && !report.refused {
                break;
            }
        }
        prop_assert_eq!(
            actions.last(),
            Some(&0),
            "never comes to rest: {:?}",
            actions
        );
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let keywords = self.servers.all(|server| server.abilities.keywords);
        let pictures = self.servers.as_ref().map(|server| server.picture(keywords));
        let equal = pictures.first == pictures.second;
        prop_assert!(
            equal,
            "not equal: {:?} and {:?}",
            pictures.first,
            pictures.second
        );
        let there = self.servers.first.contents();
        let added = 11..=self.next_content;
        let lost: Vec<_> = added
            .filter(|content| !self.deleted.contains(content) && !there.contains(content))
            .collect();
        prop_assert!(lost.is_empty(), "lost: {:?}", lost);
        let mut counts = BTreeMap::new();
        for (folder, mailbox) in &self.servers.first.mailboxes {
            for mail in mailbox
                .mails
                .values()
                .filter(|mail| has_header(mail.content) && !self.copied.contains(&mail.content))
            {
                let place = self.confused.then_some(folder);
                *counts.entry((mail.content, place)).or_insert(0) += 1;
            }
        }
        let doubled: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
        prop_assert!(
            doubled.is_empty() || self.capped && self.forgotten,
            "doubled: {:?}",
            doubled
        );
        Ok(())
    }
}

fn policy(prefer: u8) -> Policy {
    let prefer =
        [Prefer::Default, Prefer::First, Prefer::Second, Prefer::Keep][prefer as usize % 4];
    let all: DeletionLimit = "100%".parse().unwrap();
    Policy {
        prefer,
        limits: Both::new(all, all),
        ..Policy::default()
    }
}

fn abilities() -> impl Strategy<Value = Both<Abilities>> {
    let one = || {
        (any::<bool>(), prop::bool::weighted(0.7)).prop_map(|(mailbox_ids, keywords)| Abilities {
            mailbox_ids,
            keywords,
        })
    };
    (one(), one()).prop_map(|(first, second)| Both::new(first, second))
}

/// Lets it all happen to two empty mailboxes, syncs until nothing is left to do, and checks the
/// result.
pub(super) fn run(
    abilities: Both<Abilities>,
    learns_late: bool,
    events: &[Event],
    prefer: u8,
) -> Result<(), TestCaseError> {
    let mut world = World::new(abilities, learns_late);
    for event in events {
        world.happen(event);
    }
    let outcome = world.come_to_rest(prefer).and_then(|()| world.check());
    outcome.map_err(|error| TestCaseError::fail(format!("{error} after {events:?}")))
}

/// Tries different histories each time, for some seconds; `PROPTEST_CASES` sets how many. A failing
/// one is printed in its shortest form, to become a test in `histories.rs`.
fn config() -> ProptestConfig {
    let config = crate::properties::config();
    let is_asked = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if is_asked { config.cases } else { 2500 };
    ProptestConfig {
        cases,
        max_shrink_iters: 200_000,
        ..config
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn edits_on_both_sides_come_to_rest(
        abilities in abilities(),
        learns_late in any::<bool>(),
        start in prop::collection::vec(edit(), 0..20),
        rounds in prop::collection::vec((quiet_sync(), prop::collection::vec(edit(), 0..8)), 1..4),
        prefer in any::<u8>(),
    ) {
        let rounds = rounds.into_iter().flat_map(|(sync, edits)| std::iter::once(sync).chain(edits));
        let events: Vec<_> = start.into_iter().chain(rounds).collect();
        run(abilities, learns_late, &events, prefer)?;
    }

    #[test]
    fn accidents_lose_and_double_nothing(
        abilities in abilities(),
        learns_late in any::<bool>(),
        events in prop::collection::vec(prop_oneof![8 => edit(), 2 => troubled_sync(), 1 => quiet_sync(), 1 => accident()], 5..40),
        prefer in any::<u8>(),
    ) {
        run(abilities, learns_late, &events, prefer)?;
    }
}
