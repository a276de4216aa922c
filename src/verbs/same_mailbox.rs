//! Detects one mailbox given twice: by equal addresses, or by two that lead to one account (another
//! host name, another port, a proxy, another spelling of the user, a directory that a server
//! serves).
//!
//! Folders are compared, not accounts: mail may move within one account, and two accounts may share
//! a folder. What servers report raises a suspicion (MAILBOXID, or UIDVALIDITY with equal messages
//! under equal UIDs). It proves nothing: a restored or replicated server reports the same, and so
//! may two accounts that were filled in the same second. The proof is a mark: a message on the
//! target gets a keyword for a moment, and a message on the source that has it then is the same
//! message. If keywords aren't kept, a flag that the message lacks is used.

use crate::engine::scans::scan_each;
use crate::event::{Event, Observer};
use crate::exec::Link;
use crate::mail::{
    Flags, HeaderKey, ListedMailbox, MailboxName, Message, ModSeq, Uid, UidNext, UidSet,
};
use crate::store::{
    AsReadStore, Baseline, Error, ErrorKind, FlagChange, FlagEdit, FolderScan, ScanDepth,
    ScanRequest, Store,
};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// What the addresses of a run reveal about each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kinship {
    /// Nothing: they are addresses of servers, which may lead to one account. Then UIDVALIDITYs are
    /// the same.
    #[default]
    Unknown,
    /// One is a server, the other a directory, which the server may serve: each assigns its own
    /// UIDs.
    ServerAndDirectory,
    /// They are equal, so a folder is identified by its name.
    OneAccount,
    /// Both are directories on this machine, and neither is in the other.
    Apart,
}

/// The number of newest UIDs compared in two folders that look the same.
const SAMPLE: u32 = 50;

/// How long a mark may take to appear on the other side.
const PATIENCE: Duration = Duration::from_millis(600);

/// The same if MAILBOXIDs are equal: the other side may be a replica, which follows after a moment.
const PATIENCE_WITH_REPLICAS: Duration = Duration::from_secs(5);

/// Reports whether, by a listing's counters, two folders may be one. MAILBOXID decides if both have
/// one (RFC 8474).
pub(super) fn may_be_one(source: &ListedMailbox, target: &ListedMailbox) -> bool {
    let Some((source, target)) = source.status.as_ref().zip(target.status.as_ref()) else {
        return false;
    };
    if source.counters.messages == Some(0) || target.counters.messages == Some(0) {
        return false;
    }
    match has_equal_ids(source.mailbox_id.as_deref(), target.mailbox_id.as_deref()) {
        Some(equal) => equal,
        None => {
            source.counters.uid_validity.is_some()
                && source.counters.uid_validity == target.counters.uid_validity
        }
    }
}

/// Reports whether two MAILBOXIDs are equal; `None` if a side has none.
pub(super) fn has_equal_ids(source: Option<&str>, target: Option<&str>) -> Option<bool> {
    source.zip(target).map(|(source, target)| source == target)
}

/// Reports whether two names in one account are of the same folder.
pub(super) fn is_one_name(source: &MailboxName, target: &MailboxName) -> bool {
    source == target || source.is_inbox() && target.is_inbox()
}

/// Reports whether two folders of accounts that may be one are likely the same: by their names or
/// their counters.
pub(super) fn is_like(source: &ListedMailbox, target: &ListedMailbox) -> bool {
    let counters = |folder: &ListedMailbox| {
        let status = folder.status.as_ref()?;
        Some((
            status.mailbox_id.clone(),
            status.counters.messages?,
            status.counters.uid_next?,
        ))
    };
    is_one_name(&source.name, &target.name)
        || counters(source).is_some_and(|some| counters(target) == Some(some))
}

/// Two folders that look the same.
#[derive(Clone, Debug)]
pub(super) struct Suspect {
    source: MailboxName,
    source_depth: ScanDepth,
    target: MailboxName,
    /// A message that both sides have under this UID.
    uid: Uid,
    patience: Duration,
}

impl Suspect {
    /// Returns the source's folder, decoded.
    pub(super) fn name(&self) -> String {
        self.source.to_string()
    }

    fn trial(&self) -> Trial<'_> {
        let Self {
            source,
            source_depth,
            target,
            uid,
            patience,
        } = self;
        Trial {
            source,
            source_depth: *source_depth,
            target,
            uid: *uid,
            patience: *patience,
        }
    }
}

/// Returns the pairs of folders that also look the same by their messages. Writes nothing.
///
/// # Errors
/// A failure that ends a connection.
pub(super) fn suspects<C: AsReadStore>(
    link: &mut Link<C>,
    folders: &[(&ListedMailbox, &ListedMailbox)],
) -> Result<Vec<Suspect>, Error> {
    let open: Vec<_> = folders
        .iter()
        .filter(|(source, target)| may_be_one(source, target))
        .collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let newest = |at: &(&ListedMailbox, &ListedMailbox)| {
        let next = |folder: &ListedMailbox| {
            folder
                .status
                .as_ref()
                .and_then(|status| status.counters.uid_next)
        };
        let next = next(at.0)
            .zip(next(at.1))
            .map_or(UidNext::FIRST, |(source, target)| source.min(target));
        Some(next.lowered_by(SAMPLE).and_above())
    };
    let mut found = Vec::new();
    let mut unclear = Vec::new();
    for (at, uid) in open.iter().zip(equal_messages(link, &open, &newest)?) {
        match uid {
            Sample::Equal(uid) => found.push(suspect(at, uid)),
            Sample::Empty => unclear.push(**at),
            Sample::Unlike => {}
        }
    }
    // If there are none among the newest UIDs, all messages are compared.
    let unclear: Vec<_> = unclear.iter().collect();
    for (at, uid) in unclear
        .iter()
        .zip(equal_messages(link, &unclear, &|_| None)?)
    {
        if let Sample::Equal(uid) = uid {
            found.push(suspect(at, uid));
        }
    }
    Ok(found)
}

/// Returns the pairs of folders on a server and in a directory that have a message in common. Each
/// side assigns its own UIDs, so only a mark reveals more.
///
/// # Errors
/// A failure that ends a connection.
pub(super) fn possible<C: AsReadStore>(
    link: &mut Link<C>,
    folders: &[(&ListedMailbox, &ListedMailbox)],
) -> Result<Vec<Suspect>, Error> {
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let newest = |folder: &ListedMailbox| {
        let next = folder
            .status
            .as_ref()
            .and_then(|status| status.counters.uid_next)
            .unwrap_or(UidNext::FIRST);
        Some(next.lowered_by(SAMPLE).and_above())
    };
    let depth = ScanDepth::Identity;
    let on_source = scan_each(
        link.source.reading(),
        depth,
        folders.iter().map(|at| (&at.0.name, newest(at.0))),
    )?;
    let on_target = scan_each(
        link.target.reading(),
        depth,
        folders.iter().map(|at| (&at.1.name, newest(at.1))),
    )?;
    let in_common =
        |(at, (source, target)): (&_, (Result<FolderScan, _>, Result<FolderScan, _>))| {
            let (source, target) = (source.ok()?, target.ok()?);
            let keys: HashSet<HeaderKey> = source
                .messages
                .iter()
                .map(Message::key)
                .filter(is_telling)
                .collect();
            let message = target
                .messages
                .iter()
                .rev()
                .find(|message| keys.contains(&message.key()))?;
            Some(suspect(at, message.uid()))
        };
    Ok(folders
        .iter()
        .zip(on_source.into_iter().zip(on_target))
        .filter_map(in_common)
        .collect())
}

fn is_telling(key: &HeaderKey) -> bool {
    matches!(key, HeaderKey::WithId(_) | HeaderKey::WithoutId(_))
}

fn suspect((source, target): &(&ListedMailbox, &ListedMailbox), uid: Uid) -> Suspect {
    let id = |folder: &ListedMailbox| {
        folder
            .status
            .as_ref()
            .and_then(|status| status.mailbox_id.clone())
    };
    let is_replica = has_equal_ids(id(source).as_deref(), id(target).as_deref()) == Some(true);
    let status = source.status.clone().unwrap_or_default();
    Suspect {
        source: source.name.clone(),
        source_depth: changes_since(status.counters.uid_next, status.counters.mod_seq),
        target: target.name.clone(),
        uid,
        patience: if is_replica {
            PATIENCE_WITH_REPLICAS
        } else {
            PATIENCE
        },
    }
}

/// The result of sampling two folders.
enum Sample {
    /// This UID belongs to equal messages.
    Equal(Uid),
    Unlike,
    /// There was nothing to compare.
    Empty,
}

type Folders<'a, 'l> = [&'a (&'l ListedMailbox, &'l ListedMailbox)];

fn equal_messages<C: AsReadStore>(
    link: &mut Link<C>,
    folders: &Folders<'_, '_>,
    uids: &dyn Fn(&(&ListedMailbox, &ListedMailbox)) -> Option<UidSet>,
) -> Result<Vec<Sample>, Error> {
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let depth = ScanDepth::Identity;
    let on_source = scan_each(
        link.source.reading(),
        depth,
        folders.iter().map(|at| (&at.0.name, uids(at))),
    )?;
    let on_target = scan_each(
        link.target.reading(),
        depth,
        folders.iter().map(|at| (&at.1.name, uids(at))),
    )?;
    let sample =
        |(source, target): (Result<FolderScan, _>, Result<FolderScan, _>)| match (source, target) {
            (Ok(source), Ok(target)) => compare(&source, &target),
            _ => Sample::Unlike,
        };
    Ok(on_source.into_iter().zip(on_target).map(sample).collect())
}

fn compare(source: &FolderScan, target: &FolderScan) -> Sample {
    if source.messages.is_empty() && target.messages.is_empty() {
        return Sample::Empty;
    }
    let is_equal = |message: &&Message| {
        let at = target
            .messages
            .binary_search_by_key(&message.uid(), Message::uid);
        at.is_ok_and(|at| is_alike(message, &target.messages[at]))
    };
    // The newest, as a mark on it is found fastest.
    source
        .messages
        .iter()
        .rev()
        .find(is_equal)
        .map_or(Sample::Unlike, |message| Sample::Equal(message.uid()))
}

/// Reports whether two messages with one UID are equal in all that a scan returns and that never
/// changes.
fn is_alike(one: &Message, other: &Message) -> bool {
    (one.uid(), one.size(), one.key(), one.date())
        == (other.uid(), other.size(), other.key(), other.date())
}

/// Reports whether scans of two folders look like scans of one: the same counters, and a common
/// message with the same UID.
pub(super) fn scans_look_the_same(source: &FolderScan, target: &FolderScan) -> bool {
    let ids = has_equal_ids(source.mailbox_id.as_deref(), target.mailbox_id.as_deref());
    let may_be =
        ids.unwrap_or(source.uid_validity.is_some() && source.uid_validity == target.uid_validity);
    let has_grown = source.uid_next != target.uid_next || source.exists != target.exists;
    may_be && !has_grown && matches!(compare(source, target), Sample::Equal(_))
}

/// Returns how to scan a source's folder for changes since these counters.
pub(super) fn changes_since(uid_next: Option<UidNext>, mod_seq: Option<ModSeq>) -> ScanDepth {
    Baseline::since(uid_next, mod_seq, [None, None]).map_or(ScanDepth::Attributes, ScanDepth::Since)
}

/// Two folders that may be one, to be marked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial<'a> {
    pub(super) source: &'a MailboxName,
    pub(super) source_depth: ScanDepth,
    pub(super) target: &'a MailboxName,
    /// The message on the target to mark.
    pub(super) uid: Uid,
    /// How long a mark may take to appear.
    pub(super) patience: Duration,
}

impl<'a> Trial<'a> {
    /// Returns the trial of two folders without any suspicion, because something will be deleted.
    pub(super) fn new(
        source: &'a MailboxName,
        source_depth: ScanDepth,
        target: &'a MailboxName,
        uid: Uid,
    ) -> Self {
        Self {
            source,
            source_depth,
            target,
            uid,
            patience: Duration::ZERO,
        }
    }
}

/// The result of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are one mailbox.
    One,
    /// They are two mailboxes.
    Two,
    /// The target keeps no mark.
    Unknown,
}

/// Finds out which of some suspects are one mailbox. Returns the names of those that are, or may
/// be. The first is tried alone: in most cases it decides.
///
/// # Errors
/// What ends a connection.
fn convict(link: &mut Link, suspects: &[Suspect]) -> Result<Vec<String>, Error> {
    let Some((first, others)) = suspects.split_first() else {
        return Ok(Vec::new());
    };
    let mut guilty = |some: &[Suspect]| -> Result<Vec<String>, Error> {
        let trials: Vec<Trial<'_>> = some.iter().map(Suspect::trial).collect();
        let verdicts = judge(link, &trials)?;
        let is_guilty = some
            .iter()
            .zip(verdicts)
            .filter(|(_, verdict)| *verdict != Verdict::Two);
        Ok(is_guilty.map(|(suspect, _)| suspect.name()).collect())
    };
    if !guilty(std::slice::from_ref(first))?.is_empty() {
        return Ok(suspects.iter().map(Suspect::name).collect());
    }
    guilty(others)
}

/// Returns the names of those that a mark proves to be one mailbox.
///
/// # Errors
/// A failure that ends a connection.
pub(super) fn proven(link: &mut Link, suspects: &[Suspect]) -> Result<Vec<String>, Error> {
    let trials: Vec<Trial<'_>> = suspects.iter().map(Suspect::trial).collect();
    let verdicts = judge(link, &trials)?;
    let proven = suspects
        .iter()
        .zip(verdicts)
        .filter(|(_, verdict)| *verdict == Verdict::One);
    Ok(proven.map(|(suspect, _)| suspect.name()).collect())
}

/// Refuses a run if some of these folders, one of each side, are one mailbox. A dry run only warns
/// of those that look so.
///
/// # Errors
/// Some are one mailbox, or a connection ends.
pub(super) fn check(
    link: &mut Link,
    folders: &[(&ListedMailbox, &ListedMailbox)],
    dry_run: bool,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let suspects = suspects(link, folders)?;
    if !dry_run {
        return refuse(&convict(link, &suspects)?);
    }
    if !suspects.is_empty() {
        let text = &suspicion(&suspects);
        observer.observe(&Event::Warning { text });
    }
    Ok(())
}

/// Refuses a run of one mailbox with itself, if there are any folders.
///
/// # Errors
/// The refusal. `folders` are the source's that would be copied into themselves.
pub(super) fn refuse(folders: &[String]) -> Result<(), Error> {
    if folders.is_empty() {
        Ok(())
    } else {
        Err(refusal(folders))
    }
}

/// Returns the error that ends a run of one mailbox with itself.
fn refusal(folders: &[String]) -> Error {
    let text = format!(
        "source and target are the same mailbox: {}",
        some_names(folders)
    );
    Error::new(ErrorKind::SameMailbox, text).with_hint(
        "pass two different mailboxes; within one account, set the destination with --into FOLDER or --map FROM=TO, \
         and select the source folders with --folder or --exclude",
    )
}

/// Returns the warning of a run that writes nothing about folders that look the same.
pub(super) fn suspicion(suspects: &[Suspect]) -> String {
    let names: Vec<String> = suspects.iter().map(Suspect::name).collect();
    format!(
        "source and target may be the same mailbox: the same messages have the same UIDs on both sides, in {}; a run \
         that writes checks this before it begins",
        some_names(&names)
    )
}

/// Joins some names for display.
pub(super) fn some_names(names: &[String]) -> String {
    match names {
        [] => "all folders".to_owned(),
        [one] => one.clone(),
        [one, other] => format!("{one} and {other}"),
        [one, rest @ ..] => format!("{one} and {} more folders", rest.len()),
    }
}

/// Marks a message on the target in each trial and looks for the mark on the source. Removes the
/// marks again.
///
/// # Errors
/// What ends a connection; a mark may then stay until the trial is repeated.
pub(super) fn judge(link: &mut Link, trials: &[Trial<'_>]) -> Result<Vec<Verdict>, Error> {
    let mut verdicts = vec![Verdict::Unknown; trials.len()];
    for mark in [Flags::MARK, "\\Answered", "\\Flagged", "\\Draft"] {
        let open: Vec<usize> = (0..trials.len())
            .filter(|at| verdicts[*at] == Verdict::Unknown)
            .collect();
        if open.is_empty() {
            break;
        }
        let trials: Vec<Trial<'_>> = open.iter().map(|at| trials[*at]).collect();
        for (at, verdict) in open.into_iter().zip(try_mark(link, &trials, mark)?) {
            verdicts[at] = verdict;
        }
    }
    Ok(verdicts)
}

fn try_mark(link: &mut Link, trials: &[Trial<'_>], mark: &str) -> Result<Vec<Verdict>, Error> {
    let flag = Flags::from_names([mark]);
    let mut verdicts = vec![Verdict::Unknown; trials.len()];
    if mark == Flags::MARK {
        // A killed run may have left one.
        let left = bearers_on_target(link.target.as_mut(), trials, &flag, |_, bears| bears)?;
        change(link.target.as_mut(), trials, &left, &flag, FlagEdit::Remove)?;
    }
    let fit = bearers_on_target(link.target.as_mut(), trials, &flag, |scan, bears| {
        !bears && !scan.messages.is_empty() && scan.permanent_flags.keeps(&flag)
    })?;
    if fit.is_empty() {
        return Ok(verdicts);
    }
    let earlier = bearers_on_source(link.source.as_mut(), trials, &fit, &flag)?;
    let (fit, earlier): (Vec<usize>, Vec<HashSet<Uid>>) = fit
        .into_iter()
        .zip(earlier)
        .filter_map(|(at, bearers)| Some((at, bearers?)))
        .unzip();
    change(link.target.as_mut(), trials, &fit, &flag, FlagEdit::Add)?;
    let looked = look_for_marks(link, trials, &fit, (&flag, &earlier));
    // Whatever the result.
    let removed = change(link.target.as_mut(), trials, &fit, &flag, FlagEdit::Remove);
    for (at, verdict) in looked? {
        verdicts[at] = verdict;
    }
    removed.map(|()| verdicts)
}

/// Looks for the marks on both sides; `earlier` are the source's messages that had the flag before.
fn look_for_marks(
    link: &mut Link,
    trials: &[Trial<'_>],
    fit: &[usize],
    (flag, earlier): (&Flags, &[HashSet<Uid>]),
) -> Result<Vec<(usize, Verdict)>, Error> {
    let kept = bearers_on_target(link.target.as_mut(), trials, flag, |_, bears| bears)?;
    let mut open: Vec<usize> = fit.iter().copied().filter(|at| kept.contains(at)).collect();
    let mut verdicts = Vec::new();
    let began = Instant::now();
    while !open.is_empty() {
        let now = bearers_on_source(link.source.as_mut(), trials, &open, flag)?;
        let waited = began.elapsed();
        let mut still_open = Vec::new();
        for (at, bearers) in open.into_iter().zip(now) {
            let before = fit
                .iter()
                .position(|one| *one == at)
                .and_then(|place| earlier.get(place));
            let is_new = |uid: &Uid| before.is_none_or(|before| !before.contains(uid));
            // What can no longer be read proves nothing.
            let Some(bearers) = bearers else { continue };
            match bearers.iter().any(is_new) {
                true => verdicts.push((at, Verdict::One)),
                false if waited < trials[at].patience => still_open.push(at),
                false => verdicts.push((at, Verdict::Two)),
            }
        }
        open = still_open;
        if !open.is_empty() {
            // Not ended by a stop: it takes a few seconds at most, and a verdict given too early
            // would let mail be deleted.
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    Ok(verdicts)
}

/// Returns the trials whose message on the target fits, by its folder and whether it has the flag.
fn bearers_on_target(
    target: &mut dyn Store,
    trials: &[Trial<'_>],
    flag: &Flags,
    fits: impl Fn(&FolderScan, bool) -> bool,
) -> Result<Vec<usize>, Error> {
    let request = |trial: &Trial<'_>| (trial.target.clone(), UidSet::from_iter([trial.uid]));
    let asked: Vec<_> = trials.iter().map(request).collect();
    let requests: Vec<ScanRequest<'_>> = (asked.iter())
        .map(|(mailbox, uids)| ScanRequest {
            uids: Some(uids.clone()),
            for_writing: true,
            ..ScanRequest::new(mailbox, ScanDepth::Attributes)
        })
        .collect();
    let mut fitting = Vec::new();
    target.scan(&requests, &mut |at, scan| {
        let Ok(scan) = scan else { return };
        let bears = scan
            .messages
            .iter()
            .any(|message| has(&scan, message, flag));
        if fits(&scan, bears) {
            fitting.push(at);
        }
    })?;
    Ok(fitting)
}

/// Returns the source's messages that have the flag, for each of these trials; `None` if not all
/// could be read.
fn bearers_on_source(
    source: &mut dyn Store,
    trials: &[Trial<'_>],
    which: &[usize],
    flag: &Flags,
) -> Result<Vec<Option<HashSet<Uid>>>, Error> {
    let request = |at: &usize| ScanRequest::new(trials[*at].source, trials[*at].source_depth);
    let requests: Vec<ScanRequest<'_>> = which.iter().map(request).collect();
    let mut bearers = vec![None; which.len()];
    source.scan(&requests, &mut |at, scan| {
        if let Some(scan) = scan.ok().filter(|scan| scan.unlisted == 0) {
            let marked = scan
                .messages
                .iter()
                .filter(|message| has(&scan, message, flag));
            bearers[at] = Some(marked.map(Message::uid).collect());
        }
    })?;
    Ok(bearers)
}

/// Returns messages with marks that a killed run has left. Called before a run sets its own.
pub(super) fn left_marked(scan: &FolderScan) -> UidSet {
    let mark = Flags::from_names([Flags::MARK]);
    let mut bearing: HashMap<u32, bool> = HashMap::new();
    let bears = |message: &&Message| {
        *bearing
            .entry(message.flags())
            .or_insert_with(|| has(scan, message, &mark))
    };
    scan.messages
        .iter()
        .filter(bears)
        .map(Message::uid)
        .collect()
}

fn has(scan: &FolderScan, message: &Message, flag: &Flags) -> bool {
    flag.minus(&scan.flags.get(message.flags())).is_empty()
}

fn change(
    target: &mut dyn Store,
    trials: &[Trial<'_>],
    which: &[usize],
    flag: &Flags,
    edit: FlagEdit,
) -> Result<(), Error> {
    if which.is_empty() {
        return Ok(());
    }
    let change = |at: &usize| FlagChange {
        mailbox: trials[*at].target.clone(),
        uids: UidSet::from_iter([trials[*at].uid]),
        edit,
        flags: flag.clone(),
        unchanged_since: None,
    };
    let changes: Vec<FlagChange> = which.iter().map(change).collect();
    // If one is refused, the folder shows it afterwards.
    target.change_flags(&changes).map(|_| ())
}
