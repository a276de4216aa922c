//! A plan as a file: what `copy --dry-run --save-plan` writes and `apply` carries out.
//!
//! JSON Lines, which can be written and read as a stream: a head with both addresses and the
//! relevant options, then a line for each folder, set of messages and deletion, and finally the
//! number of lines and the SHA-256 of everything before. So a file that is truncated, damaged or
//! edited is never used in part. It contains no secrets, as addresses have none.

mod head;
mod items;
#[cfg(test)]
mod tests;

pub use head::{PlanHead, PlanMailbox};

use super::Deleting;
use crate::plan::planned::Planned;
use items::{Item, Reading};
use sha2::{Digest as _, Sha256};
use std::io::{self, BufRead, Read as _, Write};

/// The format that this version writes and reads.
const VERSION: u32 = 1;

/// The maximum length of a line: sets of UIDs are split into lines of a few kilobytes.
const LONGEST_LINE: u64 = 1 << 20;

/// Why a file can't be used as a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It isn't a plan.
    #[error("it is not a mailferry plan")]
    Foreign,
    /// It has the format of another version.
    #[error("it was saved by a newer mailferry (format {0}; this one reads format {VERSION})")]
    Newer(u32),
    /// It is incomplete or damaged.
    #[error("it is damaged or was edited: {0}")]
    Damaged(String),
    /// It can't be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn damaged(what: impl Into<String>) -> PlanError {
    PlanError::Damaged(what.into())
}

/// Writes a plan.
///
/// # Errors
/// Errors of `to`.
pub fn write_plan(head: &PlanHead, planned: &Planned, to: &mut dyn Write) -> io::Result<()> {
    let mut lines = Lines {
        to,
        digest: Sha256::new(),
        count: 0,
    };
    lines.write(&head.as_json(VERSION))?;
    items::each(planned, &mut |item| lines.write(item))?;
    let end = Item::End {
        lines: lines.count,
        sha256: hex(&lines.digest.clone().finalize()),
    };
    lines.write(&end)
}

struct Lines<'a> {
    to: &'a mut dyn Write,
    digest: Sha256,
    count: u64,
}

impl Lines<'_> {
    fn write(&mut self, line: &impl serde::Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.digest.update(&text);
        self.count += 1;
        self.to.write_all(&text)
    }
}

/// Reads a plan to its end before using any of it.
///
/// # Errors
/// Why it can't be applied.
pub fn read_plan(from: &mut dyn BufRead) -> Result<(PlanHead, Planned), PlanError> {
    let mut digest = Sha256::new();
    let first = line(from)?.ok_or(PlanError::Foreign)?;
    let head = head::read(&first, VERSION)?;
    digest.update(&first);
    let mut reading = Reading::default();
    let mut count = 1;
    loop {
        let text = line(from)?.ok_or_else(|| damaged("truncated"))?;
        let item = serde_json::from_slice(&text)
            .map_err(|error| damaged(format!("line {}: {error}", count + 1)))?;
        if let Item::End { lines, sha256 } = item {
            if lines != count || sha256 != hex(&digest.finalize()) {
                return Err(damaged("checksum mismatch"));
            }
            if line(from)?.is_some() {
                return Err(damaged("trailing data"));
            }
            let empties_source = matches!(head.deleting, Deleting::Source(_));
            return Ok((
                head,
                Planned {
                    empties_source,
                    ..reading.planned
                },
            ));
        }
        reading
            .take(item)
            .map_err(|what| damaged(format!("line {}: {what}", count + 1)))?;
        digest.update(&text);
        count += 1;
    }
}

/// Returns the next line with its end; `None` at the end of the file.
fn line(from: &mut dyn BufRead) -> Result<Option<Vec<u8>>, PlanError> {
    let mut text = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut text)?;
    match text.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(text)),
        Some(_) if text.len() as u64 == LONGEST_LINE => Err(damaged("a line is too long")),
        Some(_) => Err(damaged("its last line is cut off")),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
