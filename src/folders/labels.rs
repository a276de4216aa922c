//! The values of `--gmail-labels`.

use std::str::FromStr;

/// What becomes of a message with several labels (`--gmail-labels`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GmailLabels {
    /// It is in a folder for each label.
    #[default]
    Folders,
    /// It is in one folder.
    OneFolder,
    /// It is in one folder, and its other labels are keywords.
    Keywords,
}

impl GmailLabels {
    /// Each value by its name on the command line.
    pub const ALL: [(Self, &'static str); 3] = [
        (Self::Folders, "folders"),
        (Self::OneFolder, "one-folder"),
        (Self::Keywords, "keywords"),
    ];

    /// Returns its name on the command line.
    pub fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(value, _)| *value == self);
        named.map_or("", |(_, name)| name)
    }

    /// Reports whether a message is copied into one folder only.
    pub fn are_in_one_folder(self) -> bool {
        self != Self::Folders
    }
}

impl FromStr for GmailLabels {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let named = Self::ALL.iter().find(|(_, name)| *name == text);
        named.map(|(value, _)| *value).ok_or(())
    }
}
