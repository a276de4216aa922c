//! `folders`: the contents of an account, folder by folder.

use super::unlisted::tell_gaps;
use super::{FolderListing, FolderRow};
use crate::event::{Event, Observer};
use crate::folders::Roster;
use crate::mail::{ListedMailbox, Side};
use crate::store::{Error, ReadConnector, ReadStore, ScanDepth, ScanRequest};
use std::time::Instant;

/// Lists an account's folders with role, messages, unread, bytes and quota. Opens folders read-only
/// if the server doesn't report their size.
///
/// # Errors
/// The account can't be read.
pub fn folders(
    mailbox: &dyn ReadConnector,
    observer: &dyn Observer,
) -> Result<FolderListing, Error> {
    let started = Instant::now();
    let mut store = mailbox.connect_to_read()?;
    let listing = store.list();
    observer.observe(&Event::Connected {
        side: Side::SOURCE,
        server: store.server(),
        provider: store.provider().map(|provider| provider.name),
        is_compressed: store.is_compressed(),
    });
    let listing = listing?;
    let mut failed = tell_gaps(&listing, "server", observer);
    let mut rows: Vec<FolderRow> = Vec::new();
    let mut shown = Vec::new();
    for read in Roster::read(&listing).folders {
        let folder = &listing.mailboxes[read.index];
        let status = folder.status.clone().unwrap_or_default();
        shown.push(folder);
        rows.push(FolderRow {
            name: read.name.to_string(),
            role: read.role,
            selectable: folder.selectable,
            subscribed: folder.subscribed,
            messages: status.counters.messages.map(u64::from),
            unread: status.unseen.map(u64::from),
            bytes: status.size,
        });
    }
    failed += measure(store.as_mut(), &shown, &mut rows, observer)?;
    let quota = store.quota()?;
    store.close();
    Ok(FolderListing {
        folders: rows,
        quota,
        failed,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// Adds up the sizes of folders whose bytes the server did not report. Returns how many could not
/// be read.
fn measure(
    store: &mut dyn ReadStore,
    mailboxes: &[&ListedMailbox],
    rows: &mut [FolderRow],
    observer: &dyn Observer,
) -> Result<u64, Error> {
    let mut failed = 0;
    let unknown: Vec<usize> = (0..rows.len())
        .filter(|at| {
            rows[*at].selectable && rows[*at].bytes.is_none() && rows[*at].messages != Some(0)
        })
        .collect();
    let requests: Vec<_> = unknown
        .iter()
        .map(|at| ScanRequest::new(&mailboxes[*at].name, ScanDepth::Attributes))
        .collect();
    store.scan(&requests, &mut |nth, scan| {
        let row = &mut rows[unknown[nth]];
        match scan {
            Ok(scan) => {
                row.messages = Some(scan.messages.len() as u64);
                row.bytes = Some(
                    scan.messages
                        .iter()
                        .map(|message| u64::from(message.size()))
                        .sum(),
                );
                let seen = |message: &&crate::mail::Message| {
                    scan.flags
                        .get(message.flags())
                        .has(crate::mail::SystemFlag::Seen)
                };
                row.unread =
                    Some((scan.messages.len() - scan.messages.iter().filter(seen).count()) as u64);
            }
            Err(refusal) => {
                failed += 1;
                observer.observe(&Event::FolderFailed {
                    folder: &row.name,
                    reason: &refusal.text,
                });
            }
        }
    })?;
    for row in rows.iter_mut().filter(|row| row.messages == Some(0)) {
        row.bytes.get_or_insert(0);
    }
    Ok(failed)
}
