//! The size limit of the undo store of two mailboxes.
//!
//! The oldest runs are removed to make room for new deletions. A message that doesn't fit even then
//! isn't saved, and so isn't deleted: a run never removes its own messages, and never removes an
//! older run for a message that would not fit anyway.

use super::kept_messages;
use std::io;
use std::path::{Path, PathBuf};

/// The room for one run.
#[derive(Debug)]
pub(super) struct Room {
    /// The maximum size of all runs together, in bytes; `None`: no limit.
    most: Option<u64>,
    /// The size of this run, in bytes.
    own: u64,
    /// The other runs with their sizes, oldest last.
    older: Vec<(PathBuf, u64)>,
}

/// A run that was removed to make room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DroppedRun {
    /// Its name, as `undo --list` showed it.
    pub(crate) name: String,
    /// How many messages it had saved.
    pub(crate) messages: u64,
}

impl Room {
    /// Returns the room for the run in this directory, given the other runs.
    pub(super) fn of(run: &Path, most: Option<u64>) -> Self {
        let siblings = run
            .parent()
            .filter(|_| most.is_some())
            .and_then(|parent| std::fs::read_dir(parent).ok());
        let paths = siblings
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let runs = paths.filter(|path| path != run && path.join("index").is_file());
        let mut older: Vec<(PathBuf, u64)> = runs.map(|path| (path.clone(), size(&path))).collect();
        // Their names begin with the time.
        older.sort_by(|a, b| b.0.cmp(&a.0));
        Self {
            most,
            own: 0,
            older,
        }
    }

    /// Takes so many bytes, if they fit; older runs removed for that are in `dropped`.
    pub(super) fn take(&mut self, bytes: u64, dropped: &mut Vec<DroppedRun>) -> io::Result<bool> {
        let wanted = self.own.saturating_add(bytes);
        let Some(most) = self.most else {
            self.own = wanted;
            return Ok(true);
        };
        if wanted > most {
            return Ok(false);
        }
        while wanted.saturating_add(self.older.iter().map(|(_, size)| size).sum()) > most {
            let Some((path, _)) = self.older.pop() else {
                break;
            };
            let messages = kept_messages(&path).map_or(0, |kept| kept.len() as u64);
            std::fs::remove_dir_all(&path)?;
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            dropped.push(DroppedRun { name, messages });
        }
        self.own = wanted;
        Ok(true)
    }
}

/// Returns the size of the messages of a run.
fn size(run: &Path) -> u64 {
    let files = std::fs::read_dir(run.join("cur"))
        .into_iter()
        .flatten()
        .flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .map(|about| about.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a store with a run of each of these sizes, oldest first, and the path of another.
    fn store(sizes: &[usize]) -> (tempfile::TempDir, PathBuf) {
        let store = tempfile::tempdir().unwrap();
        for (number, size) in sizes.iter().enumerate() {
            let run = store.path().join(format!("2026010{number}T000000Z-1"));
            std::fs::create_dir_all(run.join("cur")).unwrap();
            std::fs::write(run.join("cur/1.eml"), vec![b'x'; *size]).unwrap();
            let line = r#"{"mailbox":"m","folder":"INBOX","uid":1,"flags":"","date":null,"file":"cur/1.eml"}"#;
            std::fs::write(run.join("index"), format!("{line}\n")).unwrap();
        }
        let run = store.path().join("20260201T000000Z-2");
        (store, run)
    }

    fn left(store: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(store).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap()[..8].to_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_make_way_and_only_for_what_fits() {
        // The limit, the amounts to take, and whether each fits; the remaining runs of 40, 30 and
        // 20 bytes.
        for (most, takes, fits, all) in [
            (
                None,
                &[1_000_000, 1_000_000][..],
                &[true, true][..],
                &["20260100", "20260101", "20260102"][..],
            ),
            (
                Some(100),
                &[10],
                &[true],
                &["20260100", "20260101", "20260102"],
            ),
            (Some(100), &[11], &[true], &["20260101", "20260102"]),
            (Some(100), &[50, 1], &[true, true], &["20260102"]),
            (Some(100), &[100], &[true], &[]),
            (
                Some(100),
                &[101],
                &[false],
                &["20260100", "20260101", "20260102"],
            ),
            (Some(100), &[60, 41, 40], &[true, false, true], &[]),
            (
                Some(0),
                &[1],
                &[false],
                &["20260100", "20260101", "20260102"],
            ),
        ] {
            let (store, run) = store(&[40, 30, 20]);
            let mut room = Room::of(&run, most);
            let mut dropped = Vec::new();
            let got: Vec<bool> = takes
                .iter()
                .map(|bytes| room.take(*bytes, &mut dropped).unwrap())
                .collect();
            assert_eq!(
                (&got[..], left(store.path())),
                (fits, all.iter().map(ToString::to_string).collect()),
                "{most:?} {takes:?}"
            );
            assert_eq!(dropped.len(), 3 - all.len());
            assert!(
                dropped
                    .iter()
                    .all(|run| run.messages == 1 && run.name.ends_with("T000000Z-1")),
                "{dropped:?}"
            );
        }
    }
}
