//! Access rights of folders (RFC 4314).

use std::fmt;

/// A set of rights, each a lower-case letter or a digit (RFC 4314 section 2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rights(u64);

/// The rights of RFC 4314 in its order, which a reader knows by heart.
const STANDARD: &str = "lrswipkxtea";

impl Rights {
    /// Parses a server's or a user's text; `None` if it has anything but letters and digits.
    ///
    /// `rights = astring`, with `right = "a" … "z" / "0" … "9"` (RFC 4314 sections 2.1 and 6).
    pub fn parse(text: &str) -> Option<Self> {
        text.chars().map(bit).try_fold(Self::default(), |all, bit| {
            bit.map(|bit| Self(all.0 | 1 << bit))
        })
    }

    /// Returns the rights that RFC 2086 has, in today's letters: `c` is `k`, `d` is `t`, `e` and
    /// `x` together (RFC 4314 section 2.1.1).
    pub fn with_obsolete_ones_replaced(self) -> Self {
        let mut all = self.without_obsolete_ones();
        if self.has('c') {
            all = all.and(Self::of("k"));
        }
        if self.has('d') {
            all = all.and(Self::of("etx"));
        }
        all
    }

    /// Returns them in RFC 2086's letters. `t`, `e` and `x` are one right there, so nothing is
    /// written for some of them.
    pub fn in_obsolete_ones(self) -> Self {
        let (create, delete) = (Self::of("k"), Self::of("etx"));
        let mut all = self.without(create.and(delete));
        if self.includes(create) {
            all = all.and(Self::of("c"));
        }
        if self.includes(delete) {
            all = all.and(Self::of("d"));
        }
        all
    }

    /// Returns them without `c` and `d`, which a server of today only shows to old clients.
    pub fn without_obsolete_ones(self) -> Self {
        self.without(Self::of("cd"))
    }

    /// Makes a set of rights that are written in the program; anything else in the text is ignored.
    pub(crate) fn of(letters: &str) -> Self {
        Self(
            letters
                .chars()
                .filter_map(bit)
                .fold(0, |all, bit| all | 1 << bit),
        )
    }

    /// Reports whether this right is one of them.
    pub fn has(self, right: char) -> bool {
        bit(right).is_some_and(|bit| self.0 & 1 << bit != 0)
    }

    /// Reports whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Reports whether all of these are among them.
    pub fn includes(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }

    /// Returns both together.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Returns those that aren't among the others.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Returns those that both have.
    #[must_use]
    pub fn in_common(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Yields each of them: those of RFC 4314 first, in its order.
    pub fn letters(self) -> impl Iterator<Item = char> {
        let others = ('a'..='z').chain('0'..='9');
        let others = others.filter(|letter| !STANDARD.contains(*letter));
        STANDARD
            .chars()
            .chain(others)
            .filter(move |letter| self.has(*letter))
    }
}

fn bit(letter: char) -> Option<u32> {
    match letter {
        'a'..='z' => Some(letter as u32 - 'a' as u32),
        '0'..='9' => Some(letter as u32 - '0' as u32 + 26),
        _ => None,
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.letters().collect();
        f.write_str(&text)
    }
}

/// Who has which rights: an entry of a folder's access control list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclEntry {
    /// Who, as the server writes it.
    pub identifier: String,
    /// The rights.
    pub rights: Rights,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_read_and_shown() {
        for (text, shown) in [("aceilrstwx", "lrswixteac"), ("9n0rl", "lrn09"), ("", "")] {
            assert_eq!(Rights::parse(text).unwrap().to_string(), shown);
        }
        for wrong in ["lR", "l r", "+l", "ü"] {
            assert_eq!(Rights::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn obsolete_rights_mean_new_ones() {
        let new = |text| Rights::of(text).with_obsolete_ones_replaced().to_string();
        assert_eq!(new("acdilrsw"), "lrswikxtea");
        assert_eq!(new("lr"), "lr");
        let old = |text| Rights::of(text).in_obsolete_ones().to_string();
        assert_eq!(old("lrswikxtea"), "lrswiacd");
        // Deleting messages alone would become the right to delete the folder.
        assert_eq!(old("lrte"), "lr");
    }
}
