//! Compression of a connection (COMPRESS=DEFLATE, RFC 4978): raw deflate in both directions,
//! between the protocol and TLS.
//!
//! Inflated bytes are produced piece by piece, for whatever room the reader has, so every limit on
//! lines, literals and responses applies as without compression. What only a compressed stream can
//! do has limits of its own: bytes that inflate to nothing, and few that inflate to very many.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::io;
use std::ops::Range;

/// How many compressed bytes are read at once.
const INPUT: usize = 32 << 10;

/// Compressed bytes that may inflate to nothing. Each flush of an honest server has five.
const EMPTY: u64 = 1 << 20;

/// How much must arrive before the ratio means anything: no message of ordinary size is ever
/// checked.
const WINDOW: u64 = 256 << 20;

/// The most that one compressed byte may inflate to on average over that much. Deflate's maximum is
/// 1032; mail reaches 3 to 8.
const RATIO: u64 = 500;

/// Both directions of a compressed connection.
pub(super) struct Deflate {
    inflater: Decompress,
    deflater: Compress,
    input: Box<[u8]>,
    /// The part of `input` that isn't inflated yet.
    unused: Range<usize>,
    /// Whether the last call filled the whole buffer: there may be more without further input.
    may_have_more: bool,
    output: Vec<u8>,
    /// Compressed bytes since the last output.
    fruitless: u64,
    /// Compressed and inflated bytes in the current window.
    window: (u64, u64),
}

impl Deflate {
    /// Starts compression; `received` arrived compressed already.
    pub(super) fn new(received: &[u8]) -> Self {
        let mut input = vec![0; INPUT.max(received.len())].into_boxed_slice();
        input[..received.len()].copy_from_slice(received);
        Self {
            inflater: Decompress::new(false),
            // Twice as fast as the usual level, for a few per cent more bytes.
            deflater: Compress::new(Compression::fast(), false),
            unused: 0..received.len(),
            input,
            may_have_more: false,
            output: Vec::new(),
            fruitless: 0,
            window: (0, 0),
        }
    }

    /// Reads inflated bytes, at most filling `buffer`, from what `read` returns; 0 if that returns
    /// none.
    ///
    /// # Errors
    /// Those of `read`, which may be called again afterwards, and `InvalidData` for an invalid
    /// stream, or one made to do harm.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.unused.is_empty() || self.may_have_more {
                let count = self.inflate(buffer)?;
                if count > 0 {
                    return Ok(count);
                }
            }
            if self.unused.is_empty() {
                let count = read(&mut self.input)?;
                if count == 0 {
                    return Ok(0);
                }
                self.unused = 0..count;
            }
        }
    }

    fn inflate(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let before = (self.inflater.total_in(), self.inflater.total_out());
        let input = &self.input[self.unused.clone()];
        let status = self
            .inflater
            .decompress(input, buffer, FlushDecompress::Sync);
        let status = status.map_err(|_| bad("what the server sent is not compressed data"))?;
        let used = self.inflater.total_in() - before.0;
        let count = self.inflater.total_out() - before.1;
        self.unused.start += usize::try_from(used)
            .unwrap_or(usize::MAX)
            .min(self.unused.len());
        self.may_have_more = count == buffer.len() as u64;
        self.judge(used, count)?;
        // Only the connection ends the stream; nothing can follow an end in it.
        if status == Status::StreamEnd && count == 0 {
            return Err(bad("the server ended the compressed stream"));
        }
        if used == 0 && count == 0 && !self.unused.is_empty() {
            return Err(bad("what the server sent is not compressed data"));
        }
        usize::try_from(count).map_err(|_| bad("what the server sent is not compressed data"))
    }

    /// Detects a stream made to keep this machine busy.
    fn judge(&mut self, used: u64, count: u64) -> io::Result<()> {
        self.fruitless = if count == 0 { self.fruitless + used } else { 0 };
        if self.fruitless > EMPTY {
            return Err(bad("the server sends empty compressed data"));
        }
        self.window.0 += used;
        self.window.1 += count;
        if self.window.1 >= WINDOW {
            if self.window.1 / self.window.0.max(1) > RATIO {
                return Err(bad(
                    "the server sends compressed data that expands beyond the limit",
                ));
            }
            self.window = (0, 0);
        }
        Ok(())
    }

    /// Compresses bytes so that the server can read all of them at once (RFC 4978 section 4:
    /// flushed at the end).
    ///
    /// # Errors
    /// The compressor fails, which it has no reason to.
    pub(super) fn compress(&mut self, bytes: &[u8]) -> io::Result<&[u8]> {
        self.output.clear();
        let begun = self.deflater.total_in();
        loop {
            let used = usize::try_from(self.deflater.total_in() - begun)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            let rest = &bytes[used..];
            // Enough room even if the rest can't be compressed at all, and for the flush.
            self.output.reserve(rest.len() + rest.len() / 1000 + 64);
            let status = self
                .deflater
                .compress_vec(rest, &mut self.output, FlushCompress::Sync);
            status.map_err(|_| io::Error::other("the bytes can't be compressed"))?;
            let is_all_in = self.deflater.total_in() - begun == bytes.len() as u64;
            if is_all_in && self.output.len() < self.output.capacity() {
                return Ok(&self.output);
            }
        }
    }
}

fn bad(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns bytes in pieces, and then nothing.
    fn pieces(bytes: &[u8], piece: usize) -> impl FnMut(&mut [u8]) -> io::Result<usize> {
        let mut left = bytes.to_vec();
        move |buffer| {
            let count = piece.min(left.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&left[..count]);
            left.drain(..count);
            Ok(count)
        }
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        Deflate::new(b"").compress(bytes).unwrap().to_vec()
    }

    /// Reads to the end, with this much room at a time.
    fn inflated(bytes: &[u8], piece: usize, room: usize) -> io::Result<Vec<u8>> {
        let (mut deflate, mut read, mut out) =
            (Deflate::new(b""), pieces(bytes, piece), Vec::new());
        let mut buffer = vec![0; room];
        loop {
            match deflate.read(&mut buffer, &mut read)? {
                0 => return Ok(out),
                count => out.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn what_came_before_it_was_switched_on_counts() {
        let bytes = compressed(b"* 1 EXISTS\r\n");
        let mut buffer = [0; 100];
        let count = Deflate::new(&bytes)
            .read(&mut buffer, |_| panic!("it has all that it needs"))
            .unwrap();
        assert_eq!(&buffer[..count], b"* 1 EXISTS\r\n");
    }

    #[test]
    fn a_read_that_fails_may_be_repeated() {
        let bytes = compressed(b"hello");
        let mut deflate = Deflate::new(&bytes[..1]);
        let mut buffer = [0; 10];
        let waits = deflate.read(&mut buffer, |_| Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(waits.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let (mut read, mut count) = (pieces(&bytes[1..], 3), 0);
        while count < 5 {
            count += deflate.read(&mut buffer[count..], &mut read).unwrap();
        }
        assert_eq!(&buffer[..count], b"hello");
    }

    #[test]
    fn what_is_no_compressed_stream_is_an_error() {
        let mut compressor = Compress::new(Compression::fast(), false);
        let mut ended = Vec::with_capacity(100);
        compressor
            .compress_vec(b"x", &mut ended, FlushCompress::Finish)
            .unwrap();
        ended.extend_from_slice(b"* OK more\r\n");
        for bytes in [
            b"* 1 EXISTS\r\n* 2 EXISTS\r\n".as_slice(),
            &[0xff; 100],
            &ended,
        ] {
            assert_eq!(
                inflated(bytes, 7, 50).unwrap_err().kind(),
                io::ErrorKind::InvalidData
            );
        }
    }

    #[test]
    fn streams_that_are_made_to_do_harm_end() {
        // Empty stored blocks, any number of them.
        let nothing = [0, 0, 0, 0xff, 0xff].repeat(EMPTY as usize / 5 + 9);
        assert!(
            inflated(&nothing, INPUT, 100)
                .unwrap_err()
                .to_string()
                .contains("empty compressed data")
        );
        // A gigabyte of zeros in a megabyte: no more than was requested is ever in memory, and it
        // stops.
        let mut deflate = Deflate::new(b"");
        let kilobytes = (0..1 << 20)
            .take_while(|_| deflate.judge(1, 1024).is_ok())
            .count() as u64;
        assert_eq!(kilobytes, WINDOW / 1024 - 1);
        // Compressed repetitive text isn't an attack either.
        let mut deflate = Deflate::new(b"");
        assert!((0..1 << 20).all(|_| deflate.judge(3, 1024).is_ok()));
        // A uniform message isn't an attack.
        let lines =
            b"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\r\n".repeat(1 << 12);
        assert!(inflated(&compressed(&lines), 1000, 1 << 16).unwrap() == lines);
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn what_goes_in_comes_out(
            parts in prop::collection::vec(prop::collection::vec(0_u8..4, 0..3000), 1..5),
            piece in 1_usize..200,
            room in 1_usize..200,
        ) {
            let mut deflate = Deflate::new(b"");
            let mut sent = Vec::new();
            for part in &parts {
                sent.extend_from_slice(deflate.compress(part).unwrap());
                // Everything written so far can be read.
                let so_far = inflated(&sent, piece, room).unwrap();
                prop_assert!(so_far.ends_with(part));
            }
            prop_assert_eq!(inflated(&sent, piece, room).unwrap(), parts.concat());
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(inflated(&bytes, 17, 13));
        }
    }
}
