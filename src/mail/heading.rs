//! The fields by which users recognise a message in a list.

use super::InternalDate;

/// The fields by which users recognise a message, decoded. They are as the sender wrote them, and may contain control
/// characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heading {
    /// Its Message-ID.
    pub message_id: Option<String>,
    /// Its subject, on one line and cut if long.
    pub subject: Option<String>,
    /// The sender: the From field, on one line and cut if long.
    pub from: Option<String>,
    /// When it was sent, according to its Date field; if that can't be read, when it arrived.
    pub date: Option<InternalDate>,
}
