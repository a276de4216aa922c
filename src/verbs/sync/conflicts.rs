//! What each side did where the two contradicted each other, and how that is settled.
//!
//! | row | the side that is changed | the other | settled |
//! |---|---|---|---|
//! | 5 | flags changed | deleted | deleted on both |
//! | 5, `--prefer` | deleted | flags changed | comes back |
//! | 9 | moved | moved elsewhere | the other's place |
//! | 10 | deleted | moved | stays where it was moved to |
//! | 12 | renamed | renamed differently | the other's name |
//! | 14 | folder deleted | something in it is new | the folder comes back |

use crate::event::Contradiction;
use crate::mail::Side;
use crate::plan::merge::Row;

/// What contradicted each other where `action` is done on `to` for this reason; `None`: nothing
/// did.
pub(super) fn contradiction(row: Row, action: &str, to: Side) -> Option<Contradiction> {
    let by_winner = |first, second| if to == Side::First { second } else { first };
    let (here, there, settled) = match row {
        Row::DeletedAndChanged if action == "delete" => (
            "changed its flags",
            "deleted it",
            "it is deleted on both sides",
        ),
        Row::DeletedAndChanged => ("deleted it", "changed its flags", "it is restored"),
        Row::MovedApart => {
            let settled = by_winner(
                "it goes where the first moved it",
                "it goes where the second moved it",
            );
            (
                "moved it to another folder",
                "moved it to another folder",
                settled,
            )
        }
        Row::MovedAndDeleted => (
            "deleted it",
            "moved it to another folder",
            "it stays where it was moved to",
        ),
        Row::RenamedApart => (
            "renamed it",
            "renamed it",
            by_winner("the first's name wins", "the second's name wins"),
        ),
        Row::FolderDeletedAndChanged => (
            "deleted the folder",
            "renamed it or has something new in it",
            "the folder is restored with that",
        ),
        _ => return None,
    };
    let (first, second) = if to == Side::First {
        (here, there)
    } else {
        (there, here)
    };
    Some(Contradiction {
        first,
        second,
        settled,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_is_told_what_it_did() {
        let told = |row, action, to| {
            let Contradiction {
                first,
                second,
                settled,
            } = contradiction(row, action, to).unwrap();
            [first, second, settled]
        };
        let flagged_here = [
            "changed its flags",
            "deleted it",
            "it is deleted on both sides",
        ];
        assert_eq!(
            told(Row::DeletedAndChanged, "delete", Side::First),
            flagged_here
        );
        let comes_back = ["deleted it", "changed its flags", "it is restored"];
        assert_eq!(
            told(Row::DeletedAndChanged, "copy", Side::First),
            comes_back
        );
        assert_eq!(
            told(Row::MovedApart, "move", Side::First)[2],
            "it goes where the second moved it"
        );
        assert_eq!(
            told(Row::RenamedApart, "rename_folder", Side::Second)[2],
            "the first's name wins"
        );
        for row in [
            Row::DeletedAndChanged,
            Row::MovedApart,
            Row::MovedAndDeleted,
            Row::RenamedApart,
            Row::FolderDeletedAndChanged,
        ] {
            assert!(
                row.is_conflict() && contradiction(row, "copy", Side::Second).is_some(),
                "{row:?}"
            );
        }
        assert_eq!(contradiction(Row::NewMail, "copy", Side::Second), None);
    }
}
