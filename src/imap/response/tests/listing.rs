//! LIST, LSUB, XLIST and STATUS.

use super::*;
use crate::mail::{Counters, FolderStatus, ModSeq, UidNext, UidValidity};

fn listed(line: impl AsRef<[u8]>) -> (Vec<String>, Option<char>, String) {
    with(&line, |response| match response {
        Response::List(item) | Response::Lsub(item) | Response::XList(item) => (
            item.attributes,
            item.separator,
            item.name.escape_ascii().to_string(),
        ),
        other => panic!("{}: {other:?}", line.as_ref().escape_ascii()),
    })
}

#[test]
fn list_names_are_raw_and_unescaped() {
    let name = |line: &[u8]| listed(line).2;
    for (line, expected) in [
        (&b"* LIST () \"/\" INBOX"[..], "INBOX"),
        (b"* LIST () \"/\" \"[Gmail]/All Mail\"", "[Gmail]/All Mail"),
        (b"* LIST () \"/\" [Gmail]/All", "[Gmail]/All"),
        (b"* LIST () \"/\" \"Entw&APw-rfe\"", "Entw&APw-rfe"),
        (b"* LIST () \"/\" \"\"", ""),
        (b"* LIST () \"/\" \"a\\\"b\\\\c\"", "a\\\"b\\\\c"),
        (b"* LIST () \"/\" {4}\r\na\\\"b", "a\\\\\\\"b"),
        (b"* LIST () \"/\" {3+}\r\na\nb", "a\\nb"),
        (b"* LIST () \"/\" \"\xc3\xbc\"", "\\xc3\\xbc"),
        (b"* LIST () \"/\" \"\xfc\"", "\\xfc"),
        (b"* LIST () \"/\" {1}\r\n\xfc", "\\xfc"),
        (b"* LIST () \"/\" {4}\r\nab\r\r", "ab\\r\\r"),
        (b"* LIST () \"/\" a (CHILDINFO (\"SUBSCRIBED\"))", "a"),
        (
            b"* LIST () \"/\" \"a\" (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "a",
        ),
        (b"* LIST () \"/\" new (OLDNAME (old))", "new"),
        (b"* LIST () \"/\" Sent Items", "Sent Items"),
        (b"* LIST () \"/\" Photos (2024) 50%", "Photos (2024) 50%"),
        (b"* LIST () \"/\" a\tb ", "a\\tb"),
        (b"* LIST () \"/\" a\"b", "a\\\"b"),
        (b"* LIST  ()  \"/\"  a", "a"),
    ] {
        assert_eq!(name(line), expected, "{}", line.escape_ascii());
    }
}

#[test]
fn list_attributes_and_separators() {
    for (line, attributes, separator) in [
        (
            &b"* LIST (\\HasNoChildren \\AllMail) \"/\" a"[..],
            &["\\HasNoChildren", "\\AllMail"][..],
            Some('/'),
        ),
        (b"* LIST (\\Junkmail) \".\" a", &["\\Junkmail"], Some('.')),
        (
            b"* LIST (\\Subscribed \\NonExistent \\Remote \\Important) \"/\" a",
            { &["\\Subscribed", "\\NonExistent", "\\Remote", "\\Important"] },
            Some('/'),
        ),
        (b"* LIST (HasChildren) \"/\" a", &["HasChildren"], Some('/')),
        (
            b"* XLIST (\\Sent \\Sent) \"|\" a",
            &["\\Sent", "\\Sent"],
            Some('|'),
        ),
        (b"* LSUB () \"/\" a", &[], Some('/')),
        (
            b"* LIST (\\NoInferiors) NIL INBOX",
            &["\\NoInferiors"],
            None,
        ),
        (b"* LIST () \"\" INBOX", &[], None),
        (b"* LIST () \"\\\\\" a", &[], Some('\\')),
        (b"* LIST () \"\\\" a", &[], Some('\\')),
        (b"* LIST () \"\\\"\" a", &[], Some('"')),
        (b"* LIST () / a", &[], Some('/')),
        (
            b"* LIST ( \\Marked  \\X ) \"/\" a",
            &["\\Marked", "\\X"],
            Some('/'),
        ),
    ] {
        let (found, found_separator, _) = listed(line);
        assert_eq!(
            (found.as_slice(), found_separator),
            (
                attributes
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .as_slice(),
                separator
            ),
            "{}",
            line.escape_ascii()
        );
    }
}

#[test]
fn listings_are_told_apart_and_never_lost() {
    for (line, kind) in [
        ("* LIST () \"/\" a", "List("),
        ("* LSUB () \"/\" a", "Lsub("),
        ("* XLIST () \"/\" a", "XList("),
    ] {
        assert!(shown(line).starts_with(kind), "{line}");
    }
    for line in [
        "* LIST",
        "* LIST ()",
        "* LIST () \"/\"",
        "* LIST () \"ab\" x",
        "* LIST (\\X \"/\" x",
        "* LIST () \"/\" \"a\"b",
        "* LIST () \"/\" \"a",
        "* LIST () \"/\" NIL",
        "* LIST () \"/\" nil ",
    ] {
        assert!(
            shown(line).starts_with("Unreadable"),
            "{line}: {}",
            shown(line)
        );
    }
}

#[test]
fn mailbox_status() {
    let read = |line: &[u8]| {
        with(line, |response| match response {
            Response::MailboxStatus(status) => status,
            other => panic!("{}: {other:?}", line.escape_ascii()),
        })
    };
    let all = read(b"* STATUS \"a\\\"b\" (MESSAGES 3 RECENT 1 UIDNEXT 9 UIDVALIDITY 7 UNSEEN 2 HIGHESTMODSEQ 1706092971947030001 SIZE 5000000000 DELETED 1 DELETED-STORAGE 5 X-FOO (a (b)) APPENDLIMIT NIL MAILBOXID (F12) )");
    let counters = FolderStatus {
        mailbox_id: Some("F12".into()),
        counters: Counters {
            uid_validity: Some(UidValidity(7)),
            uid_next: UidNext::new(9),
            mod_seq: Some(ModSeq(1_706_092_971_947_030_001)),
            messages: Some(3),
        },
        unseen: Some(2),
        size: Some(5_000_000_000),
    };
    let expected = MailboxStatus {
        name: b"a\"b".to_vec(),
        counters,
        append_limit: None,
    };
    assert_eq!(all, expected);
    for (line, name) in [
        (&b"* STATUS x ()"[..], "x"),
        (b"* STATUS {2}\r\n(a ()", "(a"),
        (b"* STATUS Sent Items (MESSAGES 1) ", "Sent Items"),
        (b"* STATUS \"\xfc\" (MESSAGES 1)", "\\xfc"),
        (b"* STATUS a(b (MESSAGES 1)", "a(b"),
    ] {
        assert_eq!(
            read(line).name.escape_ascii().to_string(),
            name,
            "{}",
            line.escape_ascii()
        );
    }
    let odd = read(b"* STATUS x (MESSAGES -1 UIDNEXT 0 UIDVALIDITY 4294967296 UNSEEN NIL APPENDLIMIT 35651584)");
    assert_eq!(odd.counters, FolderStatus::default());
    assert_eq!(odd.append_limit, Some(35_651_584));
    assert_eq!(
        read(b"* STATUS x (MESSAGES 9.3736e+06)")
            .counters
            .counters
            .messages,
        Some(9_373_600)
    );
    for line in [
        "* STATUS",
        "* STATUS x",
        "* STATUS x (MESSAGES)",
        "* STATUS x (MESSAGES 1",
        "* STATUS x (MESSAGES 1) y",
    ] {
        assert!(shown(line).starts_with("Unreadable"), "{line}");
    }
}
