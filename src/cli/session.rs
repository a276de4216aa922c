//! What every command needs around its verb: streams, observers, accounts with their passwords, and
//! an end.

use super::args::{Format, OutputArgs, PasswordOptions};
use super::chosen::Choice;
use super::console::{Console, Paint};
use super::exit;
use super::failure::{AGAIN, Failure};
use super::harmless;
use super::json::{self, Line, Mailboxes, Summary};
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
use mailferry::address::{Address, ImapAddress};
use mailferry::event::Stop;
use mailferry::locks::lock;
use mailferry::mail::{Both, Side};
use mailferry::store::imap::Secret;
use mailferry::store::{Access, Connector, IfAbsent, imap, maildir, mbox};
use mailferry::verbs::Status;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// What a command does with a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It is read.
    Read,
    /// What would be written to it is planned: a directory that is not there counts as empty.
    Rehearse,
    /// It is written to: a directory that is not there is made.
    Write,
    /// It is read, and messages are taken from it: it must be there.
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
    /// Where the run's numbers go, and its summary, once it has one.
    metrics: Option<PathBuf>,
    report: Option<Report>,
    summary: Mutex<Option<serde_json::Value>>,
    subject: Mutex<Subject>,
    /// What is known of earlier logins, and whether a weaker one may follow.
    recollection: OnceLock<(Recollection, bool)>,
}

/// What a run is about.
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

    /// `copy imaps://ann@old.example.org → maildir:/backup --exclude Junk`, for a command with two
    /// mailboxes.
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
    /// Streams as the options say. `command` is the command's name, for the log.
    ///
    /// # Errors
    /// A log that can't be opened.
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

    /// The request to stop that signals make.
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// From now on accounts are logged in to no weaker than earlier runs have done, unless that is
    /// allowed.
    pub(crate) fn recollect(&self, recollection: Recollection, allow_weaker: bool) {
        // A run is one command, which says it once.
        let _ = self.recollection.set((recollection, allow_weaker));
    }

    /// Says what the user has to do. It may have a server's words.
    pub(crate) fn tell(&self, text: &str) {
        // Longer than a field: an address to open counts to its last character.
        self.console.line(&harmless::trace(text.as_bytes()));
    }

    /// Says something that the user should know.
    pub(crate) fn warn(&self, text: &str) {
        self.console.warning(text);
    }

    /// Reads an address. `~/` before a path is the home directory: no shell expands it behind the
    /// colon.
    ///
    /// # Errors
    /// A usage error that does not repeat what could be a password.
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
            Address::Maildir(path) => Address::Maildir(in_home(path)),
            Address::Mbox(path) => Address::Mbox(in_home(path)),
            Address::Imap(_) => address,
        })
    }

    /// Reads the addresses of a command with two mailboxes.
    ///
    /// # Errors
    /// As [`Session::address`], and that both are the same directory, or one is in the other.
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
    /// A usage error that names the ways to give one, or that one was given to a directory.
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
            Address::Maildir(_) | Address::Mbox(_)
                if options.file.is_some() || options.command.is_some() =>
            {
                let text = format!("the {} is a directory and needs no password", side.name());
                Err(Failure::usage(text).with_hint(format!("omit --{}-password-…", side.name())))
            }
            Address::Maildir(_) | Address::Mbox(_) => Ok(None),
        }
    }

    /// From now on the first signal asks for a gentle end. A command that writes nothing and keeps
    /// nothing needs none: the signal just ends it.
    ///
    /// # Errors
    /// The system's refusal.
    pub(crate) fn watch_signals(&self) -> Result<(), Failure> {
        signals::watch(Arc::clone(&self.stop), Arc::clone(&self.console))
            .map_err(|error| Failure::local(format!("could not watch signals: {error}")))
    }

    /// Who is told of events; progress is shown from now on. `text` collects the results for
    /// people, where it is them who read.
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

    /// Where results are printed that come one by one, and in which colours.
    pub(crate) fn lines(&self) -> (Arc<Output>, Paint) {
        (Arc::clone(&self.output), self.paint)
    }

    /// A mailbox, not yet connected to or opened.
    ///
    /// # Errors
    /// What on this machine stands against it, such as a certificate file that can't be read, or
    /// one with a key that others can read.
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
            Address::Maildir(path) => {
                Box::new(maildir::Account::new(path, side, access, if_absent))
            }
            Address::Mbox(path) => {
                Box::new(mbox::Account::new(path, side, access, if_absent, observer))
            }
        })
    }

    /// The same of an account on a server, for what is asked of a server alone.
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
        Ok(imap::Account::new(address, secret, side, access, run)?.with_recall(recall))
    }

    /// Names a mailbox in the log, once, and in the summary.
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

    /// Names the options of the run in the log, the summary and the report.
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

    /// Prints what came of the verb, in the form that was asked for; an error that ended it goes
    /// before it.
    pub(crate) fn results(
        &self,
        status: &Status,
        summary: Summary<'_>,
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

    /// Prints lines and a summary, in the form that was asked for.
    pub(crate) fn print(
        &self,
        lines: &[Line<'_>],
        summary: Summary<'_>,
        text: impl Fn(Paint) -> Vec<String>,
    ) {
        self.end_progress();
        let subject = self.subject().clone();
        let title = subject.line();
        let summary = Line::of_summary(summary, subject.mailboxes, subject.options);
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

    /// The exit code of a run, after whatever ended it was shown.
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

    /// Gives the exit code: a run that went well and can't say so has not done all that was asked.
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

    /// Shows an error on stderr, and to scripts as an event too. A stop that was asked for because
    /// nobody reads any more is none.
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

/// An address without its options: which files of this machine it names is not what a mailbox is
/// known by.
pub(crate) fn without_options(address: &str) -> &str {
    address
        .split_once('?')
        .filter(|_| address.starts_with("imap"))
        .map_or(address, |(address, _)| address)
}
