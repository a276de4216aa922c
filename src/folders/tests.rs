//! Pairing as a whole: two listings and the user's options in, the table FROM -> TO out.

use super::testing::listing;
use super::*;
use crate::mail::{Gaps, Listing, MailboxName, NameStyle, SpecialUse};
use proptest::prelude::*;
use std::collections::HashSet;

fn options(words: &[&str]) -> Options {
    let mut options = Options::default();
    for word in words {
        let (option, value) = word.split_once(' ').unwrap_or((word, ""));
        match option {
            "--folder" => options.include.push(value.to_owned()),
            "--exclude" => options.exclude.push(value.to_owned()),
            "--map" => options.map.push(value.to_owned()),
            "--map-regex" => options.map_regex.push(value.to_owned()),
            "--into" => options.into = Some(value.to_owned()),
            "--no-roles" => options.no_roles = true,
            other => panic!("{other}"),
        }
    }
    options
}

fn paired(source: &Listing, target: &Listing, words: &[&str]) -> Result<Pairing, PairError> {
    pair(source, target, &Rules::new(&options(words)).unwrap())
}

/// Returns the table: `FROM -> TO`, with `+` before a new TO.
fn table(source: &[&str], target: &[&str], words: &[&str]) -> Vec<String> {
    let pairing = paired(&listing("", '/', source), &listing("", '/', target), words).unwrap();
    rows(&pairing)
}

fn rows(pairing: &Pairing) -> Vec<String> {
    let row = |pair: &Pair| {
        let new = if matches!(pair.target, TargetFolder::New { .. }) {
            "+"
        } else {
            ""
        };
        format!("{} -> {new}{}", pair.from, pair.to)
    };
    pairing.pairs.iter().map(row).collect()
}

fn reasons(pairing: &Pairing, from: &str) -> Vec<String> {
    let pair = pairing
        .pairs
        .iter()
        .find(|pair| pair.from.to_string() == from)
        .unwrap();
    pair.reasons.clone()
}

fn new_names(pairing: &Pairing) -> Vec<String> {
    let name = |pair: &Pair| match &pair.target {
        TargetFolder::New { name, .. } => {
            Some(String::from_utf8(name.as_bytes().to_vec()).unwrap())
        }
        TargetFolder::Existing(_) => None,
    };
    pairing.pairs.iter().filter_map(name).collect()
}

#[test]
fn folders_are_paired_by_name() {
    assert_eq!(
        table(
            &["a/b", "a \\Noselect", "Inbox", "c"],
            &["INBOX", "C", "x"],
            &[]
        ),
        ["INBOX -> INBOX", "a/b -> +a/b", "c -> +c"]
    );
    assert_eq!(table(&["&AOk-"], &["e&AwE-"], &[]), ["\u{e9} -> \u{e9}"]);
}

#[test]
fn parents_come_before_children() {
    assert_eq!(
        table(&["b/c/d", "b/c", "b", "A", "INBOX"], &[], &[]),
        [
            "INBOX -> +INBOX",
            "A -> +A",
            "b -> +b",
            "b/c -> +b/c",
            "b/c/d -> +b/c/d"
        ]
    );
}

#[test]
fn folders_are_paired_by_role() {
    for (source, target, words, rows) in [
        (
            &["Sent", "Sent/2023"][..],
            &["Sent Items \\Sent"][..],
            &[][..],
            &["Sent -> Sent Items", "Sent/2023 -> +Sent Items/2023"][..],
        ),
        (
            &["Papierkorb"],
            &["Deleted Messages"],
            &[],
            &["Papierkorb -> Deleted Messages"],
        ),
        (&["Post \\sent"], &["Gesendet"], &[], &["Post -> Gesendet"]),
        (&["Sent"], &["INBOX"], &[], &["Sent -> +Sent"]),
        (
            &["Sent"],
            &["Sent Items"],
            &["--no-roles"],
            &["Sent -> +Sent"],
        ),
        (
            &["Sent"],
            &["Sent Items"],
            &["--into Old"],
            &["Sent -> +Old/Sent"],
        ),
        (
            &["Sent"],
            &["Sent Items"],
            &["--map Sent=Post"],
            &["Sent -> +Post"],
        ),
        (
            &["Sent"],
            &["Sent Items"],
            &["--map Sent=Sent"],
            &["Sent -> +Sent"],
        ),
        (
            &["Sent", "Sent/a"],
            &["Sent Items"],
            &["--map Sent/a=b"],
            &["Sent -> Sent Items", "Sent/a -> +b"],
        ),
        (
            &["Sent", "Sent Items", "Sent/a"],
            &["Sent Items \\Sent"],
            &[],
            &[
                "Sent -> +Sent",
                "Sent/a -> +Sent/a",
                "Sent Items -> Sent Items",
            ],
        ),
        (
            &["Sent", "Sent Items"],
            &["Sent Items \\Sent"],
            &["--folder Sent"],
            &["Sent -> +Sent"],
        ),
        (
            &["Trash", "Trash/Spam"],
            &["Bin \\Trash", "Trash/Spam \\Junk"],
            &[],
            &["Trash -> Bin", "Trash/Spam -> +Bin/Spam"],
        ),
        (
            &["Trash", "Trash/S \\Junk"],
            &["Bin \\Trash", "Trash/S \\Junk"],
            &[],
            &["Trash -> Bin", "Trash/S -> Trash/S"],
        ),
        (
            &["Sent", "Old"],
            &["Sent Items"],
            &["--map Old=Sent Items"],
            &["Old -> Sent Items", "Sent -> Sent Items"],
        ),
        (
            &["[Gmail] \\Noselect", "[Gmail]/Gesendet \\Sent"],
            &["Sent"],
            &[],
            &["[Gmail]/Gesendet -> Sent"],
        ),
    ] {
        let mut found = table(source, target, words);
        let mut rows = rows.to_vec();
        found.sort();
        rows.sort_unstable();
        assert_eq!(found, rows, "{source:?} {target:?} {words:?}");
    }
}

#[test]
fn gmails_own_folders_leave_gmail() {
    let mut source = listing(
        "",
        '/',
        &[
            "INBOX",
            "[Gmail] \\Noselect",
            "[Gmail]/Gesendet \\Sent",
            "[Gmail]/Papierkorb \\Trash",
            "[Gmail]/Alle \\All",
            "Gesendet",
            "Papierkorb",
            "Gmail/Papierkorb",
        ],
    );
    let rows_to = |source: &Listing, target: &Listing, words: &[&str]| {
        let pairing = paired(source, target, words).unwrap();
        let mut found = rows(&pairing);
        found.retain(|row| row.starts_with("[Gmail]"));
        found.sort();
        found
    };
    let other = listing("", '/', &["INBOX", "Sent"]);
    assert_eq!(
        rows_to(&source, &other, &[]),
        [
            "[Gmail]/Gesendet -> Sent",
            "[Gmail]/Papierkorb -> +[Gmail]/Papierkorb"
        ],
        "it isn't Gmail"
    );
    source.are_labels = true;
    let gmail = Listing {
        are_labels: true,
        merges_equal: true,
        ..listing("", '/', &["INBOX"])
    };
    for (target, words, expected) in [
        (
            &other,
            &[][..],
            &[
                "[Gmail]/Gesendet -> Sent",
                "[Gmail]/Papierkorb -> +Gmail 2/Papierkorb",
            ][..],
        ),
        (
            &other,
            &["--no-roles"],
            &[
                "[Gmail]/Gesendet -> +Gmail/Gesendet",
                "[Gmail]/Papierkorb -> +Gmail 2/Papierkorb",
            ],
        ),
        (
            &other,
            &["--map [Gmail]=[Gmail]"],
            &[
                "[Gmail]/Gesendet -> +[Gmail]/Gesendet",
                "[Gmail]/Papierkorb -> +[Gmail]/Papierkorb",
            ],
        ),
        (
            &gmail,
            &[],
            &[
                "[Gmail]/Gesendet -> +[Gmail]/Gesendet",
                "[Gmail]/Papierkorb -> +[Gmail]/Papierkorb",
            ],
        ),
    ] {
        assert_eq!(rows_to(&source, target, words), expected, "{words:?}");
    }
}

#[test]
fn reasons_say_why() {
    let source = listing("", '/', &["Sent", "Sent/x", "Junk", "Spam", "a.b/c", "Old"]);
    let target = listing("INBOX.", '.', &["INBOX.Sent Items", "INBOX.Spam"]);
    let pairing = paired(&source, &target, &["--map Old=Spam"]).unwrap();
    let style = "prefix 'INBOX.' added";
    assert_eq!(
        reasons(&pairing, "Sent"),
        ["paired by role: both are for sent", style]
    );
    assert_eq!(
        reasons(&pairing, "Sent/x"),
        [
            "follows Sent, which is paired by role",
            "separator '/' becomes '.', prefix 'INBOX.' added"
        ]
    );
    assert_eq!(
        reasons(&pairing, "Junk")[0],
        "not paired by role with Spam: two folders would become one"
    );
    assert_eq!(
        reasons(&pairing, "a.b/c")[1],
        "escaped to INBOX.a=2Eb.c: the target's names can't hold '.'"
    );
    assert_eq!(
        reasons(&pairing, "Old"),
        ["mapped by --map", style, "joined with Spam by --map"]
    );
}

#[test]
fn only_what_holds_mail_of_its_own_takes_part() {
    let names = [
        "INBOX",
        "All \\All",
        "d \\Noselect",
        "p \\Noselect",
        "p/k",
        "shared/x",
        "shared \\Noselect",
    ];
    let mut source = listing("", '/', &names);
    source.foreign_prefixes = vec![b"shared/".to_vec()];
    let target = listing("", '/', &["INBOX"]);
    let run = |words: &[&str]| {
        let pairing = paired(&source, &target, words).unwrap();
        let skipped: Vec<_> = pairing
            .skipped
            .iter()
            .map(|skipped| skipped.name.clone())
            .collect();
        assert!(pairing.skipped.iter().all(|skipped| !skipped.failed));
        (rows(&pairing).join(", "), skipped.join(", "))
    };
    let outcome = |rows: &str, skipped: &str| (rows.to_owned(), skipped.to_owned());
    assert_eq!(
        run(&[]),
        outcome("INBOX -> INBOX, p/k -> +p/k", "All, d, shared/x")
    );
    assert_eq!(run(&["--folder **"]), run(&[]));
    assert_eq!(
        run(&["--folder All"]),
        outcome("All -> +All", "INBOX, d, p/k, shared/x")
    );
    assert_eq!(
        run(&["--folder shared/*", "--map shared=s"]),
        outcome("shared/x -> +s/x", "INBOX, All, d, p/k")
    );
    assert_eq!(
        run(&["--exclude p/**"]),
        outcome("INBOX -> INBOX", "All, d, p/k, shared/x")
    );
}

#[test]
fn what_can_not_be_copied_is_a_failure() {
    let source = listing("", '/', &["a%b", "R&-D", "R&D", "All"]);
    let target = listing("", '/', &["All \\All"]);
    let pairing = paired(&source, &target, &[]).unwrap();
    let failed: Vec<_> = pairing
        .skipped
        .iter()
        .map(|skipped| (skipped.name.as_str(), skipped.failed))
        .collect();
    assert_eq!(failed, [("R&D", true), ("All", true)]);
    assert_eq!(rows(&pairing), ["R&D -> +R&D", "a%b -> +a%b"]);
}

#[test]
fn folders_that_would_become_one_are_an_error() {
    let source = listing("", '/', &["&AOk-", "e&AwE-", "a1", "a2"]);
    let target = listing("", '/', &[]);
    let error = paired(&source, &target, &[]).unwrap_err().to_string();
    assert!(
        error.contains("(&AOk-)") && error.contains("(e&AwE-)") && error.contains("--map '"),
        "{error}"
    );
    let words = ["--exclude \u{e9}", "--map-regex s/[12]//"];
    let error = paired(&source, &target, &words).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "the source's folders a1 (a1) and a2 (a2) would both become a on the target"
        ),
        "{error}"
    );
    let pairing = paired(
        &source,
        &target,
        &["--exclude \u{e9}", "--map a1=a", "--map a2=a"],
    )
    .unwrap();
    assert_eq!(rows(&pairing), ["a1 -> +a", "a2 -> +a"]);
    assert_eq!(
        reasons(&pairing, "a1"),
        ["mapped by --map", "joined with a2 by --map"]
    );
}

#[test]
fn a_rule_that_leaves_no_name_is_an_error() {
    let one = listing("", '/', &["a"]);
    let error = paired(&one, &one, &["--map-regex s/a//"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--map-regex 's/a//' turns a into an invalid folder name: a level would be empty"
    );
}

#[test]
fn names_that_differ_by_case_only_are_warned_of() {
    let pairing = paired(
        &listing("", '/', &["Case", "case"]),
        &listing("", '/', &[]),
        &[],
    )
    .unwrap();
    assert_eq!(rows(&pairing), ["Case -> +Case", "case -> +case"]);
    assert_eq!(
        reasons(&pairing, "case"),
        ["differs from Case only in case: some servers treat both as one"]
    );
}

#[test]
fn subscriptions_are_carried_over() {
    let source = listing(
        "",
        '/',
        &["a \\Subscribed", "b \\Subscribed", "c", "d \\Subscribed"],
    );
    let target = listing("", '/', &["a", "b \\Subscribed", "c"]);
    let pairing = paired(&source, &target, &[]).unwrap();
    let subscribe: Vec<_> = pairing.pairs.iter().map(|pair| pair.subscribe).collect();
    assert_eq!(subscribe, [true, false, false, true]);
}

#[test]
fn the_targets_other_folders_are_told() {
    let source = listing("", '/', &["INBOX", "a", "skipped"]);
    let mut target = listing(
        "",
        '/',
        &[
            "INBOX",
            "a",
            "skipped",
            "extra",
            "p \\Noselect",
            "All \\All",
            "o/x",
            "Old/y",
        ],
    );
    target.foreign_prefixes = vec![b"o/".to_vec()];
    let extra = |words: &[&str]| {
        let pairing = paired(&source, &target, words).unwrap();
        pairing
            .unmatched_target
            .iter()
            .map(|one| one.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(extra(&["--exclude skipped"]), ["extra", "Old/y"]);
    assert_eq!(extra(&["--folder a"]), Vec::<String>::new());
    assert_eq!(extra(&["--into Old"]), ["Old/y"]);
}

#[test]
fn a_rule_that_concerns_nothing_is_warned_of() {
    let one = listing("", '/', &["a"]);
    let pairing = paired(&one, &one, &["--exclude A", "--map b=c", "--map a=a"]).unwrap();
    assert_eq!(
        pairing.warnings,
        [
            "--exclude 'A' matches no folder on the source",
            "--map 'b=c' matches no folder on the source"
        ]
    );
}

#[test]
fn the_role_of_a_pair_is_the_sources() {
    let pairing = paired(
        &listing("", '/', &["Entw&APw-rfe", "a"]),
        &listing("", '/', &[]),
        &[],
    )
    .unwrap();
    let roles: Vec<_> = pairing.pairs.iter().map(|pair| pair.role).collect();
    assert_eq!(roles, [Some(SpecialUse::Drafts), None]);
}

#[test]
fn a_new_folder_gets_a_role_that_is_free_and_that_no_rule_has_moved() {
    for (target, words, expected) in [
        (&[][..], &[][..], Some(SpecialUse::Sent)),
        (&["Post"], &[], Some(SpecialUse::Sent)),
        // Both would go to Post, so neither is matched by role.
        (&["Post \\Sent"], &[], None),
        (&["Sent"], &[], None),
        (&["Raus"], &[], None),
        (&[], &["--map Raus=Away"], None),
        (&[], &["--map-regex s/Raus/Away/"], None),
        (&[], &["--into Old"], None),
        (&[], &["--no-roles"], None),
    ] {
        let source = listing("", '/', &["Raus \\Sent", "Post"]);
        let pairing = paired(
            &source,
            &listing("", '/', target),
            &[&["--folder Raus"], words].concat(),
        )
        .unwrap();
        assert_eq!(pairing.pairs[0].new_role, expected, "{target:?} {words:?}");
    }
    let view = paired(
        &listing("", '/', &["All \\All"]),
        &listing("", '/', &[]),
        &["--folder All"],
    )
    .unwrap();
    assert_eq!(
        (view.pairs[0].role, view.pairs[0].new_role),
        (Some(SpecialUse::All), None)
    );
}

const TREE: &[&str] = &[
    "INBOX",
    "INBOX/kid",
    "kid",
    "Work",
    "Work/2023/Q1",
    "example.com",
    "example.com/a.b.c/d",
    "With Space/and \"quotes\"",
    "Gr&APYA3w-en/&U,BTFw-/&2D3eAA-",
    "R&-D",
    "e&AwE-te&AwE-",
    "100%",
    "x=y/=41",
    "~me",
    "Case",
    "case",
];

/// Returns a store's listing after the new folders were created.
fn after(pairing: &Pairing, style: NameStyle) -> Listing {
    let names = new_names(pairing);
    let mut created = listing(
        "",
        '/',
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    created
        .mailboxes
        .iter_mut()
        .for_each(|mailbox| mailbox.separator = style.separator);
    created.style = style;
    created
}

fn style(prefix: &str, separator: char) -> NameStyle {
    NameStyle {
        prefix: prefix.into(),
        separator: Some(separator),
        utf8: false,
    }
}

#[test]
fn a_tree_comes_back_unchanged_from_another_kind_of_server() {
    let first = listing("", '/', TREE);
    for between in [
        style("INBOX.", '.'),
        style("", '.'),
        style("", '|'),
        style("INBOX/", '/'),
    ] {
        let empty = Listing {
            mailboxes: Vec::new(),
            style: between.clone(),
            foreign_prefixes: Vec::new(),
            gaps: Gaps::default(),
            are_labels: false,
            merges_equal: false,
        };
        let second = after(&paired(&first, &empty, &[]).unwrap(), between);
        let third = paired(&second, &listing("", '/', &[]), &[]).unwrap();
        let mut names: Vec<_> = third.pairs.iter().map(|pair| pair.to.to_string()).collect();
        let mut expected: Vec<_> = Roster::read(&first)
            .folders
            .iter()
            .map(|one| one.name.to_string())
            .collect();
        names.sort();
        expected.sort();
        assert_eq!(names, expected);
        // Apart from that, `INBOX` and anything that a server needs escaped are spelled as before.
        let mut raw = new_names(&third);
        raw.sort();
        let mut before: Vec<_> = TREE
            .iter()
            .map(|name| name.replace("~me", "=7Eme"))
            .collect();
        before.sort();
        assert_eq!(raw, before);
        // A second run finds everything.
        let again = paired(&first, &second, &[]).unwrap();
        assert_eq!(new_names(&again), Vec::<String>::new());
        assert!(again.unmatched_target.is_empty());
    }
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn any_listing_is_paired_or_refused_and_found_again(
        raw in prop::collection::vec(prop::collection::vec("[a-cIi&=/.~%25FNBOX-]{0,6}", 1..3), 0..8),
        which in 0..3usize,
    ) {
        let names: Vec<String> = raw.iter().map(|levels| levels.join("/")).collect();
        let source = listing("", '/', &names.iter().map(String::as_str).collect::<Vec<_>>());
        let between = [style("INBOX.", '.'), style("", '/'), style("", '.')][which].clone();
        let empty = Listing { mailboxes: Vec::new(), style: between.clone(), foreign_prefixes: Vec::new(), gaps: Gaps::default(), are_labels: false, merges_equal: false };
        if let Ok(pairing) = paired(&source, &empty, &["--no-roles"]) {
            let spelled = |raw: &MailboxName| if raw.is_inbox() { "INBOX".into() } else { raw.clone() };
            let distinct: HashSet<_> = source.mailboxes.iter().map(|mailbox| spelled(&mailbox.name)).collect();
            prop_assert_eq!(pairing.pairs.len() + pairing.skipped.len(), distinct.len());
            let again = paired(&source, &after(&pairing, between), &["--no-roles"]).unwrap();
            prop_assert_eq!(new_names(&again), Vec::<String>::new());
        }
    }
}
