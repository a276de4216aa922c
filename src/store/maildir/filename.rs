//! A message's file name: its identity, its flags, and what other programs can tell from it
//! (Maildir, with the fields of Maildir++ and Dovecot).
//!
//! `BASE[,S=SIZE][,W=WIRE][,X=asis][:2,LETTERS]`: everything before `:` stays as long as the file
//! exists and is its identity; the letters are flags. S is the file's size, W its size with CRLF
//! line ends. A file with `X=asis` was delivered by mailferry with line ends other than CRLF and is
//! read unchanged; any other is read with CRLFs, as Dovecot does.

use super::keywords::Keywords;
use crate::mail::{Flags, SystemFlag};

/// The field of a message whose line ends are part of it.
const AS_IT_IS: &str = "X=asis";
/// System flags by letter, in the order used in names.
const SYSTEM: [(u8, SystemFlag, &str); 5] = [
    (b'D', SystemFlag::Draft, "\\Draft"),
    (b'F', SystemFlag::Flagged, "\\Flagged"),
    (b'R', SystemFlag::Answered, "\\Answered"),
    (b'S', SystemFlag::Seen, "\\Seen"),
    (b'T', SystemFlag::Deleted, "\\Deleted"),
];
/// `P`, passed: what other programs write for `$Forwarded`. It is read but never written.
const PASSED: u8 = b'P';

/// Returns the part of a name that stays as long as the file exists.
///
/// ```abnf
/// file-name = base [ ":" info ]
/// info      = "2," *flag-letter / "1," *OCTET
/// ```
/// (The description of Maildir at cr.yp.to says it in words.)
pub(super) fn base(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == b':').next().unwrap_or(name)
}

/// Returns the letters of a name's flags.
///
/// `":2," *flag-letter`, with `flag-letter = %x41-5A / %x61-7A`: capitals for system flags, small
/// letters for keywords.
pub(super) fn letters(name: &[u8]) -> &[u8] {
    name.get(base(name).len()..)
        .and_then(|info| info.strip_prefix(b":2,"))
        .unwrap_or_default()
}

/// Makes a name with these letters, in the order that all programs use.
pub(super) fn with_letters(base: &[u8], letters: &[u8]) -> Vec<u8> {
    let mut letters = letters.to_vec();
    letters.sort_unstable();
    letters.dedup();
    [base, b":2,", &letters].concat()
}

/// Makes a new message's base name.
pub(super) fn new_base(unique: &str, size: u64, on_the_wire: u64) -> String {
    let mark = if size == on_the_wire {
        String::new()
    } else {
        format!(",{AS_IT_IS}")
    };
    format!("{unique},S={size},W={on_the_wire}{mark}")
}

/// Returns the fields after the first comma of a base name, to be kept when a message is renamed.
///
/// ```abnf
/// base   = unique *( "," field )
/// field  = ( "S" / "W" ) "=" 1*DIGIT / "X=asis" / *OCTET
/// ```
/// (Maildir++ has `S`, Dovecot `W`.)
pub(super) fn fields(base: &[u8]) -> &[u8] {
    base.iter()
        .position(|byte| *byte == b',')
        .map_or(&[], |at| &base[at..])
}

/// Reports whether the file is read unchanged, byte for byte.
pub(super) fn is_as_it_is(base: &[u8]) -> bool {
    fields(base)
        .split(|byte| *byte == b',')
        .any(|field| field == AS_IT_IS.as_bytes())
}

/// Returns the size with CRLFs in a name, if the size in it matches the file's.
pub(super) fn wire_size(base: &[u8], size: u64) -> Option<u64> {
    let number = |name: &[u8]| {
        let field = fields(base)
            .split(|byte| *byte == b',')
            .find_map(|field| field.strip_prefix(name))?;
        str::from_utf8(field).ok()?.parse::<u64>().ok()
    };
    if is_as_it_is(base) {
        return Some(size);
    }
    (number(b"S=")? == size)
        .then(|| number(b"W="))?
        .filter(|wire| *wire >= size)
}

/// Returns the order in which names are numbered if no list has them: by the time in the name, then
/// by name.
///
/// ```abnf
/// unique = 1*DIGIT [ ".M" 1*DIGIT ] *OCTET
/// ```
/// (Seconds since 1970 and microseconds, as Dovecot writes them.) A name in another form counts as
/// having time 0.
pub(super) fn order(base: &[u8]) -> (u64, u64, &[u8]) {
    let number = |bytes: &[u8]| {
        let end = bytes
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(bytes.len());
        str::from_utf8(&bytes[..end])
            .ok()
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(0)
    };
    let micros = base
        .windows(2)
        .position(|pair| pair == b".M")
        .map_or(0, |at| number(&base[at + 2..]));
    (number(base), micros, base)
}

/// Returns the flags for some letters.
pub(super) fn flags(letters: &[u8], keywords: &Keywords) -> Flags {
    let system = SYSTEM
        .iter()
        .filter(|(letter, ..)| letters.contains(letter))
        .map(|(.., name)| *name);
    let passed = letters.contains(&PASSED).then_some("$Forwarded");
    let known = letters.iter().filter_map(|letter| keywords.name(*letter));
    Flags::from_names(system.chain(passed).chain(known))
}

/// Returns the letters for flags, and the flags that have none, as all letters for keywords are
/// taken.
pub(super) fn letters_of(flags: &Flags, keywords: &Keywords) -> (Vec<u8>, Vec<String>) {
    let mut letters: Vec<u8> = SYSTEM
        .iter()
        .filter(|(_, flag, _)| flags.has(*flag))
        .map(|(letter, ..)| *letter)
        .collect();
    let mut without = Vec::new();
    for keyword in flags.keywords() {
        match keywords.letter(keyword.as_str()) {
            Some(letter) => letters.push(letter),
            None => without.push(keyword.as_str().to_owned()),
        }
    }
    (letters, without)
}

/// Removes flags from some letters; other programs' letters stay.
pub(super) fn without(letters: &[u8], flags: &Flags, keywords: &Keywords) -> Vec<u8> {
    let (mut gone, _) = letters_of(flags, keywords);
    if flags
        .keywords()
        .iter()
        .any(|keyword| keyword.as_str().eq_ignore_ascii_case("$Forwarded"))
    {
        gone.push(PASSED);
    }
    letters
        .iter()
        .filter(|letter| !gone.contains(letter))
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (name, stays, flags) in [
            ("1.M2P3.host,S=5,W=6:2,FS", "1.M2P3.host,S=5,W=6", "FS"),
            ("1.host", "1.host", ""),
            ("1.host:2,", "1.host", ""),
            ("1.host:1,experimental", "1.host", ""),
            ("1.host:2,S:2,F", "1.host", "S:2,F"),
        ] {
            assert_eq!(base(name.as_bytes()), stays.as_bytes());
            assert_eq!(letters(name.as_bytes()), flags.as_bytes());
        }
        assert_eq!(with_letters(b"1.host", b"aSFS"), b"1.host:2,FSa");
    }

    #[test]
    fn a_size_is_believed_where_it_agrees_with_the_file() {
        for (base, size, told) in [
            ("1.h,S=5,W=6", 5, Some(6)),
            ("1.h,W=6,S=5", 5, Some(6)),
            ("1.h,S=5,W=6", 7, None),
            ("1.h,S=5,W=4", 5, None),
            ("1.h,S=5", 5, None),
            ("1.h,S=5,W=9,X=asis", 5, Some(5)),
            ("1.h,S=x,W=6", 5, None),
        ] {
            assert_eq!(wire_size(base.as_bytes(), size), told, "{base}");
        }
        assert!(is_as_it_is(new_base("1.h", 5, 6).as_bytes()));
        assert!(!is_as_it_is(new_base("1.h", 5, 5).as_bytes()));
    }

    #[test]
    fn messages_are_ordered_by_their_time() {
        let mut names = ["10.M5P1.h", "9.M9P1.h", "10.M40P1.h", "odd", "10.h"];
        names.sort_by(|a, b| order(a.as_bytes()).cmp(&order(b.as_bytes())));
        assert_eq!(
            names,
            ["odd", "9.M9P1.h", "10.h", "10.M5P1.h", "10.M40P1.h"]
        );
    }

    #[test]
    fn letters_and_flags_belong_together() {
        let keywords = Keywords::parse(b"0 $Forwarded\n1 NonJunk\n");
        let all = Flags::from_names(["\\Seen", "\\Draft", "$forwarded"]);
        assert_eq!(letters_of(&all, &keywords), (b"DSa".to_vec(), vec![]));
        assert_eq!(flags(b"DSa", &keywords), all);
        assert_eq!(flags(b"Pz", &keywords), Flags::from_names(["$Forwarded"]));
        assert_eq!(
            letters_of(&Flags::from_names(["new"]), &keywords),
            (vec![], vec!["new".to_owned()])
        );
        assert_eq!(
            without(
                b"PSXab",
                &Flags::from_names(["$Forwarded", "\\Seen"]),
                &keywords
            ),
            b"Xb"
        );
    }
}
