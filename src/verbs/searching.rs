//! Checks that a server accepts the search that limits a run, before anything is created or
//! compared: a mistyped search is one error, however many folders there are, in sync or not.

use super::opening::Names;
use crate::engine::scans::scan_each;
use crate::mail::{ListedMailbox, MailboxName, Side, Uid};
use crate::store::{Error, ErrorKind, ReadStore, ScanDepth, ScanRequest};

/// The maximum number of folders to try: one that can't be opened proves nothing about the search.
const TRIES: usize = 3;

/// Tries the search in the smallest paired folders of a side.
///
/// # Errors
/// The server refuses the search, or the connection ends.
pub(super) fn check_search(
    store: &mut dyn ReadStore,
    search: Option<&str>,
    side: Side,
    names: &Names<'_>,
) -> Result<(), Error> {
    let Some(search) = search else { return Ok(()) };
    let mut folders: Vec<&ListedMailbox> = match side {
        Side::SOURCE => names
            .pairs
            .iter()
            .map(|pair| &names.source.mailboxes[pair.source])
            .collect(),
        Side::TARGET => names
            .pairs
            .iter()
            .filter_map(|pair| names.existing(pair))
            .collect(),
    };
    // Some servers don't parse a search in an empty folder.
    folders.sort_by_key(|folder| {
        let messages = folder
            .status
            .as_ref()
            .and_then(|status| status.counters.messages);
        (messages == Some(0), messages.unwrap_or(u32::MAX))
    });
    for folder in folders.into_iter().take(TRIES) {
        let Some(words) = refused_words(store, search, &folder.name)? else {
            return Ok(());
        };
        let first = Uid::new(1).into_iter().collect();
        let opened = scan_each(store, ScanDepth::Sizes, [(&folder.name, Some(first))])?.pop();
        if opened.is_some_and(|scan| scan.is_ok()) {
            let text = format!(
                "the {} rejected the search '{search}': {words}",
                side.name()
            );
            let hint = "nothing was copied or changed; fix --search, which takes IMAP SEARCH syntax \
                        (RFC 3501, section 6.4.4)";
            return Err(Error::new(ErrorKind::Usage, text).with_hint(hint));
        }
    }
    Ok(())
}

/// Returns the server's refusal of a search in this folder; `None` if it searches, or refuses
/// temporarily.
fn refused_words(
    store: &mut dyn ReadStore,
    search: &str,
    mailbox: &MailboxName,
) -> Result<Option<String>, Error> {
    // For one message at most, as the search is repeated later. A CHARSET comes before everything
    // else.
    let has_charset = search
        .get(..8)
        .is_some_and(|start| start.eq_ignore_ascii_case("CHARSET "));
    let limited = if has_charset {
        search.to_owned()
    } else {
        format!("UID 1 {search}")
    };
    let depth = ScanDepth::Sizes;
    let request = ScanRequest {
        mailbox,
        depth,
        uids: None,
        search: Some(&limited),
        for_writing: false,
    };
    let mut words = None;
    store.scan(&[request], &mut |_, scan| {
        words = scan
            .err()
            .filter(|refusal| !refusal.meaning.is_passing())
            .map(|refusal| refusal.text);
    })?;
    Ok(words)
}
