//! Groups of options that several commands share, and how each becomes what the library takes.
//!
//! Arguments and options are two types: what a user typed is here, what was checked is the library's.

use super::failure::Failure;
use super::folder_list;
use super::password::Configured;
use super::report::{About, Destination, Report};
use super::values;
use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::{ArgAction, Args, ValueEnum, value_parser};
use jiff::civil::Date;
use mailferry::address::Address;
use mailferry::folders::{Options as FolderOptions, Rules};
use mailferry::verbs::MessageFilter;
use std::path::PathBuf;

/// Which folders, and what they are called on the target.
#[derive(Args)]
#[command(next_help_heading = "Folders")]
pub(crate) struct FolderArgs {
    /// Only folders whose name on the source matches, `/` between levels, `**` across levels; repeatable.
    /// Example: --folder INBOX --folder 'Work/**'
    #[arg(long, value_name = "GLOB")]
    folder: Vec<String>,
    /// Only the folders that this file names, one a line, as they are and not as patterns; together with --folder, both;
    /// `-` is stdin. Example: --folders-from wanted.txt
    #[arg(long, value_name = "FILE")]
    folders_from: Option<String>,
    /// Leave out folders whose name on the source matches; repeatable. Example: --exclude Trash --exclude 'Lists/*'
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// A folder and all below it have another name on the target; repeatable. Example: --map 'Old Mail=Archive/Old'
    #[arg(long, value_name = "FROM=TO")]
    map: Vec<String>,
    /// Names on the target are rewritten by a regular expression; repeatable. Example: --map-regex 's/^Lists\.//'
    #[arg(long, value_name = "s/RE/TO/")]
    map_regex: Vec<String>,
    /// Everything goes below this folder of the target. Example: --into 'From old server'
    #[arg(long, value_name = "FOLDER")]
    into: Option<String>,
    /// Do not pair folders by what they are for (the source's Sent with the target's Sent Items, and so on)
    #[arg(long)]
    no_roles: bool,
}

impl FolderArgs {
    /// Whether the names of folders come by stdin.
    pub(crate) fn reads_stdin(&self) -> bool {
        self.folders_from.as_deref() == Some("-")
    }

    /// What the rules are made of. A list of folders is read now, once.
    ///
    /// # Errors
    /// A list that can't be read.
    pub(crate) fn options(&self) -> Result<FolderOptions, Failure> {
        Ok(FolderOptions {
            include: self.folder.clone(),
            include_names: self.folders_from.as_deref().map_or(Ok(Vec::new()), folder_list::read)?,
            exclude: self.exclude.clone(),
            map: self.map.clone(),
            map_regex: self.map_regex.clone(),
            into: self.into.clone(),
            no_roles: self.no_roles,
        })
    }
}

/// The rules for names.
///
/// # Errors
/// A pattern or a mapping that can't be read.
pub(crate) fn folder_rules(options: &FolderOptions) -> Result<Rules, Failure> {
    Rules::new(options).map_err(|error| Failure::usage(error.to_string()))
}

impl TwoWayFolderArgs {
    /// What the rules are made of.
    pub(crate) fn options(&self) -> FolderOptions {
        FolderOptions {
            include: self.folder.clone(),
            include_names: Vec::new(),
            exclude: self.exclude.clone(),
            map: self.map.clone(),
            map_regex: Vec::new(),
            into: None,
            no_roles: self.no_roles,
        }
    }
}

/// Which folders two mailboxes have in common, and what they are called. Names are those of the first.
#[derive(Args)]
#[command(next_help_heading = "Folders")]
pub(crate) struct TwoWayFolderArgs {
    /// Only folders whose name on FIRST matches, `/` between levels, `**` across levels; repeatable. What is left out
    /// stays as it is on both sides. Example: --folder INBOX --folder 'Work/**'
    #[arg(long, value_name = "GLOB")]
    folder: Vec<String>,
    /// Leave out folders whose name on FIRST matches; repeatable. Example: --exclude Trash --exclude 'Lists/*'
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// A folder of FIRST and all below it have another name on SECOND; repeatable. Example: --map 'Old Mail=Archive/Old'
    #[arg(long, value_name = "FIRST=SECOND")]
    map: Vec<String>,
    /// Do not pair folders by what they are for (FIRST's Sent with SECOND's Sent Items, and so on)
    #[arg(long)]
    no_roles: bool,
}

/// Which messages.
#[derive(Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct MessageArgs {
    /// Only messages that arrived on this day or later. Example: --since 2024-01-31
    #[arg(long, value_name = "DATE", value_parser = values::date)]
    since: Option<Date>,
    /// Only messages that arrived before this day. Example: --before 31-Jan-2025
    #[arg(long, value_name = "DATE", value_parser = values::date)]
    before: Option<Date>,
    /// Only messages of at least this size. Example: --min-size 500k
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    min_size: Option<u64>,
    /// Only messages of at most this size. Example: --max-size 25M
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    max_size: Option<u64>,
    /// Only messages that the source's server finds by this IMAP search. Example: --search 'FLAGGED FROM ann'
    #[arg(long, value_name = "IMAP SEARCH", value_parser = values::search)]
    search: Option<String>,
}

impl MessageArgs {
    /// Refuses a search in a mailbox that no server searches.
    ///
    /// # Errors
    /// A usage error.
    pub(crate) fn check_search(&self, mailboxes: &[&Address]) -> Result<(), Failure> {
        if self.search.is_some() && mailboxes.iter().any(|address| address.path().is_some()) {
            return Err(Failure::usage("--search is done by an IMAP server, and a directory has none")
                .with_hint("choose by --since, --before, --min-size and --max-size"));
        }
        Ok(())
    }

    /// The filter.
    ///
    /// # Errors
    /// Limits between which there is nothing.
    pub(crate) fn filter(&self) -> Result<MessageFilter, Failure> {
        if let (Some(since), Some(before)) = (self.since, self.before)
            && since >= before
        {
            return Err(Failure::usage(format!("no day is both since {since} and before {before}")));
        }
        if let (Some(min), Some(max)) = (self.min_size, self.max_size)
            && min > max
        {
            return Err(Failure::usage(format!("no message has both at least {min} and at most {max} bytes")));
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

/// Where the source's password comes from; the only mailbox's, where there is one.
#[derive(Args)]
#[command(next_help_heading = "Passwords")]
pub(crate) struct SourcePasswordArgs {
    /// The source's password or access token is the first line of this file, which must be yours alone (chmod 600); `-` is
    /// stdin. Example: --source-password-file ~/.old-pw
    #[arg(long = "source-password-file", value_name = "FILE", conflicts_with = "source_command")]
    source_file: Option<String>,
    /// The source's password or access token is the first line that this shell command prints; it runs again when a token
    /// has expired.
    /// Example: --source-password-command 'pass show mail/old'
    #[arg(long = "source-password-command", value_name = "CMD")]
    source_command: Option<String>,
    /// What the config file says, where the mailbox is an account of it.
    #[arg(skip)]
    pub(crate) configured: Configured,
}

/// Where the target's password comes from.
#[derive(Args)]
#[command(next_help_heading = "Passwords")]
pub(crate) struct TargetPasswordArgs {
    /// The target's password or access token is the first line of this file, which must be yours alone (chmod 600); `-` is
    /// stdin. Example: --target-password-file ~/.new-pw
    #[arg(long = "target-password-file", value_name = "FILE", conflicts_with = "target_command")]
    target_file: Option<String>,
    /// The target's password or access token is the first line that this shell command prints; it runs again when a token
    /// has expired.
    /// Example: --target-password-command 'pass show mail/new'
    #[arg(long = "target-password-command", value_name = "CMD")]
    target_command: Option<String>,
    /// What the config file says, where the mailbox is an account of it.
    #[arg(skip)]
    pub(crate) configured: Configured,
}

/// What the command line says about one side's password.
#[derive(Clone, Copy, Default)]
pub(crate) struct PasswordOptions<'a> {
    /// A file, or `-`.
    pub(crate) file: Option<&'a str>,
    /// A shell command.
    pub(crate) command: Option<&'a str>,
    /// What the config file says.
    pub(crate) configured: Option<&'a Configured>,
}

impl SourcePasswordArgs {
    /// What was given.
    pub(crate) fn options(&self) -> PasswordOptions<'_> {
        PasswordOptions {
            file: self.source_file.as_deref(),
            command: self.source_command.as_deref(),
            configured: Some(&self.configured),
        }
    }
}

impl TargetPasswordArgs {
    /// What was given.
    pub(crate) fn options(&self) -> PasswordOptions<'_> {
        PasswordOptions {
            file: self.target_file.as_deref(),
            command: self.target_command.as_deref(),
            configured: Some(&self.configured),
        }
    }
}

/// How many lanes.
#[derive(Args)]
#[command(next_help_heading = "Speed")]
pub(crate) struct JobArgs {
    /// How many connections to each server work at the same time; without it, as many as the servers bear well.
    /// Example: -j 2
    #[arg(short, long, value_name = "N", value_parser = value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
}

impl JobArgs {
    /// The lanes, never more than either address allows (`connections=`), which is also how many there are without -j.
    pub(crate) fn lanes(&self, allowed: [Option<usize>; 2]) -> Option<usize> {
        allowed.into_iter().flatten().chain(self.jobs.map(usize::from)).min()
    }
}

/// How fast a copy goes.
#[derive(Args)]
#[command(next_help_heading = "Speed")]
pub(crate) struct SpeedArgs {
    #[command(flatten)]
    pub(crate) jobs: JobArgs,
    /// Deliver at most so many bytes a second, all connections together. Example: --limit-rate 1M
    #[arg(long, value_name = "BYTES", value_parser = values::rate)]
    pub(crate) limit_rate: Option<u64>,
}

/// What is shown, and how.
#[derive(Args, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// How results are printed on stdout: for people, or as one JSON object a line
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) output: Format,
    /// No progress; results, warnings and failures only
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more: -v servers and folders, -vv every message, -vvv the protocol (secrets are struck out)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Keep a log in this file, behind what it has: warnings, failures and the result, and what -v asks for, which is not
    /// on stderr then. Example: --log-file /var/log/mailferry.log
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// When the run ends, replace this file by its numbers, for Prometheus' node_exporter.
    /// Example: --metrics /var/lib/prometheus/node-exporter/nightly.prom
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,
    /// Colours; `auto` means on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: When,
}

/// What is written about a run when it ends.
#[derive(Args, Default)]
#[command(next_help_heading = "Output")]
pub(crate) struct ReportArgs {
    /// When the run ends, however it ends, write to this file what was done or would be done: a page that a browser opens from
    /// the disk without a network, or the same facts as JSON. Example: --report plan.html
    #[arg(long, value_name = "FILE.html|FILE.json", value_parser = PathBufValueParser::new().try_map(Destination::new))]
    report: Option<Destination>,
}

impl ReportArgs {
    /// Begins the report that was asked for.
    ///
    /// # Errors
    /// That its file can't be written.
    pub(crate) fn begin(&self, about: About) -> Result<Option<Report>, Failure> {
        self.report.as_ref().map(|destination| Report::begin(destination, about)).transpose()
    }
}

/// The form of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// NDJSON, for scripts
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal
    #[default]
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
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
    fn limits_with_nothing_between_them_are_refused() {
        let none = || MessageArgs { since: None, before: None, min_size: None, max_size: None, search: None };
        let day = |text| values::date(text).ok();
        assert!(none().filter().is_ok());
        let days = MessageArgs { since: day("2024-02-01"), before: day("2024-02-01"), ..none() };
        assert_eq!(days.filter().unwrap_err().code, 2);
        let sizes = MessageArgs { min_size: Some(2), max_size: Some(1), ..none() };
        assert_eq!(sizes.filter().unwrap_err().code, 2);
        let one = MessageArgs { min_size: Some(2), max_size: Some(2), since: day("2024-02-01"), ..none() };
        assert_eq!(one.filter().unwrap().min_size, Some(2));
    }
}
