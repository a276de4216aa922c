//! What is done about messages whose fate is unknown when the lanes have ended.
//!
//! A connection that broke between a message and its acknowledgement leaves a doubt: sending again could double the
//! message, not sending could lose it. So the target is looked at, and the same matching that plans a run decides.

use super::ledger::Stage;
use super::{Link, ROUNDS, Shared, read_contents};
use crate::event::Side;
use crate::mail::{Message, UidSet};
use crate::plan::{FolderTask, MatchRules, Piece, Treatment, match_folder, rows, settle as settle_tie};
use crate::store::{Error, FolderScan, Refusal, RefusalMeaning, ScanDepth, ScanRequest, Store};
use std::time::Duration;

/// How long a server is given to finish what it received before its connection broke.
const GRACE: Duration = Duration::from_millis(250);

/// Looks for every message whose fate is unknown. Gives how many pieces were put back into the queue; in the last
/// round what is still open is named as failed instead.
pub(super) fn settle(shared: &Shared<'_>, round: usize) -> Result<usize, Error> {
    let open: Vec<usize> = (0..shared.tasks.len()).filter(|task| has_open(shared, *task)).collect();
    if open.is_empty() {
        return Ok(0);
    }
    std::thread::sleep(GRACE);
    let mut link = shared.context.connect_with_patience()?;
    for task in open {
        Settling { shared, link: &mut link, index: task, task: &shared.tasks[task], round }.run()?;
    }
    shared.close(link);
    Ok(shared.queue.len())
}

fn has_open(shared: &Shared<'_>, task: usize) -> bool {
    (0..shared.tasks[task].messages.len()).any(|position| {
        let stage = shared.ledger.stage(shared.ledger.token(task, position));
        matches!(stage, Stage::Waiting | Stage::Sent | Stage::Uncertain | Stage::Unseen)
    })
}

struct Settling<'a> {
    shared: &'a Shared<'a>,
    link: &'a mut Link,
    index: usize,
    task: &'a FolderTask,
    round: usize,
}

impl Settling<'_> {
    fn run(&mut self) -> Result<(), Error> {
        // No lane is left that could wait for an answer.
        let uncertain = self.at(&[Stage::Uncertain, Stage::Sent]);
        if !uncertain.is_empty() {
            match self.look_on_target(&uncertain)? {
                Ok(missing) => self.send_again(missing, &self.why_unconfirmed()),
                Err(refusal) => self.give_up(&uncertain, &refusal),
            }
        }
        let unseen = self.at(&[Stage::Unseen, Stage::Waiting]);
        if !unseen.is_empty() {
            match self.look_on_source(&unseen)? {
                Ok(present) => {
                    let open = self.fail_refused(present);
                    self.send_again(open, "the source does not send its content");
                }
                Err(refusal) => self.give_up(&unseen, &refusal),
            }
        }
        Ok(())
    }

    /// Which of the uncertain messages the target does not have. The others are confirmed.
    ///
    /// Confirmed messages take part in the matching: each accounts for its own copy on the target, so that an equal
    /// uncertain one is not taken for it.
    fn look_on_target(&mut self, uncertain: &[usize]) -> Result<Result<Vec<usize>, Refusal>, Error> {
        let ours = self.at(&[Stage::Uncertain, Stage::Sent, Stage::Copied]);
        let task = self.task;
        let source = scan(self.link.source.as_mut(), &source_request(task, &ours, ScanDepth::Identity))?;
        let new_on_target = self.task.target_uid_next.and_then(crate::mail::Uid::new).map(UidSet::from_uid);
        let mut request = ScanRequest {
            mailbox: &self.task.target,
            depth: ScanDepth::Identity,
            uids: new_on_target,
            search: None,
            for_writing: false,
        };
        let mut target = scan(self.link.target.as_mut(), &request)?;
        if target.as_ref().is_ok_and(|scan| scan.uid_validity != self.task.target_uid_validity) {
            // The folder's UIDs mean something else now: what was new can only be found among all of them.
            request.uids = None;
            target = scan(self.link.target.as_mut(), &request)?;
        }
        let (source, target) = match (source, target) {
            (Ok(source), Ok(target)) => (source, target),
            (Err(refusal), _) | (_, Err(refusal)) => return Ok(Err(refusal)),
        };
        let missing = self.missing(&source, &target)?;
        let mut again = Vec::new();
        for position in uncertain {
            let token = self.shared.ledger.token(self.index, *position);
            let message = &self.task.messages[*position];
            if missing.contains(message.uid()) {
                again.push(*position);
            } else if source.messages.binary_search_by_key(&message.uid(), Message::uid).is_ok() {
                self.shared.confirm(token, u64::from(message.size()));
            } else {
                self.shared.ledger.set(token, Stage::Vanished);
            }
        }
        Ok(Ok(again))
    }

    /// The source's messages that the target lacks.
    fn missing(&mut self, source: &FolderScan, target: &FolderScan) -> Result<UidSet, Error> {
        let matching = match_folder(&source.messages, &target.messages, &MatchRules { drafts: self.task.drafts });
        let mut missing: UidSet = matching.missing.iter().map(|at| source.messages[*at as usize].uid()).collect();
        for tie in &matching.ties {
            let uids = |scan: &FolderScan, which: &[u32]| -> UidSet {
                which.iter().map(|at| scan.messages[*at as usize].uid()).collect()
            };
            let task = self.task;
            let on_source = uids(source, &tie.source);
            let on_source = read_contents(self.link.source.as_mut(), &task.source, source.uid_validity, &on_source)?;
            let on_target = uids(target, &tie.target);
            let on_target = read_contents(self.link.target.as_mut(), &task.target, target.uid_validity, &on_target)?;
            let settled = settle_tie(tie, |side, at| {
                let content = match side {
                    Side::Source => on_source.get(&source.messages[at as usize].uid()),
                    Side::Target => on_target.get(&target.messages[at as usize].uid()),
                };
                content.map(|content| content.canonical)
            });
            for at in settled.missing {
                missing.insert(source.messages[at as usize].uid());
            }
        }
        Ok(missing)
    }

    /// Which of the messages that did not come are still on the source. The others were deleted there.
    fn look_on_source(&mut self, unseen: &[usize]) -> Result<Result<Vec<usize>, Refusal>, Error> {
        let request = source_request(self.task, unseen, ScanDepth::Attributes);
        let found = match scan(self.link.source.as_mut(), &request)? {
            Ok(scan) => scan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (present, gone): (Vec<usize>, Vec<usize>) = unseen.iter().partition(|position| {
            let uid = self.task.messages[**position].uid();
            found.messages.binary_search_by_key(&uid, Message::uid).is_ok()
        });
        for position in gone {
            self.shared.ledger.set(self.shared.ledger.token(self.index, position), Stage::Vanished);
        }
        Ok(Ok(present))
    }

    fn at(&self, stages: &[Stage]) -> Vec<usize> {
        let stage = |position: &usize| self.shared.ledger.stage(self.shared.ledger.token(self.index, *position));
        (0..self.task.messages.len()).filter(|position| stages.contains(&stage(position))).collect()
    }

    fn why_unconfirmed(&self) -> String {
        let reason = self.shared.last_break.lock().ok().and_then(|last| last.clone());
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("its delivery could not be confirmed{reason}")
    }

    /// Names the messages that the source has and refused by themselves. Gives the others.
    fn fail_refused(&self, present: Vec<usize>) -> Vec<usize> {
        let mut others = Vec::new();
        for position in present {
            let token = self.shared.ledger.token(self.index, position);
            let refusal = self.shared.source_refusals.lock().ok().and_then(|mut refusals| refusals.remove(&token));
            match refusal {
                Some(reason) => self.shared.fail(self.index, position, None, &reason),
                None => others.push(position),
            }
        }
        others
    }

    fn send_again(&self, positions: Vec<usize>, reason: &str) {
        if self.round + 1 == ROUNDS {
            for position in positions {
                self.shared.fail(self.index, position, None, reason);
            }
            return;
        }
        for position in &positions {
            self.shared.ledger.set(self.shared.ledger.token(self.index, *position), Stage::Waiting);
        }
        // What is in doubt again after a second delivery goes one by one, so that the one message that breaks the
        // connection can't take others with it.
        let treatment = Treatment { careful: self.round > 0, ..Treatment::default() };
        let piece = |messages| Piece { task: self.index, messages, treatment, attempts: 0 };
        self.shared.queue.give_back(rows(positions).into_iter().map(piece).collect::<Vec<_>>());
    }

    fn give_up(&self, positions: &[usize], refusal: &Refusal) {
        let reason = format!("it could not be looked for: {}", refusal.text);
        for position in positions {
            self.shared.fail(self.index, *position, None, &reason);
        }
    }
}

fn source_request<'t>(task: &'t FolderTask, positions: &[usize], depth: ScanDepth) -> ScanRequest<'t> {
    let uids = positions.iter().map(|position| task.messages[*position].uid()).collect();
    ScanRequest { mailbox: &task.source, depth, uids: Some(uids), search: None, for_writing: false }
}

/// Scans one folder.
fn scan(store: &mut dyn Store, request: &ScanRequest<'_>) -> Result<Result<FolderScan, Refusal>, Error> {
    let mut result = None;
    store.scan(std::slice::from_ref(request), &mut |_, scanned| result = Some(scanned))?;
    let result = result.ok_or_else(|| Error::new(crate::store::ErrorKind::Protocol, "a scan gave no result"))?;
    Ok(result.and_then(|scan: FolderScan| {
        if scan.unlisted == 0 {
            return Ok(scan);
        }
        let text = format!("the server does not list {} of the folder's messages", scan.unlisted);
        Err(Refusal { meaning: RefusalMeaning::Transient, text })
    }))
}
