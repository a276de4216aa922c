//! SEARCH, ESEARCH and VANISHED: sets of numbers (RFC 3501 section 7.2.5, RFC 4731, RFC 7162).
//!
//! Sets stay ranges: a server can easily send `1:4294967295` (CVE-2025-25186).

use super::cursor::{Cursor, Value, number};
use super::fetch::Why;
use crate::mail::UidSet;

/// An ESEARCH response. What was not requested, or is empty, is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ESearch {
    /// The tag of the command that it answers.
    pub tag: Option<String>,
    /// Whether the numbers are UIDs.
    pub uid: bool,
    /// ALL.
    pub all: UidSet,
    /// COUNT.
    pub count: Option<u32>,
    /// MIN.
    pub min: Option<u32>,
    /// MAX.
    pub max: Option<u32>,
}

/// Ranges to be collected into a set. Honest servers send them in ascending order; inserting others
/// one by one would take quadratic time.
#[derive(Default)]
struct Ranges {
    ranges: Vec<(u32, u32)>,
    unsorted: bool,
}

impl Ranges {
    fn add(&mut self, first: u32, second: u32) {
        let (low, high) = (first.min(second), first.max(second));
        match self.ranges.last_mut() {
            Some((_, last)) if low == last.saturating_add(1) => *last = high,
            Some((start, last)) if low >= *start && high <= *last => self.unsorted = true,
            last => {
                self.unsorted |= last.is_some_and(|(_, last)| low <= *last);
                self.ranges.push((low, high));
            }
        }
    }

    /// Returns the set, without zeros.
    fn into_set(mut self) -> UidSet {
        if self.unsorted {
            self.ranges.sort_unstable();
        }
        let mut set = UidSet::default();
        for (low, high) in self.ranges {
            set.insert_range(low..=high);
        }
        set
    }
}

/// Parses a server's `sequence-set`, such as `4,7:9,3`; ranges may be reversed. `None` for anything
/// else, including `*`.
///
/// `sequence-set = (seq-number / seq-range) *("," sequence-set)` (RFC 3501 section 9), without
/// `"*"`.
fn number_set(text: &[u8]) -> Option<UidSet> {
    ranges(text).map(Ranges::into_set)
}

/// Parses a set whose order matters and is ascending, without zero or duplicates (APPENDUID and
/// COPYUID list UIDs in the order of the messages, RFC 4315 section 3). A set can't represent any
/// other order: then there is none.
///
/// `uid-set = (uniqueid / uid-range) *("," uid-set)` (RFC 4315 section 4), with ascending
/// `uid-range`s only.
pub(super) fn ordered_set(text: &[u8]) -> Option<UidSet> {
    let ranges = ranges(text)?;
    let has_zero = ranges.ranges.first().is_some_and(|(low, _)| *low == 0);
    (!ranges.unsorted && !has_zero).then(|| ranges.into_set())
}

/// Parses ranges: `seq-range = seq-number ":" seq-number` (RFC 3501 section 9). Zeros are allowed
/// here, and skipped or rejected by callers.
fn ranges(text: &[u8]) -> Option<Ranges> {
    let mut ranges = Ranges::default();
    for item in text.split(|byte| *byte == b',') {
        let mut ends = item.splitn(2, |byte| *byte == b':').map(number);
        let first = ends.next()??;
        ranges.add(first, ends.next().unwrap_or(Some(first))?);
    }
    Some(ranges)
}

/// Parses the numbers of SEARCH, and skips `(MODSEQ n)` (RFC 7162).
///
/// ```abnf
/// mailbox-data       =/ "SEARCH" *(SP nz-number)                               ; RFC 3501 section 9
/// mailbox-data       =/ "SEARCH" [1*(SP nz-number) SP search-sort-mod-seq]     ; RFC 7162 section 7
/// search-sort-mod-seq = "(" "MODSEQ" SP mod-sequence-value ")"
/// ```
/// Any list in parentheses is skipped.
pub(super) fn search(cursor: &mut Cursor<'_>) -> Result<UidSet, Why> {
    let mut ranges = Ranges::default();
    while !cursor.is_end() {
        if cursor.rest().starts_with(b"(") {
            cursor.skip().ok_or("its MODSEQ can't be read")?;
        } else {
            let number = number(cursor.word()).filter(|number| *number > 0);
            let number = number.ok_or("it contains something other than a positive number")?;
            ranges.add(number, number);
        }
    }
    Ok(ranges.into_set())
}

/// Parses `[(TAG tag)] [UID] [item value …]`.
///
/// ```abnf
/// esearch-response  = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
/// search-correlator = SP "(" "TAG" SP tag-string ")"
/// ```
/// (RFC 9051 section 9.) UID may come among the items, and a correlator with another name is
/// skipped.
pub(super) fn esearch(cursor: &mut Cursor<'_>) -> Result<ESearch, Why> {
    let mut found = ESearch::default();
    cursor.blanks();
    if cursor.rest().starts_with(b"(") {
        let mut values = cursor
            .list()
            .ok_or("its correlator is not a list")?
            .into_iter();
        let is_tag = values
            .next()
            .and_then(Value::text)
            .is_some_and(|name| name.eq_ignore_ascii_case("TAG"));
        found.tag = values
            .next()
            .filter(|_| is_tag)
            .and_then(Value::text)
            .map(Into::into);
    }
    while !cursor.is_end() {
        let item = cursor.word().to_ascii_uppercase();
        if item == b"UID" {
            found.uid = true;
            continue;
        }
        if item.is_empty() {
            return Err("an item has no name");
        }
        read_item(&mut found, &item, cursor).ok_or("an item has no readable value")?;
    }
    Ok(found)
}

/// Parses one item.
///
/// ```abnf
/// search-return-data = "MIN" SP nz-number / "MAX" SP nz-number / "ALL" SP sequence-set / "COUNT" SP number
/// ```
/// (RFC 4731 section 5.) The value of any other item is skipped.
fn read_item(found: &mut ESearch, item: &[u8], cursor: &mut Cursor<'_>) -> Option<()> {
    let known: [&[u8]; 4] = [b"ALL", b"COUNT", b"MIN", b"MAX"];
    if !known.contains(&item) {
        return cursor.skip();
    }
    let value = cursor.value()?;
    match item {
        b"ALL" => found.all = number_set(&value.bytes()?)?,
        b"COUNT" => found.count = Some(value.number()?),
        b"MIN" => found.min = Some(value.number()?),
        _ => found.max = Some(value.number()?),
    }
    Some(())
}

/// Parses `[(EARLIER)] set`.
///
/// ```abnf
/// expunged-resp = "VANISHED" [SP "(EARLIER)"] SP known-uids
/// known-uids    = sequence-set                                ; without "*"
/// ```
/// (RFC 7162 section 7.)
pub(super) fn vanished(cursor: &mut Cursor<'_>) -> Option<(bool, UidSet)> {
    cursor.blanks();
    let earlier = cursor.rest().starts_with(b"(");
    if earlier {
        let word = cursor.list()?.pop()?.text()?;
        word.eq_ignore_ascii_case("EARLIER").then_some(())?;
    }
    let set = number_set(cursor.word())?;
    cursor.is_end().then_some((earlier, set))
}
