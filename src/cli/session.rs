//! What every command needs around its verb: streams, observers, accounts with their passwords, and an end.

use super::args::{Format, OutputArgs, PasswordOptions};
use super::console::{Console, Paint};
use super::exit;
use super::failure::{AGAIN, Failure};
use super::json::{self, Line, Summary};
use super::log::{self, Log};
use super::observers::{Observers, Shared};
use super::output::Output;
use super::password::{self, System, check_private};
use super::progress::Progress;
use super::signals;
use mailferry::address::ImapAddress;
use mailferry::event::{Side, Stop};
use mailferry::store::imap::{Access, Account, Secret};
use mailferry::verbs::Status;
use std::sync::{Arc, OnceLock};

/// One run of the program.
pub(crate) struct Session {
    format: Format,
    verbosity: u8,
    quiet: bool,
    paint: Paint,
    console: Arc<Console>,
    output: Arc<Output>,
    stop: Arc<Stop>,
    progress: OnceLock<Arc<Progress>>,
}

impl Session {
    /// Streams as the options say.
    pub(crate) fn new(options: &OutputArgs) -> Self {
        let stop = Arc::new(Stop::new());
        let console = Arc::new(Console::new(options.color));
        let output = Arc::new(Output::stdout(Arc::clone(&console), Arc::clone(&stop)));
        Self {
            format: options.output,
            verbosity: options.verbose,
            quiet: options.quiet,
            paint: Paint::new(options.color, output.is_terminal()),
            console,
            output,
            stop,
            progress: OnceLock::new(),
        }
    }

    /// The request to stop that signals make.
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Says something that the user should know.
    pub(crate) fn warn(&self, text: &str) {
        self.console.warning(text);
    }

    /// Reads an address.
    ///
    /// # Errors
    /// A usage error that does not repeat what could be a password.
    pub(crate) fn address(side: Side, text: &str) -> Result<ImapAddress, Failure> {
        ImapAddress::parse(text).map_err(|error| {
            let failure = Failure::usage(format!("{}: {error}", side.name()));
            Failure { hint: error.hint(), ..failure }
        })
    }

    /// Finds one side's password or token.
    ///
    /// # Errors
    /// A usage error that names the ways to give one.
    pub(crate) fn password(
        &self,
        side: Side,
        address: &ImapAddress,
        options: PasswordOptions<'_>,
    ) -> Result<Secret, Failure> {
        password::secret(side, address, options, &System { console: &self.console })
    }

    /// From now on the first signal asks for a gentle end. A command that writes nothing and keeps nothing needs none:
    /// the signal just ends it.
    ///
    /// # Errors
    /// The system's refusal.
    pub(crate) fn watch_signals(&self) -> Result<(), Failure> {
        signals::watch(Arc::clone(&self.stop), Arc::clone(&self.console))
            .map_err(|error| Failure::local(format!("could not watch signals: {error}")))
    }

    /// Who is told of events; progress is shown from now on. `text` collects the results for people, where it is them
    /// who read.
    pub(crate) fn observers(&self, text: Option<Shared>) -> Arc<Observers> {
        let mut observers: Vec<Shared> =
            vec![Arc::new(Log::new(Arc::clone(&self.console), self.verbosity, self.quiet))];
        match self.format {
            Format::Json => {
                let messages = self.verbosity >= log::MESSAGES;
                observers.push(Arc::new(json::Events::new(Arc::clone(&self.output), messages)));
            }
            Format::Text => observers.extend(text),
        }
        if !self.quiet {
            let progress = self.progress.get_or_init(|| Arc::new(Progress::new(Arc::clone(&self.console))));
            observers.push(Arc::<Progress>::clone(progress));
        }
        Arc::new(Observers(observers))
    }

    /// An account, not yet connected. The source is only read, unless `access` says otherwise.
    ///
    /// # Errors
    /// What on this machine stands against it, such as a certificate file that can't be read, or one with a key that others
    /// can read.
    pub(crate) fn account(
        &self,
        side: Side,
        address: &ImapAddress,
        secret: Secret,
        access: Access,
        observers: &Arc<Observers>,
    ) -> Result<Account, Failure> {
        if let Some(key) = address.client_key.as_ref().or(address.client_cert.as_ref()) {
            check_private(key).map_err(|reason| Failure::usage(format!("{}: {reason:#}", side.name())))?;
        }
        let observer = Arc::<Observers>::clone(observers);
        let trace = self.verbosity >= log::PROTOCOL;
        Ok(Account::new(address, secret, side, access, observer, trace, Arc::clone(&self.stop))?)
    }

    /// Prints what came of the verb, in the form that was asked for; an error that ended it goes before it.
    pub(crate) fn results(
        &self,
        status: &Status,
        summary: impl FnOnce() -> Summary,
        text: impl FnOnce(Paint) -> Vec<String>,
    ) {
        if let Status::Stopped(error) = status {
            self.fail(&error.into());
        }
        self.print(&[], summary, text);
        if matches!(status, Status::Interrupted) && self.output.check().is_ok() {
            self.console.hint(AGAIN);
        }
    }

    /// Prints lines and a summary, in the form that was asked for.
    pub(crate) fn print(
        &self,
        lines: &[Line<'_>],
        summary: impl FnOnce() -> Summary,
        text: impl FnOnce(Paint) -> Vec<String>,
    ) {
        self.end_progress();
        match self.format {
            Format::Json => {
                for line in lines {
                    json::print(&self.output, line);
                }
                json::print(&self.output, &Line::Summary(Box::new(summary())));
            }
            Format::Text => {
                for line in text(self.paint) {
                    self.output.line(&line);
                }
            }
        }
    }

    /// The exit code of a run, after whatever ended it was shown.
    pub(crate) fn end(&self, result: Result<u8, Failure>) -> u8 {
        let code = result.unwrap_or_else(|failure| {
            self.fail(&failure);
            failure.code
        });
        match self.output.check() {
            Ok(()) => code,
            Err(failure) => {
                if failure.code != exit::BROKEN_PIPE {
                    self.console.failure(&failure);
                }
                failure.code
            }
        }
    }

    /// Shows an error on stderr, and to scripts as an event too. A stop that was asked for because nobody reads any
    /// more is none.
    fn fail(&self, failure: &Failure) {
        self.end_progress();
        if self.output.check().is_ok() || failure.code != exit::INTERRUPTED {
            self.console.failure(failure);
        }
        if self.format == Format::Json {
            json::print(&self.output, &Line::of_failure(failure));
        }
    }

    fn end_progress(&self) {
        if let Some(progress) = self.progress.get() {
            progress.finish();
        }
    }
}
