//! The options that determine what a run does and leaves out, as a user can type them: for the
//! summary, the report and the log.

use mailferry::folders::{GmailLabels, Options as FolderOptions};
use mailferry::plan::rights::AclMap;
use mailferry::verbs::{CopyOptions, Deleting, FlagPolicy, MessageFilter};
use serde::Serialize;

/// An option of a run, with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Chosen {
    option: &'static str,
    /// `None`: it has no value.
    value: Option<String>,
}

/// Options in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Choice(Vec<Chosen>);

impl Choice {
    /// Returns those that select and rename folders.
    pub(crate) fn of_folders(folders: &FolderOptions) -> Self {
        let mut choice = Self::default();
        choice.each("--folder", &folders.include);
        choice.each("--folders-from", &folders.include_names);
        choice.each("--exclude", &folders.exclude);
        choice.each("--map", &folders.map);
        choice.each("--map-regex", &folders.map_regex);
        choice.each("--into", folders.into.as_slice());
        choice.flag("--no-roles", folders.no_roles);
        let labels = Some(folders.gmail_labels).filter(|how| *how != GmailLabels::default());
        choice.value("--gmail-labels", labels.map(GmailLabels::name));
        choice.each("--gmail-archive", folders.gmail_archive.as_slice());
        choice
    }

    /// Adds those that select messages.
    pub(crate) fn messages(&mut self, filter: &MessageFilter) {
        self.value("--since", filter.since);
        self.value("--before", filter.before);
        self.value("--min-size", filter.min_size);
        self.value("--max-size", filter.max_size);
        self.value("--search", filter.search.as_ref());
    }

    /// Returns those of a copy.
    pub(crate) fn of_copy(folders: &FolderOptions, options: &CopyOptions) -> Self {
        let mut choice = Self::of_folders(folders);
        choice.messages(&options.filter);
        choice.value(
            "--flags",
            match options.flags {
                FlagPolicy::Follow => None,
                FlagPolicy::Union => Some("union"),
                FlagPolicy::Ignore => Some("ignore"),
            },
        );
        let is_kept = options.keep_deleted.is_some();
        choice.flag(
            "--delete",
            matches!(options.deleting, Deleting::Mirror(_)) && !is_kept,
        );
        choice.flag("--keep-deleted", is_kept);
        choice.flag("--move", matches!(options.deleting, Deleting::Source(_)));
        choice.value(
            "--max-delete",
            match options.deleting {
                Deleting::Mirror(limit) if limit != mailferry::plan::DeletionLimit::default() => {
                    Some(limit)
                }
                Deleting::Source(limit) => limit,
                Deleting::Nothing | Deleting::Mirror(_) => None,
            },
        );
        choice.flag("--acl", options.acl.is_some());
        for text in options.acl.iter().flat_map(AclMap::texts) {
            choice.value("--acl-map", Some(text));
        }
        choice.flag("--repair", options.repair);
        choice.flag("--accept-size-mismatch", options.accept_sizes);
        choice.flag("--fix-refused", options.fix_refused);
        choice.flag("--new-target", options.new_target);
        choice.flag("--wait", options.wait);
        choice
    }

    /// Adds an option without a value, if it is set.
    pub(crate) fn flag(&mut self, option: &'static str, is_given: bool) {
        if is_given {
            self.0.push(Chosen {
                option,
                value: None,
            });
        }
    }

    /// Adds an option, if it is set.
    pub(crate) fn value(&mut self, option: &'static str, value: Option<impl ToString>) {
        self.0.extend(value.map(|value| Chosen {
            option,
            value: Some(value.to_string()),
        }));
    }

    fn each(&mut self, option: &'static str, values: &[String]) {
        values
            .iter()
            .for_each(|value| self.value(option, Some(value)));
    }

    /// Writes them for a shell: `--exclude Junk --search 'FROM ann'`. Empty if there are none.
    pub(crate) fn typed(&self) -> String {
        let one = |chosen: &Chosen| match &chosen.value {
            None => chosen.option.to_owned(),
            Some(value) => format!("{} {}", chosen.option, in_quotes(value)),
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}

/// Quotes a text if a shell would change it.
fn in_quotes(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./,:@%+=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_read_as_they_were_typed() {
        let folders = FolderOptions {
            exclude: vec!["Junk".to_owned(), "Lists/*".to_owned(), "it's".to_owned()],
            no_roles: true,
            gmail_labels: GmailLabels::OneFolder,
            gmail_archive: Some("Old mail".to_owned()),
            ..FolderOptions::default()
        };
        let since = Some(jiff::civil::date(2024, 1, 31));
        let filter = MessageFilter {
            since,
            max_size: Some(9),
            ..MessageFilter::default()
        };
        let options = CopyOptions {
            filter,
            flags: FlagPolicy::Ignore,
            acl: AclMap::new(&["bob=robert".to_owned()]).ok(),
            ..CopyOptions::default()
        };
        assert_eq!(
            Choice::of_copy(&folders, &options).typed(),
            r"--exclude Junk --exclude 'Lists/*' --exclude 'it'\''s' --no-roles --gmail-labels one-folder --gmail-archive 'Old mail' --since 2024-01-31 --max-size 9 --flags ignore --acl --acl-map bob=robert"
        );
        assert_eq!(
            Choice::of_copy(&FolderOptions::default(), &CopyOptions::default()).typed(),
            ""
        );
    }
}
