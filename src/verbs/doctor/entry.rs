//! D5 and D6: whether the server accepts the login, and the mailbox can be listed.

use super::Patient;
use super::report::{SideReport, seen};
use super::words::{counted, some};
use crate::event::Check;
use crate::folders::Roster;
use crate::mail::Listing;
use crate::provider::Provider;
use crate::store::imap::Checkup;
use crate::store::{Error, ErrorKind};

/// Makes D5: one attempt.
pub(super) fn log_in(
    patient: &Patient<'_>,
    offered: &[String],
    report: &mut SideReport<'_, '_>,
) -> Option<Checkup> {
    let offer = if offered.is_empty() {
        "no mechanism".to_owned()
    } else {
        offered.join(", ")
    };
    let tried = format!(
        "logged in as {}, once; the server offers {offer}",
        patient.address.user
    );
    match patient.account.check_up() {
        Ok(checkup) => {
            report.good(seen(Check::Login, tried, "OK"), "the login works");
            Some(checkup)
        }
        Err(error) => {
            let (meaning, advice) = refused(patient, &error);
            report.failed(
                seen(Check::Login, tried, error.message),
                error.kind,
                meaning,
                advice,
            );
            None
        }
    }
}

fn refused(patient: &Patient<'_>, error: &Error) -> (&'static str, String) {
    let hint = || {
        error
            .hint
            .clone()
            .unwrap_or_else(|| "try again later; -vvv shows what was said".to_owned())
    };
    let user = &patient.address.user;
    match error.kind {
        ErrorKind::Authentication => {
            let provider =
                Provider::of_host(&patient.address.host).or_else(|| Provider::of_user(user));
            let advice = match provider.and_then(|provider| provider.login) {
                Some(login) => format!("{login} ({})", hint()),
                None if !user.contains('@') => {
                    format!("{}; the user here is {user}, without a domain", hint())
                }
                None => hint(),
            };
            (
                "the server doesn't accept this user with this password or token",
                advice,
            )
        }
        ErrorKind::TooManyConnections => {
            ("too many connections to this account at the moment", hint())
        }
        _ => (
            "the login was neither accepted nor refused: the password isn't the problem",
            hint(),
        ),
    }
}

/// Makes D6: folders, roles, names.
pub(super) fn ready(
    patient: &Patient<'_>,
    checkup: &mut Checkup,
    report: &mut SideReport<'_, '_>,
) -> Option<Listing> {
    match checkup.store().list() {
        Ok(listing) => {
            let compression = compression(checkup);
            let server = format!("{}{compression}", checkup.store().server());
            let seen = seen(Check::Ready, TRIED, describe(&server, &listing));
            if listing.mailboxes.is_empty() {
                let advice = "check prefix= in the address, and try another mail client";
                report.doubtful(seen, "the server lists no folders, not even INBOX", advice);
            } else {
                report.good(seen, "the mailbox can be read");
            }
            Some(listing)
        }
        Err(error) => {
            lost(patient, &error, report);
            None
        }
    }
}

const TRIED: &str = "asked for server name, namespaces and folders";

/// Reports that the mailbox could not be read after all.
pub(super) fn lost(patient: &Patient<'_>, error: &Error, report: &mut SideReport<'_, '_>) {
    let seen = seen(Check::Ready, TRIED, error.message.clone());
    // Microsoft accepts the login, then answers the next command like this.
    if error
        .message
        .to_ascii_lowercase()
        .contains("authenticated but not connected")
    {
        let advice = format!(
            "check the password of {}, and whether it may use this mailbox",
            patient.address.user
        );
        report.failed(
            seen,
            ErrorKind::Authentication,
            "the password is wrong, or the user has no access to this mailbox",
            advice,
        );
        return;
    }
    let advice = error
        .hint
        .clone()
        .unwrap_or_else(|| "try again; -vvv shows what was said".to_owned());
    report.failed(
        seen,
        error.kind,
        "login succeeded, but the mailbox can't be read",
        advice,
    );
}

/// Reports whether the connection is compressed, if there is a choice.
fn compression(checkup: &mut Checkup) -> &'static str {
    let is_offered = checkup.capabilities().has("COMPRESS=DEFLATE");
    match (checkup.store().is_compressed(), is_offered) {
        (true, _) => ", compressed",
        (false, true) => ", compression available but unused (compress=on enables it)",
        (false, false) => "",
    }
}

fn describe(server: &str, listing: &Listing) -> String {
    let roster = Roster::read(listing);
    let roles: Vec<String> = (roster.folders.iter())
        .filter_map(|folder| Some(format!("{} is {}", folder.name, folder.role?.name())))
        .collect();
    let style = &listing.style;
    let separator = style
        .separator
        .map_or_else(|| "none".to_owned(), String::from);
    let prefix = String::from_utf8_lossy(&style.prefix);
    format!(
        "{server}; {}, separator {separator}, prefix {}; {}",
        counted(roster.folders.len() as u64, "folder"),
        if prefix.is_empty() { "none" } else { &prefix },
        if roles.is_empty() {
            "no folder for sent, drafts or trash".to_owned()
        } else {
            some(&roles)
        }
    )
}
