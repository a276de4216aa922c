//! Round trips don't grow with the number of messages, and hardly with that of folders.

use super::{accounts, letter};
use crate::lab::client::Client;
use crate::lab::run::{Run, copy};
use crate::lab::servers::Personality;

/// A first and a second run over so many folders of so many messages.
fn runs(name: &str, target: Personality, folders: usize, messages: usize) -> [Run; 2] {
    let [source, target] = accounts(name, [Personality::Plain, target]);
    let mut client = Client::login(&source);
    for folder in 0..folders {
        let levels = [format!("Folder {folder}")];
        client.create(&levels);
        client.append(&levels, (0..messages).map(letter));
    }
    [(), ()].map(|()| copy(&source, &target, &["-j1"]).ended(0))
}

/// The round trips of each run on either side.
fn round_trips(runs: &[Run; 2]) -> [u64; 4] {
    let [first, second] = runs;
    let of = |run: &Run| {
        [
            run.count("source.round_trips"),
            run.count("target.round_trips"),
        ]
    };
    let ([a, b], [c, d]) = (of(first), of(second));
    [a, b, c, d]
}

/// Shows figures to who runs the tests with `--nocapture`.
#[expect(clippy::print_stdout, reason = "that is what they are for")]
fn show(figures: &str) {
    println!("{figures}");
}

#[test]
fn thirty_times_the_messages_take_as_many_round_trips() {
    // Without MULTIAPPEND each message is a command of its own, and now and then a reply has to be
    // waited for.
    for (target, more) in [(Personality::Plain, 4), (Personality::NoMulti, 3000 / 32)] {
        let few = runs("few", target, 1, 100);
        let many = runs("many", target, 1, 3000);
        assert_eq!(many[0].count("copied"), 3000);
        let (few, many) = (round_trips(&few), round_trips(&many));
        show(&format!(
            "{target:?}: 100 messages {few:?}, 3000 messages {many:?} (source, target, again: source, target)"
        ));
        for (few, many) in few.into_iter().zip(many) {
            assert!(
                many <= few + more,
                "{many} round trips, {few} for fewer messages"
            );
        }
    }
}

#[test]
fn folders_are_asked_for_together_too() {
    let few = round_trips(&runs("fewfolders", Personality::Plain, 20, 3));
    let many = round_trips(&runs("manyfolders", Personality::Plain, 200, 3));
    show(&format!(
        "20 folders {few:?}, 200 folders {many:?} (source, target, again: source, target)"
    ));
    for (few, many) in few.into_iter().zip(many) {
        assert!(
            many <= few + 180 / 3,
            "{many} round trips, {few} for fewer folders"
        );
    }
}
