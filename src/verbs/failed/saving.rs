//! Requests the messages that failed, and writes them with their reasons.

use super::{FailedDir, FailedSaved, Folder, Reported, Seen};
use crate::engine::scans::scan_each;
use crate::event::{Event, Failure, Run};
use crate::locks::lock;
use crate::mail::{Both, InternalDate, Message, Side, Uid, UidSet};
use crate::store::{
    Answer, Body, Error, Fetched, FolderScan, MessageSink, ReadConnector, ReadStore, ScanDepth,
};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The file that shows whether a directory can be written to.
const TRIAL: &str = "mailferry-new";

/// What is written beside a message, or in its place.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(flatten)]
    failure: Failure,
    /// The account that it is in.
    account: &'a str,
    /// The UIDVALIDITY of its UID.
    uid_validity: Option<u32>,
    /// Its flags, if it is still there.
    flags: Option<String>,
    /// Its INTERNALDATE, if the account has one.
    internal_date: Option<InternalDate>,
    /// The file with its bytes, if it could be read.
    file: Option<&'a str>,
    /// When this was written.
    time: String,
}

impl FailedDir {
    /// Saves the messages that failed in the run that this has observed, and removes those that
    /// earlier runs saved and that were copied now. Whatever can't be saved is reported in a
    /// warning: a run doesn't fail because of it.
    pub fn save(&self, connectors: Both<&dyn ReadConnector>, run: Run<'_>) -> FailedSaved {
        let Seen { failed, copied, .. } = std::mem::take(&mut *lock(&self.seen));
        let mut saved = FailedSaved::default();
        let mut written = HashSet::new();
        for side in Side::BOTH {
            let folders: Vec<_> = failed
                .iter()
                .filter(|(folder, _)| folder.side == side)
                .collect();
            if folders.is_empty() {
                continue;
            }
            // After a request to stop, nothing is waited for: only the reasons are written.
            let store = (!run.stop.is_requested())
                .then(|| connectors[side].connect_to_read())
                .transpose();
            let store = store.unwrap_or_else(|error| {
                let text = format!("failed messages are saved without their content: {error}");
                run.observer.observe(&Event::Warning { text: &text });
                None
            });
            let mut saving = Saving {
                directory: self,
                run,
                store,
                saved: &mut saved,
                written: &mut written,
            };
            if let Err(error) = saving.each(&folders) {
                let path = self.path.display();
                let text = format!("cannot keep all failed messages in {path}: {error}");
                run.observer.observe(&Event::Warning { text: &text });
            }
        }
        for stem in copied.difference(&written) {
            self.remove(stem);
        }
        saved
    }

    /// Removes the files of a message that is no longer failed. One that stays is no harm.
    fn remove(&self, stem: &Path) {
        for extension in ["eml", "json"] {
            let _ = fs::remove_file(with_extension(&self.path.join(stem), extension));
        }
        if let Some(folder) = stem.parent() {
            let _ = fs::remove_dir(self.path.join(folder));
        }
    }
}

struct Saving<'a> {
    directory: &'a FailedDir,
    run: Run<'a>,
    /// The connection to read messages from; `None`: they can't be read.
    store: Option<Box<dyn ReadStore>>,
    saved: &'a mut FailedSaved,
    /// The files that were written, without extension.
    written: &'a mut HashSet<PathBuf>,
}

impl Saving<'_> {
    /// Saves the messages of these folders, one folder after the other.
    fn each(&mut self, folders: &[(&Folder, &BTreeMap<Uid, Reported>)]) -> io::Result<()> {
        for (folder, messages) in folders {
            let path = self
                .directory
                .path
                .join(super::name::directory(&folder.name));
            make_private(&path)?;
            let (scan, read) = self.read(folder, messages, &path)?;
            for (uid, reported) in *messages {
                self.note(folder, (*uid, reported), &scan, read.contains(*uid))?;
            }
            File::open(&path)?.sync_all()?;
        }
        if let Some(store) = &mut self.store {
            store.close();
        }
        Ok(())
    }

    /// Writes the bytes of a folder's messages. Returns what the folder says about them, and those
    /// that are written.
    fn read(
        &mut self,
        folder: &Folder,
        messages: &BTreeMap<Uid, Reported>,
        path: &Path,
    ) -> io::Result<(FolderScan, UidSet)> {
        let Some(store) = &mut self.store else {
            return Ok(Default::default());
        };
        let uids: UidSet = messages.keys().copied().collect();
        let mut sink = Files {
            directory: self.directory,
            folder,
            path,
            uids: &uids,
            dates: BTreeMap::new(),
            written: UidSet::default(),
            error: None,
        };
        match fetch(store.as_mut(), folder, &uids, &mut sink) {
            Ok(scan) => match sink.error {
                Some(error) => Err(error),
                None => Ok((scan, sink.written)),
            },
            Err(error) => {
                let text = format!(
                    "{}: some failed messages are saved without their content: {error}",
                    folder.name
                );
                self.run.observer.observe(&Event::Warning { text: &text });
                let written = std::mem::take(&mut sink.written);
                self.store = None;
                Ok((FolderScan::default(), written))
            }
        }
    }

    /// Writes the reason of a message.
    fn note(
        &mut self,
        folder: &Folder,
        (uid, reported): (Uid, &Reported),
        scan: &FolderScan,
        has_bytes: bool,
    ) -> io::Result<()> {
        let stem = self.directory.stem(folder, uid);
        let path = self.directory.path.join(&stem);
        let message = scan.message(uid);
        let of_scan = scan.headings.iter().find(|(of, _)| *of == uid);
        let heading = reported
            .heading
            .as_deref()
            .or(of_scan.map(|(_, heading)| heading));
        let bytes = with_extension(&path, "eml");
        // An earlier run may have read it.
        let has_bytes = has_bytes || bytes.is_file();
        let record = Record {
            failure: Failure::new(&folder.name, Some(uid), heading, &reported.reason),
            account: &self.directory.accounts[folder.side],
            uid_validity: folder.uid_validity,
            flags: message.map(|message| scan.flags.get(message.flags()).shown()),
            internal_date: message.and_then(Message::date),
            file: bytes
                .file_name()
                .and_then(OsStr::to_str)
                .filter(|_| has_bytes),
            time: now(),
        };
        let mut text = serde_json::to_string_pretty(&record)?;
        text.push('\n');
        replace(&with_extension(&path, "json"), None, |file| {
            file.write_all(text.as_bytes())
        })?;
        self.written.insert(stem);
        self.saved.messages += u64::from(has_bytes);
        self.saved.reasons += u64::from(!has_bytes);
        Ok(())
    }
}

/// Returns the current time, as RFC 3339.
fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// Reads what a folder says about messages, and their bytes.
fn fetch(
    store: &mut dyn ReadStore,
    folder: &Folder,
    uids: &UidSet,
    sink: &mut Files<'_>,
) -> Result<FolderScan, Error> {
    let mailbox = folder.mailbox();
    let asked = [(&mailbox, Some(uids.clone()))];
    let scan: Option<Answer<FolderScan>> = scan_each(store, ScanDepth::Headings, asked)?.pop();
    let Some(scan) = scan
        .and_then(Result::ok)
        .filter(|scan| folder.is_under(scan.uid_validity))
    else {
        // The UIDs belong to other messages by now.
        return Ok(FolderScan::default());
    };
    let date = |uid| Some((uid, scan.message(uid)?.date()?));
    sink.dates = uids.iter().filter_map(date).collect();
    // One by one, as one message that can't be read must not cost the others.
    for uid in uids.iter().filter(|uid| scan.message(*uid).is_some()) {
        store.request(&mailbox, scan.uid_validity, &UidSet::from_iter([uid]))?;
        while let Fetched::Message = store.next(sink)? {}
    }
    Ok(scan)
}

/// Writes messages to files as they arrive.
struct Files<'a> {
    directory: &'a FailedDir,
    folder: &'a Folder,
    path: &'a Path,
    uids: &'a UidSet,
    dates: BTreeMap<Uid, InternalDate>,
    written: UidSet,
    /// Why nothing more can be written.
    error: Option<io::Error>,
}

impl MessageSink for Files<'_> {
    fn message(&mut self, uid: Uid, body: Body<'_>) -> Result<(), Error> {
        if self.error.is_some() || !self.uids.contains(uid) {
            return Ok(());
        }
        let name = self.directory.file(self.folder, uid);
        let path = with_extension(&self.path.join(name), "eml");
        let mut source_failed = false;
        let written = replace(&path, self.dates.get(&uid).copied(), |file| {
            write_body(body, file, &mut source_failed)
        });
        match written {
            Ok(()) => self.written.insert(uid),
            // The reader reports its own error.
            Err(_) if source_failed => {}
            Err(error) => self.error = Some(error),
        }
        Ok(())
    }
}

/// Writes all bytes of a body, and notes whether it was the source that failed.
fn write_body(body: Body<'_>, file: &mut File, source_failed: &mut bool) -> io::Result<()> {
    let (size, from) = match body {
        Body::Whole(bytes) => return file.write_all(bytes),
        Body::Stream { size, from } => (size, from),
    };
    let mut chunk = vec![0; 64 << 10];
    let mut from = from.take(size);
    let mut length = 0;
    loop {
        let count = from
            .read(&mut chunk)
            .inspect_err(|_| *source_failed = true)?;
        if count == 0 {
            break;
        }
        file.write_all(&chunk[..count])?;
        length += count as u64;
    }
    if length < size {
        *source_failed = true;
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Replaces a file as a whole. A symbolic link in its place is replaced, not followed.
fn replace(
    path: &Path,
    date: Option<InternalDate>,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    // A dead run may have left one.
    let draft = with_extension(path, "new");
    let _ = fs::remove_file(&draft);
    let written = (|| {
        let mut file = private_file(&draft)?;
        write(&mut file)?;
        let age = date.and_then(|date| u64::try_from(date.seconds()).ok());
        if let Some(age) = age {
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(age))?;
        }
        file.sync_all()?;
        fs::rename(&draft, path)
    })();
    written.inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    })
}

/// Creates a file that only its owner can read; one that exists is an error.
fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Makes a directory that only its owner can read. A symbolic link in its place is an error.
fn make_private(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs::symlink_metadata(path)?.is_dir() {
                Ok(())
            } else {
                Err(io::Error::new(
                    io::ErrorKind::NotADirectory,
                    format!("{} is not a directory", path.display()),
                ))
            }
        }
        made => made,
    }
}

/// Checks that files can be created in a directory.
pub(super) fn check_writable(directory: &Path) -> io::Result<()> {
    let draft = directory.join(format!("{TRIAL}-{}", std::process::id()));
    let _ = fs::remove_file(&draft);
    private_file(&draft)?;
    fs::remove_file(&draft)
}

/// Returns the messages that a directory has, without extension.
pub(super) fn saved_earlier(directory: &Path) -> io::Result<HashSet<PathBuf>> {
    let mut found = HashSet::new();
    for folder in fs::read_dir(directory)? {
        let folder = folder?;
        if !folder.file_type()?.is_dir() {
            continue;
        }
        let name = PathBuf::from(folder.file_name());
        // Folders of someone else may be unreadable, and are no concern of ours.
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let file = PathBuf::from(file.file_name());
            if file
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                found.insert(name.join(file.with_extension("")));
            }
        }
    }
    Ok(found)
}

/// Adds an extension to a name that has dots of its own.
fn with_extension(stem: &Path, extension: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}
