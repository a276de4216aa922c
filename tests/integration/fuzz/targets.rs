//! The parsers to fuzz, and their invariants.

use mailferry::address::Address;
use mailferry::folders::{FolderName, utf7};
use mailferry::identity::{ContentHasher, header_key, heading, message_date, message_id};
use mailferry::imap::wire::{Frame, FrameError, Framer, Incoming, Limits};
use mailferry::imap::{FetchOpening, Response};
use mailferry::state::{Mailboxes, PairLock, PairName, State, StateDirectory, TwoWay};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// Small enough to be reached.
fn limits() -> Limits {
    Limits {
        line: 4000,
        inline_literal: 100,
        literal: 1 << 20,
        frame: 8000,
        literals: 40,
        ..Limits::default()
    }
}

/// All frames and streamed literals of a stream, and how it ended.
fn frames(mut bytes: &[u8], piece: usize) -> (Vec<Frame>, Vec<u8>, String) {
    let (mut framer, mut frames, mut streamed) = (Framer::new(limits()), Vec::new(), Vec::new());
    let mut buffer = vec![0; piece];
    loop {
        match framer.next(&mut bytes) {
            Ok(Incoming::Frame) => frames.push(framer.frame().clone()),
            Ok(Incoming::LargeLiteral { .. }) => {
                assert_eq!(
                    FetchOpening::read(framer.frame()).is_some(),
                    FetchOpening::read(framer.frame()).is_some()
                );
                while let Ok(count @ 1..) = framer.read_literal(&mut bytes, &mut buffer) {
                    streamed.extend_from_slice(&buffer[..count]);
                }
            }
            Err(FrameError::Source(never)) => match never {},
            Err(end) => return (frames, streamed, end.to_string()),
        }
    }
}

/// Frames keep their limits, and are the same however large literals are read.
pub(super) fn framer(bytes: &[u8]) {
    let whole = frames(bytes, 4096);
    assert_eq!(frames(bytes, 1), whole);
    let kept: usize = whole.0.iter().map(|frame| frame.bytes().len()).sum();
    assert!(kept + whole.1.len() <= bytes.len());
    for frame in &whole.0 {
        assert!(
            frame.bytes().len() <= limits().frame && frame.literals().len() <= limits().literals
        );
        let text: usize = frame.text().map(<[u8]>::len).sum();
        assert!(text <= frame.bytes().len());
    }
}

/// Every frame is read, and read the same again.
pub(super) fn responses(bytes: &[u8]) {
    for frame in frames(bytes, 4096).0 {
        let response = Response::parse(&frame);
        assert_eq!(Response::parse(&frame), response);
        if let Response::Fetch(fetch) = &response {
            assert!(fetch.uid != Some(0));
        }
        if let Response::List(item) | Response::Lsub(item) = &response {
            assert!(item.name.len() <= frame.bytes().len());
        }
    }
}

/// Keys are the same for the same bytes in whatever pieces, and for line ends of either kind.
pub(super) fn identity(bytes: &[u8]) {
    assert_eq!(header_key(bytes), header_key(bytes));
    assert_eq!(message_id(bytes), message_id(bytes));
    let shown = heading(bytes);
    assert!(
        [shown.subject, shown.from]
            .iter()
            .flatten()
            .all(|text| !text.is_empty() && !text.contains(['\r', '\n']))
    );
    assert_eq!(
        message_date(bytes, 1_700_000_000),
        message_date(bytes, 1_700_000_000)
    );
    let (mut whole, mut pieces) = (ContentHasher::new(), ContentHasher::new());
    whole.update(bytes);
    for piece in bytes.chunks(3) {
        pieces.update(piece);
    }
    assert_eq!(whole.finish(), pieces.finish());
}

/// What is decoded is encoded to what decodes to the same; no name reads as another when it is
/// shown and typed.
pub(super) fn utf7(bytes: &[u8]) {
    let Some(text) = utf7::decode(bytes) else {
        return;
    };
    let encoded = utf7::encode(&text);
    assert!(encoded.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    assert_eq!(utf7::decode(encoded.as_bytes()).as_ref(), Some(&text));
    if let Some(name) = FolderName::new(text.split('/').map(str::to_owned).collect()) {
        assert_eq!(FolderName::parse(&name.to_string()), Some(name));
    }
}

/// An address reads back as itself; an error repeats no word of what stands where a password could.
pub(super) fn addresses(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Address::parse(text) {
        Ok(address) => assert_eq!(Address::parse(&address.to_string()), Ok(address), "{text}"),
        Err(error) => {
            let said = format!("{error} {error:?}");
            // A name without a scheme is an account's, and no address.
            assert!(
                !text.contains("://") || !said.contains("P4ssw0rd"),
                "{said}"
            );
        }
    }
}

/// Where damaged states lie, one after the other.
pub(super) struct Place {
    directory: StateDirectory,
    pair: PairName,
    lock: PairLock,
    path: PathBuf,
    _root: tempfile::TempDir,
}

impl Place {
    const MAILBOXES: Mailboxes<'static> = Mailboxes {
        source: "alice@imap.one.example:993",
        target: "alice@imap.two.example:993",
    };

    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = StateDirectory::open(root.path()).unwrap();
        let pair = PairName::new(Self::MAILBOXES.source, Self::MAILBOXES.target);
        let lock = PairLock::take(&directory, &pair, "a test").unwrap();
        drop(State::open(&directory, &pair, &lock, &Self::MAILBOXES).unwrap());
        let mut paths = std::fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let path = paths
            .find(|path| path.extension().is_some_and(|ending| ending == "db"))
            .unwrap();
        Self {
            directory,
            pair,
            lock,
            path,
            _root: root,
        }
    }
}

/// A damaged state is refused or read, and never makes anything fall. Whether it was opened.
pub(super) fn state(place: &Place, bytes: &[u8]) -> bool {
    let log = place.path.with_extension("db-wal");
    if log.exists() {
        std::fs::remove_file(log).unwrap();
    }
    std::fs::write(&place.path, bytes).unwrap();
    std::fs::set_permissions(&place.path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let Ok(state) = State::open(
        &place.directory,
        &place.pair,
        &place.lock,
        &Place::MAILBOXES,
    ) else {
        return false;
    };
    for folder in state.folders().unwrap_or_default() {
        drop((state.pairs(folder.id), state.kept(folder.id)));
    }
    for exchanged in [false, true] {
        let two_way = TwoWay::new(&state, exchanged);
        for (id, _) in two_way.folders().unwrap_or_default() {
            drop((two_way.pairs(id), two_way.refused(id), two_way.highest(id)));
        }
    }
    true
}
