//! The folders to which `--keep-deleted` moves what vanished from the source:
//! `Vanished/2026-11-25/Work`, by the day of the run and the folder's name on the target.
//!
//! They are recognised by name only, on any mailbox: a mirror never counts them as extra, and no
//! copy includes them unless `--folder` names them.

use super::name::FolderName;
use super::roster::{Folder, Roster};
use crate::mail::Listing;
use jiff::civil::Date;

/// The folder above all of them. It isn't any language's name for trash, so it never looks like a
/// role.
const TOP: &str = "Vanished";

/// Returns where a folder's vanished messages are kept on a given day.
pub fn kept_name(day: Date, folder: &FolderName) -> FolderName {
    let top = FolderName::inbox();
    // A name with levels is always valid.
    FolderName::new(vec![TOP.to_owned(), day.to_string()])
        .unwrap_or(top)
        .join(folder.levels())
}

/// A folder in which messages are kept.
#[derive(Clone, Debug)]
pub struct KeptFolder {
    /// The day on which they vanished.
    pub day: Date,
    /// The folder that they were in.
    pub of: FolderName,
    /// Its index in the listing.
    pub index: usize,
}

/// Returns the folders in a listing in which messages are kept.
pub fn kept_folders(listing: &Listing) -> Vec<KeptFolder> {
    let kept = |folder: &Folder| {
        let [top, day, of @ ..] = folder.name.levels() else {
            return None;
        };
        let day = day_of(day).filter(|_| top == TOP && !folder.foreign)?;
        Some(KeptFolder {
            day,
            of: FolderName::new(of.to_vec())?,
            index: folder.index,
        })
    };
    Roster::read(listing)
        .folders
        .iter()
        .filter_map(kept)
        .collect()
}

/// Reports whether a folder is kept, or lies between the top and a kept one.
pub(super) fn is_kept(name: &FolderName) -> bool {
    match name.levels() {
        [top] => top == TOP,
        [top, day, ..] => top == TOP && day_of(day).is_some(),
        [] => false,
    }
}

/// Reports whether a folder is kept for a certain day: the top alone may be any user's folder.
pub(super) fn is_of_a_day(name: &FolderName) -> bool {
    name.levels().len() > 1 && is_kept(name)
}

/// Parses a level that is a day. Only as it would be written here, so that nothing else is mistaken
/// for one.
fn day_of(level: &str) -> Option<Date> {
    level
        .parse()
        .ok()
        .filter(|day: &Date| day.to_string() == level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_folder_is_known_by_its_name() {
        let day = "2026-11-25".parse().unwrap();
        let kept = |name: &str| kept_name(day, &FolderName::parse(name).unwrap());
        assert_eq!(kept("INBOX").to_string(), "Vanished/2026-11-25/INBOX");
        assert_eq!(kept("a/b=2Fc").to_string(), "Vanished/2026-11-25/a/b=2Fc");
        assert!(is_kept(&kept("INBOX")) && is_of_a_day(&kept("a/b")));
        for (name, kept) in [
            ("Vanished", true),
            ("Vanished/2026-11-25", true),
            ("Vanished/2026-13-01/x", false),
            ("Vanished/Work", false),
            ("Vanished/26-11-25/x", false),
            ("Work/Vanished/2026-11-25", false),
            ("vanished/2026-11-25/x", false),
        ] {
            assert_eq!(is_kept(&FolderName::parse(name).unwrap()), kept, "{name}");
        }
    }
}
