//! Small files about single accounts, below the state directory: what is to be trusted of them.

use super::directory::PairName;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The maximum length of a file, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// Returns the path of an account's file in a directory, with this ending.
pub(super) fn path(directory: &Path, identity: &str, ending: &str) -> PathBuf {
    directory.join(PairName::new(identity, "").file_name(ending))
}

/// Opens a file to read it; `None` if there is none.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match File::open(path) {
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        file => file.map(Some),
    }
}

/// Reads a file, unless others may have written to it.
///
/// # Errors
/// Why it can't be read or trusted, for messages.
pub(super) fn read(file: &File) -> Result<String, String> {
    let told = |error: io::Error| error.to_string();
    let about = file.metadata().map_err(told)?;
    if about.uid() != rustix::process::geteuid().as_raw() || about.mode() & 0o022 != 0 {
        return Err("others may have written to it".to_owned());
    }
    let mut text = String::new();
    file.take(MAX_FILE)
        .read_to_string(&mut text)
        .map_err(told)?;
    Ok(text)
}
