//! Cases that imap-proto was found to get wrong, or that servers were found to send, each with the
//! right result.

mod data;
mod fetch;
mod hostile;
mod listing;
mod status_lines;

use super::*;
use crate::imap::wire::{Framer, Incoming, Limits};

/// Returns the one frame in these bytes; skips large literals.
pub(super) fn frame(mut bytes: &[u8]) -> Frame {
    let mut framer = Framer::new(Limits::default());
    while framer.next(&mut bytes).unwrap() != Incoming::Frame {}
    assert!(bytes.is_empty() && framer.is_empty(), "more than one frame");
    framer.frame().clone()
}

/// Parses one response, given without its line end.
pub(super) fn with<R>(line: impl AsRef<[u8]>, check: impl FnOnce(Response<'_>) -> R) -> R {
    let frame = frame(&[line.as_ref(), b"\r\n"].concat());
    check(Response::parse(&frame))
}

pub(super) fn shown(line: impl AsRef<[u8]>) -> String {
    with(line, |response| format!("{response:?}"))
}

pub(super) fn set(text: &str) -> UidSet {
    UidSet::parse(text).unwrap()
}
