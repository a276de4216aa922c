//! The ways to a password on a real machine.

use super::{Surroundings, netrc_path};
use crate::cli::console::Console;
use crate::cli::{harmless, netrc};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The longest password or token, in bytes.
const MAX_PASSWORD: usize = 64 * 1024;

/// The longest netrc file, in bytes.
const MAX_NETRC: usize = 1024 * 1024;

/// The process's files, commands, environment and terminal. Warnings go to the console.
pub(crate) struct System<'a> {
    /// Where warnings go.
    pub(crate) console: &'a Console,
}

impl Surroundings for System<'_> {
    fn file(&self, path: &str) -> Result<SecretString, String> {
        let failed = |error: io::Error| format!("could not read {path}: {error}");
        let mut file = File::open(path).map_err(failed)?;
        self.warn_if_open_to_others(&file, Path::new(path));
        first_line(&mut file).map_err(failed)?.ok_or_else(|| format!("{path} is empty"))
    }

    fn stdin(&self) -> Result<SecretString, String> {
        let line = first_line(&mut io::stdin().lock()).map_err(|error| format!("could not read stdin: {error}"))?;
        line.ok_or_else(|| "stdin is empty".to_owned())
    }

    fn command(&self, command: &str) -> Result<SecretString, String> {
        let failed = |error: io::Error| format!("could not run its password command: {error}");
        let mut child = Command::new("sh").args(["-c", command]).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let line = child.stdout.take().map(|mut stdout| {
            let line = first_line(&mut stdout);
            // It may go on writing: let it finish rather than kill it by a broken pipe.
            io::copy(&mut stdout, &mut io::sink()).and(line)
        });
        let status = child.wait().map_err(failed)?;
        if !status.success() {
            return Err(format!("its password command failed: {status}"));
        }
        line.transpose().map_err(failed)?.flatten().ok_or_else(|| "its password command printed nothing".to_owned())
    }

    fn variable(&self, name: &str) -> Result<Option<SecretString>, String> {
        let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        value.into_string().map(|text| Some(text.into())).map_err(|_| format!("{name} is not UTF-8"))
    }

    fn netrc(&self, host: &str, user: &str) -> Result<Option<SecretString>, String> {
        let Some(path) = netrc_path(std::env::var_os("NETRC"), std::env::home_dir()) else {
            return Ok(None);
        };
        let failed = |error: io::Error| format!("could not read {}: {error}", path.display());
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let text = limited(&mut file, MAX_NETRC).map_err(failed)?;
        let text = str::from_utf8(&text).map_err(|_| format!("{} is not UTF-8", path.display()))?;
        let found = netrc::find(text, host, user);
        if found.is_some() {
            self.warn_if_open_to_others(&file, &path);
        }
        Ok(found)
    }

    fn prompt(&self, question: &str) -> Option<Result<SecretString, String>> {
        if !(io::stdin().is_terminal() && self.console.is_terminal()) {
            return None;
        }
        let answer = rpassword::prompt_password(harmless::text(question)).map(SecretString::from);
        Some(answer.map_err(|error| format!("could not ask for it: {error}")))
    }
}

impl System<'_> {
    /// Pipes and devices have no readers to fear: process substitution opens one.
    fn warn_if_open_to_others(&self, file: &File, path: &Path) {
        if let Ok(about) = file.metadata()
            && about.is_file()
            && about.permissions().mode() & 0o077 != 0
        {
            let path = path.display();
            self.console.warning(&format!("other users of this machine may have access to {path}: chmod 600 it"));
        }
    }
}

/// The first line without its end; `None` where it is empty.
fn first_line(from: &mut dyn Read) -> io::Result<Option<SecretString>> {
    // All the room at once, as growing would leave copies behind; one byte at a time, as the rest is not ours.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_PASSWORD));
    let mut byte = Zeroizing::new([0]);
    while read_byte(from, &mut byte)? && byte[0] != b'\n' {
        if line.len() == MAX_PASSWORD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its first line is too long for a password"));
        }
        line.push(byte[0]);
    }
    let text = str::from_utf8(&line).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))?;
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

/// Everything, if it is not longer than `limit`.
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

    fn line(bytes: &[u8]) -> Result<Option<String>, io::Error> {
        let mut reader = bytes;
        first_line(&mut reader).map(|line| line.map(|text| text.expose_secret().to_owned()))
    }

    #[test]
    fn a_password_is_the_first_line() {
        assert_eq!(line(b"s3cret").unwrap().as_deref(), Some("s3cret"));
        assert_eq!(line(b"s3cret\r\nnot this").unwrap().as_deref(), Some("s3cret"));
        assert_eq!(line(b" sp aces \n").unwrap().as_deref(), Some(" sp aces "));
        assert_eq!(line(b"").unwrap(), None);
        assert_eq!(line(b"\nsecond").unwrap(), None);
        assert!(line(b"\xff\n").is_err());
        assert!(line(&vec![b'x'; MAX_PASSWORD + 1]).is_err());
    }

    #[test]
    fn commands_run_in_a_shell_and_their_failure_says_nothing_secret() {
        let console = Console::new(When::Never);
        let system = System { console: &console };
        let password = system.command("printf 'a b\\nrest\\n'; :").unwrap();
        assert_eq!(password.expose_secret(), "a b");
        let failed = system.command("echo hunter2; exit 3").unwrap_err();
        assert!(failed.contains('3') && !failed.contains("hunter2"), "{failed}");
        assert!(system.command(":").unwrap_err().contains("nothing"));
    }

    #[test]
    fn files_are_read_and_named_when_they_can_not_be() {
        let console = Console::new(When::Never);
        let system = System { console: &console };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pw");
        std::fs::write(&path, "s3cret\n").unwrap();
        assert_eq!(system.file(path.to_str().unwrap()).unwrap().expose_secret(), "s3cret");
        assert!(system.file("/nonexistent/pw").unwrap_err().contains("/nonexistent/pw"));
    }
}
