//! Two accounts, with or without a state, and copies between them in this process.

use super::scenarios::{Scenario, fill_account};
use crate::faults::injector::{self, AtWrites};
use crate::lab::client::{Client, Content};
use crate::lab::mailboxes::{assert_no_damage, assert_nothing_beyond, at};
use crate::lab::servers::{Account, Dovecot, PASSWORD, Personality};
use crate::lab::wire::Value;
use mailferry::address::ImapAddress;
use mailferry::event::{Event, Observer, Run, Stop};
use mailferry::folders::{Options, Rules};
use mailferry::imap::Secret;
use mailferry::mail::{Both, Side};
use mailferry::net::FaultInjector;
use mailferry::plan::planned::Planned;
use mailferry::state::{Mailboxes, PairName, State, StateDirectory};
use mailferry::store::imap::{self, AccountRun};
use mailferry::store::{Access, Error};
use mailferry::verbs::{self, CopyOptions, CopySummary, Deleting, PlanUse};
use std::io::Write as _;
use std::sync::{Arc, Mutex};

/// What a step works on: all of it is its own.
pub(crate) struct Ground {
    pub(crate) source: Account,
    pub(crate) target: Account,
    options: CopyOptions,
    /// The plan that runs carry out, once one was made.
    plan: Mutex<Option<Arc<Planned>>>,
    state: Option<tempfile::TempDir>,
    log: Arc<Log>,
}

impl Ground {
    pub(crate) fn new(scenario: &Scenario, with_state: bool) -> Self {
        let dovecot = Dovecot::shared();
        // Only an account with rights can have others' to copy.
        let source = match scenario.target {
            Personality::Acl => Personality::Acl,
            _ => Personality::Plain,
        };
        Self {
            source: dovecot.account("from", source),
            target: dovecot.account("to", scenario.target),
            options: (scenario.options)(),
            plan: Mutex::default(),
            state: with_state.then(|| tempfile::tempdir().unwrap()),
            log: Arc::default(),
        }
    }

    /// Whether a run finds what the last one left.
    pub(crate) fn has_state(&self) -> bool {
        self.state.is_some()
    }

    /// Makes a plan of what the scenario's copy would do; from now on runs carry it out and nothing
    /// else.
    pub(crate) fn make_plan(&self) {
        let options = CopyOptions {
            dry_run: true,
            plan: PlanUse::Keep,
            ..self.options.clone()
        };
        let (_, planned) = self.run(&options, &[]).unwrap();
        *self.plan.lock().unwrap() = Some(Arc::new(planned));
    }

    /// Runs the scenario's copy, as another process would, with faults on these sides.
    pub(crate) fn copy(&self, faults: &[(Side, &Arc<AtWrites>)]) -> Result<CopySummary, Error> {
        let plan = self
            .plan
            .lock()
            .unwrap()
            .clone()
            .map_or(PlanUse::Nothing, PlanUse::Only);
        self.run(
            &CopyOptions {
                plan,
                ..self.options.clone()
            },
            faults,
        )
        .map(|(summary, _)| summary)
    }

    fn run(
        &self,
        options: &CopyOptions,
        faults: &[(Side, &Arc<AtWrites>)],
    ) -> Result<(CopySummary, Planned), Error> {
        self.log.note(format!("--- a run, faults: {faults:?}"));
        let (source, target) = (address(&self.source), address(&self.target));
        let kept = self.state.as_ref().map(|directory| {
            let (source, target) = (source.identity(), target.identity());
            let (directory, pair) = (
                StateDirectory::open(directory.path()).unwrap(),
                PairName::new(&source, &target),
            );
            let lock = injector::lock(&directory, &pair);
            let mailboxes = Mailboxes {
                source: &source,
                target: &target,
            };
            (
                State::open(&directory, &pair, &lock, &mailboxes).unwrap(),
                lock,
            )
        });
        let stop = Arc::new(Stop::new());
        let source_access = match options.deleting {
            Deleting::Source(_) => Access::ReadWrite,
            Deleting::Nothing | Deleting::Mirror(_) => Access::ReadOnly,
        };
        let source = self.account(&source, Side::SOURCE, source_access, &stop, faults);
        let target = self.account(&target, Side::TARGET, Access::ReadWrite, &stop, faults);
        let state = kept.as_ref().map(|(state, _)| state);
        let rules = Rules::new(&Options::default()).unwrap();
        let run = Run {
            stop: &stop,
            observer: self.log.as_ref(),
        };
        verbs::copy(Both::new(&source, &target), &rules, options, state, run)
    }

    fn account(
        &self,
        address: &ImapAddress,
        side: Side,
        access: Access,
        stop: &Arc<Stop>,
        faults: &[(Side, &Arc<AtWrites>)],
    ) -> imap::Account {
        let run = AccountRun {
            observer: Arc::<Log>::clone(&self.log),
            trace: true,
            stop: Arc::clone(stop),
        };
        let account =
            imap::Account::new(address, Secret::fixed(PASSWORD.into()), side, access, run).unwrap();
        match faults.iter().find(|(of, _)| *of == side) {
            Some((_, faults)) => {
                account.with_faults(Arc::<AtWrites>::clone(faults) as Arc<dyn FaultInjector>)
            }
            None => account,
        }
    }

    /// A client on the source.
    pub(crate) fn on_source(&self) -> Client {
        Client::login(&self.source)
    }

    /// A client on the target.
    pub(crate) fn on_target(&self) -> Client {
        Client::login(&self.target)
    }

    /// Nothing on the target that the source has not, or less often.
    pub(crate) fn assert_no_damage(&self) {
        assert_no_damage(&self.source, &self.target);
    }

    /// What the source held at first: of an account that was filled the same way.
    fn first_content(&self) -> Content {
        let mut client = Client::login(&Dovecot::shared().account("like", Personality::Plain));
        fill_account(&mut client);
        client.snapshot().content()
    }

    /// Every message is still on one side at least, and none is twice on the target.
    pub(crate) fn assert_nothing_lost(&self) {
        let first = self.first_content();
        let (source, target) = (
            self.on_source().snapshot().content(),
            self.on_target().snapshot().content(),
        );
        assert_nothing_beyond(&first, &target);
        for (folder, messages) in &first {
            let empty = Vec::new();
            let (here, there) = (
                source.get(folder).unwrap_or(&empty),
                target.get(folder).unwrap_or(&empty),
            );
            let is_there = |message| here.contains(message) || there.contains(message);
            assert!(
                messages.iter().all(is_there) && here.len() + there.len() >= messages.len(),
                "{folder:?}"
            );
        }
    }

    /// What the target holds, kept messages in the folders where they were.
    fn where_it_was(&self) -> Content {
        let mut all = Content::new();
        for (levels, messages) in self.on_target().snapshot().content() {
            let levels = if levels[0] == "Vanished" {
                levels[2..].to_vec()
            } else {
                levels
            };
            all.entry(levels).or_default().extend(messages);
        }
        all
    }

    /// Every message that the source had at first is on the target, where it was or kept.
    pub(crate) fn assert_all_on_target(&self) {
        let there = self.where_it_was();
        let counted =
            |messages: &[_], message| messages.iter().filter(|other| *other == message).count();
        for (folder, messages) in &self.first_content() {
            let is_there = |message| counted(&there[folder], message) >= counted(messages, message);
            assert!(messages.iter().all(is_there), "{folder:?}");
        }
    }

    /// The target has what the source has, what it had at first is kept, and nothing is there
    /// twice.
    pub(crate) fn assert_kept(&self) {
        let (first, there) = (self.first_content(), self.where_it_was());
        assert_nothing_beyond(&first, &there);
        assert_nothing_beyond(&there, &first);
        let mut target = self.on_target().snapshot();
        target.folders.retain(|levels, _| levels[0] != "Vanished");
        let source = self.on_source().snapshot();
        assert_nothing_beyond(&target.content(), &source.content());
        assert_eq!(
            source.folders.keys().collect::<Vec<_>>(),
            target.folders.keys().collect::<Vec<_>>()
        );
        assert_eq!(source.subscribed, target.subscribed);
    }

    /// The target has all that the source had at first, and the source has nothing.
    pub(crate) fn assert_moved(&self) {
        let target = self.on_target().snapshot().content();
        let first = self.first_content();
        assert_nothing_beyond(&first, &target);
        assert_nothing_beyond(&target, &first);
        assert_eq!(self.on_source().snapshot().count(), 0);
    }

    /// The target has the source's messages with their flags and dates, its subscriptions, and
    /// nothing else.
    pub(crate) fn assert_equal(&self) {
        let (source, target) = (self.on_source().snapshot(), self.on_target().snapshot());
        assert_nothing_beyond(&source.content(), &target.content());
        assert_nothing_beyond(&target.content(), &source.content());
        assert_eq!(
            source.folders.keys().collect::<Vec<_>>(),
            target.folders.keys().collect::<Vec<_>>()
        );
        assert_eq!(source.subscribed, target.subscribed);
    }
}

impl Ground {
    /// Others have the same rights on both sides.
    pub(crate) fn assert_same_rights(&self) {
        for folder in ["INBOX", "one", "two", "Drafts"] {
            let of = |mut client: Client, account: &Account| {
                let (listed, _) = client.try_command(&format!("GETACL {folder}"));
                let words: Vec<String> = listed
                    .iter()
                    .flat_map(|line| line.iter().skip(3).map(Value::text))
                    .collect();
                let entries = words.chunks(2).map(<[String]>::to_vec);
                entries
                    .filter(|entry| entry[0] != account.user)
                    .collect::<Vec<_>>()
            };
            let source = of(self.on_source(), &self.source);
            assert_eq!(source, of(self.on_target(), &self.target), "{folder}");
        }
    }
}

/// Tells what happened where a step fails.
impl Drop for Ground {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("MAILFERRY_STEP").is_some() {
            let lines = self.log.0.lock().unwrap().join("\n");
            drop(writeln!(std::io::stderr(), "{lines}"));
        }
    }
}

fn address(account: &Account) -> ImapAddress {
    ImapAddress::parse(&at(account)).unwrap()
}

/// What happened, and what went over the wire.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        self.note(match event {
            Event::Trace {
                side,
                connection,
                direction,
                line,
            } => {
                format!(
                    "{} {connection} {direction:?}: {}",
                    side.name(),
                    String::from_utf8_lossy(line)
                )
            }
            event => format!("{event:?}"),
        });
    }
}
