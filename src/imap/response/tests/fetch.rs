//! FETCH and the flags in it.

use super::*;
use crate::mail::ModSeq;

/// Parses a FETCH with these items.
fn fetch(items: impl AsRef<[u8]>, check: impl FnOnce(Fetch<'_>)) {
    let line = [b"* 1 FETCH (", items.as_ref(), b")"].concat();
    with(&line, |response| match response {
        Response::Fetch(fetch) => check(fetch),
        other => panic!("{}: {other:?}", line.escape_ascii()),
    });
}

fn unreadable_fetch(items: impl AsRef<[u8]>) -> Unreadable {
    with(
        [b"* 1 FETCH (", items.as_ref(), b")"].concat(),
        |response| match response {
            Response::Unreadable(unreadable) => unreadable,
            other => panic!("{}: {other:?}", items.as_ref().escape_ascii()),
        },
    )
}

/// Flags that imap-proto parses, and those that it silently loses.
#[test]
fn flags() {
    for (list, expected) in [
        (
            "(\\Seen $Forwarded NonJunk $MDNSent)",
            &["\\Seen", "$Forwarded", "NonJunk", "$MDNSent"][..],
        ),
        ("(\\Answered \\*)", &["\\Answered", "\\*"]),
        ("()", &[]),
        ("( )", &[]),
        ("([Gmail]/All a]b)", &["[Gmail]/All", "a]b"]),
        ("(grün)", &["grün"]),
        ("(\\Seen )", &["\\Seen"]),
        (
            "(a{b c(d e%f \"quoted flag\" \\mid a\\b *x)",
            &["a{b", "c(d", "e%f", "quoted flag", "\\mid", "a\\b", "*x"],
        ),
        ("(\\Seen  \\Draft)", &["\\Seen", "\\Draft"]),
        ("NIL", &[]),
    ] {
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        with(format!("* FLAGS {list}"), |response| {
            assert_eq!(response, Response::Flags(expected.clone()), "{list}");
        });
        fetch(format!("UID 7 FLAGS {list} RFC822.SIZE 3"), |fetch| {
            assert_eq!(fetch.flags.unwrap(), expected, "{list}");
            assert_eq!((fetch.uid, fetch.size), (Some(7), Some(3)));
        });
    }
    fetch(b"FLAGS (caf\xe9)", |fetch| {
        assert_eq!(fetch.flags.unwrap(), ["café"]);
    });
    for list in ["", "\\Seen", "(\\Seen", "((\\Seen))x", "(\"a)", "5"] {
        assert_eq!(
            unreadable_fetch(format!("UID 7 FLAGS {list}")).uid,
            Some(7),
            "{list}"
        );
        assert!(
            shown(format!("* FLAGS {list}")).starts_with("Unreadable"),
            "{list}"
        );
    }
}

#[test]
fn fetch_items() {
    let scan = b"UID 5 FLAGS (\\Seen) INTERNALDATE \" 1-Feb-2024 03:04:05 +0000\" RFC822.SIZE 1234 MODSEQ (99) EMAILID (M1) X-GM-MSGID 1278455344230334865 BODY[HEADER.FIELDS (Message-ID \"Date\")] {3}\r\na\r\n";
    for tail in [
        "",
        " ",
        " SAVEDATE NIL",
        " PREVIEW \"a\\\"\"",
        " X-GUID abc",
        " ANNOTATION (a (b (c)))",
        " THREADID NIL",
    ] {
        fetch([scan, tail.as_bytes()].concat(), |fetch| {
            assert_eq!(
                (fetch.seq, fetch.uid, fetch.size, fetch.mod_seq),
                (1, Some(5), Some(1234), Some(ModSeq(99)))
            );
            assert_eq!(
                fetch.internal_date.as_deref(),
                Some(" 1-Feb-2024 03:04:05 +0000")
            );
            assert_eq!(
                (fetch.email_id.as_deref(), fetch.gmail_msgid),
                (Some("M1"), Some(1_278_455_344_230_334_865))
            );
            assert_eq!(fetch.header, Some(Content::Bytes(b"a\r\n".into())));
            assert_eq!(fetch.body, None);
            let asked = Attributes::UID | Attributes::HEADER | Attributes::MOD_SEQ;
            assert!(fetch.present.contains(asked));
            assert_eq!(
                (asked | Attributes::BODY)
                    .without(fetch.present)
                    .to_string(),
                "BODY[]"
            );
        });
    }
    fetch("", |fetch| assert_eq!(fetch.present, Attributes::default()));
    fetch("  UID  5 ", |fetch| assert_eq!(fetch.uid, Some(5)));
    with("* 5 UIDFETCH (FLAGS ())", |response| match response {
        Response::Fetch(fetch) => assert_eq!((fetch.seq, fetch.uid), (0, Some(5))),
        other => panic!("{other:?}"),
    });
    with("* 0 FETCH (UID 5)", |response| {
        assert!(matches!(response, Response::Fetch(Fetch { seq: 0, .. })));
    });
}

#[test]
fn fetch_items_that_make_no_sense_are_present_without_a_value() {
    for (item, attribute) in [
        ("INTERNALDATE NIL", Attributes::INTERNAL_DATE),
        ("internaldate nil", Attributes::INTERNAL_DATE),
        ("RFC822.SIZE -1", Attributes::SIZE),
        ("RFC822.SIZE NIL", Attributes::SIZE),
        ("RFC822.SIZE null", Attributes::SIZE),
        ("MODSEQ (-1)", Attributes::MOD_SEQ),
        ("MODSEQ ()", Attributes::MOD_SEQ),
        ("EMAILID NIL", Attributes::EMAIL_ID),
    ] {
        fetch(item, |fetch| {
            assert_eq!(
                fetch,
                Fetch {
                    seq: 1,
                    present: attribute,
                    ..Fetch::default()
                },
                "{item}"
            );
        });
    }
    fetch("RFC822.SIZE 5000000000", |fetch| {
        assert_eq!(fetch.size, Some(5_000_000_000));
    });
    fetch("RFC822.SIZE 9.3736e+06", |fetch| {
        assert_eq!(fetch.size, Some(9_373_600));
    });
    fetch("MODSEQ 7", |fetch| {
        assert_eq!(fetch.mod_seq, Some(ModSeq(7)));
    });
    for date in [
        "1-Feb-2024 03:04:05 +0000",
        "",
        "garbage",
        "Thu, 1 Feb 2024 03:04:05 +0000",
    ] {
        fetch(format!("INTERNALDATE \"{date}\""), |fetch| {
            assert_eq!(fetch.internal_date.as_deref(), Some(date));
        });
    }
}

/// Labels as Gmail writes them, and in every other form that a name may have.
#[test]
fn gmail_labels() {
    for (list, expected) in [
        (&b"()"[..], &[][..]),
        (b"NIL", &[]),
        (
            b"(\\Inbox \\Sent Important \"Muy Importante\")",
            &[&b"\\Inbox"[..], b"\\Sent", b"Important", b"Muy Importante"],
        ),
        (
            b"(\"\\\\Inbox\" \"\\\\Starred\")",
            &[b"\\Inbox", b"\\Starred"],
        ),
        (
            b"(\"a\\\"b\" \"c)d\" \"(\" \"\")",
            &[b"a\"b", b"c)d", b"(", b""],
        ),
        (
            b"({4}\r\na\"\\) +x [Gmail]/Mine Entw&APw-rfe)",
            &[b"a\"\\)", b"+x", b"[Gmail]/Mine", b"Entw&APw-rfe"],
        ),
        (b"(NIL \"NIL\" nil)", &[b"NIL", b"NIL", b"NIL"]),
    ] {
        for (before, after) in [
            ("UID 7 ", ""),
            ("", " UID 7"),
            ("UID 7 FLAGS (a) ", " X-GM-MSGID 5"),
        ] {
            let line = [before.as_bytes(), b"X-GM-LABELS ", list, after.as_bytes()].concat();
            fetch(&line, |fetch| {
                let labels: Vec<&[u8]> = fetch
                    .gmail_labels
                    .iter()
                    .flatten()
                    .map(AsRef::as_ref)
                    .collect();
                assert_eq!(labels, expected, "{}", line.escape_ascii());
                assert!(
                    fetch
                        .present
                        .contains(Attributes::GMAIL_LABELS | Attributes::UID)
                );
                assert_eq!(fetch.uid, Some(7));
            });
        }
    }
    for list in ["", "Work", "\"Work\"", "(a", "((a))", "(a (b))", "(\"a)"] {
        assert_eq!(
            unreadable_fetch(format!("UID 7 X-GM-LABELS {list}")).uid,
            Some(7),
            "{list}"
        );
    }
}

#[test]
fn fetch_bodies() {
    let bytes = |bytes: &'static [u8]| Content::Bytes(bytes.into());
    for (item, expected) in [
        (&b"BODY[] {4}\r\na\0\"\\"[..], bytes(b"a\0\"\\")),
        (b"BODY[] {4+}\r\na)(b", bytes(b"a)(b")),
        (b"BODY[] ~{4}\r\na\0\r\n", bytes(b"a\0\r\n")),
        (b"BODY[] {0}\r\n", bytes(b"")),
        (b"BODY[] \"\"", bytes(b"")),
        (b"BODY[] \"a\\\"b\\\\c\"", bytes(b"a\"b\\c")),
        (b"BODY[] \"a\xfc\"", bytes(b"a\xfc")),
        (b"BODY[]<0> {1}\r\nx", bytes(b"x")),
        (b"RFC822 {1}\r\nx", bytes(b"x")),
        (b"body[] {1}\r\nx", bytes(b"x")),
        (b"BODY[] {1}\r\nx BINARY[1] ~{2}\r\n\0\0 BINARY.SIZE[1] 7 BODYSTRUCTURE (\"TEXT\" (NIL) NIL)", bytes(b"x")),
        (b"X-GM-LABELS (\"\\\\Important\" \"a)b\" {1}\r\n) +x) BODY[] {1}\r\nx", bytes(b"x")),
        (b"ENVELOPE (NIL \"a\\nb\" ((NIL NIL \"x\" \"y\")) () NIL) BODY[] {1}\r\nx", bytes(b"x")),
        (b"BODY[] NIL", Content::Nil),
        (b"BODY[] ", Content::Nil),
    ] {
        fetch(item, |fetch| assert_eq!(fetch.body.as_ref(), Some(&expected), "{}", item.escape_ascii()));
    }
    for item in [
        "BODY[2] ",
        "BODY[TEXT] {1}\r\nx",
        "BODY[1] \"x\"",
        "BODY[]<5> \"x\"",
        "BODY (\"TEXT\" \"PLAIN\" NIL)",
        "RFC822.TEXT \"x\"",
    ] {
        fetch(item, |fetch| {
            assert_eq!(fetch.present, Attributes::default(), "{item}");
        });
    }
    for item in [
        "BODY[HEADER] {2}\r\n\r\n",
        "BODY[HEADER.FIELDS.NOT (\"x]y\")] {2}\r\n\r\n",
        "RFC822.HEADER  {2}\r\n\r\n",
    ] {
        fetch(item, |fetch| {
            assert_eq!(fetch.header, Some(bytes(b"\r\n")), "{item}");
        });
    }
}

#[test]
fn a_body_is_borrowed_from_its_frame() {
    for tail in ["", " X-A \"\\\"\""] {
        let frame = frame(format!("* 1 FETCH (UID 3 BODY[] {{3}}\r\nabc{tail})\r\n").as_bytes());
        let Response::Fetch(Fetch {
            body: Some(Content::Bytes(Cow::Borrowed(body))),
            ..
        }) = Response::parse(&frame)
        else {
            panic!("{:?}", Response::parse(&frame));
        };
        assert!(frame.bytes().as_ptr_range().contains(&body.as_ptr()));
    }
}

#[test]
fn fetches_that_are_unreadable_name_their_message() {
    for (items, uid) in [
        ("UID 0", None),
        ("UID 4294967296", None),
        ("UID x", None),
        ("UID 5 UID 6", Some(5)),
        ("BODY[] 5 UID 5", Some(5)),
        ("BODY[] (x) UID 5", Some(5)),
        ("UID 5 BODY[] \"x\" BODY[] \"y\"", Some(5)),
        ("UID 5 FLAGS (\\Seen)) x", Some(5)),
        ("UID 5 INTERNALDATE (x)", Some(5)),
        ("FLAGS x uid 5", Some(5)),
        ("UID 5 MODSEQ (1 2)", Some(5)),
        ("UID 5 \"x\"", Some(5)),
    ] {
        assert_eq!(unreadable_fetch(items).uid, uid, "{items}");
    }
    assert!(shown("* 1 FETCH").starts_with("Unreadable"));
    assert!(shown("* 1 FETCH UID 5").starts_with("Unreadable"));
    assert_eq!(
        unreadable_fetch("UID 0").to_string(),
        "the server's FETCH response can't be read: its UID is not a positive number"
    );
}

#[test]
fn streamed_literals_keep_their_place() {
    let large = "x".repeat(70_000);
    let stream = format!(
        "* 3 FETCH (BODY[HEADER] {{70000}}\r\n{large} UID 8 BODY[] {{70000}}\r\n{large} X-A {{70000}}\r\n{large} FLAGS (a))\r\n"
    );
    let mut source = stream.as_bytes();
    let mut framer = Framer::new(Limits::default());
    let mut openings = Vec::new();
    while framer.next(&mut source).unwrap() != Incoming::Frame {
        openings.push(FetchOpening::read(framer.frame()).unwrap());
    }
    let opening = |uid, place| FetchOpening { seq: 3, uid, place };
    assert_eq!(
        openings,
        [
            opening(None, Attributes::HEADER),
            opening(Some(8), Attributes::BODY),
            opening(Some(8), Attributes::default())
        ]
    );
    let Response::Fetch(fetch) = Response::parse(framer.frame()) else {
        panic!()
    };
    assert_eq!(
        fetch.header,
        Some(Content::Streamed {
            size: 70_000,
            nth: 0
        })
    );
    assert_eq!(
        fetch.body,
        Some(Content::Streamed {
            size: 70_000,
            nth: 1
        })
    );
    assert_eq!(fetch.flags.unwrap(), ["a"]);
    assert_eq!(FetchOpening::read(&frame(b"* 1 EXISTS\r\n")), None);
}
