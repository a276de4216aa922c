//! The tests' own IMAP server with a mailbox in memory, as strict or as odd as a test wants it.
//!
//! By default it knows RFC 3501 without extensions: it answers BAD to anything unknown, including
//! an unsolicited literal. Its contents can be inspected while it runs.

mod messages;

use super::gmail::{self, Labels};
use super::scripted::{Command, Reply, Scripted};
use super::servers::PASSWORD;
use super::wire::{Value, parse};
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
        }
    }
}

/// The last UIDVALIDITY that a folder alone got, of any server.
static LAST_VALIDITY: AtomicU32 = AtomicU32::new(1000);

/// When the server says what it can do after login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    InTheOk,
    Untagged,
    OnRequest,
}

/// How it behaves.
#[derive(Clone, Debug)]
pub struct Manner {
    pub greeting: String,
    /// Capabilities before login.
    pub before: String,
    /// Capabilities after login.
    pub after: String,
    pub told: Told,
    /// In LIST; `None` is NIL.
    pub separator: Option<char>,
    /// The largest literal that may come without being asked for.
    pub at_once: usize,
    /// What NAMESPACE answers, where it is known.
    pub namespace: Option<String>,
    /// Whether names are UTF-8 in quotes or literals, and ASCII only before ENABLE.
    pub utf8: bool,
    /// Who may log in.
    pub user: String,
    pub password: String,
    /// The mailbox that is INBOX, as LIST spells it.
    pub inbox: String,
    pub xlist: bool,
    /// Whether each folder gets a UIDVALIDITY of its own, as it should be; else all have 7.
    pub own_validities: bool,
    /// Whether it keeps keywords; else it takes them and forgets them, and says so when a folder is
    /// opened.
    pub keywords: bool,
    /// What it lists as PERMANENTFLAGS, where that is not what it keeps.
    pub lists: Option<&'static str>,
    /// System flags that it takes and forgets.
    pub forgets: &'static [&'static str],
    /// Whether it forgets the flags of what is appended, and keeps those that are set afterwards.
    pub only_store: bool,
    /// Whether it writes a line of its own into the header of what is appended.
    pub adds_header: bool,
    /// Whether a mailbox is a file, which can have no folders below it, and a folder with others
    /// below it is none that holds mail (UW, GNU Mailutils).
    pub files: bool,
    /// By how much the UIDs of appended messages are higher, when their folder is opened, than was
    /// told for them.
    pub renumbers: u32,
    /// Whether folders are labels, as Gmail's.
    pub labels: Labels,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            greeting: "OK ready".to_owned(),
            before: "IMAP4rev1".to_owned(),
            after: "IMAP4rev1".to_owned(),
            told: Told::OnRequest,
            separator: Some('/'),
            at_once: 0,
            namespace: None,
            utf8: false,
            user: "ann".to_owned(),
            password: PASSWORD.to_owned(),
            inbox: "INBOX".to_owned(),
            xlist: false,
            own_validities: false,
            keywords: true,
            lists: None,
            forgets: &[],
            only_store: false,
            adds_header: false,
            files: false,
            renumbers: 0,
            labels: Labels::Unknown,
        }
    }
}

/// A running fake.
pub struct Fake {
    pub server: Scripted,
    boxes: Arc<Mutex<BTreeMap<String, Folder>>>,
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
    pub fn boxes(&self) -> MutexGuard<'_, BTreeMap<String, Folder>> {
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

    fn forget_keywords(&mut self) {
        self.messages
            .iter_mut()
            .for_each(|message| message.flags.retain(|flag| flag.starts_with('\\')));
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
    selected: Option<(String, bool)>,
}

struct Talk {
    manner: Manner,
    boxes: Arc<Mutex<BTreeMap<String, Folder>>>,
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
    let is_literal = |text: &str| text.starts_with('{') && text.ends_with('}');
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
    fn answer(&mut self, command: &Command) -> Reply {
        let (manner, boxes) = (self.manner.clone(), Arc::clone(&self.boxes));
        let connection = self.connections.entry(command.connection).or_default();
        match unasked(command) {
            // What a server without LITERAL+ would do, and one with LITERAL- (RFC 7888 section 4).
            Some(_) if manner.at_once == 0 => return bad("syntax error"),
            Some(size) if size > manner.at_once => {
                return Reply::hang_up().line("* BYE [TOOBIG] literal");
            }
            _ => {}
        }
        let words = words(command);
        let text = |at: usize| words.get(at).map(Value::text).unwrap_or_default();
        match command.name.as_str() {
            "CAPABILITY" => {
                let list = if connection.logged_in {
                    &manner.after
                } else {
                    &manner.before
                };
                Reply::ok().line(&format!("* CAPABILITY {list}"))
            }
            "NOOP" | "LOGOUT" => Reply::ok(),
            "LOGIN" if !connection.logged_in => {
                if (text(0), text(1)) != (manner.user.clone(), manner.password.clone()) {
                    return Reply::status("NO [AUTHENTICATIONFAILED] no");
                }
                connection.logged_in = true;
                match manner.told {
                    Told::InTheOk => Reply::status(&format!("OK [CAPABILITY {}] in", manner.after)),
                    Told::Untagged => {
                        Reply::status("OK in").line(&format!("* CAPABILITY {}", manner.after))
                    }
                    Told::OnRequest => Reply::status("OK in"),
                }
            }
            _ if !connection.logged_in => bad("log in first"),
            "ENABLE" if manner.utf8 => {
                connection.utf8 = true;
                Reply::ok().line("* ENABLED UTF8=ACCEPT")
            }
            "NAMESPACE" => match &manner.namespace {
                Some(namespace) => Reply::ok().line(&format!("* NAMESPACE {namespace}")),
                None => bad("unknown command"),
            },
            name => {
                let mut boxes = boxes.lock().unwrap();
                let reply = serve(name, &words, &manner, connection, &mut boxes);
                if !manner.keywords {
                    boxes.values_mut().for_each(Folder::forget_keywords);
                }
                let is_kept = |flag: &String| !manner.forgets.contains(&flag.as_str());
                let held = boxes.values_mut().flat_map(|held| held.messages.iter_mut());
                held.for_each(|message| message.flags.retain(is_kept));
                reply
            }
        }
    }
}

/// What is done with mailboxes.
fn serve(
    name: &str,
    words: &[Value],
    manner: &Manner,
    connection: &mut Connection,
    boxes: &mut BTreeMap<String, Folder>,
) -> Reply {
    let text = |at: usize| words.get(at).map(Value::text).unwrap_or_default();
    let mailbox = |at: usize| {
        let name = text(at);
        if name.eq_ignore_ascii_case("INBOX") {
            manner.inbox.clone()
        } else {
            name
        }
    };
    if manner.utf8 && !connection.utf8 {
        return Reply::status("NO [CANNOT] only for clients that ENABLE UTF8=ACCEPT");
    }
    if manner.labels != Labels::Unknown
        && let Some(reply) = gmail::serve(
            name,
            words,
            manner.labels,
            connection.selected.as_ref(),
            boxes,
        )
    {
        return reply;
    }
    match name {
        "LIST" | "LSUB" => list(name, words, manner, boxes),
        "XLIST" if manner.xlist => list(name, words, manner, boxes),
        "CREATE" if words.len() > 1 => Reply::status("NO [USEATTR] no roles here"),
        "CREATE" if boxes.contains_key(&text(0)) => Reply::status("NO it exists"),
        "CREATE" if !manner.utf8 && !text(0).is_ascii() => Reply::status("NO not modified UTF-7"),
        "CREATE" | "RENAME" if manner.files && is_below_a_file(&text(words.len() - 1), boxes) => {
            Reply::status("NO Can't create mailbox node: File exists")
        }
        "CREATE" => {
            for directory in above(&text(0)).into_iter().filter(|_| manner.files) {
                let attributes = "\\Noselect".to_owned();
                boxes.entry(directory).or_insert_with(|| Folder {
                    attributes,
                    ..Folder::default()
                });
            }
            let mut made = Folder::default();
            if manner.own_validities {
                made.uid_validity = 1 + LAST_VALIDITY.fetch_add(1, Ordering::Relaxed);
            }
            boxes.insert(text(0), made);
            Reply::ok()
        }
        "RENAME" if boxes.contains_key(&text(1)) => Reply::status("NO it exists"),
        "RENAME" if boxes.contains_key(&text(0)) => {
            rename(boxes, &text(0), &text(1), manner.separator);
            Reply::ok()
        }
        "RENAME" => Reply::status("NO no such mailbox"),
        "DELETE" => match boxes.remove(&text(0)) {
            Some(_) => Reply::ok(),
            None => Reply::status("NO no such mailbox"),
        },
        "UNSUBSCRIBE" => {
            boxes
                .get_mut(&mailbox(0))
                .into_iter()
                .for_each(|held| held.subscribed = false);
            Reply::ok()
        }
        "SUBSCRIBE" => match boxes.get_mut(&mailbox(0)) {
            Some(held) => {
                held.subscribed = true;
                Reply::ok()
            }
            None => Reply::status("NO no such mailbox"),
        },
        "STATUS" => match boxes.get(&mailbox(0)) {
            Some(held) => status(&mailbox(0), held, &words[1]),
            None => Reply::status("NO no such mailbox"),
        },
        "SELECT" | "EXAMINE" => match boxes
            .get_mut(&mailbox(0))
            .filter(|held| !held.attributes.contains("\\Noselect"))
        {
            Some(held) => {
                held.renumber(manner.renumbers);
                connection.selected = Some((mailbox(0), name == "SELECT"));
                open(held, name, manner)
            }
            None => {
                connection.selected = None;
                Reply::status("NO no such mailbox")
            }
        },
        // No binary literals here, and no other may hold it (RFC 3501 section 9 `CHAR8`).
        "APPEND"
            if words
                .iter()
                .any(|word| matches!(word, Value::Text(bytes) if bytes.contains(&0))) =>
        {
            Reply::status("NO Message contains NUL characters")
        }
        "APPEND" => match boxes.get_mut(&mailbox(0)) {
            Some(held) => append(held, &words[1..], manner),
            None => Reply::status("NO [TRYCREATE] no such mailbox"),
        },
        "CLOSE" => match connection.selected.take() {
            Some(_) => Reply::ok(),
            None => bad("nothing is open"),
        },
        "UID COPY" if !boxes.contains_key(&mailbox(1)) => {
            Reply::status("NO [TRYCREATE] no such mailbox")
        }
        "UID COPY" => match &connection.selected {
            Some((open, _)) => {
                let copied = boxes[open]
                    .messages
                    .iter()
                    .filter(|message| is_in(&text(0), message.uid))
                    .cloned();
                let copied: Vec<Held> = copied.collect();
                let to = boxes.get_mut(&mailbox(1)).unwrap();
                copied
                    .into_iter()
                    .for_each(|message| to.add(message.flags, message.date, message.bytes));
                Reply::ok()
            }
            None => bad("nothing is open"),
        },
        "UID SEARCH" if text(0) == "DELETED" => match &connection.selected {
            Some((open, _)) => {
                let marked = boxes[open]
                    .messages
                    .iter()
                    .filter(|message| message.flags.contains("\\Deleted"));
                let uids: Vec<String> = marked.map(|message| message.uid.to_string()).collect();
                Reply::ok().line(format!("* SEARCH {}", uids.join(" ")).trim_end())
            }
            None => bad("nothing is open"),
        },
        "EXPUNGE" | "UID EXPUNGE" if name == "EXPUNGE" || manner.after.contains("UIDPLUS") => {
            match &connection.selected {
                Some((open, true)) => {
                    let set = if name == "EXPUNGE" {
                        "1:*".to_owned()
                    } else {
                        text(0)
                    };
                    let is_left = |message: &Held| {
                        !message.flags.contains("\\Deleted") || !is_in(&set, message.uid)
                    };
                    boxes.get_mut(open).unwrap().messages.retain(is_left);
                    Reply::ok()
                }
                _ => Reply::status("NO read only"),
            }
        }
        "UID FETCH" | "UID STORE" => match &connection.selected {
            Some((open, writable)) => {
                let held = boxes.get_mut(open).unwrap();
                match (name, writable) {
                    ("UID FETCH", _) => fetch(
                        held,
                        &text(0),
                        words.get(1).map_or(&[], Value::items),
                        &|_, _| None,
                    ),
                    (_, true) => store(
                        held,
                        &text(0),
                        &text(1),
                        words.get(2).map_or(&[], Value::items),
                    ),
                    (_, false) => Reply::status("NO read only"),
                }
            }
            None => bad("nothing is open"),
        },
        _ => bad("unknown command"),
    }
}

/// The names above this one, by the separator `/`.
fn above(name: &str) -> Vec<String> {
    name.match_indices('/')
        .map(|(at, _)| name[..at].to_owned())
        .collect()
}

fn is_below_a_file(name: &str, boxes: &BTreeMap<String, Folder>) -> bool {
    above(name).iter().any(|above| {
        boxes
            .get(above)
            .is_some_and(|held| held.attributes != "\\Noselect")
    })
}

/// With all that is below it (RFC 3501 section 6.3.5). What it was subscribed to is a name, and
/// stays with that name's folder.
fn rename(boxes: &mut BTreeMap<String, Folder>, from: &str, to: &str, separator: Option<char>) {
    let below = |name: &str| {
        let rest = name.strip_prefix(from)?;
        (rest.is_empty() || separator.is_some_and(|separator| rest.starts_with(separator)))
            .then(|| rest.to_owned())
    };
    let moved: Vec<(String, String)> = boxes
        .keys()
        .filter_map(|name| Some((name.clone(), below(name)?)))
        .collect();
    for (name, rest) in moved {
        let held = boxes.remove(&name).unwrap();
        boxes.insert(format!("{to}{rest}"), held);
    }
}

fn list(verb: &str, words: &[Value], manner: &Manner, boxes: &BTreeMap<String, Folder>) -> Reply {
    if words.len() != 2 {
        return bad("no LIST-EXTENDED here");
    }
    let pattern = words[1].text();
    let prefix = pattern.strip_suffix('*');
    let separator = manner
        .separator
        .map_or("NIL".to_owned(), |c| quoted(&c.to_string()));
    let matches = |name: &str| {
        prefix.map_or(name.eq_ignore_ascii_case(&pattern), |prefix| {
            name.starts_with(prefix)
        })
    };
    boxes
        .iter()
        .filter(|(name, held)| matches(name) && (verb != "LSUB" || held.subscribed))
        .fold(Reply::ok(), |reply, (name, held)| {
            // Only XLIST tells of roles.
            let attributes = match held.attributes.as_str() {
                attributes if verb == "XLIST" || attributes == "\\Noselect" => attributes,
                _ if manner.files => "\\NoInferiors",
                _ => "",
            };
            reply.line(&format!(
                "* {verb} ({attributes}) {separator} {}",
                quoted(name)
            ))
        })
}

fn status(name: &str, held: &Folder, items: &Value) -> Reply {
    let mut told = Vec::new();
    for item in items.items() {
        let number = match item.text().as_str() {
            "MESSAGES" => held.messages.len() as u32,
            "UNSEEN" => held.unseen() as u32,
            "UIDNEXT" => held.uid_next + 1,
            "UIDVALIDITY" => held.uid_validity,
            _ => return bad("unknown item"),
        };
        told.push(format!("{} {number}", item.text()));
    }
    Reply::ok().line(&format!("* STATUS {} ({})", quoted(name), told.join(" ")))
}

fn open(held: &Folder, name: &str, manner: &Manner) -> Reply {
    let system = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";
    let kept = if manner.keywords {
        format!("{system} \\*")
    } else {
        system.to_owned()
    };
    let listed = manner.lists.map_or(kept, str::to_owned);
    let access = if name == "SELECT" {
        "READ-WRITE"
    } else {
        "READ-ONLY"
    };
    Reply::status(&format!("OK [{access}] open"))
        .line("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)")
        .line(&format!("* OK [PERMANENTFLAGS ({listed})] these are kept"))
        .line(&format!("* {} EXISTS", held.messages.len()))
        .line("* 0 RECENT")
        .line(&format!("* OK [UIDVALIDITY {}] valid", held.uid_validity))
}

fn append(held: &mut Folder, words: &[Value], manner: &Manner) -> Reply {
    match appended(words) {
        Ok((flags, date, bytes)) => {
            let own: &[u8] = if manner.adds_header {
                b"X-Received-By: this server\r\n"
            } else {
                b""
            };
            let flags = if manner.only_store {
                BTreeSet::new()
            } else {
                flags
            };
            held.add(flags, date, [own, &bytes].concat());
            match manner.after.contains("UIDPLUS") {
                true => Reply::status(&format!(
                    "OK [APPENDUID {} {}] taken",
                    held.uid_validity, held.uid_next
                )),
                false => Reply::ok(),
            }
        }
        Err(refusal) => refusal,
    }
}
