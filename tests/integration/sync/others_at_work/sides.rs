//! Actions of another user in a mailbox, on a server or in a Maildir, and its contents.
//!
//! Each message has a number, which is in its bytes. An action may come too late, as mailferry is
//! at work in the same mailbox: then it is neither done nor recorded.

use crate::lab::client::{Client, NewMessage, StoredMessage};
use crate::lab::proxy::{Plan, Proxy};
use crate::lab::run::End;
use crate::lab::servers::{Account, Dovecot};
use crate::lab::wire::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The numbers of the messages in each folder.
pub(crate) type Shown = BTreeMap<String, Vec<u64>>;

/// The bytes of a message; some have no Message-ID.
pub(crate) fn text(number: u64) -> String {
    let id = if number.is_multiple_of(9) {
        String::new()
    } else {
        format!("Message-ID: <{number}@churn>\r\n")
    };
    let body = format!("line {number}\r\n").repeat(3 + (number % 5) as usize);
    format!(
        "{id}Subject: n{number}\r\nFrom: ann@example.org\r\nDate: Thu, 01 Feb 2024 03:04:05 +0000\r\n\r\n{body}"
    )
}

fn sha(text: &str) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).into()
}

fn number_in(text: &str) -> Option<u64> {
    let digits = text.split("Subject: n").nth(1)?;
    digits
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// A mailbox in which somebody is at work.
pub(crate) enum Mailbox {
    /// On a Dovecot, and by a slow line for mailferry.
    Server { account: Account, proxy: Proxy },
    /// A Maildir++ tree.
    Tree(PathBuf),
}

impl Mailbox {
    pub(crate) fn server(account: Account, round_trip: Duration) -> Self {
        let proxy = Proxy::start(account.port, Plan::round_trip(round_trip));
        Self::Server { account, proxy }
    }

    pub(crate) fn end(&self) -> End {
        match self {
            Self::Server { account, proxy } => End::from(&account.by_port(proxy.port)),
            Self::Tree(path) => End::from(&format!("maildir:{}", path.display())),
        }
    }

    pub(crate) fn at_work(&self) -> Hand {
        match self {
            Self::Server { account, .. } => Hand::Client(
                Box::new(Client::login(account)),
                Dovecot::shared().maildir(account),
            ),
            Self::Tree(path) => Hand::Files(path.clone()),
        }
    }

    pub(crate) fn shown(&self) -> Shown {
        match self.at_work() {
            Hand::Client(mut client, _) => {
                let known: BTreeMap<[u8; 32], u64> = (1_000..5_000)
                    .map(|number| (sha(&text(number)), number))
                    .collect();
                // What is no message of ours has the number 0.
                let number = |message: &StoredMessage| {
                    known.get(&message.sha256).copied().unwrap_or_default()
                };
                let folders = client.snapshot().folders.into_iter();
                folders
                    .map(|(levels, messages)| {
                        (levels.join("/"), messages.iter().map(number).collect())
                    })
                    .collect()
            }
            Hand::Files(root) => {
                let mut shown = Shown::new();
                for folder in std::fs::read_dir(&root)
                    .unwrap()
                    .map(|entry| entry.unwrap().path())
                {
                    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
                    if name.starts_with('.') && folder.join("cur").is_dir() {
                        shown.insert(
                            name[1..].replace('.', "/"),
                            files(&folder)
                                .into_iter()
                                .map(|(_, number)| number)
                                .collect(),
                        );
                    }
                }
                shown.insert(
                    "INBOX".to_owned(),
                    files(&root).into_iter().map(|(_, number)| number).collect(),
                );
                shown
            }
        }
    }
}

/// Somebody who is at work in a mailbox.
pub(crate) enum Hand {
    /// By IMAP, and who may get at the files of that Maildir.
    Client(Box<Client>, PathBuf),
    /// On the files of a tree.
    Files(PathBuf),
}

impl Hand {
    pub(crate) fn create(&mut self, folder: &str) {
        match self {
            Self::Client(client, _) => {
                client.try_command(&format!("CREATE {folder}"));
            }
            Self::Files(root) => {
                let path = directory(root, folder);
                for sub in ["cur", "new", "tmp"] {
                    std::fs::create_dir_all(path.join(sub)).unwrap();
                }
            }
        }
    }

    /// Gives whether it has arrived.
    pub(crate) fn deliver(&mut self, folder: &str, number: u64) -> bool {
        match self {
            Self::Client(client, _) => {
                if !client
                    .try_command(&format!("STATUS {folder} (MESSAGES)"))
                    .1
                    .starts_with("OK")
                {
                    return false;
                }
                let date = Some(format!(
                    "{:02}-Mar-2024 10:{:02}:05 +0000",
                    1 + number % 28,
                    number % 60
                ));
                client.try_append(
                    folder,
                    &NewMessage {
                        date,
                        ..NewMessage::of(text(number))
                    },
                )
            }
            Self::Files(root) => {
                let name = format!("17000000{:02}.M{number}.churn", number % 100);
                let (tmp, new) = (
                    directory(root, folder).join("tmp"),
                    directory(root, folder).join("new"),
                );
                std::fs::write(tmp.join(&name), text(number)).is_ok()
                    && std::fs::rename(tmp.join(&name), new.join(&name)).is_ok()
            }
        }
    }

    /// The messages of a folder, each with what tells it from others until the next call.
    fn open(&mut self, folder: &str) -> Vec<(String, u64)> {
        match self {
            Self::Client(client, _) => {
                if !client
                    .try_command(&format!("SELECT {folder}"))
                    .1
                    .starts_with("OK")
                {
                    return Vec::new();
                }
                let (replies, _) =
                    client.try_command("UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
                replies.iter().filter_map(|reply| fetched(reply)).collect()
            }
            Self::Files(root) => {
                let files = files(&directory(root, folder));
                files
                    .into_iter()
                    .map(|(path, number)| (path.display().to_string(), number))
                    .collect()
            }
        }
    }

    /// Does this to one message of a folder, which `choose` chooses from how many there are; gives
    /// its number. `chosen` is that number before anything is done to it.
    pub(crate) fn touch(
        &mut self,
        folder: &str,
        what: &Touch<'_>,
        choose: &mut dyn FnMut(usize) -> usize,
        chosen: &mut Option<u64>,
    ) -> Option<u64> {
        let messages = self.open(folder);
        let (id, number) = messages.get(choose(messages.len().max(1))).cloned()?;
        *chosen = Some(number);
        let is_done = match self {
            Self::Client(client, _) => {
                let is_done = match what {
                    Touch::Flag => {
                        client.try_command(&format!("UID STORE {id} +FLAGS (\\Flagged)"))
                    }
                    Touch::Move(to) => client.try_command(&format!("UID MOVE {id} {to}")),
                    Touch::Delete => {
                        client.try_command(&format!("UID STORE {id} +FLAGS.SILENT (\\Deleted)"));
                        client.try_command(&format!("UID EXPUNGE {id}"))
                    }
                };
                client.try_command("UNSELECT");
                is_done.1.starts_with("OK")
            }
            Self::Files(root) => {
                let path = PathBuf::from(&id);
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let base = name.split(":2,").next().unwrap().to_owned();
                match what {
                    Touch::Flag => std::fs::rename(
                        &path,
                        directory(root, folder)
                            .join("cur")
                            .join(format!("{base}:2,F")),
                    )
                    .is_ok(),
                    Touch::Move(to) => {
                        std::fs::rename(&path, directory(root, to).join("cur").join(&name)).is_ok()
                    }
                    Touch::Delete => std::fs::remove_file(&path).is_ok(),
                }
            }
        };
        is_done.then_some(number)
    }

    /// Somebody who is at work on the files of the same mailbox.
    pub(crate) fn with_files(&self) -> Self {
        let (Self::Client(_, root) | Self::Files(root)) = self;
        Self::Files(root.clone())
    }

    /// Removes all that is marked as deleted, as a server without UIDPLUS lets nothing be deleted
    /// beside it. Gives each message's folder and number.
    pub(crate) fn expunge_marked(&mut self) -> Vec<(String, u64)> {
        let Self::Client(client, _) = self else {
            return Vec::new();
        };
        let mut numbers = Vec::new();
        for folder in client.snapshot().folders.into_keys() {
            let name = client.name(&folder.iter().map(String::as_str).collect::<Vec<_>>());
            client.try_command(&format!("SELECT {name}"));
            let (found, _) = client.try_command("UID SEARCH DELETED");
            let uids = found
                .iter()
                .flatten()
                .map(Value::text)
                .filter(|text| text.parse::<u32>().is_ok());
            let uids = uids.collect::<Vec<_>>().join(",");
            if !uids.is_empty() {
                let (replies, _) = client.try_command(&format!(
                    "UID FETCH {uids} (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])"
                ));
                let marked = replies.iter().filter_map(|reply| fetched(reply));
                numbers.extend(marked.map(|(_, number)| (folder.join("/"), number)));
                client.try_command("EXPUNGE");
            }
            client.try_command("UNSELECT");
        }
        numbers
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        match self {
            Self::Client(client, _) => {
                client.try_command(&format!("RENAME {from} {to}"));
            }
            Self::Files(root) => {
                let (from, to) = (directory(root, from), directory(root, to));
                if !to.exists() {
                    // It may be gone.
                    drop(std::fs::rename(from, to));
                }
            }
        }
    }

    /// Takes away what gives a folder's messages their UIDs, with all else that the server knows of
    /// them: Dovecot, left with a cache of headers and without the list of UIDs, shows one
    /// message's header and another one's body under one UID.
    pub(crate) fn reset(&mut self, folder: &str) {
        let root = match self {
            Self::Client(client, root) => {
                client.try_command("UNSELECT");
                root.clone()
            }
            Self::Files(root) => root.clone(),
        };
        let Ok(files) = std::fs::read_dir(directory(&root, folder)) else {
            return;
        };
        for path in files.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_list = name == "dovecot-uidlist" || name == "mailferry-uids";
            if is_list || name.starts_with("dovecot.index") {
                drop(std::fs::remove_file(path));
            }
        }
    }
}

/// What is done to a message.
pub(crate) enum Touch<'a> {
    Flag,
    Move(&'a str),
    Delete,
}

fn directory(root: &Path, folder: &str) -> PathBuf {
    if folder == "INBOX" {
        root.to_owned()
    } else {
        root.join(format!(".{folder}"))
    }
}

/// The messages of a Maildir.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for sub in ["cur", "new"] {
        let Ok(entries) = std::fs::read_dir(folder.join(sub)) else {
            continue;
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let number = std::fs::read_to_string(&path)
                .ok()
                .and_then(|text| number_in(&text));
            found.extend(number.map(|number| (path, number)));
        }
    }
    found.sort();
    found
}

fn fetched(reply: &[Value]) -> Option<(String, u64)> {
    let Some(Value::List(items)) = reply
        .get(3)
        .filter(|_| reply.get(2).is_some_and(|what| what.is("FETCH")))
    else {
        return None;
    };
    let at = items.iter().position(|item| item.is("UID"))?;
    let texts = items
        .iter()
        .filter(|item| !matches!(item, Value::List(_)))
        .map(Value::text);
    Some((
        items.get(at + 1)?.text(),
        texts.filter_map(|text| number_in(&text)).next()?,
    ))
}
