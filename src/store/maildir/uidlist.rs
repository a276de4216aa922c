//! The lists of UIDs in a folder: mailferry's own, and Dovecot's, which is read but never written.

use crate::store::disk::{Dir, Lines};
use std::io::{BufRead as _, BufReader, Read as _};

/// The name of our own.
pub(super) const OWN: &[u8] = b"mailferry-uids";
/// The name of Dovecot's.
const DOVECOTS: &[u8] = b"dovecot-uidlist";
/// The lists of UIDs that programs keep with a folder's messages: ours, Dovecot's and Courier's.
pub(super) const KNOWN: [&[u8]; 3] = [OWN, DOVECOTS, b"courierimapuiddb"];
/// The longest line.
const MAX_LINE: u64 = 2_000;

/// Reads Dovecot's list, version 3 or 1. `None` if there is none or it can't be read: it is never
/// required.
pub(super) fn read_dovecots(folder: &Dir, each: &mut dyn FnMut(u32, &[u8])) -> Option<Lines> {
    read(BufReader::new(folder.file(DOVECOTS).ok()?), each)
}

/// Parses a list.
///
/// ```abnf
/// list = first-line LF *( line LF )
/// line = uid *( SP field ) SP ":" name / uid SP name         ; version 3 / version 1
/// ```
fn read(mut from: impl std::io::BufRead, each: &mut dyn FnMut(u32, &[u8])) -> Option<Lines> {
    let mut line = Vec::new();
    let mut next_line = |line: &mut Vec<u8>| {
        line.clear();
        let count = from.by_ref().take(MAX_LINE).read_until(b'\n', line).ok()?;
        (count > 0)
            .then(|| line.strip_suffix(b"\n").map(<[u8]>::len))
            .flatten()
            .map(|end| line.truncate(end))
    };
    next_line(&mut line)?;
    let (version, validity, next) = first_line(str::from_utf8(&line).ok()?)?;
    let (mut last, mut count) = (0, 0);
    while next_line(&mut line).is_some() {
        // Version 3 has fields between the UID and `:NAME`, version 1 has `UID NAME`.
        let at = line
            .iter()
            .position(|byte| *byte == if version == 3 { b':' } else { b' ' })?;
        let (head, name) = (str::from_utf8(&line[..at]).ok()?, &line[at + 1..]);
        let uid: u32 = head.split(' ').next()?.parse().ok()?;
        if uid <= last {
            return None;
        }
        (last, count) = (uid, count + 1);
        each(uid, super::filename::base(name));
    }
    Some(Lines {
        validity,
        next: next.max(last.checked_add(1)?),
        count,
        sound: 0,
    })
}

/// Parses version, UIDVALIDITY and UIDNEXT: `3 V123 N45 G…` or `1 123 45`.
///
/// ```abnf
/// first-line = "3" *( SP ALPHA *OCTET ) / "1" SP validity SP next
/// ```
/// (Dovecot's own; it has no RFC.) Of version 3's fields only `V` and `N` are used.
fn first_line(line: &str) -> Option<(u32, u32, u32)> {
    let (version, rest) = line.split_once(' ')?;
    let value = |letter: char| {
        rest.split(' ')
            .find_map(|field| field.strip_prefix(letter))?
            .parse()
            .ok()
    };
    match version {
        "3" => Some((3, value('V')?, value('N')?)),
        "1" => {
            let mut fields = rest.split(' ');
            Some((
                1,
                fields.next()?.parse().ok()?,
                fields.next()?.parse().ok()?,
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Listed = (u32, u32, Vec<(u32, String)>);

    fn listed(text: &str) -> Option<Listed> {
        let mut all = Vec::new();
        let lines = read(text.as_bytes(), &mut |uid, name| {
            all.push((uid, String::from_utf8_lossy(name).into_owned()));
        })?;
        Some((lines.validity, lines.next, all))
    }

    #[test]
    fn dovecots_list_is_read() {
        let text = "3 V1795570421 N9 G694be30ef33a066bd847000083ecc375\n1 :1795570419.M2P3.vm,S=18,W=21\n7 W99 :5.vm:2,S\n";
        let all = vec![
            (1, "1795570419.M2P3.vm,S=18,W=21".to_owned()),
            (7, "5.vm".to_owned()),
        ];
        assert_eq!(listed(text), Some((1_795_570_421, 9, all)));
        assert_eq!(
            listed("1 77 3\n2 5.vm\n"),
            Some((77, 3, vec![(2, "5.vm".to_owned())]))
        );
    }

    #[test]
    fn what_is_no_list_is_left_alone() {
        for text in [
            "",
            "3 V1\n",
            "2 V1 N1\n",
            "3 V1 N3\n2 :b\n1 :a\n",
            "3 V1 N3\nno line\n",
            "3 Vx N1\n",
        ] {
            assert_eq!(listed(text), None, "{text:?}");
        }
    }
}
