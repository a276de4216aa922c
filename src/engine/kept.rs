//! What servers keep of flags and dates can't be known before: what they made of those that are in
//! doubt is looked at afterwards, and said.

use crate::mail::{Flags, InternalDate, Message, Uid};

/// Messages whose dates not every server keeps and that have another one now: their UIDs on the
/// side they came from.
#[derive(Default)]
pub(crate) struct LostDates(Vec<(Uid, InternalDate)>);

impl LostDates {
    /// Whether a message's date has to be looked at.
    pub(crate) fn is_in_doubt(message: &Message) -> bool {
        message
            .date()
            .is_some_and(|date| !date.is_kept_everywhere())
    }

    /// Compares a message with its copy.
    pub(crate) fn compare(&mut self, message: &Message, copy: &Message) {
        let lost = message.date().filter(|date| {
            !date.is_kept_everywhere()
                && copy.date().map(InternalDate::seconds) != Some(date.seconds())
        });
        self.0.extend(lost.map(|date| (message.uid(), date)));
    }

    /// The warning for a folder of `side` that got its mail from `origin`; `None` where nothing was
    /// lost.
    pub(crate) fn told(&self, folder: &str, side: &str, origin: &str) -> Option<String> {
        let (uid, date) = self.0.first()?;
        let messages = match self.0.len() {
            1 => "the date of 1 message".to_owned(),
            count => format!("the dates of {count} messages"),
        };
        Some(format!(
            "{folder}: the {side} did not preserve {messages}, such as UID {uid} on the {origin} ({date}): it stored \
             another date; verify lists them"
        ))
    }
}

/// The warning that a folder of `side` does not keep these flags.
pub(crate) fn told_flags(folder: &str, side: &str, flags: &Flags) -> String {
    format!("{folder}: the {side} keeps no {} here", flags.shown())
}
