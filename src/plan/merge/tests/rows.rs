//! The rows of the case table about messages. Each runs both ways round.

use super::super::*;
use super::scene::{Case, base, check, shown};

#[test]
fn flags() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        // row, what happened, base, first, second, options, what is done
        (1, "set here", "a", "a:S", "a", "", "flags a +S@second"),
        (1, "different ones", "a", "a:S", "a:F", "", "flags a +F@first +S@second"),
        (1, "the same on both", "a", "a:S", "a:S", "", "flags a"),
        (1, "nothing", "a:S", "a:S", "a:S", "", ""),
        (2, "an un-set sticks", "a:S", "a", "a:SF", "", "flags a +F@first -S@second"),
        (2, "un-set on both", "a:S", "a", "a", "", "flags a"),
        (2, "set, un-set and something else", "a:SA", "a:SF", "a:A", "", "flags a -A@second -S@first +F@second"),
        (3, "no base", "-", "a:S", "a:F", "", "join a FirstRun +F@first +S@second"),
        (3, "no base, own flags", "-", "a:SDj", "a:n", "", "join a FirstRun +S@second"),
        (4, "can't keep it", "a", "a:k", "a !system", "", "flags a"),
        (4, "known not to keep it", "a-second:k", "a:k", "a !system", "", ""),
        (4, "known, and removed", "a-second:k", "a", "a !system", "", "flags a"),
        (4, "known, and now it can", "a-second:k", "a:k", "a:k", "", "flags a"),
        (4, "no base", "-", "a:kS", "a !system", "", "join a FirstRun +S@second"),
        (7, "marked as deleted", "a", "a:D", "a", "", "flags a +D@second"),
        (7, "and unmarked", "a:D", "a", "a:D", "", "flags a -D@second"),
        (7, "new and marked as deleted", "", "m:D", "", "", "copy m>second NewMail"),
        (0, "closed", "a", "a:S", "a", "no-flags-second", ""),
        (0, "closed, and a change the other way", "a", "a:S", "a:F", "no-flags-second", "flags a +F@first"),
        (0, "closed, and an un-set", "a:S", "a", "a:S", "no-flags-second", ""),
        (34, "read-only", "a", "a:S", "a !readonly", "", ""),
        (0, "junk here, no junk there", "a", "a:j", "a:n", "prefer-first", "flags a -n@second +j@second"),
        (0, "junk here, no junk there", "a", "a:j", "a:n", "prefer-second", "flags a -j@first +n@first"),
        (0, "from junk to no junk", "a:j", "a:n", "a:j", "", "flags a -j@second +n@second"),
    ];
    check(cases);
}

#[test]
fn deletions() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        (0, "expunged here", "a b", "b", "a b", "", "delete a@second Deleted"),
        (0, "without undo", "a b", "b", "a b", "no-undo", "destroy a@second Deleted"),
        (5, "expunged here, flags there", "a b", "b", "a:F b", "", "delete a@second DeletedAndChanged"),
        (5, "that side wins", "a b", "b", "a:F b", "prefer-first", "delete a@second DeletedAndChanged"),
        (5, "the other side wins", "a b", "b", "a:F b", "prefer-second", "copy a>first DeletedAndChanged; drop a DeletedAndChanged"),
        (5, "the message wins", "a b", "b", "a:F b", "keep", "copy a>first DeletedAndChanged; drop a DeletedAndChanged"),
        (5, "it can't come back", "a b", "b", "a:F b", "keep no-new-first", "left a@second OneWay"),
        (5, "nothing but what it can't keep", "a-second:k b", "b", "a b", "keep", "delete a@second Deleted"),
        (6, "expunged on both", "a b", "b", "b", "", "drop a DeletedOnBoth"),
        (34, "no deletions there", "a b", "b", "a b", "no-deletions-second", "wait a!first OneWay"),
        (34, "read-only", "a b", "b", "a b !readonly", "", "wait a!first NotPermitted"),
        (34, "waiting, still read-only", "a!first b", "b", "a b !readonly", "", "left a@second NotPermitted"),
        (34, "waiting, tried again", "a!first b", "b", "a b", "", "delete a@second Deleted"),
        (34, "waiting, gone by itself", "a!first b", "b", "b", "", "drop a DeletedOnBoth"),
        (34, "waiting, and never copied back", "a!first b", "!uids b", "a b", "",
            "drop b NewUids; join b NewUids; left a@second NewUids"),
        (34, "new mail for a read-only side", "", "m", "!readonly", "", "left m@first NotPermitted"),
        (17, "twenty are emptied", "a b", "", "a b", "", "delete a@second Deleted; delete b@second Deleted"),
        (17, "made anew and empty", "a b", "!uids", "a b", "", "refused@first Emptied"),
        (17, "restored and empty", "a b", "!uidnext", "a b", "", "refused@first LostAll"),
        (17, "made anew and empty, and that is meant", "a b", "!uids", "a b", "100%",
            "delete a@second Deleted; delete b@second Deleted"),
        (17, "restored and empty, whatever may be deleted", "a b", "!uidnext", "a b", "100%", "refused@first LostAll"),
        (17, "restored and empty, and the mail is to be put back", "a b", "!uidnext", "a b", "keep",
            "drop a Restored; drop b Restored; copy a>first Restored; copy b>first Restored"),
        (17, "and the other side has new UIDs too", "a b", "!uids", "!uids a b", "100%",
            "drop a NewUids; drop b NewUids; copy a>first Recreated; copy b>first Recreated"),
        (17, "and what is there is to be kept", "a", "!uids", "a", "keep", "drop a NewUids; copy a>first Recreated"),
        (17, "not empty, but hidden", "a b", "~a ~b", "a b", "", "left a@second Hidden; left b@second Hidden"),
        (18, "by number", "a b c d", "a b", "a b c d", "1", "brake@second; left c@second TooMany; left d@second TooMany"),
        (18, "one side only", "a b c d", "a b d", "b c d", "0",
            "brake@first; brake@second; left a@first TooMany; left c@second TooMany"),
        (18, "at the limit", "a b c d", "a b", "a b c d", "2", "delete c@second Deleted; delete d@second Deleted"),
        (0, "not everything was read", "a b", "!incomplete b", "a b m", "", "refused@first Incomplete"),
        (0, "a part is shown", "a b", "!capped b", "a b", "", "left a@second Capped"),
        (0, "a part is shown, deleted on the other", "a b", "!capped a b", "b", "", "delete a@first Deleted"),
    ];
    check(cases);
}

#[test]
fn without_a_base_that_holds() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        (16, "new UIDs, the same mail", "a b:S", "!uids a b:S", "a b", "",
            "drop a NewUids; drop b NewUids; join a NewUids; join b NewUids +S@second"),
        (16, "new UIDs, some mail gone", "a b", "!uids a", "a b", "",
            "drop a NewUids; drop b NewUids; join a NewUids; copy b>first NewUids"),
        (15, "made anew with other mail", "a b", "!uids m", "a b", "",
            "drop a NewUids; drop b NewUids; copy m>second Recreated; copy a>first Recreated; copy b>first Recreated"),
        (19, "UIDNEXT went back", "a b c", "!uidnext a b", "a b c", "",
            "drop a Restored; drop b Restored; drop c Restored; join a Restored; join b Restored; copy c>first Restored"),
        (19, "UIDNEXT is below what was copied there", "a b m", "!back a b", "a b m", "",
            "drop a Restored; drop b Restored; drop m Restored; join a Restored; join b Restored; copy m>first Restored"),
        (19, "HIGHESTMODSEQ went back", "a b", "!modseq a", "a b", "",
            "drop a Restored; drop b Restored; join a Restored; copy b>first Restored"),
        (19, "a UID is another message now", "a b", "a =b", "a b", "",
            "drop a Restored; drop b Restored; join a Restored; copy b>first Restored; copy b>second Restored"),
        (20, "no state", "-", "a b", "b c", "", "join b FirstRun; copy a>second FirstRun; copy c>first FirstRun"),
        (20, "no state, one side empty", "-", "a b", "", "", "copy a>second FirstRun; copy b>second FirstRun"),
        (21, "an old state", "a b !stale", "b", "a b", "",
            "drop a StaleState; drop b StaleState; join b StaleState; copy a>first StaleState"),
        (21, "an old state, waiting deletion", "a!first b !stale", "b", "a b", "",
            "drop a StaleState; drop b StaleState; join b StaleState; copy a>first StaleState"),
        (22, "hidden on one side", "a b", "~a b", "a:S b", "", "left a@second Hidden"),
        (22, "hidden on both", "a b", "~a b", "~a b", "", ""),
        (22, "hidden there, deleted here", "a b", "b", "~a b", "", ""),
        (22, "hidden and in no pair", "", "~a", "", "", ""),
    ];
    check(cases);
}

#[test]
fn messages_in_no_pair() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        (0, "new mail crosses", "a", "a m", "a n", "", "copy m>second NewMail; copy n>first NewMail"),
        (0, "one way", "a", "a m", "a n", "no-new-first", "copy m>second NewMail; left n@second OneWay"),
        (23, "one Message-ID, other bodies", "", "m1 m2", "m2 m3", "",
            "tie; join m2 FoundOnBoth; copy m1>second NewMail; copy m3>first NewMail"),
        (23, "one Message-ID, and the bodies can't be read", "", "m1", "%m3", "",
            "tie; left m1@first Undecided; left m3@second Undecided"),
        (24, "two copies here", "", "m m'", "", "", "copy m>second NewMail; copy m'>second NewMail"),
        (24, "two copies here, one there", "", "m m'", "m", "", "tie; join m FoundOnBoth; copy m'>second NewMail"),
        (24, "two copies on both", "", "m m'", "m m'", "", "join m FoundOnBoth; join m FoundOnBoth"),
        (24, "one of two copies is deleted", "a a'", "a", "a a'", "", "delete a'@second Deleted"),
        (25, "no header", "", "A", "A", "", "tie; join A FoundOnBoth"),
        (25, "no header, other content", "", "A B", "A", "", "tie; join A FoundOnBoth; copy B>second NewMail"),
        (25, "no header, in the base", "A B", "A B", "A B", "", ""),
        (25, "no header, deleted", "A B", "B", "A B", "", "delete A@second Deleted"),
        (26, "delivered to both", "", "m:S", "m", "", "join m FoundOnBoth +S@second"),
        (27, "expunged while the last run went on", "a b", "b", "a b", "", "delete a@second Deleted"),
        (28, "arrived while the last run went on", "a", "a m", "a", "", "copy m>second NewMail"),
        (29, "copied, and not recorded", "a", "a m", "a m", "", "join m FoundOnBoth"),
        (30, "copied, and the reply was lost", "", "A", "A", "", "tie; join A FoundOnBoth"),
        (30, "may have been copied", "", "%A", "A", "", "tie; left A@first Undecided; left A@second Undecided"),
        (32, "refused before", "a?first", "a", "", "", "left a@first Refused"),
        (32, "refused before, and tried again", "a?first", "a", "", "retry", "copy a>second NewMail"),
        (32, "refused before, and deleted", "a?first", "", "", "", ""),
        (33, "rewritten there", "a", "a", "*a", "", ""),
        (33, "rewritten there, no base", "-", "a", "*a", "", "join a FirstRun"),
        (0, "a part is shown: new mail and old", "a", "!capped a", "a b m", "", "left b@second Capped; copy m>first NewMail"),
        (0, "a part is shown, and not all new mail", "a", "!capped !more a", "a m", "", "left m@second Capped"),
        (0, "a part is shown, after a broken run", "a !unfinished", "!capped a", "a m", "", "left m@second Capped"),
        (0, "a part is shown, no base", "-", "!capped a", "a b", "", "join a FirstRun; left b@second Capped"),
    ];
    check(cases);
}

#[test]
fn moves() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        (8, "moved", "a b|", "b|a", "a b|", "", "move a 0>1@second Moved"),
        (8, "moved and flagged on both", "a:S b|", "b|a:SF", "a:A b|", "",
            "move a 0>1@second Moved +A@first +F@second -S@first"),
        (8, "moved to a new folder", "a b|-", "b|a", "a b|!absent", "", "move a 0>1@second Moved"),
        (8, "all moved", "a b|", "|a b", "a b|", "", "move a 0>1@second Moved; move b 0>1@second Moved"),
        (8, "moved on both", "a:S b|", "b|a", "b|a:S", "", "0: drop a DeletedOnBoth; 1: join a Moved -S@second"),
        (8, "moved, flags there, and the message wins", "a b|", "b|a", "a:F b|", "keep",
            "0: drop a DeletedAndChanged; move a 0>1@second Moved +F@first"),
        (8, "copied", "a b|", "a b|a", "a b|", "", "1: copy a>second NewMail"),
        (8, "not to be told", "A b|", "b|A", "A b|", "", "0: delete A@second Deleted; 1: copy A>second NewMail"),
        (8, "to two folders", "a b||", "b|a|a", "a b||", "",
            "0: delete a@second Deleted; 1: copy a>second NewMail; 2: copy a>second NewMail"),
        (8, "no deletions there", "a b|", "b|a", "a b|", "no-deletions-second", "0: wait a!first OneWay; 1: copy a>second NewMail"),
        (8, "into a folder that is not read", "a b|", "b|!incomplete a", "a b|", "",
            "0: delete a@second Deleted; 1: refused@first Incomplete"),
        (8, "stored anew in its folder, flags there", "a b", "b a'", "a:F b", "keep",
            "drop a DeletedAndChanged; drop a Moved; join a Moved +F@first"),
        (9, "moved apart", "a b||", "b|a|", "b||a", "prefer-first", "0: drop a DeletedOnBoth; move a 2>1@second MovedApart"),
        (9, "moved apart", "a b||", "b|a|", "b||a", "prefer-second", "0: drop a DeletedOnBoth; move a 1>2@first MovedApart"),
        (9, "moved apart, and flagged", "a:S b||", "b|a:SF|", "b||a", "prefer-first",
            "0: drop a DeletedOnBoth; move a 2>1@second MovedApart +F@second -S@first"),
        (9, "moved apart, and no deletions", "a b||", "b|a|", "b||a", "prefer-first no-deletions-second",
            "1: left a@first OneWay; 2: left a@second OneWay"),
        (9, "deleted from different folders", "a b|a", "b|a", "a b|", "prefer-first",
            "0: delete a@second Deleted; 1: copy a>second MovedApart; 1: drop a MovedApart"),
        (9, "deleted from different folders", "a b|a", "b|a", "a b|", "prefer-second",
            "0: copy a>first MovedApart; 0: drop a MovedApart; 1: delete a@first Deleted"),
        (9, "one of two copies here, the other one there", "a a'", "a", "a'", "prefer-first",
            "copy a>second MovedApart; drop a MovedApart; delete a'@second Deleted"),
        (9, "deleted from different folders, three times", "a b|a b|a", "b|b a|", "a b|b|a", "prefer-first",
            "0: delete a@second Deleted; 1: copy a>second MovedApart; 1: drop a MovedApart; 2: delete a@second Deleted"),
        (9, "the folders are renamed apart", "a|a", "!absent|a", "a|!absent", "prefer-first",
            "0: delete a@second FolderDeleted; 0: wait a!first FolderDeleted; 1: copy a>second MovedApart; 1: drop a MovedApart; \
             folder back@second; folder deleted@second"),
        (9, "deleted from different folders, and no new mail there", "a b|a", "b|a", "a b|", "prefer-first no-new-second",
            "0: left a@second OneWay; 1: left a@first OneWay"),
        (9, "deleted from different folders, and not to be told", "A b|A", "b|A", "A b|", "",
            "0: delete A@second Deleted; 1: delete A@first Deleted"),
        (8, "moved, and no new mail there", "a b|", "b|a", "a b|", "no-new-second", "move a 0>1@second Moved"),
        (10, "moved here, deleted there", "a b|", "b|a", "b|", "", "0: drop a DeletedOnBoth; 1: copy a>second MovedAndDeleted"),
    ];
    check(cases);
}

#[test]
fn what_was_half_seen_is_left_for_the_next_run_and_nothing_else() {
    let base = base("a b c");
    // Deleted on the first, deleted on both, new on the first, new on the second.
    let views = Both::new(shown("c m", Side::First), shown("a c n", Side::Second));
    let views = views.as_ref().map(|shown| &shown.view);
    let folder = Folder {
        base: base.as_ref(),
        views,
        rules: MatchRules::default(),
        comes_back: None,
    };
    let of = |side: Side, at: u32| trace(views[side].at(at).unwrap()).unwrap();
    let dropped = base.as_ref().unwrap().pairs()[1]
        .prints()
        .trace(Side::First)
        .unwrap();
    let whole = merge_messages(&folder, &Policy::default());
    for (traces, left) in [
        (vec![of(Side::Second, 0)], [0, 1, 1, 1]),
        (vec![dropped], [1, 0, 1, 1]),
        (vec![of(Side::First, 1)], [1, 1, 0, 1]),
        (vec![of(Side::Second, 2)], [1, 1, 1, 0]),
        (vec![of(Side::First, 0)], [1, 1, 1, 1]),
    ] {
        let mut merge = whole.clone();
        let is_left = leave_alone(&folder, &mut merge, &traces.into_iter().collect());
        let Both { first, second } = merge.incoming.as_ref().map(Vec::len);
        assert_eq!(
            [
                merge.deletions.second.len(),
                merge.dropped.len(),
                second,
                first
            ],
            left
        );
        assert_eq!(is_left, left != [1; 4]);
    }
}

/// If the folder comes back there, the pair's UID belongs to another message.
#[test]
fn what_was_half_seen_is_remembered_as_deleted_where_its_folder_is_gone() {
    let base = base("a b");
    for first in ["a b m", "b m"] {
        let here = shown(first, Side::First);
        let absent = shown("!absent", Side::Second);
        let views = Both::new(&here.view, &absent.view);
        let folder = Folder {
            base: base.as_ref(),
            views,
            rules: MatchRules::default(),
            comes_back: None,
        };
        let mut merge = merge_messages(&folder, &Policy::default());
        let half_seen = base.as_ref().unwrap().pairs()[0]
            .prints()
            .trace(Side::First)
            .unwrap();
        assert!(leave_alone(
            &folder,
            &mut merge,
            &[half_seen].into_iter().collect()
        ));
        assert!(
            merge
                .deletions
                .first
                .iter()
                .all(|deletion| deletion.pair == 1)
                && merge.dropped.is_empty()
        );
        let mut pending: Vec<_> = merge
            .pending
            .iter()
            .map(|pending| (pending.pair, pending.deleted_on))
            .collect();
        pending.sort_unstable_by_key(|(pair, _)| *pair);
        assert_eq!(pending, [(0, Side::Second), (1, Side::Second)], "{first}");
    }
}

#[test]
fn the_first_side_wins_by_default() {
    let moved = super::scene::outcome(["a b||", "b|a|", "b||a"], "");
    assert_eq!(
        moved,
        "0: drop a DeletedOnBoth; move a 2>1@second MovedApart"
    );
}

#[test]
fn deleted_folders() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        (13, "unchanged", "a b", "!absent", "a b", "",
            "delete a@second FolderDeleted; wait a!first FolderDeleted; delete b@second FolderDeleted; wait b!first FolderDeleted; folder deleted@second"),
        (13, "empty", "", "!absent", "", "", "folder deleted@second"),
        (13, "its mail was moved before", "a|", "!absent|a", "a|", "", "0: wait a!first FolderDeleted; folder deleted@second; move a 0>1@second Moved"),
        (14, "new mail", "a", "!absent", "a m", "",
            "delete a@second FolderDeleted; wait a!first FolderDeleted; copy m>first FolderDeletedAndChanged; folder back@first"),
        (14, "changed mail", "a b", "!absent", "a:F b", "",
            "drop a FolderDeletedAndChanged; copy a>first FolderDeletedAndChanged; delete b@second FolderDeleted; wait b!first FolderDeleted; folder back@first"),
        (14, "mail moved into it", "a|b", "!absent|b", "a b|", "",
            "0: delete a@second FolderDeleted; 0: wait a!first FolderDeleted; move b 1>0@first Moved; folder back@first"),
        (14, "hidden mail", "a b", "!absent", "a ~b", "", "delete a@second FolderDeleted; wait a!first FolderDeleted; wait b!first Hidden; folder stays"),
        (14, "restored there", "a", "!absent", "!uidnext a", "", "drop a Restored; copy a>first FolderDeletedAndChanged; folder back@first"),
        (18, "too many", "a b", "!absent", "a b", "1",
            "brake@second; left a@second TooMany; left b@second TooMany; wait a!first FolderDeleted; wait b!first FolderDeleted; folder stays"),
        (0, "gone from both", "a", "!absent", "!absent", "", "drop a DeletedOnBoth"),
    ];
    check(cases);
}
