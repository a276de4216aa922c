//! The minimum work of a copy:  `floor --from PORT --to PORT --user U --to-user V [--connections N]
//! [--ca FILE]`.
//!
//! For each piece one FETCH of whole messages and one MULTIAPPEND of them, with nothing matched,
//! checked or overlapped. The password is the environment's MAILFERRY_SOURCE_PASSWORD. With `--ca`
//! both sides speak TLS. It is for measuring only: it stops at any surprise.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measure of the lab stops at the first surprise"
)]

use clap::Parser;
use native_tls::TlsConnector;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Messages of a piece.
const PIECE: u32 = 250;

/// Copies a mailbox with the least that it takes.
#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    from: u16,
    #[arg(long)]
    to: u16,
    #[arg(long)]
    user: String,
    #[arg(long)]
    to_user: String,
    /// Connections to each side.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Speaks TLS and trusts this authority.
    #[arg(long)]
    ca: Option<PathBuf>,
}

trait Both: Read + Write + Send {}
impl<T: Read + Write + Send> Both for T {}

/// A connection, logged in.
struct Line(BufReader<Box<dyn Both>>);

/// A message as it came, with the words that stand before it in APPEND.
struct Message {
    attributes: String,
    bytes: Vec<u8>,
}

impl Line {
    fn login(port: u16, user: &str, tls: Option<&TlsConnector>) -> Self {
        let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
        tcp.set_nodelay(true).unwrap();
        let stream: Box<dyn Both> = match tls {
            None => Box::new(tcp),
            Some(tls) => Box::new(tls.connect("127.0.0.1", tcp).unwrap()),
        };
        let mut line = Self(BufReader::with_capacity(1 << 18, stream));
        line.line();
        let password = std::env::var("MAILFERRY_SOURCE_PASSWORD").unwrap();
        line.run(&format!("LOGIN {user} {password}"));
        line
    }

    fn line(&mut self) -> String {
        let mut bytes = Vec::new();
        self.0.read_until(b'\n', &mut bytes).unwrap();
        assert!(!bytes.is_empty(), "the server closed");
        String::from_utf8_lossy(&bytes).trim_end().to_owned()
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
        self.0.get_mut().flush().unwrap();
    }

    /// Sends a command and takes its untagged lines.
    fn run(&mut self, command: &str) -> Vec<String> {
        self.send(format!("a {command}\r\n").as_bytes());
        self.reply()
    }

    fn reply(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            if let Some(status) = line.strip_prefix("a ") {
                assert!(
                    status.starts_with("OK") || status.contains("ALREADYEXISTS"),
                    "{status}"
                );
                return lines;
            }
            lines.push(line);
        }
    }

    fn fetch(&mut self, first: u32, last: u32) -> Vec<Message> {
        self.send(
            format!("a FETCH {first}:{last} (FLAGS INTERNALDATE BODY.PEEK[])\r\n").as_bytes(),
        );
        let mut messages = Vec::new();
        loop {
            let line = self.line();
            if line.starts_with("a ") {
                assert!(line.starts_with("a OK"), "{line}");
                return messages;
            }
            let Some(size) = line
                .strip_suffix('}')
                .and_then(|line| line.rsplit_once('{'))
            else {
                continue;
            };
            let mut bytes = vec![0; size.1.parse().unwrap()];
            self.0.read_exact(&mut bytes).unwrap();
            let flags = between(&line, "FLAGS (", ")").replace("\\Recent", "");
            let date = between(&line, "INTERNALDATE \"", "\"");
            messages.push(Message {
                attributes: format!(" ({}) \"{date}\" {{{}+}}\r\n", flags.trim(), bytes.len()),
                bytes,
            });
            self.line();
        }
    }

    fn append(&mut self, folder: &str, messages: &[Message]) {
        let mut command = format!("a APPEND {folder}").into_bytes();
        for message in messages {
            command.extend_from_slice(message.attributes.as_bytes());
            command.extend_from_slice(&message.bytes);
        }
        command.extend_from_slice(b"\r\n");
        self.send(&command);
        self.reply();
    }
}

/// What all connections trust: the system's authorities are read once.
fn trusting(ca: &Path) -> TlsConnector {
    let mut connector = TlsConnector::builder();
    for authority in native_tls::Certificate::stack_from_pem(&std::fs::read(ca).unwrap()).unwrap() {
        connector.add_root_certificate(authority);
    }
    connector.build().unwrap()
}

/// The text between two words.
fn between<'a>(line: &'a str, before: &str, after: &str) -> &'a str {
    let rest = line
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before} in {line}"))
        .1;
    rest.split_once(after).unwrap().0
}

fn main() {
    let arguments = Arguments::parse();
    let tls = arguments.ca.as_deref().map(trusting);
    let connect = || {
        let to = || Line::login(arguments.to, &arguments.to_user, tls.as_ref());
        std::thread::scope(|scope| {
            let to = scope.spawn(to);
            (
                Line::login(arguments.from, &arguments.user, tls.as_ref()),
                to.join().unwrap(),
            )
        })
    };
    let (mut from, mut to) = connect();
    let listed = from.run("LIST \"\" * RETURN (STATUS (MESSAGES))");
    let mut pieces = Vec::new();
    for status in listed
        .iter()
        .filter_map(|line| line.strip_prefix("* STATUS "))
    {
        let (folder, messages) = status.split_once(" (MESSAGES ").unwrap();
        let messages: u32 = messages.trim_end_matches(')').parse().unwrap();
        to.send(format!("b CREATE {folder}\r\n").as_bytes());
        let starts = (1..=messages).step_by(PIECE as usize);
        pieces.extend(
            starts.map(|first| (folder.to_owned(), first, messages.min(first + PIECE - 1))),
        );
    }
    to.run("NOOP");
    pieces.sort_by_key(|(_, first, last)| last - first);
    let queue = Mutex::new(pieces);
    let work = |(mut from, mut to): (Line, Line)| {
        let mut open = String::new();
        loop {
            let Some((folder, first, last)) = queue.lock().unwrap().pop() else {
                return;
            };
            if folder != open {
                from.run(&format!("EXAMINE {folder}"));
                open = folder;
            }
            let messages = from.fetch(first, last);
            to.append(&open, &messages);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..arguments.connections {
            scope.spawn(|| work(connect()));
        }
        work((from, to));
    });
}
