//! What a message shows of itself in a list: the fields by which people know it.

use super::InternalDate;
use serde::{Serialize, Serializer};
use std::borrow::Borrow;

/// The fields by which people know a message, decoded. They are what the sender wrote, control characters among it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Heading {
    /// Its Message-ID.
    #[serde(skip)]
    pub message_id: Option<String>,
    /// Its subject, in one line and cut where it is long.
    pub subject: Option<String>,
    /// Who sent it: the From field, in one line and cut where it is long.
    pub from: Option<String>,
    /// When it was sent, as its Date field says; where there is none that can be read, when it arrived.
    pub date: Option<InternalDate>,
}

impl Heading {
    /// Serializes the members of a heading; each is null where it is not known.
    pub fn as_members<H: Borrow<Self>, S: Serializer>(heading: &Option<H>, to: S) -> Result<S::Ok, S::Error> {
        match heading {
            Some(heading) => heading.borrow().serialize(to),
            None => Self::default().serialize(to),
        }
    }
}
