//! A connection that breaks while a copy is being planned, before anything is written.

use crate::lab::client::Client;
use crate::lab::generator;
use crate::lab::proxy::{At, Direction, How, Plan, Proxy};
use crate::lab::run::copy;
use crate::lab::servers::{Account, Dovecot, Personality};

/// Two accounts, the first of them with mail.
fn accounts(name: &str) -> [Account; 2] {
    let dovecot = Dovecot::shared();
    let account = |end: &str| dovecot.account(&format!("{name}{end}"), Personality::Plain);
    let [source, target] = [account("from"), account("to")];
    Client::login(&source).fill(&generator::mailbox(41, 120));
    [source, target]
}

fn assert_equal(source: &Account, target: &Account) {
    assert_eq!(
        Client::login(target).snapshot().content(),
        Client::login(source).snapshot().content()
    );
}

#[test]
fn a_connection_that_breaks_once_is_made_anew_on_either_side() {
    let [source, target] = accounts("once");
    // While listing, and in the middle of the second run's scans.
    for at in ["* LIST", "INTERNALDATE"] {
        let cut = || {
            Plan::default()
                .cut(Direction::Down, At::After(at.to_owned()), How::Rst)
                .only_first(1)
        };
        let (from, to) = (
            Proxy::start(source.port, cut()),
            Proxy::start(target.port, cut()),
        );
        let run = copy(&source.by_port(from.port), &target.by_port(to.port), &[]).ended(0);
        assert!(run.stderr.contains("trying again"), "{}", run.stderr);
        assert_equal(&source, &target);
    }
}

#[test]
fn a_connection_that_breaks_each_time_ends_the_run_and_is_named() {
    let [source, target] = accounts("ever");
    let plan = Plan::default().cut(Direction::Down, At::After("* LIST".to_owned()), How::Fin);
    let proxy = Proxy::start(target.port, plan);
    let run = copy(&source, &target.by_port(proxy.port), &[]).ended(1);
    assert!(
        run.stderr
            .contains(&format!("target ({}@127.0.0.1)", target.user)),
        "{}",
        run.stderr
    );
    assert_eq!(Client::login(&target).snapshot().count(), 0);
}
