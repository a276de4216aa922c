//! Deep nesting, mutated transcripts, and agreement between the two parsers.

use super::*;
use crate::imap::wire::FrameError;
use proptest::prelude::*;

/// A recursive parser would overflow the stack at some hundreds.
#[test]
fn nesting_is_harmless() {
    let deep = "(".repeat(100_000);
    for line in [
        format!("* 1 FETCH (UID 5 BODYSTRUCTURE {deep}"),
        format!(
            "* 1 FETCH (UID 5 BODYSTRUCTURE {deep}{} FLAGS ())",
            ")".repeat(100_000)
        ),
        format!("* LIST {deep}"),
        format!("* NAMESPACE {deep}"),
        format!("* STATUS x (X {deep}"),
        format!("* 1 FETCH {deep}"),
    ] {
        shown(line);
    }
    let line = format!(
        "* 1 FETCH (UID 5 X {}{} FLAGS (a))",
        "(".repeat(40),
        ")".repeat(40)
    );
    with(line, |response| {
        let Response::Fetch(fetch) = response else {
            panic!("{response:?}")
        };
        assert_eq!(fetch.flags.unwrap(), ["a"]);
    });
}

const TRANSCRIPT: &[&[u8]] = &[
    b"* OK [CAPABILITY IMAP4rev1 IDLE] hi\r\n",
    b"* OK [ALERT]\xc3\xa9\r\n",
    b"* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n",
    b"t1 OK [COPYUID 7 1:3 9:11] done\r\n",
    b"* LIST (\\HasNoChildren) \"/\" \"a\\\"b\" (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n",
    b"* LIST () NIL {5}\r\na\r\nbc\r\n",
    b"* STATUS \"x y\" (MESSAGES 1 UIDNEXT 2 MAILBOXID (F1))\r\n",
    b"* 1 FETCH (UID 5 FLAGS (\\Seen a) INTERNALDATE NIL RFC822.SIZE 12 BODY[HEADER.FIELDS (A B)] {4}\r\nA: b MODSEQ (3))\r\n",
    b"* 2 FETCH (UID 6 ENVELOPE (NIL \"s\" ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL NIL NIL) BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 1 1)(\"A\" \"B\" (\"C\" \"D\") NIL NIL \"7BIT\" 1) \"MIXED\") BODY[] ~{3}\r\nabc)\r\n",
    b"* ESEARCH (TAG \"t1\") UID ALL 1:5,9 COUNT 6\r\n",
    b"* SEARCH 1 2 3 (MODSEQ 4)\r\n",
    b"* VANISHED (EARLIER) 1:5\r\n",
    b"* NAMESPACE ((\"\" \"/\")) NIL ((\"#\" NIL \"X\" (\"Y\")))\r\n",
    b"* ID (\"name\" \"x\" \"v\" NIL)\r\n",
    b"* QUOTA \"\" (STORAGE 1 2)\r\n",
    b"* METADATA \"\" (/private/comment \"\xff\")\r\n",
    b"* FLAGS (\\Seen a)\r\n",
    b"* BYE\r\n",
];

fn mutation() -> impl Strategy<Value = (prop::sample::Index, u8, Vec<u8>)> {
    let bits = prop_oneof![
        Just(b"(".to_vec()),
        Just(b")".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"{2}\r\n".to_vec()),
        Just(b"NIL".to_vec()),
        Just(b" ".to_vec()),
        Just(b"]".to_vec()),
        Just(b"4294967296".to_vec()),
        prop::collection::vec(any::<u8>(), 1..3),
    ];
    (any::<prop::sample::Index>(), 0_u8..3, bits)
}

/// Parses with our own parsers a response that imap-proto parses as well.
fn ours(frame: &Frame) -> Option<Response<'_>> {
    let mut cursor = Cursor::new(frame);
    assert!(cursor.eat(b'*'));
    let word = cursor.word();
    match word.to_ascii_uppercase().as_slice() {
        b"FLAGS" => {
            let flags = cursor.flags().filter(|_| cursor.is_end())?;
            Some(Response::Flags(
                flags.into_iter().map(Cow::into_owned).collect(),
            ))
        }
        b"QUOTA" => quota::quota(&mut cursor).map(Response::Quota),
        _ => {
            let mut fetch = Fetch::begin(number(word)?, cursor.word())?;
            fetch
                .read_items(&mut cursor)
                .ok()
                .map(|()| Response::Fetch(fetch))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..crate::properties::config() })]

    #[test]
    fn no_mutation_panics(at in any::<prop::sample::Index>(), edits in prop::collection::vec(mutation(), 1..6)) {
        let mut bytes = TRANSCRIPT[at.index(TRANSCRIPT.len())].to_vec();
        for (place, removed, inserted) in edits {
            let from = place.index(bytes.len() + 1);
            let to = (from + usize::from(removed)).min(bytes.len());
            bytes.splice(from..to, inserted);
        }
        let mut source = bytes.as_slice();
        let mut framer = Framer::new(Limits { inline_literal: 3, ..Limits::default() });
        loop {
            match framer.next(&mut source) {
                Ok(Incoming::Frame) => {
                    let response = Response::parse(framer.frame());
                    if proto::read(framer.frame()).is_some() {
                        prop_assert_eq!(ours(framer.frame()), Some(response));
                    }
                }
                Ok(Incoming::LargeLiteral { .. }) => drop(FetchOpening::read(framer.frame())),
                Err(FrameError::Source(never)) => match never {},
                Err(_) => break,
            }
        }
    }

    /// Checks that our own parser gives the same result for a plain FETCH as imap-proto.
    #[test]
    fn both_parsers_agree(
        uid in 1_u32..,
        flags in prop::collection::vec("[a-zA-Z$\\\\][a-zA-Z0-9.-]{0,6}", 0..4),
        size in any::<u32>(),
        mod_seq in any::<u64>(),
        header in prop::collection::vec(any::<u8>(), 0..30),
        order in Just([0, 1, 2, 3, 4, 5]).prop_shuffle(),
    ) {
        let items = [
            format!("UID {uid}").into_bytes(),
            format!("FLAGS ({})", flags.join(" ")).into_bytes(),
            format!("RFC822.SIZE {size}").into_bytes(),
            format!("MODSEQ ({mod_seq})").into_bytes(),
            [format!("BODY[HEADER.FIELDS (A)] {{{}}}\r\n", header.len()).as_bytes(), &header].concat(),
            b"INTERNALDATE \"01-Feb-2024 03:04:05 +0130\"".to_vec(),
        ];
        let items = order.map(|at: usize| items[at].clone()).join(&b' ');
        let frame = frame(&[b"* 1 FETCH (", items.as_slice(), b")\r\n"].concat());
        let theirs = proto::read(&frame);
        let has_nil = frame.text().any(|text| text.windows(3).any(|w| w.eq_ignore_ascii_case(b"nil")));
        prop_assert_eq!(theirs, if has_nil { None } else { ours(&frame) });
    }
}
