//! A TCP proxy that is slow, breaks connections, or answers in place of the server.
//!
//! Latency is realistic: bytes are queued with their due time, so pipelined commands arrive
//! together. False answers need to parse commands and replies, so they work only without TLS;
//! delays, limits and cuts by count always work.

mod commands;
mod link;
pub mod twist;

pub use commands::{Answer, Meanwhile, Rewrite};

use commands::Commands;
use link::{Ends, Link};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use twist::Twist;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Client to server.
    Up,
    /// Server to client.
    Down,
}

/// Where a connection breaks off.
#[derive(Clone, Debug)]
pub enum At {
    /// After so many bytes.
    Bytes(u64),
    /// Before the first byte of this text, which must not begin with a line's end: what could be
    /// its start is held back until more comes.
    Before(String),
    /// After the last byte of this text.
    After(String),
}

/// How it breaks off, for client and server alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// In order, as if the peer had closed.
    Fin,
    /// With a reset; what is under way may be lost.
    Rst,
}

/// A connection's end.
#[derive(Clone, Debug)]
pub struct Cut {
    pub direction: Direction,
    pub at: At,
    pub how: How,
}

/// What the proxy does. The default passes everything on at once.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What each byte waits in each direction: half of a round trip.
    pub delay: Duration,
    /// Bytes a second in each direction, which all connections share.
    pub rate: Option<u64>,
    pub cuts: Vec<Cut>,
    pub answers: Vec<Answer>,
    /// From the first chunk on that holds this text, what the client sends arrives so much later,
    /// even if the client is gone by then: a server that has taken something in and is slow to see
    /// to it.
    pub late: Option<(String, Duration)>,
    /// What somebody else does while a client is at work.
    pub meanwhile: Vec<Meanwhile>,
    /// What becomes of untagged lines: the first that changes a line counts.
    pub rewrites: Vec<Rewrite>,
    /// Responses that arrive damaged.
    pub twists: Vec<Twist>,
    /// All of these are for so many connections, the first ones; `None`: for all.
    pub only_first: Option<usize>,
    /// And only for connections that begin while this is set.
    pub only_while: Option<Arc<AtomicBool>>,
    /// So many connections before these are spared.
    pub spared: usize,
}

impl Plan {
    /// A network with this round trip.
    pub fn round_trip(time: Duration) -> Self {
        Self {
            delay: time / 2,
            ..Self::default()
        }
    }

    /// Adds a cut.
    pub fn cut(mut self, direction: Direction, at: At, how: How) -> Self {
        self.cuts.push(Cut { direction, at, how });
        self
    }

    /// Adds an answer.
    pub fn answer(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// Lets what the client sends arrive late from this text on.
    pub fn late(self, from: &str, by: Duration) -> Self {
        Self {
            late: Some((from.to_owned(), by)),
            ..self
        }
    }

    /// Adds what somebody else does meanwhile.
    pub fn meanwhile(mut self, meanwhile: Meanwhile) -> Self {
        self.meanwhile.push(meanwhile);
        self
    }

    /// Adds a change of untagged lines.
    pub fn rewrite(
        mut self,
        instead: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.rewrites.push(Rewrite::by(instead));
        self
    }

    /// Adds damage to a response.
    pub fn twist(mut self, twist: Twist) -> Self {
        self.twists.push(twist);
        self
    }

    /// Lets all of these be for the first connections only.
    pub fn only_first(self, connections: usize) -> Self {
        Self {
            only_first: Some(connections),
            ..self
        }
    }

    /// Lets them be for connections that begin while this is set.
    pub fn only_while(self, is_on: &Arc<AtomicBool>) -> Self {
        Self {
            only_while: Some(Arc::clone(is_on)),
            ..self
        }
    }

    /// Spares the first connections: those of a run that only prepares.
    pub fn spare(self, connections: usize) -> Self {
        Self {
            spared: connections,
            ..self
        }
    }
}

/// What went over one connection.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    pub bytes_up: u64,
    pub bytes_down: u64,
    /// How often the client spoke after the server had: an upper bound of the round trips it waited
    /// for.
    pub bursts: u64,
    /// The client's command lines with their tags, in order; literals and the lines after them are
    /// left out.
    pub commands: Vec<String>,
    /// Whether it was cut.
    pub cut: bool,
}

/// The counters behind [`Traffic`].
#[derive(Default)]
struct Counters {
    up: AtomicU64,
    down: AtomicU64,
    bursts: AtomicU64,
    server_spoke: AtomicBool,
    cut: AtomicBool,
    commands: Mutex<Vec<String>>,
}

impl Counters {
    /// Counts bytes as they are delivered.
    fn delivered(&self, direction: Direction, bytes: usize) {
        match direction {
            Direction::Up => self.up.fetch_add(bytes as u64, Ordering::Relaxed),
            Direction::Down => {
                self.server_spoke.store(true, Ordering::Relaxed);
                self.down.fetch_add(bytes as u64, Ordering::Relaxed)
            }
        };
    }

    /// Notes that the client speaks.
    fn client_speaks(&self) {
        if self.server_spoke.swap(false, Ordering::Relaxed) {
            self.bursts.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A running proxy; it goes with the process.
pub struct Proxy {
    /// Its port on 127.0.0.1.
    pub port: u16,
    connections: Arc<Mutex<Vec<Arc<Counters>>>>,
    plan: Arc<Mutex<Current>>,
}

/// What a proxy does now.
struct Current {
    plan: Arc<Plan>,
    /// How many connections there were before it.
    before: usize,
}

impl Current {
    /// Gives the plan for a connection by its number from 1, and whether it misbehaves.
    fn of(&self, number: usize) -> (Arc<Plan>, bool) {
        let plan = &self.plan;
        let number = number - self.before;
        let misbehaves = number > plan.spared
            && plan
                .only_first
                .is_none_or(|first| number - plan.spared <= first)
            && plan
                .only_while
                .as_ref()
                .is_none_or(|is_on| is_on.load(Ordering::Relaxed));
        (Arc::clone(plan), misbehaves)
    }
}

impl Proxy {
    /// Starts a proxy on a free port in front of a port on 127.0.0.1.
    pub fn start(target: u16, plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::serve(listener, format!("127.0.0.1:{target}"), plan)
    }

    /// Serves a listener in front of `target` (`host:port`).
    pub fn serve(listener: TcpListener, target: String, plan: Plan) -> Self {
        let port = listener.local_addr().unwrap().port();
        if let Some(rate) = plan.rate {
            // Or else the system would take in megabytes before the line; what is accepted inherits
            // it.
            let bytes = (rate as f64 * link::BUFFERED.as_secs_f64()) as usize;
            rustix::net::sockopt::set_socket_recv_buffer_size(&listener, bytes.max(1 << 14))
                .unwrap();
        }
        let connections: Arc<Mutex<Vec<Arc<Counters>>>> = Arc::default();
        let plan = Arc::new(Mutex::new(Current {
            plan: Arc::new(plan),
            before: 0,
        }));
        let (shared, current) = (Arc::clone(&connections), Arc::clone(&plan));
        let free = [Instant::now(); 2].map(|now| Arc::new(Mutex::new(now)));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { continue };
                // A server that takes no connection is a client's connection closed.
                let Ok(server) = TcpStream::connect(&target) else {
                    continue;
                };
                let counters = Arc::new(Counters::default());
                let number = {
                    let mut all = shared.lock().unwrap();
                    all.push(Arc::clone(&counters));
                    all.len()
                };
                let (plan, misbehaves) = current.lock().unwrap().of(number);
                carry(client, server, &plan, &free, misbehaves, &counters);
            }
        });
        Self {
            port,
            connections,
            plan,
        }
    }

    /// Does something else with all further connections, which count from here.
    pub fn change(&self, plan: Plan) {
        let before = self.connections.lock().unwrap().len();
        let plan = Arc::new(plan);
        *self.plan.lock().unwrap() = Current { plan, before };
    }

    /// What went over each connection so far, in the order in which they came.
    pub fn traffic(&self) -> Vec<Traffic> {
        let read = |counters: &Arc<Counters>| Traffic {
            bytes_up: counters.up.load(Ordering::Relaxed),
            bytes_down: counters.down.load(Ordering::Relaxed),
            bursts: counters.bursts.load(Ordering::Relaxed),
            commands: counters.commands.lock().unwrap().clone(),
            cut: counters.cut.load(Ordering::Relaxed),
        };
        self.connections.lock().unwrap().iter().map(read).collect()
    }
}

/// Starts the threads of one connection.
fn carry(
    client: TcpStream,
    server: TcpStream,
    plan: &Plan,
    free: &[Arc<Mutex<Instant>>; 2],
    misbehaves: bool,
    counters: &Arc<Counters>,
) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let commands = Arc::new(if misbehaves {
        Commands::of(plan)
    } else {
        Commands::of(&Plan::default())
    });
    let ends = Arc::new(Ends { client, server });
    for (direction, free) in [Direction::Up, Direction::Down].into_iter().zip(free) {
        Link {
            direction,
            ends: Arc::clone(&ends),
            delay: plan.delay,
            rate: plan.rate,
            free: Arc::clone(free),
            cuts: if misbehaves {
                plan.cuts.clone()
            } else {
                Vec::new()
            },
            late: plan
                .late
                .clone()
                .filter(|_| misbehaves && direction == Direction::Up),
            commands: Arc::clone(&commands),
            counters: Arc::clone(counters),
        }
        .start();
    }
}
