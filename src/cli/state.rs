//! `--state` and `--no-state`: what runs of the same two mailboxes leave for each other.

use super::failure::Failure;
use super::session::Session;
use clap::Args;
use mailferry::address::Address;
use mailferry::state::{Mailboxes, PairLock, PairName, State, StateCopy, StateDirectory};
use mailferry::store::maildir;
use std::path::PathBuf;

/// What is kept on this machine between runs.
#[derive(Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct StateArgs {
    /// Where a run keeps what is in step, so that the next one looks only into what has changed, and its lock, so that
    /// two never work on the same two mailboxes at a time; without it, $XDG_STATE_HOME/mailferry or
    /// ~/.local/state/mailferry. Example: --state /var/lib/mailferry
    #[arg(long, value_name = "DIR", conflicts_with = "no_state")]
    state: Option<PathBuf>,
    /// Neither use nor leave anything on this machine: everything is compared, which takes longer and does the same
    #[arg(long)]
    no_state: bool,
}

/// The state of two mailboxes, open for this run alone.
pub(crate) struct Kept {
    pub(crate) state: State,
    /// Held for as long as the state is open.
    _lock: PairLock,
}

impl StateArgs {
    /// Opens the state of two mailboxes; `None` where none is wanted. A directory of the user's choice must serve; where
    /// the usual one does not, the run goes on without and says so.
    ///
    /// # Errors
    /// Another run is at work, the chosen directory does not serve, or the state is not one to believe.
    pub(crate) fn open(&self, source: &Address, target: &Address, session: &Session) -> Result<Option<Kept>, Failure> {
        if self.no_state {
            return Ok(None);
        }
        let Some(path) = self.directory() else {
            session.warn("no home directory is known, so this run leaves nothing for the next; give --state DIR");
            return Ok(None);
        };
        let directory = match StateDirectory::open(&path) {
            Ok(directory) => directory,
            Err(error) if self.state.is_none() => {
                session.warn(&format!("this run leaves nothing for the next: {error}"));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let (source, target) = (identity(source), identity(target));
        let pair = PairName::new(&source, &target);
        let holder =
            format!("process {} since {}", std::process::id(), jiff::ZonedDateTime::now().strftime("%F %T %z"));
        let lock = PairLock::take(&directory, &pair, &holder)?;
        let mailboxes = Mailboxes { source: &source, target: &target };
        let state = State::open(&directory, &pair, &lock, &mailboxes)?;
        Ok(Some(Kept { state, _lock: lock }))
    }
}

impl StateArgs {
    /// A copy of the state, for a run that writes nothing: what it can't have it does without, and says so.
    pub(crate) fn look(&self, source: &Address, target: &Address, session: &Session) -> Option<StateCopy> {
        let path = self.directory().filter(|_| !self.no_state)?;
        let (source, target) = (identity(source), identity(target));
        let mailboxes = Mailboxes { source: &source, target: &target };
        let copy = StateCopy::make(&path, &PairName::new(&source, &target), &mailboxes);
        copy.unwrap_or_else(|error| {
            session.warn(&format!("this dry run looks at everything anew: {error}"));
            None
        })
    }

    /// Where it is kept, if it is.
    pub(crate) fn kept_in(&self) -> Option<PathBuf> {
        self.directory().filter(|_| !self.no_state)
    }

    fn directory(&self) -> Option<PathBuf> {
        self.state.clone().or_else(usual_directory)
    }
}

/// Which mailbox it is. A directory is told by its path with every link resolved.
fn identity(address: &Address) -> String {
    match address {
        Address::Imap(_) => address.identity(),
        Address::Maildir(path) => Address::Maildir(maildir::Account::canonical(path)).identity(),
        Address::Mbox(path) => Address::Mbox(maildir::Account::canonical(path)).identity(),
    }
}

/// The directory of the XDG rules.
fn usual_directory() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or_else(|| Some(std::env::home_dir()?.join(".local/state"))).map(|base| base.join("mailferry"))
}
