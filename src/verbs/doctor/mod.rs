//! `doctor`: finds out whether a mailbox can be reached and used, and what to do if not. Writes
//! nothing anywhere.
//!
//! ```text
//! way        D1 name, D2 port            survey     what is in the mailbox, read once for the checks below
//! protocol   D3 protocol                 content    D10 messages, D11 duplicates
//! trust      D4 certificate              room       D7 space and limits
//! entry      D5 login, D6 ready          folders    D9 folders
//! speed      D8 speed, D13 idle          state      D12 earlier runs
//! provider   what is known of large providers, for advice
//! report     reports and counts findings
//! ```
//!
//! The checks are made in order. If one of D1 to D6 fails, the rest is skipped for its mailbox, as
//! it could not be tried; with two mailboxes, the other one is still checked that far. There is
//! only one attempt to log in: repeated failures lock accounts.

mod content;
mod entry;
mod folders;
mod protocol;
mod report;
mod room;
mod speed;
mod state;
mod survey;
mod trust;
mod way;
pub(super) mod words;

use self::report::Report;
use self::survey::Survey;
use crate::address::ImapAddress;
use crate::event::Observer;
use crate::mail::Side;
use crate::store::ErrorKind;
use crate::store::imap::{Account, Checkup};
use crate::verbs::milliseconds;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// A mailbox to check.
pub struct Patient<'a> {
    /// Its side: with two mailboxes, where mail would come from or go to.
    pub side: Side,
    /// Its address.
    pub address: &'a ImapAddress,
    /// The account, for reading only.
    pub account: &'a Account,
}

/// The options of `doctor`.
#[derive(Clone, Debug)]
pub struct DoctorOptions<'a> {
    /// How long to leave a connection idle to see whether it survives.
    pub idle: Duration,
    /// The state directory of copies, if any.
    pub state: Option<&'a Path>,
}

/// The result of `doctor`, in numbers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DoctorSummary {
    /// Checks that found no problem.
    #[serde(rename = "ok")]
    pub good: u64,
    /// Checks that found something to know or to do.
    #[serde(rename = "warnings")]
    pub doubtful: u64,
    /// Checks that found a problem that makes a copy fail.
    pub failed: u64,
    /// Checks that don't apply.
    pub skipped: u64,
    /// The kind of the first failure.
    #[serde(skip)]
    pub failure: Option<ErrorKind>,
    /// The time it took.
    #[serde(serialize_with = "milliseconds")]
    pub seconds: f64,
}

/// A mailbox that was reached, with its contents.
struct Reached<'a> {
    patient: &'a Patient<'a>,
    checkup: Checkup,
    survey: Survey,
}

/// Makes all checks of one mailbox, or of the two of a copy. Each is reported as it is made.
pub fn doctor(
    patients: &[Patient<'_>],
    options: &DoctorOptions<'_>,
    observer: &dyn Observer,
) -> DoctorSummary {
    let started = Instant::now();
    let mut report = Report::new(observer);
    let mut reached: Vec<Reached<'_>> = patients
        .iter()
        .filter_map(|patient| reach(patient, &mut report))
        .collect();
    if reached.len() == patients.len() {
        examine(&mut reached, options, &mut report);
    }
    for one in &mut reached {
        one.checkup.store().close();
    }
    let mut summary = report.summary;
    summary.seconds = started.elapsed().as_secs_f64();
    summary
}

/// Makes D1 to D6, each only if the earlier ones succeeded.
fn reach<'a>(patient: &'a Patient<'a>, report: &mut Report<'_>) -> Option<Reached<'a>> {
    let mut report = report.of(patient.side);
    let addresses = way::name(patient, &mut report)?;
    let addresses = way::port(patient, &addresses, &mut report)?;
    let offered = protocol::check(patient, &addresses, &mut report)?;
    let mut checkup = entry::log_in(patient, &offered, &mut report)?;
    let listing = entry::ready(patient, &mut checkup, &mut report)?;
    match Survey::make(checkup.store(), listing) {
        Ok(survey) => Some(Reached {
            patient,
            checkup,
            survey,
        }),
        Err(error) => {
            entry::lost(patient, &error, &mut report);
            None
        }
    }
}

/// Makes D7 to D13, which don't depend on each other.
fn examine(reached: &mut [Reached<'_>], options: &DoctorOptions<'_>, report: &mut Report<'_>) {
    room::check(reached, report);
    for one in reached.iter_mut() {
        speed::pace(one, &mut report.of(one.patient.side));
    }
    folders::check(reached, report);
    for one in reached.iter() {
        let mut report = report.of(one.patient.side);
        content::messages(one, &mut report);
    }
    for one in reached.iter() {
        content::duplicates(one, &mut report.of(one.patient.side));
    }
    state::check(reached, options.state, report);
    for one in reached.iter_mut() {
        speed::idle(one, options.idle, &mut report.of(one.patient.side));
    }
}
