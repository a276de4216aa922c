//! How much more fits into folders, by their quota roots (RFC 9208).

use super::session::Session;
use crate::imap::{Command, Error, Quota, Response};
use crate::mail::MailboxName;
use crate::store::Room;
use std::collections::{BTreeMap, BTreeSet};

/// How many folders are asked about at most: nearly always, all have one root.
const MOST_FOLDERS: usize = 100;

impl Session {
    /// Asks for the quotas of these folders, all in one flight. A folder whose roots the server
    /// doesn't tell has no limit that is known.
    pub(super) fn ask_room(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Room>, Error> {
        if !self.capabilities.has("QUOTA") {
            return Ok(Vec::new());
        }
        let ask = |mailbox: &MailboxName| Command::new("GETQUOTAROOT").mailbox(mailbox);
        let commands: Vec<Command> = mailboxes.iter().take(MOST_FOLDERS).map(ask).collect();
        let mut quotas: BTreeMap<String, Quota> = BTreeMap::new();
        let mut folders: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        self.connection.run_all(&commands, |at, response| {
            match response {
                // Sent with the reply to its own folder, in the order of the commands.
                Response::QuotaRoot(told) => {
                    for root in &told.roots {
                        folders.entry(root.clone()).or_default().insert(at);
                    }
                }
                Response::Quota(quota) => {
                    quotas.insert(quota.root.clone(), quota.clone());
                }
                _ => {}
            }
            Ok(())
        })?;
        let room = |(root, folders): (String, BTreeSet<usize>)| {
            let quota = quotas.get(&root)?;
            Some(Room {
                name: root,
                folders: folders.into_iter().collect(),
                bytes: free(quota, "STORAGE").map(|kib| kib.saturating_mul(1024)),
                messages: free(quota, "MESSAGE"),
            })
        };
        Ok(folders.into_iter().filter_map(room).collect())
    }
}

/// Returns what is left of a resource; `None` if it isn't limited.
fn free(quota: &Quota, resource: &str) -> Option<u64> {
    let mut resources = quota.resources.iter();
    let found = resources.find(|found| found.name.eq_ignore_ascii_case(resource))?;
    Some(found.limit.saturating_sub(found.used))
}
