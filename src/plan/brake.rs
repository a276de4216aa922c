//! The deletion limit (`--max-delete`): how much may be deleted on one side before all its
//! deletions are held back for the user to check.
//!
//! Deletions are counted for each folder and for the account before any is made. If a count exceeds
//! the limit, nothing at all is deleted on that side. Invariants: no count is ever rounded in
//! favour of a deletion, and by default a folder of more than [`DeletionLimit::SMALL`] messages is
//! never emptied.

use crate::mail::counted;
use std::fmt;
use std::str::FromStr;

/// How much may be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionLimit(Limit);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// At most this many messages.
    Messages(u32),
    /// At most this percentage, or [`DeletionLimit::SMALL`], whichever is more; at most 100.
    Percent(u8),
}

impl DeletionLimit {
    /// The number of deletions up to which the share doesn't matter: one of two messages is half of
    /// a folder, but no cause for alarm.
    pub const SMALL: u64 = 20;
}

impl Default for DeletionLimit {
    /// Stops at more than 20 messages that are more than 20 %.
    fn default() -> Self {
        Self(Limit::Percent(20))
    }
}

/// Why a text isn't a valid limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of messages, such as 500, or a share from 0% to 100%, not {0:?}")]
pub struct LimitError(String);

impl FromStr for DeletionLimit {
    type Err = LimitError;

    /// Parses `N`, a number of messages, or `N%`, a share.
    fn from_str(text: &str) -> Result<Self, LimitError> {
        let wrong = || LimitError(text.to_owned());
        let (digits, percent) = text
            .strip_suffix('%')
            .map_or((text, false), |digits| (digits, true));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u32 = digits.parse().map_err(|_| wrong())?;
        if !percent {
            return Ok(Self(Limit::Messages(number)));
        }
        let share = u8::try_from(number)
            .ok()
            .filter(|share| *share <= 100)
            .ok_or_else(wrong)?;
        Ok(Self(Limit::Percent(share)))
    }
}

impl fmt::Display for DeletionLimit {
    /// Writes the limit in the syntax of `--max-delete`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Limit::Messages(number) => number.fmt(f),
            Limit::Percent(share) => write!(f, "{share}%"),
        }
    }
}

/// Deletions planned for a folder or an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deletions {
    /// How many messages would be deleted.
    pub deleted: u64,
    /// How many messages exist now, including these.
    pub of: u64,
}

impl std::iter::Sum for Deletions {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, count| Self {
            deleted: sum.deleted + count.deleted,
            of: sum.of + count.of,
        })
    }
}

impl fmt::Display for Deletions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.deleted, counted(self.of, "message"))
    }
}

impl DeletionLimit {
    /// Reports whether these deletions exceed the limit.
    pub fn is_passed(self, count: Deletions) -> bool {
        let Deletions { deleted, of } = count;
        match self.0 {
            Limit::Messages(most) => deleted > u64::from(most),
            Limit::Percent(most) => {
                deleted > Self::SMALL
                    && u128::from(deleted) * 100 > u128::from(of) * u128::from(most)
            }
        }
    }

    /// Reports whether a folder of this many messages may be emptied by inference from the other
    /// side, as in two-way sync: a server that has lost sight of a folder's mail looks the same as
    /// a user who has emptied it, so a limit in messages doesn't permit emptying large folders.
    pub fn allows_emptying(self, messages: u64) -> bool {
        let all = Deletions {
            deleted: messages,
            of: messages,
        };
        !self.is_passed(all) && (messages <= Self::SMALL || self.0 == Limit::Percent(100))
    }

    /// Counts the deletions on one side, given by folder, before any is made.
    pub fn verdict(self, folders: &[Deletions]) -> Verdict {
        let numbered = folders.iter().enumerate();
        let past = numbered
            .filter(|(_, count)| self.is_passed(**count))
            .map(|(folder, _)| folder)
            .collect();
        let account: Deletions = folders.iter().copied().sum();
        Verdict {
            folders: past,
            account,
            account_is_past: self.is_passed(account),
        }
    }
}

/// Whether one side's deletions exceed the limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The folders with too many deletions, as indices into what was counted. Ascending.
    pub folders: Vec<usize>,
    /// The deletions in all folders together.
    pub account: Deletions,
    /// Whether those are too many.
    pub account_is_past: bool,
}

impl Verdict {
    /// Reports whether nothing may be deleted on this side.
    pub fn stops(&self) -> bool {
        self.account_is_past || !self.folders.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit(text: &str) -> DeletionLimit {
        text.parse().unwrap()
    }

    fn counts(folders: &[(u64, u64)]) -> Vec<Deletions> {
        folders
            .iter()
            .map(|(deleted, of)| Deletions {
                deleted: *deleted,
                of: *of,
            })
            .collect()
    }

    #[test]
    fn reads_a_number_or_a_share() {
        for text in ["0", "500", "4294967295", "0%", "20%", "100%"] {
            assert_eq!(limit(text).to_string(), text);
        }
        assert_eq!(limit("20%"), DeletionLimit::default());
        for text in [
            "",
            "%",
            "-1",
            "+1",
            "101%",
            "20 %",
            "20%%",
            "4294967296",
            "many",
            "0.5%",
        ] {
            let error = text.parse::<DeletionLimit>().unwrap_err();
            assert!(error.to_string().contains("such as 500"), "{text}: {error}");
        }
    }

    #[test]
    fn counts_each_folder_and_the_account() {
        for (text, folders, past, account) in [
            // By default, more than 20 messages and more than 20 %.
            ("20%", &[(19, 19), (1, 1)][..], &[][..], false),
            ("20%", &[(21, 105)], &[], false),
            ("20%", &[(21, 104)], &[0], true),
            ("20%", &[(0, 9000), (21, 104)], &[1], false),
            ("20%", &[(20, 20), (20, 20)], &[], true),
            ("20%", &[], &[], false),
            // A number is absolute, whatever the share.
            ("0", &[(0, 5)], &[], false),
            ("0", &[(0, 5), (1, 9000)], &[1], true),
            ("30", &[(30, 9000)], &[], false),
            ("30", &[(20, 9000), (11, 9000)], &[], true),
            // A user who gives a number means it for emptied folders too.
            ("500", &[(500, 500)], &[], false),
            ("500", &[(501, 501)], &[0], true),
            ("100%", &[(500, 500), (1, 1)], &[], false),
        ] {
            let verdict = limit(text).verdict(&counts(folders));
            assert_eq!(
                (&verdict.folders[..], verdict.account_is_past),
                (past, account),
                "{text} {folders:?}"
            );
            assert_eq!(
                verdict.stops(),
                account || !past.is_empty(),
                "{text} {folders:?}"
            );
        }
    }

    #[test]
    fn large_folders_are_emptied_only_where_everything_may_go() {
        for (text, messages, allowed) in [
            ("20%", 20, true),
            ("20%", 21, false),
            ("500", 20, true),
            ("500", 21, false),
            ("100%", 500, true),
            ("5", 6, false),
        ] {
            assert_eq!(
                limit(text).allows_emptying(messages),
                allowed,
                "{text} {messages}"
            );
        }
    }

    #[test]
    fn says_what_would_go() {
        let verdict = limit("5").verdict(&counts(&[(4, 10), (3, 20)]));
        assert_eq!(verdict.account.to_string(), "7 of 30 messages");
    }

    fn any_limit() -> impl Strategy<Value = DeletionLimit> {
        prop_oneof![
            (0_u32..200).prop_map(|number| DeletionLimit(Limit::Messages(number))),
            (0_u8..=100).prop_map(|share| DeletionLimit(Limit::Percent(share))),
        ]
    }

    proptest! {
        #![proptest_config(crate::properties::config())]

        #[test]
        fn fewer_deletions_are_never_worse(limit in any_limit(), deleted in 1_u64..300, rest in 0_u64..300) {
            let count = |deleted| Deletions { deleted, of: deleted + rest };
            let fewer = Deletions { deleted: deleted - 1, of: count(deleted).of };
            prop_assert!(!limit.is_passed(fewer) || limit.is_passed(count(deleted)));
            prop_assert!(!limit.verdict(&[fewer]).stops() || limit.verdict(&[count(deleted)]).stops());
        }

        #[test]
        fn nothing_is_always_allowed(limit in any_limit(), of in any::<u64>()) {
            let none = Deletions { deleted: 0, of };
            prop_assert!(!limit.verdict(&[none]).stops());
        }
    }
}
