//! The cost of a message on this machine: time and allocations of each step that a message goes
//! through.
//!
//! `cargo bench --bench cycles`. Numbers of allocations are the same on every machine, times
//! aren't.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops at the first surprise"
)]

use divan::counter::{BytesCount, ItemsCount};
use mailferry::identity::{ContentHasher, header_key};
use mailferry::imap::response::Response;
use mailferry::imap::wire::{ByteSource, Framer, Incoming, Limits};
use mailferry::mail::{HeaderKey, InternalDate, Message, Uid};
use mailferry::plan::{MatchRules, match_folder};
use std::convert::Infallible;

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

const MESSAGES: u32 = 10_000;

fn main() {
    divan::main();
}

/// Bytes as they come from a socket: so many at a time.
struct Wire<'a>(&'a [u8]);

impl ByteSource for Wire<'_> {
    type Error = Infallible;

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let count = self.0.len().min(buffer.len()).min(16 << 10);
        let (now, rest) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = rest;
        Ok(count)
    }

    fn read_available(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Infallible> {
        self.read(buffer).map(Some)
    }
}

fn header(number: u32) -> String {
    format!(
        "Message-ID: <{number}.abcdefghijkl@mail.example.org>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0100\r\n\
         From: Ann Example <ann@example.org>\r\nTo: Bob Example <bob@example.net>\r\nSubject: letter {number}\r\n\r\n"
    )
}

/// A scan's replies: flags, date, size and header of each message.
fn scan_replies() -> Vec<u8> {
    let mut wire = Vec::new();
    for number in 1..=MESSAGES {
        let header = header(number);
        wire.extend_from_slice(
            format!(
                "* {number} FETCH (UID {number} FLAGS (\\Seen) INTERNALDATE \"14-Nov-2023 22:13:20 +0100\" RFC822.SIZE \
                 {} BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM TO SUBJECT)] {{{}}}\r\n{header})\r\n",
                4_000 + number,
                header.len()
            )
            .as_bytes(),
        );
    }
    wire
}

/// The replies of whole messages of this size.
fn body_replies(size: usize, count: usize) -> Vec<u8> {
    let body =
        "An ordinary line of an ordinary letter, of which there are many.\r\n".repeat(size / 66);
    let one = format!("* 1 FETCH (UID 1 BODY[] {{{}}}\r\n{body})\r\n", body.len());
    one.repeat(count).into_bytes()
}

fn frames(wire: &[u8], mut each: impl FnMut(&mut Framer)) {
    let mut framer = Framer::new(Limits::default());
    let mut source = Wire(wire);
    while !(source.0.is_empty() && framer.is_empty()) {
        if let Incoming::Frame = framer.next(&mut source).unwrap() {
            each(&mut framer);
        }
    }
}

#[divan::bench]
fn framer(bencher: divan::Bencher<'_, '_>) {
    let wire = scan_replies();
    bencher
        .counter(ItemsCount::new(MESSAGES))
        .bench_local(|| frames(&wire, |_| ()));
}

#[divan::bench]
fn framer_of_bodies(bencher: divan::Bencher<'_, '_>) {
    let wire = body_replies(20_000, 500);
    bencher
        .counter(BytesCount::new(wire.len()))
        .bench_local(|| frames(&wire, |_| ()));
}

#[divan::bench]
fn framer_and_parser(bencher: divan::Bencher<'_, '_>) {
    let wire = scan_replies();
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        let mut fetched = 0u32;
        frames(&wire, |framer| {
            fetched += u32::from(matches!(
                Response::parse(framer.frame()),
                Response::Fetch(_)
            ));
        });
        assert_eq!(fetched, MESSAGES);
    });
}

#[divan::bench]
fn identity_of_headers(bencher: divan::Bencher<'_, '_>) {
    let headers: Vec<String> = (0..MESSAGES).map(header).collect();
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        headers
            .iter()
            .filter(|header| header_key(header.as_bytes()) == HeaderKey::Empty)
            .count()
    });
}

#[divan::bench]
fn identity_of_content(bencher: divan::Bencher<'_, '_>) {
    let message = [header(1).into_bytes(), vec![b'x'; 1 << 20]].concat();
    bencher
        .counter(BytesCount::new(message.len()))
        .bench_local(|| {
            let mut hasher = ContentHasher::new();
            hasher.update(&message);
            hasher.finish()
        });
}

/// Two folders with the same mail, but for every hundredth message, which is missing.
#[divan::bench]
fn diff(bencher: divan::Bencher<'_, '_>) {
    let message = |number: u32| {
        let date = InternalDate::new(1_700_000_000 + i64::from(number), 60);
        Message::new(
            Uid::new(number).unwrap(),
            u64::from(number),
            date,
            0,
            header_key(header(number).as_bytes()),
        )
    };
    let source: Vec<Message> = (1..=MESSAGES).map(message).collect();
    let target: Vec<Message> = source
        .iter()
        .filter(|message| message.uid().get() % 100 != 0)
        .copied()
        .collect();
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        let matching = match_folder(&source, &target, &MatchRules::default());
        assert_eq!(matching.missing.len(), (MESSAGES / 100) as usize);
        matching
    });
}
