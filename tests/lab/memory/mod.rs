//! The tests' own IMAP server with a mailbox in memory, as strict or as odd as a test wants it.
//!
//! By default it knows RFC 3501 without extensions: it answers BAD to anything unknown, including
//! an unsolicited literal. Its contents can be inspected while it runs.

mod folders;
mod manner;
mod messages;

use super::gmail::{self, Labels};
use super::scripted::{Command, Reply, Scripted};
use super::wire::{Value, parse};
use base64::Engine as _;
pub use manner::{Broken, Manner, ModSeqs, Search, Strictness, Taking, Telling, Told};
pub(super) use messages::{appended, fetch, is_in, store};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// A message as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub uid: u32,
    pub flags: BTreeSet<String>,
    pub date: String,
    pub bytes: Vec<u8>,
}

/// The folders by their raw names.
pub(super) type Boxes = BTreeMap<String, Folder>;

/// A mailbox by its raw name.
#[derive(Clone, Debug)]
pub struct Folder {
    pub messages: Vec<Held>,
    pub subscribed: bool,
    /// Attributes in LIST and XLIST, such as `\Sent`.
    pub attributes: String,
    /// The UIDs of messages whose bodies were fetched, each time, on a server of Gmail's kind.
    pub fetched: Vec<u32>,
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    /// The highest UID that is final.
    numbered: u32,
    /// Each message's flags as they were at the last change, and its MODSEQ.
    seen: BTreeMap<u32, (BTreeSet<String>, u64)>,
    highest: u64,
}

impl Default for Folder {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            subscribed: false,
            attributes: String::new(),
            fetched: Vec::new(),
            uid_validity: 7,
            uid_next: 0,
            numbered: 0,
            seen: BTreeMap::new(),
            highest: 1,
        }
    }
}

/// The last UIDVALIDITY that a folder alone got, of any server.
static LAST_VALIDITY: AtomicU32 = AtomicU32::new(1000);

/// A running fake.
pub struct Fake {
    pub server: Scripted,
    boxes: Arc<Mutex<Boxes>>,
}

impl Fake {
    /// A server with these folders, by their raw names, besides INBOX.
    pub fn start(manner: Manner, folders: &[(&str, &str)]) -> Self {
        Self::start_with(manner, folders, |_| None)
    }

    /// The same, where a function may answer a command in its place.
    pub fn start_with(
        manner: Manner,
        folders: &[(&str, &str)],
        mut instead: impl FnMut(&Command) -> Option<Reply> + Send + 'static,
    ) -> Self {
        let mut boxes = BTreeMap::from([(manner.inbox.clone(), Folder::default())]);
        for (name, attributes) in folders {
            boxes.insert(
                (*name).to_owned(),
                Folder {
                    attributes: (*attributes).to_owned(),
                    ..Folder::default()
                },
            );
        }
        if manner.own_validities {
            for held in boxes.values_mut() {
                held.uid_validity = 1 + LAST_VALIDITY.fetch_add(1, Ordering::Relaxed);
            }
        }
        let boxes = Arc::new(Mutex::new(boxes));
        let greeting = manner.greeting.clone();
        let mut talk = Talk {
            manner,
            boxes: Arc::clone(&boxes),
            connections: HashMap::new(),
        };
        let server = Scripted::serve(&greeting, move |command| {
            instead(command).unwrap_or_else(|| talk.answer(command))
        });
        Self { server, boxes }
    }

    /// What it holds.
    pub fn boxes(&self) -> MutexGuard<'_, Boxes> {
        self.boxes.lock().unwrap()
    }

    /// Puts a message into a folder.
    pub fn put(&self, folder: &str, bytes: &[u8]) {
        self.boxes().get_mut(folder).unwrap().add(
            BTreeSet::new(),
            "01-Feb-2024 03:04:05 +0000".to_owned(),
            bytes.to_vec(),
        );
    }

    /// The messages' bytes by folder, sorted.
    pub fn contents(&self) -> BTreeMap<String, Vec<Vec<u8>>> {
        let sorted = |held: &Folder| {
            let mut all: Vec<_> = held
                .messages
                .iter()
                .map(|message| message.bytes.clone())
                .collect();
            all.sort();
            all
        };
        self.boxes()
            .iter()
            .map(|(name, held)| (name.clone(), sorted(held)))
            .collect()
    }

    /// The lines of a command, such as `APPEND`.
    pub fn lines_of(&self, command: &str) -> Vec<String> {
        let is_it = |line: &String| {
            line.split(' ')
                .nth(1)
                .is_some_and(|word| word.eq_ignore_ascii_case(command))
        };
        self.server.lines().into_iter().filter(is_it).collect()
    }
}

impl Folder {
    /// Adds a message with the next UID.
    pub fn add(&mut self, flags: BTreeSet<String>, date: String, bytes: Vec<u8>) {
        self.uid_next += 1;
        self.messages.push(Held {
            uid: self.uid_next,
            flags,
            date,
            bytes,
        });
    }

    /// Gives what has come since the folder was last opened UIDs that are higher by `by`.
    fn renumber(&mut self, by: u32) {
        let new = self
            .messages
            .iter_mut()
            .filter(|message| message.uid > self.numbered);
        let count = new.map(|message| message.uid += by).count();
        self.uid_next += if count > 0 { by } else { 0 };
        self.numbered = self.uid_next;
    }

    /// Notes what has changed since it last looked, whoever changed it (RFC 7162).
    fn tick(&mut self) {
        let is_known = |message: &Held| {
            let known = self.seen.get(&message.uid);
            known.is_some_and(|(flags, _)| *flags == message.flags)
        };
        let changed: Vec<&Held> = self
            .messages
            .iter()
            .filter(|message| !is_known(message))
            .collect();
        for message in changed {
            self.highest += 1;
            let seen = (message.flags.clone(), self.highest);
            self.seen.insert(message.uid, seen);
        }
        let is_there = |uid: &u32| self.messages.iter().any(|message| message.uid == *uid);
        let gone: Vec<u32> = self
            .seen
            .keys()
            .copied()
            .filter(|uid| !is_there(uid))
            .collect();
        self.highest += u64::from(!gone.is_empty());
        gone.iter().for_each(|uid| drop(self.seen.remove(uid)));
    }

    fn highest(&self) -> u64 {
        self.highest
    }

    fn mod_seq(&self, uid: u32) -> u64 {
        self.seen.get(&uid).map_or(1, |(_, mod_seq)| *mod_seq)
    }

    fn forget_keywords(&mut self, but: &[&str]) {
        let is_kept = |flag: &String| flag.starts_with('\\') || but.contains(&flag.as_str());
        let messages = self.messages.iter_mut();
        messages.for_each(|message| message.flags.retain(is_kept));
    }

    fn unseen(&self) -> usize {
        self.messages
            .iter()
            .filter(|message| !message.flags.contains("\\Seen"))
            .count()
    }
}

#[derive(Default)]
struct Connection {
    logged_in: bool,
    utf8: bool,
    has_identified: bool,
    /// Commands refused in a row.
    refused: usize,
    /// The tag of an AUTHENTICATE that waits for its one answer.
    authenticating: Option<String>,
    selected: Option<(String, bool)>,
}

struct Talk {
    manner: Manner,
    boxes: Arc<Mutex<Boxes>>,
    connections: HashMap<usize, Connection>,
}

pub(super) fn bad(why: &str) -> Reply {
    Reply::status(&format!("BAD {why}"))
}

pub(super) fn quoted(name: &str) -> String {
    super::names::quote(name)
}

/// The command's arguments with its literals in their places.
fn words(command: &Command) -> Vec<Value> {
    let mut literals = command.literals.iter();
    let is_literal =
        |text: &str| text.trim_start_matches('~').starts_with('{') && text.ends_with('}');
    (parse(command.arguments.as_bytes()).into_iter())
        .map(|value| match value {
            Value::Atom(text) if is_literal(&text) => {
                Value::Text(literals.next().cloned().unwrap_or_default())
            }
            value => value,
        })
        .collect()
}

/// The largest literal, if any came without being asked for.
fn unasked(command: &Command) -> Option<usize> {
    command
        .arguments
        .contains("+}")
        .then(|| command.literals.iter().map(Vec::len).max())
        .flatten()
}

impl Talk {
    /// Answers a command, and counts what it refuses.
    fn answer(&mut self, command: &Command) -> Reply {
        let mut reply = self.answer_kindly(command);
        let connection = self.connections.entry(command.connection).or_default();
        connection.refused = if reply.is_refusal() {
            connection.refused + 1
        } else {
            0
        };
        match self.manner.strictness.refusals {
            Some((most, goodbye)) if connection.refused >= most => {
                reply = reply.then_hang_up(&format!("* BYE {goodbye}"));
            }
            _ => {}
        }
        reply
    }

    fn answer_kindly(&mut self, command: &Command) -> Reply {
        let (manner, boxes) = (self.manner.clone(), Arc::clone(&self.boxes));
        let connection = self.connections.entry(command.connection).or_default();
        if let Some(tag) = connection.authenticating.take() {
            return authenticate(&manner, connection, &command.tag).tagged(&tag);
        }
        match unasked(command) {
            // What a server without LITERAL+ would do, and one with LITERAL- (RFC 7888 section 4).
            Some(_) if manner.at_once == 0 => return bad("syntax error"),
            Some(size) if size > manner.at_once => {
                return Reply::hang_up().line("* BYE [TOOBIG] literal");
            }
            _ => {}
        }
        let length = command.tag.len() + command.name.len() + command.arguments.len() + 4;
        match manner.strictness.line {
            Some((most, refusal)) if length > most => return Reply::status(refusal),
            _ => {}
        }
        let words = words(command);
        match greet(command, &words, &manner, connection) {
            Some(reply) => reply,
            None => {
                let mut boxes = boxes.lock().unwrap();
                boxes.values_mut().for_each(Folder::tick);
                let reply = serve(&command.name, &words, &manner, connection, &mut boxes);
                if !manner.keywords {
                    let but = manner.taking.keywords;
                    boxes
                        .values_mut()
                        .for_each(|held| held.forget_keywords(but));
                }
                let is_kept = |flag: &String| !manner.forgets.contains(&flag.as_str());
                let held = boxes.values_mut().flat_map(|held| held.messages.iter_mut());
                held.for_each(|message| message.flags.retain(is_kept));
                boxes.values_mut().for_each(Folder::tick);
                reply
            }
        }
    }
}

/// What has nothing to do with mailboxes. `None`: it has, and is allowed.
fn greet(
    command: &Command,
    words: &[Value],
    manner: &Manner,
    connection: &mut Connection,
) -> Option<Reply> {
    let text = |at: usize| words.get(at).map(Value::text).unwrap_or_default();
    let announces = |name: &str| manner.after.split(' ').any(|word| word == name);
    Some(match command.name.as_str() {
        "CAPABILITY" => {
            let list = if connection.logged_in {
                &manner.after
            } else {
                &manner.before
            };
            Reply::ok().line(&format!("* CAPABILITY {list}"))
        }
        "LOGOUT" if manner.strictness.endless_bye => (0..1000)
            .fold(Reply::unfinished(), |reply, _| {
                reply.line("* BYE IMAP4rev1 Server logging out")
            }),
        "NOOP" | "LOGOUT" => Reply::ok(),
        "ID" if announces("ID") => match words.first() {
            Some(Value::List(fields)) if !fields.is_empty() => {
                connection.has_identified = true;
                Reply::ok().line("* ID NIL")
            }
            _ => bad("an ID without fields"),
        },
        "LOGIN" if !connection.logged_in => log_in(manner, connection, &text(0), &text(1)),
        "AUTHENTICATE" if manner.before.contains("AUTH=PLAIN") && text(0) == "PLAIN" => {
            match words.get(1) {
                Some(initial) if announces("SASL-IR") || manner.before.contains("SASL-IR") => {
                    authenticate(manner, connection, &initial.text())
                }
                Some(_) => bad("no initial response here"),
                None => {
                    connection.authenticating = Some(command.tag.clone());
                    Reply::unfinished().line("+")
                }
            }
        }
        _ if !connection.logged_in => bad("log in first"),
        "ENABLE" if manner.utf8 => {
            connection.utf8 = true;
            Reply::ok().line("* ENABLED UTF8=ACCEPT")
        }
        // As iCloud: OK, and nothing is enabled.
        "ENABLE" if announces("ENABLE") => Reply::ok(),
        "GETQUOTAROOT" if announces("QUOTA") => Reply::ok()
            .line(&format!("* QUOTAROOT {} \"\"", quoted(&text(0))))
            .line("* QUOTA \"\" (STORAGE 1000 15728640)"),
        "NAMESPACE" => match &manner.namespace {
            Some(namespace) => Reply::ok().line(&format!("* NAMESPACE {namespace}")),
            None => bad("unknown command"),
        },
        _ => return None,
    })
}

/// The user and the password of a PLAIN message (RFC 4616).
fn authenticate(manner: &Manner, connection: &mut Connection, response: &str) -> Reply {
    let decoded = base64::engine::general_purpose::STANDARD.decode(response);
    let text = String::from_utf8(decoded.unwrap_or_default()).unwrap_or_default();
    match text.split('\0').collect::<Vec<_>>()[..] {
        [_, user, password] => log_in(manner, connection, user, password),
        _ => bad("no PLAIN message"),
    }
}

fn log_in(manner: &Manner, connection: &mut Connection, user: &str, password: &str) -> Reply {
    if (user, password) != (manner.user.as_str(), manner.password.as_str()) {
        return Reply::status("NO [AUTHENTICATIONFAILED] no");
    }
    connection.logged_in = true;
    match manner.told {
        Told::InTheOk => Reply::status(&format!("OK [CAPABILITY {}] in", manner.after)),
        Told::Untagged => Reply::status("OK in").line(&format!("* CAPABILITY {}", manner.after)),
        Told::OnRequest => Reply::status("OK in"),
    }
}

/// What is done with mailboxes.
fn serve(
    name: &str,
    words: &[Value],
    manner: &Manner,
    connection: &mut Connection,
    boxes: &mut Boxes,
) -> Reply {
    if manner.utf8 && !connection.utf8 {
        return Reply::status("NO [CANNOT] only for clients that ENABLE UTF8=ACCEPT");
    }
    if manner.labels != Labels::Unknown
        && let Some(reply) = gmail::serve(name, words, manner, connection.selected.as_ref(), boxes)
    {
        return reply;
    }
    serve_folders(name, words, manner, connection, boxes)
        .or_else(|| messages::serve(name, words, manner, connection.selected.as_ref(), boxes))
        .unwrap_or_else(|| bad("unknown command"))
}

/// What is done with folders. `None`: it is something else.
fn serve_folders(
    name: &str,
    words: &[Value],
    manner: &Manner,
    connection: &mut Connection,
    boxes: &mut Boxes,
) -> Option<Reply> {
    let text = |at: usize| words.get(at).map(Value::text).unwrap_or_default();
    let mailbox = || match text(0) {
        name if name.eq_ignore_ascii_case("INBOX") => manner.inbox.clone(),
        name => name,
    };
    Some(match name {
        "LIST" | "LSUB" => folders::list(name, words, manner, boxes),
        // Strato announces it and answers with nothing.
        "XLIST" if !manner.xlist && manner.after.contains("XLIST") => Reply::ok(),
        "XLIST" if manner.xlist => folders::list(name, words, manner, boxes),
        "CREATE" => folders::create(words, manner, boxes),
        "RENAME" => folders::rename(words, manner, boxes),
        "DELETE" => match boxes.remove(&text(0)) {
            Some(_) => Reply::ok(),
            None => folders::no_such(),
        },
        "SUBSCRIBE" | "UNSUBSCRIBE" => folders::subscribe(&mailbox(), name == "SUBSCRIBE", boxes),
        "STATUS" => folders::status(&mailbox(), &words[1], manner, boxes),
        "SELECT" | "EXAMINE" => {
            connection.selected = None;
            if let Some(refusal) = manner.strictness.id_first
                && !connection.has_identified
            {
                return Some(Reply::status(&refusal.replace("SELECT", name)));
            }
            match folders::open(boxes, &mailbox()) {
                Some(held) => {
                    held.renumber(manner.renumbers);
                    held.tick();
                    connection.selected = Some((mailbox(), name == "SELECT"));
                    folders::opened(held, name == "SELECT", manner)
                }
                None => folders::no_such(),
            }
        }
        "UNSELECT" if manner.after.contains("UNSELECT") => match connection.selected.take() {
            Some(_) => Reply::ok(),
            None => bad("nothing is open"),
        },
        "CLOSE" => match connection.selected.take() {
            Some(_) => Reply::ok(),
            None => bad("nothing is open"),
        },
        _ => return None,
    })
}

/// A message with a line of the server's own in its header.
pub fn with_a_header(bytes: &[u8]) -> Vec<u8> {
    [b"X-Received-By: this server\r\n".as_slice(), bytes].concat()
}
