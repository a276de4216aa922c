//! `mailferry login MAILBOX` and `mailferry logout MAILBOX`: OAuth 2.0 with an interactive user.

use super::failure::Failure;
use super::password::{Configured, ConfiguredClient, client_secret};
use super::session::Session;
use super::verb::{Mailbox, Verb};
use super::{browser, exit, harmless, tokens};
use clap::{Args, ValueEnum};
use mailferry::address::{Address, ImapAddress};
use mailferry::mail::Side;
use mailferry::oauth::{self, Client, Endpoint, Flow, Guide, Profile, Vault};
use mailferry::provider::Provider;
use std::path::Path;
use std::time::Duration;

/// Log in to a mailbox with OAuth 2.0 and store the tokens
///
/// Gets an access token and a refresh token for the mailbox's user and stores them in the keyring
/// or in a private file. From then on copy, sync, verify, folders and doctor log in to this mailbox
/// with them, and renew them as they expire. mailferry doesn't ship an OAuth client ID: register
/// one with the provider (see docs/usage.md), or ask your administrator.
#[derive(Args)]
#[command(after_help = login_help())]
pub(crate) struct LoginArgs {
    /// The mailbox. Example: imaps://ann%40example.org@outlook.office365.com
    #[arg(required_unless_present = "list")]
    mailbox: Option<String>,
    /// List stored tokens
    #[arg(long, conflicts_with = "mailbox", help_heading = "Run")]
    list: bool,
    /// Provider whose endpoints and scopes to use [default: guessed from the host]
    #[arg(long, value_enum, value_name = "NAME", help_heading = "OAuth")]
    provider: Option<Known>,
    /// OAuth client ID registered with the provider
    #[arg(long, value_name = "ID", help_heading = "OAuth")]
    client_id: Option<String>,
    /// Read the client secret, if there is one, from the first line of FILE (private to you: chmod
    /// 600); `-` is stdin
    #[arg(long, value_name = "FILE", help_heading = "OAuth")]
    client_secret_file: Option<String>,
    /// Authorization endpoint. Example: --authorization-endpoint
    /// https://login.example.org/oauth2/authorize
    #[arg(long, value_name = "URL", help_heading = "OAuth")]
    authorization_endpoint: Option<String>,
    /// Token endpoint. Example: --token-endpoint https://login.example.org/oauth2/token
    #[arg(long, value_name = "URL", help_heading = "OAuth")]
    token_endpoint: Option<String>,
    /// Device authorization endpoint. Example: --device-endpoint
    /// https://login.example.org/oauth2/device
    #[arg(long, value_name = "URL", help_heading = "OAuth")]
    device_endpoint: Option<String>,
    /// Scope to request; repeatable. Example: --scope https://mail.google.com/
    #[arg(long, value_name = "SCOPE", help_heading = "OAuth")]
    scope: Vec<String>,
    /// Authorization flow [default: the provider's; else a device code if --device-endpoint is
    /// given, or the browser]
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Run")]
    flow: Option<How>,
    /// Show the address and don't open a browser
    #[arg(long, help_heading = "Run")]
    no_browser: bool,
    /// Local port that the browser is redirected to [default: any free port]. Example: --port 8765
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true,
        help_heading = "Run"
    )]
    port: u16,
    /// The mailbox as it was typed, even if it is an account in the config file.
    #[arg(skip)]
    typed: String,
    /// The config file's settings, if the mailbox is an account in it.
    #[arg(skip)]
    configured: Configured,
}

/// Delete the stored tokens of a mailbox
///
/// Deletes them from this machine. To revoke access, use your provider's account settings.
#[derive(Args)]
#[command(after_help = logout_help())]
pub(crate) struct LogoutArgs {
    /// The mailbox. Example: imaps://ann%40example.org@outlook.office365.com
    mailbox: String,
    /// The config file's settings, if the mailbox is an account in it.
    #[arg(skip)]
    configured: Configured,
}

#[derive(Clone, Copy, ValueEnum)]
enum Known {
    /// Gmail and Google Workspace
    Google,
    /// Microsoft 365 and Outlook.com
    Microsoft,
}

#[derive(Clone, Copy, ValueEnum)]
enum How {
    /// Type a code into a page on any device
    Device,
    /// Use a browser on this machine
    Browser,
}

fn login_help() -> String {
    format!(
        "\
Examples:
  Microsoft 365, with a code that you type in on any device:
    mailferry login --client-id 11111111-2222-3333-4444-555555555555 imaps://ann%40example.org@outlook.office365.com
  Gmail, in a browser:
    mailferry login --client-id ID --client-secret-file secret imaps://ann%40gmail.com@imap.gmail.com
  An account from the config file, which has its client-id:
    mailferry login work
  Any other server:
    mailferry login --client-id ID --authorization-endpoint https://login.example.org/authorize \\
        --token-endpoint https://login.example.org/token --scope mail imaps://ann@imap.example.org
    mailferry login --list

{}",
        exit::HELP
    )
}

fn logout_help() -> String {
    format!(
        "\
Examples:
    mailferry logout imaps://ann%40example.org@outlook.office365.com
    mailferry logout work

{}",
        exit::HELP
    )
}

impl Verb for LoginArgs {
    fn name(&self) -> &'static str {
        "login"
    }

    fn prepare(&mut self, _config: Option<&Path>) -> Result<(), Failure> {
        self.typed = self.mailbox.clone().unwrap_or_default();
        Ok(())
    }

    fn mailboxes(&mut self) -> Option<Vec<Mailbox<'_>>> {
        let password = &mut self.configured;
        let mailbox = self.mailbox.as_mut();
        let mailbox = mailbox.map(|text| Mailbox::new(text, password));
        Some(mailbox.into_iter().collect())
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        login(self, session)
    }
}

impl Verb for LogoutArgs {
    fn name(&self) -> &'static str {
        "logout"
    }

    fn mailboxes(&mut self) -> Option<Vec<Mailbox<'_>>> {
        Some(vec![Mailbox::new(&mut self.mailbox, &mut self.configured)])
    }

    fn run(&self, session: &Session) -> Result<u8, Failure> {
        logout(self, session)
    }
}

fn login(args: &LoginArgs, session: &Session) -> Result<u8, Failure> {
    let vault = vault()?;
    let Some(mailbox) = &args.mailbox else {
        return list(&vault, session);
    };
    let address = read(mailbox)?;
    let (client, flow) = args.client(&address)?;
    let guide = Screen {
        session,
        opens_browser: !args.no_browser,
    };
    let tokens = match flow {
        Flow::Device => oauth::by_device(&client, &guide)?,
        Flow::Browser => oauth::by_browser(&client, args.port, &address.user, &guide)?,
    };
    if tokens.refresh.is_none() {
        session.warn(
            "the OAuth server gave no refresh token: you will have to log in again when the access token expires",
        );
    }
    let account = oauth::Account {
        user: address.user.clone(),
        host: address.host.clone(),
        address: args.typed.clone(),
    };
    let place = if vault.keep(&account, &client, tokens)? {
        "in the keyring"
    } else {
        "in a private file"
    };
    say(
        session,
        &format!(
            "logged in as {} on {}; tokens stored {place}",
            account.user, account.host
        ),
    );
    Ok(exit::DONE)
}

fn logout(args: &LogoutArgs, session: &Session) -> Result<u8, Failure> {
    let address = read(&args.mailbox)?;
    let (user, host) = (&address.user, &address.host);
    if !vault()?.forget(user, host)? {
        return Err(
            Failure::usage(format!("no tokens stored for {user} on {host}"))
                .with_hint("list stored tokens with `mailferry login --list`"),
        );
    }
    say(session, &format!("deleted the tokens of {user} on {host}"));
    Ok(exit::DONE)
}

fn vault() -> Result<Vault, Failure> {
    tokens::vault().ok_or_else(|| {
        Failure::local("no home directory found, so there is no place to store tokens")
    })
}

fn list(vault: &Vault, session: &Session) -> Result<u8, Failure> {
    for (account, is_in_keyring) in vault.list()? {
        let place = if is_in_keyring { "keyring" } else { "file" };
        say(
            session,
            &format!("{} on {} ({place})", account.user, account.host),
        );
    }
    Ok(exit::DONE)
}

fn say(session: &Session, text: &str) {
    let (output, _) = session.lines();
    output.line(&harmless::text(text));
}

fn read(mailbox: &str) -> Result<ImapAddress, Failure> {
    match Session::address(Side::SOURCE, mailbox)? {
        Address::Imap(address) => Ok(address),
        Address::Local(_) => Err(Failure::usage("a directory needs no login")),
    }
}

impl LoginArgs {
    /// Returns the OAuth client and the flow to use.
    fn client(&self, address: &ImapAddress) -> Result<(Client, Flow), Failure> {
        let configured = &self.configured.client;
        let Some(id) = self.client_id.as_ref().or(configured.id.as_ref()) else {
            return Err(Failure::usage("no OAuth client ID: mailferry doesn't ship one").with_hint(
                "register one with the provider (see docs/usage.md) and pass it with --client-id ID, or as client-id \
                 in the config file",
            ));
        };
        let secret = self
            .client_secret_file
            .as_ref()
            .or(configured.secret_file.as_ref());
        let secret = secret.map(|file| client_secret(file)).transpose();
        let secret =
            secret.map_err(|reason| Failure::usage(format!("no client secret: {reason:#}")))?;
        let provider = self
            .provider
            .and_then(Known::provider)
            .or(address.provider)
            .or(Provider::of_host(&address.host));
        let profile = provider.and_then(Profile::of);
        let mut client = Client::new(id.clone(), secret);
        client.authorization = endpoint(
            "authorization",
            self.authorization_endpoint.as_ref(),
            configured,
        )?;
        client.token = endpoint("token", self.token_endpoint.as_ref(), configured)?;
        client.device = endpoint("device", self.device_endpoint.as_ref(), configured)?;
        client.scopes = if self.scope.is_empty() {
            configured.scopes.clone()
        } else {
            self.scope.clone()
        };
        let usual = match profile {
            Some(profile) => profile.flow,
            None if client.device.is_some() => Flow::Device,
            None => Flow::Browser,
        };
        let flow = match self.flow {
            Some(How::Device) => Flow::Device,
            Some(How::Browser) => Flow::Browser,
            None => usual,
        };
        Ok((client.at(profile), flow))
    }
}

/// Returns one endpoint, from the command line or the config file.
fn endpoint(
    name: &str,
    given: Option<&String>,
    configured: &ConfiguredClient,
) -> Result<Option<Endpoint>, Failure> {
    let text = given.or_else(|| configured.endpoint(name));
    let refused = |reason| Failure::usage(format!("invalid {name} endpoint: {reason}"));
    text.map(|text| Endpoint::parse(text))
        .transpose()
        .map_err(refused)
}

impl Known {
    fn provider(self) -> Option<&'static Provider> {
        Provider::named(match self {
            Self::Google => "google",
            Self::Microsoft => "microsoft",
        })
    }
}

/// Shows on stderr what the user has to do.
struct Screen<'a> {
    session: &'a Session,
    opens_browser: bool,
}

impl Guide for Screen<'_> {
    fn show_code(&self, address: &str, code: &str, complete: Option<&str>, good_for: Duration) {
        self.session.tell(&format!(
            "open {address} in any browser and enter the code {code}"
        ));
        if let Some(complete) = complete {
            self.session
                .tell(&format!("or open {complete}, which includes the code"));
        }
        self.session.tell(&format!(
            "waiting for up to {} minutes",
            good_for.as_secs().div_ceil(60)
        ));
    }

    fn show_address(&self, address: &str) {
        self.session.tell(&format!(
            "open this address in a browser on this machine: {address}"
        ));
        if self.opens_browser && browser::open(address) {
            self.session.tell("opening a browser");
        }
    }

    fn remark(&self, text: &str) {
        self.session.warn(text);
    }
}
