//! One lane: one connection to each side, and pieces of work until there are none.
//!
//! Fetching and delivering overlap: the next piece is requested from the source before the last one
//! is read, and acknowledgements aren't waited for until there is nothing else to do. A lane waits
//! only for its two servers.

use super::ledger::Stage;
use super::transfer::{OnTheWay, Transfer};
use super::{Link, Shared};
use crate::event::Event;
use crate::mail::{Heading, Side, UidSet};
use crate::plan::{FolderTask, Keywords, Piece, Treatment, rows};
use crate::store::{Error, ErrorKind, Fetched, Outcome, Refusal, RefusalMeaning, Store};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many pieces are requested from the source ahead: the next one's first bytes are here when
/// the last one ends.
const PIECES_AHEAD: usize = 2;
/// The same for small pieces, as in small folders: a round trip each would take longer than their
/// messages.
const SMALL_PIECES_AHEAD: usize = 16;
/// Pieces are small as long as all those requested together have no more bytes and messages than
/// this.
const SMALL_BYTES: u64 = 1 << 20;
const SMALL_MESSAGES: usize = 1_000;
/// How often a piece is tried before its messages are tried one by one, and a message before it is
/// given up.
const ATTEMPTS: u8 = 3;
/// How many connections in a row may break without one message getting through before the lane
/// gives up. One message that breaks every connection costs three of them.
const BREAKS: u32 = 10;
/// The same for connections that brought next to nothing for very long: each costs as much time as
/// many that break at once.
const STALLS: u32 = 4;

pub(super) struct Lane<'a> {
    shared: &'a Shared<'a>,
    number: usize,
    link: Link,
    /// Pieces requested from the source, the one being answered first.
    asked: VecDeque<Piece>,
    on_the_way: HashMap<u32, OnTheWay>,
    /// Whether the last failure was the target's.
    target_failed: bool,
    /// Connections that broke since a message last got through.
    breaks: u32,
    /// How many of them stalled.
    stalls: u32,
}

impl<'a> Lane<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, number: usize, link: Link) -> Self {
        let (asked, on_the_way) = (VecDeque::new(), HashMap::new());
        Self {
            shared,
            number,
            link,
            asked,
            on_the_way,
            target_failed: false,
            breaks: 0,
            stalls: 0,
        }
    }

    /// Works until the queue is empty and everything is acknowledged. Returns its connections for
    /// later use.
    pub(super) fn run(mut self) -> Result<Link, Error> {
        loop {
            let Err(error) = self.work() else {
                return Ok(self.link);
            };
            let to = self.shared.context.to;
            let side = if self.target_failed { to } else { to.other() };
            self.give_back(&error);
            self.shared.close(self.link);
            if matches!(error.kind, ErrorKind::Full | ErrorKind::LimitReached) {
                self.shared.halt();
            }
            if !error.kind.is_worth_retrying() || self.shared.is_to_stop() {
                return Err(error);
            }
            self.breaks += 1;
            self.stalls += u32::from(error.kind == ErrorKind::Stalled);
            if self.breaks == BREAKS || self.stalls == STALLS {
                let breaks = self.breaks;
                let text = format!(
                    "{breaks} connections in a row broke before a message got through: {}",
                    error.message
                );
                return Err(Error {
                    message: text,
                    ..error
                });
            }
            self.shared.note_break(&error);
            self.shared.growth.step_back();
            let link = self.shared.context.reconnect(side, self.breaks, &error);
            self.link = link.inspect_err(|error| self.shared.note_crowd(error))?;
            self.target_failed = false;
        }
    }

    /// Returns the account that is read from.
    fn source(&mut self) -> &mut dyn Store {
        self.link.side(self.shared.context.to.other())
    }

    /// Returns the account that is written to.
    fn target(&mut self) -> &mut dyn Store {
        self.link.side(self.shared.context.to)
    }

    fn work(&mut self) -> Result<(), Error> {
        loop {
            self.ask_ahead()?;
            if self.asked.is_empty() {
                self.take_outcomes(true)?;
                if self.shared.takes_no_more() || self.is_too_many() || !self.await_piece() {
                    return Ok(());
                }
                continue;
            }
            let careful = self.asked.iter().any(|piece| piece.treatment.careful);
            match self.read_on()? {
                Fetched::Message => self.take_outcomes(careful)?,
                Fetched::RequestDone { missing, refusal } => self.end_piece(&missing, refusal)?,
            }
            if self.shared.is_to_stop() {
                return self.end_gently();
            }
        }
    }

    fn ask_ahead(&mut self) -> Result<(), Error> {
        // Refilled when half empty, so that requests are sent together.
        let may_be_more = self.asked.len() <= SMALL_PIECES_AHEAD / 2;
        while (self.has_few_pieces() || may_be_more && self.asks_for_little())
            && !self.shared.takes_no_more()
            && !self.is_too_many()
        {
            // Nothing is sent after what was refused before: a BAD to it would put that in doubt
            // too.
            if self
                .asked
                .back()
                .is_some_and(|piece| piece.treatment.batch > 0)
            {
                break;
            }
            let Some(piece) = self.shared.next_piece() else {
                break;
            };
            let task = self.shared.ledger.task(piece.task);
            let uids = task.uids(piece.messages.clone());
            // Requested or not, the piece is now this lane's, and is put back if the request fails.
            self.asked.push_back(piece);
            self.source()
                .request(&task.source, task.source_uid_validity, &uids)?;
        }
        Ok(())
    }

    /// Waits for a piece if there is none yet. False: there will be none.
    fn await_piece(&self) -> bool {
        if !self.shared.queue.is_empty() {
            return true;
        }
        let is_there = self
            .shared
            .queue
            .await_piece(|| self.shared.takes_no_more());
        self.shared.growth.idled();
        is_there
    }

    /// Reports whether to request another piece, however large. If each message in a piece waits
    /// for the target, requesting the next piece early saves next to nothing, and the last ones are
    /// better left to idle lanes.
    fn has_few_pieces(&mut self) -> bool {
        let are_last = || self.shared.queue.len() < self.shared.growth.allowed();
        self.asked.is_empty()
            || self.asked.len() < PIECES_AHEAD && !(self.target().asks_for_each() && are_last())
    }

    /// Reports whether other lanes do all that the servers handle.
    fn is_too_many(&self) -> bool {
        self.shared.growth.is_too_many(self.number)
    }

    /// Reports whether so little is requested that more can be without taking work from other
    /// lanes: each of them finds as many pieces in the queue as this one has.
    fn asks_for_little(&self) -> bool {
        let messages = || {
            self.asked
                .iter()
                .map(|piece| piece.messages.len())
                .sum::<usize>()
        };
        let bytes = || {
            self.asked
                .iter()
                .map(|piece| {
                    self.shared
                        .ledger
                        .task(piece.task)
                        .bytes(piece.messages.clone())
                })
                .sum()
        };
        self.asked.len() < SMALL_PIECES_AHEAD
            && self.shared.queue.len() > self.shared.growth.allowed() * self.asked.len()
            && messages() < SMALL_MESSAGES
            && SMALL_BYTES > bytes()
    }

    fn read_on(&mut self) -> Result<Fetched, Error> {
        let (source, target) = self.link.ends(self.shared.context.to);
        let estimates_sizes = source.estimates_sizes();
        let mut transfer = Transfer {
            shared: self.shared,
            asked: &self.asked,
            target,
            on_the_way: &mut self.on_the_way,
            target_failed: false,
            estimates_sizes,
        };
        let fetched = source.next(&mut transfer);
        self.target_failed = transfer.target_failed;
        fetched
    }

    /// Handles a piece's messages that did not arrive.
    fn end_piece(&mut self, missing: &UidSet, refusal: Option<Refusal>) -> Result<(), Error> {
        if self
            .asked
            .front()
            .is_some_and(|piece| piece.treatment.batch > 0)
        {
            self.take_outcomes(true)?;
        }
        let Some(piece) = self.asked.pop_front() else {
            return Ok(());
        };
        let task = self.shared.ledger.task(piece.task);
        let absent: Vec<usize> = missing
            .iter()
            .filter_map(|uid| task.position(uid))
            .collect();
        let waiting = |position: &usize| {
            let token = self.shared.ledger.token(piece.task, *position);
            self.shared.ledger.stage(token) == Stage::Waiting
        };
        let absent: Vec<usize> = absent.into_iter().filter(waiting).collect();
        self.shared.release(piece.task, &absent);
        let Some(refusal) = refusal else {
            for position in absent {
                self.shared.ledger.set(
                    self.shared.ledger.token(piece.task, position),
                    Stage::Unseen,
                );
            }
            return Ok(());
        };
        if refusal.meaning == RefusalMeaning::Full {
            return Err(Error::new(
                ErrorKind::Full,
                format!(
                    "the {} refused {}: {}",
                    self.shared.reader(),
                    task.from,
                    refusal.text
                ),
            ));
        }
        let reason = format!(
            "the {} did not send it: {}",
            self.shared.reader(),
            refusal.text
        );
        if refusal.meaning == RefusalMeaning::Throttled {
            self.shared.bear(self.shared.context.to.other(), &refusal)?;
            self.put_back(&piece, absent);
            return Ok(());
        }
        if refusal.meaning == RefusalMeaning::NoFolder {
            absent
                .into_iter()
                .for_each(|position| self.shared.fail(piece.task, position, None, &reason));
            return Ok(());
        }
        self.ask_again(&piece, absent, &reason);
        Ok(())
    }

    /// Puts messages of a piece back into the queue, to be treated as before.
    fn put_back(&self, piece: &Piece, positions: Vec<usize>) {
        let row = |messages| Piece {
            messages,
            ..piece.clone()
        };
        let pieces: Vec<Piece> = rows(positions).into_iter().map(row).collect();
        self.shared.queue.give_back(pieces);
    }

    /// Puts messages that the source refused back into the queue, in smaller pieces the more often
    /// that happened. For one refused alone and too often, it has to be checked whether it still
    /// exists.
    fn ask_again(&self, piece: &Piece, positions: Vec<usize>, reason: &str) {
        let attempts = piece.attempts.saturating_add(1);
        let mut pieces = Vec::new();
        for row in rows(positions) {
            let again = Piece {
                messages: row,
                attempts,
                ..piece.clone()
            };
            if again.messages.len() > 1 && attempts > 1 {
                pieces.extend(again.halves());
            } else if attempts >= ATTEMPTS && again.messages.len() == 1 {
                self.shared.refused_by_source(
                    self.shared.ledger.token(piece.task, again.messages.start),
                    reason,
                );
            } else {
                pieces.push(again);
            }
        }
        self.shared.queue.give_back(pieces);
    }

    /// Puts back what was not received when the source's connection broke. If that happens again,
    /// the first missing message is tried alone, as servers answer in order; a message that alone
    /// breaks connections fails.
    fn try_again(&self, piece: &Piece, positions: Vec<usize>, reason: &str) {
        let attempts = piece.attempts.saturating_add(1);
        let mut pieces = Vec::new();
        for (nth, row) in rows(positions).into_iter().enumerate() {
            let again = Piece {
                messages: row,
                attempts,
                ..piece.clone()
            };
            if nth > 0 || attempts == 1 {
                pieces.push(Piece {
                    attempts: piece.attempts.max(1),
                    ..again
                });
            } else if again.messages.len() > 1 {
                let (first, rest) = (
                    again.messages.start,
                    again.messages.start + 1..again.messages.end,
                );
                pieces.push(Piece {
                    messages: first..first + 1,
                    ..again.clone()
                });
                pieces.push(Piece {
                    messages: rest,
                    attempts: 1,
                    ..again
                });
            } else if attempts >= ATTEMPTS {
                self.shared
                    .fail(piece.task, again.messages.start, None, reason);
            } else {
                pieces.push(again);
            }
        }
        self.shared.queue.give_back(pieces);
    }

    fn take_outcomes(&mut self, wait: bool) -> Result<(), Error> {
        let outcomes = self
            .target()
            .outcomes(wait)
            .inspect_err(|_| self.target_failed = true)?;
        // Take them all, whatever the first says: each is reported once.
        let mut taken = Ok(());
        for outcome in outcomes {
            let result = self.take_outcome(outcome);
            taken = taken.and(result);
        }
        taken
    }

    fn take_outcome(&mut self, outcome: Outcome) -> Result<(), Error> {
        let refusal = match outcome.result {
            Ok(placed) => {
                if let Some(placed) = placed {
                    self.shared.remember(&outcome.tokens, &placed);
                }
                outcome.tokens.iter().for_each(|token| self.confirm(*token));
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        for token in &outcome.tokens {
            self.shared.ledger.set(*token, Stage::Waiting);
            self.settle(*token);
        }
        let [token] = outcome.tokens[..] else {
            return self.split(&outcome.tokens, &refusal);
        };
        self.refused(token, &refusal)
    }

    fn confirm(&mut self, token: u32) {
        self.settle(token);
        let bytes = self
            .on_the_way
            .remove(&token)
            .map_or(0, |message| message.bytes);
        (self.breaks, self.stalls) = (0, 0);
        self.shared.throttles.store(0, Ordering::Relaxed);
        self.shared.confirm(token, bytes);
    }

    /// Notes that a message is no longer in flight.
    fn settle(&mut self, token: u32) {
        if let Some(bytes) = self
            .on_the_way
            .get_mut(&token)
            .and_then(|message| message.in_flight.take())
        {
            self.shared
                .context
                .observer
                .observe(&Event::Settled { bytes });
        }
    }

    /// Resends a refused batch in two halves, until the one bad message is alone.
    fn split(&mut self, tokens: &[u32], refusal: &Refusal) -> Result<(), Error> {
        if refusal.meaning == RefusalMeaning::Full {
            return Err(self.full(tokens.first().copied(), refusal));
        }
        if refusal.meaning == RefusalMeaning::Throttled {
            return self.send_later(tokens, refusal);
        }
        let (left, right) = tokens.split_at(tokens.len() / 2);
        for half in [left, right] {
            let alone = half.len() == 1;
            let batch = self.shared.batches.fetch_add(1, Ordering::Relaxed);
            let pieces = self.pieces_of(half, |treatment| {
                treatment.careful |= alone;
                treatment.batch = batch;
            });
            self.shared.queue.give_back(pieces);
        }
        Ok(())
    }

    /// Handles a message that was refused individually: resends it without what the server rejects,
    /// or reports it as failed.
    fn refused(&mut self, token: u32, refusal: &Refusal) -> Result<(), Error> {
        let (task, position) = self.shared.ledger.locate(token);
        let Some(sent) = self.on_the_way.get(&token).cloned() else {
            return Ok(());
        };
        let folder = self.shared.ledger.task(task);
        match suspected(refusal.meaning, folder, position, sent.treatment) {
            RefusalMeaning::Full => return Err(self.full(Some(token), refusal)),
            RefusalMeaning::Throttled => self.send_later(&[token], refusal)?,
            RefusalMeaning::Flags if sent.treatment.keywords < Keywords::None => {
                self.tell_dropped(folder, "keywords", refusal);
                self.send_carefully(token, |treatment| {
                    treatment.keywords = match treatment.keywords {
                        Keywords::All => Keywords::Plain,
                        Keywords::Plain | Keywords::None => Keywords::None,
                    };
                });
            }
            RefusalMeaning::Date if !sent.treatment.without_date => {
                self.tell_dropped(folder, "a date", refusal);
                self.send_carefully(token, |treatment| treatment.without_date = true);
            }
            RefusalMeaning::Nul if !sent.treatment.binary => {
                self.send_carefully(token, |treatment| treatment.binary = true);
            }
            RefusalMeaning::Transient if sent.attempts < ATTEMPTS => {
                let piece = Piece {
                    task,
                    messages: position..position + 1,
                    treatment: Treatment {
                        careful: true,
                        ..sent.treatment
                    },
                    attempts: sent.attempts + 1,
                };
                self.shared.queue.give_back([piece]);
            }
            _ if !sent.treatment.careful => {
                // It was refused in passing, where some servers say less than they know: ask step
                // by step.
                self.send_carefully(token, |_| ());
            }
            _ => match self.shared.to_fix(token, refusal, sent.treatment) {
                Some(faults) => self.send_carefully(token, |treatment| {
                    treatment.fix = faults;
                    treatment.binary = false;
                }),
                None => self.give_up(token, sent.heading.as_deref(), refusal),
            },
        }
        self.on_the_way.remove(&token);
        Ok(())
    }

    fn tell_dropped(&self, folder: &FolderTask, what: &str, refusal: &Refusal) {
        let to = self.shared.writer();
        self.shared.warn(&format!(
            "{}: dropped {what} that the {to} refuses: {}",
            folder.to, refusal.text
        ));
    }

    /// Puts messages back into the queue that the target doesn't take for now.
    fn send_later(&self, tokens: &[u32], refusal: &Refusal) -> Result<(), Error> {
        self.shared.bear(self.shared.context.to, refusal)?;
        self.shared.queue.give_back(self.pieces_of(tokens, |_| ()));
        Ok(())
    }

    /// Sends a message again, by itself and treated otherwise than it was.
    fn send_carefully(&self, token: u32, change: impl Fn(&mut Treatment)) {
        let pieces = self.pieces_of(&[token], |treatment| {
            treatment.careful = true;
            change(treatment);
        });
        self.shared.queue.give_back(pieces);
    }

    /// Names a message as refused, and keeps in mind what was refused for good.
    fn give_up(&self, token: u32, heading: Option<&Heading>, refusal: &Refusal) {
        let reason = format!("the {} refused it: {}", self.shared.writer(), refusal.text);
        if refusal.meaning.is_passing() || refusal.meaning == RefusalMeaning::NoFolder {
            let (task, position) = self.shared.ledger.locate(token);
            self.shared.fail(task, position, heading, &reason);
        } else {
            self.shared
                .fail_for_good(token, heading, &reason, &refusal.text);
        }
    }

    /// Makes pieces of these messages, with a changed treatment.
    fn pieces_of(&self, tokens: &[u32], change: impl Fn(&mut Treatment)) -> Vec<Piece> {
        let sent = tokens.first().and_then(|token| self.on_the_way.get(token));
        let mut treatment = sent.map(|sent| sent.treatment).unwrap_or_default();
        change(&mut treatment);
        let attempts = sent.map_or(0, |sent| sent.attempts);
        // Folders mapped to one share its batches.
        let mut by_task: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (task, position) in tokens.iter().map(|token| self.shared.ledger.locate(*token)) {
            by_task.entry(task).or_default().push(position);
        }
        let mut pieces = Vec::new();
        for (task, mut positions) in by_task {
            positions.sort_unstable();
            let piece = |messages| Piece {
                task,
                messages,
                treatment,
                attempts,
            };
            pieces.extend(rows(positions).into_iter().map(piece));
        }
        pieces
    }

    fn full(&self, token: Option<u32>, refusal: &Refusal) -> Error {
        let folder = token.map(|token| {
            self.shared
                .ledger
                .task(self.shared.ledger.locate(token).0)
                .to
                .as_str()
        });
        let (to, folder) = (self.shared.writer(), folder.unwrap_or("any folder"));
        let message = format!(
            "the {to} accepts no more mail in {folder}: {}",
            refusal.text
        );
        Error::new(ErrorKind::Full, message).with_hint(
            "free some space there or raise its quota, then rerun the same command to resume",
        )
    }

    /// Stops at the user's request: what was sent is acknowledged, the rest is left for the next
    /// run.
    fn end_gently(&mut self) -> Result<(), Error> {
        self.take_outcomes(true)?;
        Err(Error::new(ErrorKind::Interrupted, "stopped on request"))
    }

    /// Cleans up after a failure: takes the acknowledgements that can still be had, marks the rest
    /// as uncertain, and puts what was never sent back into the queue.
    fn give_back(&mut self, error: &Error) {
        // Unless it is the target that failed, it may still answer for what it got, and its answers
        // count. Messages without an answer are looked for later.
        let target_failed = self.target_failed;
        let _ = self.take_outcomes(!target_failed);
        for token in self.target().unacknowledged() {
            if self.shared.ledger.stage(token) == Stage::Sent {
                self.shared.ledger.set(token, Stage::Uncertain);
            }
        }
        for bytes in self
            .on_the_way
            .drain()
            .filter_map(|(_, message)| message.in_flight)
        {
            self.shared
                .context
                .observer
                .observe(&Event::Settled { bytes });
        }
        let mut is_explained = target_failed || !error.kind.is_worth_retrying();
        for piece in std::mem::take(&mut self.asked) {
            let waiting: Vec<usize> = self
                .shared
                .ledger
                .positions(piece.task, piece.messages.clone(), Stage::Waiting)
                .collect();
            self.shared.release(piece.task, &waiting);
            // Only the piece being answered can have broken the source's connection: the first one
            // with missing messages.
            if !is_explained && !waiting.is_empty() {
                is_explained = true;
                self.try_again(&piece, waiting, &error.message);
            } else {
                self.shared
                    .queue
                    .give_back(rows(waiting).into_iter().map(|messages| Piece {
                        messages,
                        ..piece.clone()
                    }));
            }
        }
    }
}

impl super::Context<'_> {
    fn reconnect(&self, side: Side, breaks: u32, error: &Error) -> Result<Link, Error> {
        let wait = Duration::from_millis(250) * breaks.clamp(1, 8);
        let wait = wait.max(error.least_wait());
        self.observer.observe(&Event::Retrying {
            side,
            wait,
            reason: &error.message,
        });
        super::pause::wait(wait, self.stop)?;
        self.connect_with_patience()
    }
}

/// Guesses the meaning of a refusal without a reason (Courier has one text for all): if the message
/// has a date that not every server accepts, or keywords, these are suspected first, since a
/// message is worth more than they are.
fn suspected(
    meaning: RefusalMeaning,
    task: &FolderTask,
    position: usize,
    treatment: Treatment,
) -> RefusalMeaning {
    if meaning != RefusalMeaning::Permanent || !treatment.careful {
        return meaning;
    }
    let message = &task.messages[position];
    let flags = task
        .permanent_flags
        .split(&task.flags.get(message.flags()))
        .0;
    let has_odd_flags =
        !flags.keywords().is_empty() || !task.permanent_flags.doubts(&flags).is_empty();
    if !treatment.without_date
        && message
            .date()
            .is_some_and(|date| !date.is_kept_everywhere())
    {
        RefusalMeaning::Date
    } else if treatment.keywords < Keywords::None && has_odd_flags {
        RefusalMeaning::Flags
    } else {
        meaning
    }
}
