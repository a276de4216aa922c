//! Messages that a lane requested, read from files when it takes them.

use super::lines::CHUNK;
use crate::mail::{MailboxName, Uid, UidSet, UidValidity};
use crate::store::{Answer, Body, Error, Fetched, MessageSink, Refusal};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::PathBuf;

/// The largest message that passes through memory; larger ones are read in chunks.
const WHOLE: u64 = 64 << 10;

/// A message opened for reading.
pub(in crate::store) struct Letter {
    /// Bytes that the reader returns.
    pub(in crate::store) size: u64,
    pub(in crate::store) reader: Box<dyn Read>,
    /// Its file, for messages.
    pub(in crate::store) path: PathBuf,
}

/// What requests are read from.
pub(in crate::store) trait Reading {
    /// Opens a folder, whose UIDs must have this UIDVALIDITY.
    fn enter(&mut self, mailbox: &MailboxName, generation: Option<UidValidity>) -> Answer<()>;

    /// Opens a message in that folder; `None` if it is gone.
    fn letter(&mut self, uid: Uid) -> Answer<Option<Letter>>;
}

/// What was requested but not read yet.
#[derive(Default)]
pub(in crate::store) struct Requests {
    queue: VecDeque<Request>,
    whole: Vec<u8>,
}

struct Request {
    mailbox: MailboxName,
    generation: Option<UidValidity>,
    uids: VecDeque<(u32, u32)>,
    entered: bool,
    missing: UidSet,
    refusal: Option<Refusal>,
}

impl Request {
    /// Takes the next UID.
    fn take(&mut self) -> Option<Uid> {
        let (first, last) = self.uids.pop_front()?;
        if first < last {
            self.uids.push_front((first + 1, last));
        }
        Uid::new(first)
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }
}

impl Requests {
    /// Requests messages.
    pub(in crate::store) fn ask(
        &mut self,
        mailbox: &MailboxName,
        generation: Option<UidValidity>,
        uids: &UidSet,
    ) {
        self.queue.push_back(Request {
            mailbox: mailbox.clone(),
            generation,
            uids: uids.ranges().collect(),
            entered: false,
            missing: UidSet::default(),
            refusal: None,
        });
    }

    /// Reads the next message, or ends the oldest request.
    pub(in crate::store) fn next(
        &mut self,
        from: &mut dyn Reading,
        sink: &mut dyn MessageSink,
    ) -> Result<Fetched, Error> {
        let Self { queue, whole } = self;
        let Some(request) = queue.front_mut() else {
            return Err(Error::new(
                crate::store::ErrorKind::Protocol,
                "nothing was asked for",
            ));
        };
        if !request.entered {
            request.entered = true;
            if let Err(refusal) = from.enter(&request.mailbox, request.generation) {
                request
                    .uids
                    .drain(..)
                    .for_each(|(first, last)| request.missing.insert_range(first..=last));
                request.refuse(refusal);
            }
        }
        while let Some(uid) = request.take() {
            match from.letter(uid) {
                Ok(Some(letter)) => match pass(uid, letter, whole, sink)? {
                    Ok(()) => return Ok(Fetched::Message),
                    Err(refusal) => {
                        request.missing.insert(uid);
                        request.refuse(refusal);
                    }
                },
                Ok(None) => request.missing.insert(uid),
                Err(refusal) => {
                    request.missing.insert(uid);
                    request.refuse(refusal);
                }
            }
        }
        let done = queue.pop_front();
        let (missing, refusal) = done
            .map(|request| (request.missing, request.refusal))
            .unwrap_or_default();
        Ok(Fetched::RequestDone { missing, refusal })
    }
}

/// Passes a message to the sink. An unreadable small one is refused; a large one breaks off.
fn pass(
    uid: Uid,
    letter: Letter,
    whole: &mut Vec<u8>,
    sink: &mut dyn MessageSink,
) -> Result<Answer<()>, Error> {
    let Letter { size, reader, path } = letter;
    let mut exact = Exact { reader, left: size };
    if size > WHOLE {
        return sink
            .message(
                uid,
                Body::Stream {
                    size,
                    from: &mut exact,
                },
            )
            .map(Ok);
    }
    whole.clear();
    if let Err(error) = exact.read_to_end(whole) {
        return Ok(Err(super::said::refused("read", &path, &error)));
    }
    sink.message(uid, Body::Whole(whole)).map(Ok)
}

/// Returns exactly this many bytes; fewer are an error, so that a message cut in the meantime isn't
/// taken for a complete one.
struct Exact {
    reader: Box<dyn Read>,
    left: u64,
}

impl Read for Exact {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left)
            .unwrap_or(CHUNK)
            .min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.reader.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it became shorter while it was read",
            ));
        }
        self.left -= count as u64;
        Ok(count)
    }
}
