//! One run of a command: its streams, observers, accounts with their passwords, and its end.

use super::args::{Format, OutputArgs, PasswordOptions};
use super::chosen::Choice;
use super::console::{Console, Paint};
use super::exit;
use super::failure::{AGAIN, Failure};
use super::harmless;
use super::json::{self, Line, Mailboxes, Summarised};
use super::log::{self, Lines, Log};
use super::log_file::LogFile;
use super::metrics;
use super::observers::{Observers, Shared};
use super::output::Output;
use super::password::{self, System, check_private};
use super::places;
use super::progress::Progress;
use super::recall::Recollection;
use super::report::Report;
use super::signals;
use mailferry::address::{Address, DailyLimit, ImapAddress, LocalAddress};
use mailferry::event::Stop;
use mailferry::locks::lock;
use mailferry::mail::{Both, Side};
use mailferry::store::budget::{Book, Budget, Notebook, SystemClock};
use mailferry::store::imap::Secret;
use mailferry::store::{self, Access, Connector, IfAbsent, imap};
use mailferry::verbs::Status;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// What a command does with a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Reads it.
    Read,
    /// Plans writing to it: a missing directory counts as empty.
    Rehearse,
    /// Writes to it: a missing directory is created.
    Write,
    /// Reads it and deletes messages: it must exist.
    Empty,
}

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
    /// The file for metrics.
    metrics: Option<PathBuf>,
    report: Option<Report>,
    summary: Mutex<Option<serde_json::Value>>,
    subject: Mutex<Subject>,
    /// Where earlier logins are remembered, and whether a weaker one is accepted.
    recollection: OnceLock<(Recollection, bool)>,
}

/// The command, mailboxes and options of a run.
#[derive(Clone, Default)]
struct Subject {
    command: String,
    mailboxes: Mailboxes,
    options: Choice,
}

impl Subject {
    /// Returns what the command calls each side.
    fn names(&self) -> Both<&'static str> {
        if matches!(self.command.as_str(), "sync" | "undo") {
            Side::ORDINALS
        } else {
            Side::PARTS
        }
    }

    /// Returns `copy imaps://ann@old.example.org → maildir:/backup --exclude Junk` for a command
    /// with two mailboxes.
    fn line(&self) -> Option<String> {
        let [one, other] = Side::BOTH.map(|side| self.mailboxes.0.get(self.names()[side]));
        let arrow = if self.names()[Side::SOURCE] == "first" {
            "↔"
        } else {
            "→"
        };
        let line = format!(
            "{} {} {arrow} {}",
            self.command,
            harmless::text(one?),
            harmless::text(other?)
        );
        Some(
            format!("{line} {}", harmless::advice(&self.options.typed()))
                .trim_end()
                .to_owned(),
        )
    }
}

impl Session {
    /// Sets up streams according to the options. `command` is the command's name, for the log.
    ///
    /// # Errors
    /// The log can't be opened.
    pub(crate) fn new(
        command: &str,
        options: &OutputArgs,
        report: Option<Report>,
    ) -> Result<Self, Failure> {
        let stop = Arc::new(Stop::new());
        let open = |path: &PathBuf| {
            LogFile::open(path).map_err(|error| {
                Failure::local(format!(
                    "could not open the log {}: {error}",
                    path.display()
                ))
            })
        };
        let log = options.log_file.as_ref().map(open).transpose()?;
        let console = Arc::new(Console::new(options.color).with_log(log));
        Lines::new(options.verbose, log::to_console(Arc::clone(&console))).install();
        console.note(&format!(
            "mailferry {}: {command} begins",
            env!("CARGO_PKG_VERSION")
        ));
        let output = Arc::new(Output::stdout(Arc::clone(&console), Arc::clone(&stop)));
        Ok(Self {
            format: options.output,
            verbosity: options.verbose,
            quiet: options.quiet,
            paint: Paint::new(options.color, output.is_terminal()),
            console,
            output,
            stop,
            progress: OnceLock::new(),
            metrics: options.metrics.clone(),
            report,
            summary: Mutex::default(),
            subject: Mutex::new(Subject {
                command: command.to_owned(),
                ..Subject::default()
            }),
            recollection: OnceLock::new(),
        })
    }

    /// Returns the request to stop, which signals make.
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Refuses, from now on, login methods weaker than those of earlier runs, unless allowed.
    pub(crate) fn recollect(&self, recollection: Recollection, allow_weaker: bool) {
        // A run is one command, which calls this once.
        let _ = self.recollection.set((recollection, allow_weaker));
    }

    /// Tells users what to do. The text may contain a server's words.
    pub(crate) fn tell(&self, text: &str) {
        // Longer than a field: an address to open is needed in full.
        self.console.line(&harmless::trace(text.as_bytes()));
    }

    /// Shows a warning.
    pub(crate) fn warn(&self, text: &str) {
        self.console.warning(text);
    }

    /// Parses an address. `~/` before a path is the home directory: shells don't expand it after
    /// the colon.
    ///
    /// # Errors
    /// A usage error that repeats nothing that could be a password.
    pub(crate) fn address(side: Side, text: &str) -> Result<Address, Failure> {
        let address = Address::parse(text).map_err(|error| {
            let failure = Failure::usage(format!("{}: {error}", side.name()));
            Failure {
                hint: error.hint(),
                ..failure
            }
        })?;
        let in_home = |path: PathBuf| match (path.strip_prefix("~"), std::env::home_dir()) {
            (Ok(below), Some(home)) => home.join(below),
            _ => path,
        };
        Ok(match address {
            Address::Local(LocalAddress { form, path }) => Address::Local(LocalAddress {
                form,
                path: in_home(path),
            }),
            Address::Imap(_) => address,
        })
    }

    /// Parses the addresses of a command with two mailboxes.
    ///
    /// # Errors
    /// As [`Session::address`]; or both are the same directory, or one is in the other.
    pub(crate) fn addresses(source: &str, target: &str) -> Result<[Address; 2], Failure> {
        let addresses = [
            Self::address(Side::SOURCE, source)?,
            Self::address(Side::TARGET, target)?,
        ];
        places::check(&addresses)?;
        Ok(addresses)
    }

    /// Finds one side's password; `None` for a directory, which has none.
    ///
    /// # Errors
    /// A usage error that lists the ways to pass one, or that a directory needs none.
    pub(crate) fn password(
        &self,
        side: Side,
        address: &Address,
        options: PasswordOptions<'_>,
    ) -> Result<Option<Secret>, Failure> {
        match address {
            Address::Imap(address) => password::secret(
                side,
                address,
                options,
                &System {
                    console: &self.console,
                },
            )
            .map(Some),
            Address::Local(_) if options.file.is_some() || options.command.is_some() => {
                let text = format!("the {} is a directory and needs no password", side.name());
                Err(Failure::usage(text).with_hint(format!("omit --{}-password-…", side.name())))
            }
            Address::Local(_) => Ok(None),
        }
    }

    /// Makes the first signal request a clean stop, from now on. A command that writes nothing
    /// doesn't need that: the signal simply ends it.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn watch_signals(&self) -> Result<(), Failure> {
        signals::watch(Arc::clone(&self.stop), Arc::clone(&self.console))
            .map_err(|error| Failure::local(format!("could not watch signals: {error}")))
    }

    /// Returns the observers of events; progress is shown from now on. `text` collects the results,
    /// if they are printed as text.
    pub(crate) fn observers(&self, text: Option<Shared>) -> Arc<Observers> {
        let mut observers: Vec<Shared> =
            vec![Arc::new(Log::new(self.quiet, self.subject().names()))];
        match self.format {
            Format::Json => {
                let messages = self.verbosity >= log::MESSAGES;
                observers.push(Arc::new(json::Events::new(
                    Arc::clone(&self.output),
                    messages,
                )));
            }
            Format::Text => observers.extend(text),
        }
        if !self.quiet {
            let progress = self
                .progress
                .get_or_init(|| Arc::new(Progress::new(Arc::clone(&self.console))));
            observers.push(Arc::<Progress>::clone(progress));
        }
        observers.extend(
            self.report
                .as_ref()
                .map(|report| report.collector() as Shared),
        );
        Arc::new(Observers(observers))
    }

    /// Returns where to print results that come one by one, and the colours.
    pub(crate) fn lines(&self) -> (Arc<Output>, Paint) {
        (Arc::clone(&self.output), self.paint)
    }

    /// Returns an account, not yet connected or opened.
    ///
    /// # Errors
    /// A problem on this machine, such as a certificate file that can't be read, or a key that
    /// others can read.
    pub(crate) fn account(
        &self,
        side: Side,
        address: &Address,
        secret: Option<Secret>,
        purpose: Purpose,
        observers: &Arc<Observers>,
    ) -> Result<Box<dyn Connector>, Failure> {
        let observer = Arc::<Observers>::clone(observers);
        if let Some(report) = &self.report {
            report.note_address(side, address);
        }
        self.note_mailbox(side, &address.to_string());
        let (access, if_absent) = match purpose {
            Purpose::Read => (Access::ReadOnly, IfAbsent::Fail),
            Purpose::Rehearse => (Access::ReadOnly, IfAbsent::Imagine),
            Purpose::Write => (Access::ReadWrite, IfAbsent::Make),
            Purpose::Empty => (Access::ReadWrite, IfAbsent::Fail),
        };
        Ok(match address {
            Address::Imap(address) => {
                Box::new(self.imap_account(side, address, secret, access, observers)?)
            }
            Address::Local(address) => store::local(address, side, access, if_absent, observer),
        })
    }

    /// Returns an account on a server.
    ///
    /// # Errors
    /// As [`Session::account`].
    pub(crate) fn imap_account(
        &self,
        side: Side,
        address: &ImapAddress,
        secret: Option<Secret>,
        access: Access,
        observers: &Arc<Observers>,
    ) -> Result<imap::Account, Failure> {
        if let Some(key) = address.client_key.as_ref().or(address.client_cert.as_ref()) {
            check_private(key)
                .map_err(|reason| Failure::usage(format!("{}: {reason:#}", side.name())))?;
        }
        let secret = secret.unwrap_or_else(Secret::none);
        let run = imap::AccountRun {
            observer: Arc::<Observers>::clone(observers),
            trace: self.verbosity >= log::PROTOCOL,
            stop: Arc::clone(&self.stop),
        };
        let recall = match self.recollection.get() {
            Some((recollection, allow_weaker)) => {
                recollection.of(address, *allow_weaker, &self.console)?
            }
            None => imap::Recall::default(),
        };
        let account = imap::Account::new(address, secret, side, access, run)?.with_recall(recall);
        Ok(match self.budget(address)? {
            Some(budget) => account.with_budget(budget),
            None => account,
        })
    }

    /// Returns what an account may move today; `None` if the address says that there is no limit.
    ///
    /// # Errors
    /// What was counted today can't be trusted.
    fn budget(&self, address: &ImapAddress) -> Result<Option<Budget>, Failure> {
        let chosen = [address.daily_read, address.daily_write];
        if chosen == [Some(DailyLimit::Nothing); 2] {
            return Ok(None);
        }
        let book: Box<dyn Book> = match self.recollection.get() {
            Some((recollection, _)) => recollection.book(address, &self.console)?,
            None => Box::<Notebook>::default(),
        };
        let limits = address.daily_limits();
        Ok(Some(Budget::new(limits, book, Arc::new(SystemClock))))
    }

    /// Adds a mailbox to the log, once, and to the summary.
    pub(crate) fn note_mailbox(&self, side: Side, address: &str) {
        let mut subject = self.subject();
        let name = subject.names()[side];
        if subject
            .mailboxes
            .0
            .insert(name, without_options(address).to_owned())
            .is_none()
        {
            self.console
                .note(&format!("{name}: {}", harmless::text(address)));
        }
    }

    /// Adds the options of the run to the log, the summary and the report.
    pub(crate) fn note_options(&self, options: Choice) {
        let typed = options.typed();
        if !typed.is_empty() {
            self.console
                .note(&format!("options: {}", harmless::advice(&typed)));
        }
        if let Some(report) = &self.report {
            report.note_options(&options);
        }
        self.subject().options = options;
    }

    fn subject(&self) -> MutexGuard<'_, Subject> {
        lock(&self.subject)
    }

    /// Prints the result of the verb in the requested form, after the error that ended it, if any.
    pub(crate) fn results(
        &self,
        status: &Status,
        summary: impl Serialize,
        text: impl Fn(Paint) -> Vec<String>,
    ) {
        if let Status::Stopped(error) = status {
            self.fail(&error.into());
        }
        self.print(&[], summary, text);
        if matches!(status, Status::Interrupted) && self.output.check().is_ok() {
            self.console.hint(AGAIN);
        }
    }

    /// Prints lines and a summary in the requested form.
    pub(crate) fn print(
        &self,
        lines: &[Line<'_>],
        summary: impl Serialize,
        text: impl Fn(Paint) -> Vec<String>,
    ) {
        self.end_progress();
        let subject = self.subject().clone();
        let title = subject.line();
        let summary = Summarised::new(summary, subject.mailboxes, subject.options);
        *lock(&self.summary) = serde_json::to_value(&summary).ok();
        match self.format {
            Format::Json => {
                for line in lines {
                    json::print(&self.output, line);
                }
                let summary = json::text(&summary);
                self.console.note(&summary);
                self.output.line(&summary);
            }
            Format::Text => {
                for line in text(Paint::none()) {
                    self.console.note(&line);
                }
                for line in title.into_iter().chain(text(self.paint)) {
                    self.output.line(&line);
                }
            }
        }
    }

    /// Ends the run and returns its exit code. Shows the error that ended it.
    pub(crate) fn end(&self, result: Result<u8, Failure>) -> u8 {
        let code = result.unwrap_or_else(|failure| {
            self.fail(&failure);
            failure.code
        });
        let code = match self.output.check() {
            Ok(()) => code,
            Err(failure) => {
                if failure.code != exit::BROKEN_PIPE {
                    self.console.failure(&failure);
                }
                failure.code
            }
        };
        let code = self.write_report(code);
        self.write_metrics(code);
        self.console.note(&format!("ends with exit code {code}"));
        code
    }

    /// Writes the report and the metrics, and returns the exit code: a successful run that can't
    /// report its result has not done everything.
    fn write_report(&self, code: u8) -> u8 {
        let Some(report) = &self.report else {
            return code;
        };
        let summary = lock(&self.summary).clone();
        match report.write(summary.as_ref(), code) {
            Ok(()) => code,
            Err(failure) => {
                self.console.failure(&failure);
                if code == exit::DONE {
                    failure.code
                } else {
                    code
                }
            }
        }
    }

    fn write_metrics(&self, code: u8) {
        let Some(path) = &self.metrics else { return };
        let summary = lock(&self.summary);
        if let Err(error) = metrics::write(path, summary.as_ref(), code) {
            self.console.warning(&format!(
                "could not write the metrics to {}: {error}",
                path.display()
            ));
        }
    }

    /// Shows an error on stderr, and as a JSON line if requested. A stop because stdout was closed
    /// is not an error.
    fn fail(&self, failure: &Failure) {
        if let Some(report) = &self.report {
            report.note_failure(failure);
        }
        self.end_progress();
        if self.output.check().is_ok() || failure.code != exit::INTERRUPTED {
            self.console.failure(failure);
        }
        if self.format == Format::Json {
            json::print(&self.output, &Line::Error(failure));
        }
    }

    fn end_progress(&self) {
        if let Some(progress) = self.progress.get() {
            progress.finish();
        }
    }
}

/// Returns an address without its options: the files that it names on this machine don't identify a
/// mailbox.
pub(crate) fn without_options(address: &str) -> &str {
    address
        .split_once('?')
        .filter(|_| address.starts_with("imap"))
        .map_or(address, |(address, _)| address)
}
