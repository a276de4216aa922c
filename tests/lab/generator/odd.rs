//! Messages in every odd shape known from real mailboxes: those that servers refuse, change, or
//! interpret differently.

use super::super::client::NewMessage;

/// Messages of odd shapes, each with its name. All dates differ but where the shape is an equal
/// date.
pub fn odd() -> Vec<(String, NewMessage)> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>| all.push((name.to_owned(), bytes));
    structure(&mut add);
    headers(&mut add);
    bodies(&mut add);
    identities(&mut add);
    let dated = |(number, (name, bytes)): (usize, (String, Vec<u8>))| {
        (
            name,
            NewMessage {
                flags: Vec::new(),
                date: Some(date(number)),
                bytes,
            },
        )
    };
    let mut all: Vec<(String, NewMessage)> = all.into_iter().enumerate().map(dated).collect();
    all.extend(dates());
    all.extend(flags());
    all.extend(alike());
    all
}

/// One date for each number.
fn date(number: usize) -> String {
    format!(
        "{:02}-Mar-2021 {:02}:20:30 +0130",
        number % 28 + 1,
        number / 28
    )
}

type Add<'a> = dyn FnMut(&str, Vec<u8>) + 'a;

/// A message of its own with these further fields and this body.
fn message(id: &str, fields: &[u8], body: &[u8]) -> Vec<u8> {
    let head = format!("Message-ID: <{id}@odd>\r\nFrom: a@example.org\r\nSubject: {id}\r\n");
    [head.as_bytes(), fields, b"\r\n", body].concat()
}

/// Without a header, without a body, without either.
fn structure(add: &mut Add<'_>) {
    add("nothing", Vec::new());
    for (name, bytes) in [
        ("one byte", &b"x"[..]),
        ("one line end", b"\r\n"),
        ("two line ends", b"\r\n\r\n"),
        ("text only", b"no header at all, only text\r\nin two lines\r\n"),
        ("text with a colon", b"Dear Ann:\r\nhow are you?\r\n"),
        ("empty line first", b"\r\nan empty header and a body\r\n"),
        ("only a header", b"From: a@example.org\r\nSubject: only a header\r\nMessage-ID: <h@odd>\r\n"),
        ("header cut off", b"From: a@example.org\r\nSubject: cut o"),
        ("header and empty line", b"From: a@example.org\r\nSubject: no body\r\nMessage-ID: <n@odd>\r\n\r\n"),
        (
            "mbox line first",
            b"From ann@example.org Mon Mar  1 10:20:30 2021\r\nSubject: mbox\r\nMessage-ID: <m@odd>\r\n\r\nx\r\n",
        ),
        ("quoted mbox line first", b">From ann@example.org\r\nSubject: mbox\r\nMessage-ID: <q@odd>\r\n\r\nx\r\n"),
        ("continuation first", b" folded nothing\r\nSubject: fold\r\nMessage-ID: <f@odd>\r\n\r\nx\r\n"),
        ("line without colon", b"Subject: colon\r\nno colon here\r\nMessage-ID: <c@odd>\r\n\r\nx\r\n"),
        ("blank in a name", b"Subject: blank\r\nBad Field: x\r\nMessage-ID: <b@odd>\r\n\r\nx\r\n"),
        ("no name", b"Subject: no name\r\n: value\r\nMessage-ID: <nn@odd>\r\n\r\nx\r\n"),
        ("only blanks in a line", b"Subject: blanks\r\n   \r\nMessage-ID: <bl@odd>\r\n\r\nx\r\n"),
        ("no line end at the end", b"Subject: end\r\nMessage-ID: <e@odd>\r\n\r\nthe last line has no end"),
        ("many line ends at the end", b"Subject: ends\r\nMessage-ID: <es@odd>\r\n\r\nx\r\n\r\n\r\n\r\n"),
        ("LF only", b"Subject: lf\nMessage-ID: <lf@odd>\n\none\ntwo\n"),
        ("CR CR LF", b"Subject: crcrlf\r\r\nMessage-ID: <crcrlf@odd>\r\r\n\r\r\nx\r\r\n"),
        ("CR only", b"Subject: cr\rMessage-ID: <cr@odd>\r\rx\r"),
    ] {
        add(name, bytes.to_vec());
    }
}

/// Header fields as no standard has them, and as old ones had.
fn headers(add: &mut Add<'_>) {
    let long = "x".repeat(5_000);
    let many: String = (0..10_000)
        .map(|n| format!("X-Header-{n}: value {n}\r\n"))
        .collect();
    let folded = "word\r\n ".repeat(3_000);
    for (number, fields) in [
        &b"To: M\xfcller <m@example.org>\r\n"[..],
        b"To: M\xc3\xbcller <m@example.org>\r\n",
        b"X-Raw: \xff\xfe\x80\r\n",
        b"X-Control: \x01\x02\x7f\x1b[2J\r\n",
        b"X-Nul: a\0b\r\n",
        b"X-Tab:\ta\r\n\tb\r\n",
        b"X-Empty:\r\nCc:\r\nBcc: \r\n",
        b"x-CASE: 1\r\nX-Case: 2\r\n",
        b"Status: RO\r\nX-Status: A\r\nX-Keywords: a b\r\nX-UID: 7\r\nX-IMAPbase: 1 2\r\n",
        b"Content-Length: 999999\r\nLines: 1\r\n",
        b"X-Pm-Gluon-Id: 1\r\nX-Message-Flag: x\r\nX-TUID: 123\r\nX-OfflineIMAP: 1\r\n",
        b"Return-Path: <>\r\nReceived: from a by b; Mon, 1 Mar 2021 10:20:30 +0000\r\n",
        b"To: undisclosed-recipients:;\r\n",
        b"To: (comment (nested)) a@EXAMPLE.org\r\n",
        b"To: <@relay:a@example.org>\r\n",
        b"To: \"quoted \\\" name\" <a@[127.0.0.1]>\r\n",
        b"Content-Type: multipart/mixed\r\n",
        b"Content-Type: multipart/mixed; boundary=\"\"\r\n",
        b"Content-Transfer-Encoding: nonsense\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Disposition-Notification-To: a@example.org\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        add(
            &format!("field {number}"),
            message(&format!("field{number}"), fields, b"x\r\n"),
        );
    }
    add(
        "long field",
        message("long", format!("X-Long: {long}\r\n").as_bytes(), b"x\r\n"),
    );
    add(
        "long name",
        message("name", format!("X-{long}: 1\r\n").as_bytes(), b"x\r\n"),
    );
    add("many fields", message("many", many.as_bytes(), b"x\r\n"));
    add(
        "much folding",
        message(
            "folds",
            format!("X-Folded: {folded}\r\n").as_bytes(),
            b"x\r\n",
        ),
    );
    add(
        "huge line",
        message(
            "huge",
            format!("X-Huge: {}\r\n", "y".repeat(1 << 20)).as_bytes(),
            b"x\r\n",
        ),
    );
    add(
        "huge subject",
        format!(
            "Message-ID: <hs@odd>\r\nSubject: {}\r\n\r\nx\r\n",
            "z".repeat(200_000)
        )
        .into_bytes(),
    );
}

/// Bodies that servers repair or refuse.
fn bodies(add: &mut Add<'_>) {
    for (name, body) in [
        ("NUL", &b"a NUL \0 in a line\r\n"[..]),
        ("0x80", b"a byte \x80 in a line\r\n"),
        ("bare LF", b"one\ntwo\n\nthree\r\n"),
        ("bare CR", b"one\rtwo\r\rthree\r\n"),
        ("8 bit", b"gr\xfc\xdfe gr\xc3\xbc\xc3\x9fe\r\n"),
        ("dots", b".\r\n..\r\n.x\r\n"),
        (
            "mbox lines",
            b"From here\r\n>From there\r\n\r\nFrom ann@example.org Mon Mar  1 10:20:30 2021\r\n",
        ),
        (
            "like a reply",
            b"* OK fine\r\na1 BAD no\r\n)\r\n{5}\r\n+ go on\r\n",
        ),
        ("form feed", b"\x0c\x0b\x08\r\n"),
        ("end of file sign", b"before\x1aafter\r\n"),
        ("trailing blanks", b"x   \r\ny\t\r\n"),
        (
            "unclosed part",
            b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n",
        ),
    ] {
        add(name, message(&name.replace(' ', "-"), b"", body));
    }
    add(
        "long line",
        message(
            "long-line",
            b"",
            &[b"x".repeat(1 << 20), b"\r\n".to_vec()].concat(),
        ),
    );
    add("many lines", message("lines", b"", &b"\r\n".repeat(20_000)));
}

/// Message-IDs, dates and subjects that are hard to read.
fn identities(add: &mut Add<'_>) {
    for (number, header) in [
        &b"Message-ID:\r\n <folded@odd>\r\nSubject: a\r\n"[..],
        b"Message-ID: <two@odd>\r\nMessage-ID: <three@odd>\r\n",
        b"Message-ID: no brackets@odd\r\nSubject: b\r\n",
        b"Message-ID: <>\r\nSubject: empty id\r\n",
        b"Message-ID: <unclosed@odd\r\nSubject: c\r\n",
        b"Message-ID: <Case@ODD.Example>\r\nSubject: d\r\n",
        b"Message-ID: <comment@odd> (added by a gateway)\r\n",
        b"Message-ID: (comment) <after@odd>\r\n",
        b"Message-ID: <blank in@odd>\r\n",
        b"Message-ID: <8bit\xe4@odd>\r\n",
        b"Message-ID  : <obsolete@odd>\r\nSubject : e\r\n",
        b"Message-ID\t: <tab@odd>\r\nDate : Mon, 1 Mar 2021 10:20:30 +0000\r\n",
        b"MESSAGE-ID: <upper@odd>\r\n",
        b"Subject: without an id\r\nDate: Mon, 1 Mar 2021 10:20:30 +0000\r\n",
        b"Subject: \xe4\xf6\xfc without an id\r\n",
        b"Subject: =?utf-8?Q?gr=C3=BC=C3=9Fe?=\r\n",
        b"Subject: =?broken\r\n",
        b"Subject:\r\n\r\n",
        b"X-Nothing: that identifies it\r\n",
        b"Message-ID: <d1@odd>\r\nDate: Mon, 1 Mar 2021 10:20 GMT\r\n",
        b"Message-ID: <d2@odd>\r\nDate: 1 Mar 21 10:20:30 EST\r\n",
        b"Message-ID: <d3@odd>\r\nDate: Mon (Monday), 1 (first) Mar 2021 10:20:30 +0000 (UTC)\r\n",
        b"Message-ID: <d4@odd>\r\nDate: yesterday\r\n",
        b"Message-ID: <d5@odd>\r\nDate: Thu, 31 Feb 2021 25:61:61 +9999\r\n",
        b"Message-ID: <d6@odd>\r\nDate: Mon, 1 Mar 1921 10:20:30 +0000\r\n",
        b"Message-ID: <d7@odd>\r\nDate:\r\n Mon,\r\n 1 Mar 2021\r\n 10:20:30 +0000\r\n",
        b"Message-ID: <d8@odd>\r\nDate: \r\nDate: Mon, 1 Mar 2021 10:20:30 +0000\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        add(
            &format!("identity {number}"),
            [header, format!("\r\nbody {number}\r\n").as_bytes()].concat(),
        );
    }
}

/// INTERNALDATEs that not every server keeps, or has its own form for.
fn dates() -> Vec<(String, NewMessage)> {
    let dates = [
        "01-Jan-1900 00:00:00 +0000",
        "31-Dec-1969 23:59:59 +0000",
        "01-Jan-1970 00:00:00 +0000",
        "02-Jan-1970 00:00:01 +0000",
        "18-Jan-2038 23:59:59 +0000",
        "19-Jan-2038 03:14:08 +0000",
        "07-Feb-2106 06:28:16 +0000",
        "29-Feb-2024 12:00:00 -1200",
        "01-Mar-2021 00:00:00 +1400",
        "01-Mar-2021 10:20:30 -0330",
    ];
    let dated = |(number, date): (usize, &str)| {
        let bytes = message(&format!("date{number}"), b"", b"x\r\n");
        (
            format!("date {date}"),
            NewMessage {
                flags: Vec::new(),
                date: Some(date.to_owned()),
                bytes,
            },
        )
    };
    dates.into_iter().enumerate().map(dated).collect()
}

/// Flags and keywords that some servers refuse, drop or spell in another way.
fn flags() -> Vec<(String, NewMessage)> {
    let long = format!("long{}", "g".repeat(70));
    let sets: [&[&str]; 12] = [
        &["\\Seen", "\\Answered", "\\Flagged", "\\Draft"],
        &["\\Deleted"],
        &["$Forwarded", "$MDNSent", "$Junk"],
        &["$Junk", "$NotJunk"],
        &["NonJunk", "Junk"],
        &["Caps", "$label1"],
        &["a.b/c:d@e"],
        &["a+b&c~d'e!f#g|h^i"],
        &["a[b"],
        &["1", "-", "$"],
        &[&long],
        &["\\Seen", "$MailFlagBit0", "$MailFlagBit2"],
    ];
    let flagged = |(number, set): (usize, &&[&str])| {
        let bytes = message(&format!("flags{number}"), b"", b"x\r\n");
        let flags = set.iter().map(|flag| (*flag).to_owned()).collect();
        (
            format!("flags {set:?}"),
            NewMessage {
                flags,
                date: Some(date(200 + number)),
                bytes,
            },
        )
    };
    sets.iter().enumerate().map(flagged).collect()
}

/// Messages that look like one another: equal ones, and different ones with one Message-ID, size or
/// date.
fn alike() -> Vec<(String, NewMessage)> {
    let same = |name: &str, number: usize, bytes: &[u8]| {
        (
            name.to_owned(),
            NewMessage {
                flags: Vec::new(),
                date: Some(date(number)),
                bytes: bytes.to_vec(),
            },
        )
    };
    let without = |body: &str| format!("Subject: no id\r\n\r\n{body}\r\n").into_bytes();
    vec![
        same("twice", 300, &message("twice", b"", b"x\r\n")),
        same("twice", 300, &message("twice", b"", b"x\r\n")),
        same("one id, other body", 301, &message("body", b"", b"one\r\n")),
        same("one id, other body", 301, &message("body", b"", b"two\r\n")),
        same(
            "one id, other body and date",
            302,
            &message("date", b"", b"one\r\n"),
        ),
        same(
            "one id, other body and date",
            303,
            &message("date", b"", b"other\r\n"),
        ),
        same("no id", 304, &without("one")),
        same("no id", 304, &without("two")),
        same("no id", 304, &without("two")),
        same("no header", 305, b"\r\none\r\n"),
        same("no header", 305, b"\r\ntwo\r\n"),
        same(
            "8-bit bytes differ",
            306,
            &message("umlaut", b"To: \xe4 <a@x>\r\n", b"x\r\n"),
        ),
        same(
            "8-bit bytes differ",
            306,
            &message("umlaut", b"To: \xf6 <a@x>\r\n", b"x\r\n"),
        ),
    ]
}
