//! One round: two mailboxes, somebody at work in each, some runs meanwhile and two when it is quiet, and a look at all.

use crate::lab::generator::random::Random;
use crate::lab::run::{Run, copy, sync};
use crate::lab::servers::{Dovecot, Personality};
use crate::record::Record;
use crate::sides::{Hand, Mailbox, Shown, Touch};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const FOLDERS: [&str; 3] = ["INBOX", "F1", "F2"];
const RUNS_MEANWHILE: usize = 3;
const QUIET_RUNS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Sync,
    Copy,
    Mirror,
    Move,
    Keep,
}

/// What somebody does, beside deliveries.
#[derive(Clone, Copy, Debug)]
struct Habits {
    moves: bool,
    deletes: bool,
    flags: bool,
    rule: Option<Rule>,
    renames: bool,
    resets: bool,
}

/// What is done with all that comes to INBOX.
#[derive(Clone, Copy, Debug)]
enum Rule {
    Move,
    Delete,
}

pub(crate) struct Round {
    seed: u64,
    verb: Verb,
    sides: [Mailbox; 2],
    habits: [Habits; 2],
    state: tempfile::TempDir,
    shown: String,
}

impl Round {
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(Random::mix(seed, 77));
        let verb = random.of(&[Verb::Sync, Verb::Sync, Verb::Copy, Verb::Mirror, Verb::Move, Verb::Keep]);
        let state = tempfile::tempdir().unwrap();
        let kinds = [0, 1]
            .map(|_| random.of(&[Some(Personality::Plain), Some(Personality::Plain), Some(Personality::Poor), None]));
        // A Maildir that is only read and that nothing has numbered is compared anew by each run, and no record of it holds.
        let kinds = [kinds[0].or_else(|| (verb != Verb::Sync).then_some(Personality::Plain)), kinds[1]];
        let side = |at: usize| match kinds[at] {
            Some(kind) => Mailbox::server(Dovecot::shared().account("churn", kind), Duration::from_millis(20)),
            None => Mailbox::Tree(state.path().join(format!("tree{at}"))),
        };
        let sides = [side(0), side(1)];
        // Both at a time leave nothing by which a folder could be known again.
        let disturbance = random.below(4);
        let mut habits = || {
            let mut may = |of: u64| random.below(of) == 0;
            let (moves, deletes, flags) = (!may(3), !may(3), !may(2));
            let rule = if may(5) {
                Some(Rule::Move)
            } else if may(6) {
                Some(Rule::Delete)
            } else {
                None
            };
            let (renames, resets) = (disturbance == 0 && may(2), disturbance == 1 && may(2));
            Habits { moves, deletes, flags, rule, renames, resets }
        };
        let habits = [habits(), habits()];
        let shown = format!("{verb:?} {kinds:?} {habits:?}");
        Self { seed, verb, sides, habits, state, shown }
    }

    /// Whether it syncs, and does not copy.
    pub(crate) fn is_sync(&self) -> bool {
        self.verb == Verb::Sync
    }

    pub(crate) fn run(self) -> Result<(), String> {
        let mut record = Record::default();
        for (at, side) in self.sides.iter().enumerate() {
            // Folders that are made in one second have one UIDVALIDITY, and look like those of one mailbox.
            std::thread::sleep(Duration::from_millis(1_100 * at as u64));
            let mut hand = side.at_work();
            FOLDERS.iter().for_each(|folder| hand.create(folder));
            let numbers = if at == 0 || self.verb == Verb::Sync { 0..12 } else { 0..0 };
            for number in numbers.map(|number| self.number(at, number)) {
                if hand.deliver(FOLDERS[number as usize % 3], number) {
                    record.delivered.insert(number);
                }
            }
        }
        if self.seed.is_multiple_of(2) {
            self.go("before", &[0])?;
        }
        let is_over = AtomicBool::new(false);
        let (done, runs) = std::thread::scope(|scope| {
            let actors: Vec<_> = [0, 1]
                .map(|at| {
                    scope.spawn({
                        let is_over = &is_over;
                        let round = &self;
                        move || round.act(at, is_over)
                    })
                })
                .into_iter()
                .collect();
            let runs: Vec<_> =
                (0..RUNS_MEANWHILE).map(|nth| self.go(&format!("meanwhile {nth}"), &[0, 1, 3])).collect();
            is_over.store(true, Ordering::Relaxed);
            (actors.into_iter().map(|actor| actor.join().unwrap()).collect::<Vec<_>>(), runs)
        });
        done.into_iter().for_each(|of| record.add(of));
        // Dovecot sees by the seconds of a directory's time that its list of folders has changed.
        std::thread::sleep(Duration::from_millis(1_100));
        let mut texts: Vec<String> = runs.into_iter().collect::<Result<_, _>>()?;
        for nth in 0..QUIET_RUNS {
            texts.push(self.go(&format!("quiet {nth}"), &[0, 3])?);
        }
        let shown = [0, 1].map(|at| self.sides[at].shown());
        let faults = self.faults(&record, &shown);
        if faults.is_empty() {
            return Ok(());
        }
        let told = (self.shown.as_str(), faults, &record.log, texts.join("\n"));
        Err(format!("{}\n{:#?}\n{shown:?}\n{}\n{}", told.0, told.1, told.2.join("\n"), told.3))
    }

    /// The numbers of side 0 are even.
    fn number(&self, at: usize, nth: u64) -> u64 {
        1_000 + nth * 2 + at as u64
    }

    fn go(&self, when: &str, codes: &[i32]) -> Result<String, String> {
        let state = self.state.path().join("state");
        let options = ["--state", state.to_str().unwrap(), "--max-delete", "100%"];
        // A copy that deletes nothing takes no limit.
        let (common, more): (usize, &[&str]) = match self.verb {
            Verb::Sync => (4, &[]),
            Verb::Copy => (2, &[]),
            Verb::Mirror => (4, &["--delete"]),
            Verb::Move => (2, &["--move"]),
            Verb::Keep => (4, &["--keep-deleted"]),
        };
        let options = [&options[..common], more].concat();
        let ends = [0, 1].map(|at| self.sides[at].end());
        let of = |options: &[&str]| -> Run {
            let [first, second] = ends.clone();
            if self.verb == Verb::Sync { sync(first, second, options) } else { copy(first, second, options) }
        };
        let mut run = of(&options);
        if self.verb == Verb::Sync && run.says("shows no mail any more") {
            run = of(&[&options[..], &["--prefer", "keep"]].concat());
        }
        let text = format!("{when}: {:?}\n{}{}", run.code, run.stdout, run.stderr);
        if run.code.is_some_and(|code| codes.contains(&code)) {
            Ok(text)
        } else {
            Err(format!("{} {text}", self.shown))
        }
    }

    /// Somebody's work on one side, until it is over.
    fn act(&self, at: usize, is_over: &AtomicBool) -> Record {
        let mut random = Random::new(Random::mix(self.seed, 1_000 + at as u64));
        let mut record = Record::default();
        let mut hand = self.sides[at].at_work();
        let mut next = 100;
        let habits = self.habits[at];
        // A copy's source alone gets mail; on its target only what was copied is touched.
        let delivers = at == 0 || self.verb == Verb::Sync;
        while !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(random.below(60)));
            let folder = random.of(&FOLDERS);
            match random.below(10) {
                0..=2 if delivers => {
                    let number = self.number(at, next);
                    next += 1;
                    if self.lasting(at, &mut hand, |hand| hand.deliver(folder, number)) == Some(true) {
                        record.log.push(format!("{at} delivers {number} to {folder}"));
                        record.delivered.insert(number);
                    }
                }
                3..=4 if habits.moves => {
                    self.touch(at, &mut hand, folder, &Touch::Move(random.of(&FOLDERS)), &mut random, &mut record);
                }
                5 if habits.deletes => self.touch(at, &mut hand, folder, &Touch::Delete, &mut random, &mut record),
                6 if habits.flags => self.touch(at, &mut hand, folder, &Touch::Flag, &mut random, &mut record),
                7 if habits.renames && random.below(2) == 0 => {
                    let names = random.of(&[("F1", "G1"), ("G1", "F1"), ("F2", "G2"), ("G2", "F2")]);
                    record.log.push(format!("{at} renames {names:?}"));
                    record.has_renamed = true;
                    self.lasting(at, &mut hand, |hand| hand.rename(names.0, names.1));
                }
                8 if habits.resets && random.below(2) == 0 => {
                    let indexes = random.below(2) == 0;
                    record.log.push(format!("{at} resets {folder}, indexes {indexes}"));
                    record.has_reset = true;
                    self.lasting(at, &mut hand, |hand| hand.reset(folder, indexes));
                }
                _ => match habits.rule {
                    Some(Rule::Move) => {
                        self.touch(at, &mut hand, "INBOX", &Touch::Move("F1"), &mut random, &mut record);
                    }
                    Some(Rule::Delete) => self.touch(at, &mut hand, "INBOX", &Touch::Delete, &mut random, &mut record),
                    None => {}
                },
            }
        }
        record
    }

    /// Does this, and logs in again if the server ends the connection: Dovecot does when its indexes are taken away under it.
    fn lasting<T>(&self, at: usize, hand: &mut Hand, act: impl FnOnce(&mut Hand) -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| act(hand))).ok();
        if done.is_none() {
            *hand = self.sides[at].at_work();
        }
        done
    }

    fn touch(
        &self,
        at: usize,
        hand: &mut Hand,
        folder: &str,
        what: &Touch<'_>,
        random: &mut Random,
        record: &mut Record,
    ) {
        if matches!(what, Touch::Move(to) if *to == folder) {
            return;
        }
        let mut chosen = None;
        let done = self.lasting(at, hand, |hand| {
            hand.touch(folder, what, &mut |count| random.below(count as u64) as usize, &mut chosen)
        });
        // What was under way when the connection broke may have been done.
        let Some(number) = done.unwrap_or(chosen) else { return };
        match what {
            Touch::Flag => {
                record.flagged.insert(number);
                record.log.push(format!("{at} flags {number} in {folder}"));
            }
            Touch::Move(to) => {
                *record.moved.entry(number).or_default() += 1;
                record.log.push(format!("{at} moves {number} from {folder} to {to}"));
            }
            Touch::Delete => {
                record.deleted.entry(number).or_default().insert(at);
                record.log.push(format!("{at} deletes {number} in {folder}"));
            }
        }
    }

    /// What is not as it must be.
    fn faults(&self, record: &Record, shown: &[Shown; 2]) -> Vec<String> {
        let mut faults = Vec::new();
        let places = |at: usize, number: u64| -> Vec<&str> {
            let times = |numbers: &[u64]| numbers.iter().filter(|of| **of == number).count();
            shown[at]
                .iter()
                .flat_map(|(folder, numbers)| std::iter::repeat_n(folder.as_str(), times(numbers)))
                .collect()
        };
        for number in &record.delivered {
            let at = [places(0, *number), places(1, *number)];
            let mut fault = |what: &str| faults.push(format!("{number} {what}: {at:?}"));
            for places in &at {
                let mut distinct = places.clone();
                distinct.dedup();
                // A copy leaves a message that was moved on the source where it was, and who moves that one too has both in one folder.
                let is_made = matches!(self.verb, Verb::Copy | Verb::Move) && record.moved.contains_key(number);
                // Where UIDs or names say nothing any more, both places of a moved message are joined, and nothing is deleted.
                let is_joined = (record.has_reset || record.has_renamed) && record.moved.contains_key(number);
                if distinct.len() != places.len() && !is_made && !is_joined {
                    fault("is twice in a folder");
                }
            }
            match self.verb {
                Verb::Sync => {
                    if at[0] != at[1] {
                        fault("is not in the same folders");
                    }
                    if at[0].is_empty() && !record.was_deleted(*number) {
                        fault("is lost");
                    }
                    let moves = record.moved.get(number).copied().unwrap_or_default();
                    if at[0].len() > 1 && moves == 0 && !record.has_renamed && !record.has_reset {
                        fault("is in several folders");
                    }
                    let was_touched =
                        moves > 0 || record.flagged.contains(number) || record.has_renamed || record.has_reset;
                    if !at[0].is_empty() && record.was_deleted(*number) && !was_touched {
                        fault("came back");
                    }
                }
                Verb::Move => {
                    if at[0].is_empty() && at[1].is_empty() && !record.was_deleted(*number) {
                        fault("is lost");
                    }
                }
                Verb::Copy | Verb::Mirror | Verb::Keep => {
                    if at[0].is_empty() && !record.was_deleted_on(0, *number) {
                        fault("is lost on the source");
                    }
                    let lasts = !at[0].is_empty();
                    if lasts && at[1].is_empty() {
                        fault("was not copied");
                    }
                    let at_home =
                        |places: &[&str]| places.iter().filter(|folder| !folder.starts_with("Vanished")).count();
                    if self.verb != Verb::Copy
                        && !record.has_renamed
                        && !record.has_reset
                        && at_home(&at[1]) != at[0].len()
                    {
                        fault("is not mirrored");
                    }
                }
            }
        }
        faults
    }
}
