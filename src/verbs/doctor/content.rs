//! D10 and D11: whether all messages can be listed, and whether there are duplicates.

use super::Reached;
use super::report::{SideReport, seen};
use super::words::{bytes, counted, some};
use crate::event::Check;
use crate::mail::{HeaderKey, Message};
use crate::store::ErrorKind;
use std::collections::{HashMap, HashSet};

/// Makes D10: compares the number of messages with the listed ones.
pub(super) fn messages(one: &Reached<'_>, report: &mut SideReport<'_, '_>) {
    let survey = &one.survey;
    let tried = format!(
        "listed the messages of {}",
        counted(survey.folders.len() as u64, "folder")
    );
    let (mut refused, mut short) = (Vec::new(), Vec::new());
    for folder in &survey.folders {
        match &folder.scan {
            Err(refusal) => refused.push(format!("{}: {}", folder.name, refusal.text)),
            Ok(scan) if scan.unlisted > 0 => {
                let all = scan.messages.len() as u64 + scan.unlisted;
                short.push(format!(
                    "{}: {} of {all} listed",
                    folder.name,
                    scan.messages.len()
                ));
            }
            Ok(_) => {}
        }
    }
    let count = survey.messages().count() as u64;
    let result = format!(
        "{} with {}",
        counted(count, "message"),
        bytes(survey.bytes())
    );
    if !refused.is_empty() {
        let meaning = "these folders can't be read, so a copy would skip and report them";
        let advice = "try another mail client; ask the server's operator to repair them, or skip them with --exclude";
        report.failed(
            seen(Check::Messages, tried, some(&refused)),
            ErrorKind::Refused,
            meaning,
            advice,
        );
    } else if !short.is_empty() {
        let meaning = "the server counts more messages than it lists: it limits what mail clients see, or its index is damaged";
        let advice = "check the account's settings for a per-folder message limit; otherwise ask the server's operator";
        report.doubtful(seen(Check::Messages, tried, some(&short)), meaning, advice);
    } else {
        report.good(
            seen(Check::Messages, tried, result),
            "all messages are listed",
        );
    }
}

/// Makes D11: compares identifying header fields, date and size.
pub(super) fn duplicates(one: &Reached<'_>, report: &mut SideReport<'_, '_>) {
    let survey = &one.survey;
    if !survey.has_keys {
        report.skipped(
            Check::Duplicates,
            "too many messages to compare all headers",
        );
        return;
    }
    let (within, across) = count(survey.folders.iter().map(|folder| {
        folder
            .scan
            .as_ref()
            .map_or(&[][..], |scan| &scan.messages[..])
    }));
    let tried = "compared the headers, dates and sizes of all messages";
    let result = format!(
        "{} in the same folder, {across} across folders",
        counted(within, "duplicate")
    );
    let seen = seen(Check::Duplicates, tried, result);
    if within + across == 0 {
        report.good(seen, "no duplicates");
    } else if one.checkup.capabilities().has("X-GM-EXT-1") && within == 0 {
        report.good(
            seen,
            "a message with several labels shows up in several folders: these are not duplicates",
        );
    } else {
        let meaning = "already in the mailbox; a copy preserves them";
        report.doubtful(
            seen,
            meaning,
            "remove duplicates in a mail client first, or ignore this",
        );
    }
}

/// Returns the number of duplicates: in the same folder, and in other folders.
fn count<'a>(folders: impl Iterator<Item = &'a [Message]>) -> (u64, u64) {
    type Kind = (HeaderKey, Option<i64>, u32);
    let mut everywhere: HashSet<Kind> = HashSet::new();
    let (mut within, mut across) = (0, 0);
    for messages in folders {
        let mut here: HashMap<Kind, u64> = HashMap::new();
        let known = |message: &&Message| {
            matches!(
                message.key(),
                HeaderKey::WithId(_) | HeaderKey::WithoutId(_)
            )
        };
        for message in messages.iter().filter(known) {
            let seconds = message.date().map(crate::mail::InternalDate::seconds);
            *here
                .entry((message.key(), seconds, message.size()))
                .or_default() += 1;
        }
        within += here.values().map(|n| n - 1).sum::<u64>();
        across += here
            .keys()
            .filter(|kind| everywhere.contains(*kind))
            .count() as u64;
        everywhere.extend(here.into_keys());
    }
    (within, across)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Uid;

    fn message(uid: u32, key: u8) -> Message {
        Message::new(
            Uid::new(uid).unwrap(),
            10,
            None,
            0,
            HeaderKey::WithId([key; 16]),
        )
    }

    #[test]
    fn duplicates_within_and_across() {
        let inbox = [message(1, 1), message(2, 1), message(3, 2)];
        let other = [message(1, 2), message(2, 3)];
        let bare = [Message::new(Uid::new(1).unwrap(), 10, None, 0, HeaderKey::Empty); 2];
        assert_eq!(
            count([&inbox[..], &other[..], &bare[..]].into_iter()),
            (1, 1)
        );
        assert_eq!(count([&other[..]].into_iter()), (0, 0));
    }
}
