//! The contents of a report: the fields of `--report FILE.json` in their order, and the input of
//! the page. docs/json.md describes them; names are part of the contract.

use crate::cli::chosen::Choice;
use crate::cli::failure;
use mailferry::event::{Difference, Differences, Failure, FolderHoldings, NamedMessage, YearSum};
use mailferry::mail::{Heading, Uid};
use serde::Serialize;
use serde_json::Value;

/// The maximum number of entries in a list; the rest is counted.
pub(crate) const LISTED: usize = 1000;

/// A report.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// The version of the report; it changes when the meaning of a field changes.
    pub(crate) report: u32,
    pub(crate) version: &'static str,
    pub(crate) command: &'static str,
    pub(crate) dry_run: bool,
    /// RFC 3339.
    pub(crate) started: String,
    pub(crate) seconds: f64,
    pub(crate) status: String,
    pub(crate) exit_code: u8,
    pub(crate) exit_reason: String,
    pub(crate) error: Option<failure::Failure>,
    pub(crate) sides: Vec<SideFacts>,
    /// From the command line, or from the plan.
    pub(crate) options: Choice,
    /// The summary as `--output json` prints it; `None` if the run ended before.
    pub(crate) summary: Option<Value>,
    #[serde(flatten)]
    pub(crate) told: Told,
    pub(crate) throughput: Throughput,
}

/// What the run has reported.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Told {
    pub(crate) folders: Vec<Folder>,
    pub(crate) folder_changes: Capped<FolderChange>,
    pub(crate) failures: Capped<Failure>,
    pub(crate) conflicts: Capped<Change>,
    pub(crate) changes: Capped<Change>,
    pub(crate) differences: Capped<Difference>,
    pub(crate) warnings: Capped<String>,
    pub(crate) reconnections: u64,
    pub(crate) holdings: Vec<Holdings>,
}

/// One of the two mailboxes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SideFacts {
    pub(crate) name: &'static str,
    pub(crate) address: Option<String>,
    /// What the server calls itself.
    pub(crate) server: Option<String>,
}

/// A pair of folders.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Folder {
    /// Its name on the source, or the first.
    pub(crate) from: Option<String>,
    /// Its name on the target, or the second.
    pub(crate) to: Option<String>,
    pub(crate) reason: String,
    pub(crate) messages: Option<u64>,
    pub(crate) already_there: Option<u64>,
    pub(crate) planned: Vec<Planned>,
    pub(crate) done: Done,
    pub(crate) differences: Differences,
    pub(crate) failed: u64,
    pub(crate) error: Option<String>,
}

/// The plan for a folder on one side.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Planned {
    pub(crate) on: &'static str,
    pub(crate) create: bool,
    pub(crate) copy: u64,
    pub(crate) server_side: u64,
    pub(crate) bytes: u64,
    pub(crate) moved: u64,
    pub(crate) flags: u64,
    pub(crate) delete: u64,
    /// Messages that are moved to a dated folder.
    pub(crate) keep: u64,
}

/// What was done with a folder's messages.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Done {
    pub(crate) copied: u64,
    /// Of these, messages that a side copied or moved itself.
    pub(crate) server_side: u64,
    pub(crate) bytes: u64,
    pub(crate) deleted: u64,
    pub(crate) kept: u64,
}

/// A folder that was created, renamed or deleted, or would be.
#[derive(Debug, Serialize)]
pub(crate) struct FolderChange {
    pub(crate) action: &'static str,
    pub(crate) folder: String,
    /// Its new name.
    pub(crate) to: Option<String>,
}

/// A change that `sync` makes on one side because of the other.
#[derive(Debug, Serialize)]
pub(crate) struct Change {
    pub(crate) action: &'static str,
    pub(crate) to: &'static str,
    pub(crate) folder: String,
    pub(crate) uid: Option<Uid>,
    pub(crate) detail: String,
    pub(crate) reason: &'static str,
    /// What each side did and how it was resolved, if there was a conflict.
    pub(crate) first_did: Option<&'static str>,
    pub(crate) second_did: Option<&'static str>,
    pub(crate) settled: Option<&'static str>,
    #[serde(flatten, serialize_with = "Heading::as_members")]
    pub(crate) heading: Option<Heading>,
}

/// The contents of a side's folders.
#[derive(Debug, Serialize)]
pub(crate) struct Holdings {
    pub(crate) side: &'static str,
    pub(crate) folders: Vec<FolderHoldings>,
    pub(crate) years: Vec<YearSum>,
    pub(crate) largest: Vec<NamedMessage>,
    pub(crate) duplicates: Capped<NamedMessage>,
}

/// The throughput over time.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Throughput {
    /// The length of a step.
    pub(crate) seconds: f64,
    /// Since the start of the run.
    pub(crate) steps: Vec<Step>,
}

/// The amounts of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// A list that doesn't grow beyond [`LISTED`].
#[derive(Debug, Serialize)]
pub(crate) struct Capped<T> {
    pub(crate) listed: Vec<T>,
    /// The number of further entries.
    pub(crate) more: u64,
}

impl<T> Default for Capped<T> {
    fn default() -> Self {
        Self {
            listed: Vec::new(),
            more: 0,
        }
    }
}

impl<T> Capped<T> {
    /// Adds an entry, or counts it.
    pub(crate) fn add(&mut self, thing: impl FnOnce() -> T) {
        if self.listed.len() < LISTED {
            self.listed.push(thing());
        } else {
            self.more += 1;
        }
    }

    /// Returns the number of entries, including those not listed.
    pub(crate) fn count(&self) -> u64 {
        self.listed.len() as u64 + self.more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_counts_what_it_omits() {
        let mut list = Capped::default();
        (0..LISTED + 5).for_each(|n| list.add(|| n));
        assert_eq!(
            (list.listed.len(), list.more, list.count()),
            (LISTED, 5, LISTED as u64 + 5)
        );
    }
}
