//! What has to be copied, cut into pieces that lanes can take.

use crate::fixing::Faults;
use crate::mail::{
    FlagTable, MailboxName, Message, PermanentFlags, Uid, UidNext, UidSet, UidValidity,
};
use std::ops::Range;

/// The most bytes in a piece, so that lanes finish at about the same time and little is requested
/// twice when a connection breaks. A larger message is a piece of its own.
const PIECE_BYTES: u64 = 16 << 20;
/// The most messages in a piece: its UID set stays a short command line even if UIDs have gaps.
const PIECE_MESSAGES: usize = 2_000;
/// The same for a target that has to be asked before each message: no lane must be left alone at
/// the end with a piece that takes a thousand round trips.
const PIECE_MESSAGES_ASKED_FOR: usize = 64;

/// The messages in one folder that the target lacks.
#[derive(Clone, Debug)]
pub struct FolderTask {
    /// The source folder's decoded name, for users.
    pub from: String,
    /// The target folder's decoded name, for users.
    pub to: String,
    /// The source folder.
    pub source: MailboxName,
    /// Its UIDVALIDITY when it was scanned.
    pub source_uid_validity: Option<UidValidity>,
    /// The target folder, which exists.
    pub target: MailboxName,
    /// Its UIDVALIDITY when it was scanned.
    pub target_uid_validity: Option<UidValidity>,
    /// The target's UIDNEXT before the copy began, so no message had this UID or a higher one;
    /// `None`: unknown.
    pub target_uid_next: Option<UidNext>,
    /// The flags that the target keeps.
    pub permanent_flags: PermanentFlags,
    /// Whether these are drafts, many of which may share a header.
    pub drafts: bool,
    /// The messages to copy, by ascending UID.
    pub messages: Vec<Message>,
    /// Their flags.
    pub flags: FlagTable,
}

impl FolderTask {
    /// Returns a task for the same folders, without messages.
    #[must_use]
    pub fn without_messages(&self) -> Self {
        Self {
            from: self.from.clone(),
            to: self.to.clone(),
            source: self.source.clone(),
            source_uid_validity: self.source_uid_validity,
            target: self.target.clone(),
            target_uid_validity: self.target_uid_validity,
            target_uid_next: self.target_uid_next,
            permanent_flags: self.permanent_flags.clone(),
            drafts: self.drafts,
            messages: Vec::new(),
            flags: self.flags.clone(),
        }
    }

    /// Finds the position of the message with this UID.
    pub fn position(&self, uid: Uid) -> Option<usize> {
        self.messages.binary_search_by_key(&uid, Message::uid).ok()
    }

    /// Returns the UIDs of these messages.
    pub fn uids(&self, positions: Range<usize>) -> UidSet {
        self.messages[positions].iter().map(Message::uid).collect()
    }

    /// Returns the size of these messages.
    pub fn bytes(&self, positions: Range<usize>) -> u64 {
        self.messages[positions]
            .iter()
            .map(|message| u64::from(message.size()))
            .sum()
    }
}

/// Which of a message's keywords are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keywords {
    /// All that the folder keeps.
    #[default]
    All,
    /// Only those that any server accepts: another one was refused.
    Plain,
    /// None: even a plain one was refused.
    None,
}

/// How a piece's messages are sent: unchanged, or adapted to a server that refused them before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Treatment {
    /// One at a time, waiting for the server before each step.
    pub careful: bool,
    /// The batch that it belongs to: the halves of a refused one must not be joined again. 0: it
    /// was never refused.
    pub batch: u32,
    /// Which keywords are sent.
    pub keywords: Keywords,
    /// Without INTERNALDATE: the server refused it.
    pub without_date: bool,
    /// As a binary literal (RFC 3516): the server refused NUL in a plain one.
    pub binary: bool,
    /// With these faults corrected: the server refused it because of them (`--fix-refused`).
    pub fix: Faults,
}

/// A run of messages in one folder: what a lane takes at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The index of its task.
    pub task: usize,
    /// Its messages, by position.
    pub messages: Range<usize>,
    /// How they are sent.
    pub treatment: Treatment,
    /// How often it was tried and failed.
    pub attempts: u8,
}

impl Piece {
    /// Splits a piece of at least two messages into halves.
    pub fn halves(&self) -> [Self; 2] {
        let middle = self.messages.start + self.messages.len() / 2;
        let part = |messages| Self {
            messages,
            ..self.clone()
        };
        [
            part(self.messages.start..middle),
            part(middle..self.messages.end),
        ]
    }
}

/// Returns how many pieces a folder's messages give at least.
pub fn pieces_of(messages: u64, asks_for_each: bool) -> u64 {
    messages.div_ceil(most_messages(asks_for_each) as u64)
}

fn most_messages(asks_for_each: bool) -> usize {
    if asks_for_each {
        PIECE_MESSAGES_ASKED_FOR
    } else {
        PIECE_MESSAGES
    }
}

/// Cuts tasks, given with their indices, into pieces. Returns them with their bytes, the largest
/// first, so that no lane is left with a long piece at the end. `asks_for_each`: the target has to
/// be asked before each message.
pub fn pieces<'t>(
    tasks: impl IntoIterator<Item = (usize, &'t FolderTask)>,
    asks_for_each: bool,
) -> Vec<(u64, Piece)> {
    let most = most_messages(asks_for_each);
    let mut weighed = Vec::new();
    for (task, folder) in tasks {
        let mut start = 0;
        let mut bytes = 0u64;
        for (at, message) in folder.messages.iter().enumerate() {
            let size = u64::from(message.size());
            if at > start && (bytes + size > PIECE_BYTES || at - start == most) {
                weighed.push((bytes, plain_piece(task, start..at)));
                (start, bytes) = (at, 0);
            }
            bytes += size;
        }
        if start < folder.messages.len() {
            weighed.push((bytes, plain_piece(task, start..folder.messages.len())));
        }
    }
    weighed.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    weighed
}

fn plain_piece(task: usize, messages: Range<usize>) -> Piece {
    Piece {
        task,
        messages,
        treatment: Treatment::default(),
        attempts: 0,
    }
}

/// Returns the ranges of consecutive numbers in ascending `positions`.
pub fn rows(positions: impl IntoIterator<Item = usize>) -> Vec<Range<usize>> {
    let mut rows: Vec<Range<usize>> = Vec::new();
    for position in positions {
        match rows.last_mut() {
            Some(row) if row.end == position => row.end += 1,
            _ => rows.push(position..position + 1),
        }
    }
    rows
}

/// Makes a task with messages of these sizes and the UIDs 1, 3, 5 and so on, for tests.
#[cfg(test)]
pub(crate) fn task_of_sizes(sizes: &[u64]) -> FolderTask {
    let message = |(i, size): (usize, &u64)| {
        let uid = Uid::new(i as u32 * 2 + 1).unwrap();
        Message::new(uid, *size, None, 0, crate::mail::HeaderKey::Unknown)
    };
    FolderTask {
        from: String::new(),
        to: String::new(),
        source: "a".into(),
        source_uid_validity: None,
        target: "a".into(),
        target_uid_validity: None,
        target_uid_next: None,
        permanent_flags: PermanentFlags::everything(),
        drafts: false,
        messages: sizes.iter().enumerate().map(message).collect(),
        flags: FlagTable::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::task_of_sizes as task;
    use super::*;

    #[test]
    fn every_message_is_in_one_piece_and_the_largest_piece_comes_first() {
        let tasks = [
            task(&[10; 5_000]),
            task(&[PIECE_BYTES - 1, 2, 300 << 20, 7]),
        ];
        for (asks_for_each, most) in [(false, PIECE_MESSAGES), (true, PIECE_MESSAGES_ASKED_FOR)] {
            let weighed = pieces(tasks.iter().enumerate(), asks_for_each);
            assert!(weighed.is_sorted_by_key(|(bytes, _)| std::cmp::Reverse(*bytes)));
            let pieces: Vec<Piece> = weighed.into_iter().map(|(_, piece)| piece).collect();
            assert_eq!(pieces[0].messages, 2..3);
            for (index, folder) in tasks.iter().enumerate() {
                let mut covered: Vec<_> = pieces
                    .iter()
                    .filter(|p| p.task == index)
                    .flat_map(|p| p.messages.clone())
                    .collect();
                covered.sort_unstable();
                assert_eq!(covered, (0..folder.messages.len()).collect::<Vec<_>>());
            }
            assert_eq!(pieces.iter().map(|p| p.messages.len()).max(), Some(most));
        }
    }

    #[test]
    fn halves_hold_everything() {
        let piece = plain_piece(0, 3..8);
        let [left, right] = piece.halves();
        assert_eq!((left.messages, right.messages), (3..5, 5..8));
    }

    #[test]
    fn finds_positions_by_uid() {
        let folder = task(&[1, 1, 1]);
        assert_eq!(folder.position(Uid::new(3).unwrap()), Some(1));
        assert_eq!(folder.position(Uid::new(4).unwrap()), None);
        assert_eq!(folder.uids(1..3).to_string(), "3,5");
    }

    #[test]
    fn consecutive_positions_make_rows() {
        assert_eq!(rows([1, 2, 3, 7, 9, 10]), [1..4, 7..8, 9..11]);
    }
}
