//! Two mailboxes, edits in the first one, and the runs between them.

use super::cells::{Cell, Fault, KINDS, Store, Verb};
use super::oracle::Content;
use crate::lab::client::Client;
use crate::lab::pair::{letter, snapshot};
use crate::lab::proxy::twist::{Damage, Kind, Twist};
use crate::lab::proxy::{Plan, Proxy};
use crate::lab::run::{End, Run, copy, run, sync};
use crate::lab::servers::{Account, Dovecot};
use crate::lab::trees::Tree;
use sha2::Digest as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The messages, each of which is there once: `i` in INBOX, `w` in Work, `s` in Work/Sub. `i1` is
/// flagged, `i0` goes to Work, `n0` comes to INBOX.
pub(crate) const LETTERS: [&str; 8] = ["i0", "i1", "i2", "w0", "w1", "w2", "s0", "n0"];
/// The one that is deleted.
pub(crate) const DELETED: &str = "w0";
/// The one that is moved.
pub(crate) const MOVED: &str = "i0";
/// Those that nobody deletes.
pub(crate) const ALIVE: [&str; 7] = ["i0", "i1", "i2", "w1", "w2", "s0", "n0"];

/// How long a side may be silent, in seconds: a reply that is dropped is waited for so long.
const TIMEOUT: u32 = 8;

/// One mailbox.
struct Place {
    /// The account, or for a directory the one that holds the same and in which changes are made.
    account: Account,
    tree: Option<Tree>,
    end: End,
}

/// What a cell works on.
pub(crate) struct Ground {
    verb: Verb,
    places: [Place; 2],
    root: tempfile::TempDir,
    is_on: Arc<AtomicBool>,
    /// By side, what counts or damages replies.
    twists: [Vec<Twist>; 2],
    /// The run to be undone.
    undone: String,
}

impl Ground {
    /// Mailboxes whose replies are counted.
    pub(crate) fn counting(verb: Verb, stores: [Store; 2]) -> Self {
        let counters = || {
            KINDS
                .iter()
                .map(|kind| Twist::new(*kind, usize::MAX, Damage::Dropped))
                .collect()
        };
        Self::new(verb, stores, [counters(), counters()])
    }

    /// The cell's mailboxes.
    pub(crate) fn of(cell: &Cell) -> Self {
        let mut twists = [Vec::new(), Vec::new()];
        if let Fault::Reply(kind, nth, damage) = cell.fault {
            twists[cell.side].push(Twist::new(kind, nth, damage));
        }
        Self::new(cell.verb, cell.stores, twists)
    }

    fn new(verb: Verb, stores: [Store; 2], twists: [Vec<Twist>; 2]) -> Self {
        let is_on: Arc<AtomicBool> = Arc::default();
        let place = |side: usize| {
            let store = stores[side];
            let kind = store
                .personality()
                .unwrap_or(crate::lab::servers::Personality::Plain);
            let account = Dovecot::shared().account(["matrixone", "matrixtwo"][side], kind);
            if side == 0 {
                fill(&account);
            }
            if let Some(directory) = store.directory() {
                let tree = Tree::of(directory, &account);
                let end = End::from(&tree.address());
                return Place {
                    account,
                    tree: Some(tree),
                    end,
                };
            }
            let plan = twists[side]
                .iter()
                .cloned()
                .fold(Plan::default(), Plan::twist)
                .only_while(&is_on);
            let proxy = Proxy::start(account.port, plan);
            let address = format!(
                "{}&timeout={TIMEOUT}",
                account.by_port(proxy.port).plain_address()
            );
            Place {
                account,
                tree: None,
                end: End::from(&address),
            }
        };
        let places = [place(0), place(1)];
        let root = tempfile::tempdir().unwrap();
        Self {
            verb,
            places,
            root,
            is_on,
            twists,
            undone: String::new(),
        }
    }

    /// How many replies of this kind a side gave.
    pub(crate) fn seen(&self, side: usize, kind: Kind) -> usize {
        let at = KINDS.iter().position(|other| *other == kind).unwrap();
        self.twists[side].get(at).map_or(0, Twist::seen)
    }

    fn state(&self) -> String {
        self.root.path().join("state").display().to_string()
    }

    fn plan(&self) -> String {
        self.root.path().join("a.plan").display().to_string()
    }

    fn copy(&self, options: &[&str]) -> Run {
        let [first, second] = &self.places;
        let state = self.state();
        copy(
            first.end.clone(),
            second.end.clone(),
            &[&["--state", &state], options].concat(),
        )
    }

    fn sync(&self) -> Run {
        let [first, second] = &self.places;
        let state = self.state();
        sync(first.end.clone(), second.end.clone(), &["--state", &state])
    }

    fn undo(&self, words: &[&str]) -> Run {
        let [first, second] = self
            .places
            .each_ref()
            .map(|place| place.end.address.as_str());
        let state = self.state();
        run(&[
            &["undo", "--output", "json", "--state", &state],
            words,
            &[first, second],
        ]
        .concat())
    }

    /// Brings both mailboxes to where the damaged run begins.
    pub(crate) fn prepare(&mut self) {
        let is_two_way = matches!(self.verb, Verb::Sync | Verb::Undo);
        if is_two_way {
            self.sync()
        } else {
            self.copy(&[])
        }
        .ended(0);
        change(&self.places[0].account);
        if let Some(tree) = &self.places[0].tree {
            copy(
                &self.places[0].account,
                &tree.address(),
                &["--delete", "--max-delete", "100%"],
            )
            .ended(0);
        }
        match self.verb {
            Verb::Apply => {
                let plan = self.plan();
                self.copy(&["--delete", "--dry-run", "--save-plan", &plan])
                    .ended(0);
            }
            Verb::Undo => {
                self.sync().ended(0);
                let listed = self.undo(&["--list"]).ended(0);
                self.undone = listed.texts("undo_run", "run").remove(0);
            }
            _ => {}
        }
    }

    /// The run itself.
    fn go(&self) -> Run {
        match self.verb {
            Verb::Copy => self.copy(&[]),
            Verb::Delete => self.copy(&["--delete"]),
            Verb::Move => self.copy(&["--move"]),
            Verb::KeepDeleted => self.copy(&["--keep-deleted"]),
            Verb::Sync => self.sync(),
            Verb::Apply => run(&["apply", &self.plan(), "--output", "json"]),
            Verb::Undo => self.undo(&[&self.undone]),
        }
    }

    /// The run whose replies are damaged.
    pub(crate) fn twisted(&self) -> Run {
        self.is_on.store(true, Ordering::Relaxed);
        let run = self.go();
        self.is_on.store(false, Ordering::Relaxed);
        run
    }

    /// The run while the directory is damaged, which is mended then.
    pub(crate) fn damaged(&self, side: usize, damage: fn(&Tree)) -> Run {
        let tree = self.places[side].tree.as_ref().unwrap();
        tree.save();
        damage(tree);
        let run = self.go();
        tree.mend();
        run
    }

    /// The clean run afterwards.
    pub(crate) fn again(&self) -> Run {
        match self.verb {
            // What the plan had left is planned anew.
            Verb::Apply => self.copy(&["--delete"]),
            Verb::Undo => {
                let run = self.go();
                if run.code == Some(0) {
                    self.sync()
                } else {
                    run
                }
            }
            _ => self.go(),
        }
    }

    /// What both mailboxes hold.
    pub(crate) fn content(&self) -> [Content; 2] {
        self.places.each_ref().map(|place| match &place.tree {
            None => content(&place.account),
            Some(tree) => {
                let shown = Dovecot::shared()
                    .account("matrixshown", crate::lab::servers::Personality::Plain);
                copy(
                    &tree.address(),
                    &shown,
                    &["--folder", "**", "--folder", "Vanished/**"],
                )
                .ended(0);
                content(&shown)
            }
        })
    }
}

fn fill(account: &Account) {
    let mut client = Client::login(account);
    for folder in [&["INBOX"][..], &["Work"], &["Work", "Sub"]] {
        if folder != ["INBOX"] {
            client.create(folder);
            client.subscribe(folder);
        }
        let initial = folder[folder.len() - 1].to_lowercase();
        let here = LETTERS
            .iter()
            .filter(|name| initial.starts_with(&name[..1]));
        client.append(folder, here.map(|name| letter(name)));
    }
}

/// One message is deleted, one moved, one flagged, and one comes.
fn change(account: &Account) {
    let mut client = Client::login(account);
    client.select(&["Work"]);
    client.expunge("1");
    client.select(&["INBOX"]);
    let to = client.name(&["Work"]);
    client.command(&format!("UID MOVE 1 {to}"));
    client.store("2", "+FLAGS", "\\Flagged");
    client.append(&["INBOX"], std::iter::once(letter("n0")));
}

/// The account's messages by their names; the day of `Vanished/DAY/` is left out.
fn content(account: &Account) -> Content {
    let name = |sha: &[u8; 32]| {
        let is_it =
            |name: &&&str| <[u8; 32]>::from(sha2::Sha256::digest(&letter(name).bytes)) == *sha;
        LETTERS
            .iter()
            .find(is_it)
            .map_or_else(|| "?".to_owned(), |name| (*name).to_owned())
    };
    let mut content = Content::new();
    for (levels, messages) in &snapshot(account).folders {
        let mut levels = levels.clone();
        if levels[0] == "Vanished" && levels.len() > 2 {
            levels.remove(1);
        }
        let here = messages.iter().map(|message| {
            (
                name(&message.sha256),
                message.flags.iter().cloned().collect(),
            )
        });
        content.entry(levels.join("/")).or_default().extend(here);
    }
    content.values_mut().for_each(|messages| messages.sort());
    content.retain(|_, messages| !messages.is_empty());
    content
}
