//! `mailferry doctor MAILBOX [TARGET]`

use super::args::{Format, OutputArgs, SourcePasswordArgs, TargetPasswordArgs};
use super::failure::Failure;
use super::json::Summary;
use super::recall::Recollection;
use super::session::Session;
use super::state::StateArgs;
use super::verb::{Mailbox, Verb};
use super::{exit, password, text};
use clap::{Args, value_parser};
use mailferry::address::{Address, ImapAddress};
use mailferry::mail::Side;
use mailferry::store::Access;
use mailferry::store::imap::Account;
use mailferry::verbs::{self, DoctorOptions, Patient};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a server may be silent during the checks, unless the address sets a timeout.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Find out why a mailbox can't be reached or used, and what to do
///
/// Runs thirteen checks, from the host name to idle connections. Each shows what was tried, what
/// came back, what it means and what to do. Nothing is written, and the password is tried once.
/// With TARGET it also checks both mailboxes of a copy: whether everything fits, whether folders
/// collide, and what earlier runs left.
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct DoctorArgs {
    /// The mailbox. Example: imaps://ann%40example.org@imap.example.org
    mailbox: String,
    /// Mailbox you plan to copy to
    target: Option<String>,
    /// How long to leave a connection idle to see whether it is dropped. Example: --idle 300
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = value_parser!(u16).range(0..=3600), help_heading = "Run")]
    idle: u16,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    source_password: SourcePasswordArgs,
    #[command(flatten)]
    target_password: TargetPasswordArgs,
    /// Same as --output json
    #[arg(long, help_heading = "Output")]
    json: bool,
    #[command(flatten)]
    output: OutputArgs,
}

fn after_help() -> String {
    format!(
        "\
Examples:
    mailferry doctor imaps://ann@imap.example.org
    mailferry doctor --json imaps://ann@imap.example.org
  Before a copy, both mailboxes:
    mailferry doctor imaps://ann@old.example.org imaps://ann@new.example.org

{}",
        exit::HELP
    )
}

impl Verb for DoctorArgs {
    fn name(&self) -> &'static str {
        "doctor"
    }

    fn prepare(&mut self, _config: Option<&Path>) -> Result<(), Failure> {
        if self.json {
            self.output.output = Format::Json;
        }
        Ok(())
    }

    fn mailboxes(&mut self) -> Option<Vec<Mailbox<'_>>> {
        let first = Mailbox::new(&mut self.mailbox, &mut self.source_password.configured);
        let second = self
            .target
            .as_mut()
            .map(|text| Mailbox::new(text, &mut self.target_password.configured));
        Some(std::iter::once(first).chain(second).collect())
    }

    fn output(&self) -> Option<&OutputArgs> {
        Some(&self.output)
    }

    fn recollection(&self) -> Option<Recollection> {
        Some(Recollection {
            directory: self.state.kept_in(),
            writes: false,
        })
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        run(self, session)
    }
}

fn run(args: &DoctorArgs, session: &Session) -> Result<u8, Failure> {
    let mut sides = vec![(
        Side::SOURCE,
        read(Side::SOURCE, &args.mailbox)?,
        args.source_password.options(),
    )];
    if let Some(target) = &args.target {
        sides.push((
            Side::TARGET,
            read(Side::TARGET, target)?,
            args.target_password.options(),
        ));
        password::check_stdin(
            [
                args.source_password.options(),
                args.target_password.options(),
            ],
            false,
        )?;
    }
    let secrets: Vec<_> = sides
        .iter()
        .map(|(side, address, options)| {
            session.password(*side, &Address::Imap(address.clone()), *options)
        })
        .collect::<Result<_, _>>()?;
    let observers = session.observers(Some(Arc::new(text::Findings::new(
        session.lines(),
        sides.len() > 1,
    ))));
    for (side, address, _) in &sides {
        session.note_mailbox(*side, &address.to_string());
    }
    let accounts: Vec<Account> = (sides.iter().zip(secrets))
        .map(|((side, address, _), secret)| {
            session.imap_account(*side, address, secret, Access::ReadOnly, &observers)
        })
        .collect::<Result<_, _>>()?;
    let patients: Vec<Patient<'_>> = (sides.iter().zip(&accounts))
        .map(|((side, address, _), account)| Patient {
            side: *side,
            address,
            account,
        })
        .collect();
    let state = args.state.kept_in();
    let options = DoctorOptions {
        idle: Duration::from_secs(args.idle.into()),
        state: state.as_deref(),
    };
    let summary = verbs::doctor(&patients, &options, observers.as_ref());
    session.print(&[], Summary::doctor(&summary), |paint| {
        vec![text::doctor_summary(&summary, paint)]
    });
    Ok(exit::of_doctor(&summary))
}

fn read(side: Side, text: &str) -> Result<ImapAddress, Failure> {
    match Session::address(side, text)? {
        Address::Imap(mut address) => {
            address.timeout.get_or_insert(TIMEOUT);
            Ok(address)
        }
        Address::Local(_) => {
            let text = format!(
                "doctor only checks IMAP servers; the {} is a directory",
                side.name()
            );
            Err(Failure::usage(text).with_hint("check a directory with `mailferry folders`"))
        }
    }
}
