//! Advice in texts works: each test provokes a text, follows it, and gets what the user wanted.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use crate::lab::client::Client;
use crate::lab::gmail::{self, Labels};
use crate::lab::letters::{edit, letter, shown};
use crate::lab::mailboxes::{assert_equal, each, empty, filled, messages};
use crate::lab::run::{Run, copy, folders, run, sync};
use crate::lab::servers::{Account, Dovecot, Personality};
use std::path::Path;

/// A new account of messages that are called by letters.
fn lettered(name: &str, kind: Personality, edits: &[&str]) -> Account {
    let account = Dovecot::shared().account(name, kind);
    let mut client = Client::login(&account);
    edits.iter().for_each(|text| edit(&mut client, text));
    account
}

/// What stands between two words of what a run said.
#[track_caller]
fn between<'a>(run: &'a Run, before: &str, after: &str) -> &'a str {
    let text = &run.stderr;
    let start = text.find(before).map(|at| at + before.len());
    let rest = start
        .map(|at| &text[at..])
        .unwrap_or_else(|| panic!("no {before:?} in {text}"));
    &rest[..rest
        .find(after)
        .unwrap_or_else(|| panic!("no {after:?} after {before:?} in {text}"))]
}

/// A directory for a state, and the options that name it.
struct State(tempfile::TempDir);

impl State {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn options<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["--state", self.0.path().to_str().unwrap()], more].concat()
    }
}

/// "free some space there …, then rerun the same command to resume"
#[test]
fn a_full_target_takes_the_rest_once_there_is_room() {
    let source = filled("roomfrom", messages(40));
    let target = empty("roomto", Personality::Tiny);
    let mut there = Client::login(&target);
    there.create(&["Junk"]);
    there.append(&["Junk"], messages(150).into_iter());
    let full = copy(&source, &target, &[]).ended(8);
    assert!(
        full.says("free some space there") && full.says("rerun the same command to resume"),
        "{full:?}"
    );
    there.command("DELETE Junk");
    let copied = full.count("copied");
    copy(&source, &target, &[])
        .ended(0)
        .counts(&[("copied", 40 - copied), ("already_there", copied)]);
    assert_equal(&source, &target);
}

/// "rename one with --map 'A=NAME', or merge them with --map 'A=B'"
#[test]
fn folders_that_would_become_one_are_parted_or_joined() {
    let source = lettered(
        "partfrom",
        Personality::Plain,
        &["create One", "add One ab", "create Two", "add Two cd"],
    );
    let target = |name: &str| empty(name, Personality::Plain);
    let [parted, joined] = [target("partto"), target("jointo")];
    let rule = ["--map-regex", "s/^(One|Two)$/Both/"];
    let refused = copy(&source, &parted, &rule).ended(1);
    let [other, join] = [
        between(&refused, "rename one with --map '", "=NAME'"),
        between(&refused, "merge them with --map '", "'"),
    ];
    let with = |map: &str| [&rule[..], &["--map", map]].concat().join("\n");
    let go = |target: &Account, map: &str| {
        let options = with(map);
        copy(&source, target, &options.split('\n').collect::<Vec<_>>())
            .ended(0)
            .counts(&[("copied", 4)]);
        shown(&Client::login(target).snapshot())
    };
    let letters = if other == "One" {
        ["a", "b"]
    } else {
        ["c", "d"]
    };
    assert_eq!(go(&parted, &format!("{other}=Else"))["Else"], letters);
    assert_eq!(go(&joined, join)["Both"], ["a", "b", "c", "d"]);
}

/// "not deleting anything …; if this is intended, rerun with --max-delete N or more"
#[test]
fn as_many_may_be_deleted_as_the_brake_says() {
    let source = lettered(
        "brakefrom",
        Personality::Plain,
        &["add INBOX abcdefgh", "create Old", "add Old ij"],
    );
    each([false, true], |both_ways| {
        let target = empty("braketo", Personality::Plain);
        let source = if both_ways {
            lettered(
                "brakefirst",
                Personality::Plain,
                &["add INBOX abcdefgh", "create Old", "add Old ij"],
            )
        } else {
            source.clone()
        };
        let state = State::new();
        let go = |more: &[&str]| {
            let more = state.options(more);
            if both_ways {
                sync(&source, &target, &more)
            } else {
                copy(&source, &target, &[&["--delete"], &more[..]].concat())
            }
        };
        go(&[]).ended(0);
        edit(&mut Client::login(&source), "expunge INBOX abcde");
        let braked = go(&["--max-delete", "1"]).ended(9);
        let enough = between(&braked, "rerun with --max-delete ", " or more").to_owned();
        let less = (enough.parse::<u32>().unwrap() - 1).to_string();
        go(&["--max-delete", &less]).ended(9);
        go(&["--max-delete", &enough])
            .ended(0)
            .counts(&[("deleted", 5)]);
        assert_equal(&source, &target);
    });
}

/// "raise --keep-size, or disable undo with --keep-deleted 0"
#[test]
fn a_full_undo_store_lets_go_either_way() {
    each([["--keep-size", "1G"], ["--keep-deleted", "0"]], |advice| {
        let [first, second] = ["keepone", "keeptwo"]
            .map(|name| lettered(name, Personality::Plain, &["add INBOX abcdef"]));
        let state = State::new();
        sync(&first, &second, &state.options(&[])).ended(0);
        edit(&mut Client::login(&first), "expunge INBOX a");
        let full = sync(&first, &second, &state.options(&["--keep-size", "1"])).ended(3);
        assert!(
            full.says("raise --keep-size, or disable undo with --keep-deleted 0"),
            "{full:?}"
        );
        sync(&first, &second, &state.options(&advice))
            .ended(0)
            .counts(&[("deleted", 1)]);
        assert_equal(&first, &second);
    });
}

/// "say --max-delete 100%, or empty the folder on the other side too": what is advised first is in
/// the table of sync.
#[test]
fn an_emptied_folder_may_be_emptied_on_the_other_side_too() {
    let [first, second] = ["bothone", "bothtwo"].map(|name| {
        lettered(
            name,
            Personality::Plain,
            &["create Work", "add Work abc", "add INBOX d"],
        )
    });
    let state = State::new();
    sync(&first, &second, &state.options(&[])).ended(0);
    for text in ["drop Work", "create Work"] {
        edit(&mut Client::login(&first), text);
    }
    let held = sync(&first, &second, &state.options(&[])).ended(3);
    assert!(
        held.says("empty the folder on the other side too"),
        "{held:?}"
    );
    edit(&mut Client::login(&second), "expunge Work abc");
    sync(&first, &second, &state.options(&[]))
        .ended(0)
        .counts(&[("deleted", 0), ("copied", 0)]);
    assert_equal(&first, &second);
}

/// "list the folders with `mailferry folders MAILBOX`"
#[test]
fn a_folder_that_was_misspelt_is_found_in_the_list() {
    let source = lettered(
        "spellfrom",
        Personality::Plain,
        &["create Receipts", "add Receipts ab", "add INBOX c"],
    );
    let target = empty("spellto", Personality::Plain);
    let refused = copy(&source, &target, &["--folder", "Reciepts"]).ended(2);
    assert!(
        refused.says("mailferry folders MAILBOX") && refused.says("Receipts"),
        "{refused:?}"
    );
    let names = folders(&source, &[]).ended(0).texts("folder", "name");
    let name = names.iter().find(|name| name.starts_with("Rec")).unwrap();
    copy(&source, &target, &["--folder", name])
        .ended(0)
        .counts(&[("copied", 2)]);
}

/// "within one account, set the destination with --into FOLDER or --map FROM=TO, and select the
/// source folders"
#[test]
fn within_one_account_mail_goes_where_it_is_told() {
    let account = lettered(
        "within",
        Personality::Plain,
        &["create Work", "add Work ab", "add INBOX c"],
    );
    let refused = copy(&account, &account, &[]).ended(2);
    assert!(
        refused.says("--into FOLDER or --map FROM=TO"),
        "{refused:?}"
    );
    copy(
        &account,
        &account,
        &["--into", "Old", "--exclude", "Old/**"],
    )
    .ended(0)
    .counts(&[("copied", 3)]);
    copy(
        &account,
        &account,
        &["--map", "Work=Job", "--folder", "Work"],
    )
    .ended(0)
    .counts(&[("copied", 2)]);
    let there = shown(&Client::login(&account).snapshot());
    assert_eq!(
        (&there["Old/Work"], &there["Job"], &there["Work"]),
        (&there["Job"], &there["Work"], &there["Job"])
    );
    assert_eq!(there["Job"], ["a", "b"]);
}

/// "the target's … shows other folders' messages: choose another folder with --map"
#[test]
fn mail_that_was_to_go_into_a_view_goes_elsewhere() {
    let source = empty("viewfrom", Personality::Plain);
    let mut client = Client::login(&source);
    client.create(&["[Gmail]", "All Mail"]);
    client.append(&["[Gmail]", "All Mail"], ['a', 'b'].map(letter).into_iter());
    let (_gmail, target) = gmail::start(Labels::Others);
    let refused = copy(&source, &target, &[]).ended(3);
    assert!(
        refused.says("choose another folder with --map"),
        "{refused:?}"
    );
    copy(&source, &target, &["--map", "[Gmail]/All Mail=Old"])
        .ended(0)
        .counts(&[("copied", 2)]);
    assert_eq!(shown(&Client::login(&target).snapshot())["Old"], ["a", "b"]);
}

/// "use another directory with --state DIR, or run without state with --no-state", or move the file
/// away
#[test]
fn a_damaged_state_is_done_without() {
    let source = lettered("statefrom", Personality::Plain, &["add INBOX abc"]);
    let target = empty("stateto", Personality::Plain);
    let [state, other] = [State::new(), State::new()];
    copy(&source, &target, &state.options(&[]))
        .ended(0)
        .counts(&[("copied", 3)]);
    for entry in std::fs::read_dir(state.0.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "db") {
            std::fs::write(path, b"no database at all").unwrap();
        }
    }
    let refused = copy(&source, &target, &state.options(&[])).ended(1);
    assert!(refused.says("--no-state"), "{refused:?}");
    copy(&source, &target, &["--no-state"])
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 3)]);
    copy(&source, &target, &other.options(&[]))
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 3)]);
}

/// "check that it is still your plan, then run `chmod 600 FILE`", and "make a new plan"
#[test]
fn a_plan_that_others_may_write_is_taken_once_it_is_ones_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let source = lettered("planfrom", Personality::Plain, &["add INBOX abc"]);
    let target = empty("planto", Personality::Plain);
    let directory = tempfile::tempdir().unwrap();
    let plan = directory.path().join("move.plan");
    let set_mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let plan_text = plan.to_str().unwrap();
    copy(&source, &target, &["--dry-run", "--save-plan", plan_text]).ended(0);
    set_mode(&plan, 0o666);
    let apply = || run(&["apply", plan_text, "--output", "json"]);
    let refused = apply().ended(2);
    let command = between(&refused, "run `", "`");
    let mut words = command.split(' ');
    assert!(
        std::process::Command::new(words.next().unwrap())
            .args(words)
            .status()
            .unwrap()
            .success(),
        "{command}"
    );
    apply().ended(0).counts(&[("copied", 3)]);
    assert_equal(&source, &target);
}

/// "expunge the folder in a mail client, then run again"
#[test]
fn what_others_have_marked_is_expunged_by_hand_and_the_next_run_goes_on() {
    // A server without UIDPLUS.
    let source = lettered(
        "expungefrom",
        Personality::Poor,
        &["create Work", "add Work ab", "flag Work a \\Deleted"],
    );
    let target = empty("expungeto", Personality::Plain);
    let only_b = ["--move", "--search", "SUBJECT b"];
    let refused = copy(&source, &target, &only_b).ended(3);
    assert!(
        refused.says("expunge the folder in a mail client, then run again"),
        "{refused:?}"
    );
    let mut client = Client::login(&source);
    assert_eq!(shown(&client.snapshot())["Work"], ["aD", "b"]);
    client.select(&["Work"]);
    client.command("EXPUNGE");
    copy(&source, &target, &only_b).ended(0);
    assert_eq!(shown(&client.snapshot())["Work"], Vec::<String>::new());
}

/// "named above; the next run tries again"
#[test]
fn a_message_that_was_refused_is_tried_by_the_next_run() {
    let source = lettered("refusedfrom", Personality::Plain, &["add INBOX abc"]);
    let target = empty("refusedto", Personality::Tiny);
    let mut large = letter('d');
    large.bytes.extend(b"x".repeat(80_000));
    Client::login(&source).append(&["INBOX"], std::iter::once(large));
    let full = copy(&source, &target, &[]);
    assert!(matches!(full.code, Some(3 | 8)), "{full:?}");
    edit(&mut Client::login(&source), "add INBOX e");
    let uids = Client::login(&source)
        .snapshot()
        .folder(&["INBOX"])
        .iter()
        .map(|message| message.uid)
        .collect::<Vec<_>>();
    let mut client = Client::login(&source);
    client.select(&["INBOX"]);
    client.expunge(&uids[3].to_string());
    copy(&source, &target, &[]).ended(0);
    assert_equal(&source, &target);
}
