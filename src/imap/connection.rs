//! One connection: commands are sent ahead of their replies, and each reply is matched to its
//! command.
//!
//! Commands are answered in the order in which they were sent (RFC 3501 section 5.5: a server may
//! answer out of order only if it makes no difference), so untagged data belongs to the oldest
//! unanswered command. A tagged reply that no command waits for ends the connection: it was forged,
//! or the two sides are out of sync.

use super::courtesy::Courtesy;
use super::facts::ServerFacts;
use super::meaning::{Asked, Class, Said, meaning};
use super::redact::Redactor;
use super::response::{Code, Completion, FetchOpening, Namespace, Response};
use super::waiting::Unreplied;
use super::wire::{
    ByteSource, Command, Framer, Incoming, Limits, LiteralMode, Step, Tags, Unanswered,
};
use super::{Capabilities, Error};
use crate::event::Direction;
use crate::net::{self, Phase, Stream};
use secrecy::SecretString;
use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Identifies a command that was sent, until its reply has been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// The tagged reply to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// OK, NO or BAD.
    pub completion: Completion,
    /// The code in brackets, if any.
    pub code: Option<Code>,
    /// The server's text, raw.
    pub text: String,
}

impl Reply {
    /// Reports whether the command succeeded.
    pub fn is_ok(&self) -> bool {
        self.completion == Completion::Ok
    }
}

/// The result of reading one response.
#[derive(Debug)]
pub enum Received {
    /// A command's tagged reply.
    Reply(Ticket, Reply),
    /// The server's `+`.
    Continue,
    /// Untagged data, which the handler has seen, or a reply that nobody waits for.
    Untagged,
}

/// Handles untagged data.
pub trait Handler {
    /// Handles one untagged response. `oldest` is the command that it most likely belongs to.
    ///
    /// # Errors
    /// A reason to end the connection.
    fn untagged(&mut self, oldest: Option<Ticket>, response: &Response<'_>) -> Result<(), Error>;
}

impl<F: FnMut(Option<Ticket>, &Response<'_>) -> Result<(), Error>> Handler for F {
    fn untagged(&mut self, oldest: Option<Ticket>, response: &Response<'_>) -> Result<(), Error> {
        self(oldest, response)
    }
}

/// Ignores untagged data.
pub fn ignore(_: Option<Ticket>, _: &Response<'_>) -> Result<(), Error> {
    Ok(())
}

/// Receives each line of the protocol, with secrets redacted.
pub type Trace = Box<dyn Fn(Direction, &[u8]) + Send + Sync>;

/// Learns that the server has asked for a pause by name, which is made now: how long, and its
/// words.
pub type PauseNotice = Box<dyn Fn(Duration, &str) + Send + Sync>;

/// A connection to a server.
pub struct Connection {
    stream: Stream,
    framer: Framer,
    limits: Limits,
    unanswered: Unanswered,
    tags: Tags,
    waiting: Unreplied,
    last_ticket: u64,
    facts: ServerFacts,
    last_used: Instant,
    courtesy: Courtesy,
    trace: Option<Trace>,
    pause_notice: Option<PauseNotice>,
    /// Knows the secrets that were sent.
    redactor: Redactor,
    /// During a login: the server's last challenge, unmodified.
    login: Option<Zeroizing<Vec<u8>>>,
}

/// The server's answer to a step of a login.
pub(super) enum Answered {
    /// It asks for the next step.
    Challenge(Zeroizing<Vec<u8>>),
    /// The login is over.
    Reply(Reply),
}

impl ByteSource for Stream {
    type Error = net::Error;

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, net::Error> {
        Self::read(self, buffer)
    }

    fn read_available(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, net::Error> {
        Self::read_available(self, buffer)
    }
}

impl Connection {
    /// Makes a connection over a fresh stream.
    pub fn new(stream: Stream, trace: Option<Trace>) -> Self {
        Self {
            stream,
            framer: Framer::new(Limits::default()),
            limits: Limits::default(),
            unanswered: Unanswered::default(),
            tags: Tags::new(),
            waiting: Unreplied::default(),
            last_ticket: 0,
            facts: ServerFacts::default(),
            last_used: Instant::now(),
            courtesy: Courtesy::default(),
            trace,
            pause_notice: None,
            redactor: Redactor::default(),
            login: None,
        }
    }

    /// Returns the stream below, if no unread input is left.
    pub(super) fn into_stream(self) -> Option<Stream> {
        self.framer.is_empty().then_some(self.stream)
    }

    /// Reports whether TLS is up.
    pub(super) fn is_encrypted(&self) -> bool {
        self.stream.is_encrypted()
    }

    /// Returns what a login can be bound to: see [`Stream::server_end_point`].
    pub(super) fn server_end_point(&self) -> Option<Vec<u8>> {
        self.stream.server_end_point()
    }

    /// Stops tracing challenges, and this secret for good.
    pub(super) fn begin_login(&mut self, secret: Option<&SecretString>) {
        if let Some(secret) = secret {
            self.redactor.add(secret);
        }
        self.login = Some(Zeroizing::default());
    }

    /// Ends the login, successful or not.
    pub(super) fn end_login(&mut self) {
        self.login = None;
    }

    /// Returns a text from the server without the secrets that it was given.
    pub(super) fn redacted(&self, text: &str) -> String {
        self.redactor.clean(text).into_owned()
    }

    /// Waits for the server's answer to a step of the login.
    pub(super) fn await_challenge(&mut self, ticket: Ticket) -> Result<Answered, Error> {
        Ok(match self.await_continuation(ticket, &mut ignore)? {
            Some(reply) => Answered::Reply(reply),
            None => Answered::Challenge(self.login.as_mut().map(mem::take).unwrap_or_default()),
        })
    }

    /// Returns the connection with TLS below. Everything learnt in plain text is forgotten.
    ///
    /// # Errors
    /// Bytes that arrived in plain text after the server's OK, or a failure of `protect`.
    pub fn encrypt(
        self,
        protect: impl FnOnce(Stream) -> Result<Stream, net::Error>,
    ) -> Result<Self, Error> {
        if !self.framer.is_empty() {
            let text =
                "unexpected data between the server's OK to STARTTLS and TLS, so nothing was sent";
            return Err(Error::NoLogin(text.to_owned()));
        }
        Ok(Self::new(protect(self.stream)?, self.trace))
    }

    /// Compresses the connection from now on, as the server has just agreed.
    ///
    /// # Errors
    /// Why it failed; the connection can't be used any more then.
    pub(super) fn compress(&mut self) -> Result<(), Error> {
        let received = self.framer.take_unused().ok_or(Error::Truncated)?;
        Ok(self.stream.compress(&received)?)
    }

    /// Returns how far away the server is: see [`Stream::distance`].
    pub fn distance(&self) -> Duration {
        self.stream.distance()
    }

    /// Returns the shortest time in which a command was answered so far: at least a round trip,
    /// even if the connection's first hop is short, as with a tunnel.
    pub fn round_trip(&self) -> Option<Duration> {
        self.waiting.round_trip()
    }

    /// Reports whether it is compressed.
    pub fn is_compressed(&self) -> bool {
        self.stream.is_compressed()
    }

    /// Returns the capabilities that the server announced last; `None` if it has not yet.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.facts.capabilities.as_ref()
    }

    /// Forgets the server's capabilities: at login, as only what comes after counts.
    pub fn forget_capabilities(&mut self) {
        self.facts.capabilities = None;
    }

    /// Returns the answer to NAMESPACE (RFC 2342), once it has arrived.
    pub fn namespace(&self) -> Option<&Namespace> {
        self.facts.namespace.as_ref()
    }

    /// Returns the fields of the server's ID (RFC 2971), once they have arrived.
    pub fn server_id(&self) -> &[(String, Option<String>)] {
        &self.facts.id
    }

    /// Returns the connection's traffic.
    pub fn traffic(&self) -> net::Traffic {
        self.stream.traffic()
    }

    /// Returns when something was last sent or received.
    pub fn last_used(&self) -> Instant {
        self.last_used
    }

    /// Sets what the coming waits are for.
    pub fn set_phase(&mut self, phase: Phase) {
        self.stream.set_phase(phase);
    }

    /// Closes without LOGOUT. The server gets no more of what was written than has left this
    /// machine.
    pub fn shut_down(&mut self) {
        self.stream.shut_down();
    }

    /// Returns the number of unanswered commands, not counting those whose replies nobody waits
    /// for.
    pub fn commands_waiting(&self) -> usize {
        self.waiting.attended()
    }

    /// Reports whether the server can accept one more command while nobody reads its replies.
    pub fn has_room(&self) -> bool {
        self.waiting.has_room()
    }

    /// Reports whether enough commands are answered to send more, all at once.
    pub fn is_half_answered(&self) -> bool {
        self.waiting.is_half_answered()
    }

    /// Sends a command without waiting for its reply. If [`Connection::needs_quiet`] says so, no
    /// other command may be unanswered.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn send(&mut self, command: &Command) -> Result<Ticket, Error> {
        let (ticket, steps) = self.begin(command)?;
        for step in steps {
            match step {
                Step::Write(bytes) => self.write(&bytes)?,
                Step::AwaitContinuation => {
                    if let Some(reply) = self.await_continuation(ticket, &mut ignore)? {
                        return Err(Error::Protocol(format!(
                            "it refused a literal: {}",
                            reply.text
                        )));
                    }
                }
                Step::Stream(_) => {
                    return Err(Error::Protocol("a message needs its bytes".to_owned()));
                }
            }
        }
        Ok(ticket)
    }

    /// Sends a command whose reply is discarded when it comes, whatever it says. Untagged data that
    /// comes with it goes to whoever is reading then.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn send_unattended(&mut self, command: &Command) -> Result<(), Error> {
        self.send(command)?;
        self.waiting.leave_last();
        Ok(())
    }

    /// Says goodbye and closes. It doesn't wait for the server's answer: nothing depends on it.
    pub fn log_out(&mut self) {
        self.courtesy = Courtesy::default();
        let said = self.send_unattended(&Command::new("LOGOUT"));
        // A lost connection is closed as well.
        match said.and_then(|()| Ok(self.stream.flush()?)) {
            Ok(()) => self.stream.close(),
            Err(_) => self.shut_down(),
        }
    }

    /// Reports whether one of the command's strings has to be sent as a literal that the server
    /// must ask for: replies to earlier commands would come in between.
    pub fn needs_quiet(&self, command: &Command) -> bool {
        command.has_literal() && self.literal_mode() != LiteralMode::Plus
    }

    /// Assigns the command a tag and queues it for its reply. The caller carries out the steps.
    ///
    /// # Errors
    /// A command that can't be written.
    pub fn begin(&mut self, command: &Command) -> Result<(Ticket, Vec<Step>), Error> {
        self.begin_with(command, self.literal_mode())
    }

    /// Does the same, with literals sent in this way.
    ///
    /// # Errors
    /// A command that can't be written.
    pub fn begin_with(
        &mut self,
        command: &Command,
        mode: LiteralMode,
    ) -> Result<(Ticket, Vec<Step>), Error> {
        self.pause();
        let tag = self.tags.next_tag();
        let steps = command.steps(&tag, mode)?;
        if let Some(trace) = &self.trace {
            trace(Direction::Sent, &command.trace(&tag));
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let length = |step: &Step| {
            if let Step::Write(bytes) = step {
                bytes.len()
            } else {
                0
            }
        };
        let bytes = steps.iter().map(length).sum();
        let asked = Asked::by(&command.name());
        self.waiting.push(ticket, tag, asked, bytes);
        Ok((ticket, steps))
    }

    /// Makes the pause that the server has asked for.
    fn pause(&mut self) {
        let (time, asked) = self.courtesy.take();
        if let (Some(asked), Some(notice)) = (asked, &self.pause_notice) {
            notice(time, &asked.text);
        }
        self.stream.rest(time);
    }

    /// Reports each pause that the server asks for by name to this, from now on.
    pub fn tell_pauses(&mut self, notice: PauseNotice) {
        self.pause_notice = Some(notice);
    }

    /// Writes bytes of a command that was begun.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write(bytes)?;
        Ok(())
    }

    /// Answers a continuation request with a secret line.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn answer(&mut self, command: &Command) -> Result<(), Error> {
        if let Some(trace) = &self.trace {
            trace(Direction::Sent, &command.trace(""));
        }
        for step in command.steps("", LiteralMode::Synchronizing)? {
            if let Step::Write(bytes) = step {
                self.write(&bytes)?;
            }
        }
        Ok(())
    }

    /// Waits until the server asks for this command's literal. A reply instead means that it
    /// refuses the command: the literal must not be sent.
    ///
    /// # Errors
    /// A failure that ends the connection, such as a reply to another command: replies come in
    /// order, so all earlier ones must have been taken.
    pub fn await_continuation(
        &mut self,
        ticket: Ticket,
        handler: &mut dyn Handler,
    ) -> Result<Option<Reply>, Error> {
        loop {
            match self.receive(handler)? {
                Received::Continue => return Ok(None),
                Received::Reply(replied, reply) if replied == ticket => return Ok(Some(reply)),
                Received::Reply(..) => {
                    return Err(Error::Protocol("it answered out of order".to_owned()));
                }
                Received::Untagged => {}
            }
        }
    }

    /// Waits for the next response.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn receive(&mut self, handler: &mut dyn Handler) -> Result<Received, Error> {
        let incoming = self.framer.next(&mut self.stream);
        let incoming = incoming.map_err(|error| self.ended(error.into()))?;
        self.take(incoming, handler)
    }

    /// Returns the next response, if it has arrived in full.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn receive_available(
        &mut self,
        handler: &mut dyn Handler,
    ) -> Result<Option<Received>, Error> {
        let incoming = self.framer.next_available(&mut self.stream);
        match incoming.map_err(|error| self.ended(error.into()))? {
            Some(incoming) => self.take(incoming, handler).map(Some),
            None => Ok(None),
        }
    }

    /// Waits for the next response or large literal.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn incoming(&mut self) -> Result<Incoming, Error> {
        let incoming = self.framer.next(&mut self.stream);
        incoming.map_err(|error| self.ended(error.into()))
    }

    /// Returns what came before the large literal that [`Connection::incoming`] announced; `None`
    /// if it isn't in a FETCH.
    pub fn fetch_opening(&self) -> Option<FetchOpening> {
        FetchOpening::read(self.framer.frame())
    }

    /// Reads bytes of a large literal; zero: it is complete.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn read_literal(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.framer
            .read_literal(&mut self.stream, buffer)
            .map_err(Into::into)
    }

    /// Interprets what [`Connection::incoming`] returned as a frame.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn take(
        &mut self,
        incoming: Incoming,
        handler: &mut dyn Handler,
    ) -> Result<Received, Error> {
        let mut incoming = incoming;
        while let Incoming::LargeLiteral { .. } = incoming {
            // Unrequested: the framer skips it.
            incoming = self.incoming()?;
        }
        self.last_used = Instant::now();
        self.trace_received();
        let oldest = self.waiting.oldest();
        let response = self
            .redactor
            .shortened(Response::parse(self.framer.frame()));
        match &response {
            Response::Tagged { .. } => self.unanswered = Unanswered::default(),
            response => self
                .unanswered
                .count(&self.limits, matches!(response, Response::Status { .. }))?,
        }
        match response {
            Response::Tagged {
                tag,
                completion,
                code,
                text,
            } => {
                let answered = self.waiting.take(tag);
                let reply = Reply {
                    completion,
                    code,
                    text: text.into_owned(),
                };
                self.take_reply(answered, reply)
            }
            Response::Continue { text } => {
                if let Some(challenge) = &mut self.login {
                    *challenge = Zeroizing::new(text.to_vec());
                }
                Ok(Received::Continue)
            }
            response => {
                if let Some(response) = self.facts.learn(response) {
                    handler.untagged(oldest, &response)?;
                }
                Ok(Received::Untagged)
            }
        }
    }

    /// Shows the frame that was read, but for challenges and secrets.
    fn trace_received(&self) {
        let Some(trace) = &self.trace else { return };
        for text in self.framer.frame().text() {
            match &self.login {
                Some(_) if text.starts_with(b"+") => trace(Direction::Received, b"+ <hidden>"),
                _ => trace(
                    Direction::Received,
                    self.redactor
                        .clean(&String::from_utf8_lossy(text))
                        .as_bytes(),
                ),
            }
        }
    }

    /// Handles a tagged reply. `answered` is the command, what it asked, and whether anyone is
    /// waiting for the reply.
    fn take_reply(
        &mut self,
        answered: Option<(Ticket, Asked, bool)>,
        reply: Reply,
    ) -> Result<Received, Error> {
        self.stream.begin_answer();
        self.facts.learn_code(reply.code.as_ref());
        let Some((ticket, asked, is_attended)) = answered else {
            return Err(Error::Protocol(
                "it answered a command that was never sent".to_owned(),
            ));
        };
        let meaning = meaning(&Said {
            completion: Some(reply.completion),
            code: reply.code.as_ref(),
            text: &reply.text,
            to: asked,
            server: "",
        });
        self.courtesy.heard(&reply, meaning);
        // Whatever comes next on this connection would be refused as well.
        let is_of_no_use = matches!(meaning.class, Class::Spent | Class::Unconnected);
        if is_of_no_use && asked != Asked::Login {
            let Reply { text, code, .. } = reply;
            return Err(Error::Useless {
                text,
                code,
                meaning,
            });
        }
        Ok(if is_attended {
            Received::Reply(ticket, reply)
        } else {
            Received::Untagged
        })
    }

    /// Explains why the connection ended: the server's goodbye, if there was one, is a better
    /// reason than that it closed.
    fn ended(&mut self, error: Error) -> Error {
        match self.facts.bye.take() {
            Some((text, code)) if self.login.is_some() => Error::Bye {
                text: self.redacted(&text),
                code,
            },
            Some((text, code)) => Error::Bye { text, code },
            None => error,
        }
    }

    /// Waits for a command's reply.
    ///
    /// # Errors
    /// A failure that ends the connection, such as a reply to another command.
    pub fn wait(&mut self, ticket: Ticket, handler: &mut dyn Handler) -> Result<Reply, Error> {
        self.wait_any(|replied| replied == ticket, handler)
            .map(|(_, reply)| reply)
    }

    /// Waits for a reply to one of some commands: a server may execute independent commands in
    /// parallel, and answer first what is done first (RFC 3501 section 5.5).
    ///
    /// # Errors
    /// A failure that ends the connection, such as a reply to any other command.
    pub fn wait_any(
        &mut self,
        is_expected: impl Fn(Ticket) -> bool,
        handler: &mut dyn Handler,
    ) -> Result<(Ticket, Reply), Error> {
        loop {
            match self.receive(handler)? {
                Received::Reply(replied, reply) if is_expected(replied) => {
                    return Ok((replied, reply));
                }
                Received::Reply(..) => {
                    return Err(Error::Protocol("it answered out of order".to_owned()));
                }
                Received::Continue => {
                    return Err(Error::Protocol(
                        "it asked for more where nothing was to follow".to_owned(),
                    ));
                }
                Received::Untagged => {}
            }
        }
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn run(&mut self, command: &Command, handler: &mut dyn Handler) -> Result<Reply, Error> {
        let ticket = self.send(command)?;
        self.wait(ticket, handler)
    }

    /// Sends commands without waiting in between and takes their replies in order. There are never
    /// more unanswered commands than a server accepts while nobody reads its replies; when half of
    /// them are answered, more follow.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub fn run_all(
        &mut self,
        commands: &[Command],
        mut handler: impl FnMut(usize, &Response<'_>) -> Result<(), Error>,
    ) -> Result<Vec<Reply>, Error> {
        let mut replies: Vec<Reply> = Vec::with_capacity(commands.len());
        let mut sent: VecDeque<Ticket> = VecDeque::new();
        let mut unsent = commands.iter();
        loop {
            let is_half_answered = self.is_half_answered();
            while sent.is_empty() || is_half_answered && self.has_room() {
                let Some(command) = unsent.next() else { break };
                // A literal that must be asked for needs all earlier replies taken.
                if self.needs_quiet(command) && !sent.is_empty() {
                    let nth = replies.len();
                    for (at, ticket) in mem::take(&mut sent).into_iter().enumerate() {
                        replies.push(
                            self.wait(ticket, &mut |_: Option<Ticket>, r: &Response<'_>| {
                                handler(nth + at, r)
                            })?,
                        );
                    }
                }
                sent.push_back(self.send(command)?);
            }
            let Some(ticket) = sent.pop_front() else {
                return Ok(replies);
            };
            let nth = replies.len();
            replies.push(
                self.wait(ticket, &mut |_: Option<Ticket>, r: &Response<'_>| {
                    handler(nth, r)
                })?,
            );
        }
    }

    /// Returns how literals may be sent now.
    pub fn literal_mode(&self) -> LiteralMode {
        self.facts
            .capabilities
            .as_ref()
            .map_or(LiteralMode::Synchronizing, Capabilities::literal_mode)
    }

    /// Reports whether the server said goodbye.
    pub fn has_ended(&self) -> bool {
        self.facts.bye.is_some()
    }
}
