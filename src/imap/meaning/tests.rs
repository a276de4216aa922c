//! Every row of the table, by what servers have said.

use super::Asked::{Append, Change, Login, Nothing, Read};
use super::*;
use crate::imap::Command;

const NO: Option<Completion> = Some(Completion::No);
const BAD: Option<Completion> = Some(Completion::Bad);
const OK: Option<Completion> = Some(Completion::Ok);
const BYE: Option<Completion> = None;
const HOUR: Wait = Wait::Least(Duration::from_secs(3_600));
const MINUTE: Wait = Wait::Least(Duration::from_secs(60));

type Case = (Option<Completion>, Option<Code>, &'static str, Asked);

fn look_up((completion, code, text, to): &Case, server: &str) -> Meaning {
    meaning(&Said {
        completion: *completion,
        code: code.as_ref(),
        text,
        to: *to,
        server,
    })
}

#[track_caller]
fn assert_all(class: Class, scope: Scope, wait: Wait, cases: &[Case]) {
    for case in cases {
        let Meaning {
            class: found,
            scope: about,
            wait: pause,
            ..
        } = look_up(case, "");
        assert_eq!((found, about, pause), (class, scope, wait), "{case:?}");
    }
}

#[test]
fn gmail_slows_down_in_an_ok() {
    let cases = [
        (OK, None, "Success [THROTTLED]", Read),
        (OK, None, "[THROTTLED] Success", Append),
        (OK, Some(Code::Throttled), "done", Change),
    ];
    assert_all(Class::Slow, Scope::Connection, Wait::Growing, &cases);
    assert_all(
        Class::Fine,
        Scope::Message,
        Wait::Nothing,
        &[(OK, None, "Success, too many connections", Read)],
    );
}

#[test]
fn gmails_limit_for_a_day_is_no_full_mailbox() {
    let text = "Account exceeded command or bandwidth limits. (Failure)";
    let cases = [
        (NO, Some(Code::OverQuota), text, Read),
        (NO, Some(Code::OverQuota), text, Append),
        (NO, Some(Code::OverQuota), text, Change),
        (NO, Some(Code::Alert), text, Login),
        (NO, None, text, Login),
        (BYE, None, text, Nothing),
        (NO, Some(Code::OverQuota), "(Failure)", Read),
        (BYE, Some(Code::OverQuota), "over", Nothing),
    ];
    assert_all(Class::Spent, Scope::Account, HOUR, &cases);
}

#[test]
fn too_many_connections_are_no_wrong_password() {
    let dovecot =
        "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)";
    let cases = [
        (
            NO,
            Some(Code::Alert),
            "Too many simultaneous connections. (Failure)",
            Login,
        ),
        (NO, Some(Code::Unavailable), dovecot, Login),
        (BYE, None, dovecot, Nothing),
        (NO, Some(Code::Limit), "no more", Login),
    ];
    assert_all(Class::Crowded, Scope::Connection, Wait::Growing, &cases);
}

#[test]
fn microsoft_has_no_mailbox_behind_a_login() {
    let text = "User is authenticated but not connected.";
    let cases = [
        (BAD, None, text, Read),
        (BAD, None, text, Append),
        (BAD, None, text, Change),
    ];
    assert_all(Class::Unconnected, Scope::Connection, MINUTE, &cases);
}

#[test]
fn refused_logins_are_for_good_and_say_what_to_do() {
    let failed = || Some(Code::AuthenticationFailed);
    for (code, text, advice) in [
        (
            Some(Code::Alert),
            "Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)",
            Some("app password"),
        ),
        (
            Some(Code::Alert),
            "Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)",
            Some("in a web browser"),
        ),
        (None, "[WEBALERT] Web login required.", Some("web browser")),
        (failed(), "Invalid credentials (Failure)", None),
        (
            None,
            "Basic authentication is disabled.",
            Some("no longer accepts passwords"),
        ),
        (None, "LOGIN failed.", None),
        (None, "AUTHENTICATE failed.", None),
        (
            None,
            "LOGIN failed. Account is blocked. Login to your account via a web browser",
            Some("in a web browser"),
        ),
        (
            failed(),
            "LOGIN Invalid credentials or IMAP is disabled sc=abc",
            Some("enable IMAP"),
        ),
        (
            Some(Code::AuthorizationFailed),
            "no",
            Some("only an administrator"),
        ),
        (
            None,
            "channel-bindings-dont-match",
            Some("man-in-the-middle"),
        ),
        // Words that mean something else elsewhere.
        (None, "internal error, try again", None),
    ] {
        let case = (NO, code, text, Login);
        let found = look_up(&case, "");
        assert_eq!(
            (found.class, found.scope, found.wait),
            (Class::Login, Scope::Account, Wait::Nothing),
            "{case:?}"
        );
        match (advice, found.advice) {
            (None, None) => {}
            (Some(words), Some(advice)) => assert!(advice.contains(words), "{case:?}: {advice}"),
            found => panic!("{case:?}: {found:?}"),
        }
    }
}

#[test]
fn a_server_that_cannot_check_a_password_says_nothing_about_it() {
    let cases = [Code::Unavailable, Code::InUse, Code::ServerBug]
        .map(|code| (NO, Some(code), "try again", Login));
    assert_all(Class::Passing, Scope::Connection, Wait::Growing, &cases);
}

#[test]
fn goodbyes() {
    let expired = [
        (
            BYE,
            None,
            "Session invalidated - AccessTokenExpired",
            Nothing,
        ),
        (BYE, None, "Session expired, please login again.", Nothing),
    ];
    assert_all(Class::Expired, Scope::Connection, Wait::Nothing, &expired);
    let passing = [
        (BYE, None, "System Error", Nothing),
        (BYE, None, "Connection closed. 14", Nothing),
        (BYE, None, "Too many invalid IMAP commands.", Nothing),
        (BYE, None, "", Nothing),
    ];
    assert_all(Class::Passing, Scope::Connection, Wait::Growing, &passing);
    let large = [(BYE, Some(Code::TooBig), "literal", Nothing)];
    assert_all(Class::Refused, Scope::Connection, Wait::Growing, &large);
}

#[test]
fn throttling_is_waited_for() {
    let told = "Request is throttled. Suggested Backoff Time: 299961 milliseconds";
    let cases = [
        (BAD, None, told, Read),
        (BAD, None, told, Append),
        (BAD, None, told, Change),
        (BAD, None, told, Login),
        (NO, None, "Suggested Backoff Time: 10 milliseconds", Read),
    ];
    assert_all(Class::Throttled, Scope::Connection, Wait::AsTold, &cases);
    let found = look_up(&cases[0], "");
    assert_eq!(found.least_wait(told), Some(Duration::from_millis(299_961)));
    for unclear in ["Request is throttled", "Suggested Backoff Time: soon"] {
        assert_eq!(found.least_wait(unclear), None, "{unclear}");
    }
    let untold = [
        (NO, Some(Code::Limit), "UID FETCH Rate limit hit.", Read),
        (NO, Some(Code::Throttled), "slow down", Append),
    ];
    assert_all(Class::Throttled, Scope::Connection, Wait::Growing, &untold);
}

#[test]
fn temporary_refusals() {
    let cases = [
        (NO, None, "System Error (Failure)", Read),
        (NO, None, "Server Unavailable. 15", Append),
        (
            NO,
            Some(Code::Unavailable),
            "UID FETCH Server error while fetching messages",
            Read,
        ),
        (
            NO,
            Some(Code::Unavailable),
            "UID FETCH Server error - Please try again later",
            Read,
        ),
        (NO, None, "Service is temporarily not available", Append),
        (
            NO,
            Some(Code::InUse),
            "Timeout while waiting for lock",
            Append,
        ),
        (
            NO,
            Some(Code::ServerBug),
            "Internal error occurred.",
            Change,
        ),
        (NO, None, "Mailbox is locked", Append),
        (
            NO,
            None,
            "Mailbox was deleted under us (0.001 + 0.000 secs).",
            Append,
        ),
        // Reading is asked again, whatever the reason.
        (NO, None, "SELECT failed", Read),
    ];
    assert_all(Class::Passing, Scope::Message, Wait::Growing, &cases);
}

#[test]
fn full_accounts() {
    let over = || Some(Code::OverQuota);
    let cases = [
        (
            NO,
            over(),
            "Quota exceeded (mailbox for user is full)",
            Append,
        ),
        (NO, over(), "Over quota", Append),
        (NO, over(), "Quota exceeded", Change),
        (NO, None, "Your quota has been exceeded.", Append),
        (NO, None, "Quota limit will be exceeded", Append),
        (
            NO,
            Some(Code::Alert),
            "You exceeded your mail quota.",
            Append,
        ),
    ];
    assert_all(Class::Full, Scope::Account, Wait::Nothing, &cases);
}

#[test]
fn refused_flags() {
    let cases = [
        (
            NO,
            Some(Code::Limit),
            "Too many user flags in mailbox",
            Append,
        ),
        (NO, Some(Code::Cannot), "Keyword length too long", Append),
        (BAD, None, "Invalid system flag \\FORWARDED", Append),
        (NO, None, "APPEND Invalid flag list", Append),
    ];
    assert_all(Class::Flags, Scope::Message, Wait::Nothing, &cases);
    let zimbra = (NO, None, "APPEND failed", Append);
    assert_eq!(look_up(&zimbra, "Zimbra").class, Class::Flags);
    assert_eq!(look_up(&zimbra, "Courier").class, Class::Refused);
}

#[test]
fn messages_that_are_never_accepted_as_they_are() {
    let nul = [(NO, None, "Message contains NUL characters", Append)];
    assert_all(Class::Nul, Scope::Message, Wait::Nothing, &nul);
    let date = [(BAD, None, "Invalid date-time in Append command", Append)];
    assert_all(Class::Date, Scope::Message, Wait::Nothing, &date);
    let cases = [
        (NO, None, "Message contains bare newlines", Append),
        (
            NO,
            None,
            "Message contains non-ASCII characters in headers",
            Append,
        ),
        (NO, None, "Message contains invalid header", Append),
        (NO, None, "Message has no header/body separator", Append),
        (NO, None, "Zero-length message literal", Append),
        (NO, None, "Too many identical emails", Append),
        (BAD, None, "maximum message size exceeded", Append),
        (NO, Some(Code::TooBig), "too big", Append),
        (
            NO,
            None,
            "Message size exceeds fixed maximum message size. Size: 9 KB, Max size: 8 KB",
            Append,
        ),
        (
            NO,
            None,
            "Maximum size of appendable message has been exceeded",
            Append,
        ),
        (
            NO,
            None,
            "Message refused because it contains a virus",
            Append,
        ),
        (
            BAD,
            Some(Code::ClientBug),
            "Additional arguments found after last expected argument",
            Append,
        ),
        (BAD, None, "Command Argument Error. 11", Append),
        (BAD, None, "Command Error. 10", Read),
        (BAD, None, "Command Error. 12", Read),
        (NO, Some(Code::NoPerm), "Permission denied", Change),
    ];
    assert_all(Class::Refused, Scope::Message, Wait::Nothing, &cases);
}

#[test]
fn folders() {
    let absent = [(
        NO,
        Some(Code::TryCreate),
        "Mailbox doesn't exist: x",
        Append,
    )];
    assert_all(Class::NoFolder, Scope::Folder, Wait::Nothing, &absent);
    let there = [
        (NO, None, "Mailbox already exists", Change),
        (NO, Some(Code::AlreadyExists), "it is there", Change),
    ];
    assert_all(Class::Exists, Scope::Folder, Wait::Nothing, &there);
    let reserved = [(NO, None, "Folder name is reserved", Change)];
    assert_all(Class::Refused, Scope::Folder, Wait::Nothing, &reserved);
    let unsafe_login = (
        NO,
        None,
        "SELECT Unsafe Login. Please contact kefu@188.com for help",
        Read,
    );
    let found = look_up(&unsafe_login, "NetEase");
    assert_eq!((found.class, found.scope), (Class::Refused, Scope::Folder));
    assert!(found.advice.is_some());
}

#[test]
fn commands_are_known_by_their_names() {
    for (name, asked) in [
        ("LOGIN", Login),
        ("AUTHENTICATE PLAIN", Login),
        ("APPEND", Append),
        ("UID FETCH", Read),
        ("EXAMINE", Read),
        ("UID STORE", Change),
        ("UID MOVE", Change),
        ("CREATE", Change),
        ("NOOP", Read),
    ] {
        assert_eq!(Asked::by(name), asked, "{name}");
        let command = Command::new(name).string(b"x");
        assert_eq!(Asked::by(&command.name()), asked, "{name}");
    }
}
