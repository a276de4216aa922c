//! A man in the middle of a connection without TLS: reads along, and removes mechanisms that the
//! server offers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// It goes with the process.
pub struct Stripper {
    /// Its port on 127.0.0.1.
    pub port: u16,
    strips: Arc<AtomicBool>,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Stripper {
    /// In front of a port on 127.0.0.1; it only reads along at first.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (strips, sent): (Arc<AtomicBool>, Arc<Mutex<Vec<u8>>>) = Default::default();
        let (are_stripped, seen) = (Arc::clone(&strips), Arc::clone(&sent));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (
                    client.unwrap(),
                    TcpStream::connect(("127.0.0.1", target)).unwrap(),
                );
                let (back, forth) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (are_stripped, seen) = (Arc::clone(&are_stripped), Arc::clone(&seen));
                // Either may go away.
                std::thread::spawn(move || drop(answers(forth, back, &are_stripped)));
                std::thread::spawn(move || drop(commands(client, server, &seen)));
            }
        });
        Self { port, strips, sent }
    }

    /// Whether the server's offers lose every mechanism but PLAIN, from now on.
    pub fn strip(&self, strips: bool) {
        self.strips.store(strips, Ordering::Relaxed);
    }

    /// What clients have sent since this was asked the last time.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }
}

fn answers(from: TcpStream, mut to: TcpStream, strips: &AtomicBool) -> std::io::Result<()> {
    let mechanism = regex::bytes::Regex::new(" AUTH=[A-Z0-9-]+").unwrap();
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        let kept = |found: &regex::bytes::Captures<'_>| match &found[0] {
            b" AUTH=PLAIN" => b" AUTH=PLAIN".to_vec(),
            _ => Vec::new(),
        };
        if strips.load(Ordering::Relaxed) {
            line = mechanism.replace_all(&line, kept).into_owned();
        }
        to.write_all(&line)?;
        line.clear();
    }
    to.shutdown(Shutdown::Both)
}

fn commands(mut from: TcpStream, mut to: TcpStream, sent: &Mutex<Vec<u8>>) -> std::io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return to.shutdown(Shutdown::Both);
        }
        sent.lock().unwrap().extend_from_slice(&buffer[..count]);
        to.write_all(&buffer[..count])?;
    }
}
