use super::*;
use proptest::prelude::*;
use std::convert::Infallible;

/// Bytes that arrive in pieces, with moments in between when nothing has arrived.
struct Pieces<'a> {
    bytes: &'a [u8],
    sizes: Vec<usize>,
    turn: usize,
}

impl Pieces<'_> {
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let size = self.sizes[self.turn % self.sizes.len()].clamp(1, buffer.len());
        self.turn += 1;
        let count = size.min(self.bytes.len());
        buffer[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes = &self.bytes[count..];
        count
    }
}

impl ByteSource for Pieces<'_> {
    type Error = Infallible;

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.take(buffer))
    }

    fn read_available(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Infallible> {
        self.turn += 1;
        Ok((!self.turn.is_multiple_of(3)).then(|| self.take(buffer)))
    }
}

fn small() -> Limits {
    Limits {
        line: 200,
        inline_literal: 16,
        literal: 1 << 40,
        frame: 1000,
        literals: 8,
        ..Limits::default()
    }
}

type End = FrameError<Infallible>;
/// Frames with the streamed literals that came before the end of each.
type Taken = Vec<(Frame, Vec<Vec<u8>>)>;

fn all<S: ByteSource<Error = Infallible>>(
    mut source: S,
    limits: Limits,
    piece: usize,
) -> (Taken, End) {
    let mut framer = Framer::new(limits);
    let mut taken = Vec::new();
    let mut large = Vec::new();
    loop {
        match framer.next(&mut source) {
            Ok(Incoming::Frame) => taken.push((framer.frame().clone(), std::mem::take(&mut large))),
            Ok(Incoming::LargeLiteral { size }) => {
                let (mut bytes, mut buffer) = (Vec::new(), vec![0; piece]);
                loop {
                    match framer.read_literal(&mut source, &mut buffer) {
                        Ok(0) => break,
                        Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                        Err(error) => return (taken, error),
                    }
                }
                assert_eq!(bytes.len() as u64, size);
                large.push(bytes);
            }
            Err(error) => return (taken, error),
        }
    }
}

fn texts(bytes: &[u8]) -> Vec<String> {
    let (taken, end) = all(bytes, small(), 7);
    assert_eq!(end, FrameError::Closed, "{}", bytes.escape_ascii());
    taken
        .iter()
        .map(|(frame, _)| frame.bytes().escape_ascii().to_string())
        .collect()
}

#[test]
fn lines_and_literals_are_cut() {
    for (stream, expected) in [
        (&b"* OK hi\r\n+ \r\n"[..], &["* OK hi\r\n", "+ \r\n"][..]),
        (b"* OK hi\n* 1 EXISTS\n", &["* OK hi\n", "* 1 EXISTS\n"]),
        (
            b"* LIST () NIL {3}\r\na\nb\r\n* 1 EXISTS\r\n",
            &["* LIST () NIL {3}\r\na\nb\r\n", "* 1 EXISTS\r\n"],
        ),
        (
            b"* X {0}\r\n{1+}\r\n) ~{2}\r\n)) x\r\n",
            &["* X {0}\r\n{1+}\r\n) ~{2}\r\n)) x\r\n"],
        ),
        (
            b"* OK text {5}\r\na OK {5}\r\n+ {5}\r\nBye {5}\r\n",
            &[
                "* OK text {5}\r\n",
                "a OK {5}\r\n",
                "+ {5}\r\n",
                "Bye {5}\r\n",
            ],
        ),
        (b"\0\0* NO {5}\r\n\r\n", &["\0\0* NO {5}\r\n", "\r\n"]),
        (
            b"* LIST () NIL \"a {5}\r\nx\r\n",
            &["* LIST () NIL \"a {5}\r\n", "x\r\n"],
        ),
        (
            b"* LIST () NIL \"a\\\"\" {1}\r\nx\r\n",
            &["* LIST () NIL \"a\\\"\" {1}\r\nx\r\n"],
        ),
    ] {
        let expected: Vec<_> = expected
            .iter()
            .map(|text| text.as_bytes().escape_ascii().to_string())
            .collect();
        assert_eq!(texts(stream), expected);
    }
}

#[test]
fn what_is_not_plain_is_marked() {
    for (stream, plain) in [
        (&b"* 1 FETCH (BODY[] {2}\r\nab)\r\n"[..], true),
        (b"* LIST () \"/\" \"a\"\r\n", true),
        (b"* LIST () \"/\" \"a\\\"b\"\r\n", false),
        (b"* 1 FETCH (BODY[] ~{2}\r\nab)\r\n", false),
        (b"* 1 FETCH (BODY[] {2+}\r\nab)\r\n", false),
        (b"* 1 FETCH (BODY[] {2}\nab)\r\n", false),
        (b"* 1 EXISTS\n", false),
        (b"\0* 1 EXISTS\r\n", false),
        (b"* X \"a\r\n", false),
        (b"* 1 FETCH (BODY[] {17}\r\n12345678901234567)\r\n", false),
    ] {
        assert_eq!(
            all(stream, small(), 7).0[0].0.is_plain(),
            plain,
            "{}",
            stream.escape_ascii()
        );
    }
    let nested = all(&b"* X (((\"((((((\" {4}\r\n(((()))) (\r\n"[..], small(), 7).0;
    assert_eq!(nested[0].0.depth(), 3);
}

#[test]
fn a_large_literal_is_streamed_and_its_frame_goes_on() {
    let stream = b"* 1 FETCH (BODY[] {20}\r\n01234567890123456789 UID 7)\r\n* 2 EXISTS\r\n";
    for piece in [1, 3, 100] {
        let (taken, end) = all(&stream[..], small(), piece);
        assert_eq!((taken.len(), end), (2, FrameError::Closed));
        let (frame, large) = &taken[0];
        assert_eq!(frame.bytes(), b"* 1 FETCH (BODY[] {20}\r\n UID 7)\r\n");
        assert_eq!(
            frame.literals(),
            [Literal {
                offset: 24,
                size: 20,
                streamed: true
            }]
        );
        assert_eq!(large[0], b"01234567890123456789");
    }
}

#[test]
fn what_is_not_read_of_a_literal_is_skipped() {
    let mut stream = &b"* 1 FETCH (BODY[] {20}\r\n01234567890123456789 UID 7)\r\n"[..];
    let mut framer = Framer::new(small());
    assert_eq!(
        framer.next(&mut stream),
        Ok(Incoming::LargeLiteral { size: 20 })
    );
    assert_eq!(framer.frame().bytes(), b"* 1 FETCH (BODY[] {20}\r\n");
    assert!(!framer.is_empty());
    assert_eq!(framer.read_literal(&mut stream, &mut [0; 3]), Ok(3));
    assert_eq!(framer.next(&mut stream), Ok(Incoming::Frame));
    assert_eq!(
        framer.frame().bytes(),
        b"* 1 FETCH (BODY[] {20}\r\n UID 7)\r\n"
    );
    assert!(framer.is_empty());
}

#[test]
fn bytes_after_the_frame_are_noticed() {
    let mut framer = Framer::new(small());
    assert!(framer.is_empty());
    let mut stream = &b"a OK begin TLS\r\n* CAPABILITY X\r\n"[..];
    assert_eq!(framer.next(&mut stream), Ok(Incoming::Frame));
    assert!(!framer.is_empty());
}

#[test]
fn a_close_in_a_frame_differs_from_one_between_frames() {
    let stream = b"* 1 FETCH (BODY[] {20}\r\n01234567890123456789 X {3}\r\nabc)\r\n";
    for cut in 0..=stream.len() {
        let (_, end) = all(&stream[..cut], small(), 7);
        let between = cut == 0 || cut == stream.len();
        assert_eq!(
            end,
            if between {
                FrameError::Closed
            } else {
                FrameError::Truncated
            },
            "{cut}"
        );
    }
}

#[test]
fn limits_end_the_stream_for_good() {
    let long = [b"* X ".as_slice(), &[b'x'; 300]].concat();
    let many = b"* X {0}\r\n"
        .iter()
        .copied()
        .chain(b"{0}\r\n".iter().copied().cycle().take(100))
        .collect::<Vec<_>>();
    let wide = [b"* X ".as_slice(), &[b'x'; 150], b" {1}\r\n"].concat();
    let wide = [
        wide.clone(),
        wide.clone(),
        wide.clone(),
        wide.clone(),
        wide.clone(),
        wide.clone(),
        wide,
    ]
    .concat();
    for (stream, expected) in [
        (long, Violation::LineTooLong(200)),
        (vec![0; 300], Violation::LineTooLong(200)),
        (many, Violation::TooManyLiterals(8)),
        (wide, Violation::FrameTooLong(1000)),
        (b"* X {-1}\r\n".to_vec(), Violation::ImpossibleLiteral),
        (
            b"* X {99999999999999999999}\r\n".to_vec(),
            Violation::ImpossibleLiteral,
        ),
        (
            b"* X {18446744073709551615}\r\n".to_vec(),
            Violation::ImpossibleLiteral,
        ),
    ] {
        let mut framer = Framer::new(small());
        let mut source = stream.as_slice();
        for _ in 0..3 {
            assert_eq!(
                framer.next(&mut source),
                Err(expected.into()),
                "{:.40}",
                stream.escape_ascii().to_string()
            );
        }
    }
}

#[test]
fn a_literal_announced_and_never_sent_costs_nothing() {
    let mut stream = &b"* X {4294967295}\r\nabc"[..];
    let mut framer = Framer::new(Limits::default());
    assert_eq!(
        framer.next(&mut stream),
        Ok(Incoming::LargeLiteral {
            size: 4_294_967_295
        })
    );
    assert_eq!(framer.next(&mut stream), Err(FrameError::Truncated));
    assert!(framer.frame().bytes.capacity() < 100_000);
}

/// Counts the bytes looked at: each once, however they arrive.
#[test]
fn every_byte_is_looked_at_once() {
    let empties = b"{0}\r\n".iter().copied().cycle().take(5 * 60_000);
    let many: Vec<u8> = b"* X "
        .iter()
        .copied()
        .chain(empties)
        .chain(*b"\r\n")
        .collect();
    let long = [b"* SEARCH ".as_slice(), &[b'1'; 3_000_000], b"\r\n"].concat();
    for (stream, outside) in [(&many, many.len()), (&long, long.len())] {
        for size in [1, 16_384, 1 << 20] {
            let mut source = Pieces {
                bytes: stream,
                sizes: vec![size],
                turn: 0,
            };
            let mut framer = Framer::new(Limits::default());
            while framer.next_available(&mut source).unwrap().is_none() {}
            assert_eq!(framer.frame().bytes().len(), stream.len());
            assert_eq!(framer.scanned, outside as u64);
        }
    }
}

fn response() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[a-zA-Z0-9()*+~ ]{0,12}".prop_map(String::into_bytes),
        Just(b" \"a\\\"b\\\\ (\" ".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"* OK [X] {5}\r\n".to_vec()),
        (
            prop::collection::vec(any::<u8>(), 0..40),
            any::<[bool; 2]>()
        )
            .prop_map(|(bytes, [tilde, plus])| {
                let (tilde, plus) = (if tilde { "~" } else { "" }, if plus { "+" } else { "" });
                [
                    format!("* X {tilde}{{{}{plus}}}\r\n", bytes.len()).as_bytes(),
                    &bytes,
                ]
                .concat()
            }),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn pieces_make_no_difference(stream in response(), sizes in prop::collection::vec(1usize..40, 1..5)) {
        let whole = all(stream.as_slice(), small(), 7);
        prop_assert_eq!(&all(Pieces { bytes: &stream, sizes: vec![1], turn: 0 }, small(), 7), &whole);
        prop_assert_eq!(&all(Pieces { bytes: &stream, sizes, turn: 0 }, small(), 3), &whole);
    }

    #[test]
    fn stopping_for_want_of_bytes_makes_no_difference(stream in response(), size in 1usize..40) {
        let (whole, end) = all(stream.as_slice(), small(), 7);
        let mut source = Pieces { bytes: &stream, sizes: vec![size], turn: 0 };
        let mut framer = Framer::new(small());
        let mut frames = Vec::new();
        let last = loop {
            match framer.next_available(&mut source) {
                Ok(Some(Incoming::Frame)) => frames.push(framer.frame().clone()),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        prop_assert_eq!(frames, whole.into_iter().map(|(frame, _)| frame).collect::<Vec<_>>());
        prop_assert_eq!(last, end);
    }

    #[test]
    fn noise_never_panics(stream in prop::collection::vec(any::<u8>(), 0..400)) {
        all(stream.as_slice(), small(), 7);
    }
}
