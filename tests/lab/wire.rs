//! Replies as values: one response with its literals, read from a stream, parsed into atoms,
//! strings and lists.

use std::io::{BufRead, Read as _};

/// A part of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An atom, a number, a flag, `NIL`, or a fetch item's name such as `BODY[]`.
    Atom(String),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    List(Vec<Self>),
}

impl Value {
    /// An atom or a string as text.
    pub fn text(&self) -> String {
        match self {
            Self::Atom(text) => text.clone(),
            Self::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::List(_) => panic!("a list where a string is expected: {self:?}"),
        }
    }

    /// A list's items.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => panic!("no list where one is expected: {self:?}"),
        }
    }

    /// Whether this is the atom, in whatever case.
    pub fn is(&self, atom: &str) -> bool {
        matches!(self, Self::Atom(text) if text.eq_ignore_ascii_case(atom))
    }
}

/// How many bytes of literal follow a line that ends in `{n}`, `{n+}` or `~{n}`, and whether they
/// wait for no one.
pub fn literal_at_end(line: &[u8]) -> Option<(usize, bool)> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line
        .strip_suffix(b"\r")
        .unwrap_or(line)
        .strip_suffix(b"}")?;
    let open = line.iter().rposition(|&byte| byte == b'{')?;
    let digits = std::str::from_utf8(&line[open + 1..]).ok()?;
    let (digits, at_once) = digits
        .strip_suffix('+')
        .map_or((digits, false), |digits| (digits, true));
    digits.parse().ok().map(|length| (length, at_once))
}

/// One response as sent: its lines and literals up to the last line's end. Empty at the stream's
/// end.
pub fn read_response(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut response = Vec::new();
    loop {
        let start = response.len();
        reader.read_until(b'\n', &mut response)?;
        let Some((length, _)) = literal_at_end(&response[start..]) else {
            return Ok(response);
        };
        let read = reader
            .by_ref()
            .take(length as u64)
            .read_to_end(&mut response)?;
        if read < length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Parses a response's parts; free text parses as atoms, which does no harm.
pub fn parse(response: &[u8]) -> Vec<Value> {
    let mut rest = response;
    let mut stack = vec![Vec::new()];
    while let Some((&first, tail)) = rest.split_first() {
        match first {
            b' ' | b'\r' | b'\n' => rest = tail,
            b'(' => {
                stack.push(Vec::new());
                rest = tail;
            }
            b')' if stack.len() > 1 => {
                let list = stack.pop().unwrap();
                stack.last_mut().unwrap().push(Value::List(list));
                rest = tail;
            }
            b'"' => rest = quoted(tail, stack.last_mut().unwrap()),
            b'{' | b'~' if literal_line(rest).is_some() => {
                let (length, start) = literal_line(rest).unwrap();
                stack
                    .last_mut()
                    .unwrap()
                    .push(Value::Text(rest[start..start + length].to_vec()));
                rest = &rest[start + length..];
            }
            _ => rest = atom(rest, stack.last_mut().unwrap()),
        }
    }
    stack.swap_remove(0)
}

/// A literal's length and where its bytes start, if one starts here.
fn literal_line(rest: &[u8]) -> Option<(usize, usize)> {
    let open = usize::from(rest.starts_with(b"~"));
    let digits = rest.get(open..)?.strip_prefix(b"{")?;
    let close = digits.iter().position(|&byte| byte == b'}')?;
    let length = std::str::from_utf8(&digits[..close]).ok()?.parse().ok()?;
    let start = open + close + 2;
    rest[start..]
        .starts_with(b"\r\n")
        .then_some((length, start + 2))
}

/// The rest after a quoted string, which goes to `into`.
fn quoted<'a>(rest: &'a [u8], into: &mut Vec<Value>) -> &'a [u8] {
    let mut text = Vec::new();
    let mut at = 0;
    while at < rest.len() && rest[at] != b'"' {
        at += usize::from(rest[at] == b'\\');
        text.extend(rest.get(at));
        at += 1;
    }
    into.push(Value::Text(text));
    rest.get(at + 1..).unwrap_or_default()
}

/// The rest after an atom, which goes to `into`; brackets belong to it, with the spaces and
/// parentheses in them.
fn atom<'a>(rest: &'a [u8], into: &mut Vec<Value>) -> &'a [u8] {
    let mut depth = 0_u32;
    let ends = |&byte: &u8| {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            b' ' | b'(' | b')' if depth == 0 => return true,
            b'\r' | b'\n' => return true,
            _ => {}
        }
        false
    };
    let end = rest.iter().position(ends).unwrap_or(rest.len()).max(1);
    into.push(Value::Atom(
        String::from_utf8_lossy(&rest[..end]).into_owned(),
    ));
    &rest[end..]
}
