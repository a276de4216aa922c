//! `verify --deep`: the SHA-256 of every paired message's bytes, read from both sides in several
//! lanes.

use super::compare::Compared;
use super::opening::Names;
use crate::event::{Event, Observer, Run};
use crate::exec::{Contents, Link, ReadLink, at_once, read_contents};
use crate::folders::{self, TargetFolder};
use crate::identity::ContentKeys;
use crate::locks::{lock, unlocked};
use crate::mail::{Both, MailboxName, Side, Uid, UidSet, UidValidity};
use crate::store::{AsReadStore, Error, ReadConnector, ReadStore};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

/// The pairs of one folder to compare by content.
pub(super) struct DeepFolder {
    /// The source's decoded name.
    pub(super) name: String,
    source: MailboxName,
    source_uid_validity: Option<UidValidity>,
    target: MailboxName,
    target_uid_validity: Option<UidValidity>,
    pairs: Vec<(Uid, Uid)>,
    /// The size of their messages according to both sides, in bytes.
    bytes: u64,
}

/// The result for one folder.
#[derive(Default)]
pub(super) struct Contrast {
    /// Bytes read and hashed on both sides.
    pub(super) bytes: u64,
    /// The source's UIDs of pairs with different content, and how they differ.
    pub(super) changed: Vec<(Uid, String)>,
    /// The source's UIDs of pairs that could not be read on one or both sides.
    pub(super) unread: Vec<Uid>,
    /// Pairs in which one message is a corrected copy of the other.
    pub(super) fixed: u64,
    /// The messages to resend, because the target's copies have other content.
    pub(super) damaged: Vec<Unlike>,
}

/// A message on the source, and its damaged copy on the target, which equals no message on the
/// source.
pub(super) struct Unlike {
    pub(super) source: Uid,
    pub(super) target: Uid,
    /// The keys of the source's bytes.
    pub(super) content: ContentKeys,
}

impl DeepFolder {
    pub(super) fn new(
        pair: &folders::Pair,
        compared: &Compared,
        target_scan: &crate::store::FolderScan,
        names: &Names<'_>,
    ) -> Self {
        let target = match &pair.target {
            TargetFolder::Existing(at) => names.target.mailboxes[*at].name.clone(),
            TargetFolder::New { name, .. } => name.clone(),
        };
        let uids = |(source, target): &(u32, u32)| {
            (
                compared.source.messages[*source as usize].uid(),
                target_scan.messages[*target as usize].uid(),
            )
        };
        let size = |(source, target): &(u32, u32)| {
            let (ours, theirs) = (
                &compared.source.messages[*source as usize],
                &target_scan.messages[*target as usize],
            );
            u64::from(ours.size()) + u64::from(theirs.size())
        };
        Self {
            name: pair.from.to_string(),
            source: names.source.mailboxes[pair.source].name.clone(),
            source_uid_validity: compared.source.uid_validity,
            target,
            target_uid_validity: target_scan.uid_validity,
            pairs: compared.matching.pairs.iter().map(uids).collect(),
            bytes: compared.matching.pairs.iter().map(size).sum(),
        }
    }

    /// Returns the source's folder.
    pub(super) fn source(&self) -> &MailboxName {
        &self.source
    }

    /// Returns some pairs of messages in two folders.
    pub(super) fn of_pairs(
        name: &str,
        source: (&MailboxName, Option<UidValidity>),
        target: (&MailboxName, Option<UidValidity>),
        pairs: Vec<(Uid, Uid)>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            source: source.0.clone(),
            source_uid_validity: source.1,
            target: target.0.clone(),
            target_uid_validity: target.1,
            pairs,
            bytes: 0,
        }
    }

    /// Reads and compares the messages of these pairs.
    ///
    /// # Errors
    /// A failure that ends a connection.
    pub(super) fn contrast<C: AsReadStore>(
        &self,
        link: &mut Link<C>,
        observer: &dyn Observer,
    ) -> Result<Contrast, Error> {
        let source_uids: UidSet = self.pairs.iter().map(|(source, _)| *source).collect();
        let target_uids: UidSet = self.pairs.iter().map(|(_, target)| *target).collect();
        let Link { source, target } = link;
        let readings = Readings {
            folder: &self.name,
            observer,
            read: Mutex::default(),
        };
        let (on_source, on_target) = at_once(
            || self.read(source.reading(), Side::SOURCE, &source_uids, &readings),
            || self.read(target.reading(), Side::TARGET, &target_uids, &readings),
        );
        Ok(self.judge(&on_source?, &on_target?))
    }

    fn read(
        &self,
        store: &mut dyn ReadStore,
        side: Side,
        uids: &UidSet,
        readings: &Readings<'_>,
    ) -> Result<Contents, Error> {
        let (mailbox, uid_validity) = match side {
            Side::SOURCE => (&self.source, self.source_uid_validity),
            Side::TARGET => (&self.target, self.target_uid_validity),
        };
        read_contents(store, mailbox, uid_validity, uids, &mut |bytes| {
            readings.tell(side, bytes);
        })
    }

    fn judge(&self, on_source: &Contents, on_target: &Contents) -> Contrast {
        let mut contrast = Contrast::default();
        let mut unlike = Vec::new();
        let mut targets = Vec::new();
        for (source, target) in &self.pairs {
            let (Some(ours), Some(theirs)) = (on_source.get(source), on_target.get(target)) else {
                contrast.unread.push(*source);
                continue;
            };
            contrast.bytes += ours.length + theirs.length;
            if ours.raw != theirs.raw {
                unlike.push((*source, ours, theirs));
                targets.push(*target);
            }
        }
        contrast.damaged = damaged(&unlike, &targets);
        contrast.changed = truly_changed(&unlike);
        let changed: HashSet<Uid> = contrast.changed.iter().map(|(uid, _)| *uid).collect();
        let fixed = unlike.iter().filter(|(uid, ours, theirs)| {
            ours.original != theirs.original && !changed.contains(uid)
        });
        contrast.fixed = fixed.count() as u64;
        contrast
    }
}

/// How many messages of a folder were read on each side.
struct Readings<'a> {
    folder: &'a str,
    observer: &'a dyn Observer,
    /// On the source and on the target.
    read: Mutex<[u64; 2]>,
}

impl Readings<'_> {
    /// Counts a message that was read. It counts as compared once the other side has been read as
    /// far.
    fn tell(&self, side: Side, bytes: u64) {
        let messages = {
            let mut read = lock(&self.read);
            let [source, target] = &mut *read;
            let (ours, theirs) = if side == Side::SOURCE {
                (source, target)
            } else {
                (target, source)
            };
            *ours += 1;
            u64::from(*ours <= *theirs)
        };
        self.observer.observe(&Event::Compared {
            folder: self.folder,
            messages,
            bytes,
        });
    }
}

/// Returns the pairs with different contents, except those whose content equals that of another
/// one or of its corrected copy: messages with the same header may have been paired crosswise.
fn truly_changed(unlike: &[(Uid, &ContentKeys, &ContentKeys)]) -> Vec<(Uid, String)> {
    let mut on_target: HashMap<[u8; 32], usize> = HashMap::new();
    for (_, _, theirs) in unlike {
        *on_target.entry(theirs.origin()).or_default() += 1;
    }
    let mut changed = Vec::new();
    for (uid, ours, theirs) in unlike {
        match on_target.get_mut(&ours.origin()) {
            Some(count) if *count > 0 => *count -= 1,
            _ => changed.push((*uid, describe(ours, theirs))),
        }
    }
    changed
}

/// Returns, from pairs with different contents, each source that no target equals, with a target
/// that equals no source. Differences in line ends and added fields alone are made by servers, and
/// aren't damage.
fn damaged(unlike: &[(Uid, &ContentKeys, &ContentKeys)], targets: &[Uid]) -> Vec<Unlike> {
    let originals: HashSet<[u8; 32]> = unlike
        .iter()
        .flat_map(|(_, ours, theirs)| [ours.original, theirs.original])
        .flatten()
        .collect();
    // A corrected copy stands for its original.
    let key = |content: &ContentKeys| match content.origin() {
        origin if originals.contains(&origin) => Key::Origin(origin),
        _ => Key::Canonical(content.canonical),
    };
    let mut on_source: HashMap<Key, usize> = HashMap::new();
    let mut on_target: HashMap<Key, usize> = HashMap::new();
    for (_, ours, theirs) in unlike {
        *on_source.entry(key(ours)).or_default() += 1;
        *on_target.entry(key(theirs)).or_default() += 1;
    }
    let take = |counts: &mut HashMap<Key, usize>, key: Key| match counts.get_mut(&key) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    };
    let lost: Vec<bool> = unlike
        .iter()
        .map(|(_, ours, _)| !take(&mut on_target, key(ours)))
        .collect();
    let bad: Vec<bool> = unlike
        .iter()
        .map(|(.., theirs)| !take(&mut on_source, key(theirs)))
        .collect();
    let unlike_of = |source: usize, target: usize| {
        let (source, content, _) = unlike[source];
        Unlike {
            source,
            target: targets[target],
            content: *content,
        }
    };
    // If both messages of a pair are left over, they belong together; the others take what is left.
    let all = 0..unlike.len();
    let mut found: Vec<Unlike> = all
        .clone()
        .filter(|at| lost[*at] && bad[*at])
        .map(|at| unlike_of(at, at))
        .collect();
    let sources = all.clone().filter(|at| lost[*at] && !bad[*at]);
    let rest = sources.zip(all.filter(|at| bad[*at] && !lost[*at]));
    found.extend(rest.map(|(source, target)| unlike_of(source, target)));
    found
}

/// What makes two contents the same for a repair.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    /// The SHA-256 of an original that has a corrected copy.
    Origin([u8; 32]),
    Canonical([u8; 16]),
}

fn describe(ours: &ContentKeys, theirs: &ContentKeys) -> String {
    let kind = if ours.canonical == theirs.canonical {
        "line ends or added headers differ"
    } else {
        "the content differs"
    };
    format!(
        "{kind}: {} bytes on the source, {} on the target",
        ours.length, theirs.length
    )
}

/// A folder with its result, or the reason why it could not be compared.
pub(super) type Outcome = (DeepFolder, Result<Contrast, String>);

/// Compares the contents of all folders, in lanes with a connection to each side. Returns each
/// folder with its result, or the reason why it could not be compared.
pub(super) fn compare_contents(
    connectors: Both<&dyn ReadConnector>,
    first: ReadLink,
    lanes: usize,
    folders: Vec<DeepFolder>,
    run: Run<'_>,
) -> Vec<Outcome> {
    if !folders.is_empty() {
        run.observer.observe(&Event::ToCompare {
            folders: folders.len() as u64,
            messages: folders.iter().map(|folder| folder.pairs.len() as u64).sum(),
            bytes: folders.iter().map(|folder| folder.bytes).sum(),
        });
    }
    let lanes = lanes.clamp(1, folders.len().max(1));
    let mut waiting = folders;
    // Taken from the end, so the largest comes first.
    waiting.sort_by_key(|folder| folder.pairs.len());
    let work = Work {
        waiting: Mutex::new(waiting),
        done: Mutex::default(),
    };
    std::thread::scope(|scope| {
        for _ in 1..lanes {
            scope.spawn(|| {
                // A further lane is useful, not required: if it gets no connection, there is one
                // less.
                let Both {
                    first: source,
                    second: target,
                } = connectors.map(ReadConnector::connect_to_read);
                if let (Ok(source), Ok(target)) = (source, target) {
                    work.run(Link { source, target }, run);
                }
            });
        }
        work.run(first, run);
    });
    unlocked(work.done)
}

struct Work {
    waiting: Mutex<Vec<DeepFolder>>,
    done: Mutex<Vec<Outcome>>,
}

impl Work {
    fn run(&self, mut link: ReadLink, run: Run<'_>) {
        while !run.stop.is_requested() {
            let next = lock(&self.waiting).pop();
            let Some(folder) = next else { break };
            let contrast = folder.contrast(&mut link, run.observer);
            let is_lost = contrast.is_err();
            let result = (folder, contrast.map_err(|error| error.message));
            lock(&self.done).push(result);
            if is_lost {
                return;
            }
        }
        link.source.close();
        link.target.close();
    }
}
