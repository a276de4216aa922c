//! What two addresses reveal about each other before connecting: one account, one directory, one
//! within the other.

use super::failure::Failure;
use super::state::identity;
use mailferry::address::{Address, Form};
use mailferry::folders::Options;
use mailferry::store::maildir;
use mailferry::verbs::Kinship;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path};

/// What to do about one mailbox given twice.
const TWO: &str = "pass two different mailboxes; within one account, set the destination with --into FOLDER or --map FROM=TO";

/// Refuses two addresses of one directory, through any links or mounts, and a mail directory within
/// another one.
///
/// # Errors
/// A usage error.
pub(crate) fn check([source, target]: &[Address; 2]) -> Result<(), Failure> {
    let Some((from, to)) = source.path().zip(target.path()) else {
        return Ok(());
    };
    let [from, to] = [from, to].map(maildir::Account::canonical);
    if is_one_directory(&from, &to) {
        let text = format!(
            "source and target are the same directory, {}",
            from.display()
        );
        return Err(Failure::usage(text).with_hint("pass two different directories"));
    }
    for (outer, inner, path) in [(source, &to, &from), (target, &from, &to)] {
        if inner
            .strip_prefix(path)
            .is_ok_and(|below| is_place_of(outer, below))
        {
            let text = format!(
                "{} is inside {}, as one of its folders",
                inner.display(),
                path.display()
            );
            return Err(Failure::usage(text).with_hint("pass two unrelated directories"));
        }
    }
    Ok(())
}

/// Returns how two addresses accepted by [`check`] are related.
pub(crate) fn kinship([source, target]: &[Address; 2]) -> Kinship {
    match (source.path(), target.path()) {
        (Some(_), Some(_)) => Kinship::Apart,
        (Some(_), None) | (None, Some(_)) => Kinship::ServerAndDirectory,
        _ if identity(source) == identity(target) => Kinship::OneAccount,
        _ => Kinship::Unknown,
    }
}

/// Refuses to copy an account into itself if no option sends mail to other folders.
///
/// # Errors
/// A usage error.
pub(crate) fn check_copy(addresses: &[Address; 2], folders: &Options) -> Result<(), Failure> {
    let stays = folders.into.is_none() && folders.map.is_empty() && folders.map_regex.is_empty();
    if stays && kinship(addresses) == Kinship::OneAccount {
        return Err(Failure::usage("source and target are the same mailbox").with_hint(TWO));
    }
    Ok(())
}

fn is_one_directory(one: &Path, other: &Path) -> bool {
    let inode = |path: &Path| {
        std::fs::metadata(path)
            .map(|about| (about.dev(), about.ino()))
            .ok()
    };
    one == other || inode(one).is_some_and(|some| inode(other) == Some(some))
}

/// Reports whether a path belongs to a mailbox: in a Maildir only folders do, in other forms any
/// directory below.
fn is_place_of(outer: &Address, below: &Path) -> bool {
    let Some(Component::Normal(first)) = below.components().next() else {
        return false;
    };
    let is_folder = |name: &OsStr| {
        name.as_bytes().starts_with(b".") || ["cur", "new", "tmp"].iter().any(|own| name == *own)
    };
    let is_maildir = matches!(outer, Address::Local(local) if local.form == Form::Maildir);
    !is_maildir || is_folder(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(source: &str, target: &str) -> Result<(), Failure> {
        check(&[
            Address::parse(source).unwrap(),
            Address::parse(target).unwrap(),
        ])
    }

    #[test]
    fn a_directory_inside_a_mailbox_is_refused_and_a_sibling_is_not() {
        assert!(checked("maildir:/x/a", "maildir:/x/a/.Work").is_err());
        assert!(checked("maildir:/x/a/.Work/cur", "maildir:/x/a").is_err());
        assert!(checked("mbox:/x/a/b", "mbox:/x/a").is_err());
        assert!(checked("maildir:/x/a", "maildir:/x/a/b").is_ok());
        assert!(checked("maildir:/x/a", "maildir:/x/ab").is_ok());
        assert!(checked("maildir:/x/a", "maildir:/x/b/../a/").is_err());
    }

    #[test]
    fn dots_after_a_link_lead_to_where_the_link_leads() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| format!("maildir:{}/{name}", directory.path().display());
        std::fs::create_dir_all(directory.path().join("far/away")).unwrap();
        std::os::unix::fs::symlink("far/away", directory.path().join("link")).unwrap();
        assert!(checked(&path("far/mail"), &path("link/../mail")).is_err());
        assert!(checked(&path("mail"), &path("link/../mail")).is_ok());
    }

    #[test]
    fn one_account_is_recognised_however_its_address_is_written() {
        let kin = |one: &str, other: &str| {
            kinship(&[Address::parse(one).unwrap(), Address::parse(other).unwrap()])
        };
        assert_eq!(
            kin(
                "imaps://ann@H.example:993",
                "imap://%61nn@h.example?connections=2"
            ),
            Kinship::OneAccount
        );
        assert_eq!(
            kin("imaps://ann@h.example", "imaps://ben@h.example"),
            Kinship::Unknown
        );
        assert_eq!(
            kin("imaps://ann@h.example", "maildir:/x"),
            Kinship::ServerAndDirectory
        );
        assert_eq!(kin("mbox:/y", "maildir:/x"), Kinship::Apart);
    }
}
