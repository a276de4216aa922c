//! Numbers, sets, and what a server says about itself.

use super::*;
use crate::mail::{AclEntry, Rights};

#[test]
fn capability() {
    for (line, expected) in [
        ("* CAPABILITY IMAP4rev1 IDLE", &["IMAP4REV1", "IDLE"][..]),
        ("* capability imap4rev1 idle ", &["IMAP4REV1", "IDLE"]),
        (
            "* CAPABILITY IMAP4rev1 IDLE  AUTH=PLAIN ",
            &["IMAP4REV1", "IDLE", "AUTH=PLAIN"],
        ),
        (
            "* CAPABILITY IMAP4rev2 APPENDLIMIT=35651584",
            &["IMAP4REV2", "APPENDLIMIT=35651584"],
        ),
        ("* CAPABILITY IMAP4 x]y", &["IMAP4", "X]Y"]),
        ("* CAPABILITY", &[]),
    ] {
        with(line, |response| {
            assert_eq!(
                response,
                Response::Capability(expected.iter().map(|s| (*s).into()).collect())
            );
        });
    }
    for line in [
        "* OK [CAPABILITY IMAP4rev2 IDLE ] hi",
        "* OK [CAPABILITY  IMAP4rev2 IDLE]",
        "t OK [capability IMAP4rev2 IDLE]",
    ] {
        let expected = Code::Capability(vec!["IMAP4REV2".into(), "IDLE".into()]);
        with(line, |response| {
            assert_eq!(response.code(), Some(&expected), "{line}");
        });
    }
    with("* OK [CAPABILITY IMAP4 x]y] text", |response| {
        assert_eq!(
            response.code(),
            Some(&Code::Capability(vec!["IMAP4".into(), "X]Y".into()]))
        );
    });
}

#[test]
fn enabled_is_not_capability() {
    with("* ENABLED CONDSTORE QRESYNC", |response| {
        assert_eq!(
            response,
            Response::Enabled(vec!["CONDSTORE".into(), "QRESYNC".into()])
        );
    });
    with("* ENABLED", |response| {
        assert_eq!(response, Response::Enabled(Vec::new()));
    });
}

#[test]
fn numbers() {
    for (line, expected) in [
        ("* 7 EXISTS", Response::Exists(7)),
        ("* 0 EXISTS ", Response::Exists(0)),
        ("* 7 recent", Response::Recent(7)),
        ("* 7  EXPUNGE", Response::Expunge(7)),
    ] {
        with(line, |response| assert_eq!(response, expected, "{line}"));
    }
    assert!(shown("* 0 EXPUNGE").starts_with("Unreadable"));
}

#[test]
fn sets_stay_ranges() {
    let vanished = |earlier, text: &str| Response::Vanished {
        earlier,
        uids: set(text),
    };
    for (line, expected) in [
        ("* VANISHED 1,3:5", vanished(false, "1,3:5")),
        (
            "* VANISHED (EARLIER) 310:300,4",
            vanished(true, "4,300:310"),
        ),
        (
            "* vanished (earlier) 1:4294967295",
            vanished(true, "1:4294967295"),
        ),
        ("* SEARCH 5 3 4 9", Response::Search(set("3:5,9"))),
        ("* SEARCH 1  2 ", Response::Search(set("1:2"))),
        ("* SEARCH", Response::Search(UidSet::default())),
        (
            "* SEARCH 2 5 (MODSEQ 917162500)",
            Response::Search(set("2,5")),
        ),
        (
            "* ESEARCH (TAG \"t1\") UID MIN 1 MAX 7 COUNT 3 ALL 1,6:7 MODSEQ 9 PARTIAL (1:2 1,6)",
            Response::ESearch(ESearch {
                tag: Some("t1".into()),
                uid: true,
                all: set("1,6:7"),
                count: Some(3),
                min: Some(1),
                max: Some(7),
            }),
        ),
        ("* ESEARCH (TAG t1) COUNT 0", {
            Response::ESearch(ESearch {
                tag: Some("t1".into()),
                count: Some(0),
                ..ESearch::default()
            })
        }),
        (
            "* ESEARCH ALL 1:4294967295",
            Response::ESearch(ESearch {
                all: set("1:4294967295"),
                ..ESearch::default()
            }),
        ),
    ] {
        with(line, |response| assert_eq!(response, expected, "{line}"));
    }
    for line in [
        "* SEARCH 0",
        "* SEARCH x",
        "* SEARCH 1,2",
        "* SEARCH 4294967296",
        "* SEARCH 1 (MODSEQ",
        "* VANISHED",
        "* VANISHED *",
        "* VANISHED 1:",
        "* VANISHED (LATER) 1",
        "* ESEARCH ALL x",
        "* ESEARCH ALL 1:*",
        "* ESEARCH COUNT",
    ] {
        assert!(
            shown(line).starts_with("Unreadable"),
            "{line}: {}",
            shown(line)
        );
    }
}

/// A hundred thousand descending numbers: quadratic work would take minutes.
#[test]
fn descending_sets_take_no_longer() {
    let numbers: Vec<String> = (1..100_000_u32)
        .rev()
        .map(|number| (number * 2).to_string())
        .collect();
    for (keyword, separator) in [("SEARCH", " "), ("VANISHED", ","), ("ESEARCH ALL", ",")] {
        with(
            format!("* {keyword} {}", numbers.join(separator)),
            |response| {
                let (Response::Search(set)
                | Response::Vanished { uids: set, .. }
                | Response::ESearch(ESearch { all: set, .. })) = response
                else {
                    panic!("{keyword}");
                };
                assert_eq!(set.len(), 99_999);
            },
        );
    }
}

#[test]
fn namespace_and_id() {
    let one = |prefix: &str, separator| vec![(prefix.as_bytes().to_vec(), separator)];
    for (line, expected) in [
        (
            "* NAMESPACE ((\"\" \"/\")) NIL NIL",
            Namespace {
                personal: one("", Some('/')),
                ..Namespace::default()
            },
        ),
        (
            "* NAMESPACE ((\"INBOX.\" \".\")) NIL ((\"#shared.\" \".\")(\"shared.\" NIL))",
            Namespace {
                personal: one("INBOX.", Some('.')),
                other: vec![],
                shared: [one("#shared.", Some('.')), one("shared.", None)].concat(),
            },
        ),
        (
            "* NAMESPACE ((\"\" \"\\\\\" \"X-PARAM\" (\"FLAG1\" \"FLAG2\"))) nil",
            Namespace {
                personal: one("", Some('\\')),
                ..Namespace::default()
            },
        ),
    ] {
        with(line, |response| {
            assert_eq!(response, Response::Namespace(expected), "{line}");
        });
    }
    let fields = vec![
        ("name".to_owned(), Some("a\"b".to_owned())),
        ("os".to_owned(), None),
    ];
    for (line, expected) in [
        ("* ID (\"name\" \"a\\\"b\" \"os\" NIL)", fields.clone()),
        ("* ID ( \"name\"  \"a\\\"b\" \"os\" NIL ) ", fields),
        ("* ID NIL", vec![]),
        ("* ID ()", vec![]),
    ] {
        with(line, |response| {
            assert_eq!(response, Response::Id(expected), "{line}");
        });
    }
    for line in [
        "* NAMESPACE",
        "* NAMESPACE ((",
        "* NAMESPACE x",
        "* ID",
        "* ID (",
        "* ID ((a b))",
    ] {
        assert!(
            shown(line).starts_with("Unreadable"),
            "{line}: {}",
            shown(line)
        );
    }
}

#[test]
fn quotas() {
    let quota = |root: &str, resources: &[(&str, u64, u64)]| {
        let resources = resources.iter().map(|(name, used, limit)| QuotaResource {
            name: (*name).to_owned(),
            used: *used,
            limit: *limit,
        });
        Response::Quota(Quota {
            root: root.to_owned(),
            resources: resources.collect(),
        })
    };
    for (line, expected) in [
        (
            "* QUOTA \"\" (STORAGE 10 512)",
            quota("", &[("STORAGE", 10, 512)]),
        ),
        (
            "* QUOTA \"User quota\" (storage 10 5000000000 message 1 2 )",
            {
                quota(
                    "User quota",
                    &[("STORAGE", 10, 5_000_000_000), ("MESSAGE", 1, 2)],
                )
            },
        ),
        (
            "* QUOTA \"a\\\"b\"  (STORAGE  10  512)",
            quota("a\"b", &[("STORAGE", 10, 512)]),
        ),
        ("* QUOTA INBOX ()", quota("INBOX", &[])),
        ("* QUOTA \"ROOT\"", quota("ROOT", &[])),
        (
            "* QUOTA x (STORAGE -1 -1 MESSAGE 1 2)",
            quota("x", &[("MESSAGE", 1, 2)]),
        ),
        ("* QUOTAROOT \"a\\\\b\" \"User quota\" x ", {
            Response::QuotaRoot(QuotaRoot {
                mailbox: b"a\\b".to_vec(),
                roots: vec!["User quota".into(), "x".into()],
            })
        }),
        (
            "* QUOTAROOT INBOX",
            Response::QuotaRoot(QuotaRoot {
                mailbox: b"INBOX".to_vec(),
                roots: vec![],
            }),
        ),
    ] {
        with(line, |response| assert_eq!(response, expected, "{line}"));
    }
    for line in [
        "* QUOTA",
        "* QUOTA x (STORAGE 1)",
        "* QUOTA x (STORAGE 1 (2))",
        "* QUOTAROOT",
    ] {
        assert!(
            shown(line).starts_with("Unreadable"),
            "{line}: {}",
            shown(line)
        );
    }
}

#[test]
fn rights() {
    let entry = |(identifier, rights): &(&str, &str)| AclEntry {
        identifier: (*identifier).to_owned(),
        rights: Rights::parse(rights).unwrap(),
    };
    let acl = |mailbox: &str, entries: &[(&str, &str)]| {
        Response::Acl(Acl {
            mailbox: mailbox.into(),
            entries: entries.iter().map(entry).collect(),
        })
    };
    let some = |rights: &[&str]| -> Vec<Rights> {
        let parsed = rights.iter().filter_map(|rights| Rights::parse(rights));
        parsed.collect()
    };
    for (line, expected) in [
        (
            "* ACL Team $staff lrwtsd -carl s !$x lr",
            acl(
                "Team",
                &[("$staff", "lrwtsd"), ("-carl", "s"), ("!$x", "lr")],
            ),
        ),
        (
            "* acl \"INBOX.a b\" \"two \\\"words\" \"\" ",
            acl("INBOX.a b", &[("two \"words", "")]),
        ),
        ("* ACL INBOX", acl("INBOX", &[])),
        (
            "* MYRIGHTS INBOX \"acdilrsw\"",
            Response::MyRights(MyRights {
                mailbox: "INBOX".into(),
                rights: Rights::parse("acdilrsw").unwrap(),
            }),
        ),
        (
            "* LISTRIGHTS a bob \"\" l tex 0",
            Response::ListRights(ListRights {
                mailbox: "a".into(),
                identifier: "bob".into(),
                required: Rights::default(),
                optional: some(&["l", "tex", "0"]),
            }),
        ),
    ] {
        with(line, |response| assert_eq!(response, expected, "{line}"));
    }
    for line in [
        "* ACL",
        "* ACL INBOX bob",
        "* ACL INBOX bob LR",
        "* ACL INBOX bob (lr)",
        "* ACL INBOX NIL lr",
        "* MYRIGHTS INBOX",
        "* MYRIGHTS INBOX l r",
        "* LISTRIGHTS INBOX bob",
    ] {
        assert!(shown(line).starts_with("Unreadable"), "{line}");
    }
}
