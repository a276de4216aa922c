//! How often a run waits for a server one thing after the other, counted at the connection. Time can't fail a test on a
//! busy machine; a wait too many can.

mod lab;

use lab::client::Client;
use lab::generator::mailbox;
use lab::proxy::{Plan, Proxy, Traffic};
use lab::run::copy;
use lab::servers::{Account, Dovecot, Personality};

/// Copies over counting proxies. Gives what went over each connection of the source and of the target.
fn count(source: &Account, target: &Account, options: &[&str]) -> (Vec<Traffic>, Vec<Traffic>) {
    let (from, to) = (Proxy::start(source.port, Plan::default()), Proxy::start(target.port, Plan::default()));
    let address = |account: &Account, proxy: &Proxy| account.by_port(proxy.port).plain_address();
    copy(&address(source, &from), &address(target, &to), options).ended(0);
    (from.traffic(), to.traffic())
}

/// Each time that the client speaks after the server did: AUTHENTICATE after the greeting; ID, NAMESPACE and LIST; the
/// folders, as these fit into one flight; and LOGOUT, whose answer nobody waits for.
#[test]
fn a_run_with_nothing_to_do_waits_four_times() {
    let source = Dovecot::shared().account("trips", Personality::Plain);
    let target = Dovecot::shared().account("trips", Personality::Plain);
    // One folder, so that no further folders are asked for when the first have come.
    let mut one = mailbox(5, 40);
    one.folders.retain(|folder| folder.levels == ["INBOX"]);
    Client::login(&source).fill(&one);
    count(&source, &target, &["-j", "1"]);
    let (from, to) = count(&source, &target, &["-j", "1"]);
    for traffic in [from, to] {
        let [only] = &traffic[..] else { panic!("more than one connection: {traffic:#?}") };
        assert!(only.bursts <= 4, "{only:#?}");
    }
}
