//! The mechanism of each account's last login: a small file per account, without any secret, in
//! `logins` below the state directory. Its two lines are the account and the mechanism.

use super::account_file;
use super::directory::StateDirectory;
use crate::address::Mechanism;
use crate::store::{Error, ErrorKind};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The mechanisms of the last logins.
#[derive(Clone, Debug)]
pub struct Mechanisms(PathBuf);

impl Mechanisms {
    /// Returns those below this state directory, which need not exist.
    pub fn below(directory: &Path) -> Self {
        Self(directory.join("logins"))
    }

    /// Returns the mechanism of an account's last login, if it was saved.
    ///
    /// # Errors
    /// The file can't be trusted.
    pub fn last(&self, identity: &str) -> Result<Option<Mechanism>, Error> {
        let path = self.path(identity);
        let Some(file) =
            account_file::open(&path).map_err(|error| refused(&path, &error.to_string()))?
        else {
            return Ok(None);
        };
        let text = account_file::read(&file).map_err(|reason| refused(&path, &reason))?;
        let mut lines = text.lines();
        let is_this = lines.next() == Some(identity);
        let mechanism = lines.next().filter(|_| is_this).and_then(Mechanism::named);
        mechanism
            .map(Some)
            .ok_or_else(|| refused(&path, "it is damaged, or was written by a newer mailferry"))
    }

    /// Saves it for the next run, replacing the last one.
    ///
    /// # Errors
    /// It can't be written.
    pub fn keep(&self, identity: &str, mechanism: Mechanism) -> Result<(), Error> {
        let path = self.path(identity);
        let failed = |error: io::Error| refused(&path, &error.to_string());
        StateDirectory::open(&self.0)?;
        let mut file = tempfile::Builder::new()
            .prefix(".")
            .tempfile_in(&self.0)
            .map_err(failed)?;
        write!(file, "{identity}\n{mechanism}\n").map_err(failed)?;
        file.persist(&path)
            .map(drop)
            .map_err(|error| failed(error.error))
    }

    fn path(&self, identity: &str) -> PathBuf {
        account_file::path(&self.0, identity, "login")
    }
}

fn refused(path: &Path, reason: &str) -> Error {
    let hint = "check what else has access to this account; if all is well, delete the file, and the next login is \
                remembered again";
    Error::new(
        ErrorKind::Local,
        format!(
            "could not use {}, which remembers the last login: {reason}",
            path.display()
        ),
    )
    .with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    #[test]
    fn a_saved_mechanism_is_private_and_of_one_account() {
        let root = tempfile::tempdir().unwrap();
        let mechanisms = Mechanisms::below(&root.path().join("state"));
        assert_eq!(mechanisms.last("imap:ann@h").unwrap(), None);
        mechanisms.keep("imap:ann@h", Mechanism::ScramSha1).unwrap();
        mechanisms
            .keep("imap:ann@h", Mechanism::ScramSha256Plus)
            .unwrap();
        assert_eq!(
            mechanisms.last("imap:ann@h").unwrap(),
            Some(Mechanism::ScramSha256Plus)
        );
        assert_eq!(mechanisms.last("imap:ann@other").unwrap(), None);
        assert_eq!(
            fs::metadata(mechanisms.path("imap:ann@h")).unwrap().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::metadata(&mechanisms.0).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn an_untrusted_file_is_an_error_and_never_ignored() {
        let root = tempfile::tempdir().unwrap();
        let mechanisms = Mechanisms::below(root.path());
        mechanisms.keep("imap:ann@h", Mechanism::ScramSha1).unwrap();
        let path = mechanisms.path("imap:ann@h");
        for text in [
            "",
            "imap:ann@h\n",
            "imap:ann@h\nROT-13\n",
            "imap:eve@h\nPLAIN\n",
            "imap:ann@h\n\u{0}\n",
        ] {
            fs::write(&path, text).unwrap();
            assert!(mechanisms.last("imap:ann@h").is_err(), "{text:?}");
        }
        fs::write(&path, "imap:ann@h\nPLAIN\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(mechanisms.last("imap:ann@h").is_err());
    }
}
