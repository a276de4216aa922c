//! Each kind of run meets each kind of damage: a reply from one side is garbled, duplicated, late,
//! truncated or dropped, or a directory has been changed. No message is missing unless it was
//! deleted, nothing is duplicated, the exit code shows what was not copied, and a clean run
//! afterwards does the rest.
//!
//! [`cells`] has the combinations, [`oracle`] what must hold. `MAILFERRY_CELL=Sync/Qresync/first`
//! runs only those whose name begins like this. Otherwise `MAILFERRY_EVERY=N` splits all cells into
//! N slices and `MAILFERRY_SEED` chooses one of them, so that the seeds 0 to N-1 run each cell
//! once; `MAILFERRY_EVERY=1`, as `scripts/crash` sets it, runs all.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod cells;
mod ground;
mod oracle;

use crate::lab::generator::random::{self, Random};
use crate::lab::proxy::twist::Kind;
use cells::{Cell, Fault, KINDS, Store, Verb};
use ground::Ground;
use oracle::Reference;
use std::collections::HashMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

/// Cells at a time: they wait more than they work, but a machine that is too busy to answer in time
/// proves nothing.
const AT_A_TIME: usize = 12;
/// Of so many cells one is tried, unless the environment says otherwise.
const EVERY_REPLY: u64 = 100;
const EVERY_TREE: u64 = 40;

/// A run without damage, and how many replies of each kind the sides gave in it; `None` if it
/// failed.
type Undamaged = Option<(Reference, [Vec<usize>; 2])>;

/// Runs without damage, each made when it is first asked for.
#[derive(Default)]
struct References(Mutex<HashMap<Setting, Arc<OnceLock<Undamaged>>>>);

/// A verb and where its two mailboxes are.
type Setting = (Verb, [Store; 2]);

impl References {
    fn of(&self, cell: &Cell) -> Arc<OnceLock<Undamaged>> {
        let slot = Arc::clone(
            self.0
                .lock()
                .unwrap()
                .entry((cell.verb, cell.stores))
                .or_default(),
        );
        slot.get_or_init(|| catch_unwind(|| undamaged(cell.verb, cell.stores)).ok());
        slot
    }
}

fn undamaged(verb: Verb, stores: [Store; 2]) -> (Reference, [Vec<usize>; 2]) {
    let mut ground = Ground::counting(verb, stores);
    ground.prepare();
    let before = ground.content();
    ground.twisted().ended(0);
    let seen = [0, 1].map(|side| KINDS.iter().map(|kind| ground.seen(side, *kind)).collect());
    let after = ground.content();
    ground.again().ended(0);
    let reference = Reference {
        before,
        after,
        at_rest: ground.content(),
    };
    reference.assert_sane(verb);
    (reference, seen)
}

/// How a cell ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All was done in spite of the damage.
    Done,
    /// The run said that something was not done.
    Said,
    /// There is no such reply in this run.
    Untouched,
}

fn take(cell: &Cell, references: &References) -> Result<End, String> {
    let slot = references.of(cell);
    let Some(Some((reference, seen))) = slot.get() else {
        return Err("the run without damage failed".to_owned());
    };
    if let Fault::Reply(kind, nth, _) = cell.fault
        && nth > seen[cell.side][at(kind)]
    {
        return Ok(End::Untouched);
    }
    let mut ground = Ground::of(cell);
    ground.prepare();
    let run = match cell.fault {
        Fault::Reply(..) => ground.twisted(),
        Fault::Tree((_, _, damage)) => ground.damaged(cell.side, damage),
    };
    let hides_flags = cell.may_hide_flags();
    let told = |fault: String| format!("{fault}\n{run:?}");
    let fault = reference.fault_after(&ground.content(), &run, hides_flags);
    fault.map_or(Ok(()), |fault| {
        Err(told(format!("after the damaged run: {fault}")))
    })?;
    let last = ground.again();
    if last.code != Some(0) {
        return Err(told(format!("the clean run: {last:?}\nafter")));
    }
    let fault = reference.fault_at_rest(&ground.content(), hides_flags);
    fault.map_or(Ok(()), |fault| {
        Err(told(format!("at rest: {fault}\n{last:?}\nafter")))
    })?;
    Ok(if run.code == Some(0) {
        End::Done
    } else {
        End::Said
    })
}

fn at(kind: Kind) -> usize {
    KINDS.iter().position(|other| *other == kind).unwrap()
}

/// The cells that this run tries: those with this name, or one slice of all.
fn chosen(mut cells: Vec<Cell>, every: u64) -> Vec<Cell> {
    if let Ok(only) = std::env::var("MAILFERRY_CELL") {
        cells.retain(|cell| cell.to_string().starts_with(&only));
        return cells;
    }
    let every = random::number("MAILFERRY_EVERY", every);
    let slice = random::number("MAILFERRY_SEED", 1) % every;
    // Always the same order, so the slices are disjoint, and a random one, so each has something of
    // everything.
    Random::new(0).shuffle(&mut cells);
    (0..)
        .zip(cells)
        .filter(|(number, _): &(u64, _)| number % every == slice)
        .map(|(_, cell)| cell)
        .collect()
}

fn attempt(what: &str, cells: Vec<Cell>) {
    let (began, references, all) = (Instant::now(), References::default(), cells.len());
    let (queue, ends, failed) = (
        Mutex::new(cells.into_iter()),
        Mutex::new(Vec::new()),
        Mutex::new(Vec::new()),
    );
    let work = || {
        while let Some(cell) = { queue.lock().unwrap().next() } {
            let end = catch_unwind(AssertUnwindSafe(|| take(&cell, &references)));
            match end.unwrap_or_else(|_| Err("it panicked, as told above".to_owned())) {
                Ok(end) => ends.lock().unwrap().push(end),
                Err(fault) => {
                    let fault = format!("MAILFERRY_CELL={cell}: {fault}");
                    // At once: a run of all takes long.
                    std::io::stderr()
                        .write_all(format!("{fault}\n\n").as_bytes())
                        .unwrap();
                    failed.lock().unwrap().push(fault);
                }
            }
        }
    };
    std::thread::scope(|scope| (0..AT_A_TIME).for_each(|_| drop(scope.spawn(work))));
    let (ends, failed) = (ends.into_inner().unwrap(), failed.into_inner().unwrap());
    let of = |wanted: End| ends.iter().filter(|end| **end == wanted).count();
    let text = format!(
        "crash: {what}: {all} cells, {} done, {} said, {} without such a reply, {} failed, {} s\n",
        of(End::Done),
        of(End::Said),
        of(End::Untouched),
        failed.len(),
        began.elapsed().as_secs()
    );
    std::io::stderr().write_all(text.as_bytes()).unwrap();
    assert!(
        failed.is_empty(),
        "{} of {all} cells failed, as told above",
        failed.len()
    );
}

#[test]
fn a_damaged_reply_neither_loses_nor_doubles_and_is_told() {
    attempt("damaged replies", chosen(cells::of_replies(), EVERY_REPLY));
}

#[test]
fn a_damaged_directory_neither_loses_nor_doubles_and_is_told() {
    attempt("damaged directories", chosen(cells::of_trees(), EVERY_TREE));
}
