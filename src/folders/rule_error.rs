//! What is said of an option of folders that makes no sense.

/// An invalid option: a usage error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid {option} '{text}': {problem}")]
pub struct RuleError {
    /// The option, with its dashes.
    pub option: &'static str,
    /// Its value, as typed.
    pub text: String,
    /// What is wrong, as a fragment that follows the value.
    pub problem: String,
}

impl RuleError {
    pub(super) fn new(option: &'static str, text: &str, problem: impl Into<String>) -> Self {
        Self {
            option,
            text: text.to_owned(),
            problem: problem.into(),
        }
    }
}
