//! Where a password or an access token comes from: file, command, environment, the config file's
//! command or file, tokens of `mailferry login`, keyring (if built in), netrc, prompt, in that
//! order.
//!
//! The first source that exists decides: a file or a command that fails is an error, not a reason
//! to try the next. No message contains a password, a command's text or its output. Secrets are
//! wiped from memory when they are dropped.

mod system;

pub(crate) use system::{System, check_private, client_secret};

use super::args::PasswordOptions;
use super::failure::Failure;
use mailferry::address::{ImapAddress, Proof};
use mailferry::mail::Side;
use mailferry::oauth::Login;
use mailferry::store::imap::Secret;
use secrecy::SecretString;
use std::path::PathBuf;

/// The process's surroundings, as sources of passwords.
pub(crate) trait Surroundings {
    /// Returns the first line of a file.
    fn file(&self, path: &str) -> anyhow::Result<SecretString>;
    /// Returns the first line of stdin.
    fn stdin(&self) -> anyhow::Result<SecretString>;
    /// Returns the first line that a shell command prints.
    fn command(&self, command: &str) -> anyhow::Result<SecretString>;
    /// Returns an environment variable, if it is set and not empty.
    fn variable(&self, name: &str) -> anyhow::Result<Option<SecretString>>;
    /// Returns the login stored by `mailferry login` for this host and user.
    fn login(&self, host: &str, user: &str) -> Result<Option<Login>, Failure>;
    /// Returns the keyring's password for this host and user; also `None` if there is no keyring.
    fn keyring(&self, host: &str, user: &str) -> anyhow::Result<Option<SecretString>>;
    /// Returns the netrc file's password for this host and user.
    fn netrc(&self, host: &str, user: &str) -> anyhow::Result<Option<SecretString>>;
    /// Returns what the user types; `None` if there is no terminal to ask on.
    fn prompt(&self, question: &str) -> Option<anyhow::Result<SecretString>>;
}

/// The config file's settings for an account's password or login.
#[derive(Clone, Default)]
pub(crate) struct Configured {
    /// The account's name, if the mailbox was given by it.
    pub(crate) account: Option<String>,
    /// `password-file`.
    pub(crate) file: Option<String>,
    /// `password-command`.
    pub(crate) command: Option<String>,
    /// For `mailferry login`.
    pub(crate) client: ConfiguredClient,
}

/// The config file's settings for an account's OAuth 2.0 login.
#[derive(Clone, Default)]
pub(crate) struct ConfiguredClient {
    /// `client-id`.
    pub(crate) id: Option<String>,
    /// `client-secret-file`.
    pub(crate) secret_file: Option<String>,
    /// `scopes`.
    pub(crate) scopes: Vec<String>,
    /// `NAME-endpoint`, by name.
    pub(crate) endpoints: Vec<(&'static str, String)>,
}

impl ConfiguredClient {
    /// Returns the endpoint with this name.
    pub(crate) fn endpoint(&self, name: &str) -> Option<&String> {
        self.endpoints
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, url)| url)
    }
}

/// A secret, and its source if it can be read again.
enum Found {
    Once(SecretString),
    File(SecretString, String),
    Command(SecretString, String),
    Login(Login),
}

/// Finds one side's password or token. One from a file or a command can be read again if it
/// expires.
///
/// # Errors
/// The chosen source failed, or there is none; then the hint lists them all.
pub(crate) fn secret(
    side: Side,
    address: &ImapAddress,
    options: PasswordOptions<'_>,
    around: &dyn Surroundings,
) -> Result<Secret, Failure> {
    if address
        .auth
        .is_some_and(|mechanism| mechanism.proof() == Proof::Nothing)
    {
        return Ok(Secret::none());
    }
    let Some(found) = find(side, address, options, around)? else {
        return Ok(Secret::none());
    };
    let again = |reason: anyhow::Error| format!("{reason:#}");
    Ok(match found {
        Found::File(secret, file) => {
            Secret::renewable(secret, move || system::file(&file).map_err(again))
        }
        Found::Command(secret, command) => {
            Secret::renewable(secret, move || system::command(&command).map_err(again))
        }
        Found::Login(login) => Secret::granted(move |refused| login.access(refused)),
        Found::Once(secret) => Secret::fixed(secret),
    })
}

/// Finds it; `None` if there is none and a client certificate may do.
fn find(
    side: Side,
    address: &ImapAddress,
    options: PasswordOptions<'_>,
    around: &dyn Surroundings,
) -> Result<Option<Found>, Failure> {
    let name = side.name();
    let failed =
        |reason: anyhow::Error| Failure::usage(format!("no password for the {name}: {reason:#}"));
    let once = |secret| Some(Found::Once(secret));
    if let Some(found) = from_options(options, around).map_err(failed)? {
        return Ok(Some(found));
    }
    if let Some(password) = around.variable(variable_name(side)).map_err(failed)? {
        return Ok(once(password));
    }
    if let Some(found) = from_config(options.configured, around).map_err(failed)? {
        return Ok(Some(found));
    }
    if address
        .auth
        .is_none_or(|mechanism| mechanism.proof() == Proof::Token)
        && let Some(login) = around.login(&address.host, &address.user)?
    {
        return Ok(Some(Found::Login(login)));
    }
    if let Some(password) = around
        .keyring(&address.host, &address.user)
        .map_err(failed)?
    {
        return Ok(once(password));
    }
    if let Some(password) = around.netrc(&address.host, &address.user).map_err(failed)? {
        return Ok(once(password));
    }
    if address.client_cert.is_some() && address.auth.is_none() {
        return Ok(None);
    }
    match around.prompt(&question(side, address)) {
        Some(answer) => answer.map(once).map_err(failed),
        None => Err(none_found(side, address)),
    }
}

fn question(side: Side, address: &ImapAddress) -> String {
    let is_token = address
        .auth
        .is_some_and(|mechanism| mechanism.proof() == Proof::Token);
    let what = if is_token { "Access token" } else { "Password" };
    format!(
        "{what} of {} on {} ({}): ",
        address.user,
        address.host,
        side.name()
    )
}

fn none_found(side: Side, address: &ImapAddress) -> Failure {
    let (name, variable) = (side.name(), variable_name(side));
    Failure::usage(format!("no password for the {name}, {} on {}", address.user, address.host)).with_hint(format!(
        "use --{name}-password-file FILE (- is stdin) or --{name}-password-command CMD, set {variable}, \
        write it to ~/.netrc, or run in a terminal to be prompted; for OAuth 2.0, run `mailferry login`"
    ))
}

/// Reads the source given on the command line: a file or a command.
fn from_options(
    options: PasswordOptions<'_>,
    around: &dyn Surroundings,
) -> anyhow::Result<Option<Found>> {
    match (options.file, options.command) {
        (Some("-"), _) => Ok(Some(Found::Once(around.stdin()?))),
        (Some(file), _) => from_file(file, around),
        (None, Some(command)) => from_command(command, around),
        (None, None) => Ok(None),
    }
}

/// Reads the source given in the config file: a command or a file.
fn from_config(
    configured: Option<&Configured>,
    around: &dyn Surroundings,
) -> anyhow::Result<Option<Found>> {
    let Some(configured) = configured else {
        return Ok(None);
    };
    match (&configured.command, &configured.file) {
        (Some(command), _) => from_command(command, around),
        (None, Some(file)) => from_file(file, around),
        (None, None) => Ok(None),
    }
}

fn from_file(file: &str, around: &dyn Surroundings) -> anyhow::Result<Option<Found>> {
    Ok(Some(Found::File(around.file(file)?, file.to_owned())))
}

fn from_command(command: &str, around: &dyn Surroundings) -> anyhow::Result<Option<Found>> {
    Ok(Some(Found::Command(
        around.command(command)?,
        command.to_owned(),
    )))
}

/// Refuses to read two passwords, or a password and a list of folders, from stdin.
///
/// # Errors
/// A usage error.
pub(crate) fn check_stdin(
    passwords: [PasswordOptions<'_>; 2],
    has_folders: bool,
) -> Result<(), Failure> {
    let hint = "pass one of them in a file, by a command or in the environment";
    match passwords
        .iter()
        .filter(|password| password.file == Some("-"))
        .count()
    {
        2 => Err(Failure::usage("stdin can't hold both passwords").with_hint(hint)),
        1 if has_folders => {
            Err(Failure::usage("stdin can't hold a password and a list of folders").with_hint(hint))
        }
        _ => Ok(()),
    }
}

fn variable_name(side: Side) -> &'static str {
    match side {
        Side::SOURCE => "MAILFERRY_SOURCE_PASSWORD",
        Side::TARGET => "MAILFERRY_TARGET_PASSWORD",
    }
}

/// Returns the netrc file according to `$NETRC` or the home directory.
fn netrc_path(variable: Option<std::ffi::OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    variable
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(home?.join(".netrc")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;
    use std::cell::RefCell;

    /// Has only the given sources, and records which were tried.
    #[derive(Default)]
    struct Fake {
        has: &'static [&'static str],
        tried: RefCell<Vec<String>>,
    }

    impl Fake {
        fn with(has: &'static [&'static str]) -> Self {
            Self {
                has,
                ..Self::default()
            }
        }

        fn way(&self, way: &str, detail: &str) -> Option<SecretString> {
            self.tried.borrow_mut().push(format!("{way} {detail}"));
            self.has
                .contains(&way)
                .then(|| format!("from {way}").into())
        }
    }

    impl Surroundings for Fake {
        fn file(&self, path: &str) -> anyhow::Result<SecretString> {
            self.way("file", path)
                .ok_or_else(|| anyhow::anyhow!("no file"))
        }

        fn stdin(&self) -> anyhow::Result<SecretString> {
            self.way("stdin", "")
                .ok_or_else(|| anyhow::anyhow!("stdin is empty"))
        }

        fn command(&self, command: &str) -> anyhow::Result<SecretString> {
            self.way("command", command)
                .ok_or_else(|| anyhow::anyhow!("its command failed"))
        }

        fn variable(&self, name: &str) -> anyhow::Result<Option<SecretString>> {
            Ok(self.way("variable", name))
        }

        fn login(&self, host: &str, user: &str) -> Result<Option<Login>, Failure> {
            self.way("login", &format!("{user} {host}"))
                .map_or(Ok(None), |_| Err(Failure::local("from login")))
        }

        fn keyring(&self, host: &str, user: &str) -> anyhow::Result<Option<SecretString>> {
            Ok(self.way("keyring", &format!("{user} {host}")))
        }

        fn netrc(&self, host: &str, user: &str) -> anyhow::Result<Option<SecretString>> {
            Ok(self.way("netrc", &format!("{user} {host}")))
        }

        fn prompt(&self, question: &str) -> Option<anyhow::Result<SecretString>> {
            self.way("prompt", question).map(Ok)
        }
    }

    const ALL: &[&str] = &[
        "file", "stdin", "command", "variable", "keyring", "netrc", "prompt",
    ];

    fn ask(
        side: Side,
        options: PasswordOptions<'_>,
        around: &Fake,
    ) -> Result<SecretString, Failure> {
        let address = ImapAddress::parse("imaps://ann%40example.org@imap.example.org").unwrap();
        find(side, &address, options, around).map(|found| match found.unwrap() {
            Found::Once(secret) | Found::File(secret, _) | Found::Command(secret, _) => secret,
            Found::Login(_) => panic!("a fake has no login"),
        })
    }

    #[test]
    fn a_mechanism_without_a_password_asks_for_none() {
        let ask = |more: &str, has| {
            let address = ImapAddress::parse(&format!("imaps://ann@h?{more}")).unwrap();
            let fake = Fake::with(has);
            secret(Side::SOURCE, &address, PasswordOptions::default(), &fake).unwrap();
            fake.tried.into_inner().pop()
        };
        assert_eq!(ask("auth=EXTERNAL&client-cert=c", ALL), None);
        assert_eq!(ask("auth=ANONYMOUS", ALL), None);
        assert_eq!(ask("auth=GSSAPI", ALL), None);
        assert_eq!(
            ask("client-cert=c", &["prompt"]).as_deref(),
            Some("netrc ann h"),
            "a certificate may do"
        );
        let question = "prompt Access token of ann on h (source): ";
        assert_eq!(ask("auth=XOAUTH2", &["prompt"]).as_deref(), Some(question));
    }

    #[test]
    fn the_first_existing_source_wins() {
        let file = PasswordOptions {
            file: Some("f"),
            command: None,
            configured: None,
        };
        let stdin = PasswordOptions {
            file: Some("-"),
            command: None,
            configured: None,
        };
        let command = PasswordOptions {
            file: None,
            command: Some("c"),
            configured: None,
        };
        let none = PasswordOptions::default();
        let (c, f) = (Some("c".to_owned()), Some("f".to_owned()));
        let by_command = Configured {
            command: c,
            ..Configured::default()
        };
        let by_file = Configured {
            file: f,
            ..Configured::default()
        };
        let configured = |configured| PasswordOptions {
            configured: Some(configured),
            ..none
        };
        let table = [
            (file, ALL, "from file"),
            (stdin, ALL, "from stdin"),
            (command, ALL, "from command"),
            (none, ALL, "from variable"),
            (configured(&by_command), ALL, "from variable"),
            (
                configured(&by_command),
                &["file", "command", "keyring"],
                "from command",
            ),
            (
                configured(&by_file),
                &["file", "command", "keyring"],
                "from file",
            ),
            (none, &["keyring", "netrc", "prompt"], "from keyring"),
            (none, &["netrc", "prompt"], "from netrc"),
            (none, &["prompt"], "from prompt"),
        ];
        for (options, has, from) in table {
            assert_eq!(
                ask(Side::SOURCE, options, &Fake::with(has))
                    .unwrap()
                    .expose_secret(),
                from
            );
        }
    }

    #[test]
    fn stored_logins_come_before_the_keyring_and_only_serve_tokens() {
        let ask = |auth: &str| {
            let address = ImapAddress::parse(&format!("imaps://ann@h{auth}")).unwrap();
            let fake = Fake::with(&["login", "keyring"]);
            find(Side::SOURCE, &address, PasswordOptions::default(), &fake)
                .err()
                .map(|failure| failure.message)
        };
        for auth in ["", "?auth=XOAUTH2", "?auth=OAUTHBEARER"] {
            assert_eq!(ask(auth).as_deref(), Some("from login"), "{auth}");
        }
        assert_eq!(ask("?auth=PLAIN"), None, "the keyring has a password");
    }

    #[test]
    fn each_side_has_its_own_names() {
        let fake = Fake::with(&["prompt"]);
        ask(Side::TARGET, PasswordOptions::default(), &fake).unwrap();
        let tried = [
            "variable MAILFERRY_TARGET_PASSWORD",
            "login ann@example.org imap.example.org",
            "keyring ann@example.org imap.example.org",
            "netrc ann@example.org imap.example.org",
            "prompt Password of ann@example.org on imap.example.org (target): ",
        ];
        assert_eq!(*fake.tried.borrow(), tried);
    }

    #[test]
    fn a_failing_source_is_an_error_and_the_command_is_not_repeated() {
        let command = PasswordOptions {
            file: None,
            command: Some("echo hunter2"),
            configured: None,
        };
        let fake = Fake::with(&["variable", "prompt"]);
        let failure = ask(Side::SOURCE, command, &fake).unwrap_err();
        assert_eq!(failure.code, 2);
        assert!(!format!("{failure:?}").contains("hunter2"));
        assert_eq!(fake.tried.borrow().len(), 1);
    }

    #[test]
    fn without_any_source_the_hint_lists_them() {
        let failure = ask(Side::TARGET, PasswordOptions::default(), &Fake::default()).unwrap_err();
        assert_eq!(failure.code, 2);
        let hint = failure.hint.unwrap();
        for way in [
            "--target-password-file",
            "--target-password-command",
            "MAILFERRY_TARGET_PASSWORD",
            ".netrc",
        ] {
            assert!(hint.contains(way), "{hint}");
        }
    }

    #[test]
    fn stdin_holds_one_password() {
        let stdin = PasswordOptions {
            file: Some("-"),
            command: None,
            configured: None,
        };
        assert!(check_stdin([stdin, PasswordOptions::default()], false).is_ok());
        assert!(check_stdin([PasswordOptions::default(); 2], true).is_ok());
        assert_eq!(check_stdin([stdin, stdin], false).unwrap_err().code, 2);
        assert_eq!(
            check_stdin([PasswordOptions::default(), stdin], true)
                .unwrap_err()
                .code,
            2
        );
    }

    #[test]
    fn netrc_is_found_by_its_variable() {
        let home = || Some(PathBuf::from("/home/ann"));
        assert_eq!(
            netrc_path(Some("/x/netrc".into()), home()),
            Some("/x/netrc".into())
        );
        assert_eq!(
            netrc_path(Some("".into()), home()),
            Some("/home/ann/.netrc".into())
        );
        assert_eq!(netrc_path(None, None), None);
    }
}
