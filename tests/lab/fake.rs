//! A made-up mailbox with one folder behind a scripted server, for a source or a target that sends
//! what none should.

use super::scripted::{Command, Reply, Scripted};
use std::sync::{Arc, Mutex};

/// What the server offers.
pub const CAPABILITIES: &str = "IMAP4rev1 LITERAL+ MULTIAPPEND UIDPLUS UNSELECT";

/// A folder `INBOX` and what is in it.
#[derive(Clone, Debug, Default)]
pub struct Fake {
    pub uid_validity: u32,
    /// By ascending UID.
    pub messages: Vec<(u32, Vec<u8>)>,
}

/// The folder as server and test see it.
pub type Shared = Arc<Mutex<Fake>>;

/// What the folder holds, sorted.
pub fn content(folder: &Shared) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = folder
        .lock()
        .unwrap()
        .messages
        .iter()
        .map(|(_, bytes)| bytes.clone())
        .collect();
    all.sort();
    all
}

/// Twists nothing.
pub fn honest(_: &Command, _: &mut Fake) -> Option<Reply> {
    None
}

impl Fake {
    /// Messages of these bytes with UIDs 1, 2, 3 and so on.
    pub fn of(messages: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self {
            uid_validity: 7,
            messages: (1..).zip(messages).collect(),
        }
    }

    /// Serves it. `twist` may answer a command in its place; it sees the folder, which it may
    /// change.
    pub fn serve(
        self,
        mut twist: impl FnMut(&Command, &mut Self) -> Option<Reply> + Send + 'static,
    ) -> (Scripted, Shared) {
        let shared = Arc::new(Mutex::new(self));
        let folder = Arc::clone(&shared);
        let server = Scripted::serve("OK ready", move |command| {
            let mut folder = folder.lock().unwrap();
            twist(command, &mut folder).unwrap_or_else(|| folder.answer(command))
        });
        (server, shared)
    }

    /// What a good server says.
    pub fn answer(&mut self, command: &Command) -> Reply {
        match command.name.as_str() {
            "CAPABILITY" => Reply::ok().line(&format!("* CAPABILITY {CAPABILITIES}")),
            "LIST" => Reply::ok().line(r#"* LIST () "/" INBOX"#),
            "SELECT" | "EXAMINE" => self.open(self.messages.len()),
            "UID FETCH" => self.fetch(&command.arguments),
            "APPEND" => {
                let first = self.next();
                self.messages
                    .extend((first..).zip(command.literals.iter().cloned()));
                Reply::ok()
            }
            _ => Reply::ok(),
        }
    }

    fn next(&self) -> u32 {
        self.messages.last().map_or(1, |(uid, _)| uid + 1)
    }

    /// The reply to SELECT or EXAMINE with this count.
    pub fn open(&self, exists: usize) -> Reply {
        Reply::status("OK [READ-WRITE] open")
            .line(r"* FLAGS (\Seen \Answered \Flagged \Deleted \Draft)")
            .line(r"* OK [PERMANENTFLAGS (\Seen \Answered \Flagged \Deleted \Draft \*)] kept")
            .line(&format!("* {exists} EXISTS"))
            .line(&format!("* OK [UIDVALIDITY {}] valid", self.uid_validity))
            .line(&format!("* OK [UIDNEXT {}] next", self.next()))
    }

    /// The messages that a set names: their numbers, UIDs and bytes.
    pub fn named(&self, set: &str) -> Vec<(usize, u32, &[u8])> {
        let last = self.next() - 1;
        let number = |text: &str| {
            if text == "*" {
                last
            } else {
                text.parse().unwrap()
            }
        };
        let place = |uid: u32| self.messages.partition_point(|(other, _)| *other < uid);
        let numbered = |at: usize| (at + 1, self.messages[at].0, self.messages[at].1.as_slice());
        set.split(',')
            .flat_map(|part| {
                let (low, high) = part.split_once(':').unwrap_or((part, part));
                let (low, high) = (number(low).min(number(high)), number(low).max(number(high)));
                place(low)..place(high.saturating_add(1))
            })
            .map(numbered)
            .collect()
    }

    fn fetch(&self, arguments: &str) -> Reply {
        let (set, items) = arguments.split_once(' ').unwrap();
        self.named(set).into_iter().fold(Reply::ok(), |reply, (number, uid, bytes)| {
            if is_for_bodies(arguments) {
                return reply.raw(&literal(&format!("* {number} FETCH (UID {uid} BODY[]"), bytes, ")"));
            }
            let start = format!(
                "* {number} FETCH (UID {uid} FLAGS (\\Seen) INTERNALDATE \"01-Feb-2024 03:04:05 +0000\" RFC822.SIZE {}",
                bytes.len()
            );
            match items.split_once("BODY.PEEK[") {
                Some((_, section)) => {
                    let section = section.split(']').next().unwrap();
                    let end =
                        bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
                    reply.raw(&literal(&format!("{start} BODY[{section}]"), &bytes[..end], ")"))
                }
                None => reply.line(&format!("{start})")),
            }
        })
    }
}

/// Whether a UID FETCH asks for whole messages.
pub fn is_for_bodies(arguments: &str) -> bool {
    arguments.contains("BODY.PEEK[]")
}

/// A response with a literal in it.
pub fn literal(before: &str, bytes: &[u8], after: &str) -> Vec<u8> {
    let mut all = format!("{before} {{{}}}\r\n", bytes.len()).into_bytes();
    all.extend_from_slice(bytes);
    all.extend_from_slice(after.as_bytes());
    all.extend_from_slice(b"\r\n");
    all
}
