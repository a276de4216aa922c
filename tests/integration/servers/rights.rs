//! `--acl`: rights to folders go from one kind of server to another and back.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::Client;
use crate::lab::generator::mailbox;
use crate::lab::run::{End, Run, copy, run};
use crate::lab::servers::{Account, Courier, Cyrus, Dovecot, Personality};
use crate::lab::wire::Value;
use std::io::Write as _;

/// A new account with rights, or `None`, said on stderr, where this Dovecot has none.
fn with_rights(name: &str) -> Option<Account> {
    let account = Dovecot::shared().account(name, Personality::Acl);
    let (_, reply) = Client::login(&account).try_command("MYRIGHTS INBOX");
    if reply.starts_with("OK") {
        return Some(account);
    }
    std::io::stderr()
        .write_all(b"SKIPPED: this Dovecot has no rights (ACL)\n")
        .unwrap();
    None
}

/// The folder Team of an account, as its server names it.
fn team(client: &Client) -> String {
    client.name(&["Team"])
}

/// Makes the folder Team with these entries: who and what, in turn.
fn share(account: &Account, entries: &[(&str, &str)]) {
    let mut client = Client::login(account);
    let team = team(&client);
    client.create(&["Team"]);
    for (who, rights) in entries {
        client.command(&format!("SETACL {team} \"{who}\" {rights}"));
    }
}

/// Who has which rights to Team, without the owner and without rights for old clients.
fn rights(account: &Account) -> Vec<String> {
    let mut client = Client::login(account);
    let team = team(&client);
    let listed = client.command(&format!("GETACL {team}"));
    let words: Vec<String> = listed[0][2..].iter().map(Value::text).collect();
    let own = [account.user.as_str(), "owner", "administrators"];
    let mut entries: Vec<String> = words[1..]
        .chunks(2)
        .filter(|entry| !own.contains(&entry[0].as_str()))
        .map(|entry| {
            let mut letters: Vec<char> = entry[1].chars().collect();
            letters.sort_unstable();
            format!("{} {}", entry[0], letters.into_iter().collect::<String>())
        })
        .collect();
    entries.sort();
    entries
}

/// The entries that a run told of: what is done, who, and who that is on the target.
fn told(run: &Run) -> Vec<String> {
    let word = |event: &serde_json::Value, field| match &event[field] {
        serde_json::Value::Null => "-".to_owned(),
        value => value.as_str().unwrap().to_owned(),
    };
    let line = |event: &serde_json::Value| {
        let fields = ["action", "identifier", "to", "rights"];
        fields.map(|field| word(event, field)).join(" ")
    };
    let mut lines: Vec<String> = run.named("rights").iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn rights_go_from_dovecot_to_cyrus_and_courier_and_back() {
    let Some(dovecot) = with_rights("rights") else {
        return;
    };
    Client::login(&dovecot).fill(&mailbox(61, 20));
    share(
        &dovecot,
        &[
            ("bob", "lrswi"),
            ("$staff", "lrswt"),
            ("-carl", "s"),
            ("dora", "lrswipkxte"),
        ],
    );
    let cyrus = Cyrus::shared().account();
    let options = &["--acl"];
    let expected = [
        "grant $staff group:staff lrswt",
        "grant -carl -carl s",
        "grant bob bob lrswi",
        "grant dora dora lrswipkxte",
    ];
    let preview = copy(
        End::tls(&dovecot),
        End::tls(&cyrus),
        &["--acl", "--dry-run"],
    )
    .ended(0);
    let mut shown = told(&preview);
    shown.retain(|line| !line.starts_with("leave"));
    assert_eq!(shown, expected);
    let there = copy(End::tls(&dovecot), End::tls(&cyrus), options).ended(0);
    assert_eq!(told(&there), expected);
    assert_eq!(
        (there.count("rights_changed"), there.count("rights_failed")),
        (4, 0)
    );
    let on_cyrus = [
        "-carl s",
        "bob ilrsw",
        "dora cdeiklprstwx",
        "group:staff dlrstw",
    ];
    assert_eq!(rights(&cyrus), on_cyrus);
    let again = copy(End::tls(&dovecot), End::tls(&cyrus), options).ended(0);
    assert_eq!(again.count("rights_changed"), 0);
    assert!(told(&again).is_empty());

    let back = with_rights("rightsback").unwrap();
    copy(End::tls(&cyrus), End::tls(&back), options).ended(0);
    assert_eq!(
        rights(&back),
        ["$staff dlrstw", "-carl s", "bob ilrsw", "dora cdeiklprstwx"]
    );
    let Some(courier) = Courier::shared().map(Courier::account) else {
        return;
    };
    // Courier's SETACL takes no groups.
    let there = copy(End::tls(&cyrus), End::tls(&courier), options).ended(3);
    assert_eq!(
        (there.count("rights_changed"), there.count("rights_failed")),
        (3, 1)
    );
    assert!(told(&there).contains(&"fail group:staff - lrswt".to_owned()));
    let without = &["--acl", "--acl-map", "$staff="];
    let again = copy(End::tls(&cyrus), End::tls(&courier), without).ended(0);
    assert_eq!(again.count("rights_changed"), 0);
    assert_eq!(rights(&courier), ["-carl s", "bob ilrsw", "dora cdilprsw"]);
    let back = with_rights("rightsfromcourier").unwrap();
    copy(End::tls(&courier), End::tls(&back), options).ended(0);
    assert_eq!(rights(&back), ["-carl s", "bob ilrsw", "dora cdeiklprstwx"]);
}

// On Cyrus, `anonymous` stands for everyone here: rights of `anyone` would show a folder to all other
// tests.

#[test]
fn names_are_mapped_and_nobody_becomes_everyone() {
    let Some(dovecot) = with_rights("rightsmapped") else {
        return;
    };
    let cyrus = Cyrus::shared().account();
    share(
        &cyrus,
        &[
            ("bob@old.example", "lr"),
            ("group:staff", "lr"),
            ("anonymous", "l"),
            ("eve", "lr"),
        ],
    );
    let options = [
        "--acl",
        "--acl-map",
        "@old.example=@new.example",
        "--acl-map",
        "group:staff=$team",
    ];
    let some = copy(End::tls(&cyrus), End::tls(&dovecot), &options).ended(3);
    assert_eq!(
        rights(&dovecot),
        ["$team lr", "bob@new.example lr", "eve lr"]
    );
    assert_eq!(
        (some.count("rights_changed"), some.count("rights_failed")),
        (3, 1)
    );
    let fails = |run: &Run, who: &str, why: &str| {
        let is_it = |event: &serde_json::Value| {
            event["action"] == "fail"
                && event["identifier"] == who
                && event["reason"].as_str().unwrap().contains(why)
        };
        assert!(
            run.named("rights").iter().any(is_it),
            "{:?}",
            run.named("rights")
        );
    };
    fails(&some, "anonymous", "--acl-map 'anonymous=anonymous'");
    // This Dovecot lets nobody give rights to everyone, and says so; the others get theirs.
    let all = [
        &options[..],
        &["--acl-map", "anonymous=", "--acl-map", "eve=anyone"],
    ]
    .concat();
    let refused = copy(End::tls(&cyrus), End::tls(&dovecot), &all).ended(3);
    fails(&refused, "eve", "disallowed");
    let none = [&options[..], &["--acl-map", "anonymous="]].concat();
    copy(End::tls(&cyrus), End::tls(&dovecot), &none).ended(0);
}

#[test]
fn a_mirror_removes_rights_up_to_the_limit() {
    let (source, target) = (Cyrus::shared().account(), Cyrus::shared().account());
    share(&source, &[("bob", "lr"), ("anonymous", "l")]);
    share(
        &target,
        &[("bob", "lrs"), ("carl", "lr"), ("anonymous", "lr")],
    );
    let options = ["--acl", "--acl-map", "anonymous=", "--delete"];
    let few = [&options[..], &["--max-delete", "1"]].concat();
    let braked = copy(End::tls(&source), End::tls(&target), &few).ended(9);
    assert_eq!(braked.count("rights_changed"), 0);
    assert_eq!(rights(&target), ["anonymous lr", "bob lrs", "carl lr"]);
    let preview = [&options[..], &["--dry-run"]].concat();
    let preview = copy(End::tls(&source), End::tls(&target), &preview).ended(0);
    assert_eq!(preview.count("rights_changed"), 2);
    let done = copy(End::tls(&source), End::tls(&target), &options).ended(0);
    assert_eq!(told(&done), ["remove bob bob s", "remove carl carl lr"]);
    // What was left out on purpose is left alone, and the owner has all rights still.
    assert_eq!(rights(&target), ["anonymous lr", "bob lr"]);
    Client::login(&target).command("SETACL INBOX.Team dora lr");
    let joined = ["--acl", "--acl-map", "anonymous="];
    let again = copy(End::tls(&source), End::tls(&target), &joined).ended(0);
    assert_eq!(again.count("rights_changed"), 0);
    assert_eq!(rights(&target), ["anonymous lr", "bob lr", "dora lr"]);
}

#[test]
fn a_mailbox_without_rights_is_said_to_have_none() {
    let cyrus = Cyrus::shared().account();
    share(&cyrus, &[("bob", "lr")]);
    let plain = Dovecot::shared().account("norights", Personality::Plain);
    let run = copy(End::tls(&cyrus), End::tls(&plain), &["--acl"]).ended(0);
    let warned = run.texts("warning", "text").join("\n");
    assert!(
        warned.contains("the target has none to folders"),
        "{warned}"
    );
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let (a, b) = ("maildir:/nowhere/a", "maildir:/nowhere/b");
    for (arguments, says) in [
        (&["copy", "--acl-map", "a=b", a, b][..], "--acl"),
        (
            &["copy", "--acl", "--acl-map", "a", a, b],
            "expected OLD=NEW",
        ),
        (
            &["copy", "--acl", "--dry-run", "--save-plan", "x", a, b],
            "--save-plan",
        ),
        (&["sync", "--acl", a, b], "only `copy` copies rights"),
    ] {
        let run = run(arguments).ended(2);
        assert!(run.says(says), "{arguments:?}: {}", run.stderr);
    }
}
