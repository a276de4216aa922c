//! Fuzzing: damages input at random and parses it, for as long as it is allowed to. Nothing may
//! panic, take long or violate an invariant.
//!
//! Each target starts with the files in `tests/integration/fuzz/corpus/TARGET` and generates its
//! inputs from a seed, which a failure prints to reproduce it (`MAILFERRY_SEED`).
//! `MAILFERRY_FUZZ_SECONDS` is the time per target; `scripts/fuzz` sets both. A failing input is
//! printed: add it to the corpus, and as a test beside the fixed code.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]

mod mutate;
mod targets;

use mailferry::state::State;
use mutate::Random;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long each target is fuzzed in an ordinary run of the tests.
const USUAL: u64 = 2;

/// What no input of some kilobytes may take, on whatever machine.
const TOO_LONG: Duration = Duration::from_secs(10);

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().map_or(usual, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number"))
    })
}

/// The corpus of a target.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/integration/fuzz/corpus")
        .join(name);
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no corpus for {name}");
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Tries the corpus as it is, and then inputs made of it until the time is over.
fn fuzz(name: &str, seeds: &[Vec<u8>], target: impl Fn(&[u8])) {
    let time = Duration::from_secs(number("MAILFERRY_FUZZ_SECONDS", USUAL));
    let seed = number("MAILFERRY_SEED", 1);
    let mut random = Random::new(seed);
    let begun = Instant::now();
    let mut tried = 0_u64;
    while tried < seeds.len() as u64 || begun.elapsed() < time {
        let as_it_is = usize::try_from(tried)
            .ok()
            .and_then(|tried| seeds.get(tried));
        let input = as_it_is.cloned().unwrap_or_else(|| random.damaged(seeds));
        let since = Instant::now();
        let failed = catch_unwind(AssertUnwindSafe(|| target(&input))).is_err();
        let shown = || input.escape_ascii().to_string();
        assert!(
            !failed,
            "{name}, seed {seed}, input {tried} fails: {}",
            shown()
        );
        assert!(
            since.elapsed() < TOO_LONG,
            "{name}, seed {seed}, input {tried} takes {:?}: {}",
            since.elapsed(),
            shown()
        );
        tried += 1;
    }
    // Seen with `--nocapture`, and by scripts/fuzz.
    eprintln!("fuzz: {name}: {tried} inputs, seed {seed}");
}

#[test]
fn framer() {
    fuzz("framer", &seeds("responses"), targets::framer);
}

#[test]
fn responses() {
    fuzz("responses", &seeds("responses"), targets::responses);
}

#[test]
fn identity() {
    fuzz("identity", &seeds("messages"), targets::identity);
}

#[test]
fn utf7() {
    fuzz("utf7", &seeds("names"), targets::utf7);
}

#[test]
fn addresses() {
    fuzz("addresses", &seeds("addresses"), targets::addresses);
}

#[test]
fn state() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let versions = 1..=State::FORMAT;
    let states: Vec<_> = versions
        .map(|version| std::fs::read(golden.join(format!("state-v{version}.db"))).unwrap())
        .collect();
    let place = targets::Place::new();
    states.iter().for_each(|whole| {
        assert!(
            targets::state(&place, whole),
            "one of each version is opened as it is"
        );
    });
    fuzz("state", &states, |bytes| _ = targets::state(&place, bytes));
}
