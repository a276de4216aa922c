//! Errors for when the disk refuses: the path, what was tried, and what it means for a run.

use crate::store::{Error, ErrorKind, Refusal, RefusalMeaning};
use std::io;
use std::path::Path;

/// Makes the error for one folder or message: `what` was tried on `path`.
pub(in crate::store) fn refused(what: &str, path: &Path, error: &io::Error) -> Refusal {
    let meaning = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => RefusalMeaning::Full,
        io::ErrorKind::NotFound => RefusalMeaning::NoFolder,
        _ => RefusalMeaning::Permanent,
    };
    Refusal {
        meaning,
        text: format!("cannot {what} {}: {}", path.display(), reason(error)),
    }
}

/// Makes an error that ends the run.
pub(in crate::store) fn stopped(what: &str, path: &Path, error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        _ => ErrorKind::Local,
    };
    let failed = Error::new(
        kind,
        format!("cannot {what} {}: {}", path.display(), reason(error)),
    );
    match error.kind() {
        io::ErrorKind::PermissionDenied => failed.with_hint("run as the user who owns the mail"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            failed.with_hint("free some space there, then rerun the same command to resume")
        }
        io::ErrorKind::FileTooLarge => failed.with_hint(
            "raise the limit on the size of files (`ulimit -f`), or use a file system that allows larger ones; then \
             rerun the same command",
        ),
        io::ErrorKind::ReadOnlyFilesystem => failed.with_hint("mount it for writing, or use another directory"),
        _ => failed,
    }
}

/// Makes a permanent refusal with our own text.
pub(in crate::store) fn permanent(text: impl Into<String>) -> Refusal {
    Refusal {
        meaning: RefusalMeaning::Permanent,
        text: text.into(),
    }
}

/// Makes the refusal for a folder that doesn't exist.
pub(in crate::store) fn gone(path: &Path) -> Refusal {
    let text = format!("the folder {} no longer exists; run again", path.display());
    Refusal {
        meaning: RefusalMeaning::NoFolder,
        text,
    }
}

/// Makes the refusal for UIDs with another UIDVALIDITY, which mean nothing in this folder.
pub(in crate::store) fn made_anew(path: &Path) -> Refusal {
    let text = format!(
        "the messages in {} were renumbered during the run (UIDVALIDITY changed); run again",
        path.display()
    );
    Refusal {
        meaning: RefusalMeaning::NoFolder,
        text,
    }
}

/// Returns the system's reason, in clearer words for a symbolic link and for a file size limit.
fn reason(error: &io::Error) -> String {
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return "it is a symbolic link, which is not followed".to_owned();
    }
    if error.kind() == io::ErrorKind::FileTooLarge {
        return "it would exceed the limit on file size (see `ulimit -f`)".to_owned();
    }
    error.to_string()
}
