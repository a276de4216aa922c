//! `--version`: which build this is, for bug reports.

use mailferry::state::State;
use std::sync::LazyLock;

/// Optional features, and whether they are built in.
const FEATURES: [(&str, bool); 2] = [
    ("gssapi", cfg!(feature = "gssapi")),
    ("keyring", cfg!(feature = "keyring")),
];

/// Describes the build; packagers set the commit with `MAILFERRY_COMMIT`.
pub(crate) fn long() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(describe);
    &TEXT
}

fn describe() -> String {
    let built_in: Vec<&str> = FEATURES
        .iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(name, _)| *name)
        .collect();
    let commit = option_env!("MAILFERRY_COMMIT")
        .map(|commit| format!("\ncommit: {commit}"))
        .unwrap_or_default();
    format!(
        "{}{commit}\nfeatures: {}\nbuild: {}, {}-{}\nstate format: {}",
        env!("CARGO_PKG_VERSION"),
        if built_in.is_empty() {
            "none".to_owned()
        } else {
            built_in.join(", ")
        },
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
        std::env::consts::ARCH,
        std::env::consts::OS,
        State::FORMAT
    )
}
