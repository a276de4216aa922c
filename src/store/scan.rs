//! What a scan of folders is asked and what it answers.

use crate::mail::{
    Counters, FlagTable, Flags, Heading, MailboxName, Message, PermanentFlags, Uid, UidSet, UidValidity,
};

/// How much a scan asks of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanDepth {
    /// UID and size: for what was delivered.
    Sizes,
    /// UID, flags, date and size: for a folder that needs no matching.
    Attributes,
    /// The header fields that identify a message as well.
    Identity,
    /// The same, and the headings: for messages that are listed to people.
    Headings,
    /// The header fields of new messages: the rest of the folder is known.
    Since(Baseline),
}

/// What is known of a folder already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Messages with this UID or a higher one are new.
    pub uid_next: Uid,
    /// How much is asked of the others.
    pub known: KnownDepth,
    /// Some of the others whose header fields are asked for all the same: to see whether they are still the same messages.
    pub probe: [Option<Uid>; 2],
}

/// How much a scan asks of messages that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownDepth {
    /// UID, flags, date and size.
    Attributes,
    /// UID and flags.
    Flags,
    /// UID and flags of what has changed after this HIGHESTMODSEQ, and which are gone (CONDSTORE and QRESYNC, RFC 7162);
    /// where the server can't tell, as `Flags`.
    Changes(u64),
}

/// A folder to scan.
#[derive(Clone, Debug)]
pub struct ScanRequest<'a> {
    /// Which folder.
    pub mailbox: &'a MailboxName,
    /// How much to ask of each message.
    pub depth: ScanDepth,
    /// Only these messages; `None`: all. Not together with `search`.
    pub uids: Option<UidSet>,
    /// Only messages that this SEARCH program finds (RFC 3501 section 6.4.4), already checked for line ends.
    pub search: Option<&'a str>,
    /// Whether the folder will be written to: it is opened by SELECT, as some servers tell PERMANENTFLAGS only there.
    pub for_writing: bool,
}

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub struct FolderScan {
    /// The generation of its UIDs; `None` where the server tells none.
    pub uid_validity: Option<UidValidity>,
    /// No message had this UID or a higher one when the folder was opened; `None` where the server does not say.
    pub uid_next: Option<u32>,
    /// How many messages it had when it was opened.
    pub exists: u32,
    /// HIGHESTMODSEQ when it was opened (RFC 7162); `None` where the server has none.
    pub highest_mod_seq: Option<u64>,
    /// MAILBOXID (RFC 8474); `None` where the server has none.
    pub mailbox_id: Option<String>,
    /// What flags it can keep.
    pub permanent_flags: PermanentFlags,
    /// How many messages the folder has beyond those that could be listed: they are there, but nothing is known of them.
    pub unlisted: u64,
    /// The messages, by ascending UID.
    pub messages: Vec<Message>,
    /// Their flags.
    pub flags: FlagTable,
    /// Their headings, where these were asked for.
    pub headings: Vec<(Uid, Heading)>,
    /// What is known of messages below the baseline that are not listed; `None`: all are listed.
    pub unchanged: Option<Unchanged>,
}

impl FolderScan {
    /// How the folder stood when it was opened, as the server told it.
    pub fn counters(&self) -> Counters {
        let (uid_validity, uid_next, mod_seq) = (self.uid_validity, self.uid_next, self.highest_mod_seq);
        Counters { uid_validity, uid_next, mod_seq, messages: Some(self.exists) }
    }

    /// The message with this UID.
    pub fn message(&self, uid: Uid) -> Option<&Message> {
        self.messages.get(self.messages.binary_search_by_key(&uid, Message::uid).ok()?)
    }

    /// Adds the unchanged messages that the scan left out. `known` gives their UIDs and flags at the time of the baseline; `is_known`
    /// tells whether a UID existed then, in a pair or not. `None`: something could not be listed, or the result doesn't add up to the
    /// server's count of messages.
    #[must_use]
    pub fn filled_in(self, known: impl Iterator<Item = (Uid, Flags)>, is_known: impl Fn(Uid) -> bool) -> Option<Self> {
        let Some(unchanged) = &self.unchanged else { return Some(self) };
        if self.unlisted > 0 {
            return None;
        }
        let mut flags = self.flags.clone();
        let mut messages: Vec<Message> = known
            .filter(|(uid, _)| unchanged.contains(*uid) && self.message(*uid).is_none())
            .map(|(uid, of)| Message::bare(uid, flags.intern(of)))
            .collect();
        // A message that changed and then went may be told of both ways.
        let is_there = |message: &&Message| !is_known(message.uid()) || unchanged.contains(message.uid());
        messages.extend(self.messages.iter().filter(is_there));
        messages.sort_unstable_by_key(Message::uid);
        let is_complete = messages.len() as u64 == u64::from(self.exists);
        is_complete.then_some(Self { messages, flags, unchanged: None, ..self })
    }

    /// UIDNEXT. A server that does not tell it gives new messages higher UIDs than the last one all the same (RFC 3501 section 2.3.1.1);
    /// `None` where there is no message either.
    pub fn next_uid(&self) -> Option<u32> {
        let after_last = || self.messages.last().map(|message| message.uid().get().saturating_add(1));
        self.uid_next.or_else(after_last)
    }
}

/// Messages that a scan did not list, as they are as they were ([`KnownDepth::Changes`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unchanged {
    /// All that were known but these, which are gone. There may be UIDs among these that were never known.
    AllBut(UidSet),
    /// These.
    Only(UidSet),
}

impl Unchanged {
    /// Whether a known message that was not listed is still there.
    pub fn contains(&self, uid: Uid) -> bool {
        match self {
            Self::AllBut(gone) => !gone.contains(uid),
            Self::Only(there) => there.contains(uid),
        }
    }
}
