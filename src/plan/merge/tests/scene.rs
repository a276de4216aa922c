//! Scenes in a few letters: a base, what each side shows, and the outcome, as text.
//!
//! A letter is a message, in lower case with a Message-ID, in capitals without any header. A digit
//! after it makes it another message under the same header, `'` a second copy of it. Folders are
//! separated by `|`.
//!
//! - base: `a` a pair, `a:SF` with the flags both agreed on, `a-first:F` a flag that the first is
//!   known to lack, `a!first` deleted on the first before, `a?first` the first's message that was
//!   refused, `-` no base, `!stale`, `!unfinished`
//! - side: `a` exists, `a:SF` with flags, `~a` hidden, `%a` its body can't be read, `*a` rewritten
//!   by the server, `=a` its UID with another message; `!absent` and so on for the folder, `!more`
//!   if UIDs above those shown were assigned
//! - flags: S(een) A(nswered) F(lagged) D(eleted), j `$Junk`, n `$NotJunk`, k a keyword
//! - policy: `keep`, `prefer-first`, `no-deletions-second` and so on
//!
//! Messages `m` and later have arrived after the last run.

use super::super::*;
use crate::mail::{
    Counters, FlagTable, Flags, HeaderKey, InternalDate, Message, ModSeq, PermanentFlags, Side,
    Uid, UidNext, UidSet, UidValidity,
};
use crate::plan::{Likeness, Settled, settle};
use std::fmt::Write as _;

/// The flags' letters.
const FLAGS: [(char, &str); 7] = [
    ('S', "\\Seen"),
    ('A', "\\Answered"),
    ('F', "\\Flagged"),
    ('D', "\\Deleted"),
    ('j', "$Junk"),
    ('n', "$NotJunk"),
    ('k', "work"),
];

/// The first letter that the last run did not know.
const NEW: &str = "m";

fn flags(letters: &str) -> Flags {
    Flags::from_names(
        FLAGS
            .iter()
            .filter(|(letter, _)| letters.contains(*letter))
            .map(|(_, name)| *name),
    )
}

fn letters(of: &Flags) -> String {
    let is_set = |letter: char| flags(&letter.to_string()).minus(of).is_empty();
    FLAGS
        .iter()
        .map(|(letter, _)| *letter)
        .filter(|letter| is_set(*letter))
        .collect()
}

/// Returns a message's UID: 1 to 26 for letters, more with a digit and for a second copy; above
/// 1000 on the second side.
fn number(name: &str, side: Side) -> u32 {
    let mut number = if side == Side::First { 0 } else { 1000 };
    for sign in name.chars() {
        number += match sign {
            '\'' => 500,
            '0'..='9' => (sign as u32 - '0' as u32) * 30,
            letter => letter.to_ascii_lowercase() as u32 - 'a' as u32 + 1,
        };
    }
    number
}

fn uid(name: &str, side: Side) -> Uid {
    Uid::new(number(name, side)).unwrap()
}

/// Makes the message with this name, on either side.
fn message(name: &str, side: Side, flags: u32) -> Message {
    let letter = name.chars().next().unwrap();
    let body = name.chars().find_map(|sign| sign.to_digit(10)).unwrap_or(0);
    let key = if letter.is_ascii_uppercase() {
        HeaderKey::Empty
    } else {
        HeaderKey::WithId([letter as u8; 16])
    };
    // Different letters have different dates, except headerless ones, which dates and sizes should
    // leave undecided.
    let minute = if letter.is_ascii_uppercase() {
        0
    } else {
        i64::from(u32::from(letter))
    };
    let date = InternalDate::new(1_700_000_000 + i64::from(body) * 86_400 + minute * 60, 0);
    Message::new(uid(name, side), 100 + u64::from(body), date, flags, key)
}

fn mark(side: Side, uid_next: u32) -> Counters {
    let uid_validity = Some(UidValidity(if side == Side::First { 7 } else { 8 }));
    Counters {
        uid_validity,
        uid_next: UidNext::new(uid_next),
        mod_seq: Some(ModSeq(100)),
        messages: None,
    }
}

/// Parses the base of one folder.
pub(super) fn base(text: &str) -> Option<BaseFolder> {
    if text.trim() == "-" {
        return None;
    }
    let mut base = BaseFolder::new(Both::of(|side| mark(side, number(NEW, side))));
    for word in text.split_whitespace() {
        if word == "!stale" {
            base = base.stale();
            continue;
        }
        if word == "!unfinished" {
            base = base.unfinished();
            continue;
        }
        let name = word.split(['-', '!', '?', ':']).next().unwrap();
        let side = if word.contains("first") {
            Side::First
        } else {
            Side::Second
        };
        if word.contains('?') {
            base.refuse(side, uid(name, side));
            continue;
        }
        let agreed = flags(word.split_once(':').map_or("", |(_, letters)| letters));
        let lacking = |lacks: Side| word.contains('-') && lacks == side;
        let lacks = Both::of(|side| {
            if lacking(side) {
                agreed.clone()
            } else {
                Flags::default()
            }
        });
        let state = if word.contains('!') {
            PairState::DeletedOn(side)
        } else {
            PairState::Settled
        };
        let prints = Prints::of(
            Both::of(|side| Some(message(name, side, 0)))
                .as_ref()
                .map(Option::as_ref),
        );
        let uids = Both::of(|side| uid(name, side));
        base.add(
            uids,
            &AgreedFlags {
                flags: agreed,
                lacks,
            },
            prints,
            state,
        );
    }
    Some(base)
}

/// One side's folder, and the names of what it shows.
pub(super) struct Shown {
    pub(super) view: View,
    names: Vec<(Uid, String)>,
    unreadable: Vec<Uid>,
}

impl Shown {
    fn uid(&self, index: u32) -> Uid {
        self.view.messages()[index as usize].uid()
    }

    fn name(&self, index: u32) -> String {
        let uid = self.uid(index);
        self.names
            .iter()
            .find(|(known, _)| *known == uid)
            .unwrap()
            .1
            .clone()
    }
}

pub(super) fn shown(text: &str, side: Side) -> Shown {
    let (mut messages, mut names, mut hidden, mut table) = (
        Vec::new(),
        Vec::new(),
        UidSet::default(),
        FlagTable::default(),
    );
    let mut unreadable = Vec::new();
    for word in text
        .split_whitespace()
        .filter(|word| !word.starts_with('!'))
    {
        let (name, letters) = word.split_once(':').unwrap_or((word, ""));
        let plain = name.trim_start_matches(['~', '%', '*', '=']);
        if name.starts_with('~') {
            hidden.insert(uid(plain, side));
            continue;
        }
        if name.starts_with('%') {
            unreadable.push(uid(plain, side));
        }
        let mut found = message(plain, side, table.intern(flags(letters)));
        if name.starts_with('*') {
            found = Message::new(found.uid(), 999, found.date(), found.flags(), found.key());
        }
        if name.starts_with('=') {
            found = Message::new(
                found.uid(),
                777,
                found.date(),
                found.flags(),
                HeaderKey::WithId([1; 16]),
            );
        }
        messages.push(found);
        names.push((found.uid(), plain.to_owned()));
    }
    let says = |word: &str| text.split_whitespace().any(|found| found == word);
    let last = messages
        .iter()
        .map(|message: &Message| message.uid().get())
        .max()
        .unwrap_or(0);
    let all_is_shown = says("!capped") && !says("!more");
    let mut now = mark(
        side,
        if all_is_shown {
            number(NEW, side).max(last + 1)
        } else {
            number("z", side) + 900
        },
    );
    if says("!uids") {
        now.uid_validity = Some(UidValidity(99));
    }
    if says("!uidnext") {
        now.uid_next = UidNext::new(number(NEW, side) - 1);
    }
    if says("!back") {
        now.uid_next = UidNext::new(number(NEW, side));
    }
    if says("!modseq") {
        now.mod_seq = Some(ModSeq(99));
    }
    let exists = messages.len() as u32 + hidden.len() as u32 + u32::from(says("!incomplete"));
    let mut view = View::new(messages, table, hidden, now, exists);
    if says("!absent") {
        view = View::absent();
    }
    if says("!capped") {
        view = view.capped();
    }
    if says("!readonly") {
        view = view.read_only();
    }
    if says("!system") {
        let system = PermanentFlags::exactly(flags("SAFD"), false);
        view = view.keeping(system);
    }
    Shown {
        view,
        names,
        unreadable,
    }
}

fn policy(text: &str) -> Policy {
    let mut policy = Policy::default();
    for word in text.split_whitespace() {
        let side = if word.ends_with("first") {
            Side::First
        } else {
            Side::Second
        };
        match word {
            "keep" => policy.prefer = Prefer::Keep,
            "prefer-first" => policy.prefer = Prefer::First,
            "prefer-second" => policy.prefer = Prefer::Second,
            "retry" => policy.retry_refused = true,
            "no-undo" => policy.keep_deleted = false,
            "no-new-first" | "no-new-second" => policy.new_mail[side] = false,
            "no-flags-first" | "no-flags-second" => policy.flags[side] = false,
            "no-deletions-first" | "no-deletions-second" => policy.deletions[side] = false,
            limit => policy.limits = Both::new(limit.parse().unwrap(), limit.parse().unwrap()),
        }
    }
    policy
}

fn side_name(side: Side) -> &'static str {
    if side == Side::First {
        "first"
    } else {
        "second"
    }
}

/// Merges a scene and returns what is done, sorted: `copy a>second NewMail`, `delete a@first
/// Deleted` and so on.
pub(super) fn outcome(texts: [&str; 3], options: &str) -> String {
    let bases: Vec<_> = texts[0].split('|').map(base).collect();
    let shows: Vec<_> = texts[1]
        .split('|')
        .zip(texts[2].split('|'))
        .map(|(first, second)| Both::new(shown(first, Side::First), shown(second, Side::Second)))
        .collect();
    let policy = policy(options);
    let folders: Vec<_> = bases
        .iter()
        .zip(&shows)
        .map(|(base, shown)| Folder {
            base: base.as_ref(),
            views: shown.as_ref().map(|shown| &shown.view),
            rules: MatchRules::default(),
            comes_back: None,
        })
        .collect();
    assert_eq!(
        (bases.len(), shows.len()),
        (folders.len(), folders.len()),
        "{texts:?}"
    );
    let mut lines = Vec::new();
    let mut merges: Vec<_> = folders
        .iter()
        .zip(&shows)
        .map(|(folder, shown)| {
            let mut merge = merge_messages(folder, &policy);
            let settled = settle_ties(&merge, shown, &mut lines);
            merge.settle(folder, &policy, settled);
            merge
        })
        .collect();
    let moves = merge_moves(&folders, &mut merges, &policy, &mut |_| true);
    let verdicts = hold_back(&folders, &mut merges, &policy);
    for side in Side::BOTH
        .into_iter()
        .filter(|side| verdicts[*side].stops())
    {
        lines.push(format!("brake@{}", side_name(side)));
    }
    for (number, ((folder, merge), shown)) in folders.iter().zip(&merges).zip(&shows).enumerate() {
        let mut found = describe(folder, merge, shown);
        if folders.len() > 1 {
            found
                .iter_mut()
                .for_each(|line| *line = format!("{number}: {line}"));
        }
        lines.append(&mut found);
        for gone in Side::BOTH
            .into_iter()
            .filter(|side| folder.views[*side].extent() == Extent::Absent)
        {
            if folder.base.is_some() && folder.views[gone.other()].extent() != Extent::Absent {
                lines.push(match fate(gone, number, folder.views, merge, &moves) {
                    Fate::Deleted(side) => format!("folder deleted@{}", side_name(side)),
                    Fate::ComesBack(side) => format!("folder back@{}", side_name(side)),
                    Fate::Stays => "folder stays".to_owned(),
                });
            }
        }
    }
    for Move {
        side,
        from,
        index,
        to,
        flags,
        row,
        ..
    } in &moves
    {
        let name = shows[*from][*side].name(*index);
        lines.push(format!(
            "move {name} {from}>{to}@{} {row:?}{}",
            side_name(*side),
            changes(flags)
        ));
    }
    lines.sort();
    lines.join("; ")
}

fn settle_ties(merge: &FolderMerge, shown: &Both<Shown>, lines: &mut Vec<String>) -> Vec<Settled> {
    let content = |side: crate::mail::Side, index: u32| {
        let shown = &shown[side];
        let name = shown.name(index).replace('\'', "");
        let mut content = [0; 16];
        content[..name.len()].copy_from_slice(name.as_bytes());
        (!shown.unreadable.contains(&shown.uid(index))).then_some(Likeness::exact(content))
    };
    if !merge.ties().is_empty() {
        lines.push("tie".to_owned());
    }
    merge
        .ties()
        .iter()
        .map(|tie| settle(tie, content))
        .collect()
}

fn changes(flags: &FlagMerge) -> String {
    let mut text = String::new();
    for side in Side::BOTH {
        let (add, remove) = (letters(&flags.add[side]), letters(&flags.remove[side]));
        if !add.is_empty() {
            write!(text, " +{add}@{}", side_name(side)).unwrap();
        }
        if !remove.is_empty() {
            write!(text, " -{remove}@{}", side_name(side)).unwrap();
        }
    }
    // The order must not depend on which side is first.
    let mut words: Vec<_> = text.split_whitespace().collect();
    words.sort_unstable();
    if words.is_empty() {
        String::new()
    } else {
        format!(" {}", words.join(" "))
    }
}

fn describe(folder: &Folder<'_>, merge: &FolderMerge, shown: &Both<Shown>) -> Vec<String> {
    let mut lines = Vec::new();
    let pair = |pair: u32| {
        let uid = folder.base.unwrap().pairs()[pair as usize]
            .uids()
            .first
            .get();
        char::from(b'a' + u8::try_from(uid % 30).unwrap() - 1)
    };
    if let Some(Refusal { row, side }) = merge.refused {
        lines.push(format!("refused@{} {row:?}", side_name(side)));
    }
    for side in Side::BOTH {
        let at = side_name(side);
        for Incoming { from, row } in &merge.incoming[side] {
            lines.push(format!(
                "copy {}>{at} {row:?}",
                shown[side.other()].name(*from)
            ));
        }
        for Deletion {
            index,
            row,
            keep_first,
            ..
        } in &merge.deletions[side]
        {
            let how = if *keep_first { "delete" } else { "destroy" };
            lines.push(format!("{how} {}@{at} {row:?}", shown[side].name(*index)));
        }
        for Left { index, row } in &merge.left[side] {
            lines.push(format!("left {}@{at} {row:?}", shown[side].name(*index)));
        }
    }
    for Agreement {
        messages, flags, ..
    } in &merge.agreements
    {
        lines.push(format!(
            "flags {}{}",
            shown.first.name(messages.first),
            changes(&merge.flags.get(*flags))
        ));
    }
    for Joined {
        messages,
        flags,
        row,
    } in &merge.joined
    {
        let names = Both::of(|side| shown[side].name(messages[side]).replace('\'', ""));
        assert_eq!(names.first, names.second, "joined what is not the same");
        lines.push(format!(
            "join {} {row:?}{}",
            names.first,
            changes(&merge.flags.get(*flags))
        ));
    }
    lines.extend(
        merge
            .dropped
            .iter()
            .map(|dropped| format!("drop {} {:?}", pair(dropped.pair), dropped.row)),
    );
    for Pending {
        pair: number,
        deleted_on,
        row,
    } in &merge.pending
    {
        lines.push(format!(
            "wait {}!{} {row:?}",
            pair(*number),
            side_name(*deleted_on)
        ));
    }
    lines
}

/// Exchanges the sides in a text.
pub(super) fn mirrored(text: &str) -> String {
    text.replace("first", "\u{1}")
        .replace("second", "first")
        .replace('\u{1}', "second")
}

/// Sorts the words of an outcome in an order that doesn't depend on the sides.
pub(super) fn sorted(text: &str) -> String {
    let mut lines: Vec<_> = text
        .split("; ")
        .map(|line| {
            let mut words: Vec<_> = line.split(' ').collect();
            let changes = words
                .iter()
                .position(|word| word.starts_with(['+', '-']))
                .unwrap_or(words.len());
            words[changes..].sort_unstable();
            words.join(" ")
        })
        .collect();
    lines.sort_unstable();
    lines.join("; ")
}

/// One case: the row, what happened, base, first, second, policy, and the outcome.
pub(super) type Case = (
    u8,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// Runs each case both ways round.
pub(super) fn check(cases: &[Case]) {
    for (row, name, base, first, second, options, expected) in cases {
        assert_eq!(
            outcome([base, first, second], options),
            sorted(expected),
            "row {row}: {name}"
        );
        let [base, options, expected] = [base, options, expected].map(|text| mirrored(text));
        assert_eq!(
            outcome([&base, second, first], &options),
            sorted(&expected),
            "row {row}, the other way: {name}"
        );
    }
}
