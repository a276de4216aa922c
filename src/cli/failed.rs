//! `--failed-dir`: keeping what could not be copied.

use super::failure::Failure;
use super::observers::Observers;
use super::state::identity;
use super::units::counted;
use clap::Args;
use mailferry::address::Address;
use mailferry::event::Run;
use mailferry::mail::{Both, Side};
use mailferry::store::Connector;
use mailferry::verbs::{FailedDir, FailedSaved};
use std::path::PathBuf;
use std::sync::Arc;

/// What becomes of messages that can't be copied.
#[derive(Args, Default)]
#[command(next_help_heading = "Run")]
pub(crate) struct FailedArgs {
    /// Keep each message that failed in DIR: its bytes as FOLDER/NAME.eml, and the reason beside it
    /// in NAME.json. A later run with this option that copies the message removes both files
    #[arg(long, value_name = "DIR")]
    failed_dir: Option<PathBuf>,
    /// Correct messages that the target refuses for what is wrong with them, and send them again:
    /// line ends, NUL bytes, lines over 998 bytes, 8-bit text in headers, a missing or invalid
    /// Date, lines in the header that are no fields. Only what the server names is changed; what
    /// was changed is reported, and noted in the message. The original stays where it is, with
    /// --move, too
    #[arg(long)]
    pub(crate) fix_refused: bool,
}

impl FailedArgs {
    /// Opens the directory, if one is given; a dry run writes nothing.
    ///
    /// # Errors
    /// It can't be written to.
    pub(crate) fn open(
        &self,
        [first, second]: &[Address; 2],
        dry_run: bool,
    ) -> Result<Kept, Failure> {
        let accounts = || Both::new(identity(first), identity(second));
        let path = self.failed_dir.as_ref().filter(|_| !dry_run);
        let directory = path
            .map(|path| FailedDir::open(path, accounts()).map(Arc::new))
            .transpose()?;
        Ok(Kept(directory))
    }
}

/// The directory for messages that fail, if there is one.
pub(crate) struct Kept(Option<Arc<FailedDir>>);

impl Kept {
    /// Makes it learn what fails.
    pub(crate) fn watching(&self, observers: Arc<Observers>) -> Arc<Observers> {
        match &self.0 {
            None => observers,
            Some(directory) => Arc::new(Observers(vec![observers, Arc::clone(directory) as _])),
        }
    }

    /// Saves what failed. Returns the line that says so.
    pub(crate) fn save(&self, connectors: Both<&dyn Connector>, run: Run<'_>) -> Option<String> {
        let directory = self.0.as_ref()?;
        let reading = Both::of(|side: Side| connectors[side] as _);
        let saved = directory.save(reading, run);
        let path = directory.path().display();
        match saved {
            FailedSaved {
                messages: 0,
                reasons: 0,
            } => None,
            FailedSaved {
                messages,
                reasons: 0,
            } => Some(format!(
                "saved {} that failed in {path}",
                counted(messages, "message")
            )),
            FailedSaved { messages, reasons } => Some(format!(
                "saved {} that failed in {path}, and only the reason of {reasons} more that can't be read",
                counted(messages, "message")
            )),
        }
    }
}
