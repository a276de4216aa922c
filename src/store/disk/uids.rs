//! Which message has which UID: a list in the folder, `mailferry-uids`, beside other programs'
//! files.
//!
//! The first line is `1 V<UIDVALIDITY> N<UIDNEXT>`, each other one `<UID> <name>`, ascending;
//! everything in the name but printable ASCII is written as `%XX`. New messages are appended and
//! synced before anyone learns their UIDs, so a line cut by a crash was never used. A list with any
//! other damage is discarded: all messages are renumbered under a new UIDVALIDITY, which costs the
//! next run time but never a message.
//!
//! A read-only mailbox isn't written to, not even here. If a list contains every message (this one
//! or that of the folder's own program), its numbers are used; otherwise the messages get numbers
//! for this run, kept in an unnamed file, under no UIDVALIDITY.

use super::dir::Dir;
use super::place::new_validity;
use crate::mail::UidValidity;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write};

/// The longest line: a name has at most 255 bytes, each written as at most three.
const MAX_LINE: u64 = 2_000;
/// A list is rewritten when it has more lines for gone messages than for others, and more than
/// this.
const MAX_STALE: u64 = 4_096;

/// Where a folder's numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Generation {
    /// From a list that persists.
    Lasting(UidValidity),
    /// Made for this run.
    Passing,
}

impl Generation {
    /// Returns the UIDVALIDITY to report.
    pub(in crate::store) fn validity(self) -> Option<UidValidity> {
        match self {
            Self::Lasting(validity) => Some(validity),
            Self::Passing => None,
        }
    }
}

/// The contents of a list's first line, and a summary of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Lines {
    pub(in crate::store) validity: u32,
    /// UIDNEXT: above every UID in the list.
    pub(in crate::store) next: u32,
    /// Messages listed.
    pub(in crate::store) count: u64,
    /// Bytes of intact lines; the rest was cut by a crash.
    pub(in crate::store) sound: u64,
}

/// A folder's messages as its store knows them, to be numbered.
pub(in crate::store) trait Numbered {
    /// Assigns a UID to the message with this name. False: there is none.
    fn set(&mut self, name: &[u8], uid: u32) -> bool;

    /// Removes all numbers.
    fn clear(&mut self);

    /// Numbers the remaining messages, in order of arrival: passes each to `take` with its name,
    /// which returns the UID.
    fn number_rest(&mut self, take: &mut dyn FnMut(&[u8]) -> io::Result<u32>) -> io::Result<()>;

    /// Returns how many have no number.
    fn unnumbered(&self) -> usize;

    /// Visits every message's number and name, by ascending UID.
    fn each(&self, take: &mut dyn FnMut(u32, &[u8]) -> io::Result<()>) -> io::Result<()>;
}

/// Another program's list, used if it is complete: passes each UID and name to the function.
pub(in crate::store) type ForeignList<'a> =
    dyn Fn(&mut dyn FnMut(u32, &[u8])) -> Option<Lines> + 'a;

/// One folder's numbers, for all connections of this process.
#[derive(Debug, Default)]
pub(in crate::store) struct Numbers {
    told: Option<Told>,
}

#[derive(Debug)]
enum Told {
    /// A list in the folder, open for appending if the mailbox may be written to.
    Listed {
        validity: u32,
        next: u32,
        list: Option<File>,
    },
    /// A list for this run.
    Passing { next: u32, list: File },
}

/// Where a folder's list is, and whether it may be written.
pub(in crate::store) struct ListPlace<'a> {
    /// The folder's directory.
    pub(in crate::store) dir: &'a Dir,
    /// The list's name in it.
    pub(in crate::store) name: &'a [u8],
    /// The mail directory, which stores the last UIDVALIDITY.
    pub(in crate::store) root: &'a Dir,
    /// Whether anything may be written.
    pub(in crate::store) may_write: bool,
}

impl Numbers {
    /// Numbers a folder's messages. Returns their generation and UIDNEXT. In a read-only mailbox,
    /// messages that arrived after the first look get no number.
    pub(in crate::store) fn number(
        &mut self,
        place: &ListPlace<'_>,
        messages: &mut dyn Numbered,
        foreign: &ForeignList<'_>,
    ) -> io::Result<(Generation, u32)> {
        if place.may_write {
            self.number_for_good(place, messages, foreign)?;
        } else if self.told.is_none() {
            self.number_first(place, messages, foreign)?;
        } else {
            self.number_again(place, messages, foreign)?;
        }
        Ok(match &self.told {
            Some(Told::Listed { validity, next, .. }) => {
                (Generation::Lasting(UidValidity(*validity)), *next)
            }
            Some(Told::Passing { next, .. }) => (Generation::Passing, *next),
            None => (Generation::Passing, 1),
        })
    }

    /// Numbers new messages before they become visible to others. The numbers are durable when this
    /// returns.
    pub(in crate::store) fn append(
        &mut self,
        place: &ListPlace<'_>,
        names: &[&[u8]],
    ) -> io::Result<(UidValidity, Vec<u32>)> {
        if !matches!(self.told, Some(Told::Listed { list: Some(_), .. })) {
            self.open_for_good(place, &mut Nobody, 0)?;
        }
        let Some(Told::Listed {
            validity,
            next,
            list: Some(list),
        }) = &mut self.told
        else {
            return Err(io::Error::other("the list of UIDs is not open"));
        };
        let mut text = Vec::new();
        let mut uids = Vec::with_capacity(names.len());
        for name in names {
            write_line(&mut text, *next, name)?;
            uids.push(*next);
            *next = after(*next)?;
        }
        list.write_all(&text)?;
        list.sync_data()?;
        Ok((UidValidity(*validity), uids))
    }

    /// Rewrites the list after messages have gone: by ascending UID.
    pub(in crate::store) fn rewrite(
        &mut self,
        place: &ListPlace<'_>,
        names: &[(u32, String)],
    ) -> io::Result<()> {
        let Some(Told::Listed { validity, next, .. }) = self.told else {
            return Ok(());
        };
        place.dir.replace(place.name, |file| {
            writeln!(file, "1 V{validity} N{next}")?;
            names
                .iter()
                .try_for_each(|(uid, name)| write_line(file, *uid, name.as_bytes()))
        })?;
        let mut list = place.dir.file_for_writing(place.name)?;
        list.seek(SeekFrom::End(0))?;
        self.told = Some(Told::Listed {
            validity,
            next,
            list: Some(list),
        });
        Ok(())
    }

    fn number_for_good(
        &mut self,
        place: &ListPlace<'_>,
        messages: &mut dyn Numbered,
        foreign: &ForeignList<'_>,
    ) -> io::Result<()> {
        let at_least = match self.told {
            None => foreign(&mut |_, _| {}).map_or(0, |lines| lines.validity),
            Some(_) => 0,
        };
        self.open_for_good(place, messages, at_least)?;
        if messages.unnumbered() > 0 {
            let Some(Told::Listed {
                next,
                list: Some(list),
                ..
            }) = &mut self.told
            else {
                return Ok(());
            };
            let mut writer = BufWriter::new(&mut *list);
            messages.number_rest(&mut |name| {
                let uid = *next;
                *next = after(uid)?;
                write_line(&mut writer, uid, name)?;
                Ok(uid)
            })?;
            writer.flush()?;
            drop(writer);
            list.sync_data()?;
        }
        Ok(())
    }

    /// Reads the folder's list, and starts a new one if there is no valid one.
    fn open_for_good(
        &mut self,
        place: &ListPlace<'_>,
        messages: &mut dyn Numbered,
        at_least: u32,
    ) -> io::Result<()> {
        let known_next = match &self.told {
            Some(Told::Listed { next, .. }) => *next,
            _ => 1,
        };
        let mut matched = 0;
        let read = read_own(place, &mut |uid, name| {
            matched += u64::from(messages.set(name, uid));
        })?;
        let (validity, next, rewrite) = match read {
            Some(lines) => (
                lines.validity,
                lines.next.max(known_next),
                lines.count > MAX_STALE.max(matched) + matched,
            ),
            None => {
                messages.clear();
                let validity = new_validity(place.root, at_least)?;
                self.told = None;
                (validity, 1, true)
            }
        };
        // A list that is read in passing (without messages) is never rewritten: what it lists isn't
        // known here.
        let rewrite = read.is_none() || rewrite && messages.unnumbered() != usize::MAX;
        if rewrite {
            place.dir.replace(place.name, |file| {
                writeln!(file, "1 V{validity} N{next}")?;
                messages.each(&mut |uid, name| write_line(file, uid, name))
            })?;
        }
        let mut list = place.dir.file_for_writing(place.name)?;
        if !rewrite && let Some(lines) = read {
            // A line cut by a crash can't be continued.
            list.set_len(lines.sound)?;
        }
        list.seek(SeekFrom::End(0))?;
        self.told = Some(Told::Listed {
            validity,
            next,
            list: Some(list),
        });
        Ok(())
    }

    /// Numbers a read-only mailbox for the first time.
    fn number_first(
        &mut self,
        place: &ListPlace<'_>,
        messages: &mut dyn Numbered,
        foreign: &ForeignList<'_>,
    ) -> io::Result<()> {
        if let Some(lines) = read_own(place, &mut |uid, name| {
            messages.set(name, uid);
        })? && messages.unnumbered() == 0
        {
            self.told = Some(Told::Listed {
                validity: lines.validity,
                next: lines.next,
                list: None,
            });
            return Ok(());
        }
        messages.clear();
        if let Some(lines) = foreign(&mut |uid, name| {
            messages.set(name, uid);
        }) && messages.unnumbered() == 0
        {
            self.told = Some(Told::Listed {
                validity: lines.validity,
                next: lines.next,
                list: None,
            });
            return Ok(());
        }
        messages.clear();
        self.told = Some(Told::Passing {
            next: 1,
            list: tempfile::tempfile()?,
        });
        self.number_passing(messages)
    }

    /// Numbers a read-only mailbox again: by the numbers reported first.
    fn number_again(
        &mut self,
        place: &ListPlace<'_>,
        messages: &mut dyn Numbered,
        foreign: &ForeignList<'_>,
    ) -> io::Result<()> {
        match &mut self.told {
            Some(Told::Listed { validity, .. }) => {
                let validity = *validity;
                let mut set = |uid: u32, name: &[u8]| {
                    messages.set(name, uid);
                };
                let own =
                    read_own(place, &mut set)?.is_some_and(|lines| lines.validity == validity);
                if !own {
                    messages.clear();
                    let theirs = foreign(&mut |uid, name| {
                        messages.set(name, uid);
                    });
                    if theirs.is_none_or(|lines| lines.validity != validity) {
                        messages.clear();
                    }
                }
                Ok(())
            }
            Some(Told::Passing { list, .. }) => {
                list.seek(SeekFrom::Start(0))?;
                each_line(&mut BufReader::new(&mut *list), &mut |uid, name| {
                    messages.set(name, uid);
                })?;
                self.number_passing(messages)
            }
            None => Ok(()),
        }
    }

    fn number_passing(&mut self, messages: &mut dyn Numbered) -> io::Result<()> {
        let Some(Told::Passing { next, list }) = &mut self.told else {
            return Ok(());
        };
        list.seek(SeekFrom::End(0))?;
        let mut writer = BufWriter::new(list);
        messages.number_rest(&mut |name| {
            let uid = *next;
            *next = after(uid)?;
            write_line(&mut writer, uid, name)?;
            Ok(uid)
        })?;
        writer.flush()
    }
}

/// Stands in for messages that aren't looked at.
struct Nobody;

impl Numbered for Nobody {
    fn set(&mut self, _: &[u8], _: u32) -> bool {
        true
    }

    fn clear(&mut self) {}

    fn number_rest(&mut self, _: &mut dyn FnMut(&[u8]) -> io::Result<u32>) -> io::Result<()> {
        Ok(())
    }

    fn unnumbered(&self) -> usize {
        usize::MAX
    }

    fn each(&self, _: &mut dyn FnMut(u32, &[u8]) -> io::Result<()>) -> io::Result<()> {
        Ok(())
    }
}

fn after(uid: u32) -> io::Result<u32> {
    uid.checked_add(1)
        .ok_or_else(|| io::Error::other("the folder has run out of UIDs"))
}

/// Reads the folder's own list. `None`: there is none, or it is invalid.
fn read_own(place: &ListPlace<'_>, each: &mut dyn FnMut(u32, &[u8])) -> io::Result<Option<Lines>> {
    let file = match place.dir.file(place.name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    read_list(&mut BufReader::new(file), each)
}

/// Reads a list, including its first line.
///
/// ```abnf
/// list = first-line *line
/// ```
fn read_list(
    from: &mut impl io::BufRead,
    each: &mut dyn FnMut(u32, &[u8]),
) -> io::Result<Option<Lines>> {
    let mut line = Vec::new();
    io::Read::by_ref(from)
        .take(MAX_LINE)
        .read_until(b'\n', &mut line)?;
    let Some((validity, next)) = first_line(&line) else {
        return Ok(None);
    };
    let found = each_line(from, each)?;
    let Some((last, count, bytes)) = found else {
        return Ok(None);
    };
    let Some(next) = last.checked_add(1).map(|after| after.max(next)) else {
        return Ok(None);
    };
    Ok(Some(Lines {
        validity,
        next,
        count,
        sound: line.len() as u64 + bytes,
    }))
}

/// Parses the first line.
///
/// ```abnf
/// first-line = "1 V" nz-number " N" nz-number LF
/// ```
fn first_line(line: &[u8]) -> Option<(u32, u32)> {
    let rest = str::from_utf8(line)
        .ok()?
        .strip_suffix('\n')?
        .strip_prefix("1 V")?;
    let (validity, next) = rest.split_once(" N")?;
    let (validity, next) = (validity.parse().ok()?, next.parse().ok()?);
    (validity > 0 && next > 0).then_some((validity, next))
}

/// Visits every message in a list. Returns the last UID, how many there are and the bytes of their
/// lines. `None` if an invalid line precedes a valid one.
fn each_line(
    from: &mut impl io::BufRead,
    each: &mut dyn FnMut(u32, &[u8]),
) -> io::Result<Option<(u32, u64, u64)>> {
    let (mut last, mut count, mut sound) = (0, 0, 0);
    let mut is_cut = false;
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::by_ref(from)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)?
            == 0
        {
            return Ok(Some((last, count, sound)));
        }
        match parse_line(&line).filter(|(uid, _)| *uid > last) {
            Some(_) if is_cut => return Ok(None),
            Some((uid, name)) => {
                each(uid, &name);
                (last, count, sound) = (uid, count + 1, sound + line.len() as u64);
            }
            None => is_cut = true,
        }
    }
}

/// Parses a line.
///
/// ```abnf
/// line = nz-number SP name LF
/// ```
fn parse_line(line: &[u8]) -> Option<(u32, Vec<u8>)> {
    let line = line.strip_suffix(b"\n")?;
    let at = line.iter().position(|byte| *byte == b' ')?;
    let uid = str::from_utf8(&line[..at]).ok()?.parse().ok()?;
    let name = unescape(&line[at + 1..])?;
    (!name.is_empty()).then_some((uid, name))
}

fn write_line(to: &mut impl Write, uid: u32, name: &[u8]) -> io::Result<()> {
    writeln!(to, "{uid} {}", escape(name))
}

/// Writes a name with everything but printable ASCII as `%XX`.
pub(in crate::store) fn escape(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name {
        match byte {
            b'!'..=b'~' if *byte != b'%' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// Parses what [`escape`] wrote; `None` for anything else.
///
/// ```abnf
/// name = *( %x21-24 / %x26-7E / "%" 2HEXDIG )
/// ```
pub(in crate::store) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'%' => {
                let (hex, after) = after.split_at_checked(2)?;
                name.push(u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok()?);
                rest = after;
            }
            b'!'..=b'~' => {
                name.push(*byte);
                rest = after;
            }
            _ => return None,
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests;
