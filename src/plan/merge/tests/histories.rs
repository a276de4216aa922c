//! Histories that once ended badly, as short as they got, and both ways round. `convergence.rs`
//! looks for more.

use super::super::*;
use super::convergence::Event::{
    Add, BackUp, Create, Deliver, LoseState, Move, Rename, Renumber, Restore,
};
use super::convergence::{Event, Trouble, run};
use super::model::Abilities;

const RICH: Abilities = Abilities {
    mailbox_ids: true,
    keywords: true,
};
const POOR: Abilities = Abilities {
    mailbox_ids: false,
    keywords: true,
};

// Indices of names in `FOLDERS`, and of existing folders, sorted by name.
const A: u8 = 1;
const B: u8 = 2;
const AX: u8 = 4;
const AXZ: u8 = 6;

fn sync() -> Event {
    Event::Sync(Trouble::default())
}

/// A sync, with events between its scan and its actions.
fn sync_while(meanwhile: Vec<Event>) -> Event {
    Event::Sync(Trouble {
        meanwhile,
        ..Trouble::default()
    })
}

#[track_caller]
fn ends_well(abilities: Abilities, history: impl Fn(Side) -> Vec<Event>) {
    for side in Side::BOTH {
        for learns_late in [false, true] {
            if let Err(error) = run(
                Both::new(abilities, abilities),
                learns_late,
                &history(side),
                0,
            ) {
                panic!("{side:?}, learns late {learns_late}: {error}");
            }
        }
    }
}

/// The other side's folder moved with its parent each time, and took its new name there for the
/// user's wish.
#[test]
fn a_folder_comes_below_one_that_stays_below_it() {
    ends_well(RICH, |side| {
        vec![
            Create(side, A),
            sync(),
            Create(side, AX),
            sync_while(vec![Rename(side.other(), 0, B)]),
            Rename(side.other(), 1, AXZ),
        ]
    });
}

/// It was treated as deleted, with all mail that arrived after the backup.
#[test]
fn a_server_goes_back_to_before_a_folder_got_its_name() {
    ends_well(POOR, |side| {
        vec![
            Create(side, AXZ),
            sync(),
            BackUp(side),
            Rename(side, 0, B),
            sync(),
            Add(side, 0),
            Deliver(0),
            sync(),
            Rename(side, 0, AXZ),
            Restore(side),
        ]
    });
}

/// Nothing shows that this server was restored, so the folder counts as deleted, with the message
/// that had been moved out of it: that is in the undo store. What is new on the other side stays.
#[test]
fn a_server_goes_back_to_before_a_folder_was_made_and_a_message_moved_out_of_it() {
    ends_well(POOR, |side| {
        vec![
            Add(side, 0),
            sync(),
            BackUp(side),
            Create(side.other(), A),
            Add(side.other(), 0),
            Add(side.other(), 0),
            sync(),
            Move(side, 0, 1),
            Restore(side),
            Add(side.other(), 0),
        ]
    });
}

/// Nothing was known, so all of a folder was to be sent to one that is new there; another one with
/// the same mail had its name by the time it was to be created.
#[test]
fn a_folder_gets_the_name_of_one_that_is_about_to_be_made() {
    ends_well(POOR, |side| {
        vec![
            Create(side, A),
            Add(side, 0),
            sync(),
            Rename(side.other(), 0, B),
            LoseState,
            sync_while(vec![Rename(side.other(), 0, A)]),
        ]
    });
}

/// A folder that was restored to when it had no mail, and then numbered again, looks recreated
/// empty (row 17): with `--max-delete 100%`, which these histories allow, it is emptied on the other
/// side.
#[test]
fn a_folder_restored_empty_and_renumbered_counts_as_emptied() {
    ends_well(POOR, |side| {
        vec![
            Add(side.other(), 0),
            BackUp(side),
            sync(),
            Restore(side),
            Renumber(side, 0),
            sync(),
        ]
    });
}
