//! `copy --keep-deleted`: mail that the source no longer has moves to a dated folder on the target,
//! whatever kind of mailbox that is; it is never lost or duplicated, and no later copy mirrors it.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use crate::lab::client::{Client, Content, Snapshot};
use crate::lab::generator::random::{self, Random};
use crate::lab::mailboxes::{each, empty, messages};
use crate::lab::pair::{letter, letters};
use crate::lab::run::{End, Run, Running, copy, mailferry, verify};
use crate::lab::servers::{Account, Personality};
use jiff::Timestamp;
use std::process::Command;
use std::time::Duration;

/// What the target is: a server with MOVE, servers without, one with a prefix, and directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Server(Personality),
    Maildir,
    Mbox,
}

const KINDS: [Kind; 6] = [
    Kind::Server(Personality::Plain),
    Kind::Server(Personality::NoLiteral),
    Kind::Server(Personality::Poor),
    Kind::Server(Personality::Dot),
    Kind::Maildir,
    Kind::Mbox,
];

/// A day by the zone in which the run takes place: it is about noon there, or just the next day.
#[derive(Clone, Copy)]
enum Day {
    Today,
    Tomorrow,
}

impl Day {
    fn offset(self) -> i64 {
        let hour = Timestamp::now().as_second() / 3600 % 24;
        12 - hour + if matches!(self, Self::Today) { 0 } else { 12 }
    }

    /// As the variable `TZ` has it: what is to be added to come to UTC.
    fn zone(self) -> String {
        format!("LAB{}", -self.offset())
    }

    /// As folders have it.
    fn name(self) -> String {
        Timestamp::from_second(Timestamp::now().as_second() + self.offset() * 3600)
            .unwrap()
            .strftime("%F")
            .to_string()
    }
}

/// A mailbox and its backup.
struct Ground {
    source: Account,
    target: End,
    root: tempfile::TempDir,
}

impl Ground {
    fn new(kind: Kind) -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory =
            |form: &str| End::from(&format!("{form}:{}", root.path().join("backup").display()));
        let target = match kind {
            Kind::Server(personality) => End::tls(&empty("keepto", personality)),
            Kind::Maildir => directory("maildir"),
            Kind::Mbox => directory("mbox"),
        };
        Self {
            source: empty("keepfrom", Personality::Plain),
            target,
            root,
        }
    }

    fn client(&self) -> Client {
        Client::login(&self.source)
    }

    fn command(&self, day: Day, options: &[&str]) -> Command {
        let (source, state) = (
            self.source.address(),
            self.root.path().join("state").display().to_string(),
        );
        let fixed = [
            "copy",
            &source,
            &self.target.address,
            "--output",
            "json",
            "-vv",
            "--state",
            &state,
        ];
        let mut command = mailferry(&[&fixed[..], options].concat());
        command
            .env("TZ", day.zone())
            .env("MAILFERRY_TARGET_PASSWORD", &self.target.password);
        command
    }

    #[track_caller]
    fn copy(&self, day: Day, options: &[&str]) -> Run {
        Run::of(&mut self.command(day, options))
    }

    #[track_caller]
    fn keep(&self, day: Day) -> Run {
        self.copy(day, &["--delete", "--keep-deleted"])
    }

    /// What the target holds, by a server that everything in it was copied to.
    #[track_caller]
    fn there(&self) -> Snapshot {
        let seen = empty("keepseen", Personality::Plain);
        let all = ["--folder", "**", "--folder", "Vanished/**"];
        copy(self.target.clone(), End::tls(&seen), &all).ended(0);
        Client::login(&seen).snapshot()
    }

    /// Both sides hold the same, but for what is kept.
    #[track_caller]
    fn assert_equal(&self) {
        verify(End::tls(&self.source), self.target.clone(), &["--deep"])
            .ended(0)
            .counts(&[("missing", 0), ("extra", 0)]);
    }
}

/// A folder of the day.
fn kept<'a>(
    there: &'a Snapshot,
    day: Day,
    folder: &[&str],
) -> &'a [crate::lab::client::StoredMessage] {
    let day = day.name();
    there.folder(&[&["Vanished", &day], folder].concat())
}

/// Removes messages as a mail program does.
fn expunge(client: &mut Client, folder: &[&str], uids: &str) {
    client.select(folder);
    client.expunge(uids);
}

#[test]
fn what_vanished_is_kept_by_day_and_folder_and_never_mirrored() {
    each(KINDS, |kind| {
        let ground = Ground::new(kind);
        let mut client = ground.client();
        for folder in [
            &["Work"][..],
            &["Work", "Deep"],
            &["Gone"],
            &["Gone", "Too"],
        ] {
            client.create(folder);
        }
        client.append(&["INBOX"], messages(10).into_iter());
        client.append(&["Work", "Deep"], letters("deep", 4));
        client.append(&["Gone"], letters("gone", 3));
        client.append(&["Gone", "Too"], letters("too", 1));
        let before = client.snapshot();
        ground
            .keep(Day::Today)
            .ended(0)
            .counts(&[("copied", 18), ("kept", 0)]);

        expunge(&mut client, &["INBOX"], "2:3");
        expunge(&mut client, &["Work", "Deep"], "1");
        client.command("DELETE Gone/Too");
        client.command("DELETE Gone");
        let counts = [
            ("kept", 7),
            ("deleted", 0),
            ("folders_deleted", 2),
            ("copied", 0),
        ];
        let dry = ground
            .copy(Day::Today, &["--delete", "--keep-deleted", "--dry-run"])
            .ended(0)
            .counts(&counts);
        assert_eq!(dry.named("message_kept").len(), 7);
        assert!(dry.named("message_deleted").is_empty());
        assert_eq!(ground.there().count(), 18, "a dry run moves nothing");
        let run = ground.keep(Day::Today).ended(0).counts(&counts);
        assert_eq!(
            run.texts("message_kept", "to"),
            dry.texts("message_kept", "to")
        );
        assert_eq!(run.texts("folder_deleted", "folder"), ["Gone", "Gone/Too"]);

        let there = ground.there();
        let same = |folder: &[&str], numbers: std::ops::Range<usize>| {
            let of = |messages: &[crate::lab::client::StoredMessage]| {
                let plain =
                    |m: &crate::lab::client::StoredMessage| (m.sha256, m.flags.clone(), m.seconds);
                let mut all: Vec<_> = messages.iter().map(plain).collect();
                all.sort();
                all
            };
            assert_eq!(
                of(kept(&there, Day::Today, folder)),
                of(&before.folder(folder)[numbers]),
                "{kind:?} {folder:?}"
            );
        };
        same(&["INBOX"], 1..3);
        same(&["Work", "Deep"], 0..1);
        same(&["Gone"], 0..3);
        same(&["Gone", "Too"], 0..1);
        assert_eq!(
            there.count(),
            18,
            "{kind:?}: nothing is lost, and nothing is doubled"
        );
        assert!(!there.folders.contains_key(&vec!["Gone".to_owned()]));
        ground.assert_equal();

        // Again, and by a mirror that keeps nothing: what is kept is nothing to mirror.
        ground.keep(Day::Today).ended(0).counts(&[
            ("kept", 0),
            ("copied", 0),
            ("already_there", 11),
        ]);
        ground
            .copy(Day::Today, &["--delete"])
            .ended(0)
            .counts(&[("deleted", 0), ("folders_deleted", 0)]);

        // More on the same day, and on the next.
        expunge(&mut client, &["INBOX"], "1");
        ground.keep(Day::Today).ended(0).counts(&[("kept", 1)]);
        expunge(&mut client, &["INBOX"], "4:5");
        ground.keep(Day::Tomorrow).ended(0).counts(&[("kept", 2)]);
        let there = ground.there();
        let counts = [Day::Today, Day::Tomorrow].map(|day| kept(&there, day, &["INBOX"]).len());
        assert_eq!((counts, there.count()), ([3, 2], 18), "{kind:?}");
        ground.assert_equal();
        ground
            .keep(Day::Tomorrow)
            .ended(0)
            .counts(&[("kept", 0), ("copied", 0)]);
    });
}

#[test]
fn what_is_kept_comes_back_by_name_and_by_nothing_else() {
    let ground = Ground::new(Kind::Maildir);
    let mut client = ground.client();
    client.create(&["Work"]);
    client.append(&["INBOX"], messages(5).into_iter());
    client.append(&["Work"], letters("work", 5));
    let before = client.snapshot().content();
    ground.keep(Day::Today).ended(0);
    expunge(&mut client, &["INBOX"], "1:2");
    expunge(&mut client, &["Work"], "4");
    ground.keep(Day::Today).ended(0).counts(&[("kept", 3)]);
    // A plain restore brings what the mailbox had at last, and says what else there is.
    let restored = empty("restored", Personality::Plain);
    let run = copy(ground.target.clone(), End::tls(&restored), &[])
        .ended(0)
        .counts(&[("copied", 7)]);
    assert!(run.says("--folder 'Vanished/**'"), "{}", run.stderr);
    let regex = "s#^Vanished/[^/]*/##";
    let options = ["--folder", "Vanished/**", "--map-regex", regex];
    copy(ground.target.clone(), End::tls(&restored), &options)
        .ended(0)
        .counts(&[("copied", 3)]);
    assert_eq!(Client::login(&restored).snapshot().content(), before);
}

#[test]
fn the_brake_counts_what_would_be_kept() {
    let ground = Ground::new(Kind::Server(Personality::Plain));
    let mut client = ground.client();
    client.append(&["INBOX"], letters("mail", 50));
    ground.keep(Day::Today).ended(0);
    expunge(&mut client, &["INBOX"], "1:30");
    let run = ground.keep(Day::Today).ended(9).counts(&[("kept", 0)]);
    assert!(run.says("--max-delete 30"), "{}", run.stderr);
    ground
        .copy(Day::Today, &["--keep-deleted", "--max-delete", "100%"])
        .ended(0)
        .counts(&[("kept", 30)]);
    assert_eq!(kept(&ground.there(), Day::Today, &["INBOX"]).len(), 30);
    for options in [
        &["--keep-deleted", "--move"][..],
        &["--keep-deleted", "--since", "2024-01-01"],
    ] {
        ground.copy(Day::Today, options).ended(2);
    }
}

/// A run that died after it had copied messages to the folder of the day and before it had removed
/// them leaves both.
#[test]
fn what_a_dead_run_has_copied_already_is_not_kept_twice() {
    each([Personality::Plain, Personality::Poor], |personality| {
        let target = empty("halfto", personality);
        let ground = Ground {
            target: End::tls(&target),
            ..Ground::new(Kind::Maildir)
        };
        let mut client = ground.client();
        // Number 3 is there three times, and another one has its size and its date.
        let mut all: Vec<_> = letters("mail", 6).collect();
        all.extend([letter("mail 3"), letter("mail 3")]);
        client.append(&["INBOX"], all.into_iter());
        ground.keep(Day::Today).ended(0).counts(&[("copied", 8)]);
        let mut on_target = Client::login(&target);
        let folder = format!("Vanished/{}/INBOX", Day::Today.name());
        on_target.command(&format!("CREATE {folder}"));
        on_target.select(&["INBOX"]);
        on_target.command(&format!("UID COPY 1:2,4 {folder}"));
        client.select(&["INBOX"]);
        client.expunge("1:4,7:8");
        // Another day makes no difference.
        let run = ground.keep(Day::Tomorrow).ended(0).counts(&[("kept", 6)]);
        let to = run.texts("message_kept", "to");
        let today = to
            .iter()
            .filter(|to| to.contains(&Day::Today.name()))
            .count();
        assert_eq!((today, to.len()), (3, 6), "{to:?}");
        let there = ground.there();
        let counts = [Day::Today, Day::Tomorrow].map(|day| kept(&there, day, &["INBOX"]).len());
        assert_eq!((counts, there.count()), ([3, 3], 8), "{personality:?}");
        ground.assert_equal();
    });
}

#[test]
fn a_saved_plan_keeps_what_it_names_and_nothing_else() {
    let ground = Ground::new(Kind::Server(Personality::Plain));
    let mut client = ground.client();
    client.append(&["INBOX"], letters("mail", 10));
    ground.keep(Day::Today).ended(0);
    expunge(&mut client, &["INBOX"], "1:2");
    let plan = ground.root.path().join("keep.plan").display().to_string();
    ground
        .copy(
            Day::Today,
            &["--keep-deleted", "--dry-run", "--save-plan", &plan],
        )
        .ended(0)
        .counts(&[("kept", 2)]);
    let mut apply = mailferry(&["apply", &plan, "--output", "json"]);
    apply
        .env("TZ", Day::Tomorrow.zone())
        .env("MAILFERRY_TARGET_PASSWORD", &ground.target.password);
    Run::of(&mut apply)
        .ended(0)
        .counts(&[("kept", 2), ("deleted", 0)]);
    let there = ground.there();
    assert_eq!(
        (kept(&there, Day::Tomorrow, &["INBOX"]).len(), there.count()),
        (2, 10)
    );
}

/// What an account held, by the folders where it was.
fn where_it_was(there: &Snapshot) -> Content {
    let mut all = Content::new();
    for (levels, messages) in there.content() {
        let levels = if levels[0] == "Vanished" {
            levels[2..].to_vec()
        } else {
            levels
        };
        all.entry(levels).or_default().extend(messages);
    }
    all.values_mut().for_each(|messages| messages.sort());
    all
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_doubles_nothing() {
    let kills = random::number("MAILFERRY_KILLS", 8);
    each(
        [
            Kind::Server(Personality::Plain),
            Kind::Server(Personality::Poor),
            Kind::Maildir,
            Kind::Mbox,
        ],
        |kind| {
            let ground = Ground::new(kind);
            let mut client = ground.client();
            let mut random = Random::new(random::number("MAILFERRY_SEED", 7));
            for folder in ["a", "b", "c"] {
                client.create(&[folder]);
                client.append(
                    &[folder],
                    letters(folder, 10 * usize::try_from(kills).unwrap()),
                );
            }
            client.append(&["INBOX"], messages(10).into_iter());
            let before = client.snapshot().content();
            ground.keep(Day::Today).ended(0);
            let mut hits = 0;
            for kill in 0..kills {
                for folder in ["a", "b", "c"] {
                    expunge(
                        &mut client,
                        &[folder],
                        &format!("{}:{}", kill * 8 + 1, kill * 8 + 8),
                    );
                }
                for _ in 0..2 {
                    let run = Running::of(
                        &mut ground
                            .command(Day::Today, &["--keep-deleted", "--max-delete", "100%"]),
                    );
                    let has_ended = run.has_ended_before("\"planned\"", 1)
                        || random.below(2) == 0
                            && run.has_ended_before("message_kept", 1 + random.below(10) as usize);
                    std::thread::sleep(Duration::from_micros(random.below(20_000)));
                    hits += u64::from(run.kill() && !has_ended);
                }
            }
            ground
                .copy(Day::Today, &["--keep-deleted", "--max-delete", "100%"])
                .ended(0);
            assert_eq!(where_it_was(&ground.there()), before, "{kind:?}");
            assert!(
                hits >= kills,
                "{kind:?}: only {hits} runs were killed at work"
            );
            ground.assert_equal();
            ground
                .keep(Day::Today)
                .ended(0)
                .counts(&[("kept", 0), ("copied", 0)]);
        },
    );
}
