//! Folders of one side: those that exist, and those that are created and opened once to learn their
//! counters.

use super::way::Way;
use crate::exec::{Contents, read_contents};
use crate::folders::FolderName;
use crate::mail::{Both, Counters, MailboxName, UidSet, UidValidity, counted};
use crate::store::{
    Answer, Error, FolderScan, NewFolder, Prepared, ReadStore, Refusal, Removal, ScanDepth,
    ScanRequest,
};

/// A folder of one side, as it was when it was read.
#[derive(Clone, Copy)]
pub(crate) struct FolderRef<'a> {
    pub(crate) mailbox: &'a MailboxName,
    pub(crate) counters: Counters,
}

impl<'a> FolderRef<'a> {
    /// Returns a folder of this UIDVALIDITY.
    pub(crate) fn new(mailbox: &'a MailboxName, uid_validity: Option<UidValidity>) -> Self {
        let counters = Counters {
            uid_validity,
            ..Counters::default()
        };
        Self { mailbox, counters }
    }

    /// Reads and hashes messages of it; those that are gone, or belong to another generation of
    /// the folder, are not in the result.
    ///
    /// # Errors
    /// A failure that ends the connection.
    pub(crate) fn contents(
        self,
        store: &mut dyn ReadStore,
        uids: &UidSet,
    ) -> Result<Contents, Error> {
        let uid_validity = self.counters.uid_validity;
        read_contents(store, self.mailbox, uid_validity, uids, &mut |_| {})
    }

    /// Returns the request to remove messages from it.
    pub(crate) fn removal(self, uids: UidSet) -> Removal {
        Removal {
            mailbox: self.mailbox.clone(),
            uid_validity: self.counters.uid_validity,
            uids,
        }
    }
}

/// A folder that was made and is empty.
pub(crate) struct Made {
    pub(crate) name: MailboxName,
    /// How it stands.
    pub(crate) scan: FolderScan,
    pub(crate) is_subscribed: bool,
}

/// Changes of one side's subscriptions.
#[derive(Default)]
pub(crate) struct Subscriptions {
    pub(crate) end: Vec<MailboxName>,
    /// Each with its decoded name.
    pub(crate) make: Vec<(FolderName, MailboxName)>,
}

/// Changes subscriptions on both sides at the same time. Returns the server's result for each that
/// was to be made.
///
/// # Errors
/// A failure that ends the connections.
pub(crate) fn subscribe(
    way: &mut Way<'_>,
    changes: &Both<Subscriptions>,
) -> Result<Both<Vec<Answer<()>>>, Error> {
    let is_idle = |changes: &Subscriptions| changes.end.is_empty() && changes.make.is_empty();
    if changes.all(is_idle) {
        return Ok(Both::default());
    }
    way.repeatable(|link| {
        link.on_both(|side, store| {
            // A side that is only read from refuses any call.
            if is_idle(&changes[side]) {
                return Ok(Vec::new());
            }
            let Subscriptions { end, make } = &changes[side];
            let make: Vec<MailboxName> = make.iter().map(|(_, name)| name.clone()).collect();
            // A side without changes may be read-only.
            if !end.is_empty() {
                store.unsubscribe(end)?;
            }
            match make.as_slice() {
                [] => Ok(Vec::new()),
                some => store.subscribe(some),
            }
        })
    })
}

/// Returns the warning that a side did not subscribe to a folder.
pub(crate) fn told_unsubscribed(folder: &FolderName, side: &str, refusal: &Refusal) -> String {
    let why = &refusal.text;
    format!("{folder}: the {side} did not subscribe to it: {why}")
}

/// Opens folders that were asked for, unless they were opened in passing. Gives for each what was
/// made, or why there is none that mail may be sent to.
///
/// # Errors
/// What ends the connection.
pub(crate) fn open_made(
    store: &mut dyn ReadStore,
    prepared: Vec<Answer<Prepared>>,
    side: &str,
) -> Result<Vec<Result<Made, String>>, Error> {
    let mut opened: Vec<Option<FolderScan>> = prepared
        .iter()
        .map(|folder| folder.as_ref().ok()?.opened.clone())
        .collect();
    let unopened: Vec<(usize, &MailboxName)> = (prepared.iter().enumerate())
        .filter_map(|(at, folder)| Some((at, folder.as_ref().ok()?)))
        .filter(|(_, folder)| folder.opened.is_none())
        .map(|(at, folder)| (at, &folder.name))
        .collect();
    let requests: Vec<ScanRequest<'_>> = unopened
        .iter()
        .map(|(_, mailbox)| ScanRequest {
            for_writing: true,
            ..ScanRequest::new(mailbox, ScanDepth::Attributes)
        })
        .collect();
    store.scan(&requests, &mut |nth, scan| {
        opened[unopened[nth].0] = scan.ok();
    })?;
    Ok(prepared
        .into_iter()
        .zip(opened)
        .map(|(folder, scan)| made(folder, scan, side))
        .collect())
}

fn made(
    prepared: Answer<Prepared>,
    opened: Option<FolderScan>,
    side: &str,
) -> Result<Made, String> {
    match (prepared, opened) {
        (Err(refusal), _) => Err(format!("the {side} did not create it: {}", refusal.text)),
        (Ok(_), None) => Err(format!("the {side} created it but can't open it")),
        // What is there may be what was to be sent.
        (Ok(_), Some(scan)) if scan.exists > 0 => Err(format!(
            "the {side} didn't list it, but has it, and has mail in it ({}): nothing is sent to it; run again",
            counted(scan.exists.into(), "message")
        )),
        (
            Ok(Prepared {
                name,
                is_subscribed,
                ..
            }),
            Some(scan),
        ) => Ok(Made {
            name,
            scan,
            is_subscribed,
        }),
    }
}

/// What is said of a folder that was created under another name than was planned, as its side
/// refused that one.
pub(crate) fn other_name(
    planned: &NewFolder,
    created: &MailboxName,
    shown: &str,
    side: &str,
) -> Option<String> {
    if *created == planned.name {
        return None;
    }
    let flattened = planned
        .flattened
        .iter()
        .find(|flattened| flattened.name == *created);
    Some(match flattened {
        Some(flattened) => format!(
            "{shown}: the {side} can't have subfolders in {}, so it was created next to it, as {created}",
            flattened.parent
        ),
        None => format!(
            "{shown}: the {side} refused the name {}, so it was created as {created}",
            planned.name
        ),
    })
}
