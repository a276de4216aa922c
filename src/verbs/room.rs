//! What is to be sent to an account, compared with what fits: said before the first byte is sent.
//!
//! Nothing is refused because of it: quotas are told in units and rules of the server's own, so a
//! run sends what it can, in order, and ends when the account is full.

use super::doctor::words::bytes;
use crate::event::{Event, Observer};
use crate::mail::{MailboxName, counted};
use crate::store::{Error, ReadStore, Room};
use std::collections::HashMap;

/// For fewer messages and bytes than these, a run that sends them at once shows as soon as the
/// answer would whether they fit, and a wait is saved.
const MANY_MESSAGES: u64 = 50;
const MANY_BYTES: u64 = 64 << 10;

/// What is to be sent to one folder.
pub(super) struct Coming {
    /// The folder; `None` if it has yet to be created, and has INBOX's limits as far as is known.
    pub(super) mailbox: Option<MailboxName>,
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// Warns about what doesn't fit. Asks nothing if nothing is to be sent, or so little that it is
/// sent sooner, unless this is a dry run. `whose` is the account's name in messages.
///
/// # Errors
/// A failure that ends the connection.
pub(super) fn check(
    store: &mut dyn ReadStore,
    whose: &str,
    coming: impl IntoIterator<Item = Coming>,
    dry_run: bool,
    observer: &dyn Observer,
) -> Result<(), Error> {
    // There may be thousands of folders.
    let mut places: HashMap<MailboxName, usize> = HashMap::new();
    let mut mailboxes = Vec::new();
    let mut amounts: Vec<(u64, u64)> = Vec::new();
    for one in coming {
        if one.messages == 0 {
            continue;
        }
        let mailbox = one.mailbox.unwrap_or_else(|| MailboxName::from("INBOX"));
        let at = *places.entry(mailbox.clone()).or_insert_with(|| {
            mailboxes.push(mailbox);
            amounts.push((0, 0));
            mailboxes.len() - 1
        });
        amounts[at].0 += one.messages;
        amounts[at].1 += one.bytes;
    }
    let messages: u64 = amounts.iter().map(|one| one.0).sum();
    let size: u64 = amounts.iter().map(|one| one.1).sum();
    let is_little = messages < MANY_MESSAGES && size < MANY_BYTES;
    if mailboxes.is_empty() || is_little && !dry_run {
        return Ok(());
    }
    for room in store.room(&mailboxes)? {
        let of_room = room.folders.iter().filter_map(|at| amounts.get(*at));
        let (messages, size) = of_room.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if let Some(text) = lacking(&room, messages, size) {
            let text = format!("the {whose} has too little room: {text}");
            observer.observe(&Event::Warning { text: &text });
        }
    }
    Ok(())
}

/// Returns what doesn't fit, and what to do.
fn lacking(room: &Room, messages: u64, size: u64) -> Option<String> {
    let name = match room.name.as_str() {
        "" => String::new(),
        name => format!(" in {name}"),
    };
    let lack = if room.bytes.is_some_and(|free| size > free) {
        let free = bytes(room.bytes.unwrap_or_default());
        format!("{} to copy, {free} free{name}", bytes(size))
    } else if room.messages.is_some_and(|free| messages > free) {
        let free = counted(room.messages.unwrap_or_default(), "more message");
        format!(
            "{} to copy, and it accepts {free}{name}",
            counted(messages, "message")
        )
    } else {
        return None;
    };
    Some(format!(
        "{lack}; the copy ends when it is full (exit code 8): free some space there or raise its quota, or copy less \
         with --folder, --exclude, --since or --max-size"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_not_spoken_of() {
        let room = |bytes, messages| Room {
            name: "User quota".to_owned(),
            folders: vec![0],
            bytes,
            messages,
        };
        for (room, expected) in [
            (room(None, None), ""),
            (room(Some(2048), Some(3)), ""),
            (
                room(Some(1024), None),
                "2.0 KiB to copy, 1.0 KiB free in User quota; ",
            ),
            (
                room(None, Some(1)),
                "3 messages to copy, and it accepts 1 more message in User quota; ",
            ),
        ] {
            let text = lacking(&room, 3, 2048).unwrap_or_default();
            assert!(text.starts_with(expected), "{text}");
            assert_eq!(text.is_empty(), expected.is_empty());
        }
    }
}
