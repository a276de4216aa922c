//! One direction of one connection: reading, waiting, writing, breaking off.

use super::commands::{Commands, Editor};
use super::{At, Counters, Cut, Direction, How};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Chunks under way in one direction: what a fast and long line holds (16 MB), after which the
/// sender has to wait.
const UNDER_WAY: usize = 256;
/// How far ahead of its bandwidth a line takes bytes: a small router's buffer.
pub(super) const BUFFERED: Duration = Duration::from_millis(50);

/// Both sockets of a connection.
pub(super) struct Ends {
    pub(super) client: TcpStream,
    pub(super) server: TcpStream,
}

impl Ends {
    /// Where bytes of this direction come from and where they go.
    fn sides(&self, direction: Direction) -> (&TcpStream, &TcpStream) {
        match direction {
            Direction::Up => (&self.client, &self.server),
            Direction::Down => (&self.server, &self.client),
        }
    }

    /// Ends both sides, as told.
    fn break_off(&self, how: How) {
        for stream in [&self.client, &self.server] {
            // The peer may have gone already, so errors say nothing.
            match how {
                // Connecting a socket to nowhere (`AF_UNSPEC`) dissolves it at once, whichever
                // thread holds it.
                How::Rst => drop(rustix::net::connect_unspec(stream)),
                How::Fin => drop(stream.shutdown(Shutdown::Both)),
            }
        }
    }
}

/// A piece of a stream on its way.
enum Piece {
    Bytes(Instant, Vec<u8>),
    /// The sender has closed its side.
    End(Instant),
    Cut(Instant, How),
}

/// One direction.
pub(super) struct Link {
    pub(super) direction: Direction,
    pub(super) ends: Arc<Ends>,
    pub(super) delay: Duration,
    pub(super) rate: Option<u64>,
    /// When the line, which all connections share, will have sent what it has taken.
    pub(super) free: Arc<Mutex<Instant>>,
    pub(super) cuts: Vec<Cut>,
    /// From which text on everything is so much later.
    pub(super) late: Option<(String, Duration)>,
    pub(super) commands: Arc<Commands>,
    pub(super) counters: Arc<Counters>,
}

impl Link {
    /// Starts a thread that reads and one that writes.
    pub(super) fn start(self) {
        let (sender, receiver) = sync_channel(UNDER_WAY);
        let (direction, ends, counters) = (
            self.direction,
            Arc::clone(&self.ends),
            Arc::clone(&self.counters),
        );
        std::thread::spawn(move || self.read(&sender));
        std::thread::spawn(move || write(direction, &ends, &counters, &receiver));
    }

    fn read(self, sender: &SyncSender<Piece>) {
        let (from, _) = self.ends.sides(self.direction);
        let mut from = from;
        let mut late = Duration::ZERO;
        let mut editor = Editor::new(self.direction, &self.commands, &self.counters);
        let mut blades: Vec<Blade> = self
            .cuts
            .iter()
            .filter(|cut| cut.direction == self.direction)
            .map(Blade::new)
            .collect();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = from.read(&mut buffer).unwrap_or(0);
            if length == 0 {
                let held = blades
                    .iter_mut()
                    .flat_map(|blade| std::mem::take(&mut blade.held))
                    .collect();
                drop(sender.send(Piece::Bytes(Instant::now() + self.delay + late, held)));
                // A closed channel means that the writer has seen the connection end.
                drop(sender.send(Piece::End(Instant::now() + self.delay + late)));
                return;
            }
            if self.direction == Direction::Up {
                self.counters.client_speaks();
            }
            if let Some((text, by)) = &self.late
                && find(&buffer[..length], text.as_bytes()).is_some()
            {
                late = *by;
            }
            // What somebody does before a command, he does after the server was given those before
            // it.
            let by_line = self.direction == Direction::Up && self.commands.has_others();
            for part in buffer[..length].split_inclusive(|byte| by_line && *byte == b'\n') {
                let mut bytes = editor.feed(part);
                let twisted = editor.is_cut().then_some(How::Fin);
                let cut = blades
                    .iter_mut()
                    .find_map(|blade| blade.cut(&mut bytes))
                    .or(twisted);
                let due = self.due(bytes.len()) + late;
                if sender.send(Piece::Bytes(due, bytes)).is_err() {
                    return;
                }
                if let Some(how) = cut {
                    drop(sender.send(Piece::Cut(due, how)));
                    return;
                }
            }
        }
    }

    /// When so many bytes arrive; waits where the line's buffer is full.
    fn due(&self, length: usize) -> Instant {
        let now = Instant::now();
        let Some(rate) = self.rate else {
            return now + self.delay;
        };
        let sent = {
            let mut free = self.free.lock().unwrap();
            *free = (*free).max(now) + Duration::from_secs_f64(length as f64 / rate as f64);
            *free
        };
        std::thread::sleep(sent.saturating_duration_since(now).saturating_sub(BUFFERED));
        sent + self.delay
    }
}

/// Writes what is due until the stream ends.
fn write(direction: Direction, ends: &Ends, counters: &Counters, pieces: &Receiver<Piece>) {
    let (_, to) = ends.sides(direction);
    let mut to = to;
    let wait = |due: Instant| std::thread::sleep(due.saturating_duration_since(Instant::now()));
    for piece in pieces {
        match piece {
            Piece::Bytes(due, bytes) => {
                wait(due);
                // Counted first, so that who has read the bytes finds them counted.
                counters.delivered(direction, bytes.len());
                if to.write_all(&bytes).is_err() {
                    return;
                }
            }
            Piece::End(due) => {
                wait(due);
                drop(to.shutdown(Shutdown::Write));
            }
            Piece::Cut(due, how) => {
                wait(due);
                counters.cut.store(true, Ordering::Relaxed);
                ends.break_off(how);
            }
        }
    }
}

/// A cut that waits for its place in the stream.
struct Blade {
    at: At,
    how: How,
    passed: u64,
    /// Not passed on yet: could be the start of the text that is looked for.
    held: Vec<u8>,
    /// Passed on already, and could be the start of the text.
    tail: Vec<u8>,
}

impl Blade {
    fn new(cut: &Cut) -> Self {
        Self {
            at: cut.at.clone(),
            how: cut.how,
            passed: 0,
            held: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// Takes the next bytes; leaves those that may pass. Says how to cut once the place is reached.
    fn cut(&mut self, bytes: &mut Vec<u8>) -> Option<How> {
        let reached = match self.at.clone() {
            At::Bytes(limit) => self.at_count(limit, bytes),
            At::Before(text) => self.before(text.as_bytes(), bytes),
            At::After(text) => self.after(text.as_bytes(), bytes),
        };
        reached.then_some(self.how)
    }

    fn at_count(&mut self, limit: u64, bytes: &mut Vec<u8>) -> bool {
        let room = usize::try_from(limit - self.passed).unwrap();
        let reached = bytes.len() >= room;
        bytes.truncate(room);
        self.passed += bytes.len() as u64;
        reached
    }

    fn before(&mut self, text: &[u8], bytes: &mut Vec<u8>) -> bool {
        let mut all = std::mem::take(&mut self.held);
        all.append(bytes);
        *bytes = all;
        if let Some(start) = find(bytes, text) {
            bytes.truncate(start);
            return true;
        }
        self.held = bytes.split_off(bytes.len() - overlap(bytes, text));
        false
    }

    fn after(&mut self, text: &[u8], bytes: &mut Vec<u8>) -> bool {
        let mut all = std::mem::take(&mut self.tail);
        let passed = all.len();
        all.extend_from_slice(bytes);
        if let Some(start) = find(&all, text) {
            bytes.truncate(start + text.len() - passed);
            return true;
        }
        self.tail = all.split_off(all.len() - overlap(&all, text));
        false
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

/// How many of the last bytes could be the start of the text.
fn overlap(bytes: &[u8], text: &[u8]) -> usize {
    (1..text.len())
        .rev()
        .find(|&length| bytes.ends_with(&text[..length]))
        .unwrap_or(0)
}
