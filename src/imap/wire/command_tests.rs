use super::*;
use proptest::prelude::*;

fn write(bytes: &[u8]) -> Step {
    Step::Write(bytes.to_vec())
}

fn line(command: &Command) -> Vec<u8> {
    match command.steps("t1", LiteralMode::Plus).unwrap().as_slice() {
        [Step::Write(bytes)] => bytes.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn commands_are_written_by_the_grammar() {
    let uids = UidSet::parse("1:3,9").unwrap();
    let seen = Flags::from_names(["\\Seen", "$Label1"]);
    let date = InternalDate::parse("01-Feb-2024 03:04:05 +0130").unwrap();
    for (command, expected) in [
        (Command::new("NOOP"), "t1 NOOP\r\n"),
        (
            Command::new("LIST").string(b"").string(b"*"),
            "t1 LIST \"\" \"*\"\r\n",
        ),
        (
            Command::new("SELECT").mailbox(&"a\"b\\c".into()),
            "t1 SELECT \"a\\\"b\\\\c\"\r\n",
        ),
        (
            Command::new("UID FETCH").uids(&uids).text("(FLAGS)"),
            "t1 UID FETCH 1:3,9 (FLAGS)\r\n",
        ),
        (
            Command::new("UID STORE")
                .uids(&uids)
                .text("+FLAGS.SILENT")
                .flags(&seen),
            "t1 UID STORE 1:3,9 +FLAGS.SILENT (\\Seen $Label1)\r\n",
        ),
        (
            Command::new("ID")
                .open()
                .string(b"name")
                .string(b"mailferry")
                .close(),
            "t1 ID (\"name\" \"mailferry\")\r\n",
        ),
        (
            Command::new("APPEND").mailbox(&"INBOX".into()).date(date),
            { "t1 APPEND \"INBOX\" \"01-Feb-2024 03:04:05 +0130\"\r\n" },
        ),
        (
            Command::new("CREATE").mailbox(&MailboxName::new(*b"a\r\nb")),
            "t1 CREATE {4+}\r\na\r\nb\r\n",
        ),
    ] {
        assert_eq!(
            line(&command).escape_ascii().to_string(),
            expected.as_bytes().escape_ascii().to_string()
        );
    }
    assert_eq!(
        Command::continuation("")
            .steps("t1", LiteralMode::Plus)
            .unwrap(),
        [write(b"\r\n")]
    );
    assert_eq!(
        Command::continuation("AQ==")
            .steps("t1", LiteralMode::Plus)
            .unwrap(),
        [write(b"AQ==\r\n")]
    );
}

#[test]
fn literals_wait_where_they_must() {
    let name = MailboxName::new("ü".as_bytes());
    let append = Command::new("APPEND")
        .mailbox(&name)
        .stream(4097, false)
        .text("x");
    assert_eq!(
        append.steps("t", LiteralMode::Synchronizing).unwrap(),
        [
            write(b"t APPEND {2}\r\n"),
            Step::AwaitContinuation,
            write("ü {4097}\r\n".as_bytes()),
            Step::AwaitContinuation,
            Step::Stream(4097),
            write(b" x\r\n"),
        ]
    );
    assert_eq!(
        append.steps("t", LiteralMode::Minus).unwrap(),
        [
            write("t APPEND {2+}\r\nü {4097}\r\n".as_bytes()),
            Step::AwaitContinuation,
            Step::Stream(4097),
            write(b" x\r\n"),
        ]
    );
    assert_eq!(
        append.steps("t", LiteralMode::Plus).unwrap(),
        [
            write("t APPEND {2+}\r\nü {4097+}\r\n".as_bytes()),
            Step::Stream(4097),
            write(b" x\r\n")
        ]
    );
    let minus = Command::new("APPEND")
        .stream(4096, true)
        .steps("t", LiteralMode::Minus)
        .unwrap();
    assert_eq!(
        minus,
        [
            write(b"t APPEND ~{4096+}\r\n"),
            Step::Stream(4096),
            write(b"\r\n")
        ]
    );
}

#[test]
fn grammar_with_a_forbidden_byte_is_never_sent() {
    for text in ["x\r\nA2 DELETE y", "x\ny", "x\0", "ü", "\x7f"] {
        assert_eq!(
            Command::new("SEARCH")
                .text(text)
                .steps("t", LiteralMode::Plus),
            Err(ForbiddenByte),
            "{text:?}"
        );
        assert_eq!(
            Command::continuation(text).steps("t", LiteralMode::Plus),
            Err(ForbiddenByte),
            "{text:?}"
        );
    }
    assert_eq!(
        Command::new("LOGIN")
            .secret_string(b"a\0")
            .steps("t", LiteralMode::Plus),
        Err(ForbiddenByte)
    );
    assert_eq!(
        Command::new("NOOP").steps("t\r\n", LiteralMode::Plus),
        Err(ForbiddenByte)
    );
}

#[test]
fn secrets_are_not_traced() {
    let login = Command::new("LOGIN")
        .secret_string(b"ann")
        .secret_string("pässword".as_bytes());
    assert_eq!(
        login.trace("t").escape_ascii().to_string(),
        "t LOGIN <hidden> <hidden>"
    );
    let plain = Command::new("AUTHENTICATE PLAIN").secret_text("AGFubgBwdw==");
    assert_eq!(
        plain.trace("t").escape_ascii().to_string(),
        "t AUTHENTICATE PLAIN <hidden>"
    );
    assert_eq!(
        Command::continuation("AGFubgBwdw==").trace("t"),
        b"<hidden>"
    );
    let all = format!(
        "{login:?}{plain:?}{:?}",
        login.steps("t", LiteralMode::Plus)
    );
    assert!(
        !all.contains("ann") && !all.contains("word") && !all.contains("AGFu"),
        "{all}"
    );
}

proptest! {
    #![proptest_config(crate::properties::config())]

    /// Removing literals by their announced sizes leaves one line without control or 8-bit bytes.
    #[test]
    fn no_string_breaks_out(names in prop::collection::vec(prop::collection::vec(1_u8.., 0..20), 1..4)) {
        let command = names.iter().fold(Command::new("X"), |command, name| command.string(name));
        let sent = line(&command);
        let (mut rest, mut outside) = (sent.as_slice(), Vec::new());
        while let Some(at) = rest.windows(4).position(|w| w == b"+}\r\n") {
            let open = rest[..at].iter().rposition(|byte| *byte == b'{').unwrap();
            let size: usize = std::str::from_utf8(&rest[open + 1..at]).unwrap().parse().unwrap();
            outside.extend_from_slice(&rest[..open]);
            rest = &rest[at + 4 + size..];
        }
        outside.extend_from_slice(rest.strip_suffix(b"\r\n").unwrap());
        prop_assert!(outside.iter().all(|byte| is_printable(*byte)));
    }
}
