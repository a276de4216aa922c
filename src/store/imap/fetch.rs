//! Whole messages, requested ahead of reading them. A large one is streamed without being held in
//! memory.

use super::refusal::{Asked, refusal};
use super::session::{SET_BYTES, Session};
use crate::imap::wire::{Answers, Violation};
use crate::imap::{
    Attributes, Code, Command, Connection, Content, Error as ImapError, Incoming, Received, Reply,
    Response, Ticket,
};
use crate::mail::{MailboxName, Uid, UidSet, UidValidity};
use crate::net::Phase;
use crate::store::{Body, Error, ErrorKind, Fetched, MessageSink, Refusal, RefusalMeaning};
use std::collections::VecDeque;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};

/// Unanswered requests, oldest first.
#[derive(Default)]
pub(super) struct Requests {
    queue: VecDeque<Request>,
    /// How the folder that the oldest request reads from was opened: by that request, or by an
    /// earlier one.
    folder: Opened,
    /// What has arrived since a request was last done.
    answers: Answers,
}

/// The result of opening a folder.
#[derive(Default)]
struct Opened {
    /// Its UIDVALIDITY, if the server gave it.
    uid_validity: Option<UidValidity>,
    refusal: Option<Refusal>,
}

struct Request {
    mailbox: MailboxName,
    /// Whether it was sent. A request that has to wait for earlier ones makes later ones wait too.
    sent: bool,
    /// EXAMINE, if the folder was not open.
    opening: Option<Ticket>,
    /// Whether replies to the opening have begun to arrive.
    began: bool,
    fetches: VecDeque<Ticket>,
    /// The UIDVALIDITY of the UIDs.
    expected: Option<UidValidity>,
    wanted: UidSet,
    received: UidSet,
    refusal: Option<Refusal>,
}

impl Session {
    pub(super) fn ask_for(
        &mut self,
        mailbox: &MailboxName,
        uid_validity: Option<UidValidity>,
        uids: &UidSet,
    ) -> Result<(), ImapError> {
        self.ensure_alive()?;
        let waits = self
            .requests
            .queue
            .back()
            .is_some_and(|last| !last.sent || self.opens_alone(mailbox));
        self.requests.queue.push_back(Request {
            mailbox: mailbox.clone(),
            sent: false,
            opening: None,
            began: false,
            fetches: VecDeque::new(),
            expected: uid_validity,
            wanted: uids.clone(),
            received: UidSet::default(),
            refusal: None,
        });
        if waits { Ok(()) } else { self.send_next() }
    }

    /// Sends the oldest unsent request.
    fn send_next(&mut self) -> Result<(), ImapError> {
        let Some(at) = self.requests.queue.iter().position(|request| !request.sent) else {
            return Ok(());
        };
        self.connection.set_phase(Phase::Body);
        let mailbox = self.requests.queue[at].mailbox.clone();
        let opening = self.open(&mailbox, false)?;
        let request = &mut self.requests.queue[at];
        request.sent = true;
        request.opening = opening;
        for set in request.wanted.sequence_sets(SET_BYTES) {
            let fetch = Command::new("UID FETCH")
                .text(&set)
                .text("(UID BODY.PEEK[])");
            request.fetches.push_back(self.connection.send(&fetch)?);
        }
        Ok(())
    }

    pub(super) fn read_on(&mut self, sink: &mut dyn MessageSink) -> Result<Fetched, Error> {
        if self
            .requests
            .queue
            .front()
            .is_some_and(|request| !request.sent)
        {
            self.send_next()?;
        }
        loop {
            if let Some((missing, refusal)) = self.requests.next_done()? {
                return Ok(Fetched::RequestDone { missing, refusal });
            }
            let incoming = self.connection.incoming()?;
            if self.take_incoming(incoming, sink)? {
                self.connection.set_phase(Phase::Body);
                return Ok(Fetched::Message);
            }
        }
    }

    /// Takes what has come. True: a message went to the sink.
    fn take_incoming(
        &mut self,
        incoming: Incoming,
        sink: &mut dyn MessageSink,
    ) -> Result<bool, Error> {
        let Self {
            connection,
            requests,
            open,
            ..
        } = self;
        if let Incoming::LargeLiteral { size } = incoming {
            return requests.take_large(connection, size, sink);
        }
        let mut delivered = Ok(false);
        let received = connection.take(
            incoming,
            &mut |_: Option<Ticket>, response: &Response<'_>| {
                delivered = requests.take_response(response, sink);
                Ok(())
            },
        )?;
        if let Received::Reply(ticket, reply) = received
            && requests.take_reply(ticket, &reply)
        {
            *open = None;
        }
        delivered
    }
}

impl Opened {
    /// Returns why UIDs with the expected UIDVALIDITY mean nothing in this folder.
    fn changed(&self, expected: Option<UidValidity>) -> Option<Refusal> {
        let (expected, told) = (expected?, self.uid_validity?);
        (expected != told).then(|| Refusal {
            meaning: RefusalMeaning::NoFolder,
            text: format!("the folder was recreated during the run (UIDVALIDITY {expected} became {told}); run again"),
        })
    }
}

impl Request {
    fn end(self, folder: &Opened) -> (UidSet, Option<Refusal>) {
        let missing = self.wanted.minus(&self.received);
        let refusal = folder
            .refusal
            .clone()
            .or_else(|| folder.changed(self.expected))
            .or(self.refusal);
        let refusal = refusal.filter(|_| !missing.is_empty());
        (missing, refusal)
    }

    /// Reports whether to deliver this message: requested, not here yet, and with the expected
    /// UIDVALIDITY.
    fn takes(&self, folder: &Opened, uid: Uid) -> bool {
        self.wanted.contains(uid)
            && !self.received.contains(uid)
            && folder.refusal.is_none()
            && folder.changed(self.expected).is_none()
    }
}

impl Requests {
    /// What came of the oldest request, if it is done; else what comes next belongs to it.
    fn next_done(&mut self) -> Result<Option<(UidSet, Option<Refusal>)>, Error> {
        let Some(oldest) = self.queue.front_mut() else {
            return Err(Error::new(ErrorKind::Protocol, "nothing was asked for"));
        };
        if oldest.opening.is_none() && oldest.fetches.is_empty() {
            self.answers = Answers::default();
            return Ok(self
                .queue
                .pop_front()
                .map(|request| request.end(&self.folder)));
        }
        if oldest.opening.is_some() && !oldest.began {
            (oldest.began, self.folder) = (true, Opened::default());
        }
        Ok(None)
    }

    /// Returns the request that this message answers: the oldest, or a later one for the same
    /// folder, since a server may execute several FETCHes in parallel (RFC 3501 section 5.5), as
    /// Dovecot does.
    fn taker(&mut self, uid: Uid) -> Option<&mut Request> {
        let Self { queue, folder, .. } = self;
        let mut queue = queue.iter_mut();
        let oldest = queue.next();
        let same_folder = queue.take_while(|request| request.sent && request.opening.is_none());
        oldest
            .into_iter()
            .chain(same_folder)
            .find(|request| request.takes(folder, uid))
    }

    /// Takes a tagged reply. True: it is unknown what is open now. Requests that rely on it are
    /// refused, and the next one has to open its folder again.
    fn take_reply(&mut self, ticket: Ticket, reply: &Reply) -> bool {
        let is_of = |request: &&mut Request| {
            request.opening == Some(ticket) || request.fetches.contains(&ticket)
        };
        let Some(request) = self.queue.iter_mut().find(is_of) else {
            return false;
        };
        if request.opening == Some(ticket) {
            request.opening = None;
            if !reply.is_ok() {
                self.folder.refusal = Some(refusal(reply, Asked::Read));
            }
            return !reply.is_ok();
        }
        request.fetches.retain(|fetch| *fetch != ticket);
        if !reply.is_ok() {
            request
                .refusal
                .get_or_insert_with(|| refusal(reply, Asked::Read));
        }
        false
    }

    /// Takes an untagged response. True: a message was passed to the sink.
    fn take_response(
        &mut self,
        response: &Response<'_>,
        sink: &mut dyn MessageSink,
    ) -> Result<bool, Error> {
        match response {
            Response::Status {
                code: Some(Code::UidValidity(value)),
                ..
            } => {
                self.folder.uid_validity = Some(UidValidity(*value));
            }
            Response::Fetch(fetch) => {
                self.count_reply()?;
                let (Some(uid), Some(Content::Bytes(bytes))) =
                    (fetch.uid.and_then(Uid::new), &fetch.body)
                else {
                    return Ok(false);
                };
                if let Some(request) = self.taker(uid) {
                    sink.message(uid, Body::Whole(bytes))?;
                    request.received.insert(uid);
                    return Ok(true);
                }
                self.answers
                    .count_unasked(bytes.len() as u64)
                    .map_err(endless)?;
            }
            _ => {}
        }
        Ok(false)
    }

    /// Counts a FETCH reply against everything that was requested and isn't done.
    fn count_reply(&mut self) -> Result<(), Error> {
        let queue = &self.queue;
        self.answers
            .count(|| queue.iter().map(|request| request.wanted.len()).sum())
            .map_err(endless)
    }

    /// Takes a large literal. True: a message was passed to the sink.
    fn take_large(
        &mut self,
        connection: &mut Connection,
        size: u64,
        sink: &mut dyn MessageSink,
    ) -> Result<bool, Error> {
        self.count_reply()?;
        let opening = connection
            .fetch_opening()
            .filter(|opening| opening.place == Attributes::BODY);
        let Some(opening) = opening else {
            return Ok(false);
        };
        let Some(uid) = opening.uid.and_then(Uid::new) else {
            return self.take_nameless(connection, size, sink);
        };
        let Some(request) = self.taker(uid) else {
            self.answers.count_unasked(size).map_err(endless)?;
            return Ok(false);
        };
        stream(connection, size, |from| {
            sink.message(uid, Body::Stream { size, from })
        })?;
        request.received.insert(uid);
        Ok(true)
    }

    /// Handles a server that sends the UID after the body: the body waits in a file until its UID
    /// is known.
    fn take_nameless(
        &mut self,
        connection: &mut Connection,
        size: u64,
        sink: &mut dyn MessageSink,
    ) -> Result<bool, Error> {
        let local = |error: io::Error| {
            Error::new(
                ErrorKind::Local,
                format!("a temporary file can't be used: {error}"),
            )
        };
        let mut file = tempfile::tempfile().map_err(local)?;
        stream(connection, size, |from| {
            let mut chunk = vec![0; 64 << 10];
            loop {
                // `stream` itself reports an error of the server's.
                let count = from.read(&mut chunk).unwrap_or(0);
                if count == 0 {
                    return Ok(());
                }
                file.write_all(&chunk[..count]).map_err(local)?;
            }
        })?;
        let mut uid = None;
        let incoming = connection.incoming()?;
        connection.take(
            incoming,
            &mut |_: Option<Ticket>, response: &Response<'_>| {
                if let Response::Fetch(fetch) = response {
                    uid = fetch.uid.and_then(Uid::new);
                }
                Ok(())
            },
        )?;
        let Some(uid) = uid else { return Ok(false) };
        let Some(request) = self.taker(uid) else {
            return Ok(false);
        };
        file.seek(SeekFrom::Start(0)).map_err(local)?;
        sink.message(
            uid,
            Body::Stream {
                size,
                from: &mut file,
            },
        )?;
        request.received.insert(uid);
        Ok(true)
    }
}

/// Makes the error for an endless answer.
fn endless(violation: Violation) -> Error {
    Error::from(&violation.into())
}

/// Lets `take` read a large literal. An error of the connection takes precedence over the result of
/// `take`.
fn stream(
    connection: &mut Connection,
    size: u64,
    take: impl FnOnce(&mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut literal = LiteralReader {
        connection,
        left: size,
        error: None,
    };
    let taken = take(&mut literal);
    match literal.error {
        Some(error) => Err(Error::from(&error)),
        None => taken,
    }
}

/// Reads a literal from a connection and keeps its error.
struct LiteralReader<'a> {
    connection: &'a mut Connection,
    left: u64,
    error: Option<ImapError>,
}

impl Read for LiteralReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        match self.connection.read_literal(buffer) {
            Ok(count) => {
                self.left -= count as u64;
                Ok(count)
            }
            Err(error) => {
                let told = io::Error::other(error.to_string());
                self.error = Some(error);
                Err(told)
            }
        }
    }
}
