//! The changes on each side, by the rows of the case table, and the contents of both after a run.

/// What was done before the last run, here since, there since, options, and what both sides hold
/// then.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) before: &'static [&'static str],
    pub(crate) here: &'static [&'static str],
    pub(crate) there: &'static [&'static str],
    pub(crate) options: &'static [&'static str],
    pub(crate) expected: &'static [(&'static str, &'static str)],
    /// The same where `here` is the second of the run; nothing if that makes no difference.
    pub(crate) expected_turned: &'static [(&'static str, &'static str)],
    /// What a conflict's event says was done here and there.
    pub(crate) conflict: Option<[&'static str; 2]>,
    /// Numbers of the summary.
    pub(crate) counts: &'static [(&'static str, u64)],
}

const NONE: Case = Case {
    name: "",
    before: &[],
    here: &[],
    there: &[],
    options: &[],
    expected: &[],
    expected_turned: &[],
    conflict: None,
    counts: &[],
};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "1: different flags on both sides",
        before: &["add INBOX ab"],
        here: &["flag INBOX a \\Seen"],
        there: &["flag INBOX a \\Flagged", "flag INBOX b work"],
        expected: &[("INBOX", "aSF bk")],
        counts: &[("flags_updated", 3)],
        ..NONE
    },
    Case {
        name: "2: an un-set sticks",
        before: &["add INBOX ab", "flag INBOX ab \\Seen"],
        here: &["unflag INBOX a \\Seen"],
        there: &["flag INBOX a \\Flagged"],
        expected: &[("INBOX", "aF bS")],
        ..NONE
    },
    Case {
        name: "new mail on both sides",
        before: &["add INBOX a"],
        here: &["add INBOX b", "create Work", "add Work c"],
        there: &["add INBOX d"],
        expected: &[("INBOX", "a b d"), ("Work", "c")],
        counts: &[("copied", 3), ("folders_created", 1), ("deleted", 0)],
        ..NONE
    },
    Case {
        name: "a deletion crosses",
        before: &["add INBOX abc"],
        here: &["expunge INBOX a"],
        there: &["add INBOX d"],
        expected: &[("INBOX", "b c d")],
        counts: &[("deleted", 1), ("copied", 1)],
        ..NONE
    },
    Case {
        name: "so does that of the newest messages",
        before: &["add INBOX abc"],
        here: &["expunge INBOX bc"],
        expected: &[("INBOX", "a")],
        counts: &[("deleted", 2), ("copied", 0)],
        ..NONE
    },
    Case {
        name: "so does that of all messages, where they are few",
        before: &["add INBOX abc"],
        here: &["expunge INBOX abc"],
        expected: &[("INBOX", "")],
        counts: &[("deleted", 3), ("copied", 0)],
        ..NONE
    },
    Case {
        name: "5: deleted here, flagged there: the deletion wins",
        before: &["add INBOX abc"],
        here: &["expunge INBOX a"],
        there: &["flag INBOX a \\Flagged"],
        expected: &[("INBOX", "b c")],
        conflict: Some(["deleted it", "changed its flags"]),
        counts: &[("deleted", 1), ("conflicts", 1)],
        ..NONE
    },
    Case {
        name: "5: with --prefer keep it comes back",
        before: &["add INBOX abc"],
        here: &["expunge INBOX a"],
        there: &["flag INBOX a \\Flagged"],
        options: &["--prefer", "keep"],
        expected: &[("INBOX", "aF b c")],
        conflict: Some(["deleted it", "changed its flags"]),
        counts: &[("deleted", 0), ("copied", 1)],
        ..NONE
    },
    Case {
        name: "5: with --prefer first that side decides",
        before: &["add INBOX abc"],
        here: &["expunge INBOX a"],
        there: &["flag INBOX a \\Flagged"],
        options: &["--prefer", "first"],
        expected: &[("INBOX", "b c")],
        expected_turned: &[("INBOX", "aF b c")],
        conflict: Some(["deleted it", "changed its flags"]),
        ..NONE
    },
    Case {
        name: "5: with --prefer second that side decides",
        before: &["add INBOX abc"],
        here: &["expunge INBOX a"],
        there: &["flag INBOX a \\Flagged"],
        options: &["--prefer", "second"],
        expected: &[("INBOX", "aF b c")],
        expected_turned: &[("INBOX", "b c")],
        conflict: Some(["deleted it", "changed its flags"]),
        ..NONE
    },
    Case {
        name: "3: flags without a base, as the same mail came to both sides",
        before: &["add INBOX a"],
        here: &["add INBOX bc", "flag INBOX b \\Seen"],
        there: &["add INBOX bc", "flag INBOX b work"],
        expected: &[("INBOX", "a bSk c")],
        counts: &[("copied", 0), ("flags_updated", 2)],
        ..NONE
    },
    Case {
        name: "6: deleted on both sides",
        before: &["add INBOX abc"],
        here: &["expunge INBOX a"],
        there: &["expunge INBOX a"],
        expected: &[("INBOX", "b c")],
        counts: &[("deleted", 0), ("copied", 0)],
        ..NONE
    },
    Case {
        name: "7: marked as deleted, and nothing is expunged for it",
        before: &["add INBOX ab"],
        here: &["flag INBOX a \\Deleted"],
        expected: &[("INBOX", "aD b")],
        counts: &[("flags_updated", 1), ("deleted", 0)],
        ..NONE
    },
    Case {
        name: "8: a move is a move, with the flags of both",
        before: &["add INBOX ab", "create Work"],
        here: &["move INBOX a Work"],
        there: &["flag INBOX a \\Flagged"],
        expected: &[("INBOX", "b"), ("Work", "aF")],
        counts: &[
            ("moved", 1),
            ("copied", 0),
            ("deleted", 0),
            ("bytes_copied", 0),
        ],
        ..NONE
    },
    Case {
        name: "8: moved into a folder that is new",
        before: &["add INBOX ab"],
        here: &["create New", "move INBOX a New"],
        expected: &[("INBOX", "b"), ("New", "a")],
        counts: &[("moved", 1), ("copied", 0), ("deleted", 0)],
        ..NONE
    },
    Case {
        name: "9: moved to different folders: one place, the first's",
        before: &["add INBOX ab", "create Here", "create There"],
        here: &["move INBOX a Here"],
        there: &["move INBOX a There"],
        expected: &[("INBOX", "b"), ("Here", "a"), ("There", "")],
        expected_turned: &[("INBOX", "b"), ("Here", ""), ("There", "a")],
        conflict: Some(["moved it to another folder"; 2]),
        counts: &[
            ("conflicts", 1),
            ("copied", 0),
            ("deleted", 0),
            ("moved", 1),
        ],
        ..NONE
    },
    Case {
        name: "9: moved to different folders with --prefer second: the second's",
        before: &["add INBOX ab", "create Here", "create There"],
        here: &["move INBOX a Here"],
        there: &["move INBOX a There"],
        options: &["--prefer", "second"],
        expected: &[("INBOX", "b"), ("Here", ""), ("There", "a")],
        expected_turned: &[("INBOX", "b"), ("Here", "a"), ("There", "")],
        conflict: Some(["moved it to another folder"; 2]),
        counts: &[
            ("conflicts", 1),
            ("copied", 0),
            ("deleted", 0),
            ("moved", 1),
        ],
    },
    Case {
        name: "10: moved here, deleted there: it stays",
        before: &["add INBOX ab", "create Work"],
        here: &["move INBOX a Work"],
        there: &["expunge INBOX a"],
        expected: &[("INBOX", "b"), ("Work", "a")],
        conflict: Some(["moved it to another folder", "deleted it"]),
        counts: &[("conflicts", 1)],
        ..NONE
    },
    Case {
        name: "11: a folder is renamed",
        before: &[
            "create Work",
            "add Work abc",
            "create Work/Deep",
            "add Work/Deep d",
        ],
        here: &["rename Work Jobs"],
        there: &["add Work e"],
        expected: &[("INBOX", ""), ("Jobs", "a b c e"), ("Jobs/Deep", "d")],
        counts: &[("folders_renamed", 1), ("copied", 1), ("deleted", 0)],
        ..NONE
    },
    Case {
        name: "11: renamed, and the folder below it stays where it was",
        before: &[
            "create Work",
            "add Work abc",
            "create Work/Deep",
            "add Work/Deep d",
        ],
        here: &["rename Work Jobs", "rename Jobs/Deep Work/Deep"],
        expected: &[("INBOX", ""), ("Jobs", "a b c"), ("Work/Deep", "d")],
        counts: &[
            ("folders_renamed", 2),
            ("copied", 0),
            ("moved", 0),
            ("deleted", 0),
        ],
        ..NONE
    },
    Case {
        name: "11: renamed, and a message moved out of it, so that only its messages tell",
        before: &[
            "create Notes",
            "add Notes abc",
            "create Trips",
            "create Work",
        ],
        here: &["rename Notes Work/Old", "move Work/Old a Trips"],
        expected: &[
            ("INBOX", ""),
            ("Trips", "a"),
            ("Work", ""),
            ("Work/Old", "b c"),
        ],
        counts: &[
            ("moved", 3),
            ("copied", 0),
            ("deleted", 0),
            ("folders_deleted", 1),
        ],
        ..NONE
    },
    Case {
        name: "12: renamed differently on both sides: one name, the first's",
        before: &["create Work", "add Work ab"],
        here: &["rename Work Here"],
        there: &["rename Work There"],
        expected: &[("INBOX", ""), ("Here", "a b")],
        expected_turned: &[("INBOX", ""), ("There", "a b")],
        conflict: Some(["renamed it"; 2]),
        counts: &[
            ("conflicts", 1),
            ("folders_renamed", 1),
            ("copied", 0),
            ("deleted", 0),
        ],
        ..NONE
    },
    Case {
        name: "12: renamed differently with --prefer second: the second's name",
        before: &["create Work", "add Work ab"],
        here: &["rename Work Here"],
        there: &["rename Work There"],
        options: &["--prefer", "second"],
        expected: &[("INBOX", ""), ("There", "a b")],
        expected_turned: &[("INBOX", ""), ("Here", "a b")],
        conflict: Some(["renamed it"; 2]),
        counts: &[
            ("conflicts", 1),
            ("folders_renamed", 1),
            ("copied", 0),
            ("deleted", 0),
        ],
    },
    Case {
        name: "14: deleted here, made anew there: the new one is on both",
        before: &["create Work", "add Work ab", "add INBOX x"],
        here: &["drop Work"],
        there: &["drop Work", "create Work", "add Work c"],
        expected: &[("INBOX", "x"), ("Work", "c")],
        counts: &[("deleted", 0), ("folders_created", 1)],
        ..NONE
    },
    Case {
        name: "13: a folder is deleted",
        before: &["create Work", "add Work abc", "add INBOX x"],
        here: &["drop Work"],
        expected: &[("INBOX", "x")],
        counts: &[("deleted", 3), ("folders_deleted", 1)],
        ..NONE
    },
    Case {
        name: "14: deleted here, with new mail there: it comes back with that",
        before: &["create Work", "add Work abc", "add INBOX x"],
        here: &["drop Work"],
        there: &["add Work d", "flag Work a \\Flagged"],
        expected: &[("INBOX", "x"), ("Work", "aF d")],
        conflict: Some([
            "deleted the folder",
            "renamed it or has something new in it",
        ]),
        counts: &[("deleted", 2), ("copied", 2), ("folders_created", 1)],
        ..NONE
    },
    Case {
        name: "15: deleted and made anew with other mail",
        before: &["create Work", "add Work ab"],
        here: &["drop Work", "create Work", "add Work z"],
        expected: &[("INBOX", ""), ("Work", "a b z")],
        counts: &[("deleted", 0)],
        ..NONE
    },
    Case {
        name: "23: the same mail came to both sides",
        before: &["add INBOX a"],
        here: &["add INBOX bc"],
        there: &["add INBOX cb"],
        expected: &[("INBOX", "a b c")],
        counts: &[("copied", 0), ("deleted", 0)],
        ..NONE
    },
    Case {
        name: "24: equal copies",
        before: &["add INBOX a"],
        here: &["add INBOX bb"],
        expected: &[("INBOX", "a b b")],
        counts: &[("copied", 2)],
        ..NONE
    },
    Case {
        name: "subscriptions cross",
        before: &["create Work"],
        here: &["subscribe Work"],
        expected: &[("INBOX", ""), ("Work", "")],
        ..NONE
    },
    Case {
        name: "a new folder below a new folder",
        before: &["add INBOX a"],
        here: &["create A/B/C", "add A/B/C c"],
        there: &["create D"],
        expected: &[("A/B/C", "c"), ("D", ""), ("INBOX", "a")],
        ..NONE
    },
];
