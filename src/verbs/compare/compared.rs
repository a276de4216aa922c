//! Two folders that were compared: what is the same on both sides, and what isn't.

use crate::event::{Event, Observer, Place};
use crate::folders;
use crate::mail::{FlagTable, HeaderKey, MailboxName, Message, Side, UidSet, counted};
use crate::plan::{MatchRules, Matching, match_folder};
use crate::store::FolderScan;
use crate::verbs::known::{Known, KnownPair, Recognised};
use crate::verbs::left_out::FilteredOut;
use std::collections::HashSet;

/// The contents of two folders, and which of their messages are the same.
pub(in crate::verbs) struct Compared {
    pub(in crate::verbs) source: FolderScan,
    /// Without messages if the folder doesn't exist.
    pub(in crate::verbs) target: Option<FolderScan>,
    /// The pairs of earlier runs.
    pub(in crate::verbs) recognised: Recognised,
    /// The new matches, and the unmatched messages.
    pub(in crate::verbs) matching: Matching,
    /// Why the record of earlier runs was not trusted.
    pub(in crate::verbs) doubt: Option<String>,
    /// The source's messages that the target may or may not have, because content could not be
    /// read.
    pub(in crate::verbs) doubtful: Vec<u32>,
    /// The pairs whose headers differ only because one has `X` for each 8-bit byte of the other.
    pub(in crate::verbs) munged: HashSet<(u32, u32)>,
    /// Whether something on the target could not be read, so it is unknown whether the source has
    /// it.
    pub(in crate::verbs) has_doubtful_target: bool,
    /// The source's messages that options left out.
    pub(in crate::verbs) filtered_out: FilteredOut,
}

impl Compared {
    /// Drops the recorded pairs, because the servers contradict them.
    pub(super) fn believe_no_record(&mut self) {
        let doubt = "UIDs that were known belong to other messages now, as after a restoration from a backup";
        self.doubt = Some(doubt.to_owned());
        self.recognised = Recognised::default();
    }

    /// Returns the positions of messages that no earlier run has paired, in both scans.
    pub(super) fn unpaired(&self) -> (Vec<u32>, Vec<u32>) {
        let rest = |length: usize, taken: &dyn Fn(&KnownPair) -> u32| {
            let mut is_taken = vec![false; length];
            self.recognised
                .pairs
                .iter()
                .for_each(|pair| is_taken[taken(pair) as usize] = true);
            (0..length as u32)
                .filter(|at| !is_taken[*at as usize])
                .collect()
        };
        let on_target = self.target.as_ref().map_or(0, |scan| scan.messages.len());
        (
            rest(self.source.messages.len(), &|pair| pair.source),
            rest(on_target, &|pair| pair.target),
        )
    }

    /// Matches messages that no earlier run has paired, by positions in the full scans.
    pub(super) fn match_unpaired(&self, rules: &MatchRules) -> Matching {
        if self.recognised.pairs.is_empty() {
            // Every message is unpaired, so the scans are matched without copying their messages.
            let on_target = self.target.as_ref().map_or(&[][..], |scan| &scan.messages);
            return match_folder(&self.source.messages, on_target, rules);
        }
        let (on_source, on_target) = self.unpaired();
        let pick = |scan: &FolderScan, which: &[u32]| -> Vec<Message> {
            which.iter().map(|at| scan.messages[*at as usize]).collect()
        };
        let source = pick(&self.source, &on_source);
        let target = self
            .target
            .as_ref()
            .map_or_else(Vec::new, |scan| pick(scan, &on_target));
        let mut matching = match_folder(&source, &target, rules);
        // The matching uses positions among the unpaired; here they become positions in the full
        // scan.
        let whole = |all: &[u32], which: &mut Vec<u32>| {
            which.iter_mut().for_each(|at| *at = all[*at as usize]);
        };
        whole(&on_source, &mut matching.missing);
        whole(&on_target, &mut matching.extra);
        for (source, target) in &mut matching.pairs {
            (*source, *target) = (on_source[*source as usize], on_target[*target as usize]);
        }
        for tie in &mut matching.ties {
            whole(&on_source, &mut tie.source);
            whole(&on_target, &mut tie.target);
        }
        matching
    }

    /// Returns the positions of unpaired messages with missing attributes: date and size, and the
    /// header if both sides have messages to match.
    pub(super) fn lacking(&self) -> (Vec<u32>, Vec<u32>) {
        let (mut on_source, mut on_target) = self.unpaired();
        let is_matched = !on_source.is_empty() && !on_target.is_empty();
        let lacks = |scan: &FolderScan, at: u32| {
            let message = &scan.messages[at as usize];
            message.is_bare() || is_matched && message.key() == HeaderKey::Unknown
        };
        on_source.retain(|at| lacks(&self.source, *at));
        on_target.retain(|at| self.target.as_ref().is_some_and(|scan| lacks(scan, *at)));
        (on_source, on_target)
    }

    /// Returns the recorded pairs whose headers are to be checked but were not requested on both
    /// sides.
    pub(super) fn to_probe(&self, known: Option<&Known>) -> Vec<(u32, u32)> {
        let (Some(known), Some(target)) = (known, &self.target) else {
            return Vec::new();
        };
        let lacks =
            |scan: &FolderScan, at: u32| scan.messages[at as usize].key() == HeaderKey::Unknown;
        let mut pairs = known.to_probe(&self.recognised, &self.source, target);
        pairs.retain(|(source, at)| lacks(&self.source, *source) || lacks(target, *at));
        pairs
    }

    /// Reports whether something must be requested before the messages can be matched.
    pub(super) fn lacks_keys(&self, known: Option<&Known>) -> bool {
        let (on_source, on_target) = self.lacking();
        !on_source.is_empty() || !on_target.is_empty() || !self.to_probe(known).is_empty()
    }

    /// Reports whether it is certain what only the target has: everything was listed, read and told
    /// apart.
    pub(in crate::verbs) fn is_certain(&self) -> bool {
        let all_listed = |scan: &FolderScan| scan.unlisted == 0;
        self.doubt.is_none()
            && self.doubtful.is_empty()
            && !self.has_doubtful_target
            && all_listed(&self.source)
            && self.target.as_ref().is_none_or(all_listed)
    }

    /// Returns the messages that only the target has.
    pub(in crate::verbs) fn extra(&self) -> UidSet {
        let Some(target) = &self.target else {
            return UidSet::default();
        };
        self.matching
            .extra
            .iter()
            .map(|at| target.messages[*at as usize].uid())
            .collect()
    }

    /// Returns a warning about messages that the source has but doesn't list.
    pub(in crate::verbs) fn unlisted(&self) -> Option<String> {
        let count = self.source.unlisted;
        (count > 0).then(|| {
            format!(
                "the source reports {} more than it lists; continuing with the rest",
                counted(count, "message")
            )
        })
    }

    /// Reports the messages that the target may or may not have; `mailbox` is their folder. Returns
    /// how many there are.
    pub(in crate::verbs) fn tell_doubtful(
        &self,
        pair: &folders::Pair,
        mailbox: &MailboxName,
        observer: &dyn Observer,
    ) -> u64 {
        let folder = pair.from.to_string();
        let place = Some(Place {
            side: Side::SOURCE,
            mailbox,
            uid_validity: self.source.uid_validity,
        });
        for at in &self.doubtful {
            let uid = self.source.messages[*at as usize].uid();
            let reason = "can't read its content, so can't tell whether the target has it";
            observer.observe(&Event::MessageFailed {
                place,
                folder: &folder,
                uid,
                heading: None,
                reason,
            });
        }
        self.doubtful.len() as u64
    }
}

/// Keeps only these messages of a scan, and their flags.
pub(in crate::verbs) fn only(scan: &FolderScan, which: &[u32]) -> (Vec<Message>, FlagTable) {
    (
        which.iter().map(|at| scan.messages[*at as usize]).collect(),
        scan.flags.clone(),
    )
}
