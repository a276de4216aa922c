//! A folder of which only some messages take part, as other folders have the rest.

use crate::mail::{FlagTable, Flags, Message, Uid, UidSet};
use crate::verbs::left_out::FilteredOut;
use std::collections::HashMap;

/// How messages left to another folder are counted in a summary's `left_out`.
const LEFT_TO_ANOTHER: &str = "labels";

/// Which of a folder's messages take part, and with which keywords.
#[derive(Clone, Debug, Default)]
pub(in crate::verbs) struct Sorted {
    /// Another folder has them.
    pub(in crate::verbs) elsewhere: UidSet,
    /// The other labels of those that take part.
    pub(in crate::verbs) labels: HashMap<Uid, Flags>,
}

impl Sorted {
    /// Limits messages to those that take part, and adds their keywords. Counts what it
    /// leaves out.
    pub(super) fn limit(
        &self,
        messages: &mut Vec<Message>,
        flags: &mut FlagTable,
        filtered_out: &mut FilteredOut,
    ) {
        let before = messages.len();
        messages.retain(|message| !self.elsewhere.contains(message.uid()));
        for message in messages.iter_mut() {
            if let Some(labels) = self.labels.get(&message.uid()) {
                let all = flags.get(message.flags()).union(labels);
                *message = message.with_flags(flags.intern(all));
            }
        }
        filtered_out.add(LEFT_TO_ANOTHER, (before - messages.len()) as u64);
    }
}
