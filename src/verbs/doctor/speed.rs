//! D8 and D13: how fast a connection is, and how long it survives while idle.

use super::Reached;
use super::report::{SideReport, seen};
use super::words::bytes;
use crate::event::Check;
use crate::mail::{Uid, UidSet};
use crate::store::imap::Checkup;
use crate::store::{Body, Error, Fetched, MessageSink};
use std::io::Read as _;
use std::time::{Duration, Instant};

/// The number of timed commands: few enough for servers that count repetitions.
const COMMANDS: usize = 8;
/// The number of bytes read to measure the throughput.
const SAMPLE: u64 = 1024 * 1024;
/// A longer round trip is reported.
const FAR: Duration = Duration::from_millis(150);

/// Makes D8: measures single and pipelined round trips, and a piece of mail.
pub(super) fn pace(one: &mut Reached<'_>, report: &mut SideReport<'_, '_>) {
    let tried = format!(
        "sent {COMMANDS} small commands one by one and all at once, and read up to {}",
        bytes(SAMPLE)
    );
    match measure(one) {
        Ok(measured) => {
            let seen = seen(Check::Speed, tried, measured.describe());
            let trip = measured.one_by_one / COMMANDS as u32;
            if trip > FAR {
                let advice = "leave -j alone; run mailferry closer to the server if you can";
                report.doubtful(seen, "high latency", advice);
            } else {
                report.good(seen, "the server responds quickly");
            }
        }
        Err(error) => {
            let advice = error
                .hint
                .unwrap_or_else(|| "try again later, with -j 1".to_owned());
            report.failed(
                seen(Check::Speed, tried, error.message),
                error.kind,
                "the connection broke",
                advice,
            );
        }
    }
}

struct Measured {
    one_by_one: Duration,
    at_once: Duration,
    read: u64,
    reading: Duration,
}

impl Measured {
    fn describe(&self) -> String {
        let trip = self.one_by_one.as_secs_f64() * 1000.0 / COMMANDS as f64;
        let together = self.at_once.as_secs_f64() * 1000.0;
        let mut text = format!("{trip:.1} ms each, {together:.1} ms for all at once");
        let seconds = self.reading.as_secs_f64();
        if self.read > 0 && seconds > 0.0 {
            text.push_str(&format!(
                "; {} read at {}/s",
                bytes(self.read),
                bytes((self.read as f64 / seconds) as u64)
            ));
        }
        text
    }
}

fn measure(one: &mut Reached<'_>) -> Result<Measured, Error> {
    let one_by_one = one.checkup.one_by_one(COMMANDS)?;
    let at_once = one.checkup.at_once(COMMANDS)?;
    let started = Instant::now();
    let read = read_sample(one)?;
    Ok(Measured {
        one_by_one,
        at_once,
        read,
        reading: started.elapsed(),
    })
}

/// Reads messages from the largest folder, up to [`SAMPLE`] bytes by their sizes.
fn read_sample(one: &mut Reached<'_>) -> Result<u64, Error> {
    let survey = &one.survey;
    let scanned = survey
        .folders
        .iter()
        .filter_map(|folder| Some((folder.index, folder.scan.as_ref().ok()?)));
    let Some((index, scan)) = scanned.max_by_key(|(_, scan)| scan.messages.len()) else {
        return Ok(0);
    };
    let mut uids = UidSet::default();
    let mut planned = 0;
    for message in &scan.messages {
        let size = u64::from(message.size());
        if planned + size <= SAMPLE {
            planned += size;
            uids.insert(message.uid());
        }
    }
    if uids.is_empty() {
        return Ok(0);
    }
    let store = one.checkup.store();
    store.request(
        &survey.listing.mailboxes[index].name,
        scan.uid_validity,
        &uids,
    )?;
    let mut counter = Counter(0);
    while matches!(store.next(&mut counter)?, Fetched::Message) {}
    Ok(counter.0)
}

/// Counts bytes and drops them.
struct Counter(u64);

impl MessageSink for Counter {
    fn message(&mut self, _: Uid, body: Body<'_>) -> Result<(), Error> {
        self.0 += match body {
            Body::Whole(bytes) => bytes.len() as u64,
            Body::Stream { size, from } => {
                let copied = std::io::copy(&mut from.take(size), &mut std::io::sink());
                // A broken source shows in the next read.
                copied.unwrap_or(0)
            }
        };
        Ok(())
    }
}

/// Makes D13: whether a connection survives being idle for so long.
pub(super) fn idle(one: &mut Reached<'_>, time: Duration, report: &mut SideReport<'_, '_>) {
    let tried = format!("left the connection idle for {} s", time.as_secs());
    match Checkup::idle(&mut one.checkup, time) {
        (_, Ok(())) => report.good(
            seen(Check::Idle, tried, "still open"),
            "idle connections stay open",
        ),
        (after, Err(error)) => {
            let result = format!("{} (after {:.0} s)", error.message, after.as_secs_f64());
            let meaning = "the server or a router in between drops idle connections; a copy reconnects and continues";
            let advice = "nothing to do; if copies are slow, ask the server's operator for a longer timeout (RFC 3501 \
                          requires 30 minutes)";
            report.doubtful(seen(Check::Idle, tried, result), meaning, advice);
        }
    }
}
