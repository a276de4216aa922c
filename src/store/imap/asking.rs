//! What a scan requests of a folder's messages, depending on how much is already known about them.

use super::session::SET_BYTES;
use crate::identity;
use crate::imap::{Attributes, Command, Content, Fetch};
use crate::mail::{ModSeq, Uid, UidSet};
use crate::store::{Baseline, KnownDepth, ScanDepth};
use std::collections::VecDeque;
use std::sync::OnceLock;

/// How a server reports what has changed since a HIGHESTMODSEQ (RFC 7162).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeTelling {
    /// It can't.
    Never,
    /// By CHANGEDSINCE; a search for what still exists shows what is gone.
    Search(&'static str),
    /// By CHANGEDSINCE, with VANISHED.
    Vanished,
}

/// A set of messages to request.
pub(super) struct Asking {
    set: String,
    items: Items,
    pub(super) changed_since: Option<ChangedSince>,
    /// This search instead of a FETCH.
    search: Option<&'static str>,
}

/// Only what has changed.
pub(super) struct ChangedSince {
    mod_seq: ModSeq,
    vanished: bool,
}

impl Asking {
    fn new(set: String, items: Items) -> Self {
        Self {
            set,
            items,
            changed_since: None,
            search: None,
        }
    }

    pub(super) fn command(&self) -> Command {
        if let Some(search) = self.search {
            return Command::new(search).text(&self.set);
        }
        let fetch = Command::new("UID FETCH")
            .text(&self.set)
            .text(self.items.text());
        match &self.changed_since {
            Some(ChangedSince {
                mod_seq,
                vanished: true,
            }) => fetch.text(&format!("(CHANGEDSINCE {mod_seq} VANISHED)")),
            Some(ChangedSince { mod_seq, .. }) => fetch.text(&format!("(CHANGEDSINCE {mod_seq})")),
            None => fetch,
        }
    }
}

/// What is requested of each message. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Items {
    Size,
    Flags,
    Attributes,
    Header,
}

impl Items {
    pub(super) fn of(depth: ScanDepth) -> Self {
        match depth {
            ScanDepth::Sizes => Self::Size,
            ScanDepth::Attributes => Self::Attributes,
            ScanDepth::Identity | ScanDepth::Headings | ScanDepth::Since(_) => Self::Header,
        }
    }

    /// Returns the least that a scan needs of a message with this UID.
    pub(super) fn least(depth: ScanDepth, uid: Uid) -> Self {
        match depth {
            ScanDepth::Since(Baseline {
                uid_next, known, ..
            }) if uid_next.has_assigned(uid) => match known {
                KnownDepth::Attributes => Self::Attributes,
                KnownDepth::Flags | KnownDepth::Changes(_) => Self::Flags,
            },
            depth => Self::of(depth),
        }
    }

    /// Returns the most that a response has, if at least this.
    pub(super) fn found(fetch: &Fetch<'_>, least: Self) -> Option<Self> {
        if least == Self::Size {
            return fetch
                .present
                .contains(Attributes::SIZE)
                .then_some(Self::Size);
        }
        let attributes = Attributes::FLAGS | Attributes::INTERNAL_DATE | Attributes::SIZE;
        let has_header = matches!(
            fetch.header,
            Some(Content::Bytes(_) | Content::Streamed { .. })
        );
        let found = match (&fetch.flags, fetch.present.contains(attributes)) {
            (None, _) => return None,
            (_, true) if has_header => Self::Header,
            (_, true) => Self::Attributes,
            (_, false) => Self::Flags,
        };
        (found >= least).then_some(found)
    }

    /// Returns the items in FETCH's syntax.
    fn text(self) -> &'static str {
        static HEADER: OnceLock<String> = OnceLock::new();
        match self {
            Self::Size => "(UID RFC822.SIZE)",
            Self::Flags => "(UID FLAGS)",
            Self::Attributes => "(UID FLAGS INTERNALDATE RFC822.SIZE)",
            Self::Header => HEADER.get_or_init(|| {
                let fields = identity::FIELDS;
                format!("(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({fields})])")
            }),
        }
    }
}

/// Returns the HIGHESTMODSEQ since which changes are requested.
pub(super) fn changes_since(depth: ScanDepth) -> Option<ModSeq> {
    match depth {
        ScanDepth::Since(Baseline {
            known: KnownDepth::Changes(mod_seq),
            ..
        }) => Some(mod_seq),
        _ => None,
    }
}

/// Returns what is requested of a folder, in the order of its UIDs.
pub(super) fn askings(
    depth: ScanDepth,
    uids: Option<&UidSet>,
    telling: ChangeTelling,
) -> VecDeque<Asking> {
    let asking = |items| move |set| Asking::new(set, items);
    let sets = |uids: &UidSet| uids.sequence_sets(SET_BYTES).into_iter();
    match (depth, uids) {
        (ScanDepth::Since(baseline), None) => since(baseline, telling).into(),
        (depth, None) => [Asking::new("1:*".to_owned(), Items::of(depth))].into(),
        (depth, Some(uids)) => sets(uids).map(asking(Items::of(depth))).collect(),
    }
}

/// Returns what is requested of a folder about which much is known.
fn since(baseline: Baseline, telling: ChangeTelling) -> Vec<Asking> {
    let mut askings = Vec::new();
    let known = (baseline.uid_next.get() > 1).then(|| format!("1:{}", baseline.uid_next.get() - 1));
    let fetch = |items, changed_since| {
        move |set| Asking {
            changed_since,
            ..Asking::new(set, items)
        }
    };
    match (baseline.known, telling) {
        (KnownDepth::Attributes, _) => askings.extend(known.map(fetch(Items::Attributes, None))),
        (KnownDepth::Flags, _) | (KnownDepth::Changes(_), ChangeTelling::Never) => {
            askings.extend(known.map(fetch(Items::Flags, None)));
        }
        (KnownDepth::Changes(mod_seq), ChangeTelling::Vanished) => {
            askings.extend(known.map(fetch(
                Items::Flags,
                Some(ChangedSince {
                    mod_seq,
                    vanished: true,
                }),
            )));
        }
        (KnownDepth::Changes(mod_seq), ChangeTelling::Search(search)) => {
            let changed = Some(ChangedSince {
                mod_seq,
                vanished: false,
            });
            askings.extend(known.clone().map(fetch(Items::Flags, changed)));
            askings.extend(known.map(|set| Asking {
                search: Some(search),
                ..Asking::new(set, Items::Flags)
            }));
        }
    }
    let probe: UidSet = baseline.probe.into_iter().flatten().collect();
    if !probe.is_empty() {
        askings.push(Asking::new(probe.to_string(), Items::Header));
    }
    askings.push(Asking::new(
        format!("{}:*", baseline.uid_next),
        Items::Header,
    ));
    askings
}
