//! D9: folders that can't keep their names, or that would become one.

use super::Reached;
use super::report::{Report, SideReport, seen};
use super::survey::{Survey, Surveyed};
use super::words::{counted, some};
use crate::event::Check;
use crate::folders::{Options, Pairing, Rules, TargetFolder, pair};
use crate::mail::{Side, SpecialUse};
use crate::store::ErrorKind;
use crate::verbs::same_mailbox::scans_look_the_same;
use std::collections::BTreeMap;

/// Makes D9 for each mailbox, then for a copy from one to the other.
pub(super) fn check(reached: &[Reached<'_>], report: &mut Report<'_>) {
    for one in reached {
        alone(&one.survey, &mut report.of(one.patient.side));
    }
    if let [source, target] = reached {
        together(&source.survey, &target.survey, &mut report.of(Side::TARGET));
        apart(source, target, &mut report.of(Side::TARGET));
    }
}

fn alone(survey: &Survey, report: &mut SideReport<'_, '_>) {
    let tried = format!(
        "compared the names of {}",
        counted(survey.roster.folders.len() as u64, "folder")
    );
    let unreadable: Vec<String> = (survey.roster.unreadable.iter())
        .filter(|one| survey.listing.mailboxes[one.index].selectable)
        .map(|one| {
            format!(
                "{}: {}",
                survey.listing.mailboxes[one.index].name, one.reason
            )
        })
        .collect();
    let alike = alike(survey);
    if !unreadable.is_empty() {
        let meaning = format!(
            "{} that no copy can include",
            counted(unreadable.len() as u64, "folder")
        );
        report.doubtful(
            seen(Check::Folders, tried, some(&unreadable)),
            meaning,
            "rename them in a mail client",
        );
    } else if !alike.is_empty() {
        let meaning = "these names differ only in case or Unicode composition: elsewhere they may be one folder";
        let advice = "if the other server treats them as one, rename them, or give one another name with --map 'NAME=OTHER'";
        report.doubtful(seen(Check::Folders, tried, some(&alike)), meaning, advice);
    } else {
        report.good(
            seen(Check::Folders, tried, aside(survey)),
            "all folder names are distinct",
        );
    }
}

/// Returns names that differ only in case and Unicode composition.
fn alike(survey: &Survey) -> Vec<String> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in survey
        .roster
        .folders
        .iter()
        .filter(|folder| !folder.foreign)
    {
        names
            .entry(folder.name.key().to_lowercase())
            .or_default()
            .push(folder.name.to_string());
    }
    let mut alike: Vec<Vec<String>> = names.into_values().filter(|same| same.len() > 1).collect();
    alike.iter_mut().for_each(|same| same.sort());
    alike.iter().map(|same| same.join(" and ")).collect()
}

/// Reports what a copy leaves out by default.
fn aside(survey: &Survey) -> String {
    let mailbox = |index: usize| &survey.listing.mailboxes[index];
    let own = || {
        survey
            .roster
            .folders
            .iter()
            .filter(|folder| !folder.foreign)
    };
    let views = own()
        .filter(|folder| {
            mailbox(folder.index)
                .special_use
                .is_some_and(SpecialUse::is_view)
        })
        .count();
    let foreign = survey.roster.folders.len() - own().count();
    let unsubscribed = own()
        .filter(|folder| mailbox(folder.index).selectable && !mailbox(folder.index).subscribed)
        .count();
    format!(
        "{} of other folders, {} of other users, {} not subscribed",
        counted(views as u64, "view"),
        counted(foreign as u64, "folder"),
        counted(unsubscribed as u64, "folder")
    )
}

fn together(source: &Survey, target: &Survey, report: &mut SideReport<'_, '_>) {
    let tried = "planned where each source folder goes";
    let paired = Rules::new(&Options::default())
        .map_err(|error| error.to_string())
        .and_then(|rules| {
            pair(&source.listing, &target.listing, &rules).map_err(|error| error.to_string())
        });
    let pairing = match paired {
        Ok(pairing) => pairing,
        Err(error) => {
            let meaning = "a copy refuses to start, since mail of two folders would be mixed";
            let advice = "resolve it with --map, as described";
            return report.failed(
                seen(Check::Folders, tried, error),
                ErrorKind::Refused,
                meaning,
                advice,
            );
        }
    };
    let failed: Vec<String> = (pairing.skipped.iter().filter(|folder| folder.failed))
        .map(|folder| format!("{}: {}", folder.name, folder.reason))
        .collect();
    if failed.is_empty() {
        report.good(
            seen(Check::Folders, tried, mapping(&pairing)),
            "every folder has a place",
        );
    } else {
        let meaning = format!(
            "{} on the source can't be copied",
            counted(failed.len() as u64, "folder")
        );
        report.doubtful(
            seen(Check::Folders, tried, some(&failed)),
            meaning,
            "rename them with --map 'NAME=OTHER'",
        );
    }
}

/// Reports whether both may be one mailbox.
fn apart(source: &Reached<'_>, target: &Reached<'_>, report: &mut SideReport<'_, '_>) {
    let advice = "pass two different mailboxes; a copy or sync of these two is refused";
    if source.patient.address.identity() == target.patient.address.identity() {
        let meaning = "a copy would go into itself";
        let seen = seen(
            Check::Folders,
            "compared the two addresses",
            "they are equal: this is the same mailbox",
        );
        return report.failed(seen, ErrorKind::SameMailbox, meaning, advice);
    }
    let with_mail = |survey: &Survey| {
        survey
            .folders
            .iter()
            .filter(|folder| holds_mail(folder))
            .count()
    };
    let same: Vec<String> = (source.survey.folders.iter())
        .filter(|folder| {
            target
                .survey
                .folders
                .iter()
                .any(|other| is_one(folder, other))
        })
        .map(|folder| folder.name.to_string())
        .collect();
    if same.is_empty() {
        return;
    }
    let tried = "compared MAILBOXID, UIDVALIDITY and the messages under equal UIDs";
    let result = format!("the same on both sides: {}", some(&same));
    let seen = seen(Check::Folders, tried, result);
    if same.len() == with_mail(&source.survey).max(with_mail(&target.survey)) {
        // Only a mark on a message proves it, and doctor writes nothing: two accounts with equal
        // contents look the same.
        let meaning =
            "both addresses may lead to the same mailbox, or to a copy of its server's files";
        report.doubtful(
            seen,
            meaning,
            "make sure that these are two mailboxes; a copy or sync of one with itself is refused",
        );
    } else {
        let meaning =
            "these folders may be the same mailbox, such as folders that both users share";
        report.doubtful(seen, meaning, "skip them with --exclude");
    }
}

fn holds_mail(folder: &Surveyed) -> bool {
    folder
        .scan
        .as_ref()
        .is_ok_and(|scan| !scan.messages.is_empty())
}

fn is_one(source: &Surveyed, target: &Surveyed) -> bool {
    let scans = source.scan.as_ref().ok().zip(target.scan.as_ref().ok());
    source.name == target.name
        && scans.is_some_and(|(source, target)| scans_look_the_same(source, target))
}

/// Reports how many keep their names, and the new names of the others.
fn mapping(pairing: &Pairing) -> String {
    let new = pairing
        .pairs
        .iter()
        .filter(|pair| matches!(pair.target, TargetFolder::New { .. }))
        .count();
    let renamed: Vec<String> = (pairing.pairs.iter().filter(|pair| pair.from != pair.to))
        .map(|pair| format!("{} → {}", pair.from, pair.to))
        .collect();
    let mut text = format!(
        "{}, {new} of them new",
        counted(pairing.pairs.len() as u64, "folder")
    );
    if !renamed.is_empty() {
        text.push_str(&format!("; {}", some(&renamed)));
    }
    text
}
