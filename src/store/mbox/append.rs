//! Delivery: messages are collected in memory (a large one in a file), numbered, and appended with
//! one sync, while the file is locked. If a crash left an incomplete message at the end, it is cut
//! off first.

use super::format::{END, Own, Quoting, flag_lines, from_line, mark_line};
use super::index::{Identity, Stamp, identity_hash, identity_name, identity_of};
use super::tree::{Spot, Tree};
use crate::mail::{Flags, InternalDate, MailboxName, Uid, UidSet};
use crate::store::disk::{CHUNK, Measure, refused, stopped};
use crate::store::{Answer, Body, Delivery, Error, ErrorKind, Outcome, Placed, Refusal};
use sha2::Digest as _;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The most bytes that are collected.
const BATCH_BYTES: usize = 4 << 20;
/// How long a message waits for others.
const BATCH_TIME: Duration = Duration::from_millis(200);

/// Messages being delivered to files.
pub(super) struct Deliveries {
    tree: Arc<Tree>,
    open: Option<Open>,
    told: Vec<Outcome>,
    in_doubt: Vec<u32>,
}

struct Open {
    mailbox: MailboxName,
    spot: Spot,
    /// The file's contents, as long as it is unchanged.
    known: Option<Contents>,
    waiting: Vec<(u32, Identity)>,
    text: Vec<u8>,
    since: Instant,
}

struct Contents {
    stamp: Stamp,
    end: u64,
    counts: HashMap<Identity, u32>,
}

/// Why a message was not accepted.
enum Failure {
    Refused(Refusal),
    Source,
}

impl Deliveries {
    pub(super) fn new(tree: Arc<Tree>) -> Self {
        Self {
            tree,
            open: None,
            told: Vec::new(),
            in_doubt: Vec::new(),
        }
    }

    pub(super) fn deliver(
        &mut self,
        mailbox: &MailboxName,
        delivery: Delivery<'_>,
    ) -> Result<(), Error> {
        if self
            .open
            .as_ref()
            .is_none_or(|open| open.mailbox != *mailbox)
        {
            self.commit(None)?;
            self.open = None;
        }
        let token = delivery.token;
        match self.take(mailbox, delivery) {
            Ok(None) => {}
            Ok(Some(spool)) => return self.commit(Some((token, spool))),
            Err(Failure::Refused(refusal)) => self.told.push(Outcome {
                tokens: vec![token],
                result: Err(refusal),
            }),
            Err(Failure::Source) => {
                return Err(Error::new(ErrorKind::Lost, "a message was cut short"));
            }
        }
        let is_full =
            |open: &Open| open.text.len() >= BATCH_BYTES || open.since.elapsed() >= BATCH_TIME;
        if self.open.as_ref().is_some_and(is_full) {
            self.commit(None)
        } else {
            Ok(())
        }
    }

    /// Takes a small message into memory. Returns the file of a large one.
    fn take(
        &mut self,
        mailbox: &MailboxName,
        delivery: Delivery<'_>,
    ) -> Result<Option<Spool>, Failure> {
        if self.open.is_none() {
            let open = Open::new(&self.tree, mailbox).map_err(Failure::Refused)?;
            self.open = Some(open);
        }
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let date = delivery.date.map_or_else(now, InternalDate::seconds);
        let failed =
            |error: io::Error| Failure::Refused(refused("write for", &open.spot.path(), &error));
        match delivery.body {
            Body::Whole(bytes) => {
                let mut measure = Measure::default();
                measure.take(bytes);
                let identity =
                    write(&mut open.text, date, delivery.flags, measure, bytes).map_err(failed)?;
                open.waiting.push((delivery.token, identity));
                Ok(None)
            }
            Body::Stream { size, from } => {
                let (mut file, measure) = spool(from, size, failed)?;
                file.rewind().map_err(failed)?;
                let mut written = tempfile::tempfile().map_err(failed)?;
                let mut writer = io::BufWriter::new(&mut written);
                let identity =
                    write(&mut writer, date, delivery.flags, measure, file).map_err(failed)?;
                writer.flush().map_err(failed)?;
                drop(writer);
                written.rewind().map_err(failed)?;
                Ok(Some(Spool {
                    file: written,
                    identity,
                }))
            }
        }
    }

    pub(super) fn outcomes(&mut self, wait: bool) -> Result<Vec<Outcome>, Error> {
        if wait {
            match self.commit(None) {
                Err(error) if self.told.is_empty() => return Err(error),
                _ => {}
            }
        }
        Ok(std::mem::take(&mut self.told))
    }

    pub(super) fn unacknowledged(&self) -> Vec<u32> {
        let waiting = self
            .open
            .iter()
            .flat_map(|open| &open.waiting)
            .map(|(token, _)| *token);
        let told = self
            .told
            .iter()
            .flat_map(|outcome| &outcome.tokens)
            .copied();
        waiting
            .chain(told)
            .chain(self.in_doubt.iter().copied())
            .collect()
    }

    /// Appends what waits, followed by a large message.
    fn commit(&mut self, large: Option<(u32, Spool)>) -> Result<(), Error> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let mut waiting = std::mem::take(&mut open.waiting);
        let text = std::mem::take(&mut open.text);
        open.since = Instant::now();
        let mut spool = None;
        if let Some((token, large)) = large {
            waiting.push((token, large.identity));
            spool = Some(large.file);
        }
        if waiting.is_empty() {
            return Ok(());
        }
        let tokens: Vec<u32> = waiting.iter().map(|(token, _)| *token).collect();
        match open.append(&self.tree, &waiting, &text, spool) {
            Ok(Ok(placed)) => self.told.push(Outcome {
                tokens,
                result: Ok(Some(placed)),
            }),
            Ok(Err(refusal)) => {
                self.told.extend(tokens.into_iter().map(|token| Outcome {
                    tokens: vec![token],
                    result: Err(refusal.clone()),
                }));
            }
            Err(error) => {
                self.in_doubt.extend(tokens);
                return Err(stopped("append to", &open.spot.path(), &error));
            }
        }
        Ok(())
    }
}

/// A large message, ready to be appended.
struct Spool {
    file: File,
    identity: Identity,
}

impl Open {
    fn new(tree: &Tree, mailbox: &MailboxName) -> Answer<Self> {
        let spot = tree.spot(mailbox, false)?;
        spot.dir
            .file(&spot.name)
            .map_err(|error| refused("open", &spot.path(), &error))?;
        let (waiting, text, since) = (Vec::new(), Vec::new(), Instant::now());
        Ok(Self {
            mailbox: mailbox.clone(),
            spot,
            known: None,
            waiting,
            text,
            since,
        })
    }

    /// Appends. After a refusal the file is unchanged; after an error that is uncertain.
    fn append(
        &mut self,
        tree: &Tree,
        messages: &[(u32, Identity)],
        text: &[u8],
        spool: Option<File>,
    ) -> io::Result<Answer<Placed>> {
        let (mut file, _lock) = match self.spot.lock() {
            Ok(locked) => locked,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let stamp: Stamp = self.spot.dir.stat(&self.spot.name)?.into();
        if self.known.as_ref().is_none_or(|known| known.stamp != stamp) {
            let index = match tree.index(&self.mailbox) {
                Ok(index) => index,
                Err(refusal) => return Ok(Err(refusal)),
            };
            self.known = Some(Contents {
                stamp,
                end: index.end,
                counts: index.counts(),
            });
        }
        let Some(known) = &mut self.known else {
            return Ok(Err(crate::store::disk::gone(&self.spot.path())));
        };
        let mut names = Vec::with_capacity(messages.len());
        for (_, identity) in messages {
            let count = known.counts.entry(*identity).or_default();
            names.push(identity_name(identity, *count as usize));
            *count += 1;
        }
        let names: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
        let (uid_validity, uids) = tree.number(&self.mailbox, &self.spot, &names)?;
        file.set_len(known.end)?;
        file.seek(SeekFrom::End(0))?;
        let written = begin_on_a_new_line(&mut file, known.end)
            .and_then(|()| file.write_all(text))
            .and_then(|()| spool.map_or(Ok(0), |mut spool| io::copy(&mut spool, &mut file)))
            .and_then(|_| file.sync_all());
        if let Err(error) = written {
            // Cut off the incomplete part at once, if possible.
            file.set_len(known.end)?;
            file.sync_all()?;
            self.known = None;
            return Ok(Err(refused("append to", &self.spot.path(), &error)));
        }
        known.end = file.stream_position()?;
        known.stamp = self.spot.dir.stat(&self.spot.name)?.into();
        Ok(Ok(Placed {
            uid_validity,
            uids: uids.into_iter().filter_map(Uid::new).collect::<UidSet>(),
        }))
    }
}

/// Another program's last message may lack the empty line that must precede a `From ` line.
fn begin_on_a_new_line(file: &mut File, end: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    if end == 0 {
        return Ok(());
    }
    let mut tail = [0; 3];
    let length = end.min(3) as usize;
    let tail = &mut tail[..length];
    file.read_exact_at(tail, end - length as u64)?;
    if tail.ends_with(b"\n\n") || tail.ends_with(b"\n\r\n") {
        return Ok(());
    }
    file.write_all(if tail.ends_with(b"\n") {
        b"\n"
    } else {
        b"\n\n"
    })
}

/// Writes a message in the file's format. Returns its identity.
pub(super) fn write(
    to: &mut impl io::Write,
    date: i64,
    flags: &Flags,
    measure: Measure,
    mut from: impl io::Read,
) -> io::Result<Identity> {
    let own = Own {
        size: measure.bytes,
        crlf: measure.bare_line_feeds == 0,
    };
    let head = [
        from_line(date),
        mark_line(own),
        flag_lines(flags),
        END.to_owned(),
    ]
    .concat();
    to.write_all(head.as_bytes())?;
    let mut hash = identity_hash(date);
    let mut quoting = Quoting::new();
    let mut body = LineEnds::new(own.crlf);
    let (mut chunk, mut out) = (vec![0; CHUNK], Vec::new());
    let mut last = b'\n';
    loop {
        let count = from.read(&mut chunk)?;
        out.clear();
        if count == 0 {
            body.end(&mut quoting, &mut out);
            quoting.end(&mut out);
            last = out.last().copied().unwrap_or(last);
            to.write_all(&out)?;
            break;
        }
        hash.update(&chunk[..count]);
        chunk[..count]
            .iter()
            .for_each(|byte| body.take(*byte, &mut quoting, &mut out));
        last = out.last().copied().unwrap_or(last);
        to.write_all(&out)?;
    }
    // The end of the last line, if missing, and the empty line before the next message.
    to.write_all(if last == b'\n' { b"\n" } else { b"\n\n" })?;
    Ok(identity_of(hash))
}

/// Removes the CR from each CRLF.
struct LineEnds {
    crlf: bool,
    after_return: bool,
}

impl LineEnds {
    fn new(crlf: bool) -> Self {
        Self {
            crlf,
            after_return: false,
        }
    }

    fn take(&mut self, byte: u8, quoting: &mut Quoting, out: &mut Vec<u8>) {
        if !self.crlf {
            return quoting.take(byte, out);
        }
        if self.after_return && byte != b'\n' {
            quoting.take(b'\r', out);
        }
        self.after_return = byte == b'\r';
        if !self.after_return {
            quoting.take(byte, out);
        }
    }

    fn end(&mut self, quoting: &mut Quoting, out: &mut Vec<u8>) {
        if self.after_return {
            quoting.take(b'\r', out);
        }
    }
}

fn spool(
    from: &mut dyn io::Read,
    size: u64,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<(File, Measure), Failure> {
    let mut file = tempfile::tempfile().map_err(&failed)?;
    let (mut measure, mut chunk, mut from) = (Measure::default(), vec![0; CHUNK], from.take(size));
    loop {
        let count = from.read(&mut chunk).map_err(|_| Failure::Source)?;
        if count == 0 {
            return if measure.bytes == size {
                Ok((file, measure))
            } else {
                Err(Failure::Source)
            };
        }
        measure.take(&chunk[..count]);
        file.write_all(&chunk[..count]).map_err(&failed)?;
    }
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
}
