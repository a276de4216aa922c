//! Real servers, one of each kind per test binary, started by the scripts in `scripts/servers`.
//!
//! A server starts with the first test that needs it and ends with the test process: its script
//! waits on a pipe, which the kernel closes however the process ends. Every test has its own
//! accounts, so tests run in parallel.

use super::ntlm;
use super::oauth::Issuer;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The exit status of a script whose server can't run on this machine (Courier and Mailutils
/// without root).
const CANNOT: i32 = 77;
/// How many accounts Cyrus, Courier and Mailutils are started with: `pool` in
/// `scripts/servers/common`.
const POOL: u32 = 60;

/// The password of every account that has none of its own: `password` in `scripts/servers/common`.
/// It is in no word that anything may print, so that any run that shows it is found out
/// ([`super::secrets`]).
pub const PASSWORD: &str = "sesame-Zq7";

/// Where to log in, and as whom.
#[derive(Clone, Debug)]
pub struct Account {
    /// Port on 127.0.0.1 that speaks plainly and offers STARTTLS.
    pub port: u16,
    /// Port on localhost and 127.0.0.1 of implicit TLS.
    pub tls_port: u16,
    pub user: String,
    pub password: String,
    /// The authority that signed the server's certificate.
    pub ca: PathBuf,
}

impl Account {
    /// The address as mailferry takes it, over TLS.
    pub fn address(&self) -> String {
        format!(
            "imaps://{}@localhost:{}?ca={}",
            self.user,
            self.tls_port,
            self.ca.display()
        )
    }

    /// The address without TLS, for proxies that read along.
    pub fn plain_address(&self) -> String {
        format!("imap://{}@127.0.0.1:{}?tls=none", self.user, self.port)
    }

    /// Copies all of a Dovecot account's files there, as a backup of the server does.
    pub fn copy_home(&self, to: &Path) {
        shell(&format!(
            "cp -a {}/. {}",
            self.home().display(),
            to.display()
        ));
    }

    /// Puts such a copy back in the place of what the account holds now.
    pub fn restore_home(&self, from: &Path) {
        let home = self.home();
        shell(&format!(
            "rm -rf {0} && mkdir {0} && cp -a {1}/. {0}",
            home.display(),
            from.display()
        ));
        shell(&format!(
            "chown --reference={} {}",
            home.join("Maildir").display(),
            home.display()
        ));
    }

    /// Where Dovecot keeps the account.
    fn home(&self) -> PathBuf {
        self.ca
            .ancestors()
            .nth(2)
            .unwrap()
            .join("home")
            .join(&self.user)
    }

    /// The same account reached by another port, such as a proxy's.
    pub fn by_port(&self, port: u16) -> Self {
        Self {
            port,
            ..self.clone()
        }
    }
}

fn shell(command: &str) {
    let status = Command::new("sh").arg("-c").arg(command).status().unwrap();
    assert!(status.success(), "{command}: {status}");
}

/// Whom mail belongs to where root runs the lab. No program is asked: one that is being started
/// holds, for a moment, the locks of the tests beside it.
fn mail_ids() -> Option<(u32, u32)> {
    static IDS: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *IDS.get_or_init(|| {
        let users = std::fs::read_to_string("/etc/passwd").unwrap();
        let mail = users
            .lines()
            .find(|line| line.starts_with("mail:"))
            .unwrap();
        let number = |at: usize| mail.split(':').nth(at).unwrap().parse().unwrap();
        rustix::process::geteuid()
            .is_root()
            .then(|| (number(2), number(3)))
    })
}

/// What kind of account Dovecot makes: see `scripts/servers/dovecot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personality {
    /// Maildir++, separator `/`, no prefix.
    Plain,
    /// Prefix `INBOX.`, separator `.`.
    Dot,
    Mdbox,
    Sdbox,
    /// `CAPABILITY` is `IMAP4rev1` after login.
    Poor,
    /// Without MULTIAPPEND.
    NoMulti,
    /// Without QRESYNC, but with CONDSTORE.
    NoQresync,
    /// Without LITERAL+ and MULTIAPPEND.
    NoLiteral,
    /// A quota of 64 KB.
    Tiny,
    /// mbox files, which Dovecot reads in a test and need not write: not among [`Self::ALL`].
    Mbox,
    /// Virtual folders (see [`Dovecot::make_views`]), with Dovecot 2.3: not among [`Self::ALL`].
    Virtual,
    /// Rights (ACL), and other users' folders below `shared/USER/`, with Dovecot 2.3: not among
    /// [`Self::ALL`].
    Acl,
}

impl Personality {
    /// All of them, for tests that go through the list.
    pub const ALL: [Self; 9] = [
        Self::Plain,
        Self::Dot,
        Self::Mdbox,
        Self::Sdbox,
        Self::Poor,
        Self::NoMulti,
        Self::NoQresync,
        Self::NoLiteral,
        Self::Tiny,
    ];

    fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dot => "-dot",
            Self::Mdbox => "-mdbox",
            Self::Sdbox => "-sdbox",
            Self::Poor => "-poor",
            Self::NoMulti => "-nomulti",
            Self::NoQresync => "-noqresync",
            Self::NoLiteral => "-noliteral",
            Self::Tiny => "-tiny",
            Self::Mbox => "-mbox",
            Self::Virtual => "-virtual",
            Self::Acl => "-acl",
        }
    }
}

/// A running server.
pub struct Server {
    directory: PathBuf,
    port: u16,
    tls_port: u16,
    accounts: AtomicU32,
    /// Its stdin is the pipe that keeps the server up.
    _script: Child,
}

impl Server {
    /// Starts the script; `Err` with its words when this server can't run on this machine.
    fn start(name: &str) -> Result<Self, String> {
        Self::start_with(name, &[])
    }

    /// The same with these variables in the script's environment.
    fn start_with(name: &str, environment: &[(&str, &str)]) -> Result<Self, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("scripts/servers")
            .join(name);
        let mut script = Command::new(&path)
            .arg("run")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("can't run {}: {error}", path.display()));
        let mut line = String::new();
        BufReader::new(script.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["ready", directory, port, tls_port] = words[..] else {
            let mut words = String::new();
            script
                .stderr
                .as_mut()
                .unwrap()
                .read_to_string(&mut words)
                .unwrap();
            let status = script.wait().unwrap();
            assert!(
                status.code() == Some(CANNOT),
                "{name} did not start ({status}): {words}"
            );
            return Err(words.trim().to_owned());
        };
        Ok(Self {
            directory: PathBuf::from(directory),
            port: port.parse().unwrap(),
            tls_port: tls_port.parse().unwrap(),
            accounts: AtomicU32::new(0),
            _script: script,
        })
    }

    fn count(&self) -> u32 {
        self.accounts.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn account_of(&self, user: String) -> Account {
        Account {
            port: self.port,
            tls_port: self.tls_port,
            user,
            password: PASSWORD.to_owned(),
            ca: self.directory.join("tls/ca.pem"),
        }
    }

    /// One of the users made beforehand.
    fn pooled(&self) -> Account {
        let number = self.count();
        assert!(
            number <= POOL,
            "more than {POOL} accounts: raise `pool` in scripts/servers/common and POOL here"
        );
        self.account_of(format!("user{number}"))
    }
}

/// Dovecot, which makes an account of any kind for any name.
pub struct Dovecot(Server);

impl Dovecot {
    /// The test binary's Dovecot.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Dovecot> = OnceLock::new();
        SHARED.get_or_init(|| {
            Self(Server::start("dovecot").unwrap_or_else(|reason| panic!("{reason}")))
        })
    }

    /// One that a test has for itself, to restart it.
    pub fn alone() -> Self {
        Self(Server::start("dovecot").unwrap_or_else(|reason| panic!("{reason}")))
    }

    /// Ends it with all its connections and starts it again on the same port.
    pub fn restart(&self) {
        for verb in [&["stop"][..], &["start"]] {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/servers/dovecot");
            let mut command = Command::new(script);
            command.args(verb).arg(&self.0.directory);
            if verb == ["start"] {
                command.arg(self.0.port.to_string());
            }
            let done = command.output().unwrap();
            let words = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{verb:?}: {words}");
        }
    }

    /// A new, empty account; `name` (letters and digits) is for the reader of logs.
    pub fn account(&self, name: &str, personality: Personality) -> Account {
        let number = self.0.count();
        let account = self
            .0
            .account_of(format!("{name}{number}{}", personality.suffix()));
        if !matches!(
            personality,
            Personality::Mbox | Personality::Mdbox | Personality::Sdbox
        ) {
            self.begin_generations(&account, number);
        }
        account
    }

    /// Gives an account's folders UIDVALIDITYs of its own. Dovecot would take the second in which a
    /// folder is created, and two accounts that a test fills alike would look like one mailbox.
    fn begin_generations(&self, account: &Account, number: u32) {
        let (maildir, first) = (self.maildir(account), 0x6000_0000 + (number << 12));
        std::fs::create_dir_all(&maildir).unwrap();
        std::fs::write(maildir.join("dovecot-uidvalidity"), format!("{first:08x}")).unwrap();
        std::fs::write(maildir.join(format!("dovecot-uidvalidity.{first:08x}")), "").unwrap();
        if let Some((user, group)) = mail_ids() {
            let parts = std::fs::read_dir(&maildir)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            for path in parts.chain([maildir.clone(), account.home()]) {
                std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
            }
        }
    }

    /// The Maildir of one of its accounts, which is there once somebody has logged in.
    pub fn maildir(&self, account: &Account) -> PathBuf {
        self.0
            .directory
            .join("home")
            .join(&account.user)
            .join("Maildir")
    }

    /// Makes a copy of a tree the account's Maildir, before anybody has logged in.
    pub fn take_over(&self, account: &Account, tree: &Path) {
        Self::put(tree, &self.maildir(account));
    }

    /// Gives a copy of a directory of mbox files to an account of [`Personality::Mbox`], before
    /// anybody has logged in.
    pub fn take_over_mbox(&self, account: &Account, directory: &Path) {
        Self::put(directory, &account.home().join("mbox"));
    }

    /// Makes virtual folders in an account of [`Personality::Virtual`]: each by the folders that it
    /// shows and a search.
    pub fn make_views(account: &Account, views: &[(&str, &str, &str)]) {
        for (name, folders, search) in views {
            let view = account.home().join("virtual").join(name);
            std::fs::create_dir_all(&view).unwrap();
            std::fs::write(
                view.join("dovecot-virtual"),
                format!("{folders}\n  {search}\n"),
            )
            .unwrap();
        }
        Self::give_to_mail(&account.home());
    }

    /// Copies a tree to a place in an account's home, instead of what is there.
    fn put(tree: &Path, place: &Path) {
        let home = place.parent().unwrap();
        std::fs::create_dir_all(home).unwrap();
        shell(&format!(
            "rm -rf {1} && cp -a {0} {1}",
            tree.display(),
            place.display()
        ));
        Self::give_to_mail(home);
    }

    /// Where root runs the lab, mail belongs to `mail`.
    fn give_to_mail(home: &Path) {
        if rustix::process::geteuid().is_root() {
            shell(&format!("chown -R mail:mail {}", home.display()));
        }
    }
}

/// A Dovecot of its own that takes every mechanism, with the OAuth server that it asks about
/// tokens.
pub struct AnyMechanism {
    dovecot: Dovecot,
    pub issuer: Issuer,
}

impl AnyMechanism {
    /// The password of `master`, who may act for anyone.
    pub const MASTER_PASSWORD: &str = "mastersecret";

    /// The test binary's.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<AnyMechanism> = OnceLock::new();
        SHARED.get_or_init(|| {
            let issuer = Issuer::start();
            let (oauth, ntlm) = (issuer.port.to_string(), ntlm::start().to_string());
            let environment = [
                ("LAB_AUTH", "all"),
                ("LAB_OAUTH_PORT", &*oauth),
                ("LAB_NTLM_PORT", &*ntlm),
            ];
            let server = Server::start_with("dovecot", &environment)
                .unwrap_or_else(|reason| panic!("{reason}"));
            Self {
                dovecot: Dovecot(server),
                issuer,
            }
        })
    }

    /// A new, empty account.
    pub fn account(&self, name: &str) -> Account {
        self.dovecot.account(name, Personality::Plain)
    }

    /// The account of this very name, as others see it too.
    pub fn account_named(&self, user: &str) -> Account {
        self.dovecot.0.account_of(user.to_owned())
    }

    /// The certificate of the user `certified` and its key.
    pub fn client_certificate(&self) -> (PathBuf, PathBuf) {
        let tls = self.dovecot.0.directory.join("tls");
        (tls.join("client.pem"), tls.join("client.key"))
    }
}

/// A Dovecot of its own that takes Kerberos tickets, with the server that gives them.
#[cfg(feature = "gssapi")]
pub struct Kerberos(Server);

#[cfg(feature = "gssapi")]
impl Kerberos {
    /// Starts both.
    pub fn start() -> Self {
        let environment = [("LAB_AUTH", "all"), ("LAB_KERBEROS", "yes")];
        Self(
            Server::start_with("dovecot", &environment).unwrap_or_else(|reason| panic!("{reason}")),
        )
    }

    /// The account of this very name; `kerberos` has tickets.
    pub fn account_named(&self, user: &str) -> Account {
        self.0.account_of(user.to_owned())
    }

    /// The file for `$KRB5_CONFIG`.
    pub fn config(&self) -> PathBuf {
        self.0.directory.join("krb/krb5.conf")
    }

    /// Gets a ticket and puts it into this file.
    pub fn kinit(&self, user: &str, ticket: &Path) {
        let mut kinit = Command::new("kinit")
            .arg("-c")
            .arg(ticket)
            .arg(user)
            .env("KRB5_CONFIG", self.config())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        kinit
            .stdin
            .take()
            .unwrap()
            .write_all(format!("{PASSWORD}\n").as_bytes())
            .unwrap();
        assert!(kinit.wait().unwrap().success());
    }
}

/// Cyrus: prefix `INBOX.`, separator `.`, real mailboxes at every level.
pub struct Cyrus(Server);

impl Cyrus {
    /// A Cyrus of its own that takes CRAM-MD5 and SCRAM too, and offers to bind logins to the
    /// connection.
    pub fn with_all_mechanisms() -> Self {
        Self(
            Server::start_with("cyrus", &[("LAB_AUTH", "all")])
                .unwrap_or_else(|reason| panic!("{reason}")),
        )
    }

    /// The test binary's Cyrus that stores `X` for each 8-bit byte of a header, as Cyrus does
    /// unless it is told not to.
    pub fn munging() -> &'static Self {
        static MUNGING: OnceLock<Cyrus> = OnceLock::new();
        MUNGING.get_or_init(|| {
            Self(
                Server::start_with("cyrus", &[("LAB_MUNGE", "yes")])
                    .unwrap_or_else(|reason| panic!("{reason}")),
            )
        })
    }

    /// The test binary's Cyrus.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cyrus> = OnceLock::new();
        SHARED.get_or_init(|| {
            Self(Server::start("cyrus").unwrap_or_else(|reason| panic!("{reason}")))
        })
    }

    /// A new, empty account.
    pub fn account(&self) -> Account {
        self.0.pooled()
    }
}

/// GNU Mailutils: separator `/`, and mailboxes that can have no folders below them; no implicit
/// TLS.
pub struct Mailutils(Server);

impl Mailutils {
    /// The test binary's Mailutils, or `None`, said on stderr, where it can't run: it needs root.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Result<Mailutils, String>> = OnceLock::new();
        or_skipped(SHARED.get_or_init(|| Server::start("mailutils").map(Self)))
    }

    /// A new, empty account.
    pub fn account(&self) -> Account {
        let account = self.0.pooled();
        Account {
            user: format!("{}@lab.test", account.user),
            ..account
        }
    }
}

/// A server, or `None`, said on stderr, where it can't run.
fn or_skipped<T>(server: &'static Result<T, String>) -> Option<&'static T> {
    server
        .as_ref()
        .inspect_err(|reason| {
            // Not by eprintln!, which the test harness would swallow.
            std::io::stderr()
                .write_all(format!("SKIPPED: {reason}\n").as_bytes())
                .unwrap();
        })
        .ok()
}

/// Courier: no LITERAL+, no MULTIAPPEND, prefix `INBOX.`, separator `.`.
pub struct Courier(Server);

impl Courier {
    /// The test binary's Courier, or `None`, said on stderr, where it can't run: it needs root.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Result<Courier, String>> = OnceLock::new();
        or_skipped(SHARED.get_or_init(|| Server::start("courier").map(Self)))
    }

    /// A new, empty account.
    pub fn account(&self) -> Account {
        self.0.pooled()
    }
}

/// A proxy in front of the test binary's Dovecot, as hosters have one: nginx or perdition.
pub struct Front(Server);

impl Front {
    /// The proxy of this name in `scripts/servers`, or `None` where the system has none.
    pub fn start(name: &str) -> Option<Self> {
        let port = Dovecot::shared().0.port.to_string();
        Server::start_with(name, &[("LAB_BACKEND", &port)])
            .ok()
            .map(Self)
    }

    /// A new, empty account behind it.
    pub fn account(&self) -> Account {
        Dovecot::shared()
            .account("behind", Personality::Plain)
            .by_port(self.0.port)
    }
}
