//! Resolves messages whose fate is unknown when the lanes have ended.
//!
//! A connection that broke between a message and its acknowledgement leaves a doubt: resending
//! could duplicate the message, not resending could lose it. So the target is scanned, and the same
//! matching that plans a run decides.

use super::ledger::Stage;
use super::{Contents, Link, ROUNDS, Shared, grace, read_tied};
use crate::identity::ContentKeys;
use crate::locks::lock;
use crate::mail::{Message, Side, Uid, UidNext, UidValidity};
use crate::plan::{
    Likeness, MatchRules, Piece, Settled, Tie, Treatment, match_folder, rows, settle as settle_tie,
};
use crate::store::{
    Answer, Error, ErrorKind, FolderScan, ReadStore, Refusal, RefusalMeaning, ScanDepth,
    ScanRequest,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The stages in which nothing is settled.
const OPEN: [Stage; 5] = [
    Stage::Waiting,
    Stage::Sent,
    Stage::Uncertain,
    Stage::Unseen,
    Stage::Doubted,
];

/// Looks for every message whose fate is unknown, and puts those to be resent into the queue.
/// Returns whether there is more to do; in the last round, what is still open is reported as failed
/// instead.
pub(super) fn settle(shared: &Shared<'_>, round: usize) -> Result<bool, Error> {
    let groups = groups(shared);
    if groups.is_empty() {
        return Ok(false);
    }
    // Messages that are only in doubt need no server to finish anything.
    let is_unfinished = |task: &usize| {
        has(
            shared,
            *task,
            &[Stage::Waiting, Stage::Sent, Stage::Uncertain, Stage::Unseen],
        )
    };
    if groups.iter().flatten().any(is_unfinished) {
        grace();
    }
    let link = shared.take_spare();
    let mut link = link.map_or_else(|| shared.context.connect_with_patience(), Ok)?;
    let mut postponed = false;
    for tasks in groups {
        let mut settling = Settling {
            shared,
            link: &mut link,
            tasks,
            round,
            postponed,
        };
        settling.run()?;
        postponed = settling.postponed;
    }
    shared.keep(link);
    Ok(postponed || !shared.queue.is_empty())
}

/// Returns the tasks with open messages, each with all others that write to the same folder on the
/// target.
fn groups(shared: &Shared<'_>) -> Vec<Vec<usize>> {
    let mut by_target: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for (index, task) in shared.ledger.tasks().enumerate() {
        by_target
            .entry(task.target.as_bytes())
            .or_default()
            .push(index);
    }
    let is_open = |tasks: &Vec<usize>| tasks.iter().any(|task| has(shared, *task, &OPEN));
    by_target.into_values().filter(is_open).collect()
}

fn has(shared: &Shared<'_>, task: usize, stages: &[Stage]) -> bool {
    let stage = |position| shared.ledger.stage(shared.ledger.token(task, position));
    (0..shared.ledger.task(task).messages.len()).any(|position| stages.contains(&stage(position)))
}

/// A message by its task and position.
type Place = (usize, usize);

/// Messages in a source folder by the index of their task and their UID.
type Named = HashSet<(usize, Uid)>;

struct Settling<'a> {
    shared: &'a Shared<'a>,
    link: &'a mut Link,
    /// All tasks that write to one folder on the target: a message found there may belong to any of
    /// them.
    tasks: Vec<usize>,
    round: usize,
    /// Whether something is left for the next round.
    postponed: bool,
}

/// What was found out about doubtful messages.
struct Findings {
    /// The source has them and the target doesn't.
    missing: Named,
    /// Undecidable, because their content can't be read.
    doubtful: Named,
    /// All that the source still has.
    present: Named,
    /// Where the target has those that it has.
    found: HashMap<(usize, Uid), Uid>,
    target_uid_validity: Option<UidValidity>,
}

/// What was scanned on both sides.
struct Scans<'s> {
    /// By their tasks.
    sources: &'s [(usize, FolderScan)],
    target: &'s FolderScan,
    /// All messages of the source's folders, and what each is called.
    messages: Vec<Message>,
    names: Vec<(usize, Uid)>,
}

impl Scans<'_> {
    /// What the source's message at this place is called.
    fn name(&self, at: u32) -> (usize, Uid) {
        self.names[at as usize]
    }
}

impl Settling<'_> {
    /// Returns the account that is read from.
    fn source(&mut self) -> &mut dyn ReadStore {
        self.link.side(self.shared.context.to.other())
    }

    /// Returns the account that is written to.
    fn target(&mut self) -> &mut dyn ReadStore {
        self.link.side(self.shared.context.to)
    }

    fn run(&mut self) -> Result<(), Error> {
        // No lane is left that could wait for an answer.
        let uncertain = self.at(&[Stage::Uncertain, Stage::Sent]);
        if !uncertain.is_empty() {
            match self.look_on_target()? {
                Ok(findings) => self.conclude(uncertain, &findings),
                Err(refusal) => self.postpone(&uncertain, &refusal),
            }
        }
        for task in self.tasks.clone() {
            let unseen = self.of(task, &[Stage::Unseen, Stage::Waiting]);
            if !unseen.is_empty() {
                match self.look_on_source(task, &unseen)? {
                    Ok(present) => {
                        let open = self.fail_refused(present);
                        self.send_again(
                            open,
                            &format!("the {} does not send its content", self.shared.reader()),
                        );
                    }
                    Err(refusal) => self.postpone(&unseen, &refusal),
                }
            }
            self.ask_for_doubted(task)?;
        }
        Ok(())
    }

    /// Requests the sizes of messages whose bodies contradicted them, and resends those that still
    /// exist.
    fn ask_for_doubted(&mut self, task: usize) -> Result<(), Error> {
        let doubted = self.of(task, &[Stage::Doubted]);
        if doubted.is_empty() {
            return Ok(());
        }
        match self.scan_source(task, &doubted, ScanDepth::Sizes)? {
            Ok(found) => {
                let present = self.still_there(&doubted, &found);
                for (task, position) in &present {
                    let uid = self.shared.ledger.task(*task).messages[*position].uid();
                    let at = found.messages.binary_search_by_key(&uid, Message::uid);
                    let size = at.map_or(0, |at| found.messages[at].size());
                    self.shared
                        .doubts
                        .note_size(self.shared.ledger.token(*task, *position), size);
                }
                self.send_again(
                    present,
                    &format!(
                        "what the {} sends contradicts what it says of it",
                        self.shared.reader()
                    ),
                );
            }
            Err(refusal) => self.postpone(&doubted, &refusal),
        }
        Ok(())
    }

    /// Confirms, resends or reports doubtful messages.
    fn conclude(&self, uncertain: Vec<Place>, findings: &Findings) {
        let mut again = Vec::new();
        for (task, position) in uncertain {
            let message = &self.shared.ledger.task(task).messages[position];
            let token = self.shared.ledger.token(task, position);
            let name = (task, message.uid());
            if findings.missing.contains(&name) {
                again.push((task, position));
            } else if findings.doubtful.contains(&name) {
                let reason = format!(
                    "can't read its content, so can't tell whether the {} has it",
                    self.shared.writer()
                );
                self.shared.fail(task, position, None, &reason);
            } else if findings.present.contains(&name) {
                self.shared.confirm(token, u64::from(message.size()));
                let place = findings.found.get(&name).map(|uid| (token, *uid));
                self.shared
                    .place(findings.target_uid_validity, place.into_iter());
            } else {
                self.shared.ledger.set(token, Stage::Vanished);
            }
        }
        self.send_again(again, &self.why_unconfirmed());
    }

    /// Compares what was sent with what the target has.
    ///
    /// Confirmed messages take part in the matching, and first: each accounts for its own copy on
    /// the target, so that it isn't taken for that of an equal uncertain one.
    fn look_on_target(&mut self) -> Result<Answer<Findings>, Error> {
        let mut sources = Vec::new();
        for task in self.tasks.clone() {
            let ours = self.of(task, &[Stage::Uncertain, Stage::Sent, Stage::Copied]);
            if ours.is_empty() {
                continue;
            }
            match self.scan_source(task, &ours, ScanDepth::Identity)? {
                Ok(scan) => sources.push((task, scan)),
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
        Ok(match self.scan_target()? {
            Ok(target) => Ok(self.compare(&sources, &target)?),
            Err(refusal) => Err(refusal),
        })
    }

    /// Scans what is new in the target's folder since the copy began.
    fn scan_target(&mut self) -> Result<Answer<FolderScan>, Error> {
        let tasks = || self.tasks.iter().map(|task| self.shared.ledger.task(*task));
        let Some(any) = tasks().next() else {
            return Err(Error::new(
                ErrorKind::Protocol,
                "there is no folder to look into",
            ));
        };
        // `None` is the least of all: a folder whose UIDNEXT is unknown.
        let first_new = tasks().map(|task| task.target_uid_next).min().flatten();
        let mut request = ScanRequest {
            mailbox: &any.target,
            depth: ScanDepth::Identity,
            uids: first_new.map(UidNext::and_above),
            search: None,
            for_writing: false,
        };
        let mut target = scan(self.target(), &request)?;
        if target
            .as_ref()
            .is_ok_and(|scan| scan.uid_validity != any.target_uid_validity)
        {
            // The folder's UIDs have changed: new messages can only be found among all of them.
            request.uids = None;
            target = scan(self.target(), &request)?;
        }
        Ok(target)
    }

    fn compare(
        &mut self,
        sources: &[(usize, FolderScan)],
        target: &FolderScan,
    ) -> Result<Findings, Error> {
        let scans = self.join(sources, target);
        let drafts = self
            .tasks
            .iter()
            .any(|task| self.shared.ledger.task(*task).drafts);
        let matching = match_folder(&scans.messages, &target.messages, &MatchRules { drafts });
        let name = |at: &u32| scans.name(*at);
        let place =
            |(source, at): &(u32, u32)| (scans.name(*source), target.messages[*at as usize].uid());
        let mut findings = Findings {
            missing: matching.missing.iter().map(name).collect(),
            doubtful: Named::new(),
            present: scans.names.iter().copied().collect(),
            found: matching.pairs.iter().map(place).collect(),
            target_uid_validity: target.uid_validity,
        };
        for tie in &matching.ties {
            let settled = self.settle_by_contents(&scans, tie)?;
            findings.found.extend(settled.pairs.iter().map(place));
            findings.missing.extend(settled.missing.iter().map(name));
            findings
                .doubtful
                .extend(settled.doubtful.source.iter().map(name));
        }
        self.keep_told_uids(&mut findings.found);
        Ok(findings)
    }

    /// Takes the messages of all source folders together.
    fn join<'s>(&self, sources: &'s [(usize, FolderScan)], target: &'s FolderScan) -> Scans<'s> {
        // Confirmed ones first: if one of several equal messages is missing, it is a doubtful one.
        let mut all: Vec<(usize, Message)> = Vec::new();
        for (task, scan) in sources {
            all.extend(scan.messages.iter().map(|message| (*task, *message)));
        }
        all.sort_by_key(|(task, message)| !self.is_confirmed(*task, message.uid()));
        let messages: Vec<Message> = all.iter().map(|(_, message)| *message).collect();
        let names: Vec<(usize, Uid)> = all
            .into_iter()
            .map(|(task, message)| (task, message.uid()))
            .collect();
        Scans {
            sources,
            target,
            messages,
            names,
        }
    }

    /// Reads the contents of a tie and decides which is which.
    fn settle_by_contents(&mut self, scans: &Scans<'_>, tie: &Tie) -> Result<Settled, Error> {
        let Scans {
            sources,
            target,
            messages,
            ..
        } = scans;
        let mut on_source: HashMap<(usize, Uid), ContentKeys> = HashMap::new();
        for (task, scan) in *sources {
            let names = tie.source.iter().map(|at| scans.name(*at));
            let uids = names
                .filter(|(of, _)| of == task)
                .map(|(_, uid)| uid)
                .collect();
            let folder = &self.shared.ledger.task(*task).source;
            let read = read_tied(self.source(), folder, scan.uid_validity, &uids)?;
            on_source.extend(
                read.into_iter()
                    .map(|(uid, content)| ((*task, uid), content)),
            );
        }
        let uids = tie
            .target
            .iter()
            .map(|at| target.messages[*at as usize].uid())
            .collect();
        let on_target = match self
            .tasks
            .first()
            .map(|task| &self.shared.ledger.task(*task).target)
        {
            Some(folder) => read_tied(self.target(), folder, target.uid_validity, &uids)?,
            None => Contents::new(),
        };
        Ok(settle_tie(tie, |side, at| {
            let (message, content) = match side {
                Side::SOURCE => (&messages[at as usize], on_source.get(&scans.name(at))),
                Side::TARGET => {
                    let message = &target.messages[at as usize];
                    (message, on_target.get(&message.uid()))
                }
            };
            Some(Likeness::new(content?, message))
        }))
    }

    /// Corrects the choice among equal messages, for which the matching is arbitrary: those whose
    /// UIDs the target reported have these, and no other does.
    fn keep_told_uids(&self, found: &mut HashMap<(usize, Uid), Uid>) {
        let mut holder: HashMap<Uid, (usize, Uid)> =
            found.iter().map(|(name, uid)| (*uid, *name)).collect();
        let names: Vec<(usize, Uid)> = found.keys().copied().collect();
        for name in names {
            let Some(told) = self
                .told_uid(name)
                .filter(|told| found.get(&name) != Some(told))
            else {
                continue;
            };
            let given = found.insert(name, told);
            if let (Some(other), Some(given)) = (holder.insert(told, name), given) {
                found.insert(other, given);
                holder.insert(given, other);
            }
        }
    }

    fn told_uid(&self, (task, uid): (usize, Uid)) -> Option<Uid> {
        self.shared.ledger.uid(
            self.shared
                .ledger
                .token(task, self.shared.ledger.task(task).position(uid)?),
        )
    }

    /// Returns which of the messages that did not arrive are still on the source. The others were
    /// deleted there.
    fn look_on_source(
        &mut self,
        task: usize,
        unseen: &[Place],
    ) -> Result<Answer<Vec<Place>>, Error> {
        let found = match self.scan_source(task, unseen, ScanDepth::Attributes)? {
            Ok(scan) => scan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(self.still_there(unseen, &found)))
    }

    /// Returns those of these messages that a scan has found. The others were deleted, and are
    /// counted as such.
    fn still_there(&self, places: &[Place], found: &FolderScan) -> Vec<Place> {
        let (present, gone): (Vec<Place>, Vec<Place>) =
            places.iter().partition(|(task, position)| {
                let uid = self.shared.ledger.task(*task).messages[*position].uid();
                found
                    .messages
                    .binary_search_by_key(&uid, Message::uid)
                    .is_ok()
            });
        for (task, position) in gone {
            self.shared
                .ledger
                .set(self.shared.ledger.token(task, position), Stage::Vanished);
        }
        present
    }

    /// Scans these messages in a source folder, if it is still the same.
    fn scan_source(
        &mut self,
        task: usize,
        places: &[Place],
        depth: ScanDepth,
    ) -> Result<Answer<FolderScan>, Error> {
        let folder = self.shared.ledger.task(task);
        let uids = places
            .iter()
            .map(|(_, position)| folder.messages[*position].uid())
            .collect();
        let request = ScanRequest {
            mailbox: &folder.source,
            depth,
            uids: Some(uids),
            search: None,
            for_writing: false,
        };
        let scanned = scan(self.source(), &request)?;
        Ok(scanned.and_then(|scan| match (scan.uid_validity, folder.source_uid_validity) {
            (Some(now), Some(before)) if now != before => Err(Refusal {
                meaning: RefusalMeaning::NoFolder,
                text: format!("the folder was recreated during the run (UIDVALIDITY {before} became {now}); run again"),
            }),
            _ => Ok(scan),
        }))
    }

    fn is_confirmed(&self, task: usize, uid: Uid) -> bool {
        let position = self.shared.ledger.task(task).position(uid);
        position.is_some_and(|position| {
            self.shared
                .ledger
                .stage(self.shared.ledger.token(task, position))
                == Stage::Copied
        })
    }

    fn at(&self, stages: &[Stage]) -> Vec<Place> {
        self.tasks
            .iter()
            .flat_map(|task| self.of(*task, stages))
            .collect()
    }

    fn of(&self, task: usize, stages: &[Stage]) -> Vec<Place> {
        let stage = |position: usize| {
            self.shared
                .ledger
                .stage(self.shared.ledger.token(task, position))
        };
        let positions = 0..self.shared.ledger.task(task).messages.len();
        positions
            .filter(|position| stages.contains(&stage(*position)))
            .map(|position| (task, position))
            .collect()
    }

    fn why_unconfirmed(&self) -> String {
        let reason = lock(&self.shared.last_break).clone();
        let reason = reason
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        format!("its delivery could not be confirmed{reason}")
    }

    /// Reports messages that the source has but refused individually. Returns the others.
    fn fail_refused(&self, present: Vec<Place>) -> Vec<Place> {
        let mut others = Vec::new();
        for (task, position) in present {
            let token = self.shared.ledger.token(task, position);
            let refusal = lock(&self.shared.source_refusals).remove(&token);
            match refusal {
                Some(reason) => self.shared.fail(task, position, None, &reason),
                None => others.push((task, position)),
            }
        }
        others
    }

    fn is_last(&self) -> bool {
        self.round + 1 == ROUNDS
    }

    fn send_again(&self, places: Vec<Place>, reason: &str) {
        if self.is_last() {
            places
                .into_iter()
                .for_each(|(task, position)| self.shared.fail(task, position, None, reason));
            return;
        }
        for (task, position) in &places {
            self.shared
                .ledger
                .set(self.shared.ledger.token(*task, *position), Stage::Waiting);
        }
        // Messages in doubt after a second delivery go one by one, so that a message that breaks
        // the connection can't affect others.
        let treatment = Treatment {
            careful: self.round > 0,
            ..Treatment::default()
        };
        for task in &self.tasks {
            let positions = places
                .iter()
                .filter(|(of, _)| of == task)
                .map(|(_, position)| *position);
            let piece = |messages| Piece {
                task: *task,
                messages,
                treatment,
                attempts: 0,
            };
            self.shared
                .queue
                .give_back(rows(positions).into_iter().map(piece).collect::<Vec<_>>());
        }
    }

    /// Leaves for the next round what can't be looked for now, if that may help.
    fn postpone(&mut self, places: &[Place], refusal: &Refusal) {
        if refusal.meaning.is_passing() && !self.is_last() {
            self.postponed = true;
            return;
        }
        let reason = format!("it could not be looked for: {}", refusal.text);
        for (task, position) in places {
            self.shared.fail(*task, *position, None, &reason);
        }
    }
}

/// Scans one folder.
fn scan(store: &mut dyn ReadStore, request: &ScanRequest<'_>) -> Result<Answer<FolderScan>, Error> {
    let mut result = None;
    store.scan(std::slice::from_ref(request), &mut |_, scanned| {
        result = Some(scanned);
    })?;
    let result = result.ok_or_else(|| Error::new(ErrorKind::Protocol, "a scan gave no result"))?;
    Ok(result.and_then(|scan: FolderScan| {
        if scan.unlisted == 0 {
            return Ok(scan);
        }
        let text = format!(
            "the server does not list {} of the folder's messages",
            scan.unlisted
        );
        Err(Refusal {
            meaning: RefusalMeaning::Transient,
            text,
        })
    }))
}
