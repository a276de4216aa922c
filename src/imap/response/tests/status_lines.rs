//! Status lines and response codes.

use super::*;
use crate::mail::{ModSeq, UidNext};

#[test]
fn codes() {
    let other = |name: &str, arguments: &str| Code::Other {
        name: name.into(),
        arguments: arguments.into(),
    };
    for (line, code, text) in [
        ("* OK [UIDVALIDITY 7] ok", Some(Code::UidValidity(7)), "ok"),
        (
            "* OK [UIDVALIDITY 4294967296] ok",
            Some(other("UIDVALIDITY", "4294967296")),
            "ok",
        ),
        (
            "* OK [UIDVALIDITY 0] ok",
            Some(other("UIDVALIDITY", "0")),
            "ok",
        ),
        ("* OK [UIDNEXT 7]", UidNext::new(7).map(Code::UidNext), ""),
        ("* OK [UNSEEN 3] first", Some(Code::Unseen(3)), "first"),
        (
            "* OK [HIGHESTMODSEQ 1706092971947030001]",
            Some(Code::HighestModSeq(ModSeq(1_706_092_971_947_030_001))),
            "",
        ),
        (
            "* OK [highestmodseq 7 ] x",
            Some(Code::HighestModSeq(ModSeq(7))),
            "x",
        ),
        ("* OK [NOMODSEQ] x", Some(Code::NoModSeq), "x"),
        ("* OK [READ-ONLY]", Some(Code::ReadOnly), ""),
        ("t OK [READ-WRITE] done", Some(Code::ReadWrite), "done"),
        ("* OK [CLOSED] x", Some(Code::Closed), "x"),
        (
            "* OK [MAILBOXID (F2212ea8-5e)] Ok",
            Some(Code::MailboxId("F2212ea8-5e".into())),
            "Ok",
        ),
        (
            "* OK [PERMANENTFLAGS ()] x",
            Some(Code::PermanentFlags(vec![])),
            "x",
        ),
        (
            "* OK [PERMANENTFLAGS (\\Seen  \\* a]b $x )] x",
            Some(Code::PermanentFlags(vec![
                "\\Seen".into(),
                "\\*".into(),
                "a]b".into(),
                "$x".into(),
            ])),
            "x",
        ),
        (
            "* OK [PERMANENTFLAGS (\\Seen] x",
            Some(other("PERMANENTFLAGS", "(\\Seen")),
            "x",
        ),
        (
            "t OK [APPENDUID 7 9] x",
            Some(Code::AppendUid {
                validity: 7,
                uids: set("9"),
            }),
            "x",
        ),
        (
            "t OK [APPENDUID 7 3,9:11] x",
            Some(Code::AppendUid {
                validity: 7,
                uids: set("3,9:11"),
            }),
            "x",
        ),
        (
            "t OK [APPENDUID 7 9:11,3] x",
            Some(other("APPENDUID", "7 9:11,3")),
            "x",
        ),
        (
            "t OK [APPENDUID 7 9,9] x",
            Some(other("APPENDUID", "7 9,9")),
            "x",
        ),
        (
            "t OK [APPENDUID 0 9] x",
            Some(other("APPENDUID", "0 9")),
            "x",
        ),
        (
            "t OK [APPENDUID 7 0] x",
            Some(other("APPENDUID", "7 0")),
            "x",
        ),
        (
            "t OK [APPENDUID 7 99999999999] x",
            Some(other("APPENDUID", "7 99999999999")),
            "x",
        ),
        (
            "* OK [COPYUID 7 1:3 310:300] x",
            Some(Code::CopyUid {
                validity: 7,
                from: set("1:3"),
                to: set("300:310"),
            }),
            "x",
        ),
        (
            "* OK [COPYUID 7 1 1:4294967295]",
            Some(Code::CopyUid {
                validity: 7,
                from: set("1"),
                to: set("1:4294967295"),
            }),
            "",
        ),
        (
            "* OK [COPYUID \"\" \"\"] x",
            Some(other("COPYUID", "\"\" \"\"")),
            "x",
        ),
        ("t NO [TRYCREATE] x", Some(Code::TryCreate), "x"),
        ("t NO [ALREADYEXISTS] x", Some(Code::AlreadyExists), "x"),
        ("t NO [NONEXISTENT] x", Some(Code::NonExistent), "x"),
        ("t NO [OVERQUOTA] x", Some(Code::OverQuota), "x"),
        ("t OK [THROTTLED] x", Some(Code::Throttled), "x"),
        ("t NO [LIMIT] x", Some(Code::Limit), "x"),
        ("t NO [INUSE] x", Some(Code::InUse), "x"),
        ("t NO [TOOBIG] x", Some(Code::TooBig), "x"),
        ("t NO [UNAVAILABLE] x", Some(Code::Unavailable), "x"),
        ("t NO [SERVERBUG] x", Some(Code::ServerBug), "x"),
        ("t BAD [CLIENTBUG] x", Some(Code::ClientBug), "x"),
        ("t NO [CANNOT] x", Some(Code::Cannot), "x"),
        ("t NO [NOPERM] x", Some(Code::NoPerm), "x"),
        ("t NO [EXPIRED] x", Some(Code::Expired), "x"),
        (
            "t NO [AUTHENTICATIONFAILED] x",
            Some(Code::AuthenticationFailed),
            "x",
        ),
        (
            "t NO [AUTHORIZATIONFAILED] x",
            Some(Code::AuthorizationFailed),
            "x",
        ),
        ("t NO [CONTACTADMIN] x", Some(Code::ContactAdmin), "x"),
        ("t NO [PRIVACYREQUIRED] x", Some(Code::PrivacyRequired), "x"),
        (
            "t NO [BADCHARSET (UTF-8 \"x]y\")] x",
            Some(Code::BadCharset),
            "x",
        ),
        ("* NO [UIDNOTSTICKY] x", Some(Code::UidNotSticky), "x"),
        ("t OK [EXPUNGEISSUED] x", Some(Code::ExpungeIssued), "x"),
        (
            "t NO [REFERRAL imap://u;AUTH=*@h/] x",
            Some(Code::Referral("imap://u;AUTH=*@h/".into())),
            "x",
        ),
        (
            "* NO [WEBALERT https://x.example/] Web",
            Some(other("WEBALERT", "https://x.example/")),
            "Web",
        ),
        (
            "t OK [MODIFIED 9,7] x",
            UidSet::parse("7,9").map(Code::Modified),
            "x",
        ),
        ("t NO [HASCHILDREN] x", Some(other("HASCHILDREN", "")), "x"),
        ("t NO [UNKNOWN-CTE] x", Some(other("UNKNOWN-CTE", "")), "x"),
        ("* OK [ALERT]ééé [x] y", Some(Code::Alert), "ééé [x] y"),
        ("* OK [ALERT text", None, "[ALERT text"),
        ("* OK [] text", None, "[] text"),
        ("* OK Success [THROTTLED]", None, "Success [THROTTLED]"),
        ("* OK", None, ""),
        ("* BYE", None, ""),
        ("t OK", None, ""),
        ("t OK ", None, ""),
        ("* ok grüße", None, "grüße"),
        ("* PREAUTH x", None, "x"),
        ("* BAD [ALERT] Too", Some(Code::Alert), "Too"),
    ] {
        with(line, |response| {
            assert_eq!(response.code(), code.as_ref(), "{line}");
            let (Response::Tagged { text: found, .. } | Response::Status { text: found, .. }) =
                response
            else {
                panic!("{line}: {response:?}");
            };
            assert_eq!(found, text, "{line}");
        });
    }
}

#[test]
fn status_lines() {
    with("abc7 NO no {5}", |response| {
        assert_eq!(
            response,
            Response::Tagged {
                tag: "abc7",
                completion: Completion::No,
                code: None,
                text: "no {5}".into()
            }
        );
    });
    with("* BYE [ALERT] x", |response| {
        assert_eq!(
            response,
            Response::Status {
                condition: Condition::Bye,
                code: Some(Code::Alert),
                text: "x".into()
            }
        );
    });
    with(b"* OK caf\xe9", |response| {
        assert_eq!(
            response,
            Response::Status {
                condition: Condition::Ok,
                code: None,
                text: "café".into()
            }
        );
    });
    for (line, expected) in [
        ("+", ""),
        ("+ ", ""),
        ("+ go", "go"),
        ("+ cGxhaW4=", "cGxhaW4="),
        ("+ [X] y", "[X] y"),
    ] {
        with(line, |response| {
            assert_eq!(
                response,
                Response::Continue {
                    text: expected.as_bytes()
                }
            );
        });
    }
    for line in [
        "",
        "Server Unavailable. 15",
        "[COPYUID 55 31 6]",
        "* XFOO a",
        "* LANGUAGE (en)",
        "* 3 FOO",
        "*",
        "t BYE x",
        "* 4294967296 EXISTS",
    ] {
        with(line, |response| {
            assert_eq!(response, Response::Unknown(line.as_bytes()), "{line}");
        });
    }
    let bare = frame(b"\0\0* ok done\n");
    assert_eq!(
        Response::parse(&bare),
        Response::Status {
            condition: Condition::Ok,
            code: None,
            text: "done".into()
        }
    );
    assert_eq!(
        Response::parse(&frame(b"* 7 exists\n")),
        Response::Exists(7)
    );
}
