//! Folders that a side lacks: made, and opened once to learn how they stand.

use crate::mail::{MailboxName, counted};
use crate::store::{
    Error, FolderScan, NewFolder, Prepared, ReadStore, Refusal, ScanDepth, ScanRequest,
};

/// A folder that was made and is empty.
pub(crate) struct Made {
    pub(crate) name: MailboxName,
    /// How it stands.
    pub(crate) scan: FolderScan,
    pub(crate) is_subscribed: bool,
}

/// Opens folders that were asked for, unless they were opened in passing. Gives for each what was
/// made, or why there is none that mail may be sent to.
///
/// # Errors
/// What ends the connection.
pub(crate) fn open_made(
    store: &mut dyn ReadStore,
    prepared: Vec<Result<Prepared, Refusal>>,
    side: &str,
) -> Result<Vec<Result<Made, String>>, Error> {
    let mut opened: Vec<Option<FolderScan>> = prepared
        .iter()
        .map(|folder| folder.as_ref().ok()?.opened.clone())
        .collect();
    let unopened: Vec<(usize, &MailboxName)> = (prepared.iter().enumerate())
        .filter_map(|(at, folder)| {
            Some((
                at,
                folder
                    .as_ref()
                    .ok()
                    .filter(|folder| folder.opened.is_none())?,
            ))
        })
        .map(|(at, folder)| (at, &folder.name))
        .collect();
    let depth = ScanDepth::Attributes;
    let request = |mailbox| ScanRequest {
        mailbox,
        depth,
        uids: None,
        search: None,
        for_writing: true,
    };
    let requests: Vec<ScanRequest<'_>> = unopened
        .iter()
        .map(|(_, mailbox)| request(mailbox))
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
    prepared: Result<Prepared, Refusal>,
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
