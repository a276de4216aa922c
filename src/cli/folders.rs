//! `mailferry folders MAILBOX`

use super::args::{OutputArgs, SourcePasswordArgs};
use super::failure::Failure;
use super::json::{Line, Summary};
use super::recall::Recollection;
use super::session::{Purpose, Session};
use super::verb::{Mailbox, Verb};
use super::{exit, state, text};
use clap::Args;
use mailferry::mail::Side;
use mailferry::verbs;

/// List a mailbox's folders with role, messages, unread messages, bytes and quota
#[derive(Args)]
#[command(after_help = after_help())]
pub(crate) struct FoldersArgs {
    /// The mailbox. Example: imaps://ann%40example.org@imap.example.org
    mailbox: String,
    #[command(flatten)]
    password: SourcePasswordArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn after_help() -> String {
    format!(
        "\
Examples:
    mailferry folders imaps://ann@imap.example.org
    mailferry folders maildir:~/Maildir
    mailferry folders --source-password-file ann.pw --output json imaps://ann@imap.example.org

{}",
        exit::HELP
    )
}

impl Verb for FoldersArgs {
    fn name(&self) -> &'static str {
        "folders"
    }

    fn mailboxes(&mut self) -> Option<Vec<Mailbox<'_>>> {
        Some(vec![Mailbox::new(
            &mut self.mailbox,
            &mut self.password.configured,
        )])
    }

    fn output(&self) -> Option<&OutputArgs> {
        Some(&self.output)
    }

    fn recollection(&self) -> Option<Recollection> {
        Some(Recollection {
            directory: state::usual_directory(),
            writes: false,
        })
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        run(self, session)
    }
}

fn run(args: &FoldersArgs, session: &Session) -> Result<u8, Failure> {
    let address = Session::address(Side::SOURCE, &args.mailbox)?;
    let password = session.password(Side::SOURCE, &address, args.password.options())?;
    let observers = session.observers(None);
    let account = session.account(Side::SOURCE, &address, password, Purpose::Read, &observers)?;
    let listing = verbs::folders(account.as_ref(), observers.as_ref())?;
    let lines: Vec<_> = listing.folders.iter().map(Line::Folder).collect();
    session.print(&lines, Summary::folders(&listing), |paint| {
        text::listing(&listing, paint)
    });
    Ok(if listing.failed > 0 {
        exit::PARTIAL
    } else {
        exit::DONE
    })
}
