//! Groups of options shared by several commands, and their conversion for the library.
//!
//! Arguments and options are two types: what a user typed is here, the checked values are the
//! library's.

use super::failure::Failure;
use super::folder_list;
use super::password::Configured;
use super::report::{About, Destination, Report};
use super::values;
use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::{ArgAction, Args, ValueEnum, value_parser};
use jiff::civil::Date;
use mailferry::address::Address;
use mailferry::folders::{GmailLabels, Options as FolderOptions, Rules};
use mailferry::verbs::MessageFilter;
use std::path::PathBuf;

/// The folders to copy, and their names on the target.
#[derive(Args)]
#[command(next_help_heading = "Folders")]
pub(crate) struct FolderArgs {
    /// Only source folders matching GLOB (`/` separates levels, `**` crosses them); repeatable.
    /// Example: --folder INBOX --folder 'Work/**'
    #[arg(long, value_name = "GLOB")]
    folder: Vec<String>,
    /// Only folders listed in FILE, one literal name per line; adds to --folder; `-` is stdin.
    /// Example: --folders-from wanted.txt
    #[arg(long, value_name = "FILE")]
    folders_from: Option<String>,
    /// Skip source folders matching GLOB; repeatable. Example: --exclude Trash --exclude 'Lists/*'
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Rename a folder (and its subfolders) on the target; repeatable. Example: --map 'Old
    /// Mail=Archive/Old'
    #[arg(long, value_name = "FROM=TO")]
    map: Vec<String>,
    /// Rewrite target folder names with a regular expression; repeatable. Example: --map-regex
    /// 's/^Lists\.//'
    #[arg(long, value_name = "s/RE/TO/")]
    map_regex: Vec<String>,
    /// Put everything under this folder on the target. Example: --into 'From old server'
    #[arg(long, value_name = "FOLDER")]
    into: Option<String>,
    /// Don't match folders by role (the source's Sent to the target's Sent Items, and so on)
    #[arg(long)]
    no_roles: bool,
    /// From Gmail: copy a message with several labels into a folder for each, or into one
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    gmail_labels: Labels,
    /// From Gmail: put archived mail into this folder on the target [default: its archive folder,
    /// created if missing]. Example: --gmail-archive 'Old mail'
    #[arg(long, value_name = "FOLDER")]
    gmail_archive: Option<String>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Labels {
    /// A folder for each label
    #[default]
    Folders,
    /// One folder for each message: the inbox, Sent and the like, else its first label, else the
    /// archive
    OneFolder,
    /// The same, with its other labels as keywords where the target stores these
    Keywords,
}

impl From<Labels> for GmailLabels {
    fn from(labels: Labels) -> Self {
        match labels {
            Labels::Folders => Self::Folders,
            Labels::OneFolder => Self::OneFolder,
            Labels::Keywords => Self::Keywords,
        }
    }
}

impl FolderArgs {
    /// Reports whether folder names are read from stdin.
    pub(crate) fn reads_stdin(&self) -> bool {
        self.folders_from.as_deref() == Some("-")
    }

    /// Returns the input for the rules. Reads a list of folders now, once.
    ///
    /// # Errors
    /// A list that can't be read.
    pub(crate) fn options(&self) -> Result<FolderOptions, Failure> {
        Ok(FolderOptions {
            include: self.folder.clone(),
            include_names: self
                .folders_from
                .as_deref()
                .map_or(Ok(Vec::new()), folder_list::read)?,
            exclude: self.exclude.clone(),
            map: self.map.clone(),
            map_regex: self.map_regex.clone(),
            into: self.into.clone(),
            no_roles: self.no_roles,
            gmail_labels: self.gmail_labels.into(),
            gmail_archive: self.gmail_archive.clone(),
        })
    }
}

/// Compiles the rules for names.
///
/// # Errors
/// An invalid pattern or mapping.
pub(crate) fn folder_rules(options: &FolderOptions) -> Result<Rules, Failure> {
    Rules::new(options).map_err(|error| Failure::usage(error.to_string()))
}

impl TwoWayFolderArgs {
    /// Returns the input for the rules.
    pub(crate) fn options(&self) -> FolderOptions {
        FolderOptions {
            include: self.folder.clone(),
            exclude: self.exclude.clone(),
            map: self.map.clone(),
            no_roles: self.no_roles,
            ..FolderOptions::default()
        }
    }
}

/// The folders to sync, and how they are paired. Names are those on the first side.
#[derive(Args)]
#[command(next_help_heading = "Folders")]
pub(crate) struct TwoWayFolderArgs {
    /// Only folders whose name on FIRST matches GLOB (`/` separates levels, `**` crosses them);
    /// repeatable. Other folders stay untouched on both sides. Example: --folder INBOX --folder
    /// 'Work/**'
    #[arg(long, value_name = "GLOB")]
    folder: Vec<String>,
    /// Skip folders whose name on FIRST matches GLOB; repeatable. Example: --exclude Trash
    /// --exclude 'Lists/*'
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Pair a folder on FIRST (and its subfolders) with another name on SECOND; repeatable.
    /// Example: --map 'Old Mail=Archive/Old'
    #[arg(long, value_name = "FIRST=SECOND")]
    map: Vec<String>,
    /// Don't match folders by role (FIRST's Sent to SECOND's Sent Items, and so on)
    #[arg(long)]
    no_roles: bool,
}

/// The messages to copy.
#[derive(Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct MessageArgs {
    /// Only messages received on or after this date. Example: --since 2024-01-31
    #[arg(long, value_name = "DATE", value_parser = values::date)]
    since: Option<Date>,
    /// Only messages received before this date. Example: --before 31-Jan-2025
    #[arg(long, value_name = "DATE", value_parser = values::date)]
    before: Option<Date>,
    /// Only messages of at least this size. Example: --min-size 500k
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    min_size: Option<u64>,
    /// Only messages of at most this size. Example: --max-size 25M
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    max_size: Option<u64>,
    /// Only messages matching this IMAP SEARCH on the source. Example: --search 'FLAGGED FROM ann'
    #[arg(long, value_name = "IMAP SEARCH", value_parser = values::search)]
    search: Option<String>,
}

impl MessageArgs {
    /// Refuses a search in a mailbox that isn't on a server.
    ///
    /// # Errors
    /// A usage error.
    pub(crate) fn check_search(&self, mailboxes: &[&Address]) -> Result<(), Failure> {
        if self.search.is_some() && mailboxes.iter().any(|address| address.path().is_some()) {
            return Err(Failure::usage(
                "--search needs an IMAP server; a directory can't be searched",
            )
            .with_hint("use --since, --before, --min-size and --max-size instead"));
        }
        Ok(())
    }

    /// Returns the filter.
    ///
    /// # Errors
    /// Limits that no message can meet.
    pub(crate) fn filter(&self) -> Result<MessageFilter, Failure> {
        if let (Some(since), Some(before)) = (self.since, self.before)
            && since >= before
        {
            return Err(Failure::usage(format!(
                "--since {since} is not before --before {before}, so no message can match"
            )));
        }
        if let (Some(min), Some(max)) = (self.min_size, self.max_size)
            && min > max
        {
            return Err(Failure::usage(format!(
                "--min-size {min} is larger than --max-size {max}, so no message can match"
            )));
        }
        Ok(MessageFilter {
            since: self.since,
            before: self.before,
            min_size: self.min_size,
            max_size: self.max_size,
            search: self.search.clone(),
        })
    }
}

/// Where the source's password comes from; also that of a command's only mailbox.
#[derive(Args)]
#[command(next_help_heading = "Passwords")]
pub(crate) struct SourcePasswordArgs {
    /// Read the source's password or access token from the first line of FILE (private to you:
    /// chmod 600); `-` is stdin. Example: --source-password-file ~/.old-pw
    #[arg(
        long = "source-password-file",
        value_name = "FILE",
        conflicts_with = "source_command"
    )]
    source_file: Option<String>,
    /// Take the source's password or access token from the first line that this shell command
    /// prints; it is rerun when a token expires. Example: --source-password-command 'pass show
    /// mail/old'
    #[arg(long = "source-password-command", value_name = "CMD")]
    source_command: Option<String>,
    /// The config file's settings, if the mailbox is an account in it.
    #[arg(skip)]
    pub(crate) configured: Configured,
}

/// Where the target's password comes from.
#[derive(Args)]
#[command(next_help_heading = "Passwords")]
pub(crate) struct TargetPasswordArgs {
    /// Read the target's password or access token from the first line of FILE (private to you:
    /// chmod 600); `-` is stdin. Example: --target-password-file ~/.new-pw
    #[arg(
        long = "target-password-file",
        value_name = "FILE",
        conflicts_with = "target_command"
    )]
    target_file: Option<String>,
    /// Take the target's password or access token from the first line that this shell command
    /// prints; it is rerun when a token expires. Example: --target-password-command 'pass show
    /// mail/new'
    #[arg(long = "target-password-command", value_name = "CMD")]
    target_command: Option<String>,
    /// The config file's settings, if the mailbox is an account in it.
    #[arg(skip)]
    pub(crate) configured: Configured,
}

/// The command line's settings for one side's password.
#[derive(Clone, Copy, Default)]
pub(crate) struct PasswordOptions<'a> {
    /// A file, or `-`.
    pub(crate) file: Option<&'a str>,
    /// A shell command.
    pub(crate) command: Option<&'a str>,
    /// The config file's settings.
    pub(crate) configured: Option<&'a Configured>,
}

impl SourcePasswordArgs {
    /// Returns the settings.
    pub(crate) fn options(&self) -> PasswordOptions<'_> {
        PasswordOptions {
            file: self.source_file.as_deref(),
            command: self.source_command.as_deref(),
            configured: Some(&self.configured),
        }
    }
}

impl TargetPasswordArgs {
    /// Returns the settings.
    pub(crate) fn options(&self) -> PasswordOptions<'_> {
        PasswordOptions {
            file: self.target_file.as_deref(),
            command: self.target_command.as_deref(),
            configured: Some(&self.configured),
        }
    }
}

/// The number of connections.
#[derive(Args)]
#[command(next_help_heading = "Speed")]
pub(crate) struct JobArgs {
    /// Parallel connections per server [default: adaptive]. Example: -j 2
    #[arg(short, long, value_name = "N", value_parser = value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
}

impl JobArgs {
    /// Returns the number of lanes, never more than either address allows (`connections=`), which
    /// is also the number without -j.
    pub(crate) fn lanes(&self, allowed: [Option<usize>; 2]) -> Option<usize> {
        allowed
            .into_iter()
            .flatten()
            .chain(self.jobs.map(usize::from))
            .min()
    }
}

/// The speed of a copy.
#[derive(Args)]
#[command(next_help_heading = "Speed")]
pub(crate) struct SpeedArgs {
    #[command(flatten)]
    pub(crate) jobs: JobArgs,
    /// Limit upload speed to BYTES per second in total. Example: --limit-rate 1M
    #[arg(long, value_name = "BYTES", value_parser = values::rate)]
    pub(crate) limit_rate: Option<u64>,
}

/// What to do at a limit of a provider.
#[derive(Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct WaitArgs {
    /// When a daily limit is reached (Gmail's, or daily-read= and daily-write= in an address), wait
    /// until the next day and continue. By default the run ends with exit code 8 and the time to
    /// rerun it, for cron
    #[arg(long)]
    pub(crate) wait: bool,
}

/// What to print, and how.
#[derive(Args, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Output format on stdout: text, or JSON Lines
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) output: Format,
    /// No progress: results, warnings and failures only
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// More detail: -v servers and folders, -vv every message, -vvv the protocol (secrets redacted)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Append warnings, failures, the summary and -v output to FILE (-v then no longer writes to
    /// stderr). Example: --log-file /var/log/mailferry.log
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// Write run metrics to FILE for Prometheus' node_exporter when the run ends; replaces the
    /// file. Example: --metrics /var/lib/prometheus/node-exporter/nightly.prom
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,
    /// Colours; `auto` means on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
}

/// The report of a run.
#[derive(Args, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct ReportArgs {
    /// Write a report at the end, whatever the outcome: a self-contained HTML page, or JSON.
    /// Example: --report plan.html
    #[arg(long, value_name = "FILE.html|FILE.json", value_parser = PathBufValueParser::new().try_map(Destination::new))]
    report: Option<Destination>,
}

impl ReportArgs {
    /// Starts the report, if requested.
    ///
    /// # Errors
    /// Its file can't be written.
    pub(crate) fn begin(&self, about: About) -> Result<Option<Report>, Failure> {
        self.report
            .as_ref()
            .map(|destination| Report::begin(destination, about))
            .transpose()
    }
}

/// The form of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// JSON Lines, for scripts
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_limit_the_lanes() {
        let lanes = |jobs, allowed| JobArgs { jobs }.lanes(allowed);
        assert_eq!(lanes(None, [None, None]), None);
        assert_eq!(lanes(Some(8), [None, None]), Some(8));
        assert_eq!(lanes(Some(8), [Some(3), Some(5)]), Some(3));
        assert_eq!(lanes(Some(2), [None, Some(5)]), Some(2));
        assert_eq!(lanes(None, [None, Some(5)]), Some(5));
    }

    #[test]
    fn contradictory_limits_are_refused() {
        let none = || MessageArgs {
            since: None,
            before: None,
            min_size: None,
            max_size: None,
            search: None,
        };
        let day = |text| values::date(text).ok();
        assert!(none().filter().is_ok());
        let days = MessageArgs {
            since: day("2024-02-01"),
            before: day("2024-02-01"),
            ..none()
        };
        assert_eq!(days.filter().unwrap_err().code, 2);
        let sizes = MessageArgs {
            min_size: Some(2),
            max_size: Some(1),
            ..none()
        };
        assert_eq!(sizes.filter().unwrap_err().code, 2);
        let one = MessageArgs {
            min_size: Some(2),
            max_size: Some(2),
            since: day("2024-02-01"),
            ..none()
        };
        assert_eq!(one.filter().unwrap().min_size, Some(2));
    }
}
