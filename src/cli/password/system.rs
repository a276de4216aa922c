//! The sources of passwords on a real machine.

use super::{Surroundings, netrc_path, variable_name};
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::{exit, harmless, netrc, tokens};
use anyhow::{Context as _, anyhow, ensure};
use mailferry::mail::Side;
use mailferry::oauth::Login;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The longest password or token, in bytes.
const MAX_PASSWORD: usize = 64 * 1024;

/// The longest netrc file, in bytes.
const MAX_NETRC: usize = 1024 * 1024;

/// The process's files, commands, environment and terminal.
pub(crate) struct System<'a> {
    /// Where questions are asked.
    pub(crate) console: &'a Console,
}

/// Returns the first line of a file that must be private to the user.
pub(super) fn file(path: &str) -> anyhow::Result<SecretString> {
    let failed = || format!("could not read {path}");
    let mut file = File::open(path).with_context(failed)?;
    ensure_private(&file, Path::new(path))?;
    first_line(&mut file)
        .with_context(failed)?
        .with_context(|| format!("{path} is empty"))
}

/// Returns an OAuth client's secret: the first line of a file, or of stdin (`-`).
pub(crate) fn client_secret(path: &str) -> anyhow::Result<SecretString> {
    if path == "-" {
        return first_line(&mut io::stdin().lock())
            .context("could not read stdin")?
            .context("stdin is empty");
    }
    file(path)
}

/// Returns the first line that a shell command prints.
pub(super) fn command(command: &str) -> anyhow::Result<SecretString> {
    let failed = "could not run its password command";
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdout(Stdio::piped());
    // The other side's password is none of its business.
    for side in Side::BOTH {
        shell.env_remove(variable_name(side));
    }
    let mut child = shell.spawn().context(failed)?;
    let line = child.stdout.take().map(|mut stdout| {
        let line = first_line(&mut stdout);
        // It may still be writing: let it finish rather than kill it with a broken pipe.
        io::copy(&mut stdout, &mut io::sink()).and(line)
    });
    let status = child.wait().context(failed)?;
    ensure!(status.success(), "its password command failed: {status}");
    line.transpose()
        .context(failed)?
        .flatten()
        .context("its password command printed nothing")
}

/// Refuses a secret file that isn't private to the user; one that can't be opened is reported
/// elsewhere.
pub(crate) fn check_private(path: &Path) -> anyhow::Result<()> {
    File::open(path).map_or(Ok(()), |file| ensure_private(&file, path))
}

/// Pipes and devices need no protection from readers: process substitution opens one.
fn ensure_private(file: &File, path: &Path) -> anyhow::Result<()> {
    let about = file
        .metadata()
        .with_context(|| format!("could not look at {}", path.display()))?;
    if !about.is_file() {
        return Ok(());
    }
    ensure!(
        about.mode() & 0o077 == 0,
        "other users of this machine have access to {path}; run `chmod 600 {path}`",
        path = path.display()
    );
    // Its owner has access, too; root has access to everything.
    ensure!(
        [rustix::process::geteuid().as_raw(), 0].contains(&about.uid()),
        "{path} belongs to another user of this machine; run `chown {user} {path}`",
        user = rustix::process::geteuid().as_raw(),
        path = path.display()
    );
    Ok(())
}

impl Surroundings for System<'_> {
    fn file(&self, path: &str) -> anyhow::Result<SecretString> {
        file(path)
    }

    fn stdin(&self) -> anyhow::Result<SecretString> {
        first_line(&mut io::stdin().lock())
            .context("could not read stdin")?
            .context("stdin is empty")
    }

    fn command(&self, line: &str) -> anyhow::Result<SecretString> {
        command(line)
    }

    fn variable(&self, name: &str) -> anyhow::Result<Option<SecretString>> {
        let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let text = value
            .into_string()
            .map_err(|_| anyhow!("{name} is not UTF-8"))?;
        Ok(Some(text.into()))
    }

    fn login(&self, host: &str, user: &str) -> Result<Option<Login>, Failure> {
        // A file that others can read is refused like any other secret file.
        let refused = |error| Failure {
            code: exit::USAGE,
            kind: "usage",
            ..Failure::from(error)
        };
        tokens::vault()
            .map_or(Ok(None), |vault| Login::find(vault, user, host))
            .map_err(refused)
    }

    #[cfg(feature = "keyring")]
    fn keyring(&self, host: &str, user: &str) -> anyhow::Result<Option<SecretString>> {
        use keyring::Error::{NoEntry, NoStorageAccess, PlatformFailure};
        match keyring::Entry::new(host, user).and_then(|entry| entry.get_password()) {
            Ok(password) => Ok(Some(password.into())),
            // Nothing in it; locked, and staying so; no desktop.
            Err(NoEntry | NoStorageAccess(_) | PlatformFailure(_)) => Ok(None),
            Err(error) => Err(anyhow!("could not use what the keyring has: {error}")),
        }
    }

    #[cfg(not(feature = "keyring"))]
    fn keyring(&self, _: &str, _: &str) -> anyhow::Result<Option<SecretString>> {
        Ok(None)
    }

    fn netrc(&self, host: &str, user: &str) -> anyhow::Result<Option<SecretString>> {
        let Some(path) = netrc_path(std::env::var_os("NETRC"), std::env::home_dir()) else {
            return Ok(None);
        };
        let failed = || format!("could not read {}", path.display());
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.with_context(failed)?,
        };
        let text = limited(&mut file, MAX_NETRC).with_context(failed)?;
        let text = str::from_utf8(&text).with_context(failed)?;
        let found = netrc::find(text, host, user);
        if found.is_some() {
            ensure_private(&file, &path)?;
        }
        Ok(found)
    }

    fn prompt(&self, question: &str) -> Option<anyhow::Result<SecretString>> {
        if !(io::stdin().is_terminal() && self.console.is_terminal()) {
            return None;
        }
        let answer = rpassword::prompt_password(harmless::text(question)).map(SecretString::from);
        Some(answer.context("could not ask for it"))
    }
}

/// Returns the first line without its end; `None` if it is empty.
fn first_line(from: &mut dyn Read) -> io::Result<Option<SecretString>> {
    // All the room at once, as growing would leave copies behind; one byte at a time, as the rest
    // isn't ours.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_PASSWORD));
    let mut byte = Zeroizing::new([0]);
    while read_byte(from, &mut byte)? && byte[0] != b'\n' {
        if line.len() == MAX_PASSWORD {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its first line is too long for a password",
            ));
        }
        line.push(byte[0]);
    }
    let text = str::from_utf8(&line)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))?;
    let text = text.strip_suffix('\r').unwrap_or(text);
    Ok((!text.is_empty()).then(|| text.into()))
}

fn read_byte(from: &mut dyn Read, byte: &mut [u8; 1]) -> io::Result<bool> {
    loop {
        match from.read(byte) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.map(|n| n == 1),
        }
    }
}

/// Returns everything, if it is at most `limit` bytes.
fn limited(from: &mut File, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(Vec::with_capacity(limit));
    from.take(limit as u64).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::When;
    use secrecy::ExposeSecret as _;
    use std::os::unix::fs::PermissionsExt as _;

    fn line(bytes: &[u8]) -> Result<Option<String>, io::Error> {
        let mut reader = bytes;
        first_line(&mut reader).map(|line| line.map(|text| text.expose_secret().to_owned()))
    }

    #[test]
    fn a_password_is_the_first_line() {
        assert_eq!(line(b"s3cret").unwrap().as_deref(), Some("s3cret"));
        assert_eq!(
            line(b"s3cret\r\nnot this").unwrap().as_deref(),
            Some("s3cret")
        );
        assert_eq!(line(b" sp aces \n").unwrap().as_deref(), Some(" sp aces "));
        assert_eq!(line(b"").unwrap(), None);
        assert_eq!(line(b"\nsecond").unwrap(), None);
        assert!(line(b"\xff\n").is_err());
        assert!(line(&vec![b'x'; MAX_PASSWORD + 1]).is_err());
    }

    #[test]
    fn commands_run_in_a_shell_and_their_errors_contain_no_secret() {
        let console = Console::new(When::Never);
        let system = System { console: &console };
        let password = system.command("printf 'a b\\nrest\\n'; :").unwrap();
        assert_eq!(password.expose_secret(), "a b");
        let failed = format!("{:#}", system.command("echo hunter2; exit 3").unwrap_err());
        assert!(
            failed.contains('3') && !failed.contains("hunter2"),
            "{failed}"
        );
        assert!(
            system
                .command(":")
                .unwrap_err()
                .to_string()
                .contains("nothing")
        );
    }

    #[test]
    fn unreadable_files_are_named() {
        let console = Console::new(When::Never);
        let system = System { console: &console };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pw");
        std::fs::write(&path, "s3cret\n").unwrap();
        for (mode, is_private) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = system.file(path.to_str().unwrap());
            assert_eq!(read.is_ok(), is_private, "{mode:o}");
            assert_eq!(check_private(&path).is_ok(), is_private, "{mode:o}");
            assert!(
                read.err()
                    .is_none_or(|error| error.to_string().contains("chmod 600"))
            );
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(
            system.file(path.to_str().unwrap()).unwrap().expose_secret(),
            "s3cret"
        );
        // Only root can give a file away, so only root can test this.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            let error = system.file(path.to_str().unwrap()).unwrap_err();
            assert!(format!("{error:#}").contains("chown 0 "), "{error:#}");
        }
        assert!(
            format!("{:#}", system.file("/nonexistent/pw").unwrap_err())
                .contains("/nonexistent/pw: ")
        );
    }
}
