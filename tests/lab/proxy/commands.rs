//! Reads along: counts command lines, and answers some in place of the server.
//!
//! The order of replies must be kept even for a client that pipelines. So a command that must not
//! reach the server becomes a `NOOP` with its tag, and the server's tagged reply becomes the false
//! answer.

use super::twist::{Damage, Twist};
use super::{Counters, Direction, Plan};
use crate::lab::wire::literal_at_end;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// A command that gets an answer of ours.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The command line without its tag starts with this, in whatever case: `UID SEARCH`, `STATUS
    /// "Sent"`.
    pub command: String,
    /// Which of those on one connection, from 1.
    pub nth: usize,
    /// What is said in place of the tagged reply, without line ends: `{tag} NO [UNAVAILABLE]
    /// later`. Several lines are separated by `\r\n`.
    pub reply: String,
    /// Whether the server carries the command out all the same.
    pub carried_out: bool,
}

impl Answer {
    /// The nth such command does not reach the server and gets this reply (`NO [LIMIT] ...`).
    pub fn instead(command: &str, nth: usize, status: &str) -> Self {
        Self {
            command: command.to_owned(),
            nth,
            reply: format!("{{tag}} {status}"),
            carried_out: false,
        }
    }

    /// The nth such command is carried out, and this is said in place of the tagged reply.
    pub fn after(command: &str, nth: usize, reply: &str) -> Self {
        Self {
            command: command.to_owned(),
            nth,
            reply: reply.to_owned(),
            carried_out: true,
        }
    }
}

/// Something that is done once, when the first such command of any connection is on its way to the
/// server.
#[derive(Clone)]
pub struct Meanwhile {
    /// Commands of this kind come first, before any counts.
    follows: Option<String>,
    is_due: Arc<AtomicBool>,
    command: String,
    act: Arc<dyn Fn() + Send + Sync>,
    is_done: Arc<AtomicBool>,
}

impl Meanwhile {
    /// Does this before a command reaches the server whose line begins so.
    pub fn before(command: &str, act: impl Fn() + Send + Sync + 'static) -> Self {
        let (follows, is_due, is_done) = (None, Arc::default(), Arc::default());
        Self {
            follows,
            is_due,
            command: command.to_owned(),
            act: Arc::new(act),
            is_done,
        }
    }

    /// The same, but only once a command of another kind has been seen.
    pub fn after(self, command: &str) -> Self {
        Self {
            follows: Some(command.to_owned()),
            ..self
        }
    }

    fn look_at(&self, command: &str) {
        if self
            .follows
            .as_ref()
            .is_none_or(|follows| begins_so(command, follows))
        {
            self.is_due.store(true, Ordering::Relaxed);
        }
        let is_due = self.is_due.load(Ordering::Relaxed);
        if is_due
            && begins_so(command, &self.command)
            && !self.is_done.swap(true, Ordering::Relaxed)
        {
            (self.act)();
        }
    }
}

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "before {}", self.command)
    }
}

/// Gives a line's replacement, if it has one.
type Rewriting = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What becomes of the lines of untagged responses.
#[derive(Clone)]
pub struct Rewrite(Arc<Rewriting>);

impl Rewrite {
    /// Gives for a line without its end what is said instead, which is nothing at all where it is
    /// empty; `None`: the line stays as it is.
    pub fn by(instead: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(instead))
    }
}

impl std::fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a rewrite")
    }
}

fn begins_so(command: &str, start: &str) -> bool {
    command
        .get(..start.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

/// What both directions of a connection know about its commands.
pub(super) struct Commands {
    answers: Vec<(Answer, AtomicUsize)>,
    meanwhile: Vec<Meanwhile>,
    rewrites: Vec<Rewrite>,
    twists: Vec<Twist>,
    /// By tag, what is said in place of the tagged reply.
    replies: Mutex<HashMap<String, String>>,
    /// How often the server said `+`.
    continuations: AtomicU64,
}

impl Commands {
    pub(super) fn of(plan: &Plan) -> Self {
        let answers = plan
            .answers
            .iter()
            .map(|answer| (answer.clone(), AtomicUsize::new(0)))
            .collect();
        Self {
            answers,
            meanwhile: plan.meanwhile.clone(),
            rewrites: plan.rewrites.clone(),
            twists: plan.twists.clone(),
            replies: Mutex::default(),
            continuations: AtomicU64::new(0),
        }
    }

    /// Whether somebody else does something meanwhile.
    pub(super) fn has_others(&self) -> bool {
        !self.meanwhile.is_empty()
    }

    /// Whether lines are held until they are whole.
    fn holds_lines(&self) -> bool {
        !self.answers.is_empty()
            || !self.meanwhile.is_empty()
            || !self.rewrites.is_empty()
            || !self.twists.is_empty()
    }

    /// The answer for a command line, if one is due.
    fn answer(&self, command: &str) -> Option<&Answer> {
        let due = |(answer, seen): &(Answer, AtomicUsize)| {
            begins_so(command, &answer.command)
                && seen.fetch_add(1, Ordering::Relaxed) + 1 == answer.nth
        };
        // All are asked, since each counts for itself.
        self.answers
            .iter()
            .filter(|pair| due(pair))
            .map(|(answer, _)| answer)
            .next_back()
    }
}

/// What the next bytes of a stream are.
enum Expected {
    /// The start of a command or response.
    Line,
    /// The rest of a literal, and whether it is passed on.
    Literal(usize, bool),
    /// The rest of a command or response after a literal, and whether it is passed on.
    Rest(bool),
    /// A literal of this length if the server has said `+` more often than this, else a new
    /// command.
    Granted(usize, u64),
}

/// Follows one direction's lines and literals and changes what is to be changed.
pub(super) struct Editor {
    direction: Direction,
    commands: Arc<Commands>,
    counters: Arc<Counters>,
    expected: Expected,
    line: Vec<u8>,
    /// What was passed on of the response under way, if it is to come twice.
    doubled: Option<Vec<u8>>,
    is_cut: bool,
}

impl Editor {
    pub(super) fn new(
        direction: Direction,
        commands: &Arc<Commands>,
        counters: &Arc<Counters>,
    ) -> Self {
        Self {
            direction,
            commands: Arc::clone(commands),
            counters: Arc::clone(counters),
            expected: Expected::Line,
            line: Vec::new(),
            doubled: None,
            is_cut: false,
        }
    }

    /// Whether the connection ends after what was passed on.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Takes bytes as they come and returns what is passed on. Where nothing is to be done that is
    /// everything, at once.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut edited = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_cut {
            rest = self.step(rest, &mut edited);
        }
        if self.commands.holds_lines() {
            edited
        } else {
            bytes.to_vec()
        }
    }

    /// Takes a part of the bytes; returns the rest.
    fn step<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        match self.expected {
            Expected::Granted(length, before) => {
                let granted = self.commands.continuations.load(Ordering::Relaxed) > before;
                self.expected = if granted {
                    Expected::Literal(length, true)
                } else {
                    Expected::Line
                };
                bytes
            }
            Expected::Literal(length, pass) => {
                let (now, rest) = bytes.split_at(length.min(bytes.len()));
                if pass {
                    out.extend_from_slice(now);
                    self.doubled
                        .iter_mut()
                        .for_each(|copy| copy.extend_from_slice(now));
                }
                let left = length - now.len();
                self.expected = if left > 0 {
                    Expected::Literal(left, pass)
                } else {
                    Expected::Rest(pass)
                };
                rest
            }
            Expected::Line | Expected::Rest(_) => {
                let end = bytes
                    .iter()
                    .position(|&byte| byte == b'\n')
                    .map(|at| at + 1);
                let (now, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                self.line.extend_from_slice(now);
                if end.is_some() {
                    self.whole_line(out);
                }
                rest
            }
        }
    }

    /// Passes a complete line on, or what stands in its place.
    fn whole_line(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        let pass;
        match (&self.expected, self.direction) {
            (Expected::Rest(passed), _) => {
                pass = *passed;
                if pass {
                    out.extend_from_slice(&line);
                    self.doubled
                        .iter_mut()
                        .for_each(|copy| copy.extend_from_slice(&line));
                }
            }
            (_, Direction::Up) => pass = self.command(&line, out),
            (_, Direction::Down) => pass = self.response(&line, out),
        }
        if literal_at_end(&line).is_none()
            && let Some(copy) = self.doubled.take()
        {
            out.extend_from_slice(&copy);
        }
        self.expected = match literal_at_end(&line) {
            // Nobody grants a literal of a command that never arrives.
            Some((_, false)) if !pass && self.direction == Direction::Up => Expected::Line,
            Some((length, false)) if self.direction == Direction::Up => {
                Expected::Granted(length, self.commands.continuations.load(Ordering::Relaxed))
            }
            Some((length, _)) => Expected::Literal(length, pass),
            None => Expected::Line,
        };
    }

    /// A command's first line; says whether it goes to the server.
    fn command(&self, line: &[u8], out: &mut Vec<u8>) -> bool {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        // `DONE`, or a line of an authentication: no command.
        let Some((tag, command)) = text.split_once(' ') else {
            out.extend_from_slice(line);
            return true;
        };
        self.counters.commands.lock().unwrap().push(text.to_owned());
        self.commands
            .meanwhile
            .iter()
            .for_each(|meanwhile| meanwhile.look_at(command));
        let Some(answer) = self.commands.answer(command) else {
            out.extend_from_slice(line);
            return true;
        };
        let reply = answer.reply.replace("{tag}", tag);
        self.commands
            .replies
            .lock()
            .unwrap()
            .insert(tag.to_owned(), reply);
        if answer.carried_out {
            out.extend_from_slice(line);
        } else {
            out.extend_from_slice(format!("{tag} NOOP\r\n").as_bytes());
        }
        answer.carried_out
    }

    /// A response's first line; says whether what belongs to it is passed on.
    fn response(&mut self, line: &[u8], out: &mut Vec<u8>) -> bool {
        if line.starts_with(b"+") {
            self.commands.continuations.fetch_add(1, Ordering::Relaxed);
        }
        if line.starts_with(b"* ") {
            let text = String::from_utf8_lossy(line);
            let rewritten = self
                .commands
                .rewrites
                .iter()
                .find_map(|Rewrite(by)| by(text.trim_end()));
            if let Some(instead) = rewritten {
                if !instead.is_empty() {
                    out.extend_from_slice(format!("{instead}\r\n").as_bytes());
                }
                return true;
            }
        }
        let tag =
            String::from_utf8_lossy(line.split(|&byte| byte == b' ').next().unwrap_or_default());
        if let Some(reply) = self.commands.replies.lock().unwrap().remove(tag.as_ref()) {
            out.extend_from_slice(format!("{reply}\r\n").as_bytes());
            return true;
        }
        // All are asked, since each counts for itself.
        let damages = self
            .commands
            .twists
            .iter()
            .filter_map(|twist| Some((twist.clone(), twist.look_at(line)?)));
        match damages.collect::<Vec<_>>().pop() {
            Some((twist, damage)) => self.damage(&twist, damage, line, out),
            None => {
                out.extend_from_slice(line);
                true
            }
        }
    }

    /// Passes a response's first line on as it is to arrive; says whether what belongs to it is
    /// passed on.
    fn damage(&mut self, twist: &Twist, damage: Damage, line: &[u8], out: &mut Vec<u8>) -> bool {
        match damage {
            Damage::Dropped => return false,
            Damage::Garbled => out.extend_from_slice(&twist.garble(line)),
            Damage::Doubled => {
                out.extend_from_slice(line);
                self.doubled = Some(line.to_vec());
            }
            Damage::Nil => {
                let at =
                    literal_at_end(line).and_then(|_| line.iter().rposition(|&byte| byte == b'{'));
                let Some(at) = at else {
                    out.extend_from_slice(line);
                    return true;
                };
                out.extend_from_slice(&line[..at]);
                out.extend_from_slice(b"NIL)\r\n");
                return false;
            }
            Damage::Late(by) => {
                std::thread::sleep(by);
                out.extend_from_slice(line);
            }
            Damage::Cut => {
                out.extend_from_slice(&line[..line.len() / 2]);
                self.is_cut = true;
            }
        }
        true
    }
}
