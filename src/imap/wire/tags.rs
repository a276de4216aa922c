//! Command tags that a server can't predict (RFC 3501 section 2.2.1).
//!
//! With `A1`, `A2` … anyone who can write into the connection before TLS could put a forged `A2 OK`
//! there before the command is sent (CVE-2026-42246). The prefix is chosen at random for each
//! connection.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// The tags of one connection.
#[derive(Debug)]
pub struct Tags {
    prefix: String,
    count: u64,
}

impl Tags {
    /// Makes tags with a prefix of 40 random bits. The randomness is the standard library's hasher
    /// key, which comes from the operating system: a keyed hash of nothing reveals nothing to an
    /// outsider.
    pub fn new() -> Self {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let random = RandomState::new().build_hasher().finish();
        let prefix = (0..8)
            .map(|at| char::from(LETTERS[(random >> (at * 5)) as usize % 32]))
            .collect();
        Self { prefix, count: 0 }
    }

    /// Returns the next tag: only letters and digits.
    pub fn next_tag(&mut self) -> String {
        self.count += 1;
        format!("{}{}", self.prefix, self.count)
    }
}

impl Default for Tags {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_never_repeat_and_differ_between_connections() {
        let (mut a, mut b) = (Tags::new(), Tags::new());
        let first = a.next_tag();
        assert!(first.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(first, a.next_tag());
        assert_ne!(first, b.next_tag());
    }
}
