//! What a folder on the target may be called on the source: the rules of a pairing, in reverse.

use super::gmail;
use super::name::FolderName;
use super::pairing::TargetFolder;
use super::role_names;
use super::rules::Rules;
use super::two_way::place_all;
use crate::mail::{Listing, MailboxName, SpecialUse};

/// Returns the raw names, as the source writes them, that each of these target folders may have on
/// the source, except those that it lists as folders for mail. `--map-regex` can't be reversed:
/// there, a folder's own name is used.
pub(super) fn origins(
    source: &Listing,
    folders: &[(FolderName, Option<SpecialUse>)],
    rules: &Rules,
) -> Vec<Vec<MailboxName>> {
    let wanted: Vec<Vec<FolderName>> = folders
        .iter()
        .map(|(name, role)| names(name, *role, source, rules))
        .collect();
    let mut places = place_all(source, &wanted.concat()).into_iter();
    let mut origins = Vec::with_capacity(folders.len());
    for names in wanted {
        let mut raw: Vec<MailboxName> = Vec::new();
        for place in places.by_ref().take(names.len()) {
            let Ok(TargetFolder::New {
                name, fallbacks, ..
            }) = place.map(|place| place.folder)
            else {
                continue;
            };
            for name in std::iter::once(name).chain(fallbacks) {
                if !raw.contains(&name) {
                    raw.push(name);
                }
            }
        }
        origins.push(raw);
    }
    origins
}

/// Returns the decoded names.
fn names(
    name: &FolderName,
    role: Option<SpecialUse>,
    source: &Listing,
    rules: &Rules,
) -> Vec<FolderName> {
    let name = match &rules.into {
        None => Some(name.clone()),
        Some(top) => name
            .below(top)
            .and_then(|rest| FolderName::new(rest.to_vec())),
    };
    let Some(name) = name else { return Vec::new() };
    let mapped = rules
        .map
        .entries()
        .filter_map(|(from, to)| Some(from.join(name.below(to)?)));
    let mut names: Vec<FolderName> = mapped.collect();
    if let Some(role) = role.filter(|_| rules.pair_roles) {
        names.extend(
            role_names::common(role)
                .iter()
                .filter_map(|name| FolderName::parse(name)),
        );
    }
    names.push(name.clone());
    if source.are_labels {
        names.extend(gmail::origins(&name));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::rules::Options;
    use super::super::testing::listing;
    use super::*;

    fn of(name: &str, role: Option<SpecialUse>, options: &Options) -> Vec<String> {
        let source = listing("INBOX.", '.', &["INBOX", "INBOX.Listed"]);
        let folder = (FolderName::parse(name).unwrap(), role);
        let found = origins(&source, &[folder], &Rules::new(options).unwrap());
        found[0].iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_folder_is_asked_for_by_what_the_rules_would_have_made_it_of() {
        let none = Options::default();
        assert_eq!(of("Work/2024", None, &none), ["INBOX.Work.2024"]);
        assert_eq!(of("a.b", None, &none), ["INBOX.a=2Eb"]);
        assert!(of("Listed", None, &none).is_empty());
        let mapped = Options {
            map: vec!["Old=Archive".to_owned()],
            ..Options::default()
        };
        assert_eq!(
            of("Archive/x", None, &mapped),
            ["INBOX.Old.x", "INBOX.Archive.x"]
        );
        let into = Options {
            into: Some("Top".to_owned()),
            ..Options::default()
        };
        assert_eq!(of("Top/Work", None, &into), ["INBOX.Work"]);
        assert!(of("Work", None, &into).is_empty());
        let sent = of("Sent", Some(SpecialUse::Sent), &none);
        assert!(
            sent.contains(&"INBOX.Sent Items".to_owned())
                && sent.contains(&"INBOX.Sent".to_owned()),
            "{sent:?}"
        );
    }
}
