//! What ends a connection, or keeps it from being made: goodbyes, refused logins, limits.

use super::with_referral;
use crate::imap::{Asked, Class, Code, Completion, Meaning, Said, Scope, meaning};
use crate::store::{Error, ErrorKind, When};

/// Explains a refused login: the likely cause, and what to do.
pub(in super::super) fn refused_login(
    text: &str,
    code: Option<&Code>,
    way: &str,
    offered: &str,
) -> Error {
    let means = meaning(&Said {
        completion: Some(Completion::No),
        code,
        text,
        to: Asked::Login,
        server: "",
    });
    let text = with_referral(text, code);
    match means.class {
        Class::Crowded => return crowded(&text),
        Class::Spent => return spent(&text, means),
        Class::Passing | Class::Throttled => {
            return Error {
                when: means.least_wait(&text).map(When::After),
                ..Error::new(
                    ErrorKind::Unreachable,
                    format!("the server can't log anyone in right now: {text}"),
                )
            };
        }
        _ => {}
    }
    let hint = means.advice.unwrap_or_else(|| advice(way));
    // A server may offer a mechanism without having what it needs to check this user.
    let hint = match way {
        "CRAM-MD5" | "SCRAM-SHA-1" | "SCRAM-SHA-256" | "SCRAM-SHA-1-PLUS"
        | "SCRAM-SHA-256-PLUS" => {
            format!(
                "{hint}; otherwise try another auth= in the address: the server offers {offered}"
            )
        }
        _ => hint.to_owned(),
    };
    Error::new(
        ErrorKind::Authentication,
        format!("the server refused the login by {way}: {text}"),
    )
    .with_hint(hint)
}

/// Returns what to do about a refused login whose words reveal nothing.
fn advice(way: &str) -> &'static str {
    match way {
        "OAUTHBEARER" | "XOAUTH2" => {
            "the access token has expired, belongs to another account, or doesn't allow IMAP: get a new one"
        }
        "EXTERNAL" => {
            "the server doesn't accept this certificate for this user: check client-cert= and the user name"
        }
        _ => {
            "check the user name (often the whole address) and the password; some providers require an app password or \
             enabling IMAP in the account's settings"
        }
    }
}

/// Explains a goodbye: usually temporary.
pub(in super::super) fn goodbye(text: &str, code: Option<&Code>) -> Error {
    let means = of_bye(text, code);
    let text = with_referral(text, code);
    match means.class {
        Class::Spent => spent(&text, means),
        Class::Crowded => crowded(&text),
        _ => Error::new(
            ErrorKind::Lost,
            format!("the server ended the session: {text}"),
        ),
    }
}

/// Explains a goodbye in place of a greeting: there is no connection.
pub(in super::super) fn turned_away(text: &str, code: Option<&Code>) -> Error {
    let means = of_bye(text, code);
    let text = with_referral(text, code);
    if means.class == Class::Crowded {
        return crowded(&text);
    }
    Error::new(ErrorKind::Unreachable, format!("the server turned the connection away: {text}")).with_hint(
        "wait a few minutes and try again; if it persists, ask the server's operator whether it bans this address",
    )
}

/// Explains a refusal of a command after which the server refuses every other one, too.
pub(in super::super) fn useless(text: &str, code: Option<&Code>, means: Meaning) -> Error {
    let text = with_referral(text, code);
    if means.scope == Scope::Account {
        return spent(&text, means);
    }
    let text = format!("the server accepted the login, but opens no mailbox: {text}");
    let when = means.least_wait(&text).map(When::After);
    let error = Error::new(ErrorKind::TooManyConnections, text).with_hint(
        "check the password and the rights to this mailbox; if both are right, close other programs that use this \
         account, or use fewer connections with -j or connections=",
    );
    Error { when, ..error }
}

fn of_bye(text: &str, code: Option<&Code>) -> Meaning {
    meaning(&Said {
        completion: None,
        code,
        text,
        to: Asked::Nothing,
        server: "",
    })
}

fn crowded(text: &str) -> Error {
    Error::new(
        ErrorKind::TooManyConnections,
        format!("the server accepts no more connections: {text}"),
    )
    .with_hint(
        "close other programs that use this account, or use fewer connections with -j or connections=",
    )
}

fn spent(text: &str, means: Meaning) -> Error {
    Error {
        when: means.least_wait(text).map(When::After),
        ..Error::new(
            ErrorKind::LimitReached,
            format!("the provider's limit is reached: {text}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_full_server_is_no_wrong_password() {
        let text = "Too many simultaneous connections. (Failure)";
        let error = refused_login(text, Some(&Code::Alert), "PLAIN", "");
        assert_eq!(error.kind, ErrorKind::TooManyConnections);
        let text = "Account exceeded command or bandwidth limits. (Failure)";
        let error = refused_login(text, Some(&Code::Alert), "PLAIN", "");
        assert_eq!(error.kind, ErrorKind::LimitReached);
        assert_eq!(error.least_wait(), Duration::from_secs(3_600));
        let error = refused_login("later", Some(&Code::Unavailable), "PLAIN", "");
        assert_eq!(error.kind, ErrorKind::Unreachable);
        let text = "Request is throttled. Suggested Backoff Time: 9000 milliseconds";
        let error = refused_login(text, None, "XOAUTH2", "");
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert_eq!(error.least_wait(), Duration::from_secs(9));
    }

    #[test]
    fn a_refused_login_has_a_hint() {
        let failed = Some(&Code::AuthenticationFailed);
        for (text, code, way, offered, words) in [
            (
                "Invalid credentials (Failure)",
                failed,
                "PLAIN",
                "PLAIN",
                "app password",
            ),
            (
                "no",
                None,
                "SCRAM-SHA-1",
                "PLAIN, SCRAM-SHA-1",
                "offers PLAIN, SCRAM-SHA-1",
            ),
            (
                "channel-bindings-dont-match",
                None,
                "SCRAM-SHA-1-PLUS",
                "PLAIN",
                "man-in-the-middle attack",
            ),
            ("no", None, "XOAUTH2", "XOAUTH2", "token has expired"),
            ("no", None, "EXTERNAL", "EXTERNAL", "client-cert="),
            (
                "Please log in via your web browser: https://example.org/x (Failure)",
                Some(&Code::Alert),
                "PLAIN",
                "PLAIN",
                "in a web browser once",
            ),
        ] {
            let error = refused_login(text, code, way, offered);
            assert_eq!(error.kind, ErrorKind::Authentication, "{text}");
            let hint = error.hint.unwrap();
            assert!(hint.contains(words), "{text}: {hint}");
        }
        let error = refused_login("Invalid credentials", failed, "PLAIN", "PLAIN");
        assert!(error.hint.is_some_and(|hint| !hint.contains("auth=")));
    }

    #[test]
    fn goodbyes_are_temporary_unless_they_say_otherwise() {
        for (text, code, kind) in [
            (
                "Session expired, please login again.",
                None,
                ErrorKind::Lost,
            ),
            ("System Error", None, ErrorKind::Lost),
            (
                "Session invalidated - AccessTokenExpired",
                None,
                ErrorKind::Lost,
            ),
            ("message too large", Some(Code::TooBig), ErrorKind::Lost),
            (
                "Account exceeded command or bandwidth limits",
                None,
                ErrorKind::LimitReached,
            ),
            ("over", Some(Code::OverQuota), ErrorKind::LimitReached),
            ("Too many connections", None, ErrorKind::TooManyConnections),
        ] {
            assert_eq!(goodbye(text, code.as_ref()).kind, kind, "{text}");
        }
        let crowded = turned_away("Maximum number of connections from user+IP exceeded", None);
        assert_eq!(crowded.kind, ErrorKind::TooManyConnections);
        assert_eq!(turned_away("go away", None).kind, ErrorKind::Unreachable);
    }
}
