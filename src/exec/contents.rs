//! Reads whole messages for their content: to tell apart what headers can't, and for `verify
//! --deep`.

use crate::identity::{ContentHasher, ContentKeys};
use crate::mail::{MailboxName, Uid, UidSet, UidValidity};
use crate::store::{Body, Error, Fetched, MessageSink, ReadStore};
use std::collections::HashMap;

/// How many messages are requested at a time: the requests must fit into a server's buffer while it
/// is sending.
const AT_A_TIME: usize = 2_000;
/// How often temporary refusals are retried.
const ATTEMPTS: usize = 3;

/// The content keys of some messages in one folder. Messages that could not be read are missing.
pub type Contents = HashMap<Uid, ContentKeys>;

/// Reads and hashes these messages. Messages that don't arrive, or are refused repeatedly, are
/// missing from the result. `each` gets the number of bytes of each message as soon as it is read.
///
/// # Errors
/// A failure that ends the connection.
pub fn read_contents(
    store: &mut dyn ReadStore,
    mailbox: &MailboxName,
    uid_validity: Option<UidValidity>,
    uids: &UidSet,
    each: &mut dyn FnMut(u64),
) -> Result<Contents, Error> {
    let sink = Hashing {
        uids,
        hasher: ContentHasher::new,
        contents: Contents::new(),
        each,
    };
    read_all(store, mailbox, uid_validity, sink)
}

/// Does the same with the keys that tolerate servers' changes: for a [tie](crate::plan::Tie).
///
/// # Errors
/// A failure that ends the connection.
pub fn read_tied(
    store: &mut dyn ReadStore,
    mailbox: &MailboxName,
    uid_validity: Option<UidValidity>,
    uids: &UidSet,
) -> Result<Contents, Error> {
    let sink = Hashing {
        uids,
        hasher: ContentHasher::tolerant,
        contents: Contents::new(),
        each: &mut |_| {},
    };
    read_all(store, mailbox, uid_validity, sink)
}

fn read_all(
    store: &mut dyn ReadStore,
    mailbox: &MailboxName,
    uid_validity: Option<UidValidity>,
    mut sink: Hashing<'_>,
) -> Result<Contents, Error> {
    let mut all = sink.uids.iter().peekable();
    while all.peek().is_some() {
        read_some(
            store,
            mailbox,
            uid_validity,
            all.by_ref().take(AT_A_TIME).collect(),
            &mut sink,
        )?;
    }
    Ok(sink.contents)
}

fn read_some(
    store: &mut dyn ReadStore,
    mailbox: &MailboxName,
    uid_validity: Option<UidValidity>,
    uids: UidSet,
    sink: &mut Hashing<'_>,
) -> Result<(), Error> {
    let mut open = uids;
    for _ in 0..ATTEMPTS {
        if open.is_empty() {
            break;
        }
        store.request(mailbox, uid_validity, &open)?;
        let (missing, refusal) = loop {
            if let Fetched::RequestDone { missing, refusal } = store.next(sink)? {
                break (missing, refusal);
            }
        };
        if refusal.is_none_or(|refusal| !refusal.meaning.is_passing()) {
            break;
        }
        open = missing;
    }
    Ok(())
}

struct Hashing<'a> {
    uids: &'a UidSet,
    hasher: fn() -> ContentHasher,
    contents: Contents,
    each: &'a mut dyn FnMut(u64),
}

impl MessageSink for Hashing<'_> {
    fn message(&mut self, uid: Uid, body: Body<'_>) -> Result<(), Error> {
        if !self.uids.contains(uid) {
            return Ok(());
        }
        let mut hasher = (self.hasher)();
        match body {
            Body::Whole(bytes) => hasher.update(bytes),
            Body::Stream { from, .. } => {
                let mut chunk = vec![0; 64 << 10];
                loop {
                    match from.read(&mut chunk) {
                        Ok(0) => break,
                        Ok(count) => hasher.update(&chunk[..count]),
                        // The reader reports its own error once the sink has returned; a half-read
                        // body has no key.
                        Err(_) => return Ok(()),
                    }
                }
            }
        }
        let keys = hasher.finish();
        let length = keys.length;
        // A server may send a message twice; it is reported once.
        if self.contents.insert(uid, keys).is_none() {
            (self.each)(length);
        }
        Ok(())
    }
}
