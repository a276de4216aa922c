//! `--state` and `--no-state`: what runs on the same two mailboxes save for each other.

use super::failure::Failure;
use super::session::Session;
use clap::Args;
use mailferry::address::{Address, LocalAddress};
use mailferry::state::{Mailboxes, PairLock, PairName, State, StateCopy, StateDirectory, TwoWay};
use mailferry::store::maildir;
use std::path::PathBuf;

/// What is saved on this machine between runs.
#[derive(Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct StateArgs {
    /// State directory: remembers what is already copied, and holds the lock that keeps two runs
    /// off the same pair [default: $XDG_STATE_HOME/mailferry, else ~/.local/state/mailferry].
    /// Example: --state /var/lib/mailferry
    #[arg(long, value_name = "DIR", conflicts_with = "no_state")]
    state: Option<PathBuf>,
    /// Ignore saved state and don't write any: compare everything (slower, same result)
    #[arg(long)]
    no_state: bool,
}

/// The state of two mailboxes, open for this run only.
pub(crate) struct Kept {
    pub(crate) state: State,
    /// Held for as long as the state is open.
    _lock: PairLock,
}

impl StateArgs {
    /// Opens the state of two mailboxes; `None` if none is wanted. A directory chosen by the user
    /// must be usable; if the default one isn't, the run continues without a state and says so.
    ///
    /// # Errors
    /// Another run holds the lock, the chosen directory is unusable, or the state can't be trusted.
    pub(crate) fn open(
        &self,
        source: &Address,
        target: &Address,
        session: &Session,
    ) -> Result<Option<Kept>, Failure> {
        if self.no_state {
            return Ok(None);
        }
        let Some(path) = self.directory() else {
            session.warn(
                "no home directory found, so this run saves no state; set one with --state DIR",
            );
            return Ok(None);
        };
        let directory = match StateDirectory::open(&path) {
            Ok(directory) => directory,
            Err(error) if self.state.is_none() => {
                session.warn(&format!("this run saves no state: {error}"));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let (source, target) = (identity(source), identity(target));
        let pair = PairName::new(&source, &target);
        let lock = PairLock::take(&directory, &pair, &holder())?;
        let mailboxes = Mailboxes {
            source: &source,
            target: &target,
        };
        let state = State::open(&directory, &pair, &lock, &mailboxes)?;
        Ok(Some(Kept { state, _lock: lock }))
    }
}

impl StateArgs {
    /// Opens a copy of the state, for a run that writes nothing; if that fails, the run continues
    /// without and says so.
    pub(crate) fn look(
        &self,
        source: &Address,
        target: &Address,
        session: &Session,
    ) -> Option<StateCopy> {
        let path = self.directory().filter(|_| !self.no_state)?;
        let (source, target) = (identity(source), identity(target));
        let mailboxes = Mailboxes {
            source: &source,
            target: &target,
        };
        let copy = StateCopy::make(&path, &PairName::new(&source, &target), &mailboxes);
        copy.unwrap_or_else(|error| {
            session.warn(&format!("this dry run compares everything: {error}"));
            None
        })
    }

    /// Uses the settings saved in a plan, unless some are given here.
    pub(crate) fn or_saved(&self, state: Option<&str>, no_state: bool) -> Self {
        match (&self.state, self.no_state) {
            (None, false) => Self {
                state: state.map(PathBuf::from),
                no_state,
            },
            (state, no_state) => Self {
                state: state.clone(),
                no_state,
            },
        }
    }

    /// Returns the settings for a plan: a directory by its full path, and whether there should be
    /// no state.
    pub(crate) fn chosen(&self) -> (Option<String>, bool) {
        let whole = |path: &PathBuf| {
            maildir::Account::canonical(path)
                .to_string_lossy()
                .into_owned()
        };
        (self.state.as_ref().map(whole), self.no_state)
    }

    /// Returns where it is saved, if it is.
    pub(crate) fn kept_in(&self) -> Option<PathBuf> {
        self.directory().filter(|_| !self.no_state)
    }

    fn directory(&self) -> Option<PathBuf> {
        self.state.clone().or_else(usual_directory)
    }
}

/// Returns which mailbox it is. A directory is identified by its path with every link resolved.
pub(crate) fn identity(address: &Address) -> String {
    match address {
        Address::Imap(_) => address.identity(),
        Address::Local(address) => {
            let form = address.form;
            let path = maildir::Account::canonical(&address.path);
            Address::Local(LocalAddress { form, path }).identity()
        }
    }
}

/// What two-way sync saves between runs; it can't work without.
#[derive(Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct TwoWayStateArgs {
    /// State directory: the last synced state of both sides, used to tell new messages from deleted
    /// ones, and the lock [default: $XDG_STATE_HOME/mailferry, else ~/.local/state/mailferry]. If
    /// it is lost, the next run merges both sides again and deletes nothing. Example: --state
    /// /var/lib/mailferry
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// The state of two synced mailboxes, in either order.
pub(crate) struct TwoWayKept {
    state: Held,
    exchanged: bool,
}

enum Held {
    Open { state: State, _locks: [PairLock; 2] },
    Copied(StateCopy),
    Nothing,
}

impl TwoWayKept {
    /// Returns the part for two-way sync; `None` if there is no state yet.
    pub(crate) fn two_way(&self) -> Option<TwoWay<'_>> {
        match &self.state {
            Held::Open { state, .. } => Some(TwoWay::new(state, self.exchanged)),
            Held::Copied(copy) => Some(TwoWay::new(&copy.state, self.exchanged)),
            Held::Nothing => None,
        }
    }
}

impl TwoWayStateArgs {
    /// Opens the state. It is the same whichever mailbox is given first; copies between the two
    /// wait, in either direction.
    ///
    /// # Errors
    /// No directory, another run holds the lock, or the state can't be trusted.
    pub(crate) fn open(&self, first: &Address, second: &Address) -> Result<TwoWayKept, Failure> {
        let directory = StateDirectory::open(&self.directory()?)?;
        let (ordered, exchanged) = in_order(first, second);
        let [one, two] = &ordered;
        let (pair, back) = (PairName::new(one, two), PairName::new(two, one));
        let holder = holder();
        let locks = [
            PairLock::take(&directory, &pair, &holder)?,
            PairLock::take(&directory, &back, &holder)?,
        ];
        let mut state = State::open(
            &directory,
            &pair,
            &locks[0],
            &Mailboxes {
                source: one,
                target: two,
            },
        )?;
        state.heed(&locks[1]);
        Ok(TwoWayKept {
            state: Held::Open {
                state,
                _locks: locks,
            },
            exchanged,
        })
    }

    /// Opens a copy of the state, for a run that writes nothing.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn look(&self, first: &Address, second: &Address) -> Result<TwoWayKept, Failure> {
        let (ordered, exchanged) = in_order(first, second);
        let [one, two] = &ordered;
        let mailboxes = Mailboxes {
            source: one,
            target: two,
        };
        let copy = StateCopy::make(&self.directory()?, &PairName::new(one, two), &mailboxes)?;
        Ok(TwoWayKept {
            state: copy.map_or(Held::Nothing, Held::Copied),
            exchanged,
        })
    }

    /// Returns where the state is.
    ///
    /// # Errors
    /// No home directory is known.
    pub(crate) fn directory(&self) -> Result<PathBuf, Failure> {
        let directory = self.state.clone().or_else(usual_directory);
        directory.ok_or_else(|| {
            Failure::usage("no home directory found; set the state directory with --state DIR")
        })
    }
}

/// Returns two identities in the order of their file, and whether that differs from the given
/// order.
fn in_order(first: &Address, second: &Address) -> ([String; 2], bool) {
    let (first, second) = (identity(first), identity(second));
    let exchanged = second < first;
    (
        if exchanged {
            [second, first]
        } else {
            [first, second]
        },
        exchanged,
    )
}

/// Describes the holder of a lock, for runs that find it taken.
fn holder() -> String {
    format!(
        "process {} since {}",
        std::process::id(),
        jiff::ZonedDateTime::now().strftime("%F %T %z")
    )
}

/// Returns the directory according to the XDG rules.
pub(crate) fn usual_directory() -> Option<PathBuf> {
    let base = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    base.or_else(|| Some(std::env::home_dir()?.join(".local/state")))
        .map(|base| base.join("mailferry"))
}
