//! Commands, built from parts that can't break out of their place (RFC 3501 section 9 `command`).
//!
//! A string is quoted if it is printable ASCII and otherwise a literal, so CR, LF and 8-bit bytes
//! occur only in literals, and NUL nowhere. What is written as grammar ([`Command::text`]) is
//! checked: a command with a forbidden byte has no steps at all. Secrets are marked, so that a
//! trace never shows them.

use crate::mail::{Flags, InternalDate, MailboxName, UidSet};
use std::borrow::Cow;
use std::fmt;

/// How literals may be sent (RFC 7888). What a server announces holds only for the connection on
/// which it did so, after login: a server that doesn't know `{n+}` executes the literal's lines as
/// commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralMode {
    /// `{n}`, followed by waiting for the server's `+`.
    Synchronizing,
    /// LITERAL-: up to 4096 bytes without waiting.
    Minus,
    /// LITERAL+: never waiting.
    Plus,
}

impl LiteralMode {
    /// The largest literal that LITERAL- allows without waiting (RFC 7888 section 5).
    const MINUS: u64 = 4096;

    /// Reports whether a literal of this size is sent without waiting for the server.
    pub fn is_immediate(self, size: u64) -> bool {
        match self {
            Self::Synchronizing => false,
            Self::Minus => size <= Self::MINUS,
            Self::Plus => true,
        }
    }
}

/// The steps, in order, to send a command.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Write these bytes. They may contain secrets.
    Write(Vec<u8>),
    /// Flush, and wait for the server's `+`. After a tagged reply instead, the rest isn't sent.
    AwaitContinuation,
    /// Write exactly this many bytes of the message.
    Stream(u64),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(bytes) => write!(f, "Write({} bytes)", bytes.len()),
            Self::AwaitContinuation => f.write_str("AwaitContinuation"),
            Self::Stream(size) => write!(f, "Stream({size})"),
        }
    }
}

/// A control character or an 8-bit byte outside a literal, or a NUL in a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a command may not hold control or 8-bit characters outside of a literal, and no NUL at all"
)]
pub struct ForbiddenByte;

#[derive(Clone)]
enum Part {
    Text { bytes: Vec<u8>, secret: bool },
    Literal { bytes: Vec<u8>, secret: bool },
    Stream { size: u64, binary: bool },
}

/// A command, or a line of an exchange that the server requested with `+`.
///
/// Parts are separated by single spaces automatically.
#[derive(Clone)]
pub struct Command {
    parts: Vec<Part>,
    tagged: bool,
    /// Whether the next part follows without a space: at the beginning and after an opening
    /// parenthesis.
    joined: bool,
    forbidden: bool,
}

impl Command {
    /// Makes a command that begins with these words, such as `UID FETCH`.
    #[must_use]
    pub fn new(words: &str) -> Self {
        Self {
            parts: Vec::new(),
            tagged: true,
            joined: false,
            forbidden: false,
        }
        .text(words)
    }

    /// Makes a line that answers the server's `+` during authentication: base64, `*`, or nothing.
    /// Always a secret.
    #[must_use]
    pub fn continuation(line: &str) -> Self {
        let command = Self {
            parts: Vec::new(),
            tagged: false,
            joined: true,
            forbidden: false,
        };
        if line.is_empty() {
            command
        } else {
            command.push_text(line.as_bytes(), true)
        }
    }

    /// Adds literal grammar: atoms, sequence sets, item lists, search programs. Only printable
    /// ASCII can be sent.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.push_text(text.as_bytes(), false)
    }

    /// Adds a secret atom: an initial response in base64.
    #[must_use]
    pub fn secret_text(self, text: &str) -> Self {
        self.push_text(text.as_bytes(), true)
    }

    /// Adds a string: quoted if possible, otherwise as a literal.
    #[must_use]
    pub fn string(self, bytes: &[u8]) -> Self {
        self.push_string(bytes, false)
    }

    /// Adds a secret string: a user name or password.
    #[must_use]
    pub fn secret_string(self, bytes: &[u8]) -> Self {
        self.push_string(bytes, true)
    }

    /// Adds a mailbox name.
    #[must_use]
    pub fn mailbox(self, name: &MailboxName) -> Self {
        self.string(name.as_bytes())
    }

    /// Adds a set of UIDs. It must not be empty; limiting its length is up to the caller
    /// ([`UidSet::sequence_sets`] returns texts for [`Command::text`]).
    #[must_use]
    pub fn uids(self, uids: &UidSet) -> Self {
        self.text(&uids.to_string())
    }

    /// Adds a parenthesised flag list.
    #[must_use]
    pub fn flags(self, flags: &Flags) -> Self {
        self.text(&flags.to_string())
    }

    /// Adds a quoted `date-time`.
    #[must_use]
    pub fn date(self, date: InternalDate) -> Self {
        self.text(&format!("\"{date}\""))
    }

    /// Adds an opening parenthesis; what follows comes right after it.
    #[must_use]
    pub fn open(self) -> Self {
        let mut command = self.text("(");
        command.joined = true;
        command
    }

    /// Adds a closing parenthesis, right after what came before.
    #[must_use]
    pub fn close(mut self) -> Self {
        self.joined = true;
        self.text(")")
    }

    /// Adds a literal whose bytes the caller writes: a message of `size` bytes. `binary` makes it a
    /// `~{n}` (RFC 3516), which may contain NUL.
    #[must_use]
    pub fn stream(mut self, size: u64, binary: bool) -> Self {
        self.separate();
        self.parts.push(Part::Stream { size, binary });
        self
    }

    /// Returns the words that it begins with, such as `UID FETCH`.
    pub(in crate::imap) fn name(&self) -> Cow<'_, str> {
        let words = self.parts.iter().find_map(|part| match part {
            Part::Text { bytes, .. } => Some(bytes.trim_ascii()).filter(|words| !words.is_empty()),
            Part::Literal { .. } | Part::Stream { .. } => None,
        });
        words.map(String::from_utf8_lossy).unwrap_or_default()
    }

    /// Reports whether one of its strings has to be a literal.
    pub fn has_literal(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part, Part::Literal { .. } | Part::Stream { .. }))
    }

    /// Returns the steps to send it. `tag` isn't used for a continuation.
    ///
    /// # Errors
    /// A part given as grammar has a byte that is allowed only in a literal, or a string has NUL.
    /// Then nothing may be sent.
    pub fn steps(&self, tag: &str, mode: LiteralMode) -> Result<Vec<Step>, ForbiddenByte> {
        if self.forbidden || tag.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(ForbiddenByte);
        }
        let mut steps = Vec::new();
        let mut line = self.tag(tag);
        for part in &self.parts {
            match part {
                Part::Text { bytes, .. } => line.extend_from_slice(bytes),
                Part::Literal { bytes, .. } => {
                    announce(bytes.len() as u64, false, mode, &mut line, &mut steps);
                    line.extend_from_slice(bytes);
                }
                Part::Stream { size, binary } => {
                    announce(*size, *binary, mode, &mut line, &mut steps);
                    flush(&mut line, &mut steps);
                    steps.push(Step::Stream(*size));
                }
            }
        }
        line.extend_from_slice(b"\r\n");
        flush(&mut line, &mut steps);
        Ok(steps)
    }

    /// Returns the command as a trace may show it: `<hidden>` for secrets, `{n}` for other
    /// literals, no line end.
    pub fn trace(&self, tag: &str) -> Vec<u8> {
        let mut line = self.tag(tag);
        for part in &self.parts {
            match part {
                Part::Text { secret: true, .. } | Part::Literal { secret: true, .. } => {
                    line.extend_from_slice(b"<hidden>");
                }
                Part::Text { bytes, .. } => line.extend_from_slice(bytes),
                Part::Literal { bytes, .. } => {
                    line.extend_from_slice(format!("{{{}}}", bytes.len()).as_bytes());
                }
                Part::Stream { size, .. } => {
                    line.extend_from_slice(format!("{{{size}}}").as_bytes());
                }
            }
        }
        line
    }

    fn tag(&self, tag: &str) -> Vec<u8> {
        if self.tagged {
            tag.as_bytes().to_vec()
        } else {
            Vec::new()
        }
    }

    fn push_text(mut self, bytes: &[u8], secret: bool) -> Self {
        self.forbidden |= !bytes.iter().all(|byte| is_printable(*byte));
        self.separate();
        self.parts.push(Part::Text {
            bytes: bytes.to_vec(),
            secret,
        });
        self
    }

    fn push_string(self, bytes: &[u8], secret: bool) -> Self {
        if bytes.iter().all(|byte| is_printable(*byte)) {
            return self.push_text(&quote(bytes), secret);
        }
        let mut command = self;
        // No string may contain NUL (RFC 3501 section 9 `CHAR8`).
        command.forbidden |= bytes.contains(&0);
        command.separate();
        command.parts.push(Part::Literal {
            bytes: bytes.to_vec(),
            secret,
        });
        command
    }

    fn separate(&mut self) {
        if !self.joined {
            self.parts.push(Part::Text {
                bytes: b" ".to_vec(),
                secret: false,
            });
        }
        self.joined = false;
    }
}

impl fmt::Debug for Command {
    /// As [`Command::trace`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({})", self.trace("").escape_ascii())
    }
}

fn is_printable(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte)
}

/// Quotes a string of printable ASCII (RFC 3501 section 4.3).
fn quote(bytes: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in bytes {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

fn announce(size: u64, binary: bool, mode: LiteralMode, line: &mut Vec<u8>, steps: &mut Vec<Step>) {
    let immediate = mode.is_immediate(size);
    let (tilde, plus) = (
        if binary { "~" } else { "" },
        if immediate { "+" } else { "" },
    );
    line.extend_from_slice(format!("{tilde}{{{size}{plus}}}\r\n").as_bytes());
    if !immediate {
        flush(line, steps);
        steps.push(Step::AwaitContinuation);
    }
}

fn flush(line: &mut Vec<u8>, steps: &mut Vec<Step>) {
    if !line.is_empty() {
        steps.push(Step::Write(std::mem::take(line)));
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
