//! Thousands of realistic messages in 18 folders, the same for the same seed.
//!
//! A message is generated on request, from the seed, its folder and its number, so a mailbox of any
//! size takes no memory. Most messages have 2-20 KB, a few have attachments of up to 2 MB; 3,000
//! are about 40 MB. There are duplicates, messages without a Message-ID or with the same as another
//! one, drafts, names in many scripts, and dates over 15 years in many zones. All lines end in
//! CRLF, and contain nothing that a server refuses or changes.

mod compose;
pub mod odd;
pub mod random;
mod words;

use super::client::NewMessage;
use random::Random;

/// What a folder is for, as far as its mail shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Received,
    Sent,
    Drafts,
    Junk,
}

/// Name, kind, share of the messages in thousandths, subscribed. Every parent is there, since some
/// servers make them.
const FOLDERS: [(&[&str], Kind, usize, bool); 18] = [
    (&["INBOX"], Kind::Received, 250, true),
    (&["Sent"], Kind::Sent, 160, true),
    (&["Drafts"], Kind::Drafts, 8, true),
    (&["Trash"], Kind::Received, 40, true),
    (&["Junk"], Kind::Junk, 50, false),
    (&["Archive"], Kind::Received, 60, true),
    (&["Archive", "2023"], Kind::Received, 100, true),
    (&["Archive", "2024"], Kind::Received, 90, false),
    (&["Archive", "2024", "Quarter 1"], Kind::Received, 30, true),
    (&["Projects"], Kind::Received, 3, true),
    (&["Projects", "Café & Söhne"], Kind::Received, 60, true),
    (&["Projects", "Say \"hello\""], Kind::Received, 20, true),
    (&["Family"], Kind::Received, 0, false),
    (&["Family", "Fotos & Videos"], Kind::Received, 25, true),
    (
        &["Family", "Fotos & Videos", "Übersicht 2019"],
        Kind::Received,
        14,
        true,
    ),
    (&["项目"], Kind::Received, 20, true),
    (&["项目", "会议记录"], Kind::Received, 20, true),
    (&["Клиенты"], Kind::Received, 50, true),
];

/// A mailbox to be.
pub struct Mailbox {
    pub folders: Vec<Folder>,
}

/// A folder to be.
pub struct Folder {
    pub levels: Vec<&'static str>,
    pub subscribed: bool,
    /// How many messages it has.
    pub count: usize,
    seed: u64,
    kind: Kind,
}

/// A mailbox of so many messages.
pub fn mailbox(seed: u64, count: usize) -> Mailbox {
    let mut left = count;
    let mut folders: Vec<Folder> = FOLDERS
        .iter()
        .zip(0..)
        .map(|(&(levels, kind, share, subscribed), number)| {
            let count = (count * share / 1000).min(left);
            left -= count;
            Folder {
                levels: levels.to_vec(),
                subscribed,
                count,
                seed: Random::mix(seed, number),
                kind,
            }
        })
        .collect();
    folders[0].count += left;
    Mailbox { folders }
}

impl Mailbox {
    /// Without the folders whose names have a character that some servers refuse (Cyrus: `"`).
    pub fn without_names_with(mut self, refused: char) -> Self {
        self.folders
            .retain(|folder| !folder.levels.iter().any(|level| level.contains(refused)));
        self
    }

    /// How many messages there are in all.
    pub fn count(&self) -> usize {
        self.folders.iter().map(|folder| folder.count).sum()
    }
}

impl Folder {
    /// The messages, made one by one.
    pub fn messages(&self) -> impl Iterator<Item = NewMessage> + Send + use<> {
        let (seed, kind) = (self.seed, self.kind);
        (0..self.count as u64).map(move |number| message(seed, kind, number))
    }
}

/// The message of that number.
fn message(seed: u64, kind: Kind, number: u64) -> NewMessage {
    // Every 97th is its predecessor once more: same bytes, date and flags.
    let number = if number % 97 == 96 {
        number - 1
    } else {
        number
    };
    let mut random = Random::new(Random::mix(seed, number));
    // Every 61st has its predecessor's Message-ID and a body of its own.
    let namesake = if number % 61 == 60 {
        number - 1
    } else {
        number
    };
    let id = (number % 43 != 42).then(|| Random::mix(seed, namesake));
    let (bytes, date) = compose::compose(&mut random, kind, id);
    NewMessage {
        flags: flags(&mut random, kind),
        date: Some(date),
        bytes,
    }
}

fn flags(random: &mut Random, kind: Kind) -> Vec<String> {
    let chances: &[(&str, u64)] = match kind {
        Kind::Received => &[
            ("\\Seen", 85),
            ("\\Answered", 20),
            ("\\Flagged", 6),
            ("\\Deleted", 1),
            ("$Forwarded", 5),
            ("$Label1", 8),
            ("NonJunk", 30),
        ],
        Kind::Sent => &[("\\Seen", 100), ("\\Flagged", 2)],
        Kind::Drafts => &[("\\Draft", 100), ("\\Seen", 90)],
        Kind::Junk => &[("\\Seen", 20), ("Junk", 90)],
    };
    chances
        .iter()
        .filter(|(_, percent)| random.below(100) < *percent)
        .map(|(flag, _)| (*flag).to_owned())
        .collect()
}
