//! Splits a server's byte stream into response frames, in linear time however the bytes arrive.
//!
//! Each byte is looked at once. A small literal is copied into the frame; a large one is streamed
//! to the reader, while the frame keeps its place. Nothing is allocated because of an announced
//! size.

use super::frame::{Frame, Literal, announced, carries_literals, without_line_end};
use super::limits::{Limits, Violation};
use super::source::{ByteSource, FrameError};

/// How many bytes are requested from the source at once.
const INPUT: usize = 64 << 10;

/// What has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A complete frame: see [`Framer::frame`].
    Frame,
    /// A frame up to a literal that is too large to keep: [`Framer::frame`] has what came before
    /// it, [`Framer::read_literal`] its bytes. The next call skips any unread rest of it.
    LargeLiteral {
        /// Bytes to come.
        size: u64,
    },
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In a line.
    Line,
    /// In a literal that is copied into the frame.
    Inline { left: usize },
    /// In a literal that is streamed.
    Large { left: u64 },
    /// The frame is complete; the next byte begins another.
    Complete,
}

/// Splits a server's bytes into frames.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    input: Box<[u8]>,
    /// The part of `input` that has been read from the source but not used yet.
    unused: std::ops::Range<usize>,
    frame: Frame,
    state: State,
    /// Where the current line begins in the frame.
    line_start: usize,
    depth: usize,
    quoted: bool,
    escaped: bool,
    violation: Option<Violation>,
    #[cfg(test)]
    scanned: u64,
}

impl Framer {
    /// Makes a framer at the beginning of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            input: vec![0; INPUT].into_boxed_slice(),
            unused: 0..0,
            frame: Frame::default(),
            state: State::Complete,
            line_start: 0,
            depth: 0,
            quoted: false,
            escaped: false,
            violation: None,
            #[cfg(test)]
            scanned: 0,
        }
    }

    /// Waits for the next frame or large literal.
    ///
    /// # Errors
    /// See [`FrameError`]. After an error of the source the call may be repeated.
    pub fn next<S: ByteSource>(
        &mut self,
        source: &mut S,
    ) -> Result<Incoming, FrameError<S::Error>> {
        loop {
            if let Some(incoming) = self.advance(|buffer| source.read(buffer).map(Some))? {
                return Ok(incoming);
            }
        }
    }

    /// Returns the next frame or large literal if it has arrived completely; otherwise `None`, and
    /// a later call continues where this one stopped.
    ///
    /// # Errors
    /// As [`Framer::next`].
    pub fn next_available<S: ByteSource>(
        &mut self,
        source: &mut S,
    ) -> Result<Option<Incoming>, FrameError<S::Error>> {
        self.advance(|buffer| source.read_available(buffer))
    }

    /// Reads bytes of the literal announced by [`Incoming::LargeLiteral`]. Zero: it is complete.
    ///
    /// # Errors
    /// As [`Framer::next`].
    pub fn read_literal<S: ByteSource>(
        &mut self,
        source: &mut S,
        buffer: &mut [u8],
    ) -> Result<usize, FrameError<S::Error>> {
        let State::Large { left } = self.state else {
            return Ok(0);
        };
        let wanted = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = if self.unused.is_empty() {
            // Straight into the reader's buffer: a large literal isn't copied at all.
            let into = &mut buffer[..wanted];
            if into.is_empty() {
                0
            } else {
                source.read(into).map_err(FrameError::Source)?
            }
        } else {
            let count = wanted.min(self.unused.len());
            buffer[..count].copy_from_slice(&self.input[self.unused.start..][..count]);
            self.unused.start += count;
            count
        };
        if count == 0 && wanted > 0 {
            return Err(FrameError::Truncated);
        }
        self.leave_large(left - count as u64);
        Ok(count)
    }

    /// Returns the frame: complete after [`Incoming::Frame`], up to and including `{n}` and its
    /// line end after [`Incoming::LargeLiteral`].
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Reports whether no byte has been received beyond the last complete frame. This must hold
    /// before TLS begins, or earlier plain text would count as received through TLS.
    pub fn is_empty(&self) -> bool {
        self.unused.is_empty() && matches!(self.state, State::Complete)
    }

    /// Takes what has been received beyond the last complete frame, to be read in another way.
    /// `None` in the middle of a frame.
    pub fn take_unused(&mut self) -> Option<Vec<u8>> {
        if !matches!(self.state, State::Complete) {
            return None;
        }
        let unused = self.input[std::mem::replace(&mut self.unused, 0..0)].to_vec();
        Some(unused)
    }

    fn advance<E>(
        &mut self,
        mut read: impl FnMut(&mut [u8]) -> Result<Option<usize>, E>,
    ) -> Result<Option<Incoming>, FrameError<E>> {
        if let Some(violation) = self.violation {
            return Err(violation.into());
        }
        loop {
            if self.unused.is_empty() {
                match read(&mut self.input).map_err(FrameError::Source)? {
                    None => return Ok(None),
                    Some(0) if matches!(self.state, State::Complete) => {
                        return Err(FrameError::Closed);
                    }
                    Some(0) => return Err(FrameError::Truncated),
                    Some(count) => self.unused = 0..count.min(self.input.len()),
                }
            }
            match self.consume() {
                Ok(None) => {}
                Ok(Some(incoming)) => return Ok(Some(incoming)),
                Err(violation) => {
                    self.violation = Some(violation);
                    return Err(violation.into());
                }
            }
        }
    }

    /// Uses some of what has been read; there is at least one byte.
    fn consume(&mut self) -> Result<Option<Incoming>, Violation> {
        match self.state {
            State::Complete => {
                self.frame.clear();
                self.begin_line();
                Ok(None)
            }
            State::Line => self.consume_line(),
            State::Inline { left } => {
                let count = left.min(self.unused.len());
                self.frame
                    .bytes
                    .extend_from_slice(&self.input[self.unused.start..][..count]);
                self.unused.start += count;
                if count == left {
                    self.begin_line();
                } else {
                    self.state = State::Inline { left: left - count };
                }
                Ok(None)
            }
            State::Large { left } => {
                let count = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(self.unused.len());
                self.unused.start += count;
                self.leave_large(left - count as u64);
                Ok(None)
            }
        }
    }

    fn begin_line(&mut self) {
        self.state = State::Line;
        self.line_start = self.frame.bytes.len();
        self.quoted = false;
        self.escaped = false;
        if self.line_start == 0 {
            self.depth = 0;
        }
    }

    fn leave_large(&mut self, left: u64) {
        if left == 0 {
            self.begin_line();
        } else {
            self.state = State::Large { left };
        }
    }

    fn consume_line(&mut self) -> Result<Option<Incoming>, Violation> {
        let fresh = &self.input[self.unused.clone()];
        let end = fresh.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(fresh.len(), |at| at + 1);
        let start = self.frame.bytes.len();
        if start - self.line_start + count > self.limits.line {
            return Err(Violation::LineTooLong(self.limits.line));
        }
        if start + count > self.limits.frame {
            return Err(Violation::FrameTooLong(self.limits.frame));
        }
        self.frame.bytes.extend_from_slice(&fresh[..count]);
        self.unused.start += count;
        self.scan(start);
        if end.is_some() {
            self.end_line()
        } else {
            Ok(None)
        }
    }

    /// Tracks quotes and parentheses in the frame's bytes from `start` on.
    fn scan(&mut self, start: usize) {
        let fresh = &self.frame.bytes[start..];
        #[cfg(test)]
        {
            self.scanned += fresh.len() as u64;
        }
        for byte in fresh {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.quoted => {
                    self.escaped = true;
                    self.frame.odd = true;
                }
                b'"' => self.quoted = !self.quoted,
                b'(' if !self.quoted => {
                    self.depth += 1;
                    self.frame.depth = self.frame.depth.max(self.depth);
                }
                b')' if !self.quoted => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Decides what a line end means: the frame's end, or a literal. A string can't extend beyond a
    /// line (RFC 3501 section 4.3), so text in open quotes announces nothing.
    fn end_line(&mut self) -> Result<Option<Incoming>, Violation> {
        let line = &self.frame.bytes[self.line_start..];
        self.frame.odd |= !line.ends_with(b"\r\n") || self.quoted;
        let line = without_line_end(line);
        let literal = if self.line_start == 0 {
            let nuls = self.frame.leading_nuls();
            self.frame.odd |= nuls > 0;
            carries_literals(line.get(nuls..).unwrap_or_default())
        } else {
            true
        };
        match announced(line).filter(|_| literal && !self.quoted) {
            None => {
                self.state = State::Complete;
                Ok(Some(Incoming::Frame))
            }
            Some(announced) => {
                self.frame.odd |= announced.odd;
                let size = announced.size.filter(|size| *size <= self.limits.literal);
                self.begin_literal(size.ok_or(Violation::ImpossibleLiteral)?)
            }
        }
    }

    fn begin_literal(&mut self, size: u64) -> Result<Option<Incoming>, Violation> {
        let offset = self.frame.bytes.len();
        if self.frame.literals.len() == self.limits.literals {
            return Err(Violation::TooManyLiterals(self.limits.literals));
        }
        let inline = usize::try_from(size)
            .ok()
            .filter(|_| size <= self.limits.inline_literal);
        self.frame.literals.push(Literal {
            offset,
            size,
            streamed: inline.is_none(),
        });
        match inline {
            Some(size) if size > self.limits.frame.saturating_sub(offset) => {
                Err(Violation::FrameTooLong(self.limits.frame))
            }
            Some(0) => {
                self.begin_line();
                Ok(None)
            }
            Some(left) => {
                self.state = State::Inline { left };
                Ok(None)
            }
            None => {
                self.frame.odd = true;
                self.state = State::Large { left: size };
                Ok(Some(Incoming::LargeLiteral { size }))
            }
        }
    }
}

#[cfg(test)]
#[path = "framer_tests.rs"]
mod tests;
