//! Sources of secrets in tests, and a search for leaks.

use super::run::Run;
use super::servers::{AnyMechanism, PASSWORD};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// A secret as it may stand in a text: as itself, and in base64 at each of the three offsets,
/// without the characters at the ends, which depend on what stands beside it.
pub fn forms(secret: &str) -> [String; 4] {
    let encoded = |padding: &str, skip: usize| {
        let all = STANDARD.encode(format!("{padding}{secret}"));
        all[skip..all.trim_end_matches('=').len() - 1].to_owned()
    };
    [
        secret.to_owned(),
        encoded("", 0),
        encoded("x", 2),
        encoded("xx", 3),
    ]
}

/// Whether a text has a secret in it, in one form or another.
pub fn is_in(text: &[u8], secret: &str) -> bool {
    has(&String::from_utf8_lossy(text), &forms(secret))
}

fn has(text: &str, forms: &[String; 4]) -> bool {
    forms.iter().any(|form| text.contains(form.as_str()))
}

/// Neither a secret nor its base64, at whatever offset, was shown.
#[track_caller]
pub fn assert_hidden(run: &Run, secret: &str) {
    let shown = format!("{}{}", run.stdout, run.stderr);
    assert!(
        !is_in(shown.as_bytes(), secret),
        "{secret} is shown: {shown}"
    );
}

/// Secrets that were made for this process's runs and come to them by other ways than
/// [`Watch::over`] sees.
static MADE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// From now on no run of this process may show it or leave it anywhere.
pub fn remember(secret: &str) {
    MADE.lock().unwrap().insert(secret.to_owned());
}

/// What is shorter can't be told from other text.
const LEAST: usize = 8;

/// Options that name what a run leaves.
const LEFT: [&str; 5] = [
    "--state",
    "--report",
    "--log-file",
    "--metrics",
    "--save-plan",
];

/// What a run was given that is secret, and where it may leave something. Every run of the lab is
/// watched ([`super::run`]).
pub struct Watch {
    secrets: BTreeSet<String>,
    places: Vec<PathBuf>,
}

impl Watch {
    /// Reads off a command what it is given: by the environment and by files.
    pub fn over(command: &Command) -> Self {
        let variables = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
        let variables: BTreeMap<&str, &str> = variables.collect();
        let arguments: Vec<&str> = command
            .get_args()
            .filter_map(std::ffi::OsStr::to_str)
            .collect();
        let directory = command.get_current_dir().unwrap_or(Path::new("."));
        let named = |is_it: &dyn Fn(&str) -> bool| -> Vec<PathBuf> {
            let pairs = arguments.windows(2).filter(|pair| is_it(pair[0]));
            pairs.map(|pair| directory.join(pair[1])).collect()
        };
        let of_files = named(&|option| option.ends_with("-file") && option != "--log-file");
        let of_files = of_files
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok());
        let of_environment = variables
            .iter()
            .filter(|(name, _)| name.contains("PASSWORD"));
        let secrets = (of_environment.map(|(_, value)| (*value).to_owned()))
            .chain(of_files.map(|text| text.trim_end().to_owned()))
            .chain([
                PASSWORD.to_owned(),
                AnyMechanism::MASTER_PASSWORD.to_owned(),
            ])
            .collect();
        let mut places = named(&|option| LEFT.contains(&option));
        places.extend(
            variables
                .get("XDG_STATE_HOME")
                .map(|home| Path::new(home).join("mailferry")),
        );
        Self { secrets, places }
    }

    /// Fails where a text, or a file that was left, has one of the secrets in it.
    #[track_caller]
    pub fn assert_kept(mut self, texts: &[(&str, &str)]) {
        self.secrets.extend(MADE.lock().unwrap().iter().cloned());
        self.secrets.retain(|secret| secret.len() >= LEAST);
        let forms: Vec<(&String, [String; 4])> = self
            .secrets
            .iter()
            .map(|secret| (secret, forms(secret)))
            .collect();
        let found = |text: &str| {
            forms
                .iter()
                .find(|(_, forms)| has(text, forms))
                .map(|(secret, _)| *secret)
        };
        for (name, text) in texts {
            assert_eq!(found(text), None, "a secret is on {name}: {text}");
        }
        for path in self.places.iter().flat_map(|place| files(place)) {
            // It may be gone again.
            let bytes = fs::read(&path).unwrap_or_default();
            assert_eq!(
                found(&String::from_utf8_lossy(&bytes)),
                None,
                "a secret is in {}",
                path.display()
            );
        }
    }
}

/// The files at or below a path, but for those that are there to keep tokens.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.file_name() == Some("tokens".as_ref()) {
        return Vec::new();
    }
    match fs::read_dir(path) {
        Ok(entries) => entries
            .flatten()
            .flat_map(|entry| files(&entry.path()))
            .collect(),
        Err(_) => path
            .is_file()
            .then(|| path.to_owned())
            .into_iter()
            .collect(),
    }
}

/// A file of the user's alone in a directory of its own.
pub fn private_file(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    (directory, path)
}

/// A command that prints these lines, one at each call, and the last one ever after.
pub fn one_by_one(directory: &Path, lines: &[&str]) -> String {
    let path = directory.join("lines");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let path = path.display();
    format!("head -n 1 {path}; if [ $(wc -l < {path}) -gt 1 ]; then sed -i 1d {path}; fi")
}
