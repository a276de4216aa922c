//! D12: the saved state of earlier copies between two mailboxes.

use super::Reached;
use super::report::{Report, SideReport, seen};
use super::survey::Survey;
use super::words::counted;
use crate::event::Check;
use crate::mail::{MailboxName, Side};
use crate::state::{FolderRecord, Mailboxes, PairName, StateCopy};
use crate::store::{Error, ErrorKind};
use std::path::Path;

/// The advice for a state that can't be used.
const WITHOUT: &str = "copy with --no-state, which compares everything";

/// Makes D12 for the two mailboxes of a copy; the state is only read.
pub(super) fn check(reached: &[Reached<'_>], directory: Option<&Path>, report: &mut Report<'_>) {
    let [source, target] = reached else {
        let side = reached.first().map_or(Side::SOURCE, |one| one.patient.side);
        report
            .of(side)
            .skipped(Check::State, "needs both mailboxes");
        return;
    };
    let report = &mut report.of(Side::TARGET);
    let Some(directory) = directory else {
        report.skipped(
            Check::State,
            "no home directory found, so runs save no state",
        );
        return;
    };
    let (from, to) = (
        source.patient.address.identity(),
        target.patient.address.identity(),
    );
    let mailboxes = Mailboxes {
        source: &from,
        target: &to,
    };
    let tried = format!("looked for earlier runs in {}", directory.display());
    let copy = match StateCopy::make(directory, &PairName::new(&from, &to), &mailboxes) {
        Ok(None) => {
            return report.good(
                seen(Check::State, tried, "none"),
                "the first copy compares everything",
            );
        }
        Ok(Some(copy)) => copy,
        Err(error) => return unusable(error, tried, report),
    };
    match copy.state.folders() {
        Ok(records) => tell(&records, &source.survey, tried, report),
        Err(error) => {
            let seen = seen(Check::State, tried, error.message);
            report.failed(seen, error.kind, "the state can't be read", WITHOUT);
        }
    }
}

/// Reports a state that a copy would not use.
fn unusable(error: Error, tried: String, report: &mut SideReport<'_, '_>) {
    let seen = seen(Check::State, tried, error.message);
    if error.kind == ErrorKind::Locked {
        let meaning = "two runs never work on the same pair at once";
        report.failed(seen, error.kind, meaning, "wait for it to finish");
    } else {
        let advice = error.hint.unwrap_or_else(|| WITHOUT.to_owned());
        report.failed(seen, error.kind, "a copy would refuse to use it", advice);
    }
}

fn tell(records: &[FolderRecord], source: &Survey, tried: String, report: &mut SideReport<'_, '_>) {
    let unfinished = records
        .iter()
        .filter(|record| record.intent.is_some())
        .count();
    let anew = records
        .iter()
        .filter(|record| is_anew(record, source))
        .count();
    let result = format!(
        "{} known, {unfinished} of them unfinished, {anew} recreated on the source since",
        counted(records.len() as u64, "folder")
    );
    let seen = seen(Check::State, tried, result);
    if anew > 0 {
        let meaning = "those folders have new UIDs (UIDVALIDITY changed), so they are rechecked; nothing is duplicated";
        report.doubtful(
            seen,
            meaning,
            "nothing to do; if it happens every time, ask the server's operator",
        );
    } else if unfinished > 0 {
        let meaning = "the last run was stopped while copying: messages in transit are looked for before they are resent";
        report.doubtful(seen, meaning, "rerun the same copy to resume");
    } else {
        report.good(seen, "the next copy only looks at what has changed");
    }
}

/// Reports whether the source's folder has other UIDs than when it was recorded.
fn is_anew(record: &FolderRecord, source: &Survey) -> bool {
    let name = |index: usize| -> &MailboxName { &source.listing.mailboxes[index].name };
    let folder = source
        .folders
        .iter()
        .find(|folder| *name(folder.index) == record.source);
    let now = folder.and_then(|folder| folder.scan.as_ref().ok()?.uid_validity);
    matches!((now, record.source_uid_validity), (Some(now), Some(then)) if now != then)
}
