//! Scans folders: opens and reads many, one after the other, without waiting in between.
//!
//! Every requested attribute must arrive, and as many messages as the server says exist: what could
//! not be read is counted as unlisted, never treated as absent.

use super::asking::{Asking, ChangeTelling, Items, askings, changes_since};
use super::opening::Opening;
use super::refusal::{Asked, refusal};
use super::session::{Open, Session, open_command};
use crate::identity;
use crate::imap::wire::Answers;
use crate::imap::{Command, Content, Error, Fetch, Reply, Response, Ticket, Unreadable};
use crate::mail::{Flags, HeaderKey, InternalDate, Message, Uid, UidSet};
use crate::net::Phase;
use crate::store::{
    Answer, FolderScan, Refusal, RefusalMeaning, ScanDepth, ScanRequest, Unchanged,
};
use std::collections::VecDeque;

/// The most messages for which memory is reserved on a server's word alone.
const MOST_ROOM: u64 = 1 << 20;

impl Session {
    pub(super) fn scan_all(
        &mut self,
        requests: &[ScanRequest<'_>],
        done: &mut dyn FnMut(usize, Answer<FolderScan>),
    ) -> Result<(), Error> {
        if requests.is_empty() {
            return Ok(());
        }
        self.ensure_alive()?;
        self.connection.set_phase(Phase::Reply);
        self.enable_qresync(requests)?;
        let found = self.search_all(requests)?;
        let mut under_way: VecDeque<UnderWay> = VecDeque::new();
        let mut unsent = requests.iter().zip(found).enumerate().peekable();
        loop {
            let is_half_answered = self.connection.is_half_answered();
            // A folder's commands all come before the next folder's.
            while under_way.back().is_none_or(|scan| {
                is_half_answered && scan.unsent.is_empty() && self.connection.has_room()
            }) {
                let alone = unsent
                    .peek()
                    .is_some_and(|(_, (request, _))| self.opens_alone(request.mailbox));
                if alone && !under_way.is_empty() {
                    break;
                }
                let Some((index, (request, found))) = unsent.next() else {
                    break;
                };
                under_way.push_back(self.begin_scan(index, request, found)?);
            }
            let Some(scan) = under_way.pop_front() else {
                break;
            };
            self.scanned = Some(requests[scan.index].mailbox.clone());
            let (index, ended) = (scan.index, self.end_scan(scan)?);
            self.scanned = None;
            done(index, ended);
        }
        self.leave_folder()
    }

    /// Enables reports of gone messages if a scan will request only changes. No folder is open
    /// here, as ENABLE requires (RFC 5161).
    fn enable_qresync(&mut self, requests: &[ScanRequest<'_>]) -> Result<(), Error> {
        let is_wanted = requests
            .iter()
            .any(|request| changes_since(request.depth).is_some());
        if is_wanted && !self.has_qresync && self.open.is_none() && self.capabilities.has("QRESYNC")
        {
            self.connection
                .send_unattended(&Command::new("ENABLE QRESYNC"))?;
            self.has_qresync = true;
        }
        Ok(())
    }

    /// Returns the UIDs that match each request's SEARCH; `None` for a request without one. All
    /// folders are searched at once.
    fn search_all(
        &mut self,
        requests: &[ScanRequest<'_>],
    ) -> Result<Vec<Option<Answer<UidSet>>>, Error> {
        let mut results: Vec<Option<Answer<UidSet>>> = vec![None; requests.len()];
        let searching: Vec<(usize, &str)> = requests
            .iter()
            .enumerate()
            .filter_map(|(at, request)| Some((at, request.search?)))
            .collect();
        let mut commands = Vec::new();
        for (at, search) in &searching {
            commands.push(open_command(
                requests[*at].mailbox,
                requests[*at].for_writing,
            ));
            commands.push(Command::new("UID SEARCH").text(search));
        }
        let mut found: Vec<Option<UidSet>> = vec![None; searching.len()];
        let replies = self.connection.run_all(&commands, |nth, response| {
            if let Response::Search(uids) = response {
                // A server may split its answer into several lines.
                found[nth / 2].get_or_insert_default().add(uids);
            }
            Ok(())
        })?;
        for (nth, (at, _)) in searching.iter().enumerate() {
            let failed = replies[nth * 2..nth * 2 + 2]
                .iter()
                .find(|reply| !reply.is_ok());
            results[*at] = Some(match failed {
                Some(reply) => Err(refusal(reply, Asked::Read)),
                None => Ok(found[nth].take().unwrap_or_default()),
            });
            self.open = Some(Open {
                mailbox: requests[*at].mailbox.clone(),
                for_writing: requests[*at].for_writing,
            });
        }
        Ok(results)
    }

    fn begin_scan(
        &mut self,
        index: usize,
        request: &ScanRequest<'_>,
        found: Option<Answer<UidSet>>,
    ) -> Result<UnderWay, Error> {
        let mut scan = UnderWay::new(index, request);
        if let Some(refusal) = self.breaks.refusal(request.mailbox) {
            scan.refusal = Some(refusal);
            return Ok(scan);
        }
        let uids = match found {
            Some(Err(refusal)) => {
                scan.refusal = Some(refusal);
                return Ok(scan);
            }
            Some(Ok(uids)) => Some(uids),
            None => request.uids.clone(),
        };
        // Open it even if it is already open: only that shows how many messages it has now.
        self.open = None;
        scan.opening = self.open(request.mailbox, request.for_writing)?;
        scan.unsent = askings(request.depth, uids.as_ref(), self.change_telling());
        scan.tells_changes = scan
            .unsent
            .iter()
            .any(|asking| asking.changed_since.is_some());
        scan.wanted = uids;
        self.send_fetches(&mut scan)?;
        Ok(scan)
    }

    /// Returns how the server reports what has changed since a HIGHESTMODSEQ.
    fn change_telling(&self) -> ChangeTelling {
        let has = |name| self.capabilities.has(name);
        match (self.has_qresync, has("CONDSTORE") || has("QRESYNC")) {
            (true, _) => ChangeTelling::Vanished,
            (_, true) if has("ESEARCH") => ChangeTelling::Search("UID SEARCH RETURN (ALL) UID"),
            (_, true) => ChangeTelling::Search("UID SEARCH UID"),
            _ => ChangeTelling::Never,
        }
    }

    /// Requests a folder's messages, keeping several sets in flight.
    fn send_fetches(&mut self, scan: &mut UnderWay) -> Result<(), Error> {
        while scan.fetches.is_empty() || self.connection.has_room() {
            let Some(asking) = scan.unsent.pop_front() else {
                break;
            };
            scan.fetches
                .push_back(self.connection.send(&asking.command())?);
        }
        Ok(())
    }

    /// Takes the replies to one folder's commands.
    fn end_scan(&mut self, mut scan: UnderWay) -> Result<Answer<FolderScan>, Error> {
        if let Some(opening) = scan.opening {
            let mut told = Opening::at(self.provider);
            let reply = self.connection.wait(
                opening,
                &mut |_: Option<Ticket>, response: &Response<'_>| {
                    told.take(response);
                    Ok(())
                },
            )?;
            told.end(&reply);
            scan.opened(told, &reply);
            if scan.refusal.is_none() && scan.scan.uid_validity.is_none() && self.gives_uid_validity
            {
                // The reply that has it was lost or can't be parsed: without it, known UIDs would
                // count as new ones.
                let text =
                    "the server opened the folder without the UIDVALIDITY that it otherwise gives"
                        .to_owned();
                scan.refusal = Some(Refusal {
                    meaning: RefusalMeaning::Transient,
                    text,
                });
            }
            self.gives_uid_validity |= scan.scan.uid_validity.is_some();
            scan.make_room();
        }
        while !scan.fetches.is_empty() {
            let due = std::mem::take(&mut scan.fetches);
            let (done, reply) = self.connection.wait_any(
                |ticket| due.contains(&ticket),
                &mut |_: Option<Ticket>, response: &Response<'_>| scan.take_fetched(response),
            )?;
            scan.fetches = due.into_iter().filter(|ticket| *ticket != done).collect();
            if !reply.is_ok() {
                scan.refusal
                    .get_or_insert_with(|| refusal(&reply, Asked::Read));
            }
            if scan.refusal.is_none() {
                self.send_fetches(&mut scan)?;
            }
        }
        Ok(scan.finish())
    }
}

/// One folder's scan while its replies arrive.
struct UnderWay {
    index: usize,
    depth: ScanDepth,
    wanted: Option<UidSet>,
    opening: Option<Ticket>,
    /// What has not been requested yet.
    unsent: VecDeque<Asking>,
    fetches: VecDeque<Ticket>,
    refusal: Option<Refusal>,
    /// Messages that existed when the folder was opened and have not been expunged since.
    expected: u64,
    /// Whether only changes were requested.
    tells_changes: bool,
    /// Known messages that are gone.
    gone: UidSet,
    /// Known messages that a search has found.
    found: Option<UidSet>,
    /// Messages whose attributes could not be parsed.
    unreadable: u64,
    /// Messages with some, but not all, of the requested attributes.
    short: UidSet,
    answers: Answers,
    scan: FolderScan,
}

impl UnderWay {
    fn new(index: usize, request: &ScanRequest<'_>) -> Self {
        Self {
            index,
            depth: request.depth,
            wanted: None,
            opening: None,
            unsent: VecDeque::new(),
            fetches: VecDeque::new(),
            refusal: None,
            expected: 0,
            tells_changes: false,
            gone: UidSet::default(),
            found: None,
            unreadable: 0,
            short: UidSet::default(),
            answers: Answers::default(),
            scan: FolderScan::default(),
        }
    }

    fn opened(&mut self, opening: Opening, reply: &Reply) {
        if !reply.is_ok() {
            self.refusal = Some(refusal(reply, Asked::Read));
        }
        self.scan = opening.into_scan();
        self.expected = u64::from(self.scan.exists);
    }

    /// Reserves memory for as many messages as the folder has, so that it isn't copied as it grows.
    fn make_room(&mut self) {
        if self.wanted.is_none() && !self.tells_changes {
            self.scan
                .messages
                .reserve_exact(usize::try_from(self.expected.min(MOST_ROOM)).unwrap_or(0));
        }
    }

    fn take_fetched(&mut self, response: &Response<'_>) -> Result<(), Error> {
        if matches!(
            response,
            Response::Fetch(_) | Response::Unreadable(Unreadable { kind: "FETCH", .. })
        ) {
            let (exists, wanted) = (self.scan.exists, self.wanted.as_ref());
            self.answers
                .count(|| wanted.map_or(u64::from(exists), UidSet::len))?;
        }
        match response {
            Response::Fetch(fetch) => self.take_fetch(fetch),
            Response::Unreadable(Unreadable { kind: "FETCH", .. }) => self.unreadable += 1,
            Response::Expunge(_) => self.expunged(1),
            Response::Vanished {
                earlier: true,
                uids,
            } => self.gone.add(uids),
            Response::Search(uids) => self.found.get_or_insert_default().add(uids),
            Response::ESearch(found) if found.uid => {
                self.found.get_or_insert_default().add(&found.all);
            }
            Response::Vanished {
                earlier: false,
                uids,
            } => self.expunged(uids.len()),
            _ => {}
        }
        Ok(())
    }

    /// Notes messages that went during the scan.
    fn expunged(&mut self, count: u64) {
        self.expected = self.expected.saturating_sub(count);
    }

    /// Takes a FETCH response. A message is known once all its attributes have arrived; fewer are
    /// another client's flag change, reported in passing.
    fn take_fetch(&mut self, fetch: &Fetch<'_>) {
        let Some(uid) = fetch.uid.and_then(Uid::new) else {
            return;
        };
        if self
            .wanted
            .as_ref()
            .is_some_and(|wanted| !wanted.contains(uid))
        {
            return;
        }
        let Some(items) = Items::found(fetch, Items::least(self.depth, uid)) else {
            self.short.insert(uid);
            return;
        };
        let flags = fetch.flags.iter().flatten().map(AsRef::as_ref);
        let flags = self.scan.flags.intern(Flags::from_names(flags));
        if items == Items::Flags {
            self.scan.messages.push(Message::bare(uid, flags));
            return;
        }
        let key = match (&fetch.header, Items::least(self.depth, uid)) {
            // Not requested.
            (_, Items::Size | Items::Attributes) => HeaderKey::Unknown,
            (Some(Content::Bytes(bytes)), _) => {
                if self.depth == ScanDepth::Headings {
                    self.scan.headings.push((uid, identity::heading(bytes)));
                }
                identity::header_key(bytes)
            }
            // Header fields too long to keep: only the content can identify this message.
            (Some(Content::Streamed { .. }), _) => HeaderKey::Empty,
            _ => HeaderKey::Unknown,
        };
        let date = fetch.internal_date.as_deref().and_then(InternalDate::parse);
        let is_fixed =
            matches!(&fetch.header, Some(Content::Bytes(bytes)) if identity::is_fixed(bytes));
        let message = Message::new(uid, fetch.size.unwrap_or(0), date, flags, key);
        self.scan.messages.push(message.with_fixed(is_fixed));
    }

    fn finish(self) -> Answer<FolderScan> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let mut scan = self.scan;
        // Of a message that arrived twice, keep what says more.
        scan.messages.sort_by_key(|message| {
            (
                message.uid(),
                message.key() == HeaderKey::Unknown,
                message.is_bare(),
            )
        });
        scan.messages.dedup_by_key(|message| message.uid());
        let listed = scan.messages.len() as u64;
        let is_whole = self.wanted.is_none() && !self.tells_changes;
        let absent = if is_whole {
            self.expected.saturating_sub(listed)
        } else {
            0
        };
        scan.unchanged = self.tells_changes.then(|| {
            self.found
                .map_or(Unchanged::AllBut(self.gone), Unchanged::Only)
        });
        let is_listed = |uid: &Uid| {
            scan.messages
                .binary_search_by_key(uid, Message::uid)
                .is_ok()
        };
        let short = self.short.iter().filter(|uid| !is_listed(uid)).count() as u64;
        scan.unlisted = absent.max(self.unreadable).max(short);
        Ok(scan)
    }
}
