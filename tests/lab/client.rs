//! A blocking IMAP client for tests: it fills accounts and takes snapshots of them.
//!
//! It uses no TLS, sends what it is given, and panics at the first surprise.

use super::generator::Mailbox;
use super::names::{decode, encode, quote};
use super::servers::Account;
use super::wire::{Value, parse, read_response};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, BufWriter, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Messages in one APPEND where a server takes several.
const BATCH: usize = 100;

/// A message to append.
#[derive(Clone, Debug, Default)]
pub struct NewMessage {
    pub flags: Vec<String>,
    /// APPEND's date-time, such as `01-Feb-2024 03:04:05 +0130`.
    pub date: Option<String>,
    pub bytes: Vec<u8>,
}

impl NewMessage {
    /// A message of these bytes, without flags and date.
    pub fn of(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            ..Self::default()
        }
    }
}

/// A message as a server has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredMessage {
    pub sha256: [u8; 32],
    pub size: usize,
    /// Without `\Recent`.
    pub flags: BTreeSet<String>,
    /// INTERNALDATE in seconds since 1970: the zone is not kept by all servers.
    pub seconds: i64,
    /// INTERNALDATE as sent.
    pub date: String,
    pub uid: u32,
}

/// A folder's name by its levels, decoded, without the namespace's prefix.
pub type Levels = Vec<String>;

/// What an account holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The folders that can be selected, each with its messages in the order of their UIDs.
    pub folders: BTreeMap<Levels, Vec<StoredMessage>>,
    pub subscribed: BTreeSet<Levels>,
}

/// What equal messages of two accounts have in common: hash, size, flags and seconds.
pub type Common = ([u8; 32], usize, Vec<String>, i64);

/// What two accounts with the same mail have in common, sorted.
pub type Content = BTreeMap<Levels, Vec<Common>>;

impl Snapshot {
    /// The messages without what differs between servers (UIDs, order, zones), to be compared with
    /// `assert_eq!`.
    pub fn content(&self) -> Content {
        let plain = |message: &StoredMessage| {
            (
                message.sha256,
                message.size,
                message.flags.iter().cloned().collect(),
                message.seconds,
            )
        };
        let sorted = |messages: &[StoredMessage]| {
            let mut messages: Vec<_> = messages.iter().map(plain).collect();
            messages.sort();
            messages
        };
        self.folders
            .iter()
            .map(|(levels, messages)| (levels.clone(), sorted(messages)))
            .collect()
    }

    /// The messages of one folder; empty if there is no such folder.
    pub fn folder(&self, levels: &[&str]) -> &[StoredMessage] {
        let levels: Levels = levels.iter().map(|&level| level.to_owned()).collect();
        self.folders.get(&levels).map_or(&[], Vec::as_slice)
    }

    /// The messages in all folders.
    pub fn count(&self) -> usize {
        self.folders.values().map(Vec::len).sum()
    }
}

/// A logged-in connection.
pub struct Client {
    reader: BufReader<TcpStream>,
    writer: BufWriter<TcpStream>,
    tags: u32,
    literal_plus: bool,
    multi_append: bool,
    prefix: String,
    separator: char,
}

impl Client {
    /// Connects to the account's plain port and logs in.
    pub fn login(account: &Account) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", account.port))
            .expect("the server takes no connection");
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut client = Self {
            reader: BufReader::new(stream.try_clone().unwrap()),
            writer: BufWriter::new(stream),
            tags: 0,
            literal_plus: false,
            multi_append: false,
            prefix: String::new(),
            separator: '/',
        };
        let greeting = client.read();
        assert!(
            greeting.starts_with(b"* OK"),
            "greeting: {}",
            String::from_utf8_lossy(&greeting)
        );
        client.command(&format!(
            "LOGIN {} {}",
            quote(&account.user),
            quote(&account.password)
        ));
        let capabilities = client.command("CAPABILITY");
        let has = |name: &str| capabilities.iter().flatten().any(|value| value.is(name));
        (client.literal_plus, client.multi_append) = (has("LITERAL+"), has("MULTIAPPEND"));
        client.learn_namespace();
        client
    }

    /// The personal namespace's prefix and separator.
    fn learn_namespace(&mut self) {
        let replies = self.command("NAMESPACE");
        let personal = replies
            .iter()
            .find(|reply| reply[1].is("NAMESPACE"))
            .expect("a NAMESPACE reply");
        let first = personal[2].items()[0].items();
        self.prefix = first[0].text();
        self.separator = first[1].text().chars().next().unwrap();
    }

    /// A folder's name as the server takes it, quoted.
    pub fn name(&self, levels: &[impl AsRef<str>]) -> String {
        let levels: Vec<String> = levels.iter().map(|level| encode(level.as_ref())).collect();
        let joined = levels.join(&self.separator.to_string());
        if levels[0] == "INBOX" {
            quote(&joined)
        } else {
            quote(&format!("{}{joined}", self.prefix))
        }
    }

    fn levels(&self, name: &str) -> Levels {
        let inner = name.strip_prefix(self.prefix.as_str()).unwrap_or(name);
        inner.split(self.separator).map(decode).collect()
    }

    fn read(&mut self) -> Vec<u8> {
        let response = read_response(&mut self.reader).expect("a reply");
        assert!(!response.is_empty(), "the server closed the connection");
        response
    }

    fn send(&mut self, command: &str) -> String {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        write!(self.writer, "{tag} {command}\r\n").unwrap();
        self.writer.flush().unwrap();
        tag
    }

    /// Sends a command line and returns its untagged replies and the tagged one without its tag
    /// (`NO [LIMIT] ...`).
    pub fn try_command(&mut self, command: &str) -> (Vec<Vec<Value>>, String) {
        let tag = self.send(command);
        let mut untagged = Vec::new();
        loop {
            let response = self.read();
            match response.strip_prefix(tag.as_bytes()) {
                Some(rest) => return (untagged, String::from_utf8_lossy(rest).trim().to_owned()),
                None => untagged.push(parse(&response)),
            }
        }
    }

    /// As [`Self::try_command`], and it must be `OK`.
    pub fn command(&mut self, command: &str) -> Vec<Vec<Value>> {
        let (untagged, status) = self.try_command(command);
        assert!(status.starts_with("OK"), "{command}: {status}");
        untagged
    }

    /// Makes a folder.
    pub fn create(&mut self, levels: &[impl AsRef<str>]) {
        self.command(&format!("CREATE {}", self.name(levels)));
    }

    /// Subscribes to a folder.
    pub fn subscribe(&mut self, levels: &[impl AsRef<str>]) {
        self.command(&format!("SUBSCRIBE {}", self.name(levels)));
    }

    /// Opens a folder to change it.
    pub fn select(&mut self, levels: &[impl AsRef<str>]) {
        self.command(&format!("SELECT {}", self.name(levels)));
    }

    /// Changes flags of messages in the open folder: `store("1:3", "+FLAGS", "\\Seen")`.
    pub fn store(&mut self, uids: &str, how: &str, flags: &str) {
        self.command(&format!("UID STORE {uids} {how} ({flags})"));
    }

    /// Removes messages from the open folder.
    pub fn expunge(&mut self, uids: &str) {
        self.store(uids, "+FLAGS.SILENT", "\\Deleted");
        self.command("EXPUNGE");
    }

    /// Appends messages, many in one command where the server has MULTIAPPEND, without waiting for
    /// replies where it has LITERAL+; returns how many. All must be taken.
    pub fn append(
        &mut self,
        levels: &[impl AsRef<str>],
        messages: impl Iterator<Item = NewMessage> + Send,
    ) -> usize {
        let name = self.name(levels);
        if self.literal_plus {
            self.append_ahead(&name, messages)
        } else {
            self.append_in_turn(&name, messages)
        }
    }

    /// Makes the mailbox's folders and fills them; returns how many bytes of mail there are now.
    pub fn fill(&mut self, mailbox: &Mailbox) -> usize {
        let bytes = AtomicUsize::new(0);
        for folder in &mailbox.folders {
            if folder.levels != ["INBOX"] {
                // Some servers make a folder's parents, or the folder, before they are asked.
                let (_, status) =
                    self.try_command(&format!("CREATE {}", self.name(&folder.levels)));
                assert!(
                    status.starts_with("OK") || self.exists(&folder.levels),
                    "CREATE {:?}: {status}",
                    folder.levels
                );
            }
            if folder.subscribed {
                self.subscribe(&folder.levels);
            }
            let counted = folder.messages().inspect(|message| {
                bytes.fetch_add(message.bytes.len(), Ordering::Relaxed);
            });
            self.append(&folder.levels, counted);
        }
        bytes.into_inner()
    }

    fn exists(&mut self, levels: &[impl AsRef<str>]) -> bool {
        self.try_command(&format!("STATUS {} (MESSAGES)", self.name(levels)))
            .1
            .starts_with("OK")
    }

    fn append_in_turn(&mut self, name: &str, messages: impl Iterator<Item = NewMessage>) -> usize {
        let mut count = 0;
        for message in messages {
            let tag = self.send(&format!("APPEND {name} {}", head(&message, "")));
            let go_on = self.read();
            assert!(
                go_on.starts_with(b"+"),
                "APPEND: {}",
                String::from_utf8_lossy(&go_on)
            );
            self.writer.write_all(&message.bytes).unwrap();
            self.writer.write_all(b"\r\n").unwrap();
            self.writer.flush().unwrap();
            self.read_until_ok(&tag);
            count += 1;
        }
        count
    }

    fn append_ahead(
        &mut self,
        name: &str,
        messages: impl Iterator<Item = NewMessage> + Send,
    ) -> usize {
        let batch = if self.multi_append { BATCH } else { 1 };
        let mut writer = BufWriter::new(self.writer.get_ref().try_clone().unwrap());
        std::thread::scope(|scope| {
            let sent = scope.spawn(move || {
                let mut count = 0;
                for message in messages {
                    // A message goes on with the command before it or begins one.
                    if count % batch == 0 {
                        let end = if count == 0 { "" } else { "\r\n" };
                        write!(writer, "{end}m APPEND {name}").unwrap();
                    }
                    write!(writer, " {}\r\n", head(&message, "+")).unwrap();
                    writer.write_all(&message.bytes).unwrap();
                    count += 1;
                }
                let end = if count == 0 { "" } else { "\r\n" };
                write!(writer, "{end}end NOOP\r\n").unwrap();
                writer.flush().unwrap();
                count
            });
            self.read_until_ok("end");
            sent.join().unwrap()
        })
    }

    /// Reads up to the tag's reply; every tagged reply on the way must be `OK`.
    fn read_until_ok(&mut self, tag: &str) {
        loop {
            let response = self.read();
            let text = String::from_utf8_lossy(&response);
            if response.starts_with(b"* ") {
                continue;
            }
            let (got, status) = text.split_once(' ').unwrap();
            assert!(status.starts_with("OK"), "refused: {text}");
            if got == tag {
                return;
            }
        }
    }

    /// Appends one message to a folder by its name as the server takes it; gives whether it was
    /// taken.
    pub fn try_append(&mut self, name: &str, message: &NewMessage) -> bool {
        let tag = self.send(&format!("APPEND {name} {}", head(message, "")));
        loop {
            let response = self.read();
            if response.starts_with(b"+") {
                self.writer.write_all(&message.bytes).unwrap();
                self.writer.write_all(b"\r\n").unwrap();
                self.writer.flush().unwrap();
            } else if let Some(rest) = response.strip_prefix(tag.as_bytes()) {
                return rest.starts_with(b" OK");
            }
        }
    }

    /// The whole account.
    pub fn snapshot(&mut self) -> Snapshot {
        let mut folders = BTreeMap::new();
        for name in self.list("LIST") {
            if let Some(messages) = self.messages(&name) {
                folders.insert(self.levels(&name), messages);
            }
        }
        let subscribed = self
            .list("LSUB")
            .iter()
            .map(|name| self.levels(name))
            .collect();
        Snapshot {
            folders,
            subscribed,
        }
    }

    /// The names of all mailboxes that can be selected, as the server writes them.
    fn list(&mut self, command: &str) -> Vec<String> {
        let replies = self.command(&format!("{command} \"\" \"*\""));
        let selectable = |reply: &&Vec<Value>| {
            reply[1].is(command)
                && !reply[2]
                    .items()
                    .iter()
                    .any(|a| a.is("\\Noselect") || a.is("\\NonExistent"))
        };
        replies
            .iter()
            .filter(selectable)
            .map(|reply| reply[4].text())
            .collect()
    }

    /// `None` where the server lists a folder that is gone already: Dovecot does for a second after
    /// a rename.
    fn messages(&mut self, name: &str) -> Option<Vec<StoredMessage>> {
        let (opened, status) = self.try_command(&format!("EXAMINE {}", quote(name)));
        if status.starts_with("NO ") && status.contains("Mailbox doesn't exist") {
            return None;
        }
        assert!(status.starts_with("OK"), "EXAMINE {name}: {status}");
        if opened
            .iter()
            .any(|reply| reply[1].is("0") && reply[2].is("EXISTS"))
        {
            return Some(Vec::new());
        }
        let tag = self.send("UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])");
        let mut messages = Vec::new();
        loop {
            let response = self.read();
            if response.starts_with(tag.as_bytes()) {
                let text = String::from_utf8_lossy(&response);
                assert!(text[tag.len()..].starts_with(" OK"), "FETCH: {text}");
                messages.sort_by_key(|message: &StoredMessage| message.uid);
                return Some(messages);
            }
            let reply = parse(&response);
            if reply.get(2).is_some_and(|value| value.is("FETCH")) {
                messages.push(stored(reply[3].items()));
            }
        }
    }
}

/// What stands before a message's bytes: `(flags) "date" {size`, the literal's sign and `}`.
fn head(message: &NewMessage, sign: &str) -> String {
    let date = message
        .date
        .as_ref()
        .map_or(String::new(), |date| format!(" {}", quote(date)));
    format!(
        "({}){date} {{{}{sign}}}",
        message.flags.join(" "),
        message.bytes.len()
    )
}

/// A message from the pairs of a FETCH reply, all of which must be there.
fn stored(pairs: &[Value]) -> StoredMessage {
    let item = |name: &str| {
        let pair = pairs.chunks_exact(2).find(|pair| pair[0].is(name));
        &pair.unwrap_or_else(|| panic!("a FETCH reply without {name}: {pairs:?}"))[1]
    };
    let Value::Text(bytes) = item("BODY[]") else {
        panic!("BODY[] is no string: {pairs:?}")
    };
    let date = item("INTERNALDATE").text();
    let instant =
        jiff::Timestamp::strptime("%d-%b-%Y %H:%M:%S %z", date.trim()).expect("an INTERNALDATE");
    StoredMessage {
        sha256: Sha256::digest(bytes).into(),
        size: bytes.len(),
        flags: item("FLAGS")
            .items()
            .iter()
            .map(Value::text)
            .filter(|flag| flag != "\\Recent")
            .collect(),
        seconds: instant.as_second(),
        date,
        uid: item("UID").text().parse().unwrap(),
    }
}
