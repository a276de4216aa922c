use super::*;
use crate::folders;
use crate::mail::{Counters, Flags, MailboxName, Uid, UidNext, UidSet, UidValidity};
use crate::plan::planned::{Flagged, PlannedDeletion, PlannedFlags, PlannedFolder, Take};
use crate::store::FlagEdit;
use crate::verbs::{Deleting, FlagPolicy, MessageFilter};

fn head() -> PlanHead {
    let mailbox = |address: &str, account: Option<&str>| PlanMailbox {
        address: address.to_owned(),
        account: account.map(str::to_owned),
        identity: address.to_owned(),
    };
    PlanHead {
        made: "2026-11-25T05:00:00Z".to_owned(),
        by: "0.1.0".to_owned(),
        source: mailbox("imaps://ann@old.example.org", Some("old")),
        target: mailbox("maildir:/backup/ann", None),
        folders: folders::Options {
            include: vec!["Work/**".to_owned()],
            into: Some("x".to_owned()),
            gmail_labels: folders::GmailLabels::Keywords,
            gmail_archive: Some("Old mail".to_owned()),
            ..Default::default()
        },
        filter: MessageFilter {
            since: "2024-02-29".parse().ok(),
            max_size: Some(9),
            ..MessageFilter::default()
        },
        flags: FlagPolicy::Union,
        deleting: Deleting::Mirror("50%".parse().unwrap()),
        keep_deleted: true,
        state: Some("/var/lib/mailferry".to_owned()),
        no_state: false,
    }
}

fn uids(text: &str) -> UidSet {
    UidSet::parse(text).unwrap()
}

fn planned() -> Planned {
    let flagged = |flags: &[&str], set: &str| Flagged {
        flags: Flags::from_names(flags.iter().copied()),
        uids: uids(set),
    };
    let counters = |uid_validity: u32| {
        Some(Counters {
            uid_validity: Some(UidValidity(uid_validity)),
            uid_next: UidNext::new(9),
            mod_seq: None,
            messages: Some(8),
        })
    };
    let odd = MailboxName::new(b"W\xffrk%\n".to_vec());
    let every_second: UidSet = (1..5_000).step_by(2).filter_map(Uid::new).collect();
    Planned {
        folders: vec![
            PlannedFolder {
                from: "W".to_owned(),
                to: "x/W".to_owned(),
                source: odd.clone(),
                source_counters: counters(7),
                target: MailboxName::from("x.W"),
                target_counters: counters(8),
                create: false,
                renamed_from: Some(MailboxName::from("x.V")),
                subscribe: true,
                messages: vec![
                    flagged(&[], "1:3,4294967295"),
                    Flagged {
                        flags: Flags::from_names(["\\Seen", "$Work"]),
                        uids: every_second,
                    },
                ],
                takes: vec![Take {
                    uid: Uid::new(3).unwrap(),
                    from: odd.clone(),
                    uid_validity: Some(UidValidity(5)),
                    held: Uid::new(4).unwrap(),
                    leave: true,
                }],
                flag_changes: vec![PlannedFlags {
                    edit: FlagEdit::Remove,
                    flags: Flags::from_names(["\\Flagged"]),
                    uids: uids("5"),
                }],
            },
            PlannedFolder {
                source: MailboxName::from("new"),
                source_counters: None,
                target_counters: None,
                create: true,
                renamed_from: None,
                subscribe: false,
                messages: Vec::new(),
                takes: Vec::new(),
                flag_changes: Vec::new(),
                from: "new".to_owned(),
                to: "new".to_owned(),
                target: MailboxName::from("new"),
            },
        ],
        deletions: vec![PlannedDeletion {
            folder: "Old".to_owned(),
            mailbox: odd,
            uid_validity: None,
            whole: true,
            messages: vec![flagged(&["\\Deleted"], "6")],
        }],
        empties_source: false,
    }
}

fn written() -> Vec<u8> {
    let mut text = Vec::new();
    write_plan(&head(), &planned(), &mut text).unwrap();
    text
}

#[test]
fn what_is_written_is_read_and_no_line_is_long() {
    let text = written();
    assert_eq!(read_plan(&mut &text[..]).unwrap(), (head(), planned()));
    assert!(
        text.split(|byte| *byte == b'\n')
            .all(|line| line.len() < 10_000)
    );
    assert!(
        text.iter()
            .all(|byte| *byte == b'\n' || byte.is_ascii_graphic() || *byte == b' ')
    );
}

#[test]
fn whatever_is_cut_off_changed_or_added_is_refused() {
    let text = written();
    for cut in (0..text.len()).step_by(997).chain([text.len() - 1]) {
        assert!(read_plan(&mut &text[..cut]).is_err(), "cut at {cut}");
    }
    for at in (0..text.len()).step_by(787) {
        let mut changed = text.clone();
        changed[at] ^= 1;
        assert!(read_plan(&mut &changed[..]).is_err(), "changed at {at}");
    }
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    for left_out in 1..lines.len() {
        let without: Vec<u8> = [&lines[..left_out], &lines[left_out + 1..]]
            .concat()
            .concat();
        assert!(
            read_plan(&mut &without[..]).is_err(),
            "without line {left_out}"
        );
    }
    let added = [&text[..], b"{}\n"].concat();
    assert!(read_plan(&mut &added[..]).is_err());
}

#[test]
fn another_format_and_another_files_are_told_apart() {
    let said = |text: &str| read_plan(&mut text.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        said("{\"mailferry_plan\":2,\"what\":1}\n"),
        "it was saved by a newer mailferry (format 2; this one reads format 1)"
    );
    for foreign in ["", "[1]\n", "hello\n", "{\"event\":\"summary\"}\n"] {
        assert!(
            said(foreign).starts_with("it is not a mailferry plan")
                || said(foreign).contains("cut off"),
            "{}",
            said(foreign)
        );
    }
    assert!(said("{\"mailferry_plan\":1}\n").starts_with("it is damaged"));
}

#[test]
fn no_line_takes_all_the_memory() {
    let endless = b"{\"mailferry_plan\":1,"
        .iter()
        .copied()
        .chain(std::iter::repeat_n(b' ', 3 << 20))
        .collect::<Vec<_>>();
    assert!(matches!(
        read_plan(&mut &endless[..]),
        Err(PlanError::Damaged(_))
    ));
}
