//! Exit codes: what scripts may rely on. The numbers never change meaning.

use mailferry::store::ErrorKind;
use mailferry::verbs::{CopySummary, DoctorSummary, Status, SyncSummary, VerifySummary};

/// Done; for `verify`: equal.
pub(crate) const DONE: u8 = 0;
/// Could not run, or stopped early.
pub(crate) const STOPPED: u8 = 1;
/// The command line is wrong, or a password is missing.
pub(crate) const USAGE: u8 = 2;
/// Finished, but some messages or folders failed; each was reported.
pub(crate) const PARTIAL: u8 = 3;
/// `verify`: they differ. `copy --dry-run --exit-code`: there is work to do.
pub(crate) const DIFFERENT: u8 = 4;
/// The server refused the login.
pub(crate) const AUTHENTICATION: u8 = 5;
/// No connection, or TLS is not trusted.
pub(crate) const UNREACHABLE: u8 = 6;
/// Another run holds this pair's lock.
pub(crate) const LOCKED: u8 = 7;
/// The target is full, or the provider's limit is reached.
pub(crate) const FULL: u8 = 8;
/// More would be deleted than `--max-delete` allows, so nothing was.
pub(crate) const BRAKED: u8 = 9;
/// Interrupted; the next run resumes.
pub(crate) const INTERRUPTED: u8 = 130;
/// The reader of stdout has closed it: what a shell reports for a process ended by SIGPIPE.
pub(crate) const BROKEN_PIPE: u8 = 141;

/// The table for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
    0  done; verify: both sides are equal
    1  failed to start, or stopped early
    2  wrong usage, or no password
    3  finished, but some messages or folders failed (each is reported)
    4  verify: they differ; --dry-run --exit-code: there is work to do
    5  the server refused the login
    6  no connection, or the server's certificate isn't trusted
    7  another run is using these mailboxes
    8  the target is full, or the provider's limit is reached
    9  --max-delete limit exceeded; nothing was deleted
  130  interrupted; rerun the same command to resume";

/// Returns what a code means for a command, in the words of [`HELP`]. Some of those words apply to
/// only one command or option.
pub(crate) fn meaning(code: u8, command: &str) -> String {
    let line = |line: &'static str| {
        let (number, meaning) = line.trim_start().split_once("  ")?;
        (number.parse() == Ok(code)).then_some(meaning)
    };
    let Some(all) = HELP.lines().find_map(line) else {
        return "stdout was closed before the end".to_owned();
    };
    let part = |part: &'static str| match part.split_once(": ") {
        Some(("verify", meaning)) => (command == "verify").then_some(meaning),
        Some((_, meaning)) => (command != "verify").then_some(meaning),
        None => Some(part),
    };
    all.split("; ")
        .filter_map(part)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Returns the code for an error that ended the run.
pub(crate) fn of_error(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Usage => USAGE,
        ErrorKind::Authentication => AUTHENTICATION,
        ErrorKind::Unreachable | ErrorKind::Untrusted => UNREACHABLE,
        ErrorKind::Locked => LOCKED,
        ErrorKind::SameMailbox => USAGE,
        ErrorKind::Full | ErrorKind::LimitReached => FULL,
        ErrorKind::Interrupted => INTERRUPTED,
        ErrorKind::TooManyConnections
        | ErrorKind::Lost
        | ErrorKind::Stalled
        | ErrorKind::Protocol
        | ErrorKind::Refused
        | ErrorKind::Local => STOPPED,
    }
}

/// Returns the code for `copy`. With `tell_work` (a dry run's `--exit-code`), work to do is
/// [`DIFFERENT`].
pub(crate) fn of_copy(summary: &CopySummary, tell_work: bool) -> u8 {
    let folders = summary.folders_created + summary.folders_renamed + summary.folders_deleted;
    let work = summary.copied
        + folders
        + summary.flags_updated
        + summary.deleted
        + summary.kept
        + summary.rights_changed;
    match of_status(&summary.status) {
        DONE if tell_work && work > 0 => DIFFERENT,
        code => code,
    }
}

/// Returns the code for `sync`. With `tell_work` (a dry run's `--exit-code`), work to do is
/// [`DIFFERENT`].
pub(crate) fn of_sync(summary: &SyncSummary, tell_work: bool) -> u8 {
    match of_status(&summary.status) {
        DONE if tell_work && !summary.total().is_idle() => DIFFERENT,
        code => code,
    }
}

/// Returns the code for `verify`. A difference outweighs folders that could not be compared: it is
/// certain.
pub(crate) fn of_verify(summary: &VerifySummary) -> u8 {
    match of_status(&summary.status) {
        DONE | PARTIAL if summary.differences.total() > 0 => DIFFERENT,
        DONE if summary.failed > 0 => PARTIAL,
        code => code,
    }
}

/// Returns the code for the first problem found by `doctor` that would make a copy fail.
pub(crate) fn of_doctor(summary: &DoctorSummary) -> u8 {
    summary.failure.map_or(DONE, of_error)
}

fn of_status(status: &Status) -> u8 {
    match status {
        Status::Complete => DONE,
        Status::Braked => BRAKED,
        Status::Partial => PARTIAL,
        Status::Interrupted => INTERRUPTED,
        Status::Stopped(error) => of_error(error.kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples::{copy_summary, sync_summary, verify_summary};
    use mailferry::event::Differences;
    use mailferry::store::Error;

    #[test]
    fn every_code_has_a_meaning() {
        let codes = [
            DONE,
            STOPPED,
            USAGE,
            PARTIAL,
            DIFFERENT,
            AUTHENTICATION,
            UNREACHABLE,
            LOCKED,
            FULL,
            BRAKED,
            INTERRUPTED,
        ];
        let meaning_of = |code| meaning(code, "copy");
        let meanings: std::collections::HashSet<_> = codes
            .into_iter()
            .chain([BROKEN_PIPE])
            .map(meaning_of)
            .collect();
        assert_eq!(meanings.len(), codes.len() + 1);
        assert_eq!(
            meaning_of(INTERRUPTED),
            "interrupted; rerun the same command to resume"
        );
        let both = |code| [meaning(code, "sync"), meaning(code, "verify")];
        assert_eq!(both(DONE), ["done", "done; both sides are equal"]);
        assert_eq!(both(DIFFERENT), ["there is work to do", "they differ"]);
    }

    #[test]
    fn errors_have_the_contracts_codes() {
        let table = [
            (ErrorKind::Unreachable, 6),
            (ErrorKind::Untrusted, 6),
            (ErrorKind::Authentication, 5),
            (ErrorKind::TooManyConnections, 1),
            (ErrorKind::Lost, 1),
            (ErrorKind::Stalled, 1),
            (ErrorKind::Protocol, 1),
            (ErrorKind::Refused, 1),
            (ErrorKind::Full, 8),
            (ErrorKind::LimitReached, 8),
            (ErrorKind::Interrupted, 130),
            (ErrorKind::Local, 1),
            (ErrorKind::Usage, 2),
        ];
        for (kind, code) in table {
            assert_eq!(of_error(kind), code, "{kind:?}");
            let stopped = CopySummary {
                status: Status::Stopped(Error::new(kind, "x")),
                ..copy_summary()
            };
            assert_eq!(of_copy(&stopped, true), code, "{kind:?}");
        }
    }

    #[test]
    fn a_dry_run_shows_work_by_its_code_only_on_request() {
        let work = copy_summary();
        assert_eq!((of_copy(&work, false), of_copy(&work, true)), (0, 4));
        let idle = CopySummary {
            copied: 0,
            folders_created: 0,
            flags_updated: 0,
            ..work.clone()
        };
        assert_eq!(of_copy(&idle, true), 0);
        let flags = CopySummary {
            flags_updated: 1,
            ..idle
        };
        assert_eq!(of_copy(&flags, true), 4);
        let partial = CopySummary {
            status: Status::Partial,
            ..work.clone()
        };
        assert_eq!(of_copy(&partial, true), 3);
        assert_eq!(
            of_copy(
                &CopySummary {
                    status: Status::Interrupted,
                    ..work
                },
                true
            ),
            130
        );
    }

    #[test]
    fn doctor_exits_by_the_kind_of_its_first_failure() {
        let ended = |failure| {
            of_doctor(&DoctorSummary {
                failure,
                ..DoctorSummary::default()
            })
        };
        let (authentication, untrusted) =
            (Some(ErrorKind::Authentication), Some(ErrorKind::Untrusted));
        assert_eq!(
            (ended(None), ended(authentication), ended(untrusted)),
            (0, 5, 6)
        );
    }

    #[test]
    fn a_sync_has_the_contracts_codes() {
        let work = sync_summary();
        assert_eq!((of_sync(&work, false), of_sync(&work, true)), (0, 4));
        let idle = SyncSummary {
            to: Default::default(),
            ..work.clone()
        };
        assert_eq!(of_sync(&idle, true), 0);
        let table = [
            (Status::Braked, 9),
            (Status::Partial, 3),
            (Status::Interrupted, 130),
        ];
        for (status, code) in table {
            assert_eq!(
                of_sync(
                    &SyncSummary {
                        status,
                        ..work.clone()
                    },
                    true
                ),
                code
            );
        }
    }

    #[test]
    fn a_difference_outweighs_a_failure_to_compare() {
        let equal = verify_summary();
        let dates = Differences {
            dates_differ: 1,
            ..Differences::default()
        };
        let extra = Differences {
            extra: 1,
            ..Differences::default()
        };
        assert_eq!(of_verify(&equal), 0);
        assert_eq!(
            of_verify(&VerifySummary {
                differences: dates,
                ..equal.clone()
            }),
            4
        );
        let partial = VerifySummary {
            status: Status::Partial,
            failed: 1,
            ..equal
        };
        assert_eq!(of_verify(&partial), 3);
        assert_eq!(
            of_verify(&VerifySummary {
                differences: extra,
                ..partial.clone()
            }),
            4
        );
        assert_eq!(
            of_verify(&VerifySummary {
                status: Status::Interrupted,
                differences: extra,
                ..partial
            }),
            130
        );
    }
}
