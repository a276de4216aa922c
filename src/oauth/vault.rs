//! Where tokens are stored: in a file for each account, private to its owner (mode 0600), in a
//! private directory; or in a keyring, in which case the file says so. A file that others can
//! access is an error.

use super::kept::{Account, Kept};
use super::renew::since_1970;
use super::{Client, Tokens};
use crate::store::{Error, ErrorKind};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The version of the file format.
const VERSION: u32 = 1;
/// The longest file: tokens have some kilobytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The system's keyring, if one is usable.
pub trait Keyring: Send + Sync {
    /// Stores a text for this account; `false` if there is no keyring.
    ///
    /// # Errors
    /// The keyring's words.
    fn put(&self, account: &str, text: &str) -> Result<bool, String>;

    /// Returns what is stored for this account.
    ///
    /// # Errors
    /// The keyring's words; there is nothing, or no keyring.
    fn get(&self, account: &str) -> Result<Zeroizing<String>, String>;

    /// Deletes it, if there is something.
    ///
    /// # Errors
    /// The keyring's words; there is none.
    fn remove(&self, account: &str) -> Result<(), String>;
}

/// The store of all tokens.
#[derive(Clone)]
pub struct Vault {
    directory: PathBuf,
    keyring: Option<Arc<dyn Keyring>>,
}

/// A file's contents.
#[derive(Serialize, Deserialize)]
struct Entry {
    version: u32,
    account: Account,
    /// `None`: they are in the keyring.
    tokens: Option<Kept>,
}

impl Vault {
    /// Makes the one in this directory; creates nothing yet.
    pub fn new(directory: PathBuf, keyring: Option<Arc<dyn Keyring>>) -> Self {
        Self { directory, keyring }
    }

    /// Stores a login's tokens. Returns whether they are in the keyring.
    ///
    /// # Errors
    /// A directory or file that can't be written, or a keyring that refuses.
    pub fn keep(&self, account: &Account, client: &Client, tokens: Tokens) -> Result<bool, Error> {
        self.make_directory()?;
        let _alone = self.alone(account)?;
        let kept = Kept::new(client, tokens, since_1970());
        let is_in_keyring = match &self.keyring {
            Some(keyring) => keyring
                .put(&name(account), &text(&kept)?)
                .map_err(|words| of_keyring(&words))?,
            None => false,
        };
        let tokens = (!is_in_keyring).then_some(kept);
        self.write(&Entry {
            version: VERSION,
            account: account.clone(),
            tokens,
        })?;
        Ok(is_in_keyring)
    }

    /// Deletes an account's tokens. Returns whether there were any.
    ///
    /// # Errors
    /// Something that can't be removed.
    pub fn forget(&self, user: &str, host: &str) -> Result<bool, Error> {
        let path = self.path(user, host);
        let Some(entry) = self.read(&path)? else {
            return Ok(false);
        };
        let _alone = self.alone(&entry.account)?;
        match (&self.keyring, &entry.tokens) {
            (Some(keyring), None) => keyring
                .remove(&name(&entry.account))
                .map_err(|words| of_keyring(&words))?,
            // Those of an earlier login that found no keyring; there may be none.
            (Some(keyring), Some(_)) => drop(keyring.remove(&name(&entry.account))),
            (None, None) => return Err(out_of_reach()),
            (None, Some(_)) => {}
        }
        for path in [path.with_extension("lock"), path] {
            std::fs::remove_file(&path).map_err(|error| refused(&path, &error.to_string()))?;
        }
        Ok(true)
    }

    /// Lists all accounts, by user and host, and whether their tokens are in the keyring.
    ///
    /// # Errors
    /// A directory or file that can't be read.
    pub fn list(&self) -> Result<Vec<(Account, bool)>, Error> {
        let files = match std::fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files.map_err(|error| refused(&self.directory, &error.to_string()))?,
        };
        let mut accounts = Vec::new();
        for path in files
            .filter_map(|file| Some(file.ok()?.path()))
            .filter(|path| path.extension() == Some("json".as_ref()))
        {
            accounts.extend(
                self.read(&path)?
                    .map(|entry| (entry.account, entry.tokens.is_none())),
            );
        }
        accounts.sort_by(|(one, _), (other, _)| {
            (&one.user, &one.host).cmp(&(&other.user, &other.host))
        });
        Ok(accounts)
    }

    /// Returns the account of this user on this host, if they have logged in there.
    pub(super) fn account(&self, user: &str, host: &str) -> Result<Option<Account>, Error> {
        Ok(self
            .read(&self.path(user, host))?
            .map(|entry| entry.account))
    }

    /// Returns the current tokens.
    pub(super) fn load(&self, account: &Account) -> Result<Option<Kept>, Error> {
        let path = self.path(&account.user, &account.host);
        let Some(entry) = self.read(&path)? else {
            return Ok(None);
        };
        if let Some(kept) = entry.tokens {
            return Ok(Some(kept));
        }
        let keyring = self.keyring.as_ref().ok_or_else(out_of_reach)?;
        let text = keyring
            .get(&name(account))
            .map_err(|words| of_keyring(&words))?;
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|_| of_keyring("its entry is damaged"))
    }

    /// Stores renewed tokens where they were.
    pub(super) fn save(&self, account: &Account, kept: &Kept) -> Result<(), Error> {
        let path = self.path(&account.user, &account.host);
        let is_in_keyring = self
            .read(&path)?
            .is_some_and(|entry| entry.tokens.is_none());
        match &self.keyring {
            Some(keyring) if is_in_keyring => {
                let is_kept = keyring
                    .put(&name(account), &text(kept)?)
                    .map_err(|words| of_keyring(&words))?;
                if is_kept {
                    Ok(())
                } else {
                    Err(of_keyring("it is gone"))
                }
            }
            _ => {
                let copy = serde_json::from_str(&text(kept)?)
                    .map_err(|error| refused(&path, &error.to_string()))?;
                self.write(&Entry {
                    version: VERSION,
                    account: account.clone(),
                    tokens: Some(copy),
                })
            }
        }
    }

    /// Waits until no other run is using these tokens, and locks them until the file is dropped.
    pub(super) fn alone(&self, account: &Account) -> Result<File, Error> {
        let path = self
            .path(&account.user, &account.host)
            .with_extension("lock");
        let failed = |error: io::Error| refused(&path, &error.to_string());
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }

    fn path(&self, user: &str, host: &str) -> PathBuf {
        let mut hash = Sha256::new();
        hash.update(user.as_bytes());
        hash.update([0]);
        hash.update(host.to_ascii_lowercase().as_bytes());
        let name: String = hash
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.directory.join(name).with_extension("json")
    }

    fn make_directory(&self) -> Result<(), Error> {
        let failed = |reason: &str| refused(&self.directory, reason);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)
            .map_err(|error| failed(&error.to_string()))?;
        let about = std::fs::symlink_metadata(&self.directory)
            .map_err(|error| failed(&error.to_string()))?;
        if !about.is_dir() || about.mode() & 0o077 != 0 {
            return Err(failed(
                "it must be a directory private to you; run `chmod 700` on it",
            ));
        }
        Ok(())
    }

    /// Reads a file; `None` if there is none.
    fn read(&self, path: &Path) -> Result<Option<Entry>, Error> {
        let failed = |error: io::Error| refused(path, &error.to_string());
        let file = match OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
        {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            file => file.map_err(failed)?,
        };
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() || about.uid() != rustix::process::geteuid().as_raw() {
            return Err(refused(path, "it isn't your file"));
        }
        if about.mode() & 0o077 != 0 {
            let reason = format!(
                "other users of this machine have access to it; run `chmod 600 {}`",
                path.display()
            );
            return Err(refused(path, &reason));
        }
        let room = usize::try_from(about.len().min(MAX_FILE)).unwrap_or_default();
        let mut content = Zeroizing::new(Vec::with_capacity(room + 1));
        file.take(MAX_FILE)
            .read_to_end(&mut content)
            .map_err(failed)?;
        let damaged = || refused(path, "it is damaged, or was written by a newer mailferry");
        let entry: Entry = serde_json::from_slice(&content).map_err(|_| damaged())?;
        if entry.version == VERSION {
            Ok(Some(entry))
        } else {
            Err(damaged())
        }
    }

    /// Replaces a whole file, durably: a refresh token that has been rotated no longer works.
    fn write(&self, entry: &Entry) -> Result<(), Error> {
        let path = self.path(&entry.account.user, &entry.account.host);
        let failed = |error: io::Error| refused(&path, &error.to_string());
        let content =
            Zeroizing::new(serde_json::to_vec(entry).map_err(|error| failed(error.into()))?);
        let mut file = tempfile::Builder::new()
            .prefix(".")
            .tempfile_in(&self.directory)
            .map_err(failed)?;
        file.write_all(&content).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(failed)
    }
}

fn name(account: &Account) -> String {
    format!("{}@{}", account.user, account.host.to_ascii_lowercase())
}

fn text(kept: &Kept) -> Result<Zeroizing<String>, Error> {
    let failed = |error: serde_json::Error| {
        Error::new(
            ErrorKind::Local,
            format!("could not store the tokens: {error}"),
        )
    };
    serde_json::to_string(kept)
        .map(Zeroizing::new)
        .map_err(failed)
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::new(
        ErrorKind::Local,
        format!("could not use the tokens in {}: {reason}", path.display()),
    )
}

fn of_keyring(words: &str) -> Error {
    Error::new(
        ErrorKind::Local,
        format!("could not use the keyring for the tokens: {words}"),
    )
    .with_hint("unlock the keyring, or run `mailferry login` again")
}

fn out_of_reach() -> Error {
    Error::new(
        ErrorKind::Local,
        "the tokens are in the keyring, which this build of mailferry does not support",
    )
    .with_hint("build it with `--features keyring`, or log in again")
}
