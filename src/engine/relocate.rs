//! Server-side copies and moves: asks a side for them, and finds out where each message went.
//!
//! What it keeps true: a message counts as relocated only when it is known where it is now, by
//! COPYUID or by having been found there. A connection that breaks leaves a doubt that is settled
//! the same way, so no message is copied twice.

use super::folders::FolderRef;
use super::scans::scan_again;
use super::way::{Way, is_broken};
use crate::mail::{MailboxName, Side, Uid, UidNext, UidSet, UidValidity};
use crate::plan::elsewhere::Sameness;
use crate::store::{Error, Refusal, Relocated, Relocation, ScanDepth};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A message that is to go to another folder of its side.
pub(crate) struct Errand<'a> {
    pub(crate) from: &'a MailboxName,
    pub(crate) from_uid_validity: Option<UidValidity>,
    pub(crate) uid: Uid,
    pub(crate) to: FolderRef<'a>,
    /// Whether it leaves the folder that it comes from.
    pub(crate) leave: bool,
    /// What it looks like when it has come; `None`: nothing tells it from others.
    pub(crate) same: Option<Sameness>,
}

/// What became of an errand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Where the message is now, if that is known.
    pub(crate) placed: Option<Uid>,
    /// The side did not tell where it is, so it was looked for.
    pub(crate) was_untold: bool,
    /// It may be where it was, though it was to leave.
    pub(crate) may_be_left: bool,
}

/// What a run had a side copy or move into one of its folders.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrived {
    /// The folder's UIDNEXT before that; `None`: nothing arrived, or it isn't known.
    pub(crate) since: Option<UidNext>,
    /// The UIDs that the messages got.
    pub(crate) uids: UidSet,
}

impl Arrived {
    /// Notes messages that arrived in a folder, and the UIDNEXT with which it was scanned.
    pub(crate) fn note(&mut self, scanned: Option<UidNext>, uids: impl Iterator<Item = Uid>) {
        self.since = self.since.or(scanned);
        uids.for_each(|uid| self.uids.insert(uid));
    }

    /// Adds what arrived in the same folder otherwise.
    pub(crate) fn add(&mut self, other: &Self) {
        self.since = [self.since, other.since].into_iter().flatten().min();
        self.uids.add(&other.uids);
    }

    /// Returns the first UID that messages sent from now on can get.
    pub(crate) fn next(&self) -> UidNext {
        let last = self.uids.iter().max();
        last.map_or(UidNext::FIRST, UidNext::after)
    }
}

/// What became of all errands, in their order, and what was refused, each with the first errand
/// that it concerns.
pub(crate) struct Outcomes {
    pub(crate) each: Vec<Outcome>,
    pub(crate) refusals: Vec<(usize, Refusal)>,
}

/// Which errands one request covers: whether they leave, from where, and to where.
type Route<'a> = (bool, &'a MailboxName, &'a MailboxName);

/// Says of a message that is new in a folder that it is another one than those that were relocated.
pub(crate) type IsTaken<'f> = dyn Fn(&MailboxName, Uid) -> bool + 'f;

/// Carries out errands: all are asked for at once, in the order of their routes, copies before
/// moves, which take away what others are copied from. `is_taken` says of a message that is new in
/// a folder that it is another one.
///
/// # Errors
/// What ends the connection, but for one that breaks while messages are relocated.
pub(crate) fn relocate(
    way: &mut Way<'_>,
    side: Side,
    errands: &[Errand<'_>],
    is_taken: &IsTaken<'_>,
) -> Result<Outcomes, Error> {
    let (requests, members) = requests(errands);
    let mut outcomes = Outcomes {
        each: vec![Outcome::default(); errands.len()],
        refusals: Vec::new(),
    };
    if requests.is_empty() {
        return Ok(outcomes);
    }
    match way.link()?.side(side).relocate(&requests) {
        Ok(results) => {
            for (of_request, result) in members.iter().zip(results) {
                outcomes.take(errands, of_request, result);
            }
        }
        Err(error) if is_broken(&error) => {
            way.end();
            crate::exec::grace();
            for (outcome, errand) in outcomes.each.iter_mut().zip(errands) {
                (outcome.was_untold, outcome.may_be_left) = (true, errand.leave);
            }
        }
        Err(error) => return Err(error),
    }
    look_for(way, side, errands, &mut outcomes.each, is_taken)?;
    Ok(outcomes)
}

/// The requests, and which errands each is for. A set names a message once: one that is wanted
/// twice in a folder goes in two requests.
fn requests(errands: &[Errand<'_>]) -> (Vec<Relocation>, Vec<Vec<usize>>) {
    let mut routes: BTreeMap<Route<'_>, Vec<usize>> = BTreeMap::new();
    for (at, errand) in errands.iter().enumerate() {
        routes
            .entry((errand.leave, errand.from, errand.to.mailbox))
            .or_default()
            .push(at);
    }
    let (mut requests, mut members) = (Vec::new(), Vec::new());
    for ((leave, from, to), mut of_route) in routes {
        while !of_route.is_empty() {
            let mut seen = HashSet::new();
            let (now, later): (Vec<usize>, Vec<usize>) = of_route
                .into_iter()
                .partition(|at| seen.insert(errands[*at].uid));
            of_route = later;
            requests.push(Relocation {
                from: from.clone(),
                uid_validity: errands[now[0]].from_uid_validity,
                uids: now.iter().map(|at| errands[*at].uid).collect(),
                to: to.clone(),
                leave,
            });
            members.push(now);
        }
    }
    (requests, members)
}

impl Outcomes {
    fn take(&mut self, errands: &[Errand<'_>], of_request: &[usize], result: Relocated) {
        let placed: HashMap<Uid, Uid> = result.placed.iter().copied().collect();
        for at in of_request {
            let (errand, outcome) = (&errands[*at], &mut self.each[*at]);
            match placed.get(&errand.uid) {
                Some(uid) if result.uid_validity == errand.to.counters.uid_validity => {
                    outcome.placed = Some(*uid);
                }
                Some(_) => outcome.was_untold = true,
                None => outcome.was_untold = result.somewhere.contains(errand.uid),
            }
            outcome.may_be_left = result.left_behind.contains(errand.uid);
        }
        if let (Some(refusal), Some(first)) = (result.refusal, of_request.first()) {
            self.refusals.push((*first, refusal));
        }
    }
}

/// Finds the messages whose new UIDs the side did not tell, among what is new in their target
/// folders. Each message found there answers one errand.
///
/// # Errors
/// What ends the connection.
pub(crate) fn look_for(
    way: &mut Way<'_>,
    side: Side,
    errands: &[Errand<'_>],
    outcomes: &mut [Outcome],
    is_taken: &IsTaken<'_>,
) -> Result<(), Error> {
    let mut folders: BTreeMap<&MailboxName, Vec<usize>> = BTreeMap::new();
    for (at, errand) in errands
        .iter()
        .enumerate()
        .filter(|(at, _)| outcomes[*at].was_untold)
    {
        folders.entry(errand.to.mailbox).or_default().push(at);
    }
    if folders.is_empty() {
        return Ok(());
    }
    let scans = way.repeatable(|link| {
        let asked = folders.values().map(|of_folder| {
            let first = of_folder
                .iter()
                .map(|at| errands[*at].to.counters.uid_next)
                .min()
                .flatten();
            (errands[of_folder[0]].to, first.map(UidNext::and_above))
        });
        scan_again(link.side(side), ScanDepth::Identity, asked)
    })?;
    let placed = errands
        .iter()
        .zip(&*outcomes)
        .filter_map(|(errand, of)| Some((errand.to.mailbox, of.placed?)));
    let placed: HashSet<(&MailboxName, Uid)> = placed.collect();
    for ((mailbox, of_folder), scan) in folders.into_iter().zip(scans) {
        let Some(scan) = scan else { continue };
        let is_other = |uid: Uid| placed.contains(&(mailbox, uid)) || is_taken(mailbox, uid);
        let mut there: HashMap<Sameness, Vec<Uid>> = HashMap::new();
        for message in scan
            .messages
            .iter()
            .filter(|message| !is_other(message.uid()))
        {
            if let Some(same) = Sameness::among_new(message) {
                there.entry(same).or_default().push(message.uid());
            }
        }
        for at in of_folder {
            let same = errands[at].same.as_ref();
            outcomes[at].placed = same.and_then(|same| there.get_mut(same)?.pop());
        }
    }
    Ok(())
}
