//! The rows of the case table about folders. Each runs both ways round.
//!
//! A folder is `Name` or `Name=ID` with its MAILBOXID, then its UIDVALIDITY, UIDNEXT and UIDs as
//! `.V.NEXT.UIDS`, all optional; `+` before it means subscribed, `^` that it has a role, `/` that
//! it can't hold mail.

use super::super::*;
use super::scene::{mirrored, sorted};
use crate::folders::FolderName;
use crate::mail::{Counters, UidNext, UidSet, UidValidity};

/// Parses a folder whose UIDVALIDITY depends on its name unless given.
fn folder(word: &str) -> SeenFolder {
    let plain = word.trim_start_matches(['+', '^', '/']);
    let signs = &word[..word.len() - plain.len()];
    let mut parts = plain.split('.');
    let name = parts.next().unwrap();
    let (name, id) = name
        .split_once('=')
        .map_or((name, None), |(name, id)| (name, Some(id.into())));
    let validity = parts.next().map_or_else(
        || name.bytes().map(u32::from).sum(),
        |text| text.parse().unwrap(),
    );
    let mark = Counters {
        uid_validity: Some(UidValidity(validity)),
        uid_next: parts
            .next()
            .map(|text| UidNext::new(text.parse().unwrap()).unwrap()),
        ..Counters::default()
    };
    let uids = parts.next().map(|text| UidSet::parse(text).unwrap());
    let kind = match () {
        () if signs.contains('/') => FolderKind::NoMail,
        () if signs.contains('^') => FolderKind::Role,
        () => FolderKind::Mail,
    };
    let name = FolderName::parse(name).unwrap();
    SeenFolder {
        name,
        kind,
        identity: FolderIdentity {
            mailbox_id: id,
            mark,
            uids,
        },
        subscribed: signs.contains('+'),
    }
}

fn folders(text: &str) -> Vec<SeenFolder> {
    text.split_whitespace().map(folder).collect()
}

fn known(text: &str) -> Vec<KnownFolder> {
    let known = |SeenFolder {
                     name,
                     identity,
                     subscribed,
                     ..
                 }: SeenFolder| KnownFolder {
        name,
        identities: Both::new(identity.clone(), identity),
        subscribed,
    };
    folders(text).into_iter().map(known).collect()
}

fn policy(options: &str) -> Policy {
    let mut policy = Policy::default();
    for word in options.split_whitespace() {
        match word {
            "prefer-first" => policy.prefer = Prefer::First,
            "prefer-second" => policy.prefer = Prefer::Second,
            "no-folder-deletions" => policy.folder_deletions = false,
            "unlisted-first" => policy.unlisted.first = true,
            "unlisted-second" => policy.unlisted.second = true,
            "no-new-first" => policy.new_mail.first = false,
            "no-new-second" => policy.new_mail.second = false,
            limit => policy.limits = Both::new(limit.parse().unwrap(), limit.parse().unwrap()),
        }
    }
    policy
}

/// Returns what is done, sorted except for the order of renames. A pair that is on both sides and
/// has its base is omitted.
fn outcome(texts: [&str; 3], options: &str) -> String {
    let known = known(texts[0]);
    let seen = Both::new(folders(texts[1]), folders(texts[2]));
    let merge = merge_folders(&known, seen.as_ref().map(Vec::as_slice), &policy(options));
    let mut lines = Vec::new();
    for (side, at) in [(Side::First, "first"), (Side::Second, "second")] {
        for (place, Rename { from, to, row }) in merge.renames[side].iter().enumerate() {
            lines.push(format!("rename@{at} {place} {from}>{to} {row:?}"));
        }
        lines.extend(
            merge.new[side]
                .iter()
                .map(|new| format!("new@{at} {} {:?}", new.name, new.row)),
        );
        for SubscriptionChange { name, subscribed } in &merge.subscriptions[side] {
            lines.push(format!(
                "{}@{at} {name}",
                if *subscribed {
                    "subscribe"
                } else {
                    "unsubscribe"
                }
            ));
        }
        let left = merge.left.iter().filter(|left| left.side == side);
        lines.extend(left.map(|left| format!("left@{at} {} {:?}", left.name, left.row)));
    }
    for pair in &merge.pairs {
        let FolderPair {
            names,
            base,
            seen,
            comes_back,
        } = pair;
        let name = names.first.key();
        match (base, seen.first, seen.second, pair.deleted_on()) {
            (Some(_), None, None, _) => lines.push(format!("over {name}")),
            (_, _, _, Some(Side::First)) => lines.push(format!("deleted@first {name}")),
            (_, _, _, Some(Side::Second)) => lines.push(format!("deleted@second {name}")),
            _ if comes_back.is_some() => lines.push(format!("back {name}")),
            (None, Some(_), Some(_), None) => lines.push(format!("join {name}")),
            _ => {}
        }
    }
    lines.sort();
    lines.join("; ")
}

type Case = (
    u8,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

fn check(cases: &[Case]) {
    for (row, name, base, first, second, options, expected) in cases {
        assert_eq!(
            outcome([base, first, second], options),
            sorted(expected),
            "row {row}: {name}"
        );
        let [options, expected] = [options, expected].map(|text| mirrored(text));
        assert_eq!(
            outcome([base, second, first], &options),
            sorted(&expected),
            "row {row}, the other way: {name}"
        );
    }
}

#[test]
fn renamed() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        // row, what happened, base, first, second, options, what is done
        (11, "by MAILBOXID", "A=1 B=2", "C=1 B=2", "A=1 B=2", "", "rename@second 0 A>C Renamed"),
        (11, "by MAILBOXID, with a new UIDVALIDITY", "A=1", "C=1.99", "A=1", "", "rename@second 0 A>C Renamed"),
        (11, "by counters and UIDs", "A.5.9.1:8", "C.5.9.1:8", "A.5.9.1:8", "", "rename@second 0 A>C Renamed"),
        (11, "UIDVALIDITY alone is no identity", "A.5.9.1:8", "C.5.9.1:7", "A.5.9.1:8", "",
            "deleted@first A; new@second C NewFolder"),
        (11, "two that can't be told apart", "A.5.1 B.5.1", "C.5.1 D.5.1", "A.5.1 B.5.1", "",
            "deleted@first A; deleted@first B; new@second C NewFolder; new@second D NewFolder"),
        (11, "with what is below it", "A=1 A/x=2", "C=1 C/x=2", "A=1 A/x=2", "", "rename@second 0 A>C Renamed"),
        (11, "and a new one below it there", "A=1", "C=1", "A=1 A/x=2", "", "new@first C/x NewFolder; rename@second 0 A>C Renamed"),
        (11, "what is below it has another name too", "A=1 A/x=2", "C=1 C/y=2", "A=1 A/x=2", "",
            "rename@second 0 A>C Renamed; rename@second 1 C/x>C/y Renamed"),
        (11, "one takes the name of another", "A=1 B=2", "B=1 C=2", "A=1 B=2", "",
            "rename@second 0 B>C Renamed; rename@second 1 A>B Renamed"),
        (11, "two exchange their names", "A=1 B=2", "A=2 B=1", "A=1 B=2", "",
            "rename@second 0 B>B~ Renamed; rename@second 1 A>B Renamed; rename@second 2 B~>A Renamed"),
        (11, "what is below it has new mail", "A=1 A/x.5.1.1", "C=1 C/x.5.2.1:2", "A=1 A/x.5.1.1", "", "rename@second 0 A>C Renamed"),
        (11, "below its old name", "A=1", "A=2 A/x=1", "A=1", "",
            "new@second A NewFolder; rename@second 0 A>A~ Renamed; rename@second 1 A~>A/x Renamed"),
        (11, "on both", "A=1", "C=1", "C=1", "", ""),
        (11, "the name is in use there", "A=1", "C=1", "A=1 C=9", "", "deleted@first A; join C"),
        (11, "the option forbids it", "A=1", "C=1", "A=1", "no-new-second", ""),
        (11, "INBOX stays INBOX", "INBOX=1", "C=1 INBOX=3", "INBOX=1", "", "new@second C NewFolder"),
        (11, "subscribed, and renamed on both", "+A=1", "+C=1", "C=1", "", "subscribe@second C"),
        (11, "subscribed, and renamed without it", "+A=1", "C=1", "+A=1", "",
            "rename@second 0 A>C Renamed; subscribe@first C; subscribe@second C; unsubscribe@second A"),
        (11, "subscribed", "+A=1", "+C=1", "+A=1", "", "rename@second 0 A>C Renamed; subscribe@second C; unsubscribe@second A"),
        (12, "differently", "A=1", "C=1", "D=1", "prefer-first", "rename@second 0 D>C RenamedApart"),
        (12, "differently", "A=1", "C=1", "D=1", "prefer-second", "rename@first 0 C>D RenamedApart"),
        (12, "differently, subscribed", "+A=1", "+C=1", "+D=1", "prefer-first",
            "rename@second 0 D>C RenamedApart; subscribe@second C; unsubscribe@second D"),
    ];
    check(cases);
    assert_eq!(
        outcome(["A=1", "C=1", "D=1"], ""),
        "rename@second 0 D>C RenamedApart"
    );
}

#[test]
fn made_and_deleted() {
    #[rustfmt::skip]
    let cases: &[Case] = &[
        (0, "new", "", "A", "", "", "new@second A NewFolder"),
        (0, "new, subscribed", "", "+A", "", "", "new@second A NewFolder; subscribe@second A"),
        (0, "new, parents first", "", "A/x A", "", "", "new@second A NewFolder; new@second A/x NewFolder"),
        (0, "new, and closed", "", "A", "", "no-new-second", "left@first A OneWay"),
        (20, "new on both", "", "A.1", "A.2", "", "join A"),
        (20, "new on both, subscribed here", "", "+A", "A", "", "join A; subscribe@second A"),
        (20, "composed differently", "", "\u{e9}", "e\u{301}", "", "join \u{e9}"),
        (13, "deleted", "A B", "B", "A B", "", "deleted@first A"),
        (13, "deleted on both", "A B", "B", "B", "", "over A"),
        (13, "deleted, and folders stay", "A B", "B", "A B", "no-folder-deletions", "left@second A OneWay"),
        (0, "not shown, and may be there", "A B", "B", "A B", "unlisted-first", "left@second A Unlisted"),
        (0, "not shown, and the other side may have more", "A B", "B", "A B", "unlisted-second", "deleted@first A"),
        (0, "not shown, deleted there", "A B", "B", "B", "unlisted-first", ""),
        (0, "not shown, renamed there", "A=1 B", "B", "C=1 B", "unlisted-first", "left@second C Unlisted"),
        (0, "not shown, made anew there", "A.1 B", "B", "A.2 B", "unlisted-first", "left@second A Unlisted"),
        (0, "not shown, and shown under another name", "A=1 B", "C=1 B", "A=1 B", "unlisted-first",
            "rename@second 0 A>C Renamed"),
        (13, "INBOX", "INBOX", "", "INBOX", "", "new@first INBOX KeptFolder; back INBOX"),
        (13, "a role", "A B", "B", "^A B", "", "new@first A KeptFolder; back A"),
        (14, "deleted here, renamed there", "A=1 B", "B", "C=1 B", "",
            "new@first C FolderDeletedAndChanged; back C"),
        (14, "deleted here, made anew there", "A.1 B", "B", "A.2 B", "", "new@first A NewFolder; over A"),
        (15, "made anew", "A.1", "A.2", "A.1", "", ""),
        (15, "made anew here, renamed there", "A=1", "A=2", "C=1", "",
            "new@first C NewFolder; new@second A NewFolder; over A"),
        (17, "all folders are gone", "INBOX A B C", "INBOX", "INBOX A B C", "",
            "left@second A Emptied; left@second B Emptied; left@second C Emptied"),
        (17, "all folders are gone, as is meant", "A B C", "", "A B C", "100%", "deleted@first A; deleted@first B; deleted@first C"),
        (17, "two folders are gone", "A B", "", "A B", "", "deleted@first A; deleted@first B"),
        (19, "missing on a server that was restored", "A.1.9 B", "A.1.8", "A.1.9 B", "", "new@first B Restored; back B"),
        (37, "no place for mail", "", "/A B", "", "", "left@first A NotAFolder; new@second B NewFolder"),
        (37, "deleted, and there for what is below it", "A A/x", "/A A/x", "A A/x", "", "left@first A NotAFolder; deleted@first A"),
        (0, "subscribed", "A", "+A", "A", "", "subscribe@second A"),
        (0, "unsubscribed", "+A", "A", "+A", "", "unsubscribe@second A"),
        (0, "unsubscribed on both", "+A", "A", "A", "", ""),
    ];
    check(cases);
}
