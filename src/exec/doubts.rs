//! Bodies that contradict what the source says about their messages.
//!
//! A body with a length other than RFC822.SIZE may be part of a message, another message, or a
//! server's notice in its place. It may also be complete, from a server that miscounts. So it isn't
//! stored: once the lanes have ended, the source is asked again for the size and for the message.
//! What contradicts itself again is reported as failed, unless the user accepts it and the same
//! bytes arrived both times. A notice is never stored.

use super::Shared;
use super::ledger::Stage;
use crate::event::Event;
use crate::identity::{self, ContentHasher};
use crate::locks::lock;
use crate::store::{Body, Error, ErrorKind};
use std::collections::HashMap;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::sync::{Mutex, MutexGuard};

/// A server that only estimates sizes may be wrong by this factor; an even shorter body is doubted.
const ESTIMATE_FACTOR: u64 = 4;

/// What arrived the first time.
#[derive(Clone, Debug)]
struct Doubt {
    length: u64,
    digest: [u8; 32],
    lines: u64,
    /// The source's present claim about its size.
    said: u32,
    failed: bool,
}

/// Doubted messages, by token.
pub(super) struct Doubts {
    found: Mutex<HashMap<u32, Doubt>>,
    /// Whether the user accepts messages that the source sends identically twice.
    accepts: bool,
}

/// What to do with a body that has arrived.
pub(super) enum Verdict<'a> {
    /// Deliver it to the target.
    Deliver(Body<'a>),
    /// Deliver it from this file, as its bytes had to be compared before any of them is sent.
    Spooled(std::fs::File, u64),
    /// Don't deliver it; its message's stage says why.
    Withheld,
}

impl Doubts {
    pub(super) fn new(accepts: bool) -> Self {
        Self {
            found: Mutex::default(),
            accepts,
        }
    }

    /// Notes the source's present claim about a doubted message's size.
    pub(super) fn note_size(&self, token: u32, size: u32) {
        if let Some(doubt) = self.found().get_mut(&token) {
            doubt.said = size;
        }
    }

    fn found(&self) -> MutexGuard<'_, HashMap<u32, Doubt>> {
        lock(&self.found)
    }
}

/// Reports whether a body of this length contradicts the size that the source gives. A size of 0
/// means none.
fn contradicts(said: u32, length: u64, is_estimate: bool) -> bool {
    match u64::from(said) {
        0 => false,
        said if is_estimate => length.saturating_mul(ESTIMATE_FACTOR) < said,
        said if said == u64::from(u32::MAX) => length < said,
        said => length != said,
    }
}

impl Shared<'_> {
    /// Decides about a body that has arrived for a claimed message. `is_estimate`: the source only
    /// estimates sizes.
    pub(super) fn judge<'a>(
        &self,
        task: usize,
        position: usize,
        body: Body<'a>,
        is_estimate: bool,
    ) -> Result<Verdict<'a>, Error> {
        let token = self.ledger.token(task, position);
        let notice = if let Body::Whole(bytes) = &body {
            identity::stand_in(bytes)
        } else {
            None
        };
        let earlier = self.doubts.found().get(&token).cloned();
        let said = earlier.as_ref().map_or_else(
            || self.ledger.task(task).messages[position].size(),
            |doubt| doubt.said,
        );
        let is_in_doubt = notice.is_some() || contradicts(said, body.size(), is_estimate);
        match earlier {
            _ if !is_in_doubt => Ok(Verdict::Deliver(body)),
            None => {
                let stage = self.doubt(token, said, body);
                self.ledger.set(token, stage);
                Ok(Verdict::Withheld)
            }
            Some(doubt) => self.judge_again(task, position, body, &doubt, notice),
        }
    }

    /// Records what is known about a doubtful body. Returns the message's stage.
    fn doubt(&self, token: u32, said: u32, body: Body<'_>) -> Stage {
        let mut hasher = ContentHasher::new();
        let mut lines = 0;
        let read = read_chunks(body, |chunk| {
            hasher.update(chunk);
            lines += chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
            Ok(())
        });
        // The reader reports its own error; an incompletely read body is requested again.
        let Ok(length) = read else {
            return Stage::Waiting;
        };
        let digest = hasher.finish().raw;
        self.doubts.found().insert(
            token,
            Doubt {
                length,
                digest,
                lines,
                said,
                failed: false,
            },
        );
        Stage::Doubted
    }

    /// Decides about a body that arrived before and contradicts itself again.
    fn judge_again<'a>(
        &self,
        task: usize,
        position: usize,
        body: Body<'a>,
        doubt: &Doubt,
        notice: Option<&str>,
    ) -> Result<Verdict<'a>, Error> {
        let token = self.ledger.token(task, position);
        let heading = match &body {
            Body::Whole(bytes) if notice.is_none() => Some(identity::heading(bytes)),
            _ => None,
        };
        let (said, length) = (doubt.said, body.size());
        let reason = if let Some(notice) = notice {
            format!(
                "the {} twice sent a notice in its place: {notice}",
                self.reader()
            )
        } else if !self.doubts.accepts {
            if let Some(doubt) = self.doubts.found().get_mut(&token) {
                doubt.failed = true;
            }
            format!(
                "the {} reports {said} bytes but sends {length}, twice",
                self.reader()
            )
        } else {
            match same_again(body, doubt)? {
                Again::Same(verdict) => return Ok(verdict),
                Again::Unread => {
                    self.ledger.set(token, Stage::Waiting);
                    return Ok(Verdict::Withheld);
                }
                Again::Different => {
                    format!(
                        "the {} reports {said} bytes but sends different bytes each time",
                        self.reader()
                    )
                }
            }
        };
        self.fail(task, position, heading.as_ref(), &reason);
        Ok(Verdict::Withheld)
    }

    /// Explains once per folder sizes that contradict what was sent.
    pub(super) fn tell_doubts(&self) {
        let found = self.doubts.found();
        let mut by_task: HashMap<usize, Vec<&Doubt>> = HashMap::new();
        for (token, doubt) in found.iter().filter(|(_, doubt)| doubt.failed) {
            by_task
                .entry(self.ledger.locate(*token).0)
                .or_default()
                .push(doubt);
        }
        let mut tasks: Vec<_> = by_task.into_iter().collect();
        tasks.sort_by_key(|(task, _)| *task);
        for (task, doubts) in tasks {
            let folder = self.ledger.task(task);
            let text = format!(
                "{}: {}",
                folder.from,
                advice(&doubts, folder.messages.len(), self.reader())
            );
            self.context
                .observer
                .observe(&Event::Warning { text: &text });
        }
    }
}

/// Writes the explanation of a folder's contradictions.
fn advice(doubts: &[&Doubt], of: usize, source: &str) -> String {
    let count = doubts.len();
    if count * 2 <= of || count == 1 {
        return format!(
            "{count} of the {of} messages fetched differ in size from what the {source} reports and were not copied; \
             if they are complete there, --accept-size-mismatch copies them as they are sent"
        );
    }
    format!(
        "{count} of the {of} messages fetched differ in size from what the {source} reports and were not copied: it \
         seems to miscount{}; if a few of them are complete there, rerun with --accept-size-mismatch, which copies \
         what the {source} sends identically twice",
        pattern(doubts)
    )
}

/// Describes how the sizes are wrong, if all are wrong in the same way.
fn pattern(doubts: &[&Doubt]) -> String {
    let difference = |doubt: &&Doubt| i128::from(doubt.length) - i128::from(doubt.said);
    if doubts
        .iter()
        .all(|doubt| difference(doubt) == i128::from(doubt.lines))
    {
        return " (each line end as one byte)".to_owned();
    }
    match doubts.first().map(difference) {
        Some(by) if doubts.iter().all(|doubt| difference(doubt) == by) => {
            format!(
                " (always by {} bytes too {})",
                by.unsigned_abs(),
                if by > 0 { "few" } else { "many" }
            )
        }
        _ => String::new(),
    }
}

/// The result of a second fetch.
enum Again<'a> {
    Same(Verdict<'a>),
    Different,
    /// The source's connection broke in the meantime.
    Unread,
}

/// Compares a body with the earlier one. A large one is kept in a file meanwhile, as none of it may
/// reach the target before it is compared.
fn same_again<'a>(body: Body<'a>, doubt: &Doubt) -> Result<Again<'a>, Error> {
    if body.size() != doubt.length {
        return Ok(Again::Different);
    }
    let mut hasher = ContentHasher::new();
    if let Body::Whole(bytes) = body {
        hasher.update(bytes);
        let is_same = hasher.finish().raw == doubt.digest;
        return Ok(if is_same {
            Again::Same(Verdict::Deliver(Body::Whole(bytes)))
        } else {
            Again::Different
        });
    }
    let local = |error: std::io::Error| {
        Error::new(
            ErrorKind::Local,
            format!("a temporary file can't be used: {error}"),
        )
    };
    let mut file = tempfile::tempfile().map_err(local)?;
    let mut failure = None;
    let read = read_chunks(body, |chunk| {
        hasher.update(chunk);
        file.write_all(chunk)
            .map_err(|error| failure = Some(local(error)))
    });
    match (read, failure) {
        (_, Some(error)) => Err(error),
        (Err(()), None) => Ok(Again::Unread),
        (Ok(_), None) if hasher.finish().raw != doubt.digest => Ok(Again::Different),
        (Ok(length), None) => {
            file.seek(SeekFrom::Start(0)).map_err(local)?;
            Ok(Again::Same(Verdict::Spooled(file, length)))
        }
    }
}

/// Reads a whole body. Returns its length; an error says nothing, as reader and consumer report
/// their own.
fn read_chunks(body: Body<'_>, mut take: impl FnMut(&[u8]) -> Result<(), ()>) -> Result<u64, ()> {
    let from = match body {
        Body::Whole(bytes) => return take(bytes).map(|()| bytes.len() as u64),
        Body::Stream { from, .. } => from,
    };
    let mut chunk = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(length),
            Ok(count) => {
                take(&chunk[..count])?;
                length += count as u64;
            }
            Err(_) => return Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_contradicts_a_size_that_is_told_exactly() {
        for (said, length, is_estimate, expected) in [
            (100, 100, false, false),
            (100, 99, false, true),
            (100, 101, false, true),
            (0, 100, false, false),
            (u32::MAX, 5 << 30, false, false),
            (u32::MAX, 100, false, true),
            (100, 90, true, false),
            (100, 300, true, false),
            (100, 25, true, false),
            (100, 24, true, true),
            (u32::MAX, 100, true, true),
        ] {
            assert_eq!(
                contradicts(said, length, is_estimate),
                expected,
                "{said} {length} {is_estimate}"
            );
        }
    }

    fn doubt(said: u32, length: u64, lines: u64) -> Doubt {
        Doubt {
            length,
            digest: [0; 32],
            lines,
            said,
            failed: true,
        }
    }

    #[test]
    fn the_advice_says_how_a_server_counts() {
        let by_lines = [doubt(90, 100, 10), doubt(45, 50, 5)];
        let constant = [doubt(98, 100, 10), doubt(48, 50, 5)];
        let odd = [doubt(99, 100, 10), doubt(47, 50, 5)];
        let advice =
            |doubts: &[Doubt], of| advice(&doubts.iter().collect::<Vec<_>>(), of, "source");
        assert!(advice(&by_lines, 2).contains("each line end as one byte"));
        assert!(advice(&constant, 3).contains("by 2 bytes too few"));
        assert!(advice(&odd, 3).contains("seems to miscount;"));
        for text in [advice(&odd, 2), advice(&odd, 9), advice(&odd[..1], 1)] {
            assert!(text.contains("--accept-size-mismatch"), "{text}");
        }
        assert!(!advice(&odd, 9).contains("miscount"));
    }
}
