//! `mailferry login` with a simulated user, and its own home directory for tokens.

use super::grants::Registration;
use super::run::{Run, mailferry};
use super::servers::Account;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A home where tokens are kept.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// mailferry at home here, with no password anywhere.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = mailferry(arguments);
        command
            .env_remove("MAILFERRY_SOURCE_PASSWORD")
            .env("HOME", self.path())
            .env("XDG_STATE_HOME", self.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// Where tokens are.
    pub fn tokens(&self) -> PathBuf {
        self.path().join("mailferry/tokens")
    }

    /// The files of tokens, by their names.
    pub fn token_files(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.tokens())
            .map(|files| files.map(|file| file.unwrap().path()).collect());
        let mut files: Vec<PathBuf> = files.unwrap_or_default();
        files.retain(|path| path.extension() == Some("json".as_ref()));
        files.sort();
        files
    }
}

/// A file's permissions.
pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The arguments of a login at this client's server.
pub fn arguments<'a>(address: &'a str, client: &'a Registration, more: &[&'a str]) -> Vec<String> {
    let mut all = vec![
        "login",
        address,
        "--client-id",
        &client.id,
        "--scope",
        "mail",
        "--scope",
        "offline_access",
    ];
    let endpoints = ["authorize", "token", "device"].map(|name| client.endpoint(name));
    let options = [
        "--authorization-endpoint",
        "--token-endpoint",
        "--device-endpoint",
    ];
    options
        .iter()
        .zip(&endpoints)
        .for_each(|(option, url)| all.extend([option, url.as_str()]));
    all.extend(more);
    all.into_iter().map(str::to_owned).collect()
}

/// Logs in with a code for another device, to its end.
pub fn by_device(home: &Home, address: &str, client: &Registration, more: &[&str]) -> Run {
    let arguments = arguments(address, client, &[&["--flow", "device"], more].concat());
    home.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A login that waits for a browser.
pub struct Waiting {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    shown: String,
    /// What is to be opened.
    pub address: String,
}

/// Begins one.
pub fn by_browser(home: &Home, address: &str, client: &Registration, more: &[&str]) -> Waiting {
    let arguments = arguments(address, client, &[&["--flow", "browser"], more].concat());
    let mut command = home.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut shown = String::new();
    while !shown.contains("http://") {
        assert!(
            stderr.read_line(&mut shown).unwrap() > 0,
            "it ended: {shown}"
        );
    }
    let address = shown[shown.find("http://").unwrap()..]
        .trim_end()
        .to_owned();
    Waiting {
        child,
        stderr,
        shown,
        address,
    }
}

impl Waiting {
    /// What the user's browser does: it opens the address, the server agrees, and it goes where it
    /// is sent.
    pub fn agree(&self) -> String {
        let back = self.sent_back();
        get(&back).0
    }

    /// Where the server sends the browser.
    pub fn sent_back(&self) -> String {
        let (answer, head) = get(&self.address);
        let location = head
            .lines()
            .find_map(|line| line.strip_prefix("Location: "));
        location
            .unwrap_or_else(|| panic!("no redirect: {answer} {head}"))
            .to_owned()
    }

    pub fn end(mut self) -> Run {
        let mut stdout = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut stdout)
            .unwrap();
        self.stderr.read_to_string(&mut self.shown).unwrap();
        let code = self.child.wait().unwrap().code();
        Run {
            code,
            stdout,
            stderr: self.shown,
        }
    }
}

/// `GET` of an address on this machine: the status line, and the whole answer.
pub fn get(address: &str) -> (String, String) {
    let rest = address.strip_prefix("http://").unwrap();
    let (place, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(place).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (
        answer.lines().next().unwrap_or_default().to_owned(),
        answer.replace("\r\n", "\n"),
    )
}

/// An account's address by TLS, without a password.
pub fn tls(account: &Account, more: &str) -> String {
    format!("{}&timeout=60{more}", account.address())
}
