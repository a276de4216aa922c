//! Options for folders, names, messages and flags, and the output of `--dry-run` and `folders`, on
//! real Dovecots.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::{Client, NewMessage};
use crate::lab::pair::Pair;
use crate::lab::pair::snapshot;
use crate::lab::proxy::{Plan, Proxy};
use crate::lab::run::{Run, copy, run, sync, verify};
use crate::lab::servers::{Account, Dovecot, Personality};

fn account(name: &str) -> Account {
    Dovecot::shared().account(name, Personality::Plain)
}

fn letter(name: &str, date: &str, size: usize) -> NewMessage {
    let header = format!(
        "From: ann@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\n\r\n"
    );
    let body = "x".repeat(size.saturating_sub(header.len() + 2));
    NewMessage {
        flags: Vec::new(),
        date: Some(date.to_owned()),
        bytes: format!("{header}{body}\r\n").into_bytes(),
    }
}

fn letters(folder: &str, count: usize) -> impl Iterator<Item = NewMessage> + Send {
    let folder = folder.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    (0..count).map(move |n| letter(&format!("{folder}-{n}"), "07-Jul-2020 07:07:07 +0000", 200))
}

/// An account with these folders (`/` between levels), a message in each.
fn account_with(name: &str, folders: &[&str]) -> Account {
    let account = account(name);
    let mut client = Client::login(&account);
    for folder in folders {
        let levels: Vec<&str> = folder.split('/').collect();
        if *folder != "INBOX" {
            client.create(&levels);
        }
        client.append(&levels, letters(folder, 1));
    }
    account
}

/// The folders that hold messages, with their number.
fn filled(account: &Account) -> Vec<(String, usize)> {
    let folders = snapshot(account).folders;
    folders
        .iter()
        .filter(|(_, held)| !held.is_empty())
        .map(|(levels, held)| (levels.join("/"), held.len()))
        .collect()
}

fn plans(run: &Run) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    run.named("folder_planned")
        .iter()
        .map(|plan| (text(&plan["from"]), text(&plan["to"])))
        .collect()
}

#[test]
fn folders_are_chosen_and_renamed() {
    let folders = [
        "INBOX",
        "Old",
        "Old/2019",
        "Old/2019/May",
        "Lists",
        "Lists/rust",
        "Spam Folder",
    ];
    let source = account_with("chosen", &folders);
    let table: &[(&[&str], &[&str])] = &[
        (&["--folder", "INBOX"], &["INBOX"]),
        (
            &["--folder", "Old/*", "--folder", "INBOX"],
            &["INBOX", "Old/2019"],
        ),
        (&["--folder", "Old/**"], &["Old/2019", "Old/2019/May"]),
        (
            &[
                "--exclude",
                "Old",
                "--exclude",
                "Old/**",
                "--exclude",
                "* *",
            ],
            &["INBOX", "Lists", "Lists/rust"],
        ),
        (
            &[
                "--folder",
                "Lists/**",
                "--folder",
                "Old",
                "--exclude",
                "**/rust",
            ],
            &["Old"],
        ),
        (
            &[
                "--folder",
                "Old",
                "--folder",
                "Old/**",
                "--map",
                "Old=Archive/Before",
            ],
            &[
                "Archive/Before",
                "Archive/Before/2019",
                "Archive/Before/2019/May",
            ],
        ),
        (
            &[
                "--folder",
                "Lists/**",
                "--map-regex",
                "s/^Lists\\/(.*)$/Groups\\/$1 list/",
            ],
            &["Groups/rust list"],
        ),
        (
            &[
                "--folder", "INBOX", "--folder", "Lists", "--into", "From old",
            ],
            &["From old/INBOX", "From old/Lists"],
        ),
    ];
    for (options, expected) in table {
        let target = account("chosento");
        let run = copy(&source, &target, options).ended(0);
        let expected: Vec<_> = expected
            .iter()
            .map(|name| ((*name).to_owned(), 1))
            .collect();
        assert_eq!(filled(&target), expected, "{options:?}: {run:?}");
        copy(&source, &target, options)
            .ended(0)
            .counts(&[("copied", 0), ("folders_created", 0)]);
        verify(&source, &target, options).ended(0);
    }
}

#[test]
fn two_folders_are_joined_only_if_that_was_said() {
    let source = account_with("join", &["A", "B"]);
    let target = account("jointo");
    let run = copy(&source, &target, &["--map-regex", "s/^[AB]$/Both/"]);
    assert!(
        run.code != Some(0) && run.stderr.contains("--map"),
        "{run:?}"
    );
    assert!(filled(&target).is_empty());
    let options = ["--map", "A=Both", "--map", "B=Both"];
    copy(&source, &target, &options)
        .ended(0)
        .counts(&[("copied", 2), ("folders_created", 1)]);
    copy(&source, &target, &options)
        .ended(0)
        .counts(&[("copied", 0), ("already_there", 2)]);
    verify(&source, &target, &options).ended(0);
}

#[test]
fn folders_are_paired_by_their_roles() {
    let source = account_with("roles", &["Sent Items", "Deleted Items", "Notes"]);
    let target = account("rolesto");
    let mut client = Client::login(&target);
    // By the server's word (SPECIAL-USE).
    client.create(&["Sent"]);
    client.create(&["Trash"]);
    let run = copy(&source, &target, &["--dry-run"]).ended(0);
    let mut planned = plans(&run);
    planned.sort();
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let by_role = [
        pair("Deleted Items", "Trash"),
        pair("INBOX", "INBOX"),
        pair("Notes", "Notes"),
        pair("Sent Items", "Sent"),
    ];
    assert_eq!(planned, by_role);
    copy(&source, &target, &[])
        .ended(0)
        .counts(&[("folders_created", 1)]);
    let one = |name: &str| (name.to_owned(), 1);
    assert_eq!(filled(&target), ["Notes", "Sent", "Trash"].map(one));
    // And back, where only the names tell.
    copy(&target, &source, &[]).ended(0).counts(&[
        ("copied", 0),
        ("folders_created", 0),
        ("already_there", 3),
    ]);
    let plain = account("rolesplain");
    Client::login(&plain).create(&["Sent"]);
    copy(&source, &plain, &["--no-roles"])
        .ended(0)
        .counts(&[("copied", 3)]);
    assert_eq!(
        filled(&plain),
        ["Deleted Items", "Notes", "Sent Items"].map(one)
    );
}

#[test]
fn messages_are_chosen_by_date_size_and_search() {
    let source = account("messages");
    let mut client = Client::login(&source);
    // At noon, as the server tells dates in the zone of its machine.
    let mut flagged = letter("flagged", "02-Feb-2022 12:00:00 +0000", 500);
    flagged.flags.push("\\Flagged".to_owned());
    let others = [
        letter("small", "01-Feb-2022 12:00:00 +0000", 300),
        letter("next", "03-Feb-2022 12:00:00 +0000", 500),
        letter("large", "04-Feb-2022 12:00:00 +0000", 20_000),
    ];
    client.append(&["INBOX"], others.into_iter().chain([flagged]));
    let table: [(&[&str], u64); 9] = [
        (&["--since", "2022-02-02"], 3),
        (&["--since", "2022-02-03"], 2),
        (&["--before", "2022-02-03"], 2),
        (&["--since", "2022-02-02", "--before", "2022-02-03"], 1),
        (&["--min-size", "500"], 3),
        (&["--max-size", "500"], 3),
        (&["--min-size", "501", "--max-size", "20k"], 1),
        (&["--search", "FLAGGED"], 1),
        (&["--search", "OR SUBJECT small SUBJECT large"], 2),
    ];
    for (options, expected) in table {
        let target = account("messagesto");
        let run = copy(&source, &target, options).ended(0);
        assert_eq!(
            (run.count("copied"), run.count("failed")),
            (expected, 0),
            "{options:?}: {run:?}"
        );
        copy(&source, &target, options)
            .ended(0)
            .counts(&[("copied", 0), ("already_there", expected)]);
        verify(&source, &target, options)
            .ended(0)
            .counts(&[("compared", expected)]);
        // What the filter left out comes with a run without it, and nothing comes twice.
        copy(&source, &target, &[])
            .ended(0)
            .counts(&[("copied", 4 - expected), ("already_there", expected)]);
    }
}

/// Also where the state is in step, so that no folder would be looked into.
#[test]
fn a_search_that_the_server_refuses_ends_the_run_before_it_begins() {
    for kind in [Personality::Plain, Personality::Poor] {
        let ground = Pair::new("search", kind);
        let mut client = Client::login(&ground.source);
        client.create(&["Box"]);
        client.append(&["Box"], letters("Box", 2));
        let refused = |options: &[&str]| {
            let options = [options, &["--search", "FOO BAR"]].concat();
            for run in [
                ground.copy(&options),
                verify(
                    &ground.source,
                    &ground.target,
                    &options[options.len() - 2..],
                ),
            ] {
                let run = run.ended(2);
                assert!(
                    run.says("FOO BAR") && run.stderr.contains("nknown argument FOO"),
                    "{run:?}"
                );
                assert!(run.named("folder_failed").is_empty(), "{run:?}");
            }
        };
        refused(&[]);
        refused(&["--dry-run"]);
        let there = snapshot(&ground.target);
        assert!(
            !there.folders.keys().any(|name| name == &["Box"]),
            "{there:?}"
        );
        ground.copy(&[]).ended(0).counts(&[("copied", 2)]);
        ground.copy(&[]).ended(0).counts(&[("copied", 0)]);
        refused(&[]);
        ground
            .copy(&["--search", "CHARSET UTF-8 ALL"])
            .ended(0)
            .counts(&[("copied", 0)]);
        ground
            .copy(&["--search", "OR SEEN UNSEEN"])
            .ended(0)
            .counts(&[("copied", 0)]);
    }
}

#[test]
fn flags_follow_on_a_second_run_unless_they_are_to_be_ignored() {
    for (options, follows) in [
        (&[][..], true),
        (&["--flags", "union"], true),
        (&["--flags", "ignore"], false),
    ] {
        let [source, target] = [account_with("flags", &["Box"]), account("flagsto")];
        copy(&source, &target, options).ended(0);
        let change = |account: &Account, flags: &str| {
            let mut client = Client::login(account);
            client.select(&["Box"]);
            client.store("1", "+FLAGS", flags);
        };
        change(&source, "\\Answered $Work");
        change(&target, "\\Flagged $Mine");
        let flags = |account: &Account| {
            snapshot(account).folder(&["Box"])[0]
                .flags
                .iter()
                .cloned()
                .collect::<Vec<_>>()
        };
        let before = flags(&source);
        let updated = [("copied", 0), ("flags_updated", u64::from(follows))];
        copy(&source, &target, &[options, &["--dry-run"]].concat())
            .ended(0)
            .counts(&updated);
        copy(&source, &target, options).ended(0).counts(&updated);
        let joined: &[&str] = &["$Mine", "$Work", "\\Answered", "\\Flagged"];
        let own: &[&str] = &["$Mine", "\\Flagged"];
        assert_eq!(
            flags(&target),
            if follows { joined } else { own },
            "{options:?}"
        );
        assert_eq!(flags(&source), before);
        copy(&source, &target, options)
            .ended(0)
            .counts(&[("flags_updated", 0)]);
    }
}

#[test]
fn a_dry_run_tells_everything_and_writes_nothing() {
    let source = account_with("dry", &["INBOX", "Sent Items", "Notes"]);
    Client::login(&source).subscribe(&["Notes"]);
    let target = account_with("dryto", &["Sent"]);
    // A flag that is to be carried over.
    let mut client = Client::login(&target);
    client.append(&["INBOX"], letters("INBOX", 1));
    let mut client = Client::login(&source);
    client.select(&["INBOX"]);
    client.store("1", "+FLAGS", "\\Seen");
    let before = [snapshot(&source), snapshot(&target)];
    let proxies = [&source, &target].map(|account| Proxy::start(account.port, Plan::default()));
    let (by_source, by_target) = (
        source.by_port(proxies[0].port),
        target.by_port(proxies[1].port),
    );

    let will = [
        ("copied", 2),
        ("folders_created", 1),
        ("flags_updated", 1),
        ("already_there", 1),
    ];
    let run_it =
        |options: &[&str]| copy(&by_source, &by_target, &[&["--dry-run"], options].concat());
    let told = run_it(&[]).ended(0).counts(&will);
    assert!(told.summary()["dry_run"] == true);
    run_it(&["--exit-code"]).ended(4).counts(&will);
    let (from, to) = (by_source.plain_address(), by_target.plain_address());
    let text = run(&["copy", &from, &to, "--dry-run"]).ended(0).stdout;
    let line = |name: &str| {
        text.lines()
            .find(|line| line.contains(name))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(line("FROM").contains("TO"), "{text}");
    for (name, words) in [
        ("Sent Items", ["→  Sent ", "paired by role"]),
        ("Notes", ["→  Notes ", "new"]),
    ] {
        assert!(words.iter().all(|word| line(name).contains(word)), "{text}");
    }

    assert_eq!([snapshot(&source), snapshot(&target)], before);
    for command in proxies
        .iter()
        .flat_map(Proxy::traffic)
        .flat_map(|traffic| traffic.commands)
    {
        let verb = command.split(' ').nth(1).unwrap();
        let writes = [
            "SELECT",
            "CREATE",
            "APPEND",
            "SUBSCRIBE",
            "STORE",
            "EXPUNGE",
            "CLOSE",
            "COPY",
            "MOVE",
        ];
        assert!(
            !writes.contains(&verb) && !command.contains("UID STORE"),
            "{command}"
        );
    }
    copy(&source, &target, &[]).ended(0).counts(&will);
    run_it(&["--exit-code"]).ended(0).counts(&[
        ("copied", 0),
        ("folders_created", 0),
        ("flags_updated", 0),
    ]);
}

#[test]
fn folders_lists_what_is_there_with_the_quota() {
    for kind in [Personality::Tiny, Personality::Dot, Personality::Poor] {
        let account = Dovecot::shared().account("listing", kind);
        let mut client = Client::login(&account);
        client.create(&["Sent"]);
        client.create(&["Übersicht & mehr"]);
        client.subscribe(&["Übersicht & mehr"]);
        client.append(&["Übersicht & mehr"], letters("x", 3));
        client.select(&["Übersicht & mehr"]);
        client.store("1", "+FLAGS", "\\Seen");
        let address = account.plain_address();
        let listed = run(&["folders", &address, "--output", "json"]).ended(0);
        let rows = listed.named("folder");
        let row = rows
            .iter()
            .find(|row| row["name"] == "Übersicht & mehr")
            .unwrap();
        let numbers = ["messages", "unread", "bytes"].map(|field| row[field].as_u64().unwrap());
        assert_eq!(numbers, [3, 2, 600], "{kind:?}");
        assert!(row["subscribed"] == true && row["role"].is_null(), "{row}");
        assert!(
            rows.iter()
                .any(|row| row["name"] == "Sent" && row["role"] == "sent"),
            "{listed:?}"
        );
        listed.counts(&[("folders", 3), ("messages", 3), ("bytes", 600)]);
        let text = run(&["folders", &address]).ended(0).stdout;
        assert!(
            text.contains("Übersicht & mehr") && text.contains("3 folders"),
            "{text}"
        );
        if kind == Personality::Tiny {
            let listed = run(&["folders", &address, "--output", "json"]);
            assert_eq!(
                (listed.count("quota.used"), listed.count("quota.limit")),
                (1024, 65_536)
            );
            assert!(text.contains("quota: 1.0 KiB of 64.0 KiB used"), "{text}");
        }
    }
}

#[test]
fn a_folder_that_was_asked_for_by_name_and_is_not_there_ends_the_run_before_it_writes() {
    let source = account_with("typo-src", &["INBOX", "Work", "Lists"]);
    let target = account("typo-dst");
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), "INBOX\nWorc\n").unwrap();
    let from_list = ["--folders-from", list.path().to_str().unwrap()];
    let nothing = |run: Run, name: &str| {
        let run = run.ended(2);
        assert!(
            run.stderr.contains(&format!("{name} (did you mean Work?)")),
            "{run:?}"
        );
        assert_eq!(filled(&target), []);
        assert_eq!(snapshot(&target).folders.len(), 1, "a folder was made");
    };
    let typed = ["--folder", "INBOX", "--folder", "Wrok"];
    nothing(copy(&source, &target, &typed), "Wrok");
    nothing(copy(&source, &target, &from_list), "Worc");
    nothing(
        copy(&source, &target, &[&typed[..], &["--dry-run"]].concat()),
        "Wrok",
    );
    nothing(verify(&source, &target, &typed), "Wrok");
    let state = tempfile::tempdir().unwrap();
    let state = state.path().to_str().unwrap();
    for more in [&["--dry-run"][..], &[]] {
        nothing(
            sync(
                &source,
                &target,
                &[&typed[..], &["--state", state], more].concat(),
            ),
            "Wrok",
        );
    }
    // What only matches nothing is a warning.
    let idle = [
        "--folder",
        "Lists",
        "--folder",
        "W*x",
        "--exclude",
        "Junk",
        "--map",
        "Drafts=Sent",
    ];
    let warned = copy(&source, &target, &[&idle[..], &["--dry-run"]].concat()).ended(0);
    for option in ["--folder 'W*x'", "--exclude 'Junk'", "--map 'Drafts=Sent'"] {
        assert!(
            warned
                .stderr
                .contains(&format!("{option} matches no folder")),
            "{option}: {}",
            warned.stderr
        );
    }
    let warned = sync(
        &source,
        &target,
        &[&idle[..], &["--state", state, "--dry-run"]].concat(),
    )
    .ended(0);
    assert!(
        warned.stderr.contains("--exclude 'Junk' matches no folder"),
        "{}",
        warned.stderr
    );
    copy(&source, &target, &["--folder", "Work"])
        .ended(0)
        .counts(&[("copied", 1)]);
}
