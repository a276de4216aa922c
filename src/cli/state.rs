//! `--state` and `--no-state`: where runs of the same two mailboxes find each other.

use super::failure::Failure;
use super::session::Session;
use clap::Args;
use mailferry::address::ImapAddress;
use mailferry::state::{PairLock, PairName, StateDirectory};
use std::path::PathBuf;

/// What is kept on this machine between runs.
#[derive(Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct StateArgs {
    /// Where a run leaves its lock, so that two never work on the same two mailboxes at a time; without it,
    /// $XDG_STATE_HOME/mailferry or ~/.local/state/mailferry. Example: --state /var/lib/mailferry
    #[arg(long, value_name = "DIR", conflicts_with = "no_state")]
    state: Option<PathBuf>,
    /// Leave no lock: nothing is written on this machine
    #[arg(long)]
    no_state: bool,
}

impl StateArgs {
    /// Takes the lock of two mailboxes; `None` where none is wanted. A directory of the user's choice must serve; where
    /// the usual one does not, the run goes on without a lock and says so.
    ///
    /// # Errors
    /// Another run has the lock, or the chosen directory does not serve.
    pub(crate) fn lock(
        &self,
        source: &ImapAddress,
        target: &ImapAddress,
        session: &Session,
    ) -> Result<Option<PairLock>, Failure> {
        if self.no_state {
            return Ok(None);
        }
        let Some(path) = self.state.clone().or_else(usual_directory) else {
            session.warn("no home directory is known, so no lock keeps another run away; give one with --state DIR");
            return Ok(None);
        };
        let directory = match StateDirectory::open(&path) {
            Ok(directory) => directory,
            Err(error) if self.state.is_none() => {
                session.warn(&format!("no lock keeps another run away: {error}"));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let pair = PairName::new(&source.identity(), &target.identity());
        let holder =
            format!("process {} since {}", std::process::id(), jiff::ZonedDateTime::now().strftime("%F %T %z"));
        Ok(Some(PairLock::take(&directory, &pair, &holder)?))
    }
}

/// The directory of the XDG rules.
fn usual_directory() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or_else(|| Some(std::env::home_dir()?.join(".local/state"))).map(|base| base.join("mailferry"))
}
