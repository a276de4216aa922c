//! Small damage to bytes, the same for the same seed.

/// A generator of numbers (xorshift64*): fast, and good enough to spread damage.
pub(super) struct Random(u64);

/// Pieces that parsers take for something.
const PIECES: [&[u8]; 28] = [
    b"(",
    b")",
    b"\"",
    b"\\",
    b"\r\n",
    b"\n",
    b"{2}\r\n",
    b"{2+}\r\n",
    b"~{0}\r\n",
    b"{-1}\r\n",
    b"NIL",
    b" ",
    b"]",
    b"[",
    b"4294967296",
    b"18446744073709551616",
    b"0",
    b":",
    b",",
    b"*",
    b"%",
    b"=",
    b"&",
    b"-",
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xc3\xa9",
];

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below this one, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end
    }

    /// One or some seeds, damaged in one to eight places.
    pub(super) fn damaged(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(8) {
            self.damage(&mut bytes, seeds);
        }
        bytes
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(9)).min(bytes.len());
        match self.below(8) {
            0 => drop(bytes.splice(at..end, [])),
            1 => bytes.truncate(at),
            2 | 3 => drop(bytes.splice(at..at, PIECES[self.below(PIECES.len())].iter().copied())),
            4 => {
                let piece = PIECES[self.below(PIECES.len())];
                let times = 1 << self.below(11);
                bytes.splice(at..end, piece.repeat(times));
            }
            5 => {
                let copied = bytes[at..end].to_vec();
                bytes.splice(end..end, copied);
            }
            6 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len() + 1);
                bytes.splice(at..end, other[from..].iter().copied());
            }
            _ => {
                for byte in &mut bytes[at..end] {
                    *byte = self.below(256) as u8;
                }
            }
        }
    }
}
