//! Delivers whole messages ahead of their acknowledgement: many in one MULTIAPPEND (RFC 3502) if
//! the server has that and LITERAL+, otherwise one APPEND after the other, waiting only if a
//! literal has to be asked for.
//!
//! If a server refuses what comes before a message sent without asking, it may execute the message
//! as commands. So only what every server accepts is sent that way: plain flags, sane dates,
//! existing folders. After a BAD to such an APPEND the connection is closed at once.

use super::refusal::{Asked, misunderstood, refusal_by};
use super::session::Session;
use crate::imap::{
    Code, Command, Completion, Error as ImapError, LiteralMode, Received, Reply, Step, Ticket,
    ignore,
};
use crate::mail::MailboxName;
use crate::net::Phase;
use crate::store::{Body, Delivery, Error, Outcome, Placed, Refusal, RefusalMeaning};
use std::collections::VecDeque;

/// The most messages in a batch, so that a refusal or a lost reply leaves little in doubt.
const BATCH_MESSAGES: usize = 250;
/// The most bytes in a batch, for the same reason.
const BATCH_BYTES: u64 = 4 << 20;
/// A message of this size or more is sent alone, and the server is asked before its bytes are sent:
/// one round trip is short compared with the transfer, and a refusal because of its size costs no
/// transfer.
const ASK_FROM_BYTES: u64 = 8 << 20;
/// How many APPENDs may be unanswered at a time: the system can buffer their replies while nobody
/// reads them.
const APPENDS_AHEAD: usize = 64;
/// How many deliveries are made between checks for replies, as each check costs system calls.
const LOOK_EVERY: u32 = 16;

/// Deliveries that were begun and not reported yet.
#[derive(Default)]
pub(super) struct Appends {
    /// An APPEND whose command isn't finished yet.
    open: Option<Batch>,
    /// Finished commands without a reply, oldest first.
    waiting: VecDeque<(Ticket, Batch)>,
    /// Results that nobody has asked for yet.
    told: Vec<Outcome>,
    /// Why nothing can be sent on this connection any more.
    broken: Option<Error>,
    since_look: u32,
}

struct Batch {
    ticket: Ticket,
    mailbox: MailboxName,
    number: u32,
    tokens: Vec<u32>,
    bytes: u64,
    /// Whether its messages were sent without asking the server.
    unasked: bool,
    /// The server's reply, if it came before everything was sent.
    early: Option<Reply>,
}

impl Batch {
    fn takes(&self, mailbox: &MailboxName, number: u32, size: u64) -> bool {
        (&self.mailbox, self.number) == (mailbox, number)
            && self.early.is_none()
            && self.tokens.len() < BATCH_MESSAGES
            && self.bytes + size <= BATCH_BYTES
    }
}

impl Appends {
    pub(super) fn unacknowledged(&self) -> Vec<u32> {
        let waiting = self.waiting.iter().map(|(_, batch)| batch);
        let told = self.told.iter().flat_map(|outcome| &outcome.tokens);
        waiting
            .chain(&self.open)
            .flat_map(|batch| &batch.tokens)
            .chain(told)
            .copied()
            .collect()
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }
}

impl Session {
    /// Sends one message.
    pub(super) fn append(
        &mut self,
        mailbox: &MailboxName,
        delivery: Delivery<'_>,
    ) -> Result<(), Error> {
        if let Some(error) = &self.appends.broken {
            return Err(error.clone());
        }
        self.ensure_alive().map_err(|error| self.fail(&error))?;
        self.connection.set_phase(Phase::Sending);
        let size = delivery.body.size();
        if let Some(limit) = self
            .capabilities
            .append_limit()
            .filter(|limit| size > *limit)
        {
            let text = format!("it has {size} bytes, and the server accepts at most {limit}");
            let result = Err(Refusal {
                meaning: RefusalMeaning::Permanent,
                text,
            });
            self.appends.told.push(Outcome {
                tokens: vec![delivery.token],
                result,
            });
            return Ok(());
        }
        let immediate = self.capabilities.literal_mode().is_immediate(size);
        let unasked = immediate && !delivery.careful && size < ASK_FROM_BYTES;
        let sent = if unasked
            && self.capabilities.literal_mode() == LiteralMode::Plus
            && self.capabilities.has("MULTIAPPEND")
        {
            self.append_to_batch(mailbox, delivery, size)
        } else {
            self.append_alone(mailbox, delivery, size, unasked)
        };
        sent.map_err(|error| self.fail(&error))
    }

    /// Adds a message to the open MULTIAPPEND, or starts one.
    fn append_to_batch(
        &mut self,
        mailbox: &MailboxName,
        delivery: Delivery<'_>,
        size: u64,
    ) -> Result<(), ImapError> {
        if !self
            .appends
            .open
            .as_ref()
            .is_some_and(|batch| batch.takes(mailbox, delivery.batch, size))
        {
            self.end_batch()?;
            self.keep_up()?;
            // The folder's name is the same for all; each message follows with its flags, date and
            // literal.
            let (ticket, steps) = self
                .connection
                .begin(&Command::new("APPEND").mailbox(mailbox))?;
            for step in steps {
                if let Step::Write(bytes) = step {
                    self.connection
                        .write(bytes.strip_suffix(b"\r\n").unwrap_or(&bytes))?;
                }
            }
            let (mailbox, number) = (mailbox.clone(), delivery.batch);
            self.appends.open = Some(Batch {
                ticket,
                mailbox,
                number,
                tokens: Vec::new(),
                bytes: 0,
                unasked: true,
                early: None,
            });
        }
        let Some(batch) = &mut self.appends.open else {
            return Ok(());
        };
        // From here on the message is in doubt until the reply.
        batch.tokens.push(delivery.token);
        batch.bytes += size;
        let date = delivery
            .date
            .map(|date| format!("\"{date}\" "))
            .unwrap_or_default();
        self.connection
            .write(format!(" {} {date}{{{size}+}}\r\n", delivery.flags).as_bytes())?;
        self.write_body(delivery.body, size)
    }

    /// Sends a message in its own APPEND.
    fn append_alone(
        &mut self,
        mailbox: &MailboxName,
        delivery: Delivery<'_>,
        size: u64,
        unasked: bool,
    ) -> Result<(), ImapError> {
        self.end_batch()?;
        self.keep_up()?;
        let mut command = Command::new("APPEND")
            .mailbox(mailbox)
            .flags(delivery.flags);
        if let Some(date) = delivery.date {
            command = command.date(date);
        }
        let mode = if unasked {
            self.capabilities.literal_mode()
        } else {
            LiteralMode::Synchronizing
        };
        let (ticket, steps) = self
            .connection
            .begin_with(&command.stream(size, delivery.binary), mode)?;
        let (mailbox, number, tokens) = (mailbox.clone(), delivery.batch, vec![delivery.token]);
        self.appends.open = Some(Batch {
            ticket,
            mailbox,
            number,
            tokens,
            bytes: size,
            unasked,
            early: None,
        });
        let mut body = Some(delivery.body);
        for step in steps {
            match step {
                Step::Write(bytes) => self.connection.write(&bytes)?,
                Step::AwaitContinuation => {
                    if let Some(reply) = self.await_go_ahead(ticket)? {
                        // Refused before its bytes were sent: nothing is in doubt.
                        if let Some(batch) = self.appends.open.take() {
                            self.tell(batch, &reply);
                        }
                        return Ok(());
                    }
                }
                Step::Stream(size) => {
                    if let Some(body) = body.take() {
                        self.write_body(body, size)?;
                    }
                }
            }
        }
        if let Some(batch) = self.appends.open.take() {
            self.appends.waiting.push_back((ticket, batch));
        }
        Ok(())
    }

    /// Writes exactly `size` bytes of a message. If the source returns fewer, the command is only
    /// half sent: the connection is then closed, and the server drops what it got.
    fn write_body(&mut self, body: Body<'_>, size: u64) -> Result<(), ImapError> {
        match body {
            Body::Whole(bytes) => self.connection.write(bytes),
            Body::Stream { from, .. } => {
                let mut chunk = vec![0; 64 << 10];
                let mut left = size;
                while left > 0 {
                    let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
                    let count = from.read(&mut chunk[..wanted]).unwrap_or(0);
                    if count == 0 {
                        self.connection.shut_down();
                        return Err(ImapError::Truncated);
                    }
                    self.connection.write(&chunk[..count])?;
                    left -= count as u64;
                }
                Ok(())
            }
        }
    }

    /// Waits for the server's `+`. Replies to earlier APPENDs come first.
    fn await_go_ahead(&mut self, ticket: Ticket) -> Result<Option<Reply>, ImapError> {
        loop {
            match self.connection.receive(&mut ignore)? {
                Received::Continue => return Ok(None),
                Received::Reply(replied, reply) if replied == ticket => return Ok(Some(reply)),
                Received::Reply(replied, reply) => self.take_reply(replied, &reply),
                Received::Untagged => {}
            }
        }
    }

    /// Finishes the open command, so that the server can answer it.
    fn end_batch(&mut self) -> Result<(), ImapError> {
        let Some(mut batch) = self.appends.open.take() else {
            return Ok(());
        };
        // The server expects the rest of a command that it has already answered.
        if let Some(reply) = batch.early.take() {
            self.tell(batch, &reply);
        } else {
            // In doubt even if the write fails.
            self.appends.waiting.push_back((batch.ticket, batch));
        }
        self.connection.write(b"\r\n")
    }

    /// Waits for replies if too many are outstanding, until half of them have arrived: the rest
    /// keeps the server busy.
    fn keep_up(&mut self) -> Result<(), ImapError> {
        if self.appends.waiting.len() < APPENDS_AHEAD {
            Ok(())
        } else {
            self.make_room(APPENDS_AHEAD / 2)
        }
    }

    /// Waits until fewer than `limit` replies are outstanding.
    fn make_room(&mut self, limit: usize) -> Result<(), ImapError> {
        while self.appends.waiting.len() >= limit {
            if let Received::Reply(ticket, reply) = self.connection.receive(&mut ignore)? {
                self.take_reply(ticket, &reply);
            }
        }
        Ok(())
    }

    pub(super) fn acknowledged(&mut self, wait: bool) -> Result<Vec<Outcome>, Error> {
        let received = if wait {
            self.wait_for_all()
        } else {
            self.look()
        };
        match received.map_err(|error| self.fail(&error)) {
            // Report earlier results first; the next call reports the break.
            Err(error) if self.appends.told.is_empty() => Err(error),
            _ => Ok(std::mem::take(&mut self.appends.told)),
        }
    }

    fn wait_for_all(&mut self) -> Result<(), ImapError> {
        if !self.appends.is_broken() {
            self.end_batch()?;
        }
        self.make_room(1)
    }

    /// Takes the replies that have arrived, every now and then.
    fn look(&mut self) -> Result<(), ImapError> {
        self.appends.since_look += 1;
        if self.appends.waiting.is_empty() || self.appends.since_look < LOOK_EVERY {
            return Ok(());
        }
        self.appends.since_look = 0;
        while let Some(received) = self.connection.receive_available(&mut ignore)? {
            if let Received::Reply(ticket, reply) = received {
                self.take_reply(ticket, &reply);
            }
        }
        Ok(())
    }

    fn take_reply(&mut self, ticket: Ticket, reply: &Reply) {
        let at = self
            .appends
            .waiting
            .iter()
            .position(|(waiting, _)| *waiting == ticket);
        if let Some((_, batch)) = at.and_then(|at| self.appends.waiting.remove(at)) {
            self.tell(batch, reply);
        } else if let Some(batch) = self.appends.open.take_if(|open| open.ticket == ticket) {
            self.answer_early(batch, reply);
        }
    }

    /// Handles a refusal that comes before the whole batch was sent. After a BAD the connection is
    /// finished; otherwise the batch is finished before anything else is sent.
    fn answer_early(&mut self, batch: Batch, reply: &Reply) {
        if reply.completion == Completion::Bad {
            self.tell(batch, reply);
        } else {
            self.appends.open = Some(Batch {
                early: Some(reply.clone()),
                ..batch
            });
        }
    }

    fn tell(&mut self, batch: Batch, reply: &Reply) {
        if reply.completion == Completion::Bad && batch.unasked {
            // The server may be reading the messages' lines as commands by now.
            self.appends.broken.get_or_insert(misunderstood(reply));
            self.connection.shut_down();
        }
        let result = if reply.is_ok() {
            Ok(placed(reply, batch.tokens.len()))
        } else {
            let server = self.provider.map_or("", |provider| provider.name);
            let mut refusal = refusal_by(server, reply, Asked::Append);
            if refusal.meaning == RefusalMeaning::Nul && !self.capabilities.has("BINARY") {
                refusal.meaning = RefusalMeaning::Permanent;
            }
            Err(refusal)
        };
        self.appends.told.push(Outcome {
            tokens: batch.tokens,
            result,
        });
    }

    /// Notes that nothing more can be sent on this connection.
    fn fail(&mut self, error: &ImapError) -> Error {
        let error = Error::from(error);
        self.appends.broken.get_or_insert(error).clone()
    }
}

/// Returns where the messages are, if the server reports as many as were sent.
fn placed(reply: &Reply, count: usize) -> Option<Placed> {
    match &reply.code {
        Some(Code::AppendUid { validity, uids }) if uids.len() == count as u64 => Some(Placed {
            uid_validity: crate::mail::UidValidity(*validity),
            uids: uids.clone(),
        }),
        _ => None,
    }
}
