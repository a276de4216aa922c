//! What can be wrong with a message, and which of it a server's refusal names.

use serde::{Serialize, Serializer};

/// Something that a server may refuse a message for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A bare LF or CR (RFC 5322 section 2.3).
    LineEnds,
    /// NUL (RFC 5322 section 4).
    Nul,
    /// A line of more than 998 bytes (RFC 5322 section 2.1.1).
    LongLines,
    /// No Date, or one that can't be read (RFC 5322 section 3.6).
    Date,
    /// 8-bit text in the header (RFC 5322 section 2.2).
    EightBit,
    /// A line in the header that is no field.
    Fields,
    /// No empty line after the header (RFC 5322 section 2.1).
    Separator,
}

impl Fault {
    const ALL: [Self; 7] = [
        Self::LineEnds,
        Self::Nul,
        Self::LongLines,
        Self::Date,
        Self::EightBit,
        Self::Fields,
        Self::Separator,
    ];

    /// Returns the name in JSON and in the mark.
    pub fn name(self) -> &'static str {
        match self {
            Self::LineEnds => "line_ends",
            Self::Nul => "nul",
            Self::LongLines => "long_lines",
            Self::Date => "date",
            Self::EightBit => "eight_bit",
            Self::Fields => "fields",
            Self::Separator => "separator",
        }
    }

    /// Returns words by which servers name it, in lower case.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::LineEnds => &[
                "bare newline",
                "bare lf",
                "bare cr",
                "bare line",
                "line ending",
            ],
            Self::Nul => &[
                "nul char",
                "nul byte",
                "null char",
                "null byte",
                "contains nul",
            ],
            Self::LongLines => &[
                "line too long",
                "lines too long",
                "line length",
                "long line",
            ],
            Self::Date => &[
                "missing date",
                "date header",
                "invalid date header",
                "no date",
            ],
            Self::EightBit => &["non-ascii", "non ascii", "8-bit", "8bit"],
            Self::Fields => &[],
            Self::Separator => &["header/body separator", "no separator"],
        }
    }
}

/// Words of servers that say only that something is wrong with a message: any fault may be meant.
const ANY: [&str; 6] = [
    "invalid header",
    "command argument error",
    "invalid message",
    "malformed message",
    "message is malformed",
    "bad message",
];

/// Words of refusals for which no fault is to blame, whatever else they say.
const OTHERS: [&str; 6] = ["virus", "malware", "spam", "too large", "too big", "quota"];

/// Some faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults(u8);

impl Faults {
    /// Adds one.
    pub fn add(&mut self, fault: Fault) {
        self.0 |= 1 << fault as u8;
    }

    /// Reports whether it is among them.
    pub fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u8) != 0
    }

    /// Reports whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns these and the others.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns their names.
    pub fn names(self) -> Vec<&'static str> {
        let mine = Fault::ALL.into_iter().filter(|fault| self.has(*fault));
        mine.map(Fault::name).collect()
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<T: IntoIterator<Item = Fault>>(faults: T) -> Self {
        let mut all = Self::default();
        faults.into_iter().for_each(|fault| all.add(fault));
        all
    }
}

impl Serialize for Faults {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.names().serialize(to)
    }
}

/// Returns the faults that a server's refusal names: those in so many words; or all, if it says
/// only that something is wrong with the message. None: it was refused for another reason.
pub fn named_in(refusal: &str) -> Faults {
    let text = refusal.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&OTHERS) {
        return Faults::default();
    }
    let named: Faults = Fault::ALL
        .into_iter()
        .filter(|fault| says(fault.words()))
        .collect();
    if named.is_empty() && says(&ANY) {
        Fault::ALL.into_iter().collect()
    } else {
        named
    }
}
