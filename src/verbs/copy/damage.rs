//! What is damaged on the target, and how it is told from what is not.

use crate::exec::Contents;
use crate::identity::ContentKeys;
use crate::mail::{FlagTable, Flags, HeaderKey, Message, Uid, UidSet};
use crate::verbs::compare::Compared;
use crate::verbs::deep::Unlike;
use std::collections::{HashMap, HashSet, VecDeque};

/// Pairs what each side has left of messages with the same header and size: the target's is the
/// source's, damaged.
///
/// Among messages with equal headers only contents say which is which, and a damaged copy is like
/// none of the source's: it comes out of the comparison as an extra, and its message as missing.
/// Another size makes another message of it.
pub(super) fn pair_damaged(compared: &mut Compared) {
    let Some(target) = &compared.target else {
        return;
    };
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
        let Some(extra) = looks.and_then(|looks| left.get_mut(&looks)?.pop_front()) else {
            return true;
        };
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
    /// The same messages on both sides, by the source's UID.
    pub(super) pairs: Vec<(Message, Message)>,
    /// What only the target has, and has the header of one of these.
    extras: Vec<Message>,
    /// The target's flags.
    flags: FlagTable,
}

impl ToCheck {
    pub(super) fn new(compared: &Compared) -> Option<Self> {
        let target = compared.target.as_ref()?;
        let both = |(source, at): &(u32, u32)| {
            (
                compared.source.messages[*source as usize],
                target.messages[*at as usize],
            )
        };
        let mut pairs: Vec<(Message, Message)> = compared.matching.pairs.iter().map(both).collect();
        pairs.sort_unstable_by_key(|(source, _)| source.uid());
        let keys: HashSet<HeaderKey> = pairs.iter().map(|(source, _)| source.key()).collect();
        let extras = compared
            .matching
            .extra
            .iter()
            .map(|at| target.messages[*at as usize]);
        let extras = extras
            .filter(|message| keys.contains(&message.key()))
            .collect();
        Some(Self {
            pairs,
            extras,
            flags: target.flags.clone(),
        })
    }

    /// Gives the target's messages that an earlier run may have sent already, beside what they were
    /// to replace.
    pub(super) fn sent_before(&self, damaged: &[Unlike]) -> UidSet {
        let uids: UidSet = damaged.iter().map(|one| one.source).collect();
        let sources = self.pairs.iter().map(|(source, _)| source);
        let keys: HashSet<HeaderKey> = sources
            .filter(|source| uids.contains(source.uid()))
            .map(Message::key)
            .collect();
        let alike = self
            .extras
            .iter()
            .filter(|extra| keys.contains(&extra.key()) && !self.bears_mark(extra));
        alike.map(Message::uid).collect()
    }

    /// Gives what there is to know of a damaged message. `there` are good copies that may be of it.
    pub(super) fn damaged(&self, unlike: &Unlike, there: &mut Contents) -> Option<Damaged> {
        let Unlike {
            source,
            target,
            content,
        } = unlike;
        let at = self
            .pairs
            .binary_search_by_key(source, |(source, _)| source.uid())
            .ok()?;
        let (message, bad) = self.pairs.get(at).filter(|(_, bad)| bad.uid() == *target)?;
        let sent_before = take_equal(there, content);
        let flags = self
            .flags
            .get(bad.flags())
            .filter_keywords(|keyword| !keyword.is_own());
        Some(Damaged {
            message: *message,
            content: *content,
            target: *target,
            flags,
            sent_before,
        })
    }

    fn bears_mark(&self, message: &Message) -> bool {
        self.flags
            .get(message.flags())
            .keywords()
            .iter()
            .any(|keyword| keyword.as_str() == Flags::DAMAGED)
    }
}

/// A message of which the target's copy is damaged.
pub(super) struct Damaged {
    /// The source's.
    pub(super) message: Message,
    pub(super) content: ContentKeys,
    /// The damaged copy, and its flags.
    pub(super) target: Uid,
    pub(super) flags: Flags,
    /// A good copy that an earlier run has sent.
    pub(super) sent_before: Option<Uid>,
}

impl Damaged {
    /// Its UID on the source.
    pub(super) fn uid(&self) -> Uid {
        self.message.uid()
    }
}

/// What an earlier run found to be damaged and has replaced, but not deleted any more.
pub(super) fn ended_earlier(check: &ToCheck, found: &[Damaged]) -> UidSet {
    let open: HashSet<HeaderKey> = found.iter().map(|one| one.message.key()).collect();
    let ended = check
        .extras
        .iter()
        .filter(|extra| check.bears_mark(extra) && !open.contains(&extra.key()));
    ended.map(Message::uid).collect()
}

/// Whether a copy says what was sent: servers may add fields and change line ends.
pub(super) fn is_equal(one: &ContentKeys, other: &ContentKeys) -> bool {
    one.raw == other.raw || one.canonical == other.canonical
}

/// Takes out a message that says this.
pub(super) fn take_equal(there: &mut Contents, content: &ContentKeys) -> Option<Uid> {
    let found = there
        .iter()
        .find(|(_, keys)| is_equal(keys, content))
        .map(|(uid, _)| *uid)?;
    there.remove(&found);
    Some(found)
}
