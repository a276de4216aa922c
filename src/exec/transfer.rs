//! The moment when a message passes from one server to the other.

use super::Shared;
use super::doubts::Verdict;
use super::throttle::Throttled;
use crate::identity;
use crate::mail::{Flags, Heading, InternalDate, Keyword, Message, Uid};
use crate::plan::{Keywords, Piece, Treatment};
use crate::store::{Body, Delivery, Error, MessageSink, Store};
use std::collections::{HashMap, VecDeque};
use std::io::{Cursor, Read};
use std::time::{SystemTime, UNIX_EPOCH};

/// How much of a large message is searched for its heading and its date.
const HEADER_BYTES: u64 = 64 << 10;

/// A message in flight: what is needed when its acknowledgement arrives.
#[derive(Clone, Debug)]
pub(super) struct OnTheWay {
    pub(super) bytes: u64,
    /// How many of its bytes were sent, until the message is settled.
    pub(super) in_flight: Option<u64>,
    pub(super) treatment: Treatment,
    pub(super) attempts: u8,
    /// Its heading, kept only if it is sent alone and may be reported as failed.
    pub(super) heading: Option<Box<Heading>>,
}

/// Delivers messages as the source sends them.
pub(super) struct Transfer<'a> {
    pub(super) shared: &'a Shared<'a>,
    /// The requested pieces, oldest first.
    pub(super) asked: &'a VecDeque<Piece>,
    pub(super) target: &'a mut dyn Store,
    pub(super) on_the_way: &'a mut HashMap<u32, OnTheWay>,
    /// Whether the target failed: then the error passed on by the source's reader is the target's.
    pub(super) target_failed: bool,
    /// Whether the source only estimates message sizes.
    pub(super) estimates_sizes: bool,
}

impl MessageSink for Transfer<'_> {
    fn message(&mut self, uid: Uid, body: Body<'_>) -> Result<(), Error> {
        let Some((piece, position)) = self.piece_of(uid) else {
            return Ok(());
        };
        let token = self.shared.ledger.token(piece.task, position);
        // A server may send a message twice (Courier does for `5,5`); it is delivered once.
        if !self.shared.ledger.claim(token) {
            return Ok(());
        }
        let (shared, task) = (self.shared, piece.task);
        let done = self.judged(piece, position, body);
        shared
            .allowance
            .release(shared.ledger.task(task), position..position + 1);
        done
    }
}

impl<'a> Transfer<'a> {
    /// Delivers a message, unless it is in doubt.
    fn judged(&mut self, piece: &Piece, position: usize, body: Body<'_>) -> Result<(), Error> {
        match self
            .shared
            .judge(piece.task, position, body, self.estimates_sizes)?
        {
            Verdict::Deliver(body) => self.pass_on_fixed(piece, position, body),
            Verdict::Spooled(mut file, size) => self.pass_on_fixed(
                piece,
                position,
                Body::Stream {
                    size,
                    from: &mut file,
                },
            ),
            Verdict::Withheld => Ok(()),
        }
    }

    /// Returns the piece that a message belongs to, and its position: the source may answer
    /// requests for one folder together.
    fn piece_of(&self, uid: Uid) -> Option<(&'a Piece, usize)> {
        let task = self.asked.front()?.task;
        let position = self.shared.ledger.task(task).position(uid)?;
        let mut same_folder = self.asked.iter().take_while(|piece| piece.task == task);
        same_folder
            .find(|piece| piece.messages.contains(&position))
            .map(|piece| (piece, position))
    }

    /// Delivers a body, with what is to be corrected in it.
    fn pass_on_fixed(
        &mut self,
        piece: &Piece,
        position: usize,
        body: Body<'_>,
    ) -> Result<(), Error> {
        if piece.treatment.fix.is_empty() {
            return self.pass_on(piece, position, body);
        }
        let token = self.shared.ledger.token(piece.task, position);
        match self.shared.fix(token, piece.treatment.fix, body) {
            Some(fixed) => self.pass_on(piece, position, Body::Whole(&fixed)),
            None => Ok(()),
        }
    }

    /// Delivers a body, and on failure notes which side failed.
    fn pass_on(&mut self, piece: &Piece, position: usize, body: Body<'_>) -> Result<(), Error> {
        let message = &self.shared.ledger.task(piece.task).messages[position];
        let token = self.shared.ledger.token(piece.task, position);
        let mut source_failed = false;
        let size = body.size();
        // A stream reports its bytes as they pass, a whole message once it is sent.
        let (mut passed, mut untold) = (0, 0);
        let delivered = match body {
            Body::Whole(bytes) => {
                untold = size;
                self.deliver(piece, message, token, Body::Whole(bytes))
            }
            Body::Stream { size, from } => {
                let from = &mut Watched {
                    from,
                    failed: &mut source_failed,
                    passed: &mut passed,
                    shared: self.shared,
                };
                self.deliver(piece, message, token, Body::Stream { size, from })
            }
        };
        if let Some(message) = self.on_the_way.get_mut(&token) {
            message.in_flight = Some(passed + untold);
            self.shared.tell_sent(untold, true);
        }
        self.target_failed |= delivered.is_err() && !source_failed;
        self.shared.growth.delivered(size);
        delivered
    }

    fn deliver(
        &mut self,
        piece: &Piece,
        message: &Message,
        token: u32,
        body: Body<'_>,
    ) -> Result<(), Error> {
        let parcel = self.parcel(piece, message, token, body.size());
        let throttle = self.shared.throttle.as_ref();
        match body {
            Body::Whole(bytes) => {
                if let Some(throttle) = throttle {
                    throttle.take(bytes.len() as u64);
                }
                let heading = parcel.careful.then(|| Box::new(identity::heading(bytes)));
                let date = parcel.date(bytes);
                self.send(&parcel, heading, date, Body::Whole(bytes))
            }
            Body::Stream { size, from } => {
                let mut throttled;
                let from: &mut dyn Read = match throttle {
                    Some(throttle) => {
                        throttled = Throttled { throttle, from };
                        &mut throttled
                    }
                    None => from,
                };
                let mut head = Vec::new();
                // If reading fails now, it fails again, and is reported, when the rest is read.
                let _ = from.take(HEADER_BYTES).read_to_end(&mut head);
                let heading = Some(Box::new(identity::heading(&head)));
                let date = parcel.date(&head);
                self.send(
                    &parcel,
                    heading,
                    date,
                    Body::Stream {
                        size,
                        from: &mut Cursor::new(head).chain(from),
                    },
                )
            }
        }
    }

    /// Decides how a message is delivered, as far as its bytes make no difference.
    fn parcel<'p>(
        &self,
        piece: &'p Piece,
        message: &Message,
        token: u32,
        bytes: u64,
    ) -> Parcel<'p> {
        let without_date = piece.treatment.without_date;
        let flags = self.flags(piece, message);
        let date = message
            .date()
            .filter(|date| !without_date && self.target.may_keep(*date));
        // A keyword that some servers refuse must not stand in a batch, whose other messages it
        // would take with it; nor must a message without a byte, which means that the batch is
        // given up (RFC 3502 section 3). The same goes for a date that some refuse.
        let is_odd = date.is_some_and(|date| !date.is_kept_everywhere());
        let careful = piece.treatment.careful
            || bytes == 0
            || is_odd
            || !flags.keywords().iter().all(Keyword::is_plain);
        Parcel {
            piece,
            token,
            bytes,
            flags,
            date,
            without_date,
            careful,
        }
    }

    /// Hands a message to the target.
    fn send<'b>(
        &mut self,
        parcel: &'b Parcel<'_>,
        heading: Option<Box<Heading>>,
        date: Option<InternalDate>,
        body: Body<'b>,
    ) -> Result<(), Error> {
        let Parcel {
            piece,
            token,
            bytes,
            ref flags,
            careful,
            ..
        } = *parcel;
        let (treatment, attempts) = (piece.treatment, piece.attempts);
        self.on_the_way.insert(
            token,
            OnTheWay {
                bytes,
                in_flight: None,
                treatment,
                attempts,
                heading,
            },
        );
        let Treatment { binary, batch, .. } = treatment;
        let delivery = Delivery {
            token,
            flags,
            date,
            body,
            careful,
            binary,
            batch,
        };
        self.target
            .deliver(&self.shared.ledger.task(piece.task).target, delivery)
    }

    /// Returns the message's flags as far as the folder keeps them; flags that it drops are
    /// reported once per folder.
    fn flags(&self, piece: &Piece, message: &Message) -> Flags {
        let task = self.shared.ledger.task(piece.task);
        let wanted = task.flags.get(message.flags());
        let (kept, lost) = task.permanent_flags.split(&wanted);
        if !lost.is_empty() {
            self.shared.warn(&format!(
                "{}: the {} keeps no {} here",
                task.to,
                self.shared.writer(),
                lost.shown()
            ));
        }
        // If flags were refused, those that the folder doesn't list may be the reason.
        let sure = || kept.minus(&task.permanent_flags.doubts(&kept));
        match piece.treatment.keywords {
            Keywords::All => kept,
            Keywords::Plain => kept.filter_keywords(Keyword::is_plain),
            Keywords::None => sure().filter_keywords(|_| false),
        }
    }
}

/// How a message is delivered.
struct Parcel<'p> {
    piece: &'p Piece,
    token: u32,
    bytes: u64,
    flags: Flags,
    /// Its date, as far as the target may keep it.
    date: Option<InternalDate>,
    without_date: bool,
    /// Whether it goes alone.
    careful: bool,
}

impl Parcel<'_> {
    /// Returns the date to deliver it with: its own, or else the one in its header, given as bytes.
    fn date(&self, header: &[u8]) -> Option<InternalDate> {
        if self.date.is_none() && !self.without_date {
            date_in_header(header)
        } else {
            self.date
        }
    }
}

/// Notes whether reading from the source failed, which fails the delivery too, and reports bytes as
/// they pass.
struct Watched<'a> {
    from: &'a mut dyn Read,
    failed: &'a mut bool,
    passed: &'a mut u64,
    shared: &'a Shared<'a>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self
            .from
            .read(buffer)
            .inspect_err(|_| *self.failed = true)?;
        *self.passed += count as u64;
        self.shared.tell_sent(count as u64, false);
        Ok(count)
    }
}

/// Returns the date in the header of a message whose INTERNALDATE is missing or not kept by
/// servers.
fn date_in_header(bytes: &[u8]) -> Option<InternalDate> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs());
    identity::message_date(bytes, i64::try_from(now).unwrap_or(i64::MAX))
        .filter(|date| date.is_kept_everywhere())
}
