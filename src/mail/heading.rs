//! The fields by which users recognise a message in a list.
//!
//! For display only: they are decoded and cut, and no message is told from another by them.

use super::InternalDate;
use serde::{Serialize, Serializer};
use std::borrow::Borrow;

/// The fields by which users recognise a message, decoded. They are as the sender wrote them, and
/// may contain control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Heading {
    /// Its Message-ID.
    #[serde(skip)]
    pub message_id: Option<String>,
    /// Its subject, on one line and cut if long.
    pub subject: Option<String>,
    /// The sender: the From field, on one line and cut if long.
    pub from: Option<String>,
    /// When it was sent, according to its Date field; if that can't be read, when it arrived.
    pub date: Option<InternalDate>,
}

impl Heading {
    /// Serializes the members of a heading; each is null where it is not known.
    pub fn as_members<H: Borrow<Self>, S: Serializer>(
        heading: &Option<H>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match heading {
            Some(heading) => heading.borrow().serialize(to),
            None => Self::default().serialize(to),
        }
    }
}
