//! The JSON of a report: it matches its schema, has the same facts as the run's events, and is
//! written however the run ended.

use super::{Reports, read, with_subject};
use crate::lab::client::Client;
use crate::lab::generator;
use crate::lab::mailboxes::{empty, filled, messages};
use crate::lab::memory::{Fake, Manner};
use crate::lab::proxy::{Plan, Proxy};
use crate::lab::run::{End, Run, Running, copy, run, sync, verify};
use crate::lab::schema::Schema;
use crate::lab::servers::{PASSWORD, Personality};
use serde_json::{Value, json};
use std::time::Duration;

/// Fails unless the report is as its schema says and has the numbers of the run's own lines.
#[track_caller]
fn agrees((run, report): &(Run, Value)) {
    assert_eq!(Schema::of_report().fault(report), None, "{report:#}");
    if report["summary"].is_null() {
        return;
    }
    let mut summary = report["summary"].clone();
    summary["event"] = json!("summary");
    assert_eq!(summary, run.summary());
    assert_eq!(report["status"], summary["status"]);
    for event in run.named("folder_planned") {
        let folder = folder(report, event["from"].as_str().unwrap());
        assert_eq!(
            [&folder["to"], &folder["reason"], &folder["messages"]],
            [&event["to"], &event["reason"], &event["messages"]]
        );
        assert_eq!(sum(folder, "copy"), event["copy"].as_u64().unwrap());
        assert_eq!(sum(folder, "delete"), event["delete"].as_u64().unwrap());
        assert_eq!(sum(folder, "keep"), event["keep"].as_u64().unwrap());
    }
    for kind in [
        "missing",
        "extra",
        "changed",
        "flags_differ",
        "dates_differ",
    ] {
        let of = |folder: &Value| folder["differences"][kind].as_u64().unwrap();
        let all: u64 = report["folders"].as_array().unwrap().iter().map(of).sum();
        assert_eq!(
            all,
            summary[kind].as_u64().unwrap_or(0),
            "{kind}: {report:#}"
        );
    }
    for (list, event) in [
        ("failures", "message_failed"),
        ("differences", "difference"),
        ("warnings", "warning"),
    ] {
        let listed = report[list]["listed"].as_array().unwrap().len();
        let folders = if list == "failures" {
            run.named("folder_failed").len()
        } else {
            0
        };
        assert_eq!(
            listed,
            run.named(event).len() + folders,
            "{list}: {report:#}"
        );
    }
}

#[track_caller]
fn folder<'a>(report: &'a Value, from: &str) -> &'a Value {
    let folders = report["folders"].as_array().unwrap();
    folders
        .iter()
        .find(|folder| folder["from"] == from)
        .unwrap_or_else(|| panic!("{from}: {folders:#?}"))
}

fn sum(folder: &Value, field: &str) -> u64 {
    folder["planned"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|planned| planned[field].as_u64())
        .sum()
}

fn texts(list: &Value, field: &str) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|one| one[field].as_str().unwrap_or("null").to_owned())
        .collect()
}

#[test]
fn a_copy_has_its_folders_years_largest_and_duplicates() {
    let reports = Reports::new();
    let source = filled(
        "reportcopy",
        (0..9)
            .map(|n| with_subject(n, &format!("letter {n}"), &"x".repeat(n * 100)))
            .collect(),
    );
    let mut client = Client::login(&source);
    let large = || with_subject(20, "=?utf-8?B?R3LDvMOfZSDimIM=?=", &"y\r\n".repeat(40_000));
    client.create(&["Old"]);
    client.append(
        &["Old"],
        vec![large(), large(), with_subject(21, "small", "z")].into_iter(),
    );
    let target = empty("reportcopydst", Personality::Plain);
    let state = tempfile::tempdir().unwrap();
    let go = |more: &[&str]| {
        copy(
            &source,
            &target,
            &[
                more,
                &[
                    "--state",
                    state.path().to_str().unwrap(),
                    "--map",
                    "Old=New",
                ],
            ]
            .concat(),
        )
    };

    let dry = reports.of(|options| go(&[options, &["--dry-run"]].concat()).ended(0));
    agrees(&dry);
    assert_eq!(
        (&dry.1["dry_run"], &folder(&dry.1, "Old")["done"]["copied"]),
        (&json!(true), &json!(0))
    );
    let done = reports.of(|options| go(options).ended(0));
    agrees(&done);
    let report = &done.1;
    let old = folder(report, "Old");
    assert_eq!([&old["to"], &old["reason"]], ["New", "mapped by --map"]);
    assert_eq!(
        [&old["done"]["copied"], &old["planned"][0]["on"]],
        [&json!(3), &json!("target")]
    );
    assert_eq!(report["sides"][1]["server"], "Dovecot", "{report:#}");

    let held = &report["holdings"][0];
    assert_eq!(held["largest"][0]["subject"], "Grüße ☃");
    assert_eq!(
        texts(&held["largest"], "folder")[..3],
        ["Old", "Old", "INBOX"]
    );
    let duplicate = &held["duplicates"]["listed"][0];
    assert_eq!(
        [&duplicate["folder"], &duplicate["count"]],
        [&json!("Old"), &json!(2)]
    );
    let years: Vec<(i64, u64)> = (held["years"].as_array().unwrap().iter())
        .map(|sum| {
            (
                sum["year"].as_i64().unwrap(),
                sum["messages"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        years,
        [
            (2015, 1),
            (2016, 1),
            (2017, 3),
            (2018, 2),
            (2019, 1),
            (2020, 1),
            (2021, 1),
            (2022, 1),
            (2023, 1)
        ]
    );
    let steps = report["throughput"]["steps"].as_array().unwrap();
    let through: u64 = steps
        .iter()
        .map(|step| step["messages"].as_u64().unwrap())
        .sum();
    assert_eq!(through, 12);

    // What is known from that run is not read again, and that is said.
    let again = reports.of(|options| go(options).ended(0));
    agrees(&again);
    let held = again.1["holdings"][0]["folders"].as_array().unwrap();
    assert!(
        held.iter()
            .all(|folder| folder["unread"] == folder["messages"]),
        "{held:#?}"
    );
}

#[test]
fn a_mirror_and_a_move_say_where_is_deleted() {
    let reports = Reports::new();
    let (source, target) = (
        filled("reportmirror", messages(3)),
        filled("reportmirrordst", messages(6)),
    );
    let mirror = reports.of(|options| {
        copy(
            &source,
            &target,
            &[options, &["--delete", "--max-delete", "100%"]].concat(),
        )
        .ended(0)
    });
    agrees(&mirror);
    let inbox = folder(&mirror.1, "INBOX");
    assert_eq!(
        (sum(inbox, "delete"), &inbox["done"]["deleted"]),
        (3, &json!(3)),
        "{inbox:#}"
    );
    Client::login(&target).append(&["INBOX"], messages(8).into_iter().skip(6));
    let kept = reports
        .of(|options| copy(&source, &target, &[options, &["--keep-deleted"]].concat()).ended(0));
    agrees(&kept);
    let inbox = folder(&kept.1, "INBOX");
    assert_eq!(
        (sum(inbox, "keep"), &inbox["done"]["kept"]),
        (2, &json!(2)),
        "{inbox:#}"
    );
    assert_eq!(
        (sum(inbox, "delete"), &kept.1["summary"]["kept"]),
        (0, &json!(2))
    );
    let moved =
        reports.of(|options| copy(&source, &target, &[options, &["--move"]].concat()).ended(0));
    agrees(&moved);
    let inbox = folder(&moved.1, "INBOX");
    assert_eq!(
        [&inbox["planned"][1]["on"], &inbox["planned"][1]["delete"]],
        [&json!("source"), &json!(3)]
    );
    assert_eq!(inbox["done"]["deleted"], 3);
}

#[test]
fn a_plan_that_is_carried_out_has_what_was_done_and_what_was_refused() {
    let reports = Reports::new();
    let (source, target) = (
        filled("reportplan", messages(3)),
        empty("reportplandst", Personality::Plain),
    );
    let mut client = Client::login(&source);
    client.create(&["Other"]);
    client.append(&["Other"], messages(2).into_iter());
    let plan = reports.path("a.plan").display().to_string();
    copy(&source, &target, &["--dry-run", "--save-plan", &plan]).ended(0);
    // What the plan would copy is gone: its folder is left alone whole.
    client.select(&["Other"]);
    client.expunge("2");
    let apply =
        |more: &[&str]| run(&[&["apply", &plan, "--output", "json"], more].concat()).ended(3);
    let dry = reports.of(|options| apply(&[options, &["--dry-run"]].concat()));
    agrees(&dry);
    assert_eq!(
        [&dry.1["command"], &dry.1["dry_run"]],
        [&json!("apply"), &json!(true)]
    );
    let done = reports.of(apply);
    agrees(&done);
    assert_eq!(done.1["summary"]["copied"], 3);
    assert_eq!(folder(&done.1, "INBOX")["done"]["copied"], 3);
    let reason = done.1["failures"]["listed"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("changed since the plan was made"),
        "{reason}"
    );
    let page = reports.path("done.html");
    apply(&["--report", page.to_str().unwrap()]);
    assert!(
        std::fs::read_to_string(page)
            .unwrap()
            .contains("changed since the plan was made")
    );
    // A plan that is none is told in the report, too.
    std::fs::write(&plan, "no plan").unwrap();
    let none = reports
        .of(|options| run(&[&["apply", &plan, "--output", "json"], options].concat()).ended(2));
    agrees(&none);
    assert_eq!(none.1["error"]["kind"], "usage");
}

#[test]
fn what_options_left_out_is_named_and_counted() {
    let reports = Reports::new();
    let source = filled("reportleft", messages(5));
    let mut client = Client::login(&source);
    client.create(&["Junk"]);
    client.append(&["Junk"], messages(3).into_iter());
    client.create(&["Old"]);
    client.append(
        &["Old"],
        vec![
            with_subject(3, "small", "x"),
            with_subject(4, "large", &"y".repeat(9000)),
        ]
        .into_iter(),
    );
    let target = empty("reportleftdst", Personality::Plain);
    let junk = json!({"by":"--exclude","folders":[{"folder":"Junk","messages":3}],"messages":3});
    let large = json!({"by":"--max-size","folders":[],"messages":1});
    let limits = ["--exclude", "Junk", "--max-size", "5000"];

    let done = reports.of(|options| copy(&source, &target, &[options, &limits].concat()).ended(0));
    agrees(&done);
    let summary = done.0.summary();
    assert_eq!(summary["left_out"], json!([junk, large]));
    assert_eq!(
        (&summary["status"], done.0.count("skipped")),
        (&json!("complete"), 1)
    );
    let options =
        json!([{"option":"--exclude","value":"Junk"},{"option":"--max-size","value":"5000"}]);
    assert_eq!(
        [&summary["options"], &done.1["options"]],
        [&options, &options]
    );
    let addresses = [
        &summary["mailboxes"]["source"],
        &summary["mailboxes"]["target"],
    ]
    .map(|one| one.as_str().unwrap());
    assert!(
        addresses
            .iter()
            .all(|one| one.starts_with("imap") && !one.contains('?')),
        "{addresses:?}"
    );
    let started = done.1["started"].as_str().unwrap();
    assert!(
        started.len() == 25 && started[19..].contains(':'),
        "{started}: it has its zone"
    );

    let page = reports.path("left.html");
    let log = reports.path("log");
    let files = [
        "--report",
        page.to_str().unwrap(),
        "--log-file",
        log.to_str().unwrap(),
    ];
    let (from, to) = (source.plain_address(), target.plain_address());
    let people = run(&[&["copy", &from, &to][..], &files, &limits].concat()).ended(0);
    let lines: Vec<&str> = people.stdout.lines().collect();
    assert!(
        lines[0].starts_with("copy imap") && lines[0].ends_with("--exclude Junk --max-size 5000"),
        "{lines:?}"
    );
    assert_eq!(
        lines[1],
        "done, but 1 folder was left out by --exclude and 1 message by --max-size"
    );
    let told = [
        "  left out by --exclude: Junk (3 messages)",
        "  left out by --max-size: 1 message",
    ];
    assert_eq!(lines[lines.len() - 2..], told);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains(
            "complete, but 1 folder was left out by --exclude and 1 message by --max-size<"
        ),
        "{page}"
    );
    assert!(
        page.contains("Options: <bdi>--exclude Junk --max-size 5000</bdi>")
            && page.contains("<bdi>2 folders</bdi>")
    );
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("options: --exclude Junk --max-size 5000")
            && log.contains("left out by --exclude: Junk")
    );

    let equal = verify(&source, &target, &limits).ended(0);
    assert_eq!(equal.summary()["left_out"], json!([junk, large]));
    let state = tempfile::tempdir().unwrap();
    let state = ["--state", state.path().to_str().unwrap()];
    let both = reports
        .of(|options| sync(&source, &target, &[options, &limits[..2], &state].concat()).ended(0));
    agrees(&both);
    assert_eq!(both.1["summary"]["left_out"], json!([junk]));
    let named = run(&[&["sync", &from, &to, "--folder", "INBOX"][..], &state].concat()).ended(0);
    assert!(
        named.says("nothing to do, but 2 folders were left out by --folder"),
        "{named:?}"
    );
}

#[test]
fn a_sync_has_both_directions_and_how_conflicts_were_settled() {
    let reports = Reports::new();
    let (first, second) = (
        filled("reportone", messages(5)),
        filled("reporttwo", messages(3)),
    );
    let state = tempfile::tempdir().unwrap();
    let go = |more: &[&str]| {
        sync(
            &first,
            &second,
            &[more, &["--state", state.path().to_str().unwrap()]].concat(),
        )
    };
    let dry = reports.of(|options| go(&[options, &["--dry-run"]].concat()).ended(0));
    agrees(&dry);
    assert_eq!(
        dry.1["changes"]["listed"].as_array().unwrap().len(),
        dry.0.named("change").len()
    );
    let joined = reports.of(|options| go(options).ended(0));
    agrees(&joined);
    let inbox = folder(&joined.1, "INBOX");
    assert_eq!(
        [
            &inbox["already_there"],
            &inbox["planned"][1]["copy"],
            &inbox["done"]["copied"]
        ],
        [3, 2, 2]
    );
    assert_eq!(texts(&joined.1["holdings"], "side"), ["first", "second"]);

    let mut client = Client::login(&first);
    client.select(&["INBOX"]);
    client.store("1", "+FLAGS", "\\Deleted");
    client.expunge("1");
    let mut client = Client::login(&second);
    client.select(&["INBOX"]);
    client.store("1", "+FLAGS", "\\Flagged");
    client.append(
        &["INBOX"],
        vec![with_subject(1, "new on the second", "x")].into_iter(),
    );
    let settled = reports.of(|options| go(options).ended(0));
    agrees(&settled);
    let conflict = &settled.1["conflicts"]["listed"][0];
    assert_eq!(
        [&conflict["action"], &conflict["to"]],
        ["delete", "second"],
        "{:#}",
        settled.1
    );
    let told = settled.0.named("change");
    assert_eq!(conflict["reason"], told[0]["reason"]);
    let inbox = folder(&settled.1, "INBOX");
    assert_eq!(
        [
            &inbox["planned"][0]["copy"],
            &inbox["planned"][1]["delete"],
            &inbox["done"]["deleted"]
        ],
        [1, 1, 1]
    );
}

#[test]
fn a_comparison_has_its_differences_by_folder() {
    let reports = Reports::new();
    let (source, target) = (
        filled("reportverify", messages(4)),
        filled("reportverifydst", messages(3)),
    );
    let mut client = Client::login(&target);
    client.select(&["INBOX"]);
    client.store("1", "+FLAGS", "\\Flagged");
    client.create(&["Extra"]);
    client.append(&["Extra"], messages(2).into_iter());
    let found = reports.of(|options| verify(&source, &target, options).ended(4));
    agrees(&found);
    let report = &found.1;
    assert_eq!(
        [&report["exit_reason"], &report["holdings"][1]["side"]],
        ["they differ", "target"]
    );
    let differences = &folder(report, "INBOX")["differences"];
    assert_eq!(
        [&differences["missing"], &differences["flags_differ"]],
        [1, 1]
    );
    let extra = report["folders"]
        .as_array()
        .unwrap()
        .iter()
        .find(|folder| folder["to"] == "Extra")
        .unwrap();
    assert_eq!(
        (&extra["from"], &extra["differences"]["extra"]),
        (&Value::Null, &json!(2))
    );
}

#[test]
fn a_failure_has_its_reason() {
    let reports = Reports::new();
    let strict = Fake::start(Manner::default(), &[]);
    let holds_nul = Fake::start(Manner::default(), &[]);
    holds_nul.put(
        "INBOX",
        b"Message-ID: <nul@report.example>\r\nSubject: nul\r\n\r\n\0\r\n",
    );
    holds_nul.put(
        "INBOX",
        b"Message-ID: <good@report.example>\r\nSubject: good\r\n\r\ngood\r\n",
    );
    let ends = || {
        (
            End::plain(holds_nul.server.port, ""),
            End::plain(strict.server.port, ""),
        )
    };
    let partial = reports.of(|options| copy(ends().0, ends().1, options).ended(3));
    agrees(&partial);
    let (run, report) = &partial;
    assert_eq!(report["status"], "partial");
    let (failure, event) = (
        &report["failures"]["listed"][0],
        &run.named("message_failed")[0],
    );
    for member in ["folder", "uid", "message_id", "reason"] {
        assert_eq!(failure[member], event[member]);
    }
    let inbox = folder(report, "INBOX");
    assert_eq!([&inbox["failed"], &inbox["done"]["copied"]], [1, 1]);
}

#[test]
fn it_is_written_however_the_run_ends() {
    let reports = Reports::new();
    let (source, target) = (
        filled("reportends", messages(3)),
        filled("reportendsdst", messages(40)),
    );
    let braked =
        reports.of(|options| copy(&source, &target, &[options, &["--delete"]].concat()).ended(9));
    agrees(&braked);
    assert_eq!(braked.1["status"], "braked");
    let refused =
        reports.of(|options| copy(End::new(source.address(), "wrong"), &target, options).ended(5));
    agrees(&refused);
    assert_eq!(
        [&refused.1["status"], &refused.1["error"]["kind"]],
        ["stopped", "authentication"]
    );
    assert!(
        refused.1["summary"].is_null()
            && refused.1["exit_reason"] == "the server refused the login"
    );
    let nowhere =
        reports.of(|options| verify("imap://ann@127.0.0.1:1?tls=none", &target, options).ended(6));
    agrees(&nowhere);
    assert_eq!(
        nowhere.1["sides"][0]["address"],
        "imap://ann@127.0.0.1:1?tls=none"
    );
}

#[test]
fn an_interrupted_run_leaves_its_report() {
    let reports = Reports::new();
    let path = reports.path("report.json");
    let (source, target) = (
        empty("reportstop", Personality::Plain),
        empty("reportstopdst", Personality::Plain),
    );
    Client::login(&source).fill(&generator::mailbox(5, 400));
    let proxy = Proxy::start(target.port, Plan::round_trip(Duration::from_millis(20)));
    let (from, to) = (
        source.plain_address(),
        target.by_port(proxy.port).plain_address(),
    );
    let options = [
        "--output",
        "json",
        "-vv",
        "-j2",
        "--limit-rate",
        "1M",
        "--report",
        path.to_str().unwrap(),
    ];
    let running = Running::interruptible(&[&["copy", &from, &to][..], &options].concat());
    running.wait_for_line_with("message_copied");
    running.interrupt();
    let run = running.end().ended(130);
    let report = read(&path);
    agrees(&(run, report.clone()));
    assert_eq!(
        (&report["status"], &report["exit_code"]),
        (&json!("interrupted"), &json!(130))
    );
    let folders = report["folders"].as_array().unwrap();
    let copied: u64 = folders
        .iter()
        .map(|folder| folder["done"]["copied"].as_u64().unwrap())
        .sum();
    assert_eq!(Some(copied), report["summary"]["copied"].as_u64());
    let planned: u64 = folders.iter().map(|folder| sum(folder, "copy")).sum();
    assert!(copied > 0 && copied < planned, "{copied} of {planned}");
}

#[test]
fn what_cannot_be_written_is_said_before_the_run() {
    let reports = Reports::new();
    let name = reports.path("report.txt");
    // Nobody answers at these addresses: a run that began would end with 6.
    let nowhere = [
        "imap://ann@127.0.0.1:1?tls=none",
        "imap://bob@127.0.0.1:1?tls=none",
    ];
    let with = |verb: &str, path: &str| run(&[&[verb][..], &nowhere, &["--report", path]].concat());
    for verb in ["copy", "sync", "verify"] {
        let refused = with(verb, name.to_str().unwrap()).ended(2);
        assert!(
            refused.stderr.contains("FILE.html") && refused.stderr.contains("FILE.json"),
            "{}",
            refused.stderr
        );
        let absent = with(verb, "/nonexistent/report.html").ended(1);
        assert!(
            absent
                .stderr
                .contains("could not write the report /nonexistent/report.html"),
            "{}",
            absent.stderr
        );
    }
    assert_eq!(std::fs::read_dir(reports.0.path()).unwrap().count(), 0);
}

#[test]
fn a_report_that_can_not_be_written_in_the_end_is_an_error() {
    let (source, target) = (
        filled("reportlost", messages(2)),
        empty("reportlostdst", Personality::Plain),
    );
    let reports = Reports::new();
    let directory = reports.path("gone");
    std::fs::create_dir(&directory).unwrap();
    // The password is asked for when the report has begun.
    let command = format!("rmdir {}; echo {PASSWORD}", directory.display());
    let report = directory.join("report.html");
    let options = [
        "--source-password-command",
        &command,
        "--report",
        report.to_str().unwrap(),
    ];
    let (from, to) = (source.plain_address(), target.plain_address());
    let lost = run(&[&["copy", &from, &to][..], &options].concat()).ended(1);
    assert!(
        lost.stderr.contains("could not write the report"),
        "{}",
        lost.stderr
    );
    assert_eq!(
        Client::login(&target).snapshot().count(),
        2,
        "the copy itself was made"
    );
}

#[test]
fn everything_in_the_schema_is_described_for_people() {
    let (schema, text) = (
        Schema::of_report(),
        include_str!("../../../../docs/json.md"),
    );
    let text = text
        .split_once("## A report")
        .unwrap()
        .1
        .split_once("## Examples")
        .unwrap()
        .0;
    for name in schema.names() {
        assert!(
            text.contains(&format!("`{name}`")) || text.contains(&format!("\"{name}\"")),
            "docs/json.md: {name}"
        );
    }
}

#[test]
fn the_schema_refuses_what_is_not_so() {
    let reports = Reports::new();
    let nowhere = [
        "imap://ann@127.0.0.1:1?tls=none",
        "imap://bob@127.0.0.1:1?tls=none",
    ];
    let (_, good) = reports.of(|options| copy(nowhere[0], nowhere[1], options).ended(6));
    let schema = Schema::of_report();
    assert_eq!(schema.fault(&good), None);
    for (pointer, value) in [
        ("/status", json!("well")),
        ("/sides/0/name", json!("left")),
        ("/warnings/more", json!(-1)),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(schema.fault(&bad).is_some(), "{pointer}");
    }
}
