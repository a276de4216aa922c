//! The folder options as the user typed them, and their compiled form.

use super::labels::GmailLabels;
use super::name::FolderName;
use super::pairing::LeavesOut;
use super::rename::{Map, parse_typed};
use super::rule_error::RuleError;
use super::select::Pattern;
use super::substitution::Substitution;

/// The folder options, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `--folder GLOB`: only these folders.
    pub include: Vec<String>,
    /// `--folders-from FILE`: also these folders, by exact name.
    pub include_names: Vec<String>,
    /// `--exclude GLOB`: not these folders.
    pub exclude: Vec<String>,
    /// `--map FROM=TO`: a folder and its subfolders; the longest FROM wins. `\=` is a `=` within a
    /// name.
    pub map: Vec<String>,
    /// `--map-regex 's/RE/TO/'`: on the name after `--map`, in order.
    pub map_regex: Vec<String>,
    /// `--into FOLDER`: the whole tree, INBOX included, goes below this folder. Roles aren't
    /// matched then.
    pub into: Option<String>,
    /// `--no-roles`: don't match Sent with Sent Items and so on.
    pub no_roles: bool,
    /// `--gmail-labels`: what becomes of a message with several labels.
    pub gmail_labels: GmailLabels,
    /// `--gmail-archive FOLDER`: where Gmail's archived mail goes.
    pub gmail_archive: Option<String>,
}

/// The folder options, compiled.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) include: Vec<Pattern>,
    pub(super) exclude: Vec<Pattern>,
    pub(super) map: Map,
    pub(super) regex: Vec<Substitution>,
    pub(super) into: Option<FolderName>,
    pub(super) pair_roles: bool,
    pub(super) gmail_labels: GmailLabels,
    pub(super) gmail_archive: Option<FolderName>,
}

impl Rules {
    /// Compiles the options.
    ///
    /// # Errors
    /// The first invalid option.
    pub fn new(options: &Options) -> Result<Self, RuleError> {
        let patterns = |option, texts: &[String]| -> Result<Vec<_>, RuleError> {
            texts
                .iter()
                .map(|text| Pattern::new(option, text))
                .collect()
        };
        let names = options
            .include_names
            .iter()
            .map(|name| Pattern::exact(name))
            .collect::<Vec<_>>();
        let folder = |option, text: &Option<String>| {
            let parse = |text: &String| {
                parse_typed(text).ok_or_else(|| {
                    RuleError::new(option, text, "not a folder name: a level is empty")
                })
            };
            text.as_ref().map(parse).transpose()
        };
        let into = folder("--into", &options.into)?;
        Ok(Self {
            include: [patterns("--folder", &options.include)?, names].concat(),
            exclude: patterns("--exclude", &options.exclude)?,
            map: Map::new(&options.map)?,
            regex: options
                .map_regex
                .iter()
                .map(|text| Substitution::new(text))
                .collect::<Result<_, _>>()?,
            pair_roles: !options.no_roles && into.is_none(),
            into,
            gmail_labels: options.gmail_labels,
            gmail_archive: folder("--gmail-archive", &options.gmail_archive)?,
        })
    }

    /// Returns which of `--folder` and `--exclude` keeps a folder out, by its key; `None` if
    /// neither does.
    pub(super) fn refuses(&self, key: &str) -> Option<LeavesOut> {
        if !self.include.is_empty() && !self.include.iter().any(|pattern| pattern.matches(key)) {
            return Some(LeavesOut::Folder);
        }
        self.exclude
            .iter()
            .any(|pattern| pattern.matches(key))
            .then_some(LeavesOut::Exclude)
    }

    /// Reports whether a folder on the target may be the copy of a selected folder on the source:
    /// below `--into`, and selected by its own name.
    pub(super) fn concerns_target(&self, name: &FolderName) -> bool {
        let name = match &self.into {
            None => Some(name.clone()),
            Some(top) => name
                .below(top)
                .and_then(|rest| FolderName::new(rest.to_vec())),
        };
        name.is_some_and(|name| self.refuses(&name.key()).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concerns(include: &str, into: Option<&str>, name: &str) -> bool {
        let options = Options {
            include: vec![include.to_owned()],
            into: into.map(str::to_owned),
            ..Options::default()
        };
        Rules::new(&options)
            .unwrap()
            .concerns_target(&FolderName::parse(name).unwrap())
    }

    #[test]
    fn the_targets_folders_are_selected_as_the_sources_are() {
        assert!(concerns("Work", None, "Work"));
        assert!(!concerns("Work", None, "Play"));
        assert!(concerns("Work", Some("Old"), "Old/Work"));
        assert!(!concerns("**", Some("Old"), "Work"));
        assert!(!concerns("**", Some("Old"), "Old"));
    }

    #[test]
    fn names_from_a_list_mean_themselves() {
        let include_names = vec!["a*".to_owned(), "[x]".to_owned(), "inbox/B".to_owned()];
        let rules = Rules::new(&Options {
            include_names,
            ..Options::default()
        })
        .unwrap();
        let takes = |name: &str| rules.refuses(name).is_none();
        assert!(takes("a*") && takes("[x]") && takes("INBOX/B"));
        assert!(!takes("ab") && !takes("x") && !takes("INBOX"));
    }

    #[test]
    fn usage_errors_name_option_text_and_problem() {
        let options = Options {
            into: Some("a//b".to_owned()),
            ..Options::default()
        };
        let error = Rules::new(&options).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid --into 'a//b': not a folder name: a level is empty"
        );
    }
}
