//! The start of every run with two mailboxes: connects to both, lists both, pairs their folders.

use super::compare;
use super::unlisted::tell_gaps;
use crate::engine::scans::scan_each;
use crate::event::{Event, Observer, Run};
use crate::exec::{self, Lanes, Link, ReadLink, at_once, pause};
use crate::folders::{Pair, PairError, Pairing, Rules, TargetFolder, is_foreign_name, pair};
use crate::mail::{Both, ListedMailbox, Listing, MailboxName, Side, SpecialUse};
use crate::store::{
    Answer, AsReadStore, Connector, Error, ErrorKind, ReadConnector, ReadStore, ScanDepth, Store,
};
use std::time::Duration;

/// Both mailboxes, open and listed, with their paired folders.
pub(super) struct Opened<C = Box<dyn Store>> {
    pub(super) link: Link<C>,
    pub(super) source_listing: Listing,
    pub(super) target_listing: Listing,
    pub(super) pairing: Pairing,
    /// What could not be listed on either side.
    gaps: u64,
}

impl<C: AsReadStore> Opened<C> {
    /// Returns the connections, and the folder names separately.
    pub(super) fn link_and_names(&mut self) -> (&mut Link<C>, Names<'_>) {
        (
            &mut self.link,
            Names::new(&self.pairing, &self.source_listing, &self.target_listing),
        )
    }

    /// Folders on the source that can't be copied, and gaps in the listings of both sides; each was
    /// reported in an event.
    pub(super) fn folders_failed(&self) -> u64 {
        self.pairing
            .skipped
            .iter()
            .filter(|folder| folder.failed)
            .count() as u64
            + self.gaps
    }
}

impl<C: AsReadStore> Opened<C> {
    pub(super) fn new(
        mut link: Link<C>,
        rules: &Rules,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let Link { source, target } = &mut link;
        let (source_listing, target_listing) = at_once(
            || list(source.reading(), Side::SOURCE, observer),
            || list(target.reading(), Side::TARGET, observer),
        );
        let (source_listing, target_listing) = (source_listing?, target_listing?);
        let mut pairing =
            pair(&source_listing, &target_listing, rules).map_err(|error| unpaired(&error))?;
        let views = std::mem::take(&mut pairing.views);
        pairing.pairs.extend(views);
        for text in &pairing.warnings {
            observer.observe(&Event::Warning { text });
        }
        let gaps = tell_gaps(&source_listing, Side::SOURCE.name(), observer)
            + tell_gaps(&target_listing, Side::TARGET.name(), observer);
        for folder in pairing.skipped.iter().filter(|folder| folder.failed) {
            observer.observe(&Event::FolderFailed {
                folder: &folder.name,
                reason: &folder.reason,
            });
        }
        Ok(Self {
            link,
            source_listing,
            target_listing,
            pairing,
            gaps,
        })
    }
}

/// Returns why two mailboxes can't be processed with these options.
pub(super) fn unpaired(error: &PairError) -> Error {
    let text = error.to_string();
    match error {
        PairError::NoFolder { .. } => Error::new(ErrorKind::Usage, text).with_hint(
            "nothing was copied or changed; list the folders with `mailferry folders MAILBOX`",
        ),
        PairError::Collision(_) | PairError::NoName { .. } => Error::new(ErrorKind::Refused, text),
    }
}

/// Connects to both sides in parallel.
///
/// # Errors
/// One of them can't be reached or logged in to. There is no second try, as a refused login must
/// not be repeated.
pub(super) fn connect(connectors: Both<&dyn Connector>) -> Result<Link, Error> {
    exec::connect(connectors).map_err(|(_, error)| error)
}

/// Connects to both sides for reading only.
///
/// # Errors
/// The same.
pub(super) fn connect_to_read(connectors: Both<&dyn ReadConnector>) -> Result<ReadLink, Error> {
    let Both {
        first: source,
        second: target,
    } = connectors;
    exec::connect_with(|| source.connect_to_read(), || target.connect_to_read())
        .map_err(|(_, error)| error)
}

/// Does work that only reads, with a connection to each side, and again with new ones if one of
/// them breaks.
///
/// # Errors
/// Any other error, or one that breaks connections repeatedly or permanently.
pub(super) fn patiently<T>(
    connect: impl Fn() -> Result<Link, Error>,
    run: Run<'_>,
    mut work: impl FnMut(Link) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut done = work(connect()?);
    let mut failures = 0;
    loop {
        let error = match done {
            Err(error) => error,
            done => return done,
        };
        let Some(wait) = pause_after(&error, failures) else {
            return Err(error);
        };
        failures = if error.is_over_folder {
            0
        } else {
            failures + 1
        };
        let side = error
            .account
            .as_ref()
            .map_or(Side::SOURCE, |account| account.side);
        run.observer.observe(&Event::Retrying {
            side,
            wait,
            reason: &error.message,
        });
        pause(wait, run.stop)?;
        // A server that no longer accepts logins said why when the connection broke.
        done = match connect() {
            Err(refused) if refused.kind == ErrorKind::Unreachable => return Err(error),
            link => work(link?),
        };
    }
}

/// Returns how long to wait before retrying; `None` for no retry.
fn pause_after(error: &Error, failures: usize) -> Option<Duration> {
    const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
    match error.kind {
        // The next connection skips that folder.
        _ if error.is_over_folder => Some(PAUSES[0]),
        ErrorKind::Lost => PAUSES.get(failures).copied(),
        // A stalled one has taken long already, so retry once.
        ErrorKind::Stalled if failures == 0 => Some(PAUSES[0]),
        _ => None,
    }
}

/// Lists a side, and reports its server and its number of folders.
///
/// # Errors
/// A failure that ends the connection.
pub(super) fn list(
    store: &mut dyn ReadStore,
    side: Side,
    observer: &dyn Observer,
) -> Result<Listing, Error> {
    let listing = store.list();
    // The server's name arrives with the listing, without a further round trip.
    observer.observe(&Event::Connected {
        side,
        server: store.server(),
        provider: store.provider().map(|provider| provider.name),
        is_compressed: store.is_compressed(),
    });
    let listing = listing?;
    observer.observe(&Event::Listed {
        side,
        folders: listing.mailboxes.len(),
    });
    Ok(listing)
}

/// The number of lanes that keeps two near servers busy. Measured: with more, they wait for each
/// other.
const NEAR_LANES: usize = 2;

/// Returns the number of lanes: as requested, otherwise as many as both servers handle; never more
/// connections than an address allows.
pub(super) fn lanes(asked: Option<usize>, connectors: Both<&dyn Connector>, link: &Link) -> Lanes {
    let (one, other) = (link.source.connections(), link.target.connections());
    let usual = one.usual.min(other.usual);
    let first = if one.is_near && other.is_near {
        usual.min(NEAR_LANES)
    } else {
        usual
    };
    let borne = Lanes {
        first,
        most: one.most.min(other.most),
    };
    let most = connectors.map(|connector| connector.max_connections().unwrap_or(usize::MAX));
    let allowed = most.first.min(most.second);
    asked.map_or(borne, Lanes::fixed).up_to(allowed)
}

/// Returns a folder's number of messages, by its counters or by counting; or why it is unknown.
pub(super) fn count_messages(
    store: &mut dyn ReadStore,
    folder: &ListedMailbox,
) -> Result<Answer<u64>, Error> {
    if let Some(messages) = folder
        .status
        .as_ref()
        .and_then(|status| status.counters.messages)
    {
        return Ok(Ok(u64::from(messages)));
    }
    let scan = scan_each(store, ScanDepth::Attributes, [(&folder.name, None)])?.pop();
    Ok(scan.map_or(Ok(0), |scan| scan.map(|scan| u64::from(scan.exists))))
}

/// The pairs, with the listings that they refer to.
pub(super) struct Names<'a> {
    pub(super) pairs: &'a [Pair],
    pub(super) pairing: &'a Pairing,
    pub(super) source: &'a Listing,
    pub(super) target: &'a Listing,
}

impl<'a> Names<'a> {
    pub(super) fn new(pairing: &'a Pairing, source: &'a Listing, target: &'a Listing) -> Self {
        Self {
            pairs: &pairing.pairs,
            pairing,
            source,
            target,
        }
    }
}

impl Names<'_> {
    /// Returns the pairs to compare; with `all_headers`, headers are read even if nothing has to be
    /// matched.
    pub(super) fn comparison_pairs(&self, all_headers: bool) -> Vec<compare::Pair> {
        self.pairs
            .iter()
            .map(|pair| self.comparison_pair(pair, all_headers))
            .collect()
    }

    fn comparison_pair(&self, pair: &Pair, all_headers: bool) -> compare::Pair {
        let target = self.existing(pair);
        // Gmail and Proton keep one of several equal messages, which headers show.
        let all_headers = all_headers || self.target.merges_equal;
        compare::Pair {
            source: self.source.mailboxes[pair.source].name.clone(),
            target: target.map(|folder| folder.name.clone()),
            by_identity: all_headers || target.is_some_and(|folder| !folder.is_empty()),
            drafts: pair.role == Some(SpecialUse::Drafts),
            known: None,
            only: None,
            sorted: None,
        }
    }

    /// Returns the number of messages in the source's folders; `None` if the listing lacks it for
    /// one of them.
    pub(super) fn messages_on_source(&self) -> Option<u64> {
        self.pairs
            .iter()
            .filter(|pair| !pair.view)
            .map(|pair| self.messages(pair))
            .sum()
    }

    /// Returns the same for one pair.
    pub(super) fn messages(&self, pair: &Pair) -> Option<u64> {
        self.source.mailboxes[pair.source]
            .status
            .as_ref()?
            .counters
            .messages
            .map(u64::from)
    }

    pub(super) fn existing(&self, pair: &Pair) -> Option<&ListedMailbox> {
        match pair.target {
            TargetFolder::Existing(index) => self.target.mailboxes.get(index),
            TargetFolder::New { .. } => None,
        }
    }

    /// Reports whether a folder on the target is the user's own; a new one always is.
    pub(super) fn is_own_on_target(&self, name: Option<&MailboxName>) -> bool {
        name.is_none_or(|name| !is_foreign_name(name, self.target.style.separator, self.target))
    }

    pub(super) fn is_subscribed_on_target(&self, pair: &Pair) -> bool {
        self.existing(pair).is_some_and(|folder| folder.subscribed)
    }
}
