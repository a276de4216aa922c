//! `--wait`: a run that ends at a daily limit waits until there is more, and begins again.
//!
//! Each round is a run of its own, with new connections and new scans: in the hours between,
//! servers close connections, and people change mailboxes.

use super::{CopySummary, Status, SyncSummary, SyncWay};
use crate::event::{Event, Run};
use crate::mail::{Both, Side};
use crate::plan::planned::Planned;
use crate::store::budget::{Clock, Direction, SystemClock, shown_time};
use crate::store::{Connector, Error, ErrorKind};
use std::time::{Duration, SystemTime};

/// How long to wait where nobody says until when.
const USUAL: Duration = Duration::from_secs(3_600);
/// How often a wait looks for a request to stop.
const SLICE: Duration = Duration::from_millis(200);

/// The result of a round.
pub(super) trait Round: Sized {
    /// Returns its status.
    fn status(&mut self) -> &mut Status;

    /// Adds up this round and all earlier ones.
    #[must_use]
    fn after(self, earlier: Self) -> Self;
}

/// Checks whether a run may begin now, by what each account needs to be able to do.
///
/// # Errors
/// [`ErrorKind::LimitReached`], of either account.
pub(super) fn check(
    connectors: Both<&dyn Connector>,
    needs: Both<&[Direction]>,
) -> Result<(), Error> {
    for side in Side::BOTH {
        if let Some(budget) = connectors[side].budget() {
            budget.check(needs[side])?;
        }
    }
    Ok(())
}

/// Does rounds until one ends otherwise than at a limit; only one, unless `waits`.
pub(super) fn in_rounds<R: Round>(
    waits: bool,
    connectors: Both<&dyn Connector>,
    run: Run<'_>,
    mut round: impl FnMut() -> Result<R, Error>,
) -> Result<R, Error> {
    let system = SystemClock;
    let budget = connectors.first.budget().or(connectors.second.budget());
    let clock = budget.map_or(&system as &dyn Clock, |budget| budget.clock());
    let mut earlier: Option<R> = None;
    loop {
        let error = match round() {
            Ok(mut done) => {
                let limit = limit_of(done.status()).filter(|_| waits);
                let done = match earlier.take() {
                    Some(earlier) => done.after(earlier),
                    None => done,
                };
                let Some(error) = limit else {
                    return Ok(done);
                };
                earlier = Some(done);
                error
            }
            Err(error) if error.kind == ErrorKind::LimitReached && waits => error,
            Err(error) => return ended(earlier, Status::Stopped(error.clone()), error),
        };
        if let Err(stopped) = wait_out(&error, clock, run) {
            return ended(earlier, Status::Interrupted, stopped);
        }
    }
}

/// Returns what was done before a round that could not begin.
fn ended<R: Round>(earlier: Option<R>, status: Status, error: Error) -> Result<R, Error> {
    let mut done = earlier.ok_or(error)?;
    *done.status() = status;
    Ok(done)
}

fn limit_of(status: &Status) -> Option<Error> {
    match status {
        Status::Stopped(error) if error.kind == ErrorKind::LimitReached => Some(error.clone()),
        _ => None,
    }
}

/// Waits until the account may be used again, unless the user asks to stop.
fn wait_out(error: &Error, clock: &dyn Clock, run: Run<'_>) -> Result<(), Error> {
    let now = clock.now();
    let until: SystemTime = error
        .again()
        .unwrap_or_else(|| now + error.when.map_or(USUAL, |_| error.least_wait()))
        .max(now + Duration::from_secs(1));
    let side = error
        .account
        .as_ref()
        .map_or(Side::SOURCE, |account| account.side);
    run.observer.observe(&Event::Waiting {
        side,
        until: &shown_time(until),
        reason: &error.message,
    });
    loop {
        if run.stop.is_requested() {
            return Err(Error::new(
                ErrorKind::Interrupted,
                "stopped while waiting for a limit",
            ));
        }
        match until.duration_since(clock.now()) {
            Ok(left) if !left.is_zero() => clock.pass(left.min(SLICE)),
            _ => return Ok(()),
        }
    }
}

impl Round for (CopySummary, Planned) {
    fn status(&mut self) -> &mut Status {
        &mut self.0.status
    }

    fn after(self, earlier: Self) -> Self {
        let (last, planned) = self;
        let (before, _) = earlier;
        let mut traffic = before.traffic;
        traffic += last.traffic;
        let summary = CopySummary {
            folders_created: before.folders_created + last.folders_created,
            copied: before.copied + last.copied,
            copied_server_side: before.copied_server_side + last.copied_server_side,
            // What earlier rounds have copied is there for the later ones.
            already_there: before.already_there,
            flags_updated: before.flags_updated + last.flags_updated,
            deleted: before.deleted + last.deleted,
            bytes_copied: before.bytes_copied + last.bytes_copied,
            seconds: before.seconds + last.seconds,
            folders_renamed: before.folders_renamed + last.folders_renamed,
            folders_deleted: before.folders_deleted + last.folders_deleted,
            kept: before.kept + last.kept,
            repaired: before.repaired + last.repaired,
            traffic,
            // What failed was tried again.
            ..last
        };
        (summary, planned)
    }
}

impl Round for SyncSummary {
    fn status(&mut self) -> &mut Status {
        &mut self.status
    }

    fn after(self, before: Self) -> Self {
        let mut traffic = before.traffic;
        traffic += self.traffic;
        let to = Both::of(|side| SyncWay {
            // What failed was tried again.
            failed: self.to[side].failed,
            ..before.to[side] + self.to[side]
        });
        Self {
            already_there: before.already_there,
            seconds: before.seconds + self.seconds,
            to,
            traffic,
            ..self
        }
    }
}
