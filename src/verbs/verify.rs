//! `verify`: compares two mailboxes and writes nothing. It uses no saved state, only what the
//! servers have now.

use super::compare::{self, Compared, Comparison};
use super::deep::{Contrast, DeepFolder, compare_contents};
use super::headings::{Headings, Wanted};
use super::holdings::Survey;
use super::labels;
use super::left_out;
use super::opening::{self, Opened};
use super::same_mailbox::{self, Kinship};
use super::searching::check_search;
use super::views::look_through;
use super::{Status, VerifyOptions, VerifySummary};
use crate::event::{self, Difference, DifferenceKind, Event, Observer, Run};
use crate::exec::ReadLink;
use crate::folders::{Pair, Rules, TargetFolder};
use crate::mail::{
    Both, Heading, ListedMailbox, MailboxName, Message, Side, SpecialUse, Uid, counted,
};
use crate::store::{Error, FolderScan, ReadConnector};
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Instant;

/// Compares the folders of `source` with those that `copy` would fill on `target`, by the same
/// rules.
///
/// Each difference is an event; the summary counts them.
///
/// # Errors
/// The comparison could not start, or stopped: a connection, a login, colliding folders.
pub fn verify(
    connectors: Both<&dyn ReadConnector>,
    rules: &Rules,
    options: &VerifyOptions,
    run: Run<'_>,
) -> Result<VerifySummary, Error> {
    let started = Instant::now();
    let observer = run.observer;
    let opened = Opened::new(opening::connect_to_read(connectors)?, rules, observer)?;
    let failed = opened.folders_failed();
    let Opened {
        mut link,
        pairing,
        source_listing,
        target_listing,
        ..
    } = opened;
    let names = opening::Names::new(&pairing, &source_listing, &target_listing);
    let search = options.filter.search.as_deref();
    check_search(link.source.as_mut(), search, Side::SOURCE, &names)?;
    check_search(link.target.as_mut(), search, Side::TARGET, &names)?;
    tell_same(&mut link, &names, options.kinship, observer)?;
    let left_out = left_out::folders_of(&pairing, &source_listing);
    let summary = VerifySummary {
        failed,
        left_out,
        ..VerifySummary::default()
    };
    let pairs = names.pairs;
    let mut verify = Verify {
        options,
        observer,
        pairs,
        summary,
        deep: Vec::new(),
        found: Vec::new(),
    };
    verify.compare(&mut link, &names)?;
    verify.take_unmatched(&mut link, &names)?;
    verify.compare_deeply(connectors, link, run);
    let mut summary = verify.summary;
    if run.stop.is_requested() {
        summary.status = Status::Interrupted;
    } else if summary.failed > 0 {
        summary.status = Status::Partial;
    }
    summary.seconds = started.elapsed().as_secs_f64();
    Ok(summary)
}

/// Warns that a mailbox is compared with itself.
fn tell_same(
    link: &mut ReadLink,
    names: &opening::Names<'_>,
    kinship: Kinship,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let text = match kinship {
        Kinship::Apart => return Ok(()),
        Kinship::OneAccount => {
            "source and target are the same mailbox: comparing it with itself".to_owned()
        }
        Kinship::Unknown | Kinship::ServerAndDirectory => {
            let pair =
                |pair: &Pair| Some((&names.source.mailboxes[pair.source], names.existing(pair)?));
            let paired: Vec<_> = names.pairs.iter().filter_map(pair).collect();
            let suspects = same_mailbox::suspects(link, &paired)?;
            if suspects.is_empty() {
                return Ok(());
            }
            same_mailbox::suspicion(&suspects)
        }
    };
    observer.observe(&Event::Warning { text: &text });
    Ok(())
}

/// Sums up the contents of both folders of a pair.
fn survey(
    [source, target]: &mut [Survey; 2],
    pair: &Pair,
    names: &compare::Pair,
    compared: &Compared,
) {
    source.add(
        &pair.from.to_string(),
        &names.source,
        &compared.source.messages,
    );
    if let (Some(name), Some(scan)) = (&names.target, &compared.target) {
        target.add(&pair.to.to_string(), name, &scan.messages);
    }
}

struct Verify<'a> {
    options: &'a VerifyOptions,
    observer: &'a dyn Observer,
    pairs: &'a [Pair],
    summary: VerifySummary,
    /// What a deep comparison still has to read.
    deep: Vec<DeepFolder>,
    /// Differences to report once the headings of their messages are known.
    found: Vec<Found>,
}

/// A difference in a pair of folders that is still to be reported.
struct Found {
    pair: usize,
    kind: DifferenceKind,
    uid: Option<Uid>,
    detail: Cow<'static, str>,
}

/// Once so many differences are waiting, those of further folders are reported immediately, without
/// headings.
const MOST_FOUND: usize = 10_000;

impl Verify<'_> {
    fn compare(&mut self, link: &mut ReadLink, names: &opening::Names<'_>) -> Result<(), Error> {
        let mut surveys = Side::BOTH.map(|side| Survey::new(side, self.observer));
        let mut compared_pairs = names.comparison_pairs(surveys[0].is_wanted());
        self.tell_pairs(names);
        let folders: Vec<usize> = (0..names.pairs.len())
            .filter(|index| !names.pairs[*index].view)
            .collect();
        labels::sort(link.source.as_mut(), names, &mut compared_pairs)?;
        let views = self.views(link, names, &mut compared_pairs)?;
        self.summary.folders = (folders.len() + views.len()) as u64;
        let to_compare = self.without_unlisted([folders, views].concat(), names);
        if let Some(messages) = names.messages_on_source() {
            self.observer.observe(&Event::ToCompare {
                folders: self.summary.folders,
                messages,
                bytes: 0,
            });
        }
        let comparison = Comparison {
            first_on_target: &|_| Ok(compare::Learnt::new()),
            pairs: &compared_pairs,
            filter: &self.options.filter,
            filter_target: true,
            for_writing: false,
            target_flags: true,
            target_merges: names.target.merges_equal,
        };
        // Folders mapped to one share the target's messages: what is extra is known after the last
        // of them.
        let mut extra: HashMap<usize, (usize, Vec<Uid>)> = HashMap::new();
        let done = comparison.run(link, to_compare, &mut |index, result| match result {
            Ok(compared) => {
                survey(
                    &mut surveys,
                    &names.pairs[index],
                    &compared_pairs[index],
                    &compared,
                );
                if let Some(uids) = self.take_compared(index, &compared, names)
                    && let TargetFolder::Existing(target) = names.pairs[index].target
                {
                    extra.insert(target, (index, uids));
                }
            }
            Err(reason) => self.fail_folder(&names.pairs[index].from.to_string(), &reason),
        });
        for (index, uids) in extra.into_values() {
            self.take_extra(index, uids);
        }
        let headings = if done.is_ok() {
            self.headings_of_found(link, names)
        } else {
            Default::default()
        };
        self.tell_found(&headings, names);
        done?;
        let [source, target] = surveys;
        source.tell(link.source.as_mut(), self.observer)?;
        target.tell(link.target.as_mut(), self.observer)
    }

    fn tell_pairs(&self, names: &opening::Names<'_>) {
        for pair in names.pairs.iter().filter(|pair| !pair.view) {
            let (from, to) = (&pair.from.to_string(), &pair.to.to_string());
            self.observer.observe(&Event::FolderPaired {
                from,
                to,
                reason: &pair.reasons.join("; "),
            });
        }
    }

    /// Returns the pairs that can be compared. Reports those whose folder the target may have
    /// without listing it.
    fn without_unlisted(&mut self, pairs: Vec<usize>, names: &opening::Names<'_>) -> Vec<usize> {
        if !names.target.gaps.hide_folders() {
            return pairs;
        }
        let is_listed = |index: &usize| names.existing(&names.pairs[*index]).is_some();
        let (listed, unlisted): (Vec<usize>, Vec<usize>) = pairs.into_iter().partition(is_listed);
        for index in unlisted {
            let reason = "the target does not list it, and not all of its folders could be listed";
            self.fail_folder(&names.pairs[index].from.to_string(), reason);
        }
        listed
    }

    /// Returns the views with messages that no other folder has, limited to these.
    fn views(
        &mut self,
        link: &mut ReadLink,
        names: &opening::Names<'_>,
        compared: &mut [compare::Pair],
    ) -> Result<Vec<usize>, Error> {
        if !names.pairs.iter().any(|pair| pair.view) {
            return Ok(Vec::new());
        }
        let mut views = Vec::new();
        for outcome in look_through(link.source.as_mut(), names)? {
            match outcome {
                // The target's folder may have messages that the view no longer has.
                Ok(looked) if !looked.only.is_empty() || compared[looked.pair].target.is_some() => {
                    compared[looked.pair].only = Some(looked.only);
                    views.push(looked.pair);
                }
                Ok(_) => {}
                Err((index, reason)) => {
                    self.summary.failed += 1;
                    let folder = names.pairs[index].from.to_string();
                    self.observer.observe(&Event::FolderFailed {
                        folder: &folder,
                        reason: &reason,
                    });
                }
            }
        }
        Ok(views)
    }

    /// Reports the differences in one pair of folders. Returns the UIDs that only the target has.
    fn take_compared(
        &mut self,
        index: usize,
        compared: &Compared,
        names: &opening::Names<'_>,
    ) -> Option<Vec<Uid>> {
        let from = self.pairs[index].from.to_string();
        self.observer.observe(&Event::Compared {
            folder: &from,
            messages: compared.source.exists.into(),
            bytes: 0,
        });
        compared.filtered_out.add_to(&mut self.summary.left_out);
        let pair = &self.pairs[index];
        let mailbox = &names.source.mailboxes[pair.source].name;
        self.summary.failed += compared.tell_doubtful(pair, mailbox, self.observer);
        if let Some(reason) = compared.unlisted() {
            self.fail_folder(&from, &reason);
        }
        let folder = self.begin_folder(index);
        for at in &compared.matching.missing {
            let uid = compared.source.messages[*at as usize].uid();
            self.differ(
                folder,
                DifferenceKind::Missing,
                Some(uid),
                Cow::Borrowed("only on the source"),
            );
        }
        let Some(target) = &compared.target else {
            self.differ_folder_missing(folder, compared);
            return None;
        };
        self.compare_pairs(folder, compared, target);
        if self.options.deep {
            self.deep
                .push(DeepFolder::new(&self.pairs[index], compared, target, names));
        }
        // All Mail shows the messages of other folders, so none of them is extra.
        let is_view = names
            .existing(&self.pairs[index])
            .is_some_and(|folder| folder.special_use.is_some_and(SpecialUse::is_view));
        if self.pairs[index].view && is_view {
            return None;
        }
        Some(
            compared
                .matching
                .extra
                .iter()
                .map(|at| target.messages[*at as usize].uid())
                .collect(),
        )
    }

    /// Reports the differences in messages that both sides have.
    fn compare_pairs(&mut self, folder: Place, compared: &Compared, target: &FolderScan) {
        for (on_source, on_target) in &compared.matching.pairs {
            let pair = (
                &compared.source.messages[*on_source as usize],
                &target.messages[*on_target as usize],
            );
            self.compare_messages(folder, &compared.source, target, pair);
            if !self.options.deep && compared.munged.contains(&(*on_source, *on_target)) {
                let detail = Cow::Borrowed(
                    "one side has X in place of each 8-bit byte of the other's header",
                );
                self.differ(folder, DifferenceKind::Changed, Some(pair.0.uid()), detail);
            }
        }
    }

    /// Reports the messages that only the target has.
    fn take_extra(&mut self, index: usize, uids: Vec<Uid>) {
        let folder = self.begin_folder(index);
        for uid in uids {
            self.differ(
                folder,
                DifferenceKind::Extra,
                Some(uid),
                Cow::Borrowed("only on the target"),
            );
        }
    }

    fn differ_folder_missing(&mut self, folder: Place, compared: &Compared) {
        // Otherwise a missing empty folder would not be reported.
        if compared.source.messages.is_empty() {
            self.differ(
                folder,
                DifferenceKind::Missing,
                None,
                Cow::Borrowed("the folder is only on the source"),
            );
        }
    }

    fn compare_messages(
        &mut self,
        folder: Place,
        source: &FolderScan,
        target: &FolderScan,
        pair: (&Message, &Message),
    ) {
        let (on_source, on_target) = pair;
        let uid = Some(on_source.uid());
        self.summary.compared += 1;
        // Contents tell whether it is a copy of this very message.
        let is_fixed = on_source.is_fixed() != on_target.is_fixed();
        if !self.options.deep && is_fixed {
            self.summary.fixed += 1;
        } else if !self.options.deep && on_source.size() != on_target.size() {
            let detail = format!(
                "{} bytes on the source, {} on the target",
                on_source.size(),
                on_target.size()
            );
            self.differ(folder, DifferenceKind::Changed, uid, Cow::Owned(detail));
        }
        let (source_flags, target_flags) = (
            source.flags.get(on_source.flags()),
            target.flags.get(on_target.flags()),
        );
        if source_flags != target_flags {
            let detail = format!(
                "{} on the source, {} on the target",
                source_flags.shown(),
                target_flags.shown()
            );
            self.differ(folder, DifferenceKind::Flags, uid, Cow::Owned(detail));
        }
        let Some(date) = on_source.date() else { return };
        match on_target.date() {
            Some(other) if other.seconds() == date.seconds() => {}
            Some(other) => {
                let detail = format!("{date} on the source, {other} on the target");
                self.differ(folder, DifferenceKind::Date, uid, Cow::Owned(detail));
            }
            None => {
                let detail = format!("{date} on the source, none on the target");
                self.differ(folder, DifferenceKind::Date, uid, Cow::Owned(detail));
            }
        }
    }

    /// Reports the folders that only the target has.
    fn take_unmatched(
        &mut self,
        link: &mut ReadLink,
        names: &opening::Names<'_>,
    ) -> Result<(), Error> {
        for folder in &names.pairing.unmatched_target {
            let name = folder.name.to_string();
            if names.source.gaps.hide_folders() {
                // The source may have it.
                self.fail_folder(
                    &name,
                    "the source does not list it, and not all of its folders could be listed",
                );
                continue;
            }
            self.count_unmatched(link, &name, &names.target.mailboxes[folder.target])?;
        }
        Ok(())
    }

    /// Reports a folder that only the target has: its messages are extra.
    fn count_unmatched(
        &mut self,
        link: &mut ReadLink,
        name: &str,
        folder: &ListedMailbox,
    ) -> Result<(), Error> {
        let messages = match opening::count_messages(link.target.as_mut(), folder)? {
            Ok(messages) => messages,
            Err(refusal) => {
                self.fail_folder(name, &refusal.text);
                return Ok(());
            }
        };
        if messages == 0 {
            // Servers create Trash and Junk themselves; an empty one isn't a difference.
            return Ok(());
        }
        let detail = format!(
            "the folder is only on the target, with {}",
            counted(messages, "message")
        );
        self.summary
            .differences
            .count(DifferenceKind::Extra, messages);
        let (kind, folder) = (DifferenceKind::Extra, name.to_owned());
        let difference = Difference {
            kind,
            folder,
            uid: None,
            messages,
            detail,
            heading: None,
        };
        self.observer.observe(&Event::Difference(&difference));
        Ok(())
    }

    /// Compares contents, in several lanes.
    fn compare_deeply(
        &mut self,
        connectors: Both<&dyn ReadConnector>,
        link: ReadLink,
        run: Run<'_>,
    ) {
        let usual = link
            .source
            .connections()
            .usual
            .min(link.target.connections().usual);
        let lanes = self.options.jobs.unwrap_or(usual);
        let deep = std::mem::take(&mut self.deep);
        let contents = compare_contents(connectors, link, lanes, deep, run);
        let headings = self.headings_of_contents(connectors[Side::SOURCE], &contents);
        for (folder, result) in contents {
            self.take_contents(&folder, result, &headings);
        }
    }

    /// Returns the headings of messages whose contents differ or could not be read.
    fn headings_of_contents(
        &self,
        source: &dyn ReadConnector,
        contents: &[ReadContents],
    ) -> Headings {
        let mut wanted = Wanted::default();
        if self.observer.headings() >= event::Headings::Pressing {
            for (folder, contrast) in contents {
                let Ok(contrast) = contrast else { continue };
                let uids = contrast
                    .changed
                    .iter()
                    .map(|(uid, _)| *uid)
                    .chain(contrast.unread.iter().copied());
                uids.for_each(|uid| wanted.add(folder.source(), uid));
            }
        }
        if wanted.is_empty() {
            return Headings::default();
        }
        // The connections that read the contents are closed by now.
        let Ok(mut store) = source.connect_to_read() else {
            return Headings::default();
        };
        let headings = wanted.read(store.as_mut());
        store.close();
        headings
    }

    fn take_contents(
        &mut self,
        folder: &DeepFolder,
        result: Result<Contrast, String>,
        headings: &Headings,
    ) {
        let name = &folder.name;
        match result {
            Ok(contrast) => {
                self.summary.bytes_compared += contrast.bytes;
                self.summary.fixed += contrast.fixed;
                for (uid, detail) in contrast.changed {
                    self.summary.differences.count(DifferenceKind::Changed, 1);
                    let difference = Difference {
                        kind: DifferenceKind::Changed,
                        folder: name.clone(),
                        uid: Some(uid),
                        messages: 1,
                        detail,
                        heading: headings.get(folder.source(), uid).cloned(),
                    };
                    self.observer.observe(&Event::Difference(&difference));
                }
                for uid in contrast.unread {
                    self.summary.failed += 1;
                    let reason = "its content could not be read on both sides";
                    let heading = headings.get(folder.source(), uid);
                    self.observer.observe(&Event::MessageFailed {
                        place: None,
                        folder: name,
                        uid,
                        heading,
                        reason,
                    });
                }
            }
            Err(reason) => self.fail_folder(name, &reason),
        }
    }

    fn fail_folder(&mut self, folder: &str, reason: &str) {
        self.summary.failed += 1;
        self.observer
            .observe(&Event::FolderFailed { folder, reason });
    }

    /// Receives the differences in a pair of folders.
    fn begin_folder(&self, pair: usize) -> Place {
        Place {
            pair,
            waits: self.found.len() < MOST_FOUND
                && self.observer.headings() >= event::Headings::Pressing,
        }
    }

    /// Counts a difference, and reports it now or once its heading is known.
    fn differ(
        &mut self,
        place: Place,
        kind: DifferenceKind,
        uid: Option<Uid>,
        detail: Cow<'static, str>,
    ) {
        self.summary.differences.count(kind, 1);
        let found = Found {
            pair: place.pair,
            kind,
            uid,
            detail,
        };
        if place.waits {
            self.found.push(found);
        } else {
            self.tell(found, None);
        }
    }

    fn tell(&self, found: Found, heading: Option<&Heading>) {
        let Found {
            pair,
            kind,
            uid,
            detail,
        } = found;
        let pair = &self.pairs[pair];
        let folder = if kind == DifferenceKind::Extra {
            &pair.to
        } else {
            &pair.from
        }
        .to_string();
        let (detail, heading) = (detail.into_owned(), heading.cloned());
        self.observer.observe(&Event::Difference(&Difference {
            kind,
            folder,
            uid,
            messages: 1,
            detail,
            heading,
        }));
    }

    /// Returns the headings of the waiting messages, on the source and on the target.
    fn headings_of_found(&self, link: &mut ReadLink, names: &opening::Names<'_>) -> [Headings; 2] {
        let mut wanted = [Wanted::default(), Wanted::default()];
        for found in &self.found {
            if let (Some(mailbox), Some(uid)) = (found.mailbox(names), found.uid) {
                wanted[found.side()].add(mailbox, uid);
            }
        }
        let [on_source, on_target] = wanted;
        [
            on_source.read(link.source.as_mut()),
            on_target.read(link.target.as_mut()),
        ]
    }

    /// Reports the waiting differences, with these headings.
    fn tell_found(&mut self, headings: &[Headings; 2], names: &opening::Names<'_>) {
        for found in std::mem::take(&mut self.found) {
            let (message, side) = (found.mailbox(names).zip(found.uid), found.side());
            self.tell(
                found,
                message.and_then(|(mailbox, uid)| headings[side].get(mailbox, uid)),
            );
        }
    }
}

impl Found {
    /// Returns the side that its message is on: 0 is the source.
    fn side(&self) -> usize {
        usize::from(self.kind == DifferenceKind::Extra)
    }

    fn mailbox<'n>(&self, names: &'n opening::Names<'_>) -> Option<&'n MailboxName> {
        let pair = &names.pairs[self.pair];
        match self.kind {
            DifferenceKind::Extra => names.existing(pair).map(|folder| &folder.name),
            _ => Some(&names.source.mailboxes[pair.source].name),
        }
    }
}

/// The pair of folders of a difference, and whether it waits for its heading.
#[derive(Clone, Copy)]
struct Place {
    pair: usize,
    waits: bool,
}

/// The result of comparing the contents of a folder.
type ReadContents = (DeepFolder, Result<Contrast, String>);
