//! The messages in an mbox file, found by reading it from the beginning: where each is, what it is,
//! and its UID.
//!
//! A message has no name in the file, so it is identified by the SHA-256 of its `From ` line's date
//! and of its bytes as a reader gets them, and by its number among equal ones; flag changes affect
//! neither.

use super::format::{self, Own};
use super::view::{Region, View};
use crate::mail::{FlagTable, Flags, HeaderKey, Uid, UidNext, UidValidity};
use crate::store::disk::{CHUNK, Generation, HeaderFields, Numbered, Stat};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::sync::Arc;

/// How much of a `From ` line is examined.
const MAX_FROM: usize = 400;

/// A file's messages.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) file: Arc<File>,
    /// By ascending UID once numbered; before that in file order.
    pub(super) entries: Vec<Entry>,
    /// Positions in `entries` by identity, during numbering.
    by_identity: Vec<u32>,
    pub(super) flags: FlagTable,
    pub(super) generation: Generation,
    pub(super) next: u32,
    /// Where the next message goes: after the last complete one.
    pub(super) end: u64,
    /// The number of messages cut by a crash, in the middle of the file.
    pub(super) cut: u64,
    /// The file's stamp when it was read.
    pub(super) stamp: Stamp,
}

/// Shows whether a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    pub(super) changed: u64,
}

impl From<Stat> for Stamp {
    fn from(stat: Stat) -> Self {
        Self {
            inode: stat.inode,
            size: stat.size,
            changed: stat.changed,
        }
    }
}

/// A message.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Where its `From ` line starts.
    pub(super) start: u64,
    /// Where it starts, after our own lines.
    pub(super) body: u64,
    /// Where it ends, in the file.
    pub(super) end: u64,
    /// Where the next one starts.
    pub(super) after: u64,
    /// Bytes that a reader gets.
    pub(super) size: u64,
    pub(super) date: i64,
    pub(super) own: Option<Own>,
    pub(super) key: HeaderKey,
    pub(super) flags: u32,
    pub(super) uid: u32,
    pub(super) identity: Identity,
}

/// What stands before a message's own bytes.
struct Head {
    /// Whether its `From ` line is one of ours.
    is_ours: bool,
    /// Where that line ends.
    from_end: u64,
    /// Our mark, and the flags that follow it.
    own: Option<Own>,
    names: Vec<String>,
    /// Where the message begins after all these.
    body: u64,
}

impl Head {
    /// Reads one at the beginning of a region, which begins there in the file.
    fn read(region: Region, start: u64) -> io::Result<Self> {
        let mut reader = BufReader::new(region);
        let mut line = Vec::new();
        let next_line = |reader: &mut BufReader<Region>, line: &mut Vec<u8>| -> io::Result<()> {
            line.clear();
            reader
                .by_ref()
                .take(CHUNK as u64)
                .read_until(b'\n', line)
                .map(drop)
        };
        next_line(&mut reader, &mut line)?;
        let from_end = start + line.len() as u64;
        let is_ours = format::is_own_from_line(&line);
        next_line(&mut reader, &mut line)?;
        let own = format::parse_mark(&line).filter(|_| is_ours);
        let mut names = Vec::new();
        let mut body = from_end;
        while let Some((name, value)) = own.and_then(|_| flag_field(&line)) {
            if let Some(name) = name {
                format::parse_flag_field(name, value, &mut names);
            }
            body += line.len() as u64;
            next_line(&mut reader, &mut line)?;
            // If the message came with flag fields of its own, they follow the line that ends our
            // own.
            if line == format::END.as_bytes() {
                body += line.len() as u64;
                break;
            }
        }
        Ok(Self {
            is_ours,
            from_end,
            own,
            names,
            body,
        })
    }
}

impl Index {
    /// Reads a file. `None` if it isn't an mbox.
    pub(super) fn read(file: File, stat: Stat) -> io::Result<Option<Self>> {
        let file = Arc::new(file);
        let Some((starts, length)) = message_starts(&file)? else {
            return Ok(None);
        };
        let mut index = Self {
            file,
            entries: Vec::with_capacity(starts.len()),
            by_identity: Vec::new(),
            flags: FlagTable::default(),
            generation: Generation::Passing,
            next: 1,
            end: 0,
            cut: 0,
            stamp: stat.into(),
        };
        for (at, (start, date)) in starts.iter().enumerate() {
            let after = starts.get(at + 1).map_or(length, |(next, _)| *next);
            match index.read_entry(*start, after, *date)? {
                Some(entry) => {
                    index.end = after;
                    index.entries.push(entry);
                }
                None if at + 1 == starts.len() => {}
                None => index.cut += 1,
            }
        }
        let order = |at: &u32| (index.entries[*at as usize].identity, *at);
        let mut by_identity: Vec<u32> = (0..).zip(&index.entries).map(|(at, _)| at).collect();
        by_identity.sort_unstable_by_key(order);
        index.by_identity = by_identity;
        Ok(Some(index))
    }

    fn region(&self, at: u64, end: u64) -> Region {
        Region {
            file: Arc::clone(&self.file),
            at,
            end,
        }
    }

    /// Reads a message. `None`: it is one of ours and incomplete.
    fn read_entry(&mut self, start: u64, after: u64, date: i64) -> io::Result<Option<Entry>> {
        let head = Head::read(self.region(start, after), start)?;
        if head.is_ours && head.own.is_none() {
            return Ok(None);
        }
        let Head {
            from_end,
            body,
            names,
            ..
        } = head;
        let Some(own) = head.own else {
            return self.read_foreign(start, from_end, after, date).map(Some);
        };
        let mut view = View::new(self.region(body, after), Some(own));
        let (size, key, identity) = digest(&mut view, date)?;
        if size < own.size {
            return Ok(None);
        }
        if view.is_longer()? {
            return self.read_foreign(start, from_end, after, date).map(Some);
        }
        let flags = self
            .flags
            .intern(Flags::from_names(names.iter().map(String::as_str)));
        Ok(Some(Entry {
            start,
            body,
            end: after,
            after,
            size,
            date,
            own: Some(own),
            key,
            flags,
            uid: 0,
            identity,
        }))
    }

    /// Reads a message that another program wrote or changed.
    fn read_foreign(&mut self, start: u64, body: u64, after: u64, date: i64) -> io::Result<Entry> {
        let end = without_separator(&self.file, body, after)?;
        let mut view = View::new(self.region(body, end), None);
        let (size, key, identity) = digest(&mut view, date)?;
        let names = view.flag_names();
        let flags = self
            .flags
            .intern(Flags::from_names(names.iter().map(String::as_str)));
        Ok(Entry {
            start,
            body,
            end,
            after,
            size,
            date,
            own: None,
            key,
            flags,
            uid: 0,
            identity,
        })
    }

    /// Returns a message as its reader gets it.
    pub(super) fn view(&self, entry: &Entry) -> View {
        View::new(self.region(entry.body, entry.end), entry.own)
    }

    pub(super) fn validity(&self) -> Option<UidValidity> {
        self.generation.validity()
    }

    /// Returns the UIDNEXT to report: none without a UIDVALIDITY.
    pub(super) fn uid_next(&self) -> Option<UidNext> {
        self.validity().and_then(|_| UidNext::new(self.next))
    }

    /// Finishes numbering: sorts by UID, without messages that have none.
    pub(super) fn finish(&mut self, generation: Generation, next: u32) {
        (self.generation, self.next) = (generation, next);
        self.by_identity = Vec::new();
        self.entries.retain(|entry| entry.uid != 0);
        self.entries.sort_by_key(|entry| entry.uid);
    }

    pub(super) fn find(&self, uid: Uid) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by_key(&uid.get(), |entry| entry.uid)
            .ok()?;
        self.entries.get(at)
    }

    /// Returns the identity's name in the list of UIDs.
    fn name(&self, place: usize) -> String {
        let identity = &self.entries[self.by_identity[place] as usize].identity;
        let first = self
            .by_identity
            .partition_point(|at| self.entries[*at as usize].identity < *identity);
        identity_name(identity, place - first)
    }

    /// Returns how many messages there are of each identity.
    pub(super) fn counts(&self) -> HashMap<Identity, u32> {
        let mut counts = HashMap::with_capacity(self.entries.len());
        self.entries
            .iter()
            .for_each(|entry| *counts.entry(entry.identity).or_default() += 1);
        counts
    }
}

/// A message's identity.
pub(super) type Identity = [u8; 16];

/// Returns an identity's name in the list of UIDs: its hash, and its number among equal ones.
pub(super) fn identity_name(identity: &Identity, number: usize) -> String {
    let hex: String = identity.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}-{number}")
}

/// Starts the hash for an identity with its date.
pub(super) fn identity_hash(date: i64) -> Sha256 {
    Sha256::new_with_prefix(date.to_be_bytes())
}

/// Returns the identity for a hash.
pub(super) fn identity_of(hash: Sha256) -> Identity {
    let mut identity = [0; 16];
    identity.copy_from_slice(&hash.finalize()[..16]);
    identity
}

/// Parses one of our own lines: the mark, or a field of flags with its value.
///
/// ```abnf
/// own-line = mark / ( "Status" / "X-Status" / "X-Keywords" ) ":" *OCTET
/// ```
fn flag_field(line: &[u8]) -> Option<(Option<&'static str>, &[u8])> {
    if format::parse_mark(line).is_some() {
        return Some((None, &[]));
    }
    let at = line.iter().position(|byte| *byte == b':')?;
    let field = format::FLAG_FIELDS
        .into_iter()
        .find(|field| field.as_bytes() == &line[..at])?;
    Some((Some(field), &line[at + 1..]))
}

/// Returns a message's size, header key and identity.
fn digest(view: &mut View, date: i64) -> io::Result<(u64, HeaderKey, [u8; 16])> {
    let (mut hash, mut fields, mut size) = (identity_hash(date), HeaderFields::default(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = view.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        hash.update(&chunk[..count]);
        fields.take(&chunk[..count]);
        size += count as u64;
    }
    Ok((size, fields.key(), identity_of(hash)))
}

/// Returns where another program's message ends: before the empty line that separates it from the
/// next.
fn without_separator(file: &File, body: u64, after: u64) -> io::Result<u64> {
    use std::os::unix::fs::FileExt as _;
    let length = (after - body).min(4);
    let mut tail = [0; 4];
    let tail = &mut tail[..length as usize];
    file.read_exact_at(tail, after - length)?;
    let separator = if tail.ends_with(b"\n\r\n") {
        2
    } else if tail.ends_with(b"\n\n") || tail == b"\n" {
        1
    } else {
        0
    };
    Ok(after - separator)
}

/// Where messages start, with their dates, and the file's length. `None`: its first line isn't a
/// `From ` line.
type Starts = Option<(Vec<(u64, i64)>, u64)>;

/// Finds where messages start.
///
/// ```abnf
/// mbox = *( from-line *line empty-line )
/// ```
/// (RFC 4155 appendix A, in words.) A `From ` line starts a message only after an empty line and if
/// it has a date: others are text that a program has not quoted. The last message may lack its
/// empty line.
fn message_starts(file: &Arc<File>) -> io::Result<Starts> {
    let mut reader = BufReader::with_capacity(
        CHUNK,
        Region {
            file: Arc::clone(file),
            at: 0,
            end: u64::MAX,
        },
    );
    let (mut starts, mut at) = (Vec::new(), 0);
    let (mut start, mut length, mut after_empty) = (0, 0, true);
    let mut line: Vec<u8> = Vec::with_capacity(MAX_FROM);
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        let count = chunk.len();
        for byte in chunk {
            at += 1;
            length += 1;
            if line.len() < MAX_FROM {
                line.push(*byte);
            }
            if *byte != b'\n' {
                continue;
            }
            if after_empty && let Some(date) = format::from_date(&line) {
                starts.push((start, date));
            } else if start == 0 {
                return Ok(None);
            }
            after_empty = length == 1 || line == b"\r\n";
            line.clear();
            (start, length) = (at, 0);
        }
        reader.consume(count);
    }
    // An unterminated first line was left by a crash, or isn't an mbox.
    if starts.is_empty() && at > 0 && !format::is_own_from_line(&line) {
        return Ok(None);
    }
    let is_cut_line = !line.is_empty() && after_empty && format::is_own_from_line(&line);
    Ok(Some((starts, if is_cut_line { start } else { at })))
}

impl Numbered for Index {
    fn set(&mut self, name: &[u8], uid: u32) -> bool {
        let Some((identity, number)) = parse_name(name) else {
            return false;
        };
        let first = self
            .by_identity
            .partition_point(|at| self.entries[*at as usize].identity < identity);
        let found = self.by_identity.get(first + number).copied();
        match found
            .and_then(|at| self.entries.get_mut(at as usize))
            .filter(|entry| entry.identity == identity)
        {
            Some(entry) => {
                entry.uid = uid;
                true
            }
            None => false,
        }
    }

    fn clear(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.uid = 0);
    }

    fn number_rest(&mut self, take: &mut dyn FnMut(&[u8]) -> io::Result<u32>) -> io::Result<()> {
        // In file order, in which messages arrived.
        let mut places: Vec<u32> = vec![0; self.entries.len()];
        for (place, at) in (0..).zip(&self.by_identity) {
            places[*at as usize] = place;
        }
        for (at, place) in places.into_iter().enumerate() {
            if self.entries[at].uid == 0 {
                self.entries[at].uid = take(self.name(place as usize).as_bytes())?;
            }
        }
        Ok(())
    }

    fn unnumbered(&self) -> usize {
        self.entries.iter().filter(|entry| entry.uid == 0).count()
    }

    fn each(&self, take: &mut dyn FnMut(u32, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let uid = |place: &usize| self.entries[self.by_identity[*place] as usize].uid;
        let mut places: Vec<usize> = (0..self.by_identity.len())
            .filter(|place| uid(place) != 0)
            .collect();
        places.sort_unstable_by_key(uid);
        places
            .into_iter()
            .try_for_each(|place| take(uid(&place), self.name(place).as_bytes()))
    }
}

/// Parses a name.
///
/// ```abnf
/// name = 32HEXDIG "-" 1*DIGIT
/// ```
fn parse_name(name: &[u8]) -> Option<([u8; 16], usize)> {
    let (hex, number) = str::from_utf8(name).ok()?.split_once('-')?;
    let mut identity = [0; 16];
    if hex.len() != 32 {
        return None;
    }
    for (byte, at) in identity.iter_mut().zip((0..32).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some((identity, number.parse().ok()?))
}
