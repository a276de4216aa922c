//! What must hold for both sides after the last change. Each exception is documented, and there are
//! no others.

use super::record::Record;
use super::round::Verb;
use super::sides::Shown;
use crate::lab::servers::Personality;

/// What is not as it must be.
pub(crate) fn faults(
    verb: Verb,
    kinds: [Option<Personality>; 2],
    record: &Record,
    shown: &[Shown; 2],
) -> Vec<String> {
    // A Maildir that is only read and that nothing has numbered.
    let is_unnumbered = kinds[0].is_none();
    let mut faults = Vec::new();
    for number in &record.delivered {
        let at = [0, 1].map(|side| places(&shown[side], *number));
        let wrong = match verb {
            Verb::Sync => of_sync(record, *number, &at),
            Verb::Copy | Verb::Move | Verb::Mirror | Verb::Keep => {
                of_copy(verb, record, *number, &at, is_unnumbered)
            }
        };
        faults.extend(
            wrong
                .into_iter()
                .map(|what| format!("{number} {what}: {at:?}")),
        );
    }
    for (side, shown) in shown.iter().enumerate() {
        let strangers = places(shown, 0);
        if !strangers.is_empty() {
            faults.push(format!(
                "side {side} has messages with other bytes: {strangers:?}"
            ));
        }
    }
    faults
}

/// The folders in which a message is, each as often as it is there.
fn places(shown: &Shown, number: u64) -> Vec<&str> {
    let times = |numbers: &[u64]| numbers.iter().filter(|of| **of == number).count();
    shown
        .iter()
        .flat_map(|(folder, numbers)| std::iter::repeat_n(folder.as_str(), times(numbers)))
        .collect()
}

/// Whether it is a folder of what vanished.
fn is_kept(folder: &str) -> bool {
    folder.starts_with("Vanished")
}

fn is_doubled(places: &[&str]) -> bool {
    places.windows(2).any(|pair| pair[0] == pair[1])
}

/// docs/two-way.md.
fn of_sync(record: &Record, number: u64, at: &[Vec<&str>; 2]) -> Vec<&'static str> {
    let mut faults = Vec::new();
    let [first, second] = at;
    if first != second {
        faults.push("is not in the same folders");
    }
    if first.is_empty() && second.is_empty() && !record.was_deleted(number) {
        faults.push("is lost");
    }
    // "A message may stand in its old and its new folder", where one got new UIDs while it was
    // moved, or another name, by which all its mail is moved. Who then moves it out of one of them
    // into the other has it there twice.
    let (moves, is_renamed, is_reset) = (
        record.moves(number),
        record.was_renamed(number),
        record.was_reset(number),
    );
    let is_joined = is_renamed || is_reset && moves > 0;
    // Where a folder lost its list of UIDs on both sides, a server may show a message not at all
    // and later under a new UID, when the other side's UID says nothing either.
    let may_be_doubled =
        is_renamed && moves > 0 || is_reset && moves > 1 || record.was_reset_on_both(number);
    if (is_doubled(first) || is_doubled(second)) && !may_be_doubled {
        faults.push("is twice in a folder");
    } else if first.len().max(second.len()) > 1 && !is_joined {
        faults.push("is in several folders");
    }
    let is_flagged = record.flagged.contains(&number);
    // "Moved here, deleted there: it stays", and "deleted in a folder whose UIDs are new since then
    // comes back". "Deleted here, with new or changed mail there": a folder that was renamed is
    // gone under its old name. And a run that is told to prefer what keeps a message brings back
    // what was marked on the other side. Of a message that stands in its old and its new folder,
    // only one is deleted. "If the connection breaks before a side confirms a message".
    let is_another = is_renamed
        && first
            .iter()
            .all(|folder| !record.was_deleted_in(number, folder));
    let may_come_back = record.was_moved_and_deleted(number)
        || is_reset
        || is_flagged && (is_renamed || record.prefers_keeping)
        || is_another
        || record.was_cut;
    if !(first.is_empty() && second.is_empty()) && record.was_deleted(number) && !may_come_back {
        faults.push("came back");
    }
    faults
}

/// docs/usage.md. The second side is the target.
fn of_copy(
    verb: Verb,
    record: &Record,
    number: u64,
    at: &[Vec<&str>; 2],
    is_unnumbered: bool,
) -> Vec<&'static str> {
    let mut faults = Vec::new();
    let [source, target] = at;
    // Nothing is deleted in a folder that somebody has made anew, nor where the source gives its
    // messages no numbers that last: a mirror then leaves what was moved on the target, like any
    // copy.
    let stays = matches!(verb, Verb::Copy | Verb::Move)
        || is_unnumbered
        || record.was_reset(number)
        || record.was_renamed(number);
    // A copy leaves what was moved on the source also where it was, and who moves that one on the
    // target has both in one folder.
    let may_be_doubled = stays && record.moves(number) > 0;
    // Whoever moves a message on the target while a run puts it back has it there twice: a mirror
    // deletes one of the two, and `--keep-deleted` keeps what there is.
    let is_kept_twice = verb == Verb::Keep && record.moves(number) > 0;
    let shelf: Vec<&str> = target
        .iter()
        .copied()
        .filter(|folder| is_kept(folder))
        .collect();
    let home: Vec<&str> = target
        .iter()
        .copied()
        .filter(|folder| !is_kept(folder))
        .collect();
    let is_twice = is_doubled(source) || is_doubled(&home) || is_doubled(&shelf) && !is_kept_twice;
    if is_twice && !may_be_doubled {
        faults.push("is twice in a folder");
    }
    if verb == Verb::Move {
        if source.is_empty() && target.is_empty() && !record.was_deleted(number) {
            faults.push("is lost");
        }
        return faults;
    }
    if source.is_empty() && !record.was_deleted_on(0, number) {
        faults.push("is lost on the source");
    }
    if !source.is_empty() && target.is_empty() {
        faults.push("was not copied");
    }
    if !stays && home.len() != source.len() {
        faults.push("is not mirrored");
    }
    faults
}
