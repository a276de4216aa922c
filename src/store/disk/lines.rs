//! Line ends: a file on disk may have lines that end in LF, but readers of mail get CRLF (RFC 5322
//! section 2.3).

use std::io::{self, Read};

/// How much is read at a time.
pub(in crate::store) const CHUNK: usize = 64 << 10;

/// A message's size in bytes and lines, once all of it has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Measure {
    /// Unmodified bytes.
    pub(in crate::store) bytes: u64,
    /// LFs without a CR before them.
    pub(in crate::store) bare_line_feeds: u64,
    after_return: bool,
}

impl Measure {
    /// Takes the next bytes.
    pub(in crate::store) fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' && !self.after_return {
                self.bare_line_feeds += 1;
            }
            self.after_return = *byte == b'\r';
        }
        self.bytes += bytes.len() as u64;
    }

    /// Returns the size with every line ending in CRLF.
    pub(in crate::store) fn on_the_wire(self) -> u64 {
        self.bytes + self.bare_line_feeds
    }

    /// Measures everything that a reader returns.
    pub(in crate::store) fn of(mut from: impl Read) -> io::Result<Self> {
        let mut measure = Self::default();
        let mut chunk = vec![0; CHUNK];
        loop {
            match from.read(&mut chunk)? {
                0 => return Ok(measure),
                count => measure.take(&chunk[..count]),
            }
        }
    }
}

/// Turns lone LFs into CRLFs.
pub(in crate::store) struct WireReader<R> {
    from: R,
    chunk: Vec<u8>,
    /// The part of the chunk that has not been returned yet.
    ready: std::ops::Range<usize>,
    after_return: bool,
}

impl<R: Read> WireReader<R> {
    /// Wraps a reader.
    pub(in crate::store) fn new(from: R) -> Self {
        Self {
            from,
            chunk: vec![0; CHUNK],
            ready: 0..0,
            after_return: false,
        }
    }
}

impl<R: Read> Read for WireReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.ready.is_empty() {
            self.ready = 0..self.from.read(&mut self.chunk)?;
        }
        let mut given = 0;
        while given < buffer.len() && !self.ready.is_empty() {
            let byte = self.chunk[self.ready.start];
            if byte == b'\n' && !self.after_return {
                buffer[given] = b'\r';
                self.after_return = true;
            } else {
                buffer[given] = byte;
                self.after_return = byte == b'\r';
                self.ready.start += 1;
            }
            given += 1;
        }
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wire(bytes: &[u8], step: usize) -> Vec<u8> {
        let mut reader = WireReader::new(bytes);
        let (mut out, mut buffer) = (Vec::new(), vec![0; step]);
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => return out,
                count => out.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn only_a_line_feed_alone_gets_a_return() {
        for (from, to) in [
            ("a\nb\n", "a\r\nb\r\n"),
            ("a\r\nb\n", "a\r\nb\r\n"),
            ("\n\n", "\r\n\r\n"),
            ("\r\r\n", "\r\r\n"),
        ] {
            for step in 1..5 {
                assert_eq!(wire(from.as_bytes(), step), to.as_bytes(), "{from:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn the_measure_foretells_what_comes(bytes in prop::collection::vec(prop::sample::select(b"ab\r\n".to_vec()), 0..60), step in 1..9usize) {
            let measure = Measure::of(&bytes[..]).unwrap();
            let wire = wire(&bytes, step);
            prop_assert_eq!(measure.on_the_wire(), wire.len() as u64);
            prop_assert_eq!(Measure::of(&wire[..]).unwrap().bare_line_feeds, 0);
        }
    }
}
