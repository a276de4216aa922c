//! One round: two mailboxes, another user at work in each, some runs at the same time and two
//! afterwards, and a check of everything.

use super::oracle;
use super::record::Record;
use super::sides::{Hand, Mailbox, Touch};
use crate::lab::generator::random::Random;
use crate::lab::run::{Run, copy, sync};
use crate::lab::servers::{Dovecot, Personality};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const FOLDERS: [&str; 3] = ["INBOX", "F1", "F2"];
const RUNS_MEANWHILE: usize = 3;
const QUIET_RUNS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
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
    kinds: [Option<Personality>; 2],
    shown: String,
    begun: Instant,
}

/// What a round was, and what is wrong at its end.
pub(crate) struct Outcome {
    pub verb: Verb,
    pub kinds: [Option<Personality>; 2],
    pub record: Record,
    pub fault: Option<String>,
}

impl Round {
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(Random::mix(seed, 77));
        let verb = random.of(&[
            Verb::Sync,
            Verb::Sync,
            Verb::Copy,
            Verb::Mirror,
            Verb::Move,
            Verb::Keep,
        ]);
        let state = tempfile::tempdir().unwrap();
        let kinds = [0, 1].map(|_| {
            random.of(&[
                Some(Personality::Plain),
                Some(Personality::Plain),
                Some(Personality::Poor),
                None,
            ])
        });
        let side = |at: usize| match kinds[at] {
            Some(kind) => Mailbox::server(
                Dovecot::shared().account("churn", kind),
                Duration::from_millis(20),
            ),
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
            Habits {
                moves,
                deletes,
                flags,
                rule,
                renames,
                resets,
            }
        };
        let habits = [habits(), habits()];
        let shown = format!("{verb:?} {kinds:?} {habits:?}");
        Self {
            seed,
            verb,
            sides,
            habits,
            state,
            kinds,
            shown,
            begun: Instant::now(),
        }
    }

    pub(crate) fn run(self) -> Outcome {
        let mut record = Record::default();
        let fault = self.play(&mut record).err();
        let fault = fault.map(|what| {
            record.log.sort_by_key(|(when, _)| *when);
            let lines = record
                .log
                .iter()
                .map(|(when, text)| format!("{:6} {text}\n", when.as_millis()));
            format!("{}\n{what}\n{}", self.shown, lines.collect::<String>())
        });
        Outcome {
            verb: self.verb,
            kinds: self.kinds,
            record,
            fault,
        }
    }

    fn play(&self, record: &mut Record) -> Result<(), String> {
        for (at, side) in self.sides.iter().enumerate() {
            // Folders that are made in one second have one UIDVALIDITY, and look like those of one
            // mailbox.
            std::thread::sleep(Duration::from_millis(1_100 * at as u64));
            let mut hand = side.at_work();
            FOLDERS.iter().for_each(|folder| hand.create(folder));
            let numbers = if at == 0 || self.verb == Verb::Sync {
                0..12
            } else {
                0..0
            };
            for number in numbers.map(|number| self.number(at, number)) {
                let folder = FOLDERS[number as usize % 3];
                if hand.deliver(folder, number) {
                    record.delivered.insert(number);
                    record.note_home(number, folder);
                }
            }
        }
        if self.seed.is_multiple_of(2) {
            self.go("before", &[0], record)?;
        }
        let is_over = AtomicBool::new(false);
        let (done, runs) = std::thread::scope(|scope| {
            let is_over = &is_over;
            let actors = [0, 1].map(|at| scope.spawn(move || self.act(at, is_over)));
            let mut of_runs = Record::default();
            let runs: Result<Vec<Run>, String> = (0..RUNS_MEANWHILE)
                .map(|nth| self.go(&format!("meanwhile {nth}"), &[0, 1, 3], &mut of_runs))
                .collect();
            is_over.store(true, Ordering::Relaxed);
            let [one, other] = actors.map(|actor| actor.join().unwrap());
            ([one, other, of_runs], runs)
        });
        done.into_iter().for_each(|of| record.add(of));
        runs?;
        // Dovecot sees by the seconds of a directory's time that its list of folders has changed.
        std::thread::sleep(Duration::from_millis(1_100));
        let mut last = None;
        for nth in 0..QUIET_RUNS {
            last = Some(self.go(&format!("quiet {nth}"), &[0, 3], record)?);
        }
        let shown = [0, 1].map(|at| self.sides[at].shown());
        let mut faults = oracle::faults(self.verb, self.kinds, record, &shown);
        // Dovecot may show a folder that lost its list of UIDs once without its messages.
        let comes_to_rest = self.verb == Verb::Sync && record.reset.iter().all(BTreeSet::is_empty);
        faults.extend(
            last.filter(|_| comes_to_rest)
                .and_then(|run| is_unquiet(&run)),
        );
        if faults.is_empty() {
            Ok(())
        } else {
            Err(format!("{faults:#?}\n{shown:?}"))
        }
    }

    /// The numbers of side 0 are even.
    fn number(&self, at: usize, nth: u64) -> u64 {
        1_000 + nth * 2 + at as u64
    }

    fn go(&self, when: &str, codes: &[i32], record: &mut Record) -> Result<Run, String> {
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
        let mut run = self.go_once(when, &options, record);
        // Whoever reads these follows their advice.
        let advice: [(&str, &[&str]); 2] = [
            ("Rerun with --prefer keep", &["--prefer", "keep"]),
            ("rerun with --new-target", &["--new-target"]),
        ];
        for (text, advised) in advice {
            if run.says(text) {
                record.prefers_keeping |= self.verb == Verb::Sync;
                run = self.go_once(
                    &format!("{when}, again"),
                    &[&options[..], advised].concat(),
                    record,
                );
            }
        }
        let is_expected = run.code.is_some_and(|code| codes.contains(&code));
        if is_expected {
            Ok(run)
        } else {
            Err(format!("{when}: exit code {:?}", run.code))
        }
    }

    fn go_once(&self, when: &str, options: &[&str], record: &mut Record) -> Run {
        record.log.push((
            self.begun.elapsed(),
            format!("---- {when} begins: {options:?}"),
        ));
        let [first, second] = [0, 1].map(|at| self.sides[at].end());
        // What it did to each message and connection stands in the log of a round that fails.
        let options = &[options, &["-vvv"]].concat();
        let run = if self.verb == Verb::Sync {
            sync(first, second, options)
        } else {
            copy(first, second, options)
        };
        record.was_cut |= run.says("; trying again in");
        let text = format!(
            "---- {when} ends: {:?}\n{}{}",
            run.code, run.stdout, run.stderr
        );
        record.log.push((self.begun.elapsed(), text));
        run
    }

    /// Somebody's work on one side, until it is over.
    fn act(&self, at: usize, is_over: &AtomicBool) -> Record {
        let mut random = Random::new(Random::mix(self.seed, 1_000 + at as u64));
        let mut record = Record::default();
        let habits = self.habits[at];
        let mut hand = self.sides[at].at_work();
        let mut next = 100;
        // A copy's source alone gets mail; on its target only what was copied is touched.
        let delivers = at == 0 || self.verb == Verb::Sync;
        while !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(random.below(60)));
            let folder = random.of(&FOLDERS);
            match random.below(10) {
                0..=2 if delivers => {
                    let number = self.number(at, next);
                    next += 1;
                    if self.lasting(at, &mut hand, |hand| hand.deliver(folder, number))
                        == Some(true)
                    {
                        record
                            .log
                            .push(self.line(format!("{at} delivers {number} to {folder}")));
                        record.delivered.insert(number);
                        record.note_home(number, folder);
                    }
                }
                3..=4 if habits.moves => {
                    self.touch(
                        at,
                        &mut hand,
                        folder,
                        &Touch::Move(random.of(&FOLDERS)),
                        &mut random,
                        &mut record,
                    );
                }
                5 if habits.deletes => self.touch(
                    at,
                    &mut hand,
                    folder,
                    &Touch::Delete,
                    &mut random,
                    &mut record,
                ),
                6 if habits.flags => self.touch(
                    at,
                    &mut hand,
                    folder,
                    &Touch::Flag,
                    &mut random,
                    &mut record,
                ),
                7 if habits.renames && random.below(2) == 0 => {
                    let names =
                        random.of(&[("F1", "G1"), ("G1", "F1"), ("F2", "G2"), ("G2", "F2")]);
                    record
                        .log
                        .push(self.line(format!("{at} renames {names:?}")));
                    record.renamed[at].extend([names.0, names.1].map(str::to_owned));
                    self.lasting(at, &mut hand, |hand| hand.rename(names.0, names.1));
                }
                // Once each: what happens to a folder in a lifetime.
                8 if habits.resets && !record.reset[at].contains(folder) => {
                    record.log.push(self.line(format!("{at} resets {folder}")));
                    record.reset[at].insert(folder.to_owned());
                    self.lasting(at, &mut hand, |hand| hand.reset(folder));
                }
                _ => match habits.rule {
                    Some(Rule::Move) => {
                        self.touch(
                            at,
                            &mut hand,
                            "INBOX",
                            &Touch::Move("F1"),
                            &mut random,
                            &mut record,
                        );
                    }
                    Some(Rule::Delete) => self.touch(
                        at,
                        &mut hand,
                        "INBOX",
                        &Touch::Delete,
                        &mut random,
                        &mut record,
                    ),
                    None => {}
                },
            }
        }
        // A deletion that was cut short is ended, whatever the server makes of a folder that was
        // just reset.
        let mut tries = 0..20;
        let marked = tries.find_map(|_| self.lasting(at, &mut hand, Hand::expunge_marked));
        let marked = marked.unwrap_or_default();
        for (folder, number) in marked {
            record.note_deleted(number, at, &folder);
            record
                .log
                .push(self.line(format!("{at} ends deleting {number}")));
        }
        record
    }

    /// Does this, and logs in again if the server ends the connection: Dovecot does when its
    /// indexes are taken away under it.
    fn lasting<T>(
        &self,
        at: usize,
        hand: &mut Hand,
        act: impl FnOnce(&mut Hand) -> T,
    ) -> Option<T> {
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
        let resets = self.habits[at].resets;
        let done = self.lasting(at, hand, |hand| {
            // Where UIDs are given out anew a server does to another message what is asked of one:
            // Dovecot deletes the wrong file.
            let hand = if resets { &mut hand.with_files() } else { hand };
            hand.touch(
                folder,
                what,
                &mut |count| random.below(count as u64) as usize,
                &mut chosen,
            )
        });
        // What was under way when the connection broke may have been done.
        let Some(number) = done.unwrap_or(chosen) else {
            return;
        };
        record.note_home(number, folder);
        let done = match what {
            Touch::Flag => {
                record.flagged.insert(number);
                format!("{at} flags {number} in {folder}")
            }
            Touch::Move(to) => {
                record.moved.entry(number).or_default().push(at);
                record.note_home(number, to);
                format!("{at} moves {number} from {folder} to {to}")
            }
            Touch::Delete => {
                record.note_deleted(number, at, folder);
                format!("{at} deletes {number} in {folder}")
            }
        };
        record.log.push(self.line(done));
    }

    fn line(&self, text: String) -> (Duration, String) {
        (self.begun.elapsed(), text)
    }
}

/// What the second quiet run still did, or left undone.
fn is_unquiet(run: &Run) -> Option<String> {
    let fields = ["copied", "moved", "flags_updated", "deleted", "failed"];
    let counts: Vec<(&str, u64)> = fields
        .into_iter()
        .map(|field| (field, run.count(field)))
        .filter(|(_, count)| *count > 0)
        .collect();
    (!counts.is_empty() || run.code != Some(0))
        .then(|| format!("the last run ended with {:?} and did {counts:?}", run.code))
}
