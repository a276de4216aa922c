//! The cells: a kind of run, a kind of damage, a side, and the kinds of both mailboxes.

use crate::lab::proxy::twist::{Damage, Kind};
use crate::lab::servers::Personality;
use crate::lab::trees;
use std::fmt;
use std::time::Duration;

/// What the damaged run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Copy,
    Delete,
    Move,
    KeepDeleted,
    Sync,
    Apply,
    Undo,
}

pub(crate) const VERBS: [Verb; 7] = [
    Verb::Copy,
    Verb::Delete,
    Verb::Move,
    Verb::KeepDeleted,
    Verb::Sync,
    Verb::Apply,
    Verb::Undo,
];

/// What holds a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Store {
    /// With QRESYNC.
    Qresync,
    /// With CONDSTORE alone.
    Condstore,
    /// With neither, and nothing else.
    Bare,
    Maildir,
    Mbox,
}

pub(crate) const SERVERS: [Store; 3] = [Store::Qresync, Store::Condstore, Store::Bare];

impl Store {
    /// The server's personality; none for a directory.
    pub(crate) fn personality(self) -> Option<Personality> {
        match self {
            Self::Qresync => Some(Personality::Plain),
            Self::Condstore => Some(Personality::NoQresync),
            Self::Bare => Some(Personality::Poor),
            Self::Maildir | Self::Mbox => None,
        }
    }

    /// How its address begins, if it is a directory.
    pub(crate) fn directory(self) -> Option<&'static str> {
        match self {
            Self::Maildir => Some("maildir"),
            Self::Mbox => Some("mbox"),
            _ => None,
        }
    }
}

/// What is damaged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The nth reply of a kind.
    Reply(Kind, usize, Damage),
    /// The directory's folder Work.
    Tree(trees::Damage),
}

/// One damaged run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) verb: Verb,
    pub(crate) stores: [Store; 2],
    /// The side that is damaged.
    pub(crate) side: usize,
    pub(crate) fault: Fault,
}

/// The cell's name, by which it can be run alone.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = ["first", "second"][self.side];
        write!(f, "{:?}/{:?}/{side}/", self.verb, self.stores[self.side])?;
        match self.fault {
            Fault::Reply(kind, nth, damage) => {
                let kind = match kind {
                    Kind::Untagged(name) => name.to_owned(),
                    Kind::Code(name) => format!("[{name}]"),
                    Kind::Tagged => "OK".to_owned(),
                };
                let damage = format!("{damage:?}");
                write!(f, "{kind}/{nth}/{}", damage.split('(').next().unwrap())
            }
            Fault::Tree((_, name, _)) => f.write_str(&name.replace(' ', "-")),
        }
    }
}

impl Cell {
    /// Whether the server may hide a change of flags so that nobody can know: with CONDSTORE it
    /// sends only what has changed, and no count tells that one such line did not come. All else is
    /// counted.
    pub(crate) fn may_hide_flags(&self) -> bool {
        matches!(
            self.fault,
            Fault::Reply(Kind::Untagged("FETCH"), _, Damage::Dropped)
        ) && matches!(self.stores[self.side], Store::Qresync | Store::Condstore)
    }
}

/// The kinds of replies.
pub(crate) const KINDS: [Kind; 20] = [
    Kind::Untagged("CAPABILITY"),
    Kind::Untagged("ENABLED"),
    Kind::Untagged("NAMESPACE"),
    Kind::Untagged("LIST"),
    Kind::Untagged("LSUB"),
    Kind::Untagged("STATUS"),
    Kind::Untagged("EXISTS"),
    Kind::Untagged("FLAGS"),
    Kind::Untagged("FETCH"),
    Kind::Untagged("SEARCH"),
    Kind::Untagged("ESEARCH"),
    Kind::Untagged("VANISHED"),
    Kind::Untagged("EXPUNGE"),
    Kind::Code("UIDVALIDITY"),
    Kind::Code("UIDNEXT"),
    Kind::Code("HIGHESTMODSEQ"),
    Kind::Code("PERMANENTFLAGS"),
    Kind::Code("APPENDUID"),
    Kind::Code("COPYUID"),
    Kind::Tagged,
];

/// Which of a kind; those that a run has no such reply for are left out.
const TURNS: [usize; 5] = [1, 2, 4, 7, 12];

const LATE: Duration = Duration::from_millis(300);

const DAMAGES: [Damage; 5] = [
    Damage::Garbled,
    Damage::Dropped,
    Damage::Doubled,
    Damage::Late(LATE),
    Damage::Cut,
];

/// All replies that can be damaged.
pub(crate) fn of_replies() -> Vec<Cell> {
    let mut cells = Vec::new();
    for verb in VERBS {
        for store in SERVERS {
            for side in [0, 1] {
                let faults = KINDS.iter().flat_map(|kind| {
                    TURNS
                        .iter()
                        .flat_map(|nth| DAMAGES.map(|damage| Fault::Reply(*kind, *nth, damage)))
                });
                cells.extend(faults.map(|fault| Cell {
                    verb,
                    stores: [store; 2],
                    side,
                    fault,
                }));
            }
        }
    }
    cells
}

/// All kinds of damage to directories.
pub(crate) fn of_trees() -> Vec<Cell> {
    let mut cells = Vec::new();
    for verb in VERBS {
        for damage in trees::DAMAGES {
            for side in [0, 1] {
                let mut stores = [Store::Qresync; 2];
                stores[side] = if damage.0 == "mbox" {
                    Store::Mbox
                } else {
                    Store::Maildir
                };
                cells.push(Cell {
                    verb,
                    stores,
                    side,
                    fault: Fault::Tree(damage),
                });
            }
        }
    }
    cells
}
