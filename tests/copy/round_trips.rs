//! Round trips do not grow with the number of messages, and hardly with that of folders.

use super::lab::client::Client;
use super::lab::run::{Run, copy};
use super::lab::servers::Personality;
use super::{accounts, letter};

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
    let of = |run: &Run| [run.count("source.round_trips"), run.count("target.round_trips")];
    let ([a, b], [c, d]) = (of(first), of(second));
    [a, b, c, d]
}

#[test]
fn thirty_times_the_messages_take_as_many_round_trips() {
    for target in [Personality::Plain, Personality::NoMulti] {
        let few = runs("few", target, 1, 100);
        let many = runs("many", target, 1, 3000);
        assert_eq!(many[0].count("copied"), 3000);
        let (few, many) = (round_trips(&few), round_trips(&many));
        println!("{target:?}: 100 messages {few:?}, 3000 messages {many:?} (source, target, again: source, target)");
        for (few, many) in few.into_iter().zip(many) {
            assert!(many <= few + 4, "{many} round trips, {few} for fewer messages");
        }
    }
}

#[test]
fn ten_times_the_folders_take_few_more_round_trips() {
    let few = round_trips(&runs("fewfolders", Personality::Plain, 20, 3));
    let many = round_trips(&runs("manyfolders", Personality::Plain, 200, 3));
    println!("20 folders {few:?}, 200 folders {many:?} (source, target, again: source, target)");
    for (few, many) in few.into_iter().zip(many) {
        assert!(many <= few + 20, "{many} round trips, {few} for fewer folders");
    }
}
