//! D1 and D2: the addresses of a name, and the open port of an address.

use super::Patient;
use super::report::{SideReport, seen};
use crate::event::Check;
use crate::net::probe::{self, Shut};
use crate::net::{Error, TlsMode};
use crate::provider::Provider;
use crate::store::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long the resolver may take.
const RESOLVE: Duration = Duration::from_secs(20);
/// How long one address may take to answer.
const KNOCK: Duration = Duration::from_secs(5);
/// The same if it is only for advice.
const GLANCE: Duration = Duration::from_secs(2);

/// Makes D1: resolves the name.
pub(super) fn name(
    patient: &Patient<'_>,
    report: &mut SideReport<'_, '_>,
) -> Option<Vec<SocketAddr>> {
    let settings = patient.account.settings();
    let host = settings.host.as_str();
    if let Ok(address) = host.parse::<IpAddr>() {
        report.good(
            seen(Check::Name, format!("read {host}"), "IP address"),
            "no lookup needed",
        );
        return Some(vec![SocketAddr::new(address, settings.port)]);
    }
    let tried = format!("looked up {host}");
    match probe::resolve(host, settings.port, RESOLVE) {
        Ok(addresses) => {
            let list: Vec<String> = addresses
                .iter()
                .map(|address| address.ip().to_string())
                .collect();
            report.good(
                seen(Check::Name, tried, list.join(", ")),
                "the name resolves",
            );
            Some(addresses)
        }
        Err(error) => {
            let reason = match error {
                Error::NoAddress { reason, .. } => reason,
                error => error.to_string(),
            };
            let meaning = "no server has this name, or this machine's DNS isn't responding";
            report.failed(
                seen(Check::Name, tried, reason),
                ErrorKind::Unreachable,
                meaning,
                name_advice(patient),
            );
            None
        }
    }
}

fn name_advice(patient: &Patient<'_>) -> String {
    let (host, user) = (&patient.address.host, &patient.address.user);
    if let Some((known, name)) = Provider::misspelled(host) {
        return format!("did you mean {known}, {name}'s server?");
    }
    match Provider::of_user(user).and_then(|provider| Some((provider.name, provider.host()?))) {
        Some((name, known)) => format!("{user} is hosted by {name}, whose IMAP server is {known}"),
        None => {
            "check the spelling of the host (the provider's help pages name it), and this machine's network".to_owned()
        }
    }
}

/// Makes D2: finds the addresses that accept a connection.
pub(super) fn port(
    patient: &Patient<'_>,
    addresses: &[SocketAddr],
    report: &mut SideReport<'_, '_>,
) -> Option<Vec<SocketAddr>> {
    let port = patient.account.settings().port;
    let answers: Vec<_> = addresses
        .iter()
        .map(|address| (*address, probe::knock(address, KNOCK)))
        .collect();
    let open: Vec<SocketAddr> = answers
        .iter()
        .filter(|(_, answer)| answer.is_ok())
        .map(|(address, _)| *address)
        .collect();
    let lines: Vec<String> = answers
        .iter()
        .map(|(address, answer)| format!("{}: {}", address.ip(), words(answer)))
        .collect();
    let seen = seen(
        Check::Port,
        format!("connected to port {port} of each address"),
        lines.join("; "),
    );
    if open.is_empty() {
        let shut: Vec<&Shut> = answers
            .iter()
            .filter_map(|(_, answer)| answer.as_ref().err())
            .collect();
        report.failed(
            seen,
            ErrorKind::Unreachable,
            shut_meaning(&shut),
            port_advice(patient, addresses, &shut),
        );
        return None;
    }
    let is_silent =
        |(_, answer): &(SocketAddr, Result<Duration, Shut>)| matches!(answer, Err(Shut::Silent));
    if answers.iter().any(is_silent) {
        let meaning = "some addresses don't respond, so connecting may take that long before another one is tried";
        let advice = "ask the network's or the server's operator to fix those addresses or remove them from DNS";
        report.doubtful(seen, meaning, advice);
    } else if open.len() < answers.len() {
        report.good(
            seen,
            "not all addresses accept connections; mailferry tries the next one at once",
        );
    } else {
        report.good(seen, "the port is open");
    }
    Some(open)
}

fn words(answer: &Result<Duration, Shut>) -> String {
    match answer {
        Ok(time) => format!("open, after {} ms", time.as_millis()),
        Err(Shut::Refused) => "refused".to_owned(),
        Err(Shut::Silent) => format!("no answer within {} s", KNOCK.as_secs()),
        Err(Shut::Other(reason)) => reason.clone(),
    }
}

fn shut_meaning(shut: &[&Shut]) -> &'static str {
    if shut.contains(&&Shut::Refused) {
        "the host is up but has no server on this port, or it bans this machine's address"
    } else if shut.contains(&&Shut::Silent) {
        "a firewall, a VPN or the network's operator blocks this port, or the host is down"
    } else {
        "this machine's network has no route there"
    }
}

fn port_advice(patient: &Patient<'_>, addresses: &[SocketAddr], shut: &[&Shut]) -> String {
    let used = patient.account.settings().port;
    let is_open = |port: u16| {
        port != used
            && addresses
                .iter()
                .take(2)
                .any(|address| probe::knock(&SocketAddr::new(address.ip(), port), GLANCE).is_ok())
    };
    let usual = [TlsMode::Implicit, TlsMode::StartTls].map(|mode| (mode.default_port(), mode));
    // A host that doesn't answer on one port is not tried again.
    let other = usual
        .into_iter()
        .find(|(port, _)| shut.contains(&&Shut::Refused) && is_open(*port));
    match other {
        Some((port, TlsMode::Implicit)) => format!("port {port} is open: use imaps://USER@HOST"),
        Some((port, _)) => format!("port {port} is open: use imap://USER@HOST, which requires STARTTLS"),
        None if shut.contains(&&Shut::Silent) => "try another network, or ask the operator of this one".to_owned(),
        None => "check the port: servers listen on 993 for imaps:// and on 143 for imap://; if it is right, ask the server's \
                 operator whether it bans this address"
            .to_owned(),
    }
}
