//! What one folder of the target lacks and another one has: found while planning, by looks first
//! and headers then.

use super::Copy;
use crate::engine::folders::FolderRef;
use crate::engine::scans::scan_again;
use crate::engine::twins::{self, Place as OnSource};
use crate::exec::{Link, join};
use crate::mail::{Flags, MailboxName, Message, SpecialUse, Uid, UidSet, UidValidity};
use crate::plan::elsewhere::{self, Candidates, From, Held, Looks, Sameness, Shelf, Wanted};
use crate::store::{ContentId, Error, FolderScan, ReadStore, ScanDepth};
use crate::verbs::Deleting;
use crate::verbs::compare::Compared;
use crate::verbs::opening::Names;
use std::collections::{BTreeMap, HashMap};

/// A message that the target takes from another of its folders.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// The pair whose target lacks it.
    pub(super) pair: usize,
    /// The message on the source.
    pub(super) message: Message,
    /// What it must look like on the target.
    pub(super) same: Sameness,
    /// Where the target has it.
    pub(super) from: Place,
    /// Whether it leaves that folder.
    pub(super) leave: bool,
}

/// Where the target has a message.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) mailbox: MailboxName,
    pub(super) uid_validity: Option<UidValidity>,
    pub(super) uid: Uid,
    pub(super) flags: Flags,
}

/// A message that another folder lacks too, and that is sent there.
#[derive(Clone, Debug)]
pub(super) struct Twin {
    pub(super) pair: usize,
    pub(super) message: Message,
    pub(super) same: Sameness,
    /// The other folder's pair, and the message's UID in its source folder.
    pub(super) first: (usize, Uid),
}

/// What need not be sent, or only once.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    pub(super) jobs: Vec<Job>,
    pub(super) twins: Vec<Twin>,
}

impl Elsewhere {
    /// Messages that leave a folder of the target, by its name.
    pub(super) fn leaving(&self) -> HashMap<&MailboxName, UidSet> {
        let mut leaving: HashMap<&MailboxName, UidSet> = HashMap::new();
        for job in self.jobs.iter().filter(|job| job.leave) {
            leaving
                .entry(&job.from.mailbox)
                .or_default()
                .insert(job.from.uid);
        }
        leaving
    }
}

/// The folders that take part in the search: those of the pairs, by their indices, and after them
/// those of the target that nothing is paired with.
pub(super) struct Folders {
    by_number: Vec<Option<(MailboxName, Option<UidValidity>)>>,
}

impl Folders {
    fn get(&self, number: u32) -> Option<&(MailboxName, Option<UidValidity>)> {
        self.by_number.get(number as usize)?.as_ref()
    }
}

/// What looks alike in several folders, each with what tells by its header what it is.
struct Alike {
    /// What folders lack.
    wanted: Vec<(Wanted, Message, Option<Sameness>)>,
    /// What folders of the target have.
    held: Vec<(Held, Option<Sameness>)>,
    held_headers: Headers,
    folders: Folders,
}

impl Alike {
    /// Gives where the target has one of those that it has.
    fn place(&self, held: usize) -> Option<Place> {
        let (Held { folder, uid, .. }, _) = self.held[held];
        let flags = self
            .held_headers
            .get(&(folder, uid))
            .map(|(_, flags)| flags.clone())?;
        let (mailbox, uid_validity) = self.folders.get(folder)?.clone();
        Some(Place {
            mailbox,
            uid_validity,
            uid,
            flags,
        })
    }
}

impl Copy<'_> {
    /// Notes what a folder of the target holds.
    pub(super) fn note_held(&mut self, folder: usize, scan: &FolderScan, extra: &UidSet) {
        let Ok(folder) = u32::try_from(folder) else {
            return;
        };
        let messages = scan
            .messages
            .iter()
            .filter_map(|message| Some((Looks::of(message)?, message.uid())))
            .collect();
        self.shelves.push(Shelf {
            folder,
            messages,
            extra: extra.clone(),
        });
    }

    /// The same of a folder that was compared. What is extra may leave it only where that is
    /// certain.
    pub(super) fn note_compared(&mut self, pair: usize, compared: &Compared) {
        // Where the target has one folder, there is no other.
        if let Some(scan) = compared.target.as_ref().filter(|_| self.folders.len() > 1) {
            let extra = if compared.is_certain() {
                compared.extra()
            } else {
                UidSet::default()
            };
            self.note_held(pair, scan, &extra);
        }
    }

    /// Finds what need not be sent, as the target has it or gets it in another folder.
    pub(super) fn look_elsewhere(
        &mut self,
        link: &mut Link,
        names: &Names<'_>,
    ) -> Result<(), Error> {
        let Some(alike) = self.find_alike(link, names)? else {
            return Ok(());
        };
        let Alike { wanted, held, .. } = &alike;
        let pairs: Vec<_> = wanted
            .iter()
            .map(|(wanted, _, same)| (*wanted, *same))
            .collect();
        let may_leave = matches!(self.options.deleting, Deleting::Mirror(_));
        let mut assigned = elsewhere::assign(held, &pairs, may_leave);
        if names.source.are_labels {
            self.find_twins(link, names, wanted, &mut assigned)?;
        } else {
            self.part_twins(link, names, wanted, &mut assigned)?;
        }
        for (at, from) in assigned.into_iter().enumerate() {
            let (place, message, Some(same)) = wanted[at] else {
                continue;
            };
            let pair = place.folder as usize;
            let is_taken = match from {
                Some(From::Held { held, leave }) => alike.place(held).is_some_and(|from| {
                    self.add_job(Job {
                        pair,
                        message,
                        same,
                        from,
                        leave,
                    })
                }),
                Some(From::Twin(first)) => {
                    let (first, of, _) = &wanted[first];
                    let flags = self.wanted_flags(first.folder as usize, of);
                    let first = (first.folder as usize, of.uid());
                    self.add_twin(
                        Twin {
                            pair,
                            message,
                            same,
                            first,
                        },
                        &flags,
                    )
                }
                None => false,
            };
            if let Some(needs) = self.folders.needs_mut(pair).filter(|_| is_taken) {
                needs.server_side += 1;
                needs.server_side_bytes += u64::from(message.size());
            }
        }
        Ok(())
    }

    /// Finds what looks alike in several folders, and reads its headers. `None`: nothing does.
    fn find_alike(&mut self, link: &mut Link, names: &Names<'_>) -> Result<Option<Alike>, Error> {
        let mut shelves = std::mem::take(&mut self.shelves);
        if self.folders.are_on_their_way() {
            // A lost reply is looked for among what is new: nothing else may come there now.
            shelves.clear();
        }
        let Candidates { held, wanted } = elsewhere::candidates(&shelves, self.wanted(names));
        drop(shelves);
        if wanted.is_empty() {
            return Ok(None);
        }
        let folders = self.search_folders(names);
        let (wanted_headers, held_headers) =
            self.read_headers(link, names, &folders, &wanted, &held)?;
        let same = |headers: &Headers, folder: u32, uid: Uid| {
            headers.get(&(folder, uid)).and_then(|(same, _)| *same)
        };
        let with_message = |wanted: Wanted| {
            let needs = self.folders.needs(wanted.folder as usize)?;
            let message = *needs.missing_at(wanted.position as usize)?;
            Some((
                wanted,
                message,
                same(&wanted_headers, wanted.folder, message.uid()),
            ))
        };
        let mut wanted: Vec<_> = wanted.into_iter().filter_map(with_message).collect();
        // Of equal messages the first is sent: that is the one that lanes have.
        wanted.sort_by_key(|(wanted, ..)| !self.is_in_lanes(wanted));
        let held = held
            .into_iter()
            .map(|held| (held, same(&held_headers, held.folder, held.uid)))
            .collect();
        Ok(Some(Alike {
            wanted,
            held,
            held_headers,
            folders,
        }))
    }

    fn is_in_lanes(&self, wanted: &Wanted) -> bool {
        let needs = self.folders.needs(wanted.folder as usize);
        needs.is_some_and(|needs| (wanted.position as usize) < needs.in_lanes().len())
    }

    /// Has the target take a message from another of its folders, unless it would bring flags that
    /// it is not to have.
    fn add_job(&mut self, job: Job) -> bool {
        let fits = !self.brings_too_much(&job.from.flags, job.pair, &job.message);
        self.elsewhere.jobs.extend(fits.then_some(job));
        fits
    }

    /// The same of a message that is sent to another folder with these flags.
    fn add_twin(&mut self, twin: Twin, flags: &Flags) -> bool {
        let fits = !self.brings_too_much(flags, twin.pair, &twin.message);
        self.elsewhere.twins.extend(fits.then_some(twin));
        fits
    }

    /// Whether a message that comes from another folder of the target with these flags has others
    /// than it is to have. They would stay if the run ended before they are taken away, as no later
    /// run knows that nobody wanted them.
    fn brings_too_much(&self, flags: &Flags, pair: usize, message: &Message) -> bool {
        !flags.minus(&self.wanted_flags(pair, message)).is_empty()
    }

    /// The flags that a message of the source is to have on the target.
    pub(super) fn wanted_flags(&self, pair: usize, message: &Message) -> Flags {
        let needs = self.folders.needs(pair);
        needs.map_or_else(Flags::default, |needs| {
            let flags = needs.flags.get(message.flags());
            needs.target.as_ref().map_or_else(
                || flags.clone(),
                |target| target.permanent_flags.split(&flags).0,
            )
        })
    }

    /// Lets those be sent themselves that the source calls otherwise than the message that they
    /// look like.
    fn part_twins(
        &self,
        link: &mut Link,
        names: &Names<'_>,
        wanted: &[(Wanted, Message, Option<Sameness>)],
        assigned: &mut [Option<From>],
    ) -> Result<(), Error> {
        let place = |at: usize| (wanted[at].0.folder as usize, wanted[at].1.uid());
        let twin = |(at, from): (usize, &Option<From>)| match from {
            Some(From::Twin(first)) => Some((at, (place(at), place(*first)))),
            _ => None,
        };
        let (twins, pairs): (Vec<usize>, Vec<(OnSource, OnSource)>) =
            assigned.iter().enumerate().filter_map(twin).unzip();
        let folder = |at: usize| self.on_source(names, at);
        let are_same = twins::are_same(link.source.as_mut(), &pairs, &folder)?;
        for (at, _) in twins
            .into_iter()
            .zip(are_same)
            .filter(|(_, is_same)| *is_same == Some(false))
        {
            assigned[at] = None;
        }
        Ok(())
    }

    /// Lets every message be sent once that the source shows in several folders, by its own IDs:
    /// Gmail names each message.
    fn find_twins(
        &self,
        link: &mut Link,
        names: &Names<'_>,
        wanted: &[(Wanted, Message, Option<Sameness>)],
        assigned: &mut [Option<From>],
    ) -> Result<(), Error> {
        let place = |at: usize| (wanted[at].0.folder as usize, wanted[at].1.uid());
        // Drafts with one header are versions: the target's may be another one.
        let is_draft = |at: usize| names.pairs[place(at).0].role == Some(SpecialUse::Drafts);
        for (at, from) in assigned.iter_mut().enumerate() {
            if is_draft(at) {
                *from = None;
            }
        }
        let is_sent = |at: &usize| !matches!(assigned[*at], Some(From::Held { .. }));
        let to_send: Vec<usize> = (0..wanted.len()).filter(is_sent).collect();
        let places: Vec<OnSource> = to_send.iter().map(|at| place(*at)).collect();
        let folder = |at: usize| self.on_source(names, at);
        let ids = twins::ids(link.source.as_mut(), &places, &folder)?;
        let mut first_of: HashMap<ContentId, usize> = HashMap::new();
        for at in to_send {
            let first = ids
                .get(&place(at))
                .map(|id| *first_of.entry(*id).or_insert(at));
            let other = first.filter(|first| place(*first).0 != place(at).0);
            assigned[at] = other.map(From::Twin);
        }
        Ok(())
    }

    /// A pair's folder on the source.
    fn on_source<'n>(
        &self,
        names: &Names<'n>,
        pair: usize,
    ) -> Option<(&'n MailboxName, Option<UidValidity>)> {
        let validity = self.folders.needs(pair)?.source.counters.uid_validity;
        let mailbox = &names.source.mailboxes[names.pairs.get(pair)?.source].name;
        Some((mailbox, validity))
    }

    /// What folders lack. Of drafts, each is a version of its own, unless the source has IDs for
    /// them.
    fn wanted(&self, names: &Names<'_>) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for (index, needs) in self.folders.compared() {
            let Ok(folder) = u32::try_from(index) else {
                break;
            };
            let are_drafts = names.pairs[index].role == Some(SpecialUse::Drafts);
            if are_drafts && !names.source.are_labels {
                continue;
            }
            let looks = |(position, message): (u32, &Message)| {
                Some(Wanted {
                    looks: Looks::of(message)?,
                    folder,
                    position,
                })
            };
            wanted.extend((0..).zip(needs.all_missing()).filter_map(looks));
        }
        wanted
    }

    fn search_folders(&self, names: &Names<'_>) -> Folders {
        let of_pair = |pair: usize| {
            let target = self.folders.target(pair)?;
            Some((target.name.clone(), target.side.counters.uid_validity))
        };
        let of_unmatched = |unmatched: &crate::folders::Unmatched| {
            let mailbox = names.target.mailboxes.get(unmatched.target)?;
            Some((
                mailbox.name.clone(),
                *self.unmatched_generations.get(&unmatched.target)?,
            ))
        };
        let pairs = (0..self.folders.len()).map(of_pair);
        Folders {
            by_number: pairs
                .chain(names.pairing.unmatched_target.iter().map(of_unmatched))
                .collect(),
        }
    }

    /// Asks both sides for the headers of what may be the same.
    fn read_headers(
        &self,
        link: &mut Link,
        names: &Names<'_>,
        folders: &Folders,
        wanted: &[Wanted],
        held: &[Held],
    ) -> Result<(Headers, Headers), Error> {
        let mut on_source: BTreeMap<u32, UidSet> = BTreeMap::new();
        for wanted in wanted {
            let needs = self.folders.needs(wanted.folder as usize);
            if let Some(message) =
                needs.and_then(|needs| needs.missing_at(wanted.position as usize))
            {
                on_source
                    .entry(wanted.folder)
                    .or_default()
                    .insert(message.uid());
            }
        }
        let mut on_target: BTreeMap<u32, UidSet> = BTreeMap::new();
        for held in held {
            on_target.entry(held.folder).or_default().insert(held.uid);
        }
        let source_of = |folder: u32| {
            let validity = self
                .folders
                .needs(folder as usize)
                .and_then(|needs| needs.source.counters.uid_validity);
            Some((
                &names.source.mailboxes[names.pairs.get(folder as usize)?.source].name,
                validity,
            ))
        };
        let target_of = |folder: u32| {
            folders
                .get(folder)
                .map(|(name, validity)| (name, *validity))
        };
        // Where the source names each message, headers need not tell which is which.
        let same = if names.source.are_labels {
            Sameness::among_new
        } else {
            Sameness::of
        };
        let Link { source, target } = link;
        std::thread::scope(|scope| {
            let of_target =
                scope.spawn(|| headers(target.as_mut(), &on_target, &target_of, Sameness::of));
            let of_source = headers(source.as_mut(), &on_source, &source_of, same);
            Ok((of_source?, join(of_target)?))
        })
    }
}

/// What is known of messages by folder and UID: what they are, and their flags.
type Headers = HashMap<(u32, Uid), (Option<Sameness>, Flags)>;

/// Reads the headers of these messages, each folder's in one go. Folders that refuse, or are others
/// by now, give none.
fn headers<'n>(
    store: &mut dyn ReadStore,
    wanted: &BTreeMap<u32, UidSet>,
    folder_of: &(dyn Fn(u32) -> Option<(&'n MailboxName, Option<UidValidity>)> + Sync),
    same: fn(&Message) -> Option<Sameness>,
) -> Result<Headers, Error> {
    let asked = wanted.iter().filter_map(|(folder, uids)| {
        let (name, validity) = folder_of(*folder)?;
        let request = (FolderRef::new(name, validity), Some(uids.clone()));
        Some((*folder, request))
    });
    let (numbers, requests): (Vec<u32>, Vec<_>) = asked.unzip();
    let scans = scan_again(store, ScanDepth::Identity, requests)?;
    let mut headers = Headers::new();
    for (folder, scan) in numbers.into_iter().zip(scans) {
        let Some(scan) = scan else { continue };
        for message in &scan.messages {
            let known = (same(message), scan.flags.get(message.flags()));
            headers.insert((folder, message.uid()), known);
        }
    }
    Ok(headers)
}
