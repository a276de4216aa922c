//! Names of directories and files that any file system can hold, made from what servers send.

use super::Folder;
use crate::identity;
use crate::mail::Uid;
use std::fmt::Write as _;
use std::path::PathBuf;

/// The longest name of a directory, in bytes: far below what any file system allows.
const LONGEST: usize = 120;

/// Names that Windows gives to devices, whatever follows a dot.
const DEVICES: [&str; 6] = ["AUX", "COM", "CON", "LPT", "NUL", "PRN"];

/// Returns the directory for a folder: its name with all but ASCII letters, digits and a few signs
/// as `%XX`. Two long names, or two that differ only in case, may share one: their files differ.
pub(super) fn directory(folder: &str) -> PathBuf {
    let mut name = String::new();
    let looks_like_device = DEVICES.iter().any(|device| {
        folder
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case(device))
    });
    for (at, byte) in folder.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_+=@,".contains(&byte);
        let is_inner = at > 0 && at + 1 < folder.len() && matches!(byte, b' ' | b'.');
        if (is_plain || is_inner) && !(at == 0 && looks_like_device) {
            name.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(name, "%{byte:02X}");
        }
        if name.len() >= LONGEST {
            break;
        }
    }
    if name.is_empty() {
        name.push_str("%00");
    }
    // Cut names must not end with what is only allowed within.
    PathBuf::from(name.trim_end_matches([' ', '.']))
}

/// Returns the name of a message's files without extension: UIDVALIDITY and UID, and a fingerprint
/// of the accounts and the folder, which tells apart those that share a directory.
pub(super) fn file(folder: &Folder, accounts: &str, uid: Uid) -> String {
    let whose = [accounts.as_bytes(), b"\n", &folder.mailbox].concat();
    format!(
        "{}.{}-{:016x}",
        folder.uid_validity.unwrap_or(0),
        uid.get(),
        identity::print(&whose)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Side;
    use proptest::prelude::*;

    #[test]
    fn folders_keep_their_names_as_far_as_any_file_system_can_hold_them() {
        for (folder, expected) in [
            ("INBOX", "INBOX"),
            ("Old mail/2019", "Old mail%2F2019"),
            ("..", "%2E%2E"),
            ("a.", "a%2E"),
            ("../../etc", "%2E.%2F..%2Fetc"),
            (".hidden", "%2Ehidden"),
            ("Entwürfe", "Entw%C3%BCrfe"),
            ("nul.txt", "%6Eul.txt"),
            ("Con", "%43on"),
            ("", "%00"),
        ] {
            assert_eq!(directory(folder), PathBuf::from(expected), "{folder}");
        }
    }

    #[test]
    fn files_of_two_folders_or_accounts_never_share_a_name() {
        let folder = |mailbox: &str| Folder {
            side: Side::SOURCE,
            mailbox: mailbox.as_bytes().to_vec(),
            uid_validity: Some(9),
            name: mailbox.to_owned(),
        };
        let uid = Uid::new(5).unwrap();
        let names = [
            file(&folder("Work"), "a", uid),
            file(&folder("work"), "a", uid),
            file(&folder("Work"), "b", uid),
        ];
        assert!(names.iter().all(|name| name.starts_with("9.5-")));
        assert!(names[0] != names[1] && names[0] != names[2]);
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn a_folder_is_one_plain_name(folder in ".{0,300}") {
            let path = directory(&folder);
            let name = path.to_str().unwrap();
            prop_assert!(!name.is_empty() && name.len() <= LONGEST + 3);
            prop_assert!(name.is_ascii() && !name.contains(['/', '\\', '\0', ':']));
            prop_assert!(!name.starts_with('.') && !name.ends_with(['.', ' ']));
        }
    }
}
