//! D4: the server's certificate.

use super::Patient;
use super::report::{SideReport, seen};
use crate::event::Check;
use crate::net::{CertificateFacts, Error, TlsMode};
use crate::store::ErrorKind;
use jiff::Timestamp;

/// A certificate that expires sooner is reported.
const SOON_DAYS: i64 = 14;

/// The issuers of programs that intercept traffic on the user's own machine.
const INTERCEPTORS: [&str; 8] = [
    "avast",
    "avg",
    "kaspersky",
    "bitdefender",
    "eset",
    "fortinet",
    "zscaler",
    "sophos",
];

const TRIED: &str = "checked the certificate";

/// Makes D4 for a trusted server.
pub(super) fn certificate(patient: &Patient<'_>, report: &mut SideReport<'_, '_>) {
    if patient.account.settings().tls == TlsMode::None {
        let meaning = "tls=none in the address: password and mail cross the network unencrypted";
        report.skipped(Check::Certificate, meaning);
        return;
    }
    let now = Timestamp::now();
    let facts = match patient.account.certificate() {
        Ok(facts) => facts,
        // It was trusted a moment ago.
        Err(error) => {
            return report.good(
                seen(Check::Certificate, TRIED, error.to_string()),
                "the TLS library trusts it",
            );
        }
    };
    let seen = seen(Check::Certificate, TRIED, describe(&facts));
    let left = days(now, facts.not_after);
    if patient.account.settings().pin.is_some() {
        report.good(seen, "it matches pin=");
    } else if left < SOON_DAYS {
        let meaning = format!("trusted, but expires in {left} days");
        report.doubtful(
            seen,
            meaning,
            "the server's operator should renew it before then; afterwards nothing will connect",
        );
    } else {
        report.good(seen, format!("trusted, valid for another {left} days"));
    }
}

/// Makes D4 for a server that isn't trusted.
pub(super) fn distrusted(patient: &Patient<'_>, error: &Error, report: &mut SideReport<'_, '_>) {
    let now = Timestamp::now();
    let facts = patient.account.certificate().ok();
    let check = match error {
        Error::Untrusted { check, .. } => check.as_str(),
        _ => "it doesn't match `pin=`",
    };
    let result = match &facts {
        Some(facts) => format!("not trusted: {check}; {}", describe(facts)),
        None => error.to_string(),
    };
    let (meaning, advice) = match &facts {
        Some(facts) => explain(facts, check, &patient.address.host, now),
        None => (check.to_owned(), None),
    };
    let advice = advice
        .or_else(|| error.hint())
        .unwrap_or_else(|| "ask the server's operator".to_owned());
    report.failed(
        seen(Check::Certificate, TRIED, result),
        ErrorKind::Untrusted,
        meaning,
        advice,
    );
}

/// Returns what the failed check means, and what to do, if that adds to the error's own hint.
fn explain(
    facts: &CertificateFacts,
    check: &str,
    host: &str,
    now: Timestamp,
) -> (String, Option<String>) {
    let issuer = facts.issuer.to_ascii_lowercase();
    if INTERCEPTORS.iter().any(|name| issuer.contains(name)) {
        let meaning = format!(
            "traffic is being intercepted by {}, on this machine or its network",
            facts.issuer
        );
        let advice =
            "turn off mail inspection there, or trust its certificate with ca=FILE if you want it"
                .to_owned();
        return (meaning, Some(advice));
    }
    if check.contains("expired") || check.contains("not yet valid") {
        return out_of_date(facts, now);
    }
    if check.contains("mismatch") {
        let names = facts.names.join(", ");
        let meaning = format!("it was made for {names}, not for {host}");
        let first = facts.names.iter().find(|name| !name.starts_with('*'));
        let advice = match first {
            Some(name) => format!("use {name} as the host, if that is the server's name"),
            None => "use the host name in the certificate".to_owned(),
        };
        let pin = format!(
            "{advice}; or, once the operator confirms this fingerprint, add pin={}",
            facts.fingerprint
        );
        return (meaning, Some(pin));
    }
    if check.contains("alternative name") {
        return (
            "it has no host name in its subject alternative names".to_owned(),
            None,
        );
    }
    if check.contains("pin=") {
        return (
            "the server has a new certificate, or this is a man-in-the-middle attack".to_owned(),
            None,
        );
    }
    if facts.is_self_signed {
        return ("self-signed".to_owned(), None);
    }
    (
        format!(
            "signed by {}, which this machine doesn't trust",
            facts.issuer
        ),
        None,
    )
}

fn out_of_date(facts: &CertificateFacts, now: Timestamp) -> (String, Option<String>) {
    let today = now.strftime("%F");
    let meaning = if now > facts.not_after {
        format!(
            "it expired {} days ago, if this machine's clock is right: it says {today}",
            days(facts.not_after, now)
        )
    } else {
        format!(
            "it becomes valid in {} days, if this machine's clock is right: it says {today}",
            days(now, facts.not_before)
        )
    };
    let advice =
        "if the date is right, ask the server's operator to renew it; if not, set the clock"
            .to_owned();
    (meaning, Some(advice))
}

fn describe(facts: &CertificateFacts) -> String {
    format!(
        "for {}, by {}, valid {} to {}, {}",
        if facts.names.is_empty() {
            "no name".to_owned()
        } else {
            facts.names.join(", ")
        },
        if facts.is_self_signed {
            "itself"
        } else {
            &facts.issuer
        },
        facts.not_before.strftime("%F"),
        facts.not_after.strftime("%F"),
        facts.fingerprint
    )
}

/// Returns the whole days from one moment to another.
fn days(from: Timestamp, to: Timestamp) -> i64 {
    (to.as_second() - from.as_second()) / 86_400
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Fingerprint;

    fn facts(issuer: &str, is_self_signed: bool) -> CertificateFacts {
        CertificateFacts {
            names: vec![
                "*.hosting.example".to_owned(),
                "mail.hosting.example".to_owned(),
            ],
            issuer: issuer.to_owned(),
            not_before: "2026-01-01T00:00:00Z".parse().unwrap(),
            not_after: "2026-03-01T00:00:00Z".parse().unwrap(),
            is_self_signed,
            fingerprint: Fingerprint([1; 32]),
        }
    }

    #[test]
    fn each_failed_check_is_explained() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-02-01T00:00:00Z");
        let table = [
            (
                facts("X", false),
                "hostname mismatch",
                now,
                "made for *.hosting.example",
                Some("use mail.hosting.example"),
            ),
            (
                facts("X", false),
                "certificate has expired",
                at("2026-03-04T12:00:00Z"),
                "expired 3 days ago",
                Some("renew"),
            ),
            (
                facts("X", false),
                "certificate is not yet valid",
                at("2025-12-30T00:00:00Z"),
                "becomes valid in 2 days",
                Some("clock"),
            ),
            (
                facts("Avast Web Shield", false),
                "unable to get",
                now,
                "intercepted by Avast",
                Some("inspection"),
            ),
            (
                facts("X", true),
                "no subject alternative name",
                now,
                "no host name",
                None,
            ),
            (
                facts("X", true),
                "self-signed certificate",
                now,
                "self-signed",
                None,
            ),
            (
                facts("Lab CA", false),
                "unable to get local issuer",
                now,
                "signed by Lab CA",
                None,
            ),
        ];
        for (facts, check, now, meaning, advice) in table {
            let (found, told) = explain(&facts, check, "mail.example.org", now);
            assert!(found.contains(meaning), "{check}: {found}");
            assert_eq!(told.is_some(), advice.is_some(), "{check}");
            assert!(
                told.unwrap_or_default()
                    .contains(advice.unwrap_or_default()),
                "{check}"
            );
        }
    }
}
