//! What a message shows of itself in a list: the fields by which people know it.

use super::InternalDate;

/// The fields by which people know a message, decoded. They are what the sender wrote, control characters among it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heading {
    /// Its Message-ID.
    pub message_id: Option<String>,
    /// Its subject, in one line and cut where it is long.
    pub subject: Option<String>,
    /// Who sent it: the From field, in one line and cut where it is long.
    pub from: Option<String>,
    /// When it was sent, as its Date field says; where there is none that can be read, when it arrived.
    pub date: Option<InternalDate>,
}
