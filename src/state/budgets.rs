//! What each account has moved today: a small file per account in `budgets` below the state
//! directory, without any secret.
//!
//! Several processes may use an account at the same time: each locks the file while it adds what it
//! has moved. The file is written by one call and always has the same length for the same account,
//! so that a process that is killed leaves the old numbers or the new ones.
//!
//! ```text
//! imap:ann@imap.example.org
//! 1 00000000000000020787 …                                    version, then the numbers of a page
//! ```

use super::account_file;
use super::directory::StateDirectory;
use crate::locks::lock;
use crate::store::budget::{Book, Page};
use crate::store::{Error, ErrorKind};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The version of the format.
const VERSION: &str = "1";

/// The pages of all accounts.
#[derive(Clone, Debug)]
pub struct Budgets(PathBuf);

impl Budgets {
    /// Returns those below this state directory, which need not exist.
    pub fn below(directory: &Path) -> Self {
        Self(directory.join("budgets"))
    }

    /// Returns an account's page; an empty one if nothing was saved.
    ///
    /// # Errors
    /// The file can't be trusted.
    pub fn look(&self, identity: &str) -> Result<Page, Error> {
        let path = self.path(identity);
        let failed = |error: io::Error| refused(&path, &error.to_string());
        let Some(file) = account_file::open(&path).map_err(failed)? else {
            return Ok(Page::default());
        };
        file.lock_shared().map_err(failed)?;
        read(&file, identity, &path)
    }

    /// Returns the book of an account. What it can't save is reported to `warn`, once; the run
    /// counts on by itself then.
    ///
    /// # Errors
    /// The file can't be trusted.
    pub fn book(
        self,
        identity: &str,
        warn: Box<dyn Fn(&Error) + Send + Sync>,
    ) -> Result<impl Book + use<>, Error> {
        let page = self.look(identity)?;
        Ok(AccountBook {
            budgets: self,
            identity: identity.to_owned(),
            last: Mutex::new(Last {
                page,
                has_failed: false,
            }),
            warn,
        })
    }

    fn update(&self, identity: &str, change: impl FnOnce(Page) -> Page) -> Result<Page, Error> {
        let path = self.path(identity);
        let failed = |error: io::Error| refused(&path, &error.to_string());
        StateDirectory::open(&self.0)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.mode(0o600).open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        let page = change(read(&file, identity, &path)?);
        file.write_all_at(written(identity, &page).as_bytes(), 0)
            .map_err(failed)?;
        Ok(page)
    }

    fn path(&self, identity: &str) -> PathBuf {
        account_file::path(&self.0, identity, "budget")
    }
}

/// The book of one account.
struct AccountBook {
    budgets: Budgets,
    identity: String,
    last: Mutex<Last>,
    warn: Box<dyn Fn(&Error) + Send + Sync>,
}

/// The last known page, for when the file is out of reach.
struct Last {
    page: Page,
    has_failed: bool,
}

impl Book for AccountBook {
    fn update(&self, change: &mut dyn FnMut(Page) -> Page) -> Page {
        let mut last = lock(&self.last);
        match self.budgets.update(&self.identity, &mut *change) {
            Ok(page) => last.page = page,
            Err(error) => {
                if !std::mem::replace(&mut last.has_failed, true) {
                    (self.warn)(&error);
                }
                last.page = change(last.page);
            }
        }
        last.page
    }

    fn look(&self) -> Page {
        let mut last = lock(&self.last);
        if !last.has_failed
            && let Ok(page) = self.budgets.look(&self.identity)
        {
            last.page = page;
        }
        last.page
    }
}

fn written(identity: &str, page: &Page) -> String {
    let Page {
        day,
        moved: [read, written],
        begun: [begun_read, begun_written],
        refusals,
        closed_until,
    } = page;
    let numbers = [
        day,
        read,
        written,
        begun_read,
        begun_written,
        refusals,
        closed_until,
    ];
    let numbers = numbers.map(|number| format!("{number:020}")).join(" ");
    format!("{identity}\n{VERSION} {numbers}\n")
}

fn read(file: &File, identity: &str, path: &Path) -> Result<Page, Error> {
    let text = account_file::read(file).map_err(|reason| refused(path, &reason))?;
    if text.is_empty() {
        return Ok(Page::default());
    }
    parse(&text, identity)
        .ok_or_else(|| refused(path, "it is damaged, or was written by a newer mailferry"))
}

fn parse(text: &str, identity: &str) -> Option<Page> {
    let mut lines = text.lines();
    lines.next().filter(|line| *line == identity)?;
    let numbers = lines.next()?.strip_prefix(VERSION)?;
    let numbers: Vec<u64> = numbers
        .split_ascii_whitespace()
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let [
        day,
        read,
        written,
        begun_read,
        begun_written,
        refusals,
        closed_until,
    ] = numbers[..]
    else {
        return None;
    };
    Some(Page {
        day,
        moved: [read, written],
        begun: [begun_read, begun_written],
        refusals,
        closed_until,
    })
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::new(
        ErrorKind::Local,
        format!(
            "could not use {}, which counts what the account has moved today: {reason}",
            path.display()
        ),
    )
    .with_hint("delete the file, and today's count begins again at 0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    const ANN: &str = "imap:ann@h";

    fn page(read: u64) -> Page {
        Page {
            day: 20_787,
            moved: [read, u64::MAX],
            begun: [1, 2],
            refusals: 3,
            closed_until: 4,
        }
    }

    fn book(root: &Path) -> impl Book + use<> {
        let warn = |error: &Error| panic!("{error}");
        Budgets::below(root).book(ANN, Box::new(warn)).unwrap()
    }

    #[test]
    fn all_processes_share_an_accounts_page() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("state");
        let (one, other) = (book(&root), book(&root));
        assert_eq!(one.look(), Page::default());
        std::thread::scope(|scope| {
            for book in [&one, &other] {
                scope.spawn(move || {
                    for _ in 0..100 {
                        book.update(&mut |before| page(before.moved[0] + 5));
                    }
                });
            }
        });
        assert_eq!((one.look(), other.look()), (page(1_000), page(1_000)));
        let budgets = Budgets::below(&root);
        assert_eq!(budgets.look(ANN).unwrap(), page(1_000));
        assert_eq!(budgets.look("imap:ann@other").unwrap(), Page::default());
        let about = fs::metadata(budgets.path(ANN)).unwrap();
        assert_eq!(about.mode() & 0o777, 0o600);
    }

    #[test]
    fn an_untrusted_file_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        book(root.path()).update(&mut |_| page(1));
        let budgets = Budgets::below(root.path());
        let path = budgets.path(ANN);
        let good = fs::read_to_string(&path).unwrap();
        for text in [
            "x".to_owned(),
            good.replace("ann", "eve"),
            good.replace("\n1 ", "\n2 "),
            good.replace("\n1 ", "\n1 7 "),
            good.replace("20787", "2078x"),
        ] {
            fs::write(&path, &text).unwrap();
            assert!(budgets.look(ANN).is_err(), "{text:?}");
        }
        fs::write(&path, &good).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let error = budgets.look(ANN).unwrap_err();
        assert!(error.hint.unwrap().contains("delete the file"));
    }

    #[test]
    fn a_run_that_cannot_save_counts_on() {
        let root = tempfile::tempdir().unwrap();
        let warnings = std::sync::Arc::new(Mutex::new(0));
        let warned = std::sync::Arc::clone(&warnings);
        let warn = move |_: &Error| *lock(&warned) += 1;
        fs::write(root.path().join("budgets"), "in the way").unwrap();
        let book = Budgets::below(root.path())
            .book(ANN, Box::new(warn))
            .unwrap();
        for _ in 0..3 {
            book.update(&mut |before| page(before.moved[0] + 5));
        }
        assert_eq!((book.look(), *lock(&warnings)), (page(15), 1));
    }
}
